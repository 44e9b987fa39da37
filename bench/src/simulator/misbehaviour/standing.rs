//! Cases of master data against what is done: P145, P148, P152, P153, P154, P155, P157, P159, P160, P161, P162.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::{Code, Day, PartyId};

use super::{Injector, light};
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::reference::Registration;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P145", no_financials),
    light("P148", protected_name),
    light("P152", shell_profile),
    light("P153", remote_account),
    light("P154", new_representative),
    light("P155", deregistered),
    light("P157", used_twice),
    light("P159", too_small),
    light("P160", suspended),
    light("P161", unauthorised),
    light("P162", first_large),
];

/// A bill accepted by the first bank.
fn banked(story: &mut Story, drawer: Party, face_fen: i64) -> Bill {
    let parties = (drawer, story.acceptor_of(face_fen, 0), story.company());
    let mut bill = story.bill(Kind::Bank, face_fen, parties, 120);
    story.accepted(&mut bill);
    bill
}

/// A bill accepted by a company.
fn commercial(story: &mut Story, acceptor: Party, face_fen: i64) -> Bill {
    let parties = (story.company(), acceptor, story.company());
    let mut bill = story.bill(Kind::Commercial, face_fen, parties, 120);
    story.accepted(&mut bill);
    bill
}

/// MST.ENC of a company.
fn changed(story: &mut Story, at: i64, company: Party, field: &str, value: &str) -> billwatch_market::fact::EventId {
    let bank = story.house_bank(0);
    let draft = story.trade.registry.draft(behaviour::MST_ENC, at).from(bank);
    let draft = draft.value(Field::EntId, Value::Party(company.id));
    let fact = draft.text(Field::FieldName, field).text(Field::NewValue, value).done();
    story.put(fact)
}

/// MST.ENF of a company.
fn financials(story: &mut Story, company: Party, date: Day, revenue_fen: i64) {
    let at = story.reference_time() + 5;
    let mut fact = story.trade.registry.financials(at, company, date, revenue_fen);
    fact.set(Field::Revenue12mFen, Value::Int(revenue_fen));
    story.put(fact);
}

/// 50,000,000 CNY drawn, statement 400 days old; the miss: 399 days, or a fen less.
fn no_financials(story: &mut Story) {
    let drawer = story.company();
    let less = !story.positive && story.variant == 1;
    let age = if story.positive || less { 400 } else { 399 };
    let date = story.begin.plus(-age);
    financials(story, drawer, date, 1_000 * MILLION);
    let face = if less { 50 * MILLION - 1 } else { 50 * MILLION };
    let mut bill = banked(story, drawer, face);
    story.label(drawer.id, story.begin, "50,000,000 CNY and a statement 400 days old; miss: 399 days or a fen less");
    story.unused(&mut bill);
}

/// A name of its own for each case.
fn group_name(story: &Story) -> String {
    const LETTERS: [char; 10] = ['岳', '峦', '峰', '嵘', '岱', '巍', '峻', '岚', '崇', '峥'];
    let number = story.begin.0 as usize * 6 + story.variant * 2 + usize::from(story.positive);
    let letter = |place: u32| LETTERS[number / 10usize.pow(place) % 10];
    (0..6).map(letter).collect()
}

/// Accepts under the trade name of a protected group; the miss: is one of the group.
fn protected_name(story: &mut Story) {
    let group = PartyId::group(600_000 + story.begin.0 as u64 % 10_000 * 6 + story.variant as u64);
    let name = group_name(story);
    let at = story.reference_time() + 50;
    let head = story.company();
    let mut registration = Registration::plain(head);
    registration.group = Some(group);
    registration.capital_fen = 1_000 * MILLION;
    let mut fact = story.trade.registry.enterprise(at, &registration);
    fact.set(Field::Name, Value::Text(format!("{name}建设集团有限公司").into()));
    if story.variant != 1 {
        fact.set(Field::SpecialFlags, Value::Codes([Code::of("CSOE")].into()));
    }
    story.put(fact);
    if story.variant == 1 {
        // No central SOE: protected as the head of its group.
        let draft = story.trade.registry.draft(behaviour::MST_GRP, at + 1).from(Party::SYSTEM).to(head);
        let draft = draft.value(Field::EntId, Value::Party(head.id)).value(Field::GroupId, Value::Party(group));
        let fact = draft.code(Field::RelationKind, "PARENT").date(Field::FromDate, story.begin).done();
        story.put(fact);
    }
    let acceptor = story.company();
    let mut registration = Registration::plain(acceptor);
    registration.capital_fen = 1_000 * MILLION;
    registration.group = story.either(None, Some(group));
    let mut fact = story.trade.registry.enterprise(at + 2, &registration);
    let own_name = if story.variant == 2 {
        format!("{name}集团建材有限公司")
    } else {
        format!("上海{name}贸易有限公司")
    };
    fact.set(Field::Name, Value::Text(own_name.as_str().into()));
    story.put(fact);
    let (drawer, payee) = (story.company(), story.company());
    let mut bill = story.bill(Kind::Commercial, 100_000 * CNY, (drawer, acceptor, payee), 120);
    let mut fact = bill.issue(story.now());
    // What the bill says is what the register says: the name itself is the lie.
    fact.set(Field::AcceptorName, Value::Text(own_name.into()));
    story.put(fact);
    story.wait(1);
    let fact = bill.ask_acceptance(story.now());
    let request = story.put(fact);
    story.signed(&mut bill, request, 0, true);
    story.label(acceptor.id, story.begin, "bears the name of a protected group; miss: belongs to it");
    story.unused(&mut bill);
}

/// Young, nothing paid in, three employees; the miss: a day too old, a fen paid in, or a fen less drawn.
fn shell_profile(story: &mut Story) {
    let miss = |variant| !story.positive && story.variant == variant;
    let (old, paid, less) = (miss(0), miss(1), miss(2));
    let registered = story.begin.plus(if old { -366 } else { -365 });
    let drawer = story.company_with(|company| {
        company.registered = registered;
        company.paid_fen = i64::from(paid);
        company.employees = 3;
    });
    let mut bill = banked(story, drawer, if less { 5 * MILLION - 1 } else { 5 * MILLION });
    story.label(drawer.id, story.begin, "three signs of a shell and 5,000,000 CNY; miss: two signs or a fen less");
    story.unused(&mut bill);
}

/// First acceptance through an account of 60 days in another province; the miss: 61 days, the own province, a fen less.
fn remote_account(story: &mut Story) {
    let miss = |variant| !story.positive && story.variant == variant;
    let (old, near, less) = (miss(0), miss(1), miss(2));
    let bank = story.member_in(205, "440000", None, 100_000 * MILLION);
    let (acceptor, at) = (story.company(), story.reference_time() + 30);
    let acceptor = Party { id: acceptor.id, inst: bank.inst };
    let mut registration = Registration::plain(acceptor);
    registration.province = if near { "440000" } else { "330000" };
    registration.capital_fen = 1_000 * MILLION;
    let opened = story.begin.plus(if old { -61 } else { -60 });
    let registered = story.trade.registry.enterprise(at, &registration);
    let mut account = story.trade.registry.account(at + 1, acceptor, opened);
    account.set(Field::AccountId, Value::Text(format!("{:010}02", acceptor.id.number()).into()));
    story.facts.extend([registered, account]);
    let mut bill = commercial(story, acceptor, if less { 5 * MILLION - 1 } else { 5 * MILLION });
    story.label(acceptor.id, story.begin, "remote account of 60 days, 5,000,000 CNY; miss: 61 days, near, a fen less");
    story.unused(&mut bill);
}

/// Five times the former average after a change of the representative; the miss: a fen less, or another field changed.
fn new_representative(story: &mut Story) {
    let drawer = story.company();
    let other = !story.positive && story.variant == 1;
    let less = !story.positive && !other;
    // 90 days at 200,000 CNY a day, then one day at 1,000,000 and nine more of nothing.
    let mut first = banked(story, drawer, 18 * MILLION);
    let mut change = story.begin.plus(30);
    while !story.trade.calendar.is_business_day(change.plus(9)) {
        change = change.plus(1);
    }
    let number = drawer.id.number() + 1_000_000_000;
    let value = PartyId::person(number).to_string();
    changed(story, change.start_ms() + 1_000, drawer, if other { "ubo_id" } else { "legal_rep_id" }, &value);
    let day = change.plus(9);
    story.on(day);
    let mut second = banked(story, drawer, if less { 10 * MILLION - 1 } else { 10 * MILLION });
    story.label(drawer.id, day, "five times the former average a day; miss: a fen less, or another field");
    story.unused(&mut first);
    story.unused(&mut second);
}

/// The licence is revoked while a bill lives; the miss: another change, or no bill.
fn deregistered(story: &mut Story) {
    let acceptor = story.company();
    let mut bill = None;
    if story.positive || story.variant != 1 {
        bill = Some(commercial(story, acceptor, 100_000 * CNY));
    }
    let day = story.business_day(story.begin, 3);
    let harmless = !story.positive && story.variant != 1;
    let status = if harmless { "MOVEIN" } else { ["REVOKED", "ABNORMAL", "BANKRUPT"][story.variant % 3] };
    let event = changed(story, day.start_ms() + 36_000_000, acceptor, "registry_status", status);
    story.label_reference(acceptor.id, day, event, "licence gone with a bill alive; miss: moved, or no bill");
    if let Some(bill) = &mut bill {
        story.unused(bill);
    }
}

/// One contract for a fen more than it is worth, or one invoice at two banks; the miss: exactly its worth, or one bank.
fn used_twice(story: &mut Story) {
    let drawer = story.company();
    if story.variant == 2 {
        return invoice_at_two_banks(story, drawer);
    }
    let number = format!("C{}", drawer.id.number());
    let at = story.reference_time() + 40;
    let draft = story.trade.registry.draft(behaviour::MST_TBK, at).from(drawer);
    let draft = draft.value(Field::DrawerId, Value::Party(drawer.id)).text(Field::ContractNo, number.as_str());
    story.put(draft.code(Field::ContractType, "CT01").int(Field::ContractFen, MILLION).done());
    let mut bills = Vec::new();
    for face in [MILLION / 2, MILLION / 2 + story.either(1, 0)] {
        story.wait(30);
        let parties = (drawer, story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 120);
        let request = story.issued(&mut bill);
        story.wait(1);
        let mut fact = bill.accept(story.now(), request, face / 10 * 3);
        fact.set(Field::ContractNo, Value::Text(number.as_str().into()));
        story.put(fact);
        bills.push(bill);
    }
    story.label(drawer.id, story.begin, "bills for a fen more than the contract; miss: for all of it");
    for bill in &mut bills {
        story.unused(bill);
    }
}

fn invoice_at_two_banks(story: &mut Story, drawer: Party) {
    let mut bills = Vec::new();
    for nth in 0..2 {
        story.on(story.begin);
        let parties = (drawer, story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, 120);
        story.received(&mut bill);
        story.on(story.business_day(story.begin, 3));
        story.wait(20 * nth);
        let bank = story.house_bank(1 + if story.positive { nth as usize } else { 0 });
        let from = story.facts.len();
        story.discount(&mut bill, parties.2, bank, FAIR_RATE);
        for fact in &mut story.facts[from..] {
            if fact.behaviour == behaviour::DSC_SGN {
                fact.set(Field::InvoiceNo, Value::Text(format!("FP{}", drawer.id.number()).into()));
            }
        }
        bills.push((bill, bank));
    }
    story.label(drawer.id, story.business_day(story.begin, 3), "one invoice at two banks; miss: at one");
    for (bill, bank) in &mut bills {
        story.paid(bill, *bank);
    }
}

/// A small company draws 300,000,000 CNY with less than half of it in revenue; the miss: half, of medium size, a fen less.
fn too_small(story: &mut Story) {
    let miss = |variant| !story.positive && story.variant == variant;
    let (half, medium, less) = (miss(0), miss(1), miss(2));
    let size = if medium { 60 } else { 59 };
    let drawer = story.company_with(|company| company.capital_fen = size * MILLION);
    let face = if less { 300 * MILLION - 1 } else { 300 * MILLION };
    let date = story.begin.month_start().plus(-1);
    financials(story, drawer, date, if half { face / 2 } else { face / 2 - 1 });
    let mut bill = banked(story, drawer, face);
    story.label(drawer.id, story.begin, "small, 300,000,000 CNY, less than half in revenue; miss: half, medium, less");
    story.unused(&mut bill);
}

/// A member that is suspended, or a branch that was taken over, accepts; the miss: restored before.
fn suspended(story: &mut Story) {
    let bank = story.member(205);
    let at = story.reference_time() + 50;
    let inst = Value::Inst(bank.inst.unwrap_or(billwatch_market::ids::InstId(0)));
    let taken_over = story.positive && story.variant == 2;
    if taken_over {
        let successor = story.member(205);
        let draft = story.trade.registry.draft(behaviour::MST_ISA, at).from(bank).value(Field::ParticipantCode, inst);
        let successor = Value::Inst(successor.inst.unwrap_or(billwatch_market::ids::InstId(0)));
        let fact = draft.value(Field::SuccessorCode, successor).done();
        story.put(fact);
    } else {
        for (later, status) in [(0, "SUSPENDED"), (1, "ACTIVE")] {
            if later == 1 && story.positive {
                break;
            }
            let draft = story.trade.registry.draft(behaviour::MST_ISC, at + later).from(bank);
            let draft =
                draft.value(Field::ParticipantCode, inst.clone()).value(Field::LegalInstId, Value::Party(bank.id));
            let fact = draft.text(Field::FieldName, "participant_status").text(Field::NewValue, status).done();
            story.put(fact);
        }
    }
    let parties = (story.company(), bank, story.company());
    let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, 120);
    story.accepted(&mut bill);
    story.label(bank.id, story.begin, "suspended or taken over, and accepts; miss: active again");
    story.unused(&mut bill);
}

/// The seller's trader is suspended, or nobody knows him; the miss: active again.
fn unauthorised(story: &mut Story) {
    let (seller, buyer) = (story.member(205), story.member(206));
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, 120);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, parties.2, seller, FAIR_RATE);
    let day = story.business_day(story.begin, 3);
    let unknown = story.positive && story.variant == 2;
    let at = day.start_ms() + 60_000;
    for (later, status) in [(0, "SUSPENDED"), (1, "ACTIVE")] {
        if unknown || later == 1 && story.positive {
            break;
        }
        let mut fact = story.trade.registry.trader(at + later, seller);
        fact.set(Field::TraderStatus, Value::Code(Code::of(status)));
        story.put(fact);
    }
    story.on(day);
    let deal = story.deal(&bill, seller, buyer, FAIR_RATE);
    let from = story.facts.len();
    story.sell(&mut bill, &deal);
    for fact in &mut story.facts[from..] {
        if unknown && fact.behaviour == behaviour::IBT_DEL {
            fact.set(Field::TraderId, Value::Text("T0".into()));
        }
    }
    story.label(seller.id, day, "trader suspended or unknown; miss: active again");
    story.paid(&mut bill, buyer);
}

/// 10,000,000 CNY in the first seven days; the miss: a fen less, on the eighth day, or registered for disclosure.
fn first_large(story: &mut Story) {
    let miss = |variant| !story.positive && story.variant == variant;
    let (less, late, registered) = (miss(0), miss(1), miss(2));
    let acceptor = story.company();
    if registered {
        let at = story.reference_time() + 40;
        let fact = story.trade.registry.disclosure_account(at, acceptor);
        story.put(fact);
    }
    let (first, last) = story.days_apart(story.begin, if late { 7 } else { 6 });
    story.on(first);
    let mut bills = vec![commercial(story, acceptor, 4 * MILLION)];
    story.on(last);
    bills.push(commercial(story, acceptor, if less { 6 * MILLION - 1 } else { 6 * MILLION }));
    story.label(acceptor.id, last, "10,000,000 CNY in the first 7 days; miss: a fen less, day 8, or registered");
    for bill in &mut bills {
        story.unused(bill);
    }
}
