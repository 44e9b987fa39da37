//! Reports: made from what the shards count, and kept once their period is closed.
//!
//! [`Reports::make`] asks all shards for the figures of some reports at one epoch and makes the reports; [`closing`] is the
//! task that makes version 1 of every closed period, and a new version when facts that came later change one.
//! Invariants: a kept version never changes; versions of a period count from 1 with their epochs; what is shown is on disk. The file can be
//! deleted: periods are then closed again, as of now.
//!
//! Alerts that hold (R22) come from the shards, as of the epoch of the question; those that were withdrawn by then come from the
//! ledger. Only one that was withdrawn by then and has come back while the shards read is missed.

pub mod closing;
pub mod restating;
pub mod shelf;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use billwatch_market::{
    ids::Day,
    indicator::Indicators,
    observe::Meanings,
    report::{
        Asked, Book, Figures, Period, Report, Tables,
        alerts::{SeenAlert, add_alerts, counts_withdrawn},
        evaluate,
        indicators::add_indicators,
        plain, questions,
    },
};
use billwatch_proto::v1::{self, AlertState, shard_answer, shard_question::Kind};
use billwatch_telemetry::codes;
use tokio::time::timeout;

use self::shelf::{Entry, Kept, Shelf};
use crate::{
    api::errors::{ApiError, internal, worker_failed},
    cluster::Cluster,
    durable_file::DurableFile,
    ledger::{AsOf, Ledger, book::AlertEntry},
    limits,
    server::ServeError,
};

/// The reports. Cheap to clone.
#[derive(Clone)]
pub struct Reports {
    /// Definitions.
    pub book: Arc<Book>,
    indicators: Arc<Indicators>,
    cluster: Cluster,
    ledger: Ledger,
    shelf: Arc<RwLock<Shelf>>,
    file: Arc<Mutex<DurableFile>>,
}

impl Reports {
    /// Reads the definitions and what was kept in the data directory.
    pub fn open(
        dir: &Path,
        meanings: &Arc<Meanings>,
        indicators: Arc<Indicators>,
        cluster: Cluster,
        ledger: Ledger,
    ) -> Result<Self, ServeError> {
        let book = Book::read(meanings).map_err(|error| ServeError::Setting(format!("catalogue: {error}")))?;
        let path = dir.join("reports.bin");
        let mut shelf = Shelf::default();
        let (file, cut) = DurableFile::open(&path, |_, payload| match postcard::from_bytes::<Entry>(payload) {
            Ok(entry) => {
                shelf.apply(entry);
                true
            }
            Err(_) => false,
        })?;
        if cut > 0 {
            tracing::warn!(code = codes::LEDGER_CUT, bytes = cut, path = %path.display(), "the torn end of the kept reports was cut; their periods are closed again");
        }
        let (shelf, file) = (Arc::new(RwLock::new(shelf)), Arc::new(Mutex::new(file)));
        Ok(Reports { book: Arc::new(book), indicators, cluster, ledger, shelf, file })
    }

    /// What is kept: read briefly.
    pub fn kept(&self) -> RwLockReadGuard<'_, Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the cluster stands: the epoch and market clock of the next answer, or later.
    pub async fn now(&self) -> Result<AsOf, ApiError> {
        Ok(self.cluster.status().await?.completed)
    }

    /// The first market clock that the ledger saw, ms.
    pub fn first_clock_ms(&self) -> Option<i64> {
        self.ledger.read().first_clock_ms
    }

    /// Makes reports as they stand, all at one epoch.
    pub async fn make(&self, wanted: Vec<(usize, Period)>) -> Result<(AsOf, Vec<Report>), ApiError> {
        let of_period = |(report, period): &(usize, Period)| v1::ReportOfPeriod {
            report: self.book.reports[*report].id.clone(),
            period: period.label(),
        };
        let question = v1::ReportsQuestion { reports: wanted.iter().map(of_period).collect() };
        let asked = self.cluster.ask(Kind::Reports(question)).await?.within(limits::LONG_QUESTION_WITHIN);
        let as_of = asked.as_of;
        let parts = asked.all().await?;
        let asked = questions(&self.book, &wanted);
        if counts_withdrawn(&self.book, &asked) {
            let reached = timeout(limits::QUESTION_WITHIN, self.ledger.reached(as_of.epoch)).await;
            reached.map_err(|_| worker_failed("the alert ledger does not come to the epoch of the question"))?;
        }
        let reports = self.clone();
        let form = move || {
            let mut tables = Tables::default();
            for (process, part) in parts {
                if let Some(shard_answer::Kind::Reports(bytes)) = part.kind {
                    let part = Tables::decode(&bytes);
                    let words = format!("process {process} sent figures of another form");
                    tables.add(part.ok_or_else(|| worker_failed(&words))?);
                }
            }
            Ok(reports.form(&wanted, &asked, tables, as_of))
        };
        let made = tokio::task::spawn_blocking(form).await;
        let made = made.unwrap_or_else(|_| Err(internal("the reports could not be made")))?;
        Ok((as_of, made))
    }

    fn form(&self, wanted: &[(usize, Period)], asked: &[Asked], mut tables: Tables, as_of: AsOf) -> Vec<Report> {
        let book = &*self.book;
        add_indicators(book, asked, &self.indicators, as_of.market_clock_ms, &mut tables);
        if counts_withdrawn(book, asked) {
            let ledger = self.ledger.read();
            let gone = |alert: &&AlertEntry| alert.state == AlertState::Withdrawn && alert.last_epoch <= as_of.epoch;
            tables.alerts.extend(ledger.book.after(None).filter(gone).map(|alert| {
                let (pattern, key) = (alert.now.pattern.clone(), alert.now.key.clone());
                SeenAlert::withdrawn(pattern, alert.level as u16, Day(alert.now.biz_day), key)
            }));
        }
        add_alerts(book, asked, &mut tables);
        let figures = Figures::new(book, asked, tables);
        evaluate(book, wanted, &figures, |period| plain::is_final(period, as_of.market_clock_ms))
    }

    /// Keeps an entry: on disk first.
    async fn keep(&self, entry: Entry) -> Result<(), ServeError> {
        let (file, shelf) = (self.file.clone(), self.shelf.clone());
        let write = move || {
            let bytes = postcard::to_stdvec(&entry).expect("an entry has a form for every value");
            file.lock().unwrap_or_else(PoisonError::into_inner).append([&bytes[..]].into_iter())?;
            shelf.write().unwrap_or_else(PoisonError::into_inner).apply(entry);
            Ok(())
        };
        tokio::task::spawn_blocking(write).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Keeps a report of a closed period if it says something new.
    async fn restate(&self, as_of: AsOf, report: Report) -> Result<bool, ServeError> {
        let made = Kept { as_of, report };
        if !self.kept().is_news(&made) {
            return Ok(false);
        }
        self.keep(Entry::Version(made)).await?;
        Ok(true)
    }
}
