//! Bytes for each live lot: what the engine keeps for a bill under way.
//!
//! A market is fed up to the moment at which most lots live. Then the engine's own accounting by view is read, and, as a
//! check from outside, how much the process has grown. `bytes_per_live_lot` is the state that grows with the bills: folded
//! bills with their timers, and the index from parties to bills. Cells, windows and alerts grow with days, keys and
//! findings instead, and history goes to the disk in a cluster; they are listed beside it, and in `all_bytes_per_live_lot`.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use billwatch_market::catalogue::Catalogue;
use billwatch_workers::harness::EngineHarness;
use serde::Serialize;

use super::{engine::final_counters, epochs::EncodedEpoch};

/// Gauges of what grows with bills.
const OF_BILLS: [&str; 2] = ["bytes_bills", "bytes_index"];

/// What the engine holds at the moment at which most lots live.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// Bytes of folded bills and their index, divided by live lots.
    pub bytes_per_live_lot: f64,
    /// All views and buffers, by the engine's accounting, divided by live lots.
    pub all_bytes_per_live_lot: f64,
    /// Growth of the process, divided by live lots. Input buffers and the allocator's slack are in it.
    pub process_bytes_per_live_lot: f64,
    /// Lots that have not ended.
    pub live_lots: u64,
    /// Bills, ended ones included.
    pub bills: u64,
    /// Facts fed.
    pub facts: u64,
    /// Bytes by view.
    pub views: BTreeMap<String, u64>,
    /// Growth of the resident set of the process, bytes.
    pub process_bytes: u64,
}

/// Feeds the market up to the epoch with most live lots to a new engine, which keeps its history in `directory`, and weighs
/// it.
pub fn run(
    catalogue: &Arc<Catalogue>,
    epochs: &[EncodedEpoch],
    threads: usize,
    directory: &Path,
) -> anyhow::Result<Memory> {
    let peak = epochs.iter().enumerate().max_by_key(|(_, epoch)| epoch.live_lots).map_or(0, |(place, _)| place);
    let epochs = &epochs[..=peak.min(epochs.len().saturating_sub(1))];
    let before = resident_bytes()?;
    let mut engine = EngineHarness::start(catalogue, threads, Some(directory), 0)?;
    for epoch in epochs {
        engine.feed(&epoch.decode(), epoch.clock)?;
    }
    let counters = final_counters(&mut engine)?;
    let process_bytes = resident_bytes()?.saturating_sub(before);
    engine.stop();
    let gauge = |name: &str| counters.get(name).map_or(0, |value| u64::try_from(*value).unwrap_or(0));
    let views: BTreeMap<String, u64> =
        counters.keys().filter_map(|name| Some((name.strip_prefix("bytes_")?.to_owned(), gauge(name)))).collect();
    let live_lots = gauge("live_lots");
    let per_lot = |bytes: u64| bytes as f64 / live_lots.max(1) as f64;
    Ok(Memory {
        bytes_per_live_lot: per_lot(OF_BILLS.iter().map(|name| gauge(name)).sum()),
        all_bytes_per_live_lot: per_lot(views.values().sum()),
        process_bytes_per_live_lot: per_lot(process_bytes),
        live_lots,
        bills: gauge("bills"),
        facts: epochs.iter().map(|epoch| epoch.facts).sum(),
        views,
        process_bytes,
    })
}

/// Resident set of this process, bytes.
fn resident_bytes() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| anyhow::anyhow!("/proc/self/status has no VmRSS: memory is measured on Linux only"))?;
    Ok(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measure::epochs, simulator::Settings};

    #[test]
    fn weighs_at_the_moment_of_most_live_lots() {
        let epochs = epochs::simulate(Settings::new(10_000, 5), 1_000);
        let memory = run(&Catalogue::embedded(), &epochs, 1, tempfile::tempdir().unwrap().path()).unwrap();
        assert!(memory.live_lots > 50 && memory.facts < epochs.iter().map(|epoch| epoch.facts).sum::<u64>());
        assert!(memory.views["bills"] > 0 && memory.views["cells"] > 0, "{memory:?}");
        assert!(memory.bytes_per_live_lot > 0.0 && memory.bytes_per_live_lot < memory.all_bytes_per_live_lot);
    }
}
