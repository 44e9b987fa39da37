//! Functions over the members of a set: percentiles, shares, the largest.

use std::collections::BTreeMap;

use super::{definition::Unit, exact::Exact, expression::Function, print::print, slot::Members};
use crate::ids::{Day, PartyId};

/// Members with the number of their facts or lots, and their weight in fen.
pub(super) type Weights = BTreeMap<u64, (i64, i128)>;

/// The value of a function; `number` is its second argument (a percent, or how many), 0 without one.
pub(super) fn of_set(function: Function, number: i128, kind: Members, members: &Weights) -> Exact {
    let mut shares: Vec<(i128, u64)> = members.iter().map(|(member, (_, weight))| (*weight, *member)).collect();
    shares.sort_by(|(left, one), (right, other)| right.cmp(left).then(one.cmp(other)));
    let all: i128 = shares.iter().map(|(weight, _)| *weight).sum();
    let signed = |member: &u64| Exact::Number(i128::from(*member as i64));
    match function {
        Function::Min => members
            .keys()
            .map(|member| *member as i64)
            .min()
            .map_or(Exact::Null, |least| Exact::Number(i128::from(least))),
        Function::Max => members
            .keys()
            .map(|member| *member as i64)
            .max()
            .map_or(Exact::Null, |most| Exact::Number(i128::from(most))),
        Function::Percentile | Function::PercentileByNumber => {
            let weight = |(count, weight): &(i64, i128)| match function {
                Function::Percentile => *weight,
                _ => i128::from(*count),
            };
            let mut values: Vec<(i64, i128)> =
                members.iter().map(|(member, held)| (*member as i64, weight(held))).collect();
            values.sort_unstable();
            let all: i128 = values.iter().map(|(_, weight)| *weight).sum();
            let mut passed = 0;
            for (value, weight) in &values {
                passed += weight;
                if all > 0 && passed * 100 >= all * number {
                    return signed(&(*value as u64));
                }
            }
            Exact::Null
        }
        Function::Concentration => {
            let most = shares.iter().take(usize::try_from(number).unwrap_or(0)).map(|(weight, _)| *weight).sum();
            Exact::ratio(most, all)
        }
        Function::Herfindahl => {
            let squares = shares.iter().map(|(weight, _)| Exact::Number(*weight).times(&Exact::Number(*weight)));
            let sum = squares.fold(Exact::Number(0), |sum, square| sum.plus(&square));
            sum.over(&Exact::Number(all)).over(&Exact::Number(all))
        }
        Function::Weight => Exact::Number(all),
        Function::Largest => {
            let shown = shares.iter().take(usize::try_from(number).unwrap_or(0)).map(|(weight, member)| {
                let who = match kind {
                    Members::DueDates => Day(*member as i64 as i32).to_string(),
                    _ => PartyId::from_bits(*member).to_string(),
                };
                format!("{who} {}", print(&Exact::ratio(*weight, all), Unit::Percent))
            });
            Exact::Text(shown.collect::<Vec<_>>().join("; "))
        }
        _ => Exact::Null,
    }
}
