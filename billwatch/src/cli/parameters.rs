//! Parameters of patterns.

use clap::{Args, Subcommand};

use super::{Cluster, Output};

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
