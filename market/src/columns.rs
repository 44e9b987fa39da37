//! The columnar form of records: values of one field side by side, the same fields and the same rules as the text form.
//!
//! Owns [`ColumnBatch`], whose parts map one to one to the packed fields of `billwatch.v1.ColumnBatch`, and its conversion
//! to and from records. Invariants: a record written here and read back is equal (but for the watermark of its stamp); a
//! record is refused here exactly as its text form is, because both go through `draft`. A batch whose columns do not fit
//! together is a [`ColumnError`]: no row of it can be trusted.

use std::borrow::Cow;

use thiserror::Error;

use crate::{
    catalogue::{Catalogue, fields::FieldKind},
    draft::Draft,
    fact::{FIELDS, Field, Record},
    raw_value::Raw,
    record_fields::{Part, for_each_field, push_text},
    refusal::Refusal,
};

/// Values of one field. Exactly one of the lists of values is used, by the type of the field; text may stand for any type
/// (`true`, `12`, `2025-07-08`), so that a CSV file is a batch of text columns.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Column {
    /// Field name.
    pub field: String,
    /// Rows that carry it, ascending; empty = every row.
    pub rows: Vec<u32>,
    /// Integers, ms, fen; booleans as 0 and 1.
    pub integers: Vec<i64>,
    /// Days since 1970-01-01.
    pub days: Vec<i32>,
    /// Text of codes, identifiers and free text, one after the other ...
    pub text: Vec<u8>,
    /// ... and the bytes of each. A list of codes is one text with `,` between codes.
    pub text_lengths: Vec<u32>,
    /// High halves of 128-bit numbers ...
    pub wide_high: Vec<u64>,
    /// ... and low halves.
    pub wide_low: Vec<u64>,
}

/// Records in columns.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ColumnBatch {
    /// Number of records.
    pub row_count: u32,
    /// One entry a field that at least one record carries.
    pub columns: Vec<Column>,
}

/// Why columns are not a batch.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ColumnError {
    /// More rows than the reader takes.
    #[error("the batch has {rows} rows, more than {limit}: send smaller batches")]
    TooManyRows {
        /// Rows of the batch.
        rows: u32,
        /// Most rows.
        limit: u32,
    },
    /// Two columns of one field.
    #[error("column `{0}` comes twice: send one column a field")]
    Repeated(String),
    /// Row numbers that do not ascend, or reach beyond the batch.
    #[error("the row numbers of column `{0}` do not ascend within the batch: send ascending numbers below row_count")]
    Rows(String),
    /// A list of values with another length than the rows, or more than one list.
    #[error("column `{field}` has {values} values for {rows} rows: send one value a row, in one list")]
    Length {
        /// The column.
        field: String,
        /// Rows that carry it.
        rows: usize,
        /// Values found.
        values: usize,
    },
    /// `text` and `text_lengths` do not fit.
    #[error("the text lengths of column `{0}` do not add up to its text")]
    Text(String),
}

/// Values of a column, of whichever list is used.
enum Values<'a> {
    Integers(&'a [i64]),
    Days(&'a [i32]),
    Texts { text: &'a [u8], lengths: &'a [u32] },
    Wide { high: &'a [u64], low: &'a [u64] },
}

/// Rows put together at a time: their drafts stay in the cache while column after column adds to them.
const BLOCK_ROWS: usize = 64;

impl Column {
    /// Number of values, in a batch of so many rows.
    fn len(&self, row_count: usize) -> usize {
        if self.rows.is_empty() { row_count } else { self.rows.len() }
    }

    fn check(&self, row_count: u32) -> Result<Values<'_>, ColumnError> {
        let ascends = self.rows.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascends || self.rows.last().is_some_and(|last| *last >= row_count) {
            return Err(ColumnError::Rows(self.field.clone()));
        }
        let rows = self.len(row_count as usize);
        let counts = [self.integers.len(), self.days.len(), self.text_lengths.len(), self.wide_low.len()];
        let values = counts.iter().sum();
        if values != rows
            || counts.iter().filter(|count| **count > 0).count() > 1
            || self.wide_high.len() != self.wide_low.len()
        {
            return Err(ColumnError::Length { field: self.field.clone(), rows, values });
        }
        let bytes: u64 = self.text_lengths.iter().map(|length| u64::from(*length)).sum();
        if bytes != self.text.len() as u64 {
            return Err(ColumnError::Text(self.field.clone()));
        }
        Ok(if !self.integers.is_empty() {
            Values::Integers(&self.integers)
        } else if !self.days.is_empty() {
            Values::Days(&self.days)
        } else if !self.wide_low.is_empty() {
            Values::Wide { high: &self.wide_high, low: &self.wide_low }
        } else {
            Values::Texts { text: &self.text, lengths: &self.text_lengths }
        })
    }
}

/// A column being read from its first row to its last.
struct Cursor<'a> {
    /// `None` = the name is no field.
    field: Option<Field>,
    kind: Option<FieldKind>,
    column: &'a Column,
    values: Values<'a>,
    row_count: u32,
    /// Values read.
    at: usize,
    /// Bytes of text read.
    text_at: usize,
}

impl<'a> Cursor<'a> {
    fn new(column: &'a Column, row_count: u32, catalogue: &Catalogue) -> Result<Self, ColumnError> {
        let field = catalogue.fields.by_name(&column.field);
        let kind = field.map(|field| catalogue.fields.get(field).kind);
        Ok(Cursor { field, kind, column, values: column.check(row_count)?, row_count, at: 0, text_at: 0 })
    }

    /// The next (row, value) before row `end`.
    #[inline]
    fn next_before(&mut self, end: u32) -> Option<(u32, Raw<'a>)> {
        let at = self.at;
        let row = if self.column.rows.is_empty() {
            if at as u32 >= self.row_count {
                return None;
            }
            at as u32
        } else {
            *self.column.rows.get(at)?
        };
        if row >= end {
            return None;
        }
        self.at += 1;
        let raw = match &self.values {
            Values::Integers(list) => match (self.kind, list[at]) {
                (Some(FieldKind::Bool), value @ (0 | 1)) => Raw::Bool(value == 1),
                (_, value) => u64::try_from(value).map_or(Raw::Negative(value), Raw::Unsigned),
            },
            Values::Days(list) => Raw::Day(list[at]),
            Values::Wide { high, low } => Raw::Wide(u128::from(high[at]) << 64 | u128::from(low[at])),
            Values::Texts { text, lengths } => {
                let start = self.text_at;
                self.text_at += lengths[at] as usize;
                text_of(&text[start..self.text_at], self.kind)
            }
        };
        Some((row, raw))
    }
}

fn text_of(bytes: &[u8], kind: Option<FieldKind>) -> Raw<'_> {
    match (std::str::from_utf8(bytes), kind) {
        (Err(_), _) => Raw::Unfit("bytes that are not UTF-8"),
        (Ok(""), Some(FieldKind::Codes(_))) => Raw::List(Vec::new()),
        (Ok(text), Some(FieldKind::Codes(_))) => Raw::List(text.split(',').map(Cow::Borrowed).collect()),
        (Ok("true"), Some(FieldKind::Bool)) => Raw::Bool(true),
        (Ok("false"), Some(FieldKind::Bool)) => Raw::Bool(false),
        (Ok(text), _) => Raw::Text(Cow::Borrowed(text)),
    }
}

impl ColumnBatch {
    /// Reads and checks all records, each on its own. `limit` bounds what is allocated before anything is checked.
    pub fn read(&self, limit: u32, catalogue: &Catalogue) -> Result<Vec<Result<Record, Box<Refusal>>>, ColumnError> {
        if self.row_count > limit {
            return Err(ColumnError::TooManyRows { rows: self.row_count, limit });
        }
        let mut cursors: Vec<Cursor> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            cursors.push(Cursor::new(column, self.row_count, catalogue)?);
        }
        // Drafts take fields in ascending order; names that are no fields come first.
        cursors.sort_by(|left, right| (left.field, &left.column.field).cmp(&(right.field, &right.column.field)));
        if let Some(pair) = cursors.windows(2).find(|pair| pair[0].column.field == pair[1].column.field) {
            return Err(ColumnError::Repeated(pair[0].column.field.clone()));
        }
        let rows = self.row_count as usize;
        let values: usize = cursors.iter().map(|cursor| cursor.column.len(rows)).sum();
        let per_row = values.div_ceil(rows.max(1)).min(FIELDS.len());
        let mut records = Vec::with_capacity(rows);
        let mut drafts: Vec<Draft> = Vec::with_capacity(BLOCK_ROWS.min(rows));
        let mut start = 0;
        while start < self.row_count {
            let end = self.row_count.min(start + BLOCK_ROWS as u32);
            drafts.extend((start..end).map(|_| Draft::with_capacity(per_row)));
            for cursor in &mut cursors {
                while let Some((row, raw)) = cursor.next_before(end) {
                    let draft = &mut drafts[(row - start) as usize];
                    match cursor.field {
                        Some(field) => draft.put(field, raw, catalogue),
                        None => draft.blame_name(&cursor.column.field, &raw.to_string()),
                    }
                }
            }
            records.extend(drafts.drain(..).map(|draft| draft.finish(catalogue)));
            start = end;
        }
        Ok(records)
    }

    /// The columns of these records.
    pub fn write<'a>(records: impl IntoIterator<Item = &'a Record>) -> ColumnBatch {
        let mut columns: Vec<Option<Column>> = vec![None; FIELDS.len()];
        let mut row_count = 0;
        for record in records {
            for_each_field(record, |field, part| {
                let column = columns[field as usize]
                    .get_or_insert_with(|| Column { field: field.name().to_owned(), ..Column::default() });
                column.rows.push(row_count);
                column.push(&part);
            });
            row_count += 1;
        }
        let mut columns: Vec<Column> = columns.into_iter().flatten().collect();
        for column in &mut columns {
            if column.rows.len() == row_count as usize {
                column.rows = Vec::new();
            }
        }
        ColumnBatch { row_count, columns }
    }
}

impl Column {
    fn push(&mut self, part: &Part) {
        match part {
            Part::Int(value) => self.integers.push(*value),
            Part::Bool(value) => self.integers.push(i64::from(*value)),
            Part::Date(value) => self.days.push(value.0),
            Part::Id(value) => {
                self.wide_high.push((value >> 64) as u64);
                self.wide_low.push(*value as u64);
            }
            // A sequence may pass the largest i64; then its whole column is in text.
            Part::Unsigned(value) if self.text_lengths.is_empty() && i64::try_from(*value).is_ok() => {
                self.integers.push(*value as i64);
            }
            Part::Unsigned(_) if !self.integers.is_empty() => {
                for integer in std::mem::take(&mut self.integers) {
                    self.push_text(&Part::Int(integer));
                }
                self.push_text(part);
            }
            _ => self.push_text(part),
        }
    }

    fn push_text(&mut self, part: &Part) {
        let start = self.text.len();
        push_text(part, &mut self.text);
        self.text_lengths.push((self.text.len() - start) as u32);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        arbitrary,
        fact::{Control, ControlKind, Source},
        ndjson::{parse_line, print_record},
        refusal::RefusalCode,
    };

    proptest! {
        /// Each record comes out of the columns as it comes out of its line: read or refused.
        #[test]
        fn both_doors_agree(records in prop::collection::vec(prop_oneof![
            2 => arbitrary::acceptable_fact().prop_map(Record::Fact),
            1 => arbitrary::record(),
        ], 0..8)) {
            let catalogue = Catalogue::embedded();
            let batch = ColumnBatch::write(&records);
            let rows = batch.read(8, &catalogue).unwrap();
            let lines: Vec<_> =
                records.iter().map(|record| parse_line(print_record(record).as_bytes(), &catalogue)).collect();
            prop_assert_eq!(rows, lines);
        }

        #[test]
        fn damaged_columns_never_panic(
            records in prop::collection::vec(arbitrary::acceptable_fact().prop_map(Record::Fact), 1..4),
            at in any::<prop::sample::Index>(),
            what in 0..7u8,
            value in any::<u32>(),
        ) {
            let mut batch = ColumnBatch::write(&records);
            let at = at.index(batch.columns.len());
            let column = &mut batch.columns[at];
            match what {
                0 => column.rows.push(value),
                1 => column.integers.push(value.into()),
                2 => column.days.push(value as i32),
                3 => column.text.push(value as u8),
                4 => column.text_lengths.push(value),
                5 => column.wide_high.push(value.into()),
                _ => batch.row_count = value % 8,
            }
            if let Ok(rows) = batch.read(8, &Catalogue::embedded()) {
                prop_assert_eq!(rows.len(), batch.row_count as usize);
            }
        }
    }

    fn batch() -> ColumnBatch {
        let lines = [
            r#"{"control":"idle","source":"NGBS","source_seq":1}"#,
            r#"{"control":"watermark","source":"CPES","source_seq":2,"watermark_time":1751958000000}"#,
        ];
        let catalogue = Catalogue::embedded();
        let records: Vec<_> = lines.iter().map(|line| parse_line(line.as_bytes(), &catalogue).unwrap()).collect();
        ColumnBatch::write(&records)
    }

    fn change(batch: &mut ColumnBatch, field: &str, change: impl FnOnce(&mut Column)) {
        change(batch.columns.iter_mut().find(|column| column.field == field).unwrap());
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        let read = |batch: &ColumnBatch| batch.read(10, &Catalogue::embedded());
        assert!(read(&batch()).unwrap().iter().all(Result::is_ok));
        assert_eq!(batch().read(1, &Catalogue::embedded()), Err(ColumnError::TooManyRows { rows: 2, limit: 1 }));
        let mut bad = batch();
        bad.columns.push(bad.columns[0].clone());
        assert_eq!(read(&bad), Err(ColumnError::Repeated("source".to_owned())));
        let mut bad = batch();
        change(&mut bad, "watermark_time", |column| column.rows = vec![2]);
        assert_eq!(read(&bad), Err(ColumnError::Rows("watermark_time".to_owned())));
        let mut bad = batch();
        change(&mut bad, "source_seq", |column| column.rows = vec![1, 0]);
        assert_eq!(read(&bad), Err(ColumnError::Rows("source_seq".to_owned())));
        let mut bad = batch();
        change(&mut bad, "source_seq", |column| column.days = vec![1, 2]);
        assert_eq!(read(&bad), Err(ColumnError::Length { field: "source_seq".to_owned(), rows: 2, values: 4 }));
        let mut bad = batch();
        change(&mut bad, "source", |column| column.text.extend_from_slice(b"X"));
        assert_eq!(read(&bad), Err(ColumnError::Text("source".to_owned())));
    }

    #[test]
    fn one_bad_row_leaves_the_others() {
        let mut bad = batch();
        change(&mut bad, "source_seq", |column| column.integers[0] = 0);
        bad.columns.push(Column { field: "souce".to_owned(), rows: vec![1], integers: vec![7], ..Column::default() });
        let rows = bad.read(10, &Catalogue::embedded()).unwrap();
        let codes: Vec<_> = rows.into_iter().map(|row| row.unwrap_err().code).collect();
        assert_eq!(codes, [RefusalCode::FieldType, RefusalCode::UnknownField]);
        let mut bad = batch();
        change(&mut bad, "source", |column| column.text[1] = 0xff);
        let rows = bad.read(10, &Catalogue::embedded()).unwrap();
        assert_eq!(rows[0].as_ref().unwrap_err().code, RefusalCode::UnknownSource);
        assert!(rows[1].is_ok());
    }

    /// A CSV file: every cell is text.
    #[test]
    fn text_stands_for_every_type() {
        let catalogue = Catalogue::embedded();
        let line = concat!(
            r#"{"event_id":"97","behaviour":"PAY.MAT","event_time":1751958000000,"biz_date":"2025-07-08","source":"NGBS","#,
            r#""source_seq":24,"bill_id":"53","sub_start":0,"sub_end":0,"amount_fen":60,"initiator_id":"SYSTEM","#,
            r#""divisible":true,"special_flags":["CSOE","SRDI"]}"#
        );
        let record = parse_line(line.as_bytes(), &catalogue).unwrap();
        let mut batch = ColumnBatch { row_count: 1, columns: Vec::new() };
        for_each_field(&record, |field, part| {
            let mut column = Column { field: field.name().to_owned(), ..Column::default() };
            column.push_text(&part);
            batch.columns.push(column);
        });
        assert_eq!(batch.read(1, &catalogue).unwrap(), [Ok(record)]);
    }

    #[test]
    fn a_sequence_beyond_64_bits_signed_moves_its_column_to_text() {
        let record =
            |source_seq| Record::Control(Control { source: Source::Ngbs, source_seq, kind: ControlKind::Idle });
        let records = [record(1), record(u64::MAX), record(3)];
        let rows = ColumnBatch::write(&records).read(3, &Catalogue::embedded()).unwrap();
        assert_eq!(rows.into_iter().map(Result::unwrap).collect::<Vec<_>>(), records);
    }
}
