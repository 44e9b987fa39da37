//! Views as canonical rows, and their hashes: what `verify` compares with the reference evaluator.
//!
//! Rows and hashes are those of `market::view`. Each row belongs to exactly one worker (those of `rules` are units of numbers that
//! add up), so hashes are wrapping sums that add up over workers. Rows of a dump are as many as the view has: it is for verification, not for every day.

use std::ops::ControlFlow;

use billwatch_market::{
    aggregate::cross::{Cross, CrossKey},
    corrections::effective_at,
    pattern::liveness::plain::hash_of,
    view::{
        Fate, ViewHash, alert_row, cell_hash, cell_row, cross_hash, cross_row, effect_row, feature_row, lot_hash,
        lot_row,
    },
};
use billwatch_proto::v1;

use super::{budget::Budget, indicators, invalid, rules as liveness};
use crate::{limits::DUMP_ROWS_PER_PART, shard::Shard};

/// Every view.
pub const VIEWS: [&str; 8] = ["bills", "effects", "cells", "features", "alerts", "indicators", "crosses", "rules"];

/// Rows of one view (hashes of all views when `view` is empty), in parts.
pub fn dump(shard: &Shard, view: &str, give: &mut dyn FnMut(v1::DumpViewsResponse)) -> anyhow::Result<()> {
    if view.is_empty() {
        let mut hashes = Vec::with_capacity(VIEWS.len());
        for view in VIEWS {
            let (ViewHash(hash), rows) = hash(shard, view)?;
            hashes.push(v1::ViewHash { view: view.to_owned(), high: (hash >> 64) as u64, low: hash as u64, rows });
        }
        give(v1::DumpViewsResponse { as_of: None, hashes, rows: Vec::new() });
        return Ok(());
    }
    if !VIEWS.contains(&view) {
        return Err(invalid(format!("no view `{view}`; there are {}", VIEWS.join(", "))));
    }
    let mut part = Vec::new();
    rows(shard, view, &mut |row| {
        part.push(row);
        if part.len() == DUMP_ROWS_PER_PART {
            give(v1::DumpViewsResponse { as_of: None, hashes: Vec::new(), rows: std::mem::take(&mut part) });
        }
    })?;
    give(v1::DumpViewsResponse { as_of: None, hashes: Vec::new(), rows: part });
    Ok(())
}

fn hash(shard: &Shard, view: &str) -> anyhow::Result<(ViewHash, u64)> {
    let (mut sum, mut rows) = (ViewHash::default(), 0u64);
    let mut count = |hash: ViewHash| {
        sum += hash;
        rows += 1;
    };
    let rules = shard.rules();
    match view {
        "bills" => {
            let lives = shard.lives.borrow();
            lives.each_bill(|id, bill| bill.lots.iter().for_each(|lot| count(lot_hash(id, lot))))?;
        }
        "effects" => {
            let effects = shard.lives.borrow().effects();
            return Ok((effects.hash, effects.rows.max(0) as u64));
        }
        "cells" => shard.cells.borrow().table().iter().for_each(|(key, sums)| count(cell_hash(&key, sums))),
        "crosses" => each_cross_cell(shard, &mut |cross, key, sums| count(cross_hash(cross.id, key, sums))),
        "features" => shard.windows.borrow().keyed.every_cell(|(feature, key, bucket, member), cell| {
            count(ViewHash::of_row(feature_row(feature, key, bucket, member, cell).as_bytes()));
        }),
        "indicators" => indicators::rows(shard, |row| count(ViewHash::of_row(row.as_bytes()))),
        // A row that several workers have is there as often as they say together.
        "rules" => liveness::rows(shard, |row, often| {
            sum += hash_of(&row, often);
            rows += u64::try_from(often).unwrap_or_default();
        }),
        _ => shard.alerts.borrow().set().iter().for_each(|(pattern, key, date, hits)| {
            count(ViewHash::of_row(alert_row(rules.patterns.id(pattern), key, date, hits).as_bytes()));
        }),
    }
    Ok((sum, rows))
}

/// Shows every cell of every cross that this worker owns. A cross that is being filled shows what it has.
fn each_cross_cell(shard: &Shard, show: &mut dyn FnMut(&Cross, &CrossKey, &[i128])) {
    let lives = shard.lives.borrow();
    let totals = shard.crosses.borrow();
    for cross in lives.crosses().crosses() {
        totals.of(cross.id).for_each(|(key, sums)| show(cross, key, sums));
    }
}

fn rows(shard: &Shard, view: &str, take: &mut dyn FnMut(String)) -> anyhow::Result<()> {
    let rules = shard.rules();
    match view {
        "bills" => {
            let lives = shard.lives.borrow();
            lives.each_bill(|id, bill| bill.lots.iter().for_each(|lot| take(lot_row(id, lot))))?;
        }
        "effects" => {
            let budget = Budget::new(shard.common.question_facts_max);
            shard.lives.borrow().each_family(|home, records| {
                budget.take(records.len())?;
                let effective = effective_at(home, records);
                let waiting = effective.waiting.iter().map(|event| (*event, Fate::Waiting));
                let void = effective.void.iter().map(|event| (*event, Fate::Revoked));
                waiting.chain(void).for_each(|(event, fate)| take(effect_row(event, fate)));
                let folded = rules.fold_effects(home.bill(), &effective.facts);
                folded.into_iter().for_each(|(event, effect)| take(effect_row(event, Fate::Folded(effect))));
                ControlFlow::Continue(())
            })?;
            budget.check("the rows of all effects", "compare their hash, and ask for single bills")?;
        }
        "cells" => {
            let aggregates = &rules.aggregates;
            shard.cells.borrow().table().iter().for_each(|(key, sums)| take(cell_row(aggregates, &key, sums)));
        }
        "crosses" => {
            let aggregates = &shard.common.rules.aggregates;
            each_cross_cell(shard, &mut |cross, key, sums| take(cross_row(aggregates, cross, key, sums)));
        }
        "features" => shard.windows.borrow().keyed.every_cell(|(feature, key, bucket, member), cell| {
            take(feature_row(feature, key, bucket, member, cell));
        }),
        "indicators" => indicators::rows(shard, take),
        "rules" => liveness::rows(shard, |row, often| (0..often).for_each(|_| take(row.clone()))),
        _ => shard.alerts.borrow().set().iter().for_each(|(pattern, key, date, hits)| {
            take(alert_row(rules.patterns.id(pattern), key, date, hits));
        }),
    }
    Ok(())
}
