//! Words of windows whose members are edges of a graph: from the key, or from party to party.

use super::KeyScope;
use crate::{
    ids::PartyId,
    pattern::{
        alert::Key,
        graph::Graph,
        number::Number,
        rings::{Edges, Search},
        sight::Registry,
        windows::{Cell, Member, Windows},
    },
};

impl<W: Windows, R: Registry> KeyScope<'_, W, R> {
    /// A window's members as the edges of a graph, those with a sum of at least `least`.
    fn graph(&self, window: usize, least: i128) -> Option<&Graph> {
        let (of, from, graph) = self.graph.get_or_init(|| {
            let heavy = self.members(window).iter().filter(|(_, cell)| cell.sum >= least);
            (window, least, Graph::new(heavy.map(|(edge, _)| *edge)))
        });
        // A rule reads one graph; another would need a place of its own.
        ((*of, *from) == (window, least)).then_some(graph)
    }

    pub(super) fn ring(&self, window: usize, length: Number) -> Option<Number> {
        let length = usize::try_from(length.as_whole()?).ok()?;
        self.graph(window, 1)?.on_cycle(self.member.get()?, length).map(Number::from)
    }

    pub(super) fn component(&self, window: usize, least: Number) -> Option<Number> {
        let size = self.graph(window, least.as_whole()?)?.component(self.member.get()?)?;
        Some(Number::whole(size as i128))
    }

    /// How many rings lead through the edge from the key to the judged member; their parties are kept for the alerts.
    pub(super) fn value_rings(&self) -> Option<i128> {
        let (rule, to) = (self.keyed.rings?, u64::try_from(self.member.get()?).ok()?);
        let span = self.span(rule.window)?;
        let edges = Edges::of_day(self.windows, self.keyed.windows[rule.window].feature, span);
        let mut rings: Vec<Box<[PartyId]>> = Vec::new();
        Search { edges, rule }.through(self.key.0, to, &mut |ring| {
            let mut parties: Box<[PartyId]> = ring.iter().map(|bits| PartyId::from_bits(*bits)).collect();
            parties.sort_unstable();
            rings.push(parties);
        });
        // The same parties may stand in several orders.
        rings.sort_unstable();
        rings.dedup();
        let count = rings.len() as i128;
        self.rings.replace(rings);
        Some(count)
    }

    /// The judged edge a -> b lies on a triangle a -> b -> c -> a of edges of at least `least` fen whose smallest and
    /// largest sums stand at least in the ratio `balance`.
    pub(super) fn triangle(&self, window: usize, arguments: &[Number]) -> Option<bool> {
        let (least, balance) = (*arguments.first()?, *arguments.get(1)?);
        let (from, to) = self.span(window)?;
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
