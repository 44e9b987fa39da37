//! The alerts that this worker owns, with what T31 and R22 ask of them.
//!
//! Alerts about a bill lie with the bill, and reference data lies everywhere, so their owner knows all that is asked.

use std::{cell::RefCell, ops::ControlFlow};

use billwatch_market::{
    aggregate::{
        Partial, Plan,
        alerts::{AlertSight, Moments},
    },
    bill::Header,
    corrections::effective_at,
    ids::BillId,
    pattern::{
        AlertKey,
        plain::{Setting, moments_of_bill},
    },
};
use hashbrown::HashMap;

use super::budget::Budget;
use crate::{shard::Shard, store::StoreError};

/// The cells of a plan.
pub fn cells(shard: &Shard, plan: &Plan) -> anyhow::Result<Partial> {
    let known = if plan.reads_hours_of_alerts() { moments(shard)? } else { HashMap::new() };
    let alerts = shard.alerts.borrow();
    let read = |sight: &AlertSight<'_>| shard.rules().aggregates.cells_of_alerts(plan, alerts.set().iter(), sight);
    with_sight(shard, &known, read)
}

/// Reads alerts with what is known beside them.
///
/// # Errors
/// A bill at rest could not be read.
pub fn with_sight<T>(
    shard: &Shard,
    moments: &HashMap<BillId, Moments>,
    read: impl FnOnce(&AlertSight<'_>) -> T,
) -> anyhow::Result<T> {
    let lives = shard.lives.borrow();
    let rules = shard.rules();
    let failed: RefCell<Option<StoreError>> = RefCell::default();
    let bill = |id: BillId| -> Option<Header> {
        let look = |dense| lives.look_at_bill(dense, |bill| bill.header.clone());
        look(lives.find_bill(id)?).unwrap_or_else(|error| {
            failed.borrow_mut().get_or_insert(error);
            None
        })
    };
    let moments = |id: BillId| moments.get(&id).cloned().unwrap_or_default();
    let handled = shard.handled.borrow();
    let sight = AlertSight {
        patterns: &rules.patterns,
        reference: lives.reference(),
        bill: &bill,
        handled: &handled,
        moments: &moments,
    };
    let read = read(&sight);
    match failed.take() {
        Some(error) => Err(error.into()),
        None => Ok(read),
    }
}

/// When the rules hit in the bills that alerts of this worker are about: one pass over its history.
fn moments(shard: &Shard) -> anyhow::Result<HashMap<BillId, Moments>> {
    let rules = shard.rules();
    let mut known: HashMap<BillId, Moments> = HashMap::new();
    for (_, key, _, hits) in shard.alerts.borrow().set().iter() {
        if let (AlertKey::Bill(bill), true) = (key, hits.level().is_some()) {
            known.entry(*bill).or_default();
        }
    }
    let lives = shard.lives.borrow();
    let setting = Setting { meanings: &rules.meanings, laws: &rules.laws, patterns: &rules.patterns };
    let registry = rules.registry(lives.reference());
    let budget = Budget::new(shard.common.question_facts_max);
    lives.each_family(|home, records| {
        budget.take(records.len())?;
        if let Some(moments) = home.bill().and_then(|bill| known.get_mut(&bill)) {
            *moments = moments_of_bill(&effective_at(home, records), setting, &registry);
        }
        ControlFlow::Continue(())
    })?;
    budget.check("the hour of alerts", "ask for another dimension, or give the history more workers")?;
    Ok(known)
}
