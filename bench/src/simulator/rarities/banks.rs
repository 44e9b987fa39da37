//! Rare business of banks: inquiries, counter-offers, anonymous repo, redemptions before their day, rediscount.

use billwatch_market::fact::{Field, Value, behaviour};

use super::teller::Teller;
use super::{Rarity, rare};
use crate::simulator::draft::{Draft, Party};
use crate::simulator::price;
use crate::simulator::world::{PBOC, PLATFORM, member};

pub(super) const LIVES: &[Rarity] = &[
    rare("an inquiry withdrawn, a quote with a counter-offer", 160, counter_offer),
    rare("an enhancement maintained and cancelled", 24, enhancement_kept),
    rare("a guarantee enhancement refused", 8, enhancement_refused),
    rare("anonymous repo, early redemption refused", 60, anonymous_repo),
    rare("repo redeemed early", 60, early_redemption),
    rare("a repo whose first leg fails", 8, first_leg_fails),
    rare("a buyout repo on the second quote", 8, buyout),
    rare("a rediscount given up, then on repo redeemed early", 16, rediscount_early),
    rare("a rediscount on repo redeemed late", 4, rediscount_late),
    rare("the central bank sells what it bought", 4, central_bank_sells),
    rare("deposited for a standardised note and returned", 4, standardised_note),
];

fn side(code: &'static str) -> impl Fn(Draft) -> Draft {
    move |draft| draft.code(Field::Side, code)
}

fn counter_offer(teller: &mut Teller) {
    let seller = teller.discounted();
    let buyer = teller.bank(1);
    teller.outright(seller, buyer);
    teller.ask_with(behaviour::IBT_INQ, seller, Party::MARKET, side("S"));
    teller.tell(behaviour::IBT_INX, seller, Party::MARKET);
    teller.quote(behaviour::IBT_QTE);
    teller.tell(behaviour::IBT_QMD, buyer, seller);
    teller.accept(behaviour::IBT_QAC);
    teller.strike(behaviour::IBT_DEL);
    teller.settle(behaviour::IBT_SET);
    teller.paid(buyer);
}

fn enhancement_kept(teller: &mut Teller) {
    teller.received();
    let (payee, bank) = (teller.bill.payee, teller.bank(0));
    teller.tell(behaviour::ENH_DSC, bank, payee);
    teller.next_day();
    for status in ["LIVE", "CANCELLED"] {
        teller.tell_with(behaviour::ENH_UPD, bank, payee, |draft| {
            draft.code(Field::EnhanceKind, "DSC").code(Field::EnhanceStatus, status)
        });
    }
    teller.paid(payee);
}

fn enhancement_refused(teller: &mut Teller) {
    let holder = teller.discounted();
    let guarantor = teller.bank(1);
    teller.ask(behaviour::ENH_GUA_REQ, holder, guarantor);
    teller.tell(behaviour::ENH_GUA_REJ, guarantor, holder);
    teller.paid(holder);
}

/// The bill of an anonymous match is handed in after it.
fn anonymous_repo(teller: &mut Teller) {
    let seller = teller.discounted();
    let buyer = teller.bank(1);
    let deal = teller.repo(seller, buyer);
    teller.tell_with(behaviour::RPO_INQ, seller, Party::MARKET, side("RS"));
    teller.ask_with(behaviour::RPO_ANS, seller, Party::MARKET, side("RS"));
    teller.tell(behaviour::RPO_ANX, seller, Party::MARKET);
    teller.ask_with(behaviour::RPO_ANS, seller, Party::MARKET, side("RS"));
    teller.tell(behaviour::RPO_ANM, Party::SYSTEM, buyer);
    teller.ask(behaviour::RPO_ANB, seller, Party::SYSTEM);
    teller.strike(behaviour::RPO_DEL);
    teller.settle(behaviour::RPO_SET);
    teller.next_day();
    teller.tell(behaviour::RPO_ERQ, seller, buyer);
    teller.tell(behaviour::RPO_ERJ, buyer, seller);
    teller.story.on(deal.redeem());
    teller.redeem(behaviour::RPO_RED);
    teller.paid(seller);
}

/// A pledged repo, up to its first leg; the seller.
fn lent(teller: &mut Teller) -> Party {
    let seller = teller.discounted();
    let buyer = teller.bank(1);
    teller.repo(seller, buyer);
    teller.quote(behaviour::RPO_QTE);
    teller.accept(behaviour::RPO_QAC);
    teller.strike(behaviour::RPO_DEL);
    seller
}

fn early_redemption(teller: &mut Teller) {
    let seller = lent(teller);
    let buyer = teller.bank(1);
    teller.settle(behaviour::RPO_SET);
    teller.next_day();
    let early = price::redemption(teller.bill.face_fen / 100 * 95, 16_000, 1);
    teller.tell_with(behaviour::RPO_ERQ, seller, buyer, |draft| draft.int(Field::RedeemFen, early));
    teller.tell_with(behaviour::RPO_ERD, Party::SYSTEM, seller, |draft| draft.int(Field::RedeemFen, early));
    teller.paid(seller);
}

fn first_leg_fails(teller: &mut Teller) {
    let seller = lent(teller);
    teller.tell(behaviour::RPO_FLD, Party::SYSTEM, seller);
    teller.paid(seller);
}

fn buyout(teller: &mut Teller) {
    let seller = teller.discounted();
    let buyer = teller.bank(1);
    let deal = teller.repo(seller, buyer);
    teller.tell_with(behaviour::BRP_INQ, seller, Party::MARKET, side("RS"));
    teller.quote(behaviour::BRP_QTE);
    teller.tell(behaviour::BRP_QRJ, buyer, seller);
    teller.quote(behaviour::BRP_QTE);
    teller.accept(behaviour::BRP_QAC);
    teller.strike(behaviour::BRP_DEL);
    teller.settle(behaviour::BRP_SET);
    teller.story.on(deal.redeem());
    teller.redeem(behaviour::BRP_RED);
    teller.paid(seller);
}

/// A request that the seller takes back, and a repo with the central bank up to its first leg.
fn rediscounted(teller: &mut Teller) -> Party {
    let seller = teller.discounted();
    let pboc = member(PBOC, 1);
    teller.tell(behaviour::RDC_CRD, pboc, seller);
    teller.outright(seller, pboc);
    teller.quote(behaviour::RDC_BRQ);
    teller.tell(behaviour::RDC_CXL, seller, pboc);
    teller.quote(behaviour::RDC_BRQ);
    teller.tell(behaviour::RDC_REJ, pboc, seller);
    teller.next_day();
    teller.repo(seller, pboc);
    teller.quote(behaviour::RDC_RRQ);
    teller.accept(behaviour::RDC_APR);
    teller.settle(behaviour::RDC_RST);
    teller.tell(behaviour::RDC_SUP, seller, pboc);
    seller
}

fn rediscount_early(teller: &mut Teller) {
    let seller = rediscounted(teller);
    teller.next_day();
    teller.tell(behaviour::RDC_ERD, Party::SYSTEM, seller);
    teller.paid(seller);
}

fn rediscount_late(teller: &mut Teller) {
    let seller = rediscounted(teller);
    teller.some_days_later(7);
    teller.next_day();
    teller.tell_with(behaviour::RDC_ORD, Party::SYSTEM, seller, |draft| draft.int(Field::PenaltyFen, 1_000));
    teller.paid(seller);
}

fn central_bank_sells(teller: &mut Teller) {
    let seller = teller.discounted();
    let (pboc, buyer) = (member(PBOC, 1), teller.bank(1));
    teller.outright(seller, pboc);
    teller.quote(behaviour::RDC_BRQ);
    teller.accept(behaviour::RDC_APR);
    teller.settle(behaviour::RDC_BST);
    teller.some_days_later(14);
    teller.outright(pboc, buyer);
    teller.tell(behaviour::RDC_SEL, pboc, buyer);
    teller.paid(buyer);
}

fn standardised_note(teller: &mut Teller) {
    let holder = teller.discounted();
    // The depository of notes is a member; the note is named by it.
    let depository = member(PLATFORM, 1);
    let note = format!("BZP{}", teller.bill.serial);
    let into = |draft: Draft, holder: Party| {
        draft.text(Field::NoteId, note.as_str()).role(Field::NewHolderId, Field::NewHolderInst, holder)
    };
    teller.ask(behaviour::SDN_REQ, holder, depository);
    teller.tell_with(behaviour::SDN_ACK, depository, holder, |draft| into(draft, depository));
    teller.tell_with(behaviour::SDN_CRT, depository, Party::MARKET, |draft| {
        draft.text(Field::NoteId, note.as_str()).value(Field::RateE4, Value::Int(13_000))
    });
    teller.some_days_later(30);
    teller.tell_with(behaviour::SDN_RET, depository, holder, |draft| into(draft, holder));
    teller.paid(holder);
}
