//! Crosses of custom reports: several dimensions at once, kept from the moment they are ordered.
//!
//! Two halves, like cells: [`CrossFeeds`] stands where lives are folded and says what each fact adds; [`CrossTotals`] keeps
//! the cells that this worker owns. Orders (cluster.proto, `Order`) come with the epoch from which on they hold.
//!
//! **Filling.** A new cross is filled from the history while facts go on. A life is *counted* by the cross or it is not: lives
//! that begin after the order are counted from their first fact; the others when the filling reaches them ([`Filling`]): then
//! the whole life as it is now is added at once. A fact of a life that is not counted yet adds nothing, and
//! taking such a life out takes nothing away. So at any moment the cross is exactly the sum over the lives that are counted,
//! whatever is folded again meanwhile, and it is complete when all are.
//!
//! What the filling adds leaves with the next epochs, some rows each. A worker is done when its last row has left; the
//! coordinator says that the cross is live when all are. It orders no checkpoint before: a half-filled cross is never saved,
//! and one that a crash interrupts is filled again by replay of its order.

mod feeds;
mod totals;

pub use self::{
    feeds::{CrossFeeds, CrossRow, Filling},
    totals::{CellName, CrossTotals},
};

use billwatch_market::aggregate::cross::{CrossDefinition, CrossFilter, CrossId, CrossKey};
use billwatch_proto::v1;

use std::time::Duration;

use crate::{
    limits::{CROSS_LIVES_AT_ONCE, CROSS_REST_PERCENT, CROSS_TURN, CROSS_TURN_BUSY},
    ownership::group_of_words,
};

/// How much is filled at a time.
#[derive(Clone, Copy, Debug)]
pub struct FillPace {
    /// Longest turn while nothing else waits for the thread; `None`: it waits for the next epoch (tests).
    pub turn: Option<Duration>,
    /// Longest turn behind an epoch.
    pub turn_busy: Duration,
    /// Lives counted before the clock is looked at.
    pub lives_at_once: usize,
    /// Rest behind a turn while records come, in percent of that turn.
    pub rest_percent: u32,
}

impl Default for FillPace {
    fn default() -> Self {
        FillPace {
            turn: Some(CROSS_TURN),
            turn_busy: CROSS_TURN_BUSY,
            lives_at_once: CROSS_LIVES_AT_ONCE,
            rest_percent: CROSS_REST_PERCENT,
        }
    }
}

/// Key group of a cell of a cross.
pub fn cross_group(cross: CrossId, key: &CrossKey) -> u16 {
    let [first, second, third, fourth] = key.items.map(|item| item.bits());
    let date = u64::from(key.date.0 as u32) << 1 | u64::from(key.stock);
    group_of_words([cross.0 ^ date, first ^ second.rotate_left(17), third ^ fourth.rotate_left(29)])
}

/// The definition of an order.
pub fn definition_of(order: &v1::KeepCross) -> CrossDefinition {
    let filter =
        |filter: &v1::CrossFilter| CrossFilter { dimension: filter.dimension.clone(), items: filter.items.clone() };
    CrossDefinition {
        theme: order.theme.clone(),
        dimensions: order.dimensions.clone(),
        filters: order.filters.iter().map(filter).collect(),
    }
}
