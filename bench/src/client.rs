//! The client side of ingest: connection, batches in flight, resumption.
//!
//! Owns how a client keeps the door busy without losing a record. Invariants: batches are sent in the order given; an
//! answer is handed out once for each batch, in that order; a batch stays here until its answer has come. When the
//! connection breaks, the client connects again and sends every batch without an answer once more: the cluster knows
//! records by (source, sequence) and by event id, so redelivery changes nothing. Begin at [`ingest`].

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use billwatch_proto::v1::{IngestRequest, IngestResponse, ingest_service_client::IngestServiceClient};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

/// Largest answer taken: a dump of a view's rows comes in parts below this.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
/// Window of one HTTP/2 stream and connection: several batches fit, so that the sender does not wait for updates.
const HTTP2_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// First pause before the next try to connect; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the coordinator listens, for instance `http://127.0.0.1:7400`.
    pub address: String,
    /// Most batches without an answer.
    pub in_flight: usize,
    /// How long to go on trying when nobody answers. Zero: not at all.
    pub patience: Duration,
}

impl Settings {
    /// Eight batches in flight, half a minute of patience.
    pub fn new(address: impl Into<String>) -> Self {
        Settings { address: address.into(), in_flight: 8, patience: Duration::from_secs(30) }
    }
}

/// Why ingest ended early.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address is not one.
    #[error("`{0}` is not an address: write it as http://HOST:PORT")]
    Address(String),
    /// Nobody answered for as long as patience allows.
    #[error("no answer from {address} for {seconds} s: is the coordinator running? ({source})")]
    Unreachable {
        /// Where.
        address: String,
        /// How long it was tried.
        seconds: u64,
        /// The last failure.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The cluster refused the call itself.
    #[error("{}: {}", .0.code(), .0.message())]
    Refused(Status),
    /// An answer for another batch than the oldest one.
    #[error("the answer is for batch {answered}, but batch {expected} was next: the two builds do not fit together")]
    OutOfOrder {
        /// What was expected.
        expected: u64,
        /// What came.
        answered: u64,
    },
}

/// What [`ingest`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Batches answered.
    pub batches: u64,
    /// Records accepted as new.
    pub accepted: u64,
    /// Records that the cluster had before.
    pub duplicates: u64,
    /// Records refused.
    pub refused: u64,
    /// Highest epoch of any answer: answers to queries at or after it have seen everything.
    pub epoch: u64,
    /// How often the connection was made anew.
    pub reconnects: u64,
}

/// Connects once. Without TCP_NODELAY small messages wait for delayed acknowledgements: 7 to 100 times slower.
pub async fn connect(address: &str) -> Result<Channel, ClientError> {
    endpoint(address)?.connect().await.map_err(|error| ClientError::Unreachable {
        address: address.to_owned(),
        seconds: 0,
        source: error.into(),
    })
}

/// Connects, trying again until `patience` is over.
pub async fn connect_patiently(address: &str, patience: Duration) -> Result<Channel, ClientError> {
    let endpoint = endpoint(address)?;
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match endpoint.connect().await {
            Ok(channel) => return Ok(channel),
            Err(error) if started.elapsed() + pause > patience => {
                return Err(ClientError::Unreachable {
                    address: address.to_owned(),
                    seconds: started.elapsed().as_secs(),
                    source: error.into(),
                });
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn endpoint(address: &str) -> Result<Endpoint, ClientError> {
    let wrong = || ClientError::Address(address.to_owned());
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return Err(wrong());
    }
    Ok(Endpoint::from_shared(address.to_owned())
        .map_err(|_| wrong())?
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .initial_stream_window_size(HTTP2_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_WINDOW_BYTES))
}

/// Sends every batch that `batches` gives and calls `answered` with each answer and the moment at which its batch was first
/// sent. Ends when `batches` is closed and all is answered. Batch ids are set here, from 1; answers carry them.
pub async fn ingest<F>(
    settings: &Settings,
    mut batches: mpsc::Receiver<IngestRequest>,
    mut answered: F,
) -> Result<Summary, ClientError>
where
    F: FnMut(&IngestResponse, Instant),
{
    let mut summary = Summary::default();
    let mut waiting = VecDeque::<(IngestRequest, Instant)>::new();
    let mut next_batch_id = 1;
    let mut lost_since: Option<Instant> = None;
    let mut open = true;
    loop {
        // The first batch is at hand before the call is made: a server may wait for it before it answers the call.
        if waiting.is_empty() {
            match batches.recv().await {
                Some(batch) => keep(&mut waiting, &mut next_batch_id, batch),
                None => return Ok(summary),
            }
        }
        let patience = match lost_since {
            Some(since) => settings.patience.saturating_sub(since.elapsed()),
            None => settings.patience,
        };
        let channel = connect_patiently(&settings.address, patience).await?;
        let lost =
            match run(settings, channel, &mut batches, &mut open, &mut waiting, &mut next_batch_id, |answer, sent| {
                lost_since = None;
                summary.batches += 1;
                summary.accepted += u64::from(answer.accepted);
                summary.duplicates += u64::from(answer.duplicates);
                summary.refused += answer.refusals.len() as u64;
                summary.epoch = summary.epoch.max(answer.epoch);
                answered(answer, sent);
            })
            .await
            {
                Ok(()) => return Ok(summary),
                Err(Broken::Fatal(error)) => return Err(error),
                Err(Broken::Lost(status)) => status,
            };
        let since = *lost_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= settings.patience {
            return Err(ClientError::Unreachable {
                address: settings.address.clone(),
                seconds: since.elapsed().as_secs(),
                source: lost.into(),
            });
        }
        summary.reconnects += 1;
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}

enum Broken {
    Lost(Status),
    Fatal(ClientError),
}

fn keep(waiting: &mut VecDeque<(IngestRequest, Instant)>, next_batch_id: &mut u64, mut batch: IngestRequest) {
    batch.batch_id = *next_batch_id;
    *next_batch_id += 1;
    waiting.push_back((batch, Instant::now()));
}

/// One connection: sends what waits, then new batches, until all is answered or the connection breaks.
async fn run(
    settings: &Settings,
    channel: Channel,
    batches: &mut mpsc::Receiver<IngestRequest>,
    open: &mut bool,
    waiting: &mut VecDeque<(IngestRequest, Instant)>,
    next_batch_id: &mut u64,
    mut answered: impl FnMut(&IngestResponse, Instant),
) -> Result<(), Broken> {
    let room = settings.in_flight.max(1).max(waiting.len());
    let (sender, receiver) = mpsc::channel(room);
    for (batch, _) in waiting.iter() {
        sender.try_send(batch.clone()).expect("the channel has room for all that waits");
    }
    // Dropped when there is nothing more to send: that tells the server that the stream ends.
    let mut sender = open.then_some(sender);
    let mut client = IngestServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
    let mut answers = client.ingest(ReceiverStream::new(receiver)).await.map_err(judge)?.into_inner();
    while !waiting.is_empty() || *open {
        tokio::select! {
            batch = batches.recv(), if *open && waiting.len() < room => match batch {
                Some(batch) => {
                    keep(waiting, next_batch_id, batch);
                    let (batch, _) = waiting.back().expect("just put there");
                    if let Some(sender) = &sender {
                        // A closed channel shows as a broken answer stream below.
                        let _ = sender.send(batch.clone()).await;
                    }
                }
                None => {
                    *open = false;
                    sender = None;
                }
            },
            answer = answers.message() => match answer.map_err(judge)? {
                Some(answer) => {
                    let expected = waiting.front().map_or(0, |(batch, _)| batch.batch_id);
                    if answer.batch_id != expected {
                        let answered = answer.batch_id;
                        return Err(Broken::Fatal(ClientError::OutOfOrder { expected, answered }));
                    }
                    let (_, sent) = waiting.pop_front().expect("its id was just compared");
                    answered(&answer, sent);
                }
                None if waiting.is_empty() && !*open => break,
                None => return Err(Broken::Lost(Status::unavailable("the server closed the stream"))),
            },
        }
    }
    Ok(())
}

/// Whether another try can help.
fn judge(status: Status) -> Broken {
    match status.code() {
        Code::InvalidArgument
        | Code::Unimplemented
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::OutOfRange => Broken::Fatal(ClientError::Refused(status)),
        _ => Broken::Lost(status),
    }
}
