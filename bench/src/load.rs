//! The load generator: sends a spool as fast as the cluster takes it, or at a fixed rate, and measures from outside.
//!
//! Owns what the printed numbers mean.
//! - *End-to-end throughput*: records of the spool, divided by the time from the first batch sent to the moment at which the
//!   workers have completed the epoch of the last answer: every record is durable and visible.
//! - *Freshness*: until a query shows the batch: the first answer whose epoch is not before that of the batch. One client
//!   asks one small question after the other, so the figure is at most one question too large, never too small. It is
//!   counted twice: from the moment at which the batch **should** have been sent (open loop, fixed rate), which is the
//!   figure without coordinated omission, with queueing anywhere, in this client too; and from its acknowledgement, which
//!   is accepted to visible. Beside it: when a subscriber was told that the epoch is complete on all workers.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use billwatch_proto::v1::{
    AlertFilter, GetStatusRequest, GetStatusResponse, Grain, IngestResponse, QueryCellsRequest, Refusal,
    WatchAlertsRequest, admin_service_client::AdminServiceClient, alert_service_client::AlertServiceClient,
    query_service_client::QueryServiceClient,
};
use hdrhistogram::Histogram;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tonic::{Code, Status, transport::Channel};

use crate::{
    client::{self, ClientError, Settings, Summary},
    spool::{Spool, record_count},
};

/// Longest freshness that the histogram tells apart: one hour, µs.
const LONGEST_US: u64 = 3_600_000_000;
/// Refusals kept for printing; all are counted.
const REFUSALS_KEPT: usize = 20;
/// Pause between two looks at the epoch.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Why a load did not run to its end.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The client gave up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The spool cannot be read.
    #[error("the spool of batches: {0}")]
    Spool(#[from] io::Error),
    /// The cluster refused a question.
    #[error("{}: {}", .0.code(), .0.message())]
    Status(#[from] Status),
    /// The epoch did not come.
    #[error("epoch {epoch} was not complete within {seconds} s; the workers are at epoch {reached}")]
    Late {
        /// Awaited.
        epoch: u64,
        /// Last completed.
        reached: u64,
        /// Waited.
        seconds: u64,
    },
}

/// What was sent, and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Counts over all batches.
    pub summary: Summary,
    /// From the first batch sent to the last record visible.
    pub elapsed: Duration,
    /// From the first batch sent to the last answer: durable, not yet visible.
    pub acknowledged: Duration,
    /// The first refusals.
    pub refusals: Vec<Refusal>,
}

impl Sent {
    /// Records a second, all of them durable and visible.
    pub fn records_per_s(&self) -> f64 {
        let records = self.summary.accepted + self.summary.duplicates + self.summary.refused;
        records as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn note(&mut self, answer: &IngestResponse) {
        let room = REFUSALS_KEPT.saturating_sub(self.refusals.len());
        self.refusals.extend(answer.refusals.iter().take(room).cloned());
    }
}

/// Freshness over a run, and the rate at which it was measured.
#[derive(Clone, Debug)]
pub struct Freshness {
    /// From the moment at which a batch was due to the first answer that shows it.
    pub due_to_visible: Delays,
    /// From the acknowledgement of a batch to the first answer that shows it.
    pub accepted_to_visible: Delays,
    /// From the moment at which a batch was due to the message that tells a subscriber that its epoch is complete.
    pub due_to_told: Delays,
    /// Records a second that were offered.
    pub offered_per_s: f64,
    /// Questions that were answered meanwhile.
    pub questions: u64,
    /// When each batch was due, and the first answer that shows it.
    pub batches: Vec<(Instant, Instant)>,
}

/// Delays of batches.
#[derive(Clone, Debug)]
pub struct Delays(Histogram<u64>);

impl Default for Delays {
    fn default() -> Self {
        Delays::new()
    }
}

impl Delays {
    /// Of no batch.
    pub fn new() -> Self {
        Delays(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are in order"))
    }

    /// Counts one batch. What was seen before it began took no time: the answer was on its way already.
    pub fn record(&mut self, from: Instant, seen: Instant) {
        self.0.saturating_record(seen.saturating_duration_since(from).as_micros().max(1) as u64);
    }

    /// The value below which `percent` of the batches lie, ms.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1e3
    }

    /// The worst batch, ms.
    pub fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1e3
    }

    /// Batches measured.
    pub fn samples(&self) -> u64 {
        self.0.len()
    }
}

/// Sends the whole spool as fast as the cluster takes it; returns when all of it is visible. `progress` gets the number of
/// records answered so far.
pub async fn full_speed(settings: &Settings, spool: &Spool, mut progress: impl FnMut(u64)) -> Result<Sent, LoadError> {
    let (sender, receiver) = mpsc::channel(2);
    let reader = spool.read()?;
    let feeding = tokio::task::spawn_blocking(move || {
        for batch in reader {
            if sender.blocking_send(batch?).is_err() {
                break; // The client gave up; its error says why.
            }
        }
        Ok::<_, io::Error>(())
    });
    let started = Instant::now();
    let mut sent = Sent::default();
    let mut records = 0;
    let summary = client::ingest(settings, receiver, |answer, _| {
        records += u64::from(answer.accepted) + u64::from(answer.duplicates) + answer.refusals.len() as u64;
        sent.note(answer);
        progress(records);
    })
    .await?;
    sent.acknowledged = started.elapsed();
    feeding.await.expect("reading a spool does not panic")?;
    sent.summary = summary;
    let channel = client::connect_patiently(&settings.address, settings.patience).await?;
    wait_for_epoch(channel, summary.epoch, Duration::from_secs(600)).await?;
    sent.elapsed = started.elapsed();
    Ok(sent)
}

/// Sends the spool at `rate` records a second, open loop, and measures the freshness of every batch.
pub async fn open_loop(
    settings: &Settings,
    spool: &Spool,
    rate: u64,
    mut progress: impl FnMut(u64),
) -> Result<(Sent, Freshness), LoadError> {
    let channel = client::connect_patiently(&settings.address, settings.patience).await?;
    let (told, subscriber) = follow_epochs(channel.clone()).await?;
    let (shown, asker) = ask_on(channel).await?;

    // All batches are in memory before the clock starts, so that reading the file cannot delay one.
    let batches = spool.read()?.collect::<io::Result<Vec<_>>>()?;
    let (sender, receiver) = mpsc::channel(batches.len().max(1));
    let started = Instant::now() + Duration::from_millis(100);
    let due = schedule(started, batches.iter().map(record_count), rate);
    let moments = due.clone();
    let feeding = tokio::spawn(async move {
        for (batch, moment) in batches.into_iter().zip(moments) {
            tokio::time::sleep_until(moment.into()).await;
            if sender.send(batch).await.is_err() {
                break; // The client gave up; its error says why.
            }
        }
    });

    let mut sent = Sent::default();
    let mut records = 0;
    let mut waiting = Vec::with_capacity(due.len());
    // As many in flight as there are: an open loop never waits for answers.
    let settings = Settings { in_flight: due.len().max(1), ..settings.clone() };
    let summary = client::ingest(&settings, receiver, |answer, _| {
        let number = answer.batch_id as usize - 1;
        waiting.push((answer.epoch, due[number], Instant::now()));
        records += u64::from(answer.accepted) + u64::from(answer.duplicates) + answer.refusals.len() as u64;
        sent.note(answer);
        progress(records);
    })
    .await?;
    feeding.await.expect("feeding does not panic");
    sent.acknowledged = started.elapsed();
    sent.summary = summary;
    shown.reached(summary.epoch, Duration::from_secs(60)).await?;
    sent.elapsed = started.elapsed();
    told.reached(summary.epoch, Duration::from_secs(60)).await?;
    subscriber.abort();
    asker.abort();

    let mut fresh = Freshness {
        due_to_visible: Delays::new(),
        accepted_to_visible: Delays::new(),
        due_to_told: Delays::new(),
        offered_per_s: rate as f64,
        questions: shown.notices(),
        batches: Vec::with_capacity(waiting.len()),
    };
    for (epoch, due, accepted) in waiting {
        let visible = shown.seen_at(epoch).expect("a later epoch was reached");
        fresh.due_to_visible.record(due, visible);
        fresh.batches.push((due, visible));
        fresh.accepted_to_visible.record(accepted, visible);
        fresh.due_to_told.record(due, told.seen_at(epoch).expect("a later epoch was reached"));
    }
    Ok((sent, fresh))
}

/// When each batch is due: at `rate` records a second, when its last record has happened.
fn schedule(started: Instant, batches: impl Iterator<Item = u64>, rate: u64) -> Vec<Instant> {
    let mut before = 0;
    let due = |records: u64| {
        before += records;
        started + Duration::from_secs_f64(before as f64 / rate as f64)
    };
    batches.map(due).collect()
}

/// Waits until all workers have completed `epoch`; returns the epoch that they have reached. A coordinator that is away
/// meanwhile is waited for: it may be starting again.
pub async fn wait_for_epoch(channel: Channel, epoch: u64, within: Duration) -> Result<u64, LoadError> {
    let mut admin = AdminServiceClient::new(channel);
    let started = Instant::now();
    loop {
        let is_late = started.elapsed() > within;
        match admin.get_status(GetStatusRequest {}).await {
            Ok(status) => {
                let reached = status.into_inner().as_of.map_or(0, |as_of| as_of.epoch);
                if reached >= epoch {
                    return Ok(reached);
                }
                if is_late {
                    return Err(LoadError::Late { epoch, reached, seconds: within.as_secs() });
                }
            }
            Err(status) if !is_late && is_away(&status) => {}
            Err(status) => return Err(status.into()),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The coordinator cannot be reached, or broke off while it answered.
fn is_away(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown)
}

/// When each completed epoch was first seen here.
#[derive(Clone)]
struct Epochs {
    seen: Arc<Mutex<Seen>>,
    last: watch::Receiver<u64>,
}

#[derive(Default)]
struct Seen {
    first: BTreeMap<u64, Instant>,
    notices: u64,
}

/// Tells [`Epochs`] what was heard.
struct Notes {
    seen: Arc<Mutex<Seen>>,
    last: watch::Sender<u64>,
}

impl Notes {
    fn complete(&self, epoch: u64, moment: Instant) {
        {
            let mut seen = self.seen.lock().expect("no holder panics");
            seen.notices += 1;
            seen.first.entry(epoch).or_insert(moment);
        }
        self.last.send_if_modified(|last| {
            let is_later = epoch > *last;
            *last = epoch.max(*last);
            is_later
        });
    }
}

impl Epochs {
    fn new() -> (Notes, Epochs) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (sender, last) = watch::channel(0);
        (Notes { seen: seen.clone(), last: sender }, Epochs { seen, last })
    }

    /// Messages heard.
    fn notices(&self) -> u64 {
        self.seen.lock().expect("no holder panics").notices
    }

    /// The first moment at which `epoch` was known to be complete.
    fn seen_at(&self, epoch: u64) -> Option<Instant> {
        let seen = self.seen.lock().expect("no holder panics");
        seen.first.range(epoch..).next().map(|(_, moment)| *moment)
    }

    async fn reached(&self, epoch: u64, within: Duration) -> Result<(), LoadError> {
        let mut last = self.last.clone();
        let waited = tokio::time::timeout(within, last.wait_for(|reached| *reached >= epoch)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Status::unavailable("the stream or the questions that tell the epochs ended").into()),
            Err(_) => {
                let reached = *self.last.borrow();
                Err(LoadError::Late { epoch, reached, seconds: within.as_secs() })
            }
        }
    }
}

/// Follows the epochs through a subscription to no alert: its progress messages come with every completed epoch.
async fn follow_epochs(channel: Channel) -> Result<(Epochs, tokio::task::JoinHandle<()>), LoadError> {
    let filter = AlertFilter { keys: vec!["-".to_owned()], ..AlertFilter::default() };
    let mut stream =
        AlertServiceClient::new(channel).watch_alerts(WatchAlertsRequest { filter: Some(filter) }).await?.into_inner();
    let (notes, epochs) = Epochs::new();
    let follower = tokio::spawn(async move {
        while let Ok(Some(answer)) = stream.message().await {
            let moment = Instant::now();
            if let Some(as_of) = answer.as_of {
                notes.complete(as_of.epoch, moment);
            }
        }
    });
    Ok((epochs, follower))
}

/// Asks one small question after the other and notes the epoch of each answer. Ends with the first error.
async fn ask_on(channel: Channel) -> Result<(Epochs, tokio::task::JoinHandle<()>), LoadError> {
    let question = QueryCellsRequest {
        theme: "T01".to_owned(),
        dimension: "D.bill_kind".to_owned(),
        measures: vec!["cnt".to_owned()],
        grain: Grain::Total.into(),
        ..QueryCellsRequest::default()
    };
    let mut client = QueryServiceClient::new(channel);
    // The first answer is awaited here, so that a cluster that answers no questions is told apart from a slow one.
    client.query_cells(question.clone()).await?;
    let (notes, epochs) = Epochs::new();
    let asker = tokio::spawn(async move {
        while let Ok(answer) = client.query_cells(question.clone()).await {
            let moment = Instant::now();
            if let Some(as_of) = answer.into_inner().as_of {
                notes.complete(as_of.epoch, moment);
            }
        }
    });
    Ok((epochs, asker))
}

/// The status of a cluster.
pub async fn status(address: &str) -> Result<GetStatusResponse, LoadError> {
    let channel = client::connect(address).await?;
    Ok(AdminServiceClient::new(channel).get_status(GetStatusRequest {}).await?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_due_when_their_last_record_has_happened() {
        let started = Instant::now();
        let due = schedule(started, [50, 50, 100].into_iter(), 1_000);
        let ms = |moment: &Instant| (*moment - started).as_millis();
        assert_eq!(due.iter().map(ms).collect::<Vec<_>>(), [50, 100, 200]);
    }

    #[test]
    fn a_delay_counts_from_the_moment_at_which_the_batch_was_due() {
        let due = Instant::now();
        let mut delays = Delays::new();
        // Sent 900 ms late and shown 100 ms after that: one second.
        delays.record(due, due + Duration::from_millis(1_000));
        assert_eq!((delays.samples(), delays.max_ms().round()), (1, 1_000.0));
        // An answer that was on its way before the acknowledgement.
        delays.record(due + Duration::from_millis(5), due);
        assert_eq!(delays.percentile_ms(50.0), 0.001);
    }

    #[test]
    fn a_batch_is_seen_with_the_first_epoch_that_is_not_before_its_own() {
        let (notes, epochs) = Epochs::new();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        notes.complete(3, at(10));
        notes.complete(3, at(20));
        notes.complete(7, at(30));
        notes.complete(5, at(40));
        assert_eq!(epochs.seen_at(1), Some(at(10)));
        assert_eq!(epochs.seen_at(3), Some(at(10)));
        assert_eq!(epochs.seen_at(6), Some(at(30)));
        assert_eq!(epochs.seen_at(8), None);
        assert_eq!(*epochs.last.borrow(), 7);
        assert_eq!(epochs.notices(), 4);
    }
}
