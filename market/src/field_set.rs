//! A set of fields as a bit mask: 32 bytes, `Copy`, no allocation.

use crate::fact::{FIELDS, Field};

/// Which fields are in; one bit a field number.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FieldSet([u64; 4]);

impl FieldSet {
    /// Puts a field in; true when it was not in before.
    pub fn insert(&mut self, field: Field) -> bool {
        let (word, bit) = place(field);
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// True when the field is in.
    pub fn contains(&self, field: Field) -> bool {
        let (word, bit) = place(field);
        self.0[word] & bit != 0
    }

    /// All fields of both.
    pub fn union(&self, other: &FieldSet) -> FieldSet {
        FieldSet(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// True when all fields of the other are in.
    pub fn contains_all(&self, other: &FieldSet) -> bool {
        (0..4).all(|word| other.0[word] & !self.0[word] == 0)
    }

    /// The fields in, by number.
    pub fn iter(&self) -> impl Iterator<Item = Field> + '_ {
        FIELDS.into_iter().filter(|field| self.contains(*field))
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut set = FieldSet::default();
        for field in fields {
            set.insert(field);
        }
        set
    }
}

fn place(field: Field) -> (usize, u64) {
    (field as usize / 64, 1 << (field as usize % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in() {
        let mut set = FieldSet::default();
        assert!(set.insert(Field::HolderId));
        assert!(!set.insert(Field::HolderId));
        assert!(set.insert(Field::EventId));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Field::EventId, Field::HolderId]);
        assert!(!set.contains(Field::BillId));
        let all: FieldSet = FIELDS.into_iter().collect();
        assert_eq!(all.iter().count(), FIELDS.len());
        assert_eq!(set.union(&all), all);
        assert!(all.contains_all(&set) && !set.contains_all(&all) && set.contains_all(&set));
    }
}
