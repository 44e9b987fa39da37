//! Figures of cells that nobody keeps: members of distinct counts, and what only whole homes tell ([`HomeReader`]).
//!
//! They are worked out from the history for the pairs that are asked for, which reads all of it: exact, and rare. Ask for sums
//! where freshness counts. As for reports, the reading goes on between epochs; what it says holds at the epoch of the
//! question.

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Instant};

use billwatch_market::{
    aggregate::{
        Aggregates, CellKey, CellSink, Partial, Plan, SetDelta, by_home::HomeReader, measure::SetKind, wire::CellsPart,
    },
    bill::Bill,
    corrections::effective_at,
    evaluator::without_bill,
    fact::Fact,
    fact_scope::Home,
    observe::Observation,
    reference_data::Reference,
};
use billwatch_proto::v1::{self, shard_answer};

use super::{budget::Budget, cells, readings::reference_of};
use crate::{
    command::Bytes,
    dataflow::lives::Noted,
    limits::{CELLS_PER_PART, LIVES_AT_ONCE},
    shard::Shard,
};

/// A question about cells that is being worked on.
pub struct Counting {
    question: u64,
    epoch: u64,
    request: v1::QueryCellsRequest,
    plan: Plan,
    only: Arc<Aggregates>,
    reference: Rc<Reference>,
    lives: Noted,
    budget: Budget,
    sink: CellSink,
    homes: HomeReader,
    weights: BTreeMap<(CellKey, SetKind, u64), i64>,
}

impl Counting {
    /// Notes what the question is about.
    pub fn begin(shard: &Shard, question: u64, request: v1::QueryCellsRequest, plan: Plan) -> Self {
        let only = Arc::new(shard.common.rules.aggregates.only(&plan.pairs()));
        let lives = shard.lives.borrow();
        Counting {
            question,
            epoch: shard.epoch.get(),
            request,
            plan,
            reference: reference_of(shard, lives.reference()),
            lives: lives.note(),
            budget: Budget::between_epochs(shard.common.reading_facts_max),
            sink: CellSink::new(true),
            homes: HomeReader::new(only.clone(), lives.clock()),
            only,
            weights: BTreeMap::new(),
        }
    }

    /// Reads on until an instant. True when the answer was handed over: all its parts, or what went wrong.
    pub fn go_on(&mut self, shard: &Shard, until: Instant, mut give: impl FnMut(v1::ShardAnswer)) -> bool {
        let Counting { question, epoch, .. } = *self;
        let answer = |kind, last, error| v1::ShardAnswer { question, epoch, last, error, kind };
        match self.read(shard, until) {
            Ok(false) => false,
            Ok(true) => {
                let mut parts = self.finish(shard).into_iter().peekable();
                while let Some(part) = parts.next() {
                    give(answer(Some(shard_answer::Kind::Cells(part)), parts.peek().is_none(), String::new()));
                }
                true
            }
            Err(error) => {
                give(answer(None, true, format!("{error:#}")));
                true
            }
        }
    }

    /// True at the end of the history.
    fn read(&mut self, shard: &Shard, until: Instant) -> anyhow::Result<bool> {
        let Counting { plan, only, reference, lives: left, budget, sink, homes, weights, epoch, .. } = self;
        let lives = shard.lives.borrow();
        loop {
            let went_on = lives.read_noted(left, LIVES_AT_ONCE, *epoch, |home, records| {
                let is_within = budget.take(records.len()).is_continue();
                observe(shard, only, reference, home, records, sink, homes);
                let mut add = |delta: SetDelta| {
                    if plan.wants_member(&delta) {
                        *weights.entry((delta.key, delta.set, delta.member)).or_default() += delta.weight;
                    }
                };
                sink.members().for_each(&mut add);
                homes.end_home(add);
                sink.clear();
                is_within
            })?;
            budget.check(
                "a count of distinct things",
                "ask for sums instead (cnt, amt_fen), or give the history more workers",
            )?;
            if !went_on {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
        }
    }

    /// The parts of the answer; at least one.
    fn finish(&mut self, shard: &Shard) -> Vec<Bytes> {
        let kept = std::mem::take(&mut self.weights).into_iter().filter(|(_, weight)| *weight != 0);
        let members = kept.map(|((key, set, member), weight)| SetDelta { key, set, member, weight }).collect();
        let firsts = self.homes.firsts().into_iter().filter(|first| self.plan.wants_first(first)).collect();
        let mut parts = Partial { cells: Vec::new(), members, firsts }.split(CELLS_PER_PART);
        if parts.is_empty() {
            parts.push(Partial::default());
        }
        let encode = |partial: Partial| {
            let assets = cells::assets(shard, &self.reference, &self.request, &partial);
            CellsPart { partial, assets }.encode().into()
        };
        parts.into_iter().map(encode).collect()
    }

    /// Reference data at the epoch of the question.
    pub fn reference(&self) -> &Rc<Reference> {
        &self.reference
    }
}

fn observe(
    shard: &Shard,
    only: &Aggregates,
    reference: &Reference,
    home: Home,
    records: Vec<Fact>,
    sink: &mut CellSink,
    homes: &mut HomeReader,
) {
    let rules = &shard.common.rules;
    let mut bill = Bill::default();
    let effective = effective_at(home, records);
    for fact in &effective.facts {
        let outcome = if home.bill().is_some() { bill.apply(fact, &rules.laws) } else { without_bill() };
        let after = home.bill().is_some().then_some(&bill);
        let seen = Observation::new(fact, &outcome, after, reference, &rules.meanings);
        only.flow(&seen, 1, sink);
        only.stock(&seen, 1, sink);
        homes.see(&seen, &effective.variants);
    }
}
