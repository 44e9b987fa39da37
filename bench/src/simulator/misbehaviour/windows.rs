//! Cases of windowed thresholds: P023, P024, P025, P034, P036, P040, P041, P046.

use super::{Injector, heavy, light};
use crate::simulator::life::Kind;
use crate::simulator::reference::Registration;
use crate::simulator::story::{CNY, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P023", young_drawer),
    light("P024", many_hops_in_a_day),
    light("P025", many_holders),
    light("P034", very_large),
    heavy("P036", burst),
    heavy("P040", notices_against_one),
    light("P041", many_banks),
    light("P046", flips),
];

/// 180 days old and 20,000,000 CNY; the miss: one fen less, or 181 days old.
fn young_drawer(story: &mut Story) {
    let older = !story.positive && story.variant == 1;
    let less = !story.positive && !older;
    let second = story.business_day(story.begin, 3);
    let registered = second.plus(if older { -181 } else { -180 });
    let drawer = story.company_with(|company| company.registered = registered);
    let (bank, payee) = (story.house_bank(0), story.company());
    let mut first = story.bill(Kind::Bank, 10 * MILLION, (drawer, bank, payee), 180);
    if !older {
        story.accepted(&mut first);
        story.unused(&mut first);
    }
    story.on(second);
    let face = if older { 20 * MILLION } else { 10 * MILLION - i64::from(less) };
    let mut bill = story.bill(Kind::Bank, face, (drawer, bank, payee), 180);
    story.accepted(&mut bill);
    story.label(drawer.id, second, "180 days old, 20,000,000 CNY in 30 days; miss: one fen less or a day older");
    story.unused(&mut bill);
}

/// Five endorsements within 24 hours; the miss: the fifth exactly 24 hours after the first.
fn many_hops_in_a_day(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 5 * MILLION, parties, 180);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 2));
    let begin = story.now();
    let mut holder = parties.2;
    for hop in 0..5 {
        let to = story.company();
        // END.SGN comes a minute after the clock.
        let last = if story.positive { 24 * 60 - 1 } else { 24 * 60 };
        story.at(begin + if hop == 4 { last * 60_000 } else { hop * 3_600_000 });
        story.endorse(&mut bill, holder, to);
        holder = to;
    }
    story.label(bill.id, story.today(), "5 hops in less than 24 hours; miss: the fifth after 24 hours");
    story.paid(&mut bill, holder);
}

/// Twenty holders; the miss: nineteen.
fn many_holders(story: &mut Story) {
    let here = |company: &mut Registration| company.province = "320000";
    let parties = (story.company(), story.house_bank(0), story.company_with(here));
    let mut bill = story.bill(Kind::Bank, 5 * MILLION, parties, 180);
    story.received(&mut bill);
    story.on(story.begin.plus(1));
    let mut holder = parties.2;
    for _ in 0..story.either(19, 18) {
        let to = story.company_with(here);
        story.endorse(&mut bill, holder, to);
        holder = to;
        // Slower than five hops in 24 hours (P024).
        story.wait(7 * 60);
    }
    story.wait(-7 * 60);
    story.label(bill.id, story.today(), "payee and 19 endorsees; miss: 18");
    story.paid(&mut bill, holder);
}

/// 500,000,000 CNY; the miss: one fen less.
fn very_large(story: &mut Story) {
    let face = story.either(500 * MILLION, 500 * MILLION - 1);
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, face, parties, 180);
    story.accepted(&mut bill);
    story.label(bill.id, story.begin, "face 500,000,000 CNY; miss: one fen less");
    story.unused(&mut bill);
}

/// Thirty acceptances within an hour, 50,000,000 CNY together; the miss: one bill or one fen less.
fn burst(story: &mut Story) {
    let (drawer, bank, payee) = (story.company(), story.house_bank(0), story.company());
    let fewer = !story.positive && story.variant == 1;
    let less = !story.positive && !fewer;
    let bills = if fewer { 29 } else { 30 };
    let total = 50 * MILLION - i64::from(less);
    let each = total / bills;
    let begin = story.now();
    for nth in 0..bills {
        // A minute and a half apart: all within one clock hour.
        story.at(begin + nth * 90_000);
        let face = if nth == 0 { total - each * (bills - 1) } else { each };
        let mut bill = story.bill(Kind::Bank, face, (drawer, bank, payee), 180);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(drawer.id, story.begin, "30 acceptances in an hour, 50,000,000 CNY; miss: 29, or one fen less");
}

/// Ten bills with notices against one endorser; the miss: nine, or one bill of one fen below 10,000,000 CNY.
fn notices_against_one(story: &mut Story) {
    let (debtor, bank) = (story.company(), story.house_bank(0));
    let by_amount = story.variant == 1;
    let bills = if by_amount { 1 } else { story.either(10, 9) };
    let mut day = story.begin;
    for _ in 0..bills {
        story.on(story.begin);
        let (drawer, holder) = (story.company(), story.company());
        let face = if by_amount { story.either(10 * MILLION, 10 * MILLION - 1) } else { 10_000 * CNY };
        let mut bill = story.bill(Kind::Bank, face, (drawer, bank, debtor), 30);
        story.received(&mut bill);
        let range = bill.whole();
        story.on(story.business_day(story.begin, 2));
        story.endorse(&mut bill, debtor, holder);
        let presentation = story.presented(&mut bill, holder);
        let fact = bill.refuse_payment(story.now(), range, holder, presentation, "DC00");
        story.put(fact);
        day = story.business_day(story.today(), 1);
        story.on(day);
        let fact = bill.recourse_notice(story.now(), range, holder, debtor);
        story.put(fact);
    }
    story.label(debtor.id, day, "notices on 10 bills, or 10,000,000 CNY; miss: 9 bills, or one fen less");
}

/// Five accepting banks in a week, 50,000,000 CNY; the miss: four, or one fen less.
fn many_banks(story: &mut Story) {
    let (drawer, payee) = (story.company(), story.company());
    let fewer = !story.positive && story.variant == 1;
    let total = 50 * MILLION - i64::from(!story.positive && !fewer);
    let banks = if fewer { 4 } else { 5 };
    let each = total / banks;
    for nth in 0..banks {
        let bank = story.house_bank(nth as usize);
        let face = if nth == 0 { total - each * (banks - 1) } else { each };
        let mut bill = story.bill(Kind::Bank, face, (drawer, bank, payee), 180);
        story.accepted(&mut bill);
        story.unused(&mut bill);
        story.wait(20);
    }
    story.label(drawer.id, story.begin, "5 accepting banks, 50,000,000 CNY; miss: 4 banks, or one fen less");
}

/// Six endorsements between two parties, at least two each way; the miss: five, or one the other way.
fn flips(story: &mut Story) {
    let (left, right) = (story.company(), story.company());
    let (there, back) = match (story.positive, story.variant) {
        (true, _) => (4, 2),
        (false, 1) => (5, 1),
        (false, _) => (3, 2),
    };
    let mut day = story.begin;
    for nth in 0..there + back {
        let (from, to) = if nth < back { (right, left) } else { (left, right) };
        let (drawer, bank) = (story.company(), story.house_bank(nth));
        story.on(story.begin);
        let mut bill = story.bill(Kind::Bank, MILLION, (drawer, bank, from), 180);
        story.received(&mut bill);
        day = story.business_day(story.begin, 1 + nth as u32);
        story.on(day);
        story.endorse(&mut bill, from, to);
        story.paid(&mut bill, to);
    }
    let key = format!("{},{}", left.id.min(right.id), left.id.max(right.id));
    story.label(key, day, "6 endorsements of a pair, 2 the other way; miss: 5, or 1 the other way");
}
