//! The decisions of facts.md 4.2-4.4 and 9, one by one, that the worked examples do not reach.

#[path = "common/lives.rs"]
mod lives;

use billwatch_market::{
    bill::{Answered, Effect, PayState, Risk},
    fact::{Field, Range, Value, behaviour},
    ids::PartyId,
};
use lives::{ACCEPTOR, DRAWER, DUE, Life, PAYEE, code, day, text, with};

const FACE: u64 = 1_000_000;
const A: PartyId = PartyId::enterprise(11);
const B: PartyId = PartyId::enterprise(12);
const BANK: PartyId = PartyId::legal(100_103);
const OTHER_BANK: PartyId = PartyId::legal(100_104);
const SYSTEM: PartyId = PartyId::SYSTEM;

fn party(field: Field, party: PartyId) -> (Field, Value) {
    (field, Value::Party(party))
}

fn deal(number: &str) -> (Field, Value) {
    (Field::DealId, text(number))
}

/// The whole package, discounted by BANK.
fn discounted() -> Life {
    let mut life = Life::received(FACE as i64);
    life.applied("DSC.REQ", PAYEE, BANK, 1, FACE);
    life.applied("DSC.SGN", BANK, PAYEE, 1, FACE);
    life.applied_with("DSC.SET", SYSTEM, PAYEE, 1, FACE, &[party(Field::DiscounterId, BANK)]);
    life
}

#[test]
fn the_tests_of_a_fact_come_in_their_order() {
    let mut life = Life::new();
    assert_eq!(life.effect("END.REQ", PAYEE, A, 1, FACE), Effect::IllegalState, "no bill");
    assert_eq!(life.effect("DIS.BIL", ACCEPTOR, SYSTEM, 1, FACE), Effect::Informational);
    assert_eq!(life.issue(FACE as i64, true), Effect::Applied);
    assert_eq!(life.issue(FACE as i64, true), Effect::IllegalState, "the bill exists already");
    assert_eq!(life.issue(7, true), Effect::IllegalState, "a good range, but the bill exists");
    assert_eq!(life.issue(FACE as i64 + 1, true), Effect::BadRange);
    assert_eq!(life.effect("ACC.REQ", DRAWER, ACCEPTOR, 0, 0), Effect::BadRange, "a package has explicit ranges");
    assert_eq!(life.effect("ACC.REQ", DRAWER, ACCEPTOR, 1, FACE - 1), Effect::IllegalState, "may not cut");
    assert_eq!(life.effect("ACC.REQ", A, ACCEPTOR, 1, FACE), Effect::WrongParty);
    let wrong_amount = [(Field::AmountFen, Value::Int(FACE as i64 - 1))];
    assert_eq!(life.effect_with("ACC.REQ", A, ACCEPTOR, 1, FACE, &wrong_amount), Effect::BadRange);
    life.applied("ACC.REQ", DRAWER, ACCEPTOR, 1, FACE);
    assert_eq!(life.effect("GUD.SGN", A, DRAWER, 1, FACE), Effect::NoOpenRequest);
    assert_eq!(life.effect("RCV.SGN", A, DRAWER, 1, FACE), Effect::IllegalState);
}

#[test]
fn who_registers_a_bill_is_its_drawer() {
    let mut life = Life::new();
    let foreign = with(life.fact("ISS.REG", A, PAYEE, 1, FACE), &lives::header(FACE as i64, true));
    assert_eq!(life.send(foreign).effect, Effect::WrongParty);
    let partial = with(life.fact("ISS.REG", DRAWER, PAYEE, 1, FACE - 1), &lives::header(FACE as i64, true));
    assert_eq!(life.send(partial).effect, Effect::BadRange);
    let indivisible = with(life.fact("ISS.REG", DRAWER, PAYEE, 1, FACE), &lives::header(FACE as i64, false));
    assert_eq!(life.send(indivisible).effect, Effect::BadRange);
    assert!(life.bill.header.is_none());
}

#[test]
fn a_request_cuts_and_its_refusal_restores() {
    let mut life = Life::received(FACE as i64);
    let outcome = life.applied("END.REQ", PAYEE, A, 201, 300);
    let made: Vec<_> = outcome.cuts.iter().map(|cut| (cut.behaviour, cut.range)).collect();
    let range = |start, end| Range { start, end };
    let expected = [
        (behaviour::SPL_OUT, range(201, 300)),
        (behaviour::SPL_REM, range(1, 200)),
        (behaviour::SPL_REM, range(301, FACE)),
    ];
    assert_eq!(made, expected);
    assert_eq!(outcome.changes.len(), 3);
    assert_eq!(outcome.acted().count(), 1);
    let outcome = life.applied("END.REJ", A, PAYEE, 201, 300);
    assert_eq!(outcome.cuts.iter().map(|cut| cut.behaviour).collect::<Vec<_>>(), [behaviour::SPL_RST]);
    assert_eq!(life.bill.lots.len(), 3, "never merged");
    let outcome = life.applied("END.REQ", PAYEE, A, 201, 300);
    assert!(outcome.cuts.is_empty());
    assert!(life.applied("END.CLR", SYSTEM, PAYEE, 201, 300).cuts.is_empty(), "this request did not cut");
    // Over several lots at once, the first and the last cut.
    let outcome = life.applied("END.REQ", PAYEE, A, 100, 400);
    assert_eq!(
        outcome.acted().map(|change| change.after.range).collect::<Vec<_>>(),
        [range(100, 200), range(201, 300), range(301, 400)]
    );
    assert_eq!(outcome.cuts.len(), 4);
    life.applied("END.SGN", A, PAYEE, 100, 400);
    assert_eq!(life.lot(201), ("CS03", "TF0301", A));
    assert_eq!(life.lot(401), ("CS03", "TF0301", PAYEE));
}

#[test]
fn a_mark_missing_on_the_answer_is_the_requests() {
    let mut life = Life::received(FACE as i64);
    life.applied_with("END.REQ", PAYEE, A, 1, FACE, &[(Field::Transferable, code("EM01"))]);
    life.applied("END.SGN", A, PAYEE, 1, FACE);
    assert_eq!(life.lot(1), ("CS03", "TF0303", A));
    assert_eq!(life.effect("END.REQ", A, B, 1, FACE), Effect::IllegalState);
    life.applied("NTR.REQ", A, PAYEE, 1, FACE);
    life.applied("NTR.SGN", PAYEE, A, 1, FACE);
    life.applied("END.REQ", A, B, 1, FACE);
    life.applied_with("END.SGN", B, A, 1, FACE, &[(Field::Transferable, code("XX"))]);
    assert_eq!(life.lot(1), ("CS03", "TF0301", B), "an unknown mark acts as EM00");
}

#[test]
fn only_the_named_side_answers_and_only_the_sender_withdraws() {
    let mut life = Life::received(FACE as i64);
    life.applied("END.REQ", PAYEE, A, 1, FACE);
    assert_eq!(life.effect("END.SGN", B, PAYEE, 1, FACE), Effect::WrongParty);
    assert_eq!(life.effect("END.WDR", A, PAYEE, 1, FACE), Effect::WrongParty);
    assert_eq!(life.effect("DSC.SGN", A, PAYEE, 1, FACE), Effect::NoOpenRequest);
    life.applied("END.WDR", PAYEE, A, 1, FACE);
    let mut open = life.fact("END.REQ", PAYEE, A, 1, FACE);
    open.fields.retain(|(field, _)| *field != Field::CounterpartyId);
    assert_eq!(life.send(open).effect, Effect::Applied);
    life.applied("END.SGN", B, PAYEE, 1, FACE);
    assert_eq!(life.lot(1).2, B, "the signer holds");
    assert_eq!((life.bill.lots[0].hops, life.bill.lots[0].lineage.len()), (1, 3));
}

#[test]
fn a_click_quote_is_fixed_by_the_first_click() {
    let mut life = discounted();
    let number = deal("IB1");
    life.applied_with("IBT.CKS", BANK, PartyId::MARKET, 1, FACE, std::slice::from_ref(&number));
    assert_eq!(
        life.effect_with("IBT.QAC", OTHER_BANK, BANK, 1, FACE, std::slice::from_ref(&number)),
        Effect::NoOpenRequest
    );
    assert_eq!(life.effect_with("IBT.CKH", OTHER_BANK, BANK, 1, FACE, &[deal("IB2")]), Effect::NoOpenRequest);
    life.applied_with("IBT.CKH", OTHER_BANK, BANK, 1, FACE, std::slice::from_ref(&number));
    assert_eq!(life.effect_with("IBT.CKH", ACCEPTOR, BANK, 1, FACE, std::slice::from_ref(&number)), Effect::WrongParty);
    let sides = |buyer| [number.clone(), party(Field::SellerId, BANK), party(Field::BuyerId, buyer)];
    assert_eq!(life.effect_with("IBT.SET", SYSTEM, ACCEPTOR, 1, FACE, &sides(ACCEPTOR)), Effect::WrongParty);
    life.applied_with("IBT.SET", SYSTEM, OTHER_BANK, 1, FACE, &sides(OTHER_BANK));
    assert_eq!(life.lot(1), ("CS03", "TF0301", OTHER_BANK));
    assert_eq!(life.bill.lots[0].discounter(), Some(BANK));
}

/// The whole package in two lots of BANK: a request over a part was withdrawn, and lots are never merged.
fn discounted_in_two() -> Life {
    let mut life = Life::received(FACE as i64);
    life.applied("END.REQ", PAYEE, A, 1, 400_000);
    life.applied("END.WDR", PAYEE, A, 1, 400_000);
    life.applied("DSC.REQ", PAYEE, BANK, 1, FACE);
    life.applied("DSC.SGN", BANK, PAYEE, 1, FACE);
    life.applied_with("DSC.SET", SYSTEM, PAYEE, 1, FACE, &[party(Field::DiscounterId, BANK)]);
    assert_eq!(life.bill.lots.len(), 2);
    life
}

/// The sums of a deal over several lots fall on each by its length, and add up to those of the fact.
#[test]
fn repo_of_several_lots_has_its_cash_once() {
    let mut life = discounted_in_two();
    life.applied_with("RPO.QTE", BANK, OTHER_BANK, 1, FACE, &[deal("RP1")]);
    let first = [
        deal("RP1"),
        party(Field::SellerId, BANK),
        party(Field::BuyerId, OTHER_BANK),
        (Field::FirstFen, Value::Int(900_001)),
        (Field::RedeemFen, Value::Int(900_011)),
    ];
    life.applied_with("RPO.SET", SYSTEM, OTHER_BANK, 1, FACE, &first);
    let sums: Vec<_> =
        life.bill.lots.iter().map(|lot| lot.repo().map(|deal| (deal.first_fen, deal.redeem_fen))).collect();
    assert_eq!(sums, [Some((Some(360_000), Some(360_004))), Some((Some(540_001), Some(540_007)))]);
}

/// A cut divides the sums of what stands beside a lot, as it divides the lot.
#[test]
fn a_cut_divides_what_was_guaranteed() {
    let mut life = Life::received(FACE as i64);
    life.applied_with("ENH.DSC", OTHER_BANK, PAYEE, 1, FACE, &[(Field::EnhanceFen, Value::Int(900_001))]);
    life.applied("END.REQ", PAYEE, A, 300_001, 400_000);
    let sums = |life: &Life| life.bill.lots.iter().map(|lot| lot.sureties()[0].amount_fen).collect::<Vec<_>>();
    assert_eq!(sums(&life), [270_000, 90_000, 540_001]);
    life.applied("END.WDR", PAYEE, A, 300_001, 400_000);
    let more =
        [(Field::EnhanceKind, code("DSC")), (Field::EnhanceStatus, code("LIVE")), (Field::EnhanceFen, Value::Int(10))];
    life.applied_with("ENH.UPD", OTHER_BANK, PAYEE, 1, FACE, &more);
    assert_eq!(sums(&life), [3, 1, 6]);
}

#[test]
fn repo_binds_the_lot_to_its_deal() {
    let mut life = discounted();
    let sides = [deal("RP1"), party(Field::SellerId, BANK), party(Field::BuyerId, OTHER_BANK)];
    life.applied_with("RPO.QTE", BANK, OTHER_BANK, 1, FACE, &[deal("RP1")]);
    life.applied_with("RPO.QAC", OTHER_BANK, BANK, 1, FACE, &[deal("RP1")]);
    let first =
        [sides.as_slice(), &[(Field::FirstFen, Value::Int(900_000)), (Field::RepoDays, Value::Int(7))]].concat();
    life.applied_with("RPO.SET", SYSTEM, OTHER_BANK, 1, FACE, &first);
    let lot = &life.bill.lots[0];
    let open = lot.repo().unwrap();
    assert_eq!((open.seller, open.buyer, open.first_fen), (BANK, OTHER_BANK, Some(900_000)));
    assert_eq!((lot.holder, open.redeem_date), (BANK, Some(life.today.plus(7))));
    assert_eq!(life.effect_with("RPO.RED", SYSTEM, BANK, 1, FACE, &[deal("RP2")]), Effect::NoOpenRequest);
    assert_eq!(life.effect_with("BRP.RED", SYSTEM, BANK, 1, FACE, &sides), Effect::NoOpenRequest);
    assert_eq!(life.effect_with("DRD.REQ", BANK, OTHER_BANK, 1, FACE, &[]), Effect::NoOpenRequest);
    life.applied_with("RPO.RDF", SYSTEM, OTHER_BANK, 1, FACE, &sides);
    assert!(life.bill.lots[0].repo().unwrap().failed_on.is_some());
    // facts.md 9.3: still open at the due date.
    life.today = day(DUE);
    life.applied("PAY.MAT", SYSTEM, BANK, 1, FACE);
    let outcome = life.applied_with("RPO.ORD", SYSTEM, BANK, 1, FACE, &sides);
    assert_eq!(outcome.answered, Some(Answered::Deal { seller: BANK, buyer: OTHER_BANK }));
    assert_eq!(life.lot(1), ("CS04", "TF0301", BANK));
    assert!(life.bill.lots[0].rare.is_none());
}

#[test]
fn buyout_repo_and_repo_style_discount_give_the_bill_back() {
    let mut life = discounted();
    let sides = [deal("BR1"), party(Field::SellerId, BANK), party(Field::BuyerId, OTHER_BANK)];
    life.applied_with("BRP.QTE", BANK, OTHER_BANK, 1, FACE, &[deal("BR1")]);
    life.applied_with("BRP.SET", SYSTEM, OTHER_BANK, 1, FACE, &sides);
    assert_eq!(life.lot(1), ("CS03", "TF0305", OTHER_BANK));
    let swapped = [deal("BR1"), party(Field::SellerId, OTHER_BANK)];
    assert_eq!(life.effect_with("BRP.RED", SYSTEM, BANK, 1, FACE, &swapped), Effect::WrongParty);
    life.applied_with("BRP.RED", SYSTEM, BANK, 1, FACE, &sides);
    assert_eq!(life.lot(1), ("CS03", "TF0301", BANK));

    let mut life = Life::received(FACE as i64);
    life.applied("DSR.REQ", PAYEE, BANK, 1, 100);
    life.applied("DSR.SGN", BANK, PAYEE, 1, 100);
    assert_eq!(life.lot(1), ("CS03", "TF0305", BANK));
    assert_eq!(life.effect("DRD.REQ", BANK, PAYEE, 1, 100), Effect::WrongParty);
    life.applied("DRD.REQ", PAYEE, BANK, 1, 100);
    life.applied("DRD.REJ", BANK, PAYEE, 1, 100);
    assert_eq!(life.lot(1), ("CS03", "TF0305", BANK));
    life.applied("DRD.REQ", PAYEE, BANK, 1, 100);
    life.applied("DRD.SGN", BANK, PAYEE, 1, 100);
    assert_eq!(life.lot(1), ("CS03", "TF0301", PAYEE));
    assert!(life.bill.lots[0].repo().is_none());
}

#[test]
fn discount_through_is_locked_by_the_mandate_and_ends_with_the_settlement() {
    let broker = PartyId::legal(100_900);
    let mut life = Life::received(FACE as i64);
    life.applied("DTH.ENT", broker, PAYEE, 1, 100);
    life.applied_with("DTH.LST", broker, PartyId::MARKET, 1, 100, &[deal("L1")]);
    life.applied_with("DTH.DEL", SYSTEM, BANK, 1, 100, &[deal("D1"), party(Field::DiscounterId, BANK)]);
    let wrong = [party(Field::DiscounterId, OTHER_BANK), party(Field::ApplicantId, PAYEE)];
    assert_eq!(life.effect_with("DSC.SET", SYSTEM, PAYEE, 1, 100, &wrong), Effect::WrongParty);
    let right = [party(Field::DiscounterId, BANK), party(Field::ApplicantId, PAYEE)];
    life.applied_with("DSC.SET", SYSTEM, PAYEE, 1, 100, &right);
    assert_eq!(life.lot(1), ("CS03", "TF0301", BANK));
    life.applied("SCB.DSC", PartyId::legal(100_901), BANK, 101, 200);
    life.applied("DSC.SGN", BANK, PAYEE, 101, 200);
    life.applied_with("DSC.SET", SYSTEM, PAYEE, 101, 200, &right);
    assert_eq!(life.lot(101).2, BANK);
}

#[test]
fn the_pledgee_presents_and_stays_on_record() {
    let mut life = Life::received(FACE as i64);
    life.applied("PLG.REQ", PAYEE, BANK, 1, FACE);
    life.applied("PLG.SGN", BANK, PAYEE, 1, FACE);
    assert_eq!(life.effect("PLR.REQ", PAYEE, BANK, 1, FACE), Effect::WrongParty);
    life.today = day(DUE);
    life.applied("PLG.DUE", SYSTEM, BANK, 1, FACE);
    assert_eq!(life.effect("PAY.REQ", PAYEE, ACCEPTOR, 1, FACE), Effect::WrongParty);
    life.applied("PAY.REQ", BANK, ACCEPTOR, 1, FACE);
    life.applied_with("PAY.REJ", ACCEPTOR, BANK, 1, FACE, &[(Field::DishonourReason, code("DC08"))]);
    let lot = &life.bill.lots[0];
    assert_eq!((lot.pledgee(), lot.pay_state, lot.overdue_since), (Some(BANK), PayState::RefusedAll, Some(day(DUE))));
    assert_eq!(life.lot(1), ("CS04", "TF0301", PAYEE));
    life.applied("RCS.NTC", BANK, DRAWER, 1, FACE);
    assert_eq!(life.bill.lots[0].notices().len(), 1);
}

#[test]
fn payment_needs_the_flag_and_not_an_answer() {
    let mut life = Life::due(FACE as i64);
    assert_eq!(life.effect("PAY.SET", SYSTEM, PAYEE, 1, FACE), Effect::IllegalState);
    life.applied("PAY.AUT", SYSTEM, ACCEPTOR, 1, FACE);
    assert_eq!(life.effect("PAY.WDR", SYSTEM, ACCEPTOR, 1, FACE), Effect::WrongParty);
    life.applied("PAY.WDR", PAYEE, ACCEPTOR, 1, FACE);
    assert_eq!(life.bill.lots[0].pay_state, PayState::None);
    life.applied("PAY.REQ", PAYEE, ACCEPTOR, 1, FACE);
    let outcome = life.applied("PAY.SET", SYSTEM, PAYEE, 1, FACE);
    assert!(matches!(outcome.answered, Some(Answered::Request(request)) if request.requester == PAYEE));
    assert_eq!(life.lot(1), ("CS06", "TF0501", PAYEE));
    assert_eq!(life.effect("LSF.FRZ", PartyId::court(1), PAYEE, 1, FACE), Effect::IllegalState, "ended");
}

#[test]
fn maturity_skips_what_is_locked() {
    let mut life = Life::received(FACE as i64);
    life.applied("END.REQ", PAYEE, A, 1, 100);
    life.today = day(DUE);
    life.applied("PAY.MAT", SYSTEM, PAYEE, 1, FACE);
    assert_eq!(life.lot(1).0, "CS03");
    assert_eq!(life.lot(101).0, "CS04");
    assert_eq!(life.effect("PAY.MAT", SYSTEM, PAYEE, 1, FACE), Effect::IllegalState, "no lot is left to act on");
    life.applied("END.CLR", SYSTEM, PAYEE, 1, 100);
    life.applied("PAY.MAT", SYSTEM, PAYEE, 1, FACE);
    assert_eq!(life.lot(1).0, "CS04");
}

#[test]
fn a_lot_falls_overdue_once() {
    let mut late = Life::due(FACE as i64);
    late.applied("PAY.REQ", PAYEE, ACCEPTOR, 1, FACE);
    let lot = &late.bill.lots[0];
    assert_eq!(
        (lot.answer_due, lot.overdue_at(day(DUE).plus(-1)), lot.overdue_at(day(DUE))),
        (Some(day(DUE)), None, Some(day(DUE)))
    );
    late.today = day(DUE).plus(3);
    late.applied("PAY.SGN", ACCEPTOR, PAYEE, 1, FACE);
    assert_eq!(late.bill.lots[0].overdue_since, Some(day(DUE)), "answered three days late");
    late.applied("PAY.SET", SYSTEM, PAYEE, 1, FACE);
    assert_eq!((late.bill.lots[0].overdue_since, late.bill.lots[0].overdue_at(late.today)), (Some(day(DUE)), None));

    let mut failed = Life::due(FACE as i64);
    failed.applied("PAY.REQ", PAYEE, ACCEPTOR, 1, FACE);
    failed.applied("PAY.FLD", SYSTEM, PAYEE, 1, FACE);
    assert_eq!(failed.bill.lots[0].overdue_since, Some(day(DUE)));
    failed.applied("PAY.REQ", PAYEE, ACCEPTOR, 1, FACE);
    failed.applied("PAY.SET", SYSTEM, PAYEE, 1, FACE);
    assert_eq!(failed.bill.lots[0].overdue_since, None, "paid on the same day: withdrawn");

    let mut excused = Life::due(FACE as i64);
    excused.applied("PAY.REQ", PAYEE, ACCEPTOR, 1, FACE);
    excused.applied_with("PAY.REJ", ACCEPTOR, PAYEE, 1, FACE, &[(Field::DishonourReason, code("DC06"))]);
    assert_eq!(excused.bill.lots[0].overdue_since, None);

    let mut tardy = Life::due(FACE as i64);
    tardy.today = day(DUE).plus(11);
    tardy.applied("PAY.LRQ", PAYEE, ACCEPTOR, 1, FACE);
    tardy.applied("PAY.LRJ", ACCEPTOR, PAYEE, 1, FACE);
    let lot = &tardy.bill.lots[0];
    assert_eq!((lot.pay_state, lot.overdue_since), (PayState::RefusedLimited, None));
}

/// A refused bill with endorsers PAYEE -> A -> B, in recourse against A and PAYEE.
fn in_recourse() -> Life {
    let mut life = Life::received(FACE as i64);
    for (from, to) in [(PAYEE, A), (A, B)] {
        life.applied("END.REQ", from, to, 1, FACE);
        life.applied("END.SGN", to, from, 1, FACE);
    }
    life.today = day(DUE);
    life.applied("PAY.MAT", SYSTEM, B, 1, FACE);
    life.applied("PAY.REQ", B, ACCEPTOR, 1, FACE);
    life.applied("PAY.REJ", ACCEPTOR, B, 1, FACE);
    life.applied("RCS.NTC", B, A, 1, FACE);
    life.applied("RCS.NTC", B, PAYEE, 1, FACE);
    life
}

#[test]
fn one_debtor_at_a_time_agrees_to_settle() {
    let mut life = in_recourse();
    assert_eq!(life.effect("RCS.AGR", DRAWER, B, 1, FACE), Effect::NoOpenRequest, "never notified");
    assert_eq!(life.effect("RCS.AGS", B, A, 1, FACE), Effect::NoOpenRequest, "nothing is pending");
    life.applied("RCS.AGR", A, B, 1, FACE);
    assert_eq!(life.effect("RCS.AGR", PAYEE, B, 1, FACE), Effect::NoOpenRequest, "another one is pending");
    assert_eq!(life.effect("RCS.AGW", PAYEE, B, 1, FACE), Effect::NoOpenRequest);
    life.applied("RCS.AGJ", B, A, 1, FACE);
    life.applied("RCS.AGR", PAYEE, B, 1, FACE);
    assert_eq!(life.effect("RCS.AGS", A, PAYEE, 1, FACE), Effect::WrongParty);
    life.applied("RCS.AGS", B, PAYEE, 1, FACE);
    assert_eq!(life.lot(1).2, B, "moves at RCS.SET, unless settled off-line");
    assert!(life.bill.lots[0].agreement().unwrap().signed);
    let settled = [party(Field::CreditorId, B), party(Field::DebtorId, PAYEE)];
    life.applied_with("RCS.SET", SYSTEM, B, 1, FACE, &settled);
    assert_eq!(life.lot(1), ("CS04", "TF0402", PAYEE));
    assert!(life.bill.lots[0].notices().is_empty() && life.bill.lots[0].agreement().is_none());
    // On to the acceptor, off-line: the last obligor.
    life.applied("RCS.RRN", PAYEE, ACCEPTOR, 1, FACE);
    life.applied("RCS.AGR", ACCEPTOR, PAYEE, 1, FACE);
    life.applied_with("RCS.AGS", PAYEE, ACCEPTOR, 1, FACE, &[(Field::SettlementMethod, code("OFFLINE"))]);
    let lot = &life.bill.lots[0];
    assert_eq!((lot.status.code(), lot.pay_state, lot.holder), ("CS06", PayState::Recovered, PAYEE));
    assert!(lot.rare.is_none() && lot.request.is_none());
}

#[test]
fn the_last_notice_withdrawn_frees_the_lot() {
    let mut life = in_recourse();
    assert_eq!(life.effect("RCS.NWD", B, DRAWER, 1, FACE), Effect::NoOpenRequest);
    life.applied("RCS.NWD", B, A, 1, FACE);
    assert_eq!(life.lot(1).1, "TF0402");
    life.applied("RCS.NWD", B, PAYEE, 1, FACE);
    assert_eq!(life.lot(1).1, "TF0301");
    assert!(life.bill.lots[0].rare.is_none());
}

#[test]
fn partial_settlement_moves_nothing_and_a_failed_one_lets_others_go_on() {
    let mut life = in_recourse();
    life.applied("RCS.PRT", A, B, 1, FACE);
    life.applied("RCS.AGR", A, B, 1, FACE);
    let settlement = [party(Field::CreditorId, B), party(Field::DebtorId, A)];
    life.applied_with("RCS.FLD", SYSTEM, B, 1, FACE, &settlement);
    assert_eq!(life.effect_with("RCS.SET", SYSTEM, B, 1, FACE, &settlement), Effect::NoOpenRequest);
    life.applied("RCS.AGR", PAYEE, B, 1, FACE);
    assert_eq!(life.lot(1).2, B);
}

#[test]
fn risk_flags_block_and_clear() {
    let court = PartyId::court(1);
    let mut life = Life::received(FACE as i64);
    assert_eq!(life.effect("LSF.FRZ", court, PAYEE, 1, 100), Effect::IllegalState, "may not cut");
    life.applied("LSF.FRZ", court, PAYEE, 1, FACE);
    assert_eq!(life.effect("LSF.FRZ", court, PAYEE, 1, FACE), Effect::IllegalState, "frozen already");
    assert_eq!(life.effect("END.REQ", PAYEE, A, 1, FACE), Effect::BlockedByRisk);
    assert_eq!(life.effect("END.REQ", B, A, 1, FACE), Effect::WrongParty, "tested before the risk");
    life.applied("LSF.UNF", court, PAYEE, 1, FACE);
    life.applied("END.REQ", PAYEE, A, 1, FACE);
    life.applied("LSF.PUB", court, ACCEPTOR, 1, FACE);
    assert_eq!(life.effect("END.SGN", A, PAYEE, 1, FACE), Effect::BlockedByRisk);
    life.applied("END.REJ", A, PAYEE, 1, FACE);
    assert_eq!(life.bill.lots[0].risk, Risk::Summons);
    life.applied("LSF.JDG", court, ACCEPTOR, 1, FACE);
    assert_eq!(life.lot(1), ("CS05", "TF0501", PAYEE));
}

#[test]
fn guarantees_and_enhancements_live_on_the_lot() {
    let mut life = Life::received(FACE as i64);
    life.applied("GUE.REQ", PAYEE, BANK, 1, 100);
    life.applied("GUE.SGN", BANK, PAYEE, 1, 100);
    let surety = life.bill.lots[0].sureties()[0];
    assert_eq!((surety.guarantor, surety.debtor, surety.amount_fen), (BANK, Some(PAYEE), 100));
    life.applied("ENH.DSC", OTHER_BANK, PAYEE, 1, 100);
    assert!(life.bill.lots[0].is_enhanced());
    life.applied("END.REQ", PAYEE, A, 1, 50);
    assert_eq!(life.bill.lots[1].sureties().len(), 2, "parts inherit");
    life.applied("END.WDR", PAYEE, A, 1, 50);
    life.applied_with("ENH.UPD", OTHER_BANK, PAYEE, 1, 100, &[(Field::EnhanceKind, code("DSC"))]);
    assert!(!life.bill.lots[0].is_enhanced());
    assert_eq!(life.bill.lots[0].sureties().len(), 1);
}

#[test]
fn paper_bills_start_accepted() {
    let mut life = Life::new();
    let fields = lives::header(FACE as i64, false);
    let foreign = with(life.fact("PPR.ACC", DRAWER, SYSTEM, 0, 0), &fields);
    assert_eq!(life.send(foreign).effect, Effect::WrongParty);
    let fact = with(life.fact("PPR.ACC", ACCEPTOR, SYSTEM, 0, 0), &fields);
    assert_eq!(life.send(fact).effect, Effect::Applied);
    assert_eq!(life.lot(0), ("CS02", "TF0101", DRAWER));
    life.applied("PPR.DSC", BANK, SYSTEM, 0, 0);
    assert_eq!(life.lot(0), ("CS03", "TF0301", BANK));
    life.applied("PPR.PLG", OTHER_BANK, SYSTEM, 0, 0);
    assert_eq!(life.effect("PPR.PLR", BANK, SYSTEM, 0, 0), Effect::WrongParty);
    life.applied("PPR.PLR", OTHER_BANK, SYSTEM, 0, 0);
    life.today = day(DUE);
    life.applied("PAY.MAT", SYSTEM, BANK, 0, 0);
    life.applied("PPR.CLS", ACCEPTOR, SYSTEM, 0, 0);
    assert_eq!(life.bill.lots[0].pay_state, PayState::Paid);
}

#[test]
fn online_payment_frees_the_lot_and_a_deposit_moves_it() {
    let platform = PartyId::legal(100_950);
    let mut life = Life::received(FACE as i64);
    life.applied("OPY.LCK", platform, PAYEE, 1, 100);
    let outcome = life.applied("OPY.ULK", platform, PAYEE, 1, 100);
    assert_eq!(outcome.cuts[0].behaviour, behaviour::SPL_RST);
    life.applied("OPY.LCK", platform, PAYEE, 1, 100);
    life.applied("OPY.RES", SYSTEM, platform, 1, 100);
    assert_eq!(life.lot(1), ("CS03", "TF0301", PAYEE));
    life.applied("SDN.REQ", PAYEE, BANK, 1, 100);
    life.applied_with("SDN.ACK", BANK, PAYEE, 1, 100, &[party(Field::NewHolderId, OTHER_BANK)]);
    assert_eq!(life.lot(1).2, OTHER_BANK);
    life.applied_with("SDN.RET", BANK, PAYEE, 1, 100, &[party(Field::NewHolderId, PAYEE)]);
    assert_eq!(life.lot(1).2, PAYEE);
    assert_eq!(life.effect("SPL.OUT", PAYEE, SYSTEM, 1, 10), Effect::Informational, "made by the fold, not by sources");
}
