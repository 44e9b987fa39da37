//! Themes and their dimensions (`dimensions.csv`), and the derived names that they read (`derived.csv`).

use std::collections::HashSet;

use super::{
    enums::{EnumId, Enums},
    fields::Fields,
    table::{CatalogueError, Distinct, Row, read_rows},
};

pub(super) const FILE: &str = "dimensions.csv";
pub(super) const DERIVED_FILE: &str = "derived.csv";

/// One dimension of one theme.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dimension {
    /// For instance `D.bill_kind`; the same id has the same source in every theme.
    pub id: Box<str>,
    /// Name.
    pub english: Box<str>,
    /// 名称.
    pub chinese: Box<str>,
    /// The name that gives the item, for instance `bill.kind`.
    pub source: Box<str>,
    /// The enumeration of its items; `None` = dates, codes of parties.
    pub enumeration: Option<EnumId>,
    /// Number of items, in words.
    pub cardinality: Box<str>,
}

/// One theme of custom reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Theme {
    /// For instance `T01`.
    pub id: Box<str>,
    /// Name.
    pub english: Box<str>,
    /// 名称.
    pub chinese: Box<str>,
    /// Its dimensions.
    pub dimensions: Vec<Dimension>,
    /// Its measures, for instance `amt_fen`; each is `measure.NAME` in `derived.csv`.
    pub measures: Vec<Box<str>>,
}

/// A derived name and what it means, in words; the code of `names` and `aggregate` is its form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DerivedName {
    /// For instance `bill.tenor_days`.
    pub name: Box<str>,
    /// Definition.
    pub definition: Box<str>,
}

pub(super) fn read_derived(text: &str) -> Result<Vec<DerivedName>, CatalogueError> {
    let mut names = Vec::new();
    let mut distinct = Distinct::default();
    read_rows(DERIVED_FILE, text, &["name", "definition"], |row| {
        let name = row.filled("name")?;
        distinct.take(row, "name", name)?;
        names.push(DerivedName { name: name.into(), definition: row.filled("definition")?.into() });
        Ok(())
    })?;
    Ok(names)
}

pub(super) fn read(
    text: &str,
    enums: &Enums,
    fields: &Fields,
    derived: &[DerivedName],
) -> Result<Vec<Theme>, CatalogueError> {
    let columns = [
        "theme_id",
        "theme_en",
        "theme_zh",
        "dimension_id",
        "dimension_en",
        "dimension_zh",
        "source_field",
        "enum_name",
        "cardinality",
        "measures",
    ];
    let derived: HashSet<&str> = derived.iter().map(|row| &*row.name).collect();
    let mut themes: Vec<Theme> = Vec::new();
    let mut distinct = Distinct::default();
    read_rows(FILE, text, &columns, |row| {
        let theme_id = row.filled("theme_id")?;
        let dimension_id = row.filled("dimension_id")?;
        distinct.take(row, "dimension_id", &format!("{theme_id}:{dimension_id}"))?;
        let dimension = Dimension {
            id: dimension_id.into(),
            english: row.filled("dimension_en")?.into(),
            chinese: row.filled("dimension_zh")?.into(),
            source: source(row, fields, &derived)?.into(),
            enumeration: match row.get("enum_name") {
                "" => None,
                name => Some(enums.require(row, "enum_name", name)?),
            },
            cardinality: row.filled("cardinality")?.into(),
        };
        let of_other_themes = themes.iter().flat_map(|theme| &theme.dimensions).find(|known| known.id == dimension.id);
        if let Some(known) = of_other_themes
            && (&known.source, known.enumeration) != (&dimension.source, dimension.enumeration)
        {
            return Err(row.error("source_field", format!("{dimension_id} reads {} in an earlier row", known.source)));
        }
        let measures: Vec<Box<str>> = row.parts("measures", ';').map(Into::into).collect();
        for measure in &measures {
            if !derived.contains(&*format!("measure.{measure}")) {
                let remedy = format!("derived.csv has no row measure.{measure}: add it or remove the measure");
                return Err(row.error_at("measures", measure, remedy));
            }
        }
        match themes.iter_mut().find(|theme| &*theme.id == theme_id) {
            Some(theme) if theme.measures != measures => {
                return Err(row.error("measures", "every row of a theme lists the same measures"));
            }
            Some(theme) => theme.dimensions.push(dimension),
            None => themes.push(Theme {
                id: theme_id.into(),
                english: row.filled("theme_en")?.into(),
                chinese: row.filled("theme_zh")?.into(),
                dimensions: vec![dimension],
                measures,
            }),
        }
        Ok(())
    })?;
    Ok(themes)
}

/// A source is a derived name, or `event.FIELD`, or `bill.FIELD` for a field of the bill's header.
fn source<'r>(row: &'r Row, fields: &Fields, derived: &HashSet<&str>) -> Result<&'r str, CatalogueError> {
    let name = row.filled("source_field")?;
    let raw = name.strip_prefix("event.").or_else(|| name.strip_prefix("bill."));
    if derived.contains(name) || raw.is_some_and(|field| fields.by_name(field).is_some()) {
        Ok(name)
    } else {
        Err(row.error(
            "source_field",
            "write a name of derived.csv, or event.FIELD or bill.FIELD with a field of fields.csv",
        ))
    }
}
