//! Parameters change while the engine runs: from then on its alerts are those of a fresh evaluation under the new ones, for
//! every kind of rule, before and after more facts, corrections, a checkpoint and the way back.

mod common;

use std::collections::BTreeMap;

use billwatch_market::{
    catalogue::Catalogue,
    evaluator,
    fact::CorrectionKind,
    pattern::{ParameterKind, ParameterRow, Parameters, PatternIndex, Patterns, PlainWindows, RuleKind, plain},
    view,
};
use billwatch_proto::v1;
use billwatch_workers::harness::EngineHarness;
use common::{Dice, Market, corrected, examples, multiplied};

fn change(version: u32, pattern: &str, values: &[(String, String)]) -> v1::ParameterChange {
    let values = values.iter().map(|(name, value)| v1::ParameterValue { name: name.clone(), value: value.clone() });
    v1::ParameterChange { version, pattern: pattern.to_owned(), values: values.collect(), ..Default::default() }
}

/// Other values for one parameter of a rule, or for all of them.
fn other_values(rows: &[ParameterRow], dice: &mut Dice) -> Vec<(String, String)> {
    let one = dice.roll(2 * rows.len());
    let chosen = rows.iter().enumerate().filter(|(place, _)| one >= rows.len() || *place == one);
    let chosen: Vec<_> = chosen.map(|(_, row)| row).collect();
    chosen.into_iter().map(|row| (row.name.clone(), other_value(row.kind, &row.default, dice))).collect()
}

/// Another value of the kind of a parameter: mostly so low or high that much of the market meets the rule.
fn other_value(kind: ParameterKind, default: &str, dice: &mut Dice) -> String {
    match kind {
        ParameterKind::Switch => if default == "on" { "off" } else { "on" }.to_owned(),
        ParameterKind::Time => ["00:01", "12:00", "23:59"][dice.roll(3)].to_owned(),
        ParameterKind::Code => "ZZZ".to_owned(),
        ParameterKind::Number => {
            let is_whole = default.parse::<i64>().is_ok();
            let number: f64 = default.parse().expect("a plain number");
            let scaled = number * [0.0, 0.0, 0.1, 0.5, 100.0][dice.roll(5)];
            if is_whole { (scaled.round() as i64).to_string() } else { format!("{scaled:.4}") }
        }
    }
}

/// Rows of the view of alerts, as the plain evaluator says under parameters, sorted.
fn expected_alerts(market: &Market, rules: &evaluator::Rules, patterns: &Patterns) -> Vec<String> {
    let setting = plain::Setting { meanings: &rules.meanings, laws: &rules.laws, patterns };
    let evaluation = plain::evaluate(&market.facts, setting, market.clock, &PlainWindows::default());
    let row = |(pattern, key, date, hits)| view::alert_row(patterns.id(pattern), key, date, hits);
    let mut rows: Vec<String> = evaluation.alerts.iter().map(row).collect();
    rows.sort();
    rows
}

/// What was set so far, on both sides.
struct Settings {
    parameters: Parameters,
    /// The rules before the last change.
    before: Patterns,
    patterns: Patterns,
    changes: Vec<v1::ParameterChange>,
}

impl Settings {
    fn new(catalogue: &Catalogue) -> Self {
        let parameters = Parameters::default();
        let compiled = || Patterns::of(catalogue, &parameters).unwrap();
        let (before, patterns) = (compiled(), compiled());
        Settings { before, patterns, parameters, changes: Vec::new() }
    }

    /// The rule, and those that read its parameters or features which it feeds: all that differ from the rules before.
    fn reads(&self, id: &str) -> Vec<String> {
        let features = self.patterns.changed_features(&self.before);
        let fed = features.iter().flat_map(|feature| self.patterns.readers(*feature)).map(|reader| reader.pattern);
        let rules = self.patterns.changed_since(&self.before).into_iter().chain(fed);
        rules.map(|rule| self.patterns.id(rule).to_owned()).chain([id.to_owned()]).collect()
    }

    /// Sets parameters of a rule, where the rules compile with them.
    fn set(
        &mut self,
        catalogue: &Catalogue,
        pattern: &str,
        values: &[(String, String)],
    ) -> Option<v1::ParameterChange> {
        let mut parameters = self.parameters.clone();
        for (name, value) in values {
            self.patterns.check_parameter(pattern, name, value).unwrap();
        }
        let version = parameters.version + 1;
        let texts = values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        parameters.apply(version, pattern, texts).unwrap();
        let patterns = Patterns::of(catalogue, &parameters).ok()?;
        self.before = std::mem::replace(&mut self.patterns, patterns);
        self.parameters = parameters;
        self.changes.push(change(version, pattern, values));
        self.changes.last().cloned()
    }
}

fn assert_equal(engine: &mut EngineHarness, market: &Market, settings: &Settings, rules: &evaluator::Rules, of: &str) {
    let found = engine.view_rows("alerts").unwrap();
    let wanted = expected_alerts(market, rules, &settings.patterns);
    let missing: Vec<_> = wanted.iter().filter(|row| !found.contains(row)).take(5).collect();
    let extra: Vec<_> = found.iter().filter(|row| !wanted.contains(row)).take(5).collect();
    assert!(found == wanted, "{of}: missing {missing:#?}, extra {extra:#?}");
}

fn market(catalogue: &Catalogue, seed: u64) -> Market {
    let mut market = corrected(&multiplied(&examples("abcdeg", catalogue), 2), 25, &mut Dice(seed));
    // It revokes what never came: P184.
    let mut lost = market.facts.iter().find(|fact| fact.bill_id.is_some()).expect("a fact of a bill").clone();
    (lost.event_id, lost.source_seq) = (8_000_000, 8_500_000);
    lost.correction = Some((CorrectionKind::Revoke, 4_242_424_242));
    lost.fields.clear();
    market.facts.push(lost);
    market
}

/// All rules with parameters, one after the other: what the change says of alerts is the difference of two evaluations.
#[test]
fn every_rule_gives_the_difference_of_two_fresh_runs() {
    let catalogue = Catalogue::embedded();
    let rules = evaluator::Rules::new(&catalogue).unwrap();
    let mut by_kind: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (seed, threads) in [(1, 1), (2, 2), (3, 3)] {
        let market = market(&catalogue, seed);
        let mut dice = Dice(seed);
        let mut engine = EngineHarness::start_crowded(&catalogue, threads, None, 0, 3).unwrap();
        for part in market.facts.chunks(150) {
            engine.feed(part, Some(market.clock)).unwrap();
        }
        let mut settings = Settings::new(&catalogue);
        let mut before = engine.view_rows("alerts").unwrap();
        for place in 0..settings.patterns.rule_count() {
            let pattern = PatternIndex(place as u16);
            let rows = settings.patterns.parameter_rows(pattern).to_vec();
            if rows.is_empty() {
                continue;
            }
            let id = settings.patterns.id(pattern).to_owned();
            let values = match settings.patterns.kind(pattern) {
                // Some days: what waits is told on another date.
                RuleKind::Orphan => vec![(rows[0].name.clone(), "4000".to_owned())],
                _ => other_values(&rows, &mut dice),
            };
            let Some(change) = settings.set(&catalogue, &id, &values) else { continue };
            let told = engine.change_parameters(&change, Some(market.clock)).unwrap().alerts;
            let of = format!("seed {seed}, {threads} threads, {id} {values:?}");
            let may_change = settings.reads(&id);
            assert!(told.iter().all(|alert| may_change.contains(&alert.pattern)), "{of}: others changed");
            assert!(told.iter().all(|alert| alert.parameters_version == change.version), "{of}");
            assert_equal(&mut engine, &market, &settings, &rules, &of);
            let now = engine.view_rows("alerts").unwrap();
            let differ = now.iter().filter(|row| !before.contains(row)).count()
                + before.iter().filter(|row| !now.contains(row)).count();
            assert_eq!(told.is_empty(), differ == 0, "{of}");
            before = now;
            let kind = match settings.patterns.kind(pattern) {
                RuleKind::Facts => "facts",
                RuleKind::Windows if settings.patterns.is_group(pattern) => "peers",
                RuleKind::Windows => "windows",
                RuleKind::Timer => "timer",
                RuleKind::Orphan => "orphan",
            };
            let counts = by_kind.entry(kind).or_default();
            counts.0 += 1;
            counts.1 += u32::from(differ > 0);
        }
    }
    println!("kind: changes, of them with a difference: {by_kind:?}");
    for kind in ["facts", "windows", "timer", "orphan"] {
        assert!(by_kind[kind].1 > 0, "no change of kind {kind} made a difference: {by_kind:?}");
    }
}

/// Changes among facts that come late and are corrected; a checkpoint between; then everything back to the catalogue's.
#[test]
fn changes_among_facts_survive_a_restart_and_go_back() {
    let catalogue = Catalogue::embedded();
    let rules = evaluator::Rules::new(&catalogue).unwrap();
    for seed in 0..4 {
        let mut dice = Dice(40 + seed);
        let whole = market(&catalogue, seed);
        let mut arriving = whole.facts.clone();
        if seed % 2 == 0 {
            dice.shuffle(&mut arriving);
        }
        let threads = 1 + seed as usize % 2;
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(&catalogue);
        let mut engine = EngineHarness::start_crowded(&catalogue, threads, Some(dir.path()), 0, 2).unwrap();
        let first = whole.facts.iter().map(|fact| fact.event_time).min().unwrap();
        let parts: Vec<&[_]> = arriving.chunks(arriving.len().div_ceil(10)).collect();
        let mut known = Market { facts: Vec::new(), clock: first };
        for (place, part) in parts.iter().enumerate() {
            known.facts.extend_from_slice(part);
            known.clock = first + (whole.clock - first) / parts.len() as i64 * (place as i64 + 1);
            engine.feed(part, Some(known.clock)).unwrap();
            for _ in 0..4 {
                let pattern = PatternIndex(dice.roll(settings.patterns.rule_count()) as u16);
                let rows = settings.patterns.parameter_rows(pattern).to_vec();
                if rows.is_empty() {
                    continue;
                }
                let id = settings.patterns.id(pattern).to_owned();
                let values = other_values(&rows, &mut dice);
                if let Some(change) = settings.set(&catalogue, &id, &values) {
                    engine.change_parameters(&change, Some(known.clock)).unwrap();
                }
            }
            assert_equal(&mut engine, &known, &settings, &rules, &format!("seed {seed}, part {place}"));
            if place == 5 {
                engine.checkpoint().unwrap();
                let epoch = engine.epoch();
                engine.stop();
                let refused = EngineHarness::start(&catalogue, threads, Some(dir.path()), epoch).map(drop);
                assert!(refused.unwrap_err().to_string().contains("parameters"), "restored under other parameters");
                let changes = settings.changes.clone();
                engine = EngineHarness::start_under(&catalogue, threads, dir.path(), epoch, changes).unwrap();
                assert_equal(&mut engine, &known, &settings, &rules, &format!("seed {seed}, restored"));
            }
        }
        for change in settings.changes.clone() {
            let values =
                change.values.iter().map(|value| (value.name.clone(), "default".to_owned())).collect::<Vec<_>>();
            let back = settings.set(&catalogue, &change.pattern, &values).unwrap();
            engine.change_parameters(&back, Some(known.clock)).unwrap();
        }
        settings.patterns = Patterns::of(&catalogue, &Parameters::default()).unwrap();
        assert_equal(&mut engine, &known, &settings, &rules, &format!("seed {seed}, back"));
    }
}
