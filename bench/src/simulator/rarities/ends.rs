//! Rare ends: payment withdrawn, confirmed, made by another; recourse with its refusals; courts.

use billwatch_market::fact::{Behaviour, Field, behaviour};

use super::teller::Teller;
use super::{Rarity, rare};
use crate::simulator::draft::{Draft, Party};

pub(super) const LIVES: &[Rarity] = &[
    rare("a presentation withdrawn and made again", 60, presentation_withdrawn),
    rare("paid by the bank that discounted it", 8, substitute_payment),
    rare("recourse without dishonour, given up", 4, recourse_withdrawn),
    rare("recourse disputed, paid in two parts", 8, recourse_disputed),
    rare("recovered after discount, off line", 4, recovered_off_line),
    rare("moved by a court", 8, moved_by_court),
    rare("frozen by a court for some days", 40, frozen),
    rare("locked by the exchange and released", 4, locked),
    rare("voided by the exchange", 4, voided),
    rare("settled early by the exchange", 4, settled_early),
    rare("early payment on the second try", 12, early_payment),
];

fn presentation_withdrawn(teller: &mut Teller) {
    teller.received();
    let (payee, acceptor) = (teller.bill.payee, teller.bill.acceptor);
    let fact = teller.bill.mature(teller.range, payee);
    teller.story.put(fact);
    teller.on_due_date();
    teller.ask(behaviour::PAY_REQ, payee, acceptor);
    teller.tell(behaviour::PAY_WDR, payee, acceptor);
    let presentation = teller.ask(behaviour::PAY_REQ, payee, acceptor);
    teller.tell(behaviour::PAY_SGN, acceptor, payee);
    // The acceptor's clearing bank confirms the debit.
    let clearing_bank = teller.bank(1);
    teller.tell(behaviour::PAY_DED, clearing_bank, acceptor);
    let fact = teller.bill.pay(teller.story.now(), teller.range, payee, presentation);
    teller.story.put(fact);
}

fn substitute_payment(teller: &mut Teller) {
    let discounter = teller.discounted();
    let buyer = teller.bank(1);
    let deal = teller.outright(discounter, buyer);
    teller.story.sell(&mut teller.bill, &deal);
    let presentation = teller.story.presented(&mut teller.bill, buyer);
    let fact = teller.bill.agree_payment(teller.story.now(), teller.range, buyer, presentation);
    teller.story.put(fact);
    teller.story.wait(1);
    teller.tell_with(behaviour::PAY_SUB, discounter, buyer, |draft| {
        draft.role(Field::PayerId, Field::PayerInst, discounter).code(Field::PayerRole, "PR03")
    });
}

/// The holder hears that the acceptor was ordered to cease; it was not.
fn recourse_withdrawn(teller: &mut Teller) {
    teller.received();
    let (payee, drawer) = (teller.bill.payee, teller.bill.drawer);
    let notice = teller.ask_with(behaviour::RCS_NDN, payee, drawer, |draft| {
        draft.code(Field::RecourseReason, "RC01").code(Field::RecourseType, "RT01")
    });
    teller.next_day();
    teller.ask_in_vain([behaviour::RCS_AGR, behaviour::RCS_AGW, behaviour::RCS_AGJ], drawer, payee);
    teller.tell_with(behaviour::RCS_NWD, payee, drawer, |draft| draft.answers(notice));
    teller.paid(payee);
}

/// Presented and refused for a dispute about the goods: no overdue payment (DF1 excuses DC00).
fn refused(teller: &mut Teller, holder: Party) {
    let presentation = teller.story.presented(&mut teller.bill, holder);
    let fact = teller.bill.refuse_payment(teller.story.now(), teller.range, holder, presentation, "DC00");
    teller.story.put(fact);
    teller.story.wait(1);
    for prior in [teller.bill.drawer, teller.bill.payee] {
        let fact = teller.bill.dishonour_notice(teller.story.now(), teller.range, prior, presentation, "DC00");
        teller.story.put(fact);
        teller.story.wait(1);
    }
    teller.next_day();
}

fn recourse_disputed(teller: &mut Teller) {
    teller.received();
    let (payee, acceptor) = (teller.bill.payee, teller.bill.acceptor);
    refused(teller, payee);
    let fact = teller.bill.recourse_notice(teller.story.now(), teller.range, payee, acceptor);
    teller.story.put(fact);
    teller.next_day();
    let half = teller.bill.face_fen / 2;
    teller.tell_with(behaviour::RCS_PRT, acceptor, payee, |draft| draft.int(Field::PaidFen, half));
    let parties = |draft: Draft| {
        draft.role(Field::CreditorId, Field::CreditorInst, payee).role(Field::DebtorId, Field::DebtorInst, acceptor)
    };
    teller.ask(behaviour::RCS_AGR, acceptor, payee);
    teller.tell(behaviour::RCS_AGS, payee, acceptor);
    teller.tell_with(behaviour::RCS_FLD, Party::SYSTEM, payee, parties);
    teller.next_day();
    let offer = teller.ask(behaviour::RCS_AGR, acceptor, payee);
    teller.tell(behaviour::RCS_AGS, payee, acceptor);
    let fact = teller.bill.settle_recourse(teller.story.now(), teller.range, payee, acceptor, offer);
    teller.story.put(fact);
}

fn recovered_off_line(teller: &mut Teller) {
    let discounter = teller.discounted();
    let buyer = teller.bank(1);
    let deal = teller.outright(discounter, buyer);
    teller.story.sell(&mut teller.bill, &deal);
    refused(teller, buyer);
    teller.ask(behaviour::PDR_REQ, buyer, discounter);
    teller.next_day();
    teller.tell(behaviour::PDR_OFF, buyer, discounter);
    teller.tell(behaviour::PDR_CLS, buyer, discounter);
}

fn moved_by_court(teller: &mut Teller) {
    teller.received();
    let (payee, heir) = (teller.bill.payee, teller.story.company());
    let court = Party::court(teller.bill.serial % 300 + 1);
    teller.tell_with(behaviour::LSF_TRF, court, payee, |draft| {
        draft.role(Field::NewHolderId, Field::NewHolderInst, heir).code(Field::ChangeReason, "AR12")
    });
    teller.paid(heir);
}

fn frozen(teller: &mut Teller) {
    teller.received();
    let payee = teller.bill.payee;
    let court = Party::court(teller.bill.serial % 300 + 1);
    for (behaviour, days) in [(behaviour::LSF_FRZ, 10), (behaviour::LSF_UNF, 1)] {
        let fact = teller.bill.court(behaviour, teller.story.now(), teller.range, court, payee);
        teller.story.put(fact);
        teller.some_days_later(days);
    }
    teller.paid(payee);
}

fn early_payment(teller: &mut Teller) {
    teller.received();
    let (payee, acceptor) = (teller.bill.payee, teller.bill.acceptor);
    teller.ask(behaviour::PAY_ERQ, payee, acceptor);
    teller.tell_with(behaviour::PAY_ERJ, acceptor, payee, |draft| {
        draft.code(Field::AnswerCode, "SU01").code(Field::DishonourReason, "DC07")
    });
    teller.next_day();
    teller.ask(behaviour::PAY_ERQ, payee, acceptor);
    teller.tell(behaviour::PAY_ESG, acceptor, payee);
}

/// The market desk acts on a bill (AR10).
fn desk(teller: &mut Teller, behaviour: Behaviour) {
    let payee = teller.bill.payee;
    teller.tell_with(behaviour, Party::SYSTEM, payee, |draft| draft.code(Field::ChangeReason, "AR10"));
}

fn locked(teller: &mut Teller) {
    teller.received();
    desk(teller, behaviour::LSF_LCK);
    teller.some_days_later(5);
    desk(teller, behaviour::LSF_ULK);
    let payee = teller.bill.payee;
    teller.paid(payee);
}

fn voided(teller: &mut Teller) {
    teller.received();
    desk(teller, behaviour::LSF_VOI);
}

fn settled_early(teller: &mut Teller) {
    teller.received();
    desk(teller, behaviour::LSF_EST);
}
