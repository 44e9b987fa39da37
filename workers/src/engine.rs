//! A worker process at work: its threads, how they are fed, and the loop of each.
//!
//! ```text
//! feeder ── commands, in order ──► loop: epoch ─► dataflow until the probe has passed it ─► report
//!                                        question ─► answer from the state of the last epoch
//!                                        checkpoint ─► write what changed; the last thread cuts
//! ```
//!
//! Invariant: a command is carried out only when everything before it is complete on this thread, and no mate can be ahead
//! by more than the injection of the next epoch, which waits for this thread's own. So what a thread reads between two
//! epochs is exactly the state of the first.

use std::{
    rc::Rc,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread::Thread,
    time::{Duration, Instant},
};

use timely::worker::Worker;

use crate::{
    answers,
    command::{Command, EpochInput, Report},
    counters::Stage,
    dataflow,
    limits::{COMMANDS_IN_FLIGHT, COUNTERS_EVERY, PARK_MAX},
    mesh::{Guards, Mesh, MeshError},
    shard::{Common, Seat, Shard},
    store::{
        StoreError,
        checkpoint::{Manifest, STATE_VERSION},
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

/// The running threads of one process.
pub struct Process {
    feeders: Vec<Feeder>,
    guards: Option<Guards<()>>,
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

/// What threads of a process do together at a checkpoint: the last to have written its state cuts.
struct Cutting {
    written: AtomicUsize,
    bytes: Mutex<u64>,
}

impl Process {
    /// Starts the worker threads of a process over a mesh. Every thread reports `Ready` once its state is loaded.
    pub fn start(mesh: Mesh, plan: Plan, sink: ReportSink) -> Result<Self, MeshError> {
        let threads = plan.threads;
        let mut feeders = Vec::with_capacity(threads);
        let mut inboxes = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (commands, inbox) = sync_channel(COMMANDS_IN_FLIGHT);
            feeders.push(Feeder { commands, thread: Arc::default() });
            inboxes.push(Some(inbox));
        }
        let inboxes = Mutex::new(inboxes);
        let names: Vec<_> = feeders.iter().map(|feeder| feeder.thread.clone()).collect();
        let plan = Arc::new(plan);
        let cutting = Arc::new(Cutting { written: AtomicUsize::new(0), bytes: Mutex::new(0) });
        let guards = mesh.start(move |worker: &mut Worker| {
            let thread = worker.index() - plan.process * plan.threads;
            // Set before the first look into the inbox: a command is either seen there or wakes the thread.
            let _ = names[thread].set(std::thread::current());
            let inbox =
                inboxes.lock().expect("no thread fails while it holds this").get_mut(thread).and_then(Option::take);
            let mut alarm = Alarm { thread, sink: sink.clone(), quiet: false };
            if let Some(inbox) = inbox {
                let mut seat = Loop { thread, plan: &plan, cutting: &cutting, sink: &sink };
                if let Err(error) = seat.run(worker, &inbox) {
                    sink(thread, Report::Failed { error });
                }
            }
            alarm.quiet = true;
        })?;
        Ok(Process { feeders, guards: Some(guards) })
    }

    /// One feeder a thread.
    pub fn feeders(&self) -> &[Feeder] {
        &self.feeders
    }

    /// Stops the threads and waits for them. In a mesh of several processes all must stop.
    pub fn stop(mut self) {
        for feeder in &self.feeders {
            let _ = feeder.send(Command::Stop);
        }
        if let Some(guards) = self.guards.take() {
            for result in guards.join() {
                if let Err(error) = result {
                    tracing::error!(%error, "a worker thread ended badly");
                }
            }
        }
    }
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
    cutting: &'a Cutting,
    sink: &'a ReportSink,
}

impl Loop<'_> {
    fn run(&mut self, worker: &mut Worker, inbox: &Receiver<Command>) -> Result<(), String> {
        let plan = self.plan;
        let seat = Seat { process: plan.process, threads: plan.threads, thread: self.thread };
        let shard = Rc::new(Shard::new(seat, plan.common.clone()));
        let (mut input, probe) = dataflow::build(worker, &shard);
        if plan.restore_epoch > 0 {
            shard.restore(plan.restore_epoch).map_err(|error| error.to_string())?;
            input.advance_to(plan.restore_epoch + 1);
        }
        (self.sink)(self.thread, Report::Ready);
        let mut counters_sent = Instant::now();
        loop {
            let command = match inbox.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) => {
                    worker.step_or_park(Some(PARK_MAX));
                    continue;
                }
                Err(TryRecvError::Disconnected) => Command::Stop,
            };
            match command {
                Command::Epoch(epoch) => {
                    self.epoch(worker, &shard, &mut input, &probe, epoch)?;
                    let due = counters_sent.elapsed() >= COUNTERS_EVERY;
                    self.report_epoch(&shard, due).map_err(|error| error.to_string())?;
                    if due {
                        counters_sent = Instant::now();
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
                Command::Checkpoint => {
                    let started = Instant::now();
                    self.checkpoint(&shard);
                    shard.spent(Stage::Checkpoint, started);
                }
                Command::Committed { epoch } => {
                    if self.thread == 0
                        && let Some(store) = &plan.common.store
                        && let Err(error) = store.forget_before(epoch)
                    {
                        tracing::warn!(%error, "old checkpoints stay");
                    }
                }
                Command::Stop => return Ok(()),
            }
        }
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
        input.advance_to(number);
        input.send(epoch);
        input.advance_to(number + 1);
        input.flush();
        while probe.less_than(&(number + 1)) {
            worker.step_or_park(Some(PARK_MAX));
        }
        shard.epoch.set(number);
        shard.failure().map_or(Ok(()), Err)
    }

    fn report_epoch(&self, shard: &Shard, with_counters: bool) -> Result<(), StoreError> {
        shard.lives.borrow_mut().turn_history()?;
        let alerts = shard.alerts.borrow_mut().close_epoch(shard.patterns());
        let watched = answers::watched(shard);
        let counters = if with_counters {
            shard.weigh();
            shard.counts.list()
        } else {
            Vec::new()
        };
        (self.sink)(self.thread, Report::EpochDone { epoch: shard.epoch.get(), alerts, watched, counters });
        Ok(())
    }

    fn checkpoint(&self, shard: &Shard) {
        let epoch = shard.epoch.get();
        let result = self.write_and_cut(shard, epoch).map_err(|error| error.to_string());
        (self.sink)(self.thread, Report::CheckpointDone { epoch, result });
    }

    /// Bytes: of the thread's own state; for the thread that cut, of the whole checkpoint.
    fn write_and_cut(&self, shard: &Shard, epoch: u64) -> Result<u64, StoreError> {
        let Some(store) = &self.plan.common.store else {
            return Err(StoreError::Damaged { what: "no data directory was given, so nothing can be kept".into() });
        };
        let written = shard.save(store)?;
        *self.cutting.bytes.lock().expect("no thread fails while it holds this") += written;
        // All threads write the state of the same epoch before they go on: the last one cuts.
        if self.cutting.written.fetch_add(1, Ordering::AcqRel) + 1 < self.plan.threads {
            while self.cutting.written.load(Ordering::Acquire) != 0 {
                std::thread::sleep(Duration::from_micros(200));
            }
            return Ok(written);
        }
        let result = store.cut(&Manifest {
            state_version: STATE_VERSION,
            epoch,
            clock: shard.lives.borrow().clock(),
            generation: self.plan.generation,
            catalogue_fingerprint: self.plan.common.catalogue.fingerprint(),
            rules_fingerprint: self.plan.common.rules.fingerprint(),
            key_group_owners: self.plan.common.owners.to_vec(),
            process: self.plan.process as u32,
            threads: self.plan.threads as u32,
        });
        self.cutting.written.store(0, Ordering::Release);
        result
    }
}
