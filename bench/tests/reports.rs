//! All reports of simulated markets: every check of honest trade holds, a planted fault fails the check that looks at it, the
//! figures agree with cells, and the engine gives what the plain evaluator gives.

mod common;

use std::{collections::BTreeSet, sync::Arc};

use billwatch_bench::simulator::{Settings, Simulator, rarities::COVERING_FACTS};
use billwatch_market::{
    aggregate::{Grain, Question, Value},
    catalogue::Catalogue,
    evaluator::{EveryView, Rules, Sets, evaluate_by},
    fact::{Fact, Field, Record, Value as FieldValue, behaviour},
    handling::Handlings,
    ids::{Code, Day},
    report::{self, Book, Period, Report, Status, exact::Exact, plain},
};
use billwatch_market::{
    indicator::Indicators,
    pattern::{Parameters, Patterns},
};
use billwatch_workers::harness::EngineHarness;
use common::Market;

/// After the last bill has come to its end.
const CLOCK: i64 = 1_790_000_000_000;

struct Setting {
    catalogue: Arc<Catalogue>,
    rules: Rules,
    book: Book,
}

fn setting() -> Setting {
    let catalogue = Catalogue::embedded();
    let rules = Rules::new(&catalogue).unwrap();
    let book = Book::read(&rules.meanings).unwrap();
    Setting { catalogue, rules, book }
}

fn honest(facts: u64, seed: u64, corrected: f64) -> Vec<Fact> {
    let settings = Settings { share_corrected: corrected, ..Settings::new(facts, seed) };
    let records = Simulator::new(settings);
    records.filter_map(|record| if let Record::Fact(fact) = record { Some(fact) } else { None }).collect()
}

fn wanted(book: &Book, days: &[&str]) -> Vec<(usize, Period)> {
    let mut wanted = Vec::new();
    for (number, report) in book.reports.iter().enumerate() {
        for day in days {
            let period = Period::containing(report.frequency, Day::parse(day).unwrap());
            if !wanted.contains(&(number, period)) {
                wanted.push((number, period));
            }
        }
    }
    wanted
}

fn made(book: &Book, records: &[Fact], clock: i64, wanted: &[(usize, Period)]) -> Vec<Report> {
    let views = EveryView::evaluate(records, Some(clock), book.meanings.catalogue()).unwrap();
    views.reports(records, book, wanted, Vec::new(), &Handlings::default())
}

fn failures(reports: &[Report]) -> Vec<String> {
    let failed = |report: &Report| {
        let checks = report.checks.iter().filter(|check| !check.pass).cloned().collect::<Vec<_>>();
        let (id, period) = (report.id.clone(), report.period.label());
        checks
            .into_iter()
            .map(move |check| format!("{id} {period} {} {:?} {:?} {}", check.id, check.left, check.right, check.place))
    };
    reports.iter().flat_map(failed).collect()
}

#[test]
fn every_check_of_honest_trade_holds_and_figures_agree_with_cells() {
    let Setting { rules, book, .. } = setting();
    let facts = honest(12_000, 7, 0.05);
    let wanted = wanted(&book, &["2024-01-31", "2024-03-14", "2024-04-30", "2024-07-31", "2024-09-30"]);
    let reports = made(&book, &facts, CLOCK, &wanted);
    let failed = failures(&reports);
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(reports.iter().all(|report| report.status == Status::Final));
    // Checks compare something.
    let compared = |report: &&Report| report.checks.iter().any(|check| check.left.is_true() && check.instances > 0);
    let comparing = reports.iter().filter(compared).count();
    assert!(comparing > reports.len() * 2 / 3, "{comparing} of {}", reports.len());

    let views = evaluate_by(&facts, CLOCK, &rules, Sets::None);
    let cell = |report: &str, period: Period, block: &str, row: &str, column: &str| {
        let form = &book.reports[book.number(report).unwrap()];
        let block = form.blocks.iter().position(|known| known.id == block).unwrap();
        let column = form.blocks[block].columns.iter().position(|known| known.id == column).unwrap();
        let report = reports.iter().find(|made| made.id == report && made.period == period).unwrap();
        report.blocks[block].rows.iter().find(|known| known.id == row).unwrap().cells[column].clone()
    };
    let mut compared = 0;
    for month in ["2024-01-31", "2024-04-30", "2024-07-31"] {
        let last = Day::parse(month).unwrap();
        let day = Period::containing(report::Frequency::Daily, last);
        for (row, column, theme, measure) in [
            ("1", "mtd", "T02", "amt_fen"),
            ("2", "mtd", "T04", "amt_fen"),
            ("3", "mtd", "T05", "amt_fen"),
            ("4", "mtd", "T07", "amt_fen"),
            ("5", "mtd", "T08", "first_fen"),
            ("6", "mtd", "T09", "first_fen"),
            ("10", "amount.TOTAL", "T20", "bal_fen"),
            ("12", "amount.TOTAL", "T15", "overdue_bal_fen"),
        ] {
            let question = Question {
                theme: theme.into(),
                dimension: "D.date".into(),
                items: Vec::new(),
                from: last.month_start(),
                to: last,
                grain: Grain::Day,
                measures: vec![measure.into()],
            };
            let rows = views.ask(&question).unwrap();
            let number = |value: &Value| if let Value::Number(number) = value { *number } else { 0 };
            let figure = match column {
                "mtd" => rows.iter().map(|row| number(&row.values[0].1)).sum::<i128>(),
                _ => rows.iter().filter(|row| row.period_end == last).map(|row| number(&row.values[0].1)).sum(),
            };
            assert_eq!(cell("R01", day, "main", row, column), Exact::Number(figure), "{month} row {row} {theme}");
            compared += usize::from(figure != 0);
        }
    }
    assert!(compared >= 12, "{compared} figures were not 0");
}

/// Checks that compare nothing in the markets below, with the reason.
const ALWAYS_ZERO: [(&str, &str, &str); 12] = [
    ("R02", "C5.1", "says that a figure is 0: banks accept no finance-company bills"),
    ("R02", "C5.2", "says that a figure is 0: enterprises accept commercial bills alone"),
    ("R04", "C2", "says that a figure is 0: what one sells another one buys"),
    ("R05", "C4", "says that a figure is 0: no first leg is above its collateral"),
    ("R12", "C2", "says that a figure is 0: what one province sells another one buys"),
    ("R13", "C1.H", "no company of hotels and catering"),
    ("R13", "C1.K", "no company of real estate"),
    ("R13", "C1.O", "no company of services to households"),
    ("R13", "C1.P", "no company of education"),
    ("R13", "C1.Q", "no company of health and social work"),
    ("R13", "C1.T", "no international organisation"),
    ("R22", "C3.2", "nobody handles an alert here; market/tests/report_on_alerts.rs has its figures"),
];

/// A market that speaks the whole catalogue, with cases and near misses of every pattern: each check of each report holds in
/// every period that has facts, and each one compares something in one of them.
#[test]
fn every_check_holds_in_every_period_of_a_market_that_speaks_the_whole_catalogue() {
    let Setting { catalogue, book, .. } = setting();
    let market = Market::simulated(COVERING_FACTS, 1, 17, usize::MAX);
    let facts: Vec<Fact> = market.facts().cloned().collect();
    let dates: BTreeSet<Day> = facts.iter().map(|fact| fact.biz_date).collect();
    let (wanted, _) = plain::spread_periods(&book, &dates, usize::MAX);
    let views = EveryView::evaluate(&facts, Some(market.clock), &catalogue).unwrap();
    let reports = views.reports(&facts, &book, &wanted, Vec::new(), &Handlings::default());
    let failed = failures(&reports);
    assert!(failed.is_empty(), "{} of {} reports: {failed:#?}", failed.len(), reports.len());
    let mut silent: BTreeSet<(&str, &str)> = BTreeSet::new();
    for report in &reports {
        silent.extend(report.checks.iter().map(|check| (report.id.as_str(), check.id.as_str())));
    }
    for report in &reports {
        let comparing = report.checks.iter().filter(|check| check.left.is_true() || check.right.is_true());
        for check in comparing {
            silent.remove(&(report.id.as_str(), check.id.as_str()));
        }
    }
    let known: BTreeSet<(&str, &str)> = ALWAYS_ZERO.iter().map(|(report, check, _)| (*report, *check)).collect();
    assert_eq!(silent, known);
}

#[test]
fn a_report_does_not_depend_on_what_is_asked_with_it() {
    let Setting { catalogue, book, .. } = setting();
    let facts = honest(8_000, 5, 0.05);
    let wanted = wanted(&book, &["2024-03-31", "2024-09-30"]);
    let views = EveryView::evaluate(&facts, Some(CLOCK), &catalogue).unwrap();
    let together = views.reports(&facts, &book, &wanted, Vec::new(), &Handlings::default());
    for (one, together) in wanted.iter().zip(&together) {
        let alone = views.reports(&facts, &book, &[*one], Vec::new(), &Handlings::default()).remove(0);
        assert_eq!(&alone, together, "{} {}", alone.id, alone.period.label());
    }
}

#[test]
fn a_planted_fault_fails_the_check_that_looks_at_it() {
    let Setting { book, .. } = setting();
    // Cases of misbehaviour break no check; an enterprise whose division lies in another section does.
    let market = Market::simulated(10_000, 1, 7, 5_000);
    let mut facts: Vec<Fact> = market.facts().cloned().collect();
    let january = (book.number("R13").unwrap(), Period::parse(report::Frequency::Monthly, "2024-01").unwrap());
    let honest = made(&book, &facts, market.clock, &[january]);
    assert_eq!(failures(&honest), Vec::<String>::new());
    let accepted = facts.iter().find(|fact| fact.behaviour == behaviour::ACC_SGN && fact.biz_date <= january.1.to);
    let bill = accepted.and_then(|fact| fact.bill_id);
    let registered = facts.iter().find(|fact| fact.behaviour == behaviour::ISS_REG && fact.bill_id == bill);
    let drawer = registered.and_then(|fact| fact.party(Field::DrawerId)).unwrap();
    let mut planted = 0;
    for fact in facts.iter_mut().filter(|fact| fact.behaviour == behaviour::MST_ENR) {
        if fact.party(Field::EntId) == Some(drawer) {
            let section = fact.code(Field::IndustrySection);
            let other = if section == Code::parse("C") { "51" } else { "13" };
            fact.set(Field::IndustryDivision, FieldValue::Code(Code::parse(other).unwrap()));
            planted += 1;
        }
    }
    assert!(planted > 0);
    let number = book.number("R13").unwrap();
    let wanted = [(number, Period::parse(report::Frequency::Monthly, "2024-01").unwrap())];
    let reports = made(&book, &facts, market.clock, &wanted);
    assert_eq!(reports[0].status, Status::CheckFailed);
    let failed: Vec<&str> =
        reports[0].checks.iter().filter(|check| !check.pass).map(|check| check.id.as_str()).collect();
    assert!(failed.contains(&"C1.C"), "{failed:?}");
    let check = reports[0].checks.iter().find(|check| check.id == "C1.C").unwrap();
    assert_eq!(check.difference, check.left.minus(&check.right));
    assert!(check.place.contains("acc"), "{}", check.place);
}

#[test]
fn the_engine_gives_the_reports_of_the_plain_evaluator() {
    let Setting { catalogue, book, .. } = setting();
    for seed in [3, 11] {
        println!("seed {seed}");
        let mut facts = honest(10_000, seed, 0.2);
        let wanted = wanted(&book, &["2024-03-31", "2024-06-13"]);
        let plain = made(&book, &facts, CLOCK, &wanted);
        // Another order of arrival: late facts and corrections before their targets.
        let length = facts.len();
        for at in 0..length {
            facts.swap(at, (at * 7_919 + seed as usize * 31) % length);
        }
        let mut engine = EngineHarness::start(&catalogue, 2, None, 0).unwrap();
        for part in facts.chunks(2_000) {
            engine.feed(part, Some(CLOCK)).unwrap();
        }
        let patterns = Patterns::of(&catalogue, &Parameters::default()).unwrap();
        let indicators = Indicators::of(&catalogue, &patterns).unwrap();
        let live = common::reports(&mut engine, (&book, &indicators), CLOCK, &wanted).unwrap();
        for (live, plain) in live.iter().zip(&plain) {
            assert_eq!(live, plain, "{} {}", plain.id, plain.period.label());
        }
    }
}

#[test]
fn who_is_above_a_limit_has_its_alert() {
    let Setting { catalogue, rules, book } = setting();
    let market = Market::simulated(10_000, 1, 7, 5_000);
    let facts: Vec<Fact> = market.facts().cloned().collect();
    let views = EveryView::evaluate(&facts, Some(market.clock), &catalogue).unwrap();
    let days = ["2024-01-31", "2024-02-28", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-30", "2024-07-31"];
    let [limits, alerts] = ["R09", "R22"].map(|id| book.number(id).unwrap());
    let wanted: Vec<(usize, Period)> =
        wanted(&book, &days).into_iter().filter(|(report, _)| [limits, alerts].contains(report)).collect();
    let reports = views.reports(&facts, &book, &wanted, Vec::new(), &Handlings::default());
    assert_eq!(failures(&reports), Vec::<String>::new());
    let check = |reports: &[Report], report: &str, id: &str| {
        let of = reports.iter().filter(|made| made.id == report);
        of.flat_map(|made| made.checks.iter().filter(|check| check.id == id)).cloned().collect::<Vec<_>>()
    };
    // There is something to check, and an amount to print.
    for (report, id) in [("R09", "C2.1"), ("R09", "C2.2"), ("R22", "C4"), ("R22", "C3.3")] {
        assert!(check(&reports, report, id).iter().any(|check| check.left.is_true()), "{report} {id}");
    }
    let main = &book.reports[alerts].blocks[0];
    let [new, amount, kept] =
        ["new.TOTAL", "amount", "open"].map(|id| main.columns.iter().position(|column| column.id == id).unwrap());
    let total = |report: &Report, column: usize| report.blocks[0].rows.last().unwrap().cells[column].clone();
    let last = reports.iter().rfind(|report| report.id == "R22").unwrap();
    assert!([new, amount, kept].iter().all(|column| total(last, *column).is_true()));
    // Without the alerts the checks fail.
    let silent = plain::Market { records: &facts, alerts: &[], clock: Some(market.clock), rules: &rules };
    let silent = plain::reports(silent, &book, &wanted);
    for (report, id) in [("R09", "C2.1"), ("R09", "C2.2"), ("R22", "C4")] {
        assert!(check(&silent, report, id).iter().any(|check| !check.pass), "{report} {id}");
    }
}

#[test]
fn a_report_is_final_half_an_hour_after_its_period() {
    let period = Period::parse(report::Frequency::Daily, "2024-04-08").unwrap();
    let end = period.to.end_ms();
    assert!(!plain::is_final(period, None));
    assert!(!plain::is_final(period, Some(end + plain::LATENESS_BOUND_MS - 1)));
    assert!(plain::is_final(period, Some(end + plain::LATENESS_BOUND_MS)));
    let Setting { book, .. } = setting();
    let wanted = [(book.number("R01").unwrap(), period)];
    let status = |clock| made(&book, &[], clock, &wanted)[0].status;
    assert_eq!((status(end), status(end + plain::LATENESS_BOUND_MS)), (Status::Prelim, Status::Final));
}
