//! What happens to a stream on its way: other orders, redelivery, corrections. For tests of "one answer"; all of them
//! are functions of their arguments and a seed.

use std::collections::BTreeMap;

use billwatch_market::fact::{Control, ControlKind, CorrectionKind, EventId, Fact, Field, Record, Source, Value};

use super::dice::Dice;

/// First event id of correction facts.
const FIRST_CORRECTION: EventId = 1 << 100;
/// A redelivery comes at most this many records later.
const REDELIVERY_SPAN: u64 = 1_000;

/// The facts, and records of books, in any order, then the other control records in theirs: a watermark may not go back, a fact
/// may always be late.
pub fn shuffled(records: Vec<Record>, seed: u64) -> Vec<Record> {
    let mut dice = Dice::new(seed, 11);
    let (mut facts, controls): (Vec<Record>, Vec<Record>) =
        records.into_iter().partition(|record| matches!(record, Record::Fact(_)) || is_of_book(record));
    for place in (1..facts.len()).rev() {
        facts.swap(place, dice.below(place as u64 + 1) as usize);
    }
    facts.extend(controls);
    facts
}

fn is_of_book(record: &Record) -> bool {
    matches!(record, Record::Control(Control { kind: ControlKind::BookLine { .. } | ControlKind::BookEnd { .. }, .. }))
}

/// This share of the records comes once more, later, with the same number and content.
pub fn with_duplicates(records: Vec<Record>, share: f64, seed: u64) -> Vec<Record> {
    let mut dice = Dice::new(seed, 12);
    let mut waiting: BTreeMap<u64, Vec<Record>> = BTreeMap::new();
    let mut result = Vec::with_capacity(records.len() + (records.len() as f64 * share) as usize);
    for (place, record) in (0u64..).zip(records) {
        // A watermark that comes again would go back.
        if (matches!(record, Record::Fact(_)) || is_of_book(&record)) && dice.unit() <= share {
            waiting.entry(place + 1 + dice.below(REDELIVERY_SPAN)).or_default().push(record.clone());
        }
        result.push(record);
        while let Some(entry) = waiting.first_entry().filter(|entry| *entry.key() <= place) {
            result.extend(entry.remove());
        }
    }
    result.extend(waiting.into_values().flatten());
    result
}

/// This share of the facts is corrected later in the sequence of its source: one half replaced without consequence, the
/// rest replaced by another amount of time or revoked; some corrections are revoked in turn. Sequences stay contiguous.
pub fn with_corrections(records: Vec<Record>, share: f64, seed: u64) -> Vec<Record> {
    let mut dice = Dice::new(seed, 13);
    let mut next = FIRST_CORRECTION;
    let mut waiting: BTreeMap<u64, Vec<Fact>> = BTreeMap::new();
    let span = (records.len() as u64 / 4).max(1);
    let mut result = Vec::with_capacity(records.len() + (records.len() as f64 * share) as usize);
    let mut now = i64::MIN;
    for (place, record) in (0u64..).zip(records) {
        if let Record::Fact(fact) = &record {
            now = now.max(fact.event_time);
            if dice.unit() <= share {
                next += 1;
                let correction = correction_of(fact, next, &mut dice);
                let when = place + 1 + dice.below(span);
                if dice.chance(2_000) {
                    next += 1;
                    let undone = revocation(&correction, next);
                    waiting.entry(when + 1 + dice.below(span)).or_default().push(undone);
                }
                waiting.entry(when).or_default().push(correction);
            }
        }
        result.push(record);
        while let Some(entry) = waiting.first_entry().filter(|entry| *entry.key() <= place) {
            result.extend(entry.remove().into_iter().map(|fact| recorded(fact, now)));
        }
    }
    result.extend(waiting.into_values().flatten().map(|fact| recorded(fact, now)));
    renumber(&mut result);
    result
}

fn correction_of(fact: &Fact, event_id: EventId, dice: &mut Dice) -> Fact {
    if dice.chance(2_000) {
        return revocation(fact, event_id);
    }
    let mut replacement = fact.clone();
    replacement.event_id = event_id;
    replacement.correction = Some((CorrectionKind::Replace, fact.event_id));
    if dice.chance(3_000) {
        // It happened a few seconds earlier.
        replacement.event_time -= dice.between(1, 5_000);
    }
    replacement.set(Field::Remark, Value::Text("更正".into()));
    replacement
}

/// The replacement of a fact by the same content with a remark: nothing that is judged changes.
pub(super) fn harmless_replacement(fact: &Fact, event_id: EventId, recorded_at: i64) -> Fact {
    let mut replacement = fact.clone();
    replacement.event_id = event_id;
    replacement.correction = Some((CorrectionKind::Replace, fact.event_id));
    replacement.set(Field::Remark, Value::Text("更正".into()));
    replacement.set(Field::RecordedTime, Value::Int(recorded_at));
    replacement
}

/// A fact that undoes another: envelope, behaviour and bill of its target.
fn revocation(target: &Fact, event_id: EventId) -> Fact {
    Fact {
        event_id,
        correction: Some((CorrectionKind::Revoke, target.event_id)),
        fields: target.fields.iter().filter(|(field, _)| is_kept(*field)).cloned().collect(),
        ..target.clone()
    }
}

/// A revocation of reference data must still name the entity that it is about.
fn is_kept(field: Field) -> bool {
    matches!(
        field,
        Field::InitiatorId
            | Field::InitiatorInst
            | Field::CounterpartyId
            | Field::CounterpartyInst
            | Field::AmountFen
            | Field::EntId
            | Field::LegalInstId
            | Field::ParticipantCode
            | Field::AcceptorId
            | Field::DrawerId
    )
}

fn recorded(mut fact: Fact, now: i64) -> Record {
    if matches!(fact.correction, Some((CorrectionKind::Revoke, _))) {
        fact.event_time = now;
    }
    fact.set(Field::RecordedTime, Value::Int(now));
    fact.stamp.ingest_time = now;
    Record::Fact(fact)
}

/// Numbers every source from 1 in the order of the list.
fn renumber(records: &mut [Record]) {
    let mut last: BTreeMap<Source, u64> = BTreeMap::new();
    for record in records {
        let (source, _) = record.sequence();
        let number = last.entry(source).or_default();
        *number += 1;
        match record {
            Record::Fact(fact) => fact.source_seq = *number,
            Record::Control(control) => control.source_seq = *number,
        }
    }
}

#[cfg(test)]
mod tests {
    use billwatch_market::catalogue::Catalogue;
    use billwatch_market::validate;

    use super::super::{Settings, Simulator};
    use super::*;

    fn market() -> Vec<Record> {
        Simulator::new(Settings::new(10_000, 9)).collect()
    }

    #[test]
    fn shuffling_keeps_every_record() {
        let records = market();
        let other = shuffled(records.clone(), 1);
        assert!(other == shuffled(records.clone(), 1) && other != records);
        let sorted = |records: &[Record]| {
            let mut numbers: Vec<_> = records.iter().map(Record::sequence).collect();
            numbers.sort();
            numbers
        };
        assert_eq!(sorted(&records), sorted(&other));
    }

    #[test]
    fn redelivered_records_are_equal_to_their_originals() {
        let records = market();
        let more = with_duplicates(records.clone(), 0.02, 2);
        let added = more.len() - records.len();
        assert!((100..300).contains(&added), "{added}");
        let mut first = BTreeMap::new();
        for record in &more {
            assert!(*first.entry(record.sequence()).or_insert(record) == record);
        }
        assert_eq!(first.len(), records.len());
    }

    #[test]
    fn corrections_are_accepted_and_numbered() {
        let catalogue = Catalogue::embedded();
        let records = market();
        let more = with_corrections(records.clone(), 0.01, 3);
        let mut last: BTreeMap<Source, u64> = BTreeMap::new();
        let mut kinds = [0, 0];
        for record in &more {
            let (source, number) = record.sequence();
            let known = last.entry(source).or_default();
            *known += 1;
            assert_eq!(number, *known);
            if let Err(refusal) = validate::check(record, &catalogue) {
                panic!("refused: {refusal:?} {record:?}");
            }
            if let Record::Fact(Fact { correction: Some((kind, _)), .. }) = record {
                kinds[usize::from(*kind == CorrectionKind::Revoke)] += 1;
            }
        }
        assert!(kinds[0] > 50 && kinds[1] > 20, "{kinds:?}");
    }
}
