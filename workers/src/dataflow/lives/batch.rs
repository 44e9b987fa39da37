//! The records of one epoch, by life.

use billwatch_market::{
    codec::{CodecError, blank, decode_fact_over},
    fact::Fact,
};

use super::Dense;

/// Facts whose memory is kept from one epoch for the next: what epochs under load have, about 3 MiB.
const KEPT_MAX: usize = 4_096;

/// The records of an epoch.
#[derive(Default)]
pub(super) struct Batch {
    /// The records, then facts of earlier epochs that are decoded over.
    facts: Vec<Fact>,
    used: usize,
    pub rows: Vec<BatchRow>,
}

/// Where a record belongs. The instant stands here too: sorting by it reads nothing else.
#[derive(Clone, Copy)]
pub(super) struct BatchRow {
    pub dense: Dense,
    fact: u32,
    event_time: i64,
}

impl Batch {
    /// Reads one record; it is part of the batch once [`Batch::accept`] is called.
    pub fn decode(&mut self, bytes: &mut &[u8]) -> Result<&Fact, CodecError> {
        if self.used == self.facts.len() {
            self.facts.push(blank());
        }
        let fact = &mut self.facts[self.used];
        decode_fact_over(bytes, fact)?;
        Ok(fact)
    }

    /// Adds the record that was read last, as one of a life.
    pub fn accept(&mut self, dense: Dense) {
        let event_time = self.facts[self.used].event_time;
        self.rows.push(BatchRow { dense, fact: self.used as u32, event_time });
        self.used += 1;
    }

    /// Adds a record of a life.
    pub fn push(&mut self, dense: Dense, fact: Fact) {
        self.facts.truncate(self.used);
        self.facts.push(fact);
        self.accept(dense);
    }

    /// The record of a row.
    #[inline]
    pub fn fact(&self, row: &BatchRow) -> &Fact {
        &self.facts[row.fact as usize]
    }

    /// By life, then in the order of facts: what arrives together in disorder is no late fact.
    pub fn sort(&mut self) {
        let Batch { facts, rows, .. } = self;
        rows.sort_unstable_by(|left, right| {
            let order = |row: &BatchRow| facts[row.fact as usize].order_key();
            (left.dense, left.event_time)
                .cmp(&(right.dense, right.event_time))
                .then_with(|| order(left).cmp(&order(right)))
        });
    }

    /// Makes it empty; its memory is used again.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.used = 0;
        self.facts.truncate(KEPT_MAX);
    }
}
