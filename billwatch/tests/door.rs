//! Bad input through the whole of the product: each refused line named, everything else untouched; exit codes as documented.

mod common;

use std::fs;

use common::{Cluster, billwatch, example, expect_exit};
use serde_json::Value;

#[test]
fn refused_lines_are_named_and_change_nothing() {
    let cluster = Cluster::start(1, 1);
    for file in ["a-reference.facts.ndjson", "g-flagged.facts.ndjson"] {
        let answer = cluster.ingest(&example(file));
        cluster.settle(answer["epoch"].as_u64().unwrap());
    }
    let before = cluster.verified();
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(example("g-refused.expected.json")).unwrap()).unwrap();
    let file = example("g-refused.facts.ndjson").display().to_string();
    let output = cluster.run(&["ingest", "--replay", &file, "--format", "json"]);
    let answer: Value = serde_json::from_str(&expect_exit(output, 6)).unwrap();
    let refused = answer["refusals"].as_array().unwrap();
    let expected = expected["refused"].as_array().unwrap();
    assert_eq!((answer["accepted"].as_u64(), refused.len()), (Some(0), expected.len()), "{answer:#}");
    for (refusal, expected) in refused.iter().zip(expected) {
        for field in ["line", "code", "field"] {
            assert_eq!(refusal[field], expected[field], "{refusal} instead of {expected}");
        }
        assert!(!refusal["remedy"].as_str().unwrap().is_empty(), "{refusal} says what to do");
    }
    assert_eq!(cluster.verified(), before, "nothing refused has an effect");
    let status = cluster.json(&["status", "--dead-letters", "100"]);
    assert_eq!(status["dead_letters"]["total"], expected.len());

    // Any of them can be looked at, corrected and sent again.
    let shown = || cluster.json(&["dead-letters", "list", "--after", "4", "--limit", "1"])["letters"].clone();
    let letter = shown();
    let sent = fs::read_to_string(example("g-refused.facts.ndjson")).unwrap();
    assert_eq!((&letter[0]["number"], &letter[0]["code"]), (&Value::from(5), &Value::from("UNKNOWN_FIELD")));
    assert_eq!(letter[0]["record"].as_str(), sent.lines().nth(4));
    let all = cluster.json(&["dead-letters", "list", "--limit", "0"]);
    assert_eq!(all["letters"].as_array().map(Vec::len), Some(expected.len()));
    let mut corrected: Value = serde_json::from_str(letter[0]["record"].as_str().unwrap()).unwrap();
    corrected.as_object_mut().unwrap().remove("amout_fen");
    let file = cluster.path("corrected.json");
    fs::write(&file, corrected.to_string()).unwrap();
    let file = file.display().to_string();
    let resubmit = ["dead-letters", "resubmit", "5", "--record", &file, "--replay"];
    expect_exit(cluster.run(&resubmit), 2);
    let answer = cluster.json(&[&resubmit[..], &["--source-seq", "25000"]].concat());
    assert_eq!((&answer["accepted"], &answer["source_seq"]), (&Value::from(true), &Value::from(25_000)));
    assert_eq!(shown()[0]["resubmission"]["source_seq"], 25_000);
    expect_exit(cluster.run(&["dead-letters", "resubmit", "6", "--source-seq", "25001"]), 6);
    cluster.settle(answer["epoch"].as_u64().unwrap());
    cluster.verified();
}

#[test]
fn csv_is_the_same_market_as_ndjson() {
    let lines = fs::read_to_string(example("a-reference.facts.ndjson")).unwrap();
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut fields: Vec<_> = records.iter().flat_map(|record| record.as_object().unwrap().keys().cloned()).collect();
    fields.sort();
    fields.dedup();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(&fields).unwrap();
    for record in &records {
        let cell = |field: &String| match record.get(field) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(codes)) if codes.is_empty() => "[]".to_owned(),
            Some(Value::Array(codes)) => codes.iter().map(|code| code.as_str().unwrap()).collect::<Vec<_>>().join(","),
            Some(other) => other.to_string(),
        };
        csv.write_record(fields.iter().map(cell)).unwrap();
    }
    let cluster = Cluster::start(1, 1);
    let path = cluster.path("reference.csv");
    fs::write(&path, csv.into_inner().unwrap()).unwrap();
    let first = cluster.ingest(&path);
    assert_eq!((first["accepted"].as_u64(), first["refused"].as_u64()), (Some(records.len() as u64), Some(0)));
    // The same content from the other form: every line is known.
    let again = cluster.ingest(&example("a-reference.facts.ndjson"));
    assert_eq!((again["accepted"].as_u64(), again["duplicates"].as_u64()), (Some(0), Some(records.len() as u64)));
}

#[test]
fn exit_codes_are_the_documented_ones() {
    expect_exit(billwatch(&["query", "aggregates"]), 2);
    // Port 1 is nobody's.
    expect_exit(billwatch(&["status", "--address", "http://127.0.0.1:1"]), 3);
    expect_exit(billwatch(&["status", "--address", "nonsense"]), 2);
    expect_exit(billwatch(&["ingest", "no-such-file.ndjson"]), 1);
    expect_exit(billwatch(&["ingest", "facts.unknown"]), 2);
    expect_exit(billwatch(&["catalogue", "nonsense"]), 2);
}

#[test]
fn the_catalogue_shows_anything_by_its_code() {
    for (code, part) in [
        ("END.SGN", "CS03 Received 已收票"),
        ("T04", "avg_hops"),
        ("D.drawer.prov", "浙江省"),
        ("province", "浙江省"),
        ("drawn", "P023"),
        ("P013", "止付冻结票据继续流转"),
        ("LQ1", "DUE_ACC"),
        ("R02", "承兑业务统计月报"),
    ] {
        let page = expect_exit(billwatch(&["catalogue", "show", code]), 0);
        assert!(page.starts_with(&format!("# {code} ")) && page.contains(part), "{page}");
        let json = expect_exit(billwatch(&["catalogue", "show", code, "--format", "json"]), 0);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json[0]["code"], code);
    }
    expect_exit(billwatch(&["catalogue", "show", "P999"]), 2);
    expect_exit(billwatch(&["catalogue", "show"]), 2);
}

#[test]
fn the_catalogue_lists_what_the_engine_runs() {
    let catalogue: Value =
        serde_json::from_str(&expect_exit(billwatch(&["catalogue", "--format", "json"]), 0)).unwrap();
    let count = |part: &str| catalogue[part]["count"].as_u64().unwrap();
    assert!(count("behaviours") >= 230);
    assert!(count("themes") >= 40);
    assert!(count("dimensions") >= 600);
    assert!(count("enumeration_items") >= 1_800);
    assert!(count("patterns") >= 40);
    assert_eq!(catalogue["patterns"]["families"], 12);
    assert!(count("features") > 0);
    assert_eq!(count("indicators"), 8);
    assert_eq!(count("reports"), 22);
}
