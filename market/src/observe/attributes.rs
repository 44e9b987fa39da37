//! What a party is at an instant, as items (derived.csv `ent_attr`, `inst_attr`, `tier`, `X.watch_lists`).

use super::{
    meanings::Meanings,
    roles::{Played, Player},
};
use crate::{
    buckets,
    ids::Day,
    items::{Item, Items, Row},
    names::{Attribute, Role},
    reference_data::{BalanceSheet, Enterprise, Institution, Reference, Span},
};

/// Reference data as of an instant and a business date.
#[derive(Clone, Copy)]
pub(crate) struct AsOf<'a> {
    pub meanings: &'a Meanings,
    pub reference: &'a Reference,
    /// ms.
    pub at: i64,
    pub date: Day,
}

/// What reference data knows of one party as of an instant: looked up once, read many times.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub enterprise: Option<&'a Enterprise>,
    pub institution: Option<&'a Institution>,
    pub balance_sheet: Option<&'a BalanceSheet>,
    /// When all of this is the same.
    pub span: Span,
}

impl Known<'_> {
    /// Nothing, for ever.
    pub const NOTHING: Known<'static> =
        Known { enterprise: None, institution: None, balance_sheet: None, span: Span::ALWAYS };

    /// True when both are the same entries, not only equal ones.
    pub fn is_same(&self, other: &Known<'_>) -> bool {
        fn same<T>(left: Option<&T>, right: Option<&T>) -> bool {
            left.map(std::ptr::from_ref) == right.map(std::ptr::from_ref)
        }
        same(self.enterprise, other.enterprise)
            && same(self.institution, other.institution)
            && same(self.balance_sheet, other.balance_sheet)
    }

    pub fn total_assets_fen(&self) -> Option<i64> {
        self.balance_sheet?.total_assets_fen
    }
}

/// What kind of party a role expects; another one gives `NA` or `ENTERPRISE`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Expected {
    Enterprise,
    /// The acceptor: an enterprise, or an institution with province and city alone.
    Either,
    Institution,
    /// The pledgee: an enterprise in its place is `NA`.
    InstitutionOnly,
}

/// What kind of party a role expects.
pub(crate) fn expected(role: Role) -> Expected {
    match role {
        Role::Acceptor => Expected::Either,
        Role::Pledgee => Expected::InstitutionOnly,
        Role::Discounter
        | Role::Seller
        | Role::Buyer
        | Role::RepoSeller
        | Role::RepoBuyer
        | Role::EnhancementBank
        | Role::Broker
        | Role::Payer
        | Role::AcceptingInstitution
        | Role::HoldingInstitution
        | Role::EachInstitution => Expected::Institution,
        _ => Expected::Enterprise,
    }
}

impl<'a> AsOf<'a> {
    /// What is known of a party.
    pub fn look(&self, player: Player) -> Known<'a> {
        if player.party.is_enterprise() {
            let (enterprise, span) = self.reference.read_enterprise(player.party, self.at);
            Known { enterprise, span, ..Known::NOTHING }
        } else if player.party.is_legal() {
            let (institution, balance_sheet, span) =
                self.reference.read_institution(player.party, player.branch, self.at);
            Known { institution, balance_sheet, span, ..Known::NOTHING }
        } else {
            Known::NOTHING
        }
    }

    /// The items of an attribute of whoever plays a role; `look` gives what is known of the player.
    pub fn items(
        &self,
        role: Role,
        played: Played,
        attribute: Attribute,
        look: impl FnOnce(Player) -> Known<'a>,
    ) -> Items {
        let mut items = Items::new();
        self.each_item(role, played, attribute, look, |item| items.push(item));
        items
    }

    /// The same, item by item: for who only passes them on.
    #[inline]
    pub fn each_item(
        &self,
        role: Role,
        played: Played,
        attribute: Attribute,
        look: impl FnOnce(Player) -> Known<'a>,
        mut take: impl FnMut(Item),
    ) {
        let player = match played {
            Played::By(player) => player,
            Played::ByEnterprise => return take(Item::ENTERPRISE),
            Played::Unknown => return take(Item::UNKNOWN),
            Played::NoRole => return take(Item::NA),
        };
        if attribute == Attribute::Party {
            return take(Item::party(player.party));
        }
        if attribute == Attribute::WatchLists {
            let enumeration = self.meanings.vocabulary.known.watch_list_type;
            let lists = self.reference.watch_lists(player.party, self.at, self.date);
            if lists.is_empty() {
                take(Item::NA);
            }
            return lists.into_iter().for_each(|row| take(row.item(enumeration)));
        }
        let expected = expected(role);
        if player.party.is_enterprise() {
            return match expected {
                Expected::Enterprise | Expected::Either => {
                    self.each_enterprise_item(player, attribute, look(player), take);
                }
                Expected::Institution => take(Item::ENTERPRISE),
                Expected::InstitutionOnly => take(Item::NA),
            };
        }
        let as_institution = matches!(expected, Expected::Institution | Expected::InstitutionOnly);
        let place = matches!(attribute, Attribute::Province | Attribute::City | Attribute::Zone);
        if player.party.is_legal() && (as_institution || (expected == Expected::Either && place)) {
            return take(self.institution_item(player, attribute, look(player)));
        }
        take(Item::NA);
    }

    #[inline]
    fn each_enterprise_item(&self, player: Player, attribute: Attribute, party: Known<'a>, mut take: impl FnMut(Item)) {
        let known = &self.meanings.vocabulary.known;
        if attribute == Attribute::Group {
            let own = party.enterprise.and_then(|enterprise| enterprise.group);
            let group = own.or_else(|| self.reference.group_by_relation(player.party, self.at, self.date));
            let nobody = if party.enterprise.is_some() { Item::NA } else { Item::UNKNOWN };
            return take(group.map_or(nobody, Item::party));
        }
        let Some(enterprise) = party.enterprise else { return take(Item::UNKNOWN) };
        take(match attribute {
            Attribute::Province => enterprise.province.item(known.province),
            Attribute::City => enterprise.city.item(known.city),
            Attribute::Zone => self.reference.zone(enterprise.province).item(known.economic_zone),
            Attribute::IndustrySection => enterprise.industry_section.item(known.industry_section),
            Attribute::IndustryDivision => enterprise.industry_division.item(known.industry_division),
            Attribute::Size => enterprise.size.item(known.enterprise_size),
            Attribute::Ownership => enterprise.ownership.item(known.ownership),
            Attribute::RegistrationType => enterprise.registration_type.item(known.registration_type),
            Attribute::RegistryStatus => enterprise.registry_status.item(known.registry_status),
            Attribute::Rating => enterprise.rating.item(known.rating),
            Attribute::SpecialFlags => {
                let mut bits = enterprise.special_flags;
                if bits == 0 {
                    return take(self.meanings.no_flag);
                }
                while bits != 0 {
                    take(Row(bits.trailing_zeros() as u16).item(known.special_flag));
                    bits &= bits - 1;
                }
                return;
            }
            Attribute::RegisteredCapital => {
                let bucket = enterprise.reg_capital_fen.map_or(Row::UNKNOWN, buckets::registered_capital);
                bucket.item(known.reg_capital_bucket)
            }
            Attribute::Age => {
                let age = |registered: Day| buckets::company_age(i64::from(self.date.0) - i64::from(registered.0));
                enterprise.reg_date.map_or(Row::UNKNOWN, age).item(known.company_age_bucket)
            }
            _ => Item::NA,
        });
    }

    fn institution_item(&self, player: Player, attribute: Attribute, party: Known<'a>) -> Item {
        let known = &self.meanings.vocabulary.known;
        match attribute {
            Attribute::LegalInstitution => return Item::party(player.party),
            Attribute::TotalAssets => {
                let bucket = party.total_assets_fen().map_or(Row::UNKNOWN, buckets::assets);
                return bucket.item(known.asset_bucket);
            }
            _ => {}
        }
        let Some(institution) = party.institution else { return Item::UNKNOWN };
        match attribute {
            Attribute::Province => institution.province.item(known.province),
            Attribute::City => institution.city.item(known.city),
            Attribute::Zone => self.reference.zone(institution.province).item(known.economic_zone),
            Attribute::InstitutionType => institution.kind.item(known.institution_type),
            Attribute::InstitutionGroup => {
                self.reference.institution_group(institution.kind).item(known.institution_group)
            }
            Attribute::Tier => {
                self.reference.tier(institution.kind, party.total_assets_fen()).item(known.institution_tier)
            }
            Attribute::MemberType => institution.member_type.item(known.member_type),
            Attribute::Group => institution.group.map_or(Item::NA, Item::party),
            _ => Item::NA,
        }
    }
}
