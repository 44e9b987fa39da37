//! Figures of an answer, from all that was read.

use std::collections::BTreeMap;

use super::{Answer, Grain, Partial, Plan, Value};
use crate::{
    aggregate::{
        Aggregates, Theme,
        by_home::earliest,
        measure::{Form, Measure, SetKind, Slot},
        sink::CellKey,
    },
    buckets,
    ids::{Day, PartyId},
    items::{Item, Items},
    names::Name,
};

/// Everything that belongs to one (period, item).
#[derive(Default)]
pub(in crate::aggregate) struct Group {
    pub flow: Vec<i128>,
    pub stock: Vec<i128>,
    pub flow_members: BTreeMap<(SetKind, u64), i128>,
    pub stock_members: BTreeMap<(SetKind, u64), i128>,
    /// What came into the area less what left it; `None` in dimensions without areas.
    pub net_fen: Option<i128>,
    pub newcomers: i128,
}

impl Group {
    /// Forgets members that went; true when nothing is left.
    pub fn settle(&mut self) -> bool {
        self.flow_members.retain(|_, weight| *weight != 0);
        self.stock_members.retain(|_, weight| *weight != 0);
        self.flow.iter().chain(&self.stock).all(|sum| *sum == 0)
            && self.flow_members.is_empty()
            && self.stock_members.is_empty()
            && self.net_fen.unwrap_or(0) == 0
            && self.newcomers == 0
    }
}

impl Aggregates {
    /// Forms the rows of a plan from all that was read. `assets_fen` gives the total assets of a legal institution at the
    /// end of a date (for ratio_to_assets and ratio_to_limit). Rows are sorted by period, then item.
    pub fn answer(&self, plan: &Plan, read: &Partial, assets_fen: &dyn Fn(PartyId, Day) -> Option<i64>) -> Vec<Answer> {
        let periods = periods(plan.from, plan.to, plan.grain);
        let mut groups: BTreeMap<(usize, Item), Group> = BTreeMap::new();
        let mut totals: BTreeMap<usize, Group> = BTreeMap::new();
        let wanted = |item: &Item| plan.items.as_ref().is_none_or(|items| items.contains(item));
        for (key, sums) in &read.cells {
            self.each_place(plan, key, &periods, &mut |period, item, role| match role {
                Role::Total => add(&mut totals.entry(period).or_default().flow, sums),
                Role::Flow if wanted(&item) => add(&mut groups.entry((period, item)).or_default().flow, sums),
                Role::Stock if wanted(&item) => add(&mut groups.entry((period, item)).or_default().stock, sums),
                Role::Into | Role::OutOf if wanted(&item) => {
                    let amount = slot(&self.themes[plan.theme].flow_slots, sums, Slot::Amount);
                    let net = groups.entry((period, item)).or_default().net_fen.get_or_insert(0);
                    *net += if matches!(role, Role::Into) { amount } else { -amount };
                }
                _ => {}
            });
        }
        for delta in &read.members {
            let (member, weight) = ((delta.set, delta.member), i128::from(delta.weight));
            self.each_place(plan, &delta.key, &periods, &mut |period, item, role| {
                let members = match role {
                    Role::Total => &mut totals.entry(period).or_default().flow_members,
                    Role::Flow if wanted(&item) => &mut groups.entry((period, item)).or_default().flow_members,
                    Role::Stock if wanted(&item) => &mut groups.entry((period, item)).or_default().stock_members,
                    _ => return,
                };
                *members.entry(member).or_default() += weight;
            });
        }
        for keys in earliest(&read.firsts).into_values() {
            let mut places: Vec<(usize, Item)> = Vec::new();
            for key in keys {
                self.each_place(plan, &key, &periods, &mut |period, item, role| {
                    if matches!(role, Role::Flow) && wanted(&item) && !places.contains(&(period, item)) {
                        places.push((period, item));
                    }
                });
            }
            for place in places {
                groups.entry(place).or_default().newcomers += 1;
            }
        }
        let theme = &self.themes[plan.theme];
        let empty = Group::default();
        let mut rows = Vec::new();
        for ((period, item), mut group) in groups {
            if group.settle() {
                continue;
            }
            let (start, end) = periods[period];
            let total = totals.get(&period).unwrap_or(&empty);
            if plan.net.is_some() {
                group.net_fen.get_or_insert(0);
            }
            let figure =
                |measure: &Measure| (measure.name.clone(), figure(theme, measure.form, &group, total, end, assets_fen));
            rows.push(Answer {
                period_start: start,
                period_end: end,
                item: self.meanings.vocabulary().item_text(item),
                values: plan.measures.iter().map(figure).collect(),
            });
        }
        rows
    }

    /// Calls `put` for each period and item in which a cell counts.
    fn each_place(&self, plan: &Plan, key: &CellKey, periods: &[(Day, Day)], put: &mut dyn FnMut(usize, Item, Role)) {
        if plan.wants_flow(key) {
            let period = periods.partition_point(|(_, end)| *end < key.date);
            if Some(key.pair) == plan.total {
                put(period, Item::ALL, Role::Total);
            }
            if let Some((into, out_of)) = plan.net {
                for (pair, side) in [(into, Role::Into), (out_of, Role::OutOf)] {
                    if pair == key.pair {
                        put(period, key.item, side);
                    }
                }
            }
            if Some(key.pair) == plan.flow {
                for item in self.items_at(plan.name, key.item, key.date, plan.grain) {
                    put(period, item, Role::Flow);
                }
            }
        }
        if plan.wants_stock(key) {
            let first = periods.partition_point(|(_, end)| *end < key.date);
            for (period, (_, end)) in periods.iter().enumerate().skip(first) {
                for item in self.items_at(plan.name, key.item, *end, plan.grain) {
                    put(period, item, Role::Stock);
                }
            }
        }
    }

    /// The items that a kept item means on a date: time dimensions follow the date, raw days go into their bucket, the kind
    /// of period is that of the question.
    pub(in crate::aggregate) fn items_at(&self, name: Name, item: Item, date: Day, grain: Grain) -> Items {
        let known = &self.meanings.vocabulary().known;
        let days = |day: Day| i64::from(day.0) - i64::from(date.0);
        let one = match (name, item.as_day()) {
            (Name::BizDate, _) => Item::day(date),
            (Name::Month, _) => self.meanings.month_item(date),
            (Name::Quarter, _) => self.meanings.quarter_item(date),
            (Name::Year, _) => self.meanings.year_item(date),
            (Name::ReportPeriod, _) => {
                let code = match grain {
                    Grain::Day => "D",
                    Grain::Month => "M",
                    Grain::Quarter => "Q",
                    Grain::Year => "Y",
                    Grain::Whole => return Items::from_slice(&[Item::NA]),
                };
                self.meanings.vocabulary().row_of_text(known.report_period, code).item(known.report_period)
            }
            (Name::DayType, _) => return self.meanings.day_type_items(date),
            (Name::RemainingDays, Some(due)) => buckets::remaining_tenor(days(due)).item(known.remaining_tenor_bucket),
            (Name::HoldingDays, Some(since)) => buckets::holding_period(-days(since)).item(known.holding_period_bucket),
            (Name::OverdueDays, Some(due)) => buckets::overdue_age((-days(due)).max(1)).item(known.overdue_age_bucket),
            _ => item,
        };
        Items::from_slice(&[one])
    }
}

#[derive(Clone, Copy)]
enum Role {
    Flow,
    Stock,
    Total,
    Into,
    OutOf,
}

fn slot(slots: &[Slot], sums: &[i128], slot: Slot) -> i128 {
    slots.iter().position(|known| *known == slot).and_then(|at| sums.get(at).copied()).unwrap_or(0)
}

pub(in crate::aggregate) fn add(sums: &mut Vec<i128>, more: &[i128]) {
    if sums.len() < more.len() {
        sums.resize(more.len(), 0);
    }
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// The periods of a range, in order: (first day, last day), both inside it.
pub(in crate::aggregate) fn periods(from: Day, to: Day, grain: Grain) -> Vec<(Day, Day)> {
    let mut periods = Vec::new();
    let mut start = from;
    while start <= to {
        let (year, month, _) = start.ymd();
        let first = |month_index: i32| {
            let index = year * 12 + month_index;
            Day::from_ymd(index.div_euclid(12), index.rem_euclid(12) as u32 + 1, 1)
                .expect("every month has a first day")
        };
        let month = month as i32 - 1;
        let next = match grain {
            Grain::Day => start.plus(1),
            Grain::Month => first(month + 1),
            Grain::Quarter => first(month / 3 * 3 + 3),
            Grain::Year => first(12),
            Grain::Whole => to.plus(1),
        };
        periods.push((start, next.plus(-1).min(to)));
        start = next;
    }
    periods
}

pub(in crate::aggregate) fn figure(
    theme: &Theme,
    form: Form,
    group: &Group,
    total: &Group,
    date: Day,
    assets_fen: &dyn Fn(PartyId, Day) -> Option<i64>,
) -> Value {
    let flow = |wanted| slot(&theme.flow_slots, &group.flow, wanted);
    let stock = |wanted| slot(&theme.stock_slots, &group.stock, wanted);
    let ratio = |over: i128, under: i128| if under == 0 { Value::Null } else { Value::Ratio(over, under) };
    let of = |members: &BTreeMap<(SetKind, u64), i128>, set: SetKind| -> Vec<(u64, i128)> {
        let range = (set, u64::MIN)..=(set, u64::MAX);
        members
            .range(range)
            .filter(|(_, weight)| **weight != 0)
            .map(|((_, member), weight)| (*member, *weight))
            .collect()
    };
    let number = |members: &BTreeMap<(SetKind, u64), i128>, set| of(members, set).len() as i128;
    let extreme = |value: Option<i64>| value.map_or(Value::Null, |value| Value::Number(i128::from(value)));
    let shares = || {
        let mut shares: Vec<i128> = of(&group.flow_members, SetKind::Shares).into_iter().map(|(_, sum)| sum).collect();
        shares.sort_unstable_by(|left, right| right.cmp(left));
        shares
    };
    match form {
        Form::Sum(wanted) => Value::Number(flow(wanted)),
        Form::Stock(wanted) => Value::Number(stock(wanted)),
        Form::Ratio(over, under) => ratio(flow(over), flow(under)),
        Form::PerMember(over, set) => ratio(flow(over), number(&group.flow_members, set)),
        Form::Distinct(set) => Value::Number(number(&group.flow_members, set)),
        Form::StockDistinct(set) => Value::Number(number(&group.stock_members, set)),
        Form::Smallest(set) => extreme(of(&group.flow_members, set).into_iter().map(|(value, _)| value as i64).min()),
        Form::Largest(set) => extreme(of(&group.flow_members, set).into_iter().map(|(value, _)| value as i64).max()),
        Form::Herfindahl => {
            let shares = shares();
            let all: i128 = shares.iter().sum();
            ratio(shares.iter().map(|share| share * share).sum(), all * all)
        }
        Form::Concentration(largest) => {
            let shares = shares();
            ratio(shares.iter().take(largest).sum(), shares.iter().sum())
        }
        Form::ShareOfSum(wanted) => ratio(flow(wanted), slot(&theme.flow_slots, &total.flow, wanted)),
        Form::ShareOfDistinct(set) => ratio(number(&group.flow_members, set), number(&total.flow_members, set)),
        Form::RemainingDays => {
            let (balance, due) = (stock(Slot::Balance), stock(Slot::DueWeighted));
            ratio(due - balance * i128::from(date.0), balance)
        }
        Form::StockToAssets { percent } => {
            let institutions = of(&group.stock_members, SetKind::Institutions);
            let assets = institutions.into_iter().filter_map(|(bits, _)| assets_fen(PartyId::from_bits(bits), date));
            ratio(stock(Slot::Balance) * 100, assets.map(i128::from).sum::<i128>() * i128::from(percent))
        }
        Form::Weights(set) => Value::Number(of(&group.flow_members, set).into_iter().map(|(_, weight)| weight).sum()),
        Form::Newcomers => Value::Number(group.newcomers),
        Form::NetFlow => group.net_fen.map_or(Value::Null, Value::Number),
    }
}
