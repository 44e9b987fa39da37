//! What an operator chooses about a coordinator. Everything that is not chosen is a named limit in [`crate::limits`].

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::limits;

/// Settings of one coordinator. [`CoordinatorConfig::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct CoordinatorConfig {
    /// Where all services listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the metrics are shown, at `/metrics`; `None` = nowhere. Port 0 takes a free one.
    pub metrics: Option<SocketAddr>,
    /// Directory of the log, the alert ledger, dead letters and the checkpoint manifest. One coordinator at a time.
    pub data_dir: PathBuf,
    /// Directory with the catalogue's tables; `None` takes the tables in the program.
    pub catalogue_dir: Option<PathBuf>,
    /// Worker processes that a generation waits for; at least 1.
    pub processes: u32,
    /// Longest time that an epoch stays open once it holds a record.
    pub epoch_interval: Duration,
    /// An epoch is sealed early when it holds this many records.
    pub epoch_records: u32,
    /// Sealed epochs that the workers may have unfinished. More raise throughput a little and age with it.
    pub epochs_in_flight: u32,
    /// Time between two checkpoints while epochs come; `None` = only when an operator asks.
    pub checkpoint_interval: Option<Duration>,
    /// Least time between two passes that close periods of reports: each reads the history of every shard.
    pub report_interval: Duration,
    /// Time between two looks at which rules are dead; each is a question to the workers.
    pub rules_interval: Duration,
}

impl CoordinatorConfig {
    /// Default settings for `processes` worker processes.
    pub fn new(listen: SocketAddr, data_dir: impl Into<PathBuf>, processes: u32) -> Self {
        CoordinatorConfig {
            listen,
            metrics: None,
            data_dir: data_dir.into(),
            catalogue_dir: None,
            processes,
            epoch_interval: limits::EPOCH_INTERVAL,
            epoch_records: limits::EPOCH_RECORDS,
            epochs_in_flight: limits::EPOCHS_IN_FLIGHT,
            checkpoint_interval: Some(limits::CHECKPOINT_INTERVAL),
            report_interval: limits::REPORT_INTERVAL,
            rules_interval: limits::RULES_EVERY,
        }
    }

    /// Refuses settings that cannot work; the text names the setting and the remedy.
    pub fn check(&self) -> Result<(), String> {
        if self.processes == 0 || self.processes > limits::PROCESSES_MOST {
            return Err(format!("processes is {}: choose 1 to {}", self.processes, limits::PROCESSES_MOST));
        }
        if self.epoch_interval.is_zero() {
            return Err("epoch_interval is 0: choose at least 1 ms".into());
        }
        if self.epoch_records == 0 {
            return Err("epoch_records is 0: choose at least 1".into());
        }
        if self.epochs_in_flight == 0 {
            return Err("epochs_in_flight is 0: choose at least 1".into());
        }
        if self.epochs_in_flight > limits::EPOCHS_IN_FLIGHT_MOST {
            let most = limits::EPOCHS_IN_FLIGHT_MOST;
            return Err(format!("epochs_in_flight is {}: choose at most {most}", self.epochs_in_flight));
        }
        Ok(())
    }
}
