//! The sequencer thread: the one place where records get their order, their stamp and their epoch.
//!
//! It takes prepared batches from all streams, judges each record ([`Acceptance`]), writes the accepted ones into frames,
//! seals epochs by time or size, and hands everything to the log writer. Invariants: frames reach the writer in order; a
//! batch is answered, in order too, only after the fsync behind its last frame; an epoch is published only after the fsync
//! behind its seal.
//!
//! Variants across bills: when a fact comes under a known event id with other content, shards must know which one counts. What
//! they need for that ([`super::variants`]) is read back from the log and written in `Copies` frames. So a replay delivers the
//! same.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use billwatch_market::{
    codec::encode_record,
    fact::{Record, SOURCES, Source},
};
use billwatch_proto::v1;
use billwatch_telemetry::codes;
use prost::bytes::Bytes;
use tokio::sync::oneshot;

pub use super::queue::{Batch, BatchOutcome, Change, Queue};
use super::{
    acceptance::{Acceptance, Prepared, Verdict},
    queue::Told,
    refused::Refused,
    variants::{self, VariantsError},
};
use crate::{
    counters::Counters,
    crosses::Crosses,
    epochs::{Epochs, PlacedBatch, SealedEpoch},
    failure::Failure,
    handling::HandlingBook,
    limits,
    log::{
        Position,
        frame::{self, FrameKind, HEADER_BYTES, TooLong},
        writer::{LogClosed, LogItem, LogQueue, LogState},
    },
    metrics::arrivals::{Arrivals, Freshness},
    parameters::ParameterBook,
    reports::restating::Restating,
    shards::Audience,
};

/// When epochs are sealed.
#[derive(Clone, Copy, Debug)]
pub struct SealRule {
    /// At the latest this long after the first record.
    pub interval: Duration,
    /// At this many records.
    pub records: u32,
}

/// What the sequencer works with.
pub struct Surroundings {
    /// Queue of the log writer.
    pub log: LogQueue,
    /// What the writer knows.
    pub log_state: Arc<LogState>,
    /// Directory of the log.
    pub log_dir: PathBuf,
    /// Where sealed epochs go.
    pub epochs: Arc<Epochs>,
    /// Counters.
    pub counters: Arc<Counters>,
    /// Facts that can change reports of closed periods.
    pub restating: Arc<Restating>,
    /// When records came.
    pub freshness: Arc<Freshness>,
    /// Crosses that are ordered.
    pub crosses: Arc<Crosses>,
    /// Changes of parameters.
    pub parameters: Arc<ParameterBook>,
    /// What was done with alerts.
    pub handling: Arc<HandlingBook>,
    /// When to seal.
    pub rule: SealRule,
}

/// State with which the sequencer begins: what the log says.
#[derive(Default)]
pub struct Begin {
    /// Memory of everything accepted.
    pub acceptance: Acceptance,
    /// Position behind the last frame.
    pub position: Position,
    /// The last sealed epoch.
    pub sealed_epoch: u64,
    /// Records of the epoch that a crash left open: it is sealed at once.
    pub open: Vec<PlacedBatch>,
    /// What was ordered in it.
    pub open_orders: Vec<v1::Order>,
    /// Event-id hash and place of variants in it, whose copies may be missing.
    pub open_variants: Vec<(u64, (Source, u64))>,
    /// A change of parameters whose epoch a crash left open.
    pub open_parameters: Option<v1::ParameterChange>,
}

impl Begin {
    /// The last epoch that holds something; an open one is sealed before anything else.
    pub fn last_epoch(&self) -> u64 {
        let is_open = !self.open.is_empty() || !self.open_orders.is_empty() || self.open_parameters.is_some();
        self.sealed_epoch + u64::from(is_open)
    }
}

/// Starts the thread. It ends, after sealing what is open, at [`Queue::stop`] or when all queues are dropped.
pub fn start(begin: Begin, surroundings: Surroundings, failure: Failure) -> (Queue, JoinHandle<()>) {
    let (sender, receiver) = sync_channel(limits::SEQUENCER_QUEUE);
    let thread = std::thread::Builder::new().name("sequencer".into()).spawn(move || {
        let _guard = failure.guard("sequencer");
        let mut sequencer = Sequencer::new(begin, surroundings);
        match sequencer.run(&receiver) {
            // The writer has told why.
            Ok(()) | Err(SequencerError::LogClosed) => {}
            Err(error) => failure.report(codes::SEQUENCER_FAILED, error.to_string()),
        }
    });
    (Queue(sender), thread.expect("the system has a thread for the sequencer"))
}

#[derive(Debug, thiserror::Error)]
enum SequencerError {
    #[error("the log takes no more records")]
    LogClosed,
    #[error(transparent)]
    Variants(#[from] VariantsError),
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

impl From<LogClosed> for SequencerError {
    fn from(_: LogClosed) -> Self {
        SequencerError::LogClosed
    }
}

struct Sequencer {
    acceptance: Acceptance,
    around: Surroundings,
    /// Where the frame that is being filled will stand.
    position: Position,
    /// Number of the open epoch.
    epoch: u64,
    /// When the last batch was taken.
    taken: Instant,
    open: OpenEpoch,
    frame: OpenFrame,
}

#[derive(Default)]
struct OpenEpoch {
    batches: Vec<PlacedBatch>,
    copies: Vec<(Audience, Bytes)>,
    orders: Vec<v1::Order>,
    parameters: Option<v1::ParameterChange>,
    records: u32,
    /// It is sealed even without records.
    is_wanted: bool,
    /// When its first record came.
    since: Option<Instant>,
    /// When records came, of the first so many.
    arrivals: (Arrivals, u32),
}

/// The `Append` frame that is being filled.
struct OpenFrame {
    bytes: Vec<u8>,
    placed: Vec<(Audience, u32)>,
    /// Variants among its records: event-id hash and place.
    variants: Vec<(u64, (Source, u64))>,
}

impl OpenFrame {
    fn new() -> Self {
        OpenFrame { bytes: frame::begin(), placed: Vec::new(), variants: Vec::new() }
    }
}

impl Sequencer {
    fn new(begin: Begin, around: Surroundings) -> Self {
        let records = begin.open.iter().map(|batch| batch.placed.len() as u32).sum();
        let since = (records > 0 || !begin.open_orders.is_empty()).then(Instant::now);
        Sequencer {
            acceptance: begin.acceptance,
            around,
            position: begin.position,
            epoch: begin.sealed_epoch + 1,
            taken: Instant::now(),
            // Nobody knows when records of a former life came.
            open: OpenEpoch {
                batches: begin.open,
                copies: Vec::new(),
                orders: begin.open_orders,
                parameters: begin.open_parameters,
                records,
                is_wanted: false,
                since,
                arrivals: (Arrivals::default(), records),
            },
            frame: OpenFrame { variants: begin.open_variants, ..OpenFrame::new() },
        }
    }

    fn run(&mut self, batches: &Receiver<Told>) -> Result<(), SequencerError> {
        // Half-sealed before a crash: its acknowledged records get their epoch now.
        self.seal()?;
        loop {
            let batch = match self.open.since {
                None => batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(since) => batches.recv_timeout(self.interval().saturating_sub(since.elapsed())),
            };
            match batch {
                Ok(Told::Batch(batch)) => self.take(batch)?,
                Ok(Told::Order(order, reply)) => self.take_order(order, reply)?,
                Ok(Told::Change(change)) => self.change(change)?,
                Ok(Told::Beat) => {
                    self.open.is_wanted = true;
                    self.open.since.get_or_insert_with(Instant::now);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return self.seal(),
            }
            if self.open.since.is_some_and(|since| since.elapsed() >= self.interval()) {
                self.seal()?;
            }
        }
    }

    /// How long the open epoch stays open. Fewer epochs leave workers more time to fill a cross.
    fn interval(&self) -> Duration {
        let interval = self.around.rule.interval;
        let is_filling = self.around.crosses.is_filling_at(self.epoch - 1);
        if is_filling { interval.max(limits::EPOCH_INTERVAL_FILLING) } else { interval }
    }

    fn take(&mut self, batch: Batch) -> Result<(), SequencerError> {
        self.taken = Instant::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let mut outcome = BatchOutcome { refused: batch.refused, room: batch.room, ..BatchOutcome::default() };
        let mut filled: Vec<(Source, u64, u64)> = Vec::new();
        let mut tally = Tally::default();
        for refused in &outcome.refused {
            tally.sources[usize::from(refused.source.map_or(0, Source::rank))] |= refused.source.is_some();
            if let (Some(source), Some(number)) = (refused.source, refused.number)
                && self.acceptance.fill(source, number, 0)
            {
                filled.push((source, number, 0));
            }
        }
        for (row, mut prepared) in batch.records {
            let (source, number) = prepared.record.sequence();
            tally.sources[usize::from(source.rank())] = true;
            match self.acceptance.judge(&prepared, self.position) {
                Verdict::Accepted { source_watermark, late, variant } => {
                    outcome.accepted += 1;
                    tally.accepted[usize::from(source.rank())] += 1;
                    tally.late += i64::from(late);
                    if let Record::Fact(fact) = &mut prepared.record {
                        tally.facts += 1;
                        tally.correcting += i64::from(fact.correction.is_some());
                        fact.stamp.source_watermark = source_watermark;
                        if !batch.replay {
                            fact.stamp.ingest_time = now;
                        }
                    }
                    if variant {
                        self.frame.variants.push((prepared.event, (source, number)));
                    }
                    self.append(&prepared);
                    outcome.epoch = self.epoch;
                    if self.open.records >= self.around.rule.records {
                        self.seal()?;
                    } else if self.frame.bytes.len() >= limits::FRAME_BYTES {
                        self.finish_frame()?;
                    }
                }
                Verdict::Duplicate { fills } => {
                    outcome.duplicates += 1;
                    if fills && self.acceptance.fill(source, number, prepared.content) {
                        filled.push((source, number, prepared.content));
                    }
                }
                refusal => {
                    if self.acceptance.fill(source, number, 0) {
                        filled.push((source, number, 0));
                    }
                    outcome.refused.push(Refused::by_sequence(row, &prepared.record, &refusal));
                }
            }
        }
        if outcome.epoch == 0 {
            outcome.epoch = if self.open.records > 0 { self.epoch } else { self.epoch - 1 };
        }
        outcome.refused.sort_by_key(|refused| refused.refusal.row);
        self.note_arrivals();
        outcome.gaps = self.gaps(&tally.sources);
        self.count_gaps(&tally.sources);
        tally.count(&self.around.counters, &outcome);
        self.around.restating.accepted(tally.late + tally.correcting, outcome.epoch);
        self.write_filled(&filled)?;
        self.finish_frame()?;
        let reply = batch.reply;
        // An answer to a client that has gone is dropped: its records are in the log all the same.
        let then: Box<dyn FnOnce() + Send> = Box::new(move || drop(reply.send(outcome)));
        Ok(self.around.log.push(LogItem { frame: Bytes::new(), epoch: self.epoch, then: Some(then) })?)
    }

    fn take_order(&mut self, order: v1::Order, reply: oneshot::Sender<u64>) -> Result<(), SequencerError> {
        self.finish_frame()?;
        let mut bytes = frame::begin();
        frame::put_order(&mut bytes, &order);
        self.open.orders.push(order);
        self.open.since.get_or_insert_with(Instant::now);
        let epoch = self.epoch;
        // Who ordered may have gone: the order stands all the same.
        let then: Box<dyn FnOnce() + Send> = Box::new(move || _ = reply.send(epoch));
        self.write(bytes, FrameKind::Orders, 1, Some(then)).map(drop)
    }

    /// A change of parameters gets an epoch of its own, so that what changes with that epoch is its doing alone.
    fn change(&mut self, Change { change, reply }: Change) -> Result<(), SequencerError> {
        self.seal()?;
        let change = v1::ParameterChange { epoch: self.epoch, ..change };
        let durable = self.around.log_state.durable();
        self.push(frame::parameters(&change, self.epoch, durable)?, None)?;
        self.open.parameters = Some(change.clone());
        self.seal()?;
        // An answer to a client that has gone is dropped: the change is in the log all the same.
        let then: Box<dyn FnOnce() + Send> = Box::new(move || drop(reply.send(change)));
        Ok(self.around.log.push(LogItem { frame: Bytes::new(), epoch: self.epoch, then: Some(then) })?)
    }

    fn append(&mut self, prepared: &Prepared) {
        let before = self.frame.bytes.len();
        encode_record(&prepared.record, &mut self.frame.bytes);
        self.frame.placed.push((prepared.audience, (self.frame.bytes.len() - before) as u32));
        self.open.records += 1;
        self.open.since.get_or_insert_with(Instant::now);
    }

    /// Records of the open epoch that are not noted yet came with the last batch.
    fn note_arrivals(&mut self) {
        let (arrivals, noted) = &mut self.open.arrivals;
        let new = self.open.records - std::mem::replace(noted, self.open.records);
        if new > 0 {
            arrivals.note(self.taken, new);
        }
    }

    fn count_gaps(&self, sources: &[bool]) {
        for source in SOURCES.into_iter().filter(|source| sources[usize::from(source.rank())]) {
            let gaps = self.acceptance.gap_count(source);
            self.around.counters.set("sequence_gaps", source.code(), gaps as i64);
        }
    }

    fn gaps(&self, sources: &[bool]) -> Vec<v1::SequenceGap> {
        let of_batch = SOURCES.into_iter().filter(|source| sources[usize::from(source.rank())]);
        let gaps = of_batch.flat_map(|source| {
            self.acceptance.gaps(source).map(move |(first_missing, last_missing)| v1::SequenceGap {
                source: source.code().to_owned(),
                first_missing,
                last_missing,
            })
        });
        gaps.take(limits::GAPS_LISTED).collect()
    }

    /// Completes a frame and hands it to the writer.
    fn write(
        &mut self,
        mut frame: Vec<u8>,
        kind: FrameKind,
        count: u32,
        then: Option<Box<dyn FnOnce() + Send>>,
    ) -> Result<Bytes, SequencerError> {
        frame::complete(&mut frame, kind, count, self.epoch, self.around.log_state.durable())?;
        self.push(frame, then)
    }

    /// Hands a whole frame to the writer.
    fn push(&mut self, frame: Vec<u8>, then: Option<Box<dyn FnOnce() + Send>>) -> Result<Bytes, SequencerError> {
        let frame = Bytes::from(frame);
        self.position += frame.len() as u64;
        self.around.log.push(LogItem { frame: frame.clone(), epoch: self.epoch, then })?;
        Ok(frame)
    }

    fn write_filled(&mut self, filled: &[(Source, u64, u64)]) -> Result<(), SequencerError> {
        if filled.is_empty() {
            return Ok(());
        }
        // Records already judged are remembered at the position of the open frame: it goes first.
        self.finish_frame()?;
        let mut bytes = frame::begin();
        for &(source, number, content) in filled {
            frame::put_filled(&mut bytes, source.rank(), number, content);
        }
        self.write(bytes, FrameKind::Filled, filled.len() as u32, None).map(drop)
    }

    fn finish_frame(&mut self) -> Result<(), SequencerError> {
        let OpenFrame { bytes, placed, variants } = std::mem::replace(&mut self.frame, OpenFrame::new());
        if !placed.is_empty() {
            let frame = self.write(bytes, FrameKind::Append, placed.len() as u32, None)?;
            self.open.batches.push(PlacedBatch { records: frame.slice(HEADER_BYTES..), placed });
        }
        if variants.is_empty() { Ok(()) } else { self.write_copies(&variants) }
    }

    /// Tells shards which of the variants counts. Rare: reads the log, and waits for it.
    fn write_copies(&mut self, new: &[(u64, (Source, u64))]) -> Result<(), SequencerError> {
        self.around.log.flush()?;
        let copies = variants::copies(&self.acceptance, &self.around.log_dir, new)?;
        self.around.counters.add("variant_copies_total", "", copies.len() as i64);
        let mut bytes = frame::begin();
        let mut count = 0;
        for (audience, record) in &copies {
            frame::put_copy(&mut bytes, audience.bits(), record);
            count += 1;
            if bytes.len() >= limits::FRAME_BYTES {
                self.write(std::mem::replace(&mut bytes, frame::begin()), FrameKind::Copies, count, None)?;
                count = 0;
            }
        }
        if count > 0 {
            self.write(bytes, FrameKind::Copies, count, None)?;
        }
        self.open.copies.extend(copies);
        Ok(())
    }

    fn seal(&mut self) -> Result<(), SequencerError> {
        self.finish_frame()?;
        let is_empty = self.open.records == 0 && self.open.orders.is_empty() && self.open.parameters.is_none();
        if is_empty && !self.open.is_wanted {
            return Ok(());
        }
        self.note_arrivals();
        let open = std::mem::take(&mut self.open);
        let market_clock_ms = self.acceptance.clock();
        let sealed = SealedEpoch {
            epoch: self.epoch,
            market_clock_ms,
            batches: open.batches,
            copies: open.copies,
            orders: open.orders,
            parameters: open.parameters,
            records: open.records,
            sealed_at: Instant::now(),
        };
        let frame = frame::seal(self.epoch, market_clock_ms, open.records, self.around.log_state.durable());
        let around = &self.around;
        let (epochs, freshness, crosses) = (around.epochs.clone(), around.freshness.clone(), around.crosses.clone());
        let (book, handling) = (around.parameters.clone(), around.handling.clone());
        let publish = move || {
            for order in &sealed.orders {
                crosses.ordered(sealed.epoch, order);
                handling.ordered(sealed.epoch, order);
            }
            if let Some(change) = &sealed.parameters {
                book.push(change.clone());
            }
            freshness.sealed(sealed.epoch, open.arrivals.0);
            epochs.publish(sealed);
        };
        self.push(frame, Some(Box::new(publish)))?;
        self.epoch += 1;
        Ok(())
    }
}

/// Numbers of one batch, counted once at its end.
#[derive(Default)]
struct Tally {
    accepted: [i64; SOURCES.len()],
    sources: [bool; SOURCES.len()],
    facts: i64,
    late: i64,
    correcting: i64,
}

impl Tally {
    fn count(&self, counters: &Counters, outcome: &BatchOutcome) {
        for source in SOURCES {
            counters.add("records_accepted_total", source.code(), self.accepted[usize::from(source.rank())]);
        }
        counters.add("facts_accepted_total", "", self.facts);
        counters.add("facts_late_total", "", self.late);
        counters.add("facts_correcting_total", "", self.correcting);
        counters.add("records_duplicate_total", "", outcome.duplicates.into());
        for refused in &outcome.refused {
            counters.add("records_refused_total", &refused.refusal.code, 1);
            // Never as sent: garbage would make a counter of each.
            let source = refused.source.map_or("UNKNOWN", Source::code);
            counters.add("records_refused_by_source_total", source, 1);
        }
    }
}
