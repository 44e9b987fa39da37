//! How well the patterns tell misbehaviour from trade: planted cases found, near misses alerted, and how often honest trade
//! is alerted.
//!
//! Two markets go through the engine: one with every pattern's labelled cases, and a clean week, whose issues lie within
//! seven days (their lives run on to their end). What is alerted on the clean one is noise that a supervisor would see; it is
//! given for each 100,000 facts.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use billwatch_market::{
    catalogue::Catalogue,
    ids::Day,
    pattern::{Parameters, PatternIndex, Patterns},
};
use billwatch_workers::harness::EngineHarness;
use serde::Serialize;

use super::epochs::{EPOCH_FACTS, EncodedEpoch, simulate_labelled};
use crate::simulator::{Settings, label::Label};

/// Days of issues of the clean market.
const CLEAN_DAYS: u32 = 7;

/// What became of one pattern.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Such as `P013`.
    pub pattern: String,
    /// English name.
    pub name_en: String,
    /// Chinese name.
    pub name_zh: String,
    /// Labelled cases that must be alerted.
    pub planted: u64,
    /// Of these, alerted.
    pub found: u64,
    /// Labelled cases that must not be alerted.
    pub near_misses: u64,
    /// Of these, alerted.
    pub wrongly_alerted: u64,
    /// Alerts on the clean week.
    pub clean_alerts: u64,
    /// The same for each 100,000 of its facts.
    pub clean_alerts_per_100k: f64,
}

/// The outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    /// One a pattern that has a rule, by id.
    pub patterns: Vec<Score>,
    /// Facts of the market with cases.
    pub labelled_facts: u64,
    /// Facts of the clean week.
    pub clean_facts: u64,
    /// Patterns that have a rule and no labelled case.
    pub without_cases: Vec<String>,
    /// Positives without alert, and near misses with one, in words.
    pub faults: Vec<String>,
}

/// Pattern, key, business date.
type Name = (String, String, Day);

/// Runs both markets: `facts` of normal trade each.
pub fn run(
    catalogue: &Arc<Catalogue>,
    facts: u64,
    seed: u64,
    threads: usize,
    directory: &Path,
) -> anyhow::Result<Scores> {
    let labelled = Settings { misbehaviour: true, ..Settings::new(facts, seed) };
    let (epochs, labels) = simulate_labelled(labelled, EPOCH_FACTS);
    let found = alerts(catalogue, &epochs, threads, &directory.join("labelled"))?;
    let labelled_facts = epochs.iter().map(|epoch| epoch.facts).sum();
    drop(epochs);
    let clean = Settings { days: CLEAN_DAYS, ..Settings::new(facts, seed) };
    let (epochs, _) = simulate_labelled(clean, EPOCH_FACTS);
    let noise = alerts(catalogue, &epochs, threads, &directory.join("clean"))?;
    let clean_facts: u64 = epochs.iter().map(|epoch| epoch.facts).sum();
    let mut scores = empty_scores(catalogue)?;
    let faults = judge(&mut scores, &found, &labels);
    for (pattern, ..) in &noise {
        scores.entry(pattern.clone()).or_default().clean_alerts += 1;
    }
    for score in scores.values_mut() {
        score.clean_alerts_per_100k = score.clean_alerts as f64 * 100_000.0 / clean_facts.max(1) as f64;
    }
    let without_cases = scores.values().filter(|score| score.planted == 0 || score.near_misses == 0);
    let without_cases = without_cases.map(|score| score.pattern.clone()).collect();
    Ok(Scores { patterns: scores.into_values().collect(), labelled_facts, clean_facts, without_cases, faults })
}

/// The alerts that stand at the end of a market.
fn alerts(
    catalogue: &Arc<Catalogue>,
    epochs: &[EncodedEpoch],
    threads: usize,
    directory: &Path,
) -> anyhow::Result<BTreeSet<Name>> {
    let mut engine = EngineHarness::start(catalogue, threads, Some(directory), 0)?;
    let mut standing = BTreeSet::new();
    for epoch in epochs {
        for change in engine.feed(&epoch.decode(), epoch.clock)?.alerts {
            let name = (change.pattern, change.key, Day(change.biz_day));
            if change.hits.iter().all(|hits| *hits == 0) {
                standing.remove(&name);
            } else {
                standing.insert(name);
            }
        }
    }
    engine.stop();
    Ok(standing)
}

fn empty_scores(catalogue: &Catalogue) -> anyhow::Result<BTreeMap<String, Score>> {
    let patterns = Patterns::of(catalogue, &Parameters::default())?;
    let score = |place: usize| {
        let id = patterns.id(PatternIndex(place as u16)).to_owned();
        let (name_en, name_zh) =
            catalogue.pattern(&id).map(|row| (row.english.to_string(), row.chinese.to_string())).unwrap_or_default();
        (id.clone(), Score { pattern: id, name_en, name_zh, ..Score::default() })
    };
    Ok((0..patterns.rule_count()).map(score).collect())
}

/// Counts cases; what does not fit, in words.
fn judge(scores: &mut BTreeMap<String, Score>, found: &BTreeSet<Name>, labels: &[Label]) -> Vec<String> {
    let mut faults = Vec::new();
    for label in labels {
        let is_alerted = found.contains(&(label.pattern.to_owned(), label.key.clone(), label.biz_date));
        let score = scores.entry(label.pattern.to_owned()).or_default();
        let (cases, alerted) = match label.positive {
            true => (&mut score.planted, &mut score.found),
            false => (&mut score.near_misses, &mut score.wrongly_alerted),
        };
        *cases += 1;
        *alerted += u64::from(is_alerted);
        if is_alerted != label.positive {
            let fault = if label.positive { "missed" } else { "wrongly alerted" };
            faults.push(format!("{fault}: {} {} on {} ({})", label.pattern, label.key, label.biz_date, label.note));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_finds_its_cases_and_a_clean_week_is_nearly_quiet() {
        let catalogue = Catalogue::embedded();
        let scores = run(&catalogue, 10_000, 31, 1, tempfile::tempdir().unwrap().path()).unwrap();
        assert!(scores.faults.is_empty(), "{:#?}", scores.faults);
        assert!(scores.without_cases.is_empty(), "{:?}", scores.without_cases);
        assert!(scores.patterns.iter().all(|score| score.found >= 3 && score.near_misses >= 3), "{scores:#?}");
        assert!(scores.clean_facts > 9_000 && scores.labelled_facts > scores.clean_facts);
    }

    #[test]
    fn a_missed_case_and_a_wrong_alert_are_faults() {
        let label = |positive, key: &str| Label {
            pattern: "P001",
            positive,
            key: key.to_owned(),
            biz_date: Day(20_000),
            event_ids: vec![1],
            note: "",
        };
        let alert = |key: &str| ("P001".to_owned(), key.to_owned(), Day(20_000));
        let found = BTreeSet::from([alert("found"), alert("miss")]);
        let mut scores = BTreeMap::new();
        let labels = [label(true, "found"), label(true, "lost"), label(false, "miss"), label(false, "quiet")];
        let faults = judge(&mut scores, &found, &labels);
        let score = &scores["P001"];
        assert_eq!((score.planted, score.found, score.near_misses, score.wrongly_alerted), (2, 1, 2, 1));
        assert!(faults.len() == 2 && faults[0].starts_with("missed") && faults[1].starts_with("wrongly alerted"));
    }
}
