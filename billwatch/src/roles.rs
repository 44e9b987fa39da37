//! `billwatch coordinator` and `billwatch worker`: the two roles of a cluster, as processes.
//!
//! A mesh is one failure domain: when a worker dies, its generation is over for all. So a worker is an agent, which is what a
//! container platform sees, and a compute child that serves one generation and ends with it; the agent starts the next.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use billwatch_coordinator::CoordinatorConfig;
use billwatch_workers::{
    agent::pulse::PulseWriter,
    client::{self, WorkerConfig},
};

use crate::{
    catalogue,
    cli::{CoordinatorArgs, WorkerArgs},
    cluster::end_asked,
    failure::Outcome,
};

/// Pause before a compute child is started again: time for the coordinator to end the generation everywhere.
const NEXT_GENERATION_AFTER: Duration = Duration::from_millis(200);
/// Pause between two looks at the compute child.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Runs a coordinator until it is asked to end.
pub async fn coordinator(args: CoordinatorArgs) -> Outcome {
    let config = CoordinatorConfig {
        metrics: args.metrics,
        catalogue_dir: args.catalogue,
        epoch_interval: Duration::from_millis(args.epoch_ms),
        checkpoint_interval: Some(Duration::from_secs(args.checkpoint_s)),
        ..CoordinatorConfig::new(args.listen, args.data, args.processes)
    };
    let running = billwatch_coordinator::serve(config, end_asked(args.with_parent)).await.context("coordinator")?;
    tracing::info!(address = %running.local_addr, "the coordinator serves");
    running.finished().await.context("coordinator")?;
    Ok(())
}

/// Runs a worker until it is asked to end, or for one generation.
pub async fn worker(args: WorkerArgs) -> Outcome {
    if args.one_generation { compute(args).await } else { supervise(args.with_parent).await }
}

/// Serves one generation. The process ends with it, without waiting for threads: the mesh cannot be taken apart cleanly.
async fn compute(args: WorkerArgs) -> Outcome {
    let config = WorkerConfig {
        coordinator: args.cluster.address,
        process: args.process,
        threads: args.threads,
        mesh: args.mesh,
        advertise: args.advertise,
        data: args.data,
        catalogue: catalogue::load(args.catalogue.as_deref())?,
    };
    let pulses = if args.pulse { PulseWriter::to(std::io::stdout())? } else { PulseWriter::silent() };
    tokio::select! {
        ended = client::run(config, pulses) => match ended {
            Ok(reason) => {
                tracing::info!(reason, "the generation is over");
                std::process::exit(0);
            }
            Err(error) => {
                tracing::error!(code = billwatch_telemetry::codes::COMPUTE_FAILED, "{error:#}");
                std::process::exit(1);
            }
        },
        () = end_asked(args.with_parent) => std::process::exit(0),
    }
}

/// Keeps a compute child running: this program with the same arguments, for one generation each time.
async fn supervise(with_parent: bool) -> Outcome {
    let mut end = std::pin::pin!(end_asked(with_parent));
    let mut child = start_compute()?;
    loop {
        tokio::select! {
            () = &mut end => break,
            () = tokio::time::sleep(LOOK_AGAIN) => {
                if let Some(status) = child.try_wait()? {
                    tracing::warn!(code = billwatch_telemetry::codes::COMPUTE_ENDED, %status, "the compute process ended; the next one starts");
                    tokio::time::sleep(NEXT_GENERATION_AFTER).await;
                    child = start_compute()?;
                }
            }
        }
    }
    // All that was acknowledged is in the coordinator's log: nothing is lost by ending at once.
    let _ = child.kill();
    child.wait()?;
    Ok(())
}

fn start_compute() -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("where this program lies")?;
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--with-parent");
    let child = Command::new(program)
        .args(arguments)
        .args(["--one-generation", "--with-parent"])
        // The other end is held by this process: when it closes, the child ends.
        .stdin(Stdio::piped())
        .spawn()
        .context("the compute process cannot be started")?;
    Ok(child)
}
