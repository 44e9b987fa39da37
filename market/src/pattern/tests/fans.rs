//! graph-fan and graph-chain rules on windows of a party, and on packages.

use super::{
    holds,
    market::{Market, Terms, bank, code, ent, int, range, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range},
    ids::{BillId, PartyId},
};

/// Bills of one million CNY from so many endorsers to enterprise 70.
fn collected(market: &mut Market, endorsers: u64) -> Vec<BillId> {
    let mut bills = Vec::new();
    for number in 0..endorsers {
        let bill = market.draw(&Terms { payee: ent(3 + number), ..Terms::default() });
        market.endorse(bill, ent(3 + number), ent(70));
        bills.push(bill);
    }
    bills
}

#[test]
fn p090_collected_then_discounted() {
    let case = |endorsers: u64, discounted: usize, late: usize| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bills = collected(&mut market, endorsers);
        for (place, bill) in bills.into_iter().take(discounted).enumerate() {
            // The first half three days later, to the minute or an hour more.
            market.at("2025-03-06", if place < late { "11:00" } else { "09:30" });
            market.discount(bill, ent(70), bank(2), 12_000);
        }
        market.at("2025-03-06", "12:00");
        market
    };
    holds("P090", &case(30, 24, 0), &["E0000000070 2025-03-06"]);
    holds("P090", &case(30, 24, 11), &["E0000000070 2025-03-06"]);
    quiet("P090", &case(30, 24, 13));
    quiet("P090", &case(30, 23, 0));
    quiet("P090", &case(29, 24, 0));
}

#[test]
fn p092_relay_on_one_day() {
    let case = |face: i64, rate: i64, kept: i64, on: &str| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.discounted(&Terms { face, ..Terms::default() }, bank(2), 12_000);
        market.sell(bill, bank(2), bank(3), 12_000, "D1");
        if kept > 0 {
            let rest = market.discounted(&Terms { face: kept, ..Terms::default() }, bank(2), 12_000);
            market.sell(rest, bank(2), bank(3), 12_000, "D2");
        }
        market.at(on, "15:00").sell(bill, bank(3), bank(4), rate, "D3");
        market
    };
    let (least, kept) = (yuan(500_000_000), yuan(25_000_000));
    holds("P092", &case(least, 12_300, kept, "2025-03-03"), &["100103 2025-03-03"]);
    holds("P092", &case(least, 11_700, 0, "2025-03-03"), &["100103 2025-03-03"]);
    quiet("P092", &case(least, 12_301, 0, "2025-03-03"));
    quiet("P092", &case(least, 12_300, kept + 1, "2025-03-03"));
    quiet("P092", &case(least - 1, 12_300, 0, "2025-03-03"));
    quiet("P092", &case(least, 12_300, 0, "2025-03-04"));
}

#[test]
fn p094_broker_hub() {
    let case = |takers: u64, out: &str, own: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        if own > 0 {
            market.accept(&Terms { drawer: ent(70), face: own, ..Terms::default() });
        }
        for (number, bill) in collected(&mut market, 20).into_iter().enumerate() {
            market.at("2025-03-05", out);
            market.endorse(bill, ent(70), ent(30 + (number as u64).min(takers - 1)));
        }
        market
    };
    holds("P094", &case(20, "09:59", yuan(1_000_000)), &["E0000000070 2025-03-05"]);
    quiet("P094", &case(20, "09:59", yuan(1_000_000) + 1));
    quiet("P094", &case(19, "09:59", 0));
    quiet("P094", &case(20, "10:59", 0));
}

#[test]
fn p096_a_repo_on_a_repo() {
    let case = |redeemed: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.discounted(&Terms::default(), bank(2), 12_000);
        market.repo(bill, bank(2), bank(3), &[]);
        if redeemed {
            market.fact("RPO.RED", Some((bill, Range::WHOLE)), PartyId::SYSTEM, bank(2), &[]);
        }
        market.repo(bill, bank(2), bank(4), &[]);
        (market, bill)
    };
    let (market, bill) = case(false);
    holds("P096", &market, &[&format!("{bill} 2025-03-03")]);
    quiet("P096", &case(true).0);
}

#[test]
fn p097_who_holds_bills_of_a_failing_acceptor() {
    let case = |held: i64, net_assets: i64, refusals: usize| {
        let mut market = Market::new();
        market.at("2025-01-31", "09:00").figure(ent(7), Field::NetAssetsFen, net_assets);
        let terms = |face, payee, due_in| Terms {
            kind: "CAB",
            acceptor: ent(5),
            payee: ent(payee),
            face,
            due_in,
            ..Terms::default()
        };
        market.at("2025-03-01", "09:00").draw(&terms(held, 7, 180));
        let bills: Vec<BillId> = (0..refusals).map(|_| market.draw(&terms(yuan(10_000), 2, 30))).collect();
        market.at("2025-03-31", "09:00");
        for bill in bills {
            market.present(bill, ent(2), ent(5));
            market.refuse(bill, ent(2), ent(5), "DC08");
        }
        market
    };
    let expected = "E0000000005,E0000000007 2025-03-31";
    holds("P097", &case(yuan(50_000_000) + 1, yuan(10_000_000_000), 3), &[expected]);
    quiet("P097", &case(yuan(50_000_000), yuan(10_000_000_000), 3));
    quiet("P097", &case(yuan(50_000_000) + 1, yuan(10_000_000_000), 2));
    holds("P097", &case(yuan(2_000_000) + 1, yuan(10_000_000), 3), &[expected]);
    quiet("P097", &case(yuan(2_000_000), yuan(10_000_000), 3));
}

/// A bill that its drawer has guaranteed before it is accepted.
pub(super) fn guarantee(market: &mut Market, drawer: u64, guarantor: u64, face: i64) {
    let terms = Terms { drawer: ent(drawer), face, ..Terms::default() };
    let bill = market.register_bill(&terms);
    let about = Some((bill, Range::WHOLE));
    market.fact("GUD.REQ", about, terms.drawer, ent(guarantor), &[(Field::GuaranteeFen, int(face))]);
    market.fact("GUD.SGN", about, ent(guarantor), terms.drawer, &[(Field::GuaranteeFen, int(face))]);
    market.fact("ACC.REQ", about, terms.drawer, terms.acceptor, &[]);
    market.fact("ACC.SGN", about, terms.acceptor, terms.drawer, &[]);
}

#[test]
fn p099_star_guarantor() {
    let case = |debtors: u64, more: i64| {
        let mut market = Market::new();
        market.at("2025-01-31", "09:00").figure(ent(60), Field::NetAssetsFen, yuan(10_000_000));
        market.at("2025-03-03", "09:00");
        for number in 0..debtors {
            let face = yuan(10_000_000 / debtors as i64) + if number == 0 { more } else { 0 };
            guarantee(&mut market, 10 + number, 60, face);
        }
        market
    };
    holds("P099", &case(10, 1), &["E0000000060 2025-03-03"]);
    quiet("P099", &case(10, 0));
    quiet("P099", &case(9, 100));
}

#[test]
fn p101_parts_to_many_in_one_day() {
    let case = |takers: u64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { divisible: true, ..Terms::default() });
        for number in 0..100u64 {
            let part = range(1 + number * 1_000, (number + 1) * 1_000);
            market.endorse_part(bill, part, ent(2), ent(200 + number.min(takers - 1)));
        }
        (market, bill)
    };
    let (market, bill) = case(100);
    holds("P101", &market, &[&format!("{bill} 2025-03-03")]);
    quiet("P101", &case(99).0);
}

#[test]
fn p102_village_bank_as_a_channel() {
    let case = |face: i64, sold_at: &str, province: &str, kind: &str| {
        let mut market = Market::new();
        market.register(2, &[(Field::Province, code(province))]);
        market.bank(4, kind, &[]);
        market.at("2025-01-31", "09:00").figure(bank(4), Field::NetCapitalFen, yuan(1_000_000));
        market.at("2025-03-03", "09:00");
        let bill = market.discounted(&Terms { face, ..Terms::default() }, bank(4), 12_000);
        market.at("2025-03-05", sold_at).sell(bill, bank(4), bank(6), 12_000, "D1");
        market
    };
    let five = yuan(5_000_000);
    holds("P102", &case(five, "09:59", "440000", "206"), &["100104 2025-03-05"]);
    quiet("P102", &case(five - 1, "09:59", "440000", "206"));
    quiet("P102", &case(five, "10:59", "440000", "206"));
    quiet("P102", &case(five, "09:59", "330000", "206"));
    quiet("P102", &case(five, "09:59", "440000", "205"));
}
