//! The crosses that are kept: what was ordered, and how far the workers are with it.
//!
//! What is kept is a function of the orders in the log, in their order: an order for a cross that is there, or to drop one that
//! is not, changes nothing. How far each is follows from what the workers of the generation say. A cross is *live* once every
//! worker has said, with an epoch that it had done, that all its lives are counted and shipped; a question that comes later
//! stands behind that epoch in every stream.
//!
//! No checkpoint is taken while a cross is filled ([`Crosses::is_filling_at`]), so whatever a checkpoint holds is whole: a
//! generation that restores it has its crosses live at once, and fills those that were ordered behind it again. Workers are
//! behind the log, so they may still fill a cross that an order there has ended: its life is remembered ([`Ended`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use billwatch_market::aggregate::{
    Aggregates,
    cross::{Cross, CrossDefinition, CrossFilter, CrossId},
};
use billwatch_proto::v1::{self, CustomReportState as State, order};
use billwatch_telemetry::codes;
use tokio::sync::watch;

use crate::{ingest::sequencer::Queue, limits};

/// One cross.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Compiled.
    pub cross: Arc<Cross>,
    /// Name for people.
    pub title: String,
    /// Epoch of its order.
    pub version: u64,
    /// How it stands.
    pub state: State,
    /// By worker.
    progress: BTreeMap<u32, v1::CrossProgress>,
}

impl Kept {
    /// Cells of all workers.
    pub fn cells(&self) -> u64 {
        self.progress.values().map(|said| said.cells).sum()
    }

    /// Lives that are counted, of so many.
    pub fn lives(&self) -> (u64, u64) {
        let sum = |of: fn(&v1::CrossProgress) -> u64| self.progress.values().map(of).sum();
        // A worker that is done says no numbers any more: its part of the others is not known, and small.
        (sum(|said| said.lives_counted), sum(|said| said.lives))
    }
}

/// The life of a cross that an order has ended, because it was dropped or had too many cells. Kept for good, some 100 bytes
/// each: a generation that replays the log fills it again, from its order to its end.
struct Ended {
    id: CrossId,
    /// Epoch of its order.
    version: u64,
    /// Epoch of the order that ended it: workers that have this one fill it no more.
    end: u64,
    /// Every worker of the generation has filled it, or restored it whole.
    is_whole: bool,
    /// Workers that have filled it.
    done: BTreeSet<u32>,
}

impl Ended {
    fn is_filling_at(&self, epoch: u64) -> bool {
        !self.is_whole && (self.version..self.end).contains(&epoch)
    }
}

#[derive(Default)]
struct Book {
    kept: BTreeMap<CrossId, Kept>,
    /// By their end.
    ended: Vec<Ended>,
    /// Workers of the generation.
    workers: usize,
}

impl Book {
    /// An order has ended a cross.
    fn end(&mut self, id: CrossId, end: u64) {
        let Some(kept) = self.kept.get(&id).filter(|kept| kept.state != State::Overflown) else { return };
        let done = kept.progress.values().filter(|said| said.done).map(|said| said.worker);
        let (version, is_whole) = (kept.version, kept.state == State::Live);
        self.ended.push(Ended { id, version, end, is_whole, done: done.collect() });
    }

    /// A worker said how far it is with a cross that has ended since.
    fn heard_of_ended(&mut self, said: &v1::CrossProgress) {
        let is_it = |life: &&mut Ended| (life.id, life.version) == (CrossId(said.cross), said.version);
        if let Some(life) = self.ended.iter_mut().rev().find(is_it).filter(|_| said.done) {
            life.done.insert(said.worker);
            life.is_whole |= life.done.len() == self.workers;
        }
    }
}

/// The crosses of a cluster. Shared.
pub struct Crosses {
    aggregates: Arc<Aggregates>,
    book: Mutex<Book>,
    /// Changes whenever something may have.
    changed: watch::Sender<()>,
}

/// The words of an order, as a definition.
pub fn definition_of(theme: &str, dimensions: &[String], filters: &[v1::CrossFilter]) -> CrossDefinition {
    let filter =
        |filter: &v1::CrossFilter| CrossFilter { dimension: filter.dimension.clone(), items: filter.items.clone() };
    CrossDefinition {
        theme: theme.to_owned(),
        dimensions: dimensions.to_vec(),
        filters: filters.iter().map(filter).collect(),
    }
}

impl Crosses {
    /// What the log says was ordered: orders with their epoch.
    pub fn new(aggregates: Arc<Aggregates>, orders: Vec<(u64, v1::Order)>) -> Self {
        let book = Book::default();
        let crosses = Crosses { aggregates, book: Mutex::new(book), changed: watch::Sender::new(()) };
        orders.iter().for_each(|(epoch, order)| crosses.ordered(*epoch, order));
        crosses
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An order that stands in the log, with its epoch. In the order of the log.
    pub fn ordered(&self, epoch: u64, order: &v1::Order) {
        match &order.kind {
            Some(order::Kind::KeepCross(order)) => {
                let definition = definition_of(&order.theme, &order.dimensions, &order.filters);
                match self.aggregates.cross(&definition) {
                    Ok(cross) => {
                        let kept = Kept {
                            cross: Arc::new(cross),
                            title: order.title.clone(),
                            version: epoch,
                            state: State::Filling,
                            progress: BTreeMap::new(),
                        };
                        self.book().kept.entry(kept.cross.id).or_insert(kept);
                    }
                    Err(error) => {
                        // The catalogue has changed since; workers pass over the order with the same words.
                        let error = error.to_string();
                        tracing::warn!(
                            code = codes::CROSS_REFUSED,
                            epoch,
                            error,
                            "a cross of the log is none any more"
                        );
                    }
                }
            }
            Some(order::Kind::DropCross(order)) => {
                let mut book = self.book();
                let id = CrossId(order.cross);
                book.end(id, epoch);
                if order.overflown {
                    if let Some(kept) = book.kept.get_mut(&id) {
                        (kept.state, kept.progress) = (State::Overflown, BTreeMap::new());
                    }
                } else {
                    book.kept.remove(&id);
                }
            }
            // Not about crosses.
            Some(order::Kind::AlertActions(_)) | None => {}
        }
        self.changed.send_replace(());
    }

    /// A generation of so many workers begins behind a checkpoint.
    pub fn begin(&self, workers: usize, restored_epoch: u64) {
        let mut book = self.book();
        book.workers = workers;
        for kept in book.kept.values_mut().filter(|kept| kept.state != State::Overflown) {
            let is_whole = kept.version <= restored_epoch;
            (kept.state, kept.progress) = (if is_whole { State::Live } else { State::Filling }, BTreeMap::new());
        }
        for life in &mut book.ended {
            (life.is_whole, life.done) = (life.version <= restored_epoch, BTreeSet::new());
        }
        drop(book);
        self.changed.send_replace(());
    }

    /// What a process said with an epoch.
    pub fn heard(&self, progress: Vec<v1::CrossProgress>) {
        if progress.is_empty() {
            return;
        }
        let mut book = self.book();
        let workers = book.workers;
        for said in progress {
            let kept = book.kept.get_mut(&CrossId(said.cross));
            let Some(kept) = kept.filter(|kept| kept.version == said.version && kept.state != State::Overflown) else {
                book.heard_of_ended(&said);
                continue;
            };
            kept.progress.insert(said.worker, said);
            let done = kept.progress.values().filter(|said| said.done).count();
            if kept.state == State::Filling && done == workers {
                kept.state = State::Live;
                tracing::info!(cross = %kept.cross.definition, cells = kept.cells(), "a cross is live");
            }
        }
        drop(book);
        self.changed.send_replace(());
    }

    /// True while workers that have an epoch, and none behind it, fill a cross.
    pub fn is_filling_at(&self, epoch: u64) -> bool {
        let book = self.book();
        // Only the last ones end behind the epoch: nearly always none.
        let mut ended = book.ended.iter().rev().take_while(|life| epoch < life.end);
        book.kept.values().any(|kept| kept.state == State::Filling && kept.version <= epoch)
            || ended.any(|life| life.is_filling_at(epoch))
    }

    /// Every cross, by id.
    pub fn list(&self) -> Vec<Kept> {
        self.book().kept.values().cloned().collect()
    }

    /// One cross.
    pub fn get(&self, id: CrossId) -> Option<Kept> {
        self.book().kept.get(&id).cloned()
    }

    /// Number of crosses that were ordered.
    pub fn ordered_count(&self) -> usize {
        self.book().kept.len()
    }

    /// Compiles a definition.
    pub fn aggregates(&self) -> &Arc<Aggregates> {
        &self.aggregates
    }

    /// Changes whenever a cross may have.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Crosses beyond the limit of cells.
    fn too_large(&self) -> Vec<CrossId> {
        let book = self.book();
        let over = |kept: &&Kept| kept.cells() > limits::CROSS_CELLS_MOST;
        book.kept.values().filter(over).map(|kept| kept.cross.id).collect()
    }

    /// While crosses are filled, epochs must come even without facts: what is counted leaves with them. Crosses that grow
    /// beyond their limit are given up. Runs until the sequencer ends.
    pub async fn attend(self: Arc<Self>, sequencer: Queue) {
        let mut tick = tokio::time::interval(limits::CROSS_EPOCH_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut changed = self.watch();
        loop {
            // With nothing to fill it sleeps until something changes.
            if !self.is_filling_at(u64::MAX) && changed.changed().await.is_err() {
                return;
            }
            tick.tick().await;
            if self.is_filling_at(u64::MAX) {
                sequencer.beat();
            }
            for id in self.too_large() {
                tracing::warn!(code = codes::CROSS_OVERFLOWN, cross = %id, "a cross has too many cells");
                let kind = order::Kind::DropCross(v1::DropCross { cross: id.0, overflown: true });
                if sequencer.order(v1::Order { kind: Some(kind) }).await.is_err() {
                    return;
                }
                // The order is seen once its epoch is sealed.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(kind: order::Kind) -> v1::Order {
        v1::Order { kind: Some(kind) }
    }

    fn keep(dimension: &str) -> v1::Order {
        order(order::Kind::KeepCross(v1::KeepCross {
            theme: "T04".into(),
            dimensions: vec!["D.bill_kind".into(), dimension.into()],
            ..v1::KeepCross::default()
        }))
    }

    fn said(cross: CrossId, worker: u32, done: bool, cells: u64) -> v1::CrossProgress {
        v1::CrossProgress { cross: cross.0, version: 3, worker, done, cells, ..v1::CrossProgress::default() }
    }

    #[test]
    fn a_cross_is_live_when_every_worker_is_done() {
        let aggregates = Arc::new(Aggregates::embedded().unwrap());
        let crosses = Crosses::new(aggregates, vec![(3, keep("D.amt")), (5, keep("D.amt"))]);
        let kept = &crosses.list()[0];
        let id = kept.cross.id;
        assert_eq!((crosses.list().len(), kept.version), (1, 3), "the second order changes nothing");
        crosses.begin(2, 0);
        crosses.heard(vec![said(id, 0, true, 5)]);
        assert!(crosses.is_filling_at(3) && !crosses.is_filling_at(2));
        crosses.heard(vec![said(id, 1, true, 6)]);
        let kept = crosses.get(id).unwrap();
        assert_eq!((kept.state, kept.cells()), (State::Live, 11));
        assert!(!crosses.is_filling_at(u64::MAX));
        // The next generation begins before its order, another one behind it.
        crosses.begin(2, 2);
        assert_eq!(crosses.get(id).unwrap().state, State::Filling);
        crosses.begin(1, 3);
        assert_eq!(crosses.get(id).unwrap().state, State::Live);
        crosses.heard(vec![said(id, 0, true, limits::CROSS_CELLS_MOST + 1)]);
        assert_eq!(crosses.too_large(), [id]);
        crosses.ordered(9, &order(order::Kind::DropCross(v1::DropCross { cross: id.0, overflown: true })));
        assert_eq!(crosses.get(id).unwrap().state, State::Overflown);
        crosses.begin(1, 3);
        assert_eq!(crosses.get(id).unwrap().state, State::Overflown, "it stays so");
        crosses.ordered(10, &order(order::Kind::DropCross(v1::DropCross { cross: id.0, overflown: false })));
        assert!(crosses.get(id).is_none());
    }

    #[test]
    fn a_cross_that_has_ended_is_filled_until_the_workers_come_to_its_end() {
        let aggregates = Arc::new(Aggregates::embedded().unwrap());
        let id = Crosses::new(aggregates.clone(), vec![(3, keep("D.amt"))]).list()[0].cross.id;
        for overflown in [false, true] {
            let drop = order(order::Kind::DropCross(v1::DropCross { cross: id.0, overflown }));
            let really = order(order::Kind::DropCross(v1::DropCross { cross: id.0, overflown: false }));
            let orders = vec![(3, keep("D.amt")), (5, drop.clone()), (7, really), (9, keep("D.amt"))];
            let crosses = Crosses::new(aggregates.clone(), orders);
            let filling = |epochs: [u64; 6]| epochs.map(|epoch| crosses.is_filling_at(epoch));
            // A generation that replays the log.
            crosses.begin(2, 0);
            assert_eq!(filling([2, 3, 4, 5, 8, 9]), [false, true, true, false, false, true]);
            crosses.heard(vec![said(id, 0, true, 5), said(id, 1, false, 5)]);
            assert!(crosses.is_filling_at(4), "one of two is done");
            crosses.heard(vec![said(id, 1, true, 5)]);
            assert_eq!(filling([2, 3, 4, 5, 8, 9]), [false, false, false, false, false, true]);
            // One that begins behind a checkpoint which has it.
            crosses.begin(2, 3);
            assert_eq!(filling([2, 3, 4, 5, 8, 9]), [false, false, false, false, false, true]);
            // Ended while it is filled.
            let crosses = Crosses::new(aggregates.clone(), vec![(3, keep("D.amt"))]);
            crosses.begin(2, 0);
            crosses.heard(vec![said(id, 0, true, 5)]);
            crosses.ordered(5, &drop);
            assert!(crosses.is_filling_at(4) && !crosses.is_filling_at(5) && !crosses.is_filling_at(u64::MAX));
            crosses.heard(vec![said(id, 1, true, 5)]);
            assert!(!crosses.is_filling_at(4));
        }
    }
}
