//! Sizes of pages, the same for every list.

use super::errors::{ApiError, bad_request};
use crate::limits;

/// The size to use: 0 = the default.
pub fn page_size(asked: u32) -> Result<usize, ApiError> {
    match asked as usize {
        0 => Ok(limits::PAGE_DEFAULT),
        size if size <= limits::PAGE_MOST => Ok(size),
        _ => Err(bad_request("page_size", &asked.to_string(), &format!("at most {}", limits::PAGE_MOST))),
    }
}
