//! Fixed and custom reports.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{AskArgs, Cluster, FiguresArgs, Output};

/// Reports.
#[derive(Subcommand)]
pub enum ReportCommand {
    /// Every report and its closed periods
    List(AskArgs),
    /// One report of one period, as it stands or a kept version
    Show(ReportShowArgs),
    /// The versions of a closed period and what changed
    Versions(ReportVersionsArgs),
    /// Writes reports of a period into a directory
    Export(ReportExportArgs),
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

/// What to do with custom reports.
#[derive(Subcommand)]
pub enum CustomReportCommand {
    /// Registers a report; an equal one is shared
    Create(CustomReportCreateArgs),
    /// Every report, and how far it is
    List(AskArgs),
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
    /// Which figures.
    #[command(flatten)]
    pub figures: FiguresArgs,
    /// Wait so many seconds for a report that is being filled
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub wait_s: u64,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}
