//! Views as canonical rows, and their hashes: what `verify` compares with the reference evaluator.
//!
//! Each row belongs to exactly one worker, so hashes are wrapping sums that add up over workers.

use billwatch_proto::v1;
use xxhash_rust::xxh3::xxh3_128;

use crate::{limits::DUMP_ROWS_PER_PART, shard::Shard};

/// Rows of one view (hashes of all views when `view` is empty), in parts.
pub fn dump(shard: &Shard, view: &str, give: &mut dyn FnMut(v1::DumpViewsResponse)) -> anyhow::Result<()> {
    let names: Vec<&str> = VIEWS.iter().copied().filter(|name| view.is_empty() || *name == view).collect();
    anyhow::ensure!(!names.is_empty(), "no view `{view}`; there are {}", VIEWS.join(", "));
    if view.is_empty() {
        let mut hashes = Vec::new();
        for name in names {
            let (mut sum, mut count) = (0u128, 0u64);
            rows(shard, name, &mut |row| {
                sum = sum.wrapping_add(xxh3_128(row.as_bytes()));
                count += 1;
            })?;
            hashes.push(v1::ViewHash { view: name.to_owned(), high: (sum >> 64) as u64, low: sum as u64, rows: count });
        }
        give(v1::DumpViewsResponse { as_of: None, hashes, rows: Vec::new() });
        return Ok(());
    }
    let mut part = Vec::new();
    rows(shard, view, &mut |row| {
        part.push(row.to_owned());
        if part.len() == DUMP_ROWS_PER_PART {
            give(v1::DumpViewsResponse { as_of: None, hashes: Vec::new(), rows: std::mem::take(&mut part) });
        }
    })?;
    give(v1::DumpViewsResponse { as_of: None, hashes: Vec::new(), rows: part });
    Ok(())
}

/// Every view.
const VIEWS: [&str; 3] = ["bills", "features", "alerts"];

fn rows(shard: &Shard, view: &str, take: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    match view {
        "bills" => {
            for life in shard.lives.borrow().bills() {
                for lot in &life.bill.lots {
                    take(&format!(
                        "{} {} {} {:?} {:?} {:?} {:?} {}",
                        life.id, lot.range, lot.holder, lot.status, lot.flag, lot.risk, lot.pay_state, lot.hops
                    ));
                }
            }
        }
        "features" => {
            shard.windows.borrow().keyed.every_cell(|(feature, key, bucket, member), cell| {
                take(&format!(
                    "{} {:016x} {:016x} {bucket} {member} {} {}",
                    feature.0, key.0, key.1, cell.count, cell.sum
                ));
            });
        }
        _ => {
            for (pattern, key, date, hits) in shard.alerts.borrow().set().iter() {
                take(&format!("{} {key} {date} {:?}", shard.patterns().id(pattern), hits.by_level));
            }
        }
    }
    Ok(())
}
