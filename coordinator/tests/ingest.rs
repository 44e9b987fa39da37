//! Ingest through the real gRPC door: what is accepted, acknowledged again, refused, kept.

mod common;

use std::time::Duration;

use billwatch_coordinator::{CoordinatorConfig, limits};
use billwatch_market::{
    catalogue::Catalogue,
    fact::{Record, Source},
    ndjson::parse_line,
};
use billwatch_proto::v1::{self, ingest_request::Records};
use common::{Door, as_strs, columns, example, rows, wait_for};
use tonic::Code;
use tonic_types::StatusExt as _;

const BILL_A: &str = "531333100011720250701000000229";
const BILL_B: &str = "531333100011720250310000000012";

fn withdrawal(id: u64, seq: u64, bill: &str, amount: i64) -> String {
    format!(
        r#"{{"event_id":"{id}","behaviour":"END.WDR","event_time":1751958000000,"biz_date":"2025-07-08","source":"NGBS","source_seq":{seq},"bill_id":"{bill}","sub_start":1,"sub_end":{amount},"amount_fen":{amount},"initiator_id":"E0000000002"}}"#
    )
}

fn watermark(source: &str, seq: u64, time: i64) -> String {
    format!(r#"{{"control":"watermark","source":"{source}","source_seq":{seq},"watermark_time":{time}}}"#)
}

fn parse(line: &str) -> Record {
    parse_line(line.as_bytes(), &Catalogue::embedded()).unwrap()
}

fn tuples(refusals: &[v1::Refusal]) -> Vec<(u32, &str, &str)> {
    refusals.iter().map(|refusal| (refusal.row, refusal.code.as_str(), refusal.field.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_the_examples_is_told_kept_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    for name in ["a-reference", "g-flagged"] {
        let lines = example(name);
        let answer = door.send_lines(&as_strs(&lines)).await;
        assert_eq!(tuples(&answer.refusals), vec![], "{name}");
        assert_eq!(answer.accepted + answer.duplicates, lines.len() as u32);
    }
    let facts_before = door.status().await.accepted_facts;
    let answer = door.send_lines(&as_strs(&example("g-refused"))).await;
    let path = format!("{}/../market/examples/g-refused.expected.json", env!("CARGO_MANIFEST_DIR"));
    let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let expected: Vec<(u32, &str, &str)> = expected["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["line"].as_u64().unwrap() as u32 - 1, row["code"].as_str().unwrap(), row["field"].as_str().unwrap())
        })
        .collect();
    assert_eq!(tuples(&answer.refusals), expected);
    assert_eq!((answer.accepted, answer.duplicates), (0, 0));
    assert!(answer.refusals.iter().all(|refusal| !refusal.remedy.is_empty()));
    assert_eq!(door.status().await.accepted_facts, facts_before, "no effect on other facts");
    assert_eq!(door.counter("records_refused_total", "NOT_JSON").await, 2);
    assert_eq!(door.counter("records_refused_total", "SEQUENCE_CONFLICT").await, 1);

    // Every one is a dead letter, in pages.
    let mut letters = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListDeadLettersRequest { page_size: 7, page_token, after: 0 };
        let page = door.admin().await.list_dead_letters(request).await.unwrap().into_inner();
        assert_eq!(page.total_size, expected.len() as u64);
        letters.extend(page.letters);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let kept: Vec<(u32, &str, &str)> =
        letters.iter().map(|letter| (letter.number as u32 - 1, letter.code.as_str(), letter.field.as_str())).collect();
    assert_eq!(kept, expected);
    assert_eq!(letters[0].record, example("g-refused")[0].as_bytes());
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_is_acknowledged_and_changes_nothing_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = ["a-reference", "f-late-corrections"].into_iter().flat_map(example).collect();
    let lines = as_strs(&lines);
    let door = Door::open(dir.path(), 1).await;
    let first = door.send_lines(&lines).await;
    assert_eq!((first.accepted, first.duplicates), (lines.len() as u32, 0));
    let again = door.send_lines(&lines).await;
    assert_eq!((again.accepted, again.duplicates, again.refusals.len()), (0, lines.len() as u32, 0));
    assert!(again.epoch >= first.epoch);
    door.sealed(first.epoch).await;
    let log = door.log().await;
    door.close().await;

    let door = Door::open(dir.path(), 1).await;
    assert_eq!(door.log().await, log, "the log is as it was");
    let again = door.send_lines(&lines).await;
    assert_eq!((again.accepted, again.duplicates, again.gaps), (0, lines.len() as u32, first.gaps));
    assert_eq!(
        door.status().await.accepted_facts,
        log.iter().filter(|(_, r)| matches!(r, Record::Fact(_))).count() as u64
    );
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_columns_give_the_same_log() {
    let lines: Vec<String> = ["a-reference", "c-split-package"].into_iter().flat_map(example).collect();
    let records: Vec<Record> = lines.iter().map(|line| parse(line)).collect();
    let mut logs = Vec::new();
    for batches in [vec![rows(1, &as_strs(&lines))], vec![columns(1, &records[..40]), columns(2, &records[40..])]] {
        let dir = tempfile::tempdir().unwrap();
        let door = Door::open(dir.path(), 1).await;
        let answers = door.send(batches).await;
        let accepted: u32 = answers.iter().map(|answer| answer.as_ref().unwrap().accepted).sum();
        assert_eq!(accepted, lines.len() as u32);
        door.sealed(answers.last().unwrap().as_ref().unwrap().epoch).await;
        logs.push(door.log().await.into_iter().map(|(_, record)| record).collect::<Vec<_>>());
        door.close().await;
    }
    assert_eq!(logs[0], logs[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_conflicts_variants_and_redelivery_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let original = withdrawal(100, 1, BILL_A, 5);
    let redelivered = withdrawal(100, 3, BILL_A, 5);
    let variant = withdrawal(100, 4, BILL_B, 6);
    let answer = door.send_lines(&[&original, &original, &redelivered, &variant]).await;
    assert_eq!((answer.accepted, answer.duplicates), (2, 2));
    assert_eq!(answer.gaps, vec![v1::SequenceGap { source: "NGBS".into(), first_missing: 2, last_missing: 2 }]);

    // Another content under a used number: under that of the redelivery too.
    let other = withdrawal(101, 1, BILL_A, 5);
    let under_redelivered = withdrawal(102, 3, BILL_A, 5);
    let answer = door.send_lines(&[&other, &under_redelivered]).await;
    let conflict = |row| (row, "SEQUENCE_CONFLICT", "source_seq");
    assert_eq!(tuples(&answer.refusals), vec![conflict(0), conflict(1)]);
    door.close().await;
    let door = Door::open(dir.path(), 1).await;
    let answer = door.send_lines(&[&other, &under_redelivered, &redelivered]).await;
    assert_eq!(tuples(&answer.refusals), vec![conflict(0), conflict(1)]);
    assert_eq!(answer.duplicates, 1);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watermarks_never_go_back_and_are_stamped_on_facts() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let lines = [
        withdrawal(1, 1, BILL_A, 1),
        watermark("NGBS", 2, 1_751_958_000_001),
        withdrawal(2, 3, BILL_A, 2),
        watermark("NGBS", 4, 1_751_958_000_000),
        watermark("NGBS", 5, 1_751_958_000_001),
    ];
    let answer = door.send_lines(&lines.each_ref().map(String::as_str)).await;
    assert_eq!(tuples(&answer.refusals), vec![(3, "WATERMARK_BACK", "watermark_time")]);
    assert_eq!(answer.accepted, 4);
    assert_eq!(answer.gaps, vec![], "a refused record uses up its number");
    door.sealed(answer.epoch).await;
    let stamps: Vec<i64> = door
        .log()
        .await
        .into_iter()
        .filter_map(|(_, record)| match record {
            Record::Fact(fact) => Some(fact.stamp.source_watermark),
            Record::Control(_) => None,
        })
        .collect();
    assert_eq!(stamps, vec![i64::MIN, 1_751_958_000_001]);
    assert_eq!(door.counter("facts_late_total", "").await, 1);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_time_is_the_machines_unless_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let mut live = rows(1, &[&withdrawal(1, 1, BILL_A, 1)]);
    live.replay = false;
    let epoch = door.send(vec![live, rows(2, &[&withdrawal(2, 2, BILL_A, 1)])]).await.pop().unwrap().unwrap().epoch;
    door.sealed(epoch).await;
    let times: Vec<i64> = door
        .log()
        .await
        .into_iter()
        .filter_map(|(_, record)| match record {
            Record::Fact(fact) => Some(fact.stamp.ingest_time),
            Record::Control(_) => None,
        })
        .collect();
    assert!(times[0] > 1_760_000_000_000, "now, not the time of the event");
    assert_eq!(times[1], 1_751_958_000_000, "replayed: the time of the event");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_is_cut_into_epochs_and_answers_come_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let config = CoordinatorConfig {
        epoch_records: 100,
        ..CoordinatorConfig::new("127.0.0.1:0".parse().unwrap(), dir.path(), 1)
    };
    let door = Door::with(config).await.unwrap();
    let records: Vec<Record> = (1..=1_000).map(|n| parse(&withdrawal(n, n, BILL_A, 1))).collect();
    let batches = records.chunks(350).zip(1..).map(|(part, id)| columns(id, part)).collect();
    let answers: Vec<v1::IngestResponse> = door.send(batches).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().map(|answer| answer.batch_id).collect::<Vec<_>>(), vec![1, 2, 3]);
    assert_eq!(answers.iter().map(|answer| answer.accepted).sum::<u32>(), 1_000);
    assert!(answers.is_sorted_by_key(|answer| answer.epoch));
    door.sealed(answers[2].epoch).await;
    let log = door.log().await;
    assert_eq!(
        log.iter().map(|(_, record)| record.sequence().1).collect::<Vec<_>>(),
        (1..=1_000).collect::<Vec<u64>>()
    );
    for epoch in 1..=answers[2].epoch {
        assert!(log.iter().filter(|(of, _)| *of == epoch).count() <= 100);
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_and_misfit_batches_end_their_stream_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let good = || rows(1, &[&withdrawal(1, 1, BILL_A, 1)]);

    let many = v1::IngestRequest {
        batch_id: 2,
        records: Some(Records::Rows(v1::RowBatch { rows: vec![v1::Row::default(); limits::BATCH_RECORDS + 1] })),
        replay: true,
    };
    let answers = door.send(vec![good(), many, good()]).await;
    assert_eq!(answers.len(), 2, "the batch before is answered, the one behind is not read");
    assert_eq!(answers[0].as_ref().unwrap().accepted, 1);
    let status = answers[1].as_ref().unwrap_err();
    assert_eq!(
        (status.code(), status.get_details_error_info().unwrap().reason.as_str()),
        (Code::ResourceExhausted, "TOO_LARGE")
    );

    let Some(Records::Columns(mut misfit)) = columns(3, &[parse(&withdrawal(2, 2, BILL_A, 1))]).records else {
        panic!()
    };
    misfit.row_count = 2;
    let request = v1::IngestRequest { batch_id: 3, records: Some(Records::Columns(misfit)), replay: true };
    let status = door.send(vec![request]).await.pop().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(door.counter("batches_refused_total", "TOO_LARGE").await, 1);
    assert_eq!(door.counter("batches_refused_total", "BAD_REQUEST").await, 1);

    let empty = v1::IngestRequest::default();
    assert_eq!(door.send(vec![empty]).await.pop().unwrap().unwrap_err().code(), Code::InvalidArgument);

    // Bytes that are no message at all, and a message over the limit of bytes.
    let huge = "x".repeat(limits::MESSAGE_BYTES + 1);
    assert_eq!(door.send(vec![rows(5, &[&huge])]).await.pop().unwrap().unwrap_err().code(), Code::OutOfRange);
    send_garbage(&door).await;

    // Lines that are too long are refused one by one.
    let long = format!("{{\"remark\":\"{}\"}}", "x".repeat(70_000));
    let answer = door.send_lines(&[&long, &withdrawal(3, 3, BILL_A, 1)]).await;
    assert_eq!(tuples(&answer.refusals), vec![(0, "LINE_TOO_LONG", "")]);
    assert_eq!(answer.accepted, 1);
    door.close().await;
}

/// A gRPC frame whose payload is not a message of the schema.
async fn send_garbage(door: &Door) {
    use tonic::codegen::http::uri::PathAndQuery;
    let mut client = tonic::client::Grpc::new(door.channel().await);
    client.ready().await.unwrap();
    // Another message type on the wire: field 2 as a varint where columns are expected.
    let codec = tonic_prost::ProstCodec::<v1::SequenceGap, v1::IngestResponse>::default();
    let garbage = v1::SequenceGap { source: "\u{fffd}".into(), first_missing: u64::MAX, last_missing: 7 };
    let path = PathAndQuery::from_static("/billwatch.v1.IngestService/Ingest");
    let answer = client.streaming(tonic::Request::new(tokio_stream::iter([garbage])), path, codec).await;
    let failed = match answer {
        Err(_) => true,
        Ok(mut stream) => stream.get_mut().message().await.map_or(true, |answer| answer.is_none()),
    };
    assert!(failed, "garbage is not acknowledged");
    wait_for("the broken stream to be counted", async || {
        let counters = door.status().await.counters;
        counters.iter().any(|counter| counter.name == "ingest_streams_broken_total" && counter.value > 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_leaves_whole_batches_and_may_send_them_again() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let records: Vec<Record> = (1..=500).map(|n| parse(&withdrawal(n, n, BILL_A, 1))).collect();
    {
        let (sender, batches) = tokio::sync::mpsc::channel(4);
        let mut client = door.ingest().await;
        let answers = client.ingest(tokio_stream::wrappers::ReceiverStream::new(batches)).await.unwrap();
        sender.send(columns(1, &records)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop((answers, client, sender));
    }
    let answer = door.send(vec![columns(2, &records)]).await.pop().unwrap().unwrap();
    assert_eq!(answer.accepted + answer.duplicates, 500);
    assert_eq!(door.status().await.accepted_facts, 500, "none is lost, none is doubled");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_many_clients_keep_every_sequence_whole() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let sources = [Source::Ngbs, Source::Cpes, Source::Clrs];
    let send = sources.iter().enumerate().map(|(at, source)| {
        let line = |n: u64| withdrawal(at as u64 * 10_000 + n, n, BILL_A, 1).replace("NGBS", source.code());
        let records: Vec<Record> = (1..=3_000).map(|n| parse(&line(n))).collect();
        let batches: Vec<v1::IngestRequest> =
            records.chunks(100).zip(1..).map(|(part, id)| columns(id, part)).collect();
        door.send(batches)
    });
    for answers in futures::future::join_all(send).await {
        assert_eq!(answers.len(), 30);
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap().accepted == 100));
    }
    let status = door.status().await;
    door.sealed(status.sealed_epoch).await;
    assert_eq!(status.accepted_facts, 9_000);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_coordinator_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let config = CoordinatorConfig::new("127.0.0.1:0".parse().unwrap(), dir.path(), 1);
    let error = Door::with(config).await.err().expect("the directory is locked");
    assert!(error.to_string().contains("locked"), "{error}");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_dates_and_forms_of_control_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let control = r#"{"control":"idle","behaviour":"END.WDR","source":"NGBS","source_seq":1}"#;
    let issue = example("b-plain-bab").into_iter().find(|line| line.contains("ISS.REG")).unwrap();
    let mut issue: serde_json::Value = serde_json::from_str(&issue).unwrap();
    issue["due_date"] = "2001-01-01".into();
    let answer = door.send_lines(&[control, &issue.to_string()]).await;
    assert_eq!(tuples(&answer.refusals), vec![(0, "CONTROL_FORM", "control"), (1, "DATE_ORDER", "due_date")]);
    door.close().await;
}

/// A copy of the log's files, taken while they are written, is what a crash leaves: a prefix, torn anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_image_holds_every_record_acknowledged_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let records: Vec<Record> = (1..=20_000).map(|n| parse(&withdrawal(n, n, BILL_A, 1))).collect();
    let batches: Vec<v1::IngestRequest> = records.chunks(50).zip(1..).map(|(part, id)| columns(id, part)).collect();
    let mut client = door.ingest().await;
    let mut answers = client.ingest(tokio_stream::iter(batches)).await.unwrap().into_inner();
    let mut images = Vec::new();
    let mut acknowledged = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        acknowledged += answer.accepted as usize;
        if answer.batch_id % 80 == 7 {
            let image = tempfile::tempdir().unwrap();
            std::fs::create_dir(image.path().join("log")).unwrap();
            for entry in std::fs::read_dir(dir.path().join("log")).unwrap() {
                let entry = entry.unwrap();
                std::fs::copy(entry.path(), image.path().join("log").join(entry.file_name())).unwrap();
            }
            images.push((acknowledged, image));
        }
    }
    door.close().await;
    assert_eq!((acknowledged, images.len()), (20_000, 5));
    for (acknowledged, image) in images {
        let door = Door::open(image.path(), 1).await;
        let again = door.send(records[..acknowledged].chunks(5_000).map(|part| columns(1, part)).collect()).await;
        assert!(again.iter().all(|answer| answer.as_ref().unwrap().accepted == 0), "{acknowledged} were acknowledged");
        // The client goes on where it was: all is there once.
        let rest = door.send(records.chunks(5_000).map(|part| columns(1, part)).collect()).await;
        let epoch = rest.last().unwrap().as_ref().unwrap().epoch;
        door.sealed(epoch).await;
        let numbers: Vec<u64> = door.log().await.iter().map(|(_, record)| record.sequence().1).collect();
        assert_eq!(numbers, (1..=20_000).collect::<Vec<u64>>());
        door.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_makes_no_counters_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let mut lines: Vec<String> =
        (0..50).map(|n| withdrawal(1 + n, 1 + n, BILL_A, 1).replace("NGBS", &format!("GARBAGE-{n}"))).collect();
    lines.push("{".to_owned());
    lines.push(withdrawal(90, 90, BILL_A, 1).replace("E0000000002", "nobody"));
    assert_eq!(door.send_lines(&as_strs(&lines)).await.refusals.len(), 52);
    let counters = door.status().await.counters;
    let mut labels: Vec<(String, i64)> = counters
        .into_iter()
        .filter(|counter| counter.name == "records_refused_by_source_total")
        .map(|counter| (counter.label, counter.value))
        .collect();
    labels.sort();
    assert_eq!(labels, [("NGBS".to_owned(), 1), ("UNKNOWN".to_owned(), 51)]);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_gaps_are_counted_and_the_first_ones_listed() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (1..=300).map(|n| withdrawal(n, 2 * n, BILL_A, 1)).collect();
    for round in 0..2 {
        let door = Door::open(dir.path(), 1).await;
        if round == 0 {
            let answer = door.send_lines(&as_strs(&lines)).await;
            assert_eq!(answer.gaps.len(), limits::GAPS_LISTED);
            assert_eq!(door.send_lines(&[&watermark("CPES", 1, 5)]).await.gaps, vec![], "of the sources of the batch");
        }
        assert_eq!(door.counter("sequence_gaps", "NGBS").await, 300, "also after a restart");
        door.close().await;
    }
}
