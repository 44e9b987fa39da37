//! The published fraud cases through the engine: is each alerted, by which pattern, and by the moment that its story names?
//!
//! The market is fed in the order of event time. An epoch ends where a demand falls due, and after every fact of a case that
//! still waits for an alert, so that the moment of an alert is known to the fact.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::Arc,
};

use billwatch_market::{
    books,
    catalogue::Catalogue,
    fact::{ControlKind, EventId, Fact, SOURCES},
};
use billwatch_workers::harness::EngineHarness;
use serde::Serialize;

use super::epochs::EPOCH_FACTS;
use crate::simulator::{
    Settings, Simulator,
    cases::{CASES, Demand},
};

/// What became of one demand.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Number of the case.
    pub case: u8,
    /// English name of the case.
    pub name_en: &'static str,
    /// Chinese name of the case.
    pub name_zh: &'static str,
    /// Such as `P148`.
    pub pattern: &'static str,
    /// Alert key.
    pub key: String,
    /// The act that should have raised it.
    pub on: &'static str,
    /// By when the alert must stand, ms since 1970-01-01T00:00Z.
    pub by: i64,
    /// The event time up to which facts were in when the alert first stood, ms; `None`: never.
    pub alerted: Option<i64>,
    /// True when it stood in time.
    pub in_time: bool,
}

/// Pattern and key.
type Name = (String, String);

struct Run {
    engine: EngineHarness,
    buffer: Vec<Fact>,
    clock: Option<i64>,
    /// Event time of the last fact fed, ms.
    fed: i64,
    /// When an alert of this name first stood.
    first: BTreeMap<Name, i64>,
    standing: BTreeSet<(Name, i32)>,
}

impl Run {
    fn flush(&mut self) -> anyhow::Result<()> {
        if let Some(last) = self.buffer.last() {
            self.fed = last.event_time;
        }
        let facts = std::mem::take(&mut self.buffer);
        for change in self.engine.feed(&facts, self.clock)?.alerts {
            let name = (change.pattern, change.key);
            if change.hits.iter().all(|hits| *hits == 0) {
                self.standing.remove(&(name, change.biz_day));
            } else {
                self.first.entry(name.clone()).or_insert(self.fed.max(self.clock.unwrap_or(i64::MIN)));
                self.standing.insert((name, change.biz_day));
            }
        }
        Ok(())
    }

    /// An alert of this name stands, whatever its date.
    fn stands(&self, name: &Name) -> bool {
        let from = (name.clone(), i32::MIN);
        self.standing.range(from..).next().is_some_and(|(known, _)| known == name)
    }
}

/// Runs a market of `facts` of normal trade with the ten cases in it; a verdict a demand, in the order of the cases.
pub fn run(
    catalogue: &Arc<Catalogue>,
    facts: u64,
    seed: u64,
    threads: usize,
    directory: &Path,
) -> anyhow::Result<Vec<Verdict>> {
    let settings = Settings { published_cases: true, ..Settings::new(facts, seed) };
    let (demands, told) = demands_of(settings.clone());
    let mut due: Vec<&Demand> = demands.iter().collect();
    due.sort_by_key(|demand| demand.by);
    let mut due: VecDeque<&Demand> = due.into();
    let mut run = Run {
        engine: EngineHarness::start(catalogue, threads, Some(directory), 0)?,
        buffer: Vec::new(),
        clock: None,
        fed: i64::MIN,
        first: BTreeMap::new(),
        standing: BTreeSet::new(),
    };
    let mut in_time: BTreeSet<Name> = BTreeSet::new();
    let mut watermarks = [None; SOURCES.len()];
    for record in Simulator::new(settings) {
        let fact = match books::read(record) {
            Err(control) => {
                if let ControlKind::Watermark(time) = control.kind {
                    watermarks[usize::from(control.source.rank())] = Some(time);
                    run.clock = watermarks.iter().flatten().min().copied();
                }
                continue;
            }
            Ok(fact) => fact,
        };
        if due.front().is_some_and(|demand| demand.by < fact.event_time) {
            run.flush()?;
            while let Some(demand) = due.front().filter(|demand| demand.by < fact.event_time) {
                let name = (demand.pattern.to_owned(), demand.key.clone());
                if run.stands(&name) {
                    in_time.insert(name);
                }
                due.pop_front();
            }
        }
        let case = told.get(&fact.event_id).copied();
        run.buffer.push(fact);
        let awaited = case.is_some_and(|case| due.iter().any(|demand| demand.case == case));
        if awaited || run.buffer.len() >= EPOCH_FACTS {
            run.flush()?;
        }
    }
    run.flush()?;
    run.engine.stop();
    let verdict = |demand: &Demand| {
        let name = (demand.pattern.to_owned(), demand.key.clone());
        let case = &CASES[usize::from(demand.case) - 1];
        Verdict {
            case: demand.case,
            name_en: case.name_en,
            name_zh: case.name_zh,
            pattern: demand.pattern,
            key: demand.key.clone(),
            on: demand.on,
            by: demand.by,
            alerted: run.first.get(&name).copied(),
            in_time: in_time.contains(&name),
        }
    };
    Ok(demands.iter().map(verdict).collect())
}

/// The demands of this market, and the case of each fact told for one.
fn demands_of(settings: Settings) -> (Vec<Demand>, BTreeMap<EventId, u8>) {
    let mut simulator = Simulator::new(settings);
    simulator.by_ref().for_each(drop);
    let Some(cases) = simulator.published_cases() else { return Default::default() };
    let told = cases.told().iter().flat_map(|(case, ids)| ids.iter().map(|id| (*id, *case))).collect();
    (cases.demands().to_vec(), told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_case_is_alerted_by_its_moment() {
        let directory = tempfile::tempdir().unwrap();
        let verdicts = run(&Catalogue::embedded(), 20_000, 41, 1, directory.path()).unwrap();
        let late: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.in_time).collect();
        assert!(late.is_empty(), "{late:#?}");
        let cases: BTreeSet<u8> = verdicts.iter().map(|verdict| verdict.case).collect();
        assert_eq!(cases, CASES.iter().map(|case| case.number).collect());
    }
}
