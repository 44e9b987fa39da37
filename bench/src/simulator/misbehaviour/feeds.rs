//! Cases of sources that fall silent or send less: P129, P185. Each has five minutes of the day to itself, in which its source
//! sends so many queries about one bill on so many days.
//!
//! Positives have sources that send next to nothing else, however large the market is.
//! Days after a case its source is still missed there, so near misses that leave such a habit behind have sources of their own.

use billwatch_market::fact::{Source, behaviour};

use super::{Injector, once};
use crate::simulator::draft::Party;
use crate::simulator::life::{Bill, Kind};
use crate::simulator::story::{MILLION, Story};

pub(super) const CASES: &[Injector] = &[once("P129", silence), once("P185", drop_in_volume)];

const MINUTE: i64 = 60_000;
/// Eleven of the last 20 business days make the median.
const DAYS: u32 = 11;

/// What a source sends in the five minutes from `minute` of the day on.
struct Habit {
    source: Source,
    minute: i64,
    /// On so many business days, so much on each.
    days: u32,
    usual: usize,
    /// And on the day after them.
    now: usize,
}

fn query(story: &mut Story, bill: &mut Bill, source: Source) {
    let (whole, payee) = (bill.whole(), bill.payee);
    let mut fact = bill.ask(behaviour::DIS_QRY, story.now(), whole, payee, Party::SYSTEM);
    fact.source = source;
    story.put(fact);
}

fn tell(story: &mut Story, habit: Habit, note: &'static str) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, MILLION, parties, 120);
    story.received(&mut bill);
    let last = story.business_day(story.begin, DAYS + 1);
    for back in (0..=habit.days).rev() {
        let day = story.business_day(story.begin, DAYS + 1 - back);
        let count = if back == 0 { habit.now } else { habit.usual };
        for number in 0..count {
            story.at(day.start_ms() + habit.minute * MINUTE + number as i64 * 2_500);
            query(story, &mut bill, habit.source);
        }
    }
    // Another source tells that the five minutes are over.
    story.at(last.start_ms() + (habit.minute + 5) * MINUTE);
    query(story, &mut bill, Source::Ngbs);
    story.label(habit.source.code(), last, note);
    story.paid(&mut bill, parties.2);
}

/// Nothing in five minutes that had ten on eleven days; the misses: on ten days, nine, or one comes.
fn silence(story: &mut Story) {
    let source = match (story.positive, story.variant) {
        (true, 0) => Source::Bpay,
        (true, 1) => Source::Ecds,
        (true, _) => Source::Preg,
        (false, 0 | 1) => Source::Dthp,
        (false, _) => Source::Scbp,
    };
    let mut habit = Habit { source, minute: 600 + 10 * story.variant as i64, days: DAYS, usual: 10, now: 0 };
    match (story.positive, story.variant) {
        (true, _) => {}
        (false, 0) => habit.days -= 1,
        (false, 1) => habit.usual -= 1,
        (false, _) => habit.now = 1,
    }
    tell(story, habit, "silent where ten came on eleven days; miss: on ten days, nine, or one came");
}

/// Nineteen where a hundred came on eleven days; the misses: on ten days, 99, or twenty come.
fn drop_in_volume(story: &mut Story) {
    let source = match (story.positive, story.variant) {
        (true, 0) => Source::Bpay,
        (true, 1) => Source::Ecds,
        (true, _) => Source::Preg,
        (false, 0) => Source::Dthp,
        (false, 1) => Source::Cpes,
        (false, _) => Source::Clrs,
    };
    let mut habit = Habit { source, minute: 840 + 10 * story.variant as i64, days: DAYS, usual: 100, now: 19 };
    match (story.positive, story.variant) {
        (true, _) => {}
        (false, 0) => habit.days -= 1,
        (false, 1) => habit.usual -= 1,
        (false, _) => habit.now += 1,
    }
    tell(story, habit, "19 where 100 came on eleven days; miss: on ten days, 99, or 20 came");
}
