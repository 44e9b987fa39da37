//! Rules with their thresholds eased, to find what came near.
//!
//! A threshold is a number that something measured is held against by `<`, `<=`, `>` or `>=`: a side of the comparison that
//! is a constant once parameters have their values, or a constant times (or over) something measured. It moves by
//! [`SHARE`] of its size to where the comparison is easier to meet: `sum(w) >= 100` becomes `sum(w) >= 80`. What is asked by
//! equality, and thresholds that are arguments of a function, stay as they are. All thresholds of a condition move at once.

use super::super::{
    expression::{Node, Operator},
    number::Number,
    rules::Rule,
    vocabulary::Pure,
};

/// By how much thresholds are eased: a fifth. (numerator, denominator)
pub const SHARE: (i128, i128) = (1, 5);

/// The rule with its thresholds eased; `None` when it has none.
pub(super) fn eased(rule: &Rule) -> Option<Rule> {
    let when = rule.when.as_ref()?;
    let (mut eased, mut found) = (when.clone(), false);
    ease(&mut eased, true, &mut found);
    found.then(|| Rule { when: Some(eased), warn: None, ..rule.clone() })
}

/// `wanted`: the node should become true rather than false.
fn ease(node: &mut Node, wanted: bool, found: &mut bool) {
    match node {
        Node::Not(inner) => ease(inner, !wanted, found),
        Node::And(left, right) | Node::Or(left, right) => {
            ease(left, wanted, found);
            ease(right, wanted, found);
        }
        Node::Choose(_, yes, no) => {
            ease(yes, wanted, found);
            ease(no, wanted, found);
        }
        Node::Streak(_, condition) => ease(condition, wanted, found),
        Node::Binary(operator, left, right) => {
            // Towards a larger left side, or a smaller one.
            let left_is_large = match operator {
                Operator::Greater | Operator::GreaterOrEqual => wanted,
                Operator::Less | Operator::LessOrEqual => !wanted,
                _ => return,
            };
            if is_threshold(right) {
                *found |= move_by_share(right, !left_is_large);
            } else if is_threshold(left) {
                *found |= move_by_share(left, left_is_large);
            }
        }
        _ => {}
    }
}

fn is_threshold(node: &Node) -> bool {
    match node {
        Node::Constant(_) => true,
        Node::Binary(Operator::Times, left, right) => is_threshold(left) || is_threshold(right),
        Node::Binary(Operator::Over, left, _) => is_threshold(left),
        _ => false,
    }
}

/// The node plus (or minus) a share of its size. False where that is nothing.
fn move_by_share(node: &mut Node, up: bool) -> bool {
    if matches!(node, Node::Constant(number) if *number == Number::ZERO) {
        return false;
    }
    let Some(share) = Number::ratio(SHARE.0, SHARE.1) else { return false };
    let size = Node::Pure(Pure::Absolute, vec![node.clone()]);
    let part = Node::Binary(Operator::Times, Box::new(size), Box::new(Node::Constant(share)));
    let operator = if up { Operator::Plus } else { Operator::Minus };
    *node = Node::Binary(operator, Box::new(node.clone()), Box::new(part));
    true
}
