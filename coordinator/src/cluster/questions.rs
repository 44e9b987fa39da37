//! Questions under way: who still has to answer, and the asker's end.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use billwatch_proto::v1;
use hashbrown::{HashMap, hash_map::Entry};
use prost::{Message as _, bytes::Bytes};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::{
    api::errors::{ApiError, busy, late_answer, not_serving, refused_by_worker, too_slow, worker_failed},
    ledger::AsOf,
    limits,
};

/// Prefix by which a worker says that the question, not the worker, is at fault: the client gets INVALID_ARGUMENT.
const INVALID_PREFIX: &str = "INVALID_ARGUMENT: ";

/// The asker's end of a question.
#[derive(Debug)]
pub struct Asked {
    /// Epoch and clock at which every part of the answer holds.
    pub as_of: AsOf,
    waiting: usize,
    parts: mpsc::UnboundedReceiver<Part>,
    /// Bytes of the parts that wait in the channel.
    held: Arc<AtomicUsize>,
    until: Instant,
}

/// A process and what it said, or why there is no answer.
type Part = Result<(u32, v1::ShardAnswer), ApiError>;

impl Asked {
    /// Gives long answers more time.
    pub fn within(mut self, time: Duration) -> Self {
        self.until = Instant::now() + time;
        self
    }

    /// The next part with its process; `None` when all processes have said their last.
    pub async fn next(&mut self) -> Result<Option<(u32, v1::ShardAnswer)>, ApiError> {
        if self.waiting == 0 {
            return Ok(None);
        }
        let part = timeout_at(self.until, self.parts.recv()).await.map_err(|_| late_answer())?;
        let (process, answer) =
            part.unwrap_or_else(|| Err(not_serving("the mesh of workers ended before it had answered")))?;
        self.held.fetch_sub(answer.encoded_len(), Ordering::Relaxed);
        if let Some(words) = answer.error.strip_prefix(INVALID_PREFIX) {
            return Err(refused_by_worker(words));
        }
        if !answer.error.is_empty() {
            return Err(worker_failed(&answer.error));
        }
        if answer.epoch != self.as_of.epoch {
            let words = format!("process {process} answered at epoch {}, not {}", answer.epoch, self.as_of.epoch);
            return Err(worker_failed(&words));
        }
        self.waiting -= usize::from(answer.last);
        Ok(Some((process, answer)))
    }

    /// All parts.
    pub async fn all(mut self) -> Result<Vec<(u32, v1::ShardAnswer)>, ApiError> {
        let mut parts = Vec::new();
        while let Some(part) = self.next().await? {
            parts.push(part);
        }
        Ok(parts)
    }
}

/// Changes of a subscription in one epoch.
#[derive(Debug)]
pub struct WatchEvent {
    /// The epoch.
    pub as_of: AsOf,
    /// Changed partial cells, by process; empty = progress only.
    pub partials: Vec<(u32, Bytes)>,
}

/// The subscriber's end.
#[derive(Debug)]
pub struct Watching {
    events: mpsc::Receiver<WatchEvent>,
    end: oneshot::Receiver<ApiError>,
}

impl Watching {
    /// The next epoch, or why the subscription ended.
    pub async fn next(&mut self) -> Result<WatchEvent, ApiError> {
        match self.events.recv().await {
            Some(event) => Ok(event),
            None => Err((&mut self.end).await.unwrap_or_else(|_| not_serving("the mesh of workers ended"))),
        }
    }
}

/// All questions and subscriptions of a generation.
#[derive(Default)]
pub struct Questions {
    next: u64,
    asked: HashMap<u64, Open>,
    watches: HashMap<u64, Watch>,
}

struct Open {
    waiting: BTreeSet<u32>,
    /// Not bounded in number: a worker answers between two epochs and cannot wait for a slow asker. Bounded in bytes. `None`:
    /// the asker has gone or was too slow. The question keeps its place until the workers are done with it, so that the
    /// limit bounds their work, not the askers' patience.
    parts: Option<mpsc::UnboundedSender<Part>>,
    held: Arc<AtomicUsize>,
}

struct Watch {
    /// Epoch of the snapshot.
    from: u64,
    events: mpsc::Sender<WatchEvent>,
    end: oneshot::Sender<ApiError>,
}

impl Questions {
    /// Numbers a question and keeps it until all processes have answered.
    pub fn ask(
        &mut self,
        kind: v1::shard_question::Kind,
        as_of: AsOf,
        processes: u32,
    ) -> Result<(v1::ShardQuestion, Asked), ApiError> {
        if self.asked.len() >= limits::QUESTIONS_IN_FLIGHT {
            return Err(busy("questions", limits::QUESTIONS_IN_FLIGHT));
        }
        self.next += 1;
        let (sender, parts) = mpsc::unbounded_channel();
        let held = Arc::new(AtomicUsize::new(0));
        self.asked
            .insert(self.next, Open { waiting: (0..processes).collect(), parts: Some(sender), held: held.clone() });
        let until = Instant::now() + limits::QUESTION_WITHIN;
        let question = v1::ShardQuestion { question: self.next, kind: Some(kind) };
        Ok((question, Asked { as_of, waiting: processes as usize, parts, held, until }))
    }

    /// Forgets subscriptions whose subscribers have gone, and gives them: to be told to the workers.
    pub fn left(&mut self) -> Vec<u64> {
        self.watches.extract_if(|_, watch| watch.events.is_closed()).map(|(number, _)| number).collect()
    }

    /// Numbers a subscription whose snapshot is taken at `from`.
    pub fn watch(&mut self, from: u64) -> Result<(u64, Watching), ApiError> {
        if self.watches.len() >= limits::WATCHES {
            return Err(busy("subscriptions", limits::WATCHES));
        }
        self.next += 1;
        let (events, receiver) = mpsc::channel(limits::WATCH_QUEUE);
        let (end, ended) = oneshot::channel();
        self.watches.insert(self.next, Watch { from, events, end });
        Ok((self.next, Watching { events: receiver, end: ended }))
    }

    /// A part of an answer. Parts for which nobody waits are dropped.
    pub fn answered(&mut self, process: u32, answer: v1::ShardAnswer) {
        let Entry::Occupied(mut place) = self.asked.entry(answer.question) else { return };
        let open = place.get_mut();
        if answer.last {
            open.waiting.remove(&process);
        }
        let is_done = open.waiting.is_empty();
        if let Some(parts) = &open.parts {
            let bytes = answer.encoded_len();
            let held = open.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
            let part = if held > limits::ANSWER_BYTES { Err(too_slow()) } else { Ok((process, answer)) };
            let is_over = part.is_err();
            if parts.send(part).is_err() || is_over {
                open.parts = None;
            }
        }
        if is_done {
            place.remove();
        }
    }

    /// Tells the subscribers of a complete epoch. Gives the subscriptions that ended, to be told to the workers.
    pub fn completed(&mut self, as_of: AsOf, watched: Vec<(u32, v1::WatchedCells)>) -> Vec<u64> {
        if self.watches.is_empty() {
            return Vec::new();
        }
        let mut by_watch: HashMap<u64, Vec<(u32, Bytes)>> = HashMap::new();
        for (process, cells) in watched {
            by_watch.entry(cells.subscription).or_default().push((process, cells.partial));
        }
        let mut ended = Vec::new();
        for (&number, watch) in &self.watches {
            if as_of.epoch <= watch.from {
                continue;
            }
            let event = WatchEvent { as_of, partials: by_watch.remove(&number).unwrap_or_default() };
            if watch.events.try_send(event).is_err() {
                ended.push(number);
            }
        }
        for number in &ended {
            if let Some(watch) = self.watches.remove(number) {
                // Nobody listens when the subscriber has gone.
                let _ = watch.end.send(too_slow());
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use billwatch_proto::v1::shard_question::Kind;

    use super::*;

    fn last(question: u64) -> v1::ShardAnswer {
        v1::ShardAnswer { question, last: true, ..Default::default() }
    }

    #[test]
    fn a_question_keeps_its_place_until_the_workers_are_done() {
        let mut questions = Questions::default();
        let ask =
            |questions: &mut Questions| questions.ask(Kind::Unwatch(0), AsOf::default(), 2).map(|(asked, _)| asked);
        let numbers: Vec<u64> =
            (0..limits::QUESTIONS_IN_FLIGHT).map(|_| ask(&mut questions).unwrap().question).collect();
        // All askers have gone; the workers know nothing of it.
        assert!(ask(&mut questions).is_err());
        questions.answered(0, last(numbers[0]));
        assert!(ask(&mut questions).is_err(), "one of two processes still works on it");
        questions.answered(1, last(numbers[0]));
        assert!(ask(&mut questions).is_ok());
    }

    #[test]
    fn whoever_left_is_told_to_the_workers_once() {
        let mut questions = Questions::default();
        let (gone, watching) = questions.watch(0).unwrap();
        let (stays, _kept) = questions.watch(0).unwrap();
        drop(watching);
        assert_eq!(questions.left(), [gone]);
        assert!(questions.left().is_empty());
        assert!(questions.completed(AsOf { epoch: 1, market_clock_ms: None }, Vec::new()).is_empty(), "{stays} stays");
    }
}
