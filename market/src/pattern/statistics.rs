//! Statistics of judges: mean, deviation, logarithm, chi-square.
//!
//! These need roots and logarithms, so they use `f64`; but only here, on exact integers, in a fixed order, with nothing but
//! IEEE 754 `+ - * /` and `sqrt`, which every machine rounds alike. The logarithm is our own for that reason: a system's
//! `ln` may differ in the last bit. Results go back to exact numbers at 9 decimals, so that a threshold such as 3.5 can be met
//! exactly.

use super::number::Number;

const DECIMALS: f64 = 1e9;

/// The exact number nearest to a statistic, at 9 decimals; `None` when it is no number or too large.
pub fn settle(value: f64) -> Option<Number> {
    let scaled = (value * DECIMALS).round();
    if !scaled.is_finite() || scaled.abs() > 1e30 {
        return None;
    }
    Number::ratio(scaled as i128, DECIMALS as i128)
}

/// Mean and population standard deviation (derived.csv `std`); `None` for no values.
pub fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().fold(0.0, |sum, value| sum + value) / count;
    let square = values.iter().fold(0.0, |sum, value| sum + (value - mean) * (value - mean));
    Some((mean, (square / count).sqrt()))
}

/// Natural logarithm of a number above 0, by its bits and the series of artanh.
pub fn ln(value: f64) -> f64 {
    debug_assert!(value > 0.0 && value.is_finite());
    const LN_2: f64 = std::f64::consts::LN_2;
    let bits = value.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    // |ratio| < 0.1716: 12 terms leave less than the last bit.
    let mut sum = 0.0;
    for term in (0..12).rev() {
        sum = sum * square + 1.0 / (2 * term + 1) as f64;
    }
    exponent as f64 * LN_2 + 2.0 * ratio * sum
}

/// z-score of `value` against `base`, with a floor for the deviation.
pub fn z_score(value: f64, base: &[f64], floor: impl Fn(f64) -> f64) -> Option<Number> {
    let (mean, deviation) = mean_and_deviation(base)?;
    let deviation = deviation.max(floor(mean));
    if deviation > 0.0 { settle((value - mean) / deviation) } else { None }
}

/// Chi-square of counts of first digits 1..9 against Benford's law; `None` when there are none.
pub fn benford(counts: [i64; 9]) -> Option<Number> {
    let total = counts.iter().sum::<i64>();
    if total <= 0 {
        return None;
    }
    let mut chi_square = 0.0;
    for (place, count) in counts.into_iter().enumerate() {
        let digit = (place + 1) as f64;
        let expected = total as f64 * ln(1.0 + 1.0 / digit) / ln(10.0);
        let gap = count as f64 - expected;
        chi_square += gap * gap / expected;
    }
    settle(chi_square)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_agrees_with_the_system_to_the_last_bits() {
        for value in [1.0, 1.5, 2.0, 10.0, 1e-3, 123_456_789.0, 1e18, 1.25, 1.75] {
            assert!((ln(value) - value.ln()).abs() <= 4e-15 * value.ln().abs().max(1.0), "{value}");
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn a_flat_base_uses_the_floor_and_thresholds_are_met_exactly() {
        let base = [100.0; 12];
        assert_eq!(z_score(135.0, &base, |mean| mean * 0.1), Number::parse("3.5"));
        assert_eq!(z_score(135.0, &base, |_| 0.0), None);
        assert_eq!(z_score(1.0, &[], |_| 1.0), None);
    }

    #[test]
    fn benford_is_zero_only_for_its_own_shares() {
        let shares = [301_030, 176_091, 124_939, 96_910, 79_181, 66_947, 57_992, 51_153, 45_757];
        assert!(benford(shares).unwrap() < Number::parse("0.001").unwrap());
        assert!(benford([0, 0, 0, 0, 300, 0, 0, 0, 0]).unwrap() > Number::parse("26.12").unwrap());
        assert_eq!(benford([0; 9]), None);
    }
}
