//! Reference data that comes late: who may have read what it changed.
//!
//! Every fact that names a party or a branch makes its life a reader of it. When a reference record changes a subject from
//! some instant on, its readers that have facts at or after that instant are valued again: taken out under the old reference
//! data, put in under the new.

use billwatch_market::{
    fact::{Fact, Field, Value},
    ids::{InstId, PartyId},
    reference_data::Subject as Read,
};
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::{Dense, Lives, SINGLE, decode, single_place};
use crate::store::StoreError;

/// Marks of parties.
pub(super) type Parties = SmallVec<[u32; 8]>;

/// Half the bits of a party or branch: enough to find who may have read it; two with one mark only cause a needless fold.
fn party_mark(bits: u64) -> u32 {
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
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
                Read::Contract(drawer, _) => self.readers_since(drawer.bits(), from, &mut lives),
                Read::Bill(bill) => {
                    lives.extend(
                        self.find_bill(bill).map(|place| place as Dense).filter(|dense| self.read_since(*dense, from)),
                    );
                }
                // Read by class, kind or credit code, which no fact names: whoever lived then.
                Read::Curve(_) | Read::Rate(_) | Read::CreditCode(_) => self.everybody_since(from, &mut lives),
            }
        }
        branches.sort_unstable();
        branches.dedup_by_key(|(branch, _)| *branch);
        for (branch, from) in branches {
            self.readers_since(u64::from(branch.0), from, &mut lives);
            self.reference_changes.push((PartyId::from_bits(u64::from(branch.0)), from));
        }
        lives
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
        let readers = self.readers_of(party);
        lives.extend(readers.iter().copied().filter(|dense| self.read_since(*dense, from)));
    }

    fn everybody_since(&self, from: i64, lives: &mut HashSet<Dense>) {
        let bills = (0..self.bills.len() as Dense).chain((0..self.singles.len() as Dense).map(|place| place | SINGLE));
        lives.extend(bills.filter(|dense| self.read_since(*dense, from)));
    }

    /// True when a fact of the life may have read what changed at an instant.
    fn read_since(&self, dense: Dense, from: i64) -> bool {
        let last = if dense & SINGLE == 0 {
            self.bills[dense as usize].last_time
        } else {
            self.singles[single_place(dense)].last_time
        };
        last >= from
    }

    /// Lives whose facts name a party (its bits) or a branch (its number).
    pub fn readers_of(&self, party: u64) -> &[Dense] {
        self.readers.get(&party_mark(party)).map_or(&[], Vec::as_slice)
    }

    /// Remembers whose reference data a fact may read.
    pub(super) fn note_reader(&mut self, dense: Dense, fact: &Fact) {
        let parties = if dense & SINGLE == 0 {
            &mut self.bills[dense as usize].parties
        } else {
            let single = &mut self.singles[single_place(dense)];
            single.last_time = single.last_time.max(fact.event_time);
            &mut single.parties
        };
        for (_, value) in &fact.fields {
            let mark = match value {
                Value::Party(party) if *party != PartyId::SYSTEM && *party != PartyId::MARKET => {
                    party_mark(party.bits())
                }
                Value::Inst(branch) => party_mark(u64::from(branch.0)),
                _ => continue,
            };
            if !parties.contains(&mark) {
                parties.push(mark);
                self.readers.entry(mark).or_default().push(dense);
            }
        }
    }
}

fn insts_of(record: &Fact) -> impl Iterator<Item = InstId> {
    record.fields.iter().filter_map(|(_, value)| match value {
        Value::Inst(branch) => Some(*branch),
        _ => None,
    })
}
