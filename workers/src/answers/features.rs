//! Features of one key: its buckets, members counted.

use std::collections::BTreeMap;

use billwatch_market::{
    ids::{Day, UTC8_MS},
    pattern::{BucketWidth, Cell, Key, Windows as _},
};
use billwatch_proto::v1;

use super::invalid;
use crate::{dataflow::series_store::SeriesStore, shard::Shard};

/// Keys that a text may name: a party, a branch, a pair `a,b` of them.
pub fn keys(text: &str) -> Option<Key> {
    Key::parse(text)
}

/// [`keys`], the other way round.
pub fn key_text(key: Key) -> String {
    key.text()
}

/// A bucket as people read it: a date, or a local time for buckets below a day.
pub fn bucket_text(width: BucketWidth, bucket: i64) -> String {
    let date = width.date(bucket);
    match width {
        BucketWidth::Day => date.to_string(),
        BucketWidth::Millis(width) => {
            let seconds = (bucket.saturating_mul(width) + UTC8_MS).div_euclid(1_000).rem_euclid(86_400);
            format!("{date} {:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
        }
    }
}

/// The buckets of a key between two dates.
pub fn features(shard: &Shard, request: &v1::QueryFeaturesRequest) -> anyhow::Result<v1::QueryFeaturesResponse> {
    let key = keys(&request.key).ok_or_else(|| {
        invalid(format!("key: `{}` is no party, branch or pair `a,b`; bills have no windows of their own", request.key))
    })?;
    let date = |field: &str, text: &str, absent: Day| match text {
        "" => Ok(absent),
        text => Day::parse(text).ok_or_else(|| invalid(format!("{field}: `{text}` is no date, write YYYY-MM-DD"))),
    };
    let (from, to) =
        (date("from_date", &request.from_date, Day(i32::MIN))?, date("to_date", &request.to_date, Day(i32::MAX))?);
    Ok(v1::QueryFeaturesResponse { as_of: None, rows: rows(shard, &shard.windows.borrow().keyed, key, from, to) })
}

fn rows(shard: &Shard, store: &SeriesStore, key: Key, from: Day, to: Day) -> Vec<v1::FeatureRow> {
    let rules = shard.rules();
    let patterns = &rules.patterns;
    let mut rows = Vec::new();
    store.features_of(key, |feature| {
        let width = patterns.width(feature);
        let mut buckets: BTreeMap<i64, (Cell, u64)> = BTreeMap::new();
        store.cells(feature, key, i64::MIN, i64::MAX, &mut |bucket, _, cell| {
            if (from..=to).contains(&width.date(bucket)) {
                let (total, members) = buckets.entry(bucket).or_default();
                total.add(cell);
                *members += 1;
            }
        });
        rows.extend(buckets.into_iter().map(|(bucket, (total, members))| v1::FeatureRow {
            feature: patterns.feature_name(feature).to_owned(),
            bucket: bucket_text(width, bucket),
            count: total.count,
            sum_fen: total.sum.to_string(),
            members,
        }));
    });
    rows
}
