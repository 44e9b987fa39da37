//! The two catalogue tables that trade itself obeys: business days and which industry buys from which.

use billwatch_market::ids::Day;

/// Business days: Monday to Friday, changed by `calendar.csv` (facts.md 6).
pub struct Calendar {
    /// (day, is a business day), sorted by day.
    changes: Vec<(Day, bool)>,
}

impl Calendar {
    /// The calendar of the catalogue.
    pub fn embedded() -> Self {
        let table = include_str!("../../../market/catalogue/calendar.csv");
        let mut changes: Vec<(Day, bool)> = table
            .lines()
            .skip(1)
            .filter_map(|line| {
                let (day, kind) = line.split_once(',')?;
                Some((Day::parse(day)?, kind.trim() == "WORKDAY"))
            })
            .collect();
        changes.sort();
        Calendar { changes }
    }

    /// True on a business day.
    pub fn is_business_day(&self, day: Day) -> bool {
        match self.changes.binary_search_by_key(&day, |(changed, _)| *changed) {
            Ok(at) => self.changes[at].1,
            Err(_) => day.weekday() < 5,
        }
    }

    /// The day itself when it is a business day, else the next one (`due_date_adjusted`).
    pub fn roll(&self, day: Day) -> Day {
        let mut rolled = day;
        while !self.is_business_day(rolled) {
            rolled = rolled.plus(1);
        }
        rolled
    }

    /// The n-th business day after a day, which itself never counts.
    pub fn after(&self, day: Day, count: u32) -> Day {
        let mut reached = day;
        for _ in 0..count {
            reached = self.roll(reached.plus(1));
        }
        reached
    }

    /// How busy a day is, 10 = a normal business day, 0 = no business (domain.md 12.4).
    pub fn busyness(&self, day: Day) -> u64 {
        if !self.is_business_day(day) {
            return 0;
        }
        let (_, month, _) = day.ymd();
        let next_month = day.month_start().add_months(1);
        if self.after(day, 3) >= next_month {
            return match month {
                12 => 35,
                3 | 6 | 9 => 25,
                _ => 18,
            };
        }
        if !self.is_business_day(day.plus(-1)) && !self.is_business_day(day.plus(-3)) {
            return 16;
        }
        let month_start = self.roll(day.month_start());
        if day <= self.after(month_start, 1) { 8 } else { 10 }
    }
}

/// Buyer section x supplier section: 2 common, 1 possible, 0 implausible (`trade_matrix.csv`).
pub struct TradeMatrix {
    weights: [[u8; 20]; 20],
}

impl TradeMatrix {
    /// The matrix of the catalogue.
    pub fn embedded() -> Self {
        let mut weights = [[0; 20]; 20];
        for line in include_str!("../../../market/catalogue/trade_matrix.csv").lines().skip(1) {
            let cells = line.trim().as_bytes();
            if let &[buyer @ b'A'..=b'T', b',', supplier @ b'A'..=b'T', b',', weight @ b'0'..=b'2'] = cells {
                weights[usize::from(buyer - b'A')][usize::from(supplier - b'A')] = weight - b'0';
            }
        }
        TradeMatrix { weights }
    }

    /// Weight of a purchase between two section letters `A`..=`T`.
    pub fn weight(&self, buyer: u8, supplier: u8) -> u8 {
        self.weights[usize::from(buyer - b'A')][usize::from(supplier - b'A')]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read() {
        let calendar = Calendar::embedded();
        let day = |text| Day::parse(text).expect("a day");
        assert!(!calendar.is_business_day(day("2025-10-01")));
        assert_eq!(calendar.roll(day("2025-10-01")), day("2025-10-09"));
        assert!(!calendar.is_business_day(day("2025-03-15")));
        assert_eq!(calendar.after(day("2025-03-14"), 1), day("2025-03-17"));
        assert_eq!(calendar.busyness(day("2025-12-31")), 35);
        assert_eq!(calendar.busyness(day("2025-03-15")), 0);
        let matrix = TradeMatrix::embedded();
        assert_eq!(matrix.weight(b'C', b'A'), 2);
        assert_eq!(matrix.weight(b'C', b'K'), 0);
        assert_eq!(matrix.weight(b'T', b'C'), 0);
    }
}
