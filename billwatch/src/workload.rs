//! What `demo` and `bench` send: a simulated market, made beforehand as batches in files.

use std::path::Path;

use billwatch_bench::{
    batches::Batcher,
    simulator::{Simulator, label::Label},
    spool::{Spool, SpoolWriter},
};

use crate::{failure::Failure, progress::Progress, simulate::market};

/// Records of a batch at full speed.
pub const BATCH_RECORDS: usize = 8_192;
/// At a fixed rate, batches are sent this often a second.
pub const BATCHES_PER_S: u64 = 100;

/// A market in two parts, in the order of event time, and what was planted in it.
pub struct Workload {
    /// To be sent at full speed.
    pub bulk: Spool,
    /// To be sent at a fixed rate, after it.
    pub paced: Spool,
    /// Planted cases and near misses.
    pub labels: Vec<Label>,
}

impl Workload {
    /// Simulates about `facts` facts; all after the first `bulk` records go to the paced part. Blocks: a minute a few
    /// million facts.
    pub fn simulate(directory: &Path, facts: u64, seed: u64, bulk: u64, rate: u64) -> Result<Workload, Failure> {
        std::fs::create_dir_all(directory)?;
        let mut simulator = Simulator::new(market(facts, seed));
        let mut progress = Progress::new("simulating", facts, "facts");
        let mut records = 0;
        let mut fill = |name: &str, most: u64, batch: usize| -> Result<Spool, Failure> {
            let mut writer = SpoolWriter::create(&directory.join(name))?;
            // Replay: the simulated day is not today, and lateness and future dates are judged by the market's time.
            let mut batcher = Batcher::new(batch, true);
            for record in simulator.by_ref().take(usize::try_from(most).unwrap_or(usize::MAX)) {
                if let Some(batch) = batcher.record(record) {
                    writer.push(&batch)?;
                    progress.set(records);
                }
                records += 1;
            }
            if let Some(batch) = batcher.finish() {
                writer.push(&batch)?;
            }
            Ok(writer.finish()?)
        };
        let bulk = fill("bulk.spool", bulk, BATCH_RECORDS)?;
        let paced = fill("paced.spool", u64::MAX, (rate / BATCHES_PER_S).max(1) as usize)?;
        progress.finish();
        Ok(Workload { bulk, paced, labels: simulator.labels().to_vec() })
    }
}
