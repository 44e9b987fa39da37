//! The accepted records of reference data and which facts of the market they amount to.
//!
//! A revocation need not name the enterprise that its target is about (facts.md 5), and a replacement may name another. So
//! records are kept by identity, not by subject: what hangs together through `corrects_event_id` or a shared event id is one
//! family, and `corrections::effective` says what the family amounts to. Records are kept encoded: most are never read
//! again.

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::{
    codec::{decode_fact, encode_fact},
    corrections::effective,
    fact::{EventId, Fact},
};

/// Every accepted record, by event id.
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
        let known = self.by_id.contains_key(&fact.event_id);
        let target = fact.correction.map(|(_, target)| target);
        let alone = !known && target.is_none() && !self.corrections_of.contains_key(&fact.event_id);
        let before = if alone { Vec::new() } else { self.family_facts(&fact) };
        self.keep(&fact);
        if alone {
            return Change { gone: Vec::new(), come: vec![fact] };
        }
        let after = self.family_facts(&fact);
        let gone = before.iter().filter(|fact| !after.contains(fact)).cloned().collect();
        let come = after.iter().filter(|fact| !before.contains(fact)).cloned().collect();
        Change { gone, come }
    }

    /// The inverse of [`Records::insert`].
    pub fn remove(&mut self, fact: &Fact) -> Change {
        if !self.contains(fact) {
            return Change::default();
        }
        let before = self.family_facts(fact);
        let bytes = encode(fact);
        if let Some(variants) = self.by_id.get_mut(&fact.event_id) {
            variants.retain(|kept| **kept != *bytes);
            if variants.is_empty() {
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
        let after = self.family_facts(fact);
        let gone = before.iter().filter(|fact| !after.contains(fact)).cloned().collect();
        let come = after.iter().filter(|fact| !before.contains(fact)).cloned().collect();
        Change { gone, come }
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

    fn keep(&mut self, fact: &Fact) {
        let mut bytes = Vec::new();
        encode_fact(fact, &mut bytes);
        let variants = self.by_id.entry(fact.event_id).or_default();
        if !variants.iter().any(|kept| **kept == *bytes) {
            variants.push(bytes.into_boxed_slice());
        }
        if let Some((_, target)) = fact.correction {
            let corrections = self.corrections_of.entry(target).or_default();
            if !corrections.contains(&fact.event_id) {
                corrections.push(fact.event_id);
            }
        }
    }

    /// The facts of the market that come of all records which hang together with this one.
    fn family_facts(&self, fact: &Fact) -> Vec<Fact> {
        let mut seen: SmallVec<[EventId; 8]> = SmallVec::new();
        let mut open: SmallVec<[EventId; 8]> = SmallVec::from_slice(&[fact.event_id]);
        open.extend(fact.correction.map(|(_, target)| target));
        let mut records = Vec::new();
        while let Some(id) = open.pop() {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            for bytes in self.by_id.get(&id).into_iter().flatten() {
                let record = decode(bytes);
                open.extend(record.correction.map(|(_, target)| target));
                records.push(record);
            }
            open.extend(self.corrections_of.get(&id).into_iter().flatten().copied());
        }
        effective(records).facts
    }
}

fn encode(fact: &Fact) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_fact(fact, &mut bytes);
    bytes
}

fn decode(bytes: &[u8]) -> Fact {
    decode_fact(&mut &*bytes).expect("the record was encoded here")
}
