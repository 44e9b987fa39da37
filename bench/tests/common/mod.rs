//! A simulated market with labelled misbehaviour, fed to the live engine epoch by epoch, and the alerts that stand at the end.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

use billwatch_bench::simulator::{Settings, Simulator, label::Label};
use billwatch_market::{
    books,
    fact::{ControlKind, Fact, Source},
    indicator::Indicators,
    report::{
        self, Book, Figures, Period, Report, Tables, alerts::add_alerts, indicators::add_indicators, plain, questions,
    },
};
use billwatch_proto::v1::{
    AlertChange, ReportOfPeriod, ReportsQuestion, shard_answer::Kind as Answer, shard_question::Kind,
};
use billwatch_workers::harness::{EngineHarness, EpochResult};

/// Pattern, key, days since 1970.
pub type AlertName = (String, String, i32);

/// A market as its records come.
pub struct Market {
    /// Facts of each epoch and the market clock after it, ms.
    pub epochs: Vec<(Vec<Fact>, Option<i64>)>,
    /// What was injected.
    pub labels: Vec<Label>,
    /// Market clock at the end, ms.
    pub clock: i64,
}

impl Market {
    /// About this many facts of normal trade, and so many cases and near misses of every pattern.
    pub fn simulated(facts: u64, cases: usize, seed: u64, epoch_facts: usize) -> Self {
        let settings = Settings { misbehaviour: true, cases_a_round: cases, ..Settings::new(facts, seed) };
        let mut simulator = Simulator::new(settings);
        let mut marks: BTreeMap<Source, i64> = BTreeMap::new();
        let mut epochs = Vec::new();
        let mut open = Vec::new();
        for record in simulator.by_ref() {
            match books::read(record) {
                Ok(fact) => open.push(fact),
                Err(control) => {
                    if let ControlKind::Watermark(time) = control.kind {
                        marks.insert(control.source, time);
                    }
                }
            }
            if open.len() == epoch_facts {
                epochs.push((std::mem::take(&mut open), marks.values().min().copied()));
            }
        }
        let clock = marks.into_values().min().expect("sources send watermarks");
        epochs.push((open, Some(clock)));
        Market { epochs, labels: simulator.labels().to_vec(), clock }
    }

    /// All facts.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.epochs.iter().flat_map(|(facts, _)| facts)
    }
}

/// Alerts that stand, from the changes of epochs.
#[derive(Default, Clone)]
pub struct Standing(pub BTreeMap<AlertName, AlertChange>);

impl Standing {
    /// Takes the changes of an epoch in.
    pub fn follow(&mut self, epoch: &EpochResult) {
        for change in &epoch.alerts {
            let name = name_of(change);
            if change.hits.iter().all(|hits| *hits == 0) {
                self.0.remove(&name);
            } else {
                self.0.insert(name, change.clone());
            }
        }
    }

    /// Hits of each alert by level.
    pub fn hits(&self) -> BTreeMap<&AlertName, &[u32]> {
        self.0.iter().map(|(name, change)| (name, change.hits.as_slice())).collect()
    }
}

/// An alert's name.
pub fn name_of(change: &AlertChange) -> AlertName {
    (change.pattern.clone(), change.key.clone(), change.biz_day)
}

/// Feeds the facts that `takes` says; the alerts at the end.
pub fn run(engine: &mut EngineHarness, market: &Market, takes: impl Fn(&Fact) -> bool) -> Standing {
    let mut standing = Standing::default();
    for (facts, clock) in &market.epochs {
        let facts: Vec<Fact> = facts.iter().filter(|fact| takes(fact)).cloned().collect();
        standing.follow(&engine.feed(&facts, *clock).expect("the engine runs"));
    }
    standing
}

/// Reports as the engine gives them, of what its workers counted each for itself. Withdrawn alerts are the ledger's matter.
pub fn reports(
    engine: &mut EngineHarness,
    (book, indicators): (&Book, &Indicators),
    clock: i64,
    wanted: &[(usize, Period)],
) -> anyhow::Result<Vec<Report>> {
    let of_period = |(report, period): &(usize, Period)| ReportOfPeriod {
        report: book.reports[*report].id.clone(),
        period: period.label(),
    };
    let question = ReportsQuestion { reports: wanted.iter().map(of_period).collect() };
    let mut tables = Tables::default();
    for part in engine.ask(Kind::Reports(question))? {
        if let Some(Answer::Reports(bytes)) = part.kind {
            tables.add(Tables::decode(&bytes).expect("tables of this build"));
        }
    }
    let asked = questions(book, wanted);
    add_indicators(book, &asked, indicators, Some(clock), &mut tables);
    add_alerts(book, &asked, &mut tables);
    let figures = Figures::new(book, &asked, tables);
    Ok(report::evaluate(book, wanted, &figures, |period| plain::is_final(period, Some(clock))))
}
