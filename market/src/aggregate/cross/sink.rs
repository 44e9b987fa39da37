//! What facts add to crosses: rows that point to parts of sums, as [`CellSink`] has for cells.

use serde::{Deserialize, Serialize};

use super::DIMENSIONS_MAX;
use crate::{
    aggregate::sink::{CellSink, Member},
    ids::Day,
    items::Item,
};

/// One item a dimension, in the order of the definition; [`Item::ALL`] behind the last, and for time, which follows from the
/// date.
pub type Tuple = [Item; DIMENSIONS_MAX];

/// A cell of a cross.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CrossKey {
    /// A change of stock, not a flow.
    pub stock: bool,
    /// Flow: business date. Stock: the date from which the change holds.
    pub date: Day,
    /// The items.
    pub items: Tuple,
}

/// A change of one cell of one cross.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CrossRow {
    /// Place of the cross in its set.
    pub cross: u16,
    /// Which cell.
    pub key: CrossKey,
    pub(super) part: u32,
}

/// Collects changes; clear and use it again.
#[derive(Default)]
pub struct CrossSink {
    pub(super) rows: Vec<CrossRow>,
    pub(super) parts: CellSink,
}

impl CrossSink {
    /// An empty sink. Members are for who works out distinct counts.
    pub fn new(keep_members: bool) -> Self {
        CrossSink { rows: Vec::new(), parts: CellSink::new(keep_members) }
    }

    /// True when members are written too.
    pub fn keeps_members(&self) -> bool {
        self.parts.keeps_members()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.parts.clear();
    }

    /// Every change: its row, what is added to the sums, and the members with their weight.
    pub fn rows(&self) -> impl Iterator<Item = (&CrossRow, &[i128], &[Member])> {
        self.rows.iter().map(|row| (row, self.parts.part(row.part), self.parts.part_members(row.part)))
    }

    pub(super) fn push(&mut self, cross: u16, key: CrossKey, part: u32) {
        self.rows.push(CrossRow { cross, key, part });
    }
}
