//! Fields (`fields.csv`): type, bounds and relations of every field, read from the table's own words.
//!
//! Names and types are compiled in, because the log writes field numbers. The bounds come from the column `validation`:
//! clauses between `;`, those that begin with `refuse` are rules, the others say what is accepted.

use super::{
    enums::{EnumId, Enums},
    table::{CatalogueError, Row, read_rows},
};
use crate::{
    fact::{Behaviour, FIELD_NAMES, FIELD_TYPES, FIELDS, Field},
    ids::{DAY_MS, Day},
};

pub(super) const FILE: &str = "fields.csv";

/// What a value is, by the column `type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// `u128`: an event id.
    Id,
    /// `i64`.
    Integer,
    /// `u64`.
    Unsigned,
    /// `bool`.
    Bool,
    /// `date`.
    Date,
    /// `enum:NAME`.
    Code(EnumId),
    /// `list:enum:NAME`.
    Codes(EnumId),
    /// `string`, `id:ACCOUNT`, `id:DEAL`, `id:TRADER`.
    Text,
    /// `id:BILL`.
    Bill,
    /// `id:PARTY`: every party but a group.
    Party,
    /// `id:ENT`.
    Enterprise,
    /// `id:LEGAL`.
    Legal,
    /// `id:INST`.
    Inst,
    /// `id:PERSON`.
    Person,
    /// `id:GROUP`.
    Group,
}

/// Hard bounds of a value that has the right type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bound {
    /// The type says it all.
    None,
    /// From `min` to `max`, else FIELD_TYPE.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Fen, not below 0, else NEGATIVE_AMOUNT.
    Amount,
    /// ms since 1970-01-01T00:00Z, both ends allowed, else FIELD_RANGE.
    Instant {
        /// Earliest.
        min: i64,
        /// Latest.
        max: i64,
    },
    /// Both ends allowed, else FIELD_TYPE.
    Days {
        /// Earliest.
        min: Day,
        /// Latest.
        max: Day,
    },
    /// Text of 1 to `max` characters, none of them a control character.
    Text {
        /// Most characters.
        max: usize,
    },
    /// 1 to `max` printable ASCII characters.
    PrintableAscii {
        /// Most characters.
        max: usize,
    },
    /// Lower-case hexadecimal digits.
    Hex {
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// So many decimal digits.
    Digits {
        /// How many.
        count: usize,
    },
    /// `YYYY-MM`.
    Month,
    /// The name of a field.
    FieldName,
    /// The name of a field that one of these behaviours may carry.
    FieldNameOf(Vec<Behaviour>),
    /// Text of the type of the field that `field_name` names.
    ValueOfFieldName,
    /// At most `max` codes.
    Codes {
        /// Most codes.
        max: usize,
    },
    /// A person, or an enterprise.
    PersonOrEnterprise,
}

/// A row of `fields.csv`; its index is the number of the [`Field`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldRow {
    /// The field.
    pub field: Field,
    /// Its type.
    pub kind: FieldKind,
    /// Its hard bounds.
    pub bound: Bound,
    /// DATE_ORDER: this date may not be before that one, in one fact.
    pub not_before: Option<Field>,
    /// Unit, for instance `fen`; may be empty.
    pub unit: Box<str>,
    /// Meaning.
    pub english: Box<str>,
    /// 含义.
    pub chinese: Box<str>,
    /// What a view reads when the field is absent, in words.
    pub default_when_absent: Box<str>,
    /// Data class, for instance `personal`.
    pub data_class: Box<str>,
}

/// All fields, by number.
#[derive(Clone, Debug)]
pub struct Fields {
    rows: Vec<FieldRow>,
    by_name: hashbrown::HashMap<&'static str, Field>,
}

impl Fields {
    pub(super) fn read(text: &str, enums: &Enums) -> Result<Self, CatalogueError> {
        let columns =
            ["field", "type", "unit", "meaning_en", "meaning_zh", "default_when_absent", "validation", "data_class"];
        let mut rows: Vec<FieldRow> = Vec::with_capacity(FIELDS.len());
        read_rows(FILE, text, &columns, |row| {
            let at = rows.len();
            let (Some(field), Some(name)) = (FIELDS.get(at).copied(), FIELD_NAMES.get(at).copied()) else {
                return Err(row.error("field", "this build knows no further field: rebuild it with this table"));
            };
            if row.get("field") != name {
                let remedy = format!("row {name} belongs here: fields and their order are compiled in");
                return Err(row.error("field", remedy));
            }
            let kind = kind(row, enums)?;
            if row.get("type") != FIELD_TYPES[at] {
                return Err(row.error("type", format!("the type {} is compiled in: restore it", FIELD_TYPES[at])));
            }
            let (bound, not_before) = validation(row, kind, &rows)?;
            rows.push(FieldRow {
                field,
                kind,
                bound,
                not_before,
                unit: row.get("unit").into(),
                english: row.filled("meaning_en")?.into(),
                chinese: row.filled("meaning_zh")?.into(),
                default_when_absent: row.get("default_when_absent").into(),
                data_class: row.filled("data_class")?.into(),
            });
            Ok(())
        })?;
        if let Some(missing) = FIELD_NAMES.get(rows.len()) {
            return Err(CatalogueError {
                file: FILE.to_owned(),
                row: rows.len() as u64 + 2,
                column: "field".to_owned(),
                value: String::new(),
                remedy: format!("row {missing} is missing: fields and their order are compiled in"),
            });
        }
        let by_name = FIELDS.into_iter().map(|field| (field.name(), field)).collect();
        Ok(Fields { rows, by_name })
    }

    /// The row of a field.
    pub fn get(&self, field: Field) -> &FieldRow {
        &self.rows[field as usize]
    }

    /// The field of a name.
    pub fn by_name(&self, name: &str) -> Option<Field> {
        self.by_name.get(name).copied()
    }

    /// All rows, by number.
    pub fn iter(&self) -> impl Iterator<Item = &FieldRow> {
        self.rows.iter()
    }

    /// The field that a cell names, or the error of that cell.
    pub(super) fn require(&self, row: &Row, column: &str, name: &str) -> Result<Field, CatalogueError> {
        self.by_name(name).ok_or_else(|| row.error_at(column, name, "write a field of fields.csv"))
    }
}

fn kind(row: &Row, enums: &Enums) -> Result<FieldKind, CatalogueError> {
    let text = row.filled("type")?;
    if let Some(name) = text.strip_prefix("enum:") {
        return Ok(FieldKind::Code(enums.require(row, "type", name)?));
    }
    if let Some(name) = text.strip_prefix("list:enum:") {
        return Ok(FieldKind::Codes(enums.require(row, "type", name)?));
    }
    Ok(match text {
        "u128" => FieldKind::Id,
        "i64" => FieldKind::Integer,
        "u64" => FieldKind::Unsigned,
        "bool" => FieldKind::Bool,
        "date" => FieldKind::Date,
        "string" | "id:ACCOUNT" | "id:DEAL" | "id:TRADER" => FieldKind::Text,
        "id:BILL" => FieldKind::Bill,
        "id:PARTY" => FieldKind::Party,
        "id:ENT" => FieldKind::Enterprise,
        "id:LEGAL" => FieldKind::Legal,
        "id:INST" => FieldKind::Inst,
        "id:PERSON" => FieldKind::Person,
        "id:GROUP" => FieldKind::Group,
        _ => return Err(row.error("type", "write a type of facts.md section 1 or 2")),
    })
}

/// Reads the rules of the cell `validation`.
fn validation(row: &Row, kind: FieldKind, before: &[FieldRow]) -> Result<(Bound, Option<Field>), CatalogueError> {
    let text = row.filled("validation")?;
    // "as sub_start": the rules of a row above.
    if let Some(name) = text.strip_prefix("as ").and_then(|rest| rest.split([';', ':']).next())
        && let Some(same) = before.iter().find(|known| known.field.name() == name.trim())
    {
        return Ok((same.bound.clone(), None));
    }
    let mut bound = Bound::None;
    let mut not_before = None;
    for clause in row.parts("validation", ';') {
        // "as other amounts: refuse ..." says why, then the rule.
        let clause = clause.strip_prefix("as ").and_then(|rest| rest.split_once(": ")).map_or(clause, |(_, rule)| rule);
        let Some(rule) = clause.strip_prefix("refuse ") else { continue };
        let (code, words) = rule.split_once(' ').unwrap_or((rule, ""));
        match code {
            "FIELD_TYPE" => {
                let words = words.strip_prefix("unless ").unwrap_or(words);
                bound = type_rule(words, kind).ok_or_else(|| {
                    row.error_at("validation", clause, "write the rule in the words of a row with the same type")
                })?;
            }
            "FIELD_RANGE" => {
                let bounds = words.strip_prefix("outside ").and_then(|words| words.split_once(".."));
                let instant = |text: &str| Some(i64::from(Day::parse(text.strip_suffix("T00:00Z")?)?.0) * DAY_MS);
                let (min, max) = bounds
                    .and_then(|(min, max)| Some((instant(min)?, instant(max)?)))
                    .ok_or_else(|| row.error_at("validation", clause, "write: outside DATET00:00Z..DATET00:00Z"))?;
                bound = Bound::Instant { min, max };
            }
            "NEGATIVE_AMOUNT" => bound = Bound::Amount,
            "PARTY_SYNTAX" if words.contains("(person) or E ") => bound = Bound::PersonOrEnterprise,
            "DATE_ORDER" => {
                let earlier = words
                    .strip_suffix(" in one fact")
                    .and_then(|words| words.split_once(" < "))
                    .and_then(|(_, earlier)| FIELDS.into_iter().find(|field| field.name() == earlier));
                let earlier = earlier.ok_or_else(|| {
                    row.error_at(
                        "validation",
                        clause,
                        "write: if THIS < OTHER in one fact, with OTHER a date of this table",
                    )
                })?;
                not_before = Some(earlier);
            }
            // Rules of the form of the record: the code of `validate`, the ingest of the coordinator.
            "MISSING_FIELD" | "UNKNOWN_BEHAVIOUR" | "UNKNOWN_SOURCE" | "UNKNOWN_CONTROL" | "SEQUENCE_CONFLICT"
            | "CORRECTION_FORM" | "CONTROL_FORM" | "BILL_ID_SYNTAX" | "PARTY_SYNTAX" | "RANGE_ORDER"
            | "WATERMARK_BACK" => {}
            _ => return Err(row.error_at("validation", code, "write a refusal code of facts.md section 7")),
        }
    }
    Ok((bound, not_before))
}

/// The bound in the words behind "refuse FIELD_TYPE unless".
fn type_rule(words: &str, kind: FieldKind) -> Option<Bound> {
    let number_in =
        |prefix: &str, suffix: &str| words.strip_prefix(prefix)?.strip_suffix(suffix)?.parse::<usize>().ok();
    Some(match kind {
        FieldKind::Id | FieldKind::Code(_) | FieldKind::Bool | FieldKind::Inst | FieldKind::Legal => Bound::None,
        FieldKind::Integer | FieldKind::Unsigned => {
            let rest = words.strip_prefix("an integer")?;
            if let Some(min) = rest.strip_prefix(" >= ") {
                Bound::Integer { min: min.parse().ok()?, max: i64::MAX }
            } else if let Some((min, max)) = rest.trim_start().split_once("..") {
                Bound::Integer { min: min.parse().ok()?, max: max.parse().ok()? }
            } else {
                Bound::None
            }
        }
        FieldKind::Date => {
            let (min, max) = words.strip_prefix("a real calendar date YYYY-MM-DD between ")?.split_once(" and ")?;
            Bound::Days { min: Day::parse(min)?, max: Day::parse(max)? }
        }
        FieldKind::Codes(_) => Bound::Codes { max: number_in("a list of at most ", " codes")? },
        FieldKind::Text => match words {
            "YYYY-MM" => Bound::Month,
            "a name of this table" => Bound::FieldName,
            "it parses as the type of field_name" => Bound::ValueOfFieldName,
            _ => {
                if let Some(max) = number_in("valid UTF-8 text of at most ", " characters without control characters") {
                    Bound::Text { max }
                } else if let Some(max) = number_in("1-", " printable ASCII") {
                    Bound::PrintableAscii { max }
                } else if let Some(range) = words.strip_suffix(" lower-case hex characters") {
                    let (min, max) = range.split_once('-')?;
                    Bound::Hex { min: min.parse().ok()?, max: max.parse().ok()? }
                } else if let Some(count) = number_in("exactly ", " digits") {
                    Bound::Digits { count }
                } else {
                    let behaviours = words.strip_prefix("a name of this table that ")?.strip_suffix(" may carry")?;
                    Bound::FieldNameOf(behaviours.split(" / ").map(Behaviour::parse).collect::<Option<_>>()?)
                }
            }
        },
        FieldKind::Bill | FieldKind::Party | FieldKind::Enterprise | FieldKind::Person | FieldKind::Group => {
            return None;
        }
    })
}
