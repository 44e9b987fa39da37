//! The `billwatch` binary: every role and tool as a subcommand.
//!
//! Begin at [`cli`] (what may be typed); each command lies in the module of its name. Shared by several: [`cluster`]
//! (processes of this machine), [`output`] (tables, JSON, CSV), [`failure`] (exit codes).

mod alerts;
mod catalogue;
mod cli;
mod cluster;
mod custom_reports;
mod dead_letters;
mod demo;
mod failure;
mod indicators;
mod ingest;
mod measure;
mod output;
mod parameters;
mod place;
mod progress;
mod query;
mod report;
mod roles;
mod rules;
mod simulate;
mod sources;
mod spans;
mod status;
mod up;
mod verify;
mod workload;

use std::process::ExitCode;

use billwatch_telemetry::logs::{self, LogFormat};
use clap::Parser as _;

use cli::{Cli, Command};
use failure::{Failure, Outcome};

/// Time that tasks have which nobody waits for.
const REST_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Time for the last spans of a role.
const SPANS_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let spans = match spans::start(&cli.command) {
        Ok(spans) => spans,
        Err(error) => {
            eprintln!("billwatch: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Only the roles have a choice: what people run prints for people.
    let format = match &cli.command {
        Command::Coordinator(args) => args.telemetry.log_format,
        Command::Worker(args) => args.telemetry.log_format,
        _ => LogFormat::Text,
    };
    logs::init(format, spans);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("billwatch: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(cli.command));
    // Whatever had to be finished is; what is left may hang, a look-up of a name for instance.
    runtime.shutdown_timeout(REST_WITHIN);
    spans::finish(SPANS_WITHIN);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // `| head` closed the pipe: nobody reads any more, and nothing is wrong.
        Err(Failure::Failed(error)) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("billwatch: {failure}");
            failure.exit_code()
        }
    }
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Coordinator(args) => roles::coordinator(args).await,
        Command::Worker(args) => roles::worker(args).await,
        Command::Up(args) => up::run(args).await,
        Command::Simulate(args) => simulate::run(args),
        Command::Ingest(args) => ingest::run(args).await,
        Command::Query(command) => query::run(command).await,
        Command::CustomReport(command) => custom_reports::run(command).await,
        Command::Alerts(command) => alerts::run(command).await,
        Command::Indicators(command) => indicators::run(command).await,
        Command::Rules(command) => rules::run(command).await,
        Command::Report(command) => report::run(command).await,
        Command::Parameters(command) => parameters::run(command).await,
        Command::Catalogue(args) => catalogue::run(args),
        Command::Verify(args) => verify::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::DeadLetters(command) => dead_letters::run(command).await,
        Command::Bench(args) => measure::run(args).await,
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}
