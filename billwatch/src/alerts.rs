//! `billwatch alerts`: the ledger of what the patterns found, why, and what was done about it.

mod evidence;
pub mod handling;

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_market::catalogue::Catalogue;
use billwatch_proto::v1::{
    Alert, AlertFilter, AlertReason, AlertState, ExplainAlertRequest, ExplainAlertResponse, ListAlertsRequest,
    WatchAlertsRequest, alert_service_client::AlertServiceClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

pub use self::evidence::print_explanation;
use crate::{
    cli::{AlertFilterArgs, AlertsCommand, AlertsListArgs, AlertsWatchArgs, Format, StateArg},
    failure::{Failure, Outcome},
    output::{Listing, market_time, print_json, print_line},
    query::{as_of_json, as_of_text},
};

/// Alerts asked for at once.
const PAGE: u32 = 1_000;

/// Runs the command.
pub async fn run(command: AlertsCommand) -> Outcome {
    match command {
        AlertsCommand::List(args) => list(args).await,
        AlertsCommand::Watch(args) => watch(args).await,
        AlertsCommand::Handle(args) => handling::handle(args).await,
        AlertsCommand::History(args) => handling::history(args).await,
        AlertsCommand::Explain(args) => {
            let answer = explain(&args.cluster.address, &args.alert_id).await?;
            print_explanation(&answer, args.output.format)
        }
    }
}

async fn connect(address: &str) -> Result<AlertServiceClient<Channel>, Failure> {
    let channel = client::connect(address).await?;
    Ok(AlertServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

impl From<AlertFilterArgs> for AlertFilter {
    fn from(args: AlertFilterArgs) -> Self {
        let state = match args.state {
            None => AlertState::Unspecified,
            Some(StateArg::Open) => AlertState::Open,
            Some(StateArg::Withdrawn) => AlertState::Withdrawn,
            Some(StateArg::BasisChanged) => AlertState::BasisChanged,
        };
        AlertFilter {
            patterns: args.patterns,
            families: args.families,
            keys: args.key,
            from_date: args.from,
            to_date: args.to,
            min_level: args.min_level,
            state: state.into(),
            statuses: args.status,
        }
    }
}

/// All alerts that match, page by page; `limit` 0 = all. The first page's frame (time, totals) comes with them.
pub async fn fetch(
    address: &str,
    filter: AlertFilter,
    limit: usize,
) -> Result<(Vec<Alert>, billwatch_proto::v1::ListAlertsResponse), Failure> {
    let mut client = connect(address).await?;
    let mut request = ListAlertsRequest { filter: Some(filter), page_size: PAGE, page_token: String::new() };
    let mut alerts = Vec::new();
    let mut first = None;
    loop {
        let mut page = client.list_alerts(request.clone()).await?.into_inner();
        alerts.append(&mut page.alerts);
        request.page_token = page.next_page_token.clone();
        let last = page.next_page_token.is_empty() || (limit > 0 && alerts.len() >= limit);
        let first = first.get_or_insert(page);
        if last {
            if limit > 0 {
                alerts.truncate(limit);
            }
            return Ok((alerts, std::mem::take(first)));
        }
    }
}

/// The evidence of an alert.
pub async fn explain(address: &str, alert_id: &str) -> Result<ExplainAlertResponse, Failure> {
    let request = ExplainAlertRequest { alert_id: alert_id.to_owned() };
    Ok(connect(address).await?.explain_alert(request).await?.into_inner())
}

fn state_name(alert: &Alert) -> &'static str {
    match alert.state() {
        AlertState::Unspecified => "UNKNOWN",
        AlertState::Open => "OPEN",
        AlertState::Withdrawn => "WITHDRAWN",
        AlertState::BasisChanged => "BASIS_CHANGED",
    }
}

/// What the alert last changed by.
fn reason_name(alert: &Alert) -> &'static str {
    match alert.reason() {
        AlertReason::Unspecified => "FACTS",
        AlertReason::ParametersChanged => "PARAMETERS_CHANGED",
    }
}

/// Enumerations of the catalogue that alerts have codes of.
const LEVELS: &str = "alert_level";
const STATUSES: &str = "alert_status";

/// The Chinese name of a code; null for a code that this build does not know.
fn chinese(enumeration: &str, code: &str) -> Value {
    let catalogue = Catalogue::embedded();
    let item = catalogue.enums.named(enumeration).and_then(|items| items.item(code));
    item.map_or(Value::Null, |item| json!(item.chinese))
}

/// A column of alerts: its name, whether tables for people have it, and what stands in it.
type Column = (&'static str, bool, fn(&Alert) -> Value);

/// Programs get all of them.
const COLUMNS: [Column; 22] = [
    ("alert_id", true, |alert| json!(alert.alert_id)),
    ("pattern", true, |alert| json!(alert.pattern)),
    ("name_en", true, |alert| json!(alert.name_en)),
    ("name_zh", true, |alert| json!(alert.name_zh)),
    ("family", false, |alert| json!(alert.family)),
    ("key", true, |alert| json!(alert.key)),
    ("biz_date", true, |alert| json!(alert.biz_date)),
    ("level", true, |alert| json!(alert.level)),
    ("level_zh", false, |alert| chinese(LEVELS, &alert.level)),
    ("hits", true, |alert| json!(alert.hits)),
    ("state", true, |alert| json!(state_name(alert))),
    ("status", true, |alert| json!(alert.status)),
    ("status_zh", false, |alert| chinese(STATUSES, &alert.status)),
    ("disposition", true, |alert| json!(alert.disposition)),
    ("handled_by", true, |alert| json!(alert.handled_by)),
    ("handled_time", false, |alert| json!((alert.handled_time_ms != 0).then(|| market_time(alert.handled_time_ms)))),
    ("changed_since_closed", true, |alert| json!(alert.changed_since_closed)),
    ("first_epoch", false, |alert| json!(alert.first_epoch)),
    ("last_epoch", false, |alert| json!(alert.last_epoch)),
    ("parameters_version", false, |alert| json!(alert.parameters_version)),
    ("reason", false, |alert| json!(reason_name(alert))),
    ("basis", false, |alert| json!(alert.basis)),
];

fn listing_of<'a>(alerts: impl IntoIterator<Item = &'a Alert>, wanted: impl Fn(&&Column) -> bool) -> Listing {
    let columns = || COLUMNS.iter().filter(&wanted);
    let mut listing = Listing::new(columns().map(|(name, ..)| *name));
    for alert in alerts {
        listing.push(columns().map(|(.., read)| read(alert)));
    }
    listing
}

/// Alerts as a listing.
pub fn listing<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Listing {
    listing_of(alerts, |_| true)
}

/// The same for people, in fewer columns: `--format json` and `csv` have all.
pub fn table<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Listing {
    listing_of(alerts, |(_, for_people, _)| *for_people)
}

async fn list(args: AlertsListArgs) -> Outcome {
    let (alerts, frame) = fetch(&args.cluster.address, args.filter.into(), args.limit).await?;
    let listing = listing(&alerts);
    match args.output.format {
        Format::Json => print_json(&json!({
            "as_of": as_of_json(frame.as_of),
            "total": frame.total_size,
            "open_by_pattern": frame.open_by_pattern,
            "alerts": listing.json(),
        })),
        Format::Csv => listing.stamped(frame.as_of).print(Format::Csv),
        Format::Table => {
            table(&alerts).print(Format::Table)?;
            print_line(&format!("{} of {} alerts, {}", alerts.len(), frame.total_size, as_of_text(frame.as_of)))
        }
    }
}

async fn watch(args: AlertsWatchArgs) -> Outcome {
    let request = WatchAlertsRequest { filter: Some(args.filter.into()) };
    let mut stream = connect(&args.cluster.address).await?.watch_alerts(request).await?.into_inner();
    let mut first = true;
    while let Some(answer) = stream.message().await? {
        match args.output.format {
            // Answers without alerts too: they say how far the ledger is.
            Format::Json => print_line(
                &json!({
                    "as_of": as_of_json(answer.as_of),
                    "snapshot": answer.snapshot,
                    "alerts": listing(&answer.alerts).json(),
                })
                .to_string(),
            )?,
            Format::Csv => {
                let listing = listing(&answer.alerts).with("snapshot", &json!(answer.snapshot)).stamped(answer.as_of);
                if first {
                    listing.print(Format::Csv)?
                } else {
                    listing.print_more(Format::Csv)?
                }
                first = false;
            }
            Format::Table if answer.alerts.is_empty() => {} // Progress only.
            Format::Table => {
                table(&answer.alerts).print(Format::Table)?;
                print_line(&as_of_text(answer.as_of))?;
            }
        }
    }
    Ok(())
}
