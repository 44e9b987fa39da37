//! The writer of a process: the one thread that writes to its store, fed by its worker threads through one bounded queue.
//!
//! ```text
//! worker thread ── parts of the history, rows of state, marks, in order ──► writer ──► table files ──► cut ──► told
//! ```
//!
//! A worker thread never waits for a checkpoint. It sends what it has changed, then a *mark*: all of its state as of an
//! epoch was sent before this. When the marks of all threads are there, the writer writes the rows that it has gathered,
//! cuts the checkpoint and tells each thread's result.
//!
//! Invariants:
//! * A cut holds nothing younger than its epoch: between its mark and the cut a thread sends neither rows nor history
//!   ([`Outlet::is_cutting`]). Rows that were sent earlier are older states of the same rows; the last row of a key counts.
//! * The first failure is the last word: it is kept, nothing is written after it, every mark is answered with it, and the
//!   threads learn of it ([`Outlet::check`]) and end. Rows that were sent are on nobody's list any more, so a later
//!   checkpoint would lack them.
//! * Every mark is answered exactly once, also when the checkpoint cannot be taken or a thread of the process has ended.
//!
//! Rows are gathered in memory until the mark, or until a table has [`TABLE_GATHERED_BYTES`]: a table file each few
//! epochs would cost more in compaction than the memory is worth.
//!
//! Begin with [`Writer::start`].

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Instant,
};

use billwatch_telemetry::codes;

use super::{
    Store, StoreError, TABLES, Table,
    checkpoint::Manifest,
    history::Part,
    rows::{Rows, Tables, last_of_each_key},
};
use crate::limits::{TABLE_GATHERED_BYTES, WRITER_QUEUE};

/// Takes the result of a checkpoint: (thread of the process, epoch, bytes that the checkpoint refers to or what went
/// wrong). Called from the writer; must not block.
pub type Told = Box<dyn Fn(usize, u64, Result<u64, String>) + Send>;

/// The writer of a process. It ends when all outlets are gone.
pub struct Writer {
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts it. Gives one outlet for each of the `manifest.threads` worker threads; `manifest` is that of its checkpoints,
    /// but for epoch, clock and version of the parameters.
    pub fn start(store: Arc<Store>, manifest: Manifest, told: Told) -> Result<(Writer, Vec<Outlet>), StoreError> {
        let threads = manifest.threads as usize;
        let (jobs, inbox) = sync_channel(WRITER_QUEUE);
        let shared = Arc::new(Shared {
            store,
            failure: OnceLock::new(),
            cutting: (0..threads).map(|_| AtomicBool::new(false)).collect(),
            queued: AtomicUsize::new(0),
        });
        let desk = Desk {
            shared: shared.clone(),
            manifest,
            told,
            gathered: Tables::default(),
            rounds: BTreeMap::new(),
            gone: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || desk.work(&inbox));
        let thread = thread.map_err(|source| StoreError::File { path: shared.store.dir().to_owned(), source })?;
        let outlets = (0..threads).map(|thread| Outlet {
            thread,
            jobs: jobs.clone(),
            shared: shared.clone(),
            rounds: Cell::new(0),
        });
        Ok((Writer { thread }, outlets.collect()))
    }

    /// Waits until everything that was sent is dealt with. All outlets must be gone, or about to go.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!(code = codes::STORE_FAILED, "the writer of the store panicked");
        }
    }
}

/// What writer and outlets have in common.
struct Shared {
    store: Arc<Store>,
    failure: OnceLock<String>,
    /// By thread: it has marked and the checkpoint is not cut yet.
    cutting: Box<[AtomicBool]>,
    /// Jobs on their way.
    queued: AtomicUsize,
}

enum Job {
    /// A part of the history.
    Part(Part),
    /// Rows of a state table.
    Rows(Table, Rows),
    /// What a thread says to a checkpoint.
    Vote(Vote),
    /// Checkpoints before a committed epoch may go.
    Forget(u64),
    /// A thread has ended.
    Left(usize),
}

struct Vote {
    thread: usize,
    /// How many times the thread was told to take a checkpoint: the same for all threads.
    round: u64,
    epoch: u64,
    /// Where all of the state was sent; `None`: the thread could not, for its last mark still stands.
    state: Option<Mark>,
}

/// What a checkpoint holds beside its rows, the same on all threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    clock: Option<i64>,
    parameters_version: u32,
}

/// The way of one worker thread to the writer.
pub struct Outlet {
    thread: usize,
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
    rounds: Cell<u64>,
}

impl Outlet {
    /// The store, to be read.
    pub fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// What the writer died of.
    pub fn check(&self) -> Result<(), StoreError> {
        match self.shared.failure.get() {
            Some(failure) => Err(StoreError::Writer(failure.clone())),
            None => Ok(()),
        }
    }

    /// True from a mark of this thread to its cut: meanwhile it must send neither rows nor history.
    pub fn is_cutting(&self) -> bool {
        self.shared.cutting[self.thread].load(Ordering::Acquire)
    }

    /// True when rows that could wait need not: the queue is at most half full.
    pub fn has_room(&self) -> bool {
        !self.is_cutting() && self.shared.queued.load(Ordering::Relaxed) * 2 <= WRITER_QUEUE
    }

    /// Sends rows of a state table. Waits while the queue is full.
    pub fn send_rows(&self, table: Table, rows: Rows) -> Result<(), StoreError> {
        debug_assert!(!self.is_cutting(), "no rows between mark and cut");
        self.send(Job::Rows(table, rows))
    }

    /// Sends a part of the history. Waits while the queue is full.
    pub(super) fn send_part(&self, part: Part) -> Result<(), StoreError> {
        debug_assert!(!self.is_cutting(), "no history between mark and cut");
        self.send(Job::Part(part))
    }

    /// Answers the order to take a checkpoint: all state as of the epoch was sent before. `clock`: market clock, ms; then the
    /// version of the parameters in force.
    pub fn mark(&self, epoch: u64, clock: Option<i64>, parameters_version: u32) -> Result<(), StoreError> {
        self.shared.cutting[self.thread].store(true, Ordering::Release);
        self.vote(epoch, Some(Mark { clock, parameters_version }))
    }

    /// Answers the order to take a checkpoint while the one before is not cut, or a cross is being filled: not now. Nobody gets
    /// this one.
    pub fn decline(&self, epoch: u64) -> Result<(), StoreError> {
        self.vote(epoch, None)
    }

    fn vote(&self, epoch: u64, state: Option<Mark>) -> Result<(), StoreError> {
        let round = self.rounds.get() + 1;
        self.rounds.set(round);
        self.deliver(Job::Vote(Vote { thread: self.thread, round, epoch, state }))
    }

    /// A checkpoint is committed: older ones than the last two may go.
    pub fn forget_before(&self, committed: u64) -> Result<(), StoreError> {
        self.deliver(Job::Forget(committed))
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        self.check()?;
        self.deliver(job)
    }

    fn deliver(&self, job: Job) -> Result<(), StoreError> {
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        self.jobs.send(job).map_err(|_| StoreError::Writer(PANICKED.to_owned()))
    }
}

const PANICKED: &str = "the writer of the store panicked; see the log for a fault of this build, and start again";

impl Drop for Outlet {
    /// A mate that waits for this thread's mark must not wait for ever.
    fn drop(&mut self) {
        let _ = self.deliver(Job::Left(self.thread));
    }
}

/// The writer at work.
struct Desk {
    shared: Arc<Shared>,
    manifest: Manifest,
    told: Told,
    gathered: Tables<Gathered>,
    /// Votes of the checkpoints that not all threads have voted on.
    rounds: BTreeMap<u64, Vec<Vote>>,
    /// Threads that have ended.
    gone: Vec<usize>,
}

/// Rows of one table that wait for their table file.
#[derive(Default)]
struct Gathered {
    parts: Vec<Rows>,
    weight: usize,
}

impl Desk {
    fn work(mut self, inbox: &Receiver<Job>) {
        let _alarm = Alarm(self.shared.clone());
        while let Ok(job) = inbox.recv() {
            self.shared.queued.fetch_sub(1, Ordering::Relaxed);
            match job {
                Job::Vote(vote) => self.take_vote(vote),
                Job::Left(thread) => {
                    self.gone.push(thread);
                    self.settle_all();
                }
                Job::Forget(committed) => {
                    if let Err(error) = self.shared.store.forget_before(committed) {
                        tracing::warn!(code = codes::CHECKPOINTS_NOT_REMOVED, %error, "old checkpoints stay");
                    }
                }
                // After a failure nothing is written.
                Job::Part(_) | Job::Rows(..) if self.shared.failure.get().is_some() => {}
                Job::Part(part) => {
                    let written = part.write(&self.shared.store);
                    self.note(written);
                }
                Job::Rows(table, rows) => {
                    let taken = self.gather(table, rows);
                    self.note(taken);
                }
            }
        }
    }

    /// Keeps the first failure; who waits for a checkpoint is told.
    fn note(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            tracing::error!(code = codes::STORE_FAILED, %error, "the store cannot be written");
            let _ = self.shared.failure.set(error.to_string());
            self.gathered = Tables::default();
            self.settle_all();
        }
    }

    fn gather(&mut self, table: Table, rows: Rows) -> Result<(), StoreError> {
        let gathered = &mut self.gathered[table as usize];
        gathered.weight += rows.weight();
        gathered.parts.push(rows);
        if gathered.weight >= TABLE_GATHERED_BYTES { self.write_gathered(table) } else { Ok(()) }
    }

    fn write_gathered(&mut self, table: Table) -> Result<(), StoreError> {
        let Gathered { parts, .. } = std::mem::take(&mut self.gathered[table as usize]);
        self.shared.store.write_sorted(table, last_of_each_key(&parts)).map(drop)
    }

    fn take_vote(&mut self, vote: Vote) {
        let round = vote.round;
        self.rounds.entry(round).or_default().push(vote);
        self.settle_if_over(round);
    }

    /// Why a checkpoint cannot be taken, whatever is voted on it yet.
    fn why_not(&self, votes: &[Vote]) -> Option<String> {
        let is_missing = |thread: &usize| votes.iter().all(|vote| vote.thread != *thread);
        let lost = || "a worker thread of the process has ended; its last report says why".to_owned();
        self.shared.failure.get().cloned().or_else(|| self.gone.iter().any(is_missing).then(lost))
    }

    fn settle_all(&mut self) {
        for round in self.rounds.keys().copied().collect::<Vec<_>>() {
            self.settle_if_over(round);
        }
    }

    /// Cuts a checkpoint once all have voted, or gives it up when it cannot be; tells who has voted.
    fn settle_if_over(&mut self, round: u64) {
        let Some(votes) = self.rounds.remove(&round) else { return };
        let result = match self.why_not(&votes) {
            Some(why) => Err(why),
            None if votes.len() == self.shared.cutting.len() => self.cut(&votes),
            None => return drop(self.rounds.insert(round, votes)),
        };
        // Before anybody is told: the next order may come at once.
        for vote in votes.iter().filter(|vote| vote.state.is_some()) {
            self.shared.cutting[vote.thread].store(false, Ordering::Release);
        }
        for vote in votes {
            (self.told)(vote.thread, vote.epoch, result.clone());
        }
    }

    fn cut(&mut self, votes: &[Vote]) -> Result<u64, String> {
        let voted = votes.iter().map(|vote| vote.state.map(|mark| (vote, mark))).collect::<Option<Vec<_>>>();
        let Some((first, mark)) = voted.as_deref().and_then(<[_]>::first) else {
            return Err(
                "the checkpoint before it is still being written, or a custom report is being filled; ask again later"
                    .to_owned(),
            );
        };
        let Mark { clock, parameters_version } = *mark;
        let manifest = Manifest { epoch: first.epoch, clock, parameters_version, ..self.manifest.clone() };
        let started = Instant::now();
        let of_one_epoch = votes.iter().all(|vote| (vote.epoch, vote.state) == (first.epoch, first.state));
        let cut = if of_one_epoch {
            TABLES
                .into_iter()
                .try_for_each(|table| self.write_gathered(table))
                .and_then(|()| self.shared.store.cut(&manifest))
        } else {
            Err(StoreError::Damaged { what: "worker threads took the same checkpoint at different epochs".into() })
        };
        if let Ok(bytes) = &cut {
            tracing::info!(epoch = first.epoch, bytes, took = ?started.elapsed(), "checkpoint cut");
        }
        cut.map_err(|error| {
            let said = error.to_string();
            self.note(Err(error));
            said
        })
    }
}

/// Says that the writer has panicked: its outlets must not go on sending in vain.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.failure.set(PANICKED.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc, time::Duration};

    use super::{
        super::checkpoint::{self, tests::manifest_of},
        *,
    };

    type Said = (usize, u64, Result<u64, String>);

    fn start(dir: &std::path::Path, restore: u64, threads: u32) -> (Writer, Vec<Outlet>, mpsc::Receiver<Said>) {
        let store = Arc::new(Store::open(dir, restore).unwrap());
        let (say, said) = mpsc::channel();
        let told: Told = Box::new(move |thread, epoch, result| drop(say.send((thread, epoch, result))));
        let (writer, outlets) = Writer::start(store, Manifest { threads, ..manifest_of(0) }, told).unwrap();
        (writer, outlets, said)
    }

    fn row(key: u8, value: Option<&[u8]>) -> Rows {
        let mut rows = Rows::default();
        let key = |to: &mut Vec<u8>| to.extend_from_slice(&[0, 1, key]);
        match value {
            Some(value) => rows.put(key, |to| to.extend_from_slice(value)),
            None => rows.remove(key),
        }
        rows
    }

    fn rows(store: &Store, table: Table) -> Vec<(u8, usize)> {
        let mut rows = Vec::new();
        store
            .scan_group(table, 1, |key, value| {
                rows.push((key[2], value.len()));
                Ok(())
            })
            .unwrap();
        rows
    }

    fn hear(said: &mpsc::Receiver<Said>) -> Said {
        said.recv_timeout(Duration::from_secs(60)).expect("the writer answers")
    }

    #[test]
    fn a_checkpoint_has_the_last_rows_of_all_threads() {
        let dir = tempfile::tempdir().unwrap();
        let (writer, outlets, said) = start(dir.path(), 0, 2);
        outlets[0].send_rows(Table::Cells, row(1, Some(b"old"))).unwrap();
        outlets[0].send_rows(Table::Cells, row(2, Some(b"gone"))).unwrap();
        outlets[0].send_rows(Table::Cells, row(1, Some(b"newer"))).unwrap();
        outlets[0].send_rows(Table::Cells, row(2, None)).unwrap();
        outlets[0].mark(5, Some(7), 0).unwrap();
        assert!(outlets[0].is_cutting() && !outlets[0].has_room());
        // The mate goes on with the epoch meanwhile.
        outlets[1].send_rows(Table::Cells, row(3, Some(b"x"))).unwrap();
        assert!(!outlets[1].is_cutting());
        outlets[1].mark(5, Some(7), 0).unwrap();
        let told = [hear(&said), hear(&said)];
        assert!(told.iter().all(|(_, epoch, result)| *epoch == 5 && result.as_ref().is_ok_and(|bytes| *bytes > 0)));
        assert_eq!(told[0].0 + told[1].0, 1, "each thread is told once");
        assert!(!outlets[0].is_cutting() && !outlets[1].is_cutting());
        assert_eq!(checkpoint::manifest(dir.path(), 5).unwrap().clock, Some(7));
        // What is sent after the cut is not in it.
        outlets[1].send_rows(Table::Cells, row(4, Some(b"later"))).unwrap();
        drop(outlets);
        writer.join();
        let store = Store::open(dir.path(), 5).unwrap();
        assert_eq!(rows(&store, Table::Cells), [(1, 5), (3, 1)]);
    }

    #[test]
    fn a_table_with_many_rows_does_not_wait_for_the_mark() {
        let dir = tempfile::tempdir().unwrap();
        let (writer, outlets, _said) = start(dir.path(), 0, 1);
        let large = vec![7; TABLE_GATHERED_BYTES / 4];
        for key in 0..6 {
            outlets[0].send_rows(Table::Bills, row(key % 5, Some(&large))).unwrap();
        }
        let store = outlets[0].store().clone();
        drop(outlets);
        writer.join();
        assert_eq!(rows(&store, Table::Bills), [0, 1, 2, 3].map(|key| (key, large.len())), "two wait for the next");
    }

    #[test]
    fn who_is_told_twice_in_one_checkpoint_gets_one() {
        let dir = tempfile::tempdir().unwrap();
        let (writer, outlets, said) = start(dir.path(), 0, 2);
        outlets[0].mark(5, None, 0).unwrap();
        // Told again before the mate was told at all.
        outlets[0].decline(6).unwrap();
        outlets[1].mark(5, None, 0).unwrap();
        assert!([hear(&said), hear(&said)].iter().all(|(_, epoch, result)| *epoch == 5 && result.is_ok()));
        outlets[1].mark(6, None, 0).unwrap();
        assert!([hear(&said), hear(&said)].iter().all(|(_, epoch, result)| *epoch == 6 && result.is_err()));
        assert!(!outlets[1].is_cutting(), "a checkpoint that is not taken holds nobody up");
        for outlet in &outlets {
            outlet.mark(7, None, 0).unwrap();
        }
        assert!([hear(&said), hear(&said)].iter().all(|(_, epoch, result)| *epoch == 7 && result.is_ok()));
        drop(outlets);
        writer.join();
        assert_eq!(checkpoint::epochs(dir.path()).unwrap(), [5, 7]);
    }

    #[test]
    fn nobody_waits_for_a_thread_that_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let (writer, mut outlets, said) = start(dir.path(), 0, 2);
        outlets[0].mark(5, None, 0).unwrap();
        drop(outlets.pop());
        assert!(matches!(hear(&said), (0, 5, Err(_))));
        assert!(!outlets[0].is_cutting());
        outlets[0].mark(6, None, 0).unwrap();
        assert!(matches!(hear(&said), (0, 6, Err(_))));
        drop(outlets);
        writer.join();
        assert!(checkpoint::epochs(dir.path()).unwrap().is_empty());
    }

    #[test]
    fn the_first_failure_is_the_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let (writer, outlets, said) = start(dir.path(), 0, 1);
        outlets[0].send_rows(Table::Cells, row(1, Some(b"in"))).unwrap();
        outlets[0].mark(1, None, 0).unwrap();
        assert!(hear(&said).2.is_ok());
        fs::remove_dir_all(dir.path().join("staging")).unwrap();
        outlets[0].send_rows(Table::Cells, row(2, Some(b"lost"))).unwrap();
        outlets[0].mark(2, None, 0).unwrap();
        let (_, _, Err(first)) = hear(&said) else { panic!("there is nowhere to write") };
        // Also when the disk is there again: the row is on nobody's list any more.
        fs::create_dir(dir.path().join("staging")).unwrap();
        assert_eq!(outlets[0].check().unwrap_err().to_string(), first);
        assert!(outlets[0].send_rows(Table::Cells, row(3, Some(b"more"))).is_err());
        outlets[0].mark(3, None, 0).unwrap();
        assert_eq!(hear(&said), (0, 3, Err(first)));
        drop(outlets);
        writer.join();
        assert_eq!(checkpoint::epochs(dir.path()).unwrap(), [1]);
    }
}
