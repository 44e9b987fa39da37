//! What the catalogue tells people about patterns, indicators and reports (`patterns.csv`, `indicators.csv`,
//! `reports.csv`). How a pattern is computed stands in its own definitions, not here.

use super::{
    behaviours,
    enums::Enums,
    table::{CatalogueError, Distinct, Row, read_rows},
};
use crate::fact::Behaviour;

pub(super) const PATTERNS_FILE: &str = "patterns.csv";
pub(super) const INDICATORS_FILE: &str = "indicators.csv";
pub(super) const REPORTS_FILE: &str = "reports.csv";

/// A row of `patterns.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PatternRow {
    /// For instance `P001`.
    pub id: Box<str>,
    /// Name.
    pub english: Box<str>,
    /// 名称.
    pub chinese: Box<str>,
    /// What it is about, for instance `financing bill`.
    pub category: Box<str>,
    /// Code of enumeration `engine_family`.
    pub family: Box<str>,
    /// What an alert is about, for instance `bill`.
    pub key_entity: Box<str>,
    /// The rule in words.
    pub definition: Box<str>,
    /// `name=value` between `;`, or `none`.
    pub default_parameters: Box<str>,
    /// Code of enumeration `alert_level`, in lower case.
    pub severity: Box<str>,
    /// Regulation or case behind it.
    pub basis: Box<str>,
    /// Advice to the reader; never part of the rule.
    pub false_positive_notes: Box<str>,
    /// Behaviours that it reads; empty = all (`*`).
    pub event_kinds: Vec<Behaviour>,
}

/// A row of `indicators.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndicatorRow {
    /// For instance `LQ1`.
    pub id: Box<str>,
    /// Name.
    pub english: Box<str>,
    /// 名称.
    pub chinese: Box<str>,
    /// What it is about.
    pub category: Box<str>,
    /// For whom and how often.
    pub grain: Box<str>,
    /// The formula in words.
    pub formula: Box<str>,
    /// Over how long.
    pub window: Box<str>,
    /// Where BLUE, YELLOW, ORANGE and RED begin, as decimal numbers.
    pub thresholds: [Box<str>; 4],
    /// Behaviours that it reads.
    pub inputs: Vec<Behaviour>,
    /// Regulation or design behind it.
    pub basis: Box<str>,
    /// What stands beside the value.
    pub notes: Box<str>,
}

/// A row of `reports.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportRow {
    /// For instance `R01`.
    pub id: Box<str>,
    /// Name.
    pub english: Box<str>,
    /// 名称.
    pub chinese: Box<str>,
    /// Code of enumeration `report_period`.
    pub frequency: Box<str>,
    /// Where it comes from, and what of it is design.
    pub basis: Box<str>,
}

pub(super) fn read_patterns(text: &str, enums: &Enums) -> Result<Vec<PatternRow>, CatalogueError> {
    let columns = [
        "id",
        "english_name",
        "chinese_name",
        "category",
        "engine_family",
        "key_entity",
        "precise_definition",
        "default_parameters",
        "severity",
        "basis",
        "false_positive_notes",
        "event_kinds",
    ];
    let mut patterns = Vec::new();
    let mut distinct = Distinct::default();
    read_rows(PATTERNS_FILE, text, &columns, |row| {
        distinct.take(row, "id", row.filled("id")?)?;
        enums.require_item(row, "id", row.get("id"), "pattern")?;
        enums.require_item(row, "engine_family", row.filled("engine_family")?, "engine_family")?;
        let severity = row.filled("severity")?;
        if severity.to_uppercase() == severity {
            return Err(row.error("severity", "write the level in lower case"));
        }
        enums.require_item(row, "severity", &severity.to_uppercase(), "alert_level")?;
        patterns.push(PatternRow {
            id: row.get("id").into(),
            english: row.filled("english_name")?.into(),
            chinese: row.filled("chinese_name")?.into(),
            category: row.filled("category")?.into(),
            family: row.get("engine_family").into(),
            key_entity: row.filled("key_entity")?.into(),
            definition: row.filled("precise_definition")?.into(),
            default_parameters: row.filled("default_parameters")?.into(),
            severity: severity.into(),
            basis: row.get("basis").into(),
            false_positive_notes: row.get("false_positive_notes").into(),
            event_kinds: behaviours_of(row, "event_kinds")?,
        });
        Ok(())
    })?;
    Ok(patterns)
}

pub(super) fn read_indicators(text: &str) -> Result<Vec<IndicatorRow>, CatalogueError> {
    let columns = [
        "id",
        "english_name",
        "chinese_name",
        "category",
        "grain",
        "formula",
        "window",
        "alert_blue",
        "alert_yellow",
        "alert_orange",
        "alert_red",
        "inputs",
        "basis",
        "notes",
    ];
    let mut indicators = Vec::new();
    let mut distinct = Distinct::default();
    read_rows(INDICATORS_FILE, text, &columns, |row| {
        distinct.take(row, "id", row.filled("id")?)?;
        indicators.push(IndicatorRow {
            id: row.get("id").into(),
            english: row.filled("english_name")?.into(),
            chinese: row.filled("chinese_name")?.into(),
            category: row.filled("category")?.into(),
            grain: row.filled("grain")?.into(),
            formula: row.filled("formula")?.into(),
            window: row.filled("window")?.into(),
            thresholds: [
                row.filled("alert_blue")?.into(),
                row.filled("alert_yellow")?.into(),
                row.filled("alert_orange")?.into(),
                row.filled("alert_red")?.into(),
            ],
            inputs: behaviours_of(row, "inputs")?,
            basis: row.get("basis").into(),
            notes: row.get("notes").into(),
        });
        Ok(())
    })?;
    Ok(indicators)
}

pub(super) fn read_reports(text: &str, enums: &Enums) -> Result<Vec<ReportRow>, CatalogueError> {
    let mut reports = Vec::new();
    let mut distinct = Distinct::default();
    read_rows(REPORTS_FILE, text, &["id", "english_name", "chinese_name", "frequency", "basis"], |row| {
        distinct.take(row, "id", row.filled("id")?)?;
        enums.require_item(row, "frequency", row.filled("frequency")?, "report_period")?;
        reports.push(ReportRow {
            id: row.get("id").into(),
            english: row.filled("english_name")?.into(),
            chinese: row.filled("chinese_name")?.into(),
            frequency: row.get("frequency").into(),
            basis: row.filled("basis")?.into(),
        });
        Ok(())
    })?;
    Ok(reports)
}

/// Behaviours between `;`; `*` = all, given as none.
fn behaviours_of(row: &Row, column: &str) -> Result<Vec<Behaviour>, CatalogueError> {
    if row.filled(column)? == "*" {
        return Ok(Vec::new());
    }
    row.parts(column, ';').map(|code| behaviours::require(row, column, code)).collect()
}
