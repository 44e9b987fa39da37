//! Cases against the law of the bill: P009, P010, P011, P012, P013.

use billwatch_market::fact::{Field, behaviour};

use super::{Injector, light};
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P009", against_the_mark),
    light("P010", after_the_due_date),
    light("P011", out_of_state),
    light("P012", while_pledged),
    light("P013", while_frozen),
];

/// A received bill of normal size with its parties.
fn plain(story: &mut Story, tenor: i32) -> (Bill, Party) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 2 * MILLION, parties, tenor);
    story.received(&mut bill);
    (bill, parties.2)
}

/// Endorsed although marked not transferable; the miss: the mark is cancelled before.
fn against_the_mark(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let to = story.company();
    let mut bill = story.bill(Kind::Bank, 2 * MILLION, parties, 180);
    bill.transferable = false;
    story.received(&mut bill);
    let day = story.business_day(story.begin, 2);
    story.on(day);
    let range = bill.whole();
    if !story.positive {
        let fact = bill.ask(behaviour::NTR_REQ, story.now(), range, parties.2, parties.0);
        let request = story.put(fact);
        story.wait(1);
        let fact = bill.agree(behaviour::NTR_SGN, story.now(), range, parties.0, parties.2, request);
        story.put(fact);
        story.wait(1);
    }
    let fact = bill.ask(behaviour::END_REQ, story.now(), range, parties.2, to);
    let request = story.put(fact);
    if !story.positive {
        story.wait(1);
        let fact = bill.agree(behaviour::END_SGN, story.now(), range, to, parties.2, request);
        story.put(fact);
    }
    story.label(bill.id, day, "endorsement request against the mark; miss: mark cancelled first");
    let holder = story.either(parties.2, to);
    story.paid(&mut bill, holder);
}

/// Signed the day after the due date; the miss: on it.
fn after_the_due_date(story: &mut Story) {
    let (mut bill, payee) = plain(story, 30);
    let to = story.company();
    let range = bill.whole();
    story.on(bill.due.plus(-1));
    let fact = bill.ask(behaviour::END_REQ, story.now(), range, payee, to);
    let request = story.put(fact);
    let day = bill.due.plus(story.either(1, 0));
    story.on(day);
    let fact = bill.agree(behaviour::END_SGN, story.now(), range, to, payee, request);
    story.put(fact);
    story.label(bill.id, day, "END.SGN one day after the due date; miss: on the due date");
    // The lot was locked at the due date: PAY.MAT comes again when it is free (facts.md 9.4).
    story.wait(5);
    let fact = bill
        .act_in(bill.source, behaviour::PAY_MAT, story.now(), range, Party::SYSTEM, to)
        .date(Field::DueDate, bill.due)
        .done();
    story.put(fact);
    story.wait(5);
    let fact = bill.present(story.now(), range, to);
    let presentation = story.put(fact);
    story.wait(5);
    story.honoured(&mut bill, to, presentation);
}

/// A signature nobody asked for; the miss: asked for.
fn out_of_state(story: &mut Story) {
    let (mut bill, payee) = plain(story, 180);
    let to = story.company();
    let day = story.business_day(story.begin, 2);
    story.on(day);
    let range = bill.whole();
    let holder = if story.positive {
        let before = story.facts.last().map_or(0, |fact| fact.event_id);
        let fact = match story.variant {
            0 => bill.agree(behaviour::END_SGN, story.now(), range, to, payee, before),
            1 => bill.ask(behaviour::ACC_REQ, story.now(), range, bill.drawer, bill.acceptor),
            _ => bill.ask(behaviour::PAY_REQ, story.now(), range, payee, bill.acceptor),
        };
        story.put(fact);
        payee
    } else {
        story.endorse(&mut bill, payee, to);
        to
    };
    story.label(bill.id, day, "a fact that the state does not allow; miss: the legal order");
    story.paid(&mut bill, holder);
}

/// The pledgor presents a pledged bill; the miss: the pledgee does.
fn while_pledged(story: &mut Story) {
    let (mut bill, payee) = plain(story, 60);
    let bank = story.house_bank(1);
    let range = bill.whole();
    story.on(story.business_day(story.begin, 3));
    let fact = bill.act(behaviour::PLG_REQ, story.now(), range, payee, bank).int(Field::SecuredFen, MILLION).done();
    let request = story.put(fact);
    story.wait(1);
    let fact = bill.agree(behaviour::PLG_SGN, story.now(), range, bank, payee, request);
    story.put(fact);
    if story.positive && story.variant == 1 {
        // Disposal by discount instead of presentation.
        let day = story.business_day(story.today(), 2);
        story.on(day);
        let buyer = story.house_bank(2);
        story.discount(&mut bill, payee, buyer, FAIR_RATE);
        story.label(bill.id, day, "discounted while pledged");
    }
    let fact = bill.mature(range, bank);
    story.put(fact);
    story.on(bill.due_adjusted);
    if story.positive && story.variant != 1 {
        let fact = bill.present(story.now(), range, payee);
        story.put(fact);
        story.label(bill.id, story.today(), "presented by the pledgor while pledged; miss: by the pledgee");
        story.wait(10);
    }
    let fact = bill.present(story.now(), range, bank);
    let presentation = story.put(fact);
    story.wait(5);
    if !story.positive {
        story.label(bill.id, story.today(), "presented by the pledgor while pledged; miss: by the pledgee");
    }
    story.honoured(&mut bill, bank, presentation);
}

/// Signed while the bill is frozen; the miss: after the release.
fn while_frozen(story: &mut Story) {
    let (mut bill, payee) = plain(story, 180);
    let to = story.company();
    let court = Party::court(900 + story.variant as u64);
    let range = bill.whole();
    let day = story.business_day(story.begin, 2);
    story.on(day);
    let fact = bill.ask(behaviour::END_REQ, story.now(), range, payee, to);
    let request = story.put(fact);
    story.wait(10);
    let fact = bill.court(behaviour::LSF_FRZ, story.now(), range, court, payee);
    story.put(fact);
    story.wait(10);
    if story.positive {
        let fact = bill.agree(behaviour::END_SGN, story.now(), range, to, payee, request);
        story.put(fact);
        story.wait(10);
    }
    let fact = bill.court(behaviour::LSF_UNF, story.now(), range, court, payee);
    story.put(fact);
    story.wait(10);
    if !story.positive {
        let fact = bill.agree(behaviour::END_SGN, story.now(), range, to, payee, request);
        story.put(fact);
    }
    story.label(bill.id, day, "signed while frozen; miss: after the release");
    let fact = bill.withdraw(behaviour::END_WDR, story.now() + 60_000, range, payee, to, request);
    let holder = if story.positive {
        story.put(fact);
        payee
    } else {
        to
    };
    story.paid(&mut bill, holder);
}
