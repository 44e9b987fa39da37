//! Dead letters.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Cluster, Output};

/// Commands on refused records.
#[derive(Subcommand)]
pub enum DeadLettersCommand {
    /// Refused records, oldest first, each with its reason; as JSON with the record itself
    List(DeadLettersListArgs),
    /// Sends the record of a dead letter again, as it was kept or corrected
    Resubmit(DeadLettersResubmitArgs),
}

/// Arguments of `dead-letters list`.
#[derive(Args)]
pub struct DeadLettersListArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Only letters with a larger number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub after: u64,
    /// At most this many; 0 = all
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `dead-letters resubmit`.
#[derive(Args)]
pub struct DeadLettersResubmitArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Number of the letter
    pub number: u64,
    /// File with the corrected record, one JSON object; `-` = standard input; default: the record as it was kept
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Number for the record in the sequence of its source, in place of the one in the record: the refusal used that up
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    pub source_seq: u64,
    /// Take ingest_time from the record, as `ingest --replay` does
    #[arg(long)]
    pub replay: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}
