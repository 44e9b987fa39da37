//! `billwatch bench`: what this machine does. Numbers are printed for people or as JSON with stable keys.
//!
//! - `throughput`: `engine_facts_per_s` (in-process source, all views, history on disk) and `end_to_end_facts_per_s` (gRPC
//!   in, log fsynced, visible in every view), with the share of each stage of the engine's time, the engine on one thread,
//!   and the plain loop of one thread as the yardstick.
//! - `latency`: `freshness_ms` at `offered_facts_per_s`, open loop (what it means: `billwatch_bench::load`).
//! - `custom-report`: `first_full_answer_ms` of a report of four dimensions that is registered under load (what it means:
//!   [`custom_report`]).
//! - `patterns`: how the patterns tell planted cases from near misses and clean trade (`billwatch_bench::measure::patterns`).
//! - `cases`: the published fraud cases, alerted by the moment that their story names (`billwatch_bench::measure::cases`).
//! - `memory`: `bytes_per_live_lot`, at the moment at which most lots live (what it means: `billwatch_bench::measure`).

mod custom_report;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use billwatch_bench::{
    batches::column_batch,
    client, load,
    measure::{
        cases,
        engine::{self, EngineRun},
        epochs::{EPOCH_FACTS, EncodedEpoch, simulate},
        memory, patterns, plain_loop,
    },
};
use billwatch_market::{books, catalogue::Catalogue, fact::Record};
use serde_json::{Value, json};

use crate::{
    cli::{BenchArgs, BenchKind, Format},
    cluster::{LocalCluster, Plan},
    failure::{Failure, Outcome},
    output::{Listing, grouped, market_time, print_json},
    progress::Progress,
    simulate::market,
    workload::{BATCH_RECORDS, Workload},
};

const SERVING_WITHIN: Duration = Duration::from_secs(60);

/// Runs the command.
pub async fn run(args: BenchArgs) -> Outcome {
    let mut results = match args.what {
        BenchKind::Throughput => throughput(&args).await?,
        BenchKind::Latency => latency(&args).await?,
        BenchKind::CustomReport => custom_report::run(&args).await?,
        BenchKind::Memory => {
            let (facts, seed, threads) = (args.facts, args.seed, (args.processes * args.threads) as usize);
            blocking(move || weigh(facts, seed, threads)).await?
        }
        BenchKind::Patterns => return score(args).await,
        BenchKind::Cases => return judge_cases(args).await,
    };
    results["cores"] = json!(std::thread::available_parallelism().map_or(0, usize::from));
    results["processes"] = json!(args.processes);
    results["threads"] = json!(args.threads);
    results["seed"] = json!(args.seed);
    match args.output.format {
        Format::Json => print_json(&results),
        format => {
            let mut listing = Listing::new(["key", "value"]);
            flatten("", &results, &mut listing);
            listing.print(format)
        }
    }
}

/// Nested objects as `outer.inner` keys.
fn flatten(prefix: &str, value: &Value, listing: &mut Listing) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, listing);
            }
        }
        Value::Number(number) if number.is_u64() => {
            listing.push([json!(prefix), json!(grouped(number.as_u64().unwrap_or_default()))]);
        }
        other => listing.push([json!(prefix), other.clone()]),
    }
}

async fn blocking(work: impl FnOnce() -> Result<Value, Failure> + Send + 'static) -> Result<Value, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| anyhow::anyhow!(error))?
}

/// The engine alone, on all threads and on one, and the plain loop beside it.
fn engine_throughput(facts: u64, seed: u64, threads: usize) -> Result<Value, Failure> {
    let catalogue = Catalogue::embedded();
    let epochs = simulate(market(facts, seed), EPOCH_FACTS);
    let run = |threads| -> Result<EngineRun, Failure> {
        let directory = tempfile::Builder::new().prefix("billwatch-bench-").tempdir()?;
        Ok(engine::run(&catalogue, &epochs, threads, directory.path())?)
    };
    let engine = run(threads)?;
    let alone = if threads == 1 { engine.clone() } else { run(1)? };
    let plain = plain_loop::run(&catalogue, &epochs, false)?;
    let stages: BTreeMap<_, _> = engine
        .stages
        .iter()
        .map(|(stage, time)| {
            let percent = (time.share * 1_000.0).round() / 10.0;
            (stage, json!({ "ns_per_fact": time.ns_per_fact as u64, "percent": percent }))
        })
        .collect();
    Ok(json!({
        "engine_facts_per_s": engine.facts_per_s as u64,
        "engine_facts": engine.facts,
        "engine_seconds": engine.seconds,
        "engine_threads": engine.threads,
        "engine_stages": stages,
        "engine_one_thread_facts_per_s": alone.facts_per_s as u64,
        "plain_loop_facts_per_s": plain.facts_per_s() as u64,
        "plain_loop_stages": plain.stages,
        "engine_to_plain_loop": (engine.facts_per_s / plain.facts_per_s() * 100.0).round() / 100.0,
        "client_encode_ns_per_fact": encode_ns(&epochs),
    }))
}

/// What encoding columns costs a client for each fact.
fn encode_ns(epochs: &[EncodedEpoch]) -> u64 {
    let records: Vec<Record> = epochs[epochs.len() / 2].decode().into_iter().map(books::record_of).collect();
    let started = Instant::now();
    for batch in records.chunks(BATCH_RECORDS) {
        std::hint::black_box(column_batch(batch, false));
    }
    (started.elapsed().as_nanos() / records.len().max(1) as u128) as u64
}

/// `bytes_per_live_lot` and what is beside it.
fn weigh(facts: u64, seed: u64, threads: usize) -> Result<Value, Failure> {
    let directory = tempfile::Builder::new().prefix("billwatch-bench-").tempdir()?;
    let epochs = simulate(market(facts, seed), EPOCH_FACTS);
    let memory = memory::run(&Catalogue::embedded(), &epochs, threads, directory.path())?;
    Ok(serde_json::to_value(memory).map_err(anyhow::Error::from)?)
}

/// A table, pattern by pattern; then what does not fit.
async fn score(args: BenchArgs) -> Outcome {
    let (facts, seed, threads) = (args.facts, args.seed, (args.processes * args.threads) as usize);
    let scoring = move || -> Result<patterns::Scores, Failure> {
        let directory = tempfile::Builder::new().prefix("billwatch-bench-").tempdir()?;
        Ok(patterns::run(&Catalogue::embedded(), facts, seed, threads, directory.path())?)
    };
    let scores = tokio::task::spawn_blocking(scoring).await.map_err(|error| anyhow::anyhow!(error))??;
    match args.output.format {
        Format::Json => print_json(&serde_json::to_value(&scores).map_err(anyhow::Error::from)?)?,
        format => {
            score_listing(&scores).print(format)?;
            if !scores.without_cases.is_empty() {
                eprintln!("without labelled cases: {}", scores.without_cases.join(" "));
            }
            for fault in &scores.faults {
                eprintln!("{fault}");
            }
        }
    }
    if scores.faults.is_empty() { Ok(()) } else { Err(Failure::Labels) }
}

/// A table, case by case and demand by demand.
async fn judge_cases(args: BenchArgs) -> Outcome {
    let (facts, seed, threads) = (args.facts, args.seed, (args.processes * args.threads) as usize);
    let judging = move || -> Result<Vec<cases::Verdict>, Failure> {
        let directory = tempfile::Builder::new().prefix("billwatch-bench-").tempdir()?;
        Ok(cases::run(&Catalogue::embedded(), facts, seed, threads, directory.path())?)
    };
    let verdicts = tokio::task::spawn_blocking(judging).await.map_err(|error| anyhow::anyhow!(error))??;
    match args.output.format {
        Format::Json => print_json(&serde_json::to_value(&verdicts).map_err(anyhow::Error::from)?)?,
        format => {
            let columns = ["case", "name_en", "name_zh", "pattern", "key", "by", "alerted", "in_time", "on"];
            let mut listing = Listing::new(columns);
            for verdict in &verdicts {
                listing.push([
                    json!(verdict.case),
                    json!(verdict.name_en),
                    json!(verdict.name_zh),
                    json!(verdict.pattern),
                    json!(verdict.key),
                    json!(market_time(verdict.by)),
                    json!(verdict.alerted.map(market_time)),
                    json!(verdict.in_time),
                    json!(verdict.on),
                ]);
            }
            listing.print(format)?;
        }
    }
    if verdicts.iter().all(|verdict| verdict.in_time) { Ok(()) } else { Err(Failure::Labels) }
}

fn score_listing(scores: &patterns::Scores) -> Listing {
    let mut listing = Listing::new([
        "pattern",
        "name_en",
        "name_zh",
        "planted",
        "found",
        "near_misses",
        "wrongly_alerted",
        "clean_alerts_per_100k",
    ]);
    let mut sum = patterns::Score { pattern: "all".to_owned(), ..patterns::Score::default() };
    for score in &scores.patterns {
        sum.planted += score.planted;
        sum.found += score.found;
        sum.near_misses += score.near_misses;
        sum.wrongly_alerted += score.wrongly_alerted;
        sum.clean_alerts_per_100k += score.clean_alerts_per_100k;
    }
    for score in scores.patterns.iter().chain([&sum]) {
        listing.push([
            json!(score.pattern),
            json!(score.name_en),
            json!(score.name_zh),
            json!(score.planted),
            json!(score.found),
            json!(score.near_misses),
            json!(score.wrongly_alerted),
            json!((score.clean_alerts_per_100k * 100.0).round() / 100.0),
        ]);
    }
    listing
}

async fn throughput(args: &BenchArgs) -> Result<Value, Failure> {
    let (facts, seed, threads) = (args.facts, args.seed, (args.processes * args.threads) as usize);
    let mut results = blocking(move || engine_throughput(facts, seed, threads)).await?;
    let encode_ns = results["client_encode_ns_per_fact"].as_f64().unwrap_or_default();
    let run = Run::prepare(args, args.facts, u64::MAX).await?;
    let mut progress = Progress::new("end to end", run.workload.bulk.records(), "records");
    let sent = load::full_speed(&run.settings(), &run.workload.bulk, |done| progress.set(done)).await?;
    progress.finish();
    run.cluster.stop().await;
    results["end_to_end_facts_per_s"] = json!(sent.records_per_s() as u64);
    // As if one thread of the client encoded everything first and sent it then.
    let encoding = encode_ns * run.workload.bulk.records() as f64 / 1e9;
    let with_encoding = run.workload.bulk.records() as f64 / (sent.elapsed.as_secs_f64() + encoding);
    results["end_to_end_facts_per_s_with_client_encoding"] = json!(with_encoding as u64);
    results["records"] = json!(run.workload.bulk.records());
    results["seconds_to_last_acknowledgement"] = json!(sent.acknowledged.as_secs_f64());
    results["seconds_to_all_visible"] = json!(sent.elapsed.as_secs_f64());
    Ok(results)
}

async fn latency(args: &BenchArgs) -> Result<Value, Failure> {
    let run = Run::prepare(args, args.facts + args.rate * args.seconds, args.facts).await?;
    let settings = run.settings();
    // The market is under way before the clock starts: state, windows and caches are as in the middle of a day.
    let mut progress = Progress::new("filling", run.workload.bulk.records(), "records");
    load::full_speed(&settings, &run.workload.bulk, |done| progress.set(done)).await?;
    progress.finish();
    let mut progress = Progress::new("open loop", run.workload.paced.records(), "records");
    let (_, fresh) = load::open_loop(&settings, &run.workload.paced, args.rate, |done| progress.set(done)).await?;
    progress.finish();
    run.cluster.stop().await;
    Ok(json!({
        "offered_facts_per_s": args.rate,
        // The stricter of the two: it also holds what a batch waited before it was accepted.
        "freshness_ms": percentiles(&fresh.due_to_visible),
        "accepted_to_visible_ms": percentiles(&fresh.accepted_to_visible),
        "due_to_subscriber_told_ms": percentiles(&fresh.due_to_told),
        "batches": fresh.due_to_visible.samples(),
        "questions": fresh.questions,
        "records": run.workload.paced.records(),
    }))
}

fn percentiles(delays: &load::Delays) -> Value {
    json!({
        "p50": delays.percentile_ms(50.0),
        "p99": delays.percentile_ms(99.0),
        "p999": delays.percentile_ms(99.9),
        "max": delays.max_ms(),
    })
}

/// A cluster and what will be sent to it, in a temporary directory.
struct Run {
    workload: Workload,
    cluster: LocalCluster,
    _directory: tempfile::TempDir,
}

impl Run {
    async fn prepare(args: &BenchArgs, facts: u64, bulk: u64) -> Result<Run, Failure> {
        let directory = tempfile::Builder::new().prefix("billwatch-bench-").tempdir()?;
        let (path, seed, rate) = (directory.path().join("workload"), args.seed, args.rate);
        let simulating = move || Workload::simulate(&path, facts, seed, bulk, rate);
        let workload = tokio::task::spawn_blocking(simulating).await.map_err(|error| anyhow::anyhow!(error))??;
        let plan = Plan::on_free_port(directory.path().join("data"), args.processes, args.threads)?;
        let mut cluster = LocalCluster::start(plan)?;
        cluster.serving(SERVING_WITHIN).await?;
        Ok(Run { workload, cluster, _directory: directory })
    }

    fn settings(&self) -> client::Settings {
        client::Settings { patience: SERVING_WITHIN, ..client::Settings::new(self.cluster.address()) }
    }
}
