//! Buckets: the exact edges of every `*_bucket` enumeration.
//!
//! Source: derived.csv `buckets` and the texts of enums.csv. Amounts are fen, rates e4 (percent times 10^4), spreads e4,
//! terms days. Amount edges are lower bounds, inclusive; day ranges are inclusive as written. Row n of an enumeration is
//! bucket n + 1.

use crate::items::Row;

/// 1 CNY in fen.
const YUAN: i64 = 100;
const BILLION: i64 = 1_000_000_000 * YUAN;

/// Row = number of edges that the value has reached; edges are inclusive lower bounds of buckets 2, 3, ...
fn by_lower_bounds(value: i64, edges: &[i64]) -> Row {
    Row(edges.iter().take_while(|&&edge| value >= edge).count() as u16)
}

/// Row of the first bucket whose inclusive upper bound holds the value; above all bounds: the bucket after the last.
fn by_upper_bounds(value: i64, bounds: &[i64]) -> Row {
    Row(bounds.iter().take_while(|&&bound| value > bound).count() as u16)
}

/// amount_bucket of fen.
pub fn amount(fen: i64) -> Row {
    const EDGES: [i64; 15] = [
        100 * YUAN,
        1_000 * YUAN,
        10_000 * YUAN,
        50_000 * YUAN,
        100_000 * YUAN,
        200_000 * YUAN,
        500_000 * YUAN,
        1_000_000 * YUAN,
        3_000_000 * YUAN,
        5_000_000 * YUAN,
        10_000_000 * YUAN,
        50_000_000 * YUAN,
        100_000_000 * YUAN,
        500_000_000 * YUAN,
        BILLION,
    ];
    by_lower_bounds(fen, &EDGES)
}

/// asset_bucket of fen.
pub fn assets(fen: i64) -> Row {
    const EDGES: [i64; 7] =
        [10 * BILLION, 50 * BILLION, 100 * BILLION, 300 * BILLION, 1_000 * BILLION, 3_000 * BILLION, 10_000 * BILLION];
    by_lower_bounds(fen, &EDGES)
}

/// reg_capital_bucket of fen.
pub fn registered_capital(fen: i64) -> Row {
    const EDGES: [i64; 7] = [
        500_000 * YUAN,
        1_000_000 * YUAN,
        5_000_000 * YUAN,
        10_000_000 * YUAN,
        50_000_000 * YUAN,
        100_000_000 * YUAN,
        BILLION,
    ];
    by_lower_bounds(fen, &EDGES)
}

/// tenor_bucket of days from issue to due date.
pub fn tenor(days: i64) -> Row {
    by_upper_bounds(days, &[7, 14, 30, 60, 90, 120, 150, 184, 270, 366])
}

/// remaining_tenor_bucket of days to the due date; due or past due is RT01.
pub fn remaining_tenor(days: i64) -> Row {
    by_upper_bounds(days, &[0, 7, 30, 60, 90, 120, 150, 184])
}

/// rate_bucket of a rate e4; RB01 holds 0 alone, a negative rate is unknown.
pub fn rate(e4: i64) -> Row {
    const EDGES: [i64; 16] = [
        1, 1_000, 5_000, 8_000, 10_000, 12_000, 15_000, 18_000, 21_000, 25_000, 30_000, 35_000, 40_000, 50_000, 70_000,
        100_000,
    ];
    if e4 < 0 { Row::UNKNOWN } else { by_lower_bounds(e4, &EDGES) }
}

/// spread_bucket of a spread in e4 (100 e4 = 1 bp).
pub fn spread(e4: i64) -> Row {
    by_lower_bounds(e4, &[-5_000, -2_000, -500, 500, 2_000, 5_000, 10_000])
}

/// overdue_age_bucket of overdue days; 0 = not overdue.
pub fn overdue_age(days: i64) -> Row {
    by_upper_bounds(days, &[0, 3, 10, 30, 60, 90, 180, 365, 730])
}

/// hop_bucket of a number of endorsements.
pub fn hops(hops: i64) -> Row {
    by_upper_bounds(hops, &[0, 1, 2, 3, 5, 10, 20, 50])
}

/// lot_count_bucket of a number of live lots; no live lot counts as not split.
pub fn lot_count(lots: i64) -> Row {
    by_upper_bounds(lots, &[1, 2, 5, 10, 50, 100, 200, 500])
}

/// holding_period_bucket of days held.
pub fn holding_period(days: i64) -> Row {
    by_upper_bounds(days, &[0, 1, 3, 7, 30, 90, 184])
}

/// company_age_bucket of days since registration.
pub fn company_age(days: i64) -> Row {
    by_upper_bounds(days, &[30, 90, 180, 365, 1_095, 1_825, 3_650])
}

/// repo_term_bucket of days; above a year stays in the last bucket.
pub fn repo_term(days: i64) -> Row {
    by_upper_bounds(days, &[1, 7, 14, 21, 30, 60, 90, 180])
}

/// margin_ratio_bucket of margin over face, both fen: 0 exactly, below 10 %, ... 80 to below 100 %, 100 % and more.
pub fn margin_ratio(margin_fen: i64, face_fen: i64) -> Row {
    if face_fen <= 0 {
        return Row::UNKNOWN;
    }
    if margin_fen == 0 {
        return Row(0);
    }
    let (margin, face) = (i128::from(margin_fen) * 100, i128::from(face_fen));
    let edges = [10, 20, 30, 50, 80, 100];
    Row(1 + edges.iter().take_while(|&&percent| margin >= face * percent).count() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_fall_where_the_tables_say() {
        assert_eq!(
            [amount(9_999), amount(10_000), amount(BILLION - 1), amount(BILLION)].map(|row| row.0),
            [0, 1, 14, 15]
        );
        assert_eq!([tenor(7), tenor(8), tenor(184), tenor(366), tenor(367)].map(|row| row.0), [0, 1, 7, 9, 10]);
        assert_eq!(
            [remaining_tenor(-1), remaining_tenor(0), remaining_tenor(1), remaining_tenor(185)].map(|row| row.0),
            [0, 0, 1, 8]
        );
        assert_eq!(
            [rate(0), rate(1), rate(999), rate(1_000), rate(99_999), rate(100_000)].map(|row| row.0),
            [0, 1, 1, 2, 15, 16]
        );
        assert_eq!(rate(-1), Row::UNKNOWN);
        assert_eq!(
            [spread(-5_001), spread(-5_000), spread(-500), spread(499), spread(500), spread(10_000)].map(|row| row.0),
            [0, 1, 3, 3, 4, 7]
        );
        assert_eq!([margin_ratio(0, 100), margin_ratio(1, 100), margin_ratio(10, 100)].map(|row| row.0), [0, 1, 2]);
        assert_eq!([margin_ratio(99, 100), margin_ratio(100, 100), margin_ratio(200, 100)].map(|row| row.0), [6, 7, 7]);
        assert_eq!(
            [company_age(366), company_age(1_095), company_age(1_096), company_age(3_651)].map(|row| row.0),
            [4, 4, 5, 7]
        );
        assert_eq!(
            [overdue_age(0), overdue_age(1), overdue_age(365), overdue_age(366), overdue_age(731)].map(|row| row.0),
            [0, 1, 7, 8, 9]
        );
        assert_eq!(hops(51).0, 8);
        assert_eq!(repo_term(200).0, 8);
    }
}
