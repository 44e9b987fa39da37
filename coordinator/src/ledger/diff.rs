//! What a change of parameters did to alerts.
//!
//! A change has an epoch of its own, in which no fact comes and the clock stands still. So what the workers report with that
//! epoch is the difference between the alerts before and after, and nothing else.

use std::collections::BTreeMap;

use billwatch_proto::v1::{AlertState, ParameterDiffCounts};

use super::{
    AsOf,
    book::{AlertId, Book, Change},
};
use crate::limits;

/// The difference of one change.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AlertsDiff {
    /// The epoch of the change.
    pub as_of: AsOf,
    /// How many; kept for ever.
    pub counts: ParameterDiffCounts,
    /// Alerts that hold since.
    pub new: Vec<AlertId>,
    /// Alerts that held before.
    pub gone: Vec<AlertId>,
    /// Alerts that hold on with other hits.
    pub changed: Vec<AlertId>,
}

impl AlertsDiff {
    /// Works out the difference; called before the changes are applied to the book.
    pub fn before_applying(as_of: AsOf, changes: &[Change], pattern: &str, book: &Book) -> Self {
        let mut diff = AlertsDiff { as_of, ..AlertsDiff::default() };
        let held = book.after(None).filter(|alert| alert.now.pattern == pattern && holds(alert.state)).count() as u64;
        // Few rules read the parameters of another: its alerts are in the difference too, but not among those that stay.
        let mut touched = 0;
        for change in changes {
            let before = book.get(change.id).is_some_and(|alert| holds(alert.state));
            let after = change.hits.iter().any(|hits| *hits > 0);
            touched += u64::from(before && change.pattern == pattern);
            match (before, after) {
                (false, true) => diff.new.push(change.id),
                (true, false) => diff.gone.push(change.id),
                (true, true) => diff.changed.push(change.id),
                (false, false) => {}
            }
        }
        let (new_alerts, gone, changed) = (diff.new.len() as u64, diff.gone.len() as u64, diff.changed.len() as u64);
        diff.counts = ParameterDiffCounts { new_alerts, gone, changed, same: held.saturating_sub(touched) };
        diff
    }

    /// True when its alerts are not kept any more.
    pub fn is_dropped(&self) -> bool {
        let ParameterDiffCounts { new_alerts, gone, changed, .. } = self.counts;
        let kept = (self.new.len() + self.gone.len() + self.changed.len()) as u64;
        kept < new_alerts + gone + changed
    }
}

fn holds(state: AlertState) -> bool {
    state != AlertState::Withdrawn
}

/// The differences of all changes, by epoch.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Diffs(BTreeMap<u64, AlertsDiff>);

impl Diffs {
    /// The difference of the change that has this epoch.
    pub fn at(&self, epoch: u64) -> Option<&AlertsDiff> {
        self.0.get(&epoch)
    }

    /// Keeps a difference; the alerts of the oldest are forgotten.
    pub fn keep(&mut self, epoch: u64, diff: AlertsDiff) {
        self.0.insert(epoch, diff);
        if let Some((_, oldest)) = self.0.iter_mut().rev().nth(limits::PARAMETER_DIFFS_KEPT) {
            *oldest = AlertsDiff { as_of: oldest.as_of, counts: oldest.counts, ..AlertsDiff::default() };
        }
    }
}
