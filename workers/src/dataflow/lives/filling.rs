//! New crosses are filled from the history, some lives at a time, between epochs (`dataflow::crosses`).

use std::time::Instant;

use billwatch_market::{
    bill::Bill, corrections::effective_at, evaluator::without_bill, fact::Fact, observe::Observation,
};
use billwatch_proto::v1::{self, order};
use hashbrown::HashSet;

use super::{Dense, Lives, SINGLE};
use crate::{
    dataflow::crosses::{Fill, definition_of},
    shard::Shard,
    store::StoreError,
};

impl Lives {
    /// Obeys the orders of an epoch, before its facts.
    pub(super) fn obey(&mut self, shard: &Shard, epoch: u64, orders: &[v1::Order]) -> Result<(), StoreError> {
        for order in orders {
            match &order.kind {
                Some(order::Kind::KeepCross(order)) => {
                    let fill = Fill {
                        next_bill: 0,
                        bills: self.bills.len(),
                        next_single: 0,
                        singles: self.singles.numbers().len(),
                    };
                    let definition = definition_of(order);
                    let crosses = self.valuer.crosses();
                    let id =
                        crosses.keep(&definition, epoch, Some(fill)).map_err(|what| StoreError::Damaged { what })?;
                    if let Some(id) = id {
                        shard.crosses.borrow_mut().keep(id, epoch);
                    }
                }
                Some(order::Kind::DropCross(order)) => {
                    let id = billwatch_market::aggregate::cross::CrossId(order.cross);
                    self.valuer.crosses().drop(id);
                    shard.crosses.borrow_mut().drop(id);
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
        while let Some(at) = self.valuer.crosses().next_fill() {
            let (lives, to) = self.next_lives(at, lives_at_once);
            for (dense, past) in self.pasts(&lives)? {
                self.fill_life(dense, past.into_iter().map(|past| past.fact).collect(), at);
            }
            self.valuer.crosses().advance(at, to);
            if Instant::now() >= until {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The lives that come next, and the place behind them.
    fn next_lives(&self, at: Fill, at_once: usize) -> (HashSet<Dense>, Fill) {
        if at.next_bill < at.bills {
            let end = at.bills.min(at.next_bill + at_once);
            return ((at.next_bill as Dense..end as Dense).collect(), Fill { next_bill: end, ..at });
        }
        let end = at.singles.min(at.next_single + at_once);
        let singles = (at.next_single as Dense..end as Dense).map(|place| place | SINGLE);
        // One that went on in another is counted with it.
        let lives = singles.filter(|dense| {
            let single = self.singles.get(*dense);
            self.singles.find(single.is_reference, single.root()) == Some(*dense)
        });
        (lives.collect(), Fill { next_single: end, ..at })
    }

    /// Adds a whole life as it is now.
    fn fill_life(&mut self, dense: Dense, records: Vec<Fact>, at: Fill) {
        let home = self.home_of(dense);
        let Lives { valuer, reference, .. } = self;
        let (rules, crosses) = valuer.rules_and_crosses();
        let mut bill = Bill::default();
        for fact in &effective_at(home, records).facts {
            let has_bill = home.bill().is_some();
            let outcome = if has_bill { bill.apply(fact, &rules.laws) } else { without_bill() };
            if crosses.reads(fact.behaviour, &outcome) {
                let seen = Observation::new(fact, &outcome, has_bill.then_some(&bill), reference, &rules.meanings);
                crosses.fill(&seen, at);
            }
        }
    }
}
