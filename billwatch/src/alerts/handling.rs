//! `billwatch alerts handle` and `history`: what supervisors do with alerts.

use billwatch_proto::v1::{AlertAction, HandleAlertsRequest, ListAlertActionsRequest};
use serde_json::json;

use super::{PAGE, connect, listing, table};
use crate::{
    cli::{AlertsHandleArgs, AlertsHistoryArgs, Format},
    failure::{Failure, Outcome},
    output::{Listing, market_time, print_json, print_line},
    query::{as_of_json, as_of_text},
};

/// Writes down what was done.
pub async fn handle(args: AlertsHandleArgs) -> Outcome {
    let set_by = args.by.or_else(|| std::env::var("USER").ok()).unwrap_or_default();
    let request = HandleAlertsRequest {
        alert_ids: args.alert_ids,
        status: args.status,
        disposition: args.disposition,
        set_by,
        note: args.note,
    };
    let answer = connect(&args.cluster.address).await?.handle_alerts(request).await?.into_inner();
    let alerts = listing(&answer.alerts);
    match args.output.format {
        Format::Json => print_json(&json!({
            "as_of": answer.as_of.map(|as_of| as_of_json(Some(as_of))),
            "epoch": answer.epoch,
            "alerts": alerts.json(),
        })),
        Format::Csv => alerts.with("epoch", &json!(answer.epoch)).stamped(answer.as_of).print(Format::Csv),
        Format::Table => {
            table(&answer.alerts).print(Format::Table)?;
            print_line(&match answer.as_of {
                Some(as_of) => format!("written down, {}", as_of_text(Some(as_of))),
                None => format!("written down; shown once the workers have come to epoch {}", answer.epoch),
            })
        }
    }
}

/// All actions, of some alerts or of all, oldest first.
pub async fn fetch_actions(address: &str, alert_ids: Vec<String>) -> Result<Vec<AlertAction>, Failure> {
    let mut client = connect(address).await?;
    let mut request = ListAlertActionsRequest { alert_ids, page_size: PAGE, page_token: String::new() };
    let mut actions = Vec::new();
    loop {
        let mut page = client.list_alert_actions(request.clone()).await?.into_inner();
        actions.append(&mut page.actions);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(actions);
        }
    }
}

/// Prints what was done.
pub async fn history(args: AlertsHistoryArgs) -> Outcome {
    let mut listing = Listing::new([
        "alert_id",
        "status",
        "disposition",
        "set_by",
        "set_time",
        "note",
        "epoch",
        "market_clock",
        "raised_clock",
    ]);
    for action in fetch_actions(&args.cluster.address, args.alert_ids).await? {
        listing.push([
            json!(action.alert_id),
            json!(action.status),
            json!(action.disposition),
            json!(action.set_by),
            json!(market_time(action.set_time_ms)),
            json!(action.note),
            json!(action.epoch),
            json!(market_time(action.market_clock_ms)),
            json!(market_time(action.raised_clock_ms)),
        ]);
    }
    listing.print(args.output.format)
}
