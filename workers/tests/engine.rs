//! The engine against the plain evaluator: any order, any cutting into epochs, any number of threads.

mod common;

use std::sync::Arc;

use billwatch_market::{catalogue::Catalogue, fact::Record, ndjson::parse_line};
use billwatch_workers::harness::EngineHarness;
use common::{Dice, Market, corrected, examples, expected, multiplied};

fn feed(engine: &mut EngineHarness, market: &Market, epochs: usize) {
    let size = market.facts.len().div_ceil(epochs).max(1);
    let chunks: Vec<_> = market.facts.chunks(size).collect();
    for (place, chunk) in chunks.iter().enumerate() {
        // The clock runs up to the market's in steps; what it passes must not depend on the steps.
        let clock = (place + 1 == chunks.len()).then_some(market.clock).or_else(|| {
            let first = market.facts.iter().map(|fact| fact.event_time).min()?;
            Some(first + (market.clock - first) / chunks.len() as i64 * place as i64)
        });
        engine.feed(chunk, clock).unwrap();
    }
}

fn assert_equal(engine: &mut EngineHarness, market: &Market, catalogue: &Arc<Catalogue>, name: &str) {
    let (rows, hashes) = expected(market, catalogue);
    let live = engine.view_hashes().unwrap();
    for (view, wanted) in &rows {
        if live.get(*view) == hashes.get(*view) {
            continue;
        }
        let found = engine.view_rows(view).unwrap();
        let missing: Vec<_> = wanted.iter().filter(|row| !found.contains(row)).take(5).collect();
        let extra: Vec<_> = found.iter().filter(|row| !wanted.contains(row)).take(5).collect();
        panic!("{name}: {view}: missing {missing:#?}, extra {extra:#?}; {:?} {:?}", live.get(*view), hashes.get(*view));
    }
}

#[test]
fn examples_in_order_and_shuffled() {
    let catalogue = Catalogue::embedded();
    for letters in ["ab", "ac", "ad", "ae", "af", "as", "ag"] {
        let market = examples(letters, &catalogue);
        for (threads, epochs) in [(1, 1), (1, 7), (2, 5), (3, 40)] {
            // From one unpacked bill at a time to more than there are: rest changes nothing.
            let mut engine = EngineHarness::start_crowded(&catalogue, threads, None, 0, epochs).unwrap();
            feed(&mut engine, &market, epochs);
            assert_equal(
                &mut engine,
                &market,
                &catalogue,
                &format!("{letters} in order, {threads} threads, {epochs} epochs"),
            );
        }
        for seed in 0..3 {
            let mut dice = Dice(seed);
            let mut shuffled = Market { facts: market.facts.clone(), clock: market.clock };
            dice.shuffle(&mut shuffled.facts);
            let mut engine = EngineHarness::start(&catalogue, 2, None, 0).unwrap();
            feed(&mut engine, &shuffled, 1 + dice.roll(30));
            assert_equal(&mut engine, &market, &catalogue, &format!("{letters} shuffled, seed {seed}"));
        }
    }
}

#[test]
fn many_lives_corrected_late_and_twice() {
    let catalogue = Catalogue::embedded();
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let market = corrected(&multiplied(&examples("abcde", &catalogue), 4), 60, &mut dice);
        let mut arriving = Market { facts: market.facts.clone(), clock: market.clock };
        if seed % 2 == 1 {
            dice.shuffle(&mut arriving.facts);
        }
        let awake = 1 + 8 * seed as usize;
        let mut engine = EngineHarness::start_crowded(&catalogue, 1 + seed as usize % 3, None, 0, awake).unwrap();
        feed(&mut engine, &arriving, 1 + dice.roll(40));
        assert_equal(&mut engine, &market, &catalogue, &format!("seed {seed}"));
    }
}

/// Checkpoint, lose everything after it, restore, go on: as if nothing had happened.
#[test]
fn restored_is_never_stopped() {
    let catalogue = Catalogue::embedded();
    for seed in 0..6 {
        let mut dice = Dice(100 + seed);
        let market = corrected(&multiplied(&examples("abcde", &catalogue), 3), 40, &mut dice);
        let mut arriving = Market { facts: market.facts.clone(), clock: market.clock };
        if seed % 2 == 0 {
            dice.shuffle(&mut arriving.facts);
        }
        let threads = 1 + seed as usize % 3;
        let dir = tempfile::tempdir().unwrap();
        let parts: Vec<&[_]> = arriving.facts.chunks(arriving.facts.len().div_ceil(12)).collect();
        let first = market.facts.iter().map(|fact| fact.event_time).min().unwrap();
        let clock = |place: usize| first + (market.clock - first) / parts.len() as i64 * (place as i64 + 1);
        let last = parts.len() - 1;
        let mut engine = EngineHarness::start_crowded(&catalogue, threads, Some(dir.path()), 0, 2).unwrap();
        for (place, part) in parts.iter().enumerate().take(9) {
            engine.feed(part, Some(clock(place))).unwrap();
            if place == 2 || place == 5 {
                assert!(engine.checkpoint().unwrap() > 0);
            }
        }
        engine.stop();
        // Epochs 7, 8 and 9 were done and lost.
        let mut engine = EngineHarness::start_crowded(&catalogue, threads, Some(dir.path()), 6, 2).unwrap();
        for (place, part) in parts.iter().enumerate().skip(6) {
            engine.feed(part, Some(if place == last { market.clock } else { clock(place) })).unwrap();
        }
        assert_equal(&mut engine, &market, &catalogue, &format!("restored, seed {seed}, {threads} threads"));
        // Reading again what was written: once more, from the end.
        engine.checkpoint().unwrap();
        let epoch = engine.epoch();
        engine.stop();
        let mut engine = EngineHarness::start(&catalogue, threads, Some(dir.path()), epoch).unwrap();
        assert_equal(&mut engine, &market, &catalogue, &format!("restored at the end, seed {seed}"));
    }
}

/// A correction comes before the correction that it corrects, so its life is joined to another; reference data that come
/// later touch the number that it had (found by `bench/tests/seeds.rs`).
#[test]
fn reference_data_after_a_join_wake_only_the_life_that_goes_on() {
    let catalogue = Catalogue::embedded();
    let example = examples("a", &catalogue);
    let cash = |line: &str| match parse_line(line.as_bytes(), &catalogue) {
        Ok(Record::Fact(fact)) => fact,
        other => panic!("{other:?}"),
    };
    let deposit = |id: u32, seq: u32, correction: &str| {
        cash(&format!(
            r#"{{"event_id":"{id}","source":"CLRS","source_seq":{seq},"behaviour":"CSH.DEP","event_time":1744070400000,"biz_date":"2025-04-08","initiator_id":"100104","cash_fen":"500","cash_business":"T10003"{correction}}}"#
        ))
    };
    let first = deposit(900_001, 1, "");
    let second = deposit(900_002, 2, r#","correction":"replace","corrects_event_id":"900001""#);
    let third = deposit(900_003, 3, r#","correction":"replace","corrects_event_id":"900002""#);
    let late = example.facts.iter().find(|fact| fact.behaviour.code() == "REF.CRV").expect("the example has a curve");
    let mut late = late.clone();
    (late.event_id, late.event_time) = (900_004, 0);
    let clock = example.clock.max(1_800_000_000_000);
    let mut engine = EngineHarness::start(&catalogue, 1, None, 0).unwrap();
    let epochs = [vec![first], vec![third], vec![second], vec![late]];
    for epoch in &epochs {
        engine.feed(epoch, Some(clock)).unwrap();
    }
    let market = Market { facts: epochs.concat(), clock };
    assert_equal(&mut engine, &market, &catalogue, "joined, then touched");
}
