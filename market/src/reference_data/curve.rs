//! Yield curves (REF.CRV) and deposit and benchmark rates (REF.DEP) as of an instant (derived.csv `curve_e4`, `r_S`, `m`).

use crate::{
    fact::{Fact, Field, behaviour},
    items::{Row, Vocabulary},
    reference_data::timeline::Timeline,
};

/// The points of one curve, by row of curve_tenor.
type Points = Vec<Timeline<i64>>;

/// All curves, by row of bill_class, and all rates, by row of rate_kind.
#[derive(Clone, Default)]
pub(super) struct Curves {
    /// Days of each curve_tenor row, ascending.
    tenor_days: Vec<i64>,
    classes: Vec<Points>,
    rates: Vec<Points>,
    /// Rates published without a tenor, by row of rate_kind.
    plain_rates: Vec<Timeline<i64>>,
}

impl Curves {
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let known = &vocabulary.known;
        let tenor_days: Vec<i64> = vocabulary
            .codes(known.curve_tenor)
            .iter()
            .map(|code| code.trim_start_matches("TM").parse().unwrap_or(i64::MAX))
            .collect();
        let points = |number| vec![vec![Timeline::default(); tenor_days.len()]; number];
        Curves {
            classes: points(vocabulary.codes(known.bill_class).len()),
            rates: points(vocabulary.codes(known.rate_kind).len()),
            plain_rates: vec![Timeline::default(); vocabulary.codes(known.rate_kind).len()],
            tenor_days,
        }
    }

    /// Puts or takes one point; returns the class or the rate that it is about. Points of unknown codes are kept by nobody.
    pub fn put(&mut self, fact: &Fact, from: i64, present: bool, vocabulary: &Vocabulary) -> Option<Row> {
        let known = &vocabulary.known;
        let tenor = fact.code(Field::CurveTenor).map(|code| vocabulary.row(known.curve_tenor, code));
        let (row, points) = if fact.behaviour == behaviour::REF_CRV {
            (vocabulary.row(known.bill_class, fact.code(Field::BillClass)?), &mut self.classes)
        } else {
            (vocabulary.row(known.rate_kind, fact.code(Field::RateKind)?), &mut self.rates)
        };
        let timeline = match tenor {
            Some(tenor) => points.get_mut(usize::from(row.0))?.get_mut(usize::from(tenor.0))?,
            None if fact.behaviour == behaviour::REF_DEP => self.plain_rates.get_mut(usize::from(row.0))?,
            None => return None,
        };
        match fact.int(Field::RateE4) {
            Some(rate) if present => timeline.insert(from, fact.order_key(), rate),
            _ => timeline.remove(from, fact.order_key()),
        }
        Some(row)
    }

    /// True when a curve has a point at an instant: that of a class, or any.
    pub fn has_points(&self, class: Option<Row>, at: i64) -> bool {
        let has = |points: &Points| points.iter().any(|timeline| timeline.at(at).is_some());
        match class {
            Some(class) => self.classes.get(usize::from(class.0)).is_some_and(has),
            None => self.classes.iter().any(has),
        }
    }

    /// The curve of a class at so many days: linear between neighbouring points, half up, flat outside.
    pub fn curve_e4(&self, class: Row, days: i64, at: i64) -> Option<i64> {
        let points = self.classes.get(usize::from(class.0))?;
        let (mut below, mut above) = (None, None);
        for (timeline, &point_days) in points.iter().zip(&self.tenor_days) {
            let Some(&rate) = timeline.at(at) else { continue };
            if point_days <= days {
                below = Some((point_days, rate));
            } else {
                above = Some((point_days, rate));
                break;
            }
        }
        match (below, above) {
            (Some((d0, r0)), Some((d1, r1))) => {
                let [r0, r1, d0, d1, days] = [r0, r1, d0, d1, days].map(i128::from);
                let (over, under) = (r0 * (d1 - d0) + (r1 - r0) * (days - d0), d1 - d0);
                i64::try_from((2 * over + under).div_euclid(2 * under)).ok()
            }
            (Some((_, rate)), None) | (None, Some((_, rate))) => Some(rate),
            (None, None) => None,
        }
    }

    /// The rate of a kind at the tenor nearest to so many days (of two equally near the shorter), else without tenor.
    pub fn rate_e4(&self, kind: Row, days: i64, at: i64) -> Option<i64> {
        let points = self.rates.get(usize::from(kind.0))?;
        let nearest = points
            .iter()
            .zip(&self.tenor_days)
            .filter_map(|(timeline, point_days)| Some(((point_days - days).abs(), *timeline.at(at)?)))
            .min_by_key(|(distance, _)| *distance);
        nearest.map(|(_, rate)| rate).or_else(|| self.plain_rates[usize::from(kind.0)].at(at).copied())
    }
}
