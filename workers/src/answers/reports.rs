//! Figures of reports: what this worker's lives add to them, worked out from its history.
//!
//! All figures of all reports of a question in one pass. Reference data are the same on every worker, so the first one alone
//! counts what stands in them. Indicators are read from the windows, on the days that the reports need; alerts are those that
//! hold at the worker that owns them.
//!
//! The whole history is read, which takes seconds, so a pass goes on between epochs, some lives at a time ([`Reading`]).

use std::{rc::Rc, time::Instant};

use billwatch_market::{
    aggregate::alerts::AlertSight,
    reference_data::Reference,
    report::{
        Asked, Period, Tables, Tally,
        alerts::{amounts_wanted, counts_alerts, holding},
        indicators::parts,
        questions,
    },
};
use billwatch_proto::v1::{self, shard_answer};

use hashbrown::HashMap;

use super::{alerts::with_sight, budget::Budget, indicators::with_evaluator, invalid, readings::reference_of};
use crate::{dataflow::lives::Noted, limits::LIVES_AT_ONCE, shard::Shard};

/// A question that is being worked on.
pub struct Reading {
    question: u64,
    epoch: u64,
    asked: Vec<Asked>,
    tables: Tables,
    reference: Rc<Reference>,
    lives: Noted,
    budget: Budget,
}

impl Reading {
    /// Notes what the question is about, and works out all but the history.
    ///
    /// # Errors
    /// A report or period is not known.
    pub fn begin(shard: &Shard, question: u64, request: &v1::ReportsQuestion) -> anyhow::Result<Self> {
        let rules = shard.rules();
        let book = &rules.reports;
        let mut wanted = Vec::with_capacity(request.reports.len());
        for v1::ReportOfPeriod { report, period } in &request.reports {
            let number = book.number(report).ok_or_else(|| invalid(format!("no report `{report}`")))?;
            let frequency = book.reports[number].frequency;
            let period = Period::parse(frequency, period)
                .ok_or_else(|| invalid(format!("`{period}` is no period of {report}")))?;
            wanted.push((number, period));
        }
        let asked = questions(book, &wanted);
        let lives = shard.lives.borrow();
        let reference = reference_of(shard, lives.reference());
        let mut tally = Tally::new(&asked, |asked| book.figure(asked), &rules.laws, &rules.meanings, &reference);
        if shard.seat.index() == 0 {
            tally.reference();
        }
        let mut tables = tally.pause();
        if let Some(clock) = lives.clock() {
            tables.indicators = with_evaluator(shard, |evaluator| parts(evaluator, book, &asked, clock));
        }
        if counts_alerts(book, &asked) {
            let alerts = shard.alerts.borrow();
            let hold =
                |sight: &AlertSight<'_>| holding(alerts.set(), sight, &rules.meanings, &amounts_wanted(book, &asked));
            tables.alerts = with_sight(shard, &HashMap::new(), hold)?;
        }
        let budget = Budget::between_epochs(shard.common.reading_facts_max);
        Ok(Reading { question, epoch: shard.epoch.get(), asked, tables, reference, lives: lives.note(), budget })
    }

    /// Reads on until an instant. The answer, once everything is read or something went wrong.
    pub fn go_on(&mut self, shard: &Shard, until: Instant) -> Option<v1::ShardAnswer> {
        let (kind, error) = match self.read(shard, until) {
            Ok(false) => return None,
            Ok(true) => (Some(shard_answer::Kind::Reports(self.finish(shard).into())), String::new()),
            Err(error) => (None, format!("{error:#}")),
        };
        Some(v1::ShardAnswer { question: self.question, epoch: self.epoch, last: true, error, kind })
    }

    /// True at the end of the history.
    fn read(&mut self, shard: &Shard, until: Instant) -> anyhow::Result<bool> {
        let rules = shard.rules();
        let lives = shard.lives.borrow();
        let figure = |asked: &Asked| rules.reports.figure(asked);
        let mut tally = Tally::new(&self.asked, figure, &rules.laws, &rules.meanings, &self.reference)
            .resume(std::mem::take(&mut self.tables));
        let is_end = loop {
            let budget = &self.budget;
            let went_on = lives.read_noted(&mut self.lives, LIVES_AT_ONCE, self.epoch, |home, records| {
                let is_within = budget.take(records.len()).is_continue();
                tally.family(home, records);
                is_within
            })?;
            budget.check("a report", "give the history more workers")?;
            if !went_on {
                break true;
            }
            if Instant::now() >= until {
                break false;
            }
        };
        self.tables = tally.pause();
        Ok(is_end)
    }

    /// Reference data at the epoch of the question.
    pub fn reference(&self) -> &Rc<Reference> {
        &self.reference
    }

    fn finish(&mut self, shard: &Shard) -> Vec<u8> {
        let rules = shard.rules();
        let mut tables = std::mem::take(&mut self.tables);
        let indicators = std::mem::take(&mut tables.indicators);
        let figure = |asked: &Asked| rules.reports.figure(asked);
        Tally::new(&self.asked, figure, &rules.laws, &rules.meanings, &self.reference)
            .resume(tables)
            .finish(indicators)
            .encode()
    }
}
