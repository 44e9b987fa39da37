//! Crosses: the part of a question that this worker owns.
//!
//! As for cells: sums are kept, members of distinct counts are worked out from the history when they are asked for. Shares
//! are set against the totals of the theme, which are ordinary cells.

use std::{collections::BTreeMap, ops::ControlFlow};

use anyhow::Context as _;
use billwatch_market::{
    aggregate::{
        CellKey, CellSink, SetDelta,
        cross::{
            CrossId, CrossKey, CrossPartial, CrossPlan, CrossSet, CrossSetDelta, CrossSink,
            wire::{CompiledCross, CrossPart},
        },
        measure::SetKind,
        wire::Request,
    },
    bill::Bill,
    corrections::effective_at,
    evaluator::without_bill,
    ids::{Day, PartyId},
    observe::Observation,
};
use billwatch_proto::v1;

use super::{budget::Budget, cells::grain_of, invalid};
use crate::{command::Bytes, limits::CELLS_PER_PART, shard::Shard};

/// The cells of a cross that this worker owns, and the members that its bills add.
pub fn read(shard: &Shard, request: &v1::QueryCustomReportRequest, give: &mut dyn FnMut(Bytes)) -> anyhow::Result<()> {
    let lives = shard.lives.borrow();
    let unknown = || invalid(format!("report_id: no report `{}`; list those that there are", request.report_id));
    let id = CrossId::parse(&request.report_id).ok_or_else(unknown)?;
    let cross = lives.crosses().find(id).ok_or_else(unknown)?;
    let words = Request {
        theme: "",
        dimension: "",
        items: &[],
        from_date: &request.from_date,
        to_date: &request.to_date,
        grain: grain_of(request.grain()),
        measures: &request.measures,
    };
    let aggregates = &shard.common.rules.aggregates;
    let compiled = aggregates.compile_cross_request(cross, words, lives.clock());
    let compiled = compiled.map_err(|error| invalid(error.to_string()))?;
    let plan = &compiled.plan;
    let mut send = |partial: CrossPartial| {
        let assets = assets(shard, &compiled, &partial);
        give(CrossPart { partial, assets }.encode().into());
    };
    let mut part = CrossPartial::default();
    for (key, sums) in shard.crosses.borrow().of(id).filter(|(key, _)| plan.wants(key)) {
        part.cells.push((*key, sums.to_vec()));
        if part.cells.len() == CELLS_PER_PART {
            send(std::mem::take(&mut part));
        }
    }
    if let Some(total) = plan.plan.total {
        let cells = shard.cells.borrow();
        let wanted = cells.table().of_pair(total).filter(|(key, _)| plan.plan.wants_flow(key));
        part.totals.cells = wanted.map(|(key, sums)| (key, sums.to_vec())).collect();
    }
    if plan.plan.needs_members() {
        let (members, totals) = members(shard, plan)?;
        part.totals.members = totals;
        for delta in members {
            part.members.push(delta);
            if part.members.len() == CELLS_PER_PART {
                send(std::mem::take(&mut part));
            }
        }
    }
    send(part);
    Ok(())
}

/// Total assets of the institutions of a part, for figures that are set against them.
fn assets(shard: &Shard, compiled: &CompiledCross, part: &CrossPartial) -> Vec<(PartyId, Day, i64)> {
    let lives = shard.lives.borrow();
    let known = |(party, day): (PartyId, Day)| {
        let sheet = lives.reference().balance_sheet(party, day.end_ms() - 1)?;
        Some((party, day, sheet.total_assets_fen?))
    };
    compiled.assets_wanted(part).into_iter().filter_map(known).collect()
}

/// Observes all facts again for one cross, and for the totals of its theme.
fn members(shard: &Shard, plan: &CrossPlan) -> anyhow::Result<(Vec<CrossSetDelta>, Vec<SetDelta>)> {
    let rules = &shard.common.rules;
    let set = CrossSet::new(vec![plan.cross.clone()]);
    let totals = plan.plan.total.map(|pair| rules.aggregates.only(&[pair]));
    let (mut sink, mut total_sink) = (CrossSink::new(true), CellSink::new(true));
    let mut weights: BTreeMap<(CrossKey, SetKind, u64), i64> = BTreeMap::new();
    let mut total_weights: BTreeMap<(CellKey, SetKind, u64), i64> = BTreeMap::new();
    let lives = shard.lives.borrow();
    let budget = Budget::new(shard.common.question_facts_max);
    lives
        .each_family(|home, records| {
            budget.take(records.len())?;
            let mut bill = Bill::default();
            for fact in &effective_at(home, records).facts {
                let has_bill = home.bill().is_some();
                let outcome = if has_bill { bill.apply(fact, &rules.laws) } else { without_bill() };
                let after = has_bill.then_some(&bill);
                let seen = Observation::new(fact, &outcome, after, lives.reference(), &rules.meanings);
                set.observe(&rules.aggregates, &seen, 1, |_| true, &mut sink);
                if let Some(totals) = &totals {
                    totals.flow(&seen, 1, &mut total_sink);
                }
            }
            for (row, _, members) in sink.rows() {
                for member in members {
                    let delta =
                        CrossSetDelta { key: row.key, set: member.set, member: member.member, weight: member.weight };
                    if plan.wants_member(&delta) {
                        *weights.entry((delta.key, delta.set, delta.member)).or_default() += delta.weight;
                    }
                }
            }
            for delta in total_sink.members().filter(|delta| plan.plan.wants_member(delta)) {
                *total_weights.entry((delta.key, delta.set, delta.member)).or_default() += delta.weight;
            }
            sink.clear();
            total_sink.clear();
            ControlFlow::Continue(())
        })
        .context("the history of this worker")?;
    budget
        .check("a count of distinct things", "ask for sums instead (cnt, amt_fen), or give the history more workers")?;
    let kept = weights.into_iter().filter(|(_, weight)| *weight != 0);
    let members = kept.map(|((key, set, member), weight)| CrossSetDelta { key, set, member, weight }).collect();
    let kept = total_weights.into_iter().filter(|(_, weight)| *weight != 0);
    Ok((members, kept.map(|((key, set, member), weight)| SetDelta { key, set, member, weight }).collect()))
}
