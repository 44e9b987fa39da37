//! Papers that a labelled case leaves out: financials (MST.ENF) of who draws much in it, registration for disclosure (DIS.REG)
//! of who accepts much, from its first day on. Without them nearly every large case would alert P145 or P162 besides. The
//! published cases go without: their impostors have no papers.

use std::collections::BTreeMap;

use billwatch_market::fact::{Fact, Field, behaviour};
use billwatch_market::ids::PartyId;

use super::draft::Party;
use super::story::{MILLION, Story};

/// Drawings that ask for financials, and acceptances that ask for registration, fen (the limits of P145 and P162).
const DRAWS_MUCH: i64 = 50 * MILLION;
const ACCEPTS_MUCH: i64 = 10 * MILLION;
/// Patterns whose cases are about who has no financials or no registration.
const ABOUT_PAPERS: [&str; 2] = ["P145", "P162"];

/// Completes a story that is told, before its facts are handed over.
pub fn add_papers(story: &mut Story) {
    if ABOUT_PAPERS.contains(&story.pattern) {
        return;
    }
    let mut drawn: BTreeMap<PartyId, (Party, i64)> = BTreeMap::new();
    let mut accepted = drawn.clone();
    for fact in &story.facts {
        // An acceptor answers the drawer; paper is registered with its whole header.
        let drawer = match fact.behaviour {
            behaviour::ACC_SGN => (Field::CounterpartyId, Field::CounterpartyInst),
            behaviour::PPR_ACC => (Field::DrawerId, Field::DrawerInst),
            _ => continue,
        };
        let amount = fact.amount_sent().unwrap_or(0);
        let acceptor = (Field::InitiatorId, Field::InitiatorInst);
        for (sums, (id, branch)) in [(&mut drawn, drawer), (&mut accepted, acceptor)] {
            if let (Some(id), Some(inst)) = (fact.party(id).filter(|id| id.is_enterprise()), fact.inst(branch)) {
                sums.entry(id).or_insert((Party { id, inst: Some(inst) }, 0)).1 += amount;
            }
        }
    }
    let has = |kind, field, party| {
        story.facts.iter().any(|fact: &Fact| fact.behaviour == kind && fact.party(field) == Some(party))
    };
    drawn.retain(|party, (_, sum)| *sum >= DRAWS_MUCH && !has(behaviour::MST_ENF, Field::EntId, *party));
    accepted.retain(|party, (_, sum)| *sum >= ACCEPTS_MUCH && !has(behaviour::DIS_REG, Field::AcceptorId, *party));
    for (company, _) in drawn.into_values() {
        // As large as those of normal trade: nobody draws beyond its means here unless the case says so.
        story.net_assets(company, 20_000 * MILLION);
    }
    for (acceptor, _) in accepted.into_values() {
        let at = story.reference_time() + 6;
        let fact = story.trade.registry.disclosure_account(at, acceptor);
        story.put(fact);
    }
}
