//! Aggregates: every theme and dimension of dimensions.csv as cells that facts add to.
//!
//! Owns which fact adds what to which cell. A *pair* is a (theme, dimension) and whether its cells are flows (what happened
//! on a business date) or stocks (what changed on a date; a stock at a date is the sum of all changes up to it). A *cell* is
//! an item of a pair on a date. Months, quarters and years are sums over days, formed by the query; all time dimensions of a
//! theme share one pair with the single item [`crate::items::Item::ALL`].
//!
//! Invariants:
//! - [`Aggregates::flow`] and [`Aggregates::stock`] are linear and pure: with weight -1 they take back exactly what they
//!   gave with +1 for the same observation;
//! - the state that a lot leaves is taken back with the items under which it was put in: attributes as of `changed_at`;
//! - buckets that move with the date of the cell (remaining, holding, overdue days) are kept by their raw day and put into
//!   buckets by the query.
//!
//! Sums are small and leave the shard; members of sets are many. A shard that keeps no sets works them out for the pairs
//! and dates of a question by observing its bills again with [`Aggregates::only`].
//!
//! Begin with [`Aggregates::new`]; `rules` is the table of themes, `measure` what is summed, `query` how figures are formed,
//! [`epoch_sums`] how a shard adds up what an epoch changes before it tells the owners of the cells.

pub mod epoch_sums;
mod flow;
pub mod left_out;
pub mod measure;
pub mod query;
mod rules;
pub mod sink;
mod stock;
pub mod wire;

use std::sync::Arc;

use hashbrown::HashMap;

pub use self::{
    epoch_sums::{CellLayout, EpochSums},
    query::{Answer, Grain, Partial, Plan, Question, QuestionError, Value},
    sink::{CellDelta, CellKey, CellSink, SetDelta},
};
use self::{
    measure::{Form, Measure, SetKind, Slot},
    rules::{Counts, StockOf, THEMES, ThemeRule},
};
use crate::{
    catalogue::Catalogue,
    fact::{BEHAVIOUR_CODES, Behaviour},
    items::{Enumeration, MissingEnumeration},
    names::{Attribute, Name, Role},
    observe::Meanings,
};

/// A theme, compiled.
#[derive(Debug)]
pub struct Theme {
    /// For instance `T01`.
    pub id: Box<str>,
    /// The figures that can be asked for.
    pub measures: Vec<Measure>,
    /// What a flow cell sums, in order. The first is always [`Slot::Count`].
    pub flow_slots: Vec<Slot>,
    /// What a stock cell sums, in order; empty without stock.
    pub stock_slots: Vec<Slot>,
    /// Sets of a flow cell.
    pub flow_sets: Vec<SetKind>,
    /// Sets of a stock cell.
    pub stock_sets: Vec<SetKind>,
    rule: ThemeRule,
    flow_time: Option<u16>,
    stock_time: Option<u16>,
    dimensions: HashMap<Box<str>, DimensionPairs>,
}

#[derive(Clone, Copy, Debug)]
struct DimensionPairs {
    flow: Option<u16>,
    stock: Option<u16>,
    name: Name,
    enumeration: Option<Enumeration>,
}

/// A (theme, dimension, flow or stock).
#[derive(Clone, Debug)]
pub struct Pair {
    /// Place in [`Aggregates::themes`].
    pub theme: u16,
    /// For instance `D.bill_kind`; `D.date` stands for all time dimensions.
    pub dimension: Box<str>,
    /// Cells are changes of stock.
    pub stock: bool,
    /// The name that gives the items.
    pub name: Name,
    /// The enumeration of its items.
    pub enumeration: Option<Enumeration>,
}

/// What one (theme, counts) of a behaviour adds: one part of the sink, shared by its dimensions.
#[derive(Clone, Copy, Debug)]
struct Share {
    theme: u16,
    counts: Counts,
}

/// The pairs that one name feeds: (pair, share or place of the stock theme).
#[derive(Clone, Debug)]
struct Feed {
    name: Name,
    targets: Vec<(u16, u8)>,
    /// Bit n: some target has n. Only for stock, which has few themes.
    mask: u32,
}

/// Everything that facts of one behaviour feed.
#[derive(Clone, Debug, Default)]
struct BehaviourPlan {
    shares: Vec<Share>,
    /// Time pairs.
    time: Vec<(u16, u8)>,
    /// Names with the same items for the whole fact.
    plain: Vec<Feed>,
    /// Names that differ lot by lot.
    by_lot: Vec<Feed>,
    /// Names that differ enterprise by enterprise, where the share counts enterprises.
    by_enterprise: Vec<Feed>,
    /// Names that differ institution by institution, where the share counts institutions.
    by_institution: Vec<Feed>,
}

/// What lots feed: names by the role that they read, so that an unchanged party is looked at once.
#[derive(Clone, Debug, Default)]
struct StockPlan {
    themes: Vec<(u16, StockOf)>,
    time: Vec<(u16, u8)>,
    feeds: Vec<Feed>,
}

/// All themes and dimensions, compiled.
#[derive(Debug)]
pub struct Aggregates {
    meanings: Arc<Meanings>,
    themes: Vec<Theme>,
    pairs: Vec<Pair>,
    plans: Vec<BehaviourPlan>,
    cuts: BehaviourPlan,
    stock: StockPlan,
    disclosure: Vec<(u16, u8)>,
    disclosure_theme: u16,
    is_quote: Vec<bool>,
    is_cancel: Vec<bool>,
}

fn is_time(name: Name) -> bool {
    matches!(name, Name::BizDate | Name::Month | Name::Quarter | Name::Year | Name::DayType)
}

impl Aggregates {
    /// Compiles the catalogue of these meanings.
    pub fn new(meanings: Arc<Meanings>) -> Self {
        let catalogue = meanings.catalogue().clone();
        let mut themes = Vec::new();
        let mut pairs = Vec::new();
        for rule in THEMES {
            let Some(listed) = catalogue.theme(rule.theme) else { continue };
            themes.push(compile_theme(rule, listed, themes.len() as u16, &mut pairs));
        }
        let mut aggregates = Aggregates {
            meanings,
            themes,
            pairs,
            plans: Vec::new(),
            cuts: BehaviourPlan::default(),
            stock: StockPlan::default(),
            disclosure: Vec::new(),
            disclosure_theme: 0,
            is_quote: BEHAVIOUR_CODES.iter().map(|code| rules::is_quote(code)).collect(),
            is_cancel: BEHAVIOUR_CODES.iter().map(|code| rules::is_cancel(code)).collect(),
        };
        aggregates.plans = BEHAVIOUR_CODES.iter().map(|code| aggregates.plan(code, |_| true)).collect();
        aggregates.cuts = aggregates.plan_of_cuts(|_| true);
        aggregates.stock = aggregates.plan_of_stock(|_| true);
        aggregates.plan_disclosure(|_| true);
        aggregates
    }

    /// Compiles the embedded catalogue.
    pub fn embedded() -> Result<Self, MissingEnumeration> {
        Ok(Aggregates::new(Arc::new(Meanings::new(Catalogue::embedded())?)))
    }

    /// The same, but only these pairs are fed; their numbers stay. For questions that observe bills again.
    pub fn only(&self, wanted: &[u16]) -> Self {
        let mut aggregates = Aggregates::new(self.meanings.clone());
        let wants = |pair: u16| wanted.contains(&pair);
        aggregates.plans = BEHAVIOUR_CODES.iter().map(|code| aggregates.plan(code, wants)).collect();
        aggregates.cuts = aggregates.plan_of_cuts(wants);
        aggregates.stock = aggregates.plan_of_stock(wants);
        aggregates.plan_disclosure(wants);
        aggregates
    }

    /// True when facts of the behaviour may change a fed pair other than through the lots.
    pub fn reads(&self, behaviour: Behaviour) -> bool {
        !self.plans[usize::from(behaviour.0)].shares.is_empty()
    }

    /// The compiled catalogue.
    pub fn meanings(&self) -> &Arc<Meanings> {
        &self.meanings
    }

    /// Every theme kept.
    pub fn themes(&self) -> &[Theme] {
        &self.themes
    }

    /// Every pair, by number.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// A pair by number.
    pub fn pair(&self, number: u16) -> &Pair {
        &self.pairs[usize::from(number)]
    }

    /// The slots that a cell of this pair sums, in order.
    pub fn slots(&self, pair: u16) -> &[Slot] {
        let pair = self.pair(pair);
        let theme = &self.themes[usize::from(pair.theme)];
        if pair.stock { &theme.stock_slots } else { &theme.flow_slots }
    }

    /// Every (theme, dimension) that can be asked for, in no order.
    pub fn dimensions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.themes.iter().flat_map(|theme| theme.dimensions.keys().map(|dimension| (&*theme.id, &**dimension)))
    }

    /// Number of (theme, dimension) that can be asked for.
    pub fn dimension_count(&self) -> usize {
        self.themes.iter().map(|theme| theme.dimensions.len()).sum()
    }

    fn plan(&self, code: &str, wants: impl Fn(u16) -> bool) -> BehaviourPlan {
        let mut plan = BehaviourPlan::default();
        for (number, pair) in self.pairs.iter().enumerate().filter(|(_, pair)| !pair.stock) {
            let theme = &self.themes[usize::from(pair.theme)];
            let Some(counts) = rules::counts(&theme.rule, code, &pair.dimension) else { continue };
            if wants(number as u16) {
                let name = self.name_for(pair, code);
                plan.feed(number as u16, pair.theme, name, counts, theme);
            }
        }
        plan
    }

    /// The name that a pair reads in facts of a behaviour: T25 means one enterprise a fact.
    fn name_for(&self, pair: &Pair, code: &str) -> Name {
        let theme = &self.themes[usize::from(pair.theme)];
        match pair.name {
            Name::Of(Role::EachEnterprise, attribute) if &*theme.id == "T25" => {
                Name::Of(rules::small_enterprise_role(code), attribute)
            }
            name => name,
        }
    }

    fn plan_of_cuts(&self, wants: impl Fn(u16) -> bool) -> BehaviourPlan {
        let mut plan = BehaviourPlan::default();
        for (number, pair) in self.pairs.iter().enumerate() {
            let theme = &self.themes[usize::from(pair.theme)];
            if &*theme.id == "T18" && wants(number as u16) {
                plan.feed(number as u16, pair.theme, pair.name, Counts::Full, theme);
            }
        }
        plan
    }

    fn plan_of_stock(&self, wants: impl Fn(u16) -> bool) -> StockPlan {
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
            if is_time(pair.name) {
                plan.time.push((number, place));
            } else {
                feed(&mut plan.feeds, pair.name, number, place);
            }
        }
        plan
    }

    /// The pairs of T28 to which `timely_ratio` is added, at the acceptance date. The behaviour is that of the disclosure
    /// elsewhere in the theme and has no meaning here.
    fn plan_disclosure(&mut self, wants: impl Fn(u16) -> bool) {
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
    fn feed(&mut self, pair: u16, theme_number: u16, name: Name, counts: Counts, theme: &Theme) {
        let known = self.shares.iter().position(|share| share.theme == theme_number && share.counts == counts);
        let share = known.unwrap_or_else(|| {
            self.shares.push(Share { theme: theme_number, counts });
            self.shares.len() - 1
        }) as u8;
        let counts_enterprises = theme.flow_sets.contains(&SetKind::Enterprises);
        let counts_institutions = theme.flow_sets.contains(&SetKind::Institutions);
        let feeds = match name {
            name if is_time(name) => {
                self.time.push((pair, share));
                return;
            }
            name if name.is_of_lot() => &mut self.by_lot,
            Name::Of(Role::EachEnterprise, _) | Name::PartyRole if counts_enterprises => &mut self.by_enterprise,
            Name::Of(Role::EachInstitution, _) if counts_institutions => &mut self.by_institution,
            _ => &mut self.plain,
        };
        feed(feeds, name, pair, share);
    }
}

fn feed(feeds: &mut Vec<Feed>, name: Name, pair: u16, share: u8) {
    match feeds.iter_mut().find(|feed| feed.name == name) {
        Some(feed) => {
            feed.targets.push((pair, share));
            feed.mask |= 1 << (share % 32);
        }
        None => feeds.push(Feed { name, targets: vec![(pair, share)], mask: 1 << (share % 32) }),
    }
}

/// Names that a lot and its bill can answer without a fact.
fn is_stock_name(name: Name) -> bool {
    match name {
        Name::Of(role, attribute) => {
            let of_bill = matches!(
                role,
                Role::Drawer
                    | Role::Acceptor
                    | Role::Payee
                    | Role::Holder
                    | Role::AcceptingInstitution
                    | Role::HoldingInstitution
            );
            of_bill && attribute != Attribute::Party
        }
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
                        | Name::ContractType
                        | Name::GoodsCategory
                        | Name::InvoiceType
                )
        }
    }
}

fn compile_theme(
    rule: ThemeRule,
    listed: &crate::catalogue::themes::Theme,
    number: u16,
    pairs: &mut Vec<Pair>,
) -> Theme {
    let has_flow = !rule.rules.is_empty() || rule.theme == "T18";
    let measures: Vec<Measure> = listed
        .measures
        .iter()
        .filter_map(|name| Some(Measure { name: name.clone(), form: measure::form(rule.theme, name, has_flow)? }))
        .chain(
            (has_flow && !listed.measures.iter().any(|name| &**name == "cnt"))
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
    };
    for dimension in &listed.dimensions {
        if left_out::leaves_out(rule.theme, &dimension.id) {
            continue;
        }
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
            });
            let new = pairs.len() as u16 - 1;
            if time {
                *time_pair = Some(new);
            }
            new
        };
        let flow = has_flow.then(|| pair(false, &mut theme.flow_time));
        let stock = (rule.stock.is_some() && is_stock_name(name)).then(|| pair(true, &mut theme.stock_time));
        theme.dimensions.insert(dimension.id.clone(), DimensionPairs { flow, stock, name, enumeration });
    }
    theme
}
