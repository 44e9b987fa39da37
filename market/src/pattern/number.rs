//! Exact numbers of rule expressions: rationals of 128-bit integers.
//!
//! Rules compare sums of fen with shares such as 0.15, and must hold exactly at equality. So a value is a reduced fraction;
//! nothing is rounded. An operation that leaves 128 bits gives `None`, which a rule treats like missing data.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

/// A fraction; also carries truth (0 or 1), days, parties and codes, which are whole numbers.
///
/// Nearly all values are whole, so whole numbers take a short way everywhere. A fraction is reduced only when it must be to
/// stay in 128 bits: equality and order look at the value, not at the form.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Number {
    top: i128,
    /// Always above 0.
    bottom: i128,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reduced() {
            Number { top, bottom: 1 } => write!(f, "{top}"),
            Number { top, bottom } => write!(f, "{top}/{bottom}"),
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Number::whole(i128::from(value))
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Number::whole(i128::from(value))
    }
}

impl Number {
    /// 0, also false.
    pub const ZERO: Number = Number { top: 0, bottom: 1 };

    /// A whole number.
    pub const fn whole(value: i128) -> Self {
        Number { top: value, bottom: 1 }
    }

    /// `top / bottom`; `None` when `bottom` is 0.
    pub fn ratio(top: i128, bottom: i128) -> Option<Self> {
        match bottom.signum() {
            1 => Some(Number { top, bottom }),
            -1 => Some(Number { top: top.checked_neg()?, bottom: bottom.checked_neg()? }),
            _ => None,
        }
    }

    /// The same value with the least numbers.
    fn reduced(self) -> Self {
        let divisor = gcd(self.top.unsigned_abs(), self.bottom.unsigned_abs());
        // `bottom` is a positive i128, so its divisors are too.
        let divisor = divisor as i128;
        Number { top: self.top / divisor, bottom: self.bottom / divisor }
    }

    /// Parses `12`, `-3`, `0.15`.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let top: i128 = format!("{whole}{fraction}").parse().ok()?;
        let bottom = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        Self::ratio(if negative { -top } else { top }, bottom)
    }

    /// The whole number, when it is one.
    pub fn as_whole(self) -> Option<i128> {
        match self.bottom {
            1 => Some(self.top),
            bottom => (self.top % bottom == 0).then(|| self.top / bottom),
        }
    }

    /// Numerator and denominator; the latter is above 0.
    pub fn parts(self) -> (i128, i128) {
        (self.top, self.bottom)
    }

    /// The same with the least numbers: for people.
    pub fn lowest_parts(self) -> (i128, i128) {
        self.reduced().parts()
    }

    /// The greatest whole number not above.
    pub fn floor(self) -> i128 {
        self.top.div_euclid(self.bottom)
    }

    /// The nearest whole number, halves up.
    pub fn round_half_up(self) -> Option<i128> {
        if self.bottom == 1 {
            return Some(self.top);
        }
        let double = self.top.checked_mul(2)?.checked_add(self.bottom)?;
        Some(double.div_euclid(self.bottom.checked_mul(2)?))
    }

    /// Not 0.
    pub fn is_true(self) -> bool {
        self.top != 0
    }

    /// Nearest `f64`. Only for statistics inside a judge, never for state (see `statistics`).
    pub fn to_f64(self) -> f64 {
        self.top as f64 / self.bottom as f64
    }

    /// Sum.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.bottom == other.bottom {
            return Some(Number { top: self.top.checked_add(other.top)?, bottom: self.bottom });
        }
        let sum = |left: Self, right: Self| {
            let top = left.top.checked_mul(right.bottom)?.checked_add(right.top.checked_mul(left.bottom)?)?;
            Some(Number { top, bottom: left.bottom.checked_mul(right.bottom)? })
        };
        sum(self, other).or_else(|| sum(self.reduced(), other.reduced()))
    }

    /// The other sign.
    pub fn negate(self) -> Option<Self> {
        Some(Number { top: self.top.checked_neg()?, bottom: self.bottom })
    }

    /// Difference.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negate()?)
    }

    /// Product.
    pub fn times(self, other: Self) -> Option<Self> {
        let product = |left: Self, right: Self| {
            Some(Number { top: left.top.checked_mul(right.top)?, bottom: left.bottom.checked_mul(right.bottom)? })
        };
        product(self, other).or_else(|| {
            // Crosswise, what the one has above may cancel what the other has below.
            let left = Number { top: self.top, bottom: other.bottom }.reduced();
            let right = Number { top: other.top, bottom: self.bottom }.reduced();
            product(left, right)
        })
    }

    /// Quotient; `None` when `other` is 0.
    pub fn over(self, other: Self) -> Option<Self> {
        self.times(Self::ratio(other.bottom, other.top)?)
    }

    /// Distance from 0.
    pub fn abs(self) -> Option<Self> {
        if self.top < 0 { self.negate() } else { Some(self) }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.bottom == other.bottom {
            return self.top.cmp(&other.top);
        }
        match (self.top.checked_mul(other.bottom), other.top.checked_mul(self.bottom)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => by_euclid((self.top, self.bottom), (other.top, other.bottom)),
        }
    }
}

/// Compares two fractions by whole parts, then by the remainders upside down: exact, with no product that could overflow.
fn by_euclid(mut left: (i128, i128), mut right: (i128, i128)) -> Ordering {
    let mut turned = false;
    loop {
        let wholes = left.0.div_euclid(left.1).cmp(&right.0.div_euclid(right.1));
        let rests = (left.0.rem_euclid(left.1), right.0.rem_euclid(right.1));
        let order = match (wholes, rests) {
            (Ordering::Equal, (0, 0)) => Ordering::Equal,
            (Ordering::Equal, (0, _)) => Ordering::Less,
            (Ordering::Equal, (_, 0)) => Ordering::Greater,
            (Ordering::Equal, _) => {
                left = (left.1, rests.0);
                right = (right.1, rests.1);
                turned = !turned;
                continue;
            }
            (order, _) => order,
        };
        return if turned { order.reverse() } else { order };
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(number("0.15"), Number::ratio(3, 20).unwrap());
        assert_eq!(number("0.1").plus(number("0.2")), Some(number("0.3")));
        assert_eq!(number("-1.5").round_half_up(), Some(-1));
        assert_eq!(number("2.5").round_half_up(), Some(3));
        assert_eq!(Number::parse("1."), Some(number("1")));
        assert_eq!(Number::parse(""), None);
        assert_eq!(Number::parse("1e3"), None);
        assert_eq!(number("1").over(Number::ZERO), None);
    }

    #[test]
    fn comparison_does_not_overflow() {
        let big = Number::ratio(i128::MAX, i128::MAX - 1).unwrap();
        let less = Number::ratio(i128::MAX - 1, i128::MAX - 2).unwrap();
        assert!(big < less);
        assert_eq!(Number::whole(i128::MAX).plus(Number::whole(1)), None);
        let third = Number::ratio(i128::MAX, 3).unwrap();
        assert_eq!(third.times(Number::whole(3)), Some(Number::whole(i128::MAX)), "cancelled before it overflows");
        assert_eq!(Number::ratio(4, -6), Number::ratio(-2, 3));
        assert_eq!(Number::ratio(6, 3).unwrap().as_whole(), Some(2));
    }

    proptest! {
        #[test]
        fn order_is_that_of_cross_products(a in any::<i32>(), b in 1..i32::MAX, c in any::<i32>(), d in 1..i32::MAX) {
            let left = Number::ratio(a.into(), b.into()).unwrap();
            let right = Number::ratio(c.into(), d.into()).unwrap();
            prop_assert_eq!(by_euclid((left.top, left.bottom), (right.top, right.bottom)), left.cmp(&right));
            prop_assert_eq!(left.cmp(&right), (i128::from(a) * i128::from(d)).cmp(&(i128::from(c) * i128::from(b))));
        }
    }
}
