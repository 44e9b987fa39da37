//! The metrics endpoint of a live coordinator, scraped over TCP.

mod common;

use billwatch_coordinator::CoordinatorConfig;
use billwatch_proto::v1;
use billwatch_telemetry::table::{Role, coordinator as table};
use common::{
    Door, FakeWorker, as_strs, example,
    scrape::{has_value, scrape, sum},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_there_and_moves() {
    let dir = tempfile::tempdir().unwrap();
    let config = CoordinatorConfig {
        metrics: Some("127.0.0.1:0".parse().unwrap()),
        checkpoint_interval: None,
        ..CoordinatorConfig::new("127.0.0.1:0".parse().unwrap(), dir.path(), 1)
    };
    let door = Door::with(config).await.unwrap();
    let address = door.metrics.expect("it listens");
    let before = scrape(address);
    assert_eq!(before["billwatch_freshness_seconds_count"], 0.0);
    assert_eq!(before["billwatch_members"], 0.0);
    assert_eq!(before["billwatch_members_expected"], 1.0);
    assert_eq!(
        before[&format!("billwatch_build_info{{version=\"{}\",role=\"coordinator\"}}", env!("CARGO_PKG_VERSION"))],
        1.0
    );

    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    worker.start().await;
    let lines = example("a-reference");
    let mut sent = as_strs(&lines);
    sent.push("{");
    let answer = door.send_lines(&sent).await;
    assert_eq!((answer.accepted as usize, answer.refusals.len()), (lines.len(), 1));
    let again = door.send_lines(&as_strs(&lines)).await;
    assert_eq!(again.duplicates as usize, lines.len());

    // One alert appears, with the epoch that holds the last record.
    let mut done = 0;
    while done < answer.epoch {
        let epoch = worker.next_epoch().await;
        done = epoch.epoch;
        let change = v1::AlertChange {
            id_low: 1,
            pattern: "P001".into(),
            key: "E1".into(),
            hits: vec![0, 0, 0, 1],
            ..v1::AlertChange::default()
        };
        worker.done(epoch.epoch, if done == answer.epoch { vec![change] } else { Vec::new() }).await;
    }
    // A checkpoint that fails, and one that is committed.
    for error in ["no room", ""] {
        let mut admin = door.admin().await;
        let taking = tokio::spawn(async move { admin.take_checkpoint(v1::TakeCheckpointRequest {}).await });
        let ordered = worker.next().await;
        assert!(matches!(ordered, Some(v1::work_response::Message::Checkpoint(_))), "{ordered:?}");
        let part = v1::CheckpointDone { epoch: done, bytes: 12_345, error: error.into() };
        worker.tell(v1::work_request::Message::CheckpointDone(part)).await;
        assert_eq!(taking.await.unwrap().is_ok(), error.is_empty());
    }
    let mut questions = v1::query_service_client::QueryServiceClient::new(door.channel().await);
    assert!(questions.get_bill(v1::GetBillRequest { bill_id: "x".into() }).await.is_err());

    // What is visible is noted by a task of its own, failed checkpoints with the next look around.
    let started = std::time::Instant::now();
    let after = loop {
        let samples = scrape(address);
        if samples["billwatch_freshness_seconds_count"] >= lines.len() as f64
            && samples["billwatch_checkpoints_failed_total"] > 0.0
        {
            break samples;
        }
        assert!(started.elapsed().as_secs() < 20, "{samples:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let accepted = sum(&after, "billwatch_records_accepted_total");
    assert_eq!(accepted as usize, lines.len());
    for (series, value) in [
        ("billwatch_freshness_seconds_count", lines.len() as f64),
        ("billwatch_freshness_seconds_bucket{le=\"+Inf\"}", lines.len() as f64),
        ("billwatch_records_duplicate_total", lines.len() as f64),
        ("billwatch_records_refused_total{code=\"NOT_JSON\"}", 1.0),
        ("billwatch_dead_letters", 1.0),
        ("billwatch_epoch_sealed", done as f64),
        ("billwatch_epoch_completed", done as f64),
        ("billwatch_epoch_lag", 0.0),
        ("billwatch_epoch_lag_seconds", 0.0),
        ("billwatch_generation", 1.0),
        ("billwatch_members", 1.0),
        ("billwatch_serving", 1.0),
        ("billwatch_alerts_open{level=\"RED\"}", 1.0),
        ("billwatch_alerts_open{level=\"BLUE\"}", 0.0),
        ("billwatch_alerts_opened_total", 1.0),
        ("billwatch_alerts_withdrawn_total", 0.0),
        ("billwatch_checkpoint_epoch", done as f64),
        ("billwatch_checkpoint_size_bytes", 12_345.0),
        ("billwatch_checkpoints_committed_total", 1.0),
        ("billwatch_checkpoints_failed_total", 1.0),
        ("billwatch_questions_total{kind=\"bill\"}", 1.0),
        ("billwatch_questions_failed_total{kind=\"bill\"}", 1.0),
        ("billwatch_question_seconds_count{kind=\"bill\"}", 1.0),
        ("billwatch_ingest_in_flight_bytes", 0.0),
    ] {
        assert_eq!(after.get(series), Some(&value), "{series} in {after:#?}");
    }
    for grown in [
        "billwatch_log_size_bytes",
        "billwatch_log_group_commits_total",
        "billwatch_data_directory_bytes",
        "billwatch_epochs_completed_total",
        "billwatch_ingest_streams_total",
    ] {
        assert!(after[grown] > before[grown], "{grown}: {} then {}", before[grown], after[grown]);
    }
    assert!(after["billwatch_disk_free_bytes"] > 0.0 && after["billwatch_freshness_seconds_sum"] > 0.0);
    let status = door.status().await;
    let freshness = status.freshness.unwrap();
    assert_eq!((freshness.records as usize, freshness.lag_us), (lines.len(), 0));
    assert!(freshness.p99_us >= freshness.median_us && freshness.median_us > 0);
    let checkpoint = status.checkpoint.unwrap();
    assert_eq!((checkpoint.epoch, checkpoint.bytes, checkpoint.committed, checkpoint.failed), (done, 12_345, 1, 1));
    assert!(checkpoint.age_ms.is_some());

    // What has no value here: there was no such event, or the machine has no such limit.
    let absent: Vec<&str> =
        Role::Coordinator.metrics().filter(|metric| !has_value(&after, metric)).map(|metric| metric.name).collect();
    let may_be_absent = [
        "billwatch_cgroup_memory_usage_bytes",
        "billwatch_cgroup_memory_limit_bytes",
        "billwatch_batches_refused_total",
        "billwatch_ingest_streams_broken_total",
        table::MARKET_CLOCK.name,
        table::RULES.name,
        table::RULES_DEAD.name,
    ];
    assert!(absent.iter().all(|name| may_be_absent.contains(name)), "{absent:?} have no value");
    door.close().await;
}
