//! The agent's probes: `grpc.health.v1` on a port of its own.
//!
//! | service | serving when |
//! |---|---|
//! | `live` | the agent's loop turns |
//! | `startup` | it took part in a generation once: its state can be restored |
//! | `ready`, `` | its compute child is in a running generation and keeps up; never while it is leaving |

use std::net::SocketAddr;

use anyhow::Context as _;
use billwatch_telemetry::codes;
use tokio::{net::TcpListener, time::sleep};
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::{ServingStatus, server::HealthReporter};

use super::standing::{LastStanding, Standing};
use crate::limits::{AGENT_LIVE_WITHIN, LOOK_AGAIN};

/// Listens and answers until the runtime ends.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(address: SocketAddr, standing: LastStanding) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("probe address {address}"))?;
    let (reporter, service) = tonic_health::server::health_reporter();
    let mut said = statuses(&standing.latest());
    report(&reporter, said).await;
    tokio::spawn(async move {
        loop {
            sleep(LOOK_AGAIN).await;
            let now = statuses(&standing.latest());
            if now != said {
                said = now;
                report(&reporter, said).await;
            }
        }
    });
    tokio::spawn(async move {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        if let Err(error) = Server::builder().add_service(service).serve_with_incoming(incoming).await {
            tracing::error!(code = codes::PROBES_FAILED, %error, "the probes are not answered any more");
        }
    });
    Ok(())
}

fn statuses(standing: &Standing) -> [(&'static str, bool); 4] {
    let live = standing.looked_at.elapsed() < AGENT_LIVE_WITHIN;
    let ready = standing.ready && !standing.leaving;
    [("live", live), ("startup", standing.served), ("ready", ready), ("", ready)]
}

async fn report(reporter: &HealthReporter, statuses: [(&'static str, bool); 4]) {
    for (service, good) in statuses {
        let status = if good { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status(service, status).await;
    }
}
