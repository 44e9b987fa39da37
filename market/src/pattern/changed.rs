//! What a change of parameters changes: which rules, and how each of them is judged again alone.
//!
//! Parameters stand in conditions, limits and lengths of windows, and in the amounts, keys and filters of what feeds a feature;
//! never in which behaviours do, what triggers a rule or whether it compares keys. So two rule sets of one catalogue that
//! differ in parameters number rules, features and timers alike, and windows that were kept under the one serve the other,
//! but for the features that [`Patterns::changed_features`] names.

use super::{
    FeatureIndex, Output, ParameterError, ParameterRow, PatternIndex, Patterns, Registry, Sight,
    parameters::check_value,
    rules::{Rule, Scope, listed},
};
use crate::fact::Behaviour;

/// What a rule is judged on, and so what must be looked at when it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleKind {
    /// Each fact of a bill, or a fact without one: [`Patterns::observe_rule`].
    Facts,
    /// Windows of keys.
    Windows,
    /// Starts and answers of a bill: its timers are made again.
    Timer,
    /// References that lead nowhere.
    Orphan,
}

impl Patterns {
    /// Parameters of a rule with their values in force.
    pub fn parameter_rows(&self, pattern: PatternIndex) -> &[ParameterRow] {
        &self.rule(pattern).parameter_rows
    }

    /// Whether a parameter can be set to a value, as far as its kind tells. Whether a rule compiles with it is another
    /// question: [`Patterns::of`].
    ///
    /// # Errors
    /// The pattern or the parameter does not exist, or the value is of another kind.
    pub fn check_parameter(&self, pattern: &str, name: &str, value: &str) -> Result<(), ParameterError> {
        let rows = self.parameter_rows(self.find(pattern).ok_or(ParameterError::UnknownPattern)?);
        match rows.iter().find(|row| row.name == name) {
            Some(row) => check_value(&row.default, value),
            None if rows.is_empty() => Err(ParameterError::UnknownParameter("none".to_owned())),
            None => {
                let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
                Err(ParameterError::UnknownParameter(names.join(", ")))
            }
        }
    }

    /// Rules that differ from those of another rule set of the same catalogue: by their own parameters, or by those of
    /// another rule that they read.
    pub fn changed_since(&self, before: &Patterns) -> Vec<PatternIndex> {
        // As compiled, with all values in their places. What they look like to people does not count.
        let form = |rule: &Rule| format!("{:?}", (&rule.parameters, &rule.when, &rule.warn, &rule.scope));
        let rules = self.compiled.rules.iter().zip(before.compiled.rules.iter()).enumerate();
        let changed = rules.filter(|(_, (now, before))| form(now) != form(before));
        changed.map(|(place, _)| PatternIndex(place as u16)).collect()
    }

    /// Features that facts feed differently than under another rule set of the same catalogue.
    pub fn changed_features(&self, before: &Patterns) -> Vec<FeatureIndex> {
        let features = self.compiled.features.iter().zip(before.compiled.features.iter()).enumerate();
        let changed = features.filter(|(_, (now, before))| now != before);
        changed.map(|(place, _)| FeatureIndex(place as u16)).collect()
    }

    /// True when facts of a behaviour may feed a feature.
    pub fn is_fed_by(&self, feature: FeatureIndex, behaviour: Behaviour) -> bool {
        self.compiled.features[usize::from(feature.0)].emits.iter().any(|emit| listed(&emit.on, behaviour))
    }

    /// As [`Patterns::observe`], for some features alone.
    pub fn observe_features(
        &self,
        features: &[FeatureIndex],
        sight: &impl Sight,
        registry: &impl Registry,
        weight: i32,
        out: &mut Output,
    ) {
        if features.is_empty() {
            return;
        }
        let mut deltas = Vec::new();
        self.emits.observe(&self.compiled.features, sight, registry, i64::from(weight), &mut deltas);
        out.deltas.extend(deltas.into_iter().filter(|delta| features.contains(&delta.feature)));
    }

    /// What a rule is judged on.
    pub fn kind(&self, pattern: PatternIndex) -> RuleKind {
        match self.rule(pattern).scope {
            Scope::Bill(_) => RuleKind::Facts,
            Scope::Keyed(_) | Scope::Peer(_) => RuleKind::Windows,
            Scope::Timer(_) => RuleKind::Timer,
            Scope::Orphan => RuleKind::Orphan,
        }
    }

    /// True when facts of a behaviour make the rule due, start it or answer it; for a rule on windows always false.
    pub fn is_due_by(&self, pattern: PatternIndex, behaviour: Behaviour) -> bool {
        match &self.rule(pattern).scope {
            Scope::Bill(bill) => listed(&bill.on, behaviour),
            Scope::Timer(timer) => listed(&timer.start.on, behaviour) || listed(&timer.answers.on, behaviour),
            Scope::Orphan => true,
            Scope::Keyed(_) | Scope::Peer(_) => false,
        }
    }

    /// As [`Patterns::observe`], for one rule alone and without features.
    pub fn observe_rule(
        &self,
        pattern: PatternIndex,
        sight: &impl Sight,
        registry: &impl Registry,
        weight: i32,
        out: &mut Output,
    ) {
        if self.is_due_by(pattern, sight.fact().behaviour) {
            self.observe_bill_rule(pattern, sight, registry, weight, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{PATTERNS_CSV, Parameters, RULE_FILES};

    #[test]
    fn only_what_was_set_has_changed() {
        let before = Patterns::embedded();
        let mut parameters = Parameters::default();
        parameters.set("P048", "limit", "0.2").unwrap();
        let now = Patterns::compile(PATTERNS_CSV, &RULE_FILES, &parameters).unwrap();
        let changed = now.changed_since(&before);
        assert_eq!(changed.iter().map(|rule| now.id(*rule)).collect::<Vec<_>>(), ["P048"]);
        let row = now.parameter_rows(changed[0]).iter().find(|row| row.name == "limit").unwrap();
        assert_eq!((row.value.as_str(), row.default.as_str()), ("0.2", "0.15"));
        parameters.set("P048", "limit", "0.15").unwrap();
        let back = Patterns::compile(PATTERNS_CSV, &RULE_FILES, &parameters).unwrap();
        assert_eq!((back.changed_since(&before), back.parameters_version()), (Vec::new(), 2));
    }

    #[test]
    fn numbers_stay_whatever_the_values_are() {
        let before = Patterns::embedded();
        let names = |patterns: &Patterns| {
            let features = (0..patterns.feature_count()).map(|place| FeatureIndex(place as u16));
            features.map(|feature| patterns.feature_name(feature).to_owned()).collect::<Vec<_>>()
        };
        for place in 0..before.rule_count() {
            let id = before.id(PatternIndex(place as u16)).to_owned();
            let mut parameters = Parameters::default();
            for row in before.parameter_rows(PatternIndex(place as u16)) {
                if row.kind == crate::pattern::ParameterKind::Number {
                    parameters.set(&id, &row.name, "1").unwrap();
                }
            }
            let now = Patterns::compile(PATTERNS_CSV, &RULE_FILES, &parameters).unwrap();
            assert_eq!(names(&now), names(&before), "{id}");
            let width = |patterns: &Patterns, rule| (patterns.judged(rule), patterns.compares(rule));
            let rules = (0..now.rule_count()).map(|place| PatternIndex(place as u16));
            rules.for_each(|rule| {
                assert_eq!(
                    (now.triggers(rule), width(&now, rule)),
                    (before.triggers(rule), width(&before, rule)),
                    "{id}"
                );
            });
        }
    }

    #[test]
    fn a_bad_change_is_told_what_would_be_right() {
        let patterns = Patterns::embedded();
        let refused = |pattern, name, value| patterns.check_parameter(pattern, name, value).unwrap_err().to_string();
        assert!(refused("P999", "limit", "1").contains("no such pattern"));
        assert!(refused("P048", "limt", "1").contains("it has limit, warn"));
        assert!(refused("P048", "limit", "17:00").contains("write a plain number"));
        assert_eq!(patterns.check_parameter("P048", "limit", "0.2"), Ok(()));
    }
}
