//! lifecycle-sequence.

use super::{
    holds,
    market::{Market, Terms, bank, code, day, ent, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::PartyId,
};

#[test]
fn p001_same_day_issue_accept_receive_discount() {
    let case = |face, discount_on: &str| {
        let mut market = Market::new();
        market.at("2025-03-10", "09:00");
        let bill = market.draw(&Terms { face, ..Terms::default() });
        market.at(discount_on, "15:00").discount(bill, ent(2), bank(2), 12_000);
        (market, bill)
    };
    let (market, bill) = case(yuan(1_000_000), "2025-03-10");
    holds("P001", &market, &[&format!("{bill} 2025-03-10")]);
    quiet("P001", &case(yuan(1_000_000) - 1, "2025-03-10").0);
    quiet("P001", &case(yuan(1_000_000), "2025-03-11").0);
}

#[test]
fn p003_back_to_the_drawer() {
    let case = |endorsed_on: &str, to| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        market.at(endorsed_on, "09:00").endorse(bill, ent(2), to);
        (market, bill)
    };
    let (market, bill) = case("2025-03-31", ent(1));
    holds("P003", &market, &[&format!("{bill} 2025-03-31")]);
    quiet("P003", &case("2025-04-01", ent(1)).0);
    quiet("P003", &case("2025-03-31", ent(3)).0);
}

#[test]
fn p004_drawer_discounts_its_own_bill() {
    let case = |kind, acceptor, drawer, payee| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { kind, acceptor, drawer, payee, ..Terms::default() });
        market.discount(bill, payee, bank(2), 12_000);
        market
    };
    holds("P004", &case("BAB", bank(1), ent(2), ent(2)), &["E0000000002 2025-03-01"]);
    holds("P004", &case("CAB", ent(2), ent(1), ent(2)), &["E0000000002 2025-03-01"]);
    quiet("P004", &case("CAB", ent(3), ent(1), ent(2)));
}

#[test]
fn p009_endorsement_against_the_mark() {
    let case = |mark: &str| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        let about = Some((bill, Range::WHOLE));
        market.fact("END.REQ", about, ent(2), ent(3), &[(Field::Transferable, code(mark))]);
        market.fact("END.SGN", about, ent(3), ent(2), &[]);
        market.at("2025-03-02", "09:00");
        market.fact("END.REQ", about, ent(3), ent(4), &[]);
        (market, bill)
    };
    let (market, bill) = case("EM01");
    holds("P009", &market, &[&format!("{bill} 2025-03-02")]);
    quiet("P009", &case("EM00").0);
}

#[test]
fn p010_endorsement_after_due_date() {
    let case = |days| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
        market.on(day("2025-03-01").plus(days), "09:00").endorse(bill, ent(2), ent(3));
        (market, bill)
    };
    let (market, bill) = case(31);
    holds("P010", &market, &[&format!("{bill} 2025-04-01")]);
    quiet("P010", &case(30).0);
}

#[test]
fn p011_illegal_transition_and_answer_without_request() {
    let mut market = Market::new();
    market.at("2025-03-01", "09:00");
    let bill = market.draw(&Terms::default());
    quiet("P011", &market);
    market.fact("END.SGN", Some((bill, Range::WHOLE)), ent(3), ent(2), &[]);
    holds("P011", &market, &[&format!("{bill} 2025-03-01")]);
}

#[test]
fn p012_disposal_while_pledged() {
    let case = |presenter| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
        let about = Some((bill, Range::WHOLE));
        market.fact("PLG.REQ", about, ent(2), bank(3), &[]);
        market.fact("PLG.SGN", about, bank(3), ent(2), &[]);
        market.at("2025-03-31", "00:00").fact("PAY.MAT", about, PartyId::SYSTEM, ent(2), &[]);
        market.fact("PAY.REQ", about, presenter, bank(1), &[]);
        (market, bill)
    };
    let (market, bill) = case(ent(2));
    holds("P012", &market, &[&format!("{bill} 2025-03-31")]);
    quiet("P012", &case(bank(3)).0);
}

#[test]
fn p013_activity_on_a_frozen_bill() {
    let case = |frozen: bool| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        let about = Some((bill, Range::WHOLE));
        market.fact("END.REQ", about, ent(2), ent(3), &[]);
        let freeze = market.fact("LSF.FRZ", about, PartyId::court(1), ent(2), &[(Field::CaseNo, text("1"))]);
        market.fact("END.SGN", about, ent(3), ent(2), &[]);
        if !frozen {
            market.revoke(freeze);
        }
        (market, bill)
    };
    let (market, bill) = case(true);
    holds("P013", &market, &[&format!("{bill} 2025-03-01")]);
    quiet("P013", &case(false).0);
}

#[test]
fn p015_tenor_over_the_limit() {
    let case = |issued: &str, due: &str| {
        let mut market = Market::new();
        market.at(issued, "09:00");
        let due_in = day(due).0 - day(issued).0;
        let bill = market.accept(&Terms { due_in, ..Terms::default() });
        (market, bill)
    };
    let (market, bill) = case("2025-03-10", "2025-09-11");
    holds("P015", &market, &[&format!("{bill} 2025-03-10")]);
    quiet("P015", &case("2025-03-10", "2025-09-10").0);
    quiet("P015", &case("2025-08-31", "2026-02-28").0);
    quiet("P015", &case("2022-12-31", "2023-12-31").0);
    let (market, bill) = case("2022-12-31", "2024-01-01");
    holds("P015", &market, &[&format!("{bill} 2022-12-31")]);
}

#[test]
fn p017_first_bill_ends_in_refusal() {
    let case = |earlier: usize, pays: bool| {
        let mut market = Market::new();
        let terms = Terms { kind: "CAB", acceptor: ent(5), due_in: 30, ..Terms::default() };
        market.at("2025-03-01", "09:00");
        let others: Vec<_> = (0..earlier).map(|_| market.draw(&terms)).collect();
        let bill = market.draw(&terms);
        market.at("2025-03-31", "09:00");
        if pays {
            market.present(others[0], ent(2), ent(5));
            market.pay(others[0], ent(2), ent(5));
        }
        market.present(bill, ent(2), ent(5));
        market.refuse(bill, ent(2), ent(5), "DC08");
        market
    };
    holds("P017", &case(4, false), &["E0000000005 2025-03-31"]);
    quiet("P017", &case(5, false));
    quiet("P017", &case(4, true));
}

#[test]
fn p019_recourse_without_dishonour() {
    let case = |refused: bool, kind: &str| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
        market.at("2025-03-31", "09:00");
        if refused {
            market.present(bill, ent(2), bank(1));
            market.refuse(bill, ent(2), bank(1), "DC08");
        } else {
            market.fact("PAY.MAT", Some((bill, Range::WHOLE)), PartyId::SYSTEM, ent(2), &[]);
        }
        let kind = [(Field::RecourseType, code(kind)), (Field::ClaimFen, Value::Int(1))];
        market.fact("RCS.NTC", Some((bill, Range::WHOLE)), ent(2), ent(1), &kind);
        (market, bill)
    };
    let (market, bill) = case(false, "RT00");
    holds("P019", &market, &[&format!("{bill} 2025-03-31")]);
    quiet("P019", &case(true, "RT00").0);
    quiet("P019", &case(false, "RT01").0);
}

#[test]
fn p019_a_refusal_before_the_due_date_is_no_dishonour() {
    let mut market = Market::new();
    market.at("2025-03-01", "09:00");
    let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
    let about = Some((bill, Range::WHOLE));
    market.at("2025-03-20", "09:00").fact("PAY.ERQ", about, ent(2), bank(1), &[]);
    market.fact("PAY.ERJ", about, bank(1), ent(2), &[]);
    market.at("2025-03-31", "09:00").fact("PAY.MAT", about, PartyId::SYSTEM, ent(2), &[]);
    let kind = [(Field::RecourseType, code("RT00")), (Field::ClaimFen, Value::Int(1))];
    market.fact("RCS.NTC", about, ent(2), ent(1), &kind);
    holds("P019", &market, &[&format!("{bill} 2025-03-31")]);
}
