//! ratio-vs-reference: turnover, capital, credit lines, and money that goes round.

use super::{
    holds,
    market::{Market, Terms, bank, day, ent, int, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::{Day, PartyId},
};

fn sheet(market: &mut Market, on: &str, of: PartyId, figures: &[(Field, i64)]) {
    let mut fields = vec![(Field::LegalInstId, Value::Party(of))];
    fields.extend(figures.iter().map(|(field, fen)| (*field, int(*fen))));
    market.at(on, "09:00").fact("MST.FIN", None, of, PartyId::SYSTEM, &fields);
}

fn statement(market: &mut Market, on: &str, of: PartyId, figures: &[(Field, i64)]) {
    let mut fields = vec![(Field::EntId, Value::Party(of))];
    fields.extend(figures.iter().map(|(field, fen)| (*field, int(*fen))));
    market.at(on, "09:00").fact("MST.ENF", None, bank(1), PartyId::SYSTEM, &fields);
}

#[test]
fn p051_finance_company_beyond_its_capital() {
    let case = |accepted: i64, discounter: u64, live: bool| {
        let mut market = Market::new();
        sheet(&mut market, "2025-01-31", bank(5), &[(Field::NetCapitalFen, yuan(10_000_000))]);
        market.at("2025-02-03", "09:00");
        let bill = market.draw(&Terms { face: yuan(4_000_000), due_in: 28, ..Terms::default() });
        market.discount(bill, ent(2), bank(discounter), 12_000);
        market.sell(bill, bank(discounter), bank(6), 12_000, "D1");
        if !live {
            market.at("2025-03-03", "08:00").present(bill, bank(6), bank(1));
            market.pay(bill, bank(6), bank(1));
        }
        market.at("2025-03-03", "09:00");
        market.accept(&Terms { kind: "FAB", acceptor: bank(5), face: accepted, ..Terms::default() });
        market
    };
    holds("P051", &case(yuan(6_000_000) + 1, 5, true), &["100105 2025-03-03"]);
    quiet("P051", &case(yuan(6_000_000), 5, true));
    quiet("P051", &case(yuan(6_000_000) + 1, 2, true));
    quiet("P051", &case(yuan(6_000_000) + 1, 5, false));
}

#[test]
fn p051_a_finance_company_without_capital() {
    for nothing_left in [0, -1] {
        let mut market = Market::new();
        sheet(&mut market, "2025-01-31", bank(5), &[(Field::NetCapitalFen, nothing_left)]);
        market.at("2025-03-03", "09:00");
        market.accept(&Terms { kind: "FAB", acceptor: bank(5), face: yuan(1), ..Terms::default() });
        // Without any bill there is nothing to compare.
        holds("P051", &market, &["100105 2025-03-03"]);
    }
}

#[test]
fn p054_issuance_beyond_turnover() {
    let case = |first_on: &str, second: i64| {
        let mut market = Market::new();
        market.at(first_on, "09:00").accept(&Terms { face: yuan(6_000_000), ..Terms::default() });
        statement(&mut market, "2025-06-30", ent(1), &[(Field::Revenue12mFen, yuan(10_000_000))]);
        market.at("2026-01-05", "09:00").accept(&Terms { face: second, ..Terms::default() });
        market
    };
    holds("P054", &case("2025-01-06", yuan(4_000_000) + 1), &["E0000000001 2026-01-05"]);
    quiet("P054", &case("2025-01-06", yuan(4_000_000)));
    quiet("P054", &case("2025-01-05", yuan(4_000_000) + 1));
    // A new statement alone.
    let mut market = Market::new();
    market.at("2025-03-03", "09:00").accept(&Terms::default());
    statement(&mut market, "2025-03-10", ent(1), &[(Field::Revenue12mFen, yuan(1_000_000) - 1)]);
    holds("P054", &market, &["E0000000001 2025-03-10"]);
}

#[test]
fn p055_growth_beyond_capital() {
    let case = |capital: i64, assets: i64, face: i64| {
        let mut market = Market::new();
        let figures = |capital, assets| [(Field::NetCapitalFen, capital), (Field::TotalAssetsFen, assets)];
        sheet(&mut market, "2025-01-06", bank(1), &figures(yuan(1_000_000), assets));
        market.at("2025-03-03", "09:00").accept(&Terms { face: yuan(1_000_000), due_in: 700, ..Terms::default() });
        sheet(&mut market, "2026-01-05", bank(1), &figures(capital, assets));
        market.at("2026-03-04", "09:00").accept(&Terms { face, ..Terms::default() });
        market.clock_at_end_of("2026-03-31");
        market
    };
    // 1.8 of a year ago against 1.3: a gap of 0.5.
    let (capital, assets) = (yuan(1_300_000), yuan(36_000_000));
    holds("P055", &case(capital, assets, yuan(800_000) + 1), &["100101 2026-03-31"]);
    quiet("P055", &case(capital, assets, yuan(800_000)));
    quiet("P055", &case(capital, assets + 100, yuan(800_000) + 1));
    let mut early = case(capital, assets, yuan(800_000) + 1);
    early.clock_at_end_of("2026-03-30");
    quiet("P055", &early);
}

/// Bills of 1,000,000 CNY with a margin, each discounted some days after its acceptance.
fn discounted(market: &mut Market, first: Day, days: &[i32], face: i64, margin: i64) {
    for (place, days) in days.iter().enumerate() {
        market.on(first, "09:00").instant(first.start_ms() + 36_000_000 + place as i64 * 60_000);
        let bill = market.draw(&Terms { face, margin, ..Terms::default() });
        market.instant(first.plus(*days).start_ms() + 43_200_000 + place as i64 * 60_000);
        market.discount(bill, ent(2), bank(2), 12_000);
    }
}

#[test]
fn p056_all_is_discounted_at_once() {
    let case = |bills: usize, slow: usize, kept: i64| {
        let mut market = Market::new();
        let days: Vec<i32> = (0..bills).map(|place| if place < slow { 4 } else { 3 }).collect();
        market.at("2025-03-03", "08:00").accept(&Terms { face: kept, ..Terms::default() });
        discounted(&mut market, day("2025-03-03"), &days, yuan(1_000_000), 0);
        market.clock_at_end_of("2025-03-31");
        market
    };
    let found = |market: &Market| super::alerts_of(&super::judge(&market.facts, market.clock()), "P056");
    // 19 of 20 parts of the amount.
    holds("P056", &case(19, 0, yuan(1_000_000)), &["E0000000001 2025-03-06"]);
    quiet("P056", &case(19, 0, yuan(1_000_000) + 1));
    quiet("P056", &case(9, 0, 1));
    // Of ten the fifth decides.
    holds("P056", &case(10, 5, 1), &["E0000000001 2025-03-07"]);
    quiet("P056", &case(10, 6, 1));
    assert_eq!(found(&case(10, 0, 1)), ["E0000000001 2025-03-06"]);
}

#[test]
fn p057_full_margin_then_discount() {
    let case = |margin: i64, days: i32, face: i64| {
        let mut market = Market::new();
        discounted(&mut market, day("2025-03-03"), &[days, days], face, margin);
        market
    };
    let face = yuan(5_000_000);
    holds("P057", &case(face / 100 * 95, 5, face), &["E0000000001 2025-03-08"]);
    quiet("P057", &case(face / 100 * 95 - 1, 5, face));
    quiet("P057", &case(face / 100 * 95, 6, face));
    quiet("P057", &case(face, 5, face - 1));
}

#[test]
fn p059_exposure_above_the_credit_line() {
    let case = |limit: i64, held: i64| {
        let mut market = Market::new();
        let line = [(Field::LimitFen, int(limit))];
        market.at("2025-01-06", "09:00").fact("MST.CRL", None, bank(3), bank(2), &line);
        market.at("2025-03-03", "09:00");
        // 3 buys a bill that 2 accepted, and lends 2 another 4,000,000 CNY against a bill.
        let bill = market.draw(&Terms { acceptor: bank(2), face: held, ..Terms::default() });
        market.discount(bill, ent(2), bank(4), 12_000);
        market.sell(bill, bank(4), bank(3), 12_000, "D1");
        let pledged = market.draw(&Terms { face: yuan(5_000_000), ..Terms::default() });
        market.discount(pledged, ent(2), bank(2), 12_000);
        let about = Some((pledged, Range::WHOLE));
        let fields = [
            (Field::DealId, text("RP1")),
            (Field::RateE4, int(16_000)),
            (Field::FirstFen, int(yuan(4_000_000))),
            (Field::RepoDays, int(7)),
            (Field::SellerId, Value::Party(bank(2))),
            (Field::BuyerId, Value::Party(bank(3))),
        ];
        market.at("2025-03-04", "09:00").fact("RPO.QTE", about, bank(2), bank(3), &fields[..2]);
        market.fact("RPO.QAC", about, bank(3), bank(2), &fields[..2]);
        market.fact("RPO.SET", about, PartyId::SYSTEM, bank(3), &fields);
        market
    };
    holds("P059", &case(yuan(9_000_000), yuan(5_000_000) + 1), &["100103,100102 2025-03-04"]);
    quiet("P059", &case(yuan(9_000_000), yuan(5_000_000)));
    // A line that is cut.
    let mut market = case(yuan(9_000_000), yuan(5_000_000));
    let line = [(Field::LimitFen, int(yuan(9_000_000) - 1))];
    market.at("2025-03-10", "09:00").fact("MST.CRL", None, bank(3), bank(2), &line);
    holds("P059", &market, &["100103,100102 2025-03-10"]);
}

fn background(market: &mut Market, on: &str, contract: &str, field: Field, fen: i64) {
    let fields = [(Field::DrawerId, Value::Party(ent(1))), (Field::ContractNo, text(contract)), (field, int(fen))];
    market.at(on, "09:00").fact("MST.TBK", None, ent(1), PartyId::SYSTEM, &fields);
}

#[test]
fn p061_more_than_the_contract() {
    let case = |second: i64, contract: &str| {
        let mut market = Market::new();
        background(&mut market, "2025-03-03", "HT-1", Field::ContractFen, yuan(2_000_000));
        for (face, of) in [(yuan(1_000_000), "HT-1"), (second, contract)] {
            market.at("2025-03-04", "09:00");
            let bill = market.register_bill(&Terms { face, ..Terms::default() });
            market.fact("ACC.REQ", Some((bill, Range::WHOLE)), ent(1), bank(1), &[]);
            market.fact("ACC.SGN", Some((bill, Range::WHOLE)), bank(1), ent(1), &[(Field::ContractNo, text(of))]);
        }
        market
    };
    holds("P061", &case(yuan(1_000_000) + 1, "HT-1"), &["E0000000001 2025-03-04"]);
    quiet("P061", &case(yuan(1_000_000), "HT-1"));
    quiet("P061", &case(yuan(9_000_000), "HT-2"));
}

#[test]
fn p061_more_than_the_invoices() {
    let case = |second: i64, first_on: &str, contract: &str| {
        let mut market = Market::new();
        let accept = |market: &mut Market, on: &str, face: i64, contract: &str| {
            market.at(on, "10:00");
            let bill = market.register_bill(&Terms { face, ..Terms::default() });
            market.fact("ACC.REQ", Some((bill, Range::WHOLE)), ent(1), bank(1), &[]);
            let fields = [(Field::ContractNo, text(contract))];
            market.fact("ACC.SGN", Some((bill, Range::WHOLE)), bank(1), ent(1), &fields);
        };
        accept(&mut market, first_on, yuan(600_000), contract);
        background(&mut market, "2025-03-10", "HT-1", Field::InvoiceFen, yuan(1_000_000));
        accept(&mut market, "2025-05-29", second, "HT-1");
        market
    };
    holds("P061", &case(yuan(400_000) + 1, "2025-03-01", "HT-1"), &["E0000000001 2025-05-29"]);
    quiet("P061", &case(yuan(400_000), "2025-03-01", "HT-1"));
    quiet("P061", &case(yuan(400_000) + 1, "2025-02-28", "HT-1"));
    // The background of another bill says nothing.
    quiet("P061", &case(yuan(400_000) + 1, "2025-03-01", "HT-2"));
}

#[test]
fn p062_received_beyond_invoicing() {
    let case = |face: i64| {
        let mut market = Market::new();
        statement(&mut market, "2025-01-31", ent(2), &[(Field::VatInvoiced12mFen, yuan(1_000_000))]);
        market.at("2025-03-03", "09:00").draw(&Terms { face, ..Terms::default() });
        market
    };
    holds("P062", &case(yuan(1_200_000) + 1), &["E0000000002 2025-03-03"]);
    quiet("P062", &case(yuan(1_200_000)));
}

/// Old bills that fall due, and a new one that is drawn and discounted around each.
fn rollover(due: &[(&str, i64)], drawn_days_before: i32, discounted_days_after: i32, least: i64) -> Market {
    let mut market = Market::new();
    let mut old = Vec::new();
    for (on, _) in due {
        market.on(day(on).plus(-100), "09:00");
        old.push((*on, market.draw(&Terms { face: least, due_in: 100, ..Terms::default() })));
    }
    for ((on, bill), (_, new)) in old.into_iter().zip(due) {
        market.on(day(on).plus(-drawn_days_before), "09:00");
        let fresh = market.draw(&Terms { face: *new, ..Terms::default() });
        market.on(day(on), "08:00").present(bill, ent(2), bank(1));
        market.pay(bill, ent(2), bank(1));
        market.on(day(on).plus(discounted_days_after), "12:00").discount(fresh, ent(2), bank(2), 12_000);
    }
    let end = day(due[due.len() - 1].0).plus(3);
    market.set_clock(end.end_ms() - 1);
    market
}

#[test]
fn p064_new_bills_pay_old_ones() {
    let d = yuan(5_000_000);
    let (first, second) = ("2025-05-12", "2025-06-16");
    let lo = d / 10 * 9;
    holds("P064", &rollover(&[(first, lo), (second, d / 10 * 12)], 3, 3, d), &["E0000000001 2025-06-19"]);
    quiet("P064", &rollover(&[(first, lo - 1), (second, d)], 3, 3, d));
    quiet("P064", &rollover(&[(first, d), (second, d / 10 * 12 + 1)], 3, 3, d));
    quiet("P064", &rollover(&[(first, d), (second, d)], 4, 3, d));
    quiet("P064", &rollover(&[(first, d), (second, d)], 3, 4, d));
    quiet("P064", &rollover(&[(first, d), (second, d)], 3, 3, d - 1));
    quiet("P064", &rollover(&[(second, d)], 3, 3, d));
    let mut early = rollover(&[(first, d), (second, d)], 3, 3, d);
    early.set_clock(day("2025-06-19").end_ms() - 2);
    quiet("P064", &early);
}

#[test]
fn p065_proceeds_become_margin() {
    let case = |margin: i64, gap: i32, spread: i32| {
        let mut market = Market::new();
        let mut on = day("2025-03-03");
        market.on(on, "09:00");
        let mut bill = market.draw(&Terms::default());
        for round in 0..3 {
            on = on.plus(if round == 1 { spread } else { 5 });
            market.on(on, "10:00").discount(bill, ent(2), bank(2), 12_000);
            market.last().set(Field::PayFen, int(yuan(1_000_000)));
            on = on.plus(if round == 2 { gap } else { 1 });
            let margin = if round == 2 { margin } else { yuan(900_000) };
            bill = market.on(on, "11:00").draw(&Terms { margin, ..Terms::default() });
        }
        market
    };
    let (lo, hi) = (yuan(800_000), yuan(1_050_000));
    // Discounts on the 8th and later; the last acceptance 5 + 1 + ... days after.
    let last = |market: &Market| format!("E0000000001 {}", market.today());
    let market = case(lo, 2, 5);
    holds("P065", &market, &[&last(&market)]);
    let market = case(hi, 2, 5);
    holds("P065", &market, &[&last(&market)]);
    quiet("P065", &case(lo - 1, 2, 5));
    quiet("P065", &case(hi + 1, 2, 5));
    quiet("P065", &case(lo, 3, 5));
    // From the first discount to the last acceptance: 1 + spread + 1 + 5 + 2 days.
    let market = case(lo, 2, 50);
    holds("P065", &market, &[&last(&market)]);
    quiet("P065", &case(lo, 2, 51));
}

#[test]
fn p188_sold_for_the_end_of_the_month() {
    let case = |sold: i64, bought: i64, sold_on: &str, bought_on: &str| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let mut hold = |face, bank_number| {
            let bill = market.draw(&Terms { face, ..Terms::default() });
            market.discount(bill, ent(2), bank(bank_number), 12_000);
            bill
        };
        let out = hold(sold, 2);
        hold(yuan(10_000_000) - sold, 2);
        let back = hold(bought, 3);
        market.at(sold_on, "10:00").sell(out, bank(2), bank(4), 12_000, "D1");
        market.at(bought_on, "10:00").sell(back, bank(3), bank(2), 12_000, "D2");
        market.clock_at_end_of("2025-04-16");
        market
    };
    // 27, 28 and 31 March; 1, 2, 3, 7 and 8 April 2025 (4 April is a holiday).
    let (sold, back) = (yuan(1_000_000), yuan(700_000));
    holds("P188", &case(sold, back, "2025-03-27", "2025-04-08"), &["100102 2025-04-16"]);
    quiet("P188", &case(sold - 1, back, "2025-03-27", "2025-04-08"));
    quiet("P188", &case(sold, back - 1, "2025-03-27", "2025-04-08"));
    quiet("P188", &case(sold, yuan(1_300_000) + 1, "2025-03-27", "2025-04-08"));
    quiet("P188", &case(sold, back, "2025-03-26", "2025-04-08"));
    quiet("P188", &case(sold, back, "2025-03-27", "2025-04-09"));
}

#[test]
fn p195_discounts_what_it_accepted() {
    let case = |own: i64, other: i64, days: i32| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let mine = market.draw(&Terms { face: own, acceptor: bank(2), ..Terms::default() });
        let foreign = market.draw(&Terms { face: other, ..Terms::default() });
        market.on(day("2025-03-03").plus(days), "09:00").discount(foreign, ent(2), bank(2), 12_000);
        market.discount(mine, ent(2), bank(2), 12_000);
        market
    };
    let least = yuan(600_000_000);
    holds("P195", &case(least, yuan(400_000_000), 3), &["100102 2025-03-06"]);
    quiet("P195", &case(least, yuan(400_000_000) + 1, 3));
    quiet("P195", &case(least, yuan(400_000_000), 4));
    holds("P195", &case(yuan(500_000_000), 1, 3), &["100102 2025-03-06"]);
    quiet("P195", &case(yuan(500_000_000) - 1, 1, 3));
}

#[test]
fn p150_one_device_for_companies_of_several_groups() {
    let request = |market: &mut Market, drawer: u64, device: &str| {
        let bill = market.register_bill(&Terms { drawer: ent(drawer), ..Terms::default() });
        let device = [(Field::DeviceId, text(device))];
        market.fact("ACC.REQ", Some((bill, Range::WHOLE)), ent(drawer), bank(1), &device);
    };
    let case = |last: u64, grouped: &[u64], device: &str, first: &str| {
        let mut market = Market::new();
        for number in grouped {
            market.register(*number, &[(Field::GroupId, Value::Party(PartyId::group(7)))]);
        }
        market.at(first, "09:00");
        request(&mut market, 11, "0123456789abcdef");
        market.at("2025-03-31", "09:00");
        for number in 12..last {
            request(&mut market, number, "0123456789abcdef");
        }
        request(&mut market, last, device);
        market
    };
    let (own, other) = ("0123456789abcdef", "fedcba9876543210");
    let today =
        ["E0000000012 2025-03-31", "E0000000013 2025-03-31", "E0000000014 2025-03-31", "E0000000015 2025-03-31"];
    holds("P150", &case(15, &[], own, "2025-03-02"), &today);
    quiet("P150", &case(15, &[], own, "2025-03-01"));
    quiet("P150", &case(14, &[], own, "2025-03-02"));
    quiet("P150", &case(15, &[], other, "2025-03-02"));
    quiet("P150", &case(15, &[12, 13], own, "2025-03-02"));
    quiet("P150", &case(15, &[11, 13], own, "2025-03-02"));
    holds("P150", &case(15, &[12], own, "2025-03-02"), &today);
}
