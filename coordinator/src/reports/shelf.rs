//! What is kept of reports, in memory and in the file: every version of every closed period.

use std::collections::BTreeMap;

use billwatch_market::{
    ids::Day,
    report::{Book, Period, Report, print::print},
};
use billwatch_proto::v1;
use serde::{Deserialize, Serialize};

use crate::ledger::AsOf;

/// One entry of the file.
#[derive(Serialize, Deserialize)]
pub enum Entry {
    /// Periods are closed from this day on: the first market clock that was seen.
    Begin(Day),
    /// A version of a closed period.
    Version(Kept),
}

/// A kept version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// When it holds.
    pub as_of: AsOf,
    /// The report.
    pub report: Report,
}

/// All versions.
#[derive(Default)]
pub struct Shelf {
    /// First day of which periods are closed.
    pub begin: Option<Day>,
    versions: BTreeMap<(String, Period), Vec<Kept>>,
}

impl Shelf {
    /// Takes an entry in.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Begin(day) => self.begin = Some(day),
            Entry::Version(kept) => {
                self.versions.entry((kept.report.id.clone(), kept.report.period)).or_default().push(kept);
            }
        }
    }

    /// The versions of a period, oldest first.
    pub fn versions(&self, report: &str, period: Period) -> &[Kept] {
        self.versions.get(&(report.to_owned(), period)).map_or(&[], Vec::as_slice)
    }

    /// The newest version of a period.
    pub fn newest(&self, report: &str, period: Period) -> Option<&Kept> {
        self.versions(report, period).last()
    }

    /// Closed periods of a report with their versions, oldest first.
    pub fn closed<'a>(&'a self, report: &'a str) -> impl Iterator<Item = (Period, &'a [Kept])> {
        let of = self.versions.iter().filter(move |((id, _), _)| id == report);
        of.map(|((_, period), kept)| (*period, kept.as_slice()))
    }
}

/// Cells that differ between two versions, in the order of the later one.
pub fn changed(book: &Book, before: &Report, after: &Report) -> Vec<v1::ChangedCell> {
    let Some(number) = book.number(&after.id) else { return Vec::new() };
    let mut changed = Vec::new();
    for (form, block) in book.reports[number].blocks.iter().zip(&after.blocks) {
        let old = before.blocks.iter().find(|old| old.id == block.id);
        let old_row = |id: &str| old.and_then(|old| old.rows.iter().find(|row| row.id == id));
        let mut note = |row: &str, at: usize, before: Option<&_>, after: Option<&_>| {
            let Some(column) = form.columns.get(at) else { return };
            let printed = |cell: Option<&_>| cell.map_or_else(String::new, |cell| print(cell, column.unit));
            changed.push(v1::ChangedCell {
                block: block.id.clone(),
                row: row.to_owned(),
                column: column.id.clone(),
                before: printed(before),
                after: printed(after),
            });
        };
        for row in &block.rows {
            let old = old_row(&row.id);
            for (at, cell) in row.cells.iter().enumerate() {
                let before = old.and_then(|old| old.cells.get(at));
                if before != Some(cell) {
                    note(&row.id, at, before, Some(cell));
                }
            }
        }
        let gone = old.into_iter().flat_map(|old| &old.rows);
        for row in gone.filter(|row| !block.rows.iter().any(|known| known.id == row.id)) {
            for (at, cell) in row.cells.iter().enumerate() {
                note(&row.id, at, Some(cell), None);
            }
        }
    }
    changed
}
