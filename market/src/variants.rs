//! Variants across homes (facts.md 7): records with one event id that belong to different bills, or to a bill and to
//! reference data.
//!
//! One of them counts, the others are kept without effect, and each home must know which. So a home gets, beside its own
//! records, copies of some elsewhere that share an event id with one of them; `corrections::effective_at` lets a copy decide
//! which record counts, and nothing else. The home of the record that counts gets all the others, for it tells how many there
//! are (P174, `dup_events`); every other home gets the one that counts. So a source that gives all its facts one event id
//! costs a copy or two a fact. The coordinator delivers the copies to shards; [`Elsewhere`] finds them in a list of records.

use hashbrown::{HashMap, HashSet};

use crate::{
    books::is_of_book,
    fact::{EventId, Fact, Source},
    fact_scope::{FactScope, Home, home, scope},
};

/// Of the records of one event id the one with the smallest place counts.
pub fn place(record: &Fact) -> (Source, u64) {
    (record.source, record.source_seq)
}

/// Where a record is resolved: its home, and whether it stands among the reference data that everybody keeps. Records of one
/// event id need copies when they differ in it.
pub fn resolved_at(record: &Fact) -> (Home, bool) {
    (home(record), is_reference(record))
}

/// The copies that each home needs.
#[derive(Default, Debug)]
pub struct Elsewhere {
    by_home: HashMap<Home, Vec<Fact>>,
    reference: Vec<Fact>,
}

impl Elsewhere {
    /// Of all accepted records.
    pub fn among(records: &[Fact]) -> Self {
        let mut first: HashMap<EventId, (Home, bool)> = HashMap::with_capacity(records.len());
        let mut shared: HashSet<EventId> = HashSet::new();
        for record in records.iter().filter(|record| !is_of_book(record)) {
            let at = resolved_at(record);
            if *first.entry(record.event_id).or_insert(at) != at {
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

    /// Adds the records of one event id; among them the one that counts.
    pub fn add(&mut self, set: &[&Fact]) {
        let Some(counts) = set.iter().min_by_key(|record| place(record)) else { return };
        let counts_at = home(counts);
        let mut homes: Vec<Home> = set.iter().map(|record| home(record)).collect();
        homes.sort_unstable();
        homes.dedup();
        for of in homes {
            let copies = self.by_home.entry(of).or_default();
            if of == counts_at {
                copies.extend(set.iter().filter(|record| home(record) != of).map(|record| (*record).clone()));
            } else {
                copies.push((*counts).clone());
            }
        }
        if !is_reference(counts) && set.iter().any(|record| is_reference(record)) {
            self.reference.push((*counts).clone());
        }
    }

    /// For the records of this home.
    pub fn at(&self, home: Home) -> &[Fact] {
        self.by_home.get(&home).map_or(&[], Vec::as_slice)
    }

    /// Homes that need copies, with these.
    pub fn homes(&self) -> impl Iterator<Item = (Home, &[Fact])> {
        let needing = self.by_home.iter().filter(|(_, copies)| !copies.is_empty());
        needing.map(|(home, copies)| (*home, copies.as_slice()))
    }

    /// For `reference_data::Reference`, which also keeps the trade background of bills: records that count instead of one there.
    pub fn for_reference(&self) -> &[Fact] {
        &self.reference
    }
}

/// True when everybody keeps the record.
pub fn is_reference(record: &Fact) -> bool {
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
            let copies = if own == &right { vec![left.clone(), third.clone()] } else { vec![right.clone()] };
            assert_eq!(here, copies);
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
    fn a_record_that_counts_where_everybody_keeps_it_needs_no_copy_there() {
        let (bill, enterprise) = (of(2, Some("11")), of(1, None));
        let elsewhere = Elsewhere::among(&[bill.clone(), enterprise.clone()]);
        assert!(elsewhere.for_reference().is_empty());
        assert_eq!(elsewhere.at(Home::Reference), std::slice::from_ref(&bill));
        assert_eq!(elsewhere.at(home(&bill)), [enterprise]);
    }

    #[test]
    fn reference_data_know_when_another_record_of_the_bill_counts_instead_of_its_trade_background() {
        let counts = of(1, Some("11"));
        let background = Fact { behaviour: behaviour::MST_TBK, ..of(2, Some("11")) };
        let elsewhere = Elsewhere::among(&[background, counts.clone()]);
        assert_eq!(elsewhere.for_reference(), [counts]);
        assert_eq!(elsewhere.homes().count(), 0);
    }

    #[test]
    fn many_variants_cost_two_copies_each_at_the_most() {
        let bills: Vec<String> = (0..5_000).map(|bill| format!("{}", 10_000 + bill)).collect();
        let records: Vec<Fact> = (1..).zip(&bills).map(|(seq, bill)| of(seq, Some(bill))).collect();
        let elsewhere = Elsewhere::among(&records);
        assert!(elsewhere.homes().map(|(_, copies)| copies.len()).sum::<usize>() <= 2 * records.len());
    }

    #[test]
    fn one_home_needs_no_copies() {
        let elsewhere = Elsewhere::among(&[of(1, Some("11")), of(2, Some("11")), Fact { event_id: 8, ..of(3, None) }]);
        assert_eq!(elsewhere.homes().count(), 0);
    }
}
