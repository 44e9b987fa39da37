//! The bills of one worker: a few awake, the others at rest.
//!
//! A bill that facts touch is *awake*: unpacked, ready to be folded on. There is room for a small share of all bills; who
//! was not touched for longest makes room and is *at rest*: packed into a few hundred bytes ([`billwatch_market::packed`]).
//! Most bills rest most of their lives, and ended ones nearly for ever, so memory is what resting bills take.
//!
//! Invariant: rest changes nothing. A bill that was woken equals the bill that was put to rest.
//!
//! Begin with [`Bills::wake`].

use std::hash::BuildHasher as _;

use billwatch_market::{
    bill::Bill,
    codec::CodecError,
    ids::{BillId, InstId, PartyId},
    packed::{Packer, Unpacker},
    pattern::{BillTimers, Hit},
};
use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};
use smallvec::SmallVec;

use super::{Dense, pieces::Pieces, readers::party_mark};
use crate::{limits::AWAKE_BILLS_SHARE, store::StoreError};

/// An awake bill that held more than this gives its memory back when it goes to rest.
const KEPT_HEAP_BYTES_MAX: usize = 4_096;

/// A bill and what is kept beside its fold.
#[derive(Default)]
pub struct BillLife {
    /// The fold.
    pub bill: Bill,
    /// Starts and answers.
    pub timers: BillTimers,
    /// Alerts by instant.
    pub due: Vec<(i64, Hit)>,
    /// Latest event time of any record, ms: reference data from later on cannot matter.
    pub last_time: i64,
    /// Corrections or variants: every further fact goes the slow way.
    pub complicated: bool,
    /// Parties and branches that its facts name, as `party_mark`.
    pub parties: SmallVec<[u32; 12]>,
}

impl BillLife {
    fn without_facts() -> Self {
        BillLife { last_time: i64::MIN, ..BillLife::default() }
    }

    fn pack(&self, to: &mut Packer) {
        self.bill.pack(to);
        self.timers.pack(to);
        to.number(self.due.len() as u64);
        for (at, hit) in &self.due {
            to.time(*at);
            hit.pack(to);
        }
        to.time(self.last_time);
        to.byte(u8::from(self.complicated));
        self.pack_parties(to);
    }

    /// Most marks are of parties and branches that the state names already: a bit each says which. The others follow whole.
    fn pack_parties(&self, to: &mut Packer) {
        let mut others = self.parties.clone();
        let named: SmallVec<[u32; 24]> = named_marks(to.parties(), to.branches());
        for marks in named.chunks(8) {
            let mut bits = 0u8;
            for (bit, mark) in marks.iter().enumerate() {
                if let Some(place) = others.iter().position(|other| other == mark) {
                    others.swap_remove(place);
                    bits |= 1 << bit;
                }
            }
            to.byte(bits);
        }
        to.number(others.len() as u64);
        others.iter().for_each(|mark| to.half_word(*mark));
    }

    fn unpack_parties(&mut self, from: &mut Unpacker<'_>) {
        self.parties.clear();
        let named: SmallVec<[u32; 24]> = named_marks(from.parties(), from.branches());
        for marks in named.chunks(8) {
            let bits = from.byte();
            let is_there = |bit: &usize| bits & 1 << bit != 0;
            self.parties.extend((0..marks.len()).filter(is_there).map(|bit| marks[bit]));
        }
        for _ in 0..from.count() {
            self.parties.push(from.half_word());
        }
    }

    /// Reads what [`BillLife::pack`] wrote into this life, whatever it was.
    fn unpack(&mut self, from: &mut Unpacker<'_>) -> Result<(), CodecError> {
        self.bill.unpack(from);
        self.timers.unpack(from);
        self.due.clear();
        for _ in 0..from.count() {
            self.due.push((from.time(), Hit::unpack(from)));
        }
        self.last_time = from.time();
        self.complicated = from.byte() != 0;
        self.unpack_parties(from);
        from.finish()
    }

    fn heap_bytes(&self) -> usize {
        let parties = if self.parties.spilled() { self.parties.capacity() * size_of::<u32>() } else { 0 };
        self.bill.heap_bytes() + self.timers.heap_bytes() + self.due.capacity() * size_of::<(i64, Hit)>() + parties
    }

    fn live_lots(&self) -> u64 {
        self.bill.live_lots().count() as u64
    }
}

fn named_marks(parties: &[PartyId], branches: &[InstId]) -> SmallVec<[u32; 24]> {
    let parties = parties.iter().map(|party| party_mark(party.bits()));
    parties.chain(branches.iter().map(|branch| party_mark(u64::from(branch.0)))).collect()
}

/// A bill number without the padding of its 128 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name {
    digits: [u8; 16],
    length: u8,
}

impl Name {
    fn of(id: BillId) -> Self {
        Name { digits: id.digits.to_le_bytes(), length: id.length }
    }

    fn id(self) -> BillId {
        BillId { digits: u128::from_le_bytes(self.digits), length: self.length }
    }
}

/// Where a bill is.
#[derive(Clone, Copy)]
struct Place {
    last_time: i64,
    /// Seat of an awake bill, or number of the piece of a resting one.
    at: u32,
    /// Bytes of the piece; [`AWAKE`] or [`NEW`].
    length: u32,
}

const AWAKE: u32 = u32::MAX;
/// Without any fact so far.
const NEW: u32 = 0;

struct Seat {
    dense: Dense,
    /// Touched since the hand last passed.
    touched: bool,
    life: BillLife,
}

/// The bills of one worker, numbered from 0 in order of arrival.
pub struct Bills {
    seats_min: usize,
    names: Vec<Name>,
    places: Vec<Place>,
    by_name: HashTable<Dense>,
    hasher: DefaultHashBuilder,
    seats: Vec<Seat>,
    /// The next seat that may be cleared.
    hand: usize,
    pieces: Pieces,
    packer: Packer,
    /// Live lots of resting bills.
    resting_live_lots: u64,
}

impl Bills {
    /// Without bills; `seats_min` of them may be awake whatever their number.
    pub fn new(seats_min: usize) -> Self {
        Bills {
            seats_min: seats_min.max(1),
            names: Vec::new(),
            places: Vec::new(),
            by_name: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            seats: Vec::new(),
            hand: 0,
            pieces: Pieces::default(),
            packer: Packer::default(),
            resting_live_lots: 0,
        }
    }

    /// Number of bills.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The number of a bill that is known here.
    pub fn find(&self, id: BillId) -> Option<Dense> {
        let name = Name::of(id);
        self.by_name.find(self.hasher.hash_one(id), |dense| self.names[*dense as usize] == name).copied()
    }

    /// The number of a bill; made when it was not known.
    pub fn number(&mut self, id: BillId) -> Dense {
        let Bills { names, places, by_name, hasher, .. } = self;
        let name = Name::of(id);
        let is_it = |dense: &Dense| names[*dense as usize] == name;
        match by_name.entry(hasher.hash_one(id), is_it, |dense| hasher.hash_one(names[*dense as usize].id())) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let dense = names.len() as Dense;
                entry.insert(dense);
                if names.len() == names.capacity() {
                    // A quarter more, not twice as much: these lists are large and rarely grow.
                    let more = 1_024.max(names.len() / 4);
                    names.reserve_exact(more);
                    places.reserve_exact(more);
                }
                names.push(name);
                places.push(Place { last_time: i64::MIN, at: 0, length: NEW });
                dense
            }
        }
    }

    /// The bill of a number.
    pub fn id(&self, dense: Dense) -> BillId {
        self.names[dense as usize].id()
    }

    /// Latest event time of any record of the bill, ms; known without waking it.
    pub fn last_time(&self, dense: Dense) -> i64 {
        let place = &self.places[dense as usize];
        if place.length == AWAKE { self.seats[place.at as usize].life.last_time } else { place.last_time }
    }

    /// The bill, awake: it may be changed.
    ///
    /// # Errors
    /// Its packed form does not decode: a checkpoint was damaged.
    pub fn wake(&mut self, dense: Dense) -> Result<&mut BillLife, StoreError> {
        let place = self.places[dense as usize];
        if place.length == AWAKE {
            let seat = &mut self.seats[place.at as usize];
            seat.touched = true;
            return Ok(&mut seat.life);
        }
        let at = self.free_seat();
        let seat = &mut self.seats[at];
        if place.length == NEW {
            seat.life = BillLife::without_facts();
        } else {
            let bytes = self.pieces.get(place.at, place.length as usize);
            let mut from = Unpacker::new(self.names[dense as usize].id(), bytes);
            seat.life.unpack(&mut from).map_err(damaged)?;
            self.pieces.free(place.at, place.length as usize);
        }
        (seat.dense, seat.touched) = (dense, true);
        self.resting_live_lots -= seat.life.live_lots();
        self.places[dense as usize] = Place { at: at as u32, length: AWAKE, ..place };
        Ok(&mut self.seats[at].life)
    }

    /// A seat that nobody sits on: a new one while there is room, else that of a bill that was not touched for long.
    fn free_seat(&mut self) -> usize {
        if self.seats.len() < self.seats_min.max(self.names.len() / AWAKE_BILLS_SHARE) {
            self.seats.push(Seat { dense: NOBODY, touched: false, life: BillLife::default() });
            return self.seats.len() - 1;
        }
        loop {
            let at = self.hand;
            self.hand = (at + 1) % self.seats.len();
            let seat = &mut self.seats[at];
            if seat.dense == NOBODY || !std::mem::take(&mut seat.touched) {
                self.put_to_rest(at);
                return at;
            }
        }
    }

    fn put_to_rest(&mut self, at: usize) {
        let Bills { names, places, seats, pieces, packer, .. } = self;
        let Seat { dense, life, .. } = &mut seats[at];
        let Some(place) = places.get_mut(*dense as usize) else { return };
        packer.begin(names[*dense as usize].id());
        life.pack(packer);
        let bytes = packer.bytes();
        *place = Place { last_time: life.last_time, at: pieces.put(bytes), length: bytes.len() as u32 };
        self.resting_live_lots += life.live_lots();
        *dense = NOBODY;
        if life.heap_bytes() > KEPT_HEAP_BYTES_MAX {
            *life = BillLife::default();
        }
    }

    /// Shows a bill without waking it.
    ///
    /// # Errors
    /// As [`Bills::wake`].
    pub fn look<R>(&self, dense: Dense, look: impl FnOnce(&BillLife) -> R) -> Result<R, StoreError> {
        let place = &self.places[dense as usize];
        if place.length == AWAKE {
            return Ok(look(&self.seats[place.at as usize].life));
        }
        let mut life = BillLife::without_facts();
        if place.length != NEW {
            let bytes = self.pieces.get(place.at, place.length as usize);
            life.unpack(&mut Unpacker::new(self.id(dense), bytes)).map_err(damaged)?;
        }
        Ok(look(&life))
    }

    /// Appends the packed form of a bill: what a checkpoint keeps.
    pub fn save(&mut self, dense: Dense, row: &mut Vec<u8>) {
        let place = &self.places[dense as usize];
        if place.length == AWAKE {
            self.packer.begin(self.names[dense as usize].id());
            self.seats[place.at as usize].life.pack(&mut self.packer);
            row.extend_from_slice(self.packer.bytes());
        } else {
            row.extend_from_slice(self.pieces.get(place.at, place.length as usize));
        }
    }

    /// Puts a bill back, at rest; shows it once, because others keep what is a function of it.
    ///
    /// # Errors
    /// The row does not decode.
    pub fn restore<R>(&mut self, dense: Dense, row: &[u8], look: impl FnOnce(&BillLife) -> R) -> Result<R, StoreError> {
        let mut life = BillLife::default();
        life.unpack(&mut Unpacker::new(self.id(dense), row)).map_err(damaged)?;
        self.resting_live_lots += life.live_lots();
        self.places[dense as usize] =
            Place { last_time: life.last_time, at: self.pieces.put(row), length: row.len() as u32 };
        Ok(look(&life))
    }

    /// Number of lots that have not ended.
    pub fn live_lots(&self) -> u64 {
        let awake: u64 = self.awake().map(|seat| seat.life.live_lots()).sum();
        awake + self.resting_live_lots
    }

    fn awake(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(|seat| seat.dense != NOBODY)
    }

    /// Bytes of all bills: packed ones with the room that is lost between them, awake ones, and the lists that find them.
    pub fn heap_bytes(&self) -> usize {
        let seats: usize = self.seats.iter().map(|seat| seat.life.heap_bytes()).sum();
        seats
            + self.seats.capacity() * size_of::<Seat>()
            + self.pieces.heap_bytes()
            + self.names.capacity() * size_of::<Name>()
            + self.places.capacity() * size_of::<Place>()
            // A number and a control byte, an eighth of them free.
            + self.by_name.capacity() * 5 * 8 / 7
    }
}

/// Whose seat a free seat is.
const NOBODY: Dense = Dense::MAX;

fn damaged(error: CodecError) -> StoreError {
    StoreError::Damaged { what: format!("a packed bill: {error}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use billwatch_market::{
        ids::Day,
        pattern::{AlertKey, Level, PatternIndex},
    };
    use proptest::prelude::*;

    use super::*;

    /// What stands for a fold here: something that grows with each touch.
    fn touch(life: &mut BillLife, number: i64) {
        life.last_time = life.last_time.max(number);
        life.parties.push(party_mark(number as u64));
        life.complicated |= number % 7 == 0;
        let hit = Hit {
            pattern: PatternIndex(number as u16),
            key: AlertKey::Event(number as u128),
            date: Day(number as i32),
            level: Level::Red,
        };
        life.due.push((number, hit));
    }

    fn shown(life: &BillLife) -> (i64, Vec<u32>, bool, Vec<(i64, Hit)>) {
        (life.last_time, life.parties.to_vec(), life.complicated, life.due.clone())
    }

    proptest! {
        #[test]
        fn rest_changes_nothing(touches in prop::collection::vec((0u32..60, 0i64..5_000), 1..400), seats in 1usize..20) {
            let mut bills = Bills::new(seats);
            let mut plain: BTreeMap<u32, BillLife> = BTreeMap::new();
            for (number, at) in touches {
                let dense = bills.number(BillId { digits: u128::from(number), length: 30 });
                touch(bills.wake(dense).unwrap(), at);
                touch(plain.entry(number).or_insert_with(BillLife::without_facts), at);
            }
            prop_assert_eq!(bills.len(), plain.len());
            let mut other = Bills::new(1);
            for (number, life) in &plain {
                let id = BillId { digits: u128::from(*number), length: 30 };
                let dense = bills.find(id).unwrap();
                prop_assert_eq!(bills.look(dense, shown).unwrap(), shown(life));
                prop_assert_eq!(bills.last_time(dense), life.last_time);
                // Saved and restored.
                let mut row = Vec::new();
                bills.save(dense, &mut row);
                let again = other.number(id);
                prop_assert_eq!(other.restore(again, &row, shown).unwrap(), shown(life));
                prop_assert_eq!(shown(other.wake(again).unwrap()), shown(life));
            }
            prop_assert!(bills.seats.len() <= seats.max(plain.len() / AWAKE_BILLS_SHARE));
            prop_assert_eq!(bills.find(BillId { digits: 1_000, length: 30 }), None);
        }
    }

    #[test]
    fn a_damaged_row_is_refused() {
        let mut bills = Bills::new(2);
        let dense = bills.number(BillId { digits: 5, length: 30 });
        assert!(matches!(bills.restore(dense, &[9, 9, 9], shown), Err(StoreError::Damaged { .. })));
    }
}
