//! `billwatch coordinator` and `billwatch worker`: the two roles of a cluster, as processes.
//!
//! A worker is an agent ([`billwatch_workers::agent`]) that runs this program again, with the same arguments, as its compute
//! child, once for each generation of the mesh.

use std::time::Duration;

use anyhow::Context as _;
use billwatch_coordinator::CoordinatorConfig;
use billwatch_workers::{
    agent::{self, AgentConfig, AgentError, Program, Shown, pulse::PulseWriter},
    client::{self, WorkerConfig},
};

use crate::{
    catalogue,
    cli::{CoordinatorArgs, WorkerArgs},
    cluster::end_asked,
    failure::{Failure, Outcome},
    place::advertised,
    spans,
};

/// Time that the last spans of a compute process have: it must end when it is asked to.
const SPANS_OF_COMPUTE_WITHIN: Duration = Duration::from_millis(200);

/// Runs a coordinator until it is asked to end.
pub async fn coordinator(args: CoordinatorArgs) -> Outcome {
    let config = CoordinatorConfig {
        metrics: args.telemetry.metrics,
        catalogue_dir: args.catalogue,
        epoch_interval: Duration::from_millis(args.epoch_ms),
        checkpoint_interval: Some(Duration::from_secs(args.checkpoint_s)),
        report_interval: Duration::from_secs(args.reports_s),
        ..CoordinatorConfig::new(args.listen, args.data, args.processes)
    };
    let running = billwatch_coordinator::serve(config, end_asked(args.with_parent)).await.context("coordinator")?;
    tracing::info!(address = %running.local_addr, "the coordinator serves");
    running.finished().await.context("coordinator")?;
    Ok(())
}

/// Runs a worker until it is asked to end, or for one generation.
pub async fn worker(args: WorkerArgs) -> Outcome {
    if args.one_generation { compute(args).await } else { attend(args).await }
}

/// Serves one generation. The process ends with it, without waiting for threads: the mesh cannot be taken apart cleanly.
async fn compute(args: WorkerArgs) -> Outcome {
    let config = WorkerConfig {
        coordinator: args.cluster.address,
        process: args.process.resolve().map_err(Failure::Usage)?,
        threads: args.threads,
        mesh: args.mesh,
        advertise: args.advertise.as_deref().map(advertised).transpose().map_err(Failure::Usage)?,
        data: args.data,
        catalogue: catalogue::load(args.catalogue.as_deref())?,
    };
    let pulses = if args.pulse { PulseWriter::to(std::io::stdout())? } else { PulseWriter::silent() };
    let code = tokio::select! {
        ended = client::run(config, pulses) => match ended {
            Ok(reason) => {
                tracing::info!(reason, "the generation is over");
                0
            }
            Err(error) => {
                tracing::error!(code = billwatch_telemetry::codes::COMPUTE_FAILED, "{error:#}");
                1
            }
        },
        () = end_asked(args.with_parent) => 0,
    };
    spans::finish(SPANS_OF_COMPUTE_WITHIN);
    std::process::exit(code)
}

/// Is the agent of a worker.
async fn attend(args: WorkerArgs) -> Outcome {
    let file = std::env::current_exe().context("where this program lies")?;
    let mine = std::env::args_os().skip(1).filter(|argument| argument != "--with-parent");
    let more = ["--one-generation", "--with-parent", "--pulse"].map(Into::into);
    let config = AgentConfig {
        coordinator: args.cluster.address,
        process: args.process.resolve().map_err(Failure::Usage)?,
        catalogue_fingerprint: catalogue::load(args.catalogue.as_deref())?.fingerprint(),
        program: Program { file, arguments: mine.chain(more).collect() },
        probe: args.probe,
        metrics: args.telemetry.metrics,
        data: args.data,
        drain_within: Duration::from_secs(args.drain_s),
    };
    match agent::run(config, Shown::default(), end_asked(args.with_parent)).await {
        Ok(()) => Ok(()),
        Err(error @ AgentError::Refused(_)) => Err(Failure::WorkerRefused(error.to_string())),
        Err(AgentError::Failed(error)) => Err(error.into()),
    }
}
