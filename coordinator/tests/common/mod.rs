//! What the tests share: a coordinator on a temporary directory, a client, a worker that only remembers.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod scrape;

use std::{net::SocketAddr, path::Path, time::Duration};

use billwatch_coordinator::{CoordinatorConfig, RunningCoordinator, ServeError, serve};
use billwatch_market::{codec::decode_record, columns::ColumnBatch, fact::Record};
use billwatch_proto::v1::{
    self, admin_service_client::AdminServiceClient, alert_service_client::AlertServiceClient, attend_request,
    attend_response, cluster_service_client::ClusterServiceClient, ingest_request::Records,
    ingest_service_client::IngestServiceClient, work_request, work_response,
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

/// A coordinator that can be ended.
pub struct Door {
    pub address: SocketAddr,
    /// Where the metrics are shown.
    pub metrics: Option<SocketAddr>,
    running: RunningCoordinator,
    stop: oneshot::Sender<()>,
}

impl Door {
    pub async fn open(dir: &Path, processes: u32) -> Door {
        Door::with(CoordinatorConfig::new("127.0.0.1:0".parse().unwrap(), dir, processes)).await.unwrap()
    }

    pub async fn with(config: CoordinatorConfig) -> Result<Door, ServeError> {
        // Workers of tests answer what the test asks, and nobody else.
        let config = CoordinatorConfig { rules_interval: Duration::from_secs(86_400), ..config };
        let (stop, stopped) = oneshot::channel::<()>();
        let running = serve(config, async { drop(stopped.await) }).await?;
        Ok(Door { address: running.local_addr, metrics: running.metrics_addr, running, stop })
    }

    pub async fn close(self) {
        drop(self.stop);
        self.running.finished().await.unwrap();
    }

    /// Waits until it ends by itself.
    pub async fn fails(self) -> ServeError {
        self.running.finished().await.expect_err("it ends with an error")
    }

    pub async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().tcp_nodelay(true).connect().await.unwrap()
    }

    pub async fn ingest(&self) -> IngestServiceClient<Channel> {
        IngestServiceClient::new(self.channel().await).max_encoding_message_size(256 << 20)
    }

    pub async fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel().await)
    }

    pub async fn alerts(&self) -> AlertServiceClient<Channel> {
        AlertServiceClient::new(self.channel().await)
    }

    pub async fn status(&self) -> v1::GetStatusResponse {
        self.admin().await.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner()
    }

    /// Value of a counter of the coordinator.
    pub async fn counter(&self, name: &str, label: &str) -> i64 {
        let counters = self.status().await.counters;
        counters
            .iter()
            .find(|counter| counter.name == name && counter.label == label)
            .map_or(0, |counter| counter.value)
    }

    /// Sends batches on one stream and gives the answers, up to an error.
    pub async fn send(&self, batches: Vec<v1::IngestRequest>) -> Vec<Result<v1::IngestResponse, Status>> {
        let mut client = self.ingest().await;
        let mut answers = match client.ingest(tokio_stream::iter(batches)).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return vec![Err(status)],
        };
        let mut list = Vec::new();
        loop {
            match answers.message().await {
                Ok(Some(answer)) => list.push(Ok(answer)),
                Ok(None) => return list,
                Err(status) => {
                    list.push(Err(status));
                    return list;
                }
            }
        }
    }

    /// Sends one batch of lines in replay mode.
    pub async fn send_lines(&self, lines: &[&str]) -> v1::IngestResponse {
        self.send(vec![rows(1, lines)]).await.pop().unwrap().unwrap()
    }

    /// Every record of the log up to the last sealed epoch, with its epoch.
    pub async fn log(&self) -> Vec<(u64, Record)> {
        let to_epoch = self.status().await.sealed_epoch;
        if to_epoch == 0 {
            return Vec::new();
        }
        let mut stream = self.admin().await.read_log(v1::ReadLogRequest { to_epoch }).await.unwrap().into_inner();
        let mut records = Vec::new();
        while let Some(part) = stream.message().await.unwrap() {
            let list = decode_all(&part.records);
            assert_eq!(list.len() as u32, part.record_count);
            records.extend(list.into_iter().map(|record| (part.epoch, record)));
        }
        records
    }

    /// Waits until an epoch is sealed.
    pub async fn sealed(&self, epoch: u64) {
        wait_for("the epoch to be sealed", async || self.status().await.sealed_epoch >= epoch).await;
    }
}

pub async fn wait_for(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited 10 s for {what}");
}

pub fn decode_all(mut bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        records.push(decode_record(&mut bytes).unwrap());
    }
    records
}

pub fn rows(batch_id: u64, lines: &[&str]) -> v1::IngestRequest {
    let rows = lines.iter().map(|line| v1::Row { json: line.as_bytes().to_vec().into() }).collect();
    v1::IngestRequest { batch_id, records: Some(Records::Rows(v1::RowBatch { rows })), replay: true }
}

pub fn columns(batch_id: u64, records: &[Record]) -> v1::IngestRequest {
    let batch = ColumnBatch::write(records);
    let columns = batch.columns.into_iter().map(|column| v1::Column {
        field: column.field,
        rows: column.rows,
        integers: column.integers,
        days: column.days,
        text: column.text.into(),
        text_lengths: column.text_lengths,
        wide_high: column.wide_high,
        wide_low: column.wide_low,
    });
    let batch = v1::ColumnBatch { row_count: batch.row_count, columns: columns.collect() };
    v1::IngestRequest { batch_id, records: Some(Records::Columns(batch)), replay: true }
}

/// Lines of an example of the market crate.
pub fn example(name: &str) -> Vec<String> {
    let path = format!("{}/../market/examples/{name}.facts.ndjson", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

pub fn as_strs(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// A worker process that speaks the protocol, remembers what it got, and answers what the test tells it to.
pub struct FakeWorker {
    pub process: u32,
    pub say: mpsc::Sender<v1::WorkRequest>,
    pub hear: Streaming<v1::WorkResponse>,
}

impl FakeWorker {
    pub fn register(process: u32, checkpoints: &[u64]) -> v1::Register {
        v1::Register {
            process,
            mesh_address: format!("127.0.0.1:{}", 7000 + process),
            threads: 2,
            catalogue_fingerprint: billwatch_market::catalogue::Catalogue::embedded().fingerprint(),
            build: env!("CARGO_PKG_VERSION").into(),
            checkpoint_epochs: checkpoints.to_vec(),
        }
    }

    pub async fn join(door: &Door, register: v1::Register) -> Result<FakeWorker, Status> {
        let process = register.process;
        let (say, said) = mpsc::channel(64);
        say.send(request(work_request::Message::Register(register))).await.unwrap();
        let mut client = ClusterServiceClient::new(door.channel().await).max_decoding_message_size(256 << 20);
        let hear = client.work(ReceiverStream::new(said)).await?.into_inner();
        Ok(FakeWorker { process, say, hear })
    }

    pub async fn next(&mut self) -> Option<work_response::Message> {
        let message =
            tokio::time::timeout(Duration::from_secs(10), self.hear.message()).await.expect("a message in 10 s");
        message.ok().flatten().and_then(|message| message.message)
    }

    pub async fn tell(&self, message: work_request::Message) {
        // A stream that was cut takes no more.
        let _ = self.say.send(request(message)).await;
    }

    /// Waits for Start and says Ready.
    pub async fn start(&mut self) -> v1::Start {
        let Some(work_response::Message::Start(start)) = self.next().await else { panic!("Start comes first") };
        self.tell(work_request::Message::Ready(v1::Ready { generation: start.generation })).await;
        start
    }

    pub async fn next_epoch(&mut self) -> v1::Epoch {
        match self.next().await {
            Some(work_response::Message::Epoch(epoch)) => epoch,
            other => panic!("an epoch was awaited, not {other:?}"),
        }
    }

    pub async fn done(&self, epoch: u64, alert_changes: Vec<v1::AlertChange>) {
        let done = v1::EpochDone { epoch, alert_changes, ..v1::EpochDone::default() };
        self.tell(work_request::Message::EpochDone(done)).await;
    }

    /// Takes epochs and does them until `last`.
    pub async fn do_until(&mut self, last: u64) -> Vec<v1::Epoch> {
        let mut epochs = Vec::new();
        while epochs.last().is_none_or(|epoch: &v1::Epoch| epoch.epoch < last) {
            let epoch = self.next_epoch().await;
            self.done(epoch.epoch, Vec::new()).await;
            epochs.push(epoch);
        }
        epochs
    }
}

/// An agent that speaks the protocol and remembers what it got.
pub struct FakeAgent {
    pub say: mpsc::Sender<v1::AttendRequest>,
    pub hear: Streaming<v1::AttendResponse>,
}

impl FakeAgent {
    pub fn enrol(process: u32, agent: &str) -> v1::Enrol {
        let v1::Register { catalogue_fingerprint, build, .. } = FakeWorker::register(process, &[]);
        v1::Enrol { process, agent: agent.into(), catalogue_fingerprint, build }
    }

    pub async fn attend(door: &Door, enrol: v1::Enrol) -> Result<FakeAgent, Status> {
        let (say, said) = mpsc::channel(64);
        let message = Some(attend_request::Message::Enrol(enrol));
        say.send(v1::AttendRequest { message }).await.unwrap();
        let mut client = ClusterServiceClient::new(door.channel().await);
        let hear = client.attend(ReceiverStream::new(said)).await?.into_inner();
        Ok(FakeAgent { say, hear })
    }

    pub async fn leave(&self) {
        let message = Some(attend_request::Message::Leaving(v1::Leaving {}));
        self.say.send(v1::AttendRequest { message }).await.unwrap();
    }

    /// The next message that is not the pace.
    pub async fn next(&mut self) -> Option<attend_response::Message> {
        loop {
            let message =
                tokio::time::timeout(Duration::from_secs(10), self.hear.message()).await.expect("a message in 10 s");
            match message.ok().flatten()?.message {
                Some(attend_response::Message::Pace(_)) => {}
                message => return message,
            }
        }
    }
}

pub fn request(message: work_request::Message) -> v1::WorkRequest {
    v1::WorkRequest { message: Some(message) }
}
