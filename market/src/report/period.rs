//! Reporting periods (reports.md 0.1) and the spans of dates that columns read.

use serde::{Deserialize, Serialize};

use crate::{catalogue::calendar::Calendar, ids::Day};

/// Business dates begin here (fields.csv).
const BEGINNING: Day = Day(-7_397);

/// How often a report is made: `report_period` D, W, M, Q.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Frequency {
    /// One business date.
    Daily,
    /// Monday to Sunday.
    Weekly,
    /// Calendar month.
    Monthly,
    /// Calendar quarter.
    Quarterly,
}

impl Frequency {
    /// Its code in reports.csv.
    pub fn code(self) -> &'static str {
        match self {
            Frequency::Daily => "D",
            Frequency::Weekly => "W",
            Frequency::Monthly => "M",
            Frequency::Quarterly => "Q",
        }
    }

    /// By its code in reports.csv.
    pub fn parse(code: &str) -> Option<Self> {
        Some(match code {
            "D" => Frequency::Daily,
            "W" => Frequency::Weekly,
            "M" => Frequency::Monthly,
            "Q" => Frequency::Quarterly,
            _ => return None,
        })
    }
}

/// One period of a report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Period {
    /// Of the report.
    pub frequency: Frequency,
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Day,
}

/// Dates that a figure reads: a flow all of them, a stock the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Span {
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Day,
}

/// Which dates, seen from the period of the report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Shift {
    /// The period.
    Now,
    /// The period before: `@prev`. Of a date the business day before.
    Previous,
    /// The same period a year ago: `@year_ago`.
    YearAgo,
    /// From the first of the month: `@mtd`.
    MonthToDate,
    /// From the first of the year: `@ytd`.
    YearToDate,
    /// The same a year ago: `@ytd_year_ago`.
    YearToDateYearAgo,
    /// The day before the period: `@open`. For stocks.
    Opening,
    /// All days up to the end of the period: `@ever`.
    Ever,
    /// All days before the period: `@before`.
    Before,
    /// Six months that end with the period: `@half`.
    HalfYear,
    /// The period before and the period: `@pair`.
    Pair,
    /// Five business days that end with the period: `@days5`.
    FiveDays,
    /// The last day of the period, as a daily report: `@last`. For cells of other reports.
    LastDay,
    /// Each month of a quarter: `@month1`, `@month2`, `@month3`. For cells of other reports.
    MonthOf(u8),
}

impl Shift {
    /// By the name after the `@`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "prev" => Shift::Previous,
            "year_ago" => Shift::YearAgo,
            "mtd" => Shift::MonthToDate,
            "ytd" => Shift::YearToDate,
            "ytd_year_ago" => Shift::YearToDateYearAgo,
            "open" => Shift::Opening,
            "ever" => Shift::Ever,
            "before" => Shift::Before,
            "half" => Shift::HalfYear,
            "pair" => Shift::Pair,
            "days5" => Shift::FiveDays,
            "last" => Shift::LastDay,
            "month1" => Shift::MonthOf(0),
            "month2" => Shift::MonthOf(1),
            "month3" => Shift::MonthOf(2),
            _ => return None,
        })
    }
}

impl Span {
    /// True for its days.
    pub fn holds(&self, day: Day) -> bool {
        (self.from..=self.to).contains(&day)
    }

    /// All days up to its end.
    pub fn ever(&self) -> Span {
        Span { from: BEGINNING, to: self.to }
    }
}

impl Period {
    /// The period that holds a day.
    pub fn containing(frequency: Frequency, day: Day) -> Self {
        let month = day.month_start();
        let (from, to) = match frequency {
            Frequency::Daily => (day, day),
            Frequency::Weekly => {
                let monday = day.plus(-(day.weekday() as i32));
                (monday, monday.plus(6))
            }
            Frequency::Monthly => (month, month.add_months(1).plus(-1)),
            Frequency::Quarterly => {
                let (_, number, _) = month.ymd();
                let first = month.add_months(-((number as i32 - 1) % 3));
                (first, first.add_months(3).plus(-1))
            }
        };
        Period { frequency, from, to }
    }

    /// Reads `2025-04-08`, `2025-W15`, `2025-04`, `2025-Q2`, or any date of the period.
    pub fn parse(frequency: Frequency, text: &str) -> Option<Self> {
        let day = Day::parse(text).or_else(|| {
            let (year, rest) = text.split_once('-')?;
            if year.len() != 4 {
                return None;
            }
            let year: i32 = year.parse().ok()?;
            match (frequency, rest.strip_prefix('Q'), rest.strip_prefix('W')) {
                (Frequency::Quarterly, Some(quarter), _) => {
                    let quarter: u32 = quarter.parse().ok().filter(|quarter| (1..=4).contains(quarter))?;
                    Day::from_ymd(year, quarter * 3 - 2, 1)
                }
                (Frequency::Weekly, _, Some(week)) => {
                    let week: i32 = week.parse().ok().filter(|week| (1..=53).contains(week))?;
                    let day = first_week(year)?.plus(7 * (week - 1));
                    (iso_week(day) == (year, week)).then_some(day)
                }
                (Frequency::Monthly, None, None) if rest.len() == 2 => Day::from_ymd(year, rest.parse().ok()?, 1),
                _ => None,
            }
        })?;
        Some(Period::containing(frequency, day))
    }

    /// As [`Period::parse`] reads it.
    pub fn label(&self) -> String {
        let (year, month, _) = self.from.ymd();
        match self.frequency {
            Frequency::Daily => self.from.to_string(),
            Frequency::Weekly => {
                let (year, week) = iso_week(self.from);
                format!("{year:04}-W{week:02}")
            }
            Frequency::Monthly => format!("{year:04}-{month:02}"),
            Frequency::Quarterly => format!("{year:04}-Q{}", month.div_ceil(3)),
        }
    }

    /// The period before; of a date the business day before.
    pub fn previous(&self, calendar: &Calendar) -> Period {
        match self.frequency {
            Frequency::Daily => Period::containing(self.frequency, calendar.minus(self.from, 1)),
            _ => Period::containing(self.frequency, self.from.plus(-1)),
        }
    }

    /// The same period a year ago: 52 weeks, 12 months.
    pub fn year_ago(&self) -> Period {
        match self.frequency {
            Frequency::Weekly => Period::containing(self.frequency, self.from.plus(-7 * 52)),
            _ => Period::containing(self.frequency, self.from.add_months(-12)),
        }
    }

    /// The dates of a shift.
    pub fn span(&self, shift: Shift, calendar: &Calendar) -> Span {
        let of = |period: Period| Span { from: period.from, to: period.to };
        let to_date = |period: Period, months: u32| {
            let start = period.to.month_start();
            let (_, month, _) = start.ymd();
            let from = if months == 1 { start } else { start.add_months(1 - month as i32) };
            Span { from, to: period.to }
        };
        let before = self.from.plus(-1);
        match shift {
            Shift::Now => of(*self),
            Shift::Previous => of(self.previous(calendar)),
            Shift::YearAgo => of(self.year_ago()),
            Shift::MonthToDate => to_date(*self, 1),
            Shift::YearToDate => to_date(*self, 12),
            Shift::YearToDateYearAgo => to_date(self.year_ago(), 12),
            Shift::Opening => Span { from: before, to: before },
            Shift::Ever => of(*self).ever(),
            Shift::Before => Span { from: BEGINNING, to: before },
            Shift::HalfYear => Span { from: self.to.month_start().add_months(-5), to: self.to },
            Shift::Pair => Span { from: self.previous(calendar).from, to: self.to },
            Shift::FiveDays => Span { from: calendar.minus(self.to.plus(1), 5), to: self.to },
            Shift::LastDay => Span { from: self.to, to: self.to },
            Shift::MonthOf(number) => {
                let month = self.from.month_start().add_months(i32::from(number));
                of(Period::containing(Frequency::Monthly, month))
            }
        }
    }

    /// The period of another report, of this frequency, that a shift means.
    pub fn of_report(&self, shift: Shift, frequency: Frequency, calendar: &Calendar) -> Period {
        match shift {
            Shift::Now | Shift::LastDay => Period::containing(frequency, self.to),
            Shift::Previous => self.previous(calendar),
            _ => Period::containing(frequency, self.span(shift, calendar).from),
        }
    }
}

/// Monday of ISO week 1: the week of 4 January.
fn first_week(year: i32) -> Option<Day> {
    let day = Day::from_ymd(year, 1, 4)?;
    Some(day.plus(-(day.weekday() as i32)))
}

/// ISO year and week of a day.
fn iso_week(day: Day) -> (i32, i32) {
    let thursday = day.plus(3 - day.weekday() as i32);
    let (year, ..) = thursday.ymd();
    let first = first_week(year).map_or(thursday.0, |first| first.0);
    (year, (thursday.0 - first) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn period(frequency: Frequency, text: &str) -> Period {
        Period::parse(frequency, text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn periods_print_as_they_are_read() {
        for (frequency, text, from, to) in [
            (Frequency::Daily, "2025-04-08", "2025-04-08", "2025-04-08"),
            (Frequency::Weekly, "2025-W15", "2025-04-07", "2025-04-13"),
            (Frequency::Weekly, "2026-W01", "2025-12-29", "2026-01-04"),
            (Frequency::Monthly, "2024-02", "2024-02-01", "2024-02-29"),
            (Frequency::Quarterly, "2025-Q2", "2025-04-01", "2025-06-30"),
        ] {
            let read = period(frequency, text);
            assert_eq!((read.from.to_string(), read.to.to_string()), (from.to_owned(), to.to_owned()));
            assert_eq!(read.label(), text);
            assert_eq!(period(frequency, from), read, "a date names its period");
        }
        for (frequency, text) in [
            (Frequency::Monthly, "2025-13"),
            (Frequency::Quarterly, "2025-Q5"),
            (Frequency::Weekly, "2025-W53"),
            (Frequency::Monthly, "2025"),
        ] {
            assert_eq!(Period::parse(frequency, text), None, "{text}");
        }
    }

    #[test]
    fn shifts_are_spans_of_dates() {
        let calendar = &Catalogue::embedded().calendar;
        let shown = |period: Period, shift| {
            let span = period.span(shift, calendar);
            format!("{}..{}", span.from, span.to)
        };
        let month = period(Frequency::Monthly, "2025-04");
        assert_eq!(shown(month, Shift::Previous), "2025-03-01..2025-03-31");
        assert_eq!(shown(month, Shift::YearAgo), "2024-04-01..2024-04-30");
        assert_eq!(shown(month, Shift::Opening), "2025-03-31..2025-03-31");
        assert_eq!(shown(month, Shift::YearToDate), "2025-01-01..2025-04-30");
        assert_eq!(shown(month, Shift::HalfYear), "2024-11-01..2025-04-30");
        let monday = period(Frequency::Daily, "2025-04-14");
        assert_eq!(shown(monday, Shift::Previous), "2025-04-11..2025-04-11");
        assert_eq!(shown(monday, Shift::MonthToDate), "2025-04-01..2025-04-14");
        assert_eq!(shown(monday, Shift::FiveDays), "2025-04-08..2025-04-14");
        assert_eq!(month.of_report(Shift::LastDay, Frequency::Daily, calendar).label(), "2025-04-30");
        let quarter = period(Frequency::Quarterly, "2025-Q2");
        assert_eq!(quarter.of_report(Shift::MonthOf(1), Frequency::Monthly, calendar).label(), "2025-05");
    }
}
