//! Planted cases against alerts: every positive must have its alert, no near miss may have one.

use std::collections::{BTreeMap, HashSet};

use billwatch_bench::simulator::label::Label;
use billwatch_proto::v1::{Alert, AlertState};
use serde_json::json;

use crate::output::Listing;

/// How the alerts of one pattern fit what was planted for it.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Score {
    open: usize,
    planted: usize,
    found: usize,
    near_misses: usize,
    wrongly_alerted: usize,
}

/// The outcome, pattern by pattern.
#[derive(Debug)]
pub struct Judgement {
    scores: BTreeMap<String, Score>,
    names: BTreeMap<String, (String, String)>,
    /// Positives without alert, and near misses with one.
    pub faults: Vec<String>,
}

impl Judgement {
    /// Compares open alerts with labels by (pattern, key, business date).
    pub fn new(alerts: &[Alert], labels: &[Label]) -> Self {
        let mut judgement = Judgement { scores: BTreeMap::new(), names: BTreeMap::new(), faults: Vec::new() };
        let open = || alerts.iter().filter(|alert| alert.state() != AlertState::Withdrawn);
        for alert in open() {
            judgement.scores.entry(alert.pattern.clone()).or_default().open += 1;
            let names = || (alert.name_en.clone(), alert.name_zh.clone());
            judgement.names.entry(alert.pattern.clone()).or_insert_with(names);
        }
        let found: HashSet<_> = open().map(|alert| (&*alert.pattern, &*alert.key, alert.biz_date.clone())).collect();
        for label in labels {
            let is_alerted = found.contains(&(label.pattern, &*label.key, label.biz_date.to_string()));
            let score = judgement.scores.entry(label.pattern.to_owned()).or_default();
            let fault = match (label.positive, is_alerted) {
                (true, true) => {
                    score.planted += 1;
                    score.found += 1;
                    continue;
                }
                (true, false) => {
                    score.planted += 1;
                    "missed"
                }
                (false, true) => {
                    score.near_misses += 1;
                    score.wrongly_alerted += 1;
                    "wrongly alerted"
                }
                (false, false) => {
                    score.near_misses += 1;
                    continue;
                }
            };
            judgement.faults.push(format!(
                "{fault}: {} {} on {} ({}); facts {:?}",
                label.pattern, label.key, label.biz_date, label.note, label.event_ids
            ));
        }
        judgement
    }

    /// A table, pattern by pattern, with a sum.
    pub fn listing(&self) -> Listing {
        let mut listing = Listing::new([
            "pattern",
            "name_en",
            "name_zh",
            "alerts",
            "planted",
            "found",
            "near_misses",
            "wrongly_alerted",
        ]);
        let mut push = |pattern: &str, english: &str, chinese: &str, score: &Score| {
            listing.push([
                json!(pattern),
                json!(english),
                json!(chinese),
                json!(score.open),
                json!(score.planted),
                json!(score.found),
                json!(score.near_misses),
                json!(score.wrongly_alerted),
            ]);
        };
        let mut sum = Score::default();
        for (pattern, score) in &self.scores {
            let (english, chinese) = self.names.get(pattern).cloned().unwrap_or_default();
            push(pattern, &english, &chinese, score);
            sum.open += score.open;
            sum.planted += score.planted;
            sum.found += score.found;
            sum.near_misses += score.near_misses;
            sum.wrongly_alerted += score.wrongly_alerted;
        }
        push("all", "", "", &sum);
        listing
    }
}

#[cfg(test)]
mod tests {
    use billwatch_market::ids::Day;

    use super::*;

    fn alert(pattern: &str, key: &str, state: AlertState) -> Alert {
        Alert {
            pattern: pattern.into(),
            key: key.into(),
            biz_date: "2025-04-08".into(),
            state: state.into(),
            ..Alert::default()
        }
    }

    fn label(pattern: &'static str, positive: bool, key: &str) -> Label {
        let biz_date = Day::parse("2025-04-08").unwrap();
        Label { pattern, positive, key: key.into(), biz_date, event_ids: vec![1], note: "test" }
    }

    #[test]
    fn a_missed_case_and_a_wrong_alert_are_faults() {
        let alerts = [
            alert("P001", "a", AlertState::Open),
            alert("P001", "b", AlertState::Withdrawn),
            alert("P002", "c", AlertState::Open),
        ];
        let good = [label("P001", true, "a"), label("P001", false, "b")];
        assert!(Judgement::new(&alerts, &good).faults.is_empty());
        let bad = [label("P001", true, "b"), label("P002", false, "c")];
        let judgement = Judgement::new(&alerts, &bad);
        assert_eq!(judgement.faults.len(), 2);
        assert!(judgement.faults[0].starts_with("missed: P001 b on 2025-04-08"));
        assert_eq!(judgement.scores["P002"].wrongly_alerted, 1);
    }
}
