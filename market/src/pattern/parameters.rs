//! Parameters of patterns: the defaults of patterns.csv, and a versioned set of changes to them.

use std::collections::BTreeMap;

use super::{
    expression::Scope,
    number::Number,
    vocabulary::{History, Lookup, Peer, Variable, Window, text_number},
};
use crate::fact::Behaviour;

/// Changed parameters. The version goes onto every alert that was judged under it.
#[derive(Clone, Default, Debug)]
pub struct Parameters {
    /// Counts up with every change; 0: all defaults.
    pub version: u32,
    changed: BTreeMap<(String, String), Number>,
}

impl Parameters {
    /// Changes one parameter. `value` is a plain number (`0.15`), a time (`17:00`), `on` / `off` or a code; `None` when it is none of them.
    pub fn set(&mut self, pattern: &str, name: &str, value: &str) -> Option<()> {
        let value = parse_value(value)?;
        self.changed.insert((pattern.to_owned(), name.to_owned()), value);
        self.version += 1;
        Some(())
    }

    pub(super) fn get(&self, pattern: &str, name: &str) -> Option<Number> {
        self.changed.get(&(pattern.to_owned(), name.to_owned())).copied()
    }

    /// A changed parameter that the pattern does not have.
    pub(super) fn unknown(&self, pattern: &str, known: &[(String, Number)]) -> Option<&str> {
        let changed = self.changed.keys().filter(|(changed, _)| changed == pattern);
        changed.map(|(_, name)| name.as_str()).find(|name| known.iter().all(|(known, _)| known != name))
    }
}

/// `z_min=3; cut_time=17:00`: parameters in order. A list of codes has no single value and is left out.
pub(super) fn parse_default(text: &str) -> Vec<(String, Number)> {
    let parts = text.split("; ").filter_map(|part| part.split_once('='));
    parts.filter_map(|(name, value)| Some((name.trim().to_owned(), parse_value(value.trim())?))).collect()
}

fn parse_value(text: &str) -> Option<Number> {
    if let Some((hours, minutes)) = text.split_once(':') {
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
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
    fn variable(&self, _: &Variable) -> Option<Number> {
        None
    }
    fn parameter(&self, place: usize) -> Option<Number> {
        self.0.get(place).copied()
    }
    fn window(&self, _: Window, _: usize, _: &[Number]) -> Option<Number> {
        None
    }
    fn history(&self, _: History, _: &[Behaviour], _: &[Number]) -> Option<Number> {
        None
    }
    fn lookup(&self, _: Lookup, _: &[Number]) -> Option<Number> {
        None
    }
    fn peer(&self, _: Peer, _: &[Number]) -> Option<Number> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_read_as_the_table_writes_them() {
        let parsed = parse_default("window_hours=24; band=0.20; cut_time=17:00; excluded_reasons=DC00;DC01;DC06");
        let names: Vec<&str> = parsed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["window_hours", "band", "cut_time"]);
        assert_eq!(parsed[1].1, Number::ratio(1, 5).unwrap());
        assert_eq!(parsed[2].1, Number::from(17 * 3_600_000));
        assert_eq!(parse_default("none"), []);
    }

    #[test]
    fn every_change_counts_up() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.set("P048", "limit", "0.2"), Some(()));
        assert_eq!(parameters.set("P048", "limit", "not a number"), None);
        assert_eq!(parameters.version, 1);
        assert_eq!(parameters.get("P048", "limit"), Number::parse("0.2"));
        assert_eq!(parameters.unknown("P048", &[]), Some("limit"));
    }
}
