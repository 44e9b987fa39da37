//! Judging keyed and peer rules on windows.
//!
//! A judgement is a pure function of (rule, key, bucket, windows, reference data as of the bucket's last instant). What is on
//! the day of the trigger is judged as a whole: the bucket's content, not the order inside it, decides.

mod edges;
mod past;
mod peers;
mod series;
mod words;

use std::cell::OnceCell;

use self::peers::Standing;
pub(super) use self::peers::{judge_group, peer_keys};

use super::{
    alert::{AlertKey, Hit, Key, PatternIndex},
    bill_scope::{is_enterprise, lookup},
    expression::{Node, Scope as Words, values},
    graph::{self, Graph},
    number::Number,
    rules::{KeyForm, KeyedRule, MAX_JUMP_BASE, MAX_WINDOWS, Rule},
    sight::{Moment, Registry},
    statistics,
    vocabulary::{Derived, Lookup, Peer, Role, Series, Step, Variable, Window},
    whole::whole_of,
    windows::{BucketWidth, Cell, Member, Windows},
};
use crate::{
    fact::Source,
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
    peers: Option<&'a Standing<'a>>,
    /// The member for which the condition is asked.
    member: std::cell::Cell<Option<Member>>,
    /// Total of each window, once asked for.
    totals: [OnceCell<Cell>; MAX_WINDOWS],
    /// Members of each window, once asked for: a condition asks several times.
    members: [OnceCell<Vec<(Member, Cell)>>; MAX_WINDOWS],
    /// The last `daily_median`, by window and days: a condition asks for it twice.
    daily_median: std::cell::Cell<Option<(usize, i64, Number)>>,
    /// What series worked out for this and other days.
    past: series::PastCell,
    /// The edges of the one window that is read as a graph, once asked for; with the window and the smallest sum of an edge.
    graph: OnceCell<(usize, i128, Graph)>,
    /// The parties of each ring that the condition found last, ascending.
    rings: std::cell::RefCell<Vec<Box<[PartyId]>>>,
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
    let Some(window) = keyed.each else { return verdict(index, rule, keyed, &scope) };
    let mut judgement = Judgement::default();
    for (member, _) in scope.members(window) {
        scope.member.set(Some(*member));
        let one = verdict(index, rule, keyed, &scope);
        judgement.hits.extend(one.hits);
        judgement.skipped |= one.skipped;
    }
    judgement
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
        KeyForm::Market => vec![hit(AlertKey::Party(PartyId::MARKET))],
        KeyForm::Source => {
            Source::of_number(scope.key.0).map(|source| hit(AlertKey::Source(source))).into_iter().collect()
        }
        KeyForm::Member => scope.member_party().map(|party| hit(AlertKey::Party(party))).into_iter().collect(),
        KeyForm::PartyAndMember => {
            let pair = |party| hit(AlertKey::Pair(scope.key.first_party(), party));
            scope.member_party().map(pair).into_iter().collect()
        }
        KeyForm::Edge => scope
            .member
            .get()
            .map(|edge| {
                let (from, to) = graph::ends(edge);
                hit(AlertKey::Pair(PartyId::from_bits(from), PartyId::from_bits(to)))
            })
            .into_iter()
            .collect(),
        KeyForm::Ring => scope.rings.take().into_iter().map(|parties| hit(AlertKey::Parties(parties))).collect(),
    };
    Judgement { hits, skipped: false }
}

impl<'a, W: Windows, R: Registry> KeyScope<'a, W, R> {
    fn new(
        rule: &'a Rule,
        keyed: &'a KeyedRule,
        (key, bucket): (Key, i64),
        windows: &'a W,
        registry: &'a R,
        peers: Option<&'a Standing<'a>>,
    ) -> Self {
        let (totals, members) = ([const { OnceCell::new() }; MAX_WINDOWS], [const { OnceCell::new() }; MAX_WINDOWS]);
        let (member, past, graph) = (std::cell::Cell::new(None), OnceCell::new(), OnceCell::new());
        let (daily_median, rings) = (std::cell::Cell::new(None), std::cell::RefCell::default());
        KeyScope {
            rule,
            keyed,
            windows,
            registry,
            key,
            bucket,
            peers,
            member,
            totals,
            members,
            daily_median,
            past,
            graph,
            rings,
        }
    }

    fn moment(&self) -> Moment {
        Moment { at: self.keyed.width.last_ms(self.bucket), date: self.date() }
    }

    fn date(&self) -> Day {
        self.keyed.width.date(self.bucket)
    }

    /// First and last bucket of a window; `None` when there is none between its edges, or an edge is not known.
    fn span(&self, window: usize) -> Option<(i64, i64)> {
        let spec = &self.keyed.windows[window];
        let mut to = self.bucket.saturating_sub(spec.before);
        let mut from = spec.length.map_or(i64::MIN, |length| to.saturating_sub(length - 1));
        if let Some(day) = &spec.from {
            from = from.max(self.buckets_of(day.value(self)?)?.0);
        }
        if let Some(day) = &spec.to {
            to = to.min(self.buckets_of(day.value(self)?)?.1);
        }
        (from <= to).then_some((from, to))
    }

    fn total(&self, window: usize) -> Cell {
        *self.totals[window].get_or_init(|| {
            let Some((from, to)) = self.span(window) else { return Cell::default() };
            self.windows.total(self.keyed.windows[window].feature, self.key, from, to)
        })
    }

    /// Members of a window, ascending.
    fn members(&self, window: usize) -> &[(Member, Cell)] {
        self.members[window].get_or_init(|| {
            let Some((from, to)) = self.span(window) else { return Vec::new() };
            self.windows.members(self.keyed.windows[window].feature, self.key, from, to)
        })
    }

    /// Sum of the `count` largest member sums.
    fn largest(&self, window: usize, count: usize) -> i128 {
        let Some((from, to)) = self.span(window) else { return 0 };
        self.windows.largest(self.keyed.windows[window].feature, self.key, from, to, count)
    }

    /// The member with the largest sum; ties by id.
    fn largest_member(&self, window: usize) -> Option<Member> {
        let members = self.members(window).iter();
        members.max_by(|left, right| left.1.sum.cmp(&right.1.sum).then(right.0.cmp(&left.0))).map(|(member, _)| *member)
    }

    fn member(&self, window: usize, member: Number) -> Option<Cell> {
        let wanted = Member::try_from(member.as_whole()?).ok()?;
        let (from, to) = self.span(window)?;
        let cell = self.windows.member(self.keyed.windows[window].feature, self.key, from, to, wanted);
        (!cell.is_empty()).then_some(cell)
    }

    fn first_among(&self, window: usize, arguments: &[Number]) -> Option<bool> {
        let all = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let count = usize::try_from(arguments.get(1)?.as_whole()?).ok()?;
        let mut first: Vec<Member> = Vec::new();
        let (from, to) = self.span(all)?;
        self.windows.cells(self.keyed.windows[all].feature, self.key, from, to, &mut |_, member, _| {
            if first.len() < count && !first.contains(&member) {
                first.push(member);
            }
        });
        Some(self.members(window).iter().any(|(member, _)| first.contains(member)))
    }

    fn member_party(&self) -> Option<PartyId> {
        Some(PartyId::from_bits(u64::try_from(self.member.get()?).ok()?))
    }

    /// Sum of squares of shares.
    fn herfindahl(&self, window: usize) -> Option<Number> {
        let sum = self.total(window).sum;
        let squares = self
            .members(window)
            .iter()
            .try_fold(0i128, |squares, (_, cell)| squares.checked_add(cell.sum.checked_mul(cell.sum)?))?;
        Number::ratio(squares, sum.checked_mul(sum)?)
    }

    /// The member of the middle fact, nearest rank.
    fn median_member(&self, window: usize) -> Option<Number> {
        let wanted = (self.total(window).count + 1) / 2;
        let mut seen = 0;
        let middle = self.members(window).iter().find(|(_, cell)| {
            seen += cell.count;
            cell.count > 0 && seen >= wanted
        })?;
        i128::try_from(middle.0).ok().map(Number::whole)
    }

    fn sum_outside(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let other = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let known = self.members(other);
        let is_known = |member: &Member| known.binary_search_by_key(member, |(known, _)| *known).is_ok();
        let outside = self.members(window).iter().filter(|(member, _)| !is_known(member));
        Some(Number::whole(outside.map(|(_, cell)| cell.sum).sum()))
    }

    /// Of members 2n and 2n + 1, the sum of the smaller over the sum of the larger.
    fn mirror(&self, window: usize) -> Option<Number> {
        let (mut less, mut more) = (0i128, 0i128);
        for both in self.members(window).chunk_by(|left, right| left.0 / 2 == right.0 / 2) {
            let sums = both.iter().map(|(_, cell)| cell.sum);
            more += sums.clone().max()?;
            if both.len() == 2 {
                less += sums.min()?;
            }
        }
        Number::ratio(less, more)
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
}

impl<W: Windows, R: Registry> Words for KeyScope<'_, W, R> {
    fn variable(&self, variable: &Variable) -> Option<Number> {
        let party = |role: &Role| match role {
            Role::Key => Some(self.key.0),
            Role::OtherKey => Some(self.key.1),
            Role::Member => self.member_party().map(PartyId::bits),
            _ => None,
        };
        match variable {
            Variable::Derived(Derived::MemberNumber) => i128::try_from(self.member.get()?).ok().map(Number::whole),
            Variable::Party(role) => party(role).map(|bits| Number::whole(bits.into())),
            Variable::Attribute(role, field) => {
                self.registry.attribute(PartyId::from_bits(party(role)?), None, *field, self.moment())
            }
            Variable::Derived(Derived::Date) => Some(i64::from(self.date().0).into()),
            Variable::Derived(Derived::MinuteOfDay) => match self.keyed.width {
                BucketWidth::Day => None,
                BucketWidth::Millis(width) => {
                    Some(((self.bucket * width - self.date().start_ms()).div_euclid(60_000)).into())
                }
            },
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
            Window::MemberSum => {
                let wanted = Member::try_from(arguments.first()?.as_whole()?).ok()?;
                let members = self.members(window);
                let found = members.binary_search_by_key(&wanted, |(member, _)| *member);
                whole(found.map_or(0, |at| members[at].1.sum))
            }
            Window::HalfSum => {
                let half = Member::try_from(arguments.first()?.as_whole()?).ok()?;
                let of_half = self.members(window).iter().filter(|(member, _)| member % 2 == half);
                whole(of_half.map(|(_, cell)| cell.sum).sum())
            }
            Window::MemberMean => {
                let cell = self.member(window, *arguments.first()?)?;
                Number::ratio(cell.sum, cell.count.into())
            }
            Window::LastDay => {
                let wanted = Member::try_from(arguments.first()?.as_whole()?).ok()?;
                let (from, to) = self.span(window)?;
                let mut last = None;
                let feature = self.keyed.windows[window].feature;
                self.windows.cells(feature, self.key, from, to, &mut |bucket, member, cell| {
                    if member == wanted && cell.count != 0 {
                        last = Some(bucket);
                    }
                });
                last.map(Number::from)
            }
            Window::SumDays => {
                let bucket = |place: usize| i64::try_from(arguments.get(place)?.as_whole()?).ok();
                let (from, to) = self.span(window)?;
                let (from, to) = (from.max(bucket(0)?), to.min(bucket(1)?));
                if from > to {
                    return whole(0);
                }
                whole(self.windows.total(self.keyed.windows[window].feature, self.key, from, to).sum)
            }
            Window::DistinctAbove => {
                let least = *arguments.first()?;
                let above = |cell: &Cell| Number::ratio(cell.sum, cell.count.into()).is_some_and(|mean| mean > least);
                whole(self.members(window).iter().filter(|(_, cell)| cell.count > 0 && above(cell)).count() as i128)
            }
            Window::SumBetween => {
                let (first, last) = (arguments.first()?, arguments.get(1)?);
                let Some((from, to)) = self.span(window) else { return whole(0) };
                // The whole numbers in between.
                let first = words::first_member(*first)?;
                let Ok(last) = Member::try_from(last.floor()) else { return whole(0) };
                let feature = self.keyed.windows[window].feature;
                whole(self.windows.sum_of_members(feature, self.key, (from, to), (first, last)))
            }
            Window::CountBetween => whole(self.count_between(window, arguments)?),
            Window::SumSince => whole(self.sum_since(window, arguments)?),
            Window::SumGrid => whole(self.sum_grid(window, arguments)?),
            Window::FirstDay => self.first_day(window),
            Window::LastDayBefore => self.last_day_before(window),
            Window::Raised => whole(self.raised(window)),
            Window::NewMembers => whole(self.new_members(window)?),
            Window::MemberQuantile => self.member_quantile(window, arguments),
            Window::Near => self.near(window, arguments).map(Number::from),
            Window::LargestRatio => self.largest_ratio(window, arguments),
            Window::SharedSum => whole(self.shared_sum(window, arguments)?),
            Window::LongestChain => whole(self.longest_chain(window, arguments)?),
            Window::AverageShift => self.average_shift(window, arguments),
            Window::MedianShift => self.median_shift(window, arguments),
            Window::Entropy => self.entropy(window),
            Window::Psi => self.psi(window, arguments),
            Window::FirstAmong => self.first_among(window, arguments).map(Number::from),
            Window::Herfindahl => self.herfindahl(window),
            Window::MedianMember => self.median_member(window),
            Window::SumOutside => self.sum_outside(window, arguments),
            Window::Mirror => self.mirror(window),
            Window::MonthSum => self.month_sum(window, *arguments.first()?),
            Window::MonthShare => self.month_share(window, arguments),
            Window::DailyMedian => self.daily_median(window, arguments),
            Window::BalanceAt => self.balance_at(window, *arguments.first()?),
            Window::MeanBalance => self.mean_balance(window, arguments),
            Window::Ring => self.ring(window, *arguments.first()?),
            Window::Component => self.component(window, *arguments.first()?),
            Window::ActivePeriods => whole(self.active_periods(window, arguments)?),
            Window::DistinctGroups => whole(self.distinct_groups(window)),
            Window::LogJump => self.log_jump(window, arguments),
            Window::WeekdayJump => self.weekday_jump(window, arguments),
            Window::Benford => self.benford(window),
            Window::ValueRings => whole(self.value_rings()?),
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

    fn streak(&self, days: i64, condition: &Node) -> Option<Number> {
        let mut truth = condition.truth(self);
        let mut day = self.date();
        for _ in 1..days.clamp(1, MAX_JUMP_BASE) {
            if truth == Some(false) {
                return Some(false.into());
            }
            day = self.registry.calendar().minus(day, 1);
            let place = (self.key, i64::from(day.0));
            let earlier = KeyScope::new(self.rule, self.keyed, place, self.windows, self.registry, None);
            earlier.member.set(self.member.get());
            truth = match (truth, condition.truth(&earlier)) {
                (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        truth.map(Number::from)
    }

    fn surely_fewer(&self, window: usize, least: i128) -> bool {
        let Some((from, to)) = self.span(window) else { return least > 0 };
        let feature = self.keyed.windows[window].feature;
        // A member has a cell of its own in some bucket.
        (self.windows.cell_count(feature, self.key, from, to) as i128) < least
    }

    fn peer(&self, function: Peer, arguments: &[Number]) -> Option<Number> {
        self.peers?.say(function, arguments)
    }

    fn series(&self, function: Series, step: Step, arguments: &[Node]) -> Option<Number> {
        self.on_other_days(function, step, arguments)
    }
}
