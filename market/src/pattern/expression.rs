//! Expressions of rules: a typed tree, evaluated exactly and with missing data as a third truth.
//!
//! A rule's filter, key, amount and condition are written in a small language with the syntax of CEL (see `parser`). Here is
//! what they mean. A leaf asks the [`Scope`]: a fact being folded, a key being judged, or a lot. Missing data makes the value
//! missing; `&&` and `||` still decide when the other side decides alone. A missing condition means: the rule is skipped.

use super::{
    graph,
    number::Number,
    statistics,
    vocabulary::{History, Lookup, Peer, Pure, Series, Step, Variable, Window},
    whole::whole_of,
};
use crate::{fact::Behaviour, ids::Day};

/// What leaves of an expression mean where it is evaluated. A scope says what it knows; nothing else has a value there.
pub trait Scope {
    /// A variable; `None` when the fact, bill or reference data has no such value.
    fn variable(&self, variable: &Variable) -> Option<Number> {
        let _ = variable;
        None
    }
    /// What `present` asks of a variable: that it is there. A field of the fact must have been sent, its default is not asked.
    fn is_present(&self, variable: &Variable) -> bool {
        self.variable(variable).is_some()
    }
    /// A parameter of the rule, by its place in the rule.
    fn parameter(&self, place: usize) -> Option<Number> {
        let _ = place;
        None
    }
    /// A function of a window of features: place of the window in the rule, and the other arguments.
    fn window(&self, function: Window, window: usize, arguments: &[Number]) -> Option<Number> {
        let _ = (function, window, arguments);
        None
    }
    /// A function of the bill's own past.
    fn history(&self, function: History, behaviours: &[Behaviour], arguments: &[Number]) -> Option<Number> {
        let _ = (function, behaviours, arguments);
        None
    }
    /// A function of reference data.
    fn lookup(&self, function: Lookup, arguments: &[Number]) -> Option<Number> {
        let _ = (function, arguments);
        None
    }
    /// A comparison with peers.
    fn peer(&self, function: Peer, arguments: &[Number]) -> Option<Number> {
        let _ = (function, arguments);
        None
    }

    /// The same judgement on other days; none where nothing but one fact is seen.
    fn series(&self, function: Series, step: Step, arguments: &[Node]) -> Option<Number>
    where
        Self: Sized,
    {
        let _ = (function, step, arguments);
        None
    }

    /// The short way to a variable (see `whole`).
    fn whole_variable(&self, variable: &Variable) -> i128 {
        whole_of(self.variable(variable))
    }
    /// The short way to a function of a window.
    fn whole_window(&self, function: Window, window: usize, arguments: &[Node]) -> i128
    where
        Self: Sized,
    {
        whole_of(values(arguments, self).and_then(|arguments| self.window(function, window, &arguments)))
    }
    /// The short way to a function of the bill's past.
    fn whole_history(&self, function: History, behaviours: &[Behaviour], arguments: &[Node]) -> i128
    where
        Self: Sized,
    {
        whole_of(values(arguments, self).and_then(|arguments| self.history(function, behaviours, &arguments)))
    }
    /// The short way to reference data.
    fn whole_lookup(&self, function: Lookup, arguments: &[Node]) -> i128
    where
        Self: Sized,
    {
        whole_of(values(arguments, self).and_then(|arguments| self.lookup(function, &arguments)))
    }
    /// True when the condition holds on the judged day and on the business days before it, `days` in all.
    fn streak(&self, days: i64, condition: &Node) -> Option<Number>
    where
        Self: Sized,
    {
        let _ = (days, condition);
        None
    }
    /// True when it can be told without looking at members that a window has fewer of them than `least`.
    fn surely_fewer(&self, window: usize, least: i128) -> bool {
        let _ = (window, least);
        false
    }
}

/// A binary operator on numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`, exact
    Over,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A node of the tree.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    /// A literal.
    Constant(Number),
    /// A name.
    Variable(Variable),
    /// A parameter of the rule.
    Parameter(usize),
    /// `!x`
    Not(Box<Node>),
    /// `-x`
    Negate(Box<Node>),
    /// `a && b`
    And(Box<Node>, Box<Node>),
    /// `a || b`
    Or(Box<Node>, Box<Node>),
    /// `a + b`, `a < b`, ...
    Binary(Operator, Box<Node>, Box<Node>),
    /// `c ? a : b`
    Choose(Box<Node>, Box<Node>, Box<Node>),
    /// `x in [a, b]`
    In(Box<Node>, Vec<Node>),
    /// A function of numbers only.
    Pure(Pure, Vec<Node>),
    /// A function of a window.
    Window(Window, usize, Vec<Node>),
    /// A function of the bill's past.
    History(History, Vec<Behaviour>, Vec<Node>),
    /// A function of reference data.
    Lookup(Lookup, Vec<Node>),
    /// A comparison with peers.
    Peer(Peer, Vec<Node>),
    /// `for_days(n, condition)`: it holds on n business days in a row, up to the judged one.
    Streak(Box<Node>, Box<Node>),
    /// The same judgement on other days.
    Series(Series, Step, Vec<Node>),
}

impl Node {
    /// Its value; `None` when data is missing or a number leaves 128 bits.
    pub fn value(&self, scope: &impl Scope) -> Option<Number> {
        match self {
            Node::Constant(number) => Some(*number),
            Node::Variable(variable) => scope.variable(variable),
            Node::Parameter(place) => scope.parameter(*place),
            Node::Not(inner) => Some((!inner.value(scope)?.is_true()).into()),
            Node::Negate(inner) => inner.value(scope)?.negate(),
            Node::And(left, right) => decide(left, right, scope, false),
            Node::Or(left, right) => decide(left, right, scope, true),
            Node::Binary(operator, left, right) => binary(*operator, left.value(scope)?, right.value(scope)?),
            Node::Choose(condition, yes, no) => {
                if condition.value(scope)?.is_true() {
                    yes.value(scope)
                } else {
                    no.value(scope)
                }
            }
            Node::In(inner, list) => {
                let value = inner.value(scope)?;
                Some(list.iter().any(|item| item.value(scope) == Some(value)).into())
            }
            Node::Pure(function, arguments) => pure(*function, arguments, scope),
            Node::Window(function, window, arguments) => scope.window(*function, *window, &values(arguments, scope)?),
            Node::History(function, behaviours, arguments) => {
                scope.history(*function, behaviours, &values(arguments, scope)?)
            }
            Node::Lookup(function, arguments) => scope.lookup(*function, &values(arguments, scope)?),
            Node::Peer(function, arguments) => scope.peer(*function, &values(arguments, scope)?),
            Node::Streak(days, condition) => {
                scope.streak(i64::try_from(days.value(scope)?.as_whole()?).ok()?, condition)
            }
            Node::Series(function, step, arguments) => scope.series(*function, *step, arguments),
        }
    }

    /// Calls `each` for this node and all below.
    pub fn walk(&self, each: &mut impl FnMut(&Node)) {
        each(self);
        match self {
            Node::Constant(_) | Node::Variable(_) | Node::Parameter(_) => {}
            Node::Not(inner) | Node::Negate(inner) => inner.walk(each),
            Node::And(left, right)
            | Node::Or(left, right)
            | Node::Binary(_, left, right)
            | Node::Streak(left, right) => {
                left.walk(each);
                right.walk(each);
            }
            Node::Choose(condition, yes, no) => {
                condition.walk(each);
                yes.walk(each);
                no.walk(each);
            }
            Node::In(inner, list) => {
                inner.walk(each);
                list.iter().for_each(|item| item.walk(each));
            }
            Node::Pure(_, arguments)
            | Node::Window(_, _, arguments)
            | Node::History(_, _, arguments)
            | Node::Lookup(_, arguments)
            | Node::Peer(_, arguments)
            | Node::Series(_, _, arguments) => arguments.iter().for_each(|argument| argument.walk(each)),
        }
    }
}

/// Values of arguments; `None` when one is missing.
pub(super) fn values(nodes: &[Node], scope: &impl Scope) -> Option<smallvec::SmallVec<[Number; 4]>> {
    let mut values = smallvec::SmallVec::new();
    for node in nodes {
        values.push(node.number(scope)?);
    }
    Some(values)
}

/// Kleene's `&&` (`decider` false) and `||` (`decider` true).
fn decide(left: &Node, right: &Node, scope: &impl Scope, decider: bool) -> Option<Number> {
    let truth = |node: &Node| Some(node.value(scope)?.is_true());
    let first = truth(left);
    if first == Some(decider) {
        return Some(decider.into());
    }
    let second = truth(right);
    if second == Some(decider) {
        return Some(decider.into());
    }
    (first.is_some() && second.is_some()).then_some((!decider).into())
}

fn binary(operator: Operator, left: Number, right: Number) -> Option<Number> {
    Some(match operator {
        Operator::Plus => left.plus(right)?,
        Operator::Minus => left.minus(right)?,
        Operator::Times => left.times(right)?,
        Operator::Over => left.over(right)?,
        Operator::Equal => (left == right).into(),
        Operator::Unequal => (left != right).into(),
        Operator::Less => (left < right).into(),
        Operator::LessOrEqual => (left <= right).into(),
        Operator::Greater => (left > right).into(),
        Operator::GreaterOrEqual => (left >= right).into(),
    })
}

/// Most months that a day is moved by: a thousand years, so that a slip of a parameter cannot leave the calendar.
const MONTHS_MAX: i32 = 12_000;

fn day_of(number: Number) -> Option<Day> {
    Some(Day(i32::try_from(number.as_whole()?).ok()?))
}

/// A hash of two numbers, never negative; published with the rules, so it must not change.
fn pair_hash(left: i128, right: i128) -> i128 {
    let mut bytes = [0u8; 32];
    bytes[..16].copy_from_slice(&left.to_be_bytes());
    bytes[16..].copy_from_slice(&right.to_be_bytes());
    i128::from(xxhash_rust::xxh3::xxh3_64(&bytes) >> 1)
}

fn day_number(day: Day) -> Number {
    i64::from(day.0).into()
}

fn pure(function: Pure, arguments: &[Node], scope: &impl Scope) -> Option<Number> {
    if function == Pure::Present {
        return Some(is_present(&arguments[0], scope).into());
    }
    pure_of(function, &values(arguments, scope)?)
}

/// What `present` means.
pub(super) fn is_present(node: &Node, scope: &impl Scope) -> bool {
    match node {
        Node::Variable(variable) => scope.is_present(variable),
        _ => node.value(scope).is_some(),
    }
}

/// A function of numbers that are there.
pub(super) fn pure_of(function: Pure, values: &[Number]) -> Option<Number> {
    match function {
        Pure::Present => None,
        Pure::Absolute => values[0].abs(),
        Pure::Least => values.iter().min().copied(),
        Pure::Greatest => values.iter().max().copied(),
        Pure::Round => values[0].round_half_up().map(Number::whole),
        Pure::Floor => Some(Number::whole(values[0].floor())),
        Pure::Both => Some(Number::whole(pair_hash(values[0].as_whole()?, values[1].as_whole()?))),
        Pure::Logarithm => {
            let value = values[0].to_f64();
            if value > 0.0 { statistics::settle(statistics::ln(value)) } else { None }
        }
        Pure::QuarterStart => Some(day_number(day_of(values[0])?.quarter_start())),
        Pure::BinomialTail => {
            let whole = |place: usize| i64::try_from(values[place].as_whole()?).ok();
            statistics::binomial_tail(whole(0)?, whole(1)?, values[2].to_f64())
        }
        Pure::AddMonths => {
            let months = i32::try_from(values[1].as_whole()?).ok().filter(|months| months.abs() <= MONTHS_MAX)?;
            Some(day_number(day_of(values[0])?.add_months(months)))
        }
        Pure::Month | Pure::MonthStart => {
            let day = values[0].as_whole().filter(|day| (-700_000..2_900_000).contains(day))?;
            let start = Day(day as i32).month_start();
            let (year, month, _) = start.ymd();
            let months = i64::from(year) * 12 + i64::from(month) - 1;
            Some(Number::from(if function == Pure::Month { months } else { i64::from(start.0) }))
        }
        Pure::CodeOfKey => values[0].as_whole()?.checked_mul(1 << 64).map(Number::whole),
        Pure::Edge => {
            let part = |value: Number| value.as_whole().and_then(|whole| u64::try_from(whole).ok());
            let (from, to) = (part(values[0])?, part(values[1])?);
            i128::try_from(graph::edge(from, to)).ok().map(Number::whole)
        }
        Pure::DayOfMonth => Some(i64::from(day_of(values[0])?.ymd().2).into()),
        Pure::QuarterEnd => Some(i64::from(quarter_end(day_of(values[0])?).0).into()),
        Pure::Remainder => {
            let divisor = values[1].as_whole().filter(|divisor| *divisor > 0)?;
            Some(Number::whole(values[0].as_whole()?.rem_euclid(divisor)))
        }
        Pure::FirstDigit => {
            let mut value = values[0].as_whole().filter(|value| *value > 0)?;
            while value >= 10 {
                value /= 10;
            }
            Some(Number::whole(value))
        }
    }
}

/// year * 12 + month - 1.
pub(super) fn month_number(day: Day) -> i32 {
    let (year, month, _) = day.ymd();
    year * 12 + month as i32 - 1
}

fn quarter_end(day: Day) -> Day {
    let start = day.month_start();
    let months_left = 3 - month_number(day).rem_euclid(3);
    start.add_months(months_left).plus(-1)
}
