//! Reference data as of an instant: late arrivals, corrections, curves, lists, relations.

use std::sync::Arc;

use billwatch_market::{
    catalogue::Catalogue,
    fact::{Behaviour, CorrectionKind, Fact, Field, Range, Source, Stamp, Value},
    ids::{Code, DAY_MS, Day, InstId, PartyId},
    items::Vocabulary,
    reference_data::{Reference, Subject},
};
use proptest::prelude::*;

const ALPHA: PartyId = PartyId::enterprise(1);
const BETA: PartyId = PartyId::enterprise(2);
const BANK: PartyId = PartyId::legal(100_103);

/// Instant of noon on the n-th day of 2025.
fn noon(day: i64) -> i64 {
    start().start_ms() + day * DAY_MS + DAY_MS / 2
}

fn start() -> Day {
    Day::from_ymd(2025, 1, 1).unwrap()
}

/// A fact of the n-th day with these fields; its number is its event id.
fn fact(number: u128, code: &str, day: i64, fields: &[(Field, Value)]) -> Fact {
    let mut fact = Fact {
        event_id: number,
        behaviour: Behaviour::parse(code).unwrap(),
        event_time: noon(day),
        biz_date: start().plus(day as i32),
        source: Source::Refd,
        source_seq: number as u64,
        stamp: Stamp::default(),
        bill_id: None,
        range: Range::WHOLE,
        range_given: false,
        correction: None,
        fields: vec![],
    };
    for (field, value) in fields {
        fact.set(*field, value.clone());
    }
    fact
}

fn code(text: &str) -> Value {
    Value::Code(Code::parse(text).unwrap())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn date(text: &str) -> Value {
    Value::Date(Day::parse(text).unwrap())
}

fn registered(number: u128, day: i64, party: PartyId, province: &str) -> Fact {
    fact(
        number,
        "MST.ENR",
        day,
        &[
            (Field::EntId, Value::Party(party)),
            (Field::Province, code(province)),
            (Field::Name, text("江州云锦纺织有限公司")),
            (Field::Uscc, text("91330100MA0000017T")),
            (Field::LegalRepId, Value::Party(PartyId::person(party.number()))),
        ],
    )
}

fn changed(number: u128, day: i64, party: PartyId, field: &str, value: &str) -> Fact {
    fact(
        number,
        "MST.ENC",
        day,
        &[(Field::EntId, Value::Party(party)), (Field::FieldName, text(field)), (Field::NewValue, text(value))],
    )
}

fn correct(number: u128, kind: CorrectionKind, mut content: Fact, target: u128) -> Fact {
    content.event_id = number;
    content.source_seq = number as u64;
    content.correction = Some((kind, target));
    if kind == CorrectionKind::Revoke {
        content.fields.clear();
    }
    content
}

fn reference(facts: &[Fact]) -> Reference {
    let vocabulary = Arc::new(Vocabulary::of(&Catalogue::embedded()).unwrap());
    let mut reference = Reference::new(vocabulary);
    for fact in facts {
        reference.insert(fact.clone());
    }
    reference
}

fn province(reference: &Reference, party: PartyId, at: i64) -> Option<String> {
    let row = reference.enterprise(party, at)?.province;
    let vocabulary = reference.vocabulary();
    Some(vocabulary.code_text(vocabulary.known.province, row)?.to_owned())
}

#[test]
fn attributes_are_those_of_the_instant_however_late_they_came() {
    let facts = [
        changed(3, 20, ALPHA, "province", "440000"),
        registered(1, 0, ALPHA, "330000"),
        changed(2, 10, ALPHA, "province", "310000"),
    ];
    let reference = reference(&facts);
    assert_eq!(province(&reference, ALPHA, noon(-1)), None, "before its registration");
    assert_eq!(province(&reference, ALPHA, noon(0)).as_deref(), Some("330000"));
    assert_eq!(province(&reference, ALPHA, noon(10) - 1).as_deref(), Some("330000"));
    assert_eq!(province(&reference, ALPHA, noon(10)).as_deref(), Some("310000"));
    assert_eq!(province(&reference, ALPHA, noon(99)).as_deref(), Some("440000"));
    assert_eq!(reference.registered_name("91330100MA0000017T", noon(5)), Some("江州云锦纺织有限公司"));
    assert_eq!(reference.registered_name("91330100MA0000017T", noon(-5)), None);
}

#[test]
fn a_revocation_that_names_nobody_finds_its_target_before_and_after_it() {
    let base = registered(1, 0, ALPHA, "330000");
    let change = changed(2, 10, ALPHA, "province", "310000");
    let revoke = correct(3, CorrectionKind::Revoke, change.clone(), 2);
    for order in [[&base, &change, &revoke], [&revoke, &change, &base], [&change, &revoke, &base]] {
        let reference = reference(&order.map(Clone::clone));
        assert_eq!(province(&reference, ALPHA, noon(50)).as_deref(), Some("330000"));
    }
    let mut known = reference(&[base.clone(), change]);
    let touched = known.insert(revoke);
    assert_eq!(touched.subjects.as_slice(), [(Subject::Party(ALPHA), noon(10))]);
}

#[test]
fn a_replacement_may_move_a_fact_to_another_enterprise() {
    let wrong = registered(1, 0, ALPHA, "330000");
    let right = correct(2, CorrectionKind::Replace, registered(2, 5, BETA, "440000"), 1);
    let mut reference = reference(&[wrong]);
    let touched = reference.insert(right);
    assert_eq!(touched.subjects.as_slice(), [(Subject::Party(ALPHA), noon(0)), (Subject::Party(BETA), noon(5))]);
    assert_eq!(province(&reference, ALPHA, noon(50)), None);
    assert_eq!(province(&reference, BETA, noon(50)).as_deref(), Some("440000"));
}

fn reference_with_absurd_rates() -> Reference {
    let point = |number, tenor: &str, rate| {
        fact(
            number,
            "REF.CRV",
            0,
            &[(Field::BillClass, code("BCL1")), (Field::CurveTenor, code(tenor)), (Field::RateE4, Value::Int(rate))],
        )
    };
    reference(&[point(1, "TM030", i64::MAX), point(2, "TM090", -i64::MAX)])
}

#[test]
fn curves_are_linear_half_up_and_flat_outside() {
    let point = |number, day, tenor: &str, rate| {
        fact(
            number,
            "REF.CRV",
            day,
            &[(Field::BillClass, code("BCL1")), (Field::CurveTenor, code(tenor)), (Field::RateE4, Value::Int(rate))],
        )
    };
    let reference =
        reference(&[point(1, 0, "TM030", 9_800), point(2, 0, "TM090", 10_401), point(3, 9, "TM090", 20_000)]);
    let vocabulary = reference.vocabulary();
    let class = vocabulary.row_of_text(vocabulary.known.bill_class, "BCL1");
    let curve = |days, day| reference.curve_e4(class, days, noon(day));
    assert_eq!(curve(60, -1), None);
    assert_eq!(curve(7, 0), Some(9_800));
    assert_eq!(curve(30, 0), Some(9_800));
    assert_eq!(curve(60, 0), Some(10_101), "10100.5 goes up");
    assert_eq!(curve(400, 0), Some(10_401));
    assert_eq!(curve(60, 9), Some(14_900), "each point is the latest of its tenor");
    let absurd = reference_with_absurd_rates();
    assert_eq!(absurd.curve_e4(class, 60, noon(0)), Some(0), "no overflow");
    let other = vocabulary.row_of_text(vocabulary.known.bill_class, "BCL2");
    assert_eq!(reference.curve_e4(other, 60, noon(0)), None);
}

#[test]
fn lists_hold_from_their_first_to_their_last_day_unless_removed() {
    let entry = |number, day, action: &str| {
        fact(
            number,
            "MST.BLK",
            day,
            &[
                (Field::EntId, Value::Party(ALPHA)),
                (Field::ListType, code("WL06")),
                (Field::ListAction, code(action)),
                (Field::FromDate, date("2025-01-05")),
                (Field::ToDate, date("2025-01-20")),
            ],
        )
    };
    let overdue = fact(
        3,
        "DIS.OVL",
        40,
        &[
            (Field::AcceptorId, Value::Party(ALPHA)),
            (Field::PeriodMonth, text("2025-01")),
            (Field::OverdueBalFen, Value::Int(1)),
        ],
    );
    let reference = reference(&[entry(1, 0, "ADD"), entry(2, 12, "REMOVE"), overdue]);
    let lists = |day: i64| -> Vec<String> {
        let vocabulary = reference.vocabulary();
        let rows = reference.watch_lists(ALPHA, noon(day), start().plus(day as i32));
        rows.iter()
            .map(|row| vocabulary.code_text(vocabulary.known.watch_list_type, *row).unwrap().to_owned())
            .collect()
    };
    assert!(lists(3).is_empty(), "not yet in force");
    assert_eq!(lists(4), ["WL06"]);
    assert!(lists(13).is_empty(), "removed");
    assert_eq!(lists(41), ["WL01"], "the list of the month before");
    assert!(lists(75).is_empty(), "two months later");
}

#[test]
fn bank_numbers_are_known_while_a_branch_has_them() {
    let branch = |number, day, bank_no: &str| {
        let code = (Field::ParticipantCode, Value::Inst(InstId(100_101_001)));
        fact(number, "MST.ISN", day, &[code, (Field::LegalInstId, Value::Party(BANK)), (Field::BankNo, text(bank_no))])
    };
    let renumbered = fact(
        2,
        "MST.ISC",
        5,
        &[
            (Field::ParticipantCode, Value::Inst(InstId(100_101_001))),
            (Field::FieldName, text("bank_no")),
            (Field::NewValue, text("313331000025")),
        ],
    );
    let mut known = reference(&[branch(1, 1, "313331000017")]);
    let knows = |known: &Reference, number, day| known.knows_bank_number(number, noon(day));
    assert!(!knows(&known, 313_331_000_017, 0) && knows(&known, 313_331_000_017, 9));
    let touched = known.insert(renumbered.clone()).subjects;
    for number in [313_331_000_017, 313_331_000_025] {
        assert!(touched.iter().any(|(subject, _)| *subject == Subject::BankNumber(number)), "{touched:?}");
    }
    assert!(knows(&known, 313_331_000_017, 4) && !knows(&known, 313_331_000_017, 6));
    assert!(!knows(&known, 313_331_000_025, 4) && knows(&known, 313_331_000_025, 6));
    known.remove(&renumbered);
    assert!(knows(&known, 313_331_000_017, 6) && !knows(&known, 313_331_000_025, 6));
}

#[test]
fn a_list_entry_without_enterprise_and_code_is_about_its_counterparty() {
    let entry = |fields: &[(Field, Value)]| {
        let common = [(Field::ListType, code("WL06")), (Field::ListAction, code("ADD"))];
        let entry = fact(1, "MST.BLK", 0, &[&common, fields].concat());
        let reference = reference(&[entry]);
        [ALPHA, BETA].map(|party| reference.block_lists(party, noon(1), start().plus(1)).len())
    };
    let beside = (Field::CounterpartyId, Value::Party(BETA));
    assert_eq!(entry(std::slice::from_ref(&beside)), [0, 1]);
    assert_eq!(entry(&[(Field::EntId, Value::Party(ALPHA)), beside.clone()]), [1, 0], "the enterprise goes first");
    let by_code = (Field::Uscc, text("91330100MA0000015W"));
    assert_eq!(entry(&[by_code, beside]), [0, 0], "a code says whom it means, and is nobody's here");
}

#[test]
fn relations_hold_both_ways_while_in_force() {
    let related = fact(
        1,
        "MST.GRP",
        0,
        &[
            (Field::EntId, Value::Party(ALPHA)),
            (Field::RelatedId, Value::Party(BETA)),
            (Field::RelationKind, code("RELATED")),
            (Field::ToDate, date("2025-01-10")),
        ],
    );
    let known = reference(&[related]);
    let holds = |a, b, day: i64| known.related(a, b, noon(day), start().plus(day as i32));
    assert!(holds(ALPHA, BETA, 5) && holds(BETA, ALPHA, 5));
    assert!(!holds(ALPHA, BETA, 11), "ended");
    assert!(!holds(ALPHA, ALPHA, 5));
    let same_person = reference(&[
        registered(1, 0, ALPHA, "330000"),
        changed(3, 4, BETA, "legal_rep_id", "N0000000001"),
        registered(2, 0, BETA, "330000"),
    ]);
    assert!(!same_person.related(ALPHA, BETA, noon(3), start().plus(3)));
    assert!(same_person.related(ALPHA, BETA, noon(4), start().plus(4)));
}

#[test]
fn institutions_are_read_by_branch_else_by_head_office() {
    let branch = |number, code_of: u32, province: &str| {
        fact(
            number,
            "MST.ISN",
            0,
            &[
                (Field::ParticipantCode, Value::Inst(InstId(code_of))),
                (Field::LegalInstId, Value::Party(BANK)),
                (Field::InstType, code("205")),
                (Field::Province, code(province)),
            ],
        )
    };
    let sheet = fact(
        4,
        "MST.FIN",
        2,
        &[(Field::LegalInstId, Value::Party(BANK)), (Field::TotalAssetsFen, Value::Int(30_000_000_000_001))],
    );
    let succession = fact(
        5,
        "MST.ISA",
        5,
        &[
            (Field::ParticipantCode, Value::Inst(InstId(100_103_002))),
            (Field::SuccessorCode, Value::Inst(InstId(100_103_001))),
        ],
    );
    let reference = reference(&[branch(2, 100_103_002, "440000"), branch(1, 100_103_001, "310000"), sheet, succession]);
    let vocabulary = reference.vocabulary().clone();
    let province = |branch: Option<u32>, day| {
        let found = reference.institution(Some(BANK), branch.map(InstId), noon(day))?;
        vocabulary.code_text(vocabulary.known.province, found.province).map(str::to_owned)
    };
    assert_eq!(province(None, 1).as_deref(), Some("310000"), "the lowest code is the head office");
    assert_eq!(province(Some(100_103_002), 1).as_deref(), Some("440000"));
    assert_eq!(province(Some(100_103_002), 5).as_deref(), Some("310000"), "its successor took over");
    assert_eq!(province(Some(999_999_999), 1), None);
    let tier = |day| {
        let kind = reference.institution(Some(BANK), None, noon(day)).unwrap().kind;
        let assets = reference.balance_sheet(BANK, noon(day)).and_then(|sheet| sheet.total_assets_fen);
        vocabulary.code_text(vocabulary.known.institution_tier, reference.tier(kind, assets)).unwrap().to_owned()
    };
    assert_eq!((tier(1).as_str(), tier(2).as_str()), ("SMALL", "MEDIUM"));
}

proptest! {
    #[test]
    fn any_order_of_arrival_reads_the_same(order in Just((0..9).collect::<Vec<usize>>()).prop_shuffle()) {
        let facts = [
            registered(1, 0, ALPHA, "330000"),
            changed(2, 10, ALPHA, "province", "310000"),
            changed(3, 10, ALPHA, "province", "320000"),
            registered(4, 30, ALPHA, "440000"),
            correct(5, CorrectionKind::Revoke, changed(2, 10, ALPHA, "province", "310000"), 3),
            correct(6, CorrectionKind::Revoke, changed(2, 10, ALPHA, "province", "310000"), 5),
            correct(7, CorrectionKind::Replace, registered(4, 25, ALPHA, "450000"), 4),
            fact(8, "MST.ENX", 40, &[(Field::EntId, Value::Party(ALPHA))]),
            // A variant of fact 1: the smaller number counts.
            Fact { source_seq: 99, ..registered(1, 0, ALPHA, "110000") },
        ];
        let shuffled: Vec<Fact> = order.iter().map(|at| facts[*at].clone()).collect();
        let reference = reference(&shuffled);
        let readings: Vec<_> = [0, 10, 24, 25, 35].map(|day| province(&reference, ALPHA, noon(day))).into_iter().flatten().collect();
        prop_assert_eq!(readings, ["330000", "320000", "320000", "450000", "450000"]);
        let vocabulary = reference.vocabulary();
        let status = reference.enterprise(ALPHA, noon(41)).unwrap().registry_status;
        prop_assert_eq!(vocabulary.code_text(vocabulary.known.registry_status, status), Some("DEREG"));
        prop_assert_eq!(reference.records().count(), facts.len());
    }
}
