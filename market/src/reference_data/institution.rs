//! Master data of institutions by branch: MST.ISN, then MST.ISC on top; MST.ISA sends a branch to its successor
//! (derived.csv `inst_attr`, `tier`).

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::{
    fact::{FIELDS, Fact, Field, behaviour},
    ids::{InstId, PartyId},
    items::{Row, Vocabulary},
    reference_data::timeline::{Span, Timeline},
};

/// A branch succeeds a branch succeeds a branch: longer chains are taken as they are after this many steps.
const MAX_SUCCESSIONS: usize = 8;

/// What is known of a branch at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// Its legal institution.
    pub legal: PartyId,
    /// institution_type.
    pub kind: Row,
    /// province.
    pub province: Row,
    /// city.
    pub city: Row,
    /// member_type.
    pub member_type: Row,
    /// participant_status; `ACTIVE` when not said.
    pub status: Row,
    /// Banking group.
    pub group: Option<PartyId>,
    /// Name.
    pub name: Option<Box<str>>,
    /// 12-digit bank number.
    pub bank_no: Option<Box<str>>,
}

#[derive(Clone, Debug)]
enum Said {
    Created(Box<Institution>),
    Changed(Field, Option<Box<str>>),
}

#[derive(Clone, Default)]
struct BranchHistory {
    said: Timeline<Said>,
    versions: Vec<(i64, Institution)>,
}

/// Every branch and the branches of every legal institution.
#[derive(Clone, Default)]
pub(super) struct Institutions {
    branches: HashMap<InstId, BranchHistory>,
    /// Branches ever created under a legal institution, ascending: the first that is known is the head office.
    of_legal: HashMap<PartyId, Vec<InstId>>,
    successors: HashMap<InstId, Timeline<InstId>>,
    /// Branches that ever had a bank number.
    of_bank_number: HashMap<u64, SmallVec<[InstId; 1]>>,
}

impl Institutions {
    /// Every legal institution that ever had a branch, in no order.
    pub fn legals(&self) -> impl Iterator<Item = PartyId> + '_ {
        self.of_legal.keys().copied()
    }

    /// The branch as of an instant, or its successor when one took over.
    pub fn branch(&self, branch: InstId, at: i64) -> Option<&Institution> {
        let mut branch = branch;
        if !self.successors.is_empty() {
            for _ in 0..MAX_SUCCESSIONS {
                match self.successors.get(&branch).and_then(|timeline| timeline.at(at)) {
                    Some(successor) => branch = *successor,
                    None => break,
                }
            }
        }
        version(&self.branches.get(&branch)?.versions, at)
    }

    /// Every legal institution to which a branch ever belonged.
    pub fn legals_of(&self, branch: InstId) -> impl Iterator<Item = PartyId> + '_ {
        self.branches.get(&branch).into_iter().flat_map(|history| history.versions.iter().map(|(_, known)| known.legal))
    }

    /// True when another branch has taken over this one.
    pub fn is_succeeded(&self, branch: InstId, at: i64) -> bool {
        self.successors.get(&branch).is_some_and(|timeline| timeline.at(at).is_some())
    }

    /// The head office: the lowest branch of the legal institution that exists at the instant.
    pub fn head_office(&self, legal: PartyId, at: i64) -> Option<&Institution> {
        self.of_legal.get(&legal)?.iter().find_map(|branch| {
            version(&self.branches.get(branch)?.versions, at).filter(|known| known.legal == legal)?;
            self.branch(*branch, at)
        })
    }

    /// The branch, else the head office, and when the reading is the same: with successions about, at that instant alone.
    pub fn read(&self, legal: Option<PartyId>, branch: Option<InstId>, at: i64) -> (Option<&Institution>, Span) {
        let now = Span { from: at, to: at.saturating_add(1) };
        match branch {
            Some(branch) if self.successors.is_empty() => match self.branches.get(&branch) {
                None => (None, Span::ALWAYS),
                Some(history) => {
                    let place = history.versions.partition_point(|(from, _)| *from <= at);
                    let version = place.checked_sub(1).map(|last| &history.versions[last].1);
                    (version, Span::between(&history.versions, place, |(from, _)| *from))
                }
            },
            Some(branch) => (self.branch(branch, at), now),
            None => (legal.and_then(|legal| self.head_office(legal, at)), now),
        }
    }

    /// True when some branch has this bank number at the instant.
    pub fn knows_bank_number(&self, number: u64, at: i64) -> bool {
        let has_it = |branch: &InstId| {
            let known = self.branches.get(branch).and_then(|history| version(&history.versions, at));
            known.is_some_and(|known| known.bank_number() == Some(number))
        };
        self.of_bank_number.get(&number).is_some_and(|branches| branches.iter().any(has_it))
    }

    /// Puts or takes one fact; returns the legal institutions and bank numbers that it is about.
    pub fn put(&mut self, fact: &Fact, from: i64, present: bool, vocabulary: &Vocabulary) -> (Vec<PartyId>, Vec<u64>) {
        let Some(code) = fact.inst(Field::ParticipantCode) else { return Default::default() };
        let mut numbers: Vec<u64> = self.bank_numbers(code).collect();
        let mut legals: Vec<PartyId> = fact.party(Field::LegalInstId).into_iter().collect();
        if fact.behaviour == behaviour::MST_ISA {
            let timeline = self.successors.entry(code).or_default();
            match fact.inst(Field::SuccessorCode) {
                Some(successor) if present => timeline.insert(from, fact.order_key(), successor),
                _ => timeline.remove(from, fact.order_key()),
            }
        } else {
            let history = self.branches.entry(code).or_default();
            history.put(fact, from, present, vocabulary);
            for legal in legals.clone() {
                let branches = self.of_legal.entry(legal).or_default();
                if let Err(at) = branches.binary_search(&code) {
                    branches.insert(at, code);
                }
            }
        }
        let history = self.branches.get(&code);
        legals.extend(history.into_iter().flat_map(|history| history.versions.iter().map(|(_, known)| known.legal)));
        legals.sort();
        legals.dedup();
        let now: Vec<u64> = self.bank_numbers(code).collect();
        for number in &now {
            let branches = self.of_bank_number.entry(*number).or_default();
            if !branches.contains(&code) {
                branches.push(code);
            }
        }
        numbers.extend(now);
        numbers.sort_unstable();
        numbers.dedup();
        (legals, numbers)
    }

    /// Bank numbers that a branch has or had.
    fn bank_numbers(&self, branch: InstId) -> impl Iterator<Item = u64> {
        let versions = self.branches.get(&branch).into_iter().flat_map(|history| &history.versions);
        versions.filter_map(|(_, version)| version.bank_number())
    }
}

fn version(versions: &[(i64, Institution)], at: i64) -> Option<&Institution> {
    match versions.last() {
        Some((from, last)) if *from <= at => Some(last),
        _ => versions[..versions.partition_point(|(from, _)| *from <= at)].last().map(|(_, known)| known),
    }
}

impl BranchHistory {
    fn put(&mut self, fact: &Fact, from: i64, present: bool, vocabulary: &Vocabulary) {
        if present {
            let said = if fact.behaviour == behaviour::MST_ISN {
                let Some(created) = created(fact, vocabulary) else { return };
                Said::Created(Box::new(created))
            } else {
                let name = fact.text(Field::FieldName).unwrap_or_default();
                let Some(field) = FIELDS.into_iter().find(|field| field.name() == name) else { return };
                Said::Changed(field, fact.text(Field::NewValue).map(Box::from))
            };
            self.said.insert(from, fact.order_key(), said);
        } else {
            self.said.remove(from, fact.order_key());
        }
        self.versions.clear();
        let mut current: Option<Institution> = None;
        for entry in self.said.entries() {
            match &entry.value {
                Said::Created(created) => current = Some((**created).clone()),
                Said::Changed(field, value) => {
                    if let Some(institution) = &mut current {
                        institution.change(*field, value.as_deref(), vocabulary);
                    }
                }
            }
            let Some(institution) = &current else { continue };
            match self.versions.last_mut() {
                Some((from, last)) if *from == entry.from => *last = institution.clone(),
                _ => self.versions.push((entry.from, institution.clone())),
            }
        }
    }
}

fn created(fact: &Fact, vocabulary: &Vocabulary) -> Option<Institution> {
    let known = &vocabulary.known;
    let row = |enumeration, field| fact.code(field).map_or(Row::UNKNOWN, |code| vocabulary.row(enumeration, code));
    Some(Institution {
        legal: fact.party(Field::LegalInstId)?,
        kind: row(known.institution_type, Field::InstType),
        province: row(known.province, Field::Province),
        city: row(known.city, Field::City),
        member_type: row(known.member_type, Field::MemberType),
        status: match fact.code(Field::ParticipantStatus) {
            Some(code) => vocabulary.row(known.participant_status, code),
            None => vocabulary.row_of_text(known.participant_status, "ACTIVE"),
        },
        group: fact.party(Field::GroupId),
        name: fact.text(Field::Name).map(Box::from),
        bank_no: fact.text(Field::BankNo).map(Box::from),
    })
}

impl Institution {
    /// The bank number as bill numbers write it.
    fn bank_number(&self) -> Option<u64> {
        self.bank_no.as_ref().and_then(|digits| digits.parse().ok())
    }

    fn change(&mut self, field: Field, value: Option<&str>, vocabulary: &Vocabulary) {
        let known = &vocabulary.known;
        let row = |enumeration| value.map_or(Row::UNKNOWN, |text| vocabulary.row_of_text(enumeration, text));
        match field {
            Field::InstType => self.kind = row(known.institution_type),
            Field::Province => self.province = row(known.province),
            Field::City => self.city = row(known.city),
            Field::MemberType => self.member_type = row(known.member_type),
            Field::ParticipantStatus => self.status = row(known.participant_status),
            Field::GroupId => self.group = value.and_then(PartyId::parse),
            Field::Name => self.name = value.map(Box::from),
            Field::BankNo => self.bank_no = value.map(Box::from),
            Field::LegalInstId => {
                if let Some(legal) = value.and_then(PartyId::parse) {
                    self.legal = legal;
                }
            }
            _ => {}
        }
    }
}
