//! What a worker shows at `/metrics`: how its agent stands, and what the compute child last said.
//!
//! The endpoint is the agent's, so it answers also while no child runs: then the child's counters are 0, as a new child's are.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use billwatch_telemetry::{
    endpoint::{self, Endpoint},
    machine,
    page::Page,
    table::{Role, worker as table},
};

use super::Shown;
use crate::client::BUILD;

/// Listens for scrapes until the endpoint is dropped.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(address: SocketAddr, shown: Shown, data: PathBuf) -> io::Result<Endpoint> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let make = move || {
        let (shown, data) = (shown.clone(), data.clone());
        // Reads the sizes of files.
        let written = tokio::task::spawn_blocking(move || page(&shown, since, &data).text());
        let page: std::pin::Pin<Box<dyn Future<Output = String> + Send>> =
            Box::pin(async { written.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) });
        page
    };
    endpoint::serve(address, Arc::new(make)).await
}

fn page(shown: &Shown, since_unix_s: f64, data: &Path) -> Page {
    let mut page = Page::new(Role::Worker);
    let agent = std::process::id();
    // An agent has no other children.
    let compute = machine::children(agent).into_iter().map(|id| ("compute", id));
    let processes: Vec<_> = [("agent", agent)].into_iter().chain(compute.take(1)).collect();
    machine::put(&mut page, Role::Worker, BUILD, since_unix_s, &processes, data);
    let pulse = shown.pulse.latest().unwrap_or_default();
    page.counters(pulse.counters.iter().map(|(name, value)| (name.as_str(), "", *value)));
    page.whole(&table::COMPUTING, u8::from(pulse.ready));
    page.whole(&table::GENERATION, pulse.generation);
    page.whole(&table::EPOCH, pulse.epoch);
    let standing = shown.standing.latest();
    if let Some(heard) = standing.heard_at {
        page.number(&table::PULSE_AGE, heard.elapsed().as_secs_f64());
    }
    page.whole(&table::READY, u8::from(standing.ready));
    page.whole(&table::LEASED, u8::from(standing.leased));
    page.whole(&table::RESTARTS, standing.children_started.saturating_sub(1));
    page.whole(&table::CHILDREN_FAILED, standing.children_failed);
    page
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use billwatch_telemetry::table::Source;

    use super::*;
    use crate::{agent::pulse::Pulse, counters::Counts};

    #[test]
    fn every_counter_of_a_worker_thread_is_in_the_table() {
        let kept: BTreeSet<String> = Counts::default().list().into_iter().map(|counter| counter.name).collect();
        let mut shown = BTreeSet::new();
        for metric in table::ALL {
            match metric.source {
                Source::Counter(name) => drop(shown.insert(name.to_owned())),
                Source::Counters(names) => shown.extend(names.iter().map(|(name, _)| (*name).to_owned())),
                Source::Measured(_) => {}
            }
        }
        assert_eq!(kept, shown, "counters of the threads, and counters that the table reads");
    }

    #[test]
    fn the_page_is_made_with_and_without_a_child() {
        let (shown, data) = (Shown::default(), tempfile::tempdir().unwrap());
        let without = page(&shown, 0.0, data.path()).text();
        for line in
            ["billwatch_worker_computing 0", "billwatch_worker_facts_total 0", "billwatch_worker_restarts_total 0"]
        {
            assert!(without.lines().any(|shown| shown == line), "{line} is not in\n{without}");
        }
        let counters =
            BTreeMap::from([("facts_total".to_owned(), 8), ("stage_lives_ns_total".to_owned(), 1_500_000_000)]);
        shown.pulse.set(Some(Pulse { generation: 3, ready: true, epoch: 9, counters }));
        let with = page(&shown, 0.0, data.path()).text();
        for line in [
            "billwatch_worker_computing 1",
            "billwatch_worker_generation 3",
            "billwatch_worker_epoch 9",
            "billwatch_worker_facts_total 8",
            "billwatch_worker_stage_seconds_total{stage=\"lives\"} 1.5",
            "billwatch_worker_stage_seconds_total{stage=\"cells\"} 0.0",
        ] {
            assert!(with.lines().any(|shown| shown == line), "{line} is not in\n{with}");
        }
    }
}
