//! Every view of a list of facts, by the plain evaluators: what `verify` and every test compare the live views with.
//!
//! Owns nothing of the rules; it only puts the views of bills and cells and those of features, alerts and indicators side by side, under
//! the names and in the canonical rows that the workers use.

use std::{collections::BTreeMap, sync::Arc};

use super::{Rules, RulesError, Sets, Views, evaluate_by};
use crate::{
    aggregate::{
        alerts::{AlertSight, Moments},
        cross::CrossDefinition,
    },
    catalogue::Catalogue,
    fact::Fact,
    handling::Handlings,
    indicator::{self, Indicators},
    pattern::{
        FeatureIndex, Parameters, Patterns, PlainWindows, Windows as _,
        liveness::{self, Liveness},
        plain,
    },
    report::{self, Book, Period, Report, alerts::SeenAlert},
    view::{self, ViewHash},
};

const BILLS: &str = "bills";
const EFFECTS: &str = "effects";
const CELLS: &str = "cells";
const FEATURES: &str = "features";
const ALERTS: &str = "alerts";
const INDICATORS: &str = "indicators";
const CROSSES: &str = "crosses";
const RULES: &str = "rules";

/// A hash and the number of rows behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Wrapping sum of the hashes of all rows.
    pub hash: u128,
    /// Number of rows.
    pub rows: u64,
}

/// All views of a list of facts.
pub struct EveryView {
    rules_of_facts: Rules,
    clock: Option<i64>,
    views: Views,
    patterns: Patterns,
    evaluation: plain::Evaluation,
    indicators: Vec<String>,
    rules: liveness::Part,
}

impl EveryView {
    /// Evaluates accepted facts at a market clock (ms); before the first watermark the clock stands at the beginning of time.
    pub fn evaluate(facts: &[Fact], clock: Option<i64>, catalogue: &Arc<Catalogue>) -> Result<Self, RulesError> {
        EveryView::evaluate_with(facts, clock, catalogue, &[])
    }

    /// The same with crosses that are kept beside the catalogue's.
    pub fn evaluate_with(
        facts: &[Fact],
        clock: Option<i64>,
        catalogue: &Arc<Catalogue>,
        crosses: &[CrossDefinition],
    ) -> Result<Self, RulesError> {
        EveryView::evaluate_under(facts, clock, catalogue, crosses, &Parameters::default())
    }

    /// The same under changed parameters of patterns.
    pub fn evaluate_under(
        facts: &[Fact],
        clock: Option<i64>,
        catalogue: &Arc<Catalogue>,
        crosses: &[CrossDefinition],
        parameters: &Parameters,
    ) -> Result<Self, RulesError> {
        let rules = Rules::new(catalogue)?.with_crosses(crosses)?;
        let watermark = clock;
        let clock = clock.unwrap_or(i64::MIN);
        let views = evaluate_by(facts, clock, &rules, Sets::None);
        let patterns = Patterns::of(catalogue, parameters)?;
        let setting = plain::Setting { meanings: &rules.meanings, laws: &rules.laws, patterns: &patterns };
        let evaluation = plain::evaluate(facts, setting, clock, &PlainWindows::default());
        let indicators = Indicators::of(catalogue, &patterns)?;
        let indicators = indicator::plain::rows(&indicators, &evaluation, setting, clock);
        let liveness = Liveness::new(catalogue, &patterns);
        let mut part = liveness::Part::default();
        if let Some(clock) = watermark {
            let calendar = rules.meanings.calendar();
            let span = Liveness::span(clock, liveness::SPAN_DAYS, calendar);
            part = liveness::plain::part(&liveness, &evaluation, setting, span, clock);
        }
        Ok(EveryView { rules_of_facts: rules, clock: watermark, views, patterns, evaluation, indicators, rules: part })
    }

    /// Hash and number of rows of every view.
    pub fn marks(&self) -> BTreeMap<String, Mark> {
        let mark = |hash: ViewHash, rows: usize| Mark { hash: hash.0, rows: rows as u64 };
        let lots = self.views.bills.values().map(|bill| bill.lots.len()).sum();
        let of_rows = |name: &str| {
            let rows = self.rows(name);
            let hash = rows.iter().fold(ViewHash::default(), |sum, row| sum + ViewHash::of_row(row.as_bytes()));
            mark(hash, rows.len())
        };
        let (mut rules, mut units) = (ViewHash::default(), 0);
        liveness::plain::rows(&self.rules, &self.patterns, |row, often| {
            rules += liveness::plain::hash_of(&row, often);
            units += often;
        });
        let marks = [
            (BILLS, mark(self.views.bills_hash(), lots)),
            (EFFECTS, mark(self.views.effects_hash(), self.views.fates.len())),
            (CELLS, mark(self.views.cells_hash(), self.views.cells().count())),
            (FEATURES, of_rows(FEATURES)),
            (ALERTS, of_rows(ALERTS)),
            (INDICATORS, of_rows(INDICATORS)),
            (CROSSES, mark(self.views.crosses_hash(), self.views.cross_cells().count())),
            (RULES, mark(rules, usize::try_from(units).unwrap_or_default())),
        ];
        marks.into_iter().map(|(name, mark)| (name.to_owned(), mark)).collect()
    }

    /// Names of all views.
    pub const NAMES: [&str; 8] = [BILLS, EFFECTS, CELLS, FEATURES, ALERTS, INDICATORS, CROSSES, RULES];

    /// Rows of a view as canonical text; none when there is no such view.
    pub fn rows(&self, view: &str) -> Vec<String> {
        match view {
            BILLS => self.views.bill_rows(),
            EFFECTS => self.views.effect_rows(),
            CELLS => self.views.cell_rows(),
            CROSSES => self.views.cross_rows(),
            FEATURES => self.feature_rows(),
            ALERTS => {
                let alerts = self.evaluation.alerts.iter();
                alerts
                    .map(|(pattern, key, date, hits)| view::alert_row(self.patterns.id(pattern), key, date, hits))
                    .collect()
            }
            INDICATORS => self.indicators.clone(),
            RULES => {
                let mut rows = Vec::new();
                liveness::plain::rows(&self.rules, &self.patterns, |row, often| {
                    rows.extend((0..often).map(|_| row.clone()));
                });
                rows
            }
            _ => Vec::new(),
        }
    }

    /// Reports of the facts that were evaluated, which are given once more. Alerts of R22: those that hold here, and these
    /// withdrawn ones, of which facts alone say nothing; what was done with them says `handled`.
    pub fn reports(
        &self,
        facts: &[Fact],
        book: &Book,
        wanted: &[(usize, Period)],
        withdrawn: Vec<SeenAlert>,
        handled: &Handlings,
    ) -> Vec<Report> {
        let rules = &self.rules_of_facts;
        let sight = AlertSight {
            patterns: &self.patterns,
            reference: &self.views.reference,
            bill: &|bill| self.views.bills.get(&bill)?.header.clone(),
            handled,
            moments: &|_| Moments::new(),
        };
        let asked = report::questions(book, wanted);
        let amounts = report::alerts::amounts_wanted(book, &asked);
        let mut alerts = report::alerts::holding(&self.evaluation.alerts, &sight, &rules.meanings, &amounts);
        alerts.extend(withdrawn);
        let market = report::plain::Market { records: facts, alerts: &alerts, clock: self.clock, rules };
        report::plain::made(market, book, wanted, Some((&self.evaluation, &self.patterns)))
    }

    /// The compiled rules of the catalogue: of bills, cells, names.
    pub fn market_rules(&self) -> &Rules {
        &self.rules_of_facts
    }

    /// The rules that were evaluated.
    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    fn feature_rows(&self) -> Vec<String> {
        let windows = &self.evaluation.windows;
        let mut rows = Vec::new();
        for feature in 0..self.patterns.feature_count() {
            let feature = FeatureIndex(feature as u16);
            windows.keys(feature, &mut |key| {
                windows.cells(feature, key, i64::MIN, i64::MAX, &mut |bucket, member, cell| {
                    rows.push(view::feature_row(feature, key, bucket, member, cell));
                });
            });
        }
        rows
    }
}
