//! Cells: the part of a question that this worker owns, and subscriptions.
//!
//! A part is a [`CellsPart`]: what this worker keeps of the cells asked for, or more. Parts add up, so a subscription sends the snapshot first and then what
//! was added since. Members of distinct counts are not kept: [`super::counting`] works them out from the history.

use std::collections::BTreeMap;

use billwatch_market::{
    aggregate::{
        Grain, Partial, Plan, Question,
        wire::{CellsPart, Request},
    },
    ids::{Day, PartyId},
    reference_data::Reference,
};
use billwatch_proto::v1;

use super::{alerts, invalid};
use crate::{command::Bytes, dataflow::cells::CellRow, limits::CELLS_PER_PART, shard::Shard};

/// Stands for an absent first or last date.
fn open_end(year: i32) -> Day {
    Day::from_ymd(year, 1, 1).expect("every year has a first day")
}

/// The grain of a request; `None`: not named.
pub fn grain_of(grain: v1::Grain) -> Option<Grain> {
    match grain {
        v1::Grain::Unspecified => None,
        v1::Grain::Day => Some(Grain::Day),
        v1::Grain::Month => Some(Grain::Month),
        v1::Grain::Quarter => Some(Grain::Quarter),
        v1::Grain::Year => Some(Grain::Year),
        v1::Grain::Total => Some(Grain::Whole),
    }
}

/// Compiles a question; the error is the asker's fault.
pub fn plan(shard: &Shard, request: &v1::QueryCellsRequest) -> anyhow::Result<Plan> {
    let date = |field: &str, text: &str, absent: Day| match text {
        "" => Ok(absent),
        text => Day::parse(text).ok_or_else(|| invalid(format!("{field}: `{text}` is no date, write YYYY-MM-DD"))),
    };
    let question = Question {
        theme: request.theme.clone(),
        dimension: request.dimension.clone(),
        items: request.items.clone(),
        from: date("from_date", &request.from_date, open_end(1900))?,
        to: date("to_date", &request.to_date, open_end(2900))?,
        // Cells are kept by day; whoever merges the parts forms the periods.
        grain: Grain::Whole,
        measures: request.measures.clone(),
    };
    shard.common.rules.aggregates.ask(&question).map_err(|error| invalid(error.to_string()))
}

/// The cells of a plan that this worker owns.
pub fn read(
    shard: &Shard,
    request: &v1::QueryCellsRequest,
    plan: &Plan,
    give: &mut dyn FnMut(Bytes),
) -> anyhow::Result<()> {
    let mut send = |partial: Partial| {
        let assets = assets(shard, shard.lives.borrow().reference(), request, &partial);
        give(CellsPart { partial, assets }.encode().into());
    };
    if plan.of_alerts {
        alerts::cells(shard, plan)?.split(CELLS_PER_PART).into_iter().for_each(send);
        return Ok(());
    }
    let cells = shard.cells.borrow();
    let mut part = Partial::default();
    let mut empty = true;
    for pair in plan.pairs() {
        for (key, sums) in cells.table().of_pair(pair).filter(|(key, _)| plan.wants(key)) {
            part.cells.push((key, sums.to_vec()));
            if part.cells.len() == CELLS_PER_PART {
                send(std::mem::take(&mut part));
                empty = false;
            }
        }
    }
    if !part.cells.is_empty() {
        send(std::mem::take(&mut part));
        empty = false;
    }
    if empty {
        send(part);
    }
    Ok(())
}

/// Total assets of the institutions of a part, for figures that are set against them.
pub fn assets(
    shard: &Shard,
    reference: &Reference,
    request: &v1::QueryCellsRequest,
    part: &Partial,
) -> Vec<(PartyId, Day, i64)> {
    let grain = grain_of(request.grain());
    let request = Request {
        theme: &request.theme,
        dimension: &request.dimension,
        items: &request.items,
        from_date: &request.from_date,
        to_date: &request.to_date,
        grain,
        measures: &request.measures,
    };
    // What cannot be compiled was refused by the coordinator, with the reason.
    let Ok(compiled) = shard.common.rules.aggregates.compile(request, shard.lives.borrow().clock()) else {
        return Vec::new();
    };
    let known = |(party, day): (PartyId, Day)| {
        let sheet = reference.balance_sheet(party, day.end_ms() - 1)?;
        Some((party, day, sheet.total_assets_fen?))
    };
    compiled.assets_wanted(part).into_iter().filter_map(known).collect()
}

/// Cells that somebody follows.
#[derive(Default)]
pub struct Watches {
    plans: BTreeMap<u64, Plan>,
}

impl Watches {
    /// Begins to follow the cells of a plan. Members are not followed: figures that count distinct things need a new query.
    pub fn add(&mut self, subscription: u64, plan: Plan) {
        self.plans.insert(subscription, plan);
    }

    /// Ends a subscription. True while others go on.
    pub fn remove(&mut self, subscription: u64) -> bool {
        self.plans.remove(&subscription);
        !self.plans.is_empty()
    }

    /// What the changes of an epoch add to the cells of each subscription.
    pub fn changes(&self, changed: &[CellRow]) -> Vec<v1::WatchedCells> {
        let mut watched = Vec::new();
        for (subscription, plan) in &self.plans {
            let wanted = changed.iter().filter(|row| plan.wants(&row.key));
            let part =
                Partial { cells: wanted.map(|row| (row.key, row.sums.to_vec())).collect(), ..Partial::default() };
            if !part.cells.is_empty() {
                let partial = CellsPart { partial: part, assets: Vec::new() }.encode().into();
                watched.push(v1::WatchedCells { subscription: *subscription, partial });
            }
        }
        watched
    }
}
