//! Payloads (`payloads.csv`): which behaviour carries which field, and what its absence means.

use super::{
    behaviours,
    fields::Fields,
    table::{CatalogueError, Distinct, Row, read_rows},
};
use crate::{
    fact::{BEHAVIOUR_CODES, Behaviour, Field},
    field_set::FieldSet,
    ids::Code,
};

pub(super) const FILE: &str = "payloads.csv";

/// Fields of the envelope that the in-memory form of a fact always has.
pub const ALWAYS_PRESENT: [Field; 7] = [
    Field::EventId,
    Field::Behaviour,
    Field::EventTime,
    Field::BizDate,
    Field::Source,
    Field::SourceSeq,
    Field::IngestTime,
];

/// What the absence of a field means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Requirement {
    /// The fact is refused (MISSING_FIELD).
    Refuses,
    /// P179 alerts.
    Alerts,
    /// Nothing.
    Optional,
    /// P179 alerts when the condition holds.
    AlertsIf(Presence),
}

/// When a field must be present (the `if:` conditions; facts.md section 6 says how they are tested).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Presence {
    /// The party in this field is an enterprise or a legal institution.
    PartyOfMarket(Field),
    /// This field is present.
    Present(Field),
    /// The fact's code in this field, or its default, is one of these.
    FactCode(Field, Vec<Code>),
    /// The bill's code of this field is one of these; false while the bill is unknown.
    BillCode(Field, Vec<Code>),
}

/// A field that a behaviour lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PayloadField {
    /// The field.
    pub field: Field,
    /// What its absence means.
    pub requirement: Requirement,
    /// Code of enumeration `role` that the party in this field has, from the note.
    pub role: Option<Box<str>>,
    /// The note as written.
    pub note: Box<str>,
}

/// The payload of one behaviour.
#[derive(Clone, Default, Debug)]
pub struct Payload {
    /// The fields that it lists, in the order of the table.
    pub fields: Vec<PayloadField>,
    /// Those fields as a set.
    pub listed: FieldSet,
    /// Fields whose absence refuses, by number.
    pub refuses: Vec<Field>,
    /// Fields whose absence alerts, always or on a condition, in the order of the table.
    pub alerts: Vec<(Field, Option<Presence>)>,
    /// Of those the ones without a condition, as a set, but for [`ALWAYS_PRESENT`].
    pub always_alerts: FieldSet,
    /// And the ones with one, in the order of the table.
    pub alerts_if: Vec<(Field, Presence)>,
}

/// All payloads.
#[derive(Clone, Debug)]
pub struct Payloads {
    by_behaviour: Vec<Payload>,
    /// What every behaviour carries (`*`).
    common: Payload,
}

impl Payloads {
    pub(super) fn read(text: &str, fields: &Fields) -> Result<Self, CatalogueError> {
        let mut payloads =
            Payloads { by_behaviour: vec![Payload::default(); BEHAVIOUR_CODES.len()], common: Payload::default() };
        let mut distinct = Distinct::default();
        read_rows(FILE, text, &["behaviour", "field", "required", "note"], |row| {
            let code = row.filled("behaviour")?;
            let field = fields.require(row, "field", row.filled("field")?)?;
            distinct.take(row, "field", &format!("{code}:{}", field.name()))?;
            if code.starts_with("control:") {
                // `ControlKind` is the form of control records: the table can only say the same.
                return control_row(row, field);
            }
            let payload = match code {
                "*" => &mut payloads.common,
                _ => {
                    let behaviour = behaviours::require(row, "behaviour", code)?;
                    &mut payloads.by_behaviour[usize::from(behaviour.0)]
                }
            };
            let requirement = requirement(row, fields)?;
            match &requirement {
                Requirement::Refuses => payload.refuses.push(field),
                Requirement::Alerts => {
                    payload.alerts.push((field, None));
                    if !ALWAYS_PRESENT.contains(&field) {
                        payload.always_alerts.insert(field);
                    }
                }
                Requirement::AlertsIf(condition) => {
                    payload.alerts.push((field, Some(condition.clone())));
                    payload.alerts_if.push((field, condition.clone()));
                }
                Requirement::Optional => {}
            }
            payload.listed.insert(field);
            payload.fields.push(PayloadField {
                field,
                requirement,
                role: role(row.get("note")),
                note: row.get("note").into(),
            });
            Ok(())
        })?;
        for (number, payload) in payloads.by_behaviour.iter_mut().enumerate() {
            if payload.fields.is_empty() {
                return Err(CatalogueError {
                    file: FILE.to_owned(),
                    row: 0,
                    column: "behaviour".to_owned(),
                    value: BEHAVIOUR_CODES[number].to_owned(),
                    remedy: "this behaviour has no rows: list its fields".to_owned(),
                });
            }
            payload.refuses.sort_unstable();
        }
        payloads.common.refuses.sort_unstable();
        Ok(payloads)
    }

    /// The payload of a behaviour, without the common fields.
    pub fn of(&self, behaviour: Behaviour) -> &Payload {
        &self.by_behaviour[usize::from(behaviour.0)]
    }

    /// What every behaviour carries.
    pub fn common(&self) -> &Payload {
        &self.common
    }
}

fn requirement(row: &Row, fields: &Fields) -> Result<Requirement, CatalogueError> {
    let note = row.get("note");
    let alerts = note.starts_with("absence alerts");
    match row.filled("required")? {
        "yes" if alerts => Ok(Requirement::Alerts),
        "yes" if note.starts_with("absence refuses") => Ok(Requirement::Refuses),
        "yes" => Err(row.error("note", "begin the note with `absence refuses` or `absence alerts`")),
        "no" => Ok(Requirement::Optional),
        text => {
            let condition = text
                .strip_prefix("if:")
                .ok_or_else(|| row.error("required", "write yes, no, or if: and a condition"))?;
            // Whether `correction` and `corrects_event_id` come together is a rule of form, not of P179.
            if matches!(condition, "this record corrects another" | "correction is present") {
                return Ok(Requirement::Optional);
            }
            if !alerts {
                return Err(row.error("note", "only `absence alerts` may have a condition"));
            }
            Ok(Requirement::AlertsIf(presence(row, fields, condition)?))
        }
    }
}

fn presence(row: &Row, fields: &Fields, condition: &str) -> Result<Presence, CatalogueError> {
    let (name, words) = condition
        .split_once(" is ")
        .ok_or_else(|| row.error("required", "write the condition as in the other rows: FIELD is ..."))?;
    let (name, of_bill) = match name.strip_suffix(" of the bill") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let field = fields.require(row, "required", name)?;
    Ok(match words {
        "present" => Presence::Present(field),
        "an enterprise or a legal institution" => Presence::PartyOfMarket(field),
        _ => {
            let codes: Option<Vec<Code>> = words.split(" or ").map(Code::parse).collect();
            let codes = codes.ok_or_else(|| row.error("required", "write codes between ` or `"))?;
            if of_bill { Presence::BillCode(field, codes) } else { Presence::FactCode(field, codes) }
        }
    })
}

fn role(note: &str) -> Option<Box<str>> {
    let (_, rest) = note.split_once("role ")?;
    rest.split([';', ' ']).next().map(Into::into)
}

fn control_row(row: &Row, field: Field) -> Result<(), CatalogueError> {
    use Field::*;
    let of_kind: &[Field] = match row.get("behaviour") {
        "control:watermark" => &[WatermarkTime],
        "control:idle" | "control:resume" => &[],
        "control:book_line" => &[HolderId, BookDate, BillId, SubStart, SubEnd, AmountFen],
        "control:book_end" => &[HolderId, BookDate, LineCount, BookTotalFen],
        _ => return Err(row.error("behaviour", "this build knows no such control record: rebuild it")),
    };
    if matches!(field, Control | Source | SourceSeq) || of_kind.contains(&field) {
        Ok(())
    } else {
        Err(row.error("field", "this build reads no such field in that control record: rebuild it"))
    }
}
