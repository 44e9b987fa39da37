//! Supervisory indicators (indicators.csv): LQ1-3, MS1-3, DF1-2, as data over the features that patterns share.
//!
//! **What an indicator is.** indicators.csv says what it means and where its four levels begin; `indicator_rules.json` says how
//! it is worked out (form: `rule`). Everything is exact: integers and fractions of 128 bits; only standard deviations use the
//! statistics of the pattern judges.
//!
//! **Two steps.** [`day`]: for one key (an institution, an acceptor, a debtor ...) and one business day the *parts* of the
//! indicator are read from the windows of the key: amounts that add up over keys. That is done where the windows of the key
//! lie. [`finish`]: parts become a value with its level; the parts of the keys of a tier, a province or the whole market are
//! added up first ([`summary`]), so that a group is judged by the same formula. Bases of former days (means, medians) are
//! values of the same series on the business days before.
//!
//! **When.** Values are worked out when somebody asks, from features that are kept at every fact: facts come a hundred thousand
//! a second and indicators are read by a few. So each answer holds at the epoch of its question, nothing waits for the end of
//! a minute, and a correction changes every day that it touches. The value of a day is as of its end; that of the day in
//! which the market clock stands is as of now. Sums of groups are remembered by day until a fact reaches back to it
//! ([`summary::Memo`]).
//!
//! **Laws.** A pure function of windows, reference data and the market clock: so of the accepted facts. The plain evaluator
//! ([`plain`]) and the engine call the same functions on their own windows.
//!
//! Begin with [`Indicators`] and `catalogue/indicator_rules.json`.

mod compile;
pub mod day;
pub mod explain;
pub mod finish;
pub mod plain;
mod rule;
pub mod summary;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::rule::{Indicator, RollUp};
pub use self::{
    compile::IndicatorError,
    day::{Evaluator, KeyRow},
    finish::{Figure, IndicatorValue, Subject},
    summary::{Memo, Part, Summary},
};
use crate::{
    catalogue::{Catalogue, calendar::Calendar, descriptions::IndicatorRow},
    ids::Day,
    pattern::{FeatureIndex, Level, Parameters, Patterns},
};

/// File of the catalogue with the rules.
pub const RULES_FILE: &str = "indicator_rules.json";
/// The rules as embedded.
pub const RULES_JSON: &str = include_str!("../../catalogue/indicator_rules.json");

/// Place of an indicator in the loaded rules, in the order of indicators.csv.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct IndicatorIndex(pub u8);

/// The compiled indicators. Immutable; share it behind an `Arc`.
pub struct Indicators {
    list: Vec<Indicator>,
}

impl Indicators {
    /// The indicators of a catalogue over the features of its patterns. The error names the indicator and the entry.
    pub fn of(catalogue: &Catalogue, patterns: &Patterns) -> Result<Self, IndicatorError> {
        let text = catalogue.text(RULES_FILE).unwrap_or(RULES_JSON);
        compile::compile(&catalogue.indicators, text, patterns).map(|list| Indicators { list })
    }

    /// Whether rules can be used: for the catalogue, which checks all its files when it is read. The error says what is wrong.
    pub fn check(rows: &[IndicatorRow], text: &str, patterns_csv: &str, files: &[(&str, &str)]) -> Result<(), String> {
        let patterns = Patterns::compile(patterns_csv, files, &Parameters::default());
        let patterns = patterns.map_err(|error| error.to_string())?;
        compile::compile(rows, text, &patterns).map(drop).map_err(|error| error.to_string())
    }

    /// All, in order.
    pub fn all(&self) -> impl Iterator<Item = IndicatorIndex> + use<> {
        (0..self.list.len() as u8).map(IndicatorIndex)
    }

    /// The indicator of an id such as `LQ1`.
    pub fn find(&self, id: &str) -> Option<IndicatorIndex> {
        self.list.iter().position(|indicator| indicator.id == id).map(|place| IndicatorIndex(place as u8))
    }

    /// Its id.
    pub fn id(&self, indicator: IndicatorIndex) -> &str {
        &self.get(indicator).id
    }

    fn get(&self, indicator: IndicatorIndex) -> &Indicator {
        &self.list[usize::from(indicator.0)]
    }

    /// Names of its groups, such as `market`, `tier`, `province`.
    pub fn groups(&self, indicator: IndicatorIndex) -> impl Iterator<Item = &str> {
        self.get(indicator).groups.iter().map(|group| group.name.as_str())
    }

    /// True when keys have a value of their own; otherwise only groups of them have.
    pub fn has_key_values(&self, indicator: IndicatorIndex) -> bool {
        self.get(indicator).values_of_keys
    }

    /// The figures that stand beside a value, in order: what it was made of, and its companions.
    pub fn figures(&self, indicator: IndicatorIndex) -> &[Figure] {
        &self.get(indicator).figures
    }

    /// Where the four levels begin, lowest first, as indicators.csv writes them.
    pub fn thresholds(&self, indicator: IndicatorIndex) -> impl Iterator<Item = (Level, String)> + '_ {
        self.get(indicator).thresholds.iter().map(|(level, least)| (*level, least.to_string()))
    }

    /// Features that every worker must know whole, whoever owns their keys: windows of one key look members up in them.
    pub fn features_everywhere(&self) -> impl Iterator<Item = FeatureIndex> + '_ {
        let windows = self.list.iter().flat_map(|indicator| &indicator.windows);
        windows.filter_map(|window| window.without.as_ref()).filter(|it| it.everywhere).map(|it| it.feature)
    }

    /// Features that an indicator reads: when a bucket of one changes, values from its day on may change.
    pub fn features(&self, indicator: IndicatorIndex) -> impl Iterator<Item = FeatureIndex> + '_ {
        let indicator = self.get(indicator);
        let windows = indicator.windows.iter().flat_map(|window| {
            let others = window.without.as_ref().map(|it| it.feature).into_iter();
            others.chain(window.lasting.map(|(feature, _)| feature)).chain([window.feature])
        });
        windows.chain(indicator.keys.iter().copied())
    }

    /// The days asked for, at a market clock (ms). No last day: the newest that has values, which is the day in which the clock
    /// stands, or, where today's figures mean nothing before its end, the day before. No first day: the last one.
    pub fn span(&self, indicator: IndicatorIndex, from: Option<Day>, to: Option<Day>, clock: i64) -> (Day, Day) {
        let last = self.last_day(indicator, clock);
        let to = to.unwrap_or(last).min(last);
        (from.unwrap_or(to), to)
    }

    fn last_day(&self, indicator: IndicatorIndex, clock: i64) -> Day {
        let today = Day::of_time(clock);
        let is_over = clock >= today.end_ms() - 1;
        if self.get(indicator).ended && !is_over { today.plus(-1) } else { today }
    }

    /// The days of `from..=to` for which there are values at a market clock (ms): business days, and the newest.
    pub fn days(&self, indicator: IndicatorIndex, (from, to): (Day, Day), clock: i64, calendar: &Calendar) -> Vec<Day> {
        let last = self.last_day(indicator, clock);
        let is_day = |day: &Day| calendar.is_business_day(*day) || *day == last;
        (from.0..=to.min(last).0).map(Day).filter(is_day).collect()
    }

    /// How many business days before a day the value of the day reads.
    pub fn base_days(&self, indicator: IndicatorIndex) -> u32 {
        self.get(indicator).series.iter().map(|series| series.days).max().unwrap_or(0)
    }

    /// A figure of a key is compared with its group: all keys are needed to know one.
    pub fn needs_peers(&self, indicator: IndicatorIndex) -> bool {
        self.get(indicator).parts.iter().any(|part| part.median_in.is_some())
    }

    /// The groups of an indicator take the largest value of their keys: so all keys are needed to know them.
    pub fn needs_all_keys(&self, indicator: IndicatorIndex) -> bool {
        self.get(indicator).roll_up == RollUp::Largest
    }
}
