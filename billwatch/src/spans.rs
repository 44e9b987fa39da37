//! Export of spans by the roles ([`billwatch_telemetry::otlp`]): begun before anything else, ended with the process.

use std::{sync::OnceLock, time::Duration};

use billwatch_telemetry::{
    logs::LogLayer,
    otlp::{Collector, Export, StartError},
};

use crate::{cli::Command, place::hostname};

/// Of the whole process, like logging: a compute process ends in the midst of its work.
static EXPORT: OnceLock<Export> = OnceLock::new();

/// Starts export if the command asks for it; gives what must hear of spans.
pub fn start(command: &Command) -> Result<Option<LogLayer>, StartError> {
    let (service, collector): (_, &Option<Collector>) = match command {
        Command::Coordinator(args) => ("billwatch-coordinator", &args.telemetry.otlp),
        Command::Worker(args) => ("billwatch-worker", &args.telemetry.otlp),
        _ => return Ok(None),
    };
    let Some(collector) = collector else { return Ok(None) };
    // An agent and its compute processes are instances of their own.
    let instance = format!("{}:{}", hostname().unwrap_or_default(), std::process::id());
    let export = Export::start(collector, service, instance)?;
    Ok(Some(EXPORT.get_or_init(|| export).layer()))
}

/// Sends what is left, within a limit.
pub fn finish(limit: Duration) {
    if let Some(export) = EXPORT.get() {
        export.finish(limit);
    }
}
