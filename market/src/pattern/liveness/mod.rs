//! Liveness of rules: is a rule that finds nothing at work, or is it dead?
//!
//! For each rule and the last business days up to the market clock: how many facts were *read* that make it due, of how many
//! the data that it asks for was there (*joined*), how many places were judged (*in window*), how many came *near* its
//! thresholds, how many alerts hold. From the same numbers comes its [`State`]: a rule whose inputs stop, that never had any,
//! or that can find nothing because reference data is empty, is dead, and says since when. That is an alarm of its own;
//! a rule that is fed and finds nothing is QUIET.
//!
//! **Where the numbers come from.** Facts read, and facts that a rule on facts could not judge, are counted as they come
//! ([`tally`]: an addition a fact). All else is worked out when somebody asks, from what stands: places of windows are judged
//! again ([`measure`]), as they are and with thresholds eased ([`ease`]); rules are asked whether they can find
//! anything while the empty kinds of reference data stay empty ([`sources`]).
//!
//! **How long silence may be.** A rule is silent while no fact that makes it due has a business date. Some rules are fed every
//! minute, some once a month. So what is too long is learned from the rule's own past: three times its longest pause so
//! far ([`PAUSES_ALLOWED`]), but 5 business days at the least and 60 at the most; 60 when it was fed on one day alone.
//! The alarm begins with the business day that ends this time.
//!
//! **What is absent.** Rules on facts and timers have no windows: places and what came near are not told. A timer is judged
//! without reading data at its end, so what it joined is not told either. Rules that compare all keys at once do not say
//! which key lacked data; rules without a threshold have nothing to come near to. A rule on a balance is due with every fact
//! that may move a balance.
//!
//! **Laws.** A pure function of accepted facts, catalogue, parameters and market clock. [`Part`]s of workers add up; the plain
//! form ([`plain`]) is one part of everything. Only days up to that of the clock count.

mod ease;
pub mod measure;
pub mod plain;
pub mod sources;
pub mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    ease::SHARE,
    measure::Figures,
    tally::{Tally, TallyRows},
};
use super::{
    PatternIndex, Patterns,
    rules::{Rule, Scope},
};
use crate::{
    catalogue::{Catalogue, calendar::Calendar},
    fact::{BEHAVIOUR_CODES, Behaviour},
    ids::Day,
};

/// Business days that figures are about when nobody says otherwise: two weeks, so that weekly rules were judged twice.
pub const SPAN_DAYS: u32 = 10;
/// Most business days that figures may be about: a quarter.
pub const SPAN_DAYS_MOST: u32 = 60;
/// Silence is too long when it is so many times the longest pause that the rule had before.
pub const PAUSES_ALLOWED: u32 = 3;
/// No silence of fewer business days is too long: a week, for a source may be late with a few days.
pub const SILENCE_LEAST: u32 = 5;
/// Any silence of so many business days is too long: a quarter.
pub const SILENCE_MOST: u32 = 60;

/// How a rule stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Alerts of the span hold.
    Live,
    /// It is fed, and found nothing.
    Quiet,
    /// It was fed, and is no more.
    DeadInput,
    /// It is fed, and can find nothing because reference data is empty.
    DeadReference,
    /// It was never fed.
    NeverFed,
}

/// All states.
pub const STATES: [State; 5] = [State::Live, State::Quiet, State::DeadInput, State::DeadReference, State::NeverFed];

impl State {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            State::Live => "LIVE",
            State::Quiet => "QUIET",
            State::DeadInput => "DEAD_INPUT",
            State::DeadReference => "DEAD_REFERENCE",
            State::NeverFed => "NEVER_FED",
        }
    }

    /// The state of a name.
    pub fn parse(text: &str) -> Option<Self> {
        STATES.into_iter().find(|state| state.name() == text)
    }
}

/// How one rule stands at a market clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleLiveness {
    /// The rule.
    pub pattern: PatternIndex,
    /// How it stands.
    pub state: State,
    /// First day of the alarm; `None`: there is none. A rule that was never fed raises one only when the market has gone on
    /// for [`SILENCE_MOST`] business days.
    pub dead_since: Option<Day>,
    /// First and last business day with a fact that makes it due.
    pub fed: Option<(Day, Day)>,
    /// Business days without such a fact that are too long; 0 when it was never fed.
    pub silence_allowed: u32,
    /// Facts of the span that make it due.
    pub read: i64,
    /// Of them, or of the places judged, those that lacked no data; `None`: not told.
    pub joined: Option<i64>,
    /// Places judged; `None`: not told, or not asked for.
    pub in_window: Option<i64>,
    /// Of them those that alert or would with eased thresholds.
    pub near: Option<i64>,
    /// Alerts that hold, dated in the span.
    pub alerts: i64,
    /// Empty reference data without which it can find nothing.
    pub missing: Vec<String>,
}

/// What one worker has to say; parts add up.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Facts read and facts not judged, up to the day of the clock.
    pub days: TallyRows,
    /// Alerts by rule that hold, dated in the span.
    pub alerts: BTreeMap<PatternIndex, i64>,
    /// Figures of rules on windows, where they were asked for.
    pub figures: BTreeMap<PatternIndex, Figures>,
    /// Rules that can find nothing, with the empty reference data: every worker knows the same, one says so.
    pub blind: BTreeMap<PatternIndex, Vec<String>>,
}

impl Part {
    /// Adds up what all workers say.
    pub fn gather(parts: impl IntoIterator<Item = Part>, rules: usize) -> Part {
        let (mut all, mut tally) = (Part::default(), Tally::new(rules));
        for part in parts {
            tally.add_rows(&part.days);
            for (rule, alerts) in part.alerts {
                *all.alerts.entry(rule).or_default() += alerts;
            }
            for (rule, figures) in part.figures {
                all.figures.entry(rule).and_modify(|known| known.add(figures)).or_insert(figures);
            }
            all.blind.extend(part.blind);
        }
        all.days = tally.rows(Day(i32::MAX));
        all
    }

    /// As bytes between worker and coordinator.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("memory takes every row")
    }

    /// The inverse of [`Part::encode`]; `None`: the mates are of different builds.
    pub fn decode(bytes: &[u8]) -> Option<Part> {
        postcard::from_bytes(bytes).ok()
    }
}

/// What liveness needs to know of the rules, compiled once.
pub struct Liveness {
    /// By rule: slots of the tally whose facts make it due.
    inputs: Vec<Vec<u16>>,
    /// By rule: it is judged on facts, so the tally knows those that it could not judge.
    on_facts: Vec<bool>,
    /// Rules with eased thresholds, where they have any.
    eased: Vec<Option<Rule>>,
}

impl Liveness {
    /// Of the rules of a catalogue.
    pub fn new(catalogue: &Catalogue, patterns: &Patterns) -> Self {
        let rules = &patterns.compiled.rules;
        Liveness {
            inputs: rules.iter().map(|rule| inputs(rule, catalogue, patterns)).collect(),
            on_facts: rules.iter().map(|rule| matches!(rule.scope, Scope::Bill(_))).collect(),
            eased: rules.iter().map(|rule| super::keyed_of(rule).and_then(|_| ease::eased(rule))).collect(),
        }
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.inputs.len()
    }

    /// Behaviours whose facts make a rule due; true: also those without effect.
    pub fn behaviours(&self, pattern: PatternIndex) -> (Vec<Behaviour>, bool) {
        let slots = self.inputs.get(usize::from(pattern.0)).map_or(&[][..], Vec::as_slice);
        let mut behaviours: Vec<Behaviour> = slots.iter().map(|slot| Behaviour(slot / 2)).collect();
        behaviours.dedup();
        (behaviours, slots.iter().any(|slot| !slot.is_multiple_of(2)))
    }

    /// What a rule read on each day of a span where it read anything: (day, facts, of a rule on facts those that it could
    /// judge).
    pub fn days(&self, pattern: PatternIndex, part: &Part, span: (Day, Day)) -> Vec<(Day, i64, Option<i64>)> {
        let place = usize::from(pattern.0);
        let mut tally = Tally::new(self.rule_count());
        tally.add_rows(&part.days);
        let skipped: BTreeMap<Day, i64> = tally.by_day(&[tally::skipped(pattern)]).collect();
        let read = tally.by_day(&self.inputs[place]).filter(|(day, _)| (span.0..=span.1).contains(day));
        let judged = |day, read| self.on_facts[place].then(|| read - skipped.get(&day).copied().unwrap_or_default());
        read.map(|(day, read)| (day, read, judged(day, read))).collect()
    }

    /// The last so many business days up to that in which the clock (ms) stands: first and last day.
    pub fn span(clock: i64, days: u32, calendar: &Calendar) -> (Day, Day) {
        let today = Day::of_time(clock);
        let days = days.clamp(1, SPAN_DAYS_MOST);
        let first = match calendar.is_business_day(today) {
            true => calendar.minus(today, days - 1),
            false => calendar.minus(today, days),
        };
        (first, today)
    }

    /// How all rules stand, in order, by the parts of all workers. `clock`: ms; `span`: what the parts are about.
    pub fn finish(&self, part: &Part, (span, clock): ((Day, Day), i64), calendar: &Calendar) -> Vec<RuleLiveness> {
        let mut tally = Tally::new(self.rule_count());
        tally.add_rows(&part.days);
        let all: Vec<u16> = (0..2 * BEHAVIOUR_CODES.len() as u16).collect();
        let market_since = tally.by_day(&all).next().map(|(day, _)| day);
        let time = Time { span, clock, calendar, market_since };
        (0..self.rule_count()).map(|place| self.finish_rule(PatternIndex(place as u16), part, &tally, &time)).collect()
    }

    fn finish_rule(&self, pattern: PatternIndex, part: &Part, tally: &Tally, time: &Time<'_>) -> RuleLiveness {
        let place = usize::from(pattern.0);
        let days: Vec<(Day, i64)> = tally.by_day(&self.inputs[place]).collect();
        let in_span = |days: &mut dyn Iterator<Item = (Day, i64)>| {
            days.filter(|(day, _)| (time.span.0..=time.span.1).contains(day)).map(|(_, number)| number).sum::<i64>()
        };
        let read = in_span(&mut days.iter().copied());
        let figures = part.figures.get(&pattern);
        let joined = match self.on_facts[place] {
            true => Some(read - in_span(&mut tally.by_day(&[tally::skipped(pattern)]))),
            false => figures.and_then(|figures| figures.joined),
        };
        let alerts = part.alerts.get(&pattern).copied().unwrap_or_default();
        let missing = part.blind.get(&pattern).cloned().unwrap_or_default();
        let fed = days.first().zip(days.last()).map(|(first, last)| (first.0, last.0));
        let silence_allowed = if days.is_empty() { 0 } else { silence_allowed(&days, time.calendar) };
        let (state, dead_since) = match fed {
            None => (State::NeverFed, time.market_since.and_then(|since| time.passed(since, SILENCE_MOST))),
            Some((first, last)) => match time.passed(last, silence_allowed) {
                Some(since) => (State::DeadInput, Some(since)),
                // What is empty now was so on every day before: reference data that was taken back never was.
                None if !missing.is_empty() => (State::DeadReference, Some(first)),
                None if alerts > 0 => (State::Live, None),
                None => (State::Quiet, None),
            },
        };
        RuleLiveness {
            pattern,
            state,
            dead_since,
            fed,
            silence_allowed,
            read,
            joined,
            in_window: figures.map(|figures| figures.in_window),
            near: figures.and_then(|figures| figures.near),
            alerts,
            missing,
        }
    }
}

/// When rules are looked at.
struct Time<'a> {
    span: (Day, Day),
    clock: i64,
    calendar: &'a Calendar,
    /// First day with a fact of the market.
    market_since: Option<Day>,
}

impl Time<'_> {
    /// The so-manieth business day after a day, when the clock has passed its end.
    fn passed(&self, after: Day, business_days: u32) -> Option<Day> {
        let due = self.calendar.plus(after, business_days);
        (self.clock >= due.end_ms() - 1).then_some(due)
    }
}

/// Business days without input that are too long for a rule that was fed on these days.
fn silence_allowed(days: &[(Day, i64)], calendar: &Calendar) -> u32 {
    let pauses = days.windows(2).map(|pair| calendar.count_between(pair[0].0, pair[1].0));
    let longest = pauses.max().unwrap_or(SILENCE_MOST);
    longest.saturating_mul(PAUSES_ALLOWED).clamp(SILENCE_LEAST, SILENCE_MOST)
}

/// Slots of the tally whose facts make a rule due.
fn inputs(rule: &Rule, catalogue: &Catalogue, patterns: &Patterns) -> Vec<u16> {
    let every = || (0..BEHAVIOUR_CODES.len() as u16).map(Behaviour).collect::<Vec<_>>();
    let listed = |on: &[Behaviour]| if on.is_empty() { every() } else { on.to_vec() };
    let (behaviours, any_effect) = match &rule.scope {
        Scope::Bill(bill) => (listed(&bill.on), bill.any_effect),
        Scope::Timer(timer) => (listed(&timer.start.on), false),
        Scope::Orphan => (every(), true),
        Scope::Keyed(_) | Scope::Peer(_) => {
            let (mut behaviours, mut any_effect) = (Vec::new(), false);
            for feature in super::keyed_of(rule).map_or(&[][..], |keyed| &keyed.trigger) {
                for emit in &patterns.compiled.features[usize::from(feature.0)].emits {
                    any_effect |= emit.any_effect;
                    // A balance moves with facts that change the state of a lot.
                    let moves = |behaviour: &Behaviour| catalogue.behaviour_row(*behaviour).has_state;
                    match emit.on.as_slice() {
                        [] => behaviours.extend(every().iter().filter(|it| moves(it))),
                        on => behaviours.extend_from_slice(on),
                    }
                }
            }
            (behaviours, any_effect)
        }
    };
    let mut slots: Vec<u16> = behaviours.iter().map(|behaviour| tally::counted(*behaviour)).collect();
    if any_effect {
        slots.extend(behaviours.iter().map(|behaviour| tally::uncounted(*behaviour)));
    }
    slots.sort_unstable();
    slots.dedup();
    slots
}
