//! From parts to values with levels, for keys and for groups of them.

use std::collections::BTreeMap;

use super::{
    IndicatorIndex, Indicators,
    rule::{Indicator, RollUp, Statistic, TOPS},
    summary::{Part, Summary},
};
use crate::{
    catalogue::calendar::Calendar,
    ids::{Code, Day},
    pattern::{Key, Level, Number, expression::Scope, statistics::z_score, vocabulary::code_of_number},
};

/// Name of a figure that stands beside a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figure {
    /// In the rules and for programs.
    pub name: Box<str>,
    /// Name.
    pub english: Box<str>,
    /// 名称.
    pub chinese: Box<str>,
}

/// Whom a value is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A group: its place in the rule, and its item; no item: keys of which it is not known, or all keys (`market`).
    Group(u8, Option<Code>),
    /// A key of its features.
    Key(Key),
}

/// An indicator's value on a day: what the API, reports and the console read.
#[derive(Clone, PartialEq, Debug)]
pub struct IndicatorValue {
    /// Which.
    pub indicator: IndicatorIndex,
    /// Whose.
    pub subject: Subject,
    /// As of the end of this day, or now when it is the day in which the clock stands.
    pub day: Day,
    /// Above the line.
    pub numerator: Option<Number>,
    /// Below it; 0 or `None`: no value.
    pub denominator: Option<Number>,
    /// `None`: below BLUE, or no value.
    pub level: Option<Level>,
    /// Figures in the order of [`Indicators::figures`]; `None`: not known, or of groups only.
    pub figures: Vec<Option<Number>>,
}

impl IndicatorValue {
    /// The value.
    pub fn value(&self) -> Option<Number> {
        self.numerator?.over(self.denominator?)
    }
}

/// Figures as parameters of expressions.
struct Figures<'a>(&'a [Option<Number>]);

type Days = BTreeMap<Day, Vec<Option<Number>>>;

impl Indicators {
    /// Text of a subject: `market`, `tier=SMALL`, `100105`.
    pub fn subject_text(&self, indicator: IndicatorIndex, subject: Subject) -> String {
        match subject {
            Subject::Key(key) => key.text(),
            Subject::Group(place, item) => {
                let Some(group) = self.get(indicator).groups.get(usize::from(place)) else { return String::new() };
                match (&group.by, item) {
                    (None, _) => group.name.clone(),
                    (Some(_), Some(item)) => format!("{}={}", group.name, item.as_str()),
                    (Some(_), None) => format!("{}=UNKNOWN", group.name),
                }
            }
        }
    }

    /// Values of one indicator in `from..=to`, by day, groups before keys. `part` holds all workers' parts, with the base days
    /// before `from`.
    pub fn values(&self, part: &Part, span: (Day, Day), calendar: &Calendar) -> Vec<IndicatorValue> {
        self.values_of(part, span, calendar, self.get(part.indicator).values_of_keys)
    }

    /// The same of keys alone, also where only groups have values: what a group is made of.
    pub fn key_values(&self, part: &Part, span: (Day, Day), calendar: &Calendar) -> Vec<IndicatorValue> {
        let mut values = self.values_of(part, span, calendar, true);
        values.retain(|value| matches!(value.subject, Subject::Key(_)));
        values
    }

    /// The keys of a group on a day, with their values.
    pub fn members(&self, part: &Part, group: &str, day: Day, calendar: &Calendar) -> Vec<IndicatorValue> {
        let stands_in = |row: &&super::KeyRow| {
            row.day == day
                && (0u8..).zip(&row.groups).any(|(place, item)| {
                    let subject = Subject::Group(place, item.and_then(code_of_number));
                    self.subject_text(part.indicator, subject) == group
                })
        };
        let keys: std::collections::BTreeSet<Key> = part.rows.iter().filter(stands_in).map(|row| row.key).collect();
        let mut values = self.key_values(part, (day, day), calendar);
        values.retain(|value| matches!(value.subject, Subject::Key(key) if keys.contains(&key)));
        values
    }

    fn values_of(
        &self,
        part: &Part,
        (from, to): (Day, Day),
        calendar: &Calendar,
        with_keys: bool,
    ) -> Vec<IndicatorValue> {
        let rule = self.get(part.indicator);
        let mut subjects: BTreeMap<Subject, Days> = BTreeMap::new();
        let mut medians: BTreeMap<(u8, Option<Number>, Day), &Summary> = BTreeMap::new();
        for summary in &part.summaries {
            medians.insert((summary.group, summary.item, summary.day), summary);
            if rule.roll_up == RollUp::Sum {
                let figures = rule.complete(summary.sums.clone(), Some(summary), |_| Some(summary));
                subjects.entry(group_of(summary)).or_default().insert(summary.day, figures);
            }
        }
        let mut groups_of: BTreeMap<(Key, Day), &[Option<Number>]> = BTreeMap::new();
        if with_keys {
            for row in &part.rows {
                let of_group = |place: usize| {
                    let item = row.groups.get(place).copied().flatten();
                    medians.get(&(place as u8, item, row.day)).copied()
                };
                let figures = rule.complete(row.parts.clone(), None, of_group);
                subjects.entry(Subject::Key(row.key)).or_default().insert(row.day, figures);
                groups_of.insert((row.key, row.day), &row.groups);
            }
        }
        let mut values = Vec::new();
        for (subject, days) in &subjects {
            for (day, figures) in days.range(from..=to) {
                let figures = rule.follow(figures.clone(), *day, days, calendar);
                values.push(rule.judge(part.indicator, *subject, *day, figures));
            }
        }
        if rule.roll_up == RollUp::Largest {
            let largest = largest(&values, &groups_of);
            values.extend(largest);
        }
        values.sort_by_key(|value| (value.day, value.subject));
        values
    }
}

fn group_of(summary: &Summary) -> Subject {
    Subject::Group(summary.group, summary.item.and_then(code_of_number))
}

/// The largest value of the keys of each group: with the figures of that key.
fn largest(values: &[IndicatorValue], groups_of: &BTreeMap<(Key, Day), &[Option<Number>]>) -> Vec<IndicatorValue> {
    let mut largest: BTreeMap<(Subject, Day), IndicatorValue> = BTreeMap::new();
    for value in values {
        let Subject::Key(key) = value.subject else { continue };
        let Some(groups) = groups_of.get(&(key, value.day)) else { continue };
        for (group, item) in (0u8..).zip(*groups) {
            let subject = Subject::Group(group, item.and_then(code_of_number));
            let is_larger = |known: &IndicatorValue| value.value() > known.value();
            let place = (subject, value.day);
            if largest.get(&place).is_none_or(is_larger) {
                largest.insert(place, IndicatorValue { subject, ..value.clone() });
            }
        }
    }
    largest.into_values().collect()
}

/// Nearest rank, as of peers (derived.csv `quantile`).
fn median(mut values: Vec<Number>) -> Option<Number> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

impl Indicator {
    /// Figures from parts: what groups know of parts, then terms.
    fn complete<'a>(
        &self,
        mut figures: Vec<Option<Number>>,
        shares_of: Option<&Summary>,
        group: impl Fn(usize) -> Option<&'a Summary>,
    ) -> Vec<Option<Number>> {
        for place in 0..self.parts.iter().filter(|part| part.shares).count() {
            let shares = shares_of.map(|summary| &summary.shares[place]);
            figures.push(shares.and_then(|shares| shares.squares));
            for top in TOPS {
                let sum = |shares: &super::summary::Shares| {
                    let largest = shares.largest.iter().take(top);
                    largest.copied().try_fold(Number::ZERO, |sum, one| sum.plus(one))
                };
                figures.push(shares.and_then(sum));
            }
        }
        for (place, part) in self.parts.iter().filter_map(|part| part.median_in).enumerate() {
            let of = shares_of.map_or_else(|| group(part), |own| (usize::from(own.group) == part).then_some(own));
            figures.push(of.and_then(|summary| median(summary.ranked[place].clone())));
        }
        for term in &self.terms {
            let value = term.number(&Figures(&figures));
            figures.push(value);
        }
        figures
    }

    /// Adds the statistics over the business days before a day.
    fn follow(
        &self,
        mut figures: Vec<Option<Number>>,
        day: Day,
        days: &Days,
        calendar: &Calendar,
    ) -> Vec<Option<Number>> {
        for series in &self.series {
            let first = calendar.minus(day, series.days);
            let before = days.range(first..day).filter(|(day, _)| calendar.is_business_day(**day));
            let base: Vec<Number> =
                before.filter_map(|(_, figures)| figures.get(series.of).copied().flatten()).collect();
            let value = figures.get(series.of).copied().flatten();
            figures.push(match &series.statistic {
                Statistic::Median => median(base),
                Statistic::ZScore { floor } => value.and_then(|value| {
                    let base: Vec<f64> = base.into_iter().map(Number::to_f64).collect();
                    z_score(value.to_f64(), &base, |_| floor.to_f64())
                }),
            });
        }
        figures
    }

    fn judge(
        &self,
        indicator: IndicatorIndex,
        subject: Subject,
        day: Day,
        figures: Vec<Option<Number>>,
    ) -> IndicatorValue {
        let scope = Figures(&figures);
        let (numerator, denominator) = (self.numerator.number(&scope), self.denominator.number(&scope));
        let mut value = IndicatorValue { indicator, subject, day, numerator, denominator, level: None, figures };
        let reached = |(level, least): &(Level, Number)| (value.value()? >= *least).then_some(*level);
        let mut level = self.thresholds.iter().filter_map(reached).max();
        if matches!(subject, Subject::Key(_)) {
            let scope = Figures(&value.figures);
            let floors = self.at_least.iter().filter(|(_, condition)| condition.truth(&scope) == Some(true));
            level = level.max(floors.map(|(level, _)| *level).max());
        }
        value.level = level;
        value
    }
}

impl Scope for Figures<'_> {
    fn parameter(&self, place: usize) -> Option<Number> {
        self.0.get(place).copied().flatten()
    }
}
