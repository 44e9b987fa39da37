//! The form of `report_base.json` and `R01.json` ..., as written. What it is compiled to is in [`super::definition`].

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{definition::Unit, figure::FigureText};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BaseText {
    pub(super) axes: BTreeMap<String, AxisText>,
    pub(super) measures: BTreeMap<String, FigureText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AxisText {
    /// Enumeration of its items; empty = parties, days.
    #[serde(default)]
    pub(super) enumeration: String,
    /// Codes between blanks, in this order; empty = all of the enumeration.
    #[serde(default)]
    pub(super) items: String,
    /// More places, behind the codes.
    #[serde(default)]
    pub(super) extra: Vec<PlaceText>,
    /// A place for all other items.
    #[serde(default)]
    pub(super) rest: Option<TitleText>,
    /// The last place: everything.
    #[serde(default)]
    pub(super) total: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TitleText {
    pub(super) code: String,
    pub(super) en: String,
    pub(super) zh: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceText {
    pub(super) code: String,
    pub(super) en: String,
    pub(super) zh: String,
    pub(super) items: String,
    /// A part of others: no part of their sum.
    #[serde(default)]
    pub(super) of: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportText {
    pub(super) id: String,
    #[serde(default)]
    pub(super) notes: Vec<String>,
    pub(super) figures: BTreeMap<String, FigureText>,
    #[serde(default)]
    pub(super) define: BTreeMap<String, String>,
    pub(super) blocks: Vec<BlockText>,
    pub(super) checks: Vec<CheckText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockText {
    pub(super) id: String,
    pub(super) en: String,
    pub(super) zh: String,
    /// Repeat it for each place of an axis.
    #[serde(default)]
    pub(super) over: String,
    pub(super) rows: Vec<RowText>,
    pub(super) columns: Vec<ColumnText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowText {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) en: String,
    #[serde(default)]
    pub(super) zh: String,
    /// One row a place of an axis.
    #[serde(default)]
    pub(super) over: String,
    /// One row an item that figures have.
    #[serde(default)]
    pub(super) each: Option<EachText>,
    /// One row a day after the end of the period.
    #[serde(default)]
    pub(super) days_ahead: u16,
    #[serde(default)]
    pub(super) at: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) define: BTreeMap<String, String>,
    /// Other expressions for columns; empty = nothing.
    #[serde(default)]
    pub(super) cells: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) total: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EachText {
    pub(super) axis: String,
    /// Figures whose items become rows.
    pub(super) figures: Vec<String>,
    /// A row stays when this is neither nothing nor 0.
    pub(super) keep: String,
    /// Largest first.
    pub(super) order: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnText {
    pub(super) id: String,
    pub(super) en: String,
    pub(super) zh: String,
    #[serde(default)]
    pub(super) over: String,
    #[serde(default)]
    pub(super) at: BTreeMap<String, String>,
    /// Empty: facts do not say it; then the note tells why.
    pub(super) value: String,
    pub(super) unit: Unit,
    #[serde(default)]
    pub(super) note: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckText {
    pub(super) id: String,
    pub(super) en: String,
    pub(super) zh: String,
    pub(super) left: String,
    pub(super) right: String,
    /// `=`, `<=` or `>=`.
    #[serde(default)]
    pub(super) relation: String,
    /// A whole number or `1/1000`.
    #[serde(default)]
    pub(super) tolerance: String,
    /// `month_end`: made only when the period ends with a month.
    #[serde(default)]
    pub(super) when: String,
    /// Once for each row of a block that is no total (`*`), all rows (`**`), or these: `$row` in cells.
    #[serde(default)]
    pub(super) rows: String,
    /// Once for each of these columns: `$column` in cells.
    #[serde(default)]
    pub(super) columns: String,
    /// The block of `rows` and `columns`.
    #[serde(default)]
    pub(super) block: String,
}
