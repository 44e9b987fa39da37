//! The fast and the slow path of an epoch.
//!
//! **Fast**: a fact later than all before it of its bill is applied to the kept fold. **Slow**: anything else (a late fact, a
//! correction, a variant, reference data older than what the bill has read) takes the bill out as it was and puts it in as it
//! is, both folded from its history. A slow bill costs its whole life twice, so it must stay the exception; it is never
//! wrong.

use std::collections::BTreeMap;

use billwatch_market::{fact::Fact, pattern::Hit};
use hashbrown::{HashMap, HashSet};

use super::{
    Dense, Lives, SINGLE,
    batch::{Batch, BatchRow},
    bills::BillLife,
};
use crate::{
    counters::{Counts, add},
    dataflow::{
        alerts::AlertRow,
        valuation::{Folded, Sink, Valued},
    },
    store::{
        StoreError,
        history::Past,
        subject::{Family, Subject},
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
        let touched = self.insert_reference(reference);
        let mut slow: HashSet<Dense> = touched.iter().copied().collect();
        // Who is not touched values the same under the old and the new reference data, so the fast way goes first: a bill is
        // woken once.
        for rows in batch.rows.chunk_by(|left, right| left.dense == right.dense) {
            let dense = rows[0].dense;
            let is_fast = if dense & SINGLE == 0 {
                self.go_on_if_in_order(rows, batch, touched.contains(&dense), sink)?
            } else {
                self.value_if_alone(rows, batch, touched.contains(&dense), sink)
            };
            if is_fast {
                add(&counts.facts_in_order_total, rows.len() as u64);
            } else {
                slow.insert(dense);
            }
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
            self.put_in(dense, past, sink)?;
        }
        Ok(())
    }

    /// The fast path of a bill: its facts come after all before them. False when they do not, or when the bill was touched by
    /// reference data: then nothing was done but to note whom the facts name.
    fn go_on_if_in_order(
        &mut self,
        rows: &[BatchRow],
        batch: &Batch,
        touched: bool,
        sink: &mut Sink<'_>,
    ) -> Result<bool, StoreError> {
        let dense = rows[0].dense;
        let life = self.bills.wake(dense)?;
        for row in rows {
            self.readers.note(dense, batch.fact(row), &mut life.parties);
        }
        if touched || !is_in_order(life, rows, batch) {
            return Ok(false);
        }
        self.valuer.crosses().turn_to(dense);
        for row in rows {
            let fact = batch.fact(row);
            let outcome = life.bill.apply(fact, &self.valuer.rules().laws);
            let valued = Valued { fact, outcome: &outcome, bill: Some(&life.bill), has_variants: false };
            self.valuer.value(valued, &self.reference, 1, Some(&mut life.timers), sink);
            life.last_time = life.last_time.max(fact.event_time);
        }
        let now = life.bill.last.map_or(i64::MIN, |last| last.event_time);
        let due = self.valuer.rules().patterns.settle(&mut life.timers, now);
        settle_due(&mut life.due, due, dense, self.clock, &mut self.timers, sink);
        self.dirty.mark(dense);
        Ok(true)
    }

    /// The fast path of a single: a record that nothing hangs together with. False as for bills.
    fn value_if_alone(&mut self, rows: &[BatchRow], batch: &Batch, touched: bool, sink: &mut Sink<'_>) -> bool {
        let dense = rows[0].dense;
        let facts = || rows.iter().map(|row| batch.fact(row));
        if self.singles.get(dense).family == Family::Book {
            return self.value_book(rows, batch, sink);
        }
        let single = self.singles.get_mut(dense);
        let is_first = single.last_time == i64::MIN;
        for fact in facts() {
            single.last_time = single.last_time.max(fact.event_time);
            self.readers.note(dense, fact, &mut single.parties);
        }
        let is_alone = is_first && rows.len() == 1 && facts().all(|fact| fact.correction.is_none());
        // Joined in this very epoch: valued with the life that it goes on in.
        let is_alone = is_alone && self.joins.iter().all(|(_, from)| *from != dense);
        if touched || !is_alone {
            return false;
        }
        self.valuer.crosses().turn_to(dense);
        facts().for_each(|fact| self.value_single(fact, false, 1, sink));
        self.dirty.mark(dense);
        true
    }

    /// Records of a book, in any order: nothing that came before tells what they add. Reference data do neither, so the life
    /// has read none (`last_time`); it is found by its holder all the same.
    fn value_book(&mut self, rows: &[BatchRow], batch: &Batch, sink: &mut Sink<'_>) -> bool {
        let dense = rows[0].dense;
        for row in rows {
            let record = batch.fact(row);
            self.readers.note(dense, record, &mut self.singles.get_mut(dense).parties);
            self.valuer.value_book(record, &self.reference, 1, sink);
        }
        self.dirty.mark(dense);
        true
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
                parts.extend(self.singles.get(*dense).joined().iter().map(|part| (place, *part)));
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
        if dense & SINGLE != 0 {
            return self.take_out_single(dense, past, epoch, sink);
        }
        self.valuer.crosses().turn_to(dense);
        let records: Vec<Fact> = past.iter().filter(before).map(|past| past.fact.clone()).collect();
        if !records.is_empty() {
            self.valuer.fold(self.bills.id(dense), records, &self.reference, -1, sink);
        }
    }

    fn put_in(&mut self, dense: Dense, past: Vec<Past>, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        let last_time = past.iter().map(|past| past.fact.event_time).max().unwrap_or(i64::MIN);
        let records: Vec<Fact> = past.into_iter().map(|past| past.fact).collect();
        self.valuer.crosses().turn_to(dense);
        if dense & SINGLE == 0 {
            let id = self.bills.id(dense);
            let Folded { bill, timers, due, complicated } = self.valuer.fold(id, records, &self.reference, 1, sink);
            let life = self.bills.wake(dense)?;
            (life.bill, life.timers, life.complicated, life.last_time) = (bill, timers, complicated, last_time);
            settle_due(&mut life.due, due, dense, self.clock, &mut self.timers, sink);
        } else {
            let due = self.value_family(self.home_of(dense), records, 1, sink);
            self.singles.get_mut(dense).last_time = last_time;
            self.settle_single(dense, due, sink);
        }
        self.dirty.mark(dense);
        Ok(())
    }
}

/// True when new facts of a bill only go on from what was folded.
fn is_in_order(life: &BillLife, rows: &[BatchRow], batch: &Batch) -> bool {
    let facts = || rows.iter().map(|row| batch.fact(row));
    // A known event id under another number is a variant; within the batch equal ids may lie apart.
    let is_new = |place: usize, fact: &Fact| {
        fact.correction.is_none()
            && !life.timers.knows(fact.event_id)
            && facts().take(place).all(|other| other.event_id != fact.event_id)
    };
    !life.complicated
        && facts().next().is_some_and(|first| life.bill.last.is_none_or(|last| last < first.order_key()))
        && facts().enumerate().all(|(place, fact)| is_new(place, fact))
}

/// Replaces what a life makes due. Alerts that the clock has made are diffed at once; the others wait for it.
pub(super) fn settle_due(
    old: &mut Vec<(i64, Hit)>,
    due: Vec<(i64, Hit)>,
    dense: Dense,
    now: Option<i64>,
    timers: &mut BTreeMap<i64, Vec<Dense>>,
    sink: &mut Sink<'_>,
) {
    if *old == due {
        return;
    }
    let is_made = |at: i64| now.is_some_and(|now| at <= now);
    // Taken and given whole: what stays the same cancels at the owner of the alert.
    for (_, hit) in old.iter().filter(|(at, _)| is_made(*at)) {
        sink.hit(AlertRow { hit: hit.clone(), weight: -1 });
    }
    for (at, hit) in &due {
        if is_made(*at) {
            sink.hit(AlertRow { hit: hit.clone(), weight: 1 });
        } else if !old.iter().any(|(known, _)| known == at) {
            timers.entry(*at).or_default().push(dense);
        }
    }
    *old = due;
}
