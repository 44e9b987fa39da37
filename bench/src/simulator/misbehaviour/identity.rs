//! Cases of false identity: P149, P196, P197.

use billwatch_market::fact::{Field, Value};
use billwatch_market::ids::BillId;

use super::{Injector, light};
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, Story};

pub(super) const CASES: &[Injector] = &[
    light("P149", named_otherwise_in_the_request),
    light("P196", dressed_as_a_bank_bill),
    light("P197", acceptor_named_otherwise),
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
