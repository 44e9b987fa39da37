//! The binary row form of records: what the log, the history and the wires between processes carry.
//!
//! Owns the byte layout, version 1. Invariants: every record made of valid parts comes back equal, stamp included; bytes
//! that are not a record give a [`CodecError`], never a panic and never a part that breaks an invariant of [`crate::ids`]
//! (a bill number keeps its length, a code its letters, fields their order). Integrity is not looked after here: the log
//! puts a checksum around its frames. Begin at [`encode_record`].
//!
//! # Layout
//!
//! `varint` is LEB128 of at most 10 bytes; `zigzag` a varint of the zigzag form of a signed number; `wide` one length byte
//! (0-16) and that many little-endian bytes of a `u128`.
//!
//! ```text
//! record  = head(1) body            head: high nibble = version, low nibble = kind (0 fact, 1-5 control)
//! fact    = flags(1) source(1) behaviour:varint event_id:wide event_time:zigzag biz_date:zigzag source_seq:varint
//!           ingest_time-event_time:zigzag [event_time-source_watermark:zigzag] [bill] [range] [target:wide]
//!           count(1) field*
//! bill    = length(1) digits:wide
//! range   = start:varint end-start:varint
//! field   = number(1) tag(1) payload  tag: high nibble = type, low nibble = a small length or the value itself
//! control = source(1) source_seq:varint, then what the kind needs
//! ```

use thiserror::Error;

use crate::{
    books,
    bytes::{Input, bytes_of, put_varint, put_wide, put_zigzag, zigzag},
    fact::{
        BEHAVIOUR_CODES, Behaviour, Control, ControlKind, CorrectionKind, FIELDS, Fact, Field, Range, Record, Source,
        Stamp, Value,
    },
    ids::{BillId, Code, Day, InstId, PartyId, PartyKind},
};

/// Version of the layout, in the high nibble of the first byte of each record.
pub const VERSION: u8 = 1;

/// Why bytes are not a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CodecError {
    /// The bytes end inside a record.
    #[error("the record is cut short: read it again whole")]
    Truncated,
    /// Written by another version of the layout.
    #[error("record layout version {0} is not known here: read it with the build that wrote it")]
    Version(u8),
    /// The low nibble of the first byte names no record kind, or a fact was asked for and a control record found.
    #[error("record kind {0} is not the kind that was asked for")]
    Kind(u8),
    /// A part of the record has a value that no record can have.
    #[error("the bytes of `{0}` are no value of it: the record is damaged")]
    Malformed(&'static str),
}

const FACT: u8 = 0;
const WATERMARK: u8 = 1;
const IDLE: u8 = 2;
const RESUME: u8 = 3;
const BOOK_LINE: u8 = 4;
const BOOK_END: u8 = 5;

const HAS_BILL: u8 = 1;
const HAS_RANGE: u8 = 2;
const HAS_CORRECTION: u8 = 4;
const IS_REPLACE: u8 = 8;
const HAS_WATERMARK: u8 = 16;
const NO_RANGE: u8 = 32;

const INT: u8 = 0;
const BOOL: u8 = 1;
const DATE: u8 = 2;
const CODE: u8 = 3;
const PARTY: u8 = 4;
const INST: u8 = 5;
const ID: u8 = 6;
const TEXT: u8 = 7;
const CODES: u8 = 8;

/// Appends a record to `out`.
pub fn encode_record(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::Fact(fact) => encode_fact(fact, out),
        Record::Control(control) => encode_control(control, out),
    }
}

/// Reads one record from the front of `bytes` and moves `bytes` behind it. On an error `bytes` is left as it was.
pub fn decode_record(bytes: &mut &[u8]) -> Result<Record, CodecError> {
    let mut input = Input { rest: bytes };
    let record = match input.head()? {
        FACT => {
            let mut fact = blank();
            input.fact(&mut fact)?;
            Record::Fact(fact)
        }
        kind => Record::Control(input.control(kind)?),
    };
    *bytes = input.rest;
    Ok(record)
}

/// Appends a fact to `out`, in the same form as [`encode_record`]. What stands for a record of a book is written as that.
pub fn encode_fact(fact: &Fact, out: &mut Vec<u8>) {
    if let Some(control) = books::control_of(fact) {
        return encode_control(&control, out);
    }
    out.reserve(96 + 16 * fact.fields.len());
    out.push(VERSION << 4 | FACT);
    let mut flags = 0;
    if fact.bill_id.is_some() {
        flags |= HAS_BILL;
    }
    if fact.range != Range::WHOLE {
        flags |= HAS_RANGE;
    } else if !fact.range_given {
        flags |= NO_RANGE;
    }
    match fact.correction {
        Some((CorrectionKind::Replace, _)) => flags |= HAS_CORRECTION | IS_REPLACE,
        Some((CorrectionKind::Revoke, _)) => flags |= HAS_CORRECTION,
        None => {}
    }
    // `i64::MIN` says that no watermark had come: the flag says it in no bytes.
    if fact.stamp.source_watermark != i64::MIN {
        flags |= HAS_WATERMARK;
    }
    out.push(flags);
    out.push(fact.source.rank());
    put_varint(out, u64::from(fact.behaviour.0));
    put_wide(out, fact.event_id);
    put_zigzag(out, fact.event_time);
    put_zigzag(out, i64::from(fact.biz_date.0));
    put_varint(out, fact.source_seq);
    put_zigzag(out, fact.stamp.ingest_time.wrapping_sub(fact.event_time));
    if flags & HAS_WATERMARK != 0 {
        put_zigzag(out, fact.event_time.wrapping_sub(fact.stamp.source_watermark));
    }
    if let Some(bill) = fact.bill_id {
        put_bill(out, bill);
    }
    if flags & HAS_RANGE != 0 {
        put_range(out, fact.range);
    }
    if let Some((_, target)) = fact.correction {
        put_wide(out, target);
    }
    out.push(fact.fields.len() as u8);
    for (field, value) in &fact.fields {
        out.push(*field as u8);
        put_value(out, value);
    }
}

/// Reads one fact from the front of `bytes`, or a record of a book in the form of a fact (`books`); another control record is
/// [`CodecError::Kind`].
pub fn decode_fact(bytes: &mut &[u8]) -> Result<Fact, CodecError> {
    let mut fact = blank();
    decode_fact_over(bytes, &mut fact)?;
    Ok(fact)
}

/// The same, over a fact that is no longer needed: its memory is used again. On an error `bytes` is left as it was and the fact
/// says nothing.
pub fn decode_fact_over(bytes: &mut &[u8], fact: &mut Fact) -> Result<(), CodecError> {
    let mut input = Input { rest: bytes };
    match input.head()? {
        FACT => input.fact(fact)?,
        kind => *fact = books::fact_of(&input.control(kind)?).ok_or(CodecError::Kind(kind))?,
    }
    *bytes = input.rest;
    Ok(())
}

fn encode_control(control: &Control, out: &mut Vec<u8>) {
    let kind = match control.kind {
        ControlKind::Watermark(_) => WATERMARK,
        ControlKind::Idle => IDLE,
        ControlKind::Resume => RESUME,
        ControlKind::BookLine { .. } => BOOK_LINE,
        ControlKind::BookEnd { .. } => BOOK_END,
    };
    out.push(VERSION << 4 | kind);
    out.push(control.source.rank());
    put_varint(out, control.source_seq);
    match control.kind {
        ControlKind::Watermark(time) => put_zigzag(out, time),
        ControlKind::Idle | ControlKind::Resume => {}
        ControlKind::BookLine { holder, date, bill_id, range, amount_fen } => {
            put_varint(out, holder.bits());
            put_zigzag(out, i64::from(date.0));
            put_bill(out, bill_id);
            put_range(out, range);
            put_zigzag(out, amount_fen);
        }
        ControlKind::BookEnd { holder, date, line_count, total_fen } => {
            put_varint(out, holder.bits());
            put_zigzag(out, i64::from(date.0));
            put_zigzag(out, line_count);
            put_zigzag(out, total_fen);
        }
    }
}

fn put_bill(out: &mut Vec<u8>, bill: BillId) {
    out.push(bill.length);
    put_wide(out, bill.digits);
}

fn put_range(out: &mut Vec<u8>, range: Range) {
    put_varint(out, range.start);
    put_varint(out, range.end.wrapping_sub(range.start));
}

/// A tag with the number of bytes in its low nibble, then these bytes of the zigzag form.
fn put_short(out: &mut Vec<u8>, kind: u8, value: i64) {
    let value = zigzag(value);
    let length = bytes_of(u128::from(value));
    out.push(kind << 4 | length as u8);
    out.extend_from_slice(&value.to_le_bytes()[..length]);
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Int(value) => put_short(out, INT, *value),
        Value::Bool(value) => out.push(BOOL << 4 | u8::from(*value)),
        Value::Date(value) => put_short(out, DATE, i64::from(value.0)),
        Value::Code(value) => {
            let text = value.as_str().as_bytes();
            out.push(CODE << 4 | (text.len() - 1) as u8);
            out.extend_from_slice(text);
        }
        Value::Party(value) => {
            out.push(PARTY << 4 | (value.bits() >> 60) as u8);
            put_varint(out, value.number());
        }
        Value::Inst(value) => {
            out.push(INST << 4);
            out.extend_from_slice(&value.0.to_le_bytes());
        }
        Value::Id(value) => {
            out.push(ID << 4);
            put_wide(out, (*value).into());
        }
        Value::Text(value) => {
            out.push(TEXT << 4);
            put_varint(out, value.len() as u64);
            out.extend_from_slice(value.as_bytes());
        }
        Value::Codes(values) => {
            out.push(CODES << 4);
            put_varint(out, values.len() as u64);
            for code in values {
                let text = code.as_str().as_bytes();
                out.push(text.len() as u8);
                out.extend_from_slice(text);
            }
        }
    }
}

impl<'a> Input<'a> {
    /// Reads the first byte: checks the version, gives the kind.
    fn head(&mut self) -> Result<u8, CodecError> {
        let head = self.byte()?;
        if head >> 4 != VERSION {
            return Err(CodecError::Version(head >> 4));
        }
        Ok(head & 0xf)
    }

    fn day(&mut self, what: &'static str) -> Result<Day, CodecError> {
        day(self.zigzag(what)?, what)
    }

    fn source(&mut self) -> Result<Source, CodecError> {
        Source::from_rank(self.byte()?).ok_or(CodecError::Malformed("source"))
    }

    fn bill(&mut self) -> Result<BillId, CodecError> {
        let length = self.byte()?;
        let digits = self.wide("bill_id")?;
        BillId::from_digits(digits, length).ok_or(CodecError::Malformed("bill_id"))
    }

    fn range(&mut self) -> Result<Range, CodecError> {
        let start = self.varint("sub_start")?;
        let extra = self.varint("sub_end")?;
        let end = start.checked_add(extra).ok_or(CodecError::Malformed("sub_end"))?;
        // 0 names the whole bill and nothing else.
        if start == 0 && end != 0 {
            return Err(CodecError::Malformed("sub_start"));
        }
        Ok(Range { start, end })
    }

    /// Each part is written where it stays: a fact put together elsewhere would be copied before its parts have arrived.
    fn fact(&mut self, fact: &mut Fact) -> Result<(), CodecError> {
        let flags = self.byte()?;
        fact.source = self.source()?;
        let behaviour = self.varint("behaviour")?;
        if behaviour >= BEHAVIOUR_CODES.len() as u64 {
            return Err(CodecError::Malformed("behaviour"));
        }
        fact.behaviour = Behaviour(behaviour as u16);
        fact.event_id = self.wide("event_id")?;
        let event_time = self.zigzag("event_time")?;
        fact.event_time = event_time;
        fact.biz_date = self.day("biz_date")?;
        fact.source_seq = self.varint("source_seq")?;
        fact.stamp.ingest_time = event_time.wrapping_add(self.zigzag("ingest_time")?);
        fact.stamp.source_watermark = if flags & HAS_WATERMARK != 0 {
            event_time.wrapping_sub(self.zigzag("source_watermark")?)
        } else {
            i64::MIN
        };
        fact.bill_id = if flags & HAS_BILL != 0 { Some(self.bill()?) } else { None };
        fact.range = if flags & HAS_RANGE != 0 { self.range()? } else { Range::WHOLE };
        fact.range_given = flags & NO_RANGE == 0 || fact.range != Range::WHOLE;
        fact.correction = if flags & HAS_CORRECTION != 0 {
            let kind = if flags & IS_REPLACE != 0 { CorrectionKind::Replace } else { CorrectionKind::Revoke };
            Some((kind, self.wide("corrects_event_id")?))
        } else {
            None
        };
        self.fields(&mut fact.fields)
    }

    fn fields(&mut self, fields: &mut Vec<(Field, Value)>) -> Result<(), CodecError> {
        let count = usize::from(self.byte()?);
        // A field takes two bytes at least: damaged counts reserve nothing large.
        if count * 2 > self.rest.len() {
            return Err(CodecError::Truncated);
        }
        fields.clear();
        fields.reserve_exact(count);
        let mut before = None;
        for _ in 0..count {
            let number = self.byte()?;
            let field = *FIELDS.get(usize::from(number)).ok_or(CodecError::Malformed("field number"))?;
            if before.is_some_and(|before| before >= number) {
                return Err(CodecError::Malformed("field order"));
            }
            before = Some(number);
            self.field(field, fields)?;
        }
        Ok(())
    }

    /// Reads a value. Every arm appends it itself, for the same reason as in [`Input::fact`].
    #[inline]
    fn field(&mut self, field: Field, fields: &mut Vec<(Field, Value)>) -> Result<(), CodecError> {
        let what = field.name();
        let tag = self.byte()?;
        let low = tag & 0xf;
        match tag >> 4 {
            INT => {
                let value = self.short(low, what)?;
                fields.push((field, Value::Int(value)));
            }
            BOOL if low <= 1 => fields.push((field, Value::Bool(low == 1))),
            DATE => {
                let value = day(self.short(low, what)?, what)?;
                fields.push((field, Value::Date(value)));
            }
            CODE => {
                let value = self.code(usize::from(low) + 1, what)?;
                fields.push((field, Value::Code(value)));
            }
            PARTY => {
                let value = party(u64::from(low) << 60 | self.number(what)?, what)?;
                fields.push((field, Value::Party(value)));
            }
            INST if low == 0 => {
                let number = u32::from_le_bytes(*self.rest.first_chunk().ok_or(CodecError::Truncated)?);
                if number > 999_999_999 {
                    return Err(CodecError::Malformed(what));
                }
                self.rest = &self.rest[4..];
                fields.push((field, Value::Inst(InstId(number))));
            }
            ID if low == 0 => {
                let value = self.wide(what)?;
                fields.push((field, Value::Id(value.into())));
            }
            TEXT if low == 0 => {
                let length = usize::try_from(self.varint(what)?).map_err(|_| CodecError::Malformed(what))?;
                let text = std::str::from_utf8(self.take(length)?).map_err(|_| CodecError::Malformed(what))?;
                fields.push((field, Value::Text(text.into())));
            }
            CODES if low == 0 => {
                let value = self.codes(what)?;
                fields.push((field, Value::Codes(value)));
            }
            _ => return Err(CodecError::Malformed(what)),
        }
        Ok(())
    }

    /// The number of a party, without its kind.
    fn number(&mut self, what: &'static str) -> Result<u64, CodecError> {
        let number = self.varint(what)?;
        if number >> 60 != 0 { Err(CodecError::Malformed(what)) } else { Ok(number) }
    }

    #[inline]
    fn code(&mut self, length: usize, what: &'static str) -> Result<Code, CodecError> {
        let code = match self.rest.first_chunk::<16>() {
            // One load and a mask instead of a copy of unknown length.
            Some(chunk) if (1..=16).contains(&length) => {
                self.rest = &self.rest[length..];
                Code::from_padded(*chunk, length)
            }
            _ => Code::from_bytes(self.take(length)?),
        };
        code.ok_or(CodecError::Malformed(what))
    }

    fn codes(&mut self, what: &'static str) -> Result<Box<[Code]>, CodecError> {
        let count = usize::try_from(self.varint(what)?).map_err(|_| CodecError::Malformed(what))?;
        if count > self.rest.len() / 2 {
            return Err(CodecError::Truncated);
        }
        let mut codes: Vec<Code> = Vec::with_capacity(count);
        for _ in 0..count {
            let length = usize::from(self.byte()?);
            let code = self.code(length, what)?;
            if codes.last().is_some_and(|before| *before >= code) {
                return Err(CodecError::Malformed(what));
            }
            codes.push(code);
        }
        Ok(codes.into())
    }

    fn control(&mut self, kind: u8) -> Result<Control, CodecError> {
        if !(WATERMARK..=BOOK_END).contains(&kind) {
            return Err(CodecError::Kind(kind));
        }
        let source = self.source()?;
        let source_seq = self.varint("source_seq")?;
        let kind = match kind {
            WATERMARK => ControlKind::Watermark(self.zigzag("watermark_time")?),
            IDLE => ControlKind::Idle,
            RESUME => ControlKind::Resume,
            BOOK_LINE => ControlKind::BookLine {
                holder: party(self.varint("holder_id")?, "holder_id")?,
                date: self.day("book_date")?,
                bill_id: self.bill()?,
                range: self.range()?,
                amount_fen: self.zigzag("amount_fen")?,
            },
            _ => ControlKind::BookEnd {
                holder: party(self.varint("holder_id")?, "holder_id")?,
                date: self.day("book_date")?,
                line_count: self.zigzag("line_count")?,
                total_fen: self.zigzag("book_total_fen")?,
            },
        };
        Ok(Control { source, source_seq, kind })
    }
}

/// A fact that says nothing: for [`decode_fact_over`].
pub fn blank() -> Fact {
    Fact {
        event_id: 0,
        behaviour: Behaviour(0),
        event_time: 0,
        biz_date: Day(0),
        source: Source::Refd,
        source_seq: 0,
        stamp: Stamp::default(),
        bill_id: None,
        range: Range::WHOLE,
        range_given: true,
        correction: None,
        fields: Vec::new(),
    }
}

/// Days of the years 0000 to 9999: what prints as `YYYY-MM-DD`.
fn day(value: i64, what: &'static str) -> Result<Day, CodecError> {
    if (-719_528..=2_932_896).contains(&value) { Ok(Day(value as i32)) } else { Err(CodecError::Malformed(what)) }
}

fn party(bits: u64, what: &'static str) -> Result<PartyId, CodecError> {
    let party = PartyId::from_bits(bits);
    let limit = match party.kind() {
        PartyKind::Enterprise | PartyKind::Court | PartyKind::Person => 10_000_000_000,
        PartyKind::Legal | PartyKind::Group => 1_000_000,
        PartyKind::System | PartyKind::Market => 1,
    };
    // `kind` reads every number above 6 as MARKET; only 1-7 are ever written.
    if party.number() < limit && (1..=7).contains(&(bits >> 60)) { Ok(party) } else { Err(CodecError::Malformed(what)) }
}

#[cfg(test)]
mod tests;
