//! Small markets for tests, and what the plain evaluator says of them.
#![allow(dead_code)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use billwatch_market::{
    books,
    catalogue::Catalogue,
    evaluator::EveryView,
    fact::{Control, ControlKind, CorrectionKind, Fact, Field, Range, Record, Source, Value},
    ids::{BillId, Day, PartyId},
    ndjson::parse_line,
};

const EXAMPLES: [(&str, &str); 8] = [
    ("a", include_str!("../../../market/examples/a-reference.facts.ndjson")),
    ("b", include_str!("../../../market/examples/b-plain-bab.facts.ndjson")),
    ("c", include_str!("../../../market/examples/c-split-package.facts.ndjson")),
    ("d", include_str!("../../../market/examples/d-cab-recourse.facts.ndjson")),
    ("e", include_str!("../../../market/examples/e-unsuccessful.facts.ndjson")),
    ("f", include_str!("../../../market/examples/f-late-corrections.facts.ndjson")),
    ("s", include_str!("../../../market/examples/f-shuffled.facts.ndjson")),
    ("g", include_str!("../../../market/examples/g-flagged.facts.ndjson")),
];

/// Facts in order of arrival, with the market clock at the end.
pub struct Market {
    pub facts: Vec<Fact>,
    pub clock: i64,
}

/// The facts of some examples, by first letter (`s` = f-shuffled).
pub fn examples(letters: &str, catalogue: &Catalogue) -> Market {
    let mut facts = Vec::new();
    let mut watermarks = BTreeMap::new();
    for letter in letters.chars() {
        let text = EXAMPLES.iter().find(|(name, _)| name.starts_with(letter)).expect("a known example").1;
        for line in text.lines() {
            match parse_line(line.as_bytes(), catalogue).unwrap_or_else(|refusal| panic!("{line}: {refusal:?}")) {
                Record::Fact(fact) => facts.push(fact),
                Record::Control(control) => match control.kind {
                    ControlKind::Watermark(time) => drop(watermarks.insert(control.source, time)),
                    ControlKind::Idle => drop(watermarks.insert(control.source, i64::MAX)),
                    _ => {}
                },
            }
        }
    }
    Market { facts, clock: watermarks.into_values().min().expect("examples have watermarks") }
}

/// A small generator, so that seeds can be printed and repeated (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % below as u64) as usize
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.roll(at + 1));
        }
    }
}

/// The market again under other bill numbers and event ids: several lives beside each other.
pub fn multiplied(market: &Market, times: u128) -> Market {
    let mut facts = Vec::new();
    for copy in 0..times {
        let shift = |id: u128| id + copy * 1_000_000_000_000_000_000_000_000_000;
        for fact in &market.facts {
            let mut fact = fact.clone();
            if copy > 0 && fact.bill_id.is_none() {
                continue;
            }
            fact.event_id = shift(fact.event_id);
            fact.source_seq += copy as u64 * 100_000;
            fact.correction = fact.correction.map(|(kind, target)| (kind, shift(target)));
            if let Some(reference) = fact.id(Field::RefEventId) {
                fact.set(Field::RefEventId, Value::Id(shift(reference).into()));
            }
            if let Some(bill) = fact.bill_id {
                fact.bill_id = Some(BillId { digits: bill.digits + copy * 1_000, length: bill.length });
            }
            facts.push(fact);
        }
    }
    Market { facts, clock: market.clock }
}

/// Revokes or replaces some facts, at the end; also some corrections.
pub fn corrected(market: &Market, count: usize, dice: &mut Dice) -> Market {
    let mut facts = market.facts.clone();
    for number in 0..count {
        let target = facts[dice.roll(facts.len())].clone();
        let mut correction = target.clone();
        correction.event_id = 7_000_000 + number as u128;
        correction.source_seq = 9_000_000 + number as u64;
        correction.event_time = target.event_time + 1_000;
        if dice.roll(2) == 0 {
            correction.correction = Some((CorrectionKind::Revoke, target.event_id));
            correction.fields.clear();
        } else {
            correction.correction = Some((CorrectionKind::Replace, target.event_id));
            if let Some(amount) = target.amount_sent() {
                correction.set(Field::AmountFen, Value::Int(amount + 1));
            }
            correction.biz_date = target.biz_date.plus(dice.roll(3) as i32 - 1);
        }
        facts.push(correction);
    }
    Market { facts, clock: market.clock }
}

/// Books of everybody who discounts or buys, of that day and some later ones: all bills that came in, sold or not, so that many
/// books are wrong and some are right. Their records come one by one among the facts.
pub fn with_books(market: &Market, dice: &mut Dice) -> Market {
    let taker = |fact: &Fact| fact.party(Field::BuyerId).or(fact.party(Field::DiscounterId));
    let taken: Vec<(PartyId, Day, BillId, Range, i64)> = market
        .facts
        .iter()
        .filter(|fact| fact.correction.is_none() && fact.behaviour.code().ends_with(".SET"))
        .filter_map(|fact| Some((taker(fact)?, fact.biz_date, fact.bill_id?, fact.range, fact.amount_sent()?)))
        .collect();
    let days = taken.iter().flat_map(|taken| [0, 1, 30].map(|later| (taken.0, taken.1.plus(later))));
    let mut facts = market.facts.clone();
    for (holder, date) in days.collect::<BTreeSet<_>>() {
        let own = taken.iter().filter(|taken| taken.0 == holder && taken.1 <= date);
        let mut kinds = BTreeMap::new();
        let mut total_fen = 0;
        for (_, _, bill_id, range, amount_fen) in own.copied() {
            let line = ControlKind::BookLine { holder, date, bill_id, range, amount_fen };
            if kinds.insert((bill_id, range), line).is_none() {
                total_fen += amount_fen;
            }
        }
        let end = ControlKind::BookEnd { holder, date, line_count: kinds.len() as i64, total_fen };
        for kind in kinds.into_values().chain([end]) {
            let source_seq = 20_000_000 + facts.len() as u64;
            let record = books::fact_of(&Control { source: Source::Cpes, source_seq, kind });
            facts.insert(dice.roll(facts.len() + 1), record.expect("a record of a book"));
        }
    }
    Market { facts, clock: market.clock }
}

/// Every view as sorted canonical rows.
pub type Rows = BTreeMap<&'static str, Vec<String>>;

/// What the plain evaluators say: rows, and hash and number of rows.
pub fn expected(market: &Market, catalogue: &Arc<Catalogue>) -> (Rows, BTreeMap<String, (u128, u64)>) {
    let views = EveryView::evaluate(&market.facts, Some(market.clock), catalogue).unwrap();
    let mut rows: Rows = EveryView::NAMES.into_iter().map(|name| (name, views.rows(name))).collect();
    rows.values_mut().for_each(|rows| rows.sort());
    (rows, views.marks().into_iter().map(|(name, mark)| (name, (mark.hash, mark.rows))).collect())
}
