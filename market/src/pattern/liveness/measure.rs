//! Figures of rules on windows over a span of days, worked out when asked by judging their places again.
//!
//! A *place* is a key and a bucket at which the rule is due and ripe: its window is not empty there. A place is *joined*
//! when no reference data that the judgement asked for was missing, and *near* when the rule, or the rule with its
//! thresholds eased, holds there.

use std::{cell::Cell, collections::BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    super::{
        Judged, Key, PatternIndex, Patterns, Registry, RuleKind, judge, number::Number, rules::Scope, sight::Moment,
        windows::Windows,
    },
    Liveness,
};
use crate::{
    bill::Header,
    catalogue::calendar::Calendar,
    fact::{Behaviour, Fact, Field},
    ids::{Code, Day, InstId, PartyId},
};

/// Figures of one rule at one worker; they add up.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Places judged.
    pub in_window: i64,
    /// Of them those where no reference data was missing; `None`: all keys are judged at once, and which of them lacked
    /// data is not told.
    pub joined: Option<i64>,
    /// Of them those that alert, or would with eased thresholds; `None`: the rule has no threshold.
    pub near: Option<i64>,
}

impl Figures {
    /// Adds those of another worker.
    pub fn add(&mut self, other: Figures) {
        self.in_window += other.in_window;
        self.joined = self.joined.zip(other.joined).map(|(left, right)| left + right);
        self.near = self.near.zip(other.near).map(|(left, right)| left + right);
    }
}

/// Every (key, bucket) of the days of a span at which a rule on windows is due, under a clock (ms). Keys ascending.
pub fn places(
    patterns: &Patterns,
    pattern: PatternIndex,
    windows: &impl Windows,
    (first, last): (Day, Day),
    clock: i64,
) -> Vec<(Key, i64)> {
    let Some(width) = patterns.triggers(pattern).first().map(|feature| patterns.width(*feature)) else {
        return Vec::new();
    };
    let (from, to) = (width.bucket(first, first.start_ms()), width.bucket(last, last.end_ms() - 1));
    let mut places = Vec::new();
    for key in patterns.triggering_keys(pattern, windows) {
        let due = patterns.judged_buckets(pattern, key, from, to, windows);
        let ripe = |bucket: &i64| {
            patterns.judged(pattern) == Some(Judged::AtFact) || clock >= patterns.ripe_at(pattern, *bucket)
        };
        places.extend(due.into_iter().filter(ripe).map(|bucket| (key, bucket)));
    }
    places
}

impl Liveness {
    /// Figures of a rule on windows at one worker; `None` for other rules. `budget(n)` is asked before n places are judged;
    /// `false` ends the work, and what is returned is then part of the figures.
    pub fn figures(
        &self,
        patterns: &Patterns,
        pattern: PatternIndex,
        windows: &impl Windows,
        registry: &impl Registry,
        (span, clock): ((Day, Day), i64),
        budget: &mut impl FnMut(usize) -> bool,
    ) -> Option<Figures> {
        if patterns.kind(pattern) != RuleKind::Windows {
            return None;
        }
        let eased = self.eased[usize::from(pattern.0)].as_ref();
        let is_group = patterns.is_group(pattern);
        let mut figures = Figures { in_window: 0, joined: (!is_group).then_some(0), near: eased.map(|_| 0) };
        let places = places(patterns, pattern, windows, span, clock);
        if !budget(places.len()) {
            return Some(figures);
        }
        figures.in_window = places.len() as i64;
        let rule = patterns.rule(pattern);
        match &rule.scope {
            Scope::Peer(peer) => {
                let buckets: BTreeSet<i64> = places.into_iter().map(|(_, bucket)| bucket).collect();
                let Some((eased, near)) = eased.zip(figures.near.as_mut()) else { return Some(figures) };
                for bucket in buckets {
                    let mut hits = judge::judge_group(pattern, rule, peer, bucket, windows, registry).hits;
                    hits.extend(judge::judge_group(pattern, eased, peer, bucket, windows, registry).hits);
                    let keys: BTreeSet<_> = hits.into_iter().map(|hit| hit.key).collect();
                    *near += keys.len() as i64;
                }
            }
            Scope::Keyed(keyed) => {
                for place in places {
                    let noting = Noting { inner: registry, missed: Cell::new(false) };
                    let judged = judge::judge_key(pattern, rule, keyed, place, windows, &noting);
                    if let (false, Some(joined)) = (noting.missed.get(), figures.joined.as_mut()) {
                        *joined += 1;
                    }
                    if let Some((eased, near)) = eased.zip(figures.near.as_mut()) {
                        let comes_near =
                            || !judge::judge_key(pattern, eased, keyed, place, windows, registry).hits.is_empty();
                        *near += i64::from(!judged.hits.is_empty() || comes_near());
                    }
                }
            }
            Scope::Bill(_) | Scope::Timer(_) | Scope::Orphan => {}
        }
        Some(figures)
    }
}

/// A registry that notes when something that was asked for is not known.
struct Noting<'a, R> {
    inner: &'a R,
    missed: Cell<bool>,
}

impl<R> Noting<'_, R> {
    fn note<T>(&self, said: Option<T>) -> Option<T> {
        if said.is_none() {
            self.missed.set(true);
        }
        said
    }
}

impl<R: Registry> Registry for Noting<'_, R> {
    fn attribute(&self, party: PartyId, branch: Option<InstId>, field: Field, moment: Moment) -> Option<Number> {
        self.note(self.inner.attribute(party, branch, field, moment))
    }
    fn tier(&self, party: PartyId, moment: Moment) -> Option<Code> {
        self.note(self.inner.tier(party, moment))
    }
    fn known(&self, party: PartyId, moment: Moment) -> bool {
        self.inner.known(party, moment)
    }
    fn related(&self, left: PartyId, right: PartyId, moment: Moment) -> Option<bool> {
        self.note(self.inner.related(left, right, moment))
    }
    fn has_flag(&self, party: PartyId, flag: Code, moment: Moment) -> Option<bool> {
        self.note(self.inner.has_flag(party, flag, moment))
    }
    fn watch_listed(&self, party: PartyId, moment: Moment) -> bool {
        self.inner.watch_listed(party, moment)
    }
    fn credit_line_fen(&self, giver: PartyId, taker: PartyId, moment: Moment) -> Option<i64> {
        self.note(self.inner.credit_line_fen(giver, taker, moment))
    }
    // That there is no notice is an answer.
    fn disclosure_day(&self, party: PartyId, kind: Behaviour, moment: Moment) -> Option<Day> {
        self.inner.disclosure_day(party, kind, moment)
    }
    fn disclosed_month(&self, party: PartyId, moment: Moment) -> Option<i32> {
        self.inner.disclosed_month(party, moment)
    }
    fn name_distance(&self, party: PartyId, name: &str, moment: Moment) -> Option<i64> {
        self.note(self.inner.name_distance(party, name, moment))
    }
    fn account_opened(&self, party: PartyId, branch: InstId, moment: Moment) -> Option<Day> {
        self.note(self.inner.account_opened(party, branch, moment))
    }
    fn branch_province(&self, branch: InstId, moment: Moment) -> Option<Code> {
        self.note(self.inner.branch_province(branch, moment))
    }
    fn head_office(&self, branch: InstId, moment: Moment) -> Option<PartyId> {
        self.note(self.inner.head_office(branch, moment))
    }
    fn background_fen(&self, drawer: PartyId, number: u64, moment: Moment) -> Option<i64> {
        self.note(self.inner.background_fen(drawer, number, moment))
    }
    fn is_active_trader(&self, legal: PartyId, trader: &str, moment: Moment) -> bool {
        self.inner.is_active_trader(legal, trader, moment)
    }
    fn is_succeeded(&self, branch: InstId, moment: Moment) -> bool {
        self.inner.is_succeeded(branch, moment)
    }
    fn sharing(&self, party: PartyId, address: bool, moment: Moment) -> Option<usize> {
        self.note(self.inner.sharing(party, address, moment))
    }
    // Most names are like no protected one.
    fn lookalike_province(&self, party: PartyId, close: (Number, usize), moment: Moment) -> Option<Option<Code>> {
        self.inner.lookalike_province(party, close, moment)
    }
    fn curve_e4(&self, class: Code, days: i64, moment: Moment) -> Option<i64> {
        self.note(self.inner.curve_e4(class, days, moment))
    }
    fn reference_rate_e4(&self, kind: Code, days: i64, moment: Moment) -> Option<i64> {
        self.note(self.inner.reference_rate_e4(kind, days, moment))
    }
    fn trade_weight(&self, buyer: PartyId, supplier: PartyId, moment: Moment) -> i64 {
        self.inner.trade_weight(buyer, supplier, moment)
    }
    fn calendar(&self) -> &Calendar {
        self.inner.calendar()
    }
    fn has_unknown_code(&self, fact: &Fact) -> bool {
        self.inner.has_unknown_code(fact)
    }
    fn misses_field(&self, fact: &Fact, header: Option<&Header>) -> bool {
        self.inner.misses_field(fact, header)
    }
    fn has_bad_bill_number(&self, fact: &Fact, check_digit: bool) -> bool {
        self.inner.has_bad_bill_number(fact, check_digit)
    }
    fn has_bad_credit_code(&self, fact: &Fact) -> bool {
        self.inner.has_bad_credit_code(fact)
    }
}
