//! Cases of banks among many peers: P163, P167, P171, P172, P192. A case has a group of its own, or shares ten peers with others
//! and has a month of its own.

use billwatch_market::ids::Day;

use super::bursts::stocked;
use super::scenery::{TYPES, discount_paper, paper, place};
use super::{Injector, light, once};
use crate::simulator::deals::Deal;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    once("P163", faster_growth),
    once("P167", borrowed_against_all),
    once("P171", dressed_quarter_end),
    once("P172", new_drawers),
    light("P192", small_bank_under_stress),
];

/// The banks of this case, in a group in which no other bank is; the last is the subject.
fn group(story: &mut Story, peers: usize) -> Vec<Party> {
    let (inst_type, assets) = TYPES[place(story)];
    (0..=peers).map(|_| story.member_in(inst_type, "310000", None, assets * MILLION)).collect()
}

/// The balance grows within a year by 50.0001 %, that of one peer by 50 %, the others' not; the miss: by 50 %, or by all when peers
/// grow by up to nine tenths, four tenths in the middle.
fn faster_growth(story: &mut Story) {
    let (drawer, payee) = (story.company(), story.company());
    let banks = group(story, 10);
    let (before, now) = (story.month(0), story.month(12));
    let uneven = !story.positive && story.variant == 1;
    for (nth, bank) in banks.iter().enumerate() {
        story.on(story.trade.calendar.roll(before));
        paper(story, (drawer, *bank, payee), MILLION, 120);
        let second = match nth {
            10 if uneven => MILLION,
            10 => 500_000 * CNY + story.either(CNY, 0),
            _ if uneven => nth as i64 * 100_000 * CNY,
            0 => 500_000 * CNY,
            _ => 0,
        };
        if second > 0 {
            story.on(story.trade.calendar.roll(now));
            paper(story, (drawer, *bank, payee), second, 120);
        }
    }
    let note = "balance grew by more than that of ten peers; miss: as much, or not out of their ordinary";
    story.label(banks[10].id, now.month_end(), note);
}

/// Two paper bills held: of `lent` fen, out on repo from this day to the other, and of `kept` fen.
fn borrower(story: &mut Story, bank: Party, (lent, kept): (i64, i64), (from, to): (Day, Day)) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let lender = story.house_bank(1);
    story.on(from);
    let mut bills: Vec<Bill> = [lent, kept].map(|face| paper(story, parties, face, 150)).into();
    for bill in &mut bills {
        discount_paper(story, bill, bank, FAIR_RATE);
    }
    let (deal, first_leg) = story.repo(&mut bills[0], (bank, lender), 16_000, i64::from(to.0 - from.0));
    story.redeemed(&mut bills[0], &deal, first_leg);
}

/// Half of the holdings and 10 CNY are out on repo for all of a month, of one peer half; the miss: half, redeemed before the
/// month's end, or 20 CNY more kept. Positives are finance companies, near misses securities firms.
fn borrowed_against_all(story: &mut Story) {
    let inst_type = story.either(301, 304);
    // Ten peers that hold a bill and have borrowed against it for a day.
    story.shared(i32::from(inst_type), |story| {
        let day = story.trade.calendar.roll(story.month(0));
        let next = story.business_day(day, 1);
        for _ in 0..10 {
            let peer = story.member(inst_type);
            borrower(story, peer, (MILLION, MILLION), (day, next));
        }
        Vec::new()
    });
    let month = story.month(story.variant as i32);
    let from = story.trade.calendar.roll(month);
    let to = story.trade.calendar.roll(month.month_end().plus(1));
    let mut last = to.plus(-1);
    while story.trade.calendar.roll(last) != last {
        last = last.plus(-1);
    }
    let top = story.member(inst_type);
    borrower(story, top, (MILLION, MILLION), (from, to));
    let subject = story.member(inst_type);
    let miss = (!story.positive).then_some(story.variant);
    let lent = MILLION + if miss == Some(0) { 0 } else { 10 * CNY };
    let kept = MILLION + if miss == Some(2) { 20 * CNY } else { 0 };
    borrower(story, subject, (lent, kept), (from, if miss == Some(1) { last } else { to }));
    let note = "a larger share out on repo than any of ten peers; miss: as large, redeemed before, or more kept";
    story.label(subject.id, month.month_end(), note);
}

/// Holdings rise on the last day of a quarter by more than those of any peer, and half of that is sold on the fifth business
/// day after; the miss: as much as a peer's, a fen less sold, or on the sixth day.
fn dressed_quarter_end(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let buyer = story.member(205);
    let banks = group(story, 10);
    let miss = (!story.positive).then_some(story.variant);
    let first = story.trade.calendar.roll(story.month(0));
    let end = first.quarter_end();
    let mut last = end;
    while story.trade.calendar.roll(last) != last {
        last = last.plus(-1);
    }
    let more = if miss == Some(0) { 0 } else { 1_000 * CNY };
    let moved = i64::from(miss == Some(1));
    for (nth, bank) in banks.iter().enumerate() {
        story.on(first);
        let mut bill = paper(story, parties, 10 * MILLION, 150);
        discount_paper(story, &mut bill, *bank, FAIR_RATE);
        let is_subject = nth + 1 == banks.len();
        let faces = match nth {
            0 => [MILLION, MILLION],
            _ if is_subject => [MILLION + more - moved, MILLION + more + moved],
            _ => continue,
        };
        story.on(last);
        let mut bills = faces.map(|face| paper(story, parties, face, 150));
        for bill in &mut bills {
            discount_paper(story, bill, *bank, FAIR_RATE);
        }
        if is_subject {
            story.on(story.business_day(end, if miss == Some(2) { 6 } else { 5 }));
            let deal = story.deal(&bills[0], *bank, buyer, FAIR_RATE);
            story.sell(&mut bills[0], &deal);
        }
    }
    let subject = banks[banks.len() - 1];
    let note = "the largest rise at a quarter's end, half of it sold; miss: as large as a peer's, less or later sold";
    story.label(subject.id, end.plus(1).month_end(), note);
}

/// Two fifths and 1,000 CNY of a month's acceptance are for a new drawer, of one peer two fifths, of the others nothing; in one
/// case the drawer is known for 90 days. The miss: two fifths, nine peers, or known for 91 days.
fn new_drawers(story: &mut Story) {
    let payee = story.company();
    let (old, new, known) = (story.company(), story.company(), story.company());
    let banks = group(story, if !story.positive && story.variant == 1 { 9 } else { 10 });
    let end = story.month(4).month_end();
    let known_since = (story.variant == 2).then(|| end.plus(-story.either(90, 91)));
    let before = story.trade.calendar.roll(story.month(1));
    let day = story.trade.calendar.roll(story.month(4).plus(9));
    let more = if story.positive || story.variant != 0 { 1_000 * CNY } else { 0 };
    for (nth, bank) in banks.iter().enumerate() {
        story.on(before);
        paper(story, (old, *bank, payee), MILLION, 120);
        story.on(day);
        paper(story, (old, *bank, payee), 600_000 * CNY, 120);
        if nth == 0 {
            paper(story, (new, *bank, payee), 400_000 * CNY, 120);
        } else if nth + 1 == banks.len() {
            paper(story, (known, *bank, payee), 400_000 * CNY + more, 120);
            if let Some(since) = known_since {
                story.on(since);
                paper(story, (known, *bank, payee), 1_000 * CNY, 120);
            }
        }
    }
    let subject = banks[banks.len() - 1];
    story.label(
        subject.id,
        end,
        "a larger share for new drawers than any peer's; miss: as large, nine peers, or known",
    );
}

/// A small bank sells a tenth of its holdings in five days, borrows nine tenths for seven days at the most, and a payment of it
/// waits; the miss: a fen less sold, a fen more borrowed for longer, or no payment waits.
fn small_bank_under_stress(story: &mut Story) {
    let (bank, buyer, lender) = (story.member(206), story.member(205), story.member(203));
    let miss = (!story.positive).then_some(story.variant);
    let day = story.business_day(story.begin, 5);
    let due_parties = (story.company(), bank, story.company());
    let mut due = story.bill_due(Kind::Bank, 100_000 * CNY, due_parties, day);
    story.received(&mut due);
    // The cash of a repo is nine tenths of the face: 10 CNY more of face are 9 CNY more of cash.
    let less = i64::from(miss == Some(0));
    let longer = if miss == Some(1) { 10 * CNY } else { 0 };
    let faces = [2 * MILLION - less, 8 * MILLION + less - longer, 9 * MILLION, MILLION + longer];
    let mut bills = faces.map(|face| stocked(story, bank, face, story.begin));
    story.on(day);
    let deal = story.deal(&bills[0], bank, buyer, FAIR_RATE);
    story.sell(&mut bills[0], &deal);
    // Eight days, or as many more as lead to a business day.
    let far = story.trade.calendar.roll(day.plus(8));
    for (nth, days) in [(2, 7), (3, i64::from(far.0 - day.0))] {
        story.on(day);
        story.wait(60);
        // Cheap, so that the price is no sign of stress.
        let (deal, first_leg): (Deal, _) = story.repo(&mut bills[nth], (bank, lender), 8_000, days);
        story.redeemed(&mut bills[nth], &deal, first_leg);
    }
    let (whole, holder) = (due.whole(), due_parties.2);
    let presentation = story.presented(&mut due, holder);
    let fact = due.agree_payment(story.now(), whole, holder, presentation);
    story.put(fact);
    story.wait(1);
    if miss != Some(2) {
        let fact = due.queue_payment(story.now(), whole);
        story.put(fact);
        story.wait(30);
    }
    let fact = due.pay(story.now(), whole, holder, presentation);
    story.put(fact);
    story.label(
        bank.id,
        day,
        "three signs of stress; miss: a fen less sold, 9 CNY borrowed for longer, or paid at once",
    );
    for (nth, bill) in bills.iter_mut().enumerate() {
        story.paid(bill, if nth == 0 { buyer } else { bank });
    }
}
