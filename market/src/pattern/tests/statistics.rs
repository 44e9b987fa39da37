//! statistical-deviation.

use super::{
    holds,
    market::{Market, Terms, bank, day, ent, yuan},
    quiet,
};

#[test]
fn p066_weekly_volume_jump() {
    let case = |face: i64| {
        let mut market = Market::new();
        // 26 weeks of 4,000,000 CNY, each on a Monday; the floor of 0.2 is the deviation: 3 * 0.2 = ln(1.822).
        for week in 0..26 {
            market.on(day("2025-01-06").plus(7 * week), "09:00");
            market.accept(&Terms { face: yuan(4_000_000), ..Terms::default() });
        }
        market.on(day("2025-01-06").plus(7 * 26), "09:00").accept(&Terms { face, ..Terms::default() });
        market.clock_at_end_of("2025-07-13");
        market
    };
    // e^0.6 = 1.8221188: the first fen sum whose z-score reaches 3 at 9 decimals.
    let limit = (4e8 * 0.6f64.exp()).ceil() as i64;
    holds("P066", &case(limit + 1), &["E0000000001 2025-07-13"]);
    quiet("P066", &case(limit - 2));
    let mut early = case(limit + 1);
    early.clock_at_end_of("2025-07-12");
    quiet("P066", &early);
}

#[test]
fn p066_needs_its_least_amount_and_a_past() {
    let case = |face, weeks: i32| {
        let mut market = Market::new();
        for back in (1..=weeks).rev() {
            market.on(day("2025-07-07").plus(-7 * back), "09:00").accept(&Terms { face: yuan(1), ..Terms::default() });
        }
        market.at("2025-07-07", "09:00").accept(&Terms { face, ..Terms::default() });
        market.clock_at_end_of("2025-07-13");
        market
    };
    holds("P066", &case(yuan(5_000_000), 8), &["E0000000001 2025-07-13"]);
    quiet("P066", &case(yuan(5_000_000) - 1, 8));
    quiet("P066", &case(yuan(5_000_000), 7));
}

#[test]
fn p067_branch_volume_jump() {
    let case = |face: i64| {
        let mut market = Market::new();
        // Twelve Mondays of 40,000,000 CNY; the floor is 10 % of the mean, so 3.5 is met at 54,000,000.
        let mut monday = day("2025-05-12");
        for week in 0..12 {
            monday = day("2025-05-12").plus(7 * week);
            market.on(monday, "09:00");
            let bill = market.draw(&Terms { face: yuan(40_000_000), ..Terms::default() });
            market.discount(bill, ent(2), bank(2), 12_000);
        }
        market.on(monday.plus(7), "09:00");
        let bill = market.draw(&Terms { face, ..Terms::default() });
        market.discount(bill, ent(2), bank(2), 12_000);
        market
    };
    let day_of_jump = "100102001 2025-08-04";
    let found = super::alerts_of(&super::judge(&case(yuan(54_000_000)).facts, case(1).clock()), "P067");
    assert!(found.contains(&day_of_jump.to_owned()), "{found:?}");
    holds("P067", &case(yuan(54_000_000)), &found.iter().map(String::as_str).collect::<Vec<_>>());
    let below = super::alerts_of(&super::judge(&case(yuan(54_000_000) - 1).facts, case(1).clock()), "P067");
    assert!(!below.contains(&day_of_jump.to_owned()), "{below:?}");
}

#[test]
fn p072_first_digits_off_benford() {
    let case = |bills: usize| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        for _ in 0..bills {
            market.accept(&Terms { face: yuan(500_000), ..Terms::default() });
        }
        market
    };
    holds("P072", &case(300), &["E0000000001 2025-03-01"]);
    quiet("P072", &case(299));
    let mut natural = Market::new();
    natural.at("2025-03-01", "09:00");
    for (digit, share) in [90, 53, 37, 29, 24, 20, 17, 15, 15].into_iter().enumerate() {
        for _ in 0..share {
            natural.accept(&Terms { face: yuan(100_000) * (digit as i64 + 1), ..Terms::default() });
        }
    }
    quiet("P072", &natural);
}

#[test]
fn p073_round_amounts() {
    let case = |round: usize, other: usize, first_on: &str| {
        let mut market = Market::new();
        market.at(first_on, "09:00");
        for _ in 0..round {
            market.accept(&Terms { face: yuan(3_000_000), ..Terms::default() });
            market.at("2025-05-29", "09:00");
        }
        for _ in 0..other {
            market.accept(&Terms { face: yuan(3_000_000) + 1, ..Terms::default() });
        }
        market
    };
    holds("P073", &case(18, 2, "2025-03-01"), &["E0000000001 2025-05-29"]);
    quiet("P073", &case(18, 3, "2025-03-01"));
    quiet("P073", &case(17, 2, "2025-03-01"));
    quiet("P073", &case(18, 2, "2025-02-28"));
}
