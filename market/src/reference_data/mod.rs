//! Reference data as of an instant: enterprises, institutions, lists, relations, accounts, lines, curves, disclosure.
//!
//! Owns every fact without a bill that other facts are read against, and `MST.TBK`. Invariants:
//! - a reading as of an instant depends on the accepted facts alone, not on the order in which they came;
//! - corrections count as facts.md 5 says; [`Reference::insert`] tells whose readings changed and from when on, so that
//!   facts which read them can be valued again.
//!
//! Begin with [`Reference`]. Instants are ms since 1970-01-01T00:00Z; `at` reads what is in force at it (`from <= at`).

mod curve;
mod enterprise;
mod held;
mod institution;
mod kin;
mod readings;
mod records;
mod registers;
mod timeline;

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use self::{
    curve::Curves,
    enterprise::EnterpriseHistory,
    institution::Institutions,
    kin::Kin,
    records::{Change, Records},
};
pub use self::{
    enterprise::Enterprise,
    held::Held,
    institution::Institution,
    registers::*,
    timeline::{Entry, Span, Timeline},
};
use crate::{
    bill::TextHash,
    fact::{Behaviour, Fact, Field, behaviour},
    fact_scope::{FactScope, scope},
    ids::{Code, PartyId},
    items::{Row, Vocabulary},
};

/// Economic zones by province (derived.csv `zone`).
const ZONES: [(&str, &[&str]); 10] = [
    ("EZ01", &["310000", "320000", "330000", "340000"]),
    ("EZ02", &["440000", "810000", "820000"]),
    ("EZ03", &["110000", "120000", "130000"]),
    ("EZ04", &["500000", "510000"]),
    ("EZ05", &["140000", "360000", "410000", "420000", "430000"]),
    ("EZ06", &["210000", "220000", "230000"]),
    ("EZ07", &["150000", "610000", "620000", "630000", "640000", "650000"]),
    ("EZ08", &["520000", "530000", "540000"]),
    ("EZ09", &["370000"]),
    ("EZ10", &["350000", "450000", "460000", "710000"]),
];

/// Something that facts are read against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// Everything known of an enterprise, legal institution or acceptor.
    Party(PartyId),
    /// A curve, by row of bill_class.
    Curve(Row),
    /// A deposit or benchmark rate, by row of rate_kind.
    Rate(Row),
    /// Trade background of a contract of a drawer (hash of contract_no).
    Contract(PartyId, u64),
    /// A watch-list entry by credit code alone (hash).
    CreditCode(u64),
    /// A bank number, which bill numbers contain.
    BankNumber(u64),
    /// The protected names, which the names of acceptors are compared with.
    Names,
}

/// Whose readings changed through one record, and from which instant on (ms). Sorted, each subject once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// (subject, from).
    pub subjects: SmallVec<[(Subject, i64); 2]>,
}

impl Touched {
    fn add(&mut self, subject: Subject, from: i64) {
        match self.subjects.iter_mut().find(|(known, _)| *known == subject) {
            Some((_, earliest)) => *earliest = (*earliest).min(from),
            None => self.subjects.push((subject, from)),
        }
    }
}

/// A register: one timeline a key.
type Register<K, T> = HashMap<K, Timeline<T>>;

/// All reference data.
#[derive(Clone)]
pub struct Reference {
    /// Changes so far.
    version: u64,
    vocabulary: Arc<Vocabulary>,
    records: Records,
    enterprises: HashMap<PartyId, EnterpriseHistory>,
    institutions: Institutions,
    curves: Curves,
    balance_sheets: Register<PartyId, BalanceSheet>,
    financials: Register<PartyId, Financials>,
    relations: Register<PartyId, Relation>,
    watched: Register<PartyId, ListEntry>,
    watched_codes: Register<u64, ListEntry>,
    listed: Register<PartyId, Listed>,
    credit_disclosures: Register<PartyId, CreditDisclosure>,
    notices: Register<PartyId, Notice>,
    accounts: Register<PartyId, AccountChange>,
    traders: Register<(PartyId, u64), Trader>,
    credit_lines: Register<(PartyId, PartyId), CreditLine>,
    certificates: Register<PartyId, Certificate>,
    contracts: Register<(PartyId, u64), TradeBackground>,
    parties_by_code: HashMap<u64, SmallVec<[PartyId; 1]>>,
    kin: Kin,
    zone_of_province: Vec<Row>,
    tier_of_kind: Vec<Tier>,
    group_of_kind: Vec<Row>,
    rows: Rows,
}

#[derive(Clone, Copy)]
enum Tier {
    Always(Row),
    ByAssets,
}

/// Rows that rules compare with.
#[derive(Clone, Copy)]
struct Rows {
    medium: Row,
    small: Row,
    related: Row,
    parent: Row,
    /// Bits of special_flag whose bearers' names are protected.
    protecting_flags: u32,
    overdue_list: Row,
    persistent_list: Row,
}

impl Reference {
    /// Without any fact.
    pub fn new(vocabulary: Arc<Vocabulary>) -> Self {
        let known = vocabulary.known;
        let row = |enumeration, code| vocabulary.row_of_text(enumeration, code);
        let zone = |province: &String| {
            let zone = ZONES.iter().find(|(_, provinces)| provinces.contains(&province.as_str()));
            zone.map_or(Row::UNKNOWN, |(zone, _)| row(known.economic_zone, zone))
        };
        let tier = |kind: &String| match kind.as_str() {
            "201" | "202" | "203" => Tier::Always(row(known.institution_tier, "LARGE")),
            "204" | "205" | "209" => Tier::ByAssets,
            "206" | "207" | "208" => Tier::Always(row(known.institution_tier, "SMALL")),
            "301" => Tier::Always(row(known.institution_tier, "FINCO")),
            _ => Tier::Always(row(known.institution_tier, "NONBANK")),
        };
        Reference {
            version: 0,
            zone_of_province: vocabulary.codes(known.province).iter().map(zone).collect(),
            tier_of_kind: vocabulary.codes(known.institution_type).iter().map(tier).collect(),
            group_of_kind: vocabulary
                .codes(known.institution_type)
                .iter()
                .map(|kind| row(known.institution_group, &kind[..1]))
                .collect(),
            rows: Rows {
                medium: row(known.institution_tier, "MEDIUM"),
                small: row(known.institution_tier, "SMALL"),
                related: row(known.relation_kind, "RELATED"),
                parent: row(known.relation_kind, "PARENT"),
                protecting_flags: 1 << row(known.special_flag, "CSOE").0,
                overdue_list: row(known.watch_list_type, "WL01"),
                persistent_list: row(known.watch_list_type, "WL02"),
            },
            curves: Curves::new(&vocabulary),
            vocabulary,
            records: Records::default(),
            enterprises: HashMap::new(),
            institutions: Institutions::default(),
            balance_sheets: HashMap::new(),
            financials: HashMap::new(),
            relations: HashMap::new(),
            watched: HashMap::new(),
            watched_codes: HashMap::new(),
            listed: HashMap::new(),
            credit_disclosures: HashMap::new(),
            notices: HashMap::new(),
            accounts: HashMap::new(),
            traders: HashMap::new(),
            credit_lines: HashMap::new(),
            certificates: HashMap::new(),
            contracts: HashMap::new(),
            parties_by_code: HashMap::new(),
            kin: Kin::default(),
        }
    }

    /// Takes in one accepted record (fact or correction) of scope reference, or the copy of a record elsewhere that shares the
    /// event id of one; the same record again changes nothing.
    pub fn insert(&mut self, record: Fact) -> Touched {
        let change = self.records.insert(record);
        self.change(change)
    }

    /// Rises with every change: what was read at one version still stands while it is the same.
    pub fn version(&self) -> u64 {
        self.version
    }

    fn change(&mut self, Change { gone, come }: Change) -> Touched {
        self.version += 1;
        let mut touched = Touched::default();
        for fact in &gone {
            self.put(fact, false, &mut touched);
        }
        for fact in &come {
            self.put(fact, true, &mut touched);
        }
        touched.subjects.sort();
        touched.subjects.dedup_by_key(|(subject, _)| *subject);
        touched
    }

    /// Takes a record out again, as if it had never been accepted: what depends on it can then be valued as it was.
    pub fn remove(&mut self, record: &Fact) -> Touched {
        let change = self.records.remove(record);
        self.change(change)
    }

    /// True when the record was taken in before.
    pub fn contains(&self, record: &Fact) -> bool {
        self.records.contains(record)
    }

    /// Every accepted record, in no order: what a checkpoint keeps and [`Reference::insert`] restores.
    pub fn records(&self) -> impl Iterator<Item = Fact> + '_ {
        self.records.iter()
    }

    /// The numbers behind its rows.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    fn put(&mut self, fact: &Fact, present: bool, touched: &mut Touched) {
        if !matches!(scope(fact), FactScope::Reference | FactScope::BillAndReference(_)) {
            // A bill's fact whose event id is that of a reference record and which counts instead of it (`variants`).
            return;
        }
        let from = fact.int(Field::EffectiveTime).unwrap_or(fact.event_time);
        let vocabulary = self.vocabulary.clone();
        match fact.behaviour {
            behaviour::MST_ENR | behaviour::MST_ENC | behaviour::MST_ENX => {
                let Some(party) = fact.party(Field::EntId) else { return };
                let history = self.enterprises.entry(party).or_default();
                let flags = self.rows.protecting_flags;
                // Before and after: others read what goes as well as what comes.
                self.kin.note(party, history.versions(), flags, from, touched);
                history.put(fact, from, present, &vocabulary);
                self.kin.note(party, history.versions(), flags, from, touched);
                for code in history.versions().filter_map(|version| version.uscc.as_deref()) {
                    let parties = self.parties_by_code.entry(TextHash::of(code).bits()).or_default();
                    if !parties.contains(&party) {
                        parties.push(party);
                    }
                }
                touched.add(Subject::Party(party), from);
            }
            behaviour::MST_ISN | behaviour::MST_ISC | behaviour::MST_ISA => {
                let (legals, bank_numbers) = self.institutions.put(fact, from, present, &vocabulary);
                for legal in legals {
                    touched.add(Subject::Party(legal), from);
                }
                for number in bank_numbers {
                    touched.add(Subject::BankNumber(number), from);
                }
            }
            behaviour::REF_CRV => {
                if let Some(class) = self.curves.put(fact, from, present, &vocabulary) {
                    touched.add(Subject::Curve(class), from);
                }
            }
            behaviour::REF_DEP => {
                if let Some(kind) = self.curves.put(fact, from, present, &vocabulary) {
                    touched.add(Subject::Rate(kind), from);
                }
            }
            _ => self.put_in_register(fact, present, touched),
        }
    }

    /// The registers whose entries hold from event_time on.
    fn put_in_register(&mut self, fact: &Fact, present: bool, touched: &mut Touched) {
        let known = self.vocabulary.known;
        let row =
            |enumeration, field| fact.code(field).map_or(Row::UNKNOWN, |code| self.vocabulary.row(enumeration, code));
        let hash = |field| fact.text(field).map(|text| TextHash::of(text).bits());
        let from = fact.event_time;
        let validity =
            Validity { from: fact.date(Field::FromDate).unwrap_or(fact.biz_date), to: fact.date(Field::ToDate) };
        let party = match fact.behaviour {
            behaviour::MST_FIN => fact.party(Field::LegalInstId),
            behaviour::MST_TRD => fact.party(Field::LegalInstId),
            behaviour::MST_CRL => fact.initiator(),
            behaviour::MST_TBK => fact.party(Field::DrawerId).or_else(|| fact.initiator()),
            known if is_disclosure(known) => fact.party(Field::AcceptorId),
            // Neither enterprise nor code: the mandatory counterparty is the enterprise (payloads.csv).
            behaviour::MST_BLK if fact.text(Field::Uscc).is_none() => {
                fact.party(Field::EntId).or_else(|| fact.counterparty())
            }
            _ => fact.party(Field::EntId),
        };
        match fact.behaviour {
            behaviour::MST_FIN => {
                let sheet = BalanceSheet {
                    report_date: fact.date(Field::ReportDate),
                    total_assets_fen: fact.int(Field::TotalAssetsFen),
                    deposits_fen: fact.int(Field::DepositsFen),
                    margin_fen: fact.int(Field::MarginFen),
                    net_capital_fen: fact.int(Field::NetCapitalFen),
                    liquid_assets_fen: fact.int(Field::LiquidAssetsFen),
                    interbank_deposit_fen: fact.int(Field::InterbankDepositFen),
                };
                set(&mut self.balance_sheets, party, fact, from, present, sheet);
            }
            behaviour::MST_ENF => {
                let financials = Financials {
                    date: Some(fact.date(Field::FinancialsDate).unwrap_or(fact.biz_date)),
                    revenue_12m_fen: fact.int(Field::Revenue12mFen),
                    net_assets_fen: fact.int(Field::NetAssetsFen),
                    vat_invoiced_12m_fen: fact.int(Field::VatInvoiced12mFen),
                };
                set(&mut self.financials, party, fact, from, present, financials);
            }
            behaviour::MST_GRP => {
                let kind = match fact.code(Field::RelationKind) {
                    Some(code) => self.vocabulary.row(known.relation_kind, code),
                    None => self.vocabulary.row(known.relation_kind, Code::of("MEMBER")),
                };
                let related = fact.party(Field::RelatedId);
                let relation = Relation { kind, group: fact.party(Field::GroupId), related, validity };
                set(&mut self.relations, party, fact, from, present, relation);
                if let Some(party) = party {
                    if kind == self.rows.parent {
                        self.kin.protect(party);
                        let versions = self.enterprises.get(&party).into_iter().flat_map(|history| history.versions());
                        self.kin.note(party, versions, self.rows.protecting_flags, from, touched);
                    }
                    self.kin.touch_names(party, from, touched);
                }
                // A relation holds both ways.
                if kind == self.rows.related && related != party {
                    let back = Relation { related: party, group: None, ..relation };
                    set(&mut self.relations, related, fact, from, present, back);
                    touched.subjects.extend(related.map(|related| (Subject::Party(related), from)));
                }
            }
            behaviour::MST_BLK => {
                let entry = ListEntry {
                    list: row(known.watch_list_type, Field::ListType),
                    added: fact.code(Field::ListAction) != Some(Code::of("REMOVE")),
                    validity,
                };
                match (party, hash(Field::Uscc)) {
                    (Some(_), _) => set(&mut self.watched, party, fact, from, present, entry),
                    (None, Some(code)) => {
                        set(&mut self.watched_codes, Some(code), fact, from, present, entry);
                        touched.add(Subject::CreditCode(code), from);
                    }
                    (None, None) => {}
                }
            }
            behaviour::DIS_OVL | behaviour::DIS_PSL => {
                let persistent = fact.behaviour == behaviour::DIS_PSL;
                let listed = Listed {
                    list: if persistent { self.rows.persistent_list } else { self.rows.overdue_list },
                    month: month_of(fact),
                    overdue_bal_fen: fact.int(Field::OverdueBalFen).unwrap_or(0),
                    number: fact.int(if persistent { Field::MonthsListed } else { Field::OverdueBills }),
                    event_id: fact.event_id,
                };
                set(&mut self.listed, party, fact, from, present, listed);
            }
            behaviour::DIS_CRD => {
                let disclosure = CreditDisclosure {
                    month: month_of(fact),
                    accepted_cum_fen: fact.int(Field::AcceptedCumFen),
                    accepted_bal_fen: fact.int(Field::AcceptedBalFen),
                    overdue_cum_fen: fact.int(Field::OverdueCumFen),
                    overdue_bal_fen: fact.int(Field::OverdueBalFen),
                    date: fact.biz_date,
                };
                set(&mut self.credit_disclosures, party, fact, from, present, disclosure);
            }
            behaviour::DIS_REG | behaviour::DIS_ANN | behaviour::DIS_SUS | behaviour::DIS_RST => {
                let what = match fact.behaviour {
                    behaviour::DIS_REG => AcceptorNotice::Registered,
                    behaviour::DIS_ANN => AcceptorNotice::Announced,
                    behaviour::DIS_SUS => AcceptorNotice::Suspended,
                    _ => AcceptorNotice::Restored,
                };
                let notice = Notice { what, from: validity.from, event_id: fact.event_id };
                set(&mut self.notices, party, fact, from, present, notice);
            }
            behaviour::MST_ACO | behaviour::MST_ACX => {
                let opened = fact.behaviour == behaviour::MST_ACO;
                let change = AccountChange {
                    account: hash(Field::AccountId).unwrap_or(0),
                    branch: fact.inst(Field::InitiatorInst),
                    keeper: fact.initiator(),
                    province: row(known.province, Field::AccountProvince),
                    opened,
                    date: fact.date(if opened { Field::OpenDate } else { Field::CloseDate }).unwrap_or(fact.biz_date),
                    event_id: fact.event_id,
                };
                set(&mut self.accounts, party, fact, from, present, change);
            }
            behaviour::MST_TRD => {
                let status = fact.code(Field::TraderStatus).unwrap_or(Code::of("ACTIVE"));
                let trader = Trader { status: self.vocabulary.row(known.participant_status, status), validity };
                let key = party.zip(hash(Field::TraderId));
                set(&mut self.traders, key, fact, from, present, trader);
            }
            behaviour::MST_CRL => {
                let line = CreditLine { limit_fen: fact.int(Field::LimitFen).unwrap_or(0), validity };
                set(&mut self.credit_lines, party.zip(fact.counterparty()), fact, from, present, line);
            }
            behaviour::MST_CRT => {
                let certificate = Certificate { certificate: hash(Field::CertId).unwrap_or(0), validity };
                set(&mut self.certificates, party, fact, from, present, certificate);
            }
            behaviour::MST_TBK => {
                let background = TradeBackground {
                    event_id: fact.event_id,
                    source: fact.source,
                    bill: fact.bill_id,
                    contract: hash(Field::ContractNo),
                    invoice: hash(Field::InvoiceNo),
                    contract_type: row(known.contract_type, Field::ContractType),
                    invoice_type: row(known.invoice_type, Field::InvoiceType),
                    goods_category: row(known.goods_category, Field::GoodsCategory),
                    contract_fen: fact.int(Field::ContractFen),
                    invoice_fen: fact.int(Field::InvoiceFen),
                };
                let key = party.zip(background.contract);
                // By its invoice too: what is asked is how far one number was used.
                if let Some((drawer, invoice)) = party.zip(background.invoice).filter(|named| Some(*named) != key) {
                    set(&mut self.contracts, Some((drawer, invoice)), fact, from, present, background.clone());
                    touched.add(Subject::Contract(drawer, invoice), from);
                }
                if let Some((drawer, contract)) = key {
                    set(&mut self.contracts, key, fact, from, present, background);
                    touched.add(Subject::Contract(drawer, contract), from);
                }
                return;
            }
            _ => return,
        }
        if let Some(party) = party {
            touched.add(Subject::Party(party), from);
        }
    }
}

fn is_disclosure(known: Behaviour) -> bool {
    matches!(
        known,
        behaviour::DIS_OVL
            | behaviour::DIS_PSL
            | behaviour::DIS_CRD
            | behaviour::DIS_REG
            | behaviour::DIS_ANN
            | behaviour::DIS_SUS
            | behaviour::DIS_RST
    )
}

/// year * 12 + month - 1 of `period_month` (`YYYY-MM` or `YYYYMM`), else of the business date.
fn month_of(fact: &Fact) -> i32 {
    let said = fact.text(Field::PeriodMonth).and_then(|text| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let (year, month) = (digits.get(..4)?.parse::<i32>().ok()?, digits.get(4..6)?.parse::<i32>().ok()?);
        (1..=12).contains(&month).then_some(year * 12 + month - 1)
    });
    said.unwrap_or_else(|| {
        let (year, month, _) = fact.biz_date.ymd();
        year * 12 + month as i32 - 1
    })
}

fn set<K: std::hash::Hash + Eq, T>(
    register: &mut Register<K, T>,
    key: Option<K>,
    fact: &Fact,
    from: i64,
    present: bool,
    value: T,
) {
    let Some(key) = key else { return };
    let timeline = register.entry(key).or_default();
    if present {
        timeline.insert(from, fact.order_key(), value);
    } else {
        timeline.remove(from, fact.order_key());
    }
}
