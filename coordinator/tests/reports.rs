//! The close of reports against workers that are behind, and against late facts that never end.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use billwatch_coordinator::CoordinatorConfig;
use billwatch_market::{ids::Day, report::Tables};
use billwatch_proto::v1::{
    self, report_service_client::ReportServiceClient, shard_answer, shard_question, work_request::Message as Say,
    work_response::Message as Hear,
};
use common::{Door, FakeWorker, wait_for};

/// Longer than a pause between passes of a few reports: what has not come by then does not come.
const QUIET: Duration = Duration::from_millis(1_500);

/// A report and its period.
type OfPeriod = (String, String);

async fn open(dir: &Path) -> Door {
    let config = CoordinatorConfig::new("127.0.0.1:0".parse().unwrap(), dir, 1);
    Door::with(CoordinatorConfig { report_interval: Duration::from_millis(10), ..config }).await.unwrap()
}

/// Closed periods with their number of versions.
async fn versions(door: &Door) -> BTreeMap<OfPeriod, u32> {
    let mut client = ReportServiceClient::new(door.channel().await);
    let reports = client.list_reports(v1::ListReportsRequest {}).await.unwrap().into_inner().reports;
    let closed = |report: v1::ReportSummary| {
        let name = report.report;
        report.closed.into_iter().map(move |closed| ((name.clone(), closed.period), closed.version))
    };
    reports.into_iter().flat_map(closed).collect()
}

/// The only source: its watermark is the market clock.
struct Source {
    next: u64,
}

impl Source {
    /// Sends a watermark at the end of a day; gives its epoch.
    async fn reaches(&mut self, door: &Door, day: &str) -> u64 {
        let (number, time) = (self.take_number(), Day::parse(day).unwrap().end_ms());
        self.send(
            door,
            format!(r#"{{"control":"watermark","source":"NGBS","source_seq":{number},"watermark_time":{time}}}"#),
        )
        .await
    }

    /// Sends a fact that is older than the watermark; gives its epoch.
    async fn late_fact(&mut self, door: &Door) -> u64 {
        let number = self.take_number();
        let fact = format!(
            r#"{{"event_id":"{number}","behaviour":"END.WDR","event_time":1735807000000,"biz_date":"2025-01-02","source":"NGBS","source_seq":{number},"bill_id":"531333100011720250310000000012","sub_start":1,"sub_end":5,"amount_fen":5,"initiator_id":"E0000000002"}}"#
        );
        self.send(door, fact).await
    }

    fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    async fn send(&self, door: &Door, line: String) -> u64 {
        let answer = door.send_lines(&[&line]).await;
        assert_eq!(answer.accepted, 1, "{answer:?}");
        // One record an epoch.
        door.sealed(answer.epoch).await;
        answer.epoch
    }
}

/// A worker without facts: what it says of a period is that it is empty.
struct Worker {
    worker: FakeWorker,
    /// The last epoch that came.
    came: u64,
}

impl Worker {
    async fn join(door: &Door) -> Worker {
        let mut worker = FakeWorker::join(door, FakeWorker::register(0, &[])).await.unwrap();
        assert_eq!(worker.start().await.restore_epoch, 0);
        Worker { worker, came: 0 }
    }

    async fn takes(&mut self, epoch: u64) {
        while self.came < epoch {
            self.came = self.worker.next_epoch().await.epoch;
        }
    }

    async fn does(&self, epochs: std::ops::RangeInclusive<u64>) {
        for epoch in epochs {
            self.worker.done(epoch, Vec::new()).await;
        }
    }

    /// Answers the next question about reports, if one comes in time: what it asks for.
    async fn asked_within(&mut self, time: Duration) -> Option<Vec<OfPeriod>> {
        let message = tokio::time::timeout(time, self.worker.hear.message()).await.ok()?;
        let message = message.unwrap().unwrap().message;
        let Some(Hear::Question(v1::ShardQuestion { question, kind: Some(shard_question::Kind::Reports(asked)) })) =
            message
        else {
            panic!("a question about reports was awaited, not {message:?}");
        };
        let kind = Some(shard_answer::Kind::Reports(Tables::default().encode().into()));
        let answer = v1::ShardAnswer { question, epoch: self.came, last: true, error: String::new(), kind };
        self.worker.tell(Say::Answer(answer)).await;
        Some(asked.reports.into_iter().map(|asked| (asked.report, asked.period)).collect())
    }

    /// Answers until so many periods have been asked for, and gives them.
    async fn answers(&mut self, periods: usize) -> BTreeSet<OfPeriod> {
        let mut all = BTreeSet::new();
        while all.len() < periods {
            let asked = self.asked_within(Duration::from_secs(30)).await;
            all.extend(asked.unwrap_or_else(|| panic!("{} of {periods} periods: {all:?}", all.len())));
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_periods_are_looked_at_when_the_workers_have_what_changes_them() {
    let dir = tempfile::tempdir().unwrap();
    let door = open(dir.path()).await;
    let mut source = Source { next: 0 };
    let first = source.reaches(&door, "2025-06-02").await;
    let mut worker = Worker::join(&door).await;
    worker.takes(first).await;
    worker.does(first..=first).await;
    let mut last = first;
    for day in ["2025-06-04", "2025-06-05", "2025-06-06"] {
        last = source.reaches(&door, day).await;
    }
    worker.takes(last).await;
    worker.does(first + 1..=last).await;
    // The daily report of the days from the first watermark on that have been over for half an hour.
    let days = ["2025-06-03", "2025-06-04", "2025-06-05"].map(|day| ("R01".to_owned(), day.to_owned()));
    assert_eq!(worker.answers(days.len()).await, BTreeSet::from(days.clone()));
    let closed = BTreeMap::from(days.map(|day| (day, 1)));
    wait_for("the periods to be closed", async || versions(&door).await == closed).await;

    // A late fact is accepted, and the workers have not done its epoch.
    let late = source.late_fact(&door).await;
    worker.takes(late).await;
    assert_eq!(worker.asked_within(QUIET).await, None, "it would be answered without the fact");
    worker.does(late..=late).await;
    worker.answers(closed.len()).await;
    door.close().await;

    // After a restart the workers replay the log. They pass the end of periods long before its end.
    let door = open(dir.path()).await;
    let mut worker = Worker::join(&door).await;
    worker.takes(late).await;
    worker.does(1..=late - 1).await;
    assert_eq!(worker.asked_within(QUIET).await, None, "it would be answered as of an epoch long past");
    worker.does(late..=late).await;
    worker.answers(closed.len()).await;
    assert_eq!(versions(&door).await, closed, "all say what they said");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_closed_period_has_its_turn_while_late_facts_keep_coming() {
    /// At least: 23 business days, 6 weeks, and a month of 19 reports.
    const PERIODS: usize = 48;
    let dir = tempfile::tempdir().unwrap();
    let door = open(dir.path()).await;
    let mut source = Source { next: 0 };
    let first = source.reaches(&door, "2025-01-02").await;
    let mut worker = Worker::join(&door).await;
    worker.takes(first).await;
    worker.does(first..=first).await;
    let last = source.reaches(&door, "2025-02-13").await;
    worker.takes(last).await;
    worker.does(last..=last).await;
    let closed = worker.answers(PERIODS).await;
    let started = std::time::Instant::now();
    loop {
        let kept: BTreeSet<OfPeriod> = versions(&door).await.into_keys().collect();
        if kept == closed {
            break;
        }
        let missing: Vec<&OfPeriod> = closed.difference(&kept).collect();
        assert!(started.elapsed() < Duration::from_secs(60), "{} kept, not yet {missing:?}", kept.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let mut asked = BTreeSet::new();
    for _ in 0..3 {
        let late = source.late_fact(&door).await;
        worker.takes(late).await;
        worker.does(late..=late).await;
        asked.extend(worker.asked_within(Duration::from_secs(10)).await.expect("a pass"));
    }
    assert_eq!(asked, closed);
    door.close().await;
}
