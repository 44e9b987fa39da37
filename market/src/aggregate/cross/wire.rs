//! Questions about crosses between processes, as `aggregate::wire` has them for cells: the request in words, and the parts
//! that keepers give, which add up.

use std::{collections::BTreeMap, sync::Arc};

use super::{Aggregates, Cross, CrossAnswer, CrossKey, CrossPartial, CrossPlan, CrossSetDelta};
use crate::{
    aggregate::{
        CellKey, Partial, SetDelta,
        measure::SetKind,
        wire::{Compiled, Request, RequestError},
    },
    ids::{Day, PartyId},
};

/// A request, compiled at one market clock.
#[derive(Clone, Debug)]
pub struct CompiledCross {
    /// What to read.
    pub plan: CrossPlan,
    like: Compiled,
}

/// A part of what one keeper has: a [`CrossPartial`], and assets where figures need them.
#[derive(Clone, Debug, Default)]
pub struct CrossPart {
    /// Cells and members.
    pub partial: CrossPartial,
    /// Total assets at the end of a date, for [`CompiledCross::assets_wanted`]; absent = not known.
    pub assets: Vec<(PartyId, Day, i64)>,
}

impl CrossPart {
    /// The form on the wire.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(&(&self.partial, &self.assets)).expect("plain data has a form")
    }

    /// Reads the form on the wire; `None` when it is damaged or of another build.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (partial, assets) = postcard::from_bytes(bytes).ok()?;
        Some(CrossPart { partial, assets })
    }
}

/// All parts, added up.
#[derive(Clone, Debug, Default)]
pub struct GatheredCross {
    cells: BTreeMap<CrossKey, Vec<i128>>,
    members: BTreeMap<(CrossKey, SetKind, u64), i64>,
    totals: BTreeMap<CellKey, Vec<i128>>,
    total_members: BTreeMap<(CellKey, SetKind, u64), i64>,
    assets: BTreeMap<(PartyId, Day), i64>,
}

fn add<K: Ord>(to: &mut BTreeMap<K, Vec<i128>>, cells: Vec<(K, Vec<i128>)>) {
    for (key, sums) in cells {
        let known = to.entry(key).or_default();
        known.resize(known.len().max(sums.len()), 0);
        known.iter_mut().zip(sums).for_each(|(known, more)| *known += more);
    }
}

impl GatheredCross {
    /// Adds a part.
    pub fn add(&mut self, part: CrossPart) {
        let CrossPartial { cells, members, totals } = part.partial;
        add(&mut self.cells, cells);
        add(&mut self.totals, totals.cells);
        for CrossSetDelta { key, set, member, weight } in members {
            *self.members.entry((key, set, member)).or_default() += weight;
        }
        for SetDelta { key, set, member, weight } in totals.members {
            *self.total_members.entry((key, set, member)).or_default() += weight;
        }
        self.assets.extend(part.assets.into_iter().map(|(party, day, fen)| ((party, day), fen)));
    }

    /// Number of cells that are read.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// True without cells.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

impl Aggregates {
    /// Compiles a request to a cross at a market clock (ms). Theme, dimension and items of the request are not read.
    pub fn compile_cross_request(
        &self,
        cross: &Arc<Cross>,
        request: Request<'_>,
        market_clock_ms: Option<i64>,
    ) -> Result<CompiledCross, RequestError> {
        let like = Request { theme: &cross.definition.theme, dimension: &cross.like, items: &[], ..request };
        let mut like = self.compile(like, market_clock_ms)?;
        like.plan = like.plan.crossed(!request.measures.is_empty())?;
        Ok(CompiledCross { plan: self.cross_plan(cross, like.plan.clone()), like })
    }
}

impl CompiledCross {
    /// Institutions and dates whose total assets the figures need, of what one keeper read.
    pub fn assets_wanted(&self, read: &CrossPartial) -> Vec<(PartyId, Day)> {
        self.like.assets_wanted_of(read.members.iter().map(|delta| (delta.set, delta.member)))
    }

    /// Forms the rows.
    pub fn answer(&self, aggregates: &Aggregates, gathered: &GatheredCross) -> Vec<CrossAnswer> {
        let read = CrossPartial {
            cells: gathered.cells.iter().map(|(key, sums)| (*key, sums.clone())).collect(),
            members: gathered
                .members
                .iter()
                .map(|(&(key, set, member), &weight)| CrossSetDelta { key, set, member, weight })
                .collect(),
            totals: Partial {
                cells: gathered.totals.iter().map(|(key, sums)| (*key, sums.clone())).collect(),
                members: gathered
                    .total_members
                    .iter()
                    .map(|(&(key, set, member), &weight)| SetDelta { key, set, member, weight })
                    .collect(),
                firsts: Vec::new(),
            },
        };
        aggregates.answer_cross(&self.plan, &read, &|party, day| gathered.assets.get(&(party, day)).copied())
    }

    /// Names of the figures, in the order of the answer.
    pub fn measures(&self) -> Vec<String> {
        self.like.measures()
    }

    /// Figures that count distinct members: each answer would read the history.
    pub fn figures_with_members(&self) -> impl Iterator<Item = &str> {
        self.like.figures_with_members()
    }

    /// Only stock is read: one period, a date.
    pub fn only_stock(&self) -> bool {
        self.like.only_stock
    }

    /// The period of a row, as for cells.
    pub fn period(&self, row: &CrossAnswer) -> String {
        self.like.period_of(row.period_start, row.period_end)
    }
}
