//! The plain loop: what the same work costs one thread without an engine around it.
//!
//! Decodes each fact, applies it to its bill, and sums its cells into one hash map. No dataflow, no windows, no late facts,
//! no retraction, no history: the least that anybody would write. The engine is told by its ratio to this loop.

use std::{sync::Arc, time::Instant};

use billwatch_market::{
    aggregate::{Aggregates, CellKey, CellSink},
    bill::{Bill, Effect, Laws, Outcome},
    books::is_of_book,
    catalogue::Catalogue,
    codec::decode_fact,
    fact_scope::{FactScope, scope},
    ids::BillId,
    observe::{Meanings, Observation},
    pattern::{MarketRegistry, Output, Patterns, Seen},
    reference_data::Reference,
};
use hashbrown::HashMap;
use serde::Serialize;
use smallvec::SmallVec;

use super::epochs::EncodedEpoch;

/// Time of one part of the loop, summed over all facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PlainStages {
    /// Bytes to facts.
    pub decode_ns: u64,
    /// Finding the bill, and the fold.
    pub fold_ns: u64,
    /// What a fact adds to cells.
    pub flow_ns: u64,
    /// Adding that to the hash map.
    pub sum_ns: u64,
    /// What patterns see in the fact (only when asked for).
    pub patterns_ns: u64,
}

/// What the loop did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PlainLoop {
    /// Facts read.
    pub facts: u64,
    /// Wall clock, s.
    pub seconds: f64,
    /// Where it went. Reading the clock costs about 25 ns a part and is in the parts.
    pub stages: PlainStages,
    /// Bills.
    pub bills: u64,
    /// Cells.
    pub cells: u64,
    /// Changes of cells.
    pub cell_changes: u64,
    /// Feature deltas (only with patterns).
    pub feature_deltas: u64,
}

impl PlainLoop {
    /// Facts a second of one thread.
    pub fn facts_per_s(&self) -> f64 {
        self.facts as f64 / self.seconds.max(1e-9)
    }
}

/// Runs the loop over all epochs. `with_patterns`: also asks the patterns what they see, and forgets it.
pub fn run(catalogue: &Arc<Catalogue>, epochs: &[EncodedEpoch], with_patterns: bool) -> anyhow::Result<PlainLoop> {
    let laws = Laws::new(catalogue)?;
    let meanings = Arc::new(Meanings::new(catalogue.clone())?);
    let aggregates = Aggregates::new(meanings.clone());
    let patterns = with_patterns.then(Patterns::embedded);
    let mut reference = Reference::new(meanings.vocabulary().clone());
    let mut bills: HashMap<BillId, Bill> = HashMap::new();
    let mut totals: HashMap<CellKey, SmallVec<[i128; 4]>> = HashMap::new();
    let mut sink = CellSink::default();
    let mut output = Output::default();
    let mut result = PlainLoop::default();
    let stages = &mut result.stages;
    let started = Instant::now();
    for epoch in epochs {
        let mut bytes = epoch.records.as_slice();
        while !bytes.is_empty() {
            let begun = Instant::now();
            let fact = decode_fact(&mut bytes)?;
            let decoded = Instant::now();
            if is_of_book(&fact) {
                // No view of this loop reads books.
                stages.decode_ns += nanoseconds(begun, decoded);
                continue;
            }
            let (bill, outcome) = match scope(&fact) {
                FactScope::Bill(id) => {
                    let bill = bills.entry(id).or_default();
                    let outcome = bill.apply(&fact, &laws);
                    (Some(&*bill), outcome)
                }
                FactScope::BillAndReference(id) => {
                    reference.insert(fact.clone());
                    let bill = bills.entry(id).or_default();
                    let outcome = bill.apply(&fact, &laws);
                    (Some(&*bill), outcome)
                }
                FactScope::Reference => {
                    reference.insert(fact.clone());
                    (None, informational())
                }
                FactScope::Party(_) => (None, informational()),
            };
            let folded = Instant::now();
            let seen = Observation::new(&fact, &outcome, bill, &reference, &meanings);
            aggregates.flow(&seen, 1, &mut sink);
            aggregates.stock(&seen, 1, &mut sink);
            let flowed = Instant::now();
            for (key, sums) in sink.sums() {
                let cell = totals.entry(key).or_insert_with(|| SmallVec::from_elem(0, sums.len()));
                cell.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
                result.cell_changes += 1;
            }
            sink.clear();
            let summed = Instant::now();
            if let Some(patterns) = &patterns {
                let registry = MarketRegistry { reference: &reference, meanings: &meanings };
                let seen = Seen { observation: &seen, has_variants: false };
                patterns.observe(&seen, &registry, 1, &mut output);
                result.feature_deltas += output.deltas.len() as u64;
                output.deltas.clear();
                output.hits.clear();
                output.skipped.clear();
                stages.patterns_ns += nanoseconds(summed, Instant::now());
            }
            stages.decode_ns += nanoseconds(begun, decoded);
            stages.fold_ns += nanoseconds(decoded, folded);
            stages.flow_ns += nanoseconds(folded, flowed);
            stages.sum_ns += nanoseconds(flowed, summed);
            result.facts += 1;
        }
    }
    result.seconds = started.elapsed().as_secs_f64();
    result.bills = bills.len() as u64;
    result.cells = totals.len() as u64;
    Ok(result)
}

fn nanoseconds(from: Instant, to: Instant) -> u64 {
    (to - from).as_nanos() as u64
}

fn informational() -> Outcome {
    Outcome { effect: Effect::Informational, changes: SmallVec::new(), cuts: SmallVec::new(), answered: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measure::epochs, simulator::Settings};

    #[test]
    fn reads_every_fact_and_fills_cells() {
        let epochs = epochs::simulate(Settings::new(10_000, 5), 2_000);
        let result = run(&Catalogue::embedded(), &epochs, false).unwrap();
        assert_eq!(result.facts, epochs.iter().map(|epoch| epoch.facts).sum::<u64>());
        assert!(result.cells > 1_000 && result.cell_changes > result.facts && result.bills > 100, "{result:?}");
        assert_eq!(result.feature_deltas, 0);
    }
}
