//! The published fraud cases (已公布案例), each played out among normal trade on parties of its own.
//!
//! Source: a case book of the payments association's bill committee (September 2020) and press on a case of 2016. A case is a
//! function that tells what would have been on record, through a [`Scene`]; beside each act that should have raised the
//! alarm it writes a [`Demand`]: the pattern, its key, and the moment by which the alert must stand. `billwatch bench cases`
//! and a test run the market through the engine and hold every demand to its moment.
//!
//! Begin with [`CASES`]. Names are invented.

mod banks;
mod companies;
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use billwatch_market::fact::{EventId, Fact};
use billwatch_market::ids::Day;

use super::reporting::Reporting;
use super::story::{Cast, Story};
use super::tables::Calendar;
use super::trade::Trade;
use scene::Scene;

/// One published case.
pub struct Case {
    /// As in the source's order, from 1.
    pub number: u8,
    /// What it is, in English.
    pub name_en: &'static str,
    /// In Chinese.
    pub name_zh: &'static str,
    tell: fn(&mut Scene),
}

/// All ten.
pub static CASES: [Case; 10] = [
    Case {
        number: 1,
        name_en: "impostor account, mass issuing",
        name_zh: "冒名开户批量签票",
        tell: companies::impostor_account,
    },
    Case {
        number: 2,
        name_en: "impostor company of a group",
        name_zh: "伪造公章冒充集团子公司",
        tell: companies::impostor_company,
    },
    Case { number: 3, name_en: "look-alike name", name_zh: "仿冒名称商票", tell: companies::look_alike },
    Case {
        number: 4,
        name_en: "false content: dressed as a bank bill",
        name_zh: "虚假记载：商票伪装银票",
        tell: companies::false_kind,
    },
    Case {
        number: 5,
        name_en: "false content: another's name as acceptor",
        name_zh: "虚假记载：冒充承兑人",
        tell: companies::false_acceptor,
    },
    Case {
        number: 6,
        name_en: "guarantee awaiting signature",
        name_zh: "保证待签收骗局",
        tell: companies::guarantee_awaiting,
    },
    Case {
        number: 7,
        name_en: "discount fraud by endorsing first",
        name_zh: "先背书后打款贴现诈骗",
        tell: companies::endorse_first,
    },
    Case {
        number: 8,
        name_en: "fake bills as a funding channel",
        name_zh: "虚假商票融资通道",
        tell: banks::funding_channel,
    },
    Case { number: 9, name_en: "forged paper", name_zh: "克隆纸票", tell: banks::forged_paper },
    Case { number: 10, name_en: "impostor bank", name_zh: "冒名同业户承兑贴现", tell: banks::impostor_bank },
];

/// What surveillance must say, and when at the latest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Demand {
    /// Number of the case.
    pub case: u8,
    /// Such as `P148`.
    pub pattern: &'static str,
    /// Alert key as text.
    pub key: String,
    /// Every fact up to this moment is in, ms: the alert must stand.
    pub by: i64,
    /// The act that should have raised it, in words.
    pub on: &'static str,
}

/// Business days between the start of the market and the first case, and between one case and the next.
const FIRST: u32 = 8;
const APART: u32 = 3;

/// The cases still to be told, and the demands of those begun.
pub struct Cases {
    schedule: Vec<(Day, &'static Case)>,
    cast: Cast,
    reporting: Reporting,
    demands: Vec<Demand>,
    told: BTreeMap<u8, BTreeSet<EventId>>,
}

impl Cases {
    /// One case every few business days from the second week on.
    pub fn new(start: Day, calendar: &Calendar) -> Self {
        let day = |place: usize| calendar.after(start, FIRST + APART * place as u32);
        let mut schedule: Vec<_> = CASES.iter().enumerate().map(|(place, case)| (day(place), case)).collect();
        schedule.reverse();
        let (cast, reporting) = (Cast::of_published_cases(), Reporting::default());
        Cases { schedule, cast, reporting, demands: Vec::new(), told: BTreeMap::new() }
    }

    /// True while a case is still to begin.
    pub fn is_open(&self) -> bool {
        !self.schedule.is_empty()
    }

    /// What must be alerted; complete when the market has ended.
    pub fn demands(&self) -> &[Demand] {
        &self.demands
    }

    /// The facts of each case, by its number.
    pub fn told(&self) -> &BTreeMap<u8, BTreeSet<EventId>> {
        &self.told
    }

    /// Tells the cases that begin today; the facts, each at its own time from today on.
    pub fn begin_day(&mut self, today: Day, trade: &mut Trade) -> Vec<Fact> {
        let mut facts = Vec::new();
        while self.schedule.last().is_some_and(|(day, _)| *day <= today) {
            let Some((_, case)) = self.schedule.pop() else { break };
            let mut story = Story::new("", true, 0, today, trade, &mut self.cast);
            let mut scene = Scene::new(&mut story, case.number);
            (case.tell)(&mut scene);
            self.demands.append(&mut scene.finish());
            self.reporting.see(&story.facts, None);
            self.told.insert(case.number, story.facts.iter().map(|fact| fact.event_id).collect());
            facts.append(&mut story.facts);
        }
        if trade.calendar.roll(today.month_start()) == today {
            facts.append(&mut self.reporting.begin_month(today, &mut trade.registry));
        }
        facts
    }
}

/// Writes demands as NDJSON, one a line: case, name_en, name_zh, pattern, key, by (ms since 1970-01-01T00:00Z), on.
pub fn write_demands(demands: &[Demand], out: &mut impl Write) -> io::Result<()> {
    for demand in demands {
        let case = &CASES[usize::from(demand.case) - 1];
        let line = serde_json::json!({
            "case": demand.case,
            "name_en": case.name_en,
            "name_zh": case.name_zh,
            "pattern": demand.pattern,
            "key": demand.key,
            "by": demand.by,
            "on": demand.on,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
