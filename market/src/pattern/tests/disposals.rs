//! lifecycle-sequence: disposals that must not be, acts of wrong parties, guarantees before the acceptance.

use super::{
    holds,
    market::{Market, Terms, bank, code, day, ent, int, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::{BillId, PartyId},
};

#[test]
fn p014_the_same_range_given_away_twice() {
    let case = |second: PartyId, returned: bool| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        market.endorse(bill, ent(2), ent(3));
        if returned {
            market.endorse(bill, ent(3), ent(2));
        }
        market.fact("END.SGN", Some((bill, Range::WHOLE)), ent(4), second, &[]);
        (market, bill)
    };
    let (market, bill) = case(ent(2), false);
    holds("P014", &market, &[&format!("{bill} 2025-03-01")]);
    quiet("P014", &case(ent(3), false).0);
    quiet("P014", &case(ent(2), true).0);
}

#[test]
fn p014_a_pledged_lot_given_away() {
    let case = |released: bool| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        let about = Some((bill, Range::WHOLE));
        market.fact("PLG.REQ", about, ent(2), bank(3), &[]);
        market.fact("PLG.SGN", about, bank(3), ent(2), &[]);
        if released {
            market.fact("PLR.REQ", about, bank(3), ent(2), &[]);
            market.fact("PLR.SGN", about, ent(2), bank(3), &[]);
        }
        market.fact("END.SGN", about, ent(4), ent(2), &[]);
        (market, bill)
    };
    let (market, bill) = case(false);
    holds("P014", &market, &[&format!("{bill} 2025-03-01")]);
    quiet("P014", &case(true).0);
}

/// Bank 2 has lent a discounted bill out to bank 3 on pledged repo.
fn on_repo() -> (Market, BillId) {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bill = market.draw(&Terms::default());
    market.discount(bill, ent(2), bank(2), 12_000);
    let about = Some((bill, Range::WHOLE));
    let fields = [
        (Field::DealId, text("R1")),
        (Field::SellerId, Value::Party(bank(2))),
        (Field::BuyerId, Value::Party(bank(3))),
        (Field::FirstFen, int(yuan(900_000))),
        (Field::RedeemFen, int(yuan(900_100))),
        (Field::RedeemDate, Value::Date(day("2025-03-10"))),
    ];
    market.fact("RPO.QTE", about, bank(2), bank(3), &fields);
    market.fact("RPO.QAC", about, bank(3), bank(2), &fields);
    market.fact("RPO.DEL", about, PartyId::SYSTEM, bank(3), &fields);
    market.fact("RPO.SET", about, PartyId::SYSTEM, bank(3), &fields);
    (market, bill)
}

#[test]
fn p018_collateral_sold_before_redemption() {
    let sale = |market: &mut Market, bill, seller| {
        let fields = [
            (Field::DealId, text("S1")),
            (Field::SellerId, Value::Party(seller)),
            (Field::BuyerId, Value::Party(bank(4))),
        ];
        market.fact("IBT.SET", Some((bill, Range::WHOLE)), PartyId::SYSTEM, bank(4), &fields);
    };
    let (mut market, bill) = on_repo();
    sale(&mut market, bill, bank(2));
    holds("P018", &market, &[&format!("{bill} 2025-03-03")]);
    let (mut market, bill) = on_repo();
    sale(&mut market, bill, bank(3));
    quiet("P018", &market);
    let (mut market, bill) = on_repo();
    let redeemed = [
        (Field::DealId, text("R1")),
        (Field::SellerId, Value::Party(bank(2))),
        (Field::BuyerId, Value::Party(bank(3))),
    ];
    market.fact("RPO.RED", Some((bill, Range::WHOLE)), PartyId::SYSTEM, bank(2), &redeemed);
    sale(&mut market, bill, bank(2));
    quiet("P018", &market);
}

#[test]
fn p198_an_act_of_a_wrong_party() {
    let case = |sender| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        market.fact("END.REQ", Some((bill, Range::WHOLE)), sender, ent(4), &[]);
        (market, bill)
    };
    let (market, bill) = case(ent(3));
    holds("P198", &market, &[&format!("{bill} 2025-03-01")]);
    quiet("P198", &case(ent(2)).0);
}

#[test]
fn p198_leaves_p012_and_p014_to_themselves() {
    let mut market = Market::new();
    market.at("2025-03-01", "09:00");
    let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
    let about = Some((bill, Range::WHOLE));
    market.fact("PLG.REQ", about, ent(2), bank(3), &[]);
    market.fact("PLG.SGN", about, bank(3), ent(2), &[]);
    market.at("2025-03-31", "00:00").fact("PAY.MAT", about, PartyId::SYSTEM, ent(2), &[]);
    market.fact("PAY.REQ", about, ent(2), bank(1), &[]);
    quiet("P198", &market);
    holds("P012", &market, &[&format!("{bill} 2025-03-31")]);
}

#[test]
fn p199_a_guarantee_and_no_acceptance() {
    let case = |accepted_at: i64| {
        let mut market = Market::new();
        // A Friday.
        market.at("2025-03-07", "09:00");
        let terms = Terms::default();
        let bill = market.register_bill(&terms);
        let about = Some((bill, Range::WHOLE));
        market.fact("GUD.REQ", about, ent(1), ent(7), &[]);
        market.fact("GUD.SGN", about, ent(7), ent(1), &[]);
        market.fact("ACC.REQ", about, ent(1), bank(1), &[]);
        market.instant(accepted_at).fact("ACC.SGN", about, bank(1), ent(1), &[]);
        (market, bill)
    };
    let end = day("2025-03-10").end_ms();
    let (market, bill) = case(end);
    holds("P199", &market, &[&format!("{bill} 2025-03-10")]);
    quiet("P199", &case(end - 1).0);
}

#[test]
fn p200_guarantees_asked_of_several() {
    let case = |other, on: &str| {
        let mut market = Market::new();
        for (date, party) in [("2025-03-01", ent(7)), ("2025-03-02", ent(9)), (on, other)] {
            market.at(date, "09:00");
            let bill = market.register_bill(&Terms::default());
            market.fact("GUD.REQ", Some((bill, Range::WHOLE)), ent(1), party, &[]);
        }
        market
    };
    holds("P200", &case(ent(8), "2025-03-30"), &["E0000000001 2025-03-30"]);
    quiet("P200", &case(ent(8), "2025-03-31"));
    quiet("P200", &case(ent(7), "2025-03-30"));
}

#[test]
fn p201_first_acceptances_by_an_agent() {
    // Four on the first day, the fifth on another, maybe by the bank itself, maybe for a drawer whom it knows.
    let case = |on: &str, agent: bool, known: bool| {
        let mut market = Market::new();
        let mut accept = |date: &str, drawer: u64, agent: bool| {
            market.at(date, "09:00");
            let bill = market.register_bill(&Terms { drawer: ent(drawer), ..Terms::default() });
            let about = Some((bill, Range::WHOLE));
            market.fact("ACC.REQ", about, ent(drawer), bank(1), &[]);
            let signed = [(Field::SignatureAgent, code("PS00"))];
            market.fact("ACC.SGN", about, bank(1), ent(drawer), if agent { &signed } else { &[] });
        };
        if known {
            accept("2025-02-24", 25, false);
        }
        (21..25).for_each(|drawer| accept("2025-03-03", drawer, true));
        accept(on, 25, agent);
        market
    };
    holds("P201", &case("2025-03-09", true, false), &["100101 2025-03-09"]);
    quiet("P201", &case("2025-03-10", true, false));
    quiet("P201", &case("2025-03-09", false, false));
    quiet("P201", &case("2025-03-09", true, true));
}
