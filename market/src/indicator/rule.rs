//! The form of `catalogue/indicator_rules.json`, and what it is compiled to.
//!
//! `windows` cut what is read of a feature; `parts` are expressions over windows and reference data of the key, which add up
//! over keys; `terms` and `series` are expressions and statistics over parts, worked out for a key or a group; `numerator` and
//! `denominator` give the value. Later entries may use the names of earlier ones. An unknown entry is an error.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::finish::Figure;
use crate::pattern::{FeatureIndex, Level, expression::Node, number::Number};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileText {
    pub indicators: Vec<IndicatorText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndicatorText {
    pub id: String,
    /// Decisions that the tables leave open.
    #[allow(dead_code)]
    pub note: Option<String>,
    /// Features whose keys have parts.
    pub keys: Vec<String>,
    /// Parts of the key are codes, not parties.
    #[serde(default)]
    pub code_keys: bool,
    /// Which of these keys.
    pub eligible: Option<String>,
    /// Values mean something only when their day is over.
    #[serde(default)]
    pub ended: bool,
    pub windows: Vec<WindowText>,
    pub parts: Vec<PartText>,
    /// Keys have no value of their own.
    #[serde(default)]
    pub only_groups: bool,
    #[serde(default)]
    pub groups: Vec<GroupText>,
    #[serde(default)]
    pub roll_up: RollUp,
    #[serde(default)]
    pub terms: Vec<TermText>,
    #[serde(default)]
    pub series: Vec<SeriesText>,
    pub numerator: String,
    pub denominator: String,
    /// Conditions of a key that give it at least this level, whatever the value.
    #[serde(default)]
    pub at_least: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowText {
    pub name: String,
    pub feature: String,
    /// Last n calendar days; absent, as all lengths: everything up to the day.
    pub days: Option<u32>,
    /// Last n business days.
    pub business_days: Option<u32>,
    /// Last n calendar months, the present one up to the day.
    pub months: Option<u32>,
    /// The window ends so many days, business days or months earlier.
    #[serde(default)]
    pub before: u32,
    /// First and last member.
    pub members: Option<[String; 2]>,
    /// Leaves members out.
    pub without: Option<WithoutText>,
    /// Keeps members that lasted.
    pub lasting: Option<LastingText>,
    /// Keeps cells that grew: what came, not what went.
    #[serde(default)]
    pub increases: bool,
    /// Sum of the balances at the end of each of the last n business days.
    pub each_business_day: Option<u32>,
}

/// Members that are members of another feature too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithoutText {
    pub feature: String,
    /// Of the last n calendar days; absent: ever, up to the day.
    pub days: Option<u32>,
    /// The other feature has one key, `ALL`, is known everywhere, and its members are the lower halves of members here.
    #[serde(default)]
    pub everywhere: bool,
}

/// Members whose sum in another feature, in ms, is above a limit; a sum below 0 still runs until the end of the day.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LastingText {
    pub feature: String,
    pub above_ms: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartText {
    pub name: String,
    pub english: String,
    pub chinese: String,
    pub value: String,
    /// Groups also know the sum of squares (`X_squares`) and the sum of the 1, 5 and 10 largest (`X_top1`, ...).
    #[serde(default)]
    pub shares: bool,
    /// Groups know the median (`X_median`), and a key that of its group of this name; the part does not add up.
    pub median_in: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupText {
    pub name: String,
    /// Keys with equal values are one group; absent: all keys.
    pub by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TermText {
    pub name: String,
    pub english: String,
    pub chinese: String,
    pub value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeriesText {
    pub name: String,
    pub english: String,
    pub chinese: String,
    /// Term that is followed over days.
    pub of: String,
    /// Business days before the day.
    pub days: u32,
    pub statistic: StatisticText,
    /// Least standard deviation, of a z-score.
    pub floor: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum StatisticText {
    ZScore,
    Median,
}

/// How the value of a group comes about.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum RollUp {
    /// By the formula over the sums of the parts.
    #[default]
    Sum,
    /// It is the largest value of its keys.
    Largest,
}

/// Which buckets a window shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Span {
    Ever,
    Days { length: u32, before: u32 },
    BusinessDays { length: u32, before: u32 },
    Months { length: u32, before: u32 },
}

pub(super) struct Without {
    pub feature: FeatureIndex,
    pub days: Option<u32>,
    pub everywhere: bool,
}

/// A compiled window.
pub(super) struct Window {
    pub name: String,
    pub feature: FeatureIndex,
    pub span: Span,
    pub members: Option<(Node, Node)>,
    pub without: Option<Without>,
    pub lasting: Option<(FeatureIndex, i64)>,
    pub increases: bool,
    pub each_business_day: Option<u32>,
}

pub(super) struct PartRule {
    pub value: Node,
    pub shares: bool,
    /// Place of a group.
    pub median_in: Option<usize>,
}

pub(super) struct Group {
    pub name: String,
    pub by: Option<Node>,
}

pub(super) enum Statistic {
    ZScore { floor: Number },
    Median,
}

pub(super) struct Series {
    /// Place of what is followed among the figures.
    pub of: usize,
    pub days: u32,
    pub statistic: Statistic,
}

/// A compiled indicator. Its figures are, in order: parts, what groups know of parts, terms, series.
pub(super) struct Indicator {
    pub id: String,
    pub keys: Vec<FeatureIndex>,
    pub code_keys: bool,
    pub eligible: Option<Node>,
    pub ended: bool,
    pub windows: Vec<Window>,
    pub parts: Vec<PartRule>,
    pub values_of_keys: bool,
    pub groups: Vec<Group>,
    pub roll_up: RollUp,
    pub terms: Vec<Node>,
    pub series: Vec<Series>,
    pub numerator: Node,
    pub denominator: Node,
    pub at_least: Vec<(Level, Node)>,
    /// Lowest first.
    pub thresholds: [(Level, Number); 4],
    pub figures: Vec<Figure>,
}

/// How many of the largest are told of a part with `shares`.
pub(super) const TOPS: [usize; 3] = [1, 5, 10];
