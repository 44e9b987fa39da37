//! Bad input through the whole of the product: each refused line named, everything else untouched; exit codes as documented.

mod common;

use std::{fs, sync::Arc};

use billwatch_market::fact::{FIELDS, Field};
use common::{Cluster, billwatch, example, expect_exit};
use parquet::{
    basic::{Compression, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
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

/// A value as the text of a cell.
fn cell_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(codes) if codes.is_empty() => "[]".to_owned(),
        Value::Array(codes) => codes.iter().map(|code| code.as_str().unwrap()).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
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
        let cell = |field: &String| record.get(field).map_or(String::new(), cell_text);
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

/// All of a small market as Parquet: a column for each field of facts, in its own type where Parquet has one.
fn parquet_of(records: &[Value], path: &std::path::Path) {
    let own_type = |field: &Field| match field.type_name() {
        "i64" | "u64" => "int64",
        "bool" => "boolean",
        _ => "byte_array",
    };
    let column = |field: &Field| match own_type(field) {
        "byte_array" => format!("optional byte_array {} (UTF8);", field.name()),
        kind => format!("optional {kind} {};", field.name()),
    };
    let schema = format!("message facts {{ {} }}", FIELDS.iter().map(column).collect::<String>());
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for field in FIELDS {
        let cells = || records.iter().map(|record| &record[field.name()]);
        let levels: Vec<i16> = cells().map(|cell| i16::from(!cell.is_null())).collect();
        let cells = cells().filter(|cell| !cell.is_null());
        let mut column = group.next_column().unwrap().unwrap();
        match column.untyped() {
            ColumnWriter::Int64ColumnWriter(numbers) => {
                let values: Vec<i64> = cells.map(|cell| cell.as_i64().unwrap()).collect();
                numbers.write_batch(&values, Some(&levels), None).unwrap();
            }
            ColumnWriter::BoolColumnWriter(flags) => {
                let values: Vec<bool> = cells.map(|cell| cell.as_bool().unwrap()).collect();
                flags.write_batch(&values, Some(&levels), None).unwrap();
            }
            ColumnWriter::ByteArrayColumnWriter(texts) => {
                let values: Vec<ByteArray> = cells.map(|cell| ByteArray::from(cell_text(cell).as_str())).collect();
                texts.write_batch(&values, Some(&levels), None).unwrap();
            }
            _ => unreachable!("three types of columns"),
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn parquet_is_the_same_market_as_ndjson() {
    let cluster = Cluster::start(1, 1);
    let (facts, labels) = (cluster.path("facts.ndjson"), cluster.path("labels.ndjson"));
    let (out, labels) = (facts.display().to_string(), labels.display().to_string());
    let simulate = ["simulate", "--facts", "10000", "--cases-a-round", "1", "--corrected", "0.01"];
    expect_exit(billwatch(&[&simulate[..], &["--out", &out, "--labels", &labels]].concat()), 0);
    let lines = fs::read_to_string(&facts).unwrap();
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let path = cluster.path("facts.parquet");
    parquet_of(&records, &path);
    let first = cluster.ingest(&path);
    let count = Some(records.len() as u64);
    // A planted case sends a record twice.
    assert_eq!((first["records"].as_u64(), first["refused"].as_u64()), (count, Some(0)), "{first:#}");
    // The content of a record is its identity: one that came otherwise than as NDJSON would be new, not known.
    let again = cluster.ingest(&facts);
    assert_eq!((again["accepted"].as_u64(), again["duplicates"].as_u64()), (Some(0), count), "{again:#}");
}

#[test]
fn a_bad_csv_line_is_one_refused_line() {
    let cluster = Cluster::start(1, 1);
    let path = cluster.path("bad.csv");
    let good = |number: u8| format!("REFD,{number},idle\n").into_bytes();
    let bad: [&[u8]; 2] = [b"REFD,2\n", b"REFD,\xff,idle\n"];
    let csv = [&b"source,source_seq,control\n"[..], &good(1), bad[0], &good(2), bad[1], &good(3)].concat();
    fs::write(&path, csv).unwrap();
    let output = cluster.run(&["ingest", path.to_str().unwrap(), "--format", "json"]);
    let answer: Value = serde_json::from_str(&expect_exit(output, 6)).unwrap();
    let numbers: Vec<_> =
        answer["refusals"].as_array().unwrap().iter().map(|refusal| refusal["line"].as_u64().unwrap()).collect();
    assert_eq!((answer["accepted"].as_u64(), numbers), (Some(3), vec![3, 5]), "{answer:#}");
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
