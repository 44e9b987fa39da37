//! Who takes part in normal trade: institutions with branches, enterprises with attributes, and who deals with whom.
//!
//! Nobody's attributes are stored as text: all are functions of the party's number. What keeps clean trade clean is
//! built in here and not left to chance: enterprises sit in five layers and buy only from the next one (no mutual or
//! triangular issuance, no flips between two holders), suppliers are plausible by `trade_matrix.csv`, group members sit
//! in one layer (no related payee), capital covers what a drawer has outstanding.

use billwatch_market::ids::{Day, InstId, PartyId};

use super::dice::{Dice, Weighted, mix};
use super::draft::Party;
use super::tables::TradeMatrix;

/// Someone in normal trade, as one number: an enterprise by its place, or a branch of an institution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Who(u32);

const INSTITUTION: u32 = 1 << 31;
const BRANCH_SHIFT: u32 = 20;

impl Who {
    /// The central bank; it has no place in [`World::institutions`].
    pub const PBOC: Who = Who(INSTITUTION | 1 << BRANCH_SHIFT | ((1 << BRANCH_SHIFT) - 1));

    /// The enterprise at this place in [`World::enterprises`].
    pub fn enterprise(place: usize) -> Self {
        Who(place as u32)
    }

    /// Branch 1.. of the institution at this place in [`World::institutions`] (below a million).
    pub fn branch(place: usize, branch: u8) -> Self {
        Who(INSTITUTION | u32::from(branch) << BRANCH_SHIFT | place as u32)
    }

    /// Place of the institution; `None` for an enterprise.
    pub fn institution(self) -> Option<usize> {
        (self.0 & INSTITUTION != 0).then_some((self.0 & ((1 << BRANCH_SHIFT) - 1)) as usize)
    }

    /// Place of the enterprise; `None` for an institution.
    pub fn enterprise_place(self) -> Option<usize> {
        (self.0 & INSTITUTION == 0).then_some(self.0 as usize)
    }

    /// The same party, whatever the branch.
    pub fn same_party(self, other: Who) -> bool {
        match (self.institution(), other.institution()) {
            (Some(left), Some(right)) => left == right,
            _ => self.0 == other.0,
        }
    }
}

/// A legal member of the market.
pub struct Institution {
    /// 6-digit code.
    pub legal: u32,
    /// `institution_type`.
    pub inst_type: u16,
    /// Position in [`PROVINCES`].
    pub province: u8,
    /// Branches, numbered from 1.
    pub branches: u8,
    /// Group number of a finance company; 0 = none.
    pub group: u32,
    /// Fen of bills held.
    pub holdings_fen: i64,
    /// Fen of bills out on repo.
    pub repo_fen: i64,
}

/// A company that draws, takes or passes on bills.
pub struct Enterprise {
    /// Section letter.
    pub section: u8,
    /// Division number 1..=97.
    pub division: u8,
    /// Position in [`PROVINCES`].
    pub province: u8,
    /// Account bank: branch of an institution.
    pub home: Who,
    /// Group number; 0 = none.
    pub group: u32,
    /// Fen, as in the register.
    pub capital_fen: i64,
    /// Fen drawn and not yet paid.
    pub outstanding_fen: i64,
    /// Hour (since 1970) of its last issue, and issues in that hour.
    pub issues: (i32, u8),
    /// Has paid a bill as commercial acceptor.
    pub has_paid: bool,
}

/// Provinces and their weight in drawings, per thousand (domain.md 12.4).
pub const PROVINCES: [(&str, u64); 31] = [
    ("440000", 120),
    ("320000", 120),
    ("330000", 110),
    ("370000", 100),
    ("310000", 70),
    ("110000", 50),
    ("130000", 50),
    ("410000", 40),
    ("340000", 40),
    ("420000", 40),
    ("350000", 40),
    ("510000", 40),
    ("120000", 12),
    ("140000", 12),
    ("150000", 8),
    ("210000", 14),
    ("220000", 6),
    ("230000", 6),
    ("360000", 14),
    ("430000", 18),
    ("450000", 10),
    ("460000", 4),
    ("500000", 16),
    ("520000", 8),
    ("530000", 10),
    ("610000", 16),
    ("620000", 6),
    ("630000", 3),
    ("640000", 4),
    ("650000", 10),
    ("540000", 1),
];

/// Section, weight per thousand, first and last division.
const SECTIONS: [(u8, u64, u8, u8); 11] = [
    (b'C', 480, 13, 43),
    (b'F', 270, 51, 52),
    (b'E', 100, 47, 50),
    (b'L', 30, 71, 72),
    (b'M', 30, 73, 75),
    (b'I', 30, 63, 65),
    (b'G', 20, 53, 60),
    (b'B', 20, 6, 12),
    (b'D', 10, 44, 46),
    (b'A', 5, 1, 5),
    (b'N', 5, 76, 79),
];

/// `institution_type`, share of institutions per hundred, share of acceptances per thousand.
const TYPES: [(u16, u64, u64); 6] =
    [(202, 5, 200), (203, 11, 420), (205, 30, 240), (206, 38, 90), (204, 6, 50), (FINANCE_COMPANY, 10, 0)];

/// `institution_type` of a finance company.
pub const FINANCE_COMPANY: u16 = 301;
/// Legal code of the PBOC.
pub const PBOC: u32 = 100_001;
/// Legal code of the platform of online bill payment.
pub const PLATFORM: u32 = 100_002;
/// Legal code before that of the first institution of normal trade.
const FIRST_LEGAL: u32 = 100_101;
/// Layers of the supply chain.
const LAYERS: usize = 5;
/// Acceptances of one drawer in one clock hour; more would be an issuance burst.
const ISSUES_AN_HOUR: u8 = 12;

/// Everybody in normal trade.
pub struct World {
    /// Members, the PBOC not among them.
    pub institutions: Vec<Institution>,
    /// Companies.
    pub enterprises: Vec<Enterprise>,
    /// Number of finance companies: the last institutions.
    finance_companies: usize,
    drawers: usize,
    stride: usize,
    drawer_weights: Weighted,
    acceptor_weights: Weighted,
    matrix: TradeMatrix,
}

impl World {
    /// A market that is to carry this many bills.
    pub fn new(seed: u64, bills: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let provinces = Weighted::new(PROVINCES.iter().map(|(_, weight)| *weight));
        let sections = Weighted::new(SECTIONS.iter().map(|(_, weight, ..)| *weight));
        let cube_root = (bills as f64).cbrt();
        let members = (1.2 * cube_root) as usize + 8;
        let finance_companies = (members / 10).max(1);
        let institutions = institutions(members, finance_companies, cube_root, &provinces, &mut dice);
        let enterprises_wanted = ((bills / 10).clamp(80, 500_000) as usize).next_multiple_of(LAYERS);
        let stride = if bills < 20_000 { 2 } else { 7 };
        let drawers = enterprises_wanted / stride;
        // Zipf with exponent 0.9; the head is cut off where it would make every bank dependent on a few drawers (P106).
        let head = if drawers < 5_000 { 50.0 } else { 10.0 };
        let weight_of = |rank: usize| (1e9 / (rank as f64 + head).powf(0.9)) as u64;
        let total_weight: u64 = (0..drawers).map(weight_of).sum();
        let banks = members - finance_companies;
        let mut enterprises = Vec::with_capacity(enterprises_wanted);
        for place in 0..enterprises_wanted {
            let (section, _, from, to) = SECTIONS[sections.draw(&mut dice)];
            let home = dice.below(banks as u64) as usize;
            let branch = 1 + dice.below(u64::from(institutions[home].branches)) as u8;
            let layer = place % LAYERS;
            let in_layer = place / LAYERS;
            let grouped = layer == 0 && in_layer % 8 == 3;
            let group = if grouped { 1 + (in_layer / 8 % finance_companies) as u32 } else { 0 };
            let mut capital = 20_000_000 + dice.below(80_000_000) as i64;
            if place % stride == 0 {
                let share = weight_of(place / stride) as f64 / total_weight as f64;
                capital += (share * bills as f64 * 650_000.0) as i64;
            }
            enterprises.push(Enterprise {
                section,
                division: dice.between(i64::from(from), i64::from(to)) as u8,
                province: provinces.draw(&mut dice) as u8,
                home: Who::branch(home, branch),
                group,
                capital_fen: capital / 10_000 * 1_000_000,
                outstanding_fen: 0,
                issues: (0, 0),
                has_paid: false,
            });
        }
        let acceptor_weights = acceptor_weights(&institutions[..banks]);
        World {
            institutions,
            enterprises,
            finance_companies,
            drawers,
            stride,
            drawer_weights: Weighted::new((0..drawers).map(weight_of)),
            acceptor_weights,
            matrix: TradeMatrix::embedded(),
        }
    }

    /// The party as it is written into facts.
    pub fn party(&self, who: Who) -> Party {
        if who == Who::PBOC {
            return member(PBOC, 1);
        }
        match who.institution() {
            Some(place) => self.branch_party(place, (who.0 >> BRANCH_SHIFT & 0x7ff) as u8),
            None => {
                let place = who.0 as usize;
                let home = self.party(self.enterprises[place].home);
                Party { id: PartyId::enterprise(place as u64 + 1), inst: home.inst }
            }
        }
    }

    fn branch_party(&self, place: usize, branch: u8) -> Party {
        let legal = self.institutions[place].legal;
        member(legal, branch)
    }

    /// 12-digit bank number of the account bank of an enterprise.
    pub fn bank_no_of(&self, enterprise: usize) -> u64 {
        let home = self.enterprises[enterprise].home;
        let place = home.institution().expect("an account bank is an institution");
        bank_no(self.institutions[place].inst_type, self.party(home).inst.expect("a member has branches"))
    }

    /// 12-digit bank number of a head office or branch of normal trade.
    pub fn bank_no_at(&self, inst: InstId) -> u64 {
        let place = (inst.0 / 1_000).saturating_sub(FIRST_LEGAL) as usize;
        bank_no(self.institutions.get(place).map_or(0, |known| known.inst_type), inst)
    }

    /// A drawer by Zipf that may still issue at this instant, or `None` when chance found only busy ones.
    pub fn drawer(&mut self, at: i64, dice: &mut Dice) -> Option<usize> {
        let hour = (at / 3_600_000) as i32;
        for _ in 0..6 {
            let place = self.drawer_weights.draw(dice) * self.stride;
            let issues = &mut self.enterprises[place].issues;
            if issues.0 != hour {
                *issues = (hour, 0);
            }
            if issues.1 < ISSUES_AN_HOUR {
                issues.1 += 1;
                return Some(place);
            }
        }
        None
    }

    /// A member of a finance company's group, and that company's place.
    pub fn group_drawer(&self, dice: &mut Dice) -> (usize, usize) {
        let grouped = self.enterprises.len() / LAYERS / 8;
        let nth = dice.below(grouped.max(1) as u64) as usize;
        let place = (nth * 8 + 3) * LAYERS;
        let group = self.enterprises[place].group as usize;
        (place, self.institutions.len() - self.finance_companies + group - 1)
    }

    /// This enterprise may draw: by weight, or as a member of a finance company's group.
    pub fn draws(&self, enterprise: usize) -> bool {
        enterprise.is_multiple_of(self.stride) || self.enterprises[enterprise].group != 0
    }

    /// Commercial acceptors are the larger drawers.
    pub fn commercial_drawer(&self, dice: &mut Dice) -> usize {
        dice.below((self.drawers / 4).max(1) as u64) as usize * self.stride
    }

    /// One of the two banks that accept for this drawer in this week: never five within seven days (P041), and in the
    /// long run all of them.
    pub fn accepting_bank(&self, drawer: usize, day: Day, dice: &mut Dice) -> Who {
        let line = (drawer as u64) << 20 | (day.0 as u64 / 7) << 1 | dice.below(2);
        let ticket = mix(line);
        self.some_branch(self.acceptor_weights.at(ticket), mix(ticket))
    }

    /// A bank that discounts; never a finance company.
    pub fn bank(&self, dice: &mut Dice) -> Who {
        let place = self.acceptor_weights.draw(dice);
        self.some_branch(place, dice.below(u64::MAX))
    }

    /// The n-th bank in turn: the discounters of one commercial acceptor rotate.
    pub fn bank_in_turn(&self, turn: usize) -> Who {
        let banks = self.institutions.len() - self.finance_companies;
        self.some_branch(turn % banks, turn as u64)
    }

    /// The head office of an institution.
    pub fn head_office(&self, place: usize) -> Who {
        Who::branch(place, 1)
    }

    fn some_branch(&self, place: usize, ticket: u64) -> Who {
        Who::branch(place, 1 + (ticket % u64::from(self.institutions[place].branches)) as u8)
    }

    /// A plausible supplier of an enterprise: in the next layer, of another group, with trade weight above 0.
    pub fn supplier(&self, buyer: usize, dice: &mut Dice) -> usize {
        let layer = (buyer % LAYERS + 1) % LAYERS;
        let in_layer = (self.enterprises.len() / LAYERS) as u64;
        let line = dice.below(9);
        let section = self.enterprises[buyer].section;
        for attempt in 0..12 {
            let place = (mix(buyer as u64 * 1_009 + line + attempt * 101) % in_layer) as usize * LAYERS + layer;
            if self.matrix.weight(section, self.enterprises[place].section) > 0 {
                return place;
            }
        }
        // Sections C and F supply everybody.
        let from = dice.below(in_layer);
        (0..in_layer)
            .map(|step| ((from + step) % in_layer) as usize * LAYERS + layer)
            .find(|&place| matches!(self.enterprises[place].section, b'C' | b'F'))
            .expect("every layer has manufacturers or traders")
    }

    /// Number 1..=7 of the bill class of an acceptor (derived.csv `bill.price_class`).
    pub fn price_class(&self, acceptor: Who) -> usize {
        match acceptor.institution() {
            None => 6,
            Some(place) => match self.institutions[place].inst_type {
                201..=203 => 1,
                205 => 2,
                FINANCE_COMPANY => 4,
                _ => 3,
            },
        }
    }
}

/// A member at one of its branches.
pub fn member(legal: u32, branch: u8) -> Party {
    Party { id: PartyId::legal(u64::from(legal)), inst: Some(InstId(legal * 1_000 + u32::from(branch))) }
}

/// 12-digit bank number: 3 digits of the kind of bank, 9 of the branch.
pub fn bank_no(inst_type: u16, branch: InstId) -> u64 {
    let class: u64 = match inst_type {
        101 => 1,
        202 => 102,
        203 => 309,
        204 => 501,
        205 => 313,
        206 => 402,
        _ => 907,
    };
    class * 1_000_000_000 + u64::from(branch.0)
}

/// Registration day of an enterprise of normal trade: never young.
pub fn registered_on(enterprise: u64) -> Day {
    Day::from_ymd(2020, 6, 1).expect("a day").plus(-((mix(enterprise) % 6_000) as i32))
}

fn institutions(
    members: usize,
    finance_companies: usize,
    cube_root: f64,
    provinces: &Weighted,
    dice: &mut Dice,
) -> Vec<Institution> {
    let banks = members - finance_companies;
    let bank_types = &TYPES[..TYPES.len() - 1];
    let mut types: Vec<u16> = bank_types.iter().map(|(inst_type, ..)| *inst_type).collect();
    for (inst_type, share, _) in bank_types {
        let wanted = (banks as u64 * share / 90) as usize;
        let present = types.iter().filter(|known| *known == inst_type).count();
        types.extend(std::iter::repeat_n(*inst_type, wanted.saturating_sub(present)));
    }
    types.resize(banks, 206);
    types.extend(std::iter::repeat_n(FINANCE_COMPANY, finance_companies));
    let many_branches = 2 + (cube_root / 20.0) as u8;
    let mut result = Vec::with_capacity(members);
    for (place, &inst_type) in types.iter().enumerate() {
        let finance = inst_type == FINANCE_COMPANY;
        result.push(Institution {
            legal: FIRST_LEGAL + place as u32,
            inst_type,
            province: provinces.draw(dice) as u8,
            branches: if finance { 1 } else { many_branches },
            group: if finance { (place - banks) as u32 + 1 } else { 0 },
            holdings_fen: 0,
            repo_fen: 0,
        });
    }
    result
}

fn acceptor_weights(banks: &[Institution]) -> Weighted {
    let mut count = [0u64; TYPES.len()];
    let type_of = |bank: &Institution| TYPES.iter().position(|(known, ..)| *known == bank.inst_type);
    for bank in banks {
        count[type_of(bank).expect("a bank has one of the types")] += 1;
    }
    Weighted::new(banks.iter().map(|bank| {
        let place = type_of(bank).expect("a bank has one of the types");
        TYPES[place].2 * 1_000_000 / count[place]
    }))
}
