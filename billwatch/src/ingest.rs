//! `billwatch ingest`: a file of facts through the door, in columns, several batches in flight.
//!
//! What does not parse here is sent as it is, in its place: the cluster refuses it, keeps it as a dead letter, and the answer
//! brings the reason. Refused lines are listed with their line number. Running the same command again is harmless.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use billwatch_bench::{batches::Batcher, client, spool::record_count};
use billwatch_market::{catalogue::Catalogue, ndjson};
use billwatch_proto::v1::{IngestRequest, SequenceGap};
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    cli::{Format, IngestArgs},
    failure::{Failure, Outcome},
    output::{Listing, grouped, print_json, print_line},
    progress::Progress,
    sources::{self, Lines},
};

/// Refused lines that are listed; all are counted, and all are dead letters in the cluster.
const REFUSALS_LISTED: usize = 1_000;

/// Line numbers of the records of each batch that has no answer yet.
type Numbers = Arc<Mutex<VecDeque<Vec<u64>>>>;

/// Runs the command.
pub async fn run(args: IngestArgs) -> Outcome {
    let lines = sources::open(&args.file, args.from)?;
    let total = std::fs::metadata(&args.file).map_or(0, |metadata| metadata.len());
    let settings = client::Settings {
        address: args.cluster.address.clone(),
        in_flight: args.in_flight as usize,
        patience: Duration::from_secs(args.patience),
    };
    let (sender, receiver) = mpsc::channel(2);
    let numbers = Numbers::default();
    let feed = {
        let (numbers, size, replay) = (numbers.clone(), args.batch as usize, args.replay);
        tokio::task::spawn_blocking(move || feed(lines, total, size, replay, &sender, &numbers))
    };

    let started = Instant::now();
    let mut refused = Listing::new(["line", "code", "field", "value", "remedy"]);
    let mut gaps: Vec<SequenceGap> = Vec::new();
    let summary = client::ingest(&settings, receiver, |answer, _| {
        let lines = numbers.lock().expect("no holder panics").pop_front().unwrap_or_default();
        for refusal in &answer.refusals {
            if refused.len() < REFUSALS_LISTED {
                let line = lines.get(refusal.row as usize).copied();
                refused.push([
                    json!(line),
                    json!(refusal.code),
                    json!(refusal.field),
                    json!(refusal.value),
                    json!(refusal.remedy),
                ]);
            }
        }
        gaps.clone_from(&answer.gaps);
    })
    .await?;
    feed.await.expect("feeding does not panic")?;

    let seconds = started.elapsed().as_secs_f64();
    let records = summary.accepted + summary.duplicates + summary.refused;
    match args.output.format {
        Format::Json => print_json(&json!({
            "records": records,
            "accepted": summary.accepted,
            "duplicates": summary.duplicates,
            "refused": summary.refused,
            "epoch": summary.epoch,
            "seconds": seconds,
            "refusals": refused.json(),
            "gaps": gaps.iter().map(gap_json).collect::<Vec<_>>(),
        }))?,
        format => {
            if refused.len() > 0 {
                refused.print(format)?;
            }
            if format == Format::Table {
                print_line(&format!(
                    "{} records in {seconds:.2} s: {} accepted, {} known before, {} refused; all in epochs up to {}",
                    grouped(records),
                    grouped(summary.accepted),
                    grouped(summary.duplicates),
                    grouped(summary.refused),
                    summary.epoch
                ))?;
                for gap in &gaps {
                    let (source, first, last) = (&gap.source, gap.first_missing, gap.last_missing);
                    print_line(&format!("{source} has not sent {first} to {last} yet"))?;
                }
            }
        }
    }
    if summary.refused > 0 { Err(Failure::Refused) } else { Ok(()) }
}

fn gap_json(gap: &SequenceGap) -> serde_json::Value {
    json!({"source": gap.source, "first_missing": gap.first_missing, "last_missing": gap.last_missing})
}

/// Reads lines, makes batches and hands them over until all is read or the client gave up.
fn feed(
    lines: Lines,
    total: u64,
    size: usize,
    replay: bool,
    sender: &mpsc::Sender<IngestRequest>,
    numbers: &Numbers,
) -> anyhow::Result<()> {
    let catalogue = Catalogue::embedded();
    let mut batcher = Batcher::new(size, replay);
    let mut pending = VecDeque::new();
    let mut progress = Progress::new("reading", total, "bytes");
    let hand_over = |batch: IngestRequest, pending: &mut VecDeque<u64>| {
        let count = record_count(&batch) as usize;
        numbers.lock().expect("no holder panics").push_back(pending.drain(..count).collect());
        sender.blocking_send(batch).is_ok()
    };
    for line in lines {
        let line = line?;
        progress.set(line.bytes_read);
        pending.push_back(line.number);
        let full = match ndjson::parse_line(&line.json, &catalogue) {
            Ok(record) => batcher.record(record),
            Err(_) => batcher.row(line.json),
        };
        if let Some(batch) = full
            && !hand_over(batch, &mut pending)
        {
            return Ok(()); // The client gave up; its error says why.
        }
    }
    if let Some(batch) = batcher.finish() {
        hand_over(batch, &mut pending);
    }
    progress.finish();
    Ok(())
}
