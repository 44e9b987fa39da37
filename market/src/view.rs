//! Views in canonical form: rows of bytes, and one hash a view that does not depend on order.
//!
//! The hash of a view is the wrapping sum of the 128-bit xxh3 of its rows, so the hashes of shards add up to the hash of the
//! whole, and a row that goes takes its hash with it. Two views are equal when their hashes are; the rows as text find the
//! first difference.

use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    aggregate::{
        Aggregates, CellKey,
        cross::{Cross, CrossId, CrossKey},
    },
    bill::{Effect, Lot},
    fact::EventId,
    ids::{BillId, Day},
    items::Item,
    pattern::{AlertKey, Cell, FeatureIndex, HitCount, Key, Member, Number},
};

/// Hash of a set of rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ViewHash(pub u128);

impl ViewHash {
    /// The hash of one row.
    pub fn of_row(row: &[u8]) -> Self {
        ViewHash(xxh3_128(row))
    }
}

impl Add for ViewHash {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        ViewHash(self.0.wrapping_add(other.0))
    }
}

impl AddAssign for ViewHash {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for ViewHash {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        ViewHash(self.0.wrapping_sub(other.0))
    }
}

impl std::fmt::Display for ViewHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What became of an accepted record: an effect of the fold, or a word of `corrections`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Fate {
    /// A fact of the market, with its effect.
    Folded(Effect),
    /// A correction that waits for its target.
    Waiting,
    /// An ordinary fact that was revoked.
    Revoked,
}

impl Fate {
    /// Its word in facts.md.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Folded(effect) => effect.name(),
            Fate::Waiting => "WAITING",
            Fate::Revoked => "REVOKED",
        }
    }
}

/// Row of a lot in the view of bills: everything that the state machine knows of it.
pub fn lot_row(bill: BillId, lot: &Lot) -> String {
    let party = |party: Option<crate::ids::PartyId>| party.map_or_else(String::new, |party| party.to_string());
    let inst = lot.holder_inst.map_or_else(String::new, |inst| inst.to_string());
    let overdue = lot.overdue_since.or(lot.answer_due).map_or_else(String::new, |day| day.to_string());
    format!(
        "{bill},{},{},{},{inst},{},{},{},{},{},{},{},{},{},{},{overdue}",
        lot.range,
        lot.amount_fen,
        lot.holder,
        lot.status.code(),
        lot.flag.code(),
        lot.risk.code(),
        lot.pay_state.code(),
        lot.hops,
        lot.since,
        lot.changed_on,
        lot.changed_at,
        party(lot.pledgee()),
        lot.lineage.len(),
    )
}

/// Hash of a lot in the view of bills.
pub fn lot_hash(bill: BillId, lot: &Lot) -> ViewHash {
    ViewHash::of_row(lot_row(bill, lot).as_bytes())
}

/// Row of a record in the view of effects.
pub fn effect_row(event_id: EventId, fate: Fate) -> String {
    format!("{event_id},{}", fate.name())
}

/// Hash of a record in the view of effects.
pub fn effect_hash(event_id: EventId, fate: Fate) -> ViewHash {
    let mut row = [0; 17];
    row[..16].copy_from_slice(&event_id.to_le_bytes());
    row[16] = match fate {
        Fate::Folded(effect) => effect as u8,
        Fate::Waiting => 254,
        Fate::Revoked => 255,
    };
    ViewHash::of_row(&row)
}

/// Row of a cell in the view of cells: theme, dimension, flow or stock, item, date, sums in the order of the slots.
pub fn cell_row(aggregates: &Aggregates, key: &CellKey, sums: &[i128]) -> String {
    let pair = aggregates.pair(key.pair);
    let theme = &aggregates.themes()[usize::from(pair.theme)];
    let side = if pair.stock { "stock" } else { "flow" };
    let item =
        if key.item == Item::ALL { "ALL".to_owned() } else { aggregates.meanings().vocabulary().item_text(key.item) };
    let sums: Vec<String> =
        aggregates.slots(key.pair).iter().zip(sums).map(|(slot, sum)| format!("{slot:?}={sum}")).collect();
    format!("{},{},{side},{item},{},{}", theme.id, pair.dimension, key.date, sums.join(","))
}

/// Hash of a cell in the view of cells; a cell whose sums are all zero is no row.
pub fn cell_hash(key: &CellKey, sums: &[i128]) -> ViewHash {
    if sums.iter().all(|sum| *sum == 0) {
        return ViewHash::default();
    }
    // Pairs and items by number: equal catalogues number them equally. Long enough for every theme.
    let mut row = [0u8; 14 + 16 * MAX_SLOTS];
    row[..2].copy_from_slice(&key.pair.to_le_bytes());
    row[2..6].copy_from_slice(&key.date.0.to_le_bytes());
    row[6..14].copy_from_slice(&key.item.bits().to_le_bytes());
    let mut length = 14;
    for sum in sums {
        row[length..length + 16].copy_from_slice(&sum.to_le_bytes());
        length += 16;
    }
    ViewHash::of_row(&row[..length])
}

/// Row of a cell of a cross in the view of crosses: its definition, flow or stock, date, items, sums.
pub fn cross_row(aggregates: &Aggregates, cross: &Cross, key: &CrossKey, sums: &[i128]) -> String {
    let side = if key.stock { "stock" } else { "flow" };
    let vocabulary = aggregates.meanings().vocabulary();
    let items = key.items[..cross.definition.dimensions.len()].iter().map(|item| vocabulary.item_text(*item));
    let slots = cross.slots(aggregates, key.stock).iter().zip(sums).map(|(slot, sum)| format!("{slot:?}={sum}"));
    let (items, slots): (Vec<String>, Vec<String>) = (items.collect(), slots.collect());
    format!("{},{side},{},{},{}", cross.definition, key.date, items.join(" "), slots.join(","))
}

/// Hash of a cell of a cross in the view of crosses; a cell whose sums are all zero is no row.
pub fn cross_hash(cross: CrossId, key: &CrossKey, sums: &[i128]) -> ViewHash {
    if sums.iter().all(|sum| *sum == 0) {
        return ViewHash::default();
    }
    let mut row = Vec::with_capacity(48 + 16 * sums.len());
    row.extend_from_slice(&cross.0.to_le_bytes());
    row.extend_from_slice(&key.date.0.to_le_bytes());
    row.push(u8::from(key.stock));
    key.items.iter().for_each(|item| row.extend_from_slice(&item.bits().to_le_bytes()));
    sums.iter().for_each(|sum| row.extend_from_slice(&sum.to_le_bytes()));
    ViewHash::of_row(&row)
}

/// Row of a feature cell in the view of features: place of the feature in the rule set, key, bucket, member, count, sum.
pub fn feature_row(feature: FeatureIndex, key: Key, bucket: i64, member: Member, cell: Cell) -> String {
    format!("{},{:016x},{:016x},{bucket},{member},{},{}", feature.0, key.0, key.1, cell.count, cell.sum)
}

/// Row of an alert in the view of alerts: pattern id, key, business date, hits at BLUE, YELLOW, ORANGE, RED.
pub fn alert_row(pattern_id: &str, key: &AlertKey, date: Day, hits: &HitCount) -> String {
    let [blue, yellow, orange, red] = hits.by_level;
    format!("{pattern_id},{key},{date},{blue},{yellow},{orange},{red}")
}

/// Row of the view of indicators: indicator, key, day, and the parts of the key on that day, empty where they are not known.
pub fn indicator_row(indicator_id: &str, key: Key, day: Day, parts: &[Option<Number>]) -> String {
    let mut row = format!("{indicator_id},{:016x},{:016x},{day}", key.0, key.1);
    for part in parts {
        row.push(',');
        row.push_str(&part.map_or_else(String::new, |part| part.to_string()));
    }
    row
}

/// Most slots of a theme; `aggregate` has a test.
pub const MAX_SLOTS: usize = 8;
