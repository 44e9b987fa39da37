//! New crosses are filled from the history, some lives at a time, between epochs (`dataflow::crosses`).

use std::time::Instant;

use billwatch_market::{
    bill::Bill, corrections::effective_at, evaluator::without_bill, fact::Fact, observe::Observation,
};
use billwatch_proto::v1::{self, order};
use billwatch_telemetry::codes;

use super::{Dense, Lives};
use crate::{dataflow::crosses::definition_of, handling, shard::Shard, store::StoreError};

impl Lives {
    /// Obeys the orders of an epoch, before its facts. The log holds orders for ever, so one may be older than the catalogue or
    /// the build: what they do not know is passed over with a warning, as the coordinator passes over it.
    pub(super) fn obey(&mut self, shard: &Shard, epoch: u64, orders: &[v1::Order]) -> Result<(), StoreError> {
        for order in orders {
            match &order.kind {
                Some(order::Kind::KeepCross(order)) => {
                    let sweep = self.sweep();
                    match self.valuer.crosses().keep(&definition_of(order), epoch, Some(sweep)) {
                        Ok(Some(id)) => shard.crosses.borrow_mut().keep(id, epoch),
                        Ok(None) => {}
                        Err(error) => {
                            let thread = shard.seat.thread;
                            let words = "a cross of the log is none any more";
                            tracing::warn!(code = codes::CROSS_REFUSED, epoch, thread, error, "{words}");
                        }
                    }
                }
                Some(order::Kind::DropCross(order)) => {
                    let id = billwatch_market::aggregate::cross::CrossId(order.cross);
                    self.valuer.crosses().drop(id);
                    shard.crosses.borrow_mut().drop(id);
                }
                Some(order::Kind::AlertActions(order)) => {
                    let mut handled = shard.handled.borrow_mut();
                    for action in &order.actions {
                        match handling::action(action) {
                            Ok((alert, action)) => handled.apply(alert, action),
                            Err(error) => {
                                let words = "an action on an alert is none to this build";
                                tracing::warn!(code = codes::UNKNOWN_MESSAGE, epoch, error, "{words}");
                            }
                        }
                    }
                }
                None => {
                    let what = "an order of a kind that this build does not know".to_owned();
                    return Err(StoreError::Damaged { what });
                }
            }
        }
        Ok(())
    }

    /// Counts lives for crosses that are being filled, so many at once, until an instant. False when there is nothing to do now.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn fill_crosses(&mut self, until: Instant, lives_at_once: usize) -> Result<bool, StoreError> {
        let mut records = Vec::new();
        while let Some(mut filling) = self.valuer.crosses().take_filling() {
            for (dense, mut past) in self.sweep_on(&mut filling.sweep, lives_at_once)? {
                records.extend(past.drain(..).map(|past| past.fact));
                records = self.fill_life(dense, records, filling.number);
                filling.sweep.take_back(past, records.drain(..));
            }
            self.valuer.crosses().go_on_filling(filling);
            if Instant::now() >= until {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds a whole life as it is now; gives back its facts.
    fn fill_life(&mut self, dense: Dense, records: Vec<Fact>, filling: u32) -> Vec<Fact> {
        let home = self.home_of(dense);
        let Lives { valuer, reference, .. } = self;
        let (rules, crosses) = valuer.rules_and_crosses();
        let mut bill = Bill::default();
        let facts = effective_at(home, records).facts;
        for fact in &facts {
            let has_bill = home.bill().is_some();
            let outcome = if has_bill { bill.apply(fact, &rules.laws) } else { without_bill() };
            if crosses.reads(fact.behaviour, &outcome) {
                let seen = Observation::new(fact, &outcome, has_bill.then_some(&bill), reference, &rules.meanings);
                crosses.fill(&seen, filling);
            }
        }
        facts
    }
}
