//! The text form of records: one JSON object a line (facts.md section 1).
//!
//! Owns reading and printing. Invariants: [`parse_line`] reads back what [`print_record`] prints, equal but for the
//! watermark of the stamp, which has no text form; bytes that are not a record are a [`Refusal`], never a panic. Within a
//! line the order of keys has no meaning; printed lines have the order of `fields.csv`.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;

use crate::{
    catalogue::Catalogue,
    draft::Draft,
    fact::{Field, Record},
    field_set::FieldSet,
    raw_value::Raw,
    record_fields::{Part, for_each_field, push_text},
    refusal::{Fault, Refusal, RefusalCode},
};

/// Longest line in bytes, without its line end.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// Reads and checks one line, with or without its line end.
pub fn parse_line(line: &[u8], catalogue: &Catalogue) -> Result<Record, Box<Refusal>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.len() > MAX_LINE_BYTES {
        let remedy = format!("send lines of at most {MAX_LINE_BYTES} bytes; this one has {}", line.len());
        return Err(Fault::whole(RefusalCode::LineTooLong, remedy).refuse(None, None, None));
    }
    let mut parts =
        Parts { catalogue, known: SmallVec::new(), seen: FieldSet::default(), unknown: Vec::new(), repeated: None };
    let mut reader = serde_json::Deserializer::from_slice(line);
    let syntax = reader.deserialize_map(&mut parts).and_then(|()| reader.end());

    let mut draft = Draft::with_capacity(parts.known.len());
    if let Err(error) = syntax {
        let remedy = format!("send one JSON object a line: {error}");
        draft.blame(Fault::whole(RefusalCode::NotJson, remedy));
    }
    if let Some(name) = parts.repeated {
        draft.blame(Fault::beside(RefusalCode::NotJson, name, "send each key once"));
    }
    for (name, value) in &parts.unknown {
        draft.blame_name(name, value);
    }
    parts.known.sort_unstable_by_key(|(field, _)| *field);
    for (field, raw) in parts.known {
        draft.put(field, raw, catalogue);
    }
    draft.finish(catalogue)
}

/// The keys and values of a line, as far as it could be read.
struct Parts<'de, 'c> {
    catalogue: &'c Catalogue,
    known: SmallVec<[(Field, Raw<'de>); 32]>,
    seen: FieldSet,
    unknown: Vec<(String, String)>,
    repeated: Option<String>,
}

impl<'de> Visitor<'de> for &mut Parts<'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed(self.catalogue))? {
            let raw = map.next_value_seed(RawSeed)?;
            match key {
                Key::Known(field) if self.seen.insert(field) => self.known.push((field, raw)),
                Key::Known(field) => self.repeated = Some(field.name().to_owned()),
                Key::Unknown(name) if self.unknown.iter().any(|(known, _)| *known == name) => {
                    self.repeated = Some(name);
                }
                Key::Unknown(name) => self.unknown.push((name, raw.to_string())),
            }
        }
        Ok(())
    }
}

enum Key {
    Known(Field),
    Unknown(String),
}

struct KeySeed<'c>(&'c Catalogue);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Key, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(self.0.fields.by_name(name).map_or_else(|| Key::Unknown(name.to_owned()), Key::Known))
    }
}

/// Reads any value of a field.
#[derive(Clone, Copy)]
struct RawSeed;

impl<'de> DeserializeSeed<'de> for RawSeed {
    type Value = Raw<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Raw<'de>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RawSeed {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw<'de>, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw<'de>, E> {
        Ok(u64::try_from(value).map_or(Raw::Negative(value), Raw::Unsigned))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw<'de>, E> {
        Ok(Raw::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw<'de>, E> {
        Ok(Raw::Fraction(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Raw<'de>, E> {
        Ok(Raw::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw<'de>, E> {
        Ok(Raw::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Raw<'de>, E> {
        Ok(Raw::Unfit("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw<'de>, A::Error> {
        let mut texts = Vec::new();
        let mut only_text = true;
        while let Some(value) = list.next_element_seed(ElementSeed)? {
            match value {
                Some(text) => texts.push(text),
                None => only_text = false,
            }
        }
        Ok(if only_text { Raw::List(texts) } else { Raw::Unfit("a list of other things than text") })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Raw::Unfit("a nested object"))
    }
}

/// Reads an element of a list: text, or `None` for anything else.
struct ElementSeed;

impl<'de> DeserializeSeed<'de> for ElementSeed {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        let raw = reader.deserialize_any(RawSeed).map_err(D::Error::custom)?;
        Ok(match raw {
            Raw::Text(text) => Some(text),
            _ => None,
        })
    }
}

/// Prints a record as one line, without line end, fields in the order of `fields.csv`. `ingest_time` is printed when it
/// differs from `event_time`: a line without it is read so.
pub fn print_record(record: &Record) -> String {
    let mut out = Vec::with_capacity(512);
    out.push(b'{');
    for_each_field(record, |field, part| {
        if out.len() > 1 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(field.name().as_bytes());
        out.extend_from_slice(b"\":");
        match part {
            Part::Int(_) | Part::Unsigned(_) | Part::Bool(_) => push_text(&part, &mut out),
            Part::Text(text) => push_json_text(text, &mut out),
            Part::Codes(codes) => {
                out.push(b'[');
                for (at, code) in codes.iter().enumerate() {
                    out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
                    out.extend_from_slice(code.as_str().as_bytes());
                    out.push(b'"');
                }
                out.push(b']');
            }
            _ => {
                out.push(b'"');
                push_text(&part, &mut out);
                out.push(b'"');
            }
        }
    });
    out.push(b'}');
    String::from_utf8(out).expect("names, numbers, codes and texts are UTF-8")
}

fn push_json_text(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|byte| byte == b'"' || byte == b'\\' || byte < b' ') {
        serde_json::to_writer(out, text).expect("writing to memory does not fail");
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests;
