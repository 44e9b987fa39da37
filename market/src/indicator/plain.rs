//! The plain form: all parts and values of an evaluation, from nothing, and what stands behind one.

use super::{
    Evaluator, IndicatorIndex, IndicatorValue, Indicators, KeyRow, Part,
    explain::{Answer, Explainer, Life, kept_members, window_sums},
};
use crate::{
    bill::Bill,
    corrections::effective_at,
    evaluator::without_bill,
    fact::Fact,
    fact_scope::Home,
    ids::Day,
    observe::Observation,
    pattern::{
        Key, MarketRegistry, Output, Registry as _, Seen,
        plain::{Evaluation, Setting, sort},
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

/// The windows of one key on one day, and the facts and lots of these records whose sums give them.
pub fn explain(
    indicators: &Indicators,
    indicator: IndicatorIndex,
    (evaluation, setting): (&Evaluation, Setting<'_>),
    records: &[Fact],
    place: (Key, Day),
) -> Answer {
    let patterns = setting.patterns;
    let registry = MarketRegistry { reference: &evaluation.reference, meanings: setting.meanings };
    let windows = &evaluation.windows;
    let evaluator = Evaluator { indicators, windows, everywhere: windows, registry: &registry };
    let mut explainer = Explainer::new(&evaluator, indicator, place, |feature| patterns.is_balance(feature));
    let sorted = sort(records);
    let bills = sorted.bills.into_iter().map(|(bill, records)| (Home::Bill(bill), records));
    for (at, records) in bills.chain([(Home::Reference, sorted.reference), (Home::Desk, sorted.others)]) {
        let (mut bill, mut life) = (Bill::default(), Life::default());
        for fact in &effective_at(at, records).facts {
            let outcome = if at.bill().is_some() { bill.apply(fact, setting.laws) } else { without_bill() };
            let after = at.bill().is_some().then_some(&bill);
            let observation = Observation::new(fact, &outcome, after, &evaluation.reference, setting.meanings);
            let mut output = Output::default();
            let seen = Seen { observation: &observation, has_variants: false };
            patterns.observe(&seen, &registry, 1, &mut output);
            explainer.take(fact, &output.deltas, &mut life);
        }
        explainer.close(life);
    }
    let name_of = |feature| patterns.feature_name(feature).to_owned();
    let windows = window_sums(&evaluator, indicator, place, name_of);
    let kept = kept_members(&evaluator, indicator, place);
    Answer::gather([Answer { parts: Vec::new(), windows, kept, lines: explainer.lines() }])
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
