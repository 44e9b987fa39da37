//! Cases of prices: P132, P139, P141, P142. They go on when the curve of their day is known.

use billwatch_market::fact::{Field, Value, behaviour};

use super::{Injector, light};
use crate::simulator::deals::Discount;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P132", off_market),
    light("P139", priced_like_a_bank),
    light("P141", fat_finger),
    light("P142", wrong_cash),
];

/// Class of bills that a state or joint-stock bank accepted.
const BANK_CLASS: usize = 1;

/// A bill of a state bank, discounted by a bank of the case two business days after issue.
fn discounted(story: &mut Story, face: i64) -> (Bill, Party) {
    let parties = (story.company(), story.house_bank(0), story.company());
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
