//! Lives in checkpoints: rows out, rows back in.
//!
//! Bills and singles are written whole. What is a function of them (readers, timers, which singles hang together) is not
//! written but worked out again.

use billwatch_market::{
    fact::{EventId, Fact},
    ids::BillId,
    pattern::{Hit, liveness::TallyRows},
};
use hashbrown::HashMap;
use serde::Deserialize;
use smallvec::SmallVec;

use super::{Dense, Lives, SINGLE};
use crate::{
    dataflow::valuation::Effects,
    saving::append,
    store::{StoreError, Table, rows::Bundle, subject::Family},
};

impl Lives {
    /// Begins a sweep over lives that are not saved.
    pub fn begin_sweep(&mut self) {
        self.dirty.begin_sweep();
    }

    /// Adds the row of the next life of the sweep. False at its end.
    pub fn save_next(&mut self, rows: &mut Bundle) -> bool {
        let Some(dense) = self.dirty.take() else { return false };
        let key = self.subject(dense).key();
        let table = if dense & SINGLE == 0 { Table::Bills } else { Table::Singles };
        rows.of(table).put(
            |to| to.extend_from_slice(&key),
            |to| {
                if dense & SINGLE == 0 {
                    self.bills.save(dense, to);
                } else {
                    self.save_single(dense, to);
                }
            },
        );
        true
    }

    fn save_single(&self, dense: Dense, to: &mut Vec<u8>) {
        let single = self.singles.get(dense);
        let joined: Vec<EventId> = single.joined().iter().map(|part| self.singles.get(*part).root()).collect();
        append(to, &(single.events(), joined, single.due(), single.last_time, &single.parties));
    }

    /// A reference record that is not saved, where this thread saves them for its process.
    pub fn take_unsaved_reference(&mut self) -> Option<Fact> {
        self.unsaved_reference.pop()
    }

    /// Puts a reference record of a checkpoint back.
    pub fn restore_reference(&mut self, record: Fact) {
        self.note_branch(&record);
        self.reference.insert(record);
    }

    /// Puts a bill of a checkpoint back.
    pub fn restore_bill(&mut self, id: BillId, row: &[u8]) -> Result<(), StoreError> {
        let dense = self.bills.number(id);
        let Lives { bills, readers, unsettled, .. } = self;
        bills.restore(dense, row, |life| {
            life.parties.iter().for_each(|mark| readers.add(*mark, dense));
            unsettled.extend(life.due.iter().map(|(at, _)| (*at, dense)));
        })
    }

    /// Puts a single of a checkpoint back. When all are there, [`Lives::resume`] joins them.
    pub fn restore_single(&mut self, family: Family, root: EventId, row: &[u8]) -> Result<(), StoreError> {
        type Row = (Vec<EventId>, Vec<EventId>, Vec<(i64, Hit)>, i64, SmallVec<[u32; 4]>);
        let (events, joined, due, last_time, parties): Row = decode_row(row)?;
        let dense = self.singles.push(family, root);
        parties.iter().for_each(|mark| self.readers.add(*mark, dense));
        self.unsettled.extend(due.iter().map(|(at, _)| (*at, dense)));
        self.unjoined.extend(joined.into_iter().map(|part| (dense, part)));
        events.into_iter().for_each(|event| self.singles.lead(event, dense));
        let single = self.singles.get_mut(dense);
        (single.last_time, single.parties) = (last_time, parties);
        if !due.is_empty() {
            single.more().due = due;
        }
        Ok(())
    }

    /// After all rows of a checkpoint: what is a function of them.
    pub fn resume(&mut self, clock: Option<i64>, effects: Effects, tally: &TallyRows) {
        self.clock = clock;
        self.valuer.restore_effects(effects);
        self.valuer.tally_mut().add_rows(tally);
        let singles = &self.singles;
        let roots: HashMap<(Family, EventId), Dense> =
            singles.numbers().map(|dense| ((singles.get(dense).family, singles.get(dense).root()), dense)).collect();
        for (into, part) in std::mem::take(&mut self.unjoined) {
            let single = self.singles.get_mut(into);
            if let Some(part) = roots.get(&(single.family, part)) {
                single.more().joined.push(*part);
            }
        }
        for (at, dense) in std::mem::take(&mut self.unsettled) {
            if clock.is_none_or(|clock| at > clock) {
                self.timers.entry(at).or_default().push(dense);
            }
        }
    }
}

fn decode_row<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Damaged { what: format!("a row of a checkpoint: {error}") })
}
