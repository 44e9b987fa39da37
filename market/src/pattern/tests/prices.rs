//! price-deviation. The curve is flat at 1.2 % (12000), for BCL1 and BCL2.

use super::{
    holds,
    market::{Market, Terms, bank, code, ent, int, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
    ids::PartyId,
};

fn with_curves() -> Market {
    let mut market = Market::new();
    market.at("2025-01-02", "09:00");
    for class in ["BCL1", "BCL2", "BCL6"] {
        for tenor in ["TM030", "TM360"] {
            market.fact(
                "REF.CRV",
                None,
                PartyId::SYSTEM,
                PartyId::MARKET,
                &[(Field::BillClass, code(class)), (Field::CurveTenor, code(tenor)), (Field::RateE4, int(12_000))],
            );
        }
    }
    market
}

#[test]
fn p132_off_market_rate() {
    let case = |rate, face| {
        let mut market = with_curves();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { face, ..Terms::default() });
        market.discount(bill, ent(2), bank(2), 12_000);
        market.sell(bill, bank(2), bank(3), rate, "IB1");
        market
    };
    holds("P132", &case(17_001, yuan(10_000_000)), &["IB1 2025-03-03"]);
    holds("P132", &case(6_999, yuan(10_000_000)), &["IB1 2025-03-03"]);
    quiet("P132", &case(17_000, yuan(10_000_000)));
    quiet("P132", &case(17_001, yuan(10_000_000) - 1));
}

#[test]
fn p132_without_a_curve_is_skipped() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bill = market.draw(&Terms { face: yuan(10_000_000), ..Terms::default() });
    market.discount(bill, ent(2), bank(2), 12_000);
    market.sell(bill, bank(2), bank(3), 90_000, "IB1");
    quiet("P132", &market);
    let setting = super::setting();
    let all = crate::pattern::plain::evaluate(&market.facts, setting, market.clock(), &Default::default());
    assert_eq!(all.skipped.get(&setting.patterns.find("P132").unwrap()), Some(&1));
}

#[test]
fn p139_commercial_bill_priced_like_a_bank_bill() {
    let case = |rate, enhanced: bool| {
        let mut market = with_curves();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { kind: "CAB", acceptor: ent(5), ..Terms::default() });
        if enhanced {
            let fields = [(Field::EnhanceFen, int(yuan(1_000_000)))];
            market.fact("ENH.DSC", Some((bill, Range::WHOLE)), bank(1), ent(5), &fields);
        }
        market.discount(bill, ent(2), bank(2), rate);
        let id = market.facts.last().unwrap().event_id;
        (market, id)
    };
    let (market, id) = case(12_999, false);
    holds("P139", &market, &[&format!("{id} 2025-03-03")]);
    quiet("P139", &case(13_000, false).0);
    quiet("P139", &case(12_999, true).0);
}

#[test]
fn p141_fat_finger_quote() {
    let case = |rate| {
        let mut market = with_curves();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(2), 12_000);
        let fields = [(Field::RateE4, int(rate)), (Field::DealId, text("Q1"))];
        market.fact("IBT.QTE", Some((bill, Range::WHOLE)), bank(2), bank(3), &fields);
        market
    };
    holds("P141", &case(32_001), &["100102 2025-03-03"]);
    quiet("P141", &case(32_000));
    holds("P141", &case(-1), &["100102 2025-03-03"]);
    quiet("P141", &case(0));
}

#[test]
fn p142_settlement_amount_off_the_formula() {
    // 1,000,000 CNY at 1.2 % from 3 March to 1 September (182 days): 100000000 * 12000 * 182 / (360 * 10^6) = 606666.7.
    let discount = |pay: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { due_in: 182, ..Terms::default() });
        let about = Some((bill, Range::WHOLE));
        let fields = [(Field::RateE4, int(12_000)), (Field::PayFen, int(pay))];
        market.fact("DSC.REQ", about, ent(2), bank(2), &fields);
        let id = market.fact("DSC.SGN", about, bank(2), ent(2), &fields);
        (market, id)
    };
    let exact = 100_000_000 - 606_667;
    quiet("P142", &discount(exact).0);
    quiet("P142", &discount(exact + 100).0);
    quiet("P142", &discount(exact - 100).0);
    let (market, id) = discount(exact + 101);
    holds("P142", &market, &[&format!("{id} 2025-03-03")]);
    let repo = |redeem: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(2), 12_000);
        let about = Some((bill, Range::WHOLE));
        let fields = [
            (Field::DealId, text("RP1")),
            (Field::RateE4, int(16_000)),
            (Field::FirstFen, int(1_150_000_000)),
            (Field::RedeemFen, int(redeem)),
            (Field::RepoDays, int(7)),
            (Field::SellerId, Value::Party(bank(2))),
            (Field::BuyerId, Value::Party(bank(3))),
        ];
        market.fact("RPO.QTE", about, bank(2), bank(3), &fields[..2]);
        market.fact("RPO.DEL", about, PartyId::SYSTEM, bank(3), &fields);
        market
    };
    quiet("P142", &repo(1_150_352_877 + 100));
    holds("P142", &repo(1_150_352_877 + 101), &["RP1 2025-03-03"]);
}

fn with_rates(kind: &str, tenor: &str, rate_e4: i64) -> Market {
    let mut market = with_curves();
    market.fact(
        "REF.DEP",
        None,
        PartyId::SYSTEM,
        PartyId::MARKET,
        &[(Field::RateKind, code(kind)), (Field::CurveTenor, code(tenor)), (Field::RateE4, int(rate_e4))],
    );
    market
}

fn market_on(date: &str) -> String {
    format!("{} {date}", PartyId::MARKET)
}

#[test]
fn p133_discount_below_deposit_for_days() {
    let case = |rate: i64, deals: usize, days: &[&str]| {
        let mut market = with_rates("RK01", "TM180", 15_000);
        for day in days {
            market.at(day, "09:00");
            for number in 0..deals {
                let face = yuan(1_000_000 + number as i64);
                market.discounted(&Terms { face, ..Terms::default() }, bank(2), rate);
            }
        }
        market
    };
    // Friday, Monday and Tuesday follow each other.
    let days = ["2025-03-07", "2025-03-10", "2025-03-11"];
    holds("P133", &case(14_499, 50, &days), &[&market_on("2025-03-11")]);
    quiet("P133", &case(14_500, 50, &days));
    quiet("P133", &case(14_499, 49, &days));
    quiet("P133", &case(14_499, 50, &["2025-03-07", "2025-03-10", "2025-03-12"]));
}

/// Sales of new bills on one day.
fn sales(market: &mut Market, count: usize, due_in: i32, discount: i64, rate: i64) {
    for _ in 0..count {
        let bill = market.discounted(&Terms { due_in, ..Terms::default() }, bank(2), discount);
        market.sell(bill, bank(2), bank(3), rate, "IB1");
    }
}

#[test]
fn p134_short_bills_dearer_than_long_ones() {
    let case = |short: i64, count: usize| {
        let mut market = with_curves();
        market.at("2025-03-03", "09:00");
        sales(&mut market, 10, 180, 12_000, 12_000);
        sales(&mut market, count, 30, 12_000, short);
        market
    };
    holds("P134", &case(14_001, 10), &[&market_on("2025-03-03")]);
    quiet("P134", &case(14_000, 10));
    quiet("P134", &case(14_001, 9));
}

#[test]
fn p135_discount_below_the_interbank_rate() {
    let case = |rate: i64, count: usize, last: &str| {
        let mut market = with_curves();
        for day in ["2025-03-07", last] {
            market.at(day, "09:00");
            sales(&mut market, count, 180, rate, 12_000);
        }
        market
    };
    holds("P135", &case(11_499, 10, "2025-03-10"), &[&market_on("2025-03-10")]);
    quiet("P135", &case(11_500, 10, "2025-03-10"));
    quiet("P135", &case(11_499, 9, "2025-03-10"));
    quiet("P135", &case(11_499, 10, "2025-03-11"));
}

#[test]
fn p136_near_zero_at_the_end_of_the_month() {
    let case = |rate: i64, face: i64, day: &str| {
        let mut market = with_curves();
        market.at(day, "09:00");
        let bill = market.discounted(&Terms { face, ..Terms::default() }, bank(2), 12_000);
        market.sell(bill, bank(2), bank(3), rate, "IB1");
        market
    };
    let billion = yuan(1_000_000_000);
    // 25, 26, 27, 28 and 31 March are the last five business days.
    holds("P136", &case(1_000, billion, "2025-03-25"), &[&market_on("2025-03-25")]);
    quiet("P136", &case(1_000, billion, "2025-03-24"));
    quiet("P136", &case(1_000, billion, "2025-03-29"));
    quiet("P136", &case(1_001, billion, "2025-03-25"));
    quiet("P136", &case(1_000, billion - 1, "2025-03-25"));
}

#[test]
fn p137_repo_far_from_the_money_market() {
    let case = |rate: i64| {
        let mut market = with_rates("RK04", "TM007", 16_000);
        market.at("2025-03-03", "09:00");
        let bill = market.discounted(&Terms::default(), bank(2), 12_000);
        let about = Some((bill, Range::WHOLE));
        let fields = [(Field::DealId, text("RP1")), (Field::RateE4, int(rate)), (Field::RepoDays, int(7))];
        market.fact("RPO.QTE", about, bank(2), bank(3), &fields);
        market.fact("RPO.DEL", about, PartyId::SYSTEM, bank(3), &fields);
        market
    };
    holds("P137", &case(24_001), &["RP1 2025-03-03"]);
    holds("P137", &case(7_999), &["RP1 2025-03-03"]);
    quiet("P137", &case(24_000));
}

/// Face of which a rate so far from the curve makes this advantage over 182 days, in fen.
fn face_of(fen: i64, gap: i64) -> i64 {
    (i128::from(fen) * 360_000_000 + i128::from(gap) * 182 - 1).div_euclid(i128::from(gap) * 182) as i64
}

/// 3 March to 1 September 2025, a Monday.
fn deal(market: &mut Market, face: i64, from: u64, to: u64, rate: i64) {
    let bill = market.discounted(&Terms { face, due_in: 182, ..Terms::default() }, bank(from), 12_000);
    let name = format!("IB{}", market.facts.len());
    market.sell(bill, bank(from), bank(to), rate, &name);
}

#[test]
fn p138_ladder_of_prices() {
    let case = |gap: i64, fen: i64, back: bool| {
        let mut market = with_curves();
        market.at("2025-03-03", "09:00");
        // Bank 3 buys above the curve, and sells below it.
        deal(&mut market, face_of(yuan(300_000), 1_500), 2, 3, 13_500);
        let face = face_of(fen, 1_500);
        if back {
            deal(&mut market, face, 3, 2, 12_000 - gap);
        } else {
            deal(&mut market, face, 2, 3, 12_000 + gap);
        }
        market
    };
    holds("P138", &case(1_500, yuan(200_000), true), &["100102,100103 2025-03-03"]);
    quiet("P138", &case(1_500, yuan(200_000) - 1, true));
    quiet("P138", &case(1_499, yuan(300_000), true));
    quiet("P138", &case(1_500, yuan(200_000), false));
}

#[test]
fn p140_losses_on_one_side() {
    let case = |losses: usize, others: usize, fen: i64| {
        let mut market = with_curves();
        market.at("2025-03-03", "09:00");
        for number in 0..losses {
            let loss = if number == 0 { fen } else { yuan(500_000) };
            deal(&mut market, face_of(loss, 3_000), 2, 3, 15_000);
        }
        for _ in 0..others {
            deal(&mut market, yuan(1_000_000), 2, 4, 12_000);
        }
        market
    };
    let rest = yuan(5_000_000 - 7 * 500_000);
    holds("P140", &case(8, 2, rest), &["100102 2025-03-03"]);
    quiet("P140", &case(8, 2, rest - 1));
    quiet("P140", &case(8, 1, rest));
    quiet("P140", &case(8, 3, rest));
}

#[test]
fn p140_the_lines_of_a_deal_are_one_deal() {
    let case = |deals: usize| {
        let mut market = with_curves();
        market.at("2025-03-03", "09:00");
        for number in 0..10 {
            let terms = Terms { face: face_of(yuan(500_000), 3_000), due_in: 182, ..Terms::default() };
            let bill = market.discounted(&terms, bank(2), 12_000);
            market.sell(bill, bank(2), bank(3), 15_000, &format!("IB{}", number % deals));
        }
        market
    };
    holds("P140", &case(10), &["100102 2025-03-03"]);
    quiet("P140", &case(9));
}

#[test]
fn p143_interbank_below_rediscount() {
    let case = |rate: i64, second: i64| {
        let mut market = with_rates("RK07", "TM180", 17_500);
        for (day, face) in [("2025-03-03", yuan(10_000_000)), ("2025-04-03", second)] {
            market.at(day, "09:00");
            let bill = market.discounted(&Terms { face, ..Terms::default() }, bank(2), 12_000);
            let about = Some((bill, Range::WHOLE));
            let sides = [
                (Field::RateE4, int(17_500)),
                (Field::SellerId, Value::Party(bank(2))),
                (Field::BuyerId, Value::Party(bank(90))),
            ];
            market.fact("RDC.BRQ", about, bank(2), bank(90), &sides);
            market.fact("RDC.APR", about, bank(90), bank(2), &sides);
            market.fact("RDC.BST", about, PartyId::SYSTEM, bank(90), &sides);
        }
        sales(&mut market, 1, 180, 12_000, rate);
        market.clock_at_end_of("2025-04-30");
        market
    };
    holds("P143", &case(7_499, yuan(13_000_000)), &[&market_on("2025-04-30")]);
    quiet("P143", &case(7_500, yuan(13_000_000)));
    quiet("P143", &case(7_499, yuan(13_000_000) - 1));
}

#[test]
fn p144_deal_within_a_group_off_the_curve() {
    let case = |rate: i64, group: u64| {
        let mut market = with_curves();
        for (number, group) in [(2, 1), (3, group)] {
            market.bank(number, "205", &[(Field::GroupId, Value::Party(PartyId::group(group)))]);
        }
        market.at("2025-03-03", "09:00");
        sales(&mut market, 1, 180, 12_000, rate);
        market
    };
    holds("P144", &case(14_001, 1), &["100102,100103 2025-03-03"]);
    holds("P144", &case(9_999, 1), &["100102,100103 2025-03-03"]);
    quiet("P144", &case(14_000, 1));
    quiet("P144", &case(14_001, 2));
}
