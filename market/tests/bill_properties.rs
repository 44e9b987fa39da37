//! Whatever facts arrive: lots cover the face exactly once, changes sum to the change of stock, and the fold is a function
//! of the set of facts.

#[path = "common/lives.rs"]
#[allow(dead_code, reason = "each test takes its part")]
mod lives;

use billwatch_market::{
    bill::{Bill, Effect, Laws, Lot},
    corrections::effective,
    fact::{BEHAVIOUR_CODES, Behaviour, Fact, Field, Range, SOURCES, Value},
    ids::PartyId,
    packed::{Packer, Unpacker},
};
use lives::{ACCEPTOR, DRAWER, DUE, Life, PAYEE, code, day, text};
use proptest::{prelude::*, test_runner::FileFailurePersistence};

const FACE: u64 = 12;

/// A drawn fact: indices into small sets, so that parties, deals and ranges meet.
#[derive(Clone, Debug)]
struct Drawn {
    behaviour: u16,
    from: usize,
    to: usize,
    named: usize,
    start: u64,
    length: u64,
    whole: bool,
    deal: Option<u8>,
    mark: Option<bool>,
    time: u16,
    source: usize,
    follow: bool,
}

fn parties() -> [PartyId; 7] {
    [DRAWER, PAYEE, ACCEPTOR, PartyId::legal(100_103), PartyId::enterprise(11), PartyId::SYSTEM, PartyId::MARKET]
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let count = BEHAVIOUR_CODES.len() as u16;
    let who = (0usize..7, 0usize..7, 0usize..7);
    let place = (0u64..=FACE + 1, 1u64..=FACE, proptest::bool::weighted(0.5));
    let rest = (proptest::option::of(0u8..2), proptest::option::weighted(0.2, any::<bool>()), 0u16..400);
    (0..count, who, place, rest, 0..SOURCES.len(), proptest::bool::weighted(0.8)).prop_map(
        |(behaviour, (from, to, named), (start, length, whole), (deal, mark, time), source, follow)| Drawn {
            behaviour,
            from,
            to,
            named,
            start,
            length,
            whole,
            deal,
            mark,
            time,
            source,
            follow,
        },
    )
}

/// Behaviours that can act on some live lot of the bill; so that random lives get somewhere.
fn legal_now(bill: &Bill, laws: &Laws, draw: &Drawn) -> Option<(Behaviour, Range)> {
    let live: Vec<&Lot> = bill.live_lots().collect();
    let lot = live.get(usize::from(draw.time) % live.len().max(1))?;
    let possible: Vec<Behaviour> =
        (0..BEHAVIOUR_CODES.len() as u16).map(Behaviour).filter(|behaviour| laws.admits(*behaviour, lot)).collect();
    let behaviour = *possible.get(usize::from(draw.behaviour) % possible.len().max(1))?;
    let mut range = lot.range;
    if !draw.whole && range != Range::WHOLE {
        range.start += draw.start % range.length();
        range.end = range.start + (draw.length - 1) % (range.end - range.start + 1);
    }
    Some((behaviour, range))
}

/// The sender that the state names, so that most drawn facts are applied; else a drawn one.
fn likely_sender(bill: &Bill, range: Range, draw: &Drawn, behaviour: Behaviour) -> PartyId {
    let drawn = parties()[draw.from];
    let Some(lot) = bill.lots.iter().find(|lot| lot.range.start <= range.start && range.start <= lot.range.end) else {
        return drawn;
    };
    let suffix = behaviour.code().rsplit('.').next().unwrap_or("");
    match (suffix, lot.request, draw.named) {
        (_, _, 0) => drawn,
        ("WDR", Some(request), _) => request.requester,
        ("SGN" | "REJ" | "QAC" | "CKH" | "ACK" | "APR", Some(request), _) => request.answerer().unwrap_or(drawn),
        ("AGR" | "AGW" | "PRT", _, _) => lot.notices().first().and_then(|notice| notice.debtor).unwrap_or(drawn),
        (_, _, 1) => lot.pledgee().unwrap_or(lot.holder),
        _ => lot.holder,
    }
}

fn fact(number: u64, draw: &Drawn, bill: &Bill, laws: &Laws, life: &Life) -> Fact {
    let anywhere = if draw.whole {
        Range { start: 1, end: FACE }
    } else {
        Range { start: draw.start, end: (draw.start + draw.length - 1).min(FACE + 2) }
    };
    let (behaviour, range) =
        legal_now(bill, laws, draw).filter(|_| draw.follow).unwrap_or((Behaviour(draw.behaviour), anywhere));
    let everybody = parties();
    let sender = likely_sender(bill, range, draw, behaviour);
    let mut fact = life.fact(behaviour.code(), sender, everybody[draw.to], range.start, range.end);
    fact.event_id = u128::from(number);
    fact.source_seq = number;
    fact.source = SOURCES[draw.source];
    // Time goes on, sometimes by days, sometimes by nothing.
    fact.event_time += number as i64 * 86_400_000 / 8 + i64::from(draw.time % 3);
    fact.biz_date = day(DUE).plus(i32::from(draw.time) / 20 - 10);
    let named = Value::Party(everybody[draw.named]);
    fact.set(Field::DebtorId, named.clone());
    // Named by half of the facts: a party that is not named is not wrong.
    if draw.time.is_multiple_of(2) {
        for field in [Field::BuyerId, Field::DiscounterId, Field::NewHolderId] {
            fact.set(field, named.clone());
        }
    }
    if let Some(deal) = draw.deal {
        fact.set(Field::DealId, text(&deal.to_string()));
    }
    if let Some(mark) = draw.mark {
        fact.set(Field::Transferable, code(if mark { "EM01" } else { "EM00" }));
    }
    if behaviour.code() == "RCS.AGS" && draw.whole {
        fact.set(Field::SettlementMethod, code("OFFLINE"));
    }
    fact
}

/// Where a random life begins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Begin {
    Nowhere,
    Registered { divisible: bool },
    Received,
    Due,
}

fn begin() -> impl Strategy<Value = Begin> {
    prop_oneof![
        1 => Just(Begin::Nowhere),
        2 => any::<bool>().prop_map(|divisible| Begin::Registered { divisible }),
        8 => Just(Begin::Received),
        4 => Just(Begin::Due),
    ]
}

/// A life of that many facts after its beginning, as they were drawn: not in order.
fn life_of(draws: &[Drawn], begin: Begin) -> Vec<Fact> {
    let laws = lives::laws();
    let mut life = match begin {
        Begin::Received => Life::received(FACE as i64),
        Begin::Due => Life::due(FACE as i64),
        Begin::Nowhere | Begin::Registered { .. } => Life::new(),
    };
    if let Begin::Registered { divisible } = begin {
        life.issue(FACE as i64, divisible);
    }
    let mut facts = life.facts.clone();
    let mut bill = life.bill.clone();
    for (number, draw) in draws.iter().enumerate() {
        let next = fact(number as u64 + 100, draw, &bill, &laws, &life);
        // Only to steer the draw: the fold under test starts again from all facts, in their order.
        if bill.last.is_none_or(|last| last <= next.order_key()) {
            bill.apply(&next, &laws);
        }
        facts.push(next);
    }
    facts
}

fn check_cover(bill: &Bill) -> Result<(), TestCaseError> {
    let Some(header) = &bill.header else {
        prop_assert!(bill.lots.is_empty());
        return Ok(());
    };
    let total: i64 = bill.lots.iter().map(|lot| lot.amount_fen).sum();
    prop_assert_eq!(total, header.face_fen);
    if !header.divisible {
        prop_assert_eq!(bill.lots.len(), 1);
        return Ok(());
    }
    let mut next = 1;
    for lot in &bill.lots {
        prop_assert_eq!(lot.range.start, next);
        prop_assert!(lot.range.end >= lot.range.start);
        prop_assert_eq!(lot.range.length() as i64, lot.amount_fen);
        next = lot.range.end + 1;
    }
    prop_assert_eq!(next, header.face_fen as u64 + 1);
    Ok(())
}

fn check_lot(lot: &Lot) -> Result<(), TestCaseError> {
    let flag = lot.flag.code();
    prop_assert_eq!(lot.is_live(), flag != "TF0501");
    prop_assert_eq!(lot.request.is_some(), matches!(flag, "TF0302" | "TF0401"), "{:?}", lot);
    prop_assert!(flag != "TF0305" || lot.repo().is_some());
    prop_assert!(flag != "TF0304" || lot.pledgee().is_some());
    prop_assert_eq!(lot.lineage.last().map(|step| step.holder), Some(lot.holder));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))), ..ProptestConfig::default() })]

    #[test]
    fn any_facts_keep_the_invariants(
        draws in proptest::collection::vec(drawn(), 1..60),
        begin in begin(),
    ) {
        let laws = lives::laws();
        let facts = effective(life_of(&draws, begin)).facts;
        let mut bill = Bill::default();
        for fact in &facts {
            let before = bill.clone();
            let outcome = bill.apply(fact, &laws);
            check_cover(&bill)?;
            bill.lots.iter().try_for_each(check_lot)?;
            prop_assert_eq!(outcome.changes.is_empty(), outcome.effect != Effect::Applied);
            // before - changes.before + changes.after = after
            let mut lots: Vec<Lot> = before.lots.to_vec();
            for change in &outcome.changes {
                if let Some(old) = &change.before {
                    let at = lots.iter().position(|lot| lot == old).expect("a changed lot was there");
                    lots.swap_remove(at);
                }
            }
            lots.extend(outcome.changes.iter().map(|change| change.after.clone()));
            lots.sort_by_key(|lot| lot.range.start);
            prop_assert_eq!(lots.as_slice(), bill.lots.as_slice());
        }
    }

    #[test]
    fn the_fold_is_a_function_of_the_set_and_survives_packing(
        draws in proptest::collection::vec(drawn(), 1..40),
        begin in begin(),
        order in any::<u64>(),
        flip in any::<prop::sample::Index>(),
    ) {
        let laws = lives::laws();
        let mut facts = life_of(&draws, begin);
        let (whole, outcomes) = Bill::fold(&effective(facts.clone()).facts, &laws);
        let mut state = order;
        for at in (1..facts.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            facts.swap(at, (state >> 33) as usize % (at + 1));
        }
        let again = effective(facts).facts;
        prop_assert_eq!(&Bill::fold(&again, &laws), &(whole.clone(), outcomes.clone()));
        // Packed and unpacked between any two facts, it goes on as if nothing had happened.
        let id = again[0].bill_id.unwrap();
        let mut packer = Packer::default();
        let (mut bill, mut used) = (Bill::default(), whole.clone());
        for (at, fact) in again.iter().enumerate() {
            prop_assert_eq!(&bill.apply(fact, &laws), &outcomes[at]);
            packer.begin(id);
            bill.pack(&mut packer);
            let mut from = Unpacker::new(id, packer.bytes());
            used.unpack(&mut from);
            prop_assert_eq!((from.finish(), from.rest().len()), (Ok(()), 0));
            prop_assert_eq!(&used, &bill);
            let live = Bill::packed_live_lots(&mut Unpacker::new(id, packer.bytes()));
            prop_assert_eq!(live, bill.live_lots().count() as u64);
            std::mem::swap(&mut bill, &mut used);
        }
        prop_assert_eq!(&bill, &whole);
        // Damage is said, not suffered.
        let bytes = packer.bytes();
        for end in 0..bytes.len() {
            let mut from = Unpacker::new(id, &bytes[..end]);
            Bill::default().unpack(&mut from);
            prop_assert!(from.finish().is_err(), "{} of {} bytes", end, bytes.len());
        }
        let mut bytes = bytes.to_vec();
        let place = flip.index(bytes.len());
        bytes[place] ^= 1 << (order % 8);
        Bill::default().unpack(&mut Unpacker::new(id, &bytes));
    }
}

#[test]
fn random_lives_reach_every_state() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let laws = lives::laws();
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    let mut effects = std::collections::BTreeSet::new();
    let mut behaviours = std::collections::BTreeSet::new();
    for number in 0..600 {
        let begin = if number % 2 == 0 { Begin::Received } else { Begin::Due };
        let draws = proptest::collection::vec(drawn(), 50..60).new_tree(&mut runner).unwrap().current();
        let facts = effective(life_of(&draws, begin)).facts;
        let (bill, outcomes) = Bill::fold(&facts, &laws);
        seen.extend(bill.lots.iter().map(|lot| (lot.status.code(), lot.flag.code())));
        effects.extend(outcomes.iter().map(|outcome| outcome.effect));
        behaviours.extend(
            facts.iter().zip(&outcomes).filter(|(_, out)| out.is_applied()).map(|(fact, _)| fact.behaviour.code()),
        );
    }
    assert_eq!(effects.len(), 7, "{effects:?}");
    for state in [("CS03", "TF0305"), ("CS04", "TF0402"), ("CS06", "TF0501"), ("CS05", "TF0501"), ("CS04", "TF0401")] {
        assert!(seen.contains(&state), "{state:?} of {seen:?}");
    }
    println!("{} behaviours applied: {behaviours:?}", behaviours.len());
    assert!(behaviours.len() > 120, "{} {behaviours:?}", behaviours.len());
}
