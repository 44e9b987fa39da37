//! Copies of variants that belong elsewhere (facts.md 7; `market::variants`).
//!
//! The coordinator sends them with a record that this worker itself has under the same event id, so that the lives which need
//! them are found without an index of all event ids. A copy goes into the history of each such life and takes it the slow way: from
//! then on the life knows which of the variants counts, after a restart too.

use std::collections::BTreeMap;

use billwatch_market::{
    codec::encode_fact,
    fact::{EventId, Fact, Source},
    fact_scope::Home,
    variants::{Elsewhere, place},
};
use hashbrown::HashMap;

use super::{Dense, Lives, SINGLE, batch::Batch, decode};
use crate::{
    command::EpochInput,
    store::{StoreError, subject::Family},
};

impl Lives {
    /// Adds the copies of an epoch to the lives that need them, and to the records of reference data. Call it when the own
    /// records of the epoch have their lives. Number of rows added.
    pub(super) fn read_variants(
        &mut self,
        input: &EpochInput,
        batch: &mut Batch,
        reference: &mut Vec<Fact>,
    ) -> Result<usize, StoreError> {
        let mut bytes: &[u8] = &input.variants;
        // One audience may be told what another was told as well.
        let mut sets: HashMap<EventId, BTreeMap<(Source, u64), Fact>> = HashMap::new();
        while !bytes.is_empty() {
            let record = decode(&mut bytes)?;
            sets.entry(record.event_id).or_default().insert(place(&record), record);
        }
        let mut elsewhere = Elsewhere::default();
        for set in sets.values() {
            elsewhere.add(&set.values().collect::<Vec<_>>());
        }
        let mut rows = 0;
        for (home, copies) in elsewhere.homes() {
            for copy in copies {
                let Some(dense) = self.known_life(home, copy.event_id) else { continue };
                let mut bytes = Vec::new();
                encode_fact(copy, &mut bytes);
                self.history.add(dense, input.epoch, &bytes);
                batch.push(dense, copy.clone());
                rows += 1;
            }
        }
        reference.extend(elsewhere.for_reference().iter().filter(|copy| !self.reference.contains(copy)).cloned());
        Ok(rows)
    }

    /// The life at a home that has records under an event id, when it is this worker's.
    fn known_life(&self, home: Home, event: EventId) -> Option<Dense> {
        let single = |family| self.singles.find(family, event);
        match home {
            Home::Bill(bill) => self.find_bill(bill),
            Home::Reference => single(Family::Reference),
            Home::Desk => single(Family::Desk),
        }
        .inspect(|dense| debug_assert!(home.bill().is_some() == (dense & SINGLE == 0)))
    }
}
