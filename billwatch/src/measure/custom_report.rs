//! `bench custom-report`: a report of four dimensions, registered while facts go on.
//!
//! The market is loaded first, at full speed; then facts come at a fixed rate, open loop, and in their middle a client
//! registers a report that reads every fact with an enterprise, and asks for it. Measured: from the registration to the
//! first full answer; the freshness of the batches that were due meanwhile, and of all. Checked, after the clocks: the first
//! answer against the plain evaluation of the log up to its epoch, row by row; and all cells of the report at the end.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use billwatch_bench::{
    client,
    load::{self, Delays},
};
use billwatch_market::{
    aggregate::{
        Grain as Period, Value as Figure,
        cross::{CrossDefinition, CrossQuestion},
        wire::{FIRST_DAY, LAST_DAY},
    },
    catalogue::Catalogue,
    evaluator::{Rules, Sets, Views, evaluate_by},
    fact::Fact,
};
use billwatch_proto::v1::{
    CreateCustomReportRequest, Grain, QueryCustomReportRequest, QueryCustomReportResponse,
    admin_service_client::AdminServiceClient,
};
use serde_json::{Value, json};

use super::{Run, percentiles};
use crate::{
    cli::BenchArgs,
    custom_reports,
    failure::Failure,
    progress::Progress,
    verify::{live_marks, read_facts},
};

const THEME: &str = "T23";
/// Every fact with an enterprise, once for each of its enterprises.
const DIMENSIONS: [&str; 4] = ["D.bgrp", "D.ent.prov", "D.ent.size", "D.role"];
/// The figure that is asked for and compared.
const MEASURE: &str = "amt_fen";
/// The report comes when this part of the paced facts is through.
const REGISTERED_AFTER: f64 = 0.2;

/// Runs the measurement.
pub async fn run(args: &BenchArgs) -> Result<Value, Failure> {
    let run = Run::prepare(args, args.facts + args.rate * args.seconds, args.facts).await?;
    let settings = run.settings();
    let mut progress = Progress::new("loading", run.workload.bulk.records(), "records");
    load::full_speed(&settings, &run.workload.bulk, |done| progress.set(done)).await?;
    progress.finish();

    let address = settings.address.clone();
    let wait = Duration::from_secs_f64(args.seconds as f64 * REGISTERED_AFTER);
    let registering = tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        register(&address).await
    });
    let mut progress = Progress::new("open loop", run.workload.paced.records(), "records");
    let (_, fresh) = load::open_loop(&settings, &run.workload.paced, args.rate, |done| progress.set(done)).await?;
    progress.finish();
    let first = registering.await.map_err(|error| anyhow!(error))??;
    let mut meanwhile = Delays::new();
    for (due, visible) in &fresh.batches {
        if (first.registered..=first.answered).contains(due) {
            meanwhile.record(*due, *visible);
        }
    }
    let checked = check(&settings.address, &first.answer).await?;
    run.cluster.stop().await;
    Ok(json!({
        "report": definition().to_string(),
        "facts_before": args.facts,
        "offered_facts_per_s": args.rate,
        "first_full_answer_ms": (first.answered - first.registered).as_millis() as u64,
        "first_answer_rows": first.answer.rows.len(),
        "first_answer_is_exact": checked.first_is_exact,
        "cells_at_the_end": checked.cells,
        "is_exact_at_the_end": checked.end_is_exact,
        "freshness_while_filling_ms": percentiles(&meanwhile),
        "freshness_ms": percentiles(&fresh.due_to_visible),
        "batches_while_filling": meanwhile.samples(),
        "batches": fresh.due_to_visible.samples(),
    }))
}

fn definition() -> CrossDefinition {
    CrossDefinition::of(THEME, &DIMENSIONS)
}

/// The first answer, and when it was asked for and came.
struct First {
    registered: Instant,
    answered: Instant,
    answer: QueryCustomReportResponse,
}

async fn register(address: &str) -> Result<First, Failure> {
    let mut reports = custom_reports::connect(address).await?;
    let registered = Instant::now();
    let request = CreateCustomReportRequest {
        theme: THEME.to_owned(),
        dimensions: DIMENSIONS.map(str::to_owned).to_vec(),
        ..CreateCustomReportRequest::default()
    };
    let report = reports.create_custom_report(request).await?.into_inner().report.unwrap_or_default();
    let question = QueryCustomReportRequest {
        report_id: report.report_id,
        grain: Grain::Total.into(),
        measures: vec![MEASURE.to_owned()],
        wait_ms: 300_000,
        ..QueryCustomReportRequest::default()
    };
    let answer = reports.query_custom_report(question).await?.into_inner();
    Ok(First { registered, answered: Instant::now(), answer })
}

struct Checked {
    first_is_exact: bool,
    end_is_exact: bool,
    cells: u64,
}

/// Compares with the plain evaluation of the log.
async fn check(address: &str, first: &QueryCustomReportResponse) -> Result<Checked, Failure> {
    let channel = client::connect(address).await?;
    let mut admin = AdminServiceClient::new(channel).max_decoding_message_size(client::MAX_ANSWER_BYTES);
    let (as_of, marks) = live_marks(&mut admin).await?;
    let at_first = first.as_of.ok_or_else(|| anyhow!("the first answer has no epoch"))?;
    let facts = read_facts(&mut admin, at_first.epoch, 0).await?;
    let views = evaluate(facts, at_first.market_clock_ms).await?;
    let question = CrossQuestion {
        definition: definition(),
        from: FIRST_DAY,
        to: LAST_DAY,
        grain: Period::Whole,
        measures: vec![MEASURE.to_owned()],
    };
    let rows = views.ask_cross(&question).map_err(anyhow::Error::from)?;
    let expected = rows.iter().map(|row| (&row.items, row.values.first().map(|(_, figure)| *figure)));
    let found = first
        .rows
        .iter()
        .map(|row| (&row.items, row.values.first().and_then(|value| value.value.parse().ok()).map(Figure::Number)));
    let first_is_exact = expected.eq(found);
    drop(views);
    let facts = read_facts(&mut admin, as_of.epoch, 0).await?;
    let views = evaluate(facts, as_of.market_clock_ms).await?;
    let live = marks.get("crosses").map(|mark| (mark.hash, mark.rows));
    let cells = views.cross_cells().count() as u64;
    Ok(Checked { first_is_exact, end_is_exact: live == Some((views.crosses_hash().0, cells)), cells })
}

async fn evaluate(facts: Vec<Fact>, clock: Option<i64>) -> Result<Views, Failure> {
    let evaluating = move || -> anyhow::Result<Views> {
        let rules = Rules::new(&Catalogue::embedded())?.with_crosses(&[definition()])?;
        Ok(evaluate_by(&facts, clock.unwrap_or(i64::MIN), &rules, Sets::None))
    };
    Ok(tokio::task::spawn_blocking(evaluating).await.map_err(|error| anyhow!(error))??)
}
