//! The worked examples are read and printed; bad lines are refused with their code and field.

use std::{fs, path::PathBuf};

use proptest::prelude::*;

use super::*;
use crate::{
    arbitrary,
    codec::{decode_record, encode_record},
    fact::{ControlKind, CorrectionKind, Fact, Range, Record, Value, behaviour},
};

fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const EXAMPLES: [&str; 8] = [
    "a-reference",
    "b-plain-bab",
    "c-split-package",
    "d-cab-recourse",
    "e-unsuccessful",
    "f-late-corrections",
    "f-shuffled",
    "g-flagged",
];

#[test]
fn every_example_line_comes_back_in_both_forms() {
    let catalogue = Catalogue::embedded();
    let mut lines = 0;
    for name in EXAMPLES {
        for (at, line) in example(&format!("{name}.facts.ndjson")).lines().enumerate() {
            let record = parse_line(line.as_bytes(), &catalogue).unwrap_or_else(|error| panic!("{name}:{at}: {error}"));
            let printed = print_record(&record);
            assert_eq!(parse_line(printed.as_bytes(), &catalogue).as_ref(), Ok(&record), "{name}:{at}: {printed}");
            let as_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            let (mut sent, mut back) = (as_json(line), as_json(&printed));
            for json in [&mut sent, &mut back] {
                let json = json.as_object_mut().unwrap();
                // What the in-memory form reads into the absence of these.
                if json.get("ingest_time") == json.get("event_time") {
                    json.remove("ingest_time");
                }
                if json.get("sub_end").is_some_and(|end| *end == 0) {
                    json.remove("sub_start");
                    json.remove("sub_end");
                }
                if let Some(flags) = json.get_mut("special_flags").and_then(|flags| flags.as_array_mut()) {
                    flags.sort_by_key(ToString::to_string);
                }
            }
            assert_eq!(back, sent, "{name}:{at}");
            let mut bytes = Vec::new();
            encode_record(&record, &mut bytes);
            assert_eq!(decode_record(&mut bytes.as_slice()).unwrap(), record, "{name}:{at}");
            lines += 1;
        }
    }
    assert_eq!(lines, 282);
}

#[test]
fn every_refused_example_has_its_code_and_field() {
    let catalogue = Catalogue::embedded();
    let expected: serde_json::Value = serde_json::from_str(&example("g-refused.expected.json")).unwrap();
    let lines: Vec<String> = example("g-refused.facts.ndjson").lines().map(str::to_owned).collect();
    let refused = expected["refused"].as_array().unwrap();
    assert_eq!((lines.len(), refused.len()), (20, 20));
    for row in refused {
        let line = row["line"].as_u64().unwrap() as usize;
        let code = row["code"].as_str().unwrap();
        let result = parse_line(lines[line - 1].as_bytes(), &catalogue);
        if matches!(code, "WATERMARK_BACK" | "SEQUENCE_CONFLICT") {
            result.unwrap_or_else(|error| panic!("line {line} is the coordinator's to refuse: {error}"));
            continue;
        }
        let refusal = result.expect_err(code);
        assert_eq!(refusal.code.as_str(), code, "line {line}: {refusal}");
        assert_eq!(refusal.field.as_deref().unwrap_or_default(), row["field"].as_str().unwrap(), "line {line}");
        assert!(!refusal.remedy.is_empty());
        if line > 2 {
            let source = if line == 4 { "XXXX" } else { "NGBS" };
            assert_eq!(refusal.source.as_deref(), Some(source), "line {line}");
            assert!(refusal.source_seq.is_some(), "line {line}");
        }
    }
}

/// A good END.REQ with some of its text replaced.
fn with(find: &str, put: &str) -> Result<Record, Box<Refusal>> {
    let line = concat!(
        r#"{"event_id":"97","behaviour":"END.REQ","event_time":1751958000000,"biz_date":"2025-07-08","source":"NGBS","#,
        r#""source_seq":24,"bill_id":"531333100011720250701000000229","sub_start":1,"sub_end":60,"amount_fen":60,"#,
        r#""initiator_id":"E0000000002","counterparty_id":"E0000000004","transferable":"EM00"}"#
    );
    assert!(find.is_empty() || line.contains(find), "{find}");
    parse_line(line.replacen(find, put, 1).as_bytes(), &Catalogue::embedded())
}

fn refused(find: &str, put: &str) -> (String, String) {
    let refusal = with(find, put).expect_err(put);
    (refusal.code.to_string(), refusal.field.unwrap_or_default())
}

fn pair(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

#[test]
fn the_form_of_the_line() {
    with("", "").unwrap();
    for (find, put) in [
        ("}", ""),
        ("}", "},"),
        ("}", "}{}"),
        ("{\"event_id\"", "[\"event_id\""),
        ("\"END.REQ\"", "\"END.REQ"),
        (":24,", ":024,"),
        ("\"EM00\"", "\"\u{1}\""),
        ("\"EM00\"", "[\"A\",]"),
    ] {
        assert_eq!(refused(find, put).0, "NOT_JSON", "{put}");
    }
    assert_eq!(refused("\"transferable\"", "\"sub_end\""), pair("NOT_JSON", "sub_end"));
    assert_eq!(refused("\"transferable\":\"EM00\"", "\"x\":1,\"x\":2"), pair("NOT_JSON", "x"));
    assert_eq!(refused("\"transferable\":\"EM00\"", "\"x\":1"), pair("UNKNOWN_FIELD", "x"));
    assert_eq!(
        refused("E0000000002\"", &format!("E0000000002\",\"remark\":\"{}\"", "x".repeat(70_000))).0,
        "LINE_TOO_LONG"
    );
    let mut broken = b"{\"event_id\":\"9\",\"remark\":\"\xff\"}".to_vec();
    assert_eq!(parse_line(&broken, &Catalogue::embedded()).unwrap_err().code, RefusalCode::NotJson);
    broken.truncate(9);
    parse_line(&broken, &Catalogue::embedded()).unwrap_err();
    for line in ["", "\n", "null", "1", "\"x\"", "{}", "[]", "\u{feff}{}"] {
        parse_line(line.as_bytes(), &Catalogue::embedded()).unwrap_err();
    }
    let deep = format!("{{\"remark\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(parse_line(deep.as_bytes(), &Catalogue::embedded()).unwrap_err().code, RefusalCode::NotJson);
}

#[test]
fn what_is_readable_of_a_refused_line_is_kept() {
    let refusal = with("}", "").unwrap_err();
    assert_eq!(refusal.source.as_deref(), Some("NGBS"));
    assert_eq!((refusal.source_seq, refusal.event_id), (Some(24), Some(97)));
    assert_eq!(with("\"EM00\"", "7").unwrap_err().value.as_deref(), Some("7"));
}

#[test]
fn types_and_forms() {
    let field_type = [
        ("\"97\"", "97", "event_id"),
        ("\"97\"", "\"097\"", "event_id"),
        ("\"97\"", "\"-97\"", "event_id"),
        ("\"97\"", "\"340282366920938463463374607431768211456\"", "event_id"),
        ("1751958000000", "1751958000000.0", "event_time"),
        ("1751958000000", "17519580e5", "event_time"),
        ("1751958000000", "\"+1751958000000\"", "event_time"),
        ("2025-07-08", "2025-7-8", "biz_date"),
        ("2025-07-08", "2100-01-01", "biz_date"),
        ("2025-07-08", "1949-09-30", "biz_date"),
        (":24,", ":0,", "source_seq"),
        (":24,", ":-24,", "source_seq"),
        (":24,", ":null,", "source_seq"),
        ("\"sub_start\":1,", "\"sub_start\":-1,", "sub_start"),
        ("\"sub_end\":60", "\"sub_end\":1000000000000", "sub_end"),
        ("\"amount_fen\":60", "\"amount_fen\":9223372036854775808", "amount_fen"),
        ("\"amount_fen\":60", "\"amount_fen\":\"\"", "amount_fen"),
        ("\"amount_fen\":60", "\"amount_fen\":{\"fen\":60}", "amount_fen"),
        ("\"amount_fen\":60", "\"amount_fen\":true", "amount_fen"),
        ("\"E0000000002\"", "\"\"", "initiator_id"),
        ("\"E0000000002\"", "null", "initiator_id"),
        ("\"EM00\"", "\"em00\"", "transferable"),
        ("\"EM00\"", "\"EM00EM00EM00EM00E\"", "transferable"),
        ("\"EM00\"", "\"\"", "transferable"),
        ("\"EM00\"", "[\"EM00\"]", "transferable"),
        ("\"transferable\":\"EM00\"", "\"divisible\":\"true\"", "divisible"),
        ("\"transferable\":\"EM00\"", "\"divisible\":1", "divisible"),
        ("\"transferable\":\"EM00\"", "\"special_flags\":[\"A\",\"B\",\"A\"]", "special_flags"),
        ("\"transferable\":\"EM00\"", "\"special_flags\":[\"A\",1]", "special_flags"),
        ("\"transferable\":\"EM00\"", "\"special_flags\":\"A\"", "special_flags"),
        ("\"transferable\":\"EM00\"", "\"special_flags\":[\"\"]", "special_flags"),
        ("\"transferable\":\"EM00\"", "\"remark\":\"\"", "remark"),
        ("\"transferable\":\"EM00\"", "\"remark\":7", "remark"),
        ("\"transferable\":\"EM00\"", "\"remark\":\"a\\nb\"", "remark"),
        ("\"transferable\":\"EM00\"", "\"trader_id\":\"abcdefghijklmnopqrstu\"", "trader_id"),
        ("\"transferable\":\"EM00\"", "\"device_id\":\"0123456789ABCDEF\"", "device_id"),
        ("\"transferable\":\"EM00\"", "\"initiator_uscc\":\"91é\"", "initiator_uscc"),
        ("\"transferable\":\"EM00\"", "\"bank_no\":\"31333100001\"", "bank_no"),
        ("\"transferable\":\"EM00\"", "\"period_month\":\"2025-13\"", "period_month"),
        ("\"transferable\":\"EM00\"", "\"repo_days\":367", "repo_days"),
        ("\"transferable\":\"EM00\"", "\"bill_count\":0", "bill_count"),
        ("\"transferable\":\"EM00\"", "\"employees\":-1", "employees"),
        ("\"transferable\":\"EM00\"", "\"corrected_field\":\"amout\"", "corrected_field"),
        ("\"transferable\":\"EM00\"", "\"field_name\":\"due_date\"", "field_name"),
        ("\"transferable\":\"EM00\"", "\"field_name\":\"employees\",\"new_value\":\"many\"", "new_value"),
        ("\"transferable\":\"EM00\"", "\"field_name\":\"reg_date\",\"new_value\":\"2025-02-30\"", "new_value"),
        ("\"transferable\":\"EM00\"", "\"initiator_inst\":\"12345678\"", "initiator_inst"),
        ("\"transferable\":\"EM00\"", "\"initiator_inst\":123456789", "initiator_inst"),
        ("\"transferable\":\"EM00\"", "\"legal_inst_id\":\"E0000000001\"", "legal_inst_id"),
    ];
    for (find, put, field) in field_type {
        assert_eq!(refused(find, put), pair("FIELD_TYPE", field), "{put}");
    }
    let many = format!("\"special_flags\":[{}]", (10..25).map(|n| format!("\"A{n}\"")).collect::<Vec<_>>().join(","));
    assert_eq!(refused("\"transferable\":\"EM00\"", &many), pair("FIELD_TYPE", "special_flags"));

    assert_eq!(refused("\"END.REQ\"", "\"END.req\""), pair("UNKNOWN_BEHAVIOUR", "behaviour"));
    assert_eq!(refused("\"END.REQ\"", "7"), pair("UNKNOWN_BEHAVIOUR", "behaviour"));
    assert_eq!(refused("\"NGBS\"", "\"ngbs\""), pair("UNKNOWN_SOURCE", "source"));
    assert_eq!(refused("1751958000000", "1230767999999"), pair("FIELD_RANGE", "event_time"));
    with("1751958000000", "4102444800000").unwrap();
    assert_eq!(refused("60,\"init", "60,\"ingest_time\":0,\"init"), pair("FIELD_RANGE", "ingest_time"));
    assert_eq!(refused("60,\"init", "60,\"recorded_time\":1,\"init"), pair("FIELD_RANGE", "recorded_time"));
    assert_eq!(refused("\"amount_fen\":60", "\"amount_fen\":-60"), pair("NEGATIVE_AMOUNT", "amount_fen"));
    with("\"transferable\":\"EM00\"", "\"net_assets_fen\":-5").unwrap();
    assert_eq!(refused("0701000000229", "0701000000 29"), pair("BILL_ID_SYNTAX", "bill_id"));
    assert_eq!(refused("\"531333100011720250701000000229\"", "531"), pair("FIELD_TYPE", "bill_id"));
    let long = format!("\"{}\"", "1".repeat(39));
    assert_eq!(refused("\"531333100011720250701000000229\"", &long), pair("BILL_ID_SYNTAX", "bill_id"));
    for party in ["E000000002", "G000001", "e0000000002", "system", "1001011"] {
        assert_eq!(refused("E0000000002", party), pair("PARTY_SYNTAX", "initiator_id"), "{party}");
    }
    for (field, value) in [("ent_id", "100101"), ("legal_rep_id", "E0000000001"), ("group_id", "N0000000001")] {
        let put = format!("\"{field}\":\"{value}\"");
        assert_eq!(refused("\"transferable\":\"EM00\"", &put), pair("PARTY_SYNTAX", field));
    }
    with("\"transferable\":\"EM00\"", "\"ubo_id\":\"E0000000001\"").unwrap();
}

#[test]
fn relations_between_fields() {
    assert_eq!(refused("\"sub_start\":1,", "\"sub_start\":0,"), pair("RANGE_ORDER", "sub_start"));
    assert_eq!(refused("\"sub_start\":1,", "\"sub_start\":61,"), pair("RANGE_ORDER", "sub_start"));
    with("\"sub_start\":1,\"sub_end\":60", "\"sub_start\":0,\"sub_end\":0").unwrap();
    let dates = "\"issue_date\":\"2025-07-08\",\"due_date\":\"2025-07-07\"";
    assert_eq!(refused("\"transferable\":\"EM00\"", dates), pair("DATE_ORDER", "due_date"));
    let dates = "\"to_date\":\"2025-07-07\",\"from_date\":\"2025-07-08\"";
    assert_eq!(refused("\"transferable\":\"EM00\"", dates), pair("DATE_ORDER", "to_date"));
    let correction = |put: &str| refused("\"transferable\":\"EM00\"", put);
    assert_eq!(correction("\"correction\":\"replace\""), pair("CORRECTION_FORM", "correction"));
    assert_eq!(correction("\"corrects_event_id\":\"1\""), pair("CORRECTION_FORM", "corrects_event_id"));
    let itself = "\"correction\":\"revoke\",\"corrects_event_id\":\"97\"";
    assert_eq!(correction(itself), pair("CORRECTION_FORM", "corrects_event_id"));
    assert_eq!(correction("\"control\":\"idle\""), pair("CONTROL_FORM", "control"));
}

#[test]
fn what_must_be_there() {
    for (text, field) in [
        ("\"event_id\":\"97\",", "event_id"),
        ("\"behaviour\":\"END.REQ\",", "behaviour"),
        ("\"event_time\":1751958000000,", "event_time"),
        ("\"biz_date\":\"2025-07-08\",", "biz_date"),
        ("\"source\":\"NGBS\",", "source"),
        ("\"source_seq\":24,", "source_seq"),
        ("\"bill_id\":\"531333100011720250701000000229\",", "bill_id"),
        ("\"sub_start\":1,", "sub_start"),
        ("\"sub_end\":60,", "sub_end"),
        ("\"initiator_id\":\"E0000000002\",", "initiator_id"),
    ] {
        assert_eq!(refused(text, ""), pair("MISSING_FIELD", field));
    }
    // Absence of these alerts, and does not refuse.
    with("\"amount_fen\":60,", "").unwrap();
    with("\"counterparty_id\":\"E0000000004\",", "").unwrap();

    let parse = |line: &str| parse_line(line.as_bytes(), &Catalogue::embedded());
    let revoke = concat!(
        r#"{"event_id":"98","behaviour":"END.REQ","event_time":1751958000000,"biz_date":"2025-07-08","source":"NGBS","#,
        r#""source_seq":25,"correction":"revoke","corrects_event_id":"97","bill_id":"5"}"#
    );
    let Record::Fact(fact) = parse(revoke).unwrap() else { panic!("a correction is a fact") };
    assert_eq!((fact.correction, fact.range), (Some((CorrectionKind::Revoke, 97)), Range::WHOLE));
    let error = parse(&revoke.replace(",\"bill_id\":\"5\"", "")).unwrap_err();
    assert_eq!((error.code, error.field.as_deref()), (RefusalCode::MissingField, Some("bill_id")));
    let error = parse(&revoke.replace("revoke", "replace")).unwrap_err();
    assert_eq!((error.code, error.field.as_deref()), (RefusalCode::MissingField, Some("sub_start")));
}

#[test]
fn values_are_kept_in_one_form() {
    let fact = |find: &str, put: &str| match with(find, put).unwrap() {
        Record::Fact(fact) => fact,
        Record::Control(_) => panic!("a fact"),
    };
    let plain = fact("", "");
    assert_eq!(plain.behaviour, behaviour::END_REQ);
    assert_eq!(plain.stamp.ingest_time, plain.event_time, "the replay rule");
    assert!(plain.same_content(&fact("\"amount_fen\":60", "\"amount_fen\":\"60\"")));
    assert!(plain.same_content(&fact(":24,", ":25,")));
    let flags = |list: &str| fact("\"transferable\":\"EM00\"", &format!("\"special_flags\":[{list}]"));
    assert!(flags("\"SRDI\",\"GREEN\"").same_content(&flags("\"GREEN\",\"SRDI\"")));
    // é composed and decomposed, and as an escape.
    let remark = |text: &str| fact("\"transferable\":\"EM00\"", &format!("\"remark\":\"{text}\""));
    assert_eq!(remark("caf\u{e9}"), remark("cafe\u{301}"));
    assert_eq!(remark("caf\u{e9}"), remark("caf\\u00e9"));
    assert_eq!(remark("a\\\"b\\\\").text(Field::Remark), Some("a\"b\\"));
    // An unknown code is kept as sent (P178).
    let unknown = fact("\"EM00\"", "\"EM_9+\"");
    assert_eq!(unknown.code(Field::Transferable).unwrap().as_str(), "EM_9+");
}

#[test]
fn control_records() {
    let parse = |line: &str| parse_line(line.as_bytes(), &Catalogue::embedded());
    let line = r#"{"control":"watermark","source":"NGBS","source_seq":3,"watermark_time":1751958000000}"#;
    let Record::Control(control) = parse(line).unwrap() else { panic!("a control record") };
    assert_eq!(control.kind, ControlKind::Watermark(1_751_958_000_000));
    for (line, code, field) in [
        (r#"{"control":"watermark","source":"NGBS","source_seq":3}"#, "MISSING_FIELD", "watermark_time"),
        (r#"{"control":"idle","source_seq":3}"#, "MISSING_FIELD", "source"),
        (r#"{"control":"resume","source":"NGBS"}"#, "MISSING_FIELD", "source_seq"),
        (r#"{"control":"resume","source":"NGBS","source_seq":0}"#, "FIELD_TYPE", "source_seq"),
        (
            r#"{"control":"watermark","source":"NGBS","source_seq":3,"watermark_time":1}"#,
            "FIELD_RANGE",
            "watermark_time",
        ),
        (r#"{"control":7,"source":"NGBS","source_seq":3}"#, "UNKNOWN_CONTROL", "control"),
        (
            r#"{"control":"book_line","source":"CPES","source_seq":3,"holder_id":"100101","book_date":"2025-07-08","bill_id":"5","sub_start":2,"sub_end":1,"amount_fen":1}"#,
            "RANGE_ORDER",
            "sub_start",
        ),
        (
            r#"{"control":"book_end","source":"CPES","source_seq":3,"holder_id":"100101","book_date":"2025-07-08","line_count":1,"book_total_fen":-1}"#,
            "NEGATIVE_AMOUNT",
            "book_total_fen",
        ),
        (
            r#"{"control":"book_end","source":"CPES","source_seq":3,"book_date":"2025-07-08","line_count":1,"book_total_fen":1}"#,
            "MISSING_FIELD",
            "holder_id",
        ),
    ] {
        let refusal = parse(line).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.field.as_deref()), (code, Some(field)), "{line}");
    }
}

proptest! {
    /// Whatever passes the check in memory has a text form that reads back equal, and is refused the same way otherwise.
    #[test]
    fn both_forms_agree(record in prop_oneof![
        arbitrary::record(),
        arbitrary::acceptable_fact().prop_map(Record::Fact),
    ]) {
        let catalogue = Catalogue::embedded();
        let printed = print_record(&record);
        let read = parse_line(printed.as_bytes(), &catalogue);
        match crate::validate::check(&record, &catalogue) {
            Ok(()) => {
                let mut expected = record;
                if let Record::Fact(fact) = &mut expected {
                    fact.stamp.source_watermark = i64::MIN;
                }
                prop_assert_eq!(read.unwrap(), expected);
            }
            Err(refusal) => prop_assert_eq!(read.unwrap_err(), refusal),
        }
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        prop_assert!(parse_line(&bytes, &Catalogue::embedded()).is_err());
    }

    #[test]
    fn a_damaged_line_never_panics(record in arbitrary::record(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut line = print_record(&record).into_bytes();
        let at = at.index(line.len());
        line[at] = byte;
        let _ = parse_line(&line, &Catalogue::embedded());
        line.truncate(at);
        prop_assert!(parse_line(&line, &Catalogue::embedded()).is_err());
    }

    #[test]
    fn texts_of_any_letters_come_back(text in "\\PC{1,40}") {
        let catalogue = Catalogue::embedded();
        let mut fact: Fact = arbitrary::plain_fact(behaviour::PAY_MAT);
        fact.set(Field::Remark, Value::Text(text.into()));
        let record = Record::Fact(fact);
        let once = parse_line(print_record(&record).as_bytes(), &catalogue).unwrap();
        prop_assert_eq!(parse_line(print_record(&once).as_bytes(), &catalogue).unwrap(), once);
    }
}
