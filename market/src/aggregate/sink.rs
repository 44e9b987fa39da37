//! What one fact adds to cells: the changes that flow and stock emit, in reused columns.
//!
//! A fact adds the same sums and members to many cells, so they are written once, as a *part*, and each cell change points
//! to its part. Sums are already multiplied by the weight of the emission. Two readings, kept apart: [`CellSink::sums`] for
//! the owner of a cell, [`CellSink::members`] for whoever keeps or works out sets.

use serde::{Deserialize, Serialize};

use super::measure::SetKind;
use crate::{ids::Day, items::Item};

/// A cell: one item of one (theme, dimension) on one business date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CellKey {
    /// Number of the (theme, dimension, flow or stock): [`super::Aggregates::pair`].
    pub pair: u16,
    /// Flow: business date. Stock: the date from which the change holds.
    pub date: Day,
    /// The item; time dimensions have [`Item::ALL`].
    pub item: Item,
}

/// A change of one cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CellDelta {
    /// Which cell.
    pub key: CellKey,
    /// What is added: [`CellSink::part`].
    pub part: u32,
}

/// A change of one set of one cell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SetDelta {
    /// Which cell.
    pub key: CellKey,
    /// Which of its sets.
    pub set: SetKind,
    /// Who or what.
    pub member: u64,
    /// Added to the weight of the member; it is in the set while its weight is not zero.
    pub weight: i64,
}

/// One member of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Which set.
    pub set: SetKind,
    /// Who or what.
    pub member: u64,
    /// Weight.
    pub weight: i64,
}

#[derive(Clone, Copy)]
struct Part {
    sums: (u32, u16),
    members: (u32, u16),
}

/// Collects changes; clear and use it again.
#[derive(Default)]
pub struct CellSink {
    cells: Vec<CellDelta>,
    parts: Vec<Part>,
    sums: Vec<i128>,
    members: Vec<Member>,
    keep_members: bool,
}

impl CellSink {
    /// An empty sink. Without members an emission is several times cheaper: for who keeps sums alone.
    pub fn new(keep_members: bool) -> Self {
        CellSink { keep_members, ..CellSink::default() }
    }

    /// True when members are written too.
    pub fn keeps_members(&self) -> bool {
        self.keep_members
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.parts.clear();
        self.sums.clear();
        self.members.clear();
    }

    /// All changes of cells.
    pub fn cells(&self) -> &[CellDelta] {
        &self.cells
    }

    /// The sums of a part, in the order of the slots of the pair's theme.
    pub fn part(&self, part: u32) -> &[i128] {
        let (start, length) = self.parts[part as usize].sums;
        &self.sums[start as usize..start as usize + usize::from(length)]
    }

    /// The members of a part.
    pub fn part_members(&self, part: u32) -> &[Member] {
        let (start, length) = self.parts[part as usize].members;
        &self.members[start as usize..start as usize + usize::from(length)]
    }

    /// Every change of sums: cell, and what is added to its slots.
    pub fn sums(&self) -> impl Iterator<Item = (CellKey, &[i128])> {
        self.cells.iter().map(|cell| (cell.key, self.part(cell.part)))
    }

    /// Every change of sets.
    pub fn members(&self) -> impl Iterator<Item = SetDelta> + '_ {
        self.cells.iter().flat_map(|cell| {
            let key = cell.key;
            let members = self.part_members(cell.part).iter();
            members.map(move |member| SetDelta { key, set: member.set, member: member.member, weight: member.weight })
        })
    }

    pub(super) fn begin_part(&mut self) -> PartBuilder<'_> {
        let (sums, members) = (self.sums.len() as u32, self.members.len() as u32);
        PartBuilder { sink: self, sums, members }
    }

    pub(super) fn push(&mut self, pair: u16, date: Day, item: Item, part: u32) {
        self.cells.push(CellDelta { key: CellKey { pair, date, item }, part });
    }
}

/// Writes one part.
pub(super) struct PartBuilder<'a> {
    sink: &'a mut CellSink,
    sums: u32,
    members: u32,
}

impl PartBuilder<'_> {
    pub fn keeps_members(&self) -> bool {
        self.sink.keep_members
    }

    pub fn sum(&mut self, value: i128) {
        self.sink.sums.push(value);
    }

    pub fn member(&mut self, set: SetKind, member: u64, weight: i64) {
        self.sink.members.push(Member { set, member, weight });
    }

    /// Closes the part; its number.
    pub fn end(self) -> u32 {
        let length = |start: u32, end: usize| (start, (end - start as usize) as u16);
        let part = Part {
            sums: length(self.sums, self.sink.sums.len()),
            members: length(self.members, self.sink.members.len()),
        };
        self.sink.parts.push(part);
        self.sink.parts.len() as u32 - 1
    }
}
