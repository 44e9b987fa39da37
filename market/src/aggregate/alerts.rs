//! T31: alerts as cells.
//!
//! No fact feeds this theme. Its cells are read off the alerts that hold now, where they are kept: at their owners, and in
//! the plain evaluator. What a party is, is read as of the end of the alert's business date; a bill's kind and face from its
//! owner. The hour is that of the first fact of the bill at which the rule hit; alerts that are not about a bill, and those
//! of limits that passed, have none. Source: derived.csv `theme.T31`, `alert.*`.
//!
//! Status and disposition are what supervisors entered ([`crate::handling`]): an alert on which nobody acted is `NEW`, one
//! without a disposition stands under NA. What was done with alerts that do not hold any more is counted nowhere.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::{
    Aggregates, Partial, Plan, is_time,
    measure::{SetKind, Slot},
    sink::{CellKey, SetDelta},
};
use crate::{
    bill::Header,
    handling::{Handling, Handlings, Status},
    ids::{BillId, Day},
    items::{Item, Items, Row},
    names::{Name, Role},
    observe::{Played, Player, attributes::AsOf, bill_names::header_item},
    pattern::{AlertId, AlertKey, HitCount, PatternIndex, Patterns},
    reference_data::Reference,
};

/// Items that an alert gives a dimension.
type AlertItems = SmallVec<[Item; 4]>;

/// What is known beside the alerts.
pub struct AlertSight<'a> {
    /// The rules that judged.
    pub patterns: &'a Patterns,
    /// Reference data.
    pub reference: &'a Reference,
    /// The face of a bill of this keeper; `None` for others.
    pub bill: &'a dyn Fn(BillId) -> Option<Header>,
    /// What was done with alerts.
    pub handled: &'a Handlings,
    /// When rules found something in a bill of this keeper: read for `D.hour` alone.
    pub moments: &'a dyn Fn(BillId) -> Moments,
}

impl AlertSight<'_> {
    /// What was done with an alert; `None` while it is new.
    pub fn handling(&self, pattern: PatternIndex, key: &AlertKey, date: Day) -> Option<&Handling> {
        if self.handled.is_empty() {
            return None;
        }
        self.handled.get(AlertId::of(self.patterns.id(pattern), key, date))
    }
}

/// The first fact (ms) of one bill at which a rule on single bills hit, by rule and business date of the alert.
pub type Moments = BTreeMap<(PatternIndex, Day), i64>;

/// One alert that holds.
#[derive(Clone, Copy)]
struct Alert<'a> {
    pattern: PatternIndex,
    key: &'a AlertKey,
    date: Day,
    hits: &'a HitCount,
    handling: Option<&'a Handling>,
}

impl Alert<'_> {
    fn status(&self) -> Status {
        self.handling.map_or(Status::New, |handling| handling.status)
    }
}

impl Aggregates {
    /// The cells that a plan of T31 reads, and their members, of the alerts of one keeper.
    pub fn cells_of_alerts<'a>(
        &self,
        plan: &Plan,
        alerts: impl Iterator<Item = (PatternIndex, &'a AlertKey, Day, &'a HitCount)>,
        sight: &'a AlertSight<'_>,
    ) -> Partial {
        let mut read = Partial::default();
        let Some(pair) = plan.flow else { return read };
        let theme = &self.themes[usize::from(self.pair(pair).theme)];
        let name = self.pair(pair).name;
        for (pattern, key, date, hits) in alerts {
            if hits.level().is_none() || !plan.wants_flow(&CellKey { pair, date, item: Item::ALL }) {
                continue;
            }
            let alert = Alert { pattern, key, date, hits, handling: sight.handling(pattern, key, date) };
            let header = match key {
                AlertKey::Bill(bill) => (sight.bill)(*bill),
                _ => None,
            };
            let face_fen = header.as_ref().map_or(0, |header| i128::from(header.face_fen));
            let sum = |slot: &Slot| match slot {
                Slot::Count => 1,
                Slot::Amount => face_fen,
                Slot::FalseAlerts => i128::from(alert.status() == Status::FalsePositive),
                Slot::ClosedAlerts => i128::from(alert.status().is_closed()),
                _ => 0,
            };
            let sums: Vec<i128> = theme.flow_slots.iter().map(sum).collect();
            let member = xxhash_rust::xxh3::xxh3_64(key.to_string().as_bytes());
            for item in self.items_of_alert(name, alert, header.as_ref(), sight) {
                let key = CellKey { pair, date, item };
                read.cells.push((key, sums.clone()));
                if plan.flow_sets.contains(&SetKind::AlertKeys) {
                    read.members.push(SetDelta { key, set: SetKind::AlertKeys, member, weight: 1 });
                }
            }
        }
        read
    }

    fn items_of_alert(
        &self,
        name: Name,
        alert: Alert<'_>,
        header: Option<&Header>,
        sight: &AlertSight<'_>,
    ) -> AlertItems {
        let vocabulary = self.meanings.vocabulary();
        let known = &vocabulary.known;
        let as_of = AsOf {
            meanings: &self.meanings,
            reference: sight.reference,
            at: alert.date.end_ms() - 1,
            date: alert.date,
        };
        let coded = |enumeration, code: &str| vocabulary.row_of_text(enumeration, code).item(enumeration);
        let one = match name {
            name if is_time(name) => Item::ALL,
            Name::AlertPattern => coded(known.pattern, sight.patterns.id(alert.pattern)),
            Name::AlertFamily => coded(known.engine_family, sight.patterns.family(alert.pattern)),
            Name::AlertLevel => {
                let level = alert.hits.level().map_or("", |level| level.name());
                coded(known.alert_level, &level.to_uppercase())
            }
            Name::AlertStatus => coded(known.alert_status, alert.status().code()),
            Name::AlertDisposition => {
                let disposition = alert.handling.and_then(|handling| handling.disposition);
                disposition.map_or(Item::NA, |code| coded(known.alert_disposition, code.as_str()))
            }
            Name::Hour => {
                let found = match alert.key {
                    AlertKey::Bill(bill) => (sight.moments)(*bill).get(&(alert.pattern, alert.date)).copied(),
                    _ => None,
                };
                found.map_or(Item::NA, |at| {
                    let hour = (at - Day::of_time(at).start_ms()) / 3_600_000;
                    Row(hour as u16).item(known.hour_of_day)
                })
            }
            Name::BillKind => header.and_then(|header| header_item(as_of, header, name)).unwrap_or(Item::NA),
            Name::Of(role, attribute) => {
                let mut items = AlertItems::new();
                for player in players(alert.key, &as_of) {
                    let is_meant = match role {
                        Role::EachEnterprise => player.party.is_enterprise(),
                        _ => player.party.is_legal(),
                    };
                    if !is_meant {
                        continue;
                    }
                    let found: Items = as_of.items(role, Played::By(player), attribute, |player| as_of.look(player));
                    for item in found {
                        if !items.contains(&item) {
                            items.push(item);
                        }
                    }
                }
                if items.is_empty() {
                    items.push(Item::NA);
                }
                return items;
            }
            _ => Item::NA,
        };
        AlertItems::from_slice(&[one])
    }
}

/// The parties that an alert with this key is about.
pub(crate) fn players(key: &AlertKey, as_of: &AsOf<'_>) -> SmallVec<[Player; 2]> {
    let mut players = SmallVec::new();
    match key {
        AlertKey::Party(party) => players.push(Player { party: *party, branch: None }),
        AlertKey::Pair(left, right) => {
            players.extend([*left, *right].map(|party| Player { party, branch: None }));
        }
        AlertKey::Parties(parties) => {
            players.extend(parties.iter().map(|party| Player { party: *party, branch: None }));
        }
        AlertKey::Branch(branch) => {
            let institution = as_of.reference.institution(None, Some(*branch), as_of.at);
            players.extend(institution.map(|known| Player { party: known.legal, branch: Some(*branch) }));
        }
        AlertKey::Bill(_) | AlertKey::Event(_) | AlertKey::Deal(_) | AlertKey::Source(_) => {}
    }
    players
}
