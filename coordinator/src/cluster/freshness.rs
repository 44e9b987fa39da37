//! Whether answers are fresh: judged by what was sealed some seconds ago, so that a burst of epochs is no lateness, and an
//! idle market no freshness that was earned.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The last epochs sealed, as they were seen.
#[derive(Debug)]
pub struct Freshness {
    within: Duration,
    /// Last sealed epoch at moments of the last `within`; the first one is just outside.
    seen: VecDeque<(Instant, u64)>,
}

impl Freshness {
    /// Nothing is due before `within` has passed.
    pub fn new(within: Duration) -> Self {
        Freshness { within, seen: VecDeque::new() }
    }

    /// Notes the last sealed epoch.
    pub fn note(&mut self, now: Instant, sealed: u64) {
        self.seen.push_back((now, sealed));
        while self.seen.get(1).is_some_and(|(then, _)| now.duration_since(*then) >= self.within) {
            self.seen.pop_front();
        }
    }

    /// The epoch that must be complete at the moment that was noted last; 0 = none.
    pub fn due(&self) -> u64 {
        match (self.seen.front(), self.seen.back()) {
            (Some((then, sealed)), Some((now, _))) if now.duration_since(*then) >= self.within => *sealed,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_due_once_it_was_seen_long_enough_ago() {
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        let mut freshness = Freshness::new(3 * second);
        let mut due = Vec::new();
        for (at, sealed) in [5, 9, 9, 20, 21, 21, 21, 21].into_iter().enumerate() {
            freshness.note(begin + second * at as u32, sealed);
            due.push(freshness.due());
        }
        assert_eq!(due, [0, 0, 0, 5, 9, 9, 20, 21]);
    }
}
