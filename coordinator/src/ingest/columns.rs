//! Batches in columns: from the message to records, and one row as text for a dead letter.

use std::cell::OnceCell;

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
    let shown = Shown::new(&batch);
    for (row, record) in (0..).zip(read) {
        take(row, record, &|| shown.row_text(row));
    }
    Ok(())
}

/// Texts of a column between two places whose beginning is known.
const STRIDE: usize = 64;

/// A batch whose rows are shown one by one, as far as they can be read.
struct Shown<'a> {
    batch: &'a ColumnBatch,
    /// By column: where every [`STRIDE`]th text begins. Worked out when the first row is shown: a batch may be refused whole.
    starts: OnceCell<Vec<Vec<usize>>>,
}

impl<'a> Shown<'a> {
    fn new(batch: &'a ColumnBatch) -> Self {
        Shown { batch, starts: OnceCell::new() }
    }

    /// One row as a JSON object.
    fn row_text(&self, row: u32) -> Vec<u8> {
        let starts = self.starts.get_or_init(|| self.batch.columns.iter().map(starts).collect());
        let mut object = Map::new();
        for (column, starts) in self.batch.columns.iter().zip(starts) {
            let at = if column.rows.is_empty() { Some(row as usize) } else { column.rows.binary_search(&row).ok() };
            if let Some(value) = at.and_then(|at| value_at(column, starts, at)) {
                object.insert(column.field.clone(), value);
            }
        }
        Value::Object(object).to_string().into_bytes()
    }
}

fn starts(column: &Column) -> Vec<usize> {
    let chunks = column.text_lengths.chunks(STRIDE).scan(0usize, |start, lengths| {
        let here = *start;
        *start = lengths.iter().fold(here, |end, length| end.saturating_add(*length as usize));
        Some(here)
    });
    chunks.collect()
}

fn value_at(column: &Column, starts: &[usize], at: usize) -> Option<Value> {
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
    let before = &column.text_lengths[at - at % STRIDE..at];
    let start = before.iter().fold(*starts.get(at / STRIDE)?, |end, length| end.saturating_add(*length as usize));
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
        let shown = Shown::new(&batch);
        let text = |row| String::from_utf8(shown.row_text(row)).unwrap();
        assert_eq!(
            text(0),
            r#"{"amount_fen":-7,"biz_date":"1970-01-01","event_id":"18446744073709551616","source":"NGBS"}"#
        );
        assert_eq!(text(1), r#"{"biz_date":"1970-01-02","event_id":"5","remark":"ab","source":"REFD"}"#);
        assert!(text(2).contains("\u{fffd}"), "bytes that are no text are shown as such");
    }

    #[test]
    fn a_large_batch_that_is_refused_whole_is_shown_in_time() {
        const ROWS: u32 = 100_000;
        let texts: Vec<String> = (0..ROWS).map(|row| "x".repeat(row as usize % 7) + &row.to_string()).collect();
        let column = |field: usize| Column {
            field: format!("field{field}"),
            text: texts.concat().into_bytes(),
            text_lengths: texts.iter().map(|text| text.len() as u32).collect(),
            ..Column::default()
        };
        let batch = ColumnBatch { row_count: ROWS, columns: (0..4).map(column).collect() };
        let shown = Shown::new(&batch);
        let started = std::time::Instant::now();
        for row in 0..ROWS {
            let wanted = format!(r#""field3":"{}""#, texts[row as usize]);
            assert!(String::from_utf8(shown.row_text(row)).unwrap().contains(&wanted), "row {row}");
        }
        // Adding all lengths for each row took 4 * 100,000 * 50,000 steps: over five seconds.
        assert!(started.elapsed() < std::time::Duration::from_secs(3), "{:?}", started.elapsed());
    }

    #[test]
    fn lengths_that_no_text_has_are_shown_as_far_as_they_go() {
        let column = Column {
            field: "remark".into(),
            text: b"abc".to_vec(),
            text_lengths: [vec![1, u32::MAX], vec![u32::MAX; 70]].concat(),
            ..Column::default()
        };
        let batch = ColumnBatch { row_count: 72, columns: vec![column] };
        let shown = Shown::new(&batch);
        assert_eq!(shown.row_text(0), br#"{"remark":"a"}"#);
        assert!([1, 70, 71, 72].iter().all(|row| shown.row_text(*row) == b"{}"));
    }
}
