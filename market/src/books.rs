//! Books of members (行内账, facts.md 6): lines and ends in the form in which workers read them, and what tells one set of
//! ranges from another.
//!
//! A line of a book is a control record: no behaviour carries it, it has no event id and cannot be corrected. Where facts
//! are read (workers, their history, the evaluators, evidence) it goes as a fact all the same, with a behaviour of its own
//! behind those of the table, so that whatever carries facts carries books. It is no fact of the market, though:
//! `corrections::Effective` keeps books apart from facts, so no view of bills or aggregates sees them; only features that
//! name [`LINE`] or [`END`] do. In the log, in texts and on the wire it stays what it was.
//!
//! A line that is sent twice is one line: the coordinator acknowledges it again.

use xxhash_rust::xxh3::xxh3_128;

use crate::{
    codec::blank,
    fact::{BEHAVIOUR_CODES, Behaviour, Control, ControlKind, EventId, Fact, Field, Range, Record, Value},
    ids::{BillId, PartyId},
    key_group::stable_hash64,
};

/// A line of a book.
pub const LINE: Behaviour = Behaviour(BEHAVIOUR_CODES.len() as u16);

/// The end of a book.
pub const END: Behaviour = Behaviour(BEHAVIOUR_CODES.len() as u16 + 1);

/// What the two are called where behaviours are named, in this order.
pub const CODES: [&str; 2] = ["book_line", "book_end"];

/// Kinds of records that workers read: behaviours and these two.
pub const KINDS: usize = BEHAVIOUR_CODES.len() + CODES.len();

/// The behaviour of a code of [`CODES`].
pub fn parse(code: &str) -> Option<Behaviour> {
    CODES.iter().position(|known| *known == code).map(|place| Behaviour(LINE.0 + place as u16))
}

/// True for a record of a book in the form of a fact.
#[inline]
pub fn is_of_book(fact: &Fact) -> bool {
    fact.behaviour >= LINE
}

/// What workers read of a record: a fact, or a record of a book in the form of one. The others come back.
pub fn read(record: Record) -> Result<Fact, Control> {
    match record {
        Record::Fact(fact) => Ok(fact),
        Record::Control(control) => fact_of(&control).ok_or(control),
    }
}

/// The record that a fact stands for: itself, or a record of a book.
pub fn record_of(fact: Fact) -> Record {
    match control_of(&fact) {
        Some(control) => Record::Control(control),
        None => Record::Fact(fact),
    }
}

/// A record of a book in the form of a fact, at the last instant of its date; `None` for other control records.
pub fn fact_of(control: &Control) -> Option<Fact> {
    let (behaviour, holder, date) = match control.kind {
        ControlKind::BookLine { holder, date, .. } => (LINE, holder, date),
        ControlKind::BookEnd { holder, date, .. } => (END, holder, date),
        ControlKind::Watermark(_) | ControlKind::Idle | ControlKind::Resume => return None,
    };
    let mut fact = Fact {
        event_id: identity(control),
        behaviour,
        event_time: date.end_ms() - 1,
        biz_date: date,
        source: control.source,
        source_seq: control.source_seq,
        ..blank()
    };
    fact.fields.reserve_exact(3);
    fact.set(Field::HolderId, Value::Party(holder));
    match control.kind {
        ControlKind::BookLine { bill_id, range, amount_fen, .. } => {
            (fact.bill_id, fact.range) = (Some(bill_id), range);
            fact.set(Field::AmountFen, Value::Int(amount_fen));
        }
        ControlKind::BookEnd { line_count, total_fen, .. } => {
            fact.set(Field::LineCount, Value::Int(line_count));
            fact.set(Field::BookTotalFen, Value::Int(total_fen));
        }
        _ => {}
    }
    Some(fact)
}

/// The control record of a fact of a book; `None` for facts of the market.
pub fn control_of(fact: &Fact) -> Option<Control> {
    if !is_of_book(fact) {
        return None;
    }
    let (holder, date) = (fact.party(Field::HolderId)?, fact.biz_date);
    let kind = if fact.behaviour == LINE {
        let amount_fen = fact.int(Field::AmountFen)?;
        ControlKind::BookLine { holder, date, bill_id: fact.bill_id?, range: fact.range, amount_fen }
    } else {
        let (line_count, total_fen) = (fact.int(Field::LineCount)?, fact.int(Field::BookTotalFen)?);
        ControlKind::BookEnd { holder, date, line_count, total_fen }
    };
    Some(Control { source: fact.source, source_seq: fact.source_seq, kind })
}

/// Stands for the event id that a book's record lacks: its content, hashed.
fn identity(control: &Control) -> EventId {
    let (holder, date, bill, numbers) = match control.kind {
        ControlKind::BookLine { holder, date, bill_id, range, amount_fen } => {
            (holder, date, Some(bill_id), [range.start as i64, range.end as i64, amount_fen])
        }
        ControlKind::BookEnd { holder, date, line_count, total_fen } => {
            (holder, date, None, [line_count, total_fen, 0])
        }
        _ => return 0,
    };
    let mut bytes = [0; 56];
    bytes[0] = control.source.rank();
    bytes[1] = bill.map_or(u8::MAX, |bill| bill.length);
    bytes[4..8].copy_from_slice(&date.0.to_le_bytes());
    bytes[8..16].copy_from_slice(&holder.bits().to_le_bytes());
    bytes[16..32].copy_from_slice(&bill.map_or(0, |bill| bill.digits).to_le_bytes());
    for (to, number) in bytes[32..].chunks_exact_mut(8).zip(numbers) {
        to.copy_from_slice(&number.to_le_bytes());
    }
    xxh3_128(&bytes)
}

/// The number of the book to which a record belongs: its holder and its date.
pub fn book_of(record: &Fact) -> u128 {
    let holder = record.party(Field::HolderId).unwrap_or(PartyId::SYSTEM);
    u128::from(holder.bits()) << 64 | u128::from(record.biz_date.0 as u32)
}

/// Whose book has this number.
pub fn holder_of(book: u128) -> PartyId {
    PartyId::from_bits((book >> 64) as u64)
}

/// A number for a range of a bill, such that the marks of ranges that lie end to end add up to the mark of the whole: how a
/// package is cut into lots does not show. Two sets of ranges without overlaps have the same sum of marks when they are the
/// same; otherwise only by chance, one in 2^48. Sums of marks need no care: a mark has 48 bits and a sign, and neighbours
/// cancel out.
///
/// It is no secret hash: who knows it can make up two sets with one sum. What they show is honest error, not fraud.
pub fn range_mark(bill: BillId, range: Range) -> i64 {
    if range == Range::WHOLE {
        // No position of a package is as large.
        return boundary(bill, u64::MAX);
    }
    boundary(bill, range.end) - boundary(bill, range.start.wrapping_sub(1))
}

fn boundary(bill: BillId, position: u64) -> i64 {
    let mut bytes = [0; 25];
    bytes[..16].copy_from_slice(&bill.digits.to_le_bytes());
    bytes[16] = bill.length;
    bytes[17..].copy_from_slice(&position.to_le_bytes());
    (stable_hash64(&bytes) >> 16) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        arbitrary::record,
        codec::{decode_fact, encode_fact, encode_record},
        fact_scope::{FactScope, scope},
    };

    proptest! {
        #[test]
        fn a_book_goes_as_facts_and_comes_back(record in record()) {
            match read(record.clone()) {
                Err(control) => prop_assert_eq!(Record::Control(control), record),
                Ok(fact) => {
                    prop_assert_eq!(record_of(fact.clone()), record.clone());
                    // The bytes of the log serve workers as they are.
                    let (mut of_record, mut of_fact) = (Vec::new(), Vec::new());
                    encode_record(&record, &mut of_record);
                    encode_fact(&fact, &mut of_fact);
                    prop_assert_eq!(&of_record, &of_fact);
                    prop_assert_eq!(decode_fact(&mut of_record.as_slice()).unwrap(), fact.clone());
                    if let Record::Control(_) = record {
                        prop_assert!(is_of_book(&fact));
                        prop_assert_eq!(scope(&fact), FactScope::Party(fact.party(Field::HolderId).unwrap()));
                        prop_assert!(CODES.contains(&fact.behaviour.code()));
                    }
                }
            }
        }

        #[test]
        fn however_it_is_cut_a_range_has_one_mark(length in 1u64..10_000, cuts in prop::collection::btree_set(1u64..10_000, 0..20)) {
            let bill = BillId::parse("531333100011720250310000000012").unwrap();
            let mut start = 1;
            let mut sum = 0;
            for cut in cuts.into_iter().filter(|cut| *cut < length).chain([length]) {
                sum += range_mark(bill, Range { start, end: cut });
                start = cut + 1;
            }
            prop_assert_eq!(sum, range_mark(bill, Range { start: 1, end: length }));
        }
    }

    #[test]
    fn other_ranges_have_other_marks() {
        let (bill, short) = (BillId::parse("12").unwrap(), BillId::parse("012").unwrap());
        let range = |start, end| Range { start, end };
        let sets: [&[(BillId, Range)]; 6] = [
            &[],
            &[(bill, Range::WHOLE)],
            &[(short, Range::WHOLE)],
            &[(bill, range(1, 10))],
            &[(bill, range(1, 4)), (bill, range(6, 11))],
            &[(bill, range(1, 5)), (short, range(6, 10))],
        ];
        let sums: std::collections::BTreeSet<i64> =
            sets.iter().map(|set| set.iter().map(|(bill, range)| range_mark(*bill, *range)).sum()).collect();
        assert_eq!(sums.len(), sets.len());
    }

    #[test]
    fn what_a_record_says_is_its_identity() {
        let book =
            |source_seq, kind| fact_of(&Control { source: crate::fact::Source::Cpes, source_seq, kind }).unwrap();
        let (holder, date) = (PartyId::parse("100101").unwrap(), crate::ids::Day(20_000));
        let end = |lines| ControlKind::BookEnd { holder, date, line_count: lines, total_fen: 5 };
        assert_eq!(book(1, end(1)).event_id, book(2, end(1)).event_id);
        assert_ne!(book(1, end(1)).event_id, book(1, end(2)).event_id);
        let bill_id = BillId::parse("5").unwrap();
        let line = ControlKind::BookLine { holder, date, bill_id, range: Range::WHOLE, amount_fen: 5 };
        assert_ne!(book(1, line.clone()).event_id, book(1, end(1)).event_id);
        assert_eq!(book_of(&book(1, line)), book_of(&book(7, end(1))));
        assert_eq!(holder_of(book_of(&book(7, end(1)))), holder);
        assert_eq!(book(1, end(1)).event_time, date.end_ms() - 1);
    }
}
