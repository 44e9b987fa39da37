//! Questions that read the whole history: taken down when they come, worked on between epochs, one after the other.
//!
//! All that an answer says holds at the epoch of its question: lives, reference data and the clock are noted then, and facts
//! accepted later are left out.

use std::{rc::Rc, time::Instant};

use billwatch_market::reference_data::Reference;
use billwatch_proto::v1;

use super::{counting::Counting, reports};
use crate::shard::Shard;

/// A question that is being worked on.
pub enum Reading {
    /// Figures of reports.
    Report(Box<reports::Reading>),
    /// Distinct counts of cells.
    Count(Box<Counting>),
}

impl Reading {
    /// Reads on until an instant. True when the answer was handed over.
    pub fn go_on(&mut self, shard: &Shard, until: Instant, mut give: impl FnMut(v1::ShardAnswer)) -> bool {
        match self {
            Reading::Report(reading) => reading.go_on(shard, until).map(&mut give).is_some(),
            Reading::Count(counting) => counting.go_on(shard, until, give),
        }
    }

    fn reference(&self) -> &Rc<Reference> {
        match self {
            Reading::Report(reading) => reading.reference(),
            Reading::Count(counting) => counting.reference(),
        }
    }
}

/// Reference data as they are. Questions that wait at one version of them share a copy: it is some hundred bytes an enterprise.
pub fn reference_of(shard: &Shard, reference: &Reference) -> Rc<Reference> {
    let readings = shard.readings.borrow();
    let same = readings.iter().map(Reading::reference).find(|known| known.version() == reference.version());
    same.cloned().unwrap_or_else(|| Rc::new(reference.clone()))
}
