//! `billwatch indicators`: supervisory indicators, their history, and what a value was made of.

pub mod args;

use std::collections::HashMap;

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_proto::v1::{
    ExplainIndicatorRequest, ExplainIndicatorResponse, Figure, Indicator, IndicatorFilter, IndicatorValue,
    ListIndicatorsRequest, QueryIndicatorsRequest, QueryIndicatorsResponse, WatchIndicatorsRequest,
    indicator_service_client::IndicatorServiceClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use self::args::{ExplainArgs, IndicatorsCommand, ShowArgs, WatchArgs, Which};
use crate::{
    cli::{AskArgs, Format},
    failure::{Failure, Outcome},
    output::{Listing, print_json, print_line},
    query::{as_of_json, as_of_text, decimal},
};

/// Values asked for at once.
const PAGE: u32 = 1_000;
/// Lines of an explanation in a table.
const LINES_SHOWN: usize = 40;
/// Figures of a value in a table: the first say what it was made of.
const FIGURES_SHOWN: usize = 4;

/// Runs the command.
pub async fn run(command: IndicatorsCommand) -> Outcome {
    match command {
        IndicatorsCommand::List(args) => list(args).await,
        IndicatorsCommand::Show(args) => show(args).await,
        IndicatorsCommand::Explain(args) => explain(args).await,
        IndicatorsCommand::Watch(args) => watch(args).await,
    }
}

async fn connect(address: &str) -> Result<IndicatorServiceClient<Channel>, Failure> {
    let channel = client::connect(address).await?;
    Ok(IndicatorServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

impl From<Which> for IndicatorFilter {
    fn from(which: Which) -> Self {
        IndicatorFilter {
            indicators: which.indicators,
            keys: which.key,
            min_level: which.min_level,
            only_groups: which.groups,
            ..Default::default()
        }
    }
}

async fn listed(client: &mut IndicatorServiceClient<Channel>) -> Result<HashMap<String, Indicator>, Failure> {
    let answer = client.list_indicators(ListIndicatorsRequest {}).await?.into_inner();
    Ok(answer.indicators.into_iter().map(|indicator| (indicator.indicator.clone(), indicator)).collect())
}

async fn list(args: AskArgs) -> Outcome {
    let answer = connect(&args.cluster.address).await?.list_indicators(ListIndicatorsRequest {}).await?.into_inner();
    let mut listing =
        Listing::new(["indicator", "name_en", "name_zh", "grain", "groups", "blue", "yellow", "orange", "red"]);
    for indicator in &answer.indicators {
        let mut row = vec![
            json!(indicator.indicator),
            json!(indicator.name_en),
            json!(indicator.name_zh),
            json!(indicator.grain),
            json!(indicator.groups.join(" ")),
        ];
        row.extend(indicator.levels.iter().map(|level| json!(plain(&level.least))));
        listing.push(row);
    }
    match args.output.format {
        Format::Json => print_json(&json!(answer.indicators.iter().map(indicator_json).collect::<Vec<_>>())),
        format => listing.print(format),
    }
}

/// A threshold as a decimal number: `1/20` as `0.0500`.
fn plain(least: &str) -> String {
    match least.split_once('/') {
        Some((top, bottom)) => decimal(top, bottom),
        None => least.to_owned(),
    }
}

fn indicator_json(indicator: &Indicator) -> Value {
    let figures = indicator.figures.iter();
    let figures: Vec<Value> =
        figures.map(|it| json!({"name": it.name, "name_en": it.name_en, "name_zh": it.name_zh})).collect();
    let levels: serde_json::Map<String, Value> =
        indicator.levels.iter().map(|level| (level.level.clone(), json!(plain(&level.least)))).collect();
    json!({
        "indicator": indicator.indicator, "name_en": indicator.name_en, "name_zh": indicator.name_zh,
        "category": indicator.category, "grain": indicator.grain, "formula": indicator.formula,
        "window": indicator.window, "basis": indicator.basis, "notes": indicator.notes,
        "groups": indicator.groups, "has_key_values": indicator.has_key_values,
        "levels": levels, "figures": figures,
    })
}

/// All values that match, page by page; `limit` 0 = all. The first page's frame (time, total) comes with them.
async fn fetch(
    client: &mut IndicatorServiceClient<Channel>,
    filter: IndicatorFilter,
    limit: usize,
) -> Result<(Vec<IndicatorValue>, QueryIndicatorsResponse), Failure> {
    let page_size = if limit == 0 { PAGE } else { PAGE.min(limit as u32) };
    let mut request = QueryIndicatorsRequest { filter: Some(filter), page_size, page_token: String::new() };
    let (mut values, mut first) = (Vec::new(), None);
    loop {
        let mut page = client.query_indicators(request.clone()).await?.into_inner();
        values.append(&mut page.values);
        request.page_token = page.next_page_token.clone();
        let last = page.next_page_token.is_empty() || (limit > 0 && values.len() >= limit);
        let first = first.get_or_insert(page);
        if last {
            if limit > 0 {
                values.truncate(limit);
            }
            return Ok((values, std::mem::take(first)));
        }
    }
}

/// Values as a listing. Tables show the first figures alone; programs get all of them.
fn listing(values: &[IndicatorValue], names: &HashMap<String, Indicator>, format: Format) -> Listing {
    let columns =
        ["indicator", "name_en", "name_zh", "key", "date", "value", "level", "numerator", "denominator", "figures"];
    let mut listing = Listing::new(columns);
    for value in values {
        let name = names.get(&value.indicator);
        let shown = if format == Format::Table { FIGURES_SHOWN } else { usize::MAX };
        let figures: Vec<String> = value.figures.iter().take(shown).map(figure_text).collect();
        listing.push([
            json!(value.indicator),
            json!(name.map(|name| name.name_en.as_str())),
            json!(name.map(|name| name.name_zh.as_str())),
            json!(value.key),
            json!(value.date),
            ratio(&value.numerator, &value.denominator),
            json!(value.level),
            json!(value.numerator),
            json!(value.denominator),
            json!(figures.join(if format == Format::Table { "\n" } else { "; " })),
        ]);
    }
    listing
}

fn ratio(numerator: &str, denominator: &str) -> Value {
    if numerator.is_empty() || denominator.is_empty() || denominator == "0" {
        return Value::Null;
    }
    json!(decimal(numerator, denominator))
}

fn figure_text(figure: &Figure) -> String {
    let value = match (figure.value.as_str(), figure.denominator.as_str()) {
        ("", _) => "-".to_owned(),
        (value, "") => value.to_owned(),
        (top, bottom) => decimal(top, bottom),
    };
    format!("{}={value}", figure.name)
}

fn value_json(value: &IndicatorValue) -> Value {
    let figure = |figure: &Figure| {
        let value = match (figure.value.as_str(), figure.denominator.as_str()) {
            ("", _) => Value::Null,
            (value, "") => json!(value),
            (numerator, denominator) => json!({"numerator": numerator, "denominator": denominator}),
        };
        (figure.name.clone(), value)
    };
    json!({
        "indicator": value.indicator, "key": value.key, "date": value.date,
        "value": ratio(&value.numerator, &value.denominator), "level": value.level,
        "numerator": value.numerator, "denominator": value.denominator,
        "figures": value.figures.iter().map(figure).collect::<serde_json::Map<_, _>>(),
    })
}

async fn show(args: ShowArgs) -> Outcome {
    let mut client = connect(&args.cluster.address).await?;
    let filter = IndicatorFilter { from_date: args.from, to_date: args.to, ..args.which.into() };
    let (values, frame) = fetch(&mut client, filter, args.limit).await?;
    match args.output.format {
        Format::Json => print_json(&json!({
            "as_of": as_of_json(frame.as_of),
            "total": frame.total_size,
            "values": values.iter().map(value_json).collect::<Vec<_>>(),
        })),
        format => {
            let listing = listing(&values, &listed(&mut client).await?, format);
            if format == Format::Csv {
                listing.stamped(frame.as_of).print(format)?;
            } else {
                listing.print(format)?;
                print_line(&format!("{} of {} values, {}", values.len(), frame.total_size, as_of_text(frame.as_of)))?;
            }
            Ok(())
        }
    }
}

async fn watch(args: WatchArgs) -> Outcome {
    let mut client = connect(&args.cluster.address).await?;
    let names = listed(&mut client).await?;
    let request = WatchIndicatorsRequest { filter: Some(args.which.into()) };
    let mut stream = client.watch_indicators(request).await?.into_inner();
    while let Some(answer) = stream.message().await? {
        if answer.values.is_empty() && !answer.snapshot {
            continue; // Progress only.
        }
        let table = listing(&answer.values, &names, args.output.format);
        match args.output.format {
            Format::Json => print_line(
                &json!({
                    "as_of": as_of_json(answer.as_of),
                    "snapshot": answer.snapshot,
                    "values": answer.values.iter().map(value_json).collect::<Vec<_>>(),
                })
                .to_string(),
            )?,
            Format::Csv => {
                let table = table.with("snapshot", &json!(answer.snapshot)).stamped(answer.as_of);
                if answer.snapshot { table.print(Format::Csv)? } else { table.print_more(Format::Csv)? }
            }
            Format::Table => {
                table.print(Format::Table)?;
                print_line(&as_of_text(answer.as_of))?;
            }
        }
    }
    Ok(())
}

async fn explain(args: ExplainArgs) -> Outcome {
    let mut client = connect(&args.cluster.address).await?;
    let request = ExplainIndicatorRequest { indicator: args.indicator, key: args.key, date: args.date };
    let answer = client.explain_indicator(request).await?.into_inner();
    let format = args.output.format;
    let mut lines = Listing::new(["window", "bill_id", "behaviour", "biz_date", "event_id", "member", "sum"]);
    let shown = if format == Format::Table { LINES_SHOWN } else { usize::MAX };
    for line in answer.lines.iter().take(shown) {
        lines.push([
            json!(line.window),
            json!(line.bill_id),
            json!(line.behaviour),
            json!(line.biz_date),
            json!(line.event_id),
            json!(line.member),
            json!(line.sum),
        ]);
    }
    match format {
        Format::Json => print_json(&explanation_json(&answer)),
        Format::Csv if answer.members.is_empty() => lines.stamped(answer.as_of).print(Format::Csv),
        Format::Csv => {
            listing(&answer.members, &listed(&mut client).await?, format).stamped(answer.as_of).print(format)
        }
        Format::Table => {
            let names = listed(&mut client).await?;
            print_explanation(&answer, &lines, &names)
        }
    }
}

fn explanation_json(answer: &ExplainIndicatorResponse) -> Value {
    let windows = answer.windows.iter();
    let lines = answer.lines.iter();
    json!({
        "as_of": as_of_json(answer.as_of),
        "formula": answer.formula,
        "value": answer.value.as_ref().map(value_json),
        "windows": windows
            .map(|it| json!({"window": it.window, "feature": it.feature, "count": it.count, "sum": it.sum}))
            .collect::<Vec<_>>(),
        "lines": lines
            .map(|line| json!({
                "window": line.window, "bill_id": line.bill_id, "event_id": line.event_id,
                "behaviour": line.behaviour, "biz_date": line.biz_date, "member": line.member, "sum": line.sum,
            }))
            .collect::<Vec<_>>(),
        "total_lines": answer.total_lines,
        "members": answer.members.iter().map(value_json).collect::<Vec<_>>(),
    })
}

fn print_explanation(
    answer: &ExplainIndicatorResponse,
    lines: &Listing,
    names: &HashMap<String, Indicator>,
) -> Outcome {
    print_line(&answer.formula)?;
    if let Some(value) = &answer.value {
        listing(std::slice::from_ref(value), names, Format::Table).print(Format::Table)?;
        let figures = names.get(&value.indicator).map_or(&[][..], |indicator| &indicator.figures);
        let mut table = Listing::new(["figure", "name_en", "name_zh", "value"]);
        for (name, figure) in figures.iter().zip(&value.figures) {
            let text = figure_text(figure);
            let text = text.split_once('=').map_or("", |(_, value)| value);
            table.push([json!(name.name), json!(name.name_en), json!(name.name_zh), json!(text)]);
        }
        print_line("figures (构成)")?;
        table.print(Format::Table)?;
    }
    if !answer.members.is_empty() {
        print_line("members (成员)")?;
        listing(&answer.members, names, Format::Table).print(Format::Table)?;
    } else {
        let mut windows = Listing::new(["window", "feature", "count", "sum"]);
        for window in &answer.windows {
            windows.push([json!(window.window), json!(window.feature), json!(window.count), json!(window.sum)]);
        }
        print_line("windows (窗口)")?;
        windows.print(Format::Table)?;
        print_line("facts and lots behind them (明细)")?;
        lines.print(Format::Table)?;
        let shown = answer.lines.len().min(LINES_SHOWN);
        print_line(&format!("{shown} of {} lines; --format csv prints more", answer.total_lines))?;
    }
    print_line(&as_of_text(answer.as_of))
}
