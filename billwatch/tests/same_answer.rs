//! One market, many ways: whatever the processes, threads, order of arrival and redelivery, and through a crash, the hashes
//! of all views are the same, and equal to the reference evaluator's.

mod common;

use std::{fs, path::Path};

use common::{Chance, Cluster, billwatch, expect_exit};
use serde_json::{Value, json};

/// Facts of normal trade: enough for all themes. A case and a near miss of every pattern make it 44,000 records.
const FACTS: &str = "10000";

/// A simulated market with replacements (from the simulator) and revocations (made here): 1 % of the facts each.
/// Facts first, in the order of events; control records last, so that no order of arrival makes a fact late.
struct Market {
    facts: Vec<String>,
    controls: Vec<String>,
}

impl Market {
    fn simulate(directory: &Path, seed: u64) -> Self {
        let (facts, labels) = (directory.join("facts.ndjson"), directory.join("labels.ndjson"));
        let (facts, labels) = (facts.display().to_string(), labels.display().to_string());
        let arguments = ["simulate", "--facts", FACTS, "--corrected", "0.01", "--out", &facts, "--labels", &labels];
        let seed_of_market = ["--cases-a-round", "1", "--seed", &seed.to_string()];
        expect_exit(billwatch(&[&arguments[..], &seed_of_market].concat()), 0);
        let text = fs::read_to_string(&facts).unwrap();
        let (controls, mut facts): (Vec<_>, Vec<_>) =
            text.lines().map(str::to_owned).partition(|line| line.contains("\"control\""));
        let mut chance = Chance(seed);
        let mut revocations = Vec::new();
        for number in 0..facts.len() / 100 {
            let target: Value = serde_json::from_str(&facts[chance.below(facts.len())]).unwrap();
            if target.get("correction").is_none() {
                revocations.push(revocation(&target, number).to_string());
            }
        }
        facts.append(&mut revocations);
        Market { facts, controls }
    }

    /// The facts as they stand, then the control records.
    fn write(&self, path: &Path) {
        let lines: Vec<_> = self.facts.iter().chain(&self.controls).map(String::as_str).collect();
        fs::write(path, lines.join("\n") + "\n").unwrap();
    }

    /// In another order, one fact in twenty delivered twice.
    fn shuffled(&self, seed: u64) -> Market {
        let mut chance = Chance(seed);
        let mut facts = self.facts.clone();
        for _ in 0..facts.len() / 20 {
            facts.push(facts[chance.below(self.facts.len())].clone());
        }
        chance.shuffle(&mut facts);
        Market { facts, controls: self.controls.clone() }
    }
}

/// A record that revokes `target`, as facts.md 5 wants it; the simulator leaves the source SIMU to tests.
fn revocation(target: &Value, number: usize) -> Value {
    let mut record = json!({
        "event_id": (10u128.pow(30) + number as u128).to_string(),
        "source": "SIMU",
        "source_seq": 1_000 + number,
        "correction": "revoke",
        "corrects_event_id": target["event_id"],
    });
    for field in ["behaviour", "event_time", "biz_date", "bill_id", "sub_start", "sub_end", "initiator_id"] {
        if let Some(value) = target.get(field) {
            record[field] = value.clone();
        }
    }
    record
}

fn load(cluster: &Cluster, market: &Market) {
    let path = cluster.path("market.ndjson");
    market.write(&path);
    let answer = cluster.ingest(&path);
    assert_eq!(answer["refused"], 0, "{answer:#}");
    cluster.settle(answer["epoch"].as_u64().unwrap());
}

fn accepted(cluster: &Cluster) -> u64 {
    cluster.json(&["status"])["accepted_facts"].as_u64().unwrap()
}

#[test]
fn processes_threads_order_and_redelivery_do_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    let market = Market::simulate(directory.path(), 11);
    let hashes_of = |(processes, threads): (u32, u32)| {
        let cluster = Cluster::start(processes, threads);
        match (processes, threads) {
            (1, 1) => load(&cluster, &market),
            _ => load(&cluster, &market.shuffled(u64::from(processes * 10 + threads))),
        }
        cluster.verified()
    };
    // `verify` evaluates on one core: two clusters at a time keep two busy.
    let layouts = [[(1, 1), (2, 2), (3, 1)], [(1, 2), (2, 1), (3, 2)]];
    let of_all = |layouts: [(u32, u32); 3]| layouts.map(|layout| (layout, hashes_of(layout)));
    let [one, other] = std::thread::scope(|scope| {
        layouts.map(|layouts| scope.spawn(move || of_all(layouts))).map(|half| half.join().expect("all are equal"))
    });
    let (_, first) = &one[0];
    for ((processes, threads), hashes) in one.iter().chain(&other) {
        assert_eq!(hashes, first, "{processes} processes x {threads} threads");
    }
}

#[test]
fn a_crash_of_all_processes_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let market = Market::simulate(directory.path(), 12);
    let untouched = Cluster::start(2, 1);
    load(&untouched, &market);
    let expected = untouched.verified();
    let facts = accepted(&untouched);
    drop(untouched);

    let mut cluster = Cluster::start(2, 1);
    let path = cluster.path("market.ndjson");
    market.write(&path);
    // The client goes on by itself: it has patience, and sends again what was not acknowledged.
    let address = cluster.address.clone();
    let file = path.display().to_string();
    let client = std::thread::spawn(move || {
        let arguments = ["ingest", "--replay", &file, "--address", &address, "--batch", "100", "--in-flight", "4"];
        billwatch(&[&arguments[..], &["--patience", "60", "--format", "json"]].concat())
    });
    // In the middle: some facts are in, not all.
    while accepted(&cluster) < facts / 4 {
        assert!(!client.is_finished(), "all was ingested before the kill");
    }
    cluster.kill();
    cluster.spawn();
    let answer: Value = serde_json::from_str(&expect_exit(client.join().unwrap(), 0)).unwrap();
    cluster.settle(answer["epoch"].as_u64().unwrap());
    assert_eq!(accepted(&cluster), facts);
    assert_eq!(cluster.verified(), expected);
}

#[test]
fn a_checkpoint_is_restored_and_the_log_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let market = Market::simulate(directory.path(), 13);
    let mut cluster = Cluster::start(2, 1);
    load(&cluster, &market);
    let before = cluster.verified();
    let checkpoint = cluster.take_checkpoint();
    assert!(checkpoint > 0);
    cluster.kill();
    cluster.spawn();
    assert_eq!(cluster.verified(), before, "restored without a further fact");
}
