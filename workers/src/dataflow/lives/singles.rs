//! Facts without a bill: cash, orders, reference data as events.
//!
//! Nobody folds them, so each is a life of its own, together with the corrections that point at it. Records hang together
//! by event id and target. A record may show that two lives are one (the correction of a correction came before it): the
//! second then goes on in the first.

use billwatch_market::{
    bill::{Effect, Outcome},
    corrections::effective_at,
    fact::{EventId, Fact},
    fact_scope::Home,
    pattern::Hit,
};
use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};

use super::{Dense, Lives, Parties, SINGLE, single_place};
use crate::{
    dataflow::valuation::{Sink, Valued},
    store::history::Past,
};

/// A fact without a bill, with all records that hang together with it.
pub struct Single {
    /// Names its history.
    pub root: EventId,
    /// Reference data, or cash and orders: corrections never cross.
    pub is_reference: bool,
    /// Lives that were joined: their histories belong here.
    pub joined: SmallVec<[Dense; 1]>,
    /// Alerts by instant (corrections that lead nowhere).
    pub due: Vec<(i64, Hit)>,
    /// Latest event time of any record, ms.
    pub last_time: i64,
    /// Event ids that lead here: of its records and of their targets.
    pub events: SmallVec<[EventId; 1]>,
    pub parties: Parties,
    pub dirty: bool,
}

impl Lives {
    /// Records of singles hang together by event id and target.
    pub(super) fn single_life(&mut self, is_reference: bool, fact: &Fact) -> Dense {
        let target = fact.correction.map(|(_, target)| target);
        let known = |event| self.by_event.get(&(is_reference, event)).copied();
        let dense = match (known(fact.event_id), target.and_then(known)) {
            (Some(own), Some(theirs)) if own != theirs => self.join(theirs, own),
            (Some(dense), _) | (None, Some(dense)) => dense,
            (None, None) => {
                let dense = self.singles.len() as Dense | SINGLE;
                self.singles.push(Single {
                    root: fact.event_id,
                    is_reference,
                    joined: SmallVec::new(),
                    due: Vec::new(),
                    last_time: i64::MIN,
                    events: SmallVec::new(),
                    parties: SmallVec::new(),
                    dirty: false,
                });
                dense
            }
        };
        for event in [Some(fact.event_id), target].into_iter().flatten() {
            if self.by_event.insert((is_reference, event), dense).is_none() {
                self.singles[single_place(dense)].events.push(event);
            }
        }
        dense
    }

    /// A record joins two lives that were apart (the correction of a correction came before it). The second goes on in the
    /// first: what it has added so far is taken away when the first is next valued, which is in this epoch.
    fn join(&mut self, into: Dense, from: Dense) -> Dense {
        let events = std::mem::take(&mut self.singles[single_place(from)].events);
        let is_reference = self.singles[single_place(from)].is_reference;
        for event in &events {
            self.by_event.insert((is_reference, *event), into);
        }
        self.singles[single_place(into)].events.extend(events);
        self.mark(from);
        let mut moved = std::mem::take(&mut self.singles[single_place(from)].joined);
        moved.push(from);
        self.singles[single_place(into)].joined.extend(moved);
        self.joins.push((into, from));
        into
    }

    /// Takes a single out as it was before the epoch, under the reference data that it was valued with.
    pub(super) fn take_out_single(&mut self, dense: Dense, past: &[Past], epoch: u64, sink: &mut Sink<'_>) {
        // Lives that were apart until this epoch were valued apart.
        let joined: Vec<Dense> = self.joins.iter().filter(|(into, _)| *into == dense).map(|(_, from)| *from).collect();
        let home = |part: Dense| {
            let within = |from: &&Dense| **from == part || self.singles[single_place(**from)].joined.contains(&part);
            joined.iter().find(within).copied().unwrap_or(dense)
        };
        let mut families: HashMap<Dense, Vec<Fact>> = HashMap::new();
        for past in past.iter().filter(|past| past.epoch < epoch) {
            families.entry(home(past.life)).or_default().push(past.fact.clone());
        }
        for records in families.into_values() {
            self.value_family(self.home_of(dense), records, -1, sink);
        }
        for from in joined {
            self.settle_due(from, Vec::new(), sink);
        }
    }

    /// Values the facts that come of the records of a single; says what waits.
    pub(super) fn value_family(
        &mut self,
        at: Home,
        records: Vec<Fact>,
        weight: i32,
        sink: &mut Sink<'_>,
    ) -> Vec<(i64, Hit)> {
        let copies = records.clone();
        let effective = effective_at(at, records);
        for fact in &effective.facts {
            let has_variants = effective.variants.iter().any(|variant| variant.event_id == fact.event_id);
            self.value_single(fact, has_variants, weight, sink);
        }
        self.valuer.count_fates(&effective, weight);
        self.valuer.waiting(&copies, &effective)
    }

    pub(super) fn value_single(&mut self, fact: &Fact, has_variants: bool, weight: i32, sink: &mut Sink<'_>) {
        let outcome =
            Outcome { effect: Effect::Informational, changes: smallvec![], cuts: smallvec![], answered: None };
        let valued = Valued { fact, outcome: &outcome, bill: None, has_variants };
        self.valuer.value(valued, &self.reference, weight, None, sink);
    }
}
