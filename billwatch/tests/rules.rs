//! Liveness of rules through a live cluster of two processes: a rule that is fed and finds nothing is quiet; when its source stops,
//! and when the reference data that it needs is taken back, it is dead, each with its first day; and the watch tells so.

mod common;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use common::{Cluster, example, expect_exit};
use serde_json::{Value, json};

/// Two weeks of business days, Monday to Friday.
const FED: [&str; 10] = [
    "2025-03-03",
    "2025-03-04",
    "2025-03-05",
    "2025-03-06",
    "2025-03-07",
    "2025-03-10",
    "2025-03-11",
    "2025-03-12",
    "2025-03-13",
    "2025-03-14",
];

/// Last millisecond of a day in UTC+8, from that of 2025-03-03.
fn end_of(day: &str) -> i64 {
    let of_march: i64 = day.strip_prefix("2025-03-").and_then(|day| day.parse().ok()).expect("a day of March");
    1_741_017_599_999 + (of_march - 3) * 86_400_000
}

/// Writes facts, numbered as their sources do.
struct Source {
    bills: Vec<Value>,
    sequence: u64,
    events: u64,
    made: u64,
}

impl Source {
    /// Issuance, request and signature of a worked example are the mould of every bill.
    fn new() -> Self {
        let text = fs::read_to_string(example("b-plain-bab.facts.ndjson")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let wanted = ["ISS.REG", "ACC.REQ", "ACC.SGN"];
        let bills = lines.filter(|line| wanted.iter().any(|behaviour| line["behaviour"] == *behaviour)).collect();
        Source { bills, sequence: 0, events: 0, made: 0 }
    }

    /// A bill that is accepted on a day.
    fn accepted_on(&mut self, day: &str) -> Vec<Value> {
        self.made += 1;
        let first = self.events + 1;
        let moved = |(place, fact): (usize, &Value)| {
            let mut fact = fact.clone();
            let number = first + place as u64;
            fact["event_id"] = json!(format!("{}", 97_000_000_000_000_000_000_000u128 + u128::from(number)));
            fact["event_time"] = json!(end_of(day) - 36_000_000 + place as i64 * 60_000);
            fact["biz_date"] = json!(day);
            fact["source_seq"] = json!(self.sequence + 1 + place as u64);
            fact["bill_id"] = json!(format!("5313331000117{}00{:07}", day.replace('-', ""), self.made));
            if fact["behaviour"] == "ISS.REG" {
                fact["issue_date"] = json!(day);
            }
            if fact["behaviour"] == "ACC.SGN" {
                let request = 97_000_000_000_000_000_000_000u128 + u128::from(number) - 1;
                fact["ref_event_id"] = json!(request.to_string());
            }
            fact
        };
        let facts: Vec<Value> = self.bills.iter().enumerate().map(moved).collect();
        (self.events, self.sequence) = (self.events + facts.len() as u64, self.sequence + facts.len() as u64);
        facts
    }

    /// The market clock goes on to the end of a day.
    fn clock(&mut self, day: &str) -> Value {
        self.sequence += 1;
        json!({"control": "watermark", "source": "NGBS", "source_seq": self.sequence, "watermark_time": end_of(day)})
    }
}

fn send(cluster: &Cluster, name: &str, records: &[Value]) {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let file = cluster.path(name);
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let epoch = cluster.ingest(&file)["epoch"].as_u64().unwrap();
    cluster.settle(epoch);
}

fn rule(cluster: &Cluster, id: &str) -> Value {
    let answer = cluster.json(&["rules", "list", id]);
    assert_eq!(answer["rules"].as_array().map(Vec::len), Some(1), "{answer:#}");
    answer["rules"][0].clone()
}

fn standing(cluster: &Cluster, id: &str) -> (String, Value) {
    let rule = rule(cluster, id);
    (rule["state"].as_str().unwrap().to_owned(), rule["dead_since"].clone())
}

fn said(state: &str, since: Option<&str>) -> (String, Value) {
    (state.to_owned(), json!(since))
}

#[test]
fn quiet_and_dead_are_told_apart() {
    let cluster = Cluster::start(2, 1);
    let reference = fs::read_to_string(example("a-reference.facts.ndjson")).unwrap();
    let reference: Vec<Value> = reference.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let idle = |source: &str, sequence: u64| json!({"control": "idle", "source": source, "source_seq": sequence});
    let mut records: Vec<Value> = reference.iter().filter(|record| record["control"].is_null()).cloned().collect();
    records.extend([idle("REFD", 63), idle("DISC", 2)]);
    let mut source = Source::new();
    records.extend(FED.iter().flat_map(|day| source.accepted_on(day)));
    records.push(source.clock("2025-03-14"));
    send(&cluster, "fed.ndjson", &records);

    // P146 asks whether drawer and payee are related: they are not. P048 holds balances against total assets.
    let quiet = rule(&cluster, "P146");
    assert_eq!(quiet["state"], "QUIET", "{quiet:#}");
    assert_eq!(quiet["state_zh"], "无发现");
    assert_eq!((&quiet["read"], &quiet["joined"], &quiet["alerts"]), (&json!(10), &json!(10), &json!(0)));
    assert_eq!((&quiet["in_window"], &quiet["near_threshold"]), (&Value::Null, &Value::Null));
    let joined = rule(&cluster, "P048");
    assert_ne!(joined["state"], "DEAD_REFERENCE");
    assert_eq!((&joined["in_window"], &joined["joined"]), (&json!(10), &json!(10)), "{joined:#}");
    let shown = cluster.json(&["rules", "show", "P048"]);
    assert_eq!(shown["reference_data"], json!(["total_assets_fen"]));
    assert_eq!(shown["days"].as_array().map(Vec::len), Some(10));
    assert!(shown["behaviours"].as_array().unwrap().contains(&json!("ACC.SGN")));

    // The source stops: a week later, not a day sooner.
    send(&cluster, "still.ndjson", &[source.clock("2025-03-20")]);
    assert_eq!(standing(&cluster, "P146"), said("QUIET", None));
    send(&cluster, "stopped.ndjson", &[source.clock("2025-03-21")]);
    assert_eq!(standing(&cluster, "P146"), said("DEAD_INPUT", Some("2025-03-21")));
    let dead = cluster.json(&["rules", "list", "--dead", "--brief"]);
    let dead = dead["rules"].as_array().unwrap();
    assert!(dead.iter().any(|rule| rule["pattern"] == "P146"));
    assert!(dead.iter().all(|rule| !rule["dead_since"].is_null()));
    watch_tells(&cluster, "P146", "DEAD_INPUT");
    cluster.verified();

    // It comes back, and the balance sheets are taken back.
    let mut records = source.accepted_on("2025-03-24");
    let sheets = reference.iter().filter(|record| record["behaviour"] == "MST.FIN");
    for (place, sheet) in sheets.enumerate() {
        let mut revoked = sheet.clone();
        let event = 98_000_000_000_000_000_000_000u128 + place as u128;
        revoked["event_id"] = json!(event.to_string());
        revoked["source_seq"] = json!(64 + place);
        revoked["correction"] = json!("revoke");
        revoked["corrects_event_id"] = sheet["event_id"].clone();
        revoked["recorded_time"] = json!(end_of("2025-03-24"));
        records.push(revoked);
    }
    records.push(source.clock("2025-03-24"));
    send(&cluster, "back.ndjson", &records);
    assert_eq!(standing(&cluster, "P146"), said("QUIET", None));
    assert_eq!(standing(&cluster, "P048"), said("DEAD_REFERENCE", Some("2025-03-03")));
    let blind = rule(&cluster, "P048");
    assert_eq!(blind["empty_reference_data"], json!(["total_assets_fen"]));
    assert_eq!(blind["joined"], 0, "{blind:#}");
    watch_tells(&cluster, "P048", "DEAD_REFERENCE");

    // What cannot be asked is refused with the field and the remedy.
    for arguments in [&["rules", "show", "P999"][..], &["rules", "list", "--days", "61"]] {
        let refused = cluster.run(arguments);
        assert!(!refused.status.success(), "{arguments:?}");
    }
    expect_exit(cluster.run(&["rules", "list", "--state", "dead_reference,quiet"]), 0);
    cluster.verified();
}

/// The first answers of the watch name a rule with a state: it looks every few seconds.
fn watch_tells(cluster: &Cluster, id: &str, state: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_billwatch"))
        .args(["rules", "watch", "--format", "json", "--address", &cluster.address])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (heard, hear) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| heard.send(line)));
    let tells = |line: &String| {
        let answer: Value = serde_json::from_str(line).unwrap();
        let rules = answer["rules"].as_array().unwrap();
        rules.iter().any(|rule| rule["pattern"] == id && rule["state"] == state)
    };
    // Each answer may take a minute; nobody waits for another one once it is told.
    let found = std::iter::from_fn(|| hear.recv_timeout(Duration::from_secs(60)).ok()).any(|line| tells(&line));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found, "the watch does not say that {id} is {state}");
}
