//! Command line of `billwatch rules`.

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::{AskArgs, Cluster, Output};

/// Commands about the liveness of rules.
#[derive(Subcommand)]
pub enum RulesCommand {
    /// How every pattern stands: facts read, joined, in window, near the threshold; which are dead (失效规则)
    List(ListArgs),
    /// One pattern: what makes it due, which reference data it reads, its facts day by day
    Show(ShowArgs),
    /// Dead patterns, then those that die or come back, until interrupted
    Watch(AskArgs),
}

/// How a rule stands.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StateArg {
    /// Fed, with alerts in the span
    Live,
    /// Fed, nothing found
    Quiet,
    /// Its inputs stopped
    DeadInput,
    /// Fed, but reference data is empty
    DeadReference,
    /// Never fed
    NeverFed,
}

/// Arguments of `rules list`.
#[derive(Args)]
pub struct ListArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Patterns, for instance P036,P048; none = all
    #[arg(value_delimiter = ',')]
    pub patterns: Vec<String>,
    /// Only patterns with an alarm
    #[arg(long)]
    pub dead: bool,
    /// Only these states
    #[arg(long, value_delimiter = ',', ignore_case = true)]
    pub state: Vec<StateArg>,
    /// Business days up to the market clock that the figures are about; at most 60
    #[arg(long, default_value_t = 10)]
    pub days: u32,
    /// Leave out what must judge windows again: places, joined ones and near ones
    #[arg(long)]
    pub brief: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `rules show`.
#[derive(Args)]
pub struct ShowArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Pattern, for instance P048
    pub pattern: String,
    /// Business days up to the market clock that the figures are about; at most 60
    #[arg(long, default_value_t = 10)]
    pub days: u32,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}
