//! Cases of rates of the whole market: P133, P134, P135, P143. The alert is about the market on a day, so each case has days of its
//! own; and a class or a term in which there is hardly any other trade.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::{Code, Day, PartyId};

use super::scenery::{discount_paper, paper, place};
use super::{Injector, once};
use crate::simulator::deals::Deal;
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::reference::{REDISCOUNT_RATE, STRUCTURED_DEPOSIT_RATE};
use crate::simulator::story::{FAIR_RATE, MILLION, Story};
use crate::simulator::world::{PBOC, member};

pub(super) const CASES: &[Injector] = &[
    once("P133", below_deposits),
    once("P134", short_above_long),
    once("P135", discounted_below_sale),
    once("P143", below_rediscount),
];

/// Fifty discounts a day of ten days' bills, 5.01 bp below structured deposits on three business days; the miss: 5 bp on the third,
/// forty-nine on the second, or none on the first.
fn below_deposits(story: &mut Story) {
    let miss = (!story.positive).then_some(story.variant);
    let (acceptor, bank) = (story.member(206), story.member(205));
    let parties = (story.company(), acceptor, story.company());
    let first = nth_business_day(story, 5 * place(story));
    let below = STRUCTURED_DEPOSIT_RATE[0].1 - 501;
    let days: Vec<Day> = (0..3).map(|nth| if nth == 0 { first } else { story.business_day(first, nth) }).collect();
    for (nth, day) in days.iter().enumerate() {
        let count = match (miss, nth) {
            (Some(1), 1) => 49,
            (Some(2), 0) => 0,
            _ => 50,
        };
        let rate = if miss == Some(0) && nth == 2 { below + 1 } else { below };
        story.on(*day);
        for _ in 0..count {
            // So large that a stray discount of somebody else does not move the mean.
            let mut bill = paper(story, parties, 500 * MILLION, 10);
            discount_paper(story, &mut bill, bank, rate);
        }
    }
    let note = "50 discounts a day 5.01 bp below deposits, 3 days; miss: 5 bp, 49 on a day, or 2 days";
    story.label(PartyId::MARKET, days[2], note);
}

/// The n-th business day from the first month on in which no case begins any more.
fn nth_business_day(story: &mut Story, nth: usize) -> Day {
    let first = story.month(0);
    let first = story.trade.calendar.roll(first);
    if nth == 0 { first } else { story.business_day(first, nth as u32) }
}

/// A company whose bills are priced apart from all others: of a central SOE group, with a name like no other.
fn central_company(story: &mut Story) -> Party {
    story.shared(0, |story| {
        let company = story.company();
        let name = format!("{}矿务有限公司", ["潇湘", "漓沅", "澧涟", "泸沱"][company.id.number() as usize % 4]);
        for fact in &mut story.facts {
            if fact.behaviour == behaviour::MST_ENR {
                fact.set(Field::SpecialFlags, Value::Codes([Code::of("CSOE")].into()));
                fact.set(Field::Name, Value::Text(name.as_str().into()));
            }
        }
        vec![company]
    })[0]
}

/// A bill of a central company, discounted by a bank on the business day after this one.
fn central_bill(story: &mut Story, bank: Party, face: i64, issue: Day, due: Day) -> Bill {
    let acceptor = central_company(story);
    let payee = story.company();
    story.on(issue);
    let mut bill = story.bill_due(Kind::Commercial, face, (acceptor, acceptor, payee), due);
    story.received(&mut bill);
    story.on(story.business_day(issue, 1));
    story.discount(&mut bill, payee, bank, 2 * FAIR_RATE);
    bill
}

/// A bill goes there and back between two banks, so many times at this rate; its holder at the end.
fn sold(story: &mut Story, bill: &mut Bill, (seller, buyer): (Party, Party), times: usize, rate_e4: i64) -> Party {
    let (mut from, mut to) = (seller, buyer);
    for _ in 0..times {
        let deal = story.deal(bill, from, to, rate_e4);
        story.sell(bill, &deal);
        std::mem::swap(&mut from, &mut to);
    }
    from
}

/// Ten sales of a month's bill at 20.01 bp above ten of a six months' bill; the miss: 20 bp, nine short ones, or nine long ones.
fn short_above_long(story: &mut Story) {
    let miss = (!story.positive).then_some(story.variant);
    let sides = (story.member(205), story.member(206));
    let issue = nth_business_day(story, place(story));
    let day = story.business_day(issue, 2);
    let rate = 2 * FAIR_RATE;
    let above = if miss == Some(0) { 2_000 } else { 2_001 };
    let times = [if miss == Some(1) { 9 } else { 10 }, if miss == Some(2) { 9 } else { 10 }];
    for (nth, (tenor, rate)) in [(32, rate + above), (180, rate)].into_iter().enumerate() {
        let mut bill = central_bill(story, sides.0, MILLION, issue, issue.plus(tenor));
        story.on(day);
        let holder = sold(story, &mut bill, sides, times[nth], rate);
        story.paid(&mut bill, holder);
    }
    story.label(PartyId::MARKET, day, "a month 20.01 bp above six, ten deals each; miss: 20 bp, or nine deals");
}

/// On two business days ten discounts at 5.01 bp below ten sales; the miss: 5 bp on the second, nine sales on the first, or nine
/// discounts on the second.
fn discounted_below_sale(story: &mut Story) {
    let miss = (!story.positive).then_some(story.variant);
    let sides = (story.member(205), story.member(206));
    let (acceptor, payee) = (central_company(story), story.company());
    let issue = nth_business_day(story, 4 * place(story));
    let rate = 2 * FAIR_RATE;
    let due = story.trade.calendar.roll(issue.plus(92));
    let mut bill = central_bill(story, sides.0, MILLION, issue, due);
    let mut holder = sides.0;
    let days = [story.business_day(issue, 2), story.business_day(issue, 3)];
    for (nth, day) in days.into_iter().enumerate() {
        let discounts = if miss == Some(2) && nth == 1 { 9 } else { 10 };
        let below = if miss == Some(0) && nth == 1 { 500 } else { 501 };
        story.on(day);
        for _ in 0..discounts {
            let mut bill = paper(story, (acceptor, acceptor, payee), MILLION, due.0 - day.0);
            discount_paper(story, &mut bill, sides.1, rate - below);
        }
        let other = if holder == sides.0 { sides.1 } else { sides.0 };
        story.on(day);
        story.wait(60);
        holder = sold(story, &mut bill, (holder, other), if miss == Some(1) && nth == 0 { 9 } else { 10 }, rate);
    }
    story.label(PartyId::MARKET, days[1], "discounts 5.01 bp below sales on two days; miss: 5 bp, or nine of either");
    story.paid(&mut bill, holder);
}

/// In a month three tenths more than in the month before are rediscounted, while a bill is sold at 100.01 bp below the rediscount rate;
/// the miss: a fen less, 100 bp, or nothing in the month before. Each case has two months.
fn below_rediscount(story: &mut Story) {
    let miss = (!story.positive).then_some(story.variant);
    let (bank, buyer, pboc) = (story.member(205), story.member(206), member(PBOC, 1));
    let months = [0, 1].map(|nth| story.month(2 + 2 * place(story) as i32 + nth));
    let faces = [10 * MILLION, 13 * MILLION - i64::from(miss == Some(0))];
    for (month, face) in months.into_iter().zip(faces) {
        if miss == Some(2) && month == months[0] {
            continue;
        }
        let issue = story.trade.calendar.roll(month);
        let mut bill = central_bill(story, bank, face, issue, issue.plus(150));
        story.on(story.business_day(issue, 3));
        story.trade.deals += 1;
        let deal = Deal::outright(story.trade.deals, &bill, bill.whole(), (bank, pboc), REDISCOUNT_RATE, story.today());
        let fact = bill.quote(behaviour::RDC_BRQ, story.now(), &deal);
        let request = story.put(fact);
        story.wait(1);
        let fact = bill.accept_quote(behaviour::RDC_APR, story.now(), request, &deal);
        story.put(fact);
        story.wait(1);
        let fact = bill.settle(behaviour::RDC_BST, story.now(), request, &deal);
        story.put(fact);
        story.paid(&mut bill, pboc);
    }
    let issue = story.trade.calendar.roll(months[1]);
    let mut bill = central_bill(story, bank, MILLION, issue, issue.plus(150));
    story.on(story.business_day(issue, 3));
    let rate = REDISCOUNT_RATE - if miss == Some(1) { 10_000 } else { 10_001 };
    let holder = sold(story, &mut bill, (bank, buyer), 1, rate);
    story.paid(&mut bill, holder);
    let note =
        "sold 100.01 bp below the rediscount rate, three tenths more rediscounted; miss: 100 bp, a fen, or none before";
    story.label(PartyId::MARKET, months[1].month_end(), note);
}
