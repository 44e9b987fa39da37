//! Cases of those through whom bills pass: P090, P092, P094, P096, P097, P099, P101, P102.

use billwatch_market::fact::{Range, behaviour};

use super::{Injector, heavy, light};
use crate::simulator::deals::Deal;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    heavy("P090", collector),
    light("P092", same_day_relay),
    heavy("P094", broker_hub),
    light("P096", repo_on_repo),
    light("P097", contagion),
    heavy("P099", star_guarantor),
    heavy("P101", dispersion),
    light("P102", village_channel),
];

/// Fen of one part of a package.
const PART: u64 = 10_000 * CNY as u64;

/// The n-th part of a package.
fn part(nth: usize) -> Range {
    Range { start: 1 + nth as u64 * PART, end: (nth as u64 + 1) * PART }
}

/// A package of so many parts, each endorsed by a company of its own to the hub.
fn collected(story: &mut Story, hub: Party, parts: usize) -> Bill {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, parts as i64 * PART as i64, parties, 150);
    story.received(&mut bill);
    for nth in 0..parts {
        let giver = story.company();
        story.endorse_part(&mut bill, part(nth), parties.2, giver);
        story.endorse_part(&mut bill, part(nth), giver, hub);
    }
    bill
}

/// Thirty companies endorse to one that discounts four fifths within three days; the miss: 29 companies, one part less, or most
/// parts an hour later.
fn collector(story: &mut Story) {
    let (hub, bank) = (story.company(), story.house_bank(1));
    let (fewer, less, late) = match (story.positive, story.variant) {
        (true, _) => (false, false, false),
        (false, variant) => (variant == 0, variant == 1, variant == 2),
    };
    let mut bill = collected(story, hub, if fewer { 29 } else { 30 });
    let done = story.now();
    let day = story.begin.plus(3);
    // Whole hours count.
    story.at(done + 72 * 3_600_000 + 30 * 60_000);
    for nth in 0..if less { 23 } else { 24 } {
        if late && nth == 11 {
            story.wait(60);
        }
        story.discount_part(&mut bill, part(nth), hub, bank, FAIR_RATE);
    }
    story.label(hub.id, day, "30 endorsers, 80 % discounted within 3 days; miss: 29, 77 %, or later");
}

/// 500,000,000 CNY bought and sold on for 3 bp on one day; the miss: 3.01 bp, or a fen less.
fn same_day_relay(story: &mut Story) {
    let (first, relay, last) = (story.member(205), story.member(206), story.member(203));
    let wide = !story.positive && story.variant == 1;
    let less = i64::from(!story.positive && !wide);
    let parties = (story.company(), story.acceptor_of(500 * MILLION, 0), story.company());
    let mut bill = story.bill(Kind::Bank, 500 * MILLION - less, parties, 150);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, parties.2, first, FAIR_RATE);
    let day = story.business_day(story.begin, 3);
    story.on(day);
    let deal = story.deal(&bill, first, relay, FAIR_RATE);
    story.sell(&mut bill, &deal);
    story.wait(60);
    let deal = story.deal(&bill, relay, last, FAIR_RATE - if wide { 301 } else { 300 });
    story.sell(&mut bill, &deal);
    story.label(relay.id, day, "500,000,000 CNY passed on for 3 bp; miss: 3.01 bp, or a fen less");
    story.paid(&mut bill, last);
}

/// Twenty give, twenty take, 48 hours between; the miss: nineteen take, or 49 hours.
fn broker_hub(story: &mut Story) {
    let hub = story.company();
    let fewer = !story.positive && story.variant == 1;
    let begun = story.now();
    let mut bill = collected(story, hub, 20);
    // The first part came in after some minutes, the last some later: all within the same whole hour.
    let spent = story.now() - begun;
    debug_assert!(spent < 30 * 60_000, "{spent}");
    let hours = if story.positive || fewer { 48 } else { 49 };
    story.at(begun + hours * 3_600_000 + 45 * 60_000);
    let day = story.today();
    let takers: Vec<Party> = (0..if fewer { 19 } else { 20 }).map(|_| story.company()).collect();
    for nth in 0..20 {
        story.endorse_part(&mut bill, part(nth), hub, takers[nth.min(takers.len() - 1)]);
    }
    story.label(hub.id, day, "20 endorsers, 20 endorsees, 48 hours; miss: 19, or 49 hours");
}

/// A second repo of a bill that is out on repo; the miss: after redemption.
fn repo_on_repo(story: &mut Story) {
    let (seller, buyer, other) = (story.member(205), story.member(206), story.member(203));
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 2 * MILLION, parties, 150);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, parties.2, seller, FAIR_RATE);
    let day = story.business_day(story.begin, 2);
    story.on(day);
    let days = i64::from(story.business_day(day, 2).0 - day.0);
    let (deal, first_leg) = story.repo(&mut bill, (seller, buyer), 16_000, days);
    if story.positive {
        let again = story.business_day(day, 1);
        story.on(again);
        story.trade.deals += 1;
        let first = bill.face_fen / 10 * 9;
        let second = Deal::repo(story.trade.deals, bill.whole(), (seller, other), 16_000, first, 1, again);
        let fact = bill.settle(behaviour::RPO_SET, story.now(), first_leg, &second);
        story.put(fact);
        story.label(bill.id, again, "a second repo while the first is open; miss: after it");
        story.redeemed(&mut bill, &deal, first_leg);
    } else {
        story.redeemed(&mut bill, &deal, first_leg);
        let again = story.today();
        let days = i64::from(story.business_day(again, 2).0 - again.0);
        let (deal, first_leg) = story.repo(&mut bill, (seller, other), 16_000, days);
        story.label(bill.id, again, "a second repo while the first is open; miss: after it");
        story.redeemed(&mut bill, &deal, first_leg);
    }
    story.paid(&mut bill, seller);
}

/// A holder has 50,000,000 CNY and a fen of an acceptor who refuses three bills; the miss: without the fen, or two refusals.
fn contagion(story: &mut Story) {
    let (acceptor, holder, other) = (story.company(), story.company(), story.company());
    let fewer = !story.positive && story.variant == 1;
    let face = 50 * MILLION + i64::from(story.positive || fewer);
    let mut bill = story.bill(Kind::Commercial, face, (acceptor, acceptor, holder), 150);
    story.received(&mut bill);
    let mut day = story.begin;
    for nth in 0..if fewer { 2 } else { 3 } {
        story.on(story.begin);
        story.wait(30 + 10 * nth);
        let mut refused = story.bill(Kind::Commercial, 10_000 * CNY, (acceptor, acceptor, other), 30);
        story.received(&mut refused);
        let presentation = story.presented(&mut refused, other);
        story.refused(&mut refused, other, presentation, "DC00");
        day = story.today();
    }
    let key = format!("{},{}", acceptor.id, holder.id);
    story.label(key, day, "50,000,000.01 CNY of an acceptor in refusal; miss: 50,000,000, or two refusals");
    story.paid(&mut bill, holder);
}

/// Ten debtors guaranteed for a fen more than the net assets; the miss: without it, or nine debtors.
fn star_guarantor(story: &mut Story) {
    let guarantor = story.company();
    story.net_assets(guarantor, 10 * MILLION);
    let fewer = !story.positive && story.variant == 1;
    let debtors = if fewer { 9 } else { 10 };
    for nth in 0..debtors {
        let face =
            10 * MILLION / debtors + if nth == 0 { i64::from(story.positive) + i64::from(fewer) * 10 } else { 0 };
        story.on(story.begin);
        story.wait(10 * nth);
        let parties = (story.company(), story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 150);
        story.guaranteed(&mut bill, guarantor);
        story.unused(&mut bill);
    }
    story.label(guarantor.id, story.begin, "10 debtors, a fen above net assets; miss: at net assets, or 9 debtors");
}

/// A package goes to a hundred companies on one day; the miss: to 99.
fn dispersion(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 100 * PART as i64, parties, 150);
    story.received(&mut bill);
    let takers: Vec<Party> = (0..story.either(100, 99)).map(|_| story.company()).collect();
    for nth in 0..100 {
        story.endorse_part(&mut bill, part(nth), parties.2, takers[nth.min(takers.len() - 1)]);
    }
    story.label(bill.id, story.begin, "100 endorsees of parts on one day; miss: 99");
}

/// A village bank sells what it discounted for another province 48 hours before, five times its capital; the miss: a fen less,
/// 49 hours, or its own province.
fn village_channel(story: &mut Story) {
    let bank = story.member_in(208, "310000", None, 11 * MILLION);
    let buyer = story.member(203);
    let (less, late, near) = match (story.positive, story.variant) {
        (true, _) => (0, false, false),
        (false, variant) => (i64::from(variant == 0), variant == 1, variant == 2),
    };
    let province = if near { "310000" } else { "440000" };
    let payee = story.company_with(|company| company.province = province);
    let parties = (story.company(), story.house_bank(0), payee);
    // A Monday: two days later banks are open.
    let mut day = story.business_day(story.begin, 1);
    while day.weekday() != 0 || story.business_day(day, 2) != day.plus(2) {
        day = story.business_day(day, 1);
    }
    story.on(day);
    let mut bill = story.bill(Kind::Bank, 5 * MILLION - less, parties, 150);
    story.received(&mut bill);
    story.discount(&mut bill, payee, bank, FAIR_RATE);
    let held = story.now();
    story.at(held + if late { 49 } else { 48 } * 3_600_000 + 30 * 60_000);
    let deal = story.deal(&bill, bank, buyer, FAIR_RATE);
    story.sell(&mut bill, &deal);
    story.label(
        bank.id,
        day.plus(2),
        "five times the capital passed on within 48 hours; miss: a fen less, 49 hours, own province",
    );
    story.paid(&mut bill, buyer);
}
