//! Variants of one event id across bills, reference data and the desk (facts.md 7): the one with the smallest (source rank,
//! source number) counts, wherever it lies, whenever it came, and whatever is corrected later.

mod common;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use billwatch_market::{
    catalogue::Catalogue,
    fact::{EventId, Fact},
    fact_scope::home,
};
use billwatch_workers::harness::EngineHarness;
use common::{Dice, Market, Rows, corrected, examples, expected, multiplied};

/// Adds records under event ids of others: of other bills mostly, also of reference data and cash.
fn with_variants(market: &Market, count: usize, first_seq: u64, dice: &mut Dice) -> Market {
    let mut facts = market.facts.clone();
    for number in 0..count {
        let (named, mut variant) = (&facts[dice.roll(facts.len())], facts[dice.roll(facts.len())].clone());
        variant.event_id = named.event_id;
        // Between the numbers of the first copy of the examples and those of the others: some come before, some after.
        variant.source_seq = first_seq + number as u64;
        if variant.correction.is_none_or(|(_, target)| target != variant.event_id) {
            facts.push(variant);
        }
    }
    Market { facts, clock: market.clock }
}

/// The records that count under their event id, straight from the rule.
fn counting(market: &Market) -> Market {
    let mut smallest: HashMap<EventId, (u8, u64)> = HashMap::new();
    let key = |fact: &Fact| (fact.source.rank(), fact.source_seq);
    for fact in &market.facts {
        smallest.entry(fact.event_id).and_modify(|known| *known = key(fact).min(*known)).or_insert(key(fact));
    }
    let facts = market.facts.iter().filter(|fact| smallest[&fact.event_id] == key(fact)).cloned().collect();
    Market { facts, clock: market.clock }
}

fn many(seed: u64, catalogue: &Catalogue) -> Market {
    let mut dice = Dice(seed);
    let lives = with_variants(&multiplied(&examples("abcde", catalogue), 3), 25, 50_000, &mut dice);
    with_variants(&corrected(&lives, 40, &mut dice), 15, 60_000, &mut dice)
}

fn assert_rows(found: &Rows, wanted: &Rows, name: &str) {
    for (view, wanted) in wanted {
        let missing: Vec<_> = wanted.iter().filter(|row| !found[view].contains(row)).take(5).collect();
        let extra: Vec<_> = found[view].iter().filter(|row| !wanted.contains(row)).take(5).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{name}: {view}: missing {missing:#?}, extra {extra:#?}");
    }
}

fn live_rows(engine: &mut EngineHarness, wanted: &Rows) -> Rows {
    wanted.keys().map(|view| (*view, engine.view_rows(view).unwrap())).collect()
}

#[test]
fn the_others_might_never_have_come() {
    let catalogue = Catalogue::embedded();
    for seed in 0..8 {
        let market = many(seed, &catalogue);
        let (mut all, _) = expected(&market, &catalogue);
        let (mut alone, _) = expected(&counting(&market), &catalogue);
        // But for P174, which tells of them.
        let alerts = all.remove("alerts").unwrap();
        let (told, others): (Vec<_>, Vec<_>) = alerts.into_iter().partition(|row| row.contains("P174"));
        assert!(!told.is_empty(), "seed {seed}");
        assert_eq!(others, alone.remove("alerts").unwrap(), "seed {seed}");
        assert_rows(&all, &alone, &format!("seed {seed}"));
    }
}

#[test]
fn workers_agree_in_any_order_and_layout() {
    let catalogue = Catalogue::embedded();
    for seed in 0..8 {
        let market = many(100 + seed, &catalogue);
        let (wanted, _) = expected(&market, &catalogue);
        let mut dice = Dice(seed);
        let mut facts = market.facts.clone();
        if seed % 3 != 0 {
            dice.shuffle(&mut facts);
        }
        let threads = 1 + seed as usize % 3;
        let name = format!("seed {seed}, {threads} threads");
        let mut engine = EngineHarness::start(&catalogue, threads, None, 0).unwrap().with_variants();
        for part in facts.chunks(facts.len().div_ceil(1 + dice.roll(30))) {
            engine.feed(part, Some(market.clock)).unwrap();
        }
        assert_rows(&live_rows(&mut engine, &wanted), &wanted, &name);
    }
}

/// The lives remember the copies: a correction after a restart finds the same fact to count.
#[test]
fn a_restart_forgets_no_variant() {
    let catalogue: Arc<Catalogue> = Catalogue::embedded();
    for seed in 0..3 {
        let mut dice = Dice(200 + seed);
        let before = with_variants(&multiplied(&examples("abcde", &catalogue), 3), 30, 50_000, &mut dice);
        let after = corrected(&before, 60, &mut dice);
        let (wanted, _) = expected(&after, &catalogue);
        let (known, corrections) = after.facts.split_at(before.facts.len());
        let dir = tempfile::tempdir().unwrap();
        let mut engine = EngineHarness::start(&catalogue, 2, Some(dir.path()), 0).unwrap().with_variants();
        for part in known.chunks(known.len().div_ceil(4)) {
            engine.feed(part, Some(after.clock)).unwrap();
        }
        engine.checkpoint().unwrap();
        let epoch = engine.epoch();
        engine.stop();
        let mut engine = EngineHarness::start(&catalogue, 2, Some(dir.path()), epoch).unwrap();
        engine.feed(corrections, Some(after.clock)).unwrap();
        assert_rows(&live_rows(&mut engine, &wanted), &wanted, &format!("seed {seed}"));
    }
}

/// A source that gives thousands of facts one event id: what counts is decided in time, and the others go on.
#[test]
fn one_event_id_for_thousands_of_facts_holds_nobody_up() {
    let catalogue = Catalogue::embedded();
    let lives = multiplied(&examples("abc", &catalogue), 4);
    let mut facts = lives.facts.clone();
    for number in 0..4_096u64 {
        let mut variant = lives.facts[number as usize % lives.facts.len()].clone();
        (variant.event_id, variant.source_seq, variant.correction) = (7, 1_000_000 + number, None);
        variant.event_time += 1 + number as i64;
        facts.push(variant);
    }
    let market = Market { facts, clock: lives.clock };
    let (wanted, _) = expected(&market, &catalogue);
    let mut engine = EngineHarness::start(&catalogue, 2, None, 0).unwrap().with_variants();
    let started = Instant::now();
    // The newest first: the one that counts changes its home again and again.
    let newest_first: Vec<Fact> = market.facts.iter().rev().cloned().collect();
    for part in newest_first.chunks(500) {
        engine.feed(part, Some(market.clock)).unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_rows(&live_rows(&mut engine, &wanted), &wanted, "one id");
}

#[test]
fn the_markets_have_what_they_should() {
    let catalogue = Catalogue::embedded();
    let market = many(0, &catalogue);
    let mut homes: HashMap<EventId, HashSet<_>> = HashMap::new();
    for fact in &market.facts {
        homes.entry(fact.event_id).or_default().insert(home(fact));
    }
    let across = homes.values().filter(|homes| homes.len() > 1).count();
    assert!(across > 20, "{across} event ids lie in several homes");
}
