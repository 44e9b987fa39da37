//! Labels: what was injected, and what must or must not be alerted for it.

use std::io::{self, Write};

use billwatch_market::fact::EventId;
use billwatch_market::ids::Day;

/// One injected case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Such as `P013`.
    pub pattern: &'static str,
    /// True: there must be an alert (pattern, key, biz_date). False: a near miss, there must be none.
    pub positive: bool,
    /// Alert key as text (facts.md 9.9).
    pub key: String,
    /// Business date of the alert, or the day on which the near miss would have alerted.
    pub biz_date: Day,
    /// The facts of the case, in order.
    pub event_ids: Vec<EventId>,
    /// What makes the case, in words.
    pub note: &'static str,
}

/// Writes labels as NDJSON, one a line: pattern, positive, key, biz_date, event_ids (decimal strings), note.
pub fn write_labels(labels: &[Label], out: &mut impl Write) -> io::Result<()> {
    for label in labels {
        let ids: Vec<String> = label.event_ids.iter().map(|id| id.to_string()).collect();
        let line = serde_json::json!({
            "pattern": label.pattern,
            "positive": label.positive,
            "key": label.key,
            "biz_date": label.biz_date.to_string(),
            "event_ids": ids,
            "note": label.note,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
