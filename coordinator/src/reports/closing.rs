//! Period close and restatement (报表结账与更正).
//!
//! When the market clock has passed the end of a period and the lateness bound, the report is made and kept as version 1.
//! Afterwards only late facts and corrections can change it: while the coordinator has accepted none, nothing is made again;
//! when it has, the closed periods are made again in turn, and one that says something else becomes a new version.
//!
//! Closing begins with the first market clock that the alert ledger saw, so that a market that is replayed in a minute has its
//! closed periods too.
//!
//! A pass reads the history of every shard on the shards' own loops, in turns between epochs. Passes are [`Closing::pause`]
//! apart, and at least [`limits::REPORTS_REST`] times as long as the last one took; each makes at most
//! [`limits::REPORTS_AT_ONCE`] reports: in a market that runs in real time that is one pass a day.

use std::{sync::Arc, time::Duration};

use billwatch_market::{
    catalogue::Catalogue,
    ids::Day,
    report::{Frequency, Period, Status, plain::is_final},
};
use billwatch_telemetry::codes;
use tokio::time::{Instant, sleep};

use super::{Reports, shelf::Entry};
use crate::{api::errors::ApiError, counters::Counters, failure::Failure, limits, server::ServeError};

/// Counters of facts that can change a closed period.
const RESTATING: [&str; 2] = ["facts_late_total", "facts_correcting_total"];

/// The task.
pub struct Closing {
    /// Where reports are made and kept.
    pub reports: Reports,
    /// Business days.
    pub catalogue: Arc<Catalogue>,
    /// Tells whether facts came that change the past.
    pub counters: Arc<Counters>,
    /// Least time between two passes.
    pub pause: Duration,
}

enum Ended {
    Answer(ApiError),
    Disk(ServeError),
}

impl From<ApiError> for Ended {
    fn from(error: ApiError) -> Self {
        Ended::Answer(error)
    }
}

impl From<ServeError> for Ended {
    fn from(error: ServeError) -> Self {
        Ended::Disk(error)
    }
}

impl Closing {
    /// Runs for ever.
    pub async fn run(self, failure: Failure) {
        // After a restart nobody knows what came since the last look: everything is looked at once.
        let mut looked_at = None;
        let mut waiting: Vec<(usize, Period)> = Vec::new();
        let (mut last_pass, mut pause) = (Instant::now(), self.pause);
        loop {
            sleep(self.pause.min(limits::REPORTS_LOOK)).await;
            let restating: i64 = RESTATING.iter().map(|name| self.counters.get(name, "")).sum();
            let is_time = last_pass.elapsed() >= pause;
            let started = Instant::now();
            match self.look(is_time, (looked_at != Some(restating)).then_some(restating), &mut waiting).await {
                Ok(None) => {}
                Ok(Some(restating)) => {
                    last_pass = Instant::now();
                    pause = self.pause.max(started.elapsed() * limits::REPORTS_REST);
                    looked_at = restating.or(looked_at);
                }
                // No mesh, or it ended: the next look will tell.
                Err(Ended::Answer(error)) => {
                    last_pass = Instant::now();
                    tracing::info!(reason = error.reason(), "reports were not closed: they are made at the next look");
                }
                Err(Ended::Disk(error)) => return failure.report(codes::LEDGER_FAILED, error.to_string()),
            }
        }
    }

    /// Notes where closing begins; makes a pass when it is time and something is due. Gives the number of restating facts
    /// that the closed periods are being looked at for.
    async fn look(
        &self,
        is_time: bool,
        restating: Option<i64>,
        waiting: &mut Vec<(usize, Period)>,
    ) -> Result<Option<Option<i64>>, Ended> {
        let Some(clock) = self.reports.now().await?.market_clock_ms else { return Ok(None) };
        let begin = self.reports.kept().begin;
        let Some(begin) = begin else {
            let first = self.reports.first_clock_ms().unwrap_or(clock).min(clock);
            self.reports.keep(Entry::Begin(Day::of_time(first))).await?;
            return Ok(None);
        };
        if !is_time {
            return Ok(None);
        }
        let mut due = self.due(begin, clock);
        if restating.is_some() {
            *waiting = self.closed();
        }
        let room = limits::REPORTS_AT_ONCE.saturating_sub(due.len());
        due.extend(waiting.drain(..waiting.len().min(room)));
        if due.is_empty() {
            return Ok(restating.map(Some));
        }
        let (as_of, made) = self.reports.make(due).await?;
        for report in made {
            let (id, period, status) = (report.id.clone(), report.period.label(), report.status);
            let failing = report.checks.iter().filter(|check| !check.pass).map(|check| check.id.clone());
            let checks = failing.collect::<Vec<_>>().join(" ");
            if !self.reports.restate(as_of, report).await? {
                continue;
            }
            let epoch = as_of.epoch;
            if status == Status::CheckFailed {
                tracing::warn!(
                    code = codes::REPORT_CHECK_FAILED,
                    report = id,
                    period,
                    checks,
                    epoch,
                    "a version of a closed period is kept that fails its checks"
                );
            } else {
                tracing::info!(
                    report = id,
                    period,
                    status = status.name(),
                    epoch,
                    "a version of a closed period is kept"
                );
            }
        }
        Ok(Some(restating))
    }

    /// Periods that are over and have no version yet, oldest first, as many as a pass makes.
    fn due(&self, begin: Day, clock: i64) -> Vec<(usize, Period)> {
        let kept = self.reports.kept();
        let mut due = Vec::new();
        for (number, report) in self.reports.book.reports.iter().enumerate() {
            let mut period = Period::containing(report.frequency, begin);
            while is_final(period, Some(clock)) {
                let counts = report.frequency != Frequency::Daily || self.catalogue.calendar.is_business_day(period.to);
                if counts && kept.newest(&report.id, period).is_none() {
                    due.push((number, period));
                }
                period = Period::containing(report.frequency, period.to.plus(1));
            }
        }
        due.sort_by_key(|(number, period)| (period.to, *number));
        due.truncate(limits::REPORTS_AT_ONCE);
        due
    }

    fn closed(&self) -> Vec<(usize, Period)> {
        let kept = self.reports.kept();
        let reports = self.reports.book.reports.iter().enumerate();
        let mut closed: Vec<(usize, Period)> = reports
            .flat_map(|(number, report)| kept.closed(&report.id).map(move |(period, _)| (number, period)))
            .collect();
        closed.sort_by_key(|(number, period)| (std::cmp::Reverse(period.to), *number));
        closed
    }
}
