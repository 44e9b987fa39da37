//! Liveness by hand: each state, its first day, and each figure.

use std::sync::OnceLock;

use super::{
    Liveness, RuleLiveness, SILENCE_MOST, SPAN_DAYS, State,
    plain::{part, states},
};
use crate::{
    catalogue::Catalogue,
    fact::{BEHAVIOUR_CODES, Fact, Field},
    ids::Day,
    pattern::{
        PlainWindows,
        plain::evaluate,
        tests::{
            market::{Market, Terms, bank, day, ent, yuan},
            setting,
        },
    },
};

fn liveness() -> &'static Liveness {
    static COMPILED: OnceLock<Liveness> = OnceLock::new();
    COMPILED.get_or_init(|| Liveness::new(&Catalogue::embedded(), setting().patterns))
}

/// How a rule stands at the end of a day, whatever the order of arrival.
#[track_caller]
fn standing(facts: &[Fact], id: &str, until: &str) -> RuleLiveness {
    let clock = day(until).end_ms() - 1;
    let all = |facts: &[Fact]| {
        let evaluation = evaluate(facts, setting(), clock, &PlainWindows::default());
        states(liveness(), &evaluation, setting(), clock)
    };
    let states = all(facts);
    let mut turned = facts.to_vec();
    turned.reverse();
    assert_eq!(all(&turned), states, "order of arrival");
    let pattern = setting().patterns.find(id).unwrap();
    states.into_iter().find(|state| state.pattern == pattern).unwrap()
}

fn state(facts: &[Fact], id: &str, until: &str) -> (State, Option<Day>) {
    let standing = standing(facts, id, until);
    (standing.state, standing.dead_since)
}

/// An acceptance on each of the days.
fn accepted_on(days: &[&str]) -> Market {
    let mut market = Market::new();
    for date in days {
        market.at(date, "10:00");
        market.accept(&Terms { face: yuan(1_000), ..Terms::default() });
    }
    market
}

/// Business days of two weeks from 2025-03-03, a Monday.
const DAILY: [&str; 5] = ["2025-03-03", "2025-03-04", "2025-03-05", "2025-03-06", "2025-03-07"];

#[test]
fn a_fed_rule_that_finds_nothing_is_quiet() {
    // P146 reads acceptances and who is related: nobody is.
    let market = accepted_on(&DAILY);
    let standing = standing(&market.facts, "P146", "2025-03-07");
    assert_eq!((standing.state, standing.dead_since), (State::Quiet, None));
    assert_eq!((standing.read, standing.joined), (5, Some(5)));
    assert_eq!((standing.in_window, standing.near), (None, None));
    assert_eq!(standing.fed, Some((day("2025-03-03"), day("2025-03-07"))));
}

#[test]
fn silence_is_too_long_after_a_week_or_three_of_its_own_pauses() {
    // Fed daily: five business days, so the alarm begins with the Friday after.
    let market = accepted_on(&DAILY);
    assert_eq!(state(&market.facts, "P146", "2025-03-13"), (State::Quiet, None));
    assert_eq!(state(&market.facts, "P146", "2025-03-14"), (State::DeadInput, Some(day("2025-03-14"))));
    // The first day stays as time goes on.
    assert_eq!(state(&market.facts, "P146", "2025-03-20"), (State::DeadInput, Some(day("2025-03-14"))));
    // Fed every third business day: nine.
    let market = accepted_on(&["2025-03-03", "2025-03-06", "2025-03-11"]);
    assert_eq!(standing(&market.facts, "P146", "2025-03-11").silence_allowed, 9);
    assert_eq!(state(&market.facts, "P146", "2025-03-21"), (State::Quiet, None));
    assert_eq!(state(&market.facts, "P146", "2025-03-24"), (State::DeadInput, Some(day("2025-03-24"))));
    // Once: a quarter.
    let market = accepted_on(&DAILY[..1]);
    assert_eq!(standing(&market.facts, "P146", "2025-03-11").silence_allowed, SILENCE_MOST);
}

#[test]
fn input_comes_back() {
    let mut market = accepted_on(&DAILY);
    market.at("2025-03-20", "10:00");
    market.accept(&Terms::default());
    // The pause was nine business days: now 27 are none too many.
    assert_eq!(state(&market.facts, "P146", "2025-03-20"), (State::Quiet, None));
    assert_eq!(standing(&market.facts, "P146", "2025-03-20").silence_allowed, 27);
}

#[test]
fn what_is_revoked_was_never_read() {
    let mut market = accepted_on(&DAILY);
    let before = standing(&market.facts, "P146", "2025-03-07");
    let accepted = market.facts.iter().rev().find(|fact| fact.behaviour.code() == "ACC.SGN").unwrap().clone();
    market.revoke(accepted.event_id);
    let now = standing(&market.facts, "P146", "2025-03-07");
    assert_eq!((before.read, now.read), (5, 4));
    assert_eq!(now.fed, Some((day("2025-03-03"), day("2025-03-06"))));
}

#[test]
fn a_rule_that_was_never_fed_is_an_alarm_only_once_the_market_has_gone_on() {
    // P132 reads interbank deals: there are none in this market.
    let id = "P132";
    let market = accepted_on(&DAILY);
    assert_eq!(state(&market.facts, id, "2025-03-07"), (State::NeverFed, None));
    // The market begins on 2024-12-31.
    let since = Catalogue::embedded().calendar.plus(day("2024-12-31"), SILENCE_MOST);
    assert_eq!(state(&market.facts, id, &since.to_string()), (State::NeverFed, Some(since)));
    assert_eq!(state(&market.facts, id, &since.plus(-1).to_string()), (State::NeverFed, None));
}

#[test]
fn empty_reference_data_makes_a_rule_blind() {
    // P048 holds an acceptor's balance against its total assets, which nobody has told.
    let market = accepted_on(&DAILY);
    let blind = standing(&market.facts, "P048", "2025-03-07");
    assert_eq!((blind.state, blind.dead_since), (State::DeadReference, Some(day("2025-03-03"))));
    assert_eq!(blind.missing, ["total_assets_fen"]);
    assert_eq!((blind.in_window, blind.joined, blind.near), (Some(5), Some(0), Some(0)));
    // Once told, even of another bank, it can find something; what it cannot join is said.
    let mut told = accepted_on(&DAILY);
    told.fact(
        "MST.FIN",
        None,
        bank(2),
        bank(2),
        &[
            (Field::LegalInstId, crate::fact::Value::Party(bank(2))),
            (Field::TotalAssetsFen, crate::fact::Value::Int(yuan(1_000_000_000))),
        ],
    );
    let seeing = standing(&told.facts, "P048", "2025-03-07");
    assert_eq!((seeing.state, seeing.missing.len()), (State::Quiet, 0));
    assert_eq!((seeing.in_window, seeing.joined), (Some(6), Some(1)));
}

#[test]
fn a_rule_that_reads_an_empty_list_only_to_leave_somebody_out_is_not_blind() {
    let market = accepted_on(&DAILY);
    let clock = day("2025-03-07").end_ms() - 1;
    let evaluation = evaluate(&market.facts, setting(), clock, &PlainWindows::default());
    let blind: Vec<&str> = states(liveness(), &evaluation, setting(), clock)
        .iter()
        .filter(|state| !state.missing.is_empty())
        .map(|state| setting().patterns.id(state.pattern))
        .collect();
    // Disclosure that is missing is what these rules look for.
    for id in ["P146", "P151"] {
        assert!(!blind.contains(&id), "{id} among {blind:?}");
    }
    for id in ["P048", "P132", "P139"] {
        assert!(blind.contains(&id), "{id} not among {blind:?}");
    }
}

#[test]
fn near_is_within_a_fifth_of_the_threshold() {
    // P023: a drawer of at most 180 days that draws at least `min_cny` within its window.
    let rule = setting().patterns.find("P023").unwrap();
    let least: i64 = value_of(rule, "min_cny");
    let near_at = |face: i64, age: &str| {
        let mut market = Market::new();
        market.register(7, &[(Field::RegDate, crate::fact::Value::Date(day(age)))]);
        market.at("2025-03-03", "10:00");
        market.accept(&Terms { drawer: ent(7), face, ..Terms::default() });
        let standing = standing(&market.facts, "P023", "2025-03-03");
        (standing.in_window, standing.near, standing.state)
    };
    let young = "2025-02-24";
    let fifth_less = yuan(least) / 5 * 4;
    assert_eq!(near_at(fifth_less - 100, young), (Some(1), Some(0), State::Quiet));
    assert_eq!(near_at(fifth_less, young), (Some(1), Some(1), State::Quiet));
    assert_eq!(near_at(yuan(least), young), (Some(1), Some(1), State::Live));
    assert_eq!(near_at(yuan(least), "2015-01-05"), (Some(1), Some(0), State::Quiet));
}

fn value_of(rule: crate::pattern::PatternIndex, name: &str) -> i64 {
    let value = setting().patterns.parameters(rule).find(|(known, _)| *known == name).unwrap().1;
    value.parse().unwrap()
}

#[test]
fn only_days_up_to_the_clock_count() {
    let market = accepted_on(&DAILY);
    let standing = standing(&market.facts, "P146", "2025-03-05");
    assert_eq!((standing.read, standing.fed.unwrap().1), (3, day("2025-03-05")));
}

#[test]
fn the_span_ends_with_the_day_of_the_clock() {
    let calendar = &Catalogue::embedded().calendar;
    let span = |date: &str, days| {
        let (first, last) = Liveness::span(day(date).start_ms(), days, calendar);
        (first.to_string(), last.to_string())
    };
    assert_eq!(span("2025-03-14", 5), ("2025-03-10".into(), "2025-03-14".into()));
    // On a Sunday the five before it.
    assert_eq!(span("2025-03-16", 5), ("2025-03-10".into(), "2025-03-16".into()));
    assert_eq!(span("2025-03-14", 1), ("2025-03-14".into(), "2025-03-14".into()));
}

#[test]
fn parts_of_workers_add_up() {
    use super::Part;
    let market = accepted_on(&DAILY);
    let clock = day("2025-03-07").end_ms() - 1;
    let span = Liveness::span(clock, SPAN_DAYS, setting().meanings.calendar());
    let part = |facts: &[Fact]| {
        let evaluation = evaluate(facts, setting(), clock, &PlainWindows::default());
        part(liveness(), &evaluation, setting(), span, clock)
    };
    let all = part(&market.facts);
    let alone = |keep: fn(&Fact) -> bool| {
        let facts: Vec<Fact> = market.facts.iter().filter(|fact| keep(fact)).cloned().collect();
        let mut part = part(&facts);
        (part.figures, part.blind) = Default::default();
        part
    };
    // Without reference data a rule skips more; what was read is the same.
    let reads = |mut part: Part| {
        let is_read = |(slot, _): &(u16, i64)| usize::from(*slot) < 2 * BEHAVIOUR_CODES.len();
        part.days.iter_mut().for_each(|(_, numbers)| numbers.retain(is_read));
        part.days
    };
    let parts = [alone(|fact| fact.bill_id.is_none()), alone(|fact| fact.bill_id.is_some())];
    let gathered = Part::gather(parts.map(|part| Part::decode(&part.encode()).unwrap()), liveness().rule_count());
    assert_eq!(reads(gathered), reads(all));
}

#[test]
fn most_rules_on_windows_have_a_threshold_to_come_near_to() {
    let (all, eased) = (liveness().rule_count(), liveness().eased.iter().flatten().count());
    assert!(eased >= 90, "{eased} of {all}");
}
