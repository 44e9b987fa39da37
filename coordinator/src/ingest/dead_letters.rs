//! The dead-letter store: every refused record with its reason, in order, for ever (up to a named size).
//!
//! Invariant: a batch is answered only after its letters are on disk. A record that is sent and refused again in the same
//! form is one letter: clients repeat batches after a lost connection. Memory: 8 bytes a letter for its place, 8 for the
//! hash that tells it is known.
//!
//! A letter in the file has number 0; an entry with a number is the note that this letter was resubmitted.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use billwatch_proto::v1;
use billwatch_telemetry::codes;
use hashbrown::{HashMap, HashSet};
use prost::Message as _;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::Xxh3;

use super::refused::Refused;
use crate::{
    counters::Counters,
    durable_file::{DurableFile, read_at},
    failure::Failure,
    limits,
    server::ServeError,
};

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    path: PathBuf,
    kept: Arc<Mutex<Kept>>,
    queue: SyncSender<Post>,
    /// Held while a letter is resubmitted: one at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
    counters: Arc<Counters>,
}

/// What is known of the letters without reading the file.
#[derive(Debug, Default)]
struct Kept {
    /// Offset of each letter in the file; letter numbers count from 1.
    offsets: Vec<u64>,
    /// Letters that were resubmitted.
    resubmitted: HashMap<u64, v1::Resubmission>,
}

impl Kept {
    /// An entry of the file.
    fn add(&mut self, offset: u64, entry: v1::DeadLetter) {
        match entry {
            v1::DeadLetter { number, resubmission: Some(resubmission), .. } if number > 0 => {
                self.resubmitted.insert(number, resubmission);
            }
            _ => self.offsets.push(offset),
        }
    }
}

struct Post {
    letters: Vec<v1::DeadLetter>,
    done: oneshot::Sender<()>,
}

/// The letters could not be kept: the disk failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotKept;

impl DeadLetters {
    /// Opens the store in a directory and starts its writer, which ends with the last clone.
    pub fn open(dir: &Path, counters: Arc<Counters>, failure: Failure) -> Result<Self, ServeError> {
        let path = dir.join("dead-letters.bin");
        let mut known = HashSet::new();
        let mut kept = Kept::default();
        let (file, cut) = DurableFile::open(&path, |offset, payload| match v1::DeadLetter::decode(payload) {
            Ok(letter) => {
                known.insert(identity(&letter));
                kept.add(offset, letter);
                true
            }
            Err(_) => false,
        })?;
        if cut > 0 {
            tracing::warn!(code = codes::DEAD_LETTERS_CUT, bytes = cut, path = %path.display(), "the torn end of the dead letters was cut off");
        }
        counters.set("dead_letters", "", kept.offsets.len() as i64);
        let kept = Arc::new(Mutex::new(kept));
        let (queue, posts) = sync_channel(limits::SEQUENCER_QUEUE);
        let mut writer = Writer { file, known, kept: kept.clone(), counters: counters.clone(), is_full: false };
        std::thread::Builder::new()
            .name("dead-letters".into())
            .spawn(move || {
                let _guard = failure.guard("writer of dead letters");
                if let Err(error) = writer.run(&posts) {
                    failure.report(codes::DEAD_LETTERS_FAILED, error.to_string());
                }
            })
            .map_err(|source| ServeError::Io { path: path.clone(), source })?;
        Ok(DeadLetters { path, kept, queue, turn: Arc::default(), counters })
    }

    /// Keeps the refused records of a batch; returns once they are on disk.
    pub async fn keep(&self, refused: &[Refused], refused_time_ms: i64) -> Result<(), NotKept> {
        let letters = refused.iter().map(|refused| v1::DeadLetter {
            number: 0,
            refused_time_ms,
            code: refused.refusal.code.clone(),
            field: refused.refusal.field.clone(),
            value: refused.refusal.value.clone(),
            remedy: refused.refusal.remedy.clone(),
            record: refused.record.clone(),
            source: refused.refusal.source.clone(),
            source_seq: refused.refusal.source_seq,
            resubmission: None,
        });
        self.post(letters.collect()).await
    }

    /// Notes that a letter was resubmitted; returns once it is on disk.
    pub async fn note(&self, number: u64, resubmission: v1::Resubmission) -> Result<(), NotKept> {
        let note = v1::DeadLetter { number, resubmission: Some(resubmission), ..v1::DeadLetter::default() };
        self.post(vec![note]).await
    }

    /// Held while one letter is resubmitted.
    pub async fn turn(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    async fn post(&self, letters: Vec<v1::DeadLetter>) -> Result<(), NotKept> {
        let (done, kept) = oneshot::channel();
        let mut post = Post { letters, done };
        // The writer is quick; only a flood of refusals waits here.
        while let Err(error) = self.queue.try_send(post) {
            match error {
                TrySendError::Full(back) => post = back,
                TrySendError::Disconnected(_) => return Err(NotKept),
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        kept.await.map_err(|_| NotKept)
    }

    /// Number of letters.
    pub fn count(&self) -> u64 {
        self.lock().offsets.len() as u64
    }

    /// Number of refused records that were not kept since the start.
    pub fn dropped(&self) -> u64 {
        self.counters.get("dead_letters_dropped_total", "") as u64
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Letters after number `after`, at most `most`. Reads the disk.
    pub fn page(&self, after: u64, most: usize) -> std::io::Result<Vec<v1::DeadLetter>> {
        let offsets: Vec<u64> = {
            let kept = self.lock();
            kept.offsets.iter().skip(usize::try_from(after).unwrap_or(usize::MAX)).take(most).copied().collect()
        };
        let mut letters = Vec::with_capacity(offsets.len());
        for (offset, number) in offsets.into_iter().zip(after + 1..) {
            let damaged =
                || std::io::Error::new(std::io::ErrorKind::InvalidData, format!("letter {number} is damaged"));
            let payload = read_at(&self.path, offset)?.ok_or_else(damaged)?;
            let mut letter = v1::DeadLetter::decode(payload.as_slice()).map_err(|_| damaged())?;
            letter.number = number;
            letter.resubmission = self.lock().resubmitted.get(&number).cloned();
            letters.push(letter);
        }
        Ok(letters)
    }
}

struct Writer {
    file: DurableFile,
    known: HashSet<u64>,
    kept: Arc<Mutex<Kept>>,
    counters: Arc<Counters>,
    /// It was told that no more are kept.
    is_full: bool,
}

impl Writer {
    fn run(&mut self, posts: &Receiver<Post>) -> Result<(), ServeError> {
        while let Ok(first) = posts.recv() {
            let gathered: Vec<Post> = std::iter::once(first).chain(posts.try_iter()).collect();
            self.write(&gathered)?;
            for post in gathered {
                // The client may have gone: its letters are kept all the same.
                let _ = post.done.send(());
            }
        }
        Ok(())
    }

    fn write(&mut self, posts: &[Post]) -> Result<(), ServeError> {
        let mut entries = Vec::new();
        let mut payloads = Vec::new();
        let mut dropped = 0;
        let mut bytes = self.file.bytes();
        for entry in posts.iter().flat_map(|post| &post.letters) {
            // Notes are few and small: they are kept in a full store too.
            let is_note = entry.number > 0;
            if !is_note && bytes > limits::DEAD_LETTERS_BYTES {
                dropped += 1;
            } else if is_note || self.known.insert(identity(entry)) {
                let payload = entry.encode_to_vec();
                bytes += payload.len() as u64;
                payloads.push(payload);
                entries.push(entry);
            }
        }
        self.counters.add("dead_letters_dropped_total", "", dropped);
        if dropped > 0 && !std::mem::replace(&mut self.is_full, true) {
            tracing::warn!(code = codes::DEAD_LETTERS_FULL, bytes, "refused records are no longer kept");
        }
        if !payloads.is_empty() {
            let offsets = self.file.append(payloads.iter().map(Vec::as_slice))?;
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            for (offset, entry) in offsets.into_iter().zip(entries) {
                kept.add(offset, entry.clone());
            }
            self.counters.set("dead_letters", "", kept.offsets.len() as i64);
        }
        Ok(())
    }
}

fn identity(letter: &v1::DeadLetter) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(letter.code.as_bytes());
    hasher.update(&letter.record);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, record: &'static [u8]) -> Refused {
        let refusal =
            v1::Refusal { code: code.into(), field: "f".into(), remedy: "r".into(), ..v1::Refusal::default() };
        Refused { refusal, source: None, number: None, record: record.into() }
    }

    #[tokio::test]
    async fn letters_are_kept_once_and_found_again_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..2 {
            let store = DeadLetters::open(dir.path(), Arc::default(), Failure::default()).unwrap();
            store.keep(&[refused("NOT_JSON", b"{"), refused("NOT_JSON", b"[")], 5).await.unwrap();
            store.keep(&[refused("FIELD_TYPE", b"{"), refused("NOT_JSON", b"{")], 6).await.unwrap();
            assert_eq!(store.count(), 3, "round {round}");
            let page = store.page(1, 5).unwrap();
            assert_eq!(page.len(), 2);
            assert_eq!((page[0].number, &page[0].record[..], page[0].refused_time_ms), (2, &b"["[..], 5));
            assert_eq!((page[1].number, page[1].code.as_str()), (3, "FIELD_TYPE"));
            assert!(store.page(3, 5).unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn a_letter_says_for_ever_that_it_was_resubmitted() {
        let dir = tempfile::tempdir().unwrap();
        let resubmission = v1::Resubmission { time_ms: 7, source: "NGBS".into(), source_seq: 9, epoch: 3 };
        for round in 0..2 {
            let store = DeadLetters::open(dir.path(), Arc::default(), Failure::default()).unwrap();
            if round == 0 {
                store.keep(&[refused("NOT_JSON", b"{"), refused("NOT_JSON", b"[")], 5).await.unwrap();
                store.note(2, resubmission.clone()).await.unwrap();
                store.keep(&[refused("NOT_JSON", b"(")], 6).await.unwrap();
            }
            let page = store.page(0, 5).unwrap();
            assert_eq!((store.count(), page.len()), (3, 3), "a note is no letter");
            let found: Vec<_> = page.iter().map(|letter| letter.resubmission.as_ref()).collect();
            assert_eq!(found, [None, Some(&resubmission), None]);
            assert_eq!((page[2].number, &page[2].record[..]), (3, &b"("[..]));
        }
    }
}
