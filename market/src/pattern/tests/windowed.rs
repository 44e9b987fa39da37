//! windowed-threshold.

use super::{
    holds,
    market::{Market, Terms, bank, day, ent, int, range, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::PartyId,
};

#[test]
fn p023_young_company_issues_a_large_amount() {
    let case = |registered: &str, first_on: &str, last_face| {
        let mut market = Market::new();
        market.register(1, &[(Field::RegDate, Value::Date(day(registered)))]);
        market.at(first_on, "09:00").accept(&Terms { face: yuan(12_000_000), ..Terms::default() });
        market.at("2025-06-30", "23:00").accept(&Terms { face: last_face, ..Terms::default() });
        market
    };
    // 180 days old; the window of 30 days begins on 1 June.
    holds("P023", &case("2025-01-01", "2025-06-01", yuan(8_000_000)), &["E0000000001 2025-06-30"]);
    quiet("P023", &case("2025-01-01", "2025-06-01", yuan(8_000_000) - 1));
    quiet("P023", &case("2025-01-01", "2025-05-31", yuan(8_000_000)));
    quiet("P023", &case("2024-12-31", "2025-06-01", yuan(8_000_000)));
}

#[test]
fn p024_many_hops_within_a_day() {
    let case = |spread_ms: i64| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        let start = day("2025-03-10").start_ms();
        for hop in 0..5 {
            market.instant(start + spread_ms * hop / 4 - 1000).endorse(bill, ent(2 + hop as u64), ent(3 + hop as u64));
        }
        (market, bill)
    };
    let (market, bill) = case(86_400_000 - 1);
    holds("P024", &market, &[&format!("{bill} 2025-03-10")]);
    quiet("P024", &case(86_400_000).0);
}

#[test]
fn p024_counts_along_the_lineage_of_a_part() {
    let mut market = Market::new();
    market.at("2025-03-01", "09:00");
    let bill = market.draw(&Terms { divisible: true, ..Terms::default() });
    for hop in 0..5 {
        market.endorse_part(bill, range(1 + hop, 10 - hop), ent(2 + hop), ent(3 + hop));
    }
    holds("P024", &market, &[&format!("{bill} 2025-03-01")]);
    let mut apart = Market::new();
    apart.at("2025-03-01", "09:00");
    let bill = apart.draw(&Terms { divisible: true, ..Terms::default() });
    for part in 0..5 {
        apart.endorse_part(bill, range(1 + part, 1 + part), ent(2), ent(3));
    }
    quiet("P024", &apart);
}

#[test]
fn p025_too_many_holders() {
    let case = |hops: u64, again: bool| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        for hop in 0..hops {
            let date = day("2025-03-01").plus(1 + hop as i32);
            let to = if again && hop == 18 { ent(3) } else { ent(3 + hop) };
            market.on(date, "09:00").endorse(bill, ent(2 + hop), to);
        }
        (market, bill)
    };
    let (market, bill) = case(19, false);
    holds("P025", &market, &[&format!("{bill} 2025-03-20")]);
    quiet("P025", &case(18, false).0);
    quiet("P025", &case(19, true).0);
}

#[test]
fn p034_very_large_bill() {
    let case = |face| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.accept(&Terms { face, ..Terms::default() });
        (market, bill)
    };
    let (market, bill) = case(yuan(500_000_000));
    holds("P034", &market, &[&format!("{bill} 2025-03-01")]);
    quiet("P034", &case(yuan(500_000_000) - 1).0);
}

#[test]
fn p036_issuance_burst() {
    let case = |bills: i64, total: i64, last: &str| {
        let mut market = Market::new();
        for number in 0..bills {
            let face = if number == 0 { total - (bills - 1) * yuan(1_000_000) } else { yuan(1_000_000) };
            market.at("2025-03-01", if number == bills - 1 { last } else { "09:00" });
            market.accept(&Terms { face, ..Terms::default() });
        }
        market
    };
    // The window is the bucket of 5 minutes and the 11 before it: 09:00 to 10:00.
    holds("P036", &case(30, yuan(50_000_000), "09:59"), &["E0000000001 2025-03-01"]);
    quiet("P036", &case(30, yuan(50_000_000), "10:00"));
    quiet("P036", &case(30, yuan(50_000_000) - 1, "09:59"));
    quiet("P036", &case(29, yuan(50_000_000), "09:59"));
}

#[test]
fn p040_recourse_notices_against_one_party() {
    let case = |bills: usize, face: i64, second_on: &str| {
        let mut market = Market::new();
        let terms = Terms { face, due_in: 10, ..Terms::default() };
        market.at("2025-03-01", "09:00");
        let drawn: Vec<_> = (0..bills).map(|_| market.draw(&terms)).collect();
        for (place, bill) in drawn.iter().enumerate() {
            market.at(if place == 0 { "2025-03-11" } else { second_on }, "09:00");
            market.present(*bill, ent(2), bank(1));
            market.refuse(*bill, ent(2), bank(1), "DC08");
            market.fact("RCS.NTC", Some((*bill, Range::WHOLE)), ent(2), ent(1), &[(Field::ClaimFen, int(face))]);
        }
        market
    };
    holds("P040", &case(10, yuan(10), "2025-04-09"), &["E0000000001 2025-04-09"]);
    quiet("P040", &case(9, yuan(10), "2025-04-09"));
    quiet("P040", &case(10, yuan(10), "2025-04-10"));
    holds("P040", &case(1, yuan(10_000_000), ""), &["E0000000001 2025-03-11"]);
    quiet("P040", &case(1, yuan(10_000_000) - 1, ""));
}

#[test]
fn p041_many_banks_in_a_short_time() {
    let case = |banks: u64, face, first_on: &str| {
        let mut market = Market::new();
        for number in 1..=banks {
            market.at(if number == 1 { first_on } else { "2025-03-14" }, "09:00");
            market.accept(&Terms { acceptor: bank(number), face, ..Terms::default() });
        }
        market
    };
    holds("P041", &case(5, yuan(10_000_000), "2025-03-08"), &["E0000000001 2025-03-14"]);
    quiet("P041", &case(5, yuan(10_000_000), "2025-03-07"));
    quiet("P041", &case(4, yuan(20_000_000), "2025-03-08"));
    quiet("P041", &case(5, yuan(10_000_000) - 1, "2025-03-08"));
}

#[test]
fn p046_flips_between_two() {
    let case = |flips: u64, one_way: bool, first_on: &str| {
        let mut market = Market::new();
        market.at("2025-02-01", "09:00");
        let bill = market.draw(&Terms::default());
        for flip in 0..flips {
            match flip {
                0 => market.at(first_on, "09:00"),
                1 => market.at("2025-03-30", "09:00"),
                _ => &mut market,
            };
            let (from, to) = if flip % 2 == 0 { (ent(2), ent(3)) } else { (ent(3), ent(2)) };
            market.endorse(bill, from, to);
        }
        if one_way {
            // Six from 2 to 3, one back: the other direction has too few.
            market = Market::new();
            for flip in 0..7 {
                market.at("2025-03-30", "09:00");
                let (payee, to) = if flip == 6 { (ent(3), ent(2)) } else { (ent(2), ent(3)) };
                let bill = market.draw(&Terms { payee, ..Terms::default() });
                market.endorse(bill, payee, to);
            }
        }
        market
    };
    holds("P046", &case(6, false, "2025-03-01"), &["E0000000002,E0000000003 2025-03-30"]);
    quiet("P046", &case(6, false, "2025-02-28"));
    quiet("P046", &case(5, false, "2025-03-01"));
    quiet("P046", &case(0, true, ""));
    assert!(PartyId::enterprise(2) < PartyId::enterprise(3));
}

#[test]
fn p021_accepted_then_revoked() {
    let case = |bills: usize, accepted: bool, first_on: &str| {
        let mut market = Market::new();
        for number in 0..bills {
            market.at(if number == 0 { first_on } else { "2025-03-30" }, "09:00");
            market.instant(market.now() + number as i64 * 60_000);
            let bill = if accepted || number > 0 {
                market.accept(&Terms::default())
            } else {
                market.register_bill(&Terms::default())
            };
            market.fact("ISS.RVK", Some((bill, Range::WHOLE)), ent(1), bank(1), &[]);
        }
        market
    };
    holds("P021", &case(3, true, "2025-03-01"), &["E0000000001 2025-03-30"]);
    quiet("P021", &case(2, true, "2025-03-01"));
    quiet("P021", &case(3, false, "2025-03-01"));
    quiet("P021", &case(3, true, "2025-02-28"));
}

#[test]
fn p026_refusal_surge() {
    let case = |refused: usize, paid_face: i64, first_on: &str| {
        let mut market = Market::new();
        market.at("2025-02-01", "09:00");
        let terms = |face| Terms { kind: "CAB", acceptor: ent(5), face, due_in: 28, ..Terms::default() };
        let bad: Vec<_> = (0..refused).map(|_| market.draw(&terms(yuan(1_000_000)))).collect();
        let good = market.draw(&terms(paid_face));
        for (place, bill) in bad.into_iter().enumerate() {
            market.at(if place == 0 { first_on } else { "2025-03-30" }, "09:00");
            market.instant(market.now() + place as i64 * 60_000);
            market.present(bill, ent(2), ent(5));
            market.refuse(bill, ent(2), ent(5), "DC08");
        }
        market.at("2025-03-30", "12:00").present(good, ent(2), ent(5));
        market
    };
    // 3 of 15.
    holds("P026", &case(3, yuan(12_000_000), "2025-03-01"), &["E0000000005 2025-03-30"]);
    quiet("P026", &case(3, yuan(12_000_000) + 1, "2025-03-01"));
    quiet("P026", &case(2, yuan(1), "2025-03-01"));
}

#[test]
fn p029_acceptance_refused_by_many() {
    let case = |refusals: u64, acceptors: u64, first_on: &str| {
        let mut market = Market::new();
        for number in 0..refusals {
            market.at(if number == 0 { first_on } else { "2025-03-07" }, "09:00");
            market.instant(market.now() + number as i64 * 60_000);
            let acceptor = bank(1 + number % acceptors);
            let bill = market.register_bill(&Terms { acceptor, ..Terms::default() });
            let about = Some((bill, Range::WHOLE));
            market.fact("ACC.REQ", about, ent(1), acceptor, &[]);
            market.fact("ACC.REJ", about, acceptor, ent(1), &[]);
        }
        market
    };
    holds("P029", &case(5, 3, "2025-03-01"), &["E0000000001 2025-03-07"]);
    quiet("P029", &case(4, 3, "2025-03-01"));
    quiet("P029", &case(5, 2, "2025-03-01"));
    quiet("P029", &case(5, 3, "2025-02-28"));
}

#[test]
fn p030_mass_withdrawal() {
    let case = |withdrawn: usize, kept: usize| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for number in 0..withdrawn + kept {
            let bill = market.register_bill(&Terms::default());
            let about = Some((bill, Range::WHOLE));
            market.fact("ACC.REQ", about, ent(1), bank(1), &[]);
            if number < withdrawn {
                market.fact("ACC.WDR", about, ent(1), bank(1), &[]);
            }
        }
        market
    };
    holds("P030", &case(20, 20), &["E0000000001 2025-03-03"]);
    quiet("P030", &case(20, 21));
    quiet("P030", &case(19, 0));
}

#[test]
fn p044_stop_payments() {
    let case = |stops: usize, first_on: &str| {
        let mut market = Market::new();
        market.at("2025-02-01", "09:00");
        let bills: Vec<_> = (0..stops).map(|_| market.draw(&Terms::default())).collect();
        for (place, bill) in bills.into_iter().enumerate() {
            market.at(if place == 0 { first_on } else { "2025-03-30" }, "09:00");
            market.instant(market.now() + place as i64 * 60_000);
            market.fact("LSF.STP", Some((bill, Range::WHOLE)), ent(2), bank(1), &[]);
        }
        market
    };
    holds("P044", &case(3, "2025-03-01"), &["E0000000002 2025-03-30"]);
    quiet("P044", &case(2, "2025-03-01"));
    quiet("P044", &case(3, "2025-02-28"));
}
