//! The alert ledger: every alert that the workers ever reported, with what became of it, durable.
//!
//! A thread takes the changes of each completed epoch in order, writes them (one fsync for all that wait), applies them to
//! the book in memory, and tells the subscribers. Invariants: what is shown is on disk; epochs are applied in order, each
//! once. After a restart the workers replay epochs that the ledger has: their changes are the same (views are functions of
//! the log) and are passed over, so that first and last epochs stay as they were.
//!
//! Begin at [`book`] for what a change does to an alert.

pub mod book;
pub mod diff;
pub mod filter;
pub mod follow;

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use billwatch_proto::v1;
use billwatch_telemetry::codes;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{
    durable_file::DurableFile, failure::Failure, handling::HandlingBook, limits, parameters::ParameterBook,
    server::ServeError,
};
use book::{AlertEntry, AlertId, Book, Change};
use diff::{AlertsDiff, Diffs};

/// When an answer holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AsOf {
    /// The epoch; 0 = before the first.
    pub epoch: u64,
    /// Market clock after it, ms.
    pub market_clock_ms: Option<i64>,
}

impl From<AsOf> for v1::AsOf {
    fn from(as_of: AsOf) -> Self {
        v1::AsOf { epoch: as_of.epoch, market_clock_ms: as_of.market_clock_ms }
    }
}

/// Alerts that changed in one epoch.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The epoch.
    pub as_of: AsOf,
    /// The alerts as they were then, for a subscriber that reads late; empty = only progress.
    pub alerts: Arc<[AlertEntry]>,
}

/// The ledger. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    shelf: Arc<RwLock<Shelf>>,
    queue: mpsc::Sender<Work>,
    changes: broadcast::Sender<Changed>,
}

/// The book and the epoch at which it holds.
#[derive(Debug, Default)]
pub struct Shelf {
    /// All alerts.
    pub book: Book,
    /// What changes of parameters did.
    pub diffs: Diffs,
    /// The last epoch applied.
    pub as_of: AsOf,
    /// The first market clock of the epochs that are known here, ms.
    pub first_clock_ms: Option<i64>,
}

enum Work {
    Epoch(Entry),
    Mark(AsOf, oneshot::Sender<()>),
}

/// What the log says besides facts.
#[derive(Clone, Debug)]
pub struct Books {
    /// Changes of parameters.
    pub parameters: Arc<ParameterBook>,
    /// What was done with alerts.
    pub handling: Arc<HandlingBook>,
}

/// What the file holds: the changes of one epoch, or none to mark how far the ledger has come.
#[derive(Serialize, Deserialize)]
struct Entry {
    as_of: AsOf,
    changes: Vec<Change>,
}

/// The ledger's disk failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LedgerClosed;

impl Ledger {
    /// Opens the ledger of a data directory and starts its thread, which ends with the last clone.
    pub fn open(dir: &Path, books: Books, failure: Failure) -> Result<Self, ServeError> {
        let path = dir.join("alerts.bin");
        let mut shelf = Shelf::default();
        let (file, cut) = DurableFile::open(&path, |_, payload| match postcard::from_bytes::<Entry>(payload) {
            Ok(entry) => {
                shelf.apply(&entry, &books);
                true
            }
            Err(_) => false,
        })?;
        if cut > 0 {
            tracing::warn!(code = codes::LEDGER_CUT, bytes = cut, path = %path.display(), "the torn end of the alert ledger was cut; replay gives it again");
        }
        let shelf = Arc::new(RwLock::new(shelf));
        let (queue, work) = mpsc::channel(limits::LEDGER_QUEUE);
        let changes = broadcast::Sender::new(limits::WATCH_QUEUE);
        let ledger = Ledger { shelf: shelf.clone(), queue, changes: changes.clone() };
        std::thread::Builder::new()
            .name("alert-ledger".into())
            .spawn(move || {
                let _guard = failure.guard("alert ledger");
                if let Err(error) = run(file, work, &shelf, &books, &changes) {
                    failure.report(codes::LEDGER_FAILED, error.to_string());
                }
            })
            .map_err(|source| ServeError::Io { path, source })?;
        Ok(ledger)
    }

    /// Takes the changes of a completed epoch. Waits when the disk is behind.
    pub async fn apply(&self, as_of: AsOf, changes: &[v1::AlertChange]) -> Result<(), LedgerClosed> {
        let changes = changes.iter().map(Change::from).collect();
        self.queue.send(Work::Epoch(Entry { as_of, changes })).await.map_err(|_| LedgerClosed)
    }

    /// Returns once everything up to the epoch, and that the ledger has come this far, is on disk.
    pub async fn mark(&self, as_of: AsOf) -> Result<(), LedgerClosed> {
        let (done, marked) = oneshot::channel();
        self.queue.send(Work::Mark(as_of, done)).await.map_err(|_| LedgerClosed)?;
        marked.await.map_err(|_| LedgerClosed)
    }

    /// The book, held still while it is read: read briefly.
    pub fn read(&self) -> RwLockReadGuard<'_, Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns once the book holds at an epoch, or at a later one. Wait for no epoch that was not sent to the workers.
    pub async fn reached(&self, epoch: u64) {
        let mut changes = self.subscribe();
        while self.read().as_of.epoch < epoch {
            // An error says that some were missed: the book tells.
            let _ = changes.recv().await;
        }
    }

    /// Changes from now on; call it with the guard of [`Ledger::read`] held to miss none behind a snapshot.
    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }
}

impl Shelf {
    /// Applies an epoch unless it is known; gives the alerts that changed, by the engine or by hand.
    fn apply(&mut self, entry: &Entry, books: &Books) -> Vec<AlertId> {
        if entry.as_of.epoch <= self.as_of.epoch {
            return Vec::new();
        }
        // Orders hold before the facts of their epoch, so what was done in it was done with the alerts of the one before.
        let mut touched: Vec<AlertId> = Vec::new();
        for action in books.handling.between(self.as_of.epoch, entry.as_of.epoch) {
            touched.extend(self.book.handle(&action));
        }
        self.as_of = entry.as_of;
        self.first_clock_ms = self.first_clock_ms.or(entry.as_of.market_clock_ms);
        if let Some(pattern) = books.parameters.pattern_at(entry.as_of.epoch) {
            let diff = AlertsDiff::before_applying(entry.as_of, &entry.changes, &pattern, &self.book);
            self.diffs.keep(entry.as_of.epoch, diff);
        }
        let changed = entry.changes.iter().filter(|change| self.book.apply(change, entry.as_of));
        touched.extend(changed.map(|change| change.id));
        touched.sort_unstable();
        touched.dedup();
        touched
    }
}

fn run(
    mut file: DurableFile,
    mut queue: mpsc::Receiver<Work>,
    shelf: &RwLock<Shelf>,
    books: &Books,
    changes: &broadcast::Sender<Changed>,
) -> Result<(), ServeError> {
    let mut known = shelf.read().unwrap_or_else(PoisonError::into_inner).as_of.epoch;
    while let Some(first) = queue.blocking_recv() {
        let mut gathered = vec![first];
        while let Ok(more) = queue.try_recv() {
            gathered.push(more);
        }
        let mut payloads = Vec::new();
        for work in &gathered {
            let (as_of, entry) = match work {
                Work::Epoch(entry) => {
                    // That a change of parameters changed no alert is written too.
                    let tells = !entry.changes.is_empty() || books.parameters.pattern_at(entry.as_of.epoch).is_some();
                    (entry.as_of, tells.then(|| encode(entry)))
                }
                Work::Mark(as_of, _) => (*as_of, Some(encode(&Entry { as_of: *as_of, changes: Vec::new() }))),
            };
            // A mark stands for the epochs before it, whose entries were empty or are on disk.
            let is_mark = matches!(work, Work::Mark(..));
            if as_of.epoch > known || is_mark {
                payloads.extend(entry);
            }
            known = known.max(as_of.epoch);
        }
        if !payloads.is_empty() {
            file.append(payloads.iter().map(Vec::as_slice))?;
        }
        for work in gathered {
            match work {
                Work::Epoch(entry) => {
                    let mut shelf = shelf.write().unwrap_or_else(PoisonError::into_inner);
                    let touched = shelf.apply(&entry, books);
                    let alerts = touched.into_iter().filter_map(|id| shelf.book.get(id).cloned()).collect();
                    // Sent under the lock: a snapshot and the changes behind it fit without gap or overlap. An error only says that
                    // nobody listens.
                    let _ = changes.send(Changed { as_of: shelf.as_of, alerts });
                }
                Work::Mark(_, done) => drop(done.send(())),
            }
        }
    }
    Ok(())
}

fn encode(entry: &Entry) -> Vec<u8> {
    postcard::to_stdvec(entry).expect("an entry has a form for every value")
}

#[cfg(test)]
mod tests {
    use billwatch_proto::v1::AlertState;

    use super::*;

    fn change(id: u64, hits: [u32; 4]) -> v1::AlertChange {
        v1::AlertChange {
            id_low: id,
            pattern: "P001".into(),
            key: format!("E{id:010}"),
            biz_day: 20_000,
            hits: hits.to_vec(),
            parameters_version: 1,
            ..v1::AlertChange::default()
        }
    }

    fn at(epoch: u64) -> AsOf {
        AsOf { epoch, market_clock_ms: Some(epoch as i64 * 10) }
    }

    #[tokio::test]
    async fn a_replay_changes_nothing_and_a_restart_finds_everything() {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = billwatch_market::catalogue::Catalogue::embedded();
        let of_epoch = |epoch| v1::ParameterChange { version: 1, pattern: "P001".into(), epoch, ..Default::default() };
        let parameters = Arc::new(ParameterBook::new(catalogue, vec![of_epoch(3)]));
        let action = |alert: u128, status: &str| v1::AlertAction {
            alert_id: format!("{alert:032x}"),
            status: status.into(),
            ..Default::default()
        };
        let order = |actions| v1::Order { kind: Some(v1::order::Kind::AlertActions(v1::AlertActions { actions })) };
        let orders = [(2, order(vec![action(1, "FP"), action(2, "ACK")])), (7, order(vec![action(2, "SUP")]))];
        let books = Books { parameters, handling: Arc::new(HandlingBook::new(&orders)) };
        let ledger = Ledger::open(dir.path(), books.clone(), Failure::default()).unwrap();
        let mut changes = ledger.subscribe();
        ledger.apply(at(1), &[change(1, [0, 1, 0, 0]), change(2, [1, 0, 0, 0])]).await.unwrap();
        ledger.apply(at(2), &[]).await.unwrap();
        ledger.apply(at(3), &[change(1, [0; 4])]).await.unwrap();
        ledger.mark(at(3)).await.unwrap();
        let before = ledger.read().book.clone();
        let diffs = ledger.read().diffs.clone();
        let counts = diffs.at(3).unwrap().counts;
        assert_eq!((counts.new_alerts, counts.gone, counts.changed, counts.same), (0, 1, 0, 1));
        assert_eq!((diffs.at(1), &diffs.at(3).unwrap().gone[..]), (None, &[1][..]));
        assert_eq!(changes.recv().await.unwrap().alerts.len(), 2);
        let mut told = async || {
            let change = changes.recv().await.unwrap();
            let alerts = change.alerts.iter().map(|alert| (alert.now.id, alert.state, alert.last_epoch));
            (change.as_of, alerts.collect::<Vec<_>>())
        };
        // Read late, when the book has come to epoch 3: they are told as they were.
        let handled = vec![(1, AlertState::Open, 1), (2, AlertState::Open, 1)];
        assert_eq!(told().await, (at(2), handled), "somebody acted on them");
        assert_eq!(told().await, (at(3), vec![(1, AlertState::Withdrawn, 3)]));
        // The same epochs again, as after a restart of the workers.
        ledger.apply(at(1), &[change(1, [0, 1, 0, 0]), change(2, [1, 0, 0, 0])]).await.unwrap();
        ledger.mark(at(5)).await.unwrap();
        assert_eq!(ledger.read().book, before);
        let closed = before.get(1).unwrap().handled.clone().unwrap();
        assert_eq!((closed.action.status.as_str(), closed.changed_since_closed), ("FP", true), "withdrawn in epoch 3");
        drop(ledger);
        let ledger = Ledger::open(dir.path(), books.clone(), Failure::default()).unwrap();
        assert_eq!(ledger.read().book, before);
        assert_eq!(ledger.read().diffs, diffs);
        assert_eq!(ledger.read().first_clock_ms, Some(10), "of the first epoch");
        assert_eq!(ledger.read().as_of.epoch, 5, "the mark says how far the ledger has come");
        ledger.apply(at(8), &[]).await.unwrap();
        ledger.reached(8).await;
        assert_eq!(ledger.read().book.get(2).unwrap().status().code(), "SUP");
    }
}
