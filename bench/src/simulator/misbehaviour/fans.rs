//! Cases of fans and chains: P091, P093, P095, P098, P100, P103.

use super::{Injector, light};
use crate::simulator::life::Kind;
use crate::simulator::reference::Registration;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P091", young_payees),
    light("P093", relay),
    light("P095", deep_recourse),
    light("P098", shells),
    light("P100", many_provinces),
    light("P103", against_trade),
];

/// Ten payees, five of them younger than 365 days; the miss: the fifth is 365 days old, or nine payees.
fn young_payees(story: &mut Story) {
    let (drawer, bank) = (story.company(), story.house_bank(0));
    let fewer = !story.positive && story.variant == 1;
    let begin = story.begin;
    for nth in 0..if fewer { 9 } else { 10 } {
        let age = match nth {
            0..4 => Some(364),
            4 => Some(if story.positive || fewer { 364 } else { 365 }),
            _ => None,
        };
        let payee = story.company_with(|company| {
            if let Some(age) = age {
                company.registered = begin.plus(-age);
            }
        });
        let mut bill = story.bill(Kind::Bank, 500_000 * CNY + nth, (drawer, bank, payee), 180);
        story.accepted(&mut bill);
        story.unused(&mut bill);
        story.wait(5);
    }
    story.label(drawer.id, begin, "10 payees, 5 younger than 365 days; miss: 4, or 9 payees");
}

/// Four sales of one bill on a day; the miss: three, the fourth a day later.
fn relay(story: &mut Story) {
    let mut holder = story.member(206);
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 5 * MILLION, parties, 180);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, parties.2, holder, FAIR_RATE);
    let day = story.business_day(story.begin, 3);
    story.on(day);
    for nth in 0..4 {
        if nth == 3 && !story.positive {
            story.on(story.business_day(day, 1));
        }
        let buyer = story.member(206);
        let deal = story.deal(&bill, holder, buyer, FAIR_RATE);
        story.sell(&mut bill, &deal);
        holder = buyer;
        story.wait(20);
    }
    let judged = story.either(day, story.today());
    story.label(bill.id, judged, "4 sales on one day; miss: 3 and the fourth a day later");
    story.paid(&mut bill, holder);
}

/// Three endorsers pay one after another; the miss: two.
fn deep_recourse(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 10_000 * CNY, parties, 30);
    story.received(&mut bill);
    let mut chain = vec![parties.2];
    for hop in 0..3 {
        let to = story.company();
        story.on(story.begin.plus(2 + 3 * hop));
        story.endorse(&mut bill, chain[hop as usize], to);
        chain.push(to);
    }
    let Some(mut holder) = chain.pop() else { return };
    let presentation = story.presented(&mut bill, holder);
    let fact = bill.refuse_payment(story.now(), bill.whole(), holder, presentation, "DC00");
    story.put(fact);
    for nth in 0..story.either(3, 2) {
        let Some(debtor) = chain.pop() else { return };
        story.on(story.business_day(story.today(), 2));
        story.recourse(&mut bill, holder, debtor, nth == 0);
        holder = debtor;
    }
    story.label(bill.id, story.today(), "third settlement of one recourse; miss: the second");
    let acceptor = bill.acceptor;
    story.on(story.business_day(story.today(), 2));
    story.recourse(&mut bill, holder, acceptor, false);
}

/// Three shells in a row: three persons, no capital paid, 365 days old; the miss: one person more.
fn shells(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 3 * MILLION, parties, 180);
    story.received(&mut bill);
    let last_day = story.business_day(story.begin.plus(6), 1);
    let positive = story.positive;
    let shells = [
        story.company_with(|company| company.employees = if positive { 3 } else { 4 }),
        story.company_with(|company| company.paid_fen = 0),
        story.company_with(|company| company.registered = last_day.plus(-365)),
    ];
    let mut holder = parties.2;
    for (nth, to) in shells.into_iter().enumerate() {
        story.on(if nth == 2 { last_day } else { story.begin.plus(2 + 2 * nth as i32) });
        story.endorse(&mut bill, holder, to);
        holder = to;
    }
    story.label(bill.id, last_day, "3 shells in a row; miss: the first has a fourth employee");
    story.paid(&mut bill, holder);
}

/// Six provinces within a week; the miss: five.
fn many_provinces(story: &mut Story) {
    const PROVINCES: [&str; 6] = ["440000", "320000", "370000", "110000", "510000", "420000"];
    let there = |place: usize| move |company: &mut Registration| company.province = PROVINCES[place];
    // The drawer held it too.
    let drawer = story.company_with(there(0));
    let parties = (drawer, story.house_bank(0), story.company_with(there(0)));
    let mut bill = story.bill(Kind::Bank, 3 * MILLION, parties, 180);
    story.received(&mut bill);
    story.on(story.begin.plus(1));
    let mut holder = parties.2;
    for hop in 0..6 {
        let place = if hop == 5 && !story.positive { 0 } else { hop };
        let to = story.company_with(there(place));
        story.endorse(&mut bill, holder, to);
        holder = to;
        // A day and two hours: no high-frequency chain, six hops within the week.
        story.wait(26 * 60);
    }
    story.wait(-26 * 60);
    story.label(bill.id, story.today(), "6 provinces in 7 days; miss: 5");
    story.paid(&mut bill, holder);
}

/// Manufacturer, bank, estate agent, bank: three steps of weight 0; the miss: the third is back to a manufacturer.
fn against_trade(story: &mut Story) {
    let of = |section: u8, division: u8| {
        move |company: &mut Registration| {
            company.section = section;
            company.division = division;
        }
    };
    let last = story.either((b'J', 66), (b'C', 34));
    let parties = (story.company(), story.house_bank(0), story.company());
    let chain =
        [story.company_with(of(b'J', 66)), story.company_with(of(b'K', 70)), story.company_with(of(last.0, last.1))];
    let mut bill = story.bill(Kind::Bank, 900_000 * CNY, parties, 180);
    story.received(&mut bill);
    let mut holder = parties.2;
    for (nth, to) in chain.into_iter().enumerate() {
        story.on(story.begin.plus(2 + 3 * nth as i32));
        story.endorse(&mut bill, holder, to);
        holder = to;
    }
    story.label(bill.id, story.today(), "3 steps with trade weight 0; miss: the third is plausible");
    story.paid(&mut bill, holder);
}
