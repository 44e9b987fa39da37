//! Questions about a cross: which of its cells to read, and the rows that come of them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use super::{Aggregates, Cross, CrossDefinition, CrossKey, Tuple};
use crate::{
    aggregate::{
        Grain, Partial, Plan, Question, QuestionError, Value,
        measure::SetKind,
        query::{Group, add, figure, periods},
    },
    ids::{Day, PartyId},
    items::Item,
};

/// What is asked of a cross.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CrossQuestion {
    /// Which cross.
    pub definition: CrossDefinition,
    /// First date.
    pub from: Day,
    /// Last date. Stock figures are those at the end of each period, not after this date.
    pub to: Day,
    /// Length of a period.
    pub grain: Grain,
    /// Figures wanted, by name; empty = all of the theme.
    pub measures: Vec<String>,
}

/// A question, compiled.
#[derive(Clone, Debug)]
pub struct CrossPlan {
    /// What is asked of the theme; its pairs are not those of the cross, but its total is read.
    pub plan: Plan,
    /// The cross.
    pub cross: Arc<Cross>,
    reads_stock: bool,
}

impl CrossPlan {
    /// True when a keeper reads this cell.
    pub fn wants(&self, key: &CrossKey) -> bool {
        let plan = &self.plan;
        if key.stock { self.reads_stock && key.date <= plan.to } else { plan.from <= key.date && key.date <= plan.to }
    }

    /// True when a keeper of sets reads this one.
    pub fn wants_member(&self, delta: &CrossSetDelta) -> bool {
        let sets = if delta.key.stock { &self.plan.stock_sets } else { &self.plan.flow_sets };
        sets.contains(&delta.set) && self.wants(&delta.key)
    }
}

/// A change of one set of one cell of a cross.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CrossSetDelta {
    /// Which cell.
    pub key: CrossKey,
    /// Which of its sets.
    pub set: SetKind,
    /// Who or what.
    pub member: u64,
    /// Added to the weight of the member.
    pub weight: i64,
}

/// Cells and members of one cross, read by one keeper.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CrossPartial {
    /// Sums of cells, in the order of the slots of their side.
    pub cells: Vec<(CrossKey, Vec<i128>)>,
    /// Members of sets.
    pub members: Vec<CrossSetDelta>,
    /// The totals of the theme, where shares are asked for.
    pub totals: Partial,
}

/// One row of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CrossAnswer {
    /// First day of the period.
    pub period_start: Day,
    /// Last day of the period inside the question.
    pub period_end: Day,
    /// One item a dimension, as text, in the order of the canonical definition.
    pub items: Vec<String>,
    /// (measure, figure), in the order asked.
    pub values: Vec<(Box<str>, Value)>,
}

impl Aggregates {
    /// Compiles a question to a cross.
    pub fn ask_cross(&self, cross: &Arc<Cross>, question: &CrossQuestion) -> Result<CrossPlan, QuestionError> {
        let plan = self.ask(&Question {
            theme: cross.definition.theme.clone(),
            dimension: cross.like.clone(),
            items: Vec::new(),
            from: question.from,
            to: question.to,
            grain: question.grain,
            measures: question.measures.clone(),
        })?;
        Ok(self.cross_plan(cross, plan.crossed(!question.measures.is_empty())?))
    }

    pub(super) fn cross_plan(&self, cross: &Arc<Cross>, plan: Plan) -> CrossPlan {
        CrossPlan { reads_stock: cross.has_stock() && plan.stock.is_some(), plan, cross: cross.clone() }
    }

    /// Forms the rows from all that was read, sorted by period, then items. `assets_fen` as for [`Aggregates::answer`].
    pub fn answer_cross(
        &self,
        plan: &CrossPlan,
        read: &CrossPartial,
        assets_fen: &dyn Fn(PartyId, Day) -> Option<i64>,
    ) -> Vec<CrossAnswer> {
        let asked = &plan.plan;
        let periods = periods(asked.from, asked.to, asked.grain);
        let mut groups: BTreeMap<(usize, Tuple), Group> = BTreeMap::new();
        for (key, sums) in &read.cells {
            self.each_cross_place(plan, key, &periods, &mut |period, items| {
                let group = groups.entry((period, items)).or_default();
                add(if key.stock { &mut group.stock } else { &mut group.flow }, sums);
            });
        }
        for delta in &read.members {
            let (member, weight) = ((delta.set, delta.member), i128::from(delta.weight));
            self.each_cross_place(plan, &delta.key, &periods, &mut |period, items| {
                let group = groups.entry((period, items)).or_default();
                let members = if delta.key.stock { &mut group.stock_members } else { &mut group.flow_members };
                *members.entry(member).or_default() += weight;
            });
        }
        let totals = self.totals(plan, read, &periods);
        let theme = &self.themes[asked.theme];
        let empty = Group::default();
        let vocabulary = self.meanings.vocabulary();
        let mut rows = Vec::new();
        for ((period, items), mut group) in groups {
            if group.settle() {
                continue;
            }
            let (period_start, period_end) = periods[period];
            let total = totals.get(&period).unwrap_or(&empty);
            let value = |form| figure(theme, form, &group, total, period_end, assets_fen);
            let shown = &items[..plan.cross.shown.len()];
            rows.push(CrossAnswer {
                period_start,
                period_end,
                items: shown.iter().map(|item| vocabulary.item_text(*item)).collect(),
                values: asked.measures.iter().map(|measure| (measure.name.clone(), value(measure.form))).collect(),
            });
        }
        rows
    }

    /// The flows of the whole theme by period, for shares.
    fn totals(&self, plan: &CrossPlan, read: &CrossPartial, periods: &[(Day, Day)]) -> BTreeMap<usize, Group> {
        let period = |date: Day| periods.partition_point(|(_, end)| *end < date);
        let is_total =
            |pair: u16, date: Day| Some(pair) == plan.plan.total && date >= plan.plan.from && date <= plan.plan.to;
        let mut totals: BTreeMap<usize, Group> = BTreeMap::new();
        for (key, sums) in read.totals.cells.iter().filter(|(key, _)| is_total(key.pair, key.date)) {
            add(&mut totals.entry(period(key.date)).or_default().flow, sums);
        }
        for delta in read.totals.members.iter().filter(|delta| is_total(delta.key.pair, delta.key.date)) {
            let members = &mut totals.entry(period(delta.key.date)).or_default().flow_members;
            *members.entry((delta.set, delta.member)).or_default() += i128::from(delta.weight);
        }
        totals
    }

    /// Calls `put` for each period and tuple in which a cell counts.
    fn each_cross_place(
        &self,
        plan: &CrossPlan,
        key: &CrossKey,
        periods: &[(Day, Day)],
        put: &mut dyn FnMut(usize, Tuple),
    ) {
        if !plan.wants(key) {
            return;
        }
        let first = periods.partition_point(|(_, end)| *end < key.date);
        if !key.stock {
            return self.tuples_at(plan, key.items, key.date).into_iter().for_each(|items| put(first, items));
        }
        for (period, (_, end)) in periods.iter().enumerate().skip(first) {
            self.tuples_at(plan, key.items, *end).into_iter().for_each(|items| put(period, items));
        }
    }

    /// The tuples that a kept one means on a date.
    fn tuples_at(&self, plan: &CrossPlan, kept: Tuple, date: Day) -> SmallVec<[Tuple; 2]> {
        let (cross, grain) = (&plan.cross, plan.plan.grain);
        let mut tuples: SmallVec<[Tuple; 2]> = smallvec![kept];
        for (place, shown) in cross.shown.iter().enumerate() {
            let items = self.items_at(shown.name, kept[place], date, grain);
            let passing: SmallVec<[Item; 2]> = items
                .into_iter()
                .filter(|item| shown.passes.as_ref().is_none_or(|items| items.contains(item)))
                .collect();
            let before = std::mem::take(&mut tuples);
            for item in passing {
                tuples.extend(before.iter().map(|tuple| {
                    let mut tuple = *tuple;
                    tuple[place] = item;
                    tuple
                }));
            }
        }
        tuples
    }
}
