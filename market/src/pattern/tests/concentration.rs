//! concentration.

use super::{
    holds,
    market::{Market, Terms, bank, code, day, ent, int, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::PartyId,
};

#[test]
fn p105_captive_discounter() {
    let case = |first: i64, second: i64, first_on: &str| {
        let mut market = Market::new();
        let terms = |face| Terms { kind: "CAB", acceptor: ent(5), face, ..Terms::default() };
        market.at(first_on, "09:00");
        let bill = market.draw(&terms(first));
        market.discount(bill, ent(2), bank(1), 12_000);
        market.at("2025-05-29", "09:00");
        let bill = market.draw(&terms(second));
        market.discount(bill, ent(2), bank(2), 12_000);
        market
    };
    // The second bank's discount is the fact that completes the figures.
    holds("P105", &case(yuan(80_000_000), yuan(20_000_000), "2025-03-01"), &["E0000000005 2025-05-29"]);
    quiet("P105", &case(yuan(80_000_000), yuan(20_000_000) + 1, "2025-03-01"));
    quiet("P105", &case(yuan(80_000_000) - 1, yuan(20_000_000), "2025-03-01"));
    quiet("P105", &case(yuan(80_000_000), yuan(20_000_000), "2025-02-28"));
}

/// One bill for each drawer on one day.
fn accepted(faces: &[i64]) -> Market {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    for (number, face) in faces.iter().enumerate() {
        // Drawers of different divisions and bills of different due dates keep the other two rules quiet.
        market.accept(&Terms { drawer: ent(10 + number as u64), face: *face, ..Terms::default() });
    }
    market
}

#[test]
fn p106_one_drawer_or_ten() {
    let rest = |count: usize, face| vec![face; count];
    // 15 of 100.
    let mut faces = vec![yuan(1_500_000_000)];
    faces.extend(rest(17, yuan(500_000_000)));
    holds("P106", &accepted(&faces), &["100101 2025-03-03"]);
    faces[0] -= 1;
    // Ten largest: 60 of 100.
    holds("P106", &accepted(&faces), &["100101 2025-03-03"]);
    // Twenty equal: the ten largest are half.
    holds("P106", &accepted(&rest(20, yuan(100_000_000))), &["100101 2025-03-03"]);
    let mut faces = rest(20, yuan(100_000_000));
    faces.push(1);
    quiet("P106", &accepted(&faces));
    holds("P106", &accepted(&[yuan(1_000_000_000)]), &["100101 2025-03-03"]);
    quiet("P106", &accepted(&[yuan(1_000_000_000) - 1]));
}

#[test]
fn p106_falls_when_the_bill_is_paid() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bill = market.draw(&Terms { due_in: 10, face: yuan(1_000_000_000), ..Terms::default() });
    market.at("2025-03-13", "09:00").present(bill, ent(2), bank(1));
    market.pay(bill, ent(2), bank(1));
    holds("P106", &market, &["100101 2025-03-03"]);
}

#[test]
fn p109_one_division() {
    let case = |share: i64| {
        let mut market = Market::new();
        for (number, division) in ["13", "14", "15", "18", "19", "20", "21"].into_iter().enumerate() {
            market.register(20 + number as u64, &[(Field::IndustryDivision, code(division))]);
        }
        market.at("2025-03-03", "09:00").accept(&Terms { face: share, ..Terms::default() });
        for number in 20..26 {
            market.accept(&Terms { drawer: ent(number), face: yuan(1_000_000_000), ..Terms::default() });
        }
        market
    };
    // 40 of 100 in division 17.
    holds("P109", &case(yuan(4_000_000_000)), &["100101 2025-03-03"]);
    quiet("P109", &case(yuan(4_000_000_000) - 1));
}

#[test]
fn p110_one_payee() {
    let case = |bills: usize, share: i64, related: bool, first_on: &str| {
        let mut market = Market::new();
        if related {
            market.register(2, &[(Field::PhoneHash, text("phone1"))]);
        }
        market.at(first_on, "09:00").accept(&Terms { face: share, ..Terms::default() });
        market.at("2025-05-29", "09:00").accept(&Terms { payee: ent(3), face: yuan(1_000_000), ..Terms::default() });
        for _ in 0..bills - 2 {
            market.accept(&Terms { face: yuan(100_000), ..Terms::default() });
        }
        market
    };
    let exact = yuan(9_000_000) - 18 * yuan(100_000);
    holds("P110", &case(20, exact, true, "2025-03-01"), &["E0000000001 2025-05-29"]);
    quiet("P110", &case(20, exact - 1, true, "2025-03-01"));
    quiet("P110", &case(20, exact, false, "2025-03-01"));
    quiet("P110", &case(19, exact + yuan(100_000), true, "2025-03-01"));
    quiet("P110", &case(20, exact, true, "2025-02-28"));
    let mut young = Market::new();
    young.register(2, &[(Field::RegDate, Value::Date(day("2024-05-30")))]);
    young.at("2025-05-29", "09:00");
    for _ in 0..20 {
        young.accept(&Terms::default());
    }
    holds("P110", &young, &["E0000000001 2025-05-29"]);
    young.register(2, &[]);
}

#[test]
fn p111_one_counterparty() {
    let case = |with_first: i64, with_second: i64, first_on: &str| {
        let mut market = Market::new();
        for (place, (buyer, face)) in [(2, with_first), (3, with_second)].into_iter().enumerate() {
            market.at(if place == 0 { first_on } else { "2025-04-01" }, "09:00");
            let bill = market.draw(&Terms { face, ..Terms::default() });
            market.discount(bill, ent(2), bank(1), 12_000);
            market.sell(bill, bank(1), bank(buyer), 12_000, if place == 0 { "D1" } else { "D2" });
        }
        market
    };
    let found = |market: &Market| super::alerts_of(&super::judge(&market.facts, market.clock()), "P111");
    let market = case(yuan(3_000_000_000), yuan(2_000_000_000), "2025-03-03");
    assert!(found(&market).contains(&"100101 2025-04-01".to_owned()), "{:?}", found(&market));
    let expected = found(&market);
    holds("P111", &market, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    for market in [
        case(yuan(3_000_000_000) - 1, yuan(2_000_000_000), "2025-03-03"),
        case(yuan(3_000_000_000), yuan(2_000_000_000) + 1, "2025-03-03"),
        case(yuan(3_000_000_000), yuan(2_000_000_000), "2025-03-02"),
    ] {
        assert!(!found(&market).contains(&"100101 2025-04-01".to_owned()), "{:?}", found(&market));
    }
}

#[test]
fn p111_counts_the_cash_of_repo() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bill = market.draw(&Terms { face: yuan(9_000_000_000), ..Terms::default() });
    market.discount(bill, ent(2), bank(1), 12_000);
    let about = Some((bill, Range::WHOLE));
    let fields = [
        (Field::DealId, text("RP1")),
        (Field::FirstFen, int(yuan(5_000_000_000))),
        (Field::RedeemFen, int(yuan(5_000_000_000))),
        (Field::RepoDays, int(7)),
        (Field::SellerId, Value::Party(bank(1))),
        (Field::BuyerId, Value::Party(bank(2))),
    ];
    market.fact("RPO.QTE", about, bank(1), bank(2), &fields[..1]);
    market.fact("RPO.SET", about, PartyId::SYSTEM, bank(2), &fields);
    holds("P111", &market, &["100101 2025-03-03", "100102 2025-03-03"]);
    market.last().set(Field::FirstFen, int(yuan(5_000_000_000) - 1));
    quiet("P111", &market);
}

#[test]
fn p112_one_due_date_or_five_days() {
    let case = |on_one_day: i64, rest: i64, days: i32| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00").accept(&Terms { face: on_one_day, due_in: 100, ..Terms::default() });
        for number in 0..days {
            market.accept(&Terms { face: rest, due_in: 120 + number, ..Terms::default() });
        }
        market
    };
    // 8 of 100.
    holds("P112", &case(yuan(800_000_000), yuan(400_000_000), 23), &["100101 2025-03-03"]);
    quiet("P112", &case(yuan(800_000_000) - 1, yuan(400_000_000), 23));
    // Due from Tuesday to the Monday after: 25 of 100 in five business days, none above 8.
    let soon = |last: i32| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for due_in in [1, 2, 3, 4, last] {
            market.accept(&Terms { face: yuan(500_000_000), due_in, ..Terms::default() });
        }
        for number in 0..15 {
            market.accept(&Terms { face: yuan(500_000_000), due_in: 120 + number, ..Terms::default() });
        }
        market
    };
    holds("P112", &soon(7), &["100101 2025-03-03"]);
    quiet("P112", &soon(8));
}

/// A book of commercial bills of a bank: one acceptor for each face.
fn book(faces: &[i64]) -> Market {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    for (number, face) in faces.iter().enumerate() {
        let acceptor = ent(20 + number as u64);
        market.discounted(&Terms { kind: "CAB", acceptor, face: *face, ..Terms::default() }, bank(2), 12_000);
    }
    market
}

#[test]
fn p104_one_acceptor_or_few() {
    let million = yuan(1_000_000);
    let mut faces = vec![300 * million];
    faces.extend([50 * million; 14]);
    holds("P104", &book(&faces), &["100102 2025-03-03"]);
    // One fen moved, then one fen less in all.
    (faces[0], faces[1]) = (300 * million - 1, 50 * million + 1);
    quiet("P104", &book(&faces));
    (faces[0], faces[1]) = (300 * million, 50 * million - 1);
    quiet("P104", &book(&faces));
    // 4 * 0.2^2 + 2 * 0.1^2 = 0.18.
    let mut faces = vec![200 * million; 4];
    faces.extend([100 * million; 2]);
    holds("P104", &book(&faces), &["100102 2025-03-03"]);
    (faces[0], faces[4]) = (200 * million - 1, 100 * million + 1);
    quiet("P104", &book(&faces));
}

#[test]
fn p104_is_judged_on_days_of_change() {
    let mut market = book(&[yuan(1_000_000_000)]);
    market.clock_at_end_of("2025-03-10");
    holds("P104", &market, &["100102 2025-03-03"]);
    market.set_clock(day("2025-03-03").end_ms() - 2);
    quiet("P104", &market);
}

#[test]
fn p107_one_drawer_or_group_to_capital() {
    let with_capital = |capital, bills: &[(u64, i64, i64)]| {
        let mut market = Market::new();
        for number in [11, 12] {
            market.register(number, &[(Field::GroupId, Value::Party(PartyId::group(1)))]);
        }
        market.at("2025-01-31", "09:00").figure(bank(1), Field::NetCapitalFen, capital);
        market.at("2025-03-03", "09:00");
        for (drawer, face, margin) in bills {
            market.accept(&Terms { drawer: ent(*drawer), face: *face, margin: *margin, ..Terms::default() });
        }
        market
    };
    let case = |bills: &[(u64, i64, i64)]| with_capital(yuan(10_000_000), bills);
    holds("P107", &case(&[(3, yuan(2_000_000), yuan(1_000_000) - 1)]), &["100101 2025-03-03"]);
    quiet("P107", &case(&[(3, yuan(2_000_000), yuan(1_000_000))]));
    let group = |more| case(&[(11, yuan(750_000), 0), (12, yuan(750_000) + more, 0)]);
    holds("P107", &group(1), &["100101 2025-03-03"]);
    quiet("P107", &group(0));
    for nothing_left in [0, -1] {
        holds("P107", &with_capital(nothing_left, &[(3, yuan(1), 0)]), &["100101 2025-03-03"]);
    }
}

#[test]
fn p108_discounts_of_other_provinces() {
    let case = |there: i64, here: i64, buyer: u64| {
        let mut market = Market::new();
        market.register(2, &[(Field::Province, code("440000"))]);
        market.at("2025-03-03", "09:00");
        for (payee, face) in [(2, there), (3, here)] {
            market.discounted(&Terms { payee: ent(payee), face, ..Terms::default() }, bank(buyer), 12_000);
        }
        market
    };
    let half = yuan(250_000_000);
    holds("P108", &case(half, half, 4), &["100104 2025-03-03"]);
    quiet("P108", &case(half, half + 1, 4));
    quiet("P108", &case(half, half - 1, 4));
    quiet("P108", &case(half, half, 6));
}

#[test]
fn p113_one_group_among_commercial_acceptors() {
    let case = |group: i64, others: i64| {
        let mut market = Market::new();
        market.register(5, &[(Field::GroupId, Value::Party(PartyId::group(1)))]);
        market.at("2025-03-03", "09:00");
        for (acceptor, face) in [(5, group), (6, others)] {
            market.accept(&Terms { kind: "CAB", acceptor: ent(acceptor), face, ..Terms::default() });
        }
        market
    };
    let least = yuan(10_000_000_000);
    holds("P113", &case(least, 99 * least), &["G000001 2025-03-03"]);
    quiet("P113", &case(least, 99 * least + 1));
    quiet("P113", &case(least - 1, least));
}

#[test]
fn p114_few_holders_of_an_acceptor() {
    let case = |faces: &[i64]| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for (number, face) in faces.iter().enumerate() {
            let payee = ent(20 + number as u64);
            market.draw(&Terms { kind: "CAB", acceptor: ent(5), payee, face: *face, ..Terms::default() });
        }
        market
    };
    let half = yuan(50_000_000);
    holds("P114", &case(&[half, half]), &["E0000000005 2025-03-03"]);
    quiet("P114", &case(&[half, half - 1]));
    quiet("P114", &case(&[half, half, 1]));
    // Falls when a third holds.
    let mut market = case(&[half, half]);
    let bill = market.facts.iter().find_map(|fact| fact.bill_id).unwrap();
    market.at("2025-03-04", "09:00").draw(&Terms {
        kind: "CAB",
        acceptor: ent(5),
        payee: ent(30),
        face: half,
        ..Terms::default()
    });
    market.endorse(bill, ent(20), ent(31));
    holds("P114", &market, &["E0000000005 2025-03-03"]);
}

#[test]
fn p115_market_concentration_rises() {
    // Ten banks with a tenth each for six months; then five take 55 %.
    let case = |moved: i64, months: u32| {
        let mut market = Market::new();
        for month in 1..=months + 1 {
            market.on(crate::ids::Day::from_ymd(2025, month, 10).unwrap(), "09:00");
            for number in 1..=10u64 {
                let face = match (month > months, number) {
                    (false, _) => yuan(100_000),
                    (true, 1) => yuan(110_000 - moved),
                    (true, 10) => yuan(90_000 + moved),
                    (true, number) => yuan(if number <= 5 { 110_000 } else { 90_000 }),
                };
                market.accept(&Terms { acceptor: bank(number), face, ..Terms::default() });
            }
        }
        let last = market.today().add_months(1).month_start().plus(-1);
        market.set_clock(last.end_ms() - 1);
        (market, last)
    };
    let (market, last) = case(0, 6);
    holds("P115", &market, &[&format!("{} {last}", PartyId::MARKET)]);
    quiet("P115", &case(1, 6).0);
    quiet("P115", &case(0, 5).0);
}

#[test]
fn p194_platform_grows_on_commercial_bills() {
    let case = |flag: &str, revenue: i64, second: i64, on: &str| {
        let mut market = Market::new();
        market.register(5, &[(Field::SpecialFlags, Value::Codes([crate::ids::Code::parse(flag).unwrap()].into()))]);
        market.at("2025-01-31", "09:00").figure(ent(5), Field::Revenue12mFen, revenue);
        let terms = |face| Terms { kind: "CAB", acceptor: ent(5), face, due_in: 400, ..Terms::default() };
        market.at("2025-03-03", "09:00").accept(&terms(yuan(1_000_000)));
        market.at(on, "09:00").accept(&terms(second));
        market
    };
    let (three, half) = (yuan(3_000_000), yuan(500_000));
    holds("P194", &case("LGFV", three, half, "2026-03-03"), &["E0000000005 2026-03-03"]);
    holds("P194", &case("REALEST", three, half, "2026-03-03"), &["E0000000005 2026-03-03"]);
    quiet("P194", &case("LGFV", three + 1, half, "2026-03-03"));
    quiet("P194", &case("LGFV", three, half - 1, "2026-03-03"));
    quiet("P194", &case("CSOE", three, half, "2026-03-03"));
    quiet("P194", &case("LGFV", three, half, "2026-03-02"));
}
