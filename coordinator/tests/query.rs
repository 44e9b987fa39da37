//! Queries and subscriptions: parts of several processes become one answer at one epoch.

mod common;

use billwatch_market::{
    aggregate::{Aggregates, CellKey, Partial, wire::CellsPart},
    ids::Day,
    items::Item,
};
use billwatch_proto::v1::{
    self, query_service_client::QueryServiceClient, shard_answer, shard_question, work_request::Message as Say,
    work_response::Message as Hear,
};
use common::{Door, FakeWorker, as_strs, example, wait_for};
use tonic::Code;

/// Two workers that have done all epochs.
async fn cluster(door: &Door) -> ([FakeWorker; 2], u64) {
    let last = door.send_lines(&as_strs(&example("a-reference"))).await.epoch;
    door.sealed(last).await;
    let mut first = FakeWorker::join(door, FakeWorker::register(0, &[])).await.unwrap();
    let mut second = FakeWorker::join(door, FakeWorker::register(1, &[])).await.unwrap();
    first.start().await;
    second.start().await;
    first.do_until(last).await;
    second.do_until(last).await;
    wait_for("the cluster to serve", async || door.status().await.serving).await;
    ([first, second], last)
}

async fn next_question(worker: &mut FakeWorker) -> v1::ShardQuestion {
    match worker.next().await {
        Some(Hear::Question(question)) => question,
        other => panic!("a question was awaited, not {other:?}"),
    }
}

async fn answer(worker: &FakeWorker, question: u64, epoch: u64, last: bool, kind: shard_answer::Kind) {
    let answer = v1::ShardAnswer { question, epoch, last, error: String::new(), kind: Some(kind) };
    worker.tell(Say::Answer(answer)).await;
}

fn issued(measures: &[&str]) -> v1::QueryCellsRequest {
    v1::QueryCellsRequest {
        theme: "T01".into(),
        dimension: "D.month".into(),
        grain: v1::Grain::Month.into(),
        measures: measures.iter().map(|measure| (*measure).to_owned()).collect(),
        ..v1::QueryCellsRequest::default()
    }
}

/// A part with one cell of T01 by date, in the order of its slots: the first is the count.
fn part(day: &str, count: i128) -> prost::bytes::Bytes {
    let aggregates = Aggregates::embedded().unwrap();
    let names = issued(&[]);
    let request = billwatch_market::aggregate::wire::Request {
        theme: &names.theme,
        dimension: &names.dimension,
        items: &[],
        from_date: "",
        to_date: "",
        grain: Some(billwatch_market::aggregate::Grain::Month),
        measures: &[],
    };
    let pair = aggregates.compile(request, None).unwrap().plan.flow.unwrap();
    let mut sums = vec![0; aggregates.slots(pair).len()];
    sums[0] = count;
    let key = CellKey { pair, date: Day::parse(day).unwrap(), item: Item::ALL };
    let partial = Partial { cells: vec![(key, sums)], ..Partial::default() };
    CellsPart { partial, assets: Vec::new() }.encode().into()
}

fn shown(rows: &[v1::CellRow]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row.period.as_str(), row.values[0].value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_are_merged_and_followed_epoch_by_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let ([mut first, mut second], last) = cluster(&door).await;
    let mut client = QueryServiceClient::new(door.channel().await);

    let mut asking = client.clone();
    let asked = tokio::spawn(async move { asking.query_cells(issued(&["cnt"])).await });
    let number = next_question(&mut first).await.question;
    assert_eq!(next_question(&mut second).await.question, number);
    answer(&first, number, last, false, shard_answer::Kind::Cells(part("2025-04-08", 2))).await;
    answer(&first, number, last, true, shard_answer::Kind::Cells(part("2025-05-08", 1))).await;
    answer(&second, number, last, true, shard_answer::Kind::Cells(part("2025-04-30", 5))).await;
    let cells = asked.await.unwrap().unwrap().into_inner();
    assert_eq!((cells.measures.as_slice(), cells.as_of.unwrap().epoch), (&["cnt".to_owned()][..], last));
    assert_eq!(shown(&cells.rows), vec![("2025-04", "7"), ("2025-05", "1")]);

    // Followed: the snapshot, then what each epoch changed.
    let request = v1::WatchCellsRequest { query: Some(issued(&[])) };
    let watching = tokio::spawn(async move { client.watch_cells(request).await });
    let mut subscription = 0;
    for worker in [&mut first, &mut second] {
        let question = next_question(worker).await;
        let Some(shard_question::Kind::Watch(watch)) = question.kind else { panic!("a subscription") };
        subscription = watch.subscription;
        answer(worker, question.question, last, true, shard_answer::Kind::Cells(part("2025-04-08", 1))).await;
    }
    let mut changes = watching.await.unwrap().unwrap().into_inner();
    let snapshot = changes.message().await.unwrap().unwrap();
    assert!(snapshot.snapshot);
    assert_eq!(snapshot.measures[0], "cnt");
    assert!(!snapshot.measures.contains(&"bills".to_owned()), "distinct counts cannot be followed");
    assert_eq!(shown(&snapshot.rows), vec![("2025-04", "2")]);
    let live = door.send_lines(&as_strs(&example("c-split-package"))).await.epoch;
    for (worker, change) in [(&mut first, Some(part("2025-04-09", 3))), (&mut second, None)] {
        assert_eq!(worker.next_epoch().await.epoch, live);
        let watched_cells = change.into_iter().map(|partial| v1::WatchedCells { subscription, partial }).collect();
        worker.tell(Say::EpochDone(v1::EpochDone { epoch: live, watched_cells, ..Default::default() })).await;
    }
    let change = changes.message().await.unwrap().unwrap();
    assert_eq!((change.snapshot, change.as_of.unwrap().epoch), (false, live));
    assert_eq!(shown(&change.rows), vec![("2025-04", "5")]);

    // The subscriber goes: with the next epoch the workers are told.
    drop(changes);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let tick = r#"{"control":"watermark","source":"SIMU","source_seq":1,"watermark_time":1751958000000}"#;
    let next = door.send_lines(&[tick]).await.epoch;
    for worker in [&mut first, &mut second] {
        assert_eq!(worker.next_epoch().await.epoch, next);
        worker.done(next, Vec::new()).await;
    }
    for worker in [&mut first, &mut second] {
        assert_eq!(next_question(worker).await.kind, Some(shard_question::Kind::Unwatch(subscription)));
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_are_refused_before_anybody_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let mut client = QueryServiceClient::new(door.channel().await);
    for (query, word) in [
        (v1::QueryCellsRequest { theme: "T99".into(), ..issued(&[]) }, "T99"),
        (v1::QueryCellsRequest { dimension: "D.none".into(), ..issued(&[]) }, "D.none"),
        (issued(&["no_such"]), "no_such"),
        (v1::QueryCellsRequest { from_date: "2025-13-01".into(), ..issued(&[]) }, "2025-13-01"),
        (v1::QueryCellsRequest { grain: 0, ..issued(&[]) }, "grain"),
    ] {
        let status = client.query_cells(query).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(word), "{status}");
    }
    let watch = v1::WatchCellsRequest { query: Some(issued(&["bills"])) };
    assert_eq!(client.watch_cells(watch).await.unwrap_err().code(), Code::InvalidArgument);
    let bill = v1::GetBillRequest { bill_id: "12x".into() };
    assert_eq!(client.get_bill(bill).await.unwrap_err().code(), Code::InvalidArgument);
    let features = v1::QueryFeaturesRequest {
        key: "E0000000001".into(),
        from_date: "2025-02-02".into(),
        to_date: "2025-01-01".into(),
    };
    assert_eq!(client.query_features(features).await.unwrap_err().code(), Code::InvalidArgument);
    for key in ["", "531333100011720250310000000012"] {
        let features = v1::QueryFeaturesRequest { key: key.into(), ..Default::default() };
        let asked = client.query_features(features.clone()).await.unwrap_err();
        let watch = v1::WatchFeaturesRequest { query: Some(features) };
        let watched = client.watch_features(watch).await.unwrap_err();
        for status in [asked, watched] {
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().contains("bills have no windows"), "{status}");
        }
    }
    let watch = v1::WatchBillRequest { bill_id: "12x".into() };
    assert_eq!(client.watch_bill(watch).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(client.query_cells(issued(&["cnt"])).await.unwrap_err().code(), Code::Unavailable, "no workers");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn features_and_bills_come_from_their_owners() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 2).await;
    let ([mut first, mut second], last) = cluster(&door).await;
    let client = QueryServiceClient::new(door.channel().await);

    let mut asking = client.clone();
    let request = v1::QueryFeaturesRequest { key: "E0000000001".into(), ..Default::default() };
    let asked = tokio::spawn(async move { asking.query_features(request).await });
    for (worker, feature) in [(&mut first, "b"), (&mut second, "a")] {
        let number = next_question(worker).await.question;
        let rows = vec![v1::FeatureRow { feature: feature.into(), ..Default::default() }];
        let kind = shard_answer::Kind::Features(v1::QueryFeaturesResponse { as_of: None, rows });
        answer(worker, number, last, true, kind).await;
    }
    let features = asked.await.unwrap().unwrap().into_inner();
    assert_eq!(features.rows.iter().map(|row| row.feature.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(features.as_of.unwrap().epoch, last);

    for known in [true, false] {
        let mut asking = client.clone();
        let request = v1::GetBillRequest { bill_id: "531333100011720250310000000012".into() };
        let asked = tokio::spawn(async move { asking.get_bill(request).await });
        for (worker, owns) in [(&mut first, known), (&mut second, false)] {
            let number = next_question(worker).await.question;
            let lots = if owns { vec![v1::LotRow::default()] } else { Vec::new() };
            let kind = shard_answer::Kind::Bill(v1::GetBillResponse { lots, ..Default::default() });
            answer(worker, number, last, true, kind).await;
        }
        let bill = asked.await.unwrap();
        assert_eq!(bill.as_ref().map_or(Code::NotFound, |_| Code::Ok), if known { Code::Ok } else { Code::NotFound });
        assert_eq!(bill.is_ok(), known);
    }
    door.close().await;
}
