//! data-quality. The worked examples hold a positive case of each; here are the edges.

use super::{
    holds,
    market::{Market, Terms, bank, code, ent, int, range, text},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::{BillId, InstId, PartyId},
};

#[test]
fn p174_same_id_other_content() {
    let case = |changed: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        market.accept(&Terms::default());
        let mut again = market.facts.last().unwrap().clone();
        again.source_seq += 500;
        if changed {
            again.set(Field::MarginFen, Value::Int(7));
        }
        let id = again.event_id;
        market.facts.push(again);
        (market, id)
    };
    let (market, id) = case(true);
    holds("P174", &market, &[&format!("{id} 2025-03-03")]);
    quiet("P174", &case(false).0);
}

#[test]
fn p176_bill_number() {
    let case = |change: fn(&str) -> String| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.register_bill(&Terms::default());
        let changed = BillId::parse(&change(&bill.to_string())).unwrap();
        market.last().bill_id = Some(changed);
        (market, changed)
    };
    quiet("P176", &case(|number| number.to_owned()).0);
    for change in [
        |number: &str| number[..29].to_owned(),
        |number: &str| format!("3{}", &number[1..]),
        |number: &str| format!("{}999999999999{}", &number[..1], &number[13..]),
        |number: &str| format!("{}20250304{}", &number[..13], &number[21..]),
    ] {
        let (market, bill) = case(change);
        holds("P176", &market, &[&format!("{bill} 2025-03-03")]);
    }
}

#[test]
fn p177_range_and_amount() {
    let case = |amount| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        let amount = [(Field::AmountFen, int(amount))];
        let id = market.fact("END.REQ", Some((bill, Range::WHOLE)), ent(2), ent(3), &amount);
        (market, id)
    };
    let face = Terms::default().face;
    let (market, id) = case(face + 1);
    holds("P177", &market, &[&format!("{id} 2025-03-03")]);
    quiet("P177", &case(face).0);
}

#[test]
fn p178_unknown_code() {
    let case = |channel: &str| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        market.register_bill(&Terms::default());
        market.last().set(Field::Channel, code(channel));
        let id = market.last().event_id;
        (market, id)
    };
    let (market, id) = case("SMOKE");
    holds("P178", &market, &[&format!("{id} 2025-03-03")]);
    quiet("P178", &case("EBANK").0);
}

#[test]
fn p179_mandatory_field() {
    let case = |dated: bool| {
        let mut market = Market::new();
        market.facts.clear();
        market.at("2025-03-03", "09:00");
        let branch = Value::Inst(InstId(100_101_001));
        let mut fields = vec![(Field::EntId, Value::Party(ent(9))), (Field::InitiatorInst, branch)];
        if dated {
            fields.push((Field::FinancialsDate, Value::Date(market.today())));
        }
        let id = market.fact("MST.ENF", None, bank(1), PartyId::SYSTEM, &fields);
        (market, id)
    };
    let (market, id) = case(false);
    holds("P179", &market, &[&format!("{id} 2025-03-03")]);
    quiet("P179", &case(true).0);
}

#[test]
fn p183_future() {
    let case = |ahead: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00").register_bill(&Terms::default());
        let fact = market.last();
        fact.stamp.ingest_time = fact.event_time - ahead;
        let id = fact.event_id;
        (market, id)
    };
    let (market, id) = case(60_001);
    holds("P183", &market, &[&format!("{id} 2025-03-03")]);
    quiet("P183", &case(60_000).0);
}

#[test]
fn p184_orphan_answer() {
    let case = |known: bool, minutes: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        let request = market.fact("END.REQ", Some((bill, Range::WHOLE)), ent(2), ent(3), &[]);
        let wanted = if known { request } else { 5 };
        let at = market.now();
        let about = Some((bill, Range::WHOLE));
        let id = market.fact("END.SGN", about, ent(3), ent(2), &[(Field::RefEventId, Value::Id(wanted.into()))]);
        market.set_clock(at + minutes * 60_000);
        (market, id)
    };
    let (market, id) = case(false, 30);
    holds("P184", &market, &[&format!("{id} 2025-03-03")]);
    quiet("P184", &case(false, 29).0);
    quiet("P184", &case(true, 30).0);
}

#[test]
fn p184_correction_of_nothing() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    market.draw(&Terms::default());
    let last = market.last().event_id;
    market.revoke(last);
    quiet("P184", &market);
    let id = market.last().event_id;
    market.last().correction = Some((crate::fact::CorrectionKind::Revoke, 5));
    market.last().set(Field::RecordedTime, int(crate::ids::Day::parse("2025-03-10").unwrap().start_ms()));
    market.clock_at_end_of("2025-03-10");
    holds("P184", &market, &[&format!("{id} 2025-03-10")]);
}

#[test]
fn p186_credit_code() {
    let case = |code: &str| {
        let mut market = Market::new();
        market.facts.clear();
        market.at("2025-03-03", "09:00").register(9, &[(Field::Uscc, text(code))]);
        let id = market.last().event_id;
        (market, id)
    };
    let (market, id) = case("91330100MA00000150");
    holds("P186", &market, &[&format!("{id} 2025-03-03")]);
    quiet("P186", &case("91330100MA0000015W").0);
}

#[test]
fn p187_rate_out_of_bounds() {
    let case = |rate| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        let rate = [(Field::RateE4, int(rate))];
        let id = market.fact("DSC.SGN", Some((bill, Range::WHOLE)), bank(2), ent(2), &rate);
        (market, id)
    };
    for rate in [-1, 1_000_000] {
        let (market, id) = case(rate);
        holds("P187", &market, &[&format!("{id} 2025-03-03")]);
    }
    for rate in [0, 999_999] {
        quiet("P187", &case(rate).0);
    }
}

#[test]
fn p181_a_range_that_no_lots_make_up() {
    let case = |answered| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { divisible: true, ..Terms::default() });
        market.fact("END.REQ", Some((bill, range(1, 100))), ent(2), ent(3), &[]);
        market.fact("END.SGN", Some((bill, answered)), ent(3), ent(2), &[]);
        (market, bill)
    };
    let (market, bill) = case(range(1, 99));
    holds("P181", &market, &[&format!("{bill} 2025-03-01")]);
    quiet("P181", &case(range(1, 100)).0);
}

#[test]
fn p181_what_may_cut_takes_a_part_of_a_lot() {
    let case = |behaviour| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { divisible: true, ..Terms::default() });
        market.fact("END.REQ", Some((bill, range(1, 100))), ent(2), ent(3), &[]);
        // The lot is locked: without effect.
        market.fact(behaviour, Some((bill, range(1, 50))), ent(2), bank(2), &[]);
        (market, bill)
    };
    for behaviour in ["DSC.REQ", "DTH.ENT", "OPY.LCK", "SCB.DSC"] {
        quiet("P181", &case(behaviour).0);
    }
    // A request too, but it may not cut.
    let (market, bill) = case("PAY.REQ");
    holds("P181", &market, &[&format!("{bill} 2025-03-01")]);
}

#[test]
fn p175_facts_that_come_late() {
    let case = |late: usize, minutes_ms: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for number in 0..120 {
            // A second apart: all within five minutes.
            market.register_bill(&Terms { drawer: ent(1 + number as u64 % 50), ..Terms::default() });
            let fact = market.last();
            fact.stamp.source_watermark = fact.event_time + if number < late { minutes_ms } else { 600_000 };
        }
        market
    };
    holds("P175", &case(100, 600_001), &["NGBS 2025-03-03"]);
    quiet("P175", &case(99, 600_001));
    quiet("P175", &case(100, 600_000));
}

#[test]
fn p180_stock_that_does_not_balance() {
    let whole = |bill| Some((bill, Range::WHOLE));
    // A second settlement of a paid bill; under the id of the first it would be the same fact.
    let paid_twice = |again: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
        market.at("2025-04-02", "09:00").present(bill, ent(2), bank(1));
        market.pay(bill, ent(2), bank(1));
        if again {
            market.pay(bill, ent(2), bank(1));
        }
        market
    };
    holds("P180", &paid_twice(true), &["MARKET 2025-04-02"]);
    quiet("P180", &paid_twice(false));
    let mut waits = paid_twice(true);
    let end = waits.clock();
    waits.set_clock(end - 1);
    quiet("P180", &waits);
    // One kind does not stand in for the other: an acceptance of a commercial bill in vain, a settlement of a bank bill.
    let offset = |kind: &'static str, less: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bank_bill = market.register_bill(&Terms::default());
        let acceptor = if kind == "CAB" { ent(4) } else { bank(1) };
        let face = Terms::default().face - less;
        let other = market.register_bill(&Terms { kind, acceptor, face, ..Terms::default() });
        market.fact("PAY.SET", whole(bank_bill), PartyId::SYSTEM, ent(2), &[]);
        market.fact("ACC.SGN", whole(other), acceptor, ent(1), &[]);
        market
    };
    quiet("P180", &offset("BAB", 0));
    holds("P180", &offset("BAB", 1), &["MARKET 2025-03-03"]);
    holds("P180", &offset("CAB", 0), &["MARKET 2025-03-03"]);
    // Revoking a bill whose payee has it says that an accepted bill ended; one that was never accepted is in no stock.
    let revoked = |received: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = if received { market.draw(&Terms::default()) } else { market.register_bill(&Terms::default()) };
        if !received {
            market.fact("ACC.REQ", whole(bill), ent(1), bank(1), &[]);
        }
        market.fact("ISS.RVK", whole(bill), ent(1), ent(2), &[]);
        market
    };
    holds("P180", &revoked(true), &["MARKET 2025-03-03"]);
    quiet("P180", &revoked(false));
}
