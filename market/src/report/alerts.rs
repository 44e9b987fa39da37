//! Figures of alerts (R22): alerts that hold come from who judges them, those that were withdrawn from the alert ledger.
//!
//! Which alerts hold is a function of the facts. Which were withdrawn is not: it tells in what order facts came.

use serde::{Deserialize, Serialize};

use super::{
    definition::Book,
    figure::{AlertName, Amount, Basis, Members, ReportName},
    tally::{Asked, Held, Key, Tables},
};
use crate::{
    bill::TextHash,
    ids::{Day, PartyId},
    items::Item,
    pattern::{AlertKey, AlertSet, HitCount, Patterns},
};

/// An alert as reports see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenAlert {
    /// Pattern id.
    pub pattern: String,
    /// Place in BLUE, YELLOW, ORANGE, RED.
    pub level: u16,
    /// Business date.
    pub day: Day,
    /// Key as text.
    pub key: String,
    /// Its basis is gone.
    pub withdrawn: bool,
}

/// The alerts of a set: all of them hold.
pub fn holding(alerts: &AlertSet, patterns: &Patterns) -> Vec<SeenAlert> {
    let seen = |(pattern, key, day, hits): (_, &AlertKey, Day, &HitCount)| {
        let level = hits.level()? as u16;
        let key = key.to_string();
        Some(SeenAlert { pattern: patterns.id(pattern).to_owned(), level, day, key, withdrawn: false })
    };
    alerts.iter().filter_map(seen).collect()
}

/// True when one of the figures counts alerts.
pub fn counts_alerts(book: &Book, asked: &[Asked]) -> bool {
    asked.iter().any(|asked| book.figure(asked).basis == Basis::Alerts)
}

/// Puts the alerts of a question into its tables.
pub fn add_alerts(book: &Book, asked: &[Asked], tables: &mut Tables) {
    let alerts = std::mem::take(&mut tables.alerts);
    tables.tables.resize_with(asked.len().max(tables.tables.len()), Default::default);
    let vocabulary = book.meanings.vocabulary();
    let item = |name: AlertName, alert: &SeenAlert| match name {
        AlertName::Key => PartyId::parse(&alert.key).map_or(Item::NA, Item::party),
        AlertName::Withdrawn => {
            let code = if alert.withdrawn { "Y" } else { "N" };
            vocabulary.parse_item(Some(vocabulary.known.yes_no), code).unwrap_or(Item::UNKNOWN)
        }
        AlertName::Pattern => {
            vocabulary.parse_item(vocabulary.enumeration("pattern"), &alert.pattern).unwrap_or(Item::UNKNOWN)
        }
        AlertName::Level => vocabulary
            .enumeration("alert_level")
            .filter(|levels| usize::from(alert.level) < vocabulary.codes(*levels).len())
            .map_or(Item::UNKNOWN, |levels| Item::code(levels, alert.level)),
        AlertName::Family => {
            let row = book.meanings.catalogue().pattern(&alert.pattern);
            let family =
                row.and_then(|row| vocabulary.parse_item(vocabulary.enumeration("engine_family"), &row.family));
            family.unwrap_or(Item::UNKNOWN)
        }
    };
    let of = |name: ReportName, alert: &SeenAlert| match name {
        ReportName::Alert(name) => item(name, alert),
        _ => Item::NA,
    };
    for (place, asked) in asked.iter().enumerate() {
        let figure = book.figure(asked);
        if figure.basis != Basis::Alerts {
            continue;
        }
        for alert in alerts.iter().filter(|alert| (asked.span.from..=asked.span.to).contains(&alert.day)) {
            if !figure.filters.iter().all(|filter| filter.holds(&[of(filter.name, alert)])) {
                continue;
            }
            let key: Key = figure.by.iter().map(|(_, name)| of(*name, alert)).collect();
            let sums = figure.amounts.iter().map(|amount| i128::from(*amount == Amount::Count)).collect();
            let members = figure.members.iter().map(|members| match members {
                Members::Keys => [(TextHash::of(&alert.key).bits(), (1, 0))].into_iter().collect(),
                _ => Default::default(),
            });
            let held = Held { sums, members: members.collect() };
            match tables.tables[place].entry(key) {
                std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().add(&held),
                std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(held)),
            }
        }
    }
}
