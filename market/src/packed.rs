//! The packed form of state: what a bill that rests is kept in, in memory and in checkpoints.
//!
//! A bill's state names few instants, parties, branches and ranges, but each of them often: the instant of an endorsement
//! stands in the lineage, in the journal and at a timer. So a packed bill writes each of them once, where it first occurs,
//! and then by its number; days are differences from the day before. A bill takes about a fifth of its unpacked size, in
//! one piece.
//!
//! Invariants: what is unpacked equals what was packed; reader and writer make the same calls in the same order; damaged
//! bytes give a [`CodecError`], never a panic. The form has no version of its own: whoever stores it does.
//!
//! Begin with [`Packer`]; [`crate::bill::Bill::pack`] and [`crate::pattern::BillTimers::pack`] say what is written.

use smallvec::SmallVec;

use crate::{
    bytes::{Input, put_varint, put_wide, put_zigzag, unzigzag, zigzag},
    codec::CodecError,
    fact::{BEHAVIOUR_CODES, Behaviour, Range},
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

/// Reads packed state: the calls of the [`Packer`], in the same order.
///
/// Reads never fail one by one: past the end, or where bytes make no sense, they give zeros and the reader remembers it.
/// [`Unpacker::finish`] says whether all that was read can be used. So a read costs a few instructions.
pub struct Unpacker<'a> {
    rest: &'a [u8],
    fault: Option<&'static str>,
    bill: BillId,
    times: SmallVec<[i64; 16]>,
    parties: SmallVec<[PartyId; 12]>,
    branches: SmallVec<[InstId; 8]>,
    ranges: SmallVec<[Range; 4]>,
    day: i32,
}

impl<'a> Unpacker<'a> {
    /// Reads state of this bill.
    pub fn new(bill: BillId, bytes: &'a [u8]) -> Self {
        Unpacker {
            rest: bytes,
            fault: None,
            bill,
            times: SmallVec::new(),
            parties: SmallVec::new(),
            branches: SmallVec::new(),
            ranges: SmallVec::new(),
            day: 0,
        }
    }

    /// The parties named so far, in order of first mention.
    pub fn parties(&self) -> &[PartyId] {
        &self.parties
    }

    /// The branches named so far, in order of first mention.
    pub fn branches(&self) -> &[InstId] {
        &self.branches
    }

    /// The bill whose state is read.
    pub fn bill(&self) -> BillId {
        self.bill
    }

    /// Bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether what was read so far is what was packed.
    pub fn finish(&self) -> Result<(), CodecError> {
        self.fault.map_or(Ok(()), |what| Err(CodecError::Malformed(what)))
    }

    /// Remembers that what was read makes no sense.
    #[cold]
    pub fn fail(&mut self, what: &'static str) {
        self.fault.get_or_insert(what);
        self.rest = &[];
    }

    #[inline]
    fn take(&mut self, length: usize) -> &'a [u8] {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                taken
            }
            None => {
                self.fail("packed state that is cut short");
                &[]
            }
        }
    }

    /// As [`Packer::byte`].
    #[inline]
    pub fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => {
                self.fail("packed state that is cut short");
                0
            }
        }
    }

    /// As [`Packer::number`].
    #[inline]
    pub fn number(&mut self) -> u64 {
        match self.rest.split_first() {
            Some((first, rest)) if *first < 0x80 => {
                self.rest = rest;
                u64::from(*first)
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> u64 {
        let mut input = Input { rest: self.rest };
        match input.varint("packed number") {
            Ok(number) => {
                self.rest = input.rest;
                number
            }
            Err(_) => {
                self.fail("packed number");
                0
            }
        }
    }

    /// A number that fits a smaller type.
    #[inline]
    pub fn small<T: TryFrom<u64> + Default>(&mut self) -> T {
        let number = self.number();
        T::try_from(number).unwrap_or_else(|_| {
            self.fail("packed number");
            T::default()
        })
    }

    /// A number of things that follow, each of at least one byte: damaged counts reserve nothing large.
    #[inline]
    pub fn count(&mut self) -> usize {
        let count = self.small::<usize>();
        if count > self.rest.len() {
            self.fail("packed count");
            return 0;
        }
        count
    }

    /// As [`Packer::signed`].
    #[inline]
    pub fn signed(&mut self) -> i64 {
        unzigzag(self.number())
    }

    /// As [`Packer::maybe_signed`].
    pub fn maybe_signed(&mut self) -> Option<i64> {
        (self.byte() != 0).then(|| self.signed())
    }

    /// As [`Packer::word`].
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.take(8).try_into().map_or(0, u64::from_le_bytes)
    }

    /// As [`Packer::half_word`].
    #[inline]
    pub fn half_word(&mut self) -> u32 {
        self.take(4).try_into().map_or(0, u32::from_le_bytes)
    }

    /// As [`Packer::wide`].
    pub fn wide(&mut self) -> u128 {
        let length = usize::from(self.byte());
        let mut bytes = [0; 16];
        match bytes.get_mut(..length) {
            Some(low) => {
                let taken = self.take(length);
                low[..taken.len()].copy_from_slice(taken);
            }
            None => self.fail("packed number"),
        }
        u128::from_le_bytes(bytes)
    }

    /// As [`Packer::text`].
    pub fn text(&mut self) -> &'a str {
        let length = self.count();
        std::str::from_utf8(self.take(length)).unwrap_or_else(|_| {
            self.fail("packed text");
            ""
        })
    }

    /// As [`Packer::time`].
    #[inline]
    pub fn time(&mut self) -> i64 {
        match self.number() {
            NEW => {
                let time = self.times.last().copied().unwrap_or(0).wrapping_add(self.signed());
                self.times.push(time);
                time
            }
            number => known(&self.times, number).unwrap_or_else(|| {
                self.fail("packed instant");
                0
            }),
        }
    }

    /// As [`Packer::day`].
    #[inline]
    pub fn day(&mut self) -> Day {
        let more = self.signed();
        self.next_day(more)
    }

    /// As [`Packer::maybe_day`].
    #[inline]
    pub fn maybe_day(&mut self) -> Option<Day> {
        let more = self.number().checked_sub(1)?;
        Some(self.next_day(unzigzag(more)))
    }

    #[inline]
    fn next_day(&mut self, more: i64) -> Day {
        self.day = self.day.wrapping_add(more as i32);
        Day(self.day)
    }

    /// As [`Packer::party`].
    #[inline]
    pub fn party(&mut self) -> Option<PartyId> {
        match self.number() {
            0 => None,
            NEW => {
                let party = PartyId::from_bits(self.number().rotate_right(4));
                self.parties.push(party);
                Some(party)
            }
            number => known(&self.parties, number).or_else(|| {
                self.fail("packed party");
                None
            }),
        }
    }

    /// A party that must be there.
    #[inline]
    pub fn named_party(&mut self) -> PartyId {
        self.party().unwrap_or_else(|| {
            self.fail("packed party");
            PartyId::SYSTEM
        })
    }

    /// As [`Packer::branch`].
    #[inline]
    pub fn branch(&mut self) -> Option<InstId> {
        match self.number() {
            0 => None,
            NEW => {
                let branch = InstId(self.half_word());
                self.branches.push(branch);
                Some(branch)
            }
            number => known(&self.branches, number).or_else(|| {
                self.fail("packed branch");
                None
            }),
        }
    }

    /// As [`Packer::code`].
    pub fn code(&mut self) -> Option<Code> {
        let code = match self.byte() {
            0 => return None,
            length @ 1..=CODE_BYTES_MAX => Code::from_bytes(self.take(usize::from(length))),
            number => COMMON_CODES.get(usize::from(number - CODE_BYTES_MAX - 1)).copied(),
        };
        if code.is_none() {
            self.fail("packed code");
        }
        code
    }

    /// As [`Packer::range`].
    #[inline]
    pub fn range(&mut self) -> Range {
        match self.number() {
            0 => Range::WHOLE,
            NEW => {
                let next = self.ranges.last().map_or(1, |before| before.end.wrapping_add(1));
                let start = next.wrapping_add(self.signed() as u64);
                let end = start.wrapping_add(self.number());
                if start == 0 || end < start {
                    self.fail("packed range");
                    return Range::WHOLE;
                }
                self.ranges.push(Range { start, end });
                Range { start, end }
            }
            number => known(&self.ranges, number).unwrap_or_else(|| {
                self.fail("packed range");
                Range::WHOLE
            }),
        }
    }

    /// As [`Packer::behaviour`].
    #[inline]
    pub fn behaviour(&mut self) -> Behaviour {
        let number = self.small::<u16>();
        if usize::from(number) >= BEHAVIOUR_CODES.len() {
            self.fail("packed behaviour");
            return Behaviour(0);
        }
        Behaviour(number)
    }
}

/// What was read under a number: the latest first.
#[inline]
fn known<T: Copy>(known: &[T], number: u64) -> Option<T> {
    let back = usize::try_from(number.checked_sub(FIRST_KNOWN)?).ok()?;
    known.get(known.len().checked_sub(1)?.checked_sub(back)?).copied()
}
