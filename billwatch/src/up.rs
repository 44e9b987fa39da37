//! `billwatch up`: a cluster on this machine that stays. Processes that die are started again on their data; the coordinator
//! then begins a new generation of the mesh from the last complete checkpoint and its log.

use std::time::Duration;

use crate::{
    cli::UpArgs,
    cluster::{LocalCluster, Plan, end_asked},
    failure::Outcome,
    output::print_line,
    query::as_of_text,
};

/// Restoring a large state takes time; a dead process is noticed at once.
const SERVING_WITHIN: Duration = Duration::from_secs(600);
/// Pause between two looks at the children.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Runs the command.
pub async fn run(args: UpArgs) -> Outcome {
    let plan = Plan { listen: args.listen, data: args.data.clone(), processes: args.processes, threads: args.threads };
    let mut cluster = LocalCluster::start(plan)?;
    let status = cluster.serving(SERVING_WITHIN).await?;
    print_line(&format!(
        "{} worker processes x {} threads serve on {}, {}; logs in {}",
        args.processes,
        args.threads,
        cluster.address(),
        as_of_text(status.as_of),
        args.data.join("logs").display()
    ))?;
    supervise(&mut cluster).await?;
    print_line("ending")?;
    cluster.stop().await;
    Ok(())
}

/// Keeps all processes alive until this one is asked to end.
pub async fn supervise(cluster: &mut LocalCluster) -> Outcome {
    let mut end = std::pin::pin!(end_asked(false));
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            () = tokio::time::sleep(LOOK_AGAIN) => {
                cluster.revive()?;
            }
        }
    }
}
