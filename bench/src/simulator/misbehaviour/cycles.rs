//! Cases of circular flow: P079, P081 to P089.

use billwatch_market::fact::Range;
use billwatch_market::ids::PartyId;

use super::{Injector, light};
use crate::simulator::deals::Discount;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P079", circular_endorsement),
    light("P081", interbank_round_trip),
    light("P082", mutual_issuance),
    light("P083", triangular_issuance),
    light("P084", mutual_repo),
    light("P085", cash_returns),
    light("P086", wash_trade),
    light("P087", guarantee_ring),
    light("P088", group_in_turn),
    light("P089", parts_return),
];

/// The payee holds again 90 days after it first held; the miss: 91 days.
fn circular_endorsement(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let (second, third) = (story.company(), story.company());
    let mut bill = story.bill(Kind::Bank, 3 * MILLION, parties, 180);
    story.received(&mut bill);
    story.on(story.begin.plus(3));
    story.endorse(&mut bill, parties.2, second);
    let mut holder = second;
    if story.variant != 2 {
        story.on(story.begin.plus(40));
        story.endorse(&mut bill, second, third);
        holder = third;
    }
    let day = story.begin.plus(story.either(90, 91));
    story.on(day);
    story.endorse(&mut bill, holder, parties.2);
    story.label(bill.id, day, "back to the payee after 90 days through others; miss: 91 days");
    story.paid(&mut bill, parties.2);
}

/// Sold and bought back within 5 days for 10 bp more; the miss: 10.01 bp, or 6 days.
fn interbank_round_trip(story: &mut Story) {
    let (first, other) = (story.member(205), story.member(206));
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 5 * MILLION, parties, 180);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, parties.2, first, FAIR_RATE);
    // A Monday: five days later is a Saturday, four a Friday.
    let monday = story.business_day(story.begin.plus(7 - story.begin.weekday() as i32 - 1), 1);
    story.on(monday);
    // The discount may have been that morning.
    story.wait(60);
    let deal = story.deal(&bill, first, other, FAIR_RATE);
    story.sell(&mut bill, &deal);
    let late = !story.positive && story.variant == 1;
    let day = monday.plus(if late { 6 } else { 4 });
    story.on(day);
    let rise = if story.positive || late { 1_000 } else { 1_001 };
    let deal = story.deal(&bill, other, first, FAIR_RATE + rise);
    story.sell(&mut bill, &deal);
    story.label(first.id, day, "bought back within 5 days, 10 bp; miss: 10.01 bp or 6 days");
    story.paid(&mut bill, first);
}

/// a draws to b 1,000,000 CNY and b to a 1,250,000 within 15 days; the miss: one fen more, or one fen less than 1,000,000.
fn mutual_issuance(story: &mut Story) {
    let (left, right) = (story.company(), story.company());
    let (there, back) = match (story.positive, story.variant) {
        (true, _) => (MILLION, MILLION / 4 * 5),
        (false, 1) => (MILLION - 1, MILLION),
        (false, _) => (MILLION, MILLION / 4 * 5 + 1),
    };
    let bank = story.house_bank(0);
    let mut first = story.bill(Kind::Bank, there, (left, bank, right), 180);
    story.accepted(&mut first);
    story.unused(&mut first);
    let day = story.begin.plus(14);
    story.on(day);
    let mut second = story.bill(Kind::Bank, back, (right, bank, left), 180);
    story.accepted(&mut second);
    let key = format!("{},{}", left.id.min(right.id), left.id.max(right.id));
    story.label(key, day, "each draws to the other, ratio 1.25; miss: one fen more, or below 1,000,000 CNY");
    story.unused(&mut second);
}

/// a to b to c to a, smallest edge 0.8 of the greatest; the miss: greatest one fen more.
fn triangular_issuance(story: &mut Story) {
    let ring: [Party; 3] = [story.company(), story.company(), story.company()];
    let bank = story.house_bank(0);
    let greatest = MILLION / 4 * 5 + story.either(0, 1);
    let mut day = story.begin;
    let mut last = 0;
    for (nth, face) in [greatest, MILLION, MILLION].into_iter().enumerate() {
        day = story.business_day(story.begin, 1 + 3 * nth as u32);
        story.on(day);
        let mut bill = story.bill(Kind::Bank, face, (ring[nth], bank, ring[(nth + 1) % 3]), 180);
        last = story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(last, day, "three companies in a ring, balance 0.8; miss: one fen off");
}

/// A key of two parties.
fn pair(left: Party, right: Party) -> String {
    format!("{},{}", left.id.min(right.id), left.id.max(right.id))
}

/// A bank bill discounted by a member on the business day after issue.
fn in_the_book(story: &mut Story, holder: Party, face: i64) -> Bill {
    story.on(story.begin);
    let parties = (story.company(), story.acceptor_of(face, 0), story.company());
    let mut bill = story.bill(Kind::Bank, face, parties, 150);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, parties.2, holder, FAIR_RATE);
    bill
}

/// Each lends to the other, 125,000,000 and 100,000,000 CNY; the miss: two fen more, or below 100,000,000.
fn mutual_repo(story: &mut Story) {
    let (left, right) = (story.member(205), story.member(206));
    let (there, back) = match (story.positive, story.variant) {
        (true, _) => (125 * MILLION, 100 * MILLION),
        (false, 1) => (100 * MILLION, 100 * MILLION - 1),
        (false, _) => (125 * MILLION + 2, 100 * MILLION),
    };
    let day = story.business_day(story.begin, 3);
    let days = i64::from(story.business_day(day, 5).0 - day.0);
    for (face, from, to) in [(there, left, right), (back, right, left)] {
        // With this in its book nobody is all out on repo (P058).
        let mut rest = in_the_book(story, from, 40 * MILLION);
        story.paid(&mut rest, from);
        let mut bill = in_the_book(story, from, face);
        story.on(day);
        let (deal, first_leg) = story.repo(&mut bill, (from, to), 16_000, days);
        story.redeemed(&mut bill, &deal, first_leg);
        story.paid(&mut bill, from);
    }
    story.label(
        pair(left, right),
        day,
        "repo both ways, 25,000,000 of 125,000,000 CNY apart; miss: two fen more, or below 100,000,000",
    );
}

/// Four fifths of the cash of a discount go to the drawer five days later; the miss: a fen less, or six days.
fn cash_returns(story: &mut Story) {
    let (drawer, holder, bank) = (story.company(), story.company(), story.house_bank(1));
    let mut bill = story.bill(Kind::Bank, 3 * MILLION, (drawer, story.house_bank(0), holder), 150);
    story.received(&mut bill);
    let day = story.business_day(story.begin, 2);
    story.on(day);
    let cash = Discount::priced(&bill, bill.whole(), holder, bank, FAIR_RATE, day).pay_fen;
    story.discount(&mut bill, holder, bank, FAIR_RATE);
    story.paid(&mut bill, bank);
    let late = !story.positive && story.variant == 1;
    let less = i64::from(!story.positive && !late);
    let back = day.plus(if late { 6 } else { 5 });
    story.on(back);
    let parties = (story.company(), story.house_bank(0), holder);
    let mut other = story.bill(Kind::Bank, (cash * 4 + 4) / 5 - less, parties, 150);
    story.received(&mut other);
    story.endorse(&mut other, holder, drawer);
    story.label(pair(drawer, holder), back, "four fifths of the cash return after 5 days; miss: a fen less or 6 days");
    story.paid(&mut other, drawer);
}

/// 100,000,000 CNY sold and bought back with a quarter more on one day, 5 bp apart; the miss: 5.01 bp, or a fen more.
fn wash_trade(story: &mut Story) {
    let (left, right) = (story.member(205), story.member(206));
    let wide = !story.positive && story.variant == 1;
    let more = i64::from(!story.positive && !wide);
    let mut bill = in_the_book(story, left, 100 * MILLION);
    let mut other = in_the_book(story, right, 25 * MILLION + more);
    let day = story.business_day(story.begin, 3);
    story.on(day);
    let deal = story.deal(&bill, left, right, FAIR_RATE);
    story.sell(&mut bill, &deal);
    let rate = FAIR_RATE + if wide { 501 } else { 500 };
    for bill in [&mut bill, &mut other] {
        story.wait(30);
        let deal = story.deal(bill, right, left, rate);
        story.sell(bill, &deal);
    }
    story.label(pair(left, right), day, "sold and bought back, 5 bp and 80 % alike; miss: 5.01 bp, or a fen more");
    story.paid(&mut bill, left);
    story.paid(&mut other, left);
}

/// Three companies guarantee each other in a ring, 10,000,000 CNY each; the miss: a fen less, or a fourth company.
fn guarantee_ring(story: &mut Story) {
    let ring = [(); 3].map(|()| story.company());
    let open = !story.positive && story.variant == 1;
    for nth in 0..3 {
        let guarantor = if nth == 2 && open { story.company() } else { ring[(nth + 1) % 3] };
        let day = story.business_day(story.begin, nth as u32);
        story.on(day);
        let face = 10 * MILLION - if nth == 2 && !open { story.either(0, 1) } else { 0 };
        let parties = (ring[nth], story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 150);
        story.guaranteed(&mut bill, guarantor);
        if nth == 2 {
            let key = format!("{},{}", guarantor.id, ring[nth].id);
            story.label(key, day, "the guarantee that closes a ring; miss: a fen less, or open");
        }
        story.unused(&mut bill);
    }
}

/// Three of a group accept for each other in turn within 90 days; the miss: 91 days, or a stranger.
fn group_in_turn(story: &mut Story) {
    let number = story.begin.0 as u64 % 10_000 * 6 + (story.variant * 2) as u64 + u64::from(story.positive);
    let group = PartyId::group(600_000 + number);
    let ring = [(); 3].map(|()| story.company_with(|company| company.group = Some(group)));
    let stranger = !story.positive && story.variant == 1;
    let mut day = story.begin;
    for nth in 0..3 {
        day = match nth {
            2 => story.begin.plus(if story.positive || stranger { 89 } else { 90 }),
            _ => story.begin.plus(nth as i32),
        };
        story.on(day);
        let acceptor = if nth == 2 && stranger { story.company() } else { ring[(nth + 1) % 3] };
        let parties = (ring[nth], acceptor, story.company());
        let mut bill = story.bill(Kind::Commercial, MILLION, parties, 150);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(group, day, "three of a group accept in turn within 90 days; miss: 91 days, or a stranger");
}

/// Half of what a holder gave away in parts is its own again through two others; the miss: a fen less, or through one.
fn parts_return(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let holder = parties.2;
    let mut bill = story.bill(Kind::Bank, 3 * MILLION, parties, 150);
    story.received(&mut bill);
    let one = story.company();
    let alone = !story.positive && story.variant == 1;
    let two = if alone { one } else { story.company() };
    let less = u64::from(!story.positive && !alone);
    let quarter = MILLION as u64 / 4;
    let parts =
        [(1, quarter, one), (quarter + 1, 2 * quarter, two), (2 * quarter + 1, 4 * quarter + less, story.company())];
    for (start, end, to) in parts {
        story.endorse_part(&mut bill, Range { start, end }, holder, to);
    }
    let day = story.begin.plus(29);
    story.on(day);
    for (start, end, from) in &parts[..2] {
        story.endorse_part(&mut bill, Range { start: *start, end: *end }, *from, holder);
    }
    story.label(bill.id, day, "half of what was given away comes back through two; miss: a fen less, or through one");
}
