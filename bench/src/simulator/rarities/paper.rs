//! What is left of the old forms: paper, and the electronic system before 2022 (ECDS).

use billwatch_market::fact::{Field, Source, Value, behaviour};

use super::teller::Teller;
use super::{Rarity, rare};
use crate::simulator::deals::Discount;
use crate::simulator::draft::Party;

pub(super) const LIVES: &[Rarity] = &[
    rare("a paper bill pledged and released", 8, paper_pledge),
    rare("a paper bill confirmed before payment", 24, paper_confirmed),
    rare("a paper bill lost, claimed and paid", 12, lost_and_claimed),
    rare("a paper bill lost for good", 8, lost_for_good),
    rare("a bill of the old system, pledged until it is due", 24, old_system_pledge),
    rare("a bill of the old system, moved to the new one", 24, old_system_moved),
];

fn paper_pledge(teller: &mut Teller) {
    let parties = (teller.bill.drawer, teller.bill.acceptor, teller.bill.payee);
    teller.issue_of(Source::Preg, parties);
    let fact = teller.bill.register_paper(teller.story.now());
    teller.story.put(fact);
    teller.story.wait(1);
    let (acceptor, guarantor, bank) = (teller.bill.acceptor, teller.bank(0), teller.bank(1));
    teller.tell(behaviour::PPR_GUA, guarantor, Party::SYSTEM);
    teller.tell_with(behaviour::PPR_WDR, acceptor, Party::SYSTEM, |draft| draft.code(Field::ChangeReason, "AR01"));
    discounted_paper(teller, bank);
    let lender = teller.bank(2);
    teller.tell(behaviour::PPR_PLG, lender, Party::SYSTEM);
    teller.some_days_later(20);
    teller.tell(behaviour::PPR_PLR, lender, Party::SYSTEM);
    // Paid outside the systems: it is due, and closed.
    let fact = teller.bill.mature(teller.range, bank);
    teller.story.put(fact);
    teller.on_due_date();
    teller.tell(behaviour::PPR_CLS, acceptor, Party::SYSTEM);
}

/// Discounted, taken into custody, moved, handed back.
fn discounted_paper(teller: &mut Teller, bank: Party) {
    teller.some_days_later(3);
    let terms =
        Discount::priced(&teller.bill, teller.range, teller.bill.payee, bank, teller.fair_rate(), teller.story.today());
    let fact = teller.bill.discount_paper(teller.story.now(), &terms);
    teller.story.put(fact);
    teller.next_day();
    let lies = bank.inst.map(Value::Inst);
    for behaviour in [behaviour::PPR_STK, behaviour::PPR_RET] {
        let lies = lies.clone();
        teller.tell_with(behaviour, bank, Party::SYSTEM, |draft| match lies {
            Some(inst) => draft.value(Field::CustodyInst, inst),
            None => draft,
        });
    }
}

fn paper_confirmed(teller: &mut Teller) {
    let parties = (teller.bill.drawer, teller.bill.acceptor, teller.bill.payee);
    teller.issue_of(Source::Preg, parties);
    let fact = teller.bill.register_paper(teller.story.now());
    teller.story.put(fact);
    let (acceptor, bank) = (teller.bill.acceptor, teller.bank(0));
    discounted_paper(teller, bank);
    teller.next_day();
    teller.ask(behaviour::PAY_CNF_REQ, bank, acceptor);
    teller.tell(behaviour::PAY_CNF_RES, acceptor, bank);
    teller.paid(bank);
}

/// In the old system a pledged bill gets PLG.DUE instead of PAY.MAT (facts.md 4.4).
fn old_system_pledge(teller: &mut Teller) {
    let parties = (teller.bill.drawer, teller.bill.acceptor, teller.bill.payee);
    teller.issue_of(Source::Ecds, parties);
    teller.received();
    let (payee, bank, acceptor) = (teller.bill.payee, teller.bank(0), teller.bill.acceptor);
    teller.ask(behaviour::PLG_REQ, payee, bank);
    teller.tell(behaviour::PLG_SGN, bank, payee);
    teller.story.at(teller.bill.due.start_ms());
    teller.tell(behaviour::PLG_DUE, Party::SYSTEM, bank);
    teller.on_due_date();
    let presentation = teller.ask(behaviour::PAY_REQ, bank, acceptor);
    teller.tell(behaviour::PAY_SGN, acceptor, bank);
    let fact = teller.bill.pay(teller.story.now(), teller.range, payee, presentation);
    teller.story.put(fact);
}

fn old_system_moved(teller: &mut Teller) {
    let parties = (teller.bill.drawer, teller.bill.acceptor, teller.bill.payee);
    teller.issue_of(Source::Ecds, parties);
    teller.received();
    let (payee, acceptor) = (teller.bill.payee, teller.bill.acceptor);
    let fact = teller.bill.mature(teller.range, payee);
    teller.story.put(fact);
    teller.on_due_date();
    // The bill is due and not yet presented when it moves: the new system tells the rest.
    teller.bill.source = Source::Ngbs;
    teller.tell(behaviour::CST_MIG, Party::SYSTEM, payee);
    let presentation = teller.ask(behaviour::PAY_REQ, payee, acceptor);
    teller.story.honoured(&mut teller.bill, payee, presentation);
}

/// A paper bill with its discounter, then its loss is reported; the court that may be asked.
fn lost(teller: &mut Teller) -> (Party, Party) {
    let parties = (teller.bill.drawer, teller.bill.acceptor, teller.bill.payee);
    teller.issue_of(Source::Preg, parties);
    let fact = teller.bill.register_paper(teller.story.now());
    teller.story.put(fact);
    let bank = teller.bank(0);
    discounted_paper(teller, bank);
    let acceptor = teller.bill.acceptor;
    teller.some_days_later(5);
    teller.tell(behaviour::LSF_STP, acceptor, bank);
    (bank, Party::court(teller.bill.serial % 300 + 1))
}

fn lost_and_claimed(teller: &mut Teller) {
    let (bank, court) = lost(teller);
    let acceptor = teller.bill.acceptor;
    teller.next_day();
    teller.tell(behaviour::LSF_STX, acceptor, bank);
    teller.tell(behaviour::LSF_STP, acceptor, bank);
    teller.some_days_later(5);
    teller.tell(behaviour::LSF_PUB, court, acceptor);
    teller.some_days_later(20);
    teller.tell(behaviour::LSF_CLM, bank, court);
    teller.paid(bank);
}

fn lost_for_good(teller: &mut Teller) {
    let (_, court) = lost(teller);
    let acceptor = teller.bill.acceptor;
    teller.some_days_later(5);
    teller.tell(behaviour::LSF_PUB, court, acceptor);
    teller.some_days_later(61);
    teller.tell(behaviour::LSF_JDG, court, acceptor);
}
