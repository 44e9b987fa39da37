//! Command line of `billwatch indicators`.

use clap::{Args, Subcommand};

use crate::cli::{AskArgs, Cluster, Output};

/// Indicator commands.
#[derive(Subcommand)]
pub enum IndicatorsCommand {
    /// All indicators with their formulas and levels (监测指标)
    List(AskArgs),
    /// Values by day, newest first
    Show(ShowArgs),
    /// The facts and lots behind one value; of a group, the values of its keys
    Explain(ExplainArgs),
    /// Values of the day, then those that change or fall below the least level, until interrupted
    Watch(WatchArgs),
}

/// Which values.
#[derive(Args)]
pub struct Which {
    /// Indicators, for instance LQ1,DF1; none = all
    #[arg(value_delimiter = ',')]
    pub indicators: Vec<String>,
    /// Exact key: a party such as 100105, or a group such as market, tier=SMALL, province=330000
    #[arg(long)]
    pub key: Vec<String>,
    /// Lowest level shown: BLUE, YELLOW, ORANGE, RED
    #[arg(long, default_value = "", hide_default_value = true)]
    pub min_level: String,
    /// Groups (market, tiers, provinces ...) alone
    #[arg(long)]
    pub groups: bool,
}

/// Arguments of `indicators show`.
#[derive(Args)]
pub struct ShowArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Which values.
    #[command(flatten)]
    pub which: Which,
    /// First day, YYYY-MM-DD; without it the last day alone
    #[arg(long, default_value = "", hide_default_value = true)]
    pub from: String,
    /// Last day; without it the day in which the market clock stands
    #[arg(long, default_value = "", hide_default_value = true)]
    pub to: String,
    /// Most values shown; 0 = all
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `indicators explain`.
#[derive(Args)]
pub struct ExplainArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Indicator, for instance LQ1
    pub indicator: String,
    /// A party such as 100105, or a group such as market, tier=SMALL
    #[arg(long)]
    pub key: String,
    /// Day, YYYY-MM-DD; without it the newest
    #[arg(long, default_value = "", hide_default_value = true)]
    pub date: String,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `indicators watch`.
#[derive(Args)]
pub struct WatchArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Which values.
    #[command(flatten)]
    pub which: Which,
    /// How to print: `json` prints one line an answer.
    #[command(flatten)]
    pub output: Output,
}
