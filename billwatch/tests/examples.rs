//! The worked examples through a live cluster of two processes: states, effects, cells and alerts as their authors expect.

mod common;

use std::fs;

use common::{Cluster, billwatch, example, expect_exit};
use serde_json::Value;

fn expected(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(example(&format!("{name}.expected.json"))).unwrap()).unwrap()
}

/// Loads the reference data, then the example; compares everything that the example states.
fn live(name: &str) {
    let cluster = Cluster::start(2, 1);
    let expected = expected(name);
    let mut epoch = 0;
    let mut files: Vec<_> =
        expected["load_first"].as_array().unwrap().iter().map(|file| file.as_str().unwrap().to_owned()).collect();
    files.push(format!("{name}.facts.ndjson"));
    for file in files {
        let answer = cluster.ingest(&example(&file));
        epoch = answer["epoch"].as_u64().unwrap().max(epoch);
    }
    cluster.settle(epoch);
    states(&cluster, &expected);
    cells(&cluster, &expected);
    alerts(&cluster, &expected);
    cluster.verified();
}

fn states(cluster: &Cluster, expected: &Value) {
    for (bill, lots) in expected["final_lots"].as_object().unwrap() {
        let life = cluster.json(&["query", "bill", bill]);
        let shown = life["lots"].as_array().unwrap();
        let lots = lots.as_array().unwrap();
        assert_eq!(shown.len(), lots.len(), "lots of {bill}");
        for (shown, lot) in shown.iter().zip(lots) {
            for (field, value) in lot.as_object().unwrap() {
                let value = if field == "range" && value == "0-0" { &Value::from("0") } else { value };
                assert_eq!(&shown[field], value, "{field} of {bill} {}", lot["range"]);
            }
        }
        // A variant without effect stands in the life under the same id as the one that counts.
        let steps = life["life"].as_array().unwrap();
        for step in steps {
            let event = &step["fact"]["event_id"];
            if let Some(effect) = expected["final_effects"].get(event.as_str().unwrap()) {
                let same = |other: &&Value| other["fact"]["event_id"] == *event && other["effect"] == *effect;
                assert!(steps.iter().any(|other| same(&other)), "effect of {event} on {bill}: {step}");
            }
        }
    }
}

fn cells(cluster: &Cluster, expected: &Value) {
    for cell in expected["aggregates"].as_array().unwrap() {
        let text = |field: &str| cell[field].as_str().unwrap();
        let (period, measure) = (text("period"), text("measure"));
        let base = ["query", "aggregates", "--theme", text("theme"), "--dimension", text("dimension")];
        let which = ["--items", text("item"), "--measures", measure];
        let (grain, shown_period) = match period {
            "at market_clock" => ("total", None),
            month if month.len() == 7 && !month.contains('Q') => ("month", Some(month)),
            quarter if quarter.contains('Q') => ("quarter", Some(quarter)),
            day if day.len() == 10 => ("day", Some(day)),
            year => ("year", Some(year)),
        };
        let answer = cluster.json(&[&base[..], &which, &["--grain", grain]].concat());
        let rows = answer["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| shown_period.is_none_or(|period| row["period"] == period));
        let shown = row.map_or(&Value::Null, |row| &row[measure]);
        match &cell["value"] {
            Value::Number(number) => {
                let zero = number.as_i64() == Some(0) && shown.is_null();
                assert!(zero || shown.as_str() == Some(&number.to_string()), "{cell}: shown {shown}");
            }
            Value::Object(ratio) => {
                for part in ["numerator", "denominator"] {
                    assert_eq!(shown[part], ratio[part], "{cell}");
                }
            }
            other => assert_eq!(shown, other, "{cell}"),
        }
    }
}

fn alerts(cluster: &Cluster, expected: &Value) {
    let live: Value = serde_json::from_str(&expect_exit(billwatch(&["catalogue", "patterns"]), 0)).unwrap();
    let is_live = |pattern: &Value| live["items"].as_array().unwrap().iter().any(|item| item["code"] == *pattern);
    let answer = cluster.json(&["alerts", "list", "--limit", "0"]);
    let found: Vec<_> =
        answer["alerts"].as_array().unwrap().iter().filter(|alert| alert["state"] != "WITHDRAWN").collect();
    for must in expected["must_alert"].as_array().unwrap().iter().filter(|must| is_live(&must["pattern"])) {
        // P176's check digit is off by default.
        if must["why"].as_str().is_some_and(|why| why.contains("only when the check is switched on")) {
            continue;
        }
        let same = |alert: &&&Value| ["pattern", "key", "biz_date"].iter().all(|field| alert[field] == must[field]);
        assert!(found.iter().any(|alert| same(&alert)), "no alert {must}");
    }
    for never in expected["must_not_alert"].as_array().unwrap() {
        let same = |alert: &&&Value| {
            alert["pattern"] == never["pattern"] && (never["key"] == "*" || alert["key"] == never["key"])
        };
        assert!(!found.iter().any(|alert| same(&alert)), "alert against {never}");
    }
}

#[test]
fn plain_bank_bill() {
    live("b-plain-bab");
}

#[test]
fn package_cut_in_three() {
    live("c-split-package");
}

#[test]
fn refused_commercial_bill_and_recourse() {
    live("d-cab-recourse");
}

#[test]
fn unsuccessful_requests() {
    live("e-unsuccessful");
}

#[test]
fn late_corrections_and_shuffled() {
    live("f-late-corrections");
    live("f-shuffled");
}

#[test]
fn accepted_and_flagged() {
    live("g-flagged");
}
