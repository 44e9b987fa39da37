//! Cases of deadlines: P116, P117, P118, P119, P120, P122, P123, P124, P125, P127. The alert carries the date of the limit.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::{Code, Day};

use super::{Injector, light};
use crate::simulator::deals::Deal;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P116", presentation_unanswered),
    light("P117", late_presentment),
    light("P118", acceptance_hanging),
    light("P119", pledge_not_released),
    light("P120", not_disclosed),
    light("P122", redeemed_too_late),
    light("P123", agreed_and_not_paid),
    light("P124", recourse_lapses),
    light("P125", stop_payment_lapses),
    light("P127", settled_too_late),
];

fn plain(story: &mut Story, tenor: i32) -> (Bill, Party) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, tenor);
    story.received(&mut bill);
    (bill, parties.2)
}

/// Answered on the fourth business day; the miss: on the third.
fn presentation_unanswered(story: &mut Story) {
    let (mut bill, payee) = plain(story, 30);
    let presentation = story.presented(&mut bill, payee);
    let asked = story.today();
    let limit = story.business_day(asked, 3);
    story.label(bill.id, limit, "answered on business day 4; miss: on business day 3");
    story.on(story.business_day(asked, story.either(4, 3)));
    story.honoured(&mut bill, payee, presentation);
}

/// Presented eleven days after the due date; the miss: ten.
fn late_presentment(story: &mut Story) {
    let (mut bill, payee) = plain(story, 30);
    let range = bill.whole();
    let fact = bill.mature(range, payee);
    story.put(fact);
    story.label(bill.id, bill.due.plus(10), "presented on day 11; miss: on day 10");
    story.on(bill.due.plus(story.either(11, 10)));
    let fact = if story.positive {
        let acceptor = bill.acceptor;
        bill.act(behaviour::PAY_LRQ, story.now(), range, payee, acceptor).text(Field::LateText, "手续延误").done()
    } else {
        bill.present(story.now(), range, payee)
    };
    let presentation = story.put(fact);
    story.wait(5);
    if story.positive && story.variant == 1 {
        // One of them is refused for its lateness.
        let acceptor = bill.acceptor;
        let draft = bill.act(behaviour::PAY_LRJ, story.now(), range, acceptor, payee).answers(presentation);
        story.put(draft.code(Field::AnswerCode, "SU01").code(Field::DishonourReason, "DC05").done());
    } else if story.positive {
        let acceptor = bill.acceptor;
        let fact = bill.agree(behaviour::PAY_LSG, story.now(), range, acceptor, payee, presentation);
        story.put(fact);
        story.wait(5);
        let fact = bill.pay(story.now(), range, payee, presentation);
        story.put(fact);
    } else {
        story.honoured(&mut bill, payee, presentation);
    }
}

/// Accepted on the fourth business day, or cleared; the miss: accepted on the third.
fn acceptance_hanging(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, MILLION, parties, 120);
    let request = story.issued(&mut bill);
    let limit = story.business_day(story.begin, 3);
    story.label(bill.id, limit, "accepted on business day 4, or cleared unanswered; miss: on business day 3");
    if story.positive && story.variant == 2 {
        // A request that the system cleared was never answered (facts.md 9.14).
        story.on(limit);
        let (whole, drawer) = (bill.whole(), bill.drawer);
        let draft = bill.act_in(bill.source, behaviour::ACC_CLR, story.now(), whole, Party::SYSTEM, drawer);
        story.put(draft.code(Field::NoticeKind, "NT07").done());
        return;
    }
    story.on(story.business_day(story.begin, story.either(4, 3)));
    story.signed(&mut bill, request, 30_000_000, true);
    story.unused(&mut bill);
}

/// Released eleven days after the due date; the miss: ten.
fn pledge_not_released(story: &mut Story) {
    let (mut bill, payee) = plain(story, 30);
    let (range, bank) = (bill.whole(), story.house_bank(1));
    story.on(story.business_day(story.begin, 2));
    let fact = bill.ask(behaviour::PLG_REQ, story.now(), range, payee, bank);
    let request = story.put(fact);
    story.wait(5);
    let fact = bill.agree(behaviour::PLG_SGN, story.now(), range, bank, payee, request);
    story.put(fact);
    let fact = bill.mature(range, bank);
    story.put(fact);
    story.label(bill.id, bill.due.plus(10), "released on day 11; miss: on day 10");
    story.on(bill.due.plus(story.either(11, 10)));
    let fact = bill.ask(behaviour::PLR_REQ, story.now(), range, bank, payee);
    let request = story.put(fact);
    story.wait(5);
    let fact = bill.agree(behaviour::PLR_SGN, story.now(), range, payee, bank, request);
    story.put(fact);
    story.wait(5);
    let late = story.positive;
    let acceptor = bill.acceptor;
    let fact = if late {
        bill.act(behaviour::PAY_LRQ, story.now(), range, payee, acceptor).text(Field::LateText, "质押").done()
    } else {
        bill.present(story.now(), range, payee)
    };
    let presentation = story.put(fact);
    story.wait(5);
    let answer = if late { behaviour::PAY_LSG } else { behaviour::PAY_SGN };
    let fact = bill.agree(answer, story.now(), range, acceptor, payee, presentation);
    story.put(fact);
    story.wait(5);
    let fact = bill.pay(story.now(), range, payee, presentation);
    story.put(fact);
}

/// Disclosed on the second business day; the miss: at the end of the first.
fn not_disclosed(story: &mut Story) {
    let acceptor = story.company();
    let payee = story.company();
    let mut bill = story.bill(Kind::Commercial, 100_000 * CNY, (acceptor, acceptor, payee), 120);
    let request = story.issued(&mut bill);
    story.signed(&mut bill, request, 0, false);
    let limit = story.business_day(story.begin, 1);
    story.label(acceptor.id, limit, "disclosed on business day 2; miss: in the last minute of business day 1");
    let at = if story.positive { story.business_day(limit, 1).start_ms() } else { limit.end_ms() - 60_000 };
    let fact = bill.disclose(at);
    story.put(fact);
    story.unused(&mut bill);
}

/// No court notice within 12 days of the stop; the miss: public summons on day 12.
fn stop_payment_lapses(story: &mut Story) {
    let (mut bill, payee) = plain(story, 150);
    let range = bill.whole();
    let acceptor = bill.acceptor;
    let stopped: Day = story.business_day(story.begin, 2);
    story.on(stopped);
    let fact = bill.ask(behaviour::LSF_STP, story.now(), range, acceptor, payee);
    story.put(fact);
    story.label(bill.id, stopped.plus(12), "no summons by day 12; miss: summons on day 12");
    let court = Party::court(700 + story.variant as u64);
    if story.positive {
        story.on(stopped.plus(13));
        let fact = bill.ask(behaviour::LSF_STX, story.now(), range, acceptor, payee);
        story.put(fact);
    } else {
        story.on(stopped.plus(12));
        let fact = bill.court(behaviour::LSF_PUB, story.now(), range, court, acceptor);
        story.put(fact);
        story.on(stopped.plus(30));
        let fact = bill.ask(behaviour::LSF_CLM, story.now(), range, payee, court);
        story.put(fact);
    }
    story.paid(&mut bill, payee);
}

/// A bill refused at its due date, with its holder.
fn refused(story: &mut Story) -> (Bill, Party) {
    let (mut bill, payee) = plain(story, 30);
    let range = bill.whole();
    let presentation = story.presented(&mut bill, payee);
    let fact = bill.refuse_payment(story.now(), range, payee, presentation, "DC00");
    story.put(fact);
    (bill, payee)
}

/// Cash comes on the sixth business day after the agreement; the miss: on the fifth.
fn agreed_and_not_paid(story: &mut Story) {
    let (mut bill, payee) = refused(story);
    let (range, drawer) = (bill.whole(), bill.drawer);
    story.on(story.business_day(story.today(), 2));
    let fact = bill.recourse_notice(story.now(), range, payee, drawer);
    story.put(fact);
    story.wait(30);
    let fact = bill.offer_settlement(story.now(), range, drawer, payee);
    let offer = story.put(fact);
    story.wait(5);
    let fact = bill.agree_settlement(story.now(), range, payee, drawer, offer);
    story.put(fact);
    let agreed = story.today();
    let limit = story.business_day(agreed, 5);
    story.label(bill.id, limit, "paid on business day 6; miss: on business day 5");
    story.on(story.business_day(agreed, story.either(6, 5)));
    let fact = bill.settle_recourse(story.now(), range, payee, drawer, offer);
    story.put(fact);
}

/// First notice 166 days after the refusal; the miss: 165, the day of the warning.
fn recourse_lapses(story: &mut Story) {
    let (mut bill, payee) = refused(story);
    let limit = story.today().plus(165);
    story.label(bill.id, limit, "no notice by day 165; miss: notice on day 165");
    story.on(limit.plus(story.either(1, 0)));
    let drawer = bill.drawer;
    let fact = bill.recourse_notice(story.now(), bill.whole(), payee, drawer);
    story.put(fact);
}

/// The cut-off of a day, and the millisecond after it when `late`.
fn cut_off(day: Day, late: bool) -> i64 {
    day.start_ms() + 17 * 3_600_000 + i64::from(late)
}

/// Bought back a millisecond after 17:00; the miss: at 17:00. Of two bills one is out, so that the leverage is low (P058).
fn redeemed_too_late(story: &mut Story) {
    let (seller, buyer) = (story.member(205), story.member(206));
    let mut bills = Vec::new();
    for _ in 0..2 {
        story.on(story.begin);
        let parties = (story.company(), story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, 2 * MILLION, parties, 150);
        story.received(&mut bill);
        story.on(story.business_day(story.begin, 1));
        story.discount(&mut bill, parties.2, seller, FAIR_RATE);
        bills.push(bill);
    }
    // Pledged repo, and buyout repo once.
    let [quoted, agreed, struck, settled, redeemed] = if story.variant == 1 {
        [behaviour::BRP_QTE, behaviour::BRP_QAC, behaviour::BRP_DEL, behaviour::BRP_SET, behaviour::BRP_RED]
    } else {
        [behaviour::RPO_QTE, behaviour::RPO_QAC, behaviour::RPO_DEL, behaviour::RPO_SET, behaviour::RPO_RED]
    };
    let day = story.business_day(story.begin, 3);
    story.on(day);
    let redeem = story.business_day(day, 2);
    story.trade.deals += 1;
    let out = &mut bills[0];
    let first = out.face_fen / 10 * 9;
    let days = i64::from(redeem.0 - day.0);
    let deal = Deal::repo(story.trade.deals, out.whole(), (seller, buyer), 16_000, first, days, day);
    let fact = out.quote(quoted, story.now(), &deal);
    let request = story.put(fact);
    story.wait(5);
    let fact = out.accept_quote(agreed, story.now(), request, &deal);
    story.put(fact);
    story.wait(1);
    let fact = out.strike(struck, story.now(), request, &deal);
    story.put(fact);
    story.wait(5);
    let fact = out.settle(settled, story.now(), request, &deal);
    let first_leg = story.put(fact);
    story.label(deal.id(), redeem, "bought back a millisecond after 17:00; miss: at 17:00");
    // Two of the late ones have failed before: the pledged repo is made good as overdue, the buyout never is.
    let mut holder = seller;
    let fails = match (story.positive, story.variant) {
        (true, 1) => Some(behaviour::BRP_RDF),
        (true, 2) => Some(behaviour::RPO_RDF),
        _ => None,
    };
    if let Some(behaviour) = fails {
        let mut fact = out.redeem(behaviour, cut_off(redeem, false), first_leg, &deal);
        fact.set(Field::SettlementResult, Value::Code(Code::of("FAIL_CASH")));
        story.put(fact);
    }
    if fails == Some(behaviour::BRP_RDF) {
        holder = buyer;
    } else {
        let behaviour = if fails.is_some() { behaviour::RPO_ORD } else { redeemed };
        let fact = out.redeem(behaviour, cut_off(redeem, story.positive), first_leg, &deal);
        story.put(fact);
    }
    for (nth, bill) in bills.iter_mut().enumerate() {
        story.paid(bill, if nth == 0 { holder } else { seller });
    }
}

/// A sale settled, or failed, a millisecond after 17:00 of its settlement date; the miss: at 17:00.
fn settled_too_late(story: &mut Story) {
    let (seller, buyer) = (story.member(205), story.member(206));
    let (mut bill, payee) = plain(story, 150);
    story.on(story.business_day(story.begin, 1));
    story.discount(&mut bill, payee, seller, FAIR_RATE);
    let traded = story.business_day(story.begin, 3);
    story.on(traded);
    // T+1 once: the settlement date counts, not the day of the deal.
    let settle = if story.variant == 1 { story.business_day(traded, 1) } else { traded };
    story.trade.deals += 1;
    let deal = Deal::outright(story.trade.deals, &bill, bill.whole(), (seller, buyer), FAIR_RATE, settle);
    let request = story.struck(&mut bill, &deal);
    story.label(deal.id(), settle, "settled or failed a millisecond after 17:00; miss: at 17:00");
    let at = cut_off(settle, story.positive);
    let fails = story.variant == 2;
    let fact = if fails {
        bill.fail(behaviour::IBT_FLD, at, request, &deal)
    } else {
        bill.settle(behaviour::IBT_SET, at, request, &deal)
    };
    story.put(fact);
    story.paid(&mut bill, if fails { seller } else { buyer });
}
