//! What a bill costs: bytes a lot, nanoseconds a fact. `cargo test --release -p billwatch-market --test bill_cost -- --nocapture`

#[path = "common/lives.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod lives;

use std::time::Instant;

use billwatch_market::{
    bill::{Bill, Header, Lot},
    fact::{Fact, Field, Value},
    ids::PartyId,
    packed::{Packer, Unpacker},
};
use lives::{ACCEPTOR, Life, PAYEE};

const FACE: u64 = 65_000_000;

/// The typical bill of domain.md 12.2: three endorsements, and in `cut` every third transfer takes a part.
fn typical(cut: bool) -> Life {
    let mut life = Life::received(FACE as i64);
    let mut holder = PAYEE;
    for number in 11..14 {
        let next = PartyId::enterprise(number);
        let from = if cut && number == 12 { FACE / 3 } else { 1 };
        let from = if number > 12 && cut { FACE / 3 } else { from };
        life.applied_with(
            "END.REQ",
            holder,
            next,
            from,
            FACE,
            &[(Field::AmountFen, Value::Int((FACE - from + 1) as i64))],
        );
        life.applied("END.SGN", next, holder, from, FACE);
        holder = next;
    }
    life
}

#[test]
fn a_lot_fits_its_budget() {
    let lives = [typical(false), typical(false), typical(true)];
    let bytes: usize = lives.iter().map(|life| size_of::<Bill>() + life.bill.heap_bytes()).sum();
    let lots: usize = lives.iter().map(|life| life.bill.live_lots().count()).sum();
    let mut packer = Packer::default();
    let mut packed = |life: &Life| {
        packer.begin(life.facts[0].bill_id.unwrap());
        life.bill.pack(&mut packer);
        packer.bytes().len()
    };
    let packed: usize = lives.iter().map(&mut packed).sum();
    println!("Bill {} B, Lot {} B, Header {} B", size_of::<Bill>(), size_of::<Lot>(), size_of::<Header>());
    println!("{} B a live lot at work, {} B packed", bytes / lots, packed / lots);
    assert_eq!(lots, 4);
    assert!(packed / lots < 250, "{} B a packed lot", packed / lots);
    assert!(bytes / lots < 700, "{} B a lot", bytes / lots);
}

#[test]
fn a_fact_is_folded_within_its_budget() {
    let facts: Vec<Fact> = typical(true).facts;
    let mut life = typical(false);
    life.today = lives::day(lives::DUE);
    let holder = life.bill.lots[0].holder;
    life.applied("PAY.MAT", PartyId::SYSTEM, holder, 1, FACE);
    life.applied("PAY.REQ", holder, ACCEPTOR, 1, FACE);
    life.applied("PAY.SGN", ACCEPTOR, holder, 1, FACE);
    life.applied("PAY.SET", PartyId::SYSTEM, holder, 1, FACE);
    let laws = lives::laws();
    let rounds = if cfg!(debug_assertions) { 200 } else { 100_000 };
    let mut applied = 0u64;
    let start = Instant::now();
    for round in 0..rounds {
        let life = if round % 3 == 0 { &facts } else { &life.facts };
        let mut bill = Bill::default();
        for fact in life {
            applied += u64::from(bill.apply(fact, &laws).is_applied());
        }
    }
    let nanos = start.elapsed().as_nanos() as u64 / applied;
    println!("{nanos} ns an applied fact, {applied} facts");
    assert!(cfg!(debug_assertions) || nanos < 2_000, "{nanos} ns");
}

#[test]
fn a_bill_is_packed_and_unpacked_within_its_budget() {
    let (mut packer, mut other) = (Packer::default(), Bill::default());
    let life = typical(true);
    let id = life.facts[0].bill_id.unwrap();
    let rounds = if cfg!(debug_assertions) { 200 } else { 100_000 };
    let each = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..rounds).for_each(|_| work());
        start.elapsed().as_nanos() as u64 / rounds
    };
    let packing = each(&mut || {
        packer.begin(id);
        life.bill.pack(&mut packer);
    });
    let unpacking = each(&mut || other.unpack(&mut Unpacker::new(id, packer.bytes())));
    println!("{packing} ns to pack, {unpacking} ns to unpack a bill of {} B", packer.bytes().len());
    assert!(cfg!(debug_assertions) || packing + unpacking < 10_000, "{packing} + {unpacking} ns");
}
