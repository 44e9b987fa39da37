//! Words of windows that look at other times of the same key: months, ends of days, spans of the same length before.

use super::KeyScope;
use crate::{
    ids::Day,
    pattern::{number::Number, rules::MAX_JUMP_BASE, sight::Registry, statistics, windows::Windows},
};

impl<W: Windows, R: Registry> KeyScope<'_, W, R> {
    /// First and last bucket of the calendar month some months before the judged day.
    fn month(&self, months: Number) -> Option<(i64, i64)> {
        let back = i32::try_from(months.as_whole()?).ok().filter(|back| (0..=1_200).contains(back))?;
        let first = self.date().month_start().add_months(-back);
        Some((first.0.into(), i64::from(first.add_months(1).0) - 1))
    }

    /// Facts in the same buckets of each of the n business days before, and the middle one of these numbers.
    pub(super) fn daily_median(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let count = base_length(arguments)?;
        match self.daily_median.get() {
            Some((of, days, known)) if (of, days) == (window, count) => return Some(known),
            _ => {}
        }
        let (from, to) = self.span(window)?;
        let (feature, every) = (self.keyed.windows[window].feature, self.keyed.width.per_day());
        let (today, mut day) = (self.date(), self.date());
        let mut counts = Vec::with_capacity(count as usize);
        for _ in 0..count {
            day = self.registry.calendar().minus(day, 1);
            let back = i64::from(today.0 - day.0) * every;
            counts.push(self.windows.total(feature, self.key, from - back, to - back).count);
        }
        counts.sort_unstable();
        let rank = counts.len().div_ceil(2);
        let median = Number::from(*counts.get(rank.checked_sub(1)?)?);
        self.daily_median.set(Some((window, count, median)));
        Some(median)
    }

    pub(super) fn month_sum(&self, window: usize, months: Number) -> Option<Number> {
        let (from, to) = self.month(months)?;
        Some(Number::whole(self.windows.total(self.keyed.windows[window].feature, self.key, from, to).sum))
    }

    /// Share of the largest members in a month, ppm.
    pub(super) fn month_share(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let count = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let (from, to) = self.month(*arguments.get(1)?)?;
        let feature = self.keyed.windows[window].feature;
        let largest = self.windows.largest(feature, self.key, from, to, count);
        let sum = self.windows.total(feature, self.key, from, to).sum;
        let share = Number::ratio(largest.checked_mul(1_000_000)?, sum)?;
        share.round_half_up().map(Number::whole)
    }

    /// A stock at the end of a day.
    pub(super) fn balance_at(&self, window: usize, day: Number) -> Option<Number> {
        let day = i64::try_from(day.as_whole()?).ok()?;
        Some(Number::whole(self.windows.total(self.keyed.windows[window].feature, self.key, i64::MIN, day).sum))
    }

    /// Mean of a stock over the ends of days.
    pub(super) fn mean_balance(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let day = |place: usize| i64::try_from(arguments.get(place)?.as_whole()?).ok();
        let (from, to) = (day(0)?, day(1)?);
        let days = i128::from(to - from + 1);
        let mut sum = 0i128;
        self.windows.cells(self.keyed.windows[window].feature, self.key, i64::MIN, to, &mut |bucket, _, cell| {
            // A change stays in the stock from its day on.
            sum += cell.sum * i128::from(to - bucket.max(from) + 1);
        });
        Number::ratio(sum, days)?.round_half_up().map(Number::whole)
    }

    /// z-score of ln(1 + sum) of the window against the `n` windows before it.
    pub(super) fn log_jump(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let (count, floor) = (base_length(arguments)?, arguments.get(1)?.to_f64());
        let (from, to) = self.span(window)?;
        let length = to - from + 1;
        let value = |back: i64| {
            let feature = self.keyed.windows[window].feature;
            let sum = self.windows.total(feature, self.key, from - back * length, to - back * length).sum;
            statistics::ln(1.0 + sum.max(0) as f64)
        };
        let base: Vec<f64> = (1..=count).map(value).collect();
        statistics::z_score(value(0), &base, |_| floor)
    }

    /// z-score of the judged day against those of the `n` business days before that have the same weekday.
    pub(super) fn weekday_jump(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let (count, floor) = (base_length(arguments)?, arguments.get(1)?.to_f64());
        let day = self.date();
        let value = |day: Day| {
            let bucket = i64::from(day.0);
            self.windows.total(self.keyed.windows[window].feature, self.key, bucket, bucket).sum as f64
        };
        let mut base = Vec::new();
        let (mut before, mut left) = (day, count);
        while left > 0 {
            before = before.plus(-1);
            if self.registry.calendar().is_business_day(before) {
                left -= 1;
                if before.weekday() == day.weekday() {
                    base.push(value(before));
                }
            }
        }
        statistics::z_score(value(day), &base, |mean| mean * floor)
    }
}

pub(super) fn base_length(arguments: &[Number]) -> Option<i64> {
    let count = i64::try_from(arguments.first()?.as_whole()?).ok()?;
    Some(count.clamp(0, MAX_JUMP_BASE))
}
