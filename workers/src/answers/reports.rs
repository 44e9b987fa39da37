//! Figures of reports: what this worker's lives add to them, worked out from its history.
//!
//! All figures of all reports of a question in one pass. Reference data are the same on every worker, so the first one alone
//! counts what stands in them. Indicators are read from the windows, on the days that the reports need.

use std::ops::ControlFlow;

use billwatch_market::report::{Period, Tally, indicators::parts, last_day, questions};
use billwatch_proto::v1;

use super::{budget::Budget, indicators::with_evaluator, invalid};
use crate::shard::Shard;

/// The tables of this worker, encoded.
pub fn tables(shard: &Shard, request: &v1::ReportsQuestion) -> anyhow::Result<Vec<u8>> {
    let rules = shard.rules();
    let book = &rules.reports;
    let mut wanted = Vec::with_capacity(request.reports.len());
    for v1::ReportOfPeriod { report, period } in &request.reports {
        let number = book.number(report).ok_or_else(|| invalid(format!("no report `{report}`")))?;
        let frequency = book.reports[number].frequency;
        let period =
            Period::parse(frequency, period).ok_or_else(|| invalid(format!("`{period}` is no period of {report}")))?;
        wanted.push((number, period));
    }
    let asked = questions(book, &wanted);
    let lives = shard.lives.borrow();
    let mut tally = Tally::new(&asked, |asked| book.figure(asked), &rules.laws, &rules.meanings, lives.reference());
    let budget = Budget::new(shard.common.question_facts_max);
    lives.each_family(|home, records| {
        budget.take(records.len())?;
        tally.family(home, records);
        ControlFlow::Continue(())
    })?;
    budget.check("a report", "give the history more workers")?;
    if shard.seat.index() == 0 {
        tally.reference();
    }
    let mut of_indicators = Vec::new();
    if let Some(clock) = lives.clock() {
        of_indicators = with_evaluator(shard, |evaluator| parts(evaluator, book, &asked, clock));
    }
    Ok(tally.finish(last_day(&asked), of_indicators).encode())
}
