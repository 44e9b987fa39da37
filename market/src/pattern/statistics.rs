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

/// e to a power, by splitting off powers of 2 and the series; the inverse of [`ln`].
pub fn exp(value: f64) -> f64 {
    const LN_2: f64 = std::f64::consts::LN_2;
    if value < -700.0 {
        return 0.0;
    }
    let halvings = (value / LN_2).round();
    let rest = value - halvings * LN_2;
    // |rest| < 0.35: 16 terms leave less than the last bit.
    let mut sum = 1.0;
    for term in (1..=16).rev() {
        sum = 1.0 + sum * rest / f64::from(term);
    }
    let scale = if halvings < 0.0 { 0.5 } else { 2.0 };
    (0..halvings.abs().min(1100.0) as u32).fold(sum, |sum, _| sum * scale)
}

/// Most tries of a binomial distribution: one term of the sum a try.
const BINOMIAL_TRIES_MAX: i64 = 10_000_000;

/// P(X >= least) of a binomial distribution; `None` when the numbers make none.
pub fn binomial_tail(least: i64, tries: i64, probability: f64) -> Option<Number> {
    if !(0..=BINOMIAL_TRIES_MAX).contains(&tries) || !(0.0..=1.0).contains(&probability) {
        return None;
    }
    if least <= 0 {
        return Some(Number::whole(1));
    }
    if least > tries || probability == 0.0 {
        return Some(Number::ZERO);
    }
    if probability == 1.0 {
        return Some(Number::whole(1));
    }
    // The first term by logarithms, the others from the one before.
    let (p, q) = (ln(probability), ln(1.0 - probability));
    let chosen = (1..=least).fold(0.0, |sum, at| sum + ln((tries - least + at) as f64 / at as f64));
    let mut term = exp(chosen + least as f64 * p + (tries - least) as f64 * q);
    let mut tail = 0.0;
    for count in least..=tries {
        tail += term;
        term *= (tries - count) as f64 / (count + 1) as f64 * (probability / (1.0 - probability));
    }
    settle(tail.min(1.0))
}

/// Larger of the upper and the lower cumulative sum after the last value; see `Series::Cusum`.
pub fn cusum(values: impl Iterator<Item = Option<f64>>, slack: f64, limit: f64) -> f64 {
    let (mut up, mut down) = (0.0f64, 0.0f64);
    for value in values {
        if up > limit || down > limit {
            (up, down) = (0.0, 0.0);
        }
        let Some(value) = value else { continue };
        up = (up + value - slack).max(0.0);
        down = (down - value - slack).max(0.0);
    }
    up.max(down)
}

/// How far the moving average of some values, started at the mean of the base and fed with each of them at their mean, leaves
/// that mean, in standard deviations (at least 1) of such an average. Values come with their numbers.
pub fn average_shift(values: &[(f64, i64)], base: &[(f64, i64)], lambda: f64) -> Option<Number> {
    if !(lambda > 0.0 && lambda <= 1.0) {
        return None;
    }
    let count = |values: &[(f64, i64)]| values.iter().map(|(_, count)| count).sum::<i64>();
    let mean = |values: &[(f64, i64)]| {
        let sum = values.iter().fold(0.0, |sum, (value, count)| sum + value * *count as f64);
        sum / count(values) as f64
    };
    if count(values) <= 0 || count(base) <= 0 {
        return None;
    }
    let middle = mean(base);
    let square = base.iter().fold(0.0, |sum, (value, count)| sum + (value - middle) * (value - middle) * *count as f64);
    let deviation = (square / count(base) as f64).sqrt().max(1.0);
    // What is left of the start after so many values.
    let left = (0..count(values)).fold(1.0, |left, _| left * (1.0 - lambda));
    let shift = (1.0 - left) * (mean(values) - middle).abs();
    settle(shift / (deviation * (lambda / (2.0 - lambda)).sqrt()))
}

/// Nearest-rank median of values with their numbers; `None` when there are none.
pub fn median(mut values: Vec<(f64, i64)>) -> Option<f64> {
    values.sort_by(|left, right| left.0.total_cmp(&right.0));
    let count = values.iter().map(|(_, count)| count).sum::<i64>();
    let rank = (count + 1) / 2;
    let mut seen = 0;
    let found = values.iter().find(|(_, count)| {
        seen += count;
        seen >= rank
    });
    Some(found?.0)
}

/// Shannon entropy of amounts, bits; `None` when there is nothing. Amounts of 0 or less have no share.
pub fn entropy(amounts: &[f64]) -> Option<Number> {
    let amounts = amounts.iter().copied().filter(|amount| *amount > 0.0);
    let total = amounts.clone().fold(0.0, |sum, amount| sum + amount);
    if total <= 0.0 {
        return None;
    }
    let bits = amounts.fold(0.0, |sum, amount| sum - amount / total * ln(amount / total) / std::f64::consts::LN_2);
    settle(bits)
}

/// Least share of a group in a population stability index: an empty group would make it infinite.
const PSI_FLOOR: f64 = 0.0001;

/// Population stability index of two rows of counts; `None` when one of them is empty.
pub fn psi(counts: impl Iterator<Item = [i64; 2]> + Clone) -> Option<Number> {
    let totals = counts.clone().fold([0i64; 2], |sum, counts| [sum[0] + counts[0], sum[1] + counts[1]]);
    if totals.iter().any(|total| *total <= 0) {
        return None;
    }
    let share = |count: i64, total: i64| (count as f64 / total as f64).max(PSI_FLOOR);
    let index = counts.fold(0.0, |sum, [now, before]| {
        let (now, before) = (share(now, totals[0]), share(before, totals[1]));
        sum + (now - before) * ln(now / before)
    });
    settle(index)
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
    fn exp_is_the_inverse_of_ln() {
        for value in [-600.0, -20.5, -1.0, -1e-9, 0.0, 0.3, 1.0, 20.0, 300.0] {
            assert!((exp(value) / f64::exp(value) - 1.0).abs() < 1e-13, "{value}");
        }
        assert_eq!(exp(-1e6), 0.0);
    }

    #[test]
    fn tails_of_a_binomial_distribution() {
        assert_eq!(binomial_tail(2, 2, 0.5), Number::parse("0.25"));
        assert_eq!(binomial_tail(1, 3, 0.5), Number::parse("0.875"));
        assert_eq!(binomial_tail(0, 3, 0.5), Number::parse("1"));
        assert_eq!(binomial_tail(4, 3, 0.5), Number::parse("0"));
        assert_eq!(binomial_tail(1, 3, 1.5), None);
        // So many tries that the first term alone is smaller than any double.
        assert_eq!(binomial_tail(9_000, 10_000, 0.5), Number::parse("0"));
        assert_eq!(binomial_tail(4_000, 10_000, 0.5), Number::parse("1"));
    }

    #[test]
    fn indices_of_distributions() {
        assert_eq!(entropy(&[5.0, 5.0, 5.0, 5.0]), Number::parse("2"));
        assert_eq!(entropy(&[7.0, 0.0]), Number::parse("0"));
        assert_eq!(entropy(&[]), None);
        assert_eq!(psi([[3, 30], [7, 70]].into_iter()), Number::parse("0"));
        assert_eq!(psi([[3, 0]].into_iter()), None);
        // 0.4 * ln(0.7 / 0.3) twice.
        let expected = 0.8 * f64::ln(7.0 / 3.0);
        assert!((psi([[7, 30], [3, 70]].into_iter()).unwrap().to_f64() - expected).abs() < 1e-9);
    }

    #[test]
    fn averages_and_medians_count_each_value_as_often_as_it_comes() {
        // One value 10 above a flat base: 0.1 * 10 of the deviation of such an average, sqrt(0.1 / 1.9).
        let expected = 1.0 / (0.1f64 / 1.9).sqrt();
        let shift = average_shift(&[(110.0, 1)], &[(100.0, 60)], 0.1).unwrap().to_f64();
        assert!((shift - expected).abs() < 1e-9);
        assert_eq!(average_shift(&[(110.0, 1)], &[], 0.1), None);
        assert_eq!(average_shift(&[(110.0, 1)], &[(100.0, 60)], 0.0), None);
        assert_eq!(median(vec![(3.0, 1), (1.0, 2)]), Some(1.0));
        assert_eq!(median(vec![(3.0, 2), (1.0, 2)]), Some(1.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_cumulative_sum_begins_again_above_its_limit() {
        let sum = |values: &[f64]| cusum(values.iter().map(|value| Some(*value)), 0.5, 8.0);
        assert_eq!(sum(&[4.5, 4.5]), 8.0);
        assert_eq!(sum(&[4.5, 5.5]), 9.0);
        assert_eq!(sum(&[4.5, 5.5, 1.5]), 1.0);
        assert_eq!(sum(&[-4.5, -4.5]), 8.0);
        assert_eq!(cusum([Some(4.5), None].into_iter(), 0.5, 8.0), 4.0);
    }

    #[test]
    fn benford_is_zero_only_for_its_own_shares() {
        let shares = [301_030, 176_091, 124_939, 96_910, 79_181, 66_947, 57_992, 51_153, 45_757];
        assert!(benford(shares).unwrap() < Number::parse("0.001").unwrap());
        assert!(benford([0, 0, 0, 0, 300, 0, 0, 0, 0]).unwrap() > Number::parse("26.12").unwrap());
        assert_eq!(benford([0; 9]), None);
    }
}
