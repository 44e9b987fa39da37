//! Reading and checking the records of one batch: all that needs no memory of other records.
//!
//! Runs on the blocking threads, one batch at a time for each stream, so that streams share the cores and keep their order.

use billwatch_market::{
    catalogue::Catalogue,
    fact::{Record, Source},
    ndjson,
    refusal::Refusal,
};
use billwatch_proto::v1::{self, ingest_request::Records};

use super::{
    acceptance::Prepared,
    columns,
    refused::{Refused, cut},
};
use crate::{
    api::errors::{ApiError, bad_request, too_large},
    limits,
};

/// Records of a batch, with their rows.
#[derive(Debug, Default)]
pub struct PreparedBatch {
    /// Readable and within all rules, in order.
    pub records: Vec<(u32, Prepared)>,
    /// The others.
    pub refused: Vec<Refused>,
}

/// Refuses a batch over the limits, before it is read.
pub fn count_records(request: &v1::IngestRequest) -> Result<usize, ApiError> {
    let records = match &request.records {
        None => return Err(bad_request("records", "", "send columns or rows")),
        Some(Records::Rows(batch)) => batch.rows.len(),
        Some(Records::Columns(batch)) => batch.row_count as usize,
    };
    if records > limits::BATCH_RECORDS {
        Err(too_large("records", records, limits::BATCH_RECORDS))
    } else {
        Ok(records)
    }
}

/// Reads and checks every record. `Err` only for columns that do not fit together: no record can be told from another.
pub fn prepare(records: Records, catalogue: &Catalogue) -> Result<PreparedBatch, ApiError> {
    let mut batch = PreparedBatch::default();
    let mut scratch = Vec::new();
    let mut take = |row: u32, read: Result<Record, Box<Refusal>>, as_sent: &dyn Fn() -> Vec<u8>| match read {
        Ok(record) => batch.records.push((row, Prepared::new(record, &mut scratch))),
        Err(refusal) => batch.refused.push(refused(row, *refusal, as_sent())),
    };
    match records {
        Records::Rows(rows) => {
            for (row, line) in (0..).zip(rows.rows) {
                take(row, ndjson::parse_line(&line.json, catalogue), &|| line.json.to_vec());
            }
        }
        Records::Columns(sent) => columns::read(sent, catalogue, &mut take)?,
    }
    Ok(batch)
}

fn refused(row: u32, refusal: Refusal, record: Vec<u8>) -> Refused {
    let source = refusal.source.unwrap_or_default();
    Refused {
        source: Source::parse(&source),
        number: refusal.source_seq,
        refusal: v1::Refusal {
            row,
            code: refusal.code.as_str().to_owned(),
            field: refusal.field.unwrap_or_default(),
            value: refusal.value.unwrap_or_default(),
            remedy: refusal.remedy,
            source,
            source_seq: refusal.source_seq.unwrap_or(0),
        },
        record: cut(record),
    }
}
