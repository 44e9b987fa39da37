//! Supervisors work through alerts on a live cluster of two processes: what they do is kept, shown, streamed, counted by status
//! and disposition (T31) and in R22, the same after a crash of all processes, with a checkpoint in between.

mod common;

use std::collections::BTreeMap;

use billwatch_bench::client;
use billwatch_proto::v1::{TakeCheckpointRequest, admin_service_client::AdminServiceClient};
use common::{Cluster, billwatch, expect_exit};
use serde_json::Value;

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

fn listed(cluster: &Cluster, filter: &[&str]) -> Vec<Value> {
    let arguments = [&["alerts", "list", "--limit", "0"], filter].concat();
    cluster.json(&arguments)["alerts"].as_array().unwrap().clone()
}

fn handle(cluster: &Cluster, ids: &[&str], how: &[&str]) -> Value {
    cluster.json(&[&["alerts", "handle"], ids, how, &["--by", "tester"]].concat())
}

/// Items of a dimension of T31 with one measure.
fn cells(cluster: &Cluster, dimension: &str, measure: &str) -> BTreeMap<String, Value> {
    let asked =
        cluster.json(&["query", "aggregates", "--theme", "T31", "--dimension", dimension, "--measures", measure]);
    let rows = asked["rows"].as_array().unwrap_or_else(|| panic!("{asked}")).iter();
    rows.map(|row| (text(row, "item").to_owned(), row[measure].clone())).collect()
}

#[test]
fn what_is_done_with_alerts_is_kept_shown_and_counted() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::start(2, 1);
    let (facts, labels) = (cluster.path("facts.ndjson"), cluster.path("labels.ndjson"));
    let paths = [facts.display().to_string(), labels.display().to_string()];
    let simulate = ["simulate", "--facts", "10000", "--seed", "23"];
    expect_exit(billwatch(&[&simulate[..], &["--out", &paths[0], "--labels", &paths[1]]].concat()), 0);
    let answer = cluster.ingest(&facts);
    cluster.settle(answer["epoch"].as_u64().unwrap());

    let all = listed(&cluster, &[]);
    let holding: Vec<&Value> = all.iter().filter(|alert| alert["state"] != "WITHDRAWN").collect();
    assert!(holding.len() > 40, "{} alerts", holding.len());
    assert!(all.iter().all(|alert| alert["status"] == "NEW" && alert["handled_by"] == ""));
    let ids: Vec<&str> = holding.iter().map(|alert| text(alert, "alert_id")).collect();

    let mut stream = cluster.follow(&["alerts", "watch", "--status", "CLS,FP", "--format", "json"]);
    handle(&cluster, &ids[..12], &["--status", "ACK"]);
    let closed = handle(&cluster, &ids[..4], &["--status", "CLS", "--disposition", "DP03", "--note", "told them"]);
    assert_eq!(closed["alerts"].as_array().unwrap().len(), 4);
    assert_eq!(closed["alerts"][0]["status"], "CLS", "shown when the call returns");
    // The snapshot, progress, then the alerts; each answer says when it holds.
    let mut told: Vec<Value> = Vec::new();
    while told.len() < 4 {
        let answer = stream.next_json();
        assert!(answer["as_of"]["epoch"].is_u64() && answer["snapshot"].is_boolean(), "{answer}");
        told.extend(answer["alerts"].as_array().unwrap().iter().cloned());
    }
    assert!(told.iter().all(|alert| alert["status"] == "CLS" && alert["disposition"] == "DP03"), "{told:?}");
    assert!(told.iter().all(|alert| alert["status_zh"] == "已关闭" && !text(alert, "basis").is_empty()), "{told:?}");
    drop(stream);
    let channel = runtime.block_on(client::connect(&cluster.address)).unwrap();
    runtime.block_on(AdminServiceClient::new(channel).take_checkpoint(TakeCheckpointRequest {})).unwrap();
    // Behind the checkpoint: one opened again, others closed otherwise.
    handle(&cluster, &ids[..1], &["--status", "INV"]);
    handle(&cluster, &ids[4..6], &["--status", "FP"]);
    handle(&cluster, &ids[6..7], &["--status", "SUP"]);
    handle(&cluster, &ids[12..13], &["--status", "CLS", "--disposition", "DP01"]);

    let refused = |ids: &[&str], how: &[&str]| {
        let output = cluster.run(&[&["alerts", "handle"], ids, how, &["--by", "tester"]].concat());
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let unknown = "0123456789abcdef0123456789abcdef";
    assert!(refused(&[ids[0], unknown], &["--status", "ACK"]).contains(unknown));
    assert!(refused(&["17"], &["--status", "ACK"]).contains("32 hexadecimal digits"));
    assert!(refused(&[ids[0], ids[0]], &["--status", "ACK"]).contains("once"));
    assert!(refused(&ids[..1], &["--status", "NEW"]).contains("status"));
    assert!(refused(&ids[..1], &["--status", "CLS"]).contains("disposition"));
    assert!(refused(&ids[..1], &["--status", "CLS", "--disposition", "DP99"]).contains("DP99"));
    assert!(refused(&ids[..1], &["--status", "FP", "--disposition", "DP01"]).contains("CLS alone"));
    assert!(refused(&ids[..1], &["--status", "ACK", "--note", &"n".repeat(501)]).contains("500"));
    assert!(!cluster.run(&["alerts", "list", "--status", "DONE"]).status.success());

    let check = |cluster: &Cluster| {
        let of = |status: &str| listed(cluster, &["--status", status]);
        let names = |status: &str| {
            let mut ids: Vec<String> = of(status).iter().map(|alert| text(alert, "alert_id").to_owned()).collect();
            ids.sort();
            ids
        };
        let wanted = |ids: &[&str]| {
            let mut ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            ids.sort();
            ids
        };
        assert_eq!(names("ACK"), wanted(&ids[7..12]));
        assert_eq!(names("INV"), wanted(&ids[..1]));
        assert_eq!(names("FP"), wanted(&ids[4..6]));
        assert_eq!(names("SUP"), wanted(&ids[6..7]));
        assert_eq!(names("CLS"), wanted(&[&ids[1..4], &ids[12..13]].concat()));
        assert!(of("CLS").iter().all(|alert| text(alert, "handled_by") == "tester"));
        assert_eq!(names("NEW").len(), all.len() - 13);
        let history = cluster.json(&["alerts", "history"]);
        let history = history.as_array().unwrap().clone();
        assert_eq!(history.len(), 21);
        let of_first = cluster.json(&["alerts", "history", ids[0]]);
        let steps: Vec<&str> = of_first.as_array().unwrap().iter().map(|action| text(action, "status")).collect();
        assert_eq!(steps, ["ACK", "CLS", "INV"]);
        (history, cells(cluster, "D.asta", "alerts"), cells(cluster, "D.disp", "alerts"))
    };
    let before = check(&cluster);
    let count = |cells: &BTreeMap<String, Value>, item: &str| -> u64 {
        cells.get(item).map_or(0, |value| value.as_str().unwrap().parse().unwrap())
    };
    let (statuses, dispositions) = (&before.1, &before.2);
    let by_status = ["ACK", "INV", "FP", "SUP", "CLS"].map(|status| count(statuses, status));
    assert_eq!(by_status, [5, 1, 2, 1, 4]);
    assert_eq!(count(statuses, "NEW"), holding.len() as u64 - 13);
    assert_eq!(["DP01", "DP03", "DP02"].map(|code| count(dispositions, code)), [1, 3, 0]);
    // Two of the seven closed ones were false.
    let ratios = cells(&cluster, "D.asta", "false_positive_ratio");
    let ratio =
        |status: &str| ratios.get(status).map(|ratio| (ratio["numerator"].clone(), ratio["denominator"].clone()));
    assert_eq!(ratio("FP"), Some(("2".into(), "2".into())), "{ratios:?}");
    // R22 of the month of the market clock.
    let report = cluster.json(&["report", "show", "R22"]);
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["pass"] == "yes"), "{checks:#?}");
    let rows = report["blocks"][0]["rows"].as_array().unwrap();
    let total = rows.iter().find(|row| row["row"] == "TOTAL").unwrap();
    let printed = |column: &str| text(&total["cells"][column], "printed").to_owned();
    assert_eq!(["closed", "false", "suppressed"].map(printed), ["7", "2", "1"], "{total:#}");
    let by_disposition = checks.iter().find(|check| check["check"] == "C3.2").unwrap();
    assert_eq!(text(by_disposition, "left"), "7", "dispositions by type of institution, and those without one");
    cluster.verified();

    cluster.kill();
    cluster.spawn();
    cluster.settle(closed["epoch"].as_u64().unwrap() + 4);
    assert_eq!(check(&cluster), before, "the log knows what was done");
    cluster.verified();
}
