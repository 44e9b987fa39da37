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
    let mut faces = vec![yuan(15_000_000)];
    faces.extend(rest(17, yuan(5_000_000)));
    holds("P106", &accepted(&faces), &["100101 2025-03-03"]);
    faces[0] -= 1;
    // Ten largest: 60 of 100.
    holds("P106", &accepted(&faces), &["100101 2025-03-03"]);
    // Twenty equal: the ten largest are half.
    holds("P106", &accepted(&rest(20, yuan(100_000))), &["100101 2025-03-03"]);
    let mut faces = rest(20, yuan(100_000));
    faces.push(1);
    quiet("P106", &accepted(&faces));
    holds("P106", &accepted(&[yuan(1_000_000)]), &["100101 2025-03-03"]);
    quiet("P106", &accepted(&[yuan(1_000_000) - 1]));
}

#[test]
fn p106_falls_when_the_bill_is_paid() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bill = market.draw(&Terms { due_in: 10, ..Terms::default() });
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
            market.accept(&Terms { drawer: ent(number), face: yuan(10_000_000), ..Terms::default() });
        }
        market
    };
    // 40 of 100 in division 17.
    holds("P109", &case(yuan(40_000_000)), &["100101 2025-03-03"]);
    quiet("P109", &case(yuan(40_000_000) - 1));
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
    holds("P112", &case(yuan(8_000_000), yuan(4_000_000), 23), &["100101 2025-03-03"]);
    quiet("P112", &case(yuan(8_000_000) - 1, yuan(4_000_000), 23));
    // Due from Tuesday to the Monday after: 25 of 100 in five business days, none above 8.
    let soon = |last: i32| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for due_in in [1, 2, 3, 4, last] {
            market.accept(&Terms { face: yuan(5_000_000), due_in, ..Terms::default() });
        }
        for number in 0..15 {
            market.accept(&Terms { face: yuan(5_000_000), due_in: 120 + number, ..Terms::default() });
        }
        market
    };
    holds("P112", &soon(7), &["100101 2025-03-03"]);
    quiet("P112", &soon(8));
}
