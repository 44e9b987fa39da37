//! Named numbers of the coordinator, for `GetStatus`: growing totals, and last values.
//!
//! Touched once a batch or epoch, never once a record.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use billwatch_proto::v1;

/// All counters, by name and label.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<(&'static str, String), i64>>);

impl Counters {
    /// Adds to a total.
    pub fn add(&self, name: &'static str, label: &str, by: i64) {
        if by != 0 {
            *self.lock().entry((name, label.to_owned())).or_default() += by;
        }
    }

    /// Sets a value.
    pub fn set(&self, name: &'static str, label: &str, value: i64) {
        self.lock().insert((name, label.to_owned()), value);
    }

    /// The value; 0 when it was never touched.
    pub fn get(&self, name: &'static str, label: &str) -> i64 {
        self.lock().get(&(name, label.to_owned())).copied().unwrap_or(0)
    }

    /// All, sorted by name and label.
    pub fn list(&self) -> Vec<v1::Counter> {
        let list = self.lock();
        let counter = |((name, label), value): (&(&str, String), &i64)| v1::Counter {
            name: (*name).to_owned(),
            label: label.clone(),
            value: *value,
        };
        list.iter().map(counter).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(&'static str, String), i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
