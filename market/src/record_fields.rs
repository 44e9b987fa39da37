//! A record as the sequence of its fields, by number: what printing, columns and exports go through.

use crate::{
    books,
    fact::{Control, ControlKind, CorrectionKind, EventId, Fact, Field, Range, Record, Value},
    ids::{BillId, Code, Day, InstId, PartyId, PartyKind},
};

/// The value of a field, of the envelope or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part<'a> {
    /// An event id.
    Id(EventId),
    /// i64.
    Int(i64),
    /// u64.
    Unsigned(u64),
    /// true or false.
    Bool(bool),
    /// A day.
    Date(Day),
    /// A word of the vocabulary: behaviour, source, control, correction.
    Word(&'static str),
    /// A code.
    Code(Code),
    /// A party.
    Party(PartyId),
    /// A branch.
    Inst(InstId),
    /// A bill.
    Bill(BillId),
    /// Free text.
    Text(&'a str),
    /// A set of codes, sorted.
    Codes(&'a [Code]),
}

impl<'a> From<&'a Value> for Part<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Int(value) => Part::Int(*value),
            Value::Bool(value) => Part::Bool(*value),
            Value::Date(value) => Part::Date(*value),
            Value::Code(value) => Part::Code(*value),
            Value::Party(value) => Part::Party(*value),
            Value::Inst(value) => Part::Inst(*value),
            Value::Id(value) => Part::Id((*value).into()),
            Value::Text(value) => Part::Text(value),
            Value::Codes(value) => Part::Codes(value),
        }
    }
}

/// Gives every field of a record to `give`, by ascending number.
///
/// The range comes with the bill; `ingest_time` only when it was stamped and differs from `event_time`, because that is what
/// a reader assumes when it is absent.
pub fn for_each_field<'a>(record: &'a Record, mut give: impl FnMut(Field, Part<'a>)) {
    match record {
        Record::Fact(fact) => of_fact(fact, &mut give),
        Record::Control(control) => of_control(control, &mut give),
    }
}

fn of_fact<'a>(fact: &'a Fact, give: &mut impl FnMut(Field, Part<'a>)) {
    if let Some(control) = books::control_of(fact) {
        return of_control(&control, give);
    }
    let mut rest = fact.fields.iter().peekable();
    // Envelope fields in their order, with the other fields in between.
    let mut envelope = |field: Field, part: Option<Part<'a>>, give: &mut dyn FnMut(Field, Part<'a>)| {
        while let Some((other, value)) = rest.next_if(|(other, _)| *other < field) {
            give(*other, value.into());
        }
        if let Some(part) = part {
            give(field, part);
        }
    };
    envelope(Field::EventId, Some(Part::Id(fact.event_id)), give);
    envelope(Field::Behaviour, Some(Part::Word(fact.behaviour.code())), give);
    envelope(Field::EventTime, Some(Part::Int(fact.event_time)), give);
    envelope(Field::BizDate, Some(Part::Date(fact.biz_date)), give);
    envelope(Field::Source, Some(Part::Word(fact.source.code())), give);
    envelope(Field::SourceSeq, Some(Part::Unsigned(fact.source_seq)), give);
    let ingest_time = fact.stamp.ingest_time;
    let stamped = ingest_time != 0 && ingest_time != fact.event_time;
    envelope(Field::IngestTime, stamped.then_some(Part::Int(ingest_time)), give);
    let kind = fact.correction.map(|(kind, _)| {
        Part::Word(match kind {
            CorrectionKind::Revoke => "revoke",
            CorrectionKind::Replace => "replace",
        })
    });
    envelope(Field::Correction, kind, give);
    envelope(Field::CorrectsEventId, fact.correction.map(|(_, target)| Part::Id(target)), give);
    envelope(Field::BillId, fact.bill_id.map(Part::Bill), give);
    let has_range = fact.range_given || fact.range != Range::WHOLE;
    envelope(Field::SubStart, has_range.then_some(Part::Unsigned(fact.range.start)), give);
    envelope(Field::SubEnd, has_range.then_some(Part::Unsigned(fact.range.end)), give);
    for (field, value) in rest {
        give(*field, value.into());
    }
}

fn of_control<'a>(control: &Control, give: &mut impl FnMut(Field, Part<'a>)) {
    give(Field::Source, Part::Word(control.source.code()));
    give(Field::SourceSeq, Part::Unsigned(control.source_seq));
    match control.kind {
        ControlKind::Watermark(time) => {
            give(Field::Control, Part::Word("watermark"));
            give(Field::WatermarkTime, Part::Int(time));
        }
        ControlKind::Idle => give(Field::Control, Part::Word("idle")),
        ControlKind::Resume => give(Field::Control, Part::Word("resume")),
        ControlKind::BookLine { holder, date, bill_id, range, amount_fen } => {
            give(Field::BillId, Part::Bill(bill_id));
            give(Field::SubStart, Part::Unsigned(range.start));
            give(Field::SubEnd, Part::Unsigned(range.end));
            give(Field::AmountFen, Part::Int(amount_fen));
            give(Field::Control, Part::Word("book_line"));
            give(Field::BookDate, Part::Date(date));
            give(Field::HolderId, Part::Party(holder));
        }
        ControlKind::BookEnd { holder, date, line_count, total_fen } => {
            give(Field::Control, Part::Word("book_end"));
            give(Field::BookDate, Part::Date(date));
            give(Field::LineCount, Part::Int(line_count));
            give(Field::BookTotalFen, Part::Int(total_fen));
            give(Field::HolderId, Part::Party(holder));
        }
    }
}

/// Appends the text form of a value: what a JSON string, a text column or a CSV cell holds. Codes have `,` between.
pub fn push_text(part: &Part, out: &mut Vec<u8>) {
    match part {
        Part::Id(value) => push_long(*value, 1, out),
        Part::Int(value) => {
            if *value < 0 {
                out.push(b'-');
            }
            push_number(value.unsigned_abs(), 1, out);
        }
        Part::Unsigned(value) => push_number(*value, 1, out),
        Part::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Part::Date(value) => {
            let (year, month, day) = value.ymd();
            push_number(year.unsigned_abs().into(), 4, out);
            out.push(b'-');
            push_number(month.into(), 2, out);
            out.push(b'-');
            push_number(day.into(), 2, out);
        }
        Part::Word(value) => out.extend_from_slice(value.as_bytes()),
        Part::Code(value) => out.extend_from_slice(value.as_str().as_bytes()),
        Part::Party(value) => push_party(*value, out),
        Part::Inst(value) => push_number(value.0.into(), 9, out),
        Part::Bill(value) => push_long(value.digits, value.length.into(), out),
        Part::Text(value) => out.extend_from_slice(value.as_bytes()),
        Part::Codes(values) => {
            for (at, code) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(code.as_str().as_bytes());
            }
        }
    }
}

fn push_party(party: PartyId, out: &mut Vec<u8>) {
    let (letter, width) = match party.kind() {
        PartyKind::Enterprise => (Some(b'E'), 10),
        PartyKind::Court => (Some(b'C'), 10),
        PartyKind::Person => (Some(b'N'), 10),
        PartyKind::Group => (Some(b'G'), 6),
        PartyKind::Legal => (None, 6),
        PartyKind::System => return out.extend_from_slice(b"SYSTEM"),
        PartyKind::Market => return out.extend_from_slice(b"MARKET"),
    };
    out.extend(letter);
    push_number(party.number(), width, out);
}

/// Appends decimal digits, at least `width` of them.
fn push_number(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

/// As [`push_number`] for 128 bits, in pieces of 19 digits: division of 128 bits is slow.
fn push_long(value: u128, width: usize, out: &mut Vec<u8>) {
    const PIECE: u128 = 10_000_000_000_000_000_000;
    let (high, low) = (value / PIECE, (value % PIECE) as u64);
    if high == 0 && width <= 19 {
        push_number(low, width, out);
    } else if let Ok(high) = u64::try_from(high) {
        push_number(high, width.saturating_sub(19).max(1), out);
        push_number(low, 19, out);
    } else {
        push_number((high / PIECE) as u64, 1, out);
        push_number((high % PIECE) as u64, 19, out);
        push_number(low, 19, out);
    }
}
