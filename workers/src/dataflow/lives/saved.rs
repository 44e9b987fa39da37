//! Lives in checkpoints: rows out, rows back in.
//!
//! Bills and singles are written whole. What is a function of them (readers, timers, which singles hang together) is not
//! written but worked out again.

use billwatch_market::{
    fact::{EventId, Fact},
    ids::BillId,
    pattern::Hit,
};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{BillLife, Dense, Lives, SINGLE, readers::Parties, single_place, singles::Single};
use crate::{dataflow::valuation::Effects, store::StoreError};

/// A row of a state table: key and value.
pub type SavedRow = (Vec<u8>, Vec<u8>);

impl Lives {
    /// Rows of bills and singles that changed since the last call.
    pub fn take_dirty(&mut self) -> (Vec<SavedRow>, Vec<SavedRow>) {
        let (mut bills, mut singles) = (Vec::new(), Vec::new());
        for dense in std::mem::take(&mut self.dirty) {
            let key = self.subject(dense).key().to_vec();
            if dense & SINGLE == 0 {
                let life = &mut self.bills[dense as usize];
                life.dirty = false;
                let row = (&life.bill, &life.timers, &life.due, life.last_time, life.complicated, &life.parties);
                bills.push((key, encode(&row)));
            } else {
                self.singles[single_place(dense)].dirty = false;
                let single = &self.singles[single_place(dense)];
                let joined: Vec<EventId> =
                    single.joined.iter().map(|part| self.singles[single_place(*part)].root).collect();
                let row = (&single.events, joined, &single.due, single.last_time, &single.parties);
                singles.push((key, encode(&row)));
            }
        }
        (bills, singles)
    }

    /// Reference records since the last call, where this thread writes them for its process.
    pub fn take_unsaved_reference(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.unsaved_reference)
    }

    /// Puts a reference record of a checkpoint back.
    pub fn restore_reference(&mut self, record: Fact) {
        self.note_branch(&record);
        self.reference.insert(record);
    }

    /// Puts a bill of a checkpoint back.
    pub fn restore_bill(&mut self, id: BillId, row: &[u8]) -> Result<(), StoreError> {
        let dense = self.bill_life(id);
        let (bill, timers, due, last_time, complicated, parties): (_, _, _, _, _, Parties) = decode_row(row)?;
        parties.iter().for_each(|mark| self.readers.entry(*mark).or_default().push(dense));
        self.bills[dense as usize] = BillLife { id, bill, timers, due, last_time, complicated, parties, dirty: false };
        Ok(())
    }

    /// Puts a single of a checkpoint back. When all are there, [`Lives::resume`] joins them.
    pub fn restore_single(&mut self, is_reference: bool, root: EventId, row: &[u8]) -> Result<(), StoreError> {
        type Row = (SmallVec<[EventId; 1]>, Vec<EventId>, Vec<(i64, Hit)>, i64, Parties);
        let (events, joined, due, last_time, parties): Row = decode_row(row)?;
        let dense = self.singles.len() as Dense | SINGLE;
        parties.iter().for_each(|mark| self.readers.entry(*mark).or_default().push(dense));
        for event in &events {
            self.by_event.insert((is_reference, *event), dense);
        }
        self.unjoined.extend(joined.into_iter().map(|part| (dense, part)));
        self.singles.push(Single {
            root,
            is_reference,
            joined: SmallVec::new(),
            due,
            last_time,
            events,
            parties,
            dirty: false,
        });
        Ok(())
    }

    /// After all rows of a checkpoint: what is a function of them.
    pub fn resume(&mut self, clock: Option<i64>, effects: Effects) {
        self.clock = clock;
        self.valuer.restore_effects(effects);
        let roots: HashMap<(bool, EventId), Dense> = self
            .singles
            .iter()
            .enumerate()
            .map(|(place, single)| ((single.is_reference, single.root), place as Dense | SINGLE))
            .collect();
        for (into, part) in std::mem::take(&mut self.unjoined) {
            let single = &mut self.singles[single_place(into)];
            single.joined.extend(roots.get(&(single.is_reference, part)).copied());
        }
        let bills = self.bills.iter().enumerate().map(|(place, life)| (place as Dense, &life.due));
        let singles = self.singles.iter().enumerate().map(|(place, single)| (place as Dense | SINGLE, &single.due));
        for (dense, due) in bills.chain(singles) {
            for (at, _) in due.iter().filter(|(at, _)| clock.is_none_or(|clock| *at > clock)) {
                self.timers.entry(*at).or_default().push(dense);
            }
        }
    }
}

fn encode(row: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(row).expect("memory takes every row")
}

fn decode_row<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Damaged { what: format!("a row of a checkpoint: {error}") })
}
