//! Variants across homes (facts.md 7): records with one event id that belong to different bills, or to a bill and to
//! reference data.
//!
//! One of them counts, the others are kept without effect, and each home must know which. So a home gets, beside its own
//! records, copies of those elsewhere that share an event id with one of them; `corrections::effective_at` lets a copy decide
//! which record counts, and nothing else. The coordinator delivers the copies to shards; [`Elsewhere`] finds them in a list of
//! records. Such variants are very rare.

use hashbrown::{HashMap, HashSet};

use crate::{
    books::is_of_book,
    fact::{EventId, Fact},
    fact_scope::{FactScope, Home, home, scope},
};

/// The copies that each home needs.
#[derive(Default, Debug)]
pub struct Elsewhere {
    by_home: HashMap<Home, Vec<Fact>>,
    reference: Vec<Fact>,
}

impl Elsewhere {
    /// Of all accepted records.
    pub fn among(records: &[Fact]) -> Self {
        let mut first: HashMap<EventId, Home> = HashMap::with_capacity(records.len());
        let mut shared: HashSet<EventId> = HashSet::new();
        for record in records.iter().filter(|record| !is_of_book(record)) {
            if *first.entry(record.event_id).or_insert_with(|| home(record)) != home(record) {
                shared.insert(record.event_id);
            }
        }
        let mut sets: HashMap<EventId, Vec<&Fact>> = HashMap::with_capacity(shared.len());
        for record in records.iter().filter(|record| shared.contains(&record.event_id) && !is_of_book(record)) {
            sets.entry(record.event_id).or_default().push(record);
        }
        let mut elsewhere = Elsewhere::default();
        for set in sets.values() {
            elsewhere.add(set);
        }
        elsewhere
    }

    /// Adds the records of one event id.
    pub fn add(&mut self, set: &[&Fact]) {
        let mut homes: Vec<Home> = set.iter().map(|record| home(record)).collect();
        homes.sort_unstable();
        homes.dedup();
        for of in homes {
            let copies = set.iter().filter(|record| home(record) != of).map(|record| (*record).clone());
            self.by_home.entry(of).or_default().extend(copies);
        }
        if set.iter().any(|record| is_reference(record)) {
            self.reference.extend(set.iter().filter(|record| !is_reference(record)).map(|record| (*record).clone()));
        }
    }

    /// For the records of this home.
    pub fn at(&self, home: Home) -> &[Fact] {
        self.by_home.get(&home).map_or(&[], Vec::as_slice)
    }

    /// Homes that need copies, with these.
    pub fn homes(&self) -> impl Iterator<Item = (Home, &[Fact])> {
        self.by_home.iter().map(|(home, copies)| (*home, copies.as_slice()))
    }

    /// For `reference_data::Reference`, which also keeps the trade background of bills.
    pub fn for_reference(&self) -> &[Fact] {
        &self.reference
    }
}

fn is_reference(record: &Fact) -> bool {
    matches!(scope(record), FactScope::Reference | FactScope::BillAndReference(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{arbitrary::plain_fact, corrections::effective_at, fact::behaviour, ids::BillId};

    fn of(seq: u64, bill: Option<&str>) -> Fact {
        let behaviour = if bill.is_some() { behaviour::END_SGN } else { behaviour::MST_ENR };
        Fact { event_id: 7, source_seq: seq, bill_id: bill.and_then(BillId::parse), ..plain_fact(behaviour) }
    }

    #[test]
    fn the_smallest_counts_at_its_home_alone() {
        let (left, right, third) = (of(3, Some("11")), of(2, Some("12")), of(5, Some("13")));
        let records = [left.clone(), right.clone(), third.clone()];
        let elsewhere = Elsewhere::among(&records);
        for own in &records {
            let mut here = elsewhere.at(home(own)).to_vec();
            assert_eq!(here.len(), 2);
            here.push(own.clone());
            let effective = effective_at(home(own), here);
            let wanted: &[Fact] = if own == &right { std::slice::from_ref(&right) } else { &[] };
            assert_eq!(effective.facts, wanted);
            assert!(effective.variants.iter().any(|variant| variant.event_id == 7));
        }
        assert!(elsewhere.for_reference().is_empty());
    }

    #[test]
    fn reference_data_know_of_the_bills_copy() {
        let (bill, enterprise) = (of(1, Some("11")), of(2, None));
        let elsewhere = Elsewhere::among(&[bill.clone(), enterprise.clone()]);
        assert_eq!(elsewhere.for_reference(), std::slice::from_ref(&bill));
        assert_eq!(elsewhere.at(Home::Reference), [bill]);
    }

    #[test]
    fn one_home_needs_no_copies() {
        let elsewhere = Elsewhere::among(&[of(1, Some("11")), of(2, Some("11")), Fact { event_id: 8, ..of(3, None) }]);
        assert_eq!(elsewhere.homes().count(), 0);
    }
}
