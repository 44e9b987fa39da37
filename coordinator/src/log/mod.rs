//! The durable log: every accepted record in the order of acceptance, cut into sealed epochs.
//!
//! # Form
//! Append-only segment files in one directory, each a header and then frames ([`frame`]): `Append` (records of one batch),
//! `Copies` (variants for other shards), `Filled` (used numbers), `Orders` (what clients ordered), `Parameters` (a change of
//! parameters), `Seal` (end of an epoch with its market clock). Every frame has a checksum. A *position* counts the bytes of all
//! frames before, over all segments; a segment is named by the position of its first frame, and is called `.unborn` until its
//! header is on disk. Frames of one epoch stand together, epochs in order.
//!
//! # Invariants
//! - A batch is acknowledged only after the fsync that follows its frames ([`writer`]).
//! - At open ([`recovery`]) a torn tail is cut behind the last whole frame. A fault before a frame that is known to have
//!   been durable is damage: the log is not opened, nothing is thrown away silently.
//! - Nothing is ever rewritten in place; segments are never deleted here (`verify` reads them all).
//!
//! # Why files and not RocksDB
//! The log is written at its end and read in order: one sequential append and one fdatasync do all that is needed (0.05 ms
//! for a small group, 0.7 GB/s for large ones on the measured disk). A key-value store writes the same bytes twice (its own
//! log, then sorted files), needs compaction, and its C++ takes 8 minutes to build. What we would gain, reads by key, the
//! log is never asked for: lookups by bill are the history's work.

pub mod frame;
mod reader;
mod recovery;
mod segment;
#[cfg(test)]
mod tests;
pub mod writer;

use std::{io, path::PathBuf};

use thiserror::Error;

pub use reader::{LogReader, StoredEpoch, read_frames};
pub use recovery::{Recovered, recover};

/// Place in the log: bytes of all frames before.
pub type Position = u64;

/// Why the log cannot be read or written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The system refused a read or write.
    #[error("log file {path}: {source}. Check that the disk is mounted, writable and has room", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that were durable have changed.
    #[error(
        "log file {path} is damaged at byte {offset} ({what}). Acknowledged records stand behind it: restore the file from a \
         copy; nothing was changed",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// Written with another number of key groups.
    #[error("log file {path} was written with {found} key groups, this build has {expected}: use the build that wrote it", path = path.display())]
    KeyGroups {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: u32,
        /// In this build.
        expected: u32,
    },
}

impl LogError {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| LogError::Io { path, source }
    }
}
