//! Reading packed state.

use smallvec::SmallVec;

use super::{CODE_BYTES_MAX, COMMON_CODES, FIRST_KNOWN, NEW};
use crate::{
    bytes::{Input, unzigzag},
    codec::CodecError,
    fact::{BEHAVIOUR_CODES, Behaviour, Range},
    ids::{BillId, Code, Day, InstId, PartyId},
};

/// Reads packed state: the calls of the [`super::Packer`], in the same order.
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

    /// As [`super::Packer::byte`].
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

    /// As [`super::Packer::number`].
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

    /// As [`super::Packer::signed`].
    #[inline]
    pub fn signed(&mut self) -> i64 {
        unzigzag(self.number())
    }

    /// As [`super::Packer::maybe_signed`].
    pub fn maybe_signed(&mut self) -> Option<i64> {
        (self.byte() != 0).then(|| self.signed())
    }

    /// As [`super::Packer::word`].
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.take(8).try_into().map_or(0, u64::from_le_bytes)
    }

    /// As [`super::Packer::half_word`].
    #[inline]
    pub fn half_word(&mut self) -> u32 {
        self.take(4).try_into().map_or(0, u32::from_le_bytes)
    }

    /// As [`super::Packer::wide`].
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

    /// As [`super::Packer::text`].
    pub fn text(&mut self) -> &'a str {
        let length = self.count();
        std::str::from_utf8(self.take(length)).unwrap_or_else(|_| {
            self.fail("packed text");
            ""
        })
    }

    /// As [`super::Packer::time`].
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

    /// As [`super::Packer::day`].
    #[inline]
    pub fn day(&mut self) -> Day {
        let more = self.signed();
        self.next_day(more)
    }

    /// As [`super::Packer::maybe_day`].
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

    /// As [`super::Packer::party`].
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

    /// As [`super::Packer::branch`].
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

    /// As [`super::Packer::code`].
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

    /// As [`super::Packer::range`].
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

    /// As [`super::Packer::behaviour`].
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
