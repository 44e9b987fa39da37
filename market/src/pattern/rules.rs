//! Compiled rules and features: what the interpreters run.
//!
//! `rule_text` is the form in the data file, `compile` makes these of it.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;

use super::{
    alert::{Level, PatternIndex},
    expression::{Node, Operator},
    number::Number,
    parameters::ParameterRow,
    rings::RingRule,
    vocabulary::{Derived, History, Pure, Role, Step, Variable, Window},
    windows::{BucketWidth, FeatureIndex},
};
use crate::{
    books,
    fact::{Behaviour, Fact},
    ids::Day,
};

/// When a keyed rule is judged (facts.md 9.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// In every bucket with a triggering fact, as soon as it is there.
    AtFact,
    /// In every day with a triggering fact, once the market clock has passed its end.
    EndOfDay,
    /// Every day on which the triggering stock is not empty, once the clock has passed its end.
    EachDay,
    /// Every day on which the triggering stock changes, once the clock has passed its end.
    EachChange,
    /// On the last day (Sunday) of every week with a triggering fact, once the clock has passed its end.
    EndOfWeek,
    /// On the last day of every month with a triggering fact, once the clock has passed its end.
    EndOfMonth,
    /// On the last day of every quarter with a triggering fact, once the clock has passed its end.
    EndOfQuarter,
    /// On the last day of every month from which the first window reaches back to a triggering fact, once the clock has
    /// passed its end.
    EachMonth,
}

/// What the key of a bill-scope alert is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BillKey {
    /// The bill.
    Bill,
    /// The fact.
    Event,
    /// deal_id, or the fact where it has none (facts.md 9.9).
    Deal,
    /// A party.
    Party(Role),
    /// Two parties, unordered.
    Pair(Role, Role),
}

/// How the key of a feature names an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyForm {
    /// First part: a party.
    Party,
    /// Both parts: two parties.
    Pair,
    /// First part: a branch.
    Branch,
    /// One alert a member of the judged bucket of the trigger; members are events.
    Events,
    /// The market, whatever the key.
    Market,
    /// First part: the number of a source.
    Source,
    /// The member for which the condition holds ([`KeyedRule::each`]): a party.
    Member,
    /// First part and the member: two parties.
    PartyAndMember,
    /// The member, an edge: two parties.
    Edge,
    /// The parties of each ring that the condition found (`value_rings`).
    Ring,
}

/// A rule judged at each fact of a bill.
#[derive(Clone, Debug)]
pub struct BillRule {
    /// Triggering behaviours; empty: all.
    pub on: Vec<Behaviour>,
    /// Also facts without effect.
    pub any_effect: bool,
    /// Parties for which the rule is judged one by one, as role `key`; empty: once.
    pub for_each: Vec<Role>,
    /// Whom the alert is about.
    pub key: BillKey,
    /// What a fact must be at least.
    pub only: Only,
}

/// What a bill rule asks of a fact before anything else: nearly all facts are none of it, and nothing needs to be looked up
/// to know that.
#[derive(Clone, Debug)]
pub enum Only {
    /// Any fact.
    Any,
    /// One with such an effect; the texts stand as numbers.
    Effects(Vec<Number>),
    /// One whose id came with several contents.
    Variants,
}

impl Only {
    /// What a condition asks: what it is, or a side of its `&&`.
    pub fn of(condition: &Node) -> Self {
        match condition {
            Node::History(History::Variants, ..) => Only::Variants,
            Node::History(History::Effect, _, listed) => {
                let known = listed.iter().map(|effect| match effect {
                    Node::Constant(effect) => Some(*effect),
                    _ => None,
                });
                known.collect::<Option<_>>().map_or(Only::Any, Only::Effects)
            }
            Node::And(left, right) => match Only::of(left) {
                Only::Any => Only::of(right),
                only => only,
            },
            _ => Only::Any,
        }
    }
}

/// A window of a keyed or peer rule.
#[derive(Clone, Debug)]
pub struct WindowSpec {
    /// What it shows.
    pub feature: FeatureIndex,
    /// Buckets, counted back from the judged one; `None`: all before.
    pub length: Option<i64>,
    /// The window ends this many buckets before the judged one.
    pub before: i64,
    /// First day, by the judged day.
    pub from: Option<Node>,
    /// Last day, by the judged day.
    pub to: Option<Node>,
}

/// A rule judged on windows of one key.
#[derive(Clone, Debug)]
pub struct KeyedRule {
    /// What it reads.
    pub windows: Vec<WindowSpec>,
    /// Features whose buckets make it due.
    pub trigger: Vec<FeatureIndex>,
    /// When.
    pub judged: Judged,
    /// Days between the end of the period and the judged day.
    pub delay: i64,
    /// Whom the alert is about.
    pub key: KeyForm,
    /// The condition is asked for each member of this window, which role and word `member` stand for.
    pub each: Option<usize>,
    /// Width shared by all its features.
    pub width: BucketWidth,
    /// Reads windows of other keys: all keys must be in one place.
    pub collective: bool,
    /// The rings that the condition looks for.
    pub rings: Option<RingRule>,
    /// Reads reference data of the key, be it only to find its peers: judge again when they change.
    pub reads_reference: bool,
    /// A rule judged on each day that can hold on this day of a month only ([`only_day_of_month`]): the others are left out.
    pub day_of_month: Option<i128>,
}

/// A rule that compares all keys of a feature with each other.
#[derive(Clone, Debug)]
pub struct PeerRule {
    /// Windows, trigger and times as of a keyed rule.
    pub keyed: KeyedRule,
    /// What is compared.
    pub metric: Node,
    /// Keys with equal values are peers.
    pub group: Vec<Node>,
    /// Who takes part.
    pub eligible: Node,
    /// All who take part are judged, not only those with a triggering fact.
    pub everyone: bool,
}

/// One side of a timer.
#[derive(Clone, Debug)]
pub struct TimerSide {
    /// Behaviours.
    pub on: Vec<Behaviour>,
    /// Which of them.
    pub condition: Option<Node>,
}

/// Something that must follow within a limit.
#[derive(Clone, Debug)]
pub struct TimerRule {
    /// What starts it, range by range.
    pub start: TimerSide,
    /// What stops it, range by range.
    pub answers: TimerSide,
    /// Answers before the start count too.
    pub early_answers: bool,
    /// Last day for an answer; evaluated at the start.
    pub limit: Node,
    /// Last time of that day, ms since midnight; `None`: its end.
    pub limit_time: Option<Node>,
    /// Whom the alert is about.
    pub key: BillKey,
}

/// What kind of rule it is.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Judged at each fact of a bill.
    Bill(BillRule),
    /// Judged on windows of one key.
    Keyed(KeyedRule),
    /// Judged on all keys at once.
    Peer(PeerRule),
    /// Judged by the market clock.
    Timer(TimerRule),
    /// P184: facts that answer or correct what is not known.
    Orphan,
}

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Pattern id, `P001`.
    pub id: String,
    /// engine_family of patterns.csv.
    pub family: String,
    /// Severity.
    pub level: Level,
    /// Its parameters as people see them, in order.
    pub parameter_rows: Vec<ParameterRow>,
    /// Their values.
    pub parameters: Vec<Number>,
    /// The condition.
    pub when: Option<Node>,
    /// The condition of a warning, one level lower.
    pub warn: Option<Node>,
    /// How it is judged.
    pub scope: Scope,
}

impl Rule {
    /// Every expression that a judgement on windows reads: the conditions and, among peers, who takes part, with what, and
    /// whom he is compared with.
    pub fn judged_by(&self) -> impl Iterator<Item = &Node> {
        let peer = match &self.scope {
            Scope::Peer(peer) => Some(peer),
            _ => None,
        };
        let compared = peer.into_iter().flat_map(|peer| peer.group.iter().chain([&peer.metric, &peer.eligible]));
        self.when.iter().chain(&self.warn).chain(compared)
    }
}

/// One way in which facts feed a feature.
#[derive(Clone, PartialEq, Debug)]
pub struct Emit {
    /// Behaviours; empty: a stock.
    pub on: Vec<Behaviour>,
    /// Also facts without effect.
    pub any_effect: bool,
    /// Filter.
    pub condition: Option<Node>,
    /// One or two parts.
    pub key: Vec<Node>,
    /// Member.
    pub member: Option<Node>,
    /// Amount; `None`: amount of the fact, or length of the lot.
    pub amount: Option<Node>,
    /// Stock: first day.
    pub from: Option<Node>,
    /// Stock: once for each surety of the lot.
    pub each_surety: bool,
}

/// A compiled feature.
#[derive(Clone, PartialEq, Debug)]
pub struct Feature {
    /// What feeds it.
    pub emits: Vec<Emit>,
    /// Time.
    pub width: BucketWidth,
    /// Facts count when they came, not when they happened.
    pub by_arrival: bool,
    /// What an epoch adds to a cell leaves its worker once.
    pub added_up: bool,
}

impl Feature {
    /// The bucket in which a fact counts.
    #[inline]
    pub fn bucket(&self, fact: &Fact) -> i64 {
        if self.by_arrival {
            let came = fact.stamp.ingest_time;
            return self.width.bucket(Day::of_time(came), came);
        }
        self.width.bucket(fact.biz_date, fact.event_time)
    }
}

/// Rules and features, compiled.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// By [`PatternIndex`].
    pub rules: Arc<[Rule]>,
    /// By [`FeatureIndex`].
    pub features: Arc<[Feature]>,
    /// Name of each feature; where several names say the same, the first of them.
    pub feature_names: Arc<[String]>,
    /// Place of each feature by each of its names.
    pub feature_places: HashMap<String, usize>,
}

impl KeyedRule {
    /// How many buckets after a changed one judgements may change; `None`: all of them.
    pub fn reach(&self, feature: FeatureIndex, when: &[&Node]) -> Option<i64> {
        let look_back = when.iter().map(|node| look_back(node)).max().unwrap_or(0);
        let mut reach = 0;
        for (place, window) in self.windows.iter().enumerate() {
            if window.feature != feature {
                continue;
            }
            let mut length = window.length? + window.before;
            let mut reads_all = false;
            for node in when {
                node.walk(&mut |node| {
                    if let Node::Window(function, at, arguments) = node
                        && *at == place
                        && let Some(base) = looks_back(*function)
                    {
                        let base = arguments.get(base).map_or(0, Self::jump_base);
                        length = length.max(function_reach(*function, base, window.length.unwrap_or(1)));
                    }
                    reads_all |=
                        matches!(node, Node::Window(Window::NewMembers | Window::LastDayBefore, at, _) if *at == place);
                });
            }
            if reads_all {
                return None;
            }
            reach = reach.max(length - 1 + look_back);
        }
        // Earlier business days are asked the same question.
        for node in when {
            node.walk(&mut |node| {
                if let Node::Streak(days, _) = node {
                    reach += function_reach(Window::WeekdayJump, Self::jump_base(days), 1);
                }
            });
        }
        // The end of a period lies behind the facts that make it due.
        Some(match self.judged {
            Judged::EndOfWeek => reach + 6,
            Judged::EndOfMonth => (reach + 30).max(self.lateness()),
            _ => reach.max(self.lateness()),
        })
    }

    /// On how many days after a changed bucket the same buckets may change, beside those within [`KeyedRule::reach`].
    pub fn repeats(&self, feature: FeatureIndex, when: &[&Node]) -> i64 {
        let mut days = 0;
        for node in when {
            node.walk(&mut |node| {
                if let Node::Window(function @ Window::DailyMedian, at, arguments) = node
                    && self.windows[*at].feature == feature
                {
                    let base = arguments.first().map_or(0, Self::jump_base);
                    days = days.max(function_reach(*function, base, 1));
                }
            });
        }
        days
    }

    /// False for a day on which its conditions cannot hold.
    pub fn may_hold_on(&self, bucket: i64) -> bool {
        self.day_of_month.is_none_or(|day| i128::from(self.width.date(bucket).ymd().2) == day)
    }

    /// Most buckets between a triggering fact and the bucket that it makes due.
    pub fn lateness(&self) -> i64 {
        let period = match self.judged {
            Judged::AtFact | Judged::EndOfDay | Judged::EachDay | Judged::EachChange => 0,
            Judged::EndOfWeek => 6,
            Judged::EndOfMonth => 30,
            Judged::EndOfQuarter => 91,
            Judged::EachMonth => self.horizon() + 30,
        };
        period + self.delay
    }

    /// How far the first window reaches back from the judged bucket: what [`Judged::EachMonth`] goes by.
    pub fn horizon(&self) -> i64 {
        self.windows.first().and_then(|window| window.length).unwrap_or(1) - 1
    }

    /// Where the parameter is no constant, an upper bound serves, as judging again never harms.
    fn jump_base(node: &Node) -> i64 {
        match node {
            Node::Constant(number) => number.floor().clamp(0, i128::from(MAX_JUMP_BASE)) as i64,
            _ => MAX_JUMP_BASE,
        }
    }
}

/// Most timers: a bill keeps one bit of an answer for each.
pub const MAX_TIMERS: usize = 32;

/// Longest window, in buckets: above any span of days that a rule could mean, far below where numbers of buckets overflow.
pub const MAX_BUCKETS: i64 = 1_000_000;

/// Most windows of one rule.
pub const MAX_WINDOWS: usize = 6;

/// Most periods that a jump may look back; larger parameters are cut to it.
pub const MAX_JUMP_BASE: i64 = 400;

/// Most days that an expression looks back beside its windows.
fn look_back(node: &Node) -> i64 {
    let mut most = 0;
    node.walk(&mut |part| {
        if let Node::Series(_, step, arguments) = part {
            let steps = arguments.first().map_or(0, KeyedRule::jump_base);
            let days = match step {
                Step::Day => steps,
                Step::BusinessDay => steps * 2 + 30,
                Step::Month => steps * 31,
                Step::Quarter => steps * 92,
                Step::Year => steps * 366,
            };
            most = most.max(days + arguments[1..].iter().map(look_back).max().unwrap_or(0));
        }
    });
    most
}

/// The day of a month on which alone a condition can hold: a side of its `&&` says `day_of_month(biz_date) == n`.
pub fn only_day_of_month(condition: &Node) -> Option<i128> {
    match condition {
        Node::And(left, right) => only_day_of_month(left).or_else(|| only_day_of_month(right)),
        Node::Binary(Operator::Equal, left, right) => match (&**left, &**right) {
            (Node::Pure(Pure::DayOfMonth, of), Node::Constant(day))
                if of[..] == [Node::Variable(Variable::Derived(Derived::Date))] =>
            {
                day.as_whole()
            }
            _ => None,
        },
        _ => None,
    }
}

/// Place of the argument that says how many periods a function looks back.
fn looks_back(function: Window) -> Option<usize> {
    match function {
        Window::LogJump | Window::WeekdayJump | Window::ActivePeriods => Some(0),
        Window::MonthSum => Some(0),
        Window::MonthShare => Some(1),
        _ => None,
    }
}

fn function_reach(function: Window, base: i64, length: i64) -> i64 {
    match function {
        Window::LogJump | Window::ActivePeriods => (base + 1) * length,
        Window::MonthSum | Window::MonthShare => (base + 1) * 31,
        // n business days lie within twice as many days and the longest holiday.
        _ => base * 2 + 30,
    }
}

/// Pattern index of an id.
pub fn index_of(rules: &[Rule], id: &str) -> Option<PatternIndex> {
    rules.iter().position(|rule| rule.id == id).map(|place| PatternIndex(place as u16))
}

/// True when `behaviour` is one of `list`; an empty list is all behaviours, but no records of books.
pub fn listed(list: &[Behaviour], behaviour: Behaviour) -> bool {
    if list.is_empty() { behaviour < books::LINE } else { list.contains(&behaviour) }
}

/// For each behaviour, and behind them for the records of books, the places of the items that list it.
pub fn by_behaviour<'a>(lists: impl Iterator<Item = &'a [Behaviour]>) -> Vec<Box<[u16]>> {
    let mut places = vec![Vec::new(); books::KINDS];
    for (place, list) in lists.enumerate() {
        for (number, into) in places.iter_mut().enumerate() {
            if listed(list, Behaviour(number as u16)) {
                into.push(place as u16);
            }
        }
    }
    places.into_iter().map(Vec::into_boxed_slice).collect()
}
