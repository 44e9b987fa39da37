//! Reading sealed epochs back, in order, while the writer goes on appending.
//!
//! Invariant: only epochs that are known to be sealed on disk are asked for, so every frame up to there is whole, and a bad
//! one is damage.

use std::{
    fs::File,
    io::{BufReader, Read as _},
    path::{Path, PathBuf},
};

use billwatch_proto::v1;
use prost::bytes::Bytes;

use super::{
    LogError, Position,
    frame::{self, FrameKind, HEADER_BYTES},
    segment::{self, SEGMENT_HEADER_BYTES},
};

const BUFFER_BYTES: usize = 1 << 20;

/// A sealed epoch as it lies in the log.
#[derive(Debug)]
pub struct StoredEpoch {
    /// Its number.
    pub epoch: u64,
    /// Market clock after it, ms.
    pub market_clock_ms: Option<i64>,
    /// Records in the binary form, batch by batch.
    pub batches: Vec<Bytes>,
    /// Variants for other shards: audience bits and record.
    pub copies: Vec<(u16, Bytes)>,
    /// What clients ordered to hold from this epoch on.
    pub orders: Vec<v1::Order>,
    /// The change of parameters that it is of; it holds nothing else then.
    pub parameters: Option<v1::ParameterChange>,
    /// Number of records.
    pub records: u32,
}

/// A place in the log from which epochs are read in order.
#[derive(Debug)]
pub struct LogReader {
    dir: PathBuf,
    file: BufReader<File>,
    path: PathBuf,
    /// In the file.
    offset: u64,
    /// Position of the segment's first frame.
    base: u64,
    next_epoch: u64,
}

impl LogReader {
    /// Stands before `epoch`. The log must have been opened for writing before (it then has a segment).
    pub fn at(dir: &Path, epoch: u64) -> Result<Self, LogError> {
        let mut chosen = None;
        for path in segment::list(dir)? {
            let (file, segment) = open(&path)?;
            // The first segment, or a later one that begins before the epoch.
            if chosen.is_some() && segment.first_epoch >= epoch {
                break;
            }
            chosen = Some((file, segment));
        }
        let missing = || LogError::Damaged { path: dir.to_owned(), offset: 0, what: "no segment" };
        let (file, segment) = chosen.ok_or_else(missing)?;
        Ok(LogReader { next_epoch: epoch, ..Self::behind_header(dir, file, segment) })
    }

    /// Stands before the first frame of a segment.
    fn in_segment(dir: &Path, path: &Path) -> Result<Self, LogError> {
        let (file, segment) = open(path)?;
        Ok(Self::behind_header(dir, file, segment))
    }

    fn behind_header(dir: &Path, file: BufReader<File>, segment: segment::Segment) -> Self {
        LogReader {
            dir: dir.to_owned(),
            file,
            path: segment.path,
            offset: SEGMENT_HEADER_BYTES as u64,
            base: segment.base,
            next_epoch: segment.first_epoch,
        }
    }

    /// Goes to a frame of the segment. What lies near is in the buffer already.
    fn go_to(&mut self, position: Position) -> Result<(), LogError> {
        let offset = SEGMENT_HEADER_BYTES as u64 + (position - self.base);
        self.file.seek_relative(offset as i64 - self.offset as i64).map_err(LogError::io(&self.path))?;
        self.offset = offset;
        Ok(())
    }

    /// Number of the epoch that [`LogReader::next_epoch`] gives.
    pub fn stands_at(&self) -> u64 {
        self.next_epoch
    }

    /// The error for a content that does not fit, at the place just read.
    pub fn damaged(&self, what: &'static str) -> LogError {
        LogError::Damaged { path: self.path.clone(), offset: self.offset, what }
    }

    /// The next epoch, which must be sealed on disk.
    pub fn next_epoch(&mut self) -> Result<StoredEpoch, LogError> {
        let mut stored = StoredEpoch {
            epoch: self.next_epoch,
            market_clock_ms: None,
            batches: Vec::new(),
            copies: Vec::new(),
            orders: Vec::new(),
            parameters: None,
            records: 0,
        };
        loop {
            let offset = self.offset;
            let bytes = self.next_frame()?;
            let damaged = |what| LogError::Damaged { path: self.path.clone(), offset, what };
            let frame = frame::parse(&bytes).map_err(|fault| damaged(fault.0))?;
            if frame.epoch < stored.epoch {
                continue;
            }
            if frame.epoch > stored.epoch {
                return Err(damaged("an epoch is missing"));
            }
            match frame.kind {
                FrameKind::Append => {
                    stored.records += frame.count;
                    stored.batches.push(bytes.slice(HEADER_BYTES..));
                }
                FrameKind::Copies => {
                    for (audience, record) in frame.copies().map_err(|fault| damaged(fault.0))? {
                        stored.copies.push((audience, bytes.slice_ref(record)));
                    }
                }
                FrameKind::Orders => stored.orders.extend(frame.orders().map_err(|fault| damaged(fault.0))?),
                FrameKind::Filled => {}
                FrameKind::Parameters => {
                    stored.parameters = Some(frame.parameters().map_err(|fault| damaged(fault.0))?);
                }
                FrameKind::Seal => {
                    if frame.count != stored.records {
                        return Err(damaged("number of records of an epoch"));
                    }
                    stored.market_clock_ms = frame.clock().map_err(|fault| damaged(fault.0))?;
                    self.next_epoch += 1;
                    return Ok(stored);
                }
            }
        }
    }

    fn next_frame(&mut self) -> Result<Bytes, LogError> {
        let mut header = [0; HEADER_BYTES];
        if !self.fill(&mut header)? {
            self.open_next_segment()?;
            if !self.fill(&mut header)? {
                return Err(self.damaged("cut frame header"));
            }
        }
        let length = frame::announced(&header).map_err(|fault| self.damaged(fault.0))?;
        let mut bytes = vec![0; length];
        bytes[..HEADER_BYTES].copy_from_slice(&header);
        if length > HEADER_BYTES && !self.fill(&mut bytes[HEADER_BYTES..])? {
            return Err(self.damaged("cut frame"));
        }
        self.offset += length as u64;
        Ok(bytes.into())
    }

    /// Fills `buffer`; false at the end of the file.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, LogError> {
        match self.file.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
            Err(source) => Err(LogError::Io { path: self.path.clone(), source }),
        }
    }

    fn open_next_segment(&mut self) -> Result<(), LogError> {
        let position = self.base + self.offset - SEGMENT_HEADER_BYTES as u64;
        let path = self.dir.join(segment::file_name(position));
        let (file, segment) = open(&path)?;
        (self.file, self.path, self.base, self.offset) = (file, path, segment.base, SEGMENT_HEADER_BYTES as u64);
        Ok(())
    }
}

/// Shows the frames that begin at these positions, given in order. They must be written already. The directory is listed once,
/// and each segment opened once.
pub fn read_frames<E: From<LogError>>(
    dir: &Path,
    positions: impl IntoIterator<Item = Position>,
    mut visit: impl FnMut(Position, Bytes) -> Result<(), E>,
) -> Result<(), E> {
    let mut bases = Vec::new();
    for path in segment::list(dir)? {
        bases.push((segment::base_of(&path), path));
    }
    let mut reader: Option<(usize, LogReader)> = None;
    for position in positions {
        let nothing = || LogError::Damaged { path: dir.to_owned(), offset: 0, what: "no segment" };
        let at = bases.partition_point(|(base, _)| base.is_some_and(|base| base <= position));
        let at = at.checked_sub(1).ok_or_else(nothing)?;
        let reader = match &mut reader {
            Some((open, reader)) if *open == at => reader,
            _ => &mut reader.insert((at, LogReader::in_segment(dir, &bases[at].1)?)).1,
        };
        reader.go_to(position)?;
        visit(position, reader.next_frame()?)?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<(BufReader<File>, segment::Segment), LogError> {
    let file = File::open(path).map_err(LogError::io(path))?;
    let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut header = [0; SEGMENT_HEADER_BYTES];
    file.read_exact(&mut header).map_err(LogError::io(path))?;
    let segment = segment::parse_header(path, &header)?;
    Ok((file, segment))
}
