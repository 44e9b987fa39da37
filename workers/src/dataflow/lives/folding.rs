//! The fast and the slow path of an epoch.
//!
//! **Fast**: a fact later than all before it of its bill is applied to the kept fold. **Slow**: anything else (a late fact, a
//! correction, a variant, reference data older than what the bill has read) takes the bill out as it was and puts it in as it
//! is, both folded from its history. A slow bill costs its whole life twice, so it must stay the exception; it is never
//! wrong.

use billwatch_market::{fact::Fact, pattern::Hit};
use hashbrown::{HashMap, HashSet};

use super::{
    Dense, Lives, SINGLE,
    batch::{Batch, BatchRow},
    single_place,
};
use crate::{
    counters::{Counts, add},
    dataflow::{
        alerts::AlertRow,
        valuation::{Folded, Sink, Valued},
    },
    store::{
        StoreError,
        history::{Past, Subject},
    },
};

impl Lives {
    pub(super) fn apply_batch(
        &mut self,
        epoch: u64,
        batch: &Batch,
        reference: &[Fact],
        counts: &Counts,
        sink: &mut Sink<'_>,
    ) -> Result<(), StoreError> {
        let groups: Vec<&[BatchRow]> = batch.rows.chunk_by(|left, right| left.dense == right.dense).collect();
        let mut slow: HashSet<Dense> =
            groups.iter().filter(|rows| !self.is_in_order(rows, batch)).map(|rows| rows[0].dense).collect();
        let touched = self.insert_reference(reference);
        if !touched.is_empty() {
            slow.extend(&touched);
        }
        let pasts = self.pasts(&slow)?;
        if !pasts.is_empty() {
            // Taken out under the reference data that they were valued with.
            if !touched.is_empty() {
                reference.iter().rev().for_each(|record| drop(self.reference.remove(record)));
            }
            for (dense, past) in &pasts {
                self.take_out(*dense, past, epoch, sink);
            }
            if !touched.is_empty() {
                reference.iter().for_each(|record| drop(self.reference.insert(record.clone())));
            }
        }
        self.joins.clear();
        for (dense, past) in pasts {
            add(&counts.refolds_total, 1);
            add(&counts.refolded_facts_total, past.len() as u64);
            self.put_in(dense, past, sink);
        }
        for rows in groups {
            let dense = rows[0].dense;
            for row in rows {
                self.note_reader(dense, &batch.facts[row.fact as usize]);
            }
            if slow.contains(&dense) {
                continue;
            }
            add(&counts.facts_in_order_total, rows.len() as u64);
            if dense & SINGLE == 0 {
                self.go_on(dense, rows, batch, sink);
            } else {
                self.value_single(&batch.facts[rows[0].fact as usize], false, 1, sink);
                self.mark(dense);
            }
        }
        Ok(())
    }

    /// True when the new facts of a life only go on from what was folded.
    fn is_in_order(&self, rows: &[BatchRow], batch: &Batch) -> bool {
        let facts = || rows.iter().map(|row| &batch.facts[row.fact as usize]);
        if facts().any(|fact| fact.correction.is_some()) {
            return false;
        }
        let dense = rows[0].dense;
        if dense & SINGLE != 0 {
            return rows.len() == 1 && self.singles[single_place(dense)].last_time == i64::MIN;
        }
        let life = &self.bills[dense as usize];
        // A known event id under another number is a variant; within the batch equal ids may lie apart.
        let is_new = |place: usize, fact: &Fact| {
            !life.timers.knows(fact.event_id) && facts().take(place).all(|other| other.event_id != fact.event_id)
        };
        !life.complicated
            && facts().next().is_some_and(|first| life.bill.last.is_none_or(|last| last < first.order_key()))
            && facts().enumerate().all(|(place, fact)| is_new(place, fact))
    }

    /// All records of slow lives, those of this epoch included; singles that were joined have one past.
    pub(super) fn pasts(&self, slow: &HashSet<Dense>) -> Result<Vec<(Dense, Vec<Past>)>, StoreError> {
        let mut wanted: HashMap<Dense, usize> = HashMap::with_capacity(slow.len());
        let mut subjects: Vec<Subject> = Vec::with_capacity(slow.len());
        let mut order: Vec<Dense> = slow.iter().copied().collect();
        order.sort_unstable();
        // What was touched under its old number lives on under the new one.
        order.retain(|dense| !self.joins.iter().any(|(_, from)| from == dense));
        let mut parts: Vec<(usize, Dense)> = Vec::new();
        for (place, dense) in order.iter().enumerate() {
            parts.push((place, *dense));
            if dense & SINGLE != 0 {
                parts.extend(self.singles[single_place(*dense)].joined.iter().map(|part| (place, *part)));
            }
        }
        for (at, (_, part)) in parts.iter().enumerate() {
            wanted.insert(*part, at);
            subjects.push(self.subject(*part));
        }
        let found = self.history.read(&subjects, |dense| wanted.get(&dense).copied())?;
        let mut pasts: Vec<(Dense, Vec<Past>)> = order.into_iter().map(|dense| (dense, Vec::new())).collect();
        for ((place, part), mut past) in parts.into_iter().zip(found) {
            past.iter_mut().for_each(|past| past.life = part);
            pasts[place].1.append(&mut past);
        }
        Ok(pasts)
    }

    fn take_out(&mut self, dense: Dense, past: &[Past], epoch: u64, sink: &mut Sink<'_>) {
        let before = |past: &&Past| past.epoch < epoch;
        if dense & SINGLE == 0 {
            let records: Vec<Fact> = past.iter().filter(before).map(|past| past.fact.clone()).collect();
            if !records.is_empty() {
                let id = self.bills[dense as usize].id;
                self.valuer.fold(id, records, &self.reference, -1, sink);
            }
            return;
        }
        self.take_out_single(dense, past, epoch, sink);
    }

    fn put_in(&mut self, dense: Dense, past: Vec<Past>, sink: &mut Sink<'_>) {
        let last_time = past.iter().map(|past| past.fact.event_time).max().unwrap_or(i64::MIN);
        let records: Vec<Fact> = past.into_iter().map(|past| past.fact).collect();
        let due = if dense & SINGLE == 0 {
            let id = self.bills[dense as usize].id;
            let Folded { bill, timers, due, complicated } = self.valuer.fold(id, records, &self.reference, 1, sink);
            let life = &mut self.bills[dense as usize];
            (life.bill, life.timers, life.complicated, life.last_time) = (bill, timers, complicated, last_time);
            due
        } else {
            self.singles[single_place(dense)].last_time = last_time;
            self.value_family(self.home_of(dense), records, 1, sink)
        };
        self.settle_due(dense, due, sink);
        self.mark(dense);
    }

    /// The fast path: facts that come after all before them.
    fn go_on(&mut self, dense: Dense, rows: &[BatchRow], batch: &Batch, sink: &mut Sink<'_>) {
        let life = &mut self.bills[dense as usize];
        for row in rows {
            let fact = &batch.facts[row.fact as usize];
            let outcome = life.bill.apply(fact, &self.valuer.rules().laws);
            let valued = Valued { fact, outcome: &outcome, bill: Some(&life.bill), has_variants: false };
            self.valuer.value(valued, &self.reference, 1, Some(&mut life.timers), sink);
            life.last_time = life.last_time.max(fact.event_time);
        }
        let due = self.valuer.rules().patterns.due(&life.timers);
        self.settle_due(dense, due, sink);
        self.mark(dense);
    }

    /// Alerts that the clock has made are diffed at once; the others wait for it.
    pub(super) fn settle_due(&mut self, dense: Dense, due: Vec<(i64, Hit)>, sink: &mut Sink<'_>) {
        let now = self.clock;
        let is_made = |at: i64| now.is_some_and(|now| at <= now);
        let old = if dense & SINGLE == 0 {
            &mut self.bills[dense as usize].due
        } else {
            &mut self.singles[single_place(dense)].due
        };
        if *old == due {
            return;
        }
        // Taken and given whole: what stays the same cancels at the owner of the alert.
        for (_, hit) in old.iter().filter(|(at, _)| is_made(*at)) {
            sink.hit(AlertRow { hit: hit.clone(), weight: -1 });
        }
        for (at, hit) in &due {
            if is_made(*at) {
                sink.hit(AlertRow { hit: hit.clone(), weight: 1 });
            } else if !old.iter().any(|(known, _)| known == at) {
                self.timers.entry(*at).or_default().push(dense);
            }
        }
        *old = due;
    }

    pub(super) fn mark(&mut self, dense: Dense) {
        let dirty = if dense & SINGLE == 0 {
            &mut self.bills[dense as usize].dirty
        } else {
            &mut self.singles[single_place(dense)].dirty
        };
        if !*dirty {
            *dirty = true;
            self.dirty.push(dense);
        }
    }
}
