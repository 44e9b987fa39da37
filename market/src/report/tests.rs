//! All definitions, on markets.

use std::sync::Arc;

use super::*;

fn book() -> Book {
    let meanings = Arc::new(Meanings::new(Catalogue::embedded()).unwrap());
    Book::read(&meanings).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_report_of_the_catalogue_has_a_definition() {
    let book = book();
    let listed: Vec<&str> =
        Catalogue::embedded().reports.iter().map(|row| &*row.id).map(|id| &*id.to_owned().leak()).collect();
    let defined: Vec<&str> = book.reports.iter().map(|report| &*report.id).collect();
    assert_eq!(defined, listed);
}
