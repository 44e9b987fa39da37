//! Any sum of 64 bits is accepted; adding such sums up must not end a worker.

#[path = "common/lives.rs"]
#[allow(dead_code)]
mod lives;

use billwatch_market::{
    bill::Laws,
    catalogue::Catalogue,
    fact::{Field, Value},
    ids::PartyId,
    observe::Meanings,
    pattern::{
        Key, Patterns, PlainWindows, Windows as _,
        plain::{Setting, evaluate},
    },
};
use lives::{Life, PAYEE, text};

const FACE: u64 = 1_000_000;
const BANK: PartyId = PartyId::legal(100_103);
const OTHER_BANK: PartyId = PartyId::legal(100_104);
const SYSTEM: PartyId = PartyId::SYSTEM;

/// A repo over two lots whose cash times its rate is half of what 64 bits hold, for each of them.
#[test]
fn sums_of_several_lots_may_leave_64_bits() {
    let mut life = Life::received(FACE as i64);
    life.applied("END.REQ", PAYEE, PartyId::enterprise(11), 1, FACE / 2);
    life.applied("END.WDR", PAYEE, PartyId::enterprise(11), 1, FACE / 2);
    life.applied("DSC.REQ", PAYEE, BANK, 1, FACE);
    life.applied("DSC.SGN", BANK, PAYEE, 1, FACE);
    life.applied_with("DSC.SET", SYSTEM, PAYEE, 1, FACE, &[(Field::DiscounterId, Value::Party(BANK))]);
    let deal = [
        (Field::DealId, text("RP1")),
        (Field::SellerId, Value::Party(BANK)),
        (Field::BuyerId, Value::Party(OTHER_BANK)),
        (Field::FirstFen, Value::Int(1 << 60)),
        (Field::RateE4, Value::Int(8)),
    ];
    life.applied_with("RPO.QTE", BANK, OTHER_BANK, 1, FACE, &deal[..1]);
    life.applied_with("RPO.SET", SYSTEM, OTHER_BANK, 1, FACE, &deal);
    let catalogue = Catalogue::embedded();
    let meanings = Meanings::new(catalogue.clone()).unwrap();
    let laws = Laws::new(&catalogue).unwrap();
    let patterns = Patterns::embedded();
    let setting = Setting { meanings: &meanings, laws: &laws, patterns: &patterns };
    let feature = patterns.feature("repo_open").unwrap();
    let weighted = |life: &Life| {
        let clock = life.facts.last().unwrap().event_time;
        let evaluation = evaluate(&life.facts, setting, clock, &PlainWindows::default());
        let mut sum = 0;
        evaluation.windows.cells(feature, Key(BANK.bits(), 0), i64::MIN, i64::MAX, &mut |_, member, cell| {
            sum += if member == 3 { cell.sum } else { 0 };
        });
        sum
    };
    assert_eq!(weighted(&life), 1 << 63);
    life.applied_with("RPO.RED", SYSTEM, BANK, 1, FACE, &deal[..3]);
    assert_eq!(weighted(&life), 0, "the redemption takes it all back");
}
