//! Master data of enterprises: MST.ENR, then MST.ENC and MST.ENX on top, as of an instant (derived.csv `ent_attr`).

use crate::{
    bill::TextHash,
    fact::{Fact, Field, Value, behaviour},
    ids::{Code, Day, PartyId},
    items::{Row, Vocabulary},
    reference_data::timeline::{Span, Timeline},
};

/// What is known of an enterprise at an instant. Codes are rows of their enumerations; texts that are only compared are
/// hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enterprise {
    /// Registered name.
    pub name: Option<Box<str>>,
    /// Unified social credit code.
    pub uscc: Option<Box<str>>,
    /// province.
    pub province: Row,
    /// city.
    pub city: Row,
    /// industry_section.
    pub industry_section: Row,
    /// industry_division.
    pub industry_division: Row,
    /// enterprise_size; `U` when not said.
    pub size: Row,
    /// ownership; `OW99` when not said.
    pub ownership: Row,
    /// registration_type.
    pub registration_type: Row,
    /// registry_status; `ACTIVE` when not said.
    pub registry_status: Row,
    /// rating; `NR` when not said.
    pub rating: Row,
    /// Bit n = row n of special_flag.
    pub special_flags: u32,
    /// Day of registration.
    pub reg_date: Option<Day>,
    /// Fen.
    pub reg_capital_fen: Option<i64>,
    /// Fen.
    pub paid_capital_fen: Option<i64>,
    /// Insured employees.
    pub employees: Option<i64>,
    /// Legal representative.
    pub legal_rep: Option<PartyId>,
    /// Ultimate beneficial owner.
    pub ubo: Option<PartyId>,
    /// Group by registration (not by MST.GRP).
    pub group: Option<PartyId>,
    /// Hash of the address hash.
    pub address: Option<u64>,
    /// Hash of the phone hash.
    pub phone: Option<u64>,
}

#[derive(Clone, Debug)]
enum Said {
    Registered(Box<Enterprise>),
    /// MST.ENC: the field and its new value as text.
    Changed(Field, Option<Box<str>>),
    Deregistered(Row),
}

/// One enterprise: what was said of it, and what it is from each instant on.
#[derive(Clone, Default)]
pub(super) struct EnterpriseHistory {
    said: Timeline<Said>,
    versions: Vec<(i64, Enterprise)>,
}

impl EnterpriseHistory {
    /// What it is at an instant, and when the reading is the same.
    pub fn read(&self, at: i64) -> (Option<&Enterprise>, Span) {
        let place = match self.versions.last() {
            Some((from, _)) if *from <= at => self.versions.len(),
            _ => self.versions.partition_point(|(from, _)| *from <= at),
        };
        let version = place.checked_sub(1).map(|last| &self.versions[last].1);
        (version, Span::between(&self.versions, place, |(from, _)| *from))
    }

    /// Every version, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &Enterprise> {
        self.versions.iter().map(|(_, version)| version)
    }

    pub fn put(&mut self, fact: &Fact, from: i64, present: bool, vocabulary: &Vocabulary) {
        if present {
            let said = match fact.behaviour {
                behaviour::MST_ENR => Said::Registered(Box::new(registered(fact, vocabulary))),
                behaviour::MST_ENC => {
                    let Some(field) = fact.text(Field::FieldName).and_then(field_of_name) else { return };
                    Said::Changed(field, fact.text(Field::NewValue).map(Box::from))
                }
                _ => Said::Deregistered(match fact.code(Field::RegistryStatus) {
                    Some(code) => vocabulary.row(vocabulary.known.registry_status, code),
                    None => vocabulary.row(vocabulary.known.registry_status, Code::of("DEREG")),
                }),
            };
            self.said.insert(from, fact.order_key(), said);
        } else {
            self.said.remove(from, fact.order_key());
        }
        self.rebuild(vocabulary);
    }

    fn rebuild(&mut self, vocabulary: &Vocabulary) {
        self.versions.clear();
        // What is said before the first registration has nothing to hold on to: the enterprise is unknown until then, and a
        // registration starts afresh.
        let mut current: Option<Enterprise> = None;
        for entry in self.said.entries() {
            match &entry.value {
                Said::Registered(enterprise) => current = Some((**enterprise).clone()),
                Said::Changed(field, value) => {
                    if let Some(enterprise) = &mut current {
                        enterprise.change(*field, value.as_deref(), vocabulary);
                    }
                }
                Said::Deregistered(status) => {
                    if let Some(enterprise) = &mut current {
                        enterprise.registry_status = *status;
                    }
                }
            }
            let Some(enterprise) = &current else { continue };
            match self.versions.last_mut() {
                Some((from, last)) if *from == entry.from => *last = enterprise.clone(),
                _ => self.versions.push((entry.from, enterprise.clone())),
            }
        }
    }
}

fn field_of_name(name: &str) -> Option<Field> {
    crate::fact::FIELDS.into_iter().find(|field| field.name() == name)
}

fn hash_of(fact: &Fact, field: Field) -> Option<u64> {
    fact.text(field).map(|text| TextHash::of(text).bits())
}

fn registered(fact: &Fact, vocabulary: &Vocabulary) -> Enterprise {
    let known = &vocabulary.known;
    let row = |enumeration, field| fact.code(field).map_or(Row::UNKNOWN, |code| vocabulary.row(enumeration, code));
    let or = |enumeration, field, default: &'static str| match fact.code(field) {
        Some(code) => vocabulary.row(enumeration, code),
        None => vocabulary.row_of_text(enumeration, default),
    };
    let mut special_flags = 0;
    if let Some(Value::Codes(codes)) = fact.get(Field::SpecialFlags) {
        special_flags = flags(codes.iter().map(|code| vocabulary.row(known.special_flag, *code)));
    }
    Enterprise {
        name: fact.text(Field::Name).map(Box::from),
        uscc: fact.text(Field::Uscc).map(Box::from),
        province: row(known.province, Field::Province),
        city: row(known.city, Field::City),
        industry_section: row(known.industry_section, Field::IndustrySection),
        industry_division: row(known.industry_division, Field::IndustryDivision),
        size: or(known.enterprise_size, Field::Size, "U"),
        ownership: or(known.ownership, Field::Ownership, "OW99"),
        registration_type: row(known.registration_type, Field::RegistrationType),
        registry_status: or(known.registry_status, Field::RegistryStatus, "ACTIVE"),
        rating: or(known.rating, Field::Rating, "NR"),
        special_flags,
        reg_date: fact.date(Field::RegDate),
        reg_capital_fen: fact.int(Field::RegCapitalFen),
        paid_capital_fen: fact.int(Field::PaidCapitalFen),
        employees: fact.int(Field::Employees),
        legal_rep: fact.party(Field::LegalRepId),
        ubo: fact.party(Field::UboId),
        group: fact.party(Field::GroupId),
        address: hash_of(fact, Field::AddressHash),
        phone: hash_of(fact, Field::PhoneHash),
    }
}

fn flags(rows: impl Iterator<Item = Row>) -> u32 {
    rows.filter(|row| row.0 < u32::BITS as u16).fold(0, |bits, row| bits | 1 << row.0)
}

impl Enterprise {
    /// Applies one MST.ENC. A text that does not parse as the field's type makes the value unknown.
    fn change(&mut self, field: Field, value: Option<&str>, vocabulary: &Vocabulary) {
        let known = &vocabulary.known;
        let row = |enumeration| value.map_or(Row::UNKNOWN, |text| vocabulary.row_of_text(enumeration, text));
        let number = value.and_then(|text| text.parse().ok());
        let party = value.and_then(PartyId::parse);
        let hash = value.map(|text| TextHash::of(text).bits());
        match field {
            Field::Name => self.name = value.map(Box::from),
            Field::Uscc => self.uscc = value.map(Box::from),
            Field::Province => self.province = row(known.province),
            Field::City => self.city = row(known.city),
            Field::IndustrySection => self.industry_section = row(known.industry_section),
            Field::IndustryDivision => self.industry_division = row(known.industry_division),
            Field::Size => self.size = row(known.enterprise_size),
            Field::Ownership => self.ownership = row(known.ownership),
            Field::RegistrationType => self.registration_type = row(known.registration_type),
            Field::RegistryStatus => self.registry_status = row(known.registry_status),
            Field::Rating => self.rating = row(known.rating),
            Field::SpecialFlags => {
                let codes = value.unwrap_or_default().split(|separator| ",;| ".contains(separator));
                self.special_flags = flags(codes.map(|code| vocabulary.row_of_text(known.special_flag, code)));
            }
            Field::RegDate => self.reg_date = value.and_then(Day::parse),
            Field::RegCapitalFen => self.reg_capital_fen = number,
            Field::PaidCapitalFen => self.paid_capital_fen = number,
            Field::Employees => self.employees = number,
            Field::LegalRepId => self.legal_rep = party,
            Field::UboId => self.ubo = party,
            Field::GroupId => self.group = party,
            Field::AddressHash => self.address = hash,
            Field::PhoneHash => self.phone = hash,
            _ => {}
        }
    }
}
