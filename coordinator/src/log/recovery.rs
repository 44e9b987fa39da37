//! Opening the log: check every frame, cut a torn tail, refuse damage.
//!
//! A crash can leave the end of the last segment half written, in any order of pages. All frames from the first bad one on
//! are cut, unless a later whole frame says that the bad place was already durable when it was made: then bytes that
//! had been acknowledged have changed, and the log is not opened.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    LogError, Position,
    frame::{self, Frame},
    segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentWriter},
};

/// An opened log.
#[derive(Debug)]
pub struct Recovered {
    /// Ready to append.
    pub writer: SegmentWriter,
    /// Bytes of a torn tail that were cut; 0 after a clean end.
    pub cut_bytes: u64,
}

/// Opens the log in `dir` and shows every whole frame, with its position, to `visit` in order.
///
/// `visit` says what does not fit when a frame's content cannot be read: that is damage too.
pub fn recover(
    dir: &Path,
    mut visit: impl FnMut(Position, &Frame<'_>) -> Result<(), &'static str>,
) -> Result<Recovered, LogError> {
    fs::create_dir_all(dir).map_err(LogError::io(dir))?;
    let mut paths = segment::list(dir)?;
    drop_unborn_segment(dir, &mut paths)?;
    let Some((last, before)) = paths.split_last() else {
        return Ok(Recovered { writer: SegmentWriter::create(dir, 0, 1)?, cut_bytes: 0 });
    };
    let mut expected = 0;
    for path in before {
        let bytes = fs::read(path).map_err(LogError::io(path))?;
        let segment = checked_header(path, &bytes, expected)?;
        let read = read_frames(&segment, &bytes, &mut visit)?;
        if let Some(what) = read.fault {
            return Err(LogError::Damaged { path: path.clone(), offset: read.good as u64, what });
        }
        expected = segment.base + (read.good - SEGMENT_HEADER_BYTES) as u64;
    }
    let bytes = fs::read(last).map_err(LogError::io(last))?;
    let segment = checked_header(last, &bytes, expected)?;
    let read = read_frames(&segment, &bytes, &mut visit)?;
    if let Some(what) = read.fault {
        let position = segment.base + (read.good - SEGMENT_HEADER_BYTES) as u64;
        if was_durable(&bytes[read.good..], position) {
            return Err(LogError::Damaged { path: last.clone(), offset: read.good as u64, what });
        }
    }
    let written = (read.good - SEGMENT_HEADER_BYTES) as u64;
    Ok(Recovered {
        writer: SegmentWriter::resume(dir, &segment, written)?,
        cut_bytes: (bytes.len() - read.good) as u64,
    })
}

/// A crash while a segment was begun leaves a file with no more than a half-written header: it never held a frame.
fn drop_unborn_segment(dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), LogError> {
    let Some(last) = paths.last() else { return Ok(()) };
    if fs::metadata(last).map_err(LogError::io(last))?.len() <= SEGMENT_HEADER_BYTES as u64 {
        let bytes = fs::read(last).map_err(LogError::io(last))?;
        if let Err(LogError::Damaged { .. }) = segment::parse_header(last, &bytes) {
            fs::remove_file(last).map_err(LogError::io(last))?;
            segment::sync_dir(dir)?;
            paths.pop();
        }
    }
    Ok(())
}

fn checked_header(path: &Path, bytes: &[u8], expected: Position) -> Result<Segment, LogError> {
    let segment = segment::parse_header(path, bytes)?;
    if segment.base != expected {
        let what = "a segment before this one is missing or cut";
        return Err(LogError::Damaged { path: path.to_owned(), offset: 0, what });
    }
    Ok(segment)
}

struct Read {
    /// Bytes of the file up to the end of the last whole frame.
    good: usize,
    /// Why the next frame is not whole; `None` at the end of the file.
    fault: Option<&'static str>,
}

fn read_frames(
    segment: &Segment,
    bytes: &[u8],
    visit: &mut impl FnMut(Position, &Frame<'_>) -> Result<(), &'static str>,
) -> Result<Read, LogError> {
    let mut good = SEGMENT_HEADER_BYTES;
    while good < bytes.len() {
        let frame = match frame::parse(&bytes[good..]) {
            Ok(frame) => frame,
            Err(fault) => return Ok(Read { good, fault: Some(fault.0) }),
        };
        let position = segment.base + (good - SEGMENT_HEADER_BYTES) as u64;
        // The checksum holds, so this is no torn write: a content that cannot be read was written so, or by another build.
        visit(position, &frame).map_err(|what| LogError::Damaged {
            path: segment.path.clone(),
            offset: good as u64,
            what,
        })?;
        good += frame.bytes();
    }
    Ok(Read { good, fault: None })
}

/// True when a whole frame in `tail` knows that more than `position` was on disk.
fn was_durable(tail: &[u8], position: Position) -> bool {
    let mut at = 1;
    while let Some(found) = tail.get(at..).and_then(|rest| rest.windows(4).position(|window| window == frame::MAGIC)) {
        at += found;
        match frame::parse(&tail[at..]) {
            Ok(frame) if frame.durable > position => return true,
            Ok(frame) => at += frame.bytes(),
            Err(_) => at += 1,
        }
    }
    false
}
