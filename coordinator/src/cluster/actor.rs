//! The task that owns the cluster.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use billwatch_market::key_group::KEY_GROUPS;
use billwatch_proto::v1::{self, attend_response::Message as TellAgents, work_request, work_response::Message as Say};
use billwatch_telemetry::codes;
use tokio::sync::{mpsc, oneshot, watch};
use tonic::Status;

use super::{
    ClusterStatus, Command, Connection, Outbound, Surroundings, Vitals,
    admission::{self, Identity},
    agents::{AgentOutbound, Agents, Lease},
    freshness::Freshness,
    generation::{Complete, Generation},
    response,
};
use crate::{
    api::errors::{ApiError, not_serving},
    ledger::AsOf,
    limits,
    manifest::CommittedCheckpoint,
};

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(200);

/// State of the cluster.
pub struct Actor {
    around: Surroundings,
    vitals: watch::Sender<Vitals>,
    freshness: Freshness,
    /// When the agents were last told how far they must be.
    paced: Instant,
    agents: Agents,
    next_connection: u64,
    members: BTreeMap<u32, Member>,
    generation: Option<Generation>,
}

struct Member {
    connection: Connection,
    register: v1::Register,
    outbound: Outbound,
    ready: bool,
    /// Last epoch done.
    done: u64,
    counters: Vec<v1::Counter>,
}

impl Actor {
    /// A cluster without members.
    pub fn new(around: Surroundings, vitals: watch::Sender<Vitals>) -> Self {
        Actor {
            around,
            vitals,
            freshness: Freshness::new(limits::FRESH_WITHIN),
            paced: Instant::now(),
            agents: Agents::default(),
            next_connection: 0,
            members: BTreeMap::new(),
            generation: None,
        }
    }

    /// Works until it is told to stop, or all handles are dropped. `Err` when the coordinator's own files fail.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) -> Result<(), String> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let most = self.around.epochs_in_flight as usize;
        loop {
            let feed = self
                .generation
                .as_mut()
                .filter(|generation| generation.in_flight() < most)
                .and_then(|generation| generation.feed.as_mut());
            let next_epoch = async {
                match feed {
                    Some(feed) => feed.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                epoch = next_epoch => match epoch {
                    Some(Ok(epoch)) => {
                        let cut = self.generation.as_mut().map(|generation| generation.send(&epoch)).unwrap_or_default();
                        for (process, epoch) in (0..).zip(cut) {
                            self.tell(process, Say::Epoch(epoch));
                        }
                    }
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("the reader of the log ended".to_owned()),
                },
                command = commands.recv() => match command {
                    Some(command) if !matches!(command, Command::Stop) => self.obey(command).await?,
                    _ => {
                        self.end("the coordinator ends");
                        return Ok(());
                    }
                },
                _ = tick.tick() => self.look_around(),
            }
            self.checkpoint_when_due();
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Join { register, outbound, reply } => {
                let joined = self.join(register, outbound)?;
                let _ = reply.send(joined);
            }
            Command::Heard { connection, message } => {
                let member = self.members.iter().find(|(_, member)| member.connection == connection);
                // A stream of an ended generation may still speak.
                if let Some((&process, _)) = member {
                    self.hear(process, *message).await?;
                }
            }
            Command::Left { connection, why } => {
                let process = self.members.iter().find(|(_, member)| member.connection == connection).map(|(&p, _)| p);
                if let Some(process) = process {
                    self.lose(process, &format!("process {process} was lost ({why})"));
                }
            }
            Command::Attend { enrol, outbound, reply } => drop(reply.send(self.attend(enrol, outbound))),
            Command::AgentLeaves { lease } => self.agent_leaves(lease),
            Command::AgentLost { lease, why } => {
                if let Some(process) = self.agents.remove(lease) {
                    self.lose(process, &format!("the agent of process {process} was lost ({why})"));
                }
            }
            Command::Ask { kind, reply } => {
                let asked = self
                    .running()
                    .and_then(|generation| generation.questions.ask(kind, generation.sent, generation.processes));
                let asked = asked.map(|(question, asked)| {
                    self.tell_all(&Say::Question(question));
                    asked
                });
                let _ = reply.send(asked);
            }
            Command::Watch { cells, reply } => {
                let _ = reply.send(self.watch(cells));
            }
            Command::Checkpoint { reply } => match self.running() {
                Ok(generation) => generation.checkpoints.want(reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::Status { reply } => drop(reply.send(self.status())),
            // Ends the loop that calls us.
            Command::Stop => {}
        }
        Ok(())
    }

    /// Gives an agent its lease, or says why not.
    fn attend(&mut self, enrol: v1::Enrol, outbound: AgentOutbound) -> Result<Lease, Status> {
        let process = enrol.process;
        let name = enrol.agent.clone();
        let who = Identity { process, build: &enrol.build, catalogue_fingerprint: enrol.catalogue_fingerprint };
        if let Err(status) = admission::identity(&self.around, who) {
            return Err(self.refused(process, status));
        }
        let came_back = self.agents.attends(process);
        let lease = self.agents.enrol(enrol, outbound)?;
        tracing::info!(process, agent = name, "an agent attends");
        if came_back {
            self.lose(process, &format!("the agent of process {process} came back: it has ended its compute process"));
        }
        Ok(lease)
    }

    /// What a restart replays should be short: the agent goes behind a checkpoint.
    fn agent_leaves(&mut self, lease: Lease) {
        let Some(process) = self.agents.process(lease) else { return };
        tracing::info!(process, "an agent asks to leave");
        let (reply, answer) = oneshot::channel();
        // Without a generation that works there is nothing new to keep: the reply is dropped, which lets the agent go.
        if let Ok(generation) = self.running() {
            generation.checkpoints.want(reply);
        }
        self.agents.release(lease, answer);
    }

    /// A process is no member any more; without it, the generation is over.
    fn lose(&mut self, process: u32, reason: &str) {
        let Some(member) = self.members.remove(&process) else { return };
        let _ = member.outbound.try_send(response(Say::Stop(v1::Stop { reason: reason.to_owned() })));
        if self.generation.is_some() {
            self.end(reason);
        }
    }

    fn watch(
        &mut self,
        cells: v1::QueryCellsRequest,
    ) -> Result<(super::questions::Asked, super::questions::Watching), ApiError> {
        let left = self.running()?.questions.left();
        self.unwatch(left);
        let generation = self.running()?;
        let (subscription, watching) = generation.questions.watch(generation.sent.epoch)?;
        let kind = v1::shard_question::Kind::Watch(v1::WatchQuestion { subscription, cells: Some(cells) });
        let (question, asked) = generation.questions.ask(kind, generation.sent, generation.processes)?;
        self.tell_all(&Say::Question(question));
        Ok((asked, watching))
    }

    fn running(&mut self) -> Result<&mut Generation, ApiError> {
        let (missing, expected) = (self.around.processes as usize - self.members.len(), self.around.processes);
        match &mut self.generation {
            Some(generation) if generation.feed.is_some() => Ok(generation),
            Some(_) => Err(not_serving("the workers are restoring their state")),
            None => Err(not_serving(&format!("{missing} of {expected} worker processes are missing"))),
        }
    }

    /// Takes a process in, or says why not. `Err` only when the manifest cannot be written.
    fn join(&mut self, register: v1::Register, outbound: Outbound) -> Result<Result<Connection, Status>, String> {
        let v1::Register { build, catalogue_fingerprint, .. } = &register;
        let who = Identity { process: register.process, build, catalogue_fingerprint: *catalogue_fingerprint };
        // The mates of a generation that runs are about to be told to end: only those that wait count.
        let waiting = self.members.values().filter(|_| self.generation.is_none());
        let mates = waiting.filter(|mate| mate.register.process != register.process);
        let fits = admission::identity(&self.around, who)
            .and_then(|()| admission::threads(&register, mates.map(|mate| mate.register.threads)));
        if let Err(status) = fits {
            return Ok(Err(self.refused(register.process, status)));
        }
        let process = register.process;
        if self.generation.is_some() {
            self.end(&format!("process {process} registered again: its former life was lost"));
        } else if let Some(former) = self.members.remove(&process) {
            let reason = format!("another process registered as process {process}");
            let _ = former.outbound.try_send(response(Say::Stop(v1::Stop { reason })));
        }
        self.next_connection += 1;
        let connection = Connection(self.next_connection);
        tracing::info!(process, address = register.mesh_address, "a worker process registered");
        let member = Member { connection, register, outbound, ready: false, done: 0, counters: Vec::new() };
        self.members.insert(process, member);
        if self.members.len() == self.around.processes as usize {
            self.start_generation()?;
        }
        Ok(Ok(connection))
    }

    /// Notes that a worker was refused.
    fn refused(&self, process: u32, status: Status) -> Status {
        let words = status.message();
        tracing::warn!(code = codes::REGISTRATION_REFUSED, process, words, "a worker was refused");
        self.around.counters.add("registrations_refused_total", "", 1);
        status
    }

    fn start_generation(&mut self) -> Result<(), String> {
        let number = self.around.manifest.next_generation().map_err(|error| error.to_string())?;
        let processes = self.around.processes;
        let threads = self.members[&0].register.threads;
        let restored = self.restorable(threads);
        let goal = self.around.epochs.sealed().epoch;
        let generation = Generation::new(number, processes, threads, restored, goal);
        let start = v1::Start {
            generation: number,
            mesh_addresses: self.members.values().map(|member| member.register.mesh_address.clone()).collect(),
            threads,
            key_group_owners: generation.assignment.owners().to_vec(),
            restore_epoch: restored.epoch,
            cluster_id: self.around.manifest.content().cluster_id.clone(),
            parameters: self.around.parameters.up_to(restored.epoch),
            handled: self.around.handling.up_to(restored.epoch),
        };
        debug_assert_eq!(start.key_group_owners.len(), usize::from(KEY_GROUPS));
        tracing::info!(
            generation = number,
            processes,
            threads,
            restore_epoch = restored.epoch,
            goal,
            "generation starts"
        );
        for member in self.members.values_mut() {
            member.ready = false;
            member.done = restored.epoch;
        }
        self.around.crosses.begin((processes * threads) as usize, restored.epoch);
        self.generation = Some(generation);
        self.tell_all(&Say::Start(start));
        self.tell_agents(&TellAgents::Begins(v1::GenerationBegins { generation: number }));
        self.around.counters.set("generation", "", number as i64);
        Ok(())
    }

    /// The newest committed checkpoint that every process holds under this layout; epoch 0 when there is none.
    fn restorable(&self, threads: u32) -> AsOf {
        let sealed = self.around.epochs.sealed().epoch;
        let in_ledger = self.around.ledger.read().as_of.epoch;
        let fits = |checkpoint: &&CommittedCheckpoint| {
            (checkpoint.processes, checkpoint.threads) == (self.around.processes, threads)
                && checkpoint.epoch <= sealed
                // Changes of alerts before the checkpoint are not told again.
                && checkpoint.epoch <= in_ledger
                && self.members.values().all(|member| member.register.checkpoint_epochs.contains(&checkpoint.epoch))
        };
        let newest = self.around.manifest.content().checkpoints.iter().rev().find(fits);
        newest.map_or(AsOf::default(), |checkpoint| AsOf {
            epoch: checkpoint.epoch,
            market_clock_ms: checkpoint.market_clock_ms,
        })
    }

    async fn hear(&mut self, process: u32, message: work_request::Message) -> Result<(), String> {
        let Some(generation) = &mut self.generation else { return Ok(()) };
        let Some(member) = self.members.get_mut(&process) else { return Ok(()) };
        match message {
            work_request::Message::Register(_) => {
                self.end(&format!("process {process} registered twice on one stream"))
            }
            work_request::Message::Ready(ready) if ready.generation == generation.number => {
                member.ready = true;
                if self.members.values().all(|member| member.ready) && generation.feed.is_none() {
                    tracing::info!(generation = generation.number, "all workers are ready");
                    generation.open_feed(&self.around.epochs);
                    self.tell_vitals();
                }
            }
            work_request::Message::Ready(ready) => {
                self.end(&format!("process {process} is ready for generation {}", ready.generation));
            }
            work_request::Message::EpochDone(mut done) => {
                // A process need not repeat them with every epoch.
                if !done.counters.is_empty() {
                    member.counters = std::mem::take(&mut done.counters);
                }
                let crosses = std::mem::take(&mut done.crosses);
                let before = std::mem::replace(&mut member.done, done.epoch);
                if let Err(reason) = generation.done(process, before, done) {
                    self.end(&reason);
                    return Ok(());
                }
                self.around.crosses.heard(crosses);
                while let Some(complete) = self.generation.as_mut().and_then(Generation::complete) {
                    self.complete(complete).await?;
                }
            }
            work_request::Message::Answer(answer) => generation.questions.answered(process, answer),
            work_request::Message::CheckpointDone(done) => {
                if let Some(written) = generation.checkpoints.done(process, &done) {
                    let threads = generation.threads;
                    self.commit(written, threads).await?;
                }
            }
        }
        Ok(())
    }

    async fn complete(&mut self, complete: Complete) -> Result<(), String> {
        let Complete { as_of, sealed_at, changes, watched } = complete;
        let ledger_closed = |_| "the alert ledger cannot be written".to_owned();
        self.around.ledger.apply(as_of, &changes).await.map_err(ledger_closed)?;
        let counters = &self.around.counters;
        counters.add("epochs_completed_total", "", 1);
        counters.add("epochs_sealed_to_done_microseconds_total", "", sealed_at.elapsed().as_micros() as i64);
        let Some(generation) = &mut self.generation else { return Ok(()) };
        let ended = generation.questions.completed(as_of, watched);
        self.unwatch(ended);
        self.tell_vitals();
        Ok(())
    }

    /// Tells the workers which subscriptions have ended.
    fn unwatch(&mut self, ended: Vec<u64>) {
        for subscription in ended {
            // No answer is awaited: question 0 is nobody's.
            let kind = Some(v1::shard_question::Kind::Unwatch(subscription));
            self.tell_all(&Say::Question(v1::ShardQuestion { question: 0, kind }));
        }
    }

    /// Every process has its part: the ledger first, then the manifest, then everybody is told.
    async fn commit(&mut self, written: super::checkpoints::Written, threads: u32) -> Result<(), String> {
        let as_of = written.as_of;
        self.around.ledger.mark(as_of).await.map_err(|_| "the alert ledger cannot be written".to_owned())?;
        let AsOf { epoch, market_clock_ms } = as_of;
        let checkpoint = CommittedCheckpoint {
            epoch,
            market_clock_ms,
            processes: self.around.processes,
            threads,
            committed_time_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64),
            duration_ms: written.since.elapsed().as_millis() as u64,
            bytes: written.bytes,
        };
        self.around.manifest.commit(checkpoint).map_err(|error| error.to_string())?;
        tracing::info!(epoch, bytes = written.bytes, "checkpoint committed");
        self.around.counters.add("checkpoints_committed_total", "", 1);
        self.tell_all(&Say::CheckpointCommitted(v1::CheckpointCommitted { epoch }));
        written.answer(&Ok(()));
        Ok(())
    }

    fn checkpoint_when_due(&mut self) {
        let Some(generation) = self.generation.as_mut().filter(|generation| generation.feed.is_some()) else { return };
        // A cross that is half filled is never saved: who asked waits until it is whole.
        if self.around.crosses.is_filling_at(generation.sent.epoch) {
            return;
        }
        let interval = self.around.checkpoint_interval;
        if let Some(as_of) = generation.checkpoints.due(generation.sent, interval, generation.processes) {
            self.tell_all(&Say::Checkpoint(v1::Checkpoint { epoch: as_of.epoch }));
        }
    }

    /// What time alone changes: freshness, the pace of the agents, deadlines.
    fn look_around(&mut self) {
        let now = Instant::now();
        self.freshness.note(now, self.around.epochs.sealed().epoch);
        self.tell_vitals();
        self.vitals.send_modify(|vitals| vitals.looked_at = now);
        if now.duration_since(self.paced) >= limits::PACE_EVERY {
            self.paced = now;
            self.tell_agents(&TellAgents::Pace(v1::Pace { due_epoch: self.freshness.due() }));
        }
        let Some(generation) = &mut self.generation else { return };
        generation.checkpoints.give_up_late();
        self.around.counters.add("checkpoints_failed_total", "", generation.checkpoints.take_failed());
        if generation.feed.is_none() && generation.since.elapsed() > limits::READY_WITHIN {
            self.end("not all workers became ready in time");
        }
    }

    /// Sends to one process. A stream that takes no more ends the generation: its worker is stuck or gone.
    fn tell(&mut self, process: u32, message: Say) {
        let Some(member) = self.members.get(&process) else { return };
        if member.outbound.try_send(response(message)).is_err() {
            self.end(&format!("process {process} takes no more messages"));
        }
    }

    fn tell_all(&mut self, message: &Say) {
        for process in 0..self.around.processes {
            self.tell(process, message.clone());
        }
    }

    /// Sends to every agent. One that takes no more messages hangs: it is lost.
    fn tell_agents(&mut self, message: &TellAgents) {
        for process in self.agents.tell_all(message) {
            self.lose(process, &format!("the agent of process {process} takes no more messages"));
        }
    }

    /// Tells the probes what changed.
    fn tell_vitals(&mut self) {
        let due_epoch = self.freshness.due();
        let generation = self.generation.as_ref();
        let serving = generation.is_some_and(Generation::has_caught_up);
        let fresh = generation.is_some_and(|generation| generation.completed.epoch >= due_epoch);
        self.vitals.send_if_modified(|vitals| {
            let before = (vitals.serving, vitals.fresh);
            (vitals.serving, vitals.fresh) = (serving, fresh);
            before != (serving, fresh)
        });
    }

    /// Ends the generation for all: dropping it fails the questions, dropping the members ends their streams.
    fn end(&mut self, reason: &str) {
        let ended = self.generation.take().map(|generation| generation.number);
        self.tell_vitals();
        for (_, member) in std::mem::take(&mut self.members) {
            let _ = member.outbound.try_send(response(Say::Stop(v1::Stop { reason: reason.to_owned() })));
        }
        if let Some(generation) = ended {
            tracing::warn!(code = codes::GENERATION_ENDED, generation, reason, "the generation ends");
            self.around.counters.add("generations_ended_total", "", 1);
            self.tell_agents(&TellAgents::Ends(v1::GenerationEnds { generation, reason: reason.to_owned() }));
        }
    }

    fn status(&self) -> ClusterStatus {
        let generation = self.generation.as_ref();
        let groups = |process| generation.map_or(0, |generation| generation.assignment.groups_of(process));
        let members = self.members.iter().map(|(&process, member)| v1::Member {
            process,
            mesh_address: member.register.mesh_address.clone(),
            threads: member.register.threads,
            epoch: member.done,
            key_groups: groups(process),
        });
        let mut counters: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for counter in self.members.values().flat_map(|member| &member.counters) {
            *counters.entry((&counter.name, &counter.label)).or_default() += counter.value;
        }
        let counters = counters.into_iter().map(|((name, label), value)| v1::Counter {
            name: name.to_owned(),
            label: label.to_owned(),
            value,
        });
        ClusterStatus {
            completed: generation.map(|generation| generation.completed).unwrap_or_default(),
            generation: generation.map_or(0, |generation| generation.number),
            members: members.collect(),
            checkpoint: self.around.manifest.content().checkpoints.last().copied(),
            serving: self.vitals.borrow().serving,
            counters: counters.collect(),
        }
    }
}
