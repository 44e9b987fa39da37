//! `billwatch bench`: what this machine does. Numbers are printed for people or as JSON with stable keys.
//!
//! - `throughput`: `engine_facts_per_s` (in-process source, all views, history on disk) and `end_to_end_facts_per_s` (gRPC
//!   in, log fsynced, visible in every view), with the share of each stage of the engine's time.
//! - `latency`: `freshness_ms` at `offered_facts_per_s`, open loop (what it means: `billwatch_bench::load`).
//! - `memory`: `bytes_per_live_lot`, in the middle of the market, when most lots are live.

mod engine;

use std::time::Duration;

use billwatch_bench::{client, load};
use serde_json::{Value, json};

use crate::{
    cli::{BenchArgs, BenchKind, Format},
    cluster::{LocalCluster, Plan},
    failure::{Failure, Outcome},
    output::{Listing, grouped, print_json},
    progress::Progress,
    workload::Workload,
};

const SERVING_WITHIN: Duration = Duration::from_secs(60);

/// Runs the command.
pub async fn run(args: BenchArgs) -> Outcome {
    let mut results = match args.what {
        BenchKind::Throughput => throughput(&args).await?,
        BenchKind::Latency => latency(&args).await?,
        BenchKind::Memory => {
            let (facts, seed, threads) = (args.facts, args.seed, (args.processes * args.threads) as usize);
            blocking(move || engine::memory(facts, seed, threads)).await?
        }
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

async fn throughput(args: &BenchArgs) -> Result<Value, Failure> {
    let (facts, seed, threads) = (args.facts, args.seed, (args.processes * args.threads) as usize);
    let mut results = blocking(move || engine::throughput(facts, seed, threads)).await?;
    let run = Run::prepare(args, args.facts, u64::MAX).await?;
    let mut progress = Progress::new("end to end", run.workload.bulk.records(), "records");
    let sent = load::full_speed(&run.settings(), &run.workload.bulk, |done| progress.set(done)).await?;
    progress.finish();
    run.cluster.stop().await;
    results["end_to_end_facts_per_s"] = json!(sent.records_per_s() as u64);
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
        "freshness_ms": {
            "p50": fresh.percentile_ms(50.0),
            "p99": fresh.percentile_ms(99.0),
            "p999": fresh.percentile_ms(99.9),
            "max": fresh.max_ms(),
        },
        "batches": fresh.samples(),
        "records": run.workload.paced.records(),
    }))
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
