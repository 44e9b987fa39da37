//! Crosses against the cells of single dimensions, and their laws: one form for equal questions, coarser crosses are sums
//! of finer ones, what was added can be taken back.

use std::{collections::BTreeMap, fs, path::Path};

use billwatch_market::{
    aggregate::{
        Grain, Question, Value,
        cross::{CrossDefinition, CrossError, CrossId, CrossQuestion, CrossSet, CrossSink},
    },
    bill::Bill,
    catalogue::Catalogue,
    corrections::effective_at,
    evaluator::{Rules, Sets, Views, evaluate_by},
    fact::{Fact, Record},
    fact_scope::{FactScope, Home, scope},
    ids::Day,
    ndjson::parse_line,
    observe::Observation,
};

const EXAMPLES: [&str; 6] =
    ["a-reference", "b-plain-bab", "c-split-package", "d-cab-recourse", "e-unsuccessful", "g-flagged"];

/// The facts of all worked examples.
fn facts() -> Vec<Fact> {
    let catalogue = Catalogue::embedded();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut facts = Vec::new();
    for name in EXAMPLES {
        let text = fs::read_to_string(folder.join(format!("{name}.facts.ndjson"))).unwrap();
        facts.extend(text.lines().filter_map(|line| match parse_line(line.as_bytes(), &catalogue).unwrap() {
            Record::Fact(fact) => Some(fact),
            Record::Control(_) => None,
        }));
    }
    facts
}

fn clock() -> i64 {
    Day::parse("2026-01-01").unwrap().start_ms()
}

fn evaluate(crosses: &[CrossDefinition], sets: Sets) -> Views {
    let rules = Rules::new(&Catalogue::embedded()).unwrap().with_crosses(crosses).unwrap();
    evaluate_by(&facts(), clock(), &rules, sets)
}

fn ask(
    views: &Views,
    definition: &CrossDefinition,
    grain: Grain,
    measures: &[&str],
) -> Vec<(Day, Vec<String>, Vec<Value>)> {
    let question = CrossQuestion {
        definition: definition.clone(),
        from: Day::parse("2025-01-01").unwrap(),
        to: Day::parse("2025-12-31").unwrap(),
        grain,
        measures: measures.iter().map(|&measure| measure.to_owned()).collect(),
    };
    let rows = views.ask_cross(&question).unwrap();
    rows.into_iter()
        .map(|row| (row.period_end, row.items, row.values.into_iter().map(|(_, value)| value).collect()))
        .collect()
}

#[test]
fn a_cross_of_one_dimension_has_its_cells() {
    let catalogue = Catalogue::embedded();
    let rules = Rules::new(&catalogue).unwrap();
    let mut all: Vec<CrossDefinition> =
        rules.aggregates.dimensions().map(|(theme, dimension)| CrossDefinition::of(theme, &[dimension])).collect();
    all.sort();
    // A dimension of a balance alone, which the balance cannot tell, is refused; so is the theme of alerts.
    all.retain(|definition| definition.theme != "T31");
    let refused = all.iter().filter(|definition| rules.aggregates.cross(definition).is_err()).count();
    all.retain(|definition| rules.aggregates.cross(definition).is_ok());
    assert!(all.len() > 600 && refused < 10, "{} of {refused}", all.len());
    let views = evaluate(&all, Sets::All);
    let mut rows = 0;
    for definition in &all {
        let question = Question {
            theme: definition.theme.clone(),
            dimension: definition.dimensions[0].clone(),
            items: vec![],
            from: Day::parse("2025-01-01").unwrap(),
            to: Day::parse("2025-12-31").unwrap(),
            grain: Grain::Month,
            measures: rules
                .aggregates
                .themes()
                .iter()
                .find(|theme| *theme.id == *definition.theme)
                .unwrap()
                .measures
                .iter()
                .filter(|measure| !measure.form.is_of_one_dimension())
                .map(|measure| measure.name.to_string())
                .collect(),
        };
        let wanted: Vec<_> = views
            .ask(&question)
            .unwrap()
            .into_iter()
            .map(|row| {
                (row.period_end, vec![row.item], row.values.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(ask(&views, definition, Grain::Month, &[]), wanted, "{definition}");
        rows += wanted.len();
    }
    assert!(rows > 3_000, "{rows}");
}

fn sums(rows: Vec<(Day, Vec<String>, Vec<Value>)>, place: usize) -> BTreeMap<(Day, String), Vec<i128>> {
    let mut sums: BTreeMap<(Day, String), Vec<i128>> = BTreeMap::new();
    for (day, mut items, values) in rows {
        let known = sums.entry((day, items.swap_remove(place))).or_insert_with(|| vec![0; values.len()]);
        for (sum, value) in known.iter_mut().zip(values) {
            let Value::Number(value) = value else { panic!("{value:?}") };
            *sum += value;
        }
    }
    sums.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
    sums
}

#[test]
fn a_finer_cross_adds_up_to_its_coarser_ones() {
    let crosses = [
        (CrossDefinition::of("T04", &["D.bill_kind", "D.endorsee.prov", "D.amt"]), &["cnt", "amt_fen"][..]),
        (CrossDefinition::of("T07", &["D.buyer.type", "D.seller.type", "D.bill_kind", "D.rate"]), &["cnt", "amt_fen"]),
        (CrossDefinition::of("T20", &["D.bill_kind", "D.acc_inst.type", "D.rtenor"]), &["bal_fen", "margin_fen"]),
        (CrossDefinition::of("T02", &["D.bill_kind", "D.ans"]), &["cnt", "amt_fen"]),
    ];
    let mut all: Vec<CrossDefinition> = Vec::new();
    for (cross, _) in &crosses {
        all.push(cross.clone());
        all.extend(cross.dimensions.iter().map(|dimension| CrossDefinition::of(&cross.theme, &[dimension])));
    }
    let views = evaluate(&all, Sets::None);
    let mut compared = 0;
    for (cross, measures) in &crosses {
        let fine = ask(&views, cross, Grain::Month, measures);
        assert!(!fine.is_empty(), "{cross}");
        let mut dimensions = cross.dimensions.clone();
        dimensions.sort();
        for (place, dimension) in dimensions.iter().enumerate() {
            // Refusals count in D.ans alone: there the cross has more than the kinds of bills.
            if cross.theme == "T02" && dimension == "D.bill_kind" {
                continue;
            }
            let coarse = ask(&views, &CrossDefinition::of(&cross.theme, &[dimension]), Grain::Month, measures);
            assert_eq!(sums(fine.clone(), place), sums(coarse, 0), "{cross}: {dimension}");
            compared += 1;
        }
    }
    assert_eq!(compared, 11);
}

#[test]
fn a_filter_leaves_the_cells_that_have_its_items() {
    let whole = CrossDefinition::of("T04", &["D.bill_kind", "D.endorsee.prov"]);
    let shown = whole.clone().only("D.bill_kind", &["CAB"]);
    let hidden = CrossDefinition::of("T04", &["D.endorsee.prov"]).only("D.bill_kind", &["CAB"]);
    let moving = CrossDefinition::of("T20", &["D.rtenor", "D.bill_kind"]);
    let filtered = moving.clone().only("D.rtenor", &["RT03", "RT04"]);
    let views = evaluate(&[whole.clone(), shown.clone(), hidden.clone(), moving.clone(), filtered.clone()], Sets::All);
    let keep = |rows: Vec<(Day, Vec<String>, Vec<Value>)>, place: usize, items: &[&str]| {
        rows.into_iter().filter(|(_, row, _)| items.contains(&&*row[place])).collect::<Vec<_>>()
    };
    let all = ask(&views, &whole, Grain::Month, &[]);
    let of_kind = keep(all.clone(), 0, &["CAB"]);
    assert!(!of_kind.is_empty() && of_kind.len() < all.len());
    assert_eq!(ask(&views, &shown, Grain::Month, &[]), of_kind);
    let without_kind: Vec<_> =
        of_kind.into_iter().map(|(day, items, values)| (day, vec![items[1].clone()], values)).collect();
    assert_eq!(ask(&views, &hidden, Grain::Month, &[]), without_kind);
    let all = ask(&views, &moving, Grain::Month, &[]);
    let of_tenor = keep(all.clone(), 1, &["RT03", "RT04"]);
    assert!(!of_tenor.is_empty() && of_tenor.len() < all.len(), "{all:?}");
    assert_eq!(ask(&views, &filtered, Grain::Month, &[]), of_tenor);
}

#[test]
fn parties_keep_their_items_together() {
    let cross = CrossDefinition::of("T23", &["D.ent.prov", "D.ent.size", "D.role"]);
    let views = evaluate(std::slice::from_ref(&cross), Sets::All);
    let rows = ask(&views, &cross, Grain::Whole, &["distinct_enterprises"]);
    // Each row is made by enterprises that have all of its items: never more than there are of any of them.
    assert!(rows.len() > 3, "{rows:?}");
    assert!(rows.iter().all(|(_, _, values)| matches!(values[0], Value::Number(number) if number >= 1)), "{rows:?}");
}

#[test]
fn equal_questions_have_one_name() {
    let rules = Rules::new(&Catalogue::embedded()).unwrap();
    let one = CrossDefinition::of("T07", &["D.seller.type", "D.buyer.type"]).only("D.bill_kind", &["CAB", "BAB"]);
    let other =
        CrossDefinition::of("T07", &["D.buyer.type", "D.seller.type"]).only("D.bill_kind", &["BAB", "CAB", "BAB"]);
    let (one, other) = (rules.aggregates.cross(&one).unwrap(), rules.aggregates.cross(&other).unwrap());
    assert_eq!((one.id, &one.definition), (other.id, &other.definition));
    assert_eq!(one.definition.to_string(), "T07 D.buyer.type,D.seller.type D.bill_kind=BAB,CAB");
    // The name is kept in logs and by clients: it may not change.
    assert_eq!(one.id.to_string(), "dbcaa3b9cd86cfd8");
    assert_eq!(CrossId::parse(&one.id.to_string()), Some(one.id));
    assert_eq!(CrossId::parse("12"), None);
}

#[test]
fn what_cannot_be_kept_is_told() {
    let rules = Rules::new(&Catalogue::embedded()).unwrap();
    let refuse = |definition: CrossDefinition| rules.aggregates.cross(&definition).map(|_| ()).unwrap_err();
    let good = || CrossDefinition::of("T04", &["D.bill_kind"]);
    assert!(matches!(refuse(CrossDefinition::of("T99", &["D.amt"])), CrossError::Theme(_)));
    assert_eq!(refuse(CrossDefinition::of("T04", &[])), CrossError::Dimensions(0));
    assert_eq!(refuse(CrossDefinition::of("T04", &["a", "b", "c", "d", "e"])), CrossError::Dimensions(5));
    assert!(matches!(
        refuse(CrossDefinition::of("T04", &["D.nothing"])),
        CrossError::Dimension { field: "dimensions", .. }
    ));
    assert!(matches!(refuse(good().only("D.nothing", &["x"])), CrossError::Dimension { field: "filters", .. }));
    assert!(matches!(refuse(CrossDefinition::of("T04", &["D.amt", "D.amt"])), CrossError::Twice { .. }));
    assert!(matches!(refuse(good().only("D.amt", &[])), CrossError::NoItems(_)));
    assert!(matches!(refuse(good().only("D.bill_kind", &["XYZ"])), CrossError::Item { .. }));
    assert!(matches!(refuse(good().only("D.month", &["01"])), CrossError::Moves(_) | CrossError::Item { .. }));
    assert!(
        refuse(CrossDefinition::of("T20", &["D.bill_kind"]).only("D.rtenor", &["RT03"]))
            .to_string()
            .contains("add it to dimensions")
    );
}

#[test]
fn what_was_added_is_taken_back() {
    let catalogue = Catalogue::embedded();
    let rules = Rules::new(&catalogue).unwrap();
    let definitions = [
        CrossDefinition::of("T04", &["D.bill_kind", "D.hops"]),
        CrossDefinition::of("T18", &["D.amt", "D.bill_kind"]),
        CrossDefinition::of("T20", &["D.rtenor", "D.acc_inst.prov"]),
        CrossDefinition::of("T23", &["D.ent.prov", "D.ent.size"]),
        CrossDefinition::of("T28", &["D.acceptor.sect", "D.month"]),
        CrossDefinition::of("T36", &["D.role", "D.inst.type"]),
    ];
    let set = CrossSet::compile(&rules.aggregates, &definitions).unwrap();
    let views = evaluate_by(&facts(), clock(), &rules, Sets::None);
    let mut homes: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
    for fact in facts() {
        if let FactScope::Bill(bill) = scope(&fact) {
            homes.entry(bill).or_default().push(fact);
        }
    }
    let mut sums: BTreeMap<_, Vec<i128>> = BTreeMap::new();
    let (mut sink, mut seen_rows) = (CrossSink::new(false), [0; 6]);
    for weight in [1, -1] {
        for (bill_id, records) in &homes {
            let mut bill = Bill::default();
            for fact in &effective_at(Home::Bill(*bill_id), records.clone()).facts {
                let outcome = bill.apply(fact, &rules.laws);
                let seen = Observation::new(fact, &outcome, Some(&bill), &views.reference, &rules.meanings);
                sink.clear();
                set.observe(&rules.aggregates, &seen, weight, |_| true, &mut sink);
                for (row, more, _) in sink.rows() {
                    seen_rows[usize::from(row.cross)] += 1;
                    let known = sums.entry((row.cross, row.key)).or_insert_with(|| vec![0; more.len()]);
                    known.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                }
            }
        }
        if weight == 1 {
            assert!(seen_rows.iter().all(|rows| *rows > 0), "{seen_rows:?}");
            assert!(sums.values().any(|sums| sums.iter().any(|sum| *sum != 0)));
        }
    }
    assert!(sums.values().all(|sums| sums.iter().all(|sum| *sum == 0)));
}
