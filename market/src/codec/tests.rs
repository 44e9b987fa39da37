//! The layout comes back, is fixed, and survives damage.

use proptest::prelude::*;

use super::*;
use crate::arbitrary::{fact, record};

proptest! {
    #[test]
    fn every_record_comes_back(records in prop::collection::vec(record(), 1..6)) {
        let mut bytes = Vec::new();
        for record in &records {
            encode_record(record, &mut bytes);
        }
        let mut rest = bytes.as_slice();
        for record in &records {
            prop_assert_eq!(&decode_record(&mut rest).unwrap(), record);
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn every_cut_record_is_an_error(record in record()) {
        let mut bytes = Vec::new();
        encode_record(&record, &mut bytes);
        for length in 0..bytes.len() {
            let mut rest = &bytes[..length];
            prop_assert_eq!(decode_record(&mut rest), Err(CodecError::Truncated), "cut to {}", length);
            prop_assert_eq!(rest.len(), length);
        }
    }

    /// Whatever still reads after damage is a record with valid parts: it can be written and read again.
    #[test]
    fn a_damaged_record_never_panics(record in record(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..5)) {
        let mut bytes = Vec::new();
        encode_record(&record, &mut bytes);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Ok(read) = decode_record(&mut bytes.as_slice()) {
            let mut again = Vec::new();
            encode_record(&read, &mut again);
            prop_assert_eq!(decode_record(&mut again.as_slice()).unwrap(), read);
        }
    }

    #[test]
    fn garbage_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_record(&mut bytes.as_slice());
        if let Some(head) = bytes.first_mut() {
            *head = VERSION << 4 | *head & 7;
        }
        let _ = decode_record(&mut bytes.as_slice());
    }

    #[test]
    fn a_fact_is_the_same_in_both_forms(fact in fact()) {
        let (mut as_fact, mut as_record) = (Vec::new(), Vec::new());
        encode_fact(&fact, &mut as_fact);
        encode_record(&Record::Fact(fact.clone()), &mut as_record);
        prop_assert_eq!(&as_fact, &as_record);
        prop_assert_eq!(decode_fact(&mut as_fact.as_slice()).unwrap(), fact);
    }
}

#[test]
fn another_version_is_named() {
    assert_eq!(decode_record(&mut [0x20, 0].as_slice()), Err(CodecError::Version(2)));
    assert_eq!(decode_record(&mut [0x16, 0].as_slice()), Err(CodecError::Kind(6)));
    assert_eq!(decode_fact(&mut [0x12, 3, 1].as_slice()), Err(CodecError::Kind(2)));
}

/// The bytes of the log outlive the build: a change of the layout must raise `VERSION`, not pass unseen.
#[test]
fn the_layout_is_fixed() {
    let fact = Fact {
        event_id: 258,
        behaviour: Behaviour(5),
        event_time: 1000,
        biz_date: Day(20_000),
        source: Source::Ngbs,
        source_seq: 7,
        stamp: Stamp { ingest_time: 1001, source_watermark: i64::MIN },
        bill_id: BillId::parse("0012"),
        range: Range { start: 1, end: 300 },
        range_given: true,
        correction: None,
        fields: vec![
            (Field::Channel, Value::Code(Code::of("EBANK"))),
            (Field::AmountFen, Value::Int(300)),
            (Field::InitiatorId, Value::Party(PartyId::enterprise(1))),
        ],
    };
    let mut bytes = Vec::new();
    encode_fact(&fact, &mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "10030305020201d00fc0b8020702".to_owned() + "04010c01ab0203" + "09344542414e4b" + "0f025802" + "104101"
    );
}
