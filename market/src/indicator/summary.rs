//! Sums over the keys of a group: what workers tell of their keys, and what is added up from all of them.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{
    IndicatorIndex,
    day::KeyRow,
    rule::{Indicator, TOPS},
};
use crate::{ids::Day, pattern::Number};

/// Sums of one group on one day. Those of several workers add up.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Place of the group in the rule.
    pub group: u8,
    /// Its item, as [`KeyRow::groups`] says.
    pub item: Option<Number>,
    /// The day.
    pub day: Day,
    /// Number of keys that count.
    pub keys: u64,
    /// Sums of the parts; `None`: the sum left 128 bits.
    pub sums: Vec<Option<Number>>,
    /// Of parts with shares, in order.
    pub shares: Vec<Shares>,
    /// All values of parts with a median in this group, in order of parts, ascending.
    pub ranked: Vec<Vec<Number>>,
}

/// How a part is spread over keys.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Shares {
    /// Sum of squares.
    pub squares: Option<Number>,
    /// The largest, descending; as many as the longest sum of them needs.
    pub largest: Vec<Number>,
}

/// What one worker tells of an indicator.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Which.
    pub indicator: IndicatorIndex,
    /// Keys.
    pub rows: Vec<KeyRow>,
    /// Groups.
    pub summaries: Vec<Summary>,
}

const LARGEST: usize = TOPS[TOPS.len() - 1];

impl Summary {
    /// The groups of some keys. A key of which a part is missing counts in no group: a ratio needs both its sides.
    pub(super) fn of(rule: &Indicator, rows: &[KeyRow]) -> Vec<Summary> {
        let mut all: BTreeMap<(u8, Option<Number>, Day), Summary> = BTreeMap::new();
        for row in rows {
            let is_whole =
                rule.parts.iter().zip(&row.parts).all(|(part, value)| part.median_in.is_some() || value.is_some());
            for (group, item) in (0u8..).zip(&row.groups) {
                let summary =
                    all.entry((group, *item, row.day)).or_insert_with(|| Summary::empty(rule, group, *item, row.day));
                if is_whole {
                    summary.add_row(rule, row);
                }
                let medians = rule.parts.iter().zip(&row.parts).filter(|(part, _)| part.median_in.is_some());
                for (ranked, (part, value)) in summary.ranked.iter_mut().zip(medians) {
                    if part.median_in == Some(usize::from(group)) {
                        ranked.extend(*value);
                    }
                }
            }
        }
        all.into_values()
            .map(|mut summary| {
                summary.ranked.iter_mut().for_each(|ranked| ranked.sort_unstable());
                summary
            })
            .collect()
    }

    fn empty(rule: &Indicator, group: u8, item: Option<Number>, day: Day) -> Self {
        let count = |has: fn(&super::rule::PartRule) -> bool| rule.parts.iter().filter(|part| has(part)).count();
        Summary {
            group,
            item,
            day,
            keys: 0,
            sums: rule.parts.iter().map(|part| part.median_in.is_none().then_some(Number::ZERO)).collect(),
            shares: vec![Shares { squares: Some(Number::ZERO), largest: Vec::new() }; count(|part| part.shares)],
            ranked: vec![Vec::new(); count(|part| part.median_in.is_some())],
        }
    }

    fn add_row(&mut self, rule: &Indicator, row: &KeyRow) {
        self.keys += 1;
        for (sum, value) in self.sums.iter_mut().zip(&row.parts) {
            if let Some(value) = value {
                *sum = sum.and_then(|sum| sum.plus(*value));
            }
        }
        let shared = rule.parts.iter().zip(&row.parts).filter(|(part, _)| part.shares).map(|(_, value)| *value);
        for (shares, value) in self.shares.iter_mut().zip(shared) {
            let value = value.unwrap_or(Number::ZERO);
            shares.squares = shares.squares.and_then(|sum| sum.plus(value.times(value)?));
            shares.keep_largest([value]);
        }
    }

    /// Adds what another worker says of the same group and day.
    pub fn add(&mut self, other: &Summary) {
        self.keys += other.keys;
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum = sum.zip(*more).and_then(|(sum, more)| sum.plus(more));
        }
        for (shares, more) in self.shares.iter_mut().zip(&other.shares) {
            shares.squares = shares.squares.zip(more.squares).and_then(|(sum, more)| sum.plus(more));
            shares.keep_largest(more.largest.iter().copied());
        }
        for (ranked, more) in self.ranked.iter_mut().zip(&other.ranked) {
            ranked.extend_from_slice(more);
            ranked.sort_unstable();
        }
    }
}

impl Shares {
    fn keep_largest(&mut self, values: impl IntoIterator<Item = Number>) {
        self.largest.extend(values);
        self.largest.sort_unstable_by(|left, right| right.cmp(left));
        self.largest.truncate(LARGEST);
    }
}

impl Part {
    /// Adds up what all workers say, indicator by indicator.
    pub fn gather(parts: impl IntoIterator<Item = Part>) -> Vec<Part> {
        /// Summaries by group, item and day.
        type Groups = BTreeMap<(u8, Option<Number>, Day), Summary>;
        let mut all: BTreeMap<IndicatorIndex, (Vec<KeyRow>, Groups)> = BTreeMap::new();
        for part in parts {
            let (rows, summaries) = all.entry(part.indicator).or_default();
            rows.extend(part.rows);
            for summary in part.summaries {
                match summaries.entry((summary.group, summary.item, summary.day)) {
                    std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(summary)),
                    std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().add(&summary),
                }
            }
        }
        let part = |(indicator, (mut rows, summaries)): (_, (Vec<KeyRow>, BTreeMap<_, Summary>))| {
            rows.sort_unstable_by_key(|row| (row.day, row.key));
            Part { indicator, rows, summaries: summaries.into_values().collect() }
        };
        all.into_iter().map(part).collect()
    }
}

/// Sums of groups by day, remembered until a fact reaches back to the day.
#[derive(Default)]
pub struct Memo {
    days: HashMap<IndicatorIndex, BTreeMap<Day, Vec<Summary>>>,
}

impl Memo {
    /// Forgets an indicator's days from one on.
    pub fn forget_from(&mut self, indicator: IndicatorIndex, day: Day) {
        if let Some(days) = self.days.get_mut(&indicator) {
            days.split_off(&day);
        }
    }

    /// What is known of a day.
    pub fn get(&self, indicator: IndicatorIndex, day: Day) -> Option<&[Summary]> {
        self.days.get(&indicator)?.get(&day).map(Vec::as_slice)
    }

    /// Remembers a day.
    pub fn put(&mut self, indicator: IndicatorIndex, day: Day, summaries: Vec<Summary>) {
        self.days.entry(indicator).or_default().insert(day, summaries);
    }
}
