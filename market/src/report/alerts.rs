//! Figures of alerts (R22): alerts that hold come from who judges them, with what was done with them; those that were
//! withdrawn from the alert ledger.
//!
//! Which alerts hold is a function of the facts. What was done with them is one of the actions in the log. Which were withdrawn
//! is neither: it tells in what order facts came. An alert that was withdrawn counts as such alone, whatever was done with it.

use serde::{Deserialize, Serialize};

use super::{
    definition::Book,
    figure::{Basis, Figure, Stage},
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
    pattern::{AlertKey, AlertSet, HitCount},
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

    /// The business day on which somebody acted: no earlier one than the alert's ([`Stage`]).
    fn day_of(&self, clock_ms: i64) -> Day {
        Day::of_time(clock_ms).max(self.day)
    }

    fn is_of(&self, stage: Stage, span: Span) -> bool {
        let closed = || Some(self.day_of(self.handling?.closed_ms?));
        match stage {
            Stage::Raised => span.holds(self.day),
            Stage::Acknowledged => {
                self.handling.is_some_and(|handling| span.holds(self.day_of(handling.acknowledged_ms)))
            }
            Stage::Closed => closed().is_some_and(|day| span.holds(day)),
            Stage::Open => !self.withdrawn && self.day <= span.to && closed().is_none_or(|day| day > span.to),
        }
    }

    /// Market clock, ms, from its appearance until the action of a stage.
    fn wait(&self, stage: Stage) -> Option<i64> {
        let handling = self.handling?;
        let until = match stage {
            Stage::Acknowledged => handling.acknowledged_ms,
            Stage::Closed => handling.closed_ms?,
            Stage::Raised | Stage::Open => return None,
        };
        Some(until - handling.raised_ms)
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
            handling: sight.handling(pattern, key, day).copied(),
        })
    };
    alerts.iter().filter_map(seen).collect()
}

/// True when one of the figures counts alerts.
pub fn counts_alerts(book: &Book, asked: &[Asked]) -> bool {
    asked.iter().any(|asked| matches!(book.figure(asked).basis, Basis::Alerts(_)))
}

/// True when one of the figures counts alerts that were withdrawn too, which neither facts nor actions tell. Those are raised
/// and no more: they are never open, and nothing was done with them.
pub fn counts_withdrawn(book: &Book, asked: &[Asked]) -> bool {
    let of_raised = |figure: &&Figure| figure.basis == Basis::Alerts(Stage::Raised);
    let mut figures = asked.iter().map(|asked| book.figure(asked)).filter(of_raised);
    let no = item_of(book, AlertName::Withdrawn, "N");
    figures.any(|figure| {
        let name = ReportName::Alert(AlertName::Withdrawn);
        !figure.filters.iter().any(|filter| filter.name == name && !filter.negated && filter.items == [no])
    })
}

/// The business dates of alerts whose amounts are asked.
pub fn amounts_wanted(book: &Book, asked: &[Asked]) -> Vec<Span> {
    let dates = |asked: &Asked| {
        let figure = book.figure(asked);
        match figure.basis {
            Basis::Alerts(_) if !figure.amounts.contains(&Amount::Amount) => None,
            Basis::Alerts(Stage::Raised) => Some(asked.span),
            Basis::Alerts(_) => Some(asked.span.ever()),
            _ => None,
        }
    };
    asked.iter().filter_map(dates).collect()
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
        AlertName::Status => {
            let status = alert.handling.map(|handling| handling.status).unwrap_or_default();
            item_of(book, name, status.code())
        }
        AlertName::Disposition => {
            let disposition = alert.handling.and_then(|handling| handling.disposition);
            disposition.map_or(Item::NA, |code| item_of(book, name, code.as_str()))
        }
    };
    let of = |name: ReportName, alert: &SeenAlert| match name {
        ReportName::Alert(name) => item(name, alert),
        _ => Item::NA,
    };
    for (place, asked) in asked.iter().enumerate() {
        let figure = book.figure(asked);
        let Basis::Alerts(stage) = figure.basis else { continue };
        for alert in alerts.iter().filter(|alert| alert.is_of(stage, asked.span)) {
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
            let members = figure.members.iter().map(|members| {
                let member = match members {
                    Members::Keys => Some(TextHash::of(&alert.key).bits()),
                    Members::Waits => alert.wait(stage).map(|wait| wait as u64),
                    _ => None,
                };
                member.into_iter().map(|member| (member, (1, 0))).collect()
            });
            let held = Held { sums, members: members.collect() };
            match tables.tables[place].entry(key) {
                std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().add(&held),
                std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(held)),
            }
        }
    }
}
