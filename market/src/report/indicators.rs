//! Figures of indicators (R11, R19): what a report asks of them, and the tables that their values make.
//!
//! Each worker reads the parts of its keys on the days that the question needs ([`parts`]); whoever has the parts of all makes
//! the values, with the one formula of `crate::indicator`, and puts them into the tables ([`add_indicators`]). A figure takes
//! the last day of its span that has values at the market clock, so that a report does not depend on what else is asked with it.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{
    definition::Book,
    figure::{Basis, Figure},
    names::{IndicatorName, ReportName},
    slot::{Amount, Members},
    tally::{Asked, Held, Key, Tables, put},
};
use crate::{
    ids::{Day, PartyId},
    indicator::{Evaluator, IndicatorIndex, IndicatorValue, Indicators, Part, Subject},
    items::Item,
    pattern::{self, Number, Registry, Windows},
};

/// The party that a key of windows is; `None`: a pair, a branch or a code.
pub(super) fn party_of(key: pattern::Key) -> Option<PartyId> {
    let party = PartyId::from_bits(key.0);
    (key.1 == 0 && matches!(key.0 >> 60, 1..=4) && party.bits() == key.0).then_some(party)
}

/// Days that a figure reads at a market clock.
fn days(book: &Book, figure: &Figure, indicator: IndicatorIndex, asked: &Asked, at: At<'_>) -> Vec<Day> {
    let span = (asked.span.from, asked.span.to);
    let days = at.indicators.days(indicator, span, at.clock, book.meanings.calendar());
    match figure.counts_days() {
        true => days,
        false => days.last().copied().into_iter().collect(),
    }
}

#[derive(Clone, Copy)]
struct At<'a> {
    indicators: &'a Indicators,
    clock: i64,
}

/// The parts of one worker's keys (or of all keys) that a question needs, at a market clock (ms).
pub fn parts<W: Windows, C: Windows, R: Registry>(
    evaluator: &Evaluator<'_, W, C, R>,
    book: &Book,
    asked: &[Asked],
    clock: i64,
) -> Vec<Part> {
    let at = At { indicators: evaluator.indicators, clock };
    let mut wanted: BTreeMap<IndicatorIndex, BTreeSet<Day>> = BTreeMap::new();
    for asked in asked {
        let figure = book.figure(asked);
        let Basis::Indicator(id) = &figure.basis else { continue };
        if let Some(indicator) = at.indicators.find(id) {
            wanted.entry(indicator).or_default().extend(days(book, figure, indicator, asked, at));
        }
    }
    let part = |(indicator, days): (IndicatorIndex, BTreeSet<Day>)| {
        let keys = evaluator.keys(indicator);
        let mut part = Part { indicator, rows: Vec::new(), summaries: Vec::new() };
        for day in days {
            let of_day = evaluator.part(indicator, &keys, day);
            part.rows.extend(of_day.rows);
            part.summaries.extend(of_day.summaries);
        }
        part
    };
    wanted.into_iter().map(part).collect()
}

/// Makes values of the parts of all workers and adds them to the tables of the question.
pub fn add_indicators(book: &Book, asked: &[Asked], indicators: &Indicators, clock: Option<i64>, tables: &mut Tables) {
    let Some(clock) = clock else { return };
    tables.tables.resize_with(asked.len().max(tables.tables.len()), Default::default);
    let calendar = book.meanings.calendar();
    let ever = (Day(i32::MIN), Day(i32::MAX));
    let mut values: BTreeMap<IndicatorIndex, Vec<IndicatorValue>> = BTreeMap::new();
    for part in Part::gather(std::mem::take(&mut tables.indicators)) {
        values.insert(part.indicator, indicators.key_values(&part, ever, calendar));
    }
    for (place, asked) in asked.iter().enumerate() {
        let figure = book.figure(asked);
        let Basis::Indicator(id) = &figure.basis else { continue };
        let Some(indicator) = indicators.find(id) else { continue };
        let days: BTreeSet<Day> = days(book, figure, indicator, asked, At { indicators, clock }).into_iter().collect();
        let reader = Reader { book, figure, indicators, tables, end: asked.span.to };
        let of_days = values.get(&indicator).into_iter().flatten().filter(|value| days.contains(&value.day));
        let read: Vec<(Key, Held)> = of_days.filter_map(|value| reader.read(value)).collect();
        for (key, held) in read {
            match tables.tables[place].entry(key) {
                Entry::Occupied(mut known) => known.get_mut().add(&held),
                Entry::Vacant(free) => drop(free.insert(held)),
            }
        }
    }
}

struct Reader<'a> {
    book: &'a Book,
    figure: &'a Figure,
    indicators: &'a Indicators,
    tables: &'a Tables,
    /// Parties are described as of this day.
    end: Day,
}

impl Reader<'_> {
    /// Where a value stands and what it adds there; `None`: a filter leaves it out, or it is of a group.
    fn read(&self, value: &IndicatorValue) -> Option<(Key, Held)> {
        let Subject::Key(subject) = value.subject else { return None };
        if !self.figure.filters.iter().all(|filter| filter.holds(&[self.item(filter.name, subject)])) {
            return None;
        }
        let mut held = Held::of(self.figure);
        for (sum, amount) in held.sums.iter_mut().zip(&self.figure.amounts) {
            *sum = self.amount(*amount, value);
        }
        for (set, members) in held.members.iter_mut().zip(&self.figure.members) {
            if let Members::DaysAbove(place) = members
                && self.named(*place, value).is_some_and(|number| number > Number::ZERO)
            {
                put(set, i64::from(value.day.0) as u64, 1, 0);
            }
        }
        Some((self.figure.by.iter().map(|(_, name)| self.item(*name, subject)).collect(), held))
    }

    fn named(&self, place: u8, value: &IndicatorValue) -> Option<Number> {
        let name = &self.figure.named[usize::from(place)];
        let at = self.indicators.figures(value.indicator).iter().position(|figure| figure.name == *name)?;
        value.figures.get(at).copied().flatten()
    }

    fn amount(&self, amount: Amount, value: &IndicatorValue) -> i128 {
        let whole = |number: Option<Number>| value.value().and(number).and_then(Number::as_whole).unwrap_or(0);
        let parts = |place| self.named(place, value).map(Number::lowest_parts);
        match amount {
            Amount::Count => i128::from(value.value().is_some()),
            Amount::Level => value.level.map_or(0, |level| level as i128 + 1),
            Amount::Numerator => whole(value.numerator),
            Amount::Denominator => whole(value.denominator),
            Amount::Named(place) => parts(place).map_or(0, |(above, _)| above),
            Amount::NamedBelow(place) => parts(place).map_or(0, |(_, below)| below),
            _ => 0,
        }
    }

    fn item(&self, name: ReportName, key: pattern::Key) -> Item {
        let about = || party_of(key).and_then(|party| self.tables.about.get(&(self.end, party)));
        match name {
            ReportName::Indicator(IndicatorName::Key) => party_of(key).map_or(Item::NA, Item::party),
            ReportName::Indicator(IndicatorName::InstitutionType) => {
                about().and_then(|about| about.kind).unwrap_or(Item::UNKNOWN)
            }
            ReportName::Indicator(IndicatorName::Province) => {
                about().and_then(|about| about.province).unwrap_or(Item::UNKNOWN)
            }
            ReportName::Indicator(IndicatorName::BillClass) => {
                let vocabulary = self.book.meanings.vocabulary();
                let text = key.text();
                let class = text.split(',').next().unwrap_or_default();
                vocabulary.parse_item(name.enumeration(vocabulary), class).unwrap_or(Item::UNKNOWN)
            }
            _ => Item::NA,
        }
    }
}
