//! Where a fact belongs: with one bill, with the reference data that everybody reads, or with the cash and order desk.
//!
//! Owns the rule of `ARCHITECTURE.md` ("Scope of a fact"). Invariant: the scope depends on behaviour and bill only. A
//! correction carries both of its target (facts.md 5), so it always meets its target. It need not carry the parties: a
//! revocation may come without any, a replacement may change them.

use crate::{
    books::is_of_book,
    fact::{BEHAVIOUR_READS_BILL, Fact, Field, behaviour},
    ids::{BillId, PartyId},
};

/// The owner of a fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FactScope {
    /// The bill: only the worker of its key group reads the fact.
    Bill(BillId),
    /// Trade background (`MST.TBK`) of one bill: its worker reads it, and every worker keeps it.
    BillAndReference(BillId),
    /// Master data, disclosure, curves: every worker keeps it.
    Reference,
    /// Cash, orders, quotes without a bill: the worker of the key group of this party, which is always `SYSTEM`. Records of
    /// books (`books`): of the holder, for they cannot be corrected.
    Party(PartyId),
}

/// Where a record is resolved with those that share its event id or correct it: one bill, all reference data, or the desk of
/// cash and orders.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Home {
    /// The bill, trade background included.
    Bill(BillId),
    /// Reference data without a bill.
    Reference,
    /// Cash, orders, quotes without a bill; records of books.
    Desk,
}

impl Home {
    /// The bill, where there is one.
    pub fn bill(self) -> Option<BillId> {
        if let Home::Bill(bill) = self { Some(bill) } else { None }
    }
}

/// The home of a record.
pub fn home(fact: &Fact) -> Home {
    match scope(fact) {
        FactScope::Bill(bill) | FactScope::BillAndReference(bill) => Home::Bill(bill),
        FactScope::Reference => Home::Reference,
        FactScope::Party(_) => Home::Desk,
    }
}

/// The scope of a fact. A `bill_id` that the behaviour does not list in `payloads.csv` is read by nobody, so not here.
pub fn scope(fact: &Fact) -> FactScope {
    if is_of_book(fact) {
        return FactScope::Party(fact.party(Field::HolderId).unwrap_or(PartyId::SYSTEM));
    }
    let number = usize::from(fact.behaviour.0);
    let bill = fact.bill_id.filter(|_| BEHAVIOUR_READS_BILL.get(number).copied().unwrap_or(false));
    let group = &fact.behaviour.code()[..4];
    match bill {
        Some(bill) if fact.behaviour == behaviour::MST_TBK => FactScope::BillAndReference(bill),
        Some(bill) => FactScope::Bill(bill),
        None if matches!(group, "MST." | "REF." | "DIS.") => FactScope::Reference,
        // One home for all of them: these facts are few, and their corrections need not name the party.
        None => FactScope::Party(PartyId::SYSTEM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        arbitrary::plain_fact,
        fact::{Behaviour, CorrectionKind},
    };

    #[test]
    fn each_behaviour_has_its_home() {
        let bill = BillId::parse("531333100011720250310000000012").unwrap();
        let of = |code: &str, bill_id: Option<BillId>| {
            scope(&Fact { bill_id, ..plain_fact(Behaviour::parse(code).expect(code)) })
        };
        assert_eq!(of("END.SGN", Some(bill)), FactScope::Bill(bill));
        assert_eq!(of("DIS.BIL", Some(bill)), FactScope::Bill(bill));
        assert_eq!(of("MST.TBK", Some(bill)), FactScope::BillAndReference(bill));
        assert_eq!(of("MST.TBK", None), FactScope::Reference);
        assert_eq!(of("MST.ENR", None), FactScope::Reference);
        assert_eq!(of("REF.CRV", None), FactScope::Reference);
        assert_eq!(of("DIS.SUS", None), FactScope::Reference);
        assert_eq!(of("DIS.SUS", Some(bill)), FactScope::Reference, "a bill that the behaviour does not list");
        assert_eq!(of("CSH.QUE", Some(bill)), FactScope::Bill(bill));
        assert_eq!(of("CSH.DEP", None), FactScope::Party(PartyId::SYSTEM));
        assert_eq!(of("END.BAT", None), FactScope::Party(PartyId::SYSTEM));
    }

    #[test]
    fn a_correction_meets_its_target() {
        for number in 0..BEHAVIOUR_READS_BILL.len() {
            let target = plain_fact(Behaviour(number as u16));
            let mut revoke = target.clone();
            revoke.event_id += 1;
            revoke.correction = Some((CorrectionKind::Revoke, target.event_id));
            revoke.fields.clear();
            assert_eq!(scope(&revoke), scope(&target), "{}", target.behaviour);
        }
    }
}
