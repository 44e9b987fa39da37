//! The packed form of state: what a bill that rests is kept in, in memory and in checkpoints.
//!
//! A bill's state names few instants, parties, branches and ranges, but each of them often: the instant of an endorsement
//! stands in the lineage, in the journal and at a timer. So a packed bill writes each of them once, where it first occurs,
//! and then by its number; days are differences from the day before. A bill takes about a fifth of its unpacked size, in
//! one piece.
//!
//! Invariants: what is unpacked equals what was packed; reader and writer make the same calls in the same order; damaged
//! bytes give a [`crate::codec::CodecError`], never a panic. The form has no version of its own: whoever stores it does.
//!
//! Begin with [`Packer`]; [`crate::bill::Bill::pack`] and [`crate::pattern::BillTimers::pack`] say what is written.

mod unpacker;

pub use self::unpacker::Unpacker;
use crate::{
    bytes::{put_varint, put_wide, put_zigzag, zigzag},
    fact::{Behaviour, Range},
    ids::{BillId, Code, Day, InstId, PartyId},
};

/// Codes that nearly every bill has; their order is part of the form.
const COMMON_CODES: [Code; 12] = [
    Code::of("ELEC"),
    Code::of("PAPER"),
    Code::of("DIRECT"),
    Code::of("CLIENT"),
    Code::of("EBANK"),
    Code::of("ERP"),
    Code::of("COUNTER"),
    Code::of("MOBILE"),
    Code::of("SCB"),
    Code::of("DTH"),
    Code::of("BPAY"),
    Code::of("API"),
];
/// A byte up to here is the length of a code that follows.
const CODE_BYTES_MAX: u8 = 16;

const NEW: u64 = 1;
const FIRST_KNOWN: u64 = 2;

/// Writes packed state. Keep it: its memory is used again.
pub struct Packer {
    out: Vec<u8>,
    bill: BillId,
    times: Vec<i64>,
    parties: Vec<PartyId>,
    branches: Vec<InstId>,
    ranges: Vec<Range>,
    day: i32,
}

impl Default for Packer {
    fn default() -> Self {
        Packer {
            out: Vec::new(),
            bill: BillId { digits: 0, length: 1 },
            times: Vec::new(),
            parties: Vec::new(),
            branches: Vec::new(),
            ranges: Vec::new(),
            day: 0,
        }
    }
}

impl Packer {
    /// Begins anew, with state of this bill.
    pub fn begin(&mut self, bill: BillId) {
        self.out.clear();
        self.times.clear();
        self.parties.clear();
        self.branches.clear();
        self.ranges.clear();
        self.bill = bill;
        self.day = 0;
    }

    /// What was written since [`Packer::begin`].
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// The parties named so far, in order of first mention.
    pub fn parties(&self) -> &[PartyId] {
        &self.parties
    }

    /// The branches named so far, in order of first mention.
    pub fn branches(&self) -> &[InstId] {
        &self.branches
    }

    /// The bill whose state is written.
    pub fn bill(&self) -> BillId {
        self.bill
    }

    /// A small number or bits.
    #[inline]
    pub fn byte(&mut self, value: u8) {
        self.out.push(value);
    }

    /// A number, short when small.
    #[inline]
    pub fn number(&mut self, value: u64) {
        put_varint(&mut self.out, value);
    }

    /// A signed number, short when small.
    #[inline]
    pub fn signed(&mut self, value: i64) {
        put_zigzag(&mut self.out, value);
    }

    /// A signed number that may be absent.
    pub fn maybe_signed(&mut self, value: Option<i64>) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            self.signed(value);
        }
    }

    /// Eight bytes of a hash.
    #[inline]
    pub fn word(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Four bytes of a hash.
    #[inline]
    pub fn half_word(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// A 128-bit number.
    pub fn wide(&mut self, value: u128) {
        put_wide(&mut self.out, value);
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// An instant, ms.
    #[inline]
    pub fn time(&mut self, time: i64) {
        match number_of(&self.times, time) {
            Some(number) => self.number(number),
            None => {
                self.number(NEW);
                let before = self.times.last().copied().unwrap_or(0);
                self.signed(time.wrapping_sub(before));
                self.times.push(time);
            }
        }
    }

    /// A day.
    #[inline]
    pub fn day(&mut self, day: Day) {
        self.signed(i64::from(day.0) - i64::from(self.day));
        self.day = day.0;
    }

    /// A day that may be absent.
    pub fn maybe_day(&mut self, day: Option<Day>) {
        match day {
            None => self.byte(0),
            Some(day) => {
                self.number(zigzag(i64::from(day.0) - i64::from(self.day)) + 1);
                self.day = day.0;
            }
        }
    }

    /// A party that may be absent.
    #[inline]
    pub fn party(&mut self, party: Option<PartyId>) {
        let Some(party) = party else { return self.byte(0) };
        match number_of(&self.parties, party) {
            Some(number) => self.number(number),
            None => {
                self.number(NEW);
                // The kind sits in the highest bits: it goes below the number, which is small.
                self.number(party.bits().rotate_left(4));
                self.parties.push(party);
            }
        }
    }

    /// A branch that may be absent.
    pub fn branch(&mut self, branch: Option<InstId>) {
        let Some(branch) = branch else { return self.byte(0) };
        match number_of(&self.branches, branch) {
            Some(number) => self.number(number),
            None => {
                self.number(NEW);
                self.half_word(branch.0);
                self.branches.push(branch);
            }
        }
    }

    /// A code that may be absent.
    pub fn code(&mut self, code: Option<Code>) {
        let Some(code) = code else { return self.byte(0) };
        match COMMON_CODES.iter().position(|common| *common == code) {
            Some(place) => self.byte(CODE_BYTES_MAX + 1 + place as u8),
            None => {
                let text = code.as_str();
                self.byte(text.len() as u8);
                self.out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// A range.
    #[inline]
    pub fn range(&mut self, range: Range) {
        if range == Range::WHOLE {
            return self.byte(0);
        }
        match number_of(&self.ranges, range) {
            Some(number) => self.number(number),
            None => {
                self.number(NEW);
                // Lots come in order: mostly one begins where the one before ended.
                let next = self.ranges.last().map_or(1, |before| before.end.wrapping_add(1));
                self.signed(range.start.wrapping_sub(next) as i64);
                self.number(range.end.wrapping_sub(range.start));
                self.ranges.push(range);
            }
        }
    }

    /// A behaviour.
    #[inline]
    pub fn behaviour(&mut self, behaviour: Behaviour) {
        self.number(u64::from(behaviour.0));
    }
}

/// The number of something that was written before: the latest first, as it is the likeliest.
#[inline]
fn number_of<T: PartialEq>(known: &[T], wanted: T) -> Option<u64> {
    let back = known.iter().rev().position(|known| *known == wanted)?;
    Some(FIRST_KNOWN + back as u64)
}
