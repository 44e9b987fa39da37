//! R22: what supervisors did with alerts, with numbers worked out by hand; and its checks on what cannot be.

use std::{collections::BTreeMap, fs, path::Path};

use billwatch_market::{
    catalogue::Catalogue,
    evaluator::{EveryView, Rules},
    fact::{Fact, Record},
    handling::{Action, Handling, Handlings, STATUSES, Status as Handled},
    ids::{Code, Day},
    items::Item,
    ndjson::parse_line,
    pattern::{
        AlertId, Level, Patterns, PlainWindows,
        plain::{self, Setting as PatternSetting},
    },
    report::{
        Book, Frequency, Period, Report, Status,
        alerts::{SeenAlert, counts_withdrawn},
        plain::{Market, reports},
        print::print,
        questions,
    },
};

struct Setting {
    rules: Rules,
    book: Book,
}

fn setting() -> Setting {
    let rules = Rules::new(&Catalogue::embedded()).unwrap();
    let book = Book::read(&rules.meanings).unwrap();
    Setting { rules, book }
}

/// An instant in China, `2025-06-30 23:30`.
fn at(text: &str) -> i64 {
    let (day, clock) = text.split_once(' ').unwrap();
    let (hour, minute) = clock.split_once(':').unwrap();
    let minutes = hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap();
    Day::parse(day).unwrap().start_ms() + minutes * 60_000
}

/// How an alert is handled that appeared at one instant, after actions of (instant, status or disposition).
fn handled(raised: &str, actions: &[(&str, &str)]) -> Option<Handling> {
    let mut handlings = Handlings::default();
    for (clock, done) in actions {
        let disposition = done.starts_with("DP").then(|| Code::parse(done).unwrap());
        let status = if disposition.is_some() { Handled::Closed } else { Handled::parse(done).unwrap() };
        let action = Action { status, disposition, raised_ms: at(raised), clock_ms: at(clock) };
        handlings.apply(AlertId(1), action);
    }
    handlings.get(AlertId(1)).copied()
}

/// An alert of P013 on a bill that holds.
fn alert(number: u32, day: &str, raised: &str, actions: &[(&str, &str)]) -> SeenAlert {
    SeenAlert {
        pattern: "P013".to_owned(),
        level: Level::Red as u16,
        day: Day::parse(day).unwrap(),
        key: format!("6{number:029}"),
        withdrawn: false,
        face_fen: 0,
        institution_type: Item::NA,
        handling: handled(raised, actions),
    }
}

/// The worked market: alerts before, in and after June 2025.
fn alerts(setting: &Setting) -> Vec<SeenAlert> {
    let vocabulary = setting.rules.meanings.vocabulary();
    let joint_stock = vocabulary.parse_item(vocabulary.enumeration("institution_type"), "202").unwrap();
    let of_bank = |day: &str, raised: &str, actions: &[(&str, &str)]| SeenAlert {
        pattern: "P048".to_owned(),
        level: Level::Yellow as u16,
        key: "100102".to_owned(),
        institution_type: joint_stock,
        ..alert(0, day, raised, actions)
    };
    let withdrawn = |number: u32, day: &str| {
        let key = format!("6{number:029}");
        SeenAlert::withdrawn("P013".to_owned(), Level::Red as u16, Day::parse(day).unwrap(), key)
    };
    vec![
        // Closed before the period.
        alert(1, "2025-05-20", "2025-05-20 10:00", &[("2025-05-21 10:00", "ACK"), ("2025-05-30 10:00", "DP03")]),
        // Raised before, first seen after 120 hours, closed after 144: both in the period.
        alert(2, "2025-05-28", "2025-05-28 09:00", &[("2025-06-02 09:00", "ACK"), ("2025-06-03 09:00", "DP02")]),
        // False after an hour and a half.
        alert(3, "2025-06-10", "2025-06-10 12:00", &[("2025-06-10 13:30", "FP")]),
        // Suppressed after 24 hours.
        alert(4, "2025-06-11", "2025-06-11 12:00", &[("2025-06-12 12:00", "SUP")]),
        // Seen after two hours, closed after the period.
        alert(5, "2025-06-15", "2025-06-15 08:00", &[("2025-06-15 10:00", "ACK"), ("2025-07-02 08:00", "DP05")]),
        // Closed after 12 hours and opened again.
        alert(6, "2025-06-16", "2025-06-16 08:00", &[("2025-06-16 20:00", "DP01"), ("2025-06-18 08:00", "INV")]),
        // Nobody did anything.
        alert(7, "2025-06-20", "2025-06-20 12:00", &[]),
        withdrawn(8, "2025-06-21"),
        withdrawn(9, "2025-05-10"),
        // On a fact that is dated ahead: not new before its date, and not closed either.
        alert(10, "2025-07-03", "2025-06-29 07:00", &[("2025-06-29 08:00", "FP")]),
        // The last half hour of the period and the first of the next one, in China. 10 and 613.5 hours.
        of_bank("2025-06-05", "2025-06-05 10:00", &[("2025-06-05 20:00", "ESC"), ("2025-06-30 23:30", "DP05")]),
        of_bank("2025-06-30", "2025-06-30 12:00", &[("2025-07-01 00:30", "DP07")]),
    ]
}

fn made(setting: &Setting, alerts: &[SeenAlert], month: &str) -> Report {
    let number = setting.book.number("R22").unwrap();
    let period = Period::parse(Frequency::Monthly, month).unwrap();
    let market = Market { records: &[], alerts, clock: Some(at("2025-12-31 00:00")), rules: &setting.rules };
    reports(market, &setting.book, &[(number, period)]).remove(0)
}

/// Printed cells of a row, by the ids of their columns.
fn row(setting: &Setting, report: &Report, block: usize, row: &str, columns: &[&str]) -> Vec<String> {
    let form = &setting.book.reports[setting.book.number("R22").unwrap()].blocks[block];
    let row = report.blocks[block].rows.iter().find(|known| known.id == row).unwrap();
    let printed = |id: &&str| {
        let at = form.columns.iter().position(|column| column.id == *id).unwrap_or_else(|| panic!("{id}"));
        print(&row.cells[at], form.columns[at].unit)
    };
    columns.iter().map(printed).collect()
}

fn failed(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| !check.pass).map(|check| check.id.as_str()).collect()
}

#[test]
fn what_was_done_with_alerts_counts_when_it_was_done() {
    let setting = setting();
    let alerts = alerts(&setting);
    let columns = ["new.TOTAL", "opening", "withdrawn", "closed", "false", "false_ratio", "suppressed", "open"];
    let hours = ["acknowledge", "close"];
    let june = made(&setting, &alerts, "2025-06");
    assert_eq!((june.status, failed(&june)), (Status::Final, Vec::<&str>::new()));
    for id in ["P013", "F.lifecycle-sequence"] {
        assert_eq!(row(&setting, &june, 0, id, &columns), ["6", "1", "1", "3", "1", "33.3333", "1", "3"], "{id}");
        // Acknowledged after 1.5, 2, 12, 24 and 120 hours; closed after 1.5, 24 and 144.
        assert_eq!(row(&setting, &june, 0, id, &hours), ["12.0", "24.0"], "{id}");
    }
    assert_eq!(row(&setting, &june, 0, "P048", &columns), ["2", "0", "0", "1", "0", "0.0000", "0", "1"]);
    assert_eq!(row(&setting, &june, 0, "P048", &hours), ["10.0", "613.5"]);
    assert_eq!(row(&setting, &june, 0, "TOTAL", &columns), ["8", "1", "1", "4", "1", "25.0000", "1", "4"]);
    // Of an even number the lower one.
    assert_eq!(row(&setting, &june, 0, "TOTAL", &hours), ["10.0", "24.0"]);
    // Nothing happened to a pattern.
    assert_eq!(row(&setting, &june, 0, "P001", &columns), ["0", "0", "0", "0", "0", "-", "0", "0"]);
    assert_eq!(row(&setting, &june, 0, "P001", &hours), ["-", "-"]);

    let dispositions = ["held", "closed.DP01", "closed.DP02", "closed.DP05", "closed.NONE", "closed.TOTAL"];
    assert_eq!(row(&setting, &june, 1, "NONE", &dispositions), ["5", "0", "1", "0", "2", "3"]);
    assert_eq!(row(&setting, &june, 1, "202", &dispositions), ["2", "0", "0", "1", "0", "1"]);
    assert_eq!(row(&setting, &june, 1, "TOTAL", &dispositions), ["7", "0", "1", "1", "2", "4"]);

    // What is open at the end of a month is open at the start of the next one.
    let may = made(&setting, &alerts, "2025-05");
    assert_eq!(row(&setting, &may, 0, "P013", &columns), ["3", "0", "1", "1", "0", "0.0000", "0", "1"]);
    assert_eq!(row(&setting, &may, 0, "P013", &hours), ["24.0", "240.0"]);
    let july = made(&setting, &alerts, "2025-07");
    assert_eq!(row(&setting, &july, 0, "P013", &columns), ["1", "3", "0", "2", "1", "50.0000", "0", "2"]);
    assert_eq!(row(&setting, &july, 0, "P013", &hours), ["1.0", "1.0"]);
    assert_eq!(row(&setting, &july, 0, "P048", &columns), ["0", "1", "0", "1", "0", "0.0000", "0", "0"]);
    assert!(failed(&may).is_empty() && failed(&july).is_empty());
}

#[test]
fn a_check_fails_where_what_was_done_cannot_be() {
    let setting = setting();
    let honest = alerts(&setting);
    let with = |change: &dyn Fn(&mut SeenAlert)| {
        let mut planted = honest.clone();
        change(&mut planted[1]);
        made(&setting, &planted, "2025-06")
    };
    // A disposition that no list has.
    let unknown = with(&|alert| {
        let handling = alert.handling.as_mut().unwrap();
        handling.disposition = Code::parse("DP99");
    });
    assert_eq!((unknown.status, failed(&unknown)), (Status::CheckFailed, vec!["C3.2"]));
    // A withdrawn alert is no more handled.
    let both = with(&|alert| alert.withdrawn = true);
    assert_eq!((both.status, failed(&both)), (Status::CheckFailed, vec!["C1"]));
    let check = both.checks.iter().find(|check| check.id == "C1").unwrap();
    assert!(check.place.starts_with("main/F.lifecycle-sequence"), "{}", check.place);
}

#[test]
fn figures_of_actions_do_not_count_withdrawn_alerts() {
    let Setting { book, .. } = setting();
    let asked = |id: &str| {
        let period = Period::parse(Frequency::Monthly, "2025-06").unwrap();
        questions(&book, &[(book.number(id).unwrap(), period)])
    };
    assert!(counts_withdrawn(&book, &asked("R22")));
    assert!(!counts_withdrawn(&book, &asked("R09")));
    let mut found = 0;
    for one in asked("R22") {
        let name = book.figure(&one).name.clone();
        if ["open", "acknowledged", "closed", "false", "suppressed"].contains(&name.as_str()) {
            assert!(!counts_withdrawn(&book, &[one]), "{name}");
            found += 1;
        }
    }
    assert_eq!(found, 6, "open at both ends of the period");
}

/// Facts of the worked examples that alert.
fn example_facts() -> Vec<Fact> {
    let names = ["a-reference", "c-split-package", "d-cab-recourse", "e-unsuccessful", "g-flagged"];
    let catalogue = Catalogue::embedded();
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.facts.ndjson"));
        fs::read_to_string(path).unwrap()
    };
    let fact = |line: &str| match parse_line(line.as_bytes(), &catalogue) {
        Ok(Record::Fact(fact)) => Some(fact),
        _ => None,
    };
    names.iter().flat_map(|name| read(name).lines().filter_map(fact).collect::<Vec<_>>()).collect()
}

#[test]
fn alerts_of_facts_are_found_by_their_ids_whatever_the_order_of_the_facts() {
    let Setting { rules, book } = setting();
    let (facts, patterns, clock) = (example_facts(), Patterns::embedded(), at("2026-12-31 00:00"));
    let judging = PatternSetting { meanings: &rules.meanings, laws: &rules.laws, patterns: &patterns };
    let found = plain::evaluate(&facts, judging, clock, &PlainWindows::default());
    let holding = found.alerts.iter().filter(|(.., hits)| hits.level().is_some());
    let mut handlings = Handlings::default();
    // Month of closing -> closed, false.
    let mut wanted: BTreeMap<Day, [usize; 2]> = BTreeMap::new();
    for (nth, (pattern, key, date, _)) in holding.enumerate() {
        let (status, _) = STATUSES[nth % STATUSES.len()];
        if status == Handled::New {
            continue;
        }
        let disposition = (status == Handled::Closed).then(|| Code::parse("DP04").unwrap());
        // Each some days after its date, the later ones in another month.
        let raised_ms = date.end_ms();
        let action = Action { status, disposition, raised_ms, clock_ms: raised_ms + nth as i64 % 40 * 86_400_000 };
        handlings.apply(AlertId::of(patterns.id(pattern), key, date), action);
        if status.is_closed() {
            let [closed, wrong] = wanted.entry(Day::of_time(action.clock_ms).month_start()).or_default();
            *closed += 1;
            *wrong += usize::from(status == Handled::FalsePositive);
        }
    }
    assert!(wanted.len() > 3, "{wanted:?}");
    let number = book.number("R22").unwrap();
    let months: Vec<_> = wanted.keys().map(|day| (number, Period::containing(Frequency::Monthly, *day))).collect();
    let backwards: Vec<Fact> = facts.iter().rev().cloned().collect();
    let setting = Setting { rules, book };
    let [made, again] = [facts, backwards].map(|facts| {
        let views = EveryView::evaluate(&facts, Some(clock), &Catalogue::embedded()).unwrap();
        views.reports(&facts, &setting.book, &months, Vec::new(), &handlings)
    });
    assert_eq!(made, again);
    for (report, counts) in made.iter().zip(wanted.values()) {
        assert_eq!(failed(report), Vec::<&str>::new(), "{}", report.period.label());
        let told = row(&setting, report, 0, "TOTAL", &["closed", "false"]);
        assert_eq!(told, counts.map(|count| count.to_string()), "{}", report.period.label());
    }
}
