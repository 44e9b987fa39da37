//! The state of a shard on its way to disk: what a checkpoint holds.
//!
//! Only what changed is sent, table by table, each row under its key group; [`crate::store::writer`] writes it, and the loop
//! never waits for that. What is a function of other state is not saved (`restoring`).
//!
//! Rows leave in two ways. Between checkpoints, after the report of an epoch, a [`Saver`] takes a short step of a *sweep*
//! over everything that changed: so little is left to encode when a checkpoint is wanted. Then everything that is left is
//! encoded between two epochs, and the thread says its mark. This last step is what a checkpoint costs the loop
//! (`stage_checkpoint_ns_total` with the steps, `longest_save_ns` alone).
//!
//! Invariant: a row that changed stands on a list of its view until it is encoded, and a row that is encoded is sent or the
//! thread ends with an error. So the rows before a mark, the last of each key, are the state at the mark.
//!
//! First form, named: a restore needs the assignment of key groups under which the checkpoint was taken. Rows are laid out
//! by group, so that a rescale needs no rewrite, except for the windows of rules that compare keys: those are to be gathered
//! from the keyed ones.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use billwatch_market::{
    codec::encode_fact,
    ids::Day,
    pattern::{AlertId, HitCount},
};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    counters::Stage,
    dataflow::{alerts::alert_group, cells::cell_group, crosses::cross_group},
    limits::{HISTORY_PART_BYTES, ROWS_SENT_BYTES, SAVE_EVERY, SAVE_SHARE, SAVE_STEP, SAVE_STEP_MAX},
    ownership::{group_of_rule, group_of_words},
    shard::Shard,
    store::{StoreError, Table, rows::Bundle, writer::Outlet},
};

/// Group of rows that every thread of a process reads.
pub const EVERYBODY: u16 = 0;

/// Which crosses a worker keeps: the first byte of the name of such a row.
pub const CROSSES: u8 = 0;
/// A cell of a cross: the first byte of its name.
pub const CROSS_CELL: u8 = 1;

/// Rows between two looks at the clock: some microseconds.
const AT_ONCE: usize = 64;

/// Appends the form of a value.
pub fn append(to: &mut Vec<u8>, value: &impl Serialize) {
    *to = postcard::to_extend(value, std::mem::take(to)).expect("memory takes every row");
}

fn append_key(to: &mut Vec<u8>, group: u16, rest: &impl Serialize) {
    to.extend_from_slice(&group.to_be_bytes());
    append(to, rest);
}

/// How much is saved between checkpoints.
#[derive(Clone, Copy, Debug)]
pub struct SavePace {
    /// From the beginning of a sweep to that of the next.
    pub every: Duration,
    /// Shortest step; a longer one in long epochs.
    pub step: Duration,
    /// Bytes of history that a thread gathers before it sends them.
    pub history_part_bytes: usize,
}

impl Default for SavePace {
    fn default() -> Self {
        SavePace { every: SAVE_EVERY, step: SAVE_STEP, history_part_bytes: HISTORY_PART_BYTES }
    }
}

/// What is saved on its own.
#[derive(Clone, Copy)]
enum View {
    Reference,
    Lives,
    Cells,
    Keyed,
    Collective,
    Judgements,
    Alerts,
    Crosses,
}

const VIEWS: [View; 8] = [
    View::Reference,
    View::Lives,
    View::Cells,
    View::Keyed,
    View::Collective,
    View::Judgements,
    View::Alerts,
    View::Crosses,
];

/// Saves the state of one worker thread.
pub struct Saver {
    outlet: Rc<Outlet>,
    pace: SavePace,
    /// Place in [`VIEWS`] at which the sweep is; their number when none is under way.
    view: usize,
    sweep_begun: Instant,
    last_step: Instant,
    bundle: Bundle,
}

impl Saver {
    /// Nothing was sent yet.
    pub fn new(outlet: Rc<Outlet>, pace: SavePace) -> Self {
        let now = Instant::now();
        Saver { outlet, pace, view: VIEWS.len(), sweep_begun: now, last_step: now, bundle: Bundle::default() }
    }

    /// Between two epochs: a short step of a sweep, when one is due and the writer has room.
    ///
    /// # Errors
    /// The writer has failed.
    pub fn step(&mut self, shard: &Shard) -> Result<(), StoreError> {
        self.outlet.check()?;
        let started = Instant::now();
        let since = started - self.last_step;
        self.last_step = started;
        if !self.outlet.has_room() {
            return Ok(());
        }
        if self.view == VIEWS.len() {
            if started - self.sweep_begun < self.pace.every {
                return Ok(());
            }
            self.sweep_begun = started;
            self.view = 0;
            shard.begin_sweep();
        }
        let until = started + (since / SAVE_SHARE).clamp(self.pace.step, SAVE_STEP_MAX.max(self.pace.step));
        while self.view < VIEWS.len() {
            if !shard.save_some(VIEWS[self.view], &mut self.bundle) {
                self.view += 1;
            }
            if Instant::now() >= until {
                break;
            }
        }
        let sent = self.send(ROWS_SENT_BYTES);
        shard.spent_saving(started);
        sent
    }

    /// Answers the order to take a checkpoint of the last epoch. The writer reports on it.
    ///
    /// # Errors
    /// The writer has failed, so nobody reports.
    pub fn mark(&mut self, shard: &Shard) -> Result<(), StoreError> {
        let epoch = shard.epoch.get();
        // Half a cross is never saved. The coordinator orders no checkpoint meanwhile; if it does, this one is not taken.
        if self.outlet.is_cutting() || shard.lives.borrow().crosses().is_filling() {
            return self.outlet.decline(epoch);
        }
        let started = Instant::now();
        shard.lives.borrow_mut().seal_history()?;
        shard.begin_sweep();
        for view in VIEWS {
            while shard.save_some(view, &mut self.bundle) {
                self.send(ROWS_SENT_BYTES)?;
            }
        }
        let (effects, tally) = {
            let lives = shard.lives.borrow();
            (lives.effects(), lives.tally().rows(Day(i32::MAX)))
        };
        let totals = self.bundle.of(Table::Totals);
        totals.put(|to| append_key(to, shard.first_group(), &()), |to| append(to, &(effects, tally)));
        let crosses: Vec<_> = shard.lives.borrow().crosses().list().map(|(cross, of)| (cross.clone(), of)).collect();
        let rows = self.bundle.of(Table::Crosses);
        rows.put(|to| append_key(to, shard.first_group(), &CROSSES), |to| append(to, &crosses));
        self.send(0)?;
        self.view = VIEWS.len();
        let clock = shard.lives.borrow().clock();
        self.outlet.mark(epoch, clock, shard.rules().parameters.version)?;
        shard.spent_saving(started);
        tracing::info!(epoch, thread = shard.seat.thread, held_up = ?started.elapsed(), "state sent to the writer");
        Ok(())
    }

    /// Sends the rows of each table of at least this weight.
    fn send(&mut self, weight: usize) -> Result<(), StoreError> {
        while let Some((table, rows)) = self.bundle.take_heavy(weight) {
            self.outlet.send_rows(table, rows)?;
        }
        Ok(())
    }
}

impl Shard {
    /// Begins to remember what changes.
    pub fn keep_dirty(&self) {
        self.cells.borrow_mut().keep_dirty = true;
        self.windows.borrow_mut().keep_dirty();
        self.alerts.borrow_mut().keep_dirty = true;
        self.crosses.borrow_mut().keep_dirty = true;
    }

    fn begin_sweep(&self) {
        self.lives.borrow_mut().begin_sweep();
        self.cells.borrow_mut().begin_sweep();
        self.windows.borrow_mut().begin_sweep();
        self.alerts.borrow_mut().begin_sweep();
        self.crosses.borrow_mut().begin_sweep();
    }

    fn spent_saving(&self, started: Instant) {
        self.spent(Stage::Checkpoint, started);
        let longest = &self.counts.longest_save_ns;
        longest.set(longest.get().max(started.elapsed().as_nanos() as u64));
    }

    /// Encodes some rows of the sweep over a view. False at its end.
    fn save_some(&self, view: View, to: &mut Bundle) -> bool {
        match view {
            View::Reference => (0..AT_ONCE).all(|_| self.save_reference(to)),
            View::Lives => {
                let mut lives = self.lives.borrow_mut();
                (0..AT_ONCE).all(|_| lives.save_next(to))
            }
            View::Cells => self.save_cells(to),
            View::Keyed => self.save_keyed(to),
            View::Collective => self.save_collective(to),
            View::Judgements => self.save_judgements(to),
            View::Alerts => self.save_alerts(to),
            View::Crosses => self.save_crosses(to),
        }
    }

    fn save_reference(&self, to: &mut Bundle) -> bool {
        let Some(record) = self.lives.borrow_mut().take_unsaved_reference() else { return false };
        let mut value = Vec::new();
        encode_fact(&record, &mut value);
        to.of(Table::Reference).put(
            |to| append_key(to, EVERYBODY, &(record.event_id.to_be_bytes(), xxh3_64(&value))),
            |to| to.extend_from_slice(&value),
        );
        true
    }

    fn save_cells(&self, to: &mut Bundle) -> bool {
        let mut cells = self.cells.borrow_mut();
        let rows = to.of(Table::Cells);
        (0..AT_ONCE).all(|_| {
            let Some((key, sums)) = cells.take_unsaved() else { return false };
            let name = |to: &mut Vec<u8>| append_key(to, cell_group(&key), &(key.pair, key.date, key.item));
            if sums.iter().any(|sum| *sum != 0) {
                rows.put(name, |to| append(to, &sums))
            } else {
                rows.remove(name)
            }
            true
        })
    }

    fn save_keyed(&self, to: &mut Bundle) -> bool {
        let mut windows = self.windows.borrow_mut();
        let rows = to.of(Table::Windows);
        (0..AT_ONCE).all(|_| {
            windows.keyed.take_unsaved(|name, cells| {
                let key = |to: &mut Vec<u8>| append_key(to, group_of_words([name.1.0, name.1.1, 0]), &(false, name));
                if cells.is_empty() { rows.remove(key) } else { rows.put(key, |to| append(to, &cells)) }
            })
        })
    }

    fn save_collective(&self, to: &mut Bundle) -> bool {
        let rules = self.rules();
        let patterns = &rules.patterns;
        let mut windows = self.windows.borrow_mut();
        let (collective, own_rules) = windows.collective_and_own_rules();
        let rows = to.of(Table::Windows);
        (0..AT_ONCE).all(|_| {
            collective.take_unsaved(|name, cells| {
                // Under the group of the first own rule that reads the feature.
                let rules = patterns.readers(name.0).iter().map(|reader| reader.pattern);
                let groups =
                    rules.filter(|rule| own_rules[usize::from(rule.0)]).map(|rule| group_of_rule(patterns.id(rule)));
                let group = groups.min().unwrap_or(EVERYBODY);
                let key = |to: &mut Vec<u8>| append_key(to, group, &(true, name));
                if cells.is_empty() { rows.remove(key) } else { rows.put(key, |to| append(to, &cells)) }
            })
        })
    }

    fn save_judgements(&self, to: &mut Bundle) -> bool {
        let rules = self.rules();
        let patterns = &rules.patterns;
        let mut windows = self.windows.borrow_mut();
        let rows = to.of(Table::Judgements);
        (0..AT_ONCE).all(|_| {
            let Some((place, hits)) = windows.take_unsaved_judgement() else { return false };
            let group = if patterns.compares(place.pattern) {
                group_of_rule(patterns.id(place.pattern))
            } else {
                group_of_words([place.key.0, place.key.1, 0])
            };
            let key = |to: &mut Vec<u8>| append_key(to, group, &place);
            if hits.is_empty() {
                rows.remove(key)
            } else {
                rows.put(key, |to| append(to, &hits))
            }
            true
        })
    }

    fn save_crosses(&self, to: &mut Bundle) -> bool {
        let mut crosses = self.crosses.borrow_mut();
        let rows = to.of(Table::Crosses);
        (0..AT_ONCE).all(|_| {
            let Some((name, sums)) = crosses.take_unsaved() else { return false };
            let (cross, _, cell) = &name;
            let key = |to: &mut Vec<u8>| append_key(to, cross_group(*cross, cell), &(CROSS_CELL, name));
            if sums.iter().any(|sum| *sum != 0) {
                rows.put(key, |to| append(to, &sums))
            } else {
                rows.remove(key)
            }
            true
        })
    }

    fn save_alerts(&self, to: &mut Bundle) -> bool {
        let rules = self.rules();
        let mut alerts = self.alerts.borrow_mut();
        let rows = to.of(Table::Alerts);
        (0..AT_ONCE).all(|_| {
            let Some((name, count)) = alerts.take_unsaved() else { return false };
            let id = AlertId::of(rules.patterns.id(name.0), &name.1, name.2);
            let group = alert_group(id, &name.1);
            let key = |to: &mut Vec<u8>| append_key(to, group, &id.0.to_be_bytes());
            if count == HitCount::default() {
                rows.remove(key)
            } else {
                rows.put(key, |to| append(to, &(name, count)))
            }
            true
        })
    }

    /// The first key group of this worker.
    pub fn first_group(&self) -> u16 {
        let index = self.seat.index() as u32;
        self.common.owners.iter().position(|owner| *owner == index).unwrap_or(0) as u16
    }
}
