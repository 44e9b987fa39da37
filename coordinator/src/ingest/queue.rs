//! What the sequencer is told, and the queue on which it is told so: bounded, in order, from all streams.

use std::sync::mpsc::SyncSender;

use billwatch_proto::v1;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{acceptance::Prepared, refused::Refused};

/// One batch of a stream, read and checked.
pub struct Batch {
    /// Records that keep all rules, with their row, in order.
    pub records: Vec<(u32, Prepared)>,
    /// Records that do not.
    pub refused: Vec<Refused>,
    /// Take `ingest_time` from the records.
    pub replay: bool,
    /// Room in memory, given back with the answer.
    pub room: Option<OwnedSemaphorePermit>,
    /// Where the answer goes. Dropped without one when the log failed.
    pub reply: oneshot::Sender<BatchOutcome>,
}

/// What became of a batch. Everything accepted is on disk.
#[derive(Debug, Default)]
pub struct BatchOutcome {
    /// New records.
    pub accepted: u32,
    /// Records acknowledged again.
    pub duplicates: u32,
    /// Refused ones, by row.
    pub refused: Vec<Refused>,
    /// Epoch that holds the last accepted record.
    pub epoch: u64,
    /// Missing numbers of the sources of the batch.
    pub gaps: Vec<v1::SequenceGap>,
    /// Room in memory: given back when this is dropped.
    pub room: Option<OwnedSemaphorePermit>,
}

/// A change of parameters that was tested.
pub struct Change {
    /// Without its epoch.
    pub change: v1::ParameterChange,
    /// Told, with the epoch, once it is on disk and in the book. Dropped without a word when the log failed.
    pub reply: oneshot::Sender<v1::ParameterChange>,
}

/// The sending end of the sequencer's queue. Cheap to clone.
#[derive(Clone)]
pub struct Queue(pub(super) SyncSender<Told>);

/// What the sequencer is told, in order.
pub(super) enum Told {
    Batch(Batch),
    /// Something that holds from the open epoch on; the reply is its number, once the order is on disk.
    Order(v1::Order, oneshot::Sender<u64>),
    Change(Change),
    /// Seal an epoch soon even if it is empty: workers have something to say.
    Beat,
    Stop,
}

/// The sequencer takes nothing more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

impl Queue {
    /// Hands a batch over; waits for room.
    pub fn push(&self, batch: Batch) -> Result<(), Closed> {
        self.0.send(Told::Batch(batch)).map_err(|_| Closed)
    }

    /// Writes an order down. Gives the epoch from which on it holds, once it is on disk.
    pub async fn order(&self, order: v1::Order) -> Result<u64, Closed> {
        let (reply, answer) = oneshot::channel();
        let queue = self.0.clone();
        // Waits for room behind batches.
        let sent = tokio::task::spawn_blocking(move || queue.send(Told::Order(order, reply)).map_err(|_| Closed)).await;
        sent.map_err(|_| Closed)??;
        answer.await.map_err(|_| Closed)
    }

    /// Asks for an epoch soon, even an empty one. A full queue has epochs to come anyway.
    pub fn beat(&self) {
        let _ = self.0.try_send(Told::Beat);
    }

    /// Hands a change of parameters over; waits for room.
    pub fn push_change(&self, change: Change) -> Result<(), Closed> {
        self.0.send(Told::Change(change)).map_err(|_| Closed)
    }

    /// Asks the sequencer to seal what is open and to end. Batches behind are answered by nobody.
    pub fn stop(&self) {
        // An error says that it has ended already.
        let _ = self.0.send(Told::Stop);
    }
}
