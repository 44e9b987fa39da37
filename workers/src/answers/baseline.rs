//! What a rule on peers compared its subject with: cells of the peers, stated as data beside the facts of an explanation.
//!
//! [`stated`] writes them down; [`take`] is the way back, into an empty engine that judges an alert's evidence alone.

use billwatch_market::pattern::{
    Cell, FeatureDelta, FeatureIndex, Key, PatternIndex, Windows as _, evidence::CellRange,
};
use billwatch_proto::v1;

use super::{features, invalid};
use crate::{dataflow::windows::WindowRow, shard::Shard};

/// The cells of the peers at these places, without those in `known`, which the facts give. Empty for other rules.
pub fn stated(
    shard: &Shard,
    pattern: PatternIndex,
    known: &[CellRange],
    places: &[(Key, i64)],
) -> Vec<v1::BaselineValue> {
    let rules = shard.rules();
    let patterns = &rules.patterns;
    if !patterns.is_group(pattern) {
        return Vec::new();
    }
    let windows = shard.windows.borrow();
    let store = windows.windows_of(pattern);
    let lives = shard.lives.borrow();
    let registry = rules.registry(lives.reference());
    let mut lines = Vec::new();
    for place in places {
        let need = patterns.evidence_need(pattern, *place, store, &registry);
        for range in need.baseline.iter().filter(|range| !known.contains(range)) {
            let width = patterns.width(range.feature);
            store.cells(range.feature, range.key, range.from, range.to, &mut |bucket, member, cell| {
                lines.push(v1::BaselineValue {
                    feature: patterns.feature_name(range.feature).to_owned(),
                    key: features::key_text(range.key),
                    bucket: features::bucket_text(width, bucket),
                    count: cell.count,
                    sum_fen: cell.sum.to_string(),
                    bucket_number: i32::try_from(bucket).unwrap_or(i32::MAX),
                    member: member.to_string(),
                });
            });
        }
    }
    lines
}

/// Takes stated cells as if the facts behind them had come; nothing is judged by it. Each worker keeps those that a rule of
/// its own compares with.
pub fn take(shard: &Shard, lines: &[v1::BaselineValue]) -> anyhow::Result<()> {
    let rules = shard.rules();
    let patterns = &rules.patterns;
    let mut windows = shard.windows.borrow_mut();
    for line in lines {
        let bad =
            |field: &str, text: &str| invalid(format!("baseline: {field}: `{text}` is not what an explanation says"));
        let named = |place: &usize| patterns.feature_name(FeatureIndex(*place as u16)) == line.feature;
        let place = (0..patterns.feature_count()).find(named).ok_or_else(|| bad("feature", &line.feature))?;
        let feature = FeatureIndex(place as u16);
        let key = features::keys(&line.key).ok_or_else(|| bad("key", &line.key))?;
        let member = line.member.parse().map_err(|_| bad("member", &line.member))?;
        let sum = line.sum_fen.parse().map_err(|_| bad("sum_fen", &line.sum_fen))?;
        // A rule on numbers of facts is judged by what is stated: no fact comes that would make it due.
        let mut owned = patterns.readers(feature).iter().filter(|reader| reader.group && windows.owns(reader.pattern));
        if owned.clone().any(|reader| patterns.rests_on_counts(reader.pattern)) {
            let bucket = i64::from(line.bucket_number);
            let sum = i64::try_from(sum).map_err(|_| bad("sum_fen", &line.sum_fen))?;
            let delta = FeatureDelta { feature, key, bucket, member, count: line.count, sum };
            windows.add(patterns, &[WindowRow::Collective(delta)]);
        } else if owned.next().is_some() {
            let name = (feature, key, i64::from(line.bucket_number), member);
            windows.restore_cell(true, name, Cell { count: line.count, sum });
        }
    }
    Ok(())
}
