//! graph-fan and graph-chain.

use super::{
    holds,
    market::{Market, Terms, bank, code, day, ent, int, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::PartyId,
};

#[test]
fn p091_fan_out_to_young_payees() {
    let case = |payees: u64, young: u64, registered: &str, first_on: &str| {
        let mut market = Market::new();
        for number in 0..young {
            market.register(10 + number, &[(Field::RegDate, Value::Date(day(registered)))]);
        }
        for number in 0..payees {
            market.at(if number == payees - 1 { first_on } else { "2025-06-30" }, "09:00");
            market.accept(&Terms { payee: ent(10 + number), ..Terms::default() });
        }
        market.at("2025-06-30", "10:00");
        market
    };
    // Younger than 365 days on 30 June 2025: registered after 30 June 2024.
    holds("P091", &case(10, 5, "2024-07-01", "2025-06-01"), &["E0000000001 2025-06-30"]);
    quiet("P091", &case(10, 5, "2024-06-30", "2025-06-01"));
    quiet("P091", &case(10, 4, "2024-07-01", "2025-06-01"));
    quiet("P091", &case(9, 5, "2024-07-01", "2025-06-01"));
    quiet("P091", &case(10, 5, "2024-07-01", "2025-05-31"));
}

#[test]
fn p093_many_banks_in_one_day() {
    let case = |last_on: &str| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(1), 12_000);
        market.sell(bill, bank(1), bank(2), 12_000, "D1");
        market.sell(bill, bank(2), bank(3), 12_100, "D2");
        market.sell(bill, bank(3), bank(4), 12_200, "D3");
        market.at(last_on, "10:00").sell(bill, bank(4), bank(6), 12_300, "D4");
        (market, bill)
    };
    let (market, bill) = case("2025-03-03");
    holds("P093", &market, &[&format!("{bill} 2025-03-03")]);
    quiet("P093", &case("2025-03-04").0);
}

#[test]
fn p095_deep_recourse_chain() {
    let case = |depth: usize| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { due_in: 30, kind: "CAB", acceptor: ent(9), ..Terms::default() });
        for hop in 2..6 {
            market.endorse(bill, ent(hop), ent(hop + 1));
        }
        market.at("2025-03-31", "09:00").present(bill, ent(6), ent(9));
        market.refuse(bill, ent(6), ent(9), "DC08");
        let about = Some((bill, Range::WHOLE));
        for step in 0..depth as u64 {
            let (creditor, debtor) = (ent(6 - step), ent(5 - step));
            let notice = if step == 0 { "RCS.NTC" } else { "RCS.RRN" };
            market.fact(notice, about, creditor, debtor, &[(Field::ClaimFen, int(1))]);
            market.fact("RCS.AGR", about, debtor, creditor, &[(Field::ClaimFen, int(1))]);
            market.fact("RCS.AGS", about, creditor, debtor, &[(Field::ClaimFen, int(1))]);
            market.fact(
                "RCS.SET",
                about,
                PartyId::SYSTEM,
                creditor,
                &[
                    (Field::CreditorId, Value::Party(creditor)),
                    (Field::DebtorId, Value::Party(debtor)),
                    (Field::PaidFen, int(1)),
                ],
            );
        }
        (market, bill)
    };
    let (market, bill) = case(3);
    holds("P095", &market, &[&format!("{bill} 2025-03-31")]);
    quiet("P095", &case(2).0);
}

#[test]
fn p098_chain_of_shells() {
    let case = |registered: &str, third: &[(Field, Value)]| {
        let mut market = Market::new();
        let young = [(Field::RegDate, Value::Date(day(registered)))];
        market.register(2, &young);
        market.register(3, &[(Field::PaidCapitalFen, int(0))]);
        market.register(4, third);
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        market.endorse(bill, ent(2), ent(3));
        market.endorse(bill, ent(3), ent(4));
        (market, bill)
    };
    let few = [(Field::Employees, int(3))];
    let (market, bill) = case("2024-03-01", &few);
    holds("P098", &market, &[&format!("{bill} 2025-03-01")]);
    quiet("P098", &case("2024-02-29", &few).0);
    quiet("P098", &case("2024-03-01", &[(Field::Employees, int(4))]).0);
}

#[test]
fn p100_cross_province_chain() {
    let case = |received_on: &str, provinces: u64| {
        let mut market = Market::new();
        let names = ["110000", "120000", "130000", "140000", "150000", "210000"];
        for number in 0..provinces {
            market.register(2 + number, &[(Field::Province, code(names[number as usize]))]);
        }
        market.at(received_on, "09:00");
        let bill = market.draw(&Terms::default());
        market.at("2025-03-10", "09:00");
        for hop in 2..7 {
            market.endorse(bill, ent(hop), ent(hop + 1));
        }
        (market, bill)
    };
    let (market, bill) = case("2025-03-04", 6);
    holds("P100", &market, &[&format!("{bill} 2025-03-10")]);
    quiet("P100", &case("2025-03-03", 6).0);
    // The last one shares the province of everybody else, which is a sixth; so take two away.
    quiet("P100", &case("2025-03-04", 4).0);
}

#[test]
fn p103_against_the_direction_of_trade() {
    let case = |hops: u64| {
        let mut market = Market::new();
        for number in 2..=5 {
            // Neither buys from the other.
            let section = if number % 2 == 0 { "A" } else { "T" };
            market.register(number, &[(Field::IndustrySection, code(section))]);
        }
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { face: yuan(5), ..Terms::default() });
        for hop in 0..hops {
            market.endorse(bill, ent(2 + hop), ent(3 + hop));
        }
        (market, bill)
    };
    let (market, bill) = case(3);
    holds("P103", &market, &[&format!("{bill} 2025-03-01")]);
    quiet("P103", &case(2).0);
}
