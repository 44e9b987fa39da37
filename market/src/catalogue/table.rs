//! One table of the catalogue as rows of named cells, and the error that names the cell at fault.

use std::collections::HashSet;

use thiserror::Error;

/// A fault in a table: where, what stands there, what to write instead.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{file}, row {row}, column `{column}`: `{value}`: {remedy}")]
pub struct CatalogueError {
    /// Name of the file.
    pub file: String,
    /// Line in the file, the header is line 1; 0 when the file as a whole is at fault.
    pub row: u64,
    /// Column; empty when the row as a whole is at fault.
    pub column: String,
    /// What stands there.
    pub value: String,
    /// What to do.
    pub remedy: String,
}

/// A row: its cells are reached by column name.
pub struct Row<'a> {
    file: &'static str,
    line: u64,
    cells: csv::StringRecord,
    columns: &'a [(&'static str, usize)],
}

impl Row<'_> {
    /// The cell of a column that the reader asked for.
    pub fn get(&self, column: &str) -> &str {
        let (_, at) = self.columns.iter().find(|(name, _)| *name == column).expect("the reader asked for this column");
        &self.cells[*at]
    }

    /// The error that this cell is wrong.
    pub fn error(&self, column: &str, remedy: impl Into<String>) -> CatalogueError {
        self.error_at(column, self.get(column), remedy)
    }

    /// The error that a part of this cell is wrong.
    pub fn error_at(&self, column: &str, value: &str, remedy: impl Into<String>) -> CatalogueError {
        CatalogueError {
            file: self.file.to_owned(),
            row: self.line,
            column: column.to_owned(),
            value: value.to_owned(),
            remedy: remedy.into(),
        }
    }

    /// The cell, which may not be empty.
    pub fn filled(&self, column: &str) -> Result<&str, CatalogueError> {
        match self.get(column) {
            "" => Err(self.error(column, "fill this cell")),
            text => Ok(text),
        }
    }

    /// The parts of the cell between `separator`, trimmed, without empty ones.
    pub fn parts<'r>(&'r self, column: &str, separator: char) -> impl Iterator<Item = &'r str> + 'r {
        self.get(column).split(separator).map(str::trim).filter(|part| !part.is_empty())
    }
}

/// Reads a table and gives each row to `read`.
pub fn read_rows(
    file: &'static str,
    text: &str,
    names: &[&'static str],
    mut read: impl FnMut(&Row) -> Result<(), CatalogueError>,
) -> Result<(), CatalogueError> {
    let whole = |row: u64, value: String, remedy: &str| CatalogueError {
        file: file.to_owned(),
        row,
        column: String::new(),
        value,
        remedy: remedy.to_owned(),
    };
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| whole(1, error.to_string(), "mend the header"))?.clone();
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let at = header.iter().position(|known| known == *name).ok_or_else(|| CatalogueError {
            column: (*name).to_owned(),
            ..whole(1, header.iter().collect::<Vec<_>>().join(","), "add the missing column to the header")
        })?;
        columns.push((*name, at));
    }
    let mut count = 0;
    for cells in reader.records() {
        let cells = cells.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            whole(line, error.to_string(), "write one cell a column, with quotes around cells that hold a comma")
        })?;
        // Behind `\r\n` the reader gives the place of the `\n`, which is still on the line before.
        let start = cells.position();
        let at_line_end = start.is_some_and(|start| text.as_bytes().get(start.byte() as usize) == Some(&b'\n'));
        let line = start.map_or(0, csv::Position::line) + u64::from(at_line_end);
        read(&Row { file, line, cells, columns: &columns })?;
        count += 1;
    }
    if count == 0 { Err(whole(0, String::new(), "the table has no rows: restore them")) } else { Ok(()) }
}

/// Refuses a key that came before.
#[derive(Default)]
pub struct Distinct(HashSet<String>);

impl Distinct {
    /// Takes the key of this row.
    pub fn take(&mut self, row: &Row, column: &str, key: &str) -> Result<(), CatalogueError> {
        if self.0.insert(key.to_owned()) {
            Ok(())
        } else {
            Err(row.error_at(column, key, "this row repeats an earlier one: remove one of them"))
        }
    }
}
