//! What is seen of both roles from outside: metrics over TCP, logs as JSON, the page of `status`, while facts come and a
//! compute process is killed.

#[path = "../../coordinator/tests/common/scrape.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod scrape;

mod common;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use billwatch_telemetry::{
    codes,
    table::{Role, coordinator::CHECKPOINT_AGE},
};
use common::{billwatch, example, expect_exit};
use scrape::{Samples, has_value, sum, try_scrape};
use serde_json::Value;

/// A role as a process, with its log in a file. Dropping it ends it.
struct Process(Child);

impl Process {
    fn start(role: &str, log: &Path, arguments: &[&str]) -> Process {
        let log = fs::File::create(log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_billwatch"))
            .arg(role)
            .args(arguments)
            // As a container platform would say it.
            .env("BILLWATCH_LOG_FORMAT", "json")
            // A collector that is away must disturb nothing.
            .env("BILLWATCH_OTLP", format!("http://{}", free_address()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Process(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap()
}

/// Scrapes until something holds.
fn scrape_until(address: SocketAddr, what: &str, holds: impl Fn(&Samples) -> bool) -> Samples {
    let started = Instant::now();
    loop {
        let samples = try_scrape(address);
        match samples {
            Some(samples) if holds(&samples) => return samples,
            samples => assert!(started.elapsed() < Duration::from_secs(60), "waited 60 s for {what}: {samples:#?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn names_without_value(role: Role, samples: &Samples) -> Vec<&'static str> {
    role.metrics().filter(|metric| !has_value(samples, metric)).map(|metric| metric.name).collect()
}

/// Every line is one object; gives the codes of warnings and errors, each of which has one.
fn codes_in(log: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event["timestamp"].is_string() && event["message"].is_string(), "{line}");
        if event["level"] == "WARN" || event["level"] == "ERROR" {
            let code = event["code"].as_str().unwrap_or_else(|| panic!("no code: {line}"));
            assert!(codes::ALL.iter().any(|known| known.code == code), "{line}");
            found.push(code.to_owned());
        }
    }
    found
}

#[test]
fn both_roles_show_their_metrics_and_survive_a_killed_compute_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let text = |name: &str| path(name).display().to_string();
    let [listen, coordinator_metrics, worker_metrics] = [free_address(), free_address(), free_address()];
    let address = format!("http://{listen}");
    let (listen, metrics) = (listen.to_string(), coordinator_metrics.to_string());
    let _coordinator = Process::start(
        "coordinator",
        &path("coordinator.log"),
        &[
            "--listen",
            &listen,
            "--metrics",
            &metrics,
            "--data",
            &text("coordinator"),
            "--processes",
            "1",
            "--checkpoint-s",
            "1",
        ],
    );
    // The worker's endpoint answers before there is a coordinator that serves.
    let metrics = worker_metrics.to_string();
    let worker = Process::start(
        "worker",
        &path("worker.log"),
        &["--address", &address, "--process", "0", "--metrics", &metrics, "--data", &text("worker")],
    );
    scrape_until(coordinator_metrics, "the cluster to serve", |samples| samples["billwatch_serving"] == 1.0);

    let mut accepted = 0;
    for file in ["a-reference.facts.ndjson", "c-split-package.facts.ndjson"] {
        // Worker threads tell their counters with an epoch, at most once a second: the epoch of the
        // second file brings them.
        std::thread::sleep(Duration::from_millis(1_200));
        let file = example(file).display().to_string();
        let output = billwatch(&["ingest", "--replay", &file, "--format", "json", "--address", &address]);
        let answer: Value = serde_json::from_str(&expect_exit(output, 0)).unwrap();
        accepted += answer["accepted"].as_u64().unwrap();
    }
    let samples = scrape_until(coordinator_metrics, "all facts to be visible and a checkpoint", |samples| {
        samples["billwatch_freshness_seconds_count"] >= accepted as f64 && has_value(samples, &CHECKPOINT_AGE)
    });
    assert_eq!(samples["billwatch_freshness_seconds_count"], accepted as f64, "each record once");
    assert_eq!(sum(&samples, "billwatch_records_accepted_total"), accepted as f64);
    assert_eq!(samples["billwatch_freshness_seconds_bucket{le=\"+Inf\"}"], accepted as f64);
    let without = names_without_value(Role::Coordinator, &samples);
    let may_be_without = [
        "billwatch_cgroup_memory_usage_bytes",
        "billwatch_cgroup_memory_limit_bytes",
        "billwatch_batches_refused_total",
        "billwatch_ingest_streams_broken_total",
        "billwatch_records_refused_total",
        "billwatch_market_clock_timestamp_seconds",
        "billwatch_freshness_last_minute_median_seconds",
        "billwatch_freshness_last_minute_p99_seconds",
        "billwatch_rules",
        "billwatch_rules_dead",
    ];
    assert!(without.iter().all(|name| may_be_without.contains(name)), "{without:?}");

    let ready =
        |samples: &Samples| samples["billwatch_worker_ready"] == 1.0 && samples["billwatch_worker_facts_total"] > 0.0;
    let samples = scrape_until(worker_metrics, "the worker to tell of its facts", ready);
    let without = names_without_value(Role::Worker, &samples);
    assert!(without.iter().all(|name| name.starts_with("billwatch_cgroup_memory")), "{without:?}");
    assert!(samples["billwatch_worker_stage_seconds_total{stage=\"lives\"}"] > 0.0);
    assert!(samples["billwatch_worker_memory_bytes{view=\"bills\"}"] > 0.0);
    assert!(samples["billwatch_resident_memory_bytes{process=\"compute\"}"] > 0.0);
    assert_eq!(samples["billwatch_worker_restarts_total"], 0.0);

    let page = expect_exit(billwatch(&["status", "--address", &address]), 0);
    for part in
        ["serving; 1 of 1 workers, generation 1", "market clock", "freshness", "checkpoint    epoch", "alerts", "disk"]
    {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert!(!page.contains("facts_accepted_total"), "counters only when they are asked for:\n{page}");
    let page = expect_exit(billwatch(&["status", "--counters", "--address", &address]), 0);
    assert!(page.contains("facts_accepted_total"), "{page}");

    // SIGKILL for the compute process: the agent goes on, and says so.
    let children = fs::read_dir(format!("/proc/{}/task", worker.0.id())).unwrap().flatten();
    let children: String = children.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap()).collect();
    let killed = Command::new("sh").arg("-c").arg(format!("kill -9 {children}")).status().unwrap();
    assert!(killed.success(), "{children}");
    let samples = scrape_until(worker_metrics, "the next compute process", |samples| {
        samples["billwatch_worker_restarts_total"] >= 1.0 && samples["billwatch_worker_ready"] == 1.0
    });
    assert!(samples["billwatch_worker_generation"] >= 2.0, "{samples:#?}");
    let samples = scrape_until(coordinator_metrics, "the next generation to serve", |samples| {
        samples["billwatch_serving"] == 1.0 && samples["billwatch_generation"] >= 2.0
    });
    assert!(samples["billwatch_generations_ended_total"] >= 1.0);
    assert_eq!(samples["billwatch_freshness_seconds_count"], accepted as f64, "a replay is counted no second time");
    let told = codes_in(&path("coordinator.log"));
    assert!(told.contains(&codes::GENERATION_ENDED.to_owned()));
    assert!(told.contains(&codes::OTLP_FAILED.to_owned()), "no collector, and all worked: {told:?}");
    codes_in(&path("worker.log"));
}
