//! From the tables of themes to plans: what facts of each behaviour, cuts and lots feed.

use hashbrown::HashMap;

use super::{
    Aggregates, BehaviourPlan, DimensionPairs, Feed, FeedKind, Pair, Share, StockPlan, Theme, is_time,
    measure::{self, Form, Measure, SetKind, Slot},
    rules::{self, Counts, Side, StockOf, ThemeRule},
    stock::reads,
};
use crate::{
    fact::Field,
    items::Enumeration,
    names::{Attribute, Name, Role},
};

impl Aggregates {
    pub(super) fn plan(&self, code: &str, wants: &dyn Fn(u16) -> bool) -> BehaviourPlan {
        let mut plan = BehaviourPlan::default();
        for (number, pair) in self.pairs.iter().enumerate().filter(|(_, pair)| !pair.stock) {
            if !wants(number as u16) {
                continue;
            }
            let theme = &self.themes[usize::from(pair.theme)];
            if let Some(counts) = rules::counts(&theme.rule, code, &pair.dimension) {
                plan.feed(number as u16, pair, self.name_for(pair, code), counts, theme);
            }
        }
        plan.feeds.sort_by_key(|feed| (feed.kind, feed.name));
        plan
    }

    /// The name that a pair reads in facts of a behaviour: T25 means one enterprise a fact.
    fn name_for(&self, pair: &Pair, code: &str) -> Name {
        if let (Some(side), Name::Of(_, area)) = (pair.side, pair.name) {
            return Name::Of(rules::mover(code, side), area);
        }
        self.name_in(&self.themes[usize::from(pair.theme)], pair.name, code)
    }

    pub(super) fn name_in(&self, theme: &Theme, name: Name, code: &str) -> Name {
        match name {
            Name::Of(Role::EachEnterprise, attribute) if &*theme.id == "T25" => {
                Name::Of(rules::small_enterprise_role(code), attribute)
            }
            name => name,
        }
    }

    pub(super) fn plan_of_cuts(&self, wants: &dyn Fn(u16) -> bool) -> BehaviourPlan {
        let mut plan = BehaviourPlan::default();
        for (number, pair) in self.pairs.iter().enumerate() {
            let theme = &self.themes[usize::from(pair.theme)];
            if &*theme.id == "T18" && wants(number as u16) {
                plan.feed(number as u16, pair, pair.name, Counts::Full, theme);
            }
        }
        plan
    }

    pub(super) fn plan_of_stock(&self, wants: &dyn Fn(u16) -> bool) -> StockPlan {
        let mut plan = StockPlan::default();
        for (number, pair) in self.pairs.iter().enumerate().filter(|(_, pair)| pair.stock) {
            let Some(of) = self.themes[usize::from(pair.theme)].rule.stock else { continue };
            let number = number as u16;
            if !wants(number) {
                continue;
            }
            let place = plan.themes.iter().position(|(theme, _)| *theme == pair.theme).unwrap_or_else(|| {
                plan.themes.push((pair.theme, of));
                plan.themes.len() - 1
            }) as u8;
            feed(&mut plan.feeds, FeedKind::Plain, pair.name, pair, number, place);
        }
        plan.feeds.sort_by_key(|feed| feed.name);
        plan.reads = plan.feeds.iter().map(|feed| reads(feed.name)).collect();
        plan
    }

    /// The pairs of T28 to which `timely_ratio` is added, at the acceptance date. The behaviour is that of the disclosure
    /// elsewhere in the theme and has no meaning here.
    pub(super) fn plan_disclosure(&mut self, wants: &dyn Fn(u16) -> bool) {
        self.disclosure.clear();
        for (number, pair) in self.pairs.iter().enumerate() {
            let theme = &self.themes[usize::from(pair.theme)];
            if &*theme.id == "T28" && pair.name != Name::Behaviour && wants(number as u16) {
                self.disclosure_theme = pair.theme;
                self.disclosure.push((number as u16, 0));
            }
        }
    }
}

impl BehaviourPlan {
    fn feed(&mut self, number: u16, pair: &Pair, name: Name, counts: Counts, theme: &Theme) {
        let known = self.shares.iter().position(|share| share.theme == pair.theme && share.counts == counts);
        let share = known.unwrap_or_else(|| {
            self.shares.push(Share { theme: pair.theme, counts });
            self.shares.len() - 1
        }) as u8;
        let counts_enterprises = theme.flow_sets.contains(&SetKind::Enterprises);
        let counts_institutions = theme.flow_sets.contains(&SetKind::Institutions);
        let kind = match name {
            name if is_time(name) => {
                self.time.push((number, share));
                return;
            }
            Name::Behaviour | Name::BehaviourGroup => FeedKind::Constant,
            name if name.is_of_lot() => FeedKind::ByLot,
            Name::Of(Role::EachEnterprise, _) | Name::PartyRole if counts_enterprises => FeedKind::ByEnterprise,
            Name::Of(Role::EachInstitution, _) if counts_institutions => FeedKind::ByInstitution,
            _ => FeedKind::Plain,
        };
        feed(&mut self.feeds, kind, name, pair, number, share);
    }
}

fn feed(feeds: &mut Vec<Feed>, kind: FeedKind, name: Name, pair: &Pair, number: u16, place: u8) {
    let enumeration = pair.enumeration;
    let same = |feed: &&mut Feed| feed.kind == kind && feed.name == name && feed.enumeration == enumeration;
    match feeds.iter_mut().find(same) {
        Some(feed) => {
            feed.targets.push((number, place));
            feed.mask |= 1 << place;
        }
        None => feeds.push(Feed { kind, name, enumeration, targets: vec![(number, place)], mask: 1 << place }),
    }
}

/// Names that a lot and its bill can answer without a fact, in the stock of a theme.
fn is_stock_name(name: Name, of: StockOf) -> bool {
    match name {
        // A lot that is not overdue becomes so on a day without a fact: only the stock of overdue lots moves on that day.
        Name::OverdueDays => of == StockOf::Overdue,
        Name::Of(role, attribute) => role.is_of_bill() && attribute != Attribute::Party,
        // What the latest refusal said.
        Name::Field(Field::DishonourReason) => true,
        Name::Field(_) | Name::Behaviour | Name::BehaviourGroup | Name::Hour => false,
        name => {
            is_time(name)
                || name.is_of_lot()
                || matches!(
                    name,
                    Name::BillKind
                        | Name::Medium
                        | Name::Face
                        | Name::TenorDays
                        | Name::MarginRatio
                        | Name::PriceClass
                        | Name::RemainingDays
                        | Name::Source
                        | Name::Amount
                        | Name::NumberKindDigit
                        | Name::ContractType
                        | Name::GoodsCategory
                        | Name::InvoiceType
                )
        }
    }
}

/// Compiles a theme and adds its pairs.
pub(super) fn compile_theme(
    rule: ThemeRule,
    listed: &crate::catalogue::themes::Theme,
    number: u16,
    pairs: &mut Vec<Pair>,
) -> Theme {
    let has_flow = !rule.rules.is_empty() || matches!(rule.theme, "T18" | "T31");
    let measures: Vec<Measure> = listed
        .measures
        .iter()
        .filter_map(|name| Some(Measure { name: name.clone(), form: measure::form(rule.theme, name, has_flow)? }))
        .chain(
            (has_flow && !listed.measures.iter().any(|name| matches!(&**name, "cnt" | "alerts")))
                .then(|| Measure { name: "cnt".into(), form: Form::Sum(Slot::Count) }),
        )
        .collect();
    let mut flow_slots = vec![Slot::Count];
    let mut stock_slots = Vec::new();
    let mut flow_sets = Vec::new();
    let mut stock_sets = Vec::new();
    fn add<T: PartialEq>(list: &mut Vec<T>, values: impl IntoIterator<Item = T>) {
        for value in values {
            if !list.contains(&value) {
                list.push(value);
            }
        }
    }
    for measure in &measures {
        add(&mut flow_slots, measure.form.flow_slots());
        add(&mut stock_slots, measure.form.stock_slots());
        add(&mut flow_sets, measure.form.flow_set());
        add(&mut stock_sets, measure.form.stock_set());
    }
    let mut theme = Theme {
        id: listed.id.clone(),
        measures,
        flow_slots,
        stock_slots,
        flow_sets,
        stock_sets,
        rule,
        flow_time: None,
        stock_time: None,
        dimensions: HashMap::new(),
        areas: Vec::new(),
    };
    for dimension in &listed.dimensions {
        let Some(name) = Name::parse(&dimension.source) else { continue };
        let enumeration = dimension.enumeration.map(|number| Enumeration(number.0));
        let time = is_time(name);
        let mut pair = |stock: bool, time_pair: &mut Option<u16>| -> u16 {
            if let (true, Some(known)) = (time, *time_pair) {
                return known;
            }
            pairs.push(Pair {
                theme: number,
                dimension: if time { "D.date".into() } else { dimension.id.clone() },
                stock,
                name: if time { Name::BizDate } else { name },
                enumeration: if time { None } else { enumeration },
                side: None,
            });
            let new = pairs.len() as u16 - 1;
            if time {
                *time_pair = Some(new);
            }
            new
        };
        let flow = has_flow.then(|| pair(false, &mut theme.flow_time));
        let is_of_stock = rule.stock.is_some_and(|of| is_stock_name(name, of));
        let stock = is_of_stock.then(|| pair(true, &mut theme.stock_time));
        theme.dimensions.insert(dimension.id.clone(), DimensionPairs { flow, stock, name, enumeration });
        if let (Name::Of(_, area), true) = (name, theme.measures.iter().any(|measure| measure.form == Form::NetFlow))
            && !theme.areas.iter().any(|(known, ..)| *known == area)
        {
            let mut side = |side, text: &str| {
                let dimension =
                    format!("{text} {}", dimension.source.split('.').next_back().unwrap_or_default()).into();
                pairs.push(Pair { theme: number, dimension, stock: false, name, enumeration, side: Some(side) });
                pairs.len() as u16 - 1
            };
            let (into, out_of) = (side(Side::Into, "into"), side(Side::OutOf, "out of"));
            theme.areas.push((area, into, out_of));
        }
    }
    theme
}
