//! Figures of alerts: they come from the alert ledger, not from facts.

use super::{
    definition::Book,
    figure::{AlertName, Amount, Basis, Members, ReportName},
    tally::{Asked, Held, Key, Tables},
};
use crate::{
    bill::TextHash,
    ids::{Day, PartyId},
    items::Item,
};

/// An alert, as the ledger has it.
#[derive(Clone, PartialEq, Eq, Debug)]
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

/// Adds alerts to the tables of a question.
pub fn add_alerts<'a>(
    book: &Book,
    asked: &[Asked],
    alerts: impl Iterator<Item = &'a SeenAlert> + Clone,
    tables: &mut Tables,
) {
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
        let figure = &book.reports[usize::from(asked.report)].figures[usize::from(asked.figure)];
        if figure.basis != Basis::Alerts {
            continue;
        }
        for alert in alerts.clone().filter(|alert| (asked.span.from..=asked.span.to).contains(&alert.day)) {
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
