//! A worker process in a cluster: its stream with the coordinator, for one generation.
//!
//! Register, build the mesh, restore, then epochs, questions and checkpoints in order until the generation ends. The process
//! ends with it: a mesh that has lost a mate cannot be taken apart cleanly, so whoever supervises the process starts it again,
//! and it registers for the next generation.
//!
//! Invariant: commands reach the threads in the order of the stream. What threads say is joined to one word of the process.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context as _, anyhow, bail, ensure};
use billwatch_market::{catalogue::Catalogue, key_group::KEY_GROUPS};
use billwatch_proto::v1::{
    self, cluster_service_client::ClusterServiceClient, work_request::Message as Say, work_response::Message as Told,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, transport::Endpoint};

use crate::{
    agent::pulse::PulseWriter,
    command::{Bytes, Command, EpochInput, Report},
    dataflow::{crosses::FillPace, valuation::Rules},
    engine::{Plan, Process},
    handling::handlings,
    limits::{
        AWAKE_BILLS_MIN, COORDINATOR_RETRY, COORDINATOR_WITHIN, KEEPALIVE, QUESTION_FACTS_MAX, READING_FACTS_MAX,
        SAYINGS_QUEUE, WORKER_MESSAGE_BYTES,
    },
    mesh::{self, Hello, Mesh},
    saving::SavePace,
    shard::Common,
    store::{Store, checkpoint},
};

/// Version of the program; coordinator and workers must have the same.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// What a worker process is told on its command line.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// `http://HOST:PORT` of the coordinator.
    pub coordinator: String,
    /// Number of this process, from 0.
    pub process: u32,
    /// Worker threads.
    pub threads: u32,
    /// Where mates reach it; port 0 = chosen free.
    pub mesh: SocketAddr,
    /// Name under which mates reach it, when it is not the address listened on; `HOST:PORT`.
    pub advertise: Option<String>,
    /// Directory for history and checkpoints.
    pub data: PathBuf,
    /// The catalogue; equal to the coordinator's.
    pub catalogue: Arc<Catalogue>,
}

/// Serves one generation. Gives the reason for which it ended; the process must then exit, threads may still run. How it
/// stands is told to `pulses`.
///
/// # Errors
/// The coordinator cannot be reached or refuses the registration, the data directory cannot be used, or a thread failed.
pub async fn run(config: WorkerConfig, pulses: PulseWriter) -> anyhow::Result<String> {
    let rules = Arc::new(Rules::new(&config.catalogue).context("catalogue")?);
    let listener = TcpListener::bind(config.mesh).with_context(|| format!("mesh address {}", config.mesh))?;
    let mesh_address = match &config.advertise {
        Some(name) => name.clone(),
        None => listener.local_addr().context("mesh address")?.to_string(),
    };
    let (say, sayings) = mpsc::channel(SAYINGS_QUEUE);
    let register = v1::Register {
        process: config.process,
        mesh_address,
        threads: config.threads,
        catalogue_fingerprint: config.catalogue.fingerprint(),
        build: BUILD.to_owned(),
        checkpoint_epochs: usable_checkpoints(&config)?,
    };
    send(&say, Say::Register(register)).await?;
    let mut stream = connect(&config.coordinator, sayings).await?;

    let start = match next(&mut stream).await? {
        Some(Told::Start(start)) => start,
        Some(Told::Stop(stop)) => return Ok(stop.reason),
        Some(_) => bail!("the coordinator began without Start; run the same build everywhere"),
        None => return Ok("the coordinator closed the stream before the generation began".to_owned()),
    };
    let generation = start.generation;
    pulses.tell_now(|pulse| (pulse.generation, pulse.epoch) = (generation, start.restore_epoch));
    let (reports, mut heard) = mpsc::unbounded_channel();
    let process = begin(&config, rules, listener, start, reports).await?;
    let mut joiner = Joiner::new(config.threads as usize);
    let result = loop {
        tokio::select! {
            told = next(&mut stream) => match told {
                Ok(Some(Told::Stop(stop))) => break Ok(stop.reason),
                Ok(Some(told)) => if let Err(error) = obey(&process, &config, told) { break Err(error) },
                Ok(None) => break Ok("the coordinator closed the stream".to_owned()),
                Err(error) => break Err(error),
            },
            Some((thread, report)) = heard.recv() => match joiner.join(thread, report, generation) {
                Ok(Some(saying)) => {
                    show(&pulses, &saying);
                    if let Err(error) = send(&say, saying).await { break Err(error) }
                }
                Ok(None) => {}
                Err(error) => break Err(error),
            },
        }
    };
    // Threads of a mesh end together or not at all; the process ends instead.
    std::mem::forget(process);
    result
}

/// What the coordinator is told, the agent sees too.
fn show(pulses: &PulseWriter, saying: &Say) {
    match saying {
        Say::Ready(_) => pulses.tell_now(|pulse| pulse.ready = true),
        Say::EpochDone(done) => pulses.tell(|pulse| {
            pulse.epoch = done.epoch;
            pulse.counters.extend(done.counters.iter().map(|counter| (counter.name.clone(), counter.value)));
        }),
        _ => {}
    }
}

/// Epochs of checkpoints that this build can read.
fn usable_checkpoints(config: &WorkerConfig) -> anyhow::Result<Vec<u64>> {
    let mut epochs = checkpoint::epochs(&config.data).context("checkpoints")?;
    epochs.retain(|epoch| {
        let is_ours = |manifest: checkpoint::Manifest| {
            manifest.catalogue_fingerprint == config.catalogue.fingerprint()
                && (manifest.process, manifest.threads) == (config.process, config.threads)
        };
        checkpoint::manifest(&config.data, *epoch).is_ok_and(is_ours)
    });
    Ok(epochs)
}

async fn connect(
    address: &str,
    sayings: mpsc::Receiver<v1::WorkRequest>,
) -> anyhow::Result<tonic::Streaming<v1::WorkResponse>> {
    let endpoint = Endpoint::from_shared(address.to_owned())
        .with_context(|| format!("coordinator address {address}"))?
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(8 << 20)
        .initial_connection_window_size(32 << 20);
    let deadline = tokio::time::Instant::now() + COORDINATOR_WITHIN;
    let channel = loop {
        match endpoint.connect().await {
            Ok(channel) => break channel,
            Err(_) if tokio::time::Instant::now() < deadline => tokio::time::sleep(COORDINATOR_RETRY).await,
            Err(error) => return Err(error).with_context(|| format!("no coordinator at {address}; is it up?")),
        }
    };
    let mut client = ClusterServiceClient::new(channel)
        .max_decoding_message_size(WORKER_MESSAGE_BYTES)
        .max_encoding_message_size(WORKER_MESSAGE_BYTES);
    match client.work(ReceiverStream::new(sayings)).await {
        Ok(response) => Ok(response.into_inner()),
        Err(status) if status.code() == Code::FailedPrecondition => bail!("registration refused: {}", status.message()),
        Err(status) => Err(status).context("registering"),
    }
}

async fn next(stream: &mut tonic::Streaming<v1::WorkResponse>) -> anyhow::Result<Option<Told>> {
    loop {
        match stream.message().await.context("stream from the coordinator")? {
            None => return Ok(None),
            Some(v1::WorkResponse { message: Some(told) }) => return Ok(Some(told)),
            // A kind of message that this build does not know.
            Some(v1::WorkResponse { message: None }) => {}
        }
    }
}

async fn send(say: &mpsc::Sender<v1::WorkRequest>, message: Say) -> anyhow::Result<()> {
    let sent = say.send(v1::WorkRequest { message: Some(message) }).await;
    sent.map_err(|_| anyhow::anyhow!("the stream to the coordinator has ended"))
}

/// Opens the store at the checkpoint, builds the mesh, starts the threads.
async fn begin(
    config: &WorkerConfig,
    rules: Arc<Rules>,
    listener: TcpListener,
    start: v1::Start,
    reports: mpsc::UnboundedSender<(usize, Report)>,
) -> anyhow::Result<Process> {
    let workers = start.mesh_addresses.len() * start.threads as usize;
    ensure!(
        start.key_group_owners.len() == usize::from(KEY_GROUPS)
            && start.key_group_owners.iter().all(|owner| (*owner as usize) < workers),
        "Start must give an owner below {workers} for each of {KEY_GROUPS} key groups"
    );
    ensure!(start.threads == config.threads, "Start says {} threads, here are {}", start.threads, config.threads);
    let config = config.clone();
    tokio::task::spawn_blocking(move || {
        let rules = match &start.parameters[..] {
            [] => rules,
            changes => Arc::new(rules.under(changes).context("parameters of patterns")?),
        };
        let store = Store::open(&config.data, start.restore_epoch).context("data directory")?;
        let hello = Hello {
            cluster_id: start.cluster_id,
            generation: start.generation,
            process: config.process,
            processes: start.mesh_addresses.len() as u32,
            threads: start.threads,
            catalogue_fingerprint: config.catalogue.fingerprint(),
            build: BUILD.to_owned(),
        };
        let threads = start.threads as usize;
        let mesh = if start.mesh_addresses.len() == 1 {
            Mesh::Alone { threads }
        } else {
            let sockets = mesh::connect(&listener, &hello, &start.mesh_addresses)?;
            Mesh::Together { process: config.process as usize, threads, sockets }
        };
        let common = Common {
            catalogue: config.catalogue.clone(),
            rules,
            owners: start.key_group_owners.into(),
            store: Some(Arc::new(store)),
            awake_bills_min: AWAKE_BILLS_MIN,
            save_pace: SavePace::default(),
            fill_pace: FillPace::default(),
            handled: Arc::new(handlings(&start.handled).map_err(|what| anyhow!(what))?),
            question_facts_max: QUESTION_FACTS_MAX,
            reading_facts_max: READING_FACTS_MAX,
        };
        let plan = Plan {
            common,
            process: config.process as usize,
            threads,
            generation: start.generation,
            restore_epoch: start.restore_epoch,
        };
        let sink = Arc::new(move |thread, report| drop(reports.send((thread, report))));
        Ok(Process::start(mesh, plan, sink)?)
    })
    .await
    .context("starting the threads")?
}

/// Hands a message of the coordinator to the threads.
fn obey(process: &Process, config: &WorkerConfig, told: Told) -> anyhow::Result<()> {
    let each = |command: Command| -> anyhow::Result<()> {
        for feeder in process.feeders() {
            feeder.try_send(command.clone())?;
        }
        Ok(())
    };
    match told {
        Told::Epoch(epoch) => {
            let first = config.process * config.threads;
            let orders: Arc<[v1::Order]> = epoch.orders.into();
            let parameters = epoch.parameters.map(Arc::new);
            let mut inputs: Vec<EpochInput> = (0..config.threads)
                .map(|_| EpochInput {
                    epoch: epoch.epoch,
                    clock: epoch.market_clock_ms,
                    records: Bytes::new(),
                    variants: Bytes::new(),
                    reference: epoch.reference.clone(),
                    orders: orders.clone(),
                    parameters: parameters.clone(),
                })
                .collect();
            for shard in epoch.shards {
                let thread = shard.worker.checked_sub(first).and_then(|thread| inputs.get_mut(thread as usize));
                let Some(input) = thread else { bail!("epoch {} has records of worker {}", epoch.epoch, shard.worker) };
                (input.records, input.variants) = (shard.records, shard.variants);
            }
            for (feeder, input) in process.feeders().iter().zip(inputs) {
                feeder.try_send(Command::Epoch(input))?;
            }
            Ok(())
        }
        Told::Question(question) => each(Command::Question(Box::new(question))),
        Told::Checkpoint(_) => each(Command::Checkpoint),
        Told::CheckpointCommitted(committed) => each(Command::Committed { epoch: committed.epoch }),
        Told::Start(_) => bail!("a second Start on one stream; run the same build everywhere"),
        Told::Stop(_) => Ok(()),
    }
}

/// Joins what the threads say to what the process says.
struct Joiner {
    threads: usize,
    ready: usize,
    /// Epochs not yet done on all threads, in order: (threads that have done it, what they said).
    epochs: VecDeque<(usize, v1::EpochDone)>,
    counters: Vec<BTreeMap<String, i64>>,
    /// Threads that have said their last, by question.
    answers: BTreeMap<u64, usize>,
    checkpoint: (usize, v1::CheckpointDone),
}

impl Joiner {
    fn new(threads: usize) -> Self {
        Joiner {
            threads,
            ready: 0,
            epochs: VecDeque::new(),
            counters: vec![BTreeMap::new(); threads],
            answers: BTreeMap::new(),
            checkpoint: (0, v1::CheckpointDone::default()),
        }
    }

    fn join(&mut self, thread: usize, report: Report, generation: u64) -> anyhow::Result<Option<Say>> {
        Ok(match report {
            Report::Ready => {
                self.ready += 1;
                (self.ready == self.threads).then_some(Say::Ready(v1::Ready { generation }))
            }
            Report::EpochDone { epoch, alerts, watched, counters, crosses } => {
                self.counters[thread].extend(counters.into_iter().map(|counter| (counter.name, counter.value)));
                let place = match self.epochs.iter().position(|(_, done)| done.epoch == epoch) {
                    Some(place) => place,
                    None => {
                        self.epochs.push_back((0, v1::EpochDone { epoch, ..v1::EpochDone::default() }));
                        self.epochs.len() - 1
                    }
                };
                let (threads, done) = &mut self.epochs[place];
                *threads += 1;
                done.alert_changes.extend(alerts);
                done.watched_cells.extend(watched);
                done.crosses.extend(crosses);
                // Every thread reports in order, so the oldest epoch is done first.
                if self.epochs.front().is_some_and(|(threads, _)| *threads == self.threads) {
                    let (_, mut done) = self.epochs.pop_front().expect("there is a front");
                    done.counters = self.take_counters();
                    Some(Say::EpochDone(done))
                } else {
                    None
                }
            }
            Report::Answer(mut part) => {
                if part.last {
                    let said = self.answers.entry(part.question).or_default();
                    *said += 1;
                    part.last = *said == self.threads;
                    if part.last {
                        self.answers.remove(&part.question);
                    }
                }
                Some(Say::Answer(*part))
            }
            Report::CheckpointDone { epoch, result } => {
                let (threads, done) = &mut self.checkpoint;
                *threads += 1;
                done.epoch = epoch;
                match result {
                    Ok(bytes) => done.bytes = done.bytes.max(bytes),
                    Err(error) => done.error = error,
                }
                if *threads < self.threads {
                    return Ok(None);
                }
                *threads = 0;
                Some(Say::CheckpointDone(std::mem::take(done)))
            }
            Report::Failed { error } => bail!("worker thread {thread}: {error}"),
        })
    }

    /// Sums over the threads; empty when no thread has reported since.
    fn take_counters(&mut self) -> Vec<v1::Counter> {
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        for counters in &self.counters {
            for (name, value) in counters {
                *sums.entry(name).or_default() += value;
            }
        }
        sums.into_iter()
            .map(|(name, value)| v1::Counter { name: name.to_owned(), label: String::new(), value })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_speak_as_one() {
        let mut joiner = Joiner::new(2);
        assert_eq!(joiner.join(0, Report::Ready, 3).unwrap(), None);
        assert_eq!(joiner.join(1, Report::Ready, 3).unwrap(), Some(Say::Ready(v1::Ready { generation: 3 })));
        let done = |epoch, value| Report::EpochDone {
            epoch,
            alerts: vec![v1::AlertChange::default()],
            watched: Vec::new(),
            counters: vec![v1::Counter { name: "facts_total".into(), label: String::new(), value }],
            crosses: Vec::new(),
        };
        assert_eq!(joiner.join(0, done(1, 5), 3).unwrap(), None);
        assert_eq!(joiner.join(0, done(2, 6), 3).unwrap(), None);
        let Some(Say::EpochDone(said)) = joiner.join(1, done(1, 7), 3).unwrap() else {
            panic!("both have done epoch 1")
        };
        assert_eq!((said.epoch, said.alert_changes.len(), said.counters[0].value), (1, 2, 13));
        let part = |last| Report::Answer(Box::new(v1::ShardAnswer { question: 9, last, ..v1::ShardAnswer::default() }));
        let is_last = |said: Option<Say>| matches!(said, Some(Say::Answer(part)) if part.last);
        assert!(!is_last(joiner.join(0, part(true), 3).unwrap()));
        assert!(!is_last(joiner.join(1, part(false), 3).unwrap()));
        assert!(is_last(joiner.join(1, part(true), 3).unwrap()));
        let checkpoint = |result| Report::CheckpointDone { epoch: 2, result };
        assert_eq!(joiner.join(1, checkpoint(Ok(10)), 3).unwrap(), None);
        let said = joiner.join(0, checkpoint(Ok(90)), 3).unwrap();
        assert_eq!(said, Some(Say::CheckpointDone(v1::CheckpointDone { epoch: 2, bytes: 90, error: String::new() })));
        assert!(joiner.join(0, Report::Failed { error: "disk".into() }, 3).is_err());
    }
}
