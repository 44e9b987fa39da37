//! Where the interpreter finds figures: in the tables of a question, or nowhere, when it only notes what it would read.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use hashbrown::HashMap;

use super::{
    definition::Book,
    names::ReportName,
    reading::at_end,
    tally::{About, Asked, Held, Key, Tables},
};
use crate::{
    ids::{Day, PartyId},
    items::Item,
};

/// Where the interpreter finds figures.
pub(super) trait Source {
    /// The table of a figure; `None`: nothing there.
    fn table(&self, asked: &Asked) -> Option<&BTreeMap<Key, Held>>;
    /// Who a party is at the end of a day.
    fn about(&self, day: Day, party: PartyId) -> Option<&About>;
    /// Only notes what is asked.
    fn is_dry(&self) -> bool {
        false
    }
}

/// Has nothing, and notes what is asked.
#[derive(Default)]
pub(super) struct Notebook {
    pub(super) asked: RefCell<BTreeSet<Asked>>,
}

impl Source for Notebook {
    fn table(&self, asked: &Asked) -> Option<&BTreeMap<Key, Held>> {
        self.asked.borrow_mut().insert(asked.clone());
        None
    }

    fn about(&self, _: Day, _: PartyId) -> Option<&About> {
        None
    }

    fn is_dry(&self) -> bool {
        true
    }
}

/// Tables of a question, ready to be read.
pub struct Figures {
    tables: HashMap<Asked, BTreeMap<Key, Held>>,
    about: BTreeMap<(Day, PartyId), About>,
}

impl Figures {
    /// The tables of a question, all parts added up: raw days go into their buckets.
    pub fn new(book: &Book, asked: &[Asked], tables: Tables) -> Self {
        let mut by_asked = HashMap::new();
        for (asked, table) in asked.iter().zip(tables.tables) {
            let figure = &book.reports[usize::from(asked.report)].figures[usize::from(asked.figure)];
            let mut read: BTreeMap<Key, Held> = BTreeMap::new();
            for (key, held) in table {
                let items = key.iter().zip(&figure.by);
                let read_at_end =
                    |item: Item, name: ReportName| at_end(name, item, asked.span.to, &book.meanings, &tables.about);
                let key: Key = items.map(|(item, (_, name))| read_at_end(*item, *name)).collect();
                match read.entry(key) {
                    std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().add(&held),
                    std::collections::btree_map::Entry::Vacant(place) => drop(place.insert(held)),
                }
            }
            by_asked.insert(asked.clone(), read);
        }
        Figures { tables: by_asked, about: tables.about }
    }
}

impl Source for Figures {
    fn table(&self, asked: &Asked) -> Option<&BTreeMap<Key, Held>> {
        self.tables.get(asked)
    }

    fn about(&self, day: Day, party: PartyId) -> Option<&About> {
        self.about.get(&(day, party))
    }
}
