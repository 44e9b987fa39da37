//! Simulated facts as encoded epochs in memory: what engine measurements are fed, so that making facts costs them nothing.

use billwatch_market::{
    books,
    codec::{decode_fact, encode_fact},
    fact::{ControlKind, Fact, SOURCES},
};

use crate::simulator::{Settings, Simulator, label::Label};

/// Facts of one epoch: what the coordinator seals under load.
pub const EPOCH_FACTS: usize = 10_000;

/// One epoch.
#[derive(Clone, Debug, Default)]
pub struct EncodedEpoch {
    /// Facts, one after the other (`codec::encode_fact`).
    pub records: Vec<u8>,
    /// Number of facts in it.
    pub facts: u64,
    /// The market clock after it, ms; `None` before the first watermark.
    pub clock: Option<i64>,
    /// Lots under way after it, as the simulator counts them.
    pub live_lots: usize,
}

impl EncodedEpoch {
    /// Its facts, decoded.
    pub fn decode(&self) -> Vec<Fact> {
        let mut bytes = self.records.as_slice();
        let mut facts = Vec::with_capacity(self.facts as usize);
        while !bytes.is_empty() {
            facts.push(decode_fact(&mut bytes).expect("encoded here"));
        }
        facts
    }
}

/// Simulates a market and encodes it, epoch by epoch.
pub fn simulate(settings: Settings, epoch_facts: usize) -> Vec<EncodedEpoch> {
    simulate_labelled(settings, epoch_facts).0
}

/// The same, with the labels of its cases.
pub fn simulate_labelled(settings: Settings, epoch_facts: usize) -> (Vec<EncodedEpoch>, Vec<Label>) {
    let mut epochs = Vec::new();
    let mut open = EncodedEpoch::default();
    // The simulator's sources are idle or send watermarks in rounds, so the least of the latest is the market clock.
    let mut watermarks = [None; SOURCES.len()];
    let mut simulator = Simulator::new(settings);
    while let Some(record) = simulator.next() {
        match books::read(record) {
            Ok(fact) => {
                encode_fact(&fact, &mut open.records);
                open.facts += 1;
            }
            Err(control) => {
                if let ControlKind::Watermark(time) = control.kind {
                    watermarks[usize::from(control.source.rank())] = Some(time);
                    open.clock = watermarks.iter().flatten().min().copied();
                }
            }
        }
        if open.facts as usize >= epoch_facts {
            let clock = open.clock;
            open.live_lots = simulator.live_lots();
            epochs.push(std::mem::replace(&mut open, EncodedEpoch { clock, ..EncodedEpoch::default() }));
        }
    }
    epochs.push(open);
    (epochs, simulator.labels().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_hold_every_fact_once_and_the_clock_runs_on() {
        let settings = Settings::new(10_000, 3);
        let facts = Simulator::new(settings.clone()).filter_map(|record| books::read(record).ok()).count();
        let epochs = simulate(settings, 1_000);
        assert_eq!(epochs.iter().map(|epoch| epoch.facts).sum::<u64>(), facts as u64);
        assert!(epochs.iter().all(|epoch| epoch.decode().len() as u64 == epoch.facts && epoch.facts <= 1_000));
        assert!(epochs.is_sorted_by_key(|epoch| epoch.clock));
        assert!(epochs.last().unwrap().clock.is_some());
    }
}
