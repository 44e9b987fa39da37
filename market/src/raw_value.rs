//! A value as it came through a door, and its conversion to the type of its field.
//!
//! Owns forms: what text, number or list is a value of a type (facts.md sections 1 and 2). Bounds are the business of
//! [`crate::validate`].

use std::{borrow::Cow, fmt};

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::{
    catalogue::fields::{Bound, FieldKind, FieldRow},
    fact::{EventId, Field, Value},
    ids::{BillId, Code, Day, InstId, PartyId, PartyKind, parse_long},
    refusal::{Fault, RefusalCode},
};

/// A value as it came.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Raw<'a> {
    /// An integer from 0.
    Unsigned(u64),
    /// An integer below 0.
    Negative(i64),
    /// A number with fraction or exponent, or too long for 64 bits.
    Fraction(f64),
    /// true or false.
    Bool(bool),
    /// Text.
    Text(Cow<'a, str>),
    /// A list of texts.
    List(Vec<Cow<'a, str>>),
    /// A day as a number; columns only.
    Day(i32),
    /// A number of 128 bits; columns only.
    Wide(u128),
    /// JSON null, an object, a list that holds anything but text, bytes that are not UTF-8: its name.
    Unfit(&'static str),
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Unsigned(value) => write!(f, "{value}"),
            Raw::Negative(value) => write!(f, "{value}"),
            Raw::Fraction(value) => write!(f, "{value}"),
            Raw::Bool(value) => write!(f, "{value}"),
            Raw::Text(value) => f.write_str(value),
            Raw::List(values) => write!(f, "[{}]", values.join(",")),
            Raw::Day(value) => write!(f, "{value}"),
            Raw::Wide(value) => write!(f, "{value}"),
            Raw::Unfit(name) => f.write_str(name),
        }
    }
}

/// The value as the type of its field (`fields.csv`), or the fault.
pub(crate) fn typed(row: &FieldRow, raw: Raw) -> Result<Value, Box<Fault>> {
    let field = row.field;
    Ok(match row.kind {
        FieldKind::Integer | FieldKind::Unsigned => Value::Int(integer(field, &raw)?),
        FieldKind::Id => Value::Id(id(field, &raw)?.into()),
        FieldKind::Bool => match raw {
            Raw::Bool(value) => Value::Bool(value),
            _ => return Err(wrong_type(field, &raw, "send true or false")),
        },
        FieldKind::Date => Value::Date(date(field, &raw)?),
        FieldKind::Code(_) => Value::Code(code(field, &raw)?),
        FieldKind::Codes(_) => Value::Codes(codes(field, &raw)?),
        FieldKind::Text => match raw {
            Raw::Text(text) if !text.is_empty() => Value::Text(nfc(text)),
            _ => return Err(wrong_type(field, &raw, "send text that is not empty")),
        },
        FieldKind::Inst => match text(&raw).and_then(InstId::parse) {
            Some(inst) => Value::Inst(inst),
            None => return Err(wrong_type(field, &raw, "send exactly 9 digits as text")),
        },
        FieldKind::Legal => match text(&raw).and_then(PartyId::parse) {
            Some(party) if party.is_legal() => Value::Party(party),
            _ => return Err(wrong_type(field, &raw, "send exactly 6 digits as text")),
        },
        FieldKind::Party | FieldKind::Enterprise | FieldKind::Person | FieldKind::Group => {
            match text(&raw).and_then(PartyId::parse) {
                Some(party) if is_party_of(row, party) => Value::Party(party),
                _ if matches!(raw, Raw::Text(ref text) if !text.is_empty()) => {
                    return Err(Fault::of(RefusalCode::PartySyntax, field, &raw, party_remedy(row)));
                }
                _ => return Err(wrong_type(field, &raw, party_remedy(row))),
            }
        }
        // `bill_id` is the only field of this type, and of the envelope.
        FieldKind::Bill => return Err(wrong_type(field, &raw, "send bill numbers in bill_id only")),
    })
}

/// Whether a party has the form that the field wants.
pub(crate) fn is_party_of(row: &FieldRow, party: PartyId) -> bool {
    match (row.kind, party.kind()) {
        (FieldKind::Party, kind) => kind != PartyKind::Group,
        (FieldKind::Enterprise, kind) => kind == PartyKind::Enterprise,
        (FieldKind::Person, PartyKind::Enterprise) => row.bound == Bound::PersonOrEnterprise,
        (FieldKind::Person, kind) => kind == PartyKind::Person,
        (FieldKind::Group, kind) => kind == PartyKind::Group,
        (FieldKind::Legal, kind) => kind == PartyKind::Legal,
        _ => false,
    }
}

/// What to send in a field of parties.
pub(crate) fn party_remedy(row: &FieldRow) -> &'static str {
    match row.kind {
        FieldKind::Enterprise => "send E and 10 digits",
        FieldKind::Person if row.bound == Bound::PersonOrEnterprise => "send N and 10 digits, or E and 10 digits",
        FieldKind::Person => "send N and 10 digits",
        FieldKind::Group => "send G and 6 digits",
        FieldKind::Legal => "send exactly 6 digits as text",
        _ => "send E, C or N and 10 digits, 6 digits, SYSTEM or MARKET",
    }
}

/// FIELD_TYPE.
pub(crate) fn wrong_type(field: Field, value: impl fmt::Display, remedy: impl Into<Cow<'static, str>>) -> Box<Fault> {
    Fault::of(RefusalCode::FieldType, field, value, remedy)
}

/// Text that is not empty.
fn text<'r>(raw: &'r Raw) -> Option<&'r str> {
    match raw {
        Raw::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// An `i64`: an integer, or its decimal text.
pub(crate) fn integer(field: Field, raw: &Raw) -> Result<i64, Box<Fault>> {
    let value = match raw {
        Raw::Unsigned(value) => i64::try_from(*value).ok(),
        Raw::Negative(value) => Some(*value),
        Raw::Text(text) => decimal(text).and_then(|_| text.parse().ok()),
        _ => None,
    };
    value.ok_or_else(|| wrong_type(field, raw, "send an integer without fraction and exponent, within 64 bits"))
}

/// A `u64`: an integer from 0, or its decimal text.
pub(crate) fn unsigned(field: Field, raw: &Raw) -> Result<u64, Box<Fault>> {
    let value = match raw {
        Raw::Unsigned(value) => Some(*value),
        Raw::Text(text) => decimal(text).and_then(|_| text.parse().ok()),
        _ => None,
    };
    value.ok_or_else(|| wrong_type(field, raw, "send an integer from 0 without fraction and exponent, within 64 bits"))
}

/// Decimal text: digits without leading zero, perhaps a minus before.
fn decimal(text: &str) -> Option<()> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits.first()? != &b'0');
    (plain && !digits.is_empty() && text != "-0").then_some(())
}

/// A `u128`: decimal text.
pub(crate) fn id(field: Field, raw: &Raw) -> Result<EventId, Box<Fault>> {
    let value = match raw {
        Raw::Text(text) if text.len() == 1 || !text.starts_with('0') => parse_long(text.as_bytes()),
        Raw::Wide(value) => Some(*value),
        _ => None,
    };
    value.ok_or_else(|| {
        wrong_type(field, raw, "send a decimal string of 1-39 digits below 2^128, without sign and leading zero")
    })
}

/// A date.
pub(crate) fn date(field: Field, raw: &Raw) -> Result<Day, Box<Fault>> {
    let value = match raw {
        Raw::Text(text) => Day::parse(text),
        Raw::Day(day) => Some(Day(*day)),
        _ => None,
    };
    value.ok_or_else(|| wrong_type(field, raw, "send a real calendar date as YYYY-MM-DD"))
}

/// A code, known or not.
pub(crate) fn code(field: Field, raw: &Raw) -> Result<Code, Box<Fault>> {
    text(raw)
        .and_then(Code::parse)
        .ok_or_else(|| wrong_type(field, raw, "send a code: 1-16 characters of A-Z 0-9 + - . _"))
}

/// A bill number.
pub(crate) fn bill(field: Field, raw: &Raw) -> Result<BillId, Box<Fault>> {
    match raw {
        Raw::Text(text) if !text.is_empty() => BillId::parse(text)
            .ok_or_else(|| Fault::of(RefusalCode::BillIdSyntax, field, raw, "send 1-38 ASCII digits")),
        _ => Err(wrong_type(field, raw, "send the bill number as text of 1-38 digits")),
    }
}

fn codes(field: Field, raw: &Raw) -> Result<Box<[Code]>, Box<Fault>> {
    let Raw::List(list) = raw else { return Err(wrong_type(field, raw, "send a list of codes")) };
    let codes: Option<Vec<Code>> = list.iter().map(|text| Code::parse(text)).collect();
    let mut codes =
        codes.ok_or_else(|| wrong_type(field, raw, "send a list of codes, each 1-16 of A-Z 0-9 + - . _"))?;
    codes.sort_unstable();
    if codes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(wrong_type(field, raw, "send each code once"));
    }
    Ok(codes.into())
}

/// Text in normal form C: two facts that look the same are the same.
fn nfc(text: Cow<str>) -> Box<str> {
    // Letters below the combining marks and Han characters are in form C: nearly all texts of this market.
    let plain = |letter: char| letter < '\u{300}' || ('\u{4e00}'..='\u{9fff}').contains(&letter);
    if text.chars().all(plain) || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text.into()
    } else {
        text.nfc().collect::<String>().into()
    }
}
