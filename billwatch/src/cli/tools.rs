//! Work beside a cluster: simulate, load, look things up, compare, measure.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Cluster, Output};
use crate::verify::reports::{PERIODS, PERIODS_MOST};

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
    /// Calendar days on which bills are issued; their lives go on for half a year more. Without it 182, and as many more as keep
    /// a day at 50,000 facts: memory follows the facts of a day, so that a larger market needs no more. Few days for many facts
    /// need more memory
    #[arg(long, value_parser = clap::value_parser!(u32).range(7..=3_650))]
    pub days: Option<u32>,
    /// Every week of issues has planted cases and near misses of every pattern, whatever the size of the market
    #[arg(long)]
    pub every_week: bool,
    /// Planted cases of every pattern at a time, and as many near misses: fewer make a smaller market
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub cases_a_round: u8,
    /// Adds the ten published fraud cases; what must be alerted for them, and by when, goes into this file
    #[arg(long)]
    pub cases: Option<PathBuf>,
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
    /// Periods of which each report is compared, spread over those with facts; 0 = no reports
    #[arg(long, default_value_t = PERIODS, value_parser = clap::value_parser!(u32).range(0..=PERIODS_MOST))]
    pub periods: u32,
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
    /// Also list the refused records kept as dead letters, the oldest, at most this many (`dead-letters list` has all)
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
    /// The published fraud cases, each played out among normal trade: alerted by which pattern, and in time; exit code 5 when not.
    Cases,
}
