//! What one folded fact adds to cells, features and alerts, and the rules behind it.
//!
//! One call with weight +1 when a fact is folded; the same call with −1 takes away exactly what it added. So a bill that is
//! folded again is taken out as it was and put in as it is, and nobody downstream needs to know why.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use anyhow::Context as _;

use billwatch_market::{
    aggregate::{Aggregates, CellLayout, EpochSums},
    bill::{Bill, Effect, Laws, Outcome},
    catalogue::Catalogue,
    corrections::{Effective, effective_at},
    fact::{EventId, Fact},
    fact_scope::Home,
    ids::BillId,
    indicator::Indicators,
    observe::{Meanings, Observation},
    pattern::{
        BillTimers, FeatureDelta, FeatureIndex, Hit, MarketRegistry, Output, Parameters, Patterns, Seen,
        liveness::{Liveness, Tally},
    },
    reference_data::Reference,
    report::Book,
    view::{Fate, ViewHash, effect_hash},
};
use billwatch_proto::v1;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{
    alerts::AlertRow,
    cells::{CellRow, cell_group},
    copies::{Copies, To},
    crosses::{CrossFeeds, CrossRow, cross_group},
    windows::WindowRow,
};
use crate::{
    ownership::{Owners, group_of_rule, group_of_words},
    shard::Common,
};

/// What is compiled from the catalogue; shared by all threads.
pub struct Rules {
    /// The fold's laws.
    pub laws: Arc<Laws>,
    /// What names mean.
    pub meanings: Arc<Meanings>,
    /// Themes and dimensions.
    pub aggregates: Arc<Aggregates>,
    /// Where their cells lie while an epoch is added up.
    pub cell_layout: Arc<CellLayout>,
    /// Risk patterns.
    pub patterns: Patterns,
    /// Indicators over the same features.
    pub indicators: Indicators,
    /// Inputs and eased thresholds of the rules.
    pub liveness: Liveness,
    /// Reports.
    pub reports: Arc<Book>,
    /// Parameters under which they are compiled.
    pub parameters: Parameters,
    /// The tables.
    catalogue: Arc<Catalogue>,
    /// The rules after the next change, while a thread has them.
    next: Mutex<Weak<Rules>>,
}

impl Rules {
    /// Compiles a catalogue, with its default parameters. The error says which table is at fault.
    pub fn new(catalogue: &Arc<Catalogue>) -> anyhow::Result<Self> {
        let meanings = Arc::new(Meanings::new(catalogue.clone())?);
        let aggregates = Arc::new(Aggregates::new(meanings.clone()));
        let patterns = Patterns::of(catalogue, &Parameters::default())?;
        Ok(Rules {
            laws: Arc::new(Laws::new(catalogue)?),
            cell_layout: Arc::new(CellLayout::new(&aggregates)),
            reports: Arc::new(Book::read(&meanings)?),
            aggregates,
            meanings,
            indicators: Indicators::of(catalogue, &patterns)?,
            liveness: Liveness::new(catalogue, &patterns),
            patterns,
            parameters: Parameters::default(),
            catalogue: catalogue.clone(),
            next: Mutex::default(),
        })
    }

    /// The same catalogue after changes of parameters.
    ///
    /// # Errors
    /// A value cannot be read, or the rules do not compile with it.
    pub fn under(&self, changes: &[v1::ParameterChange]) -> anyhow::Result<Self> {
        let mut parameters = self.parameters.clone();
        for change in changes {
            let values = change.values.iter().map(|value| (value.name.as_str(), value.value.as_str()));
            parameters
                .apply(change.version, &change.pattern, values)
                .with_context(|| format!("version {}: a value of {} cannot be read", change.version, change.pattern))?;
        }
        let patterns = Patterns::of(&self.catalogue, &parameters)?;
        Ok(Rules {
            indicators: Indicators::of(&self.catalogue, &patterns)?,
            liveness: Liveness::new(&self.catalogue, &patterns),
            laws: self.laws.clone(),
            reports: self.reports.clone(),
            meanings: self.meanings.clone(),
            aggregates: self.aggregates.clone(),
            cell_layout: self.cell_layout.clone(),
            patterns,
            parameters,
            catalogue: self.catalogue.clone(),
            next: Mutex::default(),
        })
    }

    /// The rules after one more change. Threads of a process come to it within an epoch of each other, so one compiles and
    /// the others take what it made.
    pub fn after(&self, change: &v1::ParameterChange) -> anyhow::Result<Arc<Self>> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        match next.upgrade().filter(|known| known.parameters.version == change.version) {
            Some(known) => Ok(known),
            None => {
                let rules = Arc::new(self.under(std::slice::from_ref(change))?);
                *next = Arc::downgrade(&rules);
                Ok(rules)
            }
        }
    }

    /// The effect of each fact of a family that was worked out by `corrections::effective_at`.
    pub fn fold_effects(&self, bill_id: Option<BillId>, facts: &[Fact]) -> Vec<(EventId, Effect)> {
        let mut bill = Bill::default();
        let mut effect = |fact: &Fact| match bill_id {
            Some(_) => bill.apply(fact, &self.laws).effect,
            None => Effect::Informational,
        };
        facts.iter().map(|fact| (fact.event_id, effect(fact))).collect()
    }

    /// Reference data as judges read it.
    pub fn registry<'a>(&'a self, reference: &'a Reference) -> MarketRegistry<'a> {
        MarketRegistry { reference, meanings: &self.meanings }
    }
}

/// A bill folded from its records.
#[derive(Default)]
pub struct Folded {
    /// The bill.
    pub bill: Bill,
    /// Starts and answers.
    pub timers: BillTimers,
    /// Alerts by instant at which the clock makes them.
    pub due: Vec<(i64, Hit)>,
    /// There are corrections or variants: order alone does not tell what a further fact does.
    pub complicated: bool,
}

/// The view of effects, as its hash and number of rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Effects {
    /// Sum over the rows.
    pub hash: ViewHash,
    /// Number of rows.
    pub rows: i64,
}

impl Effects {
    fn count(&mut self, event: EventId, fate: Fate, weight: i32) {
        let row = effect_hash(event, fate);
        self.hash = if weight > 0 { self.hash + row } else { self.hash - row };
        self.rows += i64::from(weight.signum());
    }
}

/// One folded fact.
pub struct Valued<'a> {
    /// The fact of the market.
    pub fact: &'a Fact,
    /// What it did.
    pub outcome: &'a Outcome,
    /// The bill after it.
    pub bill: Option<&'a Bill>,
    /// Its id came with several contents.
    pub has_variants: bool,
}

/// Where contributions go.
pub struct Valuer {
    rules: Arc<Rules>,
    owners: Owners,
    /// Features of rules that compare keys.
    copies: Copies,
    output: Output,
    /// Sums of the epoch, by cell.
    cells: EpochSums,
    /// Crosses of several dimensions.
    crosses: CrossFeeds,
    /// Hash of the view of effects.
    effects: Effects,
    /// Facts read, and facts that rules could not judge.
    tally: Tally,
}

impl Valuer {
    /// For one worker.
    pub fn new(common: &Common) -> Self {
        let patterns = &common.rules.patterns;
        let owner = |rule| common.owners[usize::from(group_of_rule(patterns.id(rule)))];
        let everywhere: Vec<FeatureIndex> = common.rules.indicators.features_everywhere().collect();
        let workers = common.owners.iter().max().map_or(0, |last| last + 1);
        Valuer {
            rules: common.rules.clone(),
            owners: common.owners.clone(),
            copies: Copies::new(patterns, owner, &everywhere, workers),
            output: Output::default(),
            cells: EpochSums::new(common.rules.aggregates.clone(), common.rules.cell_layout.clone()),
            effects: Effects::default(),
            tally: Tally::new(patterns.rule_count()),
            crosses: CrossFeeds::new(common.rules.aggregates.clone()),
        }
    }

    /// What one folded fact adds (+1) or takes (−1).
    pub fn value(
        &mut self,
        valued: Valued<'_>,
        reference: &Reference,
        weight: i32,
        timers: Option<&mut BillTimers>,
        sink: &mut Sink<'_>,
    ) {
        let rules = &*self.rules;
        let Valued { fact, outcome, bill, has_variants } = valued;
        let observation = Observation::new(fact, outcome, bill, reference, &rules.meanings);
        let seen = Seen { observation: &observation, has_variants };
        let registry = rules.registry(reference);
        rules.patterns.observe(&seen, &registry, weight, &mut self.output);
        if let Some(timers) = timers {
            rules.patterns.time(&seen, &registry, timers);
        }
        self.cells.observe(&observation, i64::from(weight));
        self.crosses.observe(&observation, i64::from(weight));
        self.effects.count(fact.event_id, Fate::Folded(outcome.effect), weight);
        self.tally.read(fact, outcome.effect, weight);
        self.tally.skip(fact, &self.output.skipped);
        sink.skipped += self.output.skipped.drain(..).filter(|(_, weight)| *weight > 0).count() as u64;
        let mut deltas = std::mem::take(&mut self.output.deltas);
        deltas.drain(..).for_each(|delta| ship(&self.owners, &mut self.copies, delta, sink));
        self.output.deltas = deltas;
        for (hit, weight) in self.output.hits.drain(..) {
            sink.hit(AlertRow { hit, weight });
        }
    }

    /// What a record of a book adds (+1) or takes (−1): features alone.
    pub fn value_book(&mut self, record: &Fact, reference: &Reference, weight: i32, sink: &mut Sink<'_>) {
        let rules = &*self.rules;
        rules.patterns.observe_book(record, &rules.registry(reference), weight, &mut self.output);
        self.tally.read(record, Effect::Informational, weight);
        for delta in self.output.deltas.drain(..) {
            ship(&self.owners, &mut self.copies, delta, sink);
        }
    }

    /// Sends a change of a feature to whoever keeps the cell.
    pub fn ship_delta(&mut self, delta: FeatureDelta, sink: &mut Sink<'_>) {
        ship(&self.owners, &mut self.copies, delta, sink);
    }

    /// Sends what the epoch added to features of rules that compare keys.
    pub fn ship_copies(&mut self, sink: &mut Sink<'_>) {
        let (owners, windows) = (&self.owners, &mut sink.boxes.windows);
        self.copies.ship(|to, delta| {
            let (owner, row) = addressed(owners, to, delta);
            windows.push(owner, row);
        });
    }

    /// Folds all records of a bill and values each fact.
    pub fn fold(
        &mut self,
        bill_id: BillId,
        records: Vec<Fact>,
        reference: &Reference,
        weight: i32,
        sink: &mut Sink<'_>,
    ) -> Folded {
        let corrections: Vec<Fact> = records.iter().filter(|record| record.correction.is_some()).cloned().collect();
        let effective = effective_at(Home::Bill(bill_id), records);
        let complicated = !corrections.is_empty() || !effective.variants.is_empty();
        let mut folded = Folded { complicated, ..Folded::default() };
        for fact in &effective.facts {
            let outcome = folded.bill.apply(fact, &self.rules.laws);
            let has_variants = effective.variants.iter().any(|variant| variant.event_id == fact.event_id);
            let valued = Valued { fact, outcome: &outcome, bill: Some(&folded.bill), has_variants };
            self.value(valued, reference, weight, Some(&mut folded.timers), sink);
        }
        self.count_fates(&effective, weight);
        folded.due = self.rules.patterns.due(&folded.timers);
        folded.due.extend(self.waiting(&corrections, &effective));
        folded
    }

    /// The fates of records that are no facts of the market.
    pub fn count_fates(&mut self, effective: &Effective, weight: i32) {
        let waiting = effective.waiting.iter().map(|event| (event, Fate::Waiting));
        for (event, fate) in waiting.chain(effective.void.iter().map(|event| (event, Fate::Revoked))) {
            self.effects.count(*event, fate, weight);
        }
    }

    /// Hands the changed cells of the epoch over.
    pub fn ship_cells(&mut self, mut give: impl FnMut(usize, CellRow)) {
        let owners = &self.owners;
        self.cells.drain(|key, sums| {
            give(owners[usize::from(cell_group(&key))] as usize, CellRow { key, sums: SmallVec::from_slice(sums) });
        });
    }

    /// Hands changed cells of crosses over.
    pub fn ship_crosses(&mut self, mut give: impl FnMut(usize, CrossRow)) {
        let owners = &self.owners;
        self.crosses.ship(|row| give(owners[usize::from(cross_group(row.cross, &row.key))] as usize, row));
    }

    /// Crosses, to be changed.
    pub fn crosses(&mut self) -> &mut CrossFeeds {
        &mut self.crosses
    }

    /// Crosses.
    pub fn crosses_kept(&self) -> &CrossFeeds {
        &self.crosses
    }

    /// The compiled rules beside the crosses.
    pub fn rules_and_crosses(&mut self) -> (&Rules, &mut CrossFeeds) {
        (&self.rules, &mut self.crosses)
    }

    /// Hash and number of rows of the view of effects.
    pub fn effects(&self) -> Effects {
        self.effects
    }

    /// Facts read, and facts that rules could not judge.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The same, to be changed.
    pub fn tally_mut(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Puts the view of effects of a checkpoint back.
    pub fn restore_effects(&mut self, effects: Effects) {
        self.effects = effects;
    }

    /// What corrections that wait for their target make due (P184).
    pub fn waiting(&self, corrections: &[Fact], effective: &Effective) -> Vec<(i64, Hit)> {
        let mut seen: SmallVec<[EventId; 4]> = SmallVec::new();
        let mut due = Vec::new();
        for record in corrections {
            let waits = effective.waiting.contains(&record.event_id) && !effective.is_variant(record);
            if waits && !seen.contains(&record.event_id) {
                seen.push(record.event_id);
                due.extend(self.rules.patterns.orphan_correction(record));
            }
        }
        due
    }

    /// From now on these rules, which differ from those before in parameters only.
    pub fn change_rules(&mut self, rules: &Arc<Rules>) {
        self.rules = rules.clone();
    }

    /// The compiled rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}

#[inline]
fn ship(owners: &Owners, copies: &mut Copies, delta: FeatureDelta, sink: &mut Sink<'_>) {
    let windows = &mut sink.boxes.windows;
    if !copies.is_added_up(delta.feature) {
        let (owner, row) = addressed(owners, To::Key, delta);
        windows.push(owner, row);
    }
    copies.note(&delta, |to, delta| {
        let (owner, row) = addressed(owners, to, delta);
        windows.push(owner, row);
    });
    sink.feature_rows += 1;
}

#[inline]
fn addressed(owners: &Owners, to: To, delta: FeatureDelta) -> (usize, WindowRow) {
    match to {
        // All features of a key have one owner: rules read several.
        To::Key => {
            let group = group_of_words([delta.key.0, delta.key.1, 0]);
            (owners[usize::from(group)] as usize, WindowRow::Keyed(delta))
        }
        To::Rules(owner) => (owner as usize, WindowRow::Collective(delta)),
    }
}

/// Takes what [`Valuer`] says, for the epoch in work.
pub struct Sink<'a> {
    /// By destination.
    pub boxes: &'a mut super::lives::Outboxes,
    /// Owner of the alert of a hit.
    pub alert_owner: &'a dyn Fn(&AlertRow) -> usize,
    /// Feature deltas so far.
    pub feature_rows: u64,
    /// Hits so far.
    pub hit_rows: u64,
    /// Of them taken back.
    pub hits_withdrawn: u64,
    /// Judgements left out for want of reference data.
    pub skipped: u64,
}

impl Sink<'_> {
    /// A hit on its way.
    pub fn hit(&mut self, row: AlertRow) {
        self.hit_rows += 1;
        self.hits_withdrawn += u64::from(row.weight < 0);
        let to = (self.alert_owner)(&row);
        self.boxes.hits.push(to, row);
    }
}
