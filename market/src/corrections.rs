//! Corrections and variants (facts.md 5, 7): from what was accepted to the facts of the market.
//!
//! [`effective`] is a pure function of the set of records: their order of arrival never matters. A correction points at one
//! target, so the records form trees with ordinary facts as roots, apart from corrections that point at nothing known or at
//! each other; those wait. The value of a record is worked out from the leaves up, without recursion: a chain of corrections
//! may be as long as a source likes.

use smallvec::SmallVec;

use crate::{
    books::is_of_book,
    fact::{CorrectionKind, EventId, Fact, Field, Source},
    fact_scope::{Home, home},
};

/// A record that has the event id of another record and other content (P174).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Variant {
    /// The shared event id.
    pub event_id: EventId,
    /// Who sent it.
    pub source: Source,
    /// Its number in the sequence of the source.
    pub source_seq: u64,
}

/// The facts of the market, and what became of the other records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Effective {
    /// Ordinary facts that are not revoked, with the content that counts, by order key. A replaced fact keeps event id,
    /// source, source_seq and stamp of the root.
    pub facts: Vec<Fact>,
    /// Corrections that wait: target unknown, behaviour or bill of the target not kept, or part of a circle. WAITING.
    pub waiting: Vec<EventId>,
    /// Ordinary facts whose value is VOID. REVOKED.
    pub void: Vec<EventId>,
    /// Records without effect because a smaller (source rank, source_seq) has their event id, by event id.
    pub variants: Vec<Variant>,
    /// Records of books (`books`), each once, by order key: what members say of the market, no facts of it.
    pub books: Vec<Fact>,
}

impl Effective {
    /// True when another record with the event id of this one counts.
    pub fn is_variant(&self, record: &Fact) -> bool {
        let Fact { event_id, source, source_seq, .. } = *record;
        self.variants.contains(&Variant { event_id, source, source_seq })
    }
}

/// The value of a record (facts.md 5): void, "revoke", or the content of the record with this index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    Void,
    Revoke,
    Content(usize),
}

/// Which correction counts: the greatest of these.
type Preference = (i64, u8, u64, EventId);

fn preference(correction: &Fact) -> Preference {
    let recorded = correction.int(Field::RecordedTime).unwrap_or(correction.event_time);
    (recorded, correction.source.rank(), correction.source_seq, correction.event_id)
}

/// Works out the facts of the market from all accepted records of one bill, or of one subject of reference data.
///
/// A correction whose target is not among the records waits, so the records of a correction and of its target must come
/// together; both have the same bill, or it waits anyway.
pub fn effective(records: Vec<Fact>) -> Effective {
    resolve(records, |_| true)
}

/// [`effective`] of the records of one home, among which are copies of records elsewhere that share an event id with one of
/// them (`variants`): a copy decides which record counts, and how many others there are, and nothing else.
pub fn effective_at(at: Home, records: Vec<Fact>) -> Effective {
    resolve(records, |record| home(record) == at)
}

fn resolve(mut records: Vec<Fact>, is_own: impl Fn(&Fact) -> bool) -> Effective {
    let mut result = Effective { books: take_books(&mut records), ..Effective::default() };
    if !are_simple(&records) {
        (records, result.variants) = split_variants(records);
    }
    records.retain(is_own);
    if records.iter().all(|record| record.correction.is_none()) {
        result.facts = records;
    } else {
        correct(records, &mut result);
    }
    result.facts.sort_unstable_by(crate::fact::by_order);
    result
}

/// Takes the records of books out. They cannot be corrected, and their ids are no event ids.
fn take_books(records: &mut Vec<Fact>) -> Vec<Fact> {
    if !records.iter().any(is_of_book) {
        return Vec::new();
    }
    let (mut books, others): (Vec<Fact>, Vec<Fact>) = std::mem::take(records).into_iter().partition(is_of_book);
    *records = others;
    books.sort_unstable_by_key(|book| (book.event_id, book.source_seq));
    books.dedup_by_key(|book| book.event_id);
    books.sort_unstable_by(crate::fact::by_order);
    books
}

/// True when every record counts as it is. So it is with nearly all lives; their records then stay where they lie.
fn are_simple(records: &[Fact]) -> bool {
    let mut ids: SmallVec<[EventId; 32]> = records.iter().map(|record| record.event_id).collect();
    ids.sort_unstable();
    ids.windows(2).all(|pair| pair[0] != pair[1]) && records.iter().all(|record| record.correction.is_none())
}

/// One record an event id, by event id; and the variants. A redelivery (same content) is neither.
fn split_variants(mut records: Vec<Fact>) -> (Vec<Fact>, Vec<Variant>) {
    records.sort_unstable_by_key(|record| (record.event_id, record.source.rank(), record.source_seq));
    let mut variants = Vec::new();
    records.dedup_by(|later, counts| {
        if later.event_id != counts.event_id {
            return false;
        }
        if !later.same_content(counts) {
            let Fact { event_id, source, source_seq, .. } = *later;
            let variant = Variant { event_id, source, source_seq };
            // A copy may have been delivered more than once.
            if variants.last() != Some(&variant) {
                variants.push(variant);
            }
        }
        true
    });
    (records, variants)
}

fn correct(records: Vec<Fact>, result: &mut Effective) {
    let targets: Vec<Option<usize>> = records.iter().map(|record| target(record, &records)).collect();
    let mut open = vec![0u32; records.len()];
    for target in targets.iter().flatten() {
        open[*target] += 1;
    }
    // From the leaves up: a record has its value once all its corrections have theirs. Circles are never reached.
    let mut counts: Vec<Option<usize>> = vec![None; records.len()];
    let mut values: Vec<Option<Value>> = vec![None; records.len()];
    let mut ready: Vec<usize> = (0..records.len()).filter(|at| open[*at] == 0).collect();
    let mut done = 0;
    while let Some(&at) = ready.get(done) {
        done += 1;
        let value = match counts[at].and_then(|correction| values[correction]) {
            Some(Value::Revoke) => Value::Void,
            Some(content) => content,
            None if is_revoke(&records[at]) => Value::Revoke,
            None => Value::Content(at),
        };
        values[at] = Some(value);
        let Some(target) = targets[at] else { continue };
        let is_preferred = || counts[target].is_none_or(|known| preference(&records[known]) < preference(&records[at]));
        if value != Value::Void && is_preferred() {
            counts[target] = Some(at);
        }
        open[target] -= 1;
        if open[target] == 0 {
            ready.push(target);
        }
    }
    // From the roots down: a correction has effect when its chain of targets ends at an ordinary fact.
    let mut is_rooted = vec![false; records.len()];
    for &at in ready.iter().rev() {
        is_rooted[at] = records[at].correction.is_none() || targets[at].is_some_and(|target| is_rooted[target]);
    }
    for (at, record) in records.iter().enumerate() {
        match values[at] {
            _ if record.correction.is_some() => {
                if !is_rooted[at] {
                    result.waiting.push(record.event_id);
                }
            }
            Some(Value::Content(content)) => result.facts.push(with_identity_of(record, &records[content])),
            _ => result.void.push(record.event_id),
        }
    }
}

fn is_revoke(record: &Fact) -> bool {
    matches!(record.correction, Some((CorrectionKind::Revoke, _)))
}

/// The target of a correction, when it is known and the correction keeps its behaviour and bill.
fn target(record: &Fact, records: &[Fact]) -> Option<usize> {
    let (_, wanted) = record.correction?;
    let at = records.binary_search_by_key(&wanted, |known| known.event_id).ok()?;
    let target = &records[at];
    (target.behaviour == record.behaviour && target.bill_id == record.bill_id).then_some(at)
}

/// The content with the identity of the root, so that it stands in the place of the root.
fn with_identity_of(root: &Fact, content: &Fact) -> Fact {
    Fact {
        event_id: root.event_id,
        source: root.source,
        source_seq: root.source_seq,
        stamp: root.stamp,
        correction: None,
        ..content.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        fact::{Range, SOURCES, Stamp, Value as FieldValue, behaviour},
        ids::{BillId, Day},
    };

    /// One record of a random correction graph; ids are small so that they meet.
    #[derive(Clone, Copy, Debug)]
    struct Drawn {
        id: u8,
        seq: u8,
        source: u8,
        kind: Option<bool>,
        target: u8,
        recorded: Option<u8>,
        time: u8,
        other_behaviour: bool,
    }

    fn record(drawn: Drawn) -> Fact {
        let mut fact = Fact {
            event_id: u128::from(drawn.id),
            behaviour: if drawn.other_behaviour { behaviour::ACC_REQ } else { behaviour::ACC_SGN },
            event_time: i64::from(drawn.time),
            biz_date: Day(20_000),
            source: SOURCES[usize::from(drawn.source) % SOURCES.len()],
            source_seq: u64::from(drawn.seq),
            stamp: Stamp::default(),
            bill_id: BillId::parse("531333100011720250310000000012"),
            range: Range::WHOLE,
            range_given: true,
            correction: drawn.kind.map(|is_revoke| {
                let kind = if is_revoke { CorrectionKind::Revoke } else { CorrectionKind::Replace };
                (kind, u128::from(drawn.target))
            }),
            fields: vec![],
        };
        if let Some(recorded) = drawn.recorded {
            fact.set(Field::RecordedTime, FieldValue::Int(i64::from(recorded)));
        }
        fact
    }

    fn drawn() -> impl Strategy<Value = Drawn> {
        (0u8..10, any::<u8>(), 0u8..3, proptest::option::weighted(0.7, any::<bool>()), 0u8..11)
            .prop_flat_map(|(id, seq, source, kind, target)| {
                let rest = (proptest::option::of(0u8..4), 0u8..4, proptest::bool::weighted(0.1));
                rest.prop_map(move |(recorded, time, other_behaviour)| Drawn {
                    id,
                    seq,
                    source,
                    kind,
                    target,
                    recorded,
                    time,
                    other_behaviour,
                })
            })
            .prop_filter("a fact that corrects itself is refused", |drawn| {
                drawn.kind.is_none() || drawn.id != drawn.target
            })
    }

    /// facts.md 5, word by word. `None` = VOID; a revoke that counts is itself.
    fn plain_value<'a>(of: &'a Fact, records: &'a [&'a Fact]) -> Option<&'a Fact> {
        let corrections = records.iter().filter(|record| {
            record.correction.is_some_and(|(_, target)| target == of.event_id)
                && record.behaviour == of.behaviour
                && record.bill_id == of.bill_id
        });
        let counts = corrections
            .filter_map(|record| plain_value(record, records).map(|value| (preference(record), value)))
            .max_by_key(|(preference, _)| *preference);
        match counts {
            None => Some(of),
            Some((_, value)) if is_revoke(value) => None,
            Some((_, value)) => Some(value),
        }
    }

    fn plain(records: &[Fact]) -> Vec<(EventId, Option<Fact>)> {
        let is_smallest = |record: &&Fact| {
            let key = (record.source.rank(), record.source_seq);
            records
                .iter()
                .filter(|other| other.event_id == record.event_id)
                .all(|other| (other.source.rank(), other.source_seq) >= key)
        };
        let mut counting: Vec<&Fact> = records.iter().filter(is_smallest).collect();
        counting.dedup_by_key(|record| record.event_id);
        let roots = counting.iter().filter(|record| record.correction.is_none());
        let mut values: Vec<_> = roots.map(|root| (root.event_id, plain_value(root, &counting).cloned())).collect();
        values.sort_by_key(|(id, _)| *id);
        values
    }

    proptest! {
        #[test]
        fn values_are_those_of_the_definition_in_any_order(
            drawn in proptest::collection::vec(drawn(), 1..14),
            shuffled_by in any::<u64>(),
        ) {
            let mut records: Vec<Fact> = drawn.into_iter().map(record).collect();
            // (source, source_seq) is unique among accepted records.
            records.sort_by_key(|record| (record.source.rank(), record.source_seq));
            records.dedup_by_key(|record| (record.source, record.source_seq));
            records.sort_by_key(|record| record.event_id);
            let result = effective(records.clone());
            for (root, value) in plain(&records) {
                let found = result.facts.iter().find(|fact| fact.event_id == root);
                prop_assert_eq!(found.is_none(), value.is_none(), "root {}", root);
                prop_assert_eq!(result.void.contains(&root), value.is_none());
                if let (Some(found), Some(value)) = (found, value) {
                    prop_assert_eq!(found.event_time, value.event_time);
                    prop_assert_eq!(&found.fields, &value.fields);
                    prop_assert_eq!(found.correction, None);
                }
            }
            let mut other = records.clone();
            let mut state = shuffled_by;
            for at in (1..other.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                other.swap(at, (state >> 33) as usize % (at + 1));
            }
            prop_assert_eq!(effective(other), result);
        }
    }

    fn plain_record(id: u8, kind: Option<bool>, target: u8, recorded: u8) -> Fact {
        let recorded = Some(recorded);
        record(Drawn { id, seq: id, source: 3, kind, target, recorded, time: id, other_behaviour: false })
    }

    const REVOKE: Option<bool> = Some(true);
    const REPLACE: Option<bool> = Some(false);

    #[test]
    fn records_that_count_as_they_are_are_put_in_order() {
        let of = |ids: &[u8]| ids.iter().map(|id| plain_record(*id, None, 0, 1)).collect::<Vec<_>>();
        let result = effective(of(&[3, 1, 2]));
        assert_eq!(result, Effective { facts: of(&[1, 2, 3]), ..Effective::default() });
        assert_eq!(effective(of(&[3, 1, 3, 2])), result, "a redelivery counts once");
    }

    #[test]
    fn a_revoked_revocation_brings_the_fact_back() {
        let fact = plain_record(1, None, 0, 1);
        let revoked = vec![fact.clone(), plain_record(2, REVOKE, 1, 2)];
        assert_eq!(effective(revoked.clone()).void, [1]);
        let back = [revoked, vec![plain_record(3, REVOKE, 2, 3)]].concat();
        assert_eq!(effective(back).facts, [fact]);
    }

    #[test]
    fn a_replaced_revocation_is_a_replacement() {
        let records = vec![plain_record(1, None, 0, 1), plain_record(2, REVOKE, 1, 2), plain_record(3, REPLACE, 2, 3)];
        let facts = effective(records).facts;
        assert_eq!((facts.len(), facts[0].event_id, facts[0].source_seq, facts[0].event_time), (1, 1, 1, 3));
    }

    #[test]
    fn circles_and_strangers_wait() {
        let mut stranger = plain_record(5, REVOKE, 1, 2);
        stranger.behaviour = behaviour::ACC_REQ;
        let records = vec![
            plain_record(1, None, 0, 1),
            plain_record(2, REVOKE, 3, 2),
            plain_record(3, REVOKE, 2, 2),
            plain_record(4, REVOKE, 2, 2),
            stranger,
            plain_record(6, REVOKE, 99, 2),
            plain_record(7, REVOKE, 6, 2),
        ];
        let result = effective(records);
        assert_eq!((result.waiting, result.facts.len()), (vec![2, 3, 4, 5, 6, 7], 1));
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let long = 100_000u128;
        let mut records = vec![plain_record(1, None, 0, 1)];
        for number in 1..=long {
            let mut next = plain_record(1, REVOKE, 0, 1);
            next.event_id = number + 1;
            next.source_seq = number as u64 + 1;
            next.correction = Some((CorrectionKind::Revoke, number));
            records.push(next);
        }
        assert_eq!(effective(records).facts.len(), 1);
    }
}
