//! How an agent stands: kept by its loop, read by its probes and by the metrics endpoint.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// State of an agent at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// When its loop last turned: it does so many times a second.
    pub looked_at: Instant,
    /// The coordinator knows it.
    pub leased: bool,
    /// It was asked to end, and waits until it may.
    pub leaving: bool,
    /// One of its compute children was ready once: its part of the state can be restored.
    pub served: bool,
    /// Its compute child is in a running generation and keeps up with the log.
    pub ready: bool,
    /// When a compute child last spoke.
    pub heard_at: Option<Instant>,
    /// Compute children started.
    pub children_started: u64,
    /// Compute children that failed, or had to be killed.
    pub children_failed: u64,
}

/// The standing now. Cheap to clone: all clones show the same.
#[derive(Clone, Debug)]
pub struct LastStanding(Arc<Mutex<Standing>>);

impl Default for LastStanding {
    fn default() -> Self {
        LastStanding(Arc::new(Mutex::new(Standing {
            looked_at: Instant::now(),
            leased: false,
            leaving: false,
            served: false,
            ready: false,
            heard_at: None,
            children_started: 0,
            children_failed: 0,
        })))
    }
}

impl LastStanding {
    /// How it stands.
    pub fn latest(&self) -> Standing {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, standing: Standing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }
}
