//! Cases of concentration: P104 to P115, P194.
//!
//! A bank's shares are judged from a balance of 1,000,000,000 CNY on: the cases reach it with their last bill, so that the
//! lopsided beginning is not judged.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::{Code, PartyId};

use super::scenery::{paper, place};
use super::{Injector, heavy, light, once};
use crate::simulator::draft::Party;
use crate::simulator::life::Kind;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    heavy("P104", one_acceptor),
    light("P105", captive_discounter),
    heavy("P106", one_drawer),
    light("P107", drawer_to_capital),
    light("P108", other_provinces),
    light("P109", one_industry),
    heavy("P110", one_payee),
    heavy("P111", one_counterparty),
    heavy("P112", one_due_date),
    light("P113", one_group),
    light("P114", few_holders),
    once("P115", larger_share_of_five),
    light("P194", financed_by_bills),
];

/// 80 % of 100,000,000 CNY discounted by one bank; the miss: one fen moved to the other, or one fen less in all.
fn captive_discounter(story: &mut Story) {
    let (acceptor, payee) = (story.company(), story.company());
    let moved = i64::from(!story.positive && story.variant != 1);
    let less = i64::from(!story.positive && story.variant == 1);
    let day = story.business_day(story.begin, 2);
    for (nth, face) in [20 * MILLION + moved, 80 * MILLION - moved - less].into_iter().enumerate() {
        story.on(story.begin);
        story.wait(30 * nth as i64);
        let mut bill = story.bill(Kind::Commercial, face, (acceptor, acceptor, payee), 180);
        story.received(&mut bill);
        story.on(day);
        story.wait(30 * nth as i64);
        let bank = story.house_bank(nth);
        story.discount(&mut bill, payee, bank, 4 * FAIR_RATE);
        if nth == 1 {
            story.label(acceptor.id, day, "one bank took 80 % of 100,000,000 CNY; miss: one fen off");
        }
        story.paid(&mut bill, bank);
    }
}

/// A bank accepts this face for a new drawer; never received.
fn accept(story: &mut Story, bank: Party, drawer: Party, face: i64, tenor: i32) {
    let payee = story.company();
    let mut bill = story.bill(Kind::Bank, face, (drawer, bank, payee), tenor);
    story.accepted(&mut bill);
    story.unused(&mut bill);
}

/// One of 31 drawers has 15 % of the balance; the miss: less by a fen.
fn one_drawer(story: &mut Story) {
    let bank = story.member(206);
    let others = 850 * MILLION + story.either(0, 1);
    for nth in 0..30 {
        let drawer = story.company();
        let face = if nth == 0 { others - others / 30 * 29 } else { others / 30 };
        accept(story, bank, drawer, face, 180);
        story.wait(1);
    }
    let drawer = story.company();
    accept(story, bank, drawer, 150 * MILLION, 180);
    story.label(bank.id, story.begin, "one drawer has exactly 15 %; miss: a fen below");
}

/// One division has 40 % of the balance, two others the rest; the miss: less by a fen.
fn one_industry(story: &mut Story) {
    let bank = story.member(206);
    for (division, face) in [(13, 300 * MILLION), (14, 300 * MILLION + story.either(0, 1)), (15, 400 * MILLION)] {
        let drawer = story.company_with(|company| company.division = division);
        accept(story, bank, drawer, face, 180);
        story.wait(1);
    }
    story.label(bank.id, story.begin, "one division has exactly 40 %; miss: a fen below");
}

/// 90 % of 20 bills go to a payee 364 days old; the miss: one fen less, 365 days old, or 19 bills.
fn one_payee(story: &mut Story) {
    let (drawer, bank, other) = (story.company(), story.house_bank(0), story.company());
    let older = !story.positive && story.variant == 1;
    let fewer = !story.positive && story.variant == 2;
    let less = !story.positive && story.variant == 0;
    let bills = if fewer { 19 } else { 20 };
    let last = story.business_day(story.begin, 9);
    let payee = story.company_with(|company| company.registered = last.plus(if older { -365 } else { -364 }));
    for nth in 0..bills {
        story.on(story.business_day(story.begin, (nth / 2) as u32));
        story.wait(30 * (nth % 2));
        // 2 x 90,000 = 180,000 to the other, 18 x 90,000 = 1,620,000 to the young one.
        let face = 90_000 * CNY - i64::from(less && nth == bills - 1);
        let to = if nth < 2 { other } else { payee };
        let mut bill = story.bill(Kind::Bank, face, (drawer, bank, to), 180);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(drawer.id, last, "90 % of 20 bills to a payee 364 days old; miss: a fen, a day or a bill off");
}

/// 60 % of 5,000,000,000 CNY with one bank; the miss: one fen moved, or one fen less in all.
fn one_counterparty(story: &mut Story) {
    let seller = story.member(205);
    let buyers = [story.member(205), story.member(205)];
    let moved = i64::from(!story.positive && story.variant != 1);
    let less = i64::from(!story.positive && story.variant == 1);
    let day = story.business_day(story.begin, 3);
    for nth in 0..12 {
        // 7 x 3/7 billion to the first, 5 x 400,000,000 to the second: each below the very large bill (P034).
        let face = match nth {
            0 => 3_000 * MILLION - 428_571_429 * CNY * 6 - moved - less,
            1..7 => 428_571_429 * CNY,
            7 => 400 * MILLION + moved,
            _ => 400 * MILLION,
        };
        story.on(story.begin);
        story.wait(20 * nth);
        let parties =
            (story.company_with(|company| company.capital_fen = 1_000 * MILLION), story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 180);
        story.received(&mut bill);
        story.on(story.business_day(story.begin, 2));
        story.wait(20 * nth);
        story.discount(&mut bill, parties.2, seller, FAIR_RATE);
        story.on(day);
        story.wait(20 * nth);
        let buyer = buyers[usize::from(nth >= 7)];
        let deal = story.deal(&bill, seller, buyer, FAIR_RATE);
        story.sell(&mut bill, &deal);
        story.paid(&mut bill, buyer);
    }
    story.label(seller.id, day, "60 % of 5,000,000,000 CNY with one bank; miss: one fen off");
}

/// 8 % of the balance due on one day, the rest spread; the miss: less by a fen.
fn one_due_date(story: &mut Story) {
    let bank = story.member(206);
    for nth in 0..20 {
        // Eight days apart: never two due dates within five business days.
        let face = 46 * MILLION + if nth == 0 { story.either(0, 1) } else { 0 };
        let drawer = story.company();
        accept(story, bank, drawer, face, 20 + 8 * nth);
        story.wait(1);
    }
    let drawer = story.company();
    accept(story, bank, drawer, 80 * MILLION, 12);
    story.label(bank.id, story.begin, "8 % due on one day; miss: a fen below");
}

/// 30 % of a book of 1,000,000,000 CNY with one acceptor, fourteen others alike; the miss: one fen moved, or one less in all.
fn one_acceptor(story: &mut Story) {
    let holder = story.member(205);
    let moved = i64::from(!story.positive && story.variant != 1);
    let less = i64::from(!story.positive && story.variant == 1);
    let day = story.business_day(story.begin, 2);
    for nth in 0..15 {
        let face = match nth {
            0 => 300 * MILLION - moved,
            1 => 50 * MILLION + moved - less,
            _ => 50 * MILLION,
        };
        story.on(story.begin);
        story.wait(10 * nth);
        let (acceptor, payee) = (story.company(), story.company());
        let mut bill = story.bill(Kind::Commercial, face, (acceptor, acceptor, payee), 180);
        story.received(&mut bill);
        story.on(day);
        story.wait(10 * nth);
        story.discount(&mut bill, payee, holder, 4 * FAIR_RATE);
        story.paid(&mut bill, holder);
    }
    story.label(holder.id, day, "30 % of 1,000,000,000 CNY with one acceptor; miss: one fen off");
}

/// 10 % of a capital of 100,000,000 CNY uncovered for one drawer, or 15 % for two of a group, and a fen; the miss: without it.
fn drawer_to_capital(story: &mut Story) {
    let bank = story.member_in(206, "310000", None, 1_100 * MILLION);
    let more = story.either(1, 0);
    if story.variant == 1 {
        let group = PartyId::group(810_000 + story.begin.0 as u64 % 10_000 * 2 + u64::from(story.positive));
        for nth in 0..2 {
            let drawer = story.company_with(|company| company.group = Some(group));
            let payee = story.company();
            let mut bill = story.bill(Kind::Bank, 15 * MILLION, (drawer, bank, payee), 180);
            story.accepted_with(&mut bill, 15 * MILLION / 2 - more * nth);
            story.unused(&mut bill);
            story.on(story.begin);
            story.wait(10);
        }
    } else {
        let (drawer, payee) = (story.company(), story.company());
        let mut bill = story.bill(Kind::Bank, 20 * MILLION, (drawer, bank, payee), 180);
        story.accepted_with(&mut bill, 10 * MILLION - more);
        story.unused(&mut bill);
    }
    story.label(bank.id, story.begin, "a fen above the limit of capital; miss: at the limit");
}

/// Half of 500,000,000 CNY discounted for a company of another province; the miss: one fen moved, or one less in all.
fn other_provinces(story: &mut Story) {
    let bank = story.member_in(206, "310000", None, 100_000 * MILLION);
    let moved = i64::from(!story.positive && story.variant != 1);
    let less = i64::from(!story.positive && story.variant == 1);
    let day = story.business_day(story.begin, 2);
    for (nth, province, face) in [(0, "310000", 250 * MILLION + moved), (1, "440000", 250 * MILLION - moved - less)] {
        story.on(story.begin);
        story.wait(30 * nth);
        let payee = story.company_with(|company| company.province = province);
        let parties = (story.company(), story.acceptor_of(face, 0), payee);
        let mut bill = story.bill(Kind::Bank, face, parties, 180);
        story.received(&mut bill);
        story.on(day);
        story.wait(30 * nth);
        story.discount(&mut bill, payee, bank, FAIR_RATE);
        story.paid(&mut bill, bank);
    }
    story.label(bank.id, day, "half of 500,000,000 CNY from another province; miss: one fen off");
}

/// A group of two has 10,000,000,000 CNY of live commercial bills; the miss: a fen less.
fn one_group(story: &mut Story) {
    let group = PartyId::group(
        840_000 + story.begin.0 as u64 % 10_000 * 6 + (story.variant * 2) as u64 + u64::from(story.positive),
    );
    let of_group = [(); 2].map(|()| story.company_with(|company| company.group = Some(group)));
    for nth in 0..10 {
        let face = 1_000 * MILLION - if nth == 9 { story.either(0, 1) } else { 0 };
        let (acceptor, payee) = (of_group[nth % 2], story.company());
        story.on(story.begin);
        story.wait(10 * nth as i64);
        // Every day on which they live has its alert.
        let mut bill = story.bill(Kind::Commercial, face, (acceptor, acceptor, payee), 14);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(group, story.begin, "10,000,000,000 CNY of live commercial bills of one group; miss: a fen less");
}

/// Two holders share 100,000,000 CNY of an acceptor; the miss: a third has a fen, or a fen is lacking.
fn few_holders(story: &mut Story) {
    let acceptor = story.company();
    let third = !story.positive && story.variant != 1;
    let less = i64::from(!story.positive && story.variant == 1);
    let faces = [50 * MILLION, 50 * MILLION - less, 1];
    for face in &faces[..if third { 3 } else { 2 }] {
        let payee = story.company();
        story.on(story.begin);
        let mut bill = story.bill(Kind::Commercial, *face, (acceptor, acceptor, payee), 180);
        story.received(&mut bill);
        story.paid(&mut bill, payee);
    }
    story.label(acceptor.id, story.begin, "two holders of 100,000,000 CNY; miss: a third, or a fen less");
}

/// Shares of the five largest banks month by month, ppm: one half for six months; then, by the place of a case, the least that is
/// five points above the mean of the six before, or one part less.
fn shares_of_five(months: usize) -> Vec<i64> {
    const RISE: i64 = 50_000;
    let mut shares = vec![500_000; 6];
    for place in 0..6 {
        let before: i64 = shares[place..].iter().sum();
        let least = (before + 6 * RISE + 5).div_euclid(6);
        // Positives have odd places.
        shares.push(least - i64::from(place % 2 == 0));
    }
    shares.truncate(months);
    shares
}

/// The share of the five largest of ten banks lies five points above the mean of six months; the miss: a part per million less. The
/// months come after all other cases, when nobody else accepts any more. A case tells those of its seven that no other has told.
fn larger_share_of_five(story: &mut Story) {
    const FIRST_MONTH: i32 = 20;
    /// Fen of a part per million of a month's acceptance.
    const PART: i64 = 100_000;
    let banks = story.shared(-1, |story| (0..10).map(|_| story.member(205)).collect());
    let month = 6 + place(story);
    let (drawer, payee) = (story.company(), story.company());
    let shares = shares_of_five(month + 1);
    for (nth, share) in shares.iter().enumerate().skip(place(story)) {
        story.shared(nth as i32, |story| {
            let day = story.month(FIRST_MONTH + nth as i32);
            story.on(story.trade.calendar.roll(day));
            for (total, banks) in [(share * PART, &banks[..5]), ((1_000_000 - share) * PART, &banks[5..])] {
                for (place, bank) in banks.iter().enumerate() {
                    let face = total / 5 + if place == 0 { total % 5 } else { 0 };
                    paper(story, (drawer, *bank, payee), face, 120);
                }
            }
            Vec::new()
        });
    }
    let end = story.month(FIRST_MONTH + month as i32).month_end();
    story.label(PartyId::MARKET, end, "five banks have 5 points more than in six months; miss: a millionth less");
}

/// A financing vehicle or developer has half of its revenue in commercial bills, half as many again as a year before; the miss: a fen
/// less of bills, a fen more of revenue, or another flag.
fn financed_by_bills(story: &mut Story) {
    let miss = (!story.positive).then_some(story.variant);
    let acceptor = story.company();
    let flag = if miss == Some(2) { "SRDI" } else { ["LGFV", "REALEST"][story.variant % 2] };
    for fact in &mut story.facts {
        if fact.behaviour == behaviour::MST_ENR {
            fact.set(Field::SpecialFlags, Value::Codes([Code::of(flag)].into()));
        }
    }
    let less = i64::from(miss == Some(0));
    let now = 15 * MILLION - less;
    let revenue = 2 * now + i64::from(miss == Some(1));
    let statement = story.begin.month_start().plus(-1);
    let at = story.reference_time() + 5;
    let fact = story.trade.registry.financials(at, acceptor, statement, revenue);
    story.put(fact);
    let (first, last) = story.days_apart(story.begin, 365);
    for (day, face) in [(first, 10 * MILLION), (last, now)] {
        story.on(day);
        let payee = story.company();
        let mut bill = story.bill(Kind::Commercial, face, (acceptor, acceptor, payee), 120);
        story.accepted(&mut bill);
        story.unused(&mut bill);
    }
    story.label(acceptor.id, last, "half of its revenue, and half as much again as a year before; miss: a fen, a flag");
}
