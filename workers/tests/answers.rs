//! Answers against the plain evaluators: figures of cells, subscriptions, the life of a bill, evidence.

mod common;

use std::collections::BTreeSet;

use billwatch_market::{
    aggregate::{
        Grain, Question,
        wire::{CellsPart, Gathered, Request},
    },
    catalogue::Catalogue,
    corrections::effective_at,
    evaluator::{self, Sets},
    fact::{Fact, Record},
    fact_scope::Home,
    handling::{Action, Handlings, parse_codes},
    ids::{BillId, Day, PartyId},
    ndjson::parse_line,
    pattern::{AlertId, AlertKey, Cell, FeatureIndex, Key, MarketRegistry, Patterns, PlainWindows, plain},
};
use billwatch_proto::v1::{self, shard_answer, shard_question::Kind};
use billwatch_workers::harness::EngineHarness;
use common::{Dice, Market, corrected, examples, multiplied};

fn market(catalogue: &Catalogue) -> Market {
    corrected(&multiplied(&examples("abcd", catalogue), 2), 15, &mut Dice(5))
}

fn engine_of(market: &Market, catalogue: &std::sync::Arc<Catalogue>) -> EngineHarness {
    let mut engine = EngineHarness::start(catalogue, 2, None, 0).unwrap();
    for part in market.facts.chunks(50) {
        engine.feed(part, Some(market.clock)).unwrap();
    }
    engine
}

fn gather(parts: Vec<v1::ShardAnswer>, gathered: &mut Gathered) {
    for part in parts {
        if let Some(shard_answer::Kind::Cells(bytes)) = part.kind {
            gathered.add(CellsPart::decode(&bytes).unwrap());
        }
    }
}

/// Acts on two of three alerts, in ways that end in every status but one, through orders; and what that makes of them.
fn act(engine: &mut EngineHarness, market: &Market, alerts: impl Iterator<Item = AlertId>) -> Handlings {
    let ways = [
        &[("ACK", "")][..],
        &[("INV", ""), ("FP", "")],
        &[("CLS", "DP03"), ("ESC", "")],
        &[("ACK", ""), ("CLS", "DP01")],
        &[("SUP", "")],
    ];
    let mut handlings = Handlings::default();
    let mut actions = Vec::new();
    let handled: BTreeSet<u128> = alerts.map(|alert| alert.0).filter(|id| id % 3 != 0).collect();
    for (id, way) in handled.iter().zip(ways.iter().cycle()) {
        for (step, (status, disposition)) in (0..).zip(*way) {
            actions.push(v1::AlertAction {
                alert_id: format!("{id:032x}"),
                status: (*status).to_owned(),
                disposition: (*disposition).to_owned(),
                market_clock_ms: market.clock + step,
                raised_clock_ms: market.clock,
                ..v1::AlertAction::default()
            });
            let (status, disposition) = parse_codes(status, disposition).unwrap();
            let action = Action { status, disposition, raised_ms: market.clock, clock_ms: market.clock + step };
            handlings.apply(AlertId(*id), action);
        }
    }
    assert!(handled.len() >= ways.len(), "{} alerts were acted on", handled.len());
    engine.order(v1::order::Kind::AlertActions(v1::AlertActions { actions }));
    engine.feed(&[], Some(market.clock)).unwrap();
    handlings
}

#[test]
fn figures_of_every_theme() {
    let catalogue = Catalogue::embedded();
    let market = market(&catalogue);
    let rules = evaluator::Rules::new(&catalogue).unwrap();
    let views = evaluator::evaluate_by(&market.facts, market.clock, &rules, Sets::All);
    let patterns = Patterns::embedded();
    let setting = plain::Setting { meanings: &rules.meanings, laws: &rules.laws, patterns: &patterns };
    let alerts = plain::evaluate(&market.facts, setting, market.clock, &PlainWindows::default()).alerts;
    let moments = |bill: BillId| {
        let records = market.facts.iter().filter(|fact| fact.bill_id == Some(bill)).cloned().collect();
        let registry = MarketRegistry { reference: &views.reference, meanings: &rules.meanings };
        plain::moments_of_bill(&effective_at(Home::Bill(bill), records), setting, &registry)
    };
    let mut engine = engine_of(&market, &catalogue);
    let id_of = |(pattern, key, date, _): (_, &AlertKey, _, _)| AlertId::of(patterns.id(pattern), key, date);
    let handlings = act(&mut engine, &market, alerts.iter().map(id_of));
    let mut rows = 0;
    for theme in rules.aggregates.themes() {
        let listed = catalogue.theme(&theme.id).unwrap();
        for dimension in &listed.dimensions {
            let question = Question {
                theme: theme.id.to_string(),
                dimension: dimension.id.to_string(),
                items: Vec::new(),
                from: Day::parse("2025-01-01").unwrap(),
                to: Day::parse("2025-12-31").unwrap(),
                grain: Grain::Month,
                measures: Vec::new(),
            };
            let wanted = match &*question.theme {
                "T31" => views.ask_alerts(&question, &alerts, &patterns, &handlings, &moments),
                _ => views.ask(&question),
            };
            let wanted = wanted.unwrap();
            let request = v1::QueryCellsRequest {
                theme: question.theme.clone(),
                dimension: question.dimension.clone(),
                from_date: "2025-01-01".into(),
                to_date: "2025-12-31".into(),
                grain: v1::Grain::Month as i32,
                ..Default::default()
            };
            let asked = Request {
                theme: &question.theme,
                dimension: &question.dimension,
                items: &[],
                from_date: "2025-01-01",
                to_date: "2025-12-31",
                grain: Some(Grain::Month),
                measures: &[],
            };
            let compiled = rules.aggregates.compile(asked, Some(market.clock)).unwrap();
            let mut gathered = Gathered::default();
            gather(engine.ask(Kind::Cells(request)).unwrap(), &mut gathered);
            let found = compiled.answer(&rules.aggregates, &gathered);
            if !compiled.only_stock {
                assert_eq!(found, wanted, "{} {}", question.theme, question.dimension);
                rows += found.len();
            }
        }
    }
    assert!(rows > 2_000, "{rows} rows compared");
}

#[test]
fn a_subscription_adds_up_to_the_answer() {
    let catalogue = Catalogue::embedded();
    let market = market(&catalogue);
    let mut engine = EngineHarness::start(&catalogue, 2, None, 0).unwrap();
    let query = v1::QueryCellsRequest { theme: "T04".into(), dimension: "D.date".into(), ..Default::default() };
    let mut followed = Gathered::default();
    let watch = v1::WatchQuestion { subscription: 3, cells: Some(query.clone()) };
    gather(engine.ask(Kind::Watch(watch)).unwrap(), &mut followed);
    for part in market.facts.chunks(40) {
        for watched in engine.feed(part, Some(market.clock)).unwrap().watched {
            assert_eq!(watched.subscription, 3);
            followed.add(CellsPart::decode(&watched.partial).unwrap());
        }
    }
    let rules = evaluator::Rules::new(&catalogue).unwrap();
    let measures = ["cnt".to_owned(), "amt_fen".to_owned()];
    let request = Request {
        theme: "T04",
        dimension: "D.date",
        items: &[],
        from_date: "",
        to_date: "",
        grain: Some(Grain::Whole),
        measures: &measures,
    };
    let compiled = rules.aggregates.compile(request, Some(market.clock)).unwrap();
    let mut at_once = Gathered::default();
    gather(engine.ask(Kind::Cells(query)).unwrap(), &mut at_once);
    let rows = compiled.answer(&rules.aggregates, &followed);
    assert_eq!(rows, compiled.answer(&rules.aggregates, &at_once));
    assert!(!rows.is_empty());
    engine.ask(Kind::Unwatch(3)).unwrap();
    assert!(engine.feed(&market.facts[..0], Some(market.clock)).unwrap().watched.is_empty());
}

#[test]
fn a_bill_tells_its_life() {
    let catalogue = Catalogue::embedded();
    let market = examples("ac", &catalogue);
    let mut engine = engine_of(&market, &catalogue);
    let bill = market.facts.iter().find_map(|fact| fact.bill_id).unwrap();
    let request = v1::GetBillRequest { bill_id: bill.to_string() };
    let parts = engine.ask(Kind::Bill(request)).unwrap();
    let lives: Vec<_> = parts
        .into_iter()
        .filter_map(|part| match part.kind {
            Some(shard_answer::Kind::Bill(life)) if !life.life.is_empty() => Some(life),
            _ => None,
        })
        .collect();
    let [life] = &lives[..] else { panic!("one worker owns the bill") };
    assert_eq!(life.life.len(), market.facts.iter().filter(|fact| fact.bill_id == Some(bill)).count());
    assert!(life.life.iter().all(|fact| !fact.effect.is_empty()));
    assert!(life.lots.len() > 1 && life.lots.iter().all(|lot| !lot.lineage.is_empty()));
    assert!(engine.ask(Kind::Bill(v1::GetBillRequest { bill_id: "x".into() })).is_err());
}

fn key_of(text: &str) -> Key {
    let part = |text: &str| PartyId::parse(text).map_or_else(|| text.parse().unwrap(), PartyId::bits);
    text.split_once(',').map_or_else(|| Key(part(text), 0), |(left, right)| Key(part(left), part(right)))
}

#[test]
fn evidence_alone_gives_the_alert_again() {
    let catalogue = Catalogue::embedded();
    let market = market(&catalogue);
    let mut engine = EngineHarness::start(&catalogue, 2, None, 0).unwrap();
    let mut alerts = std::collections::BTreeMap::new();
    for part in market.facts.chunks(200) {
        for change in engine.feed(part, Some(market.clock)).unwrap().alerts {
            alerts.insert((change.id_high, change.id_low), change);
        }
    }
    alerts.retain(|_, change| change.hits.iter().any(|hits| *hits > 0));
    let rules = evaluator::Rules::new(&catalogue).unwrap();
    let patterns = Patterns::embedded();
    let setting = plain::Setting { meanings: &rules.meanings, laws: &rules.laws, patterns: &patterns };
    let mut failed = Vec::new();
    let mut seen: std::collections::BTreeMap<String, u32> = Default::default();
    for change in alerts.into_values() {
        let count = seen.entry(change.pattern.clone()).or_default();
        *count += 1;
        if *count > 2 {
            continue;
        }
        let name = format!("{} {} {}", change.pattern, change.key, Day(change.biz_day));
        let (pattern, key, day) = (change.pattern.clone(), change.key.clone(), Day(change.biz_day));
        let mut facts: Vec<Fact> = Vec::new();
        let mut baseline = PlainWindows::default();
        for part in
            engine.ask(Kind::Explain(v1::ExplainQuestion { alert: Some(change), ..Default::default() })).unwrap()
        {
            let Some(shard_answer::Kind::Explain(part)) = part.kind else { continue };
            for row in part.facts {
                let Record::Fact(fact) = parse_line(&row.json, &catalogue).unwrap() else { panic!("a control record") };
                facts.push(fact);
            }
            for line in part.baseline {
                let feature = (0..patterns.feature_count()).map(|at| FeatureIndex(at as u16));
                let feature = feature.into_iter().find(|at| patterns.feature_name(*at) == line.feature).unwrap();
                let cell = Cell { count: line.count, sum: line.sum_fen.parse().unwrap() };
                baseline.set(feature, key_of(&line.key), i64::from(line.bucket_number), 0, cell);
            }
        }
        let again = plain::evaluate(&facts, setting, market.clock, &baseline).alerts;
        if !again.iter().any(|(at, of, date, _)| patterns.id(at) == pattern && of.to_string() == key && date == day) {
            failed.push(format!("{name}: {} facts", facts.len()));
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A question that has to read the history again has a limit; what lies in tables, and what reads a few lives, has not.
#[test]
fn a_question_that_reads_too_much_is_refused() {
    let catalogue = Catalogue::embedded();
    let market = market(&catalogue);
    let mut engine = EngineHarness::start_limited(&catalogue, 2, None, 0, 40).unwrap();
    let mut alerts = Vec::new();
    for part in market.facts.chunks(50) {
        alerts.extend(engine.feed(part, Some(market.clock)).unwrap().alerts);
    }
    let cells = |measure: &str| v1::QueryCellsRequest {
        theme: "T04".into(),
        dimension: "D.date".into(),
        measures: vec![measure.to_owned()],
        ..Default::default()
    };
    let mut refused = |kind: Kind, limit: &str| {
        let words = engine.ask(kind).map(drop).unwrap_err().to_string();
        assert!(words.contains("INVALID_ARGUMENT") && words.contains("40 facts"), "{words}");
        assert!(words.contains(limit), "{words}");
    };
    refused(Kind::Cells(cells("bills")), "READING_FACTS_MAX");
    refused(Kind::Dump(v1::DumpViewsRequest { view: "effects".into() }), "QUESTION_FACTS_MAX");
    let about_a_fact = alerts.iter().find(|alert| alert.pattern == "P177" || alert.pattern == "P184").unwrap().clone();
    let about_a_fact = v1::ExplainQuestion { alert: Some(about_a_fact), ..Default::default() };
    refused(Kind::Explain(about_a_fact), "QUESTION_FACTS_MAX");
    engine.ask(Kind::Cells(cells("cnt"))).unwrap();
    assert!(!engine.view_hashes().unwrap().is_empty());
    let about_a_bill = alerts.iter().find(|alert| alert.pattern == "P011").unwrap().clone();
    engine.ask(Kind::Explain(v1::ExplainQuestion { alert: Some(about_a_bill), ..Default::default() })).unwrap();
}
