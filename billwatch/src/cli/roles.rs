//! Roles of a cluster: what may be said to its processes.

use std::path::PathBuf;

use billwatch_telemetry::{logs::LogFormat, otlp::Collector};
use billwatch_workers::limits::DRAIN_WITHIN;
use clap::Args;

use super::Cluster;
use crate::place::ProcessNumber;

/// Arguments of `demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Simulated facts
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    pub facts: u64,
    /// Worker processes
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub processes: u32,
    /// Worker threads a process
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Seed of the simulated market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Directory for log, history and checkpoints; default: a temporary one, removed at the end
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Keep serving after the demo, until interrupted
    #[arg(long)]
    pub serve: bool,
    /// SIGKILL all processes once this many facts are acknowledged, then restart them on the same data
    #[arg(long, value_name = "FACTS")]
    pub kill_after: Option<u64>,
    /// Facts a second in the second phase, in which freshness is measured
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub rate: u64,
    /// Leave out the comparison with the reference evaluator (it needs memory for all facts)
    #[arg(long)]
    pub no_verify: bool,
}

/// Arguments of `coordinator`.
#[derive(Args)]
pub struct CoordinatorArgs {
    /// Address to listen on
    #[arg(long, env = "BILLWATCH_LISTEN", default_value = "127.0.0.1:7400")]
    pub listen: std::net::SocketAddr,
    /// Metrics, log lines and spans
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// Directory for log and ledger
    #[arg(long, env = "BILLWATCH_DATA")]
    pub data: PathBuf,
    /// Worker processes of the cluster
    #[arg(long, env = "BILLWATCH_PROCESSES", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub processes: u32,
    /// Most time that an epoch stays open, ms
    #[arg(long, env = "BILLWATCH_EPOCH_MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub epoch_ms: u64,
    /// Time between checkpoints, s
    #[arg(long, env = "BILLWATCH_CHECKPOINT_S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub checkpoint_s: u64,
    /// Least time between two passes that close periods of reports and look at closed ones again, s
    #[arg(long, env = "BILLWATCH_REPORTS_S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub reports_s: u64,
    /// Catalogue tables that replace the built-in ones
    #[arg(long, env = "BILLWATCH_CATALOGUE")]
    pub catalogue: Option<PathBuf>,
    /// End when standard input closes: for processes that another one starts
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Arguments of `worker`.
#[derive(Args)]
pub struct WorkerArgs {
    /// Coordinator, http://HOST:PORT
    #[command(flatten)]
    pub cluster: Cluster,
    /// Number of this process, from 0; `auto`: from environment BILLWATCH_POD_INDEX, else the number at the end of the hostname
    #[arg(long, env = "BILLWATCH_PROCESS")]
    pub process: ProcessNumber,
    /// Address on which the other workers reach this one; port 0 = chosen free
    #[arg(long, env = "BILLWATCH_MESH", default_value = "127.0.0.1:0")]
    pub mesh: std::net::SocketAddr,
    /// Worker threads
    #[arg(long, env = "BILLWATCH_THREADS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Metrics, log lines and spans
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// Directory for history and checkpoints
    #[arg(long, env = "BILLWATCH_DATA")]
    pub data: PathBuf,
    /// Name under which the other workers reach this one, HOST:PORT, when it is not --mesh; {hostname} is replaced
    #[arg(long, env = "BILLWATCH_ADVERTISE")]
    pub advertise: Option<String>,
    /// Address on which health is told (grpc.health.v1: live, startup, ready); default: none
    #[arg(long, env = "BILLWATCH_PROBE")]
    pub probe: Option<std::net::SocketAddr>,
    /// Longest wait for a checkpoint after SIGTERM, s
    #[arg(long, env = "BILLWATCH_DRAIN_S", default_value_t = DRAIN_WITHIN.as_secs(), value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub drain_s: u64,
    /// Catalogue tables that replace the built-in ones
    #[arg(long, env = "BILLWATCH_CATALOGUE")]
    pub catalogue: Option<PathBuf>,
    /// Serve one generation of the mesh and end: for supervisors that start the process again
    #[arg(long)]
    pub one_generation: bool,
    /// One line of JSON a second on standard output: what the compute process says to its agent
    #[arg(long, hide = true)]
    pub pulse: bool,
    /// End when standard input closes: for processes that another one starts
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Arguments of `up`.
#[derive(Args)]
pub struct UpArgs {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:7400")]
    pub listen: std::net::SocketAddr,
    /// Directory for log, history and checkpoints
    #[arg(long)]
    pub data: PathBuf,
    /// Worker processes
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub processes: u32,
    /// Worker threads a process
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
}

/// What a process tells about itself.
#[derive(Args)]
pub struct TelemetryArgs {
    /// Address on which metrics are shown, at /metrics; without it: nowhere
    #[arg(long, env = "BILLWATCH_METRICS")]
    pub metrics: Option<std::net::SocketAddr>,
    /// How log lines look: text or json
    #[arg(long, env = "BILLWATCH_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Collector to which spans are sent over OTLP (gRPC), http://HOST:PORT; without it: nowhere
    #[arg(long, env = "BILLWATCH_OTLP")]
    pub otlp: Option<Collector>,
}
