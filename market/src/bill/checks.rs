//! The tests of facts.md 4.2, in their order: range, state, open request, sender, risk.

use super::{
    header::{Header, TextHash},
    laws::{BehaviourLaw, Recourse, Sender},
    lot::{Lot, Request},
    outcome::Effect,
    state::{Flag, Risk},
};
use crate::{
    catalogue::calendar::Calendar,
    fact::{Fact, Field, Range, behaviour},
    ids::PartyId,
};

/// A fact and what is read from it more than once.
pub(super) struct Reading<'a> {
    pub fact: &'a Fact,
    pub law: &'a BehaviourLaw,
    pub calendar: &'a Calendar,
    pub initiator: Option<PartyId>,
    pub counterparty: Option<PartyId>,
}

impl<'a> Reading<'a> {
    pub fn new(fact: &'a Fact, law: &'a BehaviourLaw, calendar: &'a Calendar) -> Self {
        Reading { fact, law, calendar, initiator: fact.initiator(), counterparty: fact.counterparty() }
    }

    /// The party whose debt a recourse fact is about.
    pub fn debtor(&self) -> Option<PartyId> {
        match self.law.recourse {
            Recourse::Nothing => None,
            Recourse::Notifies | Recourse::EndsNotice | Recourse::AgreementOfCounterparty => self.counterparty,
            Recourse::Agrees | Recourse::PaysPart | Recourse::AgreementOfInitiator => self.initiator,
            Recourse::AgreementOfDebtor => self.fact.party(Field::DebtorId),
        }
    }

    /// The debtor; when an answer to an agreement names nobody (P179), the one who agreed.
    pub fn debtor_on(&self, lot: &Lot) -> Option<PartyId> {
        let agreed = || lot.agreement().map(|agreement| agreement.debtor);
        match self.law.recourse {
            Recourse::AgreementOfCounterparty => self.debtor().or_else(agreed),
            _ => self.debtor(),
        }
    }

    /// The deal named by the fact is another than this one. A fact that names none fits any.
    fn is_other_deal(&self, open: Option<TextHash>) -> bool {
        open.is_some_and(|open| self.fact.text(Field::DealId).is_some_and(|deal| TextHash::of(deal) != open))
    }
}

/// BAD_RANGE: amount and range disagree, or they do not fit the bill.
pub(super) fn range_fits(fact: &Fact, header: &Header) -> bool {
    let length = if header.divisible {
        let face = u64::try_from(header.face_fen).unwrap_or(0);
        if fact.range.start == 0 || fact.range.start > fact.range.end || fact.range.end > face {
            return false;
        }
        fact.range.length()
    } else if fact.range == Range::WHOLE {
        u64::try_from(header.face_fen).unwrap_or(0)
    } else {
        return false;
    };
    fact.amount_sent().is_none_or(|amount| u64::try_from(amount) == Ok(length))
}

/// ILLEGAL_STATE of one lot: it has ended, or no transition starts from its state.
pub(super) fn is_legal(lot: &Lot, law: &BehaviourLaw) -> bool {
    lot.is_live() && law.transitions.iter().any(|row| row.admits(lot.status, lot.flag, lot.risk))
}

/// The first of the later tests that one legal lot fails.
pub(super) fn first_failure(lot: &Lot, header: &Header, reading: &Reading<'_>) -> Option<Effect> {
    if !is_request_open(lot, reading) {
        Some(Effect::NoOpenRequest)
    } else if !is_sender_right(lot, header, reading) {
        Some(Effect::WrongParty)
    } else if reading.law.blocked_by_risk && lot.risk != Risk::Normal {
        Some(Effect::BlockedByRisk)
    } else {
        None
    }
}

fn is_request_open(lot: &Lot, reading: &Reading<'_>) -> bool {
    let law = reading.law;
    match lot.flag {
        Flag::Locked if !law.answers.is_empty() => lot
            .request
            .as_ref()
            .is_some_and(|request| law.answers.contains(&request.behaviour) && !reading.is_other_deal(request.deal)),
        Flag::AwaitingRedemption => law.redeems.is_none_or(|opened_by| {
            lot.repo().is_some_and(|deal| deal.behaviour == opened_by && !reading.is_other_deal(deal.deal))
        }),
        Flag::InRecourse => is_claim_open(lot, reading),
        _ => true,
    }
}

fn is_claim_open(lot: &Lot, reading: &Reading<'_>) -> bool {
    let debtor = reading.debtor_on(lot);
    let notified = || lot.notices().iter().any(|notice| notice.debtor == debtor);
    let pending = lot.agreement().map(|agreement| agreement.debtor);
    match reading.law.recourse {
        Recourse::Nothing | Recourse::Notifies => true,
        Recourse::EndsNotice | Recourse::PaysPart => notified(),
        Recourse::Agrees => notified() && pending.is_none_or(|pending| Some(pending) == debtor),
        Recourse::AgreementOfCounterparty | Recourse::AgreementOfInitiator | Recourse::AgreementOfDebtor => {
            pending.is_some() && pending == debtor
        }
    }
}

fn is_sender_right(lot: &Lot, header: &Header, reading: &Reading<'_>) -> bool {
    let sender = reading.initiator;
    let request = lot.request.as_ref();
    let may_answer = || request.and_then(Request::answerer).is_none_or(|answerer| sender == Some(answerer));
    match reading.law.sender {
        Sender::Anybody => true,
        Sender::Holder => sender == Some(lot.holder),
        Sender::Presenter if lot.flag == Flag::Pledged => sender == lot.pledgee(),
        Sender::Presenter => sender == Some(lot.holder),
        Sender::Pledgee => sender.is_some() && sender == lot.pledgee(),
        Sender::Drawer => sender == Some(header.drawer),
        Sender::Acceptor => sender == Some(header.acceptor),
        Sender::Payee => sender == Some(header.payee),
        Sender::Creditor => is_creditor(lot, sender),
        Sender::Answerer => may_answer(),
        Sender::Requester => request.is_none_or(|request| sender == Some(request.requester)),
        Sender::EitherSide => sender == Some(lot.holder) || may_answer(),
        Sender::DealSeller => lot.repo().is_none_or(|deal| sender == Some(deal.seller)),
        Sender::DealBuyer => lot.repo().is_none_or(|deal| sender == Some(deal.buyer)),
        Sender::System => are_named_parties_right(lot, reading.fact),
    }
}

fn is_creditor(lot: &Lot, party: Option<PartyId>) -> bool {
    party.is_some() && (party == Some(lot.holder) || party == lot.pledgee())
}

/// What the system sends names the parties: each that it names must be the one of the state.
fn are_named_parties_right(lot: &Lot, fact: &Fact) -> bool {
    let fits = |field: Field, expected: Option<PartyId>| match (fact.party(field), expected) {
        (Some(named), Some(expected)) => named == expected,
        _ => true,
    };
    let deal = lot.repo().filter(|_| lot.flag == Flag::AwaitingRedemption);
    let other_side = match deal {
        Some(deal) => Some(deal.buyer),
        None => lot.request.as_ref().and_then(Request::answerer),
    };
    let redeems_bought_bill = matches!(fact.behaviour, behaviour::BRP_RED | behaviour::BRP_RDF);
    let seller = deal.filter(|_| redeems_bought_bill).map_or(lot.holder, |deal| deal.seller);
    fits(Field::SellerId, Some(seller))
        && fits(Field::ApplicantId, Some(lot.holder))
        && fact.party(Field::CreditorId).is_none_or(|creditor| is_creditor(lot, Some(creditor)))
        && fits(Field::BuyerId, other_side)
        && fits(Field::DiscounterId, other_side)
}
