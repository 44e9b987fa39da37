//! Freshness, measured inside: from the moment at which records are accepted until a question shows them.
//!
//! The clock of a record starts when the sequencer takes its batch, which is at most one fsync before its acknowledgement, and
//! stops when its epoch is complete on all workers and in the alert ledger: questions asked from then on show it. That is what
//! `billwatch bench latency` measures from outside as `accepted_to_visible`, with the fsync and without the question's own
//! time. Noted once a batch and epoch; each observation stands for all records of a batch.
//!
//! Invariant: each record accepted since the start is counted once, also when its epoch is replayed, or read back from the
//! log long after. Epochs that the log held at the start have no arrivals: nobody knows when their records came.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use billwatch_telemetry::histogram::{Histogram, Snapshot};

use crate::limits;

/// Arrivals closer together than this are one, with the earlier time: never too fresh.
const TOGETHER: Duration = Duration::from_millis(1);
/// Seconds over which the percentiles are taken.
const RECENT_SECONDS: usize = 60;
/// Steps in an octave of the percentiles: they are right within 9 %, upwards.
const STEPS: u32 = 8;
/// Octaves of microseconds: up to 19 hours.
const OCTAVES: u32 = 36;

/// Records of an open epoch, by the time at which they were taken.
#[derive(Debug, Default)]
pub struct Arrivals(Vec<(Instant, u32)>);

impl Arrivals {
    /// Notes records of one batch.
    pub fn note(&mut self, taken: Instant, records: u32) {
        match self.0.last_mut() {
            Some((first, noted)) if taken.duration_since(*first) < TOGETHER => *noted += records,
            _ => self.0.push((taken, records)),
        }
    }
}

/// Records that are sealed and not yet visible, and how long the others took.
#[derive(Debug)]
pub struct Freshness {
    histogram: Histogram,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<(u64, Arrivals)>,
    recent: Recent,
}

/// Freshness in the last minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastMinute {
    /// Records that became visible.
    pub records: u64,
    /// Half of them took no longer.
    pub median: Duration,
    /// 99 of 100 of them took no longer.
    pub p99: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), recent: Recent::new(Instant::now()) };
        Freshness { histogram: Histogram::default(), state: Mutex::new(state) }
    }
}

impl Freshness {
    /// An epoch is sealed and on disk; epochs come in order, before they are published.
    pub fn sealed(&self, epoch: u64, arrivals: Arrivals) {
        let waiting = &mut self.lock().waiting;
        if waiting.len() < limits::EPOCHS_AWAITED {
            waiting.push_back((epoch, arrivals));
        } else if let (Some((last, known)), Some((first, _))) = (waiting.back_mut(), arrivals.0.first()) {
            // Hours behind: from here on epochs wait for the later one, and count from its first record.
            *last = epoch;
            let since = known.0.last().map_or(*first, |(since, _)| *since);
            known.note(since, arrivals.0.iter().map(|(_, records)| records).sum());
        }
    }

    /// Everything up to an epoch is visible.
    pub fn visible(&self, epoch: u64, now: Instant) {
        let mut state = self.lock();
        while state.waiting.front().is_some_and(|(sealed, _)| *sealed <= epoch)
            && let Some((_, arrivals)) = state.waiting.pop_front()
        {
            for (taken, records) in arrivals.0 {
                let took = now.saturating_duration_since(taken);
                self.histogram.observe(took, records.into());
                state.recent.observe(now, took, records.into());
            }
        }
    }

    /// All since the start.
    pub fn histogram(&self) -> Snapshot {
        self.histogram.snapshot()
    }

    /// The last minute; `None` when nothing became visible in it.
    pub fn last_minute(&self, now: Instant) -> Option<LastMinute> {
        self.lock().recent.summary(now)
    }

    /// Age of the oldest record that is sealed and not visible; 0 when there is none.
    pub fn lag(&self, now: Instant) -> Duration {
        let state = self.lock();
        let oldest = state.waiting.iter().find_map(|(_, arrivals)| arrivals.0.first());
        oldest.map_or(Duration::ZERO, |(taken, _)| now.saturating_duration_since(*taken))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts by second and by time taken, for the last minute.
#[derive(Debug)]
struct Recent {
    begun: Instant,
    /// A second since `begun`, and its counts by step. In order, only those with observations.
    seconds: VecDeque<(u64, Vec<u64>)>,
}

impl Recent {
    fn new(begun: Instant) -> Self {
        Recent { begun, seconds: VecDeque::new() }
    }

    fn observe(&mut self, now: Instant, took: Duration, records: u64) {
        let second = self.second(now);
        if self.seconds.back().is_none_or(|(last, _)| *last < second) {
            if self.seconds.len() == RECENT_SECONDS {
                self.seconds.pop_front();
            }
            self.seconds.push_back((second, vec![0; (OCTAVES * STEPS) as usize]));
        }
        if let Some((_, counts)) = self.seconds.back_mut() {
            counts[step(took)] += records;
        }
    }

    fn summary(&self, now: Instant) -> Option<LastMinute> {
        let from = self.second(now).saturating_sub(RECENT_SECONDS as u64 - 1);
        let mut counts = vec![0; (OCTAVES * STEPS) as usize];
        for (_, of_second) in self.seconds.iter().filter(|(second, _)| *second >= from) {
            for (sum, count) in counts.iter_mut().zip(of_second) {
                *sum += count;
            }
        }
        let records: u64 = counts.iter().sum();
        // The least bound below which this share of the records lies.
        let bound = |percent: u64| {
            let wanted = (records * percent).div_ceil(100);
            let mut below = 0;
            let reached = counts.iter().position(|count| {
                below += count;
                below >= wanted
            });
            upper_bound(reached.unwrap_or(counts.len() - 1))
        };
        (records > 0).then(|| LastMinute { records, median: bound(50), p99: bound(99) })
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_secs()
    }
}

/// Which step a duration falls into: octaves of microseconds, each cut into [`STEPS`] equal parts.
fn step(took: Duration) -> usize {
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = microseconds.ilog2();
    let within = (((microseconds - (1 << octave)) as u128 * u128::from(STEPS)) >> octave) as u32;
    ((octave * STEPS + within).min(OCTAVES * STEPS - 1)) as usize
}

/// The longest duration of a step.
fn upper_bound(step: usize) -> Duration {
    let (octave, within) = (step as u32 / STEPS, step as u64 % u64::from(STEPS));
    Duration::from_micros((1 << octave) + ((1 << octave) * (within + 1)).div_ceil(u64::from(STEPS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(list: &[(Instant, u32)]) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for (taken, records) in list {
            arrivals.note(*taken, *records);
        }
        arrivals
    }

    #[test]
    fn each_record_is_counted_once_when_its_epoch_is_visible() {
        let freshness = Freshness::default();
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        freshness.sealed(7, arrivals(&[(at(0), 10), (at(5), 20)]));
        freshness.sealed(8, arrivals(&[(at(30), 5)]));
        assert_eq!((freshness.lag(at(40)), freshness.last_minute(at(40))), (Duration::from_millis(40), None));
        freshness.visible(6, at(41));
        assert_eq!(freshness.histogram().count(), 0);
        freshness.visible(7, at(45));
        assert_eq!(freshness.histogram().count(), 30);
        assert_eq!(freshness.lag(at(50)), Duration::from_millis(20));
        // Replayed in another generation: no second time.
        freshness.visible(7, at(60));
        freshness.visible(9, at(130));
        let histogram = freshness.histogram();
        assert_eq!((histogram.count(), histogram.sum_microseconds), (35, 10 * 45_000 + 20 * 40_000 + 5 * 100_000));
        assert_eq!(freshness.lag(at(140)), Duration::ZERO);
        let minute = freshness.last_minute(at(140)).unwrap();
        assert_eq!(minute.records, 35);
        assert!((40..=45).contains(&minute.median.as_millis()), "{minute:?}");
        assert!((100..=109).contains(&minute.p99.as_millis()), "{minute:?}");
        assert_eq!(freshness.last_minute(at(140 + 61_000)), None, "a minute later");
    }

    #[test]
    fn batches_within_a_moment_are_one_arrival() {
        let begin = Instant::now();
        let at = |us| begin + Duration::from_micros(us);
        let arrivals = arrivals(&[(at(0), 1), (at(900), 2), (at(1_100), 4)]);
        assert_eq!(arrivals.0, [(at(0), 3), (at(1_100), 4)]);
    }

    #[test]
    fn what_waits_is_bounded_and_nothing_is_lost() {
        let freshness = Freshness::default();
        let begin = Instant::now();
        let more = 5;
        for epoch in 1..=(limits::EPOCHS_AWAITED as u64 + more) {
            freshness.sealed(epoch, arrivals(&[(begin, 2)]));
        }
        assert_eq!(freshness.lock().waiting.len(), limits::EPOCHS_AWAITED);
        freshness.visible(u64::MAX, begin);
        assert_eq!(freshness.histogram().count(), 2 * (limits::EPOCHS_AWAITED as u64 + more));
    }

    #[test]
    fn steps_hold_their_durations_within_an_eighth() {
        for microseconds in (0..4_000).chain([999_999, 1 << 30, (1 << 36) - 1]) {
            let took = Duration::from_micros(microseconds);
            let bound = upper_bound(step(took));
            assert!(bound >= took && bound <= took + took / STEPS + Duration::from_micros(2), "{took:?} {bound:?}");
        }
        assert_eq!(step(Duration::MAX), (OCTAVES * STEPS - 1) as usize);
    }
}
