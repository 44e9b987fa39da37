//! CSV: a header of field names, then a line a record. Empty cells are absent; a list of codes is one cell, `,` or `;`
//! between codes, `[]` when it has none.

use std::fs::File;

use billwatch_market::fact::Field;
use serde_json::{Map, Value};

use super::{Line, Lines, field_of, text_cell};

/// Lines of a CSV file.
pub fn lines(file: File) -> anyhow::Result<Lines> {
    read(file)
}

fn read(input: impl std::io::Read + Send + 'static) -> anyhow::Result<Lines> {
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 20).from_reader(input);
    let fields = reader.headers()?.iter().map(field_of).collect::<anyhow::Result<Vec<Field>>>()?;
    Ok(Box::new(reader.into_records().map(move |record| {
        let record = record?;
        let mut object = Map::new();
        for (field, cell) in fields.iter().zip(&record) {
            if let Some(value) = text_cell(*field, cell) {
                object.insert(field.name().to_owned(), value);
            }
        }
        let position = record.position().expect("a record that was read has a position");
        let json = Value::Object(object).to_string().into_bytes();
        Ok(Line { number: position.line(), json, bytes_read: position.byte() })
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_fields() {
        let text = "source,source_seq,special_flags,remark\nREFD,7,\"SRDI,GREEN\",\nNGBS,x,,\"a\"\"b\"\n";
        let lines: Vec<_> = read(text.as_bytes()).unwrap().map(Result::unwrap).collect();
        let json = |at: usize| serde_json::from_slice::<Value>(&lines[at].json).unwrap();
        assert_eq!(json(0), serde_json::json!({"source": "REFD", "source_seq": 7, "special_flags": ["SRDI", "GREEN"]}));
        assert_eq!(json(1), serde_json::json!({"source": "NGBS", "source_seq": "x", "remark": "a\"b"}));
        assert_eq!((lines[0].number, lines[1].number), (2, 3));
    }

    #[test]
    fn a_column_that_is_no_field_ends_it() {
        let error = read("source,colour\n".as_bytes()).err().unwrap().to_string();
        assert!(error.contains("`colour`"), "{error}");
    }
}
