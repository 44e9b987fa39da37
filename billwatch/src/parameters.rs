//! `billwatch parameters`: what thresholds the patterns are judged under, who changed them, and what a change did.

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_proto::v1::{
    Alert, DiffKind, GetPatternParametersRequest, GetPatternParametersResponse, ListParameterDiffRequest,
    ParameterChange, ParameterDiffCounts, ParameterValue, SetPatternParametersRequest,
    parameter_service_client::ParameterServiceClient,
};
use serde_json::json;
use tonic::transport::Channel;

use crate::{
    alerts,
    cli::{Format, ParametersCommand, ParametersDiffArgs, ParametersListArgs, ParametersSetArgs},
    failure::{Failure, Outcome},
    output::{Listing, market_time, print_json, print_line},
    query::as_of_json,
};

/// Alerts of a difference asked for at once.
const PAGE: u32 = 1_000;

/// Runs the command.
pub async fn run(command: ParametersCommand) -> Outcome {
    match command {
        ParametersCommand::List(args) => list(args).await,
        ParametersCommand::History(args) => history(args).await,
        ParametersCommand::Set(args) => set(args).await,
        ParametersCommand::Diff(args) => diff(args).await,
    }
}

async fn connect(address: &str) -> Result<ParameterServiceClient<Channel>, Failure> {
    let channel = client::connect(address).await?;
    Ok(ParameterServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}

/// Values in force and all changes, of some patterns or of all.
pub async fn fetch(address: &str, patterns: Vec<String>) -> Result<GetPatternParametersResponse, Failure> {
    let request = GetPatternParametersRequest { patterns };
    Ok(connect(address).await?.get_pattern_parameters(request).await?.into_inner())
}

async fn list(args: ParametersListArgs) -> Outcome {
    let answer = fetch(&args.cluster.address, args.patterns).await?;
    let mut listing =
        Listing::new(["pattern", "name_en", "name_zh", "parameter", "value", "default", "kind", "is_changed"]);
    for pattern in &answer.patterns {
        for parameter in &pattern.parameters {
            listing.push([
                json!(pattern.pattern),
                json!(pattern.name_en),
                json!(pattern.name_zh),
                json!(parameter.name),
                json!(parameter.value),
                json!(parameter.default_value),
                json!(parameter.kind),
                json!(parameter.value != parameter.default_value),
            ]);
        }
    }
    match args.output.format {
        Format::Json => print_json(&json!({"version": answer.version, "parameters": listing.json()})),
        Format::Csv => listing.print(Format::Csv),
        Format::Table => {
            listing.print(Format::Table)?;
            print_line(&format!("version {} of the parameters (参数版本)", answer.version))
        }
    }
}

fn values_text(change: &ParameterChange) -> String {
    change.values.iter().map(|value| format!("{}={}", value.name, value.value)).collect::<Vec<_>>().join(" ")
}

async fn history(args: ParametersListArgs) -> Outcome {
    let answer = fetch(&args.cluster.address, args.patterns).await?;
    let mut listing = Listing::new([
        "version", "epoch", "set_time", "pattern", "values", "set_by", "reason", "new", "gone", "changed", "same",
    ]);
    for entry in &answer.history {
        let Some(change) = &entry.change else { continue };
        let count = |of: fn(&ParameterDiffCounts) -> u64| json!(entry.diff.as_ref().map(of));
        listing.push([
            json!(change.version),
            json!(change.epoch),
            json!(market_time(change.set_time_ms)),
            json!(change.pattern),
            json!(values_text(change)),
            json!(change.set_by),
            json!(change.reason),
            count(|diff| diff.new_alerts),
            count(|diff| diff.gone),
            count(|diff| diff.changed),
            count(|diff| diff.same),
        ]);
    }
    listing.print(args.output.format)
}

/// `min_n=20` as a value.
fn value(text: &str) -> Result<ParameterValue, Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok(ParameterValue { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err(Failure::Usage(format!("`{text}`: write NAME=VALUE, for instance min_n=20 or min_n=default"))),
    }
}

async fn set(args: ParametersSetArgs) -> Outcome {
    let values = args.values.iter().map(|text| value(text)).collect::<Result<_, _>>()?;
    let set_by = args.by.or_else(|| std::env::var("USER").ok()).unwrap_or_default();
    let request = SetPatternParametersRequest { pattern: args.pattern, values, set_by, reason: args.reason };
    let answer = connect(&args.cluster.address).await?.set_pattern_parameters(request).await?.into_inner();
    let change = answer.change.unwrap_or_default();
    if answer.diff.is_none() {
        let words = "accepted; no workers have come so far: `billwatch parameters history` shows the difference later";
        return match args.output.format {
            Format::Json => print_json(&json!({"version": change.version, "epoch": change.epoch, "counts": null})),
            _ => print_line(&format!("version {}: {words}", change.version)),
        };
    }
    show_diff(&args.cluster.address, change.version, args.output.format).await
}

async fn diff(args: ParametersDiffArgs) -> Outcome {
    show_diff(&args.cluster.address, args.version, args.output.format).await
}

/// The whole difference of a change, as people or programs read it.
async fn show_diff(address: &str, version: u32, format: Format) -> Outcome {
    let mut client = connect(address).await?;
    let mut request = ListParameterDiffRequest { version, page_size: PAGE, page_token: String::new() };
    let (mut change, mut counts) = (ParameterChange::default(), ParameterDiffCounts::default());
    let mut as_of = None;
    let mut found: Vec<(DiffKind, Alert)> = Vec::new();
    loop {
        let page = client.list_parameter_diff(request.clone()).await?.into_inner();
        (change, counts) = (page.change.unwrap_or(change), page.counts.unwrap_or(counts));
        as_of = page.as_of.or(as_of);
        found.extend(page.alerts.into_iter().filter_map(|row| Some((row.kind(), row.alert?))));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let of = |kind| alerts::listing(found.iter().filter(|(known, _)| *known == kind).map(|(_, alert)| alert));
    let (new, gone, changed) = (of(DiffKind::New), of(DiffKind::Gone), of(DiffKind::Changed));
    match format {
        Format::Json => print_json(&json!({
            "version": change.version,
            "epoch": change.epoch,
            "as_of": as_of_json(as_of),
            "pattern": change.pattern,
            "values": values_text(&change),
            "set_by": change.set_by,
            "reason": change.reason,
            "counts": {
                "new": counts.new_alerts, "gone": counts.gone, "changed": counts.changed, "same": counts.same,
            },
            "new": new.json(),
            "gone": gone.json(),
            "changed": changed.json(),
        })),
        Format::Csv => {
            let mut listing = Listing::new(["diff", "alert_id", "pattern", "key", "biz_date", "level"]);
            for (kind, alert) in &found {
                let fields = [&alert.alert_id, &alert.pattern, &alert.key, &alert.biz_date, &alert.level];
                let word = kind.as_str_name().trim_start_matches("DIFF_KIND_");
                listing.push(std::iter::once(json!(word)).chain(fields.map(|field| json!(field))));
            }
            listing.print(Format::Csv)
        }
        Format::Table => {
            for (words, listing) in [("new (新增)", &new), ("gone (消失)", &gone), ("changed (变化)", &changed)] {
                if listing.len() > 0 {
                    print_line(words)?;
                    listing.print(Format::Table)?;
                }
            }
            print_line(&format!(
                "version {}, epoch {}: {} {} by {} ({}): {} new, {} gone, {} changed, {} same",
                change.version,
                change.epoch,
                change.pattern,
                values_text(&change),
                change.set_by,
                change.reason,
                counts.new_alerts,
                counts.gone,
                counts.changed,
                counts.same
            ))
        }
    }
}
