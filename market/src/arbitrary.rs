//! Random records for property tests: every field with a value of its type, every control record. Test code only.

use proptest::{option, prelude::*};
use unicode_normalization::UnicodeNormalization;

use crate::{
    catalogue::{
        Catalogue,
        fields::{Bound, FieldKind},
    },
    fact::{
        BEHAVIOUR_CODES, Behaviour, Control, ControlKind, CorrectionKind, FIELDS, Fact, Field, Range, Record, SOURCES,
        Stamp, Value,
    },
    ids::{BillId, Code, Day, InstId, PartyId},
};

/// 2009-01-01T00:00Z to 2099-12-31T00:00Z, ms.
const TIMES: std::ops::Range<i64> = 1_230_768_000_000..4_102_358_400_000;

/// A fact of this behaviour with a bill and nothing else.
pub fn plain_fact(behaviour: Behaviour) -> Fact {
    Fact {
        event_id: 1,
        behaviour,
        event_time: 1_759_852_800_000,
        biz_date: Day(20_369),
        source: SOURCES[3],
        source_seq: 1,
        stamp: Stamp { ingest_time: 1_759_852_800_000, source_watermark: i64::MIN },
        bill_id: BillId::parse("531333100011720250310000000012"),
        range: Range::WHOLE,
        range_given: true,
        correction: None,
        fields: vec![(Field::InitiatorId, Value::Party(PartyId::enterprise(17)))],
    }
}

/// Fields that live in the envelope of a fact or only in control records.
pub fn is_envelope(field: Field) -> bool {
    use Field::*;
    matches!(
        field,
        EventId
            | Behaviour
            | EventTime
            | BizDate
            | Source
            | SourceSeq
            | IngestTime
            | Correction
            | CorrectsEventId
            | BillId
            | SubStart
            | SubEnd
            | Control
            | WatermarkTime
            | BookDate
            | LineCount
            | BookTotalFen
            | HolderId
    )
}

fn day() -> impl Strategy<Value = Day> {
    (-7_397..=47_481).prop_map(Day)
}

fn code() -> impl Strategy<Value = Code> {
    "[A-Z0-9+.-]{1,16}".prop_map(|text| Code::parse(&text).expect("the pattern is the form of a code"))
}

fn party() -> impl Strategy<Value = PartyId> {
    prop_oneof![
        (0..10_000_000_000u64).prop_map(PartyId::enterprise),
        (0..1_000_000u64).prop_map(PartyId::legal),
        (0..10_000_000_000u64).prop_map(PartyId::court),
        (0..10_000_000_000u64).prop_map(PartyId::person),
        Just(PartyId::SYSTEM),
        Just(PartyId::MARKET),
    ]
}

fn bill() -> impl Strategy<Value = BillId> {
    "[0-9]{1,38}".prop_map(|text| BillId::parse(&text).expect("digits"))
}

fn range() -> impl Strategy<Value = Range> {
    prop_oneof![
        Just(Range::WHOLE),
        (1..500_000_000_000u64, 0..499_999_999_999u64).prop_map(|(start, extra)| Range { start, end: start + extra })
    ]
}

/// A value within the bounds of the field.
fn value(field: Field) -> BoxedStrategy<Value> {
    let catalogue = Catalogue::embedded();
    let row = catalogue.fields.get(field);
    let text = |pattern: &'static str| {
        pattern.prop_map(|text: String| Value::Text(text.nfc().collect::<String>().into())).boxed()
    };
    match row.kind {
        FieldKind::Integer | FieldKind::Unsigned => match row.bound {
            Bound::Integer { min, max } => (min..=max).prop_map(Value::Int).boxed(),
            Bound::Amount => (0..=i64::MAX).prop_map(Value::Int).boxed(),
            Bound::Instant { .. } => TIMES.prop_map(Value::Int).boxed(),
            _ => any::<i64>().prop_map(Value::Int).boxed(),
        },
        FieldKind::Id => any::<u128>().prop_map(|id| Value::Id(id.into())).boxed(),
        FieldKind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        FieldKind::Date => day().prop_map(Value::Date).boxed(),
        FieldKind::Code(_) => code().prop_map(Value::Code).boxed(),
        FieldKind::Codes(_) => proptest::collection::btree_set(code(), 0..14)
            .prop_map(|codes| Value::Codes(codes.into_iter().collect()))
            .boxed(),
        FieldKind::Text => match row.bound {
            Bound::PrintableAscii { .. } => text("[ -~]{1,20}"),
            Bound::Hex { .. } => text("[0-9a-f]{16,64}"),
            Bound::Digits { count } => proptest::collection::vec(0..10u8, count)
                .prop_map(|digits| Value::Text(digits.iter().map(|digit| (b'0' + digit) as char).collect()))
                .boxed(),
            Bound::Month => text("20[0-9][0-9]-(0[1-9]|1[0-2])"),
            Bound::FieldName => text("(remark|amount_fen)"),
            Bound::FieldNameOf(_) => text("(name|city)"),
            // A value that is right for both of them.
            Bound::ValueOfFieldName => text("[A-Z0-9]{1,16}"),
            _ => text("\\PC{1,20}"),
        },
        FieldKind::Party | FieldKind::Bill => party().prop_map(Value::Party).boxed(),
        FieldKind::Enterprise => (0..10_000_000_000u64).prop_map(|n| Value::Party(PartyId::enterprise(n))).boxed(),
        FieldKind::Legal => (0..1_000_000u64).prop_map(|n| Value::Party(PartyId::legal(n))).boxed(),
        FieldKind::Person => (0..10_000_000_000u64).prop_map(|n| Value::Party(PartyId::person(n))).boxed(),
        FieldKind::Group => (0..1_000_000u64).prop_map(|n| Value::Party(PartyId::group(n))).boxed(),
        FieldKind::Inst => (0..1_000_000_000u32).prop_map(|n| Value::Inst(InstId(n))).boxed(),
    }
}

fn fields() -> impl Strategy<Value = Vec<(Field, Value)>> {
    let plain: Vec<Field> = FIELDS.into_iter().filter(|field| !is_envelope(*field)).collect();
    let one = proptest::sample::select(plain).prop_flat_map(|field| (Just(field), value(field)));
    proptest::collection::vec(one, 0..14).prop_map(|fields| {
        let sorted: std::collections::BTreeMap<Field, Value> = fields.into_iter().collect();
        sorted.into_iter().collect()
    })
}

/// Any fact that the in-memory form allows.
pub fn fact() -> impl Strategy<Value = Fact> {
    let correction = (prop_oneof![Just(CorrectionKind::Revoke), Just(CorrectionKind::Replace)], any::<u128>());
    let envelope = (any::<u128>(), 0..BEHAVIOUR_CODES.len() as u16, TIMES, day(), 0..SOURCES.len(), 1..u64::MAX);
    let stamp = (TIMES, prop_oneof![Just(i64::MIN), TIMES]);
    (envelope, stamp, option::of(bill()), range(), any::<bool>(), option::of(correction), fields()).prop_map(
        |(envelope, stamp, bill_id, range, given, correction, fields)| Fact {
            event_id: envelope.0,
            behaviour: Behaviour(envelope.1),
            event_time: envelope.2,
            biz_date: envelope.3,
            source: SOURCES[envelope.4],
            source_seq: envelope.5,
            stamp: Stamp { ingest_time: stamp.0, source_watermark: stamp.1 },
            bill_id,
            range,
            range_given: given || range != Range::WHOLE,
            correction,
            fields,
        },
    )
}

/// A fact that no rule refuses, save for a date before another one or a correction of itself.
pub fn acceptable_fact() -> impl Strategy<Value = Fact> {
    let catalogue = Catalogue::embedded();
    let few = |behaviour: &Behaviour| catalogue.payloads.of(*behaviour).refuses.len() <= 4;
    let behaviours: Vec<Behaviour> = (0..BEHAVIOUR_CODES.len() as u16).map(Behaviour).filter(few).collect();
    (fact(), proptest::sample::select(behaviours), bill(), party()).prop_map(|(mut fact, behaviour, bill, sender)| {
        fact.behaviour = behaviour;
        fact.bill_id = Some(bill);
        fact.set(Field::InitiatorId, Value::Party(sender));
        fact
    })
}

fn control() -> impl Strategy<Value = Control> {
    let kind = prop_oneof![
        TIMES.prop_map(ControlKind::Watermark),
        Just(ControlKind::Idle),
        Just(ControlKind::Resume),
        (party(), day(), bill(), range(), 0..i64::MAX).prop_map(|(holder, date, bill_id, range, amount_fen)| {
            ControlKind::BookLine { holder, date, bill_id, range, amount_fen }
        }),
        (party(), day(), 0..i64::MAX, 0..i64::MAX).prop_map(|(holder, date, line_count, total_fen)| {
            ControlKind::BookEnd { holder, date, line_count, total_fen }
        }),
    ];
    (0..SOURCES.len(), 1..u64::MAX, kind).prop_map(|(source, source_seq, kind)| Control {
        source: SOURCES[source],
        source_seq,
        kind,
    })
}

/// Any record.
pub fn record() -> impl Strategy<Value = Record> {
    prop_oneof![4 => fact().prop_map(Record::Fact), 1 => control().prop_map(Record::Control)]
}
