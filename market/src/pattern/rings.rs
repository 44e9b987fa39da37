//! Rings of value: simple cycles of heavy edges whose sums lie close together, through one edge of a graph that is larger than
//! one key.
//!
//! An edge a -> b is what key a has of member b in a window. The judge looks for rings through one edge at one day; whoever
//! keeps judgements asks with which edges a changed one may make a ring on any of the days that it reaches. Both take the same
//! way ([`Search`]): an edge has a *span* of sums, from what it has on all of these days to what it has on any. On one day the
//! span is one number. Rings that cannot be balanced anywhere within the spans are left out, so the second search finds all
//! that the first may find, and more.
//!
//! Nothing is given up half-way: a search that ends early would depend on edges which lie on no ring with the judged one, and
//! nobody judges again for those. What bounds it is the rule: few edges are heavy, and few of these are alike.

use super::{
    alert::Key,
    number::Number,
    windows::{FeatureIndex, Member, Windows},
};

/// Longest ring that a rule may ask for: each edge more multiplies the search.
pub const MOST_EDGES: i128 = 8;

/// What a rule asks of a ring.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RingRule {
    /// Window of the edges.
    pub window: usize,
    /// Least sum of an edge, fen.
    pub least: Number,
    /// Least ratio of the smallest sum to the largest.
    pub balance: Number,
    /// Most edges; with less than three there is no ring.
    pub most: usize,
}

/// Between what and what the sum of an edge lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sums {
    least: i128,
    most: i128,
}

/// The edges as a window shows them on some days.
pub struct Edges<'a, W> {
    windows: &'a W,
    feature: FeatureIndex,
    /// Buckets of which some day reads.
    any: (i64, i64),
    /// Buckets that every day reads; `None`: there are several days, and none.
    all: Option<(i64, i64)>,
}

impl<'a, W: Windows> Edges<'a, W> {
    /// As one day shows them, whose window is this span of buckets.
    pub fn of_day(windows: &'a W, feature: FeatureIndex, span: (i64, i64)) -> Self {
        Edges { windows, feature, any: span, all: Some(span) }
    }

    /// As the days `first..=last` show them, with windows of `length` buckets that end with the day.
    pub fn of_days(windows: &'a W, feature: FeatureIndex, (first, last): (i64, i64), length: i64) -> Self {
        let all = (last.saturating_sub(length - 1), first);
        let any = (first.saturating_sub(length - 1), last);
        Edges { windows, feature, any, all: (all.0 <= all.1).then_some(all) }
    }

    fn edge(&self, from: u64, to: u64) -> Sums {
        let sum = |(first, last)| self.windows.member(self.feature, Key(from, 0), first, last, Member::from(to)).sum;
        let most = sum(self.any);
        Sums { least: if self.all == Some(self.any) { most } else { self.all.map_or(0, sum) }, most }
    }

    /// Edges that may be heavy, ascending.
    fn heavy(&self, from: u64, least: Number) -> Vec<(u64, Sums)> {
        let of = |(first, last)| self.windows.members(self.feature, Key(from, 0), first, last);
        let surely = if self.all == Some(self.any) { None } else { Some(self.all.map_or_else(Vec::new, of)) };
        let heavy = of(self.any).into_iter().filter(|(_, cell)| Number::whole(cell.sum) >= least);
        let edge = |(to, cell): (Member, super::windows::Cell)| {
            let known = |all: &Vec<(Member, super::windows::Cell)>| {
                all.binary_search_by_key(&to, |(known, _)| *known).map_or(0, |at| all[at].1.sum)
            };
            let least = surely.as_ref().map_or(cell.sum, known);
            Some((u64::try_from(to).ok()?, Sums { least, most: cell.sum }))
        };
        heavy.filter_map(edge).collect()
    }
}

/// A search for rings of a rule.
pub struct Search<'a, W> {
    /// Where the edges are.
    pub edges: Edges<'a, W>,
    /// What is looked for.
    pub rule: RingRule,
}

impl<W: Windows> Search<'_, W> {
    /// The parties of each ring through the edge from -> to as it is, in the order of the ring.
    pub fn through(&self, from: u64, to: u64, found: &mut impl FnMut(&[u64])) {
        let edge = self.edges.edge(from, to);
        if from != to && Number::whole(edge.most) >= self.rule.least {
            self.go_on(&mut vec![from, to], edge, found);
        }
    }

    /// The same, whatever the edge itself has or had.
    pub fn around(&self, from: u64, to: u64, found: &mut impl FnMut(&[u64])) {
        if from != to {
            self.go_on(&mut vec![from, to], Sums { least: 0, most: i128::MAX }, found);
        }
    }

    /// True when the edge is too light for any ring, even with `before` more than it has.
    pub fn is_light(&self, from: u64, to: u64, before: i128) -> bool {
        let most = self.edges.edge(from, to).most;
        Number::whole(most.max(most.saturating_add(before))) < self.rule.least
    }

    /// `sums`: the largest of what its edges have at least, and the smallest of what they have at most.
    fn go_on(&self, path: &mut Vec<u64>, sums: Sums, found: &mut impl FnMut(&[u64])) {
        let (Some(first), Some(last)) = (path.first().copied(), path.last().copied()) else { return };
        if path.len() >= 3 {
            let closing = self.edges.edge(last, first);
            if Number::whole(closing.most) >= self.rule.least && self.with(sums, closing).is_some() {
                found(path);
            }
        }
        if path.len() >= self.rule.most {
            return;
        }
        for (next, edge) in self.edges.heavy(last, self.rule.least) {
            if path.contains(&next) {
                continue;
            }
            if let Some(sums) = self.with(sums, edge) {
                path.push(next);
                self.go_on(path, sums, found);
                path.pop();
            }
        }
    }

    /// With one edge more; `None` when they cannot be balanced.
    fn with(&self, sums: Sums, edge: Sums) -> Option<Sums> {
        let sums = Sums { least: sums.least.max(edge.least), most: sums.most.min(edge.most) };
        let balanced = sums.least <= 0 || Number::ratio(sums.most, sums.least)? >= self.rule.balance;
        balanced.then_some(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{FeatureDelta, PlainWindows};

    const FEATURE: FeatureIndex = FeatureIndex(0);

    fn windows(edges: &[(u64, u64, i64, i64)]) -> PlainWindows {
        let mut windows = PlainWindows::default();
        for (from, to, bucket, sum) in edges {
            let (key, member) = (Key(*from, 0), Member::from(*to));
            windows.add(&FeatureDelta { feature: FEATURE, key, bucket: *bucket, member, count: 1, sum: *sum });
        }
        windows
    }

    fn rule(most: usize) -> RingRule {
        let balance = Number::ratio(4, 5).unwrap();
        RingRule { window: 0, least: Number::whole(80), balance, most }
    }

    fn rings(windows: &PlainWindows, most: usize, edge: (u64, u64)) -> Vec<Vec<u64>> {
        let search = Search { edges: Edges::of_day(windows, FEATURE, (0, 9)), rule: rule(most) };
        let mut rings = Vec::new();
        search.through(edge.0, edge.1, &mut |ring| rings.push(ring.to_vec()));
        rings
    }

    #[test]
    fn rings_are_simple_heavy_and_balanced() {
        let edges = [(1, 2, 0, 100), (2, 3, 1, 90), (3, 1, 2, 80), (3, 4, 3, 100), (4, 1, 4, 100), (2, 1, 5, 100)];
        let windows = windows(&edges);
        assert_eq!(rings(&windows, 6, (1, 2)), [vec![1, 2, 3], vec![1, 2, 3, 4]]);
        assert_eq!(rings(&windows, 3, (3, 4)), [] as [Vec<u64>; 0]);
        assert_eq!(rings(&windows, 4, (3, 4)), [vec![3, 4, 1, 2]]);
        let lighter = self::windows(&[(1, 2, 0, 100), (2, 3, 1, 90), (3, 1, 2, 79)]);
        assert_eq!(rings(&lighter, 6, (1, 2)), [] as [Vec<u64>; 0], "too light");
        let apart = self::windows(&[(1, 2, 0, 101), (2, 3, 1, 90), (3, 1, 2, 80)]);
        assert_eq!(rings(&apart, 6, (1, 2)), [] as [Vec<u64>; 0], "too far apart");
    }

    #[test]
    fn a_change_finds_the_rings_of_every_day_that_it_reaches() {
        // Windows of five days: only on day 6 do all three lie in one, and only from day 8 on is 2 -> 3 too heavy.
        let windows = windows(&[(1, 2, 2, 100), (2, 3, 5, 90), (3, 1, 6, 80), (2, 3, 8, 500)]);
        let around = |days, balance: (i128, i128)| {
            let rule = RingRule { balance: Number::ratio(balance.0, balance.1).unwrap(), ..rule(6) };
            let search = Search { edges: Edges::of_days(&windows, FEATURE, days, 5), rule };
            let mut found = Vec::new();
            search.around(1, 2, &mut |ring| found.push(ring.to_vec()));
            found
        };
        assert_eq!(around((2, 6), (4, 5)), [vec![1, 2, 3]]);
        assert_eq!(around((2, 10), (4, 5)), [vec![1, 2, 3]]);
        assert_eq!(around((8, 8), (4, 5)), [] as [Vec<u64>; 0]);
    }
}
