//! Names of figures: what gives the items of their axes and filters.
//!
//! Most are names of the market, as dimensions use them ([`Name`]). Those that only reports read are states of lots, words about
//! a fact, and what alerts and indicators say.

use crate::{
    items::{Enumeration, Item, Vocabulary},
    names::{Attribute, Name, Role},
};

/// A name of reports: one of the market, or one that only reports read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportName {
    /// As dimensions use it.
    Market(Name),
    /// `lot.discounted`: YES when a DSC.SET or PPR.DSC is on its lineage.
    Discounted,
    /// `lot.open_deal`: the behaviour that opened its deal (RPO.SET, BRP.SET, RDC.RST, DSR.SGN); NA without one.
    OpenDeal,
    /// `lot.pledged`: YES while a pledgee is on record.
    Pledged,
    /// `lot.deal_overdue`: YES when its deal was to be redeemed and was not (RDF).
    DealOverdue,
    /// `deal_seller.X`: of who must redeem the open deal; of an outright rediscount who sold the lot to the central bank.
    DealSeller(Attribute),
    /// `deal_buyer.X`: of who lent on the open deal, or holds the lot by outright rediscount.
    DealBuyer(Attribute),
    /// `reseller.X`: of the institution that discounted the lot last, while another one holds it (P051).
    Reseller(Attribute),
    /// `lot.request`: the behaviour of its open request; NA without one.
    Request,
    /// `cut.kind`: SPL.OUT or SPL.REM.
    CutKind,
    /// `fact.debtor_role`: role of the debtor on the bill.
    DebtorRole,
    /// `drawer.size_at_end`: size of who plays the role (drawer, applicant, endorser) at the end of the span, not at the fact. So an
    /// enterprise has one size in a period, and numbers of enterprises add up.
    SizeAtEnd(Role),
    /// `fact.outside_group`: YES when the acceptor is an institution of a group and the drawer is known and not of it (P156).
    OutsideGroup,
    /// `fact.settles_recourse`: YES when it pays a claim: RCS.SET, PDR.CLS, and RCS.AGS off line. RCS.AGS on line is paid by an RCS.SET.
    SettlesRecourse,
    /// `fact.local`: YES when applicant and discounter are of one province.
    Local,
    /// `fact.same_day`: YES when the request that it answers is of the same business date.
    SameDay,
    /// `fact.supply_chain`: YES for the channel SCB and behaviours SCB.*.
    SupplyChain,
    /// `bill.accepted`: YES when the bill was accepted before the fact or by it.
    Accepted,
    /// `fact.disclosed_in_time`: YES when the bill's DIS.BIL came by the end of the business day after its acceptance.
    DisclosedInTime,
    /// `alert.*`.
    Alert(AlertName),
    /// `indicator.*`.
    Indicator(IndicatorName),
}

/// A name of the key of an indicator's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum IndicatorName {
    Key,
    InstitutionType,
    Province,
    BillClass,
}

/// A name of alerts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum AlertName {
    Pattern,
    Level,
    Family,
    Key,
    Withdrawn,
    InstitutionType,
    Status,
    Disposition,
}

impl ReportName {
    /// By its text.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "lot.discounted" => ReportName::Discounted,
            "lot.open_deal" => ReportName::OpenDeal,
            "lot.pledged" => ReportName::Pledged,
            "lot.deal_overdue" => ReportName::DealOverdue,
            "lot.request" => ReportName::Request,
            "cut.kind" => ReportName::CutKind,
            "fact.debtor_role" => ReportName::DebtorRole,
            "drawer.size_at_end" => ReportName::SizeAtEnd(Role::Drawer),
            "applicant.size_at_end" => ReportName::SizeAtEnd(Role::Applicant),
            "endorser.size_at_end" => ReportName::SizeAtEnd(Role::Endorser),
            "fact.settles_recourse" => ReportName::SettlesRecourse,
            "fact.outside_group" => ReportName::OutsideGroup,
            "fact.local" => ReportName::Local,
            "fact.same_day" => ReportName::SameDay,
            "fact.supply_chain" => ReportName::SupplyChain,
            "bill.accepted" => ReportName::Accepted,
            "fact.disclosed_in_time" => ReportName::DisclosedInTime,
            "alert.pattern_id" => ReportName::Alert(AlertName::Pattern),
            "alert.level" => ReportName::Alert(AlertName::Level),
            "alert.key" => ReportName::Alert(AlertName::Key),
            "alert.withdrawn" => ReportName::Alert(AlertName::Withdrawn),
            "alert.inst_type" => ReportName::Alert(AlertName::InstitutionType),
            "alert.engine_family" => ReportName::Alert(AlertName::Family),
            "alert.status" => ReportName::Alert(AlertName::Status),
            "alert.disposition" => ReportName::Alert(AlertName::Disposition),
            "indicator.key" => ReportName::Indicator(IndicatorName::Key),
            "indicator.inst_type" => ReportName::Indicator(IndicatorName::InstitutionType),
            "indicator.province" => ReportName::Indicator(IndicatorName::Province),
            "indicator.bill_class" => ReportName::Indicator(IndicatorName::BillClass),
            _ => {
                if let Some(attribute) = text.strip_prefix("reseller.") {
                    return Some(ReportName::Reseller(attribute_of(attribute)?));
                }
                if let Some(attribute) = text.strip_prefix("deal_seller.") {
                    return Some(ReportName::DealSeller(attribute_of(attribute)?));
                }
                if let Some(attribute) = text.strip_prefix("deal_buyer.") {
                    return Some(ReportName::DealBuyer(attribute_of(attribute)?));
                }
                ReportName::Market(Name::parse(text)?)
            }
        })
    }

    /// The enumeration of its items.
    pub fn enumeration(self, vocabulary: &Vocabulary) -> Option<Enumeration> {
        match self {
            ReportName::Market(name) => name.enumeration(vocabulary),
            ReportName::OpenDeal | ReportName::Request | ReportName::CutKind => Some(vocabulary.known.behaviour),
            ReportName::DealSeller(attribute) | ReportName::DealBuyer(attribute) | ReportName::Reseller(attribute) => {
                attribute.enumeration(&vocabulary.known)
            }
            ReportName::Indicator(IndicatorName::Key) => None,
            ReportName::Indicator(IndicatorName::InstitutionType) => vocabulary.enumeration("institution_type"),
            ReportName::Indicator(IndicatorName::Province) => vocabulary.enumeration("province"),
            ReportName::Indicator(IndicatorName::BillClass) => vocabulary.enumeration("bill_class"),
            ReportName::DebtorRole => Some(vocabulary.known.role),
            ReportName::SizeAtEnd(_) => Some(vocabulary.known.enterprise_size),
            ReportName::Alert(AlertName::Key) => None,
            ReportName::Alert(AlertName::InstitutionType) => vocabulary.enumeration("institution_type"),
            ReportName::Alert(AlertName::Pattern) => vocabulary.enumeration("pattern"),
            ReportName::Alert(AlertName::Level) => vocabulary.enumeration("alert_level"),
            ReportName::Alert(AlertName::Family) => vocabulary.enumeration("engine_family"),
            ReportName::Alert(AlertName::Status) => Some(vocabulary.known.alert_status),
            ReportName::Alert(AlertName::Disposition) => Some(vocabulary.known.alert_disposition),
            _ => Some(vocabulary.known.yes_no),
        }
    }

    /// True when lots of one fact may differ in it.
    pub(super) fn is_of_lot(self) -> bool {
        match self {
            ReportName::Market(name) => name.is_of_lot(),
            ReportName::Discounted
            | ReportName::OpenDeal
            | ReportName::Pledged
            | ReportName::DealOverdue
            | ReportName::DealSeller(_)
            | ReportName::DealBuyer(_)
            | ReportName::Reseller(_)
            | ReportName::Request => true,
            _ => false,
        }
    }

    /// True when a lot can answer it without a fact.
    pub(super) fn is_of_stock(self) -> bool {
        match self {
            ReportName::Market(Name::Of(role, attribute)) => role.is_of_bill() && attribute != Attribute::WatchLists,
            ReportName::Market(
                Name::Field(_)
                | Name::Behaviour
                | Name::BehaviourGroup
                | Name::Hour
                | Name::BusinessKind
                | Name::EndorsementKind
                | Name::Product
                | Name::QuoteMethod
                | Name::Side
                | Name::PartyRole
                | Name::RediscountPurpose
                | Name::Spread
                | Name::LotCount,
            ) => false,
            ReportName::Market(_) => true,
            other => other.is_of_lot(),
        }
    }
}

/// Items that a name must, or must not, have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// The name.
    pub name: ReportName,
    /// The items.
    pub items: Vec<Item>,
    /// All but these.
    pub negated: bool,
}

impl Filter {
    /// True when one of the items fits.
    pub fn holds(&self, items: &[Item]) -> bool {
        items.iter().any(|item| self.items.contains(item)) != self.negated
    }
}

/// An attribute by its name, as in `seller.X`.
fn attribute_of(text: &str) -> Option<Attribute> {
    match Name::parse(&format!("seller.{text}"))? {
        Name::Of(_, attribute) => Some(attribute),
        _ => None,
    }
}

/// Reads a filter: its name, and items between blanks, `not` before them for all but these.
pub(super) fn filter(name: &str, items: &str, vocabulary: &Vocabulary) -> Result<Filter, String> {
    let parsed = ReportName::parse(name).ok_or_else(|| format!("no name `{name}`"))?;
    if matches!(parsed, ReportName::SizeAtEnd(_)) {
        return Err(format!("`{name}` is known at the end of a span alone: use it as an axis"));
    }
    let (negated, items) = match items.strip_prefix("not ") {
        Some(items) => (true, items),
        None => (false, items),
    };
    let enumeration = parsed.enumeration(vocabulary);
    let item =
        |item: &str| vocabulary.parse_item(enumeration, item).ok_or_else(|| format!("`{name}` has no item `{item}`"));
    let items = items.split_whitespace().map(item).collect::<Result<_, _>>()?;
    Ok(Filter { name: parsed, items, negated })
}
