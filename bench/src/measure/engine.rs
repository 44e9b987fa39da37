//! Facts a second of the engine alone: worker threads in this process, fed from memory.
//!
//! Everything is on: all dimensions, all patterns, alerts, history on disk. Not in the number: making facts, gRPC, the log,
//! routing. In it: decoding, reference data, folds, cells, windows, judgements, the exchange between threads, the views of
//! each epoch.

use std::{collections::BTreeMap, path::Path, sync::Arc, thread, time::Instant};

use billwatch_market::catalogue::Catalogue;
use billwatch_workers::{
    counters::STAGES,
    harness::{EngineHarness, RoutedEpoch},
    limits::COUNTERS_EVERY,
};
use serde::Serialize;

use super::epochs::EncodedEpoch;

/// Epochs handed over before the oldest is complete: as many as keep the threads busy.
const EPOCHS_IN_FLIGHT: usize = 4;

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct EngineRun {
    /// Worker threads.
    pub threads: usize,
    /// Facts fed.
    pub facts: u64,
    /// Wall clock from the first epoch handed over to the last one complete.
    pub seconds: f64,
    /// Facts a second of all threads together.
    pub facts_per_s: f64,
    /// Where the time of the threads went, by stage.
    pub stages: BTreeMap<String, StageTime>,
    /// Growing counters and gauges of the workers at the end, summed over the threads.
    pub counters: BTreeMap<String, i64>,
}

/// Time of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageTime {
    /// Thread time for each fact, ns.
    pub ns_per_fact: f64,
    /// Part of the whole thread time (`threads` x wall clock), 0 to 1.
    pub share: f64,
}

/// Feeds a market to a new engine of `threads` threads, which keeps its history in `directory`.
pub fn run(
    catalogue: &Arc<Catalogue>,
    epochs: &[EncodedEpoch],
    threads: usize,
    directory: &Path,
) -> anyhow::Result<EngineRun> {
    let mut engine = EngineHarness::start(catalogue, threads, Some(directory), 0)?;
    let routed: Vec<RoutedEpoch> =
        epochs.iter().zip(1..).map(|(epoch, number)| engine.route(number, &epoch.decode(), epoch.clock)).collect();
    let facts: u64 = epochs.iter().map(|epoch| epoch.facts).sum();
    let started = Instant::now();
    for (fed, epoch) in routed.into_iter().enumerate() {
        if fed >= EPOCHS_IN_FLIGHT {
            engine.complete()?;
        }
        engine.inject(epoch)?;
    }
    for _ in 0..epochs.len().min(EPOCHS_IN_FLIGHT) {
        engine.complete()?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let counters = final_counters(&mut engine)?;
    engine.stop();
    Ok(EngineRun {
        threads,
        facts,
        seconds,
        facts_per_s: facts as f64 / seconds.max(1e-9),
        stages: stages(&counters, facts, threads, seconds),
        counters,
    })
}

/// The counters after the last fact: a worker sends them with the first epoch after a pause.
pub(super) fn final_counters(engine: &mut EngineHarness) -> anyhow::Result<BTreeMap<String, i64>> {
    thread::sleep(COUNTERS_EVERY);
    engine.feed(&[], None)?;
    Ok(engine.counters())
}

/// Time by stage out of the counters; what is left of the threads' time goes under `outside`: waiting for mates and input,
/// scheduling, progress.
fn stages(counters: &BTreeMap<String, i64>, facts: u64, threads: usize, seconds: f64) -> BTreeMap<String, StageTime> {
    let whole = seconds * 1e9 * threads as f64;
    let time = |ns: f64| StageTime { ns_per_fact: ns / facts.max(1) as f64, share: ns / whole.max(1.0) };
    let mut inside = 0.0;
    let mut stages = BTreeMap::new();
    for (_, counter) in STAGES {
        let ns = counters.get(counter).copied().unwrap_or(0) as f64;
        inside += ns;
        let name = counter.trim_start_matches("stage_").trim_end_matches("_ns_total");
        stages.insert(name.to_owned(), time(ns));
    }
    stages.insert("outside".to_owned(), time((whole - inside).max(0.0)));
    stages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measure::epochs, simulator::Settings};

    #[test]
    fn every_fact_passes_and_every_stage_has_its_time() {
        let epochs = epochs::simulate(Settings::new(10_000, 5), 2_000);
        let run = run(&Catalogue::embedded(), &epochs, 2, tempfile::tempdir().unwrap().path()).unwrap();
        assert_eq!(run.facts, epochs.iter().map(|epoch| epoch.facts).sum::<u64>());
        let taken_in = run.counters["facts_total"];
        assert!(taken_in as u64 <= run.facts && taken_in > 0, "{taken_in}");
        for stage in ["decode", "lives", "cells", "windows", "judges", "outside"] {
            assert!(run.stages.contains_key(stage), "{stage}");
        }
        assert!(run.stages["lives"].ns_per_fact > 0.0);
    }

    #[test]
    fn shares_are_of_all_threads() {
        let counters = BTreeMap::from([("stage_cells_ns_total".to_owned(), 500_000_000)]);
        let stages = stages(&counters, 1_000_000, 2, 1.0);
        assert_eq!(stages["cells"], StageTime { ns_per_fact: 500.0, share: 0.25 });
        assert_eq!(stages["outside"].share, 0.75);
    }
}
