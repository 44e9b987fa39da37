//! Alerts from the workers' hits to the ledger and to clients.

mod common;

use billwatch_proto::v1::{
    self, AlertState, shard_answer, shard_question, work_request::Message as Say, work_response::Message as Hear,
};
use common::{Door, FakeWorker, as_strs, example, wait_for};
use tonic::{Code, Streaming};

fn change(id: u64, pattern: &str, day: i32, hits: [u32; 4]) -> v1::AlertChange {
    v1::AlertChange {
        id_high: 7,
        id_low: id,
        pattern: pattern.into(),
        key: format!("E{id:010}"),
        biz_day: day,
        hits: hits.to_vec(),
        parameters_version: 1,
    }
}

/// Does all epochs; the changes go with the last one.
async fn replay(worker: &mut FakeWorker, last: u64, changes: &[(u64, v1::AlertChange)]) {
    loop {
        let epoch = worker.next_epoch().await.epoch;
        let of_epoch = changes.iter().filter(|(at, _)| *at == epoch).map(|(_, change)| change.clone()).collect();
        worker.done(epoch, of_epoch).await;
        if epoch == last {
            return;
        }
    }
}

async fn list(door: &Door, filter: v1::AlertFilter) -> v1::ListAlertsResponse {
    let request = v1::ListAlertsRequest { filter: Some(filter), ..Default::default() };
    door.alerts().await.list_alerts(request).await.unwrap().into_inner()
}

async fn ledger_at(door: &Door, epoch: u64) {
    wait_for("the ledger", async || list(door, v1::AlertFilter::default()).await.as_of.unwrap().epoch >= epoch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_filtered_paged_followed_and_survive_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    // Three epochs.
    let lines = example("a-reference");
    let mut epochs = Vec::new();
    for part in lines.chunks(30) {
        let epoch = door.send_lines(&as_strs(part)).await.epoch;
        door.sealed(epoch).await;
        epochs.push(epoch);
    }
    let [one, two, three] = epochs[..] else { panic!("three epochs") };
    let changes = [
        (one, change(1, "P001", 20_000, [0, 0, 1, 0])),
        (one, change(2, "P048", 20_001, [1, 0, 0, 0])),
        (one, change(3, "P048", 20_001, [1, 0, 0, 1])),
        (two, change(2, "P048", 20_001, [0; 4])),
        (three, change(3, "P048", 20_001, [1, 0, 0, 0])),
    ];
    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    worker.start().await;
    replay(&mut worker, three, &changes).await;
    ledger_at(&door, three).await;

    for round in ["live", "replayed", "restarted"] {
        let all = list(&door, v1::AlertFilter::default()).await;
        let shown: Vec<(&str, &str, i32, u64, u64)> = all
            .alerts
            .iter()
            .map(|alert| {
                (&alert.alert_id[30..], alert.level.as_str(), alert.state, alert.first_epoch, alert.last_epoch)
            })
            .collect();
        let expected = [
            ("02", "BLUE", AlertState::Withdrawn as i32, one, two),
            ("03", "BLUE", AlertState::BasisChanged as i32, one, three),
            ("01", "ORANGE", AlertState::Open as i32, one, one),
        ];
        assert_eq!(shown, expected, "{round}");
        assert_eq!((all.total_size, all.open_by_pattern["P001"], all.open_by_pattern["P048"]), (3, 1, 1));
        assert!(
            !all.alerts[0].name_zh.is_empty() && !all.alerts[0].family.is_empty() && !all.alerts[0].basis.is_empty()
        );
        match round {
            "live" => {
                // The workers replay: first and last epochs stay.
                drop(worker);
                wait_for("the end", async || door.status().await.generation == 0).await;
                worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
                worker.start().await;
                replay(&mut worker, three, &changes).await;
                wait_for("all", async || door.status().await.as_of.is_some_and(|as_of| as_of.epoch == three)).await;
            }
            _ => break,
        }
    }
    let ids = |response: v1::ListAlertsResponse| {
        response.alerts.into_iter().map(|alert| alert.alert_id[31..].to_owned()).collect::<Vec<_>>().concat()
    };
    let filter = v1::AlertFilter::default;
    assert_eq!(ids(list(&door, v1::AlertFilter { patterns: vec!["P001".into()], ..filter() }).await), "1");
    assert_eq!(ids(list(&door, v1::AlertFilter { min_level: "ORANGE".into(), ..filter() }).await), "1");
    assert_eq!(ids(list(&door, v1::AlertFilter { state: AlertState::Withdrawn.into(), ..filter() }).await), "2");
    assert_eq!(ids(list(&door, v1::AlertFilter { keys: vec!["E0000000003".into()], ..filter() }).await), "3");
    assert_eq!(ids(list(&door, v1::AlertFilter { to_date: "2024-10-04".into(), ..filter() }).await), "1");
    for (bad, field) in [
        (v1::AlertFilter { patterns: vec!["P999".into()], ..filter() }, "P999"),
        (v1::AlertFilter { families: vec!["NONE".into()], ..filter() }, "NONE"),
        (v1::AlertFilter { min_level: "PINK".into(), ..filter() }, "PINK"),
        (v1::AlertFilter { from_date: "2024-13-01".into(), ..filter() }, "2024-13-01"),
    ] {
        let request = v1::ListAlertsRequest { filter: Some(bad), ..Default::default() };
        let status = door.alerts().await.list_alerts(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(field), "{status}");
    }
    let mut pages = String::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListAlertsRequest { page_size: 2, page_token, ..Default::default() };
        let page = door.alerts().await.list_alerts(request).await.unwrap().into_inner();
        assert_eq!(page.total_size, 3);
        page_token = page.next_page_token.clone();
        pages += &ids(page);
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, "231");

    // A subscriber gets what matches, then changes, with progress in between.
    let request =
        v1::WatchAlertsRequest { filter: Some(v1::AlertFilter { patterns: vec!["P048".into()], ..filter() }) };
    let mut changes = door.alerts().await.watch_alerts(request).await.unwrap().into_inner();
    let snapshot = changes.message().await.unwrap().unwrap();
    assert_eq!((snapshot.snapshot, snapshot.alerts.len(), snapshot.as_of.unwrap().epoch), (true, 2, three));
    let live = door.send_lines(&as_strs(&example("c-split-package"))).await.epoch;
    let epoch = worker.next_epoch().await.epoch;
    assert_eq!(epoch, live);
    worker.done(epoch, vec![change(1, "P001", 20_000, [1; 4]), change(9, "P048", 20_002, [1, 0, 0, 0])]).await;
    let next = changes.message().await.unwrap().unwrap();
    assert!(!next.snapshot && next.as_of.unwrap().epoch == live);
    assert_eq!(next.alerts.iter().map(|alert| &alert.alert_id[31..]).collect::<Vec<_>>(), ["9"]);
    door.close().await;
    assert!(changes.message().await.is_err(), "the stream says that the coordinator ends");
}

/// What a subscriber is told of an epoch: end of the id, level, state, status.
async fn told_at(stream: &mut Streaming<v1::WatchAlertsResponse>, epoch: u64) -> Vec<(String, String, i32, String)> {
    loop {
        let answer = stream.message().await.unwrap().unwrap();
        assert!(!answer.snapshot);
        if answer.as_of.unwrap().epoch == epoch {
            let alerts = answer.alerts.into_iter();
            return alerts.map(|it| (it.alert_id[31..].to_owned(), it.level, it.state, it.status)).collect();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_filter_is_told_once_more_of_what_leaves_it() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let lines = example("a-reference");
    let mut parts = lines.chunks(20);
    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    worker.start().await;
    let one = door.send_lines(&as_strs(parts.next().unwrap())).await.epoch;
    let both = [change(1, "P001", 20_000, [0, 0, 1, 0]), change(2, "P001", 20_000, [0, 0, 0, 1])];
    replay(&mut worker, one, &both.map(|change| (one, change))).await;
    ledger_at(&door, one).await;
    let mut streams = Vec::new();
    for filter in [
        v1::AlertFilter { state: AlertState::Open.into(), ..Default::default() },
        v1::AlertFilter { min_level: "ORANGE".into(), ..Default::default() },
        v1::AlertFilter { statuses: vec!["NEW".into()], ..Default::default() },
    ] {
        let request = v1::WatchAlertsRequest { filter: Some(filter) };
        let mut stream = door.alerts().await.watch_alerts(request).await.unwrap().into_inner();
        let snapshot = stream.message().await.unwrap().unwrap();
        assert_eq!((snapshot.snapshot, snapshot.alerts.len()), (true, 2));
        streams.push(stream);
    }
    let [open, high, new] = &mut streams[..] else { panic!("three streams") };
    let row = |id: &str, level: &str, state: AlertState, status: &str| {
        (id.to_owned(), level.to_owned(), i32::from(state), status.to_owned())
    };

    // One is withdrawn, one lowered.
    let two = door.send_lines(&as_strs(parts.next().unwrap())).await.epoch;
    let both = [change(1, "P001", 20_000, [0; 4]), change(2, "P001", 20_000, [1, 0, 0, 0])];
    replay(&mut worker, two, &both.map(|change| (two, change))).await;
    let left = [row("1", "ORANGE", AlertState::Withdrawn, "NEW"), row("2", "BLUE", AlertState::BasisChanged, "NEW")];
    for stream in [&mut *open, &mut *high, &mut *new] {
        assert_eq!(told_at(stream, two).await, left);
    }
    // What has left is told no more.
    let three = door.send_lines(&as_strs(parts.next().unwrap())).await.epoch;
    replay(&mut worker, three, &[(three, change(2, "P001", 20_000, [2, 0, 0, 0]))]).await;
    assert_eq!((told_at(open, three).await, told_at(high, three).await), (Vec::new(), Vec::new()));
    assert_eq!(told_at(new, three).await, [row("2", "BLUE", AlertState::BasisChanged, "NEW")]);
    // Handled: it leaves those that nobody has looked at.
    let mut alerts = door.alerts().await;
    let request = v1::HandleAlertsRequest {
        alert_ids: vec![format!("{:016x}{:016x}", 7, 2)],
        status: "ACK".into(),
        set_by: "tester".into(),
        ..Default::default()
    };
    let handling = tokio::spawn(async move { alerts.handle_alerts(request).await });
    let four = worker.next_epoch().await.epoch;
    worker.done(four, Vec::new()).await;
    assert_eq!(handling.await.unwrap().unwrap().into_inner().epoch, four);
    assert_eq!((told_at(open, four).await, told_at(high, four).await), (Vec::new(), Vec::new()));
    assert_eq!(told_at(new, four).await, [row("2", "BLUE", AlertState::BasisChanged, "ACK")]);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_of_all_shards_is_one_explanation() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let last = door.send_lines(&as_strs(&example("a-reference"))).await.epoch;
    let mut worker = FakeWorker::join(&door, FakeWorker::register(0, &[])).await.unwrap();
    worker.start().await;
    replay(&mut worker, last, &[(last, change(1, "P048", 20_000, [1, 0, 0, 0]))]).await;
    ledger_at(&door, last).await;
    let alert_id = list(&door, v1::AlertFilter::default()).await.alerts[0].alert_id.clone();
    let mut alerts = door.alerts().await;
    let explained = tokio::spawn(async move { alerts.explain_alert(v1::ExplainAlertRequest { alert_id }).await });
    let Some(Hear::Question(question)) = worker.next().await else { panic!("a question") };
    let Some(shard_question::Kind::Explain(explain)) = question.kind else { panic!("of an alert") };
    assert_eq!(explain.alert, Some(change(1, "P048", 20_000, [1, 0, 0, 0])));
    for last_part in [false, true] {
        let facts = vec![v1::Row { json: "{}".into() }];
        let kind = Some(shard_answer::Kind::Explain(v1::ExplainAlertResponse { facts, ..Default::default() }));
        let answer =
            v1::ShardAnswer { question: question.question, epoch: last, last: last_part, error: String::new(), kind };
        worker.tell(Say::Answer(answer)).await;
    }
    let explanation = explained.await.unwrap().unwrap().into_inner();
    assert_eq!((explanation.facts.len(), explanation.as_of.unwrap().epoch), (2, last));
    assert_eq!(explanation.alert.unwrap().pattern, "P048");
    assert!(!explanation.definition.is_empty());

    for (alert_id, code) in [("zz".to_owned(), Code::InvalidArgument), ("0".repeat(32), Code::NotFound)] {
        let status = door.alerts().await.explain_alert(v1::ExplainAlertRequest { alert_id }).await.unwrap_err();
        assert_eq!(status.code(), code);
    }
    door.close().await;
}
