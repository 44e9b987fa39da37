//! Growing counters of one worker thread.

use std::cell::Cell;

use billwatch_proto::v1::Counter;

/// Where the time of a worker goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Stage {
    /// Bytes to facts, and facts by bill.
    Decode,
    /// Reference data, folds, late facts and valuation; without decoding.
    Lives,
    /// Packing of parcels.
    Exchange,
    /// Totals of cells.
    Cells,
    /// Feature buckets.
    Windows,
    /// Judgements on windows.
    Judges,
    /// Alerts.
    Alerts,
    /// Answers to questions.
    Answers,
    /// Counting lives of the history for new crosses, between epochs.
    Filling,
    /// Encoding state for checkpoints, between epochs; it is written off the loop.
    Checkpoint,
}

/// Every stage with its counter.
pub const STAGES: [(Stage, &str); 10] = [
    (Stage::Decode, "stage_decode_ns_total"),
    (Stage::Lives, "stage_lives_ns_total"),
    (Stage::Exchange, "stage_exchange_ns_total"),
    (Stage::Cells, "stage_cells_ns_total"),
    (Stage::Windows, "stage_windows_ns_total"),
    (Stage::Judges, "stage_judges_ns_total"),
    (Stage::Alerts, "stage_alerts_ns_total"),
    (Stage::Answers, "stage_answers_ns_total"),
    (Stage::Filling, "stage_filling_ns_total"),
    (Stage::Checkpoint, "stage_checkpoint_ns_total"),
];

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What happened, counted.
        #[derive(Default)]
        pub struct Counts {
            stages: [Cell<u64>; STAGES.len()],
            $($(#[$doc])* pub $name: Cell<u64>,)*
        }

        impl Counts {
            /// All of them, by stable name.
            pub fn list(&self) -> Vec<Counter> {
                let stages = STAGES.iter().map(|(stage, name)| (*name, self.stages[*stage as usize].get()));
                let counts = [$((stringify!($name), self.$name.get())),*];
                stages.chain(counts).map(|(name, value)| counter(name, value)).collect()
            }
        }
    };
}

counts! {
    /// Facts of bills and facts without a bill taken in.
    facts_total,
    /// Reference records taken in (on every worker).
    reference_records_total,
    /// Facts that came in order and were applied to their bill.
    facts_in_order_total,
    /// Bills folded again from their history.
    refolds_total,
    /// Facts read from the history for that.
    refolded_facts_total,
    /// Changed cells sent to their owners.
    cell_rows_total,
    /// Feature deltas sent to their owners.
    feature_rows_total,
    /// Judgements on windows.
    judgements_total,
    /// Judgements left out for want of reference data.
    skipped_no_ref,
    /// Hits, both signs.
    hit_rows_total,
    /// Hits that were taken back.
    hits_withdrawn_total,
    /// Bytes of folded bills (gauge).
    bytes_bills,
    /// Bytes of reference data's index to bills (gauge).
    bytes_index,
    /// Bytes of totals (gauge).
    bytes_cells,
    /// Bytes of feature windows and judgements (gauge).
    bytes_windows,
    /// Bytes of alerts (gauge).
    bytes_alerts,
    /// Bytes of facts not yet in the store (gauge).
    bytes_history,
    /// Longest time that the loop was held up by saving, ns (gauge; summed over threads).
    longest_save_ns,
    /// Lots that have not ended (gauge).
    live_lots,
    /// Bills (gauge).
    bills,
}

impl Counts {
    /// Adds time to a stage.
    pub fn spent(&self, stage: Stage, nanoseconds: u64) {
        let cell = &self.stages[stage as usize];
        cell.set(cell.get() + nanoseconds);
    }

    /// Time of a stage so far, ns.
    pub fn stage(&self, stage: Stage) -> u64 {
        self.stages[stage as usize].get()
    }
}

/// Adds to a counter.
pub fn add(cell: &Cell<u64>, more: u64) {
    cell.set(cell.get() + more);
}

fn counter(name: &str, value: u64) -> Counter {
    Counter { name: name.to_owned(), label: String::new(), value: i64::try_from(value).unwrap_or(i64::MAX) }
}
