//! Figures that no single fact adds: net flows of areas, newcomers, minutes in queues, variants, the stock that moved over,
//! alerts. Each with numbers worked out by hand from the worked examples, and from facts in any order.

use std::{collections::BTreeMap, fs, path::Path};

use billwatch_market::{
    aggregate::{Grain, Question, Value},
    catalogue::Catalogue,
    corrections::effective_at,
    evaluator::{Rules, Sets, Views, evaluate_by},
    fact::{Fact, Record},
    fact_scope::Home,
    handling::{Action, Handlings, STATUSES, Status},
    ids::{BillId, Code, Day},
    ndjson::parse_line,
    pattern::{
        AlertId, AlertSet, MarketRegistry, Patterns, PlainWindows,
        plain::{self, Setting, moments_of_bill},
    },
};
use serde_json::{Map, Value as Json};

fn lines(name: &str) -> Vec<Map<String, Json>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.facts.ndjson"));
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Map<_, _>| line.contains_key("behaviour"))
        .collect()
}

fn fact(line: &Map<String, Json>) -> Fact {
    match parse_line(Json::Object(line.clone()).to_string().as_bytes(), &Catalogue::embedded()) {
        Ok(Record::Fact(fact)) => fact,
        other => panic!("{line:?}: {other:?}"),
    }
}

/// Facts of some examples, and further lines as JSON.
fn facts(names: &[&str], more: &[String]) -> Vec<Fact> {
    let more = more.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    names.iter().flat_map(|name| lines(name)).chain(more).map(|line| fact(&line)).collect()
}

fn clock(text: &str) -> i64 {
    Day::parse(text).unwrap().end_ms() - 1
}

fn question(theme: &str, dimension: &str, grain: Grain, measures: &[&str]) -> Question {
    Question {
        theme: theme.to_owned(),
        dimension: dimension.to_owned(),
        items: Vec::new(),
        from: Day::parse("2025-01-01").unwrap(),
        to: Day::parse("2025-12-31").unwrap(),
        grain,
        measures: measures.iter().map(|measure| (*measure).to_owned()).collect(),
    }
}

/// (period start, item) and the figure, without zeros.
fn ask(views: &Views, theme: &str, dimension: &str, grain: Grain, measure: &str) -> BTreeMap<(String, String), Value> {
    let rows = views.ask(&question(theme, dimension, grain, &[measure])).unwrap();
    let figure = |row: billwatch_market::aggregate::Answer| ((row.period_start.to_string(), row.item), row.values[0].1);
    rows.into_iter().map(figure).filter(|(_, value)| *value != Value::Number(0)).collect()
}

/// The same facts forwards and backwards.
fn both(facts: &[Fact], clock: i64) -> [Views; 2] {
    let rules = Rules::new(&Catalogue::embedded()).unwrap();
    let backwards: Vec<Fact> = facts.iter().rev().cloned().collect();
    [facts, &backwards].map(|facts| evaluate_by(facts, clock, &rules, Sets::All))
}

fn number(from: &BTreeMap<(String, String), Value>, period: &str, item: &str) -> Option<i128> {
    match from.get(&(period.to_owned(), item.to_owned()))? {
        Value::Number(number) => Some(*number),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_leaves_one_area_comes_into_another() {
    // E1 draws to E2, who endorses to E3, E3 to E4, who discounts it at bank 100103, which sells it.
    for views in both(&facts(&["a-reference", "b-plain-bab"], &[]), clock("2025-09-30")) {
        let provinces = ask(&views, "T32", "D.drawer.prov", Grain::Whole, "net_flow_fen");
        let sum: i128 = provinces
            .values()
            .map(|value| if let Value::Number(number) = value { *number } else { panic!("{value:?}") })
            .sum();
        assert_eq!(sum, 0, "{provinces:?}");
        // The face of 5,000,000 CNY left the drawer's province for ever.
        let drawer = ask(&views, "T32", "D.drawer.prov", Grain::Whole, "amt_fen");
        let ((from, home), _) = drawer.iter().next().unwrap();
        assert_eq!(number(&provinces, from, home), Some(-500_000_000), "{provinces:?} {drawer:?}");
        assert_eq!(
            provinces,
            ask(&views, "T32", "D.payee.prov", Grain::Whole, "net_flow_fen"),
            "an area has one net flow"
        );
        assert!(!ask(&views, "T32", "D.payee.city", Grain::Month, "net_flow_fen").is_empty());
        let months = ask(&views, "T32", "D.month", Grain::Month, "net_flow_fen");
        assert!(!months.is_empty() && months.values().all(|value| *value == Value::Null), "{months:?}");
    }
}

#[test]
fn an_enterprise_is_new_once_over_all_bills() {
    let of = |names: &[&str]| both(&facts(names, &[]), clock("2025-12-31"));
    for views in of(&["a-reference", "b-plain-bab"]) {
        let months = ask(&views, "T23", "D.month", Grain::Month, "new_enterprises");
        // E1, E2 and E3 in March, E4 takes the bill in April.
        let wanted = [(("2025-03-01", "03"), 3), (("2025-04-01", "04"), 1)];
        let wanted = wanted.map(|((period, item), n)| ((period.to_owned(), item.to_owned()), Value::Number(n)));
        assert_eq!(months, BTreeMap::from(wanted));
        let roles = ask(&views, "T23", "D.role", Grain::Whole, "new_enterprises");
        assert_eq!(number(&roles, "2025-01-01", "DRAWER"), Some(1), "{roles:?}");
    }
    // In the second file the same enterprises act later: nobody is new twice.
    for (one, all) in
        of(&["a-reference", "b-plain-bab"]).iter().zip(&of(&["a-reference", "b-plain-bab", "c-split-package"]))
    {
        let year = |views| ask(views, "T23", "D.year", Grain::Year, "new_enterprises");
        let parties = ask(all, "T23", "D.year", Grain::Year, "distinct_enterprises");
        assert_eq!(year(all).into_values().collect::<Vec<_>>(), parties.into_values().collect::<Vec<_>>());
        assert!(number(&year(one), "2025-01-01", "2025") <= number(&year(all), "2025-01-01", "2025"));
    }
}

fn queue(id: u32, seq: u32, at: i64, queue: &str, result: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","behaviour":"CSH.QUE","event_time":{at},"biz_date":"2025-06-10","source":"CLRS","source_seq":{seq},
        "initiator_id":"SYSTEM","counterparty_id":"100101","counterparty_inst":"100101001","settle_fen":100,
        "settlement_result":"{result}","settlement_business":"T00001","queue_id":"{queue}"}}"#
    )
}

#[test]
fn minutes_in_a_queue_run_until_it_closes_or_until_now() {
    let ten = Day::parse("2025-06-10").unwrap().start_ms() + 10 * 3_600_000;
    let more = [
        queue(1, 900_001, ten, "Q1", "QUEUED"),
        queue(2, 900_002, ten + 45 * 60_000 + 30_000, "Q1", "OK"),
        // Told again after the end: the queue is over.
        queue(3, 900_003, ten + 90 * 60_000, "Q1", "OK"),
        queue(4, 900_004, ten, "Q2", "QUEUED"),
    ];
    let facts = facts(&["a-reference"], &more);
    for now in [ten + 60 * 60_000, ten + 61 * 60_000 + 59_999] {
        for views in both(&facts, now) {
            let dates = ask(&views, "T34", "D.date", Grain::Day, "queue_minutes");
            let open = i128::from((now - ten) / 60_000);
            assert_eq!(number(&dates, "2025-06-10", "2025-06-10"), Some(45 + open), "{dates:?}");
            let hours = ask(&views, "T34", "D.hour", Grain::Whole, "queue_minutes");
            assert_eq!(number(&hours, "2025-01-01", "10"), Some(45 + open), "counted where it began: {hours:?}");
        }
    }
}

#[test]
fn a_payment_queues_until_it_is_settled() {
    let paid = lines("b-plain-bab").into_iter().find(|line| line["behaviour"] == "PAY.SET").unwrap();
    let at = paid["event_time"].as_i64().unwrap();
    let mut waits = paid.clone();
    for (field, value) in [("event_id", "77".into()), ("behaviour", "PAY.QUE".into())] {
        waits.insert(field.to_owned(), value);
    }
    waits.insert("event_time".into(), (at - 20 * 60_000).into());
    waits.insert("source_seq".into(), 900_010.into());
    waits.insert("settlement_result".into(), "QUEUED".into());
    let line = Json::Object(waits).to_string();
    for views in both(&facts(&["a-reference", "b-plain-bab"], std::slice::from_ref(&line)), clock("2025-12-31")) {
        let results = ask(&views, "T34", "D.sres", Grain::Whole, "queue_minutes");
        assert_eq!(number(&results, "2025-01-01", "QUEUED"), Some(20), "{results:?}");
    }
}

#[test]
fn every_further_record_of_an_event_id_is_told_at_the_one_that_counts() {
    for views in both(&facts(&["a-reference", "g-flagged"], &[]), clock("2025-12-31")) {
        let sources = ask(&views, "T36", "D.source", Grain::Whole, "dup_events");
        let behaviours = ask(&views, "T36", "D.behav", Grain::Whole, "dup_events");
        assert!(
            !sources.is_empty() && sources.values().all(|value| matches!(value, Value::Number(1..))),
            "{sources:?}"
        );
        let sum = |of: &BTreeMap<_, Value>| -> i128 {
            of.values().map(|value| if let Value::Number(number) = value { *number } else { 0 }).sum()
        };
        assert_eq!(sum(&behaviours), sum(&sources), "by whatever dimension");
    }
    for views in both(&facts(&["a-reference", "b-plain-bab"], &[]), clock("2025-12-31")) {
        assert!(ask(&views, "T36", "D.source", Grain::Whole, "dup_events").is_empty());
    }
}

#[test]
fn the_kind_of_period_is_that_of_the_question() {
    for views in both(&facts(&["a-reference", "b-plain-bab"], &[]), clock("2025-12-31")) {
        for (grain, item) in
            [(Grain::Day, "D"), (Grain::Month, "M"), (Grain::Quarter, "Q"), (Grain::Year, "Y"), (Grain::Whole, "NA")]
        {
            let kinds = ask(&views, "T38", "D.per", grain, "amt_fen");
            assert!(!kinds.is_empty() && kinds.keys().all(|(_, known)| known == item), "{grain:?}: {kinds:?}");
            let months = ask(&views, "T38", "D.month", grain, "amt_fen");
            let sum = |of: &BTreeMap<(String, String), Value>| -> Vec<Value> { of.values().copied().collect() };
            if grain == Grain::Month {
                assert_eq!(sum(&kinds), sum(&months));
            }
        }
    }
}

#[test]
fn what_moved_over_is_a_stock_until_it_ends() {
    let due = lines("b-plain-bab").into_iter().find(|line| line["behaviour"] == "PAY.MAT").unwrap();
    let mut moved = due.clone();
    moved.insert("event_id".into(), "78".into());
    moved.insert("behaviour".into(), "CST.MIG".into());
    moved.insert("event_time".into(), (due["event_time"].as_i64().unwrap() + 60_000).into());
    moved.insert("source_seq".into(), 900_020.into());
    let from = Day::parse(due["biz_date"].as_str().unwrap()).unwrap();
    let mut moved_over = facts(&["a-reference", "b-plain-bab"], &[Json::Object(moved).to_string()]);
    // Presented and paid on a later day.
    for fact in &mut moved_over {
        if fact.behaviour.code().starts_with("PAY.") && fact.behaviour.code() != "PAY.MAT" {
            fact.event_time += 2 * 86_400_000;
            fact.biz_date = fact.biz_date.plus(2);
        }
    }
    for views in both(&moved_over, clock("2025-12-31")) {
        let mut stock = question("T40", "D.status", Grain::Day, &["cnt", "lots", "bal_fen"]);
        (stock.from, stock.to) = (from, from.plus(5));
        let rows = views.ask(&stock).unwrap();
        let figures: Vec<Vec<Value>> =
            rows.iter().map(|row| row.values.iter().map(|(_, value)| *value).collect()).collect();
        assert!(rows.iter().all(|row| row.item == "CS04"), "{rows:?}");
        let on = |cnt: i128| [cnt, 1, 500_000_000].map(Value::Number).to_vec();
        assert_eq!(figures, [on(1), on(0)], "it ends when it is paid: {rows:?}");
    }
}

#[test]
fn overdue_lots_stand_under_the_reason_of_their_refusal() {
    for views in both(&facts(&["a-reference", "d-cab-recourse"], &[]), clock("2025-12-31")) {
        let refused = ask(&views, "T15", "D.dis", Grain::Day, "amt_fen");
        let ((date, reason), amount) = refused.iter().next().unwrap();
        assert!(reason.starts_with("DC"), "{refused:?}");
        let overdue = ask(&views, "T15", "D.dis", Grain::Day, "overdue_bal_fen");
        let kinds = ask(&views, "T15", "D.bill_kind", Grain::Day, "overdue_bal_fen");
        assert_eq!(overdue.get(&(date.clone(), reason.clone())), Some(amount), "{overdue:?} {kinds:?}");
        let sums = |of: &BTreeMap<(String, String), Value>| {
            let mut sums: BTreeMap<String, i128> = BTreeMap::new();
            for ((date, _), value) in of {
                if let Value::Number(number) = value {
                    *sums.entry(date.clone()).or_default() += number;
                }
            }
            sums
        };
        assert_eq!(sums(&overdue), sums(&kinds), "every overdue lot has one reason");
    }
}

#[test]
fn alerts_are_counted_by_what_they_are_and_whom_they_are_about() {
    let catalogue = Catalogue::embedded();
    let rules = Rules::new(&catalogue).unwrap();
    let patterns = Patterns::embedded();
    let setting = Setting { meanings: &rules.meanings, laws: &rules.laws, patterns: &patterns };
    let facts = facts(&["a-reference", "c-split-package", "d-cab-recourse", "e-unsuccessful", "g-flagged"], &[]);
    let clock = clock("2025-12-31");
    let found = plain::evaluate(&facts, setting, clock, &PlainWindows::default());
    let views = evaluate_by(&facts, clock, &rules, Sets::None);
    let moments = |bill: BillId| {
        let records = facts.iter().filter(|fact| fact.bill_id == Some(bill)).cloned().collect();
        let registry = MarketRegistry { reference: &views.reference, meanings: &rules.meanings };
        moments_of_bill(&effective_at(Home::Bill(bill), records), setting, &registry)
    };
    let ask_handled = |handled: &Handlings, dimension: &str, measures: &[&str]| {
        let mut asked = question("T31", dimension, Grain::Whole, measures);
        asked.to = Day::parse("2026-12-31").unwrap();
        views.ask_alerts(&asked, &found.alerts, &patterns, handled, &moments).unwrap()
    };
    let ask = |dimension: &str, measures: &[&str]| ask_handled(&Handlings::default(), dimension, measures);
    let holding = found.alerts.iter().filter(|(.., hits)| hits.level().is_some()).count() as i128;
    assert!(holding > 20);
    let themes = catalogue.theme("T31").unwrap();
    assert_eq!(themes.dimensions.len(), 16);
    for dimension in &themes.dimensions {
        let rows = ask(&dimension.id, &[]);
        let sum: i128 =
            rows.iter().map(|row| if let Value::Number(number) = row.values[0].1 { number } else { 0 }).sum();
        // A pair of parties may have two items.
        assert!(sum >= holding, "{}: {rows:?}", dimension.id);
        let several = dimension.source.starts_with("ent.") || dimension.source.starts_with("inst.");
        assert!(several || sum == holding, "{}: {rows:?}", dimension.id);
        let unclosed = rows.iter().all(|row| {
            row.values.iter().any(|(name, value)| &**name == "false_positive_ratio" && *value == Value::Null)
        });
        assert!(unclosed, "nobody closed an alert: {rows:?}");
    }
    let items =
        |dimension: &str| -> Vec<String> { ask(dimension, &["alerts"]).into_iter().map(|row| row.item).collect() };
    assert!(items("D.pat").contains(&"P058".to_owned()));
    assert!(items("D.fam").len() > 3 && items("D.alvl").len() > 2);
    assert_eq!((items("D.asta"), items("D.disp")), (vec!["NEW".to_owned()], vec!["NA".to_owned()]));
    assert!(items("D.bill_kind").iter().any(|kind| kind == "BAB"));
    assert!(items("D.hour").iter().any(|hour| hour.parse::<u32>().is_ok_and(|hour| hour < 24)));
    assert!(items("D.inst.code").contains(&"100105".to_owned()));
    let amounts = ask("D.bill_kind", &["amt_fen", "distinct_keys"]);
    let of = |item: &str| amounts.iter().find(|row| row.item == item).unwrap().values.clone();
    assert!(matches!(of("BAB")[0].1, Value::Number(1..)) && of("NA")[0].1 == Value::Number(0), "{amounts:?}");

    // The same alerts after supervisors worked on them, against a count of these one by one.
    let (handled, wanted) = worked_on(&found.alerts, &patterns);
    for dimension in ["D.pat", "D.asta", "D.disp"] {
        let rows = ask_handled(&handled, dimension, &["alerts", "false_positive_ratio"]);
        let told = rows.into_iter().map(|row| (row.item, (row.values[0].1, row.values[1].1)));
        let counted = wanted[dimension].iter().map(|(item, [alerts, closed, wrong])| {
            let ratio = if *closed == 0 { Value::Null } else { Value::Ratio(*wrong, *closed) };
            (item.clone(), (Value::Number(*alerts), ratio))
        });
        assert_eq!(told.collect::<BTreeMap<_, _>>(), counted.collect(), "{dimension}");
    }
    assert_eq!(wanted["D.asta"].len(), STATUSES.len(), "{wanted:?}");
    assert_eq!(wanted["D.disp"].len(), 8, "{wanted:?}");
    assert!(wanted["D.pat"].values().any(|[alerts, closed, wrong]| 0 < *wrong && wrong < closed && closed < alerts));
    // Other figures do not change.
    let facts_alone = ["alerts", "distinct_keys", "amt_fen"];
    assert_eq!(ask_handled(&handled, "D.bill_kind", &facts_alone), ask("D.bill_kind", &facts_alone));
}

/// Item -> alerts, closed ones, false ones.
type Counts = BTreeMap<String, [i128; 3]>;

/// Actions on the alerts that hold, each to the next status and disposition in turn, and what a plain count by dimension says.
fn worked_on(alerts: &AlertSet, patterns: &Patterns) -> (Handlings, BTreeMap<&'static str, Counts>) {
    let mut handled = Handlings::default();
    let mut counts: BTreeMap<&'static str, Counts> = BTreeMap::new();
    // What is done with an alert that does not hold counts nowhere.
    let gone = Action { status: Status::FalsePositive, disposition: None, raised_ms: 0, clock_ms: 1 };
    handled.apply(AlertId(1), gone);
    let holding = alerts.iter().filter(|(.., hits)| hits.level().is_some());
    for (at, (pattern, key, date, _)) in holding.enumerate() {
        let (status, code) = STATUSES[at % STATUSES.len()];
        let disposition = (status == Status::Closed).then(|| format!("DP0{}", at / STATUSES.len() % 7 + 1));
        if status != Status::New {
            let id = AlertId::of(patterns.id(pattern), key, date);
            let act = |status, disposition: Option<&String>, clock_ms| Action {
                status,
                disposition: disposition.and_then(|code| Code::parse(code)),
                raised_ms: 0,
                clock_ms,
            };
            // Closed in another way first: the last action counts.
            handled.apply(id, act(Status::Closed, Some(&"DP07".to_owned()), 1));
            handled.apply(id, act(status, disposition.as_ref(), 2));
        }
        let closed = matches!(code, "FP" | "CLS" | "SUP");
        for (dimension, item) in [
            ("D.pat", patterns.id(pattern).to_owned()),
            ("D.asta", code.to_owned()),
            ("D.disp", disposition.unwrap_or_else(|| "NA".to_owned())),
        ] {
            let count = counts.entry(dimension).or_default().entry(item).or_default();
            for (sum, more) in count.iter_mut().zip([true, closed, code == "FP"]) {
                *sum += i128::from(more);
            }
        }
    }
    (handled, counts)
}
