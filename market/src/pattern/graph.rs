//! Small directed graphs whose edges are the members of one window.
//!
//! An edge is two parties in one member ([`edge`]). All edges of a graph lie under one key (a group, the market), so that one
//! place holds it whole and a change of any edge reaches its judge like any other cell. That suits graphs with few edges:
//! acceptances inside a group, live guarantees. A search that takes more than [`STEPS_MAX`] steps is given up: the rule is
//! then skipped and counted with those that lack data.

use std::collections::{BTreeMap, BTreeSet};

use super::windows::Member;

/// Steps that one search may take: more are seconds, and a graph of that kind is no ring of acquaintances any more.
pub const STEPS_MAX: usize = 200_000;

/// An edge as a member.
pub fn edge(from: u64, to: u64) -> Member {
    Member::from(from) << 64 | Member::from(to)
}

/// The ends of an edge.
pub fn ends(edge: Member) -> (u64, u64) {
    ((edge >> 64) as u64, edge as u64)
}

/// Neighbours by node, ascending: searches take the same way for the same edges.
pub struct Graph {
    out: BTreeMap<u64, Vec<u64>>,
}

impl Graph {
    /// The graph of these edges; a node is no neighbour of its own.
    pub fn new(edges: impl Iterator<Item = Member>) -> Self {
        let mut out: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (from, to) in edges.map(ends).filter(|(from, to)| from != to) {
            out.entry(from).or_default().push(to);
        }
        for neighbours in out.values_mut() {
            neighbours.sort_unstable();
            neighbours.dedup();
        }
        Graph { out }
    }

    fn neighbours(&self, node: u64) -> &[u64] {
        self.out.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Whether an edge of the graph lies on a simple cycle of `length` edges; `None` when the search was given up.
    pub fn on_cycle(&self, edge: Member, length: usize) -> Option<bool> {
        let (from, to) = ends(edge);
        if length < 2 || !self.neighbours(from).contains(&to) {
            return Some(false);
        }
        let mut path = vec![from, to];
        let mut steps = 0;
        self.closes(&mut path, length, &mut steps)
    }

    /// Whether the path can go on to its first node with `length` edges in all.
    fn closes(&self, path: &mut Vec<u64>, length: usize, steps: &mut usize) -> Option<bool> {
        let last = *path.last()?;
        if path.len() == length {
            return Some(self.neighbours(last).contains(&path[0]));
        }
        for next in self.neighbours(last) {
            *steps += 1;
            if *steps > STEPS_MAX {
                return None;
            }
            if path.contains(next) {
                continue;
            }
            path.push(*next);
            let found = self.closes(path, length, steps);
            path.pop();
            if found != Some(false) {
                return found;
            }
        }
        Some(false)
    }

    /// Nodes of the strongly connected component in which both ends of an edge lie; 0 when there is none.
    pub fn component(&self, edge: Member) -> Option<usize> {
        let (from, to) = ends(edge);
        if !self.neighbours(from).contains(&to) {
            return Some(0);
        }
        let ahead = reached(from, |node| self.neighbours(node))?;
        let mut back: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (node, neighbours) in &self.out {
            neighbours.iter().for_each(|next| back.entry(*next).or_default().push(*node));
        }
        let behind = reached(from, |node| back.get(&node).map_or(&[][..], Vec::as_slice))?;
        if !behind.contains(&to) {
            return Some(0);
        }
        Some(ahead.intersection(&behind).count())
    }
}

/// Every node to which steps lead, the first among them.
fn reached<'a>(first: u64, next: impl Fn(u64) -> &'a [u64]) -> Option<BTreeSet<u64>> {
    let mut reached = BTreeSet::from([first]);
    let mut open = vec![first];
    let mut steps = 0;
    while let Some(node) = open.pop() {
        for other in next(node) {
            steps += 1;
            if steps > STEPS_MAX {
                return None;
            }
            if reached.insert(*other) {
                open.push(*other);
            }
        }
    }
    Some(reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(u64, u64)]) -> Graph {
        Graph::new(edges.iter().map(|(from, to)| edge(*from, *to)))
    }

    #[test]
    fn cycles_are_simple_and_of_the_asked_length() {
        let graph = graph(&[(1, 2), (2, 3), (3, 1), (3, 4), (4, 1), (2, 1), (5, 5)]);
        assert_eq!(graph.on_cycle(edge(1, 2), 3), Some(true));
        assert_eq!(graph.on_cycle(edge(3, 4), 3), Some(false));
        assert_eq!(graph.on_cycle(edge(3, 4), 4), Some(true));
        assert_eq!(graph.on_cycle(edge(1, 2), 2), Some(true));
        assert_eq!(graph.on_cycle(edge(1, 2), 5), Some(false));
        assert_eq!(graph.on_cycle(edge(1, 4), 3), Some(false), "no edge of the graph");
    }

    #[test]
    fn a_component_counts_who_reach_each_other() {
        let graph = graph(&[(1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (5, 4)]);
        assert_eq!(graph.component(edge(1, 2)), Some(3));
        assert_eq!(graph.component(edge(4, 5)), Some(2));
        assert_eq!(graph.component(edge(3, 4)), Some(0));
    }

    #[test]
    fn a_search_without_end_is_given_up() {
        let full: Vec<(u64, u64)> = (0..60).flat_map(|a| (0..60).map(move |b| (a, b))).collect();
        // Node 60 leads in and nothing leads back to it.
        let mut edges = full.clone();
        edges.push((60, 0));
        assert_eq!(graph(&edges).on_cycle(edge(60, 0), 8), None);
    }
}
