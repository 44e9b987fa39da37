//! The load generator: sends a spool as fast as the cluster takes it, or at a fixed rate, and measures from outside.
//!
//! Owns what the printed numbers mean.
//! - *End-to-end throughput*: records of the spool, divided by the time from the first batch sent to the moment at which the
//!   workers have completed the epoch of the last answer: every record is durable and visible.
//! - *Freshness*: from the moment at which a batch **should** have been sent (open loop, fixed rate) to the moment at which
//!   a client is told that the epoch of the batch is complete on all workers. Queueing anywhere, in this client too, counts:
//!   there is no coordinated omission. Decoding, checks, the log's fsync, the dataflow and the way back are in it.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use billwatch_proto::v1::{
    AlertFilter, GetStatusRequest, GetStatusResponse, IngestResponse, Refusal, WatchAlertsRequest,
    admin_service_client::AdminServiceClient, alert_service_client::AlertServiceClient,
};
use hdrhistogram::Histogram;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tonic::{Status, transport::Channel};

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
    histogram: Histogram<u64>,
    /// Records a second that were offered.
    pub offered_per_s: f64,
}

impl Freshness {
    /// The value below which `percent` of the batches lie, ms.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        self.histogram.value_at_percentile(percent) as f64 / 1e3
    }

    /// The worst batch, ms.
    pub fn max_ms(&self) -> f64 {
        self.histogram.max() as f64 / 1e3
    }

    /// Batches measured.
    pub fn samples(&self) -> u64 {
        self.histogram.len()
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
    let (epochs, follower) = follow_epochs(channel).await?;

    // All batches are in memory before the clock starts, so that reading the file cannot delay one.
    let batches = spool.read()?.collect::<io::Result<Vec<_>>>()?;
    let (sender, receiver) = mpsc::channel(batches.len().max(1));
    let started = Instant::now() + Duration::from_millis(100);
    let mut due = Vec::with_capacity(batches.len());
    let mut before = 0;
    for batch in &batches {
        before += record_count(batch);
        // A batch is due when its last record has happened.
        due.push(started + Duration::from_secs_f64(before as f64 / rate as f64));
    }
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
        waiting.push((answer.epoch, due[number]));
        records += u64::from(answer.accepted) + u64::from(answer.duplicates) + answer.refusals.len() as u64;
        sent.note(answer);
        progress(records);
    })
    .await?;
    feeding.await.expect("feeding does not panic");
    sent.acknowledged = started.elapsed();
    sent.summary = summary;
    epochs.reached(summary.epoch, Duration::from_secs(60)).await?;
    sent.elapsed = started.elapsed();
    follower.abort();

    let mut histogram = Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are in order");
    for (epoch, due) in waiting {
        let seen = epochs.seen_at(epoch).expect("a later epoch was reached");
        histogram.saturating_record(seen.saturating_duration_since(due).as_micros() as u64);
    }
    Ok((sent, Freshness { histogram, offered_per_s: rate as f64 }))
}

/// Waits until all workers have completed `epoch`; returns the epoch that they have reached.
pub async fn wait_for_epoch(channel: Channel, epoch: u64, within: Duration) -> Result<u64, LoadError> {
    let mut admin = AdminServiceClient::new(channel);
    let started = Instant::now();
    loop {
        let status = admin.get_status(GetStatusRequest {}).await?.into_inner();
        let reached = status.as_of.map_or(0, |as_of| as_of.epoch);
        if reached >= epoch {
            return Ok(reached);
        }
        if started.elapsed() > within {
            return Err(LoadError::Late { epoch, reached, seconds: within.as_secs() });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// When each completed epoch was first seen here.
#[derive(Clone)]
struct Epochs {
    seen: Arc<Mutex<BTreeMap<u64, Instant>>>,
    last: watch::Receiver<u64>,
}

impl Epochs {
    /// The first moment at which `epoch` was known to be complete.
    fn seen_at(&self, epoch: u64) -> Option<Instant> {
        let seen = self.seen.lock().expect("no holder panics");
        seen.range(epoch..).next().map(|(_, moment)| *moment)
    }

    async fn reached(&self, epoch: u64, within: Duration) -> Result<(), LoadError> {
        let mut last = self.last.clone();
        let waited = tokio::time::timeout(within, last.wait_for(|reached| *reached >= epoch)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Status::unavailable("the subscription that tells the epochs ended").into()),
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
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let (reached, last) = watch::channel(0);
    let epochs = Epochs { seen: seen.clone(), last };
    let follower = tokio::spawn(async move {
        while let Ok(Some(answer)) = stream.message().await {
            let moment = Instant::now();
            if let Some(as_of) = answer.as_of {
                seen.lock().expect("no holder panics").entry(as_of.epoch).or_insert(moment);
                reached.send_replace(as_of.epoch);
            }
        }
    });
    Ok((epochs, follower))
}

/// The status of a cluster.
pub async fn status(address: &str) -> Result<GetStatusResponse, LoadError> {
    let channel = client::connect(address).await?;
    Ok(AdminServiceClient::new(channel).get_status(GetStatusRequest {}).await?.into_inner())
}
