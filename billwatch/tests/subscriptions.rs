//! Subscriptions to the features of a key and to a bill, through a live cluster of two processes: all that was told makes what a
//! question gives, also after a fact was taken back.

mod common;

use std::{collections::BTreeMap, fs};

use billwatch_bench::client;
use billwatch_proto::v1::{
    AsOf, FeatureRow, GetBillRequest, LotRow, QueryFeaturesRequest, WatchBillRequest, WatchBillResponse,
    WatchFeaturesRequest, WatchFeaturesResponse, query_service_client::QueryServiceClient,
};
use common::{Cluster, example};
use serde_json::{Value, json};
use tonic::{Streaming, transport::Channel};

const BILL: &str = "531333100011720250408000000076";
/// The bank that discounts part of the bill.
const KEY: &str = "100104";

type Service = QueryServiceClient<Channel>;

fn service(cluster: &Cluster, runtime: &tokio::runtime::Runtime) -> Service {
    Service::new(runtime.block_on(client::connect(&cluster.address)).unwrap())
}

/// Sends lines and waits until they are visible; gives the epoch.
fn send(cluster: &Cluster, lines: &[String]) -> u64 {
    let path = cluster.path("part.ndjson");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let epoch = cluster.ingest(&path)["epoch"].as_u64().unwrap();
    cluster.settle(epoch);
    epoch
}

fn begun() -> (Cluster, tokio::runtime::Runtime, Vec<String>) {
    let cluster = Cluster::start(2, 1);
    cluster.ingest(&example("a-reference.facts.ndjson"));
    let text = fs::read_to_string(example("c-split-package.facts.ndjson")).unwrap();
    (cluster, tokio::runtime::Runtime::new().unwrap(), text.lines().map(str::to_owned).collect())
}

/// A fact that takes back the one of a behaviour.
fn revocation(lines: &[String], behaviour: &str) -> String {
    let mut facts = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut fact = facts.find(|fact| fact["behaviour"] == behaviour).unwrap();
    (fact["correction"], fact["corrects_event_id"]) = (json!("revoke"), fact["event_id"].clone());
    (fact["event_id"], fact["source_seq"]) = (json!("99000000000000000000001"), json!(90_000_001));
    fact["recorded_time"] = json!(1_760_112_000_000_i64);
    fact.to_string()
}

/// Reads a stream up to an epoch.
async fn told<T>(stream: &mut Streaming<T>, epoch: u64, as_of: fn(&T) -> Option<AsOf>) -> Vec<T> {
    let mut answers = Vec::new();
    loop {
        let answer = stream.message().await.unwrap().expect("the stream goes on");
        let at = as_of(&answer).unwrap().epoch;
        answers.push(answer);
        if at >= epoch {
            return answers;
        }
    }
}

#[derive(Default)]
struct FeatureScreen {
    rows: BTreeMap<(String, String), FeatureRow>,
    gone: usize,
}

impl FeatureScreen {
    fn take(&mut self, answers: Vec<WatchFeaturesResponse>) {
        for row in answers.into_iter().flat_map(|answer| answer.rows) {
            let key = (row.feature.clone(), row.bucket.clone());
            if row.sum_fen.is_empty() {
                assert!(self.rows.remove(&key).is_some(), "told to be gone and never told: {row:?}");
                self.gone += 1;
            } else {
                self.rows.insert(key, row);
            }
        }
    }
}

#[test]
fn features_of_a_key_are_followed() {
    let (cluster, runtime, lines) = begun();
    let discounted = lines.iter().position(|line| line.contains("\"DSC.SET\"")).unwrap() + 1;
    let mut epoch = send(&cluster, &lines[..discounted]);
    let mut client = service(&cluster, &runtime);
    let query = QueryFeaturesRequest { key: KEY.into(), ..Default::default() };
    let request = WatchFeaturesRequest { query: Some(query.clone()) };
    let mut stream = runtime.block_on(client.watch_features(request)).unwrap().into_inner();
    let mut printed = cluster.follow(&["query", "features", KEY, "--watch", "--format", "json"]);
    let mut screen = FeatureScreen::default();
    let mut check = |epoch: u64, screen: &mut FeatureScreen| {
        let answers = runtime.block_on(told(&mut stream, epoch, |answer: &WatchFeaturesResponse| answer.as_of));
        let snapshots = answers.iter().filter(|answer| answer.snapshot).count();
        screen.take(answers);
        let asked = runtime.block_on(client.query_features(query.clone())).unwrap().into_inner();
        assert_eq!(screen.rows.values().cloned().collect::<Vec<_>>(), asked.rows);
        snapshots
    };
    assert_eq!(check(epoch, &mut screen), 1, "the first answer");
    assert!(!screen.rows.is_empty(), "{KEY} has features");
    let first = printed.next_json();
    assert_eq!((&first["snapshot"], first["rows"].as_array().unwrap().len()), (&json!(true), screen.rows.len()));

    let before = screen.rows.len();
    epoch = epoch.max(send(&cluster, &lines[discounted..]));
    assert_eq!(check(epoch, &mut screen), 0);
    assert!(screen.rows.len() > before, "deals of later days are buckets of their own");
    let next = printed.next_json();
    assert!(next["snapshot"] == false && !next["rows"].as_array().unwrap().is_empty(), "{next}");

    epoch = send(&cluster, &[revocation(&lines, "DSC.SGN")]);
    check(epoch, &mut screen);
    assert!(screen.gone > 0, "the discount was taken back");
}

#[derive(Default)]
struct BillScreen {
    /// Effects by the row form of the fact.
    life: BTreeMap<Vec<u8>, String>,
    lots: BTreeMap<String, LotRow>,
    gone: Vec<String>,
}

impl BillScreen {
    fn take(&mut self, answers: Vec<WatchBillResponse>) {
        for answer in answers {
            for step in answer.life {
                self.life.insert(step.fact.unwrap().json.to_vec(), step.effect);
            }
            for lot in answer.lots {
                if lot.holder.is_empty() {
                    assert!(self.lots.remove(&lot.range).is_some(), "told to be gone and never told: {lot:?}");
                    self.gone.push(lot.range);
                } else {
                    self.lots.insert(lot.range.clone(), lot);
                }
            }
        }
    }
}

#[test]
fn the_life_of_a_bill_is_followed() {
    let (cluster, runtime, lines) = begun();
    let mut client = service(&cluster, &runtime);
    // Before its first fact.
    let request = WatchBillRequest { bill_id: BILL.into() };
    let mut stream = runtime.block_on(client.watch_bill(request)).unwrap().into_inner();
    let mut screen = BillScreen::default();
    let answers = runtime.block_on(told(&mut stream, 0, |answer: &WatchBillResponse| answer.as_of));
    assert!(answers[0].snapshot && answers[0].life.is_empty() && answers[0].lots.is_empty(), "{answers:?}");
    let mut check = |epoch: u64, screen: &mut BillScreen| {
        let answers = runtime.block_on(told(&mut stream, epoch, |answer: &WatchBillResponse| answer.as_of));
        assert!(answers.iter().all(|answer| !answer.snapshot));
        screen.take(answers);
        let request = GetBillRequest { bill_id: BILL.into() };
        let asked = runtime.block_on(client.get_bill(request)).unwrap().into_inner();
        let life = asked.life.into_iter().map(|step| (step.fact.unwrap().json.to_vec(), step.effect));
        assert_eq!(screen.life, life.collect());
        assert_eq!(screen.lots, asked.lots.into_iter().map(|lot| (lot.range.clone(), lot)).collect());
    };
    let received = lines.iter().position(|line| line.contains("\"RCV.SGN\"")).unwrap() + 1;
    let epoch = send(&cluster, &lines[..received]);
    check(epoch, &mut screen);
    assert_eq!(screen.lots.keys().collect::<Vec<_>>(), ["1-3000000000"]);

    let mut printed = cluster.follow(&["query", "bill", BILL, "--watch", "--format", "json"]);
    let first = printed.next_json();
    let asked = cluster.json(&["query", "bill", BILL]);
    assert_eq!((&first["snapshot"], &first["life"]), (&json!(true), &asked["life"]));
    assert_eq!(first["lots"], asked["lots"]);

    let epoch = send(&cluster, &lines[received..]);
    check(epoch, &mut screen);
    assert_eq!(screen.gone, ["1-3000000000"], "the package was split");
    let next = printed.next_json();
    assert!(next["snapshot"] == false && !next["life"].as_array().unwrap().is_empty(), "{next}");

    // An endorsement is taken back: what it was, and what it did, is told.
    let epoch = send(&cluster, &[revocation(&lines, "END.SGN")]);
    check(epoch, &mut screen);
    assert!(screen.life.values().any(|effect| effect == "REVOKED"), "{:?}", screen.life.values());
}
