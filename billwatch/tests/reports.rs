//! The fixed reports on a real cluster: all of a simulated month exported in every form with every check holding; its close; and
//! what facts that come later do to it: a new version that says what changed, and CHECK_FAILED when they contradict each other.

mod common;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use common::{Cluster, billwatch, expect_exit};
use serde_json::{Value, json};

/// The month, and a day by which it is closed.
const MONTH: &str = "2024-01";
const LAST_DAY: &str = "2024-01-31";
const AFTER: &str = "2024-02-12";

/// A simulated market up to [`AFTER`], as lines.
fn simulate(cluster: &Cluster) -> Vec<String> {
    let (facts, labels) = (cluster.path("all.ndjson").display().to_string(), cluster.path("labels.ndjson"));
    let arguments =
        ["simulate", "--facts", "10000", "--cases-a-round", "1", "--seed", "5", "--out", &facts, "--labels"];
    expect_exit(billwatch(&[&arguments[..], &[labels.to_str().unwrap()]].concat()), 0);
    let text = fs::read_to_string(&facts).unwrap();
    let is_before = |line: &&str| field(&parse(line), "biz_date").as_str() <= AFTER;
    text.lines().take_while(is_before).map(str::to_owned).collect()
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

fn field(fact: &Value, name: &str) -> String {
    fact[name].as_str().unwrap_or_default().to_owned()
}

fn send(cluster: &Cluster, name: &str, lines: &[String]) {
    let path = cluster.path(name);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let epoch = cluster.ingest(&path)["epoch"].as_u64().unwrap();
    cluster.settle(epoch);
}

/// Ids of the checks that do not hold.
fn failed(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["pass"] != "yes").map(|check| field(check, "check")).collect()
}

/// All reports of the month, exported as JSON: by id.
fn exported(cluster: &Cluster, name: &str) -> BTreeMap<String, Value> {
    let files = export(cluster, name, "json");
    let read =
        |path: &std::path::PathBuf| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    files.iter().map(read).map(|report| (field(&report, "report"), report)).collect()
}

fn export(cluster: &Cluster, name: &str, format: &str) -> Vec<std::path::PathBuf> {
    let dir = cluster.path(name);
    let out = dir.to_str().unwrap();
    let arguments = ["report", "export", "--period", LAST_DAY, "--format", format, "--out", out];
    expect_exit(cluster.run(&arguments), 0);
    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Versions of a report of the month, once there are so many.
fn versions(cluster: &Cluster, report: &str, least: usize) -> Vec<Value> {
    for _ in 0..1_200 {
        let rows = cluster.json(&["report", "versions", report, "--period", MONTH]);
        let rows = rows.as_array().unwrap().clone();
        if rows.last().is_some_and(|row| row["version"].as_u64() >= Some(least as u64)) {
            return rows;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("{report} of {MONTH} does not come to {least} versions");
}

fn is_workbook(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap();
    bytes.starts_with(b"PK\x03\x04") && bytes.windows(18).any(|part| part == b"xl/worksheets/shee")
}

#[test]
fn a_month_is_exported_closed_corrected_and_found_to_contradict_itself() {
    let cluster = Cluster::start_with(2, 1, &[("BILLWATCH_REPORTS_S", "1")]);
    let lines = simulate(&cluster);
    send(&cluster, "month.ndjson", &lines);

    // Everything, in every form, at one epoch.
    let reports = exported(&cluster, "json");
    assert_eq!(reports.len(), 22);
    for (id, report) in &reports {
        assert_eq!(failed(report), Vec::<String>::new(), "{id}");
        let periods_end = field(report, "to_date");
        let status = if periods_end.as_str() < AFTER { "FINAL" } else { "PRELIM" };
        assert_eq!(report["status"], status, "{id}");
        assert_eq!(report["as_of"], reports["R01"]["as_of"], "{id} holds at the epoch of the others");
    }
    let [workbooks, tables] = ["xlsx", "csv"].map(|format| export(&cluster, format, format));
    assert_eq!((workbooks.len(), tables.len()), (22, 22));
    assert!(workbooks.iter().all(|path| is_workbook(path)));
    let lines_of = |path: &std::path::PathBuf| fs::read_to_string(path).unwrap().lines().count();
    assert!(tables.iter().all(|path| lines_of(path) > 3));

    // The month is closed.
    for id in ["R02", "R08", "R13"] {
        let rows = versions(&cluster, id, 1);
        assert_eq!(
            (rows.len(), &rows[0]["status"], &rows[0]["changed_cells"]),
            (1, &json!("FINAL"), &json!(0)),
            "{id}"
        );
    }

    // An acceptance of the month is revoked by a correction that comes after the close.
    let facts: Vec<Value> = lines.iter().map(|line| parse(line)).collect();
    let accepted =
        facts.iter().find(|fact| fact["behaviour"] == "ACC.SGN" && field(fact, "biz_date").as_str() <= LAST_DAY);
    let accepted = accepted.unwrap();
    let mut revocation = json!({"correction": "revoke", "corrects_event_id": accepted["event_id"]});
    for name in ["behaviour", "bill_id", "event_time", "biz_date", "source", "sub_start", "sub_end", "initiator_id"] {
        if !accepted[name].is_null() {
            revocation[name] = accepted[name].clone();
        }
    }
    revocation["event_id"] = json!("99000000000000000000001");
    revocation["source_seq"] = json!(90_000_001);
    revocation["recorded_time"] = json!(facts.last().unwrap()["event_time"].as_i64().unwrap_or(1_739_318_400_000));
    send(&cluster, "late.ndjson", &[revocation.to_string()]);
    let rows = versions(&cluster, "R02", 2);
    let of_total = |row: &&Value| row["row"] == "TOTAL" && row["column"] == "amount.TOTAL" && row["version"] == 2;
    let changed = rows.iter().find(of_total).unwrap_or_else(|| panic!("{rows:#?}"));
    assert_ne!(changed["before"], changed["after"]);

    // The register says that a drawer's division lies in another section: R13 names the check that no longer holds.
    let drawer = facts.iter().find(|fact| {
        fact["behaviour"] == "ISS.REG"
            && field(fact, "biz_date").as_str() <= LAST_DAY
            && fact["bill_id"] != accepted["bill_id"]
    });
    let drawer = field(drawer.unwrap(), "drawer_id");
    let registered = facts.iter().find(|fact| fact["behaviour"] == "MST.ENR" && field(fact, "ent_id") == drawer);
    let mut planted = registered.unwrap().clone();
    planted["industry_division"] = json!(if planted["industry_section"] == "C" { "51" } else { "13" });
    planted["event_id"] = json!("99000000000000000000002");
    planted["source_seq"] = json!(90_000_002);
    planted["event_time"] = json!(planted["event_time"].as_i64().unwrap() + 1);
    send(&cluster, "planted.ndjson", &[planted.to_string()]);
    let before = versions(&cluster, "R13", 1).last().unwrap()["version"].as_u64().unwrap();
    let fails = |cluster: &Cluster| {
        let rows = versions(cluster, "R13", before as usize);
        let last = rows.last().unwrap().clone();
        (last["status"] == "CHECK_FAILED").then_some(last)
    };
    let last = (0..600).find_map(|_| {
        std::thread::sleep(Duration::from_millis(200));
        fails(&cluster)
    });
    let version = last.expect("R13 is made again")["version"].to_string();
    let report = cluster.json(&["report", "show", "R13", "--period", MONTH, "--version", &version]);
    assert!(failed(&report).iter().all(|id| id.starts_with("C1.")) && !failed(&report).is_empty(), "{report:#}");
    let live = cluster.json(&["report", "show", "R13", "--period", MONTH]);
    assert_eq!((&live["status"], failed(&live)), (&json!("CHECK_FAILED"), failed(&report)));
    // It makes a noise: in the list, however many periods are closed behind it, and in the log.
    let listed = cluster.json(&["report", "list"]);
    let row = listed.as_array().unwrap().iter().find(|row| row["report"] == "R13").unwrap();
    assert!(field(row, "failed").split(' ').any(|period| period == MONTH), "{row}");
    let logged = |line: &str| line.contains("REPORT_CHECK_FAILED") && line.contains("R13") && line.contains("C1.");
    let mut logs = fs::read_dir(cluster.path("data/logs")).unwrap().map(|file| file.unwrap().path());
    assert!(logs.any(|path| fs::read_to_string(path).unwrap().lines().any(logged)), "no line of the log says so");
    // What was kept stays.
    let first = cluster.json(&["report", "show", "R13", "--period", MONTH, "--version", "1"]);
    assert_eq!((&first["status"], failed(&first)), (&json!("FINAL"), Vec::new()));
}
