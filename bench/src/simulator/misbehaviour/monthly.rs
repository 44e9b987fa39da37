//! Cases of what must be sent each month or never came: P121, P126, P128, P130, P131. The alert carries the date of the limit.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::Day;

use super::{Injector, light};
use crate::simulator::draft::Party;
use crate::simulator::life::Kind;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P121", not_disclosed_this_month),
    light("P126", rights_lapse),
    light("P128", no_invoice),
    light("P130", silent_after_refusals),
    light("P131", no_balance_sheet),
];

/// A minute before the end of the limit, or a minute after it when `late`.
fn around(limit: Day, late: bool) -> i64 {
    limit.end_ms() + if late { 60_000 } else { -60_000 }
}

/// Disclosed on the eleventh; the miss: on the tenth.
fn not_disclosed_this_month(story: &mut Story) {
    let (acceptor, payee) = (story.company(), story.company());
    let mut bill = story.bill(Kind::Commercial, 100_000 * CNY, (acceptor, acceptor, payee), 120);
    story.accepted(&mut bill);
    let month = story.begin.month_start().add_months(1);
    let limit = month.plus(9);
    let at = around(limit, story.positive);
    let fact = story.trade.registry.credit_disclosure(at, acceptor, month.plus(-1));
    story.put(fact);
    story.label(acceptor.id, limit, "disclosed on the 11th; miss: on the 10th");
    story.unused(&mut bill);
}

/// A bill found nearly two years after its due date is paid a day after the warning; the miss: on its day.
fn rights_lapse(story: &mut Story) {
    let due = story.begin.plus(66).add_months(-24);
    let limit = due.add_months(24).plus(-60);
    let parties = (story.company(), story.house_bank(0), story.company());
    story.on(due.plus(-150));
    let mut bill = story.bill_due(Kind::Bank, 100_000 * CNY, parties, due);
    story.on(story.begin);
    story.received(&mut bill);
    let (range, acceptor) = (bill.whole(), bill.acceptor);
    let matured = bill.act_in(bill.source, behaviour::PAY_MAT, story.now(), range, Party::SYSTEM, parties.2);
    story.put(matured.date(Field::DueDate, due).done());
    story.wait(5);
    if story.positive && story.variant == 2 {
        // Nobody comes: the rights lapse.
        story.label(bill.id, limit, "never presented: the rights lapse");
        let lapse = due.add_months(24).plus(1).start_ms();
        let fact = bill.act_in(bill.source, behaviour::PAY_EXP, lapse, range, Party::SYSTEM, parties.2).done();
        story.put(fact);
        return;
    }
    let late =
        bill.act(behaviour::PAY_LRQ, story.now(), range, parties.2, acceptor).text(Field::LateText, "遗失后寻回");
    let presentation = story.put(late.done());
    story.wait(5);
    let fact = bill.agree(behaviour::PAY_LSG, story.now(), range, acceptor, parties.2, presentation);
    story.put(fact);
    story.label(bill.id, limit, "paid a day after 60 days before the lapse; miss: on that day");
    let fact = bill.pay(around(limit, story.positive), range, parties.2, presentation);
    story.put(fact);
}

/// The invoice comes 31 days after the discount; the miss: 30.
fn no_invoice(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, 120);
    story.received(&mut bill);
    let day = story.business_day(story.begin, 2);
    story.on(day);
    let bank = story.house_bank(1);
    let from = story.facts.len();
    story.discount(&mut bill, parties.2, bank, FAIR_RATE);
    for fact in &mut story.facts[from..] {
        fact.fields.retain(|(field, _)| *field != Field::InvoiceNo);
    }
    let limit = day.plus(30);
    let draft = story.trade.registry.draft(behaviour::MST_TBK, around(limit, story.positive)).from(parties.0);
    let draft =
        draft.value(Field::DrawerId, Value::Party(parties.0.id)).text(Field::ContractNo, format!("HT{}", bill.serial));
    let draft = draft.code(Field::ContractType, "CT01").text(Field::InvoiceNo, format!("FP{}", bill.serial));
    let mut fact = draft.code(Field::InvoiceType, "IV03").int(Field::InvoiceFen, bill.face_fen).done();
    fact.bill_id = Some(bill.id);
    (fact.range, fact.range_given) = (bill.whole(), true);
    story.put(fact);
    story.label(bill.id, limit, "invoice after 31 days; miss: after 30");
    story.paid(&mut bill, bank);
}

/// Three refusals on one day and a word about them eleven days later; the miss: ten days later, or two refusals.
fn silent_after_refusals(story: &mut Story) {
    let (acceptor, payee) = (story.company(), story.company());
    let few = !story.positive && story.variant == 1;
    let mut bills = Vec::new();
    for nth in 0..if few { 2 } else { 3 } {
        let mut bill = story.bill(Kind::Commercial, 10_000 * CNY + nth, (acceptor, acceptor, payee), 30);
        story.received(&mut bill);
        bills.push(bill);
        story.wait(5);
    }
    for bill in &mut bills {
        let presentation = story.presented(bill, payee);
        story.refused(bill, payee, presentation, "DC08");
    }
    let limit = story.today().plus(10);
    let at = around(limit, story.positive || few);
    let draft = story.trade.registry.draft(behaviour::DIS_ANN, at).from(acceptor).to(Party::MARKET);
    let draft = draft.value(Field::AcceptorId, Value::Party(acceptor.id));
    story.put(draft.text(Field::StatementText, "说明").done());
    story.label(acceptor.id, limit, "three refusals and no word for 10 days; miss: a word on day 10, or two refusals");
}

/// The balance sheet of the month comes on the 21st of the next; the miss: on the 20th.
fn no_balance_sheet(story: &mut Story) {
    let member = story.member(205);
    let month = story.begin.month_start().add_months(1);
    let limit = month.plus(19);
    let at = around(limit, story.positive);
    let fact = story.trade.registry.balance_sheet(at, member, month.plus(-1), 100_000 * MILLION);
    let event = story.put(fact);
    story.label_reference(member.id, limit, event, "reported on the 21st; miss: on the 20th");
}
