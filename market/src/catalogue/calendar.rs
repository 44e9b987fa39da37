//! Business days (`calendar.csv`): Monday to Friday, changed by the days of the table (facts.md section 6).

use super::table::{CatalogueError, Distinct, read_rows};
use crate::ids::Day;

pub(super) const FILE: &str = "calendar.csv";

/// Which days are business days.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Calendar {
    /// Number of the first day that the table names, and each day from it to the last one: true = a working day. Rules look
    /// back day by day, so a day is one look.
    first: i32,
    days: Vec<bool>,
}

impl Calendar {
    pub(super) fn read(text: &str) -> Result<Self, CatalogueError> {
        let mut changed = Vec::new();
        let mut distinct = Distinct::default();
        read_rows(FILE, text, &["date", "kind"], |row| {
            let date = row.filled("date")?;
            distinct.take(row, "date", date)?;
            let day = Day::parse(date).ok_or_else(|| row.error("date", "write a calendar date YYYY-MM-DD"))?;
            let is_business_day = match row.filled("kind")? {
                "HOLIDAY" => false,
                "WORKDAY" => true,
                _ => return Err(row.error("kind", "write HOLIDAY or WORKDAY")),
            };
            changed.push((day, is_business_day));
            Ok(())
        })?;
        Ok(Calendar::of(changed))
    }

    /// Monday to Friday but for these days.
    fn of(changed: Vec<(Day, bool)>) -> Self {
        let named = changed.iter().map(|(day, _)| day.0);
        let (Some(first), Some(last)) = (named.clone().min(), named.max()) else { return Calendar::default() };
        let mut days: Vec<bool> = (first..=last).map(|day| Day(day).weekday() < 5).collect();
        for (day, is_business_day) in changed {
            days[(day.0 - first) as usize] = is_business_day;
        }
        Calendar { first, days }
    }

    /// True for a business day.
    pub fn is_business_day(&self, day: Day) -> bool {
        let place = usize::try_from(i64::from(day.0) - i64::from(self.first)).ok();
        place.and_then(|place| self.days.get(place).copied()).unwrap_or_else(|| day.weekday() < 5)
    }

    /// The first business day after this day.
    pub fn next(&self, day: Day) -> Day {
        self.plus(day, 1)
    }

    /// The `count`-th business day after this day; the day itself for 0.
    pub fn plus(&self, day: Day, count: u32) -> Day {
        let mut day = day;
        for _ in 0..count {
            day = day.plus(1);
            while !self.is_business_day(day) {
                day = day.plus(1);
            }
        }
        day
    }

    /// The `count`-th business day before this day; the day itself for 0.
    pub fn minus(&self, day: Day, count: u32) -> Day {
        let mut day = day;
        for _ in 0..count {
            day = day.plus(-1);
            while !self.is_business_day(day) {
                day = day.plus(-1);
            }
        }
        day
    }

    /// This day, or the next business day when it is none.
    pub fn on_or_after(&self, day: Day) -> Day {
        if self.is_business_day(day) { day } else { self.next(day) }
    }

    /// Number of business days in `after < day <= until`; 0 when `until` is not later.
    pub fn count_between(&self, after: Day, until: Day) -> u32 {
        (after.0.saturating_add(1)..=until.0).filter(|day| self.is_business_day(Day(*day))).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn holidays_and_working_weekends_count() {
        let catalogue = Catalogue::embedded();
        let calendar = &catalogue.calendar;
        // National day 2025: holidays 1-8 October, Sunday 28 September and Saturday 11 October worked.
        assert!(!calendar.is_business_day(day("2025-10-01")));
        assert!(calendar.is_business_day(day("2025-09-28")));
        assert!(!calendar.is_business_day(day("2025-09-27")));
        assert_eq!(calendar.next(day("2025-09-30")), day("2025-10-09"));
        assert_eq!(calendar.plus(day("2025-09-30"), 2), day("2025-10-10"));
        assert_eq!(calendar.plus(day("2025-10-01"), 0), day("2025-10-01"));
        assert_eq!(calendar.minus(day("2025-10-09"), 1), day("2025-09-30"));
        assert_eq!(calendar.on_or_after(day("2025-10-04")), day("2025-10-09"));
        assert_eq!(calendar.count_between(day("2025-09-30"), day("2025-10-10")), 2);
        assert_eq!(calendar.count_between(day("2025-10-10"), day("2025-09-30")), 0);
    }
}
