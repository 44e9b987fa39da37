//! A threshold changes on a live cluster of two processes while facts come in: what the cluster says of alerts is the
//! difference of two evaluations from nothing, under the old values and the new, for each kind of rule. A crash of all
//! processes keeps the values; setting them back gives the reverse.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_market::{
    books,
    catalogue::Catalogue,
    codec::decode_record,
    evaluator::Rules,
    fact::Fact,
    pattern::{HitCount, Parameters, Patterns, PlainWindows, plain},
};
use billwatch_proto::v1::{
    Alert, AlertFilter, AlertReason, AlertState, ReadLogRequest, TakeCheckpointRequest, WatchAlertsRequest,
    WatchAlertsResponse, admin_service_client::AdminServiceClient, alert_service_client::AlertServiceClient,
};
use common::{Cluster, billwatch, expect_exit};
use serde_json::Value;

/// One change of each kind of rule, by its kind, so low that much of the market meets it.
const CHANGES: [(&str, &str, [&str; 2]); 4] = [
    ("facts", "P001", ["max_days=60", "min_cny=1"]),
    ("windows", "P041", ["min_banks=1", "min_cny=1"]),
    ("peers", "P165", ["k=1", "min_bp=1"]),
    ("timer", "P116", ["n_bd=0", ""]),
];

/// Alerts by pattern, key and date, with their hits.
type Alerts = BTreeMap<(String, String, String), HitCount>;

/// The alerts of facts at a clock under parameters, from nothing.
fn evaluated(facts: &[Fact], clock: i64, rules: &Rules, patterns: &Patterns) -> Alerts {
    let setting = plain::Setting { meanings: &rules.meanings, laws: &rules.laws, patterns };
    let evaluation = plain::evaluate(facts, setting, clock, &PlainWindows::default());
    let alerts = evaluation.alerts.iter();
    alerts
        .map(|(pattern, key, date, hits)| ((patterns.id(pattern).into(), key.to_string(), date.to_string()), *hits))
        .collect()
}

type Names = BTreeSet<(String, String, String)>;

/// New, gone and changed between two evaluations.
fn difference(before: &Alerts, after: &Alerts) -> [Names; 3] {
    let only = |left: &Alerts, right: &Alerts| left.keys().filter(|name| !right.contains_key(*name)).cloned().collect();
    let changed = after.iter().filter(|(name, hits)| before.get(*name).is_some_and(|known| known != *hits));
    [only(after, before), only(before, after), changed.map(|(name, _)| name.clone()).collect()]
}

/// The same as the cluster told it.
fn told(answer: &Value) -> [Names; 3] {
    ["new", "gone", "changed"].map(|part| {
        let text = |alert: &Value, field: &str| alert[field].as_str().unwrap().to_owned();
        let alerts = answer[part].as_array().unwrap().iter();
        alerts.map(|alert| (text(alert, "pattern"), text(alert, "key"), text(alert, "biz_date"))).collect()
    })
}

/// Every accepted fact with its epoch.
async fn log(address: &str) -> Vec<(u64, Fact)> {
    let mut admin = AdminServiceClient::new(client::connect(address).await.unwrap());
    admin = admin.max_decoding_message_size(MAX_ANSWER_BYTES);
    let mut stream = admin.read_log(ReadLogRequest { to_epoch: 0 }).await.unwrap().into_inner();
    let mut facts = Vec::new();
    while let Some(part) = stream.message().await.unwrap() {
        let mut bytes = &part.records[..];
        while !bytes.is_empty() {
            if let Ok(fact) = books::read(decode_record(&mut bytes).unwrap()) {
                facts.push((part.epoch, fact));
            }
        }
    }
    facts
}

fn set(cluster: &Cluster, pattern: &str, values: &[&str], reason: &str) -> Value {
    let values = values.iter().filter(|value| !value.is_empty()).copied();
    let arguments: Vec<&str> = ["parameters", "set", pattern].into_iter().chain(values).collect();
    cluster.json(&[&arguments[..], &["--reason", reason, "--by", "tester"]].concat())
}

/// What the cluster told of a change equals the difference of two evaluations of what the log held at its epoch.
fn check(answer: &Value, log: &[(u64, Fact)], rules: &Rules, catalogue: &Catalogue, parameters: &mut Parameters) {
    let epoch = answer["epoch"].as_u64().unwrap();
    assert_eq!(answer["as_of"]["epoch"], epoch);
    let clock = answer["as_of"]["market_clock_ms"].as_i64().unwrap();
    let facts: Vec<Fact> = log.iter().filter(|(at, _)| *at <= epoch).map(|(_, fact)| fact.clone()).collect();
    assert!(log.iter().all(|(at, _)| *at != epoch), "a change has an epoch of its own");
    let before = evaluated(&facts, clock, rules, &Patterns::of(catalogue, parameters).unwrap());
    let pattern = answer["pattern"].as_str().unwrap();
    let values = answer["values"].as_str().unwrap().split(' ').map(|value| value.split_once('=').unwrap());
    parameters.apply(answer["version"].as_u64().unwrap() as u32, pattern, values).unwrap();
    let after = evaluated(&facts, clock, rules, &Patterns::of(catalogue, parameters).unwrap());
    let wanted = difference(&before, &after);
    let of = |names: &Names| names.len() as u64;
    println!("{pattern} {}: {} facts, {}", answer["values"], facts.len(), answer["counts"]);
    assert_eq!(told(answer), wanted, "{pattern}");
    let same = before.keys().filter(|name| name.0 == pattern).count() as u64 - of(&wanted[1]) - of(&wanted[2]);
    let counts = ["new", "gone", "changed", "same"].map(|part| answer["counts"][part].as_u64().unwrap());
    assert_eq!(counts, [of(&wanted[0]), of(&wanted[1]), of(&wanted[2]), same], "{pattern}");
}

/// A subscription to alerts that is read all the time, so that it is never too slow.
struct Followed {
    answers: mpsc::Receiver<WatchAlertsResponse>,
    /// Whether alerts in another state are hidden.
    only_open: bool,
    /// Ids that are on the subscriber's screen.
    shown: BTreeSet<String>,
}

impl Followed {
    /// Subscribes; the snapshot is read when it returns.
    fn begin(runtime: &tokio::runtime::Runtime, cluster: &Cluster, only_open: bool) -> Self {
        let state = if only_open { AlertState::Open } else { AlertState::Unspecified };
        let filter = Some(AlertFilter { state: state.into(), ..Default::default() });
        let mut stream = runtime.block_on(async {
            let mut alerts = AlertServiceClient::new(client::connect(&cluster.address).await.unwrap());
            alerts = alerts.max_decoding_message_size(MAX_ANSWER_BYTES);
            alerts.watch_alerts(WatchAlertsRequest { filter }).await.unwrap().into_inner()
        });
        let (sender, answers) = mpsc::channel();
        runtime.spawn(async move {
            // It ends with the coordinator, or with the test.
            while let Ok(Some(answer)) = stream.message().await {
                if sender.send(answer).is_err() {
                    return;
                }
            }
        });
        let mut followed = Followed { answers, only_open, shown: BTreeSet::new() };
        let snapshot = followed.next();
        assert!(snapshot.snapshot);
        followed.show(&snapshot.alerts);
        followed
    }

    fn next(&self) -> WatchAlertsResponse {
        self.answers.recv_timeout(Duration::from_secs(60)).expect("an answer an epoch")
    }

    fn show(&mut self, alerts: &[Alert]) {
        for alert in alerts {
            if !self.only_open || alert.state() == AlertState::Open {
                self.shown.insert(alert.alert_id.clone());
            } else {
                assert!(self.shown.remove(&alert.alert_id), "it was not on the screen: {alert:?}");
            }
        }
    }

    /// Reads on to an epoch: what it was told, and what was on the screen before.
    fn until(&mut self, epoch: u64) -> (Vec<Alert>, BTreeSet<String>) {
        loop {
            let answer = self.next();
            let at = answer.as_of.unwrap().epoch;
            assert!(at <= epoch, "every epoch has an answer");
            let before = (at == epoch && !answer.snapshot).then(|| self.shown.clone());
            self.show(&answer.alerts);
            if let Some(before) = before {
                return (answer.alerts, before);
            }
        }
    }
}

fn names<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Names {
    let name = |alert: &Alert| (alert.pattern.clone(), alert.key.clone(), alert.biz_date.clone());
    alerts.into_iter().map(name).collect()
}

/// What the subscribers were told at the epoch of a change is its difference: the new, the gone and the changed alerts; under a
/// filter those that came into it and, once more, those that left it. Gives how many came and left there.
fn streamed([all, open]: &mut [Followed; 2], answer: &Value) -> [usize; 2] {
    let epoch = answer["epoch"].as_u64().unwrap();
    let ([new, gone, changed], version) = (told(answer), answer["version"].as_u64().unwrap() as u32);
    let (alerts, _) = all.until(epoch);
    let of = |state: fn(AlertState) -> bool| names(alerts.iter().filter(|alert| state(alert.state())));
    assert_eq!(of(|state| state == AlertState::Withdrawn), gone, "{answer}");
    assert_eq!(of(|state| state != AlertState::Withdrawn), &new | &changed, "{answer}");
    let reasons = alerts.iter().filter(|alert| alert.parameters_version == version);
    assert!(reasons.clone().all(|alert| alert.reason() == AlertReason::ParametersChanged));
    assert!(reasons.count() > 0 || new.is_empty(), "{answer}");

    let (told, before) = open.until(epoch);
    let is_wanted = |alert: &&Alert| alert.state() == AlertState::Open || before.contains(&alert.alert_id);
    let wanted: Vec<&Alert> = alerts.iter().filter(is_wanted).collect();
    assert_eq!(told.iter().collect::<Vec<_>>(), wanted, "{answer}");
    let came = told.iter().filter(|alert| !before.contains(&alert.alert_id)).count();
    let left = told.iter().filter(|alert| alert.state() == AlertState::Withdrawn).count();
    [came, left]
}

#[test]
fn a_live_change_gives_the_difference_of_two_fresh_runs() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let catalogue = Catalogue::embedded();
    let rules = Rules::new(&catalogue).unwrap();
    let mut cluster = Cluster::start(2, 1);
    let (facts, labels) = (cluster.path("facts.ndjson"), cluster.path("labels.ndjson"));
    let paths = [facts.display().to_string(), labels.display().to_string()];
    let simulate = ["simulate", "--facts", "10000", "--cases-a-round", "1", "--seed", "21", "--corrected", "0.01"];
    expect_exit(billwatch(&[&simulate[..], &["--out", &paths[0], "--labels", &paths[1]]].concat()), 0);
    let text = std::fs::read_to_string(&facts).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let first = &lines[..lines.len() * 6 / 10];
    std::fs::write(&facts, first.join("\n") + "\n").unwrap();
    let answer = cluster.ingest(&facts);
    cluster.settle(answer["epoch"].as_u64().unwrap());
    // The rest comes piece by piece while parameters change; what is left after the last change comes at once.
    let changed = Arc::new(AtomicBool::new(false));
    let (address, second, is_changed) = (cluster.address.clone(), lines[first.len()..].join("\n"), changed.clone());
    let load = std::thread::spawn(move || {
        let mut pieces: Vec<&str> = second.split('\n').collect();
        let mut left_at_the_last_change = 0;
        let mut epoch = 0;
        while !pieces.is_empty() {
            let count = if is_changed.load(Ordering::Acquire) { pieces.len() } else { pieces.len().min(10) };
            if count > 10 {
                left_at_the_last_change = count;
            }
            let piece: Vec<&str> = pieces.drain(..count).collect();
            std::fs::write(&facts, piece.join("\n") + "\n").unwrap();
            let file = facts.display().to_string();
            let output = billwatch(&["ingest", "--replay", &file, "--address", &address, "--format", "json"]);
            let answer: Value = serde_json::from_str(&expect_exit(output, 0)).unwrap();
            epoch = epoch.max(answer["epoch"].as_u64().unwrap());
        }
        (epoch, left_at_the_last_change)
    });
    // Whoever follows alerts hears of a change while it is made.
    let mut followed = [false, true].map(|only_open| Followed::begin(&runtime, &cluster, only_open));
    let mut answers = Vec::new();
    for (place, (kind, pattern, values)) in CHANGES.iter().enumerate() {
        answers.push(set(&cluster, pattern, values, kind));
        if place == 1 {
            // The change before lies in the checkpoint, those behind it in the log.
            let channel = runtime.block_on(client::connect(&cluster.address)).unwrap();
            let taken = runtime.block_on(AdminServiceClient::new(channel).take_checkpoint(TakeCheckpointRequest {}));
            taken.unwrap();
        }
    }
    changed.store(true, Ordering::Release);
    let (epoch, left) = load.join().unwrap();
    assert!(left > 0, "the load had ended before the last change");
    cluster.settle(epoch);
    cluster.verified();

    let facts = runtime.block_on(log(&cluster.address));
    let mut parameters = Parameters::default();
    for answer in &answers {
        check(answer, &facts, &rules, &catalogue, &mut parameters);
    }
    let came: usize = answers.iter().map(|answer| streamed(&mut followed, answer)[0]).sum();
    assert!(came > 0, "no change brought an open alert");
    // How far the load had come when a change was made is chance; that a rule had nothing to judge by then must be rare.
    let telling = answers.iter().filter(|answer| told(answer).iter().any(|names| !names.is_empty())).count();
    assert!(telling * 2 >= answers.len(), "{telling} of {} changes made a difference", answers.len());
    let history = cluster.json(&["parameters", "history"]);

    cluster.kill();
    cluster.spawn();
    assert_eq!(cluster.json(&["parameters", "list"])["version"], 4);
    assert_eq!(cluster.json(&["parameters", "history"]), history, "the ledger and the log know what was done");
    cluster.verified();

    // Back: what was new is gone, for the facts are the same since.
    let mut followed = [false, true].map(|only_open| Followed::begin(&runtime, &cluster, only_open));
    let last = set(&cluster, "P041", &["min_banks=default"], "too many");
    check(&last, &facts, &rules, &catalogue, &mut parameters);
    let again = set(&cluster, "P041", &["min_banks=1"], "as it was");
    let [(new, gone), (new_again, gone_again)] = [&last, &again].map(|answer| {
        let [new, gone, _] = told(answer);
        (new, gone)
    });
    assert_eq!((new, gone), (gone_again, new_again), "the way back is the reverse");
    let [_, left] = streamed(&mut followed, &last);
    assert!(left > 0, "no open alert went");
    streamed(&mut followed, &again);
    cluster.verified();

    let refused = |arguments: &[&str]| {
        let output = cluster.run(&[arguments, &["--reason", "r", "--by", "tester"]].concat());
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["parameters", "set", "P999", "k=1"]).contains("no such pattern"));
    assert!(refused(&["parameters", "set", "P165", "kk=1"]).contains("it has k, min_bp"));
    assert!(refused(&["parameters", "set", "P165", "k=noon"]).contains("write a plain number"));
    assert!(refused(&["parameters", "set", "P165", "k=1"]).contains("in force already"));
    assert!(refused(&["parameters", "set", "P041", "window_days=0"]).contains("buckets"));
}
