//! The accepted records of reference data and which facts of the market they amount to.
//!
//! A revocation need not name the enterprise that its target is about (facts.md 5), and a replacement may name another. So
//! records are kept by identity, not by subject: what hangs together through `corrects_event_id` or a shared event id is one
//! family, and `corrections::effective` says what the family amounts to. Records are kept encoded: most are never read
//! again. Of the records of one id the one that counts stands first, and only it is looked at: a source may give all it sends one
//! id.

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::{
    codec::{decode_fact, encode_fact},
    corrections::effective,
    fact::{EventId, Fact},
    variants::place,
};

/// Every accepted record, by event id; the one that counts first.
#[derive(Clone, Default)]
pub(super) struct Records {
    by_id: HashMap<EventId, SmallVec<[Box<[u8]>; 1]>>,
    corrections_of: HashMap<EventId, SmallVec<[EventId; 1]>>,
}

/// How the facts of the market changed through one record.
#[derive(Default)]
pub(super) struct Change {
    /// No longer facts.
    pub gone: Vec<Fact>,
    /// Facts from now on.
    pub come: Vec<Fact>,
}

impl Records {
    pub fn insert(&mut self, fact: Fact) -> Change {
        let before_it = self.counting(fact.event_id);
        if before_it.as_ref().is_some_and(|counts| place(counts) <= place(&fact)) {
            self.keep(&fact, false);
            return Change::default();
        }
        let has_family = fact.correction.is_some() || self.corrections_of.contains_key(&fact.event_id);
        if before_it.is_none() && !has_family {
            self.keep(&fact, true);
            return Change { gone: Vec::new(), come: vec![fact] };
        }
        let around = around(&fact, before_it.as_ref());
        let before = self.family_facts(&around);
        self.keep(&fact, true);
        difference(before, self.family_facts(&around))
    }

    /// The inverse of [`Records::insert`].
    pub fn remove(&mut self, fact: &Fact) -> Change {
        if !self.contains(fact) {
            return Change::default();
        }
        let bytes = encode(fact);
        let of_id = self.by_id.get(&fact.event_id);
        let counts = of_id.is_some_and(|records| *records[0] == *bytes);
        let next = of_id.into_iter().flatten().skip(1).map(|bytes| decode(bytes)).min_by_key(place);
        let around = around(fact, next.as_ref());
        let before = if counts { self.family_facts(&around) } else { Vec::new() };
        if let Some(records) = self.by_id.get_mut(&fact.event_id) {
            records.retain(|kept| **kept != *bytes);
            if let Some(next) = next.filter(|_| counts).map(|next| encode(&next))
                && let Some(at) = records.iter().position(|kept| **kept == *next)
            {
                records.swap(0, at);
            }
            if records.is_empty() {
                self.by_id.remove(&fact.event_id);
            }
        }
        if let Some((_, target)) = fact.correction
            && let Some(corrections) = self.corrections_of.get_mut(&target)
        {
            corrections.retain(|id| *id != fact.event_id || self.by_id.contains_key(id));
            if corrections.is_empty() {
                self.corrections_of.remove(&target);
            }
        }
        if counts { difference(before, self.family_facts(&around)) } else { Change::default() }
    }

    /// True when the record was taken in.
    pub fn contains(&self, fact: &Fact) -> bool {
        let bytes = encode(fact);
        self.by_id.get(&fact.event_id).is_some_and(|variants| variants.iter().any(|kept| **kept == *bytes))
    }

    /// Every accepted record, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Fact> + '_ {
        self.by_id.values().flatten().map(|bytes| decode(bytes))
    }

    /// The record of an id that counts, so far.
    fn counting(&self, id: EventId) -> Option<Fact> {
        self.by_id.get(&id).map(|records| decode(&records[0]))
    }

    fn keep(&mut self, fact: &Fact, counts: bool) {
        let mut bytes = Vec::new();
        encode_fact(fact, &mut bytes);
        let records = self.by_id.entry(fact.event_id).or_default();
        if !records.iter().any(|kept| **kept == *bytes) {
            records.push(bytes.into_boxed_slice());
            if counts {
                let last = records.len() - 1;
                records.swap(0, last);
            }
        }
        if let Some((_, target)) = fact.correction {
            let corrections = self.corrections_of.entry(target).or_default();
            if !corrections.contains(&fact.event_id) {
                corrections.push(fact.event_id);
            }
        }
    }

    /// The facts of the market that come of all records which hang together with these ids.
    fn family_facts(&self, ids: &[EventId]) -> Vec<Fact> {
        let mut seen: HashSet<EventId> = HashSet::new();
        let mut open: SmallVec<[EventId; 8]> = SmallVec::from_slice(ids);
        let mut records = Vec::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            if let Some(record) = self.counting(id) {
                open.extend(record.correction.map(|(_, target)| target));
                records.push(record);
            }
            open.extend(self.corrections_of.get(&id).into_iter().flatten().copied());
        }
        effective(records).facts
    }
}

/// Ids from which all is reached that a record changes when it counts, or counts no more, instead of another of its id.
fn around(record: &Fact, other: Option<&Fact>) -> SmallVec<[EventId; 3]> {
    let targets = [Some(record), other].into_iter().flatten().filter_map(|fact| fact.correction);
    [record.event_id].into_iter().chain(targets.map(|(_, target)| target)).collect()
}

fn difference(before: Vec<Fact>, after: Vec<Fact>) -> Change {
    let gone = before.iter().filter(|fact| !after.contains(fact)).cloned().collect();
    let come = after.iter().filter(|fact| !before.contains(fact)).cloned().collect();
    Change { gone, come }
}

fn encode(fact: &Fact) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_fact(fact, &mut bytes);
    bytes
}

fn decode(bytes: &[u8]) -> Fact {
    decode_fact(&mut &*bytes).expect("the record was encoded here")
}
