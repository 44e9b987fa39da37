//! The changes of parameters that the log holds, and what is in force because of them.
//!
//! A change is made in [`crate::api::parameters`], which gives it its version, gets an epoch of its own from the sequencer, and
//! stands here once its seal is on disk. Only that of an epoch that a crash left open stands here from the start: the
//! sequencer seals this epoch before anything else, and the next version counts on it. Invariants: versions count up from 1
//! with the epochs; the book is a function of the log, so a restart gives the same.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use billwatch_market::{
    catalogue::Catalogue,
    pattern::{Parameters, Patterns, RuleError},
};
use billwatch_proto::v1;

/// The book. Shared behind an `Arc`.
pub struct ParameterBook {
    catalogue: Arc<Catalogue>,
    history: RwLock<Vec<v1::ParameterChange>>,
    /// The rules under the newest version that anybody asked for.
    compiled: Mutex<Option<Arc<Patterns>>>,
}

impl ParameterBook {
    /// What the log holds, oldest first, each with its epoch.
    pub fn new(catalogue: Arc<Catalogue>, history: Vec<v1::ParameterChange>) -> Self {
        ParameterBook { catalogue, history: RwLock::new(history), compiled: Mutex::default() }
    }

    /// Takes a change whose seal is on disk. One that stands here from the start is passed over.
    pub fn push(&self, change: v1::ParameterChange) {
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        if history.last().is_none_or(|last| last.epoch < change.epoch) {
            history.push(change);
        }
    }

    /// All changes, oldest first; held still while they are read.
    pub fn history(&self) -> RwLockReadGuard<'_, Vec<v1::ParameterChange>> {
        self.history.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version in force; 0 = all values are the catalogue's.
    pub fn version(&self) -> u32 {
        self.history().last().map_or(0, |change| change.version)
    }

    /// Changes up to an epoch.
    pub fn up_to(&self, epoch: u64) -> Vec<v1::ParameterChange> {
        self.history().iter().take_while(|change| change.epoch <= epoch).cloned().collect()
    }

    /// Pattern of the change that has this epoch.
    pub fn pattern_at(&self, epoch: u64) -> Option<String> {
        let history = self.history();
        let place = history.binary_search_by_key(&epoch, |change| change.epoch).ok()?;
        Some(history[place].pattern.clone())
    }

    /// The values that are in force.
    pub fn in_force(&self) -> Parameters {
        let mut parameters = Parameters::default();
        for change in self.history().iter() {
            apply(&mut parameters, change).expect("every change was read once before it came here");
        }
        parameters
    }

    /// The rules under the values in force.
    pub fn patterns(&self) -> Result<Arc<Patterns>, RuleError> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version();
        if let Some(known) = compiled.as_ref().filter(|known| known.parameters_version() == version) {
            return Ok(known.clone());
        }
        let patterns = Arc::new(Patterns::of(&self.catalogue, &self.in_force())?);
        *compiled = Some(patterns.clone());
        Ok(patterns)
    }

    /// The rules as a change would make them.
    pub fn patterns_after(&self, change: &v1::ParameterChange) -> Result<Option<Patterns>, RuleError> {
        let mut parameters = self.in_force();
        if apply(&mut parameters, change).is_none() {
            return Ok(None);
        }
        Patterns::of(&self.catalogue, &parameters).map(Some)
    }
}

/// Whether this build can read the values of a change.
pub fn is_readable(change: &v1::ParameterChange) -> bool {
    apply(&mut Parameters::default(), change).is_some()
}

fn apply(parameters: &mut Parameters, change: &v1::ParameterChange) -> Option<()> {
    let values = change.values.iter().map(|value| (value.name.as_str(), value.value.as_str()));
    parameters.apply(change.version, &change.pattern, values)
}

impl std::fmt::Debug for ParameterBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParameterBook").field("version", &self.version()).finish_non_exhaustive()
    }
}
