//! How many buckets of a series lie below each: days and spans are found without a search.
//!
//! A rule asks for the same five minutes of twenty days, or for windows of 30, 90 and 365 days, of series with hundreds and ten
//! thousands of buckets. Invariant: where ranks are kept at all, they say what a search over the buckets would.

/// Series with fewer buckets than one in so many are searched: five minutes of trading hours are one in four.
const SPARSE: i64 = 6;

/// Ranks of a series.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    first: i64,
    /// Of each bucket from the first to the one behind the last; empty when too many are left out.
    below: Vec<u32>,
}

impl Ranks {
    /// How many buckets lie below one; `None`: search.
    #[inline]
    pub fn of(&self, bucket: i64) -> Option<usize> {
        let last = self.below.len().checked_sub(1)?;
        let place = bucket.saturating_sub(self.first).clamp(0, last as i64);
        Some(self.below[place as usize] as usize)
    }

    /// A bucket came in at a place; `buckets` has it.
    pub fn inserted(&mut self, buckets: &[i64], place: usize) {
        if place == 0 || self.below.is_empty() || !is_dense(buckets) {
            return self.make(buckets);
        }
        let at = (buckets[place] - self.first) as usize;
        if place + 1 == buckets.len() {
            self.below.resize(at + 1, place as u32);
            self.below.push(place as u32 + 1);
        } else {
            self.below[at + 1..].iter_mut().for_each(|below| *below += 1);
        }
    }

    /// From nothing.
    pub fn make(&mut self, buckets: &[i64]) {
        self.below.clear();
        let Some(first) = buckets.first().filter(|_| is_dense(buckets)) else { return };
        self.first = *first;
        for (place, bucket) in buckets.iter().enumerate() {
            self.below.resize((bucket - first) as usize + 1, place as u32);
        }
        self.below.push(buckets.len() as u32);
    }
}

/// At least one bucket in [`SPARSE`] is there.
fn is_dense(buckets: &[i64]) -> bool {
    let span = buckets.first().zip(buckets.last()).and_then(|(first, last)| last.checked_sub(*first));
    span.is_some_and(|span| span / SPARSE < buckets.len() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Appended, put in between, taken out; dense and not.
        #[test]
        fn ranks_say_what_a_search_says(steps in proptest::collection::vec((any::<bool>(), 0i64..40, 1i64..30), 1..200)) {
            let (mut buckets, mut ranks): (Vec<i64>, Ranks) = (Vec::new(), Ranks::default());
            let mut kept = 0;
            for (appends, at, step) in steps {
                let bucket = if appends { buckets.last().map_or(0, |last| last + step % 9) } else { at * step };
                match buckets.binary_search(&bucket) {
                    Ok(place) => {
                        buckets.remove(place);
                        ranks.make(&buckets);
                    }
                    Err(place) => {
                        buckets.insert(place, bucket);
                        ranks.inserted(&buckets, place);
                    }
                }
                let last = buckets.last().copied().unwrap_or(0);
                for asked in [i64::MIN, -1, 0, at, bucket, bucket + 1, last, last + 1, i64::MAX] {
                    let searched = buckets.partition_point(|known| *known < asked);
                    prop_assert!(ranks.of(asked).is_none_or(|rank| rank == searched), "{asked} {buckets:?} {ranks:?}");
                    kept += usize::from(ranks.of(asked).is_some());
                }
                prop_assert_eq!(ranks.of(0).is_some(), is_dense(&buckets));
            }
            prop_assert!(kept > 0 || buckets.is_empty() || !is_dense(&buckets));
        }
    }
}
