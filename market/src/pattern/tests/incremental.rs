//! What the engine does with readers, reaches and neighbours, in small: record by record, judging again only what a changed
//! cell may change. At every step it must hold the alerts that the plain evaluator finds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    judge,
    market::{Market, Terms, bank, day, ent, text, yuan},
    setting,
};
use crate::{
    corrections::effective,
    fact::{Fact, Field, Range, Value},
    ids::{BillId, Day, PartyId},
    pattern::{
        AlertSet, FeatureDelta, Hit, Judged, Key, MarketRegistry, PatternIndex, PlainWindows, liveness::Tally, plain,
    },
    reference_data::Reference,
};

struct Engine<'a> {
    registry: MarketRegistry<'a>,
    clock: i64,
    bills: BTreeMap<BillId, Vec<Fact>>,
    windows: PlainWindows,
    judged: BTreeMap<(PatternIndex, Option<Key>, i64), Vec<Hit>>,
    alerts: AlertSet,
}

impl Engine<'_> {
    fn arrive(&mut self, record: &Fact) {
        let bill = record.bill_id.unwrap();
        let before = self.bills.get(&bill).cloned().unwrap_or_default();
        self.bills.entry(bill).or_default().push(record.clone());
        let after = self.bills[&bill].clone();
        let mut deltas = Vec::new();
        for (records, weight) in [(before, -1), (after, 1)] {
            let facts = effective(records);
            let (output, timers) = plain::observe_bill(&facts, setting(), &self.registry, &mut Tally::new(0));
            output.hits.iter().for_each(|(hit, _)| self.alerts.add(hit, weight));
            let due = setting().patterns.due(&timers).into_iter().filter(|(instant, _)| self.clock >= *instant);
            due.for_each(|(_, hit)| self.alerts.add(&hit, weight));
            let signed = |delta: &FeatureDelta| FeatureDelta {
                count: delta.count * i64::from(weight),
                sum: delta.sum * i64::from(weight),
                ..*delta
            };
            deltas.extend(output.deltas.iter().map(signed));
        }
        let patterns = setting().patterns;
        let mut changes = Vec::new();
        for delta in deltas {
            self.windows.add(&delta);
            let collective = patterns.readers(delta.feature).iter().filter(|reader| reader.collective);
            // Who compares keys asks for neighbours change by change.
            let neighbours =
                collective.map(|reader| (reader.pattern, patterns.neighbours(reader.pattern, &delta, &self.windows)));
            changes.push((delta, neighbours.collect::<BTreeMap<_, _>>()));
        }
        self.judge_again(&changes);
    }

    fn judge_again(&mut self, changes: &[(FeatureDelta, BTreeMap<PatternIndex, Vec<Key>>)]) {
        let patterns = setting().patterns;
        let mut places: BTreeSet<(PatternIndex, Option<Key>, i64)> = BTreeSet::new();
        for (delta, neighbours) in changes {
            for reader in patterns.readers(delta.feature) {
                let pattern = reader.pattern;
                let per_day = patterns.width(delta.feature).per_day();
                let last = reader.reach.map_or(i64::MAX, |reach| delta.bucket + reach + reader.days * per_day);
                let keys = if reader.collective {
                    neighbours[&pattern].clone()
                } else if reader.group {
                    let mut keys = Vec::new();
                    for feature in patterns.triggers(pattern) {
                        crate::pattern::Windows::keys(&self.windows, *feature, &mut |key| keys.push(key));
                    }
                    keys
                } else {
                    vec![delta.key]
                };
                let to = match patterns.judged(pattern) {
                    Some(Judged::EachDay) => last.min(i64::from(Day::of_time(self.clock).0)),
                    _ => last,
                };
                for key in keys {
                    let name = (!reader.group).then_some(key);
                    let due = patterns.judged_buckets(pattern, key, delta.bucket, to, &self.windows);
                    places.extend(due.into_iter().map(|bucket| (pattern, name, bucket)));
                    let known = self.judged.range((pattern, name, delta.bucket)..=(pattern, name, last));
                    places.extend(known.map(|(place, _)| *place));
                }
            }
        }
        for place in places {
            self.judge(place);
        }
    }

    fn judge(&mut self, place: (PatternIndex, Option<Key>, i64)) {
        let patterns = setting().patterns;
        let (pattern, key, bucket) = place;
        let is_due = |key| !patterns.judged_buckets(pattern, key, bucket, bucket, &self.windows).is_empty();
        let hits = match key {
            _ if self.clock < patterns.ripe_at(pattern, bucket) => Vec::new(),
            Some(key) if !is_due(key) => Vec::new(),
            Some(key) => patterns.judge(pattern, key, bucket, &self.windows, &self.registry).hits,
            None => patterns.judge_group(pattern, bucket, &self.windows, &self.registry).hits,
        };
        for hit in self.judged.insert(place, hits.clone()).unwrap_or_default() {
            self.alerts.add(&hit, -1);
        }
        hits.iter().for_each(|hit| self.alerts.add(hit, 1));
    }
}

/// A drawn bill, and how it goes on.
#[derive(Clone, Debug)]
struct Life {
    drawer: u64,
    payee: u64,
    acceptor: u64,
    million: i64,
    day: i32,
    end: u8,
}

fn life() -> impl Strategy<Value = Life> {
    let million = prop::sample::select(vec![1i64, 9, 10, 900]);
    (1..4u64, 1..4u64, 1..4u64, million, 0..40, 0..6u8).prop_map(|(drawer, payee, acceptor, million, day, end)| Life {
        drawer,
        payee,
        acceptor,
        million,
        day,
        end,
    })
}

fn market(lives: &[Life]) -> Market {
    let mut market = Market::new();
    let (young, poor) = (Value::Date(day("2025-01-01")), Value::Int(yuan(1_000_000)));
    market.register(1, &[(Field::RegDate, young), (Field::RegCapitalFen, poor)]);
    for (place, life) in lives.iter().enumerate() {
        let start = day("2025-03-03").plus(life.day);
        market.instant(start.start_ms() + 36_000_000 + place as i64 * 60_000);
        let commercial = life.acceptor == 3;
        let acceptor = if commercial { ent(5) } else { bank(life.acceptor) };
        let payee = ent(life.payee);
        let bill = market.draw(&Terms {
            kind: if commercial { "CAB" } else { "BAB" },
            drawer: ent(life.drawer),
            payee,
            acceptor,
            face: yuan(life.million * 1_000_000),
            due_in: 20,
            ..Terms::default()
        });
        match life.end {
            0 => {
                let discounter = bank(1 + life.day as u64 % 4);
                market.discount(bill, payee, discounter, 12_000 + life.million * 100);
                market.instant(market.now() + 3_600_000).sell(bill, discounter, bank(6), 12_000, "D1");
            }
            1 => {
                market.instant(market.now() + 86_400_000).endorse(bill, payee, ent(1 + life.payee % 4));
            }
            end @ (2 | 3) => {
                market.instant(start.plus(20).start_ms() + 36_000_000 + place as i64 * 60_000);
                market.present(bill, payee, acceptor);
                if end == 2 {
                    market.refuse(bill, payee, acceptor, "DC08");
                } else {
                    market.pay(bill, payee, acceptor);
                }
            }
            4 => {
                market.discount(bill, payee, bank(2), 12_000);
                let about = Some((bill, Range::WHOLE));
                let fields = [
                    (Field::DealId, text("RP1")),
                    (Field::FirstFen, Value::Int(yuan(1_000_000))),
                    (Field::SellerId, Value::Party(bank(2))),
                    (Field::BuyerId, Value::Party(bank(3))),
                ];
                market.fact("RPO.QTE", about, bank(2), bank(3), &fields[..1]);
                market.fact("RPO.SET", about, PartyId::SYSTEM, bank(3), &fields);
                market.instant(market.now() + 4 * 86_400_000);
                market.fact("RPO.RED", about, PartyId::SYSTEM, bank(2), &fields);
            }
            _ => {}
        }
    }
    market.clock_at_end_of("2025-06-30");
    market
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn record_by_record_equals_all_at_once(lives in prop::collection::vec(life(), 2..14), seed in any::<u64>()) {
        let mut market = market(&lives);
        let victim = market.facts.iter().rev().find(|fact| fact.bill_id.is_some()).unwrap().event_id;
        market.revoke(victim);
        let (mut records, reference): (Vec<Fact>, Vec<Fact>) =
            market.facts.iter().cloned().partition(|fact| fact.bill_id.is_some());
        records.sort_by_key(|fact| (fact.event_id as u64 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut known = Reference::new(setting().meanings.vocabulary().clone());
        for fact in &reference {
            known.insert(fact.clone());
        }
        let mut engine = Engine {
            registry: MarketRegistry { reference: &known, meanings: setting().meanings },
            clock: market.clock(),
            bills: BTreeMap::new(),
            windows: PlainWindows::default(),
            judged: BTreeMap::new(),
            alerts: AlertSet::default(),
        };
        // What reference facts say for themselves is not of this test.
        let mut so_far = reference.clone();
        let quiet = judge(&reference, market.clock());
        prop_assert!(quiet.iter().all(|(pattern, ..)| ["P131", "P179"].contains(&setting().patterns.id(pattern))));
        for (place, record) in records.iter().enumerate() {
            engine.arrive(record);
            so_far.push(record.clone());
            if place % 7 == 0 || place + 1 == records.len() {
                let mut expected = judge(&so_far, market.clock());
                for (pattern, key, date, count) in quiet.iter() {
                    for (level, hits) in crate::pattern::LEVELS.into_iter().zip(count.by_level) {
                        expected.add(&Hit { pattern, key: key.clone(), date, level }, -hits);
                    }
                }
                // Corrections that wait for their target are the caller's part.
                let orphan = setting().patterns.find("P184").unwrap();
                let without = |alerts: &AlertSet| {
                    alerts
                        .iter()
                        .filter(|(pattern, ..)| *pattern != orphan)
                        .map(|(pattern, key, date, count)| (setting().patterns.id(pattern).to_owned(), key.to_string(), date, *count))
                        .collect::<Vec<_>>()
                };
                prop_assert_eq!(without(&engine.alerts), without(&expected));
            }
        }
    }
}
