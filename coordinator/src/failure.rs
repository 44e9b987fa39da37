//! How a part that cannot keep its promises any more ends the whole coordinator, instead of leaving it half alive.
//!
//! Threads and tasks hold a [`Guard`] while they work: a panic is reported as well as an error.

use std::sync::Arc;

use billwatch_telemetry::codes;
use tokio::sync::watch;

/// The first failure of any part. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Failure(Arc<watch::Sender<Option<String>>>);

impl Default for Failure {
    fn default() -> Self {
        Failure(Arc::new(watch::Sender::new(None)))
    }
}

impl Failure {
    /// Tells what failed, with its code ([`billwatch_telemetry::codes`]), and what to do. Only the first report counts.
    pub fn report(&self, code: &'static str, what: String) {
        tracing::error!(code, what, "the coordinator cannot go on");
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(what);
            is_first
        });
    }

    /// Held by a part while it works.
    pub fn guard(&self, part: &'static str) -> Guard {
        Guard { failure: self.clone(), part }
    }

    /// Ready with the first report.
    pub async fn wait(&self) -> String {
        let mut reports = self.0.subscribe();
        let first = reports.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
        first.unwrap_or_default()
    }
}

/// Reports a panic of the part that holds it.
#[derive(Debug)]
pub struct Guard {
    failure: Failure,
    part: &'static str,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = format!("the {} panicked: report it with the log of the program", self.part);
            self.failure.report(codes::COORDINATOR_PANICKED, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_report_counts_and_panics_are_reports() {
        let failure = Failure::default();
        let guard = failure.guard("sorter");
        let panicked = std::thread::spawn(move || {
            let _guard = guard;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        failure.report(codes::LOG_FAILED, "later".into());
        assert!(failure.wait().await.starts_with("the sorter panicked"));
    }
}
