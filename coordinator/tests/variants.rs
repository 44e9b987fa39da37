//! Variants (facts.md 7): a source that gives many facts one event id costs little, and every shard learns which one counts.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use billwatch_coordinator::limits;
use billwatch_market::{
    catalogue::Catalogue,
    corrections::effective_at,
    fact::{EventId, Fact, Record},
    fact_scope::{Home, home},
    ndjson::parse_line,
    variants::{Elsewhere, is_reference, place},
};
use billwatch_proto::v1;
use common::{Door, FakeWorker, columns, decode_all, example};
use serde_json::Value;

fn parse(line: &str) -> Record {
    parse_line(line.as_bytes(), &Catalogue::embedded()).unwrap()
}

fn bill_id(bill: u64) -> String {
    format!("{:030}", 531_333_100_011_720 + bill * 7_919)
}

fn withdrawal(id: u64, seq: u64, bill: u64) -> Record {
    withdrawal_by(id, seq, bill, 2)
}

fn withdrawal_by(id: u64, seq: u64, bill: u64, who: u64) -> Record {
    let bill = bill_id(bill);
    parse(&format!(
        r#"{{"event_id":"{id}","behaviour":"END.WDR","event_time":1751958000000,"biz_date":"2025-07-08","source":"NGBS","source_seq":{seq},"bill_id":"{bill}","sub_start":1,"sub_end":5,"amount_fen":5,"initiator_id":"E{who:010}"}}"#
    ))
}

/// Draws that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.roll(at as u64 + 1) as usize);
        }
    }
}

async fn send(door: &Door, records: &[Record]) -> v1::IngestResponse {
    door.send(vec![columns(1, records)]).await.pop().unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_id_for_many_facts_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let started = Instant::now();
    let variants: Vec<Record> = (1..=4_096).map(|seq| withdrawal(100, seq, seq)).collect();
    let answer = send(&door, &variants).await;
    assert_eq!((answer.accepted, answer.refusals.len()), (4_096, 0));
    // One after the other, as a client sends them that waits for each answer.
    for seq in 4_097..=4_296 {
        assert_eq!(send(&door, &[withdrawal(100, seq, seq)]).await.accepted, 1);
    }
    let others: Vec<Record> = (5_000..6_000).map(|seq| withdrawal(seq, seq, seq)).collect();
    assert_eq!(send(&door, &others).await.accepted, 1_000);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let copies = door.counter("variant_copies_total", "").await;
    assert!(copies <= 4 * 4_296, "{copies} copies");
    door.close().await;

    let door = Door::open(dir.path(), 1).await;
    assert_eq!(send(&door, &variants).await.duplicates, 4_096, "each is known by its content");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_variants_are_refused_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let most = limits::VARIANTS_MOST as u64;
    for round in 0..2 {
        let door = Door::open(dir.path(), 1).await;
        if round == 0 {
            let variants: Vec<Record> = (1..=most).map(|seq| withdrawal(100, seq, seq)).collect();
            assert_eq!(u64::from(send(&door, &variants).await.accepted), most);
        }
        let first = most + 10 * (round + 1);
        let batch = [withdrawal(100, first, 0), withdrawal(first, first + 1, 0), withdrawal(100, first + 2, 1)];
        let answer = send(&door, &batch).await;
        assert_eq!((answer.accepted, answer.duplicates), (1, 1), "a known content is acknowledged again");
        let [refusal] = &answer.refusals[..] else { panic!("{answer:?}") };
        assert_eq!((refusal.row, &*refusal.code, &*refusal.field), (0, "TOO_MANY_VARIANTS", "event_id"));
        assert_eq!((&*refusal.value, refusal.source_seq), ("100", first));
        assert!(refusal.remedy.contains("an id of its own"), "{}", refusal.remedy);
        assert!(answer.gaps.iter().all(|gap| gap.first_missing > first + 2 || gap.last_missing < first));
        door.close().await;
    }
}

/// What a worker thread knows: the records of each of its homes with the copies that it was told, as `lives::strangers` does.
#[derive(Default)]
struct Shard {
    homes: BTreeMap<Home, Vec<Fact>>,
    reference: Vec<Fact>,
}

impl Shard {
    fn take(&mut self, own: &[Fact], reference: &[Fact], keeps_reference: bool, variants: &[Fact]) {
        for fact in own {
            self.homes.entry(home(fact)).or_default().push(fact.clone());
        }
        for fact in reference {
            self.reference.push(fact.clone());
            if keeps_reference && home(fact) == Home::Reference {
                self.homes.entry(Home::Reference).or_default().push(fact.clone());
            }
        }
        let mut sets: BTreeMap<EventId, BTreeMap<_, &Fact>> = BTreeMap::new();
        for fact in variants {
            sets.entry(fact.event_id).or_default().insert(place(fact), fact);
        }
        let mut elsewhere = Elsewhere::default();
        for set in sets.values() {
            elsewhere.add(&set.values().copied().collect::<Vec<_>>());
        }
        for (at, copies) in elsewhere.homes() {
            if let Some(known) = self.homes.get_mut(&at) {
                let ids: BTreeSet<EventId> = known.iter().map(|fact| fact.event_id).collect();
                known.extend(copies.iter().filter(|copy| ids.contains(&copy.event_id)).cloned());
            }
        }
        self.reference.extend_from_slice(elsewhere.for_reference());
    }
}

/// A line of an example under another identity and with a content of its own.
fn under(line: &str, id: u64, seq: u64, bill: Option<u64>) -> Record {
    let mut line: Value = serde_json::from_str(line).unwrap();
    line["event_id"] = id.to_string().into();
    line["source_seq"] = seq.into();
    line["event_time"] = (1_741_568_400_000 + seq).into();
    if let Some(bill) = bill {
        line["bill_id"] = bill_id(bill).into();
    }
    parse(&line.to_string())
}

/// Whatever the order in which variants come, each home knows at the end which record counts, and the home of that one knows
/// how many others there are.
#[tokio::test(flavor = "multi_thread")]
async fn every_home_learns_which_variant_counts() {
    let reference = example("a-reference");
    let enterprise = reference.iter().find(|line| line.contains("MST.ENR")).unwrap().clone();
    let background = example("b-plain-bab").into_iter().find(|line| line.contains("MST.TBK")).unwrap();
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let mut numbers: Vec<u64> = (1..200).collect();
        dice.shuffle(&mut numbers);
        let mut records = Vec::new();
        for seq in numbers.into_iter().take(40) {
            let (id, bill) = (1 + dice.roll(4), dice.roll(6));
            records.push(match dice.roll(8) {
                0 => under(&enterprise, id, seq, None),
                1 => under(&background, id, seq, Some(bill)),
                _ => withdrawal_by(id, seq, bill, seq),
            });
        }
        let dir = tempfile::tempdir().unwrap();
        let door = Door::open(dir.path(), 2).await;
        let mut workers = Vec::new();
        for process in 0..2 {
            workers.push(FakeWorker::join(&door, FakeWorker::register(process, &[])).await.unwrap());
        }
        for worker in &mut workers {
            worker.start().await;
        }
        let (mut last, mut accepted, mut rest) = (0, Vec::new(), &records[..]);
        while !rest.is_empty() {
            let (part, tail) = rest.split_at(rest.len().min(1 + dice.roll(9) as usize));
            rest = tail;
            let answer = send(&door, part).await;
            last = answer.epoch;
            accepted
                .extend(part.iter().map(|record| if let Record::Fact(fact) = record { fact } else { unreachable!() }));
            if dice.roll(2) == 0 {
                door.sealed(last).await;
            }
        }
        let mut shards: Vec<Shard> = (0..4).map(|_| Shard::default()).collect();
        for worker in &mut workers {
            for epoch in worker.do_until(last).await {
                let facts = |bytes: &[u8]| -> Vec<Fact> {
                    let of = |record| if let Record::Fact(fact) = record { fact } else { unreachable!() };
                    decode_all(bytes).into_iter().map(of).collect()
                };
                let reference = facts(&epoch.reference);
                for thread in 0..2 {
                    let number = worker.process * 2 + thread;
                    let shard = epoch.shards.iter().find(|shard| shard.worker == number);
                    let (own, variants) =
                        shard.map_or_else(Default::default, |shard| (facts(&shard.records), facts(&shard.variants)));
                    shards[number as usize].take(&own, &reference, number == 0, &variants);
                }
            }
        }
        let mut counting: BTreeMap<EventId, &Fact> = BTreeMap::new();
        let mut all: BTreeMap<EventId, BTreeSet<_>> = BTreeMap::new();
        for fact in &accepted {
            all.entry(fact.event_id).or_default().insert(place(fact));
            let known = counting.entry(fact.event_id).or_insert(fact);
            if place(fact) < place(known) {
                *known = fact;
            }
        }
        for shard in &shards {
            for (at, known) in &shard.homes {
                let effective = effective_at(*at, known.clone());
                let found: BTreeSet<_> = effective.facts.iter().map(place).collect();
                let wanted: BTreeSet<_> =
                    counting.values().filter(|fact| home(fact) == *at).map(|fact| place(fact)).collect();
                assert_eq!(found, wanted, "seed {seed}: {at:?}");
                for fact in &effective.facts {
                    let others = effective.variants.iter().filter(|variant| variant.event_id == fact.event_id).count();
                    assert_eq!(
                        others + 1,
                        all[&fact.event_id].len(),
                        "seed {seed}: {at:?}: variants of {}",
                        fact.event_id
                    );
                }
            }
            // Of what everybody keeps, the same ones count.
            let mut smallest: BTreeMap<EventId, &Fact> = BTreeMap::new();
            for fact in &shard.reference {
                let known = smallest.entry(fact.event_id).or_insert(fact);
                if place(fact) < place(known) {
                    *known = fact;
                }
            }
            for (id, fact) in smallest {
                assert_eq!(place(fact), place(counting[&id]), "seed {seed}: reference data, id {id}");
                assert!(
                    is_reference(fact)
                        || shard.reference.iter().any(|other| other.event_id == id && is_reference(other))
                );
            }
        }
        door.close().await;
    }
}
