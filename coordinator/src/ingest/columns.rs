//! Batches in columns: from the message to records, and one row as text for a dead letter.

use billwatch_market::{
    catalogue::Catalogue,
    columns::{Column, ColumnBatch},
    fact::Record,
    refusal::Refusal,
};
use billwatch_proto::v1;
use serde_json::{Map, Value};

use crate::{
    api::errors::{ApiError, bad_request},
    limits,
};

/// What is done with each row: its number, what was read, and its text when that is wanted.
pub type Take<'a> = dyn FnMut(u32, Result<Record, Box<Refusal>>, &dyn Fn() -> Vec<u8>) + 'a;

/// Reads every row.
pub fn read(sent: v1::ColumnBatch, catalogue: &Catalogue, take: &mut Take<'_>) -> Result<(), ApiError> {
    let columns = sent.columns.into_iter().map(|column| Column {
        field: column.field,
        rows: column.rows,
        integers: column.integers,
        days: column.days,
        text: column.text.into(),
        text_lengths: column.text_lengths,
        wide_high: column.wide_high,
        wide_low: column.wide_low,
    });
    let batch = ColumnBatch { row_count: sent.row_count, columns: columns.collect() };
    let read = batch
        .read(limits::BATCH_RECORDS as u32, catalogue)
        .map_err(|error| bad_request("records.columns", "", &error.to_string()))?;
    for (row, record) in (0..).zip(read) {
        take(row, record, &|| row_text(&batch, row));
    }
    Ok(())
}

/// One row as a JSON object, as far as its columns can be read.
fn row_text(batch: &ColumnBatch, row: u32) -> Vec<u8> {
    let mut object = Map::new();
    for column in &batch.columns {
        let at = if column.rows.is_empty() { Some(row as usize) } else { column.rows.binary_search(&row).ok() };
        if let Some(value) = at.and_then(|at| value_at(column, at)) {
            object.insert(column.field.clone(), value);
        }
    }
    Value::Object(object).to_string().into_bytes()
}

fn value_at(column: &Column, at: usize) -> Option<Value> {
    if let Some(integer) = column.integers.get(at) {
        return Some(Value::from(*integer));
    }
    if let Some(day) = column.days.get(at) {
        return Some(Value::from(billwatch_market::ids::Day(*day).to_string()));
    }
    if let (Some(high), Some(low)) = (column.wide_high.get(at), column.wide_low.get(at)) {
        return Some(Value::from((u128::from(*high) << 64 | u128::from(*low)).to_string()));
    }
    let length = *column.text_lengths.get(at)? as usize;
    let start: usize = column.text_lengths[..at].iter().map(|length| *length as usize).sum();
    let text = column.text.get(start..start.checked_add(length)?)?;
    Some(Value::from(String::from_utf8_lossy(text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_shown_with_the_fields_that_it_carries() {
        let texts = |field: &str, rows: Vec<u32>, text: &[u8], lengths: Vec<u32>| Column {
            field: field.into(),
            rows,
            text: text.to_vec(),
            text_lengths: lengths,
            ..Column::default()
        };
        let batch = ColumnBatch {
            row_count: 3,
            columns: vec![
                texts("source", vec![], b"NGBSREFDNGBS", vec![4, 4, 4]),
                texts("remark", vec![1, 2], b"ab\xff", vec![2, 1]),
                Column { field: "amount_fen".into(), rows: vec![0, 2], integers: vec![-7, 8], ..Column::default() },
                Column { field: "biz_date".into(), days: vec![0, 1, 2], ..Column::default() },
                Column {
                    field: "event_id".into(),
                    wide_high: vec![1, 0, 0],
                    wide_low: vec![0, 5, 6],
                    ..Column::default()
                },
            ],
        };
        let text = |row| String::from_utf8(row_text(&batch, row)).unwrap();
        assert_eq!(
            text(0),
            r#"{"amount_fen":-7,"biz_date":"1970-01-01","event_id":"18446744073709551616","source":"NGBS"}"#
        );
        assert_eq!(text(1), r#"{"biz_date":"1970-01-02","event_id":"5","remark":"ab","source":"REFD"}"#);
        assert!(text(2).contains("\u{fffd}"), "bytes that are no text are shown as such");
    }
}
