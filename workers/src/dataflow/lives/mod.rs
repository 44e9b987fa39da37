//! Bills and facts without a bill, as one worker keeps them; late facts, corrections and reference data that come late.
//!
//! An epoch comes in as a [`batch`]; [`folding`] takes each of its lives the fast or the slow way; [`bills`] keeps the folded
//! bills, nearly all of them packed; [`singles`] keeps the facts without a bill; [`strangers`] takes in copies of variants
//! that belong elsewhere; [`readers`] finds the lives that late reference data touches; [`rejudged`] judges facts again when
//! parameters change; [`sweep`] walks over all of them between epochs; [`saved`] writes and reads checkpoints, [`dirty`] says
//! which rows are not saved.
//! Begin with [`Lives::apply`].
//!
//! Invariant: what this worker has emitted so far is the sum, over its lives, of the value of their facts under the reference
//! data of the last epoch.

mod batch;
mod bills;
mod dirty;
mod filling;
mod folding;
mod pieces;
mod readers;
mod rejudged;
mod saved;
mod singles;
mod strangers;
mod sweep;

use std::{collections::BTreeMap, ops::ControlFlow, rc::Rc, sync::Arc, time::Instant};

use billwatch_market::{
    bill::Bill,
    books::is_of_book,
    codec::{CodecError, decode_fact},
    fact::{EventId, Fact},
    fact_scope::{FactScope, Home, scope},
    ids::{BillId, InstId, PartyId},
    key_group::key_group_of_party,
    pattern::{Hit, liveness::Tally},
    reference_data::Reference,
};
use hashbrown::HashMap;

pub use self::sweep::Sweep;
use self::{batch::Batch, bills::Bills, dirty::Dirty, readers::Readers, singles::Singles};
use super::{
    alerts::AlertRow,
    cells::CellRow,
    crosses::{CrossFeeds, CrossRow},
    valuation::{Effects, Rules, Sink, Valuer},
    windows::WindowRow,
};
use crate::{
    command::EpochInput,
    counters::{Stage, add},
    parcel::Outbox,
    shard::{Common, Seat, Shard},
    store::{
        StoreError,
        history::{History, Past},
        subject::{Family, Subject},
        writer::Outlet,
    },
};

/// What leaves in an epoch, by destination.
pub struct Outboxes {
    /// Changed cells.
    pub cells: Outbox<CellRow>,
    /// Changed cells of crosses.
    pub crosses: Outbox<CrossRow>,
    /// Feature deltas.
    pub windows: Outbox<WindowRow>,
    /// Hits.
    pub hits: Outbox<AlertRow>,
}

/// Number of a life in its worker; the top bit tells singles from bills.
pub type Dense = u32;
pub(in crate::dataflow) const SINGLE: Dense = 1 << 31;

pub(in crate::dataflow) fn single_place(dense: Dense) -> usize {
    (dense & !SINGLE) as usize
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
    bills: Bills,
    singles: Singles,
    reference: Reference,
    readers: Readers,
    /// Branches of a legal institution.
    branches: HashMap<PartyId, Vec<InstId>>,
    history: History,
    /// Key groups whose lives are here, in order.
    groups: Vec<u16>,
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
    /// What lives of a checkpoint make due.
    unsettled: Vec<(i64, Dense)>,
    /// Singles that were joined in this epoch: (into, from).
    joins: Vec<(Dense, Dense)>,
    dirty: Dirty,
    /// Kept between epochs for their memory.
    batch: Batch,
}

/// Lives as they were at some epoch, as far as they are not read.
pub struct Noted {
    left: Sweep,
    /// What had joined a life by then.
    joined: HashMap<Dense, Vec<Dense>>,
}

impl Lives {
    /// Without facts. `outlet`: the way to the disk, where there is one.
    pub fn new(common: &Common, seat: Seat, outlet: Option<Rc<Outlet>>) -> Self {
        // All facts without a bill have one home (market::fact_scope).
        let home = common.owners[usize::from(key_group_of_party(PartyId::SYSTEM))];
        let owned = |(group, owner): (u16, &u32)| (*owner == seat.index() as u32).then_some(group);
        let groups = (0..).zip(common.owners.iter()).filter_map(owned).collect();
        let saves_reference = seat.thread == 0 && outlet.is_some();
        Lives {
            bills: Bills::new(common.awake_bills_min),
            singles: Singles::default(),
            reference: Reference::new(common.rules.meanings.vocabulary().clone()),
            readers: Readers::default(),
            branches: HashMap::new(),
            history: History::new(outlet, common.save_pace.history_part_bytes),
            groups,
            valuer: Valuer::new(common),
            timers: BTreeMap::new(),
            clock: None,
            reference_changes: Vec::new(),
            keeps_singles: home == seat.index() as u32,
            saves_reference,
            unsaved_reference: Vec::new(),
            unjoined: Vec::new(),
            unsettled: Vec::new(),
            joins: Vec::new(),
            dirty: Dirty::default(),
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

    /// Crosses that are fed here.
    pub fn crosses(&self) -> &CrossFeeds {
        self.valuer.crosses_kept()
    }

    /// The same, to be changed: between epochs.
    pub fn crosses_mut(&mut self) -> &mut CrossFeeds {
        self.valuer.crosses()
    }

    /// From now on these rules.
    pub fn change_rules(&mut self, rules: &Arc<Rules>) {
        self.valuer.change_rules(rules);
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

    /// Facts read, and facts that rules could not judge.
    pub fn tally(&self) -> &Tally {
        self.valuer.tally()
    }

    /// All accepted records of a bill, in order of arrival.
    pub fn records_of_bill(&self, id: BillId) -> Result<Vec<Past>, StoreError> {
        let Some(bill) = self.find_bill(id) else { return Ok(Vec::new()) };
        let mut pasts = self.history.read(&[Subject::Bill(id)], |dense| (dense == bill).then_some(0))?;
        Ok(pasts.pop().unwrap_or_default())
    }

    /// Hands the records of every life over, family by family: (its home, its records and the copies that it needs). Reads
    /// the whole history, unless it is told to stop.
    pub fn each_family(&self, mut take: impl FnMut(Home, Vec<Fact>) -> ControlFlow<()>) -> Result<(), StoreError> {
        const AT_ONCE: usize = 1_024;
        let mut sweep = self.sweep();
        while !sweep.is_over() {
            for (dense, past) in self.sweep_on(&mut sweep, AT_ONCE)? {
                if take(self.home_of(dense), past.into_iter().map(|past| past.fact).collect()).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The same for some lives.
    pub fn families(
        &self,
        lives: impl IntoIterator<Item = Dense>,
        take: &mut impl FnMut(Home, Vec<Fact>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        for (dense, past) in self.pasts(&lives.into_iter().collect())? {
            if take(self.home_of(dense), past.into_iter().map(|past| past.fact).collect()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Notes all lives as they are now, for who reads them bit by bit ([`Lives::read_noted`]).
    pub fn note(&self) -> Noted {
        let joined: HashMap<Dense, Vec<Dense>> = self
            .singles
            .numbers()
            .filter(|dense| !self.singles.get(*dense).joined().is_empty())
            .map(|dense| (dense, self.singles.get(dense).joined().to_vec()))
            .collect();
        let left = self.sweep();
        Noted { left, joined }
    }

    /// Hands the next lives over, each as its records up to an epoch made it: (its home, its records). Reads until it is told to
    /// stop. False when nothing is left.
    pub fn read_noted(
        &self,
        noted: &mut Noted,
        at_once: usize,
        epoch: u64,
        mut take: impl FnMut(Home, Vec<Fact>) -> bool,
    ) -> Result<bool, StoreError> {
        for (dense, past) in self.sweep_on(&mut noted.left, at_once)? {
            // What joined it later was noted as a life of its own.
            let was_its_own = |past: &Past| {
                past.life == dense || noted.joined.get(&dense).is_some_and(|joined| joined.contains(&past.life))
            };
            let records = past.into_iter().filter(|past| past.epoch <= epoch && was_its_own(past));
            let records: Vec<Fact> = records.map(|past| past.fact).collect();
            if !records.is_empty() && !take(self.home_of(dense), records) {
                break;
            }
        }
        Ok(!noted.left.is_over())
    }

    /// Where the records of a life belong.
    fn home_of(&self, dense: Dense) -> Home {
        match dense & SINGLE {
            0 => Home::Bill(self.bills.id(dense)),
            _ if self.singles.get(dense).family == Family::Reference => Home::Reference,
            _ => Home::Desk,
        }
    }

    /// Applies an epoch: everything it changes leaves through `boxes`.
    ///
    /// # Errors
    /// The history cannot be read; or records do not decode, which means that coordinator and worker are not of one build.
    pub fn apply(&mut self, shard: &Shard, input: &EpochInput, boxes: &mut Outboxes) -> Result<(), StoreError> {
        let alert_owner = |row: &AlertRow| shard.alert_owner(row);
        let mut sink =
            Sink { boxes, alert_owner: &alert_owner, feature_rows: 0, hit_rows: 0, hits_withdrawn: 0, skipped: 0 };
        let before = self.clock;
        self.clock = input.clock.or(before);
        self.obey(shard, input.epoch, &input.orders)?;
        self.pass_clock(before, &mut sink)?;

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
        if let Some(change) = shard.rule_change() {
            self.rejudge(&change, &mut sink)?;
        }
        let mut cell_rows = 0;
        self.valuer.ship_cells(|to, row| {
            cell_rows += 1;
            sink.boxes.cells.push(to, row);
        });
        add(&shard.counts.cell_rows_total, cell_rows);
        self.valuer.ship_copies(&mut sink);
        self.valuer.ship_crosses(|to, row| sink.boxes.crosses.push(to, row));
        batch.clear();
        self.batch = batch;
        add(&shard.counts.feature_rows_total, sink.feature_rows);
        add(&shard.counts.hit_rows_total, sink.hit_rows);
        add(&shard.counts.hits_withdrawn_total, sink.hits_withdrawn);
        add(&shard.counts.skipped_no_ref, sink.skipped);
        Ok(())
    }

    /// Alerts that the clock alone makes: they were foreseen when their life changed.
    fn pass_clock(&mut self, before: Option<i64>, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        let Some(now) = self.clock.filter(|now| before != Some(*now)) else { return Ok(()) };
        while let Some(entry) = self.timers.first_entry() {
            if *entry.key() > now {
                break;
            }
            let (instant, mut lives) = entry.remove_entry();
            lives.sort_unstable();
            lives.dedup();
            let mut tell = |due: &[(i64, Hit)]| {
                for (_, hit) in due.iter().filter(|(at, _)| *at == instant) {
                    sink.hit(AlertRow { hit: hit.clone(), weight: 1 });
                }
            };
            for dense in lives {
                if dense & SINGLE == 0 {
                    self.bills.look(dense, |life| tell(&life.due))?;
                } else {
                    tell(self.singles.get(dense).due());
                }
            }
        }
        Ok(())
    }

    /// Decodes records, finds their lives, and keeps their bytes in the history.
    fn read_batch(&mut self, input: &EpochInput, batch: &mut Batch) -> Result<(), StoreError> {
        let mut bytes: &[u8] = &input.records;
        while !bytes.is_empty() {
            let whole = bytes;
            let fact = batch.decode(&mut bytes).map_err(damaged)?;
            let dense = self.life_of(fact);
            self.history.add(dense, input.epoch, &whole[..whole.len() - bytes.len()]);
            batch.accept(dense);
        }
        let mut bytes: &[u8] = if self.keeps_singles { &input.reference } else { &[] };
        while !bytes.is_empty() {
            let whole = bytes;
            let fact = batch.decode(&mut bytes).map_err(damaged)?;
            if scope(fact) == FactScope::Reference {
                let dense = self.life_of(fact);
                self.history.add(dense, input.epoch, &whole[..whole.len() - bytes.len()]);
                batch.accept(dense);
            }
        }
        Ok(())
    }

    /// The life of a record; made when it is the first one.
    fn life_of(&mut self, fact: &Fact) -> Dense {
        match scope(fact) {
            FactScope::Bill(bill) | FactScope::BillAndReference(bill) => self.bills.number(bill),
            FactScope::Reference => self.single_life(Family::Reference, fact),
            FactScope::Party(_) if is_of_book(fact) => self.book_life(fact),
            FactScope::Party(_) => self.single_life(Family::Desk, fact),
        }
    }

    /// The number of a bill that is known here.
    pub fn find_bill(&self, id: BillId) -> Option<Dense> {
        self.bills.find(id)
    }

    /// Shows a bill that is known here.
    pub fn look_at_bill<R>(&self, dense: Dense, look: impl FnOnce(&Bill) -> R) -> Result<R, StoreError> {
        self.bills.look(dense, |life| look(&life.bill))
    }

    /// Shows every bill.
    pub fn each_bill(&self, mut look: impl FnMut(BillId, &Bill)) -> Result<(), StoreError> {
        (0..self.bills.len() as Dense)
            .try_for_each(|dense| self.bills.look(dense, |life| look(self.bills.id(dense), &life.bill)))
    }

    /// The history of a life.
    pub fn subject(&self, dense: Dense) -> Subject {
        subject_of(&self.bills, &self.singles, dense)
    }

    /// Sends all facts so far to the disk.
    pub fn seal_history(&mut self) -> Result<(), StoreError> {
        let Lives { history, bills, singles, .. } = self;
        history.seal(|dense| subject_of(bills, singles, dense))
    }

    /// Between epochs: full parts of the history go to the disk.
    pub fn turn_history(&mut self) -> Result<(), StoreError> {
        let Lives { history, bills, singles, .. } = self;
        history.turn(|dense| subject_of(bills, singles, dense))
    }

    /// Bytes and numbers for the gauges.
    pub fn weigh(&self) -> Weight {
        // What the clock will make due: node and list of an instant, then the numbers.
        const OF_INSTANT: usize = 48;
        let timers: usize = self.timers.values().map(|lives| OF_INSTANT + lives.capacity() * size_of::<Dense>()).sum();
        Weight {
            bills_bytes: (self.bills.heap_bytes()
                + self.singles.heap_bytes()
                + timers
                + self.dirty.heap_bytes()
                + self.tally().heap_bytes()) as u64,
            index_bytes: self.readers.heap_bytes() as u64,
            history_bytes: self.history.heap_bytes() as u64,
            bills: self.bills.len() as u64,
            live_lots: self.bills.live_lots(),
        }
    }
}

fn subject_of(bills: &Bills, singles: &Singles, dense: Dense) -> Subject {
    if dense & SINGLE == 0 {
        Subject::Bill(bills.id(dense))
    } else {
        let single = singles.get(dense);
        Subject::Single { family: single.family, event: single.root() }
    }
}

fn decode(bytes: &mut &[u8]) -> Result<Fact, StoreError> {
    decode_fact(bytes).map_err(damaged)
}

fn damaged(error: CodecError) -> StoreError {
    StoreError::Damaged { what: format!("a record of an epoch: {error}") }
}
