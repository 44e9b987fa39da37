//! Two processes' worth of workers in one test, over real TCP: the same views as one process.

mod common;

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, mpsc},
    thread,
};

use billwatch_market::catalogue::Catalogue;
use billwatch_proto::v1;
use billwatch_workers::{
    command::{Command, Report},
    dataflow::valuation::Rules,
    engine::{Plan, Process},
    harness::route,
    mesh::{Hello, Mesh, connect},
    ownership::even_owners,
    saving::SavePace,
    shard::Common,
};
use common::{Dice, corrected, examples, expected, multiplied};

const PROCESSES: usize = 2;
const THREADS: usize = 2;

#[test]
fn two_processes_over_tcp_agree_with_the_evaluator() {
    let catalogue = Catalogue::embedded();
    let mut dice = Dice(7);
    let market = corrected(&multiplied(&examples("abcde", &catalogue), 3), 30, &mut dice);
    let owners = even_owners(PROCESSES * THREADS);
    let listeners: Vec<_> = (0..PROCESSES).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    let rules = Arc::new(Rules::new(&catalogue).unwrap());
    let (sender, reports) = mpsc::channel();
    let starting: Vec<_> = listeners
        .into_iter()
        .enumerate()
        .map(|(process, listener)| {
            let (addresses, sender) = (addresses.clone(), sender.clone());
            let common = Common {
                catalogue: catalogue.clone(),
                rules: rules.clone(),
                owners: owners.clone(),
                store: None,
                awake_bills_min: 2,
                save_pace: SavePace::default(),
                fill_pace: Default::default(),
                handled: Arc::default(),
                question_facts_max: 1_000,
                reading_facts_max: 1_000,
            };
            thread::spawn(move || {
                let hello = Hello {
                    cluster_id: "mesh-test".into(),
                    generation: 1,
                    process: process as u32,
                    processes: PROCESSES as u32,
                    threads: THREADS as u32,
                    catalogue_fingerprint: 1,
                    build: "test".into(),
                };
                let sockets = connect(&listener, &hello, &addresses).unwrap();
                let plan = Plan { common, process, threads: THREADS, generation: 1, restore_epoch: 0 };
                let sink = Arc::new(move |_, report| drop(sender.send(report)));
                Process::start(Mesh::Together { process, threads: THREADS, sockets }, plan, sink).unwrap()
            })
        })
        .collect();
    let processes: Vec<Process> = starting.into_iter().map(|starting| starting.join().unwrap()).collect();
    let feeders = || processes.iter().flat_map(Process::feeders);
    let parts: Vec<_> = market.facts.chunks(market.facts.len().div_ceil(9)).collect();
    for (place, part) in parts.iter().enumerate() {
        let clock = (place + 1 == parts.len()).then_some(market.clock);
        let routed = route(place as u64 + 1, part, clock, &owners, PROCESSES * THREADS);
        for (feeder, input) in feeders().zip(routed.inputs) {
            feeder.send(Command::Epoch(input)).unwrap();
        }
    }
    let question =
        v1::ShardQuestion { question: 1, kind: Some(v1::shard_question::Kind::Dump(v1::DumpViewsRequest::default())) };
    for feeder in feeders() {
        feeder.send(Command::Question(Box::new(question.clone()))).unwrap();
    }
    let mut live: BTreeMap<String, (u128, u64)> = BTreeMap::new();
    let mut answered = 0;
    while answered < PROCESSES * THREADS {
        match reports.recv().unwrap() {
            Report::Failed { error } => panic!("{error}"),
            Report::Answer(part) => {
                answered += usize::from(part.last);
                let Some(v1::shard_answer::Kind::Dump(dump)) = part.kind else { continue };
                for hash in dump.hashes {
                    let sum = live.entry(hash.view).or_default();
                    sum.0 = sum.0.wrapping_add(u128::from(hash.high) << 64 | u128::from(hash.low));
                    sum.1 += hash.rows;
                }
            }
            _ => {}
        }
    }
    assert_eq!(live, expected(&market, &catalogue).1);
    // All processes stop, or none ends: a mesh is one.
    let stopping: Vec<_> = processes.into_iter().map(|process| thread::spawn(move || process.stop())).collect();
    stopping.into_iter().for_each(|stopping| stopping.join().unwrap());
}
