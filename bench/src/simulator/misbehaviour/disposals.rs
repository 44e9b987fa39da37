//! Cases of disposals that must not be, acts of wrong parties, guarantees before the acceptance: P014, P018, P198, P199, P200.

use billwatch_market::fact::behaviour;

use super::{Injector, light};
use crate::simulator::deals::Deal;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P014", given_away_twice),
    light("P018", collateral_sold),
    light("P198", sent_by_a_stranger),
    light("P199", guaranteed_and_not_accepted),
    light("P200", guarantees_of_many),
];

fn plain(story: &mut Story) -> (Bill, Party) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 2 * MILLION, parties, 120);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 2));
    (bill, parties.2)
}

/// Somebody signs for what the payee has given away (or pledged); the miss: it came back (was released) before.
fn given_away_twice(story: &mut Story) {
    let (mut bill, payee) = plain(story);
    let (range, other) = (bill.whole(), story.company());
    let bank = story.house_bank(1);
    let pledged = story.variant == 2;
    if pledged {
        let fact = bill.ask(behaviour::PLG_REQ, story.now(), range, payee, bank);
        let request = story.put(fact);
        story.wait(5);
        let fact = bill.agree(behaviour::PLG_SGN, story.now(), range, bank, payee, request);
        story.put(fact);
        story.wait(5);
        if !story.positive {
            let fact = bill.ask(behaviour::PLR_REQ, story.now(), range, bank, payee);
            let request = story.put(fact);
            story.wait(5);
            let fact = bill.agree(behaviour::PLR_SGN, story.now(), range, payee, bank, request);
            story.put(fact);
            story.wait(5);
        }
    } else {
        story.endorse(&mut bill, payee, other);
        if !story.positive {
            story.endorse(&mut bill, other, payee);
        }
    }
    let second = story.company();
    let unknown = bill.next_event();
    let fact = bill.agree(behaviour::END_SGN, story.now(), range, second, payee, unknown);
    story.put(fact);
    story.label(bill.id, story.today(), "signed for what was given away; miss: it had come back");
    let holder = match (story.positive, pledged) {
        (true, true) => bank,
        (true, false) => other,
        _ => payee,
    };
    story.paid(&mut bill, holder);
}

/// The repo seller sells the collateral; the miss: the lender tries.
fn collateral_sold(story: &mut Story) {
    let (seller, buyer, third) = (story.member(205), story.member(206), story.member(205));
    let mut bills = Vec::new();
    // Of two bills one is out, so that the leverage is low (P058).
    for _ in 0..2 {
        story.on(story.begin);
        let (mut bill, payee) = plain(story);
        story.discount(&mut bill, payee, seller, FAIR_RATE);
        bills.push(bill);
    }
    let out = &mut bills[0];
    let range = out.whole();
    let day = story.business_day(story.begin, 3);
    story.on(day);
    let redeem = story.business_day(day, 2);
    story.trade.deals += 1;
    let days = i64::from(redeem.0 - day.0);
    let deal = Deal::repo(story.trade.deals, range, (seller, buyer), 16_000, out.face_fen / 10 * 9, days, day);
    let fact = out.quote(behaviour::RPO_QTE, story.now(), &deal);
    let request = story.put(fact);
    story.wait(5);
    let fact = out.accept_quote(behaviour::RPO_QAC, story.now(), request, &deal);
    story.put(fact);
    story.wait(1);
    let fact = out.strike(behaviour::RPO_DEL, story.now(), request, &deal);
    story.put(fact);
    story.wait(5);
    let fact = out.settle(behaviour::RPO_SET, story.now(), request, &deal);
    let first_leg = story.put(fact);
    story.wait(30);
    let sale = story.deal(out, story.either(seller, buyer), third, FAIR_RATE);
    let fact = out.settle(behaviour::IBT_SET, story.now(), request, &sale);
    story.put(fact);
    story.label(out.id, day, "collateral sold by the repo seller; miss: by the lender");
    story.on(redeem);
    let fact = out.redeem(behaviour::RPO_RED, story.now(), first_leg, &deal);
    story.put(fact);
    for bill in &mut bills {
        story.paid(bill, seller);
    }
}

/// A stranger asks for an endorsement; the miss: the holder does, and takes it back.
fn sent_by_a_stranger(story: &mut Story) {
    let (mut bill, payee) = plain(story);
    let (range, to) = (bill.whole(), story.company());
    let sender = if story.positive { story.company() } else { payee };
    let fact = bill.ask(behaviour::END_REQ, story.now(), range, sender, to);
    let request = story.put(fact);
    story.label(bill.id, story.today(), "requested by a stranger; miss: by the holder");
    if !story.positive {
        story.wait(5);
        let fact = bill.withdraw(behaviour::END_WDR, story.now(), range, payee, to, request);
        story.put(fact);
    }
    story.paid(&mut bill, payee);
}

/// Registers a bill and asks for a guarantee of it, which is signed.
fn guaranteed(story: &mut Story, parties: (Party, Party, Party), guarantor: Party) -> Bill {
    let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, 120);
    let fact = bill.issue(story.now());
    story.put(fact);
    story.wait(1);
    let range = bill.whole();
    let fact = bill.ask(behaviour::GUD_REQ, story.now(), range, parties.0, guarantor);
    let request = story.put(fact);
    story.wait(1);
    let fact = bill.agree(behaviour::GUD_SGN, story.now(), range, guarantor, parties.0, request);
    story.put(fact);
    story.wait(1);
    bill
}

/// Accepted on the second business day after the guarantee; the miss: in the last minute of the first.
fn guaranteed_and_not_accepted(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let guarantor = story.house_bank(1);
    let mut bill = guaranteed(story, parties, guarantor);
    let fact = bill.ask_acceptance(story.now());
    let request = story.put(fact);
    let limit = story.business_day(story.begin, 1);
    story.label(bill.id, limit, "accepted on business day 2; miss: in the last minute of business day 1");
    let late = story.business_day(limit, 1).start_ms();
    story.at(if story.positive { late } else { limit.end_ms() - 120_000 });
    let margin = bill.face_fen / 10 * 3;
    story.signed(&mut bill, request, margin, true);
    story.unused(&mut bill);
}

/// Guarantees asked of three parties in 30 days; the miss: of two, or the first on day 31.
fn guarantees_of_many(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let early = !story.positive && story.variant == 0;
    let (first, last) = story.days_apart(story.begin, if early { 30 } else { 29 });
    let guarantors = [story.company(), story.company(), story.company()];
    for nth in 0..3 {
        story.on(if nth == 0 { first } else { last });
        story.wait(20 * nth as i64);
        let again = !story.positive && !early && nth == 2;
        guaranteed(story, parties, guarantors[if again { 1 } else { nth }]);
    }
    story.label(
        parties.0.id,
        last,
        "guarantees of three parties in 30 days; miss: two parties, or the first on day 31",
    );
}
