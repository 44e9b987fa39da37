//! The short way through an expression: whole numbers in registers.
//!
//! Nearly every value of a rule is a whole number, and nearly every condition is false at its first comparison. So
//! [`Node::whole`] walks the tree with plain 128-bit integers and gives up ([`UNKNOWN`]) at whatever it cannot say: missing
//! data, fractions, sums that leave 128 bits. Only then the exact way is asked (`expression`).
//!
//! Invariant: what is not [`UNKNOWN`] is the value that [`Node::value`] gives. A side that is unknown here may still be
//! outvoted: `false && unknown` is false either way.

use smallvec::SmallVec;

use super::{
    expression::{Node, Operator, Scope, is_present, pure_of, values},
    number::Number,
    vocabulary::Pure,
};

/// Nothing is known this way.
pub const UNKNOWN: i128 = i128::MIN;

/// A value in the form of a whole number. A fraction that could be reduced to one is left to the exact way.
pub fn whole_of(value: Option<Number>) -> i128 {
    match value.map(Number::parts) {
        Some((whole, 1)) => whole,
        _ => UNKNOWN,
    }
}

impl Node {
    /// Its truth; `None` when data is missing.
    pub fn truth(&self, scope: &impl Scope) -> Option<bool> {
        match self.whole(scope) {
            UNKNOWN => Some(self.value(scope)?.is_true()),
            whole => Some(whole != 0),
        }
    }

    /// Its value, by the short way where it leads there.
    pub fn number(&self, scope: &impl Scope) -> Option<Number> {
        match self.whole(scope) {
            UNKNOWN => self.value(scope),
            whole => Some(Number::whole(whole)),
        }
    }

    /// Its value when it is a whole number that can be told the short way, else [`UNKNOWN`].
    pub fn whole(&self, scope: &impl Scope) -> i128 {
        match self {
            Node::Constant(number) => whole_of(Some(*number)),
            Node::Variable(variable) => scope.whole_variable(variable),
            Node::Parameter(place) => whole_of(scope.parameter(*place)),
            Node::Not(inner) => match inner.whole(scope) {
                UNKNOWN => UNKNOWN,
                whole => i128::from(whole == 0),
            },
            Node::Negate(inner) => inner.whole(scope).checked_neg().unwrap_or(UNKNOWN),
            Node::And(left, right) => decide(left, right, scope, false),
            Node::Or(left, right) => decide(left, right, scope, true),
            Node::Binary(operator, left, right) => binary(*operator, left, right, scope),
            Node::Choose(condition, yes, no) => match condition.whole(scope) {
                UNKNOWN => UNKNOWN,
                0 => no.whole(scope),
                _ => yes.whole(scope),
            },
            Node::In(inner, list) => among(inner.whole(scope), list, scope),
            Node::Pure(function, arguments) => pure(*function, arguments, scope),
            Node::Window(function, window, arguments) => scope.whole_window(*function, *window, arguments),
            Node::History(function, behaviours, arguments) => scope.whole_history(*function, behaviours, arguments),
            Node::Lookup(function, arguments) => scope.whole_lookup(*function, arguments),
            Node::Series(function, step, arguments) => whole_of(scope.series(*function, *step, arguments)),
            Node::Peer(function, arguments) => {
                whole_of(values(arguments, scope).and_then(|arguments| scope.peer(*function, &arguments)))
            }
            Node::Streak(..) => whole_of(self.value(scope)),
        }
    }
}

/// Kleene's `&&` (`decider` false) and `||` (`decider` true).
fn decide(left: &Node, right: &Node, scope: &impl Scope, decider: bool) -> i128 {
    let decides = |whole: i128| whole != UNKNOWN && (whole != 0) == decider;
    let first = left.whole(scope);
    if decides(first) {
        return decider.into();
    }
    let second = right.whole(scope);
    match (first, second) {
        (_, second) if decides(second) => decider.into(),
        (UNKNOWN, _) | (_, UNKNOWN) => UNKNOWN,
        _ => (!decider).into(),
    }
}

fn binary(operator: Operator, left: &Node, right: &Node, scope: &impl Scope) -> i128 {
    use std::cmp::Ordering;
    if let Some(holds) = holds(operator) {
        return match order(left, right, scope) {
            Some(order) => i128::from(holds(order)),
            None => UNKNOWN,
        };
    }
    let (left, right) = (left.whole(scope), right.whole(scope));
    if left == UNKNOWN || right == UNKNOWN {
        return UNKNOWN;
    }
    let value = match operator {
        Operator::Plus => left.checked_add(right),
        Operator::Minus => left.checked_sub(right),
        Operator::Times => left.checked_mul(right),
        _ => None,
    };
    return value.unwrap_or(UNKNOWN);

    fn holds(operator: Operator) -> Option<fn(Ordering) -> bool> {
        Some(match operator {
            Operator::Equal => Ordering::is_eq,
            Operator::Unequal => Ordering::is_ne,
            Operator::Less => Ordering::is_lt,
            Operator::LessOrEqual => Ordering::is_le,
            Operator::Greater => Ordering::is_gt,
            Operator::GreaterOrEqual => Ordering::is_ge,
            Operator::Plus | Operator::Minus | Operator::Times | Operator::Over => return None,
        })
    }
}

/// How two sides stand to each other. A quotient on the left is compared by cross products.
fn order(left: &Node, right: &Node, scope: &impl Scope) -> Option<std::cmp::Ordering> {
    let known = |node: &Node| Some(node.whole(scope)).filter(|whole| *whole != UNKNOWN);
    if let Node::Binary(Operator::Over, top, bottom) = left {
        let (right_top, right_bottom) = match right {
            Node::Constant(number) => number.parts(),
            _ => (known(right)?, 1),
        };
        let (top, bottom) = (known(top)?, known(bottom)?);
        if bottom <= 0 {
            return None;
        }
        return Some(top.checked_mul(right_bottom)?.cmp(&right_top.checked_mul(bottom)?));
    }
    if let (Node::Window(super::vocabulary::Window::Distinct, window, _), Node::Constant(_)) = (left, right) {
        let least = known(right)?;
        if scope.surely_fewer(*window, least) {
            return Some(std::cmp::Ordering::Less);
        }
    }
    Some(known(left)?.cmp(&known(right)?))
}

/// Whether a value is one of a list.
pub(super) fn among(value: i128, list: &[Node], scope: &impl Scope) -> i128 {
    if value == UNKNOWN {
        return UNKNOWN;
    }
    let mut otherwise = 0;
    for item in list {
        match item.whole(scope) {
            UNKNOWN => otherwise = UNKNOWN,
            item if item == value => return 1,
            _ => {}
        }
    }
    otherwise
}

fn pure(function: Pure, arguments: &[Node], scope: &impl Scope) -> i128 {
    if function == Pure::Present {
        return is_present(&arguments[0], scope).into();
    }
    let first = arguments[0].whole(scope);
    if first == UNKNOWN {
        return UNKNOWN;
    }
    let extreme = |better: fn(i128, i128) -> i128| {
        arguments[1..].iter().fold(first, |best, other| match other.whole(scope) {
            UNKNOWN => UNKNOWN,
            _ if best == UNKNOWN => UNKNOWN,
            other => better(best, other),
        })
    };
    match function {
        Pure::Present => UNKNOWN,
        Pure::Absolute => first.checked_abs().unwrap_or(UNKNOWN),
        Pure::Least => extreme(i128::min),
        Pure::Greatest => extreme(i128::max),
        Pure::Round => first,
        // 64 bits divide in one instruction, 128 in a loop.
        Pure::Remainder => match (i64::try_from(first), i64::try_from(arguments[1].whole(scope))) {
            (Ok(value), Ok(divisor)) if divisor > 0 => value.rem_euclid(divisor).into(),
            _ => UNKNOWN,
        },
        Pure::FirstDigit => match i64::try_from(first) {
            Ok(mut value) if value > 0 => {
                while value >= 10 {
                    value /= 10;
                }
                value.into()
            }
            _ => UNKNOWN,
        },
        Pure::Floor => first,
        Pure::AddMonths
        | Pure::Both
        | Pure::DayOfMonth
        | Pure::QuarterEnd
        | Pure::Month
        | Pure::MonthStart
        | Pure::QuarterStart
        | Pure::Edge
        | Pure::CodeOfKey => {
            let mut values: SmallVec<[Number; 4]> = SmallVec::from_slice(&[Number::whole(first)]);
            for argument in &arguments[1..] {
                match argument.whole(scope) {
                    UNKNOWN => return UNKNOWN,
                    whole => values.push(Number::whole(whole)),
                }
            }
            whole_of(pure_of(function, &values))
        }
        // What they give is hardly ever whole.
        Pure::Logarithm | Pure::BinomialTail => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::{
        fold::fold,
        vocabulary::{Derived, Variable},
    };

    /// Two variables and a parameter; the second may be missing.
    struct Two(i64, Option<Number>);

    impl Scope for Two {
        fn variable(&self, variable: &Variable) -> Option<Number> {
            if *variable == Variable::Derived(Derived::Face) { Some(self.0.into()) } else { self.1 }
        }
        fn parameter(&self, _: usize) -> Option<Number> {
            Number::ratio(1, 3)
        }
    }

    fn node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            (-3i64..4).prop_map(|value| Node::Constant(value.into())),
            (-3i128..4, 1i128..4).prop_map(|(top, bottom)| Node::Constant(Number::ratio(top, bottom).unwrap())),
            Just(Node::Constant(Number::whole(i128::MAX))),
            Just(Node::Variable(Variable::Derived(Derived::Face))),
            Just(Node::Variable(Variable::Derived(Derived::Amount))),
            Just(Node::Parameter(0)),
        ];
        leaf.prop_recursive(5, 40, 3, |inner| {
            let operators = [
                Operator::Plus,
                Operator::Minus,
                Operator::Times,
                Operator::Over,
                Operator::Equal,
                Operator::Unequal,
                Operator::Less,
                Operator::LessOrEqual,
                Operator::Greater,
                Operator::GreaterOrEqual,
            ];
            let one = || inner.clone().prop_map(Box::new);
            let some = || proptest::collection::vec(inner.clone(), 2..4);
            prop_oneof![
                one().prop_map(Node::Not),
                one().prop_map(Node::Negate),
                (one(), one()).prop_map(|(left, right)| Node::And(left, right)),
                (one(), one()).prop_map(|(left, right)| Node::Or(left, right)),
                (proptest::sample::select(operators.to_vec()), one(), one())
                    .prop_map(|(operator, left, right)| Node::Binary(operator, left, right)),
                (one(), one(), one()).prop_map(|(condition, yes, no)| Node::Choose(condition, yes, no)),
                (one(), some()).prop_map(|(inner, list)| Node::In(inner, list)),
                (proptest::sample::select(Pure::ALL.to_vec()), some()).prop_map(|(function, mut arguments)| {
                    let (least, most) = function.arity();
                    arguments.truncate(most);
                    while arguments.len() < least {
                        arguments.push(Node::Constant(Number::whole(1)));
                    }
                    Node::Pure(function, arguments)
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
        /// The short way says what the exact way says, or nothing; and folding beforehand changes neither.
        #[test]
        fn the_short_way_leads_to_the_same_place(
            node in node(),
            face in -4i64..5,
            amount in proptest::option::of((-4i128..5, 1i128..3)),
        ) {
            let scope = Two(face, amount.and_then(|(top, bottom)| Number::ratio(top, bottom)));
            let exact = node.value(&scope);
            let short = node.whole(&scope);
            prop_assert!(short == UNKNOWN || exact == Some(Number::whole(short)), "{short} {exact:?}");
            prop_assert_eq!(node.truth(&scope), exact.map(Number::is_true));
            let folded = fold(node, &[Number::ratio(1, 3).unwrap()]);
            prop_assert_eq!(folded.value(&scope), exact);
            prop_assert_eq!(folded.truth(&scope), exact.map(Number::is_true));
        }
    }
}
