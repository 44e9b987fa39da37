//! Who attends: the leases of the agents, one a process at most.
//!
//! An agent is the part of a worker that lasts ([`Actor`](super::actor::Actor) knows its compute process as a member). Its
//! lease is its stream: `workers_api` gives it up when the stream ends or is silent. Invariant: as long as one agent has the
//! lease of a process, no other gets it, so two of the same number never end each other's generations in turn.

use std::collections::BTreeMap;

use billwatch_proto::v1::{self, attend_response::Message as Say};
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use crate::api::errors::ApiError;

/// Messages to one agent.
pub type AgentOutbound = mpsc::Sender<Result<v1::AttendResponse, Status>>;

/// The place of one agent's stream, for as long as it lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease(u64);

/// All agents.
#[derive(Default)]
pub struct Agents {
    next: u64,
    by_process: BTreeMap<u32, Agent>,
}

struct Agent {
    lease: Lease,
    name: String,
    outbound: AgentOutbound,
}

impl Agents {
    /// Gives the lease of a process. An agent that comes back replaces its own former stream; another one is refused.
    pub fn enrol(&mut self, enrol: v1::Enrol, outbound: AgentOutbound) -> Result<Lease, Status> {
        if let Some(holder) = self.by_process.get(&enrol.process)
            && holder.name != enrol.agent
        {
            return Err(Status::already_exists(format!(
                "process {}: agent {} has its lease; it is free once that one ends or is silent for {} s",
                enrol.process,
                holder.name,
                crate::limits::LEASE.as_secs()
            )));
        }
        self.next += 1;
        let lease = Lease(self.next);
        self.by_process.insert(enrol.process, Agent { lease, name: enrol.agent, outbound });
        Ok(lease)
    }

    /// True when some agent has the lease of the process.
    pub fn attends(&self, process: u32) -> bool {
        self.by_process.contains_key(&process)
    }

    /// The process of a lease that holds.
    pub fn process(&self, lease: Lease) -> Option<u32> {
        self.by_process.iter().find(|(_, agent)| agent.lease == lease).map(|(&process, _)| process)
    }

    /// Ends a lease. Gives its process, unless it had ended already.
    pub fn remove(&mut self, lease: Lease) -> Option<u32> {
        let process = self.process(lease)?;
        self.by_process.remove(&process);
        Some(process)
    }

    /// Tells everybody. Gives the processes whose agents take no more messages: they hang.
    pub fn tell_all(&mut self, message: &Say) -> Vec<u32> {
        let stuck = |agent: &Agent| agent.outbound.try_send(response(message.clone())).is_err();
        let stuck: Vec<_> =
            self.by_process.iter().filter(|(_, agent)| stuck(agent)).map(|(&process, _)| process).collect();
        for process in &stuck {
            self.by_process.remove(process);
        }
        stuck
    }

    /// Lets an agent leave once `checkpoint` is answered, in whatever way: when it is committed, when it fails, and when the
    /// generation ends first, there is nothing more to wait for.
    pub fn release(&self, lease: Lease, checkpoint: oneshot::Receiver<Result<u64, ApiError>>) {
        let Some(agent) = self.by_process.values().find(|agent| agent.lease == lease) else { return };
        let outbound = agent.outbound.clone();
        tokio::spawn(async move {
            let checkpoint_epoch = checkpoint.await.ok().and_then(Result::ok).unwrap_or(0);
            // An error says that it has left already.
            let _ = outbound.send(response(Say::MayLeave(v1::MayLeave { checkpoint_epoch }))).await;
        });
    }
}

fn response(message: Say) -> Result<v1::AttendResponse, Status> {
    Ok(v1::AttendResponse { message: Some(message) })
}
