//! statistical-deviation: what an institution's own past, or the market's, makes unlikely.

use super::{
    alerts_of, holds, judge,
    market::{Market, Terms, bank, day, ent, range, yuan},
    quiet,
};
use crate::{
    fact::Range,
    ids::{Day, PartyId},
};

fn found(market: &Market, id: &str) -> Vec<String> {
    alerts_of(&judge(&market.facts, market.clock()), id)
}

#[test]
fn p068_tenors_shift() {
    let case = |before: usize, today: usize, tenor: i32| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for _ in 0..before {
            market.accept(&Terms { due_in: 90, ..Terms::default() });
        }
        market.at("2025-03-04", "09:00");
        for _ in 0..today {
            market.accept(&Terms { due_in: tenor, ..Terms::default() });
        }
        market
    };
    // Deviation 1: 4 * sqrt(0.1 / 1.9) = 0.918 days; one bill moves the average by a tenth of 10 days, two by 0.19 of 4.
    holds("P068", &case(50, 1, 100), &["100101 2025-03-04"]);
    holds("P068", &case(50, 1, 80), &["100101 2025-03-04"]);
    quiet("P068", &case(50, 1, 99));
    quiet("P068", &case(49, 1, 100));
    holds("P068", &case(50, 2, 95), &["100101 2025-03-04"]);
    quiet("P068", &case(50, 2, 94));
}

#[test]
fn p069_faces_shift() {
    let case = |before: i64, face: i64| {
        let mut market = Market::new();
        for place in 0..before {
            if place % 100 == 0 {
                market.on(day("2025-03-03").plus(place as i32 / 100), "09:00");
            }
            market.accept(&Terms { face: yuan(1_000_000), ..Terms::default() });
        }
        market.at("2025-04-01", "09:00");
        for _ in 0..50 {
            market.accept(&Terms { face, ..Terms::default() });
        }
        market
    };
    // e times as much, in hundredths of the logarithm: 18.42 and 19.42.
    let least = (1e8 * 0.995f64.exp()).ceil() as i64 + 200_000;
    let hundredth = |face: i64| (100.0 * (face as f64).ln()).round() as i64;
    assert_eq!(hundredth(least) - hundredth(yuan(1_000_000)), 100);
    holds("P069", &case(500, least), &["100101 2025-04-01"]);
    let below = (least as f64 * (-0.01f64).exp()) as i64;
    assert_eq!(hundredth(below) - hundredth(yuan(1_000_000)), 99);
    quiet("P069", &case(500, below));
    quiet("P069", &case(499, least));
}

#[test]
fn p070_refusals_above_the_own_past() {
    let case = |before: usize, refused: usize, presented: usize| {
        let mut market = Market::new();
        let terms = Terms { kind: "CAB", acceptor: ent(5), due_in: 30, ..Terms::default() };
        let month = |market: &mut Market, on: Day, refused: usize, presented: usize| {
            for place in 0..presented {
                market.on(on.plus(-30), "09:00").instant(on.plus(-30).start_ms() + 36_000_000 + place as i64 * 60_000);
                let bill = market.draw(&terms);
                market.instant(on.start_ms() + 36_000_000 + place as i64 * 60_000).present(bill, ent(2), ent(5));
                if place < refused {
                    market.refuse(bill, ent(2), ent(5), "DC08");
                } else {
                    market.pay(bill, ent(2), ent(5));
                }
            }
        };
        month(&mut market, day("2025-04-15"), before, 10);
        month(&mut market, day("2025-05-15"), refused, presented);
        market.clock_at_end_of("2025-05-31");
        market
    };
    // At the floor of 0.002 two of ten have a chance of 0.00018, two of twenty-four of 0.00107.
    holds("P070", &case(0, 2, 10), &["E0000000005 2025-05-31"]);
    quiet("P070", &case(0, 1, 10));
    holds("P070", &case(0, 2, 23), &["E0000000005 2025-05-31"]);
    quiet("P070", &case(0, 2, 24));
    quiet("P070", &case(0, 2, 9));
    // Three of ten before: five of ten now have a chance of 0.15.
    holds("P070", &case(3, 5, 10), &["E0000000005 2025-04-30"]);
}

#[test]
fn p071_endorsements_go_deeper() {
    let case = |today: u64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { divisible: true, ..Terms::default() });
        for part in 0..100 {
            market.endorse_part(bill, range(1 + part, 1 + part), ent(2), ent(3));
        }
        market.at("2025-03-04", "09:00");
        let other = market.draw(&Terms::default());
        for hop in 0..today {
            market.endorse(other, ent(2 + hop % 2), ent(3 - hop % 2));
        }
        market
    };
    assert_eq!(found(&case(200), "P071"), ["MARKET 2025-03-04"]);
    holds("P071", &case(200), &["MARKET 2025-03-04"]);
    quiet("P071", &case(199));
    // The same depth as before.
    let mut same = Market::new();
    for on in ["2025-03-03", "2025-03-04"] {
        same.at(on, "09:00");
        let bill = same.draw(&Terms { divisible: true, ..Terms::default() });
        for part in 0..200 {
            same.endorse_part(bill, range(1 + part, 1 + part), ent(2), ent(3));
        }
    }
    quiet("P071", &same);
}

#[test]
fn p074_hours_shift() {
    let case = |bills: usize, early: usize| {
        let mut market = Market::new();
        market.at("2025-03-03", "10:00");
        for _ in 0..100 {
            market.accept(&Terms::default());
        }
        for place in 0..bills {
            market.at("2025-03-10", if place < early { "10:00" } else { "15:00" });
            market.instant(market.now() + place as i64 * 3_000);
            market.accept(&Terms::default());
        }
        market
    };
    holds("P074", &case(200, 0), &["100101 2025-03-10"]);
    quiet("P074", &case(199, 0));
    // A shift of x in shares gives x * ln(x / 0.0001) + x * ln(1 / (1 - x)): 0.3 lies between 9 and 10 of 200.
    quiet("P074", &case(200, 192));
    holds("P074", &case(200, 190), &["100101 2025-03-10"]);
}

/// Each business day from a date on the second bank sells for so many CNY; what follows comes on the next days.
fn trading(days: i32, usual: i64, then: &[i64], to: impl Fn(i32) -> PartyId) -> Market {
    let mut market = Market::new();
    let calendar = super::setting().meanings.calendar();
    let mut on = day("2025-02-10");
    let faces = (0..days).map(|_| usual).chain(then.iter().copied());
    for (place, face) in faces.enumerate() {
        market.on(on, "09:00");
        let bill = market.draw(&Terms { face, ..Terms::default() });
        market.discount(bill, ent(2), bank(2), 12_000);
        market.sell(bill, bank(2), to(place as i32), 12_000, &format!("D{place}"));
        on = calendar.next(on);
    }
    market
}

#[test]
fn p075_turnover_breaks() {
    // On a flat base the floor of 0.1 is the deviation. e^0.85 gives z = 8.5: exactly h = 8 above the slack of 0.5.
    let case = |days: i32, face: i64| trading(days, yuan(1_000_000), &[face], |_| bank(3));
    let limit = (1e8 * 0.85f64.exp()).ceil() as i64;
    let last = |market: &Market| format!("100102 {}", market.today());
    let market = case(60, limit + 1);
    assert!(found(&market, "P075").contains(&last(&market)));
    let market = case(60, limit - 100);
    assert!(!found(&market, "P075").contains(&last(&market)));
    // Downward too, for both sides of the trade.
    let market = case(60, (1e8 * (-0.86f64).exp()) as i64);
    assert_eq!(found(&market, "P075"), [last(&market), last(&market).replace("100102", "100103")]);
    holds("P075", &market, &[&last(&market), &last(&market).replace("100102", "100103")]);
    // Fifty days of trade with the last one, not fifty-one: no base yet.
    quiet("P075", &case(49, yuan(900_000_000)));
}

#[test]
fn p076_fewer_counterparties() {
    let case = |days: i32, face: i64| {
        // Two partners by turns make one bit; four make two.
        trading(80, face, &[], move |place| if place < days { bank(3 + u64::from(place as u32 % 4)) } else { bank(3) })
    };
    let judged = |market: &Market| found(market, "P076").into_iter().any(|alert| alert.starts_with("100102"));
    // After 80 business days the last 20 calendar days lie within the time of one partner.
    let face = yuan(10_000_000_000) / 10;
    assert!(judged(&case(60, face)), "{:?}", found(&case(60, face), "P076"));
    assert!(!judged(&case(60, face / 2)));
    assert!(!judged(&case(0, face)));
    let market = case(60, face);
    let expected = found(&market, "P076");
    holds("P076", &market, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn p077_more_than_the_usual_end_of_a_quarter() {
    let case = |quarters: i32, face: i64| {
        let mut market = Market::new();
        let calendar = super::setting().meanings.calendar();
        market.at("2024-12-31", "12:00");
        let hold = |market: &mut Market, on: Day, face: i64| {
            market.on(on, "09:00");
            let bill = market.draw(&Terms { face, due_in: 900, ..Terms::default() });
            market.discount(bill, ent(2), bank(2), 12_000);
        };
        let first = day("2025-01-06").add_months(3 * (5 - quarters));
        hold(&mut market, first, yuan(10_000_000));
        for quarter in (5 - quarters)..5 {
            let end = day("2025-01-01").add_months(3 * quarter).quarter_end();
            let last = calendar.minus(end.plus(1), 1);
            // Nothing happens at the other ends of quarters, but that the bank trades.
            hold(&mut market, last, if quarter == 4 { face } else { 1 });
        }
        market.set_clock(day("2026-03-31").end_ms() - 1);
        market
    };
    let end = "100102 2026-03-31";
    // Three hundredths of what was held.
    assert!(found(&case(5, yuan(310_000)), "P077").contains(&end.to_owned()));
    assert!(!found(&case(5, yuan(290_000)), "P077").contains(&end.to_owned()));
    assert!(!found(&case(4, yuan(310_000)), "P077").contains(&end.to_owned()));
    holds("P077", &case(5, yuan(310_000)), &[end]);
}

#[test]
fn p078_answers_take_long() {
    let case = |bills: i64, minutes: i64| {
        let mut market = Market::new();
        let mut answered = |start: i64, minutes: i64| {
            market.instant(start);
            let bill = market.register_bill(&Terms::default());
            let about = Some((bill, Range::WHOLE));
            let asked = market.now();
            market.fact("ACC.REQ", about, ent(1), bank(1), &[]);
            market.instant(asked + minutes * 60_000).fact("ACC.SGN", about, bank(1), ent(1), &[]);
        };
        answered(day("2025-03-03").start_ms() + 10 * 3_600_000, 4);
        for place in 0..bills {
            answered(day("2025-03-10").start_ms() + 11 * 3_600_000 - minutes * 60_000 + place * 5_000, minutes);
        }
        market
    };
    holds("P078", &case(50, 21), &["100101 2025-03-10"]);
    quiet("P078", &case(50, 20));
    quiet("P078", &case(49, 21));
}

#[test]
fn p190_margin_for_the_end_of_the_quarter() {
    let case = |late: i64, face: i64, other: i64, on: &str| {
        let mut market = Market::new();
        market.at("2025-02-10", "09:00").accept(&Terms { face: other, margin: other, ..Terms::default() });
        market.at(on, "09:00").accept(&Terms { face, margin: late, ..Terms::default() });
        market.clock_at_end_of("2025-03-31");
        market
    };
    // 57 business days from 1 January to 31 March 2025: 52 others are 10.4 spans of five, three means of them 3 / 10.4.
    let calendar = super::setting().meanings.calendar();
    let days = i64::from(calendar.count_between(day("2024-12-31"), day("2025-03-31")));
    let other = yuan(1_000_000) * (days - 5);
    let late = yuan(15_000_000);
    holds("P190", &case(late, 2 * late, other, "2025-03-25"), &["100101 2025-03-31"]);
    quiet("P190", &case(late - 1, 2 * late - 2, other, "2025-03-25"));
    quiet("P190", &case(late, 2 * late + 1, other, "2025-03-25"));
    quiet("P190", &case(late, 2 * late, other, "2025-03-24"));
    holds("P190", &case(yuan(10_000_000), yuan(10_000_000), 1, "2025-03-25"), &["100101 2025-03-31"]);
    quiet("P190", &case(yuan(10_000_000) - 1, yuan(10_000_000), 1, "2025-03-25"));
}
