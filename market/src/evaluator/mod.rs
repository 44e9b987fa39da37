//! The plain reference evaluator: accepted records in, every view out. What it says is right by definition.
//!
//! Written to be obviously right: it groups records by the bill or desk that they belong to, works out the facts of the
//! market, folds each bill from its first fact, observes each fact in order and adds it up. No state survives a call, so the
//! order of the records cannot matter. Everything incremental is tested against it.
//!
//! Begin with [`evaluate`]. Alerts have their own plain evaluator, [`crate::pattern::plain`].

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::{
    aggregate::{Aggregates, Answer, CellKey, CellSink, Partial, Question, QuestionError, SetDelta, measure::SetKind},
    bill::{Bill, Effect, Laws, Outcome},
    catalogue::Catalogue,
    corrections::{Effective, effective_at},
    fact::{EventId, Fact},
    fact_scope::{FactScope, Home, scope},
    ids::{BillId, Day, PartyId},
    observe::{Meanings, Observation},
    reference_data::Reference,
    variants::Elsewhere,
    view::{Fate, ViewHash, cell_hash, cell_row, effect_hash, effect_row, lot_hash, lot_row},
};

/// The rules that an evaluation reads, compiled once from a catalogue.
pub struct Rules {
    /// Laws of the fold.
    pub laws: Laws,
    /// Meanings of names.
    pub meanings: Arc<Meanings>,
    /// Themes and dimensions.
    pub aggregates: Arc<Aggregates>,
}

/// A catalogue from which no rules can be made.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The laws of the fold.
    #[error(transparent)]
    Laws(#[from] crate::bill::LawsError),
    /// An enumeration is missing.
    #[error(transparent)]
    Enumeration(#[from] crate::items::MissingEnumeration),
}

impl Rules {
    /// Compiles a catalogue.
    pub fn new(catalogue: &Arc<Catalogue>) -> Result<Self, RulesError> {
        let meanings = Arc::new(Meanings::new(catalogue.clone())?);
        Ok(Rules { laws: Laws::new(catalogue)?, aggregates: Arc::new(Aggregates::new(meanings.clone())), meanings })
    }
}

/// Every view of bills and aggregates.
pub struct Views {
    /// Market clock, ms.
    pub clock: i64,
    /// Each bill after all its facts.
    pub bills: BTreeMap<BillId, Bill>,
    /// What became of each record.
    pub fates: BTreeMap<EventId, Fate>,
    /// Reference data.
    pub reference: Reference,
    /// Cells by key: their place in `sums`.
    cells: HashMap<CellKey, (u32, u8)>,
    sums: Vec<i128>,
    members: BTreeMap<(CellKey, SetKind, u64), i64>,
    aggregates: Arc<Aggregates>,
}

/// How much of the sets to keep: every member of every cell is far more than the sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sets {
    /// None: only sums can be asked for.
    None,
    /// All: for small inputs.
    All,
}

/// Evaluates accepted records with the rules of a catalogue, sums alone.
pub fn evaluate(records: &[Fact], clock: i64, catalogue: &Arc<Catalogue>) -> Result<Views, RulesError> {
    Ok(evaluate_by(records, clock, &Rules::new(catalogue)?, Sets::None))
}

/// Evaluates accepted records.
pub fn evaluate_by(records: &[Fact], clock: i64, rules: &Rules, sets: Sets) -> Views {
    let mut bills: BTreeMap<BillId, Vec<Fact>> = BTreeMap::new();
    let mut desks: BTreeMap<PartyId, Vec<Fact>> = BTreeMap::new();
    let mut referred = Vec::new();
    let mut reference = Reference::new(rules.meanings.vocabulary().clone());
    for record in records {
        match scope(record) {
            FactScope::Bill(bill) => bills.entry(bill).or_default().push(record.clone()),
            FactScope::BillAndReference(bill) => {
                bills.entry(bill).or_default().push(record.clone());
                reference.insert(record.clone());
            }
            FactScope::Reference => {
                reference.insert(record.clone());
                referred.push(record.clone());
            }
            FactScope::Party(party) => desks.entry(party).or_default().push(record.clone()),
        }
    }
    let elsewhere = Elsewhere::among(records);
    for copy in elsewhere.for_reference() {
        reference.insert(copy.clone());
    }
    let with_copies = |home, mut records: Vec<Fact>| {
        records.extend_from_slice(elsewhere.at(home));
        records
    };
    let mut views = Views {
        clock,
        bills: BTreeMap::new(),
        fates: BTreeMap::new(),
        reference: Reference::new(rules.meanings.vocabulary().clone()),
        cells: HashMap::new(),
        sums: Vec::new(),
        members: BTreeMap::new(),
        aggregates: rules.aggregates.clone(),
    };
    let mut sink = CellSink::new(sets == Sets::All);
    for (id, records) in bills {
        let home = Home::Bill(id);
        let facts = views.facts_of(home, with_copies(home, records));
        let mut bill = Bill::default();
        for fact in &facts {
            let outcome = bill.apply(fact, &rules.laws);
            let seen = Observation::new(fact, &outcome, Some(&bill), &reference, &rules.meanings);
            views.add(&seen, &mut sink);
        }
        if bill.header.is_some() {
            views.bills.insert(id, bill);
        }
    }
    let desks = desks.into_values().map(|records| (Home::Desk, records));
    for (home, records) in desks.chain([(Home::Reference, referred)]) {
        for fact in views.facts_of(home, with_copies(home, records)) {
            let outcome = without_bill();
            let seen = Observation::new(&fact, &outcome, None, &reference, &rules.meanings);
            views.add(&seen, &mut sink);
        }
    }
    views.reference = reference;
    views
}

/// What a fact without a bill does: nothing, informational.
pub fn without_bill() -> Outcome {
    Outcome { effect: Effect::Informational, changes: SmallVec::new(), cuts: SmallVec::new(), answered: None }
}

impl Views {
    /// The facts of the market among the records of one bill or desk; notes the fate of the others.
    fn facts_of(&mut self, home: Home, records: Vec<Fact>) -> Vec<Fact> {
        let Effective { facts, waiting, void, .. } = effective_at(home, records);
        self.fates.extend(waiting.into_iter().map(|id| (id, Fate::Waiting)));
        self.fates.extend(void.into_iter().map(|id| (id, Fate::Revoked)));
        facts
    }

    fn add(&mut self, seen: &Observation<'_>, sink: &mut CellSink) {
        self.fates.insert(seen.fact.event_id, Fate::Folded(seen.effect()));
        sink.clear();
        let aggregates = self.aggregates.clone();
        aggregates.flow(seen, 1, sink);
        aggregates.stock(seen, 1, sink);
        for (key, sums) in sink.sums() {
            let start = self.sums.len() as u32;
            let (start, length) = *self.cells.entry(key).or_insert((start, sums.len() as u8));
            if start as usize == self.sums.len() {
                self.sums.extend(std::iter::repeat_n(0, usize::from(length)));
            }
            for (sum, more) in self.sums[start as usize..].iter_mut().zip(sums) {
                *sum += more;
            }
        }
        if sink.keeps_members() {
            for SetDelta { key, set, member, weight } in sink.members() {
                *self.members.entry((key, set, member)).or_default() += weight;
            }
        }
    }

    /// Every cell with a sum that is not zero, in no order.
    pub fn cells(&self) -> impl Iterator<Item = (&CellKey, &[i128])> {
        let sums = |(start, length): (u32, u8)| &self.sums[start as usize..start as usize + usize::from(length)];
        self.cells
            .iter()
            .map(move |(key, place)| (key, sums(*place)))
            .filter(|(_, sums)| sums.iter().any(|sum| *sum != 0))
    }

    /// The rules of its cells.
    pub fn aggregates(&self) -> &Arc<Aggregates> {
        &self.aggregates
    }

    /// The business day of the market clock.
    pub fn today(&self) -> Day {
        Day::of_time(self.clock)
    }

    /// Answers a question about cells. Figures of sets need [`Sets::All`].
    pub fn ask(&self, question: &Question) -> Result<Vec<Answer>, QuestionError> {
        let plan = self.aggregates.ask(question)?;
        let mut read = Partial::default();
        read.cells.extend(self.cells().filter(|(key, _)| plan.wants(key)).map(|(key, sums)| (*key, sums.to_vec())));
        for ((key, set, member), weight) in &self.members {
            let delta = SetDelta { key: *key, set: *set, member: *member, weight: *weight };
            if plan.wants_member(&delta) {
                read.members.push(delta);
            }
        }
        let assets = |legal: PartyId, date: Day| {
            self.reference.balance_sheet(legal, date.end_ms() - 1).and_then(|sheet| sheet.total_assets_fen)
        };
        Ok(self.aggregates.answer(&plan, &read, &assets))
    }

    /// Hash of the view of bills.
    pub fn bills_hash(&self) -> ViewHash {
        let lots = self.bills.iter().flat_map(|(id, bill)| bill.lots.iter().map(|lot| lot_hash(*id, lot)));
        lots.fold(ViewHash::default(), |sum, hash| sum + hash)
    }

    /// Hash of the view of effects.
    pub fn effects_hash(&self) -> ViewHash {
        self.fates.iter().fold(ViewHash::default(), |sum, (id, fate)| sum + effect_hash(*id, *fate))
    }

    /// Hash of the view of cells.
    pub fn cells_hash(&self) -> ViewHash {
        self.cells().fold(ViewHash::default(), |sum, (key, sums)| sum + cell_hash(key, sums))
    }

    /// Rows of the view of bills, sorted.
    pub fn bill_rows(&self) -> Vec<String> {
        self.bills.iter().flat_map(|(id, bill)| bill.lots.iter().map(|lot| lot_row(*id, lot))).collect()
    }

    /// Rows of the view of effects, sorted by event id.
    pub fn effect_rows(&self) -> Vec<String> {
        self.fates.iter().map(|(id, fate)| effect_row(*id, *fate)).collect()
    }

    /// Rows of the view of cells, sorted by key. Large.
    pub fn cell_rows(&self) -> Vec<String> {
        let mut cells: Vec<_> = self.cells().collect();
        cells.sort_unstable_by_key(|(key, _)| **key);
        cells.into_iter().map(|(key, sums)| cell_row(&self.aggregates, key, sums)).collect()
    }
}
