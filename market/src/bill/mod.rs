//! The bill fold: what a fact does to a bill (facts.md 3, 4, 9).
//!
//! A [`Bill`] is the fold of its facts in the order of [`OrderKey`]. Invariants, whatever facts arrive:
//! - the lots of a made bill, live and ended, cover `1..=face_fen` exactly once, in order (indivisible: one lot, `0-0`);
//! - lots are cut and end, they are never merged and never dropped;
//! - only an APPLIED fact changes a lot, and the changes of its [`Outcome`] sum to the change of stock;
//! - the fold reads nothing but the facts and the [`Laws`]: no clock, no master data.
//!
//! Begin with [`Bill::apply`] (in `fold`). `laws` turns the tables into rules, `checks` tests a fact in the order of facts.md 4.2,
//! `act` says what an applied fact does to one lot.

mod act;
mod checks;
mod fold;
mod header;
mod journal;
mod laws;
mod lot;
mod outcome;
mod packed;
mod state;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub(crate) use self::{act::settles, laws::may_cut};
pub use self::{
    header::{BillKind, Disclosure, Header, NOT_TRANSFERABLE, TextHash, makes_bill},
    journal::{Happened, Journal},
    laws::{Laws, LawsError},
    lot::{Agreement, Lot, Marks, Notice, Rare, RepoDeal, Request, Step, Surety},
    outcome::{Answered, Cut, Effect, LotChange, Outcome},
    state::{Flag, PayState, Risk, Status},
};
use crate::fact::OrderKey;

/// A bill after the facts folded so far.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Bill {
    /// The face; `None` until an ISS.REG or PPR.ACC was applied.
    pub header: Option<Header>,
    /// Live and ended lots, by range.
    pub lots: SmallVec<[Lot; 1]>,
    /// Key of the last fact folded, whatever its effect.
    pub last: Option<OrderKey>,
    /// What happened when.
    pub journal: Journal,
    /// The latest disclosure of the acceptance.
    pub disclosure: Option<Box<Disclosure>>,
}

impl Bill {
    /// Lots that have not ended.
    pub fn live_lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.iter().filter(|lot| lot.is_live())
    }

    /// Bytes that the bill holds outside itself. A lineage shared by several lots counts once a lot.
    pub fn heap_bytes(&self) -> usize {
        let lots = if self.lots.spilled() { self.lots.capacity() * size_of::<Lot>() } else { 0 };
        let inside: usize = self.lots.iter().map(Lot::heap_bytes).sum();
        let disclosure = self.disclosure.as_ref().map_or(0, |_| size_of::<Disclosure>());
        lots + inside + self.journal.heap_bytes() + disclosure
    }
}
