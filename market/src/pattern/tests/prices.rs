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
