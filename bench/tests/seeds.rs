//! Many small markets: whatever the seed, the engine's views are those of the plain evaluator.
//!
//! Each seed makes another market, revokes and replaces facts of it at random, and sends it shuffled or in order, in few
//! epochs or many, through one to three threads, with room for few unpacked bills or many, and every tenth through a
//! checkpoint and a restart. `BILLWATCH_SEEDS` says how many (default 200), `BILLWATCH_FIRST_SEED` where to begin.

mod common;

use std::{
    collections::BTreeSet,
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use billwatch_bench::simulator::{Settings, Simulator, dice::Dice};
use billwatch_market::{
    books::{self, is_of_book},
    catalogue::Catalogue,
    evaluator::EveryView,
    fact::{ControlKind, CorrectionKind, Fact, Field, SOURCES, Value},
    handling::Handlings,
    ids::Day,
    indicator::Indicators,
    report::{
        Book, Period,
        lines::{difference as first_difference, lines},
        plain::spread_periods,
    },
};
use billwatch_workers::harness::EngineHarness;

/// Facts of normal trade in a market.
const FACTS: u64 = 600;
/// One market in so many also has a case and a near miss of every pattern, which are many more facts.
const WITH_CASES: u64 = 40;
/// One market in so many goes through a checkpoint and a restart.
const RESTARTED: u64 = 10;

/// Pairs of theme and dimension with a known item that the market of the first seed has at least.
const DIMENSIONS_TOLD: usize = 480;

/// Themes, or pairs of a theme and a dimension, of which these markets have no item that is known, and why.
const UNTOLD: [(&str, &[&str]); 2] = [
    // `rarities::COVERING_FACTS`: 50,000 facts, too many for two hundred seeds.
    ("whole lives that smaller markets do not have", &["T13", "T27", "T40"]),
    (
        "codes that come in one fact of many hundreds, or with those lives",
        &[
            "T01 D.ctype",
            "T01 D.goods",
            "T03 D.rej",
            "T04 D.rej",
            "T06 D.qm",
            "T06 D.broker.prov",
            "T10 D.repo_term",
            "T15 D.acceptor.wl",
            "T16 D.rreason",
            "T29 D.odage",
            "T37 D.chg",
        ],
    ),
];

/// What the date of a cell says alone has no cells of its own.
const DATES: [&str; 3] = ["event.biz_date", "calendar.day_type", "report.period"];

/// First event id of corrections made here.
const FIRST_CORRECTION: u128 = 1 << 100;

/// A market as it arrives: facts, and the market clock at the end.
struct Market {
    facts: Vec<Fact>,
    clock: i64,
}

impl Market {
    fn simulated(seed: u64) -> Self {
        let misbehaviour = seed.is_multiple_of(WITH_CASES);
        let settings = Settings { misbehaviour, cases_a_round: 1, ..Settings::new(FACTS, seed) };
        let mut marks = [None; SOURCES.len()];
        let mut facts = Vec::new();
        for record in Simulator::new(settings) {
            match books::read(record) {
                Ok(fact) => facts.push(fact),
                Err(control) => {
                    if let ControlKind::Watermark(time) = control.kind {
                        marks[usize::from(control.source.rank())] = Some(time);
                    }
                }
            }
        }
        Market { facts, clock: marks.into_iter().flatten().min().expect("sources send watermarks") }
    }

    /// Revokes and replaces facts, and some corrections too; a third of the corrections come before what they correct.
    fn correct(&mut self, dice: &mut Dice) {
        let count = self.facts.len() / 30;
        for number in 0..count {
            let target = self.facts[dice.below(self.facts.len() as u64) as usize].clone();
            if is_of_book(&target) {
                // Cannot be corrected.
                continue;
            }
            let mut correction = target.clone();
            correction.event_id = FIRST_CORRECTION + number as u128;
            correction.event_time = target.event_time + 1_000;
            if dice.below(2) == 0 {
                correction.correction = Some((CorrectionKind::Revoke, target.event_id));
                correction.fields.clear();
            } else {
                correction.correction = Some((CorrectionKind::Replace, target.event_id));
                correction.biz_date = target.biz_date.plus(dice.below(3) as i32 - 1);
                if let Some(amount) = target.amount_sent() {
                    correction.set(Field::AmountFen, Value::Int(amount + 1));
                }
            }
            let place = dice.below(self.facts.len() as u64) as usize;
            self.facts.insert(place, correction);
        }
    }
}

/// Which views had rows, and of which themes, dimensions, patterns and indicators: what never comes is not compared with
/// anything.
#[derive(Default)]
struct Shown {
    names: BTreeSet<(&'static str, String)>,
}

impl Shown {
    /// Views whose rows begin with the name of what they are about. Their rows are read in the markets that have cases.
    const NAMED: [&'static str; 3] = ["cells", "alerts", "indicators"];
    /// Pairs of a theme and a dimension.
    const DIMENSIONS: &'static str = "dimensions";

    fn note(&mut self, seed: u64, views: &EveryView) {
        let marks = views.marks();
        let of_name = |name: &&str| marks.get(*name).is_some_and(|mark| mark.rows > 0);
        self.names.extend(EveryView::NAMES.into_iter().filter(of_name).map(|name| ("view", name.to_owned())));
        if !seed.is_multiple_of(WITH_CASES) {
            return;
        }
        for view in Shown::NAMED {
            let names: BTreeSet<String> =
                views.rows(view).iter().filter_map(|row| Some(row.split_once(',')?.0.to_owned())).collect();
            self.names.extend(names.into_iter().map(|name| (view, name)));
        }
        // A dimension of which every item is unknown says nothing, and so compares nothing.
        let told = views.rows("cells").into_iter().filter_map(|row| {
            let mut columns = row.split(',');
            let (theme, dimension, item) = (columns.next()?, columns.next()?, columns.nth(1)?);
            let says_nothing = matches!(item, "" | "ALL" | "UNKNOWN" | "NA");
            (!says_nothing).then(|| format!("{theme} {dimension}"))
        });
        self.names.extend(told.map(|pair| (Shown::DIMENSIONS, pair)));
    }

    /// Every dimension is compared by items that are known, or it is said why not.
    fn tells_every_dimension(&self, catalogue: &Catalogue) {
        let told = self.of(Shown::DIMENSIONS);
        let excused = |theme: &str, pair: &str| {
            UNTOLD.iter().flat_map(|(_, names)| *names).any(|name| [theme, pair].contains(name))
        };
        let mut untold = Vec::new();
        // Cells of alerts (T31) are read off the alerts, when asked: they are no rows of this view.
        for theme in catalogue.themes.iter().filter(|theme| &*theme.id != "T31") {
            for dimension in &theme.dimensions {
                let pair = format!("{} {}", theme.id, dimension.id);
                let is_date = DATES.iter().any(|date| dimension.source.starts_with(date));
                if !is_date && !told.contains(pair.as_str()) && !excused(&theme.id, &pair) {
                    untold.push(pair);
                }
            }
        }
        assert!(
            untold.is_empty(),
            "no item is known of {untold:?}: let the simulator tell it, or say in UNTOLD why not"
        );
        assert!(told.len() >= DIMENSIONS_TOLD, "only {}", self.in_words());
    }

    fn of(&self, kind: &str) -> BTreeSet<&str> {
        self.names.iter().filter(|(known, _)| *known == kind).map(|(_, name)| &**name).collect()
    }

    fn in_words(&self) -> String {
        let [themes, patterns, indicators] = Shown::NAMED.map(|kind| self.of(kind).len());
        let dimensions = self.of(Shown::DIMENSIONS).len();
        format!(
            "{themes} themes, {patterns} patterns and {indicators} indicators have rows, {dimensions} pairs of theme and \
             dimension have items that are known"
        )
    }

    /// Nearly everything of the catalogue was there to be compared: random corrections take some cases away.
    /// `tests/evidence.rs` has every pattern.
    fn is_nearly_all(&self) {
        // Custom reports have tests of their own: these markets register none.
        let views: BTreeSet<&str> = EveryView::NAMES.into_iter().filter(|view| *view != "crosses").collect();
        assert_eq!(self.of("view"), views);
        let [themes, patterns, indicators] = Shown::NAMED.map(|kind| self.of(kind).len());
        assert!(themes >= 36 && patterns >= 175 && indicators == 8, "only {}", self.in_words());
    }
}

fn start(
    catalogue: &Arc<Catalogue>,
    threads: usize,
    directory: &std::path::Path,
    from: u64,
    awake: usize,
) -> EngineHarness {
    EngineHarness::start_crowded(catalogue, threads, Some(directory), from, awake).expect("the engine starts")
}

/// What differs, in words.
fn difference(engine: &mut EngineHarness, expected: &EveryView) -> Option<String> {
    let live = engine.view_hashes().expect("the engine answers");
    let wanted = expected.marks();
    for (view, mark) in &wanted {
        if live.get(view) == Some(&(mark.hash, mark.rows)) {
            continue;
        }
        let found: std::collections::BTreeSet<_> = engine.view_rows(view).expect("rows").into_iter().collect();
        let rows: std::collections::BTreeSet<_> = expected.rows(view).into_iter().collect();
        let missing: Vec<_> = rows.difference(&found).take(3).collect();
        let extra: Vec<_> = found.difference(&rows).take(3).collect();
        return Some(format!("{view}: missing {missing:#?}, extra {extra:#?}"));
    }
    None
}

/// What differs in the reports of some periods, in words: the newest, the oldest, and those of two days of facts.
fn difference_of_reports(
    engine: &mut EngineHarness,
    expected: &EveryView,
    market: &Market,
    dice: &mut Dice,
) -> Option<String> {
    let rules = expected.market_rules();
    let (book, indicators) =
        (Book::read(&rules.meanings), Indicators::of(rules.meanings.catalogue(), expected.patterns()));
    let (book, indicators) = (book.expect("definitions"), indicators.expect("indicators"));
    let dates: BTreeSet<Day> = market.facts.iter().map(|fact| fact.biz_date).collect();
    let (mut wanted, _) = spread_periods(&book, &dates, 2);
    for _ in 0..2 {
        let day = market.facts[dice.below(market.facts.len() as u64) as usize].biz_date;
        let periods = book.reports.iter().enumerate();
        wanted.extend(periods.map(|(number, report)| (number, Period::containing(report.frequency, day))));
    }
    let live = common::reports(engine, (&book, &indicators), market.clock, &wanted).expect("the engine answers");
    let plain = expected.reports(&market.facts, &book, &wanted, Vec::new(), &Handlings::default());
    let of = |reports: &[_]| reports.iter().flat_map(|report| lines(&book, report)).collect::<Vec<String>>();
    let (live, plain) = (of(&live), of(&plain));
    let (live, plain) = first_difference(&live, &plain)?;
    Some(format!("reports: {live:?} instead of {plain:?}"))
}

fn check(catalogue: &Arc<Catalogue>, seed: u64, shown: &mut Shown) -> Result<(), String> {
    let mut dice = Dice::new(seed, 77);
    let mut market = Market::simulated(seed);
    market.correct(&mut dice);
    let expected =
        EveryView::evaluate(&market.facts, Some(market.clock), catalogue).map_err(|error| error.to_string())?;
    shown.note(seed, &expected);
    if dice.below(2) == 0 {
        for at in (1..market.facts.len()).rev() {
            market.facts.swap(at, dice.below(at as u64 + 1) as usize);
        }
    }
    let (threads, awake) = (1 + dice.below(3) as usize, 1 + dice.below(60) as usize);
    let epochs = 1 + dice.below(12) as usize;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut engine = start(catalogue, threads, directory.path(), 0, awake);
    let parts: Vec<&[Fact]> = market.facts.chunks(market.facts.len().div_ceil(epochs)).collect();
    let first = market.facts.iter().map(|fact| fact.event_time).min().unwrap_or(market.clock);
    for (place, part) in parts.iter().enumerate() {
        let left = (parts.len() - 1 - place) as i64;
        let clock = market.clock - (market.clock - first) / parts.len() as i64 * left;
        engine.feed(part, Some(clock)).map_err(|error| error.to_string())?;
        if seed.is_multiple_of(RESTARTED) && place == parts.len() / 2 {
            engine.checkpoint().map_err(|error| error.to_string())?;
            let epoch = engine.epoch();
            engine.stop();
            engine = start(catalogue, threads, directory.path(), epoch, awake);
        }
    }
    let found = difference(&mut engine, &expected)
        .or_else(|| difference_of_reports(&mut engine, &expected, &market, &mut dice));
    engine.stop();
    let how = || {
        format!("seed {seed}, {threads} threads, {epochs} epochs, {awake} awake bills, {} facts", market.facts.len())
    };
    found.map_or(Ok(()), |what| Err(format!("{}: {what}", how())))
}

#[test]
fn every_seed_gives_the_evaluators_views() {
    let number = |name: &str, default: u64| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (first, seeds) = (number("BILLWATCH_FIRST_SEED", 0), number("BILLWATCH_SEEDS", 200));
    let catalogue = Catalogue::embedded();
    // Seeds go to two threads, for some steps of each take one core: the engine starts, the plain evaluator works.
    let next = AtomicU64::new(first);
    let some = || {
        let (mut wrong, mut shown) = (Vec::new(), Shown::default());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return (wrong, shown);
            }
            wrong.extend(check(&catalogue, seed, &mut shown).err());
        }
    };
    let (mut wrong, mut shown) = (Vec::new(), Shown::default());
    thread::scope(|scope| {
        for half in [(); 2].map(|()| scope.spawn(some)) {
            let (more, other) = half.join().expect("seeds are tried");
            wrong.extend(more);
            shown.names.extend(other.names);
        }
    });
    assert!(wrong.is_empty(), "{} of {seeds} seeds differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{seeds} seeds from {first}: every view equal; {}", shown.in_words());
    if first == 0 {
        // The first market has cases.
        shown.tells_every_dimension(&catalogue);
    }
    if seeds >= 5 * WITH_CASES {
        shown.is_nearly_all();
    }
}
