//! peer-group.

use super::{
    alerts_of, holds, judge,
    market::{Market, Terms, bank, code, ent, yuan},
    quiet,
};
use crate::{
    fact::{Field, Value},
    ids::{InstId, PartyId},
};

#[test]
fn p164_refusal_rate_in_the_division() {
    // Ten bills each; acceptors 30, 31 and 32 of one division; 32 is judged against the other two.
    let case = |refused: [usize; 3], bills: usize, division: &str| {
        let mut market = Market::new();
        market.register(32, &[(Field::IndustryDivision, code(division))]);
        market.at("2025-03-01", "09:00");
        let mut drawn = Vec::new();
        for (place, refused) in refused.into_iter().enumerate() {
            for number in 0..bills {
                let acceptor = ent(30 + place as u64);
                let bill = market.draw(&Terms { kind: "CAB", acceptor, due_in: 30, ..Terms::default() });
                drawn.push((bill, acceptor, number < refused));
            }
        }
        market.at("2025-03-31", "09:00");
        for (bill, acceptor, refused) in drawn {
            market.present(bill, ent(2), acceptor);
            if refused {
                market.refuse(bill, ent(2), acceptor, "DC08");
            } else {
                market.pay(bill, ent(2), acceptor);
            }
        }
        market
    };
    holds("P164", &case([1, 2, 3], 10, "17"), &["E0000000032 2025-03-31"]);
    quiet("P164", &case([1, 3, 3], 10, "17"));
    quiet("P164", &case([1, 2, 3], 9, "17"));
    // Alone in its division it has no peers; and 31 is then above 30.
    holds("P164", &case([1, 2, 3], 10, "18"), &["E0000000031 2025-03-31"]);
}

#[test]
fn p165_discount_rate_in_the_province() {
    let case = |rates: &[i64]| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for (place, rate) in rates.iter().enumerate() {
            let bill = market.draw(&Terms::default());
            market.discount(bill, ent(2), bank(1 + place as u64), *rate);
        }
        market
    };
    let last = |market: &Market| {
        alerts_of(&judge(&market.facts, market.clock()), "P165").contains(&"100105 2025-03-03".to_owned())
    };
    // The others: 12000, 12100, 12200, 12300: median 12100, MAD 100 (0, 100, 100, 200); 30 bp = 3000.
    let rates = |rate| [12_000, 12_100, 12_200, 12_300, rate];
    assert!(last(&case(&rates(15_101))));
    assert!(!last(&case(&rates(15_100))));
    // MAD 1000: five times that is more than 30 bp.
    let wide = |rate| [11_000, 12_000, 12_000, 13_000, rate];
    assert!(!last(&case(&wide(15_000))));
    assert!(last(&case(&wide(15_001))));
    let spread = |rate| [10_000, 11_000, 12_000, 13_000, rate];
    assert!(last(&case(&spread(16_001))) && !last(&case(&spread(16_000))));
    holds("P165", &case(&rates(15_101)), &["100105 2025-03-03"]);
}

#[test]
fn p169_margin_ratio_among_peers() {
    // Three more joint-stock banks of one tier; the others take 10, 20 and 30 % margin.
    let case = |own: i64| {
        let mut market = Market::new();
        for number in 11..=14 {
            market.fact(
                "MST.ISN",
                None,
                PartyId::SYSTEM,
                bank(number),
                &[
                    (Field::ParticipantCode, Value::Inst(InstId((100_100 + number) as u32 * 1000 + 1))),
                    (Field::LegalInstId, Value::Party(bank(number))),
                    (Field::InstType, code("203")),
                    (Field::Province, code("330000")),
                ],
            );
        }
        market.at("2025-03-03", "09:00");
        for (number, margin) in [(11, yuan(100_000)), (12, yuan(200_000)), (13, yuan(300_000)), (14, own)] {
            market.accept(&Terms { acceptor: bank(number), margin, ..Terms::default() });
        }
        market
    };
    let last = |market: &Market| {
        alerts_of(&judge(&market.facts, market.clock()), "P169").contains(&"100114 2025-03-03".to_owned())
    };
    // Parts per million: one fen of a hundred million is below half a part, so 100 fen is the smallest unit.
    assert!(last(&case(yuan(300_000) + 100)));
    assert!(!last(&case(yuan(300_000))));
    assert!(!last(&case(yuan(100_000))));
    assert!(last(&case(yuan(100_000) - 100)));
    let market = case(yuan(200_000));
    holds("P169", &market, &["100111 2025-03-03", "100113 2025-03-03"]);
    let mut early = case(yuan(200_000));
    early.set_clock(early.today().end_ms() - 2);
    quiet("P169", &early);
}
