//! Values of one subject in the order in which they came into force.
//!
//! Invariant: entries are sorted by (from, order key), the order of facts.md 4.1, so a reading as of an instant never
//! depends on the order of arrival. Most subjects have one to three entries: a sorted vector beats any tree.

use crate::fact::OrderKey;

/// One value and from when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// In force from this instant on, ms.
    pub from: i64,
    /// Order among entries of the same instant; also the identity of the fact that said so.
    pub key: OrderKey,
    /// What was said.
    pub value: T,
}

/// The instants `from <= at < to` at which a reading is the same, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: i64,
    /// First instant after it.
    pub to: i64,
}

impl Span {
    /// For ever.
    pub const ALWAYS: Span = Span { from: i64::MIN, to: i64::MAX };

    /// Both at once.
    pub fn and(self, other: Span) -> Span {
        Span { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// True when the instant lies in it.
    pub fn holds(self, at: i64) -> bool {
        self.from <= at && at < self.to
    }

    /// The span between two neighbours of a sorted list of starts, where `place` starts are not later than the instant.
    pub(super) fn between<T>(list: &[T], place: usize, from: impl Fn(&T) -> i64) -> Span {
        Span {
            from: place.checked_sub(1).map_or(i64::MIN, |before| from(&list[before])),
            to: list.get(place).map_or(i64::MAX, from),
        }
    }
}

/// All values ever said about one subject.
#[derive(Clone, Debug)]
pub struct Timeline<T> {
    entries: Vec<Entry<T>>,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Timeline { entries: Vec::new() }
    }
}

impl<T> Timeline<T> {
    /// Puts a value in its place.
    pub fn insert(&mut self, from: i64, key: OrderKey, value: T) {
        let at = self.entries.partition_point(|entry| (entry.from, entry.key) < (from, key));
        self.entries.insert(at, Entry { from, key, value });
    }

    /// Takes the value of that fact out again; nothing happens when it is not there.
    pub fn remove(&mut self, from: i64, key: OrderKey) {
        if let Ok(at) = self.entries.binary_search_by(|entry| (entry.from, entry.key).cmp(&(from, key))) {
            self.entries.remove(at);
        }
    }

    /// The entries in force at an instant, oldest first.
    pub fn until(&self, at: i64) -> &[Entry<T>] {
        // Readings are mostly of the present: look at the end first.
        if self.entries.last().is_none_or(|last| last.from <= at) {
            return &self.entries;
        }
        &self.entries[..self.entries.partition_point(|entry| entry.from <= at)]
    }

    /// The latest value at an instant.
    pub fn at(&self, at: i64) -> Option<&T> {
        self.until(at).last().map(|entry| &entry.value)
    }

    /// The latest value at an instant, and when the reading is the same.
    pub fn read(&self, at: i64) -> (Option<&T>, Span) {
        let place = self.until(at).len();
        let value = place.checked_sub(1).map(|last| &self.entries[last].value);
        (value, Span::between(&self.entries, place, |entry| entry.from))
    }

    /// Every entry, oldest first.
    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    /// True when nothing was ever said, or all was taken back.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
