//! Which party plays which part in a fact (derived.csv `role.*`).

use smallvec::SmallVec;

use super::{
    Observation,
    meanings::{Family, Seat},
};
use crate::{
    bill::{Answered, BillKind, Lot, Request},
    fact::{Field, behaviour},
    ids::{InstId, PartyId},
    items::Row,
    names::Role,
};

/// A party and the branch through which it acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Player {
    /// Who.
    pub party: PartyId,
    /// Branch: of an institution its own, of an enterprise its account bank.
    pub branch: Option<InstId>,
}

/// Who plays a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Played {
    /// This party.
    By(Player),
    /// A commercial bill's accepting institution and the like: item `ENTERPRISE`.
    ByEnterprise,
    /// The role exists here, but nobody is named: item `UNKNOWN`.
    Unknown,
    /// The fact has no such role: item `NA`.
    NoRole,
}

impl Played {
    /// The player, when one is named.
    pub fn player(self) -> Option<Player> {
        match self {
            Played::By(player) => Some(player),
            _ => None,
        }
    }
}

impl Observation<'_> {
    /// Who plays a single role; [`Role::EachEnterprise`] and [`Role::EachInstitution`] are [`Observation::parties`].
    pub fn role(&self, role: Role) -> Played {
        let memo = &self.memo[role as usize];
        if let Some(played) = memo.get() {
            return played;
        }
        let played = self.find_role(role);
        memo.set(Some(played));
        played
    }

    fn find_role(&self, role: Role) -> Played {
        let family = self.meaning.family;
        let rows = &self.meanings.roles;
        let fact = self.fact;
        let seats = |roles: &[Row]| roles.iter().find_map(|role| self.seated(*role));
        let field = |party, branch| self.field(party, branch);
        let holder_before = || self.lot_before().or(self.lot()).map(holder_of);
        let found = match role {
            Role::Drawer | Role::Acceptor | Role::Payee => {
                let named = if role == Role::Acceptor && family == Family::Disclosure {
                    field(Field::AcceptorId, Field::AcceptorInst).or_else(|| self.seated_at(Seat::Initiator))
                } else {
                    None
                };
                if named.is_none() && fact.bill_id.is_none() && self.header.is_none() {
                    return Played::NoRole;
                }
                named.or_else(|| {
                    let header = self.header?;
                    let (party, branch) = match role {
                        Role::Drawer => (header.drawer, header.drawer_inst),
                        Role::Acceptor => (header.acceptor, header.acceptor_inst),
                        _ => (header.payee, header.payee_inst),
                    };
                    Some(Player { party, branch })
                })
            }
            Role::Endorser | Role::Endorsee => {
                if family != Family::Endorsement {
                    return Played::NoRole;
                }
                seats(&[if role == Role::Endorser { rows.holder } else { rows.endorsee }])
            }
            Role::Applicant => {
                let paper = fact.behaviour == behaviour::PPR_DSC;
                if !(paper || matches!(family, Family::Discount | Family::DiscountThrough)) {
                    return Played::NoRole;
                }
                seats(&[rows.holder, rows.discount_applicant])
                    .or_else(|| field(Field::ApplicantId, Field::ApplicantInst))
                    .or_else(holder_before)
            }
            Role::Guarantor => {
                let paper = fact.behaviour == behaviour::PPR_GUA;
                if !(paper || matches!(family, Family::Guarantee | Family::Enhancement)) {
                    return Played::NoRole;
                }
                seats(&[rows.guarantor, rows.enh_bank])
            }
            Role::Pledgor => {
                if family != Family::Pledge {
                    return Played::NoRole;
                }
                seats(&[rows.holder, rows.pledgor])
            }
            Role::Pledgee => {
                let paper = matches!(fact.behaviour, behaviour::PPR_PLG | behaviour::PPR_PLR);
                if !(paper || family == Family::Pledge) {
                    return Played::NoRole;
                }
                seats(&[rows.pledgee])
            }
            Role::Creditor | Role::Debtor => {
                if family != Family::Recourse {
                    return Played::NoRole;
                }
                let recovery = matches!(fact.behaviour, behaviour::PDR_REQ | behaviour::PDR_OFF | behaviour::PDR_CLS);
                if role == Role::Creditor {
                    seats(&[if recovery { rows.holder } else { rows.creditor }])
                        .or_else(|| field(Field::CreditorId, Field::CreditorInst))
                } else {
                    let asked = fact.behaviour == behaviour::PDR_REQ;
                    seats(&[if asked { rows.discounter } else { rows.debtor }])
                        .or_else(|| field(Field::DebtorId, Field::DebtorInst))
                        .or(match self.outcome.answered {
                            Some(Answered::Recourse { debtor }) => Some(Player { party: debtor, branch: None }),
                            _ => None,
                        })
                }
            }
            Role::Holder => match fact.bill_id {
                None => return Played::NoRole,
                Some(_) if family == Family::LossFreeze => self.lot_before().or(self.lot()).map(holder_of),
                Some(_) => self.lot().map(holder_of),
            },
            Role::Presenter => match (family, fact.behaviour) {
                (_, behaviour::PAY_REQ | behaviour::PAY_ERQ | behaviour::PAY_LRQ) => self.seated_at(Seat::Initiator),
                (Family::Payment, _) => {
                    let of = |lot: &Lot| lot.request.filter(is_presentation).map(|request| request.requester);
                    let party = self.lot_before().and_then(of).or_else(|| self.lot().and_then(of));
                    party.map(|party| Player { party, branch: None })
                }
                _ => return Played::NoRole,
            },
            Role::Discounter => {
                let paper = fact.behaviour == behaviour::PPR_DSC;
                if !(paper || matches!(family, Family::Discount | Family::DiscountThrough | Family::Enhancement)) {
                    return Played::NoRole;
                }
                seats(&[rows.discounter]).or_else(|| field(Field::DiscounterId, Field::DiscounterInst)).or_else(|| {
                    let asked = self.lot_before().and_then(|lot| lot.request)?.answerer()?;
                    Some(Player { party: asked, branch: None })
                })
            }
            Role::Seller | Role::Buyer => {
                if !matches!(family, Family::Interbank | Family::Rediscount) {
                    return Played::NoRole;
                }
                if role == Role::Seller {
                    seats(&[rows.seller]).or_else(|| field(Field::SellerId, Field::SellerInst)).or_else(holder_before)
                } else {
                    let pboc = (family == Family::Rediscount).then(|| self.seated(rows.pboc)).flatten();
                    seats(&[rows.buyer]).or(pboc).or_else(|| field(Field::BuyerId, Field::BuyerInst))
                }
            }
            Role::RepoSeller | Role::RepoBuyer => {
                if !matches!(family, Family::PledgedRepo | Family::BuyoutRepo) {
                    return Played::NoRole;
                }
                let sells = role == Role::RepoSeller;
                let (row, party, branch) = if sells {
                    (rows.repo_seller, Field::SellerId, Field::SellerInst)
                } else {
                    (rows.repo_buyer, Field::BuyerId, Field::BuyerInst)
                };
                seats(&[row]).or_else(|| field(party, branch)).or(match self.outcome.answered {
                    Some(Answered::Deal { seller, buyer }) => {
                        Some(Player { party: if sells { seller } else { buyer }, branch: None })
                    }
                    _ => None,
                })
            }
            Role::EnhancementBank => match (family, fact.behaviour) {
                (_, behaviour::ENH_DSC | behaviour::ENH_PAY | behaviour::ENH_UPD) => self.seated_at(Seat::Initiator),
                (Family::Enhancement, _) => seats(&[rows.enh_bank]),
                _ => return Played::NoRole,
            },
            Role::Broker => {
                if family != Family::DiscountThrough {
                    return Played::NoRole;
                }
                seats(&[rows.broker]).or_else(|| field(Field::BrokerId, Field::BrokerInst))
            }
            Role::Payer => return self.payer(),
            Role::AcceptingInstitution => match self.header {
                Some(header) if header.kind == BillKind::Cab => return Played::ByEnterprise,
                _ => return self.role(Role::Acceptor),
            },
            Role::HoldingInstitution => return self.role(Role::Holder),
            Role::EachEnterprise | Role::EachInstitution => return Played::NoRole,
        };
        found.map_or(Played::Unknown, Played::By)
    }

    fn payer(&self) -> Played {
        if let Some(player) = self.field(Field::PayerId, Field::PayerInst) {
            return Played::By(player);
        }
        let code = self.fact.behaviour.code();
        let redeems = ["RED", "RDF", "ERD", "ORD", "ERQ", "ERJ"].contains(&&code[4..]);
        match self.meaning.family {
            Family::Payment => self.role(Role::Acceptor),
            Family::Discount => self.role(Role::Discounter),
            Family::Interbank => self.role(Role::Buyer),
            Family::Rediscount if redeems => self.role(Role::Seller),
            Family::Rediscount => self.role(Role::Buyer),
            Family::PledgedRepo | Family::BuyoutRepo if redeems => self.role(Role::RepoSeller),
            Family::PledgedRepo | Family::BuyoutRepo => self.role(Role::RepoBuyer),
            Family::Recourse => self.role(Role::Debtor),
            Family::Cash => self.seated_at(Seat::Initiator).map_or(Played::Unknown, Played::By),
            _ => Played::NoRole,
        }
    }

    fn seated(&self, role: Row) -> Option<Player> {
        self.seated_at(self.meanings.seat(self.fact.behaviour, role)?)
    }

    pub(super) fn seated_at(&self, seat: Seat) -> Option<Player> {
        match seat {
            Seat::Initiator => self.field(Field::InitiatorId, Field::InitiatorInst),
            Seat::Counterparty => self.field(Field::CounterpartyId, Field::CounterpartyInst),
        }
    }

    fn field(&self, party: Field, branch: Field) -> Option<Player> {
        Some(Player { party: self.fact.party(party)?, branch: self.fact.inst(branch) })
    }

    /// The parties of the fact with the role that each plays by behaviours.csv and the named role fields: a party once a
    /// role, in the order of the fields.
    pub fn parties(&self) -> &[(Row, Player)] {
        self.parties.get_or_init(|| {
            let rows = &self.meanings.roles;
            let repo = matches!(self.meaning.family, Family::PledgedRepo | Family::BuyoutRepo)
                || matches!(
                    self.fact.behaviour,
                    behaviour::RDC_RST | behaviour::RDC_RED | behaviour::RDC_ERD | behaviour::RDC_ORD
                );
            let mut parties: SmallVec<[(Row, Player); 4]> = SmallVec::new();
            let mut add = |role: Row, player: Option<Player>| {
                let Some(player) = player else { return };
                if !parties.iter().any(|(known, other)| *known == role && other.party == player.party) {
                    parties.push((role, player));
                }
            };
            add(self.meaning.initiating_role, self.seated_at(Seat::Initiator));
            add(self.meaning.counterparty_role, self.seated_at(Seat::Counterparty));
            // One pass over the fields: most facts name nobody else.
            for (field, _) in &self.fact.fields {
                let (role, branch) = match field {
                    Field::DrawerId => (rows.drawer, Field::DrawerInst),
                    Field::AcceptorId => (rows.acceptor, Field::AcceptorInst),
                    Field::PayeeId => (rows.payee, Field::PayeeInst),
                    Field::SellerId if repo => (rows.repo_seller, Field::SellerInst),
                    Field::BuyerId if repo => (rows.repo_buyer, Field::BuyerInst),
                    Field::SellerId => (rows.seller, Field::SellerInst),
                    Field::BuyerId => (rows.buyer, Field::BuyerInst),
                    Field::ApplicantId => (rows.discount_applicant, Field::ApplicantInst),
                    Field::DiscounterId => (rows.discounter, Field::DiscounterInst),
                    Field::CreditorId => (rows.creditor, Field::CreditorInst),
                    Field::DebtorId => (rows.debtor, Field::DebtorInst),
                    Field::BrokerId => (rows.broker, Field::BrokerInst),
                    Field::NewHolderId => (rows.holder, Field::NewHolderInst),
                    _ => continue,
                };
                add(role, self.field(*field, branch));
            }
            parties
        })
    }

    /// The enterprises among the parties, once a role.
    pub fn enterprises(&self) -> impl Iterator<Item = (Row, Player)> + '_ {
        self.parties().iter().copied().filter(|(_, player)| player.party.is_enterprise())
    }

    /// The legal institutions among the parties, once a fact.
    pub fn institutions(&self) -> SmallVec<[Player; 4]> {
        let mut found: SmallVec<[Player; 4]> = SmallVec::new();
        for (_, player) in self.parties().iter().filter(|(_, player)| player.party.is_legal()) {
            if !found.iter().any(|known| known.party == player.party) {
                found.push(*player);
            }
        }
        found
    }
}

/// The holder of a lot as a player.
pub(crate) fn holder_of(lot: &Lot) -> Player {
    Player { party: lot.holder, branch: lot.holder_inst }
}

fn is_presentation(request: &Request) -> bool {
    matches!(request.behaviour, behaviour::PAY_REQ | behaviour::PAY_AUT | behaviour::PAY_ERQ | behaviour::PAY_LRQ)
}
