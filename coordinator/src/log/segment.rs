//! Segment files: their names, their header, and the writer at the end of the last one.
//!
//! ```text
//! header (40 bytes, little-endian)
//!   0 "BWLOG001" | 8 position of the first frame u64 | 16 epoch where it begins u64 | 24 key groups u32 | 28 zero u64
//!  36 crc32 of bytes 0..36
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use billwatch_market::key_group::KEY_GROUPS;

use super::{LogError, Position};
use crate::limits;

/// Bytes before the first frame.
pub const SEGMENT_HEADER_BYTES: usize = 40;
const SEGMENT_MAGIC: [u8; 8] = *b"BWLOG001";

/// One segment file, as its header describes it.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The file.
    pub path: PathBuf,
    /// Position of its first frame.
    pub base: Position,
    /// At most the epoch of its first frame, and at least that of the last frame before.
    pub first_epoch: u64,
}

/// Header of a segment, or what does not fit.
pub fn parse_header(path: &Path, bytes: &[u8]) -> Result<Segment, LogError> {
    let damaged = |what| LogError::Damaged { path: path.to_owned(), offset: 0, what };
    let header = bytes.first_chunk::<SEGMENT_HEADER_BYTES>().ok_or(damaged("cut segment header"))?;
    if header[..8] != SEGMENT_MAGIC {
        return Err(damaged("segment mark"));
    }
    if crc32fast::hash(&header[..36]).to_le_bytes() != header[36..40] {
        return Err(damaged("checksum of the segment header"));
    }
    let u64_at = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    let found = u32::from_le_bytes(header[24..28].try_into().expect("four bytes"));
    if found != u32::from(KEY_GROUPS) {
        return Err(LogError::KeyGroups { path: path.to_owned(), found, expected: KEY_GROUPS.into() });
    }
    Ok(Segment { path: path.to_owned(), base: u64_at(8), first_epoch: u64_at(16) })
}

/// Name of the segment whose first frame stands at `base`.
pub fn file_name(base: Position) -> String {
    format!("{base:020}.log")
}

/// Position of the first frame of a segment, as its name says; `None` for another file.
pub fn base_of(path: &Path) -> Option<Position> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// Paths of the segment files of a directory, in order of position.
pub fn list(dir: &Path) -> Result<Vec<PathBuf>, LogError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(LogError::io(dir))? {
        let path = entry.map_err(LogError::io(dir))?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            paths.push(path);
        }
    }
    // Names have a fixed width: their order is the order of positions.
    paths.sort();
    Ok(paths)
}

/// Makes the directory's entries durable.
pub fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(LogError::io(dir))
}

/// Appends frames to the last segment and begins new ones.
#[derive(Debug)]
pub struct SegmentWriter {
    dir: PathBuf,
    path: PathBuf,
    file: File,
    /// Bytes of frames in the current segment.
    written: u64,
    /// Position behind the last frame.
    position: Position,
}

impl SegmentWriter {
    /// Begins the first segment of an empty log.
    pub fn create(dir: &Path, base: Position, first_epoch: u64) -> Result<Self, LogError> {
        let path = dir.join(file_name(base));
        let mut header = [0; SEGMENT_HEADER_BYTES];
        header[..8].copy_from_slice(&SEGMENT_MAGIC);
        header[8..16].copy_from_slice(&base.to_le_bytes());
        header[16..24].copy_from_slice(&first_epoch.to_le_bytes());
        header[24..28].copy_from_slice(&u32::from(KEY_GROUPS).to_le_bytes());
        let crc = crc32fast::hash(&header[..36]);
        header[36..].copy_from_slice(&crc.to_le_bytes());
        // Under another name until its header is there: a reader never meets a segment without one.
        let unborn = path.with_extension("unborn");
        let mut file = File::create(&unborn).map_err(LogError::io(&unborn))?;
        file.write_all(&header).and_then(|()| file.sync_all()).map_err(LogError::io(&unborn))?;
        fs::rename(&unborn, &path).map_err(LogError::io(&path))?;
        sync_dir(dir)?;
        Ok(SegmentWriter { dir: dir.to_owned(), path, file, written: 0, position: base })
    }

    /// Goes on at the end of a segment with `written` bytes of whole frames; whatever follows them is cut off. What stays is
    /// on disk when this returns: the process before may have died between writing and syncing, and its frames are then read
    /// from the system's cache alone.
    pub fn resume(dir: &Path, segment: &Segment, written: u64) -> Result<Self, LogError> {
        let path = segment.path.clone();
        let file = OpenOptions::new().append(true).open(&path).map_err(LogError::io(&path))?;
        let length = SEGMENT_HEADER_BYTES as u64 + written;
        if file.metadata().map_err(LogError::io(&path))?.len() != length {
            file.set_len(length).map_err(LogError::io(&path))?;
        }
        file.sync_all().map_err(LogError::io(&path))?;
        Ok(SegmentWriter { dir: dir.to_owned(), path, file, written, position: segment.base + written })
    }

    /// Writes whole frames at the end; not yet durable.
    pub fn append(&mut self, frames: &[u8]) -> Result<(), LogError> {
        self.file.write_all(frames).map_err(LogError::io(&self.path))?;
        self.written += frames.len() as u64;
        self.position += frames.len() as u64;
        Ok(())
    }

    /// Makes everything written durable.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.file.sync_data().map_err(LogError::io(&self.path))
    }

    /// Begins a new segment when this one is full. Everything must be synced: a segment with a successor is never torn.
    pub fn rotate_when_full(&mut self, next_epoch: u64) -> Result<(), LogError> {
        if self.written >= limits::SEGMENT_BYTES {
            *self = SegmentWriter::create(&self.dir, self.position, next_epoch)?;
        }
        Ok(())
    }

    /// Position behind the last frame written.
    pub fn position(&self) -> Position {
        self.position
    }
}
