//! The parts of an indicator for one key on one day, read from windows and reference data.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    IndicatorIndex, Indicators,
    rule::{Indicator, Span, Window},
    summary::{Part, Summary},
};
use crate::{
    catalogue::calendar::Calendar,
    ids::{Day, PartyId},
    pattern::{
        Cell, FeatureIndex, Key, Member, Moment, Number, Registry, Role, Windows,
        bill_scope::lookup,
        expression::Scope,
        vocabulary::{Derived, Lookup, Variable, Window as Function, text_number},
    },
};

/// The one key of a feature that is known everywhere: `'ALL'` as an expression writes it.
pub fn market_key() -> Key {
    let bits = text_number("ALL").as_whole().unwrap_or_default() >> 64;
    Key(bits as u64, 0)
}

/// Parts of one key on one day.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KeyRow {
    /// Whose.
    pub key: Key,
    /// As of the end of this day.
    pub day: Day,
    /// In the order of the rule; `None`: reference data are missing.
    pub parts: Vec<Option<Number>>,
    /// Item of each group in which the key stands (a code as a number); `None`: not known.
    pub groups: Vec<Option<Number>>,
}

/// Reads parts from where they lie. `everywhere` has the features that every worker knows whole.
pub struct Evaluator<'a, W, C, R> {
    /// The rules.
    pub indicators: &'a Indicators,
    /// Windows of the keys.
    pub windows: &'a W,
    /// Windows of [`Indicators::features_everywhere`].
    pub everywhere: &'a C,
    /// Reference data and the calendar.
    pub registry: &'a R,
}

/// What is the same for all keys on one day.
pub(super) struct Frame {
    day: Day,
    windows: Vec<Cut>,
    /// Business days whose balances a window adds up, ascending; as long as the longest asks.
    balances: Vec<i64>,
}

/// Buckets and members that a window shows on one day.
struct Cut {
    from: i64,
    to: i64,
    members: Option<(Member, Member)>,
    /// Left out, as the lower half of members.
    without: BTreeSet<u64>,
}

/// The last business day that is not after a day.
fn last_business_day(day: Day, calendar: &Calendar) -> Day {
    if calendar.is_business_day(day) { day } else { calendar.minus(day, 1) }
}

impl Span {
    /// First and last bucket.
    fn buckets(self, day: Day, calendar: &Calendar) -> (i64, i64) {
        let of = |from: Day, to: Day| (i64::from(from.0), i64::from(to.0));
        let days = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        match self {
            Span::Ever => (i64::MIN, i64::from(day.0)),
            Span::Days { length, before } => {
                of(Day(day.0.saturating_sub(days(length) - 1)), Day(day.0.saturating_sub(days(before))))
            }
            Span::BusinessDays { length, before } => {
                let last = last_business_day(day, calendar);
                let to = if before == 0 { day } else { calendar.minus(last, before) };
                of(calendar.minus(last, length.saturating_sub(1)), to)
            }
            Span::Months { length, before } => {
                let month = day.month_start().add_months(-days(before));
                let to = if before == 0 { day } else { month.add_months(1).plus(-1) };
                of(month.add_months(1 - days(length)), to)
            }
        }
    }
}

impl<W: Windows, C: Windows, R: Registry> Evaluator<'_, W, C, R> {
    /// Keys that may have parts, each with the first day on which it has any, ascending.
    pub fn keys(&self, indicator: IndicatorIndex) -> Vec<(Key, Day)> {
        let mut keys: BTreeMap<Key, i64> = BTreeMap::new();
        for feature in &self.indicators.get(indicator).keys {
            let mut found = Vec::new();
            self.windows.keys(*feature, &mut |key| found.push(key));
            for key in found {
                self.note_key(*feature, key, &mut keys);
            }
        }
        as_days(keys)
    }

    /// The same for one key.
    pub fn only_key(&self, indicator: IndicatorIndex, key: Key) -> Vec<(Key, Day)> {
        let mut keys = BTreeMap::new();
        for feature in &self.indicators.get(indicator).keys {
            self.note_key(*feature, key, &mut keys);
        }
        as_days(keys)
    }

    fn note_key(&self, feature: FeatureIndex, key: Key, keys: &mut BTreeMap<Key, i64>) {
        if let Some(first) = self.windows.first_bucket(feature, key) {
            keys.entry(key).and_modify(|known| *known = first.min(*known)).or_insert(first);
        }
    }

    /// Parts of the keys on a day: those of which anything is known and not 0.
    pub fn rows(&self, indicator: IndicatorIndex, keys: &[(Key, Day)], day: Day) -> Vec<KeyRow> {
        let rule = self.indicators.get(indicator);
        let frame = self.frame(rule, day);
        let known = keys.iter().filter(|(_, first)| *first <= day);
        known.filter_map(|(key, _)| self.row(rule, &frame, *key)).collect()
    }

    /// Rows and sums of a day, for those that lie here.
    pub fn part(&self, indicator: IndicatorIndex, keys: &[(Key, Day)], day: Day) -> Part {
        let rows = self.rows(indicator, keys, day);
        let summaries = Summary::of(self.indicators.get(indicator), &rows);
        Part { indicator, rows, summaries }
    }

    /// Totals of the windows of a key, in the order of the rule.
    pub(super) fn window_totals(&self, indicator: IndicatorIndex, key: Key, day: Day) -> Vec<Cell> {
        let rule = self.indicators.get(indicator);
        let frame = self.frame(rule, day);
        let (windows, registry) = (self.windows, self.registry);
        let scope = DayScope { rule, frame: &frame, windows, registry, key, parts: Vec::new() };
        (0..rule.windows.len()).map(|place| scope.total(place)).collect()
    }

    pub(super) fn frame(&self, rule: &Indicator, day: Day) -> Frame {
        let calendar = self.registry.calendar();
        let longest = rule.windows.iter().filter_map(|window| window.each_business_day).max().unwrap_or(0);
        let last = last_business_day(day, calendar);
        let mut balances: Vec<i64> = (0..longest).map(|back| i64::from(calendar.minus(last, back).0)).collect();
        balances.reverse();
        let scope = Nothing { day };
        let whole = |node: &crate::pattern::expression::Node| Member::try_from(node.value(&scope)?.floor().max(0)).ok();
        let windows = rule.windows.iter().map(|window| {
            let (from, to) = window.span.buckets(day, calendar);
            let members = window.members.as_ref().and_then(|(first, last)| Some((whole(first)?, whole(last)?)));
            let mut without = BTreeSet::new();
            if let Some(other) = window.without.as_ref().filter(|other| other.everywhere) {
                let (from, to) = other_span(other.days, day);
                self.everywhere.cells(other.feature, market_key(), from, to, &mut |_, member, _| {
                    without.insert(member as u64);
                });
            }
            Cut { from, to, members, without }
        });
        Frame { day, windows: windows.collect(), balances }
    }

    fn row(&self, rule: &Indicator, frame: &Frame, key: Key) -> Option<KeyRow> {
        let mut scope =
            DayScope { rule, frame, windows: self.windows, registry: self.registry, key, parts: Vec::new() };
        if let Some(eligible) = &rule.eligible
            && eligible.truth(&scope) != Some(true)
        {
            return None;
        }
        for part in &rule.parts {
            let value = part.value.number(&scope);
            scope.parts.push(value);
        }
        if !scope.parts.iter().flatten().any(|value| value.is_true()) {
            return None;
        }
        let groups = rule.groups.iter().map(|group| match &group.by {
            None => Some(Number::ZERO),
            Some(by) => by.value(&scope),
        });
        Some(KeyRow { key, day: frame.day, groups: groups.collect(), parts: scope.parts })
    }
}

fn as_days(keys: BTreeMap<Key, i64>) -> Vec<(Key, Day)> {
    let day = |bucket: i64| Day(bucket.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32);
    keys.into_iter().map(|(key, first)| (key, day(first))).collect()
}

fn other_span(days: Option<u32>, day: Day) -> (i64, i64) {
    let to = i64::from(day.0);
    (days.map_or(i64::MIN, |days| to - i64::from(days) + 1), to)
}

impl Frame {
    /// How often a cell of a bucket counts in a window: 0 when it lies outside, more than once in a sum of balances.
    pub(super) fn weight(&self, window: usize, rule: &Window, bucket: i64, member: Member) -> i64 {
        let cut = &self.windows[window];
        let is_shown = (cut.from..=cut.to).contains(&bucket)
            && cut.members.is_none_or(|(first, last)| (first..=last).contains(&member))
            && !cut.without.contains(&(member as u64));
        match rule.each_business_day {
            _ if !is_shown => 0,
            None => 1,
            Some(days) => self.balances_of(days).iter().filter(|day| bucket <= **day).count() as i64,
        }
    }

    fn balances_of(&self, days: u32) -> &[i64] {
        &self.balances[self.balances.len().saturating_sub(days as usize)..]
    }
}

/// Words that are known without a key: the day.
struct Nothing {
    day: Day,
}

/// Words of one key on one day.
struct DayScope<'a, W, R> {
    rule: &'a Indicator,
    frame: &'a Frame,
    windows: &'a W,
    registry: &'a R,
    key: Key,
    parts: Vec<Option<Number>>,
}

/// Members of one key that a window leaves out or keeps, beside what [`Frame`] knows.
pub(super) fn keeps_member(window: &Window, key: Key, day: Day, member: Member, windows: &impl Windows) -> bool {
    if let Some(other) = window.without.as_ref().filter(|other| !other.everywhere) {
        let (from, to) = other_span(other.days, day);
        if !windows.member(other.feature, key, from, to, member).is_empty() {
            return false;
        }
    }
    if let Some((feature, above)) = window.lasting {
        let ran = windows.member(feature, key, i64::MIN, i64::from(day.0), member).sum;
        let ran = if ran < 0 { ran + i128::from(day.end_ms()) } else { ran };
        return ran > i128::from(above);
    }
    true
}

impl<W: Windows, R: Registry> DayScope<'_, W, R> {
    fn is_filtered(window: &Window, cut: &Cut) -> bool {
        window.increases || window.lasting.is_some() || window.without.is_some() || !cut.without.is_empty()
    }

    /// Totals by member of what the window shows, ascending.
    fn members(&self, place: usize) -> Vec<(Member, Cell)> {
        let (window, cut) = (&self.rule.windows[place], &self.frame.windows[place]);
        let mut totals: BTreeMap<Member, Cell> = BTreeMap::new();
        self.windows.cells(window.feature, self.key, cut.from, cut.to, &mut |bucket, member, cell| {
            let weight = self.frame.weight(place, window, bucket, member);
            if weight != 0 && (!window.increases || cell.sum > 0) {
                let sum = cell.sum * i128::from(weight);
                totals.entry(member).or_default().add(Cell { count: cell.count, sum });
            }
        });
        let kept = |(member, cell): &(Member, Cell)| {
            !cell.is_empty() && keeps_member(window, self.key, self.frame.day, *member, self.windows)
        };
        totals.into_iter().filter(kept).collect()
    }

    fn total(&self, place: usize) -> Cell {
        let (window, cut) = (&self.rule.windows[place], &self.frame.windows[place]);
        if Self::is_filtered(window, cut) {
            return self.members(place).into_iter().fold(Cell::default(), |mut total, (_, cell)| {
                total.add(cell);
                total
            });
        }
        let sum = |to: i64| match cut.members {
            None => self.windows.total(window.feature, self.key, cut.from, to).sum,
            Some(members) => self.windows.sum_of_members(window.feature, self.key, (cut.from, to), members),
        };
        match (window.each_business_day, cut.members) {
            (Some(days), _) => Cell { count: 0, sum: self.frame.balances_of(days).iter().map(|day| sum(*day)).sum() },
            (None, None) => self.windows.total(window.feature, self.key, cut.from, cut.to),
            (None, Some(_)) => Cell { count: 0, sum: sum(cut.to) },
        }
    }
}

impl<W: Windows, R: Registry> Scope for DayScope<'_, W, R> {
    fn variable(&self, variable: &Variable) -> Option<Number> {
        // Codes stand in the upper half of their number.
        let part = |bits: u64| {
            let whole = i128::from(bits);
            Number::whole(if self.rule.code_keys { whole << 64 } else { whole })
        };
        match variable {
            Variable::Party(Role::Key) => Some(part(self.key.0)),
            Variable::Party(Role::OtherKey) => Some(part(self.key.1)),
            Variable::Attribute(Role::Key, field) => {
                let day = self.frame.day;
                let moment = Moment { at: day.end_ms() - 1, date: day };
                self.registry.attribute(PartyId::from_bits(self.key.0), None, *field, moment)
            }
            Variable::Derived(Derived::Date) => Some(i64::from(self.frame.day.0).into()),
            _ => None,
        }
    }

    fn parameter(&self, place: usize) -> Option<Number> {
        self.parts.get(place).copied().flatten()
    }

    fn window(&self, function: Function, window: usize, arguments: &[Number]) -> Option<Number> {
        Some(match function {
            Function::Count => {
                let counted = |(_, cell): &(Member, Cell)| i128::from(cell.count);
                match self.frame.windows[window].members {
                    None => Number::whole(self.total(window).count.into()),
                    Some(_) => Number::whole(self.members(window).iter().map(counted).sum()),
                }
            }
            Function::Sum => Number::whole(self.total(window).sum),
            Function::Distinct => Number::whole(self.members(window).len() as i128),
            Function::Largest => {
                let count = arguments.first().map_or(Some(1), |count| count.as_whole())?;
                let sums = self.members(window).into_iter().map(|(_, cell)| cell.sum);
                Number::whole(crate::pattern::largest_of(sums, usize::try_from(count).ok()?))
            }
            _ => return None,
        })
    }

    fn lookup(&self, function: Lookup, arguments: &[Number]) -> Option<Number> {
        let day = self.frame.day;
        lookup(self.registry, Moment { at: day.end_ms() - 1, date: day }, function, arguments)
    }
}

impl Scope for Nothing {
    fn variable(&self, variable: &Variable) -> Option<Number> {
        matches!(variable, Variable::Derived(Derived::Date)).then(|| i64::from(self.day.0).into())
    }
}
