//! How patterns see an [`Observation`] and the [`Reference`] table: the two doors of `sight`.

use super::{
    bill_scope::party_number,
    number::Number,
    sight::{Moment, Registry, Sight},
    vocabulary::{Role, text_number},
};
use crate::{
    bill::{Bill, Header, Outcome},
    catalogue::calendar::Calendar,
    company_names::{edits, plain},
    fact::{Behaviour, Fact, Field, Range, behaviour},
    ids::{Code, Day, InstId, PartyId},
    items::{Enumeration, Row},
    names,
    observe::{Meanings, Observation},
    reference_data::{AcceptorNotice, Enterprise, Institution, Reference},
    validate::quality::{BillMarks, bill_number_faults, credit_code_is_good, misses_mandatory, unknown_codes},
};

/// First digits of bill numbers: P176's kind_set.
const KIND_DIGITS: [u8; 6] = [1, 2, 5, 6, 7, 8];

/// An observation, with what only the records behind the fact say.
pub struct Seen<'a, 'b> {
    /// The fact with its bill and reference data.
    pub observation: &'a Observation<'b>,
    /// The fact's id came with several contents (`corrections::Effective::variants`).
    pub has_variants: bool,
}

impl Seen<'_, '_> {
    fn field(&self, party: Field, branch: Field) -> Option<(PartyId, Option<InstId>)> {
        Some((self.observation.fact.party(party)?, self.observation.fact.inst(branch)))
    }

    fn player(&self, role: Role) -> Option<(PartyId, Option<InstId>)> {
        let role = match role {
            Role::Initiator => return self.field(Field::InitiatorId, Field::InitiatorInst),
            Role::Counterparty => return self.field(Field::CounterpartyId, Field::CounterpartyInst),
            Role::Subject => {
                let ent = self.field(Field::EntId, Field::InitiatorInst);
                return ent.or_else(|| self.field(Field::LegalInstId, Field::ParticipantCode));
            }
            Role::Key
            | Role::OtherKey
            | Role::Member
            | Role::Source
            | Role::Guarantor
            | Role::Guaranteed
            | Role::LotDiscounter => return None,
            Role::Drawer => names::Role::Drawer,
            Role::Acceptor => names::Role::Acceptor,
            Role::Payee => names::Role::Payee,
            Role::Endorser => names::Role::Endorser,
            Role::Endorsee => names::Role::Endorsee,
            Role::Applicant => names::Role::Applicant,
            Role::Discounter => names::Role::Discounter,
            Role::Seller => names::Role::Seller,
            Role::Buyer => names::Role::Buyer,
            Role::RepoSeller => names::Role::RepoSeller,
            Role::RepoBuyer => names::Role::RepoBuyer,
            Role::Debtor => names::Role::Debtor,
            Role::Creditor => names::Role::Creditor,
            Role::Holder => names::Role::Holder,
        };
        self.observation.player(role).map(|player| (player.party, player.branch))
    }
}

impl Sight for Seen<'_, '_> {
    fn fact(&self) -> &Fact {
        self.observation.fact
    }

    fn outcome(&self) -> &Outcome {
        self.observation.outcome
    }

    fn bill(&self) -> Option<&Bill> {
        self.observation.bill
    }

    fn role(&self, role: Role) -> Option<PartyId> {
        self.player(role).map(|(party, _)| party)
    }

    fn branch(&self, role: Role) -> Option<InstId> {
        // The branch of an enterprise is its account bank: no branch of its own.
        self.player(role).filter(|(party, _)| party.is_legal()).and_then(|(_, branch)| branch)
    }

    fn amount_fen(&self) -> Option<i64> {
        let fact = self.observation.fact;
        let is_known = fact.amount_sent().is_some() || fact.range != Range::WHOLE || self.observation.header.is_some();
        is_known.then(|| self.observation.amount_fen())
    }

    fn price_class(&self) -> Option<Code> {
        let vocabulary = self.observation.meanings.vocabulary();
        code_of(vocabulary.code_text(vocabulary.known.bill_class, self.observation.price_class()))
    }

    fn has_variants(&self) -> bool {
        self.has_variants
    }
}

/// A record of a book: itself, and nothing of the market.
pub(super) struct BookSight<'a> {
    pub record: &'a Fact,
    /// Informational.
    pub outcome: Outcome,
}

impl Sight for BookSight<'_> {
    fn fact(&self) -> &Fact {
        self.record
    }

    fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    fn bill(&self) -> Option<&Bill> {
        None
    }

    fn role(&self, _role: Role) -> Option<PartyId> {
        None
    }

    fn branch(&self, _role: Role) -> Option<InstId> {
        None
    }

    fn amount_fen(&self) -> Option<i64> {
        self.record.amount_sent()
    }

    fn price_class(&self) -> Option<Code> {
        None
    }

    fn has_variants(&self) -> bool {
        false
    }
}

fn code_of(text: Option<&str>) -> Option<Code> {
    text.and_then(Code::parse)
}

/// Reference data and the catalogue.
#[derive(Clone, Copy)]
pub struct MarketRegistry<'a> {
    /// Who is who.
    pub reference: &'a Reference,
    /// The compiled catalogue.
    pub meanings: &'a Meanings,
}

impl MarketRegistry<'_> {
    fn code(&self, enumeration: Enumeration, row: Row) -> Option<Number> {
        self.meanings.vocabulary().code_text(enumeration, row).map(text_number)
    }

    fn of_enterprise(&self, enterprise: &Enterprise, field: Field) -> Option<Number> {
        let known = &self.meanings.vocabulary().known;
        let party = |party: Option<PartyId>| party.map(party_number);
        match field {
            Field::Province => self.code(known.province, enterprise.province),
            Field::City => self.code(known.city, enterprise.city),
            Field::IndustrySection => self.code(known.industry_section, enterprise.industry_section),
            Field::IndustryDivision => self.code(known.industry_division, enterprise.industry_division),
            Field::Size => self.code(known.enterprise_size, enterprise.size),
            Field::Ownership => self.code(known.ownership, enterprise.ownership),
            Field::RegistrationType => self.code(known.registration_type, enterprise.registration_type),
            Field::RegistryStatus => self.code(known.registry_status, enterprise.registry_status),
            Field::Rating => self.code(known.rating, enterprise.rating),
            Field::RegDate => enterprise.reg_date.map(|day| i64::from(day.0).into()),
            Field::RegCapitalFen => enterprise.reg_capital_fen.map(Number::from),
            Field::PaidCapitalFen => enterprise.paid_capital_fen.map(Number::from),
            Field::Employees => enterprise.employees.map(Number::from),
            Field::LegalRepId => party(enterprise.legal_rep),
            Field::UboId => party(enterprise.ubo),
            _ => None,
        }
    }

    fn of_institution(&self, institution: &Institution, field: Field) -> Option<Number> {
        let known = &self.meanings.vocabulary().known;
        match field {
            Field::Province => self.code(known.province, institution.province),
            Field::City => self.code(known.city, institution.city),
            Field::InstType => self.code(known.institution_type, institution.kind),
            Field::MemberType => self.code(known.member_type, institution.member_type),
            Field::ParticipantStatus => self.code(known.participant_status, institution.status),
            Field::GroupId => institution.group.map(party_number),
            _ => None,
        }
    }

    /// Balance sheets and financials: fen, or the day that they are of.
    fn figure(&self, party: PartyId, field: Field, at: i64) -> Option<i64> {
        let sheet = || self.reference.balance_sheet(party, at);
        let financials = || self.reference.financials(party, at);
        match field {
            Field::TotalAssetsFen => sheet()?.total_assets_fen,
            Field::DepositsFen => sheet()?.deposits_fen,
            Field::MarginFen => sheet()?.margin_fen,
            Field::NetCapitalFen => sheet()?.net_capital_fen,
            Field::LiquidAssetsFen => sheet()?.liquid_assets_fen,
            Field::InterbankDepositFen => sheet()?.interbank_deposit_fen,
            Field::NetAssetsFen => self.reference.net_assets_fen(party, at),
            Field::Revenue12mFen => financials()?.revenue_12m_fen,
            Field::VatInvoiced12mFen => financials()?.vat_invoiced_12m_fen,
            Field::ReportDate => sheet()?.report_date.map(|day| day.0.into()),
            Field::FinancialsDate => financials()?.date.map(|day| day.0.into()),
            _ => None,
        }
    }

    fn section(&self, party: PartyId, at: i64) -> Option<Code> {
        let vocabulary = self.meanings.vocabulary();
        let row = self.reference.enterprise(party, at)?.industry_section;
        code_of(vocabulary.code_text(vocabulary.known.industry_section, row))
    }
}

impl Registry for MarketRegistry<'_> {
    fn attribute(&self, party: PartyId, branch: Option<InstId>, field: Field, moment: Moment) -> Option<Number> {
        if let Some(figure) = self.figure(party, field, moment.at) {
            return Some(figure.into());
        }
        if !party.is_enterprise() {
            return self.of_institution(self.reference.institution(Some(party), branch, moment.at)?, field);
        }
        if field == Field::GroupId {
            return self.reference.group(party, moment.at, moment.date).map(party_number);
        }
        self.of_enterprise(self.reference.enterprise(party, moment.at)?, field)
    }

    fn tier(&self, party: PartyId, moment: Moment) -> Option<Code> {
        let vocabulary = self.meanings.vocabulary();
        let kind = self.reference.institution(Some(party), None, moment.at)?.kind;
        let assets = self.reference.balance_sheet(party, moment.at).and_then(|sheet| sheet.total_assets_fen);
        code_of(vocabulary.code_text(vocabulary.known.institution_tier, self.reference.tier(kind, assets)))
    }

    fn known(&self, party: PartyId, moment: Moment) -> bool {
        if party.is_enterprise() {
            self.reference.enterprise(party, moment.at).is_some()
        } else {
            self.reference.institution(Some(party), None, moment.at).is_some()
        }
    }

    fn related(&self, left: PartyId, right: PartyId, moment: Moment) -> Option<bool> {
        if self.reference.related(left, right, moment.at, moment.date) {
            return Some(true);
        }
        (left == right || (self.known(left, moment) && self.known(right, moment))).then_some(false)
    }

    fn has_flag(&self, party: PartyId, flag: Code, moment: Moment) -> Option<bool> {
        let vocabulary = self.meanings.vocabulary();
        let row = vocabulary.row(vocabulary.known.special_flag, flag);
        let flags = self.reference.enterprise(party, moment.at)?.special_flags;
        Some(row.is_known() && flags.checked_shr(u32::from(row.0)).is_some_and(|flags| flags & 1 == 1))
    }

    fn watch_listed(&self, party: PartyId, moment: Moment) -> bool {
        !self.reference.block_lists(party, moment.at, moment.date).is_empty()
    }

    fn credit_line_fen(&self, giver: PartyId, taker: PartyId, moment: Moment) -> Option<i64> {
        self.reference.credit_line(giver, taker, moment.at, moment.date).map(|line| line.limit_fen)
    }

    fn disclosure_day(&self, party: PartyId, kind: Behaviour, moment: Moment) -> Option<Day> {
        let wanted = match kind {
            behaviour::DIS_SUS => {
                return self.reference.suspension(party, moment.at, moment.date).map(|notice| notice.from);
            }
            behaviour::DIS_PSL => return self.reference.persistently_overdue(party, moment.at),
            behaviour::DIS_REG => AcceptorNotice::Registered,
            behaviour::DIS_ANN => AcceptorNotice::Announced,
            behaviour::DIS_RST => AcceptorNotice::Restored,
            _ => return None,
        };
        let said = self.reference.notices(party, moment.at).iter().map(|entry| &entry.value);
        let held = said.filter(|notice| notice.what == wanted && notice.from <= moment.date);
        held.map(|notice| notice.from).max()
    }

    fn disclosed_month(&self, party: PartyId, moment: Moment) -> Option<i32> {
        self.reference.credit_disclosures(party, moment.at).iter().map(|entry| entry.value.month).max()
    }

    fn name_distance(&self, party: PartyId, name: &str, moment: Moment) -> Option<i64> {
        let registered = if party.is_enterprise() {
            self.reference.enterprise(party, moment.at)?.name.as_deref()?
        } else {
            self.reference.institution(Some(party), None, moment.at)?.name.as_deref()?
        };
        if registered == name {
            return Some(0);
        }
        Some(edits(&plain(registered), &plain(name)) as i64)
    }

    fn account_opened(&self, party: PartyId, branch: InstId, moment: Moment) -> Option<Day> {
        let said = self.reference.accounts(party, moment.at).iter().map(|entry| &entry.value);
        let opened = said.filter(|change| change.opened && change.branch == Some(branch) && change.date <= moment.date);
        opened.map(|change| change.date).max()
    }

    fn branch_province(&self, branch: InstId, moment: Moment) -> Option<Code> {
        let vocabulary = self.meanings.vocabulary();
        let province = self.reference.institution(None, Some(branch), moment.at)?.province;
        code_of(vocabulary.code_text(vocabulary.known.province, province))
    }

    fn head_office(&self, branch: InstId, moment: Moment) -> Option<PartyId> {
        self.reference.institution(None, Some(branch), moment.at).map(|institution| institution.legal)
    }

    fn background_fen(&self, drawer: PartyId, number: u64, moment: Moment) -> Option<i64> {
        let said = self.reference.contract_by_hash(drawer, number, moment.at).iter().rev().map(|entry| &entry.value);
        said.filter_map(|background| {
            if background.contract == Some(number) { background.contract_fen } else { background.invoice_fen }
        })
        .next()
    }

    fn is_active_trader(&self, legal: PartyId, trader: &str, moment: Moment) -> bool {
        let known = &self.meanings.vocabulary().known;
        let active = self.meanings.vocabulary().row_of_text(known.participant_status, "ACTIVE");
        let trader = self.reference.trader(legal, trader, moment.at);
        trader.is_some_and(|trader| trader.status == active && trader.validity.holds(moment.date))
    }

    fn is_succeeded(&self, branch: InstId, moment: Moment) -> bool {
        self.reference.is_succeeded(branch, moment.at)
    }

    fn sharing(&self, party: PartyId, address: bool, moment: Moment) -> Option<usize> {
        self.reference.sharing(party, address, moment.at)
    }

    fn lookalike_province(&self, party: PartyId, close: (Number, usize), moment: Moment) -> Option<Option<Code>> {
        let close = (close.0.parts(), close.1);
        let row = self.reference.lookalike_province(party, close, moment.at, moment.date)?;
        let vocabulary = self.meanings.vocabulary();
        Some(code_of(vocabulary.code_text(vocabulary.known.province, row)))
    }

    fn curve_e4(&self, class: Code, days: i64, moment: Moment) -> Option<i64> {
        let vocabulary = self.meanings.vocabulary();
        self.reference.curve_e4(vocabulary.row(vocabulary.known.bill_class, class), days, moment.at)
    }

    fn reference_rate_e4(&self, kind: Code, days: i64, moment: Moment) -> Option<i64> {
        let vocabulary = self.meanings.vocabulary();
        self.reference.rate_e4(vocabulary.row(vocabulary.known.rate_kind, kind), days, moment.at)
    }

    fn trade_weight(&self, buyer: PartyId, supplier: PartyId, moment: Moment) -> i64 {
        let sections = self.section(buyer, moment.at).zip(self.section(supplier, moment.at));
        let weight = sections.and_then(|(buyer, supplier)| self.meanings.catalogue().trade.weight(buyer, supplier));
        weight.map_or(1, i64::from)
    }

    fn calendar(&self) -> &Calendar {
        self.meanings.calendar()
    }

    fn has_unknown_code(&self, fact: &Fact) -> bool {
        unknown_codes(fact, self.meanings.catalogue()).next().is_some()
    }

    fn misses_field(&self, fact: &Fact, header: Option<&Header>) -> bool {
        let marks = || header.map(|header| BillMarks { kind: Code::of(header.kind.code()), medium: header.medium });
        misses_mandatory(fact, marks, self.meanings.catalogue())
    }

    fn has_bad_bill_number(&self, fact: &Fact, check_digit: bool) -> bool {
        let issued: Option<Day> = fact.date(Field::IssueDate);
        let is_known_bank = |number| self.reference.knows_bank_number(number, fact.event_time);
        fact.bill_id
            .is_some_and(|bill| !bill_number_faults(bill, issued, is_known_bank, &KIND_DIGITS, check_digit).is_empty())
    }

    fn has_bad_credit_code(&self, fact: &Fact) -> bool {
        fact.behaviour == behaviour::MST_ENR && fact.text(Field::Uscc).is_some_and(|code| !credit_code_is_good(code))
    }
}
