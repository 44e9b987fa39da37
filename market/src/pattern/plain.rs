//! The plain evaluator of patterns: all alerts of a list of records, from nothing, with no state kept between calls.
//!
//! It says what the engine must say. It folds each bill once, adds all features to one ordered map, then judges every rule at
//! every bucket that is due. Slow and obvious on purpose.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::smallvec;

use super::{
    AlertKey, AlertSet, BillTimers, BucketWidth, Hit, Judged, Key, MarketRegistry, Output, PatternIndex, Patterns,
    PlainWindows, Seen, Windows, liveness::Tally,
};
use crate::{
    bill::{Bill, Effect, Laws, Outcome},
    corrections::{Effective, effective_at},
    fact::{EventId, Fact},
    fact_scope::{FactScope, Home, home, scope},
    ids::{BillId, Day},
    observe::{Meanings, Observation},
    reference_data::Reference,
    variants::Elsewhere,
};

/// What does not change with the facts.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The compiled catalogue.
    pub meanings: &'a Meanings,
    /// The fold's laws.
    pub laws: &'a Laws,
    /// The rules.
    pub patterns: &'a Patterns,
}

/// Alerts and what they rest on.
pub struct Evaluation {
    /// Every alert.
    pub alerts: AlertSet,
    /// How often each rule was skipped for missing data (`skipped_no_ref`).
    pub skipped: BTreeMap<PatternIndex, i64>,
    /// All features.
    pub windows: PlainWindows,
    /// Reference data.
    pub reference: Reference,
    /// Facts read, and facts that rules could not judge, by day.
    pub tally: Tally,
}

/// Records by the one who owns them (`fact_scope`), with the copies that it needs (`variants`). `MST.TBK` of a bill is both.
pub(crate) struct Sorted {
    pub bills: BTreeMap<BillId, Vec<Fact>>,
    pub reference: Vec<Fact>,
    pub others: Vec<Fact>,
}

pub(crate) fn sort(records: &[Fact]) -> Sorted {
    let mut sorted = Sorted { bills: BTreeMap::new(), reference: Vec::new(), others: Vec::new() };
    for record in records {
        match scope(record) {
            FactScope::Bill(bill) => sorted.bills.entry(bill).or_default().push(record.clone()),
            FactScope::BillAndReference(bill) => {
                sorted.bills.entry(bill).or_default().push(record.clone());
                sorted.reference.push(record.clone());
            }
            FactScope::Reference => sorted.reference.push(record.clone()),
            FactScope::Party(_) => sorted.others.push(record.clone()),
        }
    }
    let elsewhere = Elsewhere::among(records);
    for (home, copies) in elsewhere.homes() {
        match home {
            Home::Bill(bill) => sorted.bills.entry(bill).or_default().extend_from_slice(copies),
            Home::Reference => sorted.reference.extend_from_slice(copies),
            Home::Desk => sorted.others.extend_from_slice(copies),
        }
    }
    sorted.reference.extend_from_slice(elsewhere.for_reference());
    sorted
}

/// All alerts of the records at a market clock (ms). `baseline`: cells that are stated instead of folded (evidence of peer
/// rules); empty for an evaluation of everything.
pub fn evaluate(records: &[Fact], setting: Setting<'_>, clock: i64, baseline: &PlainWindows) -> Evaluation {
    let sorted = sort(records);
    let mut reference = Reference::new(setting.meanings.vocabulary().clone());
    for record in &sorted.reference {
        reference.insert(record.clone());
    }
    let registry = MarketRegistry { reference: &reference, meanings: setting.meanings };
    let tally = Tally::new(setting.patterns.rule_count());
    let mut state =
        State { alerts: AlertSet::default(), skipped: BTreeMap::new(), windows: baseline.clone(), tally, clock };
    for (bill, records) in &sorted.bills {
        let at = Home::Bill(*bill);
        let facts = effective_at(at, records.clone());
        let (output, timers) = observe_bill(&facts, setting, &registry, &mut state.tally);
        state.take(output);
        state.due(setting.patterns.due(&timers));
        state.waiting(at, records, &facts, setting.patterns);
    }
    for (at, records) in [(Home::Reference, &sorted.reference), (Home::Desk, &sorted.others)] {
        let facts = effective_at(at, records.clone());
        let output = observe_unbilled(&facts, setting, &registry, &mut state.tally);
        state.take(output);
        state.waiting(at, records, &facts, setting.patterns);
    }
    state.judge_all(setting.patterns, &registry);
    let State { alerts, skipped, windows, tally, .. } = state;
    Evaluation { alerts, skipped, windows, reference, tally }
}

/// Folds one bill and observes each of its facts.
pub(super) fn observe_bill(
    facts: &Effective,
    setting: Setting<'_>,
    registry: &MarketRegistry<'_>,
    tally: &mut Tally,
) -> (Output, BillTimers) {
    let (mut bill, mut output, mut timers) = (Bill::default(), Output::default(), BillTimers::default());
    let variants: BTreeSet<EventId> = facts.variants.iter().map(|variant| variant.event_id).collect();
    for fact in &facts.facts {
        let outcome = bill.apply(fact, setting.laws);
        let observation = Observation::new(fact, &outcome, Some(&bill), registry.reference, setting.meanings);
        let seen = Seen { observation: &observation, has_variants: variants.contains(&fact.event_id) };
        let skipped = output.skipped.len();
        setting.patterns.observe(&seen, registry, 1, &mut output);
        setting.patterns.time(&seen, registry, &mut timers);
        tally.read(fact, outcome.effect, 1);
        tally.skip(fact, &output.skipped[skipped..]);
    }
    (output, timers)
}

/// When rules on single bills found something in a bill: the first fact at which each hit, by rule and date of the alert.
pub fn moments_of_bill(
    facts: &Effective,
    setting: Setting<'_>,
    registry: &MarketRegistry<'_>,
) -> BTreeMap<(PatternIndex, Day), i64> {
    let (mut bill, mut moments) = (Bill::default(), BTreeMap::new());
    let variants: BTreeSet<EventId> = facts.variants.iter().map(|variant| variant.event_id).collect();
    for fact in &facts.facts {
        let outcome = bill.apply(fact, setting.laws);
        let observation = Observation::new(fact, &outcome, Some(&bill), registry.reference, setting.meanings);
        let seen = Seen { observation: &observation, has_variants: variants.contains(&fact.event_id) };
        let mut output = Output::default();
        setting.patterns.observe(&seen, registry, 1, &mut output);
        for (hit, _) in output.hits.iter().filter(|(hit, _)| matches!(hit.key, AlertKey::Bill(_))) {
            moments.entry((hit.pattern, hit.date)).or_insert(fact.event_time);
        }
    }
    moments
}

/// Observes facts without a bill, and records of books. Trade background of a bill is judged with the bill.
pub(super) fn observe_unbilled(
    facts: &Effective,
    setting: Setting<'_>,
    registry: &MarketRegistry<'_>,
    tally: &mut Tally,
) -> Output {
    let mut output = Output::default();
    let variants: BTreeSet<EventId> = facts.variants.iter().map(|variant| variant.event_id).collect();
    let outcome = Outcome { effect: Effect::Informational, changes: smallvec![], cuts: smallvec![], answered: None };
    for fact in &facts.facts {
        let observation = Observation::new(fact, &outcome, None, registry.reference, setting.meanings);
        let seen = Seen { observation: &observation, has_variants: variants.contains(&fact.event_id) };
        let skipped = output.skipped.len();
        setting.patterns.observe(&seen, registry, 1, &mut output);
        tally.read(fact, outcome.effect, 1);
        tally.skip(fact, &output.skipped[skipped..]);
    }
    for record in &facts.books {
        setting.patterns.observe_book(record, registry, 1, &mut output);
        tally.read(record, outcome.effect, 1);
    }
    output
}

struct State {
    alerts: AlertSet,
    skipped: BTreeMap<PatternIndex, i64>,
    windows: PlainWindows,
    tally: Tally,
    clock: i64,
}

impl State {
    fn take(&mut self, output: Output) {
        for (hit, weight) in &output.hits {
            self.alerts.add(hit, *weight);
        }
        for (pattern, weight) in output.skipped {
            *self.skipped.entry(pattern).or_default() += i64::from(weight);
        }
        output.deltas.iter().for_each(|delta| self.windows.add(delta));
    }

    fn due(&mut self, due: impl IntoIterator<Item = (i64, Hit)>) {
        for (instant, hit) in due {
            if self.clock >= instant {
                self.alerts.add(&hit, 1);
            }
        }
    }

    fn waiting(&mut self, at: Home, records: &[Fact], facts: &Effective, patterns: &Patterns) {
        let waits = |record: &&Fact| facts.waiting.contains(&record.event_id) && !facts.is_variant(record);
        // Trade background of a bill waits with the bill.
        let mine = |record: &&Fact| home(record) == at;
        let mut seen = BTreeSet::new();
        for record in records.iter().filter(waits).filter(mine) {
            if seen.insert(record.event_id) {
                self.due(patterns.orphan_correction(record));
            }
        }
    }

    fn judge_all(&mut self, patterns: &Patterns, registry: &MarketRegistry<'_>) {
        for place in 0..patterns.rule_count() {
            let pattern = PatternIndex(place as u16);
            if patterns.is_group(pattern) {
                self.judge_groups(pattern, patterns, registry);
            } else if patterns.judged(pattern).is_some() {
                self.judge_keys(pattern, patterns, registry);
            }
        }
    }

    fn places(&self, pattern: PatternIndex, patterns: &Patterns) -> Vec<(Key, i64)> {
        places(pattern, patterns, &self.windows, self.clock)
    }

    fn judge_keys(&mut self, pattern: PatternIndex, patterns: &Patterns, registry: &MarketRegistry<'_>) {
        for (key, bucket) in self.places(pattern, patterns) {
            let judgement = patterns.judge(pattern, key, bucket, &self.windows, registry);
            judgement.hits.iter().for_each(|hit| self.alerts.add(hit, 1));
            *self.skipped.entry(pattern).or_default() += i64::from(judgement.skipped);
        }
    }

    fn judge_groups(&mut self, pattern: PatternIndex, patterns: &Patterns, registry: &MarketRegistry<'_>) {
        let buckets: BTreeSet<i64> = self.places(pattern, patterns).into_iter().map(|(_, bucket)| bucket).collect();
        for bucket in buckets {
            let judgement = patterns.judge_group(pattern, bucket, &self.windows, registry);
            judgement.hits.iter().for_each(|hit| self.alerts.add(hit, 1));
            *self.skipped.entry(pattern).or_default() += i64::from(judgement.skipped);
        }
    }
}

/// Every (key, bucket) at which a rule is due under a clock.
pub(super) fn places(
    pattern: PatternIndex,
    patterns: &Patterns,
    windows: &impl Windows,
    clock: i64,
) -> Vec<(Key, i64)> {
    let to = match patterns.judged(pattern) {
        Some(Judged::AtFact) => i64::MAX,
        // Days up to the one in which the clock stands; those that have not ended are not ripe.
        _ => BucketWidth::Day.bucket(Day::of_time(clock), clock),
    };
    let mut places = Vec::new();
    for key in patterns.triggering_keys(pattern, windows) {
        let due = patterns.judged_buckets(pattern, key, i64::MIN + 8, to, windows);
        let ripe = due.into_iter().filter(|bucket| clock >= patterns.ripe_at(pattern, *bucket));
        places.extend(ripe.map(|bucket| (key, bucket)));
    }
    places
}

/// Alerts as (pattern id, key text, date): what people and examples name.
pub fn names<'a>(alerts: &'a AlertSet, patterns: &'a Patterns) -> impl Iterator<Item = (&'a str, String, Day)> + 'a {
    alerts.iter().map(|(pattern, key, date, _): (_, &AlertKey, _, _)| (patterns.id(pattern), key.to_string(), date))
}
