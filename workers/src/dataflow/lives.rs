//! Bills and facts without a bill, as one worker keeps them; late facts, corrections and reference data that come late.
//!
//! **Fast**: a fact later than all before it of its bill is applied to the kept fold. **Slow**: anything else (a late fact, a
//! correction, a variant, reference data older than what the bill has read) takes the bill out as it was and puts it in as it
//! is, both folded from its history. A slow bill costs its whole life twice, so it must stay the exception; it is never
//! wrong.
//!
//! Facts without a bill (cash, orders, reference data as events) are folded by nobody, so each is a life of its own, together
//! with the corrections that point at it: a [`Single`].
//!
//! Invariant: what this worker has emitted so far is the sum, over its lives, of the value of their facts under the reference
//! data of the last epoch.

use std::{collections::BTreeMap, hash::BuildHasher as _, time::Instant};

use billwatch_market::{
    bill::{Bill, Effect, Outcome},
    codec::decode_fact,
    corrections::effective,
    fact::{EventId, Fact, Field, Value},
    fact_scope::{FactScope, scope},
    ids::{BillId, InstId, PartyId},
    key_group::key_group_of_party,
    pattern::{BillTimers, Hit},
    reference_data::{Reference, Subject as Read},
};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable, hash_table::Entry};
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use super::{
    alerts::AlertRow,
    cells::CellRow,
    valuation::{Effects, Folded, Sink, Valued, Valuer},
    windows::WindowRow,
};
use crate::{
    command::EpochInput,
    counters::{Counts, Stage, add},
    parcel::Outbox,
    shard::{Common, Seat, Shard},
    store::{
        StoreError,
        history::{History, Past, Subject},
    },
};

/// What leaves in an epoch, by destination.
pub struct Outboxes {
    /// Changed cells.
    pub cells: Outbox<CellRow>,
    /// Feature deltas.
    pub windows: Outbox<WindowRow>,
    /// Hits.
    pub hits: Outbox<AlertRow>,
}

/// Number of a life in its worker; the top bit tells singles from bills.
pub type Dense = u32;
const SINGLE: Dense = 1 << 31;

fn single_place(dense: Dense) -> usize {
    (dense & !SINGLE) as usize
}

/// A bill and what is kept beside its fold.
pub struct BillLife {
    /// Which.
    pub id: BillId,
    /// The fold.
    pub bill: Bill,
    /// Starts and answers.
    pub timers: BillTimers,
    /// Alerts by instant.
    pub due: Vec<(i64, Hit)>,
    /// Latest event time of any record, ms: reference data from later on cannot matter.
    pub last_time: i64,
    /// Corrections or variants: every further fact goes the slow way.
    pub complicated: bool,
    /// Parties and branches that its facts name, as [`party_mark`].
    parties: Parties,
    dirty: bool,
}

/// A fact without a bill, with all records that hang together with it.
pub struct Single {
    /// Names its history.
    pub root: EventId,
    /// Reference data, or cash and orders: corrections never cross.
    pub is_reference: bool,
    /// Lives that were joined: their histories belong here.
    pub joined: SmallVec<[Dense; 1]>,
    /// Alerts by instant (corrections that lead nowhere).
    pub due: Vec<(i64, Hit)>,
    /// Latest event time of any record, ms.
    pub last_time: i64,
    /// Event ids that lead here: of its records and of their targets.
    events: SmallVec<[EventId; 1]>,
    parties: Parties,
    dirty: bool,
}

/// Marks of parties.
type Parties = SmallVec<[u32; 8]>;

/// Half the bits of a party or branch: enough to find who may have read it; two with one mark only cause a needless fold.
fn party_mark(bits: u64) -> u32 {
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Bytes and numbers for the gauges.
#[derive(Default)]
pub struct Weight {
    /// Bytes of bills and singles.
    pub bills_bytes: u64,
    /// Bytes of the index from parties to lives.
    pub index_bytes: u64,
    /// Bytes of facts not in the store.
    pub history_bytes: u64,
    /// Number of bills.
    pub bills: u64,
    /// Number of lots that have not ended.
    pub live_lots: u64,
}

/// The lives of one worker.
pub struct Lives {
    bills: Vec<BillLife>,
    by_bill: HashTable<Dense>,
    hasher: DefaultHashBuilder,
    singles: Vec<Single>,
    by_event: HashMap<(bool, EventId), Dense>,
    reference: Reference,
    /// Lives by party or branch that their facts name: whom late reference data may touch.
    readers: HashMap<u32, Vec<Dense>>,
    /// Branches of a legal institution.
    branches: HashMap<PartyId, Vec<InstId>>,
    history: History,
    valuer: Valuer,
    timers: BTreeMap<i64, Vec<Dense>>,
    clock: Option<i64>,
    reference_changes: Vec<(PartyId, i64)>,
    keeps_singles: bool,
    /// One thread of a process writes the reference data of all.
    saves_reference: bool,
    unsaved_reference: Vec<Fact>,
    /// Singles of a checkpoint whose parts are not found yet.
    unjoined: Vec<(Dense, EventId)>,
    /// Singles that were joined in this epoch: (into, from).
    joins: Vec<(Dense, Dense)>,
    dirty: Vec<Dense>,
    /// Kept between epochs for their memory.
    batch: Batch,
}

/// The records of an epoch.
#[derive(Default)]
struct Batch {
    facts: Vec<Fact>,
    rows: Vec<BatchRow>,
}

#[derive(Clone, Copy)]
struct BatchRow {
    dense: Dense,
    fact: u32,
}

impl Lives {
    /// Without facts.
    pub fn new(common: &Common, seat: Seat) -> Self {
        // All facts without a bill have one home (market::fact_scope).
        let home = common.owners[usize::from(key_group_of_party(PartyId::SYSTEM))];
        Lives {
            bills: Vec::new(),
            by_bill: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            singles: Vec::new(),
            by_event: HashMap::new(),
            reference: Reference::new(common.rules.meanings.vocabulary().clone()),
            readers: HashMap::new(),
            branches: HashMap::new(),
            history: History::new(common.store.clone()),
            valuer: Valuer::new(common),
            timers: BTreeMap::new(),
            clock: None,
            reference_changes: Vec::new(),
            keeps_singles: home == seat.index() as u32,
            saves_reference: seat.thread == 0 && common.store.is_some(),
            unsaved_reference: Vec::new(),
            unjoined: Vec::new(),
            joins: Vec::new(),
            dirty: Vec::new(),
            batch: Batch::default(),
        }
    }

    /// Reference data as of the last epoch.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Market clock as of the last epoch, ms.
    pub fn clock(&self) -> Option<i64> {
        self.clock
    }

    /// Parties whose reference data changed in the epoch, and from when on. Branches come as parties with the bits of their
    /// number, as feature keys write them.
    pub fn take_reference_changes(&mut self) -> Vec<(PartyId, i64)> {
        std::mem::take(&mut self.reference_changes)
    }

    /// The view of effects, as its hash.
    pub fn effects(&self) -> Effects {
        self.valuer.effects()
    }

    /// All accepted records of a bill, in order of arrival.
    pub fn records_of_bill(&self, id: BillId) -> Result<Vec<Past>, StoreError> {
        let Some(place) = self.find_bill(id) else { return Ok(Vec::new()) };
        let mut pasts = self.history.read(&[Subject::Bill(id)], |dense| (dense == place as Dense).then_some(0))?;
        Ok(pasts.pop().unwrap_or_default())
    }

    /// Hands the records of every life over, family by family: (the bill, its records). Reads the whole history.
    pub fn each_family(&self, mut take: impl FnMut(Option<BillId>, Vec<Fact>)) -> Result<(), StoreError> {
        const AT_ONCE: usize = 4_096;
        let bills: Vec<Dense> = (0..self.bills.len() as Dense).collect();
        let is_moved = |dense: Dense| self.singles.iter().any(|single| single.joined.contains(&dense));
        let any_joined = self.singles.iter().any(|single| !single.joined.is_empty());
        let singles = (0..self.singles.len() as Dense).map(|place| place | SINGLE);
        let singles: Vec<Dense> = singles.filter(|dense| !any_joined || !is_moved(*dense)).collect();
        for lives in bills.chunks(AT_ONCE).chain(singles.chunks(AT_ONCE)) {
            self.families(lives.iter().copied(), &mut take)?;
        }
        Ok(())
    }

    /// The same for some lives.
    pub fn families(
        &self,
        lives: impl IntoIterator<Item = Dense>,
        take: &mut impl FnMut(Option<BillId>, Vec<Fact>),
    ) -> Result<(), StoreError> {
        for (dense, past) in self.pasts(&lives.into_iter().collect())? {
            let bill = (dense & SINGLE == 0).then(|| self.bills[dense as usize].id);
            take(bill, past.into_iter().map(|past| past.fact).collect());
        }
        Ok(())
    }

    /// Lives whose facts name a party (its bits) or a branch (its number).
    pub fn readers_of(&self, party: u64) -> &[Dense] {
        self.readers.get(&party_mark(party)).map_or(&[], Vec::as_slice)
    }

    /// Every bill.
    pub fn bills(&self) -> &[BillLife] {
        &self.bills
    }

    /// Applies an epoch: everything it changes leaves through `boxes`.
    ///
    /// # Errors
    /// The history cannot be read; or records do not decode, which means that coordinator and worker are not of one build.
    pub fn apply(&mut self, shard: &Shard, input: &EpochInput, boxes: &mut Outboxes) -> Result<(), StoreError> {
        let alert_owner = |row: &AlertRow| shard.alert_owner(row);
        let mut sink = Sink { boxes, alert_owner: &alert_owner, feature_rows: 0, hit_rows: 0, skipped: 0 };
        let before = self.clock;
        self.clock = input.clock.or(before);
        self.pass_clock(before, &mut sink);

        let started = Instant::now();
        let mut batch = std::mem::take(&mut self.batch);
        self.read_batch(input, &mut batch)?;
        shard.spent(Stage::Decode, started);

        let reference = self.take_reference(&input.reference)?;
        add(&shard.counts.reference_records_total, reference.len() as u64);
        self.apply_batch(input.epoch, &batch, &reference, &shard.counts, &mut sink)?;
        add(&shard.counts.facts_total, batch.rows.len() as u64);
        let mut cell_rows = 0;
        self.valuer.ship_cells(|to, row| {
            cell_rows += 1;
            sink.boxes.cells.push(to, row);
        });
        add(&shard.counts.cell_rows_total, cell_rows);
        batch.facts.clear();
        batch.rows.clear();
        self.batch = batch;
        add(&shard.counts.feature_rows_total, sink.feature_rows);
        add(&shard.counts.hit_rows_total, sink.hit_rows);
        Ok(())
    }

    /// Alerts that the clock alone makes: they were foreseen when their life changed.
    fn pass_clock(&mut self, before: Option<i64>, sink: &mut Sink<'_>) {
        let Some(now) = self.clock.filter(|now| before != Some(*now)) else { return };
        while let Some(entry) = self.timers.first_entry() {
            if *entry.key() > now {
                break;
            }
            let (instant, mut lives) = entry.remove_entry();
            lives.sort_unstable();
            lives.dedup();
            for dense in lives {
                for (_, hit) in self.due_of(dense).iter().filter(|(at, _)| *at == instant) {
                    sink.hit(AlertRow { hit: hit.clone(), weight: 1 });
                }
            }
        }
    }

    fn due_of(&self, dense: Dense) -> &[(i64, Hit)] {
        if dense & SINGLE == 0 { &self.bills[dense as usize].due } else { &self.singles[single_place(dense)].due }
    }

    /// Decodes records, finds their lives, and keeps their bytes in the history.
    fn read_batch(&mut self, input: &EpochInput, batch: &mut Batch) -> Result<(), StoreError> {
        let mut bytes: &[u8] = &input.records;
        while !bytes.is_empty() {
            let whole = bytes;
            let fact = decode(&mut bytes)?;
            let dense = self.life_of(&fact);
            self.history.add(dense, input.epoch, &whole[..whole.len() - bytes.len()]);
            batch.push(dense, fact);
        }
        let mut bytes: &[u8] = if self.keeps_singles { &input.reference } else { &[] };
        while !bytes.is_empty() {
            let whole = bytes;
            let fact = decode(&mut bytes)?;
            if scope(&fact) == FactScope::Reference {
                let dense = self.life_of(&fact);
                self.history.add(dense, input.epoch, &whole[..whole.len() - bytes.len()]);
                batch.push(dense, fact);
            }
        }
        batch.sort();
        Ok(())
    }

    /// The life of a record; made when it is the first one.
    fn life_of(&mut self, fact: &Fact) -> Dense {
        match scope(fact) {
            FactScope::Bill(bill) | FactScope::BillAndReference(bill) => self.bill_life(bill),
            FactScope::Reference => self.single_life(true, fact),
            FactScope::Party(_) => self.single_life(false, fact),
        }
    }

    fn bill_life(&mut self, id: BillId) -> Dense {
        let Lives { bills, hasher, by_bill, .. } = self;
        let hash = |id: &BillId| hasher.hash_one(id);
        let is_it = |dense: &Dense| bills[*dense as usize].id == id;
        match by_bill.entry(hash(&id), is_it, |dense| hash(&bills[*dense as usize].id)) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let dense = bills.len() as Dense;
                entry.insert(dense);
                bills.push(BillLife::new(id));
                dense
            }
        }
    }

    /// The place of a bill that is known here, in [`Lives::bills`].
    pub fn find_bill(&self, id: BillId) -> Option<usize> {
        let found = self.by_bill.find(self.hasher.hash_one(id), |dense| self.bills[*dense as usize].id == id);
        found.map(|dense| *dense as usize)
    }

    /// Records of singles hang together by event id and target.
    fn single_life(&mut self, is_reference: bool, fact: &Fact) -> Dense {
        let target = fact.correction.map(|(_, target)| target);
        let known = |event| self.by_event.get(&(is_reference, event)).copied();
        let dense = match (known(fact.event_id), target.and_then(known)) {
            (Some(own), Some(theirs)) if own != theirs => self.join(theirs, own),
            (Some(dense), _) | (None, Some(dense)) => dense,
            (None, None) => {
                let dense = self.singles.len() as Dense | SINGLE;
                self.singles.push(Single {
                    root: fact.event_id,
                    is_reference,
                    joined: SmallVec::new(),
                    due: Vec::new(),
                    last_time: i64::MIN,
                    events: SmallVec::new(),
                    parties: SmallVec::new(),
                    dirty: false,
                });
                dense
            }
        };
        for event in [Some(fact.event_id), target].into_iter().flatten() {
            if self.by_event.insert((is_reference, event), dense).is_none() {
                self.singles[single_place(dense)].events.push(event);
            }
        }
        dense
    }

    /// A record joins two lives that were apart (the correction of a correction came before it). The second goes on in the
    /// first: what it has added so far is taken away when the first is next valued, which is in this epoch.
    fn join(&mut self, into: Dense, from: Dense) -> Dense {
        let events = std::mem::take(&mut self.singles[single_place(from)].events);
        let is_reference = self.singles[single_place(from)].is_reference;
        for event in &events {
            self.by_event.insert((is_reference, *event), into);
        }
        self.singles[single_place(into)].events.extend(events);
        self.mark(from);
        let mut moved = std::mem::take(&mut self.singles[single_place(from)].joined);
        moved.push(from);
        self.singles[single_place(into)].joined.extend(moved);
        self.joins.push((into, from));
        into
    }

    /// Decodes the reference records that are new.
    fn take_reference(&mut self, bytes: &[u8]) -> Result<Vec<Fact>, StoreError> {
        let mut rest = bytes;
        let mut new = Vec::new();
        while !rest.is_empty() {
            let record = decode(&mut rest)?;
            if !self.reference.contains(&record) {
                new.push(record);
            }
        }
        Ok(new)
    }

    /// Lives that may have read what the records changed. Takes the records into the reference data.
    fn insert_reference(&mut self, records: &[Fact]) -> HashSet<Dense> {
        let mut touched: HashMap<Read, i64> = HashMap::new();
        let mut branches: Vec<(InstId, i64)> = Vec::new();
        for record in records {
            self.note_branch(record);
            for (subject, from) in self.reference.insert(record.clone()).subjects {
                touched.entry(subject).and_modify(|known| *known = from.min(*known)).or_insert(from);
                branches.extend(insts_of(record).map(|branch| (branch, from)));
            }
        }
        let mut lives = HashSet::new();
        if self.saves_reference {
            self.unsaved_reference.extend_from_slice(records);
        }
        for (subject, from) in touched {
            match subject {
                Read::Party(party) => {
                    self.readers_since(party.bits(), from, &mut lives);
                    self.reference_changes.push((party, from));
                    let of_party = self.branches.get(&party).map_or(&[][..], Vec::as_slice);
                    branches.extend(of_party.iter().map(|branch| (*branch, from)));
                }
                Read::Contract(drawer, _) => self.readers_since(drawer.bits(), from, &mut lives),
                Read::Bill(bill) => {
                    lives.extend(
                        self.find_bill(bill).map(|place| place as Dense).filter(|dense| self.read_since(*dense, from)),
                    );
                }
                // Read by class, kind or credit code, which no fact names: whoever lived then.
                Read::Curve(_) | Read::Rate(_) | Read::CreditCode(_) => self.everybody_since(from, &mut lives),
            }
        }
        branches.sort_unstable();
        branches.dedup_by_key(|(branch, _)| *branch);
        for (branch, from) in branches {
            self.readers_since(u64::from(branch.0), from, &mut lives);
            self.reference_changes.push((PartyId::from_bits(u64::from(branch.0)), from));
        }
        lives
    }

    fn note_branch(&mut self, record: &Fact) {
        if let (Some(branch), Some(legal)) = (record.inst(Field::ParticipantCode), record.party(Field::LegalInstId)) {
            let known = self.branches.entry(legal).or_default();
            if !known.contains(&branch) {
                known.push(branch);
            }
        }
    }

    fn readers_since(&self, party: u64, from: i64, lives: &mut HashSet<Dense>) {
        let readers = self.readers_of(party);
        lives.extend(readers.iter().copied().filter(|dense| self.read_since(*dense, from)));
    }

    fn everybody_since(&self, from: i64, lives: &mut HashSet<Dense>) {
        let bills = (0..self.bills.len() as Dense).chain((0..self.singles.len() as Dense).map(|place| place | SINGLE));
        lives.extend(bills.filter(|dense| self.read_since(*dense, from)));
    }

    /// True when a fact of the life may have read what changed at an instant.
    fn read_since(&self, dense: Dense, from: i64) -> bool {
        let last = if dense & SINGLE == 0 {
            self.bills[dense as usize].last_time
        } else {
            self.singles[single_place(dense)].last_time
        };
        last >= from
    }

    fn apply_batch(
        &mut self,
        epoch: u64,
        batch: &Batch,
        reference: &[Fact],
        counts: &Counts,
        sink: &mut Sink<'_>,
    ) -> Result<(), StoreError> {
        let groups: Vec<&[BatchRow]> = batch.rows.chunk_by(|left, right| left.dense == right.dense).collect();
        let mut slow: HashSet<Dense> =
            groups.iter().filter(|rows| !self.is_in_order(rows, batch)).map(|rows| rows[0].dense).collect();
        let touched = self.insert_reference(reference);
        if !touched.is_empty() {
            slow.extend(&touched);
        }
        let pasts = self.pasts(&slow)?;
        if !pasts.is_empty() {
            // Taken out under the reference data that they were valued with.
            if !touched.is_empty() {
                reference.iter().rev().for_each(|record| drop(self.reference.remove(record)));
            }
            for (dense, past) in &pasts {
                self.take_out(*dense, past, epoch, sink);
            }
            if !touched.is_empty() {
                reference.iter().for_each(|record| drop(self.reference.insert(record.clone())));
            }
        }
        self.joins.clear();
        for (dense, past) in pasts {
            add(&counts.refolds_total, 1);
            add(&counts.refolded_facts_total, past.len() as u64);
            self.put_in(dense, past, sink);
        }
        for rows in groups {
            let dense = rows[0].dense;
            for row in rows {
                self.note_reader(dense, &batch.facts[row.fact as usize]);
            }
            if slow.contains(&dense) {
                continue;
            }
            add(&counts.facts_in_order_total, rows.len() as u64);
            if dense & SINGLE == 0 {
                self.go_on(dense, rows, batch, sink);
            } else {
                self.value_single(&batch.facts[rows[0].fact as usize], false, 1, sink);
                self.mark(dense);
            }
        }
        Ok(())
    }

    /// True when the new facts of a life only go on from what was folded.
    fn is_in_order(&self, rows: &[BatchRow], batch: &Batch) -> bool {
        let facts = || rows.iter().map(|row| &batch.facts[row.fact as usize]);
        if facts().any(|fact| fact.correction.is_some()) {
            return false;
        }
        let dense = rows[0].dense;
        if dense & SINGLE != 0 {
            return rows.len() == 1 && self.singles[single_place(dense)].last_time == i64::MIN;
        }
        let life = &self.bills[dense as usize];
        // A known event id under another number is a variant; within the batch equal ids may lie apart.
        let is_new = |place: usize, fact: &Fact| {
            !life.timers.knows(fact.event_id) && facts().take(place).all(|other| other.event_id != fact.event_id)
        };
        !life.complicated
            && facts().next().is_some_and(|first| life.bill.last.is_none_or(|last| last < first.order_key()))
            && facts().enumerate().all(|(place, fact)| is_new(place, fact))
    }

    /// All records of slow lives, those of this epoch included; singles that were joined have one past.
    fn pasts(&self, slow: &HashSet<Dense>) -> Result<Vec<(Dense, Vec<Past>)>, StoreError> {
        let mut wanted: HashMap<Dense, usize> = HashMap::with_capacity(slow.len());
        let mut subjects: Vec<Subject> = Vec::with_capacity(slow.len());
        let mut order: Vec<Dense> = slow.iter().copied().collect();
        order.sort_unstable();
        // What was touched under its old number lives on under the new one.
        order.retain(|dense| !self.joins.iter().any(|(_, from)| from == dense));
        let mut parts: Vec<(usize, Dense)> = Vec::new();
        for (place, dense) in order.iter().enumerate() {
            parts.push((place, *dense));
            if dense & SINGLE != 0 {
                parts.extend(self.singles[single_place(*dense)].joined.iter().map(|part| (place, *part)));
            }
        }
        for (at, (_, part)) in parts.iter().enumerate() {
            wanted.insert(*part, at);
            subjects.push(self.subject(*part));
        }
        let found = self.history.read(&subjects, |dense| wanted.get(&dense).copied())?;
        let mut pasts: Vec<(Dense, Vec<Past>)> = order.into_iter().map(|dense| (dense, Vec::new())).collect();
        for ((place, part), mut past) in parts.into_iter().zip(found) {
            past.iter_mut().for_each(|past| past.life = part);
            pasts[place].1.append(&mut past);
        }
        Ok(pasts)
    }

    /// The history of a life.
    pub fn subject(&self, dense: Dense) -> Subject {
        subject_of(&self.bills, &self.singles, dense)
    }

    fn take_out(&mut self, dense: Dense, past: &[Past], epoch: u64, sink: &mut Sink<'_>) {
        let before = |past: &&Past| past.epoch < epoch;
        if dense & SINGLE == 0 {
            let records: Vec<Fact> = past.iter().filter(before).map(|past| past.fact.clone()).collect();
            if !records.is_empty() {
                let id = self.bills[dense as usize].id;
                self.valuer.fold(id, records, &self.reference, -1, sink);
            }
            return;
        }
        // Lives that were apart until this epoch were valued apart.
        let joined: Vec<Dense> = self.joins.iter().filter(|(into, _)| *into == dense).map(|(_, from)| *from).collect();
        let home = |part: Dense| {
            let within = |from: &&Dense| **from == part || self.singles[single_place(**from)].joined.contains(&part);
            joined.iter().find(within).copied().unwrap_or(dense)
        };
        let mut families: HashMap<Dense, Vec<Fact>> = HashMap::new();
        for past in past.iter().filter(before) {
            families.entry(home(past.life)).or_default().push(past.fact.clone());
        }
        for records in families.into_values() {
            self.value_family(records, -1, sink);
        }
        for from in joined {
            self.settle_due(from, Vec::new(), sink);
        }
    }

    fn put_in(&mut self, dense: Dense, past: Vec<Past>, sink: &mut Sink<'_>) {
        let last_time = past.iter().map(|past| past.fact.event_time).max().unwrap_or(i64::MIN);
        let records: Vec<Fact> = past.into_iter().map(|past| past.fact).collect();
        let due = if dense & SINGLE == 0 {
            let id = self.bills[dense as usize].id;
            let Folded { bill, timers, due, complicated } = self.valuer.fold(id, records, &self.reference, 1, sink);
            let life = &mut self.bills[dense as usize];
            (life.bill, life.timers, life.complicated, life.last_time) = (bill, timers, complicated, last_time);
            due
        } else {
            self.singles[single_place(dense)].last_time = last_time;
            self.value_family(records, 1, sink)
        };
        self.settle_due(dense, due, sink);
        self.mark(dense);
    }

    /// Values the facts that come of the records of a single; says what waits.
    fn value_family(&mut self, records: Vec<Fact>, weight: i32, sink: &mut Sink<'_>) -> Vec<(i64, Hit)> {
        let copies = records.clone();
        let effective = effective(records);
        for fact in &effective.facts {
            let has_variants = effective.variants.iter().any(|variant| variant.event_id == fact.event_id);
            self.value_single(fact, has_variants, weight, sink);
        }
        self.valuer.count_fates(&effective, weight);
        self.valuer.waiting(&copies, &effective)
    }

    fn value_single(&mut self, fact: &Fact, has_variants: bool, weight: i32, sink: &mut Sink<'_>) {
        let outcome =
            Outcome { effect: Effect::Informational, changes: smallvec![], cuts: smallvec![], answered: None };
        let valued = Valued { fact, outcome: &outcome, bill: None, has_variants };
        self.valuer.value(valued, &self.reference, weight, None, sink);
    }

    /// The fast path: facts that come after all before them.
    fn go_on(&mut self, dense: Dense, rows: &[BatchRow], batch: &Batch, sink: &mut Sink<'_>) {
        let life = &mut self.bills[dense as usize];
        for row in rows {
            let fact = &batch.facts[row.fact as usize];
            let outcome = life.bill.apply(fact, &self.valuer.rules().laws);
            let valued = Valued { fact, outcome: &outcome, bill: Some(&life.bill), has_variants: false };
            self.valuer.value(valued, &self.reference, 1, Some(&mut life.timers), sink);
            life.last_time = life.last_time.max(fact.event_time);
        }
        let due = self.valuer.rules().patterns.due(&life.timers);
        self.settle_due(dense, due, sink);
        self.mark(dense);
    }

    /// Alerts that the clock has made are diffed at once; the others wait for it.
    fn settle_due(&mut self, dense: Dense, due: Vec<(i64, Hit)>, sink: &mut Sink<'_>) {
        let now = self.clock;
        let is_made = |at: i64| now.is_some_and(|now| at <= now);
        let old = if dense & SINGLE == 0 {
            &mut self.bills[dense as usize].due
        } else {
            &mut self.singles[single_place(dense)].due
        };
        if *old == due {
            return;
        }
        // Taken and given whole: what stays the same cancels at the owner of the alert.
        for (_, hit) in old.iter().filter(|(at, _)| is_made(*at)) {
            sink.hit(AlertRow { hit: hit.clone(), weight: -1 });
        }
        for (at, hit) in &due {
            if is_made(*at) {
                sink.hit(AlertRow { hit: hit.clone(), weight: 1 });
            } else if !old.iter().any(|(known, _)| known == at) {
                self.timers.entry(*at).or_default().push(dense);
            }
        }
        *old = due;
    }

    /// Remembers whose reference data a fact may read.
    fn note_reader(&mut self, dense: Dense, fact: &Fact) {
        let parties = if dense & SINGLE == 0 {
            &mut self.bills[dense as usize].parties
        } else {
            let single = &mut self.singles[single_place(dense)];
            single.last_time = single.last_time.max(fact.event_time);
            &mut single.parties
        };
        for (_, value) in &fact.fields {
            let mark = match value {
                Value::Party(party) if *party != PartyId::SYSTEM && *party != PartyId::MARKET => {
                    party_mark(party.bits())
                }
                Value::Inst(branch) => party_mark(u64::from(branch.0)),
                _ => continue,
            };
            if !parties.contains(&mark) {
                parties.push(mark);
                self.readers.entry(mark).or_default().push(dense);
            }
        }
    }

    fn mark(&mut self, dense: Dense) {
        let dirty = if dense & SINGLE == 0 {
            &mut self.bills[dense as usize].dirty
        } else {
            &mut self.singles[single_place(dense)].dirty
        };
        if !*dirty {
            *dirty = true;
            self.dirty.push(dense);
        }
    }

    /// Writes all facts to the disk and waits for it.
    pub fn flush_history(&mut self) -> Result<(), StoreError> {
        let Lives { history, bills, singles, .. } = self;
        history.flush(|dense| subject_of(bills, singles, dense))
    }

    /// Rows of bills and singles that changed since the last call.
    pub fn take_dirty(&mut self) -> (Vec<SavedRow>, Vec<SavedRow>) {
        let (mut bills, mut singles) = (Vec::new(), Vec::new());
        for dense in std::mem::take(&mut self.dirty) {
            let key = self.subject(dense).key().to_vec();
            if dense & SINGLE == 0 {
                let life = &mut self.bills[dense as usize];
                life.dirty = false;
                let row = (&life.bill, &life.timers, &life.due, life.last_time, life.complicated, &life.parties);
                bills.push((key, encode(&row)));
            } else {
                self.singles[single_place(dense)].dirty = false;
                let single = &self.singles[single_place(dense)];
                let joined: Vec<EventId> =
                    single.joined.iter().map(|part| self.singles[single_place(*part)].root).collect();
                let row = (&single.events, joined, &single.due, single.last_time, &single.parties);
                singles.push((key, encode(&row)));
            }
        }
        (bills, singles)
    }

    /// Reference records since the last call, where this thread writes them for its process.
    pub fn take_unsaved_reference(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.unsaved_reference)
    }

    /// Puts a reference record of a checkpoint back.
    pub fn restore_reference(&mut self, record: Fact) {
        self.note_branch(&record);
        self.reference.insert(record);
    }

    /// Puts a bill of a checkpoint back.
    pub fn restore_bill(&mut self, id: BillId, row: &[u8]) -> Result<(), StoreError> {
        let dense = self.bill_life(id);
        let (bill, timers, due, last_time, complicated, parties): (_, _, _, _, _, Parties) = decode_row(row)?;
        parties.iter().for_each(|mark| self.readers.entry(*mark).or_default().push(dense));
        self.bills[dense as usize] = BillLife { id, bill, timers, due, last_time, complicated, parties, dirty: false };
        Ok(())
    }

    /// Puts a single of a checkpoint back. When all are there, [`Lives::resume`] joins them.
    pub fn restore_single(&mut self, is_reference: bool, root: EventId, row: &[u8]) -> Result<(), StoreError> {
        type Row = (SmallVec<[EventId; 1]>, Vec<EventId>, Vec<(i64, Hit)>, i64, Parties);
        let (events, joined, due, last_time, parties): Row = decode_row(row)?;
        let dense = self.singles.len() as Dense | SINGLE;
        parties.iter().for_each(|mark| self.readers.entry(*mark).or_default().push(dense));
        for event in &events {
            self.by_event.insert((is_reference, *event), dense);
        }
        self.unjoined.extend(joined.into_iter().map(|part| (dense, part)));
        self.singles.push(Single {
            root,
            is_reference,
            joined: SmallVec::new(),
            due,
            last_time,
            events,
            parties,
            dirty: false,
        });
        Ok(())
    }

    /// After all rows of a checkpoint: what is a function of them.
    pub fn resume(&mut self, clock: Option<i64>, effects: Effects) {
        self.clock = clock;
        self.valuer.restore_effects(effects);
        let roots: HashMap<(bool, EventId), Dense> = self
            .singles
            .iter()
            .enumerate()
            .map(|(place, single)| ((single.is_reference, single.root), place as Dense | SINGLE))
            .collect();
        for (into, part) in std::mem::take(&mut self.unjoined) {
            let single = &mut self.singles[single_place(into)];
            single.joined.extend(roots.get(&(single.is_reference, part)).copied());
        }
        let bills = self.bills.iter().enumerate().map(|(place, life)| (place as Dense, &life.due));
        let singles = self.singles.iter().enumerate().map(|(place, single)| (place as Dense | SINGLE, &single.due));
        for (dense, due) in bills.chain(singles) {
            for (at, _) in due.iter().filter(|(at, _)| clock.is_none_or(|clock| *at > clock)) {
                self.timers.entry(*at).or_default().push(dense);
            }
        }
    }

    /// Between epochs: full parts of the history go to the disk.
    pub fn turn_history(&mut self) -> Result<(), StoreError> {
        let Lives { history, bills, singles, .. } = self;
        history.turn(|dense| subject_of(bills, singles, dense))
    }

    /// Bytes and numbers for the gauges. Walks over all bills.
    pub fn weigh(&self) -> Weight {
        let bills: usize = self.bills.iter().map(|life| life.bill.heap_bytes() + life.timers.heap_bytes()).sum();
        let fixed = self.bills.capacity() * size_of::<BillLife>() + self.singles.capacity() * size_of::<Single>();
        let index: usize = self.readers.values().map(|readers| readers.capacity() * 4 + 40).sum();
        Weight {
            bills_bytes: (bills + fixed + self.by_bill.capacity() * 5) as u64,
            index_bytes: index as u64,
            history_bytes: self.history.heap_bytes() as u64,
            bills: self.bills.len() as u64,
            live_lots: self.bills.iter().map(|life| life.bill.live_lots().count() as u64).sum(),
        }
    }
}

impl BillLife {
    fn new(id: BillId) -> Self {
        BillLife {
            id,
            bill: Bill::default(),
            timers: BillTimers::default(),
            due: Vec::new(),
            last_time: i64::MIN,
            complicated: false,
            parties: SmallVec::new(),
            dirty: false,
        }
    }
}

impl Batch {
    fn push(&mut self, dense: Dense, fact: Fact) {
        self.rows.push(BatchRow { dense, fact: self.facts.len() as u32 });
        self.facts.push(fact);
    }

    /// By life, then in the order of facts: what arrives together in disorder is no late fact.
    fn sort(&mut self) {
        let Batch { facts, rows } = self;
        rows.sort_unstable_by(|left, right| {
            let order = |row: &BatchRow| facts[row.fact as usize].order_key();
            left.dense.cmp(&right.dense).then_with(|| order(left).cmp(&order(right)))
        });
    }
}

/// A row of a state table: key and value.
pub type SavedRow = (Vec<u8>, Vec<u8>);

fn encode(row: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(row).expect("memory takes every row")
}

fn decode_row<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Damaged { what: format!("a row of a checkpoint: {error}") })
}

fn subject_of(bills: &[BillLife], singles: &[Single], dense: Dense) -> Subject {
    if dense & SINGLE == 0 {
        Subject::Bill(bills[dense as usize].id)
    } else {
        let single = &singles[single_place(dense)];
        Subject::Single { is_reference: single.is_reference, event: single.root }
    }
}

fn insts_of(record: &Fact) -> impl Iterator<Item = InstId> {
    record.fields.iter().filter_map(|(_, value)| match value {
        Value::Inst(branch) => Some(*branch),
        _ => None,
    })
}

fn decode(bytes: &mut &[u8]) -> Result<Fact, StoreError> {
    decode_fact(bytes).map_err(|error| StoreError::Damaged { what: format!("a record of an epoch: {error}") })
}
