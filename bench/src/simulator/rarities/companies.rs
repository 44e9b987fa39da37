//! Rare business of companies: requests withdrawn, refused or cleared, batches, discount through a broker or a platform.

use billwatch_market::fact::{Fact, Field, Range, Source, Value, behaviour};

use super::teller::Teller;
use super::{Rarity, rare};
use crate::simulator::deals::Discount;
use crate::simulator::draft::{Draft, Party};
use crate::simulator::world::{PLATFORM, member};

pub(super) const LIVES: &[Rarity] = &[
    rare("registered and never used", 60, never_used),
    rare("accepted, its receipt never answered", 30, receipt_cleared),
    rare("accepted and never used", 30, accepted_unused),
    rare("endorsement never answered", 60, endorsement_cleared),
    rare("a batch of endorsements", 120, batch),
    rare("a carve-out withdrawn, as the system tells it", 60, carve_out_undone),
    rare("a discount cleared, then failed for want of cash", 12, discount_fails),
    rare("the mark of non-transferability is disputed", 12, mark_cancelled),
    rare("a drawer's guarantee on the second try", 24, drawer_guarantee),
    rare("an acceptor's guarantee on the second try", 12, acceptance_guarantee),
    rare("an endorser's guarantee that is not given", 24, endorsement_guarantee),
    rare("a pledge on the third try, its release disputed", 40, pledge),
    rare("a repo-style discount on the third try", 12, repo_discount),
    rare("a repo-style discount that is not redeemed", 4, redemption_missed),
    rare("a discount mandate without a deal", 24, mandate_cancelled),
    rare("an online payment that is given up", 24, online_payment),
    rare("a supply-chain bill discounted through its platform", 40, supply_chain),
];

fn never_used(teller: &mut Teller) {
    let fact = teller.bill.issue(teller.story.now());
    teller.story.put(fact);
    let (due, drawer) = (teller.bill.due, teller.bill.drawer);
    teller.story.on(due);
    teller.tell(behaviour::ISS_CLR, Party::SYSTEM, drawer);
}

fn accepted_unused(teller: &mut Teller) {
    teller.story.accepted(&mut teller.bill);
    teller.story.unused(&mut teller.bill);
}

fn discount_fails(teller: &mut Teller) {
    teller.received();
    let (payee, bank) = (teller.bill.payee, teller.bank(0));
    let terms = Discount::priced(&teller.bill, teller.range, payee, bank, teller.fair_rate(), teller.story.today());
    let fact = teller.bill.ask_discount(teller.story.now(), &terms);
    let request = teller.story.put(fact);
    teller.story.wait(1);
    teller.tell_with(behaviour::DSC_CLR, Party::SYSTEM, payee, |draft| draft.answers(request));
    let fact = teller.bill.ask_discount(teller.story.now(), &terms);
    let request = teller.story.put(fact);
    teller.story.wait(1);
    let fact = teller.bill.agree_discount(teller.story.now(), request, &terms);
    teller.story.put(fact);
    teller.story.wait(1);
    let fact = teller.bill.fail_discount(teller.story.now(), request, &terms);
    teller.story.put(fact);
    teller.paid(payee);
}

fn receipt_cleared(teller: &mut Teller) {
    teller.story.accepted(&mut teller.bill);
    teller.story.wait(1);
    let fact = teller.bill.ask_receipt(teller.story.now());
    teller.story.put(fact);
    let (due, drawer) = (teller.bill.due, teller.bill.drawer);
    teller.story.at(due.start_ms());
    teller.tell(behaviour::RCV_CLR, Party::SYSTEM, drawer);
}

fn endorsement_cleared(teller: &mut Teller) {
    teller.received();
    let (payee, other) = (teller.bill.payee, teller.story.company());
    teller.ask(behaviour::END_REQ, payee, other);
    let due = teller.bill.due;
    // In the millisecond of the due date, before the bill falls due itself: PAY.MAT passes locked lots over.
    teller.story.at(due.start_ms());
    teller.tell(behaviour::END_CLR, Party::SYSTEM, payee);
    let fact = teller.bill.mature(teller.range, payee);
    let at = teller.story.now();
    teller.story.put(Fact { event_time: at, ..fact });
    teller.on_due_date();
    let fact = teller.bill.present(teller.story.now(), teller.range, payee);
    let presentation = teller.story.put(fact);
    teller.story.wait(5);
    teller.story.honoured(&mut teller.bill, payee, presentation);
}

/// One order for two ranges, each of which is then an endorsement of its own.
fn batch(teller: &mut Teller) {
    teller.received();
    let (payee, other) = (teller.bill.payee, teller.story.company());
    let order = format!("BT{}", teller.bill.serial);
    let named = |draft: Draft| draft.text(Field::BatchId, order.as_str());
    teller.tell_with(behaviour::END_BAT, payee, other, |draft| named(draft).int(Field::BatchCount, 2));
    let (whole, half) = (teller.bill.whole(), teller.bill.face_fen as u64 / 2);
    for range in [Range { start: 1, end: half }, Range { start: half + 1, end: whole.end }] {
        teller.range = range;
        teller.ask_with(behaviour::END_REQ, payee, other, named);
        teller.tell(behaviour::END_SGN, other, payee);
    }
    teller.range = whole;
    teller.paid(other);
}

/// The source repeats what the fold makes of a request on a part (facts.md 3): informational facts.
fn carve_out_undone(teller: &mut Teller) {
    teller.received();
    let (payee, other) = (teller.bill.payee, teller.story.company());
    let (whole, half) = (teller.bill.whole(), teller.bill.face_fen as u64 / 2);
    let (part, rest) = (Range { start: 1, end: half }, Range { start: half + 1, end: whole.end });
    teller.range = part;
    teller.ask(behaviour::END_REQ, payee, other);
    teller.tell(behaviour::SPL_OUT, payee, Party::SYSTEM);
    teller.range = rest;
    teller.tell(behaviour::SPL_REM, Party::SYSTEM, payee);
    teller.range = part;
    teller.tell(behaviour::END_WDR, payee, other);
    teller.tell(behaviour::SPL_RST, Party::SYSTEM, payee);
    teller.range = whole;
    teller.paid(payee);
}

fn mark_cancelled(teller: &mut Teller) {
    teller.bill.transferable = false;
    teller.story.accepted(&mut teller.bill);
    teller.story.wait(1);
    let (drawer, payee) = (teller.bill.drawer, teller.bill.payee);
    let transferable = |draft: Draft| draft.code(Field::Transferable, "EM01");
    teller.ask_with(behaviour::RCV_REQ, drawer, payee, transferable);
    teller.tell_with(behaviour::RCV_SGN, payee, drawer, transferable);
    teller.next_day();
    teller.ask(behaviour::NTR_REQ, payee, drawer);
    teller.tell(behaviour::NTR_WDR, payee, drawer);
    teller.next_day();
    teller.ask(behaviour::NTR_REQ, payee, drawer);
    teller.tell(behaviour::NTR_REJ, drawer, payee);
    teller.next_day();
    teller.ask(behaviour::NTR_REQ, payee, drawer);
    teller.tell(behaviour::NTR_SGN, drawer, payee);
    teller.paid(payee);
}

fn drawer_guarantee(teller: &mut Teller) {
    let fact = teller.bill.issue(teller.story.now());
    teller.story.put(fact);
    teller.story.wait(1);
    let (drawer, guarantor) = (teller.bill.drawer, teller.bank(0));
    teller.ask_in_vain([behaviour::GUD_REQ, behaviour::GUD_WDR, behaviour::GUD_REJ], drawer, guarantor);
    let fact = teller.bill.ask_acceptance(teller.story.now());
    let request = teller.story.put(fact);
    let margin = teller.bill.face_fen / 10 * 3;
    teller.story.signed(&mut teller.bill, request, margin, true);
    teller.story.taken(&mut teller.bill);
    let payee = teller.bill.payee;
    teller.paid(payee);
}

fn acceptance_guarantee(teller: &mut Teller) {
    teller.story.accepted(&mut teller.bill);
    teller.story.wait(1);
    let (acceptor, first, second) = (teller.bill.acceptor, teller.bank(0), teller.bank(1));
    teller.ask_in_vain([behaviour::GUA_REQ, behaviour::GUA_WDR, behaviour::GUA_REJ], acceptor, first);
    teller.ask(behaviour::GUA_REQ, acceptor, second);
    teller.tell(behaviour::GUA_SGN, second, acceptor);
    teller.story.taken(&mut teller.bill);
    let payee = teller.bill.payee;
    teller.paid(payee);
}

fn endorsement_guarantee(teller: &mut Teller) {
    teller.received();
    let (payee, guarantor) = (teller.bill.payee, teller.bank(0));
    teller.ask_in_vain([behaviour::GUE_REQ, behaviour::GUE_WDR, behaviour::GUE_REJ], payee, guarantor);
    teller.paid(payee);
}

fn pledge(teller: &mut Teller) {
    teller.received();
    let (payee, bank) = (teller.bill.payee, teller.bank(0));
    teller.ask_in_vain([behaviour::PLG_REQ, behaviour::PLG_WDR, behaviour::PLG_REJ], payee, bank);
    teller.ask(behaviour::PLG_REQ, payee, bank);
    teller.tell(behaviour::PLG_SGN, bank, payee);
    teller.some_days_later(20);
    teller.ask_in_vain([behaviour::PLR_REQ, behaviour::PLR_WDR, behaviour::PLR_REJ], bank, payee);
    teller.next_day();
    teller.ask(behaviour::PLR_REQ, bank, payee);
    teller.tell(behaviour::PLR_SGN, payee, bank);
    teller.paid(payee);
}

fn repo_discount(teller: &mut Teller) {
    teller.received();
    let (payee, bank) = (teller.bill.payee, teller.bank(0));
    sold_on_terms(teller);
    let open = teller.some_days_later(10);
    teller.story.at(open.start_ms() + 10 * 3_600_000);
    teller.ask_in_vain([behaviour::DRD_REQ, behaviour::DRD_WDR, behaviour::DRD_REJ], payee, bank);
    teller.next_day();
    teller.ask(behaviour::DRD_REQ, payee, bank);
    teller.tell(behaviour::DRD_SGN, bank, payee);
    teller.paid(payee);
}

/// The seller lets the last day of redemption pass: the bill stays with the discounter.
fn redemption_missed(teller: &mut Teller) {
    teller.received();
    let bank = teller.bank(0);
    sold_on_terms(teller);
    teller.some_days_later(20);
    teller.tell(behaviour::DRD_OVD, Party::SYSTEM, bank);
    teller.paid(bank);
}

/// DSR.REQ withdrawn, refused, and signed at last; redemption is open from the tenth day for a week.
fn sold_on_terms(teller: &mut Teller) {
    let (payee, bank) = (teller.bill.payee, teller.bank(0));
    let open = teller.story.trade.calendar.roll(teller.story.today().plus(10));
    let window = |draft: Draft| draft.date(Field::RedeemOpen, open).date(Field::RedeemClose, open.plus(7));
    teller.ask_with(behaviour::DSR_REQ, payee, bank, window);
    teller.tell(behaviour::DSR_WDR, payee, bank);
    teller.ask_with(behaviour::DSR_REQ, payee, bank, window);
    teller.tell(behaviour::DSR_REJ, bank, payee);
    teller.ask_with(behaviour::DSR_REQ, payee, bank, window);
    teller.tell_with(behaviour::DSR_SGN, bank, payee, window);
}

fn mandate_cancelled(teller: &mut Teller) {
    teller.received();
    let (payee, broker, bank) = (teller.bill.payee, teller.bank(0), teller.bank(1));
    let applicant = |draft: Draft| draft.value(Field::EntId, Value::Party(payee.id));
    teller.tell_with(behaviour::DTH_REGA, broker, payee, applicant);
    let mandate = teller.ask(behaviour::DTH_ENT, broker, payee);
    teller.ask(behaviour::DTH_LST, broker, Party::MARKET);
    teller.tell(behaviour::DTH_LSX, broker, Party::MARKET);
    teller.ask(behaviour::DTH_QTE, bank, broker);
    teller.tell(behaviour::DTH_QRJ, broker, bank);
    teller.ask(behaviour::DTH_QTE, bank, broker);
    teller.tell(behaviour::DTH_QAC, broker, bank);
    teller.tell_with(behaviour::DTH_ENX, broker, payee, |draft| draft.answers(mandate));
    teller.tell_with(behaviour::DTH_REGX, broker, payee, applicant);
    teller.paid(payee);
}

fn online_payment(teller: &mut Teller) {
    teller.received();
    let (payee, platform) = (teller.bill.payee, member(PLATFORM, 1));
    let order = format!("PO{}", teller.bill.serial);
    let of_order = |draft: Draft| draft.text(Field::PlatformOrderId, order.as_str());
    let merchant = teller.story.company();
    teller.tell_with(behaviour::OPY_SIG, platform, merchant, |draft| {
        draft.value(Field::EntId, Value::Party(merchant.id))
    });
    teller.tell_with(behaviour::OPY_INI, platform, payee, of_order);
    teller.ask_with(behaviour::OPY_LCK, platform, payee, of_order);
    teller.tell_with(behaviour::OPY_ULK, platform, payee, of_order);
    teller.paid(payee);
}

fn supply_chain(teller: &mut Teller) {
    let parties = (teller.bill.drawer, teller.bill.acceptor, teller.bill.payee);
    teller.issue_of(Source::Scbp, parties);
    let fact = teller.bill.issue(teller.story.now());
    teller.story.put(fact);
    teller.story.wait(1);
    let platform = member(PLATFORM, 1);
    let order = format!("PO{}", teller.bill.serial);
    teller.tell_with(behaviour::SCB_MAP, platform, Party::SYSTEM, |draft| draft.text(Field::PlatformOrderId, order));
    let fact = teller.bill.ask_acceptance(teller.story.now());
    let request = teller.story.put(fact);
    let margin = teller.bill.face_fen / 10 * 3;
    teller.story.signed(&mut teller.bill, request, margin, true);
    teller.story.taken(&mut teller.bill);
    teller.next_day();
    let bank = teller.bank(0);
    let request = teller.ask(behaviour::SCB_DSC, platform, bank);
    let payee = teller.bill.payee;
    let terms = Discount::priced(&teller.bill, teller.range, payee, bank, teller.fair_rate(), teller.story.today());
    let fact = teller.bill.agree_discount(teller.story.now(), request, &terms);
    teller.story.put(fact);
    teller.story.wait(1);
    let fact = teller.bill.settle_discount(teller.story.now(), request, &terms);
    teller.story.put(fact);
    teller.paid(bank);
}
