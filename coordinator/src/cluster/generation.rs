//! One generation of the mesh: what was sent, what is done, what is complete.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use billwatch_proto::v1;
use billwatch_telemetry::otlp::SPANS;
use tokio::sync::mpsc;
use tracing::{Span, field::Empty};

use super::{checkpoints::Checkpoints, questions::Questions};
use crate::{
    epochs::{EpochFeed, Epochs, SealedEpoch},
    ledger::AsOf,
    limits,
    log::LogError,
    shards::Assignment,
};

/// Epochs in order, read ahead by a task of their own, so that a slow disk never stops answers.
pub type Feed = mpsc::Receiver<Result<Arc<SealedEpoch>, LogError>>;

/// A generation, from its Start on.
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// Who owns which key group.
    pub assignment: Assignment,
    /// Number of processes.
    pub processes: u32,
    /// Threads of each.
    pub threads: u32,
    /// When it was started.
    pub since: Instant,
    /// Epochs to send; `None` until all processes are ready.
    pub feed: Option<Feed>,
    /// Where questions asked now stand.
    pub sent: AsOf,
    /// Last epoch that all processes have done.
    pub completed: AsOf,
    /// Last epoch of the log when the generation began: having done it, the workers have caught up.
    pub goal: u64,
    /// Questions and subscriptions.
    pub questions: Questions,
    /// The checkpoint under way.
    pub checkpoints: Checkpoints,
    /// Sent and not complete, in order.
    flying: VecDeque<Flying>,
    /// From Start until all processes are ready.
    starting: Option<Span>,
}

struct Flying {
    as_of: AsOf,
    sealed_at: Instant,
    /// Processes that have not done it.
    waiting: u32,
    changes: Vec<v1::AlertChange>,
    watched: Vec<(u32, v1::WatchedCells)>,
}

/// An epoch that every process has done.
pub struct Complete {
    /// The epoch.
    pub as_of: AsOf,
    /// When it was sealed, or read from the log.
    pub sealed_at: Instant,
    /// Changed alerts of all processes.
    pub changes: Vec<v1::AlertChange>,
    /// Changed cells of subscriptions, by process.
    pub watched: Vec<(u32, v1::WatchedCells)>,
}

impl Generation {
    /// A generation that restores the checkpoint of `restored`.
    pub fn new(number: u64, processes: u32, threads: u32, restored: AsOf, goal: u64) -> Self {
        Generation {
            number,
            assignment: Assignment::contiguous(processes, threads),
            processes,
            threads,
            since: Instant::now(),
            feed: None,
            sent: restored,
            completed: restored,
            goal,
            questions: Questions::default(),
            checkpoints: Checkpoints::new(restored.epoch),
            flying: VecDeque::new(),
            starting: Some(tracing::info_span!(
                target: SPANS,
                parent: None,
                "generation start",
                generation = number,
                processes,
                threads,
                restored_epoch = restored.epoch,
                ready = Empty
            )),
        }
    }

    /// Begins to read the epochs behind the restored one.
    pub fn open_feed(&mut self, epochs: &Arc<Epochs>) {
        let (sender, feed) = mpsc::channel(limits::FEED_AHEAD);
        let mut epochs = EpochFeed::new(epochs.clone(), self.sent.epoch + 1);
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    next = epochs.next() => next,
                    () = sender.closed() => return,
                };
                let failed = next.is_err();
                if sender.send(next).await.is_err() || failed {
                    return;
                }
            }
        });
        self.feed = Some(feed);
        if let Some(span) = self.starting.take() {
            span.record("ready", true);
        }
    }

    /// Epochs sent and not complete.
    pub fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// Notes that an epoch goes out, and cuts it for the processes.
    pub fn send(&mut self, epoch: &SealedEpoch) -> Vec<v1::Epoch> {
        self.sent = AsOf { epoch: epoch.epoch, market_clock_ms: epoch.market_clock_ms };
        self.flying.push_back(Flying {
            as_of: self.sent,
            sealed_at: epoch.sealed_at,
            waiting: self.processes,
            changes: Vec::new(),
            watched: Vec::new(),
        });
        self.assignment.cut(epoch)
    }

    /// A process has done the epoch behind `before`. `Err` when it was not sent.
    pub fn done(&mut self, process: u32, before: u64, done: v1::EpochDone) -> Result<(), String> {
        let first = self.flying.front().map_or(u64::MAX, |flying| flying.as_of.epoch);
        let flying = done.epoch.checked_sub(first).and_then(|at| self.flying.get_mut(usize::try_from(at).ok()?));
        match flying {
            Some(flying) if done.epoch == before + 1 => {
                flying.waiting -= 1;
                flying.changes.extend(done.alert_changes);
                flying.watched.extend(done.watched_cells.into_iter().map(|cells| (process, cells)));
                Ok(())
            }
            _ => Err(format!("process {process} said epoch {} was done after {before}", done.epoch)),
        }
    }

    /// The next epoch that all processes have done.
    pub fn complete(&mut self) -> Option<Complete> {
        if self.flying.front()?.waiting > 0 {
            return None;
        }
        let Flying { as_of, sealed_at, changes, watched, .. } = self.flying.pop_front()?;
        self.completed = as_of;
        Some(Complete { as_of, sealed_at, changes, watched })
    }

    /// True once the workers have caught up with the log as it was at the start.
    pub fn has_caught_up(&self) -> bool {
        self.feed.is_some() && self.completed.epoch >= self.goal
    }
}
