//! What a shard adds up row by row is what each fact says of its cells: over all worked examples, in any order, put in and
//! taken out again.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use billwatch_market::{
    aggregate::{Aggregates, CellKey, CellLayout, CellSink, EpochSums},
    bill::{Bill, Effect, Laws, Outcome},
    catalogue::Catalogue,
    fact::{Fact, Record},
    ids::BillId,
    ndjson::parse_line,
    observe::{Meanings, Observation},
    reference_data::Reference,
};
use smallvec::smallvec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

fn examples(catalogue: &Catalogue) -> Vec<Fact> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".facts.ndjson"));
    files.sort();
    let lines = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let lines: Vec<String> = lines.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let records = lines.iter().filter_map(|line| parse_line(line.as_bytes(), catalogue).ok());
    let facts = records.filter_map(|record| match record {
        Record::Fact(fact) => Some(fact),
        Record::Control(_) => None,
    });
    facts.collect()
}

/// Folds the facts as they come and hands each over as it is seen.
fn observe(facts: &[Fact], catalogue: &Arc<Catalogue>, meanings: &Meanings, mut each: impl FnMut(&Observation<'_>)) {
    let laws = Laws::new(catalogue).unwrap();
    let mut reference = Reference::new(meanings.vocabulary().clone());
    let mut bills: BTreeMap<BillId, Bill> = BTreeMap::new();
    for fact in facts {
        if fact.bill_id.is_none() {
            reference.insert(fact.clone());
        }
        let bill = fact.bill_id.map(|id| bills.entry(id).or_default());
        let informational =
            || Outcome { effect: Effect::Informational, changes: smallvec![], cuts: smallvec![], answered: None };
        let (bill, outcome) = match bill {
            Some(bill) => {
                let outcome = bill.apply(fact, &laws);
                (Some(&*bill), outcome)
            }
            None => (None, informational()),
        };
        each(&Observation::new(fact, &outcome, bill, &reference, meanings));
    }
}

fn drained(sums: &mut EpochSums) -> BTreeMap<CellKey, Vec<i128>> {
    let mut cells = BTreeMap::new();
    sums.drain(|key, values| assert!(cells.insert(key, values.to_vec()).is_none(), "{key:?} twice"));
    cells
}

#[test]
fn rows_add_up_to_what_each_fact_says() {
    let catalogue = Catalogue::embedded();
    let meanings = Arc::new(Meanings::new(catalogue.clone()).unwrap());
    let aggregates = Arc::new(Aggregates::new(meanings.clone()));
    let mut sums = EpochSums::new(aggregates.clone(), Arc::new(CellLayout::new(&aggregates)));
    let mut facts = examples(&catalogue);
    assert!(facts.len() > 100);
    for seed in 0..6 {
        println!("seed {seed}");
        let mut expected: BTreeMap<CellKey, Vec<i128>> = BTreeMap::new();
        let mut sink = CellSink::default();
        observe(&facts, &catalogue, &meanings, |seen| {
            aggregates.flow(seen, 1, &mut sink);
            aggregates.stock(seen, 1, &mut sink);
            sums.observe(seen, 1);
        });
        for (key, values) in sink.sums() {
            let total = expected.entry(key).or_insert_with(|| vec![0; values.len()]);
            total.iter_mut().zip(values).for_each(|(total, value)| *total += value);
        }
        expected.retain(|_, total| total.iter().any(|sum| *sum != 0));
        assert!(expected.len() > 1_000);
        assert_eq!(drained(&mut sums), expected);

        // Taken out in the epoch in which it was put in, nothing is left.
        observe(&facts, &catalogue, &meanings, |seen| {
            sums.observe(seen, 1);
            sums.observe(seen, -1);
        });
        assert_eq!(drained(&mut sums), BTreeMap::new());
        // In another order most facts do something else to their bills, which is as good.
        facts.sort_by_cached_key(|fact| xxh3_64_with_seed(format!("{:?}", fact.event_id).as_bytes(), seed));
    }
}
