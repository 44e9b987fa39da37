//! Figures that no single fact adds, worked out from all facts of a bill or desk when they are asked for: how long
//! settlements queued (`queue_minutes`), how many records share an event id (`dup_events`), and which enterprises are new
//! (`new_enterprises`). Source: derived.csv `measure.*`, `queue duration`.
//!
//! Like members of sets they come as [`SetDelta`]s of the one who has the facts, and nobody keeps them. A newcomer is the one
//! thing that needs all homes: each keeper tells the first fact of every enterprise that it knows of ([`First`]), and
//! whoever puts the answers together takes the earliest ([`earliest`]).
//!
//! Invariant: a pure function of the facts of the homes and the market clock; the order of homes does not matter.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{
    Aggregates, is_time,
    measure::{Form, SetKind},
    sink::{CellKey, SetDelta},
};
use crate::{
    bill::TextHash,
    corrections::Variant,
    fact::{Field, OrderKey, Range, behaviour},
    ids::Day,
    items::{Item, Items},
    names::{Name, Role},
    observe::{Observation, Player},
};

const MINUTE_MS: i64 = 60_000;

/// The first fact of an enterprise, in one cell that it counts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct First {
    /// Bits of the enterprise.
    pub who: u64,
    /// Place of the fact in the order of all.
    pub at: OrderKey,
    /// The cell.
    pub key: CellKey,
}

/// The cells of the first fact of each enterprise, of what several keepers know.
pub fn earliest(firsts: &[First]) -> BTreeMap<u64, Vec<CellKey>> {
    let mut known: BTreeMap<u64, (OrderKey, Vec<CellKey>)> = BTreeMap::new();
    for first in firsts {
        let (at, keys) = known.entry(first.who).or_insert_with(|| (first.at, Vec::new()));
        if first.at < *at {
            (*at, *keys) = (first.at, Vec::new());
        }
        if first.at == *at && !keys.contains(&first.key) {
            keys.push(first.key);
        }
    }
    known.into_iter().map(|(who, (_, keys))| (who, keys)).collect()
}

/// The pairs that have such figures.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    newcomers: Vec<u16>,
    queued: Vec<u16>,
    variants: Vec<u16>,
}

impl Wanted {
    pub fn among(aggregates: &Aggregates, wants: &dyn Fn(u16) -> bool) -> Self {
        let mut wanted = Wanted::default();
        for (number, pair) in
            (0u16..).zip(aggregates.pairs.iter()).filter(|(number, pair)| wants(*number) && !pair.stock)
        {
            for measure in &aggregates.themes[usize::from(pair.theme)].measures {
                match measure.form {
                    Form::Newcomers => wanted.newcomers.push(number),
                    Form::Weights(SetKind::Queued) => wanted.queued.push(number),
                    Form::Weights(SetKind::Variants) => wanted.variants.push(number),
                    _ => {}
                }
            }
        }
        wanted
    }
}

/// What is known of the first fact of an enterprise.
struct Known {
    at: OrderKey,
    date: Day,
    cells: SmallVec<[(u16, Item); 8]>,
}

/// A settlement that queues.
struct Waiting {
    /// Of the fact that began it.
    member: u64,
    since: i64,
    date: Day,
    cells: Vec<(u16, Item)>,
    of: What,
}

#[derive(PartialEq)]
enum What {
    Queue(TextHash),
    Payment(Range),
}

/// Reads homes one after the other: [`HomeReader::see`] every fact of one in order, then [`HomeReader::end_home`].
pub struct HomeReader {
    aggregates: Arc<Aggregates>,
    clock: Option<i64>,
    firsts: HashMap<u64, Known>,
    waiting: Vec<Waiting>,
    begun: HashSet<TextHash>,
    members: Vec<SetDelta>,
}

impl HomeReader {
    /// For the pairs that these aggregates feed, at a market clock (ms).
    pub fn new(aggregates: Arc<Aggregates>, clock: Option<i64>) -> Self {
        HomeReader {
            aggregates,
            clock,
            firsts: HashMap::new(),
            waiting: Vec::new(),
            begun: HashSet::new(),
            members: Vec::new(),
        }
    }

    /// The next fact of the home; `variants`: those of the home.
    pub fn see(&mut self, seen: &Observation<'_>, variants: &[Variant]) {
        let aggregates = self.aggregates.clone();
        let wanted = &aggregates.by_home;
        if !wanted.newcomers.is_empty() && seen.fact.bill_id.is_some() && seen.effect().counts() {
            self.newcomers(seen);
        }
        if !wanted.queued.is_empty() && seen.effect().counts() {
            self.queues(seen);
        }
        if !wanted.variants.is_empty() {
            let others = variants.iter().filter(|variant| variant.event_id == seen.fact.event_id).count();
            if others > 0 {
                let member = event_member(seen);
                for (pair, item) in self.cells(&wanted.variants, seen) {
                    let key = CellKey { pair, date: seen.fact.biz_date, item };
                    self.members.push(SetDelta { key, set: SetKind::Variants, member, weight: others as i64 });
                }
            }
        }
    }

    /// The home has no further facts: what queues still does so until the market clock.
    pub fn end_home(&mut self, mut give: impl FnMut(SetDelta)) {
        for waiting in std::mem::take(&mut self.waiting) {
            let until = self.clock.unwrap_or(waiting.since);
            self.waited(waiting, until);
        }
        self.begun.clear();
        self.members.drain(..).for_each(&mut give);
    }

    /// The first fact of every enterprise of all homes.
    pub fn firsts(&mut self) -> Vec<First> {
        let cells = |(who, known): (u64, Known)| {
            let (at, date) = (known.at, known.date);
            known.cells.into_iter().map(move |(pair, item)| First { who, at, key: CellKey { pair, date, item } })
        };
        let mut firsts: Vec<First> = std::mem::take(&mut self.firsts).into_iter().flat_map(cells).collect();
        firsts.sort_unstable_by_key(|first| (first.who, first.key));
        firsts
    }

    fn newcomers(&mut self, seen: &Observation<'_>) {
        let at = seen.fact.order_key();
        for (role, player) in seen.enterprises() {
            let who = player.party.bits();
            let known = self.firsts.get(&who);
            if known.is_some_and(|known| known.at < at) {
                continue;
            }
            if known.is_none_or(|known| known.at != at) {
                self.firsts.insert(who, Known { at, date: seen.fact.biz_date, cells: SmallVec::new() });
            }
            let role = role.item(self.aggregates.meanings.vocabulary().known.role);
            for pair in &self.aggregates.by_home.newcomers {
                for item in items_of_enterprise(self.aggregates.pair(*pair).name, seen, player, role) {
                    let Some(known) = self.firsts.get_mut(&who) else { continue };
                    if !known.cells.contains(&(*pair, item)) {
                        known.cells.push((*pair, item));
                    }
                }
            }
        }
    }

    fn queues(&mut self, seen: &Observation<'_>) {
        let fact = seen.fact;
        if let Some(queue) = fact.text(Field::QueueId).map(TextHash::of) {
            let meanings = &self.aggregates.meanings;
            let still = meanings.is_queued(seen.field_item(Field::SettlementResult));
            if self.begun.insert(queue) {
                self.begin(seen, What::Queue(queue));
            }
            if !still {
                self.end(fact.event_time, |of| *of == What::Queue(queue));
            }
        }
        match fact.behaviour {
            behaviour::PAY_QUE => self.begin(seen, What::Payment(fact.range)),
            behaviour::PAY_SET | behaviour::PAY_SUB | behaviour::PAY_FLD => {
                let touches = |of: &What| matches!(of, What::Payment(range) if overlap(*range, fact.range));
                self.end(fact.event_time, touches);
            }
            _ => {}
        }
    }

    fn begin(&mut self, seen: &Observation<'_>, of: What) {
        let cells = self.cells(&self.aggregates.by_home.queued, seen);
        let (since, date) = (seen.fact.event_time, seen.fact.biz_date);
        self.waiting.push(Waiting { member: event_member(seen), since, date, cells, of });
    }

    fn end(&mut self, at: i64, ends: impl Fn(&What) -> bool) {
        while let Some(place) = self.waiting.iter().position(|waiting| ends(&waiting.of)) {
            let waiting = self.waiting.remove(place);
            self.waited(waiting, at);
        }
    }

    fn waited(&mut self, waiting: Waiting, until: i64) {
        let weight = (until - waiting.since).max(0) / MINUTE_MS;
        for (pair, item) in waiting.cells {
            let key = CellKey { pair, date: waiting.date, item };
            self.members.push(SetDelta { key, set: SetKind::Queued, member: waiting.member, weight });
        }
    }

    fn cells(&self, pairs: &[u16], seen: &Observation<'_>) -> Vec<(u16, Item)> {
        let mut cells = Vec::new();
        for pair in pairs {
            let name = self.aggregates.pair(*pair).name;
            let items = if is_time(name) { Items::from_slice(&[Item::ALL]) } else { seen.items(name) };
            cells.extend(items.into_iter().map(|item| (*pair, item)));
        }
        cells
    }
}

fn items_of_enterprise(name: Name, seen: &Observation<'_>, player: Player, role: Item) -> Items {
    match name {
        name if is_time(name) => Items::from_slice(&[Item::ALL]),
        Name::Of(Role::EachEnterprise, attribute) => seen.items_of(Role::EachEnterprise, player, attribute),
        Name::PartyRole => Items::from_slice(&[role]),
        name => seen.items(name),
    }
}

/// A fact as a member of a set.
fn event_member(seen: &Observation<'_>) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&seen.fact.event_id.to_le_bytes())
}

fn overlap(left: Range, right: Range) -> bool {
    left == Range::WHOLE || right == Range::WHOLE || (left.start <= right.end && right.start <= left.end)
}
