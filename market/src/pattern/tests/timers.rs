//! absence-timer.

use super::{
    holds,
    market::{Market, Terms, bank, code, day, ent, int, range, text},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::{BillId, PartyId},
};

/// A bill due on Monday 2025-03-31, presented on that day.
fn presented() -> (Market, BillId) {
    let mut market = Market::new();
    market.at("2025-03-01", "09:00");
    let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
    market.at("2025-03-31", "09:00").present(bill, ent(2), bank(1));
    (market, bill)
}

#[test]
fn p116_presentation_not_answered() {
    // Three business days after Monday 31 March: Thursday 3 April.
    let (mut market, bill) = presented();
    market.set_clock(day("2025-04-03").end_ms() - 2);
    quiet("P116", &market);
    market.set_clock(day("2025-04-03").end_ms() - 1);
    holds("P116", &market, &[&format!("{bill} 2025-04-03")]);
    market.instant(day("2025-04-03").end_ms()).refuse(bill, ent(2), bank(1), "DC08");
    holds("P116", &market, &[&format!("{bill} 2025-04-03")]);
    let (mut market, bill) = presented();
    market.instant(day("2025-04-03").end_ms() - 1).refuse(bill, ent(2), bank(1), "DC08");
    market.clock_at_end_of("2025-04-10");
    quiet("P116", &market);
}

#[test]
fn p117_late_presentment_of_a_part() {
    let case = |last: u64| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { due_in: 30, divisible: true, ..Terms::default() });
        let face = Terms::default().face as u64;
        market.endorse_part(bill, range(1, 100), ent(2), ent(3));
        market.at("2025-03-31", "09:00");
        market.fact("PAY.MAT", Some((bill, range(1, face))), PartyId::SYSTEM, ent(2), &[]);
        market.at("2025-04-10", "09:00").fact("PAY.REQ", Some((bill, range(1, 100))), ent(3), bank(1), &[]);
        if last == face {
            market.fact("PAY.REQ", Some((bill, range(101, face))), ent(2), bank(1), &[]);
        }
        market.clock_at_end_of("2025-04-10");
        (market, bill)
    };
    let (market, bill) = case(100);
    holds("P117", &market, &[&format!("{bill} 2025-04-10")]);
    quiet("P117", &case(Terms::default().face as u64).0);
}

#[test]
fn p117_is_due_ten_days_after() {
    let mut market = Market::new();
    market.at("2025-03-01", "09:00");
    let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
    market.at("2025-03-31", "00:00").fact("PAY.MAT", Some((bill, Range::WHOLE)), PartyId::SYSTEM, ent(2), &[]);
    market.instant(day("2025-04-10").end_ms()).fact("PAY.REQ", Some((bill, Range::WHOLE)), ent(2), bank(1), &[]);
    holds("P117", &market, &[&format!("{bill} 2025-04-10")]);
}

#[test]
fn p118_acceptance_request_hanging() {
    let case = |answer: &str, at: i64| {
        let mut market = Market::new();
        market.at("2025-03-07", "09:00");
        let bill = market.register_bill(&Terms::default());
        let about = Some((bill, Range::WHOLE));
        market.fact("ACC.REQ", about, ent(1), bank(1), &[]);
        market.instant(at).fact(
            answer,
            about,
            if answer == "ACC.CLR" { PartyId::SYSTEM } else { bank(1) },
            ent(1),
            &[],
        );
        market.clock_at_end_of("2025-03-31");
        (market, bill)
    };
    // Friday; three business days end on Wednesday 12 March.
    let end = day("2025-03-12").end_ms();
    quiet("P118", &case("ACC.REJ", end - 1).0);
    let (market, bill) = case("ACC.REJ", end);
    holds("P118", &market, &[&format!("{bill} 2025-03-12")]);
    // Cleaned up is not answered (facts.md 9.14).
    let (market, bill) = case("ACC.CLR", end - 1);
    holds("P118", &market, &[&format!("{bill} 2025-03-12")]);
}

#[test]
fn p119_pledge_not_released() {
    let case = |released_at: i64| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
        let about = Some((bill, Range::WHOLE));
        market.fact("PLG.REQ", about, ent(2), bank(3), &[]);
        market.fact("PLG.SGN", about, bank(3), ent(2), &[]);
        market.at("2025-03-31", "00:00").fact("PAY.MAT", about, PartyId::SYSTEM, ent(2), &[]);
        market.instant(released_at).fact("PAY.REQ", about, bank(3), bank(1), &[]);
        market.clock_at_end_of("2025-04-30");
        (market, bill)
    };
    let end = day("2025-04-10").end_ms();
    let (market, bill) = case(end);
    holds("P119", &market, &[&format!("{bill} 2025-04-10")]);
    quiet("P119", &case(end - 1).0);
}

#[test]
fn p120_acceptance_not_disclosed() {
    let case = |kind, disclosed_at: i64| {
        let mut market = Market::new();
        market.at("2025-03-07", "09:00");
        let bill = market.accept(&Terms { kind, acceptor: ent(5), ..Terms::default() });
        market.instant(disclosed_at).fact("DIS.BIL", Some((bill, Range::WHOLE)), ent(5), PartyId::SYSTEM, &[]);
        market.clock_at_end_of("2025-03-31");
        market
    };
    // The first business day after Friday is Monday 10 March.
    let end = day("2025-03-10").end_ms();
    holds("P120", &case("CAB", end), &["E0000000005 2025-03-10"]);
    quiet("P120", &case("CAB", end - 1));
    quiet("P120", &case("BAB", end));
    quiet("P120", &case("CAB", day("2025-03-06").end_ms()));
}

#[test]
fn p123_agreed_recourse_not_paid() {
    let case = |paid_at: i64| {
        let (mut market, bill) = presented();
        let about = Some((bill, Range::WHOLE));
        market.refuse(bill, ent(2), bank(1), "DC08");
        market.fact("RCS.NTC", about, ent(2), ent(1), &[(Field::ClaimFen, int(1))]);
        market.fact("RCS.AGR", about, ent(1), ent(2), &[]);
        market.fact("RCS.AGS", about, ent(2), ent(1), &[]);
        market.instant(paid_at).fact(
            "RCS.SET",
            about,
            PartyId::SYSTEM,
            ent(2),
            &[(Field::CreditorId, Value::Party(ent(2))), (Field::DebtorId, Value::Party(ent(1)))],
        );
        market.clock_at_end_of("2025-04-30");
        (market, bill)
    };
    // Five business days after 31 March, with the holiday of 4 April: 8 April.
    let end = day("2025-04-08").end_ms();
    let (market, bill) = case(end);
    holds("P123", &market, &[&format!("{bill} 2025-04-08")]);
    quiet("P123", &case(end - 1).0);
}

#[test]
fn p124_recourse_right_about_to_lapse() {
    let case = |noticed_at: i64| {
        let (mut market, bill) = presented();
        market.refuse(bill, ent(2), bank(1), "DC08");
        market.instant(noticed_at);
        market.fact("RCS.NTC", Some((bill, Range::WHOLE)), ent(2), ent(1), &[(Field::ClaimFen, int(1))]);
        market.clock_at_end_of("2025-12-31");
        (market, bill)
    };
    // 165 days after 31 March.
    let end = day("2025-09-12").end_ms();
    let (market, bill) = case(end);
    holds("P124", &market, &[&format!("{bill} 2025-09-12")]);
    quiet("P124", &case(end - 1).0);
}

#[test]
fn p125_stop_payment_lapses() {
    let case = |behaviour: &str, at: i64| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        let about = Some((bill, Range::WHOLE));
        market.fact("LSF.STP", about, ent(2), PartyId::SYSTEM, &[]);
        let court = [(Field::CaseNo, text("1"))];
        market.instant(at).fact(behaviour, about, PartyId::court(1), ent(2), &court);
        market.clock_at_end_of("2025-03-31");
        (market, bill)
    };
    let end = day("2025-03-13").end_ms();
    let (market, bill) = case("LSF.PUB", end);
    holds("P125", &market, &[&format!("{bill} 2025-03-13")]);
    quiet("P125", &case("LSF.PUB", end - 1).0);
    quiet("P125", &case("LSF.STX", end - 1).0);
}

/// A bank that holds a bill since Monday 2025-03-03.
fn held() -> (Market, BillId) {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bill = market.draw(&Terms::default());
    market.discount(bill, ent(2), bank(2), 12_000);
    (market, bill)
}

#[test]
fn p122_repo_not_redeemed_by_cut_off() {
    let case = |redeemed_at: i64| {
        let (mut market, bill) = held();
        let about = Some((bill, Range::WHOLE));
        let fields = [
            (Field::DealId, text("RP1")),
            (Field::FirstFen, int(1000)),
            (Field::RedeemDate, Value::Date(day("2025-03-10"))),
            (Field::SellerId, Value::Party(bank(2))),
            (Field::BuyerId, Value::Party(bank(3))),
        ];
        market.fact("RPO.QTE", about, bank(2), bank(3), &fields[..1]);
        market.fact("RPO.SET", about, PartyId::SYSTEM, bank(3), &fields);
        market.instant(redeemed_at).fact("RPO.RED", about, PartyId::SYSTEM, bank(2), &fields);
        (market, bill)
    };
    let cut_off = day("2025-03-10").start_ms() + 17 * 3_600_000;
    holds("P122", &case(cut_off + 1).0, &["RP1 2025-03-10"]);
    quiet("P122", &case(cut_off).0);
    let mut early = case(cut_off + 1).0;
    early.set_clock(cut_off - 1);
    quiet("P122", &early);
    early.set_clock(cut_off);
    holds("P122", &early, &["RP1 2025-03-10"]);
}

#[test]
fn p127_deal_not_settled_by_cut_off() {
    let case = |settled_at: i64, behaviour: &str| {
        let (mut market, bill) = held();
        let about = Some((bill, Range::WHOLE));
        let fields = [
            (Field::DealId, text("IB1")),
            (Field::RateE4, int(12_000)),
            (Field::SettleDate, Value::Date(day("2025-03-04"))),
            (Field::SellerId, Value::Party(bank(2))),
            (Field::BuyerId, Value::Party(bank(3))),
        ];
        market.fact("IBT.QTE", about, bank(2), bank(3), &fields[..2]);
        market.fact("IBT.QAC", about, bank(3), bank(2), &fields[..2]);
        market.fact("IBT.DEL", about, PartyId::SYSTEM, bank(3), &fields);
        market.instant(settled_at).fact(behaviour, about, PartyId::SYSTEM, bank(3), &fields);
        market
    };
    let cut_off = day("2025-03-04").start_ms() + 17 * 3_600_000;
    holds("P127", &case(cut_off + 1, "IBT.SET"), &["IB1 2025-03-04"]);
    quiet("P127", &case(cut_off, "IBT.SET"));
    quiet("P127", &case(cut_off, "IBT.FLD"));
}

#[test]
fn p127_settlement_date_that_was_not_sent() {
    // T0: the business date, Monday; T1: the next business day.
    for (speed, due) in [(None, "2025-03-03"), (Some("T0"), "2025-03-03"), (Some("T1"), "2025-03-04")] {
        let (mut market, bill) = held();
        let about = Some((bill, Range::WHOLE));
        let mut fields = vec![
            (Field::DealId, text("IB1")),
            (Field::RateE4, int(12_000)),
            (Field::SellerId, Value::Party(bank(2))),
            (Field::BuyerId, Value::Party(bank(3))),
        ];
        market.fact("IBT.QTE", about, bank(2), bank(3), &fields[..2]);
        market.fact("IBT.QAC", about, bank(3), bank(2), &fields[..2]);
        fields.extend(speed.map(|speed| (Field::SettlementSpeed, code(speed))));
        market.fact("IBT.DEL", about, PartyId::SYSTEM, bank(3), &fields);
        market.clock_at_end_of("2025-03-10");
        holds("P127", &market, &[&format!("IB1 {due}")]);
    }
}

#[test]
fn p122_redemption_date_that_was_not_sent() {
    // Settled on the next business day, seven days after it.
    let (mut market, bill) = held();
    let fields = [(Field::SettlementSpeed, code("T1"))];
    market.repo(bill, bank(2), bank(3), &fields);
    let deal = market.last().text(Field::DealId).unwrap().to_owned();
    market.clock_at_end_of("2025-03-31");
    holds("P122", &market, &[&format!("{deal} 2025-03-11")]);
}
