//! What an applied fact does to one lot: status, flag, risk; request; holder; payment; pledge, repo, recourse, sureties.

use std::sync::Arc;

use super::{
    checks::Reading,
    header::{Header, NOT_TRANSFERABLE, TextHash},
    laws::{BehaviourLaw, Condition, Recourse, Transition},
    lot::{Agreement, Lot, Notice, RepoDeal, Request, Step, Surety, share},
    state::{Flag, PayState, Status},
};
use crate::{
    defaults::redeem_date,
    fact::{Fact, Field, behaviour},
    ids::{Code, Day, InstId, PartyId},
};

/// Days from the due date within which a presentation is in time (domain.md 7).
const PRESENTATION_DAYS: i32 = 10;

/// Quote methods of a listing and of an offer in discount-through (derived.csv `event.quote_method`).
const LISTED: Code = Code::of("QM05");
const OFFERED: Code = Code::of("QM02");

/// Reasons of PAY.REJ that make no overdue event (derived.csv `overdue event`).
const EXCUSED: [Code; 7] = [
    Code::of("DC00"),
    Code::of("DC01"),
    Code::of("DC02"),
    Code::of("DC03"),
    Code::of("DC04"),
    Code::of("DC06"),
    Code::of("DC07"),
];

const OFFLINE: Code = Code::of("OFFLINE");

/// Changes a lot that passed every test.
pub(super) fn act(lot: &mut Lot, header: &Header, reading: &Reading<'_>) {
    let before = (lot.status, lot.flag, lot.risk, lot.pay_state, lot.holder, lot.holder_inst);
    let request = lot.request;
    let law = reading.law;
    let (to, risk) = next(lot, header, reading);
    if let Some((status, flag)) = to {
        lot.status = status;
        lot.flag = flag;
    }
    if let Some(Condition::Risk { to: Some(risk), .. }) = risk {
        lot.risk = risk;
    }
    pay(lot, header, reading.fact, request);
    change_request(lot, reading, before.1, before.3);
    change_holder(lot, header, reading, request);
    if law.recourse != Recourse::Nothing || lot.rare.is_some() || touches_rare(reading.fact) {
        change_rare(lot, header, reading, request);
    }
    if !lot.is_live() {
        end(lot, reading.fact);
    }
    lot.last_behaviour = reading.fact.behaviour;
    if touches_rare(reading.fact)
        || before != (lot.status, lot.flag, lot.risk, lot.pay_state, lot.holder, lot.holder_inst)
    {
        lot.changed_on = reading.fact.biz_date;
        lot.changed_at = reading.fact.event_time;
    }
}

/// The transition that holds: the first legal row whose condition is met.
fn next(lot: &Lot, header: &Header, reading: &Reading<'_>) -> (Option<(Status, Flag)>, Option<Condition>) {
    let holds = |row: &&Transition| {
        row.admits(lot.status, lot.flag, lot.risk)
            && match row.condition {
                Condition::Always | Condition::Risk { .. } => true,
                Condition::Transferable(wanted) => wanted != gets_mark(lot, header, reading.fact),
                Condition::LastOpenNotice(wanted) => wanted == (lot.notices().len() <= 1),
                Condition::LastObligor(wanted) => {
                    wanted == (settles(reading.fact) && reading.debtor_on(lot) == Some(header.acceptor))
                }
            }
    };
    let row = reading.law.transitions.iter().find(holds);
    (row.and_then(|row| row.to), row.map(|row| row.condition))
}

/// RCS.SET always, RCS.AGS only when settled off-line (facts.md 4.4).
pub(crate) fn settles(fact: &Fact) -> bool {
    match fact.behaviour {
        behaviour::RCS_SET => true,
        behaviour::RCS_AGS => fact.code(Field::SettlementMethod) == Some(OFFLINE),
        _ => false,
    }
}

/// The receiver gets a bill that may not be transferred (EM01).
fn gets_mark(lot: &Lot, header: &Header, fact: &Fact) -> bool {
    if fact.behaviour == behaviour::RCV_SGN {
        return !header.transferable;
    }
    match fact.code(Field::Transferable) {
        Some(mark) => mark == NOT_TRANSFERABLE,
        None => lot.request.is_some_and(|request| request.non_transferable),
    }
}

fn change_request(lot: &mut Lot, reading: &Reading<'_>, flag_before: Flag, pay_before: PayState) {
    let fact = reading.fact;
    let is_held_open = |flag: Flag| flag == Flag::Locked || flag == Flag::InCollection;
    if reading.law.opens && is_held_open(lot.flag) {
        let requester = match fact.behaviour {
            // The system presents for the one who would have presented.
            behaviour::PAY_AUT => lot.pledgee().unwrap_or(lot.holder),
            _ => reading.initiator.unwrap_or(PartyId::SYSTEM),
        };
        // The other side of a mandate is the applicant; the discounter is known only at the deal.
        let counterparty = reading.counterparty.filter(|_| fact.behaviour != behaviour::DTH_ENT);
        lot.request = Some(Request {
            behaviour: fact.behaviour,
            requester,
            counterparty,
            deal: fact.text(Field::DealId).map(TextHash::of),
            since: fact.event_time,
            since_date: fact.biz_date,
            flag_before,
            pay_before,
            non_transferable: fact.code(Field::Transferable) == Some(NOT_TRANSFERABLE),
            cut: false,
            mode: match fact.behaviour {
                behaviour::RDC_BRQ | behaviour::RDC_RRQ => fact.code(Field::RediscountPurpose),
                _ => fact.code(Field::QuoteMethod),
            },
            queued_at: None,
        });
    } else if !is_held_open(lot.flag) {
        lot.request = None;
    } else if let Some(request) = &mut lot.request {
        match fact.behaviour {
            // The first to click fixes the buyer.
            behaviour::IBT_CKH if request.answerer().is_none() => request.counterparty = reading.initiator,
            behaviour::DTH_DEL => {
                request.counterparty = fact.party(Field::DiscounterId).or(request.counterparty);
                request.deal = fact.text(Field::DealId).map(TextHash::of).or(request.deal);
            }
            behaviour::PAY_QUE => request.queued_at = request.queued_at.or(Some(fact.event_time)),
            // The mandate comes before the quote: what opens the deal is the listing or the offer.
            behaviour::DTH_LST => request.mode = fact.code(Field::QuoteMethod).or(Some(LISTED)),
            behaviour::DTH_QTE => request.mode = fact.code(Field::QuoteMethod).or(Some(OFFERED)),
            _ => {}
        }
    }
}

fn change_holder(lot: &mut Lot, header: &Header, reading: &Reading<'_>, request: Option<Request>) {
    let fact = reading.fact;
    let named = |holder: Field, inst: Field| fact.party(holder).map(|holder| (holder, fact.inst(inst)));
    let sender = || reading.initiator.map(|holder| (holder, fact.inst(Field::InitiatorInst)));
    let seller = || lot.repo().map(|deal| (deal.seller, deal.seller_inst));
    let answerer = || request.and_then(|request| request.answerer()).map(|party| (party, None));
    let next = match fact.behaviour {
        behaviour::RCV_SGN => {
            let inst = fact.inst(Field::InitiatorInst).or(header.payee_inst);
            Some((header.payee, inst))
        }
        behaviour::END_SGN | behaviour::DSR_SGN | behaviour::PPR_DSC => sender(),
        behaviour::DSC_SET => named(Field::DiscounterId, Field::DiscounterInst).or_else(answerer),
        behaviour::IBT_SET | behaviour::BRP_SET | behaviour::RDC_BST | behaviour::RDC_SEL => {
            named(Field::BuyerId, Field::BuyerInst).or_else(answerer)
        }
        behaviour::LSF_TRF | behaviour::SDN_ACK | behaviour::SDN_RET => named(Field::NewHolderId, Field::NewHolderInst),
        behaviour::DRD_SGN | behaviour::BRP_RED => seller(),
        behaviour::RCS_SET if lot.is_live() => named(Field::DebtorId, Field::DebtorInst),
        behaviour::RCS_AGS if lot.is_live() && settles(fact) => {
            reading.debtor_on(lot).map(|debtor| (debtor, fact.inst(Field::CounterpartyInst)))
        }
        behaviour::CST_MIG => {
            lot.marks.set_migrated();
            None
        }
        behaviour::CST_TRF => {
            lot.holder_inst = fact.inst(Field::NewHolderInst).or(lot.holder_inst);
            None
        }
        _ => None,
    };
    if let Some((holder, inst)) = next {
        hand_over(lot, holder, inst, fact);
    }
}

fn hand_over(lot: &mut Lot, holder: PartyId, inst: Option<InstId>, fact: &Fact) {
    let rate = fact.int(Field::RateE4);
    let step = Step::new(holder, fact.event_time, fact.biz_date, fact.behaviour, rate);
    lot.lineage = lot.lineage.iter().copied().chain(std::iter::once(step)).collect();
    lot.holder = holder;
    lot.holder_inst = inst;
    lot.since = fact.biz_date;
    if fact.behaviour == behaviour::END_SGN {
        lot.hops = lot.hops.saturating_add(1);
    }
}

/// Payment state, presentation and overdue (derived.csv `lot.pay_state`, `lot.presented_in_time`, `overdue event`).
fn pay(lot: &mut Lot, header: &Header, fact: &Fact, presentation: Option<Request>) {
    let refused = if lot.presented_in_time() { PayState::RefusedAll } else { PayState::RefusedLimited };
    let state = match fact.behaviour {
        behaviour::PAY_REQ | behaviour::PAY_AUT | behaviour::PAY_LRQ | behaviour::PAY_ERQ => PayState::Presented,
        behaviour::PAY_WDR => presentation.map_or(lot.pay_state, |request| request.pay_before),
        behaviour::PAY_ERJ => PayState::RefusedNoRecourse,
        behaviour::PAY_REJ | behaviour::PAY_LRJ => refused,
        behaviour::PAY_FLD => PayState::Failed,
        behaviour::PAY_SET | behaviour::PAY_ESG | behaviour::PPR_CLS => PayState::Paid,
        behaviour::PAY_SUB => PayState::PaidBySubstitute,
        _ => lot.pay_state,
    };
    lot.pay_state = state;
    if matches!(fact.behaviour, behaviour::PAY_REJ | behaviour::PAY_LRJ) {
        let reason = fact.code(Field::DishonourReason);
        if lot.dishonour_reason() != reason {
            lot.rare_mut().dishonour_reason = reason;
            lot.tidy();
        }
    }
    match fact.behaviour {
        behaviour::PAY_REQ | behaviour::PAY_AUT | behaviour::PAY_LRQ => present(lot, header, fact),
        behaviour::PAY_SGN | behaviour::PAY_ASG | behaviour::PAY_LSG | behaviour::PAY_LRJ | behaviour::PAY_WDR => {
            answer(lot, fact.biz_date);
        }
        behaviour::PAY_REJ => {
            answer(lot, fact.biz_date);
            let excused = fact.code(Field::DishonourReason).is_some_and(|reason| EXCUSED.contains(&reason));
            if !excused {
                fall_overdue(lot, fact.biz_date);
            }
        }
        behaviour::PAY_FLD => {
            answer(lot, fact.biz_date);
            fall_overdue(lot, fact.biz_date);
        }
        behaviour::PAY_SET | behaviour::PAY_SUB => {
            answer(lot, fact.biz_date);
            if lot.overdue_since == Some(fact.biz_date) {
                lot.overdue_since = None;
            }
        }
        _ => {}
    }
}

fn present(lot: &mut Lot, header: &Header, fact: &Fact) {
    if fact.biz_date > header.due_date.plus(PRESENTATION_DAYS) {
        return;
    }
    lot.marks.set_presented_by_limit();
    if fact.biz_date >= header.due_date && fact.behaviour != behaviour::PAY_LRQ {
        lot.marks.set_presented_in_time();
    }
    if lot.overdue_since.is_none() {
        lot.answer_due = Some(header.due_date_adjusted.max(fact.biz_date));
    }
}

/// The presentation is answered on `day`; too late when the last day for the answer has passed.
fn answer(lot: &mut Lot, day: Day) {
    if let Some(due) = lot.answer_due.take()
        && day > due
    {
        lot.overdue_since.get_or_insert(due);
    }
}

/// An overdue event on `day`. Only a lot that was presented by the limit has one, and only once.
fn fall_overdue(lot: &mut Lot, day: Day) {
    if lot.presented_by_limit() {
        lot.overdue_since.get_or_insert(day);
    }
}

/// Facts that make something rare on a lot that has nothing rare yet.
fn touches_rare(fact: &Fact) -> bool {
    matches!(
        fact.behaviour,
        behaviour::PLG_SGN
            | behaviour::PPR_PLG
            | behaviour::DSR_SGN
            | behaviour::RPO_SET
            | behaviour::BRP_SET
            | behaviour::RDC_RST
            | behaviour::GUD_SGN
            | behaviour::GUA_SGN
            | behaviour::GUE_SGN
            | behaviour::PPR_GUA
            | behaviour::ENH_DSC
            | behaviour::ENH_PAY
            | behaviour::ENH_GUA_SGN
            | behaviour::ENH_UPD
    )
}

fn change_rare(lot: &mut Lot, header: &Header, reading: &Reading<'_>, request: Option<Request>) {
    let fact = reading.fact;
    match fact.behaviour {
        behaviour::PLG_SGN | behaviour::PPR_PLG => {
            let rare = lot.rare_mut();
            rare.pledgee = reading.initiator;
            rare.pledged_on = Some(fact.biz_date);
        }
        behaviour::PLR_SGN | behaviour::PPR_PLR => {
            let rare = lot.rare_mut();
            rare.pledgee = None;
            rare.pledged_on = None;
        }
        behaviour::DSR_SGN | behaviour::RPO_SET | behaviour::BRP_SET | behaviour::RDC_RST => {
            let deal = open_deal(lot, reading, request);
            lot.rare_mut().repo = Some(deal);
        }
        behaviour::RPO_RDF => {
            if let Some(deal) = &mut lot.rare_mut().repo {
                deal.failed_on.get_or_insert(fact.biz_date);
            }
        }
        behaviour::DRD_SGN
        | behaviour::DRD_OVD
        | behaviour::RPO_RED
        | behaviour::RPO_ERD
        | behaviour::RPO_ORD
        | behaviour::BRP_RED
        | behaviour::BRP_RDF
        | behaviour::RDC_RED
        | behaviour::RDC_ERD
        | behaviour::RDC_ORD => lot.rare_mut().repo = None,
        behaviour::GUD_SGN
        | behaviour::GUA_SGN
        | behaviour::GUE_SGN
        | behaviour::PPR_GUA
        | behaviour::ENH_DSC
        | behaviour::ENH_PAY
        | behaviour::ENH_GUA_SGN => add_surety(lot, header, reading, request),
        behaviour::ENH_UPD => update_enhancement(lot, reading),
        behaviour::PDR_CLS => lot.pay_state = PayState::Recovered,
        _ if reading.law.recourse != Recourse::Nothing => pursue(lot, reading),
        _ => {}
    }
    lot.tidy();
}

/// A sum of the fact that falls on the lot: a fact may act on several (facts.md 4.3).
fn share_of(lot: &Lot, fact: &Fact, sum: i64) -> i64 {
    share(sum, fact.range, lot.range)
}

/// The deal that a first leg opens. The holder before is the seller; `hand_over` has run, so it is the one before last.
fn open_deal(lot: &Lot, reading: &Reading<'_>, request: Option<Request>) -> RepoDeal {
    let fact = reading.fact;
    let moved = matches!(fact.behaviour, behaviour::DSR_SGN | behaviour::BRP_SET);
    let before = lot.lineage.len().checked_sub(2).map(|at| lot.lineage[at].holder);
    let seller = if moved { before.unwrap_or(lot.holder) } else { lot.holder };
    let answerer = request.and_then(|request| request.answerer());
    let (buyer, buyer_inst, seller_inst) = if fact.behaviour == behaviour::DSR_SGN {
        (reading.initiator, fact.inst(Field::InitiatorInst), fact.inst(Field::CounterpartyInst))
    } else {
        (fact.party(Field::BuyerId).or(answerer), fact.inst(Field::BuyerInst), fact.inst(Field::SellerInst))
    };
    let of_lot = |field: Field| fact.int(field).map(|sum| share_of(lot, fact, sum));
    RepoDeal {
        behaviour: fact.behaviour,
        deal: fact.text(Field::DealId).map(TextHash::of).or(request.and_then(|request| request.deal)),
        seller,
        seller_inst,
        buyer: buyer.unwrap_or(PartyId::MARKET),
        buyer_inst,
        first_fen: of_lot(Field::FirstFen).or_else(|| of_lot(Field::PayFen)),
        redeem_fen: of_lot(Field::RedeemFen),
        rate_e4: fact.int(Field::RateE4),
        since: fact.event_time,
        since_date: fact.biz_date,
        // The last day of a redemption window, where a discount with redemption names no day.
        redeem_date: match (fact.date(Field::RedeemDate), fact.date(Field::RedeemClose)) {
            (None, Some(close)) => Some(close),
            _ => redeem_date(fact, reading.calendar),
        },
        failed_on: None,
    }
}

fn add_surety(lot: &mut Lot, header: &Header, reading: &Reading<'_>, request: Option<Request>) {
    let fact = reading.fact;
    let Some(guarantor) = reading.initiator else { return };
    let sum = fact.int(Field::GuaranteeFen).or(fact.int(Field::EnhanceFen));
    let surety = Surety {
        behaviour: fact.behaviour,
        guarantor,
        debtor: match fact.behaviour {
            behaviour::PPR_GUA => Some(header.acceptor),
            _ => request.map(|request| request.requester).or(reading.counterparty),
        },
        amount_fen: sum.map_or(lot.amount_fen, |sum| share_of(lot, fact, sum)),
        since_date: fact.biz_date,
    };
    let same = |known: &Surety| {
        (known.behaviour, known.guarantor, known.debtor) == (surety.behaviour, surety.guarantor, surety.debtor)
    };
    let sureties = &mut lot.rare_mut().sureties;
    sureties.retain(|known| !same(known));
    sureties.push(surety);
}

/// ENH.UPD cancels an undertaking (the default) or changes its sum. DSC and PAY are the sender's own; a guarantee
/// enhancement was given by the bank that signed, whoever reports its end.
fn update_enhancement(lot: &mut Lot, reading: &Reading<'_>) {
    let fact = reading.fact;
    let kind = match fact.code(Field::EnhanceKind).as_ref().map(Code::as_str) {
        Some("DSC") => behaviour::ENH_DSC,
        Some("PAY") => behaviour::ENH_PAY,
        Some("GUA") => behaviour::ENH_GUA_SGN,
        _ => return,
    };
    let meant = |known: &Surety| {
        known.behaviour == kind && (kind == behaviour::ENH_GUA_SGN || Some(known.guarantor) == reading.initiator)
    };
    let stays = fact.code(Field::EnhanceStatus) == Some(Code::of("LIVE"));
    let sum = fact.int(Field::EnhanceFen).map(|sum| share_of(lot, fact, sum));
    let sureties = &mut lot.rare_mut().sureties;
    if !stays {
        sureties.retain(|known| !meant(known));
    } else if let Some(sum) = sum {
        sureties.iter_mut().filter(|known| meant(known)).for_each(|known| known.amount_fen = sum);
    }
}

/// Notices and agreements (facts.md 4.4 "Recourse").
fn pursue(lot: &mut Lot, reading: &Reading<'_>) {
    let fact = reading.fact;
    let debtor = reading.debtor_on(lot);
    let (since, since_date) = (fact.event_time, fact.biz_date);
    let is_settled = settles(fact);
    if is_settled && !lot.is_live() {
        lot.pay_state = PayState::Recovered;
    }
    let rare = lot.rare_mut();
    match reading.law.recourse {
        Recourse::Notifies => {
            rare.notices.retain(|notice| notice.debtor != debtor);
            rare.notices.push(Notice { behaviour: fact.behaviour, debtor, since, since_date });
        }
        Recourse::EndsNotice => {
            rare.notices.retain(|notice| notice.debtor != debtor);
            if rare.agreement.is_some_and(|agreement| Some(agreement.debtor) == debtor) {
                rare.agreement = None;
            }
        }
        Recourse::Agrees => {
            rare.agreement = debtor.map(|debtor| Agreement { debtor, since, since_date, signed: false });
        }
        Recourse::AgreementOfInitiator => rare.agreement = None,
        Recourse::AgreementOfCounterparty | Recourse::AgreementOfDebtor if is_settled => {
            rare.notices.clear();
            rare.agreement = None;
            // Who paid is the creditor now; a pledgee on record has got its money.
            rare.pledgee = None;
            rare.pledged_on = None;
        }
        Recourse::AgreementOfCounterparty if fact.behaviour == behaviour::RCS_AGS => {
            if let Some(agreement) = &mut rare.agreement {
                agreement.signed = true;
            }
        }
        // RCS.AGJ, RCS.FLD: others may go on.
        Recourse::AgreementOfCounterparty | Recourse::AgreementOfDebtor => rare.agreement = None,
        Recourse::PaysPart | Recourse::Nothing => {}
    }
}

/// An ended lot has nothing open; holder, pledgee on record and a deal that was never redeemed stay.
fn end(lot: &mut Lot, fact: &Fact) {
    lot.request = None;
    answer(lot, fact.biz_date);
    if lot.rare.as_deref().is_some_and(|rare| !rare.notices.is_empty() || rare.agreement.is_some()) {
        let rare = lot.rare_mut();
        rare.notices.clear();
        rare.agreement = None;
        lot.tidy();
    }
}

/// The first lot of a new bill.
pub(super) fn first_lot(header: &Header, fact: &Fact, law: &BehaviourLaw) -> Lot {
    let (status, flag) =
        law.transitions.iter().find_map(|row| row.to).unwrap_or((Status::Drawn, Flag::AwaitingReceipt));
    let step = Step::new(header.drawer, fact.event_time, fact.biz_date, fact.behaviour, None);
    Lot {
        range: fact.range,
        amount_fen: header.face_fen,
        holder: header.drawer,
        holder_inst: header.drawer_inst,
        status,
        flag,
        risk: super::state::Risk::Normal,
        pay_state: PayState::None,
        marks: Default::default(),
        hops: 0,
        last_behaviour: fact.behaviour,
        since: fact.biz_date,
        changed_on: fact.biz_date,
        changed_at: fact.event_time,
        overdue_since: None,
        answer_due: None,
        request: None,
        lineage: Arc::from([step]),
        rare: None,
    }
}
