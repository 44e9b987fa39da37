//! What an epoch touched, and which judgements that reaches.

use billwatch_market::pattern::{FeatureIndex, PatternIndex, Patterns};
use smallvec::SmallVec;

use super::series_store::KeyPlace;

/// A span of buckets to judge again.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    pub fn widen(&mut self, other: Span) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
    }
}

/// A changed bucket of a key of this worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Touched {
    pub key: KeyPlace,
    pub feature: FeatureIndex,
    pub bucket: i64,
}

/// Rules to judge again for one key, each with its span.
pub(super) type Due = SmallVec<[(PatternIndex, Span); 16]>;

/// Rules that read what changed of one key, each once, with the span of buckets that the changes reach. `touched` is sorted.
pub(super) fn due(patterns: &Patterns, touched: &[Touched]) -> Due {
    let mut due = Due::new();
    for buckets in touched.chunk_by(|left, right| left.feature == right.feature) {
        let (first, last) = (buckets[0].bucket, buckets[buckets.len() - 1].bucket);
        for reader in patterns.readers(buckets[0].feature) {
            if reader.collective || reader.group {
                continue;
            }
            let span = Span { from: first, to: reach(last, reader.reach) };
            match due.iter_mut().find(|(known, _)| *known == reader.pattern) {
                Some((_, known)) => known.widen(span),
                None => due.push((reader.pattern, span)),
            }
        }
    }
    due
}

/// Last bucket that a change reaches.
pub(super) fn reach(bucket: i64, reach: Option<i64>) -> i64 {
    reach.map_or(i64::MAX, |reach| bucket.saturating_add(reach))
}
