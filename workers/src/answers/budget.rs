//! How much history one question may read.
//!
//! Two kinds. What is read at once is read on the loop of a worker, and meanwhile no epoch passes. What is read in turns between
//! epochs holds nothing up, but has to end within the time of a question. Either has a budget of facts, and is refused when it is
//! used up; the words name the limit and what to do.

use std::{cell::Cell, ops::ControlFlow};

use super::invalid;

/// Facts that a question may still read.
pub struct Budget {
    most: usize,
    /// Name of the limit, and what lies behind it.
    limit: (&'static str, &'static str),
    read: Cell<usize>,
}

impl Budget {
    /// For one question that a worker reads at once.
    pub fn new(most: usize) -> Self {
        Budget { most, limit: ("QUESTION_FACTS_MAX", "would hold up its epochs"), read: Cell::new(0) }
    }

    /// For one question that a worker reads between epochs.
    pub fn between_epochs(most: usize) -> Self {
        Budget { most, limit: ("READING_FACTS_MAX", "takes longer than an answer may"), read: Cell::new(0) }
    }

    /// Takes the facts of a life; [`ControlFlow::Break`] when they are too many.
    pub fn take(&self, facts: usize) -> ControlFlow<()> {
        self.read.set(self.read.get().saturating_add(facts));
        if self.read.get() > self.most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The refusal of a question that read too much.
    pub fn check(&self, what: &str, remedy: &str) -> anyhow::Result<()> {
        if self.read.get() <= self.most {
            return Ok(());
        }
        let Budget { most, limit: (limit, reason), .. } = self;
        Err(invalid(format!(
            "{what} reads more than {most} facts of one worker (limit {limit}), which {reason}; {remedy}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_behind_its_last_fact() {
        let budget = Budget::new(10);
        assert!(budget.take(4).is_continue() && budget.take(6).is_continue());
        assert!(budget.check("a count", "count less").is_ok());
        assert!(budget.take(1).is_break());
        let error = budget.check("a count", "count less").unwrap_err().to_string();
        assert!(error.contains("10 facts") && error.contains("QUESTION_FACTS_MAX") && error.contains("count less"));
    }
}
