//! Parts of indicators from the windows of this worker, and the facts behind one value.
//!
//! Nothing is kept between questions but the sums of groups of former days ([`Memo`]), which the base of a mean or median
//! reads again and again; what an epoch changed is told by [`Windows::take_changes`].
//!
//! [`Memo`]: billwatch_market::indicator::Memo
//! [`Windows::take_changes`]: crate::dataflow::windows::Windows::take_changes

use std::ops::ControlFlow;

use billwatch_market::{
    bill::Bill,
    corrections::effective_at,
    evaluator::without_bill,
    fact::Fact,
    fact_scope::Home,
    ids::{Day, PartyId},
    indicator::{
        Evaluator, IndicatorIndex, Part,
        explain::{Answer, Explainer, Life, kept_members, window_sums},
    },
    observe::Observation,
    pattern::{FeatureIndex, Key, MarketRegistry, Output, Registry as _, Seen},
    view::indicator_row,
};
use billwatch_proto::v1;

use super::{budget::Budget, invalid};
use crate::{
    dataflow::{lives::Dense, series_store::SeriesStore},
    limits::INDICATOR_VALUES_MAX,
    shard::Shard,
};

type ShardEvaluator<'a> = Evaluator<'a, SeriesStore, SeriesStore, MarketRegistry<'a>>;

/// What this worker has to say.
pub fn answer(shard: &Shard, question: &v1::IndicatorQuestion) -> anyhow::Result<Answer> {
    let rules = shard.rules();
    let indicators = &rules.indicators;
    let mut wanted = Vec::new();
    for id in &question.indicators {
        let found = indicators.find(id);
        wanted.push(
            found.ok_or_else(|| invalid(format!("indicators: `{id}` is none; list them to see which there are")))?,
        );
    }
    let key = match question.key.as_str() {
        "" => None,
        text => {
            Some(Key::parse(text).ok_or_else(|| invalid(format!("keys: `{text}` is no party and no pair of codes")))?)
        }
    };
    forget_what_changed(shard);
    let mut answer = Answer::default();
    let Some(clock) = shard.lives.borrow().clock() else { return Ok(answer) };
    let mut left = INDICATOR_VALUES_MAX;
    for indicator in &wanted {
        answer.parts.push(part(shard, *indicator, key, question, clock, &mut left)?);
    }
    if let (true, Some(key), [indicator]) = (question.explain, key, wanted.as_slice()) {
        let (_, day) = indicators.span(*indicator, question.from_day.map(Day), question.to_day.map(Day), clock);
        explain(shard, *indicator, (key, day), &mut answer)?;
    }
    Ok(answer)
}

/// The formulas over the windows of this worker.
pub(super) fn with_evaluator<T>(shard: &Shard, work: impl FnOnce(&ShardEvaluator<'_>) -> T) -> T {
    let (windows, lives) = (shard.windows.borrow(), shard.lives.borrow());
    let rules = shard.rules();
    let registry = rules.registry(lives.reference());
    work(&Evaluator {
        indicators: &rules.indicators,
        windows: &windows.keyed,
        everywhere: &windows.collective,
        registry: &registry,
    })
}

fn forget_what_changed(shard: &Shard) {
    let (changed, reference) = shard.windows.borrow_mut().take_changes();
    let rules = shard.rules();
    let indicators = &rules.indicators;
    let mut memo = shard.indicators.borrow_mut();
    for indicator in indicators.all() {
        let first = indicators.features(indicator).map(|feature| changed[usize::from(feature.0)]).min();
        let day = first.map_or(Day(i32::MAX), |bucket| Day(i32::try_from(bucket).unwrap_or(i32::MAX)));
        let of_reference = if reference == i64::MAX { Day(i32::MAX) } else { Day::of_time(reference) };
        memo.forget_from(indicator, day.min(of_reference));
    }
}

fn part(
    shard: &Shard,
    indicator: IndicatorIndex,
    key: Option<Key>,
    question: &v1::IndicatorQuestion,
    clock: i64,
    left: &mut usize,
) -> anyhow::Result<Part> {
    let rules = shard.rules();
    let indicators = &rules.indicators;
    let calendar = rules.meanings.calendar();
    let (from, to) = indicators.span(indicator, question.from_day.map(Day), question.to_day.map(Day), clock);
    let only = key.filter(|_| !indicators.needs_peers(indicator));
    let mut part = Part { indicator, rows: Vec::new(), summaries: Vec::new() };
    with_evaluator(shard, |evaluator| {
        let keys = match only {
            Some(key) => evaluator.only_key(indicator, key),
            None => evaluator.keys(indicator),
        };
        let Some(first) = keys.iter().map(|(_, first)| *first).min() else { return Ok(part) };
        let base = calendar.minus(from, indicators.base_days(indicator)).max(first);
        let all_days = indicators.needs_all_keys(indicator);
        for day in indicators.days(indicator, (base.min(from).max(first), to), clock, calendar) {
            let is_asked = day >= from;
            if !is_asked
                && !all_days
                && only.is_none()
                && let Some(known) = shard.indicators.borrow().get(indicator, day)
            {
                part.summaries.extend_from_slice(known);
                continue;
            }
            *left = left.checked_sub(keys.len()).ok_or_else(|| {
                invalid(format!(
                    "from_date: more than {INDICATOR_VALUES_MAX} values would have to be worked out at one worker; ask for \
                     fewer days or one indicator"
                ))
            })?;
            let mut of_day = evaluator.part(indicator, &keys, day);
            if !is_asked && only.is_none() {
                shard.indicators.borrow_mut().put(indicator, day, of_day.summaries.clone());
            }
            let wants_keys =
                key.is_some() || question.explain || (!question.only_groups && indicators.has_key_values(indicator));
            let keeps_rows = all_days || (is_asked && wants_keys);
            if keeps_rows {
                of_day.rows.retain(|row| key.is_none_or(|key| row.key == key));
                part.rows.append(&mut of_day.rows);
            }
            part.summaries.append(&mut of_day.summaries);
        }
        Ok(part)
    })
}

/// Rows of the view of indicators: parts of every key of this worker on every day.
pub fn rows(shard: &Shard, mut take: impl FnMut(String)) {
    let rules = shard.rules();
    let indicators = &rules.indicators;
    let Some(clock) = shard.lives.borrow().clock() else { return };
    with_evaluator(shard, |evaluator| {
        for indicator in indicators.all() {
            let keys = evaluator.keys(indicator);
            let Some(first) = keys.iter().map(|(_, first)| *first).min() else { continue };
            let span = (first, Day::of_time(clock));
            for day in indicators.days(indicator, span, clock, evaluator.registry.calendar()) {
                for row in evaluator.rows(indicator, &keys, day) {
                    take(indicator_row(indicators.id(indicator), row.key, row.day, &row.parts));
                }
            }
        }
    });
}

/// Windows of the key, where they lie here, and the lines of the lives that feed them.
fn explain(shard: &Shard, indicator: IndicatorIndex, place: (Key, Day), answer: &mut Answer) -> anyhow::Result<()> {
    let rules = shard.rules();
    let patterns = &rules.patterns;
    let key = place.0;
    with_evaluator(shard, |evaluator| {
        if !evaluator.only_key(indicator, key).is_empty() {
            let name_of = |feature: FeatureIndex| patterns.feature_name(feature).to_owned();
            answer.windows = window_sums(evaluator, indicator, place, name_of);
            answer.kept = kept_members(evaluator, indicator, place);
        }
        let mut explainer = Explainer::new(evaluator, indicator, place, |feature| patterns.is_balance(feature));
        let budget = Budget::new(shard.common.question_facts_max);
        let lives = shard.lives.borrow();
        let mut take = |home: Home, records: Vec<Fact>| {
            budget.take(records.len())?;
            let life = life(shard, &explainer, home, records);
            explainer.close(life);
            ControlFlow::Continue(())
        };
        // A fact feeds a party's windows only when it names the party; groups and codes are named by nobody.
        let is_named = matches!(key.0 >> 60, 1..=4) && PartyId::from_bits(key.0).bits() == key.0 && key.1 == 0;
        if is_named {
            let candidates: Vec<Dense> = lives.readers_of(key.0).collect();
            for some in candidates.chunks(1_024) {
                if lives.families(some.iter().copied(), &mut take)?.is_break() {
                    break;
                }
            }
        } else {
            lives.each_family(&mut take)?;
        }
        budget.check("this explanation", "look at the features of the key, or at a day with fewer facts")?;
        answer.lines = explainer.lines();
        Ok(())
    })
}

/// What the records of one life add to the explained windows.
fn life(
    shard: &Shard,
    explainer: &Explainer<'_, SeriesStore, SeriesStore, MarketRegistry<'_>>,
    home: Home,
    records: Vec<Fact>,
) -> Life {
    let rules = shard.rules();
    let lives = shard.lives.borrow();
    let registry = rules.registry(lives.reference());
    let effective = effective_at(home, records);
    let (mut bill, mut life) = (Bill::default(), Life::default());
    for fact in &effective.facts {
        let outcome = if home.bill().is_some() { bill.apply(fact, &rules.laws) } else { without_bill() };
        let after = home.bill().is_some().then_some(&bill);
        let observation = Observation::new(fact, &outcome, after, lives.reference(), &rules.meanings);
        let seen = Seen { observation: &observation, has_variants: false };
        let mut output = Output::default();
        rules.patterns.observe(&seen, &registry, 1, &mut output);
        explainer.take(fact, &output.deltas, &mut life);
    }
    life
}
