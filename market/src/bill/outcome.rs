//! What one fact did to a bill: its effect (facts.md 4.2), the lots before and after, the cuts, the request answered.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::lot::{Lot, Request};
use crate::{
    fact::{Behaviour, EventId, Range},
    ids::PartyId,
};

/// Effect of an accepted fact on its bill. WAITING and REVOKED are no outcome of the fold: `corrections` says them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Effect {
    /// Legal and done.
    Applied,
    /// Behaviour without state.
    Informational,
    /// Range and amount do not fit the bill.
    BadRange,
    /// No bill, no live lot, or no legal transition.
    IllegalState,
    /// The request, deal or agreement answered is not open on the range.
    NoOpenRequest,
    /// The sender is not the one whom the state names.
    WrongParty,
    /// A risk flag forbids it.
    BlockedByRisk,
}

impl Effect {
    /// Every effect, in the order of the enum.
    pub const ALL: [Effect; 7] = [
        Effect::Applied,
        Effect::Informational,
        Effect::BadRange,
        Effect::IllegalState,
        Effect::NoOpenRequest,
        Effect::WrongParty,
        Effect::BlockedByRisk,
    ];

    /// Name as in facts.md.
    pub const fn name(self) -> &'static str {
        match self {
            Effect::Applied => "APPLIED",
            Effect::Informational => "INFORMATIONAL",
            Effect::BadRange => "BAD_RANGE",
            Effect::IllegalState => "ILLEGAL_STATE",
            Effect::NoOpenRequest => "NO_OPEN_REQUEST",
            Effect::WrongParty => "WRONG_PARTY",
            Effect::BlockedByRisk => "BLOCKED_BY_RISK",
        }
    }

    /// Flow measures, windows and patterns read these facts (facts.md 4.2, last paragraph).
    pub const fn counts(self) -> bool {
        matches!(self, Effect::Applied | Effect::Informational)
    }
}

/// One lot before and after the fact.
///
/// The sum over the changes of one outcome of `-before +after` is exactly the change of stock:
/// - a new bill: `None -> lot`;
/// - a lot acted on whole: `lot -> lot` (also when nothing but `last_behaviour` changed);
/// - a lot that was cut: `lot -> part acted on`, and `None -> remainder` for each remainder.
///
/// So the entries with a `before`, and the new lot of a new bill, are the lots that the fact acted on, in range order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LotChange {
    /// State before; `None` for a new lot and for a remainder.
    pub before: Option<Lot>,
    /// State after. Always present: lots end, they are never dropped.
    pub after: Lot,
    /// Left over by a cut: the fact did not act on it.
    pub remainder: bool,
}

/// A derived SPL fact (facts.md 3): time and source are those of the fact that made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// SPL.OUT (the part), SPL.REM (a remainder) or SPL.RST (the part of a request that ended without success).
    pub behaviour: Behaviour,
    /// The part.
    pub range: Range,
    /// Its holder.
    pub holder: PartyId,
}

impl Cut {
    /// Identity of the derived fact: (event id of the fact that made it, code, first sub-bill).
    pub fn identity(&self, made_by: EventId) -> (EventId, Behaviour, u64) {
        (made_by, self.behaviour, self.range.start)
    }
}

/// The request, deal or agreement that an applied fact answered or went on with, taken from the first lot of its range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    /// An open request, or the presentation in course (PAY.*).
    Request(Request),
    /// An open repo-like deal: (seller, buyer).
    Deal {
        /// Who redeems.
        seller: PartyId,
        /// Who lent.
        buyer: PartyId,
    },
    /// A pending agree-to-settle, or an open notice: the debtor.
    Recourse {
        /// Who owes.
        debtor: PartyId,
    },
}

/// What one fact did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Its effect.
    pub effect: Effect,
    /// Lots acted on and remainders, in range order; empty unless APPLIED.
    pub changes: SmallVec<[LotChange; 1]>,
    /// Derived SPL facts.
    pub cuts: SmallVec<[Cut; 3]>,
    /// What it answered; for roles that the fact does not name itself.
    pub answered: Option<Answered>,
}

impl Outcome {
    /// An outcome without any change.
    pub(super) fn none(effect: Effect) -> Self {
        Outcome { effect, changes: SmallVec::new(), cuts: SmallVec::new(), answered: None }
    }

    /// True when the fact changed, or confirmed, state.
    pub fn is_applied(&self) -> bool {
        self.effect == Effect::Applied
    }

    /// The lots that the fact acted on: all changes but the remainders.
    pub fn acted(&self) -> impl Iterator<Item = &LotChange> {
        self.changes.iter().filter(|change| !change.remainder)
    }
}
