//! From a definition to what each behaviour and each lot adds.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Aggregates, CrossDefinition, CrossError, CrossFilter, CrossId, DIMENSIONS_MAX, FILTERS_MAX};
use crate::{
    aggregate::{DimensionPairs, Share, Theme, is_time, measure::Slot, rules},
    fact::{BEHAVIOUR_CODES, Behaviour},
    items::Item,
    names::{Name, Role},
};

/// Who or what the items of a column are asked of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Axis {
    /// The date of the cell tells.
    Date,
    /// The whole fact.
    Fact,
    /// Lot by lot.
    Lot,
    /// Enterprise by enterprise.
    Enterprise,
    /// Institution by institution.
    Institution,
}

/// A dimension that is shown, filtered by, or both.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: Name,
    pub axis: Axis,
    /// Items that pass when a fact adds; `None`: all.
    pub passes: Option<Box<[Item]>>,
    /// Place among the dimensions; `None`: only filtered by.
    pub shown: Option<u8>,
}

impl Column {
    pub fn lets_pass(&self, item: Item) -> bool {
        self.passes.as_ref().is_none_or(|items| items.contains(&item))
    }
}

/// A compiled cross.
#[derive(Debug)]
pub struct Cross {
    /// Its stable name.
    pub id: CrossId,
    /// The canonical form.
    pub definition: CrossDefinition,
    pub(super) theme: u16,
    /// By dimension: what its kept items become on a date, and which of them the question shows.
    pub(super) shown: Vec<Shown>,
    /// What facts of a behaviour add.
    pub(super) flow: HashMap<u16, (Share, Arc<[Column]>)>,
    /// A theme of cuts (T18): what each new lot adds.
    pub(super) cuts: Option<Arc<[Column]>>,
    /// T28: what acceptances and their disclosure add.
    pub(super) disclosure: Option<Arc<[Column]>>,
    /// What lots add.
    pub(super) stock: Option<Arc<[Column]>>,
    /// A dimension of the theme that has the same sides as the cross.
    pub(super) like: String,
}

/// One dimension of the answer.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub name: Name,
    /// Items that pass when asked, where they move with the date.
    pub passes: Option<Box<[Item]>>,
}

impl Cross {
    /// True when facts of the behaviour may add to it other than through lots and cuts.
    pub fn reads(&self, behaviour: Behaviour) -> bool {
        self.flow.contains_key(&behaviour.0)
    }

    /// True when lots add to it.
    pub fn has_stock(&self) -> bool {
        self.stock.is_some()
    }

    /// Slots of the sums of a flow cell or a stock cell.
    pub fn slots<'a>(&self, aggregates: &'a Aggregates, stock: bool) -> &'a [Slot] {
        let theme = &aggregates.themes[usize::from(self.theme)];
        if stock { &theme.stock_slots } else { &theme.flow_slots }
    }
}

impl Aggregates {
    /// Compiles a definition: its canonical form, and what adds to it.
    pub fn cross(&self, definition: &CrossDefinition) -> Result<Cross, CrossError> {
        // T31 counts alerts, which no fact feeds.
        let place = self.themes.iter().position(|theme| *theme.id == *definition.theme && &*theme.id != "T31");
        let place = place.ok_or_else(|| CrossError::Theme(definition.theme.clone()))?;
        let theme = &self.themes[place];
        if !(1..=DIMENSIONS_MAX).contains(&definition.dimensions.len()) {
            return Err(CrossError::Dimensions(definition.dimensions.len()));
        }
        if definition.filters.len() > FILTERS_MAX {
            return Err(CrossError::Filters(definition.filters.len()));
        }
        let mut definition =
            CrossDefinition { filters: self.same_filters(theme, &definition.filters)?, ..definition.clone() };
        definition.sort();
        let filtered = definition.filters.iter().map(|filter| &filter.dimension);
        for (field, mut names) in
            [("dimensions", definition.dimensions.iter().collect::<Vec<_>>()), ("filters", filtered.collect())]
        {
            names.sort();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(CrossError::Twice { field, dimension: twice[0].clone() });
            }
        }
        self.compile_cross(place as u16, definition)
    }

    /// The filters with their items written as they are printed.
    fn same_filters(&self, theme: &Theme, filters: &[CrossFilter]) -> Result<Vec<CrossFilter>, CrossError> {
        let vocabulary = self.meanings.vocabulary();
        let same = |filter: &CrossFilter| {
            let pairs = find(theme, "filters", &filter.dimension)?;
            if filter.items.is_empty() {
                return Err(CrossError::NoItems(filter.dimension.clone()));
            }
            let items = filter.items.iter().map(|text| {
                let parsed = vocabulary.parse_item(pairs.enumeration, text);
                let wrong = || CrossError::Item { dimension: filter.dimension.clone(), item: text.clone() };
                parsed.map(|item| vocabulary.item_text(item)).ok_or_else(wrong)
            });
            Ok(CrossFilter { dimension: filter.dimension.clone(), items: items.collect::<Result<_, _>>()? })
        };
        filters.iter().map(same).collect()
    }

    fn compile_cross(&self, number: u16, definition: CrossDefinition) -> Result<Cross, CrossError> {
        let theme = &self.themes[usize::from(number)];
        let vocabulary = self.meanings.vocabulary();
        // Shown dimensions first, then those that are only filtered by.
        let mut named: Vec<(&str, DimensionPairs)> = Vec::new();
        for dimension in &definition.dimensions {
            named.push((dimension, find(theme, "dimensions", dimension)?));
        }
        for filter in &definition.filters {
            if !definition.dimensions.contains(&filter.dimension) {
                named.push((&filter.dimension, find(theme, "filters", &filter.dimension)?));
            }
        }
        let has_names = |name: Name| named.iter().any(|(_, pairs)| pairs.name == name);
        let role_of = Roles {
            enterprises: named.iter().any(|(_, pairs)| matches!(pairs.name, Name::Of(Role::EachEnterprise, _)))
                || theme.flow_sets.contains(&crate::aggregate::measure::SetKind::Enterprises),
            institutions: named.iter().any(|(_, pairs)| matches!(pairs.name, Name::Of(Role::EachInstitution, _))),
        };
        let mut columns = Vec::new();
        let mut shown = Vec::new();
        for (place, (dimension, pairs)) in named.iter().enumerate() {
            let filter = definition.filters.iter().find(|filter| filter.dimension == *dimension);
            let passes: Option<Box<[Item]>> = filter.map(|filter| {
                filter.items.iter().filter_map(|text| vocabulary.parse_item(pairs.enumeration, text)).collect()
            });
            let is_shown = place < definition.dimensions.len();
            let moves = moves(pairs.name);
            if moves && !is_shown {
                return Err(CrossError::Moves((*dimension).to_owned()));
            }
            if is_shown {
                shown.push(Shown { name: pairs.name, passes: passes.clone().filter(|_| moves) });
            }
            columns.push(Column {
                name: pairs.name,
                axis: role_of.axis(pairs.name),
                passes: passes.filter(|_| !moves),
                shown: is_shown.then_some(place as u8),
            });
        }
        let without_stock = named.iter().find(|(_, pairs)| pairs.stock.is_none());
        let has_flow = named.iter().any(|(_, pairs)| pairs.flow.is_some());
        if let (Some((dimension, _)), false) = (without_stock, has_flow) {
            let (theme, dimension) = (definition.theme.clone(), (*dimension).to_owned());
            return Err(CrossError::Nothing { theme, dimension });
        }
        let columns: Arc<[Column]> = columns.into();
        let is = |id: &str| *theme.id == *id;
        let mut flow = HashMap::new();
        for (behaviour, code) in (0u16..).zip(BEHAVIOUR_CODES) {
            let dimensions: Vec<&str> = named.iter().map(|(dimension, _)| *dimension).collect();
            if let Some(counts) = rules::counts_for_any(&theme.rule, code, &dimensions) {
                flow.insert(behaviour, (Share { theme: number, counts }, self.columns_for(&columns, theme, code)));
            }
        }
        let like = without_stock.unwrap_or(&named[0]).0.to_owned();
        let disclosure = is("T28") && !has_names(Name::Behaviour);
        Ok(Cross {
            id: definition.id(),
            theme: number,
            shown,
            flow,
            cuts: is("T18").then(|| columns.clone()),
            disclosure: disclosure.then(|| columns.clone()),
            stock: (theme.rule.stock.is_some() && without_stock.is_none()).then(|| columns.clone()),
            like,
            definition,
        })
    }

    /// The columns as a behaviour reads them.
    fn columns_for(&self, columns: &Arc<[Column]>, theme: &Theme, code: &str) -> Arc<[Column]> {
        if columns.iter().all(|column| self.name_in(theme, column.name, code) == column.name) {
            return columns.clone();
        }
        let of = |column: &Column| {
            let name = self.name_in(theme, column.name, code);
            let axis = if name == column.name { column.axis } else { Axis::Fact };
            Column { name, axis, ..column.clone() }
        };
        columns.iter().map(of).collect()
    }
}

fn find(theme: &Theme, field: &'static str, dimension: &str) -> Result<DimensionPairs, CrossError> {
    theme.dimensions.get(dimension).copied().ok_or_else(|| CrossError::Dimension {
        field,
        theme: theme.id.to_string(),
        dimension: dimension.to_owned(),
    })
}

/// True for names whose items are another on another date of the question.
fn moves(name: Name) -> bool {
    is_time(name) || matches!(name, Name::RemainingDays | Name::HoldingDays | Name::OverdueDays)
}

/// Whose roles a column of roles asks for.
struct Roles {
    enterprises: bool,
    institutions: bool,
}

impl Roles {
    fn axis(&self, name: Name) -> Axis {
        match name {
            name if is_time(name) => Axis::Date,
            name if name.is_of_lot() => Axis::Lot,
            Name::Of(Role::EachEnterprise, _) => Axis::Enterprise,
            Name::Of(Role::EachInstitution, _) => Axis::Institution,
            Name::PartyRole if self.enterprises => Axis::Enterprise,
            Name::PartyRole if self.institutions => Axis::Institution,
            _ => Axis::Fact,
        }
    }
}
