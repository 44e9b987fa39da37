//! The market simulator: a whole bill market from one seed, as a stream of records in event-time order.
//!
//! What it keeps:
//! - **Deterministic**: the same [`Settings`] give the same records, byte for byte; all chance comes from [`dice`].
//! - **Streaming**: memory follows the bills under way, so the facts of a day, not the number of facts: a market above
//!   [`FACTS_A_DAY`] is simulated over more days, unless the settings name them. What grows with a longer market are the labels of
//!   its cases.
//! - **Valid**: every fact of normal trade has the form of facts.md and the fields of payloads.csv, and the fold applies
//!   it. Statistics follow domain.md 12.4. What could make honest trade look like a pattern is left out on purpose.
//! - **Complete**: lives run to their end, sources number their records from 1 without gaps and send watermarks.
//! - **Truthful**: who is published as an overdue acceptor is one (`lists`).
//!
//! Begin with [`Simulator`]; a bill's life as facts is in [`life`], normal trade in [`trade`], who takes part in
//! [`world`].

pub mod agenda;
pub mod alone;
pub mod cases;
pub mod deals;
pub mod detours;
pub mod dice;
pub mod draft;
pub mod label;
pub mod life;
mod lists;
pub mod lot;
pub mod misbehaviour;
mod papers;
pub mod price;
pub mod rarities;
mod recourse;
pub mod redemption;
pub mod reference;
mod reporting;
pub mod story;
pub mod tables;
#[cfg(test)]
mod tests;
pub mod trade;
mod trade_bank;
mod trade_due;
mod trade_issue;
pub mod transforms;
pub mod world;

use std::collections::VecDeque;

use billwatch_market::books;
use billwatch_market::fact::{Control, ControlKind, EventId, Fact, Record, SOURCES, Source};
use billwatch_market::ids::{DAY_MS, Day};

use cases::Cases;
use dice::Dice;
use label::Label;
use lists::Lists;
use lot::Slots;
use misbehaviour::Misbehaviour;
use price::{CLASSES, TENORS};
use rarities::Rarities;
use reference::{Opening, total_assets};
use trade::{Trade, What};
use transforms::harmless_replacement;
use world::{FINANCE_COMPANY, Who, member};

/// Facts that one bill of normal trade has on average (measured over a full market, with its disclosures).
const FACTS_PER_BILL: u64 = 19;
/// Facts between two rounds of watermarks.
const WATERMARK_EVERY: u64 = 1_000;
/// Calendar days on which bills are issued, unless the market is too large for them.
pub const DAYS: u32 = 182;
/// Facts of a calendar day of issues beyond which a market lasts longer instead: some half a million bills are under way then, a
/// few hundred MiB of memory.
pub const FACTS_A_DAY: u64 = 50_000;
/// Below this size the curve is published once a week: daily points would outnumber the trade.
const DAILY_CURVE_FROM: u64 = 200_000;
/// Bills that are refused or paid late live on after their due date, days.
const OVERHANG_DAYS: i32 = 120;
/// After the last fact of a life the clock runs on so far that every timer has fallen due, days. Members and acceptors still report.
const CLOSING_DAYS: i32 = 40;

/// Sources that send facts in this market; the others report themselves idle at the start.
const ACTIVE: [Source; 10] = [
    Source::Refd,
    Source::Preg,
    Source::Ecds,
    Source::Ngbs,
    Source::Scbp,
    Source::Dthp,
    Source::Bpay,
    Source::Cpes,
    Source::Clrs,
    Source::Disc,
];

/// First event id of corrections that the stream itself carries.
const FIRST_CORRECTION: EventId = 1 << 98;

/// What market to simulate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// About how many facts of normal trade, reference data included (10 thousand to 100 million; hit within 5 %).
    pub facts: u64,
    /// All chance comes from it.
    pub seed: u64,
    /// Day on which the reference data come; trade begins on the next business day.
    pub start: Day,
    /// Calendar days on which bills are issued; their lives go on for half a year more.
    pub days: u32,
    /// Adds labelled misbehaviour and near misses, on parties of their own and on top of `facts`.
    pub misbehaviour: bool,
    /// Positives, and as many near misses, of every pattern in a round of the labelled cases: 1 to 3, each of another kind.
    pub cases_a_round: usize,
    /// Every week of issues has a whole round of the labelled cases, however small the market (but those of
    /// [`misbehaviour::Injector::is_told_once`]). Otherwise rounds are as many as stay a small part of the market, one at least.
    pub every_week: bool,
    /// Adds the ten published fraud cases, on parties of their own and on top of `facts`.
    pub published_cases: bool,
    /// Share of the facts that are replaced later by a correction which changes nothing that is judged (0 to 1).
    pub share_corrected: f64,
}

impl Settings {
    /// Half a year of issues from January 2024 (longer above [`FACTS_A_DAY`]), without misbehaviour or corrections.
    pub fn new(facts: u64, seed: u64) -> Self {
        Settings {
            facts,
            seed,
            start: Day::from_ymd(2024, 1, 8).expect("a day"),
            days: usual_days(facts),
            misbehaviour: false,
            cases_a_round: misbehaviour::CASES_A_ROUND,
            every_week: false,
            published_cases: false,
            share_corrected: 0.0,
        }
    }
}

/// Calendar days on which the bills of so many facts are issued, unless the settings name another number.
pub fn usual_days(facts: u64) -> u32 {
    DAYS.max(u32::try_from(facts.div_ceil(FACTS_A_DAY)).unwrap_or(u32::MAX))
}

/// The market, record by record in the order of event time.
pub struct Simulator {
    settings: Settings,
    trade: Trade,
    opening: Option<Opening>,
    out: VecDeque<Record>,
    /// Facts that are made before their time, by slot.
    planned: Slots<Fact>,
    /// The disclosure platform.
    lists: Lists,
    /// Last number and last watermark of each source, by rank.
    sequences: [(u64, i64); SOURCES.len()],
    since_watermark: u64,
    /// Bills still to be issued and the days' weights still to come.
    bills_left: u64,
    weights_left: u64,
    rarities: Rarities,
    misbehaviour: Option<Misbehaviour>,
    cases: Option<Cases>,
    corrections: Dice,
    corrected: EventId,
    /// Last day of the market, once nothing more is to be told.
    closes: Option<Day>,
    finished: bool,
}

impl Simulator {
    /// A market that has not begun.
    pub fn new(settings: Settings) -> Self {
        // Half a year of lives follows the last issues; a year has 250 business days and 52 weeks.
        let span = u64::from(settings.days.max(DAYS) + DAYS);
        let publications = if settings.facts >= DAILY_CURVE_FROM { span * 250 / 364 } else { span / 7 };
        let points = publications * (CLASSES.len() * TENORS.len()) as u64;
        let bills = (settings.facts.saturating_sub(points) * 10 / (FACTS_PER_BILL * 10 + 3)).max(50);
        let rare = rarities::expected_facts(settings.facts, bills);
        let bills = bills.saturating_sub(rare * 10 / (FACTS_PER_BILL * 10 + 3)).max(50);
        // Of a longer market those who take part carry what is under way at a time: bills live for half a year.
        let at_a_time = bills * u64::from(DAYS) / u64::from(settings.days.max(DAYS));
        let trade = Trade::new(settings.seed, at_a_time, settings.start);
        let last = settings.start.plus(settings.days as i32);
        let weights_left =
            (settings.start.0 + 1..=last.0).map(|day| trade.calendar.busyness(Day(day))).sum::<u64>().max(1);
        let misbehaviour = settings.misbehaviour.then(|| Misbehaviour::new(&settings, &trade));
        let cases = settings.published_cases.then(|| Cases::new(settings.start, &trade.calendar));
        let mut simulator = Simulator {
            opening: Some(Opening::new(settings.start)),
            trade,
            out: VecDeque::new(),
            planned: Slots::default(),
            lists: Lists::default(),
            sequences: [(0, i64::MIN); SOURCES.len()],
            since_watermark: 0,
            bills_left: bills,
            weights_left,
            rarities: Rarities::new(settings.facts, bills, weights_left),
            misbehaviour,
            cases,
            corrections: Dice::new(settings.seed, 3),
            corrected: 0,
            closes: None,
            finished: false,
            settings,
        };
        for source in SOURCES.into_iter().filter(|source| !ACTIVE.contains(source)) {
            simulator.control(source, ControlKind::Idle);
        }
        simulator
    }

    /// Lots under way now: what the memory follows.
    pub fn live_lots(&self) -> usize {
        self.trade.live_lots()
    }

    /// Things waiting to happen: with the live lots, all that is kept of the future.
    pub fn waiting(&self) -> usize {
        self.trade.agenda.waiting()
    }

    /// Labels of the injected cases begun so far; complete when the market has ended.
    pub fn labels(&self) -> &[Label] {
        self.misbehaviour.as_ref().map_or(&[], |cases| cases.labels())
    }

    /// The published cases begun so far; `None` unless the settings ask for them.
    pub fn published_cases(&self) -> Option<&Cases> {
        self.cases.as_ref()
    }

    /// One step of the market; adds to `out` or moves the time on.
    fn advance(&mut self) {
        if let Some(opening) = &mut self.opening {
            match opening.fact(&self.trade.world, &mut self.trade.registry, &self.trade.curve) {
                Some(fact) => {
                    let at = fact.event_time;
                    self.send(fact, at);
                }
                None => self.opening = None,
            }
            return;
        }
        let Some(entry) = self.trade.agenda.pop() else {
            self.next_day();
            return;
        };
        match entry.what {
            What::Birth => self.trade.birth(entry.at),
            What::Lot(slot) => self.trade.step(entry.at, slot),
            What::Disclose(slot) => self.trade.disclose(entry.at, slot),
            What::Curve => self.publish_curve(entry.at),
            What::Planned(slot) => {
                let fact = self.planned.take(slot);
                self.send(fact, entry.at);
            }
        }
        for at in 0..self.trade.out.len() {
            // The step's facts are moved out; the list keeps its memory for the next step.
            let fact = std::mem::replace(&mut self.trade.out[at], empty_fact());
            self.send(fact, entry.at);
        }
        self.trade.out.clear();
    }

    fn publish_curve(&mut self, at: i64) {
        for class in 1..=CLASSES.len() {
            for tenor in 0..TENORS.len() {
                let rate = self.trade.curve.point(class, tenor);
                let fact = self.trade.registry.curve_point(at, class, tenor, rate);
                self.trade.out.push(fact);
            }
        }
    }

    /// Midnight: watermarks of the day that ends, then what the new day brings.
    fn next_day(&mut self) {
        let ended = self.trade.agenda.day();
        if ended.month_end() == ended {
            for fact in self.lists.publish(ended, &mut self.trade.registry) {
                let at = fact.event_time;
                self.send(fact, at);
            }
        }
        let told = self.misbehaviour.as_ref().is_none_or(|cases| !cases.is_open())
            && self.cases.as_ref().is_none_or(|cases| !cases.is_open());
        let is_over = self.trade.agenda.waiting() == 0 && ended >= self.settings.start.plus(self.settings.days as i32);
        if is_over && told && ended >= *self.closes.get_or_insert(ended.plus(CLOSING_DAYS)) {
            self.watermarks(ended.end_ms() - 1);
            self.finished = true;
            return;
        }
        if self.since_watermark >= 64 || ended.weekday() == 6 {
            self.watermarks(ended.end_ms() - 1);
        }
        self.trade.agenda.next_day();
        self.trade.begin_day();
        let today = self.trade.agenda.day();
        if !self.trade.calendar.is_business_day(today) {
            return;
        }
        let weekly = self.settings.facts < DAILY_CURVE_FROM;
        let monday = today.plus(-((today.weekday()) as i32));
        let first_of_week = self.trade.calendar.roll(monday) == today;
        if self.closes.is_none() && (!weekly || first_of_week) {
            // The level of the day is drawn now and published at 8:30, before anybody trades on it.
            self.trade.curve.step(&mut self.trade.dice);
            self.trade.agenda.add(today.start_ms() + 30_600_000, What::Curve);
        }
        if self.trade.calendar.roll(today.month_start()) == today {
            self.balance_sheets(today);
            self.credit_disclosures(today);
        }
        self.births(today);
        if let Some(cases) = &mut self.cases {
            for fact in cases.begin_day(today, &mut self.trade) {
                self.plan(fact);
            }
        }
        if let Some(cases) = &mut self.misbehaviour {
            for (at, fact) in cases.begin_day(today, &mut self.trade) {
                self.plan_at(at, fact);
            }
        }
    }

    /// MST.FIN of every member on the first business day of a month, 8:00.
    fn balance_sheets(&mut self, today: Day) {
        let at = today.start_ms() + 28_800_000;
        for place in 0..self.trade.world.institutions.len() {
            let (legal, inst_type) = {
                let known = &self.trade.world.institutions[place];
                (known.legal, known.inst_type)
            };
            let report = today.month_start().plus(-1);
            let when = at + place as i64;
            let fact = self.trade.registry.balance_sheet(when, member(legal, 1), report, total_assets(inst_type));
            self.plan(fact);
        }
    }

    /// DIS.CRD of whoever may have had commercial or finance-company bills live at the end of the month before, 9:00.
    fn credit_disclosures(&mut self, today: Day) {
        let at = today.start_ms() + 32_400_000;
        let month_end = today.month_start().plus(-1);
        let live = self.trade.disclosing.iter().filter(|(_, last)| **last >= month_end.plus(-OVERHANG_DAYS));
        let companies = live.map(|(place, _)| Who::enterprise(*place));
        let institutions = &self.trade.world.institutions;
        let finance = (0..institutions.len()).filter(|place| institutions[*place].inst_type == FINANCE_COMPANY);
        let acceptors: Vec<Who> = companies.chain(finance.map(|place| self.trade.world.head_office(place))).collect();
        for (place, acceptor) in acceptors.into_iter().enumerate() {
            let party = self.trade.world.party(acceptor);
            let fact = self.trade.registry.credit_disclosure(at + place as i64, party, month_end);
            self.plan(fact);
        }
    }

    fn births(&mut self, today: Day) {
        if today > self.settings.start.plus(self.settings.days as i32) {
            return;
        }
        let weight = self.trade.calendar.busyness(today);
        let bills = (u128::from(self.bills_left) * u128::from(weight) / u128::from(self.weights_left.max(1))) as u64;
        self.bills_left -= bills;
        self.weights_left -= weight;
        for fact in self.rarities.begin_day(today, weight, &mut self.trade) {
            self.plan(fact);
        }
        for _ in 0..bills {
            let at = self.trade.office_time(today);
            self.trade.agenda.add(at, What::Birth);
        }
    }

    /// Keeps a fact until its time.
    fn plan(&mut self, fact: Fact) {
        let at = fact.event_time;
        self.plan_at(at, fact);
    }

    /// Keeps a fact until it is sent.
    fn plan_at(&mut self, at: i64, fact: Fact) {
        let slot = self.planned.keep(fact);
        self.trade.agenda.add(at, What::Planned(slot));
    }

    /// A fact leaves: it gets its place in the sequence of its source and the stamp of replay mode.
    fn send(&mut self, mut fact: Fact, at: i64) {
        if self.settings.share_corrected > 0.0 && fact.correction.is_none() && !books::is_of_book(&fact) {
            self.maybe_correct(&fact, at);
        }
        self.lists.see(&fact, &self.trade.calendar);
        let (sequence, watermark) = &mut self.sequences[usize::from(fact.source.rank())];
        *sequence += 1;
        fact.source_seq = *sequence;
        fact.stamp.source_watermark = *watermark;
        self.out.push_back(books::record_of(fact));
        self.since_watermark += 1;
        if self.since_watermark >= WATERMARK_EVERY {
            // More facts of this very millisecond may follow.
            self.watermarks(at - 1);
        }
    }

    /// With the chance of the settings the fact is replaced one to three days later by itself and a remark.
    fn maybe_correct(&mut self, fact: &Fact, at: i64) {
        if self.corrections.unit() > self.settings.share_corrected {
            return;
        }
        let when = at + self.corrections.between(1, 3) * DAY_MS;
        self.corrected += 1;
        let mut replacement = harmless_replacement(fact, FIRST_CORRECTION + self.corrected, when);
        replacement.stamp.ingest_time = when;
        self.plan_at(when, replacement);
    }

    fn watermarks(&mut self, time: i64) {
        self.since_watermark = 0;
        for source in ACTIVE {
            if self.sequences[usize::from(source.rank())].1 < time {
                self.control(source, ControlKind::Watermark(time));
                self.sequences[usize::from(source.rank())].1 = time;
            }
        }
    }

    fn control(&mut self, source: Source, kind: ControlKind) {
        let sequence = &mut self.sequences[usize::from(source.rank())].0;
        *sequence += 1;
        self.out.push_back(Record::Control(Control { source, source_seq: *sequence, kind }));
    }
}

impl Iterator for Simulator {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.out.pop_front() {
                return Some(record);
            }
            if self.finished {
                return None;
            }
            self.advance();
        }
    }
}

/// A fact without fields, which owns no memory.
fn empty_fact() -> Fact {
    use billwatch_market::fact::{Behaviour, Range, Stamp};
    Fact {
        event_id: 0,
        behaviour: Behaviour(0),
        event_time: 0,
        biz_date: Day(0),
        source: Source::Simu,
        source_seq: 0,
        stamp: Stamp::default(),
        bill_id: None,
        range: Range::WHOLE,
        range_given: false,
        correction: None,
        fields: Vec::new(),
    }
}
