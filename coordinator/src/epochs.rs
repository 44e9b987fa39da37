//! Sealed epochs between the log and the workers: a bounded ring in memory, and the log behind it.
//!
//! Invariant: an epoch is published here only once its seal is on disk; epochs are successive. Memory is bounded by
//! [`limits::EPOCHS_RETAINED_BYTES`]: who is further behind reads the log ([`EpochFeed`]), so that a burst or a restart costs
//! disk reads, never memory.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use billwatch_market::codec::decode_record;
use billwatch_proto::v1;
use prost::bytes::Bytes;
use tokio::sync::watch;

use crate::{
    limits,
    log::{LogError, LogReader, StoredEpoch},
    shards::Audience,
};

/// Records of one batch with the place of each.
#[derive(Clone, Debug)]
pub struct PlacedBatch {
    /// Records in the binary form, one after the other.
    pub records: Bytes,
    /// Audience and length in bytes of each.
    pub placed: Vec<(Audience, u32)>,
}

/// One epoch, durable, ready to be delivered.
#[derive(Debug)]
pub struct SealedEpoch {
    /// Its number, from 1.
    pub epoch: u64,
    /// Market clock after it, ms.
    pub market_clock_ms: Option<i64>,
    /// Accepted records in order of acceptance.
    pub batches: Vec<PlacedBatch>,
    /// Variants for shards other than their own.
    pub copies: Vec<(Audience, Bytes)>,
    /// What clients ordered to hold from this epoch on, for every worker.
    pub orders: Vec<v1::Order>,
    /// The change of parameters that takes effect with it; it holds nothing else then.
    pub parameters: Option<v1::ParameterChange>,
    /// Number of records.
    pub records: u32,
    /// When it was sealed, or read back.
    pub sealed_at: Instant,
}

impl SealedEpoch {
    /// Bytes held in memory.
    fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.records.len() + batch.placed.len() * 8).sum::<usize>() + 256
    }

    /// Finds the audience of every record again.
    pub fn from_stored(stored: StoredEpoch) -> Result<Self, &'static str> {
        let mut batches = Vec::with_capacity(stored.batches.len());
        for records in stored.batches {
            let placed = place(&records)?;
            batches.push(PlacedBatch { records, placed });
        }
        let mut copies = Vec::with_capacity(stored.copies.len());
        for (bits, record) in stored.copies {
            copies.push((Audience::from_bits(bits).ok_or("audience of a copy")?, record));
        }
        Ok(SealedEpoch {
            epoch: stored.epoch,
            market_clock_ms: stored.market_clock_ms,
            batches,
            copies,
            orders: stored.orders,
            parameters: stored.parameters,
            records: stored.records,
            sealed_at: Instant::now(),
        })
    }
}

fn place(records: &[u8]) -> Result<Vec<(Audience, u32)>, &'static str> {
    let mut rest = records;
    let mut placed = Vec::new();
    while !rest.is_empty() {
        let before = rest.len();
        let record = decode_record(&mut rest).map_err(|_| "a record that this build cannot read")?;
        placed.push((Audience::of(&record), (before - rest.len()) as u32));
    }
    Ok(placed)
}

/// The ring of recent epochs.
#[derive(Debug)]
pub struct Epochs {
    log_dir: PathBuf,
    ring: Mutex<Ring>,
    sealed: watch::Sender<Sealed>,
}

/// The last sealed epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sealed {
    /// Its number; 0 = none yet.
    pub epoch: u64,
    /// Market clock after it, ms.
    pub market_clock_ms: Option<i64>,
}

#[derive(Debug, Default)]
struct Ring {
    epochs: VecDeque<Arc<SealedEpoch>>,
    bytes: usize,
}

impl Epochs {
    /// An empty ring behind which the log holds the epochs up to `sealed`.
    pub fn new(log_dir: PathBuf, sealed: Sealed) -> Self {
        Epochs { log_dir, ring: Mutex::default(), sealed: watch::Sender::new(sealed) }
    }

    /// Takes an epoch whose seal is on disk.
    pub fn publish(&self, epoch: SealedEpoch) {
        let sealed = Sealed { epoch: epoch.epoch, market_clock_ms: epoch.market_clock_ms };
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += epoch.bytes();
        ring.epochs.push_back(Arc::new(epoch));
        while ring.bytes > limits::EPOCHS_RETAINED_BYTES && ring.epochs.len() > 1 {
            let oldest = ring.epochs.pop_front().expect("it holds more than one");
            ring.bytes -= oldest.bytes();
        }
        drop(ring);
        self.sealed.send_replace(sealed);
    }

    /// The last sealed epoch.
    pub fn sealed(&self) -> Sealed {
        *self.sealed.borrow()
    }

    /// Changes when an epoch is sealed.
    pub fn watch(&self) -> watch::Receiver<Sealed> {
        self.sealed.subscribe()
    }

    /// Returns once an epoch is sealed, and the books know what was ordered in it.
    pub async fn reached(&self, epoch: u64) {
        // The sender lives in `self`: there is no error.
        let _ = self.watch().wait_for(|sealed| sealed.epoch >= epoch).await;
    }

    /// Directory of the log.
    pub fn log_dir(&self) -> &std::path::Path {
        &self.log_dir
    }

    fn get(&self, epoch: u64) -> Option<Arc<SealedEpoch>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.epochs.front()?.epoch;
        ring.epochs.get(usize::try_from(epoch.checked_sub(first)?).ok()?).cloned()
    }
}

/// Delivers epochs in order from a given one, from memory where it can, else from the log.
#[derive(Debug)]
pub struct EpochFeed {
    epochs: Arc<Epochs>,
    sealed: watch::Receiver<Sealed>,
    next: u64,
    reader: Option<LogReader>,
    read: VecDeque<Arc<SealedEpoch>>,
}

impl EpochFeed {
    /// Stands before `next`.
    pub fn new(epochs: Arc<Epochs>, next: u64) -> Self {
        EpochFeed { sealed: epochs.watch(), epochs, next, reader: None, read: VecDeque::new() }
    }

    /// The next epoch, as soon as it is sealed. May be dropped while it waits, without loss.
    pub async fn next(&mut self) -> Result<Arc<SealedEpoch>, LogError> {
        // The sender lives in `epochs`, which we hold: this ends only when the epoch is there.
        let next = self.next;
        let sealed = self.sealed.wait_for(|sealed| sealed.epoch >= next).await.map(|sealed| sealed.epoch);
        let sealed = sealed.unwrap_or_else(|_| self.epochs.sealed().epoch);
        let epoch = match self.read.pop_front() {
            Some(epoch) => epoch,
            None => match self.epochs.get(self.next) {
                Some(epoch) => epoch,
                None => self.read_back(sealed).await?,
            },
        };
        self.next += 1;
        Ok(epoch)
    }

    /// Reads a run of epochs from the log; gives the first, keeps the rest.
    async fn read_back(&mut self, sealed: u64) -> Result<Arc<SealedEpoch>, LogError> {
        // A dropped call loses the reader with the blocking task: it is opened again at the same epoch.
        let reader = self.reader.take();
        let (dir, first) = (self.epochs.log_dir.clone(), self.next);
        let (reader, read) = tokio::task::spawn_blocking(move || read_run(reader, &dir, first, sealed))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        self.reader = Some(reader);
        self.read = read;
        Ok(self.read.pop_front().expect("a run holds at least one epoch"))
    }
}

type Run = (LogReader, VecDeque<Arc<SealedEpoch>>);

fn read_run(reader: Option<LogReader>, dir: &std::path::Path, first: u64, last: u64) -> Result<Run, LogError> {
    let mut reader = match reader {
        Some(reader) if reader.stands_at() == first => reader,
        _ => LogReader::at(dir, first)?,
    };
    let mut run = VecDeque::new();
    let mut bytes = 0;
    while reader.stands_at() <= last && (run.is_empty() || bytes < limits::CATCH_UP_BYTES) {
        let epoch = SealedEpoch::from_stored(reader.next_epoch()?).map_err(|what| reader.damaged(what))?;
        bytes += epoch.bytes();
        run.push_back(Arc::new(epoch));
    }
    Ok((reader, run))
}
