//! Tests of what is accepted and flagged. The refusals are tested through the doors, in `ndjson` and `columns`.

use super::*;
use crate::{
    arbitrary::plain_fact,
    catalogue::Catalogue,
    fact::{Behaviour, behaviour},
    ids::{Code, InstId},
};

fn bill(text: &str) -> BillId {
    BillId::parse(text).unwrap()
}

#[test]
fn every_rule_of_the_bill_number() {
    use BillNumberFault::*;
    let issued = Day::parse("2025-03-10");
    let known = |number: u64| number == 313_331_000_117;
    let faults = |text: &str, issued| bill_number_faults(bill(text), issued, known, &[1, 2, 5, 6, 7, 8], true).to_vec();
    assert_eq!(faults("531333100011720250310000000012", issued), []);
    assert_eq!(faults("531333100011720250310000000012", None), []);
    assert_eq!(faults("531333100011720250310000000016", issued), [CheckDigit]);
    assert_eq!(faults("53133310001172025031000000001", issued), [Length]);
    assert_eq!(faults("0531333100011720250310000000012", issued), [Length]);
    assert_eq!(faults("431333100011720250310000000011", issued), [Kind]);
    assert_eq!(faults("031333100011720250310000000017", issued), [Kind], "a leading zero is a digit");
    assert_eq!(faults("531333100011820250310000000013", issued), [Bank]);
    assert_eq!(faults("531333100011720250311000000013", issued), [Date]);
    assert_eq!(faults("531333100011720250230000000013", None), [Date], "no such day");
    let off = bill_number_faults(bill("531333100011720250310000000016"), issued, known, &[5], false);
    assert!(off.is_empty());
}

#[test]
fn the_check_character_of_a_credit_code() {
    for good in ["91350100M000100Y43", "91310000631696382C"] {
        assert!(credit_code_is_good(good), "{good}");
        // Any other last character is wrong.
        for other in "0123456789ABCDEFGHJKLMNPQRTUWXY".chars().filter(|other| !good.ends_with(*other)) {
            assert!(!credit_code_is_good(&format!("{}{other}", &good[..17])), "{good} with {other}");
        }
    }
    for bad in [
        "",
        "91350100M000100Y4",
        "91350100M000100Y433",
        "91350100M000100y43",
        "9135O100M000100Y43",
        "９1350100M00100Y4",
    ] {
        assert!(!credit_code_is_good(bad), "{bad}");
    }
}

#[test]
fn a_bill_without_its_range_alerts_where_the_range_does_not_place_the_fact() {
    let catalogue = Catalogue::embedded();
    for behaviour in [behaviour::MST_TBK, behaviour::CSH_FEE, behaviour::RDC_SUP] {
        let mut fact = plain_fact(behaviour);
        let found = |fact: &Fact| {
            let found = missing_mandatory(fact, None, &catalogue);
            assert_eq!(misses_mandatory(fact, || None, &catalogue), !found.is_empty());
            found.iter().any(|field| matches!(field, Field::SubStart | Field::SubEnd))
        };
        assert!(!found(&fact), "{behaviour}: a sent 0,0 is a range");
        fact.range_given = false;
        assert!(found(&fact), "{behaviour}");
        fact.bill_id = None;
        assert!(!found(&fact), "{behaviour}: without a bill there is no range");
    }
}

#[test]
fn missing_fields_alert_by_their_conditions() {
    let catalogue = Catalogue::embedded();
    let mut fact = plain_fact(behaviour::ACC_SGN);
    fact.set(Field::InitiatorId, Value::Party(PartyId::legal(100_101)));
    let marks = |kind: &str, medium: &str| Some(BillMarks { kind: Code::of(kind), medium: Code::of(medium) });
    let missing = |fact: &Fact, bill| {
        let found = missing_mandatory(fact, bill, &catalogue).to_vec();
        assert_eq!(misses_mandatory(fact, || bill, &catalogue), !found.is_empty());
        found
    };
    let unknown_bill = missing(&fact, None);
    assert!(unknown_bill.contains(&Field::AmountFen));
    assert!(unknown_bill.contains(&Field::CounterpartyId));
    assert!(unknown_bill.contains(&Field::InitiatorInst), "a legal institution has a branch");
    assert!(!unknown_bill.contains(&Field::CounterpartyInst), "there is no counterparty");
    assert!(!unknown_bill.contains(&Field::MarginFen) && !unknown_bill.contains(&Field::ContractNo));
    assert!(missing(&fact, marks("BAB", "PAPER")).contains(&Field::MarginFen));
    assert!(!missing(&fact, marks("CAB", "ELEC")).contains(&Field::MarginFen));
    assert!(missing(&fact, marks("CAB", "ELEC")).contains(&Field::ContractNo));
    fact.set(Field::InitiatorInst, Value::Inst(InstId(100_101_001)));
    assert!(!missing(&fact, None).contains(&Field::InitiatorInst));
    fact.set(Field::InitiatorId, Value::Party(PartyId::SYSTEM));
    fact.fields.retain(|(field, _)| *field != Field::InitiatorInst);
    assert!(!missing(&fact, None).contains(&Field::InitiatorInst), "the system has no branch");

    let mut relation = plain_fact(behaviour::MST_GRP);
    relation.bill_id = None;
    assert!(missing(&relation, None).contains(&Field::GroupId), "MEMBER when absent");
    relation.set(Field::RelationKind, Value::Code(Code::of("RELATED")));
    assert!(!missing(&relation, None).contains(&Field::GroupId));
    assert!(missing(&relation, None).contains(&Field::RelatedId));
}

#[test]
fn unknown_codes_are_found_in_codes_and_lists() {
    let catalogue = Catalogue::embedded();
    let mut fact = plain_fact(behaviour::MST_ENR);
    fact.set(Field::Province, Value::Code(Code::of("330000")));
    assert_eq!(unknown_codes(&fact, &catalogue).next(), None);
    fact.set(Field::Province, Value::Code(Code::of("999999")));
    fact.set(Field::SpecialFlags, Value::Codes([Code::of("CSOE"), Code::of("ZZZ")].into()));
    assert_eq!(unknown_codes(&fact, &catalogue).collect::<Vec<_>>(), [Field::Province, Field::SpecialFlags]);
}

#[test]
fn a_value_of_another_type_is_refused() {
    let catalogue = Catalogue::embedded();
    let mut fact = plain_fact(behaviour::PAY_MAT);
    check(&Record::Fact(fact.clone()), &catalogue).unwrap();
    fact.set(Field::AmountFen, Value::Bool(true));
    let refusal = check(&Record::Fact(fact.clone()), &catalogue).unwrap_err();
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::FieldType, Some("amount_fen")));
    assert_eq!((refusal.source.as_deref(), refusal.source_seq, refusal.event_id), (Some("NGBS"), Some(1), Some(1)));
    fact.fields = vec![(Field::Remark, Value::Text("a".into())), (Field::InitiatorId, Value::Party(PartyId::SYSTEM))];
    let refusal = check(&Record::Fact(fact), &catalogue).unwrap_err();
    assert_eq!(refusal.field.as_deref(), Some("initiator_id"), "out of order");
}

#[test]
fn the_text_form_of_a_field_gives_its_value() {
    let catalogue = Catalogue::embedded();
    let value = |field, text| value_from_text(field, text, &catalogue);
    assert_eq!(value(Field::Employees, "12").unwrap(), Value::Int(12));
    assert_eq!(value(Field::LegalRepId, "N0000000007").unwrap(), Value::Party(PartyId::person(7)));
    assert_eq!(value(Field::Divisible, "true").unwrap(), Value::Bool(true));
    let flags = Value::Codes([Code::of("CSOE"), Code::of("SRDI")].into());
    assert_eq!(value(Field::SpecialFlags, "SRDI,CSOE").unwrap(), flags);
    assert_eq!(value(Field::Employees, "-1").unwrap_err().code, RefusalCode::FieldType);
    assert_eq!(value(Field::RegDate, "2025-02-30").unwrap_err().field.as_deref(), Some("reg_date"));
}

#[test]
fn every_behaviour_can_be_sent() {
    let catalogue = Catalogue::embedded();
    for number in 0..crate::fact::BEHAVIOUR_CODES.len() as u16 {
        let mut fact = plain_fact(Behaviour(number));
        for &field in &catalogue.payloads.of(fact.behaviour).refuses {
            let text = match catalogue.fields.get(field).kind {
                FieldKind::Party => "100101",
                FieldKind::Enterprise => "E0000000001",
                FieldKind::Legal => "100101",
                FieldKind::Inst => "100101001",
                FieldKind::Date => "2025-07-08",
                FieldKind::Integer => "1",
                FieldKind::Code(_) => "X",
                FieldKind::Text => "name",
                _ => continue,
            };
            fact.set(field, value_from_text(field, text, &catalogue).unwrap());
        }
        check(&Record::Fact(fact), &catalogue).unwrap();
    }
}
