//! Names: the vocabulary in which dimensions and patterns ask for what a fact means (derived.csv, `source_field` of
//! dimensions.csv).
//!
//! A name is text such as `drawer.province` in the tables and a small [`Name`] everywhere else: it is parsed once, when the
//! catalogue is compiled. What a name means is in `observe`; here is only how it is written, in which enumeration its items
//! lie, and of what kind it is.

use std::fmt;

use crate::{
    fact::{FIELDS, Field},
    items::{Enumeration, Known, Vocabulary},
};

/// A part that a party plays in a fact (derived.csv `role.*`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Role {
    Drawer = 0,
    Acceptor,
    Payee,
    Endorser,
    Endorsee,
    Applicant,
    Guarantor,
    Pledgor,
    Pledgee,
    Creditor,
    Debtor,
    Holder,
    Presenter,
    Discounter,
    Seller,
    Buyer,
    RepoSeller,
    RepoBuyer,
    EnhancementBank,
    Broker,
    Payer,
    /// The institution that accepted; `ENTERPRISE` on commercial bills.
    AcceptingInstitution,
    /// The institution that holds; `ENTERPRISE` on lots of enterprises.
    HoldingInstitution,
    /// Each enterprise among the parties of the fact.
    EachEnterprise,
    /// Each institution among the parties of the fact.
    EachInstitution,
}

impl Role {
    /// True when a lot and its bill tell who plays it, without a fact.
    pub fn is_of_bill(self) -> bool {
        matches!(
            self,
            Role::Drawer
                | Role::Acceptor
                | Role::Payee
                | Role::Holder
                | Role::AcceptingInstitution
                | Role::HoldingInstitution
        )
    }
}

/// Every role with the name that the tables give it, by number.
pub const ROLES: [(Role, &str); 25] = [
    (Role::Drawer, "drawer"),
    (Role::Acceptor, "acceptor"),
    (Role::Payee, "payee"),
    (Role::Endorser, "endorser"),
    (Role::Endorsee, "endorsee"),
    (Role::Applicant, "applicant"),
    (Role::Guarantor, "guarantor"),
    (Role::Pledgor, "pledgor"),
    (Role::Pledgee, "pledgee"),
    (Role::Creditor, "creditor"),
    (Role::Debtor, "debtor"),
    (Role::Holder, "holder"),
    (Role::Presenter, "presenter"),
    (Role::Discounter, "discounter"),
    (Role::Seller, "seller"),
    (Role::Buyer, "buyer"),
    (Role::RepoSeller, "repo_seller"),
    (Role::RepoBuyer, "repo_buyer"),
    (Role::EnhancementBank, "enh_bank"),
    (Role::Broker, "broker"),
    (Role::Payer, "payer"),
    (Role::AcceptingInstitution, "acc_inst"),
    (Role::HoldingInstitution, "hold_inst"),
    (Role::EachEnterprise, "ent"),
    (Role::EachInstitution, "inst"),
];

impl Role {
    /// True when one party at most plays it in a fact.
    pub const fn is_single(self) -> bool {
        !matches!(self, Role::EachEnterprise | Role::EachInstitution)
    }
}

/// An attribute of a party, as of the event (derived.csv `ent_attr`, `inst_attr`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Attribute {
    /// The party itself.
    Party,
    Province,
    City,
    /// Economic zone of the province.
    Zone,
    IndustrySection,
    IndustryDivision,
    Size,
    Ownership,
    RegistrationType,
    RegistryStatus,
    Rating,
    /// Several: one item a flag, `NONE` when there is none.
    SpecialFlags,
    /// Fen; bucketed as an item.
    RegisteredCapital,
    /// Days since registration; bucketed as an item.
    Age,
    /// Several: the lists in force.
    WatchLists,
    Group,
    InstitutionType,
    /// First digit of the institution type.
    InstitutionGroup,
    Tier,
    /// Fen; bucketed as an item.
    TotalAssets,
    /// The legal institution itself.
    LegalInstitution,
    MemberType,
}

const ATTRIBUTES: [(Attribute, &str); 21] = [
    (Attribute::Province, "province"),
    (Attribute::City, "city"),
    (Attribute::Zone, "zone"),
    (Attribute::IndustrySection, "industry_section"),
    (Attribute::IndustryDivision, "industry_division"),
    (Attribute::Size, "size"),
    (Attribute::Ownership, "ownership"),
    (Attribute::RegistrationType, "registration_type"),
    (Attribute::RegistryStatus, "registry_status"),
    (Attribute::Rating, "rating"),
    (Attribute::SpecialFlags, "special_flags"),
    (Attribute::RegisteredCapital, "reg_capital_fen"),
    (Attribute::Age, "age_days"),
    (Attribute::WatchLists, "watch_lists"),
    (Attribute::Group, "group_id"),
    (Attribute::InstitutionType, "inst_type"),
    (Attribute::InstitutionGroup, "inst_group"),
    (Attribute::Tier, "tier"),
    (Attribute::TotalAssets, "total_assets_fen"),
    (Attribute::LegalInstitution, "legal_inst_id"),
    (Attribute::MemberType, "member_type"),
];

/// The attributes whose items are codes and change only with what is said of the party: not the party, its group, the lists
/// that it is on and its age.
pub const CODED_ATTRIBUTES: [Attribute; 17] = [
    Attribute::Province,
    Attribute::City,
    Attribute::Zone,
    Attribute::IndustrySection,
    Attribute::IndustryDivision,
    Attribute::Size,
    Attribute::Ownership,
    Attribute::RegistrationType,
    Attribute::RegistryStatus,
    Attribute::Rating,
    Attribute::SpecialFlags,
    Attribute::RegisteredCapital,
    Attribute::InstitutionType,
    Attribute::InstitutionGroup,
    Attribute::Tier,
    Attribute::TotalAssets,
    Attribute::MemberType,
];

/// A name, parsed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Name {
    /// `event.X` where X is a field of the fact, with its default when absent.
    Field(Field),
    /// `event.behaviour`.
    Behaviour,
    /// `event.behaviour_group`.
    BehaviourGroup,
    /// `event.source`.
    Source,
    /// `event.biz_date`.
    BizDate,
    /// `event.biz_date.month`.
    Month,
    /// `event.biz_date.quarter`.
    Quarter,
    /// `event.biz_date.year`.
    Year,
    /// `event.event_time.hour`, UTC+8.
    Hour,
    /// `event.business_kind`.
    BusinessKind,
    /// `event.endorsement_kind`.
    EndorsementKind,
    /// `event.product`; supply-chain facts have two.
    Product,
    /// `event.quote_method`.
    QuoteMethod,
    /// `event.side`; IBT.SET has both.
    Side,
    /// `event.role`; one a party.
    PartyRole,
    /// `event.rediscount_purpose`.
    RediscountPurpose,
    /// `event.spread_bp`, as a number in e4.
    Spread,
    /// `event.amount_fen`: as sent, else the length of the range.
    Amount,
    /// `curve_e4`, as a number.
    CurveRate,
    /// `price.days`, as a number.
    PriceDays,
    /// `interest_expected_fen`, as a number.
    InterestExpected,
    /// `bill.kind`.
    BillKind,
    /// `bill.medium`.
    Medium,
    /// `bill.transferable`.
    Transferable,
    /// `bill.divisible`.
    Divisible,
    /// `bill.face_fen`.
    Face,
    /// `bill.due_date`, as a number.
    DueDate,
    /// `due_date_adjusted`, as a number.
    DueDateAdjusted,
    /// `bill.tenor_days`.
    TenorDays,
    /// `bill.remaining_days`.
    RemainingDays,
    /// `bill.margin_ratio`.
    MarginRatio,
    /// `bill.number_kind_digit`.
    NumberKindDigit,
    /// `bill.price_class`, also `bill_class`.
    PriceClass,
    /// `bill.lot_count`.
    LotCount,
    /// `lot.status`.
    LotStatus,
    /// `lot.circulation_flag`.
    CirculationFlag,
    /// `lot.risk_status`.
    RiskStatus,
    /// `lot.pay_state`, also `pay_state`.
    PayState,
    /// `lot.hops`.
    Hops,
    /// `lot.holding_days`.
    HoldingDays,
    /// `lot.overdue_days`.
    OverdueDays,
    /// `lot.ecds_status`.
    EcdsStatus,
    /// `trade.contract_type`.
    ContractType,
    /// `trade.goods_category`.
    GoodsCategory,
    /// `trade.invoice_type`.
    InvoiceType,
    /// `calendar.day_type`; several.
    DayType,
    /// `curve.tenor`.
    CurveTenor,
    /// `curve.rate_kind`.
    RateKind,
    /// `list.type`.
    ListType,
    /// `report.period`: the grain of the question.
    ReportPeriod,
    /// `alert.pattern_id`.
    AlertPattern,
    /// `alert.engine_family`.
    AlertFamily,
    /// `alert.level`.
    AlertLevel,
    /// `alert.status`.
    AlertStatus,
    /// `alert.disposition`.
    AlertDisposition,
    /// An attribute of a party: `drawer.province`.
    Of(Role, Attribute),
}

const PLAIN: [(Name, &str); 55] = [
    (Name::Behaviour, "event.behaviour"),
    (Name::BehaviourGroup, "event.behaviour_group"),
    (Name::Source, "event.source"),
    (Name::BizDate, "event.biz_date"),
    (Name::Month, "event.biz_date.month"),
    (Name::Quarter, "event.biz_date.quarter"),
    (Name::Year, "event.biz_date.year"),
    (Name::Hour, "event.event_time.hour"),
    (Name::BusinessKind, "event.business_kind"),
    (Name::EndorsementKind, "event.endorsement_kind"),
    (Name::Product, "event.product"),
    (Name::QuoteMethod, "event.quote_method"),
    (Name::Side, "event.side"),
    (Name::PartyRole, "event.role"),
    (Name::RediscountPurpose, "event.rediscount_purpose"),
    (Name::Spread, "event.spread_bp"),
    (Name::Amount, "event.amount_fen"),
    (Name::CurveRate, "curve_e4"),
    (Name::PriceDays, "price.days"),
    (Name::InterestExpected, "interest_expected_fen"),
    (Name::BillKind, "bill.kind"),
    (Name::Medium, "bill.medium"),
    (Name::Transferable, "bill.transferable"),
    (Name::Divisible, "bill.divisible"),
    (Name::Face, "bill.face_fen"),
    (Name::DueDate, "bill.due_date"),
    (Name::DueDateAdjusted, "due_date_adjusted"),
    (Name::TenorDays, "bill.tenor_days"),
    (Name::RemainingDays, "bill.remaining_days"),
    (Name::MarginRatio, "bill.margin_ratio"),
    (Name::NumberKindDigit, "bill.number_kind_digit"),
    (Name::PriceClass, "bill.price_class"),
    (Name::PriceClass, "bill_class"),
    (Name::LotCount, "bill.lot_count"),
    (Name::LotStatus, "lot.status"),
    (Name::CirculationFlag, "lot.circulation_flag"),
    (Name::RiskStatus, "lot.risk_status"),
    (Name::PayState, "lot.pay_state"),
    (Name::PayState, "pay_state"),
    (Name::Hops, "lot.hops"),
    (Name::HoldingDays, "lot.holding_days"),
    (Name::OverdueDays, "lot.overdue_days"),
    (Name::EcdsStatus, "lot.ecds_status"),
    (Name::ContractType, "trade.contract_type"),
    (Name::GoodsCategory, "trade.goods_category"),
    (Name::InvoiceType, "trade.invoice_type"),
    (Name::DayType, "calendar.day_type"),
    (Name::CurveTenor, "curve.tenor"),
    (Name::RateKind, "curve.rate_kind"),
    (Name::ReportPeriod, "report.period"),
    (Name::AlertPattern, "alert.pattern_id"),
    (Name::AlertFamily, "alert.engine_family"),
    (Name::AlertLevel, "alert.level"),
    (Name::AlertStatus, "alert.status"),
    (Name::AlertDisposition, "alert.disposition"),
];

impl Name {
    /// The name that a table writes so; `None` when the market has no such name.
    ///
    /// `role.drawer` is the party itself.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "list.type" {
            return Some(Name::ListType);
        }
        if let Some((name, _)) = PLAIN.iter().find(|(_, known)| *known == text) {
            return Some(*name);
        }
        let (head, tail) = text.split_once('.')?;
        match head {
            "event" => FIELDS.into_iter().find(|field| field.name() == tail).map(Name::Field),
            "role" => role(tail).map(|role| Name::Of(role, Attribute::Party)),
            _ => {
                let (attribute, _) = ATTRIBUTES.iter().find(|(_, known)| *known == tail)?;
                Some(Name::Of(role(head)?, *attribute))
            }
        }
    }

    /// True when its value depends on the lot: a fact over several lots then counts lot by lot (facts.md 9.12).
    pub fn is_of_lot(self) -> bool {
        use Name::*;
        matches!(
            self,
            LotStatus | CirculationFlag | RiskStatus | PayState | Hops | HoldingDays | OverdueDays | EcdsStatus
        )
    }

    /// The enumeration in which its items lie; `None` for parties, branches and days.
    pub fn enumeration(self, vocabulary: &Vocabulary) -> Option<Enumeration> {
        let known: &Known = &vocabulary.known;
        use Name::*;
        Some(match self {
            Field(crate::fact::Field::RateE4) => known.rate_bucket,
            Field(crate::fact::Field::RepoDays) => known.repo_term_bucket,
            Field(field) => return vocabulary.enumeration(field.type_name().strip_prefix("enum:")?),
            Behaviour => known.behaviour,
            BehaviourGroup => known.behaviour_group,
            Source => known.source_system,
            BizDate | CurveRate | PriceDays | InterestExpected | DueDate | DueDateAdjusted => return None,
            Month => known.month,
            Quarter => known.quarter,
            Year => known.year,
            Hour => known.hour_of_day,
            BusinessKind => known.business_kind,
            EndorsementKind => known.endorsement_kind,
            Product => known.product,
            QuoteMethod => known.quote_method,
            Side => known.trade_side,
            PartyRole => known.role,
            RediscountPurpose => known.rediscount_purpose,
            Spread => known.spread_bucket,
            Amount | Face => known.amount_bucket,
            BillKind => known.bill_kind,
            Medium => known.medium,
            Transferable => known.transferable_mark,
            Divisible => known.yes_no,
            TenorDays => known.tenor_bucket,
            RemainingDays => known.remaining_tenor_bucket,
            MarginRatio => known.margin_ratio_bucket,
            NumberKindDigit => known.bill_number_kind_digit,
            PriceClass => known.bill_class,
            LotCount => known.lot_count_bucket,
            LotStatus => known.bill_status,
            CirculationFlag => known.circulation_flag,
            RiskStatus => known.risk_status,
            PayState => known.pay_state,
            Hops => known.hop_bucket,
            HoldingDays => known.holding_period_bucket,
            OverdueDays => known.overdue_age_bucket,
            EcdsStatus => known.ecds_status,
            ContractType => known.contract_type,
            GoodsCategory => known.goods_category,
            InvoiceType => known.invoice_type,
            DayType => known.day_type,
            CurveTenor => known.curve_tenor,
            RateKind => known.rate_kind,
            ListType => known.watch_list_type,
            ReportPeriod => known.report_period,
            AlertPattern => known.pattern,
            AlertFamily => known.engine_family,
            AlertLevel => known.alert_level,
            AlertStatus => known.alert_status,
            AlertDisposition => known.alert_disposition,
            Of(_, attribute) => return attribute.enumeration(known),
        })
    }
}

impl Attribute {
    /// The enumeration in which its items lie; `None` for parties.
    pub fn enumeration(self, known: &Known) -> Option<Enumeration> {
        use Attribute::*;
        Some(match self {
            Party | Group | LegalInstitution => return None,
            Province => known.province,
            City => known.city,
            Zone => known.economic_zone,
            IndustrySection => known.industry_section,
            IndustryDivision => known.industry_division,
            Size => known.enterprise_size,
            Ownership => known.ownership,
            RegistrationType => known.registration_type,
            RegistryStatus => known.registry_status,
            Rating => known.rating,
            SpecialFlags => known.special_flag,
            RegisteredCapital => known.reg_capital_bucket,
            Age => known.company_age_bucket,
            WatchLists => known.watch_list_type,
            InstitutionType => known.institution_type,
            InstitutionGroup => known.institution_group,
            Tier => known.institution_tier,
            TotalAssets => known.asset_bucket,
            MemberType => known.member_type,
        })
    }
}

fn role(text: &str) -> Option<Role> {
    ROLES.iter().find(|(_, known)| *known == text).map(|(role, _)| *role)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Field(field) => write!(f, "event.{}", field.name()),
            Name::ListType => f.write_str("list.type"),
            Name::Of(role, attribute) => {
                let (_, role) = ROLES[*role as usize];
                match ATTRIBUTES.iter().find(|(known, _)| known == attribute) {
                    Some((_, attribute)) => write!(f, "{role}.{attribute}"),
                    None => write!(f, "role.{role}"),
                }
            }
            plain => {
                let (_, text) =
                    PLAIN.iter().find(|(known, _)| known == plain).expect("every plain name is in the table");
                f.write_str(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn every_source_field_parses_lies_in_its_enumeration_and_prints_itself() {
        let catalogue = Catalogue::embedded();
        let vocabulary = Vocabulary::of(&catalogue).unwrap();
        for dimension in catalogue.themes.iter().flat_map(|theme| &theme.dimensions) {
            let text = &*dimension.source;
            let name = Name::parse(text).unwrap_or_else(|| panic!("{text} does not parse"));
            assert_eq!(name.to_string(), text);
            let expected = dimension.enumeration.map(|number| Enumeration(number.0));
            assert_eq!(name.enumeration(&vocabulary), expected, "{text}");
        }
    }

    #[test]
    fn roles_stand_at_their_number() {
        for (at, (role, text)) in ROLES.iter().enumerate() {
            assert_eq!(*role as usize, at, "{text}");
        }
        assert_eq!(Name::parse("role.payer"), Some(Name::Of(Role::Payer, Attribute::Party)));
        assert_eq!(Name::parse("nobody.province"), None);
    }
}
