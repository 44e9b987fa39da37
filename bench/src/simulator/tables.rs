//! The two catalogue tables that trade itself obeys, in the form that the simulator asks: business days and how busy
//! they are, and which industry buys from which.

use std::{collections::BTreeMap, sync::OnceLock};

use billwatch_market::catalogue::{self, Catalogue};
use billwatch_market::ids::{Code, Day};

/// Business days of the embedded catalogue.
pub struct Calendar {
    days: catalogue::calendar::Calendar,
}

impl Calendar {
    /// The calendar of the catalogue.
    pub fn embedded() -> Self {
        Calendar { days: Catalogue::embedded().calendar.clone() }
    }

    /// True on a business day.
    pub fn is_business_day(&self, day: Day) -> bool {
        self.days.is_business_day(day)
    }

    /// The day itself when it is a business day, else the next one (`due_date_adjusted`).
    pub fn roll(&self, day: Day) -> Day {
        self.days.on_or_after(day)
    }

    /// The n-th business day after a day, which itself never counts.
    pub fn after(&self, day: Day, count: u32) -> Day {
        self.days.plus(day, count)
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

/// Buyer section x supplier section: 2 common, 1 possible, 0 implausible; by letter, for the hot path.
pub struct TradeMatrix {
    weights: [[u8; 20]; 20],
}

impl TradeMatrix {
    /// The matrix of the catalogue; a pair that it does not know counts as possible.
    pub fn embedded() -> Self {
        let catalogue = Catalogue::embedded();
        let mut weights = [[1; 20]; 20];
        for (buyer, row) in (b'A'..).zip(&mut weights) {
            for (supplier, weight) in (b'A'..).zip(row.iter_mut()) {
                *weight = catalogue.trade.weight(section(buyer), section(supplier)).unwrap_or(1);
            }
        }
        TradeMatrix { weights }
    }

    /// Weight of a purchase between two section letters `A`..=`T`.
    pub fn weight(&self, buyer: u8, supplier: u8) -> u8 {
        self.weights[usize::from(buyer - b'A')][usize::from(supplier - b'A')]
    }
}

/// The letter of the section in which a division lies (GB/T 4754-2017).
pub fn section_of(division: u8) -> u8 {
    const FIRST: [(u8, u8); 20] = [
        (1, b'A'),
        (6, b'B'),
        (13, b'C'),
        (44, b'D'),
        (47, b'E'),
        (51, b'F'),
        (53, b'G'),
        (61, b'H'),
        (63, b'I'),
        (66, b'J'),
        (70, b'K'),
        (71, b'L'),
        (73, b'M'),
        (76, b'N'),
        (80, b'O'),
        (83, b'P'),
        (84, b'Q'),
        (86, b'R'),
        (91, b'S'),
        (97, b'T'),
    ];
    FIRST[FIRST.partition_point(|(first, _)| *first <= division).saturating_sub(1)].1
}

/// The n-th city (地市) of a province, counted round. `None` for a province without cities.
pub fn city(province: &str, nth: u64) -> Option<Code> {
    static CITIES: OnceLock<BTreeMap<String, Vec<Code>>> = OnceLock::new();
    let known = CITIES.get_or_init(|| {
        let mut cities: BTreeMap<String, Vec<Code>> = BTreeMap::new();
        let catalogue = Catalogue::embedded();
        for item in catalogue.enums.named("city").into_iter().flat_map(|table| &table.items) {
            // The first two digits of an area code are its province.
            let (Some(of), Some(code)) = (item.code.get(..2), Code::parse(&item.code)) else { continue };
            cities.entry(of.to_owned()).or_default().push(code);
        }
        cities
    });
    let of_province = known.get(province.get(..2)?)?;
    of_province.get((nth % of_province.len() as u64) as usize).copied()
}

/// The code of a section letter.
pub fn section(letter: u8) -> Code {
    Code::parse(char::from(letter).encode_utf8(&mut [0; 4])).expect("a section is one capital letter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_province_of_the_market_has_cities() {
        for (province, _) in super::super::world::PROVINCES {
            let city = city(province, 12_345).unwrap_or_else(|| panic!("{province} has no city"));
            assert_eq!(city.to_string()[..2], province[..2]);
        }
        assert_ne!(city("440000", 0), city("440000", 1));
    }

    #[test]
    fn the_tables_are_read() {
        let calendar = Calendar::embedded();
        let day = |text| Day::parse(text).expect("a day");
        assert_eq!(calendar.roll(day("2025-10-01")), day("2025-10-09"));
        assert_eq!(calendar.busyness(day("2025-12-31")), 35);
        assert_eq!(calendar.busyness(day("2025-03-15")), 0);
        assert_eq!(calendar.busyness(day("2025-03-12")), 10);
        let matrix = TradeMatrix::embedded();
        assert_eq!(matrix.weight(b'C', b'A'), 2);
        assert_eq!(matrix.weight(b'C', b'K'), 0);
        assert_eq!(matrix.weight(b'T', b'C'), 0);
    }
}
