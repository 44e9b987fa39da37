//! The definitions of the build, and what is said of definitions that cannot be used.

use std::{fs, path::PathBuf};

use super::*;

mod by_hand;

#[test]
fn every_report_of_the_catalogue_has_a_definition() {
    let catalogue = Catalogue::embedded();
    let book =
        Book::read(&Arc::new(Meanings::new(catalogue.clone()).unwrap())).unwrap_or_else(|error| panic!("{error}"));
    let listed: Vec<&str> = catalogue.reports.iter().map(|row| &*row.id).collect();
    let defined: Vec<&str> = book.reports.iter().map(|report| &*report.id).collect();
    assert_eq!(defined, listed);
    assert!(book.reports.iter().all(|report| !report.checks.is_empty() && !report.blocks.is_empty()));
    // What is empty says why.
    let columns = book.reports.iter().flat_map(|report| &report.blocks).flat_map(|block| &block.columns);
    assert!(columns.filter(|column| column.value.is_none()).all(|column| !column.note.is_empty()));
}

#[test]
fn every_pattern_is_a_row_of_the_report_on_alerts() {
    let catalogue = Catalogue::embedded();
    let book = Book::read(&Arc::new(Meanings::new(catalogue.clone()).unwrap())).unwrap();
    let report = &book.reports[book.number("R22").unwrap()];
    let rows: Vec<&str> = report.blocks[0].rows.iter().filter(|row| !row.total).map(|row| &*row.id).collect();
    let missing: Vec<_> = catalogue.patterns.iter().filter(|row| !rows.contains(&&*row.id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(rows.len(), catalogue.patterns.len());
}

/// What loading says when a file is changed.
fn fault(file: &str, from: &str, to: &str) -> String {
    let text = Catalogue::embedded().text(file).unwrap().to_owned();
    assert!(text.contains(from), "{file} has no `{from}`");
    let name: String = from.bytes().chain(to.bytes()).map(|byte| format!("{byte:02x}")).collect();
    let dir: PathBuf =
        std::env::temp_dir().join(format!("billwatch-report-{}-{}", std::process::id(), &name[..40.min(name.len())]));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(file), text.replacen(from, to, 1)).unwrap();
    let error = Catalogue::load(&dir).unwrap_err().to_string();
    fs::remove_dir_all(&dir).unwrap();
    assert!(error.contains(file), "{error}");
    error
}

#[test]
fn a_fault_of_a_definition_is_named_with_file_and_entry() {
    for (file, from, to, entry, words) in [
        ("R01.json", "\"acc+end+dsc", "\"acc+ende+dsc", "blocks.main", "no figure or definition `ende`"),
        ("R01.json", "amount@prev\"", "amount@soon\"", "columns.previous", "no shift `@soon`"),
        ("R02.json", "acc.drawers", "acc.drawing", "columns.drawers", "no slot `drawing`"),
        ("R02.json", "acc_inst.inst_type", "acc_inst.inst_kind", "figures.", "no name `acc_inst.inst_kind`"),
        ("R02.json", "{R08:main/6/", "{R08:main/66/", "checks.C3", "has no row `66`"),
        ("R03.json", "\"event.channel\": \"DTH\"", "\"event.channel\": \"DTX\"", "figures.dth", "no item `DTX`"),
        ("R08.json", "\"use\": \"ABAL\"", "\"use\": \"ABALL\"", "figures.abal", "no measure `ABALL`"),
        ("R22.json", "\"note\": \"Face of", "\"notes\": \"Face of", "line", "unknown field `notes`"),
        (
            "R22.json",
            "\"alerts\": \"closed\"",
            "\"alerts\": \"gone\"",
            "figures.closed",
            "none of raised, acknowledged",
        ),
        ("R03.json", "\"event.channel\": \"DTH\"", "\"drawer.size_at_end\": \"L\"", "figures.dth", "use it as an axis"),
        ("R22.json", "\"alert.disposition\"", "\"alert.disposal\"", "figures.closed", "no name `alert.disposal`"),
        ("R22.json", "pn(closed.waits", "pn(open.waits", "columns.close", "of alerts that were acknowledged or closed"),
        ("R22.json", "\"alert.status\": \"FP\"", "\"alert.status\": \"OK\"", "figures.false", "no item `OK`"),
    ] {
        let error = fault(file, from, to);
        assert!(error.contains(entry) && error.contains(words), "{error}");
    }
}
