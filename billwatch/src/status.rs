//! `billwatch status`: one page on the cluster for a person, and its dead letters. JSON keeps everything.

use billwatch_bench::client::{self, MAX_ANSWER_BYTES};
use billwatch_market::handling::STATUSES;
use billwatch_proto::v1::{
    AlertsStatus, CheckpointStatus, DiskStatus, FreshnessStatus, GetStatusRequest, GetStatusResponse,
    admin_service_client::AdminServiceClient,
};
use serde_json::{Value, json};

use crate::{
    cli::{Format, StatusArgs},
    dead_letters::Letters,
    failure::Outcome,
    output::{Listing, bytes, duration, grouped, market_time, print_json, print_line},
    query::as_of_json,
};

/// Levels of alerts, as `AlertsStatus` lists them.
const LEVELS: [&str; 4] = ["BLUE", "YELLOW", "ORANGE", "RED"];

/// Runs the command.
pub async fn run(args: StatusArgs) -> Outcome {
    let channel = client::connect(&args.cluster.address).await?;
    let mut admin = AdminServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
    let status = admin.get_status(GetStatusRequest {}).await?.into_inner();
    let letters = match args.dead_letters {
        None => None,
        Some(most) => Some(Letters::fetch(&mut admin, 0, most.max(1) as usize).await?),
    };
    let members = members(&status);
    let counters = counters(&status);
    match args.output.format {
        Format::Json => {
            let mut page = page_json(&status);
            page["members"] = members.json();
            page["counters"] = counters.json();
            if let Some(letters) = letters {
                page["dead_letters"] = letters.json();
            }
            print_json(&page)
        }
        Format::Csv => counters.print(Format::Csv),
        Format::Table => {
            for (what, text) in lines(&status) {
                print_line(&format!("{what:<13} {text}"))?;
            }
            members.print(Format::Table)?;
            if args.counters {
                counters.print(Format::Table)?;
            }
            if let Some(letters) = letters {
                print_line(&letters.words())?;
                letters.listing().print(Format::Table)?;
            }
            Ok(())
        }
    }
}

/// The page, line by line: what, and how it stands.
fn lines(status: &GetStatusResponse) -> Vec<(&'static str, String)> {
    let as_of = status.as_of.unwrap_or_default();
    let state = if status.serving { "serving" } else { "NOT SERVING: workers are missing or restoring" };
    let freshness = status.freshness.unwrap_or_default();
    let microseconds = |microseconds: u64| duration(std::time::Duration::from_micros(microseconds));
    let fresh = match freshness.records {
        0 => "nothing became visible in the last minute".to_owned(),
        records => format!(
            "p50 {}, p99 {} over the {} records of the last minute",
            microseconds(freshness.median_us),
            microseconds(freshness.p99_us),
            grouped(records)
        ),
    };
    let lag = status.sealed_epoch.saturating_sub(as_of.epoch);
    vec![
        (
            "state",
            format!(
                "{state}; {} of {} workers, generation {}, version {}, catalogue {:016x}",
                status.members.len(),
                status.processes,
                status.generation,
                status.build,
                status.catalogue_fingerprint
            ),
        ),
        ("market clock", as_of.market_clock_ms.map_or("no watermark yet".to_owned(), market_time)),
        (
            "epoch",
            format!(
                "{} complete, {} sealed; behind by {} epochs, {}",
                grouped(as_of.epoch),
                grouped(status.sealed_epoch),
                grouped(lag),
                microseconds(freshness.lag_us)
            ),
        ),
        ("freshness", fresh),
        ("checkpoint", checkpoint_text(status.checkpoint.unwrap_or_default())),
        (
            "facts",
            format!(
                "{} accepted, {} late; records: {} refused, {} known before",
                grouped(status.accepted_facts),
                grouped(total(status, "facts_late_total")),
                grouped(total(status, "records_refused_total")),
                grouped(total(status, "records_duplicate_total"))
            ),
        ),
        ("alerts", alerts_text(&status.alerts.clone().unwrap_or_default())),
        ("disk", disk_text(status)),
    ]
}

fn checkpoint_text(checkpoint: CheckpointStatus) -> String {
    let ms = |ms: u64| duration(std::time::Duration::from_millis(ms));
    let since = format!("since the start {} committed, {} failed", checkpoint.committed, checkpoint.failed);
    match (checkpoint.epoch, checkpoint.age_ms) {
        (0, _) => format!("none yet; {since}"),
        (epoch, None) => format!("epoch {}; {since}", grouped(epoch)),
        (epoch, Some(age)) => format!(
            "epoch {}, {} ago, took {}, {}; {since}",
            grouped(epoch),
            ms(age),
            ms(checkpoint.duration_ms),
            bytes(checkpoint.bytes)
        ),
    }
}

fn alerts_text(alerts: &AlertsStatus) -> String {
    let open = LEVELS.iter().zip(&alerts.open).rev().map(|(level, count)| format!("{level} {}", grouped(*count)));
    let open: Vec<String> = open.collect();
    let work = STATUSES.iter().filter_map(|(_, code)| {
        let count = alerts.by_status.get(*code).filter(|count| **count > 0)?;
        Some(format!("{code} {}", grouped(*count)))
    });
    let work: Vec<String> = work.collect();
    format!(
        "open: {}; work on them: {}; ever opened {}, withdrawn {}",
        open.join(", "),
        if work.is_empty() { "none".to_owned() } else { work.join(", ") },
        grouped(alerts.opened),
        grouped(alerts.withdrawn)
    )
}

fn disk_text(status: &GetStatusResponse) -> String {
    let DiskStatus { data_bytes, free_bytes, size_bytes } = status.disk.unwrap_or_default();
    format!(
        "data {} (log {}), {} of {} free",
        bytes(data_bytes),
        bytes(status.log_bytes),
        bytes(free_bytes),
        bytes(size_bytes)
    )
}

/// Sum of a counter over its labels.
fn total(status: &GetStatusResponse, name: &str) -> i64 {
    status.counters.iter().filter(|counter| counter.name == name).map(|counter| counter.value).sum()
}

fn page_json(status: &GetStatusResponse) -> Value {
    let FreshnessStatus { records, median_us, p99_us, lag_us } = status.freshness.unwrap_or_default();
    let checkpoint = status.checkpoint.unwrap_or_default();
    let disk = status.disk.unwrap_or_default();
    let alerts = status.alerts.clone().unwrap_or_default();
    let open: serde_json::Map<String, Value> =
        LEVELS.iter().zip(&alerts.open).map(|(level, count)| ((*level).to_owned(), json!(count))).collect();
    json!({
        "as_of": as_of_json(status.as_of),
        "sealed_epoch": status.sealed_epoch,
        "generation": status.generation,
        "serving": status.serving,
        "processes": status.processes,
        "build": status.build,
        "checkpoint_epoch": status.checkpoint_epoch,
        "checkpoint": {
            "epoch": checkpoint.epoch,
            "age_ms": checkpoint.age_ms,
            "duration_ms": checkpoint.duration_ms,
            "bytes": checkpoint.bytes,
            "committed": checkpoint.committed,
            "failed": checkpoint.failed,
        },
        "freshness": {"records": records, "median_us": median_us, "p99_us": p99_us, "lag_us": lag_us},
        "alerts": {"open": open, "opened": alerts.opened, "withdrawn": alerts.withdrawn, "by_status": alerts.by_status},
        "disk": {"data_bytes": disk.data_bytes, "free_bytes": disk.free_bytes, "size_bytes": disk.size_bytes},
        "log_bytes": status.log_bytes,
        "accepted_facts": status.accepted_facts,
        "catalogue_fingerprint": format!("{:016x}", status.catalogue_fingerprint),
    })
}

fn members(status: &GetStatusResponse) -> Listing {
    let mut listing = Listing::new(["process", "mesh_address", "threads", "epoch", "key_groups"]);
    for member in &status.members {
        listing.push([
            json!(member.process),
            json!(member.mesh_address),
            json!(member.threads),
            json!(member.epoch),
            json!(member.key_groups),
        ]);
    }
    listing
}

fn counters(status: &GetStatusResponse) -> Listing {
    let mut listing = Listing::new(["counter", "label", "value"]);
    for counter in &status.counters {
        listing.push([json!(counter.name), json!(counter.label), json!(counter.value)]);
    }
    listing
}

#[cfg(test)]
mod tests {
    use billwatch_proto::v1::{AsOf, Counter};

    use super::*;

    #[test]
    fn the_page_says_in_words_what_the_answer_holds() {
        let counter = |label: &str, value| Counter { name: "records_refused_total".into(), label: label.into(), value };
        let status = GetStatusResponse {
            as_of: Some(AsOf { epoch: 1_230, market_clock_ms: Some(1_759_852_800_000) }),
            sealed_epoch: 1_234,
            generation: 3,
            serving: true,
            processes: 2,
            accepted_facts: 1_032_000,
            counters: vec![counter("NOT_JSON", 2), counter("FIELD_TYPE", 5)],
            freshness: Some(FreshnessStatus { records: 720_000, median_us: 21_500, p99_us: 1_365_000, lag_us: 80_000 }),
            checkpoint: Some(CheckpointStatus {
                epoch: 1_200,
                age_ms: Some(12_000),
                duration_ms: 800,
                bytes: 93_100_000,
                committed: 5,
                failed: 0,
            }),
            ..GetStatusResponse::default()
        };
        let text: Vec<String> = lines(&status).into_iter().map(|(what, text)| format!("{what}: {text}")).collect();
        let text = text.join("\n");
        for part in [
            "state: serving; 0 of 2 workers, generation 3",
            "epoch: 1,230 complete, 1,234 sealed; behind by 4 epochs, 80 ms",
            "freshness: p50 21.5 ms, p99 1.4 s over the 720,000 records of the last minute",
            "checkpoint: epoch 1,200, 12 s ago, took 800 ms, 93.1 MB; since the start 5 committed, 0 failed",
            "facts: 1,032,000 accepted, 0 late; records: 7 refused, 0 known before",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(checkpoint_text(CheckpointStatus::default()).starts_with("none yet"));
    }
}
