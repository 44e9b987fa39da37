use std::sync::Arc;
use billwatch_bench::{measure::{epochs}, simulator::Settings};
use billwatch_market::{aggregate::*, bill::*, catalogue::Catalogue, fact_scope::*, observe::*, reference_data::Reference, items::ItemKind};
use std::collections::{HashMap, HashSet};
fn main() {
    let facts: u64 = std::env::args().nth(1).map_or(300_000, |a| a.parse().unwrap());
    let epochs = epochs::simulate(Settings { misbehaviour: true, ..Settings::new(facts, 7) }, epochs::EPOCH_FACTS);
    let cat = Catalogue::embedded();
    let laws = Laws::new(&cat).unwrap();
    let meanings = Arc::new(Meanings::new(cat.clone()).unwrap());
    let agg = Aggregates::new(meanings.clone());
    println!("pairs {} themes {}", agg.pairs().len(), agg.themes().len());
    let mut widths: HashMap<usize, usize> = HashMap::new();
    for p in 0..agg.pairs().len() { *widths.entry(agg.slots(p as u16).len()).or_default() += 1; }
    println!("slots widths {:?}", widths);
    let mut reference = Reference::new(meanings.vocabulary().clone());
    let mut bills: HashMap<_, Bill> = HashMap::new();
    let mut sink = CellSink::default();
    let mut kinds: HashMap<&'static str, u64> = HashMap::new();
    let mut dates: HashMap<i32, u64> = HashMap::new();
    let mut stockn = 0u64; let mut total = 0u64; let mut parts = 0u64;
    let mut by_theme: HashMap<String,u64> = HashMap::new();
    let mut max_bits = 0u32; let mut distinct_all = HashSet::new();
    let mut maxrow: HashMap<u16, u16> = HashMap::new();
    for (n, e) in epochs.iter().enumerate() {
        let mut distinct = HashSet::new(); let before = total;
        for fact in e.decode() {
            let (bill, outcome) = match scope(&fact) {
                FactScope::Bill(id) | FactScope::BillAndReference(id) => { let b = bills.entry(id).or_default(); let o = b.apply(&fact, &laws); (Some(&*b), o) }
                s => { if s == FactScope::Reference { reference.insert(fact.clone()); } (None, Outcome { effect: Effect::Informational, changes: Default::default(), cuts: Default::default(), answered: None }) }
            };
            let seen = Observation::new(&fact, &outcome, bill, &reference, &meanings);
            sink.clear();
            agg.flow(&seen, 1, &mut sink);
            let f = sink.cells().len();
            agg.stock(&seen, 1, &mut sink);
            stockn += (sink.cells().len() - f) as u64;
            let mut ps = HashSet::new();
            for (key, sums) in sink.sums() {
                total += 1;
                distinct.insert(key); distinct_all.insert(key);
                for s in sums { max_bits = max_bits.max(128 - s.unsigned_abs().leading_zeros()); }
                let k = match key.item.kind() { ItemKind::Special(_) => "special", ItemKind::Code(en, r) => { let m = maxrow.entry(en.0).or_default(); *m = (*m).max(r); "code" }, ItemKind::Party(_) => "party", ItemKind::Branch(_) => "branch", ItemKind::Day(_) => "day", ItemKind::Number(_) => "number" };
                *kinds.entry(k).or_default() += 1;
                *dates.entry((key.date.0 - fact.biz_date.0).clamp(-5, 5)).or_default() += 1;
                let p = agg.pair(key.pair);
                *by_theme.entry(format!("{}{}", agg.themes()[p.theme as usize].id, if p.stock {"s"} else {""})).or_default() += 1;
            }
            for c in sink.cells() { ps.insert(c.part); }
            parts += ps.len() as u64;
        }
        println!("epoch {n}: facts {} cells {} distinct {} days {:?}", e.facts, total - before, distinct.len(), distinct.iter().map(|k: &CellKey| k.date).collect::<HashSet<_>>().len());
    }
    let n: u64 = epochs.iter().map(|e| e.facts).sum();
    println!("per fact: cells {:.1} stock {:.1} parts {:.1} distinct total {} maxbits {}", total as f64 / n as f64, stockn as f64 / n as f64, parts as f64 / n as f64, distinct_all.len(), max_bits);
    println!("{kinds:?}\ndates {dates:?}");
    let mut v: Vec<_> = by_theme.into_iter().collect(); v.sort_by_key(|x| std::cmp::Reverse(x.1)); for (t, c) in v.iter().take(16) { println!("{t} {:.2}", *c as f64 / n as f64); }
    let dense: usize = agg.pairs().iter().map(|p| p.enumeration.map_or(0, |e| meanings.vocabulary().codes(e).len() + 5)).sum();
    println!("dense slots {dense}");
}
