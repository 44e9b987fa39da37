//! Master data of companies and institutions against what they do: P145, P153-P155, P157, P159-P162.

use super::{
    holds,
    market::{Market, Terms, bank, code, day, ent, int, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::{InstId, PartyId},
};

/// MST.ENF of enterprise 1.
fn financials(market: &mut Market, date: &str, revenue: i64) {
    let fields = [
        (Field::EntId, Value::Party(ent(1))),
        (Field::FinancialsDate, Value::Date(day(date))),
        (Field::Revenue12mFen, int(revenue)),
    ];
    market.fact("MST.ENF", None, bank(1), ent(1), &fields);
}

/// MST.ENC of an enterprise.
fn changed(market: &mut Market, number: u64, field: &str, value: &str) {
    let fields =
        [(Field::EntId, Value::Party(ent(number))), (Field::FieldName, text(field)), (Field::NewValue, text(value))];
    market.fact("MST.ENC", None, bank(1), PartyId::SYSTEM, &fields);
}

#[test]
fn p145_no_recent_financials() {
    let case = |dated: Option<&str>, face| {
        let mut market = Market::new();
        if let Some(date) = dated {
            financials(&mut market, date, yuan(1));
        }
        market.at("2025-03-03", "09:00").accept(&Terms { face, ..Terms::default() });
        market
    };
    let most = yuan(50_000_000);
    // 400 days before 3 March 2025.
    holds("P145", &case(Some("2024-01-28"), most), &["E0000000001 2025-03-03"]);
    holds("P145", &case(None, most), &["E0000000001 2025-03-03"]);
    quiet("P145", &case(Some("2024-01-29"), most));
    quiet("P145", &case(Some("2024-01-28"), most - 1));
}

#[test]
fn p145_statement_without_a_date_is_of_its_business_date() {
    let case = |reported: &str| {
        let mut market = Market::new();
        market.at(reported, "09:00").figure(ent(1), Field::Revenue12mFen, yuan(1));
        market.at("2025-03-03", "09:00").accept(&Terms { face: yuan(50_000_000), ..Terms::default() });
        market
    };
    quiet("P145", &case("2025-01-06"));
    holds("P145", &case("2024-01-25"), &["E0000000001 2025-03-03"]);
}

/// A commercial acceptance through an account at bank 3, whose branch lies in a province, opened on a day.
fn through_account(province: &str, opened: &str, face: i64, days: &[&str]) -> Market {
    let branch = Value::Inst(InstId(100_103_009));
    let mut market = Market::new();
    let institution = [
        (Field::ParticipantCode, branch.clone()),
        (Field::LegalInstId, Value::Party(bank(3))),
        (Field::InstType, code("205")),
        (Field::Province, code(province)),
    ];
    market.fact("MST.ISN", None, PartyId::SYSTEM, bank(3), &institution);
    let account = [
        (Field::EntId, Value::Party(ent(5))),
        (Field::AccountId, text("A1")),
        (Field::InitiatorInst, branch.clone()),
        (Field::OpenDate, Value::Date(day(opened))),
    ];
    market.fact("MST.ACO", None, bank(3), ent(5), &account);
    for date in days {
        market.at(date, "09:00");
        let bill = market.register_bill(&Terms { kind: "CAB", acceptor: ent(5), face, ..Terms::default() });
        market.last().set(Field::AcceptorInst, branch.clone());
        let about = Some((bill, Range::WHOLE));
        market.fact("ACC.REQ", about, ent(1), ent(5), &[]);
        market.fact("ACC.SGN", about, ent(5), ent(1), &[]);
    }
    market
}

#[test]
fn p153_remote_account() {
    let least = yuan(5_000_000);
    // 60 days before 3 March: 2 January.
    let case = |province, opened, face| through_account(province, opened, face, &["2025-03-03"]);
    holds("P153", &case("440000", "2025-01-02", least), &["E0000000005 2025-03-03"]);
    quiet("P153", &case("440000", "2025-01-01", least));
    quiet("P153", &case("440000", "2025-01-02", least - 1));
    quiet("P153", &case("330000", "2025-01-02", least));
    let twice = through_account("440000", "2025-01-02", least, &["2025-02-28", "2025-03-03"]);
    holds("P153", &twice, &["E0000000005 2025-02-28"]);
}

#[test]
fn p154_new_representative_and_surge() {
    let case = |changed_on: &str, face, field| {
        let mut market = Market::new();
        market.at("2024-12-01", "10:00").accept(&Terms { face: yuan(9_000_000), ..Terms::default() });
        market.at(changed_on, "08:00");
        changed(&mut market, 1, field, "N0000000777");
        market.at("2025-02-28", "09:00").accept(&Terms { face, ..Terms::default() });
        market
    };
    // 100,000 a day before; ten days from the change on at five times that.
    holds("P154", &case("2025-02-19", yuan(5_000_000), "legal_rep_id"), &["E0000000001 2025-02-28"]);
    quiet("P154", &case("2025-02-19", yuan(5_000_000) - 1, "legal_rep_id"));
    quiet("P154", &case("2025-02-18", yuan(5_000_000), "legal_rep_id"));
    quiet("P154", &case("2025-02-19", yuan(5_000_000), "ubo_id"));
    // The change is 59 days old, and 60.
    holds("P154", &case("2024-12-31", yuan(900_000_000), "legal_rep_id"), &["E0000000001 2025-02-28"]);
    quiet("P154", &case("2024-12-30", yuan(900_000_000), "legal_rep_id"));
}

#[test]
fn p155_deregistered_with_live_bills() {
    let case = |kind, status: &str, live: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        if live {
            let acceptor = if kind == "CAB" { ent(5) } else { bank(1) };
            market.accept(&Terms { kind, acceptor, drawer: ent(5), ..Terms::default() });
        }
        market.at("2025-03-10", "09:00");
        changed(&mut market, 5, "registry_status", status);
        market
    };
    holds("P155", &case("CAB", "REVOKED", true), &["E0000000005 2025-03-10"]);
    quiet("P155", &case("CAB", "MOVEIN", true));
    quiet("P155", &case("CAB", "REVOKED", false));
    quiet("P155", &case("BAB", "REVOKED", true));
}

#[test]
fn p157_a_contract_used_twice() {
    let case = |second: i64, contract: Option<i64>, number: &str| {
        let mut market = Market::new();
        market.at("2025-03-03", "08:00");
        if let Some(fen) = contract {
            let fields = [
                (Field::DrawerId, Value::Party(ent(1))),
                (Field::ContractNo, text("HT-2025-000000000001")),
                (Field::ContractFen, int(fen)),
            ];
            market.fact("MST.TBK", None, ent(1), PartyId::SYSTEM, &fields);
        }
        market.at("2025-03-03", "09:00").accept(&Terms::default());
        market.last().set(Field::ContractNo, text("HT-2025-000000000001"));
        market.at("2025-03-04", "09:00").accept(&Terms { face: second, ..Terms::default() });
        market.last().set(Field::ContractNo, text(number));
        market
    };
    let one = yuan(1_000_000);
    let same = "HT-2025-000000000001";
    holds("P157", &case(one + 1, Some(2 * one), same), &["E0000000001 2025-03-04"]);
    quiet("P157", &case(one, Some(2 * one), same));
    quiet("P157", &case(one + 1, None, same));
    quiet("P157", &case(one + 1, Some(2 * one), "HT-2025-000000000002"));
}

#[test]
fn p157_an_invoice_at_two_banks() {
    let case = |other: PartyId| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for discounter in [bank(2), other] {
            let bill = market.draw(&Terms::default());
            let about = Some((bill, Range::WHOLE));
            market.fact("DSC.REQ", about, ent(2), discounter, &[]);
            market.fact("DSC.SGN", about, discounter, ent(2), &[(Field::InvoiceNo, text("INV1"))]);
        }
        market
    };
    holds("P157", &case(bank(3)), &["E0000000001 2025-03-03"]);
    quiet("P157", &case(bank(2)));
}

#[test]
fn p159_small_and_much() {
    let case = |size: &str, face, revenue| {
        let mut market = Market::new();
        market.register(1, &[(Field::Size, code(size))]);
        financials(&mut market, "2024-12-31", revenue);
        market.at("2025-03-03", "09:00").accept(&Terms { face, ..Terms::default() });
        market
    };
    let most = yuan(300_000_000);
    holds("P159", &case("X", most, most / 2 - 1), &["E0000000001 2025-03-03"]);
    holds("P159", &case("S", most, most / 2 - 1), &["E0000000001 2025-03-03"]);
    quiet("P159", &case("M", most, most / 2 - 1));
    quiet("P159", &case("X", most, most / 2));
    quiet("P159", &case("X", most - 1, 1));
}

#[test]
fn p160_a_suspended_institution() {
    let case = |field: &str, value: &str, succeeded: bool| {
        let mut market = Market::new();
        let branch = Value::Inst(InstId(100_101_001));
        market.at("2025-02-03", "09:00");
        let fields = if succeeded {
            vec![(Field::ParticipantCode, branch.clone()), (Field::SuccessorCode, Value::Inst(InstId(100_102_001)))]
        } else {
            vec![
                (Field::ParticipantCode, branch.clone()),
                (Field::LegalInstId, Value::Party(bank(1))),
                (Field::FieldName, text(field)),
                (Field::NewValue, text(value)),
            ]
        };
        market.fact(if succeeded { "MST.ISA" } else { "MST.ISC" }, None, bank(1), PartyId::SYSTEM, &fields);
        market.at("2025-03-03", "09:00").accept(&Terms::default());
        market.last().set(Field::InitiatorInst, branch);
        market
    };
    holds("P160", &case("participant_status", "SUSPENDED", false), &["100101 2025-03-03"]);
    quiet("P160", &case("participant_status", "ACTIVE", false));
    holds("P160", &case("", "", true), &["100101 2025-03-03"]);
}

#[test]
fn p161_an_unauthorised_trader() {
    let case = |status: &str, to: &str, trader: &str| {
        let mut market = Market::new();
        let fields = [
            (Field::LegalInstId, Value::Party(bank(2))),
            (Field::TraderId, text("T1")),
            (Field::ToDate, Value::Date(day(to))),
            (Field::TraderStatus, code(if status.is_empty() { "NA" } else { status })),
        ];
        // A status that is not sent is ACTIVE.
        let fields = if status.is_empty() { &fields[..3] } else { &fields[..] };
        market.fact("MST.TRD", None, bank(2), PartyId::SYSTEM, fields);
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(2), 12_000);
        market.sell(bill, bank(2), bank(3), 12_000, "D1");
        let deal = market.facts.len() - 2;
        market.facts[deal].set(Field::TraderId, text(trader));
        market
    };
    holds("P161", &case("SUSPENDED", "2025-03-03", "T1"), &["100102 2025-03-03"]);
    holds("P161", &case("ACTIVE", "2025-03-02", "T1"), &["100102 2025-03-03"]);
    holds("P161", &case("ACTIVE", "2025-03-03", "T2"), &["100102 2025-03-03"]);
    quiet("P161", &case("ACTIVE", "2025-03-03", "T1"));
    quiet("P161", &case("", "2025-03-03", "T1"));
}

#[test]
fn p162_first_large_commercial_acceptance() {
    let case = |last: &str, face, disclosed: bool| {
        let mut market = Market::new();
        if disclosed {
            market.fact("DIS.REG", None, ent(5), PartyId::SYSTEM, &[(Field::AcceptorId, Value::Party(ent(5)))]);
        }
        for (date, face) in [("2025-03-03", yuan(4_000_000)), (last, face)] {
            market.at(date, "09:00").accept(&Terms { kind: "CAB", acceptor: ent(5), face, ..Terms::default() });
        }
        market
    };
    holds("P162", &case("2025-03-09", yuan(6_000_000), false), &["E0000000005 2025-03-09"]);
    quiet("P162", &case("2025-03-10", yuan(6_000_000), false));
    quiet("P162", &case("2025-03-09", yuan(6_000_000) - 1, false));
    quiet("P162", &case("2025-03-09", yuan(6_000_000), true));
}

#[test]
fn p148_a_protected_name() {
    let case = |name: &str, protected: &[(Field, Value)], head: bool, group: Option<u64>| {
        let mut market = Market::new();
        let mut fields = vec![(Field::Name, text("华岳建设集团有限公司")), (Field::Province, code("110000"))];
        fields.extend_from_slice(protected);
        market.register(9, &fields);
        if head {
            let fields = [
                (Field::EntId, Value::Party(ent(9))),
                (Field::GroupId, Value::Party(PartyId::group(9))),
                (Field::RelationKind, code("PARENT")),
            ];
            market.fact("MST.GRP", None, PartyId::SYSTEM, ent(9), &fields);
        }
        let mut own = vec![(Field::Name, text(name))];
        own.extend(group.map(|number| (Field::GroupId, Value::Party(PartyId::group(number)))));
        market.register(5, &own);
        market.at("2025-03-03", "09:00").accept(&Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() });
        market
    };
    let flagged = [(Field::SpecialFlags, Value::Codes([crate::ids::Code::parse("CSOE").unwrap()].into()))];
    let alert = ["E0000000005 2025-03-03"];
    holds("P148", &case("上海华岳贸易有限公司", &flagged, false, None), &alert);
    holds("P148", &case("上海华岳贸易有限公司", &[], true, None), &alert);
    quiet("P148", &case("上海华岳贸易有限公司", &[], false, None));
    quiet("P148", &case("上海华山贸易有限公司", &flagged, false, None));
    // A short name stands at the end of what the other is known by, or inside it, by accident.
    holds("P148", &case("上海临江华岳贸易有限公司", &flagged, false, None), &alert);
    quiet("P148", &case("上海兴华岳山贸易有限公司", &flagged, false, None));
    holds("P148", &case("上海华岳贸易有限公司", &[], true, Some(8)), &alert);
    quiet("P148", &case("上海华岳贸易有限公司", &[], true, Some(9)));
}

#[test]
fn p148_one_letter_in_seven() {
    let case = |name: &str| {
        let mut market = Market::new();
        let flags = Value::Codes([crate::ids::Code::parse("CSOE").unwrap()].into());
        market.register(9, &[(Field::Name, text("甲乙丙丁戊己庚")), (Field::SpecialFlags, flags)]);
        market.register(5, &[(Field::Name, text(name))]);
        market.at("2025-03-03", "09:00").accept(&Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() });
        market
    };
    // 6 of 7 letters are 0.857, 5 of 7 are 0.714.
    holds("P148", &case("甲乙丙丁戊己辛"), &["E0000000005 2025-03-03"]);
    quiet("P148", &case("甲乙丙丁戊壬辛"));
}

#[test]
fn p152_the_profile_of_a_shell() {
    let case = |signs: &[(Field, Value)], sharers: u64, face| {
        let mut market = Market::new();
        market.register(1, signs);
        for number in 0..sharers {
            market.register(40 + number, &[(Field::AddressHash, text("address1"))]);
        }
        market.at("2025-03-03", "09:00").accept(&Terms { face, ..Terms::default() });
        market
    };
    let least = yuan(5_000_000);
    let signs =
        [(Field::RegDate, Value::Date(day("2024-03-03"))), (Field::PaidCapitalFen, int(0)), (Field::Employees, int(3))];
    let alert = ["E0000000001 2025-03-03"];
    holds("P152", &case(&signs, 0, least), &alert);
    quiet("P152", &case(&signs, 0, least - 1));
    let old = [(Field::RegDate, Value::Date(day("2024-03-02"))), signs[1].clone(), signs[2].clone()];
    quiet("P152", &case(&old, 0, least));
    // Ten share the address, or nine.
    holds("P152", &case(&old, 9, least), &alert);
    quiet("P152", &case(&old, 8, least));
    quiet("P152", &case(&signs[1..], 0, least));
}
