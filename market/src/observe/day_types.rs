//! Day types: business day or not, ends and starts of periods, eves of holidays (derived.csv `calendar.day_type`).

use crate::{catalogue::calendar::Calendar, ids::Day};

/// Codes of enumeration day_type, by bit.
pub(super) const DAY_TYPES: [&str; 8] = ["BD", "NBD", "ME", "QE", "YE", "MS", "HB", "HA"];

/// One bit a day type, in the order of [`DAY_TYPES`].
///
/// Month, quarter and year ends and month starts are business days counted inside their period. A holiday is a run of days
/// off that holds a weekday: its eve and the first business day after it are HB and HA.
pub(super) fn day_type_bits(day: Day, calendar: &Calendar) -> u8 {
    if !calendar.is_business_day(day) {
        return 1 << 1;
    }
    let mut bits = 1;
    let (year, month, _) = day.ymd();
    let month_end = |month: u32| day_of(year + (month / 12) as i32, month % 12 + 1).plus(-1);
    let after_in = |end: Day| calendar.count_between(day, end);
    if after_in(month_end(month)) < 3 {
        bits |= 1 << 2;
    }
    if after_in(month_end(month.div_ceil(3) * 3)) < 5 {
        bits |= 1 << 3;
    }
    if after_in(month_end(12)) < 10 {
        bits |= 1 << 4;
    }
    if calendar.count_between(day.month_start().plus(-1), day) <= 5 {
        bits |= 1 << 5;
    }
    let holds_weekday = |first: Day, step: i32| {
        let mut free = first;
        while !calendar.is_business_day(free) {
            if free.weekday() < 5 {
                return true;
            }
            free = free.plus(step);
        }
        false
    };
    if holds_weekday(day.plus(1), 1) {
        bits |= 1 << 6;
    }
    if holds_weekday(day.plus(-1), -1) {
        bits |= 1 << 7;
    }
    bits
}

fn day_of(year: i32, month: u32) -> Day {
    Day::from_ymd(year, month, 1).expect("every month has a first day")
}
