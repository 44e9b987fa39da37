use billwatch_bench::{measure::{epochs, plain_loop}, simulator::Settings};
fn main() {
    let facts: u64 = std::env::args().nth(1).map_or(300_000, |a| a.parse().unwrap());
    let t = std::time::Instant::now();
    let epochs = epochs::simulate(Settings { misbehaviour: true, ..Settings::new(facts, 7) }, epochs::EPOCH_FACTS);
    eprintln!("simulated in {:?}, {} bytes/fact", t.elapsed(), epochs.iter().map(|e| e.records.len()).sum::<usize>() as u64 / facts);
    let r = plain_loop::run(&billwatch_market::catalogue::Catalogue::embedded(), &epochs, true).unwrap();
    let n = r.facts;
    let s = r.stages;
    println!("{:?}", r);
    println!("per fact: {:.0} ns; decode {} fold {} flow {} sum {} patterns {}; cells/fact {:.1} deltas/fact {:.1}", r.seconds * 1e9 / n as f64, s.decode_ns / n, s.fold_ns / n, s.flow_ns / n, s.sum_ns / n, s.patterns_ns / n, r.cell_changes as f64 / n as f64, r.feature_deltas as f64 / n as f64);
}
