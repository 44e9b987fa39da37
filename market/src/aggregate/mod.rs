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
//! [`epoch_sums`] how a shard adds up what an epoch changes before it tells the owners of the cells, [`cross`] tables of
//! several dimensions.

pub mod alerts;
pub mod by_home;
mod compile;
pub(crate) mod contribution;
pub mod cross;
pub mod epoch_sums;
mod flow;
mod layout;
pub mod measure;
mod profiles;
pub mod query;
mod rows;
pub(crate) mod rules;
pub mod sink;
pub(crate) mod stock;
pub mod wire;

use std::sync::Arc;

use hashbrown::HashMap;

use self::{
    compile::compile_theme,
    measure::{Measure, SetKind, Slot},
    rules::{Counts, Side, StockOf, THEMES, ThemeRule},
    stock::Reads,
};
pub use self::{
    epoch_sums::EpochSums,
    layout::CellLayout,
    query::{Answer, Grain, Partial, Plan, Question, QuestionError, Value},
    sink::{CellDelta, CellKey, CellSink, SetDelta},
};
use crate::{
    catalogue::Catalogue,
    fact::{BEHAVIOUR_CODES, Behaviour},
    items::{Enumeration, MissingEnumeration},
    names::{Attribute, Name},
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
    /// Where amounts came into areas and where they left them: (kind of area, pair of those, pair of these).
    areas: Vec<(Attribute, u16, u16)>,
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
    /// Not a dimension of its own: one side of the flow between areas. The name then stands for who is on that side.
    side: Option<Side>,
}

/// What one (theme, counts) of a behaviour adds: one part of the sink, shared by its dimensions.
#[derive(Clone, Copy, Debug)]
struct Share {
    theme: u16,
    counts: Counts,
}

/// How the items of a feed are found in a fact. The order is that of [`BehaviourPlan::feeds`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum FeedKind {
    /// The same for every fact of the behaviour.
    Constant,
    /// The same items for the whole fact.
    Plain,
    /// They differ lot by lot.
    ByLot,
    /// They differ enterprise by enterprise, where the share counts enterprises.
    ByEnterprise,
    /// They differ institution by institution, where the share counts institutions.
    ByInstitution,
}

/// The pairs that one name feeds: (pair, share or place of the stock theme).
#[derive(Clone, Debug)]
struct Feed {
    kind: FeedKind,
    name: Name,
    enumeration: Option<Enumeration>,
    targets: Vec<(u16, u8)>,
    /// Bit n: some target has n; a behaviour feeds fewer than 32 themes.
    mask: u32,
}

/// Everything that facts of one behaviour feed.
#[derive(Clone, Debug, Default)]
struct BehaviourPlan {
    shares: Vec<Share>,
    /// Time pairs.
    time: Vec<(u16, u8)>,
    /// By kind, then by name: what a role is asked for stands together.
    feeds: Vec<Feed>,
}

/// What lots feed.
#[derive(Clone, Debug, Default)]
struct StockPlan {
    themes: Vec<(u16, StockOf)>,
    feeds: Vec<Feed>,
    /// As the feeds.
    reads: Vec<Reads>,
}

/// All themes and dimensions, compiled.
#[derive(Debug)]
pub struct Aggregates {
    meanings: Arc<Meanings>,
    themes: Arc<Vec<Theme>>,
    pairs: Arc<Vec<Pair>>,
    plans: Vec<BehaviourPlan>,
    cuts: BehaviourPlan,
    stock: StockPlan,
    disclosure: Vec<(u16, u8)>,
    disclosure_theme: u16,
    by_home: by_home::Wanted,
    is_quote: Vec<bool>,
    is_cancel: Vec<bool>,
}

impl Theme {
    /// The pairs of the flow between areas of the kind that a dimension shows.
    fn areas_of(&self, name: Name) -> Option<(u16, u16)> {
        let Name::Of(_, area) = name else { return None };
        let known = self.areas.iter().find(|(known, ..)| *known == area);
        known.map(|(_, into, out_of)| (*into, *out_of))
    }
}

fn is_time(name: Name) -> bool {
    matches!(name, Name::BizDate | Name::Month | Name::Quarter | Name::Year | Name::DayType | Name::ReportPeriod)
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
        Aggregates::fed(meanings, Arc::new(themes), Arc::new(pairs), &|_| true)
    }

    fn fed(
        meanings: Arc<Meanings>,
        themes: Arc<Vec<Theme>>,
        pairs: Arc<Vec<Pair>>,
        wants: &dyn Fn(u16) -> bool,
    ) -> Self {
        let mut aggregates = Aggregates {
            meanings,
            themes,
            pairs,
            plans: Vec::new(),
            cuts: BehaviourPlan::default(),
            stock: StockPlan::default(),
            disclosure: Vec::new(),
            disclosure_theme: 0,
            by_home: by_home::Wanted::default(),
            is_quote: BEHAVIOUR_CODES.iter().map(|code| rules::is_quote(code)).collect(),
            is_cancel: BEHAVIOUR_CODES.iter().map(|code| rules::is_cancel(code)).collect(),
        };
        aggregates.plans = BEHAVIOUR_CODES.iter().map(|code| aggregates.plan(code, wants)).collect();
        aggregates.cuts = aggregates.plan_of_cuts(wants);
        aggregates.stock = aggregates.plan_of_stock(wants);
        aggregates.plan_disclosure(wants);
        aggregates.by_home = by_home::Wanted::among(&aggregates, wants);
        aggregates
    }

    /// Compiles the embedded catalogue.
    pub fn embedded() -> Result<Self, MissingEnumeration> {
        Ok(Aggregates::new(Arc::new(Meanings::new(Catalogue::embedded())?)))
    }

    /// The same, but only these pairs are fed; their numbers stay. For questions that observe bills again.
    pub fn only(&self, wanted: &[u16]) -> Self {
        let wants = |pair: u16| wanted.contains(&pair);
        Aggregates::fed(self.meanings.clone(), self.themes.clone(), self.pairs.clone(), &wants)
    }

    /// True when facts of the behaviour may change a fed pair other than through the lots.
    pub fn reads(&self, behaviour: Behaviour) -> bool {
        !self.plans[usize::from(behaviour.0)].shares.is_empty()
    }

    /// The feeds of a plan by its number, as [`CellLayout`] numbers them.
    fn feeds_of(&self, plan: usize) -> &[Feed] {
        self.plans.get(plan).map_or(&self.stock.feeds, |plan| &plan.feeds)
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
}
