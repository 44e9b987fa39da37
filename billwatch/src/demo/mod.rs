//! `billwatch demo`: the product's main job on realistic input, in front of your eyes.
//!
//! A simulated market is made, then sent to a cluster of real processes: most of it as fast as the cluster takes it, the rest
//! at a fixed rate while freshness is measured. Then some aggregates, the alerts against the planted cases, one alert
//! explained, and the comparison of every view with the reference evaluator. With `--kill-after` all processes are killed
//! in the middle and started again on their data; the client goes on where it was.

mod labels;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use billwatch_bench::{client, load};
use billwatch_proto::v1::{AlertFilter, Grain, QueryCellsRequest};
use tokio::sync::watch;

use crate::{
    alerts,
    cli::{DemoArgs, Format},
    cluster::{LocalCluster, Plan},
    failure::{Failure, Outcome},
    output::{grouped, print_line},
    progress::Progress,
    query, up, verify,
    workload::Workload,
};
use labels::Judgement;

/// Time that a cluster may take until it answers: an empty one at once, a restored one after reading its checkpoint.
const SERVING_WITHIN: Duration = Duration::from_secs(300);
/// Seconds of the paced part, as far as there are facts.
const PACED_SECONDS: u64 = 10;
/// The paced part takes at most one in this many facts.
const PACED_SHARE: u64 = 5;
/// Rows shown of an aggregate.
const ROWS_SHOWN: usize = 6;
/// Faults listed.
const FAULTS_SHOWN: usize = 20;

/// Aggregates shown: theme, dimension, measures, title.
const SHOWN: [(&str, &str, &[&str], &str); 4] = [
    ("T01", "D.bill_kind", &["cnt", "amt_fen"], "Issuance by bill kind (出票 · 票据种类)"),
    ("T04", "D.endorsee.prov", &["cnt", "amt_fen"], "Endorsement by endorsee province (背书转让 · 被背书人省份)"),
    ("T05", "D.month", &["cnt", "amt_fen"], "Discount by month (贴现 · 月份)"),
    ("T19", "D.bill_kind", &["lots", "bal_fen"], "Holdings by bill kind (持票余额 · 票据种类)"),
];

/// Runs the command.
pub async fn run(args: DemoArgs) -> Outcome {
    // The directory is removed when this value is dropped, at the latest at the end of the demo.
    let temporary =
        if args.data.is_none() { Some(tempfile::Builder::new().prefix("billwatch-").tempdir()?) } else { None };
    let data =
        args.data.clone().or(temporary.as_ref().map(|directory| directory.path().to_owned())).unwrap_or_default();
    let workload = simulate(&args, data.join("workload")).await?;

    let plan = Plan::on_free_port(data.clone(), args.processes, args.threads)?;
    let mut cluster = LocalCluster::start(plan)?;
    cluster.serving(SERVING_WITHIN).await?;
    let address = cluster.address();
    print_line(&format!(
        "cluster: 1 coordinator, {} worker processes x {} threads on {address}, process ids {:?}",
        args.processes,
        args.threads,
        cluster.process_ids()
    ))?;

    measure(&args, &workload, &mut cluster).await?;
    show_aggregates(&address).await?;
    let judgement = show_alerts(&address, &workload).await?;
    let same = if args.no_verify { true } else { check(&address).await? };
    if args.serve {
        print_line(&format!("serving on {address} until interrupted"))?;
        up::supervise(&mut cluster).await?;
    }
    cluster.stop().await;
    if !same {
        return Err(Failure::Differs);
    }
    if !judgement.faults.is_empty() {
        return Err(Failure::Labels);
    }
    Ok(())
}

async fn simulate(args: &DemoArgs, directory: PathBuf) -> Result<Workload, Failure> {
    let started = Instant::now();
    let (facts, seed, rate) = (args.facts, args.seed, args.rate);
    let paced = (rate * PACED_SECONDS).min(facts / PACED_SHARE);
    let simulating = move || Workload::simulate(&directory, facts, seed, facts - paced, rate);
    let workload = tokio::task::spawn_blocking(simulating).await.map_err(|error| anyhow::anyhow!(error))??;
    print_line(&format!(
        "market: {} records simulated from seed {seed} in {:.1} s ({} MB as columns), {} planted cases and near misses",
        grouped(workload.bulk.records() + workload.paced.records()),
        started.elapsed().as_secs_f64(),
        (workload.bulk.bytes() + workload.paced.bytes()) / 1_000_000,
        workload.labels.len()
    ))?;
    Ok(workload)
}

/// Sends everything and prints throughput and freshness.
async fn measure(args: &DemoArgs, workload: &Workload, cluster: &mut LocalCluster) -> Outcome {
    let settings = client::Settings { patience: SERVING_WITHIN, ..client::Settings::new(cluster.address()) };
    let mut progress = Progress::new("ingest", workload.bulk.records(), "records");
    let (answered, records) = watch::channel(0);
    let sending = load::full_speed(&settings, &workload.bulk, |done| {
        progress.set(done);
        answered.send_replace(done);
    });
    let sent = match args.kill_after {
        None => tokio::select! {
            sent = sending => sent?,
            ended = cluster.a_process_ended() => return Err(ended),
        },
        Some(facts) => {
            let killing = kill_and_restart(cluster, records, facts);
            let (sent, killed) = tokio::join!(sending, killing);
            killed?;
            sent?
        }
    };
    progress.finish();
    print_line(&format!(
        "throughput: {} records over gRPC, in the log (fsync) and visible in every view in {:.2} s: {} records/s \
         (acknowledged after {:.2} s); {} refused",
        grouped(workload.bulk.records()),
        sent.elapsed.as_secs_f64(),
        grouped(sent.records_per_s() as u64),
        sent.acknowledged.as_secs_f64(),
        sent.summary.refused
    ))?;
    for refusal in &sent.refusals {
        print_line(&format!("  refused: {} {} {}: {}", refusal.code, refusal.field, refusal.value, refusal.remedy))?;
    }

    let mut progress = Progress::new("paced", workload.paced.records(), "records");
    let (sent, fresh) = tokio::select! {
        measured = load::open_loop(&settings, &workload.paced, args.rate, |done| progress.set(done)) => measured?,
        ended = cluster.a_process_ended() => return Err(ended),
    };
    progress.finish();
    print_line(&format!(
        "freshness: at {} records/s, open loop, from the moment a batch is due to visible in every view: \
         p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, max {:.1} ms ({} batches)",
        grouped(args.rate),
        fresh.due_to_visible.percentile_ms(50.0),
        fresh.due_to_visible.percentile_ms(99.0),
        fresh.due_to_visible.percentile_ms(99.9),
        fresh.due_to_visible.max_ms(),
        fresh.due_to_visible.samples()
    ))?;
    if sent.summary.refused > 0 {
        print_line(&format!("  {} refused", sent.summary.refused))?;
    }
    Ok(())
}

/// Kills all processes once `facts` are answered, starts them again, and waits for the first fresh answer.
async fn kill_and_restart(cluster: &mut LocalCluster, mut records: watch::Receiver<u64>, facts: u64) -> Outcome {
    if records.wait_for(|done| *done >= facts).await.is_err() {
        return Err(Failure::Usage(format!(
            "--kill-after {facts}: the market was over before so many were acknowledged"
        )));
    }
    // All that is acknowledged by now must be in the first fresh answer.
    let settings = client::Settings::new(cluster.address());
    let before = load::status(&settings.address).await?.sealed_epoch;
    let done = *records.borrow();
    cluster.kill();
    print_line(&format!("SIGKILL: all processes, {} records acknowledged, epoch {before} sealed", grouped(done)))?;
    let killed = Instant::now();
    cluster.restart()?;
    loop {
        cluster.revive()?;
        let question = first_question();
        if let Ok(mut client) = query::connect(&settings.address).await
            && let Ok(answer) = client.query_cells(question).await
            && answer.get_ref().as_of.is_some_and(|as_of| as_of.epoch >= before)
        {
            let epoch = answer.get_ref().as_of.map_or(0, |as_of| as_of.epoch);
            return print_line(&format!(
                "restarted: first fresh answer (epoch {epoch}) {:.2} s after the kill",
                killed.elapsed().as_secs_f64()
            ));
        }
        if killed.elapsed() > SERVING_WITHIN {
            return Err(Failure::Unreachable("the restarted cluster gives no fresh answer".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn first_question() -> QueryCellsRequest {
    let (theme, dimension, measures, _) = SHOWN[0];
    cells(theme, dimension, measures)
}

fn cells(theme: &str, dimension: &str, measures: &[&str]) -> QueryCellsRequest {
    QueryCellsRequest {
        theme: theme.to_owned(),
        dimension: dimension.to_owned(),
        grain: Grain::Total.into(),
        measures: measures.iter().map(|measure| (*measure).to_owned()).collect(),
        ..QueryCellsRequest::default()
    }
}

async fn show_aggregates(address: &str) -> Outcome {
    let mut client = query::connect(address).await?;
    for (theme, dimension, measures, title) in SHOWN {
        let answer = client.query_cells(cells(theme, dimension, measures)).await?.into_inner();
        print_line(&format!("\n{title}, {theme} {dimension}"))?;
        // The largest first: the last measure is an amount.
        let mut rows = answer.rows;
        let size = |row: &billwatch_proto::v1::CellRow| {
            row.values.last().and_then(|value| value.value.parse::<i128>().ok()).unwrap_or(0)
        };
        rows.sort_by_key(|row| std::cmp::Reverse(size(row)));
        let more = rows.len().saturating_sub(ROWS_SHOWN);
        rows.truncate(ROWS_SHOWN);
        query::cell_listing(&answer.measures, &rows, Format::Table).print(Format::Table)?;
        let rest = if more > 0 { format!("and {more} more items; ") } else { String::new() };
        print_line(&format!("{rest}{}", query::as_of_text(answer.as_of)))?;
    }
    Ok(())
}

async fn show_alerts(address: &str, workload: &Workload) -> Result<Judgement, Failure> {
    let (alerts, frame) = alerts::fetch(address, AlertFilter::default(), 0).await?;
    let judgement = Judgement::new(&alerts, &workload.labels);
    print_line(&format!("\nAlerts by pattern (预警), {}", query::as_of_text(frame.as_of)))?;
    judgement.listing().print(Format::Table)?;
    for fault in judgement.faults.iter().take(FAULTS_SHOWN) {
        print_line(fault)?;
    }
    let more = judgement.faults.len().saturating_sub(FAULTS_SHOWN);
    if more > 0 {
        print_line(&format!("and {more} more"))?;
    }

    // One alert that was planted, explained from the cluster's own history.
    let is_found = |label: &&billwatch_bench::simulator::label::Label| {
        label.positive && label.event_ids.len() > 1 && label.event_ids.len() < 12
    };
    let explained = workload.labels.iter().filter(is_found).find_map(|label| {
        let day = label.biz_date.to_string();
        alerts.iter().find(|alert| alert.pattern == label.pattern && alert.key == label.key && alert.biz_date == day)
    });
    if let Some(alert) = explained {
        print_line("\nOne alert explained (预警说明)")?;
        alerts::print_explanation(&alerts::explain(address, &alert.alert_id).await?, Format::Table)?;
    }
    Ok(judgement)
}

async fn check(address: &str) -> Result<bool, Failure> {
    let started = Instant::now();
    let comparison = verify::compare(address, None, verify::reports::PERIODS).await?;
    print_line("\nLive views against the reference evaluator (核对)")?;
    comparison.print(Format::Table)?;
    print_line(&format!("verified {} facts in {:.1} s", grouped(comparison.facts), started.elapsed().as_secs_f64()))?;
    Ok(comparison.is_equal())
}
