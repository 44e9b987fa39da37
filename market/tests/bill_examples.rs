//! The worked examples of `market/examples`: after each line in arrival order, the bill folded again from all that has
//! arrived gives the expected effect and lots.

mod common;

use std::collections::BTreeMap;

use billwatch_market::{
    bill::{Bill, Effect, Laws, Lot, Outcome, Status},
    catalogue::Catalogue,
    corrections::{Effective, effective},
    fact::{EventId, Fact, behaviour},
    ids::{BillId, Day},
};
use serde_json::{Value as Json, json};

const EXAMPLES: [&str; 7] = [
    "b-plain-bab",
    "c-split-package",
    "d-cab-recourse",
    "e-unsuccessful",
    "f-late-corrections",
    "f-shuffled",
    "g-flagged",
];

fn laws() -> Laws {
    Laws::new(&Catalogue::embedded()).unwrap()
}

/// All that has arrived, by bill; `None` holds what is about no bill.
type Arrived = BTreeMap<Option<BillId>, Vec<Fact>>;

struct Folded {
    bill: Bill,
    effective: Effective,
    outcomes: Vec<Outcome>,
}

fn fold(records: &[Fact], laws: &Laws) -> Folded {
    let effective = effective(records.to_vec());
    let (bill, outcomes) = Bill::fold(&effective.facts, laws);
    Folded { bill, effective, outcomes }
}

impl Folded {
    fn effect_of(&self, event: EventId) -> Option<Effect> {
        let at = self.effective.facts.iter().position(|fact| fact.event_id == event)?;
        Some(self.outcomes[at].effect)
    }
}

fn shown(lot: &Lot) -> Json {
    json!({
        "range": format!("{}-{}", lot.range.start, lot.range.end),
        "holder": lot.holder.to_string(),
        "status": lot.status.code(),
        "flag": lot.flag.code(),
        "risk": lot.risk.code(),
        "pay_state": lot.pay_state.code(),
        "hops": lot.hops,
    })
}

fn lots(bill: &Bill) -> Json {
    bill.lots.iter().map(shown).collect()
}

/// Everything of an example, after the reference data that is loaded first.
fn arrive_all(example: &str) -> Arrived {
    let mut arrived = Arrived::new();
    for fact in common::facts("a-reference").into_iter().chain(common::facts(example)).flatten() {
        arrived.entry(fact.bill_id).or_default().push(fact);
    }
    arrived
}

#[test]
fn every_step_is_as_expected() {
    let laws = laws();
    for example in EXAMPLES {
        let expected = common::expected(example);
        let mut arrived = Arrived::new();
        for (line, fact) in common::facts(example).into_iter().enumerate() {
            let Some(fact) = fact else { continue };
            let step = &expected["steps"][line];
            let place = format!("{example} line {} {}", line + 1, fact.behaviour);
            let records = arrived.entry(fact.bill_id).or_default();
            records.push(fact.clone());
            let folded = fold(records, &laws);
            if let Some(effect) = step["effect"].as_str() {
                assert_eq!(folded.effect_of(fact.event_id).map(Effect::name), Some(effect), "{place}");
            }
            if fact.bill_id.is_some() {
                assert_eq!(lots(&folded.bill), step["lots"], "{place}");
            }
        }
    }
}

#[test]
fn final_state_is_as_expected_in_any_arrival_order() {
    let laws = laws();
    for example in EXAMPLES {
        let expected = common::expected(example);
        let folded: BTreeMap<_, _> =
            arrive_all(example).into_iter().map(|(bill, records)| (bill, fold(&records, &laws))).collect();
        for (event, effect) in expected["final_effects"].as_object().unwrap() {
            let event: EventId = event.parse().unwrap();
            let found = folded.values().find_map(|folded| folded.effect_of(event));
            assert_eq!(found.map(Effect::name), effect.as_str(), "{example} {event}");
        }
        for (bill, expected) in expected["final_lots"].as_object().unwrap() {
            assert_eq!(lots(&folded[&BillId::parse(bill)].bill), *expected, "{example} {bill}");
        }
        let mut splits = Vec::new();
        for folded in folded.values() {
            for (fact, outcome) in folded.effective.facts.iter().zip(&folded.outcomes) {
                let mut made: Vec<_> = outcome.cuts.iter().filter(|cut| cut.behaviour != behaviour::SPL_RST).collect();
                made.sort_by_key(|cut| cut.range.start);
                if !made.is_empty() {
                    let lots: Vec<String> = made.iter().map(|cut| cut.range.to_string()).collect();
                    splits.push(json!({ "request": fact.event_id.to_string(), "lots": lots }));
                }
            }
        }
        assert_eq!(Json::from(splits), expected["splits"], "{example}");
    }
}

#[test]
fn waiting_variants_and_corrections_of_g_are_told_apart() {
    let arrived = arrive_all("g-flagged");
    let results: Vec<Effective> = arrived.into_values().map(effective).collect();
    let waiting: Vec<String> = results.iter().flat_map(|result| &result.waiting).map(u128::to_string).collect();
    assert_eq!(waiting, ["97000000000000000000022"]);
    let variants: Vec<String> =
        results.iter().flat_map(|result| &result.variants).map(|variant| variant.event_id.to_string()).collect();
    assert_eq!(variants, ["97000000000000000000016"]);
}

#[test]
fn the_margin_of_g_follows_its_chain_of_corrections() {
    let laws = laws();
    let expected = &common::expected("g-flagged")["corrections_of_ACC.SGN"];
    let bill = BillId::parse("531333100011720250701000000219");
    let mut records = Vec::new();
    let mut margins = Vec::new();
    for fact in common::facts("g-flagged").into_iter().flatten().filter(|fact| fact.bill_id == bill) {
        let is_correction = fact.correction.is_some() && fact.behaviour == behaviour::ACC_SGN;
        records.push(fact);
        if is_correction {
            margins.push(fold(&records, &laws).bill.header.unwrap().margin_fen);
        }
    }
    let after = |name: &str| expected[name].as_i64().unwrap();
    assert_eq!(margins, [after("after_x1"), after("after_x2"), after("after_x3"), after("after_x4")]);
}

#[test]
fn the_refused_bill_of_d_is_overdue_since_its_refusal() {
    let laws = laws();
    let arrived = arrive_all("d-cab-recourse");
    let bill = fold(&arrived[&BillId::parse("631333100011720250512000000039")], &laws).bill;
    let lot = &bill.lots[0];
    assert_eq!(lot.overdue_since, Day::parse("2025-11-12"));
    assert_eq!((lot.status, lot.recourse_depth()), (Status::Due, 2));
    let days = Day::parse("2025-11-27").unwrap().0 - bill.header.unwrap().due_date.0;
    assert_eq!(Json::from(days), common::expected("d-cab-recourse")["overdue"]["lot_overdue_days_at_2025-11-27"]);
}
