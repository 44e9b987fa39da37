//! What an epoch touched, and which judgements that reaches.

use std::collections::BTreeSet;

use billwatch_market::pattern::{FeatureIndex, PatternIndex, Patterns, Reader};
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

/// What is to be judged again of a rule that judges all keys of a bucket at once.
#[derive(Clone, Default)]
pub(super) struct DirtyGroup {
    /// Everything in a span.
    span: Option<Span>,
    /// Changed buckets (each with its reach), of which the same time of later days is asked for: (buckets a day, days).
    repeated: BTreeSet<(i64, i64)>,
    repeats: (i64, i64),
}

impl DirtyGroup {
    /// All in a span.
    pub fn widen(&mut self, span: Span) {
        self.span.get_or_insert(span).widen(span);
    }

    /// What a changed bucket reaches.
    pub fn touch(&mut self, bucket: i64, reader: &Reader, per_day: i64) {
        match reader.reach {
            Some(lag) if reader.days > 0 => {
                self.repeated.insert((bucket, lag));
                self.repeats = (per_day, self.repeats.1.max(reader.days));
            }
            _ => self.widen(Span { from: bucket, to: reach(bucket, reader.reach) }),
        }
    }

    /// Every span, up to the last bucket that there is.
    pub fn spans(&self, last: i64) -> Vec<Span> {
        let mut spans: Vec<Span> = self.span.into_iter().collect();
        for (bucket, lag) in &self.repeated {
            let starts = (0..=self.repeats.1).map(|day| bucket.saturating_add(day * self.repeats.0));
            let starts = starts.take_while(|from| *from <= last);
            spans.extend(starts.map(|from| Span { from, to: from.saturating_add(*lag) }));
        }
        spans
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
            // Rules of one key that ask for the same time of other days: all that lies between is judged.
            let days = reader.days * patterns.width(buckets[0].feature).per_day();
            let span = Span { from: first, to: reach(last, reader.reach).saturating_add(days) };
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
