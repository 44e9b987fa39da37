//! graph-cycle.

use super::{
    holds,
    market::{Market, Terms, bank, day, ent, yuan},
    quiet,
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
