//! The views `reports` and `reports_of_alerts` of `verify`: the fixed reports as they stand, line by line.
//!
//! The cluster answers one question about all of them, at one epoch: its shards count from their own histories, windows and
//! alerts, and the coordinator makes the reports. Here they are made of all facts of the log up to that epoch by the plain
//! evaluator. Both read the definitions with one interpreter; what goes into it comes from two sides.
//!
//! `reports` is a function of the facts. R22 is not wholly: it also counts alerts that were withdrawn, which tell in what order
//! facts came. It is a view of its own, for which both sides take the withdrawn ones from the alert ledger.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, anyhow, bail};
use billwatch_market::{
    evaluator::{EveryView, Mark},
    fact::Fact,
    handling::Handlings,
    ids::Day,
    report::{
        Book, Period, Report, Status,
        alerts::{SeenAlert, counts_withdrawn},
        exact::Exact,
        lines::{difference, hash, lines},
        plain::spread_periods,
        questions,
        result::{Block, CheckResult, Row},
    },
};
use billwatch_proto::v1::{self, AlertFilter, AlertState, AsOf, GetReportsRequest, MeasureValue, ReportOfPeriod};

use super::{Difference, Pair};
use crate::{alerts, failure::Failure, report};

/// Names of the levels of alerts, lowest first.
const LEVELS: [&str; 4] = ["BLUE", "YELLOW", "ORANGE", "RED"];

/// Periods of which each report is compared unless told: the newest, the oldest and one between. Balances and openings of the
/// newest rest on all facts, and the members of all figures fit into the workers' messages.
pub const PERIODS: u32 = 3;
/// Periods of all reports that the cluster makes in one question (512 reports).
pub const PERIODS_MOST: i64 = 23;

/// Which reports are compared.
pub(super) struct Chosen {
    book: Arc<Book>,
    wanted: Vec<(usize, Period)>,
    /// Periods with facts that are not compared, over all reports.
    pub(super) left_out: usize,
}

/// Reports of the cluster, and when they hold.
pub(super) struct Live {
    /// When.
    pub(super) as_of: AsOf,
    reports: Vec<Report>,
}

impl Chosen {
    /// So many periods of each report, spread over those that hold a business date of these facts.
    pub(super) fn of(facts: &[Fact], views: &EveryView, periods: u32) -> Result<Self, Failure> {
        let book = Book::read(&views.market_rules().meanings).context("reports of the catalogue")?;
        let dates: BTreeSet<Day> = facts.iter().map(|fact| fact.biz_date).collect();
        let (wanted, left_out) = spread_periods(&book, &dates, periods as usize);
        Ok(Chosen { book: Arc::new(book), wanted, left_out })
    }

    /// How many reports.
    pub(super) fn count(&self) -> usize {
        self.wanted.len()
    }

    /// Asks the cluster for them.
    pub(super) async fn ask(&self, address: &str, as_of: AsOf) -> Result<Live, Failure> {
        let mut live = Live { as_of, reports: Vec::with_capacity(self.wanted.len()) };
        if self.wanted.is_empty() {
            return Ok(live);
        }
        let of_period = |(report, period): &(usize, Period)| ReportOfPeriod {
            report: self.book.reports[*report].id.clone(),
            period: period.label(),
        };
        let each = self.wanted.iter().map(of_period).collect();
        let request = GetReportsRequest { each, ..GetReportsRequest::default() };
        let mut answers = report::connect(address).await?.get_reports(request).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            live.as_of = answer.as_of.unwrap_or(live.as_of);
            let report = answer.report.unwrap_or_default();
            live.reports.push(received(&self.book, report).context("a report of the cluster")?);
        }
        Ok(live)
    }

    /// Compares them with what the facts give that were evaluated at the epoch of the live ones.
    pub(super) async fn compare(
        self,
        address: &str,
        live: Live,
        facts: Arc<Vec<Fact>>,
        views: Arc<EveryView>,
    ) -> Result<[Pair; 2], Failure> {
        let withdrawn = withdrawn(address, live.as_of.epoch).await?;
        let (book, wanted) = (self.book.clone(), self.wanted.clone());
        let handled = handled(address, live.as_of.epoch).await?;
        let making = move || views.reports(&facts, &book, &wanted, withdrawn, &handled);
        let reference = tokio::task::spawn_blocking(making).await.map_err(|error| anyhow!(error))?;
        let of_alerts: Vec<bool> =
            self.wanted.iter().map(|one| counts_withdrawn(&self.book, &questions(&self.book, &[*one]))).collect();
        let side = |reports: &[Report], alerts: bool| -> Vec<String> {
            let chosen = reports.iter().zip(&of_alerts).filter(|(_, of_alerts)| **of_alerts == alerts);
            chosen.flat_map(|(report, _)| lines(&self.book, report)).collect()
        };
        let pair = |(view, alerts): (&str, bool)| {
            let (live, reference) = (side(&live.reports, alerts), side(&reference, alerts));
            let mark = |lines: &[String]| {
                let (hash, rows) = hash(lines);
                Some(Mark { hash: hash.0, rows })
            };
            let difference = difference(&live, &reference).map(|(live, reference)| Difference {
                live: live.map(str::to_owned),
                reference: reference.map(str::to_owned),
            });
            Pair { view: view.to_owned(), live: mark(&live), reference: mark(&reference), difference }
        };
        Ok([("reports", false), ("reports_of_alerts", true)].map(pair))
    }
}

/// Alerts that were withdrawn by an epoch.
async fn withdrawn(address: &str, epoch: u64) -> Result<Vec<SeenAlert>, Failure> {
    let filter = AlertFilter { state: AlertState::Withdrawn.into(), ..AlertFilter::default() };
    let (alerts, _) = alerts::fetch(address, filter, 0).await?;
    let seen = |alert: v1::Alert| -> anyhow::Result<SeenAlert> {
        let level = LEVELS.iter().position(|level| *level == alert.level);
        let level = level.with_context(|| format!("`{}` is no level of an alert", alert.level))? as u16;
        let day = Day::parse(&alert.biz_date).with_context(|| format!("`{}` is no date", alert.biz_date))?;
        Ok(SeenAlert::withdrawn(alert.pattern, level, day, alert.key))
    };
    let gone = alerts.into_iter().filter(|alert| alert.last_epoch <= epoch);
    Ok(gone.map(seen).collect::<anyhow::Result<_>>()?)
}

/// What was done with alerts up to an epoch.
async fn handled(address: &str, epoch: u64) -> Result<Handlings, Failure> {
    let mut handlings = Handlings::default();
    let actions = alerts::handling::fetch_actions(address, Vec::new()).await?;
    for action in actions.iter().filter(|action| action.epoch <= epoch) {
        let (alert, action) = billwatch_workers::handling::action(action).map_err(|what| anyhow!(what))?;
        handlings.apply(alert, action);
    }
    Ok(handlings)
}

/// A report as it came over the wire.
fn received(book: &Book, report: v1::Report) -> anyhow::Result<Report> {
    let number = book.number(&report.report).with_context(|| format!("no report `{}` here", report.report))?;
    let period = Period::parse(book.reports[number].frequency, &report.period);
    let period = period.with_context(|| format!("`{}` is no period of {}", report.period, report.report))?;
    let status = [Status::Prelim, Status::Final, Status::CheckFailed].into_iter();
    let status = status.into_iter().find(|status| status.name() == report.status);
    let status = status.with_context(|| format!("`{}` is no status", report.status))?;
    let block = |block: v1::ReportBlock| -> anyhow::Result<Block> {
        let row = |row: v1::ReportRow| -> anyhow::Result<Row> {
            let cells = row.cells.into_iter().map(|cell| exact(cell.value, cell.text));
            let cells = cells.collect::<anyhow::Result<_>>()?;
            Ok(Row { id: row.row, english: row.title_en, chinese: row.title_zh, total: row.total, cells })
        };
        Ok(Block { id: block.block, rows: block.rows.into_iter().map(row).collect::<anyhow::Result<_>>()? })
    };
    let check = |check: v1::ReportCheck| -> anyhow::Result<CheckResult> {
        Ok(CheckResult {
            id: check.check,
            left: exact(check.left, String::new())?,
            right: exact(check.right, String::new())?,
            difference: exact(check.difference, String::new())?,
            pass: check.pass,
            place: check.place,
            instances: check.instances,
        })
    };
    Ok(Report {
        id: report.report,
        period,
        status,
        blocks: report.blocks.into_iter().map(block).collect::<anyhow::Result<_>>()?,
        checks: report.checks.into_iter().map(check).collect::<anyhow::Result<_>>()?,
    })
}

fn exact(value: Option<MeasureValue>, text: String) -> anyhow::Result<Exact> {
    let MeasureValue { value, denominator } = value.unwrap_or_default();
    let number = |text: &str| text.parse::<i128>().with_context(|| format!("`{text}` is no whole number"));
    Ok(match (value.is_empty(), denominator.is_empty(), text.is_empty()) {
        (true, true, true) => Exact::Null,
        (true, true, false) => Exact::Text(text),
        (false, true, true) => Exact::Number(number(&value)?),
        (false, false, true) => Exact::Ratio(number(&value)?, number(&denominator)?),
        _ => bail!("`{value}` over `{denominator}` and `{text}` are no value of one cell"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_over_the_wire_as_they_were() {
        let sent = |value: &str, denominator: &str| {
            Some(MeasureValue { value: value.to_owned(), denominator: denominator.to_owned() })
        };
        assert_eq!(exact(None, String::new()).unwrap(), Exact::Null);
        assert_eq!(exact(sent("", ""), "甲".to_owned()).unwrap(), Exact::Text("甲".to_owned()));
        assert_eq!(exact(sent("-12", ""), String::new()).unwrap(), Exact::Number(-12));
        assert_eq!(exact(sent("1", "3"), String::new()).unwrap(), Exact::Ratio(1, 3));
        assert!(exact(sent("1.5", ""), String::new()).unwrap_err().to_string().contains("no whole number"));
        assert!(exact(sent("1", ""), "甲".to_owned()).is_err());
    }
}
