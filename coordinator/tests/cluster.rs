//! The coordinator's side of the mesh, with workers that only speak the protocol.

mod common;

use std::{fs, path::Path};

use billwatch_coordinator::CoordinatorConfig;
use billwatch_market::{fact::Record, key_group::KEY_GROUPS};
use billwatch_proto::v1::{
    self, shard_answer, shard_question, work_request::Message as Say, work_response::Message as Hear,
};
use common::{Door, FakeWorker, as_strs, decode_all, example, rows, wait_for};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt as _;

/// Two workers in a running generation.
async fn two(door: &Door, checkpoints: [&[u64]; 2]) -> ([FakeWorker; 2], v1::Start) {
    let mut first = FakeWorker::join(door, FakeWorker::register(0, checkpoints[0])).await.unwrap();
    let mut second = FakeWorker::join(door, FakeWorker::register(1, checkpoints[1])).await.unwrap();
    let start = first.start().await;
    assert_eq!(second.start().await, start, "all get the same Start");
    ([first, second], start)
}

fn shard_records(epochs: &[v1::Epoch]) -> Vec<(u32, Record)> {
    let shards = epochs.iter().flat_map(|epoch| &epoch.shards);
    shards.flat_map(|shard| decode_all(&shard.records).into_iter().map(|record| (shard.worker, record))).collect()
}

async fn health(door: &Door, service: &str) -> ServingStatus {
    let mut client = HealthClient::new(door.channel().await);
    let answer = client.check(HealthCheckRequest { service: service.into() }).await.unwrap();
    answer.into_inner().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_gets_the_whole_log_then_live_epochs_each_record_at_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let reference = example("a-reference");
    let before = door.send_lines(&as_strs(&reference)).await.epoch;
    door.sealed(before).await;
    assert_eq!(health(&door, "live").await, ServingStatus::Serving);
    assert_eq!(health(&door, "ready").await, ServingStatus::NotServing);

    let ([mut first, mut second], start) = two(&door, [&[], &[]]).await;
    assert_eq!((start.generation, start.restore_epoch, start.threads), (1, 0, 2));
    assert_eq!(start.mesh_addresses, ["127.0.0.1:7000", "127.0.0.1:7001"]);
    assert_eq!(start.key_group_owners.len(), usize::from(KEY_GROUPS));
    assert!(start.key_group_owners.is_sorted() && *start.key_group_owners.last().unwrap() == 3);
    let epochs = first.do_until(before).await;
    assert_eq!(second.do_until(before).await.len(), epochs.len());
    assert_eq!(epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), (1..=before).collect::<Vec<_>>());
    // Every fact of this file is reference data: all workers get all of it, controls go to none.
    let reference: u32 = epochs.iter().map(|epoch| epoch.reference_count).sum();
    assert_eq!(u64::from(reference), door.status().await.accepted_facts);
    wait_for("the cluster to serve", async || door.status().await.serving).await;
    wait_for("the probe to say so", async || health(&door, "ready").await == ServingStatus::Serving).await;

    // All facts of this file are about one bill; trade background goes both ways.
    let live = door.send_lines(&as_strs(&example("c-split-package"))).await.epoch;
    let facts = example("c-split-package").iter().filter(|line| line.contains("behaviour")).count();
    let mut records = shard_records(&first.do_until(live).await);
    records.extend(shard_records(&second.do_until(live).await));
    assert_eq!(records.len(), facts);
    for (worker, record) in records {
        let Record::Fact(fact) = record else { panic!("control records stay with the coordinator") };
        let group = billwatch_market::key_group::key_group_of_bill(fact.bill_id.unwrap());
        assert_eq!(start.key_group_owners[usize::from(group)], worker);
    }
    wait_for("the last epoch", async || door.status().await.as_of.is_some_and(|as_of| as_of.epoch == live)).await;
    let status = door.status().await;
    assert_eq!(status.members.iter().map(|member| member.epoch).collect::<Vec<_>>(), [live, live]);
    assert_eq!(status.members.iter().map(|member| member.key_groups).sum::<u32>(), u32::from(KEY_GROUPS));
    assert!(status.as_of.unwrap().market_clock_ms.is_some());
    door.close().await;
}

fn book_line(number: u64, holder: &str, amount: i64) -> String {
    format!(
        r#"{{"control":"book_line","source":"CPES","source_seq":{number},"holder_id":"{holder}","book_date":"2025-07-08","bill_id":"531333100011720250310000000012","sub_start":1,"sub_end":{amount},"amount_fen":{amount}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_book_goes_to_the_owner_of_the_member_once_and_in_a_replay_too() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let end = r#"{"control":"book_end","source":"CPES","source_seq":3,"holder_id":"100102","book_date":"2025-07-08","line_count":1,"book_total_fen":7}"#;
    let lines = [
        book_line(1, "100101", 5),
        book_line(2, "100102", 7),
        end.to_owned(),
        book_line(4, "100102", 7),
        end.replace(":3", ":5"),
    ];
    let answer = door.send_lines(&as_strs(&lines)).await;
    // The same line, and the same end, under another number is no second one.
    assert_eq!((answer.accepted, answer.duplicates, answer.refusals.len()), (3, 2, 0));
    let of_holder = |start: &v1::Start, records: Vec<(u32, Record)>| {
        assert_eq!(records.len(), 3);
        for (worker, record) in records {
            let book = billwatch_market::books::read(record).expect("a record of a book");
            let holder = book.party(billwatch_market::fact::Field::HolderId).unwrap();
            let group = billwatch_market::key_group::key_group_of_party(holder);
            assert_eq!(start.key_group_owners[usize::from(group)], worker);
        }
    };
    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    let start = worker.start().await;
    of_holder(&start, shard_records(&worker.do_until(answer.epoch).await));
    door.close().await;

    let door = Door::open(dir.path(), 1).await;
    let again = door.send_lines(&as_strs(&lines)).await;
    assert_eq!((again.accepted, again.duplicates), (0, 5));
    let again = door.send_lines(&[&book_line(6, "100102", 7)]).await;
    assert_eq!((again.accepted, again.duplicates), (0, 1));
    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    let start = worker.start().await;
    of_holder(&start, shard_records(&worker.do_until(answer.epoch).await));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_in_flight_are_bounded_and_questions_pass_them() {
    let dir = tempfile::tempdir().unwrap();
    let config = CoordinatorConfig {
        epoch_records: 2,
        epochs_in_flight: 3,
        ..CoordinatorConfig::new("127.0.0.1:0".parse().unwrap(), dir.path(), 1)
    };
    let door = Door::with(config).await.unwrap();
    let last = door.send_lines(&as_strs(&example("a-reference"))).await.epoch;
    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    worker.start().await;
    for epoch in 1..=3 {
        assert_eq!(worker.next_epoch().await.epoch, epoch);
    }
    // Nothing is done: the next message is the question, behind epoch 3, not epoch 4.
    let mut admin = door.admin().await;
    let dump = tokio::spawn(async move {
        let mut stream = admin.dump_views(v1::DumpViewsRequest::default()).await?.into_inner();
        stream.message().await
    });
    let Some(Hear::Question(question)) = worker.next().await else { panic!("a question") };
    let hash = v1::ViewHash { view: "bills".into(), high: 1, low: u64::MAX, rows: 2 };
    let response = v1::DumpViewsResponse { hashes: vec![hash.clone(), hash], ..Default::default() };
    let kind = Some(shard_answer::Kind::Dump(response));
    worker
        .tell(Say::Answer(v1::ShardAnswer {
            question: question.question,
            epoch: 3,
            last: true,
            kind,
            ..Default::default()
        }))
        .await;
    let answer = dump.await.unwrap().unwrap().unwrap();
    assert_eq!(answer.as_of.unwrap().epoch, 3);
    assert_eq!(answer.hashes, [v1::ViewHash { view: "bills".into(), high: 3, low: u64::MAX - 1, rows: 4 }]);
    for epoch in 1..=3 {
        worker.done(epoch, Vec::new()).await;
    }
    assert_eq!(worker.do_until(last).await.first().unwrap().epoch, 4);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_one_process_ends_the_generation_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let last = door.send_lines(&as_strs(&example("a-reference"))).await.epoch;
    let ([mut first, second], start) = two(&door, [&[], &[]]).await;
    first.do_until(last).await;
    let mut admin = door.admin().await;
    let asked = tokio::spawn(async move {
        let mut stream = admin.dump_views(v1::DumpViewsRequest::default()).await?.into_inner();
        stream.message().await
    });
    assert!(matches!(first.next().await, Some(Hear::Question(_))));
    drop(second);
    let Some(Hear::Stop(stop)) = first.next().await else { panic!("Stop for the one that is left") };
    assert!(stop.reason.contains("process 1"), "{}", stop.reason);
    assert!(first.next().await.is_none(), "and its stream ends");
    let status = asked.await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.get_details_error_info().unwrap().reason.as_str()),
        (Code::Unavailable, "NOT_SERVING")
    );
    assert!(!door.status().await.serving);

    // The next generation has another number and begins at the beginning again.
    let ([mut first, mut second], again) = two(&door, [&[], &[]]).await;
    assert_eq!((again.generation, again.restore_epoch), (start.generation + 1, 0));
    assert_eq!(again.cluster_id, start.cluster_id);
    assert_eq!(first.do_until(last).await.len(), second.do_until(last).await.len());

    // A worker that says what cannot be is not believed.
    first.done(last + 5, Vec::new()).await;
    assert!(matches!(second.next().await, Some(Hear::Stop(_))));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_counts_once_all_have_it_and_is_restored_under_the_same_layout_only() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let cut = door.send_lines(&as_strs(&example("a-reference"))).await.epoch;
    let ([mut first, mut second], _) = two(&door, [&[], &[]]).await;
    first.do_until(cut).await;
    second.do_until(cut).await;
    wait_for("the epoch", async || door.status().await.as_of.is_some_and(|as_of| as_of.epoch == cut)).await;
    let mut admin = door.admin().await;
    let taken = tokio::spawn(async move { admin.take_checkpoint(v1::TakeCheckpointRequest {}).await });
    for worker in [&mut first, &mut second] {
        assert!(matches!(worker.next().await, Some(Hear::Checkpoint(v1::Checkpoint { epoch })) if epoch == cut));
    }
    let done = v1::CheckpointDone { epoch: cut, bytes: 10, error: String::new() };
    first.tell(Say::CheckpointDone(done.clone())).await;
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    assert_eq!(door.status().await.checkpoint_epoch, 0, "one of two is not complete");
    second.tell(Say::CheckpointDone(done)).await;
    for worker in [&mut first, &mut second] {
        assert!(matches!(worker.next().await, Some(Hear::CheckpointCommitted(c)) if c.epoch == cut));
    }
    assert_eq!(taken.await.unwrap().unwrap().into_inner().epoch, cut);
    let clock = door.status().await.as_of.unwrap().market_clock_ms;
    let last = door.send_lines(&as_strs(&example("c-split-package"))).await.epoch;
    door.sealed(last).await;
    door.close().await;

    let door = Door::open(dir.path(), 2).await;
    let (mut workers, start) = two(&door, [&[cut, 99], &[cut]]).await;
    assert_eq!(start.restore_epoch, cut);
    let as_of = door.status().await.as_of.unwrap();
    assert_eq!((as_of.epoch, as_of.market_clock_ms), (cut, clock), "the restored state holds at its epoch");
    for worker in &mut workers {
        assert_eq!(worker.do_until(last).await.first().unwrap().epoch, cut + 1);
    }
    drop(workers);
    wait_for("the end", async || door.status().await.generation == 0).await;
    // One process has lost its disk: everything is replayed.
    let (_, start) = two(&door, [&[cut], &[]]).await;
    assert_eq!(start.restore_epoch, 0);
    wait_for("the end", async || door.status().await.generation == 0).await;
    // Other threads: another layout.
    let mut registers = [FakeWorker::register(0, &[cut]), FakeWorker::register(1, &[cut])];
    registers.iter_mut().for_each(|register| register.threads = 3);
    let [first, second] = registers;
    let mut first = FakeWorker::join(&door, first).await.unwrap();
    let _second = FakeWorker::join(&door, second).await.unwrap();
    assert_eq!(first.start().await.restore_epoch, 0);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_checkpoint_is_told_and_not_committed() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let cut = door.send_lines(&as_strs(&example("a-reference"))).await.epoch;
    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    worker.start().await;
    worker.do_until(cut).await;
    let mut admin = door.admin().await;
    let taken = tokio::spawn(async move { admin.take_checkpoint(v1::TakeCheckpointRequest {}).await });
    assert!(matches!(worker.next().await, Some(Hear::Checkpoint(_))));
    worker.tell(Say::CheckpointDone(v1::CheckpointDone { epoch: cut, bytes: 0, error: "disk full".into() })).await;
    let status = taken.await.unwrap().unwrap_err();
    assert!(status.message().contains("disk full"), "{status}");
    assert_eq!(door.status().await.checkpoint_epoch, 0);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_do_not_fit_are_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let _kept = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    let good = FakeWorker::register(1, &[]);
    for (register, word) in [
        (v1::Register { process: 2, ..good.clone() }, "process 2"),
        (v1::Register { build: "0.0.1".into(), ..good.clone() }, "build 0.0.1"),
        (v1::Register { catalogue_fingerprint: 1, ..good.clone() }, "catalogue"),
        (v1::Register { threads: 0, ..good.clone() }, "threads 0"),
        (v1::Register { threads: 3, ..good.clone() }, "the other processes have 2"),
    ] {
        let status = FakeWorker::join(&door, register).await.err().expect(word);
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains(word), "{status}");
    }
    assert_eq!(door.counter("registrations_refused_total", "").await, 5);
    assert_eq!(door.status().await.members.len(), 1);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_of_other_bills_come_to_both_owners_also_on_replay() {
    let fact = |seq: u64, bill: &str| {
        format!(
            r#"{{"event_id":"100","behaviour":"END.WDR","event_time":1751958000000,"biz_date":"2025-07-08","source":"NGBS","source_seq":{seq},"bill_id":"{bill}","sub_start":1,"sub_end":5,"amount_fen":5,"initiator_id":"E0000000002"}}"#
        )
    };
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    // Bills of key groups that the two processes own: 501 and 624 (published vectors).
    let (low, high) = ("531333100011720250310000000012", "031333100011720250310000000012");
    let ([first, second], _) = two(&door, [&[], &[]]).await;
    let mut workers = [first, second];
    // Two epochs, so that the earlier one lies in the log alone.
    let mut last = door.send_lines(&[&fact(1, low)]).await.epoch;
    door.sealed(last).await;
    last = door.send_lines(&[&fact(2, high)]).await.epoch;
    for round in ["live", "replayed"] {
        let mut seen = Vec::new();
        for worker in &mut workers {
            let epochs = worker.do_until(last).await;
            for shard in epochs.iter().flat_map(|epoch| &epoch.shards) {
                let numbers =
                    |bytes: &[u8]| decode_all(bytes).iter().map(|record| record.sequence().1).collect::<Vec<_>>();
                seen.push((worker.process, numbers(&shard.records), numbers(&shard.variants)));
            }
        }
        // Each also gets its own one again: it tells where the other belongs.
        let expected = [(0, vec![1], vec![]), (0, vec![], vec![1, 2]), (1, vec![2], vec![1, 2])];
        assert_eq!(seen, expected, "{round}");
        drop(workers);
        wait_for("the end", async || door.status().await.generation == 0).await;
        workers = two(&door, [&[], &[]]).await.0;
    }
    assert_eq!(door.log().await.len(), 2, "copies are no accepted records");
    door.close().await;
}

fn log_file(dir: &Path) -> std::path::PathBuf {
    let mut files: Vec<_> = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_a_crash_left_open_is_sealed_with_all_its_records() {
    let dir = tempfile::tempdir().unwrap();
    let lines = example("c-split-package");
    let door = Door::open(dir.path(), 1).await;
    let answer = door.send_lines(&as_strs(&lines)).await;
    door.sealed(answer.epoch).await;
    let log = door.log().await;
    door.close().await;
    let path = log_file(dir.path());
    let whole = fs::read(&path).unwrap();
    // A seal frame has 49 bytes: cut at and inside it.
    for cut in [49, 48, 20, 1] {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let door = Door::open(dir.path(), 1).await;
        door.sealed(answer.epoch).await;
        assert_eq!(door.log().await, log);
        let again = door.send_lines(&as_strs(&lines)).await;
        assert_eq!((again.accepted, again.duplicates), (0, lines.len() as u32));
        let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
        worker.start().await;
        assert_eq!(worker.do_until(answer.epoch).await.last().unwrap().epoch, answer.epoch);
        door.close().await;
    }
    // Torn inside the records: they were never acknowledged before the cut; the client sends them again.
    fs::write(&path, &whole[..whole.len() - 200]).unwrap();
    let door = Door::open(dir.path(), 1).await;
    let again = door.send_lines(&as_strs(&lines)).await;
    assert_eq!((again.accepted, again.duplicates), (lines.len() as u32, 0));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    for part in example("c-split-package").chunks(4) {
        door.send(vec![rows(1, &as_strs(part))]).await.pop().unwrap().unwrap();
    }
    door.close().await;
    let path = log_file(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let config = CoordinatorConfig::new("127.0.0.1:0".parse().unwrap(), dir.path(), 1);
    let error = Door::with(config).await.err().expect("damage is told");
    assert!(error.to_string().contains("damaged at byte"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_workers_questions_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let status = door.admin().await.dump_views(v1::DumpViewsRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("2 of 2 worker processes are missing"), "{status}");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_at_its_epoch_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    worker.start().await;
    wait_for("the cluster to serve", async || door.status().await.serving).await;
    for (epoch, error, code) in [
        (7, "", Code::Internal),
        (0, "no such view", Code::Internal),
        (0, "INVALID_ARGUMENT: no view `x`", Code::InvalidArgument),
    ] {
        let mut admin = door.admin().await;
        let asked = tokio::spawn(async move {
            let request = v1::DumpViewsRequest { view: "x".into() };
            let mut stream = admin.dump_views(request).await?.into_inner();
            stream.message().await
        });
        let Some(Hear::Question(question)) = worker.next().await else { panic!("a question") };
        assert!(matches!(question.kind, Some(shard_question::Kind::Dump(_))));
        let answer =
            v1::ShardAnswer { question: question.question, epoch, last: true, error: error.into(), kind: None };
        worker.tell(Say::Answer(answer)).await;
        assert_eq!(asked.await.unwrap().unwrap_err().code(), code, "{epoch} {error}");
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_cannot_write_its_files_ends_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let epoch = door.send_lines(&as_strs(&example("a-reference"))).await.epoch;
    door.sealed(epoch).await;
    fs::remove_dir_all(dir.path()).unwrap();
    // The number of the generation cannot be made durable: nothing may begin under it.
    let joined = FakeWorker::join(&door, FakeWorker::register(0, &[])).await;
    assert!(joined.is_err());
    let error = door.fails().await;
    assert!(error.to_string().contains("cluster.json"), "{error}");
}
