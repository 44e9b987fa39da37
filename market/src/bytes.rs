//! Numbers as bytes, and back: what `codec` and `packed` are made of.
//!
//! `varint` is LEB128, `zigzag` a varint of the zigzag form of a signed number, `wide` a length byte and that many
//! little-endian bytes. Invariant: reading never goes past the end and never panics; it says what it was reading.

use crate::codec::CodecError;

/// Appends a number in LEB128.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Small signed numbers as small unsigned ones.
pub const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The inverse of [`zigzag`].
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends a signed number.
#[inline]
pub fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Bytes that a number needs; 0 for 0.
pub fn bytes_of(value: u128) -> usize {
    16 - value.leading_zeros() as usize / 8
}

/// Appends a 128-bit number without its leading zero bytes.
pub fn put_wide(out: &mut Vec<u8>, value: u128) {
    let length = bytes_of(value);
    out.push(length as u8);
    out.extend_from_slice(&value.to_le_bytes()[..length]);
}

/// The bytes not yet read.
pub struct Input<'a> {
    /// They.
    pub rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, CodecError> {
        let (&first, rest) = self.rest.split_first().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    /// The next `length` bytes.
    #[inline]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        if length > self.rest.len() {
            return Err(CodecError::Truncated);
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(taken)
    }

    /// A number in LEB128, of at most 10 bytes.
    #[inline]
    pub fn varint(&mut self, what: &'static str) -> Result<u64, CodecError> {
        if let Some((&first, rest)) = self.rest.split_first()
            && first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(first));
        }
        self.long_varint(what)
    }

    fn long_varint(&mut self, what: &'static str) -> Result<u64, CodecError> {
        if let Some(chunk) = self.rest.first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            let ends = !word & 0x8080_8080_8080_8080;
            if ends != 0 {
                let bytes = ends.trailing_zeros() / 8 + 1;
                self.rest = &self.rest[bytes as usize..];
                // Groups of 7 bits side by side: pairs, then fours, then all eight.
                let groups = word & (u64::MAX >> (64 - 8 * bytes)) & 0x7f7f_7f7f_7f7f_7f7f;
                let pairs = groups & 0x007f_007f_007f_007f | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
                let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
                return Ok(fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4);
            }
        }
        let mut value = 0u64;
        for (at, &byte) in self.rest.iter().enumerate().take(10) {
            // The tenth byte holds the last bit of a u64.
            if at == 9 && byte > 1 {
                return Err(CodecError::Malformed(what));
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { CodecError::Truncated } else { CodecError::Malformed(what) })
    }

    /// A signed number.
    #[inline]
    pub fn zigzag(&mut self, what: &'static str) -> Result<i64, CodecError> {
        Ok(unzigzag(self.varint(what)?))
    }

    /// `length` (at most 8) little-endian bytes of a zigzag number.
    #[inline]
    pub fn short(&mut self, length: u8, what: &'static str) -> Result<i64, CodecError> {
        let length = usize::from(length);
        if length > 8 {
            return Err(CodecError::Malformed(what));
        }
        let value = match self.rest.first_chunk::<8>() {
            // One load and a mask instead of a copy of unknown length.
            Some(chunk) => u64::from_le_bytes(*chunk) & u64::MAX.checked_shr(64 - 8 * length as u32).unwrap_or(0),
            None => {
                let mut padded = [0; 8];
                padded[..length].copy_from_slice(self.rest.get(..length).ok_or(CodecError::Truncated)?);
                u64::from_le_bytes(padded)
            }
        };
        self.rest = &self.rest[length..];
        Ok(unzigzag(value))
    }

    /// A 128-bit number.
    #[inline]
    pub fn wide(&mut self, what: &'static str) -> Result<u128, CodecError> {
        let length = usize::from(self.byte()?);
        if length > 16 {
            return Err(CodecError::Malformed(what));
        }
        let value = match self.rest.first_chunk::<16>() {
            Some(chunk) => u128::from_le_bytes(*chunk) & u128::MAX.checked_shr(128 - 8 * length as u32).unwrap_or(0),
            None => {
                let mut padded = [0; 16];
                padded[..length].copy_from_slice(self.rest.get(..length).ok_or(CodecError::Truncated)?);
                u128::from_le_bytes(padded)
            }
        };
        self.rest = &self.rest[length..];
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_comes_back_whatever_follows_it(
            bits in 0u32..=64, seed in any::<u64>(), behind in prop::collection::vec(any::<u8>(), 0..12)
        ) {
            let value = if bits == 0 { 0 } else { seed >> (64 - bits) };
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            bytes.extend_from_slice(&behind);
            let mut input = Input { rest: &bytes };
            prop_assert_eq!(input.varint("test"), Ok(value));
            prop_assert_eq!(input.rest, behind);
        }

        #[test]
        fn what_is_cut_short_says_so(value in 128u64.., keep in 1usize..9) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assume!(keep < bytes.len());
            prop_assert_eq!(Input { rest: &bytes[..keep] }.varint("test"), Err(CodecError::Truncated));
        }
    }

    #[test]
    fn more_than_64_bits_are_no_number() {
        let mut bytes = [0xff; 10];
        bytes[9] = 2;
        assert_eq!(Input { rest: &bytes }.varint("test"), Err(CodecError::Malformed("test")));
    }
}
