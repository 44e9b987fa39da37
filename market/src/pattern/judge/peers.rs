//! Judging all keys of a bucket at once: who takes part, in which group, and how a subject stands among the others.

use super::{Judgement, KeyScope, verdict};
use crate::pattern::{
    alert::{Key, PatternIndex},
    number::Number,
    rules::{Judged, PeerRule, Rule},
    schedule::period,
    sight::Registry,
    vocabulary::Peer,
    windows::{FeatureIndex, Windows},
};

/// The subject and the others of its group, ascending.
pub(super) struct Standing {
    metric: Number,
    others: Vec<Number>,
}

impl Standing {
    /// What a word of peers gives.
    pub(super) fn say(&self, function: Peer, arguments: &[Number]) -> Option<Number> {
        match function {
            Peer::Metric => Some(self.metric),
            Peer::Quantile => quantile(&self.others, *arguments.first()?),
            Peer::Median => median(&self.others),
            Peer::Deviation => {
                let middle = median(&self.others)?;
                let distances: Option<Vec<Number>> =
                    self.others.iter().map(|other| other.minus(middle)?.abs()).collect();
                let mut distances = distances?;
                distances.sort();
                median(&distances)
            }
            Peer::Peers => Some(Number::whole(self.others.len() as i128)),
        }
    }
}

/// Keys that take part in a peer rule at one bucket: (group, metric, key), by group, metric and key. Also: whether any was
/// left out because its group is not known.
type Standings = (Vec<(Vec<Number>, Number, Key)>, bool);

fn standings<W: Windows, R: Registry>(
    rule: &Rule,
    peer: &PeerRule,
    bucket: i64,
    windows: &W,
    registry: &R,
) -> Standings {
    let mut standings: Vec<(Vec<Number>, Number, Key)> = Vec::new();
    let mut skipped = false;
    let compared = peer.keyed.windows[0].feature;
    windows.keys(compared, &mut |key| {
        // Who comes later is no peer of those before him: what a day is judged by lies on it or before.
        if windows.first_bucket(compared, key).is_none_or(|first| first > bucket) {
            return;
        }
        let scope = KeyScope::new(rule, &peer.keyed, (key, bucket), windows, registry, None);
        if peer.eligible.truth(&scope) != Some(true) {
            return;
        }
        let Some(metric) = peer.metric.value(&scope) else { return };
        match peer.group.iter().map(|part| part.value(&scope)).collect::<Option<Vec<Number>>>() {
            Some(group) => standings.push((group, metric, key)),
            None => skipped = true,
        }
    });
    standings.sort();
    (standings, skipped)
}

/// Judges all keys of a peer rule at one bucket: those with a triggering fact there are subjects (or everyone, where the rule
/// says so), all eligible ones peers.
pub(in crate::pattern) fn judge_group<W: Windows, R: Registry>(
    index: PatternIndex,
    rule: &Rule,
    peer: &PeerRule,
    bucket: i64,
    windows: &W,
    registry: &R,
) -> Judgement {
    let (standings, skipped) = standings(rule, peer, bucket, windows, registry);
    let mut judgement = Judgement { hits: Vec::new(), skipped };
    for group in standings.chunk_by(|left, right| left.0 == right.0) {
        for (place, (_, metric, key)) in group.iter().enumerate() {
            let (first, last) = period(peer.keyed.judged, bucket);
            let triggers = |feature: &FeatureIndex| {
                let mut found = false;
                if matches!(peer.keyed.judged, Judged::EachChange | Judged::EndOfMonth) {
                    windows.cells(*feature, *key, first, last, &mut |_, _, _| found = true);
                } else {
                    windows.buckets_with_facts(*feature, *key, first, last, &mut |_| found = true);
                }
                found
            };
            if !peer.everyone && !peer.keyed.trigger.iter().any(triggers) {
                continue;
            }
            let others = group.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, (_, other, _))| *other);
            let standing = Standing { metric: *metric, others: others.collect() };
            let scope = KeyScope::new(rule, &peer.keyed, (*key, bucket), windows, registry, Some(&standing));
            let one = verdict(index, rule, &peer.keyed, &scope);
            judgement.hits.extend(one.hits);
            judgement.skipped |= one.skipped;
        }
    }
    judgement
}

/// The others of the group in which a key stands at a bucket.
pub(in crate::pattern) fn peer_keys<W: Windows, R: Registry>(
    rule: &Rule,
    peer: &PeerRule,
    place: (Key, i64),
    windows: &W,
    registry: &R,
) -> Vec<Key> {
    let (standings, _) = standings(rule, peer, place.1, windows, registry);
    let Some(own) = standings.iter().find(|(.., key)| *key == place.0).map(|(group, ..)| group.clone()) else {
        return Vec::new();
    };
    let same = |(group, _, key): &(Vec<Number>, Number, Key)| *group == own && *key != place.0;
    standings.into_iter().filter(same).map(|(.., key)| key).collect()
}

/// Smallest value with at least `share` of the values at or below it; `None` for no values (derived.csv `quantile`).
fn quantile(ascending: &[Number], share: Number) -> Option<Number> {
    let wanted = share.times(Number::whole(ascending.len() as i128))?;
    let rank = wanted.negate()?.floor().checked_neg()?.max(1);
    ascending.get(usize::try_from(rank).ok()? - 1).copied()
}

fn median(ascending: &[Number]) -> Option<Number> {
    quantile(ascending, Number::ratio(1, 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank_never_lies_between_values() {
        let values: Vec<Number> = [10i64, 20, 30, 40].into_iter().map(Number::from).collect();
        assert_eq!(quantile(&values, Number::parse("0.5").unwrap()), Some(20.into()));
        assert_eq!(quantile(&values, Number::parse("0.51").unwrap()), Some(30.into()));
        assert_eq!(quantile(&values, Number::ZERO), Some(10.into()));
        assert_eq!(quantile(&values, Number::whole(1)), Some(40.into()));
        assert_eq!(quantile(&[], Number::whole(1)), None);
    }
}
