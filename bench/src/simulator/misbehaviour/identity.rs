//! Cases of false identity: P149, P196, P197, P201.

use billwatch_market::fact::{Field, Value};
use billwatch_market::ids::BillId;

use super::{Injector, light};
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, Story};

pub(super) const CASES: &[Injector] = &[
    light("P149", named_otherwise_in_the_request),
    light("P196", dressed_as_a_bank_bill),
    light("P197", acceptor_named_otherwise),
    light("P201", signed_by_an_agent),
];

fn commercial(story: &mut Story) -> Bill {
    let (drawer, acceptor, payee) = (story.company(), story.company(), story.company());
    story.bill(Kind::Commercial, 100_000 * CNY, (drawer, acceptor, payee), 120)
}

fn text(text: impl Into<Box<str>>) -> Value {
    Value::Text(text.into())
}

/// Another name, one letter off; or the same with a space in it.
fn slightly(name: &str, wrong: bool) -> String {
    if wrong { name.replace("实业", "实叶") } else { name.replace("实业", " 实业") }
}

/// The request names the acceptor, or the drawer, with one letter wrong; the miss: with a space in it.
fn named_otherwise_in_the_request(story: &mut Story) {
    let mut bill = commercial(story);
    let fact = bill.issue(story.now());
    story.put(fact);
    story.wait(1);
    let (field, party) =
        if story.variant == 1 { (Field::InitiatorName, bill.drawer) } else { (Field::CounterpartyName, bill.acceptor) };
    let mut fact = bill.ask_acceptance(story.now());
    fact.set(field, text(slightly(&party.name(), story.positive)));
    let request = story.put(fact);
    story.label(party.id, story.begin, "name in the request one letter off; miss: a space");
    story.signed(&mut bill, request, 0, true);
    story.unused(&mut bill);
}

/// A commercial bill whose acceptor is called a bank or a finance company, or whose number says so; the miss: as it should be.
fn dressed_as_a_bank_bill(story: &mut Story) {
    let mut bill = commercial(story);
    if story.positive && story.variant == 2 {
        // Kind digit 5 instead of 6.
        bill.id = BillId { digits: bill.id.digits - 10u128.pow(29), ..bill.id };
    }
    let mut fact = bill.issue(story.now());
    match (story.variant, story.positive) {
        (0, true) => fact.set(Field::AcceptorName, text("华岳银行股份有限公司")),
        (1, true) => fact.set(Field::AcceptorName, text("华岳集团财务公司")),
        _ => {}
    }
    story.put(fact);
    story.wait(1);
    story.label(bill.id, story.begin, "name or number of a bank bill; miss: of a commercial one");
    let fact = bill.ask_acceptance(story.now());
    let request = story.put(fact);
    story.signed(&mut bill, request, 0, true);
    story.unused(&mut bill);
}

/// The acceptor's name on the bill is one letter off; the miss: a space.
fn acceptor_named_otherwise(story: &mut Story) {
    let mut bill = commercial(story);
    let mut fact = bill.issue(story.now());
    fact.set(Field::AcceptorName, text(slightly(&bill.acceptor.name(), story.positive)));
    story.put(fact);
    story.wait(1);
    story.label(bill.acceptor.id, story.begin, "acceptor's name one letter off; miss: a space");
    let fact = bill.ask_acceptance(story.now());
    let request = story.put(fact);
    story.signed(&mut bill, request, 0, true);
    story.unused(&mut bill);
}

/// An agent signs a member's first acceptances, five of them for new drawers: at once, within a week, or beside an acceptance of
/// the member's own. The miss: four, the member signs the fifth, or had accepted for its drawer before.
fn signed_by_an_agent(story: &mut Story) {
    let bank = story.member(203);
    let (variant, positive) = (story.variant, story.positive);
    // Seven days after an acceptance of its own, which the window must not reach; six days are within it.
    let (first, later) = story.days_apart(story.begin, if variant == 2 { 7 } else { 6 });
    story.on(first);
    let known = story.company();
    if variant == 2 {
        let payee = story.company();
        let mut bill = story.bill(Kind::Bank, 1_000_000 * CNY, (known, bank, payee), 120);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    let count = if !positive && variant == 0 { 4 } else { 5 };
    let mut last = first;
    for nth in 0..count {
        last = if variant == 2 || variant == 1 && nth == 4 { later } else { first };
        story.on(last);
        story.wait(5 * i64::from(nth));
        let drawer = if !positive && variant == 2 && nth == 4 { known } else { story.company() };
        let payee = story.company();
        let mut bill = story.bill(Kind::Bank, 1_000_000 * CNY, (drawer, bank, payee), 120);
        let by_itself = !positive && variant == 1 && nth == 4;
        bill.agent_signs_for = (!by_itself).then_some(bank.id);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(
        bank.id,
        last,
        "five first acceptances by an agent for new drawers; miss: four, own signature, a known drawer",
    );
}
