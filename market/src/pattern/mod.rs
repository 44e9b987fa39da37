//! Risk patterns: data over shared features, judged by a handful of interpreters.
//!
//! **What a pattern is.** patterns.csv says what it means, its severity and default parameters; `rules_*.json`, one file a
//! family, say how it is judged, `features.json` what they read. Each rule has one of five scopes, which together serve the twelve engine families:
//!
//! | scope | families | judged |
//! |---|---|---|
//! | bill | lifecycle-sequence, lineage cycles and chains, price-deviation, related-party, data-quality | at each fact of a bill |
//! | keyed | windowed-threshold, ratio-vs-reference, statistical-deviation, pair cycles, fans, concentration | on windows of a key |
//! | peer | peer-group | on all keys of a day at once |
//! | timer | absence-timer | by the market clock |
//! | orphan | data-quality P184 | by the market clock |
//!
//! **Laws.** Everything here is pure. Hits and feature deltas carry a weight, so whatever a fact added is taken away by the
//! same call with weight −1. The plain evaluator ([`plain`]) and the engine call the same judges.
//!
//! **The engine's part**, for each bill fact, before (−1) and after (+1) a refold, or +1 on the fast path:
//! 1. [`Patterns::observe`] → hits (bill scope) and feature deltas (keyed scope);
//! 2. [`Patterns::time`] extends the bill's [`BillTimers`]; [`Patterns::due`] lists what they make due, each with the instant that
//!    the clock must have passed;
//! 3. add deltas to windows; for each [`Patterns::readers`] of a changed feature judge again the buckets that
//!    [`Patterns::judged_buckets`] finds between the changed bucket and its reach, as far as [`Patterns::ripe_at`] lies not
//!    behind the clock; store what [`Patterns::judge`] says for (rule, key, bucket), and emit the difference as hits ±1.
//!
//! **A new pattern** of a known family is a row in patterns.csv and an entry in the rules of its family (form: `rule_text`; words:
//! `vocabulary`), with a case in `tests` that meets its thresholds and one that misses them by the smallest unit.
//!
//! **Time.** A window is so many buckets long; its edges may hang on the judged day besides (`from`, `to`). A rule is judged at
//! the fact or at the end of a period, some days later if it says so ([`Judged`], `delay`). `judge/series` asks the same on
//! other days. None of this keeps state: everything is a function of cells, so it retracts like them.
//!
//! **Decisions.** A day of a keyed rule is judged as a whole, not fact by fact inside the day. Peers are compared at the end
//! of each day with a triggering fact. Stock cells carry master data as of the acceptance of the bill. P184 looks for a
//! request among the facts of the same bill.
//!
//! Begin with [`Patterns`], then `expression` (what a condition means), `features` (what facts add), `schedule` and `judge`.

mod adapter;
pub mod alert;
mod at_fact;
pub(crate) mod bill_scope;
mod changed;
mod compile;
pub mod evidence;
#[cfg(test)]
mod examples;
pub(crate) mod expression;
mod features;
pub(crate) mod fold;
mod graph;
mod judge;
pub mod liveness;
pub(crate) mod number;
mod parameters;
pub(crate) mod parser;
pub mod plain;
mod rings;
mod rule_text;
mod rules;
mod schedule;
mod sight;
pub(crate) mod statistics;
#[cfg(test)]
pub(crate) mod tests;
mod timer;
pub(crate) mod vocabulary;
mod whole;
mod windows;

pub use self::{
    adapter::{MarketRegistry, Seen},
    alert::{AlertId, AlertKey, AlertSet, Hit, HitCount, Key, LEVELS, Level, PatternIndex},
    changed::RuleKind,
    compile::RuleError,
    judge::Judgement,
    number::Number,
    parameters::{DEFAULT_WORD, ParameterError, ParameterKind, ParameterRow, Parameters},
    rules::{Judged, KeyForm},
    schedule::Reader,
    sight::{Moment, Registry, Sight, overlap},
    timer::{Answer, BillTimers, Started},
    vocabulary::Role,
    windows::{BucketWidth, Cell, FeatureDelta, FeatureIndex, Member, PlainWindows, Windows, largest_of},
};
use std::collections::BTreeSet;

use self::{
    features::EmitIndex,
    rules::{Compiled, KeyedRule, Rule, Scope, TimerRule, by_behaviour},
    vocabulary::Variable,
};
use crate::{
    catalogue::Catalogue,
    fact::{Fact, Field},
    ids::Day,
};

/// The table of meanings, as embedded.
pub const PATTERNS_CSV: &str = include_str!("../../catalogue/patterns.csv");

macro_rules! rule_files {
    ($($file:literal,)*) => { [$(($file, include_str!(concat!("../../catalogue/", $file))),)*] };
}

/// Files of the catalogue that hold features and rules, with their embedded texts.
pub const RULE_FILES: [(&str, &str); 14] = rule_files![
    "features.json",
    "indicator_features.json",
    "rules_absence_timer.json",
    "rules_concentration.json",
    "rules_data_quality.json",
    "rules_graph_cycle.json",
    "rules_graph_fan_chain.json",
    "rules_lifecycle_sequence.json",
    "rules_peer_group.json",
    "rules_price_deviation.json",
    "rules_ratio_vs_reference.json",
    "rules_related_party_master_data.json",
    "rules_statistical_deviation.json",
    "rules_windowed_threshold.json",
];

/// Whether rules can be used, under default parameters: for the catalogue, which checks all its files when it is read.
/// `rules`: (file, text).
pub fn check_rules(patterns_csv: &str, rules: &[(&str, &str)]) -> Result<(), RuleError> {
    compile::compile(patterns_csv, rules, &Parameters::default()).map(drop)
}

/// What bill-scope judging of one fact gives.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Output {
    /// Hits with their weights.
    pub hits: Vec<(Hit, i32)>,
    /// Changes of feature cells, weights included.
    pub deltas: Vec<FeatureDelta>,
    /// Rules that were skipped for missing data, with weights: feeds `skipped_no_ref`.
    pub skipped: Vec<(PatternIndex, i32)>,
}

/// The compiled rule set. Immutable; share it behind an `Arc`.
pub struct Patterns {
    compiled: Compiled,
    version: u32,
    /// Bill rules to judge, by behaviour.
    bill_rules: Vec<Box<[u16]>>,
    emits: EmitIndex,
    /// Rules of timers, by timer number.
    timers: Box<[PatternIndex]>,
    starts: Vec<Box<[u16]>>,
    answers: Vec<Box<[u16]>>,
    readers: Vec<Vec<Reader>>,
    compared_by_member: Vec<bool>,
    orphan: Option<PatternIndex>,
}

impl Patterns {
    /// The embedded rules with default parameters.
    pub fn embedded() -> Self {
        Self::compile(PATTERNS_CSV, &RULE_FILES, &Parameters::default()).expect("the embedded rules are tested")
    }

    /// The rules of a catalogue under parameters.
    pub fn of(catalogue: &Catalogue, parameters: &Parameters) -> Result<Self, RuleError> {
        let text = |file, embedded| catalogue.text(file).unwrap_or(embedded);
        let rules = RULE_FILES.map(|(file, embedded)| (file, text(file, embedded)));
        Self::compile(text("patterns.csv", PATTERNS_CSV), &rules, parameters)
    }

    /// Compiles rules, given as (file, text), under parameters. The error names the pattern and the column.
    pub fn compile(patterns_csv: &str, rules: &[(&str, &str)], parameters: &Parameters) -> Result<Self, RuleError> {
        let compiled = compile::compile(patterns_csv, rules, parameters)?;
        let rules = &compiled.rules;
        let none: &[crate::fact::Behaviour] = &[crate::fact::Behaviour(u16::MAX)];
        let bill_rules = by_behaviour(rules.iter().map(|rule| match &rule.scope {
            Scope::Bill(bill) => bill.on.as_slice(),
            _ => none,
        }));
        let emits = EmitIndex::new(&compiled.features);
        let timer_rules: Vec<(PatternIndex, &TimerRule)> = rules
            .iter()
            .enumerate()
            .filter_map(|(place, rule)| match &rule.scope {
                Scope::Timer(timer) => Some((PatternIndex(place as u16), timer)),
                _ => None,
            })
            .collect();
        let starts = by_behaviour(timer_rules.iter().map(|(_, timer)| timer.start.on.as_slice()));
        let answers = by_behaviour(timer_rules.iter().map(|(_, timer)| timer.answers.on.as_slice()));
        let timers = timer_rules.iter().map(|(index, _)| *index).collect();
        let readers =
            (0..compiled.features.len()).map(|at| schedule::readers(rules, FeatureIndex(at as u16))).collect();
        let compared_by_member = schedule::compared_by_member(rules, &compiled.features);
        let orphan = rules.iter().position(|rule| matches!(rule.scope, Scope::Orphan));
        let orphan = orphan.map(|place| PatternIndex(place as u16));
        let version = parameters.version;
        Ok(Patterns {
            compiled,
            version,
            bill_rules,
            emits,
            timers,
            starts,
            answers,
            readers,
            compared_by_member,
            orphan,
        })
    }

    /// Version of the parameters: goes onto every alert.
    pub fn parameters_version(&self) -> u32 {
        self.version
    }

    /// Number of rules: pattern indices are below.
    pub fn rule_count(&self) -> usize {
        self.compiled.rules.len()
    }

    /// Number of features: feature indices are below.
    pub fn feature_count(&self) -> usize {
        self.compiled.features.len()
    }

    /// Name of a feature, as the rules call it.
    pub fn feature_name(&self, feature: FeatureIndex) -> &str {
        &self.compiled.feature_names[usize::from(feature.0)]
    }

    /// The feature of a name; what is the same under several names is one feature.
    pub fn feature(&self, name: &str) -> Option<FeatureIndex> {
        self.compiled.feature_places.get(name).map(|place| FeatureIndex(*place as u16))
    }

    /// The feature is a balance: its cells come from lots, and count no facts.
    pub fn is_balance(&self, feature: FeatureIndex) -> bool {
        self.compiled.features[usize::from(feature.0)].emits.iter().any(|emit| emit.on.is_empty())
    }

    /// Id of a rule, such as `P013`.
    pub fn id(&self, pattern: PatternIndex) -> &str {
        &self.rule(pattern).id
    }

    /// engine_family of a rule.
    pub fn family(&self, pattern: PatternIndex) -> &str {
        &self.rule(pattern).family
    }

    /// The rule of a pattern id.
    pub fn find(&self, id: &str) -> Option<PatternIndex> {
        rules::index_of(&self.compiled.rules, id)
    }

    /// Parameters of a rule with their values in force, as text.
    pub fn parameters(&self, pattern: PatternIndex) -> impl Iterator<Item = (&str, String)> {
        self.parameter_rows(pattern).iter().map(|row| (row.name.as_str(), row.value.clone()))
    }

    fn rule(&self, pattern: PatternIndex) -> &Rule {
        &self.compiled.rules[usize::from(pattern.0)]
    }

    /// Bucket width of a feature.
    pub fn width(&self, feature: FeatureIndex) -> BucketWidth {
        self.compiled.features[usize::from(feature.0)].width
    }

    fn timer(&self, number: u8) -> (&Rule, &TimerRule) {
        let rule = self.rule(self.timers[usize::from(number)]);
        match &rule.scope {
            Scope::Timer(timer) => (rule, timer),
            _ => unreachable!("`timers` holds rules of timers only"),
        }
    }

    /// Every alert that the timers of a bill make due, each with the last instant of its limit (ms): the alert is there once
    /// `clock >= instant`. Pure; call it after the bill changed and keep what it says.
    pub fn due(&self, timers: &BillTimers) -> Vec<(i64, Hit)> {
        let early = |number| self.timer(number).1.early_answers;
        let mut due: Vec<(i64, Hit)> = timers
            .unanswered(early)
            .map(|started| {
                let pattern = self.timers[usize::from(started.timer)];
                let hit =
                    Hit { pattern, key: started.key.clone(), date: started.limit, level: self.rule(pattern).level };
                (started.due, hit)
            })
            .collect();
        due.extend(timers.waiting().filter_map(|waiting| self.orphan_hit(waiting.event, waiting.at)));
        due
    }

    /// As [`Patterns::due`]; then forgets what facts from `now` (ms) on cannot change any more.
    pub fn settle(&self, timers: &mut BillTimers, now: i64) -> Vec<(i64, Hit)> {
        // An answered start stays answered: answers only become more.
        timers.tidy(now, |number| self.timers.get(usize::from(number)).is_some() && self.timer(number).1.early_answers);
        self.due(timers)
    }

    /// P184 for a correction that waits (`corrections::Effective::waiting`). As [`Patterns::due`].
    pub fn orphan_correction(&self, correction: &Fact) -> Option<(i64, Hit)> {
        let recorded = correction.int(Field::RecordedTime).unwrap_or(correction.event_time);
        self.orphan_hit(correction.event_id, recorded)
    }

    fn orphan_hit(&self, event: u128, at: i64) -> Option<(i64, Hit)> {
        let pattern = self.orphan?;
        let rule = self.rule(pattern);
        let minutes = rule.parameters.first().and_then(|minutes| minutes.as_whole()).unwrap_or(0);
        let due = at.saturating_add(i64::try_from(minutes).ok()?.saturating_mul(60_000));
        let hit = Hit { pattern, key: AlertKey::Event(event), date: Day::of_time(due), level: rule.level };
        Some((due, hit))
    }

    /// The rules to judge again when a cell of a feature changed.
    pub fn readers(&self, feature: FeatureIndex) -> &[Reader] {
        &self.readers[usize::from(feature.0)]
    }

    /// What an epoch adds to a cell of the feature leaves its worker once: nearly every fact feeds it.
    pub fn is_added_up(&self, feature: FeatureIndex) -> bool {
        self.compiled.features[usize::from(feature.0)].added_up
    }

    /// Rules that compare keys tell the members of a feature apart. Where none does, they judge the same when all that a bucket
    /// of a key holds is one cell.
    pub fn compared_by_member(&self, feature: FeatureIndex) -> bool {
        self.compared_by_member[usize::from(feature.0)]
    }

    /// Rules that read reference data of their key at judgement: judge again all buckets of a key from the instant on at which
    /// its data changed. (Data read at a fact is part of the fact's observation and comes through a refold.)
    pub fn reference_readers(&self) -> impl Iterator<Item = PatternIndex> {
        let reads = |(place, rule): (usize, &Rule)| {
            let keyed = keyed_of(rule)?;
            keyed.reads_reference.then_some(PatternIndex(place as u16))
        };
        self.compiled.rules.iter().enumerate().filter_map(reads)
    }

    /// Rules on windows that read rates of the market at judgement ([`Patterns::reference_readers`] has those of parties).
    pub fn rate_readers(&self) -> impl Iterator<Item = PatternIndex> {
        let reads = |(place, rule): (usize, &Rule)| {
            let mut found = false;
            for node in rule.judged_by().filter(|_| keyed_of(rule).is_some()) {
                node.walk(&mut |node| {
                    found |= matches!(node, expression::Node::Lookup(vocabulary::Lookup::ReferenceRate, _));
                });
            }
            found.then_some(PatternIndex(place as u16))
        };
        self.compiled.rules.iter().enumerate().filter_map(reads)
    }

    /// Rules that read reference data of the members for which they are asked, with the feature of these members.
    pub fn member_readers(&self) -> impl Iterator<Item = (PatternIndex, FeatureIndex)> {
        let reads = |(place, rule): (usize, &Rule)| {
            let keyed = keyed_of(rule)?;
            let asked = keyed.each.map(|window| keyed.windows[window].feature);
            let mut found = None;
            for node in rule.judged_by() {
                node.walk(&mut |node| {
                    found = found.or(match node {
                        expression::Node::Variable(Variable::Attribute(Role::Member, _)) => asked,
                        expression::Node::Window(vocabulary::Window::DistinctGroups, window, _) => {
                            Some(keyed.windows[*window].feature)
                        }
                        _ => None,
                    });
                });
            }
            Some((PatternIndex(place as u16), found?))
        };
        self.compiled.rules.iter().enumerate().filter_map(reads)
    }

    /// Features whose keys a rule is judged for.
    pub fn triggers(&self, pattern: PatternIndex) -> &[FeatureIndex] {
        keyed_of(self.rule(pattern)).map_or(&[], |keyed| &keyed.trigger)
    }

    /// Keys with cells of a feature that makes a rule due, ascending.
    pub fn triggering_keys(&self, pattern: PatternIndex, windows: &impl Windows) -> BTreeSet<Key> {
        let mut keys = BTreeSet::new();
        for feature in self.triggers(pattern) {
            windows.keys(*feature, &mut |key| {
                keys.insert(key);
            });
        }
        keys
    }

    /// The feature whose keys a peer rule compares with each other.
    pub fn compared(&self, pattern: PatternIndex) -> Option<FeatureIndex> {
        match &self.rule(pattern).scope {
            Scope::Peer(peer) => peer.keyed.windows.first().map(|window| window.feature),
            _ => None,
        }
    }

    /// When a rule is judged; `None` for bill scope, timers and orphans.
    pub fn judged(&self, pattern: PatternIndex) -> Option<Judged> {
        keyed_of(self.rule(pattern)).map(|keyed| keyed.judged)
    }

    /// The rule reads windows of other keys than the judged one: all keys of its features must lie in one place.
    pub fn compares(&self, pattern: PatternIndex) -> bool {
        match &self.rule(pattern).scope {
            Scope::Keyed(keyed) => keyed.collective,
            Scope::Peer(_) => true,
            _ => false,
        }
    }

    /// The bucket at which a rule is judged for what lies in a bucket: of a week or month its last day.
    pub fn judged_at(&self, pattern: PatternIndex, bucket: i64) -> i64 {
        self.judged(pattern).map_or(bucket, |judged| schedule::period(judged, bucket).1)
    }

    /// First bucket whose facts are judged together with those of a bucket.
    pub fn judged_from(&self, pattern: PatternIndex, bucket: i64) -> i64 {
        self.judged(pattern).map_or(bucket, |judged| schedule::period(judged, bucket).0)
    }

    /// True for a rule that is judged for all keys of a bucket at once.
    pub fn is_group(&self, pattern: PatternIndex) -> bool {
        matches!(self.rule(pattern).scope, Scope::Peer(_))
    }

    /// Last instant (ms) that the market clock must have reached before a bucket is judged; `i64::MIN`: at once.
    pub fn ripe_at(&self, pattern: PatternIndex, bucket: i64) -> i64 {
        keyed_of(self.rule(pattern)).map_or(i64::MIN, |keyed| schedule::ripe_at(keyed, bucket))
    }

    /// The buckets in `from..=to` at which a rule is to be judged for a key, ascending. Bound `to` by the clock's day for
    /// [`Judged::EachDay`]: every later day would be listed.
    pub fn judged_buckets(
        &self,
        pattern: PatternIndex,
        key: Key,
        from: i64,
        to: i64,
        windows: &impl Windows,
    ) -> Vec<i64> {
        let Some(keyed) = keyed_of(self.rule(pattern)) else { return Vec::new() };
        schedule::judged_buckets(keyed, key, from, to, windows)
    }

    /// False when a rule that is judged on each day can hold on none of these days, whatever the windows say.
    pub fn may_hold_within(&self, pattern: PatternIndex, from: i64, to: i64) -> bool {
        // Any longer span has every day of a month in it.
        let is_short = to.saturating_sub(from) < 31;
        !is_short || keyed_of(self.rule(pattern)).is_some_and(|keyed| (from..=to).any(|day| keyed.may_hold_on(day)))
    }

    /// Judges a keyed rule for one key at one bucket.
    pub fn judge(
        &self,
        pattern: PatternIndex,
        key: Key,
        bucket: i64,
        windows: &impl Windows,
        registry: &impl Registry,
    ) -> Judgement {
        let rule = self.rule(pattern);
        match &rule.scope {
            Scope::Keyed(keyed) => judge::judge_key(pattern, rule, keyed, (key, bucket), windows, registry),
            _ => Judgement::default(),
        }
    }

    /// Judges a peer rule for all keys at one bucket.
    pub fn judge_group(
        &self,
        pattern: PatternIndex,
        bucket: i64,
        windows: &impl Windows,
        registry: &impl Registry,
    ) -> Judgement {
        let rule = self.rule(pattern);
        match &rule.scope {
            Scope::Peer(peer) => judge::judge_group(pattern, rule, peer, bucket, windows, registry),
            _ => Judgement::default(),
        }
    }

    /// Keys for which a collective rule may judge otherwise since a cell changed, on the days that the change reaches. The
    /// windows have the change already; those of an epoch may have others still to come, whose keys name them in turn.
    pub fn neighbours(&self, pattern: PatternIndex, delta: &FeatureDelta, windows: &impl Windows) -> Vec<Key> {
        let (feature, key) = (delta.feature, delta.key);
        let Some(keyed) = keyed_of(self.rule(pattern)) else { return vec![key] };
        let Ok(member) = u64::try_from(delta.member) else { return vec![key] };
        match keyed.rings {
            Some(rule) => ring_keys(keyed, rule, delta, member, windows),
            // Edges: the edge itself and, in each triangle with it, the two other edges.
            None if keyed.collective && keyed.windows[0].feature == feature => {
                let mut keys = vec![Key(key.0, member)];
                for (third, _) in windows.members(feature, Key(member, 0), i64::MIN, i64::MAX) {
                    let Ok(third) = u64::try_from(third) else { continue };
                    keys.extend([Key(member, third), Key(third, key.0)]);
                }
                keys
            }
            None => vec![key],
        }
    }
}

/// Everybody on a ring with a changed edge: each may have drawn another edge of it on a day that the change reaches.
fn ring_keys(
    keyed: &KeyedRule,
    rule: rings::RingRule,
    delta: &FeatureDelta,
    to: u64,
    windows: &impl Windows,
) -> Vec<Key> {
    let (from, first) = (delta.key.0, delta.bucket);
    let length = keyed.windows[rule.window].length.unwrap_or(1);
    // Beyond the last day of the feature nothing is judged.
    let last = windows.last_bucket(delta.feature).unwrap_or(first).clamp(first, first.saturating_add(length - 1));
    let edges = rings::Edges::of_days(windows, delta.feature, (first, last), length);
    let search = rings::Search { edges, rule };
    if search.is_light(from, to, -i128::from(delta.sum)) {
        return Vec::new();
    }
    let mut keys = vec![Key(from, 0)];
    search.around(from, to, &mut |ring| keys.extend(ring.iter().map(|party| Key(*party, 0))));
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn keyed_of(rule: &Rule) -> Option<&KeyedRule> {
    match &rule.scope {
        Scope::Keyed(keyed) => Some(keyed),
        Scope::Peer(peer) => Some(&peer.keyed),
        _ => None,
    }
}
