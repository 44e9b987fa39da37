//! Rows of a state table on their way to the disk: many in one buffer, none with memory of its own.

use super::{TABLES, Table};

/// Rows in the order in which they were said; the same key may come again.
#[derive(Default)]
pub struct Rows {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

/// Where a row lies: key, then value up to the end.
#[derive(Clone, Copy)]
struct Span {
    key: u32,
    value: u32,
    end: u32,
    is_removal: bool,
}

impl Rows {
    /// Adds a row: `key` and `value` append their bytes.
    pub fn put(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len() as u32;
        key(&mut self.bytes);
        let middle = self.bytes.len() as u32;
        value(&mut self.bytes);
        self.spans.push(Span { key: start, value: middle, end: self.bytes.len() as u32, is_removal: false });
    }

    /// Adds that there is no row under a key any more.
    pub fn remove(&mut self, key: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len() as u32;
        key(&mut self.bytes);
        let end = self.bytes.len() as u32;
        self.spans.push(Span { key: start, value: end, end, is_removal: true });
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes of keys, values and of what finds them.
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<Span>()
    }

    fn key(&self, span: Span) -> &[u8] {
        &self.bytes[span.key as usize..span.value as usize]
    }

    fn value(&self, span: Span) -> Option<&[u8]> {
        (!span.is_removal).then(|| &self.bytes[span.value as usize..span.end as usize])
    }
}

/// Rows by table.
pub type Tables<T> = [T; TABLES.len()];

/// Rows of every state table that one thread has said and not yet sent.
#[derive(Default)]
pub struct Bundle {
    tables: Tables<Rows>,
}

impl Bundle {
    /// The rows of a table.
    pub fn of(&mut self, table: Table) -> &mut Rows {
        &mut self.tables[table as usize]
    }

    /// Takes out the rows of a table that weighs at least so many bytes; `None` when there is none.
    pub fn take_heavy(&mut self, weight: usize) -> Option<(Table, Rows)> {
        let heavy = |table: &Table| {
            let rows = &self.tables[*table as usize];
            !rows.is_empty() && rows.weight() >= weight
        };
        let table = TABLES.into_iter().find(heavy)?;
        Some((table, std::mem::take(self.of(table))))
    }
}

/// A row of [`last_of_each_key`]: key, and value unless it is a removal.
pub type Row<'a> = (&'a [u8], Option<&'a [u8]>);

/// Rows of several parts, by key. Where a key comes several times, its last row: parts and their rows are in order of time.
pub fn last_of_each_key(parts: &[Rows]) -> impl Iterator<Item = Row<'_>> {
    let mut order: Vec<(u64, u32, u32)> = Vec::with_capacity(parts.iter().map(|part| part.spans.len()).sum());
    for (number, part) in parts.iter().enumerate() {
        let places = part.spans.iter().enumerate();
        order.extend(places.map(|(place, span)| (first_bytes(part.key(*span)), number as u32, place as u32)));
    }
    let row = |(_, part, place): (u64, u32, u32)| {
        let part = &parts[part as usize];
        let span = part.spans[place as usize];
        (part.key(span), part.value(span))
    };
    order.sort_unstable_by(|left, right| {
        let by_key = || row(*left).0.cmp(row(*right).0);
        left.0.cmp(&right.0).then_with(by_key).then_with(|| (left.1, left.2).cmp(&(right.1, right.2)))
    });
    let mut rows = order.into_iter().map(row).peekable();
    std::iter::from_fn(move || {
        loop {
            let row = rows.next()?;
            if rows.peek().is_none_or(|next| next.0 != row.0) {
                return Some(row);
            }
        }
    })
}

/// The first bytes of a key as a number: most comparisons end with it.
fn first_bytes(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever comes in whatever parts: as a map into which all rows were put one after the other.
        #[test]
        fn the_last_row_of_a_key_wins(
            said in prop::collection::vec((prop::collection::vec(0u8..3, 0..11), prop::option::of(0u8..9), any::<bool>()), 0..200),
        ) {
            let mut parts = vec![Rows::default()];
            let mut plain = BTreeMap::new();
            for (key, value, ends_part) in said {
                if ends_part {
                    parts.push(Rows::default());
                }
                let rows = parts.last_mut().unwrap();
                match value {
                    Some(value) => rows.put(|to| to.extend_from_slice(&key), |to| to.push(value)),
                    None => rows.remove(|to| to.extend_from_slice(&key)),
                }
                plain.insert(key, value);
            }
            let found: Vec<_> =
                last_of_each_key(&parts).map(|(key, value)| (key.to_vec(), value.map(|value| value[0]))).collect();
            prop_assert_eq!(found, plain.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn heavy_tables_are_taken_out_whole() {
        let mut bundle = Bundle::default();
        assert!(bundle.take_heavy(0).is_none(), "there is nothing");
        bundle.of(Table::Cells).put(|to| to.push(1), |to| to.extend_from_slice(&[0; 100]));
        bundle.of(Table::Alerts).remove(|to| to.push(2));
        let (table, rows) = bundle.take_heavy(100).unwrap();
        assert_eq!((table, last_of_each_key(&[rows]).count()), (Table::Cells, 1));
        assert!(bundle.take_heavy(100).is_none(), "what is light waits");
        assert!(bundle.take_heavy(0).is_some_and(|(table, _)| table == Table::Alerts));
    }
}
