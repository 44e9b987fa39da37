//! The small simulated market on which pages show what themes, dimensions, indicators and reports say.
//!
//! It is made once, when the first page asks, so that examples cannot go stale.

use std::{collections::BTreeSet, sync::OnceLock};

use billwatch_bench::simulator::{Settings, Simulator};
use billwatch_market::{
    aggregate::{
        Answer, Grain, Question,
        alerts::{AlertSight, Moments},
    },
    evaluator::{Rules, Sets, Views, evaluate_by},
    fact::{Fact, Record},
    handling::Handlings,
    ids::Day,
    indicator::{self, IndicatorIndex, IndicatorValue, Indicators, Part, explain},
    pattern::{
        Key, PlainWindows,
        plain::{self, Evaluation, Setting},
    },
    report::{self, Book, Period, Report, exact::Exact, plain::spread_periods},
};

use super::library::Library;

/// Facts of the market.
pub const FACTS: u64 = 10_000;
/// The theme of alerts.
const ALERTS: &str = "T31";
/// Periods of each report that are made; the fullest is shown: some reports live from trade, others from what falls due later.
const PERIODS_TRIED: usize = 4;

/// The market and what the plain evaluators make of it.
pub struct Market {
    /// Its facts.
    pub facts: Vec<Fact>,
    rules: Rules,
    views: Views,
    evaluation: Evaluation,
    indicators: Indicators,
    from: Day,
    to: Day,
    reports: OnceLock<Vec<Report>>,
}

/// The facts of a simulated market.
pub fn facts_of(settings: Settings) -> Vec<Fact> {
    let fact = |record| if let Record::Fact(fact) = record { Some(fact) } else { None };
    Simulator::new(settings).filter_map(fact).collect()
}

/// The market. `None` when no rules can be made from the catalogue; the first library that asks decides.
pub fn of(library: &Library) -> Option<&'static Market> {
    static MARKET: OnceLock<Option<Market>> = OnceLock::new();
    let make = || {
        let settings = Settings::new(FACTS, 1);
        let (from, to) = (settings.start, settings.start.plus(365));
        let facts = facts_of(settings);
        let rules = Rules::new(&library.catalogue).ok()?;
        let views = evaluate_by(&facts, to.end_ms(), &rules, Sets::All);
        let setting = Setting { meanings: &rules.meanings, laws: &rules.laws, patterns: &library.patterns };
        let evaluation = plain::evaluate(&facts, setting, to.end_ms(), &PlainWindows::default());
        let indicators = Indicators::of(&library.catalogue, &library.patterns).ok()?;
        Some(Market { facts, rules, views, evaluation, indicators, from, to, reports: OnceLock::new() })
    };
    MARKET.get_or_init(make).as_ref()
}

impl Market {
    /// What a theme says by one dimension, all its measures over the whole market.
    pub fn ask(&self, library: &Library, theme: &str, dimension: &str) -> Vec<Answer> {
        let question = Question {
            theme: theme.to_owned(),
            dimension: dimension.to_owned(),
            items: Vec::new(),
            from: self.from,
            to: self.to,
            grain: Grain::Whole,
            measures: Vec::new(),
        };
        // Alerts are no facts: their theme has cells of its own.
        let answers = if theme == ALERTS {
            let (alerts, handled) = (&self.evaluation.alerts, Handlings::default());
            self.views.ask_alerts(&question, alerts, &library.patterns, &handled, &|_| Moments::new())
        } else {
            self.views.ask(&question)
        };
        answers.unwrap_or_default()
    }

    /// The compiled indicators.
    pub fn indicators(&self) -> &Indicators {
        &self.indicators
    }

    fn setting<'a>(&'a self, library: &'a Library) -> Setting<'a> {
        Setting { meanings: &self.rules.meanings, laws: &self.rules.laws, patterns: &library.patterns }
    }

    /// Values of one indicator on all days, with what they are made of.
    pub fn values(&self, library: &Library, indicator: IndicatorIndex) -> (Part, Vec<IndicatorValue>) {
        let clock = self.to.end_ms();
        let part = indicator::plain::part(&self.indicators, indicator, &self.evaluation, self.setting(library), clock);
        let values = self.indicators.values(&part, (Day(i32::MIN), Day(i32::MAX)), self.rules.meanings.calendar());
        (part, values)
    }

    /// The keys of a group on a day.
    pub fn members(&self, part: &Part, group: &str, day: Day) -> Vec<IndicatorValue> {
        self.indicators.members(part, group, day, self.rules.meanings.calendar())
    }

    /// The facts and lots behind the value of a key.
    pub fn explain(&self, library: &Library, indicator: IndicatorIndex, place: (Key, Day)) -> explain::Answer {
        let evaluated = (&self.evaluation, self.setting(library));
        indicator::plain::explain(&self.indicators, indicator, evaluated, &self.facts, place)
    }

    /// The fullest of some periods of a report.
    pub fn report(&self, library: &Library, book: &Book, id: &str) -> Option<&Report> {
        let reports = self.reports.get_or_init(|| self.make_reports(library, book));
        let filled = |report: &Report| {
            let cells = report.blocks.iter().flat_map(|block| &block.rows).flat_map(|row| &row.cells);
            cells.filter(|cell| !matches!(cell, Exact::Null | Exact::Number(0))).count()
        };
        reports.iter().filter(|report| report.id == id).max_by_key(|report| filled(report))
    }

    /// All reports at once: they are counted in one fold of the facts.
    fn make_reports(&self, library: &Library, book: &Book) -> Vec<Report> {
        let dates: BTreeSet<Day> =
            self.facts.iter().map(|fact| fact.biz_date).filter(|day| *day >= self.from).collect();
        let (wanted, _): (Vec<(usize, Period)>, usize) = spread_periods(book, &dates, PERIODS_TRIED);
        let handled = Handlings::default();
        let sight = AlertSight {
            patterns: &library.patterns,
            reference: &self.views.reference,
            bill: &|bill| self.views.bills.get(&bill)?.header.clone(),
            handled: &handled,
            moments: &|_| Moments::new(),
        };
        let amounts = report::alerts::amounts_wanted(book, &report::questions(book, &wanted));
        let alerts = report::alerts::holding(&self.evaluation.alerts, &sight, &self.rules.meanings, &amounts);
        let clock = Some(self.to.end_ms());
        let market = report::plain::Market { records: &self.facts, alerts: &alerts, clock, rules: &self.rules };
        report::plain::made(market, book, &wanted, Some((&self.evaluation, &library.patterns)))
    }
}
