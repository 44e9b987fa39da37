//! CSV: a header of field names, then a line a record. Empty cells are absent; a list of codes is one cell, `,` or `;`
//! between codes, `[]` when it has none. A line that does not fit (other than so many cells, bytes that are not UTF-8) goes on
//! as it came, so that the cluster refuses it by its number, and the lines behind it are read.

use std::fs::File;

use billwatch_market::fact::Field;
use csv::ByteRecord;
use serde_json::{Map, Value};

use super::{Line, Lines, field_of, text_cell};

/// Lines of a CSV file.
pub fn lines(file: File) -> anyhow::Result<Lines> {
    read(file)
}

fn read(input: impl std::io::Read + Send + 'static) -> anyhow::Result<Lines> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).buffer_capacity(1 << 20).from_reader(input);
    let fields = reader.headers()?.iter().map(field_of).collect::<anyhow::Result<Vec<Field>>>()?;
    Ok(Box::new(reader.into_byte_records().map(move |record| {
        let record = record?;
        let json = match object(&fields, &record) {
            Some(object) => object.to_string().into_bytes(),
            None => as_it_came(&record)?,
        };
        let position = record.position().expect("a record that was read has a position");
        Ok(Line { number: position.line(), json, bytes_read: position.byte() })
    })))
}

/// The fields of a line; `None` when it does not fit the header.
fn object(fields: &[Field], record: &ByteRecord) -> Option<Value> {
    if record.len() != fields.len() {
        return None;
    }
    let mut object = Map::new();
    for (field, cell) in fields.iter().zip(record) {
        if let Some(value) = text_cell(*field, std::str::from_utf8(cell).ok()?) {
            object.insert(field.name().to_owned(), value);
        }
    }
    Some(Value::Object(object))
}

/// The line again. As CSV no line is a JSON object with a field, so none is taken for a record.
fn as_it_came(record: &ByteRecord) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    writer.write_byte_record(record)?;
    let mut line = writer.into_inner().map_err(|error| error.into_error())?;
    line.pop(); // Its end.
    Ok(line)
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
    fn a_line_that_does_not_fit_goes_on_as_it_came() {
        let text = b"source,source_seq\nREFD,1\nREFD,2,3\nREFD\nREFD,\"{\"\"a\"\":1}\",\nREFD,\xff\nREFD,6\n".to_vec();
        let lines: Vec<_> = read(std::io::Cursor::new(text)).unwrap().map(Result::unwrap).collect();
        let came: Vec<(u64, &[u8])> = lines.iter().map(|line| (line.number, &line.json[..])).collect();
        assert_eq!(
            came,
            [
                (2, &br#"{"source":"REFD","source_seq":1}"#[..]),
                (3, b"REFD,2,3"),
                (4, b"REFD"),
                (5, br#"REFD,"{""a"":1}","#),
                (6, b"REFD,\xff"),
                (7, br#"{"source":"REFD","source_seq":6}"#),
            ]
        );
    }

    #[test]
    fn a_column_that_is_no_field_ends_it() {
        let error = read("source,colour\n".as_bytes()).err().unwrap().to_string();
        assert!(error.contains("`colour`"), "{error}");
    }
}
