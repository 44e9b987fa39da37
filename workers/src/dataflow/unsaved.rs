//! What changed and is not saved yet: names of rows, in the order in which they first changed.
//!
//! Rows are saved in sweeps: a sweep takes the names that stand here at its beginning, some at a time; what changes meanwhile
//! waits for the next sweep. So a row that changes all the time is saved once a sweep and not once a change.

use std::hash::Hash;

use hashbrown::HashSet;

/// Names of rows. Whoever puts them in sees to it that each stands here once, by a mark at the row.
pub struct Sweep<T> {
    now: Vec<T>,
    next: Vec<T>,
}

impl<T> Default for Sweep<T> {
    fn default() -> Self {
        Sweep { now: Vec::new(), next: Vec::new() }
    }
}

impl<T> Sweep<T> {
    /// Adds a name, for the next sweep.
    #[inline]
    pub fn push(&mut self, name: T) {
        self.next.push(name);
    }

    /// Begins a sweep over all names; those of a sweep that did not end are among them.
    pub fn begin(&mut self) {
        if self.now.is_empty() {
            std::mem::swap(&mut self.now, &mut self.next);
        } else {
            self.now.append(&mut self.next);
        }
    }

    /// Takes a name of the sweep out; `None` at its end.
    pub fn pop(&mut self) -> Option<T> {
        self.now.pop()
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        (self.now.capacity() + self.next.capacity()) * size_of::<T>()
    }
}

/// One bit for each place of a list.
#[derive(Default)]
pub struct Marks {
    words: Vec<u64>,
}

impl Marks {
    /// Sets the mark of a place; true when it was not set.
    #[inline]
    pub fn set(&mut self, place: usize) -> bool {
        let (word, bit) = (place / 64, 1u64 << (place % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        is_new
    }

    /// Takes the mark of a place away.
    #[inline]
    pub fn clear(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / 64) {
            *word &= !(1u64 << (place % 64));
        }
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

/// Names of rows that have no place for a mark: few change.
pub struct UnsavedSet<T> {
    now: Vec<T>,
    next: HashSet<T>,
}

impl<T> Default for UnsavedSet<T> {
    fn default() -> Self {
        UnsavedSet { now: Vec::new(), next: HashSet::new() }
    }
}

impl<T: Eq + Hash> UnsavedSet<T> {
    /// Adds a name, for the next sweep.
    pub fn insert(&mut self, name: T) {
        self.next.insert(name);
    }

    /// Begins a sweep over all names.
    pub fn begin(&mut self) {
        self.now.extend(self.next.drain());
    }

    /// Takes a name of the sweep out; `None` at its end.
    pub fn pop(&mut self) -> Option<T> {
        self.now.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_what_stood_there_and_the_next_one_the_rest() {
        let (mut sweep, mut marks) = (Sweep::default(), Marks::default());
        let change = |sweep: &mut Sweep<usize>, marks: &mut Marks, place: usize| {
            if marks.set(place) {
                sweep.push(place);
            }
        };
        for place in [3, 700, 3, 700, 64] {
            change(&mut sweep, &mut marks, place);
        }
        assert_eq!(sweep.pop(), None, "no sweep has begun");
        sweep.begin();
        let first = sweep.pop().unwrap();
        marks.clear(first);
        for place in [3, 64, 700, 5] {
            change(&mut sweep, &mut marks, place);
        }
        let mut rest = Vec::new();
        while let Some(place) = sweep.pop() {
            rest.push(place);
            marks.clear(place);
        }
        sweep.begin();
        let mut later = Vec::new();
        while let Some(place) = sweep.pop() {
            later.push(place);
        }
        rest.push(first);
        rest.sort_unstable();
        assert_eq!((rest, later.len()), (vec![3, 64, 700], 2), "the first that was taken and 5 changed since");
        assert!(later.contains(&first) && later.contains(&5));
    }

    #[test]
    fn a_name_without_a_mark_stands_once_a_sweep() {
        let mut set = UnsavedSet::default();
        for name in ["a", "b", "a"] {
            set.insert(name);
        }
        set.begin();
        set.insert("a");
        let mut taken: Vec<_> = std::iter::from_fn(|| set.pop()).collect();
        taken.sort_unstable();
        assert_eq!(taken, ["a", "b"]);
        set.begin();
        assert_eq!((set.pop(), set.pop()), (Some("a"), None));
    }
}
