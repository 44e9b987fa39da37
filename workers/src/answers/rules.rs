//! Liveness of rules: what this worker read, and the figures of the rules that are judged here, worked out when asked.
//!
//! Without figures the answer reads the tally, the alerts and whether kinds of reference data are empty: some milliseconds.
//! Figures judge every place of the span again; a question judges at most [`LIVENESS_PLACES_MAX`] of them, so it holds its shard
//! up for some seconds at the worst.

use billwatch_market::{
    ids::Day,
    pattern::{
        PatternIndex,
        liveness::{Liveness, Part, SPAN_DAYS, plain, sources::blind_rules},
    },
};
use billwatch_proto::v1;

use super::invalid;
use crate::{limits::LIVENESS_PLACES_MAX, shard::Shard};

/// This worker's part, encoded.
pub fn answer(shard: &Shard, question: &v1::RuleLivenessQuestion) -> anyhow::Result<Vec<u8>> {
    let rules = shard.rules();
    let mut wanted = Vec::with_capacity(question.patterns.len());
    for id in &question.patterns {
        let found = rules.patterns.find(id);
        wanted.push(found.ok_or_else(|| invalid(format!("patterns: `{id}` is none")))?);
    }
    let Some(clock) = shard.lives.borrow().clock() else { return Ok(Part::default().encode()) };
    let span = Liveness::span(clock, question.business_days, rules.meanings.calendar());
    let (mut left, mut places) = (LIVENESS_PLACES_MAX, 0usize);
    let mut budget = |more: usize| {
        places = places.saturating_add(more);
        let fits = left >= more;
        left = left.saturating_sub(more);
        fits
    };
    let asked = |rule: PatternIndex| question.figures && (wanted.is_empty() || wanted.contains(&rule));
    let part = part(shard, span, clock, asked, &mut budget);
    if places > LIVENESS_PLACES_MAX {
        return Err(invalid(format!(
            "business_days: one worker would have to judge {places} places again, at most {LIVENESS_PLACES_MAX} are; ask \
             for fewer days or fewer patterns, or without figures"
        )));
    }
    Ok(part.encode())
}

/// Rows of the view of rules: (row, how often it is there).
pub fn rows(shard: &Shard, take: impl FnMut(String, i64)) {
    let rules = shard.rules();
    let Some(clock) = shard.lives.borrow().clock() else { return };
    let span = Liveness::span(clock, SPAN_DAYS, rules.meanings.calendar());
    plain::rows(&part(shard, span, clock, |_| true, &mut |_| true), &rules.patterns, take);
}

fn part(
    shard: &Shard,
    span: (Day, Day),
    clock: i64,
    wants_figures: impl Fn(PatternIndex) -> bool,
    budget: &mut impl FnMut(usize) -> bool,
) -> Part {
    let rules = shard.rules();
    let patterns = &rules.patterns;
    let (windows, lives) = (shard.windows.borrow(), shard.lives.borrow());
    let registry = rules.registry(lives.reference());
    let mut part = Part { days: lives.tally().rows(span.1), ..Part::default() };
    // All workers have the same reference data.
    if shard.seat.index() == 0 {
        part.blind.extend(blind_rules(patterns, &registry, clock));
    }
    for (rule, _, date, _) in shard.alerts.borrow().set().iter() {
        if (span.0..=span.1).contains(&date) {
            *part.alerts.entry(rule).or_default() += 1;
        }
    }
    for rule in (0..patterns.rule_count()).map(|place| PatternIndex(place as u16)).filter(|rule| wants_figures(*rule)) {
        if patterns.compares(rule) && !windows.owns(rule) {
            continue;
        }
        let windows = windows.windows_of(rule);
        let figures = rules.liveness.figures(patterns, rule, windows, &registry, (span, clock), budget);
        part.figures.extend(figures.map(|figures| (rule, figures)));
    }
    part
}
