//! Crosses against the plain evaluator: ordered in the middle of a market, filled while late facts and corrections come,
//! dropped, ordered again, saved and restored.

mod common;

use std::{collections::BTreeSet, sync::Arc};

use billwatch_market::{
    aggregate::cross::{
        CrossDefinition, CrossQuestion,
        wire::{CrossPart, GatheredCross},
    },
    catalogue::Catalogue,
    evaluator::{self, Sets, Views},
    ids::Day,
};
use billwatch_proto::v1::{self, order::Kind};
use billwatch_workers::harness::{EngineHarness, EpochResult};
use common::{Dice, Market, corrected, examples, multiplied};

fn crosses() -> Vec<CrossDefinition> {
    vec![
        CrossDefinition::of("T04", &["D.bill_kind", "D.endorsee.prov", "D.amt", "D.hops"]),
        CrossDefinition::of("T20", &["D.acc_inst.type", "D.rtenor"]).only("D.bill_kind", &["BAB", "CAB"]),
        CrossDefinition::of("T23", &["D.ent.prov", "D.ent.size", "D.role"]),
        CrossDefinition::of("T36", &["D.behav", "D.inst.type"]),
        CrossDefinition::of("T34", &["D.inst.type", "D.month"]),
    ]
}

fn keep(definition: &CrossDefinition) -> Kind {
    let filter = |filter: &billwatch_market::aggregate::cross::CrossFilter| v1::CrossFilter {
        dimension: filter.dimension.clone(),
        items: filter.items.clone(),
    };
    Kind::KeepCross(v1::KeepCross {
        theme: definition.theme.clone(),
        dimensions: definition.dimensions.clone(),
        filters: definition.filters.iter().map(filter).collect(),
        title: String::new(),
    })
}

fn rules(catalogue: &Arc<Catalogue>, crosses: &[CrossDefinition]) -> evaluator::Rules {
    evaluator::Rules::new(catalogue).unwrap().with_crosses(crosses).unwrap()
}

fn views(market: &Market, catalogue: &Arc<Catalogue>, crosses: &[CrossDefinition], sets: Sets) -> Views {
    evaluator::evaluate_by(&market.facts, market.clock, &rules(catalogue, crosses), sets)
}

fn assert_equal(engine: &mut EngineHarness, views: &Views, name: &str) {
    let (hash, rows) = engine.view_hashes().unwrap()["crosses"];
    let wanted = views.cross_rows();
    if (hash, rows as usize) != (views.crosses_hash().0, wanted.len()) {
        let found = engine.view_rows("crosses").unwrap();
        let missing: Vec<_> = wanted.iter().filter(|row| !found.contains(row)).take(5).collect();
        let extra: Vec<_> = found.iter().filter(|row| !wanted.contains(row)).take(5).collect();
        panic!("{name}: {rows} rows for {}; missing {missing:#?}, extra {extra:#?}", wanted.len());
    }
}

/// Feeds epochs until every worker has said that it is done with all of its crosses.
fn finish(engine: &mut EngineHarness, threads: usize, crosses: usize) {
    let mut done = BTreeSet::new();
    for _ in 0..5_000 {
        note_done(&mut done, &engine.feed(&[], None).unwrap());
        if done.len() == threads * crosses {
            return;
        }
    }
    panic!("not filled after 5000 epochs: {done:?}");
}

/// Which worker is done with which cross.
fn note_done(done: &mut BTreeSet<(u64, u32)>, result: &EpochResult) {
    for said in &result.crosses {
        if said.done {
            done.insert((said.cross, said.worker));
        } else {
            done.remove(&(said.cross, said.worker));
        }
    }
}

#[test]
fn filled_in_the_middle_of_late_facts_and_corrections() {
    let catalogue = Catalogue::embedded();
    let crosses = crosses();
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let market = corrected(&multiplied(&examples("abcde", &catalogue), 6), 80, &mut dice);
        let mut arriving = Market { facts: market.facts.clone(), clock: market.clock };
        if seed % 2 == 1 {
            dice.shuffle(&mut arriving.facts);
        }
        let threads = 1 + seed as usize % 3;
        // Without a disk lives are read by number, with one mostly from the store in its order.
        let dir = (seed % 4 >= 2).then(|| tempfile::tempdir().unwrap());
        let path = dir.as_ref().map(|dir| dir.path());
        let mut engine = EngineHarness::start_filling_slowly(&catalogue, threads, path, 0).unwrap();
        let parts: Vec<&[_]> = arriving.facts.chunks(arriving.facts.len().div_ceil(30)).collect();
        let (mut unfinished, mut done) = (0, BTreeSet::new());
        for (place, part) in parts.iter().enumerate() {
            // Each begins elsewhere in the market; one life an epoch is counted meanwhile.
            for (number, cross) in crosses.iter().enumerate() {
                if place == 3 + number * 5 {
                    engine.order(keep(cross));
                }
            }
            let result = engine.feed(part, (place + 1 == parts.len()).then_some(market.clock)).unwrap();
            note_done(&mut done, &result);
            unfinished += result.crosses.iter().filter(|said| !said.done && said.lives_counted > 0).count();
        }
        assert!(unfinished > 20, "seed {seed}: crosses were filled at once");
        while done.len() < threads * crosses.len() {
            note_done(&mut done, &engine.feed(&[], None).unwrap());
        }
        let views = views(&market, &catalogue, &crosses, Sets::None);
        assert!(views.cross_rows().len() > 100);
        assert_equal(&mut engine, &views, &format!("seed {seed}, {threads} threads"));
    }
}

#[test]
fn dropped_and_ordered_again() {
    let catalogue = Catalogue::embedded();
    let crosses = crosses();
    let market = multiplied(&examples("abcde", &catalogue), 3);
    let (first, second) = market.facts.split_at(market.facts.len() / 2);
    let mut engine = EngineHarness::start(&catalogue, 2, None, 0).unwrap();
    crosses.iter().for_each(|cross| engine.order(keep(cross)));
    engine.feed(first, None).unwrap();
    let id = rules(&catalogue, &[]).aggregates.cross(&crosses[0]).unwrap().id;
    engine.order(Kind::DropCross(v1::DropCross { cross: id.0, overflown: false }));
    engine.feed(second, Some(market.clock)).unwrap();
    assert_equal(&mut engine, &views(&market, &catalogue, &crosses[1..], Sets::None), "one is dropped");
    // Ordered again, and a second time by somebody else: that changes nothing.
    engine.order(keep(&crosses[0]));
    engine.order(keep(&crosses[0]));
    finish(&mut engine, 2, 1);
    assert_equal(&mut engine, &views(&market, &catalogue, &crosses, Sets::None), "ordered again");
}

#[test]
fn restored_with_its_crosses() {
    let catalogue = Catalogue::embedded();
    let crosses = crosses();
    let mut dice = Dice(11);
    let market = corrected(&multiplied(&examples("abcde", &catalogue), 4), 40, &mut dice);
    let dir = tempfile::tempdir().unwrap();
    let parts: Vec<&[_]> = market.facts.chunks(market.facts.len().div_ceil(4)).collect();
    let mut engine = EngineHarness::start_crowded(&catalogue, 2, Some(dir.path()), 0, 2).unwrap();
    engine.feed(parts[0], None).unwrap();
    crosses.iter().for_each(|cross| engine.order(keep(cross)));
    engine.feed(parts[1], None).unwrap();
    finish(&mut engine, 2, crosses.len());
    let id = rules(&catalogue, &[]).aggregates.cross(&crosses[4]).unwrap().id;
    engine.order(Kind::DropCross(v1::DropCross { cross: id.0, overflown: false }));
    engine.feed(&[], None).unwrap();
    engine.checkpoint().unwrap();
    let epoch = engine.epoch();
    // Lost with the process, and sent again.
    engine.feed(parts[2], None).unwrap();
    engine.stop();
    let mut engine = EngineHarness::start_crowded(&catalogue, 2, Some(dir.path()), epoch, 2).unwrap();
    engine.feed(parts[2], None).unwrap();
    engine.feed(parts[3], Some(market.clock)).unwrap();
    assert_equal(&mut engine, &views(&market, &catalogue, &crosses[..4], Sets::None), "restored");
}

#[test]
fn an_order_that_this_catalogue_does_not_know_is_passed_over() {
    let catalogue = Catalogue::embedded();
    let crosses = crosses();
    let market = multiplied(&examples("abcde", &catalogue), 1);
    let mut engine = EngineHarness::start(&catalogue, 2, None, 0).unwrap();
    for unknown in [
        CrossDefinition::of("T99", &["D.bill_kind"]),
        CrossDefinition::of("T04", &["D.none"]),
        CrossDefinition::of("T04", &["D.bill_kind"]).only("D.bill_kind", &["NONE"]),
    ] {
        engine.order(keep(&unknown));
    }
    let id = format!("{:032x}", 7);
    let action = |alert_id: &str, status: &str| v1::AlertAction {
        alert_id: alert_id.into(),
        status: status.into(),
        ..v1::AlertAction::default()
    };
    let actions = vec![action(&id, "NONE"), action("none", "ACK"), action(&id, "ACK")];
    engine.order(Kind::AlertActions(v1::AlertActions { actions }));
    engine.feed(&market.facts, Some(market.clock)).unwrap();
    engine.order(keep(&crosses[0]));
    finish(&mut engine, 2, 1);
    assert_equal(&mut engine, &views(&market, &catalogue, &crosses[..1], Sets::None), "what is known is kept");
}

#[test]
fn no_checkpoint_is_taken_of_half_a_cross() {
    let catalogue = Catalogue::embedded();
    let crosses = crosses();
    let market = multiplied(&examples("abcde", &catalogue), 2);
    let dir = tempfile::tempdir().unwrap();
    let mut engine = EngineHarness::start_filling_slowly(&catalogue, 2, Some(dir.path()), 0).unwrap();
    engine.feed(&market.facts, Some(market.clock)).unwrap();
    engine.order(keep(&crosses[0]));
    engine.feed(&[], None).unwrap();
    let error = engine.checkpoint().unwrap_err().to_string();
    assert!(error.contains("is being filled"), "{error}");
    // The threads go on, and the next one holds all of it.
    finish(&mut engine, 2, 1);
    engine.checkpoint().unwrap();
    let epoch = engine.epoch();
    engine.stop();
    let mut engine = EngineHarness::start(&catalogue, 2, Some(dir.path()), epoch).unwrap();
    assert_equal(&mut engine, &views(&market, &catalogue, &crosses[..1], Sets::None), "restored");
}

#[test]
fn a_question_has_the_figures_of_the_evaluator() {
    let catalogue = Catalogue::embedded();
    let crosses = crosses();
    let market = multiplied(&examples("abcde", &catalogue), 2);
    let mut engine = EngineHarness::start(&catalogue, 2, None, 0).unwrap();
    engine.feed(&market.facts, Some(market.clock)).unwrap();
    crosses.iter().for_each(|cross| engine.order(keep(cross)));
    finish(&mut engine, 2, crosses.len());
    let views = views(&market, &catalogue, &crosses, Sets::All);
    let rules = rules(&catalogue, &crosses);
    for definition in &crosses {
        let cross = Arc::new(rules.aggregates.cross(definition).unwrap());
        let request = v1::QueryCustomReportRequest {
            report_id: cross.id.to_string(),
            from_date: "2025-01-01".into(),
            to_date: "2025-12-31".into(),
            grain: v1::Grain::Quarter.into(),
            ..v1::QueryCustomReportRequest::default()
        };
        let mut gathered = GatheredCross::default();
        for part in engine.ask(v1::shard_question::Kind::Cross(request)).unwrap() {
            if let Some(v1::shard_answer::Kind::Cross(part)) = part.kind {
                gathered.add(CrossPart::decode(&part).unwrap());
            }
        }
        let words = billwatch_market::aggregate::wire::Request {
            theme: "",
            dimension: "",
            items: &[],
            from_date: "2025-01-01",
            to_date: "2025-12-31",
            grain: Some(billwatch_market::aggregate::Grain::Quarter),
            measures: &[],
        };
        let compiled = rules.aggregates.compile_cross_request(&cross, words, Some(market.clock)).unwrap();
        let plan = &compiled.plan.plan;
        let (from, to) = (plan.from, plan.to);
        let question = CrossQuestion {
            definition: definition.clone(),
            from: if compiled.only_stock() { from } else { Day::parse("2025-01-01").unwrap() },
            to,
            grain: if compiled.only_stock() {
                billwatch_market::aggregate::Grain::Whole
            } else {
                billwatch_market::aggregate::Grain::Quarter
            },
            measures: vec![],
        };
        let rows = compiled.answer(&rules.aggregates, &gathered);
        assert!(!rows.is_empty() || definition.theme == "T34", "{definition}");
        assert_eq!(rows, views.ask_cross(&question).unwrap(), "{definition}");
    }
}
