//! Answers to questions, from the state of the last epoch.
//!
//! Every worker answers its part: cells and features that it owns, bills that it folds. The parts of one question all hold at
//! one epoch, because the question stands at the same place in the stream of every worker.

mod alerts;
pub mod baseline;
mod bill;
mod budget;
pub mod cells;
mod counting;
mod crosses;
pub mod dump;
mod explain;
mod features;
mod indicators;
pub mod readings;
mod reports;
mod rules;

use std::time::Instant;

use billwatch_market::aggregate::Plan;
use billwatch_proto::v1::{self, shard_answer, shard_question};

use self::{counting::Counting, readings::Reading};
use crate::shard::Shard;

/// Answers a question; hands the parts over, the last one marked. Of a question that reads the whole history, what is at hand is
/// handed over, and the rest taken down: [`go_on`].
pub fn answer(shard: &Shard, question: &v1::ShardQuestion, mut give: impl FnMut(v1::ShardAnswer)) {
    let mut waiting: Option<shard_answer::Kind> = None;
    let part = |kind: Option<shard_answer::Kind>, last: bool, error: String| v1::ShardAnswer {
        question: question.question,
        epoch: shard.epoch.get(),
        last,
        error,
        kind,
    };
    let result = parts(shard, question, |kind| {
        if let Some(before) = waiting.replace(kind) {
            give(part(Some(before), false, String::new()));
        }
    });
    match result {
        Ok(None) => give(part(waiting, true, String::new())),
        Ok(Some(reading)) => {
            if let Some(at_hand) = waiting {
                give(part(Some(at_hand), false, String::new()));
            }
            shard.readings.borrow_mut().push_back(reading);
        }
        Err(error) => give(part(waiting, true, format!("{error:#}"))),
    }
}

/// Works on questions that were taken down, until an instant. False when there are none.
pub fn go_on(shard: &Shard, until: Instant, mut give: impl FnMut(v1::ShardAnswer)) -> bool {
    let Some(mut reading) = shard.readings.borrow_mut().pop_front() else { return false };
    if !reading.go_on(shard, until, &mut give) {
        shard.readings.borrow_mut().push_front(reading);
    }
    true
}

/// Hands over what is at hand; gives what has to be read from the history.
fn parts(
    shard: &Shard,
    question: &v1::ShardQuestion,
    mut give: impl FnMut(shard_answer::Kind),
) -> anyhow::Result<Option<Reading>> {
    let count = |request: &v1::QueryCellsRequest, plan: Plan| {
        let counts = plan.needs_members() && !plan.of_alerts;
        counts.then(|| Reading::Count(Box::new(Counting::begin(shard, question.question, request.clone(), plan))))
    };
    match &question.kind {
        Some(shard_question::Kind::Dump(request)) => {
            dump::dump(shard, &request.view, &mut |dump| give(shard_answer::Kind::Dump(dump)))?;
        }
        Some(shard_question::Kind::Cells(request)) => {
            let plan = cells::plan(shard, request)?;
            cells::read(shard, request, &plan, &mut |part| give(shard_answer::Kind::Cells(part)))?;
            return Ok(count(request, plan));
        }
        Some(shard_question::Kind::Features(request)) => {
            give(shard_answer::Kind::Features(features::features(shard, request)?));
        }
        Some(shard_question::Kind::Bill(request)) => {
            give(shard_answer::Kind::Bill(bill::bill(shard, request)?));
        }
        Some(shard_question::Kind::Explain(request)) => {
            give(shard_answer::Kind::Explain(explain::explain(shard, request)?));
        }
        Some(shard_question::Kind::Indicators(request)) => {
            give(shard_answer::Kind::Indicators(indicators::answer(shard, request)?.encode().into()));
        }
        Some(shard_question::Kind::Watch(request)) => {
            let cells = request.cells.clone().unwrap_or_default();
            let plan = cells::plan(shard, &cells)?;
            cells::read(shard, &cells, &plan, &mut |part| give(shard_answer::Kind::Cells(part)))?;
            shard.watches.borrow_mut().add(request.subscription, plan.clone());
            shard.cells.borrow_mut().keep_changed = true;
            return Ok(count(&cells, plan));
        }
        Some(shard_question::Kind::Unwatch(subscription)) => {
            let others = shard.watches.borrow_mut().remove(*subscription);
            shard.cells.borrow_mut().keep_changed = others;
        }
        Some(shard_question::Kind::RuleLiveness(request)) => {
            give(shard_answer::Kind::RuleLiveness(rules::answer(shard, request)?.into()));
        }
        Some(shard_question::Kind::Cross(request)) => {
            crosses::read(shard, request, &mut |part| give(shard_answer::Kind::Cross(part)))?;
        }
        Some(shard_question::Kind::Reports(request)) => {
            let reading = reports::Reading::begin(shard, question.question, request)?;
            return Ok(Some(Reading::Report(Box::new(reading))));
        }
        None => anyhow::bail!("a question without a kind; the coordinator is of another build"),
    }
    Ok(None)
}

/// The question is at fault, not the worker: the client is told so.
fn invalid(words: String) -> anyhow::Error {
    anyhow::anyhow!("INVALID_ARGUMENT: {words}")
}

/// Changed cells of subscriptions in the last epoch.
pub fn watched(shard: &Shard) -> Vec<v1::WatchedCells> {
    let changed = shard.cells.borrow_mut().take_changed();
    if changed.is_empty() { Vec::new() } else { shard.watches.borrow().changes(&changed) }
}
