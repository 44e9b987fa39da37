//! Period close and restatement (报表结账与更正).
//!
//! When the market clock has passed the end of a period and the lateness bound, the report is made and kept as version 1.
//! Afterwards only late facts and corrections can change it: while the coordinator has accepted none, nothing is made again;
//! when it has, the closed periods are made again in turn, those first that were looked at longest ago, and one that says
//! something else becomes a new version. However many such facts keep coming, every period has its turn.
//!
//! A pass waits until the workers have done the epochs of the facts for which it is made ([`Restating`]): workers that replay
//! the log, or lag behind, would answer without them.
//!
//! Closing begins with the first market clock that the alert ledger saw, so that a market that is replayed in a minute has its
//! closed periods too.
//!
//! A pass reads the history of every shard on the shards' own loops, in turns between epochs. Passes are [`Closing::pause`]
//! apart, and at least [`limits::REPORTS_REST`] times as long as the last one took; each makes at most
//! [`limits::REPORTS_AT_ONCE`] reports: in a market that runs in real time that is one pass a day.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use billwatch_market::{
    catalogue::Catalogue,
    ids::Day,
    report::{Frequency, Period, Status, plain::is_final},
};
use billwatch_telemetry::codes;
use hashbrown::HashMap;
use tokio::time::{Instant, sleep};

use super::{
    Reports,
    restating::{Mark, Restating},
    shelf::Entry,
};
use crate::{api::errors::ApiError, failure::Failure, limits, server::ServeError};

/// The task.
pub struct Closing {
    /// Where reports are made and kept.
    pub reports: Reports,
    /// Business days.
    pub catalogue: Arc<Catalogue>,
    /// Tells whether facts came that change the past.
    pub restating: Arc<Restating>,
    /// Least time between two passes.
    pub pause: Duration,
}

/// What is known between two looks. After a restart nothing: every period is looked at once.
#[derive(Default)]
struct Looked {
    /// Facts that were accepted when a period was last looked at.
    at: HashMap<(usize, Period), i64>,
    /// For what the next pass is made. Held until then: the workers come to it, however much is accepted meanwhile.
    next: Option<Mark>,
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
        let mut looked = Looked::default();
        let (mut last_pass, mut pause) = (Instant::now(), self.pause);
        loop {
            sleep(self.pause.min(limits::REPORTS_LOOK)).await;
            let is_time = last_pass.elapsed() >= pause;
            let started = Instant::now();
            match self.look(is_time, &mut looked).await {
                Ok(false) => {}
                Ok(true) => {
                    last_pass = Instant::now();
                    pause = self.pause.max(started.elapsed() * limits::REPORTS_REST);
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

    /// Notes where closing begins; makes a pass when it is time and something is due. True when it has made one.
    async fn look(&self, is_time: bool, looked: &mut Looked) -> Result<bool, Ended> {
        let now = self.reports.now().await?;
        let Some(clock) = now.market_clock_ms else { return Ok(false) };
        let begin = self.reports.kept().begin;
        let Some(begin) = begin else {
            let first = self.reports.first_clock_ms().unwrap_or(clock).min(clock);
            self.reports.keep(Entry::Begin(Day::of_time(first))).await?;
            return Ok(false);
        };
        if !is_time {
            return Ok(false);
        }
        let mark = *looked.next.get_or_insert_with(|| self.restating.mark());
        if now.epoch < mark.epoch {
            return Ok(false);
        }
        let mut due = self.due(begin, clock);
        due.extend(self.changeable(mark, looked));
        due.truncate(limits::REPORTS_AT_ONCE);
        if due.is_empty() {
            looked.next = None;
            return Ok(false);
        }
        let (as_of, made) = self.reports.make(due.clone()).await?;
        if as_of.epoch < mark.epoch {
            // Another generation has begun meanwhile, further back.
            return Ok(true);
        }
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
        looked.at.extend(due.into_iter().map(|period| (period, mark.facts)));
        looked.next = None;
        Ok(true)
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

    /// Closed periods that were not looked at since facts came that can change them: longest ago first, then newest first.
    fn changeable(&self, mark: Mark, looked: &Looked) -> Vec<(usize, Period)> {
        let kept = self.reports.kept();
        let reports = self.reports.book.reports.iter().enumerate();
        let closed =
            reports.flat_map(|(number, report)| kept.closed(&report.id).map(move |(period, _)| (number, period)));
        let last_look = |of: &(usize, Period)| looked.at.get(of).copied();
        let mut changeable: Vec<(usize, Period)> = closed.filter(|of| last_look(of) != Some(mark.facts)).collect();
        changeable.sort_by_key(|of| (last_look(of), Reverse(of.1.to), of.0));
        changeable
    }
}
