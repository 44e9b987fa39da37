//! Bills and facts without a bill, as one worker keeps them; late facts, corrections and reference data that come late.
//!
//! An epoch comes in as a [`batch`]; [`folding`] takes each of its lives the fast or the slow way; [`readers`] finds the lives
//! that late reference data touches; [`singles`] keeps the facts without a bill; [`strangers`] takes in copies of variants that
//! belong elsewhere; [`saved`] writes and reads checkpoints.
//! Begin with [`Lives::apply`].
//!
//! Invariant: what this worker has emitted so far is the sum, over its lives, of the value of their facts under the reference
//! data of the last epoch.

mod batch;
mod folding;
mod readers;
mod saved;
mod singles;
mod strangers;

use std::{collections::BTreeMap, hash::BuildHasher as _, time::Instant};

use billwatch_market::{
    bill::Bill,
    codec::decode_fact,
    fact::{EventId, Fact},
    fact_scope::{FactScope, Home, scope},
    ids::{BillId, InstId, PartyId},
    key_group::key_group_of_party,
    pattern::{BillTimers, Hit},
    reference_data::Reference,
};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable, hash_table::Entry};
use smallvec::SmallVec;

pub use self::saved::SavedRow;
use self::{batch::Batch, readers::Parties, singles::Single};
use super::{
    alerts::AlertRow,
    cells::CellRow,
    valuation::{Effects, Sink, Valuer},
    windows::WindowRow,
};
use crate::{
    command::EpochInput,
    counters::{Stage, add},
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

    /// Hands the records of every life over, family by family: (its home, its records and the copies that it needs). Reads
    /// the whole history.
    pub fn each_family(&self, mut take: impl FnMut(Home, Vec<Fact>)) -> Result<(), StoreError> {
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
        take: &mut impl FnMut(Home, Vec<Fact>),
    ) -> Result<(), StoreError> {
        for (dense, past) in self.pasts(&lives.into_iter().collect())? {
            take(self.home_of(dense), past.into_iter().map(|past| past.fact).collect());
        }
        Ok(())
    }

    /// Where the records of a life belong.
    fn home_of(&self, dense: Dense) -> Home {
        match dense & SINGLE {
            0 => Home::Bill(self.bills[dense as usize].id),
            _ if self.singles[single_place(dense)].is_reference => Home::Reference,
            _ => Home::Desk,
        }
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
        let mut reference = self.take_reference(&input.reference)?;
        let copies = self.read_variants(input, &mut batch, &mut reference)?;
        batch.sort();
        shard.spent(Stage::Decode, started);

        add(&shard.counts.reference_records_total, reference.len() as u64);
        self.apply_batch(input.epoch, &batch, &reference, &shard.counts, &mut sink)?;
        add(&shard.counts.facts_total, (batch.rows.len() - copies) as u64);
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

    /// The history of a life.
    pub fn subject(&self, dense: Dense) -> Subject {
        subject_of(&self.bills, &self.singles, dense)
    }

    /// Writes all facts to the disk and waits for it.
    pub fn flush_history(&mut self) -> Result<(), StoreError> {
        let Lives { history, bills, singles, .. } = self;
        history.flush(|dense| subject_of(bills, singles, dense))
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

fn subject_of(bills: &[BillLife], singles: &[Single], dense: Dense) -> Subject {
    if dense & SINGLE == 0 {
        Subject::Bill(bills[dense as usize].id)
    } else {
        let single = &singles[single_place(dense)];
        Subject::Single { is_reference: single.is_reference, event: single.root }
    }
}

fn decode(bytes: &mut &[u8]) -> Result<Fact, StoreError> {
    decode_fact(bytes).map_err(|error| StoreError::Damaged { what: format!("a record of an epoch: {error}") })
}
