//! Parcels: what is exchanged between workers. A whole container goes to one worker; rows are never routed one by one.
//!
//! The sending operator sorts its rows into one [`Outbox`] by destination. A parcel for a thread of the same process moves
//! by pointer; one for another process is encoded by the sender, at once and in one piece, so that timely only copies bytes.
//!
//! Invariants: a parcel is never empty; every parcel reaches exactly the worker that it names.

use std::{io::Write, marker::PhantomData};

use serde::{Serialize, de::DeserializeOwned};
use timely::{
    Accountable,
    bytes::arc::Bytes,
    communication::Push,
    dataflow::channels::{ContainerBytes, Message, pact::DistributorPact, pushers::exchange::Distributor},
    progress::Stamp,
};

use crate::limits::PARCEL_ROWS;

/// A row that may travel.
pub trait Row: Serialize + DeserializeOwned + Send + 'static {}
impl<R: Serialize + DeserializeOwned + Send + 'static> Row for R {}

/// Rows for one worker.
pub struct Parcel<R> {
    to: u32,
    count: u32,
    body: Body<R>,
}

enum Body<R> {
    Rows(Vec<R>),
    /// Postcard of the rows, one after the other.
    Encoded(Vec<u8>),
    /// The same, as it came from the network.
    Received(Bytes),
}

impl<R> Default for Parcel<R> {
    fn default() -> Self {
        Parcel { to: 0, count: 0, body: Body::Rows(Vec::new()) }
    }
}

impl<R> Accountable for Parcel<R> {
    fn record_count(&self) -> i64 {
        i64::from(self.count)
    }
}

impl<R: Row> Parcel<R> {
    /// Shows the rows, in the order in which they were packed.
    ///
    /// Bytes that do not decode mean that the mates are not of one build, which the handshake excludes: the thread ends.
    pub fn open(self, show: impl FnOnce(&[R])) {
        let decode = |mut bytes: &[u8]| {
            let mut rows = Vec::with_capacity(self.count as usize);
            for _ in 0..self.count {
                let (row, rest) = postcard::take_from_bytes(bytes).expect("mates are of one build");
                rows.push(row);
                bytes = rest;
            }
            rows
        };
        show(&match self.body {
            Body::Encoded(bytes) => decode(&bytes),
            Body::Received(bytes) => decode(&bytes),
            Body::Rows(rows) => rows,
        });
    }
}

/// Fixed numbers before the body: `to`, `count`, bytes of the body.
const HEAD_BYTES: usize = 16;

impl<R: Row> ContainerBytes for Parcel<R> {
    fn from_bytes(mut bytes: Bytes) -> Self {
        let head = bytes.extract_to(HEAD_BYTES);
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = u64::from_le_bytes(head[8..16].try_into().expect("eight bytes")) as usize;
        let body = bytes.extract_to(length);
        Parcel { to: word(0), count: word(4), body: Body::Received(body) }
    }

    fn length_in_bytes(&self) -> usize {
        let length = match &self.body {
            Body::Encoded(bytes) => bytes.len(),
            Body::Received(bytes) => bytes.len(),
            Body::Rows(rows) => encode(rows).len(),
        };
        (HEAD_BYTES + length).next_multiple_of(8)
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        let encoded;
        let bytes: &[u8] = match &self.body {
            Body::Encoded(bytes) => bytes,
            Body::Received(bytes) => bytes,
            Body::Rows(rows) => {
                encoded = encode(rows);
                &encoded
            }
        };
        let mut head = [0u8; HEAD_BYTES];
        head[..4].copy_from_slice(&self.to.to_le_bytes());
        head[4..8].copy_from_slice(&self.count.to_le_bytes());
        head[8..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        let slop = (HEAD_BYTES + bytes.len()).next_multiple_of(8) - HEAD_BYTES - bytes.len();
        for part in [&head[..], bytes, &[0u8; 8][..slop]] {
            writer.write_all(part).expect("timely's slabs take every byte");
        }
    }
}

fn encode<R: Serialize>(rows: &[R]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * 32);
    for row in rows {
        bytes = postcard::to_extend(row, bytes).expect("memory takes every row");
    }
    bytes
}

/// Rows on their way, by destination. They are cut into parcels as they come, so that no row is copied when they leave.
pub struct Outbox<R> {
    rows: Vec<Waiting<R>>,
    local: std::ops::Range<usize>,
}

/// Rows for one destination.
struct Waiting<R> {
    full: Vec<Vec<R>>,
    open: Vec<R>,
    /// Rows of the last shipment: about as many will come again.
    expected: usize,
}

impl<R: Row> Outbox<R> {
    /// For `peers` workers, of which `local` are threads of this process.
    pub fn new(peers: usize, local: std::ops::Range<usize>) -> Self {
        let waiting = |_| Waiting { full: Vec::new(), open: Vec::new(), expected: 0 };
        Outbox { rows: (0..peers).map(waiting).collect(), local }
    }

    /// Adds a row for a worker.
    #[inline]
    pub fn push(&mut self, to: usize, row: R) {
        let waiting = &mut self.rows[to];
        if waiting.open.len() == waiting.open.capacity() {
            waiting.make_room();
        }
        waiting.open.push(row);
    }

    /// Packs everything and hands the parcels to `give`.
    pub fn ship(&mut self, mut give: impl FnMut(Parcel<R>)) {
        for (to, waiting) in self.rows.iter_mut().enumerate() {
            waiting.expected = waiting.full.len() * PARCEL_ROWS + waiting.open.len();
            let open = std::mem::take(&mut waiting.open);
            for rows in waiting.full.drain(..).chain((!open.is_empty()).then_some(open)) {
                let count = rows.len() as u32;
                let body = if self.local.contains(&to) { Body::Rows(rows) } else { Body::Encoded(encode(&rows)) };
                give(Parcel { to: to as u32, count, body });
            }
        }
    }
}

impl<R> Waiting<R> {
    #[cold]
    fn make_room(&mut self) {
        if self.open.len() >= PARCEL_ROWS {
            self.full.push(std::mem::take(&mut self.open));
        }
        let behind = self.expected.saturating_sub(self.full.len() * PARCEL_ROWS);
        let wanted = behind.max(self.open.len() * 2).clamp(64, PARCEL_ROWS);
        self.open.reserve_exact(wanted - self.open.len());
    }
}

/// Sends each parcel to the worker that it names.
pub struct ByAddress<R>(PhantomData<R>);

impl<R: Row> Distributor<Parcel<R>> for ByAddress<R> {
    fn partition<T: Clone, P: Push<Message<T, Parcel<R>>>>(
        &mut self,
        parcel: &mut Parcel<R>,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        let to = parcel.to as usize;
        Message::push_at(parcel, stamp.clone(), &mut pushers[to]);
    }

    fn flush<T: Clone, P: Push<Message<T, Parcel<R>>>>(&mut self, _stamp: &Stamp<T>, _pushers: &mut [P]) {}
}

/// The pact of parcels.
pub fn by_address<R: Row>() -> DistributorPact<impl FnOnce(usize) -> ByAddress<R>> {
    DistributorPact(|_peers| ByAddress(PhantomData))
}

#[cfg(test)]
mod tests {
    use timely::bytes::arc::BytesMut;

    use super::*;

    #[test]
    fn rows_survive_the_wire() {
        let mut outbox: Outbox<(u32, String)> = Outbox::new(2, 0..1);
        for number in 0..PARCEL_ROWS as u32 + 3 {
            outbox.push(1, (number, format!("row {number}")));
            outbox.push(0, (number, String::new()));
        }
        let mut parcels = Vec::new();
        outbox.ship(|parcel| parcels.push(parcel));
        assert_eq!(
            parcels.iter().map(|parcel| (parcel.to, parcel.count)).collect::<Vec<_>>(),
            [(0, PARCEL_ROWS as u32), (0, 3), (1, PARCEL_ROWS as u32), (1, 3)]
        );
        let last = parcels.pop().unwrap();
        let mut bytes = Vec::new();
        last.into_bytes(&mut bytes);
        assert_eq!(bytes.len(), last.length_in_bytes());
        assert_eq!(bytes.len() % 8, 0);
        let received = Parcel::<(u32, String)>::from_bytes(BytesMut::from(bytes).freeze());
        assert_eq!(received.to, 1);
        let mut rows = Vec::new();
        received.open(|received| rows.extend(received.iter().map(|row| row.0)));
        assert_eq!(rows, (PARCEL_ROWS as u32..PARCEL_ROWS as u32 + 3).collect::<Vec<_>>());
    }
}
