//! The market clock (facts.md 6): what time the market has reached, as the watermarks of the sources say.
//!
//! The clock is the minimum of the latest watermarks of the sources that are not idle and have sent at least one record. A
//! source that has sent records but no watermark yet holds the clock where it is: nobody knows how far it has come. After
//! `resume` a source counts again from its next watermark on. The clock never goes back, also when a source joins with a
//! low watermark: timers that it has passed have fired.

use billwatch_market::fact::{SOURCES, Source};

/// Watermark state of all sources.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MarketClock {
    sources: [SourceState; SOURCES.len()],
    reached: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct SourceState {
    standing: Standing,
    watermark: Option<i64>,
}

/// Whether a source counts for the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Standing {
    /// Has sent nothing yet: does not count.
    #[default]
    Silent,
    /// Counts.
    Counting,
    /// Said `idle`: does not count.
    Idle,
    /// Said `resume`: counts from its next watermark on.
    Resuming,
}

impl MarketClock {
    /// An accepted record of the source; control records have their own calls besides.
    pub fn sent(&mut self, source: Source) {
        let state = self.state(source);
        if state.standing == Standing::Silent {
            state.standing = Standing::Counting;
            self.advance();
        }
    }

    /// Highest watermark of the source, ms.
    pub fn watermark(&self, source: Source) -> Option<i64> {
        self.sources[usize::from(source.rank())].watermark
    }

    /// A watermark was accepted; the caller has checked that it does not go back.
    pub fn set_watermark(&mut self, source: Source, time: i64) {
        let state = self.state(source);
        state.watermark = Some(time);
        if matches!(state.standing, Standing::Silent | Standing::Resuming) {
            state.standing = Standing::Counting;
        }
        self.advance();
    }

    /// The source sends nothing for now.
    pub fn set_idle(&mut self, source: Source) {
        self.state(source).standing = Standing::Idle;
        self.advance();
    }

    /// The source will count again.
    pub fn set_resumed(&mut self, source: Source) {
        let state = self.state(source);
        if state.standing == Standing::Idle {
            state.standing = Standing::Resuming;
        }
    }

    /// ms since 1970-01-01T00:00Z; `None` before the first watermark.
    pub fn now(&self) -> Option<i64> {
        self.reached
    }

    fn state(&mut self, source: Source) -> &mut SourceState {
        &mut self.sources[usize::from(source.rank())]
    }

    fn advance(&mut self) {
        let mut least: Option<i64> = None;
        for state in self.sources.iter().filter(|state| state.standing == Standing::Counting) {
            match state.watermark {
                None => return,
                Some(time) => least = Some(least.map_or(time, |known| known.min(time))),
            }
        }
        self.reached = self.reached.max(least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_counting_source_holds_the_clock() {
        let mut clock = MarketClock::default();
        assert_eq!(clock.now(), None);
        clock.set_watermark(Source::Ngbs, 100);
        assert_eq!(clock.now(), Some(100));
        clock.sent(Source::Cpes);
        clock.set_watermark(Source::Ngbs, 200);
        assert_eq!(clock.now(), Some(100), "CPES has sent and said nothing of its time");
        clock.set_watermark(Source::Cpes, 150);
        assert_eq!(clock.now(), Some(150));
        clock.set_idle(Source::Cpes);
        assert_eq!(clock.now(), Some(200));
        clock.sent(Source::Cpes);
        clock.set_watermark(Source::Cpes, 160);
        assert_eq!(clock.now(), Some(200), "idle, and never back");
        clock.set_resumed(Source::Cpes);
        clock.set_watermark(Source::Ngbs, 300);
        assert_eq!(clock.now(), Some(300), "resumed, but its next watermark has not come");
        clock.set_watermark(Source::Cpes, 310);
        clock.set_watermark(Source::Ngbs, 400);
        assert_eq!(clock.now(), Some(310));
    }

    #[test]
    fn idle_before_the_first_watermark_does_not_hold_the_clock() {
        let mut clock = MarketClock::default();
        clock.sent(Source::Refd);
        clock.set_watermark(Source::Ngbs, 5);
        assert_eq!(clock.now(), None);
        clock.set_idle(Source::Refd);
        assert_eq!(clock.now(), Some(5));
    }
}
