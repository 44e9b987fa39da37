//! Durations by upper bound, weighted, for many writers.
//!
//! Written once a batch, epoch or question, never once a record: an observation says how many records it stands for. The
//! buckets are the same for all, so that figures can be compared.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of the buckets, ms: 1-2-5 from 1 ms to 10 s. What takes longer is counted in the last one, without bound.
pub const BOUNDS_MS: [u64; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// Counts by bucket, since the start.
#[derive(Debug, Default)]
pub struct Histogram {
    /// By bound, and one for what is longer than all.
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_microseconds: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// By bucket, not added up.
    pub counts: [u64; BOUNDS_MS.len() + 1],
    /// Sum of all durations, µs.
    pub sum_microseconds: u64,
}

impl Histogram {
    /// `weight` things took this long.
    pub fn observe(&self, took: Duration, weight: u64) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.partition_point(|bound| bound * 1_000 < microseconds);
        self.counts[bucket].fetch_add(weight, Ordering::Relaxed);
        self.sum_microseconds.fetch_add(microseconds.saturating_mul(weight), Ordering::Relaxed);
    }

    /// What it holds. Writers go on meanwhile: sum and counts may differ by what is being written.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            sum_microseconds: self.sum_microseconds.load(Ordering::Relaxed),
        }
    }
}

impl Snapshot {
    /// Observations, weighted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bound_it_does_not_pass() {
        let histogram = Histogram::default();
        for (microseconds, weight) in [(0, 1), (1_000, 2), (1_001, 4), (10_000_000, 8), (10_000_001, 16)] {
            histogram.observe(Duration::from_micros(microseconds), weight);
        }
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.counts, [3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 16]);
        assert_eq!(snapshot.count(), 31);
        assert_eq!(snapshot.sum_microseconds, 2_000 + 4_004 + 80_000_000 + 160_000_016);
    }
}
