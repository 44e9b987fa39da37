//! Cases of books that do not agree with the register: P180, P182.

use billwatch_market::books;
use billwatch_market::fact::{Control, ControlKind, Range, Source, behaviour};
use billwatch_market::ids::{Day, PartyId};

use super::{Injector, light, once};
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[once("P180", out_of_balance)];
/// Books of members.
pub(super) const OF_MEMBERS: &[Injector] = &[light("P182", wrong_book)];

/// A day of the weekend some weeks on, on which nobody else trades: a Sunday for cases, the Saturday before for near misses.
fn quiet_day(story: &Story) -> Day {
    let sunday = story.begin.plus(6 - story.begin.weekday() as i32 + 7 * story.variant as i32);
    story.either(sunday, sunday.plus(-1))
}

fn bill(story: &mut Story, face_fen: i64) -> Bill {
    let parties = (story.company(), story.house_bank(0), story.company());
    story.bill(Kind::Bank, face_fen, parties, 120)
}

/// An accepted bill settled twice; an acceptance in vain that a settlement in vain misses by a fen; a bill revoked that its
/// payee has. The misses: settled once; the two alike; revoked with its acceptance still asked for.
fn out_of_balance(story: &mut Story) {
    let day = quiet_day(story);
    match story.variant {
        0 => {
            let face = MILLION;
            let parties = (story.company(), story.house_bank(0), story.company());
            let mut bill = story.bill_due(Kind::Bank, face, parties, day);
            story.received(&mut bill);
            bill.due_adjusted = day;
            let presentation = story.presented(&mut bill, parties.2);
            story.honoured(&mut bill, parties.2, presentation);
            if story.positive {
                let fact = bill.pay(story.now(), bill.whole(), parties.2, presentation);
                story.put(fact);
            }
        }
        1 => {
            let (mut accepted, mut settled) = (bill(story, MILLION), bill(story, MILLION - story.either(1, 0)));
            let (left, right) = (accepted.issue(story.now()), settled.issue(story.now()));
            let (request, presentation) = (story.put(left), story.put(right));
            story.on(day);
            let fact = accepted.accept(story.now(), request, 0);
            story.put(fact);
            let (whole, payee) = (settled.whole(), settled.payee);
            let fact = settled.pay(story.now(), whole, payee, presentation);
            story.put(fact);
        }
        _ => {
            let mut bill = bill(story, MILLION);
            if story.positive {
                story.received(&mut bill);
            } else {
                story.issued(&mut bill);
            }
            story.on(day);
            let (whole, drawer, acceptor) = (bill.whole(), bill.drawer, bill.acceptor);
            let fact = bill.ask(behaviour::ISS_RVK, story.now(), whole, drawer, acceptor);
            story.put(fact);
        }
    }
    let note = "settled twice, a fen more accepted than settled in vain, or revoked when received; miss: once, the same, or not accepted";
    story.label(PartyId::MARKET, day, note);
}

/// The bank sends its book of a day, early on the next: one line for each range, and the end.
fn send_book(story: &mut Story, bank: Party, date: Day, held: &[(&Bill, Range)]) {
    let holder = bank.id;
    let line = |(bill, range): &(&Bill, Range)| ControlKind::BookLine {
        holder,
        date,
        bill_id: bill.id,
        range: *range,
        amount_fen: bill.amount(*range),
    };
    let mut kinds: Vec<ControlKind> = held.iter().map(line).collect();
    let total_fen = held.iter().map(|(bill, range)| bill.amount(*range)).sum();
    kinds.push(ControlKind::BookEnd { holder, date, line_count: held.len() as i64, total_fen });
    let morning = date.plus(1).start_ms() + 3_600_000;
    for (place, kind) in kinds.into_iter().enumerate() {
        // The simulator numbers it when it is sent.
        let record = books::fact_of(&Control { source: Source::Cpes, source_seq: 0, kind });
        story.put_belated(morning + place as i64, record.expect("a record of a book"));
    }
}

/// A bank's book lacks a bill, a fen of a package, or still has the bill that it sold, with another of that face in its stead.
/// The misses: all bills; the package cut otherwise; as of the evening before the sale.
fn wrong_book(story: &mut Story) {
    let bank = story.member(203);
    let (seller, outsider) = (story.company(), story.company());
    let parties = (outsider, story.house_bank(0), seller);
    let (mut left, mut right) =
        (story.bill(Kind::Bank, MILLION, parties, 120), story.bill(Kind::Bank, MILLION, parties, 120));
    story.received(&mut left);
    story.received(&mut right);
    let day = story.business_day(story.begin, 3);
    story.on(day);
    let (whole, half) = (left.whole(), MILLION as u64 / 2);
    let range = |start, end| Range { start, end };
    match story.variant {
        0 => {
            story.discount(&mut left, seller, bank, FAIR_RATE);
            story.discount(&mut right, seller, bank, FAIR_RATE);
            let lines = [(&left, whole), (&right, whole)];
            send_book(story, bank, day, &lines[..story.either(1, 2)]);
        }
        1 => {
            story.discount_part(&mut left, range(1, half), seller, bank, FAIR_RATE);
            story.discount_part(&mut left, range(half + 1, whole.end), seller, bank, FAIR_RATE);
            story.discount(&mut right, seller, bank, FAIR_RATE);
            let end = story.either(whole.end - 1, whole.end);
            send_book(story, bank, day, &[(&left, range(1, end)), (&right, whole)]);
        }
        _ => {
            story.discount(&mut left, seller, bank, FAIR_RATE);
            let sold = story.business_day(day, 1);
            let evening = story.either(sold, sold.plus(-1));
            story.on(sold);
            let buyer = story.house_bank(1);
            let deal = story.deal(&left, bank, buyer, FAIR_RATE);
            story.sell(&mut left, &deal);
            story.discount(&mut right, seller, bank, FAIR_RATE);
            send_book(story, bank, evening, &[(&left, whole)]);
            let note = "a bill of the same face in the book's stead; miss: the evening before the exchange";
            story.label(bank.id, evening, note);
            story.paid(&mut left, buyer);
            return story.paid(&mut right, bank);
        }
    }
    let note = "a bill or a fen of a package is not in the book; miss: it is, however the package is cut";
    story.label(bank.id, day, note);
    story.paid(&mut left, bank);
    story.paid(&mut right, bank);
}
