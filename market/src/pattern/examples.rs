//! The worked examples, judged: every alert that must be there, none that must not.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use serde_json::Value as Json;

use super::{
    Patterns, PlainWindows,
    plain::{Setting, evaluate, names},
};
use crate::{
    bill::Laws,
    catalogue::Catalogue,
    fact::{ControlKind, Fact, Record},
    ndjson::parse_line,
    observe::Meanings,
};

struct Loaded {
    facts: Vec<Fact>,
    clock: i64,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn load(names: &[&str], catalogue: &Catalogue) -> Loaded {
    let mut facts = Vec::new();
    let mut watermarks = std::collections::BTreeMap::new();
    for name in names {
        let text = fs::read_to_string(folder().join(format!("{name}.facts.ndjson"))).unwrap();
        for line in text.lines() {
            match parse_line(line.as_bytes(), catalogue) {
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
    Loaded { facts, clock: watermarks.into_values().min().unwrap() }
}

/// (pattern, key, date or nothing) of a list in an example.
fn listed(expected: &Json, list: &str) -> Vec<(String, String, Option<String>)> {
    let entries = expected[list].as_array().cloned().unwrap_or_default();
    let text = |entry: &Json, field: &str| entry[field].as_str().map(str::to_owned);
    let read = |entry: &Json| (text(entry, "pattern").unwrap(), text(entry, "key").unwrap(), text(entry, "biz_date"));
    entries.iter().map(read).collect()
}

fn alerts(loaded: &Loaded, catalogue: &Arc<Catalogue>, check_digit: bool) -> BTreeSet<(String, String, String)> {
    let meanings = Meanings::new(catalogue.clone()).unwrap();
    let laws = Laws::new(catalogue).unwrap();
    let mut parameters = super::Parameters::default();
    if check_digit {
        parameters.set("P176", "check_digit", "1").unwrap();
    }
    let patterns = Patterns::compile(super::PATTERNS_CSV, &super::RULE_FILES, &parameters).unwrap();
    let setting = Setting { meanings: &meanings, laws: &laws, patterns: &patterns };
    let evaluation = evaluate(&loaded.facts, setting, loaded.clock, &PlainWindows::default());
    names(&evaluation.alerts, &patterns).map(|(id, key, date)| (id.to_owned(), key, date.to_string())).collect()
}

#[test]
fn examples_give_the_alerts_that_they_must_and_no_other_that_they_must_not() {
    let catalogue = Catalogue::embedded();
    let known: BTreeSet<String> = {
        let patterns = Patterns::embedded();
        (0..patterns.rule_count()).map(|at| patterns.id(super::PatternIndex(at as u16)).to_owned()).collect()
    };
    let mut checked = 0;
    for name in [
        "b-plain-bab",
        "c-split-package",
        "d-cab-recourse",
        "e-unsuccessful",
        "f-late-corrections",
        "f-shuffled",
        "g-flagged",
    ] {
        let expected = fs::read_to_string(folder().join(format!("{name}.expected.json"))).unwrap();
        let expected: Json = serde_json::from_str(&expected).unwrap();
        let mut loaded = load(&["a-reference", name], &catalogue);
        for turn in 0..2 {
            let found = alerts(&loaded, &catalogue, name == "g-flagged");
            for (pattern, key, date) in listed(&expected, "must_alert") {
                let date = date.unwrap();
                assert!(known.contains(&pattern), "{pattern} is asked for by {name} and has no rule");
                let wanted = (pattern, key, date);
                assert!(found.contains(&wanted), "{name}: {wanted:?} is missing among {found:#?}");
                checked += 1;
            }
            for (pattern, key, _) in listed(&expected, "must_not_alert") {
                let wrong: Vec<_> =
                    found.iter().filter(|(id, of, _)| *id == pattern && (key == "*" || *of == key)).collect();
                // "*": no key at all, of this file's bills.
                assert!(wrong.is_empty(), "{name}: {wrong:?}");
            }
            if turn == 0 {
                loaded.facts.reverse();
            }
        }
    }
    assert!(checked >= 2 * 17, "{checked}");
}

#[test]
fn repo_leverage_holds_each_day_until_redemption() {
    let catalogue = Catalogue::embedded();
    let found = alerts(&load(&["a-reference", "c-split-package"], &catalogue), &catalogue, false);
    let days: Vec<&str> = found.iter().filter(|(id, ..)| id == "P058").map(|(_, _, date)| date.as_str()).collect();
    assert_eq!(
        days,
        ["2025-06-03", "2025-06-04", "2025-06-05", "2025-06-06", "2025-06-07", "2025-06-08", "2025-06-09"]
    );
}
