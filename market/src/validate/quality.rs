//! What is accepted and flagged: the tests behind the data-quality patterns P176, P178, P179 and P186.

use smallvec::SmallVec;

use crate::{
    catalogue::{
        Catalogue,
        fields::FieldKind,
        payloads::{ALWAYS_PRESENT, Presence},
    },
    fact::{Fact, Field, Value},
    field_set::FieldSet,
    ids::{BillId, Code, Day, PartyKind},
};

/// What a condition of `payloads.csv` may ask of the bill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BillMarks {
    /// `bill_kind`: BAB, FAB or CAB.
    pub kind: Code,
    /// `medium`: ELEC or PAPER.
    pub medium: Code,
}

/// Fields that the fact should carry and does not (P179), in the order of `payloads.csv`. `bill` is `None` while the bill is
/// unknown: conditions on it are false then (facts.md section 6).
pub fn missing_mandatory(fact: &Fact, bill: Option<BillMarks>, catalogue: &Catalogue) -> SmallVec<[Field; 4]> {
    let payload = catalogue.payloads.of(fact.behaviour);
    let alerts = payload.alerts.iter().chain(&catalogue.payloads.common().alerts);
    alerts
        .filter(|(field, condition)| {
            !is_present(fact, *field) && condition.as_ref().is_none_or(|condition| holds(condition, fact, bill))
        })
        .map(|(field, _)| *field)
        .collect()
}

/// Whether [`missing_mandatory`] finds anything. Nearly every fact has all that it should: one look at its set of fields.
pub fn misses_mandatory(fact: &Fact, bill: impl FnOnce() -> Option<BillMarks>, catalogue: &Catalogue) -> bool {
    let payloads = [catalogue.payloads.of(fact.behaviour), catalogue.payloads.common()];
    let mut present: FieldSet = fact.fields.iter().map(|(field, _)| *field).collect();
    for field in OFTEN_ABSENT {
        if is_present(fact, field) {
            present.insert(field);
        }
    }
    if payloads.iter().any(|payload| !present.contains_all(&payload.always_alerts)) {
        return true;
    }
    let mut open = payloads
        .iter()
        .flat_map(|payload| &payload.alerts_if)
        .filter(|(field, _)| !present.contains(*field) && !is_present(fact, *field));
    let Some(first) = open.next() else { return false };
    let bill = bill();
    std::iter::once(first).chain(open).any(|(_, condition)| holds(condition, fact, bill))
}

/// Fields that stand outside the list of fields of a fact and may be absent.
const OFTEN_ABSENT: [Field; 5] =
    [Field::BillId, Field::Correction, Field::CorrectsEventId, Field::SubStart, Field::SubEnd];

fn is_present(fact: &Fact, field: Field) -> bool {
    match field {
        Field::BillId => fact.bill_id.is_some(),
        Field::Correction | Field::CorrectsEventId => fact.correction.is_some(),
        Field::SubStart | Field::SubEnd => fact.range_given,
        _ if ALWAYS_PRESENT.contains(&field) => true,
        _ => fact.get(field).is_some(),
    }
}

fn holds(condition: &Presence, fact: &Fact, bill: Option<BillMarks>) -> bool {
    match condition {
        Presence::PartyOfMarket(field) => {
            fact.party(*field).is_some_and(|party| matches!(party.kind(), PartyKind::Enterprise | PartyKind::Legal))
        }
        Presence::Present(field) => is_present(fact, *field),
        Presence::FactCode(field, codes) => {
            // `fields.csv`: an absent relation_kind is a MEMBER. No other condition reads a field with a default.
            let default = (*field == Field::RelationKind).then_some(Code::of("MEMBER"));
            fact.code(*field).or(default).is_some_and(|code| codes.contains(&code))
        }
        Presence::BillCode(field, codes) => bill.is_some_and(|bill| match field {
            Field::BillKind => codes.contains(&bill.kind),
            Field::Medium => codes.contains(&bill.medium),
            _ => false,
        }),
    }
}

/// Fields with a code that its enumeration does not know (P178).
pub fn unknown_codes<'a>(fact: &'a Fact, catalogue: &'a Catalogue) -> impl Iterator<Item = Field> + 'a {
    let table = move |field: Field| match catalogue.fields.get(field).kind {
        FieldKind::Code(table) | FieldKind::Codes(table) => Some(catalogue.enums.get(table)),
        _ => None,
    };
    let knows = move |field: Field, codes: &[Code]| {
        table(field).is_none_or(|table| codes.iter().all(|code| table.contains(*code)))
    };
    let is_unknown = move |(field, value): &&(Field, Value)| match value {
        Value::Code(code) => !knows(*field, std::slice::from_ref(code)),
        Value::Codes(codes) => !knows(*field, codes),
        _ => false,
    };
    fact.fields.iter().filter(is_unknown).map(|(field, _)| *field)
}

/// What is wrong with a bill number (domain.md 2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BillNumberFault {
    /// Not 30 digits; nothing else can be read then.
    Length,
    /// The first digit is no kind of bill.
    Kind,
    /// Digits 2-13 are no known bank number.
    Bank,
    /// Digits 14-21 are not the issue date.
    Date,
    /// Digit 30 is not the sum of the others modulo 10.
    CheckDigit,
}

/// The faults of a bill number (P176), in the order of its digits. `kind_digits` are the first digits allowed;
/// `is_known_bank` is asked with the 12 digits as a number; without `issue_date` digits 14-21 need only be a date.
pub fn bill_number_faults(
    bill: BillId,
    issue_date: Option<Day>,
    is_known_bank: impl Fn(u64) -> bool,
    kind_digits: &[u8],
    check_digit: bool,
) -> SmallVec<[BillNumberFault; 4]> {
    let mut faults = SmallVec::new();
    if bill.length != 30 {
        faults.push(BillNumberFault::Length);
        return faults;
    }
    // The digits from the right: 1 check digit, 8 serial, 8 date, 12 bank, 1 kind.
    let digits = |behind: u32, count: u32| (bill.digits / 10u128.pow(behind) % 10u128.pow(count)) as u64;
    if !kind_digits.contains(&bill.kind_digit()) {
        faults.push(BillNumberFault::Kind);
    }
    if !is_known_bank(digits(17, 12)) {
        faults.push(BillNumberFault::Bank);
    }
    let date = digits(9, 8) as u32;
    let date = Day::from_ymd((date / 10_000) as i32, date / 100 % 100, date % 100);
    if date.is_none() || issue_date.is_some_and(|issued| date != Some(issued)) {
        faults.push(BillNumberFault::Date);
    }
    if check_digit {
        let mut rest = bill.digits / 10;
        let mut sum = 0;
        while rest > 0 {
            sum += rest % 10;
            rest /= 10;
        }
        if sum % 10 != bill.digits % 10 {
            faults.push(BillNumberFault::CheckDigit);
        }
    }
    faults
}

/// The 31 characters of a credit code, in the order of their values.
const CREDIT_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Whether a unified social credit code has 18 characters of the alphabet and the right last one (P186; GB 32100-2015 by
/// domain.md 3).
pub fn credit_code_is_good(code: &str) -> bool {
    let bytes = code.as_bytes();
    if bytes.len() != 18 {
        return false;
    }
    let (mut sum, mut weight, mut last) = (0, 1, 0);
    for (at, byte) in bytes.iter().enumerate() {
        let Some(value) = CREDIT_ALPHABET.iter().position(|known| known == byte) else { return false };
        if at < 17 {
            sum += value * weight;
            weight = weight * 3 % 31;
        }
        last = value;
    }
    // The rule gives 31 for a remainder of 0; there is no such value, it is written 0.
    last == (31 - sum % 31) % 31
}
