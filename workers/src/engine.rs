//! A worker process at work: its threads, how they are fed, and the loop of each.
//!
//! ```text
//! feeder ── commands, in order ──► loop: epoch ─► dataflow until the probe has passed it ─► report
//!                                        question ─► answer from the state of the last epoch
//!                                        checkpoint ─► send what changed; the writer writes and cuts
//! ```
//!
//! Invariant: a command is carried out only when everything before it is complete on this thread, and no mate can be ahead
//! by more than the injection of the next epoch, which waits for this thread's own. So what a thread reads between two
//! epochs is exactly the state of the first.

use std::{
    rc::Rc,
    sync::{
        Arc, Mutex, OnceLock,
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread::Thread,
    time::{Duration, Instant},
};

use billwatch_telemetry::{codes, otlp::SPANS};
use timely::worker::Worker;

use crate::{
    answers,
    command::{Command, EpochInput, Report},
    counters::Stage,
    dataflow,
    limits::{
        BUSY_FOR, COMMANDS_IN_FLIGHT, COUNTERS_EVERY, PARK_MAX, READING_REST_PERCENT, READING_TURN, READING_TURN_BUSY,
    },
    mesh::{Guards, Mesh, MeshError},
    saving::Saver,
    shard::{Common, Seat, Shard},
    store::{
        StoreError,
        checkpoint::{Manifest, STATE_VERSION},
        writer::{Outlet, Writer},
    },
};

/// Takes what threads say: (thread of the process, report). Called from worker threads; must not block.
pub type ReportSink = Arc<dyn Fn(usize, Report) + Send + Sync>;

/// What a process needs to know.
pub struct Plan {
    /// Shared by its threads.
    pub common: Common,
    /// Number of the process.
    pub process: usize,
    /// Threads of each process.
    pub threads: usize,
    /// Generation of the mesh; goes into checkpoints.
    pub generation: u64,
    /// The store holds the checkpoint of this epoch; 0: begin empty.
    pub restore_epoch: u64,
}

/// A process cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its threads do not run.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// Its store has no writer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The running threads of one process.
pub struct Process {
    feeders: Vec<Feeder>,
    guards: Guards<()>,
    writer: Option<Writer>,
}

/// The way to one worker thread.
#[derive(Clone)]
pub struct Feeder {
    commands: SyncSender<Command>,
    thread: Arc<OnceLock<Thread>>,
}

/// A worker thread does not take commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FeedError {
    /// It has ended; its last report says why.
    #[error("the worker thread has ended; its last report says why")]
    Ended,
    /// More commands wait than the protocol allows.
    #[error("{COMMANDS_IN_FLIGHT} commands wait for a worker thread; the coordinator must bound its epochs in flight")]
    Full,
}

impl Feeder {
    /// Hands a command over, waiting while the thread is busy.
    pub fn send(&self, command: Command) -> Result<(), FeedError> {
        self.commands.send(command).map_err(|_| FeedError::Ended)?;
        self.wake();
        Ok(())
    }

    /// Hands a command over without waiting.
    pub fn try_send(&self, command: Command) -> Result<(), FeedError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => FeedError::Full,
            TrySendError::Disconnected(_) => FeedError::Ended,
        })?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Plan {
    /// The manifest of checkpoints of this process, but for epoch, clock and version of the parameters.
    fn manifest(&self) -> Manifest {
        Manifest {
            state_version: STATE_VERSION,
            epoch: 0,
            clock: None,
            generation: self.generation,
            catalogue_fingerprint: self.common.catalogue.fingerprint(),
            parameters_version: 0,
            key_group_owners: self.common.owners.to_vec(),
            process: self.process as u32,
            threads: self.threads as u32,
        }
    }
}

/// What a thread takes with it when it starts.
struct Kit {
    inbox: Receiver<Command>,
    outlet: Option<Outlet>,
}

impl Process {
    /// Starts the worker threads of a process over a mesh. Every thread reports `Ready` once its state is loaded.
    pub fn start(mesh: Mesh, plan: Plan, sink: ReportSink) -> Result<Self, StartError> {
        let threads = plan.threads;
        let mut feeders = Vec::with_capacity(threads);
        let (writer, outlets) = match &plan.common.store {
            Some(store) => {
                let sink = sink.clone();
                let told = move |thread, epoch, result| sink(thread, Report::CheckpointDone { epoch, result });
                let (writer, outlets) = Writer::start(store.clone(), plan.manifest(), Box::new(told))?;
                (Some(writer), outlets)
            }
            None => (None, Vec::new()),
        };
        let mut outlets = outlets.into_iter();
        let mut kits = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (commands, inbox) = sync_channel(COMMANDS_IN_FLIGHT);
            feeders.push(Feeder { commands, thread: Arc::default() });
            kits.push(Some(Kit { inbox, outlet: outlets.next() }));
        }
        let kits = Mutex::new(kits);
        let names: Vec<_> = feeders.iter().map(|feeder| feeder.thread.clone()).collect();
        let plan = Arc::new(plan);
        let guards = mesh.start(move |worker: &mut Worker| {
            let thread = worker.index() - plan.process * plan.threads;
            // Set before the first look into the inbox: a command is either seen there or wakes the thread.
            let _ = names[thread].set(std::thread::current());
            let kit = kits.lock().expect("no thread fails while it holds this").get_mut(thread).and_then(Option::take);
            let mut alarm = Alarm { thread, sink: sink.clone(), quiet: false };
            if let Some(kit) = kit {
                let mut seat = Loop { thread, plan: &plan, sink: &sink, busy_at: None, rests_until: None };
                if let Err(error) = seat.run(worker, kit) {
                    sink(thread, Report::Failed { error });
                }
            }
            alarm.quiet = true;
        })?;
        Ok(Process { feeders, guards, writer })
    }

    /// One feeder a thread.
    pub fn feeders(&self) -> &[Feeder] {
        &self.feeders
    }

    /// Stops the threads and waits for them, and for what they have sent to the disk: the data directory can be opened
    /// again. In a mesh of several processes all must stop.
    pub fn stop(self) {
        for feeder in &self.feeders {
            let _ = feeder.send(Command::Stop);
        }
        for result in self.guards.join() {
            if let Err(error) = result {
                tracing::error!(code = codes::WORKER_THREAD_FAILED, %error, "a worker thread ended badly");
            }
        }
        if let Some(writer) = self.writer {
            writer.join();
        }
    }
}

/// Takes a turn at filling crosses. False when there is nothing to fill now.
fn fill_crosses(shard: &Shard, turn: Option<Duration>) -> Result<bool, String> {
    let Some(turn) = turn else { return Ok(false) };
    let mut lives = shard.lives.borrow_mut();
    if !lives.crosses().is_filling() {
        return Ok(false);
    }
    let started = Instant::now();
    let at_once = shard.common.fill_pace.lives_at_once;
    let went_on = lives.fill_crosses(started + turn, at_once).map_err(|error| error.to_string());
    shard.spent(Stage::Filling, started);
    went_on
}

/// Says that a thread has panicked: a mate died, or this build has a fault.
struct Alarm {
    thread: usize,
    sink: ReportSink,
    quiet: bool,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if !self.quiet {
            let error = "a worker thread panicked: a mate died, or see the log for a fault of this build; start a new generation";
            (self.sink)(self.thread, Report::Failed { error: error.to_owned() });
        }
    }
}

/// The loop of one thread.
struct Loop<'a> {
    thread: usize,
    plan: &'a Plan,
    sink: &'a ReportSink,
    /// When the last epoch with records had passed.
    busy_at: Option<Instant>,
    /// No turn at what reads the whole history before.
    rests_until: Option<Instant>,
}

impl Loop<'_> {
    fn run(&mut self, worker: &mut Worker, kit: Kit) -> Result<(), String> {
        let Kit { inbox, outlet } = kit;
        let plan = self.plan;
        let seat = Seat { process: plan.process, threads: plan.threads, thread: self.thread };
        let outlet = outlet.map(Rc::new);
        let mut saver = outlet.clone().map(|outlet| Saver::new(outlet, plan.common.save_pace));
        let shard = Rc::new(Shard::new(seat, plan.common.clone(), outlet.clone()));
        let (mut input, probe) = dataflow::build(worker, &shard);
        if plan.restore_epoch > 0 {
            let (epoch, thread) = (plan.restore_epoch, self.thread);
            let _span = tracing::info_span!(target: SPANS, "restore", epoch, process = plan.process, thread).entered();
            shard.restore(plan.restore_epoch).map_err(|error| error.to_string())?;
            input.advance_to(plan.restore_epoch + 1);
        }
        (self.sink)(self.thread, Report::Ready);
        let mut counters_sent = Instant::now();
        loop {
            if let Some(outlet) = &outlet {
                outlet.check().map_err(|error| error.to_string())?;
            }
            let command = match inbox.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) => {
                    if self.catch_up(&shard, plan.common.fill_pace.turn, READING_TURN)? {
                        worker.step();
                    } else {
                        let rest = self.rests_until.map(|until| until.saturating_duration_since(Instant::now()));
                        worker.step_or_park(rest.filter(|rest| !rest.is_zero()).or(Some(PARK_MAX)));
                    }
                    continue;
                }
                Err(TryRecvError::Disconnected) => Command::Stop,
            };
            match command {
                Command::Epoch(epoch) => {
                    let has_records = !epoch.records.is_empty();
                    self.epoch(worker, &shard, &mut input, &probe, epoch)?;
                    self.busy_at = if has_records { Some(Instant::now()) } else { self.busy_at };
                    let due = counters_sent.elapsed() >= COUNTERS_EVERY;
                    self.report_epoch(&shard, due);
                    if due {
                        counters_sent = Instant::now();
                    }
                    shard.lives.borrow_mut().turn_history().map_err(|error| error.to_string())?;
                    self.catch_up(&shard, Some(plan.common.fill_pace.turn_busy), READING_TURN_BUSY)?;
                    if let Some(saver) = &mut saver {
                        saver.step(&shard).map_err(|error| error.to_string())?;
                    }
                }
                Command::Baseline(lines) => {
                    answers::baseline::take(&shard, &lines).map_err(|error| error.to_string())?;
                }
                Command::Question(question) => {
                    let started = Instant::now();
                    answers::answer(&shard, &question, |part| (self.sink)(self.thread, Report::Answer(Box::new(part))));
                    shard.spent(Stage::Answers, started);
                }
                Command::Checkpoint => self.checkpoint(&shard, &mut saver)?,
                Command::Committed { epoch } => {
                    if self.thread == 0
                        && let Some(outlet) = &outlet
                    {
                        outlet.forget_before(epoch).map_err(|error| error.to_string())?;
                    }
                }
                Command::Stop => return Ok(()),
            }
        }
    }

    /// Takes a turn at what reads the whole history: crosses that are filled, questions of reports. While records come, a turn
    /// is followed by a rest: epochs would find a machine without a free processor otherwise. False when there is nothing to do now.
    fn catch_up(&mut self, shard: &Shard, filling: Option<Duration>, reading: Duration) -> Result<bool, String> {
        let started = Instant::now();
        if self.rests_until.is_some_and(|until| started < until) {
            return Ok(false);
        }
        let has_filled = fill_crosses(shard, filling)?;
        let has_read = !shard.readings.borrow().is_empty();
        if has_read {
            let started = Instant::now();
            answers::go_on(shard, started + reading, |part| (self.sink)(self.thread, Report::Answer(Box::new(part))));
            shard.spent(Stage::Answers, started);
        }
        let is_busy = self.busy_at.is_some_and(|at| at.elapsed() < BUSY_FOR);
        let rest = if has_read { READING_REST_PERCENT } else { shard.common.fill_pace.rest_percent };
        self.rests_until =
            (is_busy && (has_filled || has_read)).then(|| Instant::now() + started.elapsed() * rest / 100);
        Ok(has_filled || has_read)
    }

    fn epoch(
        &self,
        worker: &mut Worker,
        shard: &Shard,
        input: &mut dataflow::Input,
        probe: &timely::dataflow::ProbeHandle<u64>,
        epoch: EpochInput,
    ) -> Result<(), String> {
        let number = epoch.epoch;
        if number <= shard.epoch.get() {
            return Err(format!(
                "epoch {number} came after epoch {}; the stream of epochs is out of order",
                shard.epoch.get()
            ));
        }
        let changed = match &epoch.parameters {
            Some(change) => shard.change_rules(change)?,
            None => false,
        };
        input.advance_to(number);
        input.send(epoch);
        input.advance_to(number + 1);
        input.flush();
        while probe.less_than(&(number + 1)) {
            worker.step_or_park(Some(PARK_MAX));
        }
        shard.epoch.set(number);
        if changed {
            shard.end_rule_change();
        }
        shard.failure().map_or(Ok(()), Err)
    }

    fn report_epoch(&self, shard: &Shard, with_counters: bool) {
        let alerts = shard.alerts.borrow_mut().close_epoch(&shard.rules().patterns);
        let watched = answers::watched(shard);
        let crosses = shard.cross_progress(with_counters);
        let counters = if with_counters {
            shard.weigh();
            shard.counts.list()
        } else {
            Vec::new()
        };
        (self.sink)(self.thread, Report::EpochDone { epoch: shard.epoch.get(), alerts, watched, counters, crosses });
    }

    /// Sends the state of the last epoch off; the writer reports on it later. What cannot be sent is said here.
    fn checkpoint(&self, shard: &Shard, saver: &mut Option<Saver>) -> Result<(), String> {
        let epoch = shard.epoch.get();
        let refuse = |error: String| (self.sink)(self.thread, Report::CheckpointDone { epoch, result: Err(error) });
        let Some(saver) = saver else {
            refuse("no data directory was given, so nothing can be kept".to_owned());
            return Ok(());
        };
        let (process, thread) = (self.plan.process, self.thread);
        let _span = tracing::info_span!(target: SPANS, "checkpoint mark", epoch, process, thread).entered();
        saver.mark(shard).map_err(|error| {
            refuse(error.to_string());
            error.to_string()
        })
    }
}
