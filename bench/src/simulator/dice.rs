//! Seeded chance: every draw of the simulator goes through one [`Dice`], in one order, so that a seed is a market.
//!
//! Floating point is used here only to shape random draws (a market's statistics, domain.md 12.4). No amount, rate or
//! judgement is computed with it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of draws that depends on the seed alone: not on the platform, the clock or the number of threads.
pub struct Dice {
    source: ChaCha8Rng,
}

impl Dice {
    /// The stream of a seed; `purpose` separates streams of one seed that must not disturb each other.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Dice { source: ChaCha8Rng::seed_from_u64(mix(seed ^ mix(purpose))) }
    }

    /// A whole number in `0..bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.source.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A whole number in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    /// True with this chance out of 10,000.
    pub fn chance(&mut self, in_ten_thousand: u64) -> bool {
        self.below(10_000) < in_ten_thousand
    }

    /// Uniform in (0, 1].
    pub fn unit(&mut self) -> f64 {
        ((self.source.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Exponential with this mean, in whole units, rounded down.
    pub fn exponential(&mut self, mean: f64) -> i64 {
        (-self.unit().ln() * mean) as i64
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// A draw by weights in constant time per draw: the cumulative weights, searched.
pub struct Weighted {
    cumulative: Vec<u64>,
}

impl Weighted {
    /// The weights in order; at least one must be above 0.
    pub fn new(weights: impl IntoIterator<Item = u64>) -> Self {
        let mut total = 0;
        let cumulative = weights
            .into_iter()
            .map(|weight| {
                total += weight;
                total
            })
            .collect();
        Weighted { cumulative }
    }

    /// Position of the drawn item.
    pub fn draw(&self, dice: &mut Dice) -> usize {
        self.at(dice.below(self.total()))
    }

    /// Position of the item that this ticket wins, any number: a draw that depends on the ticket alone.
    pub fn at(&self, ticket: u64) -> usize {
        let ticket = ticket % self.total();
        self.cumulative.partition_point(|&upto| upto <= ticket)
    }

    fn total(&self) -> u64 {
        *self.cumulative.last().expect("weights are given")
    }
}

/// Negative binomial by its cumulative table, cut at the end of the table.
pub struct NegativeBinomial {
    cumulative: Vec<f64>,
}

impl NegativeBinomial {
    /// Mean m and dispersion k (variance m + m²/k), for counts `0..=greatest`.
    pub fn new(mean: f64, dispersion: f64, greatest: usize) -> Self {
        let success = dispersion / (dispersion + mean);
        let mut probability = success.powf(dispersion);
        let mut sum = 0.0;
        let mut cumulative = Vec::with_capacity(greatest + 1);
        for count in 0..=greatest {
            sum += probability;
            cumulative.push(sum);
            probability *= (count as f64 + dispersion) / (count as f64 + 1.0) * (1.0 - success);
        }
        NegativeBinomial { cumulative }
    }

    /// A count.
    pub fn draw(&self, dice: &mut Dice) -> usize {
        let ticket = dice.unit();
        self.cumulative.partition_point(|&upto| upto < ticket).min(self.cumulative.len() - 1)
    }
}

/// Spreads a number over 64 bits (the finaliser of SplitMix64): attributes of a party are functions of its number.
pub fn mix(value: u64) -> u64 {
    let mut bits = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_their_laws() {
        let mut dice = Dice::new(7, 0);
        let hops = NegativeBinomial::new(3.0, 1.2, 60);
        let total: usize = (0..100_000).map(|_| hops.draw(&mut dice)).sum();
        assert!((290_000..310_000).contains(&total), "mean of 3 hops, got {total} in 100,000");
        let weights = Weighted::new([0, 1, 3]);
        let mut seen = [0; 3];
        for _ in 0..40_000 {
            seen[weights.draw(&mut dice)] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!((9_500..10_500).contains(&seen[1]), "{seen:?}");
        let days: i64 = (0..100_000).map(|_| dice.exponential(20.0)).sum();
        assert!((1_900_000..2_010_000).contains(&days), "{days}");
    }

    #[test]
    fn a_seed_is_a_stream() {
        let draw = |seed, purpose| Dice::new(seed, purpose).below(u64::MAX);
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(2, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
    }
}
