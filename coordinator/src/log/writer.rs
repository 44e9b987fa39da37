//! The writer thread: gathers what waits, appends it, one fdatasync, then does what was promised (acknowledge, publish).
//!
//! Invariant: what stands behind an item (`then`) runs in order of the items, and only after the fsync that covers it. When
//! the disk fails, everything not yet promised is dropped, the failure is kept, and nothing is written any more: the
//! coordinator must be started again, because the sequencer has numbered records that are not in the log.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Instant,
};

use billwatch_telemetry::codes;
use prost::bytes::Bytes;

use super::{Position, segment::SegmentWriter};
use crate::{failure::Failure, limits};

/// Something to write, and what to do once it is on disk.
pub struct LogItem {
    /// A whole frame; empty when only the order matters.
    pub frame: Bytes,
    /// Epoch of the frame.
    pub epoch: u64,
    /// Runs on the writer thread after the fsync; must be short.
    pub then: Option<Box<dyn FnOnce() + Send>>,
}

/// What the writer knows, for others to read.
#[derive(Debug)]
pub struct LogState {
    /// Everything before this position is on disk.
    durable: AtomicU64,
    group_commits: AtomicU64,
    sync_nanoseconds: AtomicU64,
}

impl LogState {
    /// Everything before this position is on disk.
    pub fn durable(&self) -> Position {
        self.durable.load(Ordering::Acquire)
    }

    /// (group commits, microseconds in fdatasync), both since start.
    pub fn commits(&self) -> (u64, u64) {
        (self.group_commits.load(Ordering::Relaxed), self.sync_nanoseconds.load(Ordering::Relaxed) / 1_000)
    }
}

/// The sending end of the writer's queue. The thread ends when all are dropped.
#[derive(Clone)]
pub struct LogQueue(SyncSender<LogItem>);

impl LogQueue {
    /// Waits for room. `Err` when the writer has ended.
    pub fn push(&self, item: LogItem) -> Result<(), LogClosed> {
        self.0.send(item).map_err(|_| LogClosed)
    }

    /// Waits until everything pushed before is on disk.
    pub fn flush(&self) -> Result<(), LogClosed> {
        let (done, wait) = sync_channel(1);
        let then: Box<dyn FnOnce() + Send> = Box::new(move || _ = done.send(()));
        self.push(LogItem { frame: Bytes::new(), epoch: 0, then: Some(then) })?;
        wait.recv().map_err(|_| LogClosed)
    }
}

/// The log takes no more records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogClosed;

/// Starts the writer thread. `lock` is kept until it ends: that of the data directory.
pub fn start(
    segment: SegmentWriter,
    lock: impl Send + 'static,
    failure: Failure,
) -> (LogQueue, Arc<LogState>, JoinHandle<()>) {
    let state = Arc::new(LogState {
        durable: AtomicU64::new(segment.position()),
        group_commits: AtomicU64::new(0),
        sync_nanoseconds: AtomicU64::new(0),
    });
    let (sender, receiver) = sync_channel(limits::LOG_QUEUE);
    let thread_state = state.clone();
    let thread = std::thread::Builder::new()
        .name("log-writer".into())
        .spawn(move || {
            let (_lock, _guard) = (lock, failure.guard("log writer"));
            if let Err(error) = run(segment, &receiver, &thread_state) {
                failure.report(codes::LOG_FAILED, error.to_string());
            }
        })
        .expect("the system has a thread for the log");
    (LogQueue(sender), state, thread)
}

fn run(mut segment: SegmentWriter, queue: &Receiver<LogItem>, state: &LogState) -> Result<(), super::LogError> {
    let mut promised: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    let mut gathered: Vec<u8> = Vec::new();
    while let Ok(first) = queue.recv() {
        let mut item = Some(first);
        gathered.clear();
        let mut epoch = 0;
        while let Some(LogItem { frame, epoch: of, then }) = item {
            gathered.extend_from_slice(&frame);
            epoch = epoch.max(of);
            promised.extend(then);
            item = if gathered.len() < limits::GROUP_COMMIT_BYTES { queue.try_recv().ok() } else { None };
        }
        if !gathered.is_empty() {
            segment.append(&gathered)?;
            let begun = Instant::now();
            segment.sync()?;
            state.sync_nanoseconds.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
            state.group_commits.fetch_add(1, Ordering::Relaxed);
            state.durable.store(segment.position(), Ordering::Release);
        }
        for then in promised.drain(..) {
            then();
        }
        // After the promises: nobody waits for a new file. The next frame is of this epoch or a later one.
        segment.rotate_when_full(epoch)?;
        gathered.shrink_to(limits::GROUP_COMMIT_BYTES);
    }
    Ok(())
}
