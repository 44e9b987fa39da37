//! lifecycle-sequence: what an acceptor, a discounter or a presenter should not have done.

use super::{
    holds,
    market::{Market, Terms, bank, day, ent, int, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::{InstId, PartyId},
};

/// A notice about an acceptor.
fn notice(market: &mut Market, behaviour: &str, acceptor: PartyId) {
    market.fact(behaviour, None, PartyId::SYSTEM, acceptor, &[(Field::AcceptorId, Value::Party(acceptor))]);
}

#[test]
fn p002_self_drawn_self_accepted_self_discounted() {
    let case = |payee_group: u64, kind, applicant| {
        let mut market = Market::new();
        let group = |number| [(Field::GroupId, Value::Party(PartyId::group(number)))];
        market.register(1, &group(1));
        market.register(2, &group(payee_group));
        market.at("2025-03-03", "09:00");
        let acceptor = if kind == "CAB" { ent(1) } else { bank(1) };
        let bill = market.draw(&Terms { kind, acceptor, ..Terms::default() });
        if applicant != ent(2) {
            market.endorse(bill, ent(2), applicant);
        }
        market.discount(bill, applicant, bank(2), 12_000);
        market
    };
    holds("P002", &case(1, "CAB", ent(2)), &["E0000000001 2025-03-03"]);
    quiet("P002", &case(2, "CAB", ent(2)));
    quiet("P002", &case(1, "BAB", ent(2)));
    quiet("P002", &case(1, "CAB", ent(3)));
}

#[test]
fn p005_acceptance_after_own_default() {
    let case = |paid: bool, again: &str, reason: &str| {
        let mut market = Market::new();
        let terms = Terms { kind: "CAB", acceptor: ent(5), due_in: 30, ..Terms::default() };
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&terms);
        market.at("2025-03-31", "09:00").present(bill, ent(2), ent(5));
        market.refuse(bill, ent(2), ent(5), reason);
        if paid {
            market.at("2025-04-01", "09:00").fact("PAY.REQ", Some((bill, Range::WHOLE)), ent(2), ent(5), &[]);
            market.pay(bill, ent(2), ent(5));
        }
        market.at(again, "15:00").accept(&terms);
        market
    };
    holds("P005", &case(false, "2025-04-01", "DC08"), &["E0000000005 2025-04-01"]);
    quiet("P005", &case(false, "2025-03-31", "DC08"));
    quiet("P005", &case(false, "2025-04-01", "DC06"));
    quiet("P005", &case(true, "2025-04-02", "DC08"));
}

#[test]
fn p006_acceptance_while_suspended() {
    let case = |restored: bool| {
        let mut market = Market::new();
        market.at("2025-02-03", "09:00");
        notice(&mut market, "DIS.SUS", ent(5));
        if restored {
            market.at("2025-03-03", "08:59");
            notice(&mut market, "DIS.RST", ent(5));
        }
        market.at("2025-03-03", "09:00").accept(&Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() });
        market
    };
    holds("P006", &case(false), &["E0000000005 2025-03-03"]);
    quiet("P006", &case(true));
}

#[test]
fn p007_discount_of_a_persistently_overdue_acceptor() {
    let case = |discounted: &str, restored: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        notice(&mut market, "DIS.PSL", ent(5));
        if restored {
            market.at("2025-05-03", "09:00");
            notice(&mut market, "DIS.RST", ent(5));
        }
        market.at(discounted, "09:00");
        let bill = market.draw(&Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() });
        market.discount(bill, ent(2), bank(2), 12_000);
        market
    };
    // 729 days later, and 730.
    holds("P007", &case("2027-03-02", false), &["100102 2027-03-02"]);
    quiet("P007", &case("2027-03-03", false));
    quiet("P007", &case("2027-03-02", true));
}

#[test]
fn p007_pledge_and_guarantee() {
    let case = |pledgee| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        notice(&mut market, "DIS.PSL", ent(5));
        let bill = market.draw(&Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() });
        let about = Some((bill, Range::WHOLE));
        market.fact("PLG.REQ", about, ent(2), pledgee, &[]);
        market.fact("PLG.SGN", about, pledgee, ent(2), &[]);
        market
    };
    holds("P007", &case(bank(3)), &["100103 2025-03-03"]);
    quiet("P007", &case(ent(7)));
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    notice(&mut market, "DIS.PSL", ent(5));
    let bill = market.draw(&Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() });
    let about = Some((bill, Range::WHOLE));
    market.fact("GUE.REQ", about, ent(2), bank(4), &[]);
    market.fact("GUE.SGN", about, bank(4), ent(2), &[]);
    holds("P007", &market, &["100104 2025-03-03"]);
}

#[test]
fn p008_discount_without_matching_disclosure() {
    let case = |disclosed: Option<i64>, kind| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let acceptor = if kind == "CAB" { ent(5) } else { bank(1) };
        let bill = market.draw(&Terms { kind, acceptor, ..Terms::default() });
        if let Some(face) = disclosed {
            let fields = [
                (Field::FaceFen, int(face)),
                (Field::DueDate, Value::Date(day("2025-03-03").plus(180))),
                (Field::AcceptorId, Value::Party(acceptor)),
            ];
            market.fact("DIS.BIL", Some((bill, Range::WHOLE)), acceptor, PartyId::SYSTEM, &fields);
        }
        market.at("2025-03-05", "09:00").discount(bill, ent(2), bank(2), 12_000);
        market
    };
    holds("P008", &case(None, "CAB"), &["100102 2025-03-05"]);
    holds("P008", &case(Some(yuan(1_000_000) - 1), "CAB"), &["100102 2025-03-05"]);
    quiet("P008", &case(Some(yuan(1_000_000)), "CAB"));
    quiet("P008", &case(None, "BAB"));
}

#[test]
fn p016_endorsed_and_discounted_on_one_day() {
    let case = |bills: usize, last: &str, endorsed: &str| {
        let mut market = Market::new();
        for place in 0..bills {
            let (received, sold) = if place == 0 { (endorsed, last) } else { ("2025-03-03", "2025-03-03") };
            market.at(received, "09:00");
            market.instant(market.now() + place as i64 * 60_000);
            let bill = market.draw(&Terms::default());
            market.endorse(bill, ent(2), ent(3));
            if received != sold {
                market.at(sold, "09:00");
            }
            market.discount(bill, ent(3), bank(2), 12_000);
        }
        market
    };
    holds("P016", &case(5, "2025-04-01", "2025-04-01"), &["E0000000003 2025-04-01"]);
    quiet("P016", &case(4, "2025-04-01", "2025-04-01"));
    quiet("P016", &case(5, "2025-04-02", "2025-04-02"));
    quiet("P016", &case(5, "2025-04-01", "2025-03-31"));
}

#[test]
fn p020_early_presentation_again_and_again() {
    let case = |times: usize| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        let about = Some((bill, Range::WHOLE));
        for _ in 0..times {
            market.fact("PAY.ERQ", about, ent(2), bank(1), &[]);
            market.fact("PAY.ERJ", about, bank(1), ent(2), &[]);
        }
        market
    };
    holds("P020", &case(3), &["E0000000002 2025-03-03"]);
    quiet("P020", &case(2));
}

#[test]
fn p189_parked_over_the_end_of_a_quarter() {
    let case = |sold: &str, back: &str, face: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { face, ..Terms::default() });
        market.discount(bill, ent(2), bank(2), 12_000);
        let about = Some((bill, Range::WHOLE));
        let fields = [
            (Field::DealId, super::market::text("B1")),
            (Field::SellerId, Value::Party(bank(2))),
            (Field::SellerInst, Value::Inst(InstId(100_102_001))),
            (Field::BuyerId, Value::Party(bank(3))),
            (Field::FirstFen, int(face - 1)),
            (Field::RedeemFen, int(face)),
            (Field::RedeemDate, Value::Date(day(back))),
        ];
        market.at(sold, "09:00");
        market.fact("BRP.QTE", about, bank(2), bank(3), &fields);
        market.fact("BRP.QAC", about, bank(3), bank(2), &fields);
        market.fact("BRP.DEL", about, PartyId::SYSTEM, bank(3), &fields);
        market.fact("BRP.SET", about, PartyId::SYSTEM, bank(3), &fields);
        market
    };
    let most = yuan(500_000_000);
    // Last five business days of March: from the 25th. First ten of April, with the holiday of the 4th: up to the 15th.
    holds("P189", &case("2025-03-25", "2025-04-15", most), &["100102 2025-03-25"]);
    quiet("P189", &case("2025-03-24", "2025-04-15", most));
    quiet("P189", &case("2025-03-25", "2025-04-16", most));
    quiet("P189", &case("2025-03-25", "2025-03-31", most));
    quiet("P189", &case("2025-03-25", "2025-04-15", most - 1));
}
