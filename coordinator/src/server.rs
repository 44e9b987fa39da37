//! Puts the parts together and serves them on one port.

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle as Thread,
    time::{Instant, SystemTime},
};

use billwatch_market::{
    aggregate::Aggregates,
    catalogue::{Catalogue, CatalogueError},
    evaluator::RulesError,
    indicator::Indicators,
    items::MissingEnumeration,
    observe::Meanings,
    pattern::{Parameters, Patterns},
};
use billwatch_proto::{
    DESCRIPTORS,
    v1::{
        self, admin_service_server::AdminServiceServer, alert_service_server::AlertServiceServer,
        catalogue_service_server::CatalogueServiceServer, cluster_service_server::ClusterServiceServer,
        custom_report_service_server::CustomReportServiceServer, indicator_service_server::IndicatorServiceServer,
        ingest_service_server::IngestServiceServer, parameter_service_server::ParameterServiceServer,
        query_service_server::QueryServiceServer, report_service_server::ReportServiceServer,
        rule_service_server::RuleServiceServer,
    },
};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    api::{
        admin::AdminApi, alerts::AlertApi, catalogue::CatalogueApi, cells::CellMeanings,
        custom_reports::CustomReportApi, indicators::IndicatorApi, parameters::ParameterApi, query::QueryApi,
        reports::ReportApi, rules::RuleApi, spans, turns::Turn, watches::Watches,
    },
    cluster::{Cluster, Surroundings, Vitals},
    config::CoordinatorConfig,
    counters::Counters,
    crosses::Crosses,
    epochs::Epochs,
    failure::Failure,
    handling::HandlingBook,
    ingest::{
        dead_letters::DeadLetters,
        door::IngestDoor,
        rebuild::{Rebuilt, rebuild},
        sequencer::{self, SealRule},
    },
    ledger::{Books, Ledger},
    limits,
    log::writer,
    manifest::Manifest,
    metrics::{Metrics, arrivals::Freshness, questions::QuestionTimes},
    parameters::ParameterBook,
    reports::{Reports, closing::Closing, restating::Restating},
    rules::{Rules, watch_rules},
};

/// How often the cluster's task is looked at when it says nothing.
const LOOK_AT_VITALS: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a coordinator did not start, or ended.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A setting cannot work.
    #[error("setting refused: {0}")]
    Setting(String),
    /// A table of the catalogue.
    #[error("catalogue: {0}")]
    Catalogue(#[from] CatalogueError),
    /// A table that dimensions read.
    #[error("catalogue: {0}")]
    Enumeration(#[from] MissingEnumeration),
    /// A file or directory of the data directory.
    #[error("{path}: {source}. Check that the directory exists, is writable and has room", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A cross of the catalogue.
    #[error("catalogue: {0}")]
    Rules(#[from] RulesError),
    /// Another coordinator works on the data directory.
    #[error("{path} is locked: end the other coordinator of this data directory, or choose another directory", path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The manifest cannot be read.
    #[error("{path}: {what}. Restore the file from a copy; or delete it: workers then replay the whole log", path = path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The log cannot be opened or written.
    #[error(transparent)]
    Log(#[from] crate::log::LogError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}. Choose a free port or end the process that holds it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The gRPC server broke off.
    #[error("the gRPC server ended: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors of the services could not be read.
    #[error("gRPC reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The coordinator ended itself: it could not keep its promises any more.
    #[error("{0}. Start the coordinator again once the cause is mended: nothing acknowledged is lost")]
    Failed(String),
}

/// A coordinator that serves. Dropping it does not end it: the `shutdown` future given to [`serve`] does.
#[derive(Debug)]
pub struct RunningCoordinator {
    /// Where it listens, with the port that was taken.
    pub local_addr: SocketAddr,
    /// Where the metrics are shown, if they are.
    pub metrics_addr: Option<SocketAddr>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl RunningCoordinator {
    /// Waits until it has ended: after `shutdown`, or because its disk failed.
    pub async fn finished(self) -> Result<(), ServeError> {
        self.task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

/// Starts a coordinator on its data directory and serves until `shutdown` is ready.
///
/// Returns once the log is read and clients and workers can connect. Needs a tokio runtime with several threads.
pub async fn serve(
    config: CoordinatorConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<RunningCoordinator, ServeError> {
    config.check().map_err(ServeError::Setting)?;
    let catalogue = match &config.catalogue_dir {
        Some(dir) => Catalogue::load(dir)?,
        None => Catalogue::embedded(),
    };
    let meanings = Arc::new(Meanings::new(catalogue.clone())?);
    let aggregates = Arc::new(Aggregates::new(meanings.clone()));
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| ServeError::Listen { address: config.listen, source })?;
    let local_addr = listener.local_addr().map_err(|source| ServeError::Listen { address: config.listen, source })?;
    let failure = Failure::default();
    let (opening, at_opening, tables) = (config.clone(), failure.clone(), catalogue.clone());
    let store = tokio::task::spawn_blocking(move || Store::open(&opening, tables, &at_opening))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    let crosses = Arc::new(Crosses::new(aggregates.clone(), store.orders));
    let (freshness, times) = (Arc::<Freshness>::default(), Arc::<QuestionTimes>::default());
    let surroundings = Surroundings {
        processes: config.processes,
        epochs_in_flight: config.epochs_in_flight,
        checkpoint_interval: config.checkpoint_interval,
        catalogue_fingerprint: catalogue.fingerprint(),
        manifest: store.manifest,
        epochs: store.epochs.clone(),
        ledger: store.ledger.clone(),
        crosses: crosses.clone(),
        parameters: store.parameters.clone(),
        handling: store.handling.clone(),
        counters: store.counters.clone(),
    };
    let cluster = Cluster::start(surroundings, failure.clone());
    let restating = Arc::new(Restating::behind(store.begin.last_epoch()));
    let (sequencer, sequencer_thread) = sequencer::start(
        store.begin,
        sequencer::Surroundings {
            log: store.log_queue,
            log_state: store.log_state.clone(),
            log_dir: store.log_dir,
            epochs: store.epochs.clone(),
            counters: store.counters.clone(),
            restating: restating.clone(),
            freshness: freshness.clone(),
            crosses: crosses.clone(),
            parameters: store.parameters.clone(),
            handling: store.handling.clone(),
            rule: SealRule { interval: config.epoch_interval, records: config.epoch_records },
        },
        failure.clone(),
    );

    let patterns = Patterns::of(&catalogue, &Parameters::default())
        .map_err(|error| ServeError::Setting(format!("catalogue: {error}")))?;
    let indicators = Indicators::of(&catalogue, &patterns);
    let indicators = Arc::new(indicators.map_err(|error| ServeError::Setting(format!("catalogue: {error}")))?);
    let rules = Rules::new(catalogue.clone(), patterns, cluster.clone());
    let (watching, rules_seen) = watch_rules(rules.clone(), config.rules_interval);

    let reports =
        Reports::open(&config.data_dir, &meanings, indicators.clone(), cluster.clone(), store.ledger.clone())?;
    let metrics = Metrics {
        counters: store.counters.clone(),
        log_state: store.log_state.clone(),
        epochs: store.epochs.clone(),
        ledger: store.ledger.clone(),
        cluster: cluster.clone(),
        freshness,
        questions: times.clone(),
        rules: rules_seen.clone(),
        reports: reports.clone(),
        streams: Arc::new(Semaphore::new(limits::INGEST_STREAMS)),
        room: Arc::new(Semaphore::new(limits::INGEST_BYTES_IN_FLIGHT)),
        processes: config.processes,
        data_dir: config.data_dir.clone(),
        since: SystemTime::now(),
        disk: Arc::default(),
    };
    metrics.follow_ledger();
    let shown = match config.metrics {
        Some(address) => Some(metrics.serve(address).await.map_err(|source| ServeError::Listen { address, source })?),
        None => None,
    };

    let closing =
        Closing { reports: reports.clone(), catalogue: catalogue.clone(), restating, pause: config.report_interval };
    let closing = tokio::spawn(closing.run(failure.clone()));
    let report_api = ReportApi { reports, times: times.clone() };

    let (ends, ending) = watch::channel(false);
    let door = IngestDoor {
        catalogue: catalogue.clone(),
        sequencer: sequencer.clone(),
        dead_letters: store.dead_letters,
        counters: store.counters.clone(),
        streams: metrics.streams.clone(),
        room: metrics.room.clone(),
        ending: ending.clone(),
    };
    let admin = AdminApi {
        cluster: cluster.clone(),
        epochs: store.epochs.clone(),
        log_state: store.log_state.clone(),
        door: door.clone(),
        counters: store.counters,
        metrics,
        catalogue_fingerprint: catalogue.fingerprint(),
    };
    let alerts = AlertApi {
        catalogue: catalogue.clone(),
        ledger: store.ledger.clone(),
        parameters: store.parameters.clone(),
        handling: store.handling,
        sequencer: sequencer.clone(),
        epochs: store.epochs.clone(),
        turn: Turn::default(),
        cluster: cluster.clone(),
        times: times.clone(),
        watches: Watches::new(ending.clone()),
    };
    let indicators = IndicatorApi {
        catalogue: catalogue.clone(),
        indicators,
        cluster: cluster.clone(),
        times: times.clone(),
        watches: Watches::new(ending.clone()),
    };
    let rule_api = RuleApi { rules, seen: rules_seen, times: times.clone(), watches: Watches::new(ending.clone()) };

    let parameters = ParameterApi {
        catalogue: catalogue.clone(),
        book: store.parameters.clone(),
        sequencer: sequencer.clone(),
        ledger: store.ledger.clone(),
        cluster: cluster.clone(),
        turn: Turn::default(),
    };
    let query = QueryApi {
        meanings: CellMeanings { catalogue: catalogue.clone(), aggregates },
        cluster: cluster.clone(),
        times: times.clone(),
        watches: Watches::new(ending.clone()),
    };
    tokio::spawn(crosses.clone().attend(sequencer.clone()));
    let custom_reports = CustomReportApi {
        catalogue: catalogue.clone(),
        crosses,
        sequencer: sequencer.clone(),
        epochs: store.epochs,
        turn: Turn::default(),
        cluster: cluster.clone(),
        times,
        watches: Watches::new(ending),
    };
    let catalogue_api =
        CatalogueApi::new(&catalogue).map_err(|error| ServeError::Setting(format!("catalogue: {error}")))?;
    let (health, health_service) = tonic_health::server::health_reporter();
    report_health(health, &cluster).await;
    // In both versions of the protocol: many clients speak only the older one.
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (reflection, older_reflection) = (described().build_v1()?, described().build_v1alpha()?);
    let workers = ClusterServiceServer::new(cluster.clone())
        .max_decoding_message_size(limits::WORKER_MESSAGE_BYTES)
        .max_encoding_message_size(limits::WORKER_MESSAGE_BYTES);
    let router = Server::builder()
        .trace_fn(spans::call)
        .http2_keepalive_interval(Some(limits::KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .add_service(health_service)
        .add_service(reflection)
        .add_service(older_reflection)
        .add_service(IngestServiceServer::new(door).max_decoding_message_size(limits::MESSAGE_BYTES))
        .add_service(AdminServiceServer::new(admin))
        .add_service(AlertServiceServer::new(alerts))
        .add_service(ParameterServiceServer::new(parameters))
        .add_service(QueryServiceServer::new(query))
        .add_service(IndicatorServiceServer::new(indicators))
        .add_service(CustomReportServiceServer::new(custom_reports))
        .add_service(CatalogueServiceServer::new(catalogue_api))
        .add_service(ReportServiceServer::new(report_api))
        .add_service(RuleServiceServer::new(rule_api))
        .add_service(workers);
    let metrics_addr = shown.as_ref().map(|endpoint| endpoint.local_addr);
    let task = tokio::spawn(async move {
        let _shown = shown;
        // Without TCP_NODELAY the server's small HTTP/2 window updates wait for delayed acknowledgements: 7-100 x slower.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = router.serve_with_incoming_shutdown(incoming, async { drop(stopped.await) });
        tokio::pin!(serving);
        let failed = tokio::select! {
            ended = &mut serving => return Ok(ended?),
            () = shutdown => None,
            what = failure.wait() => Some(what),
        };
        drop(stop);
        closing.abort();
        watching.abort();
        // Streams last for ever: all are told to end, and cut off when they do not.
        ends.send_replace(true);
        cluster.stop().await;
        if tokio::time::timeout(limits::SHUTDOWN_WITHIN, &mut serving).await.is_err() {
            tracing::info!("calls that were still open are cut off");
        }
        sequencer.stop();
        finish(&sequencer_thread, &store.log_thread).await;
        failed.map_or(Ok(()), |what| Err(ServeError::Failed(what)))
    });
    Ok(RunningCoordinator { local_addr, metrics_addr, task })
}

/// The parts that live on disk.
struct Store {
    manifest: Manifest,
    epochs: Arc<Epochs>,
    ledger: Ledger,
    parameters: Arc<ParameterBook>,
    handling: Arc<HandlingBook>,
    dead_letters: DeadLetters,
    counters: Arc<Counters>,
    begin: sequencer::Begin,
    orders: Vec<(u64, v1::Order)>,
    log_queue: writer::LogQueue,
    log_state: Arc<writer::LogState>,
    log_thread: Thread<()>,
    log_dir: PathBuf,
}

impl Store {
    /// Opens everything in the data directory; reads the whole log.
    fn open(config: &CoordinatorConfig, catalogue: Arc<Catalogue>, failure: &Failure) -> Result<Store, ServeError> {
        let dir = &config.data_dir;
        std::fs::create_dir_all(dir).map_err(|source| ServeError::Io { path: dir.clone(), source })?;
        let lock = lock(dir)?;
        let begun = Instant::now();
        let counters = Arc::new(Counters::default());
        let log_dir = dir.join("log");
        let Rebuilt { log, begin, sealed, orders, parameters } = rebuild(&log_dir, &counters)?;
        tracing::info!(
            sealed_epoch = sealed.epoch,
            bytes = log.writer.position(),
            cut_bytes = log.cut_bytes,
            milliseconds = begun.elapsed().as_millis() as u64,
            "the log is open"
        );
        let parameters = Arc::new(ParameterBook::new(catalogue, parameters));
        let handling = Arc::new(HandlingBook::new(&orders));
        let books = Books { parameters: parameters.clone(), handling: handling.clone() };
        let ledger = Ledger::open(dir, books, failure.clone())?;
        let in_ledger = ledger.read().as_of.epoch;
        if in_ledger > sealed.epoch {
            return Err(ServeError::Setting(format!(
                "the alert ledger has come to epoch {in_ledger}, the log only to {}: a part of the log is missing; restore it, \
                 or delete alerts.bin to make the ledger again by replay",
                sealed.epoch
            )));
        }
        let (log_queue, log_state, log_thread) = writer::start(log.writer, lock, failure.clone());
        Ok(Store {
            manifest: Manifest::open(dir)?,
            epochs: Arc::new(Epochs::new(log_dir.clone(), sealed)),
            ledger,
            parameters,
            handling,
            dead_letters: DeadLetters::open(dir, counters.clone(), failure.clone())?,
            counters,
            begin,
            orders,
            log_queue,
            log_state,
            log_thread,
            log_dir,
        })
    }
}

/// One coordinator at a time. The lock is the system's: it ends with the process, however that ends.
fn lock(dir: &Path) -> Result<std::fs::File, ServeError> {
    let path = dir.join("lock");
    let file = std::fs::File::create(&path).map_err(|source| ServeError::Io { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ServeError::Locked { path }),
        Err(std::fs::TryLockError::Error(source)) => Err(ServeError::Io { path, source }),
    }
}

/// Ready once the coordinator is told to end.
pub async fn ended(mut ending: watch::Receiver<bool>) {
    // An error says that nobody can tell it any more: it has ended.
    let _ = ending.wait_for(|ending| *ending).await;
}

/// Health by name: `live` (the process works), `startup` (the log is read), `ready` and `` (questions are answered, and the
/// answers are fresh).
async fn report_health(health: HealthReporter, cluster: &Cluster) {
    let report = async |health: &HealthReporter, names: &[&str], good| {
        let status = if good { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in names {
            health.set_service_status(*name, status).await;
        }
    };
    report(&health, &["live", "startup"], true).await;
    report(&health, &["ready", ""], false).await;
    let mut vitals = cluster.vitals();
    tokio::spawn(async move {
        let mut said = (true, false);
        loop {
            let Vitals { serving, fresh, looked_at } = *vitals.borrow_and_update();
            let now = (looked_at.elapsed() < limits::LIVE_WITHIN, serving && fresh);
            if now != said {
                said = now;
                report(&health, &["live"], now.0).await;
                report(&health, &["ready", ""], now.1).await;
            }
            // A task that hangs says nothing: it is looked at all the same.
            if let Ok(Err(_)) = tokio::time::timeout(LOOK_AT_VITALS, vitals.changed()).await {
                report(&health, &["ready", ""], false).await;
                return;
            }
        }
    });
}

/// The sequencer ends, and the writer after it: what was accepted is sealed and on disk.
async fn finish(sequencer: &Thread<()>, log: &Thread<()>) {
    let deadline = Instant::now() + limits::SHUTDOWN_WITHIN;
    while !(sequencer.is_finished() && log.is_finished()) && Instant::now() < deadline {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
