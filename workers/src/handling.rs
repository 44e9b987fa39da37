//! What supervisors did with alerts, as the coordinator tells it: what a generation begins with, and what each epoch brings.
//!
//! Every thread keeps all of it ([`crate::shard::Shard::handled`]): whoever owns an alert says how it is handled (T31, R22).

use billwatch_market::{
    handling::{Action, Handling, Handlings, Status, parse_codes},
    ids::Code,
    pattern::AlertId,
};
use billwatch_proto::v1;

fn codes(status: &str, disposition: &str) -> Result<(Status, Option<Code>), String> {
    parse_codes(status, disposition)
        .ok_or_else(|| format!("`{status}` `{disposition}` is no status and disposition of an alert"))
}

/// An action of an order.
///
/// # Errors
/// Its words are none: coordinator and worker are not of one build.
pub fn action(action: &v1::AlertAction) -> Result<(AlertId, Action), String> {
    let id = &action.alert_id;
    let alert = u128::from_str_radix(id, 16).map_err(|_| format!("`{id}` is no id of an alert"))?;
    let (status, disposition) = codes(&action.status, &action.disposition)?;
    let action = Action { status, disposition, raised_ms: action.raised_clock_ms, clock_ms: action.market_clock_ms };
    Ok((AlertId(alert), action))
}

/// What a generation begins with.
///
/// # Errors
/// As [`action`].
pub fn handlings(handled: &[v1::AlertHandling]) -> Result<Handlings, String> {
    let mut handlings = Handlings::default();
    for one in handled {
        let (status, disposition) = codes(&one.status, &one.disposition)?;
        let handling = Handling {
            status,
            disposition,
            raised_ms: one.raised_clock_ms,
            acknowledged_ms: one.acknowledged_clock_ms,
            closed_ms: one.closed_clock_ms,
        };
        handlings.put(AlertId(u128::from(one.id_high) << 64 | u128::from(one.id_low)), handling);
    }
    Ok(handlings)
}
