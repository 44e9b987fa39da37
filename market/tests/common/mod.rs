//! Reads the worked examples: facts from their NDJSON, what is expected from their JSON.

use std::{fs, path::Path};

use billwatch_market::{
    fact::{Behaviour, CorrectionKind, FIELDS, Fact, Field, Range, Source, Stamp, Value},
    ids::{BillId, Code, Day, InstId, PartyId},
};
use serde_json::Value as Json;

/// One line of an example: a fact, or `None` for a control record.
pub fn facts(example: &str) -> Vec<Option<Fact>> {
    read(&format!("{example}.facts.ndjson")).lines().map(|line| fact(&serde_json::from_str(line).unwrap())).collect()
}

/// `NAME.expected.json`.
pub fn expected(example: &str) -> Json {
    serde_json::from_str(&read(&format!("{example}.expected.json"))).unwrap()
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file)).unwrap()
}

fn fact(line: &Json) -> Option<Fact> {
    let text = |name: &str| line.get(name).and_then(Json::as_str);
    let number = |name: &str| line.get(name).and_then(Json::as_i64);
    let mut fact = Fact {
        event_id: text("event_id")?.parse().unwrap(),
        behaviour: Behaviour::parse(text("behaviour")?).unwrap(),
        event_time: number("event_time").unwrap(),
        biz_date: Day::parse(text("biz_date").unwrap()).unwrap(),
        source: Source::parse(text("source").unwrap()).unwrap(),
        source_seq: number("source_seq").unwrap() as u64,
        stamp: Stamp::default(),
        bill_id: text("bill_id").and_then(BillId::parse),
        range: Range { start: number("sub_start").unwrap_or(0) as u64, end: number("sub_end").unwrap_or(0) as u64 },
        correction: text("correction").map(|kind| {
            let kind = if kind == "revoke" { CorrectionKind::Revoke } else { CorrectionKind::Replace };
            (kind, text("corrects_event_id").unwrap().parse().unwrap())
        }),
        fields: vec![],
    };
    for field in FIELDS {
        use Field::*;
        let in_envelope = matches!(
            field,
            EventId
                | Behaviour
                | EventTime
                | BizDate
                | Source
                | SourceSeq
                | IngestTime
                | BillId
                | SubStart
                | SubEnd
                | Correction
                | CorrectsEventId
        );
        if let Some(sent) = line.get(field.name()).filter(|_| !in_envelope) {
            fact.set(field, value(field.type_name(), sent));
        }
    }
    Some(fact)
}

fn value(kind: &str, sent: &Json) -> Value {
    let text = || sent.as_str().unwrap();
    match kind {
        "i64" | "u64" => Value::Int(sent.as_i64().unwrap()),
        "bool" => Value::Bool(sent.as_bool().unwrap()),
        "date" => Value::Date(Day::parse(text()).unwrap()),
        "u128" => Value::Id(text().parse().unwrap()),
        "id:INST" => Value::Inst(InstId::parse(text()).unwrap()),
        "id:PARTY" | "id:ENT" | "id:LEGAL" | "id:PERSON" | "id:GROUP" => Value::Party(PartyId::parse(text()).unwrap()),
        _ if kind.starts_with("enum:") => Value::Code(Code::parse(text()).unwrap()),
        _ if kind.starts_with("list:") => Value::Codes(
            sent.as_array().unwrap().iter().map(|code| Code::parse(code.as_str().unwrap()).unwrap()).collect(),
        ),
        _ => Value::Text(text().into()),
    }
}
