//! The whole engine in one process, without coordinator and gRPC: for tests and for `bench throughput`.
//!
//! [`EngineHarness::feed`] routes records to N worker threads exactly as the coordinator does; [`EngineHarness::feed_routed`]
//! takes an epoch that was routed before, so that a bench measures the engine alone.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use billwatch_market::{
    catalogue::Catalogue,
    codec::encode_fact,
    fact::{EventId, Fact},
    fact_scope::{FactScope, scope},
    key_group::{key_group_of_bill, key_group_of_party},
    variants::resolved_at,
};
use billwatch_proto::v1;
use hashbrown::HashMap;

use crate::{
    command::{Bytes, Command, EpochInput, Report},
    dataflow::{crosses::FillPace, valuation::Rules},
    engine::{Plan, Process},
    limits::{AWAKE_BILLS_MIN, QUESTION_FACTS_MAX},
    mesh::Mesh,
    ownership::{Owners, even_owners},
    saving::SavePace,
    shard::Common,
    store::Store,
};

/// One epoch, cut by worker.
#[derive(Clone, Debug)]
pub struct RoutedEpoch {
    /// One a worker, in order.
    pub inputs: Vec<EpochInput>,
}

/// What an epoch gave.
#[derive(Clone, Debug, Default)]
pub struct EpochResult {
    /// Changed alerts of all threads.
    pub alerts: Vec<v1::AlertChange>,
    /// Changed cells of subscriptions.
    pub watched: Vec<v1::WatchedCells>,
    /// How far crosses are, thread by thread.
    pub crosses: Vec<v1::CrossProgress>,
}

/// What tests make smaller or quicker.
struct Bounds {
    awake_bills_min: usize,
    question_facts_max: usize,
    save_pace: SavePace,
    fill_pace: FillPace,
    /// Changes of parameters up to the restored epoch.
    parameters: Vec<v1::ParameterChange>,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            awake_bills_min: AWAKE_BILLS_MIN,
            question_facts_max: QUESTION_FACTS_MAX,
            save_pace: SavePace::default(),
            fill_pace: FillPace::default(),
            parameters: Vec::new(),
        }
    }
}

/// What threads report of a checkpoint: epoch, and bytes or what went wrong.
type CheckpointResult = (u64, Result<u64, String>);

/// The engine in one process.
pub struct EngineHarness {
    process: Option<Process>,
    reports: mpsc::Receiver<(usize, Report)>,
    threads: usize,
    owners: Owners,
    epoch: u64,
    question: u64,
    counters: Vec<BTreeMap<String, i64>>,
    /// What threads have reported of checkpoints, and nobody has asked for yet.
    checkpoints: VecDeque<CheckpointResult>,
    /// Facts by event id, for the copies of variants; `None`: not asked for.
    known: Option<HashMap<EventId, Vec<Fact>>>,
    /// What goes with the next epoch.
    orders: Vec<v1::Order>,
}

impl EngineHarness {
    /// Starts `threads` worker threads with nothing in them. With a data directory, history goes to disk and checkpoints can
    /// be taken; `restore_epoch` (0: none) begins from one of them.
    pub fn start(
        catalogue: &Arc<Catalogue>,
        threads: usize,
        dir: Option<&Path>,
        restore_epoch: u64,
    ) -> anyhow::Result<Self> {
        Self::start_within(catalogue, threads, dir, restore_epoch, Bounds::default())
    }

    /// The same with room for few unpacked bills, so that small markets have bills at rest too.
    pub fn start_crowded(
        catalogue: &Arc<Catalogue>,
        threads: usize,
        dir: Option<&Path>,
        restore_epoch: u64,
        awake_bills_min: usize,
    ) -> anyhow::Result<Self> {
        Self::start_within(catalogue, threads, dir, restore_epoch, Bounds { awake_bills_min, ..Bounds::default() })
    }

    /// The same with a step of early saves and a part of the history after every epoch, and room for one unpacked bill.
    pub fn start_saving_always(
        catalogue: &Arc<Catalogue>,
        threads: usize,
        dir: &Path,
        restore_epoch: u64,
    ) -> anyhow::Result<Self> {
        let save_pace = SavePace { every: Duration::ZERO, step: Duration::ZERO, history_part_bytes: 1 };
        let bounds = Bounds { awake_bills_min: 1, save_pace, ..Bounds::default() };
        Self::start_within(catalogue, threads, Some(dir), restore_epoch, bounds)
    }

    /// The same with new crosses filled by one life behind each epoch, a part of the history after every epoch, and room for one
    /// unpacked bill.
    pub fn start_filling_slowly(
        catalogue: &Arc<Catalogue>,
        threads: usize,
        dir: Option<&Path>,
        restore_epoch: u64,
    ) -> anyhow::Result<Self> {
        let fill_pace = FillPace { turn: None, turn_busy: Duration::ZERO, lives_at_once: 1, rest_percent: 0 };
        let save_pace = SavePace { history_part_bytes: 1, ..SavePace::default() };
        let bounds = Bounds { awake_bills_min: 1, save_pace, fill_pace, ..Bounds::default() };
        Self::start_within(catalogue, threads, dir, restore_epoch, bounds)
    }

    /// The same with another limit of what a question may read again.
    pub fn start_limited(
        catalogue: &Arc<Catalogue>,
        threads: usize,
        dir: Option<&Path>,
        restore_epoch: u64,
        question_facts_max: usize,
    ) -> anyhow::Result<Self> {
        Self::start_within(catalogue, threads, dir, restore_epoch, Bounds { question_facts_max, ..Bounds::default() })
    }

    /// Begins from a checkpoint that was taken under changed parameters: `parameters` are the changes up to it.
    pub fn start_under(
        catalogue: &Arc<Catalogue>,
        threads: usize,
        dir: &Path,
        restore_epoch: u64,
        parameters: Vec<v1::ParameterChange>,
    ) -> anyhow::Result<Self> {
        Self::start_within(catalogue, threads, Some(dir), restore_epoch, Bounds { parameters, ..Bounds::default() })
    }

    fn start_within(
        catalogue: &Arc<Catalogue>,
        threads: usize,
        dir: Option<&Path>,
        restore_epoch: u64,
        Bounds { awake_bills_min, question_facts_max, save_pace, fill_pace, parameters }: Bounds,
    ) -> anyhow::Result<Self> {
        let owners = even_owners(threads);
        let store = dir.map(|dir| Store::open(dir, restore_epoch)).transpose()?.map(Arc::new);
        let rules = Rules::new(catalogue)?;
        let common = Common {
            catalogue: catalogue.clone(),
            rules: Arc::new(if parameters.is_empty() { rules } else { rules.under(&parameters)? }),
            owners: owners.clone(),
            store,
            awake_bills_min,
            save_pace,
            fill_pace,
            handled: Arc::default(),
            question_facts_max,
            reading_facts_max: question_facts_max,
        };
        let plan = Plan { common, process: 0, threads, generation: 1, restore_epoch };
        let (sender, reports) = mpsc::channel();
        let sink = Arc::new(move |thread, report| drop(sender.send((thread, report))));
        let process = Process::start(Mesh::Alone { threads }, plan, sink)?;
        let mut harness = EngineHarness {
            process: Some(process),
            reports,
            threads,
            owners,
            epoch: restore_epoch,
            question: 0,
            counters: vec![BTreeMap::new(); threads],
            checkpoints: VecDeque::new(),
            known: None,
            orders: Vec::new(),
        };
        harness.gather(|report| matches!(report, Report::Ready))?;
        Ok(harness)
    }

    /// The last epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Routes facts to workers as the next epoch. `clock`: market clock after it, ms.
    pub fn route(&self, epoch: u64, facts: &[Fact], clock: Option<i64>) -> RoutedEpoch {
        route(epoch, facts, clock, &self.owners, self.threads)
    }

    /// From now on [`EngineHarness::feed`] sends copies of variants across bills, as the coordinator does; it keeps every fact
    /// for that.
    pub fn with_variants(mut self) -> Self {
        self.known = Some(HashMap::new());
        self
    }

    /// Feeds facts as the next epoch and waits until all views show it.
    pub fn feed(&mut self, facts: &[Fact], clock: Option<i64>) -> anyhow::Result<EpochResult> {
        let mut routed = self.route(self.epoch + 1, facts, clock);
        let variants = Bytes::from(self.variants(facts));
        let orders: Arc<[v1::Order]> = std::mem::take(&mut self.orders).into();
        for input in &mut routed.inputs {
            (input.variants, input.orders) = (variants.clone(), orders.clone());
        }
        self.feed_routed(routed)
    }

    /// Sends an order with the next epoch that is fed.
    pub fn order(&mut self, kind: v1::order::Kind) {
        self.orders.push(v1::Order { kind: Some(kind) });
    }

    /// Feeds a change of parameters as the next epoch, which holds nothing else, and waits until all views show it.
    pub fn change_parameters(
        &mut self,
        change: &v1::ParameterChange,
        clock: Option<i64>,
    ) -> anyhow::Result<EpochResult> {
        let mut routed = self.route(self.epoch + 1, &[], clock);
        let change = Some(Arc::new(change.clone()));
        routed.inputs.iter_mut().for_each(|input| input.parameters = change.clone());
        self.feed_routed(routed)
    }

    /// All facts under the event ids of these that came for several homes.
    fn variants(&mut self, facts: &[Fact]) -> Vec<u8> {
        let Some(known) = &mut self.known else { return Vec::new() };
        let mut bytes = Vec::new();
        let mut touched = BTreeSet::new();
        for fact in facts {
            known.entry(fact.event_id).or_default().push(fact.clone());
            touched.insert(fact.event_id);
        }
        for set in touched.iter().filter_map(|event| known.get(event)) {
            if set.iter().any(|fact| resolved_at(fact) != resolved_at(&set[0])) {
                set.iter().for_each(|fact| encode_fact(fact, &mut bytes));
            }
        }
        bytes
    }

    /// Feeds an epoch that was routed before; waits until all views show it.
    pub fn feed_routed(&mut self, routed: RoutedEpoch) -> anyhow::Result<EpochResult> {
        self.inject(routed)?;
        self.complete()
    }

    /// Hands an epoch over without waiting: at most [`crate::limits::COMMANDS_IN_FLIGHT`] may be on their way.
    pub fn inject(&mut self, routed: RoutedEpoch) -> anyhow::Result<()> {
        self.epoch = routed.inputs.first().map_or(self.epoch, |input| input.epoch);
        for (feeder, input) in self.process()?.feeders().iter().zip(routed.inputs) {
            feeder.send(Command::Epoch(input))?;
        }
        Ok(())
    }

    /// Waits for one injected epoch.
    pub fn complete(&mut self) -> anyhow::Result<EpochResult> {
        let mut result = EpochResult::default();
        for report in self.gather(|report| matches!(report, Report::EpochDone { .. }))? {
            if let Report::EpochDone { mut alerts, mut watched, mut crosses, .. } = report {
                result.crosses.append(&mut crosses);
                result.alerts.append(&mut alerts);
                result.watched.append(&mut watched);
            }
        }
        Ok(result)
    }

    /// States cells of peers to an empty engine: with the facts of an explanation they give its alert again.
    pub fn state_baseline(&mut self, lines: &[v1::BaselineValue]) -> anyhow::Result<()> {
        for feeder in self.process()?.feeders() {
            feeder.send(Command::Baseline(lines.into()))?;
        }
        Ok(())
    }

    /// Asks every worker; the parts of all answers, in no order.
    pub fn ask(&mut self, kind: v1::shard_question::Kind) -> anyhow::Result<Vec<v1::ShardAnswer>> {
        self.question += 1;
        let question = v1::ShardQuestion { question: self.question, kind: Some(kind) };
        for feeder in self.process()?.feeders() {
            feeder.send(Command::Question(Box::new(question.clone())))?;
        }
        let mut parts = Vec::new();
        let mut open = self.threads;
        while open > 0 {
            let (thread, report) = self.reports.recv()?;
            match self.keep(thread, report)? {
                Some(Report::Answer(part)) if part.question == self.question => {
                    open -= usize::from(part.last);
                    anyhow::ensure!(part.error.is_empty(), "{}", part.error);
                    parts.push(*part);
                }
                _ => {}
            }
        }
        Ok(parts)
    }

    /// Hash of every view: wrapping sums over the workers, and the number of rows.
    pub fn view_hashes(&mut self) -> anyhow::Result<BTreeMap<String, (u128, u64)>> {
        let mut hashes: BTreeMap<String, (u128, u64)> = BTreeMap::new();
        for part in self.ask(v1::shard_question::Kind::Dump(v1::DumpViewsRequest::default()))? {
            if let Some(v1::shard_answer::Kind::Dump(dump)) = part.kind {
                for hash in dump.hashes {
                    let sum = hashes.entry(hash.view).or_default();
                    sum.0 = sum.0.wrapping_add(u128::from(hash.high) << 64 | u128::from(hash.low));
                    sum.1 += hash.rows;
                }
            }
        }
        Ok(hashes)
    }

    /// Rows of a view as canonical text, sorted.
    pub fn view_rows(&mut self, view: &str) -> anyhow::Result<Vec<String>> {
        let request = v1::DumpViewsRequest { view: view.to_owned() };
        let mut rows = Vec::new();
        for part in self.ask(v1::shard_question::Kind::Dump(request))? {
            if let Some(v1::shard_answer::Kind::Dump(mut dump)) = part.kind {
                rows.append(&mut dump.rows);
            }
        }
        rows.sort();
        Ok(rows)
    }

    /// Takes a checkpoint of the last epoch and commits it. Bytes that it refers to.
    pub fn checkpoint(&mut self) -> anyhow::Result<u64> {
        self.begin_checkpoint()?;
        let (epoch, bytes) = self.finish_checkpoint()?;
        self.commit(epoch)?;
        Ok(bytes)
    }

    /// Tells every thread to take a checkpoint of the last epoch; does not wait.
    pub fn begin_checkpoint(&mut self) -> anyhow::Result<()> {
        for feeder in self.process()?.feeders() {
            feeder.send(Command::Checkpoint)?;
        }
        Ok(())
    }

    /// True when every thread has reported on the oldest checkpoint under way, as far as reports were heard.
    pub fn is_checkpoint_done(&self) -> bool {
        self.checkpoints.len() >= self.threads
    }

    /// Waits for the oldest checkpoint under way: its epoch and bytes.
    ///
    /// # Errors
    /// It could not be taken.
    pub fn finish_checkpoint(&mut self) -> anyhow::Result<(u64, u64)> {
        while !self.is_checkpoint_done() {
            let (thread, report) = self.reports.recv()?;
            self.keep(thread, report)?;
        }
        let results: Vec<CheckpointResult> = self.checkpoints.drain(..self.threads).collect();
        let mut whole = (0, 0);
        for (epoch, result) in results {
            whole = (epoch, result.map_err(anyhow::Error::msg)?);
        }
        Ok(whole)
    }

    /// Tells every thread that a checkpoint is complete everywhere.
    pub fn commit(&mut self, epoch: u64) -> anyhow::Result<()> {
        for feeder in self.process()?.feeders() {
            feeder.send(Command::Committed { epoch })?;
        }
        Ok(())
    }

    /// Growing counters, summed over the threads, as of their last reports (one a second).
    pub fn counters(&self) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for counters in &self.counters {
            for (name, value) in counters {
                *sums.entry(name.clone()).or_default() += value;
            }
        }
        sums
    }

    /// Stops the threads.
    pub fn stop(mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    fn process(&self) -> anyhow::Result<&Process> {
        self.process.as_ref().ok_or_else(|| anyhow::anyhow!("the engine was stopped"))
    }

    /// Waits for one report of the kind from every thread.
    fn gather(&mut self, is_it: impl Fn(&Report) -> bool) -> anyhow::Result<Vec<Report>> {
        let mut reports = Vec::with_capacity(self.threads);
        while reports.len() < self.threads {
            let (thread, report) = self.reports.recv()?;
            if let Some(report) = self.keep(thread, report)?.filter(&is_it) {
                reports.push(report);
            }
        }
        Ok(reports)
    }

    fn keep(&mut self, thread: usize, report: Report) -> anyhow::Result<Option<Report>> {
        match &report {
            Report::Failed { error } => anyhow::bail!("worker thread {thread}: {error}"),
            Report::CheckpointDone { epoch, result } => self.checkpoints.push_back((*epoch, result.clone())),
            Report::EpochDone { counters, .. } => {
                for counter in counters {
                    self.counters[thread].insert(counter.name.clone(), counter.value);
                }
            }
            _ => {}
        }
        Ok(Some(report))
    }
}

impl Drop for EngineHarness {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }
}

/// Cuts an epoch by worker, as the coordinator does.
pub fn route(epoch: u64, facts: &[Fact], clock: Option<i64>, owners: &Owners, workers: usize) -> RoutedEpoch {
    let mut records = vec![Vec::new(); workers];
    let mut reference = Vec::new();
    for fact in facts {
        let group = match scope(fact) {
            FactScope::Bill(bill) => Some(key_group_of_bill(bill)),
            FactScope::Party(party) => Some(key_group_of_party(party)),
            FactScope::BillAndReference(bill) => {
                encode_fact(fact, &mut reference);
                Some(key_group_of_bill(bill))
            }
            FactScope::Reference => {
                encode_fact(fact, &mut reference);
                None
            }
        };
        if let Some(group) = group {
            encode_fact(fact, &mut records[owners[usize::from(group)] as usize]);
        }
    }
    let reference = Bytes::from(reference);
    let input = |records: Vec<u8>| EpochInput {
        epoch,
        clock,
        records: records.into(),
        variants: Bytes::new(),
        reference: reference.clone(),
        orders: Arc::default(),
        parameters: None,
    };
    RoutedEpoch { inputs: records.into_iter().map(input).collect() }
}
