//! Cases of circular flow: P079, P081, P082, P083.

use super::{Injector, light};
use crate::simulator::draft::Party;
use crate::simulator::life::Kind;
use crate::simulator::story::{FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P079", circular_endorsement),
    light("P081", interbank_round_trip),
    light("P082", mutual_issuance),
    light("P083", triangular_issuance),
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
