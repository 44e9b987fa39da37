//! windowed-threshold: volumes, hours and failures.

use super::{
    holds,
    market::{Market, Terms, bank, code, day, ent, int, range, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::{Day, PartyId},
};

#[test]
fn p022_split_below_a_limit() {
    let case = |faces: [i64; 3], second: u64, last: &str| {
        let mut market = Market::new();
        for (place, face) in faces.into_iter().enumerate() {
            market.at(if place == 2 { last } else { "2025-03-03" }, "09:00");
            market.instant(market.now() + place as i64);
            market.accept(&Terms { face, payee: ent(if place == 1 { second } else { 2 }), ..Terms::default() });
        }
        market
    };
    let (least, most) = (yuan(8_000_000), yuan(10_000_000) - 1);
    // Three of 8,000,000 CNY come to 24; two limits are 20.
    holds("P022", &case([least, most, least], 2, "2025-03-03"), &["E0000000001 2025-03-03"]);
    quiet("P022", &case([least - 1, most, least], 2, "2025-03-03"));
    quiet("P022", &case([least, most + 1, least], 2, "2025-03-03"));
    quiet("P022", &case([least, most, least], 3, "2025-03-03"));
    // Buckets of 5 minutes: the first two lie 24 hours and more before the third.
    quiet("P022", &case([least, most, least], 2, "2025-03-04"));
}

/// A commercial bill accepted by enterprise 5, due and refused on a day; paid on another.
fn refused(market: &mut Market, on: &str, reason: &str, paid_on: Option<&str>) {
    let due = day(on);
    market.on(due.plus(-30), "09:00");
    let bill = market.draw(&Terms { kind: "CAB", acceptor: ent(5), due_in: 30, ..Terms::default() });
    market.on(due, "09:00").present(bill, ent(2), ent(5));
    market.refuse(bill, ent(2), ent(5), reason);
    if let Some(paid_on) = paid_on {
        market.at(paid_on, "10:00").present(bill, ent(2), ent(5));
        market.pay(bill, ent(2), ent(5));
    }
}

#[test]
fn p027_three_overdue_bills_in_six_months() {
    let case = |first: &str, reason: &str, end: &str| {
        let mut market = Market::new();
        refused(&mut market, first, reason, None);
        refused(&mut market, "2025-05-12", "DC08", None);
        refused(&mut market, "2025-06-20", "DC08", None);
        market.clock_at_end_of(end);
        market
    };
    holds("P027", &case("2025-01-01", "DC08", "2025-06-30"), &["E0000000005 2025-06-30"]);
    // In July the bill of January has left the six months.
    holds("P027", &case("2025-01-31", "DC08", "2025-07-31"), &["E0000000005 2025-06-30"]);
    holds("P027", &case("2025-02-01", "DC08", "2025-07-31"), &["E0000000005 2025-06-30", "E0000000005 2025-07-31"]);
    quiet("P027", &case("2025-01-01", "DC08", "2025-06-29"));
    quiet("P027", &case("2024-12-31", "DC08", "2025-06-30"));
    quiet("P027", &case("2025-01-01", "DC01", "2025-06-30"));
}

#[test]
fn p027_ends_when_all_is_paid() {
    let case = |paid: [Option<&str>; 3]| {
        let mut market = Market::new();
        for (on, paid) in ["2025-02-03", "2025-03-03", "2025-04-01"].into_iter().zip(paid) {
            refused(&mut market, on, "DC08", paid);
        }
        market.clock_at_end_of("2025-05-31");
        market
    };
    let april = "E0000000005 2025-04-30";
    let paid = Some("2025-04-07");
    holds("P027", &case([paid, paid, None]), &[april, "E0000000005 2025-05-31"]);
    holds("P027", &case([paid, paid, paid]), &[april]);
}

#[test]
fn p028_three_months_of_being_overdue() {
    let case = |third: &str, end: &str| {
        let mut market = Market::new();
        for on in ["2025-02-03", "2025-02-04", third] {
            refused(&mut market, on, "DC08", None);
        }
        market.clock_at_end_of(end);
        market
    };
    // P027 from the month of the third bill on.
    holds("P028", &case("2025-02-05", "2025-04-30"), &["E0000000005 2025-04-30"]);
    quiet("P028", &case("2025-02-05", "2025-04-29"));
    quiet("P028", &case("2025-03-05", "2025-04-30"));
}

#[test]
fn p031_signed_after_hours() {
    let case = |date: &str, time: &str, kind: &'static str| {
        let mut market = Market::new();
        market.at("2025-02-28", "10:00");
        let acceptor = if kind == "CAB" { ent(5) } else { bank(1) };
        let bill = market.register_bill(&Terms { kind, acceptor, ..Terms::default() });
        market.fact("ACC.REQ", Some((bill, Range::WHOLE)), ent(1), acceptor, &[]);
        market.at(date, time).fact("ACC.SGN", Some((bill, Range::WHOLE)), acceptor, ent(1), &[]);
        market
    };
    holds("P031", &case("2025-03-03", "21:01", "BAB"), &["100101 2025-03-03"]);
    holds("P031", &case("2025-03-03", "07:59", "BAB"), &["100101 2025-03-03"]);
    holds("P031", &case("2025-03-02", "12:00", "BAB"), &["100101 2025-03-02"]);
    quiet("P031", &case("2025-03-03", "21:00", "BAB"));
    quiet("P031", &case("2025-03-03", "08:00", "BAB"));
    quiet("P031", &case("2025-03-03", "21:01", "CAB"));
}

fn package(market: &mut Market) -> crate::ids::BillId {
    market.at("2025-03-03", "09:00");
    market.draw(&Terms { divisible: true, ..Terms::default() })
}

#[test]
fn p032_cut_into_many_lots() {
    let case = |cuts: u64, size: u64| {
        let mut market = Market::new();
        let bill = package(&mut market);
        for part in 0..cuts {
            market.endorse_part(bill, range(1 + part * size, (part + 1) * size), ent(2), ent(3));
        }
        (market, bill)
    };
    // Every cut leaves a lot and the rest.
    let (market, bill) = case(199, 10_000);
    holds("P032", &market, &[&format!("{bill} 2025-03-03")]);
    quiet("P032", &case(198, 10_000).0);
    let (market, bill) = case(49, 9_999);
    holds("P032", &market, &[&format!("{bill} 2025-03-03")]);
    quiet("P032", &case(48, 9_999).0);
    quiet("P032", &case(49, 10_000).0);
}

#[test]
fn p033_probing_with_single_fen() {
    let case = |fen: u64, last: &str| {
        let mut market = Market::new();
        let bill = package(&mut market);
        for part in 0..5 {
            market.at(if part == 4 { last } else { "2025-03-10" }, "09:00");
            let length = if part == 0 { fen } else { 1 };
            let start = 1 + part * 1000;
            market.endorse_part(bill, range(start, start + length - 1), ent(2), ent(3));
        }
        market
    };
    holds("P033", &case(100, "2025-03-10"), &["E0000000002 2025-03-10"]);
    quiet("P033", &case(101, "2025-03-10"));
    quiet("P033", &case(100, "2025-03-11"));
}

#[test]
fn p035_a_sleeper_wakes() {
    let case = |first: &str, faces: [i64; 2], last: &str| {
        let mut market = Market::new();
        market.at(first, "09:00").accept(&Terms { face: yuan(1), ..Terms::default() });
        market.at("2025-07-01", "09:00").accept(&Terms { face: faces[0], ..Terms::default() });
        market.at(last, "09:00").accept(&Terms { face: faces[1], ..Terms::default() });
        market
    };
    // 180 days before 1 July is 2 January; the window of 14 days ends on 14 July.
    let half = yuan(5_000_000);
    holds("P035", &case("2025-01-02", [half, half], "2025-07-14"), &["E0000000001 2025-07-14"]);
    quiet("P035", &case("2025-01-03", [half, half], "2025-07-14"));
    quiet("P035", &case("2025-01-02", [half, half - 1], "2025-07-14"));
    quiet("P035", &case("2025-01-02", [half, half], "2025-07-15"));
    // New, not dormant.
    let mut new = Market::new();
    new.at("2025-07-01", "09:00").accept(&Terms { face: yuan(10_000_000), ..Terms::default() });
    quiet("P035", &new);
}

#[test]
fn p035_counts_what_the_sleeper_takes_and_gives() {
    let mut market = Market::new();
    market.at("2025-01-02", "09:00");
    let bill = market.draw(&Terms { face: yuan(5_000_000), due_in: 300, ..Terms::default() });
    market.endorse(bill, ent(2), ent(3));
    market.at("2025-07-01", "09:00").endorse(bill, ent(3), ent(4));
    let other = market.draw(&Terms { face: yuan(5_000_000), ..Terms::default() });
    market.endorse(other, ent(2), ent(3));
    // Enterprise 3 sold and bought for 5,000,000 each; 4 was never there, 1 and 2 had too little.
    holds("P035", &market, &["E0000000003 2025-07-01"]);
}

#[test]
fn p037_quotes_cancelled_beside_a_purchase() {
    let case = |cancelled: i64, quoted: i64, bought_after: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let order = |market: &mut Market, behaviour: &str| {
            let fields = [(Field::AmountFen, int(yuan(1_000_000))), (Field::DealId, text("Q"))];
            market.fact(behaviour, None, bank(1), PartyId::MARKET, &fields);
        };
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(2), 12_000);
        for _ in 0..quoted {
            order(&mut market, "RPO.ANS");
        }
        for place in 0..cancelled {
            if place == cancelled - 1 {
                market.at("2025-03-03", "10:00");
            }
            order(&mut market, "RPO.ANX");
        }
        let minute = day("2025-03-03").start_ms() + 10 * 3_600_000 + bought_after * 60_000;
        market.instant(minute - 2_000).sell(bill, bank(2), bank(1), 12_000, "D1");
        market
    };
    holds("P037", &case(20, 25, 10), &["100101 2025-03-03"]);
    quiet("P037", &case(20, 25, 11));
    quiet("P037", &case(20, 26, 10));
    quiet("P037", &case(19, 19, 10));
}

#[test]
fn p038_settlements_that_fail() {
    let case = |failures: usize, first_on: &str, payer: PartyId| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        for place in 0..failures {
            market.at("2025-03-01", "09:00");
            market.instant(market.now() + place as i64 * 60_000);
            let bill = market.draw(&Terms::default());
            market.discount(bill, ent(2), bank(2), 12_000);
            market.at(if place == 0 { first_on } else { "2025-03-14" }, "09:00");
            market.instant(market.now() + place as i64 * 60_000);
            let about = Some((bill, Range::WHOLE));
            let fields = [
                (Field::RateE4, int(12_000)),
                (Field::DealId, text("D")),
                (Field::SellerId, Value::Party(bank(2))),
                (Field::BuyerId, Value::Party(payer)),
            ];
            market.fact("IBT.QTE", about, bank(2), payer, &fields[..2]);
            market.fact("IBT.QAC", about, payer, bank(2), &fields[..2]);
            market.fact("IBT.DEL", about, PartyId::SYSTEM, payer, &fields);
            market.fact("IBT.FLD", about, PartyId::SYSTEM, bank(2), &fields);
        }
        market
    };
    holds("P038", &case(3, "2025-03-10", bank(3)), &["100103 2025-03-14"]);
    quiet("P038", &case(2, "2025-03-10", bank(3)));
    quiet("P038", &case(3, "2025-03-09", bank(3)));
}

#[test]
fn p039_bought_and_sold_on_one_day() {
    let case = |flipped: i64, kept: i64, sold_on: &str| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bills: Vec<_> = [flipped, kept]
            .into_iter()
            .map(|face| {
                let bill = market.draw(&Terms { face, ..Terms::default() });
                market.discount(bill, ent(2), bank(2), 12_000);
                bill
            })
            .collect();
        market.at("2025-03-10", "09:00");
        market.sell(bills[1], bank(2), bank(3), 12_000, "D1");
        market.sell(bills[0], bank(2), bank(3), 12_000, "D2");
        market.at(sold_on, "15:00").sell(bills[0], bank(3), bank(4), 12_000, "D3");
        market
    };
    let least = yuan(500_000_000);
    holds("P039", &case(least, least, "2025-03-10"), &["100103 2025-03-10"]);
    quiet("P039", &case(least, least + 1, "2025-03-10"));
    quiet("P039", &case(least - 1, 1, "2025-03-10"));
    quiet("P039", &case(least, least, "2025-03-11"));
}

#[test]
fn p042_a_changed_company_issues() {
    let case = |field: &str, changed_on: &str, face: i64| {
        let mut market = Market::new();
        let fields = [
            (Field::EntId, Value::Party(ent(1))),
            (Field::FieldName, text(field)),
            (Field::NewValue, text("N0000000077")),
        ];
        market.at(changed_on, "09:00").fact("MST.ENC", None, bank(1), PartyId::SYSTEM, &fields);
        market.at("2025-03-15", "09:00").accept(&Terms { face, ..Terms::default() });
        market
    };
    let least = yuan(10_000_000);
    holds("P042", &case("legal_rep_id", "2025-03-01", least), &["E0000000001 2025-03-15"]);
    quiet("P042", &case("legal_rep_id", "2025-03-01", least - 1));
    quiet("P042", &case("legal_rep_id", "2025-02-28", least));
    quiet("P042", &case("employees", "2025-03-01", least));
    // As acceptor of its own bills each counts once; as acceptor for another it counts too; what came before does not.
    let commercial = |drawer: u64, face: i64, before: i64| {
        let mut market = Market::new();
        let terms = |face| Terms { kind: "CAB", drawer: ent(drawer), acceptor: ent(1), face, ..Terms::default() };
        market.at("2025-03-08", "09:00").accept(&terms(before));
        let fields = [(Field::EntId, Value::Party(ent(1))), (Field::CertId, text("C1"))];
        market.at("2025-03-10", "09:00").fact("MST.CRT", None, bank(1), ent(1), &fields);
        market.at("2025-03-12", "09:00").accept(&terms(face));
        market
    };
    holds("P042", &commercial(1, least, 1), &["E0000000001 2025-03-12"]);
    quiet("P042", &commercial(1, least / 2, 1));
    quiet("P042", &commercial(1, least - 1, 1));
    holds("P042", &commercial(7, least, 1), &["E0000000001 2025-03-12"]);
}

#[test]
fn p043_payees_never_paid_before() {
    let case = |known: u64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for payee in 2..2 + known {
            market.accept(&Terms { payee: ent(payee), ..Terms::default() });
        }
        market.at("2025-03-10", "09:00");
        for payee in 2..=52 {
            market.accept(&Terms { payee: ent(payee), ..Terms::default() });
        }
        market
    };
    holds("P043", &case(1), &["E0000000001 2025-03-10"]);
    quiet("P043", &case(2));
}

#[test]
fn p045_guarantees_beyond_net_assets() {
    let case = |second: i64, first_on: &str| {
        let mut market = Market::new();
        let fields = [(Field::EntId, Value::Party(ent(9))), (Field::NetAssetsFen, int(yuan(20_000_000)))];
        market.at("2025-01-31", "09:00").fact("MST.ENF", None, bank(1), PartyId::SYSTEM, &fields);
        for (on, fen) in [(first_on, yuan(6_000_000)), ("2025-05-29", second)] {
            market.at(on, "09:00");
            let bill = market.draw(&Terms { face: yuan(9_000_000), ..Terms::default() });
            let about = Some((bill, Range::WHOLE));
            let fields = [(Field::GuaranteeFen, int(fen)), (Field::GuaranteeType, code("GT01"))];
            market.fact("GUE.REQ", about, ent(2), ent(9), &fields);
            market.fact("GUE.SGN", about, ent(9), ent(2), &fields);
        }
        market
    };
    holds("P045", &case(yuan(4_000_000), "2025-03-01"), &["E0000000009 2025-05-29"]);
    quiet("P045", &case(yuan(4_000_000) - 1, "2025-03-01"));
    quiet("P045", &case(yuan(4_000_000), "2025-02-28"));
}

#[test]
fn p047_accepted_late_in_the_day() {
    let case = |late: i64, early: i64, time: &str| {
        let mut market = Market::new();
        market.at("2025-03-03", "10:00").accept(&Terms { face: early, ..Terms::default() });
        market.at("2025-03-03", time).accept(&Terms { face: late, ..Terms::default() });
        market
    };
    let least = yuan(100_000_000);
    holds("P047", &case(least, least, "17:00"), &["100101 2025-03-03"]);
    quiet("P047", &case(least, least + 1, "17:00"));
    quiet("P047", &case(least - 1, 1, "17:00"));
    quiet("P047", &case(least, least, "16:59"));
    let mut open = case(least, least, "17:00");
    open.set_clock(day("2025-03-03").end_ms() - 2);
    quiet("P047", &open);
}

/// A bank bill that is presented at its due date, queued, and then paid after some minutes; or not, for want of cash.
fn queued(market: &mut Market, due: Day, kind: &'static str, minutes: Option<i64>) {
    market.on(due.plus(-30), "09:00");
    let acceptor = if kind == "FAB" { bank(5) } else { bank(4) };
    let bill = market.draw(&Terms { kind, acceptor, due_in: 30, ..Terms::default() });
    market.on(due, "09:00").present(bill, ent(2), acceptor);
    let about = Some((bill, Range::WHOLE));
    let start = market.now();
    market.fact("PAY.QUE", about, PartyId::SYSTEM, acceptor, &[]);
    match minutes {
        Some(minutes) => {
            market.instant(start + minutes * 60_000).pay(bill, ent(2), acceptor);
        }
        None => {
            market.fact("PAY.FLD", about, PartyId::SYSTEM, ent(2), &[]);
        }
    }
}

#[test]
fn p191_a_bank_fails_at_clearing() {
    let failed = |kind| {
        let mut market = Market::new();
        queued(&mut market, day("2025-04-02"), kind, None);
        market
    };
    holds("P191", &failed("BAB"), &["100104 2025-04-02"]);
    quiet("P191", &failed("FAB"));
    let slow = |minutes: [i64; 3], first: &str| {
        let mut market = Market::new();
        for (on, minutes) in [first, "2025-04-11", "2025-04-11"].into_iter().zip(minutes) {
            queued(&mut market, day(on), "BAB", Some(minutes));
        }
        market
    };
    holds("P191", &slow([61; 3], "2025-04-07"), &["100104 2025-04-11"]);
    quiet("P191", &slow([60, 61, 61], "2025-04-07"));
    quiet("P191", &slow([61; 3], "2025-04-06"));
}

#[test]
fn p191_counts_the_queued_parts_of_a_package_only() {
    let case = |queued: usize, ended_by: &str| {
        let mut market = Market::new();
        market.at("2025-03-11", "09:00");
        let terms = Terms { acceptor: bank(4), due_in: 31, divisible: true, ..Terms::default() };
        let bill = market.draw(&terms);
        let face = terms.face as u64;
        // Four parts: three of a hundred fen, and the rest.
        let parts = [(1, 100, 3), (101, 200, 4), (201, 300, 5), (301, face, 2)];
        for (start, end, holder) in &parts[..3] {
            market.endorse_part(bill, range(*start, *end), ent(2), ent(*holder));
        }
        market.at("2025-04-11", "09:00");
        market.fact("PAY.MAT", Some((bill, range(1, face))), PartyId::SYSTEM, ent(2), &[]);
        for (start, end, holder) in parts {
            market.fact("PAY.REQ", Some((bill, range(start, end))), ent(holder), bank(4), &[]);
        }
        let begun = market.now();
        for (start, end, _) in &parts[..queued] {
            market.fact("PAY.QUE", Some((bill, range(*start, *end))), PartyId::SYSTEM, bank(4), &[]);
        }
        market.instant(begun + 90 * 60_000);
        for (start, end, holder) in parts {
            market.fact(ended_by, Some((bill, range(start, end))), PartyId::SYSTEM, ent(holder), &[]);
        }
        market
    };
    quiet("P191", &case(1, "PAY.SET"));
    quiet("P191", &case(2, "PAY.SET"));
    holds("P191", &case(3, "PAY.SET"), &["100104 2025-04-11"]);
    holds("P191", &case(3, "PAY.SUB"), &["100104 2025-04-11"]);
}

#[test]
fn p193_a_group_draws_and_discounts_on_one_day() {
    let case = |accepted: i64, discounted: i64, other: bool| {
        let mut market = Market::new();
        let group = |number: u64| Value::Party(PartyId::parse(&format!("G{number:06}")).unwrap());
        market.register(1, &[(Field::GroupId, group(7))]);
        market.register(3, &[(Field::GroupId, group(if other { 8 } else { 7 }))]);
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { drawer: ent(3), face: discounted, ..Terms::default() });
        market.at("2025-03-10", "09:00").accept(&Terms { face: accepted, ..Terms::default() });
        market.discount(bill, ent(2), bank(2), 12_000);
        market
    };
    let least = yuan(50_000_000);
    // 50 of 55.6 million: a little more than 0.9; 45 / 50 exactly.
    holds("P193", &case(least, least, false), &["G000007 2025-03-10"]);
    holds("P193", &case(least * 10, least * 9, false), &["G000007 2025-03-10"]);
    quiet("P193", &case(least * 10, least * 9 - 1, false));
    quiet("P193", &case(least - 1, least, false));
    quiet("P193", &case(least, least, true));
}
