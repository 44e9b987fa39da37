//! `ReportService`: reports as they stand, and kept versions.

use billwatch_market::{
    ids::Day,
    report::{Book, Period, Report, definition::ReportForm, exact::Exact, print::print},
};
use billwatch_proto::v1::{self, report_service_server::ReportService};
use tokio_stream as stream;
use tonic::{Request, Response, Status};

use super::errors::{ApiError, bad_request, no_such};
use crate::{
    limits,
    metrics::questions::{QuestionKind, QuestionTimes},
    reports::{Reports, shelf::changed},
};

/// The service.
#[derive(Clone)]
pub struct ReportApi {
    /// Where reports are made and kept.
    pub reports: Reports,
    /// How long it took.
    pub times: std::sync::Arc<QuestionTimes>,
}

#[tonic::async_trait]
impl ReportService for ReportApi {
    type GetReportsStream = stream::Iter<std::vec::IntoIter<Result<v1::GetReportsResponse, Status>>>;

    async fn list_reports(
        &self,
        _: Request<v1::ListReportsRequest>,
    ) -> Result<Response<v1::ListReportsResponse>, Status> {
        let kept = self.reports.kept();
        let summary = |form: &ReportForm| v1::ReportSummary {
            report: form.id.clone(),
            name_en: form.english.clone(),
            name_zh: form.chinese.clone(),
            frequency: form.frequency.code().to_owned(),
            notes: form.notes.clone(),
            closed: kept
                .closed(&form.id)
                .map(|(period, versions)| v1::ClosedPeriod {
                    period: period.label(),
                    version: versions.len() as u32,
                    status: versions.last().map_or("", |kept| kept.report.status.name()).to_owned(),
                })
                .collect(),
        };
        let reports = self.reports.book.reports.iter().map(summary).collect();
        Ok(Response::new(v1::ListReportsResponse { reports }))
    }

    async fn get_report(
        &self,
        request: Request<v1::GetReportRequest>,
    ) -> Result<Response<v1::GetReportResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.times.timed(QuestionKind::Report, self.get(request)).await?))
    }

    async fn get_reports(
        &self,
        request: Request<v1::GetReportsRequest>,
    ) -> Result<Response<Self::GetReportsStream>, Status> {
        let request = request.into_inner();
        let reports = self.times.timed(QuestionKind::Report, self.get_several(request)).await?;
        Ok(Response::new(stream::iter(reports.into_iter().map(Ok).collect::<Vec<_>>())))
    }

    async fn list_report_versions(
        &self,
        request: Request<v1::ListReportVersionsRequest>,
    ) -> Result<Response<v1::ListReportVersionsResponse>, Status> {
        let request = request.into_inner();
        let (number, period) = self.named(&request.report, &request.period).await?;
        let book = &*self.reports.book;
        let kept = self.reports.kept();
        let versions = kept.versions(&book.reports[number].id, period);
        let version = |(at, kept): (usize, &crate::reports::shelf::Kept)| v1::ReportVersion {
            version: at as u32 + 1,
            status: kept.report.status.name().to_owned(),
            as_of: Some(kept.as_of.into()),
            changed: match at {
                0 => Vec::new(),
                at => changed(book, &versions[at - 1].report, &kept.report),
            },
        };
        let versions = versions.iter().enumerate().map(version).collect();
        Ok(Response::new(v1::ListReportVersionsResponse { versions }))
    }
}

impl ReportApi {
    async fn named(&self, report: &str, period: &str) -> Result<(usize, Period), ApiError> {
        let number = self.reports.book.number(report);
        let number =
            number.ok_or_else(|| no_such(format!("report `{report}`: list the reports to see which exist")))?;
        let frequency = self.reports.book.reports[number].frequency;
        if !period.is_empty() {
            let remedy = "write a date as YYYY-MM-DD, or a period as 2025-W15, 2025-04 or 2025-Q2";
            let parsed = Period::parse(frequency, period).ok_or_else(|| bad_request("period", period, remedy))?;
            return Ok((number, parsed));
        }
        let clock = self.reports.now().await?.market_clock_ms;
        let clock =
            clock.ok_or_else(|| bad_request("period", "", "no source has sent a watermark yet: name a period"))?;
        Ok((number, Period::containing(frequency, Day::of_time(clock))))
    }

    async fn get(&self, request: v1::GetReportRequest) -> Result<v1::GetReportResponse, ApiError> {
        let (number, period) = self.named(&request.report, &request.period).await?;
        let book = &*self.reports.book;
        if request.version > 0 {
            let kept = self.reports.kept();
            let versions = kept.versions(&book.reports[number].id, period);
            let version = versions.get(request.version as usize - 1).ok_or_else(|| {
                let (label, number) = (period.label(), versions.len());
                no_such(format!("version {} of {} {label}: it has {number}", request.version, request.report))
            })?;
            let report = Some(show(book, &version.report, request.version));
            return Ok(v1::GetReportResponse { as_of: Some(version.as_of.into()), report });
        }
        let (as_of, reports) = self.reports.make(vec![(number, period)]).await?;
        let report = reports.first().map(|report| show(book, report, 0));
        Ok(v1::GetReportResponse { as_of: Some(as_of.into()), report })
    }
}

impl ReportApi {
    /// The reports and periods of a question, each once, and whether each of them must exist.
    async fn wanted(&self, request: &v1::GetReportsRequest) -> Result<(Vec<(usize, Period)>, bool), ApiError> {
        let mut wanted = Vec::new();
        if !request.each.is_empty() {
            if request.each.len() > limits::REPORTS_ASKED {
                let (sent, most) = (request.each.len().to_string(), limits::REPORTS_ASKED);
                return Err(bad_request("each", &sent, &format!("ask for at most {most} reports at once")));
            }
            if !request.reports.is_empty() || !request.period.is_empty() {
                return Err(bad_request("each", "", "leave `reports` and `period` empty beside it"));
            }
            for v1::ReportOfPeriod { report, period } in &request.each {
                let one = self.named(report, period).await?;
                if !wanted.contains(&one) {
                    wanted.push(one);
                }
            }
            return Ok((wanted, true));
        }
        let all: Vec<String> = self.reports.book.reports.iter().map(|report| report.id.clone()).collect();
        let (named, ids) = match request.reports.is_empty() {
            true => (false, &all),
            false => (true, &request.reports),
        };
        for id in ids {
            match self.named(id, &request.period).await {
                Ok(one) if !wanted.contains(&one) => wanted.push(one),
                // Of all reports those without such a period are left out.
                Err(error) if named || request.period.is_empty() => return Err(error),
                _ => {}
            }
        }
        Ok((wanted, named))
    }

    async fn get_several(&self, request: v1::GetReportsRequest) -> Result<Vec<v1::GetReportsResponse>, ApiError> {
        let book = &*self.reports.book;
        let (wanted, named) = self.wanted(&request).await?;
        if request.version > 0 {
            let kept = self.reports.kept();
            let version = |(number, period): &(usize, Period)| {
                let kept = kept.versions(&book.reports[*number].id, *period).get(request.version as usize - 1)?;
                let report = Some(show(book, &kept.report, request.version));
                Some(v1::GetReportsResponse { as_of: Some(kept.as_of.into()), report })
            };
            let found: Vec<_> = wanted.iter().filter_map(version).collect();
            if found.len() < wanted.len() && (named || found.is_empty()) {
                let words = format!("version {} of these reports and period `{}`", request.version, request.period);
                return Err(no_such(format!("{words}: list the versions to see which exist")));
            }
            return Ok(found);
        }
        if wanted.is_empty() {
            let remedy = "no report has such a period: write a date as YYYY-MM-DD";
            return Err(bad_request("period", &request.period, remedy));
        }
        let (as_of, reports) = self.reports.make(wanted).await?;
        let shown = |report: &Report| {
            let report = Some(show(book, report, 0));
            v1::GetReportsResponse { as_of: Some(as_of.into()), report }
        };
        Ok(reports.iter().map(shown).collect())
    }
}

fn measured(value: &Exact) -> v1::MeasureValue {
    let (value, denominator) = match value {
        Exact::Number(number) => (number.to_string(), String::new()),
        Exact::Ratio(over, under) => (over.to_string(), under.to_string()),
        Exact::Null | Exact::Text(_) => Default::default(),
    };
    v1::MeasureValue { value, denominator }
}

/// A report as clients see it.
fn show(book: &Book, report: &Report, version: u32) -> v1::Report {
    let Some(number) = book.number(&report.id) else { return v1::Report::default() };
    let form = &book.reports[number];
    let block = |(form, block): (
        &billwatch_market::report::definition::BlockForm,
        &billwatch_market::report::result::Block,
    )| {
        v1::ReportBlock {
            block: block.id.clone(),
            title_en: form.english.clone(),
            title_zh: form.chinese.clone(),
            columns: form
                .columns
                .iter()
                .map(|column| v1::ReportColumn {
                    column: column.id.clone(),
                    title_en: column.english.clone(),
                    title_zh: column.chinese.clone(),
                    unit: column.unit.words().to_owned(),
                    decimals: column.unit.decimals(),
                    note: column.note.clone(),
                })
                .collect(),
            rows: block
                .rows
                .iter()
                .map(|row| v1::ReportRow {
                    row: row.id.clone(),
                    title_en: row.english.clone(),
                    title_zh: row.chinese.clone(),
                    total: row.total,
                    cells: row
                        .cells
                        .iter()
                        .zip(&form.columns)
                        .map(|(cell, column)| v1::ReportCell {
                            value: Some(measured(cell)),
                            text: if let Exact::Text(text) = cell { text.clone() } else { String::new() },
                            printed: print(cell, column.unit),
                        })
                        .collect(),
                })
                .collect(),
        }
    };
    let check = |check: &billwatch_market::report::result::CheckResult| {
        let words = form.checks.iter().find(|form| form.id == check.id);
        v1::ReportCheck {
            check: check.id.clone(),
            title_en: words.map_or("Totals are the sums of their parts", |form| &form.english).to_owned(),
            title_zh: words.map_or("合计等于各项之和", |form| &form.chinese).to_owned(),
            left: Some(measured(&check.left)),
            right: Some(measured(&check.right)),
            difference: Some(measured(&check.difference)),
            pass: check.pass,
            place: check.place.clone(),
            instances: check.instances,
        }
    };
    v1::Report {
        report: report.id.clone(),
        name_en: form.english.clone(),
        name_zh: form.chinese.clone(),
        period: report.period.label(),
        from_date: report.period.from.to_string(),
        to_date: report.period.to.to_string(),
        status: report.status.name().to_owned(),
        version,
        notes: form.notes.clone(),
        blocks: form.blocks.iter().zip(&report.blocks).map(block).collect(),
        checks: report.checks.iter().map(check).collect(),
    }
}
