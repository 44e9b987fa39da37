//! What a cross is, in words: the form that clients write and the log keeps.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Most dimensions of a cross. More would have nearly as many cells as there are facts.
pub const DIMENSIONS_MAX: usize = 4;
/// Most filters of a cross.
pub const FILTERS_MAX: usize = 4;

/// Which table: theme, dimensions, filters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct CrossDefinition {
    /// For instance `T07`.
    pub theme: String,
    /// One to [`DIMENSIONS_MAX`], for instance `D.seller.type`. In the canonical form sorted.
    pub dimensions: Vec<String>,
    /// At most one a dimension of the theme, which need not be shown. In the canonical form sorted.
    pub filters: Vec<CrossFilter>,
}

/// Only these items of a dimension.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct CrossFilter {
    /// The dimension.
    pub dimension: String,
    /// Its items, as text.
    pub items: Vec<String>,
}

impl CrossDefinition {
    /// Without filters.
    pub fn of(theme: &str, dimensions: &[&str]) -> Self {
        CrossDefinition {
            theme: theme.to_owned(),
            dimensions: dimensions.iter().map(|&dimension| dimension.to_owned()).collect(),
            filters: Vec::new(),
        }
    }

    /// The same with only these items of a dimension.
    pub fn only(mut self, dimension: &str, items: &[&str]) -> Self {
        let items = items.iter().map(|&item| item.to_owned()).collect();
        self.filters.push(CrossFilter { dimension: dimension.to_owned(), items });
        self
    }

    /// Sorts what has no order, so that equal questions are equal.
    pub(super) fn sort(&mut self) {
        self.dimensions.sort();
        self.filters.sort();
        for filter in &mut self.filters {
            filter.items.sort();
            filter.items.dedup();
        }
    }

    /// Names the cross of a canonical form.
    pub(super) fn id(&self) -> CrossId {
        CrossId(xxh3_64(self.to_string().as_bytes()))
    }
}

impl fmt::Display for CrossDefinition {
    /// `T07 D.buyer.type,D.seller.type D.bill_kind=BAB,CAB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.theme, self.dimensions.join(","))?;
        self.filters.iter().try_for_each(|filter| write!(f, " {}={}", filter.dimension, filter.items.join(",")))
    }
}

/// The stable name of a cross: the hash of its canonical form, the same in every cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CrossId(pub u64);

impl fmt::Display for CrossId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl CrossId {
    /// Reads what is printed: 16 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let known = text.len() == 16 && text.bytes().all(is_digit);
        u64::from_str_radix(text, 16).ok().filter(|_| known).map(CrossId)
    }
}

/// A definition that says nothing that can be kept.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CrossError {
    /// No such theme.
    #[error("theme: `{0}` is not kept; name one of the themes of the catalogue but T31")]
    Theme(String),
    /// None, or too many.
    #[error("dimensions: {0} are named; name one to {DIMENSIONS_MAX}")]
    Dimensions(usize),
    /// Too many.
    #[error("filters: {0} are given; give at most {FILTERS_MAX}")]
    Filters(usize),
    /// No such dimension.
    #[error("{field}: theme {theme} has no dimension `{dimension}`; the catalogue lists those that it has")]
    Dimension {
        /// `dimensions` or `filters`.
        field: &'static str,
        /// The theme.
        theme: String,
        /// What was asked for.
        dimension: String,
    },
    /// Named twice.
    #[error("{field}: `{dimension}` is named twice; name it once")]
    Twice {
        /// `dimensions` or `filters`.
        field: &'static str,
        /// The dimension.
        dimension: String,
    },
    /// A filter that lets nothing pass.
    #[error("filters: `{0}` has no items; name some, or leave the filter out")]
    NoItems(String),
    /// No such item.
    #[error(
        "filters: dimension {dimension} has no item `{item}`; write a code of its enumeration, a party, UNKNOWN or NA"
    )]
    Item {
        /// The dimension.
        dimension: String,
        /// What was asked for.
        item: String,
    },
    /// A filter by what moves with the date.
    #[error(
        "filters: the items of `{0}` move with the date, so it can only be filtered by when it is shown; add it to dimensions"
    )]
    Moves(String),
    /// Neither side exists.
    #[error(
        "dimensions: the balance of theme {theme} cannot be told by `{dimension}`, and the theme counts nothing else; leave it out"
    )]
    Nothing {
        /// The theme.
        theme: String,
        /// The dimension.
        dimension: String,
    },
}
