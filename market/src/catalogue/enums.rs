//! Enumerations (`enums.csv`): code tables with names in English and Chinese.

use hashbrown::HashMap;

use super::table::{CatalogueError, Distinct, Row, read_rows};
use crate::ids::Code;

pub(super) const FILE: &str = "enums.csv";

/// Place of an enumeration in [`Enums`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EnumId(pub u16);

/// One item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnumItem {
    /// Its code as sent.
    pub code: Box<str>,
    /// Name.
    pub english: Box<str>,
    /// 名称.
    pub chinese: Box<str>,
}

/// One enumeration; the index of an item is its place in the table.
#[derive(Clone, Debug)]
pub struct Enumeration {
    /// Its name, for instance `bill_kind`.
    pub name: Box<str>,
    /// Items in the order of the table.
    pub items: Vec<EnumItem>,
    /// Items whose code fits a [`Code`]. Names of groups and families are longer and never sent.
    by_code: CodeIndex,
}

/// Places of items by the number of their code. Each code of each fact is looked up here, so it is a table with open
/// addresses, at most half full: mostly one comparison.
#[derive(Clone, Default, Debug)]
struct CodeIndex {
    /// As many as a power of two; no code has the number 0.
    slots: Box<[(u128, u16)]>,
    items: usize,
}

impl CodeIndex {
    /// Where the search for a code begins.
    fn start(&self, code: u128) -> usize {
        let hash = ((code >> 64) as u64 ^ code as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> 32) as usize & (self.slots.len() - 1)
    }

    fn find(&self, code: u128) -> Option<u16> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = self.start(code);
        loop {
            match self.slots[at] {
                (known, place) if known == code => return Some(place),
                (0, _) => return None,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    fn insert(&mut self, code: u128, place: u16) {
        if self.items * 2 >= self.slots.len() {
            let larger = vec![(0, 0); (self.slots.len() * 2).max(8)].into_boxed_slice();
            let old = std::mem::replace(&mut self.slots, larger);
            old.iter().filter(|(known, _)| *known != 0).for_each(|(known, place)| self.put(*known, *place));
        }
        self.put(code, place);
        self.items += 1;
    }

    fn put(&mut self, code: u128, place: u16) {
        let mut at = self.start(code);
        while self.slots[at].0 != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = (code, place);
    }
}

impl Enumeration {
    /// Index of the item of a code; `None` = an unknown code.
    pub fn item_index(&self, code: Code) -> Option<u16> {
        self.by_code.find(code.number())
    }

    /// True when the code is an item.
    pub fn contains(&self, code: Code) -> bool {
        self.item_index(code).is_some()
    }

    /// The item of a code given as text, of any length.
    pub fn item(&self, code: &str) -> Option<&EnumItem> {
        self.items.iter().find(|item| &*item.code == code)
    }
}

/// All enumerations.
#[derive(Clone, Default, Debug)]
pub struct Enums {
    tables: Vec<Enumeration>,
    by_name: HashMap<Box<str>, EnumId>,
}

impl Enums {
    pub(super) fn read(text: &str) -> Result<Self, CatalogueError> {
        let mut enums = Enums::default();
        let mut distinct = Distinct::default();
        read_rows(FILE, text, &["enum_name", "code", "english", "chinese"], |row| {
            let name = row.filled("enum_name")?;
            let code = row.filled("code")?;
            distinct.take(row, "code", &format!("{name}:{code}"))?;
            let next = EnumId(enums.tables.len() as u16);
            let id = *enums.by_name.entry(name.into()).or_insert(next);
            if id == next {
                enums.tables.push(Enumeration { name: name.into(), items: Vec::new(), by_code: CodeIndex::default() });
            }
            let table = &mut enums.tables[usize::from(id.0)];
            if let Some(short) = Code::parse(code) {
                table.by_code.insert(short.number(), table.items.len() as u16);
            }
            table.items.push(EnumItem {
                code: code.into(),
                english: row.filled("english")?.into(),
                chinese: row.filled("chinese")?.into(),
            });
            Ok(())
        })?;
        Ok(enums)
    }

    /// The enumeration of an id.
    pub fn get(&self, id: EnumId) -> &Enumeration {
        &self.tables[usize::from(id.0)]
    }

    /// The id of a name.
    pub fn id(&self, name: &str) -> Option<EnumId> {
        self.by_name.get(name).copied()
    }

    /// The enumeration of a name.
    pub fn named(&self, name: &str) -> Option<&Enumeration> {
        Some(self.get(self.id(name)?))
    }

    /// All, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Enumeration> {
        self.tables.iter()
    }

    /// The id of the enumeration that a cell names, or the error of that cell.
    pub(super) fn require(&self, row: &Row, column: &str, name: &str) -> Result<EnumId, CatalogueError> {
        self.id(name).ok_or_else(|| row.error_at(column, name, "no such enumeration: add its items to enums.csv"))
    }

    /// Checks that a cell holds a code of an enumeration.
    pub(super) fn require_item(
        &self,
        row: &Row,
        column: &str,
        code: &str,
        enumeration: &str,
    ) -> Result<(), CatalogueError> {
        let known = self.named(enumeration).is_some_and(|table| table.item(code).is_some());
        if known {
            Ok(())
        } else {
            Err(row.error_at(column, code, format!("write a code of enumeration {enumeration} (enums.csv)")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_and_no_other() {
        let mut index = CodeIndex::default();
        assert_eq!(index.find(1), None);
        let code = |number: u128| (number << 100) | (number * 7);
        for number in 1..1_000 {
            index.insert(code(number), number as u16);
        }
        for number in 1..1_000 {
            assert_eq!(index.find(code(number)), Some(number as u16));
            assert_eq!(index.find(code(number) + 1), None);
        }
    }
}
