//! Absence timers: something must follow a fact within a limit (facts.md 9.6, 9.14).
//!
//! A bill keeps its starts and answers, range by range. What is due is a pure function of them: a start whose range is not
//! wholly covered by answers up to the limit. Such an alert is dated by the limit's day, and is there once the market clock
//! has passed the limit.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::alert::AlertKey;
use crate::{
    fact::{EventId, Range},
    ids::Day,
    packed::{Packer, Unpacker},
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

/// Half the bits of an event id, well mixed. Two ids of one bill that share a mark by chance (1 in 10^17) would hide one
/// P184 and cost one needless fold; the whole ids would be the largest part of a bill.
type EventMark = u64;

fn event_mark(event: EventId) -> EventMark {
    let (low, high) = (event as u64, (event >> 64) as u64);
    // Odd factors: ids that differ in one half only never share a mark.
    low.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ high.wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(32)
}

/// Starts and answers of one bill, in the order of its facts. State of the bill beside the fold.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct BillTimers {
    /// What was started.
    pub started: Vec<Started>,
    /// What answered.
    pub answers: Vec<Answer>,
    /// Marks of the ids of the bill's facts.
    known: Vec<EventMark>,
    /// References that lead nowhere so far.
    waiting: Vec<Waiting>,
}

impl BillTimers {
    /// A fact of the bill is known.
    pub(super) fn learn(&mut self, event: EventId) {
        self.known.push(event_mark(event));
        self.waiting.retain(|waiting| waiting.wanted != event);
    }

    /// A fact refers to another.
    pub(super) fn want(&mut self, waiting: Waiting) {
        // Answers mostly follow their requests closely.
        if !self.knows(waiting.wanted) {
            self.waiting.push(waiting);
        }
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// True when a fact with this id was timed: another one is a variant.
    pub fn knows(&self, event: EventId) -> bool {
        // Variants are rare and mostly follow closely.
        let mark = event_mark(event);
        self.known.iter().rev().any(|known| *known == mark)
    }

    /// Bytes held outside itself.
    pub fn heap_bytes(&self) -> usize {
        self.started.capacity() * size_of::<Started>()
            + self.answers.capacity() * size_of::<Answer>()
            + self.known.capacity() * size_of::<EventMark>()
            + self.waiting.capacity() * size_of::<Waiting>()
    }

    /// Writes them, behind the bill that they belong to.
    pub fn pack(&self, to: &mut Packer) {
        to.number(self.started.len() as u64);
        for started in &self.started {
            to.byte(started.timer);
            to.range(started.range);
            to.time(started.at);
            to.day(started.limit);
            // Mostly the last millisecond of the limit.
            to.signed(started.due.wrapping_sub(last_instant(started.limit)));
            started.key.pack(to);
        }
        to.number(self.answers.len() as u64);
        for answer in &self.answers {
            to.number(u64::from(answer.timers));
            to.range(answer.range);
            to.time(answer.at);
        }
        to.number(self.known.len() as u64);
        self.known.iter().for_each(|mark| to.word(*mark));
        to.number(self.waiting.len() as u64);
        for waiting in &self.waiting {
            to.wide(waiting.event);
            to.wide(waiting.wanted);
            to.time(waiting.at);
        }
    }

    /// Reads what [`BillTimers::pack`] wrote into these, whatever they were; their memory is used again.
    pub fn unpack(&mut self, from: &mut Unpacker<'_>) {
        self.started.clear();
        for _ in 0..from.count() {
            let (timer, range, at, limit) = (from.byte(), from.range(), from.time(), from.day());
            let due = from.signed().wrapping_add(last_instant(limit));
            self.started.push(Started { timer, range, at, limit, due, key: AlertKey::unpack(from) });
        }
        self.answers.clear();
        for _ in 0..from.count() {
            self.answers.push(Answer { timers: from.small(), range: from.range(), at: from.time() });
        }
        self.known.clear();
        for _ in 0..from.count() {
            self.known.push(from.word());
        }
        self.waiting.clear();
        for _ in 0..from.count() {
            self.waiting.push(Waiting { event: from.wide(), wanted: from.wide(), at: from.time() });
        }
    }

    /// Starts that are not answered in time, whatever the clock says: each becomes an alert when the clock passes the end of
    /// its limit. `early(timer)`: answers before the start count too.
    pub fn unanswered(&self, early: impl Fn(u8) -> bool) -> impl Iterator<Item = &Started> {
        self.started.iter().filter(move |started| !is_answered(started, &self.answers, early(started.timer)))
    }

    /// Forgets what no later fact can bring back: starts that are answered, and answers that neither an open start nor a
    /// start still to come can use. `now`: instant of the last fact, ms; later facts are not before it.
    pub(super) fn tidy(&mut self, now: i64, early: impl Fn(u8) -> bool) {
        let BillTimers { started, answers, .. } = self;
        started.retain(|started| !is_answered(started, answers, early(started.timer)));
        let open = started.iter().fold(0u32, |open, started| open | 1 << started.timer);
        let any_early = |timers: u32| (0..u32::BITS as u8).any(|timer| timers & 1 << timer != 0 && early(timer));
        answers.retain(|answer| answer.timers & open != 0 || answer.at >= now || any_early(answer.timers));
    }
}

fn is_answered(started: &Started, answers: &[Answer], early: bool) -> bool {
    let mut parts: SmallVec<[Range; 8]> = SmallVec::new();
    for answer in answers {
        let answers_it =
            answer.timers & (1 << started.timer) != 0 && answer.at <= started.due && (answer.at >= started.at || early);
        if !answers_it {
            continue;
        }
        let wanted = started.range;
        let whole = answer.range == Range::WHOLE || wanted == Range::WHOLE;
        if whole || (answer.range.start <= wanted.start && wanted.end <= answer.range.end) {
            return true;
        }
        parts.push(answer.range);
    }
    parts.len() > 1 && covers(&mut parts, started.range)
}

/// Last millisecond of a day; of any day that bytes can name.
fn last_instant(day: Day) -> i64 {
    day.start_ms().wrapping_add(86_399_999)
}

/// True when the ranges together cover all of `wanted`.
fn covers(ranges: &mut [Range], wanted: Range) -> bool {
    if ranges.contains(&Range::WHOLE) {
        return true;
    }
    if wanted == Range::WHOLE {
        return !ranges.is_empty();
    }
    ranges.sort_unstable();
    let mut next = wanted.start;
    for range in ranges.iter() {
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
        assert!(covers(&mut [range(6, 10), range(1, 5)], range(1, 10)));
        assert!(!covers(&mut [range(1, 5), range(7, 10)], range(1, 10)));
        assert!(!covers(&mut [], range(1, 1)));
        assert!(covers(&mut [Range::WHOLE], Range::WHOLE));
        assert!(covers(&mut [range(1, 99)], range(5, 6)));
    }

    #[test]
    fn an_answer_counts_up_to_the_last_millisecond_of_the_limit() {
        let limit = Day::parse("2025-10-09").unwrap();
        let key = AlertKey::Party(PartyId::enterprise(1));
        let due = last_instant(limit);
        let started = Started { timer: 2, range: range(1, 10), at: limit.start_ms(), limit, due, key };
        let answer = |at, timer| Answer { timers: 1u32 << timer, range: range(1, 10), at };
        let mut timers = BillTimers { started: vec![started], ..BillTimers::default() };
        let due = |timers: &BillTimers, early: bool| timers.unanswered(|_| early).count();
        assert_eq!(due(&timers, false), 1);
        timers.answers = vec![answer(limit.end_ms(), 2), answer(limit.start_ms(), 3)];
        assert_eq!(due(&timers, false), 1);
        timers.answers.push(answer(last_instant(limit), 2));
        assert_eq!(due(&timers, false), 0);
        timers.answers = vec![answer(limit.start_ms() - 1, 2)];
        assert_eq!((due(&timers, false), due(&timers, true)), (1, 0));
    }

    #[test]
    fn what_tidying_forgets_is_never_missed() {
        use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
        // (is a start, timer, first part, parts, steps of time): timer 0 takes early answers.
        let steps = vec((any::<bool>(), 0u8..3, 1u64..9, 0u64..5, 0i64..3), 1..60);
        let early = |timer: u8| timer == 0;
        TestRunner::deterministic()
            .run(&steps, |steps| {
                let (mut plain, mut tidied) = (BillTimers::default(), BillTimers::default());
                let mut at = 1_000_000;
                for (starts, timer, start, more, later) in steps {
                    at += later;
                    let range = if start == 8 { Range::WHOLE } else { range(start, start + more) };
                    let key = AlertKey::Party(PartyId::enterprise(1));
                    for timers in [&mut plain, &mut tidied] {
                        if starts {
                            let (limit, due) = (Day(0), at + 4 + i64::from(timer));
                            timers.started.push(Started { timer, range, at, limit, due, key: key.clone() });
                        } else {
                            timers.answers.push(Answer {
                                timers: 1 << timer | u32::from(start % 2 == 1) << 1,
                                range,
                                at,
                            });
                        }
                    }
                    tidied.tidy(at, early);
                    let open = |timers: &BillTimers| timers.unanswered(early).cloned().collect::<Vec<_>>();
                    prop_assert_eq!(open(&plain), open(&tidied));
                }
                Ok(())
            })
            .unwrap();
    }
}
