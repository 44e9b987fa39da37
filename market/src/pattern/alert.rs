//! What a judge says: a hit, and the alert that hits make.
//!
//! An alert is named by (pattern, key, business date). It exists while it has hits; its level is the highest with hits. Hits
//! carry a weight of +1 or −1, so an alert retracts like any total.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    fact::{EventId, Source},
    ids::{BillId, Code, Day, InstId, PartyId},
    packed::{Packer, Unpacker},
};

/// Place of a rule in the loaded rule set ([`super::Patterns::rules`]); not stable between rule sets, never written to disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PatternIndex(pub u16);

/// Severity of an alert (derived.csv `alert.level`): BLUE < YELLOW < ORANGE < RED.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Level {
    /// 蓝
    Blue = 0,
    /// 黄
    Yellow,
    /// 橙
    Orange,
    /// 红
    Red,
}

/// Every level, lowest first.
pub const LEVELS: [Level; 4] = [Level::Blue, Level::Yellow, Level::Orange, Level::Red];

impl Level {
    /// Parses the severity column of patterns.csv.
    pub fn parse(text: &str) -> Option<Self> {
        LEVELS.into_iter().find(|level| level.name() == text)
    }

    /// As written in patterns.csv.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Blue => "blue",
            Level::Yellow => "yellow",
            Level::Orange => "orange",
            Level::Red => "red",
        }
    }

    /// One level lower: what a warning gets (facts.md 9.8). Blue stays blue.
    pub const fn lower(self) -> Self {
        match self {
            Level::Blue | Level::Yellow => Level::Blue,
            Level::Orange => Level::Yellow,
            Level::Red => Level::Orange,
        }
    }
}

/// Whom or what an alert is about; prints as the key text of facts.md 8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum AlertKey {
    /// A bill package.
    Bill(BillId),
    /// An enterprise, institution (legal id) or group.
    Party(PartyId),
    /// A branch.
    Branch(InstId),
    /// Two parties, `a,b`. An unordered pair has the smaller first.
    Pair(PartyId, PartyId),
    /// A message.
    Event(EventId),
    /// A deal.
    Deal(Box<str>),
    /// A system of record.
    Source(Source),
    /// Three parties or more, ascending: `a,b,c`.
    Parties(Box<[PartyId]>),
}

impl AlertKey {
    /// Writes the key beside the state of a bill, which most keys are about.
    pub(super) fn pack(&self, to: &mut Packer) {
        match self {
            AlertKey::Bill(bill) if *bill == to.bill() => to.byte(0),
            AlertKey::Bill(bill) => {
                to.byte(1);
                to.byte(bill.length);
                to.wide(bill.digits);
            }
            AlertKey::Party(party) => {
                to.byte(2);
                to.party(Some(*party));
            }
            AlertKey::Branch(branch) => {
                to.byte(3);
                to.branch(Some(*branch));
            }
            AlertKey::Pair(left, right) => {
                to.byte(4);
                to.party(Some(*left));
                to.party(Some(*right));
            }
            AlertKey::Event(event) => {
                to.byte(5);
                to.wide(*event);
            }
            AlertKey::Deal(deal) => {
                to.byte(6);
                to.text(deal);
            }
            AlertKey::Source(source) => {
                to.byte(7);
                to.byte(source.rank());
            }
            AlertKey::Parties(parties) => {
                to.byte(8);
                to.number(parties.len() as u64);
                parties.iter().for_each(|party| to.party(Some(*party)));
            }
        }
    }

    /// Reads what [`AlertKey::pack`] wrote.
    pub(super) fn unpack(from: &mut Unpacker<'_>) -> Self {
        match from.byte() {
            0 => AlertKey::Bill(from.bill()),
            1 => {
                let length = from.byte();
                AlertKey::Bill(BillId { digits: from.wide(), length })
            }
            2 => AlertKey::Party(from.named_party()),
            3 => AlertKey::Branch(from.branch().unwrap_or(InstId(0))),
            4 => AlertKey::Pair(from.named_party(), from.named_party()),
            5 => AlertKey::Event(from.wide()),
            6 => AlertKey::Deal(from.text().into()),
            7 => AlertKey::Source(Source::from_rank(from.byte()).unwrap_or_else(|| {
                from.fail("packed source");
                Source::Refd
            })),
            8 => AlertKey::Parties((0..from.small()).map(|_| from.named_party()).collect()),
            _ => {
                from.fail("packed alert key");
                AlertKey::Bill(from.bill())
            }
        }
    }
}

impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AlertKey::Bill(bill) => bill.fmt(f),
            AlertKey::Party(party) => party.fmt(f),
            AlertKey::Branch(branch) => branch.fmt(f),
            AlertKey::Pair(left, right) => write!(f, "{left},{right}"),
            AlertKey::Event(event) => event.fmt(f),
            AlertKey::Deal(deal) => deal.fmt(f),
            AlertKey::Source(source) => source.code().fmt(f),
            AlertKey::Parties(parties) => {
                for (place, party) in parties.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{party}")?;
                }
                Ok(())
            }
        }
    }
}

/// One judgement that a pattern holds; its weight travels beside it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Hit {
    /// The rule.
    pub pattern: PatternIndex,
    /// Whom it is about.
    pub key: AlertKey,
    /// Business date of the alert.
    pub date: Day,
    /// How grave.
    pub level: Level,
}

impl Hit {
    /// Writes the hit beside the state of a bill. The place of its rule is in it: valid under one rule set only.
    pub fn pack(&self, to: &mut Packer) {
        to.number(u64::from(self.pattern.0));
        self.key.pack(to);
        to.day(self.date);
        to.byte(self.level as u8);
    }

    /// Reads what [`Hit::pack`] wrote.
    pub fn unpack(from: &mut Unpacker<'_>) -> Self {
        Hit {
            pattern: PatternIndex(from.small()),
            key: AlertKey::unpack(from),
            date: from.day(),
            level: LEVELS.get(usize::from(from.byte())).copied().unwrap_or_else(|| {
                from.fail("packed level");
                Level::Blue
            }),
        }
    }
}

/// Stable name of an alert: a hash of pattern id, key text and date. The same in every run and version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct AlertId(pub u128);

impl AlertId {
    /// The id of (pattern id such as `P013`, key, date).
    pub fn of(pattern_id: &str, key: &AlertKey, date: Day) -> Self {
        AlertId(xxh3_128(format!("{pattern_id}|{key}|{date}").as_bytes()))
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How many hits an alert has, by level.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct HitCount {
    /// By `Level as usize`. Transiently below 0 only while a batch of retractions is being added.
    pub by_level: [i32; 4],
}

impl HitCount {
    /// Adds `weight` hits of a level.
    pub fn add(&mut self, level: Level, weight: i32) {
        self.by_level[level as usize] += weight;
    }

    /// The alert's level: the highest with hits; `None` when there is no alert.
    pub fn level(&self) -> Option<Level> {
        LEVELS.into_iter().rev().find(|level| self.by_level[*level as usize] > 0)
    }

    /// All hits: the counter that "further hits raise" (domain.md 13.3).
    pub fn total(&self) -> i32 {
        self.by_level.iter().sum()
    }
}

/// Alerts by (pattern, key, date), with their counters. Equal sets of hits make equal sets of alerts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AlertSet {
    alerts: BTreeMap<(PatternIndex, AlertKey, Day), HitCount>,
}

impl AlertSet {
    /// Adds a hit with its weight.
    pub fn add(&mut self, hit: &Hit, weight: i32) {
        let name = (hit.pattern, hit.key.clone(), hit.date);
        let count = self.alerts.entry(name.clone()).or_default();
        count.add(hit.level, weight);
        if count.by_level == [0; 4] {
            self.alerts.remove(&name);
        }
    }

    /// Every alert, in order of (pattern, key, date).
    pub fn iter(&self) -> impl Iterator<Item = (PatternIndex, &AlertKey, Day, &HitCount)> {
        self.alerts.iter().map(|((pattern, key, date), count)| (*pattern, key, *date, count))
    }

    /// How many alerts there are.
    pub fn len(&self) -> usize {
        self.alerts.len()
    }

    /// True when there is no alert.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// The alert of a name.
    pub fn get(&self, pattern: PatternIndex, key: &AlertKey, date: Day) -> Option<&HitCount> {
        self.alerts.get(&(pattern, key.clone(), date))
    }
}

/// Key of a feature cell: one or two numbers. Exact for parties, pairs, branches and short codes; no hashing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key(pub u64, pub u64);

impl Key {
    /// The first part as a party.
    pub fn first_party(self) -> PartyId {
        PartyId::from_bits(self.0)
    }

    /// The second part as a party.
    pub fn second_party(self) -> PartyId {
        PartyId::from_bits(self.1)
    }

    /// The key of a text: a party, a branch, a code of up to 8 characters, or two of them as `a,b`.
    pub fn parse(text: &str) -> Option<Key> {
        if let Some((left, right)) = text.split_once(',') {
            return Some(Key(half(left.trim())?, half(right.trim())?));
        }
        half(text).map(|first| Key(first, 0))
    }

    /// [`Key::parse`], the other way round.
    pub fn text(self) -> String {
        if self.1 == 0 { half_text(self.0) } else { format!("{},{}", half_text(self.0), half_text(self.1)) }
    }
}

/// Half a key: a party, the nine digits of a branch, or a code of up to 8 characters.
fn half(text: &str) -> Option<u64> {
    let party = PartyId::parse(text).map(PartyId::bits);
    let branch = || InstId::parse(text).map(|branch| u64::from(branch.0));
    let code = || {
        let bytes = Code::parse(text)?.as_str().as_bytes().to_vec();
        let mut inline = [0; 8];
        inline.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some(u64::from_be_bytes(inline))
    };
    party.or_else(branch).or_else(code)
}

fn half_text(bits: u64) -> String {
    let inline = bits.to_be_bytes();
    let code = Code::from_bytes(inline.split(|byte| *byte == 0).next().unwrap_or_default());
    match code {
        // A party has its kind in the upper four bits, and its number does not read back as a code.
        Some(code) if half(code.as_str()) == Some(bits) => code.as_str().to_owned(),
        _ if bits >> 60 == 0 => format!("{bits:09}"),
        _ => PartyId::from_bits(bits).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_the_highest_with_hits() {
        let mut count = HitCount::default();
        assert_eq!(count.level(), None);
        count.add(Level::Yellow, 1);
        count.add(Level::Red, 1);
        assert_eq!((count.level(), count.total()), (Some(Level::Red), 2));
        count.add(Level::Red, -1);
        assert_eq!(count.level(), Some(Level::Yellow));
    }

    #[test]
    fn an_alert_without_hits_is_gone() {
        let key = AlertKey::Pair(PartyId::legal(100_101), PartyId::legal(100_102));
        assert_eq!(key.to_string(), "100101,100102");
        let hit = Hit { pattern: PatternIndex(0), key, date: Day(0), level: Level::Blue };
        let mut set = AlertSet::default();
        set.add(&hit, -1);
        assert_eq!(set.len(), 1);
        set.add(&hit, 1);
        assert!(set.is_empty());
    }

    #[test]
    fn the_id_never_changes() {
        let id = AlertId::of("P013", &AlertKey::Party(PartyId::enterprise(7)), Day::parse("2025-10-08").unwrap());
        assert_eq!(id, AlertId(xxh3_128(b"P013|E0000000007|2025-10-08")));
    }
}
