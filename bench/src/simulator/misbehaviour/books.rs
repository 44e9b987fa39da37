//! Cases of books that do not agree with the register: P180.

use billwatch_market::fact::behaviour;
use billwatch_market::ids::{Day, PartyId};

use super::{Injector, once};
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{MILLION, Story};

pub(super) const CASES: &[Injector] = &[once("P180", out_of_balance)];

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
