//! Words of windows that look at members and buckets one by one. All are pure functions of the cells that they name.

use std::collections::BTreeMap;

use super::{KeyScope, past::base_length};
use crate::{
    fact::Field,
    ids::{Day, PartyId},
    pattern::{
        number::Number,
        sight::Registry,
        statistics,
        windows::{BucketWidth, Cell, Member, Windows},
    },
};

/// A number as the first member that is not below it; members are never negative.
pub(super) fn first_member(number: Number) -> Option<Member> {
    Some(number.negate()?.floor().checked_neg()?.max(0) as Member)
}

/// Takes whole buckets from the end of ascending cells until they hold so many facts; members with their numbers of facts.
fn take_newest(cells: &mut Vec<(i64, Member, Cell)>, count: i64) -> Vec<(f64, i64)> {
    let (mut taken, mut facts) = (Vec::new(), 0);
    while let Some((bucket, ..)) = cells.last().copied()
        && facts < count
    {
        while let Some((_, member, cell)) = cells.pop_if(|(of, ..)| *of == bucket) {
            taken.push((member as f64, cell.count));
            facts += cell.count;
        }
    }
    taken
}

impl<W: Windows, R: Registry> KeyScope<'_, W, R> {
    /// Members of a window from the first to the last, with their cells; none when they cross.
    fn members_between(&self, window: usize, arguments: &[Number]) -> Option<impl Iterator<Item = &(Member, Cell)>> {
        let first = first_member(*arguments.first()?)?;
        let last = Member::try_from(arguments.get(1)?.floor()).ok();
        let within = move |member: &Member| *member >= first && last.is_some_and(|last| *member <= last);
        Some(self.members(window).iter().filter(move |(member, _)| within(member)))
    }

    pub(super) fn count_between(&self, window: usize, arguments: &[Number]) -> Option<i128> {
        Some(self.members_between(window, arguments)?.map(|(_, cell)| i128::from(cell.count)).sum())
    }

    pub(super) fn sum_grid(&self, window: usize, arguments: &[Number]) -> Option<i128> {
        let width = Member::try_from(arguments.first()?.as_whole()?).ok().filter(|width| *width > 0)?;
        let (last, least) = (arguments.get(1)?, first_member(*arguments.get(2)?)?);
        let Ok(last) = Member::try_from(last.floor()) else { return Some(0) };
        let counts = |member: Member| member / width <= last && member % width >= least;
        let members = self.members(window).iter().filter(|(member, _)| counts(*member));
        Some(members.map(|(_, cell)| cell.sum).sum())
    }

    /// First and last bucket of a day.
    pub(super) fn buckets_of(&self, day: Number) -> Option<(i64, i64)> {
        let day = Day(i32::try_from(day.floor()).ok()?);
        Some(match self.keyed.width {
            BucketWidth::Day => (i64::from(day.0), i64::from(day.0)),
            width @ BucketWidth::Millis(_) => (width.bucket(day, day.start_ms()), width.bucket(day, day.end_ms() - 1)),
        })
    }

    pub(super) fn sum_since(&self, window: usize, arguments: &[Number]) -> Option<i128> {
        let (since, _) = self.buckets_of(*arguments.first()?)?;
        let Some((from, to)) = self.span(window) else { return Some(0) };
        let feature = self.keyed.windows[window].feature;
        let from = from.max(since);
        Some(if from > to { 0 } else { self.windows.total(feature, self.key, from, to).sum })
    }

    pub(super) fn first_day(&self, window: usize) -> Option<Number> {
        let (from, to) = self.span(window)?;
        let mut first = None;
        self.windows.buckets_with_facts(self.keyed.windows[window].feature, self.key, from, to, &mut |bucket| {
            first = first.or(Some(bucket));
        });
        Some(i64::from(self.keyed.width.date(first?).0).into())
    }

    pub(super) fn last_day_before(&self, window: usize) -> Option<Number> {
        let (from, _) = self.span(window)?;
        let mut last = None;
        let (feature, to) = (self.keyed.windows[window].feature, from.saturating_sub(1));
        self.windows.buckets_with_facts(feature, self.key, i64::MIN, to, &mut |bucket| last = Some(bucket));
        Some(i64::from(self.keyed.width.date(last?).0).into())
    }

    /// How many of the n windows before the judged one have a sum.
    pub(super) fn active_periods(&self, window: usize, arguments: &[Number]) -> Option<i128> {
        let (count, (from, to)) = (base_length(arguments)?, self.span(window)?);
        let (feature, length) = (self.keyed.windows[window].feature, to - from + 1);
        let sum = |back: i64| self.windows.total(feature, self.key, from - back * length, to - back * length).sum;
        Some((1..=count).filter(|back| sum(*back) != 0).count() as i128)
    }

    /// Groups of the members; one without a group counts as one of its own.
    pub(super) fn distinct_groups(&self, window: usize) -> i128 {
        let group = |member: Member| {
            let party = PartyId::from_bits(u64::try_from(member).ok()?);
            self.registry.attribute(party, None, Field::GroupId, self.moment())?.as_whole()
        };
        let members = self.members(window).iter();
        let mut groups: Vec<i128> = members.map(|(member, _)| group(*member).unwrap_or(*member as i128)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.len() as i128
    }

    pub(super) fn raised(&self, window: usize) -> i128 {
        let rises = self.cells_of(window).into_iter().filter(|(_, _, cell)| cell.sum > 0);
        let mut members: Vec<Member> = rises.map(|(_, member, _)| member).collect();
        members.sort_unstable();
        members.dedup();
        members.len() as i128
    }

    pub(super) fn new_members(&self, window: usize) -> Option<i128> {
        let Some((from, _)) = self.span(window) else { return Some(0) };
        let feature = self.keyed.windows[window].feature;
        let before = self.windows.members(feature, self.key, i64::MIN, from.saturating_sub(1));
        let is_new = |member: &Member| before.binary_search_by_key(member, |(known, _)| *known).is_err();
        Some(self.members(window).iter().filter(|(member, _)| is_new(member)).count() as i128)
    }

    /// Nearest rank over the members, each as often as it has facts.
    pub(super) fn member_quantile(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let members = self.members(window);
        let facts: i64 = members.iter().map(|(_, cell)| cell.count).sum();
        let wanted = arguments.first()?.times(facts.into())?;
        let rank = wanted.negate()?.floor().checked_neg()?.max(1);
        let mut seen = 0;
        let found = members.iter().find(|(_, cell)| {
            seen += i128::from(cell.count);
            seen >= rank
        });
        i128::try_from(found?.0).ok().map(Number::whole)
    }

    pub(super) fn near(&self, window: usize, arguments: &[Number]) -> Option<bool> {
        let other = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let apart = i64::try_from(arguments.get(1)?.floor()).ok()?;
        let (left, right) = (self.buckets(window), self.buckets(other));
        // Both ascend: for each on the left, the first on the right that is not too early.
        let mut at = 0;
        Some(left.iter().any(|bucket| {
            while right.get(at).is_some_and(|other| *other < bucket - apart) {
                at += 1;
            }
            right.get(at).is_some_and(|other| *other <= bucket + apart)
        }))
    }

    fn buckets(&self, window: usize) -> Vec<i64> {
        let mut buckets = Vec::new();
        if let Some((from, to)) = self.span(window) {
            let feature = self.keyed.windows[window].feature;
            self.windows.buckets_with_facts(feature, self.key, from, to, &mut |bucket| buckets.push(bucket));
        }
        buckets
    }

    /// The largest sum of a member over its mean amount in another window; members that are not there, or have the mean 0, are
    /// passed over.
    pub(super) fn largest_ratio(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let other = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let means = self.members(other);
        let ratio = |(member, cell): &(Member, Cell)| {
            let at = means.binary_search_by_key(member, |(known, _)| *known).ok()?;
            let mean = Number::ratio(means[at].1.sum, means[at].1.count.into())?;
            Number::whole(cell.sum).over(mean)
        };
        Some(self.members(window).iter().filter_map(ratio).max().unwrap_or(Number::ZERO))
    }

    pub(super) fn shared_sum(&self, window: usize, arguments: &[Number]) -> Option<i128> {
        let others = self.members(usize::try_from(arguments.first()?.as_whole()?).ok()?);
        let is_shared = |member: &Member| others.binary_search_by_key(member, |(known, _)| *known).is_ok();
        let shared = self.members(window).iter().filter(|(member, _)| is_shared(member));
        Some(shared.map(|(_, cell)| cell.sum).sum())
    }

    /// See `Window::LongestChain`. Members come once each: bills that are discounted, and bills that are accepted.
    pub(super) fn longest_chain(&self, window: usize, arguments: &[Number]) -> Option<i128> {
        let other = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let gap = i64::try_from(arguments.get(1)?.floor()).ok()?;
        let (lo, hi) = (*arguments.get(2)?, *arguments.get(3)?);
        let (starts, ends) = (self.cells_of(window), self.cells_of(other));
        // Longest chain that ends with each member so far. Ends ascend, so what a link goes on from is known before it; only
        // on one day a bill may stand behind the one that it leads to, therefore a day is gone through until nothing grows.
        let mut links: BTreeMap<Member, i128> = BTreeMap::new();
        let mut longest = 0;
        for of_day in ends.chunk_by(|left, right| left.0 == right.0) {
            let day = of_day[0].0;
            let first = starts.partition_point(|(from, ..)| *from < day - gap);
            let last = starts.partition_point(|(from, ..)| *from <= day);
            // A chain through all bills of a day needs as many rounds; one that never ends would need a bill twice.
            for _ in 0..of_day.len() {
                let mut grew = false;
                for (_, member, given) in of_day {
                    let is_link = |start: Member, taken: Cell| {
                        let ratio = || Number::ratio(given.sum, taken.sum);
                        start != *member && taken.sum > 0 && ratio().is_some_and(|ratio| lo <= ratio && ratio <= hi)
                    };
                    let found = starts[first..last].iter().filter(|(_, start, taken)| is_link(*start, *taken));
                    let best = found.map(|(_, start, _)| 1 + links.get(start).copied().unwrap_or(0)).max();
                    if let Some(best) = best.filter(|best| links.get(member).is_none_or(|known| best > known)) {
                        links.insert(*member, best);
                        grew = true;
                    }
                }
                if !grew {
                    break;
                }
            }
            if day == self.bucket {
                longest = of_day.iter().filter_map(|(_, member, _)| links.get(member).copied()).max().unwrap_or(0);
            }
        }
        Some(longest)
    }

    fn cells_of(&self, window: usize) -> Vec<(i64, Member, Cell)> {
        let mut cells = Vec::new();
        if let Some((from, to)) = self.span(window) {
            let feature = self.keyed.windows[window].feature;
            self.windows.cells(feature, self.key, from, to, &mut |bucket, member, cell| {
                cells.push((bucket, member, cell));
            });
        }
        cells
    }

    pub(super) fn average_shift(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let base = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let count = i64::try_from(arguments.get(1)?.floor()).ok()?;
        let lambda = arguments.get(2)?.to_f64();
        let (mut base, mut day) = (self.cells_of(base), self.cells_of(window));
        let base = take_newest(&mut base, count);
        let day = take_newest(&mut day, i64::MAX);
        statistics::average_shift(&day, &base, lambda)
    }

    pub(super) fn median_shift(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let count = |place: usize| i64::try_from(arguments.get(place)?.floor()).ok();
        let (recent, base) = (count(0)?, count(1)?);
        let mut cells = self.cells_of(window);
        let newest = take_newest(&mut cells, recent);
        let before = take_newest(&mut cells, base);
        let facts = |members: &[(f64, i64)]| members.iter().map(|(_, count)| count).sum::<i64>();
        if facts(&newest) < recent || facts(&before) < base {
            return None;
        }
        statistics::settle((statistics::median(newest)? - statistics::median(before)?).abs())
    }

    pub(super) fn entropy(&self, window: usize) -> Option<Number> {
        let sums: Vec<f64> = self.members(window).iter().map(|(_, cell)| cell.sum as f64).collect();
        statistics::entropy(&sums)
    }

    /// Population stability index of the facts by group of members, against another window.
    pub(super) fn psi(&self, window: usize, arguments: &[Number]) -> Option<Number> {
        let base = usize::try_from(arguments.first()?.as_whole()?).ok()?;
        let width = Member::try_from(arguments.get(1)?.as_whole()?).ok().filter(|width| *width > 0)?;
        let mut groups: Vec<(Member, [i64; 2])> = Vec::new();
        for (side, window) in [window, base].into_iter().enumerate() {
            for (member, cell) in self.members(window) {
                let group = member / width;
                let at = groups.binary_search_by_key(&group, |(known, _)| *known).unwrap_or_else(|at| {
                    groups.insert(at, (group, [0; 2]));
                    at
                });
                groups[at].1[side] += cell.count;
            }
        }
        statistics::psi(groups.into_iter().map(|(_, counts)| counts))
    }
}
