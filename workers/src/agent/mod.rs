//! The agent: what a container platform sees of a worker, and what keeps its compute child running.
//!
//! A mesh is one failure domain, so a compute process serves one generation and ends with it. The agent lasts: it holds a lease
//! of the coordinator ([`lease`]), starts the child ([`child`]), hears its pulse ([`pulse`]), ends it with its generation and
//! starts the next one at once, without the platform's back-off.
//!
//! ```text
//! coordinator ◄── lease: beats, leaving / ends, pace, may leave ──► agent ── stdin: it lives ──► compute child
//!      ▲                                                              ▲ ◄── stdout: pulse ───────── │
//!      └───────────────── Work: registration, epochs, answers ───────────────────────────────────────┘
//! ```
//!
//! # Invariants
//! - At most one child runs, and only under a lease. A lost lease ends it: the coordinator has ended the generation as well.
//! - A child of a generation that has ended is ended. Which one it serves is what it says itself; the coordinator's word may
//!   come before or after it.
//! - No child outlives its agent: its standard input closes, however the agent dies.
//! - Asked to end, the agent stays until a checkpoint is committed, but no longer than it was told to.

mod child;
mod lease;
mod metrics;
mod probe;
pub mod pulse;
pub mod standing;

use std::{
    net::SocketAddr,
    path::PathBuf,
    pin::pin,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use billwatch_proto::v1::{self, attend_response::Message as Told};
use billwatch_telemetry::codes;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

pub use self::child::Program;
use self::{
    child::{Child, Pace},
    lease::Heard,
    pulse::{LastPulse, Pulse},
    standing::{LastStanding, Standing},
};
use crate::{client::BUILD, limits::LOOK_AGAIN};

/// Messages from lease and child that may wait for the agent's loop, which is fast.
const QUEUE: usize = 64;

/// What an agent is told on its command line.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// `http://HOST:PORT` of the coordinator.
    pub coordinator: String,
    /// Number of its process, from 0.
    pub process: u32,
    /// Of the catalogue that its compute child will load.
    pub catalogue_fingerprint: u64,
    /// The compute child.
    pub program: Program,
    /// Where probes are answered; `None`: nowhere.
    pub probe: Option<SocketAddr>,
    /// Where metrics are shown, at `/metrics`; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// Directory of the compute child, whose disk the metrics tell of.
    pub data: PathBuf,
    /// Longest stay after it was asked to end.
    pub drain_within: Duration,
}

/// Where others see how the agent stands. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// What the compute child said last.
    pub pulse: LastPulse,
    /// How the agent itself stands.
    pub standing: LastStanding,
}

/// Why an agent gave up.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The coordinator will never take it: another build or catalogue, or a number that the cluster does not have.
    #[error("the coordinator refuses this worker: {0}")]
    Refused(String),
    /// A setting or the system.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// Works until `end` is ready and the agent may leave. The coordinator is waited for, for ever.
///
/// # Errors
/// [`AgentError::Refused`] when waiting cannot help; an address is wrong or taken, or the system has no processes.
pub async fn run(config: AgentConfig, shown: Shown, end: impl Future<Output = ()>) -> Result<(), AgentError> {
    if let Some(address) = config.probe {
        probe::serve(address, shown.standing.clone()).await?;
    }
    let _metrics = match config.metrics {
        Some(address) => {
            let served = metrics::serve(address, shown.clone(), config.data.clone()).await;
            Some(served.with_context(|| format!("metrics address {address}"))?)
        }
        None => None,
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let enrol = v1::Enrol {
        process: config.process,
        // Containers share process numbers, and restarted ones their names: the time tells them apart.
        agent: format!("{}-{}-{since}", config.process, std::process::id()),
        catalogue_fingerprint: config.catalogue_fingerprint,
        build: BUILD.to_owned(),
    };
    let (leave, leaving) = watch::channel(false);
    let (hear, mut heard) = mpsc::channel(QUEUE);
    let (beat, mut pulses) = mpsc::channel(QUEUE);
    let lease = tokio::spawn(lease::keep(lease::endpoint(&config.coordinator)?, enrol, leaving, hear));
    let mut agent = Agent {
        standing: shown.standing.latest(),
        config,
        shown,
        beat,
        child: None,
        pulse: None,
        ended: 0,
        due_epoch: 0,
        start_at: Instant::now(),
        pace: Pace::default(),
        may_leave: false,
    };
    let mut end = pin!(end);
    let mut leave_at = None;
    let mut tick = tokio::time::interval(LOOK_AGAIN);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let result = loop {
        let looked = tokio::select! {
            () = &mut end, if leave_at.is_none() => {
                tracing::info!("asked to end: a checkpoint is waited for");
                leave_at = Some(Instant::now() + agent.config.drain_within);
                agent.standing.leaving = true;
                leave.send_replace(true);
                Ok(())
            }
            Some(heard) = heard.recv() => agent.hear(heard),
            Some((number, pulse)) = pulses.recv() => {
                agent.feel(number, pulse);
                Ok(())
            }
            _ = tick.tick() => agent.look().map_err(AgentError::from),
        };
        if looked.is_err() {
            break looked;
        }
        agent.show();
        if let Some(until) = leave_at
            && (agent.is_free() || Instant::now() >= until)
        {
            break Ok(());
        }
    };
    let ended = agent.end_child().await;
    // The coordinator sees the lease end after the child.
    lease.abort();
    result.and(ended.map_err(AgentError::from))
}

struct Agent {
    config: AgentConfig,
    shown: Shown,
    standing: Standing,
    beat: mpsc::Sender<(u64, Pulse)>,
    child: Option<Child>,
    pulse: Option<Pulse>,
    /// Generations of this lease up to this one have ended.
    ended: u64,
    /// What a child that keeps up has completed.
    due_epoch: u64,
    /// No child starts before.
    start_at: Instant,
    pace: Pace,
    may_leave: bool,
}

impl Agent {
    fn hear(&mut self, heard: Heard) -> Result<(), AgentError> {
        match heard {
            Heard::Leased => {
                tracing::info!(process = self.config.process, "the coordinator knows this agent");
                // A coordinator that lost its disk counts generations anew.
                (self.standing.leased, self.ended) = (true, 0);
                self.start_when_due()?;
            }
            Heard::Lost { reason } => {
                tracing::warn!(code = codes::LEASE_LOST, reason, "the lease is lost");
                self.standing.leased = false;
                if let Some(child) = &mut self.child {
                    child.ask_to_end("the lease is lost");
                }
            }
            Heard::Refused { reason } => return Err(AgentError::Refused(reason)),
            Heard::Told(Told::Begins(begins)) => tracing::info!(generation = begins.generation, "a generation begins"),
            Heard::Told(Told::Ends(ends)) => {
                tracing::info!(generation = ends.generation, reason = ends.reason, "a generation ends");
                self.ended = self.ended.max(ends.generation);
                self.end_former();
            }
            Heard::Told(Told::Pace(pace)) => self.due_epoch = pace.due_epoch,
            Heard::Told(Told::MayLeave(may_leave)) => {
                tracing::info!(checkpoint_epoch = may_leave.checkpoint_epoch, "nothing holds this agent any more");
                self.may_leave = true;
            }
        }
        Ok(())
    }

    /// A pulse of a child.
    fn feel(&mut self, number: u64, pulse: Pulse) {
        // The last words of a former child may still be on their way.
        let Some(child) = self.child.as_mut().filter(|child| child.number == number) else { return };
        child.spoke();
        self.standing.heard_at = Some(Instant::now());
        self.standing.served |= pulse.ready;
        self.set_pulse(Some(pulse));
        self.end_former();
    }

    /// Ends a child whose generation has ended.
    fn end_former(&mut self) {
        let generation = self.pulse.as_ref().map_or(0, |pulse| pulse.generation);
        if generation > 0
            && generation <= self.ended
            && let Some(child) = &mut self.child
        {
            child.ask_to_end("its generation has ended");
        }
    }

    fn look(&mut self) -> anyhow::Result<()> {
        if let Some(child) = &mut self.child
            && let Some(ended) = child.look()?
        {
            let pause = self.pace.pause(&ended);
            let (status, life_ms, pause_ms) = (ended.status, ended.life.as_millis() as u64, pause.as_millis() as u64);
            if ended.failed {
                tracing::warn!(code = codes::COMPUTE_ENDED, %status, life_ms, pause_ms, "the compute process failed");
            } else {
                tracing::info!(%status, life_ms, "the compute process ended");
            }
            self.standing.children_failed += u64::from(ended.failed);
            self.start_at = Instant::now() + pause;
            self.child = None;
            self.set_pulse(None);
        }
        self.start_when_due()
    }

    fn start_when_due(&mut self) -> anyhow::Result<()> {
        if self.child.is_none() && self.standing.leased && !self.standing.leaving && Instant::now() >= self.start_at {
            self.standing.children_started += 1;
            let number = self.standing.children_started;
            self.child = Some(Child::start(&self.config.program, number, self.beat.clone())?);
        }
        Ok(())
    }

    /// Tells probes and metrics how it stands.
    fn show(&mut self) {
        self.standing.looked_at = Instant::now();
        self.standing.ready = self.standing.leased
            && self.pulse.as_ref().is_some_and(|pulse| pulse.ready && pulse.epoch >= self.due_epoch);
        self.shown.standing.set(self.standing);
    }

    fn set_pulse(&mut self, pulse: Option<Pulse>) {
        self.shown.pulse.set(pulse.clone());
        self.pulse = pulse;
    }

    /// Nothing keeps an agent that is leaving: without a child or a lease, no checkpoint comes.
    fn is_free(&self) -> bool {
        self.may_leave || self.child.is_none() || !self.standing.leased
    }

    async fn end_child(&mut self) -> anyhow::Result<()> {
        while let Some(child) = &mut self.child {
            child.ask_to_end("the agent ends");
            if child.look()?.is_some() {
                self.child = None;
            } else {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }
}
