//! Rare business (少见业务): the behaviours that ordinary lives hardly ever show, each told as a whole life of its own.
//!
//! Normal trade ([`super::trade`]) follows the statistics of the market; what happens to a few bills in a hundred thousand
//! (a release of pledge that is refused, a rediscount paid back late, a deposit for a standardised note) is a [`Rarity`]
//! here: a function that tells one legal life on parties of its own, without anything that a pattern looks for. Together
//! they make every market of [`COVERING_FACTS`] or more speak the whole vocabulary of `behaviours.csv`; codes that
//! only misbehaviour can show are listed in the test `normal_trade_speaks_nearly_the_whole_catalogue`.
//!
//! **Rates**: domain.md 12.2 gives each step its share of bills (guarantees and pledges 4 %, repo 12 %, 3 % to 5 % of requests
//! without success); a rarity has the product of these, in bills in a million, and is told once at least.
//! **Memory**: a life is told when its bill is issued, and its facts wait for their time; so it follows the bills under way.

mod banks;
mod companies;
mod ends;
mod paper;
mod registers;
mod teller;

use billwatch_market::fact::Fact;
use billwatch_market::ids::Day;

use super::story::{Cast, Story};
use super::trade::Trade;
use teller::Teller;

/// From this size of a market on every rarity is told at least once, facts. A smaller market tells only those that chance
/// would bring: the whole set is some 900 facts.
pub const COVERING_FACTS: u64 = 50_000;

/// Facts of one rare life on average, with the registration of its parties.
const FACTS_EACH: u64 = 22;

/// One kind of rare life.
pub struct Rarity {
    /// What happens, in words.
    pub name: &'static str,
    /// Bills in a million.
    in_a_million: u64,
    tell: fn(&mut Teller),
}

const fn rare(name: &'static str, in_a_million: u64, tell: fn(&mut Teller)) -> Rarity {
    Rarity { name, in_a_million, tell }
}

/// All rarities, field by field of business.
pub fn rarities() -> impl Iterator<Item = &'static Rarity> {
    [companies::LIVES, banks::LIVES, ends::LIVES, paper::LIVES, registers::LIVES].into_iter().flatten()
}

/// Facts that the rarities of a market of this size add, about.
pub fn expected_facts(facts: u64, bills: u64) -> u64 {
    rarities().map(|rarity| wanted(rarity, facts, bills)).sum::<u64>() * FACTS_EACH
}

fn wanted(rarity: &Rarity, facts: u64, bills: u64) -> u64 {
    let by_rate = bills * rarity.in_a_million / 1_000_000;
    if facts >= COVERING_FACTS { by_rate.max(1) } else { by_rate }
}

/// Which rarity is told when: each spread over the days of issue in proportion to their business.
pub struct Rarities {
    wanted: Vec<u64>,
    told: Vec<u64>,
    weight: u64,
    weights: u64,
    cast: Cast,
}

impl Rarities {
    /// For a market of this size, whose days of issue weigh `weights` together.
    pub fn new(facts: u64, bills: u64, weights: u64) -> Self {
        let wanted: Vec<u64> = rarities().map(|rarity| wanted(rarity, facts, bills)).collect();
        Rarities { told: vec![0; wanted.len()], wanted, weight: 0, weights, cast: Cast::of_rarities() }
    }

    /// Tells the lives that begin today; the facts, each at its own time from today on.
    pub fn begin_day(&mut self, today: Day, weight: u64, trade: &mut Trade) -> Vec<Fact> {
        self.weight += weight;
        let kinds = self.wanted.len() as u64;
        let mut facts = Vec::new();
        for (place, rarity) in rarities().enumerate() {
            // The kinds are out of step with each other, so that those told once lie apart.
            let phase = self.weights * (place as u64 + 1) / kinds;
            let due = (u128::from(self.wanted[place]) * u128::from(self.weight) + u128::from(phase))
                / u128::from(self.weights.max(1));
            while u128::from(self.told[place]) < due.min(u128::from(self.wanted[place])) {
                let variant = self.told[place] as usize;
                self.told[place] += 1;
                let mut story = Story::new("", true, variant, today, trade, &mut self.cast);
                (rarity.tell)(&mut Teller::new(&mut story));
                facts.append(&mut story.facts);
            }
        }
        facts
    }
}
