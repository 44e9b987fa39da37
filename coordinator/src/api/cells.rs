//! Cells: from the parts of all processes to the rows of an answer, and what changed between two answers.

use std::{collections::BTreeMap, sync::Arc};

use billwatch_market::{
    aggregate::{
        Aggregates, Answer, Grain, Value,
        wire::{CellsPart, Compiled, Gathered, Request, RequestError},
    },
    catalogue::Catalogue,
};
use billwatch_proto::v1;
use prost::bytes::Bytes;

use super::errors::{ApiError, bad_request, worker_failed};
use crate::ledger::AsOf;

/// What cells are formed with.
#[derive(Clone, Debug)]
pub struct CellMeanings {
    /// Names of items.
    pub catalogue: Arc<Catalogue>,
    /// Themes and dimensions.
    pub aggregates: Arc<Aggregates>,
}

/// Rows of a query, kept so that changes can be told.
pub struct Rows {
    meanings: CellMeanings,
    query: v1::QueryCellsRequest,
    compiled: Compiled,
    measures: Vec<String>,
    gathered: Gathered,
    rows: Vec<v1::CellRow>,
}

/// Refuses a query whose names or dates are wrong, before anybody is asked.
pub fn check(query: &v1::QueryCellsRequest, meanings: &CellMeanings) -> Result<(), ApiError> {
    // Any clock will do: what is checked here does not depend on it.
    compile(query, meanings, Some(0)).map(drop)
}

/// Makes a query one that can be followed: figures that count distinct things need a new query. Named, they are refused; of
/// all figures of a theme, they are left out.
pub fn check_watch(query: &mut v1::QueryCellsRequest, meanings: &CellMeanings) -> Result<(), ApiError> {
    let compiled = compile(query, meanings, Some(0))?;
    let unfit: Vec<&str> = compiled.figures_with_members().collect();
    if let Some(named) = query.measures.iter().find(|measure| unfit.contains(&measure.as_str())) {
        let remedy = "it counts distinct members or needs extremes, which cannot be followed: query it";
        return Err(bad_request("query.measures", named, remedy));
    }
    if query.measures.is_empty() {
        let measures = compiled.measures();
        query.measures = measures.into_iter().filter(|measure| !unfit.contains(&measure.as_str())).collect();
        if query.measures.is_empty() {
            return Err(bad_request("query.theme", &query.theme, "no figure of this theme can be followed: query it"));
        }
    }
    Ok(())
}

/// The grain of a request; `None`: not named.
pub fn grain_of(grain: v1::Grain) -> Option<Grain> {
    match grain {
        v1::Grain::Unspecified => None,
        v1::Grain::Day => Some(Grain::Day),
        v1::Grain::Month => Some(Grain::Month),
        v1::Grain::Quarter => Some(Grain::Quarter),
        v1::Grain::Year => Some(Grain::Year),
        v1::Grain::Total => Some(Grain::Whole),
    }
}

fn compile(
    query: &v1::QueryCellsRequest,
    meanings: &CellMeanings,
    market_clock_ms: Option<i64>,
) -> Result<Compiled, ApiError> {
    let grain = grain_of(query.grain());
    let request = Request {
        theme: &query.theme,
        dimension: &query.dimension,
        items: &query.items,
        from_date: &query.from_date,
        to_date: &query.to_date,
        grain,
        measures: &query.measures,
    };
    meanings.aggregates.compile(request, market_clock_ms).map_err(|error| {
        let (field, value) = match &error {
            RequestError::Date { field, text } => (*field, text.as_str()),
            RequestError::NoClock => ("to_date", ""),
            RequestError::NoGrain => ("grain", ""),
            _ => ("query", ""),
        };
        bad_request(field, value, &error.to_string())
    })
}

impl Rows {
    /// Forms the rows at one epoch from the parts of all processes.
    pub fn of(
        query: v1::QueryCellsRequest,
        meanings: CellMeanings,
        as_of: AsOf,
        partials: &[(u32, Bytes)],
    ) -> Result<Self, ApiError> {
        let compiled = compile(&query, &meanings, as_of.market_clock_ms)?;
        let measures = compiled.measures();
        let mut rows = Rows { meanings, query, compiled, measures, gathered: Gathered::default(), rows: Vec::new() };
        rows.take(partials)?;
        rows.rows = rows.form();
        Ok(rows)
    }

    /// Names of the values in each row.
    pub fn measures(&self) -> &[String] {
        &self.measures
    }

    /// All rows, by period, then item.
    pub fn all(&self) -> &[v1::CellRow] {
        &self.rows
    }

    /// Takes what an epoch added; gives the rows that changed. A row that is gone comes with null values.
    pub fn change(&mut self, as_of: AsOf, partials: &[(u32, Bytes)]) -> Result<Vec<v1::CellRow>, ApiError> {
        let compiled = compile(&self.query, &self.meanings, as_of.market_clock_ms)?;
        let moved = compiled.plan.to != self.compiled.plan.to;
        if partials.is_empty() && !moved {
            return Ok(Vec::new());
        }
        self.compiled = compiled;
        self.take(partials)?;
        let rows = self.form();
        let before = std::mem::replace(&mut self.rows, rows);
        Ok(changed(&before, &self.rows))
    }

    fn take(&mut self, partials: &[(u32, Bytes)]) -> Result<(), ApiError> {
        for (process, partial) in partials {
            let part = CellsPart::decode(partial);
            let part = part.ok_or_else(|| worker_failed(&format!("process {process} sent cells of another form")))?;
            self.gathered.add(part);
        }
        Ok(())
    }

    fn form(&self) -> Vec<v1::CellRow> {
        let answers = self.compiled.answer(&self.meanings.aggregates, &self.gathered);
        answers.iter().map(|answer| self.row(answer)).collect()
    }

    fn row(&self, answer: &Answer) -> v1::CellRow {
        let (item_name_en, item_name_zh) = self.names(&answer.item);
        v1::CellRow {
            item: answer.item.clone(),
            item_name_en,
            item_name_zh,
            period: self.compiled.period(answer),
            values: answer.values.iter().map(|(_, value)| show(*value)).collect(),
        }
    }

    fn names(&self, item: &str) -> (String, String) {
        let catalogue = &self.meanings.catalogue;
        let theme = catalogue.theme(&self.query.theme);
        let dimension =
            theme.and_then(|theme| theme.dimensions.iter().find(|dimension| *dimension.id == *self.query.dimension));
        let found = dimension
            .and_then(|dimension| dimension.enumeration)
            .and_then(|enumeration| catalogue.enums.get(enumeration).item(item));
        found.map_or_else(Default::default, |item| (item.english.to_string(), item.chinese.to_string()))
    }
}

/// A figure on the wire.
pub fn show(value: Value) -> v1::MeasureValue {
    match value {
        Value::Number(value) => v1::MeasureValue { value: value.to_string(), denominator: String::new() },
        Value::Ratio(over, under) => v1::MeasureValue { value: over.to_string(), denominator: under.to_string() },
        Value::Null => v1::MeasureValue::default(),
    }
}

/// Rows of `after` that differ from those of `before`, then those that are gone.
fn changed(before: &[v1::CellRow], after: &[v1::CellRow]) -> Vec<v1::CellRow> {
    fn key(row: &v1::CellRow) -> (&str, &str) {
        (&row.period, &row.item)
    }
    let mut left: BTreeMap<(&str, &str), &v1::CellRow> = before.iter().map(|row| (key(row), row)).collect();
    let mut rows: Vec<v1::CellRow> = Vec::new();
    for row in after {
        if left.remove(&key(row)) != Some(row) {
            rows.push(row.clone());
        }
    }
    for gone in left.into_values() {
        let values = vec![v1::MeasureValue::default(); gone.values.len()];
        rows.push(v1::CellRow { values, ..gone.clone() });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(item: &str, value: &str) -> v1::CellRow {
        let values = vec![v1::MeasureValue { value: value.into(), denominator: String::new() }];
        v1::CellRow { item: item.into(), period: "2025".into(), values, ..v1::CellRow::default() }
    }

    #[test]
    fn only_what_changed_is_told_and_what_is_gone_is_null() {
        let before = [row("a", "1"), row("b", "2"), row("c", "3")];
        let after = [row("a", "1"), row("b", "5"), row("d", "4")];
        assert_eq!(changed(&before, &after), vec![row("b", "5"), row("d", "4"), row("c", "")]);
        assert!(changed(&after, &after).is_empty());
    }
}
