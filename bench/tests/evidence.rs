//! An alert's evidence alone, fed to an empty engine, gives the alert again: for every implemented pattern, live.

mod common;

use std::{collections::BTreeMap, sync::Arc};

use billwatch_market::{
    books,
    catalogue::Catalogue,
    fact::Fact,
    ndjson::parse_line,
    pattern::{PatternIndex, Patterns},
};
use billwatch_proto::v1::{AlertChange, BaselineValue, ExplainQuestion, shard_answer, shard_question::Kind};
use billwatch_workers::harness::EngineHarness;
use common::{AlertName, Market, Standing, run};

/// Alerts of each pattern that are tried: the labelled ones first.
const ALERTS_A_PATTERN: usize = 3;

/// Known limit: the watermark that a fact came behind is part of its stamp, and a fact as text has none.
const OF_STAMPS: [&str; 1] = ["P175"];

type Evidence = (Vec<Fact>, Vec<BaselineValue>, Vec<String>);

fn ask(engine: &mut EngineHarness, question: ExplainQuestion, catalogue: &Catalogue) -> Evidence {
    let mut evidence = Evidence::default();
    for part in engine.ask(Kind::Explain(question)).expect("an explanation") {
        let Some(shard_answer::Kind::Explain(part)) = part.kind else { continue };
        for row in part.facts {
            match parse_line(&row.json, catalogue).map(books::read) {
                Ok(Ok(fact)) => evidence.0.push(fact),
                other => panic!("evidence that cannot be read: {other:?}"),
            }
        }
        evidence.1.extend(part.baseline);
        evidence.2.extend(part.judged_keys);
    }
    evidence
}

/// As the coordinator asks: again, once a worker has said where the alert was judged.
fn explain(engine: &mut EngineHarness, alert: &AlertChange, catalogue: &Catalogue) -> (Vec<Fact>, Vec<BaselineValue>) {
    let question = ExplainQuestion { alert: Some(alert.clone()), judged_keys: Vec::new() };
    let (mut facts, mut baseline, judged_keys) = ask(engine, question.clone(), catalogue);
    if !judged_keys.is_empty() {
        (facts, baseline, _) = ask(engine, ExplainQuestion { judged_keys, ..question }, catalogue);
    }
    (facts, baseline)
}

fn level(alert: &AlertChange) -> Option<usize> {
    alert.hits.iter().rposition(|hits| *hits > 0)
}

/// An alert by its name, and its evidence.
type Explained<'a> = (&'a AlertName, &'a AlertChange, (Vec<Fact>, Vec<BaselineValue>));

/// What is wrong with the alert that an empty engine gives of the evidence, in words; `None`: it is the same.
fn not_again(catalogue: &Arc<Catalogue>, clock: i64, (name, alert, evidence): &Explained<'_>) -> Option<String> {
    let (facts, baseline) = evidence;
    let mut empty = EngineHarness::start(catalogue, 1, None, 0).expect("the engine starts");
    empty.state_baseline(baseline).expect("the baseline is taken");
    let mut again = Standing::default();
    again.follow(&empty.feed(facts, Some(clock)).expect("the engine runs"));
    match again.0.get(*name) {
        None => Some(format!("{name:?}: {} facts, {} values do not give it", facts.len(), baseline.len())),
        Some(found) if level(found) != level(alert) => {
            Some(format!("{name:?}: hits {:?} instead of {:?}, {} facts", found.hits, alert.hits, facts.len()))
        }
        Some(_) => None,
    }
}

#[test]
fn evidence_alone_gives_every_patterns_alert_again() {
    let catalogue = Catalogue::embedded();
    let market = Market::simulated(10_000, ALERTS_A_PATTERN, 21, 3_000);
    let mut engine = EngineHarness::start(&catalogue, 2, None, 0).expect("the engine starts");
    let standing = run(&mut engine, &market, |_| true);
    let labelled: Vec<AlertName> = market
        .labels
        .iter()
        .filter(|label| label.positive)
        .map(|label| (label.pattern.to_owned(), label.key.clone(), label.biz_date.0))
        .collect();
    for miss in market.labels.iter().filter(|label| !label.positive) {
        let name = (miss.pattern.to_owned(), miss.key.clone(), miss.biz_date.0);
        assert!(!standing.0.contains_key(&name), "{miss:?} is a near miss and alerted");
    }
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut explained, mut failed): (Vec<Explained<'_>>, Vec<String>) = Default::default();
    let others = standing.0.keys().filter(|name| !labelled.contains(name));
    for name in labelled.iter().chain(others) {
        let count = tried.entry(name.0.as_str()).or_default();
        if *count == ALERTS_A_PATTERN {
            continue;
        }
        *count += 1;
        if OF_STAMPS.contains(&name.0.as_str()) {
            continue;
        }
        let Some(alert) = standing.0.get(name) else {
            failed.push(format!("{name:?} is labelled and not alerted"));
            continue;
        };
        explained.push((name, alert, explain(&mut engine, alert, &catalogue)));
    }
    // Empty engines have one thread each: two at a time keep two cores busy.
    let again = |explained: &[Explained<'_>]| -> Vec<String> {
        explained.iter().filter_map(|explained| not_again(&catalogue, market.clock, explained)).collect()
    };
    let (one, other) = explained.split_at(explained.len() / 2);
    std::thread::scope(|scope| {
        let halves = [one, other].map(|half| scope.spawn(move || again(half)));
        failed.extend(halves.into_iter().flat_map(|half| half.join().expect("engines run")));
    });
    let patterns = Patterns::embedded();
    for rule in 0..patterns.rule_count() {
        let id = patterns.id(PatternIndex(rule as u16));
        assert!(tried.contains_key(id), "{id} has no alert in the simulated market");
    }
    println!("{} patterns, {} alerts", tried.len(), tried.values().sum::<usize>());
    assert!(failed.is_empty(), "{failed:#?}");
}
