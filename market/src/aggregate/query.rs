//! Questions about cells: which cells to read, and how figures are formed from what was read.
//!
//! [`Aggregates::ask`] turns a [`Question`] into a [`Plan`]: pairs and dates that the keepers of cells read into a
//! [`Partial`]. Partials of all shards are put together ([`Partial::merge`]) and [`Aggregates::answer`] forms the rows.
//! Averages and ratios keep their two sums; nothing is rounded.

mod answer;

pub(super) use self::answer::{Group, add, figure, periods};

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Aggregates, Theme,
    by_home::First,
    measure::{Form, Measure, SetKind},
    sink::{CellKey, SetDelta},
};
use crate::{ids::Day, items::Item, names::Name};

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
}
