//! One labelled case told alone: the example of a pattern, among reference data and without normal trade.

use std::collections::BTreeSet;

use billwatch_market::books;
use billwatch_market::fact::{ControlKind, EventId, Fact};

use super::{
    Settings, Simulator,
    label::Label,
    misbehaviour::{Misbehaviour, injectors},
};

/// Normal trade is not told, but its world is made for a market of this size.
const WORLD_FACTS: u64 = 10_000;

/// A case and everything that it happens in.
pub struct Told {
    /// Every fact in the order of sending, reference data included.
    pub facts: Vec<Fact>,
    /// The facts of the case itself, and the registration of its parties.
    pub own: BTreeSet<EventId>,
    /// Its labels.
    pub labels: Vec<Label>,
    /// The market clock when all is over, ms.
    pub clock: i64,
}

/// Tells the first positive case, or the first near miss, of a pattern. `None` when no case is known.
pub fn told_alone(pattern: &str, positive: bool) -> Option<Told> {
    let injector = injectors().find(|injector| injector.pattern == pattern)?;
    let mut simulator = Simulator::new(Settings { days: 7, ..Settings::new(WORLD_FACTS, 1) });
    simulator.bills_left = 0;
    let first_day = simulator.trade.calendar.roll(simulator.settings.start.plus(1));
    simulator.misbehaviour = Some(Misbehaviour::of_one(injector, positive, first_day));
    let (mut facts, mut clock) = (Vec::new(), i64::MIN);
    for record in simulator.by_ref() {
        match books::read(record) {
            Ok(fact) => facts.push(fact),
            // All sources say the same times, and the last one stands for the end of the market.
            Err(control) => {
                if let ControlKind::Watermark(time) = control.kind {
                    clock = time;
                }
            }
        }
    }
    let cases = simulator.misbehaviour?;
    Some(Told { facts, own: cases.told().clone(), labels: cases.labels().to_vec(), clock })
}
