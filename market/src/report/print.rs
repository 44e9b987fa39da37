//! Printing: the one place where values of reports are rounded (reports.md 0.1: half-even, at the last step).

use super::{definition::Unit, exact::Exact};

/// What stands for nothing.
pub const NOTHING: &str = "-";
/// Fen of 亿元 (100 million CNY).
const HUNDRED_MILLION_YUAN: i128 = 10_000_000_000;
/// Fen of 万元 (10 thousand CNY).
const TEN_THOUSAND_YUAN: i128 = 1_000_000;
/// Milliseconds of 小时.
const MS_OF_HOUR: i128 = 3_600_000;

impl Unit {
    /// (factor over, factor under, decimals) between the value and what is printed.
    fn scale(self) -> (i128, i128, u32) {
        match self {
            Unit::Amount => (1, HUNDRED_MILLION_YUAN, 2),
            Unit::SmallAmount => (1, TEN_THOUSAND_YUAN, 2),
            Unit::Count | Unit::Flag | Unit::Level | Unit::Text => (1, 1, 0),
            Unit::Percent => (100, 1, 4),
            Unit::Rate => (1, 10_000, 4),
            Unit::BasisPoints => (1, 100, 2),
            Unit::Days => (1, 1, 2),
            Unit::Hours => (1, MS_OF_HOUR, 1),
            Unit::Ratio => (1, 1, 4),
        }
    }

    /// The words of the unit.
    pub fn words(self) -> &'static str {
        match self {
            Unit::Amount => "亿元",
            Unit::SmallAmount => "万元",
            Unit::Count => "",
            Unit::Percent | Unit::Rate => "%",
            Unit::BasisPoints => "bp",
            Unit::Days => "天",
            Unit::Hours => "小时",
            Unit::Ratio | Unit::Flag | Unit::Level | Unit::Text => "",
        }
    }

    /// The unit in both languages, for the description of a report.
    pub fn in_both(self) -> &'static str {
        match self {
            Unit::Amount => "100 million CNY 亿元",
            Unit::SmallAmount => "10 thousand CNY 万元",
            Unit::Count => "number 个数",
            Unit::Percent | Unit::Rate => "percent 百分比",
            Unit::BasisPoints => "basis points 基点",
            Unit::Days => "days 天",
            Unit::Hours => "hours 小时",
            Unit::Ratio => "ratio 比值",
            Unit::Flag => "yes or no 是否",
            Unit::Level => "alert level 预警等级",
            Unit::Text => "text 文字",
        }
    }

    /// Decimals that are printed.
    pub fn decimals(self) -> u32 {
        self.scale().2
    }
}

/// The printed form.
pub fn print(value: &Exact, unit: Unit) -> String {
    if let Exact::Text(text) = value {
        return text.clone();
    }
    if unit == Unit::Flag && !value.is_null() {
        return if value.is_true() { "是" } else { "否" }.to_owned();
    }
    if let (Unit::Level, Exact::Number(level)) = (unit, value) {
        let names = ["正常", "蓝", "黄", "橙", "红"];
        return usize::try_from(*level).ok().and_then(|level| names.get(level)).copied().unwrap_or(NOTHING).to_owned();
    }
    let Some((number, decimals)) = rounded(value, unit) else { return NOTHING.to_owned() };
    let sign = if number < 0 { "-" } else { "" };
    let digits = number.unsigned_abs();
    let power = 10u128.pow(decimals);
    match decimals {
        0 => format!("{sign}{digits}"),
        _ => format!("{sign}{}.{:0width$}", digits / power, digits % power, width = decimals as usize),
    }
}

/// The value times 10^decimals in the printed unit, rounded half-even.
fn rounded(value: &Exact, unit: Unit) -> Option<(i128, u32)> {
    let (over, under, decimals) = unit.scale();
    let factor = Exact::ratio(over * 10i128.pow(decimals), under);
    let (over, under) = value.times(&factor).parts()?;
    let whole = over.div_euclid(under);
    let rest = over.rem_euclid(under);
    let up = match (rest.checked_mul(2).unwrap_or(i128::MAX)).cmp(&under) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => whole % 2 != 0,
    };
    Some((whole + i128::from(up), decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_half_even_at_the_last_step() {
        let fen = |fen| print(&Exact::Number(fen), Unit::Amount);
        assert_eq!(fen(123_456_789_012), "12.35");
        assert_eq!(fen(50_000_000), "0.00", "half to even");
        assert_eq!(fen(150_000_000), "0.02");
        assert_eq!(fen(-150_000_000), "-0.02");
        assert_eq!(fen(-50_000_000), "0.00");
        assert_eq!(print(&Exact::ratio(1, 3), Unit::Percent), "33.3333");
        assert_eq!(print(&Exact::ratio(123_456_789, 10_000), Unit::Rate), "1.2346");
        assert_eq!(print(&Exact::Number(90 * 60_000), Unit::Hours), "1.5");
        assert_eq!(print(&Exact::Number(3 * 60_000), Unit::Hours), "0.0", "half to even");
        assert_eq!(print(&Exact::Null, Unit::Count), "-");
        assert_eq!(print(&Exact::Number(7), Unit::Count), "7");
        assert_eq!(print(&Exact::Number(0), Unit::Flag), "否");
        assert_eq!(print(&Exact::Number(4), Unit::Level), "红");
        assert_eq!(print(&Exact::Null, Unit::Level), "-");
    }
}
