//! The simulator against the market's own laws: validation, the fold, the plain pattern evaluator.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use billwatch_market::bill::{Bill, Effect, Laws, Lot, Status};
use billwatch_market::books;
use billwatch_market::catalogue::Catalogue;
use billwatch_market::codec::encode_record;
use billwatch_market::corrections::effective;
use billwatch_market::fact::{Behaviour, ControlKind, Fact, Field, Record, Value, behaviour};
use billwatch_market::ids::Code;
use billwatch_market::ndjson::{parse_line, print_record};
use billwatch_market::observe::Meanings;
use billwatch_market::pattern::Patterns;
use billwatch_market::pattern::PlainWindows;
use billwatch_market::pattern::plain::{self, Setting};
use billwatch_market::validate;

use super::misbehaviour::{Misbehaviour, injectors};
use super::rarities::COVERING_FACTS;
use super::trade::Trade;
use super::transforms::{shuffled, with_duplicates};
use super::{DAYS, FACTS_A_DAY, Label, Settings, Simulator};

fn market(facts: u64, seed: u64, misbehaviour: bool) -> (Vec<Record>, Vec<Label>) {
    let mut simulator = Simulator::new(Settings { misbehaviour, ..Settings::new(facts, seed) });
    let records = simulator.by_ref().collect();
    (records, simulator.labels().to_vec())
}

fn facts_of(records: &[Record]) -> Vec<Fact> {
    records.iter().filter_map(|record| books::read(record.clone()).ok()).collect()
}

/// The market clock after all records, ms.
fn clock_of(records: &[Record]) -> i64 {
    let marks = records.iter().filter_map(|record| match record {
        Record::Control(control) if matches!(control.kind, ControlKind::Watermark(_)) => Some(control),
        _ => None,
    });
    let mut latest = BTreeMap::new();
    for control in marks {
        if let ControlKind::Watermark(time) = control.kind {
            latest.insert(control.source, time);
        }
    }
    latest.into_values().min().expect("sources send watermarks")
}

#[test]
fn clean_trade_is_valid_and_applied() {
    let catalogue = Catalogue::embedded();
    let laws = Laws::new(&catalogue).expect("the tables are tested");
    let (records, _) = market(150_000, 1, false);
    let mut bills: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
    for record in &records {
        if let Err(refusal) = validate::check(record, &catalogue) {
            panic!("refused: {refusal:?} {record:?}");
        }
        if let Record::Fact(fact) = record
            && let Some(bill) = fact.bill_id
        {
            bills.entry(bill).or_default().push(fact.clone());
        }
    }
    let mut seen = BTreeSet::new();
    for facts in bills.into_values() {
        let facts = effective(facts).facts;
        let (_, outcomes) = Bill::fold(&facts, &laws);
        for (fact, outcome) in facts.iter().zip(&outcomes) {
            let good = matches!(outcome.effect, Effect::Applied | Effect::Informational);
            assert!(good, "{:?} of {fact:?}", outcome.effect);
            seen.insert(fact.behaviour.code());
        }
    }
    assert!(seen.len() > 75, "a market has many behaviours, not only {seen:?}");
}

/// P180 rests on this: what an applied fact says of the stock of accepted bills is what it moves there, PAY.EXP aside, which
/// ends what is left of the range that it names.
#[test]
fn applied_facts_move_the_stock_by_what_they_say() {
    let laws = Laws::new(&Catalogue::embedded()).expect("the tables are tested");
    let (records, _) = market(COVERING_FACTS, 17, true);
    let mut bills: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
    for fact in facts_of(&records) {
        if let Some(bill) = fact.bill_id {
            bills.entry(bill).or_default().push(fact);
        }
    }
    let in_stock = |lot: &Lot| {
        let counts = matches!(lot.status, Status::Accepted | Status::Received | Status::Due);
        if counts { lot.amount_fen } else { 0 }
    };
    let mut seen = BTreeSet::new();
    for facts in bills.into_values() {
        let facts = effective(facts).facts;
        let (bill, outcomes) = Bill::fold(&facts, &laws);
        let acceptor = bill.header.as_ref().map(|header| header.acceptor);
        for (place, (fact, outcome)) in facts.iter().zip(&outcomes).enumerate() {
            if outcome.effect != Effect::Applied {
                continue;
            }
            let after: i64 = outcome.changes.iter().map(|change| in_stock(&change.after)).sum();
            let before: i64 = outcome.changes.iter().filter_map(|change| change.before.as_ref()).map(in_stock).sum();
            let code = fact.behaviour.code();
            let was_accepted =
                || facts[..place].iter().any(|fact| matches!(fact.behaviour, behaviour::ACC_SGN | behaviour::PPR_ACC));
            let last_obligor_pays = fact.party(Field::DebtorId).or(fact.party(Field::PayerId)) == acceptor;
            let says = match code {
                "ACC.SGN" | "PPR.ACC" => 1,
                "PAY.SET" | "PAY.SUB" | "PAY.ESG" | "PPR.CLS" | "PDR.CLS" | "ACC.CNL" | "RCV.CLR" => -1,
                "LSF.EST" | "LSF.VOI" | "LSF.JDG" | "ISS.RVK" if was_accepted() => -1,
                "RCS.SET" if last_obligor_pays => -1,
                "RCS.AGS" if last_obligor_pays && fact.code(Field::SettlementMethod) == Code::parse("OFFLINE") => -1,
                "PAY.EXP" => continue,
                _ => 0,
            };
            let amount = fact.amount_sent().unwrap_or(bill.header.as_ref().map_or(0, |header| header.face_fen));
            assert_eq!(after - before, says * amount, "{code} of {}", bill_name(fact));
            if says != 0 {
                seen.insert(code);
            }
        }
    }
    assert!(seen.len() >= 12, "{seen:?}");
}

fn bill_name(fact: &Fact) -> String {
    fact.bill_id.map_or_else(String::new, |bill| bill.to_string())
}

/// Behaviours of the catalogue that no fact of a market has.
fn never_produced(facts: u64, seed: u64, misbehaviour: bool) -> Vec<&'static str> {
    let catalogue = Catalogue::embedded();
    let simulator = Simulator::new(Settings { misbehaviour, ..Settings::new(facts, seed) });
    let mut seen = BTreeSet::new();
    for record in simulator {
        if let Record::Fact(fact) = record {
            seen.insert(fact.behaviour);
        }
    }
    let all = (0..catalogue.behaviours.len() as u16).map(Behaviour);
    all.filter(|behaviour| !seen.contains(behaviour)).map(|behaviour| behaviour.code()).collect()
}

#[test]
fn a_market_with_misbehaviour_speaks_the_whole_catalogue() {
    assert_eq!(never_produced(COVERING_FACTS, 17, true).join(" "), "");
}

#[test]
fn normal_trade_speaks_nearly_the_whole_catalogue() {
    // Each of these is an event that a pattern looks for.
    let alerted = "ACC.CLR RPO.RDF RPO.ORD BRP.RDF PAY.LRQ PAY.LSG PAY.LRJ PAY.FLD PAY.EXP DIS.OVL DIS.PSL";
    assert_eq!(never_produced(COVERING_FACTS, 18, false).join(" "), alerted);
}

#[test]
fn rare_business_is_quiet() {
    let mut simulator = Simulator::new(Settings::new(COVERING_FACTS, 19));
    simulator.bills_left = 0;
    let records: Vec<Record> = simulator.collect();
    let facts = facts_of(&records);
    let last = facts.iter().map(|fact| fact.biz_date).max().expect("facts");
    let told = facts.iter().filter(|fact| fact.bill_id.is_some()).count();
    assert!((300..2_000).contains(&told), "{told} facts about bills");
    let mut alerts = alerts_of(&records);
    // After the last fact members report nothing any more.
    alerts.retain(|(_, _, date)| *date <= last.to_string());
    // Nor does a bank hold more here than the bill that it borrows against (leverage).
    alerts.retain(|(pattern, ..)| pattern != "P058");
    assert!(alerts.is_empty(), "{alerts:?}");
}

#[test]
fn a_seed_is_a_market() {
    let bytes = |seed| {
        let (records, labels) = market(10_000, seed, true);
        let mut bytes = Vec::new();
        records.iter().for_each(|record| encode_record(record, &mut bytes));
        (bytes, labels)
    };
    let (first, again, other) = (bytes(7), bytes(7), bytes(8));
    assert!(first == again, "the same seed gives the same bytes and labels");
    assert!(first.0 != other.0);
}

#[test]
fn the_text_form_reads_back() {
    let catalogue = Catalogue::embedded();
    for record in market(10_000, 11, true).0 {
        let line = print_record(&record);
        let mut read = parse_line(line.trim_end().as_bytes(), &catalogue).expect("a printed record can be read");
        // The watermark at acceptance is stamped anew.
        if let (Record::Fact(read), Record::Fact(fact)) = (&mut read, &record) {
            read.stamp = fact.stamp;
        }
        assert_eq!(read, record);
    }
}

#[test]
fn sources_count_from_one_and_keep_their_watermarks() {
    let (records, labels) = market(20_000, 3, true);
    // P175's cases are facts behind the watermark.
    let late: HashSet<_> = labels
        .iter()
        .filter(|label| label.pattern == "P175")
        .flat_map(|label| label.event_ids.iter().copied())
        .collect();
    assert!(late.len() > 500);
    let mut next: BTreeMap<_, (u64, i64)> = BTreeMap::new();
    let mut ids = HashSet::new();
    let mut last = i64::MIN;
    for record in &records {
        let (source, sequence) = record.sequence();
        let (expected, watermark) = next.entry(source).or_insert((0, i64::MIN));
        *expected += 1;
        assert_eq!(sequence, *expected, "{source:?}");
        match record {
            Record::Fact(fact) if late.contains(&fact.event_id) => {
                assert!(fact.event_time < *watermark && fact.stamp.ingest_time >= last, "not late: {fact:?}");
            }
            Record::Fact(fact) => {
                assert!(fact.event_time > *watermark, "late: {fact:?}");
                assert!(fact.event_time >= last, "out of order: {fact:?}");
                last = fact.event_time;
                ids.insert(fact.event_id);
            }
            Record::Control(control) => {
                if let ControlKind::Watermark(time) = control.kind {
                    assert!(time > *watermark);
                    *watermark = time;
                }
            }
        }
    }
    // P174's cases, redelivered or conflicting, are the only ids that come twice.
    let facts = facts_of(&records).iter().filter(|fact| !books::is_of_book(fact)).count();
    assert!(facts - late.len() - ids.len() <= 6);
}

#[test]
fn memory_follows_the_live_bills() {
    let mut simulator = Simulator::new(Settings::new(200_000, 5));
    let (mut lots, mut facts, mut most) = (0, 0, 0);
    while let Some(record) = simulator.next() {
        if matches!(record, Record::Fact(_)) {
            facts += 1;
        }
        most = most.max(simulator.waiting());
        lots = lots.max(simulator.live_lots());
    }
    assert!((190_000..210_000).contains(&facts), "{facts}");
    assert!(most < facts / 8 && lots < facts / 10, "{most} waiting, {lots} lots for {facts} facts");
    assert_eq!(simulator.live_lots(), 0, "every life ends");
}

#[test]
fn a_longer_market_needs_no_more_memory() {
    let peak = |facts, days| {
        let mut simulator = Simulator::new(Settings { days, ..Settings::new(facts, 5) });
        let (mut lots, mut waiting, mut told) = (0, 0, 0_u64);
        while let Some(record) = simulator.next() {
            told += u64::from(matches!(record, Record::Fact(_)));
            waiting = waiting.max(simulator.waiting());
            lots = lots.max(simulator.live_lots());
        }
        assert!(told.abs_diff(facts) <= facts / 20, "{told} facts instead of {facts}");
        [lots, waiting]
    };
    // As many facts a day, twice and four times as many in all.
    let [once, twice, longer] =
        [(220_000, 364), (440_000, 728), (880_000, 1_456)].map(|(facts, days)| peak(facts, days));
    for (most, base) in twice.into_iter().chain(longer).zip(once.into_iter().cycle()) {
        assert!(most.abs_diff(base) <= base / 6, "{once:?}, {twice:?}, {longer:?}");
    }
    // Nobody names the days: a market does not become denser than the limit.
    for facts in [10_000, 9_000_000, 10_000_000, 100_000_000] {
        let days = Settings::new(facts, 5).days;
        assert!(days >= DAYS && facts <= u64::from(days) * FACTS_A_DAY, "{facts} facts in {days} days");
    }
    assert_eq!(Settings::new(9_000_000, 5).days, DAYS);
}

#[test]
fn every_pattern_has_its_cases() {
    let (records, labels) = market(10_000, 2, true);
    let catalogue = Catalogue::embedded();
    for record in &records {
        // Misbehaviour is alerted, never refused.
        assert!(validate::check(record, &catalogue).is_ok(), "refused: {record:?}");
    }
    let facts = facts_of(&records);
    nobody_acts_after_leaving(&facts, &labels);
    let told: HashSet<_> = facts.iter().map(|fact| fact.event_id).collect();
    for injector in injectors() {
        let of = |positive| {
            labels.iter().filter(|label| label.pattern == injector.pattern && label.positive == positive).count()
        };
        assert!(of(true) >= 3 && of(false) >= 3, "{}", injector.pattern);
    }
    for label in &labels {
        assert!(!label.event_ids.is_empty() && label.event_ids.iter().all(|id| told.contains(id)), "{label:?}");
    }
}

#[test]
fn every_week_has_three_cases_and_three_near_misses_of_every_pattern() {
    for weeks in 1..=3 {
        let settings = Settings { misbehaviour: true, every_week: true, days: 7 * weeks, ..Settings::new(10_000, 12) };
        let trade = Trade::new(settings.seed, 500, settings.start);
        let cases = Misbehaviour::new(&settings, &trade);
        let mut begun: BTreeMap<(i32, &str, bool), usize> = BTreeMap::new();
        for (day, pattern, positive) in cases.begins() {
            *begun.entry(((day.0 - settings.start.0 - 1) / 7, pattern, positive)).or_default() += 1;
        }
        let once = injectors().filter(|injector| injector.is_told_once()).count();
        let patterns = injectors().count() * weeks as usize - once * (weeks as usize - 1);
        assert_eq!(begun.len(), patterns * 2);
        assert!(begun.values().all(|count| *count >= 3), "{begun:?}");
    }
}

#[test]
fn cases_of_every_week_are_found() {
    let settings = Settings { misbehaviour: true, every_week: true, days: 14, ..Settings::new(10_000, 13) };
    let mut simulator = Simulator::new(settings);
    let records: Vec<Record> = simulator.by_ref().collect();
    let wrong = unconfirmed(&records, simulator.labels());
    assert!(wrong.is_empty(), "{} of {} labels fail:\n{}", wrong.len(), simulator.labels().len(), wrong.join("\n"));
}

#[test]
fn one_case_and_one_near_miss_of_every_pattern_are_told_apart() {
    let settings = Settings { misbehaviour: true, cases_a_round: 1, ..Settings::new(10_000, 14) };
    let mut simulator = Simulator::new(settings);
    let records: Vec<Record> = simulator.by_ref().collect();
    let labels = simulator.labels();
    for positive in [true, false] {
        let patterns: BTreeSet<&str> =
            labels.iter().filter(|label| label.positive == positive).map(|label| label.pattern).collect();
        assert_eq!(patterns.len(), injectors().count(), "positive: {positive}");
    }
    println!("{} records, {} labels", records.len(), labels.len());
    let wrong = unconfirmed(&records, labels);
    assert!(wrong.is_empty(), "{} of {} labels fail:\n{}", wrong.len(), labels.len(), wrong.join("\n"));
}

/// What the plain evaluator alerts: pattern, key, business date.
fn alerts_of(records: &[Record]) -> BTreeSet<(String, String, String)> {
    let catalogue = Catalogue::embedded();
    let meanings = Meanings::new(catalogue.clone()).expect("the tables are tested");
    let laws = Laws::new(&catalogue).expect("the tables are tested");
    let patterns = Patterns::embedded();
    let setting = Setting { meanings: &meanings, laws: &laws, patterns: &patterns };
    let evaluation = plain::evaluate(&facts_of(records), setting, clock_of(records), &PlainWindows::default());
    evaluation
        .alerts
        .iter()
        .map(|(pattern, key, date, _)| (patterns.id(pattern).to_owned(), key.to_string(), date.to_string()))
        .collect()
}

/// Labels that the plain evaluator does not confirm, in words.
fn unconfirmed(records: &[Record], labels: &[Label]) -> Vec<String> {
    differing(&alerts_of(records), labels)
}

fn differing(alerts: &BTreeSet<(String, String, String)>, labels: &[Label]) -> Vec<String> {
    let mut wrong = Vec::new();
    for label in labels {
        let name = (label.pattern.to_owned(), label.key.clone(), label.biz_date.to_string());
        if alerts.contains(&name) != label.positive {
            let near: Vec<_> = alerts.iter().filter(|alert| alert.0 == name.0 && alert.1 == name.1).collect();
            wrong.push(format!("{label:?} but {near:?}"));
        }
    }
    wrong
}

#[test]
fn positives_are_alerted_near_misses_are_not_and_little_else_is() {
    let (records, labels) = market(20_000, 4, true);
    let alerts = alerts_of(&records);
    let wrong = differing(&alerts, &labels);
    assert!(wrong.is_empty(), "{} of {} labels fail:\n{}", wrong.len(), labels.len(), wrong.join("\n"));
    // Cases have true alerts besides their own. What they leave out of honest business is no such thing: reports (P131, P121),
    // the bank number of a new member (P176), papers of companies (P145, P162), mandatory fields (P179).
    let mut besides: BTreeMap<&str, usize> = BTreeMap::new();
    let planted: BTreeSet<_> =
        labels.iter().filter(|label| label.positive).map(|label| (label.pattern, &label.key)).collect();
    for (pattern, ..) in alerts.iter().filter(|(pattern, key, _)| !planted.contains(&(pattern.as_str(), key))) {
        *besides.entry(pattern).or_default() += 1;
    }
    let of = |pattern| besides.get(pattern).copied().unwrap_or(0);
    assert!(["P131", "P176", "P179"].into_iter().all(|pattern| of(pattern) <= 3), "{besides:?}");
    assert!(["P121", "P145", "P162"].into_iter().all(|pattern| of(pattern) <= 100), "{besides:?}");
    assert!(besides.values().sum::<usize>() < 4_000, "{besides:?}");
}

/// Members that report no more have left, and are in nothing that happens later; P160's cases are about some who are.
fn nobody_acts_after_leaving(facts: &[Fact], labels: &[Label]) {
    let suspended: HashSet<_> = labels.iter().filter(|label| label.pattern == "P160").map(|label| &label.key).collect();
    let mut left = HashSet::new();
    for fact in facts {
        for (_, value) in &fact.fields {
            let is_gone = matches!(value, Value::Party(party) if left.contains(party));
            assert!(!is_gone, "{value:?} has left: {fact:?}");
        }
        let closed = fact.behaviour == behaviour::MST_ISC && fact.text(Field::NewValue) == Some("CLOSED");
        left.extend(fact.initiator().filter(|member| closed && !suspended.contains(&member.to_string())));
    }
    assert!(left.len() > 500, "{} members left", left.len());
}

#[test]
fn labels_survive_shuffling_redelivery_and_harmless_corrections() {
    let settings = Settings { misbehaviour: true, share_corrected: 0.02, ..Settings::new(10_000, 8) };
    let mut simulator = Simulator::new(settings);
    let records: Vec<Record> = simulator.by_ref().collect();
    let corrected = facts_of(&records).iter().filter(|fact| fact.correction.is_some()).count();
    assert!(corrected > 300, "{corrected}");
    let records = shuffled(with_duplicates(records, 0.01, 1), 2);
    let wrong = unconfirmed(&records, simulator.labels());
    assert!(wrong.is_empty(), "{} labels fail:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn clean_trade_is_quiet() {
    let catalogue = Catalogue::embedded();
    let meanings = Meanings::new(catalogue.clone()).expect("the tables are tested");
    let laws = Laws::new(&catalogue).expect("the tables are tested");
    let patterns = Patterns::embedded();
    let setting = Setting { meanings: &meanings, laws: &laws, patterns: &patterns };
    let (records, _) = market(30_000, 6, false);
    let evaluation = plain::evaluate(&facts_of(&records), setting, clock_of(&records), &PlainWindows::default());
    let mut by_pattern: BTreeMap<String, usize> = BTreeMap::new();
    for (pattern, ..) in evaluation.alerts.iter() {
        *by_pattern.entry(patterns.id(pattern).to_owned()).or_default() += 1;
    }
    // Shares of a bank that has accepted a handful of bills are large by nature.
    let by_nature = ["P106", "P109", "P112"];
    let others: usize =
        by_pattern.iter().filter(|(pattern, _)| !by_nature.contains(&pattern.as_str())).map(|(_, count)| count).sum();
    assert!(others <= 30, "{by_pattern:?}");
}
