//! History: every accepted fact, by subject.
//!
//! Facts are gathered in memory as they come (their bytes are copied once), and written as one sorted table file when there
//! are enough of them, by the writer of the process ([`super::writer`]), off the loop. Until the file is ingested the
//! gathered part stays readable, so that a look-up always sees every fact of the subject. Parts are cut between epochs, and
//! none between the mark and the cut of a checkpoint: so a checkpoint holds the history up to its epoch and no further.
//!
//! Key: `subject (20) | epoch (8) | index (4)`, big-endian ([`super::subject`]); value: the fact as `market::codec` writes it.

use std::{
    rc::Rc,
    sync::{Arc, mpsc},
    time::Duration,
};

use billwatch_market::{
    codec::{CodecError, blank, decode_fact, decode_fact_over},
    fact::Fact,
};
use hashbrown::HashMap;

use super::{
    Store, StoreError, Table,
    subject::{SUBJECT_BYTES, Subject},
    writer::Outlet,
};
use crate::limits::{HISTORY_WAITING_BYTES, SPARE_FACTS, SPARE_PASTS};

/// A subject, an epoch, a place in it.
const KEY_BYTES: usize = SUBJECT_BYTES + 12;

/// A fact of a subject's past.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Past {
    /// Epoch of its acceptance.
    pub epoch: u64,
    /// Number of the life in whose history it was found; 0 from the store.
    pub life: u32,
    /// The fact.
    pub fact: Fact,
}

/// How far a walk through the store has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Place of the key group in the list of groups.
    group: usize,
    /// Key of the last subject of the group that was handed over.
    subject: Option<[u8; SUBJECT_BYTES]>,
}

/// Memory of pasts that were read and are done with, for those that a walk reads next: a fact's own is a fifth of its reading.
#[derive(Default)]
pub struct Spare {
    pasts: Vec<Vec<Past>>,
    facts: Vec<Fact>,
}

impl Spare {
    /// Takes back the memory of a past, and that of its facts if they were taken out of it.
    pub fn take_back(&mut self, mut past: Vec<Past>, facts: impl IntoIterator<Item = Fact>) {
        let room = SPARE_FACTS.saturating_sub(self.facts.len());
        self.facts.extend(past.drain(..).map(|past| past.fact).chain(facts).take(room));
        if self.pasts.len() < SPARE_PASTS {
            self.pasts.push(past);
        }
    }

    fn past(&mut self) -> Vec<Past> {
        self.pasts.pop().unwrap_or_default()
    }

    fn read(&mut self, epoch: u64, value: &[u8]) -> Result<Past, StoreError> {
        let mut fact = self.facts.pop().unwrap_or_else(blank);
        decode_fact_over(&mut &*value, &mut fact).map_err(damaged_fact)?;
        Ok(Past { epoch, life: 0, fact })
    }
}

/// Facts gathered in memory, in order of arrival.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    /// Dense number of the subject in its worker.
    dense: u32,
    epoch: u64,
    at: u32,
    length: u32,
}

impl Gathered {
    fn of(&self, row: &Row) -> &[u8] {
        &self.bytes[row.at as usize..(row.at + row.length) as usize]
    }
}

/// Pause between two looks at whether a checkpoint is cut, while memory is full.
const FULL_PAUSE: Duration = Duration::from_millis(1);

/// A part of the history on its way to the writer.
pub(super) struct Part {
    rows: Vec<([u8; KEY_BYTES], u32, u32)>,
    gathered: Arc<Gathered>,
    /// Takes the part back once it is in the store.
    done: mpsc::Sender<Arc<Gathered>>,
}

impl Part {
    /// Writes it; whoever sent it learns that it is there.
    pub(super) fn write(mut self, store: &Store) -> Result<(), StoreError> {
        self.rows.sort_unstable_by(|(left, ..), (right, ..)| left.as_slice().cmp(right.as_slice()));
        let bytes = &self.gathered.bytes;
        let rows = self.rows.iter().map(|(key, at, length)| (key, Some(&bytes[*at as usize..(at + length) as usize])));
        store.write_sorted(Table::History, rows)?;
        // The thread may have ended.
        let _ = self.done.send(self.gathered);
        Ok(())
    }
}

/// The history of one worker thread.
pub struct History {
    outlet: Option<Rc<Outlet>>,
    /// Bytes of a part.
    part_bytes: usize,
    open: Gathered,
    /// Handed to the writer, not yet in the store; all parts when there is no store.
    sealed: Vec<Arc<Gathered>>,
    /// Memory of a part that is in the store, for the next one: fresh pages cost more than the copying.
    spare: Option<Gathered>,
    done: (mpsc::Sender<Arc<Gathered>>, mpsc::Receiver<Arc<Gathered>>),
}

impl History {
    /// With a way to the writer: keeps facts in its store. Without: keeps everything in memory (tests, benches).
    /// `part_bytes`: what is gathered before it is handed over.
    pub fn new(outlet: Option<Rc<Outlet>>, part_bytes: usize) -> Self {
        History {
            outlet,
            part_bytes,
            open: Gathered::default(),
            sealed: Vec::new(),
            spare: None,
            done: mpsc::channel(),
        }
    }

    /// Takes in one fact. `subject_of` of [`History::turn`] must know the dense number.
    #[inline]
    pub fn add(&mut self, dense: u32, epoch: u64, fact_bytes: &[u8]) {
        let at = self.open.bytes.len() as u32;
        self.open.bytes.extend_from_slice(fact_bytes);
        self.open.rows.push(Row { dense, epoch, at, length: fact_bytes.len() as u32 });
    }

    /// Called between epochs: hands a full part to the writer and learns of parts that are in the store. Waits while too
    /// much is not.
    ///
    /// # Errors
    /// The writer has failed.
    pub fn turn(&mut self, subject_of: impl Fn(u32) -> Subject) -> Result<(), StoreError> {
        loop {
            while let Ok(part) = self.done.1.try_recv() {
                self.let_go(part);
            }
            if let Some(outlet) = &self.outlet {
                outlet.check()?;
            }
            let may_seal = self.outlet.as_ref().is_none_or(|outlet| !outlet.is_cutting());
            if may_seal && self.open.bytes.len() >= self.part_bytes {
                self.seal(&subject_of)?;
            }
            let waiting: usize = self.sealed.iter().map(|part| part.bytes.len()).sum();
            if self.outlet.is_none() || waiting + self.open.bytes.len() < HISTORY_WAITING_BYTES {
                return Ok(());
            }
            if let Ok(part) = self.done.1.recv_timeout(FULL_PAUSE) {
                self.let_go(part);
            }
        }
    }

    /// A part is in the store.
    fn let_go(&mut self, part: Arc<Gathered>) {
        self.sealed.retain(|sealed| !Arc::ptr_eq(sealed, &part));
        if let Some(mut part) = Arc::into_inner(part) {
            part.bytes.clear();
            part.rows.clear();
            self.spare = Some(part);
        }
    }

    /// Hands the open part to the writer: all facts so far are then in the store or on their way. Between epochs only.
    ///
    /// # Errors
    /// The writer has failed.
    pub fn seal(&mut self, subject_of: impl Fn(u32) -> Subject) -> Result<(), StoreError> {
        if self.open.rows.is_empty() {
            return Ok(());
        }
        let next = self.spare.take().unwrap_or_default();
        let part = Arc::new(std::mem::replace(&mut self.open, next));
        self.sealed.push(part.clone());
        let Some(outlet) = &self.outlet else { return Ok(()) };
        let rows = part
            .rows
            .iter()
            .enumerate()
            .map(|(index, row)| {
                let mut key = [0; KEY_BYTES];
                key[..SUBJECT_BYTES].copy_from_slice(&subject_of(row.dense).key());
                key[SUBJECT_BYTES..SUBJECT_BYTES + 8].copy_from_slice(&row.epoch.to_be_bytes());
                key[SUBJECT_BYTES + 8..].copy_from_slice(&(index as u32).to_be_bytes());
                (key, row.at, row.length)
            })
            .collect();
        outlet.send_part(Part { rows, gathered: part, done: self.done.0.clone() })
    }

    /// Facts of the wanted subjects, per subject in order of arrival. `wanted(dense)` gives the place of a subject in the
    /// answer; `subjects` are they, in order of place.
    pub fn read(
        &self,
        subjects: &[Subject],
        wanted: impl Fn(u32) -> Option<usize>,
    ) -> Result<Vec<Vec<Past>>, StoreError> {
        let mut pasts: Vec<Vec<Past>> = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let mut past = Vec::new();
            if let Some(outlet) = &self.outlet {
                read_stored(outlet.store(), *subject, self.first_gathered_epoch(), &mut past)?;
            }
            pasts.push(past);
        }
        self.gathered(wanted, |place, past| pasts[place].push(past))?;
        Ok(pasts)
    }

    /// Rows from here on are (also) in memory: what the writer has just ingested is not read twice. Parts are cut between
    /// epochs, so the epoch tells.
    fn first_gathered_epoch(&self) -> u64 {
        let mut parts = self.sealed.iter().map(Arc::as_ref).chain([&self.open]);
        parts.find_map(|part| part.rows.first()).map_or(u64::MAX, |row| row.epoch)
    }

    /// Hands the subjects in the store over in order of key, each with its facts there that are not in memory too, from a
    /// place on until it is told to stop. True at the end of the store.
    pub fn walk(
        &self,
        groups: &[u16],
        place: &mut Place,
        spare: &mut Spare,
        mut take: impl FnMut(Subject, Vec<Past>) -> bool,
    ) -> Result<bool, StoreError> {
        let Some(outlet) = &self.outlet else { return Ok(true) };
        let before = self.first_gathered_epoch();
        while let Some(group) = groups.get(place.group) {
            let mut from = group.to_be_bytes().to_vec();
            if let Some(subject) = place.subject {
                from = subject.to_vec();
                // Behind every row of the subject.
                from.extend([u8::MAX; KEY_BYTES - SUBJECT_BYTES + 1]);
            }
            // The subject at hand, with what was read of it.
            let mut at_hand: Option<([u8; SUBJECT_BYTES], Vec<Past>)> = None;
            let mut result = Ok(());
            let mut is_told = false;
            let mut give = |(key, past): ([u8; SUBJECT_BYTES], Vec<Past>), place: &mut Place| {
                place.subject = Some(key);
                Subject::of_key(&key).is_none_or(|subject| take(subject, past))
            };
            outlet.store().scan(Table::History, &from, &(group + 1).to_be_bytes(), |key, value| {
                let Some(subject) = key.first_chunk::<SUBJECT_BYTES>() else {
                    result = parse_key(key).map(drop);
                    return false;
                };
                if at_hand.as_ref().is_none_or(|(known, _)| known != subject) {
                    let whole = at_hand.replace((*subject, spare.past()));
                    if whole.is_some_and(|whole| !give(whole, place)) {
                        (at_hand, is_told) = (None, true);
                        return false;
                    }
                }
                let row = parse_key(key).and_then(|(epoch, _)| match epoch < before {
                    true => spare.read(epoch, value).map(Some),
                    false => Ok(None),
                });
                match (row, &mut at_hand) {
                    (Ok(past), Some((_, pasts))) => pasts.extend(past),
                    (Ok(_), None) => {}
                    (Err(error), _) => result = Err(error),
                }
                result.is_ok()
            })?;
            result?;
            if is_told || at_hand.is_some_and(|whole| !give(whole, place)) {
                return Ok(false);
            }
            *place = Place { group: place.group + 1, subject: None };
        }
        Ok(true)
    }

    /// Adds what lies in memory to the pasts of some subjects, by their dense numbers.
    pub fn add_gathered(&self, pasts: &mut [(u32, Vec<Past>)]) -> Result<(), StoreError> {
        pasts.iter_mut().for_each(|(dense, past)| past.iter_mut().for_each(|past| past.life = *dense));
        let places: HashMap<u32, usize> = pasts.iter().enumerate().map(|(place, (dense, _))| (*dense, place)).collect();
        self.gathered(|dense| places.get(&dense).copied(), |place, past| pasts[place].1.push(past))
    }

    /// Hands the facts in memory over that are wanted, in order of arrival.
    fn gathered(
        &self,
        wanted: impl Fn(u32) -> Option<usize>,
        mut take: impl FnMut(usize, Past),
    ) -> Result<(), StoreError> {
        for part in self.sealed.iter().map(Arc::as_ref).chain([&self.open]) {
            for row in &part.rows {
                if let Some(place) = wanted(row.dense) {
                    take(place, Past { epoch: row.epoch, life: row.dense, fact: decode(part.of(row))? });
                }
            }
        }
        Ok(())
    }

    /// Bytes in memory.
    pub fn heap_bytes(&self) -> usize {
        let parts = self.sealed.iter().map(Arc::as_ref).chain([&self.open]).chain(&self.spare);
        parts.map(|part| part.bytes.capacity() + part.rows.capacity() * size_of::<Row>()).sum()
    }
}

fn read_stored(store: &Store, subject: Subject, before: u64, past: &mut Vec<Past>) -> Result<(), StoreError> {
    let prefix = subject.key();
    let (mut from, mut to) = ([0; KEY_BYTES], [0; KEY_BYTES]);
    from[..SUBJECT_BYTES].copy_from_slice(&prefix);
    to[..SUBJECT_BYTES].copy_from_slice(&prefix);
    to[SUBJECT_BYTES..SUBJECT_BYTES + 8].copy_from_slice(&before.to_be_bytes());
    let mut result = Ok(());
    store.scan(Table::History, &from, &to, |key, value| {
        let read = |(epoch, _)| Ok(Past { epoch, life: 0, fact: decode(value)? });
        result = parse_key(key).and_then(read).map(|fact| past.push(fact));
        result.is_ok()
    })?;
    result
}

fn parse_key(key: &[u8]) -> Result<(u64, Subject), StoreError> {
    let damaged = || StoreError::Damaged { what: "a key of the history".into() };
    let subject = Subject::of_key(key).ok_or_else(damaged)?;
    let epoch =
        key.get(SUBJECT_BYTES..SUBJECT_BYTES + 8).and_then(|bytes| bytes.try_into().ok()).ok_or_else(damaged)?;
    Ok((u64::from_be_bytes(epoch), subject))
}

fn decode(bytes: &[u8]) -> Result<Fact, StoreError> {
    decode_fact(&mut &*bytes).map_err(damaged_fact)
}

fn damaged_fact(error: CodecError) -> StoreError {
    StoreError::Damaged { what: format!("a fact of the history: {error}") }
}

#[cfg(test)]
mod tests {
    use billwatch_market::{
        codec::encode_fact,
        fact::{Range, Source, Stamp, behaviour},
        ids::{BillId, Day},
    };

    use super::{
        super::{
            checkpoint::tests::manifest_of,
            writer::{Told, Writer},
        },
        *,
    };

    fn subject(dense: u32) -> Subject {
        Subject::Bill(BillId { digits: u128::from(dense) + 7, length: 30 })
    }

    fn add(history: &mut History, dense: u32, epoch: u64, event_id: u128) {
        let fact = Fact {
            event_id,
            behaviour: behaviour::ISS_REG,
            event_time: 0,
            biz_date: Day(0),
            source: Source::Ngbs,
            source_seq: 1,
            stamp: Stamp::default(),
            bill_id: None,
            range: Range::WHOLE,
            range_given: true,
            correction: None,
            fields: Vec::new(),
        };
        let mut bytes = Vec::new();
        encode_fact(&fact, &mut bytes);
        history.add(dense, epoch, &bytes);
    }

    fn flush(history: &mut History) {
        history.seal(subject).unwrap();
        while !history.sealed.is_empty() {
            history.turn(subject).unwrap();
        }
    }

    fn ids(history: &History, dense: u32) -> Vec<u128> {
        let pasts = history.read(&[subject(dense)], |other| (other == dense).then_some(0)).unwrap();
        pasts[0].iter().map(|past| past.fact.event_id).collect()
    }

    #[test]
    fn every_fact_is_seen_wherever_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path(), 0).unwrap());
        let told: Told = Box::new(|_, _, _| {});
        let (writer, mut outlets) = Writer::start(store, manifest_of(0), told).unwrap();
        let outlet = Rc::new(outlets.pop().unwrap());
        let mut history = History::new(Some(outlet.clone()), 1 << 20);
        for epoch in 1..=3 {
            for dense in 0..50 {
                add(&mut history, dense, epoch, u128::from(epoch * 1_000) + u128::from(dense));
            }
            match epoch {
                1 => flush(&mut history),
                2 => history.seal(subject).unwrap(),
                _ => {}
            }
            assert_eq!(ids(&history, 7), (1..=epoch).map(|epoch| u128::from(epoch * 1_000 + 7)).collect::<Vec<_>>());
        }
        flush(&mut history);
        assert_eq!(ids(&history, 7), [1_007, 2_007, 3_007]);
        let walked = |history: &History, at_once: usize| {
            let groups: Vec<u16> = (0..1024).collect();
            let (mut place, mut spare, mut seen) = (Place::default(), Spare::default(), Vec::new());
            loop {
                let mut found: Vec<(u32, Vec<Past>)> = Vec::new();
                let is_end = history.walk(&groups, &mut place, &mut spare, |subject, past| {
                    let Subject::Bill(bill) = subject else { panic!("{subject:?} was never written") };
                    found.push((bill.digits as u32 - 7, past));
                    found.len() < at_once
                });
                history.add_gathered(&mut found).unwrap();
                seen.extend(found.into_iter().map(|(dense, past)| {
                    let ids = past.iter().map(|past| past.fact.event_id - u128::from(dense)).collect::<Vec<_>>();
                    spare.take_back(past, []);
                    (dense, ids)
                }));
                if is_end.unwrap() {
                    seen.sort_unstable();
                    break seen;
                }
            }
        };
        let stored = vec![1_000, 2_000, 3_000];
        for at_once in [1, 7, 50, 51] {
            let whole: Vec<_> = (0..50).map(|dense| (dense, stored.clone())).collect();
            assert_eq!(walked(&history, at_once), whole, "{at_once} at once");
        }
        add(&mut history, 7, 4, 4_007);
        assert_eq!(walked(&history, 3)[7], (7, vec![1_000, 2_000, 3_000, 4_000]), "the rest lies in memory");
        let again = History::new(Some(outlet.clone()), 1 << 20);
        assert_eq!(ids(&again, 49), [1_049, 2_049, 3_049]);
        drop((history, again, outlet));
        writer.join();
    }
}
