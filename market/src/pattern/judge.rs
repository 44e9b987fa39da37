//! Judging keyed and peer rules on windows.
//!
//! A judgement is a pure function of (rule, key, bucket, windows, reference data as of the bucket's last instant). What is on
//! the day of the trigger is judged as a whole: the bucket's content, not the order inside it, decides.

use std::cell::OnceCell;

use super::{
    alert::{AlertKey, Hit, Key, PatternIndex},
    bill_scope::{is_enterprise, lookup},
    expression::{Node, Scope as Words, values},
    number::Number,
    rules::{KeyForm, KeyedRule, MAX_JUMP_BASE, MAX_WINDOWS, PeerRule, Rule},
    sight::{Moment, Registry},
    statistics,
    vocabulary::{Derived, History, Lookup, Peer, Role, Variable, Window},
    whole::whole_of,
    windows::{Cell, FeatureIndex, Member, Windows},
};
use crate::{
    fact::Behaviour,
    ids::{Day, InstId, PartyId},
};

/// What a judgement gave.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Judgement {
    /// Hits, each with weight +1. Mostly none or one.
    pub hits: Vec<Hit>,
    /// Reference data was missing (`skipped_no_ref`).
    pub skipped: bool,
}

/// Words of one key and bucket.
struct KeyScope<'a, W, R> {
    rule: &'a Rule,
    keyed: &'a KeyedRule,
    windows: &'a W,
    registry: &'a R,
    key: Key,
    bucket: i64,
    peers: Option<&'a Standing>,
    /// Total of each window, once asked for.
    totals: [OnceCell<Cell>; MAX_WINDOWS],
    /// Members of each window, once asked for: a condition asks several times.
    members: [OnceCell<Vec<(Member, Cell)>>; MAX_WINDOWS],
}

/// The subject and the others of its group, ascending.
struct Standing {
    metric: Number,
    others: Vec<Number>,
}

pub(super) fn judge_key<W: Windows, R: Registry>(
    index: PatternIndex,
    rule: &Rule,
    keyed: &KeyedRule,
    place: (Key, i64),
    windows: &W,
    registry: &R,
) -> Judgement {
    let scope = KeyScope::new(rule, keyed, place, windows, registry, None);
    verdict(index, rule, keyed, &scope)
}

fn verdict<W: Windows, R: Registry>(
    index: PatternIndex,
    rule: &Rule,
    keyed: &KeyedRule,
    scope: &KeyScope<'_, W, R>,
) -> Judgement {
    let truth = |node: &Option<Node>| node.as_ref().and_then(|node| node.truth(scope));
    let alert = truth(&rule.when);
    let level = match alert {
        Some(true) => rule.level,
        _ if truth(&rule.warn) == Some(true) => rule.level.lower(),
        _ => return Judgement { hits: Vec::new(), skipped: alert.is_none() },
    };
    let date = keyed.width.date(scope.bucket);
    let hit = |key| Hit { pattern: index, key, date, level };
    let hits = match keyed.key {
        KeyForm::Party => vec![hit(AlertKey::Party(scope.key.first_party()))],
        KeyForm::Pair => vec![hit(AlertKey::Pair(scope.key.first_party(), scope.key.second_party()))],
        KeyForm::Branch => vec![hit(AlertKey::Branch(InstId(scope.key.0 as u32)))],
        KeyForm::Events => {
            let events = scope.windows.members(keyed.trigger[0], scope.key, scope.bucket, scope.bucket);
            events.into_iter().map(|(event, _)| hit(AlertKey::Event(event))).collect()
        }
    };
    Judgement { hits, skipped: false }
}

/// Keys that take part in a peer rule at one bucket: (group, metric, key), by group, metric and key. Also: whether any was
/// left out because its group is not known.
type Standings = (Vec<(Vec<Number>, Number, Key)>, bool);

fn standings<W: Windows, R: Registry>(
    rule: &Rule,
    peer: &PeerRule,
    bucket: i64,
    windows: &W,
    registry: &R,
) -> Standings {
    let mut standings: Vec<(Vec<Number>, Number, Key)> = Vec::new();
    let mut skipped = false;
    windows.keys(peer.keyed.windows[0].feature, &mut |key| {
        let scope = KeyScope::new(rule, &peer.keyed, (key, bucket), windows, registry, None);
        if peer.eligible.truth(&scope) != Some(true) {
            return;
        }
        let Some(metric) = peer.metric.value(&scope) else { return };
        match peer.group.iter().map(|part| part.value(&scope)).collect::<Option<Vec<Number>>>() {
            Some(group) => standings.push((group, metric, key)),
            None => skipped = true,
        }
    });
    standings.sort();
    (standings, skipped)
}

/// Judges all keys of a peer rule at one bucket: those with a triggering fact there are subjects, all eligible ones peers.
pub(super) fn judge_group<W: Windows, R: Registry>(
    index: PatternIndex,
    rule: &Rule,
    peer: &PeerRule,
    bucket: i64,
    windows: &W,
    registry: &R,
) -> Judgement {
    let (standings, skipped) = standings(rule, peer, bucket, windows, registry);
    let mut judgement = Judgement { hits: Vec::new(), skipped };
    for group in standings.chunk_by(|left, right| left.0 == right.0) {
        for (place, (_, metric, key)) in group.iter().enumerate() {
            let triggers = |feature: &FeatureIndex| windows.total(*feature, *key, bucket, bucket).count != 0;
            if !peer.keyed.trigger.iter().any(triggers) {
                continue;
            }
            let others = group.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, (_, other, _))| *other);
            let standing = Standing { metric: *metric, others: others.collect() };
            let scope = KeyScope::new(rule, &peer.keyed, (*key, bucket), windows, registry, Some(&standing));
            let one = verdict(index, rule, &peer.keyed, &scope);
            judgement.hits.extend(one.hits);
            judgement.skipped |= one.skipped;
        }
    }
    judgement
}

/// The others of the group in which a key stands at a bucket.
pub(super) fn peer_keys<W: Windows, R: Registry>(
    rule: &Rule,
    peer: &PeerRule,
    place: (Key, i64),
    windows: &W,
    registry: &R,
) -> Vec<Key> {
    let (standings, _) = standings(rule, peer, place.1, windows, registry);
    let Some(own) = standings.iter().find(|(.., key)| *key == place.0).map(|(group, ..)| group.clone()) else {
        return Vec::new();
    };
    let same = |(group, _, key): &(Vec<Number>, Number, Key)| *group == own && *key != place.0;
    standings.into_iter().filter(same).map(|(.., key)| key).collect()
}

/// Smallest value with at least `share` of the values at or below it; `None` for no values (derived.csv `quantile`).
fn quantile(ascending: &[Number], share: Number) -> Option<Number> {
    let wanted = share.times(Number::whole(ascending.len() as i128))?;
    let rank = wanted.negate()?.floor().checked_neg()?.max(1);
    ascending.get(usize::try_from(rank).ok()? - 1).copied()
}

fn median(ascending: &[Number]) -> Option<Number> {
    quantile(ascending, Number::ratio(1, 2)?)
}

impl<'a, W: Windows, R: Registry> KeyScope<'a, W, R> {
    fn new(
        rule: &'a Rule,
        keyed: &'a KeyedRule,
        (key, bucket): (Key, i64),
        windows: &'a W,
        registry: &'a R,
        peers: Option<&'a Standing>,
    ) -> Self {
        let (totals, members) = ([const { OnceCell::new() }; MAX_WINDOWS], [const { OnceCell::new() }; MAX_WINDOWS]);
        KeyScope { rule, keyed, windows, registry, key, bucket, peers, totals, members }
    }

    fn moment(&self) -> Moment {
        Moment { at: self.keyed.width.last_ms(self.bucket), date: self.date() }
    }

    fn date(&self) -> Day {
        self.keyed.width.date(self.bucket)
    }

    fn span(&self, window: usize) -> (i64, i64) {
        let spec = &self.keyed.windows[window];
        let to = self.bucket.saturating_sub(spec.before);
        (spec.length.map_or(i64::MIN, |length| to.saturating_sub(length - 1)), to)
    }

    fn total(&self, window: usize) -> Cell {
        *self.totals[window].get_or_init(|| {
            let (from, to) = self.span(window);
            self.windows.total(self.keyed.windows[window].feature, self.key, from, to)
        })
    }

    /// Members of a window, ascending.
    fn members(&self, window: usize) -> &[(Member, Cell)] {
        self.members[window].get_or_init(|| {
            let (from, to) = self.span(window);
            self.windows.members(self.keyed.windows[window].feature, self.key, from, to)
        })
    }

    /// Sum of the `count` largest member sums.
    fn largest(&self, window: usize, count: usize) -> i128 {
        let (from, to) = self.span(window);
        self.windows.largest(self.keyed.windows[window].feature, self.key, from, to, count)
    }

    /// The member with the largest sum; ties by id.
    fn largest_member(&self, window: usize) -> Option<Member> {
        let members = self.members(window).iter();
        members.max_by(|left, right| left.1.sum.cmp(&right.1.sum).then(right.0.cmp(&left.0))).map(|(member, _)| *member)
    }

    fn member(&self, window: usize, member: Number) -> Option<Cell> {
        let wanted = Member::try_from(member.as_whole()?).ok()?;
        let (from, to) = self.span(window);
        let cell = self.windows.member(self.keyed.windows[window].feature, self.key, from, to, wanted);
        (!cell.is_empty()).then_some(cell)
    }

    fn first_among(&self, window: usize, arguments: &[Number]) -> Option<bool> {
        let all = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let count = usize::try_from(arguments.get(1)?.as_whole()?).ok()?;
        let mut first: Vec<Member> = Vec::new();
        let (from, to) = self.span(all);
        self.windows.cells(self.keyed.windows[all].feature, self.key, from, to, &mut |_, member, _| {
            if first.len() < count && !first.contains(&member) {
                first.push(member);
            }
        });
        Some(self.members(window).iter().any(|(member, _)| first.contains(member)))
    }

    /// z-score of ln(1 + sum) of the window against the `n` windows before it.
    fn log_jump(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let (count, floor) = (base_length(arguments)?, arguments.get(1)?.to_f64());
        let (from, to) = self.span(window);
        let length = to - from + 1;
        let value = |back: i64| {
            let feature = self.keyed.windows[window].feature;
            let sum = self.windows.total(feature, self.key, from - back * length, to - back * length).sum;
            statistics::ln(1.0 + sum.max(0) as f64)
        };
        let base: Vec<f64> = (1..=count).map(value).collect();
        statistics::z_score(value(0), &base, |_| floor)
    }

    /// z-score of the judged day against those of the `n` business days before that have the same weekday.
    fn weekday_jump(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let (count, floor) = (base_length(arguments)?, arguments.get(1)?.to_f64());
        let day = self.date();
        let value = |day: Day| {
            let bucket = i64::from(day.0);
            self.windows.total(self.keyed.windows[window].feature, self.key, bucket, bucket).sum as f64
        };
        let mut base = Vec::new();
        let (mut before, mut left) = (day, count);
        while left > 0 {
            before = before.plus(-1);
            if self.registry.calendar().is_business_day(before) {
                left -= 1;
                if before.weekday() == day.weekday() {
                    base.push(value(before));
                }
            }
        }
        statistics::z_score(value(day), &base, |mean| mean * floor)
    }

    fn benford(&self, window: usize) -> Option<Number> {
        let mut counts = [0i64; 9];
        for (digit, cell) in self.members(window) {
            if let Some(count) = usize::try_from(*digit).ok().and_then(|digit| counts.get_mut(digit.checked_sub(1)?)) {
                *count = cell.count;
            }
        }
        statistics::benford(counts)
    }

    /// The judged edge a -> b lies on a triangle a -> b -> c -> a of edges of at least `least` fen whose smallest and
    /// largest sums stand at least in the ratio `balance`.
    fn triangle(&self, window: usize, arguments: &[Number]) -> Option<bool> {
        let (least, balance) = (*arguments.first()?, *arguments.get(1)?);
        let (from, to) = self.span(window);
        let feature = self.keyed.windows[window].feature;
        let edges = |drawer: u64| {
            let heavy = |edge: &(Member, Cell)| Number::whole(edge.1.sum) >= least;
            self.windows.members(feature, Key(drawer, 0), from, to).into_iter().filter(heavy).collect::<Vec<_>>()
        };
        let weight = |drawer: u64, payee: u64| {
            let edge = self.windows.member(feature, Key(drawer, 0), from, to, payee.into());
            (!edge.is_empty() && Number::whole(edge.sum) >= least).then_some(edge.sum)
        };
        let (a, b) = (self.key.0, self.key.1);
        let Some(first) = weight(a, b) else { return Some(false) };
        for (third, second) in edges(b) {
            let Ok(c) = u64::try_from(third) else { continue };
            if c == a || c == b {
                continue;
            }
            let Some(last) = weight(c, a) else { continue };
            let sums = [first, second.sum, last];
            let (small, large) = (sums.iter().min()?, sums.iter().max()?);
            if Number::ratio(*small, *large)? >= balance {
                return Some(true);
            }
        }
        Some(false)
    }
}

fn base_length(arguments: &[Number]) -> Option<i64> {
    let count = i64::try_from(arguments.first()?.as_whole()?).ok()?;
    Some(count.clamp(0, MAX_JUMP_BASE))
}

impl<W: Windows, R: Registry> Words for KeyScope<'_, W, R> {
    fn variable(&self, variable: &Variable) -> Option<Number> {
        let party = |role: &Role| match role {
            Role::Key => Some(self.key.0),
            Role::OtherKey => Some(self.key.1),
            _ => None,
        };
        match variable {
            Variable::Party(role) => party(role).map(|bits| Number::whole(bits.into())),
            Variable::Attribute(role, field) => {
                self.registry.attribute(PartyId::from_bits(party(role)?), None, *field, self.moment())
            }
            Variable::Derived(Derived::Date) => Some(i64::from(self.date().0).into()),
            Variable::Derived(_) | Variable::Field(_) => None,
        }
    }

    fn parameter(&self, place: usize) -> Option<Number> {
        self.rule.parameters.get(place).copied()
    }

    fn window(&self, function: Window, window: usize, arguments: &[Number]) -> Option<Number> {
        let whole = |value: i128| Some(Number::whole(value));
        match function {
            Window::Count => whole(self.total(window).count.into()),
            Window::Sum => whole(self.total(window).sum),
            Window::Distinct => whole(self.members(window).len() as i128),
            Window::Largest => {
                let count = arguments.first().map_or(Some(1), |count| count.as_whole())?;
                whole(self.largest(window, usize::try_from(count).ok()?))
            }
            Window::LeastSum => self.members(window).iter().map(|(_, cell)| cell.sum).min().map(Number::whole),
            Window::LeastCount => {
                let least = self.members(window).iter().map(|(_, cell)| cell.count).min();
                whole(least.unwrap_or(0).into())
            }
            Window::LargestMember => i128::try_from(self.largest_member(window)?).ok().map(Number::whole),
            Window::MemberCount => whole(self.member(window, *arguments.first()?).map_or(0, |cell| cell.count.into())),
            Window::MemberMean => {
                let cell = self.member(window, *arguments.first()?)?;
                Number::ratio(cell.sum, cell.count.into())
            }
            Window::DistinctAbove => {
                let least = *arguments.first()?;
                let above = |cell: &Cell| Number::ratio(cell.sum, cell.count.into()).is_some_and(|mean| mean > least);
                whole(self.members(window).iter().filter(|(_, cell)| cell.count > 0 && above(cell)).count() as i128)
            }
            Window::SumBetween => {
                let (first, last) = (arguments.first()?, arguments.get(1)?);
                let (from, to) = self.span(window);
                // The whole numbers in between; members are never negative.
                let first = first.negate()?.floor().checked_neg()?.max(0) as Member;
                let Ok(last) = Member::try_from(last.floor()) else { return whole(0) };
                let feature = self.keyed.windows[window].feature;
                whole(self.windows.sum_of_members(feature, self.key, (from, to), (first, last)))
            }
            Window::FirstAmong => self.first_among(window, arguments).map(Number::from),
            Window::LogJump => self.log_jump(window, arguments),
            Window::WeekdayJump => self.weekday_jump(window, arguments),
            Window::Benford => self.benford(window),
            Window::Triangle => self.triangle(window, arguments).map(Number::from),
        }
    }

    fn lookup(&self, function: Lookup, arguments: &[Number]) -> Option<Number> {
        lookup(self.registry, self.moment(), function, arguments)
    }

    fn whole_variable(&self, variable: &Variable) -> i128 {
        match variable {
            Variable::Party(Role::Key) => self.key.0.into(),
            Variable::Party(Role::OtherKey) => self.key.1.into(),
            Variable::Derived(Derived::Date) => self.date().0.into(),
            _ => whole_of(self.variable(variable)),
        }
    }

    fn whole_window(&self, function: Window, window: usize, arguments: &[Node]) -> i128 {
        match function {
            Window::Count => self.total(window).count.into(),
            Window::Sum => self.total(window).sum,
            _ => whole_of(values(arguments, self).and_then(|values| self.window(function, window, &values))),
        }
    }

    fn whole_lookup(&self, function: Lookup, arguments: &[Node]) -> i128 {
        if function == Lookup::IsEnterprise {
            return is_enterprise(arguments[0].whole(self));
        }
        whole_of(values(arguments, self).and_then(|values| self.lookup(function, &values)))
    }

    fn surely_fewer(&self, window: usize, least: i128) -> bool {
        let (from, to) = self.span(window);
        let feature = self.keyed.windows[window].feature;
        // A member has a cell of its own in some bucket.
        (self.windows.cell_count(feature, self.key, from, to) as i128) < least
    }

    fn peer(&self, function: Peer, arguments: &[Number]) -> Option<Number> {
        let standing = self.peers?;
        match function {
            Peer::Metric => Some(standing.metric),
            Peer::Quantile => quantile(&standing.others, *arguments.first()?),
            Peer::Median => median(&standing.others),
            Peer::Deviation => {
                let middle = median(&standing.others)?;
                let distances: Option<Vec<Number>> =
                    standing.others.iter().map(|other| other.minus(middle)?.abs()).collect();
                let mut distances = distances?;
                distances.sort();
                median(&distances)
            }
            Peer::Peers => Some(Number::whole(standing.others.len() as i128)),
        }
    }

    fn history(&self, _: History, _: &[Behaviour], _: &[Number]) -> Option<Number> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank_never_lies_between_values() {
        let values: Vec<Number> = [10i64, 20, 30, 40].into_iter().map(Number::from).collect();
        assert_eq!(quantile(&values, Number::parse("0.5").unwrap()), Some(20.into()));
        assert_eq!(quantile(&values, Number::parse("0.51").unwrap()), Some(30.into()));
        assert_eq!(quantile(&values, Number::ZERO), Some(10.into()));
        assert_eq!(quantile(&values, Number::whole(1)), Some(40.into()));
        assert_eq!(quantile(&[], Number::whole(1)), None);
    }
}
