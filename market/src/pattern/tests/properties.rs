//! Laws that hold for any facts: order of arrival, revocation, linearity of observation.

use proptest::prelude::*;

use super::{
    judge,
    market::{Market, Terms, bank, code, day, ent, int, yuan},
    setting,
};
use crate::{
    bill::Bill,
    corrections::effective,
    fact::{Fact, Field, Range},
    ids::PartyId,
    observe::Observation,
    pattern::{AlertSet, MarketRegistry, Output, PlainWindows, Seen, plain},
};

/// One thing that somebody tries; whether the laws allow it is theirs to say.
#[derive(Clone, Debug)]
struct Act {
    what: u8,
    bill: u8,
    from: u8,
    to: u8,
    day: u8,
}

fn act() -> impl Strategy<Value = Act> {
    (0..12u8, 0..4u8, 2..6u8, 2..6u8, 0..40u8).prop_map(|(what, bill, from, to, day)| Act { what, bill, from, to, day })
}

/// Four bills between few parties, then random acts on random days.
fn market(acts: &[Act]) -> Market {
    let mut market = Market::new();
    let mut bills = Vec::new();
    for number in 0..4u64 {
        market.on(day("2025-03-01").plus(number as i32), "09:00");
        let commercial = number % 2 == 1;
        bills.push(market.draw(&Terms {
            kind: if commercial { "CAB" } else { "BAB" },
            acceptor: if commercial { ent(5) } else { bank(1) },
            drawer: ent(1 + number % 3),
            payee: ent(2 + number % 3),
            face: yuan(1_000_000 + number as i64),
            due_in: 30,
            ..Terms::default()
        }));
    }
    for (place, act) in acts.iter().enumerate() {
        // Distinct instants: what happens in one millisecond is ordered by its number, which a removal does not change.
        market.instant(day("2025-03-05").plus(act.day.into()).start_ms() + 36_000_000 + place as i64 * 60_000);
        let bill = bills[usize::from(act.bill)];
        let (from, to, about) = (ent(act.from.into()), ent(act.to.into()), Some((bill, Range::WHOLE)));
        match act.what {
            0..=3 => market.endorse(bill, from, to),
            4 => market.discount(bill, from, bank(2), 12_000),
            5 => market.sell(bill, bank(2), bank(3), 12_000, "D1"),
            6 => market.present(bill, from, bank(1)),
            7 => market.present(bill, from, ent(5)),
            8 => market.refuse(bill, from, if act.bill % 2 == 1 { ent(5) } else { bank(1) }, "DC08"),
            9 => market.pay(bill, from, bank(1)),
            10 => market.fact("LSF.FRZ", about, PartyId::court(1), from, &[(Field::ChangeReason, code("X"))]),
            _ => market.fact("RCS.NTC", about, from, to, &[(Field::ClaimFen, int(1))]),
        };
    }
    market.clock_at_end_of("2025-06-30");
    market
}

fn shuffled(facts: &[Fact], seed: u64) -> Vec<Fact> {
    let mut facts = facts.to_vec();
    // Deterministic: each fact gets a number from the seed and its id.
    facts.sort_by_key(|fact| (fact.event_id as u64 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    facts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn revoked_is_as_if_it_had_never_been(
        acts in prop::collection::vec(act(), 1..30),
        pick in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let mut market = market(&acts);
        let first_bill_fact = market.facts.iter().position(|fact| fact.bill_id.is_some()).unwrap();
        let victims = &market.facts[first_bill_fact..];
        let victim = victims[pick.index(victims.len())].event_id;
        let without: Vec<Fact> = market.facts.iter().filter(|fact| fact.event_id != victim).cloned().collect();
        let clock = market.clock();
        market.revoke(victim);
        prop_assert_eq!(judge(&shuffled(&market.facts, seed), clock), judge(&without, clock));
    }

    #[test]
    fn observing_with_weight_minus_one_takes_everything_back(acts in prop::collection::vec(act(), 1..30)) {
        let market = market(&acts);
        let setting = setting();
        let all = plain::evaluate(&market.facts, setting, market.clock(), &PlainWindows::default());
        let registry = MarketRegistry { reference: &all.reference, meanings: setting.meanings };
        let mut windows = all.windows;
        let mut alerts = AlertSet::default();
        let mut by_bill = std::collections::BTreeMap::<_, Vec<Fact>>::new();
        for fact in market.facts.iter().filter(|fact| fact.bill_id.is_some()) {
            by_bill.entry(fact.bill_id).or_default().push(fact.clone());
        }
        for records in by_bill.into_values() {
            let mut bill = Bill::default();
            for fact in effective(records).facts {
                let outcome = bill.apply(&fact, setting.laws);
                let observation = Observation::new(&fact, &outcome, Some(&bill), &all.reference, setting.meanings);
                let seen = Seen { observation: &observation, has_variants: false };
                let mut output = Output::default();
                setting.patterns.observe(&seen, &registry, -1, &mut output);
                output.deltas.iter().for_each(|delta| windows.add(delta));
                output.hits.iter().for_each(|(hit, weight)| alerts.add(hit, *weight));
            }
        }
        // What is left is what reference data feed by themselves.
        let reference: Vec<Fact> = market.facts.iter().filter(|fact| fact.bill_id.is_none()).cloned().collect();
        let rest = plain::evaluate(&reference, setting, market.clock(), &PlainWindows::default()).windows;
        prop_assert_eq!(windows, rest);
        prop_assert!(alerts.iter().all(|(.., count)| count.total() < 0));
    }
}
