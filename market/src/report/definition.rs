//! Report definitions, compiled: what rows, columns and checks a report has, and the figures that they read.
//!
//! [`Book::read`] (in `compile`) checks every definition when the catalogue is loaded. A fault names file, entry and remedy.
//! The form of the files is in `text`; what a definition *gives* is in [`super::evaluate`].

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::{expression::Expression, figure::Figure, period::Frequency, tally::Asked};
use crate::{
    items::{Enumeration, Item},
    observe::Meanings,
};

/// The file of axes and measures that all reports share.
pub const BASE_FILE: &str = "report_base.json";

/// How a value is printed; the value itself stays exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Fen, printed in 亿元 with 2 decimals.
    Amount,
    /// Fen, printed in 万元 with 2 decimals.
    SmallAmount,
    /// Whole number.
    Count,
    /// A share; printed times 100 with 4 decimals.
    Percent,
    /// A rate e4 (percent times 10^4); printed in percent with 4 decimals.
    Rate,
    /// A difference of rates e4; printed in basis points with 2 decimals.
    BasisPoints,
    /// Days, 2 decimals.
    Days,
    /// Milliseconds, printed in hours with 1 decimal.
    Hours,
    /// Plain, 4 decimals.
    Ratio,
    /// 1 = 是, 0 = 否.
    Flag,
    /// Level of an indicator: 0 = 正常, 1 to 4 = 蓝 黄 橙 红.
    Level,
    /// As it is.
    Text,
}

/// Which items of an axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Select {
    /// All.
    All,
    /// These.
    Items(Vec<Item>),
    /// All but these.
    Rest(Vec<Item>),
}

impl Select {
    /// True when it holds the item.
    pub fn holds(&self, item: Item) -> bool {
        match self {
            Select::All => true,
            Select::Items(items) => items.contains(&item),
            Select::Rest(items) => !items.contains(&item),
        }
    }
}

/// A place on an axis.
#[derive(Clone, Debug)]
pub struct Place {
    /// Code.
    pub code: String,
    /// Title.
    pub english: String,
    /// 标题.
    pub chinese: String,
    /// Its items.
    pub select: Select,
    /// No part of the sum of all places.
    pub total: bool,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its places, in the order in which they are printed.
    pub places: Vec<Place>,
    pub(super) enumeration: Option<Enumeration>,
}

impl Axis {
    /// A place by code.
    pub fn place(&self, code: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.code == code)
    }
}

/// Places on axes.
pub type At = Vec<(String, Select)>;
/// Names that stand for expressions.
pub type Definitions = BTreeMap<String, Expression>;

/// A report, compiled.
#[derive(Clone, Debug)]
pub struct ReportForm {
    /// For instance `R01`.
    pub id: String,
    /// Name.
    pub english: String,
    /// 名称.
    pub chinese: String,
    /// How often.
    pub frequency: Frequency,
    /// What a reader must know.
    pub notes: Vec<String>,
    /// Its figures.
    pub figures: Vec<Figure>,
    /// Its definitions.
    pub define: Definitions,
    /// Its blocks; repeated ones stand here once a place.
    pub blocks: Vec<BlockForm>,
    /// Its checks.
    pub checks: Vec<CheckForm>,
}

/// A block, compiled.
#[derive(Clone, Debug)]
pub struct BlockForm {
    /// Id.
    pub id: String,
    /// Title.
    pub english: String,
    /// 标题.
    pub chinese: String,
    /// Where all its cells are.
    pub at: At,
    /// Rows.
    pub rows: Vec<RowForm>,
    /// Columns.
    pub columns: Vec<ColumnForm>,
}

/// How rows come about.
#[derive(Clone, Debug)]
pub enum RowsFrom {
    /// One row.
    One,
    /// One a day after the end of the period, on this axis.
    DaysAhead(String, u16),
    /// One an item.
    Each {
        /// The axis of the items.
        axis: String,
        /// Figures that have them.
        figures: Vec<usize>,
        /// Which rows stay.
        keep: Box<Expression>,
        /// Largest first.
        order: Box<Expression>,
    },
}

/// A row, or many of one form.
#[derive(Clone, Debug)]
pub struct RowForm {
    /// Id; empty where rows come from items.
    pub id: String,
    /// Title.
    pub english: String,
    /// 标题.
    pub chinese: String,
    /// How many.
    pub from: RowsFrom,
    /// Where its cells are.
    pub at: At,
    /// Its definitions.
    pub define: Definitions,
    /// Other expressions for columns (ids before they are spread over an axis); `None` = nothing.
    pub cells: BTreeMap<String, Option<Expression>>,
    /// No part of a sum of rows.
    pub total: bool,
}

/// A column.
#[derive(Clone, Debug)]
pub struct ColumnForm {
    /// Id; over an axis: `amount.BAB`.
    pub id: String,
    /// Id in the definition: `amount`.
    pub base: String,
    /// Title.
    pub english: String,
    /// 标题.
    pub chinese: String,
    /// Its axis and the total of it, for check C0.
    pub over: Option<(String, bool)>,
    /// Where its cells are.
    pub at: At,
    /// Its value; `None`: not known, the note says why.
    pub value: Option<Expression>,
    /// How it is printed.
    pub unit: Unit,
    /// Why it is empty, or what it means.
    pub note: String,
}

/// How two sides must stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    /// Equal.
    Equal,
    /// Left not larger.
    AtMost,
    /// Left not smaller.
    AtLeast,
}

/// A check (勾稽关系).
#[derive(Clone, Debug)]
pub struct CheckForm {
    /// For instance `C1`.
    pub id: String,
    /// What must hold.
    pub english: String,
    /// 勾稽关系.
    pub chinese: String,
    /// One side.
    pub left: Expression,
    /// The other side.
    pub right: Expression,
    /// How they must stand.
    pub relation: Relation,
    /// How far they may be apart: numerator, denominator.
    pub tolerance: (i128, i128),
    /// Made only when the period ends with a month.
    pub at_month_end: bool,
    /// Block, rows (`*`, `**`, or a list), columns, for which it is made.
    pub each: Option<(String, String, Vec<String>)>,
}

/// All reports, compiled.
#[derive(Debug)]
pub struct Book {
    /// By number; [`super::tally::Asked::report`] names them so.
    pub reports: Vec<ReportForm>,
    /// Axes.
    pub axes: BTreeMap<String, Axis>,
    /// What names mean.
    pub meanings: Arc<Meanings>,
}

/// A definition that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}, {entry}: {fault}")]
pub struct DefinitionError {
    /// File of the catalogue.
    pub file: String,
    /// Where in it.
    pub entry: String,
    /// What is wrong, and what is expected.
    pub fault: String,
}

impl Book {
    /// Number of a report.
    pub fn number(&self, id: &str) -> Option<usize> {
        self.reports.iter().position(|report| report.id == id)
    }

    /// The figure of a question.
    pub fn figure(&self, asked: &Asked) -> &Figure {
        &self.reports[usize::from(asked.report)].figures[usize::from(asked.figure)]
    }

    /// Cells that checks name must exist.
    pub(super) fn check_ranges(&self) -> Result<(), DefinitionError> {
        for report in &self.reports {
            for check in &report.checks {
                let mut fault = None;
                for side in [&check.left, &check.right] {
                    side.each_range(&mut |range| {
                        let target = if range.report.is_empty() { Some(report) } else { self.find(&range.report) };
                        let Some(target) = target else {
                            fault = Some(format!("no report `{}`", range.report));
                            return;
                        };
                        let Some(block) = target.blocks.iter().find(|block| block.id == range.block) else {
                            fault = Some(format!("{} has no block `{}`", target.id, range.block));
                            return;
                        };
                        let fixed = |id: &&String| *id != "*" && !id.starts_with('$');
                        for row in range.rows.iter().filter(fixed) {
                            let made = |known: &RowForm| known.id == *row || !matches!(known.from, RowsFrom::One);
                            if !block.rows.iter().any(made) {
                                fault = Some(format!("block `{}` of {} has no row `{row}`", block.id, target.id));
                            }
                        }
                        for column in range.columns.iter().filter(fixed) {
                            if !block.columns.iter().any(|known| known.id == *column) {
                                fault = Some(format!("block `{}` of {} has no column `{column}`", block.id, target.id));
                            }
                        }
                    });
                }
                if let Some(fault) = fault {
                    let (file, entry) = (format!("{}.json", report.id), format!("checks.{}", check.id));
                    return Err(DefinitionError { file, entry, fault });
                }
            }
        }
        Ok(())
    }

    fn find(&self, id: &str) -> Option<&ReportForm> {
        self.reports.iter().find(|report| report.id == id)
    }
}
