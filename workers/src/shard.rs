//! All state of one worker thread, and where the thread sits.
//!
//! The operators of the dataflow and the worker loop share a [`Shard`]: operators change it during an epoch, the loop reads
//! it between epochs. Everything runs on one thread; each part is borrowed for one call only.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use billwatch_market::{aggregate::cross::CrossId, catalogue::Catalogue, handling::Handlings, indicator::Memo};
use billwatch_proto::v1;

use crate::{
    answers::{cells::Watches, readings::Reading},
    counters::{Counts, Stage, add},
    dataflow::{
        alerts::{AlertRow, Alerts, alert_group},
        cells::Cells,
        crosses::{CrossTotals, FillPace},
        lives::Lives,
        valuation::Rules,
        windows::{WindowRow, Windows},
    },
    ownership::{Owners, group_of_rule},
    parcel::Parcel,
    rule_change::RuleChange,
    saving::SavePace,
    store::{Store, writer::Outlet},
};

/// Where a worker thread sits in the mesh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// Number of the process.
    pub process: usize,
    /// Threads in each process.
    pub threads: usize,
    /// Number of the thread in its process.
    pub thread: usize,
}

impl Seat {
    /// Its index among all workers.
    pub fn index(self) -> usize {
        self.process * self.threads + self.thread
    }
}

/// What all threads of a process have in common.
#[derive(Clone)]
pub struct Common {
    /// The catalogue.
    pub catalogue: Arc<Catalogue>,
    /// What is compiled from it, under the parameters with which the generation begins.
    pub rules: Arc<Rules>,
    /// Owner of each key group.
    pub owners: Owners,
    /// The disk; `None`: history stays in memory and there are no checkpoints (tests, benches).
    pub store: Option<Arc<Store>>,
    /// Bills that a thread may keep unpacked, whatever their number: [`crate::limits::AWAKE_BILLS_MIN`], fewer in tests.
    pub awake_bills_min: usize,
    /// What is saved between checkpoints: more in tests.
    pub save_pace: SavePace,
    /// How new crosses are filled.
    pub fill_pace: FillPace,
    /// What was done with alerts before the generation begins.
    pub handled: Arc<Handlings>,
    /// Facts that a question may read again: `limits::QUESTION_FACTS_MAX`, less in tests.
    pub question_facts_max: usize,
    /// Facts that one question may read between epochs.
    pub reading_facts_max: usize,
}

/// State of one worker thread.
pub struct Shard {
    /// Its place.
    pub seat: Seat,
    /// Shared by the process.
    pub common: Common,
    /// Bills, facts without a bill, reference data, history.
    pub lives: RefCell<Lives>,
    /// Totals.
    pub cells: RefCell<Cells>,
    /// Totals of crosses.
    pub crosses: RefCell<CrossTotals>,
    /// Features and judgements.
    pub windows: RefCell<Windows>,
    /// Alerts.
    pub alerts: RefCell<Alerts>,
    /// What supervisors did with alerts, of all workers.
    pub handled: RefCell<Handlings>,
    /// What indicators have worked out of windows.
    pub indicators: RefCell<Memo>,
    /// Questions about reports that are being worked on.
    pub readings: RefCell<VecDeque<Reading>>,
    /// Subscriptions to cells.
    pub watches: RefCell<Watches>,
    /// The rules in force.
    rules: RefCell<Arc<Rules>>,
    /// The change of rules that the open epoch brings.
    rule_change: RefCell<Option<Rc<RuleChange>>>,
    /// Counters.
    pub counts: Counts,
    /// Last complete epoch.
    pub epoch: Cell<u64>,
    /// Why the thread cannot go on, once it cannot.
    failure: RefCell<Option<String>>,
}

impl Shard {
    /// Without facts. `outlet`: its way to the writer, where the process has a store.
    pub fn new(seat: Seat, common: Common, outlet: Option<Rc<Outlet>>) -> Self {
        let index = seat.index() as u32;
        let patterns = &common.rules.patterns;
        let is_own =
            |rule| patterns.compares(rule) && common.owners[usize::from(group_of_rule(patterns.id(rule)))] == index;
        let shard = Shard {
            seat,
            lives: RefCell::new(Lives::new(&common, seat, outlet.clone())),
            cells: RefCell::new(Cells::default()),
            crosses: RefCell::new(CrossTotals::default()),
            windows: RefCell::new(Windows::new(patterns, is_own)),
            alerts: RefCell::new(Alerts::default()),
            handled: RefCell::new(Handlings::clone(&common.handled)),
            indicators: RefCell::default(),
            readings: RefCell::default(),
            watches: RefCell::default(),
            rules: RefCell::new(common.rules.clone()),
            rule_change: RefCell::default(),
            counts: Counts::default(),
            epoch: Cell::new(0),
            failure: RefCell::new(None),
            common,
        };
        if outlet.is_some() {
            shard.keep_dirty();
        }
        shard
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.borrow().clone()
    }

    /// The change of rules that the open epoch brings.
    pub fn rule_change(&self) -> Option<Rc<RuleChange>> {
        self.rule_change.borrow().clone()
    }

    /// A change of parameters takes effect with the next epoch: called before its operators see it, when nothing of an
    /// earlier epoch is under way on this thread. False when this change is in force already.
    ///
    /// # Errors
    /// The rules do not compile under the parameters, which the coordinator has tested: it is of another build.
    pub fn change_rules(&self, change: &v1::ParameterChange) -> Result<bool, String> {
        let before = self.rules();
        if change.version <= before.parameters.version {
            return Ok(false);
        }
        let now = before.after(change).map_err(|error| {
            format!("parameters version {}: {error:#}; run the same build and catalogue everywhere", change.version)
        })?;
        self.lives.borrow_mut().change_rules(&now);
        *self.rules.borrow_mut() = now.clone();
        // Indicators read features, which may be fed differently.
        *self.indicators.borrow_mut() = Memo::default();
        *self.rule_change.borrow_mut() = Some(Rc::new(RuleChange::new(before, now)));
        Ok(true)
    }

    /// The epoch of a change is complete.
    pub fn end_rule_change(&self) {
        if let Some(change) = self.rule_change.take() {
            let (version, held_up) = (change.now.parameters.version, change.since.elapsed());
            let lives = change.lives_read.get();
            tracing::info!(version, ?held_up, lives, thread = self.seat.thread, "a change of parameters took effect");
        }
    }

    /// How far crosses are that are being filled or have just been; or all.
    pub fn cross_progress(&self, all: bool) -> Vec<v1::CrossProgress> {
        let mut progress = self.lives.borrow_mut().crosses_mut().progress(all);
        let totals = self.crosses.borrow();
        for said in &mut progress {
            said.worker = self.seat.index() as u32;
            said.cells = totals.cells(CrossId(said.cross)) as u64;
        }
        progress
    }

    /// The worker that owns a key group.
    #[inline]
    pub fn owner(&self, group: u16) -> usize {
        self.common.owners[usize::from(group)] as usize
    }

    /// The worker that owns the alert of a hit.
    pub fn alert_owner(&self, row: &AlertRow) -> usize {
        let rules = self.rules.borrow();
        let id = billwatch_market::pattern::AlertId::of(rules.patterns.id(row.hit.pattern), &row.hit.key, row.hit.date);
        self.owner(alert_group(id, &row.hit.key))
    }

    /// Books the time since `started` on a stage.
    pub fn spent(&self, stage: Stage, started: Instant) {
        self.counts.spent(stage, started.elapsed().as_nanos() as u64);
    }

    /// Notes that an operator could not do its work. The loop ends the generation before the epoch is reported.
    pub fn fail(&self, error: &dyn std::fmt::Display) {
        self.failure.borrow_mut().get_or_insert_with(|| error.to_string());
    }

    /// Why the thread cannot go on.
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// Applies the deltas of an epoch to the windows and judges what they made due.
    pub fn apply_windows(&self, parcels: Vec<Parcel<WindowRow>>, mut emit: impl FnMut(usize, AlertRow)) {
        let rules = self.rules();
        let patterns = &rules.patterns;
        let mut windows = self.windows.borrow_mut();
        let mut lives = self.lives.borrow_mut();
        let started = Instant::now();
        for parcel in parcels {
            parcel.open(|rows| windows.add(patterns, rows));
        }
        self.spent(Stage::Windows, started);
        let started = Instant::now();
        for (party, from) in lives.take_reference_changes() {
            windows.reference_changed(patterns, party, from);
        }
        if let Some(change) = self.rule_change() {
            windows.rules_changed(patterns, &change.changed);
        }
        let before = (windows.judged_total, windows.skipped_total);
        let registry = rules.registry(lives.reference());
        windows.judge(patterns, &registry, lives.clock(), |row| {
            add(&self.counts.hit_rows_total, 1);
            add(&self.counts.hits_withdrawn_total, u64::from(row.weight < 0));
            emit(self.alert_owner(&row), row);
        });
        add(&self.counts.judgements_total, windows.judged_total - before.0);
        add(&self.counts.skipped_no_ref, windows.skipped_total - before.1);
        self.spent(Stage::Judges, started);
    }

    /// Refreshes the gauges of memory.
    pub fn weigh(&self) {
        let counts = &self.counts;
        let lives = self.lives.borrow().weigh();
        counts.bytes_bills.set(lives.bills_bytes);
        counts.bytes_index.set(lives.index_bytes);
        counts.bytes_history.set(lives.history_bytes);
        counts.bills.set(lives.bills);
        counts.live_lots.set(lives.live_lots);
        counts.bytes_cells.set(self.cells.borrow().heap_bytes() as u64);
        counts.bytes_windows.set(self.windows.borrow().heap_bytes() as u64);
        counts.bytes_alerts.set(self.alerts.borrow().heap_bytes() as u64);
    }
}
