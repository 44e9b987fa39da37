//! Rare entries of the registers: companies that leave, accounts closed, rules of accounts, disclosures corrected, cash.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::{InstId, PartyId};

use super::teller::Teller;
use super::{Rarity, rare};
use crate::simulator::draft::{Draft, Party};

pub(super) const LIVES: &[Rarity] = &[
    rare("a company checks bills, rules its account, leaves", 60, company_leaves),
    rare("a payment that waits for cash", 60, waits_for_cash),
    rare("a disclosure corrected", 60, disclosure_corrected),
    rare("a company's master data change", 200, data_changed),
    rare("a branch is renamed and succeeded", 12, branch_succeeded),
    rare("stopped from accepting, and restored", 12, stopped_and_restored),
];

fn of(company: Party) -> impl Fn(Draft) -> Draft {
    move |draft| draft.value(Field::EntId, Value::Party(company.id))
}

fn company_leaves(teller: &mut Teller) {
    teller.received();
    let (payee, home) = (teller.bill.payee, teller.bill.acceptor);
    teller.tell(behaviour::DIS_QRY, payee, Party::SYSTEM);
    teller
        .tell_with(behaviour::MST_PAM, payee, home, |draft| of(payee)(draft).text(Field::RuleText, "拒收商业承兑汇票"));
    teller.paid(payee);
    teller.some_days_later(14);
    let today = teller.story.today();
    teller.tell_with(behaviour::MST_ACX, home, payee, |draft| {
        of(payee)(draft).text(Field::AccountId, format!("{:010}01", payee.id.number())).date(Field::CloseDate, today)
    });
    teller.tell_with(behaviour::MST_ENX, home, Party::SYSTEM, of(payee));
}

/// The settlement of a sale waits in the queue until its buyer pays cash in.
fn waits_for_cash(teller: &mut Teller) {
    let seller = teller.discounted();
    let buyer = teller.bank(1);
    let deal = teller.outright(seller, buyer);
    teller.quote(behaviour::IBT_QTE);
    teller.accept(behaviour::IBT_QAC);
    teller.strike(behaviour::IBT_DEL);
    let queue = format!("Q{}", teller.bill.serial);
    teller.tell_with(behaviour::CSH_QUE, Party::SYSTEM, buyer, |draft| {
        draft
            .code(Field::SettlementResult, "QUEUED")
            .code(Field::SettlementBusiness, "RE1011")
            .text(Field::QueueId, queue)
            .text(Field::DealId, deal.id())
    });
    teller.tell(behaviour::CSH_DEP, buyer, Party::SYSTEM);
    teller.settle(behaviour::IBT_SET);
    teller.tell(behaviour::CSH_WDL, seller, Party::SYSTEM);
    teller.tell_with(behaviour::CSH_INT, Party::SYSTEM, seller, |draft| draft.int(Field::CashFen, 1_250));
    teller.tell_with(behaviour::CSH_FEE, Party::SYSTEM, seller, |draft| draft.int(Field::FeeFen, 3_000));
    teller.paid(buyer);
}

/// A finance company puts right what it disclosed of a bill.
fn disclosure_corrected(teller: &mut Teller) {
    teller.received();
    let (acceptor, due) = (teller.bill.acceptor, teller.bill.due);
    teller.tell_with(behaviour::DIS_COR, acceptor, Party::SYSTEM, |draft| {
        draft
            .value(Field::AcceptorId, Value::Party(acceptor.id))
            .text(Field::CorrectedField, "due_date")
            .text(Field::NewValue, due.to_string())
    });
    let payee = teller.bill.payee;
    teller.paid(payee);
}

fn data_changed(teller: &mut Teller) {
    teller.received();
    let (payee, home) = (teller.bill.payee, teller.bill.acceptor);
    teller.tell_with(behaviour::MST_ENC, home, Party::SYSTEM, |draft| {
        of(payee)(draft).text(Field::FieldName, "employees").text(Field::OldValue, "120").text(Field::NewValue, "131")
    });
    teller.tell_with(behaviour::MST_CRT, home, payee, |draft| {
        of(payee)(draft).text(Field::CertId, format!("{:016x}", payee.id.number()))
    });
    let group = PartyId::group(900_000 + payee.id.number() % 90_000);
    teller.tell_with(behaviour::MST_GRP, Party::SYSTEM, payee, |draft| {
        of(payee)(draft).value(Field::GroupId, Value::Party(group)).code(Field::RelationKind, "MEMBER")
    });
    // Entered in a list and taken off it the same minute: a mistake of the desk.
    for action in ["ADD", "REMOVE"] {
        teller.tell_with(behaviour::MST_BLK, Party::SYSTEM, payee, |draft| {
            of(payee)(draft).code(Field::ListType, "WL05").code(Field::ListAction, action)
        });
    }
    teller.paid(payee);
}

/// Two new branches of a bank: the second takes the first one's place.
fn branch_succeeded(teller: &mut Teller) {
    let bank = teller.bill.acceptor;
    let legal = bank.id.number() as u32;
    let branch = |number: u32| Party { id: bank.id, inst: Some(InstId(legal * 1_000 + number)) };
    // Normal trade has fewer branches.
    let first = 500 + 2 * (teller.story.variant as u32 % 200);
    let (old, new) = (branch(first), branch(first + 1));
    for opened in [old, new] {
        let at = teller.story.now();
        let fact = teller.story.trade.registry.institution(at, opened, 206, "310000", None);
        teller.story.put(fact);
        teller.story.wait(1);
    }
    let code = |party: Party| party.inst.map(Value::Inst);
    let (Some(before), Some(after)) = (code(old), code(new)) else { return };
    teller.tell_with(behaviour::MST_ISC, old, Party::SYSTEM, |draft| {
        draft
            .value(Field::ParticipantCode, before.clone())
            .text(Field::FieldName, "city")
            .text(Field::NewValue, "310100")
    });
    teller.tell_with(behaviour::MST_ISA, old, Party::SYSTEM, |draft| {
        draft.value(Field::ParticipantCode, before).value(Field::SuccessorCode, after)
    });
}

/// A company that disclosed nothing for a while: stopped, explained, restored. Who is on the lists is told by the platform
/// (`simulator/lists.rs`): nobody stands on them without overdue bills.
fn stopped_and_restored(teller: &mut Teller) {
    let company = teller.story.company();
    let named = |draft: Draft| draft.value(Field::AcceptorId, Value::Party(company.id));
    teller.tell_with(behaviour::DIS_SUS, Party::SYSTEM, company, named);
    teller.some_days_later(10);
    teller.tell_with(behaviour::DIS_ANN, company, Party::MARKET, |draft| {
        named(draft).text(Field::StatementText, "信息披露已补充完整")
    });
    teller.tell_with(behaviour::DIS_RST, Party::SYSTEM, company, named);
}
