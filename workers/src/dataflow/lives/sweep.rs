//! A walk over all lives, some at a time, between epochs: for what must read the whole history while facts go on.
//!
//! The store holds the facts of a life side by side, in order of key, so most lives are met by reading it from end to end: a
//! look-up of each costs twenty times as much. What the walk through the store does not meet is read by number afterwards:
//! lives whose facts all lay in memory when their place was passed, and facts without a bill that corrections have joined.
//!
//! Invariant: each life that was there at the beginning is handed over once, with all its records at that moment. What
//! began later is none of the walk's.

use super::{Dense, Lives, SINGLE, single_place};
use billwatch_market::fact::Fact;

use crate::store::{
    StoreError,
    history::{Past, Place, Spare},
    subject::Subject,
};

/// How far a walk has come.
pub struct Sweep {
    bills: Passed,
    singles: Passed,
    /// In the store; `None`: it was read.
    stored: Option<Place>,
    spare: Spare,
}

/// A mark for each life of a kind, by number.
struct Passed {
    marks: Vec<u64>,
    lives: usize,
    count: usize,
    /// All before are passed.
    next: usize,
}

impl Passed {
    fn new(lives: usize) -> Self {
        Passed { marks: vec![0; lives.div_ceil(64)], lives, count: 0, next: 0 }
    }

    fn has(&self, place: usize) -> bool {
        place >= self.lives || self.marks[place / 64] >> (place % 64) & 1 != 0
    }

    fn mark(&mut self, place: usize) {
        self.count += usize::from(!self.has(place));
        self.marks[place / 64] |= 1 << (place % 64);
    }

    /// The first one that is not passed; marks it.
    fn take(&mut self) -> Option<usize> {
        while self.next < self.lives && self.has(self.next) {
            self.next += 1;
        }
        let place = (self.next < self.lives).then_some(self.next)?;
        self.mark(place);
        Some(place)
    }
}

impl Sweep {
    fn of(&mut self, dense: Dense) -> (&mut Passed, usize) {
        if dense & SINGLE == 0 { (&mut self.bills, dense as usize) } else { (&mut self.singles, single_place(dense)) }
    }

    /// True when a life was handed over, or began later.
    pub fn has_passed(&self, dense: Dense) -> bool {
        if dense & SINGLE == 0 { self.bills.has(dense as usize) } else { self.singles.has(single_place(dense)) }
    }

    /// True when all lives were handed over.
    pub fn is_over(&self) -> bool {
        self.passed() == self.lives()
    }

    /// Lives that were handed over.
    pub fn passed(&self) -> usize {
        self.bills.count + self.singles.count
    }

    /// Lives that are handed over in all.
    pub fn lives(&self) -> usize {
        self.bills.lives + self.singles.lives
    }

    /// Takes back the memory of what was handed over, for what comes next.
    pub fn take_back(&mut self, past: Vec<Past>, facts: impl IntoIterator<Item = Fact>) {
        self.spare.take_back(past, facts);
    }

    /// True when both would hand the same over from here on: neither has begun.
    pub fn is_like(&self, other: &Sweep) -> bool {
        let beginning = |sweep: &Sweep| (sweep.bills.lives, sweep.singles.lives, sweep.passed());
        beginning(self) == beginning(other) && self.passed() == 0
    }
}

impl Lives {
    /// Begins a walk over the lives that there are.
    pub fn sweep(&self) -> Sweep {
        Sweep {
            bills: Passed::new(self.bills.len()),
            singles: Passed::new(self.singles.numbers().len()),
            stored: Some(Place::default()),
            spare: Spare::default(),
        }
    }

    /// The next lives, at most so many, each with all its records in order of arrival. What went on in another life comes
    /// with that one.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn sweep_on(&self, sweep: &mut Sweep, at_once: usize) -> Result<Vec<(Dense, Vec<Past>)>, StoreError> {
        let mut found: Vec<(Dense, Vec<Past>)> = Vec::with_capacity(at_once);
        if let Some(mut place) = sweep.stored.take() {
            let mut spare = std::mem::take(&mut sweep.spare);
            let is_end = self.history.walk(&self.groups, &mut place, &mut spare, |subject, past| {
                if let Some(dense) = self.life_of_its_own(subject).filter(|dense| !sweep.has_passed(*dense)) {
                    let (passed, at) = sweep.of(dense);
                    passed.mark(at);
                    found.push((dense, past));
                }
                found.len() < at_once
            })?;
            sweep.spare = spare;
            sweep.stored = (!is_end).then_some(place);
            self.history.add_gathered(&mut found)?;
            return Ok(found);
        }
        let mut lives = hashbrown::HashSet::with_capacity(at_once);
        while lives.len() < at_once {
            let bill = sweep.bills.take().map(|place| place as Dense);
            let Some(dense) = bill.or_else(|| sweep.singles.take().map(|place| place as Dense | SINGLE)) else { break };
            if dense & SINGLE == 0 || self.singles.now(dense) == dense {
                lives.insert(dense);
            }
        }
        self.pasts(&lives)
    }

    /// The life of a subject whose history is that of the subject and nothing else.
    fn life_of_its_own(&self, subject: Subject) -> Option<Dense> {
        match subject {
            Subject::Bill(bill) => self.find_bill(bill),
            Subject::Single { family, event } => {
                let dense = self.singles.find(family, event)?;
                let single = self.singles.get(dense);
                (single.root() == event && single.joined().is_empty()).then_some(dense)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_passed_once_and_what_came_later_counts_as_passed() {
        let mut passed = Passed::new(70);
        assert!(!passed.has(0) && !passed.has(69) && passed.has(70));
        passed.mark(0);
        passed.mark(69);
        passed.mark(69);
        assert_eq!(passed.count, 2);
        let rest: Vec<usize> = std::iter::from_fn(|| passed.take()).collect();
        assert_eq!(rest, (1..69).collect::<Vec<_>>());
        assert_eq!(passed.count, 70);
    }
}
