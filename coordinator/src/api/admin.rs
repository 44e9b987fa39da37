//! `AdminService`: status, dead letters, the log, dumps of views, checkpoints.

use std::sync::Arc;

use billwatch_proto::v1::{self, admin_service_server::AdminService, shard_question::Kind};
use hashbrown::HashMap;
use prost::bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    dead_letters,
    errors::{bad_request, internal},
};
use crate::{
    cluster::{BUILD, Cluster},
    counters::Counters,
    epochs::{Epochs, SealedEpoch},
    ingest::door::IngestDoor,
    limits,
    log::{LogError, LogReader, writer::LogState},
    metrics::{Metrics, questions::QuestionKind},
};

/// The service.
#[derive(Clone)]
pub struct AdminApi {
    /// Members, questions, checkpoints.
    pub cluster: Cluster,
    /// Sealed epochs and the log behind them.
    pub epochs: Arc<Epochs>,
    /// The log's writer.
    pub log_state: Arc<LogState>,
    /// Where records come in, and refused ones are kept.
    pub door: IngestDoor,
    /// Counters.
    pub counters: Arc<Counters>,
    /// Freshness, checkpoints, disk, times of questions.
    pub metrics: Metrics,
    /// Of the catalogue.
    pub catalogue_fingerprint: u64,
}

#[tonic::async_trait]
impl AdminService for AdminApi {
    type ReadLogStream = ReceiverStream<Result<v1::ReadLogResponse, Status>>;
    type DumpViewsStream = ReceiverStream<Result<v1::DumpViewsResponse, Status>>;

    async fn get_status(&self, _: Request<v1::GetStatusRequest>) -> Result<Response<v1::GetStatusResponse>, Status> {
        let cluster = self.cluster.status().await?;
        let (group_commits, sync_microseconds) = self.log_state.commits();
        self.counters.set("log_group_commits_total", "", group_commits as i64);
        self.counters.set("log_sync_microseconds_total", "", sync_microseconds as i64);
        let mut counters = self.counters.list();
        let checkpoint = self.metrics.checkpoint(&cluster);
        counters.extend(cluster.counters);
        Ok(Response::new(v1::GetStatusResponse {
            as_of: Some(cluster.completed.into()),
            sealed_epoch: self.epochs.sealed().epoch,
            generation: cluster.generation,
            checkpoint_epoch: checkpoint.epoch,
            freshness: Some(self.metrics.freshness_status()),
            checkpoint: Some(checkpoint),
            disk: Some(self.metrics.disk_status().await),
            processes: self.metrics.processes,
            build: BUILD.to_owned(),
            alerts: Some(self.metrics.alerts_status()),
            members: cluster.members,
            log_bytes: self.log_state.durable(),
            accepted_facts: self.counters.get("facts_accepted_total", "") as u64,
            counters,
            catalogue_fingerprint: self.catalogue_fingerprint,
            serving: cluster.serving,
        }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<v1::ListDeadLettersRequest>,
    ) -> Result<Response<v1::ListDeadLettersResponse>, Status> {
        Ok(Response::new(dead_letters::list(&self.door.dead_letters, request.into_inner()).await?))
    }

    async fn resubmit_dead_letter(
        &self,
        request: Request<v1::ResubmitDeadLetterRequest>,
    ) -> Result<Response<v1::ResubmitDeadLetterResponse>, Status> {
        Ok(Response::new(dead_letters::resubmit(&self.door, request.into_inner()).await?))
    }

    async fn read_log(&self, request: Request<v1::ReadLogRequest>) -> Result<Response<Self::ReadLogStream>, Status> {
        let asked = request.into_inner().to_epoch;
        let to_epoch = match asked {
            0 => self.cluster.status().await?.completed.epoch,
            epoch if epoch <= self.epochs.sealed().epoch => epoch,
            epoch => return Err(bad_request("to_epoch", &epoch.to_string(), "name an epoch that is sealed").into()),
        };
        let (answers, responses) = mpsc::channel(limits::FEED_AHEAD);
        let dir = self.epochs.log_dir().to_owned();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read_log(&dir, to_epoch, &answers) {
                let _ = answers.blocking_send(Err(internal(&error.to_string()).into()));
            }
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn dump_views(
        &self,
        request: Request<v1::DumpViewsRequest>,
    ) -> Result<Response<Self::DumpViewsStream>, Status> {
        let request = request.into_inner();
        let wants_rows = !request.view.is_empty();
        let asking = self.cluster.ask(Kind::Dump(request));
        let asked = self.metrics.questions.timed(QuestionKind::Dump, asking).await?;
        let mut asked = asked.within(limits::LONG_QUESTION_WITHIN);
        let as_of: v1::AsOf = asked.as_of.into();
        let (answers, responses) = mpsc::channel(limits::FEED_AHEAD);
        tokio::spawn(async move {
            let mut sums = Hashes::default();
            let ended = loop {
                match asked.next().await {
                    Ok(Some((_, part))) => {
                        let Some(v1::shard_answer::Kind::Dump(part)) = part.kind else { continue };
                        sums.add(&part.hashes);
                        if wants_rows && !part.rows.is_empty() {
                            let rows =
                                v1::DumpViewsResponse { as_of: Some(as_of), hashes: Vec::new(), rows: part.rows };
                            if answers.send(Ok(rows)).await.is_err() {
                                return;
                            }
                        }
                    }
                    Ok(None) => {
                        break Ok(v1::DumpViewsResponse { as_of: Some(as_of), hashes: sums.list(), rows: Vec::new() });
                    }
                    Err(error) => break Err(error.into()),
                }
            };
            let _ = answers.send(ended).await;
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn take_checkpoint(
        &self,
        _: Request<v1::TakeCheckpointRequest>,
    ) -> Result<Response<v1::TakeCheckpointResponse>, Status> {
        let epoch = self.cluster.checkpoint().await?;
        Ok(Response::new(v1::TakeCheckpointResponse { epoch }))
    }
}

/// Hashes of views over processes: a view's hash is the wrapping sum of the hashes of its rows, wherever they lie.
#[derive(Default)]
struct Hashes(HashMap<String, (u128, u64)>);

impl Hashes {
    fn add(&mut self, hashes: &[v1::ViewHash]) {
        for hash in hashes {
            let sum = self.0.entry(hash.view.clone()).or_default();
            sum.0 = sum.0.wrapping_add(u128::from(hash.high) << 64 | u128::from(hash.low));
            sum.1 += hash.rows;
        }
    }

    fn list(self) -> Vec<v1::ViewHash> {
        let hash = |(view, (sum, rows)): (String, (u128, u64))| v1::ViewHash {
            view,
            high: (sum >> 64) as u64,
            low: sum as u64,
            rows,
        };
        let mut hashes: Vec<v1::ViewHash> = self.0.into_iter().map(hash).collect();
        hashes.sort_by(|left, right| left.view.cmp(&right.view));
        hashes
    }
}

type LogAnswers = mpsc::Sender<Result<v1::ReadLogResponse, Status>>;

/// Sends all records up to an epoch, in parts that end at a record.
fn read_log(dir: &std::path::Path, to_epoch: u64, answers: &LogAnswers) -> Result<(), LogError> {
    if to_epoch == 0 {
        return Ok(());
    }
    let mut reader = LogReader::at(dir, 1)?;
    while reader.stands_at() <= to_epoch {
        let stored = reader.next_epoch()?;
        let epoch = SealedEpoch::from_stored(stored).map_err(|what| reader.damaged(what))?;
        for part in parts(&epoch) {
            if answers.blocking_send(Ok(part)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn parts(epoch: &SealedEpoch) -> Vec<v1::ReadLogResponse> {
    let mut parts = Vec::new();
    let mut records = BytesMut::new();
    let mut record_count = 0;
    let mut finish = |records: &mut BytesMut, record_count: &mut u32| {
        let records: Bytes = records.split().freeze();
        parts.push(v1::ReadLogResponse { epoch: epoch.epoch, records, record_count: std::mem::take(record_count) });
    };
    for batch in &epoch.batches {
        let mut rest: &[u8] = &batch.records;
        for &(_, length) in &batch.placed {
            let (record, tail) = rest.split_at(length as usize);
            rest = tail;
            records.extend_from_slice(record);
            record_count += 1;
            if records.len() >= limits::READ_LOG_BYTES {
                finish(&mut records, &mut record_count);
            }
        }
    }
    if record_count > 0 {
        finish(&mut records, &mut record_count);
    }
    parts
}
