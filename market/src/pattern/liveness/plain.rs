//! The plain form: liveness of all rules of an evaluation, from nothing; and the rows by which live and plain are compared.

use super::{Liveness, Part, RuleLiveness, SPAN_DAYS, sources::blind_rules, tally};
use crate::{
    ids::Day,
    pattern::{
        MarketRegistry, PatternIndex, Patterns,
        plain::{Evaluation, Setting},
    },
    view::ViewHash,
};

/// All there is to say, with figures.
pub fn part(liveness: &Liveness, evaluation: &Evaluation, setting: Setting<'_>, span: (Day, Day), clock: i64) -> Part {
    let registry = MarketRegistry { reference: &evaluation.reference, meanings: setting.meanings };
    let patterns = setting.patterns;
    let rules = || (0..patterns.rule_count()).map(|place| PatternIndex(place as u16));
    let windows = &evaluation.windows;
    let figures = |rule| {
        let found = liveness.figures(patterns, rule, windows, &registry, (span, clock), &mut |_| true);
        found.map(|figures| (rule, figures))
    };
    let mut part = Part {
        days: evaluation.tally.rows(span.1),
        figures: rules().filter_map(figures).collect(),
        blind: blind_rules(patterns, &registry, clock).into_iter().collect(),
        ..Part::default()
    };
    for (rule, _, date, _) in evaluation.alerts.iter() {
        if (span.0..=span.1).contains(&date) {
            *part.alerts.entry(rule).or_default() += 1;
        }
    }
    part
}

/// How all rules stand at a market clock (ms), over the usual span.
pub fn states(liveness: &Liveness, evaluation: &Evaluation, setting: Setting<'_>, clock: i64) -> Vec<RuleLiveness> {
    let calendar = setting.meanings.calendar();
    let span = Liveness::span(clock, SPAN_DAYS, calendar);
    liveness.finish(&part(liveness, evaluation, setting, span, clock), (span, clock), calendar)
}

/// Rows of the view of rules: one for each unit of each number, so that those of workers add up, and one for each blind rule.
/// Alerts have a view of their own. `take(row, how often)`.
pub fn rows(part: &Part, patterns: &Patterns, mut take: impl FnMut(String, i64)) {
    let id = |rule: PatternIndex| patterns.id(rule).to_owned();
    for (day, numbers) in &part.days {
        for (slot, number) in numbers {
            take(format!("{},{day}", tally::slot_name(*slot, id)), *number);
        }
    }
    for (rule, figures) in &part.figures {
        let id = id(*rule);
        take(format!("in_window,{id}"), figures.in_window);
        take(format!("joined,{id}"), figures.joined.unwrap_or_default());
        take(format!("near,{id}"), figures.near.unwrap_or_default());
    }
    for (rule, missing) in &part.blind {
        take(format!("blind,{},{}", id(*rule), missing.join(" ")), 1);
    }
}

/// Hash of a row that is there so often.
pub fn hash_of(row: &str, often: i64) -> ViewHash {
    ViewHash(ViewHash::of_row(row.as_bytes()).0.wrapping_mul(often as i128 as u128))
}
