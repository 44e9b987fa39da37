//! Custom reports on a real cluster: registered while facts come in, exact at once and afterwards, through corrections, a
//! crash, a checkpoint and a drop.

mod common;

use std::{fs, path::Path, time::Duration};

use common::{Cluster, billwatch, expect_exit};
use serde_json::{Value, json};

/// A simulated market, a hundredth of it replaced later.
fn simulate(directory: &Path, seed: u64) -> Vec<String> {
    let (facts, labels) = (directory.join("facts.ndjson"), directory.join("labels.ndjson"));
    let (file, labels) = (facts.display().to_string(), labels.display().to_string());
    let arguments = ["simulate", "--facts", "10000", "--corrected", "0.01", "--out", &file, "--labels", &labels];
    expect_exit(billwatch(&[&arguments[..], &["--cases-a-round", "1", "--seed", &seed.to_string()]].concat()), 0);
    fs::read_to_string(&facts).unwrap().lines().map(str::to_owned).collect()
}

fn write(cluster: &Cluster, name: &str, lines: &[String]) -> std::path::PathBuf {
    let path = cluster.path(name);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

fn create(cluster: &Cluster, words: &[&str]) -> Value {
    cluster.json(&[&["custom-report", "create"], words].concat())[0].clone()
}

fn wait_until_live(cluster: &Cluster, report_id: &str) {
    for _ in 0..600 {
        let report = cluster.json(&["custom-report", "show", report_id])[0].clone();
        if report["state"] == "LIVE" {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("custom report {report_id} does not become live");
}

const FOUR: [&str; 4] = ["--theme", "T23", "--dimensions", "D.role,D.ent.size,D.bgrp,D.ent.prov"];

#[test]
fn registered_under_load_and_exact_ever_after() {
    let directory = tempfile::tempdir().unwrap();
    let lines = simulate(directory.path(), 21);
    let mut cluster = Cluster::start(2, 1);
    let (first, rest) = lines.split_at(lines.len() / 2);
    cluster.ingest(&write(&cluster, "first.ndjson", first));
    // The second half comes in small batches; the reports are registered meanwhile.
    let (second, third) = rest.split_at(rest.len() * 9 / 10);
    let (file, address) = (write(&cluster, "second.ndjson", second).display().to_string(), cluster.address.clone());
    let client = std::thread::spawn(move || {
        let arguments = ["ingest", "--replay", &file, "--address", &address, "--batch", "50", "--in-flight", "2"];
        billwatch(&[&arguments[..], &["--patience", "60", "--format", "json"]].concat())
    });
    let report = create(&cluster, &[&FOUR[..], &["--title", "企业参与"]].concat());
    let id = report["report_id"].as_str().unwrap().to_owned();
    let stock = create(
        &cluster,
        &["--theme", "T20", "--dimensions", "D.acc_inst.type,D.rtenor", "--filter", "D.bill_kind=BAB"],
    );
    let same = create(&cluster, &["--theme", "T23", "--dimensions", "D.ent.prov,D.bgrp,D.role,D.ent.size"]);
    assert_eq!(
        (&same["report_id"], &same["title"]),
        (&report["report_id"], &json!("企业参与")),
        "two clients share one"
    );
    let answer = cluster.json(&["custom-report", "query", &id, "--measures", "amt_fen"]);
    let rows = answer["rows"].as_array().unwrap();
    assert!(rows.len() > 100, "{answer:#}");
    let acknowledged: Value = serde_json::from_str(&expect_exit(client.join().unwrap(), 0)).unwrap();
    cluster.settle(acknowledged["epoch"].as_u64().unwrap());
    wait_until_live(&cluster, stock["report_id"].as_str().unwrap());
    cluster.verified();

    // A cut of one dimension is the ordinary table of that dimension.
    let whole = cluster.json(&["custom-report", "query", &id, "--measures", "amt_fen"]);
    let plain =
        cluster.json(&["query", "aggregates", "--theme", "T23", "--dimension", "D.bgrp", "--measures", "amt_fen"]);
    let groups: Vec<&str> = plain["rows"].as_array().unwrap().iter().filter_map(|row| row["item"].as_str()).collect();
    assert!(whole["rows"].as_array().unwrap().iter().all(|row| groups.contains(&row["D.bgrp"].as_str().unwrap())));

    // Killed without warning: reports are in the log, their past is counted again or restored.
    cluster.kill();
    cluster.spawn();
    let answer = cluster.ingest(&write(&cluster, "third.ndjson", third));
    cluster.settle(answer["epoch"].as_u64().unwrap());
    cluster.verified();
    let listed = cluster.json(&["custom-report", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed:#}");
    assert_eq!(
        listed.as_array().unwrap().iter().find(|one| one["report_id"] == id).unwrap()["version"],
        report["version"]
    );

    // Followed from the snapshot on; the stream ends with the report.
    let mut stream = cluster.follow(&["custom-report", "watch", &id, "--measures", "amt_fen", "--format", "json"]);
    let snapshot = loop {
        let told = stream.next_json();
        if told["snapshot"] == true {
            break told;
        }
        assert!(told["as_of"].is_null() && told["rows"] == json!([]), "progress: {told}");
    };
    let asked = cluster.json(&["custom-report", "query", &id, "--measures", "amt_fen"]);
    assert_eq!(snapshot["rows"], asked["rows"]);
    let mut more: Value = serde_json::from_str(
        lines
            .iter()
            .rfind(|line| line.contains("\"behaviour\":\"END.SGN\"") && !line.contains("correct"))
            .expect("somebody endorsed"),
    )
    .unwrap();
    let target = more["event_id"].clone();
    more["event_id"] = json!("99000000000000000000003");
    more["source_seq"] = json!(90_000_003);
    (more["correction"], more["corrects_event_id"]) = (json!("revoke"), target);
    more["recorded_time"] = json!(1_799_000_000_000_i64);
    cluster.ingest(&write(&cluster, "more.ndjson", &[more.to_string()]));
    let told = stream.next_json();
    assert!(told["snapshot"] == false && !told["rows"].as_array().unwrap().is_empty(), "{told}");
    let mut known: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
    let key = |row: &Value| {
        ["D.bgrp", "D.ent.prov", "D.ent.size", "D.role", "period"].map(|name| row[name].to_string()).concat()
    };
    for row in snapshot["rows"].as_array().unwrap().iter().chain(told["rows"].as_array().unwrap()) {
        match row["amt_fen"].is_null() {
            true => drop(known.remove(&key(row))),
            false => drop(known.insert(key(row), row.clone())),
        }
    }
    let now = cluster.json(&["custom-report", "query", &id, "--measures", "amt_fen"]);
    let now: std::collections::BTreeMap<String, Value> =
        now["rows"].as_array().unwrap().iter().map(|row| (key(row), row.clone())).collect();
    assert_eq!(known, now, "snapshot and changes give what a question gives");

    // Dropped for everybody; the other one stays, through one more restart.
    cluster.json(&["custom-report", "drop", &id]);
    assert!(!stream.end().success(), "a report that is gone ends its subscriptions");
    expect_exit(cluster.run(&["custom-report", "query", &id]), 1);
    cluster.kill();
    cluster.spawn();
    let views = cluster.verified();
    assert_eq!(cluster.json(&["custom-report", "list"]).as_array().unwrap().len(), 1);
    assert_ne!(views["crosses"], json!("0".repeat(32)), "the other report has cells");
}

#[test]
fn what_cannot_be_registered_is_told() {
    let cluster = Cluster::start(1, 1);
    let refused = |words: &[&str]| {
        let output = cluster.run(&[&["custom-report", "create"], words].concat());
        assert_eq!(output.status.code(), Some(2), "the request is at fault");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["--theme", "T99", "--dimensions", "D.amt"]).contains("theme"));
    assert!(refused(&["--theme", "T04", "--dimensions", "D.none"]).contains("dimensions"));
    assert!(refused(&["--theme", "T04", "--dimensions", "D.amt", "--filter", "D.bill_kind=XYZ"]).contains("XYZ"));
    let unknown = cluster.run(&["custom-report", "query", "0123456789abcdef"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("list those that there are"));
}
