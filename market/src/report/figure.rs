//! Figures: what a report counts, by which axes, as data, and compiled.
//!
//! A figure says *what* is counted (facts of some behaviours, lots that enter or leave a state, lots in a state, overdue
//! lots, balance sheets, alerts that were raised or closed), *where* (items of names) and *by* which axes. Expressions then ask
//! for its *slots*: sums ([`Amount`]) and sets of members ([`Members`]). Only what some expression asks for is kept.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    names::{Filter, ReportName, filter},
    slot::{Amount, Members, Slot},
};
use crate::{
    aggregate::rules::names,
    catalogue::Catalogue,
    fact::{BEHAVIOUR_CODES, Behaviour},
    observe::Meanings,
};

/// A figure as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureText {
    /// Name of a measure of `report_base.json` (reports.md 0.2), for people.
    #[serde(default, rename = "en")]
    pub english: String,
    /// 名称.
    #[serde(default, rename = "zh")]
    pub chinese: String,
    /// A measure of `report_base.json` to begin with; what stands here besides replaces its parts, `where` is added.
    #[serde(default, rename = "use")]
    pub base: String,
    /// Facts of these behaviours (codes, `X.*`, `*.X`, between blanks) whose effect counts.
    #[serde(default)]
    pub facts: String,
    /// Lots that come into a state: names and items, as in `where`.
    #[serde(default)]
    pub enters: BTreeMap<String, String>,
    /// Lots that leave a state.
    #[serde(default)]
    pub leaves: BTreeMap<String, String>,
    /// With `enters` and `leaves`: the state on the other side.
    #[serde(default)]
    pub other: BTreeMap<String, String>,
    /// With `enters` and `leaves`: by facts of these behaviours alone.
    #[serde(default)]
    pub through: String,
    /// Lots in a state at the end of the span.
    #[serde(default)]
    pub stock: BTreeMap<String, String>,
    /// Lots that are overdue at the end of the span (OBAL), and in this state.
    #[serde(default)]
    pub overdue: Option<BTreeMap<String, String>>,
    /// Lots whose overdue event (DF1) falls into the span, and in this state.
    #[serde(default)]
    pub overdue_events: Option<BTreeMap<String, String>>,
    /// Lots that a cut made (SPL.OUT and SPL.REM).
    #[serde(default)]
    pub cuts: bool,
    /// Legal institutions with their latest balance sheet.
    #[serde(default)]
    pub balance_sheets: bool,
    /// Alerts by what happened to them in the span: `raised`, `acknowledged`, `closed`; `open`: at its end.
    #[serde(default)]
    pub alerts: String,
    /// Values of this indicator: of the last day of the span, of all its days where a slot counts days.
    #[serde(default)]
    pub indicator: String,
    /// The slot that its bare name means.
    #[serde(default)]
    pub sum: String,
    /// Axis -> name that gives its items.
    #[serde(default)]
    pub by: BTreeMap<String, String>,
    /// Name -> items between blanks; `not` before them: all but these.
    #[serde(default, rename = "where")]
    pub filters: BTreeMap<String, String>,
}

impl FigureText {
    /// Over a measure of the base.
    pub fn over(self, base: &FigureText) -> FigureText {
        fn either<T: Default + PartialEq + Clone>(own: T, base: &T) -> T {
            if own == T::default() { base.clone() } else { own }
        }
        let mut filters = base.filters.clone();
        filters.extend(self.filters);
        FigureText {
            english: either(self.english, &base.english),
            chinese: either(self.chinese, &base.chinese),
            base: String::new(),
            facts: either(self.facts, &base.facts),
            enters: either(self.enters, &base.enters),
            leaves: either(self.leaves, &base.leaves),
            other: either(self.other, &base.other),
            through: either(self.through, &base.through),
            stock: either(self.stock, &base.stock),
            overdue: either(self.overdue, &base.overdue),
            overdue_events: either(self.overdue_events, &base.overdue_events),
            cuts: self.cuts || base.cuts,
            balance_sheets: self.balance_sheets || base.balance_sheets,
            alerts: either(self.alerts, &base.alerts),
            indicator: either(self.indicator, &base.indicator),
            sum: either(self.sum, &base.sum),
            by: either(self.by, &base.by),
            filters,
        }
    }
}

/// What is counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Basis {
    /// Facts of these behaviours.
    Facts(Vec<Behaviour>),
    /// Lots that enter (true) or leave a state; state on the other side; behaviours (empty = all).
    Moves(bool, Vec<Filter>, Vec<Filter>, Vec<Behaviour>),
    /// Lots in a state.
    Stock(Vec<Filter>),
    /// Overdue lots.
    Overdue(Vec<Filter>),
    /// Lots by the date of their overdue event.
    OverdueEvents(Vec<Filter>),
    /// Lots that cuts made.
    Cuts,
    /// Balance sheets.
    BalanceSheets,
    /// Alerts of which this is true.
    Alerts(Stage),
    /// Values of an indicator, by its id.
    Indicator(Box<str>),
}

/// What happens to an alert, and puts it into a span of dates.
///
/// What people do has the business day of the market clock that they saw, and no earlier one than the alert: a fact may be
/// dated ahead, and no alert is closed before it is new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Its business date, whatever became of it.
    Raised,
    /// Somebody acted on it for the first time.
    Acknowledged,
    /// It was closed, and was not opened again since.
    Closed,
    /// It holds, and is not closed by the end of the span.
    Open,
}

impl Stage {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "raised" => Stage::Raised,
            "acknowledged" => Stage::Acknowledged,
            "closed" => Stage::Closed,
            "open" => Stage::Open,
            other => return Err(format!("alerts: `{other}` is none of raised, acknowledged, closed, open")),
        })
    }

    /// True when it takes an action of somebody, with a moment of the market clock.
    pub fn is_an_action(self) -> bool {
        matches!(self, Stage::Acknowledged | Stage::Closed)
    }
}

/// A figure, compiled.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name in the report.
    pub name: String,
    /// What is counted.
    pub basis: Basis,
    /// Axis and name, in the order of its keys.
    pub by: Vec<(String, ReportName)>,
    /// What must hold.
    pub filters: Vec<Filter>,
    /// Its main sum.
    main: Option<Amount>,
    /// Sums that are asked for.
    pub amounts: Vec<Amount>,
    /// Sets that are asked for.
    pub members: Vec<Members>,
    /// Lots of one fact may differ in its axes or filters.
    pub by_lot: bool,
    /// Figures of its indicator that slots may name.
    pub named: Vec<Box<str>>,
}

impl Figure {
    /// Compiles a figure.
    pub fn compile(name: &str, text: FigureText, catalogue: &Catalogue, meanings: &Meanings) -> Result<Figure, String> {
        let vocabulary = meanings.vocabulary();
        let filters = |texts: &BTreeMap<String, String>| -> Result<Vec<Filter>, String> {
            texts.iter().map(|(name, items)| filter(name, items, vocabulary)).collect()
        };
        let behaviours = |text: &str| -> Result<Vec<Behaviour>, String> {
            if text.is_empty() {
                return Ok(Vec::new());
            }
            for part in text.split(' ') {
                if !BEHAVIOUR_CODES.iter().any(|code| names(part, code)) {
                    return Err(format!("`{part}` names no behaviour of behaviours.csv"));
                }
            }
            let all = BEHAVIOUR_CODES.iter().filter(|code| names(text, code));
            Ok(all.filter_map(|code| catalogue.behaviour(code)).collect())
        };
        let mut found = Vec::new();
        if !text.facts.is_empty() {
            found.push(Basis::Facts(behaviours(&text.facts)?));
        }
        let (other, through) = (filters(&text.other)?, behaviours(&text.through)?);
        if !text.enters.is_empty() {
            found.push(Basis::Moves(true, filters(&text.enters)?, other.clone(), through.clone()));
        }
        if !text.leaves.is_empty() {
            found.push(Basis::Moves(false, filters(&text.leaves)?, other, through));
        }
        if !text.stock.is_empty() {
            found.push(Basis::Stock(filters(&text.stock)?));
        }
        if let Some(state) = &text.overdue {
            found.push(Basis::Overdue(filters(state)?));
        }
        if let Some(state) = &text.overdue_events {
            found.push(Basis::OverdueEvents(filters(state)?));
        }
        if text.cuts {
            found.push(Basis::Cuts);
        }
        if text.balance_sheets {
            found.push(Basis::BalanceSheets);
        }
        if !text.alerts.is_empty() {
            found.push(Basis::Alerts(Stage::parse(&text.alerts)?));
        }
        let mut named = Vec::new();
        if !text.indicator.is_empty() {
            named = indicator_figures(catalogue, &text.indicator)?;
            found.push(Basis::Indicator(text.indicator.as_str().into()));
        }
        let [basis] = <[Basis; 1]>::try_from(found).map_err(|found| {
            format!(
                "write exactly one of use, facts, enters, leaves, stock, overdue, balance_sheets, alerts, indicator; found {}",
                found.len()
            )
        })?;
        let mut by = Vec::new();
        for (axis, name) in &text.by {
            by.push((axis.clone(), ReportName::parse(name).ok_or_else(|| format!("no name `{name}`"))?));
        }
        let filters = filters(&text.filters)?;
        let read = || by.iter().map(|(_, name)| *name).chain(filters.iter().map(|filter| filter.name));
        let by_lot = matches!(basis, Basis::Facts(_)) && read().any(ReportName::is_of_lot);
        let of_lots = match &basis {
            Basis::Stock(state) | Basis::Overdue(state) | Basis::OverdueEvents(state) => Some(state.clone()),
            Basis::Moves(_, state, other, _) => Some([state.clone(), other.clone()].concat()),
            _ => None,
        };
        if let Some(state) = of_lots {
            let states = state.iter().map(|filter| filter.name);
            if let Some(unfit) = read().chain(states).find(|name| !name.is_of_stock()) {
                return Err(format!("lots cannot answer {unfit:?}: name what the lot or its bill says"));
            }
        }
        let main = match text.sum.as_str() {
            "" => None,
            sum => Some(Amount::parse(sum).ok_or_else(|| format!("sum: no slot `{sum}`"))?),
        };
        let name = name.to_owned();
        Ok(Figure { name, basis, by, filters, main, amounts: Vec::new(), members: Vec::new(), by_lot, named })
    }

    /// The slot of a name, added when it is asked for first.
    pub fn ask(&mut self, slot: &str) -> Result<(), String> {
        let amount = if slot.is_empty() {
            Some(self.main.ok_or_else(|| format!("figure `{}` has no main sum: name a slot", self.name))?)
        } else {
            self.amount(slot)
        };
        match (amount, self.members_of(slot)) {
            (Some(amount), _) if self.amounts.contains(&amount) => {}
            (Some(amount), _) => self.amounts.push(amount),
            (_, Some(Members::Waits)) if !matches!(self.basis, Basis::Alerts(stage) if stage.is_an_action()) => {
                return Err(format!("`{slot}` is of alerts that were acknowledged or closed"));
            }
            (_, Some(members)) if self.members.contains(&members) => {}
            (_, Some(members)) => self.members.push(members),
            _ => return Err(format!("no slot `{slot}`")),
        }
        Ok(())
    }

    /// The slot of a name that was asked for.
    pub fn slot(&self, slot: &str) -> Option<Slot> {
        let amount = if slot.is_empty() { self.main } else { self.amount(slot) };
        if let Some(amount) = amount {
            return self.amounts.iter().position(|known| *known == amount).map(Slot::Amount);
        }
        let members = self.members_of(slot)?;
        self.members.iter().position(|known| *known == members).map(Slot::Members)
    }

    fn amount(&self, slot: &str) -> Option<Amount> {
        if !matches!(self.basis, Basis::Indicator(_)) {
            return Amount::parse(slot);
        }
        let below = || slot.strip_suffix("_below").and_then(|name| self.place_of(name)).map(Amount::NamedBelow);
        match slot {
            "cnt" => Some(Amount::Count),
            "level" => Some(Amount::Level),
            "numerator" => Some(Amount::Numerator),
            "denominator" => Some(Amount::Denominator),
            name => self.place_of(name).map(Amount::Named).or_else(below),
        }
    }

    fn members_of(&self, slot: &str) -> Option<Members> {
        if !matches!(self.basis, Basis::Indicator(_)) {
            return Members::parse(slot);
        }
        self.place_of(slot.strip_suffix("_days")?).map(Members::DaysAbove)
    }

    fn place_of(&self, figure: &str) -> Option<u8> {
        self.named.iter().position(|known| **known == *figure).and_then(|place| u8::try_from(place).ok())
    }

    /// True when it reads every day of its span, and not the last one alone.
    pub fn counts_days(&self) -> bool {
        self.members.iter().any(|members| matches!(members, Members::DaysAbove(_)))
    }

    /// The set behind a slot.
    pub fn set(&self, place: usize) -> Members {
        self.members[place]
    }

    /// The name of an axis.
    pub fn axis(&self, axis: &str) -> Option<usize> {
        self.by.iter().position(|(known, _)| known == axis)
    }
}

/// Names of the figures of an indicator (`indicator_rules.json`): parts, terms, series.
fn indicator_figures(catalogue: &Catalogue, id: &str) -> Result<Vec<Box<str>>, String> {
    #[derive(Deserialize)]
    struct Named {
        name: Box<str>,
    }
    #[derive(Deserialize)]
    struct Row {
        id: String,
        #[serde(default)]
        parts: Vec<Named>,
        #[serde(default)]
        terms: Vec<Named>,
        #[serde(default)]
        series: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Rows {
        indicators: Vec<Row>,
    }
    let rules = catalogue.text("indicator_rules.json").unwrap_or_default();
    let rows: Rows = serde_json::from_str(rules).map_err(|error| format!("indicator_rules.json: {error}"))?;
    let row = rows.indicators.into_iter().find(|row| row.id == id);
    let row = row.ok_or_else(|| format!("indicator: `{id}` is none of indicators.csv"))?;
    let named = row.parts.into_iter().chain(row.terms).chain(row.series);
    Ok(named.map(|named| named.name).collect())
}
