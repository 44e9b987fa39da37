//! Cases of statistical deviation, second part: P068, P069, P070, P071, P074, P075, P076, P077, P078, P190.

use super::bursts::{stocked, stocked_until};
use super::scenery::paper;
use super::{Injector, heavy, light, once};
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    heavy("P068", other_tenors),
    heavy("P069", other_faces),
    heavy("P070", more_refusals),
    once("P071", deeper_endorsements),
    heavy("P074", other_hours),
    heavy("P075", turnover_break),
    heavy("P076", fewer_partners),
    light("P077", quarter_end_spike),
    heavy("P078", slow_answers),
    light("P190", quarter_end_margin),
];

/// Fifty bills of 90 days, the next day one of 100; the miss: one of 99, or forty-nine before.
fn other_tenors(story: &mut Story) {
    let bank = story.member(205);
    let parties = (story.company(), bank, story.company());
    let fewer = !story.positive && story.variant == 1;
    for _ in 0..if fewer { 49 } else { 50 } {
        paper(story, parties, MILLION, 90);
    }
    let day = story.business_day(story.begin, 1);
    story.on(day);
    paper(story, parties, MILLION, if story.positive || fewer { 100 } else { 99 });
    story.label(bank.id, day, "one bill of 100 days after 50 of 90; miss: 99 days, or after 49");
}

/// Five hundred bills of 1,000,000 CNY, then fifty of e times as much; the miss: a hundredth of the logarithm less, or after 499.
fn other_faces(story: &mut Story) {
    let bank = story.member(205);
    let parties = (story.company(), bank, story.company());
    let fewer = !story.positive && story.variant == 1;
    for nth in 0..if fewer { 499 } else { 500 } {
        // A hundred a day: a minute apart they end before the evening.
        story.on(story.begin.plus(nth / 100));
        story.wait(i64::from(nth % 100));
        paper(story, parties, MILLION, 120);
    }
    let day = story.begin.plus(7);
    story.on(day);
    // ln of the faces in fen, in hundredths: 1842, 1942 and 1941.
    let face = if story.positive || fewer { 2_720_000 } else { 2_690_000 };
    for _ in 0..50 {
        paper(story, parties, face * CNY, 120);
    }
    story.label(bank.id, day, "50 bills e times as large as the 500 before; miss: a hundredth less, or 499");
}

/// Two of ten bills refused in a month after a year without; the miss: one, two of twenty-four, or two of nine.
fn more_refusals(story: &mut Story) {
    let acceptor = story.company();
    let (refused, presented) = match (story.positive, story.variant) {
        (true, _) => (2, 10),
        (false, 0) => (1, 10),
        (false, 1) => (2, 24),
        (false, _) => (2, 9),
    };
    let due = story.business_day(story.begin.plus(28).month_end().plus(3), 1);
    for nth in 0..presented {
        story.on(story.begin);
        story.wait(nth);
        let payee = story.company();
        let mut bill = story.bill_due(Kind::Commercial, 100_000 * CNY, (acceptor, acceptor, payee), due);
        story.received(&mut bill);
        let presentation = story.presented(&mut bill, payee);
        if nth < refused {
            story.refused(&mut bill, payee, presentation, "DC08");
        } else {
            story.honoured(&mut bill, payee, presentation);
        }
    }
    story.label(acceptor.id, due.month_end(), "2 of 10 bills refused; miss: 1, 2 of 24, or 2 of 9");
}

/// Two hundred endorsements on a day off, when nobody else endorses, all but ten of a bill with more than ten hops. The miss:
/// 150, for other cases endorse on days off too.
fn deeper_endorsements(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let other = story.company();
    let mut bill = story.bill(Kind::Bank, MILLION, parties, 150);
    story.received(&mut bill);
    // Each case has a fortnight of its own: cases begin in one week or, after a holiday, in the next. And there is a base to
    // compare with.
    let fortnight = 2 * story.variant as i32 + i32::from(!story.positive);
    let mut day = story.begin.plus(14 + 14 * fortnight);
    while story.trade.calendar.is_business_day(day) {
        day = day.plus(1);
    }
    story.on(day);
    let (mut holder, mut next) = (parties.2, other);
    for _ in 0..story.either(200, 150) {
        story.endorse(&mut bill, holder, next);
        std::mem::swap(&mut holder, &mut next);
    }
    story.label("MARKET", day, "190 of 200 endorsements deeper than 10 hops; miss: fewer endorsements");
    story.paid(&mut bill, holder);
}

/// A bank signs twenty bills in the morning, then two hundred in the afternoon; the miss: 199.
fn other_hours(story: &mut Story) {
    let bank = story.member(205);
    let parties = (story.company(), bank, story.company());
    let day = story.begin.plus(7);
    for (day, hour, bills) in [(story.begin, 10, 20), (day, 15, story.either(200, 199))] {
        for nth in 0..bills {
            // 16 seconds apart: all within the hour.
            story.at(day.start_ms() + hour * 3_600_000 + nth * 16_000 - 120_000);
            let mut bill = story.bill(Kind::Bank, MILLION, parties, 120);
            let request = story.issued(&mut bill);
            story.signed(&mut bill, request, 0, false);
        }
    }
    story.label(bank.id, day, "200 acceptances in another hour; miss: 199");
}

/// One settlement of a bill between two members.
fn trade(story: &mut Story, bill: &mut Bill, seller: Party, buyer: Party) {
    trade_at(story, bill, (seller, buyer), FAIR_RATE);
}

fn trade_at(story: &mut Story, bill: &mut Bill, (seller, buyer): (Party, Party), rate_e4: i64) {
    let deal = story.deal(bill, seller, buyer, rate_e4);
    story.sell(bill, &deal);
}

/// Sixty business days with one sale of 1,000,000 CNY each, then e^0.85 times as much (z = 8.5, 8 above the slack); the miss: 100
/// CNY less.
fn turnover_break(story: &mut Story) {
    let (left, right) = (story.member(205), story.member(206));
    let mut bill = stocked(story, left, MILLION, story.begin);
    // 1,000,000 * e^0.85 = 2,339,646.85; the power is irrational, so the step is 100 CNY.
    let mut large = stocked(story, left, story.either(2_339_700, 2_339_600) * CNY, story.begin);
    let (mut seller, mut buyer) = (left, right);
    let mut day = story.begin;
    for nth in 0..60 {
        day = story.business_day(day, 1);
        story.on(day);
        // The bill comes back at another price: no round trip (P081 allows 10 bp).
        trade_at(story, &mut bill, (seller, buyer), FAIR_RATE + nth % 2 * 1_100);
        std::mem::swap(&mut seller, &mut buyer);
    }
    day = story.business_day(day, 1);
    story.on(day);
    trade(story, &mut large, left, right);
    story.label(left.id, day, "z just above 8.5 after 60 equal days; miss: just below");
    story.paid(&mut bill, seller);
    story.paid(&mut large, right);
}

/// Four equal partners, then one with 10,000,000,000 CNY in 20 days; the miss: a fen less, two partners before, or two after.
fn fewer_partners(story: &mut Story) {
    let bank = story.member(203);
    let partners: Vec<Party> = (0..4).map(|_| story.member(205)).collect();
    let miss = (!story.positive).then_some(story.variant);
    let before = if miss == Some(1) { 2 } else { 4 };
    for partner in &partners[..before] {
        let mut bill = stocked(story, bank, MILLION, story.begin);
        story.on(story.business_day(story.begin, 1));
        trade(story, &mut bill, bank, *partner);
        story.paid(&mut bill, *partner);
    }
    let day = story.business_day(story.begin.plus(30), 1);
    // Ten times there or back.
    let mut bills = [stocked(story, bank, 1_000 * MILLION - i64::from(miss == Some(0)), day.plus(-2))];
    story.on(day);
    let after: &[Party] = if miss == Some(2) { &partners[..2] } else { &partners[..1] };
    for nth in 0..10 {
        let partner = after[nth / 2 % after.len()];
        let (seller, buyer) = if nth % 2 == 0 { (bank, partner) } else { (partner, bank) };
        trade(story, &mut bills[0], seller, buyer);
    }
    story.label(bank.id, day, "one partner instead of four, 10,000,000,000 CNY; miss: a fen, two before, or two after");
    story.paid(&mut bills[0], bank);
}

/// Holdings that never change at the end of a quarter grow by three hundredths at the fifth; the miss: a fen less.
fn quarter_end_spike(story: &mut Story) {
    let bank = story.member(205);
    let fewer = !story.positive && story.variant == 1;
    // Not in the last days of a quarter, where it would be a change itself.
    let first = story.begin.plus(10).quarter_end();
    let mut end = first;
    for nth in 0..5 {
        end = first.plus(1).add_months(3 * nth).plus(-1);
        if fewer && nth == 0 {
            continue;
        }
        // Bought well before the end of the quarter, or in the first at once, and paid soon after it.
        let day = if nth == 0 { story.begin } else { story.business_day(end.plus(-40), 1) };
        let mut bill = stocked_until(story, bank, 10 * MILLION, day, end.0 - day.0 + 20);
        story.paid(&mut bill, bank);
    }
    let mut last = end;
    while !story.trade.calendar.is_business_day(last) {
        last = last.plus(-1);
    }
    let mut bill = stocked(story, bank, 300_000 * CNY - i64::from(!story.positive && !fewer), last);
    story.label(bank.id, end, "3 % more in the last days of the fifth quarter; miss: a fen less, or the fourth");
    story.paid(&mut bill, bank);
}

/// Fifty answers after 21 minutes in one hour, four being usual; the miss: after 20, or forty-nine.
fn slow_answers(story: &mut Story) {
    let bank = story.member(205);
    let parties = (story.company(), bank, story.company());
    let fewer = !story.positive && story.variant == 1;
    let wait = if story.positive || fewer { 21 } else { 20 };
    let answered = |story: &mut Story, asked: i64, wait: i64| {
        story.at(asked - 60_000);
        let mut bill = story.bill(Kind::Bank, MILLION, parties, 120);
        let request = story.issued(&mut bill);
        // ACC.SGN comes a minute after the clock.
        story.wait(wait - 1);
        story.signed(&mut bill, request, 0, false);
    };
    answered(story, story.begin.start_ms() + 10 * 3_600_000, 4);
    let day = story.business_day(story.begin, 3);
    for nth in 0..if fewer { 49 } else { 50 } {
        answered(story, day.start_ms() + 11 * 3_600_000 + (nth - 20 * 60) * 1_000, wait);
    }
    story.label(bank.id, day, "50 answers in an hour after 21 minutes, 4 being usual; miss: 20 minutes, or 49");
}

/// Three times the usual margin in the last five business days of a quarter, half of the faces; the miss: a fen less, a fen more
/// of face, or a day earlier.
fn quarter_end_margin(story: &mut Story) {
    let bank = story.member(205);
    let miss = (!story.positive).then_some(story.variant);
    // A quarter that has three weeks left at least; when it is the next one, the first bill waits for it.
    let end = story.begin.plus(20).quarter_end();
    let early = story.begin.max(end.quarter_start().plus(3));
    let calendar = &story.trade.calendar;
    let mut late = end.plus(1);
    let mut left = if miss == Some(2) { 6 } else { 5 };
    while left > 0 {
        late = late.plus(-1);
        left -= i32::from(calendar.is_business_day(late));
    }
    let days = (0..=end.0 - end.quarter_start().0).filter(|back| calendar.is_business_day(end.plus(-back))).count();
    // 15 times the other margin divided by the other days: with as many units as days exactly three means of five days.
    let unit = MILLION;
    let (other, last) = (unit * (days as i64 - 5), 15 * unit - i64::from(miss == Some(0)));
    let face = 2 * last + i64::from(miss == Some(1));
    for (day, face, margin) in [(early, other, other), (late, face, last)] {
        story.on(day);
        let parties = (story.company(), bank, story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 120);
        story.accepted_with(&mut bill, margin);
        story.unused(&mut bill);
    }
    story.label(bank.id, end, "3 times the usual margin, half of the faces; miss: a fen of either, or a day earlier");
}
