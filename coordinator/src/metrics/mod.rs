//! What the coordinator shows of itself: the page of metrics, and the same figures for `GetStatus`.
//!
//! Everything is read when somebody asks. Parts keep their own numbers ([`Counters`], the log's writer, the ledger's book);
//! only freshness ([`arrivals`]) and the times of questions ([`questions`]) are kept here.

pub mod arrivals;
pub mod questions;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use billwatch_market::{handling::STATUSES, pattern::liveness::STATES};
use billwatch_proto::v1;
use billwatch_telemetry::{
    endpoint::{self, Endpoint},
    machine,
    page::Page,
    table::{Role, coordinator as table},
};
use tokio::sync::{Semaphore, broadcast::error::RecvError};

use crate::{
    cluster::{BUILD, Cluster, ClusterStatus},
    counters::Counters,
    epochs::Epochs,
    ledger::{Ledger, book::LEVELS},
    limits,
    log::writer::LogState,
    reports::Reports,
    rules::RulesSeen,
};
use arrivals::Freshness;
use questions::QuestionTimes;

/// Pause between two looks at the disk for `GetStatus`, which some clients call many times a second.
const DISK_EVERY: Duration = Duration::from_secs(1);
/// The cluster's task answers at once, unless it waits for the disk; then the page is shown without it.
const CLUSTER_WITHIN: Duration = Duration::from_secs(1);

/// Where the numbers lie. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// Named numbers.
    pub counters: Arc<Counters>,
    /// The log's writer.
    pub log_state: Arc<LogState>,
    /// Sealed epochs.
    pub epochs: Arc<Epochs>,
    /// Alerts.
    pub ledger: Ledger,
    /// Members, generation, checkpoint.
    pub cluster: Cluster,
    /// From acceptance to visibility.
    pub freshness: Arc<Freshness>,
    /// Questions.
    pub questions: Arc<QuestionTimes>,
    /// How rules stood at the last look.
    pub rules: RulesSeen,
    /// Kept reports.
    pub reports: Reports,
    /// Places for ingest streams.
    pub streams: Arc<Semaphore>,
    /// Room for batches, bytes.
    pub room: Arc<Semaphore>,
    /// Worker processes that a generation needs.
    pub processes: u32,
    /// The data directory.
    pub data_dir: PathBuf,
    /// When the coordinator began.
    pub since: SystemTime,
    /// The disk as it was last looked at.
    pub disk: Arc<Mutex<Option<(Instant, v1::DiskStatus)>>>,
}

impl Metrics {
    /// Listens for scrapes.
    pub async fn serve(&self, address: SocketAddr) -> std::io::Result<Endpoint> {
        let metrics = self.clone();
        let make = move || {
            let metrics = metrics.clone();
            let page: std::pin::Pin<Box<dyn Future<Output = String> + Send>> =
                Box::pin(async move { metrics.page().await });
            page
        };
        endpoint::serve(address, Arc::new(make)).await
    }

    /// Counts records as visible when the ledger has their epoch. Ends with the ledger.
    pub fn follow_ledger(&self) {
        let (mut changes, freshness) = (self.ledger.subscribe(), self.freshness.clone());
        tokio::spawn(async move {
            loop {
                match changes.recv().await {
                    Ok(changed) => freshness.visible(changed.as_of.epoch, Instant::now()),
                    // The next change tells of a later epoch.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    async fn page(&self) -> String {
        let cluster = tokio::time::timeout(CLUSTER_WITHIN, self.cluster.status()).await.ok().and_then(Result::ok);
        let metrics = self.clone();
        let write = move || {
            let mut page = Page::new(Role::Coordinator);
            let since = metrics.since.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
            let processes = [(Role::Coordinator.name(), std::process::id())];
            machine::put(&mut page, Role::Coordinator, BUILD, since, &processes, &metrics.data_dir);
            metrics.put_own(&mut page);
            if let Some(cluster) = &cluster {
                metrics.put_cluster(&mut page, cluster);
            }
            page.text()
        };
        // Reads the sizes of files.
        tokio::task::spawn_blocking(write).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn put_own(&self, page: &mut Page) {
        let now = Instant::now();
        let counters = self.counters.list();
        page.counters(counters.iter().map(|counter| (counter.name.as_str(), counter.label.as_str(), counter.value)));
        page.histogram_of(&table::FRESHNESS, &[], self.freshness.histogram());
        if let Some(minute) = self.freshness.last_minute(now) {
            page.number(&table::FRESHNESS_P50, minute.median.as_secs_f64());
            page.number(&table::FRESHNESS_P99, minute.p99.as_secs_f64());
        }
        page.number(&table::EPOCH_LAG_SECONDS, self.freshness.lag(now).as_secs_f64());
        let sealed = self.epochs.sealed();
        page.whole(&table::EPOCH_SEALED, sealed.epoch);
        if let Some(clock) = sealed.market_clock_ms {
            page.number(&table::MARKET_CLOCK, clock as f64 / 1_000.0);
        }
        page.whole(&table::INGEST_STREAMS_OPEN, limits::INGEST_STREAMS - self.streams.available_permits());
        page.whole(&table::INGEST_STREAMS_LIMIT, limits::INGEST_STREAMS);
        page.whole(&table::INGEST_BYTES, limits::INGEST_BYTES_IN_FLIGHT - self.room.available_permits());
        page.whole(&table::INGEST_BYTES_LIMIT, limits::INGEST_BYTES_IN_FLIGHT);
        let (group_commits, sync_microseconds) = self.log_state.commits();
        page.whole(&table::LOG_SIZE, self.log_state.durable());
        page.whole(&table::LOG_GROUP_COMMITS, group_commits);
        page.number(&table::LOG_FSYNC, sync_microseconds as f64 / 1_000_000.0);
        let alerts = *self.ledger.read().book.census();
        for (level, open) in LEVELS.iter().zip(alerts.open) {
            page.whole_of(&table::ALERTS_OPEN, &[level], open);
        }
        for ((_, status), count) in STATUSES.iter().zip(alerts.by_status) {
            page.whole_of(&table::ALERTS_BY_STATUS, &[status], count);
        }
        page.whole(&table::ALERTS_OPENED, alerts.opened);
        page.whole(&table::ALERTS_WITHDRAWN, alerts.withdrawn);
        if let Some(standing) = self.rules.borrow().as_ref() {
            for state in STATES {
                let rules = standing.rules.iter().filter(|rule| rule.state == state).count();
                page.whole_of(&table::RULES, &[state.name()], rules);
            }
            page.whole(&table::RULES_DEAD, standing.dead().count());
        }
        {
            let kept = self.reports.kept();
            let failed = kept.failed();
            for report in &self.reports.book.reports {
                let periods = failed.get(report.id.as_str()).copied().unwrap_or(0);
                page.whole_of(&table::REPORTS_CHECK_FAILED, &[&report.id], periods);
            }
        }
        self.questions.put(page);
    }

    fn put_cluster(&self, page: &mut Page, cluster: &ClusterStatus) {
        page.whole(&table::EPOCH_COMPLETED, cluster.completed.epoch);
        page.whole(&table::EPOCH_LAG, self.epochs.sealed().epoch.saturating_sub(cluster.completed.epoch));
        page.whole(&table::SERVING, u8::from(cluster.serving));
        page.whole(&table::GENERATION, cluster.generation);
        page.whole(&table::MEMBERS, cluster.members.len());
        page.whole(&table::MEMBERS_EXPECTED, self.processes);
        let checkpoint = self.checkpoint(cluster);
        page.whole(&table::CHECKPOINT_EPOCH, checkpoint.epoch);
        if let Some(age) = checkpoint.age_ms {
            page.number(&table::CHECKPOINT_AGE, age as f64 / 1_000.0);
            page.number(&table::CHECKPOINT_DURATION, checkpoint.duration_ms as f64 / 1_000.0);
            page.whole(&table::CHECKPOINT_SIZE, checkpoint.bytes);
        }
    }

    /// The last committed checkpoint.
    pub fn checkpoint(&self, cluster: &ClusterStatus) -> v1::CheckpointStatus {
        let last = cluster.checkpoint.unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        v1::CheckpointStatus {
            epoch: last.epoch,
            // Not known of checkpoints that were committed by a build that did not write it down.
            age_ms: (last.committed_time_ms > 0).then(|| now.saturating_sub(last.committed_time_ms)),
            duration_ms: last.duration_ms,
            bytes: last.bytes,
            committed: self.counters.get("checkpoints_committed_total", "") as u64,
            failed: self.counters.get("checkpoints_failed_total", "") as u64,
        }
    }

    /// Freshness of the last minute, and how far the workers are behind.
    pub fn freshness_status(&self) -> v1::FreshnessStatus {
        let now = Instant::now();
        let microseconds = |duration: Duration| duration.as_micros() as u64;
        let minute = self.freshness.last_minute(now);
        v1::FreshnessStatus {
            records: minute.map_or(0, |minute| minute.records),
            median_us: minute.map_or(0, |minute| microseconds(minute.median)),
            p99_us: minute.map_or(0, |minute| microseconds(minute.p99)),
            lag_us: microseconds(self.freshness.lag(now)),
        }
    }

    /// Alerts counted.
    pub fn alerts_status(&self) -> v1::AlertsStatus {
        let census = *self.ledger.read().book.census();
        v1::AlertsStatus {
            open: census.open.to_vec(),
            opened: census.opened,
            withdrawn: census.withdrawn,
            by_status: STATUSES
                .iter()
                .zip(census.by_status)
                .map(|((_, code), count)| ((*code).into(), count))
                .collect(),
        }
    }

    /// Disk of the data directory. Reads the sizes of files.
    pub async fn disk_status(&self) -> v1::DiskStatus {
        let kept = || self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let known = *kept();
        if let Some((_, disk)) = known.filter(|(looked, _)| looked.elapsed() < DISK_EVERY) {
            return disk;
        }
        let dir = self.data_dir.clone();
        let read = move || {
            let disk = machine::disk(&dir).unwrap_or_default();
            v1::DiskStatus {
                data_bytes: machine::directory_bytes(&dir),
                free_bytes: disk.free_bytes,
                size_bytes: disk.size_bytes,
            }
        };
        let disk = tokio::task::spawn_blocking(read).await.unwrap_or_default();
        *kept() = Some((Instant::now(), disk));
        disk
    }
}
