//! Alerts as counted hits, at the worker that owns the alert.
//!
//! Every judge says (pattern, key, date, level, ±1). An alert exists while hits are left; its level is the highest with hits.
//! So alerts retract like any total, and what an epoch changed is told once, when the epoch is complete.

use billwatch_market::{
    ids::Day,
    key_group::key_group_of_bill,
    pattern::{AlertId, AlertKey, AlertSet, Hit, HitCount, PatternIndex, Patterns},
};
use billwatch_proto::v1::AlertChange;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::unsaved::UnsavedSet;

/// A hit on its way to the owner of its alert.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlertRow {
    /// What was judged.
    pub hit: Hit,
    /// +1 or −1, or several together.
    pub weight: i32,
}

/// Key group of an alert: of one about a bill that of the bill, so that its owner knows the bill (T31); else the top bits
/// of its id, which is a hash of pattern, key and date.
pub fn alert_group(id: AlertId, key: &AlertKey) -> u16 {
    match key {
        AlertKey::Bill(bill) => key_group_of_bill(*bill),
        _ => (id.0 >> 118) as u16,
    }
}

/// An alert by its parts.
pub type AlertName = (PatternIndex, AlertKey, Day);

/// The alerts of one worker.
#[derive(Default)]
pub struct Alerts {
    set: AlertSet,
    /// Hits before the open epoch, of alerts that it touched.
    before: HashMap<AlertName, HitCount>,
    unsaved: UnsavedSet<AlertName>,
    /// True when checkpoints can be taken.
    pub keep_dirty: bool,
}

impl Alerts {
    /// Adds a hit.
    pub fn add(&mut self, row: &AlertRow) {
        let name = (row.hit.pattern, row.hit.key.clone(), row.hit.date);
        if !self.before.contains_key(&name) {
            let count = self.set.get(name.0, &name.1, name.2).copied().unwrap_or_default();
            self.before.insert(name, count);
        }
        self.set.add(&row.hit, row.weight);
    }

    /// What the epoch changed, by name; begins the next epoch.
    pub fn close_epoch(&mut self, patterns: &Patterns) -> Vec<AlertChange> {
        let mut changes = Vec::new();
        for (name, before) in self.before.drain() {
            let now = self.set.get(name.0, &name.1, name.2).copied().unwrap_or_default();
            if now != before {
                changes.push(change(patterns, &name, now));
                if self.keep_dirty {
                    self.unsaved.insert(name);
                }
            }
        }
        changes.sort_unstable_by_key(|change| (change.id_high, change.id_low));
        changes
    }

    /// Every alert.
    pub fn set(&self) -> &AlertSet {
        &self.set
    }

    /// Begins a sweep over what is not saved.
    pub fn begin_sweep(&mut self) {
        self.unsaved.begin();
    }

    /// The next alert of the sweep, with its hits now.
    pub fn take_unsaved(&mut self) -> Option<(AlertName, HitCount)> {
        let name = self.unsaved.pop()?;
        let count = self.set.get(name.0, &name.1, name.2).copied().unwrap_or_default();
        Some((name, count))
    }

    /// Puts an alert of a checkpoint back.
    pub fn restore(&mut self, name: AlertName, count: HitCount) {
        for (level, hits) in billwatch_market::pattern::LEVELS.into_iter().zip(count.by_level) {
            if hits != 0 {
                self.set.add(&Hit { pattern: name.0, key: name.1.clone(), date: name.2, level }, hits);
            }
        }
    }

    /// Bytes held, estimated: an alert with its key and counters.
    pub fn heap_bytes(&self) -> usize {
        self.set.len() * (size_of::<AlertName>() + size_of::<HitCount>() + 16)
    }
}

/// The message about an alert.
pub fn change(patterns: &Patterns, name: &AlertName, hits: HitCount) -> AlertChange {
    let id = AlertId::of(patterns.id(name.0), &name.1, name.2).0;
    AlertChange {
        id_high: (id >> 64) as u64,
        id_low: id as u64,
        pattern: patterns.id(name.0).to_owned(),
        key: name.1.to_string(),
        biz_day: name.2.0,
        hits: hits.by_level.iter().map(|hits| (*hits).max(0) as u32).collect(),
        parameters_version: patterns.parameters_version(),
    }
}
