//! Records as ingest batches: columns for what parses here, rows for what only the cluster can judge.
//!
//! Owns the order of batches: what the cluster sees is the order in which records were pushed. Begin at [`Batcher`].

use billwatch_market::{columns, fact::Record};
use billwatch_proto::v1::{Column, ColumnBatch, IngestRequest, Row, RowBatch, ingest_request};

/// The batch of these records, in columns.
pub fn column_batch<'a>(records: impl IntoIterator<Item = &'a Record>, replay: bool) -> IngestRequest {
    let batch = columns::ColumnBatch::write(records);
    let columns = batch.columns.into_iter().map(|column| Column {
        field: column.field,
        rows: column.rows,
        integers: column.integers,
        days: column.days,
        text: column.text.into(),
        text_lengths: column.text_lengths,
        wide_high: column.wide_high,
        wide_low: column.wide_low,
    });
    let columns = ColumnBatch { row_count: batch.row_count, columns: columns.collect() };
    IngestRequest { batch_id: 0, records: Some(ingest_request::Records::Columns(columns)), replay }
}

/// The batch of these lines, in rows.
pub fn row_batch(lines: impl IntoIterator<Item = Vec<u8>>, replay: bool) -> IngestRequest {
    let rows = lines.into_iter().map(|json| Row { json: json.into() }).collect();
    IngestRequest { batch_id: 0, records: Some(ingest_request::Records::Rows(RowBatch { rows })), replay }
}

/// Gathers records into batches of a bounded size, in order.
#[derive(Debug)]
pub struct Batcher {
    size: usize,
    replay: bool,
    records: Vec<Record>,
    rows: Vec<Vec<u8>>,
}

impl Batcher {
    /// Batches of at most `size` records.
    pub fn new(size: usize, replay: bool) -> Self {
        Batcher { size: size.max(1), replay, records: Vec::new(), rows: Vec::new() }
    }

    /// Adds a record; gives the batches that are full.
    pub fn record(&mut self, record: Record) -> Option<IngestRequest> {
        let before = if self.rows.is_empty() { None } else { self.finish() };
        self.records.push(record);
        before.or_else(|| if self.records.len() >= self.size { self.finish() } else { None })
    }

    /// Adds a line that is no record as far as this side can see: the cluster refuses it and keeps it as a dead letter.
    pub fn row(&mut self, line: Vec<u8>) -> Option<IngestRequest> {
        let before = if self.records.is_empty() { None } else { self.finish() };
        self.rows.push(line);
        before.or_else(|| if self.rows.len() >= self.size { self.finish() } else { None })
    }

    /// What is left; `None` when nothing is.
    pub fn finish(&mut self) -> Option<IngestRequest> {
        if !self.rows.is_empty() {
            return Some(row_batch(std::mem::take(&mut self.rows), self.replay));
        }
        if self.records.is_empty() {
            return None;
        }
        let batch = column_batch(&self.records, self.replay);
        self.records.clear();
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use billwatch_market::fact::{Control, ControlKind, Source};

    use super::*;
    use crate::spool::record_count;

    fn idle(source_seq: u64) -> Record {
        Record::Control(Control { source: Source::Simu, source_seq, kind: ControlKind::Idle })
    }

    #[test]
    fn batches_keep_the_order_and_the_size() {
        let mut batcher = Batcher::new(2, true);
        let mut sizes = Vec::new();
        let mut note = |batch: Option<IngestRequest>| {
            if let Some(batch) = batch {
                let rows = matches!(batch.records, Some(ingest_request::Records::Rows(_)));
                assert!(batch.replay);
                sizes.push((rows, record_count(&batch)));
            }
        };
        note(batcher.record(idle(1)));
        note(batcher.record(idle(2)));
        note(batcher.record(idle(3)));
        note(batcher.row(b"nonsense".to_vec()));
        note(batcher.record(idle(5)));
        note(batcher.finish());
        note(batcher.finish());
        assert_eq!(sizes, [(false, 2), (false, 1), (true, 1), (false, 1)]);
    }
}
