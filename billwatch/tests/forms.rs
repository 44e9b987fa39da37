//! What programs read: every command that asks, in all three forms, against a small cluster.

mod common;

use common::{Cluster, example, expect_exit};
use serde_json::Value;

/// CSV as a strict reader takes it: as many cells in every line. Gives header and lines.
fn read_csv(text: &str, command: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|line| row(line.unwrap_or_else(|error| panic!("{command}: {error}\n{text}"))));
    (header, rows.collect())
}

/// Objects of an answer's lists, one level down: what CSV has a line for.
fn rows_of<'a>(answer: &'a Value, lists: &[&str]) -> Vec<&'a Value> {
    match answer {
        Value::Array(rows) => rows.iter().collect(),
        answer => lists.iter().flat_map(|list| answer[list].as_array().into_iter().flatten()).collect(),
    }
}

#[test]
fn every_question_is_answered_in_three_forms() {
    let cluster = Cluster::start(1, 1);
    for file in ["a-reference.facts.ndjson", "c-split-package.facts.ndjson"] {
        let answer = cluster.ingest(&example(file));
        cluster.settle(answer["epoch"].as_u64().unwrap());
    }
    let alerts = cluster.json(&["alerts", "list"]);
    let alert = alerts["alerts"][0].clone();
    for field in ["basis", "family", "level_zh", "status_zh"] {
        assert!(alert[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {alert:#}");
    }
    let alert_id = alert["alert_id"].as_str().unwrap();
    cluster.json(&["alerts", "handle", alert_id, "--status", "ACK", "--by", "tester"]);
    let evidence = cluster.json(&["alerts", "explain", alert_id]);
    let facts = std::fs::read_to_string(example("c-split-package.facts.ndjson")).unwrap();
    let mut facts = facts.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let bill = facts.find_map(|fact| fact["bill_id"].as_str().map(str::to_owned)).unwrap();
    let bill = bill.as_str();

    // The command, the lists of its JSON that CSV has a line each for, and whether CSV says when it holds.
    let commands: [(&[&str], &[&str], bool); 11] = [
        (&["query", "aggregates", "--theme", "T04", "--dimension", "D.endorsee.prov"], &["rows"], true),
        (&["query", "features", alert["key"].as_str().unwrap()], &["rows"], true),
        (&["query", "bill", bill], &["life", "lots"], true),
        (&["alerts", "list"], &["alerts"], true),
        (&["alerts", "explain", alert_id], &["facts", "baseline", "judged_keys"], true),
        (&["alerts", "history"], &[], false),
        (&["report", "list"], &[], false),
        (&["report", "show", "R01"], &["checks", "notes"], true),
        (&["report", "versions", "R02", "--period", "2025-04"], &[], false),
        (&["rules", "list"], &["rules"], true),
        (&["status"], &["counters"], false),
    ];
    for (command, lists, is_stamped) in commands {
        let name = command.join(" ");
        assert!(!expect_exit(cluster.run(command), 0).is_empty(), "{name}");
        let answer = cluster.json(command);
        let text = expect_exit(cluster.run(&[command, &["--format", "csv"]].concat()), 0);
        let (header, rows) = read_csv(&text, &name);
        let expected = rows_of(&answer, lists).len();
        assert!(rows.len() >= expected, "{name}: {} lines of CSV for {expected} things", rows.len());
        if !is_stamped {
            continue;
        }
        assert!(answer["as_of"]["epoch"].is_u64(), "{name}: {answer:#}");
        let at =
            header.iter().position(|column| column == "as_of_epoch").unwrap_or_else(|| panic!("{name}: {header:?}"));
        let epochs: Vec<&str> = rows.iter().map(|row| row[at].as_str()).collect();
        assert!(epochs.iter().all(|epoch| epoch.parse::<u64>().is_ok_and(|epoch| epoch > 0)), "{name}: {epochs:?}");
    }
    // Nothing is cut: the facts stand in CSV as they do in JSON.
    let text = expect_exit(cluster.run(&["alerts", "explain", alert_id, "--format", "csv"]), 0);
    let (_, rows) = read_csv(&text, "alerts explain");
    let facts = rows.iter().filter(|row| row[0] == "fact");
    let facts: Vec<Value> = facts.map(|row| serde_json::from_str(&row[2]).unwrap()).collect();
    assert_eq!(Value::Array(facts), evidence["facts"]);
    for part in [&["catalogue"][..], &["catalogue", "patterns"], &["catalogue", "show", "P058", "--format", "json"]] {
        let text = expect_exit(common::billwatch(part), 0);
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{part:?}: {error}"));
    }
}
