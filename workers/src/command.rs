//! What a worker thread is told, and what it says.

use std::sync::Arc;

use billwatch_proto::v1;
/// Bytes that are shared, not copied: a slice of a message from the coordinator.
pub use tonic::codegen::Bytes;

/// One sealed epoch, as one worker thread needs it.
#[derive(Clone, Debug, Default)]
pub struct EpochInput {
    /// Number; successive within a generation.
    pub epoch: u64,
    /// Market clock after the epoch, ms; `None` before the first watermark.
    pub clock: Option<i64>,
    /// Records of its key groups, one after the other (`market::codec`).
    pub records: Bytes,
    /// Variants that belong to other bills (cluster.proto, `ShardRecords.variants`).
    pub variants: Bytes,
    /// Reference records, the same for every worker.
    pub reference: Bytes,
    /// What holds from this epoch on, the same for every worker.
    pub orders: Arc<[v1::Order]>,
    /// A change of parameters, which takes effect with this epoch.
    pub parameters: Option<Arc<v1::ParameterChange>>,
}

/// What a worker thread is told, in order.
#[derive(Clone, Debug)]
pub enum Command {
    /// The next epoch.
    Epoch(EpochInput),
    /// Cells that an explanation states, for an engine that gets an alert's evidence alone.
    Baseline(Box<[v1::BaselineValue]>),
    /// A question, answered at the epoch before it.
    Question(Box<v1::ShardQuestion>),
    /// Write the state of the epoch before it.
    Checkpoint,
    /// A checkpoint is complete everywhere.
    Committed {
        /// Its epoch.
        epoch: u64,
    },
    /// Leave the loop.
    Stop,
}

/// What a worker thread says.
#[derive(Clone, Debug)]
pub enum Report {
    /// The dataflow stands and the checkpoint is loaded.
    Ready,
    /// An epoch is complete on this thread.
    EpochDone {
        /// Its number.
        epoch: u64,
        /// Alerts owned by this thread that changed.
        alerts: Vec<v1::AlertChange>,
        /// Changed partial cells of subscriptions.
        watched: Vec<v1::WatchedCells>,
        /// Growing counters of this thread; empty in most epochs.
        counters: Vec<v1::Counter>,
        /// How far crosses are that are being filled.
        crosses: Vec<v1::CrossProgress>,
    },
    /// Part of an answer; the last one says so.
    Answer(Box<v1::ShardAnswer>),
    /// The checkpoint that this thread was told to take is cut, with the state of all threads of the process, or is not.
    CheckpointDone {
        /// The epoch.
        epoch: u64,
        /// Bytes, or what went wrong.
        result: Result<u64, String>,
    },
    /// The thread cannot go on; the generation is over.
    Failed {
        /// Why, and what to do.
        error: String,
    },
}
