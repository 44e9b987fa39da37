//! P182: members' own books against the register, edge by edge, and by a plain comparison of sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    alerts_of, holds, judge,
    market::{Market, Terms, bank, day, ent, int, range, yuan},
    quiet, setting,
};
use crate::{
    bill::{Bill, Status},
    books,
    corrections::{effective, effective_at},
    fact::{Control, ControlKind, EventId, Fact, Field, Range, Source, Value},
    fact_scope::Home,
    ids::{BillId, Day, PartyId},
};

const WHOLE: Range = Range::WHOLE;

/// A line as a book has it.
type Line = (BillId, Range, i64);

impl Market {
    fn book(&mut self, holder: PartyId, date: Day, lines: &[Line], said: (usize, i64)) {
        let line = |(bill_id, range, amount_fen): &Line| ControlKind::BookLine {
            holder,
            date,
            bill_id: *bill_id,
            range: *range,
            amount_fen: *amount_fen,
        };
        let mut kinds: Vec<ControlKind> = lines.iter().map(line).collect();
        kinds.push(ControlKind::BookEnd { holder, date, line_count: said.0 as i64, total_fen: said.1 });
        for kind in kinds {
            let source_seq = 1 + self.facts.len() as u64;
            self.facts.extend(books::fact_of(&Control { source: Source::Cpes, source_seq, kind }));
        }
    }

    /// A book whose end says what its lines say.
    fn whole_book(&mut self, holder: PartyId, date: &str, lines: &[Line]) {
        self.book(holder, day(date), lines, (lines.len(), lines.iter().map(|(.., amount)| amount).sum()));
    }

    fn discount_part(&mut self, bill: BillId, range: Range, from: PartyId, to: PartyId) -> EventId {
        let (about, rate) = (Some((bill, range)), (Field::RateE4, int(12_000)));
        self.fact("DSC.REQ", about, from, to, std::slice::from_ref(&rate));
        self.fact("DSC.SGN", about, to, from, std::slice::from_ref(&rate));
        let parties = [(Field::ApplicantId, Value::Party(from)), (Field::DiscounterId, Value::Party(to))];
        self.fact("DSC.SET", about, PartyId::SYSTEM, from, &[&[rate][..], &parties].concat())
    }
}

const FACE: i64 = yuan(1_000_000);

/// Bank 2 has two bills on 3 March, and sells the first on 5 March.
fn two_bills() -> (Market, [BillId; 2]) {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let bills = [0, 1].map(|_| market.discounted(&Terms::default(), bank(2), 12_000));
    market.at("2025-03-05", "09:00").sell(bills[0], bank(2), bank(3), 12_000, "D1");
    market.clock_at_end_of("2025-03-07");
    (market, bills)
}

#[test]
fn p182_bills_and_amounts() {
    let case = |date: &str, lines: &dyn Fn([BillId; 2]) -> Vec<Line>| {
        let (mut market, bills) = two_bills();
        market.whole_book(bank(2), date, &lines(bills));
        market
    };
    let both = |[first, second]: [BillId; 2]| vec![(first, WHOLE, FACE), (second, WHOLE, FACE)];
    let second = |[_, second]: [BillId; 2]| vec![(second, WHOLE, FACE)];
    quiet("P182", &case("2025-03-03", &both));
    quiet("P182", &case("2025-03-04", &both));
    quiet("P182", &case("2025-03-05", &second));
    // The day before it held anything, an empty book is right.
    quiet("P182", &case("2025-03-02", &|_| Vec::new()));
    holds("P182", &case("2025-03-05", &both), &["100102 2025-03-05"]);
    holds("P182", &case("2025-03-04", &second), &["100102 2025-03-04"]);
    holds("P182", &case("2025-03-05", &|_| Vec::new()), &["100102 2025-03-05"]);
    // The same sum in another bill.
    holds("P182", &case("2025-03-05", &|[first, _]| vec![(first, WHOLE, FACE)]), &["100102 2025-03-05"]);
    // The same bills, a fen more or less.
    for wrong in [FACE - 1, FACE + 1] {
        holds("P182", &case("2025-03-05", &|[_, second]| vec![(second, WHOLE, wrong)]), &["100102 2025-03-05"]);
    }
    // A bill that is not divisible has no positions.
    let named = range(1, FACE as u64);
    holds("P182", &case("2025-03-05", &|[_, second]| vec![(second, named, FACE)]), &["100102 2025-03-05"]);
}

#[test]
fn p182_a_book_is_judged_when_it_is_whole_and_its_day_is_over() {
    let said = |lines: usize, total: i64| {
        let (mut market, [first, _]) = two_bills();
        market.book(bank(2), day("2025-03-04"), &[(first, WHOLE, FACE)], (lines, total));
        market
    };
    holds("P182", &said(1, FACE), &["100102 2025-03-04"]);
    quiet("P182", &said(2, FACE));
    quiet("P182", &said(0, FACE));
    // The total of the end counts as well.
    let total = |total| {
        let (mut market, [_, second]) = two_bills();
        market.book(bank(2), day("2025-03-05"), &[(second, WHOLE, FACE)], (1, total));
        market
    };
    quiet("P182", &total(FACE));
    holds("P182", &total(FACE + 1), &["100102 2025-03-05"]);
    // A line that comes twice is one line; lines without an end are no book.
    let (mut market, [_, second]) = two_bills();
    market.whole_book(bank(2), "2025-03-05", &[(second, WHOLE, FACE)]);
    let again = market.facts[market.facts.len() - 2].clone();
    market.facts.push(Fact { source_seq: 7_000, ..again });
    quiet("P182", &market);
    let (mut market, [first, _]) = two_bills();
    market.whole_book(bank(2), "2025-03-05", &[(first, WHOLE, FACE)]);
    market.facts.pop();
    quiet("P182", &market);
    // Of the day before, the clock must have passed the end.
    let mut market = said(1, FACE);
    market.set_clock(day("2025-03-04").end_ms() - 2);
    quiet("P182", &market);
    // Only institutions are held against the register.
    let (mut market, _) = two_bills();
    market.whole_book(ent(2), "2025-03-05", &[]);
    quiet("P182", &market);
}

#[test]
fn p182_packages_however_they_are_cut() {
    let case = |lines: &dyn Fn(BillId) -> Vec<Line>| {
        let mut market = Market::new();
        market.at("2025-03-03", "09:00");
        let bill = market.draw(&Terms { divisible: true, ..Terms::default() });
        market.discount_part(bill, range(1, 1_000), ent(2), bank(2));
        market.discount_part(bill, range(1_001, 3_000), ent(2), bank(2));
        market.discount_part(bill, range(5_001, 6_000), ent(2), bank(2));
        market.discount_part(bill, range(3_001, 5_000), ent(2), bank(3));
        market.whole_book(bank(2), "2025-03-03", &lines(bill));
        market
    };
    let lines = |ranges: &'static [(u64, u64)]| {
        move |bill| ranges.iter().map(|(from, to)| (bill, range(*from, *to), (to - from + 1) as i64)).collect()
    };
    quiet("P182", &case(&lines(&[(1, 3_000), (5_001, 6_000)])));
    quiet("P182", &case(&lines(&[(1, 7), (8, 2_000), (2_001, 3_000), (5_001, 6_000)])));
    let alert = ["100102 2025-03-03"];
    // As much of other positions; one more; the part of another bank.
    holds("P182", &case(&lines(&[(1, 2_999), (5_000, 6_000)])), &alert);
    holds("P182", &case(&lines(&[(1, 3_001), (5_001, 6_000)])), &alert);
    holds("P182", &case(&lines(&[(1, 6_000)])), &alert);
}

#[test]
fn p182_facts_that_come_late_and_revocations_judge_old_books_again() {
    let (mut market, [_, second]) = two_bills();
    market.whole_book(bank(2), "2025-03-05", &[(second, WHOLE, FACE)]);
    market.whole_book(bank(2), "2025-03-06", &[(second, WHOLE, FACE)]);
    quiet("P182", &market);
    let sale = market.facts.iter().rfind(|fact| fact.behaviour.code() == "IBT.SET").unwrap().event_id;
    market.revoke(sale);
    holds("P182", &market, &["100102 2025-03-05", "100102 2025-03-06"]);
}

/// What somebody does to one of three bills, and what a bank writes down in the evening.
#[derive(Clone, Debug)]
struct Evening {
    acts: Vec<(u8, u8, u8)>,
    /// Bank, mistake in its book.
    book: (u8, u8),
}

fn evening() -> impl Strategy<Value = Evening> {
    (prop::collection::vec((0u8..5, 0u8..3, 2u8..4), 0..4), (2u8..4, 0u8..12))
        .prop_map(|(acts, book)| Evening { acts, book })
}

/// Lots that count as held at the end of a day, by holder.
fn register(facts: &[Fact], date: Day) -> BTreeMap<PartyId, Vec<Line>> {
    let mut of_bills: BTreeMap<BillId, Vec<Fact>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| !books::is_of_book(fact)) {
        if let Some(bill) = fact.bill_id {
            of_bills.entry(bill).or_default().push(fact.clone());
        }
    }
    let mut held: BTreeMap<PartyId, Vec<Line>> = BTreeMap::new();
    for (id, records) in of_bills {
        let facts: Vec<Fact> = effective(records).facts.into_iter().filter(|fact| fact.biz_date <= date).collect();
        let (bill, _) = Bill::fold(&facts, setting().laws);
        for lot in bill.lots.iter().filter(|lot| matches!(lot.status, Status::Received | Status::Due)) {
            held.entry(lot.holder).or_default().push((id, lot.range, lot.amount_fen));
        }
    }
    held
}

/// The ranges of lines with nothing between neighbours, and whether two have something in common.
fn joined(lines: &[Line]) -> (BTreeSet<(BillId, u64, u64)>, bool) {
    let mut ranges: Vec<(BillId, u64, u64)> =
        lines.iter().map(|(id, range, _)| (*id, range.start, range.end)).collect();
    ranges.sort_unstable();
    let mut whole: Vec<(BillId, u64, u64)> = Vec::new();
    let mut overlap = false;
    for range in ranges {
        match whole.last_mut().filter(|last| last.0 == range.0) {
            Some(last) if range.1 <= last.2 => overlap = true,
            Some(last) if range.1 == last.2 + 1 => last.2 = range.2,
            _ => whole.push(range),
        }
    }
    (whole.into_iter().collect(), overlap)
}

/// Books that differ, found as a clerk would: each bill folded up to the evening, lots and lines compared one by one.
fn differing(facts: &[Fact]) -> BTreeSet<String> {
    let mut lines: BTreeMap<(PartyId, Day), BTreeSet<Line>> = BTreeMap::new();
    let mut ends: BTreeMap<(PartyId, Day), Vec<(i64, i64)>> = BTreeMap::new();
    for control in facts.iter().filter_map(books::control_of) {
        match control.kind {
            ControlKind::BookLine { holder, date, bill_id, range, amount_fen } => {
                lines.entry((holder, date)).or_default().insert((bill_id, range, amount_fen));
            }
            ControlKind::BookEnd { holder, date, line_count, total_fen } => {
                ends.entry((holder, date)).or_default().push((line_count, total_fen));
            }
            _ => unreachable!("records of books only"),
        }
    }
    let mut differing = BTreeSet::new();
    for ((holder, date), ends) in ends {
        let own: Vec<Line> = lines.get(&(holder, date)).into_iter().flatten().copied().collect();
        let held = register(facts, date).remove(&holder).unwrap_or_default();
        let sum = |lines: &[Line]| lines.iter().map(|(.., amount)| amount).sum::<i64>();
        let ((ours, overlap), (theirs, _)) = (joined(&own), joined(&held));
        let is_wrong = overlap || ours != theirs || sum(&own) != sum(&held);
        let is_said = |(count, total): &(i64, i64)| *count == own.len() as i64 && (is_wrong || *total != sum(&held));
        if ends.iter().any(is_said) {
            differing.insert(format!("{holder} {date}"));
        }
    }
    differing
}

fn told(evenings: &[Evening]) -> Market {
    let mut market = Market::new();
    market.at("2025-03-01", "09:00");
    let terms = Terms { divisible: true, face: 900, ..Terms::default() };
    let bills = [0, 1, 2].map(|_| market.draw(&terms));
    for (number, evening) in evenings.iter().enumerate() {
        let date = day("2025-03-02").plus(number as i32);
        market.on(date, "10:00");
        for (what, bill, to) in &evening.acts {
            let (bill, to) = (bills[usize::from(*bill)], bank(u64::from(*to)));
            let part = range(u64::from(*what) * 150 + 1, u64::from(*what) * 150 + 150);
            match what {
                0..=3 => market.discount_part(bill, part, ent(2), to),
                _ => market.sell(bill, to, bank(5 - to.number() % 10), 12_000, &format!("D{number}")),
            };
        }
        let holder = bank(u64::from(evening.book.0));
        let mut lines = register(&market.facts, date).remove(&holder).unwrap_or_default();
        let mut said = (0, 0);
        match (evening.book.1, lines.first().copied()) {
            (0, Some(_)) => drop(lines.pop()),
            (1, Some((bill, _, _))) => lines.push((bill, range(701, 710), 10)),
            (2, Some(_)) => lines[0].2 += 1,
            (3, Some(_)) => said.1 = 1,
            (4, _) => said.0 = 1,
            (5, Some((bill, range, amount))) if amount > 1 => {
                lines[0] = (bill, Range { end: range.end - 1, ..range }, amount - 1);
                lines.push((bill, Range { start: range.end, ..range }, 1));
            }
            (6, Some((_, range, amount))) => lines[0] = (bills[0], range, amount),
            (7, Some(line)) => lines.push((line.0, line.1, line.2 + 1)),
            _ => {}
        }
        let total: i64 = lines.iter().map(|(.., amount)| amount).sum();
        market.book(holder, date, &lines, (lines.len() + said.0, total + said.1));
    }
    market
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn books_differ_where_a_clerk_finds_it(
        evenings in prop::collection::vec(evening(), 1..10),
        undone in prop::option::of(any::<prop::sample::Index>()),
        seed in any::<u64>(),
    ) {
        let mut market = told(&evenings);
        let settled: Vec<EventId> =
            market.facts.iter().filter(|fact| fact.behaviour.code() == "DSC.SET").map(|fact| fact.event_id).collect();
        if let Some(undone) = undone.filter(|_| !settled.is_empty()) {
            market.revoke(*undone.get(&settled));
        }
        let clock = market.clock();
        let mut facts = market.facts.clone();
        facts.sort_by_key(|fact| (fact.event_id as u64 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let found: BTreeSet<String> = alerts_of(&judge(&facts, clock), "P182").into_iter().collect();
        prop_assert_eq!(found, differing(&market.facts));
    }
}

#[test]
fn books_are_no_facts_of_the_market() {
    let (mut market, [_, second]) = two_bills();
    let before = judge(&market.facts, market.clock());
    market.whole_book(bank(2), "2025-03-05", &[(second, WHOLE, FACE)]);
    assert_eq!(judge(&market.facts, market.clock()), before, "a right book changes no alert");
    let of_desk = effective_at(Home::Desk, market.facts.clone());
    assert_eq!((of_desk.facts.len(), of_desk.books.len(), of_desk.variants.len()), (0, 2, 0));
    let views = crate::evaluator::evaluate(&market.facts, market.clock(), &crate::catalogue::Catalogue::embedded());
    assert!(of_desk.books.iter().all(|book| !views.as_ref().unwrap().fates.contains_key(&book.event_id)));
}
