//! Defaults of absent fields that need more than a constant (fields.csv `default_when_absent`).
//!
//! The fold, the rules and the dimensions read them here, so that they cannot disagree. A default is never written into the
//! fact (facts.md 1).

use crate::{
    catalogue::calendar::Calendar,
    fact::{Fact, Field},
    ids::{Code, Day},
};

const NEXT_DAY: Code = Code::of("T1");

/// `settle_date`: as sent, else the business date, or the next business day when settlement is T1.
pub(crate) fn settle_date(fact: &Fact, calendar: &Calendar) -> Day {
    fact.date(Field::SettleDate).unwrap_or_else(|| match fact.code(Field::SettlementSpeed) {
        Some(NEXT_DAY) => calendar.next(fact.biz_date),
        _ => fact.biz_date,
    })
}

/// `redeem_date`: as sent, else the settlement date and the days of the repo.
pub(crate) fn redeem_date(fact: &Fact, calendar: &Calendar) -> Option<Day> {
    fact.date(Field::RedeemDate).or_else(|| {
        let days = fact.int(Field::RepoDays).and_then(|days| i32::try_from(days).ok())?;
        Some(Day(settle_date(fact, calendar).0.saturating_add(days)))
    })
}

/// `settlement_result` of a behaviour.
pub(crate) fn settlement_result(behaviour: &str) -> Option<&'static str> {
    match behaviour.rsplit('.').next() {
        Some("SET" | "RED" | "ERD" | "ORD") => Some("OK"),
        Some("FLD" | "RDF") => Some("FAIL_CASH"),
        Some("QUE") => Some("QUEUED"),
        _ => None,
    }
}
