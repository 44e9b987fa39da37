//! Prices by the formulas of domain.md 6, and the yield curve that the reference feed publishes.
//!
//! Money is fen, rates are percent times 10^4. Everything judged later (P132, P139, P141, P142) is exact here.

use super::dice::Dice;

/// Interest and cash of a discount or an outright sale, day count ACT/360.
pub fn discount(amount_fen: i64, rate_e4: i64, days: i64) -> (i64, i64) {
    let interest = round_half_up(i128::from(amount_fen) * i128::from(rate_e4) * i128::from(days), 360_000_000);
    (interest, amount_fen - interest)
}

/// Cash of the second leg of a repo, day count ACT/365.
pub fn redemption(first_fen: i64, rate_e4: i64, repo_days: i64) -> i64 {
    first_fen + round_half_up(i128::from(first_fen) * i128::from(rate_e4) * i128::from(repo_days), 365_000_000)
}

fn round_half_up(numerator: i128, denominator: i128) -> i64 {
    (2 * numerator + denominator).div_euclid(2 * denominator) as i64
}

/// Pricing classes of `bill_class`, by number 1..=7.
pub const CLASSES: [&str; 7] = ["BCL1", "BCL2", "BCL3", "BCL4", "BCL5", "BCL6", "BCL7"];

/// The published points: code and days.
pub const TENORS: [(&str, i64); 4] = [("TM030", 30), ("TM090", 90), ("TM180", 180), ("TM360", 360)];

/// Distance of a class from BCL1, in rate_e4 (8, 18, 35, 60, 180 bp; an enhanced commercial bill 40).
const SPREADS: [i64; 7] = [0, 800, 1_800, 3_500, 6_000, 18_000, 4_000];

/// How far a tenor point lies below the 6-month point, in rate_e4.
const SLOPES: [i64; 4] = [600, 300, 0, -400];

/// The curve last published.
pub struct Curve {
    level: i64,
}

/// Mean of the 6-month BCL1 point, in rate_e4.
const MEAN: i64 = 12_000;

impl Default for Curve {
    /// The curve before its first day.
    fn default() -> Self {
        Curve { level: MEAN }
    }
}

impl Curve {
    /// Moves to the next publication: back towards the mean, plus chance. One step is a few basis points, so that a
    /// 30-day window of one bank's discounts stays close to that of its peers.
    pub fn step(&mut self, dice: &mut Dice) {
        let pull = (MEAN - self.level) / 20;
        self.level = (self.level + pull + dice.between(-200, 200)).clamp(7_000, 18_000);
    }

    /// The published point of class number 1..=7 at position `tenor` of [`TENORS`].
    pub fn point(&self, class: usize, tenor: usize) -> i64 {
        self.level + SPREADS[class - 1] - SLOPES[tenor]
    }

    /// Linear between the neighbouring points, half up, flat outside (derived.csv `curve_e4`).
    pub fn rate(&self, class: usize, days: i64) -> i64 {
        let last = TENORS.len() - 1;
        if days <= TENORS[0].1 {
            return self.point(class, 0);
        }
        if days >= TENORS[last].1 {
            return self.point(class, last);
        }
        let right = TENORS.iter().position(|(_, upto)| days <= *upto).expect("days lie below the last point");
        let (from, to) = (TENORS[right - 1].1, TENORS[right].1);
        let (low, high) = (self.point(class, right - 1), self.point(class, right));
        low + round_half_up(i128::from(high - low) * i128::from(days - from), i128::from(to - from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_those_of_the_worked_examples() {
        assert_eq!(discount(1_200_000_000, 10_800, 170), (6_120_000, 1_193_880_000));
        assert_eq!(discount(500_000_000, 11_500, 148), (2_363_889, 497_636_111));
        assert_eq!(redemption(1_150_000_000, 16_000, 7), 1_150_352_877);
    }

    #[test]
    fn the_curve_is_linear_between_points_and_flat_outside() {
        let curve = Curve::default();
        assert_eq!(curve.rate(1, 180), 12_000);
        assert_eq!(curve.rate(1, 10), 11_400);
        assert_eq!(curve.rate(2, 60), 800 + 11_550);
        assert_eq!(curve.rate(6, 400), 18_000 + 12_400);
    }
}
