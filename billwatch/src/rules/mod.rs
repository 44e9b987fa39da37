//! `billwatch rules`: how patterns stand, and alarms about those that are dead.

pub mod args;

use billwatch_bench::client;
use billwatch_proto::v1::{
    GetRuleLivenessRequest, GetRuleLivenessResponse, ListRuleLivenessRequest, RuleLiveness, RuleState,
    WatchRuleAlarmsRequest, rule_service_client::RuleServiceClient,
};
use serde_json::{Value, json};
use tonic::transport::Channel;

use self::args::{ListArgs, RulesCommand, ShowArgs, StateArg};
use crate::{
    cli::{AskArgs, Format},
    failure::{Failure, Outcome},
    output::{Listing, print_json, print_line},
    query::{as_of_json, as_of_text},
};

/// Runs the command.
pub async fn run(command: RulesCommand) -> Outcome {
    match command {
        RulesCommand::List(args) => list(args).await,
        RulesCommand::Show(args) => show(args).await,
        RulesCommand::Watch(args) => watch(args).await,
    }
}

async fn connect(address: &str) -> Result<RuleServiceClient<Channel>, Failure> {
    Ok(RuleServiceClient::new(client::connect(address).await?))
}

/// Name and Chinese name of a state.
fn state_names(state: RuleState) -> (&'static str, &'static str) {
    match state {
        RuleState::Unspecified => ("", ""),
        RuleState::Live => ("LIVE", "有预警"),
        RuleState::Quiet => ("QUIET", "无发现"),
        RuleState::DeadInput => ("DEAD_INPUT", "输入中断"),
        RuleState::DeadReference => ("DEAD_REFERENCE", "参考数据为空"),
        RuleState::NeverFed => ("NEVER_FED", "从未输入"),
    }
}

fn asked(state: StateArg) -> RuleState {
    match state {
        StateArg::Live => RuleState::Live,
        StateArg::Quiet => RuleState::Quiet,
        StateArg::DeadInput => RuleState::DeadInput,
        StateArg::DeadReference => RuleState::DeadReference,
        StateArg::NeverFed => RuleState::NeverFed,
    }
}

/// Empty text is no value.
fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

fn rule_json(rule: &RuleLiveness) -> Value {
    let (state, state_zh) = state_names(rule.state());
    json!({
        "pattern": rule.pattern, "name_en": rule.name_en, "name_zh": rule.name_zh,
        "state": state, "state_zh": state_zh, "dead_since": text(&rule.dead_since),
        "first_fed": text(&rule.first_fed), "last_fed": text(&rule.last_fed),
        "silence_allowed": rule.silence_allowed,
        "read": rule.read, "joined": rule.joined, "in_window": rule.in_window, "near_threshold": rule.near_threshold,
        "alerts": rule.alerts, "empty_reference_data": rule.empty_reference_data,
    })
}

const COLUMNS: [&str; 14] = [
    "pattern",
    "name_en",
    "name_zh",
    "state",
    "state_zh",
    "dead_since",
    "last_fed",
    "read",
    "joined",
    "in_window",
    "near_threshold",
    "alerts",
    "silence_allowed",
    "empty_reference_data",
];

fn listing(rules: &[RuleLiveness]) -> Listing {
    let mut listing = Listing::new(COLUMNS);
    for rule in rules {
        let mut row = rule_json(rule);
        row["empty_reference_data"] = json!(rule.empty_reference_data.join(" "));
        listing.push(COLUMNS.map(|column| row[column].take()));
    }
    listing
}

async fn list(args: ListArgs) -> Outcome {
    let request = ListRuleLivenessRequest {
        patterns: args.patterns,
        states: args.state.iter().map(|state| asked(*state).into()).collect(),
        only_dead: args.dead,
        business_days: args.days,
        without_figures: args.brief,
    };
    let answer = connect(&args.cluster.address).await?.list_rule_liveness(request).await?.into_inner();
    match args.output.format {
        Format::Json => print_json(&json!({
            "as_of": as_of_json(answer.as_of),
            "from_date": text(&answer.from_date),
            "to_date": text(&answer.to_date),
            "dead": answer.dead,
            "rules": answer.rules.iter().map(rule_json).collect::<Vec<_>>(),
        })),
        Format::Csv => listing(&answer.rules).stamped(answer.as_of).print(Format::Csv),
        Format::Table => {
            listing(&answer.rules).print(Format::Table)?;
            let span = format!("{} to {}", answer.from_date, answer.to_date);
            let span = if answer.to_date.is_empty() { "no day yet".to_owned() } else { span };
            print_line(&format!(
                "{} patterns, {span}; {} of all are dead, {}",
                answer.rules.len(),
                answer.dead,
                as_of_text(answer.as_of)
            ))
        }
    }
}

async fn show(args: ShowArgs) -> Outcome {
    let request = GetRuleLivenessRequest { pattern: args.pattern, business_days: args.days };
    let answer = connect(&args.cluster.address).await?.get_rule_liveness(request).await?.into_inner();
    let mut days = Listing::new(["date", "read", "joined"]);
    for day in &answer.days {
        days.push([json!(day.date), json!(day.read), json!(day.joined)]);
    }
    match args.output.format {
        Format::Json => print_json(&shown_json(&answer, &days)),
        Format::Csv => days.stamped(answer.as_of).print(Format::Csv),
        Format::Table => {
            print_line(&about(&answer))?;
            days.print(Format::Table)?;
            print_line(&as_of_text(answer.as_of))
        }
    }
}

fn shown_json(answer: &GetRuleLivenessResponse, days: &Listing) -> Value {
    json!({
        "as_of": as_of_json(answer.as_of),
        "from_date": text(&answer.from_date),
        "to_date": text(&answer.to_date),
        "rule": answer.rule.as_ref().map(rule_json),
        "behaviours": answer.behaviours,
        "any_effect": answer.any_effect,
        "reference_data": answer.reference_data,
        "days": days.json(),
    })
}

/// A rule in lines of words.
fn about(answer: &GetRuleLivenessResponse) -> String {
    let known = |number: Option<i64>| number.map_or_else(|| "not told".to_owned(), |number| number.to_string());
    let listed = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(" ") };
    let mut lines = Vec::new();
    if let Some(rule) = &answer.rule {
        let (state, state_zh) = state_names(rule.state());
        lines.push(format!("{} {} {}: {state} {state_zh}", rule.pattern, rule.name_en, rule.name_zh));
        if !rule.dead_since.is_empty() {
            lines.push(format!("dead since     {}", rule.dead_since));
        }
        if !rule.empty_reference_data.is_empty() {
            lines.push(format!("empty          {}", listed(&rule.empty_reference_data)));
        }
        if !rule.last_fed.is_empty() {
            lines.push(format!(
                "fed            {} to {}; may be silent for {} business days",
                rule.first_fed, rule.last_fed, rule.silence_allowed
            ));
        }
        lines.push(format!("span           {} to {}", answer.from_date, answer.to_date));
        lines.push(format!("read           {}", rule.read));
        lines.push(format!("joined         {}", known(rule.joined)));
        lines.push(format!("in window      {}", known(rule.in_window)));
        lines.push(format!("near threshold {}", known(rule.near_threshold)));
        lines.push(format!("alerts         {}", rule.alerts));
    }
    let effect = if answer.any_effect { ", also without effect" } else { "" };
    lines.push(format!("due by         {}{effect}", listed(&answer.behaviours)));
    lines.push(format!("reference data {}", listed(&answer.reference_data)));
    lines.join("\n")
}

async fn watch(args: AskArgs) -> Outcome {
    let mut client = connect(&args.cluster.address).await?;
    let mut stream = client.watch_rule_alarms(WatchRuleAlarmsRequest {}).await?.into_inner();
    while let Some(answer) = stream.message().await? {
        if answer.rules.is_empty() && !answer.snapshot {
            continue; // Progress only.
        }
        match args.output.format {
            Format::Json => print_line(
                &json!({
                    "as_of": as_of_json(answer.as_of),
                    "snapshot": answer.snapshot,
                    "rules": answer.rules.iter().map(rule_json).collect::<Vec<_>>(),
                })
                .to_string(),
            )?,
            Format::Csv => {
                let alarms = listing(&answer.rules).with("snapshot", &json!(answer.snapshot)).stamped(answer.as_of);
                if answer.snapshot { alarms.print(Format::Csv)? } else { alarms.print_more(Format::Csv)? }
            }
            Format::Table => {
                listing(&answer.rules).print(Format::Table)?;
                print_line(&as_of_text(answer.as_of))?;
            }
        }
    }
    Ok(())
}
