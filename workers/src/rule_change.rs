//! A change of parameters on its way through one worker thread.
//!
//! The change has an epoch of its own. Before the operators of the thread see that epoch, the loop compiles the rules under
//! the new parameters ([`Rules::after`], once a process) and puts them in force; then each operator makes the judgements of
//! the changed rules again, from what the thread keeps anyway: judges on windows from the windows, rules on facts and timers
//! from the history. A few features are fed by a parameter (P092's `mult`, for instance): they are fed again from the history. What differs leaves as hits, −old and +new, like any other retraction. So when the epoch is complete, all
//! alerts are those that a fresh run under the new parameters gives.
//!
//! Limit, named: rules on facts and timers read the history of every life of the thread, and fold the lives that hold a fact
//! of a behaviour which the rule reads. Epochs wait meanwhile. Rules on windows read no history.

use std::{cell::Cell, sync::Arc, time::Instant};

use billwatch_market::{
    fact::Behaviour,
    pattern::{FeatureIndex, PatternIndex, RuleKind},
};

use crate::dataflow::valuation::Rules;

/// The rules before and after.
pub struct RuleChange {
    /// In force up to the epoch before.
    pub before: Arc<Rules>,
    /// In force from now on.
    pub now: Arc<Rules>,
    /// Rules that differ.
    pub changed: Vec<PatternIndex>,
    /// Features that facts feed differently.
    pub features: Vec<FeatureIndex>,
    /// When the thread came to it.
    pub since: Instant,
    /// Lives that were folded again.
    pub lives_read: Cell<u64>,
}

impl RuleChange {
    /// What differs between two rule sets of one catalogue.
    pub fn new(before: Arc<Rules>, now: Arc<Rules>) -> Self {
        let changed = now.patterns.changed_since(&before.patterns);
        let features = now.patterns.changed_features(&before.patterns);
        RuleChange { before, now, changed, features, since: Instant::now(), lives_read: Cell::new(0) }
    }

    /// Changed rules of a kind.
    pub fn of_kind(&self, kind: RuleKind) -> impl Iterator<Item = PatternIndex> {
        self.changed.iter().copied().filter(move |rule| self.now.patterns.kind(*rule) == kind)
    }

    /// True when facts must be looked at again.
    pub fn reads_facts(&self) -> bool {
        !self.features.is_empty() || self.changed.iter().any(|rule| self.now.patterns.kind(*rule) != RuleKind::Windows)
    }

    /// True when facts of a behaviour must be looked at again.
    pub fn reads(&self, behaviour: Behaviour) -> bool {
        self.changed.iter().any(|rule| self.now.patterns.is_due_by(*rule, behaviour))
            || self.features.iter().any(|feature| self.now.patterns.is_fed_by(*feature, behaviour))
    }
}
