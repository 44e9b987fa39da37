//! Reference data that comes late: who may have read what it changed.
//!
//! Every fact that names a party or a branch makes its life a reader of it. When a reference record changes a subject from
//! some instant on, its readers that have facts at or after that instant are valued again: taken out under the old reference
//! data, put in under the new.

use billwatch_market::{
    fact::{Fact, Field, Value, behaviour},
    ids::{BillId, InstId, PartyId},
    reference_data::Subject as Read,
};
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::{Dense, Lives, SINGLE, decode, single_place};
use crate::store::StoreError;

/// Half the bits of a party or branch: enough to find who may have read it; two with one mark only cause a needless fold.
pub(super) fn party_mark(bits: u64) -> u32 {
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Lives by party or branch that their facts name: whom late reference data may touch.
#[derive(Default)]
pub struct Readers {
    lists: HashMap<u32, List>,
}

/// Lives in order of their first mention, as differences: mostly two bytes each, as lives are numbered in order of arrival.
#[derive(Default)]
struct List {
    last: i64,
    differences: SmallVec<[u8; 16]>,
}

/// Bills and singles side by side, so that a difference is small.
fn rank(dense: Dense) -> i64 {
    (single_place(dense) as i64) << 1 | i64::from(dense & SINGLE != 0)
}

fn dense_of(rank: i64) -> Dense {
    (rank >> 1) as Dense | if rank & 1 != 0 { SINGLE } else { 0 }
}

impl List {
    fn push(&mut self, dense: Dense) {
        let rank = rank(dense);
        let difference = rank - self.last;
        let mut rest = (difference << 1 ^ difference >> 63) as u64;
        while rest >= 0x80 {
            self.differences.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.differences.push(rest as u8);
        self.last = rank;
    }

    fn iter(&self) -> impl Iterator<Item = Dense> {
        let mut bytes = self.differences.iter();
        let mut rank = 0;
        std::iter::from_fn(move || {
            let (mut number, mut shift) = (0u64, 0);
            loop {
                let byte = *bytes.next()?;
                number |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            rank += (number >> 1) as i64 ^ -((number & 1) as i64);
            Some(dense_of(rank))
        })
    }
}

impl Readers {
    /// Remembers whose reference data a fact of a life may read. `known`: what was remembered for the life.
    pub fn note<const INLINE: usize>(&mut self, dense: Dense, fact: &Fact, known: &mut SmallVec<[u32; INLINE]>) {
        let named = fact.fields.iter().filter_map(|(_, value)| match value {
            Value::Party(party) if *party != PartyId::SYSTEM && *party != PartyId::MARKET => Some(party.bits()),
            Value::Inst(branch) => Some(u64::from(branch.0)),
            _ => None,
        });
        // P176 asks whether the bank number in the bill number is registered.
        let tests_number = matches!(fact.behaviour, behaviour::ISS_REG | behaviour::PPR_ACC);
        let bank_number = fact.bill_id.filter(|_| tests_number).and_then(BillId::bank_number);
        for mark in named.chain(bank_number).map(party_mark) {
            if !known.contains(&mark) {
                known.push(mark);
                self.add(mark, dense);
            }
        }
    }

    /// Adds a life to the readers of a mark.
    pub fn add(&mut self, mark: u32, dense: Dense) {
        self.lists.entry(mark).or_default().push(dense);
    }

    /// Lives whose facts name a party (its bits), a branch or a bank (its number).
    pub fn of(&self, party: u64) -> impl Iterator<Item = Dense> {
        self.lists.get(&party_mark(party)).into_iter().flat_map(List::iter)
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        let spilled = |list: &List| if list.differences.spilled() { list.differences.capacity() } else { 0 };
        self.lists.values().map(spilled).sum::<usize>() + self.lists.capacity() * (size_of::<(u32, List)>() + 1) * 8 / 7
    }
}

impl Lives {
    /// Decodes the reference records that are new.
    pub(super) fn take_reference(&mut self, bytes: &[u8]) -> Result<Vec<Fact>, StoreError> {
        let mut rest = bytes;
        let mut new = Vec::new();
        while !rest.is_empty() {
            let record = decode(&mut rest)?;
            if !self.reference.contains(&record) {
                new.push(record);
            }
        }
        Ok(new)
    }

    /// Lives that may have read what the records changed. Takes the records into the reference data.
    pub(super) fn insert_reference(&mut self, records: &[Fact]) -> HashSet<Dense> {
        let mut touched: HashMap<Read, i64> = HashMap::new();
        let mut branches: Vec<(InstId, i64)> = Vec::new();
        for record in records {
            self.note_branch(record);
            for (subject, from) in self.reference.insert(record.clone()).subjects {
                touched.entry(subject).and_modify(|known| *known = from.min(*known)).or_insert(from);
                branches.extend(insts_of(record).map(|branch| (branch, from)));
            }
        }
        let mut lives = HashSet::new();
        if self.saves_reference {
            self.unsaved_reference.extend_from_slice(records);
        }
        for (subject, from) in touched {
            match subject {
                Read::Party(party) => {
                    self.readers_since(party.bits(), from, &mut lives);
                    self.reference_changes.push((party, from));
                    let of_party = self.branches.get(&party).map_or(&[][..], Vec::as_slice);
                    branches.extend(of_party.iter().map(|branch| (*branch, from)));
                }
                Read::BankNumber(number) => self.readers_since(number, from, &mut lives),
                Read::Contract(drawer, _) => {
                    self.readers_since(drawer.bits(), from, &mut lives);
                    // Rules on windows of the drawer's contracts read it too.
                    self.reference_changes.push((drawer, from));
                }
                // Read by class, kind or credit code, or by likeness, which no fact names: whoever lived then.
                Read::Curve(_) | Read::Rate(_) | Read::CreditCode(_) | Read::Names => {
                    self.everybody_since(from, &mut lives);
                    if matches!(subject, Read::Rate(_)) {
                        self.reference_changes.push((PartyId::MARKET, from));
                    }
                }
            }
        }
        branches.sort_unstable();
        branches.dedup_by_key(|(branch, _)| *branch);
        for (branch, from) in branches {
            self.readers_since(u64::from(branch.0), from, &mut lives);
            self.reference_changes.push((PartyId::from_bits(u64::from(branch.0)), from));
        }
        // Under the number of a single that was joined nothing lives any more.
        lives.into_iter().map(|dense| if dense & SINGLE == 0 { dense } else { self.singles.now(dense) }).collect()
    }

    pub(super) fn note_branch(&mut self, record: &Fact) {
        if let (Some(branch), Some(legal)) = (record.inst(Field::ParticipantCode), record.party(Field::LegalInstId)) {
            let known = self.branches.entry(legal).or_default();
            if !known.contains(&branch) {
                known.push(branch);
            }
        }
    }

    fn readers_since(&self, party: u64, from: i64, lives: &mut HashSet<Dense>) {
        lives.extend(self.readers.of(party).filter(|dense| self.read_since(*dense, from)));
    }

    fn everybody_since(&self, from: i64, lives: &mut HashSet<Dense>) {
        let lives_here = (0..self.bills.len() as Dense).chain(self.singles.numbers());
        lives.extend(lives_here.filter(|dense| self.read_since(*dense, from)));
    }

    /// True when a fact of the life may have read what changed at an instant.
    fn read_since(&self, dense: Dense, from: i64) -> bool {
        let last = if dense & SINGLE == 0 { self.bills.last_time(dense) } else { self.singles.get(dense).last_time };
        last >= from
    }

    /// Lives whose facts name a party (its bits) or a branch (its number).
    pub fn readers_of(&self, party: u64) -> impl Iterator<Item = Dense> {
        self.readers.of(party)
    }
}

fn insts_of(record: &Fact) -> impl Iterator<Item = InstId> {
    record.fields.iter().filter_map(|(_, value)| match value {
        Value::Inst(branch) => Some(*branch),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_back_who_was_put_in() {
        let lives = [7, 8, 3, 3 | SINGLE, 1_000_000, 0, SINGLE | 90_000, SINGLE - 1, 12];
        let mut readers = Readers::default();
        let mark = party_mark(PartyId::SYSTEM.bits());
        lives.iter().for_each(|dense| readers.add(mark, *dense));
        assert_eq!(readers.of(PartyId::SYSTEM.bits()).collect::<Vec<_>>(), lives);
        assert_eq!(readers.of(PartyId::MARKET.bits()).count(), 0);
    }
}
