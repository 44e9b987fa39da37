//! What of an expression is known before any fact: parameters have their values, constants are worked out, and of the sides
//! of `&&` and `||` the cheap ones come first.
//!
//! Kleene's `&&` and `||` do not care for order, also with missing data, so nothing but the cost changes.

use super::{
    expression::Node,
    number::Number,
    parameters::OnlyParameters,
    vocabulary::{History, Lookup, Pure, Variable, Window},
};

/// The same expression under parameters.
pub(crate) fn fold(node: Node, parameters: &[Number]) -> Node {
    let inner = |node: Box<Node>| Box::new(fold(*node, parameters));
    let all = |nodes: Vec<Node>| nodes.into_iter().map(|node| fold(node, parameters)).collect::<Vec<_>>();
    let node = match node {
        Node::Constant(_) | Node::Variable(_) => return node,
        Node::Parameter(place) => return parameters.get(place).map_or(node, |value| Node::Constant(*value)),
        Node::Not(one) => Node::Not(inner(one)),
        Node::Negate(one) => Node::Negate(inner(one)),
        Node::And(..) => chain(node, parameters, true),
        Node::Or(..) => chain(node, parameters, false),
        Node::Binary(operator, left, right) => Node::Binary(operator, inner(left), inner(right)),
        Node::Choose(condition, yes, no) => Node::Choose(inner(condition), inner(yes), inner(no)),
        Node::In(one, list) => Node::In(inner(one), all(list)),
        Node::Pure(function, arguments) => Node::Pure(function, all(arguments)),
        Node::Window(function, window, arguments) => return Node::Window(function, window, all(arguments)),
        Node::History(function, behaviours, arguments) => return Node::History(function, behaviours, all(arguments)),
        Node::Lookup(function, arguments) => return Node::Lookup(function, all(arguments)),
        Node::Peer(function, arguments) => return Node::Peer(function, all(arguments)),
        Node::Streak(days, condition) => return Node::Streak(inner(days), inner(condition)),
        Node::Series(function, step, arguments) => return Node::Series(function, step, all(arguments)),
    };
    let mut known = true;
    node.walk(&mut |part| {
        known &= !matches!(
            part,
            Node::Variable(_)
                | Node::Parameter(_)
                | Node::Window(..)
                | Node::History(..)
                | Node::Lookup(..)
                | Node::Peer(..)
                | Node::Streak(..)
                | Node::Series(..)
        );
    });
    match node.value(&OnlyParameters(parameters)) {
        Some(value) if known => Node::Constant(value),
        _ => node,
    }
}

/// A chain of `&&` (or `||`), cheapest side first.
fn chain(node: Node, parameters: &[Number], is_and: bool) -> Node {
    fn sides(node: Node, is_and: bool, into: &mut Vec<Node>) {
        match (node, is_and) {
            (Node::And(left, right), true) | (Node::Or(left, right), false) => {
                sides(*left, is_and, into);
                sides(*right, is_and, into);
            }
            (other, _) => into.push(other),
        }
    }
    let mut all = Vec::new();
    sides(node, is_and, &mut all);
    let mut all: Vec<Node> = all.into_iter().map(|side| fold(side, parameters)).collect();
    all.sort_by_key(cost);
    let join = |left, right| match is_and {
        true => Node::And(Box::new(left), Box::new(right)),
        false => Node::Or(Box::new(left), Box::new(right)),
    };
    all.into_iter().reduce(join).expect("a chain has two sides at least")
}

/// Roughly what a walk over an expression costs; only the order of costs matters.
fn cost(node: &Node) -> u32 {
    let mut sum = 0;
    node.walk(&mut |part| {
        sum += match part {
            Node::Constant(_) | Node::Parameter(_) => 0,
            Node::Variable(Variable::Attribute(..)) => 20,
            Node::Variable(_) | Node::Pure(Pure::Present, _) => 1,
            Node::Lookup(Lookup::IsEnterprise, _) => 1,
            Node::Lookup(Lookup::BusinessDay, _) => 40,
            Node::Lookup(..) => 30,
            Node::Window(Window::Count | Window::Sum, ..) => 10,
            Node::Window(Window::Distinct | Window::Largest, ..) => 60,
            Node::Window(..) => 100,
            Node::History(History::Effect | History::Variants, ..) => 1,
            Node::History(..) => 40,
            Node::Peer(..) => 40,
            Node::Series(..) => 400,
            _ => 1,
        };
    });
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::parser::{Names, parse};

    fn folded(text: &str, parameters: &[(&str, i64)]) -> Node {
        let names: Vec<String> = parameters.iter().map(|(name, _)| (*name).to_owned()).collect();
        let windows = vec!["w".to_owned()];
        let values: Vec<Number> = parameters.iter().map(|(_, value)| Number::from(*value)).collect();
        fold(parse(text, Names { parameters: &names, windows: &windows }).unwrap(), &values)
    }

    #[test]
    fn constants_are_worked_out() {
        assert_eq!(folded("min_cny * 100 + 1", &[("min_cny", 5)]), Node::Constant(501.into()));
        assert_eq!(folded("face_fen >= n * 100", &[("n", 5)]), folded("face_fen >= 500", &[]));
        let nothing = folded("1 / 0", &[]);
        assert!(matches!(nothing, Node::Binary(..)), "what has no value stays as it is: {nothing:?}");
    }

    #[test]
    fn the_cheap_side_is_asked_first() {
        let node = folded("distinct(w) >= n && sum(w) >= 7 && biz_date > 3", &[("n", 2)]);
        assert_eq!(node, folded("biz_date > 3 && sum(w) >= 7 && distinct(w) >= 2", &[]));
        let Node::And(left, _) = node else { panic!("a chain") };
        assert!(matches!(*left, Node::And(..)), "from left to right");
    }
}
