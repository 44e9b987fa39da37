//! The engine alone: worker threads in this process, fed from memory. No gRPC, no log; history goes to disk as always.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use billwatch_bench::measure::epochs::{self, EPOCH_FACTS, EncodedEpoch};
use billwatch_market::catalogue::Catalogue;
use billwatch_workers::harness::{EngineHarness, RoutedEpoch};
use serde_json::{Value, json};

use crate::{failure::Failure, simulate::market};

/// Epochs on their way to the workers at once.
const EPOCHS_IN_FLIGHT: usize = 4;
/// Workers report their counters once a second, with an epoch.
const COUNTERS_AFTER: Duration = Duration::from_millis(1_100);

/// Simulates, and routes as the coordinator does.
fn routed(engine: &EngineHarness, epochs: &[EncodedEpoch]) -> Vec<RoutedEpoch> {
    let numbered = epochs.iter().zip(engine.epoch() + 1..);
    numbered.map(|(epoch, number)| engine.route(number, &epoch.decode(), epoch.clock)).collect()
}

/// Feeds routed epochs, a few at once, and waits for the last.
fn feed(engine: &mut EngineHarness, routed: Vec<RoutedEpoch>) -> anyhow::Result<()> {
    let mut in_flight = 0;
    for epoch in routed {
        if in_flight == EPOCHS_IN_FLIGHT {
            engine.complete()?;
            in_flight -= 1;
        }
        engine.inject(epoch)?;
        in_flight += 1;
    }
    for _ in 0..in_flight {
        engine.complete()?;
    }
    Ok(())
}

/// Counters after a pause: an empty epoch brings them.
fn counters(engine: &mut EngineHarness) -> anyhow::Result<BTreeMap<String, i64>> {
    std::thread::sleep(COUNTERS_AFTER);
    engine.feed(&[], None)?;
    Ok(engine.counters())
}

/// `engine_facts_per_s` and where the time goes.
pub fn throughput(facts: u64, seed: u64, threads: usize) -> Result<Value, Failure> {
    let directory = tempfile::Builder::new().prefix("billwatch-bench-").tempdir()?;
    let epochs = epochs::simulate(market(facts, seed), EPOCH_FACTS);
    let mut engine = EngineHarness::start(&Catalogue::embedded(), threads, Some(directory.path()), 0)?;
    let routed = routed(&engine, &epochs);
    let started = Instant::now();
    feed(&mut engine, routed)?;
    let seconds = started.elapsed().as_secs_f64();
    let counters = counters(&mut engine)?;
    engine.stop();
    let stages = counters.iter().filter_map(|(name, value)| {
        let stage = name.strip_prefix("stage_")?.strip_suffix("_ns_total")?;
        Some((stage.to_owned(), *value))
    });
    let stages: BTreeMap<_, _> = stages.collect();
    let facts: u64 = epochs.iter().map(|epoch| epoch.facts).sum();
    let all = stages.values().sum::<i64>().max(1) as f64;
    let shares: BTreeMap<_, _> =
        stages.iter().map(|(stage, spent)| (stage.clone(), (*spent as f64 / all * 1000.0).round() / 10.0)).collect();
    Ok(json!({
        "engine_facts_per_s": (facts as f64 / seconds) as u64,
        "engine_seconds": seconds,
        "engine_stage_percent": shares,
    }))
}

/// `bytes_per_live_lot` after half of the market.
pub fn memory(facts: u64, seed: u64, threads: usize) -> Result<Value, Failure> {
    let directory = tempfile::Builder::new().prefix("billwatch-bench-").tempdir()?;
    let epochs = epochs::simulate(market(facts, seed), EPOCH_FACTS);
    let mut engine = EngineHarness::start(&Catalogue::embedded(), threads, Some(directory.path()), 0)?;
    let routed = routed(&engine, &epochs[..epochs.len() / 2]);
    feed(&mut engine, routed)?;
    let counters = counters(&mut engine)?;
    engine.stop();
    let get = |name: &str| counters.get(name).copied().unwrap_or(0);
    let live_lots = get("live_lots");
    let parts: BTreeMap<_, _> = counters.iter().filter(|(name, _)| name.starts_with("bytes_")).collect();
    Ok(json!({
        "bytes_per_live_lot": (get("bytes_bills") + get("bytes_index")) / live_lots.max(1),
        "live_lots": live_lots,
        "bills": get("bills"),
        "state_bytes": parts,
    }))
}
