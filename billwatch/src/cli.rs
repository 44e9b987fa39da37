//! The command line: what may be typed, with its help. What each command does lies in the module of its name.

use std::path::PathBuf;

use billwatch_telemetry::{logs::LogFormat, otlp::Collector};
use billwatch_workers::limits::DRAIN_WITHIN;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::place::ProcessNumber;

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
  6  ingest: some records were refused (they are listed; all others were accepted)
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

/// Reports.
#[derive(Subcommand)]
pub enum ReportCommand {
    /// Every report and its closed periods
    List(ReportListArgs),
    /// One report of one period, as it stands or a kept version
    Show(ReportShowArgs),
    /// The versions of a closed period and what changed
    Versions(ReportVersionsArgs),
    /// Writes reports of a period into a directory
    Export(ReportExportArgs),
}

/// Arguments of `report list`.
#[derive(Args)]
pub struct ReportListArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `report show`.
#[derive(Args)]
pub struct ReportShowArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Report, for instance R08
    pub report: String,
    /// 2025-04-08, 2025-W15, 2025-04, 2025-Q2, or any date of the period; default: the period of the market clock
    #[arg(long, default_value = "", hide_default_value = true)]
    pub period: String,
    /// A kept version; 0 = as it stands now
    #[arg(long, default_value_t = 0)]
    pub version: u32,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `report versions`.
#[derive(Args)]
pub struct ReportVersionsArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Report, for instance R08
    pub report: String,
    /// Period, or any date of it
    #[arg(long)]
    pub period: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `report export`.
#[derive(Args)]
pub struct ReportExportArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Reports, separated by commas; default all
    #[arg(long, value_delimiter = ',')]
    pub reports: Vec<String>,
    /// A date: each report takes the period that holds it. A period (2025-04) takes the reports that have such periods
    #[arg(long)]
    pub period: String,
    /// A kept version; 0 = as it stands now
    #[arg(long, default_value_t = 0)]
    pub version: u32,
    /// Form of the files
    #[arg(long, value_enum, default_value_t = ExportFormat::Xlsx)]
    pub format: ExportFormat,
    /// Directory for the files; made when it is missing
    #[arg(long, short, default_value = ".")]
    pub out: PathBuf,
}

/// Forms of exported reports.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A workbook, laid out for printing.
    Xlsx,
    /// A line a cell, with printed and exact values.
    Csv,
    /// One document with exact values.
    Json,
}

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
    /// Address on which metrics are shown, at /metrics; without it: nowhere
    #[arg(long, env = "BILLWATCH_METRICS")]
    pub metrics: Option<std::net::SocketAddr>,
    /// How log lines look: text or json
    #[arg(long, env = "BILLWATCH_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Collector to which spans are sent over OTLP (gRPC), http://HOST:PORT; without it: nowhere
    #[arg(long, env = "BILLWATCH_OTLP")]
    pub otlp: Option<Collector>,
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
    /// Address on which metrics are shown, at /metrics; without it: nowhere
    #[arg(long, env = "BILLWATCH_METRICS")]
    pub metrics: Option<std::net::SocketAddr>,
    /// How log lines look: text or json
    #[arg(long, env = "BILLWATCH_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Collector to which spans are sent over OTLP (gRPC), http://HOST:PORT; without it: nowhere
    #[arg(long, env = "BILLWATCH_OTLP")]
    pub otlp: Option<Collector>,
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

/// Arguments of `simulate`.
#[derive(Args)]
pub struct SimulateArgs {
    /// Facts to write
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    pub facts: u64,
    /// Seed of the market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Share of the facts that are replaced later by a correction, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    pub corrected: f64,
    /// File for the facts, NDJSON; `-` = standard output
    #[arg(long, short, default_value = "facts.ndjson")]
    pub out: PathBuf,
    /// File for the planted cases, one JSON object a line
    #[arg(long, default_value = "labels.ndjson")]
    pub labels: PathBuf,
}

/// Arguments of `ingest`.
#[derive(Args)]
pub struct IngestArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Facts: .ndjson, .csv or .parquet with the field names of the facts format; `-` = NDJSON from standard input
    pub file: PathBuf,
    /// Form of the file, when its name does not tell
    #[arg(long, value_enum)]
    pub from: Option<FileForm>,
    /// Take ingest_time from the file (absent: event_time), not from the clock
    #[arg(long)]
    pub replay: bool,
    /// Records in a batch
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch: u32,
    /// Batches sent without waiting for an answer
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub in_flight: u32,
    /// Seconds to go on trying when the cluster does not answer
    #[arg(long, default_value_t = 30)]
    pub patience: u64,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Forms of a file of facts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum FileForm {
    /// One JSON object a line.
    Ndjson,
    /// A header of field names, then a line a record; empty = absent.
    Csv,
    /// A column a field; null = absent.
    Parquet,
}

/// Questions.
#[derive(Subcommand)]
pub enum QueryCommand {
    /// Cells of one dimension of a theme (聚合)
    Aggregates(AggregatesArgs),
    /// Windowed features of a party, pair or bill (特征)
    Features(FeaturesArgs),
    /// The whole life of one bill: facts, lots, lineage (票据生命周期)
    Bill(BillArgs),
}

/// What to do with custom reports.
#[derive(Subcommand)]
pub enum CustomReportCommand {
    /// Registers a report; an equal one is shared
    Create(CustomReportCreateArgs),
    /// Every report, and how far it is
    List(CustomReportListArgs),
    /// One report, and how far it is
    Show(CustomReportIdArgs),
    /// Figures of a report
    Query(CustomReportQueryArgs),
    /// Follows a report: how far it is, all its figures, then those that change
    Watch(CustomReportQueryArgs),
    /// Drops a report for everybody
    Drop(CustomReportIdArgs),
}

/// Arguments of `custom-report create`.
#[derive(Args)]
pub struct CustomReportCreateArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Theme, for instance T07
    #[arg(long)]
    pub theme: String,
    /// One to four dimensions, separated by commas, for instance D.seller.type,D.buyer.type
    #[arg(long, value_delimiter = ',', required = true)]
    pub dimensions: Vec<String>,
    /// Only some items of a dimension, for instance D.bill_kind=BAB,CAB; may be repeated
    #[arg(long = "filter", value_name = "DIMENSION=ITEMS")]
    pub filters: Vec<String>,
    /// Name for people
    #[arg(long, default_value = "", hide_default_value = true)]
    pub title: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `custom-report list`.
#[derive(Args)]
pub struct CustomReportListArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// One custom report.
#[derive(Args)]
pub struct CustomReportIdArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Id of the report, as `list` shows it
    pub report_id: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `custom-report query`.
#[derive(Args)]
pub struct CustomReportQueryArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Id of the report, as `list` shows it
    pub report_id: String,
    /// First business date, YYYY-MM-DD
    #[arg(long, default_value = "", hide_default_value = true)]
    pub from: String,
    /// Last business date; for stocks (balances): the date of the balance
    #[arg(long, default_value = "", hide_default_value = true)]
    pub to: String,
    /// Length of the periods
    #[arg(long, value_enum, default_value_t = GrainArg::Total)]
    pub grain: GrainArg,
    /// Measures wanted, separated by commas; default all of the theme
    #[arg(long, value_delimiter = ',')]
    pub measures: Vec<String>,
    /// Wait so many seconds for a report that is being filled
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub wait_s: u64,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `query aggregates`.
#[derive(Args)]
pub struct AggregatesArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Theme, for instance T04 (see `billwatch catalogue themes`)
    #[arg(long)]
    pub theme: String,
    /// Dimension, for instance D.endorsee.prov
    #[arg(long)]
    pub dimension: String,
    /// Items wanted, separated by commas; default all
    #[arg(long, value_delimiter = ',')]
    pub items: Vec<String>,
    /// First business date, YYYY-MM-DD
    #[arg(long, default_value = "", hide_default_value = true)]
    pub from: String,
    /// Last business date; for stocks (balances): the date of the balance
    #[arg(long, default_value = "", hide_default_value = true)]
    pub to: String,
    /// Length of the periods
    #[arg(long, value_enum, default_value_t = GrainArg::Total)]
    pub grain: GrainArg,
    /// Measures wanted, separated by commas; default all of the theme
    #[arg(long, value_delimiter = ',')]
    pub measures: Vec<String>,
    /// Follow: print the rows that change, until interrupted
    #[arg(long)]
    pub watch: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Lengths of periods.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GrainArg {
    /// Business date.
    Day,
    /// Calendar month.
    Month,
    /// Calendar quarter.
    Quarter,
    /// Calendar year.
    Year,
    /// One period from first to last date.
    Total,
}

/// Arguments of `query features`.
#[derive(Args)]
pub struct FeaturesArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Party, `A,B` pair, or bill number
    pub key: String,
    /// First day, YYYY-MM-DD
    #[arg(long, default_value = "", hide_default_value = true)]
    pub from: String,
    /// Last day
    #[arg(long, default_value = "", hide_default_value = true)]
    pub to: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `query bill`.
#[derive(Args)]
pub struct BillArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Package number
    pub bill_id: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Alert commands.
#[derive(Subcommand)]
pub enum AlertsCommand {
    /// Alerts by filter, newest business date first (预警)
    List(AlertsListArgs),
    /// Alerts that match now, then every change, until interrupted
    Watch(AlertsWatchArgs),
    /// The facts and baseline values that alone give the alert again
    Explain(ExplainArgs),
}

/// Which alerts.
#[derive(Args)]
pub struct AlertFilterArgs {
    /// Patterns, for instance P048,P079
    #[arg(long, value_delimiter = ',')]
    pub patterns: Vec<String>,
    /// Engine families, for instance graph-cycle
    #[arg(long, value_delimiter = ',')]
    pub families: Vec<String>,
    /// Exact key: a party, pair, bill, deal or event
    #[arg(long)]
    pub key: Vec<String>,
    /// First business date, YYYY-MM-DD
    #[arg(long, default_value = "", hide_default_value = true)]
    pub from: String,
    /// Last business date
    #[arg(long, default_value = "", hide_default_value = true)]
    pub to: String,
    /// Lowest level shown: BLUE, YELLOW, ORANGE, RED
    #[arg(long, default_value = "BLUE")]
    pub min_level: String,
    /// Only alerts in this state
    #[arg(long, value_enum)]
    pub state: Option<StateArg>,
}

/// States of an alert.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateArg {
    /// Its basis holds.
    Open,
    /// Its basis is gone.
    Withdrawn,
    /// It holds on another basis than at first.
    BasisChanged,
}

/// Arguments of `alerts list`.
#[derive(Args)]
pub struct AlertsListArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Which alerts.
    #[command(flatten)]
    pub filter: AlertFilterArgs,
    /// Most alerts shown; 0 = all
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `alerts watch`.
#[derive(Args)]
pub struct AlertsWatchArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Which alerts.
    #[command(flatten)]
    pub filter: AlertFilterArgs,
    /// How to print: `json` and `csv` print one line a change.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `alerts explain`.
#[derive(Args)]
pub struct ExplainArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Id of the alert, from `alerts list`
    pub alert_id: String,
    /// How to print: `json` gives the facts as they came.
    #[command(flatten)]
    pub output: Output,
}

/// Parameter commands.
#[derive(Subcommand)]
pub enum ParametersCommand {
    /// Values in force, with those of the catalogue
    List(ParametersListArgs),
    /// Changes a pattern's parameters on the running cluster and prints the difference of alerts
    Set(ParametersSetArgs),
    /// Every change: when, who, why, and how many alerts it made and took away
    History(ParametersListArgs),
    /// The alerts that a change made, took away or changed
    Diff(ParametersDiffArgs),
}

/// Arguments of `parameters list` and `parameters history`.
#[derive(Args)]
pub struct ParametersListArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Patterns, for instance P036; default all
    pub patterns: Vec<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `parameters set`.
#[derive(Args)]
pub struct ParametersSetArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Pattern, for instance P036
    pub pattern: String,
    /// NAME=VALUE, for instance min_n=20; `default` as the value goes back to the catalogue's
    #[arg(required = true)]
    pub values: Vec<String>,
    /// Why; stands in the history
    #[arg(long)]
    pub reason: String,
    /// Who sets it; stands in the history [default: $USER]
    #[arg(long)]
    pub by: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `parameters diff`.
#[derive(Args)]
pub struct ParametersDiffArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Version, from `parameters history`
    pub version: u32,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `catalogue`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CatalogueArgs {
    /// One part only: behaviours, themes, dimensions, enumeration_items, features, patterns, indicators, reports
    pub part: Option<String>,
    /// Catalogue tables that replace the built-in ones
    #[arg(long, global = true)]
    pub catalogue: Option<PathBuf>,
    /// JSON, or Markdown for `show`, which prints Markdown unless told otherwise
    #[arg(long, value_enum, global = true)]
    pub format: Option<CatalogueFormat>,
    /// Instead of the listing.
    #[command(subcommand)]
    pub action: Option<CatalogueAction>,
}

/// What `catalogue` can do beside listing.
#[derive(Subcommand)]
pub enum CatalogueAction {
    /// All about one or more things by code: END.SGN, T04, D.bill_kind, province, P084, LQ1, R01, a feature
    Show {
        /// Codes
        #[arg(required = true)]
        codes: Vec<String>,
    },
    /// The same pages as Markdown files; what lies in the directory is replaced
    Write {
        /// Directory of the pages, for instance docs/catalogue
        directory: PathBuf,
    },
}

/// Forms of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CatalogueFormat {
    /// One JSON document.
    Json,
    /// Pages for people: `show` only.
    Markdown,
}

/// Arguments of `verify`.
#[derive(Args)]
pub struct VerifyArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Catalogue tables, when the cluster runs on others than the built-in ones
    #[arg(long)]
    pub catalogue: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `status`.
#[derive(Args)]
pub struct StatusArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Also list all counters of all parts
    #[arg(long)]
    pub counters: bool,
    /// Also list the refused records kept as dead letters, at most this many
    #[arg(long, value_name = "N")]
    pub dead_letters: Option<u32>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `bench`.
#[derive(Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_enum)]
    pub what: BenchKind,
    /// Simulated facts
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    pub facts: u64,
    /// Worker processes, for what is measured end to end
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub processes: u32,
    /// Worker threads a process; for the engine alone: processes x threads threads in one process
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Facts a second offered for `latency`
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub rate: u64,
    /// Seconds of `latency`
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,
    /// Seed of the simulated market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchKind {
    /// Facts a second: the engine alone, and end to end.
    Throughput,
    /// Accepted to visible at a fixed rate.
    Latency,
    /// A report of four dimensions, registered under load: seconds to its first answer, exactness, freshness meanwhile.
    CustomReport,
    /// Bytes for each live lot.
    Memory,
    /// Planted cases found, near misses alerted, alerts on a clean week; exit code 5 when one does not fit.
    Patterns,
}
