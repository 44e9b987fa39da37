//! Parameters of patterns: the defaults of patterns.csv, and a versioned set of changes to them.
//!
//! A change is a fact of the log (who, when, why) and names one pattern; what it sets is text, as people write it. A value
//! keeps the kind of its default: [`check_value`] says what is wrong with one before it is written anywhere.

use std::collections::BTreeMap;

use super::{expression::Scope, number::Number, vocabulary::text_number};

/// Changed parameters. The version goes onto every alert that was judged under it.
#[derive(Clone, Default, Debug)]
pub struct Parameters {
    /// Counts up with every change; 0: all defaults.
    pub version: u32,
    changed: BTreeMap<(String, String), Changed>,
}

#[derive(Clone, Debug)]
struct Changed {
    text: String,
    value: Number,
}

/// What a change writes for a parameter that goes back to the catalogue's value.
pub const DEFAULT_WORD: &str = "default";

/// What kind of value a parameter takes: that of its default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParameterKind {
    /// A plain number: `20`, `0.15`.
    Number,
    /// A time of the day: `17:00`.
    Time,
    /// `on` or `off`.
    Switch,
    /// A code of the catalogue: `BCL1`.
    Code,
}

impl ParameterKind {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            ParameterKind::Number => "number",
            ParameterKind::Time => "time",
            ParameterKind::Switch => "switch",
            ParameterKind::Code => "code",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            ParameterKind::Number => "write a plain number, for instance 20 or 0.15",
            ParameterKind::Time => "write a time of the day, for instance 17:00",
            ParameterKind::Switch => "write on or off",
            ParameterKind::Code => "write a code of letters and digits, for instance BCL1",
        }
    }
}

/// One parameter of a rule, as people see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParameterRow {
    /// Its name.
    pub name: String,
    /// Value in force, as it was written.
    pub value: String,
    /// Value of the catalogue.
    pub default: String,
    /// What it takes.
    pub kind: ParameterKind,
}

/// Why a parameter cannot be set. The words say what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParameterError {
    /// No rule of this id.
    #[error("no such pattern is judged: list them with their parameters, and name one, for instance P048")]
    UnknownPattern,
    /// The rule has no such parameter.
    #[error("the pattern has no such parameter that can be set: it has {0}")]
    UnknownParameter(String),
    /// The value is of another kind than the default.
    #[error("{remedy} ({word}: back to the catalogue's value)", remedy = .0.remedy(), word = DEFAULT_WORD)]
    WrongKind(ParameterKind),
}

/// Text and kind of a value.
pub(super) fn kind_of(text: &str) -> Option<(ParameterKind, Number)> {
    let value = parse_value(text)?;
    let kind = match text {
        "on" | "off" | "true" | "false" => ParameterKind::Switch,
        _ if text.contains(':') => ParameterKind::Time,
        _ if Number::parse(text).is_some() => ParameterKind::Number,
        _ => ParameterKind::Code,
    };
    Some((kind, value))
}

/// Whether a value can be set for a parameter with this default.
pub(super) fn check_value(default: &str, value: &str) -> Result<(), ParameterError> {
    let kind = kind_of(default).map_or(ParameterKind::Number, |(kind, _)| kind);
    let fits = value == DEFAULT_WORD || kind_of(value).is_some_and(|(found, _)| found == kind);
    if fits { Ok(()) } else { Err(ParameterError::WrongKind(kind)) }
}

impl Parameters {
    /// Changes one parameter. `value` is a plain number (`0.15`), a time (`17:00`), `on` / `off` or a code; `None` when it is none of them.
    pub fn set(&mut self, pattern: &str, name: &str, value: &str) -> Option<()> {
        self.put(pattern, name, value)?;
        self.version += 1;
        Some(())
    }

    /// Applies a change of the log, which may name several parameters: all of them have its version. `None` when a value
    /// cannot be read; nothing is changed then.
    pub fn apply<'a>(
        &mut self,
        version: u32,
        pattern: &str,
        values: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Option<()> {
        let mut next = self.clone();
        for (name, value) in values {
            next.put(pattern, name, value)?;
        }
        *self = Parameters { version, ..next };
        Some(())
    }

    fn put(&mut self, pattern: &str, name: &str, text: &str) -> Option<()> {
        let place = (pattern.to_owned(), name.to_owned());
        if text == DEFAULT_WORD {
            self.changed.remove(&place);
        } else {
            self.changed.insert(place, Changed { value: parse_value(text)?, text: text.to_owned() });
        }
        Some(())
    }

    pub(super) fn get(&self, pattern: &str, name: &str) -> Option<(&str, Number)> {
        let changed = self.changed.get(&(pattern.to_owned(), name.to_owned()))?;
        Some((&changed.text, changed.value))
    }

    /// A changed parameter that the pattern does not have.
    pub(super) fn unknown(&self, pattern: &str, known: &[Parameter]) -> Option<&str> {
        let changed = self.changed.keys().filter(|(changed, _)| changed == pattern);
        changed.map(|(_, name)| name.as_str()).find(|name| known.iter().all(|known| known.name != *name))
    }
}

/// A parameter of a rule: name, default as written, value in force as written and as a number.
pub(super) struct Parameter {
    pub name: String,
    pub default: String,
    pub text: String,
    pub value: Number,
}

impl Parameter {
    /// With its default in force. `None`: a list of codes has no single value.
    pub fn new(name: &str, default: &str) -> Option<Self> {
        let value = parse_value(default)?;
        Some(Parameter { name: name.to_owned(), default: default.to_owned(), text: default.to_owned(), value })
    }

    pub fn row(&self) -> ParameterRow {
        let kind = kind_of(&self.default).map_or(ParameterKind::Number, |(kind, _)| kind);
        ParameterRow { name: self.name.clone(), value: self.text.clone(), default: self.default.clone(), kind }
    }
}

/// `z_min=3; cut_time=17:00`: parameters in order. A list of codes has no single value and is left out.
pub(super) fn parse_default(text: &str) -> Vec<Parameter> {
    let parts = text.split("; ").filter_map(|part| part.split_once('='));
    parts.filter_map(|(name, value)| Parameter::new(name.trim(), value.trim())).collect()
}

fn parse_value(text: &str) -> Option<Number> {
    if let Some((hours, minutes)) = text.split_once(':') {
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        if !(0..24).contains(&hours) || !(0..60).contains(&minutes) {
            return None;
        }
        return Some(((hours * 60 + minutes) * 60_000).into());
    }
    match text {
        "on" | "true" => Some(true.into()),
        "off" | "false" => Some(false.into()),
        _ => Number::parse(text).or_else(|| {
            let is_code = !text.is_empty() && text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_code.then(|| text_number(text))
        }),
    }
}

/// A scope that knows parameters only: for lengths of windows.
pub(super) struct OnlyParameters<'a>(pub &'a [Number]);

impl Scope for OnlyParameters<'_> {
    fn parameter(&self, place: usize) -> Option<Number> {
        self.0.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_read_as_the_table_writes_them() {
        let parsed = parse_default("window_hours=24; band=0.20; cut_time=17:00; excluded_reasons=DC00;DC01;DC06");
        let names: Vec<&str> = parsed.iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(names, ["window_hours", "band", "cut_time"]);
        assert_eq!(parsed[1].value, Number::ratio(1, 5).unwrap());
        assert_eq!(parsed[2].value, Number::from(17 * 3_600_000));
        assert_eq!(parsed[2].row().kind, ParameterKind::Time);
        assert!(parse_default("none").is_empty());
    }

    #[test]
    fn every_change_counts_up() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.set("P048", "limit", "0.2"), Some(()));
        assert_eq!(parameters.set("P048", "limit", "not a number"), None);
        assert_eq!(parameters.version, 1);
        assert_eq!(parameters.get("P048", "limit"), Number::parse("0.2").map(|value| ("0.2", value)));
        assert_eq!(parameters.unknown("P048", &[]), Some("limit"));
    }
    #[test]
    fn a_change_sets_all_its_values_or_none_and_goes_back() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.apply(4, "P048", [("limit", "0.2"), ("warn", "0,9")]), None);
        assert_eq!((parameters.version, parameters.get("P048", "limit")), (0, None));
        assert_eq!(parameters.apply(4, "P048", [("limit", "0.2"), ("warn", "0.9")]), Some(()));
        assert_eq!(parameters.apply(5, "P048", [("limit", DEFAULT_WORD)]), Some(()));
        assert_eq!((parameters.version, parameters.get("P048", "limit")), (5, None));
        assert!(parameters.get("P048", "warn").is_some());
    }

    #[test]
    fn a_value_keeps_the_kind_of_its_default() {
        assert_eq!(check_value("0.15", "3"), Ok(()));
        assert_eq!(check_value("0.15", DEFAULT_WORD), Ok(()));
        assert_eq!(check_value("17:00", "16:30"), Ok(()));
        assert_eq!(check_value("on", "off"), Ok(()));
        for (default, value, kind) in [
            ("0.15", "17:00", ParameterKind::Number),
            ("0.15", "on", ParameterKind::Number),
            ("0.15", "a lot", ParameterKind::Number),
            ("17:00", "17", ParameterKind::Time),
            ("17:00", "25:00", ParameterKind::Time),
            ("17:00", "-1:00", ParameterKind::Time),
            ("on", "1", ParameterKind::Switch),
            ("BCL1", "2", ParameterKind::Code),
        ] {
            assert_eq!(check_value(default, value), Err(ParameterError::WrongKind(kind)), "{default} {value}");
        }
    }
}
