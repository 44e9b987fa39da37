//! When a behaviour first and last happened to a bill, and how often: what bill-scope patterns ask most.
//!
//! Counts facts with effect APPLIED, or INFORMATIONAL where the behaviour has no state. Only behaviours that rules ask
//! about are kept ([`is_kept`]); the others cost nothing.

use serde::{Deserialize, Serialize};

use crate::{
    fact::{BEHAVIOUR_CODES, Behaviour, Fact},
    ids::Day,
};

/// One behaviour in the life of a bill.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Happened {
    /// Business date of the first fact, by order.
    pub first_on: Day,
    /// Business date of the last fact, by order.
    pub last_on: Day,
    /// Which behaviour.
    pub behaviour: Behaviour,
    /// Number of facts; stops at 65535.
    pub count: u16,
}

/// What happened to a bill, in order of first happening.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Journal(pub(super) Vec<Happened>);

impl Journal {
    /// What is known about a behaviour; `None` when it never happened or is not kept.
    pub fn get(&self, behaviour: Behaviour) -> Option<Happened> {
        self.0.iter().find(|known| known.behaviour == behaviour).copied()
    }

    /// True when the behaviour happened.
    pub fn has(&self, behaviour: Behaviour) -> bool {
        self.get(behaviour).is_some()
    }

    /// Everything, in order of first happening.
    pub fn iter(&self) -> impl Iterator<Item = Happened> {
        self.0.iter().copied()
    }

    pub(super) fn note(&mut self, fact: &Fact) {
        match self.0.iter_mut().find(|known| known.behaviour == fact.behaviour) {
            Some(known) => {
                known.last_on = fact.biz_date;
                known.count = known.count.saturating_add(1);
            }
            None => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(2);
                }
                self.0.push(Happened {
                    first_on: fact.biz_date,
                    last_on: fact.biz_date,
                    behaviour: fact.behaviour,
                    count: 1,
                });
            }
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Happened>()
    }
}

/// Behaviours outside payment, recourse and loss-freeze whose first or last date a rule asks for.
const KEPT: [&str; 17] = [
    "ISS.REG", "ISS.RVK", "ACC.REQ", "ACC.SGN", "ACC.CNL", "RCV.SGN", "RCV.CLR", "NTR.SGN", "PLG.SGN", "PLR.SGN",
    "DSC.SET", "IBT.SET", "RPO.SET", "BRP.SET", "PPR.ACC", "PPR.DSC", "DIS.BIL",
];

/// True when the journal keeps the behaviour: the list above, and all of PAY.*, RCS.*, PDR.*, LSF.*.
pub(super) fn is_kept(behaviour: Behaviour) -> bool {
    let code = BEHAVIOUR_CODES[usize::from(behaviour.0)];
    KEPT.contains(&code) || ["PAY.", "RCS.", "PDR.", "LSF."].iter().any(|group| code.starts_with(group))
}
