//! How many facts that can change a closed period were accepted, and how far the workers must be to have them all.
//!
//! Facts are counted when they are accepted, reports are made of what the workers have done: some tens of milliseconds less as
//! a rule, and much less while workers replay the log. So the number says nothing without the epoch.

use std::sync::{Mutex, PoisonError};

/// Late facts and corrections accepted since the coordinator began. Shared by the sequencer and the close of periods.
#[derive(Debug)]
pub struct Restating(Mutex<Mark>);

/// What was accepted up to a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Facts that can change a closed period.
    pub facts: i64,
    /// Workers that have done this epoch have them all.
    pub epoch: u64,
}

impl Restating {
    /// Begins behind a log that ends with this epoch: the first look, at every period, is for all that it holds.
    pub fn behind(epoch: u64) -> Self {
        Restating(Mutex::new(Mark { facts: 0, epoch }))
    }

    /// Facts were accepted into epochs up to this one.
    pub fn accepted(&self, facts: i64, epoch: u64) {
        if facts > 0 {
            let mut mark = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *mark = Mark { facts: mark.facts + facts, epoch };
        }
    }

    /// What was accepted so far.
    pub fn mark(&self) -> Mark {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
