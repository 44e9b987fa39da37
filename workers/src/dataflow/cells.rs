//! Totals of aggregate cells at the worker that owns the cell. (Waits for `market::aggregate`.)

use serde::{Deserialize, Serialize};

/// A changed cell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CellRow {}

/// Totals of one worker.
#[derive(Default)]
pub struct Cells {}

impl Cells {
    /// Adds a change.
    pub fn add(&mut self, _row: CellRow) {}

    /// Bytes held, estimated.
    pub fn heap_bytes(&self) -> usize {
        0
    }
}
