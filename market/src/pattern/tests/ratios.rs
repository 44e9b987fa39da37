//! ratio-vs-reference.

use super::{
    holds, judge, level_of,
    market::{Market, Terms, bank, ent, int, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::PartyId,
    pattern::Level,
};

fn balance_sheet(market: &mut Market, of: PartyId, total_assets: i64) {
    market.fact(
        "MST.FIN",
        None,
        of,
        PartyId::SYSTEM,
        &[(Field::LegalInstId, Value::Party(of)), (Field::TotalAssetsFen, int(total_assets))],
    );
}

#[test]
fn p048_acceptance_over_15_percent_of_assets() {
    let case = |face, assets| {
        let mut market = Market::new();
        market.at("2025-01-31", "09:00");
        balance_sheet(&mut market, bank(1), assets);
        market.at("2025-03-01", "09:00").accept(&Terms { face, ..Terms::default() });
        market
    };
    let market = case(yuan(15_000_000) + 1, yuan(100_000_000));
    holds("P048", &market, &["100101 2025-03-01"]);
    assert_eq!(level_of(&judge(&market.facts, market.clock()), "P048"), Some(Level::Red));
    let market = case(yuan(15_000_000), yuan(100_000_000));
    holds("P048", &market, &["100101 2025-03-01"]);
    assert_eq!(level_of(&judge(&market.facts, market.clock()), "P048"), Some(Level::Orange), "a warning");
    holds("P048", &case(yuan(12_750_000) + 1, yuan(100_000_000)), &["100101 2025-03-01"]);
    quiet("P048", &case(yuan(12_750_000), yuan(100_000_000)));
}

#[test]
fn p048_is_judged_on_a_new_balance_sheet_and_falls_with_payment() {
    let mut market = Market::new();
    market.at("2025-03-01", "09:00");
    let bill = market.draw(&Terms { face: yuan(16_000_000), due_in: 30, ..Terms::default() });
    quiet("P048", &market);
    market.at("2025-03-10", "09:00");
    balance_sheet(&mut market, bank(1), yuan(100_000_000));
    market.at("2025-03-31", "09:00").present(bill, ent(2), bank(1));
    market.pay(bill, ent(2), bank(1));
    holds("P048", &market, &["100101 2025-03-10"]);
}

#[test]
fn p052_commercial_acceptance_over_net_assets() {
    let case = |face, net_assets| {
        let mut market = Market::new();
        market.at("2025-01-31", "09:00");
        market.fact(
            "MST.ENF",
            None,
            bank(1),
            PartyId::SYSTEM,
            &[(Field::EntId, Value::Party(ent(5))), (Field::NetAssetsFen, int(net_assets))],
        );
        market.at("2025-03-01", "09:00").accept(&Terms { kind: "CAB", acceptor: ent(5), face, ..Terms::default() });
        market
    };
    holds("P052", &case(yuan(5_000_000) + 1, yuan(10_000_000)), &["E0000000005 2025-03-01"]);
    quiet("P052", &case(yuan(5_000_000), yuan(10_000_000)));
    for nothing_left in [0, -1] {
        holds("P052", &case(yuan(1), nothing_left), &["E0000000005 2025-03-01"]);
    }
}

#[test]
fn p053_issuance_far_above_capital() {
    let case = |face, capital| {
        let mut market = Market::new();
        market.register(1, &[(Field::RegCapitalFen, int(capital))]);
        market.at("2025-03-01", "09:00").accept(&Terms { face, ..Terms::default() });
        market
    };
    holds("P053", &case(yuan(20_000_000) + 1, yuan(4_000_000)), &["E0000000001 2025-03-01"]);
    quiet("P053", &case(yuan(20_000_000), yuan(4_000_000)));
    holds("P053", &case(yuan(20_000_000), yuan(1_000_000)), &["E0000000001 2025-03-01"]);
    quiet("P053", &case(yuan(20_000_000) - 1, yuan(1_000_000)));
}

fn repo(market: &mut Market, faces: [i64; 2]) {
    market.at("2025-03-03", "09:00");
    for (place, face) in faces.into_iter().enumerate() {
        let bill = market.draw(&Terms { face, ..Terms::default() });
        market.discount(bill, ent(2), bank(2), 12_000);
        if place == 0 {
            let about = Some((bill, Range::WHOLE));
            let fields = [
                (Field::DealId, text("RP1")),
                (Field::RateE4, int(16_000)),
                (Field::FirstFen, int(face / 2)),
                (Field::RedeemFen, int(face / 2)),
                (Field::RepoDays, int(7)),
                (Field::SellerId, Value::Party(bank(2))),
                (Field::BuyerId, Value::Party(bank(3))),
            ];
            market.fact("RPO.QTE", about, bank(2), bank(3), &fields[..2]);
            market.fact("RPO.QAC", about, bank(3), bank(2), &fields[..2]);
            market.fact("RPO.SET", about, PartyId::SYSTEM, bank(3), &fields);
            market.at("2025-03-05", "09:00").fact("RPO.RED", about, PartyId::SYSTEM, bank(2), &fields);
            market.at("2025-03-03", "12:00");
        }
    }
    market.clock_at_end_of("2025-03-31");
}

#[test]
fn p058_repo_leverage_each_day_while_it_lasts() {
    let case = |out, rest| {
        let mut market = Market::new();
        repo(&mut market, [out, rest]);
        market
    };
    let market = case(yuan(8_000_000) + 1, yuan(2_000_000));
    holds("P058", &market, &["100102 2025-03-03", "100102 2025-03-04"]);
    quiet("P058", &case(yuan(8_000_000), yuan(2_000_000)));
}

#[test]
fn p058_waits_for_the_end_of_the_day() {
    let mut market = Market::new();
    repo(&mut market, [yuan(9_000_000), yuan(1_000_000)]);
    market.set_clock(super::market::day("2025-03-03").end_ms() - 2);
    quiet("P058", &market);
    market.set_clock(super::market::day("2025-03-03").end_ms() - 1);
    holds("P058", &market, &["100102 2025-03-03"]);
}

#[test]
fn p060_overdue_share() {
    let case = |overdue, rest| {
        let mut market = Market::new();
        let terms = |face| Terms { kind: "CAB", acceptor: ent(5), face, due_in: 30, ..Terms::default() };
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&terms(overdue));
        if rest > 0 {
            market.draw(&terms(rest));
        }
        market.at("2025-03-31", "09:00").present(bill, ent(2), ent(5));
        market.refuse(bill, ent(2), ent(5), "DC08");
        market
    };
    // The overdue lot is still in the balance: 1 / (18 + 1 + 1) = 5 %.
    quiet("P060", &case(yuan(1_000_000), yuan(18_000_000)));
    holds("P060", &case(yuan(1_000_000), yuan(18_000_000) - 1), &["E0000000005 2025-03-31"]);
    quiet("P060", &case(yuan(1_000_000) - 1, 0));
    holds("P060", &case(yuan(1_000_000), 0), &["E0000000005 2025-03-31"]);
}

#[test]
fn p060_waits_for_the_answer_until_the_day_has_ended() {
    let case = |accepted_on: &str| {
        let mut market = Market::new();
        let terms = Terms { kind: "CAB", acceptor: ent(5), due_in: 30, ..Terms::default() };
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&terms);
        // Presented on the last day for the answer, and not answered.
        market.at("2025-03-31", "09:00").present(bill, ent(2), ent(5));
        market.at(accepted_on, "10:00").accept(&terms);
        market
    };
    quiet("P060", &case("2025-03-31"));
    holds("P060", &case("2025-04-01"), &["E0000000005 2025-04-01"]);
}

#[test]
fn p049_margin_over_10_percent_of_deposits() {
    let case = |margin: i64| {
        let mut market = Market::new();
        market.at("2025-01-31", "09:00").fact(
            "MST.FIN",
            None,
            bank(1),
            PartyId::SYSTEM,
            &[
                (Field::LegalInstId, Value::Party(bank(1))),
                (Field::DepositsFen, int(yuan(1_000_000))),
                (Field::MarginFen, int(margin)),
            ],
        );
        market
    };
    let market = case(yuan(100_000) + 1);
    holds("P049", &market, &["100101 2025-01-31"]);
    assert_eq!(level_of(&judge(&market.facts, market.clock()), "P049"), Some(Level::Red));
    let market = case(yuan(100_000));
    holds("P049", &market, &["100101 2025-01-31"]);
    assert_eq!(level_of(&judge(&market.facts, market.clock()), "P049"), Some(Level::Orange), "a warning");
    quiet("P049", &case(yuan(85_000)));
}

#[test]
fn p050_finance_company_over_three_times_interbank_deposits() {
    let case = |acceptor: PartyId, face: i64| {
        let mut market = Market::new();
        market.at("2025-01-31", "09:00").fact(
            "MST.FIN",
            None,
            acceptor,
            PartyId::SYSTEM,
            &[(Field::LegalInstId, Value::Party(acceptor)), (Field::InterbankDepositFen, int(yuan(1_000_000)))],
        );
        market.at("2025-03-03", "09:00").accept(&Terms { kind: "FAB", acceptor, face, ..Terms::default() });
        market
    };
    holds("P050", &case(bank(5), yuan(3_000_000) + 1), &["100105 2025-03-03"]);
    quiet("P050", &case(bank(5), yuan(3_000_000)));
    quiet("P050", &case(bank(1), yuan(3_000_000) + 1));
}

#[test]
fn p063_due_next_week_against_liquid_assets() {
    let case = |kind: &str, face: i64, due_in: i32, held: i64| {
        let mut market = Market::new();
        market.bank(11, kind, &[]);
        market.at("2025-03-03", "09:00");
        market.figure(bank(11), Field::LiquidAssetsFen, yuan(4_000_000));
        market.accept(&Terms { acceptor: bank(11), face, due_in, ..Terms::default() });
        // Another bank must pay what it holds; its own acceptance does not help.
        if held > 0 {
            for acceptor in [bank(1), bank(11)] {
                let terms = Terms { acceptor, face: held, due_in: 7, ..Terms::default() };
                market.discounted(&terms, bank(11), 12_000);
            }
        }
        market.clock_at_end_of("2025-03-03");
        market
    };
    let limit = yuan(1_000_000);
    holds("P063", &case("206", limit + 1, 7, 0), &["100111 2025-03-03"]);
    holds("P063", &case("206", limit + 1, 1, 0), &["100111 2025-03-03"]);
    quiet("P063", &case("206", limit, 7, 0));
    quiet("P063", &case("206", limit + 1, 8, 0));
    quiet("P063", &case("203", limit + 1, 7, 0));
    // Its own discounted acceptance is one more bill to pay, the other bank's covers as much.
    holds("P063", &case("206", limit + 1, 7, yuan(10)), &["100111 2025-03-03"]);
    let mut covered = case("206", limit + 1, 7, 0);
    covered.discounted(&Terms { face: 1, due_in: 7, ..Terms::default() }, bank(11), 12_000);
    quiet("P063", &covered);
    // Each day until they are due.
    let mut later = case("206", limit + 1, 8, 0);
    later.clock_at_end_of("2025-03-05");
    holds("P063", &later, &["100111 2025-03-04", "100111 2025-03-05"]);
}
