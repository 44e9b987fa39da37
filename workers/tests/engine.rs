//! The engine against the plain evaluator: any order, any cutting into epochs, any number of threads.

mod common;

use std::sync::Arc;

use billwatch_market::{
    books,
    catalogue::Catalogue,
    fact::{Fact, Field, Record, Value},
    ids::{BillId, Code, InstId, PartyId},
    ndjson::parse_line,
};
use billwatch_workers::harness::EngineHarness;
use common::{Dice, Market, corrected, examples, expected, multiplied, with_books};

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
        let market = with_books(&market, &mut dice);
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
        let market = with_books(&market, &mut dice);
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

/// A line, an end and a sale that come late judge a book again, whoever keeps the bill and the book; a checkpoint between.
#[test]
fn a_book_is_judged_again_whatever_comes_last() {
    let catalogue = Catalogue::embedded();
    let market = examples("abc", &catalogue);
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let booked = with_books(&market, &mut dice);
        let wrong = |market: &Market| {
            let rows = expected(market, &catalogue).0;
            rows["alerts"].iter().filter(|row| row.contains("P182")).count()
        };
        let books = booked.facts.iter().filter(|fact| fact.behaviour == books::END).count();
        assert!((1..books).contains(&wrong(&booked)), "{} of {books} books are wrong", wrong(&booked));
        let dir = tempfile::tempdir().unwrap();
        let mut engine = EngineHarness::start(&catalogue, 3, Some(dir.path()), 0).unwrap();
        for (place, part) in booked.facts.chunks(booked.facts.len().div_ceil(10)).enumerate() {
            engine.feed(part, Some(booked.clock)).unwrap();
            if place == 4 {
                engine.checkpoint().unwrap();
                let epoch = engine.epoch();
                engine.stop();
                engine = EngineHarness::start(&catalogue, 3, Some(dir.path()), epoch).unwrap();
            }
        }
        assert_equal(&mut engine, &booked, &catalogue, &format!("books, seed {seed}"));
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

/// Who a bank is compared with hangs on its type. It becomes another one after its last fact of the day, and that is told when
/// the day was judged: no bill reads it, but the rules that compare must judge again (found by a demo of 270,000 facts).
#[test]
fn peers_are_found_again_when_master_data_come_late() {
    let catalogue = Catalogue::embedded();
    let bank = |number: u64| PartyId::parse(&number.to_string()).expect("a bank");
    let mut event = 950_000;
    let mut told = |template: &Fact| {
        event += 1;
        let mut fact = template.clone();
        (fact.event_id, fact.source_seq) = (event, event as u64);
        fact
    };
    let (masters, bills) = (examples("a", &catalogue), examples("b", &catalogue));
    let of = |market: &Market, code: &str| {
        market.facts.iter().find(|fact| fact.behaviour.code() == code).expect("the example has one").clone()
    };
    let registered = of(&masters, "MST.ISN");
    let (drawn, asked, signed) = (of(&bills, "ISS.REG"), of(&bills, "ACC.REQ"), of(&bills, "ACC.SGN"));
    let kind = |kind: &str, of: PartyId, fact: &mut Fact| {
        fact.set(Field::InstType, Value::Code(Code::parse(kind).expect("a code")));
        fact.set(Field::LegalInstId, Value::Party(of));
        fact.set(Field::ParticipantCode, Value::Inst(InstId(of.bits() as u32 * 1_000 + 1)));
        fact.set(Field::CounterpartyId, Value::Party(of));
    };
    let mut facts = Vec::new();
    for (place, margin) in [(0u64, 100_000i64), (1, 200_000), (2, 300_000), (3, 400_000)] {
        let own = bank(100_901 + place);
        let mut master = told(&registered);
        kind("203", own, &mut master);
        facts.push(master);
        for template in [&drawn, &asked, &signed] {
            let mut fact = told(template);
            let bill = fact.bill_id.expect("a bill");
            fact.bill_id = Some(BillId { digits: bill.digits + 1_000 * (1 + u128::from(place)), ..bill });
            fact.set(Field::AcceptorId, Value::Party(own));
            match template.behaviour.code() {
                "ACC.REQ" => fact.set(Field::CounterpartyId, Value::Party(own)),
                "ACC.SGN" => {
                    fact.set(Field::InitiatorId, Value::Party(own));
                    fact.set(Field::MarginFen, Value::Int(margin * 100));
                }
                _ => {}
            }
            facts.push(fact);
        }
    }
    let mut late = told(&registered);
    kind("301", bank(100_904), &mut late);
    (late.biz_date, late.event_time) = (signed.biz_date, signed.event_time + 3_600_000);
    let clock = signed.biz_date.plus(2).start_ms();
    let mut engine = EngineHarness::start(&catalogue, 1, None, 0).unwrap();
    engine.feed(&facts, Some(clock)).unwrap();
    let before = Market { facts: facts.clone(), clock };
    assert_equal(&mut engine, &before, &catalogue, "before the late record");
    let highest = |market: &Market| {
        let (rows, _) = expected(market, &catalogue);
        rows["alerts"].iter().any(|row| row.contains("P169") && row.contains("100904"))
    };
    assert!(highest(&before), "four of a kind: the last has the highest ratio");
    engine.feed(std::slice::from_ref(&late), Some(clock)).unwrap();
    facts.push(late);
    let after = Market { facts, clock };
    assert!(!highest(&after), "alone of its kind");
    assert_equal(&mut engine, &after, &catalogue, "after the late record");
}
