//! Cases of statistical deviation: P066, P067, P072, P073.

use billwatch_market::ids::Day;

use super::{Injector, heavy};
use crate::simulator::draft::Party;
use crate::simulator::life::Kind;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] =
    &[heavy("P066", weekly_jump), heavy("P067", branch_jump), heavy("P072", first_digits), heavy("P073", round_faces)];

/// One acceptance of this face on this day.
fn accept(story: &mut Story, drawer: Party, payee: Party, face: i64) {
    let bank = story.house_bank(0);
    let mut bill = story.bill(Kind::Bank, face, (drawer, bank, payee), 180);
    story.accepted(&mut bill);
    story.unused(&mut bill);
}

/// 26 weeks of 3,000,000 CNY, then e^0.6 times as much (z = 3 at the floor of the deviation); the miss: 100 CNY less.
fn weekly_jump(story: &mut Story) {
    let (drawer, payee) = (story.company(), story.company());
    for week in 0..26 {
        story.on(story.begin.plus(7 * week));
        accept(story, drawer, payee, 3 * MILLION);
    }
    let day = story.begin.plus(7 * 26);
    story.on(day);
    // 3,000,000 * e^0.6 = 5,466,356.40; e^0.6 is irrational, so the step is 100 CNY.
    accept(story, drawer, payee, story.either(5_466_400, 5_466_300) * CNY);
    let sunday = day.plus(6 - day.weekday() as i32);
    story.label(drawer.id, sunday, "z just above 3 after 26 equal weeks; miss: just below");
}

/// Discounts of 40,000,000 CNY on this weekday for 60 business days, then 54,000,000 (z = 3.5); the miss: one fen less.
fn branch_jump(story: &mut Story) {
    let branch = story.member(206);
    let mut target = story.business_day(story.begin, 64);
    while target.weekday() == 0 {
        target = story.business_day(target, 1);
    }
    let mut base: Vec<Day> = Vec::new();
    let mut day = story.begin;
    while day < target {
        // Two days of preparation before the first discount.
        if day.weekday() == target.weekday() && day > story.begin.plus(2) {
            base.push(day);
        }
        day = story.business_day(day, 1);
    }
    for day in base {
        discounted(story, branch, day, 40 * MILLION);
    }
    discounted(story, branch, target, 54 * MILLION - story.either(0, 1));
    let key = branch.inst.map(|inst| inst.to_string()).unwrap_or_default();
    story.label(key, target, "35 % above twelve equal weekdays; miss: one fen less");
}

/// One discount of this amount by a branch on a day; the bill is issued the day before.
fn discounted(story: &mut Story, branch: Party, day: Day, face: i64) {
    let parties = (story.company(), story.house_bank(0), story.company());
    story.on(day.plus(-1));
    let mut bill = story.bill(Kind::Bank, face, parties, 180);
    story.received(&mut bill);
    story.on(day);
    story.discount(&mut bill, parties.2, branch, FAIR_RATE);
    story.paid(&mut bill, branch);
}

/// 300 faces that all begin with 9; the miss: 299.
fn first_digits(story: &mut Story) {
    let (drawer, payee) = (story.company(), story.company());
    let mut day = story.begin;
    for nth in 0..story.either(300, 299) {
        // Ten a day: no burst.
        if nth % 10 == 0 && nth > 0 {
            day = story.business_day(day, 1);
        }
        story.on(day);
        story.wait(5 * (nth % 10));
        accept(story, drawer, payee, 9_000 * CNY + nth);
    }
    story.label(drawer.id, day, "300 faces with first digit 9; miss: 299");
}

/// 18 of 20 faces are multiples of 1,000,000 CNY; the miss: one of them by a fen, or 19 faces.
fn round_faces(story: &mut Story) {
    let (drawer, payee) = (story.company(), story.company());
    let fewer = !story.positive && story.variant == 1;
    let mut day = story.begin;
    for nth in 0..if fewer { 19 } else { 20 } {
        day = story.business_day(story.begin, nth as u32);
        story.on(day);
        let face = match nth {
            0 | 1 => 700_000 * CNY + 1,
            2 if !story.positive && !fewer => MILLION + 1,
            _ => MILLION,
        };
        accept(story, drawer, payee, face);
    }
    story.label(drawer.id, day, "18 of 20 faces round; miss: 17 of 20, or 19 faces");
}
