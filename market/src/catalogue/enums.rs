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
    /// Items whose code fits a [`Code`], by its number, sorted. Names of groups and families are longer and never sent.
    by_code: Vec<(u128, u16)>,
}

impl Enumeration {
    /// Index of the item of a code; `None` = an unknown code.
    pub fn item_index(&self, code: Code) -> Option<u16> {
        self.by_code.binary_search_by_key(&code.number(), |(known, _)| *known).ok().map(|at| self.by_code[at].1)
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
                enums.tables.push(Enumeration { name: name.into(), items: Vec::new(), by_code: Vec::new() });
            }
            let table = &mut enums.tables[usize::from(id.0)];
            if let Some(short) = Code::parse(code) {
                table.by_code.push((short.number(), table.items.len() as u16));
            }
            table.items.push(EnumItem {
                code: code.into(),
                english: row.filled("english")?.into(),
                chinese: row.filled("chinese")?.into(),
            });
            Ok(())
        })?;
        for table in &mut enums.tables {
            table.by_code.sort_unstable();
        }
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
