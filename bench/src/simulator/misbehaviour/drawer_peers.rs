//! Cases of drawers among many peers: P166, P170, P173. A case has a division of its own, or ten peers serve several cases and each
//! has a month of its own.

use billwatch_market::fact::{Field, Range, Source, Value, behaviour};
use billwatch_market::ids::{Code, Day};

use super::scenery::{paper, place};
use super::{Injector, once};
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{CNY, MILLION, Story};
use crate::simulator::tables::section_of;
use crate::simulator::world::{PLATFORM, member};

pub(super) const CASES: &[Injector] =
    &[once("P166", more_hops), once("P170", more_than_revenue), once("P173", finer_cuts)];

/// A company of a division.
fn company_of(story: &mut Story, division: u8) -> Party {
    story.company_with(|company| {
        company.division = division;
        company.section = section_of(division);
    })
}

/// A day in the middle of the n-th month: 90 days later the month after the next has ended.
fn middle(story: &mut Story, month: usize) -> Day {
    let first = story.month(month as i32);
    story.trade.calendar.roll(first.plus(14))
}

/// Papers of a drawer on one day.
fn papers(story: &mut Story, drawer: Party, payee: Party, count: usize) {
    let bank = story.house_bank(0);
    for _ in 0..count {
        paper(story, (drawer, bank, payee), 100_000 * CNY, 120);
    }
}

/// Thirty bills of which one is endorsed once more than that of any other drawer of the division; the miss: 29 bills, a division
/// without others, or a bill of more than 90 days before.
fn more_hops(story: &mut Story) {
    const DIVISION: u8 = 93;
    // Ten drawers of thirty bills, none of them endorsed.
    story.shared(0, |story| {
        let (day, payee) = (middle(story, 0), story.company());
        for _ in 0..10 {
            let drawer = company_of(story, DIVISION);
            story.on(day);
            papers(story, drawer, payee, 30);
        }
        Vec::new()
    });
    let miss = (!story.positive).then_some(story.variant);
    let drawer = company_of(story, if miss == Some(1) { DIVISION + 1 } else { DIVISION });
    let (payee, other) = (story.company(), story.company());
    let day = middle(story, story.variant);
    let end = day.month_end();
    story.on(day);
    // One more where the endorsed one does not count.
    papers(story, drawer, payee, if miss == Some(0) { 28 } else { 29 + usize::from(miss == Some(2)) });
    let mut early = end.plus(-90);
    while story.trade.calendar.roll(early) != early {
        early = early.plus(-1);
    }
    story.on(if miss == Some(2) { early } else { day });
    let parties = (drawer, story.house_bank(0), payee);
    let mut bill = story.bill(Kind::Bank, 100_000 * CNY, parties, 150);
    story.received(&mut bill);
    story.on(day);
    story.wait(60);
    let (mut holder, mut next) = (payee, other);
    for _ in 0..if miss.is_some() { 5 } else { story.variant + 1 } {
        story.endorse(&mut bill, holder, next);
        std::mem::swap(&mut holder, &mut next);
    }
    story.label(drawer.id, end, "endorsed more often than bills of ten peers; miss: 29 bills, no peers, an older bill");
    story.paid(&mut bill, holder);
}

/// Two hundredths of the revenue and 100 CNY drawn, by one peer two hundredths, by the others one; the miss: two hundredths, nine
/// peers, or so much more revenue.
fn more_than_revenue(story: &mut Story) {
    const FIRST_DIVISION: u8 = 87;
    let division = FIRST_DIVISION + place(story) as u8;
    let miss = (!story.positive).then_some(story.variant);
    let (bank, payee) = (story.house_bank(0), story.company());
    let peers = if miss == Some(1) { 9 } else { 10 };
    let day = story.trade.calendar.roll(story.month(0));
    let mut subject = None;
    for nth in 0..=peers {
        let drawer = company_of(story, division);
        let is_subject = nth == peers;
        // With 5,000 CNY more of revenue 2,000,100 CNY are two hundredths of it.
        let revenue = 100 * MILLION + if is_subject && miss == Some(2) { 5_000 * CNY } else { 0 };
        let at = story.reference_time() + 5;
        let statement = story.begin.month_start().plus(-1);
        let fact = story.trade.registry.financials(at, drawer, statement, revenue);
        story.put(fact);
        let face = match nth {
            0 => 2 * MILLION,
            _ if is_subject => 2 * MILLION + if miss == Some(0) { 0 } else { 100 * CNY },
            _ => MILLION,
        };
        story.on(day);
        paper(story, (drawer, bank, payee), face, 120);
        subject = Some(drawer);
    }
    if let Some(drawer) = subject {
        story.label(
            drawer.id,
            day.month_end(),
            "more of its revenue drawn than ten peers; miss: as much, nine, revenue",
        );
    }
}

/// A package that is registered through this channel, and accepted.
fn package(story: &mut Story, drawer: Party, payee: Party, channel: &str) -> Bill {
    let bank = story.house_bank(0);
    let mut bill = story.bill(Kind::Bank, 100_000 * CNY, (drawer, bank, payee), 150);
    let mut fact = bill.issue(story.now());
    fact.set(Field::Channel, Value::Code(Code::of(channel)));
    story.put(fact);
    let fact = bill.ask_acceptance(story.now() + 1_000);
    let request = story.put(fact);
    let margin = bill.face_fen / 10 * 3;
    story.signed(&mut bill, request, margin, true);
    bill
}

/// Of twenty packages one is cut once more than those of any other drawer of the channel; the miss: nineteen packages, locked by a
/// platform instead of asked for, or of another channel.
fn finer_cuts(story: &mut Story) {
    const CHANNEL: &str = "ERP";
    // Ten drawers of twenty packages that nobody cuts.
    story.shared(0, |story| {
        let (day, payee) = (middle(story, 0), story.company());
        for _ in 0..10 {
            let drawer = story.company();
            story.on(day);
            for _ in 0..20 {
                let mut bill = package(story, drawer, payee, CHANNEL);
                story.unused(&mut bill);
                story.on(day);
                story.wait(10);
            }
        }
        Vec::new()
    });
    let miss = (!story.positive).then_some(story.variant);
    let channel = if miss == Some(2) { "MOBILE" } else { CHANNEL };
    let (drawer, payee, other) = (story.company(), story.company(), story.company());
    let day = middle(story, story.variant);
    for _ in 0..if miss == Some(0) { 18 } else { 19 } {
        story.on(day);
        let mut bill = package(story, drawer, payee, channel);
        story.unused(&mut bill);
    }
    story.on(day);
    let mut bill = package(story, drawer, payee, channel);
    story.taken(&mut bill);
    let cuts = if miss.is_some() { 5 } else { story.variant as u64 + 1 };
    for nth in 0..cuts {
        let part = Range { start: 1_000 * nth + 1, end: 1_000 * (nth + 1) };
        story.wait(10);
        if miss == Some(1) {
            locked(story, &mut bill, part);
            continue;
        }
        let fact = bill.ask(behaviour::END_REQ, story.now(), part, payee, other);
        let request = story.put(fact);
        story.wait(10);
        let fact = bill.withdraw(behaviour::END_WDR, story.now(), part, payee, other, request);
        story.put(fact);
    }
    story.label(
        drawer.id,
        day.month_end(),
        "cut more often than those of ten peers; miss: 19 packages, locked, a channel",
    );
    story.paid(&mut bill, payee);
}

/// OPY.LCK and OPY.ULK: a platform of online payment locks a part, and frees it.
fn locked(story: &mut Story, bill: &mut Bill, part: Range) {
    let (platform, payee) = (member(PLATFORM, 1), bill.payee);
    let order = format!("PO{}-{}", bill.serial, part.start);
    let draft = bill.act_in(Source::Bpay, behaviour::OPY_LCK, story.now(), part, platform, payee);
    let request = story.put(draft.text(Field::PlatformOrderId, order.as_str()).done());
    story.wait(10);
    let draft = bill.act_in(Source::Bpay, behaviour::OPY_ULK, story.now(), part, platform, payee).answers(request);
    story.put(draft.text(Field::PlatformOrderId, order).done());
}
