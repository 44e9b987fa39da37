//! Every indicator: a case worked out by hand, at a level and one unit below it, and its explanation.

use std::sync::OnceLock;

use super::{IndicatorValue, Indicators, Subject, explain::Line, plain};
use crate::{
    catalogue::Catalogue,
    fact::{Field, Range, Value},
    ids::{BillId, Day, PartyId},
    pattern::{
        Key, Level, Number, PlainWindows,
        plain::{Evaluation, evaluate},
        tests::{
            market::{Market, Terms, bank, code, day, ent, int, text, yuan},
            setting,
        },
    },
};

fn indicators() -> &'static Indicators {
    static COMPILED: OnceLock<Indicators> = OnceLock::new();
    COMPILED.get_or_init(|| Indicators::of(&Catalogue::embedded(), setting().patterns).unwrap())
}

fn evaluated(market: &Market) -> Evaluation {
    evaluate(&market.facts, setting(), market.clock(), &PlainWindows::default())
}

fn values(market: &Market, id: &str) -> Vec<IndicatorValue> {
    let indicator = indicators().find(id).unwrap();
    let values = plain::values(indicators(), indicator, &evaluated(market), setting(), market.clock());
    let mut turned = market.facts.clone();
    turned.reverse();
    let again = evaluate(&turned, setting(), market.clock(), &PlainWindows::default());
    assert_eq!(plain::values(indicators(), indicator, &again, setting(), market.clock()), values, "order of arrival");
    values
}

#[track_caller]
fn value(market: &Market, id: &str, key: &str, date: &str) -> IndicatorValue {
    let indicator = indicators().find(id).unwrap();
    let values = values(market, id);
    let known: Vec<String> = values
        .iter()
        .map(|value| format!("{} {}", indicators().subject_text(indicator, value.subject), value.day))
        .collect();
    let is_it =
        |value: &IndicatorValue| indicators().subject_text(indicator, value.subject) == key && value.day == day(date);
    values.into_iter().find(is_it).unwrap_or_else(|| panic!("no {id} of {key} on {date} among {known:?}"))
}

#[track_caller]
fn figure(value: &IndicatorValue, name: &str) -> Option<Number> {
    let figures = indicators().figures(value.indicator);
    let place = figures.iter().position(|figure| &*figure.name == name).unwrap_or_else(|| panic!("no figure {name}"));
    value.figures[place]
}

fn whole(value: i64) -> Option<Number> {
    Some(Number::from(value))
}

fn number(text: &str) -> Option<Number> {
    Number::parse(text)
}

/// The lines behind a value add up to the windows of its key.
#[track_caller]
fn explained(market: &Market, id: &str, key: PartyId, date: &str) -> Vec<Line> {
    let indicator = indicators().find(id).unwrap();
    let place = (Key(key.bits(), 0), day(date));
    let answer = plain::explain(indicators(), indicator, (&evaluated(market), setting()), &market.facts, place);
    for window in &answer.windows {
        let lines: i128 = answer.lines.iter().filter(|line| line.window == window.window).map(|line| line.sum).sum();
        assert_eq!(lines, window.sum, "{id} {}", window.window);
    }
    answer.lines
}

fn balance_sheet(market: &mut Market, of: PartyId, liquid: i64) {
    let fields = [(Field::LegalInstId, Value::Party(of)), (Field::LiquidAssetsFen, int(liquid))];
    market.fact("MST.FIN", None, of, PartyId::SYSTEM, &fields);
}

fn deposit(market: &mut Market, of: PartyId, amount: i64) {
    market.fact("CSH.DEP", None, of, PartyId::SYSTEM, &[(Field::CashFen, int(amount))]);
}

/// Bank 4, a rural one, owes 1,000,000 within 7 days and has cash and a bill of bank 1.
fn short_of_cash(cash: i64) -> Market {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    balance_sheet(&mut market, bank(4), yuan(10_000_000));
    market.draw(&Terms { acceptor: bank(4), due_in: 7, ..Terms::default() });
    market.draw(&Terms { acceptor: bank(4), due_in: 8, ..Terms::default() });
    let bill = market.draw(&Terms { face: yuan(200_000), due_in: 5, ..Terms::default() });
    market.fact("END.REQ", Some((bill, Range::WHOLE)), ent(2), ent(3), &[]);
    market.fact("END.SGN", Some((bill, Range::WHOLE)), ent(3), ent(2), &[]);
    market.discount(bill, ent(3), bank(4), 12_000);
    deposit(&mut market, bank(4), cash);
    market
}

#[test]
fn lq1_gap_against_liquid_assets() {
    // 1,000,000 - 300,000 - 200,000 = 500,000 of 10,000,000.
    let market = short_of_cash(yuan(300_000));
    let found = value(&market, "LQ1", "100104", "2025-03-03");
    assert_eq!(found.value(), number("0.05"));
    assert_eq!(found.level, Some(Level::Blue));
    assert_eq!(figure(&found, "due_acc_fen"), whole(yuan(1_000_000)));
    assert_eq!(figure(&found, "due_held_fen"), whole(yuan(200_000)));
    assert_eq!(value(&market, "LQ1", "tier=SMALL", "2025-03-03").value(), number("0.05"));
    assert_eq!(value(&market, "LQ1", "province=330000", "2025-03-03").numerator, whole(yuan(500_000)));
    let lines = explained(&market, "LQ1", bank(4), "2025-03-03");
    let windows: Vec<&str> = lines.iter().map(|line| line.window.as_str()).collect();
    assert_eq!(windows, ["due", "cash", "held_due"]);
    let market = short_of_cash(yuan(300_000) + 1);
    assert_eq!(value(&market, "LQ1", "100104", "2025-03-03").level, None, "one fen of cash more");
}

#[test]
fn lq1_follows_days_and_does_not_count_on_acceptors_that_failed() {
    let mut market = short_of_cash(yuan(300_000));
    // The next day the other bill is due within 7 days too.
    market.clock_at_end_of("2025-03-04");
    let later = value(&market, "LQ1", "100104", "2025-03-04");
    assert_eq!(later.value(), number("0.15"));
    assert_eq!(later.level, Some(Level::Yellow));
    assert_eq!(value(&market, "LQ1", "100104", "2025-03-03").value(), number("0.05"), "history stays");
    // Bank 1 fails to pay somebody else: its bill is no hope any more.
    market.at("2024-12-31", "10:00");
    let failed = market.draw(&Terms { due_in: 63, ..Terms::default() });
    market.at("2025-03-04", "10:00").present(failed, ent(2), bank(1));
    market.fact(
        "PAY.FLD",
        Some((failed, Range::WHOLE)),
        PartyId::SYSTEM,
        ent(2),
        &[(Field::PayerId, Value::Party(bank(1)))],
    );
    market.clock_at_end_of("2025-03-04");
    assert_eq!(value(&market, "LQ1", "100104", "2025-03-04").value(), number("0.17"));
    explained(&market, "LQ1", bank(4), "2025-03-04");
    assert!(values(&market, "LQ1").iter().all(|value| value.subject != Subject::Key(Key(bank(1).bits(), 0))), "large");
}

fn repo(market: &mut Market, bill: BillId, cash: i64, days: i32, deal: &str) {
    let fields = [
        (Field::DealId, text(deal)),
        (Field::FirstFen, int(cash)),
        (Field::RedeemFen, int(cash)),
        (Field::RateE4, int(20_000)),
        (Field::RepoDays, int(days.into())),
        (Field::RedeemDate, Value::Date(market.today().plus(days))),
        (Field::SellerId, Value::Party(bank(4))),
        (Field::BuyerId, Value::Party(bank(6))),
    ];
    let about = Some((bill, Range::WHOLE));
    market.fact("RPO.QTE", about, bank(4), bank(6), &fields[..5]);
    market.fact("RPO.DEL", about, PartyId::SYSTEM, bank(6), &fields);
    market.fact("RPO.SET", about, PartyId::SYSTEM, bank(6), &fields);
}

/// Bank 4 holds ten bills of 1,000,000 and has lent some out.
fn leaning_on_repo(cash: i64) -> Market {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    for number in 0..10 {
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(4), 12_000);
        match number {
            0 => repo(&mut market, bill, cash, 7, "R1"),
            1 => repo(&mut market, bill, yuan(2_000_000), 14, "R2"),
            _ => {}
        }
    }
    let sold = market.draw(&Terms { face: yuan(500_000), ..Terms::default() });
    market.discount(sold, ent(2), bank(4), 12_000);
    market.sell(sold, bank(4), bank(6), 12_000, "S1");
    market
}

#[test]
fn lq2_funding_against_holdings() {
    // 2,500,000 + 2,000,000 + 500,000 of 10,000,000.
    let market = leaning_on_repo(yuan(2_500_000));
    let found = value(&market, "LQ2", "100104", "2025-03-03");
    assert_eq!((found.value(), found.level), (number("0.5"), Some(Level::Blue)));
    assert_eq!(figure(&found, "short_repo_share"), Number::ratio(25, 45));
    assert_eq!(figure(&found, "rate_premium_bp"), whole(0), "alone in its tier");
    explained(&market, "LQ2", bank(4), "2025-03-03");
    let market = leaning_on_repo(yuan(2_500_000) - 1);
    assert_eq!(value(&market, "LQ2", "100104", "2025-03-03").level, None);
}

#[test]
fn lq2_lets_go_of_what_is_redeemed_and_of_old_sales() {
    let mut market = leaning_on_repo(yuan(2_500_000));
    let pledged = market.facts.iter().find(|fact| fact.behaviour.code() == "RPO.SET").unwrap().bill_id.unwrap();
    market.at("2025-03-10", "10:00");
    let fields = [(Field::DealId, text("R1")), (Field::RedeemFen, int(yuan(2_500_000)))];
    market.fact("RPO.RED", Some((pledged, Range::WHOLE)), PartyId::SYSTEM, bank(4), &fields);
    // Five business days later the sale is out of the window, and one deal is left.
    assert_eq!(value(&market, "LQ2", "100104", "2025-03-07").value(), number("0.5"));
    assert_eq!(value(&market, "LQ2", "100104", "2025-03-10").value(), number("0.2"));
}

/// Bank 4 owes payments of 10,000,000 and fails one.
fn failing(amount: i64, kind: &'static str) -> Market {
    let mut market = Market::new();
    let acceptor = if kind == "CAB" { ent(7) } else { bank(4) };
    market.at("2025-02-03", "09:00");
    let bills: Vec<BillId> =
        (0..10).map(|_| market.draw(&Terms { acceptor: bank(4), due_in: 28, ..Terms::default() })).collect();
    let failed = market.draw(&Terms { kind, acceptor, face: amount, due_in: 28, ..Terms::default() });
    market.at("2025-03-03", "09:00");
    for bill in bills {
        market.present(bill, ent(2), bank(4));
        market.pay(bill, ent(2), bank(4));
    }
    market.present(failed, ent(2), acceptor);
    let payer = [(Field::PayerId, Value::Party(bank(4)))];
    market.fact("PAY.FLD", Some((failed, Range::WHOLE)), PartyId::SYSTEM, ent(2), &payer);
    market
}

#[test]
fn lq3_failed_payments_and_long_queues() {
    // A commercial bill that bank 4 was to pay for its customer: the ratio alone counts.
    let market = failing(yuan(10_000), "CAB");
    let found = value(&market, "LQ3", "100104", "2025-03-03");
    assert_eq!((found.value(), found.level), (number("0.001"), Some(Level::Blue)));
    assert_eq!(value(&failing(yuan(10_000) - 1, "CAB"), "LQ3", "100104", "2025-03-03").level, None);
    // Any collection of a bank bill that fails is ORANGE.
    let market = failing(1, "BAB");
    assert_eq!(value(&market, "LQ3", "100104", "2025-03-03").level, Some(Level::Orange));
    explained(&market, "LQ3", bank(4), "2025-03-03");
    let queued = |minutes: i64| {
        let mut market = failing(yuan(5_000), "CAB");
        market.at("2025-03-05", "10:00");
        let begun = market.now();
        let fact = |market: &mut Market, result: &str| {
            let fields = [
                (Field::QueueId, text("Q7")),
                (Field::SettleFen, int(yuan(10_000))),
                (Field::SettlementResult, code(result)),
            ];
            market.fact("CSH.QUE", None, PartyId::SYSTEM, bank(4), &fields);
        };
        fact(&mut market, "QUEUED");
        market.instant(begun + minutes * 60_000);
        fact(&mut market, "OK");
        market
    };
    // 5,000 failed and half of 10,000 queued.
    let market = queued(31);
    assert_eq!(value(&market, "LQ3", "100104", "2025-03-05").value(), number("0.001"));
    explained(&market, "LQ3", bank(4), "2025-03-05");
    assert_eq!(
        value(&queued(30), "LQ3", "100104", "2025-03-05").value(),
        number("0.0005"),
        "not longer than 30 minutes"
    );
    let gone = value(&market, "LQ3", "100104", "2025-03-05");
    assert_eq!(figure(&gone, "due_fen"), whole(yuan(10_000_000)));
}

#[test]
fn ms1_concentration_against_its_own_past() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    for acceptor in [1, 2, 3, 4] {
        market.accept(&Terms { acceptor: bank(acceptor), ..Terms::default() });
    }
    // A finance company's bills are no bank bills: they have a concentration of their own.
    market.accept(&Terms { kind: "FAB", acceptor: bank(5), ..Terms::default() });
    for enterprise in 10..20 {
        market.accept(&Terms { kind: "CAB", acceptor: ent(enterprise), ..Terms::default() });
    }
    // The next day one enterprise accepts as much as the others together.
    market.at("2025-03-04", "09:00");
    market.accept(&Terms { kind: "CAB", acceptor: ent(10), face: yuan(10_000_000), ..Terms::default() });
    let before = value(&market, "MS1", "market", "2025-03-03");
    assert_eq!(before.value(), None, "no past yet");
    assert_eq!(figure(&before, "bab_hhi"), number("0.25"));
    assert_eq!(figure(&before, "fab_hhi"), whole(1));
    assert_eq!(figure(&before, "fab_fen"), whole(yuan(1_000_000)));
    assert_eq!(figure(&before, "cab_cr5"), number("0.5"));
    assert_eq!(figure(&before, "cab_hhi"), number("0.1"));
    let after = value(&market, "MS1", "market", "2025-03-04");
    assert_eq!(figure(&after, "cab_cr5"), number("0.75"));
    assert_eq!(figure(&after, "cab_cr1"), number("0.55"));
    assert_eq!(figure(&after, "bab_z"), whole(0));
    // (0.75 - 0.5) / 0.002
    assert_eq!((after.value(), after.level), (whole(125), Some(Level::Red)));
    assert_eq!(value(&market, "MS1", "province=330000", "2025-03-04").value(), whole(125));
}

#[test]
fn ms2_turnover_of_the_discounted_balance() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bills: Vec<BillId> = (0..10).map(|_| market.draw(&Terms::default())).collect();
    for bill in &bills {
        market.discount(*bill, ent(2), bank(4), 12_000);
    }
    market.sell(bills[0], bank(4), bank(6), 12_000, "S1");
    market.at("2025-03-04", "09:00").sell(bills[0], bank(6), bank(4), 12_000, "S2");
    // 2,000,000 sold; the balance stood at 10,000,000 on two of 20 days.
    let found = value(&market, "MS2", "market", "2025-03-04");
    assert_eq!((found.value(), found.level), (whole(25), Some(Level::Red)));
    assert_eq!(figure(&found, "discount_to_acceptance"), whole(1));
    assert_eq!(figure(&found, "round_share"), number("0.5"), "bank 4 buys back what it sold");
    let small = value(&market, "MS2", "tier=SMALL", "2025-03-04");
    assert_eq!(figure(&small, "sold_fen"), whole(yuan(1_000_000)));
    explained(&market, "MS2", bank(4), "2025-03-04");
}

/// Ten discounts and ten lines of `deals` deals of one class and tenor.
fn deals_of_ten_lines(deals: u64) -> Market {
    let mut market = two_markets(12_000, 13_000, 0);
    for number in 0..10 {
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(4), 12_000);
        market.sell(bill, bank(4), bank(6), 13_000, &format!("D{}", number % deals));
    }
    market
}

/// Ten discounts and ten deals of one class and tenor, at these rates.
fn two_markets(discount: i64, deal: i64, deals: u64) -> Market {
    let mut market = Market::new();
    market.at("2025-03-03", "08:00");
    for (kind, rate) in [("RK01", 9_000), ("RK04", 15_000)] {
        let fields = [(Field::RateKind, code(kind)), (Field::RateE4, int(rate))];
        market.fact("REF.DEP", None, PartyId::SYSTEM, PartyId::MARKET, &fields);
    }
    market.at("2025-03-03", "09:00");
    for number in 0..10 {
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(4), discount);
        if number < deals {
            market.sell(bill, bank(4), bank(6), deal, &format!("D{number}"));
        }
    }
    market
}

#[test]
fn ms3_rates_that_stand_on_their_head() {
    let market = two_markets(12_000, 13_000, 10);
    let found = value(&market, "MS3", "market", "2025-03-03");
    assert_eq!((found.value(), found.level), (whole(10), Some(Level::Blue)));
    assert_eq!(figure(&found, "deposit_discount_bp"), whole(-30));
    assert_eq!(figure(&found, "spread_bp"), whole(-20));
    let of_classes: Vec<String> = values(&market, "MS3")
        .iter()
        .map(|value| indicators().subject_text(value.indicator, value.subject))
        .filter(|key| key.starts_with("class="))
        .collect();
    assert_eq!(of_classes.len(), 1, "{of_classes:?}");
    assert_eq!(value(&two_markets(12_000, 12_999, 10), "MS3", "market", "2025-03-03").level, None);
    assert_eq!(value(&two_markets(12_000, 13_000, 9), "MS3", "market", "2025-03-03").value(), whole(0), "nine deals");
}

#[test]
fn ms3_the_lines_of_a_deal_are_one_deal() {
    let cases = [(10, 10), (9, 0)];
    for (deals, expected) in cases {
        let found = value(&deals_of_ten_lines(deals), "MS3", "market", "2025-03-03");
        assert_eq!((figure(&found, "deal_cnt"), found.value()), (whole(deals as i64), whole(expected)));
    }
}

/// Presentations of an acceptor: (kind, acceptor, days overdue of each, whether it is paid later).
fn presented(kind: &'static str, acceptor: PartyId, failed: u32, paid: u32) -> Market {
    let mut market = Market::new();
    market.at("2025-02-03", "09:00");
    let terms = Terms { kind, acceptor, due_in: 28, ..Terms::default() };
    let bills: Vec<BillId> = (0..failed + paid).map(|_| market.draw(&terms)).collect();
    market.at("2025-03-03", "09:00");
    for (bill, number) in bills.iter().zip(0..) {
        market.present(*bill, ent(2), acceptor);
        if number < failed {
            market.refuse(*bill, ent(2), acceptor, "DC08");
        } else {
            market.pay(*bill, ent(2), acceptor);
        }
    }
    market
}

#[test]
fn df1_overdue_of_an_acceptor() {
    let market = presented("CAB", ent(7), 1, 9);
    let found = value(&market, "DF1", "E0000000007", "2025-03-03");
    assert_eq!((found.value(), found.level), (number("0.1"), Some(Level::Red)));
    assert_eq!(figure(&found, "overdue_ratio_bills"), number("0.1"));
    assert_eq!(value(&market, "DF1", "market", "2025-03-03").value(), number("0.1"));
    assert_eq!(value(&market, "DF1", "kind=CAB", "2025-03-03").value(), number("0.1"));
    assert_eq!(value(&market, "DF1", "industry=C", "2025-03-03").value(), number("0.1"));
    explained(&market, "DF1", ent(7), "2025-03-03");
    // What is paid a day later was overdue all the same.
    let mut market = presented("CAB", ent(7), 1, 9);
    let late = market.facts.iter().find(|fact| fact.behaviour.code() == "PAY.REJ").unwrap().bill_id.unwrap();
    market.at("2025-03-04", "09:00");
    market.fact("PAY.REQ", Some((late, Range::WHOLE)), ent(2), ent(7), &[]);
    market.pay(late, ent(2), ent(7));
    let after = value(&market, "DF1", "E0000000007", "2025-03-04");
    assert_eq!(figure(&after, "overdue_fen"), whole(yuan(1_000_000)));
    assert_eq!(figure(&after, "overdue_balance_fen"), whole(0));
    explained(&market, "DF1", ent(7), "2025-03-04");
}

#[test]
fn df1_lists_and_banks_have_levels_of_their_own() {
    // One of 1,000 would be below BLUE; one overdue bill is YELLOW.
    let listed = |failed| value(&presented("CAB", ent(7), failed, 600), "DF1", "E0000000007", "2025-03-03");
    assert_eq!(listed(0).level, None);
    let one = listed(1);
    assert!(one.value() < number("0.002"));
    assert_eq!(one.level, Some(Level::Yellow));
    assert_eq!(listed(3).level, Some(Level::Orange), "three bills: on the list");
    let bank_fails = value(&presented("BAB", bank(1), 1, 600), "DF1", "100101", "2025-03-03");
    assert_eq!(bank_fails.level, Some(Level::Red));
    assert_eq!(value(&presented("CAB", ent(7), 1, 600), "DF1", "market", "2025-03-03").level, None, "the ratio alone");
}

#[test]
fn df1_waits_for_the_end_of_the_day() {
    let mut market = presented("CAB", ent(7), 0, 3);
    let open = market.draw(&Terms::default());
    let noon = market.now();
    market.set_clock(noon);
    assert!(values(&market, "DF1").iter().all(|value| value.day < Day::of_time(noon)), "{open}");
}

/// Notices of 1,000,000: some settled, all old.
fn recourse(notices: u32, settled: u32) -> Market {
    let mut market = presented("CAB", ent(7), notices, 0);
    let refused: Vec<BillId> =
        market.facts.iter().filter(|fact| fact.behaviour.code() == "PAY.REJ").filter_map(|fact| fact.bill_id).collect();
    market.at("2025-03-05", "09:00");
    for (bill, number) in refused.iter().zip(0..) {
        let about = Some((*bill, Range::WHOLE));
        let claim = [(Field::ClaimFen, int(yuan(1_000_000))), (Field::RecourseType, code("RT00"))];
        market.fact("RCS.NTC", about, ent(2), ent(1), &claim);
        if number < settled {
            market.fact("RCS.AGR", about, ent(1), ent(2), &claim[..1]);
            market.fact("RCS.AGS", about, ent(2), ent(1), &claim[..1]);
            let parties = [
                (Field::CreditorId, Value::Party(ent(2))),
                (Field::DebtorId, Value::Party(ent(1))),
                (Field::PaidFen, int(yuan(1_000_000))),
            ];
            market.fact("RCS.SET", about, PartyId::SYSTEM, ent(2), &parties);
        }
    }
    market
}

#[test]
fn df2_claims_that_nobody_settles() {
    let mut market = recourse(10, 1);
    market.clock_at_end_of("2025-04-07");
    // 9 of 10 are unsettled: (0.9 - 0.5) * 0.2
    let found = value(&market, "DF2", "E0000000001", "2025-04-07");
    assert_eq!((found.value(), found.level), (number("0.08"), Some(Level::Orange)));
    assert_eq!(value(&market, "DF2", "market", "2025-04-07").value(), number("0.08"));
    let young = value(&market, "DF2", "E0000000001", "2025-04-03");
    assert_eq!(young.value(), whole(0), "not older than 30 days");
    explained(&market, "DF2", ent(1), "2025-04-07");
}

#[test]
fn sums_and_codes_that_were_not_sent_have_their_defaults() {
    let mut market = recourse(10, 1);
    for fact in &mut market.facts {
        fact.fields.retain(|(field, _)| !matches!(field, Field::ClaimFen | Field::PaidFen));
    }
    market.clock_at_end_of("2025-04-07");
    assert_eq!(value(&market, "DF2", "E0000000001", "2025-04-07").value(), number("0.08"), "the amount of each");
    // A queue that never ended: what began it needs no result.
    let mut market = failing(yuan(5_000), "CAB");
    market.at("2025-03-05", "10:00");
    let queue = [(Field::QueueId, text("Q7")), (Field::SettleFen, int(yuan(10_000)))];
    market.fact("CSH.QUE", None, PartyId::SYSTEM, bank(4), &queue);
    market.instant(market.now() + 31 * 60_000);
    market.fact(
        "CSH.QUE",
        None,
        PartyId::SYSTEM,
        bank(4),
        &[&queue[..], &[(Field::SettlementResult, code("OK"))]].concat(),
    );
    assert_eq!(value(&market, "LQ3", "100104", "2025-03-05").value(), number("0.001"));
}

#[test]
fn df2_redemptions_that_fail_and_are_cured() {
    let case = |cured: Option<&str>| {
        let mut market = leaning_on_repo(yuan(1_000_000));
        let pledged = market.facts.iter().find(|fact| fact.behaviour.code() == "RPO.SET").unwrap().bill_id.unwrap();
        let about = Some((pledged, Range::WHOLE));
        let fields = [
            (Field::DealId, text("R1")),
            (Field::RedeemFen, int(yuan(1_000_000))),
            (Field::SellerId, Value::Party(bank(4))),
            (Field::BuyerId, Value::Party(bank(6))),
        ];
        market.at("2025-03-10", "16:00").fact("RPO.RDF", about, PartyId::SYSTEM, bank(6), &fields);
        if let Some(date) = cured {
            market.at(date, "10:00").fact("RPO.ORD", about, PartyId::SYSTEM, bank(4), &fields);
        }
        market.clock_at_end_of("2025-03-13");
        market
    };
    let failed = case(None);
    assert_eq!(value(&failed, "DF2", "100104", "2025-03-10").value(), whole(0), "it may be cured the next day");
    assert_eq!(value(&failed, "DF2", "100104", "2025-03-11").value(), whole(1), "1,000,000 of 1,000,000 due");
    explained(&failed, "DF2", bank(4), "2025-03-11");
    assert_eq!(value(&case(Some("2025-03-11")), "DF2", "100104", "2025-03-11").value(), whole(0), "cured in time");
    assert_eq!(value(&case(Some("2025-03-12")), "DF2", "100104", "2025-03-12").value(), whole(1), "too late");
}

#[test]
fn df2_a_cure_is_of_its_own_deal() {
    let mut market = Market::new();
    market.at("2025-01-06", "09:00");
    let bill = market.draw(&Terms::default());
    market.discount(bill, ent(2), bank(4), 12_000);
    let about = Some((bill, Range::WHOLE));
    // Failed and cured the next day; in March the same bill goes out again, and nobody cures that.
    for (opened, failed, cured, deal) in
        [("2025-01-07", "2025-01-14", Some("2025-01-15"), "R1"), ("2025-03-03", "2025-03-10", None, "R2")]
    {
        market.at(opened, "09:00");
        repo(&mut market, bill, yuan(1_000_000), 7, deal);
        let fields = [
            (Field::DealId, text(deal)),
            (Field::RedeemFen, int(yuan(1_000_000))),
            (Field::SellerId, Value::Party(bank(4))),
            (Field::BuyerId, Value::Party(bank(6))),
        ];
        market.at(failed, "16:00").fact("RPO.RDF", about, PartyId::SYSTEM, bank(6), &fields);
        if let Some(date) = cured {
            market.at(date, "10:00").fact("RPO.ORD", about, PartyId::SYSTEM, bank(4), &fields);
        }
    }
    market.clock_at_end_of("2025-03-11");
    let figure_of = |day: &str| figure(&value(&market, "DF2", "100104", day), "repo_ratio");
    assert_eq!(figure_of("2025-01-15"), whole(0), "cured in time");
    assert_eq!(figure_of("2025-03-11"), whole(1), "never cured");
    explained(&market, "DF2", bank(4), "2025-03-11");
}

#[test]
fn what_is_revoked_was_never_counted() {
    let mut market = short_of_cash(yuan(300_000));
    let cash = market.facts.iter().find(|fact| fact.behaviour.code() == "CSH.DEP").unwrap().event_id;
    market.revoke(cash);
    assert_eq!(value(&market, "LQ1", "100104", "2025-03-03").value(), number("0.08"));
}

#[test]
fn errors_name_indicator_and_entry() {
    let rows = &Catalogue::embedded().indicators;
    let error = |text: &str| match super::compile::compile(rows, text, setting().patterns) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("compiles"),
    };
    assert!(error(r#"{"indicators": []}"#).starts_with("LQ1, `id`: indicator_rules.json has no rule"));
    let rule = |entry: &str| {
        format!(r#"{{"indicators": [{{"id": "LQ1", "keys": ["held"], "windows": [], "parts": [], {entry}}}]}}"#)
    };
    let bad = error(&rule(r#""numerator": "gap", "denominator": "1""#));
    assert!(bad.starts_with("LQ1, `numerator`: ") && bad.contains("gap"), "{bad}");
    assert!(error("{").starts_with("indicator_rules.json: "));
}
