//! `billwatch ingest`: a file of facts through the door, in columns, several batches in flight.
//!
//! What does not parse here is sent as it is, in its place: the cluster refuses it, keeps it as a dead letter, and the answer
//! brings the reason. Refused lines are listed with their line number, and what was done is told whatever ends it. Running the
//! same command again is harmless.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
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

/// A batch that has no answer yet.
#[derive(Default)]
struct Sent {
    /// Line numbers of its records.
    lines: Vec<u64>,
    /// Whose records it has, as far as they can be read here.
    sources: BTreeSet<&'static str>,
}

/// Batches without an answer, oldest first.
type Unanswered = Arc<Mutex<VecDeque<Sent>>>;

/// Gaps of each source, as its newest batch told them: an answer speaks of the sources of its batch alone.
#[derive(Default)]
struct Gaps(BTreeMap<String, Vec<SequenceGap>>);

impl Gaps {
    fn answered(&mut self, sources: &BTreeSet<&'static str>, told: &[SequenceGap]) {
        for source in sources.iter().copied().chain(told.iter().map(|gap| &*gap.source)) {
            self.0.remove(source);
        }
        for gap in told {
            self.0.entry(gap.source.clone()).or_default().push(gap.clone());
        }
    }

    fn iter(&self) -> impl Iterator<Item = &SequenceGap> {
        self.0.values().flatten()
    }
}

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
    let unanswered = Unanswered::default();
    let feed = {
        let (unanswered, size, replay) = (unanswered.clone(), args.batch as usize, args.replay);
        tokio::task::spawn_blocking(move || feed(lines, total, size, replay, &sender, &unanswered))
    };

    let started = Instant::now();
    let mut refused = Listing::new(["line", "code", "field", "value", "remedy"]);
    let mut gaps = Gaps::default();
    let mut summary = client::Summary::default();
    let sent = client::ingest(&settings, receiver, |answer, _| {
        let batch = unanswered.lock().expect("no holder panics").pop_front();
        let Sent { lines, sources } = batch.unwrap_or_default();
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
        gaps.answered(&sources, &answer.gaps);
        summary.accepted += u64::from(answer.accepted);
        summary.duplicates += u64::from(answer.duplicates);
        summary.refused += answer.refusals.len() as u64;
        summary.epoch = summary.epoch.max(answer.epoch);
    })
    .await;
    // A file that breaks off, or a cluster that goes, does not undo what was accepted before: that is told either way.
    let fed = feed.await.expect("feeding does not panic");
    let failure = sent.map(drop).map_err(Failure::from).and(fed.map_err(Failure::from)).err();

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
            "complete": failure.is_none(),
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
                for gap in gaps.iter() {
                    let (source, first, last) = (&gap.source, gap.first_missing, gap.last_missing);
                    print_line(&format!("{source} has not sent {first} to {last} yet"))?;
                }
            }
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None if summary.refused > 0 => Err(Failure::Refused),
        None => Ok(()),
    }
}

fn gap_json(gap: &SequenceGap) -> serde_json::Value {
    json!({"source": gap.source, "first_missing": gap.first_missing, "last_missing": gap.last_missing})
}

/// Reads lines, makes batches and hands them over until all is read or the client gave up. What was read before a file broke
/// off is handed over too.
fn feed(
    lines: Lines,
    total: u64,
    size: usize,
    replay: bool,
    sender: &mpsc::Sender<IngestRequest>,
    unanswered: &Unanswered,
) -> anyhow::Result<()> {
    let catalogue = Catalogue::embedded();
    let mut batcher = Batcher::new(size, replay);
    // Line and source of what the batcher holds.
    let mut pending: VecDeque<(u64, Option<&'static str>)> = VecDeque::new();
    let mut progress = Progress::new("reading", total, "bytes");
    let hand_over = |batch: IngestRequest, pending: &mut VecDeque<(u64, Option<&'static str>)>| {
        let count = record_count(&batch) as usize;
        let mut sent = Sent::default();
        for (line, source) in pending.drain(..count) {
            sent.lines.push(line);
            sent.sources.extend(source);
        }
        unanswered.lock().expect("no holder panics").push_back(sent);
        sender.blocking_send(batch).is_ok()
    };
    let mut broken = Ok(());
    for line in lines {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                broken = Err(error);
                break;
            }
        };
        progress.set(line.bytes_read);
        let full = match ndjson::parse_line(&line.json, &catalogue) {
            Ok(record) => {
                pending.push_back((line.number, Some(record.sequence().0.code())));
                batcher.record(record)
            }
            Err(_) => {
                pending.push_back((line.number, None));
                batcher.row(line.json)
            }
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
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Line;

    fn gap(source: &str, first_missing: u64) -> SequenceGap {
        SequenceGap { source: source.to_owned(), first_missing, last_missing: first_missing }
    }

    #[test]
    fn gaps_of_sources_that_are_not_in_the_last_batch_stay() {
        let mut gaps = Gaps::default();
        gaps.answered(&["ECDS", "NGBS"].into(), &[gap("ECDS", 3), gap("ECDS", 7), gap("NGBS", 2)]);
        gaps.answered(&["NGBS"].into(), &[]);
        gaps.answered(&["REFD"].into(), &[gap("REFD", 9)]);
        let left: Vec<_> = gaps.iter().map(|gap| (gap.source.as_str(), gap.first_missing)).collect();
        assert_eq!(left, [("ECDS", 3), ("ECDS", 7), ("REFD", 9)]);
    }

    #[test]
    fn what_was_read_before_a_file_breaks_off_is_sent() {
        let line = |number| Line { number, json: b"{}".to_vec(), bytes_read: 0 };
        let lines = [Ok(line(1)), Ok(line(2)), Err(anyhow::anyhow!("broken"))];
        let (sender, mut receiver) = mpsc::channel(2);
        let unanswered = Unanswered::default();
        let fed = feed(Box::new(lines.into_iter()), 0, 100, true, &sender, &unanswered);
        assert_eq!(fed.unwrap_err().to_string(), "broken");
        assert_eq!(record_count(&receiver.try_recv().unwrap()), 2);
        assert_eq!(unanswered.lock().unwrap()[0].lines, [1, 2]);
    }
}
