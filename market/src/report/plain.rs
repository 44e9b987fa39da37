//! Reports by the plain evaluator: all accepted records at once, in this process. What it says is right by definition.

use super::{
    alerts::{SeenAlert, add_alerts},
    definition::Book,
    evaluate::{Figures, Report, evaluate, last_day, questions},
    figure::Basis,
    indicators::{add_indicators, parts},
    period::Period,
    tally::Tally,
};
use crate::{
    evaluator::{Families, Rules, families},
    fact::Fact,
    indicator::{Evaluator, Indicators},
    pattern::{MarketRegistry, Parameters, Patterns, PlainWindows, plain as pattern_plain},
};

/// How long after the end of a period facts may still come in time (facts.md, reports.md 0.1): 30 minutes.
pub const LATENESS_BOUND_MS: i64 = 30 * 60 * 1_000;

/// True when the market clock has passed the end of a period and the lateness bound.
pub fn is_final(period: Period, market_clock_ms: Option<i64>) -> bool {
    market_clock_ms.is_some_and(|clock| clock >= period.to.end_ms() + LATENESS_BOUND_MS)
}

/// Makes reports from accepted records and alerts, at a market clock.
pub fn reports(
    records: &[Fact],
    alerts: &[SeenAlert],
    market_clock_ms: Option<i64>,
    rules: &Rules,
    book: &Book,
    wanted: &[(usize, Period)],
) -> Vec<Report> {
    let asked = questions(book, wanted);
    let Families { reference, families } = families(records, rules);
    let mut tally = Tally::new(&asked, |asked| book.figure(asked), &rules.laws, &rules.meanings, &reference);
    for (home, records) in families {
        tally.family(home, records);
    }
    tally.reference();
    let day = last_day(&asked);
    let reads_indicators = asked.iter().any(|asked| matches!(book.figure(asked).basis, Basis::Indicator(_)));
    let mut tables = if let (true, Some(clock)) = (reads_indicators, market_clock_ms) {
        let catalogue = rules.meanings.catalogue();
        // Parameters of patterns feed no indicator.
        let patterns = Patterns::of(catalogue, &Parameters::default()).expect("rules were compiled with the catalogue");
        let indicators = Indicators::of(catalogue, &patterns).expect("indicators were compiled with the catalogue");
        let setting = pattern_plain::Setting { meanings: &rules.meanings, laws: &rules.laws, patterns: &patterns };
        let evaluation = pattern_plain::evaluate(records, setting, clock, &PlainWindows::default());
        let registry = MarketRegistry { reference: &evaluation.reference, meanings: &rules.meanings };
        let windows = &evaluation.windows;
        let evaluator = Evaluator { indicators: &indicators, windows, everywhere: windows, registry: &registry };
        let mut tables = tally.finish(day, parts(&evaluator, book, &asked, clock));
        add_indicators(book, &asked, &indicators, market_clock_ms, &mut tables);
        tables
    } else {
        tally.finish(day, Vec::new())
    };
    add_alerts(book, &asked, alerts.iter(), &mut tables);
    let figures = Figures::new(book, &asked, tables);
    let report = |(report, period): &(usize, Period)| {
        evaluate(book, *report, *period, &figures, is_final(*period, market_clock_ms))
    };
    wanted.iter().map(report).collect()
}
