//! What is kept of reports, in memory and in the file: every version of every closed period.

use std::collections::BTreeMap;

use billwatch_market::{
    ids::Day,
    report::{Book, Period, Report, Status, print::print},
};
use billwatch_proto::v1;
use serde::{Deserialize, Serialize};

use crate::ledger::AsOf;

/// One entry of the file.
#[derive(Serialize, Deserialize)]
pub enum Entry {
    /// Periods are closed from this day on: the first market clock.
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

    /// True when a report says something else than the newest version of its period, and is not older: workers that replay the
    /// log answer as of epochs before it.
    pub fn is_news(&self, made: &Kept) -> bool {
        let newest = self.newest(&made.report.id, made.report.period);
        newest.is_none_or(|newest| newest.report != made.report && newest.as_of.epoch <= made.as_of.epoch)
    }

    /// Closed periods of a report with their versions, oldest first.
    pub fn closed<'a>(&'a self, report: &'a str) -> impl Iterator<Item = (Period, &'a [Kept])> {
        let of = self.versions.iter().filter(move |((id, _), _)| id == report);
        of.map(|((_, period), kept)| (*period, kept.as_slice()))
    }

    /// Number of closed periods whose newest version fails its checks, by report; those without any are left out.
    pub fn failed(&self) -> BTreeMap<&str, u64> {
        let mut failed = BTreeMap::new();
        for ((report, _), kept) in &self.versions {
            if kept.last().is_some_and(Kept::failed) {
                *failed.entry(report.as_str()).or_default() += 1;
            }
        }
        failed
    }
}

impl Kept {
    /// A check does not hold.
    pub fn failed(&self) -> bool {
        self.report.status == Status::CheckFailed
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use billwatch_market::{
        catalogue::Catalogue,
        evaluator::Rules,
        report::{Frequency, exact::Exact, plain},
    };

    use super::*;

    #[test]
    fn versions_stay_in_their_order_and_tell_what_changed() {
        let rules = Rules::new(&Catalogue::embedded()).unwrap();
        let book =
            Book::read(&Arc::new(billwatch_market::observe::Meanings::new(Catalogue::embedded()).unwrap())).unwrap();
        let period = Period::parse(Frequency::Daily, "2025-04-08").unwrap();
        let number = book.number("R01").unwrap();
        let empty = plain::Market { records: &[], alerts: &[], clock: Some(period.to.end_ms() * 2), rules: &rules };
        let first = plain::reports(empty, &book, &[(number, period)]).remove(0);
        let mut second = first.clone();
        second.blocks[0].rows[0].cells[3] = Exact::Number(123_456_789_012);
        let mut shelf = Shelf::default();
        let kept =
            |epoch, report: &Report| Kept { as_of: AsOf { epoch, market_clock_ms: Some(1) }, report: report.clone() };
        for (epoch, report) in [(5, &first), (9, &second)] {
            let kept = kept(epoch, report);
            assert!(shelf.is_news(&kept));
            // Through the form of the file.
            let bytes = postcard::to_stdvec(&Entry::Version(kept)).unwrap();
            shelf.apply(postcard::from_bytes(&bytes).unwrap());
        }
        shelf.apply(Entry::Begin(period.from));
        assert_eq!(shelf.begin, Some(period.from));
        let epochs: Vec<u64> = shelf.versions("R01", period).iter().map(|kept| kept.as_of.epoch).collect();
        assert_eq!(epochs, [5, 9]);
        assert_eq!(shelf.newest("R01", period).unwrap().report, second);
        assert_eq!(shelf.closed("R01").count(), 1);
        let is_news = [(8, &first), (9, &first), (10, &first), (10, &second)];
        assert_eq!(is_news.map(|(epoch, report)| shelf.is_news(&kept(epoch, report))), [false, true, true, false]);
        assert!(shelf.failed().is_empty());
        second.status = Status::CheckFailed;
        let keep = |shelf: &mut Shelf, period: Period, report: &Report| {
            let report = Report { period, ..report.clone() };
            shelf.apply(Entry::Version(Kept { as_of: AsOf { epoch: 10, market_clock_ms: Some(1) }, report }));
        };
        let next = Period::parse(Frequency::Daily, "2025-04-09").unwrap();
        keep(&mut shelf, period, &second);
        keep(&mut shelf, next, &first);
        assert_eq!(shelf.failed().into_iter().collect::<Vec<_>>(), [("R01", 1)], "an older period");
        keep(&mut shelf, period, &first);
        assert!(shelf.failed().is_empty(), "only the newest version counts");
        second.status = first.status;
        let cells = changed(&book, &first, &second);
        assert_eq!(cells.len(), 1);
        let cell = &cells[0];
        assert_eq!((&*cell.block, &*cell.row, &*cell.column), ("main", "1", "amount.TOTAL"));
        assert_eq!((&*cell.before, &*cell.after), ("0.00", "12.35"));
    }
}
