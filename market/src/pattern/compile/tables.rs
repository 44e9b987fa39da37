//! Files of rules and patterns.csv, read; values of parameters in force.

use std::collections::HashMap;

use super::{RuleError, entry_error};
use crate::pattern::{
    alert::Level,
    number::Number,
    parameters::{Parameter, Parameters, check_value, parse_default},
    rule_text::{FileText, RuleText},
};

/// What patterns.csv says of a pattern.
pub(super) struct Row {
    pub family: String,
    pub level: Level,
    pub defaults: String,
}

/// Puts the files together: all features, and all rules in the order of their ids.
pub(super) fn read_files(files: &[(&str, &str)]) -> Result<FileText, RuleError> {
    let mut all = FileText::default();
    for (name, text) in files {
        let file: FileText =
            serde_json::from_str(text).map_err(|source| RuleError::Json { file: (*name).to_owned(), source })?;
        for (feature, text) in file.features {
            if all.features.contains_key(&feature) {
                return Err(entry_error(&feature, "features", format!("{name} lists the feature again")));
            }
            all.features.insert(feature, text);
        }
        all.rules.extend(file.rules);
    }
    all.rules.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(all)
}

pub(super) fn read_rows(patterns_csv: &str) -> Result<HashMap<String, Row>, RuleError> {
    let mut reader = csv::Reader::from_reader(patterns_csv.as_bytes());
    let headers = reader.headers()?.clone();
    let place = |name: &'static str| {
        let found = headers.iter().position(|header| header == name);
        found.ok_or_else(|| entry_error("patterns.csv", name, "the column is missing"))
    };
    let (id, family) = (place("id")?, place("engine_family")?);
    let (severity, defaults) = (place("severity")?, place("default_parameters")?);
    let mut rows = HashMap::new();
    for record in reader.records() {
        let record = record?;
        let level = Level::parse(&record[severity])
            .ok_or_else(|| entry_error(&record[id], "severity", "expected blue, yellow, orange or red"))?;
        let row = Row { family: record[family].to_owned(), level, defaults: record[defaults].to_owned() };
        rows.insert(record[id].to_owned(), row);
    }
    Ok(rows)
}

/// Parameters of all rules under names such as `P026.min_n`: features and other rules may read them.
pub(super) struct Shared {
    pub names: Vec<String>,
    pub values: Vec<Number>,
}

pub(super) fn shared_parameters(
    rows: &HashMap<String, Row>,
    rules: &[RuleText],
    overrides: &Parameters,
) -> Result<Shared, RuleError> {
    let mut shared = Shared { names: Vec::new(), values: Vec::new() };
    for text in rules {
        let Some(row) = rows.get(&text.id) else { continue };
        for parameter in parameters_of(text, row, overrides)? {
            shared.names.push(format!("{}.{}", text.id, parameter.name));
            shared.values.push(parameter.value);
        }
    }
    Ok(shared)
}

/// Parameters of a rule with their values in force.
pub(super) fn parameters_of(text: &RuleText, row: &Row, overrides: &Parameters) -> Result<Vec<Parameter>, RuleError> {
    let mut parameters = parse_default(&row.defaults);
    for (name, extra) in &text.parameters {
        let default = extra.value.to_string();
        if Number::parse(&default).is_none() {
            return Err(entry_error(&text.id, "parameters", format!("`{name}` is no plain number")));
        }
        parameters.extend(Parameter::new(name, &default));
    }
    for parameter in &mut parameters {
        if let Some((changed, value)) = overrides.get(&text.id, &parameter.name) {
            check_value(&parameter.default, changed)
                .map_err(|error| entry_error(&text.id, "parameters", format!("`{}`: {error}", parameter.name)))?;
            (parameter.text, parameter.value) = (changed.to_owned(), value);
        }
    }
    Ok(parameters)
}
