//! The coordinator's side of the mesh: who is a member, which generation runs, what it was sent and what it said.
//!
//! One task ([`actor`]) owns all of it, and everybody else sends it commands. Life of a generation ([`generation`]):
//!
//! ```text
//! gathering ── all processes registered ──► starting ── all ready ──► running ── any stream lost ──► gathering
//!              (Start: assignment, checkpoint)        (epochs from the log,      (Stop to all)
//!                                                      then live)
//! ```
//!
//! # Invariants
//! - A mesh is one failure domain: the loss of one process ends the generation for all.
//! - All streams carry the same order of epochs, questions and checkpoints: so all shards answer at one epoch.
//! - A process that has an agent ([`agents`]) is lost with it; a process without one speaks for itself.
//! - At most `epochs_in_flight` epochs are sent and not done.
//! - An epoch is complete when every process said so; the ledger gets the epochs in order.

mod actor;
mod admission;
mod agents;
mod checkpoints;
mod freshness;
mod generation;
pub mod questions;
pub mod workers_api;

use std::sync::Arc;

use billwatch_proto::v1;
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, oneshot, watch},
    time::timeout,
};
use tonic::Status;

use crate::{
    api::errors::{ApiError, not_serving},
    counters::Counters,
    crosses::Crosses,
    epochs::Epochs,
    failure::Failure,
    handling::HandlingBook,
    ledger::{AsOf, Ledger},
    limits,
    manifest::{CommittedCheckpoint, Manifest},
    parameters::ParameterBook,
};
use agents::{AgentOutbound, Lease};
use questions::{Asked, Watching};

/// Version of the program: equal on every process of a cluster.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// What the cluster works with.
pub struct Surroundings {
    /// Processes that a generation waits for.
    pub processes: u32,
    /// Epochs sent and not done.
    pub epochs_in_flight: u32,
    /// Time between checkpoints.
    pub checkpoint_interval: Option<std::time::Duration>,
    /// Of the coordinator's catalogue.
    pub catalogue_fingerprint: u64,
    /// Generations and checkpoints.
    pub manifest: Manifest,
    /// Where epochs come from.
    pub epochs: Arc<Epochs>,
    /// Where alerts go.
    pub ledger: Ledger,
    /// Crosses that are ordered.
    pub crosses: Arc<Crosses>,
    /// Changes of parameters.
    pub parameters: Arc<ParameterBook>,
    /// What was done with alerts.
    pub handling: Arc<HandlingBook>,
    /// Counters.
    pub counters: Arc<Counters>,
}

/// Messages to one worker process.
type Outbound = mpsc::Sender<Result<v1::WorkResponse, Status>>;

/// The place of one worker's stream, for as long as it lasts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Connection(u64);

enum Command {
    Join { register: v1::Register, outbound: Outbound, reply: oneshot::Sender<Result<Connection, Status>> },
    Heard { connection: Connection, message: Box<v1::work_request::Message> },
    Left { connection: Connection, why: String },
    Attend { enrol: v1::Enrol, outbound: AgentOutbound, reply: oneshot::Sender<Result<Lease, Status>> },
    AgentLeaves { lease: Lease },
    AgentLost { lease: Lease, why: String },
    Ask { kind: v1::shard_question::Kind, reply: oneshot::Sender<Result<Asked, ApiError>> },
    Watch { cells: v1::QueryCellsRequest, reply: oneshot::Sender<Result<(Asked, Watching), ApiError>> },
    Checkpoint { reply: oneshot::Sender<Result<u64, ApiError>> },
    Status { reply: oneshot::Sender<ClusterStatus> },
    Stop,
}

/// What probes want to know of the cluster.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    /// Questions are answered, and the workers have caught up with the log as it was when their generation began.
    pub serving: bool,
    /// All that was sealed [`crate::limits::FRESH_WITHIN`] ago is in the answers.
    pub fresh: bool,
    /// When the task of the cluster last looked around: it does so many times a second.
    pub looked_at: std::time::Instant,
}

/// One page on the cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterStatus {
    /// Last epoch completed by all in this generation.
    pub completed: AsOf,
    /// 0 = none runs.
    pub generation: u64,
    /// Registered processes.
    pub members: Vec<v1::Member>,
    /// The last committed checkpoint.
    pub checkpoint: Option<CommittedCheckpoint>,
    /// Questions are answered, at an epoch that is not older than the log was when the generation began.
    pub serving: bool,
    /// Counters of the processes, summed.
    pub counters: Vec<v1::Counter>,
}

/// The cluster. Cheap to clone; its task ends at [`Cluster::stop`] or with the last clone.
#[derive(Clone, Debug)]
pub struct Cluster {
    commands: mpsc::Sender<Command>,
    vitals: watch::Receiver<Vitals>,
}

impl Cluster {
    /// Waits until the ledger has come to an epoch; false when nobody serves, or it takes too long.
    pub async fn shows(&self, ledger: &Ledger, epoch: u64) -> bool {
        let mut changes = ledger.subscribe();
        let waiting = async {
            loop {
                if ledger.read().as_of.epoch >= epoch {
                    return true;
                }
                if !self.vitals().borrow().serving {
                    return false;
                }
                if matches!(timeout(limits::LOOK_AGAIN, changes.recv()).await, Ok(Err(RecvError::Closed))) {
                    return false;
                }
            }
        };
        timeout(limits::LONG_QUESTION_WITHIN, waiting).await.unwrap_or(false)
    }

    /// Starts the task.
    pub fn start(surroundings: Surroundings, failure: Failure) -> Self {
        let (commands, inbox) = mpsc::channel(crate::limits::WORKER_QUEUE);
        let looked_at = std::time::Instant::now();
        let (vitals_sender, vitals) = watch::channel(Vitals { serving: false, fresh: false, looked_at });
        let actor = actor::Actor::new(surroundings, vitals_sender);
        tokio::spawn(async move {
            let _guard = failure.guard("task of the cluster");
            if let Err(error) = actor.run(inbox).await {
                failure.report(billwatch_telemetry::codes::CATCH_UP_FAILED, error);
            }
        });
        Cluster { commands, vitals }
    }

    /// How it stands, for probes.
    pub fn vitals(&self) -> watch::Receiver<Vitals> {
        self.vitals.clone()
    }

    /// Puts a question behind the last epoch sent.
    pub async fn ask(&self, kind: v1::shard_question::Kind) -> Result<Asked, ApiError> {
        self.command(|reply| Command::Ask { kind, reply }).await?
    }

    /// Subscribes to cells: the question for the snapshot, and the changes behind it.
    pub async fn watch(&self, cells: v1::QueryCellsRequest) -> Result<(Asked, Watching), ApiError> {
        self.command(|reply| Command::Watch { cells, reply }).await?
    }

    /// Takes a checkpoint; gives its epoch once it is committed.
    pub async fn checkpoint(&self) -> Result<u64, ApiError> {
        self.command(|reply| Command::Checkpoint { reply }).await?
    }

    /// Ends the generation and the task: workers are told to stop, questions fail.
    pub async fn stop(&self) {
        // An error says that it has ended already.
        let _ = self.commands.send(Command::Stop).await;
    }

    /// How the cluster stands.
    pub async fn status(&self) -> Result<ClusterStatus, ApiError> {
        self.command(|reply| Command::Status { reply }).await
    }

    async fn command<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        let gone = || not_serving("the coordinator is ending");
        self.commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

fn response(message: v1::work_response::Message) -> Result<v1::WorkResponse, Status> {
    Ok(v1::WorkResponse { message: Some(message) })
}
