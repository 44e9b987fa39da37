//! Labelled misbehaviour: for each pattern cases that meet every threshold exactly, and near misses that miss one
//! threshold by the smallest unit.
//!
//! A family of patterns is a file; a case is a function that tells a [`Story`]. [`Misbehaviour`] says which case begins
//! when: every round three positives and three near misses of every pattern (or fewer, as the settings say), the first round
//! always, further ones as far as they stay a small part of the market.

mod bank_peers;
mod books;
mod bursts;
mod collectors;
mod concentration;
mod cycles;
mod disposals;
mod drawer_peers;
mod duties;
mod fans;
mod feeds;
mod identity;
mod integrity;
mod market_rates;
mod monthly;
mod peers;
mod prices;
mod quality;
mod ratios;
mod references;
mod related;
mod rings;
mod scenery;
mod sequence;
mod shifts;
mod standing;
mod statistics;
mod timers;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

use billwatch_market::fact::{EventId, Fact};
use billwatch_market::ids::Day;

use super::Settings;
use super::label::Label;
use super::papers::add_papers;
use super::reporting::Reporting;
use super::story::{Cast, Sequel, Story};
use super::trade::Trade;

/// Tells one case.
type Tell = fn(&mut Story);

/// A pattern and its case.
pub struct Injector {
    /// Such as `P013`.
    pub pattern: &'static str,
    tell: Tell,
    often: Often,
}

/// In which rounds a case is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Often {
    EveryRound,
    /// A case of hundreds of facts: once a quarter at most, unless every week is to have all.
    Quarterly,
    /// The first alone.
    Once,
}

const fn light(pattern: &'static str, tell: Tell) -> Injector {
    Injector { pattern, tell, often: Often::EveryRound }
}

const fn heavy(pattern: &'static str, tell: Tell) -> Injector {
    Injector { pattern, tell, often: Often::Quarterly }
}

/// The pattern compares with everybody (peers, the whole market), or looks at one key that all cases share (the market, a
/// source): a second round would move what the first is compared with.
const fn once(pattern: &'static str, tell: Tell) -> Injector {
    Injector { pattern, tell, often: Often::Once }
}

impl Injector {
    /// Told in the first round alone.
    pub fn is_told_once(&self) -> bool {
        self.often == Often::Once
    }
}

/// All cases, family by family.
pub fn injectors() -> impl Iterator<Item = &'static Injector> {
    sequence::CASES
        .iter()
        .chain(integrity::CASES)
        .chain(duties::CASES)
        .chain(disposals::CASES)
        .chain(identity::CASES)
        .chain(standing::CASES)
        .chain(monthly::CASES)
        .chain(windows::CASES)
        .chain(bursts::CASES)
        .chain(ratios::CASES)
        .chain(references::CASES)
        .chain(statistics::CASES)
        .chain(shifts::CASES)
        .chain(cycles::CASES)
        .chain(fans::CASES)
        .chain(collectors::CASES)
        .chain(concentration::CASES)
        .chain(timers::CASES)
        .chain(prices::CASES)
        .chain(related::CASES)
        .chain(peers::CASES)
        .chain(bank_peers::CASES)
        .chain(drawer_peers::CASES)
        .chain(market_rates::CASES)
        .chain(quality::CASES)
        .chain(books::CASES)
        .chain(feeds::CASES)
        .chain(rings::CASES)
        .chain(books::OF_MEMBERS)
}

/// Positives, and near misses, of one pattern in one round, unless the settings ask for fewer.
pub const CASES_A_ROUND: usize = 3;
/// Facts of one round of the light patterns, about.
const LIGHT_ROUND_FACTS: u64 = 9_600;
/// Light rounds together are kept below one in this many facts of normal trade, the first round aside.
const ONE_IN: u64 = 100;

/// A case that goes on on a later day.
struct Open {
    pattern: &'static str,
    positive: bool,
    variant: usize,
    before: Vec<EventId>,
    sequel: Sequel,
}

/// The cases still to be told, and the labels of those begun.
pub struct Misbehaviour {
    /// (day, injector, positive, variant), last first.
    schedule: Vec<(Day, &'static Injector, bool, usize)>,
    open: BTreeMap<Day, Vec<Open>>,
    cast: Cast,
    reporting: Reporting,
    labels: Vec<Label>,
    /// Facts told, kept for a case told alone.
    told: Option<BTreeSet<EventId>>,
}

impl Misbehaviour {
    /// The schedule for a market of these settings.
    pub fn new(settings: &Settings, trade: &Trade) -> Self {
        let start = settings.start;
        let weeks = u64::from(settings.days / 7).max(1);
        let rounds =
            if settings.every_week { weeks } else { (settings.facts / ONE_IN / LIGHT_ROUND_FACTS).clamp(1, weeks) };
        let mut schedule = Vec::new();
        for round in 0..rounds {
            let week = start.plus(1 + (round * weeks / rounds * 7) as i32);
            let quarterly = round == 0 || round * weeks / rounds % 13 < (round - 1) * weeks / rounds % 13;
            for (place, injector) in injectors().enumerate() {
                let is_told = match injector.often {
                    Often::EveryRound => true,
                    Often::Quarterly => quarterly || settings.every_week,
                    Often::Once => round == 0,
                };
                if !is_told {
                    continue;
                }
                for variant in 0..settings.cases_a_round.clamp(1, CASES_A_ROUND) {
                    let day = trade.calendar.roll(week.plus(((place + variant) % 5) as i32));
                    schedule.push((day, injector, true, variant));
                    schedule.push((day, injector, false, variant));
                }
            }
        }
        schedule.sort_by_key(|(day, injector, positive, variant)| (*day, injector.pattern, *variant, !*positive));
        schedule.reverse();
        Misbehaviour {
            schedule,
            open: BTreeMap::new(),
            cast: Cast::default(),
            reporting: Reporting::default(),
            labels: Vec::new(),
            told: None,
        }
    }

    /// The first case, or the first near miss, of one pattern.
    pub fn of_one(injector: &'static Injector, positive: bool, day: Day) -> Self {
        Misbehaviour {
            schedule: vec![(day, injector, positive, 0)],
            open: BTreeMap::new(),
            cast: Cast::default(),
            reporting: Reporting::default(),
            labels: Vec::new(),
            told: Some(BTreeSet::new()),
        }
    }

    /// The facts of the cases; empty unless this is [`Misbehaviour::of_one`].
    pub fn told(&self) -> &BTreeSet<EventId> {
        static NONE: BTreeSet<EventId> = BTreeSet::new();
        self.told.as_ref().unwrap_or(&NONE)
    }

    /// The cases still to begin: day, pattern, positive.
    pub fn begins(&self) -> impl Iterator<Item = (Day, &'static str, bool)> {
        self.schedule.iter().map(|(day, injector, positive, _)| (*day, injector.pattern, *positive))
    }

    /// True while a case is still to begin or to go on.
    pub fn is_open(&self) -> bool {
        !self.schedule.is_empty() || !self.open.is_empty()
    }

    /// Labels of the cases begun so far; complete when the market has ended.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Tells what begins or goes on today; the facts, each with the instant from today on at which it is sent, ms.
    pub fn begin_day(&mut self, today: Day, trade: &mut Trade) -> Vec<(i64, Fact)> {
        let mut told = Vec::new();
        for case in self.open.remove(&today).unwrap_or_default() {
            let mut story = Story::new(case.pattern, case.positive, case.variant, today, trade, &mut self.cast);
            story.before = case.before;
            (case.sequel)(&mut story);
            told.extend(finish(story, &mut self.labels, &mut self.open, &mut self.reporting));
        }
        while self.schedule.last().is_some_and(|(day, ..)| *day <= today) {
            let Some((_, injector, positive, variant)) = self.schedule.pop() else { break };
            let mut story = Story::new(injector.pattern, positive, variant, today, trade, &mut self.cast);
            (injector.tell)(&mut story);
            told.extend(finish(story, &mut self.labels, &mut self.open, &mut self.reporting));
        }
        if let Some(kept) = &mut self.told {
            kept.extend(told.iter().map(|(_, fact): &(i64, Fact)| fact.event_id));
        }
        if trade.calendar.roll(today.month_start()) == today {
            let reports = self.reporting.begin_month(today, &mut trade.registry);
            told.extend(reports.into_iter().map(|fact| (fact.event_time, fact)));
        }
        told
    }
}

/// Takes a story's labels and sequels; gives its facts, each with the instant at which it is sent.
fn finish(
    mut story: Story,
    labels: &mut Vec<Label>,
    open: &mut BTreeMap<Day, Vec<Open>>,
    reporting: &mut Reporting,
) -> impl Iterator<Item = (i64, Fact)> {
    add_papers(&mut story);
    let goes_on = story.sequels.iter().map(|(day, _)| *day).max();
    reporting.see(&story.facts, goes_on);
    for (_, belated) in &story.belated {
        reporting.see(std::slice::from_ref(belated), goes_on);
    }
    let Story { pattern, positive, variant, facts, belated, mut before, labels: made, sequels, .. } = story;
    labels.extend(made);
    before.extend(facts.iter().filter(|fact| fact.bill_id.is_some()).map(|fact| fact.event_id));
    for (day, sequel) in sequels {
        open.entry(day).or_default().push(Open { pattern, positive, variant, before: before.clone(), sequel });
    }
    facts.into_iter().map(|fact| (fact.event_time, fact)).chain(belated)
}
