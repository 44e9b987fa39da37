//! How many facts of each behaviour were read, and how often a rule could not judge one for want of data, by business day.
//!
//! Linear, as everything that facts add: a fact that is taken out again takes its numbers along. It is the one thing of
//! liveness that is kept as facts come, for nothing else remembers facts that no window holds; it costs an addition a fact.

use smallvec::SmallVec;

use super::super::PatternIndex;
use crate::{
    bill::Effect,
    books,
    fact::{Behaviour, Fact},
    ids::Day,
};

/// Numbers of some days, ascending: (day, [(slot, number that is not 0)]). As kept in checkpoints and sent to the asker.
pub type TallyRows = Vec<(Day, Vec<(u16, i64)>)>;

/// Facts of a behaviour that count (applied or informational).
pub(super) fn counted(behaviour: Behaviour) -> u16 {
    behaviour.0 * 2
}

/// Facts of a behaviour that do not count: against the state machine, of bills that are not known ...
pub(super) fn uncounted(behaviour: Behaviour) -> u16 {
    behaviour.0 * 2 + 1
}

/// Facts that a rule on facts could not judge.
pub(super) fn skipped(pattern: PatternIndex) -> u16 {
    2 * books::KINDS as u16 + pattern.0
}

/// What a slot means, for rows that people read.
pub(super) fn slot_name(slot: u16, id: impl Fn(PatternIndex) -> String) -> String {
    let behaviours = books::KINDS;
    match usize::from(slot / 2) {
        behaviour if behaviour < behaviours && slot.is_multiple_of(2) => format!("read,{}", Behaviour(slot / 2).code()),
        behaviour if behaviour < behaviours => format!("read_without_effect,{}", Behaviour(slot / 2).code()),
        _ => format!("skipped,{}", id(PatternIndex(slot - 2 * behaviours as u16))),
    }
}

/// The numbers of one worker, or of all.
#[derive(Clone, Debug)]
pub struct Tally {
    slots: usize,
    /// Ascending by day.
    days: Vec<(Day, Box<[i64]>)>,
    /// The day of the last fact: that of the next is mostly the same.
    last: usize,
}

impl Tally {
    /// Without facts. `rules`: how many rules there are.
    pub fn new(rules: usize) -> Self {
        Tally { slots: 2 * books::KINDS + rules, days: Vec::new(), last: 0 }
    }

    /// One fact was read (+1) or taken out (−1).
    #[inline]
    pub fn read(&mut self, fact: &Fact, effect: Effect, weight: i32) {
        let slot = if effect.counts() { counted(fact.behaviour) } else { uncounted(fact.behaviour) };
        self.add(fact.biz_date, slot, i64::from(weight));
    }

    /// Rules that could not judge a fact, as [`super::super::Output::skipped`] lists them: a rule that asks for several
    /// parties of the fact is there once for each, and counts once.
    pub fn skip(&mut self, fact: &Fact, skipped_rules: &[(PatternIndex, i32)]) {
        let mut known: SmallVec<[(PatternIndex, i32); 8]> = SmallVec::new();
        for skip in skipped_rules {
            if !known.contains(skip) {
                known.push(*skip);
                self.add(fact.biz_date, skipped(skip.0), i64::from(skip.1));
            }
        }
    }

    #[inline]
    fn add(&mut self, day: Day, slot: u16, weight: i64) {
        if self.days.get(self.last).is_none_or(|(known, _)| *known != day) {
            self.turn_to(day);
        }
        if let Some(number) = self.days[self.last].1.get_mut(usize::from(slot)) {
            *number += weight;
        }
    }

    #[cold]
    fn turn_to(&mut self, day: Day) {
        self.last = match self.days.binary_search_by_key(&day, |(known, _)| *known) {
            Ok(place) => place,
            Err(place) => {
                self.days.insert(place, (day, vec![0; self.slots].into()));
                place
            }
        };
    }

    /// Adds rows that were kept or sent.
    pub fn add_rows(&mut self, rows: &TallyRows) {
        for (day, numbers) in rows {
            numbers.iter().for_each(|(slot, number)| self.add(*day, *slot, *number));
        }
    }

    /// The days up to one, without what is 0.
    pub fn rows(&self, to: Day) -> TallyRows {
        let known = self.days.iter().take_while(|(day, _)| *day <= to);
        let of_day = |(day, numbers): &(Day, Box<[i64]>)| {
            let numbers = numbers.iter().enumerate().filter(|(_, number)| **number != 0);
            let numbers: Vec<(u16, i64)> = numbers.map(|(slot, number)| (slot as u16, *number)).collect();
            (!numbers.is_empty()).then_some((*day, numbers))
        };
        known.filter_map(of_day).collect()
    }

    /// Sum of some slots on each day where it is not 0, ascending.
    pub(super) fn by_day(&self, slots: &[u16]) -> impl Iterator<Item = (Day, i64)> {
        let sum = |numbers: &[i64]| slots.iter().filter_map(|slot| numbers.get(usize::from(*slot))).sum::<i64>();
        self.days.iter().map(move |(day, numbers)| (*day, sum(numbers))).filter(|(_, sum)| *sum != 0)
    }

    /// Bytes held outside itself.
    pub fn heap_bytes(&self) -> usize {
        self.days.capacity() * size_of::<(Day, Box<[i64]>)>() + self.days.len() * self.slots * size_of::<i64>()
    }
}
