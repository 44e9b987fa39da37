//! What supervisors do with alerts: acknowledge, look into, escalate, close, dispose of, suppress.
//!
//! An action is no fact: it changes no bill, feature or judgement, and a correction does not touch it (derived.csv
//! `alert.status`, `alert.disposition`). It is an order that stands in the log like any other, so how an alert is handled is
//! a function of the log, the same after every replay. Begin with [`Handlings::apply`].
//!
//! Invariants: an alert without an action is [`Status::New`], and nothing makes it new again; only [`Status::Closed`] has a
//! disposition. Whether the alert holds is another matter: one whose basis goes is withdrawn, whatever was done with it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{ids::Code, pattern::AlertId};

/// Where the work on an alert stands (enums.csv `alert_status`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub enum Status {
    /// Nobody did anything.
    #[default]
    New,
    /// Somebody has seen it.
    Acknowledged,
    /// Somebody looks into it.
    UnderInvestigation,
    /// It was handed on to others.
    Escalated,
    /// Closed: the rule was wrong about it.
    FalsePositive,
    /// Closed, with a disposition.
    Closed,
    /// Closed: nobody wants to see it.
    Suppressed,
}

/// Every status with its code, in the order of the enumeration.
pub const STATUSES: [(Status, &str); 7] = [
    (Status::New, "NEW"),
    (Status::Acknowledged, "ACK"),
    (Status::UnderInvestigation, "INV"),
    (Status::Escalated, "ESC"),
    (Status::FalsePositive, "FP"),
    (Status::Closed, "CLS"),
    (Status::Suppressed, "SUP"),
];

impl Status {
    /// The status of a code.
    pub fn parse(code: &str) -> Option<Self> {
        STATUSES.iter().find(|(_, known)| *known == code).map(|(status, _)| *status)
    }

    /// Its code.
    pub fn code(self) -> &'static str {
        STATUSES[self as usize].1
    }

    /// True when nobody works on it any more. R22 (reports.md): closed includes false positives and suppressed ones.
    pub fn is_closed(self) -> bool {
        matches!(self, Status::FalsePositive | Status::Closed | Status::Suppressed)
    }
}

/// A status and a disposition (`""`: none) by their codes; `None` when one of them is no code.
pub fn parse_codes(status: &str, disposition: &str) -> Option<(Status, Option<Code>)> {
    let disposition = match disposition {
        "" => None,
        code => Some(Code::parse(code)?),
    };
    Some((Status::parse(status)?, disposition))
}

/// One action on an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action {
    /// The new status; never [`Status::New`].
    pub status: Status,
    /// What came of it (enums.csv `alert_disposition`); with [`Status::Closed`] alone.
    pub disposition: Option<Code>,
    /// Market clock (ms) of the epoch at which the alert appeared.
    pub raised_ms: i64,
    /// Market clock (ms) that the supervisor saw.
    pub clock_ms: i64,
}

/// How an alert is handled, after all actions on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Handling {
    /// The status that the last action gave it.
    pub status: Status,
    /// The disposition of a closed one.
    pub disposition: Option<Code>,
    /// Market clock (ms) of the epoch at which it appeared.
    pub raised_ms: i64,
    /// Market clock (ms) of the first action.
    pub acknowledged_ms: i64,
    /// Market clock (ms) since which it is closed without a break; `None` while it is not.
    pub closed_ms: Option<i64>,
}

/// Alerts on which somebody acted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Handlings {
    alerts: HashMap<AlertId, Handling>,
}

impl Handlings {
    /// Applies the next action, in the order of the log.
    pub fn apply(&mut self, alert: AlertId, action: Action) {
        let Action { status, disposition, raised_ms, clock_ms } = action;
        let handling = self.alerts.entry(alert).or_insert(Handling {
            status,
            disposition,
            raised_ms,
            acknowledged_ms: clock_ms,
            closed_ms: None,
        });
        (handling.status, handling.disposition) = (status, disposition);
        handling.closed_ms = status.is_closed().then(|| handling.closed_ms.unwrap_or(clock_ms));
    }

    /// Puts the outcome of all actions on an alert in place.
    pub fn put(&mut self, alert: AlertId, handling: Handling) {
        self.alerts.insert(alert, handling);
    }

    /// How an alert is handled; `None` while it is new.
    pub fn get(&self, alert: AlertId) -> Option<&Handling> {
        self.alerts.get(&alert)
    }

    /// All, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (AlertId, &Handling)> {
        self.alerts.iter().map(|(alert, handling)| (*alert, handling))
    }

    /// Number of alerts on which somebody acted.
    pub fn len(&self) -> usize {
        self.alerts.len()
    }

    /// True when nobody acted on any alert.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn statuses_are_those_of_the_enumeration() {
        let catalogue = Catalogue::embedded();
        let enumeration = catalogue.enums.named("alert_status").unwrap();
        let known: Vec<&str> = enumeration.items.iter().map(|item| &*item.code).collect();
        assert_eq!(known, STATUSES.map(|(_, code)| code));
        for (status, code) in STATUSES {
            assert_eq!((Status::parse(code), status.code()), (Some(status), code));
        }
    }

    #[test]
    fn an_alert_is_closed_since_it_was_closed_without_a_break() {
        let (alert, mut handlings) = (AlertId(1), Handlings::default());
        let mut act = |status, disposition: Option<&str>, clock_ms| {
            let disposition = disposition.and_then(Code::parse);
            handlings.apply(alert, Action { status, disposition, raised_ms: 5, clock_ms });
            let now = handlings.get(alert).unwrap();
            (now.status, now.disposition, now.acknowledged_ms, now.closed_ms)
        };
        let reminded = Code::parse("DP03");
        assert_eq!(act(Status::Acknowledged, None, 10), (Status::Acknowledged, None, 10, None));
        assert_eq!(act(Status::Closed, Some("DP03"), 20), (Status::Closed, reminded, 10, Some(20)));
        assert_eq!(act(Status::FalsePositive, None, 30), (Status::FalsePositive, None, 10, Some(20)));
        assert_eq!(act(Status::UnderInvestigation, None, 40), (Status::UnderInvestigation, None, 10, None));
        assert_eq!(act(Status::Suppressed, None, 50), (Status::Suppressed, None, 10, Some(50)));
    }
}
