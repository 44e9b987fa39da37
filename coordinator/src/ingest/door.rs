//! `IngestService`: the streams of the clients.
//!
//! A stream is read while earlier batches are on their way to the disk; answers come in the order of the batches. When a
//! client vanishes, or reads no answers for a while, what was read of its stream is accepted and acknowledged to nobody: sent again, it is a duplicate. A
//! batch that cannot be taken as a whole ends the stream with an error; the batches before it are answered first.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use billwatch_market::catalogue::Catalogue;
use billwatch_proto::v1::{self, ingest_request::Records, ingest_service_server::IngestService};
use billwatch_telemetry::{codes, otlp::SPANS};
use futures::StreamExt as _;
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::{Span, field::Empty};

use super::{
    dead_letters::DeadLetters,
    prepare::{count_records, prepare},
    sequencer::{Batch, BatchOutcome, Queue},
};
use crate::{
    api::{
        errors::{ApiError, busy, log_unavailable, not_serving},
        spans,
    },
    counters::Counters,
    limits,
    server::ended,
};

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct IngestDoor {
    /// Names and rules.
    pub catalogue: Arc<Catalogue>,
    /// Queue of the sequencer.
    pub sequencer: Queue,
    /// Where refused records go.
    pub dead_letters: DeadLetters,
    /// Counters.
    pub counters: Arc<Counters>,
    /// Streams at once.
    pub streams: Arc<Semaphore>,
    /// Bytes of batches not yet acknowledged.
    pub room: Arc<Semaphore>,
    /// True once the coordinator ends: streams are not read any more.
    pub ending: watch::Receiver<bool>,
}

/// A batch on its way.
struct Underway {
    batch_id: u64,
    outcome: oneshot::Receiver<BatchOutcome>,
    /// From being read until answered.
    span: Span,
}

#[tonic::async_trait]
impl IngestService for IngestDoor {
    type IngestStream = ReceiverStream<Result<v1::IngestResponse, Status>>;

    async fn ingest(
        &self,
        request: Request<Streaming<v1::IngestRequest>>,
    ) -> Result<Response<Self::IngestStream>, Status> {
        let place =
            self.streams.clone().try_acquire_owned().map_err(|_| busy("ingest streams", limits::INGEST_STREAMS))?;
        self.counters.add("ingest_streams_total", "", 1);
        let (answers, responses) = mpsc::channel(limits::BATCHES_IN_FLIGHT);
        let (underway, waiting) = mpsc::channel(limits::BATCHES_IN_FLIGHT);
        tokio::spawn(self.clone().read(request.into_inner(), underway, place));
        tokio::spawn(self.clone().answer(waiting, answers));
        Ok(Response::new(ReceiverStream::new(responses)))
    }
}

impl IngestDoor {
    async fn read(
        self,
        mut stream: Streaming<v1::IngestRequest>,
        underway: mpsc::Sender<Result<Underway, Status>>,
        _place: OwnedSemaphorePermit,
    ) {
        loop {
            let next = tokio::select! {
                next = stream.next() => next,
                () = ended(self.ending.clone()) => {
                    let _ = underway.send(Err(not_serving("the coordinator is ending").into())).await;
                    return;
                }
            };
            let request = match next {
                Some(Ok(request)) => request,
                Some(Err(status)) => {
                    // Garbage bytes, a message over the limit, or a client that vanished: nothing of it is taken.
                    self.counters.add("ingest_streams_broken_total", status.code().description(), 1);
                    tracing::warn!(code = codes::INGEST_STREAM_BROKEN, %status, "an ingest stream broke off");
                    let _ = underway.send(Err(status)).await;
                    return;
                }
                None => return,
            };
            let batch_id = request.batch_id;
            let span = tracing::info_span!(
                target: SPANS,
                parent: None,
                "ingest batch",
                batch = batch_id,
                bytes = request.encoded_len(),
                accepted = Empty,
                duplicates = Empty,
                refused = Empty,
                epoch = Empty,
                otel.status_code = Empty,
                error.type = Empty
            );
            let taken = self.take(request).await;
            let taken = taken.inspect_err(|error| spans::failed(&span, error.reason()));
            let taken = taken.map(|outcome| Underway { batch_id, outcome, span }).map_err(Status::from);
            let refused = taken.is_err();
            if underway.send(taken).await.is_err() || refused {
                return;
            }
        }
    }

    /// Takes one record, as a batch of its own.
    pub async fn submit(&self, json: Vec<u8>, replay: bool) -> Result<v1::IngestResponse, ApiError> {
        let rows = v1::RowBatch { rows: vec![v1::Row { json: json.into() }] };
        let outcome = self.take(v1::IngestRequest { batch_id: 0, records: Some(Records::Rows(rows)), replay }).await?;
        self.outcome(Underway { batch_id: 0, outcome, span: Span::none() }).await
    }

    /// Prepares a batch and hands it to the sequencer.
    async fn take(&self, request: v1::IngestRequest) -> Result<oneshot::Receiver<BatchOutcome>, ApiError> {
        let records = count_records(&request)
            .inspect_err(|error| self.counters.add("batches_refused_total", error.reason(), 1))?;
        let bytes = request.encoded_len().max(records * limits::RECORD_ROOM).clamp(1, limits::MESSAGE_BYTES) as u32;
        let room = self.room.clone().acquire_many_owned(bytes).await.map_err(|_| log_unavailable())?;
        let (catalogue, sequencer) = (self.catalogue.clone(), self.sequencer.clone());
        let work = move || {
            let records = request.records.expect("checked above");
            let prepared = prepare(records, &catalogue)?;
            let (reply, outcome) = oneshot::channel();
            let batch = Batch {
                records: prepared.records,
                refused: prepared.refused,
                replay: request.replay,
                room: Some(room),
                reply,
            };
            // Waits here while the sequencer is behind: the stream is not read meanwhile.
            sequencer.push(batch).map_err(|_| log_unavailable())?;
            Ok(outcome)
        };
        let taken = tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
            // A fault of ours on one batch must not end the others.
            tracing::error!(code = codes::BATCH_NOT_PREPARED, %panic, "a batch could not be prepared");
            Err(crate::api::errors::internal("a batch could not be prepared: report it with the batch"))
        });
        if let Err(error) = &taken {
            self.counters.add("batches_refused_total", error.reason(), 1);
        }
        taken
    }

    async fn answer(
        self,
        mut waiting: mpsc::Receiver<Result<Underway, Status>>,
        answers: mpsc::Sender<Result<v1::IngestResponse, Status>>,
    ) {
        let mut is_read = true;
        while let Some(underway) = waiting.recv().await {
            let answer = match underway {
                Ok(underway) => {
                    let span = underway.span.clone();
                    let answer = self.outcome(underway).await;
                    answer.inspect_err(|error| spans::failed(&span, error.reason())).map_err(Status::from)
                }
                Err(error) => Err(error),
            };
            let broken = answer.is_err();
            if is_read && answers.send_timeout(answer, limits::ANSWER_READ_WITHIN).await.is_err() {
                // The client has gone or does not read: no more is taken, and what is underway still gets its dead letters.
                is_read = false;
                waiting.close();
            }
            if broken {
                return;
            }
        }
    }

    async fn outcome(&self, underway: Underway) -> Result<v1::IngestResponse, ApiError> {
        // Dropped without an answer: the log failed.
        let outcome = underway.outcome.await.map_err(|_| log_unavailable())?;
        if !outcome.refused.is_empty() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
            self.dead_letters.keep(&outcome.refused, now).await.map_err(|_| log_unavailable())?;
        }
        underway.span.record("accepted", outcome.accepted);
        underway.span.record("duplicates", outcome.duplicates);
        underway.span.record("refused", outcome.refused.len());
        underway.span.record("epoch", outcome.epoch);
        // From here on the batch takes no room.
        drop(outcome.room);
        Ok(v1::IngestResponse {
            batch_id: underway.batch_id,
            accepted: outcome.accepted,
            duplicates: outcome.duplicates,
            refusals: outcome.refused.into_iter().map(|refused| refused.refusal).collect(),
            epoch: outcome.epoch,
            gaps: outcome.gaps,
        })
    }
}
