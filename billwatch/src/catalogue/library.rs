//! Everything that the tables say, by code: the source of all pages.
//!
//! General on purpose: a page shows every column of the row of a thing, and every object of the catalogue's JSON files that
//! has its id, as they stand (reports: as tables). So a new column, pattern, indicator or report needs nothing here.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context as _;
use billwatch_market::{
    catalogue::Catalogue,
    pattern::{Parameters, Patterns},
    report::definition::BASE_FILE,
};
use serde_json::Value;

/// A row of a table: (column, cell), without empty cells.
pub type Cells = Vec<(String, String)>;

/// The tables and what was compiled from them.
pub struct Library {
    /// The typed tables.
    pub catalogue: Arc<Catalogue>,
    /// The rules under default parameters.
    pub patterns: Patterns,
    /// Definitions of names, measures and themes (`derived.csv`).
    pub derived: BTreeMap<String, String>,
    /// Rows by file and first cell.
    rows: BTreeMap<(&'static str, String), Cells>,
    /// JSON files.
    documents: Vec<(&'static str, Value)>,
}

impl Library {
    /// Reads the files of a catalogue.
    pub fn new(catalogue: Arc<Catalogue>) -> anyhow::Result<Self> {
        let mut rows = BTreeMap::new();
        let mut documents = Vec::new();
        for (file, text) in catalogue.files() {
            if file.ends_with(".json") {
                documents.push((file, serde_json::from_str(text).context(file)?));
                continue;
            }
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let columns = reader.headers().context(file)?.clone();
            for record in reader.records() {
                let record = record.context(file)?;
                let cells: Cells = columns
                    .iter()
                    .zip(&record)
                    .filter(|(_, cell)| !cell.is_empty())
                    .map(|(column, cell)| (column.to_owned(), cell.to_owned()))
                    .collect();
                rows.entry((file, record[0].to_owned())).or_insert(cells);
            }
        }
        let derived = catalogue.derived.iter().map(|row| (row.name.to_string(), row.definition.to_string())).collect();
        let patterns = Patterns::of(&catalogue, &Parameters::default()).context("the rules of patterns")?;
        Ok(Library { patterns, derived, rows, documents, catalogue })
    }

    /// The first row of a table that begins with this code.
    pub fn row(&self, file: &'static str, code: &str) -> Cells {
        self.rows.get(&(file, code.to_owned())).cloned().unwrap_or_default()
    }

    /// Objects of JSON files that define a code: their `id` is the code, or they stand under it as their name. Files of reports
    /// define reports alone: rows, columns and checks in them have ids of their own, some of them codes of other things.
    pub fn definitions(&self, code: &str) -> Vec<&Value> {
        let mut found = Vec::new();
        let is_of_report = |file: &str| file == BASE_FILE || self.report_file(file.trim_end_matches(".json")).is_some();
        for (_, document) in self.documents.iter().filter(|(file, _)| !is_of_report(file)) {
            collect(document, code, &mut found);
        }
        found
    }

    /// The definition of a report, as written.
    pub fn report_file(&self, id: &str) -> Option<&Value> {
        let is_report = self.catalogue.reports.iter().any(|row| &*row.id == id);
        is_report.then(|| self.document(&format!("{id}.json"))).flatten()
    }

    /// A JSON file of the catalogue.
    pub fn document(&self, name: &str) -> Option<&Value> {
        self.documents.iter().find(|(file, _)| *file == name).map(|(_, document)| document)
    }

    /// Features by name, as data.
    pub fn features(&self) -> impl Iterator<Item = (&String, &Value)> {
        let maps = self.documents.iter().filter_map(|(_, document)| document.get("features")?.as_object());
        maps.flatten()
    }

    /// Names of features that a definition reads, in order of name.
    pub fn features_of(&self, definition: &Value) -> Vec<&str> {
        let mut words = std::collections::BTreeSet::new();
        each_text(definition, &mut |text| words.extend(identifiers(text).map(str::to_owned)));
        self.features().map(|(name, _)| name.as_str()).filter(|name| words.contains(*name)).collect()
    }
}

fn collect<'a>(value: &'a Value, code: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            if map.get("id").and_then(Value::as_str) == Some(code) {
                found.push(value);
                return;
            }
            for (name, inner) in map {
                if name == code && inner.is_object() {
                    found.push(inner);
                } else {
                    collect(inner, code, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, code, found)),
        _ => {}
    }
}

/// Every text in a value, names of members included.
pub fn each_text(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(values) => values.iter().for_each(|value| each_text(value, take)),
        Value::Object(map) => {
            for (name, value) in map {
                take(name);
                each_text(value, take);
            }
        }
        _ => {}
    }
}

/// The identifiers of a text: runs of letters, digits and `_`.
pub fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_reports_define_no_pattern() {
        let library = Library::new(Catalogue::embedded()).unwrap();
        for row in &library.catalogue.patterns {
            // R22 has a row of this id.
            let rules = library.definitions(&row.id);
            assert!(rules.len() <= 1 && rules.iter().all(|rule| rule.get("at").is_none()), "{}: {rules:?}", row.id);
        }
        assert!(library.report_file("R22").is_some() && library.report_file("report_base").is_none());
    }
}
