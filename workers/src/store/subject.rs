//! Whose fact it is: a bill's, or that of something without a bill; and the key under which its past lies.
//!
//! Key: `key group (2) | kind (1) | id length or family (1) | id (16)`, big-endian, so that a key group lies together.

use billwatch_market::{
    books::holder_of,
    fact::EventId,
    ids::{BillId, PartyId},
    key_group::{key_group_of_bill, key_group_of_party},
};

/// Whose fact it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// A bill.
    Bill(BillId),
    /// A fact without a bill, by the event id of the first record that was seen of it; or a book.
    Single {
        /// What it is.
        family: Family,
        /// The event id, or the number of the book (`books::book_of`).
        event: EventId,
    },
}

/// What is there without a bill. Records of one family never hang together with those of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Family {
    /// Cash and orders.
    Desk = 0,
    /// Reference data.
    Reference,
    /// A member's book of a date.
    Book,
}

/// Bytes of the part of a key that names a subject.
pub const SUBJECT_BYTES: usize = 20;

impl Subject {
    /// Its key group.
    pub fn key_group(self) -> u16 {
        match self {
            Subject::Bill(bill) => key_group_of_bill(bill),
            Subject::Single { family: Family::Book, event } => key_group_of_party(holder_of(event)),
            Subject::Single { .. } => key_group_of_party(PartyId::SYSTEM),
        }
    }

    /// Its key: key group first.
    pub fn key(self) -> [u8; SUBJECT_BYTES] {
        let mut key = [0; SUBJECT_BYTES];
        key[..2].copy_from_slice(&self.key_group().to_be_bytes());
        let (kind, length, id) = match self {
            Subject::Bill(bill) => (0, bill.length, bill.digits),
            Subject::Single { family, event } => (1, family as u8, event),
        };
        key[2] = kind;
        key[3] = length;
        key[4..].copy_from_slice(&id.to_be_bytes());
        key
    }

    /// The subject of a key.
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let id = u128::from_be_bytes(key.get(4..SUBJECT_BYTES)?.try_into().ok()?);
        match key[2] {
            0 => Some(Subject::Bill(BillId { digits: id, length: key[3] })),
            1 => {
                let family =
                    [Family::Desk, Family::Reference, Family::Book].into_iter().find(|it| *it as u8 == key[3])?;
                Some(Subject::Single { family, event: id })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_keys() {
        for subject in [
            Subject::Bill(BillId { digits: 10, length: 30 }),
            Subject::Single { family: Family::Reference, event: 17 },
            Subject::Single { family: Family::Desk, event: u128::MAX },
            Subject::Single { family: Family::Book, event: u128::from(PartyId::legal(100_101).bits()) << 64 | 20_000 },
        ] {
            assert_eq!(Subject::of_key(&subject.key()), Some(subject));
        }
    }
}
