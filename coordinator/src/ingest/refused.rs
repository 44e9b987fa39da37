//! A refused record: what the client is told, and what is kept of it.

use billwatch_market::{
    fact::{Control, ControlKind, Record, Source},
    ndjson::print_record,
};
use billwatch_proto::v1;
use prost::bytes::Bytes;

use super::acceptance::Verdict;
use crate::limits;

/// One refusal.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What the client is told.
    pub refusal: v1::Refusal,
    /// The source, when it could be read: the number then counts as used.
    pub source: Option<Source>,
    /// The number in its sequence, when it could be read.
    pub number: Option<u64>,
    /// The record as sent; columns are shown as a row. Cut to [`limits::RECORD_BYTES`].
    pub record: Bytes,
}

impl Refused {
    /// A refusal of [`crate::ingest::acceptance`].
    ///
    /// # Panics
    /// When the verdict is no refusal.
    pub fn by_sequence(row: u32, record: &Record, verdict: &Verdict) -> Self {
        let (source, number) = record.sequence();
        let (code, field, value, remedy) = match verdict {
            Verdict::SequenceConflict => (
                "SEQUENCE_CONFLICT",
                "source_seq",
                number.to_string(),
                format!(
                    "{} {number} was accepted with other content: send this record under a new number",
                    source.code()
                ),
            ),
            Verdict::TooManyVariants => {
                let event = if let Record::Fact(fact) = record { fact.event_id.to_string() } else { String::new() };
                let remedy = format!(
                    "{} other contents were accepted under this event id: give each fact an id of its own and send it again \
                     under a new number",
                    limits::VARIANTS_MOST
                );
                ("TOO_MANY_VARIANTS", "event_id", event, remedy)
            }
            Verdict::WatermarkBack { earlier } => {
                let time = match record {
                    Record::Control(Control { kind: ControlKind::Watermark(time), .. }) => time.to_string(),
                    _ => String::new(),
                };
                let remedy = format!("{} has sent watermark {earlier}: send one at or above it", source.code());
                ("WATERMARK_BACK", "watermark_time", time, remedy)
            }
            Verdict::Accepted { .. } | Verdict::Duplicate { .. } => unreachable!("only refusals come here"),
        };
        let refusal = v1::Refusal {
            row,
            code: code.to_owned(),
            field: field.to_owned(),
            value,
            remedy,
            source: source.code().to_owned(),
            source_seq: number,
        };
        Refused { refusal, source: Some(source), number: Some(number), record: cut(print_record(record).into_bytes()) }
    }
}

/// A record as kept in a dead letter.
pub fn cut(mut record: Vec<u8>) -> Bytes {
    record.truncate(limits::RECORD_BYTES);
    record.into()
}
