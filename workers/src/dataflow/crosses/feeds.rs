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
    dataflow::lives::{Dense, Sweep},
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

/// A walk over the history for crosses that were ordered together.
pub struct Filling {
    /// Names it.
    pub number: u32,
    /// Lives that it has not reached are not counted.
    pub sweep: Sweep,
}

/// One cross, as its facts are counted here.
struct Feed {
    id: CrossId,
    definition: CrossDefinition,
    /// Epoch of its order.
    version: u64,
    /// By which filling; `None`: every life is counted.
    filling: Option<u32>,
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
    /// In order of their orders.
    fillings: Vec<Filling>,
    next_filling: u32,
    sink: CrossSink,
    /// Of the epoch at hand.
    live: Waiting,
    /// Of lives that filling has reached.
    filled: Waiting,
}

impl CrossFeeds {
    /// Without crosses.
    pub fn new(aggregates: Arc<Aggregates>) -> Self {
        CrossFeeds {
            aggregates,
            set: CrossSet::new(Vec::new()),
            feeds: Vec::new(),
            fillings: Vec::new(),
            next_filling: 0,
            sink: CrossSink::new(false),
            live: HashMap::new(),
            filled: HashMap::new(),
        }
    }

    fn add(&mut self, cross: Arc<Cross>, version: u64, filling: Option<u32>) {
        let (id, definition) = (cross.id, cross.definition.clone());
        self.feeds.push(Feed { id, definition, version, is_news: filling.is_some(), filling, counts: true });
        self.set = CrossSet::new(self.set.crosses().iter().cloned().chain([cross]).collect());
    }

    /// Begins a cross; gives its id, or nothing when it is kept already. With a walk: it is filled by it, together with what was
    /// ordered at the same time.
    ///
    /// # Errors
    /// The definition does not compile: the order is of another catalogue.
    pub fn keep(
        &mut self,
        definition: &CrossDefinition,
        version: u64,
        sweep: Option<Sweep>,
    ) -> Result<Option<CrossId>, String> {
        let cross = self.aggregates.cross(definition).map_err(|error| format!("cross {definition}: {error}"))?;
        if self.set.find(cross.id).is_some() {
            return Ok(None);
        }
        let id = cross.id;
        let filling = sweep.map(|sweep| self.filling_of(sweep));
        self.add(Arc::new(cross), version, filling);
        Ok(Some(id))
    }

    fn filling_of(&mut self, sweep: Sweep) -> u32 {
        if let Some(same) = self.fillings.iter().find(|filling| filling.sweep.is_like(&sweep)) {
            return same.number;
        }
        let number = self.next_filling;
        self.next_filling += 1;
        self.fillings.push(Filling { number, sweep });
        number
    }

    /// Ends fillings that nobody needs.
    fn forget_fillings(&mut self) {
        let feeds = &self.feeds;
        self.fillings.retain(|filling| feeds.iter().any(|feed| feed.filling == Some(filling.number)));
    }

    fn sweep_of(&self, feed: &Feed) -> Option<&Sweep> {
        let number = feed.filling?;
        self.fillings.iter().find(|filling| filling.number == number).map(|filling| &filling.sweep)
    }

    /// Ends a cross.
    pub fn drop(&mut self, id: CrossId) {
        self.feeds.retain(|feed| feed.id != id);
        self.set = CrossSet::new(self.set.crosses().iter().filter(|cross| cross.id != id).cloned().collect());
        for waiting in [&mut self.live, &mut self.filled] {
            waiting.retain(|(cross, _), _| *cross != id);
        }
        self.forget_fillings();
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
        for Filling { number, sweep } in &self.fillings {
            let counts = sweep.has_passed(dense);
            self.feeds.iter_mut().filter(|feed| feed.filling == Some(*number)).for_each(|feed| feed.counts = counts);
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
        if self.is_filling() {
            self.filled.extract_if(|_, _| true).take(CROSS_ROWS_AN_EPOCH).map(row).for_each(&mut give);
            let waits = |id: CrossId| self.filled.keys().any(|(cross, _)| *cross == id);
            let is_done = |feed: &Feed| self.sweep_of(feed).is_some_and(Sweep::is_over) && !waits(feed.id);
            let done: Vec<CrossId> = self.feeds.iter().filter(|feed| is_done(feed)).map(|feed| feed.id).collect();
            for feed in self.feeds.iter_mut().filter(|feed| done.contains(&feed.id)) {
                (feed.filling, feed.counts) = (None, true);
            }
            self.forget_fillings();
        }
    }

    /// True while a cross is being filled.
    pub fn is_filling(&self) -> bool {
        !self.fillings.is_empty()
    }

    /// Takes out the filling that goes on next, until [`CrossFeeds::go_on_filling`]; `None` when nobody is to be counted now: all
    /// are, or too many rows wait to leave.
    pub fn take_filling(&mut self) -> Option<Filling> {
        if self.filled.len() >= CROSS_ROWS_WAITING {
            return None;
        }
        let place = self.fillings.iter().position(|filling| !filling.sweep.is_over())?;
        Some(self.fillings.remove(place))
    }

    /// Puts back what [`CrossFeeds::take_filling`] took.
    pub fn go_on_filling(&mut self, filling: Filling) {
        let place = self.fillings.partition_point(|other| other.number < filling.number);
        self.fillings.insert(place, filling);
    }

    /// True when a fact may add to some cross.
    pub fn reads(&self, behaviour: Behaviour, outcome: &Outcome) -> bool {
        !outcome.changes.is_empty() || !outcome.cuts.is_empty() || !self.set.ignores(behaviour)
    }

    /// Adds a fact of a life that a filling has reached.
    pub fn fill(&mut self, seen: &Observation<'_>, filling: u32) {
        let CrossFeeds { aggregates, set, feeds, sink, filled, .. } = self;
        set.observe(aggregates, seen, 1, |place| feeds[usize::from(place)].filling == Some(filling), sink);
        drain(feeds, sink, filled);
    }

    /// How far each ordered cross is: those that are being filled or have just been, or all. `worker` and cells are left open.
    pub fn progress(&mut self, all: bool) -> Vec<v1::CrossProgress> {
        let mut progress = Vec::new();
        let sweeps: Vec<(usize, usize)> = self
            .feeds
            .iter()
            .map(|feed| self.sweep_of(feed).map_or((0, 0), |sweep| (sweep.passed(), sweep.lives())))
            .collect();
        for (feed, (counted, lives)) in self.feeds.iter_mut().zip(sweeps) {
            let news = std::mem::replace(&mut feed.is_news, feed.filling.is_some());
            if news || all {
                progress.push(v1::CrossProgress {
                    cross: feed.id.0,
                    version: feed.version,
                    lives_counted: counted as u64,
                    lives: lives as u64,
                    done: feed.filling.is_none(),
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
