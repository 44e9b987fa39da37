//! What happens next: a time-ordered queue of things to do, sorted only within the current day.
//!
//! A bill under way has one or two entries here and nothing else is kept of the future, so that memory follows the
//! number of live bills. Days far ahead are plain lists; a day is heaped when it comes. Entries of one millisecond come
//! out in the order in which they went in.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use billwatch_market::ids::Day;

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry<T> {
    /// ms since 1970-01-01T00:00Z.
    pub at: i64,
    serial: u64,
    /// What to do.
    pub what: T,
}

/// The queue.
pub struct Agenda<T> {
    first: Day,
    today: BinaryHeap<Reverse<Entry<T>>>,
    ahead: VecDeque<Vec<Entry<T>>>,
    serial: u64,
    entries: usize,
}

impl<T: Ord + Copy> Agenda<T> {
    /// Empty; `first` is the first day.
    pub fn new(first: Day) -> Self {
        Agenda { first, today: BinaryHeap::new(), ahead: VecDeque::new(), serial: 0, entries: 0 }
    }

    /// The day whose entries come out now.
    pub fn day(&self) -> Day {
        self.first
    }

    /// Entries waiting.
    pub fn waiting(&self) -> usize {
        self.entries
    }

    /// Adds something to do at an instant of today or later.
    pub fn add(&mut self, at: i64, what: T) {
        let entry = Entry { at, serial: self.serial, what };
        self.serial += 1;
        self.entries += 1;
        let days = Day::of_time(at).0 - self.first.0;
        assert!(days >= 0, "nothing happens before {}", self.first);
        if days == 0 {
            self.today.push(Reverse(entry));
            return;
        }
        let place = days as usize - 1;
        while self.ahead.len() <= place {
            self.ahead.push_back(Vec::new());
        }
        self.ahead[place].push(entry);
    }

    /// The next entry of today.
    pub fn pop(&mut self) -> Option<Entry<T>> {
        let entry = self.today.pop()?.0;
        self.entries -= 1;
        Some(entry)
    }

    /// Goes on to the next day; what is left of today is kept and comes first.
    pub fn next_day(&mut self) {
        self.first = self.first.plus(1);
        if let Some(day) = self.ahead.pop_front() {
            self.today.extend(day.into_iter().map(Reverse));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_out_by_time_then_by_arrival() {
        let day = Day(20_000);
        let mut agenda = Agenda::new(day);
        agenda.add(day.plus(1).start_ms() + 5, 'd');
        agenda.add(day.start_ms() + 9, 'b');
        agenda.add(day.start_ms() + 9, 'a');
        agenda.add(day.plus(1).start_ms() + 3, 'c');
        assert_eq!(agenda.pop().map(|entry| entry.what), Some('b'));
        assert_eq!(agenda.pop().map(|entry| entry.what), Some('a'));
        assert_eq!(agenda.pop(), None);
        agenda.next_day();
        assert_eq!(agenda.pop().map(|entry| entry.what), Some('c'));
        assert_eq!(agenda.waiting(), 1);
        assert_eq!(agenda.pop().map(|entry| entry.what), Some('d'));
    }
}
