//! Cases of ratios to reference data, second part: P051, P054, P055, P056, P057, P059, P061, P062, P064, P065, P188, P195.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::Day;

use super::bursts::stocked;
use super::{Injector, heavy, light};
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P051", beyond_net_capital),
    light("P054", beyond_turnover),
    light("P055", beyond_capital_growth),
    heavy("P056", discounted_at_once),
    light("P057", margin_and_discount),
    light("P059", beyond_credit_line),
    light("P061", beyond_background),
    light("P062", beyond_invoicing),
    light("P064", new_for_old),
    light("P065", margin_rounds),
    light("P188", month_end_round_trip),
    light("P195", own_acceptances),
];

/// A finance company accepts and has sold on one fen more than its net capital; the miss: exactly as much, or what it sold was
/// discounted by another.
fn beyond_net_capital(story: &mut Story) {
    // Net capital is an eleventh of total assets.
    let company = story.member_in(301, "320000", None, 110 * MILLION);
    let (other, buyer) = (story.member(205), story.member(206));
    let foreign = !story.positive && story.variant == 1;
    let mut sold = stocked(story, if foreign { other } else { company }, 4 * MILLION, story.begin);
    let deal = story.deal(&sold, if foreign { other } else { company }, buyer, FAIR_RATE);
    story.sell(&mut sold, &deal);
    let day = story.business_day(story.begin, 2);
    story.on(day);
    let face = 6 * MILLION + i64::from(story.positive || foreign);
    let parties = (story.company(), company, story.company());
    let mut bill = story.bill(Kind::Finance, face, parties, 120);
    story.accepted(&mut bill);
    story.label(company.id, day, "accepted and sold on a fen above net capital; miss: equal, or another's");
    story.unused(&mut bill);
    story.paid(&mut sold, buyer);
}

/// Drawn one fen more than the turnover of a year; the miss: as much, or the first bill a year before.
fn beyond_turnover(story: &mut Story) {
    let drawer = story.company();
    let parties = (drawer, story.house_bank(0), story.company());
    let early = !story.positive && story.variant == 1;
    // Financials of a case say the same of turnover as of net assets.
    story.net_assets(drawer, 10 * MILLION);
    let last = story.begin.plus(if early { 365 } else { 364 });
    let second = 4 * MILLION + i64::from(story.positive || early);
    for (day, face) in [(story.begin, 6 * MILLION), (last, second)] {
        story.on(day);
        let mut bill = story.bill(Kind::Bank, face, parties, 120);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(drawer.id, last, "a fen above a year's turnover; miss: equal, or on day 366");
}

/// Acceptances grow by half more than net capital within a year; the miss: by a fen less, or they are too small a part of
/// the assets.
fn beyond_capital_growth(story: &mut Story) {
    let total = 33 * MILLION;
    let bank = story.member_in(205, "320000", None, total);
    let small = !story.positive && story.variant == 1;
    let first = story.begin;
    let last = story.business_day(first.month_start().add_months(12).plus(2), 1);
    for (day, face) in [(first, MILLION), (last, MILLION / 10 * 18 + i64::from(story.positive || small))] {
        story.on(day);
        let parties = (story.company(), bank, story.company());
        // Live at the end of the month.
        let mut bill = story.bill(Kind::Bank, face, parties, 90);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.on(last);
    let assets = if small { 40 * MILLION } else { total };
    let mut sheet = story.trade.registry.balance_sheet(story.now(), bank, last.month_start().plus(-1), assets);
    sheet.set(Field::NetCapitalFen, Value::Int(total / 11 / 10 * 13));
    story.put(sheet);
    story.label(bank.id, last.month_end(), "1.8 times the acceptances, 1.3 times the capital; miss: a fen, or small");
}

/// A bill that is discounted some days after its acceptance.
fn drawn_and_discounted(story: &mut Story, parties: (Party, Party, Party), face: i64, margin: i64, days: (Day, i32)) {
    story.on(days.0);
    let mut bill = story.bill(Kind::Bank, face, parties, 120);
    story.accepted_with(&mut bill, margin);
    story.taken(&mut bill);
    story.on(days.0.plus(days.1));
    let discounter = story.house_bank(1);
    story.discount(&mut bill, parties.2, discounter, FAIR_RATE);
    story.paid(&mut bill, discounter);
}

/// Nineteen of twenty parts of what a drawer has accepted are discounted, half of the bills after three days; the miss: a
/// fen more kept, nine bills, or six of ten after four days.
fn discounted_at_once(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let miss = (!story.positive).then_some(story.variant);
    let bills = if miss == Some(1) { 9 } else { 10 };
    let slow = if miss == Some(2) { 6 } else { 5 };
    for nth in 0..bills {
        let wait = if nth < slow { 4 } else { 3 };
        drawn_and_discounted(story, parties, MILLION / 10 * 19, 0, (story.begin, wait));
    }
    story.on(story.begin);
    let kept = if miss == Some(1) { 1 } else { MILLION + i64::from(miss == Some(0)) };
    let mut bill = story.bill(Kind::Bank, kept, parties, 120);
    story.accepted(&mut bill);
    story.unused(&mut bill);
    story.label(
        parties.0.id,
        story.begin.plus(4),
        "95 % discounted, half within 3 days; miss: a fen, 9 bills, or slower",
    );
}

/// Bills with a margin of 95 % are discounted five days later, 10,000,000 CNY; the miss: a fen less margin, six days, or a fen
/// less.
fn margin_and_discount(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let miss = (!story.positive).then_some(story.variant);
    let wait = if miss == Some(1) { 6 } else { 5 };
    for nth in 0..2 {
        let face = 5 * MILLION - i64::from(nth == 0 && miss == Some(2));
        let margin = 5 * MILLION / 100 * 95 - i64::from(miss == Some(0));
        drawn_and_discounted(story, parties, face, margin, (story.begin, wait));
    }
    let note = "95 % margin, discounted after 5 days, 10,000,000 CNY; miss: a fen of either, or 6 days";
    story.label(parties.0.id, story.begin.plus(wait), note);
}

/// A bank holds one fen more of another's acceptances than its line; the miss: as much, no line, or a larger one in time.
fn beyond_credit_line(story: &mut Story) {
    let (lender, borrower, seller) = (story.member(205), story.member(206), story.member(203));
    let miss = (!story.positive).then_some(story.variant);
    let face = 5 * MILLION + i64::from(miss != Some(0));
    let at = story.now();
    if miss != Some(1) {
        let fact = story.trade.registry.credit_line(at, lender, borrower, 5 * MILLION);
        story.put(fact);
    }
    if miss == Some(2) {
        let fact = story.trade.registry.credit_line(at + 60_000, lender, borrower, 5 * MILLION + 1);
        story.put(fact);
    }
    let parties = (story.company(), borrower, story.company());
    let mut bill = story.bill(Kind::Bank, face, parties, 120);
    story.received(&mut bill);
    story.discount(&mut bill, parties.2, seller, FAIR_RATE);
    let day = story.business_day(story.begin, 1);
    story.on(day);
    let deal = story.deal(&bill, seller, lender, FAIR_RATE);
    story.sell(&mut bill, &deal);
    story.label(format!("{},{}", lender.id, borrower.id), day, "a fen above the line; miss: equal, none, or larger");
    story.paid(&mut bill, lender);
}

/// Drawn one fen more than the invoices of 90 days, or than the contract; the miss: as much, or invoices of 91 days ago do
/// not matter because the bill is as old.
fn beyond_background(story: &mut Story) {
    let drawer = story.company();
    let parties = (drawer, story.house_bank(0), story.company());
    let by_contract = story.variant == 1;
    let early = !story.positive && story.variant == 2;
    let over = i64::from(story.positive || early);
    let last = story.begin.plus(if early { 90 } else { 89 });
    let mut told: Vec<Bill> = Vec::new();
    for (day, face) in [(story.begin, 6 * MILLION), (last, 4 * MILLION + over)] {
        story.on(day);
        let mut bill = story.bill(Kind::Bank, face, parties, 120);
        // The contract of a bill of a case bears its serial number.
        let contract = format!("HT{}", bill.serial);
        let at = story.now() - 60_000;
        let draft = story.trade.registry.draft(behaviour::MST_TBK, at).from(drawer);
        let draft = draft.value(Field::DrawerId, Value::Party(drawer.id)).text(Field::ContractNo, contract);
        let fact = if by_contract {
            draft.int(Field::ContractFen, face - if day == last { over } else { 0 }).done()
        } else if day == last {
            draft.int(Field::InvoiceFen, 10 * MILLION).done()
        } else {
            draft.int(Field::InvoiceFen, 0).done()
        };
        story.put(fact);
        story.accepted(&mut bill);
        told.push(bill);
    }
    story.label(drawer.id, last, "a fen above invoices of 90 days, or above the contract; miss: equal, or day 91");
    told.iter_mut().for_each(|bill| story.unused(bill));
}

/// Received one fen more than 1.2 times what was invoiced; the miss: as much, or 1.2 times a fen more.
fn beyond_invoicing(story: &mut Story) {
    let payee = story.company();
    let parties = (story.company(), story.house_bank(0), payee);
    let more = !story.positive && story.variant == 1;
    let at = story.reference_time();
    let statement = story.begin.month_start().plus(-1);
    let mut sheet = story.trade.registry.financials(at + 5, payee, statement, 100 * MILLION);
    sheet.set(Field::VatInvoiced12mFen, Value::Int(MILLION + i64::from(more)));
    story.put(sheet);
    let mut bill = story.bill(Kind::Bank, MILLION / 10 * 12 + i64::from(story.positive || more), parties, 120);
    story.received(&mut bill);
    story.label(payee.id, story.begin, "a fen above 1.2 times the invoices; miss: equal, or a fen more invoiced");
    story.paid(&mut bill, payee);
}

/// Twice a new bill of 0.9 to 1.2 times what falls due is drawn three days before and discounted three days after; the miss: a
/// fen too little, a fen too much, or discounted a day later.
fn new_for_old(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let miss = (!story.positive).then_some(story.variant);
    let due = 5 * MILLION;
    let first = story.business_day(story.begin.plus(40), 1);
    let second = story.business_day(first.plus(30), 1);
    for (day, face) in
        [(first, due / 10 * 9 - i64::from(miss == Some(0))), (second, due / 10 * 12 + i64::from(miss == Some(1)))]
    {
        story.on(day.plus(-35));
        let mut old = story.bill_due(Kind::Bank, due, parties, day);
        story.received(&mut old);
        story.paid(&mut old, parties.2);
        let wait = if day == second && miss == Some(2) { 7 } else { 6 };
        drawn_and_discounted(story, parties, face, 0, (day.plus(-3), wait));
    }
    story.label(
        parties.0.id,
        second.plus(3),
        "two due dates paid by new bills; miss: a fen too little or much, or late",
    );
}

/// Three times the proceeds of a discount are four fifths margin of the next bill two days later, in 60 days; the miss: a fen
/// less, three days, or 61.
fn margin_rounds(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let miss = (!story.positive).then_some(story.variant);
    let discounter = story.house_bank(1);
    let mut bill = story.bill(Kind::Bank, MILLION, parties, 170);
    story.accepted_with(&mut bill, 0);
    story.taken(&mut bill);
    let first = story.begin.plus(1);
    let gap = if miss == Some(1) { 3 } else { 2 };
    // The last discount so that its acceptance is the sixtieth day.
    let days = [(first, 1), (first.plus(10), 2), (first.plus(if miss == Some(2) { 60 } else { 59 } - gap), gap)];
    for (place, (day, gap)) in days.into_iter().enumerate() {
        story.on(day);
        story.discount(&mut bill, parties.2, discounter, FAIR_RATE);
        let proceeds = story.facts.last().and_then(|fact| fact.int(Field::PayFen)).unwrap_or(0);
        story.paid(&mut bill, discounter);
        story.on(day.plus(gap));
        bill = story.bill(Kind::Bank, MILLION, parties, 170);
        let least = (proceeds * 4 + 4) / 5;
        story.accepted_with(&mut bill, least - i64::from(place == 2 && miss == Some(0)));
        story.taken(&mut bill);
    }
    let day = days[2].0.plus(gap);
    story.label(parties.0.id, day, "3 rounds of proceeds as margin in 60 days; miss: a fen, 3 days, or 61 days");
    story.paid(&mut bill, parties.2);
}

/// A tenth of the holdings is sold on the third last business day of a month, seven tenths of it bought back on the fifth of
/// the next; the miss: a fen of either, or a day more.
fn month_end_round_trip(story: &mut Story) {
    let (bank, other) = (story.member(205), story.member(206));
    let miss = (!story.positive).then_some(story.variant);
    let next_month = story.begin.plus(3).month_start().add_months(1);
    let mut sells = next_month;
    let mut left = if miss == Some(2) { 4 } else { 3 };
    while left > 0 {
        sells = sells.plus(-1);
        left -= i32::from(story.trade.calendar.is_business_day(sells));
    }
    let (sells, next_month) =
        if sells > story.begin { (sells, next_month) } else { later_month(story, next_month, miss) };
    let buys = story.business_day(next_month.plus(-1), 5);
    let sold = MILLION - i64::from(miss == Some(0));
    let mut out = stocked(story, bank, sold, story.begin);
    let mut rest = stocked(story, bank, 10 * MILLION - sold, story.begin);
    let mut back = stocked(story, other, MILLION / 10 * 7 - i64::from(miss == Some(1)), story.begin);
    story.on(sells);
    let deal = story.deal(&out, bank, other, FAIR_RATE);
    story.sell(&mut out, &deal);
    story.on(buys);
    let deal = story.deal(&back, other, bank, FAIR_RATE);
    story.sell(&mut back, &deal);
    story.label(bank.id, next_month.plus(15), "a tenth sold and seven tenths of it bought back; miss: a fen, or a day");
    story.paid(&mut out, other);
    story.paid(&mut rest, bank);
    story.paid(&mut back, bank);
}

/// The same a month later, for cases that begin in the last days of a month.
fn later_month(story: &Story, next_month: Day, miss: Option<usize>) -> (Day, Day) {
    let next_month = next_month.add_months(1);
    let mut sells = next_month;
    let mut left = if miss == Some(2) { 4 } else { 3 };
    while left > 0 {
        sells = sells.plus(-1);
        left -= i32::from(story.trade.calendar.is_business_day(sells));
    }
    (sells, next_month)
}

/// Six tenths of what a bank discounts it accepted three days before; the miss: a fen less, a fen more of others, or four days.
fn own_acceptances(story: &mut Story) {
    let bank = story.member(203);
    let miss = (!story.positive).then_some(story.variant);
    let own = 600 * MILLION - i64::from(miss == Some(0));
    let other = 400 * MILLION + i64::from(miss == Some(1));
    let day = story.begin.plus(if miss == Some(2) { 4 } else { 3 });
    for (acceptor, face) in [(bank, own), (story.acceptor_of(other, 0), other)] {
        story.on(story.begin);
        let parties = (story.company(), acceptor, story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 120);
        story.received(&mut bill);
        story.on(day);
        story.discount(&mut bill, parties.2, bank, FAIR_RATE);
        story.paid(&mut bill, bank);
    }
    story.label(bank.id, day, "60 % own acceptances within 3 days; miss: a fen of either, or 4 days");
}
