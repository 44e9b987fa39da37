//! Questions about cells: which cells to read, and how figures are formed from what was read.
//!
//! [`Aggregates::ask`] turns a [`Question`] into a [`Plan`]: pairs and dates that the keepers of cells read into a
//! [`Partial`]. Partials of all shards are put together ([`Partial::merge`]) and [`Aggregates::answer`] forms the rows.
//! Averages and ratios keep their two sums; nothing is rounded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Aggregates, Theme,
    by_home::{First, earliest},
    is_time,
    measure::{Form, Measure, SetKind, Slot},
    sink::{CellKey, SetDelta},
};
use crate::{
    buckets,
    ids::{Day, PartyId},
    items::{Item, Items},
    names::Name,
};

/// Length of a period of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Grain {
    /// Each day.
    Day,
    /// Each month.
    Month,
    /// Each quarter.
    Quarter,
    /// Each year.
    Year,
    /// The whole range as one period.
    Whole,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// For instance `T05`.
    pub theme: String,
    /// For instance `D.discounter.code`.
    pub dimension: String,
    /// Items wanted, as text; empty = all.
    pub items: Vec<String>,
    /// First date.
    pub from: Day,
    /// Last date. Stock figures are those at the end of each period, not after this date.
    pub to: Day,
    /// Length of a period.
    pub grain: Grain,
    /// Figures wanted, by name; empty = all of the theme.
    pub measures: Vec<String>,
}

/// A question that cannot be answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QuestionError {
    /// No such theme.
    #[error("there is no theme `{0}`: the catalogue lists them")]
    Theme(String),
    /// No such dimension.
    #[error("theme {theme} has no dimension `{dimension}`: the catalogue lists those that it has")]
    Dimension {
        /// The theme.
        theme: String,
        /// What was asked for.
        dimension: String,
    },
    /// No such measure.
    #[error("theme {theme} has no measure `{measure}`: the catalogue lists those that it has")]
    Measure {
        /// The theme.
        theme: String,
        /// What was asked for.
        measure: String,
    },
    /// No such item.
    #[error("dimension {dimension} has no item `{item}`: write a code of its enumeration, a party, UNKNOWN or NA")]
    Item {
        /// The dimension.
        dimension: String,
        /// What was asked for.
        item: String,
    },
    /// A figure that crosses do not have.
    #[error("{0} is told for single dimensions only: ask for the cells of the dimension, or leave it out")]
    OneDimension(String),
    /// The dates are the wrong way round.
    #[error("from {from} is after to {to}: swap them")]
    Dates {
        /// First date.
        from: Day,
        /// Last date.
        to: Day,
    },
}

/// A question, compiled.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) theme: usize,
    /// The flow pair to read at dates `from ..= to`.
    pub flow: Option<u16>,
    /// The stock pair to read at all dates up to `to`.
    pub stock: Option<u16>,
    /// The flow pair of the theme's totals, when a share is asked for; same dates.
    pub total: Option<u16>,
    /// The pairs of what came into areas and of what left them, when a net flow is asked for; same dates.
    pub net: Option<(u16, u16)>,
    /// The first facts of all enterprises are needed, whatever their date.
    pub newcomers: bool,
    /// The cells are those of alerts, which their owners have: [`Aggregates::cells_of_alerts`].
    pub of_alerts: bool,
    /// First date.
    pub from: Day,
    /// Last date.
    pub to: Day,
    /// Flow sets needed; empty: members need not be read.
    pub flow_sets: Vec<SetKind>,
    /// Stock sets needed.
    pub stock_sets: Vec<SetKind>,
    pub(super) grain: Grain,
    name: Name,
    items: Option<BTreeSet<Item>>,
    pub(super) measures: Vec<Measure>,
}

/// Cells and members read by one keeper.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Partial {
    /// Sums of cells, in the order of the slots of the pair.
    pub cells: Vec<(CellKey, Vec<i128>)>,
    /// Members of sets.
    pub members: Vec<SetDelta>,
    /// First facts of enterprises.
    pub firsts: Vec<First>,
}

impl Partial {
    /// Adds what another keeper read.
    pub fn merge(&mut self, other: Partial) {
        self.cells.extend(other.cells);
        self.members.extend(other.members);
        self.firsts.extend(other.firsts);
    }

    /// The same in parts of at most so many entries; none when there is nothing.
    pub fn split(self, most: usize) -> Vec<Partial> {
        let most = most.max(1);
        let cells = self.cells.chunks(most).map(|cells| Partial { cells: cells.to_vec(), ..Partial::default() });
        let members =
            self.members.chunks(most).map(|members| Partial { members: members.to_vec(), ..Partial::default() });
        let firsts = self.firsts.chunks(most).map(|firsts| Partial { firsts: firsts.to_vec(), ..Partial::default() });
        cells.chain(members).chain(firsts).collect()
    }
}

/// A figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Value {
    /// A sum or a count.
    Number(i128),
    /// Numerator and denominator; the denominator is not zero.
    Ratio(i128, i128),
    /// The base is zero or missing.
    Null,
}

/// One row of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// First day of the period.
    pub period_start: Day,
    /// Last day of the period inside the question.
    pub period_end: Day,
    /// The item, as text.
    pub item: String,
    /// (measure, figure), in the order asked.
    pub values: Vec<(Box<str>, Value)>,
}

impl Plan {
    /// True when a keeper of flow cells reads this one.
    pub fn wants_flow(&self, key: &CellKey) -> bool {
        let is_net = self.net.is_some_and(|(into, out_of)| key.pair == into || key.pair == out_of);
        (Some(key.pair) == self.flow || Some(key.pair) == self.total || is_net)
            && self.from <= key.date
            && key.date <= self.to
    }

    /// True when a keeper of stock cells reads this one.
    pub fn wants_stock(&self, key: &CellKey) -> bool {
        Some(key.pair) == self.stock && key.date <= self.to
    }

    /// True when a keeper of either reads this cell.
    pub fn wants(&self, key: &CellKey) -> bool {
        self.wants_flow(key) || self.wants_stock(key)
    }

    /// True when a keeper of sets reads this one.
    pub fn wants_member(&self, delta: &SetDelta) -> bool {
        (self.wants_flow(&delta.key) && self.flow_sets.contains(&delta.set))
            || (self.wants_stock(&delta.key) && self.stock_sets.contains(&delta.set))
    }

    /// True when the question needs members of sets, or what else is worked out from the history.
    pub fn needs_members(&self) -> bool {
        !self.flow_sets.is_empty() || !self.stock_sets.is_empty() || self.newcomers
    }

    /// The same plan for a cross, which does not have all figures. Those that were named are an error, others are left out.
    pub(super) fn crossed(mut self, named: bool) -> Result<Self, QuestionError> {
        if let (true, Some(unfit)) = (named, self.measures.iter().find(|measure| measure.form.is_of_one_dimension())) {
            return Err(QuestionError::OneDimension(unfit.name.to_string()));
        }
        self.measures.retain(|measure| !measure.form.is_of_one_dimension());
        (self.net, self.newcomers) = (None, false);
        Ok(self)
    }

    /// True when the question asks for the hours of alerts, which take the history of their bills.
    pub fn reads_hours_of_alerts(&self) -> bool {
        self.of_alerts && self.name == Name::Hour
    }

    /// True when this first fact may matter.
    pub fn wants_first(&self, first: &First) -> bool {
        self.newcomers && Some(first.key.pair) == self.flow
    }

    /// The figures, in the order of the answer.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The pairs that it reads.
    pub fn pairs(&self) -> Vec<u16> {
        let net = self.net.map(|(into, out_of)| [into, out_of]);
        let mut pairs: Vec<u16> =
            self.flow.into_iter().chain(self.stock).chain(self.total).chain(net.into_iter().flatten()).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

/// Everything that belongs to one (period, item).
#[derive(Default)]
pub(super) struct Group {
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
    /// Compiles a question.
    pub fn ask(&self, question: &Question) -> Result<Plan, QuestionError> {
        let theme = self.themes.iter().position(|theme| *theme.id == *question.theme);
        let theme = theme.ok_or_else(|| QuestionError::Theme(question.theme.clone()))?;
        let listed = &self.themes[theme];
        let pairs = listed.dimensions.get(question.dimension.as_str()).ok_or_else(|| QuestionError::Dimension {
            theme: question.theme.clone(),
            dimension: question.dimension.clone(),
        })?;
        if question.from > question.to {
            return Err(QuestionError::Dates { from: question.from, to: question.to });
        }
        let measures = self.measures(listed, question)?;
        let vocabulary = self.meanings.vocabulary();
        let items = if question.items.is_empty() {
            None
        } else {
            let parse = |text: &String| {
                vocabulary
                    .parse_item(pairs.enumeration, text)
                    .ok_or_else(|| QuestionError::Item { dimension: question.dimension.clone(), item: text.clone() })
            };
            Some(question.items.iter().map(parse).collect::<Result<_, _>>()?)
        };
        let mut flow_sets: Vec<SetKind> = measures.iter().filter_map(|measure| measure.form.flow_set()).collect();
        let mut stock_sets: Vec<SetKind> = measures.iter().filter_map(|measure| measure.form.stock_set()).collect();
        for sets in [&mut flow_sets, &mut stock_sets] {
            sets.sort_unstable();
            sets.dedup();
        }
        let shares = |measure: &Measure| matches!(measure.form, Form::ShareOfSum(_) | Form::ShareOfDistinct(_));
        let reads_stock =
            |measure: &Measure| measure.form.stock_slots().next().is_some() || measure.form.stock_set().is_some();
        let stock = if measures.iter().any(reads_stock) { pairs.stock } else { None };
        let has = |form| measures.iter().any(|measure| measure.form == form);
        Ok(Plan {
            theme,
            flow: pairs.flow,
            stock,
            total: if measures.iter().any(shares) { listed.flow_time } else { None },
            net: if has(Form::NetFlow) { listed.areas_of(pairs.name) } else { None },
            newcomers: has(Form::Newcomers),
            of_alerts: &*listed.id == "T31",
            from: question.from,
            to: question.to,
            flow_sets,
            stock_sets,
            grain: question.grain,
            name: pairs.name,
            items,
            measures,
        })
    }

    fn measures(&self, theme: &Theme, question: &Question) -> Result<Vec<Measure>, QuestionError> {
        if question.measures.is_empty() {
            return Ok(theme.measures.clone());
        }
        let find = |name: &String| {
            let found = theme.measures.iter().find(|measure| *measure.name == **name);
            found
                .cloned()
                .ok_or_else(|| QuestionError::Measure { theme: question.theme.clone(), measure: name.clone() })
        };
        question.measures.iter().map(find).collect()
    }

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
    pub(super) fn items_at(&self, name: Name, item: Item, date: Day, grain: Grain) -> Items {
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

pub(super) fn add(sums: &mut Vec<i128>, more: &[i128]) {
    if sums.len() < more.len() {
        sums.resize(more.len(), 0);
    }
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// The periods of a range, in order: (first day, last day), both inside it.
pub(super) fn periods(from: Day, to: Day, grain: Grain) -> Vec<(Day, Day)> {
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

pub(super) fn figure(
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

/// True for the dimensions whose items follow from the date of the cell alone.
pub fn is_time_dimension(name: Name) -> bool {
    is_time(name)
}
