//! related-party and master-data.

use super::{
    holds,
    market::{Market, Terms, bank, code, day, ent, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Value},
    ids::{InstId, PartyId},
};

#[test]
fn p146_related_drawer_and_payee() {
    let case = |face, changes: &[(Field, Value)]| {
        let mut market = Market::new();
        market.register(2, changes);
        market.at("2025-03-03", "09:00").accept(&Terms { face, ..Terms::default() });
        market
    };
    let same_person = [(Field::LegalRepId, Value::Party(PartyId::person(1)))];
    let same_phone = [(Field::PhoneHash, text("phone1"))];
    let same_address = [(Field::AddressHash, text("address1"))];
    for changes in [&same_person, &same_phone, &same_address] {
        holds("P146", &case(yuan(1_000_000), changes), &["E0000000001 2025-03-03"]);
    }
    quiet("P146", &case(yuan(1_000_000) - 1, &same_person));
    quiet("P146", &case(yuan(1_000_000), &[]));
}

#[test]
fn p146_a_relation_in_force() {
    let case = |to: &str| {
        let mut market = Market::new();
        market.at("2025-01-02", "09:00").fact(
            "MST.GRP",
            None,
            PartyId::SYSTEM,
            ent(1),
            &[
                (Field::EntId, Value::Party(ent(1))),
                (Field::RelatedId, Value::Party(ent(2))),
                (Field::RelationKind, code("RELATED")),
                (Field::ToDate, Value::Date(day(to))),
            ],
        );
        market.at("2025-03-03", "09:00").accept(&Terms::default());
        market
    };
    holds("P146", &case("2025-03-03"), &["E0000000001 2025-03-03"]);
    quiet("P146", &case("2025-03-02"));
}

#[test]
fn p147_related_discount_applicant() {
    let case = |face, group: u64| {
        let mut market = Market::new();
        market.register(1, &[(Field::GroupId, Value::Party(PartyId::group(1)))]);
        market.register(3, &[(Field::GroupId, Value::Party(PartyId::group(group)))]);
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { face, ..Terms::default() });
        market.endorse(bill, ent(2), ent(3));
        market.discount(bill, ent(3), bank(2), 12_000);
        market
    };
    holds("P147", &case(yuan(1_000_000), 1), &["E0000000003 2025-03-03"]);
    quiet("P147", &case(yuan(1_000_000) - 1, 1));
    quiet("P147", &case(yuan(1_000_000), 2));
}

#[test]
fn p151_trade_that_does_not_fit() {
    let case = |face, section: &str| {
        let mut market = Market::new();
        market.register(1, &[(Field::IndustrySection, code("A"))]);
        market.register(2, &[(Field::IndustrySection, code(section))]);
        market.at("2025-03-03", "09:00");
        let bill = market.accept(&Terms { face, ..Terms::default() });
        (market, bill)
    };
    let (market, bill) = case(yuan(1_000_000), "J");
    holds("P151", &market, &[&format!("{bill} 2025-03-03")]);
    quiet("P151", &case(yuan(1_000_000) - 1, "J").0);
    quiet("P151", &case(yuan(1_000_000), "I").0);
    // An unknown section counts as weight 1.
    quiet("P151", &case(yuan(1_000_000), "ZZ").0);
}

#[test]
fn p156_finance_company_accepts_for_a_stranger() {
    let case = |drawer_group: Option<u64>| {
        let mut market = Market::new();
        let group = |number| (Field::GroupId, Value::Party(PartyId::group(number)));
        market.fact(
            "MST.ISN",
            None,
            PartyId::SYSTEM,
            bank(5),
            &[
                (Field::ParticipantCode, Value::Inst(InstId(100_105_001))),
                (Field::LegalInstId, Value::Party(bank(5))),
                (Field::InstType, code("301")),
                group(1),
            ],
        );
        if let Some(number) = drawer_group {
            market.register(1, &[group(number)]);
        }
        market.at("2025-03-03", "09:00").accept(&Terms { kind: "FAB", acceptor: bank(5), ..Terms::default() });
        market
    };
    holds("P156", &case(Some(2)), &["100105 2025-03-03"]);
    holds("P156", &case(None), &["100105 2025-03-03"]);
    quiet("P156", &case(Some(1)));
}

#[test]
fn p158_watch_listed_party() {
    let case = |removed: bool| {
        let mut market = Market::new();
        let entry = |action: &str| {
            [(Field::EntId, Value::Party(ent(3))), (Field::ListType, code("WL03")), (Field::ListAction, code(action))]
        };
        market.at("2025-01-02", "09:00").fact("MST.BLK", None, PartyId::SYSTEM, ent(3), &entry("ADD"));
        if removed {
            market.fact("MST.BLK", None, PartyId::SYSTEM, ent(3), &entry("REMOVE"));
        }
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        market.endorse(bill, ent(2), ent(3));
        market
    };
    holds("P158", &case(false), &["E0000000003 2025-03-03"]);
    quiet("P158", &case(true));
}

#[test]
fn p149_name_in_the_request() {
    let case = |field, name: &str| {
        let mut market = Market::new();
        market.register(1, &[(Field::Name, text("华岳（集团）有限公司"))]);
        market.at("2025-03-03", "09:00");
        let terms = Terms { kind: "CAB", acceptor: ent(1), drawer: ent(3), ..Terms::default() };
        let bill = market.register_bill(&terms);
        let about = Some((bill, crate::fact::Range::WHOLE));
        let (from, to) = if field == Field::InitiatorName { (ent(1), ent(3)) } else { (ent(3), ent(1)) };
        market.fact("ACC.REQ", about, from, to, &[(field, text(name))]);
        market
    };
    let name = "华岳(集团)有限公司";
    holds("P149", &case(Field::CounterpartyName, "华嶽(集团)有限公司"), &["E0000000001 2025-03-03"]);
    quiet("P149", &case(Field::CounterpartyName, name));
    quiet("P149", &case(Field::CounterpartyName, "华岳 集团有限公司"));
}

/// An ISS.REG with some fields of its own.
fn registered(terms: &Terms, changes: &[(Field, Value)]) -> (Market, crate::ids::BillId) {
    let mut market = Market::new();
    market.register(5, &[(Field::Name, text("华岳建设有限公司"))]);
    market.at("2025-03-03", "09:00");
    let bill = market.register_bill(terms);
    for (field, value) in changes {
        market.last().set(*field, value.clone());
    }
    (market, bill)
}

#[test]
fn p196_kind_number_and_acceptor() {
    let commercial = Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() };
    let wrong = |terms: &Terms, changes: &[(Field, Value)]| {
        let (market, bill) = registered(terms, changes);
        holds("P196", &market, &[&format!("{bill} 2025-03-03")]);
    };
    let right = |terms: &Terms, changes: &[(Field, Value)]| quiet("P196", &registered(terms, changes).0);
    right(&commercial, &[]);
    right(&Terms::default(), &[]);
    right(&Terms { kind: "FAB", acceptor: bank(5), ..Terms::default() }, &[]);
    right(&commercial, &[(Field::AcceptorName, text("华岳建设有限公司")), (Field::Remark, text("货款"))]);
    right(&Terms::default(), &[(Field::AcceptorName, text("某某银行"))]);
    // The number says bank bill, the kind commercial.
    wrong(&Terms { acceptor: ent(5), ..Terms::default() }, &[(Field::BillKind, code("CAB"))]);
    wrong(&Terms { acceptor: bank(2), ..commercial.clone() }, &[]);
    wrong(&Terms { acceptor: ent(5), ..Terms::default() }, &[]);
    wrong(&Terms { kind: "FAB", ..Terms::default() }, &[]);
    wrong(&commercial, &[(Field::AcceptorName, text("华岳银行"))]);
    wrong(&commercial, &[(Field::AcceptorName, text("华岳财务公司"))]);
    wrong(&commercial, &[(Field::Remark, text("本票为银行承兑"))]);
}

#[test]
fn p197_the_acceptor_is_called_otherwise() {
    let terms = Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() };
    let case = |name: &str| registered(&terms, &[(Field::AcceptorName, text(name))]).0;
    holds("P197", &case("华岳建没有限公司"), &["E0000000005 2025-03-03"]);
    quiet("P197", &case("华岳 建设有限公司"));
}
