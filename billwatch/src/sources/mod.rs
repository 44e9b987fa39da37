//! Files of facts: NDJSON, CSV and Parquet, each read line by line into the one row form, JSON.
//!
//! Owns how a cell becomes a JSON value. Nothing is judged here: a cell that does not fit its field's type goes on as text,
//! so that the cluster refuses it under the field's name like any other. Only what concerns the whole file (a column that is
//! no field, a broken file) ends the reading. Begin at [`open`].

mod csv_file;
mod parquet_file;

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use anyhow::{Context as _, anyhow};
use billwatch_market::fact::{FIELDS, Field};
use serde_json::Value;

use crate::{cli::FileForm, failure::Failure};

/// One record of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Line of the text, or row of the Parquet file, from 1. A header counts.
    pub number: u64,
    /// One JSON object.
    pub json: Vec<u8>,
    /// Bytes of the file read up to its end, for progress; 0 when not known.
    pub bytes_read: u64,
}

/// Lines of a file.
pub type Lines = Box<dyn Iterator<Item = anyhow::Result<Line>> + Send>;

/// Opens a file of facts; `-` is NDJSON on standard input.
pub fn open(path: &Path, form: Option<FileForm>) -> Result<Lines, Failure> {
    if path == Path::new("-") {
        return Ok(ndjson(BufReader::new(io::stdin())));
    }
    let form = match form.or_else(|| form_of(path)) {
        Some(form) => form,
        None => {
            let text =
                format!("{}: the name does not tell the form; add --from ndjson, csv or parquet", path.display());
            return Err(Failure::Usage(text));
        }
    };
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let lines = match form {
        FileForm::Ndjson => Ok(ndjson(BufReader::with_capacity(1 << 20, file))),
        FileForm::Csv => csv_file::lines(file),
        FileForm::Parquet => parquet_file::lines(file),
    };
    Ok(lines.with_context(|| path.display().to_string())?)
}

fn form_of(path: &Path) -> Option<FileForm> {
    match path.extension()?.to_str()? {
        "ndjson" | "jsonl" | "json" => Some(FileForm::Ndjson),
        "csv" => Some(FileForm::Csv),
        "parquet" => Some(FileForm::Parquet),
        _ => None,
    }
}

fn ndjson(mut input: impl BufRead + Send + 'static) -> Lines {
    let (mut number, mut bytes_read) = (0, 0);
    Box::new(std::iter::from_fn(move || {
        loop {
            let mut json = Vec::new();
            match input.read_until(b'\n', &mut json) {
                Ok(0) => return None,
                Ok(read) => bytes_read += read as u64,
                Err(error) => return Some(Err(anyhow!(error).context(format!("line {}", number + 1)))),
            }
            number += 1;
            while json.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                json.pop();
            }
            // An empty line at the end of a file is no record.
            if !json.is_empty() {
                return Some(Ok(Line { number, json, bytes_read }));
            }
        }
    }))
}

/// The field of a column, or an error that names it.
fn field_of(name: &str) -> anyhow::Result<Field> {
    FIELDS
        .into_iter()
        .find(|field| field.name() == name)
        .ok_or_else(|| anyhow!("column `{name}` is no field of a fact: rename or drop it"))
}

/// The JSON value of a cell given as text; `None` for an empty cell: absent.
fn text_cell(field: Field, text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    Some(match field.type_name() {
        "i64" | "u64" => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        "bool" => match text {
            "true" => Value::from(true),
            "false" => Value::from(false),
            _ => Value::from(text),
        },
        kind if kind.starts_with("list:") && text == "[]" => Value::Array(Vec::new()),
        kind if kind.starts_with("list:") => text.split([',', ';']).map(str::trim).collect(),
        _ => Value::from(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_empty_ones_skipped() {
        let lines: Vec<_> = ndjson(&b"{\"a\":1}\r\n\n{}"[..]).map(Result::unwrap).collect();
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(lines[0].json, b"{\"a\":1}");
        assert_eq!(lines[1].bytes_read, 12);
    }

    #[test]
    fn a_cell_takes_the_form_of_its_field() {
        assert_eq!(text_cell(Field::AmountFen, "-12"), Some(Value::from(-12)));
        assert_eq!(text_cell(Field::AmountFen, "12.5"), Some(Value::from("12.5")), "left to the cluster to refuse");
        assert_eq!(text_cell(Field::EventId, "91"), Some(Value::from("91")));
        assert_eq!(text_cell(Field::Divisible, "true"), Some(Value::from(true)));
        assert_eq!(text_cell(Field::SpecialFlags, "SRDI,GREEN"), Some(serde_json::json!(["SRDI", "GREEN"])));
        assert_eq!(
            text_cell(Field::SpecialFlags, "[]"),
            Some(serde_json::json!([])),
            "a list of nothing is not absent"
        );
        assert_eq!(text_cell(Field::Remark, ""), None);
        assert!(field_of("amount").unwrap_err().to_string().contains("`amount`"));
    }
}
