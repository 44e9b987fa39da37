//! Crosses: tables of up to four dimensions of one theme, with item filters. What custom reports and the rows-by-columns
//! parts of the fixed reports are made of.
//!
//! A [`CrossDefinition`] says what is asked; [`Aggregates::cross`] brings it into its one canonical form and compiles it.
//! Equal questions have equal forms and so the same [`CrossId`], whoever asks. A cross keeps *all* sums of its theme, by
//! business date: measures, grain and dates are matters of the question ([`CrossQuestion`]), so that few crosses serve many.
//!
//! Which facts count, and with which sums, is as for the cells of a single dimension; a cross of one dimension has the same
//! cells. What several dimensions add to that:
//! - A fact counts as it does in that of the dimensions (shown or filtered by) for which the theme counts most. So
//!   `D.ans` by `D.bill_kind` has the refusals, which `D.bill_kind` alone leaves out.
//! - Dimensions of one party go together: of two enterprises of a fact each gives its own (province, size). Dimensions of
//!   several items are otherwise multiplied.
//! - Dimensions of lots go together lot by lot (facts.md 9.12).
//! - A filter by a dimension that is not shown lets a fact pass that has one of the items, and lots and parties apart: the
//!   sums of lots that do not pass are not counted.
//! - The stock side exists when every dimension, shown or filtered by, can be told of a lot without a fact.
//! - Items that move with the date (remaining, holding and overdue days, time) are kept raw and filtered when asked; to
//!   filter by one it must be shown.
//!
//! Invariant: linear in the weight, like [`Aggregates::flow`] and [`Aggregates::stock`].
//!
//! Begin with [`Aggregates::cross`], then [`CrossSet::observe`]; `tuples` finds the items, `question` forms the rows.

mod compile;
mod definition;
pub mod question;
mod set;
mod sink;
mod tuples;
pub mod wire;

pub use self::{
    compile::Cross,
    definition::{CrossDefinition, CrossError, CrossFilter, CrossId, DIMENSIONS_MAX, FILTERS_MAX},
    question::{CrossAnswer, CrossPartial, CrossPlan, CrossQuestion, CrossSetDelta},
    set::CrossSet,
    sink::{CrossKey, CrossRow, CrossSink, Tuple},
};
use super::Aggregates;
