//! `billwatch report`: the fixed reports, on the screen and as files.

mod sheet;
mod xlsx;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_proto::v1::{
    AsOf, GetReportRequest, GetReportsRequest, ListReportVersionsRequest, ListReportsRequest, MeasureValue, Report,
    ReportBlock, report_service_client::ReportServiceClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    cli::{AskArgs, ExportFormat, Format, ReportCommand, ReportExportArgs, ReportShowArgs, ReportVersionsArgs},
    failure::{Failure, Outcome},
    output::{Listing, print_json, print_line},
    query::{as_of_json, as_of_text},
};

/// Runs the command.
pub async fn run(command: ReportCommand) -> Outcome {
    match command {
        ReportCommand::List(args) => list(args).await,
        ReportCommand::Show(args) => show(args).await,
        ReportCommand::Versions(args) => versions(args).await,
        ReportCommand::Export(args) => export(args).await,
    }
}

/// A client of the reports of a cluster.
pub async fn connect(address: &str) -> Result<ReportServiceClient<Channel>, Failure> {
    let channel = client::connect(address).await?;
    Ok(ReportServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

async fn list(args: AskArgs) -> Outcome {
    let answer = connect(&args.cluster.address).await?.list_reports(ListReportsRequest {}).await?.into_inner();
    let mut listing =
        Listing::new(["report", "name_en", "name_zh", "frequency", "closed", "last_closed", "version", "status"]);
    for report in &answer.reports {
        let last = report.closed.last();
        listing.push([
            json!(report.report),
            json!(report.name_en),
            json!(report.name_zh),
            json!(report.frequency),
            json!(report.closed.len()),
            json!(last.map(|closed| &closed.period)),
            json!(last.map(|closed| closed.version)),
            json!(last.map(|closed| &closed.status)),
        ]);
    }
    listing.print(args.output.format)
}

async fn show(args: ReportShowArgs) -> Outcome {
    let request = GetReportRequest { report: args.report, period: args.period, version: args.version };
    let answer = connect(&args.cluster.address).await?.get_report(request).await?.into_inner();
    let report = answer.report.unwrap_or_default();
    match args.output.format {
        Format::Json => print_json(&report_json(&report, answer.as_of)),
        Format::Csv => cells(&report, answer.as_of).print(Format::Csv),
        Format::Table => {
            print_line(&heading(&report))?;
            for block in &report.blocks {
                print_line(&format!("\n{} {}", block.title_zh, block.title_en))?;
                print_line(&table(block).table())?;
                for column in block.columns.iter().filter(|column| !column.note.is_empty()) {
                    print_line(&format!("  {} {}: {}", column.title_zh, column.title_en, column.note))?;
                }
            }
            print_line("\n勾稽关系 Checks")?;
            print_line(&checks(&report).table())?;
            report.notes.iter().try_for_each(|note| print_line(&format!("  {note}")))?;
            print_line(&as_of_text(answer.as_of))
        }
    }
}

async fn versions(args: ReportVersionsArgs) -> Outcome {
    let request = ListReportVersionsRequest { report: args.report, period: args.period };
    let answer = connect(&args.cluster.address).await?.list_report_versions(request).await?.into_inner();
    let mut listing =
        Listing::new(["version", "status", "epoch", "changed_cells", "block", "row", "column", "before", "after"]);
    for version in &answer.versions {
        let epoch = version.as_of.map(|as_of| as_of.epoch);
        let head = [json!(version.version), json!(version.status), json!(epoch), json!(version.changed.len())];
        if version.changed.is_empty() {
            listing.push(head.into_iter().chain((0..5).map(|_| Value::Null)));
            continue;
        }
        for cell in &version.changed {
            let of_cell = [&cell.block, &cell.row, &cell.column, &cell.before, &cell.after].map(|text| json!(text));
            listing.push(head.clone().into_iter().chain(of_cell));
        }
    }
    listing.print(args.output.format)
}

async fn export(args: ReportExportArgs) -> Outcome {
    let mut client = connect(&args.cluster.address).await?;
    let ReportExportArgs { reports, period, version, .. } = args;
    let request = GetReportsRequest { reports, period, version, each: Vec::new() };
    let mut reports = client.get_reports(request).await?.into_inner();
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    while let Some(answer) = reports.message().await? {
        let report = answer.report.unwrap_or_default();
        let path = write(&report, answer.as_of, args.format, &args.out)?;
        print_line(&format!("{} {} {}", path.display(), report.name_zh, report.status))?;
    }
    Ok(())
}

fn write(report: &Report, as_of: Option<AsOf>, format: ExportFormat, dir: &Path) -> Result<PathBuf, Failure> {
    let version = if report.version > 0 { format!("-v{}", report.version) } else { String::new() };
    let (ending, bytes) = match format {
        ExportFormat::Xlsx => ("xlsx", sheet::workbook(report, as_of).context("making the workbook")?),
        ExportFormat::Csv => ("csv", cells(report, as_of).csv()?),
        ExportFormat::Json => ("json", format!("{:#}\n", report_json(report, as_of)).into_bytes()),
    };
    let path = dir.join(format!("{}-{}{version}.{ending}", report.report, report.period));
    std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

fn heading(report: &Report) -> String {
    let version = if report.version > 0 { format!(", version {}", report.version) } else { String::new() };
    let Report { report: id, name_zh, name_en, period, from_date, to_date, status, .. } = report;
    format!("{id} {name_zh} {name_en}\n{period} ({from_date} .. {to_date}) {status}{version}")
}

/// A block as people read it.
fn table(block: &ReportBlock) -> Listing {
    let titles = block.columns.iter().map(|column| match column.unit.as_str() {
        "" => column.title_zh.clone(),
        unit => format!("{} ({unit})", column.title_zh),
    });
    let mut listing = Listing::new(["".to_owned()].into_iter().chain(titles));
    for row in &block.rows {
        let cells = row.cells.iter().map(|cell| json!(cell.printed));
        listing.push([json!(row.title_zh)].into_iter().chain(cells));
    }
    listing
}

/// Columns of a report as CSV.
const COLUMNS: [&str; 18] = [
    "report",
    "period",
    "from_date",
    "to_date",
    "status",
    "version",
    "part",
    "block",
    "row",
    "row_zh",
    "row_en",
    "column",
    "column_zh",
    "column_en",
    "unit",
    "printed",
    "value",
    "denominator",
];

/// All that JSON has, a line a value: cells, then what checks say, then notes; `part` tells them apart.
fn cells(report: &Report, as_of: Option<AsOf>) -> Listing {
    let mut listing = Listing::new(COLUMNS);
    let mut push = |part: &str, mut line: Value| {
        let of_report = json!({
            "report": report.report, "period": report.period, "from_date": report.from_date, "to_date": report.to_date,
            "status": report.status, "version": report.version, "part": part,
        });
        listing.push(COLUMNS.map(|column| match of_report.get(column) {
            Some(value) => value.clone(),
            None => line[column].take(),
        }));
    };
    for block in &report.blocks {
        for row in &block.rows {
            for (cell, column) in row.cells.iter().zip(&block.columns) {
                let value = cell.value.clone().unwrap_or_default();
                let part = if row.total { "total" } else { "cell" };
                push(
                    part,
                    json!({
                        "block": block.block, "row": row.row, "row_zh": row.title_zh, "row_en": row.title_en,
                        "column": column.column, "column_zh": column.title_zh, "column_en": column.title_en,
                        "unit": column.unit, "printed": cell.printed,
                        "value": if cell.text.is_empty() { &value.value } else { &cell.text },
                        "denominator": value.denominator,
                    }),
                );
            }
        }
    }
    for check in &report.checks {
        let sides = [("left", &check.left), ("right", &check.right), ("difference", &check.difference)];
        let sides = sides.map(|(side, value)| {
            let value = value.clone().unwrap_or_default();
            (side, exact(Some(&value)), value.value, value.denominator)
        });
        let pass = if check.pass { "yes" } else { "NO" }.to_owned();
        let told = [("pass", pass), ("place", check.place.clone()), ("times", check.instances.to_string())];
        let told = told.map(|(what, text)| (what, text.clone(), text, String::new()));
        for (column, printed, value, denominator) in sides.into_iter().chain(told) {
            push(
                "check",
                json!({
                    "row": check.check, "row_zh": check.title_zh, "row_en": check.title_en,
                    "column": column, "printed": printed, "value": value, "denominator": denominator,
                }),
            );
        }
    }
    for block in &report.blocks {
        for column in block.columns.iter().filter(|column| !column.note.is_empty()) {
            push(
                "note",
                json!({
                    "block": block.block, "column": column.column, "column_zh": column.title_zh,
                    "column_en": column.title_en, "printed": column.note,
                }),
            );
        }
    }
    for note in &report.notes {
        push("note", json!({"printed": note}));
    }
    listing.stamped(as_of)
}

fn exact(value: Option<&MeasureValue>) -> String {
    match value {
        Some(MeasureValue { value, denominator }) if denominator.is_empty() => value.clone(),
        Some(MeasureValue { value, denominator }) => format!("{value}/{denominator}"),
        None => String::new(),
    }
}

fn checks(report: &Report) -> Listing {
    let mut listing =
        Listing::new(["check", "title_zh", "title_en", "left", "right", "difference", "pass", "place", "times"]);
    for check in &report.checks {
        listing.push([
            json!(check.check),
            json!(check.title_zh),
            json!(check.title_en),
            json!(exact(check.left.as_ref())),
            json!(exact(check.right.as_ref())),
            json!(exact(check.difference.as_ref())),
            json!(if check.pass { "yes" } else { "NO" }),
            json!(check.place),
            json!(check.instances),
        ]);
    }
    listing
}

fn report_json(report: &Report, as_of: Option<AsOf>) -> Value {
    let block = |block: &ReportBlock| {
        let columns = block.columns.iter().map(|column| {
            json!({"column": column.column, "title_en": column.title_en, "title_zh": column.title_zh, "unit": column.unit,
                "note": column.note})
        });
        let rows = block.rows.iter().map(|row| {
            let cells = row.cells.iter().zip(&block.columns).map(|(cell, column)| {
                let value = cell.value.clone().unwrap_or_default();
                let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
                let exact = if cell.text.is_empty() { text(&value.value) } else { json!(cell.text) };
                let cell = json!({"value": exact, "denominator": text(&value.denominator), "printed": cell.printed});
                (column.column.clone(), cell)
            });
            json!({"row": row.row, "title_en": row.title_en, "title_zh": row.title_zh, "total": row.total,
                "cells": Value::Object(cells.collect())})
        });
        json!({"block": block.block, "title_en": block.title_en, "title_zh": block.title_zh,
            "columns": columns.collect::<Vec<_>>(), "rows": rows.collect::<Vec<_>>()})
    };
    json!({
        "report": report.report,
        "name_en": report.name_en,
        "name_zh": report.name_zh,
        "period": report.period,
        "from_date": report.from_date,
        "to_date": report.to_date,
        "status": report.status,
        "version": report.version,
        "as_of": as_of_json(as_of),
        "notes": report.notes,
        "blocks": report.blocks.iter().map(block).collect::<Vec<_>>(),
        "checks": checks(report).json(),
    })
}
