//! What must be sent each month, what never came, and who falls silent: P121, P126, P128 to P131, P185.

use super::{
    holds,
    market::{Market, Terms, bank, day, ent, int, text, yuan},
    quiet, setting,
};
use crate::{
    fact::{Field, Range, Source, Value},
    ids::{Day, PartyId},
};

#[test]
fn p121_monthly_disclosure_missing() {
    let case = |accepted: &str, disclosed: Option<(&str, &str)>, clock: &str| {
        let mut market = Market::new();
        market.at(accepted, "09:00").accept(&Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() });
        if let Some((date, month)) = disclosed {
            let fields = [(Field::AcceptorId, Value::Party(ent(5))), (Field::PeriodMonth, text(month))];
            market.at(date, "23:59").fact("DIS.CRD", None, ent(5), PartyId::SYSTEM, &fields);
        }
        market.clock_at_end_of(clock);
        market
    };
    holds("P121", &case("2025-01-31", None, "2025-02-28"), &["E0000000005 2025-02-10"]);
    holds("P121", &case("2025-01-31", Some(("2025-02-11", "2025-01")), "2025-02-28"), &["E0000000005 2025-02-10"]);
    holds("P121", &case("2025-01-31", Some(("2025-02-10", "2024-12")), "2025-02-28"), &["E0000000005 2025-02-10"]);
    quiet("P121", &case("2025-01-31", Some(("2025-02-10", "2025-01")), "2025-02-28"));
    quiet("P121", &case("2025-02-01", None, "2025-02-28"));
    quiet("P121", &case("2025-01-31", None, "2025-02-09"));
}

#[test]
fn p126_rights_about_to_lapse() {
    let case = |paid_at: i64| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { due_in: 30, ..Terms::default() });
        market.at("2025-03-31", "09:00").present(bill, ent(2), bank(1));
        market.instant(paid_at).pay(bill, ent(2), bank(1));
        market.clock_at_end_of("2027-12-31");
        (market, bill)
    };
    // 60 days before 31 March 2027.
    let end = day("2027-01-30").end_ms();
    let (market, bill) = case(end);
    holds("P126", &market, &[&format!("{bill} 2027-01-30")]);
    quiet("P126", &case(end - 1).0);
}

#[test]
fn p128_no_invoice() {
    let case = |shown: Option<i64>, at_once: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        if at_once {
            let place = market.facts.len() - 3;
            market.facts[place].set(Field::InvoiceNo, text("033002500111 12345678"));
        }
        market.discount(bill, ent(2), bank(2), 12_000);
        if let Some(instant) = shown {
            let fields = [(Field::DrawerId, Value::Party(ent(1))), (Field::InvoiceNo, text("033002500111 12345678"))];
            market.instant(instant).fact("MST.TBK", Some((bill, Range::WHOLE)), ent(1), PartyId::SYSTEM, &fields);
        }
        market.clock_at_end_of("2025-04-30");
        (market, bill)
    };
    let end = day("2025-04-02").end_ms();
    let (market, bill) = case(Some(end), false);
    holds("P128", &market, &[&format!("{bill} 2025-04-02")]);
    holds("P128", &case(None, false).0, &[&format!("{bill} 2025-04-02")]);
    quiet("P128", &case(Some(end - 1), false).0);
    quiet("P128", &case(None, true).0);
}

#[test]
fn p130_refusals_and_no_word() {
    let case = |refusals: usize, announced: Option<&str>| {
        let mut market = Market::new();
        let terms = Terms { kind: "CAB", acceptor: ent(5), due_in: 30, ..Terms::default() };
        market.at("2025-03-01", "09:00");
        let bills: Vec<_> = (0..refusals).map(|_| market.draw(&terms)).collect();
        market.at("2025-03-31", "09:00");
        for bill in bills {
            market.present(bill, ent(2), ent(5));
            market.refuse(bill, ent(2), ent(5), "DC08");
        }
        if let Some(date) = announced {
            let fields = [(Field::AcceptorId, Value::Party(ent(5)))];
            market.at(date, "23:59").fact("DIS.ANN", None, ent(5), PartyId::MARKET, &fields);
        }
        market.clock_at_end_of("2025-04-20");
        market
    };
    holds("P130", &case(3, None), &["E0000000005 2025-04-10"]);
    holds("P130", &case(3, Some("2025-04-11")), &["E0000000005 2025-04-10"]);
    quiet("P130", &case(3, Some("2025-04-10")));
    quiet("P130", &case(2, None));
}

#[test]
fn p131_balance_sheet_missing() {
    let case = |sheets: &[(&str, &str)], clock: &str| {
        let mut market = Market::new();
        // All others report.
        for other in [1, 3, 4, 5, 6] {
            let fields = [
                (Field::LegalInstId, Value::Party(bank(other))),
                (Field::ReportDate, Value::Date(day("2025-12-31"))),
                (Field::TotalAssetsFen, int(yuan(1))),
            ];
            market.fact("MST.FIN", None, bank(other), PartyId::SYSTEM, &fields);
        }
        for (date, report) in sheets {
            let fields = [(Field::LegalInstId, Value::Party(bank(2))), (Field::ReportDate, Value::Date(day(report)))];
            market.at(date, "23:59").fact("MST.FIN", None, bank(2), PartyId::SYSTEM, &fields);
        }
        market.clock_at_end_of(clock);
        market
    };
    let first = ("2025-01-10", "2024-12-31");
    holds("P131", &case(&[first], "2025-02-28"), &["100102 2025-02-20"]);
    holds("P131", &case(&[first, ("2025-02-21", "2025-01-31")], "2025-02-28"), &["100102 2025-02-20"]);
    quiet("P131", &case(&[first, ("2025-02-20", "2025-01-31")], "2025-02-28"));
    quiet("P131", &case(&[first], "2025-02-19"));
}

/// `days` business days up to 2025-03-31, on each `usual` facts of ECDS at 10:00; then `now` at 10:00 of the 31st itself, and at
/// `after` one of NGBS.
fn fed(days: u32, usual: usize, now: usize, after: &str) -> Market {
    let mut market = Market::new();
    let calendar = setting().meanings.calendar();
    let last = day("2025-03-31");
    let come = |market: &mut Market, on: Day, count: usize| {
        market.on(on, "10:00");
        for _ in 0..count {
            market.fact("CSH.FEE", None, ent(1), PartyId::SYSTEM, &[]);
            // They tell of the day before: only when they came counts.
            let fact = market.last();
            (fact.source, fact.event_time) = (Source::Ecds, fact.event_time - 86_400_000);
        }
    };
    for back in (1..=days).rev() {
        come(&mut market, calendar.minus(last, back), usual);
    }
    come(&mut market, last, now);
    market.on(last, after);
    market.fact("CSH.FEE", None, ent(1), PartyId::SYSTEM, &[]);
    market
}

#[test]
fn p129_a_source_is_silent() {
    let found = ["ECDS 2025-03-31"];
    // Of 20 days the middle one is the tenth: with 11 that are not empty it is not.
    holds("P129", &fed(11, 10, 0, "10:05"), &found);
    quiet("P129", &fed(10, 10, 0, "10:05"));
    quiet("P129", &fed(11, 9, 0, "10:05"));
    quiet("P129", &fed(11, 10, 1, "10:05"));
    // Nobody has told yet that the five minutes are over; or what is told of is silence as usual.
    quiet("P129", &fed(11, 10, 0, "10:04"));
    quiet("P129", &fed(11, 10, 0, "10:10"));
}

#[test]
fn p185_a_source_sends_less() {
    let found = ["ECDS 2025-03-31"];
    holds("P185", &fed(11, 100, 19, "10:05"), &found);
    quiet("P185", &fed(11, 100, 20, "10:05"));
    quiet("P185", &fed(11, 99, 19, "10:05"));
    quiet("P185", &fed(10, 100, 19, "10:05"));
    holds("P185", &fed(20, 100, 0, "10:05"), &found);
    quiet("P185", &fed(11, 100, 19, "10:04"));
}

#[test]
fn a_weekend_is_no_silence() {
    let mut market = fed(11, 100, 100, "10:05");
    market.at("2025-04-05", "10:05");
    market.fact("CSH.FEE", None, ent(1), PartyId::SYSTEM, &[]);
    quiet("P129", &market);
    quiet("P185", &market);
}
