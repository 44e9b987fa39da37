//! Absence timers: something must follow a fact within a limit (facts.md 9.6, 9.14).
//!
//! A bill keeps its starts and answers, range by range. What is due is a pure function of them: a start whose range is not
//! wholly covered by answers up to the limit. Such an alert is dated by the limit's day, and is there once the market clock
//! has passed the limit.

use serde::{Deserialize, Serialize};

use super::alert::AlertKey;
use crate::{
    fact::{EventId, Range},
    ids::Day,
};

/// A start that waits for its answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Started {
    /// Stable number of the timer among the timers of the rule set.
    pub timer: u8,
    /// What must be answered.
    pub range: Range,
    /// ms.
    pub at: i64,
    /// Day of the limit: date of the alert.
    pub limit: Day,
    /// Last instant for an answer, ms: the end of the day, or a cut-off time in it.
    pub due: i64,
    /// Whom the alert would be about.
    pub key: AlertKey,
}

/// Something that answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Bit n: answers timer n.
    pub timers: u32,
    /// What it answers for.
    pub range: Range,
    /// ms.
    pub at: i64,
}

/// A fact that refers to another of its bill which is not known (P184).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// The fact.
    pub event: EventId,
    /// What it refers to.
    pub wanted: EventId,
    /// ms.
    pub at: i64,
}

/// Starts and answers of one bill, in the order of its facts. State of the bill beside the fold.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct BillTimers {
    /// What was started.
    pub started: Vec<Started>,
    /// What answered.
    pub answers: Vec<Answer>,
    /// Ids of the bill's facts.
    known: Vec<EventId>,
    /// References that lead nowhere so far.
    waiting: Vec<Waiting>,
}

impl BillTimers {
    /// A fact of the bill is known.
    pub(super) fn learn(&mut self, event: EventId) {
        self.known.push(event);
        self.waiting.retain(|waiting| waiting.wanted != event);
    }

    /// A fact refers to another.
    pub(super) fn want(&mut self, waiting: Waiting) {
        // Answers mostly follow their requests closely.
        if !self.known.iter().rev().any(|known| *known == waiting.wanted) {
            self.waiting.push(waiting);
        }
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// True when a fact with this id was timed: another one is a variant.
    pub fn knows(&self, event: EventId) -> bool {
        // Variants are rare and mostly follow closely.
        self.known.iter().rev().any(|known| *known == event)
    }

    /// Bytes held outside itself.
    pub fn heap_bytes(&self) -> usize {
        self.started.capacity() * size_of::<Started>()
            + self.answers.capacity() * size_of::<Answer>()
            + self.known.capacity() * size_of::<EventId>()
            + self.waiting.capacity() * size_of::<Waiting>()
    }

    /// Starts that are not answered in time, whatever the clock says: each becomes an alert when the clock passes the end of
    /// its limit. `early(timer)`: answers before the start count too.
    pub fn unanswered(&self, early: impl Fn(u8) -> bool) -> impl Iterator<Item = &Started> {
        self.started.iter().filter(move |started| {
            let answers = self.answers.iter().filter(|answer| {
                answer.timers & (1 << started.timer) != 0
                    && answer.at <= started.due
                    && (answer.at >= started.at || early(started.timer))
            });
            !covers(answers.map(|answer| answer.range).collect(), started.range)
        })
    }
}

/// True when the ranges together cover all of `wanted`.
fn covers(mut ranges: Vec<Range>, wanted: Range) -> bool {
    if ranges.contains(&Range::WHOLE) {
        return true;
    }
    if wanted == Range::WHOLE {
        return !ranges.is_empty();
    }
    ranges.sort_unstable();
    let mut next = wanted.start;
    for range in ranges {
        if range.start > next {
            return false;
        }
        next = next.max(range.end + 1);
        if next > wanted.end {
            return true;
        }
    }
    next > wanted.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartyId;

    fn range(start: u64, end: u64) -> Range {
        Range { start, end }
    }

    #[test]
    fn parts_together_answer_for_the_whole() {
        assert!(covers(vec![range(6, 10), range(1, 5)], range(1, 10)));
        assert!(!covers(vec![range(1, 5), range(7, 10)], range(1, 10)));
        assert!(!covers(vec![], range(1, 1)));
        assert!(covers(vec![Range::WHOLE], Range::WHOLE));
        assert!(covers(vec![range(1, 99)], range(5, 6)));
    }

    #[test]
    fn an_answer_counts_up_to_the_last_millisecond_of_the_limit() {
        let limit = Day::parse("2025-10-09").unwrap();
        let key = AlertKey::Party(PartyId::enterprise(1));
        let due = limit.end_ms() - 1;
        let started = Started { timer: 2, range: range(1, 10), at: limit.start_ms(), limit, due, key };
        let answer = |at, timer| Answer { timers: 1u32 << timer, range: range(1, 10), at };
        let mut timers = BillTimers { started: vec![started], ..BillTimers::default() };
        let due = |timers: &BillTimers, early: bool| timers.unanswered(|_| early).count();
        assert_eq!(due(&timers, false), 1);
        timers.answers = vec![answer(limit.end_ms(), 2), answer(limit.start_ms(), 3)];
        assert_eq!(due(&timers, false), 1);
        timers.answers.push(answer(limit.end_ms() - 1, 2));
        assert_eq!(due(&timers, false), 0);
        timers.answers = vec![answer(limit.start_ms() - 1, 2)];
        assert_eq!((due(&timers, false), due(&timers, true)), (1, 0));
    }
}
