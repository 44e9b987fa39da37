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

/// A key that takes part in a peer rule at one bucket: (group, metric, key).
type Competitor = (Vec<Number>, Number, Key);

/// A subject in its group. The others are not copied: a group may be all institutions, and each of them a subject.
pub(super) struct Standing<'a> {
    /// By metric.
    group: &'a [Competitor],
    /// Of the subject.
    place: usize,
}

impl Standing<'_> {
    /// What a word of peers gives.
    pub(super) fn say(&self, function: Peer, arguments: &[Number]) -> Option<Number> {
        match function {
            Peer::Metric => Some(self.group[self.place].1),
            Peer::Quantile => self.other(rank(self.others(), *arguments.first()?)?),
            Peer::Median => self.median(),
            Peer::Deviation => self.deviation(),
            Peer::Peers => Some(Number::whole(self.others() as i128)),
        }
    }

    fn others(&self) -> usize {
        self.group.len() - 1
    }

    /// One of the others, ascending.
    fn other(&self, at: usize) -> Option<Number> {
        let place = if at < self.place { at } else { at + 1 };
        Some(self.group.get(place)?.1)
    }

    fn median(&self) -> Option<Number> {
        self.other(rank(self.others(), Number::ratio(1, 2)?)?)
    }

    /// Median of the distances of the others from their median. Distances grow to either side of it, so the two sides are merged
    /// up to the middle.
    fn deviation(&self) -> Option<Number> {
        let middle = rank(self.others(), Number::ratio(1, 2)?)?;
        let median = self.other(middle)?;
        let distance = |at: usize| self.other(at)?.minus(median)?.abs();
        let (mut below, mut above) = (middle, middle);
        let mut last = None;
        // Those from `below` on, and before `above`, are passed.
        for _ in 0..=middle {
            let left = below.checked_sub(1).map(distance);
            let right = (above < self.others()).then(|| distance(above));
            last = match (left, right) {
                (Some(left), Some(right)) if left? < right? => {
                    below -= 1;
                    left
                }
                (_, Some(right)) => {
                    above += 1;
                    right
                }
                (left, None) => {
                    below = below.checked_sub(1)?;
                    left?
                }
            };
        }
        last
    }
}

/// Keys that take part in a peer rule at one bucket, by group, metric and key. Also: whether any was left out because its
/// group is not known.
type Standings = (Vec<Competitor>, bool);

fn standings<W: Windows, R: Registry>(
    rule: &Rule,
    peer: &PeerRule,
    bucket: i64,
    windows: &W,
    registry: &R,
) -> Standings {
    let mut standings: Vec<Competitor> = Vec::new();
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
        for (place, (.., key)) in group.iter().enumerate() {
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
            let standing = Standing { group, place };
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
    let same = |(group, _, key): &Competitor| *group == own && *key != place.0;
    standings.into_iter().filter(same).map(|(.., key)| key).collect()
}

/// Place of the smallest of so many ascending values with at least `share` of them at or below it (derived.csv `quantile`); there
/// need not be one.
fn rank(count: usize, share: Number) -> Option<usize> {
    let wanted = share.times(Number::whole(count as i128))?;
    let rank = wanted.negate()?.floor().checked_neg()?.max(1);
    Some(usize::try_from(rank).ok()? - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(metrics: &[i64]) -> Vec<Competitor> {
        let mut metrics = metrics.to_vec();
        metrics.sort_unstable();
        let competitor = |(at, metric): (usize, &i64)| (Vec::new(), Number::from(*metric), Key(at as u64, 0));
        metrics.iter().enumerate().map(competitor).collect()
    }

    #[test]
    fn nearest_rank_never_lies_between_values() {
        let group = group(&[10, 20, 30, 40, 99]);
        let quantile = |share: &str| {
            let standing = Standing { group: &group, place: 4 };
            standing.say(Peer::Quantile, &[Number::parse(share).unwrap()])
        };
        assert_eq!(quantile("0.5"), Some(20.into()));
        assert_eq!(quantile("0.51"), Some(30.into()));
        assert_eq!(quantile("0"), Some(10.into()));
        assert_eq!(quantile("1"), Some(40.into()));
        let alone = Standing { group: &group[..1], place: 0 };
        assert_eq!(alone.say(Peer::Quantile, &[Number::whole(1)]), None);
        assert_eq!((alone.say(Peer::Median, &[]), alone.say(Peer::Deviation, &[])), (None, None));
    }

    proptest! {
        /// Against lists of the others.
        #[test]
        fn the_others_are_those_beside_the_subject(metrics in proptest::collection::vec(-9i64..9, 2..14), at in 0usize..14) {
            let group = group(&metrics);
            let place = at % group.len();
            let standing = Standing { group: &group, place };
            let mut others: Vec<Number> = group.iter().map(|(_, metric, _)| *metric).collect();
            let subject = others.remove(place);
            let median = |ascending: &[Number]| ascending[ascending.len().div_ceil(2) - 1];
            let middle = median(&others);
            let mut distances: Vec<Number> =
                others.iter().map(|other| other.minus(middle).unwrap().abs().unwrap()).collect();
            distances.sort();
            prop_assert_eq!(standing.say(Peer::Metric, &[]), Some(subject));
            prop_assert_eq!(standing.say(Peer::Median, &[]), Some(middle));
            prop_assert_eq!(standing.say(Peer::Deviation, &[]), Some(median(&distances)));
            prop_assert_eq!(standing.say(Peer::Peers, &[]), Some(Number::whole(others.len() as i128)));
        }
    }
}
