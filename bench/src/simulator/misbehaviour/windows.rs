//! Cases of windowed thresholds: P023, P024, P025, P026, P029, P030, P034, P036, P040, P041, P044, P046.

use billwatch_market::fact::behaviour;

use super::{Injector, heavy, light};
use crate::simulator::life::Kind;
use crate::simulator::reference::Registration;
use crate::simulator::story::{CNY, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P023", young_drawer),
    light("P024", many_hops_in_a_day),
    light("P025", many_holders),
    light("P026", payment_refusals),
    light("P029", acceptance_refusals),
    heavy("P030", withdrawals),
    light("P034", very_large),
    heavy("P036", burst),
    heavy("P040", notices_against_one),
    light("P041", many_banks),
    light("P044", stop_payments),
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
    let parties = (story.company(), story.acceptor_of(face, 0), story.company());
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

/// Three refusals in 30 days, 20 % of what was presented; the miss: one fen more presented, two, or the first a day too
/// early.
fn payment_refusals(story: &mut Story) {
    let acceptor = story.member(205);
    let apart = if !story.positive && story.variant == 2 { 30 } else { 29 };
    let (first, last) = story.days_apart(story.begin.plus(30), apart);
    let refusals = if !story.positive && story.variant == 1 { 2 } else { 3 };
    let face = 6 * MILLION / refusals;
    let refuse = |story: &mut Story, due, failed| {
        story.on(story.begin);
        let parties = (story.company(), acceptor, story.company());
        let mut bill = story.bill_due(Kind::Bank, face, parties, due);
        story.received(&mut bill);
        let (whole, holder) = (bill.whole(), parties.2);
        let presentation = story.presented(&mut bill, holder);
        if failed {
            let fact = bill.fail_payment(story.now(), whole, holder, presentation);
            story.put(fact);
        } else {
            story.refused(&mut bill, holder, presentation, "DC00");
        }
    };
    refuse(story, first, false);
    for nth in 1..refusals {
        refuse(story, last, nth == 1);
    }
    story.on(story.begin);
    let parties = (story.company(), acceptor, story.company());
    // Six million refused of thirty presented.
    let rest = 24 * MILLION + i64::from(!story.positive && story.variant == 0);
    let mut good = story.bill_due(Kind::Bank, rest, parties, last);
    story.received(&mut good);
    story.paid(&mut good, parties.2);
    let note = "3 refusals in 30 days, 20 % of the amount; miss: one fen more presented, 2, or the first on day 31";
    story.label(acceptor.id, last, note);
}

/// Five acceptances refused by three acceptors in 7 days; the miss: four, two acceptors, or the first a day too early.
fn acceptance_refusals(story: &mut Story) {
    let (drawer, payee) = (story.company(), story.company());
    let (refusals, acceptors, apart) = match (story.positive, story.variant) {
        (true, _) => (5, 3, 6),
        (false, 0) => (4, 3, 6),
        (false, 1) => (5, 2, 6),
        (false, _) => (5, 3, 7),
    };
    let first = story.begin;
    let last = first.plus(apart);
    for nth in 0..refusals {
        story.on(if nth == 0 { first } else { last });
        story.wait(20 * nth as i64);
        let acceptor = story.house_bank(nth % acceptors);
        let mut bill = story.bill(Kind::Bank, MILLION, (drawer, acceptor, payee), 120);
        let request = story.issued(&mut bill);
        story.wait(5);
        let whole = bill.whole();
        let fact = bill.refuse(behaviour::ACC_REJ, story.now(), whole, acceptor, drawer, request, "RJ06");
        story.put(fact);
        story.wait(5);
        let fact = bill.ask(behaviour::ISS_RVK, story.now(), whole, drawer, acceptor);
        story.put(fact);
    }
    let note = "5 refusals of 3 acceptors in 7 days; miss: 4, 2 acceptors, or the first on day 8";
    story.label(drawer.id, last, note);
}

/// Twenty requests withdrawn in 7 days, half of all; the miss: nineteen, a request more, or the first a day too early.
fn withdrawals(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let (holder, to) = (parties.2, story.company());
    let (withdrawn, refused, apart) = match (story.positive, story.variant) {
        (true, 1) => (20, 20, 6),
        (true, _) => (20, 0, 6),
        (false, 0) => (19, 0, 6),
        (false, 1) => (20, 21, 6),
        (false, _) => (20, 0, 7),
    };
    let mut bill = story.bill(Kind::Bank, MILLION, parties, 120);
    story.received(&mut bill);
    let whole = bill.whole();
    let first = story.begin.plus(1);
    let last = first.plus(apart);
    for nth in 0..withdrawn + refused {
        if nth < 2 {
            story.on(if nth == 0 { first } else { last });
        }
        let fact = bill.ask(behaviour::END_REQ, story.now(), whole, holder, to);
        let request = story.put(fact);
        story.wait(2);
        let fact = if nth < withdrawn {
            bill.withdraw(behaviour::END_WDR, story.now(), whole, holder, to, request)
        } else {
            bill.refuse(behaviour::END_REJ, story.now(), whole, to, holder, request, "RJ04")
        };
        story.put(fact);
        story.wait(2);
    }
    story.label(holder.id, last, "20 withdrawals in 7 days, half of the requests; miss: 19, 41 requests, or day 8");
    story.paid(&mut bill, holder);
}

/// Three stops of payment asked for by an acceptor in 30 days; the miss: two, one by another, or the first a day too early.
fn stop_payments(story: &mut Story) {
    let (acceptor, other) = (story.company(), story.company());
    let apart = if !story.positive && story.variant == 2 { 30 } else { 29 };
    let first = story.begin.plus(2);
    let last = first.plus(apart);
    let stops = if !story.positive && story.variant == 0 { 2 } else { 3 };
    for nth in 0..stops {
        story.on(story.begin);
        let payee = story.company();
        let asks = if !story.positive && story.variant == 1 && nth == 2 { other } else { acceptor };
        let mut bill = story.bill(Kind::Commercial, 100_000 * CNY, (asks, asks, payee), 120);
        story.received(&mut bill);
        story.on(if nth == 0 { first } else { last });
        story.wait(30 * nth as i64);
        let whole = bill.whole();
        let fact = bill.ask(behaviour::LSF_STP, story.now(), whole, asks, payee);
        story.put(fact);
        // Found again: released before it lapses (P125).
        story.on(story.today().plus(5));
        let fact = bill.ask(behaviour::LSF_STX, story.now(), whole, asks, payee);
        story.put(fact);
        story.paid(&mut bill, payee);
    }
    story.label(acceptor.id, last, "3 stops in 30 days; miss: 2, one by another, or the first on day 31");
}
