//! The agent's stream with the coordinator: its lease. Kept for ever: the coordinator may be away and come back.

use std::time::Duration;

use billwatch_proto::v1::{
    self, attend_request::Message as Say, attend_response::Message as Told,
    cluster_service_client::ClusterServiceClient,
};
use billwatch_telemetry::codes;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, transport::Endpoint};

use crate::limits::{
    BEAT_EVERY, COORDINATOR_CONNECTS_WITHIN, COORDINATOR_RETRY, COORDINATOR_RETRY_MOST, COORDINATOR_SILENT_MOST,
};

/// What the agent learns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// The coordinator has taken it in.
    Leased,
    /// What the coordinator says.
    Told(Told),
    /// The lease is over; the next one is asked for already.
    Lost {
        /// Why.
        reason: String,
    },
    /// There will be no lease, however long it waits.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// How a stream ended.
enum End {
    Lost(String),
    Refused(String),
    /// The agent has gone.
    Unheard,
}

/// Asks for leases, one after the other, until refused for good. Says that the agent is leaving once `leaving` is true.
pub async fn keep(endpoint: Endpoint, enrol: v1::Enrol, leaving: watch::Receiver<bool>, heard: mpsc::Sender<Heard>) {
    let mut pause = COORDINATOR_RETRY;
    let mut waits = false;
    loop {
        let mut leased = false;
        let said = match one(&endpoint, &enrol, leaving.clone(), &heard, &mut leased).await {
            End::Unheard => return,
            End::Refused(reason) => {
                let _ = heard.send(Heard::Refused { reason }).await;
                return;
            }
            End::Lost(reason) if leased => {
                (pause, waits) = (COORDINATOR_RETRY, false);
                heard.send(Heard::Lost { reason }).await
            }
            End::Lost(reason) => {
                // Said once, not with every attempt.
                if !std::mem::replace(&mut waits, true) {
                    tracing::warn!(code = codes::COORDINATOR_AWAITED, reason, "the coordinator is waited for");
                }
                Ok(())
            }
        };
        if said.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(COORDINATOR_RETRY_MOST);
    }
}

/// One stream, from its enrolment to its end.
async fn one(
    endpoint: &Endpoint,
    enrol: &v1::Enrol,
    mut leaving: watch::Receiver<bool>,
    heard: &mpsc::Sender<Heard>,
    leased: &mut bool,
) -> End {
    let channel = match endpoint.connect().await {
        Ok(channel) => channel,
        Err(error) => return End::Lost(format!("no coordinator at {}: {}", endpoint.uri(), deepest(&error))),
    };
    // Beats wait here only while the connection is stuck; then it is lost anyway.
    let (say, sayings) = mpsc::channel(BEATS_QUEUED);
    let tell = |message: Say| say.try_send(v1::AttendRequest { message: Some(message) });
    let _ = tell(Say::Enrol(enrol.clone()));
    let mut client = ClusterServiceClient::new(channel);
    let enrolled = tokio::time::timeout(COORDINATOR_SILENT_MOST, client.attend(ReceiverStream::new(sayings))).await;
    let mut stream = match enrolled {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(status)) if status.code() == Code::FailedPrecondition => {
            return End::Refused(status.message().to_owned());
        }
        Ok(Err(status)) => return End::Lost(status.message().to_owned()),
        Err(_) => return End::Lost("the coordinator does not answer".to_owned()),
    };
    *leased = true;
    if heard.send(Heard::Leased).await.is_err() {
        return End::Unheard;
    }
    let mut beat = interval(BEAT_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said_leaving = false;
    let mut until = Instant::now() + COORDINATOR_SILENT_MOST;
    loop {
        let told = tokio::select! {
            told = timeout_at(until, stream.message()) => told,
            _ = beat.tick() => {
                if tell(Say::Beat(v1::Beat {})).is_err() {
                    return End::Lost("the coordinator takes no more beats".to_owned());
                }
                continue;
            }
            Ok(_) = leaving.wait_for(|leaving| *leaving), if !said_leaving => {
                said_leaving = true;
                if tell(Say::Leaving(v1::Leaving {})).is_err() {
                    return End::Lost("the coordinator takes no more messages".to_owned());
                }
                continue;
            }
        };
        until = Instant::now() + COORDINATOR_SILENT_MOST;
        let told = match told {
            Err(_) => return End::Lost(silent(COORDINATOR_SILENT_MOST)),
            Ok(Err(status)) => return End::Lost(format!("the stream broke: {}", status.message())),
            Ok(Ok(None)) => return End::Lost("the coordinator ended the stream".to_owned()),
            Ok(Ok(Some(v1::AttendResponse { message: Some(told) }))) => told,
            // A kind of message that this build does not know.
            Ok(Ok(Some(v1::AttendResponse { message: None }))) => continue,
        };
        if heard.send(Heard::Told(told)).await.is_err() {
            return End::Unheard;
        }
    }
}

/// Messages to the coordinator that may wait.
const BEATS_QUEUED: usize = 16;

fn silent(time: Duration) -> String {
    format!("the coordinator was silent for {} s", time.as_secs())
}

/// Where a coordinator is asked for.
///
/// # Errors
/// The address is none.
pub fn endpoint(address: &str) -> anyhow::Result<Endpoint> {
    use anyhow::Context as _;
    let endpoint = Endpoint::from_shared(address.to_owned())
        .with_context(|| format!("coordinator address {address}: write http://HOST:PORT"))?;
    Ok(endpoint.tcp_nodelay(true).connect_timeout(COORDINATOR_CONNECTS_WITHIN))
}

/// The cause behind "transport error".
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
