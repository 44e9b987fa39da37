//! Cases of prices of single deals and of members: P132, P136 to P142, P144. They go on when the curve of their day is known. Rates
//! of the whole market are in `market_rates`.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::{Day, PartyId};

use super::{Injector, heavy, light, once};
use crate::simulator::deals::Discount;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P132", off_market),
    light("P139", priced_like_a_bank),
    light("P141", fat_finger),
    light("P142", wrong_cash),
    once("P136", near_zero),
    light("P137", repo_off_money_market),
    light("P138", price_ladder),
    heavy("P140", one_sided_losses),
    light("P144", within_a_group),
];

/// Class of bills that a state or joint-stock bank accepted.
const BANK_CLASS: usize = 1;

/// A bill of a state bank, discounted by a bank of the case two business days after issue.
fn discounted(story: &mut Story, face: i64) -> (Bill, Party) {
    let parties = (story.company(), story.acceptor_of(face, 0), story.company());
    let seller = story.member(205);
    // Due on a business day, so that every reading of the remaining days is the same.
    let due = story.trade.calendar.roll(story.begin.plus(150));
    let mut bill = story.bill_due(Kind::Bank, face, parties, due);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, parties.2, seller, FAIR_RATE);
    (bill, seller)
}

/// 10,000,000 CNY at 50.01 bp from the curve; the miss: 50 bp.
fn off_market(story: &mut Story) {
    let (mut bill, seller) = discounted(story, 10 * MILLION);
    let buyer = story.member(206);
    let day = story.business_day(story.begin, 3);
    story.later(day, move |story| {
        let curve = story.trade.curve.rate(BANK_CLASS, i64::from(bill.due.0 - day.0));
        let distance = story.either(5_001, 5_000);
        let rate = if story.variant == 1 { curve - distance } else { curve + distance };
        let deal = story.deal(&bill, seller, buyer, rate);
        story.sell(&mut bill, &deal);
        story.label(deal.id(), day, "50.01 bp from the curve; miss: 50 bp");
        story.paid(&mut bill, buyer);
    });
}

/// A commercial bill at 9.99 bp above the bank curve; the miss: 10 bp.
fn priced_like_a_bank(story: &mut Story) {
    let (acceptor, payee) = (story.company(), story.company());
    let due = story.trade.calendar.roll(story.begin.plus(150));
    let mut bill = story.bill_due(Kind::Commercial, 2 * MILLION, (acceptor, acceptor, payee), due);
    story.received(&mut bill);
    let day = story.business_day(story.begin, 3);
    story.later(day, move |story| {
        let curve = story.trade.curve.rate(BANK_CLASS, i64::from(bill.due.0 - day.0));
        let rate = curve + story.either(999, 1_000);
        let bank = story.house_bank(1);
        let settled = story.discount(&mut bill, payee, bank, rate);
        story.label(settled, day, "9.99 bp above the bank curve; miss: 10 bp");
        story.paid(&mut bill, bank);
    });
}

/// A quote 200.01 bp from the curve, refused; the miss: 200 bp.
fn fat_finger(story: &mut Story) {
    let (mut bill, seller) = discounted(story, 5 * MILLION);
    let buyer = story.member(206);
    let day = story.business_day(story.begin, 3);
    story.later(day, move |story| {
        let curve = story.trade.curve.rate(BANK_CLASS, i64::from(bill.due.0 - day.0));
        let deal = story.deal(&bill, seller, buyer, curve + story.either(20_001, 20_000));
        let fact = bill.quote(behaviour::IBT_QTE, story.now(), &deal);
        let request = story.put(fact);
        story.wait(1);
        let fact = bill.refuse_quote(behaviour::IBT_QRJ, story.now(), request, &deal);
        story.put(fact);
        story.label(seller.id, day, "200.01 bp from the curve; miss: 200 bp");
        story.paid(&mut bill, seller);
    });
}

/// Cash 101 fen beside the formula; the miss: 100 fen. A discount, or (variant 1) an outright deal.
fn wrong_cash(story: &mut Story) {
    let off = story.either(101, 100);
    let note = "cash 101 fen off; miss: 100 fen";
    if story.variant == 1 {
        let (mut bill, seller) = discounted(story, 2 * MILLION);
        let buyer = story.member(206);
        let day = story.business_day(story.begin, 3);
        story.on(day);
        let mut deal = story.deal(&bill, seller, buyer, FAIR_RATE);
        deal.cash_fen += off;
        story.sell(&mut bill, &deal);
        story.label(deal.id(), day, note);
        story.paid(&mut bill, buyer);
        return;
    }
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 2 * MILLION, parties, 180);
    story.received(&mut bill);
    let day = story.business_day(story.begin, 2);
    story.on(day);
    let bank = story.house_bank(1);
    let mut terms = Discount::priced(&bill, bill.whole(), parties.2, bank, FAIR_RATE, day);
    terms.pay_fen -= off;
    let fact = bill.ask_discount(story.now(), &terms);
    let request = story.put(fact);
    story.wait(1);
    let fact = bill.agree_discount(story.now(), request, &terms);
    debug_assert_eq!(fact.get(Field::PayFen), Some(&Value::Int(terms.pay_fen)));
    let agreement = story.put(fact);
    story.wait(1);
    let fact = bill.settle_discount(story.now(), request, &terms);
    story.put(fact);
    story.label(agreement, day, note);
    story.paid(&mut bill, bank);
}

/// 1,000,000,000 CNY at 0.10 % on one of the last five business days of a month; the miss: a day before them, one fen less or
/// 0.1001 %. Each case has a day of its own: the alert is about the market.
fn near_zero(story: &mut Story) {
    let next_month = story.business_day(story.begin, 5).month_start().add_months(2);
    let from_end = match (story.positive, story.variant) {
        (true, variant) => variant as i32 + 1,
        (false, 0) => 6,
        (false, variant) => variant as i32 + 3,
    };
    let mut day = next_month;
    for _ in 0..from_end {
        day = day.plus(-1);
        while story.trade.calendar.roll(day) != day {
            day = day.plus(-1);
        }
    }
    let less = i64::from(!story.positive && story.variant == 1);
    let rate = if !story.positive && story.variant == 2 { 1_001 } else { 1_000 };
    let (seller, buyer) = (story.member(205), story.member(206));
    story.on(day);
    let parties = (story.company(), story.acceptor_of(1_000 * MILLION, 0), story.company());
    let mut bill = story.bill(Kind::Bank, 1_000 * MILLION - less, parties, 150);
    story.received(&mut bill);
    story.discount(&mut bill, parties.2, seller, FAIR_RATE);
    let deal = story.deal(&bill, seller, buyer, rate);
    story.sell(&mut bill, &deal);
    story.label(
        PartyId::MARKET,
        day,
        "1,000,000,000 CNY at 0.10 % at the month's end; miss: a day, a fen or a hundredth of a point off",
    );
    story.paid(&mut bill, buyer);
}

/// A repo 80.01 bp above DR007 as published on the first day; the miss: 80 bp.
fn repo_off_money_market(story: &mut Story) {
    const DR007: i64 = 16_000;
    let (mut bill, seller) = discounted(story, 5 * MILLION);
    // With this in its book the seller is not all out on repo (P058).
    let mut rest = held(story, seller, 2 * MILLION, bill.due);
    story.paid(&mut rest, seller);
    let buyer = story.member(206);
    let day = story.business_day(story.begin, 3);
    story.on(day);
    let days = i64::from(story.business_day(day, 5).0 - day.0);
    let (deal, first_leg) = story.repo(&mut bill, (seller, buyer), DR007 + story.either(8_001, 8_000), days);
    story.label(deal.id(), day, "80.01 bp from DR007; miss: 80 bp");
    story.redeemed(&mut bill, &deal, first_leg);
    story.paid(&mut bill, seller);
}

/// The smallest face on which a gap to the curve over these days is worth so many fen.
fn face_worth(fen: i64, gap_e4: i64, days: i64) -> i64 {
    (fen * 360_000_000 + gap_e4 * days - 1) / (gap_e4 * days)
}

/// A bill due on a business day 150 days on, held by a member; told on the first day, to be sold on this one.
fn held(story: &mut Story, holder: Party, face: i64, due: Day) -> Bill {
    story.on(story.begin);
    let parties = (story.company(), story.acceptor_of(face, 0), story.company());
    let mut bill = story.bill_due(Kind::Bank, face, parties, due);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, parties.2, holder, FAIR_RATE);
    bill
}

/// A buys above the curve and sells below it, gaining 500,000 CNY from the same bank; the miss: a fen less, or 14.99 bp.
fn price_ladder(story: &mut Story) {
    let (winner, other) = (story.member(205), story.member(206));
    let due = story.trade.calendar.roll(story.begin.plus(150));
    let day = story.business_day(story.begin, 3);
    let days = i64::from(due.0 - day.0);
    let less = i64::from(!story.positive && story.variant != 1);
    let gap = if !story.positive && story.variant == 1 { 1_499 } else { 1_500 };
    let bought = held(story, other, face_worth(300_000 * CNY, 1_500, days), due);
    let sold = held(story, winner, face_worth(200_000 * CNY - less, 1_500, days), due);
    story.later(day, move |story| {
        let curve = story.trade.curve.rate(BANK_CLASS, days);
        let deals = [(bought, other, winner, curve + 1_500), (sold, winner, other, curve - gap)];
        for (nth, (mut bill, from, to, rate)) in deals.into_iter().enumerate() {
            story.on(day);
            story.wait(60 * nth as i64);
            let deal = story.deal(&bill, from, to, rate);
            story.sell(&mut bill, &deal);
            story.paid(&mut bill, to);
        }
        let key = format!("{},{}", winner.id.min(other.id), winner.id.max(other.id));
        story.label(key, day, "a ladder worth 500,000 CNY; miss: a fen less, or 14.99 bp");
    });
}

/// Eight of ten deals lose 5,000,000 CNY in all; the miss: a fen less, or a ninth without loss.
fn one_sided_losses(story: &mut Story) {
    let (loser, buyer) = (story.member(205), story.member(206));
    let due = story.trade.calendar.roll(story.begin.plus(150));
    let day = story.business_day(story.begin, 3);
    let days = i64::from(due.0 - day.0);
    let fewer = !story.positive && story.variant == 1;
    let less = i64::from(!story.positive && !fewer);
    let mut bills = Vec::new();
    for nth in 0..if fewer { 11 } else { 10 } {
        let face = match nth {
            0 => face_worth(625_000 * CNY - less, 3_000, days),
            1..8 => face_worth(625_000 * CNY, 3_000, days),
            _ => MILLION,
        };
        bills.push(held(story, loser, face, due));
    }
    story.later(day, move |story| {
        let curve = story.trade.curve.rate(BANK_CLASS, days);
        for (nth, mut bill) in bills.into_iter().enumerate() {
            story.on(day);
            story.wait(20 * nth as i64);
            let rate = if nth < 8 { curve + 3_000 } else { curve };
            let deal = story.deal(&bill, loser, buyer, rate);
            story.sell(&mut bill, &deal);
            story.paid(&mut bill, buyer);
        }
        story.label(loser.id, day, "eight of ten deals lose 5,000,000 CNY; miss: a fen less, or eight of eleven");
    });
}

/// Two banks of one group trade 20.01 bp from the curve; the miss: 20 bp, or two groups.
fn within_a_group(story: &mut Story) {
    let group = |number: u64| PartyId::group(900_000 + number);
    let own = story.begin.0 as u64 % 10_000 * 8 + (story.variant * 2) as u64 + u64::from(story.positive);
    let apart = !story.positive && story.variant == 1;
    let seller = story.member_in(205, "310000", Some(group(own)), 100_000 * MILLION);
    let other = if apart { group(own % 10_000 + 89_000) } else { group(own) };
    let buyer = story.member_in(206, "310000", Some(other), 100_000 * MILLION);
    let due = story.trade.calendar.roll(story.begin.plus(150));
    let mut bill = held(story, seller, 2 * MILLION, due);
    let day = story.business_day(story.begin, 3);
    story.later(day, move |story| {
        let curve = story.trade.curve.rate(BANK_CLASS, i64::from(due.0 - day.0));
        let distance = if story.positive || apart { 2_001 } else { 2_000 };
        let deal = story.deal(&bill, seller, buyer, curve - distance);
        story.sell(&mut bill, &deal);
        let key = format!("{},{}", seller.id.min(buyer.id), seller.id.max(buyer.id));
        story.label(key, day, "20.01 bp from the curve inside a group; miss: 20 bp, or two groups");
        story.paid(&mut bill, buyer);
    });
}
