//! The records of one epoch, by life.

use billwatch_market::fact::Fact;

use super::Dense;

/// The records of an epoch.
#[derive(Default)]
pub(super) struct Batch {
    pub facts: Vec<Fact>,
    pub rows: Vec<BatchRow>,
}

#[derive(Clone, Copy)]
pub(super) struct BatchRow {
    pub dense: Dense,
    pub fact: u32,
}

impl Batch {
    pub(super) fn push(&mut self, dense: Dense, fact: Fact) {
        self.rows.push(BatchRow { dense, fact: self.facts.len() as u32 });
        self.facts.push(fact);
    }

    /// By life, then in the order of facts: what arrives together in disorder is no late fact.
    pub(super) fn sort(&mut self) {
        let Batch { facts, rows } = self;
        rows.sort_unstable_by(|left, right| {
            let order = |row: &BatchRow| facts[row.fact as usize].order_key();
            left.dense.cmp(&right.dense).then_with(|| order(left).cmp(&order(right)))
        });
    }
}
