//! Cases of windowed thresholds, second part: P022, P027, P028, P031, P032, P033, P035, P037, P038, P039, P042, P043, P045,
//! P047, P191, P193.

use billwatch_market::fact::{Behaviour, EventId, Field, Range, Source, Value, behaviour};
use billwatch_market::ids::{Day, PartyId};

use super::{Injector, heavy, light};
use crate::simulator::draft::{Draft, Party};
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P022", split_issuance),
    light("P027", overdue_acceptor),
    light("P028", overdue_for_months),
    light("P031", after_hours),
    light("P032", many_lots),
    light("P033", probing),
    light("P035", sleeper),
    light("P037", cancelled_quotes),
    light("P038", failed_settlements),
    light("P039", flipped_today),
    light("P042", changed_company),
    heavy("P043", new_payees),
    light("P045", guarantees),
    light("P047", late_acceptances),
    light("P191", clearing_failures),
    light("P193", group_round),
];

/// Three bills of 8,000,000 to 10,000,000 CNY less a fen within a day; the miss: one a fen too small, a day later, or for
/// another payee.
fn split_issuance(story: &mut Story) {
    let (drawer, bank, payee, other) = (story.company(), story.house_bank(0), story.company(), story.company());
    let miss = (!story.positive).then_some(story.variant);
    for nth in 0..3 {
        if nth == 2 && miss == Some(1) {
            story.on(story.begin.plus(1));
            story.wait(60);
        }
        let face = match nth {
            1 => 10 * MILLION - 1,
            2 if miss == Some(0) => 8 * MILLION - 1,
            _ => 8 * MILLION,
        };
        let to = if nth == 2 && miss == Some(2) { other } else { payee };
        let mut bill = story.bill(Kind::Bank, face, (drawer, bank, to), 180);
        story.accepted(&mut bill);
        story.unused(&mut bill);
        story.wait(5);
    }
    story.label(drawer.id, story.begin.plus(i32::from(miss == Some(1))), "3 bills just below 10,000,000 CNY in a day");
}

/// A commercial bill that its acceptor does not pay on its due date.
fn dishonoured(story: &mut Story, acceptor: Party, due: Day, reason: &str) -> (Bill, Party) {
    story.on(due.plus(-28));
    let payee = story.company();
    let mut bill = story.bill_due(Kind::Commercial, 100_000 * CNY, (acceptor, acceptor, payee), due);
    story.received(&mut bill);
    let presentation = story.presented(&mut bill, payee);
    let whole = bill.whole();
    let fact = bill.refuse_payment(story.now(), whole, payee, presentation, reason);
    story.put(fact);
    (bill, payee)
}

/// Three overdue bills in six calendar months; the miss: two, the first in the seventh month back, or a disputed one.
fn overdue_acceptor(story: &mut Story) {
    let acceptor = story.company();
    let miss = (!story.positive).then_some(story.variant);
    let first = story.business_day(story.begin.plus(28), 1);
    let months = if miss == Some(1) { 6 } else { 5 };
    let last = story.business_day(first.month_start().add_months(months).plus(9), 1);
    let mut open = vec![dishonoured(story, acceptor, first, "DC08")];
    let second = story.business_day(first.plus(20), 1);
    if miss != Some(0) {
        open.push(dishonoured(story, acceptor, second, if miss == Some(2) { "DC01" } else { "DC08" }));
    }
    open.push(dishonoured(story, acceptor, last, "DC08"));
    for (bill, payee) in &mut open {
        story.recovered(bill, *payee, last.month_end().plus(10));
    }
    story.label(acceptor.id, last.month_end(), "3 overdue bills in 6 months; miss: 2, 7 months, or one disputed");
}

/// Overdue for three month ends; the miss: the third bill a month later, two bills, or all paid after one month.
fn overdue_for_months(story: &mut Story) {
    let acceptor = story.company();
    let miss = (!story.positive).then_some(story.variant);
    let first = story.business_day(story.begin.plus(28).month_end(), 1);
    let bills = if miss == Some(1) { 2 } else { 3 };
    let mut open = Vec::new();
    for nth in 0..bills {
        let later = if nth == 2 && miss == Some(0) { 31 } else { 0 };
        let due = story.business_day(first.plus(later), nth as u32);
        open.push(dishonoured(story, acceptor, due, "DC08"));
    }
    if miss == Some(2) {
        let day = story.business_day(first.month_end().plus(5), 1);
        for (bill, payee) in &mut open {
            story.on(day);
            let whole = bill.whole();
            let fact = bill.present(story.now(), whole, *payee);
            let presentation = story.put(fact);
            story.wait(5);
            story.honoured(bill, *payee, presentation);
        }
    }
    let end = first.month_start().add_months(2).month_end();
    if miss != Some(2) {
        for (bill, payee) in &mut open {
            story.recovered(bill, *payee, end.plus(10));
        }
    }
    story.label(acceptor.id, end, "overdue at three month ends; miss: at two, with two bills, or paid after one");
}

/// A bank signs a minute after 21:00 or before 08:00, or on a day off; the miss: at 21:00, at 08:00, or a company does.
fn after_hours(story: &mut Story) {
    let bank = story.member(205);
    let signs = if !story.positive && story.variant == 2 { story.company() } else { bank };
    let kind = if signs.id == bank.id { Kind::Bank } else { Kind::Commercial };
    let mut day = story.begin;
    if story.positive && story.variant == 2 {
        while story.trade.calendar.is_business_day(day) {
            day = day.plus(1);
        }
    }
    let minute = match (story.positive, story.variant) {
        (true, 0) => 21 * 60 + 1,
        (true, 1) => 8 * 60 - 1,
        (true, _) => 12 * 60,
        (false, 0) => 21 * 60,
        (false, 1) => 8 * 60,
        (false, _) => 22 * 60,
    };
    let parties = (if kind == Kind::Bank { story.company() } else { signs }, signs, story.company());
    // ACC.SGN comes two minutes after ISS.REG.
    story.at(day.start_ms() + (minute - 2) * 60_000);
    let mut bill = story.bill(kind, MILLION, parties, 120);
    story.accepted(&mut bill);
    story.label(signs.id, day, "signed at 21:01, 07:59 or on a day off; miss: 21:00, 08:00, or by a company");
    story.unused(&mut bill);
}

/// Part by part of a package goes to one endorsee.
fn endorse_parts(story: &mut Story, bill: &mut Bill, from: Party, parts: u64, fen: u64) {
    let to = story.company();
    for nth in 0..parts {
        let range = Range { start: 1 + nth * fen, end: (nth + 1) * fen };
        let fact = bill.ask(behaviour::END_REQ, story.now(), range, from, to);
        let request = story.put(fact);
        story.wait(1);
        let fact = bill.agree(behaviour::END_SGN, story.now(), range, to, from, request);
        story.put(fact);
    }
}

/// 50 lots, all but one below 100 CNY, or 200 lots; the miss: 49, 199, or lots of 100 CNY.
fn many_lots(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, MILLION, parties, 180);
    story.received(&mut bill);
    let (parts, fen) = match (story.positive, story.variant) {
        (true, 1) => (199, 10_000),
        (true, _) => (49, 9_999),
        (false, 0) => (48, 9_999),
        (false, 1) => (198, 10_000),
        (false, _) => (49, 10_000),
    };
    endorse_parts(story, &mut bill, parties.2, parts, fen);
    story.label(bill.id, story.begin, "200 lots, or 50 with 49 tiny ones; miss: a lot less, or lots of 100 CNY");
}

/// Five parts of one CNY at most within a day; the miss: four, one of 101 fen, or the last a day later.
fn probing(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let (holder, to) = (parties.2, story.company());
    let mut bill = story.bill(Kind::Bank, MILLION, parties, 180);
    story.received(&mut bill);
    let miss = (!story.positive).then_some(story.variant);
    let parts = if miss == Some(0) { 4 } else { 5 };
    let mut day = story.begin;
    for nth in 0..parts {
        if nth == 4 && miss == Some(2) {
            day = story.begin.plus(1);
            story.on(day);
            story.wait(60);
        }
        let fen = if nth == 0 && miss == Some(1) { 101 } else { 100 };
        let start = 1 + nth * 1_000;
        let fact = bill.ask(behaviour::END_REQ, story.now(), Range { start, end: start + fen - 1 }, holder, to);
        let request = story.put(fact);
        story.wait(2);
        let fact =
            bill.agree(behaviour::END_SGN, story.now(), Range { start, end: start + fen - 1 }, to, holder, request);
        story.put(fact);
        story.wait(2);
    }
    story.label(holder.id, day, "5 parts of 1 CNY in a day; miss: 4, one of 1.01 CNY, or the last a day later");
}

/// Nothing for 180 days, then 10,000,000 CNY in 14; the miss: 179 days, a fen less, or never active before.
fn sleeper(story: &mut Story) {
    let (drawer, bank, payee) = (story.company(), story.house_bank(0), story.company());
    let miss = (!story.positive).then_some(story.variant);
    let wakes = story.begin.plus(if miss == Some(0) { 179 } else { 180 });
    let last = wakes.plus(13);
    let mut days = vec![(wakes, 5 * MILLION), (last, 5 * MILLION - i64::from(miss == Some(1)))];
    if miss != Some(2) {
        days.insert(0, (story.begin, 10_000 * CNY));
    }
    for (day, face) in days {
        story.on(day);
        let mut bill = story.bill(Kind::Bank, face, (drawer, bank, payee), 120);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(drawer.id, last, "10,000,000 CNY in 14 days after 180 quiet ones; miss: 179, a fen less, or new");
}

/// A bill that a member has discounted and can sell.
pub(super) fn stocked(story: &mut Story, owner: Party, face: i64, day: Day) -> Bill {
    stocked_until(story, owner, face, day, 180)
}

/// The same, due so many days later.
pub(super) fn stocked_until(story: &mut Story, owner: Party, face: i64, day: Day, tenor: i32) -> Bill {
    let parties = (story.company(), story.acceptor_of(face, 1), story.company());
    story.on(day);
    let mut bill = story.bill(Kind::Bank, face, parties, tenor);
    story.received(&mut bill);
    story.discount(&mut bill, parties.2, owner, FAIR_RATE);
    bill
}

/// An order without a bill, on the trading system, or its withdrawal.
fn order(story: &mut Story, kind: Behaviour, by: Party, nth: i64, withdrawn: Option<EventId>) -> EventId {
    let now = story.now();
    let draft = story
        .trade
        .registry
        .draft(kind, now)
        .from(by)
        .int(Field::AmountFen, MILLION)
        .int(Field::RateE4, FAIR_RATE)
        .text(Field::DealId, format!("Q{}-{nth}", by.id.number()))
        .int(Field::RepoDays, 7)
        .code(Field::Side, "RS");
    let mut fact = withdrawn.into_iter().fold(draft, Draft::answers).done();
    fact.source = Source::Cpes;
    story.put(fact)
}

/// 20 of 25 orders cancelled and a purchase ten minutes later; the miss: after eleven, of 26, or 19 of 19.
fn cancelled_quotes(story: &mut Story) {
    let (bank, seller) = (story.member(205), story.member(206));
    let (quotes, cancels, after) = match (story.positive, story.variant) {
        (true, _) => (25, 20, 10),
        (false, 0) => (25, 20, 11),
        (false, 1) => (26, 20, 10),
        (false, _) => (19, 19, 10),
    };
    let mut bill = stocked(story, seller, MILLION, story.begin);
    let day = story.business_day(story.begin, 1);
    story.on(day);
    let orders: Vec<_> = (0..quotes).map(|nth| order(story, behaviour::RPO_ANS, bank, nth, None)).collect();
    for (nth, placed) in (0..cancels).zip(orders) {
        order(story, behaviour::RPO_ANX, bank, nth, Some(placed));
    }
    // IBT.DEL comes two minutes after the quote.
    story.wait(after - 2);
    let deal = story.deal(&bill, seller, bank, FAIR_RATE);
    story.sell(&mut bill, &deal);
    story.label(bank.id, day, "20 of 25 orders cancelled, 10 minutes before a purchase; miss: 11, of 26, or 19");
}

/// Three purchases that fail for want of cash in 5 days; the miss: two, the first a day too early, or one by another.
fn failed_settlements(story: &mut Story) {
    let (bank, other, seller) = (story.member(205), story.member(206), story.member(203));
    let miss = (!story.positive).then_some(story.variant);
    let apart = if miss == Some(1) { 5 } else { 4 };
    let (first, last) = story.days_apart(story.business_day(story.begin, 1), apart);
    let failures = if miss == Some(0) { 2 } else { 3 };
    for nth in 0..failures {
        let mut bill = stocked(story, seller, MILLION, story.begin);
        story.on(if nth == 0 { first } else { last });
        story.wait(10 * nth);
        let buyer = if nth == 1 && miss == Some(2) { other } else { bank };
        let deal = story.deal(&bill, seller, buyer, FAIR_RATE);
        let request = story.struck(&mut bill, &deal);
        let fact = bill.fail(behaviour::IBT_FLD, story.now(), request, &deal);
        story.put(fact);
    }
    story.label(bank.id, last, "3 failed settlements in 5 days; miss: 2, the first on day 6, or one by another");
}

/// 500,000,000 CNY bought and sold on one day, half of what was bought; the miss: a fen less, a fen more kept, or sold the
/// next day.
fn flipped_today(story: &mut Story) {
    let (bank, seller, buyer) = (story.member(205), story.member(206), story.member(203));
    let miss = (!story.positive).then_some(story.variant);
    let flipped = 500 * MILLION - i64::from(miss == Some(0));
    let kept = if miss == Some(0) { MILLION } else { 500 * MILLION + i64::from(miss == Some(1)) };
    let mut first = stocked(story, seller, flipped, story.begin);
    let mut second = stocked(story, seller, kept, story.begin);
    let day = story.business_day(story.begin, 1);
    story.on(day);
    for bill in [&mut first, &mut second] {
        let deal = story.deal(bill, seller, bank, FAIR_RATE);
        story.sell(bill, &deal);
    }
    if miss == Some(2) {
        story.on(story.business_day(day, 1));
    }
    story.wait(60);
    let deal = story.deal(&first, bank, buyer, FAIR_RATE);
    story.sell(&mut first, &deal);
    story.label(bank.id, day, "500,000,000 CNY flipped, half of the purchases; miss: a fen, or the next day");
}

/// A new representative or certificate, and 10,000,000 CNY on the 15th day; the miss: a fen less, the 16th day, or a
/// change that hides nobody.
fn changed_company(story: &mut Story) {
    let (drawer, bank, payee) = (story.company(), story.house_bank(0), story.company());
    let miss = (!story.positive).then_some(story.variant);
    let day = story.begin.plus(if miss == Some(1) { 15 } else { 14 });
    let now = story.now();
    let registry = &mut story.trade.registry;
    let fact = if story.positive && story.variant == 1 {
        let draft = registry.draft(behaviour::MST_CRT, now).from(bank).to(drawer);
        draft.value(Field::EntId, Value::Party(drawer.id)).text(Field::CertId, "00000000cafe0002").done()
    } else {
        let (field, value) = if miss == Some(2) { ("employees", "80") } else { ("legal_rep_id", "N0000099999") };
        let draft = registry.draft(behaviour::MST_ENC, now).from(bank).value(Field::EntId, Value::Party(drawer.id));
        draft.text(Field::FieldName, field).text(Field::NewValue, value).done()
    };
    story.put(fact);
    story.on(day);
    let face = 10 * MILLION - i64::from(miss == Some(0));
    let mut bill = story.bill(Kind::Bank, face, (drawer, bank, payee), 120);
    story.accepted(&mut bill);
    story.label(drawer.id, day, "10,000,000 CNY in 15 days after a change; miss: a fen less, day 16, or the staff");
    story.unused(&mut bill);
}

/// Fifty payees on a day that the drawer never paid; the miss: one of them was paid before.
fn new_payees(story: &mut Story) {
    let (drawer, bank) = (story.company(), story.house_bank(0));
    let payees: Vec<Party> = (0..50).map(|_| story.company()).collect();
    let day = story.begin.plus(7);
    let known = usize::from(!story.positive);
    for (day, payees) in [(story.begin, &payees[..known]), (day, &payees[..])] {
        story.on(day);
        for payee in payees {
            let mut bill = story.bill(Kind::Bank, 10_000 * CNY, (drawer, bank, *payee), 120);
            story.accepted(&mut bill);
            story.unused(&mut bill);
            story.wait(3);
        }
    }
    story.label(drawer.id, day, "50 new payees on a day; miss: 49");
}

/// Guarantees for half of the guarantor's net assets in 90 days; the miss: a fen less, more net assets, or the first on day
/// 91.
fn guarantees(story: &mut Story) {
    let guarantor = story.company();
    let miss = (!story.positive).then_some(story.variant);
    story.net_assets(guarantor, 20 * MILLION + if miss == Some(1) { 2 } else { 0 });
    let first = story.begin.plus(1);
    let last = first.plus(if miss == Some(2) { 90 } else { 89 });
    for (day, fen) in [(first, 6 * MILLION), (last, 4 * MILLION - i64::from(miss == Some(0)))] {
        story.on(day.plus(-1));
        let parties = (story.company(), story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, 8 * MILLION, parties, 120);
        story.received(&mut bill);
        story.on(day);
        let (whole, holder) = (bill.whole(), parties.2);
        let draft = bill.act(behaviour::GUE_REQ, story.now(), whole, holder, guarantor);
        let request = story.put(draft.int(Field::GuaranteeFen, fen).done());
        story.wait(2);
        let draft = bill.act(behaviour::GUE_SGN, story.now(), whole, guarantor, holder).answers(request);
        story.put(draft.code(Field::AnswerCode, "SU00").int(Field::GuaranteeFen, fen).done());
        story.paid(&mut bill, holder);
    }
    story.label(guarantor.id, last, "guarantees for half of net assets in 90 days; miss: a fen, or 91 days");
}

/// Half of a bank's 200,000,000 CNY accepted from 17:00 on; the miss: a fen less late, a fen more early, or at 16:59.
fn late_acceptances(story: &mut Story) {
    let bank = story.member(205);
    let miss = (!story.positive).then_some(story.variant);
    let late = 100 * MILLION - i64::from(miss == Some(0));
    let early = if miss == Some(0) { MILLION } else { 100 * MILLION + i64::from(miss == Some(1)) };
    let minute = if miss == Some(2) { 17 * 60 - 1 } else { 17 * 60 };
    for (minute, face) in [(11 * 60, early), (minute, late)] {
        // ACC.SGN comes two minutes after ISS.REG.
        story.at(story.begin.start_ms() + (minute - 2) * 60_000);
        let parties = (story.company(), bank, story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 120);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(bank.id, story.begin, "half of 200,000,000 CNY from 17:00 on; miss: a fen, or 16:59");
}

/// A bank cannot pay its bill, or three wait for more than an hour; the miss: a finance company, one for an hour, or two.
fn clearing_failures(story: &mut Story) {
    let fails = story.variant == 0;
    let acceptor = if fails && !story.positive { story.member(301) } else { story.member(205) };
    let kind = if fails && !story.positive { Kind::Finance } else { Kind::Bank };
    let bills = match (story.positive, story.variant) {
        (_, 0) => 1,
        (false, 2) => 2,
        _ => 3,
    };
    let due = story.business_day(story.begin.plus(30), 1);
    for nth in 0..bills {
        story.on(story.begin);
        let parties = (story.company(), acceptor, story.company());
        let mut bill = story.bill_due(kind, MILLION, parties, due);
        story.received(&mut bill);
        let (whole, holder) = (bill.whole(), parties.2);
        let presentation = story.presented(&mut bill, holder);
        if fails {
            let fact = bill.fail_payment(story.now(), whole, holder, presentation);
            story.put(fact);
            continue;
        }
        let fact = bill.agree_payment(story.now(), whole, holder, presentation);
        story.put(fact);
        story.wait(1);
        let fact = bill.queue_payment(story.now(), whole);
        story.put(fact);
        story.wait(if nth == 0 && !story.positive && story.variant == 1 { 60 } else { 61 });
        let fact = bill.pay(story.now(), whole, holder, presentation);
        story.put(fact);
    }
    story.label(acceptor.id, due, "a failed payment, or 3 that wait 61 minutes; miss: a finance company, 60, or 2");
}

/// A group's companies draw and discount 50,000,000 CNY on one day; the miss: a fen less, less than nine tenths, or the
/// day after.
fn group_round(story: &mut Story) {
    let first = story.company();
    let group = PartyId::group(600_000 + first.id.number() % 100_000);
    let mut member = || story.company_with(|company| company.group = Some(group));
    let (drawer, sister) = (member(), member());
    let miss = (!story.positive).then_some(story.variant);
    let discounted = match miss {
        Some(0) => 50 * MILLION - 1,
        Some(1) => 90 * MILLION - 1,
        _ => 90 * MILLION,
    };
    let accepted = if miss == Some(0) { 50 * MILLION } else { 100 * MILLION };
    let (bank, payee, discounter) = (story.acceptor_of(discounted + accepted, 0), story.company(), story.member(205));
    let mut old = story.bill(Kind::Bank, discounted, (sister, bank, payee), 120);
    story.received(&mut old);
    let day = story.business_day(story.begin, 1);
    story.on(day);
    let mut new = story.bill(Kind::Bank, accepted, (drawer, bank, first), 120);
    story.accepted(&mut new);
    story.unused(&mut new);
    if miss == Some(2) {
        story.on(story.business_day(day, 1));
    } else {
        story.on(day);
        story.wait(60);
    }
    story.discount(&mut old, payee, discounter, FAIR_RATE);
    story.paid(&mut old, discounter);
    story.label(group, day, "drawn and discounted nine to ten on one day; miss: a fen, or the next day");
}
