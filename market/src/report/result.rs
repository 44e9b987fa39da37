//! What evaluating gives: a report of a period, its tables, its checks. Values are exact.

use serde::{Deserialize, Serialize};

use super::{exact::Exact, period::Period};

/// How far a report has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Status {
    /// The period may still get facts in time.
    Prelim,
    /// Every source has passed the end of the period and the lateness bound.
    Final,
    /// A check does not hold.
    CheckFailed,
}

impl Status {
    /// As reports.md writes it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Prelim => "PRELIM",
            Status::Final => "FINAL",
            Status::CheckFailed => "CHECK_FAILED",
        }
    }
}

/// A report of one period.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// For instance `R01`.
    pub id: String,
    /// The period.
    pub period: Period,
    /// How far it has come.
    pub status: Status,
    /// Its tables.
    pub blocks: Vec<Block>,
    /// What was checked.
    pub checks: Vec<CheckResult>,
}

/// A table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Block {
    /// Its id.
    pub id: String,
    /// Rows in the order in which they are printed; cells stand as the columns of the definition.
    pub rows: Vec<Row>,
}

/// A row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Title.
    pub english: String,
    /// 标题.
    pub chinese: String,
    /// No part of a sum of rows.
    pub total: bool,
    /// Exact values.
    pub cells: Vec<Exact>,
}

/// A check and how it came out (reports.md 0.5). One that is made for many rows shows the sums, or the first failure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckResult {
    /// For instance `C1`.
    pub id: String,
    /// Left side; fen for amounts.
    pub left: Exact,
    /// Right side.
    pub right: Exact,
    /// Left - right.
    pub difference: Exact,
    /// It holds.
    pub pass: bool,
    /// The first place where it does not hold: block, row, column.
    pub place: String,
    /// How many times it was made.
    pub instances: u32,
}
