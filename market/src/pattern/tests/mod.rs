//! Every rule: a case that meets each threshold exactly, and one that misses by the smallest unit.
//!
//! [`holds`] also turns each positive case over (arrival in reverse gives the same alerts) and asks for its evidence, which
//! alone must give the alert again. `properties` revokes facts at random.

mod absences;
mod books;
mod bursts;
mod chains;
mod concentration;
mod cycles;
mod disposals;
mod duties;
mod fans;
mod incremental;
mod lifecycle;
pub(crate) mod market;
mod parties;
mod peers;
mod prices;
mod properties;
mod quality;
mod ratios;
mod references;
mod shifts;
mod standing;
mod statistics;
mod timers;
mod windowed;

use std::sync::OnceLock;

use self::market::Market;
use super::{
    AlertKey, AlertSet, Level, Patterns, PlainWindows,
    evidence::{explain, replay},
    plain::{Setting, evaluate},
};
use crate::{bill::Laws, catalogue::Catalogue, fact::Fact, ids::Day, observe::Meanings};

struct Compiled {
    meanings: Meanings,
    laws: Laws,
    patterns: Patterns,
}

pub(crate) fn setting() -> Setting<'static> {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        let catalogue = Catalogue::embedded();
        Compiled {
            laws: Laws::new(&catalogue).unwrap(),
            patterns: Patterns::embedded(),
            meanings: Meanings::new(catalogue).unwrap(),
        }
    });
    Setting { meanings: &compiled.meanings, laws: &compiled.laws, patterns: &compiled.patterns }
}

fn judge(facts: &[Fact], clock: i64) -> AlertSet {
    evaluate(facts, setting(), clock, &PlainWindows::default()).alerts
}

/// The alerts of one pattern as `key date`, ascending.
fn alerts_of(alerts: &AlertSet, id: &str) -> Vec<String> {
    let pattern = setting().patterns.find(id).unwrap_or_else(|| panic!("no rule {id}"));
    let of_pattern = alerts.iter().filter(|(found, ..)| *found == pattern);
    of_pattern.map(|(_, key, date, _)| format!("{key} {date}")).collect()
}

fn level_of(alerts: &AlertSet, id: &str) -> Option<Level> {
    let pattern = setting().patterns.find(id)?;
    alerts.iter().find(|(found, ..)| *found == pattern).and_then(|(.., count)| count.level())
}

/// The case raises the pattern exactly so, whatever the order of arrival, and its evidence gives each alert again.
#[track_caller]
fn holds(id: &str, market: &Market, expected: &[&str]) {
    let found = judge(&market.facts, market.clock());
    assert_eq!(alerts_of(&found, id), expected, "{id}");
    let mut reversed = market.facts.clone();
    reversed.reverse();
    assert_eq!(judge(&reversed, market.clock()), found, "{id}: order of arrival");
    let pattern = setting().patterns.find(id).unwrap();
    let mine: Vec<(AlertKey, Day, Option<Level>)> = found
        .iter()
        .filter(|(of, ..)| *of == pattern)
        .map(|(_, key, date, count)| (key.clone(), date, count.level()))
        .collect();
    for (key, date, level) in mine {
        let evidence = explain(&market.facts, setting(), market.clock(), (pattern, &key, date)).expect("evidence");
        let again = replay(&evidence, setting());
        let again =
            again.get(pattern, &key, date).unwrap_or_else(|| panic!("{id} {key} {date}: not from its evidence"));
        assert_eq!(again.level(), level, "{id}: level from evidence");
    }
}

/// The case does not raise the pattern.
#[track_caller]
fn quiet(id: &str, market: &Market) {
    let found = judge(&market.facts, market.clock());
    assert_eq!(alerts_of(&found, id), [""; 0], "{id}");
}
