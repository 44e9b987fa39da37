//! The rules that decide whether a record enters (facts.md sections 2, 5, 6, 7; `fields.csv`, `payloads.csv`).
//!
//! Owns bounds, mandatory fields and relations between fields of one record. What depends on other records
//! (SEQUENCE_CONFLICT, WATERMARK_BACK) is the coordinator's. Begin at [`check`]. What is accepted and flagged is in
//! [`quality`].

pub mod quality;

pub use quality::{
    BillMarks, BillNumberFault, bill_number_faults, credit_code_is_good, misses_mandatory, missing_mandatory,
    unknown_codes,
};

use crate::{
    catalogue::{
        Catalogue,
        fields::{Bound, FieldKind, FieldRow},
    },
    fact::{Control, ControlKind, CorrectionKind, Fact, Field, Range, Record, Value},
    ids::{BillId, Day, PartyId},
    raw_value::{Raw, is_party_of, party_remedy, typed, wrong_type},
    refusal::{Fault, Refusal, RefusalCode},
};

/// What was sent of that which the in-memory form cannot tell from its absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sent {
    /// `ingest_time`.
    pub ingest_time: bool,
    /// `sub_start`.
    pub start: bool,
    /// `sub_end`.
    pub end: bool,
}

/// Tests a record in its in-memory form. An `ingest_time` of 0 counts as not sent.
pub fn check(record: &Record, catalogue: &Catalogue) -> Result<(), Box<Refusal>> {
    let (source, source_seq) = record.sequence();
    let (event_id, result) = match record {
        Record::Fact(fact) => {
            let (start, end) = (fact.range_given, fact.range_given);
            let sent = Sent { ingest_time: fact.stamp.ingest_time != 0, start, end };
            (Some(fact.event_id), check_fact(fact, sent, catalogue))
        }
        Record::Control(control) => (None, check_control(control, catalogue)),
    };
    result.map_err(|fault| fault.refuse(Some(source.code().to_owned()), Some(source_seq), event_id))
}

pub(crate) fn check_fact(fact: &Fact, sent: Sent, catalogue: &Catalogue) -> Result<(), Box<Fault>> {
    mandatory(fact, sent, catalogue)?;
    let row = |field| catalogue.fields.get(field);
    integer(row(Field::EventTime), fact.event_time)?;
    date(row(Field::BizDate), fact.biz_date)?;
    sequence(row(Field::SourceSeq), fact.source_seq)?;
    if sent.ingest_time {
        integer(row(Field::IngestTime), fact.stamp.ingest_time)?;
    }
    if let Some((_, target)) = fact.correction
        && target == fact.event_id
    {
        let remedy = "name another fact: a fact cannot correct itself";
        return Err(Fault::of(RefusalCode::CorrectionForm, Field::CorrectsEventId, target, remedy));
    }
    if let Some(bill) = fact.bill_id {
        check_bill(bill)?;
    }
    range(fact.range, catalogue)?;
    for (at, (field, value)) in fact.fields.iter().enumerate() {
        if at > 0 && fact.fields[at - 1].0 >= *field {
            return Err(wrong_type(*field, "(out of order)", "keep fields sorted by number, each once"));
        }
        check_value(fact, row(*field), value, catalogue)?;
    }
    Ok(())
}

pub(crate) fn check_control(control: &Control, catalogue: &Catalogue) -> Result<(), Box<Fault>> {
    let row = |field| catalogue.fields.get(field);
    sequence(row(Field::SourceSeq), control.source_seq)?;
    match control.kind {
        ControlKind::Watermark(time) => integer(row(Field::WatermarkTime), time),
        ControlKind::Idle | ControlKind::Resume => Ok(()),
        ControlKind::BookLine { holder, date: day, bill_id, range: held, amount_fen } => {
            check_bill(bill_id)?;
            range(held, catalogue)?;
            integer(row(Field::AmountFen), amount_fen)?;
            date(row(Field::BookDate), day)?;
            party(row(Field::HolderId), holder)
        }
        ControlKind::BookEnd { holder, date: day, line_count, total_fen } => {
            date(row(Field::BookDate), day)?;
            integer(row(Field::LineCount), line_count)?;
            integer(row(Field::BookTotalFen), total_fen)?;
            party(row(Field::HolderId), holder)
        }
    }
}

/// Fields whose absence refuses. A revocation needs only the bill of its target (facts.md section 5).
fn mandatory(fact: &Fact, sent: Sent, catalogue: &Catalogue) -> Result<(), Box<Fault>> {
    let is_revoke = matches!(fact.correction, Some((CorrectionKind::Revoke, _)));
    for &field in &catalogue.payloads.of(fact.behaviour).refuses {
        let present = match field {
            Field::BillId => fact.bill_id.is_some(),
            _ if is_revoke => true,
            Field::SubStart => sent.start,
            Field::SubEnd => sent.end,
            _ => fact.get(field).is_some(),
        };
        if !present {
            return Err(Fault::missing(field));
        }
    }
    match (sent.start, sent.end) {
        (true, false) => Err(Fault::missing(Field::SubEnd)),
        (false, true) => Err(Fault::missing(Field::SubStart)),
        _ => Ok(()),
    }
}

fn range(range: Range, catalogue: &Catalogue) -> Result<(), Box<Fault>> {
    for (field, value) in [(Field::SubStart, range.start), (Field::SubEnd, range.end)] {
        let value =
            i64::try_from(value).map_err(|_| wrong_type(field, value, "send an integer of at most 12 digits"))?;
        integer(catalogue.fields.get(field), value)?;
    }
    if range.start > range.end || (range.start == 0) != (range.end == 0) {
        let remedy = "send sub_start <= sub_end, both from 1, or 0 and 0 for the whole indivisible bill";
        let value = format!("{}-{}", range.start, range.end);
        return Err(Fault::of(RefusalCode::RangeOrder, Field::SubStart, value, remedy));
    }
    Ok(())
}

fn check_bill(bill: BillId) -> Result<(), Box<Fault>> {
    match BillId::from_digits(bill.digits, bill.length) {
        Some(_) => Ok(()),
        None => Err(Fault::of(RefusalCode::BillIdSyntax, Field::BillId, bill.digits, "send 1-38 ASCII digits")),
    }
}

fn sequence(row: &FieldRow, value: u64) -> Result<(), Box<Fault>> {
    // The bound ends at the largest i64; a sequence may go on to the largest u64.
    integer(row, i64::try_from(value).unwrap_or(i64::MAX))
}

fn integer(row: &FieldRow, value: i64) -> Result<(), Box<Fault>> {
    match row.bound {
        Bound::Integer { min, max } if !(min..=max).contains(&value) => {
            Err(wrong_type(row.field, value, bounds_remedy(min, max)))
        }
        Bound::Amount if value < 0 => Err(Fault::of(
            RefusalCode::NegativeAmount,
            row.field,
            value,
            "send fen, from 0: direction is in the behaviour",
        )),
        Bound::Instant { min, max } if !(min..=max).contains(&value) => {
            let remedy = format!("send ms since 1970-01-01T00:00Z from {min} to {max}");
            Err(Fault::of(RefusalCode::FieldRange, row.field, value, remedy))
        }
        _ => Ok(()),
    }
}

fn bounds_remedy(min: i64, max: i64) -> String {
    if max == i64::MAX { format!("send an integer from {min}") } else { format!("send an integer from {min} to {max}") }
}

fn date(row: &FieldRow, value: Day) -> Result<(), Box<Fault>> {
    match row.bound {
        Bound::Days { min, max } if value < min || max < value => {
            let value = if value.0.abs() < 3_000_000 { value.to_string() } else { format!("day {}", value.0) };
            Err(wrong_type(row.field, value, format!("send a date from {min} to {max}")))
        }
        _ => Ok(()),
    }
}

fn party(row: &FieldRow, value: PartyId) -> Result<(), Box<Fault>> {
    if is_party_of(row, value) {
        Ok(())
    } else {
        let code = if row.kind == FieldKind::Legal { RefusalCode::FieldType } else { RefusalCode::PartySyntax };
        Err(Fault::of(code, row.field, value, party_remedy(row)))
    }
}

fn check_value(fact: &Fact, row: &FieldRow, value: &Value, catalogue: &Catalogue) -> Result<(), Box<Fault>> {
    match (row.kind, value) {
        (FieldKind::Integer | FieldKind::Unsigned, Value::Int(value)) => integer(row, *value),
        (FieldKind::Date, Value::Date(value)) => {
            date(row, *value)?;
            match row.not_before.and_then(|earlier| Some((earlier, fact.date(earlier)?))) {
                Some((earlier, first)) if *value < first => {
                    let remedy = format!("send a date not before {} ({first})", earlier.name());
                    Err(Fault::of(RefusalCode::DateOrder, row.field, value, remedy))
                }
                _ => Ok(()),
            }
        }
        (
            FieldKind::Party | FieldKind::Enterprise | FieldKind::Person | FieldKind::Group | FieldKind::Legal,
            Value::Party(value),
        ) => party(row, *value),
        (FieldKind::Text, Value::Text(value)) => text(fact, row, value, catalogue),
        (FieldKind::Codes(_), Value::Codes(values)) => match row.bound {
            Bound::Codes { max } if values.len() > max => {
                Err(wrong_type(row.field, format!("{} codes", values.len()), format!("send at most {max} codes")))
            }
            _ => Ok(()),
        },
        (FieldKind::Inst, Value::Inst(value)) if value.0 > 999_999_999 => {
            Err(wrong_type(row.field, value, "send exactly 9 digits as text"))
        }
        (FieldKind::Id, Value::Id(_))
        | (FieldKind::Bool, Value::Bool(_))
        | (FieldKind::Code(_), Value::Code(_))
        | (FieldKind::Inst, Value::Inst(_)) => Ok(()),
        _ => {
            Err(wrong_type(row.field, format!("{value:?}"), format!("send a value of type {}", row.field.type_name())))
        }
    }
}

fn text(fact: &Fact, row: &FieldRow, text: &str, catalogue: &Catalogue) -> Result<(), Box<Fault>> {
    let within =
        |min: usize, max: usize, good: fn(u8) -> bool| (min..=max).contains(&text.len()) && text.bytes().all(good);
    let good = match &row.bound {
        Bound::Text { max } => {
            if text.is_ascii() {
                within(1, *max, |byte| !byte.is_ascii_control())
            } else {
                // A character has 1-4 bytes: most texts are known to be short enough from their bytes alone.
                (text.len() <= *max || text.chars().count() <= *max) && !text.chars().any(char::is_control)
            }
        }
        Bound::PrintableAscii { max } => within(1, *max, |byte| (b' '..=b'~').contains(&byte)),
        Bound::Hex { min, max } => within(*min, *max, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        Bound::Digits { count } => within(*count, *count, |byte| byte.is_ascii_digit()),
        Bound::Month => text.len() == 7 && text.is_ascii() && Day::parse(&format!("{text}-01")).is_some(),
        Bound::FieldName => catalogue.fields.by_name(text).is_some(),
        Bound::FieldNameOf(behaviours) => catalogue.fields.by_name(text).is_some_and(|field| {
            behaviours.iter().any(|behaviour| catalogue.payloads.of(*behaviour).listed.contains(field))
        }),
        Bound::ValueOfFieldName => {
            let named = fact.text(Field::FieldName).and_then(|name| catalogue.fields.by_name(name));
            named.is_none_or(|field| value_from_text(field, text, catalogue).is_ok())
        }
        _ => true,
    };
    if good { Ok(()) } else { Err(wrong_type(row.field, text, text_remedy(&row.bound))) }
}

fn text_remedy(bound: &Bound) -> String {
    match bound {
        Bound::Text { max } => format!("send text of 1-{max} characters without control characters"),
        Bound::PrintableAscii { max } => format!("send 1-{max} printable ASCII characters"),
        Bound::Hex { min, max } => format!("send {min}-{max} lower-case hexadecimal digits"),
        Bound::Digits { count } => format!("send exactly {count} digits"),
        Bound::Month => "send a month as YYYY-MM".to_owned(),
        Bound::FieldName => "send the name of a field of fields.csv".to_owned(),
        Bound::FieldNameOf(behaviours) => {
            let codes: Vec<_> = behaviours.iter().map(|behaviour| behaviour.code()).collect();
            format!("send the name of a field that {} may carry", codes.join(" or "))
        }
        _ => "send the value in the text form of the field that field_name names".to_owned(),
    }
}

/// The value of a field from its text form, as `old_value` and `new_value` of master data carry it: numbers in decimal,
/// `true` or `false`, lists with `,` between codes.
pub fn value_from_text(field: Field, text: &str, catalogue: &Catalogue) -> Result<Value, Box<Refusal>> {
    let row = catalogue.fields.get(field);
    let raw = match row.kind {
        FieldKind::Bool if text == "true" => Raw::Bool(true),
        FieldKind::Bool if text == "false" => Raw::Bool(false),
        FieldKind::Codes(_) if text.is_empty() => Raw::List(Vec::new()),
        FieldKind::Codes(_) => Raw::List(text.split(',').map(Into::into).collect()),
        _ => Raw::Text(text.into()),
    };
    let empty = Fact {
        event_id: 0,
        behaviour: crate::fact::Behaviour(0),
        event_time: 0,
        biz_date: Day(0),
        source: crate::fact::Source::Refd,
        source_seq: 1,
        stamp: Default::default(),
        bill_id: None,
        range: Range::WHOLE,
        range_given: false,
        correction: None,
        fields: Vec::new(),
    };
    let value = typed(row, raw).and_then(|value| check_value(&empty, row, &value, catalogue).map(|()| value));
    value.map_err(|fault| fault.refuse(None, None, None))
}

#[cfg(test)]
mod tests;
