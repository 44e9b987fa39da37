//! Errors that clients meet: a gRPC code, a stable reason, what to do. Reasons never change their meaning.
//!
//! | reason | code | meaning |
//! |---|---|---|
//! | `BAD_REQUEST` | INVALID_ARGUMENT | a field of the request; named, with its value |
//! | `NO_SUCH` | NOT_FOUND | the bill, alert or view does not exist |
//! | `NOT_SERVING` | UNAVAILABLE | no mesh of workers runs, or it ended while the question was under way |
//! | `LOG_UNAVAILABLE` | UNAVAILABLE | the log cannot be written: nothing of the batch is acknowledged |
//! | `NOT_LIVE` | FAILED_PRECONDITION | a custom report that is being filled, or grew beyond its limit |
//! | `BUSY` | RESOURCE_EXHAUSTED | a named limit of questions, streams or subscriptions is reached |
//! | `TOO_SLOW` | RESOURCE_EXHAUSTED | the subscriber does not read fast enough and was cut off |
//! | `TOO_LARGE` | RESOURCE_EXHAUSTED | a batch or an answer over a named limit |
//! | `LATE_ANSWER` | DEADLINE_EXCEEDED | the workers did not answer in time |
//! | `INTERNAL` | INTERNAL | a fault of the coordinator |
//! | `WORKER_FAILED` | INTERNAL | a worker could not answer; its words are in the message |

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tracing::Span;

use super::spans;

/// Domain of all reasons.
pub const DOMAIN: &str = "billwatch";

/// An error on its way to a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiError {
    code: Code,
    reason: &'static str,
    message: String,
    /// Field of the request and its value.
    field: Option<(String, String)>,
}

impl ApiError {
    fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        ApiError { code, reason, message: message.into(), field: None }
    }

    /// The stable reason.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        spans::failed(&Span::current(), error.reason);
        let mut metadata = HashMap::new();
        let mut details = ErrorDetails::new();
        if let Some((field, value)) = error.field {
            details.set_bad_request(vec![tonic_types::FieldViolation::new(field.clone(), error.message.clone())]);
            metadata.insert("field".to_owned(), field);
            metadata.insert("value".to_owned(), value);
        }
        details.set_error_info(error.reason, DOMAIN, metadata);
        Status::with_error_details(error.code, error.message, details)
    }
}

/// A field of the request cannot be used.
pub fn bad_request(field: &str, value: &str, remedy: &str) -> ApiError {
    let value: String = value.chars().take(crate::limits::REFUSED_VALUE_CHARS).collect();
    let message = format!("{field} `{value}`: {remedy}");
    ApiError { field: Some((field.to_owned(), value)), ..ApiError::new(Code::InvalidArgument, "BAD_REQUEST", message) }
}

/// What was asked for does not exist.
pub fn no_such(what: impl Into<String>) -> ApiError {
    ApiError::new(Code::NotFound, "NO_SUCH", what)
}

/// No mesh runs, or it ended.
pub fn not_serving(why: &str) -> ApiError {
    ApiError::new(Code::Unavailable, "NOT_SERVING", format!("{why}: ask again in a few seconds"))
}

/// The log cannot be written.
pub fn log_unavailable() -> ApiError {
    let message = "the log cannot be written, nothing of this batch is acknowledged: mend the coordinator's disk, start it \
                   again and send the batch again";
    ApiError::new(Code::Unavailable, "LOG_UNAVAILABLE", message)
}

/// A custom report cannot be asked as it stands.
pub fn not_live(words: &str) -> ApiError {
    ApiError::new(Code::FailedPrecondition, "NOT_LIVE", words)
}

/// An answer over a limit.
pub fn too_many_rows(found: usize, most: usize) -> ApiError {
    let message = format!(
        "the answer has {found} rows, at most {most} are given: name dates, a longer grain, or a narrower report"
    );
    ApiError::new(Code::ResourceExhausted, "TOO_LARGE", message)
}

/// A limit on what runs at once is reached.
pub fn busy(what: &str, most: usize) -> ApiError {
    let message = format!("{most} {what} are open, that is the limit: close some or ask again later");
    ApiError::new(Code::ResourceExhausted, "BUSY", message)
}

/// A subscriber was cut off.
pub fn too_slow() -> ApiError {
    let message = "changes came faster than they were read: subscribe again, with a narrower filter or a faster reader";
    ApiError::new(Code::ResourceExhausted, "TOO_SLOW", message)
}

/// A batch over a limit.
pub fn too_large(what: &str, found: usize, most: usize) -> ApiError {
    let message = format!("{found} {what} in a batch, at most {most} are taken: send smaller batches");
    ApiError::new(Code::ResourceExhausted, "TOO_LARGE", message)
}

/// The workers did not answer in time.
pub fn late_answer() -> ApiError {
    ApiError::new(
        Code::DeadlineExceeded,
        "LATE_ANSWER",
        "the workers did not answer in time: ask for less, or again later",
    )
}

/// A fault of ours.
pub fn internal(what: &str) -> ApiError {
    ApiError::new(Code::Internal, "INTERNAL", what)
}

/// A worker could not answer.
pub fn worker_failed(words: &str) -> ApiError {
    ApiError::new(Code::Internal, "WORKER_FAILED", format!("a worker could not answer: {words}"))
}

/// A worker could not answer because of what was asked.
pub fn refused_by_worker(words: &str) -> ApiError {
    ApiError::new(Code::InvalidArgument, "BAD_REQUEST", words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_reason_field_and_value() {
        let status = Status::from(bad_request("query.theme", "T99", "name a theme of the catalogue"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("BAD_REQUEST", "billwatch"));
        assert_eq!((info.metadata["field"].as_str(), info.metadata["value"].as_str()), ("query.theme", "T99"));
        assert!(status.message().contains("name a theme"));
    }
}
