//! The engine alone: worker threads in this process, fed from memory. No gRPC, no log; history goes to disk as always.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use billwatch_bench::simulator::Simulator;
use billwatch_coordinator::clock::MarketClock;
use billwatch_market::{
    catalogue::Catalogue,
    fact::{ControlKind, Fact, Record},
};
use billwatch_workers::harness::{EngineHarness, RoutedEpoch};
use serde_json::{Value, json};

use crate::{failure::Failure, progress::Progress, simulate::market};

/// Facts of an epoch: what a cluster at full speed seals.
const EPOCH_FACTS: usize = 10_000;
/// Epochs on their way to the workers at once.
const EPOCHS_IN_FLIGHT: usize = 4;
/// Workers report their counters once a second, with an epoch.
const COUNTERS_AFTER: Duration = Duration::from_millis(1_100);

/// Facts by epoch, with the market clock after each.
struct Epochs {
    epochs: Vec<(Vec<Fact>, Option<i64>)>,
    facts: u64,
}

impl Epochs {
    fn simulate(facts: u64, seed: u64) -> Self {
        let mut epochs = Epochs { epochs: Vec::new(), facts: 0 };
        let (mut clock, mut now) = (MarketClock::default(), Vec::with_capacity(EPOCH_FACTS));
        let mut progress = Progress::new("simulating", facts, "facts");
        for record in Simulator::new(market(facts, seed)) {
            clock.sent(record.sequence().0);
            match record {
                Record::Fact(fact) => now.push(fact),
                Record::Control(control) => match control.kind {
                    ControlKind::Watermark(time) => clock.set_watermark(control.source, time),
                    ControlKind::Idle => clock.set_idle(control.source),
                    ControlKind::Resume => clock.set_resumed(control.source),
                    ControlKind::BookLine { .. } | ControlKind::BookEnd { .. } => {}
                },
            }
            if now.len() == EPOCH_FACTS {
                epochs.facts += now.len() as u64;
                progress.set(epochs.facts);
                epochs.epochs.push((std::mem::replace(&mut now, Vec::with_capacity(EPOCH_FACTS)), clock.now()));
            }
        }
        epochs.facts += now.len() as u64;
        epochs.epochs.push((now, clock.now()));
        progress.finish();
        epochs
    }

    fn route(&self, engine: &EngineHarness) -> Vec<RoutedEpoch> {
        let numbered = self.epochs.iter().zip(engine.epoch() + 1..);
        numbered.map(|((facts, clock), epoch)| engine.route(epoch, facts, *clock)).collect()
    }
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
    let epochs = Epochs::simulate(facts, seed);
    let mut engine = EngineHarness::start(&Catalogue::embedded(), threads, Some(directory.path()), 0)?;
    let routed = epochs.route(&engine);
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
    let all = stages.values().sum::<i64>().max(1) as f64;
    let shares: BTreeMap<_, _> =
        stages.iter().map(|(stage, spent)| (stage.clone(), (*spent as f64 / all * 1000.0).round() / 10.0)).collect();
    Ok(json!({
        "engine_facts_per_s": (epochs.facts as f64 / seconds) as u64,
        "engine_seconds": seconds,
        "engine_stage_percent": shares,
    }))
}

/// `bytes_per_live_lot` after half of the market.
pub fn memory(facts: u64, seed: u64, threads: usize) -> Result<Value, Failure> {
    let directory = tempfile::Builder::new().prefix("billwatch-bench-").tempdir()?;
    let mut epochs = Epochs::simulate(facts, seed);
    epochs.epochs.truncate(epochs.epochs.len() / 2);
    let mut engine = EngineHarness::start(&Catalogue::embedded(), threads, Some(directory.path()), 0)?;
    let routed = epochs.route(&engine);
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
