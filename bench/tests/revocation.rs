//! Revoking a fact withdraws exactly the alerts that depended on it, live: the engine then says what it would say had the fact
//! never come. Seeds are printed.

mod common;

use std::collections::{BTreeSet, HashMap};

use billwatch_bench::simulator::dice::mix;
use billwatch_market::{
    catalogue::Catalogue,
    fact::{CorrectionKind, EventId, Fact},
};
use billwatch_workers::harness::EngineHarness;
use common::{Market, name_of, run};

/// Facts revoked in a market, one after the other.
const REVOCATIONS: u64 = 6;
/// First event id and source number of the revocations, far from those of the market.
const FIRST_REVOCATION: u64 = 1 << 60;

fn revocation(target: &Fact, number: u64) -> Fact {
    let mut fact = target.clone();
    fact.event_id = u128::from(FIRST_REVOCATION + number);
    fact.source_seq = FIRST_REVOCATION + number;
    fact.correction = Some((CorrectionKind::Revoke, target.event_id));
    fact.fields.clear();
    fact
}

/// Random facts, every other one of a labelled positive; none whose id came twice (P174: another content would take its place).
fn targets(market: &Market, seed: u64) -> Vec<Fact> {
    let mut known: HashMap<EventId, (&Fact, u32)> = HashMap::new();
    for fact in market.facts() {
        known.entry(fact.event_id).and_modify(|(_, times)| *times += 1).or_insert((fact, 1));
    }
    let all: Vec<EventId> = market.facts().map(|fact| fact.event_id).collect();
    let told = market.labels.iter().filter(|label| label.positive);
    let told: Vec<EventId> = told.flat_map(|label| label.event_ids.iter().copied()).collect();
    let mut targets: Vec<Fact> = Vec::new();
    let mut draw = 0;
    while targets.len() < REVOCATIONS as usize {
        draw += 1;
        let from = if targets.len().is_multiple_of(2) { &told } else { &all };
        let id = from[(mix(seed << 32 | draw) % from.len() as u64) as usize];
        let (fact, times) = known[&id];
        if times == 1 && targets.iter().all(|known| known.event_id != id) {
            targets.push(fact.clone());
        }
    }
    targets
}

/// One market a test: they run side by side.
fn a_revocation_withdraws_what_depended_on_the_fact(seed: u64) {
    let catalogue = Catalogue::embedded();
    let mut withdrawn = 0;
    let market = Market::simulated(5_000, 1, seed, 4_000);
    let mut live = EngineHarness::start(&catalogue, 2, None, 0).expect("the engine starts");
    let mut standing = run(&mut live, &market, |_| true);
    let targets = targets(&market, seed);
    let before_all = standing.clone();
    let mut revoked = BTreeSet::new();
    for (number, target) in targets.iter().enumerate() {
        let name = format!("seed {seed}, revocation {number} of {} {}", target.behaviour.code(), target.event_id);
        println!("{name}");
        let before = standing.clone();
        let result = live.feed(&[revocation(target, number as u64)], Some(market.clock)).expect("the engine runs");
        standing.follow(&result);
        revoked.insert(target.event_id);
        let mut fresh = EngineHarness::start(&catalogue, 1, None, 0).expect("the engine starts");
        let wanted = run(&mut fresh, &market, |fact| !revoked.contains(&fact.event_id));
        assert_eq!(standing.hits(), wanted.hits(), "{name}");
        // Exactly those: nothing else was touched.
        for change in &result.alerts {
            let alert = name_of(change);
            let (old, new) = (before.0.get(&alert), standing.0.get(&alert));
            assert!(old.map(|alert| &alert.hits) != new.map(|alert| &alert.hits), "{name}: {alert:?} did not change");
            withdrawn += usize::from(new.is_none());
        }
        let (mut hashes, mut others) = (live.view_hashes().expect("hashes"), fresh.view_hashes().expect("hashes"));
        // The revoked fact and its revocation are still shown with their fate.
        hashes.remove("effects");
        others.remove("effects");
        assert_eq!(hashes, others, "{name}");
    }
    // Revoked revocations bring all of it back.
    let back: Vec<Fact> = targets
        .iter()
        .enumerate()
        .map(|(number, target)| {
            let mut fact = revocation(target, REVOCATIONS + number as u64);
            fact.correction = Some((CorrectionKind::Revoke, u128::from(FIRST_REVOCATION + number as u64)));
            fact
        })
        .collect();
    standing.follow(&live.feed(&back, Some(market.clock)).expect("the engine runs"));
    assert_eq!(standing.hits(), before_all.hits(), "seed {seed}: revocations revoked");
    println!("seed {seed}: {withdrawn} alerts withdrawn");
    assert!(withdrawn >= 2, "seed {seed}: {withdrawn}");
}

#[test]
fn of_the_market_of_seed_31() {
    a_revocation_withdraws_what_depended_on_the_fact(31);
}

#[test]
fn of_the_market_of_seed_32() {
    a_revocation_withdraws_what_depended_on_the_fact(32);
}

#[test]
fn of_the_market_of_seed_33() {
    a_revocation_withdraws_what_depended_on_the_fact(33);
}
