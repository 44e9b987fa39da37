//! A fact as it lives inside the product: a fixed envelope and the other fields, sorted by field number.
//!
//! Owns the in-memory form only. `ndjson` reads and writes the text form, `codec` the binary one. The content of a fact
//! never changes after acceptance; what a view adds (effect, roles, attributes) lives elsewhere.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

use crate::ids::{BillId, Code, Day, InstId, PartyId};

include!(concat!(env!("OUT_DIR"), "/vocabulary.rs"));

impl Field {
    /// Name as written in NDJSON.
    pub fn name(self) -> &'static str {
        FIELD_NAMES[self as usize]
    }

    /// Type as written in `fields.csv`, for instance `i64` or `enum:channel`.
    pub fn type_name(self) -> &'static str {
        FIELD_TYPES[self as usize]
    }
}

/// A bill behaviour (票据行为): the row number of its code in `behaviours.csv`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Behaviour(pub u16);

impl Behaviour {
    /// The behaviour of a code such as `END.SGN`. Linear in the table: resolve once, at the edge.
    pub fn parse(code: &str) -> Option<Self> {
        BEHAVIOUR_CODES.iter().position(|known| *known == code).map(|at| Behaviour(at as u16))
    }

    /// Its code, for instance `END.SGN`; of records of books (`books`) the name of their kind.
    pub fn code(self) -> &'static str {
        let number = usize::from(self.0);
        BEHAVIOUR_CODES.get(number).copied().unwrap_or_else(|| crate::books::CODES[number - BEHAVIOUR_CODES.len()])
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A system of record; the number is its rank in the order of facts (facts.md 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[repr(u8)]
pub enum Source {
    /// Reference and master data.
    Refd = 0,
    /// Paper registration.
    Preg,
    /// Electronic commercial draft system.
    Ecds,
    /// New-generation bill system.
    Ngbs,
    /// Supply-chain bill platform.
    Scbp,
    /// Discount-through platform.
    Dthp,
    /// Online bill payment.
    Bpay,
    /// Trading system.
    Cpes,
    /// Clearing and settlement.
    Clrs,
    /// Disclosure platform.
    Disc,
    /// Simulator.
    Simu,
}

/// Every source, by rank.
pub const SOURCES: [Source; 11] = [
    Source::Refd,
    Source::Preg,
    Source::Ecds,
    Source::Ngbs,
    Source::Scbp,
    Source::Dthp,
    Source::Bpay,
    Source::Cpes,
    Source::Clrs,
    Source::Disc,
    Source::Simu,
];

impl Source {
    /// Code as written in facts.
    pub const fn code(self) -> &'static str {
        match self {
            Source::Refd => "REFD",
            Source::Preg => "PREG",
            Source::Ecds => "ECDS",
            Source::Ngbs => "NGBS",
            Source::Scbp => "SCBP",
            Source::Dthp => "DTHP",
            Source::Bpay => "BPAY",
            Source::Cpes => "CPES",
            Source::Clrs => "CLRS",
            Source::Disc => "DISC",
            Source::Simu => "SIMU",
        }
    }

    /// The source of a code.
    pub fn parse(code: &str) -> Option<Self> {
        SOURCES.into_iter().find(|source| source.code() == code)
    }

    /// The source of a rank.
    pub fn from_rank(rank: u8) -> Option<Self> {
        SOURCES.get(usize::from(rank)).copied()
    }

    /// The source of a number that stands as a key: its rank and one.
    pub fn of_number(number: u64) -> Option<Self> {
        Self::from_rank(u8::try_from(number.checked_sub(1)?).ok()?)
    }

    /// Place in the order of facts of one millisecond.
    pub const fn rank(self) -> u8 {
        self as u8
    }
}

/// Identity of a fact, given by its source.
pub type EventId = u128;

/// What one fact is about: `[start, end]` of a package, both counted from 1; `0,0` = the whole indivisible bill.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Range {
    /// First sub-bill, 1-based; 0 for an indivisible bill.
    pub start: u64,
    /// Last sub-bill, inclusive.
    pub end: u64,
}

impl Range {
    /// The whole indivisible bill.
    pub const WHOLE: Range = Range { start: 0, end: 0 };

    /// Number of sub-bills = fen; 0 for `WHOLE`, whose length is the face.
    pub fn length(self) -> u64 {
        if self == Self::WHOLE { 0 } else { self.end - self.start + 1 }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::WHOLE { f.write_str("0") } else { write!(f, "{}-{}", self.start, self.end) }
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An event id in two words. As one number of 128 bits it would make every field of a fact half as large again, and the
/// facts of an epoch are read from memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HalvedId([u64; 2]);

impl From<EventId> for HalvedId {
    fn from(id: EventId) -> Self {
        HalvedId([(id >> 64) as u64, id as u64])
    }
}

impl From<HalvedId> for EventId {
    fn from(HalvedId([high, low]): HalvedId) -> Self {
        EventId::from(high) << 64 | EventId::from(low)
    }
}

/// A value of a field outside the envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// i64 and u64 (all below 2^63 by their bounds), ms, fen, days.
    Int(i64),
    /// true or false.
    Bool(bool),
    /// A calendar day.
    Date(Day),
    /// An enumeration code as sent, known or not.
    Code(Code),
    /// A party, person or group.
    Party(PartyId),
    /// A branch.
    Inst(InstId),
    /// An event id.
    Id(HalvedId),
    /// NFC text.
    Text(Box<str>),
    /// A set of codes, sorted.
    Codes(Box<[Code]>),
}

// Three words a value, one for its field.
const _: () = assert!(size_of::<(Field, Value)>() <= 32);

/// revoke or replace (facts.md 5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum CorrectionKind {
    /// As if the target had never been.
    Revoke,
    /// As if the target had been this content from the start.
    Replace,
}

/// What the coordinator stamped on the fact when it accepted it: part of the accepted fact, so replay gives it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// ms since 1970-01-01T00:00Z.
    pub ingest_time: i64,
    /// Highest watermark of the source accepted before the fact, ms; `i64::MIN` when there was none.
    pub source_watermark: i64,
}

/// An accepted (or to be accepted) fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// Identity given by the source.
    pub event_id: EventId,
    /// What happened.
    pub behaviour: Behaviour,
    /// When, ms since 1970-01-01T00:00Z.
    pub event_time: i64,
    /// Business date of the source.
    pub biz_date: Day,
    /// System of record.
    pub source: Source,
    /// Number in the sequence of the source, from 1.
    pub source_seq: u64,
    /// Stamped at acceptance.
    pub stamp: Stamp,
    /// The bill, when the fact is about one.
    pub bill_id: Option<BillId>,
    /// The range of the bill; `WHOLE` also when there is no bill.
    pub range: Range,
    /// False when `sub_start` and `sub_end` were not sent: `range` is `WHOLE` then, and P179 tells it from a sent 0,0.
    pub range_given: bool,
    /// Kind and target, when the fact is a correction.
    pub correction: Option<(CorrectionKind, EventId)>,
    /// All other fields present, sorted by field number, each at most once.
    pub fields: Vec<(Field, Value)>,
}

/// Key of the total order in which facts are folded (facts.md 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OrderKey {
    /// ms since 1970-01-01T00:00Z.
    pub event_time: i64,
    /// Rank of the source.
    pub source_rank: u8,
    /// Number in its sequence.
    pub source_seq: u64,
    /// Identity.
    pub event_id: EventId,
}

impl Fact {
    /// The value of a field outside the envelope.
    pub fn get(&self, field: Field) -> Option<&Value> {
        self.fields.binary_search_by_key(&field, |(known, _)| *known).ok().map(|at| &self.fields[at].1)
    }

    /// An integer field.
    pub fn int(&self, field: Field) -> Option<i64> {
        match self.get(field)? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A code field.
    pub fn code(&self, field: Field) -> Option<Code> {
        match self.get(field)? {
            Value::Code(value) => Some(*value),
            _ => None,
        }
    }

    /// A party field (also persons and groups).
    pub fn party(&self, field: Field) -> Option<PartyId> {
        match self.get(field)? {
            Value::Party(value) => Some(*value),
            _ => None,
        }
    }

    /// A branch field.
    pub fn inst(&self, field: Field) -> Option<InstId> {
        match self.get(field)? {
            Value::Inst(value) => Some(*value),
            _ => None,
        }
    }

    /// A date field.
    pub fn date(&self, field: Field) -> Option<Day> {
        match self.get(field)? {
            Value::Date(value) => Some(*value),
            _ => None,
        }
    }

    /// A text field.
    pub fn text(&self, field: Field) -> Option<&str> {
        match self.get(field)? {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }

    /// A bool field.
    pub fn flag(&self, field: Field) -> Option<bool> {
        match self.get(field)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// An event id field (`ref_event_id`).
    pub fn id(&self, field: Field) -> Option<EventId> {
        match self.get(field)? {
            Value::Id(value) => Some(EventId::from(*value)),
            _ => None,
        }
    }

    /// Sets a field outside the envelope; replaces a present value.
    pub fn set(&mut self, field: Field, value: Value) {
        match self.fields.binary_search_by_key(&field, |(known, _)| *known) {
            Ok(at) => self.fields[at].1 = value,
            Err(at) => self.fields.insert(at, (field, value)),
        }
    }

    /// `amount_fen` as sent, when sent.
    pub fn amount_sent(&self) -> Option<i64> {
        self.int(Field::AmountFen)
    }

    /// Who sends.
    pub fn initiator(&self) -> Option<PartyId> {
        self.party(Field::InitiatorId)
    }

    /// The other side.
    pub fn counterparty(&self) -> Option<PartyId> {
        self.party(Field::CounterpartyId)
    }

    /// Its place in the total order of facts.
    pub fn order_key(&self) -> OrderKey {
        OrderKey {
            event_time: self.event_time,
            source_rank: self.source.rank(),
            source_seq: self.source_seq,
            event_id: self.event_id,
        }
    }

    /// Equality of content: all fields except `source_seq` and what was stamped (facts.md 1).
    pub fn same_content(&self, other: &Fact) -> bool {
        self.event_id == other.event_id
            && self.behaviour == other.behaviour
            && self.event_time == other.event_time
            && self.biz_date == other.biz_date
            && self.source == other.source
            && self.bill_id == other.bill_id
            && self.range == other.range
            && self.range_given == other.range_given
            && self.correction == other.correction
            && self.fields == other.fields
    }
}

/// Orders facts by [`Fact::order_key`].
pub fn by_order(left: &Fact, right: &Fact) -> Ordering {
    left.order_key().cmp(&right.order_key())
}

/// A control record (facts.md 6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// System of record.
    pub source: Source,
    /// Number in its sequence.
    pub source_seq: u64,
    /// What it says.
    pub kind: ControlKind,
}

/// What a control record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ControlKind {
    /// The source has sent every fact with event_time <= this (ms).
    Watermark(i64),
    /// Leave the source out of the market clock.
    Idle,
    /// The source counts again, from its next watermark on.
    Resume,
    /// One line of a member's own book.
    BookLine {
        /// Whose book.
        holder: PartyId,
        /// The book's date.
        date: Day,
        /// The bill.
        bill_id: BillId,
        /// The range held.
        range: Range,
        /// Fen.
        amount_fen: i64,
    },
    /// The book of that date is complete.
    BookEnd {
        /// Whose book.
        holder: PartyId,
        /// The book's date.
        date: Day,
        /// Number of lines.
        line_count: i64,
        /// Fen.
        total_fen: i64,
    },
}

/// One line of input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// Everything with a behaviour.
    Fact(Fact),
    /// Everything with `control`.
    Control(Control),
}

impl Record {
    /// (source, source_seq): its identity in the source's sequence.
    pub fn sequence(&self) -> (Source, u64) {
        match self {
            Record::Fact(fact) => (fact.source, fact.source_seq),
            Record::Control(control) => (control.source, control.source_seq),
        }
    }
}
