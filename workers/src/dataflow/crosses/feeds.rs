//! What facts add to crosses, on the worker that folds them.

use std::sync::Arc;

use billwatch_market::{
    aggregate::{
        Aggregates,
        cross::{Cross, CrossDefinition, CrossId, CrossKey, CrossSet, CrossSink},
    },
    bill::Outcome,
    fact::Behaviour,
    observe::Observation,
};
use billwatch_proto::v1;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::{
    dataflow::lives::{Dense, SINGLE, single_place},
    limits::{CROSS_ROWS_AN_EPOCH, CROSS_ROWS_WAITING},
};

/// A changed cell of a cross on its way to its owner: what is added to its sums.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CrossRow {
    /// Which cross.
    pub cross: CrossId,
    /// Which cell.
    pub key: CrossKey,
    /// Added to its slots.
    pub sums: Sums,
}

type Sums = SmallVec<[i128; 4]>;

/// How far the filling of a cross has come. Lives are numbered in order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// The next bill to count.
    pub next_bill: usize,
    /// Bills from here on began after the order.
    pub bills: usize,
    /// The next fact without a bill to count.
    pub next_single: usize,
    /// Facts without a bill from here on came after the order.
    pub singles: usize,
}

impl Fill {
    /// True when the life is counted.
    fn counts(&self, dense: Dense) -> bool {
        if dense & SINGLE == 0 {
            let place = dense as usize;
            place < self.next_bill || place >= self.bills
        } else {
            let place = single_place(dense);
            place < self.next_single || place >= self.singles
        }
    }

    /// True when all lives are.
    pub fn is_over(&self) -> bool {
        self.next_bill >= self.bills && self.next_single >= self.singles
    }
}

/// One cross, as its facts are counted here.
struct Feed {
    id: CrossId,
    definition: CrossDefinition,
    /// Epoch of its order; 0: of the catalogue.
    version: u64,
    /// `None`: every life is counted.
    fill: Option<Fill>,
    /// It was filled, and nobody was told.
    is_news: bool,
    /// The life at hand is counted.
    counts: bool,
}

/// Rows by cell, added up.
type Waiting = HashMap<(CrossId, CrossKey), Sums>;

/// All crosses, as their facts are counted here.
pub struct CrossFeeds {
    aggregates: Arc<Aggregates>,
    set: CrossSet,
    /// In the order of the set.
    feeds: Vec<Feed>,
    is_filling: bool,
    sink: CrossSink,
    /// Of the epoch at hand.
    live: Waiting,
    /// Of lives that filling has reached.
    filled: Waiting,
}

impl CrossFeeds {
    /// The crosses of the catalogue.
    pub fn new(aggregates: Arc<Aggregates>, of_catalogue: &CrossSet) -> Self {
        let mut feeds = CrossFeeds {
            aggregates,
            set: CrossSet::default(),
            feeds: Vec::new(),
            is_filling: false,
            sink: CrossSink::new(false),
            live: HashMap::new(),
            filled: HashMap::new(),
        };
        of_catalogue.crosses().iter().for_each(|cross| feeds.add(cross.clone(), 0, None));
        feeds
    }

    fn add(&mut self, cross: Arc<Cross>, version: u64, fill: Option<Fill>) {
        let (id, definition) = (cross.id, cross.definition.clone());
        self.feeds.push(Feed { id, definition, version, is_news: fill.is_some(), fill, counts: true });
        self.set = CrossSet::new(self.set.crosses().iter().cloned().chain([cross]).collect());
        self.is_filling |= fill.is_some();
    }

    /// Begins a cross; gives its id, or nothing when it is kept already.
    ///
    /// # Errors
    /// The definition does not compile: the order is of another build.
    pub fn keep(
        &mut self,
        definition: &CrossDefinition,
        version: u64,
        fill: Option<Fill>,
    ) -> Result<Option<CrossId>, String> {
        let cross = self.aggregates.cross(definition).map_err(|error| format!("cross {definition}: {error}"))?;
        if self.set.find(cross.id).is_some() {
            return Ok(None);
        }
        let id = cross.id;
        self.add(Arc::new(cross), version, fill);
        Ok(Some(id))
    }

    /// Ends a cross.
    pub fn drop(&mut self, id: CrossId) {
        self.feeds.retain(|feed| feed.id != id);
        self.set = CrossSet::new(self.set.crosses().iter().filter(|cross| cross.id != id).cloned().collect());
        for waiting in [&mut self.live, &mut self.filled] {
            waiting.retain(|(cross, _), _| *cross != id);
        }
        self.is_filling = self.feeds.iter().any(|feed| feed.fill.is_some());
    }

    /// Every compiled cross.
    pub fn crosses(&self) -> &[Arc<Cross>] {
        self.set.crosses()
    }

    /// The compiled cross.
    pub fn find(&self, id: CrossId) -> Option<&Arc<Cross>> {
        self.set.find(id).map(|place| &self.set.crosses()[place])
    }

    /// Every cross: its definition and the epoch of its order.
    pub fn list(&self) -> impl Iterator<Item = (&CrossDefinition, u64)> {
        self.feeds.iter().map(|feed| (&feed.definition, feed.version))
    }

    /// Says whose facts come next: they are counted where the life is.
    #[inline]
    pub fn turn_to(&mut self, dense: Dense) {
        if self.is_filling {
            self.feeds.iter_mut().for_each(|feed| feed.counts = feed.fill.is_none_or(|fill| fill.counts(dense)));
        }
    }

    /// Adds what a fact of the life at hand does, times a weight.
    #[inline]
    pub fn observe(&mut self, seen: &Observation<'_>, weight: i64) {
        if !self.feeds.is_empty() {
            let CrossFeeds { aggregates, set, feeds, sink, live, .. } = self;
            set.observe(aggregates, seen, weight, |place| feeds[usize::from(place)].counts, sink);
            drain(feeds, sink, live);
        }
    }

    /// Hands the rows of the epoch over, and some of those that filling waits with.
    pub fn ship(&mut self, mut give: impl FnMut(CrossRow)) {
        let row = |((cross, key), sums)| CrossRow { cross, key, sums };
        let is_something = |sums: &Sums| sums.iter().any(|sum| *sum != 0);
        self.live.drain().filter(|(_, sums)| is_something(sums)).map(row).for_each(&mut give);
        if self.is_filling {
            self.filled.extract_if(|_, _| true).take(CROSS_ROWS_AN_EPOCH).map(row).for_each(&mut give);
            let waits = |id: CrossId| self.filled.keys().any(|(cross, _)| *cross == id);
            let is_done = |feed: &Feed| feed.fill.is_some_and(|fill| fill.is_over()) && !waits(feed.id);
            let done: Vec<CrossId> = self.feeds.iter().filter(|feed| is_done(feed)).map(|feed| feed.id).collect();
            for feed in self.feeds.iter_mut().filter(|feed| done.contains(&feed.id)) {
                (feed.fill, feed.counts) = (None, true);
            }
            self.is_filling = self.feeds.iter().any(|feed| feed.fill.is_some());
        }
    }

    /// True while a cross is being filled.
    pub fn is_filling(&self) -> bool {
        self.is_filling
    }

    /// Where the crosses that are filled next stand; `None` when nobody is to be counted now: all are, or too many rows wait
    /// to leave.
    pub fn next_fill(&self) -> Option<Fill> {
        if !self.is_filling || self.filled.len() >= CROSS_ROWS_WAITING {
            return None;
        }
        self.feeds.iter().filter_map(|feed| feed.fill).find(|fill| !fill.is_over())
    }

    /// True when a fact may add to some cross.
    pub fn reads(&self, behaviour: Behaviour, outcome: &Outcome) -> bool {
        !outcome.changes.is_empty() || !outcome.cuts.is_empty() || !self.set.ignores(behaviour)
    }

    /// Adds a fact of a life that the crosses which stand at `at` reach.
    pub fn fill(&mut self, seen: &Observation<'_>, at: Fill) {
        let CrossFeeds { aggregates, set, feeds, sink, filled, .. } = self;
        set.observe(aggregates, seen, 1, |place| feeds[usize::from(place)].fill == Some(at), sink);
        drain(feeds, sink, filled);
    }

    /// The crosses that stand at `at` have counted up to `to`.
    pub fn advance(&mut self, at: Fill, to: Fill) {
        self.feeds.iter_mut().filter(|feed| feed.fill == Some(at)).for_each(|feed| feed.fill = Some(to));
    }

    /// How far each ordered cross is: those that are being filled or have just been, or all. `worker` and cells are left open.
    pub fn progress(&mut self, all: bool) -> Vec<v1::CrossProgress> {
        let mut progress = Vec::new();
        for feed in self.feeds.iter_mut().filter(|feed| feed.version > 0) {
            let news = std::mem::replace(&mut feed.is_news, feed.fill.is_some());
            if news || all {
                let (counted, lives) =
                    feed.fill.map_or((0, 0), |fill| (fill.next_bill + fill.next_single, fill.bills + fill.singles));
                progress.push(v1::CrossProgress {
                    cross: feed.id.0,
                    version: feed.version,
                    lives_counted: counted as u64,
                    lives: lives as u64,
                    done: feed.fill.is_none(),
                    ..v1::CrossProgress::default()
                });
            }
        }
        progress
    }

    /// Bytes held, estimated.
    pub fn heap_bytes(&self) -> usize {
        (self.live.capacity() + self.filled.capacity()) * (size_of::<((CrossId, CrossKey), Sums)>() + 1)
    }
}

fn drain(feeds: &[Feed], sink: &mut CrossSink, to: &mut Waiting) {
    for (row, sums, _) in sink.rows() {
        let known = to.entry((feeds[usize::from(row.cross)].id, row.key)).or_default();
        if known.is_empty() {
            known.extend_from_slice(sums);
        } else {
            known.iter_mut().zip(sums).for_each(|(sum, more)| *sum += more);
        }
    }
    sink.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_counted_before_the_place_reached_and_behind_the_end() {
        let fill = Fill { next_bill: 3, bills: 5, next_single: 0, singles: 2 };
        let counted = |dense| fill.counts(dense);
        assert_eq!([2, 3, 4, 5].map(counted), [true, false, false, true]);
        assert_eq!([SINGLE, SINGLE | 1, SINGLE | 2].map(counted), [false, false, true]);
        assert!(!fill.is_over());
        assert!(Fill { next_bill: 5, next_single: 2, ..fill }.is_over());
    }
}
