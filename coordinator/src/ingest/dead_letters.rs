//! The dead-letter store: every refused record with its reason, in order, for ever (up to a named size).
//!
//! Invariant: a batch is answered only after its letters are on disk. A record that is sent and refused again in the same
//! form is one letter: clients repeat batches after a lost connection. Memory: 8 bytes a letter for its place, 8 for the
//! hash that tells it is known.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use billwatch_proto::v1;
use billwatch_telemetry::codes;
use hashbrown::HashSet;
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
    /// Offset of each letter in the file; letter numbers count from 1.
    offsets: Arc<Mutex<Vec<u64>>>,
    queue: SyncSender<Post>,
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
        let mut offsets = Vec::new();
        let (file, cut) = DurableFile::open(&path, |offset, payload| match v1::DeadLetter::decode(payload) {
            Ok(letter) => {
                known.insert(identity(&letter));
                offsets.push(offset);
                true
            }
            Err(_) => false,
        })?;
        if cut > 0 {
            tracing::warn!(code = codes::DEAD_LETTERS_CUT, bytes = cut, path = %path.display(), "the torn end of the dead letters was cut off");
        }
        counters.set("dead_letters", "", offsets.len() as i64);
        let offsets = Arc::new(Mutex::new(offsets));
        let (queue, posts) = sync_channel(limits::SEQUENCER_QUEUE);
        let mut writer = Writer { file, known, offsets: offsets.clone(), counters };
        std::thread::Builder::new()
            .name("dead-letters".into())
            .spawn(move || {
                let _guard = failure.guard("writer of dead letters");
                if let Err(error) = writer.run(&posts) {
                    failure.report(codes::DEAD_LETTERS_FAILED, error.to_string());
                }
            })
            .map_err(|source| ServeError::Io { path: path.clone(), source })?;
        Ok(DeadLetters { path, offsets, queue })
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
        });
        let (done, kept) = oneshot::channel();
        let mut post = Post { letters: letters.collect(), done };
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
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Letters after number `after`, at most `most`. Reads the disk.
    pub fn page(&self, after: u64, most: usize) -> std::io::Result<Vec<v1::DeadLetter>> {
        let offsets: Vec<u64> = {
            let all = self.offsets.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().skip(usize::try_from(after).unwrap_or(usize::MAX)).take(most).copied().collect()
        };
        let mut letters = Vec::with_capacity(offsets.len());
        for (offset, number) in offsets.into_iter().zip(after + 1..) {
            let damaged =
                || std::io::Error::new(std::io::ErrorKind::InvalidData, format!("letter {number} is damaged"));
            let payload = read_at(&self.path, offset)?.ok_or_else(damaged)?;
            let mut letter = v1::DeadLetter::decode(payload.as_slice()).map_err(|_| damaged())?;
            letter.number = number;
            letters.push(letter);
        }
        Ok(letters)
    }
}

struct Writer {
    file: DurableFile,
    known: HashSet<u64>,
    offsets: Arc<Mutex<Vec<u64>>>,
    counters: Arc<Counters>,
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
        let mut payloads = Vec::new();
        let mut dropped = 0;
        let mut bytes = self.file.bytes();
        for letter in posts.iter().flat_map(|post| &post.letters) {
            if bytes > limits::DEAD_LETTERS_BYTES {
                dropped += 1;
            } else if self.known.insert(identity(letter)) {
                let payload = letter.encode_to_vec();
                bytes += payload.len() as u64;
                payloads.push(payload);
            }
        }
        self.counters.add("dead_letters_dropped_total", "", dropped);
        if !payloads.is_empty() {
            let offsets = self.file.append(payloads.iter().map(Vec::as_slice))?;
            let mut all = self.offsets.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(offsets);
            self.counters.set("dead_letters", "", all.len() as i64);
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
}
