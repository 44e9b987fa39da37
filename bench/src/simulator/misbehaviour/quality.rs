//! Cases of data quality: P174, P175, P176, P177, P178, P179, P181, P183, P184, P186, P187.

use billwatch_market::fact::{Fact, Field, Range, Source, Value, behaviour};
use billwatch_market::ids::{BillId, Code};

use super::{Injector, light, once};
use crate::simulator::deals::Discount;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::reference::Registration;
use crate::simulator::story::{CNY, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P174", conflicting_duplicate),
    once("P175", late_facts),
    light("P176", malformed_number),
    light("P177", range_and_amount),
    light("P178", unknown_code),
    light("P179", missing_field),
    light("P181", broken_cover),
    light("P183", from_the_future),
    light("P184", orphan_answer),
    light("P186", bad_credit_code),
    light("P187", rate_out_of_bounds),
];

fn received(story: &mut Story) -> (Bill, Party) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 600_000 * CNY, parties, 120);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 2));
    (bill, parties.2)
}

/// An endorsement request that can be spoiled before it is told; its answer makes the life go on.
fn endorsement(story: &mut Story, spoil: impl FnOnce(&mut Fact)) -> (Bill, Fact) {
    let (mut bill, payee) = received(story);
    let to = story.company();
    let mut fact = bill.ask(behaviour::END_REQ, story.now(), bill.whole(), payee, to);
    spoil(&mut fact);
    story.put(fact.clone());
    (bill, fact)
}

/// The request is signed and the bill paid.
fn go_on(story: &mut Story, bill: &mut Bill, request: &Fact) {
    let from = Party { id: request.initiator().unwrap_or(bill.payee.id), inst: bill.payee.inst };
    let to = request.counterparty().unwrap_or(bill.payee.id);
    let to = Party { id: to, inst: request.inst(Field::CounterpartyInst).or(bill.payee.inst) };
    story.wait(5);
    let fact = bill.agree(behaviour::END_SGN, story.now(), bill.whole(), to, from, request.event_id);
    story.put(fact);
    story.paid(bill, to);
}

fn unset(fact: &mut Fact, field: Field) {
    fact.fields.retain(|(known, _)| *known != field);
}

/// The same event id with another content; the miss: with the same.
fn conflicting_duplicate(story: &mut Story) {
    let (mut bill, fact) = endorsement(story, |_| {});
    let mut again = fact.clone();
    if story.positive {
        again.set(Field::Channel, Value::Code(Code::of("COUNTER")));
    }
    // The copy has the same event time and comes with the next number of its source.
    story.put(again);
    story.label(fact.event_id, story.today(), "same event id, other channel; miss: a true redelivery");
    go_on(story, &mut bill, &fact);
}

/// A hundred facts of one source come a millisecond more than ten minutes behind its watermark; the miss: ten minutes, ninety-nine,
/// or half of them in the next five minutes. They are sent at the first instant of a Monday, when the watermark is the last of the
/// Sunday; near misses a week later.
fn late_facts(story: &mut Story) {
    let miss = (!story.positive).then_some(story.variant);
    let bank = story.member(205);
    let source = [Source::Clrs, Source::Cpes, Source::Refd][story.variant % 3];
    let first = story.month(0).plus(story.either(0, 7));
    let monday = first.plus(7 - first.weekday() as i32);
    let happened = monday.start_ms() - 1 - 600_000 - if miss == Some(0) { 0 } else { 1 };
    let sunday = monday.plus(-1);
    let mut told = Vec::new();
    for nth in 0..if miss == Some(1) { 99 } else { 100 } {
        let earlier = if miss == Some(2) && nth % 2 == 0 { 300_000 } else { 0 };
        let mut fact = story.trade.registry.cash_deposit(happened - earlier, bank, MILLION + nth);
        fact.source = source;
        told.push(story.put_belated(monday.start_ms(), fact));
    }
    story.label(source.code(), sunday, "100 facts more than 10 minutes late; miss: 10 minutes, 99, or in two spans");
    if let Some(label) = story.labels.last_mut() {
        label.event_ids.extend(told);
    }
}

/// Another kind digit, 29 digits, or another date; the miss: a good number whose check digit alone is wrong.
fn malformed_number(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, MILLION, parties, 120);
    let digits = bill.id.digits;
    let spoiled = match (story.positive, story.variant) {
        // Kind digit 9.
        (true, 0) => digits % 10u128.pow(29) + 9 * 10u128.pow(29),
        // One digit too few.
        (true, 1) => digits / 10,
        // Date a day (or more) off: last digit of digits 14-21.
        (true, _) => {
            if digits / 10u128.pow(9) % 10 == 9 {
                digits - 10u128.pow(9)
            } else {
                digits + 10u128.pow(9)
            }
        }
        (false, _) => digits / 10 * 10 + (digits % 10 + 1) % 10,
    };
    bill.id = BillId { digits: spoiled, length: if story.positive && story.variant == 1 { 29 } else { 30 } };
    story.accepted(&mut bill);
    story.label(
        bill.id,
        story.begin,
        "kind digit, length or date wrong; miss: only the check digit, which is not tested",
    );
    story.unused(&mut bill);
}

/// Amount one fen beside the range; the miss: equal.
fn range_and_amount(story: &mut Story) {
    let (mut bill, payee) = received(story);
    let to = story.company();
    let mut fact = bill.ask(behaviour::END_REQ, story.now(), bill.whole(), payee, to);
    if story.positive {
        fact.set(Field::AmountFen, Value::Int(bill.face_fen - 1));
    }
    let event = story.put(fact.clone());
    story.label(event, story.today(), "amount one fen below the range; miss: equal");
    if story.positive {
        // The bad request had no effect: a good one follows.
        story.wait(5);
        fact = bill.ask(behaviour::END_REQ, story.now(), bill.whole(), payee, to);
        story.put(fact.clone());
    }
    go_on(story, &mut bill, &fact);
}

/// A channel that is not in the table; the miss: the rarest one that is.
fn unknown_code(story: &mut Story) {
    let code = story.either("FAX", "ERP");
    let (mut bill, fact) = endorsement(story, |fact| fact.set(Field::Channel, Value::Code(Code::of(code))));
    story.label(fact.event_id, story.today(), "channel FAX; miss: ERP");
    go_on(story, &mut bill, &fact);
}

/// The branch of the other side is missing; the miss: an optional field is.
fn missing_field(story: &mut Story) {
    let field = story.either(Field::CounterpartyInst, Field::Channel);
    let (mut bill, fact) = endorsement(story, |fact| unset(fact, field));
    story.label(fact.event_id, story.today(), "counterparty_inst missing; miss: channel missing");
    go_on(story, &mut bill, &fact);
}

/// The answer is about a sub-bill less than the request; the miss: about the same.
fn broken_cover(story: &mut Story) {
    let (mut bill, payee) = received(story);
    let to = story.company();
    let asked = Range { start: 1, end: 1_000 };
    let fact = bill.ask(behaviour::END_REQ, story.now(), asked, payee, to);
    let request = story.put(fact);
    story.wait(5);
    let signed = if story.positive { Range { start: 1, end: 999 } } else { asked };
    let fact = bill.agree(behaviour::END_SGN, story.now(), signed, to, payee, request);
    story.put(fact);
    story.label(bill.id, story.today(), "answered for one sub-bill less; miss: for the whole request");
    if story.positive {
        story.wait(5);
        let fact = bill.agree(behaviour::END_SGN, story.now(), asked, to, payee, request);
        story.put(fact);
    }
}

/// Event time 60.001 s after ingestion; the miss: 60 s. Holds in replay mode, where the file's ingest_time counts.
fn from_the_future(story: &mut Story) {
    let ahead = story.either(60_001, 60_000);
    let (mut bill, fact) = endorsement(story, |fact| fact.stamp.ingest_time = fact.event_time - ahead);
    story.label(fact.event_id, story.today(), "60.001 s in the future; miss: 60 s");
    go_on(story, &mut bill, &fact);
}

/// An answer to a request that was never sent; the miss: to the one that was.
fn orphan_answer(story: &mut Story) {
    let (mut bill, payee) = received(story);
    let to = story.company();
    let range = bill.whole();
    let fact = bill.ask(behaviour::END_REQ, story.now(), range, payee, to);
    let request = story.put(fact);
    let named = if story.positive { request + (1 << 90) } else { request };
    story.wait(5);
    let fact = bill.agree(behaviour::END_SGN, story.now(), range, to, payee, named);
    let answer = story.put(fact);
    story.label(answer, story.today(), "answers an unknown request; miss: the known one");
    story.paid(&mut bill, to);
}

/// A registration whose check character is another; the miss: a good one.
fn bad_credit_code(story: &mut Story) {
    let company = story.company();
    let mut registration = Registration::plain(company);
    registration.capital_fen = 1_000 * MILLION;
    let at = story.reference_time() + 600_000;
    let mut fact = story.trade.registry.enterprise(at, &registration);
    if story.positive
        && let Some(code) = fact.text(Field::Uscc)
    {
        let last = if code.ends_with('0') { '1' } else { '0' };
        let spoiled = format!("{}{last}", &code[..17]);
        fact.set(Field::Uscc, Value::Text(spoiled.into()));
    }
    let event = story.put(fact);
    story.label_reference(event, story.begin, event, "check character of the credit code wrong; miss: right");
}

/// A rate of 100 %; the miss: 99.9999 %.
fn rate_out_of_bounds(story: &mut Story) {
    let (mut bill, payee) = received(story);
    let bank = story.house_bank(1);
    let rate = story.either(1_000_000, 999_999);
    let day = story.today();
    let terms = Discount::priced(&bill, bill.whole(), payee, bank, rate, day);
    let fact = bill.ask_discount(story.now(), &terms);
    let request = story.put(fact);
    story.wait(5);
    let fact = bill.agree_discount(story.now(), request, &terms);
    let agreement = story.put(fact);
    story.wait(1);
    let fact = bill.settle_discount(story.now(), request, &terms);
    story.put(fact);
    story.label(agreement, day, "rate 1000000; miss: 999999");
    story.paid(&mut bill, bank);
}
