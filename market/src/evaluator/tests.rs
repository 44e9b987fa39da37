//! Dimensions of facts that take a code from the request that they answer.

use super::{Rules, Sets, evaluate_by};
use crate::{
    aggregate::{Grain, Question, Value},
    catalogue::Catalogue,
    fact::{Field, Range, Value as Sent},
    ids::PartyId,
    pattern::tests::market::{Market, Terms, bank, code, ent, text},
};

/// How many facts of a theme count under an item.
fn counted(market: &Market, theme: &str, dimension: &str, item: &str) -> Option<Value> {
    let rules = Rules::new(&Catalogue::embedded()).unwrap();
    let views = evaluate_by(&market.facts, market.clock(), &rules, Sets::None);
    let question = Question {
        theme: theme.into(),
        dimension: dimension.into(),
        items: vec![item.into()],
        from: market.today(),
        to: market.today(),
        grain: Grain::Whole,
        measures: vec!["cnt".into()],
    };
    views.ask(&question).unwrap().first().map(|row| row.values[0].1)
}

fn once() -> Option<Value> {
    Some(Value::Number(1))
}

/// A bill that enterprise 2 holds.
fn drawn() -> (Market, Option<(crate::ids::BillId, Range)>) {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bill = market.draw(&Terms::default());
    (market, Some((bill, Range::WHOLE)))
}

#[test]
fn discount_through_takes_the_quote_method_of_its_listing_or_offer() {
    for (opening, sent, method) in
        [("DTH.LST", None, "QM05"), ("DTH.QTE", None, "QM02"), ("DTH.LST", Some("QM01"), "QM01")]
    {
        let (mut market, about) = drawn();
        let deal = (Field::DealId, text("D"));
        market.fact("DTH.ENT", about, ent(2), bank(2), &[]);
        let mut fields = vec![deal.clone()];
        fields.extend(sent.map(|method| (Field::QuoteMethod, code(method))));
        market.fact(opening, about, bank(2), PartyId::MARKET, &fields);
        market.fact("DTH.DEL", about, PartyId::SYSTEM, ent(2), &[deal, (Field::DiscounterId, Sent::Party(bank(3)))]);
        assert_eq!(counted(&market, "T06", "D.qm", method), once(), "{opening} {sent:?}");
    }
}

#[test]
fn a_rediscount_takes_its_purpose_from_the_request() {
    let (mut market, about) = drawn();
    let bill = about.unwrap().0;
    market.discount(bill, ent(2), bank(2), 12_000);
    let deal = (Field::DealId, text("D"));
    let purpose = (Field::RediscountPurpose, code("RP02"));
    let central = PartyId::legal(100_000);
    market.fact("RDC.BRQ", about, bank(2), central, &[deal.clone(), purpose]);
    market.fact("RDC.APR", about, central, bank(2), std::slice::from_ref(&deal));
    let sides = [deal, (Field::SellerId, Sent::Party(bank(2))), (Field::BuyerId, Sent::Party(central))];
    market.fact("RDC.BST", about, PartyId::SYSTEM, bank(2), &sides);
    assert_eq!(counted(&market, "T10", "D.purp", "RP02"), once());
}
