//! peer-group.

use super::{
    alerts_of, holds, judge,
    market::{Market, Terms, bank, code, ent, int, text, yuan},
    quiet,
};
use crate::{
    fact::{Field, Range, Value},
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

/// Eleven joint-stock banks, 11 to 21: ten peers for the last.
const BANKS: std::ops::RangeInclusive<u64> = 11..=21;
const SUBJECT: u64 = 21;

fn with_banks(count: u64) -> Market {
    let mut market = Market::new();
    for number in BANKS.skip(11 - count as usize) {
        market.bank(number, "208", &[]);
    }
    market
}

#[test]
fn p163_growth_of_acceptance() {
    let case = |more: i64, count: u64| {
        let mut market = with_banks(count);
        for (day, face) in [("2025-03-03", yuan(1_000_000)), ("2026-03-03", yuan(100_000))] {
            market.at(day, "09:00");
            for number in BANKS {
                let face = face + if number == SUBJECT && face == yuan(100_000) { more } else { 0 };
                market.accept(&Terms { acceptor: bank(number), face, ..Terms::default() });
            }
        }
        market.clock_at_end_of("2026-03-31");
        market
    };
    // Parts per million: one CNY of a million.
    holds("P163", &case(yuan(1), 11), &["100121 2026-03-31"]);
    quiet("P163", &case(0, 11));
    quiet("P163", &case(yuan(1), 10));
    let mut early = case(yuan(1), 11);
    early.clock_at_end_of("2026-03-30");
    quiet("P163", &early);
}

#[test]
fn p166_hops_of_bills_drawn() {
    let case = |more: bool, bills: usize, peers: u64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for drawer in 32 - peers..=32 {
            for number in 0..bills {
                let bill = market.draw(&Terms { drawer: ent(drawer), ..Terms::default() });
                market.endorse(bill, ent(2), ent(3));
                if more && drawer == 32 && number == 0 {
                    market.endorse(bill, ent(3), ent(4));
                }
            }
        }
        market.clock_at_end_of("2025-03-31");
        market
    };
    holds("P166", &case(true, 30, 10), &["E0000000032 2025-03-31"]);
    quiet("P166", &case(false, 30, 10));
    quiet("P166", &case(true, 29, 10));
    quiet("P166", &case(true, 30, 9));
}

#[test]
fn p167_dependence_on_repo() {
    let case = |less: i64, count: u64| {
        let mut market = with_banks(count);
        market.at("2025-03-03", "09:00");
        for number in BANKS {
            let face = yuan(1_000_000) - if number == SUBJECT { less } else { 0 };
            market.discounted(&Terms { face, ..Terms::default() }, bank(number), 12_000);
            let bill = market.discounted(&Terms::default(), bank(number), 12_000);
            market.repo(bill, bank(number), bank(1), &[]);
        }
        market.clock_at_end_of("2025-03-31");
        market
    };
    holds("P167", &case(yuan(4), 11), &["100121 2025-03-31"]);
    quiet("P167", &case(0, 11));
    quiet("P167", &case(yuan(4), 10));
    // The tenth other begins to borrow two months later: he is no peer in March.
    let mut later = case(yuan(4), 10);
    later.bank(22, "208", &[]);
    later.at("2025-03-03", "10:00").discounted(&Terms::default(), bank(22), 12_000);
    later.at("2025-05-06", "09:00");
    let bill = later.discounted(&Terms::default(), bank(22), 12_000);
    later.repo(bill, bank(22), bank(1), &[]);
    later.clock_at_end_of("2025-05-31");
    quiet("P167", &later);
}

fn register_branch(market: &mut Market, branch: InstId, of: u64) {
    let fields = [(Field::ParticipantCode, Value::Inst(branch)), (Field::LegalInstId, Value::Party(bank(of)))];
    market.fact("MST.ISN", None, PartyId::SYSTEM, bank(of), &fields);
}

#[test]
fn p168_the_register_says_whose_a_branch_is() {
    // By its digits the second branch would be another bank's.
    let case = |owner: u64, moved: bool| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let billion = yuan(1_000_000_000);
        for (branch, face, of) in [(100_102_001, billion + 1, 2), (100_103_007, billion, owner)] {
            let branch = InstId(branch);
            register_branch(&mut market, branch, of);
            market.discounted(&Terms { face, ..Terms::default() }, bank(of), 12_000);
            market.last().set(Field::DiscounterInst, Value::Inst(branch));
        }
        if moved {
            let change = [
                (Field::ParticipantCode, Value::Inst(InstId(100_103_007))),
                (Field::FieldName, text("legal_inst_id")),
                (Field::NewValue, text("100102")),
            ];
            market.at("2025-03-20", "09:00").fact("MST.ISC", None, bank(2), PartyId::SYSTEM, &change);
        }
        market.clock_at_end_of("2025-03-31");
        market
    };
    holds("P168", &case(2, false), &["100102001 2025-03-31"]);
    quiet("P168", &case(3, false));
    holds("P168", &case(3, true), &["100102001 2025-03-31"]);
}

#[test]
fn p168_one_branch_among_its_own() {
    let case = |large: i64, other: i64| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for (branch, face) in [(1u32, large), (2, other)] {
            let branch = InstId(100_102_000 + branch);
            register_branch(&mut market, branch, 2);
            market.discounted(&Terms { face, ..Terms::default() }, bank(2), 12_000);
            market.last().set(Field::DiscounterInst, Value::Inst(branch));
        }
        market.clock_at_end_of("2025-03-31");
        market
    };
    let billion = yuan(1_000_000_000);
    holds("P168", &case(billion + 1, billion), &["100102001 2025-03-31"]);
    quiet("P168", &case(billion, billion - 1));
    quiet("P168", &case(billion + 1, billion + 1));
}

#[test]
fn p170_drawn_to_revenue() {
    let case = |more: i64, others: u64| {
        let mut market = Market::new();
        market.at("2025-01-31", "09:00");
        for number in 30..=30 + others {
            market.figure(ent(number), Field::Revenue12mFen, yuan(1_000_000));
        }
        market.at("2025-03-03", "09:00");
        for number in 30..=30 + others {
            let face = yuan(100_000) + if number == 30 + others { more } else { 0 };
            market.accept(&Terms { drawer: ent(number), face, ..Terms::default() });
        }
        market.clock_at_end_of("2025-03-31");
        market
    };
    holds("P170", &case(yuan(1), 10), &["E0000000040 2025-03-31"]);
    quiet("P170", &case(0, 10));
    quiet("P170", &case(yuan(1), 9));
}

#[test]
fn p171_quarter_end_uplift_that_reverses() {
    let case = |more: i64, sold: i64, on: &str| {
        let mut market = with_banks(11);
        for number in BANKS {
            let buy = |market: &mut Market, day: &str, face: i64| {
                market.at(day, "09:00").discounted(&Terms { face, ..Terms::default() }, bank(number), 12_000)
            };
            buy(&mut market, "2025-01-02", yuan(10_000_000));
            // The last five business days begin on 25 March.
            let more = if number == SUBJECT { more } else { 0 };
            buy(&mut market, "2025-03-25", yuan(2_000_000) + more - sold);
            let bill = buy(&mut market, "2025-03-25", sold);
            market.at(on, "09:00").sell(bill, bank(number), bank(1), 12_000, "D1");
        }
        market.clock_at_end_of("2025-04-30");
        market
    };
    // 4 April is a holiday: the fifth business day is the 8th.
    let (thousand, half) = (yuan(1_000), yuan(1_000_500));
    holds("P171", &case(thousand, half, "2025-04-08"), &["100121 2025-04-30"]);
    quiet("P171", &case(thousand, half, "2025-04-09"));
    quiet("P171", &case(thousand, half - 1, "2025-04-08"));
    quiet("P171", &case(0, half, "2025-04-08"));
}

#[test]
fn p172_new_drawers() {
    let case = |first: &str| {
        let mut market = with_banks(11);
        for number in BANKS {
            market.at("2025-01-02", "09:00").accept(&Terms { acceptor: bank(number), ..Terms::default() });
        }
        let new = |face| Terms { drawer: ent(7), acceptor: bank(SUBJECT), face, ..Terms::default() };
        market.at(first, "09:00").accept(&new(yuan(1)));
        market.at("2025-05-05", "09:00");
        for number in BANKS {
            market.accept(&Terms { acceptor: bank(number), ..Terms::default() });
        }
        market.accept(&new(yuan(1)));
        market.clock_at_end_of("2025-05-31");
        market
    };
    // 90 days before 31 May: 2 March.
    holds("P172", &case("2025-03-02"), &["100121 2025-05-31"]);
    quiet("P172", &case("2025-03-01"));
}

#[test]
fn p173_lots_of_a_package() {
    let case = |carved: bool, packages: usize| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        for drawer in 30..=40u64 {
            for number in 0..packages {
                let terms = Terms { drawer: ent(drawer), divisible: true, ..Terms::default() };
                let bill = market.register_bill(&terms);
                market.last().set(Field::Channel, code("ECDS"));
                let about = Some((bill, Range { start: 1, end: terms.face as u64 }));
                market.fact("ACC.REQ", about, terms.drawer, terms.acceptor, &[]);
                market.fact("ACC.SGN", about, terms.acceptor, terms.drawer, &[]);
                if carved && drawer == 40 && number == 0 {
                    market.fact("RCV.REQ", about, terms.drawer, terms.payee, &[]);
                    market.fact("RCV.SGN", about, terms.payee, terms.drawer, &[]);
                    market.endorse_part(bill, Range { start: 1, end: 1_000 }, terms.payee, ent(3));
                }
            }
        }
        market.clock_at_end_of("2025-03-31");
        market
    };
    holds("P173", &case(true, 20), &["E0000000040 2025-03-31"]);
    quiet("P173", &case(false, 20));
    quiet("P173", &case(true, 19));
}

#[test]
fn p192_small_bank_under_stress() {
    // Rate, term and a queue: three of five.
    let case = |rate: i64, days: i64, queued: bool| {
        let mut market = Market::new();
        for number in [2, 3] {
            market.bank(number, "206", &[]);
        }
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { acceptor: bank(4), due_in: 10, ..Terms::default() });
        market.at("2025-03-13", "09:00").present(bill, ent(2), bank(4));
        if queued {
            market.fact("PAY.QUE", Some((bill, Range::WHOLE)), PartyId::SYSTEM, bank(4), &[]);
        }
        for (number, rate, days) in [(2, 15_000, 14), (3, 15_000, 14), (4, rate, days)] {
            let bill = market.discounted(&Terms::default(), bank(number), 12_000);
            let fields = [(Field::RateE4, int(rate)), (Field::RepoDays, int(days))];
            market.repo(bill, bank(number), bank(6), &fields);
        }
        market
    };
    holds("P192", &case(18_000, 7, true), &["100104 2025-03-13"]);
    quiet("P192", &case(17_999, 7, true));
    quiet("P192", &case(18_000, 8, true));
    quiet("P192", &case(18_000, 7, false));
}
