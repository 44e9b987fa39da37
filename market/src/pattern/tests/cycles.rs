//! graph-cycle.

use super::{
    holds,
    market::{Market, Terms, bank, day, ent, range, yuan},
    quiet,
};
use crate::{
    fact::{Field, Value},
    ids::{BillId, PartyId},
};

#[test]
fn p079_circular_endorsement() {
    let case = |path: &[u64], back_on: &str| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms::default());
        let mut holder = 2;
        for (place, to) in path.iter().enumerate() {
            if place + 1 == path.len() {
                market.at(back_on, "09:00");
            }
            market.endorse(bill, ent(holder), ent(*to));
            holder = *to;
        }
        (market, bill)
    };
    let (market, bill) = case(&[3, 2], "2025-05-30");
    holds("P079", &market, &[&format!("{bill} 2025-05-30")]);
    quiet("P079", &case(&[3, 2], "2025-05-31").0);
    quiet("P079", &case(&[3, 4], "2025-05-30").0);
}

#[test]
fn p081_interbank_round_trip() {
    let case = |back_rate, back_on: &str, buyer| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(2), 12_000);
        market.sell(bill, bank(2), bank(3), 12_000, "D1");
        market.at(back_on, "09:00").sell(bill, bank(3), buyer, back_rate, "D2");
        market
    };
    holds("P081", &case(13_000, "2025-03-08", bank(2)), &["100102 2025-03-08"]);
    quiet("P081", &case(13_001, "2025-03-08", bank(2)));
    quiet("P081", &case(13_000, "2025-03-09", bank(2)));
    quiet("P081", &case(13_000, "2025-03-08", bank(4)));
}

#[test]
fn p082_mutual_issuance() {
    let case = |there, back, back_on: &str| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00").accept(&Terms {
            drawer: ent(4),
            payee: ent(3),
            face: there,
            ..Terms::default()
        });
        market.at(back_on, "09:00").accept(&Terms { drawer: ent(3), payee: ent(4), face: back, ..Terms::default() });
        market
    };
    let pair = "E0000000003,E0000000004 2025-03-15";
    holds("P082", &case(yuan(1_250_000), yuan(1_000_000), "2025-03-15"), &[pair]);
    holds("P082", &case(yuan(1_000_000), yuan(1_250_000), "2025-03-15"), &[pair]);
    quiet("P082", &case(yuan(1_250_000) + 1, yuan(1_000_000), "2025-03-15"));
    quiet("P082", &case(yuan(1_000_000), yuan(1_250_000) + 1, "2025-03-15"));
    quiet("P082", &case(yuan(1_000_000), yuan(1_000_000) - 1, "2025-03-15"));
    quiet("P082", &case(yuan(1_250_000), yuan(1_000_000), "2025-03-16"));
}

#[test]
fn p083_triangular_issuance() {
    let case = |faces: [i64; 3], last_on: &str| {
        let mut market = Market::new();
        let mut ids = Vec::new();
        for (place, (drawer, payee)) in [(1, 2), (2, 3), (3, 1)].into_iter().enumerate() {
            market.on(if place == 2 { day(last_on) } else { day("2025-03-01") }, "09:00");
            let terms = Terms { drawer: ent(drawer), payee: ent(payee), face: faces[place], ..Terms::default() };
            market.accept(&terms);
            ids.push(market.facts.last().unwrap().event_id);
        }
        (market, ids)
    };
    let faces = [yuan(1_000_000), yuan(1_250_000), yuan(1_100_000)];
    let (market, ids) = case(faces, "2025-03-30");
    holds("P083", &market, &[&format!("{} 2025-03-30", ids[2])]);
    quiet("P083", &case(faces, "2025-03-31").0);
    quiet("P083", &case([faces[0], faces[1] + 1, faces[2]], "2025-03-30").0);
    quiet("P083", &case([faces[0] - 1, yuan(1_000_000), yuan(1_000_000)], "2025-03-30").0);
    // All on one day: each of the three acceptances lies on the triangle of its day.
    let (market, ids) = case(faces, "2025-03-01");
    let all: Vec<String> = ids.iter().map(|id| format!("{id} 2025-03-01")).collect();
    holds("P083", &market, &all.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn p084_mutual_repo() {
    let case = |there: i64, back: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for (face, from, to) in [(there, 2, 3), (back, 3, 2)] {
            let bill = market.discounted(&Terms { face, ..Terms::default() }, bank(from), 12_000);
            market.repo(bill, bank(from), bank(to), &[]);
        }
        market
    };
    let pair = "100102,100103 2025-03-03";
    holds("P084", &case(yuan(125_000_000), yuan(100_000_000)), &[pair]);
    holds("P084", &case(yuan(100_000_000), yuan(125_000_000)), &[pair]);
    quiet("P084", &case(yuan(125_000_000) + 2, yuan(100_000_000)));
    quiet("P084", &case(yuan(100_000_000), yuan(100_000_000) - 1));
}

#[test]
fn p085_discount_cash_returns() {
    let case = |back: i64, on: &str, drawn: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms::default());
        market.discount(bill, ent(2), bank(2), 12_000);
        market.last().set(Field::PayFen, Value::Int(yuan(1_000_000)));
        market.at(on, "09:00");
        if drawn {
            market.accept(&Terms { drawer: ent(2), payee: ent(1), face: back, ..Terms::default() });
        } else {
            let other = market.draw(&Terms { drawer: ent(9), face: back, ..Terms::default() });
            market.endorse(other, ent(2), ent(1));
        }
        market
    };
    let pair = "E0000000001,E0000000002 2025-03-08";
    for drawn in [false, true] {
        holds("P085", &case(yuan(800_000), "2025-03-08", drawn), &[pair]);
        holds("P085", &case(yuan(1_100_000), "2025-03-08", drawn), &[pair]);
        quiet("P085", &case(yuan(800_000) - 1, "2025-03-08", drawn));
        quiet("P085", &case(yuan(1_100_000) + 1, "2025-03-08", drawn));
        quiet("P085", &case(yuan(800_000), "2025-03-09", drawn));
    }
}

#[test]
fn p086_wash_trade() {
    let case = |face: i64, more: i64, rate: i64, on: &str| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.discounted(&Terms { face, ..Terms::default() }, bank(2), 12_000);
        let other = market.discounted(&Terms { face: more, ..Terms::default() }, bank(3), 12_000);
        market.sell(bill, bank(2), bank(3), 12_000, "D1");
        market.at(on, "15:00").sell(bill, bank(3), bank(2), rate, "D2");
        market.sell(other, bank(3), bank(2), rate, "D3");
        market
    };
    let (least, quarter) = (yuan(100_000_000), yuan(25_000_000));
    holds("P086", &case(least, quarter, 12_500, "2025-03-03"), &["100102,100103 2025-03-03"]);
    quiet("P086", &case(least, quarter, 12_501, "2025-03-03"));
    quiet("P086", &case(least, quarter + 1, 12_500, "2025-03-03"));
    quiet("P086", &case(least - 1, 1, 12_500, "2025-03-03"));
    quiet("P086", &case(least, quarter, 12_500, "2025-03-04"));
}

#[test]
fn p087_guarantee_ring() {
    let case = |last: i64, ring: bool| {
        let mut market = Market::new();
        let faces = [yuan(10_000_000), yuan(10_000_000), last];
        for (place, (drawer, guarantor)) in
            [(11, 12), (12, 13), (13, if ring { 11 } else { 14 })].into_iter().enumerate()
        {
            market.on(day("2025-03-03").plus(place as i32), "09:00");
            super::fans::guarantee(&mut market, drawer, guarantor, faces[place]);
        }
        market
    };
    // The last guarantee closes it: 11 for 13.
    holds("P087", &case(yuan(10_000_000), true), &["E0000000011,E0000000013 2025-03-05"]);
    quiet("P087", &case(yuan(10_000_000) - 1, true));
    quiet("P087", &case(yuan(10_000_000), false));
}

#[test]
fn p088_group_members_accept_in_turn() {
    let case = |last_on: &str, acceptor: u64, kind: &'static str| {
        let mut market = Market::new();
        for number in 1..=3 {
            market.register(number, &[(Field::GroupId, Value::Party(PartyId::group(1)))]);
        }
        for (drawer, acceptor, on) in [(1, 2, "2025-03-01"), (2, 3, "2025-03-02"), (3, acceptor, last_on)] {
            market.at(on, "09:00").accept(&Terms {
                kind,
                drawer: ent(drawer),
                acceptor: ent(acceptor),
                payee: ent(9),
                ..Terms::default()
            });
        }
        market
    };
    holds("P088", &case("2025-05-29", 1, "CAB"), &["G000001 2025-05-29"]);
    quiet("P088", &case("2025-05-30", 1, "CAB"));
    quiet("P088", &case("2025-05-29", 4, "CAB"));
    quiet("P088", &case("2025-05-29", 2, "CAB"));
}

#[test]
fn p089_parts_come_back() {
    let case = |kept: u64, second: u64, on: &str| {
        let mut market = Market::new();
        market.at("2025-03-01", "09:00");
        let bill = market.draw(&Terms { divisible: true, ..Terms::default() });
        let (one, two, rest) = (range(1, 1_000), range(1_001, 2_000), range(2_001, 2_000 + kept));
        market.endorse_part(bill, one, ent(2), ent(3));
        market.endorse_part(bill, two, ent(2), ent(second));
        market.endorse_part(bill, rest, ent(2), ent(5));
        market.at(on, "09:00").endorse_part(bill, one, ent(3), ent(2));
        market.endorse_part(bill, two, ent(second), ent(2));
        (market, bill)
    };
    let (market, bill) = case(2_000, 4, "2025-03-30");
    holds("P089", &market, &[&format!("{bill} 2025-03-30")]);
    quiet("P089", &case(2_001, 4, "2025-03-30").0);
    quiet("P089", &case(2_000, 3, "2025-03-30").0);
    quiet("P089", &case(2_000, 4, "2025-03-31").0);
}

/// A ring of bills, each from a party to the next, a day apart; by receipt and by endorsement in turn.
fn ring(sums: &[i64], first_on: &str) -> Market {
    let mut market = Market::new();
    for (place, sum) in sums.iter().enumerate() {
        let (from, to) = (1 + place as u64, 1 + (place as u64 + 1) % sums.len() as u64);
        market.on(if place == 0 { day(first_on) } else { day("2025-03-30") }, "09:00");
        if place % 2 == 0 {
            market.draw(&Terms { drawer: ent(from), payee: ent(to), face: *sum, ..Terms::default() });
        } else {
            let bill = market.draw(&Terms { drawer: ent(40), payee: ent(from), face: *sum, ..Terms::default() });
            market.endorse(bill, ent(from), ent(to));
        }
    }
    market
}

#[test]
fn p080_value_goes_round() {
    const LEAST: i64 = yuan(5_000_000);
    const MOST: i64 = yuan(6_250_000);
    let three = "E0000000001,E0000000002,E0000000003 2025-03-30";
    holds("P080", &ring(&[MOST, LEAST, LEAST + 1], "2025-03-01"), &[three]);
    quiet("P080", &ring(&[MOST + 1, LEAST, LEAST + 1], "2025-03-01"));
    quiet("P080", &ring(&[LEAST, LEAST - 1, LEAST], "2025-03-01"));
    quiet("P080", &ring(&[LEAST, LEAST, LEAST], "2025-02-28"));
    // Two parties make no ring, seven are too many.
    quiet("P080", &ring(&[LEAST, LEAST], "2025-03-01"));
    quiet("P080", &ring(&[LEAST; 7], "2025-03-01"));
    let six = "E0000000001,E0000000002,E0000000003,E0000000004,E0000000005,E0000000006 2025-03-30";
    holds("P080", &ring(&[LEAST; 6], "2025-03-01"), &[six]);
}

#[test]
fn p080_edges_add_up() {
    let half = yuan(2_500_000);
    let mut market = ring(&[half; 3], "2025-03-20");
    quiet("P080", &market);
    let more = ring(&[half; 3], "2025-03-25");
    let later = more.facts.into_iter().filter(|fact| fact.bill_id.is_some());
    for (place, mut fact) in later.enumerate() {
        fact.event_id += 100_000;
        fact.source_seq += 100_000;
        fact.bill_id = fact.bill_id.map(|bill| BillId { digits: bill.digits + 1_000_000, ..bill });
        fact.event_time += 3_600_000 + place as i64;
        market.facts.push(fact);
    }
    holds("P080", &market, &["E0000000001,E0000000002,E0000000003 2025-03-30"]);
}
