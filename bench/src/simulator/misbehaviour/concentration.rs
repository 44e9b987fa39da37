//! Cases of concentration: P105, P106, P109, P110, P111, P112.
//!
//! A bank's shares are judged from a balance of 1,000,000 CNY on: the cases reach it with their last bill, so that the
//! lopsided beginning is not judged.

use super::{Injector, heavy, light};
use crate::simulator::draft::Party;
use crate::simulator::life::Kind;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P105", captive_discounter),
    heavy("P106", one_drawer),
    light("P109", one_industry),
    heavy("P110", one_payee),
    heavy("P111", one_counterparty),
    heavy("P112", one_due_date),
];

/// 80 % of 100,000,000 CNY discounted by one bank; the miss: one fen moved to the other, or one fen less in all.
fn captive_discounter(story: &mut Story) {
    let (acceptor, payee) = (story.company(), story.company());
    let moved = i64::from(!story.positive && story.variant != 1);
    let less = i64::from(!story.positive && story.variant == 1);
    let day = story.business_day(story.begin, 2);
    for (nth, face) in [20 * MILLION + moved, 80 * MILLION - moved - less].into_iter().enumerate() {
        story.on(story.begin);
        story.wait(30 * nth as i64);
        let mut bill = story.bill(Kind::Commercial, face, (acceptor, acceptor, payee), 180);
        story.received(&mut bill);
        story.on(day);
        story.wait(30 * nth as i64);
        let bank = story.house_bank(nth);
        story.discount(&mut bill, payee, bank, 4 * FAIR_RATE);
        if nth == 1 {
            story.label(acceptor.id, day, "one bank took 80 % of 100,000,000 CNY; miss: one fen off");
        }
        story.paid(&mut bill, bank);
    }
}

/// A bank accepts this face for a new drawer; never received.
fn accept(story: &mut Story, bank: Party, drawer: Party, face: i64, tenor: i32) {
    let payee = story.company();
    let mut bill = story.bill(Kind::Bank, face, (drawer, bank, payee), tenor);
    story.accepted(&mut bill);
    story.unused(&mut bill);
}

/// One of 31 drawers has 15 % of the balance; the miss: less by a fen.
fn one_drawer(story: &mut Story) {
    let bank = story.member(206);
    let others = 850_000 * CNY + story.either(0, 1);
    for nth in 0..30 {
        let drawer = story.company();
        let face = if nth == 0 { others - others / 30 * 29 } else { others / 30 };
        accept(story, bank, drawer, face, 180);
        story.wait(1);
    }
    let drawer = story.company();
    accept(story, bank, drawer, 150_000 * CNY, 180);
    story.label(bank.id, story.begin, "one drawer has exactly 15 %; miss: a fen below");
}

/// One division has 40 % of the balance, two others the rest; the miss: less by a fen.
fn one_industry(story: &mut Story) {
    let bank = story.member(206);
    for (division, face) in [(13, 300_000 * CNY), (14, 300_000 * CNY + story.either(0, 1)), (15, 400_000 * CNY)] {
        let drawer = story.company_with(|company| company.division = division);
        accept(story, bank, drawer, face, 180);
        story.wait(1);
    }
    story.label(bank.id, story.begin, "one division has exactly 40 %; miss: a fen below");
}

/// 90 % of 20 bills go to a payee 364 days old; the miss: one fen less, 365 days old, or 19 bills.
fn one_payee(story: &mut Story) {
    let (drawer, bank, other) = (story.company(), story.house_bank(0), story.company());
    let older = !story.positive && story.variant == 1;
    let fewer = !story.positive && story.variant == 2;
    let less = !story.positive && story.variant == 0;
    let bills = if fewer { 19 } else { 20 };
    let last = story.business_day(story.begin, 9);
    let payee = story.company_with(|company| company.registered = last.plus(if older { -365 } else { -364 }));
    for nth in 0..bills {
        story.on(story.business_day(story.begin, (nth / 2) as u32));
        story.wait(30 * (nth % 2));
        // 2 x 90,000 = 180,000 to the other, 18 x 90,000 = 1,620,000 to the young one.
        let face = 90_000 * CNY - i64::from(less && nth == bills - 1);
        let to = if nth < 2 { other } else { payee };
        let mut bill = story.bill(Kind::Bank, face, (drawer, bank, to), 180);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(drawer.id, last, "90 % of 20 bills to a payee 364 days old; miss: a fen, a day or a bill off");
}

/// 60 % of 5,000,000,000 CNY with one bank; the miss: one fen moved, or one fen less in all.
fn one_counterparty(story: &mut Story) {
    let seller = story.member(205);
    let buyers = [story.member(205), story.member(205)];
    let moved = i64::from(!story.positive && story.variant != 1);
    let less = i64::from(!story.positive && story.variant == 1);
    let day = story.business_day(story.begin, 3);
    for nth in 0..12 {
        // 7 x 3/7 billion to the first, 5 x 400,000,000 to the second: each below the very large bill (P034).
        let face = match nth {
            0 => 3_000 * MILLION - 428_571_429 * CNY * 6 - moved - less,
            1..7 => 428_571_429 * CNY,
            7 => 400 * MILLION + moved,
            _ => 400 * MILLION,
        };
        story.on(story.begin);
        story.wait(20 * nth);
        let parties =
            (story.company_with(|company| company.capital_fen = 1_000 * MILLION), story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 180);
        story.received(&mut bill);
        story.on(story.business_day(story.begin, 2));
        story.wait(20 * nth);
        story.discount(&mut bill, parties.2, seller, FAIR_RATE);
        story.on(day);
        story.wait(20 * nth);
        let buyer = buyers[usize::from(nth >= 7)];
        let deal = story.deal(&bill, seller, buyer, FAIR_RATE);
        story.sell(&mut bill, &deal);
        story.paid(&mut bill, buyer);
    }
    story.label(seller.id, day, "60 % of 5,000,000,000 CNY with one bank; miss: one fen off");
}

/// 8 % of the balance due on one day, the rest spread; the miss: less by a fen.
fn one_due_date(story: &mut Story) {
    let bank = story.member(206);
    for nth in 0..20 {
        // Eight days apart: never two due dates within five business days.
        let face = 46_000 * CNY + if nth == 0 { story.either(0, 1) } else { 0 };
        let drawer = story.company();
        accept(story, bank, drawer, face, 20 + 8 * nth);
        story.wait(1);
    }
    let drawer = story.company();
    accept(story, bank, drawer, 80_000 * CNY, 12);
    story.label(bank.id, story.begin, "8 % due on one day; miss: a fen below");
}
