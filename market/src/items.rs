//! Items: the values that a dimension can take, as one `u64` each, and the enumerations behind them.
//!
//! An item is a special (`UNKNOWN`, `NA`, `ENTERPRISE`, `ALL`), a code of an enumeration (number of the enumeration and row
//! of the code), a party, a branch, a day or a plain number. Aggregates key their cells by items, so an item never holds
//! text; [`Vocabulary::item_text`] and [`Vocabulary::parse_item`] are the way to and from what people read.
//!
//! Codes are numbered by their place in `enums.csv`: numbers are stable as long as the catalogue's fingerprint is.

use std::fmt;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::{
    catalogue::Catalogue,
    ids::{Code, Day, InstId, PartyId},
};

const TAG_SHIFT: u32 = 56;
const PAYLOAD_MASK: u64 = (1 << TAG_SHIFT) - 1;
const TAG_SPECIAL: u64 = 0;
const TAG_CODE: u64 = 1;
const TAG_PARTY: u64 = 2;
const TAG_BRANCH: u64 = 3;
const TAG_DAY: u64 = 4;
const TAG_NUMBER: u64 = 5;
/// Signed payloads (days, numbers) are shifted by this so that items order as their values do.
const SIGN_OFFSET: i64 = 1 << 48;
const PARTY_KIND_SHIFT: u32 = 48;

/// One value of a dimension.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Item(u64);

/// What an [`Item`] holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ItemKind {
    /// `UNKNOWN`, `NA`, `ENTERPRISE` or `ALL`.
    Special(&'static str),
    /// A code: its enumeration and row.
    Code(Enumeration, u16),
    /// A party.
    Party(PartyId),
    /// A branch.
    Branch(InstId),
    /// A day.
    Day(Day),
    /// A number, for instance a hop count before it is put into its bucket.
    Number(i64),
}

/// The items of one name for one fact: usually one, several for multi-valued names, none when the fact has none.
pub type Items = SmallVec<[Item; 2]>;

impl Item {
    /// The value is missing, or its code is not in the enumeration (facts.md 2).
    pub const UNKNOWN: Item = Item(1);
    /// The attribute does not exist for this party (facts.md 2).
    pub const NA: Item = Item(2);
    /// An institution dimension, but the party is an enterprise (facts.md 2).
    pub const ENTERPRISE: Item = Item(3);
    /// The one item of a time dimension: its cells differ by their date alone.
    pub const ALL: Item = Item(4);

    /// A code by its place.
    pub const fn code(enumeration: Enumeration, row: u16) -> Self {
        Item(TAG_CODE << TAG_SHIFT | (enumeration.0 as u64) << 16 | row as u64)
    }

    /// A party.
    pub const fn party(party: PartyId) -> Self {
        let kind = party.bits() >> 60;
        Item(TAG_PARTY << TAG_SHIFT | kind << PARTY_KIND_SHIFT | party.number())
    }

    /// A branch.
    pub const fn branch(branch: InstId) -> Self {
        Item(TAG_BRANCH << TAG_SHIFT | branch.0 as u64)
    }

    /// A day.
    pub const fn day(day: Day) -> Self {
        Item(TAG_DAY << TAG_SHIFT | (day.0 as i64 + SIGN_OFFSET) as u64)
    }

    /// A number; what lies outside 48 bits is cut to its end.
    pub fn number(number: i64) -> Self {
        let number = number.clamp(-SIGN_OFFSET, SIGN_OFFSET - 1);
        Item(TAG_NUMBER << TAG_SHIFT | (number + SIGN_OFFSET) as u64)
    }

    /// The raw bits: stable, written to disk.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The item of these bits; the inverse of [`Item::bits`].
    pub const fn from_bits(bits: u64) -> Self {
        Item(bits)
    }

    /// What it holds.
    pub fn kind(self) -> ItemKind {
        let payload = self.0 & PAYLOAD_MASK;
        match self.0 >> TAG_SHIFT {
            TAG_CODE => ItemKind::Code(Enumeration((payload >> 16) as u16), payload as u16),
            TAG_PARTY => {
                let (kind, number) = (payload >> PARTY_KIND_SHIFT, payload & ((1 << PARTY_KIND_SHIFT) - 1));
                ItemKind::Party(PartyId::from_bits(kind << 60 | number))
            }
            TAG_BRANCH => ItemKind::Branch(InstId(payload as u32)),
            TAG_DAY => ItemKind::Day(Day((payload as i64 - SIGN_OFFSET) as i32)),
            TAG_NUMBER => ItemKind::Number(payload as i64 - SIGN_OFFSET),
            _ => ItemKind::Special(match self {
                Item::NA => "NA",
                Item::ENTERPRISE => "ENTERPRISE",
                Item::ALL => "ALL",
                _ => "UNKNOWN",
            }),
        }
    }

    /// The day it holds.
    pub fn as_day(self) -> Option<Day> {
        match self.kind() {
            ItemKind::Day(day) => Some(day),
            _ => None,
        }
    }

    /// The party it holds.
    pub fn as_party(self) -> Option<PartyId> {
        match self.kind() {
            ItemKind::Party(party) => Some(party),
            _ => None,
        }
    }

    /// True for `UNKNOWN`, `NA`, `ENTERPRISE`, `ALL`.
    pub const fn is_special(self) -> bool {
        self.0 >> TAG_SHIFT == TAG_SPECIAL
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind())
    }
}

/// Number of an enumeration: its place in `enums.csv`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Enumeration(pub u16);

/// A code as its row in a known enumeration; the enumeration is known from where it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Row(pub u16);

impl Row {
    /// Missing, or not in the enumeration.
    pub const UNKNOWN: Row = Row(u16::MAX);

    /// The item of this row of an enumeration.
    pub const fn item(self, enumeration: Enumeration) -> Item {
        if self.0 == u16::MAX { Item::UNKNOWN } else { Item::code(enumeration, self.0) }
    }

    /// True when the code is known.
    pub const fn is_known(self) -> bool {
        self.0 != u16::MAX
    }
}

#[derive(Debug)]
struct EnumerationTable {
    name: String,
    codes: Vec<String>,
    rows: HashMap<String, u16>,
    /// Codes that fit a [`Code`]: the way of facts, without text.
    by_code: HashMap<Code, u16>,
}

/// Every enumeration of the catalogue, numbered; immutable, shared.
#[derive(Debug)]
pub struct Vocabulary {
    tables: Vec<EnumerationTable>,
    by_name: HashMap<String, u16>,
    /// The enumerations that the code itself must name.
    pub known: Known,
}

macro_rules! known_enumerations {
    ($($field:ident),* $(,)?) => {
        /// Numbers of the enumerations that rules of the market name.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs)]
        pub struct Known { $(pub $field: Enumeration),* }

        impl Known {
            fn find(by_name: &HashMap<String, u16>) -> Result<Self, MissingEnumeration> {
                let number = |name: &'static str| {
                    by_name.get(name).copied().map(Enumeration).ok_or(MissingEnumeration(name))
                };
                Ok(Known { $($field: number(stringify!($field))?),* })
            }
        }
    };
}

known_enumerations!(
    province,
    city,
    economic_zone,
    industry_section,
    industry_division,
    institution_type,
    institution_group,
    member_type,
    institution_tier,
    asset_bucket,
    bill_kind,
    bill_number_kind_digit,
    medium,
    source_system,
    bill_status,
    circulation_flag,
    risk_status,
    pay_state,
    ecds_status,
    business_kind,
    notice_kind,
    change_reason,
    settlement_business,
    endorsement_kind,
    dishonour_reason,
    reject_reason,
    recourse_type,
    recourse_reason,
    answer_code,
    transferable_mark,
    signature_agent,
    account_identity,
    guarantee_type,
    discount_type,
    quote_method,
    settlement_method,
    settlement_speed,
    settlement_result,
    cash_business,
    payer_role,
    role,
    channel,
    enterprise_size,
    ownership,
    registration_type,
    registry_status,
    special_flag,
    watch_list_type,
    tenor_bucket,
    remaining_tenor_bucket,
    amount_bucket,
    rate_bucket,
    spread_bucket,
    overdue_age_bucket,
    hop_bucket,
    lot_count_bucket,
    holding_period_bucket,
    company_age_bucket,
    reg_capital_bucket,
    margin_ratio_bucket,
    repo_term_bucket,
    curve_tenor,
    bill_class,
    rate_kind,
    rating,
    currency,
    hour_of_day,
    month,
    quarter,
    year,
    day_type,
    yes_no,
    trade_side,
    product,
    rediscount_purpose,
    contract_type,
    invoice_type,
    goods_category,
    behaviour,
    behaviour_group,
    participant_status,
    relation_kind,
    list_action,
    enhance_kind,
    enhance_status,
    report_period,
    pattern,
    engine_family,
    alert_level,
    alert_status,
    alert_disposition,
);

/// An enumeration that the rules need is not in the catalogue.
#[derive(Debug, thiserror::Error)]
#[error("enums.csv has no enumeration `{0}`, which the rules of the market need: add its rows")]
pub struct MissingEnumeration(pub &'static str);

impl Vocabulary {
    /// Numbers the enumerations of (enumeration, code) rows, in the order in which they come.
    pub fn new<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, MissingEnumeration> {
        let mut tables: Vec<EnumerationTable> = Vec::new();
        let mut by_name: HashMap<String, u16> = HashMap::new();
        for (name, code) in rows {
            let at = *by_name.entry_ref(name).or_insert_with(|| {
                tables.push(EnumerationTable {
                    name: name.to_owned(),
                    codes: Vec::new(),
                    rows: HashMap::new(),
                    by_code: HashMap::new(),
                });
                tables.len() as u16 - 1
            });
            let table = &mut tables[usize::from(at)];
            let row = table.codes.len() as u16;
            table.codes.push(code.to_owned());
            table.rows.insert(code.to_owned(), row);
            if let Some(code) = Code::parse(code) {
                table.by_code.insert(code, row);
            }
        }
        let known = Known::find(&by_name)?;
        Ok(Vocabulary { tables, by_name, known })
    }

    /// The number of an enumeration.
    pub fn enumeration(&self, name: &str) -> Option<Enumeration> {
        self.by_name.get(name).copied().map(Enumeration)
    }

    /// The name of an enumeration.
    pub fn enumeration_name(&self, enumeration: Enumeration) -> &str {
        &self.tables[usize::from(enumeration.0)].name
    }

    /// The codes of an enumeration, by row.
    pub fn codes(&self, enumeration: Enumeration) -> &[String] {
        &self.tables[usize::from(enumeration.0)].codes
    }

    /// The row of a code as facts carry it.
    pub fn row(&self, enumeration: Enumeration, code: Code) -> Row {
        self.tables[usize::from(enumeration.0)].by_code.get(&code).copied().map_or(Row::UNKNOWN, Row)
    }

    /// The row of a code written as text.
    pub fn row_of_text(&self, enumeration: Enumeration, code: &str) -> Row {
        self.tables[usize::from(enumeration.0)].rows.get(code).copied().map_or(Row::UNKNOWN, Row)
    }

    /// The item of a code as facts carry it: `UNKNOWN` when it is missing or not in the enumeration.
    pub fn item(&self, enumeration: Enumeration, code: Option<Code>) -> Item {
        code.map_or(Row::UNKNOWN, |code| self.row(enumeration, code)).item(enumeration)
    }

    /// The code of a row.
    pub fn code_text(&self, enumeration: Enumeration, row: Row) -> Option<&str> {
        self.codes(enumeration).get(usize::from(row.0)).map(String::as_str)
    }

    /// The item as people read it.
    pub fn item_text(&self, item: Item) -> String {
        match item.kind() {
            ItemKind::Special(text) => text.to_owned(),
            ItemKind::Code(enumeration, row) => self
                .tables
                .get(usize::from(enumeration.0))
                .and_then(|table| table.codes.get(usize::from(row)))
                .cloned()
                .unwrap_or_else(|| "UNKNOWN".to_owned()),
            ItemKind::Party(party) => party.to_string(),
            ItemKind::Branch(branch) => branch.to_string(),
            ItemKind::Day(day) => day.to_string(),
            ItemKind::Number(number) => number.to_string(),
        }
    }

    /// The item that a text means in a dimension of this enumeration (`None`: a dimension of parties, branches or days).
    pub fn parse_item(&self, enumeration: Option<Enumeration>, text: &str) -> Option<Item> {
        if let Some(enumeration) = enumeration {
            let row = self.row_of_text(enumeration, text);
            if row.is_known() {
                return Some(row.item(enumeration));
            }
        }
        match text {
            "UNKNOWN" => return Some(Item::UNKNOWN),
            "NA" => return Some(Item::NA),
            "ENTERPRISE" => return Some(Item::ENTERPRISE),
            "ALL" => return Some(Item::ALL),
            _ => {}
        }
        if enumeration.is_some() {
            return None;
        }
        PartyId::parse(text)
            .map(Item::party)
            .or_else(|| InstId::parse(text).map(Item::branch))
            .or_else(|| Day::parse(text).map(Item::day))
    }

    /// The enumerations of a catalogue; their numbers are those of [`crate::catalogue::enums::EnumId`].
    pub fn of(catalogue: &Catalogue) -> Result<Self, MissingEnumeration> {
        let rows = catalogue.enums.iter().flat_map(|table| table.items.iter().map(|item| (&*table.name, &*item.code)));
        Vocabulary::new(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_what_they_were_made_of() {
        let party = PartyId::enterprise(9_999_999_999);
        assert_eq!(Item::party(party).kind(), ItemKind::Party(party));
        let legal = PartyId::legal(100_103);
        assert_eq!(Item::party(legal).as_party(), Some(legal));
        assert_eq!(Item::day(Day(-3)).as_day(), Some(Day(-3)));
        assert_eq!(Item::number(-17).kind(), ItemKind::Number(-17));
        assert!(Item::number(-1) < Item::number(0));
        assert_eq!(Item::branch(InstId(100_103_001)).kind(), ItemKind::Branch(InstId(100_103_001)));
        assert_eq!(Item::NA.kind(), ItemKind::Special("NA"));
    }

    #[test]
    fn every_code_prints_and_parses_as_itself() {
        let vocabulary = Vocabulary::of(&Catalogue::embedded()).unwrap();
        for table in &vocabulary.tables {
            let enumeration = vocabulary.enumeration(&table.name).unwrap();
            for code in &table.codes {
                let item = vocabulary.parse_item(Some(enumeration), code).unwrap();
                assert_eq!(&vocabulary.item_text(item), code, "{}", table.name);
            }
        }
        let province = vocabulary.known.province;
        assert_eq!(vocabulary.item(province, Some(Code::of("999999"))), Item::UNKNOWN);
        assert_eq!(vocabulary.parse_item(Some(province), "UNKNOWN"), Some(Item::UNKNOWN));
        assert_eq!(vocabulary.parse_item(None, "100103"), Some(Item::party(PartyId::legal(100_103))));
    }
}
