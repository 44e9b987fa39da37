//! The command line: what may be typed, with its help. What each command does lies in the module of its name.

mod dead_letters;
mod parameters;
mod questions;
mod reports;
mod roles;
mod tools;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::{dead_letters::*, parameters::*, questions::*, reports::*, roles::*, tools::*};

/// Where commands look for the coordinator unless told otherwise.
pub const DEFAULT_ADDRESS: &str = "http://127.0.0.1:7400";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed; the message says why and what to do
  2  the command line is wrong
  3  the cluster cannot be reached
  4  verify: the live views differ from the reference
  5  demo: a planted case was missed, or a near miss was alerted
  6  ingest: some records were refused (they are listed; all others were accepted); dead-letters resubmit: refused again
  7  worker: the coordinator refuses this process for good (another build or catalogue, or a number it does not have)";

/// Watches the whole commercial bill market (票据市场) while it happens.
#[derive(Parser)]
#[command(name = "billwatch", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Subcommand)]
pub enum Command {
    /// A whole cluster on simulated facts: ingest, queries, alerts, verify
    Demo(DemoArgs),
    /// The coordinator: ingest, log, epochs, queries
    Coordinator(CoordinatorArgs),
    /// One worker: an agent that keeps a compute process running, generation after generation
    Worker(WorkerArgs),
    /// A cluster that stays: coordinator and workers on this machine, restarted when they die
    Up(UpArgs),
    /// Writes simulated facts, and the list of planted cases
    Simulate(SimulateArgs),
    /// Loads a file of facts: NDJSON, CSV or Parquet
    Ingest(IngestArgs),
    /// Asks for aggregates, features or one bill
    #[command(subcommand)]
    Query(QueryCommand),
    /// Custom reports (自定义报表): tables of up to four dimensions, kept from now on, the past included
    #[command(subcommand)]
    CustomReport(CustomReportCommand),
    /// Lists, follows or explains alerts
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Supervisory indicators: values by day, levels, and the facts behind them
    #[command(subcommand)]
    Indicators(crate::indicators::args::IndicatorsCommand),
    /// Liveness of patterns: what each read and nearly found, and which are dead (失效规则)
    #[command(subcommand)]
    Rules(crate::rules::args::RulesCommand),
    /// Lists, shows or exports the fixed reports (固定报表)
    #[command(subcommand)]
    Report(ReportCommand),
    /// Lists or changes the parameters of patterns (参数), and shows what a change did to alerts
    #[command(subcommand)]
    Parameters(ParametersCommand),
    /// What the product knows of the market, as JSON
    Catalogue(CatalogueArgs),
    /// Compares the live views with the reference evaluator
    Verify(VerifyArgs),
    /// One page: members, epoch, market clock, freshness, checkpoint, disk
    Status(StatusArgs),
    /// Refused records (死信): lists them, and sends one again
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Measures this machine
    Bench(BenchArgs),
}

/// Which cluster.
#[derive(Args, Clone)]
pub struct Cluster {
    /// Coordinator, http://HOST:PORT
    #[arg(long, env = "BILLWATCH_ADDRESS", default_value = DEFAULT_ADDRESS)]
    pub address: String,
}

/// What commands without words of their own take.
#[derive(Args)]
pub struct AskArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// How to print.
#[derive(Args, Clone, Copy)]
pub struct Output {
    /// Table for people; JSON or CSV for programs
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Forms of printing.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON document, or one object a line for streams.
    Json,
    /// With a header line.
    Csv,
}
