//! Checkpoints of a generation: one at a time, committed when every process has written its part.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use billwatch_proto::v1;
use billwatch_telemetry::{codes, otlp::SPANS};
use tokio::sync::oneshot;
use tracing::{Span, field::Empty};

use crate::{
    api::{
        errors::{ApiError, late_answer, worker_failed},
        spans,
    },
    ledger::AsOf,
    limits,
};

type Reply = oneshot::Sender<Result<u64, ApiError>>;

/// State of checkpointing.
pub struct Checkpoints {
    /// Epoch of the last one, taken or restored.
    last_epoch: u64,
    last_time: Instant,
    pending: Option<Pending>,
    /// Who asked while one was under way, or since.
    wanted: Vec<Reply>,
    /// Given up since it was last asked.
    failed: i64,
}

struct Pending {
    as_of: AsOf,
    since: Instant,
    waiting: BTreeSet<u32>,
    bytes: u64,
    replies: Vec<Reply>,
    span: Span,
}

/// A checkpoint that every process has written.
pub struct Written {
    /// Its epoch.
    pub as_of: AsOf,
    /// Bytes of all parts.
    pub bytes: u64,
    /// When it was ordered.
    pub since: Instant,
    replies: Vec<Reply>,
    /// From the order until who asked is told.
    span: Span,
}

impl Written {
    /// Tells who asked.
    pub fn answer(self, result: &Result<(), ApiError>) {
        if let Err(error) = result {
            spans::failed(&self.span, error.reason());
        }
        for reply in self.replies {
            // Who asked may have gone.
            let _ = reply.send(result.clone().map(|()| self.as_of.epoch));
        }
    }
}

impl Checkpoints {
    /// Nothing under way behind the restored epoch.
    pub fn new(restored: u64) -> Self {
        Checkpoints { last_epoch: restored, last_time: Instant::now(), pending: None, wanted: Vec::new(), failed: 0 }
    }

    /// Somebody wants one.
    pub fn want(&mut self, reply: Reply) {
        self.wanted.push(reply);
    }

    /// The epoch to cut at, when one is due: asked for, or the interval has passed and epochs came.
    pub fn due(&mut self, sent: AsOf, interval: Option<Duration>, processes: u32) -> Option<AsOf> {
        if self.pending.is_some() {
            return None;
        }
        if sent.epoch == self.last_epoch {
            // Nothing has come since: the last one is the answer.
            for reply in self.wanted.drain(..) {
                let _ = reply.send(Ok(self.last_epoch));
            }
            return None;
        }
        let by_time = interval.is_some_and(|interval| self.last_time.elapsed() >= interval);
        if self.wanted.is_empty() && !by_time {
            return None;
        }
        self.pending = Some(Pending {
            as_of: sent,
            since: Instant::now(),
            waiting: (0..processes).collect(),
            bytes: 0,
            replies: std::mem::take(&mut self.wanted),
            span: tracing::info_span!(
                target: SPANS,
                parent: None,
                "checkpoint",
                epoch = sent.epoch,
                bytes = Empty,
                otel.status_code = Empty,
                error.type = Empty
            ),
        });
        Some(sent)
    }

    /// A process has written its part, or failed to. Gives the checkpoint when it was the last part.
    pub fn done(&mut self, process: u32, done: &v1::CheckpointDone) -> Option<Written> {
        let pending = self.pending.as_mut().filter(|pending| pending.as_of.epoch == done.epoch)?;
        if !done.error.is_empty() {
            let error =
                worker_failed(&format!("process {process}, checkpoint of epoch {}: {}", done.epoch, done.error));
            self.fail(&error);
            return None;
        }
        pending.waiting.remove(&process);
        pending.bytes += done.bytes;
        if !pending.waiting.is_empty() {
            return None;
        }
        let Pending { as_of, since, bytes, replies, span, .. } = self.pending.take()?;
        span.record("bytes", bytes);
        self.last_epoch = as_of.epoch;
        self.last_time = Instant::now();
        Some(Written { as_of, bytes, since, replies, span })
    }

    /// Gives up one that takes too long.
    pub fn give_up_late(&mut self) {
        if self.pending.as_ref().is_some_and(|pending| pending.since.elapsed() > limits::LONG_QUESTION_WITHIN) {
            self.fail(&late_answer());
        }
    }

    /// Checkpoints given up since the last call.
    pub fn take_failed(&mut self) -> i64 {
        std::mem::take(&mut self.failed)
    }

    fn fail(&mut self, error: &ApiError) {
        if let Some(pending) = self.pending.take() {
            tracing::warn!(code = codes::CHECKPOINT_FAILED, epoch = pending.as_of.epoch, ?error, "no checkpoint");
            spans::failed(&pending.span, error.reason());
            self.last_time = Instant::now();
            self.failed += 1;
            for reply in pending.replies {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}
