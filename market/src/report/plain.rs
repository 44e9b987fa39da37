//! Reports by the plain evaluator: all accepted records at once, in this process. What it says is right by definition.

use std::collections::BTreeSet;

use super::{
    alerts::{SeenAlert, add_alerts},
    definition::Book,
    evaluate::{evaluate, questions},
    figure::Basis,
    indicators::{add_indicators, parts},
    period::Period,
    result::Report,
    source::Figures,
    tally::Tally,
};
use crate::{
    evaluator::{Families, Rules, families},
    fact::Fact,
    ids::Day,
    indicator::{Evaluator, Indicators},
    pattern::{MarketRegistry, Parameters, Patterns, PlainWindows, plain as pattern_plain},
};

/// How long after the end of a period facts may still come in time (facts.md, reports.md 0.1): 30 minutes.
pub const LATENESS_BOUND_MS: i64 = 30 * 60 * 1_000;

/// True when the market clock has passed the end of a period and the lateness bound.
pub fn is_final(period: Period, market_clock_ms: Option<i64>) -> bool {
    market_clock_ms.is_some_and(|clock| clock >= period.to.end_ms() + LATENESS_BOUND_MS)
}

/// The market that reports are made of.
#[derive(Clone, Copy)]
pub struct Market<'a> {
    /// Accepted records.
    pub records: &'a [Fact],
    /// Alerts of R22, with what was done with them.
    pub alerts: &'a [SeenAlert],
    /// Market clock, ms.
    pub clock: Option<i64>,
    /// The rules of the catalogue.
    pub rules: &'a Rules,
}

/// Makes reports.
pub fn reports(market: Market<'_>, book: &Book, wanted: &[(usize, Period)]) -> Vec<Report> {
    let asked = questions(book, wanted);
    let reads_indicators = asked.iter().any(|asked| matches!(book.figure(asked).basis, Basis::Indicator(_)));
    let (true, Some(clock)) = (reads_indicators, market.clock) else {
        return made(market, book, wanted, None);
    };
    let rules = market.rules;
    // Parameters of patterns feed no indicator.
    let patterns = Patterns::of(rules.meanings.catalogue(), &Parameters::default());
    let patterns = patterns.expect("rules were compiled with the catalogue");
    let setting = pattern_plain::Setting { meanings: &rules.meanings, laws: &rules.laws, patterns: &patterns };
    let evaluation = pattern_plain::evaluate(market.records, setting, clock, &PlainWindows::default());
    made(market, book, wanted, Some((&evaluation, &patterns)))
}

/// Makes reports beside an evaluation of the patterns of the same records at the same clock, whose windows indicators read.
pub fn made(
    market: Market<'_>,
    book: &Book,
    wanted: &[(usize, Period)],
    evaluation: Option<(&pattern_plain::Evaluation, &Patterns)>,
) -> Vec<Report> {
    let Market { records, alerts, clock, rules } = market;
    let asked = questions(book, wanted);
    let Families { reference, families } = families(records, rules);
    let mut tally = Tally::new(&asked, |asked| book.figure(asked), &rules.laws, &rules.meanings, &reference);
    for (home, records) in families {
        tally.family(home, records);
    }
    tally.reference();
    let mut tables = if let (Some((evaluation, patterns)), Some(at)) = (evaluation, clock) {
        let catalogue = rules.meanings.catalogue();
        let indicators = Indicators::of(catalogue, patterns).expect("indicators were compiled with the catalogue");
        let registry = MarketRegistry { reference: &evaluation.reference, meanings: &rules.meanings };
        let windows = &evaluation.windows;
        let evaluator = Evaluator { indicators: &indicators, windows, everywhere: windows, registry: &registry };
        let mut tables = tally.finish(parts(&evaluator, book, &asked, at));
        add_indicators(book, &asked, &indicators, clock, &mut tables);
        tables
    } else {
        tally.finish(Vec::new())
    };
    tables.alerts = alerts.to_vec();
    add_alerts(book, &asked, &mut tables);
    let figures = Figures::new(book, &asked, tables);
    evaluate(book, wanted, &figures, |period| is_final(period, clock))
}

/// At most `most` periods of each report among those that hold one of these business dates, spread evenly from the newest back
/// to the oldest; and how many more there are.
pub fn spread_periods(book: &Book, dates: &BTreeSet<Day>, most: usize) -> (Vec<(usize, Period)>, usize) {
    let (mut chosen, mut others) = (Vec::new(), 0);
    for (number, report) in book.reports.iter().enumerate() {
        let touched: BTreeSet<Period> = dates.iter().map(|day| Period::containing(report.frequency, *day)).collect();
        let newest_first: Vec<Period> = touched.into_iter().rev().collect();
        let count = most.min(newest_first.len());
        let place = |nth: usize| nth * (newest_first.len() - 1) / (count - 1).max(1);
        chosen.extend((0..count).map(|nth| (number, newest_first[place(nth)])));
        others += newest_first.len() - count;
    }
    (chosen, others)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{catalogue::Catalogue, observe::Meanings};

    #[test]
    fn periods_are_spread_from_the_newest_to_the_oldest() {
        let book = Book::read(&Arc::new(Meanings::new(Catalogue::embedded()).unwrap())).unwrap();
        let days = ["2025-01-31", "2025-02-03", "2025-02-04", "2025-05-06", "2025-07-01", "2025-07-02"];
        let dates: BTreeSet<Day> = days.iter().filter_map(|day| Day::parse(day)).collect();
        let of = |id: &str, most| {
            let (chosen, _) = spread_periods(&book, &dates, most);
            let of_report = chosen.into_iter().filter(|(number, _)| book.reports[*number].id == id);
            of_report.map(|(_, period)| period.label()).collect::<Vec<_>>()
        };
        assert_eq!(of("R01", 3), ["2025-07-02", "2025-05-06", "2025-01-31"]);
        assert_eq!(of("R02", 3), ["2025-07", "2025-05", "2025-01"]);
        assert_eq!(of("R02", 1), ["2025-07"]);
        assert_eq!(of("R20", 9), ["2025-Q3", "2025-Q2", "2025-Q1"]);
        assert_eq!(of("R20", 0), Vec::<String>::new());
        // Of R01 6 days, of R19 4 weeks, of R20 3 quarters, of the others 4 months each.
        assert_eq!(spread_periods(&book, &dates, 3).1, 3 + 1 + 19);
    }
}
