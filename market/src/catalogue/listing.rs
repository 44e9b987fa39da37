//! The catalogue as a summary for people and programs: what `billwatch catalogue --format json` prints.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::Catalogue;
use crate::{
    aggregate::Aggregates,
    items::MissingEnumeration,
    observe::Meanings,
    pattern::{self, FeatureIndex, PatternIndex},
};

/// Entries of one part and how many there are.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Part<T> {
    /// Number of entries.
    pub count: usize,
    /// The entries.
    pub items: Vec<T>,
}

impl<T> From<Vec<T>> for Part<T> {
    fn from(items: Vec<T>) -> Self {
        Part { count: items.len(), items }
    }
}

/// Anything with a code and two names.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Entry {
    /// Its code.
    pub code: String,
    /// Name.
    pub english: String,
    /// 名称.
    pub chinese: String,
    /// Behaviour group, family, frequency or theme, by the part.
    pub kind: String,
}

/// A theme and what it offers.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct ThemeEntry {
    /// For instance `T01`.
    pub code: String,
    /// Name.
    pub english: String,
    /// 名称.
    pub chinese: String,
    /// Ids of its dimensions.
    pub dimensions: Vec<String>,
    /// Its measures.
    pub measures: Vec<String>,
}

/// One dimension of one theme.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct DimensionEntry {
    /// For instance `D.bill_kind`; the same in every theme that has it.
    pub code: String,
    /// Name.
    pub english: String,
    /// 名称.
    pub chinese: String,
    /// For instance `T01`.
    pub theme: String,
    /// The name that gives the item.
    pub kind: String,
    /// The enumeration of its items; absent for dates and codes of parties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enumeration: Option<String>,
}

/// Items of all enumerations: how many, and how many each has.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct EnumerationItems {
    /// Number of items of all enumerations.
    pub count: usize,
    /// Number of items by enumeration.
    pub enumerations: BTreeMap<String, usize>,
}

/// Live patterns: how many, of how many families.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Patterns {
    /// Number of live patterns.
    pub count: usize,
    /// Number of families among them.
    pub families: usize,
    /// The live patterns, `kind` is the family.
    pub items: Vec<Entry>,
}

/// The summary.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Listing {
    /// Equal on every process of a cluster, as 16 hex digits.
    pub fingerprint: String,
    /// All behaviours, `kind` is the group.
    pub behaviours: Part<Entry>,
    /// The live themes.
    pub themes: Part<ThemeEntry>,
    /// The dimensions of the live themes, theme by theme.
    pub dimensions: Part<DimensionEntry>,
    /// Code tables.
    pub enumeration_items: EnumerationItems,
    /// Names of the features that the engine keeps.
    pub features: Part<String>,
    /// The live patterns.
    pub patterns: Patterns,
    /// All indicators, `kind` is the category.
    pub indicators: Part<Entry>,
    /// All reports, `kind` is the frequency.
    pub reports: Part<Entry>,
}

/// What of the catalogue an engine runs.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// (theme, dimension) pairs that the engine keeps cells for.
    pub dimensions: &'a [(&'a str, &'a str)],
    /// Names of features.
    pub features: &'a [String],
    /// Ids of patterns.
    pub patterns: &'a [&'a str],
}

/// The listing of what this build's engine runs: all compiled themes, dimensions, features and patterns.
pub fn of_engine(catalogue: &Arc<Catalogue>) -> Result<Listing, MissingEnumeration> {
    let aggregates = Aggregates::new(Arc::new(Meanings::new(catalogue.clone())?));
    let patterns = pattern::Patterns::embedded();
    let dimensions: Vec<_> = aggregates.dimensions().collect();
    let number = |number: usize| u16::try_from(number).expect("rules and features are numbered in 16 bits");
    let features = (0..patterns.feature_count()).map(|at| patterns.feature_name(FeatureIndex(number(at))).to_owned());
    let features: Vec<_> = features.collect();
    let rules: Vec<_> = (0..patterns.rule_count()).map(|at| patterns.id(PatternIndex(number(at)))).collect();
    Ok(listing(catalogue, Live { dimensions: &dimensions, features: &features, patterns: &rules }))
}

/// Sums the catalogue up. Themes, dimensions and patterns that no engine runs are left out.
pub fn listing(catalogue: &Catalogue, live: Live) -> Listing {
    let is_live = |theme: &str, dimension: &str| live.dimensions.contains(&(theme, dimension));
    let mut themes = Vec::new();
    let mut dimensions = Vec::new();
    for theme in &catalogue.themes {
        let kept: Vec<_> = theme.dimensions.iter().filter(|dimension| is_live(&theme.id, &dimension.id)).collect();
        for dimension in &kept {
            dimensions.push(DimensionEntry {
                code: dimension.id.to_string(),
                english: dimension.english.to_string(),
                chinese: dimension.chinese.to_string(),
                theme: theme.id.to_string(),
                kind: dimension.source.to_string(),
                enumeration: dimension.enumeration.map(|number| catalogue.enums.get(number).name.to_string()),
            });
        }
        if !kept.is_empty() {
            themes.push(ThemeEntry {
                code: theme.id.to_string(),
                english: theme.english.to_string(),
                chinese: theme.chinese.to_string(),
                dimensions: kept.iter().map(|dimension| dimension.id.to_string()).collect(),
                measures: theme.measures.iter().map(ToString::to_string).collect(),
            });
        }
    }
    let enumerations: BTreeMap<String, usize> =
        catalogue.enums.iter().map(|table| (table.name.to_string(), table.items.len())).collect();
    let patterns: Vec<Entry> = catalogue
        .patterns
        .iter()
        .filter(|row| live.patterns.contains(&&*row.id))
        .map(|row| entry(&row.id, &row.english, &row.chinese, &row.family))
        .collect();
    let families: std::collections::BTreeSet<&str> = patterns.iter().map(|pattern| pattern.kind.as_str()).collect();
    Listing {
        fingerprint: format!("{:016x}", catalogue.fingerprint()),
        behaviours: catalogue
            .behaviours
            .iter()
            .map(|row| entry(row.code, &row.english, &row.chinese, &row.group))
            .collect::<Vec<_>>()
            .into(),
        themes: themes.into(),
        dimensions: dimensions.into(),
        enumeration_items: EnumerationItems { count: enumerations.values().sum(), enumerations },
        features: live.features.to_vec().into(),
        patterns: Patterns { count: patterns.len(), families: families.len(), items: patterns },
        indicators: catalogue
            .indicators
            .iter()
            .map(|row| entry(&row.id, &row.english, &row.chinese, &row.category))
            .collect::<Vec<_>>()
            .into(),
        reports: catalogue
            .reports
            .iter()
            .map(|row| entry(&row.id, &row.english, &row.chinese, &row.frequency))
            .collect::<Vec<_>>()
            .into(),
    }
}

fn entry(code: &str, english: &str, chinese: &str, kind: &str) -> Entry {
    Entry { code: code.to_owned(), english: english.to_owned(), chinese: chinese.to_owned(), kind: kind.to_owned() }
}
