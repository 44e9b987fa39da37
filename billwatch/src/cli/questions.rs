//! Questions to a cluster: aggregates, features, bills, alerts.

use clap::{Args, Subcommand, ValueEnum};

use super::{Cluster, Output};

/// Questions.
#[derive(Subcommand)]
pub enum QueryCommand {
    /// Cells of one dimension of a theme (聚合)
    Aggregates(AggregatesArgs),
    /// Windowed features of a party, a branch or a pair of them (特征)
    Features(FeaturesArgs),
    /// The whole life of one bill: facts, lots, lineage (票据生命周期)
    Bill(BillArgs),
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
    /// Which figures.
    #[command(flatten)]
    pub figures: FiguresArgs,
    /// Follow: print the rows that change, until interrupted
    #[arg(long)]
    pub watch: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Which figures of a theme.
#[derive(Args)]
pub struct FiguresArgs {
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
    /// Party or branch, or an `A,B` pair of them; bills have no windows
    pub key: String,
    /// First day, YYYY-MM-DD
    #[arg(long, default_value = "", hide_default_value = true)]
    pub from: String,
    /// Last day
    #[arg(long, default_value = "", hide_default_value = true)]
    pub to: String,
    /// Follow: print the buckets that change, until interrupted
    #[arg(long)]
    pub watch: bool,
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
    /// Follow: print the facts and lots that come or change, until interrupted; `csv` prints facts alone
    #[arg(long)]
    pub watch: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Alert commands.
#[derive(Subcommand)]
pub enum AlertsCommand {
    /// Alerts by filter, newest business date first (预警)
    List(AlertsListArgs),
    /// Alerts that match now, then every change, also of one that matches no more, until interrupted
    Watch(AlertsWatchArgs),
    /// The facts and baseline values that alone give the alert again
    Explain(ExplainArgs),
    /// Writes down what was done with alerts: acknowledged, looked into, closed (处置)
    Handle(AlertsHandleArgs),
    /// What was done with alerts, when, by whom and why
    History(AlertsHistoryArgs),
}

/// Arguments of `alerts handle`.
#[derive(Args)]
pub struct AlertsHandleArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Ids of alerts, at most 1,000
    #[arg(required = true)]
    pub alert_ids: Vec<String>,
    /// ACK acknowledged, INV under investigation, ESC escalated, FP false positive, CLS closed, SUP suppressed
    #[arg(long)]
    pub status: String,
    /// What came of it, with CLS alone: DP01 data error, DP02 explained, DP03 reminder, DP04 interview, DP05 reported, DP06
    /// service suspended, DP07 passed to law enforcement
    #[arg(long, default_value = "", hide_default_value = true)]
    pub disposition: String,
    /// Why; stands in the history
    #[arg(long, default_value = "", hide_default_value = true)]
    pub note: String,
    /// Who does it; stands in the history [default: $USER]
    #[arg(long)]
    pub by: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `alerts history`.
#[derive(Args)]
pub struct AlertsHistoryArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Ids of alerts; default all
    pub alert_ids: Vec<String>,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
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
    /// Only alerts on which the work stands so: NEW, ACK, INV, ESC, FP, CLS, SUP
    #[arg(long, value_delimiter = ',')]
    pub status: Vec<String>,
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
