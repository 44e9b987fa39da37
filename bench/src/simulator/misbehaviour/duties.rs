//! Cases of duties broken by acceptors, discounters and presenters: P002, P005, P006, P007, P008, P016, P020, P189.

use billwatch_market::fact::{Behaviour, Field, Value, behaviour};
use billwatch_market::ids::{Day, PartyId};

use super::bursts::stocked;
use super::{Injector, light};
use crate::simulator::deals::Deal;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P002", own_bill_of_a_group),
    light("P005", accepts_after_default),
    light("P006", accepts_while_suspended),
    light("P007", takes_a_listed_acceptor),
    light("P008", undisclosed),
    light("P016", endorsed_and_discounted),
    light("P020", early_and_again),
    light("P189", parked_over_the_quarter),
];

/// A commercial bill of its own acceptor, received by a company.
fn commercial(story: &mut Story, acceptor: Party, tenor: i32) -> (Bill, Party) {
    let payee = story.company();
    let mut bill = story.bill(Kind::Commercial, 100_000 * CNY, (acceptor, acceptor, payee), tenor);
    story.received(&mut bill);
    (bill, payee)
}

/// A notice about an acceptor by the disclosure platform.
fn notice(story: &mut Story, behaviour: Behaviour, at: i64, acceptor: Party, from: Day) {
    let draft = story.trade.registry.draft(behaviour, at).from(Party::SYSTEM).to(acceptor);
    let draft = draft.value(Field::AcceptorId, Value::Party(acceptor.id)).date(Field::FromDate, from);
    let draft = if behaviour == behaviour::DIS_PSL {
        let (year, month, _) = from.ymd();
        draft.text(Field::PeriodMonth, format!("{year:04}-{month:02}")).int(Field::OverdueBalFen, MILLION)
    } else {
        draft
    };
    story.put(draft.done());
}

/// Drawn, accepted and discounted inside one group; the miss: the payee is of another group.
fn own_bill_of_a_group(story: &mut Story) {
    let number = 900_000 + story.begin.0 as u64 % 10_000 * 6 + story.variant as u64 * 2;
    let own = PartyId::group(number);
    let of_payee = story.either(own, PartyId::group(number + 1));
    let drawer = story.company_with(|company| company.group = Some(own));
    let payee = story.company_with(|company| company.group = Some(of_payee));
    let mut bill = story.bill(Kind::Commercial, 100_000 * CNY, (drawer, drawer, payee), 150);
    story.received(&mut bill);
    let day = story.business_day(story.begin, 10);
    story.on(day);
    let bank = story.house_bank(1);
    story.discount(&mut bill, payee, bank, 4 * FAIR_RATE);
    story.label(drawer.id, day, "drawer accepts, payee of its group discounts; miss: payee of another group");
    story.paid(&mut bill, bank);
}

/// A new bill on the business day after a refusal; the miss: on the same day, after an excused refusal, or after payment.
fn accepts_after_default(story: &mut Story) {
    let acceptor = story.company();
    let (mut bill, payee) = commercial(story, acceptor, 30);
    let presentation = story.presented(&mut bill, payee);
    let excused = !story.positive && story.variant == 1;
    let reason = if excused { "DC06" } else { "DC08" };
    let paid = !story.positive && story.variant == 2;
    if paid {
        let fact = bill.refuse_payment(story.now(), bill.whole(), payee, presentation, reason);
        story.put(fact);
    } else {
        story.refused(&mut bill, payee, presentation, reason);
    }
    story.wait(5);
    if paid {
        let fact = bill.present(story.now(), bill.whole(), payee);
        let again = story.put(fact);
        story.wait(5);
        story.honoured(&mut bill, payee, again);
    }
    if story.positive || story.variant != 0 {
        story.on(story.business_day(story.today(), 1));
    }
    let other = story.company();
    let mut next = story.bill(Kind::Commercial, 100_000 * CNY, (acceptor, acceptor, other), 90);
    story.accepted(&mut next);
    story.label(acceptor.id, next.issue, "accepts a day after its default; miss: same day, excused, or paid");
    story.unused(&mut next);
}

/// Accepts on the first day of its suspension; the miss: a day before.
fn accepts_while_suspended(story: &mut Story) {
    let acceptor = story.company();
    let day = story.business_day(story.begin, 2);
    let at = story.reference_time() + 30;
    notice(story, behaviour::DIS_SUS, at, acceptor, day.plus(story.either(0, 1)));
    story.on(day);
    let payee = story.company();
    let mut bill = story.bill(Kind::Commercial, 100_000 * CNY, (acceptor, acceptor, payee), 90);
    story.accepted(&mut bill);
    story.label(acceptor.id, day, "accepts on the first day of the suspension; miss: the day before");
    story.unused(&mut bill);
}

/// Discount, pledge or guarantee of a bill of a persistently overdue acceptor; the miss: restored in the meantime.
fn takes_a_listed_acceptor(story: &mut Story) {
    let acceptor = story.company();
    let (at, from) = (story.reference_time() + 30, story.begin);
    notice(story, behaviour::DIS_PSL, at, acceptor, from);
    let (mut bill, payee) = commercial(story, acceptor, 120);
    let day = story.business_day(story.begin, 10);
    if !story.positive {
        notice(story, behaviour::DIS_RST, day.start_ms() + 1, acceptor, day);
    }
    story.on(day);
    let (bank, range) = (story.member(205), bill.whole());
    let note = "listed acceptor's bill taken; miss: restored on that day";
    if story.variant == 0 {
        story.discount(&mut bill, payee, bank, 4 * FAIR_RATE);
        story.label(bank.id, day, note);
        return story.paid(&mut bill, bank);
    }
    let pledge = [behaviour::PLG_REQ, behaviour::PLG_SGN];
    let guarantee = [behaviour::GUE_REQ, behaviour::GUE_SGN];
    let [asked, signed] = if story.variant == 1 { pledge } else { guarantee };
    let fact = bill.ask(asked, story.now(), range, payee, bank);
    let request = story.put(fact);
    story.wait(5);
    let fact = bill.agree(signed, story.now(), range, bank, payee, request);
    story.put(fact);
    story.label(bank.id, day, note);
    let holder = if story.variant == 1 { bank } else { payee };
    story.paid(&mut bill, holder);
}

/// Discounted without a disclosure, or with one that is a fen off; the miss: disclosed as it is.
fn undisclosed(story: &mut Story) {
    let (acceptor, payee, bank) = (story.company(), story.company(), story.member(205));
    let mut bill = story.bill(Kind::Commercial, 100_000 * CNY, (acceptor, acceptor, payee), 120);
    let request = story.issued(&mut bill);
    story.signed(&mut bill, request, 0, false);
    if !story.positive || story.variant > 0 {
        let mut fact = bill.disclose(story.now() + 30_000);
        if story.positive {
            fact.set(Field::FaceFen, Value::Int(bill.face_fen - 1));
        }
        story.put(fact);
    }
    story.taken(&mut bill);
    let day = story.business_day(story.begin, 10);
    story.on(day);
    story.discount(&mut bill, payee, bank, 4 * FAIR_RATE);
    story.label(bank.id, day, "no disclosure, or a fen off; miss: disclosed as it is");
    story.paid(&mut bill, bank);
}

/// Five bills endorsed to and discounted by a company on one day each, within 30 days; the miss: four, the first a day too
/// early, or the first endorsed a day before its discount.
fn endorsed_and_discounted(story: &mut Story) {
    let shell = story.company();
    let miss = |variant| !story.positive && story.variant == variant;
    let (few, early, slow) = (miss(0), miss(1), miss(2));
    let (first, last) = story.days_apart(story.business_day(story.begin, 2), if early { 30 } else { 29 });
    let bank = story.house_bank(1);
    let mut bills = Vec::new();
    for nth in 0..if few { 4 } else { 5 } {
        let day = if nth == 0 { first } else { last };
        story.on(story.begin);
        let parties = (story.company(), story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, 150);
        story.received(&mut bill);
        story.on(if nth == 0 && slow { story.begin.plus(1) } else { day });
        story.wait(30 * nth);
        story.endorse(&mut bill, parties.2, shell);
        story.on(day);
        story.wait(30 * nth + 10);
        story.discount(&mut bill, shell, bank, FAIR_RATE);
        bills.push(bill);
    }
    let note = "5 endorsed and discounted the same day in 30 days; miss: 4, day 31, or endorsed a day before";
    story.label(shell.id, last, note);
    for bill in &mut bills {
        story.paid(bill, bank);
    }
}

/// Refused three times before the due date; the miss: twice.
fn early_and_again(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, 60);
    story.received(&mut bill);
    let (range, acceptor) = (bill.whole(), bill.acceptor);
    for nth in 1..=story.either(3, 2) {
        story.on(story.business_day(story.begin, nth));
        let fact = bill.ask(behaviour::PAY_ERQ, story.now(), range, parties.2, acceptor);
        let request = story.put(fact);
        story.wait(5);
        let refusal = bill.act(behaviour::PAY_ERJ, story.now(), range, acceptor, parties.2).answers(request);
        story.put(refusal.code(Field::AnswerCode, "SU01").code(Field::DishonourReason, "DC07").done());
    }
    story.label(parties.2.id, story.today(), "refused early three times; miss: twice");
    story.paid(&mut bill, parties.2);
}

/// 500,000,000 CNY on buyout repo from the fifth last business day of a quarter to the tenth of the next; the miss: a
/// business day earlier, a business day longer, or a fen less.
fn parked_over_the_quarter(story: &mut Story) {
    let miss = |variant| !story.positive && story.variant == variant;
    let (early, long, less) = (miss(0), miss(1), miss(2));
    let enough = story.business_day(story.begin, 7);
    let mut end = story.begin.month_start();
    let sold = loop {
        end = end.add_months(1);
        let (_, month, _) = end.ymd();
        if month % 3 != 1 {
            continue;
        }
        let mut day = end;
        let mut left = if early { 6 } else { 5 };
        while left > 0 {
            day = day.plus(-1);
            left -= i32::from(story.trade.calendar.is_business_day(day));
        }
        if day > enough {
            break day;
        }
    };
    let redeem = story.business_day(end.plus(-1), if long { 11 } else { 10 });
    let (seller, buyer) = (story.member(205), story.member(206));
    let face = if less { 500 * MILLION - 1 } else { 500 * MILLION };
    let parties = (story.company(), story.acceptor_of(face, 0), story.company());
    let mut bill = story.bill(Kind::Bank, face, parties, 180);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 2));
    story.discount(&mut bill, parties.2, seller, FAIR_RATE);
    // With this in its book the seller is not all out on repo (P058).
    let mut rest = stocked(story, seller, 130 * MILLION, story.business_day(story.begin, 2));
    story.paid(&mut rest, seller);
    story.on(sold);
    story.trade.deals += 1;
    let days = i64::from(redeem.0 - sold.0);
    let (number, range) = (story.trade.deals, bill.whole());
    let deal = Deal::repo(number, range, (seller, buyer), 16_000, face / 10 * 9, days, sold);
    let fact = bill.quote(behaviour::BRP_QTE, story.now(), &deal);
    let request = story.put(fact);
    story.wait(5);
    let fact = bill.accept_quote(behaviour::BRP_QAC, story.now(), request, &deal);
    story.put(fact);
    story.wait(1);
    let fact = bill.strike(behaviour::BRP_DEL, story.now(), request, &deal);
    story.put(fact);
    story.wait(5);
    let fact = bill.settle(behaviour::BRP_SET, story.now(), request, &deal);
    let first_leg = story.put(fact);
    let note = "parked from the 5th last business day to the 10th of the next quarter; miss: 6th, 11th, or a fen less";
    story.label(seller.id, sold, note);
    story.on(redeem);
    let fact = bill.redeem(behaviour::BRP_RED, story.now(), first_leg, &deal);
    story.put(fact);
    story.paid(&mut bill, seller);
}
