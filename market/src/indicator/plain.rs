//! The plain form: all parts and values of an evaluation, from nothing.

use super::{Evaluator, IndicatorIndex, IndicatorValue, Indicators, KeyRow, Part};
use crate::{
    ids::Day,
    pattern::{
        MarketRegistry, Registry as _,
        plain::{Evaluation, Setting},
    },
    view::indicator_row,
};

/// What one indicator has on all days up to the market clock.
pub fn part(
    indicators: &Indicators,
    indicator: IndicatorIndex,
    evaluation: &Evaluation,
    setting: Setting<'_>,
    clock: i64,
) -> Part {
    let registry = MarketRegistry { reference: &evaluation.reference, meanings: setting.meanings };
    let windows = &evaluation.windows;
    let evaluator = Evaluator { indicators, windows, everywhere: windows, registry: &registry };
    let keys = evaluator.keys(indicator);
    let mut part = Part { indicator, rows: Vec::new(), summaries: Vec::new() };
    let Some(first) = keys.iter().map(|(_, first)| *first).min() else { return part };
    for day in indicators.days(indicator, (first, Day::of_time(clock)), clock, registry.calendar()) {
        let of_day = evaluator.part(indicator, &keys, day);
        part.rows.extend(of_day.rows);
        part.summaries.extend(of_day.summaries);
    }
    part
}

/// Values of one indicator on all days up to the market clock.
pub fn values(
    indicators: &Indicators,
    indicator: IndicatorIndex,
    evaluation: &Evaluation,
    setting: Setting<'_>,
    clock: i64,
) -> Vec<IndicatorValue> {
    let part = part(indicators, indicator, evaluation, setting, clock);
    indicators.values(&part, (Day(i32::MIN), Day(i32::MAX)), setting.meanings.calendar())
}

/// Rows of the view of indicators: the parts of every key on every day.
pub fn rows(indicators: &Indicators, evaluation: &Evaluation, setting: Setting<'_>, clock: i64) -> Vec<String> {
    let row =
        |indicator: IndicatorIndex, row: &KeyRow| indicator_row(indicators.id(indicator), row.key, row.day, &row.parts);
    let of = |indicator| {
        part(indicators, indicator, evaluation, setting, clock).rows.into_iter().map(move |it| row(indicator, &it))
    };
    indicators.all().flat_map(of).collect()
}
