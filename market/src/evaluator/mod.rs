//! The plain reference evaluator: accepted records in, every view out. What it says is right by definition.
//!
//! Written to be obviously right: it groups records by the bill or desk that they belong to, works out the facts of the
//! market, folds each bill from its first fact, observes each fact in order and adds it up. No state survives a call, so the
//! order of the records cannot matter. Everything incremental is tested against it.
//!
//! Begin with [`evaluate`]. Alerts have their own plain evaluator, [`crate::pattern::plain`]; [`EveryView`] has both.

mod every_view;
#[cfg(test)]
mod tests;

pub use self::every_view::{EveryView, Mark};

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::{
    aggregate::{
        Aggregates, Answer, CellKey, CellSink, Partial, Question, QuestionError, SetDelta,
        alerts::{AlertSight, Moments},
        by_home::{First, HomeReader},
        cross::{
            CrossAnswer, CrossDefinition, CrossError, CrossKey, CrossPartial, CrossQuestion, CrossSet, CrossSetDelta,
            CrossSink,
        },
        measure::SetKind,
    },
    bill::{Bill, Effect, Laws, Outcome},
    catalogue::Catalogue,
    corrections::{Effective, Variant, effective_at},
    fact::{EventId, Fact},
    fact_scope::{FactScope, Home, scope},
    handling::Handlings,
    ids::{BillId, Day, PartyId},
    observe::{Meanings, Observation},
    pattern::{AlertSet, Patterns},
    reference_data::Reference,
    variants::Elsewhere,
    view::{Fate, ViewHash, cell_hash, cell_row, cross_hash, cross_row, effect_hash, effect_row, lot_hash, lot_row},
};

/// The rules that an evaluation reads, compiled once from a catalogue.
pub struct Rules {
    /// Laws of the fold.
    pub laws: Laws,
    /// Meanings of names.
    pub meanings: Arc<Meanings>,
    /// Themes and dimensions.
    pub aggregates: Arc<Aggregates>,
    /// Crosses to evaluate: at first those of the catalogue.
    pub crosses: Arc<CrossSet>,
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
    /// Rules of patterns.
    #[error(transparent)]
    Patterns(#[from] crate::pattern::RuleError),
    /// Rules of indicators.
    #[error(transparent)]
    Indicators(#[from] crate::indicator::IndicatorError),
    /// A cross of the catalogue is none.
    #[error("cross {definition} of the catalogue: {error}")]
    Cross {
        /// The cross.
        definition: Box<CrossDefinition>,
        /// What is wrong.
        error: CrossError,
    },
}

impl Rules {
    /// Compiles a catalogue.
    pub fn new(catalogue: &Arc<Catalogue>) -> Result<Self, RulesError> {
        let meanings = Arc::new(Meanings::new(catalogue.clone())?);
        let aggregates = Arc::new(Aggregates::new(meanings.clone()));
        let crosses = CrossSet::new(Vec::new());
        Ok(Rules { laws: Laws::new(catalogue)?, aggregates, meanings, crosses: Arc::new(crosses) })
    }

    /// The same rules with these crosses as well.
    pub fn with_crosses(mut self, definitions: &[CrossDefinition]) -> Result<Self, RulesError> {
        let known = self.crosses.crosses().iter().map(|cross| cross.definition.clone());
        let all: Vec<CrossDefinition> = known.chain(definitions.iter().cloned()).collect();
        self.crosses = Arc::new(CrossSet::of_rules(&self.aggregates, &all)?);
        Ok(self)
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
    firsts: Vec<First>,
    aggregates: Arc<Aggregates>,
    crosses: Arc<CrossSet>,
    /// Sums by (place of the cross, cell).
    cross_cells: HashMap<(u16, CrossKey), Vec<i128>>,
    cross_members: BTreeMap<(u16, CrossKey, SetKind, u64), i64>,
}

/// A cross cannot be asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CrossQuestionError {
    /// The definition.
    #[error(transparent)]
    Definition(#[from] CrossError),
    /// The question.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// Not among [`Rules::crosses`].
    #[error("cross {0} was not evaluated: name it in `Rules::with_crosses`")]
    NotEvaluated(CrossDefinition),
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

/// Records by the life that they belong to, each with the copies that it needs, and the reference data of all.
pub struct Families {
    /// Reference data.
    pub reference: Reference,
    /// Bills by number, then desks, then reference data.
    pub families: Vec<(Home, Vec<Fact>)>,
}

/// Sorts accepted records.
pub fn families(records: &[Fact], rules: &Rules) -> Families {
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
    let mut families = Vec::with_capacity(bills.len() + desks.len() + 1);
    for (id, records) in bills {
        families.push((Home::Bill(id), with_copies(Home::Bill(id), records)));
    }
    let desks = desks.into_values().map(|records| (Home::Desk, records));
    families.extend(desks.chain([(Home::Reference, referred)]).map(|(home, own)| (home, with_copies(home, own))));
    Families { reference, families }
}

/// Evaluates accepted records.
pub fn evaluate_by(records: &[Fact], clock: i64, rules: &Rules, sets: Sets) -> Views {
    let Families { reference, families } = families(records, rules);
    let mut views = Views {
        clock,
        bills: BTreeMap::new(),
        fates: BTreeMap::new(),
        reference: Reference::new(rules.meanings.vocabulary().clone()),
        cells: HashMap::new(),
        sums: Vec::new(),
        members: BTreeMap::new(),
        firsts: Vec::new(),
        aggregates: rules.aggregates.clone(),
        crosses: rules.crosses.clone(),
        cross_cells: HashMap::new(),
        cross_members: BTreeMap::new(),
    };
    let keeps_sets = sets == Sets::All;
    let mut homes = keeps_sets.then(|| HomeReader::new(rules.aggregates.clone(), Some(clock)));
    let mut sink = (CellSink::new(keeps_sets), CrossSink::new(keeps_sets));
    for (home, records) in families {
        let (facts, variants) = views.facts_of(home, records);
        let Some(id) = home.bill() else {
            for fact in &facts {
                let outcome = without_bill();
                let seen = Observation::new(fact, &outcome, None, &reference, &rules.meanings);
                views.add(&seen, &mut sink);
                homes.iter_mut().for_each(|homes| homes.see(&seen, &variants));
            }
            views.end_home(homes.as_mut());
            continue;
        };
        let mut bill = Bill::default();
        for fact in &facts {
            let outcome = bill.apply(fact, &rules.laws);
            let seen = Observation::new(fact, &outcome, Some(&bill), &reference, &rules.meanings);
            views.add(&seen, &mut sink);
            homes.iter_mut().for_each(|homes| homes.see(&seen, &variants));
        }
        views.end_home(homes.as_mut());
        if bill.header.is_some() {
            views.bills.insert(id, bill);
        }
    }
    views.firsts = homes.as_mut().map_or_else(Vec::new, HomeReader::firsts);
    views.reference = reference;
    views
}

/// What a fact without a bill does: nothing, informational.
pub fn without_bill() -> Outcome {
    Outcome { effect: Effect::Informational, changes: SmallVec::new(), cuts: SmallVec::new(), answered: None }
}

impl Views {
    /// The facts of the market among the records of one bill or desk; notes the fate of the others.
    fn facts_of(&mut self, home: Home, records: Vec<Fact>) -> (Vec<Fact>, Vec<Variant>) {
        let Effective { facts, waiting, void, variants, books: _ } = effective_at(home, records);
        self.fates.extend(waiting.into_iter().map(|id| (id, Fate::Waiting)));
        self.fates.extend(void.into_iter().map(|id| (id, Fate::Revoked)));
        (facts, variants)
    }

    fn end_home(&mut self, homes: Option<&mut HomeReader>) {
        let Some(homes) = homes else { return };
        homes.end_home(|delta| {
            *self.members.entry((delta.key, delta.set, delta.member)).or_default() += delta.weight;
        });
    }

    fn add(&mut self, seen: &Observation<'_>, (sink, crosses): &mut (CellSink, CrossSink)) {
        self.add_crosses(seen, crosses);
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

    fn add_crosses(&mut self, seen: &Observation<'_>, sink: &mut CrossSink) {
        sink.clear();
        self.crosses.observe(&self.aggregates, seen, 1, |_| true, sink);
        for (row, sums, members) in sink.rows() {
            let known = self.cross_cells.entry((row.cross, row.key)).or_insert_with(|| vec![0; sums.len()]);
            known.iter_mut().zip(sums).for_each(|(sum, more)| *sum += more);
            for member in members {
                let name = (row.cross, row.key, member.set, member.member);
                *self.cross_members.entry(name).or_default() += member.weight;
            }
        }
    }

    /// Every cell of every cross with a sum that is not zero, in no order: its cross, key and sums.
    pub fn cross_cells(&self) -> impl Iterator<Item = (&CrossDefinition, &CrossKey, &[i128])> {
        let crosses = self.crosses.crosses();
        let cells = self.cross_cells.iter().filter(|(_, sums)| sums.iter().any(|sum| *sum != 0));
        cells.map(|((place, key), sums)| (&crosses[usize::from(*place)].definition, key, &sums[..]))
    }

    /// Answers a question about a cross of [`Rules::crosses`]. Figures of sets need [`Sets::All`].
    pub fn ask_cross(&self, question: &CrossQuestion) -> Result<Vec<CrossAnswer>, CrossQuestionError> {
        let id = self.aggregates.cross(&question.definition)?.id;
        let place = self.crosses.find(id);
        let place = place.ok_or_else(|| CrossQuestionError::NotEvaluated(question.definition.clone()))?;
        let plan = self.aggregates.ask_cross(&self.crosses.crosses()[place], question)?;
        let mut read = CrossPartial::default();
        let own = |cross: u16| usize::from(cross) == place;
        let cells = self.cross_cells.iter().filter(|((cross, key), _)| own(*cross) && plan.wants(key));
        read.cells = cells.map(|((_, key), sums)| (*key, sums.clone())).collect();
        for ((cross, key, set, member), weight) in &self.cross_members {
            let delta = CrossSetDelta { key: *key, set: *set, member: *member, weight: *weight };
            if own(*cross) && plan.wants_member(&delta) {
                read.members.push(delta);
            }
        }
        read.totals = self.read(|key| Some(key.pair) == plan.plan.total, |set| plan.plan.flow_sets.contains(&set));
        Ok(self.aggregates.answer_cross(&plan, &read, &|legal, date| self.assets_fen(legal, date)))
    }

    /// Cells and members.
    fn read(&self, wants: impl Fn(&CellKey) -> bool, wants_set: impl Fn(SetKind) -> bool) -> Partial {
        let cells = self.cells().filter(|(key, _)| wants(key)).map(|(key, sums)| (*key, sums.to_vec()));
        let members = self.members.iter().filter(|((key, set, _), _)| wants(key) && wants_set(*set));
        let delta = |((key, set, member), weight): (&(CellKey, SetKind, u64), &i64)| SetDelta {
            key: *key,
            set: *set,
            member: *member,
            weight: *weight,
        };
        Partial { cells: cells.collect(), members: members.map(delta).collect(), firsts: Vec::new() }
    }

    /// Total assets of a legal institution at the end of a date.
    fn assets_fen(&self, legal: PartyId, date: Day) -> Option<i64> {
        self.reference.balance_sheet(legal, date.end_ms() - 1).and_then(|sheet| sheet.total_assets_fen)
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
        read.firsts = self.firsts.iter().filter(|first| plan.wants_first(first)).copied().collect();
        Ok(self.aggregates.answer(&plan, &read, &|legal, date| self.assets_fen(legal, date)))
    }

    /// Answers a question about alerts (T31), of these that hold. `handled`, `moments` as in [`AlertSight`].
    pub fn ask_alerts(
        &self,
        question: &Question,
        alerts: &AlertSet,
        patterns: &Patterns,
        handled: &Handlings,
        moments: &dyn Fn(BillId) -> Moments,
    ) -> Result<Vec<Answer>, QuestionError> {
        let plan = self.aggregates.ask(question)?;
        let bill = |bill: BillId| self.bills.get(&bill)?.header.clone();
        let sight = AlertSight { patterns, reference: &self.reference, bill: &bill, handled, moments };
        let read = self.aggregates.cells_of_alerts(&plan, alerts.iter(), &sight);
        Ok(self.aggregates.answer(&plan, &read, &|legal, date| self.assets_fen(legal, date)))
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

    /// Hash of the view of crosses.
    pub fn crosses_hash(&self) -> ViewHash {
        let crosses = self.crosses.crosses();
        let hash = |((place, key), sums): (&(u16, CrossKey), &Vec<i128>)| {
            cross_hash(crosses[usize::from(*place)].id, key, sums)
        };
        self.cross_cells.iter().map(hash).fold(ViewHash::default(), |sum, hash| sum + hash)
    }

    /// Rows of the view of crosses, sorted.
    pub fn cross_rows(&self) -> Vec<String> {
        let crosses = self.crosses.crosses();
        let cells = self.cross_cells.iter().filter(|(_, sums)| sums.iter().any(|sum| *sum != 0));
        let row = |((place, key), sums): (&(u16, CrossKey), &Vec<i128>)| {
            cross_row(&self.aggregates, &crosses[usize::from(*place)], key, sums)
        };
        let mut rows: Vec<String> = cells.map(row).collect();
        rows.sort();
        rows
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
