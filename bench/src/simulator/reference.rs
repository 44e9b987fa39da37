//! Reference and master data as facts: members, enterprises, accounts, balance sheets, curves.
//!
//! [`Registry`] writes one fact at a time and numbers them; normal trade and labelled cases register their parties
//! through it. [`Opening`] streams everything that is known before the first bill.

use billwatch_market::fact::{Behaviour, EventId, Fact, Field, Source, Value, behaviour};
use billwatch_market::ids::{Code, Day, PartyId};

use super::dice::mix;
use super::draft::{Draft, Party, name_of};
use super::price::{CLASSES, Curve, TENORS};
use super::world::{FINANCE_COMPANY, PBOC, PLATFORM, PROVINCES, World, bank_no, member, registered_on};

/// First event id of reference facts: far above every bill's block.
const FIRST_REFERENCE: EventId = 1 << 96;

/// An enterprise as it is registered.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The enterprise and its account bank.
    pub party: Party,
    /// 6-digit code.
    pub province: &'static str,
    /// Section letter.
    pub section: u8,
    /// Division number 1..=97.
    pub division: u8,
    /// Foundation.
    pub registered: Day,
    /// Fen.
    pub capital_fen: i64,
    /// Fen paid in.
    pub paid_fen: i64,
    /// Insured persons.
    pub employees: i64,
    /// Legal representative.
    pub representative: PartyId,
    /// Group, if any.
    pub group: Option<PartyId>,
    /// `address_hash` as a number.
    pub address: u64,
}

impl Registration {
    /// An unremarkable company: old enough, staffed, alone in its group, address and representative its own.
    pub fn plain(party: Party) -> Self {
        let number = party.id.number();
        Registration {
            party,
            province: PROVINCES[(mix(number) % 12) as usize].0,
            section: b'C',
            division: 34,
            registered: registered_on(number),
            capital_fen: 10_000_000_000,
            paid_fen: 10_000_000_000,
            employees: 120,
            representative: PartyId::person(number),
            group: None,
            address: mix(number ^ 0xADD7),
        }
    }
}

/// Rates of structured deposits (RK01) by term, percent times 10^4. Below the bill curve, as in ordinary times: deposits that pay
/// more than a discount costs are the exception that P133 looks for.
pub const STRUCTURED_DEPOSIT_RATE: [(&str, i64); 2] = [("TM090", 9_000), ("TM180", 9_500)];
/// The rediscount rate (RK07) as the PBOC set it from January 2024 to May 2025.
pub const REDISCOUNT_RATE: i64 = 17_500;

/// Writes reference facts and numbers them.
pub struct Registry {
    next: EventId,
}

impl Default for Registry {
    /// Nothing registered yet.
    fn default() -> Self {
        Registry { next: FIRST_REFERENCE }
    }
}

impl Registry {
    /// Identity for a fact that belongs to no bill.
    pub fn next_event(&mut self) -> EventId {
        self.next += 1;
        self.next
    }

    /// Envelope of a reference fact.
    pub fn draft(&mut self, behaviour: Behaviour, at: i64) -> Draft {
        let event = self.next_event();
        Draft::new(behaviour, at, Source::Refd, event)
    }

    /// MST.ISN: a branch of a member.
    pub fn institution(
        &mut self,
        at: i64,
        branch: Party,
        inst_type: u16,
        province: &str,
        group: Option<PartyId>,
    ) -> Fact {
        let inst = branch.inst.expect("a member has branches");
        let draft = self
            .draft(behaviour::MST_ISN, at)
            .from(Party::SYSTEM)
            .to(branch)
            .value(Field::ParticipantCode, Value::Inst(inst))
            .value(Field::LegalInstId, Value::Party(branch.id))
            .text(Field::BankNo, format!("{:012}", bank_no(inst_type, inst)))
            .text(Field::Name, branch.name())
            .value(Field::InstType, Value::Code(Code::of(three_digits(inst_type).as_str())))
            .code(Field::MemberType, if inst_type == 605 { "MT06" } else { "MT01" })
            .code(Field::Province, province)
            .code(Field::ParticipantStatus, "ACTIVE");
        with_group(in_city(draft, province, u64::from(inst.0)), group).done()
    }

    /// MST.FIN with these total assets; the other positions follow in fixed proportions.
    pub fn balance_sheet(&mut self, at: i64, member: Party, report: Day, total_assets_fen: i64) -> Fact {
        self.draft(behaviour::MST_FIN, at)
            .from(member)
            .value(Field::LegalInstId, Value::Party(member.id))
            .date(Field::ReportDate, report)
            .int(Field::TotalAssetsFen, total_assets_fen)
            .int(Field::DepositsFen, total_assets_fen / 10 * 7)
            .int(Field::MarginFen, total_assets_fen / 100 * 3)
            .int(Field::NetCapitalFen, total_assets_fen / 11)
            .int(Field::LiquidAssetsFen, total_assets_fen / 8)
            .int(Field::InterbankDepositFen, total_assets_fen / 40)
            .done()
    }

    /// MST.ENR.
    pub fn enterprise(&mut self, at: i64, company: &Registration) -> Fact {
        let number = company.party.id.number();
        let draft = self
            .draft(behaviour::MST_ENR, at)
            .from(bank_of(company.party))
            .value(Field::EntId, Value::Party(company.party.id))
            .text(Field::Uscc, credit_code(company.province, number))
            .text(Field::Name, name_of(company.party.id))
            .code(Field::Province, company.province)
            .value(Field::IndustrySection, Value::Code(super::tables::section(company.section)))
            .value(Field::IndustryDivision, Value::Code(two_digits(company.division)))
            .code(Field::Size, size_of(company.capital_fen))
            .code(Field::Ownership, ["OW04", "OW04", "OW04", "OW02", "OW01", "OW06"][(mix(number) % 6) as usize])
            .code(Field::RegistrationType, "1100")
            .code(Field::RegistryStatus, "ACTIVE")
            .date(Field::RegDate, company.registered)
            .int(Field::RegCapitalFen, company.capital_fen)
            .int(Field::PaidCapitalFen, company.paid_fen)
            .int(Field::Employees, company.employees)
            .value(Field::LegalRepId, Value::Party(company.representative))
            .text(Field::AddressHash, format!("{:016x}", company.address))
            .code(Field::Rating, "NR");
        with_group(in_city(draft, company.province, number), company.group).done()
    }

    /// MST.ACO: the account at the account bank.
    pub fn account(&mut self, at: i64, company: Party, opened: Day) -> Fact {
        self.draft(behaviour::MST_ACO, at)
            .from(bank_of(company))
            .to(company)
            .value(Field::EntId, Value::Party(company.id))
            .text(Field::AccountId, account_number(company))
            .code(Field::AccountIdentity, "DT02")
            .date(Field::OpenDate, opened)
            .done()
    }

    /// MST.ENF: net assets of an enterprise.
    pub fn financials(&mut self, at: i64, company: Party, statement: Day, net_assets_fen: i64) -> Fact {
        self.draft(behaviour::MST_ENF, at)
            .from(bank_of(company))
            .value(Field::EntId, Value::Party(company.id))
            .date(Field::FinancialsDate, statement)
            .int(Field::NetAssetsFen, net_assets_fen)
            .int(Field::Revenue12mFen, net_assets_fen)
            .done()
    }

    /// DIS.REG: an acceptor registers for disclosure.
    pub fn disclosure_account(&mut self, at: i64, acceptor: Party) -> Fact {
        self.draft(behaviour::DIS_REG, at).from(acceptor).value(Field::AcceptorId, Value::Party(acceptor.id)).done()
    }

    /// DIS.CRD: the credit of an acceptor in the month that ended on this day.
    pub fn credit_disclosure(&mut self, at: i64, acceptor: Party, month_end: Day) -> Fact {
        let (year, month, _) = month_end.ymd();
        self.draft(behaviour::DIS_CRD, at)
            .from(acceptor)
            .value(Field::AcceptorId, Value::Party(acceptor.id))
            .text(Field::PeriodMonth, format!("{year:04}-{month:02}"))
            .int(Field::AcceptedCumFen, 0)
            .int(Field::AcceptedBalFen, 0)
            .int(Field::OverdueCumFen, 0)
            .int(Field::OverdueBalFen, 0)
            .done()
    }

    /// MST.TRD: the trader of a member.
    pub fn trader(&mut self, at: i64, member: Party) -> Fact {
        self.draft(behaviour::MST_TRD, at)
            .from(member)
            .value(Field::LegalInstId, Value::Party(member.id))
            .text(Field::TraderId, super::deals::trader(member))
            .code(Field::TraderStatus, "ACTIVE")
            .done()
    }

    /// MST.CRL: a bilateral line.
    pub fn credit_line(&mut self, at: i64, from: Party, to: Party, limit_fen: i64) -> Fact {
        self.draft(behaviour::MST_CRL, at).from(from).to(to).int(Field::LimitFen, limit_fen).done()
    }

    /// REF.CRV: one point.
    pub fn curve_point(&mut self, at: i64, class: usize, tenor: usize, rate_e4: i64) -> Fact {
        self.draft(behaviour::REF_CRV, at)
            .from(Party::SYSTEM)
            .code(Field::BillClass, CLASSES[class - 1])
            .code(Field::CurveTenor, TENORS[tenor].0)
            .int(Field::RateE4, rate_e4)
            .done()
    }

    /// REF.DEP: one rate.
    pub fn deposit_rate(&mut self, at: i64, kind: &str, tenor: &str, rate_e4: i64) -> Fact {
        self.draft(behaviour::REF_DEP, at)
            .from(Party::SYSTEM)
            .code(Field::RateKind, kind)
            .code(Field::CurveTenor, tenor)
            .int(Field::RateE4, rate_e4)
            .done()
    }

    /// CSH.DEP: cash paid in by a member.
    pub fn cash_deposit(&mut self, at: i64, member: Party, cash_fen: i64) -> Fact {
        self.next += 1;
        Draft::new(behaviour::CSH_DEP, at, Source::Clrs, self.next)
            .from(member)
            .int(Field::CashFen, cash_fen)
            .code(Field::CashBusiness, "T10003")
            .done()
    }
}

/// The number of a company's account.
pub fn account_number(company: Party) -> Box<str> {
    format!("{:010}01", company.id.number()).into()
}

/// The bank that registers an enterprise: its account bank.
fn bank_of(company: Party) -> Party {
    let inst = company.inst.expect("an enterprise has an account bank");
    Party { id: PartyId::legal(u64::from(inst.0 / 1_000)), inst: Some(inst) }
}

/// In one of the cities of its province, by its number.
fn in_city(draft: Draft, province: &str, number: u64) -> Draft {
    match super::tables::city(province, mix(number ^ 0xC17)) {
        Some(city) => draft.value(Field::City, Value::Code(city)),
        None => draft,
    }
}

fn with_group(draft: Draft, group: Option<PartyId>) -> Draft {
    match group {
        Some(group) => draft.value(Field::GroupId, Value::Party(group)),
        None => draft,
    }
}

fn two_digits(number: u8) -> Code {
    Code::parse(&format!("{number:02}")).expect("digits are a code")
}

fn three_digits(number: u16) -> String {
    format!("{number:03}")
}

fn size_of(capital_fen: i64) -> &'static str {
    const MILLION_CNY: i64 = 100_000_000;
    match capital_fen / MILLION_CNY {
        0..30 => "X",
        30..60 => "S",
        60..400 => "M",
        _ => "L",
    }
}

/// Alphabet of the credit code (domain.md 3).
const CREDIT_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// A good unified social credit code for an enterprise number.
pub fn credit_code(province: &str, number: u64) -> String {
    let mut code = format!("91{province}M");
    let mut rest = number;
    let mut tail = [b'0'; 8];
    for place in tail.iter_mut().rev() {
        *place = CREDIT_ALPHABET[(rest % 31) as usize];
        rest /= 31;
    }
    code.push_str(std::str::from_utf8(&tail).expect("the alphabet is ASCII"));
    let mut weight = 1;
    let mut sum = 0;
    for letter in code.bytes() {
        let value = CREDIT_ALPHABET.iter().position(|known| *known == letter).expect("built from the alphabet");
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    code.push(char::from(CREDIT_ALPHABET[(31 - sum % 31) % 31]));
    code
}

/// What is known before the first bill, one fact at a time.
pub struct Opening {
    at: i64,
    day: Day,
    place: usize,
    part: u8,
    platform: bool,
}

impl Opening {
    /// Facts from shortly after midnight of the opening day.
    pub fn new(day: Day) -> Self {
        Opening { at: day.start_ms() + 60_000, day, place: 0, part: 0, platform: false }
    }

    /// The next fact, or `None` when all is known. Members first, then companies, then curves.
    pub fn fact(&mut self, world: &World, registry: &mut Registry, curve: &Curve) -> Option<Fact> {
        loop {
            self.at += 2;
            let fact = match self.part {
                0 => self.branches(world, registry),
                1 => self.per_member(world, registry),
                2 => self.companies(world, registry),
                3 => self.curves(registry, curve),
                _ => return None,
            };
            match fact {
                Some(fact) => return Some(fact),
                None => {
                    self.part += 1;
                    self.place = 0;
                }
            }
        }
    }

    fn branches(&mut self, world: &World, registry: &mut Registry) -> Option<Fact> {
        const BRANCHES: usize = 256;
        if self.place == 0 {
            self.place = BRANCHES;
            return Some(registry.institution(self.at, member(PBOC, 1), 101, "310000", None));
        }
        if self.place == BRANCHES && !self.platform {
            self.platform = true;
            return Some(registry.institution(self.at, member(PLATFORM, 1), 605, "310000", None));
        }
        loop {
            let (institution, branch) = (self.place / BRANCHES - 1, (self.place % BRANCHES) as u8);
            let known = world.institutions.get(institution)?;
            if branch >= known.branches {
                self.place = (institution + 2) * BRANCHES;
                continue;
            }
            self.place += 1;
            let group = (known.group != 0).then(|| PartyId::group(u64::from(known.group)));
            let province = PROVINCES[usize::from(known.province)].0;
            return Some(registry.institution(
                self.at,
                member(known.legal, branch + 1),
                known.inst_type,
                province,
                group,
            ));
        }
    }

    fn per_member(&mut self, world: &World, registry: &mut Registry) -> Option<Fact> {
        let (place, part) = (self.place / 4, self.place % 4);
        let known = world.institutions.get(place)?;
        self.place += 1;
        let party = member(known.legal, 1);
        Some(match part {
            0 => registry.balance_sheet(self.at, party, self.day.month_start().plus(-1), total_assets(known.inst_type)),
            1 => registry.trader(self.at, party),
            2 => {
                let next = &world.institutions[(place + 1) % world.institutions.len()];
                registry.credit_line(self.at, party, member(next.legal, 1), 10_000_000_000_000)
            }
            _ => registry.cash_deposit(self.at, party, total_assets(known.inst_type) / 10),
        })
    }

    fn companies(&mut self, world: &World, registry: &mut Registry) -> Option<Fact> {
        let (place, part) = (self.place / 3, self.place % 3);
        let company = world.enterprises.get(place)?;
        self.place += 1;
        let party = world.party(super::world::Who::enterprise(place));
        let number = party.id.number();
        let registered = registered_on(number);
        match part {
            0 => {
                let plain = Registration {
                    province: PROVINCES[usize::from(company.province)].0,
                    section: company.section,
                    division: company.division,
                    capital_fen: company.capital_fen,
                    paid_fen: company.capital_fen,
                    employees: 20 + (mix(number) % 2_000) as i64,
                    group: (company.group != 0).then(|| PartyId::group(u64::from(company.group))),
                    ..Registration::plain(party)
                };
                Some(registry.enterprise(self.at, &plain))
            }
            1 => Some(registry.account(self.at, party, registered.plus(60))),
            // Financials are known of those who draw and of the larger companies, which may accept.
            _ if company.capital_fen > 10_000_000_000 || world.draws(place) => {
                Some(registry.financials(self.at, party, self.day.month_start().plus(-1), company.capital_fen * 20))
            }
            _ => self.companies(world, registry),
        }
    }

    fn curves(&mut self, registry: &mut Registry, curve: &Curve) -> Option<Fact> {
        let place = self.place;
        self.place += 1;
        let points = CLASSES.len() * TENORS.len();
        if place < points {
            let (class, tenor) = (place / TENORS.len() + 1, place % TENORS.len());
            return Some(registry.curve_point(self.at, class, tenor, curve.point(class, tenor)));
        }
        let (kind, tenor, rate_e4) = *[
            ("RK01", STRUCTURED_DEPOSIT_RATE[0].0, STRUCTURED_DEPOSIT_RATE[0].1),
            ("RK01", STRUCTURED_DEPOSIT_RATE[1].0, STRUCTURED_DEPOSIT_RATE[1].1),
            ("RK02", "TM180", 8_500),
            ("RK04", "TM007", 16_000),
            ("RK05", "TM007", 17_000),
            ("RK06", "TM360", 31_000),
            ("RK07", "TM180", REDISCOUNT_RATE),
        ]
        .get(place - points)?;
        Some(registry.deposit_rate(self.at, kind, tenor, rate_e4))
    }
}

/// Total assets of a member by its type, fen: far above what it accepts in any simulated market (15 % rule).
pub fn total_assets(inst_type: u16) -> i64 {
    let hundred_million_cny = match inst_type {
        202 => 300_000,
        203 => 60_000,
        205 => 20_000,
        FINANCE_COMPANY => 4_000,
        _ => 5_000,
    };
    hundred_million_cny * 10_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_codes_pass_their_check() {
        // A code of the worked examples, whose organisation part is not ours: the check alone is compared.
        let code = "91330100MA0000015W";
        let mut sum = 0;
        let mut weight = 1;
        for letter in code.bytes().take(17) {
            sum += CREDIT_ALPHABET.iter().position(|known| *known == letter).expect("alphabet") * weight;
            weight = weight * 3 % 31;
        }
        assert_eq!(CREDIT_ALPHABET[(31 - sum % 31) % 31], b'W');
        assert_eq!(credit_code("330000", 1).len(), 18);
    }
}
