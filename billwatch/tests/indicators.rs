//! Indicators of a simulated market through a live cluster of two processes: every one has values, pages add up to the whole, a
//! value is explained by facts whose sums give it again, and a group by its keys.

mod common;

use std::collections::BTreeMap;

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_proto::v1::{
    IndicatorFilter, IndicatorValue, QueryIndicatorsRequest, WatchIndicatorsRequest,
    indicator_service_client::IndicatorServiceClient,
};
use common::{Cluster, billwatch, expect_exit};
use serde_json::Value;
use tonic::{Streaming, transport::Channel};

const ALL: [&str; 8] = ["LQ1", "LQ2", "LQ3", "MS1", "MS2", "MS3", "DF1", "DF2"];

/// Days asked for: all days of the market are more values than one question may have.
const FROM: &str = "2024-04-01";
const TO: &str = "2024-08-31";

fn whole(value: &Value) -> i128 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no integer"))
}

fn values(cluster: &Cluster, arguments: &[&str]) -> Vec<Value> {
    let answer = cluster.json(&[&["indicators", "show"], arguments].concat());
    let values = answer["values"].as_array().unwrap().clone();
    assert!(values.len() as u64 <= answer["total"].as_u64().unwrap());
    values
}

/// The lines of an explanation add up to its windows, and its value is the one that was shown.
fn explained(cluster: &Cluster, shown: &Value) -> usize {
    let text = |field: &str| shown[field].as_str().unwrap();
    let which = ["indicators", "explain", text("indicator"), "--key", text("key"), "--date", text("date")];
    let answer = cluster.json(&which);
    assert_eq!(answer["value"], *shown, "{which:?}");
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    let lines = answer["lines"].as_array().unwrap();
    for line in lines {
        *sums.entry(line["window"].as_str().unwrap()).or_default() += whole(&line["sum"]);
    }
    for window in answer["windows"].as_array().unwrap() {
        let found = sums.get(window["window"].as_str().unwrap()).copied().unwrap_or(0);
        assert_eq!(found, whole(&window["sum"]), "{which:?}: {window}");
    }
    lines.len()
}

type Service = IndicatorServiceClient<Channel>;

/// Values of one indicator and key each, as a subscriber keeps them.
type Screen = BTreeMap<(String, String), IndicatorValue>;

fn alarms() -> Option<IndicatorFilter> {
    Some(IndicatorFilter { min_level: "BLUE".into(), ..Default::default() })
}

fn is_alarm(value: &IndicatorValue) -> bool {
    ["BLUE", "YELLOW", "ORANGE", "RED"].contains(&value.level.as_str())
}

/// Follows values that reach a level up to an epoch; gives the screen, and how many values left it.
async fn followed(
    stream: &mut Streaming<billwatch_proto::v1::WatchIndicatorsResponse>,
    screen: &mut Screen,
    epoch: u64,
) -> usize {
    let mut left = 0;
    loop {
        let answer = stream.message().await.unwrap().unwrap();
        for value in answer.values {
            let of = (value.indicator.clone(), value.key.clone());
            if is_alarm(&value) {
                screen.insert(of, value);
            } else {
                assert!(screen.remove(&of).is_some(), "it was not told, or told to be gone before: {value:?}");
                left += 1;
            }
        }
        if answer.as_of.unwrap().epoch >= epoch {
            return left;
        }
    }
}

/// The same as a question gives it.
async fn asked(client: &mut Service) -> Screen {
    let mut request = QueryIndicatorsRequest { filter: alarms(), page_size: 1_000, ..Default::default() };
    let mut screen = Screen::new();
    loop {
        let page = client.query_indicators(request.clone()).await.unwrap().into_inner();
        screen.extend(page.values.into_iter().map(|value| ((value.indicator.clone(), value.key.clone()), value)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return screen;
        }
    }
}

/// The values of the keys that a group is made of; the explanation shows the group's own value, too.
fn group_explained(cluster: &Cluster, shown: &Value) -> Vec<Value> {
    let text = |field: &str| shown[field].as_str().unwrap();
    let which = ["indicators", "explain", text("indicator"), "--key", text("key"), "--date", text("date")];
    let answer = cluster.json(&which);
    assert_eq!(answer["value"], *shown, "{which:?}");
    answer["members"].as_array().unwrap().clone()
}

#[test]
fn of_a_simulated_market() {
    let cluster = Cluster::start(2, 1);
    let (facts, labels) = (cluster.path("facts.ndjson"), cluster.path("labels.ndjson"));
    let written = ["simulate", "--facts", "40000", "--cases-a-round", "1", "--corrected", "0.01", "--out"];
    let files = [facts.to_str().unwrap(), "--labels", labels.to_str().unwrap()];
    expect_exit(billwatch(&[&written[..], &files].concat()), 0);
    // Followed while the second half comes in: what is told, and told to be gone, makes what a question gives.
    let text = std::fs::read_to_string(&facts).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let ingested = |lines: &[&str]| {
        std::fs::write(&facts, lines.join("\n") + "\n").unwrap();
        let epoch = cluster.ingest(&facts)["epoch"].as_u64().unwrap();
        cluster.settle(epoch);
        epoch
    };
    let (first, second) = lines.split_at(lines.len() / 2);
    let epoch = ingested(first);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut client = runtime.block_on(async {
        Service::new(client::connect(&cluster.address).await.unwrap()).max_decoding_message_size(MAX_ANSWER_BYTES)
    });
    let request = WatchIndicatorsRequest { filter: alarms() };
    let mut stream = runtime.block_on(client.watch_indicators(request)).unwrap().into_inner();
    let mut screen = Screen::new();
    assert_eq!(runtime.block_on(followed(&mut stream, &mut screen, epoch)), 0);
    assert!(!screen.is_empty(), "no indicator reaches a level in the middle of this market");
    assert_eq!(screen, runtime.block_on(asked(&mut client)));
    let mut left = 0;
    for part in second.chunks(second.len() / 4 + 1) {
        let epoch = ingested(part);
        left += runtime.block_on(followed(&mut stream, &mut screen, epoch));
        assert_eq!(screen, runtime.block_on(asked(&mut client)));
    }
    assert!(left > 0, "no value fell below its level");
    drop(stream);

    let listed = cluster.json(&["indicators", "list"]);
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|it| it["indicator"].as_str().unwrap()).collect();
    assert_eq!(ids, ALL);

    for id in ALL {
        // Ten deals of a class and a tenor on one day are rare in a small market.
        let from = if id == "MS3" { "2024-01-01" } else { FROM };
        let groups = values(&cluster, &[id, "--groups", "--from", from, "--to", TO, "--limit", "0"]);
        let known = groups.iter().filter(|value| !value["value"].is_null());
        assert!(known.count() > 0, "{id} has no value of any group on any day");
    }

    // One key of each indicator that has values of keys: the largest of all days, for the market is at rest on the last.
    let mut lines = 0;
    for id in ["LQ1", "LQ2", "LQ3", "DF1", "DF2"] {
        let found = values(&cluster, &[id, "--from", FROM, "--to", TO, "--limit", "0"]);
        let keys: Vec<&Value> = found
            .iter()
            .filter(|value| !value["key"].as_str().unwrap().starts_with(|first: char| first.is_ascii_lowercase()))
            .collect();
        let largest = keys.iter().max_by_key(|value| value["value"].as_str().map(str::to_owned));
        lines += explained(&cluster, largest.unwrap_or_else(|| panic!("{id} has no key")));
    }
    assert!(lines > 10, "{lines} lines");

    // A group of LQ2 is the sum of its keys.
    let held = |value: &Value| whole(&value["figures"]["held_fen"]);
    let group = values(&cluster, &["LQ2", "--key", "tier=SMALL", "--from", FROM, "--to", TO, "--limit", "0"]);
    let group = [group.iter().max_by_key(|value| held(value)).expect("a day on which small banks hold bills").clone()];
    let date = group[0]["date"].as_str().unwrap();
    let answer = cluster.json(&["indicators", "explain", "LQ2", "--key", "tier=SMALL", "--date", date]);
    let members = answer["members"].as_array().unwrap();
    assert!(members.len() > 1);
    assert_eq!(members.iter().map(held).sum::<i128>(), held(&group[0]));

    // MS1 of the market, down to a key and to the facts behind it: a group is the sum of its keys.
    let accepted = |value: &Value| whole(&value["figures"]["bab_fen"]);
    let market = values(&cluster, &["MS1", "--key", "market", "--from", FROM, "--to", TO, "--limit", "0"]);
    let market = market.iter().max_by_key(|value| accepted(value)).expect("a day of MS1");
    assert!(accepted(market) > 0 && whole(&market["figures"]["fab_fen"]) > 0, "{market}");
    let members = group_explained(&cluster, market);
    assert_eq!(members.iter().map(accepted).sum::<i128>(), accepted(market));
    assert!(explained(&cluster, members.iter().max_by_key(|value| accepted(value)).unwrap()) > 0);

    // MS3 of a class is the largest of its tenors.
    let classes = values(&cluster, &["MS3", "--groups", "--from", "2024-01-01", "--to", TO, "--limit", "0"]);
    let of_class = |value: &&Value| value["key"].as_str().unwrap().starts_with("class=") && !value["value"].is_null();
    let class = classes.iter().find(of_class).expect("a class with ten deals of a tenor on one day");
    let members = group_explained(&cluster, class);
    let largest = members.iter().find(|member| member["value"] == class["value"]).expect("its largest tenor");
    assert!(explained(&cluster, largest) > 0);

    // What cannot be asked is refused with the field and the remedy.
    let refused = cluster.run(&["indicators", "show", "XX9"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("LQ1"), "{refused:?}");
    let refused = cluster.run(&["indicators", "explain", "LQ1", "--key", "999999"]);
    assert!(!refused.status.success());
    cluster.verified();
}
