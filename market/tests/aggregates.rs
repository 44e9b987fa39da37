//! Aggregates against the worked examples, and the laws of the plain evaluator: the order of arrival does not matter, and a
//! revoked fact leaves nothing behind.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use billwatch_market::{
    aggregate::{Grain, Question, Value},
    catalogue::Catalogue,
    evaluator::{Rules, Sets, Views, evaluate_by},
    fact::{ControlKind, CorrectionKind, Fact, Record},
    ids::Day,
    ndjson::parse_line,
};
use proptest::prelude::*;
use serde_json::Value as Json;

const EXAMPLES: [&str; 8] = [
    "a-reference",
    "b-plain-bab",
    "c-split-package",
    "d-cab-recourse",
    "e-unsuccessful",
    "f-late-corrections",
    "f-shuffled",
    "g-flagged",
];

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The accepted facts of some example files, and the market clock after them.
fn load(names: &[&str]) -> (Vec<Fact>, i64) {
    let catalogue = Catalogue::embedded();
    let mut facts = Vec::new();
    let mut watermarks = BTreeMap::new();
    for name in names {
        let text = fs::read_to_string(folder().join(format!("{name}.facts.ndjson"))).unwrap();
        for line in text.lines() {
            match parse_line(line.as_bytes(), &catalogue) {
                Ok(Record::Fact(fact)) => facts.push(fact),
                Ok(Record::Control(control)) => match control.kind {
                    ControlKind::Watermark(time) => {
                        watermarks.insert(control.source, time);
                    }
                    ControlKind::Idle => {
                        watermarks.insert(control.source, i64::MAX);
                    }
                    _ => {}
                },
                Err(refusal) => panic!("{name}: {line}: {refusal:?}"),
            }
        }
    }
    (facts, watermarks.into_values().min().unwrap())
}

fn rules() -> Rules {
    Rules::new(&Catalogue::embedded()).unwrap()
}

fn files(name: &'static str) -> Vec<&'static str> {
    if name == "a-reference" { vec![name] } else { vec!["a-reference", name] }
}

/// (from, to) of a period written `2025-03`; stock is asked for at one day.
fn period(text: &str, clock: i64) -> (Day, Day) {
    if text == "at market_clock" {
        let today = Day::of_time(clock);
        return (today, today);
    }
    let start = Day::parse(&format!("{text}-01")).unwrap();
    (start, start.add_months(1).plus(-1))
}

/// The figure of one expected entry; nothing there reads as 0.
fn figure(views: &Views, entry: &Json) -> Value {
    let text = |field: &str| entry[field].as_str().unwrap().to_owned();
    let (from, to) = period(&text("period"), views.clock);
    let question = Question {
        theme: text("theme"),
        dimension: text("dimension"),
        items: vec![text("item")],
        from,
        to,
        grain: Grain::Whole,
        measures: vec![text("measure")],
    };
    let rows = views.ask(&question).unwrap_or_else(|error| panic!("{entry}: {error}"));
    assert!(rows.len() <= 1, "{entry}: {rows:?}");
    rows.first().map_or(Value::Number(0), |row| row.values[0].1)
}

fn wide(json: &Json) -> i128 {
    match json {
        Json::String(text) => text.parse().unwrap(),
        number => i128::from(number.as_i64().unwrap()),
    }
}

#[test]
fn the_worked_examples_have_their_figures() {
    let rules = rules();
    let mut checked = 0;
    for name in EXAMPLES {
        let expected = fs::read_to_string(folder().join(format!("{name}.expected.json"))).unwrap();
        let expected: Json = serde_json::from_str(&expected).unwrap();
        let (facts, clock) = load(&files(name));
        let views = evaluate_by(&facts, clock, &rules, Sets::All);
        for entry in expected["aggregates"].as_array().unwrap() {
            let wanted = match &entry["value"] {
                Json::Object(ratio) => Value::Ratio(wide(&ratio["numerator"]), wide(&ratio["denominator"])),
                number => Value::Number(wide(number)),
            };
            assert_eq!(figure(&views, entry), wanted, "{name}: {entry}");
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked}");
}

fn hashes(views: &Views) -> [String; 3] {
    [views.bills_hash(), views.effects_hash(), views.cells_hash()].map(|hash| hash.to_string())
}

fn shuffle(facts: &mut [Fact], seed: u64) {
    // A plain linear congruence: the order only has to be different, not random.
    let mut state = seed;
    for at in (1..facts.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        facts.swap(at, (state >> 33) as usize % (at + 1));
    }
}

/// Everything at once; the two variants of one life (c, f) are loaded one at a time.
fn everything() -> (Vec<Fact>, i64) {
    load(&["a-reference", "b-plain-bab", "c-split-package", "d-cab-recourse", "e-unsuccessful", "g-flagged"])
}

#[test]
fn arrival_does_not_matter() {
    let rules = rules();
    for names in [vec!["a-reference", "f-late-corrections"], vec!["a-reference", "g-flagged"]] {
        let (mut facts, clock) = load(&names);
        let expected = hashes(&evaluate_by(&facts, clock, &rules, Sets::None));
        for seed in 0..5 {
            shuffle(&mut facts, seed);
            assert_eq!(hashes(&evaluate_by(&facts, clock, &rules, Sets::None)), expected, "{names:?} seed {seed}");
        }
    }
    let cells = |name| {
        let (facts, clock) = load(&["a-reference", name]);
        evaluate_by(&facts, clock, &rules, Sets::None).cells_hash()
    };
    assert_eq!(cells("f-late-corrections"), cells("c-split-package"), "corrections end where the right facts lead");
    assert_eq!(cells("f-shuffled"), cells("c-split-package"));
}

#[test]
fn every_dimension_is_kept_and_every_measure_can_be_asked_for() {
    let rules = rules();
    assert_eq!(rules.aggregates.themes().len(), 40);
    assert_eq!(rules.aggregates.dimension_count(), 633);
    for pair in 0..rules.aggregates.pairs().len() as u16 {
        assert!(rules.aggregates.slots(pair).len() <= billwatch_market::view::MAX_SLOTS);
    }
    let (facts, clock) = everything();
    let views = evaluate_by(&facts, clock, &rules, Sets::All);
    for theme in rules.aggregates.themes() {
        let listed = Catalogue::embedded();
        for dimension in &listed.theme(&theme.id).unwrap().dimensions {
            let question = Question {
                theme: theme.id.to_string(),
                dimension: dimension.id.to_string(),
                items: vec![],
                from: Day::parse("2025-01-01").unwrap(),
                to: Day::parse("2025-12-31").unwrap(),
                grain: Grain::Quarter,
                measures: listed.theme(&theme.id).unwrap().measures.iter().map(ToString::to_string).collect(),
            };
            views.ask(&question).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_revoked_fact_leaves_nothing(seed in any::<u64>(), victim in any::<prop::sample::Index>()) {
        let rules = rules();
        let (mut facts, clock) = everything();
        shuffle(&mut facts, seed);
        let victim = victim.get(&facts).clone();
        // A fact with corrections or variants of its own is another matter.
        let alone = victim.correction.is_none()
            && facts.iter().filter(|fact| fact.event_id == victim.event_id).count() == 1
            && !facts.iter().any(|fact| fact.correction.is_some_and(|(_, target)| target == victim.event_id));
        prop_assume!(alone);
        let without: Vec<Fact> = facts.iter().filter(|fact| fact.event_id != victim.event_id).cloned().collect();
        let mut revoke = victim.clone();
        revoke.event_id = u128::MAX;
        revoke.source_seq = 1_000_000;
        revoke.correction = Some((CorrectionKind::Revoke, victim.event_id));
        revoke.fields.clear();
        facts.push(revoke);
        let with = evaluate_by(&facts, clock, &rules, Sets::None);
        let without = evaluate_by(&without, clock, &rules, Sets::None);
        prop_assert_eq!(with.bills_hash(), without.bills_hash());
        prop_assert_eq!(with.cell_rows(), without.cell_rows());
    }
}

#[test]
fn sums_are_the_same_with_and_without_members() {
    let rules = rules();
    let (facts, clock) = everything();
    let bare = evaluate_by(&facts, clock, &rules, Sets::None);
    let full = evaluate_by(&facts, clock, &rules, Sets::All);
    assert_eq!(bare.cell_rows(), full.cell_rows());
}

#[test]
fn a_question_may_feed_its_own_pairs_alone() {
    let rules = rules();
    let (facts, clock) = everything();
    let all = evaluate_by(&facts, clock, &rules, Sets::None);
    for (theme, dimension, measure) in [
        ("T23", "D.ent.prov", "amt_fen"),
        ("T19", "D.hops", "bal_fen"),
        ("T18", "D.amt", "lots"),
        ("T28", "D.acceptor.sect", "timely_ratio"),
    ] {
        let question = Question {
            theme: theme.into(),
            dimension: dimension.into(),
            items: vec![],
            from: Day::parse("2025-01-01").unwrap(),
            to: Day::parse("2025-12-31").unwrap(),
            grain: Grain::Month,
            measures: vec![measure.into()],
        };
        let pairs = rules.aggregates.ask(&question).unwrap().pairs();
        let fed = Rules {
            aggregates: Arc::new(rules.aggregates.only(&pairs)),
            ..Rules::new(&Catalogue::embedded()).unwrap()
        };
        let some = evaluate_by(&facts, clock, &fed, Sets::None);
        assert!(some.cells().count() > 0 && some.cells().all(|(key, _)| pairs.contains(&key.pair)), "{theme}");
        assert_eq!(some.ask(&question), all.ask(&question), "{theme}");
    }
}

#[test]
fn stock_stands_until_it_is_taken_out() {
    // Example b: accepted and received in March, endorsed, discounted in April, paid in September.
    let rules = rules();
    let (facts, clock) = load(&["a-reference", "b-plain-bab"]);
    let views = evaluate_by(&facts, clock, &rules, Sets::All);
    let ask = |theme: &str, dimension: &str, measure: &str| {
        let question = Question {
            theme: theme.into(),
            dimension: dimension.into(),
            items: vec![],
            from: Day::parse("2025-03-01").unwrap(),
            to: Day::parse("2025-09-30").unwrap(),
            grain: Grain::Month,
            measures: vec![measure.into()],
        };
        let rows = views.ask(&question).unwrap();
        rows.into_iter().map(|row| (row.period_end.to_string(), row.item, row.values[0].1)).collect::<Vec<_>>()
    };
    let balance = ask("T20", "D.bill_kind", "bal_fen");
    assert_eq!(balance.len(), 6, "every month end but the last: {balance:?}");
    assert!(balance.iter().all(|(_, item, value)| item == "BAB" && *value == Value::Number(500_000_000)));
    // The bucket follows the date of the answer, not that of the change.
    let ladder: Vec<String> = ask("T22", "D.rtenor", "bills").into_iter().map(|(_, item, _)| item).collect();
    assert_eq!(ladder.first().map(String::as_str), Some("RT08"));
    assert_eq!(ladder.last().map(String::as_str), Some("RT03"));
    assert_eq!(ladder.len(), 6);
    let held = ask("T19", "D.hold_inst.code", "w_remaining_days");
    assert!(held.iter().any(|(end, item, _)| end == "2025-03-31" && item == "ENTERPRISE"), "{held:?}");
    assert!(held.iter().any(|(end, item, _)| end == "2025-08-31" && item.len() == 6), "{held:?}");
}

#[test]
fn hashes_add_up_over_parts() {
    let rules = Arc::new(rules());
    let (facts, clock) = everything();
    let views = evaluate_by(&facts, clock, &rules, Sets::None);
    let (even, odd): (Vec<_>, Vec<_>) = views.cells().partition(|(key, _)| key.pair % 2 == 0);
    let sum = |cells: Vec<(&billwatch_market::aggregate::CellKey, &[i128])>| {
        cells.into_iter().fold(billwatch_market::view::ViewHash::default(), |sum, (key, sums)| {
            sum + billwatch_market::view::cell_hash(key, sums)
        })
    };
    assert_eq!(sum(even) + sum(odd), views.cells_hash());
}
