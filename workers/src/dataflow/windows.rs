//! Feature windows and the rules judged on them, at the worker that owns the key.
//!
//! Deltas of an epoch are added first; then every (rule, key, bucket) whose judgement may have changed is judged again, once,
//! and only the difference to the stored judgement leaves as hits. Rules of the end of a day or week wait until the market
//! clock has passed it.
//!
//! Rules that compare keys with each other (peer groups, cycles of pairs) need all keys in one place: the deltas of their
//! features also go to one owner of the rule, and lie there in a second store, so that nothing is counted twice.

mod clock;
mod saved;

use std::collections::{BTreeMap, BTreeSet};

use billwatch_market::{
    ids::{Day, PartyId},
    pattern::{
        AlertKey, FeatureDelta, FeatureIndex, Hit, Judged, Judgement, Key, PatternIndex, Patterns, Registry,
        Windows as _,
    },
};
use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use self::clock::last_day_passed;
use super::{
    alerts::AlertRow,
    series_store::{KeyPlace, SeriesStore},
    touched::{DirtyGroup, Span, Touched, due, reach},
    unsaved::UnsavedSet,
};
use crate::limits::ROWS_AT_ONCE;

/// What the windows operator is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum WindowRow {
    /// An epoch passed; the worker sends it to itself, so that the clock moves also without deltas.
    Tick,
    /// For the owner of the key.
    Keyed(FeatureDelta),
    /// For the owner of a rule that compares keys.
    Collective(FeatureDelta),
}

/// What was judged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The rule.
    pub pattern: PatternIndex,
    /// The key; `Key(0, 0)` when all keys are judged at once.
    pub key: Key,
    /// The bucket.
    pub bucket: i64,
}

const ALL_KEYS: Key = Key(0, 0);

/// Windows and judgements of one worker.
pub struct Windows {
    /// Of keys that this worker owns.
    pub keyed: SeriesStore,
    /// Of rules that this worker owns.
    pub collective: SeriesStore,
    /// Hits that hold now, where there are any.
    judgements: HashMap<Place, Vec<Hit>>,
    /// Places with a judgement, in order, for spans of buckets.
    judged_at: BTreeSet<Place>,
    /// Not ripe yet, by the instant at which the clock makes them so.
    waiting: BTreeMap<i64, HashSet<Place>>,
    /// Places of a judgement by key, counted: most keys have none.
    judged_keys: HashMap<Key, u32>,
    /// Buckets of keys of this worker that changed in this epoch; some stand here often.
    touched: Vec<Touched>,
    /// What else is to be judged again in this epoch.
    dirty: HashMap<(PatternIndex, Key), Span>,
    dirty_groups: HashMap<PatternIndex, DirtyGroup>,
    /// By feature: rules of one key read it.
    has_readers: Vec<bool>,
    /// Keys by party, for features whose rules read reference data of the key.
    keys_of_party: HashMap<PartyId, Vec<(FeatureIndex, Key)>>,
    reads_reference: Vec<bool>,
    reference_rules: Vec<PatternIndex>,
    /// Rules that read rates of the market, and those that read reference data of members.
    rate_rules: Vec<PatternIndex>,
    member_rules: Vec<(PatternIndex, FeatureIndex)>,
    each_day: Vec<PatternIndex>,
    /// Rules that compare keys and are judged here.
    own_rules: Vec<bool>,
    clock: Option<i64>,
    /// By feature: first bucket that changed since [`Windows::take_changes`].
    changed_from: Vec<i64>,
    /// First instant (ms) from which reference data changed since then.
    reference_changed_from: i64,
    unsaved_judgements: UnsavedSet<Place>,
    /// Judgements made.
    pub judged_total: u64,
    /// Judgements left out for want of reference data, by the rules of the catalogue.
    pub skipped_total: u64,
}

impl Windows {
    /// Without facts. `owns(rule)`: this worker judges a rule that compares keys.
    pub fn new(patterns: &Patterns, owns: impl Fn(PatternIndex) -> bool) -> Self {
        let rules = || (0..patterns.rule_count()).map(|place| PatternIndex(place as u16));
        let reference_rules: Vec<_> = patterns.reference_readers().collect();
        let mut reads_reference = vec![false; patterns.feature_count()];
        for rule in &reference_rules {
            // Who is compared counts although none of his facts makes the rule due.
            for feature in patterns.triggers(*rule).iter().chain(&patterns.compared(*rule)) {
                reads_reference[usize::from(feature.0)] = true;
            }
        }
        Windows {
            keyed: SeriesStore::default(),
            collective: SeriesStore::with_buckets(),
            judgements: HashMap::new(),
            judged_at: BTreeSet::new(),
            waiting: BTreeMap::new(),
            judged_keys: HashMap::new(),
            touched: Vec::new(),
            dirty: HashMap::new(),
            dirty_groups: HashMap::new(),
            has_readers: (0..patterns.feature_count())
                .map(|feature| patterns.readers(FeatureIndex(feature as u16)))
                .map(|readers| readers.iter().any(|reader| !reader.collective && !reader.group))
                .collect(),
            keys_of_party: HashMap::new(),
            reads_reference,
            reference_rules,
            rate_rules: patterns.rate_readers().collect(),
            member_rules: patterns.member_readers().collect(),
            each_day: rules()
                .filter(|rule| patterns.judged(*rule) == Some(Judged::EachDay))
                .filter(|rule| !patterns.compares(*rule) || owns(*rule))
                .collect(),
            own_rules: rules().map(&owns).collect(),
            clock: None,
            changed_from: vec![i64::MAX; patterns.feature_count()],
            reference_changed_from: i64::MAX,
            unsaved_judgements: UnsavedSet::default(),
            judged_total: 0,
            skipped_total: 0,
        }
    }

    /// Takes in deltas of an epoch.
    pub fn add(&mut self, patterns: &Patterns, rows: &[WindowRow]) {
        for rows in rows.chunks(ROWS_AT_ONCE) {
            // Keys lie anywhere in memory: all are found first, so that the processor waits for several at once.
            let places: SmallVec<[KeyPlace; ROWS_AT_ONCE]> = rows
                .iter()
                .map(|row| match row {
                    WindowRow::Keyed(delta) => self.keyed.place_of(delta.key),
                    WindowRow::Tick | WindowRow::Collective(_) => KeyPlace::MAX,
                })
                .collect();
            for (row, key) in rows.iter().zip(places) {
                match row {
                    WindowRow::Tick => {}
                    WindowRow::Keyed(delta) => self.add_keyed(key, delta),
                    WindowRow::Collective(delta) => self.add_collective(patterns, delta),
                }
            }
        }
    }

    /// Takes in a delta for a key of this worker.
    fn add_keyed(&mut self, key: KeyPlace, delta: &FeatureDelta) {
        let is_new = self.keyed.add_at(key, delta);
        let feature = usize::from(delta.feature.0);
        self.changed_from[feature] = self.changed_from[feature].min(delta.bucket);
        if is_new && self.reads_reference[feature] {
            self.index(delta.feature, delta.key);
        }
        if self.has_readers[feature] {
            self.touched.push(Touched { key, feature: delta.feature, bucket: delta.bucket });
        }
    }

    /// Takes in a delta for a rule that compares keys.
    fn add_collective(&mut self, patterns: &Patterns, delta: &FeatureDelta) {
        let changed = &mut self.changed_from[usize::from(delta.feature.0)];
        *changed = delta.bucket.min(*changed);
        if self.collective.add(delta) && self.reads_reference[usize::from(delta.feature.0)] {
            self.index(delta.feature, delta.key);
        }
        for reader in patterns.readers(delta.feature) {
            if !(reader.group || reader.collective) || !self.own_rules[usize::from(reader.pattern.0)] {
                continue;
            }
            let span = Span { from: delta.bucket, to: reach(delta.bucket, reader.reach) };
            if reader.group {
                let per_day = patterns.width(delta.feature).per_day();
                self.dirty_groups.entry(reader.pattern).or_default().touch(delta.bucket, reader, per_day);
            } else if reader.collective {
                for key in patterns.neighbours(reader.pattern, delta, &self.collective) {
                    self.dirty.entry((reader.pattern, key)).and_modify(|known| known.widen(span)).or_insert(span);
                }
            }
        }
    }

    fn index(&mut self, feature: FeatureIndex, key: Key) {
        for part in [key.0, key.1] {
            if part != 0 {
                self.keys_of_party.entry(PartyId::from_bits(part)).or_default().push((feature, key));
            }
        }
    }

    /// Reference data of a party changed from an instant on (ms): its judgements are made again.
    /// [`PartyId::MARKET`]: a rate of the market did.
    pub fn reference_changed(&mut self, patterns: &Patterns, party: PartyId, from: i64) {
        self.reference_changed_from = self.reference_changed_from.min(from);
        let members = self.member_rules.iter().filter(|_| party != PartyId::MARKET);
        let rates = self.rate_rules.iter().filter(|_| party == PartyId::MARKET);
        let everywhere = rates.map(|rule| (*rule, None)).chain(members.map(|(rule, feature)| (*rule, Some(*feature))));
        for (rule, of) in everywhere {
            let Some(width) = patterns.triggers(rule).first().map(|feature| patterns.width(*feature)) else { continue };
            let span = Span { from: width.bucket(Day::of_time(from), from), to: i64::MAX };
            for feature in patterns.triggers(rule) {
                for place in self.keyed.places_with(*feature) {
                    let (key, windows) = (self.keyed.key_at(*place), self.keyed.at(*place));
                    let has = |of| !windows.member(of, key, i64::MIN, i64::MAX, party.bits().into()).is_empty();
                    if of.is_none_or(has) {
                        self.dirty.entry((rule, key)).and_modify(|known| known.widen(span)).or_insert(span);
                    }
                }
            }
        }
        let keys = self.keys_of_party.get(&party).map_or(&[][..], Vec::as_slice);
        for rule in &self.reference_rules {
            let triggers = patterns.triggers(*rule);
            let Some(width) = triggers.first().map(|feature| patterns.width(*feature)) else { continue };
            let bucket = width.bucket(Day::of_time(from), from);
            let span = Span { from: bucket, to: i64::MAX };
            if patterns.compares(*rule) && !self.own_rules[usize::from(rule.0)] {
                continue;
            }
            if patterns.is_group(*rule) {
                let compared = patterns.compared(*rule);
                if keys.iter().any(|(feature, _)| compared == Some(*feature)) {
                    self.dirty_groups.entry(*rule).or_default().widen(span);
                }
                continue;
            }
            for (feature, key) in keys {
                if triggers.contains(feature) {
                    self.dirty.entry((*rule, *key)).and_modify(|known| known.widen(span)).or_insert(span);
                }
            }
        }
    }

    /// What changed since the last call: the first bucket of each feature, and the first instant of reference data, `i64::MAX`
    /// where nothing did. For who remembers what he worked out of windows.
    pub fn take_changes(&mut self) -> (Vec<i64>, i64) {
        let nothing = vec![i64::MAX; self.changed_from.len()];
        let changed = std::mem::replace(&mut self.changed_from, nothing);
        (changed, std::mem::replace(&mut self.reference_changed_from, i64::MAX))
    }

    /// Rules have other parameters: all their judgements are made again, from the windows that are kept.
    pub fn rules_changed(&mut self, patterns: &Patterns, rules: &[PatternIndex]) {
        let whole = Span { from: i64::MIN, to: i64::MAX };
        for rule in rules {
            if patterns.judged(*rule).is_none() || (patterns.compares(*rule) && !self.own_rules[usize::from(rule.0)]) {
                continue;
            }
            if patterns.is_group(*rule) {
                self.dirty_groups.entry(*rule).or_default().widen(whole);
                continue;
            }
            let mut keys = Vec::new();
            for feature in patterns.triggers(*rule) {
                self.windows_of(*rule).keys(*feature, &mut |key| keys.push(key));
            }
            self.dirty.extend(keys.into_iter().map(|key| ((*rule, key), whole)));
        }
    }

    /// Judges again whatever the epoch and the clock made due; hands out the differences.
    pub fn judge(
        &mut self,
        patterns: &Patterns,
        registry: &impl Registry,
        clock: Option<i64>,
        mut emit: impl FnMut(AlertRow),
    ) {
        let last_day = clock.map_or(i64::MIN, last_day_passed);
        self.judge_touched(patterns, registry, clock, last_day, &mut emit);
        // To judge now; true: known to be due, false: to be asked again.
        let mut places: HashMap<Place, bool> = HashMap::new();
        for ((pattern, key), span) in std::mem::take(&mut self.dirty) {
            let to = self.last_bucket(patterns, pattern, span, last_day);
            let buckets = patterns.judged_buckets(pattern, key, span.from, to, self.windows_of(pattern));
            places.extend(buckets.into_iter().map(|bucket| (Place { pattern, key, bucket }, true)));
            self.judged_within(pattern, key, span, |place| {
                places.entry(place).or_insert(false);
            });
        }
        for (pattern, dirty) in std::mem::take(&mut self.dirty_groups) {
            let last = patterns.triggers(pattern).iter().filter_map(|feature| self.collective.last_bucket(*feature));
            let judged = self.judged_at.range(..=Place { pattern, key: ALL_KEYS, bucket: i64::MAX }).next_back();
            let judged = judged.filter(|place| place.pattern == pattern).map(|place| place.bucket);
            let last = last.chain(judged).max().unwrap_or(i64::MIN);
            for span in dirty.spans(last) {
                self.due_groups(patterns, pattern, span, &mut places);
            }
        }
        self.pass_clock(patterns, registry, clock, &mut places, &mut emit);
        for (place, is_due) in places {
            if self.is_ripe(patterns, place, clock) {
                self.judge_place(patterns, registry, place, is_due, &mut emit);
            }
        }
    }

    /// The buckets of a span at which a rule that judges all keys at once is due, or was judged.
    fn due_groups(&self, patterns: &Patterns, pattern: PatternIndex, span: Span, places: &mut HashMap<Place, bool>) {
        let mut buckets = BTreeSet::new();
        // Facts of a whole month are judged at its end.
        let first = patterns.judged_from(pattern, span.from);
        for feature in patterns.triggers(pattern) {
            self.collective.buckets(*feature, first, span.to, |bucket| {
                let bucket = patterns.judged_at(pattern, bucket);
                if (span.from..=span.to).contains(&bucket) {
                    buckets.insert(bucket);
                }
            });
        }
        places.extend(buckets.into_iter().map(|bucket| (Place { pattern, key: ALL_KEYS, bucket }, true)));
        self.judged_within(pattern, ALL_KEYS, span, |place| {
            places.entry(place).or_insert(false);
        });
    }

    /// Judges again what the changed buckets of the keys of this worker reach: key by key, so that all that its rules read is
    /// found once.
    fn judge_touched(
        &mut self,
        patterns: &Patterns,
        registry: &impl Registry,
        clock: Option<i64>,
        last_day: i64,
        emit: &mut impl FnMut(AlertRow),
    ) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        for of_key in touched.chunk_by(|left, right| left.key == right.key) {
            let place = of_key[0].key;
            let key = self.keyed.key_at(place);
            let was_judged = self.judged_keys.contains_key(&key);
            for (pattern, span) in due(patterns, of_key) {
                let to = self.last_bucket(patterns, pattern, span, last_day);
                let mut buckets: SmallVec<[(i64, bool); 4]> = SmallVec::new();
                if was_judged {
                    self.judged_within(pattern, key, span, |place| buckets.push((place.bucket, false)));
                }
                for bucket in patterns.judged_buckets(pattern, key, span.from, to, &self.keyed.at(place)) {
                    match buckets.iter_mut().find(|(known, _)| *known == bucket) {
                        Some((_, is_due)) => *is_due = true,
                        None => buckets.push((bucket, true)),
                    }
                }
                for (bucket, is_due) in buckets {
                    let named = Place { pattern, key, bucket };
                    if !self.is_ripe(patterns, named, clock) {
                        continue;
                    }
                    // What was judged and is not due any more: the day still stands there, but its facts are gone.
                    let windows = self.keyed.at(place);
                    let judgement = if is_due {
                        patterns.judge(pattern, key, bucket, &windows, registry)
                    } else {
                        Judgement::default()
                    };
                    self.settle(named, judgement, emit);
                }
            }
        }
        touched.clear();
        self.touched = touched;
    }

    /// Last bucket of a span at which a rule may be due.
    fn last_bucket(&self, patterns: &Patterns, pattern: PatternIndex, span: Span, last_day: i64) -> i64 {
        if patterns.judged(pattern) == Some(Judged::EachDay) { span.to.min(last_day) } else { span.to }
    }

    fn judged_within(&self, pattern: PatternIndex, key: Key, span: Span, mut each: impl FnMut(Place)) {
        let (first, last) = (Place { pattern, key, bucket: span.from }, Place { pattern, key, bucket: span.to });
        self.judged_at.range(first..=last).for_each(|place| each(*place));
    }

    /// The first alert of a rule that judges all keys at once, in a span of buckets, whose key is the wanted one.
    pub fn first_group_hit(
        &self,
        pattern: PatternIndex,
        (from, to): (i64, i64),
        is_wanted: impl Fn(&AlertKey) -> bool,
    ) -> Option<(AlertKey, i64)> {
        let at = |bucket| Place { pattern, key: ALL_KEYS, bucket };
        self.judged_at.range(at(from)..=at(to)).find_map(|place| {
            let hit = self.judgements.get(place)?.iter().find(|hit| is_wanted(&hit.key))?;
            Some((hit.key.clone(), place.bucket))
        })
    }

    /// True when the rule compares keys and is judged here.
    pub fn owns(&self, pattern: PatternIndex) -> bool {
        self.own_rules[usize::from(pattern.0)]
    }

    /// The store of rules that compare keys, and by rule: it is judged here.
    pub fn collective_and_own_rules(&mut self) -> (&mut SeriesStore, &[bool]) {
        (&mut self.collective, &self.own_rules)
    }

    /// A rule that compares keys reads the store of its owner.
    pub fn windows_of(&self, pattern: PatternIndex) -> &SeriesStore {
        if self.own_rules[usize::from(pattern.0)] { &self.collective } else { &self.keyed }
    }

    fn judge_place(
        &mut self,
        patterns: &Patterns,
        registry: &impl Registry,
        place: Place,
        is_due: bool,
        emit: &mut impl FnMut(AlertRow),
    ) {
        let Place { pattern, key, bucket } = place;
        let windows = self.windows_of(pattern);
        let judgement = if key == ALL_KEYS {
            patterns.judge_group(pattern, bucket, windows, registry)
        } else if !is_due && patterns.judged_buckets(pattern, key, bucket, bucket, windows).is_empty() {
            Default::default()
        } else {
            patterns.judge(pattern, key, bucket, windows, registry)
        };
        self.settle(place, judgement, emit);
    }

    /// Puts a judgement in the place of the one before; the difference leaves.
    fn settle(&mut self, place: Place, judgement: Judgement, emit: &mut impl FnMut(AlertRow)) {
        self.judged_total += 1;
        self.skipped_total += u64::from(judgement.skipped);
        let mut hits = judgement.hits;
        let was_judged = self.judged_keys.contains_key(&place.key);
        if hits.is_empty() && !was_judged {
            return;
        }
        hits.sort_unstable();
        let old = self.judgements.get(&place).map_or(&[][..], Vec::as_slice);
        if old == hits {
            return;
        }
        for hit in old {
            emit(AlertRow { hit: hit.clone(), weight: -1 });
        }
        for hit in &hits {
            emit(AlertRow { hit: hit.clone(), weight: 1 });
        }
        if self.keyed.keep_dirty {
            self.unsaved_judgements.insert(place);
        }
        self.put_judgement(place, hits);
    }

    fn put_judgement(&mut self, place: Place, hits: Vec<Hit>) {
        if hits.is_empty() {
            self.judgements.remove(&place);
            if self.judged_at.remove(&place)
                && let Some(count) = self.judged_keys.get_mut(&place.key)
            {
                *count -= 1;
                if *count == 0 {
                    self.judged_keys.remove(&place.key);
                }
            }
        } else {
            self.judgements.insert(place, hits);
            if self.judged_at.insert(place) {
                *self.judged_keys.entry(place.key).or_insert(0) += 1;
            }
        }
    }
}
