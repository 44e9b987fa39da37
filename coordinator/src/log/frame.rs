//! One frame of the log: a fixed header with checksums, then a body.
//!
//! ```text
//! header (40 bytes, little-endian)
//!   0 magic u32 | 4 body length u32 | 8 kind u8, 3 zero bytes | 12 count u32 | 16 epoch u64
//!  24 durable u64: position known to be on disk when the frame was made | 32 crc32 of the body | 36 crc32 of bytes 0..36
//! body
//!   Append: `count` records in the binary record form, one after the other
//!   Copies: `count` times (audience u16, length u32, record)
//!   Filled: `count` times (source rank u8, number u64, content hash u64): numbers used without a record of their own
//!   Orders: `count` times (length u32, `Order` of cluster.proto)
//!   Parameters: a `ParameterChange` (parameters.proto) without its epoch: the only frame of its epoch but the seal
//!   Seal:   market clock present u8, market clock ms i64; `count` = records of the epoch
//! ```
//!
//! `durable` is what tells a torn tail from damage: when a later frame knows a position as durable, the bytes before it
//! were acknowledged.

use billwatch_proto::v1;
use prost::Message as _;

use super::Position;

/// Bytes before the body.
pub const HEADER_BYTES: usize = 40;
/// First four bytes of a frame.
pub const MAGIC: [u8; 4] = *b"bwf1";
/// A body is never longer: a damaged length must not reserve memory. Far above [`crate::limits::FRAME_BYTES`], at which writers
/// begin the next frame.
pub const BODY_MOST: u32 = 1 << 30;

const FILLED_BYTES: usize = 17;

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FrameKind {
    /// Accepted records.
    Append = 1,
    /// End of an epoch.
    Seal = 2,
    /// Variants for shards other than their own.
    Copies = 3,
    /// Numbers of sequences that are used without an accepted record.
    Filled = 4,
    /// What clients ordered to hold from the epoch on.
    Orders = 5,
    /// A change of parameters.
    Parameters = 6,
}

/// A frame whose checksums hold.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What it holds.
    pub kind: FrameKind,
    /// Number of records; for a seal: of the whole epoch.
    pub count: u32,
    /// Epoch that it belongs to.
    pub epoch: u64,
    /// Position known to be on disk when it was made.
    pub durable: Position,
    /// The rest.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Bytes of the whole frame.
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    /// Market clock of a seal, ms; `Err` when the body is none.
    pub fn clock(&self) -> Result<Option<i64>, FrameFault> {
        match self.body {
            [0, rest @ ..] if rest.len() == 8 => Ok(None),
            [1, rest @ ..] => {
                Ok(Some(i64::from_le_bytes(rest.try_into().map_err(|_| FrameFault("length of a seal"))?)))
            }
            _ => Err(FrameFault("body of a seal")),
        }
    }

    /// The (source rank, number, content hash) triples of a `Filled` frame.
    pub fn filled(&self) -> Result<Vec<(u8, u64, u64)>, FrameFault> {
        let (triples, rest) = self.body.as_chunks::<FILLED_BYTES>();
        if !rest.is_empty() {
            return Err(FrameFault("length of a list of numbers"));
        }
        let u64_at = |triple: &[u8; FILLED_BYTES], at: usize| {
            u64::from_le_bytes(triple[at..at + 8].try_into().expect("eight bytes"))
        };
        Ok(triples.iter().map(|triple| (triple[0], u64_at(triple, 1), u64_at(triple, 9))).collect())
    }

    /// The orders of an `Orders` frame.
    pub fn orders(&self) -> Result<Vec<v1::Order>, FrameFault> {
        let mut rest = self.body;
        let mut orders = Vec::new();
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<4>().ok_or(FrameFault("length of an order"))?;
            let length = u32::from_le_bytes(*length) as usize;
            let (order, tail) = tail.split_at_checked(length).ok_or(FrameFault("end of an order"))?;
            orders.push(v1::Order::decode(order).map_err(|_| FrameFault("form of an order"))?);
            rest = tail;
        }
        Ok(orders)
    }

    /// The change of a `Parameters` frame, with its epoch.
    pub fn parameters(&self) -> Result<v1::ParameterChange, FrameFault> {
        let change = v1::ParameterChange::decode(self.body).map_err(|_| FrameFault("a change of parameters"))?;
        Ok(v1::ParameterChange { epoch: self.epoch, ..change })
    }

    /// The (audience bits, record) pairs of a `Copies` frame.
    pub fn copies(&self) -> Result<Vec<(u16, &[u8])>, FrameFault> {
        let mut rest = self.body;
        let mut copies = Vec::new();
        while !rest.is_empty() {
            let (head, tail) = rest.split_first_chunk::<6>().ok_or(FrameFault("head of a copy"))?;
            let audience = u16::from_le_bytes([head[0], head[1]]);
            let length = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
            let (record, tail) = tail.split_at_checked(length).ok_or(FrameFault("length of a copy"))?;
            copies.push((audience, record));
            rest = tail;
        }
        Ok(copies)
    }
}

/// Which part of a frame does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameFault(pub &'static str);

/// An empty frame to which the body is appended; [`complete`] fills in the header.
pub fn begin() -> Vec<u8> {
    vec![0; HEADER_BYTES]
}

/// A frame is too long: no reader would take it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a frame of {0} bytes is longer than any reader takes ({BODY_MOST}): nothing of it was written")]
pub struct TooLong(pub usize);

/// Fills in the header of a frame whose body stands behind [`HEADER_BYTES`] bytes.
///
/// # Errors
/// The body is longer than readers take: the frame must not be written.
pub fn complete(frame: &mut [u8], kind: FrameKind, count: u32, epoch: u64, durable: Position) -> Result<(), TooLong> {
    let (header, body) = frame.split_at_mut(HEADER_BYTES);
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= BODY_MOST).ok_or(TooLong(body.len()))?;
    header[0..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..12].copy_from_slice(&[kind as u8, 0, 0, 0]);
    header[12..16].copy_from_slice(&count.to_le_bytes());
    header[16..24].copy_from_slice(&epoch.to_le_bytes());
    header[24..32].copy_from_slice(&durable.to_le_bytes());
    header[32..36].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    let crc = crc32fast::hash(&header[..36]);
    header[36..40].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// A whole seal frame.
pub fn seal(epoch: u64, clock: Option<i64>, records: u32, durable: Position) -> Vec<u8> {
    let mut frame = begin();
    frame.push(u8::from(clock.is_some()));
    frame.extend_from_slice(&clock.unwrap_or(0).to_le_bytes());
    complete(&mut frame, FrameKind::Seal, records, epoch, durable).expect("a seal has nine bytes");
    frame
}

/// A whole frame of a change of parameters.
///
/// # Errors
/// As [`complete`].
pub fn parameters(change: &v1::ParameterChange, epoch: u64, durable: Position) -> Result<Vec<u8>, TooLong> {
    let mut frame = begin();
    frame.extend_from_slice(&v1::ParameterChange { epoch: 0, ..change.clone() }.encode_to_vec());
    complete(&mut frame, FrameKind::Parameters, 1, epoch, durable)?;
    Ok(frame)
}

/// Appends one copy to the body of a `Copies` frame.
pub fn put_copy(frame: &mut Vec<u8>, audience: u16, record: &[u8]) {
    frame.extend_from_slice(&audience.to_le_bytes());
    frame.extend_from_slice(&(record.len() as u32).to_le_bytes());
    frame.extend_from_slice(record);
}

/// Appends one order to the body of an `Orders` frame.
pub fn put_order(frame: &mut Vec<u8>, order: &v1::Order) {
    let order = order.encode_to_vec();
    frame.extend_from_slice(&(order.len() as u32).to_le_bytes());
    frame.extend_from_slice(&order);
}

/// Appends one used number to the body of a `Filled` frame. `content` is 0 for a refused record.
pub fn put_filled(frame: &mut Vec<u8>, source_rank: u8, number: u64, content: u64) {
    frame.push(source_rank);
    frame.extend_from_slice(&number.to_le_bytes());
    frame.extend_from_slice(&content.to_le_bytes());
}

/// Bytes of the whole frame that a header announces, with the header checked.
pub fn announced(header: &[u8; HEADER_BYTES]) -> Result<usize, FrameFault> {
    if header[0..4] != MAGIC {
        return Err(FrameFault("frame mark"));
    }
    if crc32fast::hash(&header[..36]).to_le_bytes() != header[36..40] {
        return Err(FrameFault("checksum of a frame header"));
    }
    let length = u32_at(header, 4);
    if length > BODY_MOST {
        return Err(FrameFault("length of a frame"));
    }
    Ok(HEADER_BYTES + length as usize)
}

/// Reads the frame at the front of `bytes` and checks both checksums.
pub fn parse(bytes: &[u8]) -> Result<Frame<'_>, FrameFault> {
    let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(FrameFault("cut frame header"))?;
    let length = announced(header)?;
    let body = bytes.get(HEADER_BYTES..length).ok_or(FrameFault("cut frame"))?;
    if crc32fast::hash(body) != u32_at(header, 32) {
        return Err(FrameFault("checksum of a frame"));
    }
    let kind = match header[8] {
        1 => FrameKind::Append,
        2 => FrameKind::Seal,
        3 => FrameKind::Copies,
        4 => FrameKind::Filled,
        5 => FrameKind::Orders,
        6 => FrameKind::Parameters,
        _ => return Err(FrameFault("kind of a frame")),
    };
    Ok(Frame { kind, count: u32_at(header, 12), epoch: u64_at(header, 16), durable: u64_at(header, 24), body })
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_reader_takes_is_not_completed() {
        let mut frame = vec![0; HEADER_BYTES + BODY_MOST as usize + 1];
        assert_eq!(complete(&mut frame, FrameKind::Copies, 1, 1, 0), Err(TooLong(BODY_MOST as usize + 1)));
        assert_eq!(frame[..HEADER_BYTES], [0; HEADER_BYTES]);
        frame.truncate(HEADER_BYTES + 9);
        assert_eq!(complete(&mut frame, FrameKind::Seal, 1, 1, 0), Ok(()));
        assert_eq!(parse(&frame).map(|frame| frame.bytes()), Ok(HEADER_BYTES + 9));
    }
}
