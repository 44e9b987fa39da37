//! Identifiers of the market as small numbers: parties, branches, bills, days, codes.
//!
//! Owns the forms of `facts.md` section 2. Each type parses from the exact text of a fact, prints the same text again,
//! and is `Copy`, so that hot paths compare and hash numbers instead of strings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A party: enterprise, legal member, court, natural person, group, `SYSTEM` or `MARKET`.
///
/// The kind sits in the top four bits, the digits below, so that order is by kind, then by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartyId(u64);

/// What a [`PartyId`] names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartyKind {
    /// 企业: `E` and 10 digits.
    Enterprise,
    /// Legal member (bank, finance company, platform, PBOC): 6 digits.
    Legal,
    /// `C` and 10 digits.
    Court,
    /// Natural person, pseudonymous: `N` and 10 digits.
    Person,
    /// Enterprise or banking group: `G` and 6 digits. Never the party of a fact.
    Group,
    /// The exchange's own systems.
    System,
    /// Everybody: a click-to-trade quote.
    Market,
}

const KIND_SHIFT: u32 = 60;
const NUMBER_MASK: u64 = (1 << KIND_SHIFT) - 1;

impl PartyId {
    /// The exchange's own systems.
    pub const SYSTEM: PartyId = PartyId(6 << KIND_SHIFT);
    /// Everybody.
    pub const MARKET: PartyId = PartyId(7 << KIND_SHIFT);

    /// Enterprise with this number (`E` + 10 digits).
    pub const fn enterprise(number: u64) -> Self {
        PartyId(1 << KIND_SHIFT | number)
    }

    /// Legal member with this number (6 digits).
    pub const fn legal(number: u64) -> Self {
        PartyId(2 << KIND_SHIFT | number)
    }

    /// Court with this number.
    pub const fn court(number: u64) -> Self {
        PartyId(3 << KIND_SHIFT | number)
    }

    /// Natural person with this number.
    pub const fn person(number: u64) -> Self {
        PartyId(4 << KIND_SHIFT | number)
    }

    /// Group with this number (`G` + 6 digits).
    pub const fn group(number: u64) -> Self {
        PartyId(5 << KIND_SHIFT | number)
    }

    /// The kind of party.
    pub const fn kind(self) -> PartyKind {
        match self.0 >> KIND_SHIFT {
            1 => PartyKind::Enterprise,
            2 => PartyKind::Legal,
            3 => PartyKind::Court,
            4 => PartyKind::Person,
            5 => PartyKind::Group,
            6 => PartyKind::System,
            _ => PartyKind::Market,
        }
    }

    /// The digits as a number.
    pub const fn number(self) -> u64 {
        self.0 & NUMBER_MASK
    }

    /// True for an enterprise.
    pub fn is_enterprise(self) -> bool {
        self.kind() == PartyKind::Enterprise
    }

    /// True for a legal member (bank, finance company, platform, PBOC).
    pub fn is_legal(self) -> bool {
        self.kind() == PartyKind::Legal
    }

    /// The raw bits: stable, written to disk.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The party of these bits; the inverse of [`PartyId::bits`].
    pub const fn from_bits(bits: u64) -> Self {
        PartyId(bits)
    }

    /// Parses any form of id:PARTY or id:GROUP; `None` when the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "SYSTEM" => return Some(Self::SYSTEM),
            "MARKET" => return Some(Self::MARKET),
            _ => {}
        }
        let bytes = text.as_bytes();
        let (kind, digits, length) = match bytes.first()? {
            b'E' => (1, &bytes[1..], 10),
            b'C' => (3, &bytes[1..], 10),
            b'N' => (4, &bytes[1..], 10),
            b'G' => (5, &bytes[1..], 6),
            _ => (2, bytes, 6),
        };
        if digits.len() != length {
            return None;
        }
        Some(PartyId(kind << KIND_SHIFT | parse_digits(digits)?))
    }
}

impl fmt::Display for PartyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number();
        match self.kind() {
            PartyKind::Enterprise => write!(f, "E{number:010}"),
            PartyKind::Legal => write!(f, "{number:06}"),
            PartyKind::Court => write!(f, "C{number:010}"),
            PartyKind::Person => write!(f, "N{number:010}"),
            PartyKind::Group => write!(f, "G{number:06}"),
            PartyKind::System => f.write_str("SYSTEM"),
            PartyKind::Market => f.write_str("MARKET"),
        }
    }
}

impl fmt::Debug for PartyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Institution participant, a branch (机构参与者代码): 9 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstId(pub u32);

impl InstId {
    /// Parses exactly 9 digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 9 {
            return None;
        }
        Some(InstId(parse_digits(text.as_bytes())? as u32))
    }
}

impl fmt::Display for InstId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:09}", self.0)
    }
}

impl fmt::Debug for InstId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bill package number (票据包号): 1-38 digits, a good one has 30. Leading zeros count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BillId {
    /// The digits read as a number, below 10^38.
    pub digits: u128,
    /// How many digits were written.
    pub length: u8,
}

/// 10^0 to 10^38.
const POWERS_OF_TEN: [u128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < 39 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

impl BillId {
    /// Parses 1-38 ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() > 38 {
            return None;
        }
        let digits = parse_long(bytes)?;
        Some(BillId { digits, length: bytes.len() as u8 })
    }

    /// The number of these digits, written with `length` of them; `None` when they do not fit.
    pub fn from_digits(digits: u128, length: u8) -> Option<Self> {
        let fits = (1..=38).contains(&length) && digits < POWERS_OF_TEN[usize::from(length)];
        fits.then_some(BillId { digits, length })
    }

    /// Digits 2-13 of a number of 30 digits: the bank number of the drawer's branch (domain.md 2.1).
    pub fn bank_number(self) -> Option<u64> {
        (self.length == 30).then(|| (self.digits / 10u128.pow(17) % 10u128.pow(12)) as u64)
    }

    /// First digit: the kind of bill and system (domain.md 2.1).
    pub fn kind_digit(self) -> u8 {
        (self.digits / 10u128.pow(u32::from(self.length) - 1)) as u8
    }
}

impl fmt::Display for BillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.digits, width = usize::from(self.length))
    }
}

impl fmt::Debug for BillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse_digits(bytes: &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for &byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u64::from(byte - b'0');
    }
    Some(number)
}

/// The number of 1-39 ASCII digits, when it is below 2^128.
pub(crate) fn parse_long(bytes: &[u8]) -> Option<u128> {
    if bytes.is_empty() || bytes.len() > 39 {
        return None;
    }
    // Pieces of 19 digits fit 64 bits: arithmetic of 128 bits for each digit costs several times more.
    let mut number = 0u128;
    for piece in bytes.chunks(19) {
        number = number.checked_mul(POWERS_OF_TEN[piece.len()])?.checked_add(u128::from(parse_digits(piece)?))?;
    }
    Some(number)
}

/// A calendar day, counted from 1970-01-01 (Gregorian, UTC+8 for instants).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub i32);

/// Milliseconds of one day.
pub const DAY_MS: i64 = 86_400_000;
/// Business days are UTC+8.
pub const UTC8_MS: i64 = 8 * 3_600_000;

impl Day {
    /// The day of year, month 1-12, day 1-31; `None` when there is no such day.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        // Days since 0000-03-01, by eras of 400 years (Howard Hinnant's published civil-day arithmetic).
        let shifted_year = i64::from(if month <= 2 { year - 1 } else { year });
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let month_from_march = i64::from((month + 9) % 12);
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Day((era * 146_097 + day_of_era - 719_468) as i32))
    }

    /// (year, month 1-12, day 1-31).
    pub fn ymd(self) -> (i32, u32, u32) {
        let days = i64::from(self.0) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year as i32, month, day)
    }

    /// Parses `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let year = parse_digits(&bytes[..4])? as i32;
        Day::from_ymd(year, parse_digits(&bytes[5..7])? as u32, parse_digits(&bytes[8..])? as u32)
    }

    /// The business day (UTC+8) of an instant in ms since 1970-01-01T00:00Z.
    pub fn of_time(time_ms: i64) -> Self {
        Day((time_ms + UTC8_MS).div_euclid(DAY_MS) as i32)
    }

    /// First instant of the day in UTC+8, ms since 1970-01-01T00:00Z.
    pub fn start_ms(self) -> i64 {
        i64::from(self.0) * DAY_MS - UTC8_MS
    }

    /// First instant after the day: its end for end-of-day rules.
    pub fn end_ms(self) -> i64 {
        self.plus(1).start_ms()
    }

    /// `days` later (earlier when negative).
    pub fn plus(self, days: i32) -> Self {
        Day(self.0 + days)
    }

    /// Monday = 0 ... Sunday = 6.
    pub fn weekday(self) -> u32 {
        (self.0 + 3).rem_euclid(7) as u32
    }

    /// Same day number n months later, or the last day of that month (derived.csv `add_months`).
    pub fn add_months(self, months: i32) -> Self {
        let (year, month, day) = self.ymd();
        let index = year * 12 + month as i32 - 1 + months;
        let (year, month) = (index.div_euclid(12), index.rem_euclid(12) as u32 + 1);
        Day::from_ymd(year, month, day.min(days_in_month(year, month))).expect("the day was cut to the month")
    }

    /// Last day of this day's month.
    pub fn month_end(self) -> Self {
        self.month_start().add_months(1).plus(-1)
    }

    /// First day of this day's quarter.
    pub fn quarter_start(self) -> Self {
        let (_, month, _) = self.ymd();
        self.month_start().add_months(-((month as i32 - 1) % 3))
    }

    /// Last day of this day's quarter.
    pub fn quarter_end(self) -> Self {
        self.quarter_start().add_months(3).plus(-1)
    }

    /// First day of this day's month.
    pub fn month_start(self) -> Self {
        let (year, month, _) = self.ymd();
        Day::from_ymd(year, month, 1).expect("every month has a first day")
    }
}

fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The high bit of each byte that is one of `A-Z 0-9 + - . _`, eight at a time: codes are checked at every decoding.
const fn legal_code_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    // No borrow crosses a byte: its high bit is set first. The bit stays set where the byte is not below `least`.
    const fn from(word: u64, least: u8) -> u64 {
        (word | HIGH) - ONES * least as u64
    }
    const fn within(word: u64, first: u8, last: u8) -> u64 {
        from(word, first) & !from(word, last + 1)
    }
    let letters = within(word, b'A', b'Z') | within(word, b'_', b'_');
    let others = within(word, b'0', b'9') | within(word, b'-', b'.') | within(word, b'+', b'+');
    (letters | others) & !word & HIGH
}

/// An enumeration code as sent: 1-16 ASCII characters, held inline. Unknown codes are kept as sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Code([u8; 16]);

impl Code {
    /// The code of a literal; for constants. Panics at compile time when over 16 bytes.
    pub const fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        assert!(bytes.len() <= 16 && !bytes.is_empty());
        let mut inline = [0; 16];
        let mut at = 0;
        while at < bytes.len() {
            inline[at] = bytes[at];
            at += 1;
        }
        Code(inline)
    }

    /// Parses 1-16 characters of `A-Z 0-9 + - .` (and `_`, which some enumerations use).
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// As [`Code::parse`], from the bytes of the text.
    pub fn from_bytes(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > 16 {
            return None;
        }
        let mut inline = [0; 16];
        inline[..text.len()].copy_from_slice(text);
        Self::from_padded(inline, text.len())
    }

    /// The code in the first `length` (1-16) of these bytes; what follows is not read.
    #[inline]
    pub(crate) fn from_padded(bytes: [u8; 16], length: usize) -> Option<Self> {
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let word = u128::from_le_bytes(bytes) & u128::MAX >> (8 * (16 - length));
        let wanted = u128::from(HIGH) << 64 | u128::from(HIGH);
        let legal = u128::from(legal_code_bytes((word >> 64) as u64)) << 64 | u128::from(legal_code_bytes(word as u64));
        (legal == wanted & u128::MAX >> (8 * (16 - length))).then_some(Code(word.to_le_bytes()))
    }

    /// The code as a number: codes stand in the same order as their numbers. ASCII, so the top bit is never set.
    pub const fn number(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(16);
        std::str::from_utf8(&self.0[..length]).expect("a code is ASCII")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_only_its_letters() {
        let legal = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.' | b'_');
        for length in 1..=16 {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut text = [b'Z'; 16];
                    text[place] = byte;
                    assert_eq!(
                        Code::from_bytes(&text[..length]).is_some(),
                        legal(byte),
                        "{byte} at {place} of {length}"
                    );
                    // What lies behind a code is none of its business.
                    let mut padded = [byte; 16];
                    padded[..length].fill(b'B');
                    assert_eq!(Code::from_padded(padded, length), Code::from_bytes(&padded[..length]));
                }
            }
        }
        assert_eq!(Code::from_bytes(&[b'A'; 17]), None);
        assert_eq!(Code::from_bytes(&[]), None);
    }

    #[test]
    fn every_form_prints_as_it_was_written() {
        for text in ["E0000000017", "100103", "C0000000001", "N0000000042", "G000007", "SYSTEM", "MARKET"] {
            assert_eq!(PartyId::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "E17", "10010", "1001031", "X000000", "E00000000x7"] {
            assert_eq!(PartyId::parse(text), None, "{text}");
        }
        let bill = "031333100011720250310000000012";
        assert_eq!(BillId::parse(bill).unwrap().to_string(), bill);
        assert_eq!(BillId::parse(bill).unwrap().kind_digit(), 0);
        assert_eq!(BillId::parse(&"9".repeat(39)), None);
        assert_eq!(InstId::parse("001031001").unwrap().to_string(), "001031001");
        assert_eq!(Code::parse("BC31").unwrap().as_str(), "BC31");
        assert_eq!(Code::parse("bc31"), None);
    }

    #[test]
    fn days_follow_the_calendar() {
        assert_eq!(Day::parse("1970-01-01"), Some(Day(0)));
        for day in -40_000..60_000 {
            let (year, month, dom) = Day(day).ymd();
            assert_eq!(Day::from_ymd(year, month, dom), Some(Day(day)));
        }
        assert_eq!(Day::parse("2025-02-29"), None);
        assert_eq!(Day::parse("2024-08-31").unwrap().add_months(6), Day::parse("2025-02-28").unwrap());
        assert_eq!(Day::parse("2025-10-08").unwrap().weekday(), 2);
        assert_eq!(Day::of_time(1_759_852_800_000), Day::parse("2025-10-08").unwrap());
        assert_eq!(Day::parse("2025-10-08").unwrap().start_ms(), 1_759_852_800_000);
    }
}
