//! Lots that move, as crosses see them: all items of a lot together, before and after.

use super::Change;
use crate::{
    aggregate::{Aggregates, sink::CellSink},
    ids::Day,
    items::Items,
    names::Name,
};

/// A lot that moves in one stock, as crosses see it.
pub(in crate::aggregate) struct Moved<'a, 'b> {
    aggregates: &'b Aggregates,
    change: &'b Change<'a>,
    stock: usize,
}

impl Moved<'_, '_> {
    /// Items of a name before the change; `None` for a new lot.
    pub fn before(&self) -> Option<impl Fn(Name) -> Items> {
        self.change.old.map(|old| move |name| old.items(name))
    }

    /// Items of a name after it.
    pub fn after(&self) -> impl Fn(Name) -> Items {
        |name| self.change.new.items(name)
    }

    /// Every move: whether the old version goes out, when, and who adds the part of its sums times a weight. `equal`: all
    /// items are the same before and after.
    pub fn each(&self, equal: bool, mut take: impl FnMut(bool, Day, &dyn Fn(i64, &mut CellSink) -> u32)) {
        let live = self.change.moves.iter().filter(|each| each.live >> self.stock & 1 == 1);
        for each in live.filter(|each| !(each.steady && equal)) {
            let version = self.change.version(each);
            let part = |weight: i64, sink: &mut CellSink| {
                self.aggregates.stock_part(self.stock, version, each.sign() * weight, sink)
            };
            take(each.is_old, each.date, &part);
        }
    }
}

impl<'a> Change<'a> {
    /// Shows how the lot moves in the stock of a theme, when it does.
    pub fn moves_of(&self, aggregates: &Aggregates, theme: u16, show: impl FnOnce(Moved<'a, '_>)) {
        let stock = aggregates.stock.themes.iter().position(|(known, _)| *known == theme);
        if let Some(stock) = stock.filter(|stock| self.any >> stock & 1 == 1) {
            show(Moved { aggregates, change: self, stock });
        }
    }
}
