//! Facts without a bill: cash, orders, reference data as events.
//!
//! Nobody folds them, so each is a life of its own, together with the corrections that point at it. Records hang together
//! by event id and target. A record may show that two lives are one (the correction of a correction came before it): the
//! second then goes on in the first. A member's book of a date is a life, too: its records hang together by holder and date,
//! and each adds to features for itself, so that a line more costs one line.

use std::hash::BuildHasher as _;

use billwatch_market::{
    bill::{Effect, Outcome},
    books::book_of,
    corrections::effective_at,
    fact::{EventId, Fact},
    fact_scope::Home,
    pattern::Hit,
};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use smallvec::{SmallVec, smallvec};

use super::{Dense, Lives, SINGLE, folding::settle_due, single_place};
use crate::{
    dataflow::valuation::{Sink, Valued},
    store::{history::Past, subject::Family},
};

/// A fact without a bill, with all records that hang together with it. Nearly all are one record and nothing else: what
/// the others have lies behind a pointer.
pub struct Single {
    /// Halves of the event id that names its history: without the padding of 128 bits.
    root: [u64; 2],
    /// Latest event time of any record, ms.
    pub last_time: i64,
    /// Marks of parties and branches that its records name.
    pub parties: SmallVec<[u32; 4]>,
    /// What it is: corrections never cross.
    pub family: Family,
    more: Option<Box<More>>,
}

/// What corrections bring.
#[derive(Default)]
pub struct More {
    /// Lives that were joined: their histories belong here.
    pub joined: Vec<Dense>,
    /// Alerts by instant (corrections that lead nowhere).
    pub due: Vec<(i64, Hit)>,
    /// Event ids that lead here beside the root: of its records and of their targets.
    pub events: Vec<EventId>,
}

impl Single {
    fn new(family: Family, root: EventId) -> Self {
        let root = [root as u64, (root >> 64) as u64];
        Single { root, last_time: i64::MIN, parties: SmallVec::new(), family, more: None }
    }

    /// Names its history.
    pub fn root(&self) -> EventId {
        u128::from(self.root[1]) << 64 | u128::from(self.root[0])
    }

    /// Lives that were joined.
    pub fn joined(&self) -> &[Dense] {
        self.more.as_ref().map_or(&[], |more| &more.joined)
    }

    /// Alerts by instant.
    pub fn due(&self) -> &[(i64, Hit)] {
        self.more.as_ref().map_or(&[], |more| &more.due)
    }

    /// Event ids that lead here beside the root.
    pub fn events(&self) -> &[EventId] {
        self.more.as_ref().map_or(&[], |more| &more.events)
    }

    /// What corrections bring; made when there is none.
    pub fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    fn heap_bytes(&self) -> usize {
        let parties = if self.parties.spilled() { self.parties.capacity() * size_of::<u32>() } else { 0 };
        let more = self.more.as_ref().map_or(0, |more| {
            size_of::<More>()
                + more.joined.capacity() * size_of::<Dense>()
                + more.due.capacity() * size_of::<(i64, Hit)>()
                + more.events.capacity() * size_of::<EventId>()
        });
        parties + more
    }
}

/// The singles of one worker, numbered from 0 in order of arrival, with the top bit of the number set.
#[derive(Default)]
pub struct Singles {
    list: Vec<Single>,
    by_root: HashTable<Dense>,
    /// Other event ids, and roots of singles that went on in another.
    aliases: HashMap<(Family, EventId), Dense>,
    hasher: DefaultHashBuilder,
}

impl Singles {
    /// All numbers.
    pub fn numbers(&self) -> impl ExactSizeIterator<Item = Dense> + use<> {
        (0..self.list.len() as Dense).map(|place| place | SINGLE)
    }

    /// The single of a number.
    pub fn get(&self, dense: Dense) -> &Single {
        &self.list[single_place(dense)]
    }

    /// The single of a number, to be changed.
    pub fn get_mut(&mut self, dense: Dense) -> &mut Single {
        &mut self.list[single_place(dense)]
    }

    /// The single that an event id leads to.
    pub fn find(&self, family: Family, event: EventId) -> Option<Dense> {
        // A joined life is found under the one that it goes on in.
        if let Some(alias) = self.aliases.get(&(family, event)) {
            return Some(*alias);
        }
        let is_it = |dense: &Dense| {
            let single = self.get(*dense);
            single.family == family && single.root() == event
        };
        self.by_root.find(self.hasher.hash_one((family, event)), is_it).copied()
    }

    /// The single in which one goes on that was joined to it; itself when it was not.
    pub fn now(&self, dense: Dense) -> Dense {
        let single = self.get(dense);
        self.aliases.get(&(single.family, single.root())).copied().unwrap_or(dense)
    }

    /// A new one.
    pub fn push(&mut self, family: Family, root: EventId) -> Dense {
        let dense = self.list.len() as Dense | SINGLE;
        if self.list.len() == self.list.capacity() {
            self.list.reserve_exact(256.max(self.list.len() / 4));
        }
        self.list.push(Single::new(family, root));
        let Singles { list, by_root, hasher, .. } = self;
        let hash = |dense: &Dense| {
            let single = &list[single_place(*dense)];
            hasher.hash_one((single.family, single.root()))
        };
        by_root.insert_unique(hash(&dense), dense, hash);
        dense
    }

    /// Lets an event id lead to a single.
    pub fn lead(&mut self, event: EventId, dense: Dense) {
        let family = self.get(dense).family;
        if self.find(family, event) != Some(dense) {
            self.aliases.insert((family, event), dense);
            self.get_mut(dense).more().events.push(event);
        }
    }

    /// One single goes on in another, with all that leads to it.
    fn join(&mut self, into: Dense, from: Dense) {
        let from_single = self.get_mut(from);
        let root = from_single.root();
        let More { joined, events, .. } = from_single.more();
        let (joined, events) = (std::mem::take(joined), std::mem::take(events));
        for event in events.into_iter().chain([root]) {
            self.lead(event, into);
        }
        self.get_mut(into).more().joined.extend(joined.into_iter().chain([from]));
    }

    /// Bytes of all singles and of what finds them.
    pub fn heap_bytes(&self) -> usize {
        let alias = size_of::<((Family, EventId), Dense)>() + 1;
        self.list.iter().map(Single::heap_bytes).sum::<usize>()
            + self.list.capacity() * size_of::<Single>()
            + (self.by_root.capacity() * 5 + self.aliases.capacity() * alias) * 8 / 7
    }
}

impl Lives {
    /// Records of singles hang together by event id and target.
    pub(super) fn single_life(&mut self, family: Family, fact: &Fact) -> Dense {
        let target = fact.correction.map(|(_, target)| target);
        let known = |event| self.singles.find(family, event);
        let dense = match (known(fact.event_id), target.and_then(known)) {
            (Some(own), Some(theirs)) if own != theirs => self.join(theirs, own),
            (Some(dense), _) | (None, Some(dense)) => dense,
            (None, None) => self.singles.push(family, fact.event_id),
        };
        for event in [Some(fact.event_id), target].into_iter().flatten() {
            self.singles.lead(event, dense);
        }
        dense
    }

    /// The records of a book are one life: a book may have as many lines as its holder has lots, so a line has no place in
    /// memory.
    pub(super) fn book_life(&mut self, record: &Fact) -> Dense {
        let book = book_of(record);
        self.singles.find(Family::Book, book).unwrap_or_else(|| self.singles.push(Family::Book, book))
    }

    /// A record joins two lives that were apart (the correction of a correction came before it). The second goes on in the
    /// first: what it has added so far is taken away when the first is next valued, which is in this epoch.
    fn join(&mut self, into: Dense, from: Dense) -> Dense {
        self.singles.join(into, from);
        self.dirty.mark(from);
        self.joins.push((into, from));
        into
    }

    /// Takes a single out as it was before the epoch, under the reference data that it was valued with.
    pub(super) fn take_out_single(&mut self, dense: Dense, past: &[Past], epoch: u64, sink: &mut Sink<'_>) {
        // Lives that were apart until this epoch were valued apart.
        let joined: Vec<Dense> = self.joins.iter().filter(|(into, _)| *into == dense).map(|(_, from)| *from).collect();
        let home = |part: Dense| {
            let within = |from: &&Dense| **from == part || self.singles.get(**from).joined().contains(&part);
            joined.iter().find(within).copied().unwrap_or(dense)
        };
        let mut families: HashMap<Dense, Vec<Fact>> = HashMap::new();
        for past in past.iter().filter(|past| past.epoch < epoch) {
            families.entry(home(past.life)).or_default().push(past.fact.clone());
        }
        for (part, records) in families {
            self.valuer.crosses().turn_to(part);
            self.value_family(self.home_of(dense), records, -1, sink);
        }
        for from in joined {
            self.settle_single(from, Vec::new(), sink);
        }
    }

    /// Values the facts that come of the records of a single; says what waits.
    pub(super) fn value_family(
        &mut self,
        at: Home,
        records: Vec<Fact>,
        weight: i32,
        sink: &mut Sink<'_>,
    ) -> Vec<(i64, Hit)> {
        let copies = records.clone();
        let effective = effective_at(at, records);
        for fact in &effective.facts {
            let has_variants = effective.variants.iter().any(|variant| variant.event_id == fact.event_id);
            self.value_single(fact, has_variants, weight, sink);
        }
        for record in &effective.books {
            self.valuer.value_book(record, &self.reference, weight, sink);
        }
        self.valuer.count_fates(&effective, weight);
        self.valuer.waiting(&copies, &effective)
    }

    pub(super) fn value_single(&mut self, fact: &Fact, has_variants: bool, weight: i32, sink: &mut Sink<'_>) {
        let outcome =
            Outcome { effect: Effect::Informational, changes: smallvec![], cuts: smallvec![], answered: None };
        let valued = Valued { fact, outcome: &outcome, bill: None, has_variants };
        self.valuer.value(valued, &self.reference, weight, None, sink);
    }

    /// Replaces what a single makes due.
    pub(super) fn settle_single(&mut self, dense: Dense, due: Vec<(i64, Hit)>, sink: &mut Sink<'_>) {
        let single = self.singles.get_mut(dense);
        if *single.due() != *due {
            settle_due(&mut single.more().due, due, dense, self.clock, &mut self.timers, sink);
        }
    }
}
