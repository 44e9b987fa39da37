//! Enterprises that hang together by what they registered, and names that others must not come close to.
//!
//! Two small indices that readings "of others" go through: who shares an address or a legal representative (P152), and whose
//! names are protected (P148). Both hold whoever ever did, so they only grow; what counts at an instant is read from the
//! enterprises themselves. Who is read so is told to [`super::Touched`], since the facts that read him do not name him.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{Enterprise, Reference, Subject, Touched};
use crate::{
    company_names::{core, edits, token},
    ids::{Day, PartyId},
    items::Row,
};

/// What enterprises may share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shared {
    /// Hash of the registered address.
    Address(u64),
    /// Legal representative.
    LegalRepresentative(PartyId),
}

impl Shared {
    fn of(enterprise: &Enterprise) -> impl Iterator<Item = Shared> {
        let representative = enterprise.legal_rep.map(Shared::LegalRepresentative);
        enterprise.address.map(Shared::Address).into_iter().chain(representative)
    }
}

/// What is compared of a protected name.
#[derive(Clone)]
pub(super) struct ProtectedName {
    core: String,
    token: Option<String>,
}

/// The indices.
#[derive(Clone, Default)]
pub(super) struct Kin {
    sharers: HashMap<Shared, SmallVec<[PartyId; 1]>>,
    /// Ascending.
    protected: Vec<PartyId>,
    names: HashMap<Box<str>, ProtectedName>,
}

impl Kin {
    /// A party is protected from some instant on. Its versions are to be noted then.
    pub fn protect(&mut self, party: PartyId) {
        if let Err(place) = self.protected.binary_search(&party) {
            self.protected.insert(place, party);
        }
    }

    /// Takes in the versions of an enterprise before or after a change; tells whom the change touches.
    pub fn note<'a>(
        &mut self,
        party: PartyId,
        versions: impl Iterator<Item = &'a Enterprise>,
        protecting_flags: u32,
        from: i64,
        touched: &mut Touched,
    ) {
        for version in versions {
            for shared in Shared::of(version) {
                let sharers = self.sharers.entry(shared).or_default();
                if !sharers.contains(&party) {
                    sharers.push(party);
                }
                let others = sharers.iter().filter(|other| **other != party);
                touched.subjects.extend(others.map(|other| (Subject::Party(*other), from)));
            }
            if version.special_flags & protecting_flags != 0 {
                self.protect(party);
            }
            if let Some(name) = version.name.as_deref()
                && self.protected.binary_search(&party).is_ok()
                && !self.names.contains_key(name)
            {
                let core = core(name);
                let token = token(&core);
                self.names.insert(name.into(), ProtectedName { core, token });
            }
        }
        self.touch_names(party, from, touched);
    }

    /// Something changed about a party: when it is protected, whoever is compared with it is touched.
    pub fn touch_names(&self, party: PartyId, from: i64, touched: &mut Touched) {
        if self.protected.binary_search(&party).is_ok() {
            touched.add(Subject::Names, from);
        }
    }
}

impl Reference {
    /// How many enterprises have the same address (or representative) as one, itself included, at an instant; `None` when it
    /// has none.
    pub fn sharing(&self, party: PartyId, address: bool, at: i64) -> Option<usize> {
        let own = self.enterprise(party, at)?;
        let shared = if address { Shared::Address(own.address?) } else { Shared::LegalRepresentative(own.legal_rep?) };
        let has_it = |other: &&PartyId| {
            self.enterprise(**other, at).is_some_and(|other| Shared::of(other).any(|its| its == shared))
        };
        Some(self.kin.sharers.get(&shared)?.iter().filter(has_it).count())
    }

    /// Whoever ever shared something with an enterprise.
    pub fn sharers(&self, party: PartyId) -> Vec<PartyId> {
        let versions = self.enterprises.get(&party).into_iter().flat_map(|history| history.versions());
        let shared = versions.flat_map(Shared::of).filter_map(|shared| self.kin.sharers.get(&shared));
        shared.flatten().copied().collect()
    }

    /// Whose names ever were protected.
    pub fn protected(&self) -> &[PartyId] {
        &self.kin.protected
    }

    fn is_protected(&self, party: PartyId, enterprise: &Enterprise, at: i64, date: Day) -> bool {
        let heads = |relation: &super::Relation| relation.kind == self.rows.parent && relation.validity.holds(date);
        enterprise.special_flags & self.rows.protecting_flags != 0
            || self.relations(party, at).iter().any(|entry| heads(&entry.value))
    }

    /// Province of the first enterprise, by id, with a protected name that an enterprise of another group comes close to: at
    /// least `likeness` (top, bottom) of the letters of their cores agree, or the other's token stands in its core. A token of
    /// fewer letters than `inner` stands in many names by accident: it must begin or end the enterprise's own. `None`: no such name.
    pub fn lookalike_province(
        &self,
        party: PartyId,
        (likeness, inner): ((i128, i128), usize),
        at: i64,
        date: Day,
    ) -> Option<Row> {
        if self.kin.protected.is_empty() {
            return None;
        }
        let name = core(self.enterprise(party, at)?.name.as_deref()?);
        let group = self.group(party, at, date);
        let letters = name.chars().count();
        let own = token(&name);
        let bears = |token: &String| {
            if token.chars().count() < inner {
                own.as_ref().is_some_and(|own| own.starts_with(token.as_str()) || own.ends_with(token.as_str()))
            } else {
                name.contains(token.as_str())
            }
        };
        self.kin.protected.iter().filter(|other| **other != party).find_map(|other| {
            let enterprise = self.enterprise(*other, at)?;
            let known = self.kin.names.get(enterprise.name.as_deref()?)?;
            let longest = letters.max(known.core.chars().count());
            // A product that leaves 128 bits belongs to no likeness.
            let agree = |edits: usize| {
                let sides = ((longest - edits) as i128).checked_mul(likeness.1);
                sides.zip(likeness.0.checked_mul(longest as i128)).is_some_and(|(has, wanted)| has >= wanted)
            };
            let close = !known.core.is_empty()
                && (known.token.as_ref().is_some_and(bears)
                    || (agree(longest - letters.min(known.core.chars().count())) && agree(edits(&name, &known.core))));
            let is_own = || group.is_some() && group == self.group(*other, at, date);
            (close && self.is_protected(*other, enterprise, at, date) && !is_own()).then_some(enterprise.province)
        })
    }
}
