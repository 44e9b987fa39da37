//! Figures of alerts (R22): alerts that hold come from who judges them, those that were withdrawn from the alert ledger.
//!
//! Which alerts hold is a function of the facts. Which were withdrawn is not: it tells in what order facts came.

use serde::{Deserialize, Serialize};

use super::{
    definition::Book,
    figure::Basis,
    names::{AlertName, ReportName},
    period::Span,
    slot::{Amount, Members},
    tally::{Asked, Held, Key, Tables},
};
use crate::{
    aggregate::alerts::{AlertSight, players},
    bill::TextHash,
    handling::Handling,
    ids::{Day, PartyId},
    items::Item,
    names::{Attribute, Role},
    observe::{Meanings, Played, attributes::AsOf},
    pattern::{AlertId, AlertKey, AlertSet, HitCount},
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
    /// Face of the bill that it is about, where an amount is wanted; 0 for other keys and withdrawn alerts.
    pub face_fen: i64,
    /// Type of the first institution of its key at the end of its business date; NA for other keys and withdrawn alerts.
    pub institution_type: Item,
    /// What was done with it; `None` while it is new, and for withdrawn alerts.
    pub handling: Option<Handling>,
}

impl SeenAlert {
    /// A withdrawn alert, of which the ledger keeps the name and the level.
    pub fn withdrawn(pattern: String, level: u16, day: Day, key: String) -> Self {
        SeenAlert { pattern, level, day, key, withdrawn: true, face_fen: 0, institution_type: Item::NA, handling: None }
    }
}

/// The alerts of a set: all of them hold. Bills are looked at for alerts of the `amounts` alone.
pub fn holding(alerts: &AlertSet, sight: &AlertSight<'_>, meanings: &Meanings, amounts: &[Span]) -> Vec<SeenAlert> {
    let seen = |(pattern, key, day, hits): (_, &AlertKey, Day, &HitCount)| {
        let level = hits.level()? as u16;
        let face_fen = match key {
            AlertKey::Bill(bill) if amounts.iter().any(|span| (span.from..=span.to).contains(&day)) => {
                (sight.bill)(*bill).map_or(0, |header| header.face_fen)
            }
            _ => 0,
        };
        let as_of = AsOf { meanings, reference: sight.reference, at: day.end_ms() - 1, date: day };
        let institution = players(key, &as_of).into_iter().find(|player| player.party.is_legal());
        let institution_type = institution.and_then(|player| {
            let played = Played::By(player);
            let look = |player| as_of.look(player);
            as_of.items(Role::EachInstitution, played, Attribute::InstitutionType, look).first().copied()
        });
        Some(SeenAlert {
            pattern: sight.patterns.id(pattern).to_owned(),
            level,
            day,
            key: key.to_string(),
            withdrawn: false,
            face_fen,
            institution_type: institution_type.unwrap_or(Item::NA),
            handling: sight.handled.get(AlertId::of(sight.patterns.id(pattern), key, day)).copied(),
        })
    };
    alerts.iter().filter_map(seen).collect()
}

/// True when one of the figures counts alerts.
pub fn counts_alerts(book: &Book, asked: &[Asked]) -> bool {
    asked.iter().any(|asked| book.figure(asked).basis == Basis::Alerts)
}

/// True when one of the figures counts alerts that were withdrawn too, which facts alone do not tell.
pub fn counts_withdrawn(book: &Book, asked: &[Asked]) -> bool {
    let mut figures = asked.iter().map(|asked| book.figure(asked)).filter(|figure| figure.basis == Basis::Alerts);
    let no = item_of(book, AlertName::Withdrawn, "N");
    figures.any(|figure| {
        let name = ReportName::Alert(AlertName::Withdrawn);
        !figure.filters.iter().any(|filter| filter.name == name && !filter.negated && filter.items == [no])
    })
}

/// The spans in which amounts of alerts are asked.
pub fn amounts_wanted(book: &Book, asked: &[Asked]) -> Vec<Span> {
    let reads = |asked: &&Asked| {
        let figure = book.figure(asked);
        figure.basis == Basis::Alerts && figure.amounts.contains(&Amount::Amount)
    };
    asked.iter().filter(reads).map(|asked| asked.span).collect()
}

fn item_of(book: &Book, name: AlertName, code: &str) -> Item {
    let vocabulary = book.meanings.vocabulary();
    vocabulary.parse_item(ReportName::Alert(name).enumeration(vocabulary), code).unwrap_or(Item::UNKNOWN)
}

/// Puts the alerts of a question into its tables.
pub fn add_alerts(book: &Book, asked: &[Asked], tables: &mut Tables) {
    let alerts = std::mem::take(&mut tables.alerts);
    tables.tables.resize_with(asked.len().max(tables.tables.len()), Default::default);
    let item = |name: AlertName, alert: &SeenAlert| match name {
        AlertName::Key => PartyId::parse(&alert.key).map_or(Item::NA, Item::party),
        AlertName::InstitutionType => alert.institution_type,
        AlertName::Withdrawn => item_of(book, name, if alert.withdrawn { "Y" } else { "N" }),
        AlertName::Pattern => item_of(book, name, &alert.pattern),
        AlertName::Level => {
            let levels = ReportName::Alert(name).enumeration(book.meanings.vocabulary());
            levels.map_or(Item::UNKNOWN, |levels| Item::code(levels, alert.level))
        }
        AlertName::Family => {
            let row = book.meanings.catalogue().pattern(&alert.pattern);
            row.map_or(Item::UNKNOWN, |row| item_of(book, name, &row.family))
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
            let sum = |amount: &Amount| match amount {
                Amount::Count => 1,
                Amount::Amount => i128::from(alert.face_fen),
                _ => 0,
            };
            let sums = figure.amounts.iter().map(sum).collect();
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
