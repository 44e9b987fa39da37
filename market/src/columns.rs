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

/// Values of one field. Exactly one of the lists of values is used, by the type of the field.
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

impl Column {
    fn check(&self, row_count: u32) -> Result<Values<'_>, ColumnError> {
        let ascends = self.rows.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascends || self.rows.last().is_some_and(|last| *last >= row_count) {
            return Err(ColumnError::Rows(self.field.clone()));
        }
        let rows = if self.rows.is_empty() { row_count as usize } else { self.rows.len() };
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

    /// Gives (row, value) of each row that carries the column.
    fn for_each<'a>(
        &'a self,
        row_count: u32,
        kind: Option<FieldKind>,
        mut give: impl FnMut(usize, Raw<'a>),
    ) -> Result<(), ColumnError> {
        let values = self.check(row_count)?;
        let row = |at: usize| self.rows.get(at).map_or(at, |row| *row as usize);
        match values {
            Values::Integers(list) => {
                for (at, value) in list.iter().enumerate() {
                    let raw = match (kind, value) {
                        (Some(FieldKind::Bool), 0 | 1) => Raw::Bool(*value == 1),
                        _ => u64::try_from(*value).map_or(Raw::Negative(*value), Raw::Unsigned),
                    };
                    give(row(at), raw);
                }
            }
            Values::Days(list) => {
                for (at, value) in list.iter().enumerate() {
                    give(row(at), Raw::Day(*value));
                }
            }
            Values::Wide { high, low } => {
                for (at, (high, low)) in high.iter().zip(low).enumerate() {
                    give(row(at), Raw::Wide(u128::from(*high) << 64 | u128::from(*low)));
                }
            }
            Values::Texts { text, lengths } => {
                let mut rest = text;
                for (at, length) in lengths.iter().enumerate() {
                    let (one, behind) = rest.split_at(*length as usize);
                    rest = behind;
                    give(row(at), text_of(one, kind));
                }
            }
        }
        Ok(())
    }
}

fn text_of(bytes: &[u8], kind: Option<FieldKind>) -> Raw<'_> {
    match (std::str::from_utf8(bytes), kind) {
        (Err(_), _) => Raw::Unfit("bytes that are not UTF-8"),
        (Ok(""), Some(FieldKind::Codes(_))) => Raw::List(Vec::new()),
        (Ok(text), Some(FieldKind::Codes(_))) => Raw::List(text.split(',').map(Cow::Borrowed).collect()),
        (Ok(text), _) => Raw::Text(Cow::Borrowed(text)),
    }
}

impl ColumnBatch {
    /// Reads and checks all records, each on its own. `limit` bounds what is allocated before anything is checked.
    pub fn read(&self, limit: u32, catalogue: &Catalogue) -> Result<Vec<Result<Record, Box<Refusal>>>, ColumnError> {
        if self.row_count > limit {
            return Err(ColumnError::TooManyRows { rows: self.row_count, limit });
        }
        let mut columns: Vec<(Option<Field>, &Column)> =
            self.columns.iter().map(|column| (catalogue.fields.by_name(&column.field), column)).collect();
        // Drafts take fields in ascending order; names that are no fields come first.
        columns.sort_by(|left, right| (left.0, &left.1.field).cmp(&(right.0, &right.1.field)));
        if let Some(pair) = columns.windows(2).find(|pair| pair[0].1.field == pair[1].1.field) {
            return Err(ColumnError::Repeated(pair[0].1.field.clone()));
        }
        let rows = self.row_count as usize;
        // The size of the average record: most fields are carried by every row or by few.
        let values: usize =
            columns.iter().map(|(_, column)| if column.rows.is_empty() { rows } else { column.rows.len() }).sum();
        let per_row = values.checked_div(rows).unwrap_or(0).min(FIELDS.len());
        let mut drafts: Vec<Draft> = (0..rows).map(|_| Draft::with_capacity(per_row)).collect();
        for (field, column) in columns {
            match field {
                Some(field) => {
                    let kind = catalogue.fields.get(field).kind;
                    column.for_each(self.row_count, Some(kind), |row, raw| drafts[row].put(field, raw, catalogue))?;
                }
                None => column.for_each(self.row_count, None, |row, raw| {
                    drafts[row].blame_name(&column.field, &raw.to_string());
                })?,
            }
        }
        Ok(drafts.into_iter().map(|draft| draft.finish(catalogue)).collect())
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

    #[test]
    fn a_sequence_beyond_64_bits_signed_moves_its_column_to_text() {
        let record =
            |source_seq| Record::Control(Control { source: Source::Ngbs, source_seq, kind: ControlKind::Idle });
        let records = [record(1), record(u64::MAX), record(3)];
        let rows = ColumnBatch::write(&records).read(3, &Catalogue::embedded()).unwrap();
        assert_eq!(rows.into_iter().map(Result::unwrap).collect::<Vec<_>>(), records);
    }
}
