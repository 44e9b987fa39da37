//! Exact values of report cells: whole numbers, ratios, texts, and nothing.
//!
//! Nothing is rounded here; rounding is the last step, in [`super::print`]. Sums and products are exact as long as they fit
//! 128 bits. Beyond, both sides of a ratio lose their last bits together (some 60 stay): the same on every machine, and far
//! below what is printed.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// A value of a cell.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Exact {
    /// Not there: an empty base, a figure without this axis. Printed as `-`.
    #[default]
    Null,
    /// Fen, counts, days.
    Number(i128),
    /// Numerator and denominator in lowest terms; the denominator is above 1.
    Ratio(i128, i128),
    /// What a person reads: names, dates, lists.
    Text(String),
}

/// Bits that stay when a product would not fit.
const KEPT: u32 = 62;

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Both sides shorter, so that a product of two fits.
fn shorter((over, under): (i128, i128)) -> Option<(i128, i128)> {
    let most = over.unsigned_abs().max(under.unsigned_abs());
    let shift = (128 - most.leading_zeros()).saturating_sub(KEPT);
    (under >> shift != 0).then_some((over >> shift, under >> shift))
}

impl Exact {
    /// A ratio in lowest terms; `Null` when the denominator is 0.
    pub fn ratio(over: i128, under: i128) -> Self {
        if under == 0 {
            return Exact::Null;
        }
        let common = gcd(over.unsigned_abs(), under.unsigned_abs());
        let Ok(common) = i128::try_from(common) else { return Exact::Null };
        let (over, under) = (over / common, under / common);
        let (over, under) = if under < 0 { (-over, -under) } else { (over, under) };
        if under == 1 { Exact::Number(over) } else { Exact::Ratio(over, under) }
    }

    /// Numerator and denominator; `None` for `Null` and texts.
    pub fn parts(&self) -> Option<(i128, i128)> {
        match self {
            Exact::Number(number) => Some((*number, 1)),
            Exact::Ratio(over, under) => Some((*over, *under)),
            _ => None,
        }
    }

    /// True for nothing.
    pub fn is_null(&self) -> bool {
        *self == Exact::Null
    }

    /// True for a number or ratio that is not 0, and for a text.
    pub fn is_true(&self) -> bool {
        match self {
            Exact::Null => false,
            Exact::Text(text) => !text.is_empty(),
            _ => self.parts().is_some_and(|(over, _)| over != 0),
        }
    }

    fn with(&self, other: &Exact, form: impl Fn((i128, i128), (i128, i128)) -> Option<(i128, i128)>) -> Exact {
        let (Some(left), Some(right)) = (self.parts(), other.parts()) else { return Exact::Null };
        let formed = form(left, right).or_else(|| form(shorter(left)?, shorter(right)?));
        formed.map_or(Exact::Null, |(over, under)| Exact::ratio(over, under))
    }

    /// The sum; `Null` with anything is `Null`.
    pub fn plus(&self, other: &Exact) -> Exact {
        self.with(other, |(a, b), (c, d)| {
            if b == d {
                return Some((a.checked_add(c)?, b));
            }
            Some((a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?))
        })
    }

    /// The difference.
    pub fn minus(&self, other: &Exact) -> Exact {
        self.plus(&other.times(&Exact::Number(-1)))
    }

    /// The product.
    pub fn times(&self, other: &Exact) -> Exact {
        self.with(other, |(a, b), (c, d)| Some((a.checked_mul(c)?, b.checked_mul(d)?)))
    }

    /// The quotient; `Null` when the divisor is 0.
    pub fn over(&self, other: &Exact) -> Exact {
        self.with(other, |(a, b), (c, d)| Some((a.checked_mul(d)?, b.checked_mul(c)?)))
    }

    /// Without its sign.
    pub fn absolute(&self) -> Exact {
        match self {
            Exact::Number(number) => Exact::Number(number.abs()),
            Exact::Ratio(over, under) => Exact::Ratio(over.abs(), *under),
            other => other.clone(),
        }
    }

    /// Order of two numbers; `None` when one is none.
    pub fn compare(&self, other: &Exact) -> Option<Ordering> {
        let (over, _) = self.minus(other).parts()?;
        Some(over.cmp(&0))
    }
}

impl From<bool> for Exact {
    fn from(yes: bool) -> Self {
        Exact::Number(i128::from(yes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_exact_and_in_lowest_terms() {
        let third = Exact::ratio(2, 6);
        assert_eq!(third, Exact::Ratio(1, 3));
        assert_eq!(third.plus(&Exact::ratio(2, 3)), Exact::Number(1));
        assert_eq!(third.minus(&Exact::ratio(1, 2)), Exact::Ratio(-1, 6));
        assert_eq!(third.over(&Exact::ratio(-1, 3)), Exact::Number(-1));
        assert_eq!(third.over(&Exact::Number(0)), Exact::Null);
        assert_eq!(Exact::Null.plus(&third), Exact::Null);
        assert_eq!(third.compare(&Exact::ratio(1, 4)), Some(Ordering::Greater));
    }

    #[test]
    fn what_does_not_fit_keeps_its_first_bits() {
        let large = Exact::ratio(i128::MAX / 3, i128::MAX / 5 - 1);
        let (over, under) = large.plus(&large).parts().unwrap();
        let per_million = over / (under / 1_000_000);
        assert!((3_333_333..=3_333_334).contains(&per_million), "{per_million}");
    }
}
