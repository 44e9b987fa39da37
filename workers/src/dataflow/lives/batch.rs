//! The records of one epoch, by life.

use billwatch_market::{
    codec::{CodecError, decode_fact_into},
    fact::{Fact, Field, Value},
};

use super::Dense;

/// Lists of fields that are kept from one epoch for the next: what epochs under load need, about 2 MiB.
const SPARE_MAX: usize = 4_096;

/// The records of an epoch.
#[derive(Default)]
pub(super) struct Batch {
    pub facts: Vec<Fact>,
    pub rows: Vec<BatchRow>,
    spare: Vec<Vec<(Field, Value)>>,
}

/// Where a record belongs. The instant stands here too: sorting by it reads nothing else.
#[derive(Clone, Copy)]
pub(super) struct BatchRow {
    pub dense: Dense,
    pub fact: u32,
    event_time: i64,
}

impl Batch {
    /// Reads one record, which is not part of the batch before [`Batch::push`].
    pub fn decode(&mut self, bytes: &mut &[u8]) -> Result<Fact, CodecError> {
        decode_fact_into(bytes, self.spare.pop().unwrap_or_default())
    }

    /// Adds a record of a life.
    pub fn push(&mut self, dense: Dense, fact: Fact) {
        self.rows.push(BatchRow { dense, fact: self.facts.len() as u32, event_time: fact.event_time });
        self.facts.push(fact);
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
        for fact in self.facts.drain(..) {
            if self.spare.len() < SPARE_MAX {
                let mut fields = fact.fields;
                fields.clear();
                self.spare.push(fields);
            }
        }
    }
}
