//! `billwatch custom-report`: tables of several dimensions that the cluster keeps from now on.

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_market::aggregate::cross::{self as market, CrossDefinition};
use billwatch_proto::v1::{
    CreateCustomReportRequest, CrossFilter, CustomReport, CustomReportState, DeleteCustomReportRequest,
    GetCustomReportRequest, ListCustomReportsRequest, QueryCustomReportRequest, QueryCustomReportResponse,
    WatchCustomReportRequest, WatchCustomReportResponse, custom_report_service_client::CustomReportServiceClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    cli::{CustomReportCommand, CustomReportCreateArgs, CustomReportIdArgs, CustomReportQueryArgs, Format, Output},
    failure::{Failure, Outcome},
    output::{Listing, print_json, print_line},
    query::{as_of_json, as_of_text, grain, measure},
};

/// Runs the command.
pub async fn run(command: CustomReportCommand) -> Outcome {
    match command {
        CustomReportCommand::Create(args) => create(args).await,
        CustomReportCommand::List(args) => {
            let mut reports = connect(&args.cluster.address).await?;
            let list = reports.list_custom_reports(ListCustomReportsRequest {}).await?.into_inner();
            show(&list.reports, args.output)
        }
        CustomReportCommand::Show(args) => {
            let request = GetCustomReportRequest { report_id: args.report_id };
            let report = connect(&args.cluster.address).await?.get_custom_report(request).await?.into_inner();
            show(&[report], args.output)
        }
        CustomReportCommand::Query(args) => query(args).await,
        CustomReportCommand::Watch(args) => watch(args).await,
        CustomReportCommand::Drop(args) => drop_report(args).await,
    }
}

/// Connects to the service.
pub async fn connect(address: &str) -> Result<CustomReportServiceClient<Channel>, Failure> {
    let channel = client::connect(address).await?;
    Ok(CustomReportServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

async fn create(args: CustomReportCreateArgs) -> Outcome {
    let request = CreateCustomReportRequest {
        theme: args.theme,
        dimensions: args.dimensions,
        filters: args.filters.iter().map(|text| filter(text)).collect::<Result<_, _>>()?,
        title: args.title,
    };
    let report = connect(&args.cluster.address).await?.create_custom_report(request).await?.into_inner();
    show(&[report], args.output)
}

/// `D.bill_kind=BAB,CAB`.
fn filter(text: &str) -> Result<CrossFilter, Failure> {
    let wrong = || Failure::Usage(format!("--filter {text}: write DIMENSION=ITEM,ITEM, for instance D.bill_kind=BAB"));
    let (dimension, items) = text.split_once('=').ok_or_else(wrong)?;
    let items: Vec<String> = items.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect();
    if items.is_empty() { Err(wrong()) } else { Ok(CrossFilter { dimension: dimension.to_owned(), items }) }
}

async fn drop_report(args: CustomReportIdArgs) -> Outcome {
    let request = DeleteCustomReportRequest { report_id: args.report_id.clone() };
    let dropped = connect(&args.cluster.address).await?.delete_custom_report(request).await?.into_inner();
    match args.output.format {
        Format::Json => print_json(&json!({"report_id": args.report_id, "epoch": dropped.epoch})),
        Format::Csv => print_line(&format!("report_id,epoch\n{},{}", args.report_id, dropped.epoch)),
        Format::Table => {
            print_line(&format!("custom report {} is dropped from epoch {} on", args.report_id, dropped.epoch))
        }
    }
}

fn filter_text(filter: &CrossFilter) -> String {
    format!("{}={}", filter.dimension, filter.items.join(","))
}

/// What a report is, in the market's terms.
pub fn definition(report: &CustomReport) -> CrossDefinition {
    let filters = report
        .filters
        .iter()
        .map(|filter| market::CrossFilter { dimension: filter.dimension.clone(), items: filter.items.clone() });
    CrossDefinition { theme: report.theme.clone(), dimensions: report.dimensions.clone(), filters: filters.collect() }
}

/// The state of a report as a word: `FILLING`, `LIVE`, `OVERFLOWN`.
pub fn state_word(report: &CustomReport) -> String {
    let name = report.state().as_str_name();
    name.strip_prefix("CUSTOM_REPORT_STATE_").unwrap_or(name).to_owned()
}

/// How much of the past is in it, for people.
fn filled(report: &CustomReport) -> String {
    match report.state() {
        CustomReportState::Filling if report.lives > 0 => format!("{} %", report.lives_counted * 100 / report.lives),
        CustomReportState::Live => "100 %".to_owned(),
        _ => String::new(),
    }
}

fn show(reports: &[CustomReport], output: Output) -> Outcome {
    if output.format == Format::Json {
        let reports: Vec<Value> = reports.iter().map(report_json).collect();
        return print_json(&Value::Array(reports));
    }
    let mut listing =
        Listing::new(["report_id", "state", "filled", "cells", "version", "theme", "dimensions", "filters", "title"]);
    for report in reports {
        let filters: Vec<String> = report.filters.iter().map(filter_text).collect();
        listing.push([
            json!(report.report_id),
            json!(state_word(report)),
            json!(filled(report)),
            json!(report.cells),
            json!(report.version),
            json!(report.theme),
            json!(report.dimensions.join(" ")),
            json!(filters.join(" ")),
            json!(report.title),
        ]);
    }
    listing.print(output.format)
}

fn report_json(report: &CustomReport) -> Value {
    let filters: Vec<Value> =
        report.filters.iter().map(|filter| json!({"dimension": filter.dimension, "items": filter.items})).collect();
    json!({
        "report_id": report.report_id,
        "state": state_word(report),
        "lives_counted": report.lives_counted,
        "lives": report.lives,
        "cells": report.cells,
        "version": report.version,
        "theme": report.theme,
        "dimensions": report.dimensions,
        "filters": filters,
        "title": report.title,
    })
}

fn request(args: CustomReportQueryArgs) -> QueryCustomReportRequest {
    QueryCustomReportRequest {
        report_id: args.report_id,
        from_date: args.figures.from,
        to_date: args.figures.to,
        grain: grain(args.figures.grain).into(),
        measures: args.figures.measures,
        wait_ms: u32::try_from(args.wait_s * 1_000).unwrap_or(u32::MAX),
    }
}

async fn watch(args: CustomReportQueryArgs) -> Outcome {
    let format = args.output.format;
    let mut reports = connect(&args.cluster.address).await?;
    let request = WatchCustomReportRequest { query: Some(request(args)) };
    let mut stream = reports.watch_custom_report(request).await?.into_inner();
    while let Some(told) = stream.message().await? {
        let WatchCustomReportResponse { as_of, report, snapshot, measures, rows } = told;
        let is_progress = as_of.is_none();
        let answer = QueryCustomReportResponse { as_of, report, measures, rows };
        let listing = listing(&answer, format);
        match (format, &answer.report) {
            (Format::Json, report) => print_line(
                &json!({
                    "as_of": as_of_json(as_of),
                    "report": report.as_ref().map(report_json),
                    "snapshot": snapshot,
                    "rows": listing.json(),
                })
                .to_string(),
            )?,
            (Format::Csv, _) if is_progress => {}
            (Format::Table, Some(report)) if is_progress => {
                print_line(&format!("{} {} {}", report.report_id, state_word(report), filled(report)))?;
            }
            (Format::Csv, _) => {
                let listing = listing.with("snapshot", &json!(snapshot)).stamped(as_of);
                if snapshot { listing.print(Format::Csv)? } else { listing.print_more(Format::Csv)? }
            }
            (Format::Table, _) => {
                listing.print(Format::Table)?;
                print_line(&as_of_text(as_of))?;
            }
        }
    }
    Ok(())
}

async fn query(args: CustomReportQueryArgs) -> Outcome {
    let (format, address) = (args.output.format, args.cluster.address.clone());
    let answer = connect(&address).await?.query_custom_report(request(args)).await?.into_inner();
    let listing = listing(&answer, format);
    match format {
        Format::Json => print_json(&json!({
            "as_of": as_of_json(answer.as_of),
            "report": answer.report.as_ref().map(report_json),
            "rows": listing.json(),
        })),
        Format::Csv => listing.stamped(answer.as_of).print(format),
        Format::Table => {
            listing.print(format)?;
            print_line(&as_of_text(answer.as_of))
        }
    }
}

/// A column a dimension, with the item's names in a table; then the period, then a column a measure.
fn listing(answer: &QueryCustomReportResponse, format: Format) -> Listing {
    let dimensions = answer.report.as_ref().map_or(&[][..], |report| &report.dimensions);
    let mut listing =
        Listing::new(dimensions.iter().cloned().chain(["period".to_owned()]).chain(answer.measures.iter().cloned()));
    for row in &answer.rows {
        let period = if row.period == ".." && format == Format::Table { "all dates" } else { &row.period };
        let mut values: Vec<Value> = row.values.iter().map(|value| measure(value, format)).collect();
        values.resize(answer.measures.len(), Value::Null);
        let items = row.items.iter().zip(&row.item_names_zh).map(|(item, name)| match format {
            Format::Table if !name.is_empty() && name != item => json!(format!("{item} {name}")),
            _ => json!(item),
        });
        listing.push(items.chain([json!(period)]).chain(values));
    }
    listing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_dimension_and_its_items() {
        let read = filter("D.bill_kind=BAB,CAB").unwrap();
        assert_eq!((read.dimension.as_str(), read.items), ("D.bill_kind", vec!["BAB".to_owned(), "CAB".to_owned()]));
        assert!(filter("D.bill_kind").is_err() && filter("D.bill_kind=").is_err());
    }
}
