//! Refusals: why a record does not enter, which field is to blame, what to do (facts.md section 7).
//!
//! Owns the stable codes. Invariant: a refusal is about one record; it never touches another one of its batch.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::fact::{EventId, Field};

/// Stable code of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefusalCode {
    /// Not one JSON object with distinct keys.
    NotJson,
    /// Over 64 KiB.
    LineTooLong,
    /// A name that is not in `fields.csv`.
    UnknownField,
    /// A behaviour that is not in `behaviours.csv`.
    UnknownBehaviour,
    /// A source that is not in enumeration `source_system`.
    UnknownSource,
    /// A control that is not in enumeration `control_kind`.
    UnknownControl,
    /// A field whose absence refuses (`payloads.csv`).
    MissingField,
    /// Does not parse as its type.
    FieldType,
    /// Outside the hard bounds of `fields.csv`.
    FieldRange,
    /// Fen below 0 where they may not be.
    NegativeAmount,
    /// Not 1-38 digits.
    BillIdSyntax,
    /// Not the form of the party.
    PartySyntax,
    /// `sub_start > sub_end`, or only one of them 0.
    RangeOrder,
    /// A date before the one that it follows.
    DateOrder,
    /// Correction without target or the reverse, unknown kind, a fact that corrects itself.
    CorrectionForm,
    /// `control` together with `behaviour`.
    ControlForm,
    /// (source, source_seq) accepted before with other content; the coordinator decides.
    SequenceConflict,
    /// A watermark below an earlier one of its source; the coordinator decides.
    WatermarkBack,
    /// So many other contents were accepted under its event id that no more are taken; the coordinator decides.
    TooManyVariants,
}

impl RefusalCode {
    /// The code as text, for instance `MISSING_FIELD`.
    pub const fn as_str(self) -> &'static str {
        match self {
            RefusalCode::NotJson => "NOT_JSON",
            RefusalCode::LineTooLong => "LINE_TOO_LONG",
            RefusalCode::UnknownField => "UNKNOWN_FIELD",
            RefusalCode::UnknownBehaviour => "UNKNOWN_BEHAVIOUR",
            RefusalCode::UnknownSource => "UNKNOWN_SOURCE",
            RefusalCode::UnknownControl => "UNKNOWN_CONTROL",
            RefusalCode::MissingField => "MISSING_FIELD",
            RefusalCode::FieldType => "FIELD_TYPE",
            RefusalCode::FieldRange => "FIELD_RANGE",
            RefusalCode::NegativeAmount => "NEGATIVE_AMOUNT",
            RefusalCode::BillIdSyntax => "BILL_ID_SYNTAX",
            RefusalCode::PartySyntax => "PARTY_SYNTAX",
            RefusalCode::RangeOrder => "RANGE_ORDER",
            RefusalCode::DateOrder => "DATE_ORDER",
            RefusalCode::CorrectionForm => "CORRECTION_FORM",
            RefusalCode::ControlForm => "CONTROL_FORM",
            RefusalCode::SequenceConflict => "SEQUENCE_CONFLICT",
            RefusalCode::WatermarkBack => "WATERMARK_BACK",
            RefusalCode::TooManyVariants => "TOO_MANY_VARIANTS",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// The field to blame, where one is.
    pub field: Option<String>,
    /// Its value as sent, cut to 200 characters.
    pub value: Option<String>,
    /// What to do.
    pub remedy: String,
    /// The source as sent, as far as readable.
    pub source: Option<String>,
    /// The number in the source's sequence, as far as readable.
    pub source_seq: Option<u64>,
    /// The identity of the fact, as far as readable.
    pub event_id: Option<EventId>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(field) = &self.field {
            write!(f, " `{field}`")?;
        }
        if let Some(value) = &self.value {
            write!(f, " = `{value}`")?;
        }
        write!(f, ": {}", self.remedy)
    }
}

impl std::error::Error for Refusal {}

/// Most characters of a value that a refusal repeats.
const VALUE_CHARS: usize = 200;

/// How early a fault is named when a record has several: lower comes first, the first found among equals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rank {
    /// The record can't be read at all.
    Syntax,
    /// A name that is no field.
    Name,
    /// What the record is: behaviour, source, control.
    What,
    /// Everything else, in the order of the tests.
    Rule,
}

/// What is wrong, before it is known whose record it is. Boxed: the good path carries a pointer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub code: RefusalCode,
    pub field: Option<Cow<'static, str>>,
    pub value: Option<String>,
    pub remedy: Cow<'static, str>,
}

impl Fault {
    /// A fault of the record as a whole.
    #[cold]
    pub fn whole(code: RefusalCode, remedy: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Fault { code, field: None, value: None, remedy: remedy.into() })
    }

    /// A fault of a field that has a value.
    #[cold]
    pub fn of(
        code: RefusalCode,
        field: Field,
        value: impl fmt::Display,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Box<Self> {
        Self::of_name(code, field.name(), value, remedy)
    }

    /// A fault of a field, known or not, that has a value.
    #[cold]
    pub fn of_name(
        code: RefusalCode,
        field: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Box<Self> {
        Box::new(Fault { code, field: Some(field.into()), value: Some(cut(value.to_string())), remedy: remedy.into() })
    }

    /// A fault of a field without a value of its own.
    #[cold]
    pub fn beside(
        code: RefusalCode,
        field: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Box<Self> {
        Box::new(Fault { code, field: Some(field.into()), value: None, remedy: remedy.into() })
    }

    /// A field that is not there.
    #[cold]
    pub fn missing(field: Field) -> Box<Self> {
        let remedy = format!("send {}, a value of type {}", field.name(), field.type_name());
        Self::beside(RefusalCode::MissingField, field.name(), remedy)
    }

    /// When it is named; see [`Rank`].
    pub fn rank(&self) -> Rank {
        match self.code {
            RefusalCode::NotJson | RefusalCode::LineTooLong => Rank::Syntax,
            RefusalCode::UnknownField => Rank::Name,
            RefusalCode::UnknownBehaviour | RefusalCode::UnknownSource | RefusalCode::UnknownControl => Rank::What,
            _ => Rank::Rule,
        }
    }

    /// The refusal of a record with this identity.
    #[cold]
    pub fn refuse(self, source: Option<String>, source_seq: Option<u64>, event_id: Option<EventId>) -> Box<Refusal> {
        Box::new(Refusal {
            code: self.code,
            field: self.field.map(Cow::into_owned),
            value: self.value,
            remedy: self.remedy.into_owned(),
            source: source.map(cut),
            source_seq,
            event_id,
        })
    }
}

pub(crate) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(VALUE_CHARS) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_everything_in_one_line() {
        let fault = Fault::of(RefusalCode::FieldType, Field::AmountFen, "x".repeat(500), "send an integer");
        let refusal = fault.refuse(Some("NGBS".to_owned()), Some(7), None);
        assert_eq!(refusal.value.as_ref().unwrap().len(), VALUE_CHARS);
        assert!(refusal.to_string().starts_with("FIELD_TYPE `amount_fen` = `xxx"));
        assert!(refusal.to_string().ends_with(": send an integer"));
        let json = serde_json::to_value(&refusal).unwrap();
        assert_eq!(json["code"], "FIELD_TYPE", "the text and the serialised code are the same");
    }
}
