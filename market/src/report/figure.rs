//! Figures: what a report counts, by which axes, as data, and compiled.
//!
//! A figure says *what* is counted (facts of some behaviours, lots that enter or leave a state, lots in a state, overdue
//! lots, balance sheets), *where* (items of names) and *by* which axes. Expressions then ask for its *slots*: sums
//! ([`Amount`]) and sets of members ([`Members`]). Only what some expression asks for is kept.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    aggregate::rules::names,
    catalogue::Catalogue,
    fact::{BEHAVIOUR_CODES, Behaviour},
    items::{Enumeration, Item, Vocabulary},
    names::{Attribute, Name, Role},
    observe::Meanings,
};

/// A figure as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureText {
    /// A measure of `report_base.json` to begin with; what stands here besides replaces its parts, `where` is added.
    #[serde(default, rename = "use")]
    pub base: String,
    /// Facts of these behaviours (codes, `X.*`, `*.X`, between blanks) whose effect counts.
    #[serde(default)]
    pub facts: String,
    /// Lots that come into a state: names and items, as in `where`.
    #[serde(default)]
    pub enters: BTreeMap<String, String>,
    /// Lots that leave a state.
    #[serde(default)]
    pub leaves: BTreeMap<String, String>,
    /// With `enters` and `leaves`: the state on the other side.
    #[serde(default)]
    pub other: BTreeMap<String, String>,
    /// With `enters` and `leaves`: by facts of these behaviours alone.
    #[serde(default)]
    pub through: String,
    /// Lots in a state at the end of the span.
    #[serde(default)]
    pub stock: BTreeMap<String, String>,
    /// Lots that are overdue at the end of the span (OBAL), and in this state.
    #[serde(default)]
    pub overdue: Option<BTreeMap<String, String>>,
    /// Lots whose overdue event (DF1) falls into the span, and in this state.
    #[serde(default)]
    pub overdue_events: Option<BTreeMap<String, String>>,
    /// Lots that a cut made (SPL.OUT and SPL.REM).
    #[serde(default)]
    pub cuts: bool,
    /// Legal institutions with their latest balance sheet.
    #[serde(default)]
    pub balance_sheets: bool,
    /// Alerts of the ledger.
    #[serde(default)]
    pub alerts: bool,
    /// Values of this indicator: of the last day of the span, of all its days where a slot counts days.
    #[serde(default)]
    pub indicator: String,
    /// The slot that its bare name means.
    #[serde(default)]
    pub sum: String,
    /// Axis -> name that gives its items.
    #[serde(default)]
    pub by: BTreeMap<String, String>,
    /// Name -> items between blanks; `not` before them: all but these.
    #[serde(default, rename = "where")]
    pub filters: BTreeMap<String, String>,
}

impl FigureText {
    /// Over a measure of the base.
    pub fn over(self, base: &FigureText) -> FigureText {
        fn either<T: Default + PartialEq + Clone>(own: T, base: &T) -> T {
            if own == T::default() { base.clone() } else { own }
        }
        let mut filters = base.filters.clone();
        filters.extend(self.filters);
        FigureText {
            base: String::new(),
            facts: either(self.facts, &base.facts),
            enters: either(self.enters, &base.enters),
            leaves: either(self.leaves, &base.leaves),
            other: either(self.other, &base.other),
            through: either(self.through, &base.through),
            stock: either(self.stock, &base.stock),
            overdue: either(self.overdue, &base.overdue),
            overdue_events: either(self.overdue_events, &base.overdue_events),
            cuts: self.cuts || base.cuts,
            balance_sheets: self.balance_sheets || base.balance_sheets,
            alerts: self.alerts || base.alerts,
            indicator: either(self.indicator, &base.indicator),
            sum: either(self.sum, &base.sum),
            by: either(self.by, &base.by),
            filters,
        }
    }
}

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
            ReportName::Alert(AlertName::Key) => None,
            ReportName::Alert(AlertName::InstitutionType) => vocabulary.enumeration("institution_type"),
            ReportName::Alert(AlertName::Pattern) => vocabulary.enumeration("pattern"),
            ReportName::Alert(AlertName::Level) => vocabulary.enumeration("alert_level"),
            ReportName::Alert(AlertName::Family) => vocabulary.enumeration("engine_family"),
            _ => Some(vocabulary.known.yes_no),
        }
    }

    /// True when lots of one fact may differ in it.
    fn is_of_lot(self) -> bool {
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
    fn is_of_stock(self) -> bool {
        match self {
            ReportName::Market(Name::Of(role, attribute)) => {
                let of_lot = matches!(
                    role,
                    Role::Drawer
                        | Role::Acceptor
                        | Role::Payee
                        | Role::Holder
                        | Role::AcceptingInstitution
                        | Role::HoldingInstitution
                );
                of_lot && (attribute != Attribute::WatchLists)
            }
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

/// A sum. Fen unless said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Amount {
    /// Number of facts or lots.
    Count,
    /// Amount of the fact; length of the lot.
    Amount,
    /// Face of the bill.
    Face,
    /// Margin of the bill; of a lot its share.
    Margin,
    /// Tenor in days times face.
    TenorFace,
    /// interest_fen.
    Interest,
    /// Interest as the formula gives it, where it can be worked out.
    ExpectedInterest,
    /// Interest of the facts whose expected interest can be worked out.
    CheckedInterest,
    /// rate_e4 times weight.
    RateWeighted,
    /// Weight of the rate: amount, of a repo first_fen; 0 without a rate.
    RateWeight,
    /// Spread to the curve in e4 times weight.
    SpreadWeighted,
    /// Weight where a spread is known.
    SpreadWeight,
    /// first_fen.
    First,
    /// How much first_fen is above the collateral, 0 when it is not.
    FirstAboveCollateral,
    /// Cash of the settlement.
    Settled,
    /// paid_fen, else the amount.
    Paid,
    /// claim_fen, else the amount.
    Claim,
    /// secured, guarantee or enhance_fen, else the amount.
    Secured,
    TotalAssets,
    Deposits,
    BankMargin,
    NetCapital,
    LiquidAssets,
    InterbankDeposits,
    /// Level of an indicator: 0 normal, 1 BLUE to 4 RED.
    Level,
    /// Above the line of an indicator that has a value.
    Numerator,
    /// Below it.
    Denominator,
    /// A figure of an indicator, by its place in [`Figure::named`]: what stands above its line.
    Named(u8),
    /// What stands below: 1 when it is whole.
    NamedBelow(u8),
}

impl Amount {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "cnt" => Amount::Count,
            "amount" => Amount::Amount,
            "face" => Amount::Face,
            "margin" => Amount::Margin,
            "tenor_face" => Amount::TenorFace,
            "interest" => Amount::Interest,
            "expected_interest" => Amount::ExpectedInterest,
            "checked_interest" => Amount::CheckedInterest,
            "rate_weighted" => Amount::RateWeighted,
            "rate_weight" => Amount::RateWeight,
            "spread_weighted" => Amount::SpreadWeighted,
            "spread_weight" => Amount::SpreadWeight,
            "first" => Amount::First,
            "first_above_collateral" => Amount::FirstAboveCollateral,
            "settled" => Amount::Settled,
            "paid" => Amount::Paid,
            "claim" => Amount::Claim,
            "secured" => Amount::Secured,
            "total_assets" => Amount::TotalAssets,
            "deposits" => Amount::Deposits,
            "bank_margin" => Amount::BankMargin,
            "net_capital" => Amount::NetCapital,
            "liquid_assets" => Amount::LiquidAssets,
            "interbank_deposits" => Amount::InterbankDeposits,
            _ => return None,
        })
    }
}

/// A set of members; each has a number of facts and a weight in fen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Members {
    /// Bills.
    Bills,
    /// Deals.
    Deals,
    /// Who plays a role.
    Players(Role),
    /// Values of rate_e4, by the weight of the rate.
    Rates,
    /// Days that the holder before held.
    HoldingDays,
    /// Due dates, by amount.
    DueDates,
    /// Days from the opening of a request or a claim to this fact.
    Days,
    /// Lots per bill that the bill has after the fact: the bill with its number of lots.
    LotCounts,
    /// Lengths of the lots that a cut made, fen.
    Lengths,
    /// Groups of the acceptors; an acceptor without a group is its own.
    AcceptorGroups,
    /// Holders of lots.
    Keys,
    /// Days on which a figure of an indicator is above 0, by its place in [`Figure::named`].
    DaysAbove(u8),
}

impl Members {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "bills" => Members::Bills,
            "deals" => Members::Deals,
            "rates" => Members::Rates,
            "holding_days" => Members::HoldingDays,
            "due_dates" => Members::DueDates,
            "days" => Members::Days,
            "lengths" => Members::Lengths,
            "lot_counts" => Members::LotCounts,
            "acceptor_groups" => Members::AcceptorGroups,
            "keys" => Members::Keys,
            "drawers" => Members::Players(Role::Drawer),
            "acceptors" => Members::Players(Role::Acceptor),
            "payees" => Members::Players(Role::Payee),
            "endorsers" => Members::Players(Role::Endorser),
            "applicants" => Members::Players(Role::Applicant),
            "discounters" => Members::Players(Role::Discounter),
            "sellers" => Members::Players(Role::Seller),
            "buyers" => Members::Players(Role::Buyer),
            "repo_sellers" => Members::Players(Role::RepoSeller),
            "repo_buyers" => Members::Players(Role::RepoBuyer),
            "holders" => Members::Players(Role::Holder),
            "enterprises" => Members::Players(Role::EachEnterprise),
            _ => return None,
        })
    }
}

/// A slot of a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// A sum: place in [`Figure::amounts`].
    Amount(usize),
    /// A set: place in [`Figure::members`].
    Members(usize),
}

/// What is counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Basis {
    /// Facts of these behaviours.
    Facts(Vec<Behaviour>),
    /// Lots that enter (true) or leave a state; state on the other side; behaviours (empty = all).
    Moves(bool, Vec<Filter>, Vec<Filter>, Vec<Behaviour>),
    /// Lots in a state.
    Stock(Vec<Filter>),
    /// Overdue lots.
    Overdue(Vec<Filter>),
    /// Lots by the date of their overdue event.
    OverdueEvents(Vec<Filter>),
    /// Lots that cuts made.
    Cuts,
    /// Balance sheets.
    BalanceSheets,
    /// Alerts.
    Alerts,
    /// Values of an indicator, by its id.
    Indicator(Box<str>),
}

/// A figure, compiled.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name in the report.
    pub name: String,
    /// What is counted.
    pub basis: Basis,
    /// Axis and name, in the order of its keys.
    pub by: Vec<(String, ReportName)>,
    /// What must hold.
    pub filters: Vec<Filter>,
    /// Its main sum.
    main: Option<Amount>,
    /// Sums that are asked for.
    pub amounts: Vec<Amount>,
    /// Sets that are asked for.
    pub members: Vec<Members>,
    /// Lots of one fact may differ in its axes or filters.
    pub by_lot: bool,
    /// Figures of its indicator that slots may name.
    pub named: Vec<Box<str>>,
}

impl Figure {
    /// Compiles a figure.
    pub fn compile(name: &str, text: FigureText, catalogue: &Catalogue, meanings: &Meanings) -> Result<Figure, String> {
        let vocabulary = meanings.vocabulary();
        let filters = |texts: &BTreeMap<String, String>| -> Result<Vec<Filter>, String> {
            texts.iter().map(|(name, items)| filter(name, items, vocabulary)).collect()
        };
        let behaviours = |text: &str| -> Result<Vec<Behaviour>, String> {
            if text.is_empty() {
                return Ok(Vec::new());
            }
            for part in text.split(' ') {
                if !BEHAVIOUR_CODES.iter().any(|code| names(part, code)) {
                    return Err(format!("`{part}` names no behaviour of behaviours.csv"));
                }
            }
            let all = BEHAVIOUR_CODES.iter().filter(|code| names(text, code));
            Ok(all.filter_map(|code| catalogue.behaviour(code)).collect())
        };
        let mut found = Vec::new();
        if !text.facts.is_empty() {
            found.push(Basis::Facts(behaviours(&text.facts)?));
        }
        let (other, through) = (filters(&text.other)?, behaviours(&text.through)?);
        if !text.enters.is_empty() {
            found.push(Basis::Moves(true, filters(&text.enters)?, other.clone(), through.clone()));
        }
        if !text.leaves.is_empty() {
            found.push(Basis::Moves(false, filters(&text.leaves)?, other, through));
        }
        if !text.stock.is_empty() {
            found.push(Basis::Stock(filters(&text.stock)?));
        }
        if let Some(state) = &text.overdue {
            found.push(Basis::Overdue(filters(state)?));
        }
        if let Some(state) = &text.overdue_events {
            found.push(Basis::OverdueEvents(filters(state)?));
        }
        if text.cuts {
            found.push(Basis::Cuts);
        }
        if text.balance_sheets {
            found.push(Basis::BalanceSheets);
        }
        if text.alerts {
            found.push(Basis::Alerts);
        }
        let mut named = Vec::new();
        if !text.indicator.is_empty() {
            named = indicator_figures(catalogue, &text.indicator)?;
            found.push(Basis::Indicator(text.indicator.as_str().into()));
        }
        let [basis] = <[Basis; 1]>::try_from(found).map_err(|found| {
            format!(
                "write exactly one of use, facts, enters, leaves, stock, overdue, balance_sheets, alerts, indicator; found {}",
                found.len()
            )
        })?;
        let mut by = Vec::new();
        for (axis, name) in &text.by {
            by.push((axis.clone(), ReportName::parse(name).ok_or_else(|| format!("no name `{name}`"))?));
        }
        let filters = filters(&text.filters)?;
        let read = || by.iter().map(|(_, name)| *name).chain(filters.iter().map(|filter| filter.name));
        let by_lot = matches!(basis, Basis::Facts(_)) && read().any(ReportName::is_of_lot);
        let of_lots = match &basis {
            Basis::Stock(state) | Basis::Overdue(state) | Basis::OverdueEvents(state) => Some(state.clone()),
            Basis::Moves(_, state, other, _) => Some([state.clone(), other.clone()].concat()),
            _ => None,
        };
        if let Some(state) = of_lots {
            let states = state.iter().map(|filter| filter.name);
            if let Some(unfit) = read().chain(states).find(|name| !name.is_of_stock()) {
                return Err(format!("lots cannot answer {unfit:?}: name what the lot or its bill says"));
            }
        }
        let main = match text.sum.as_str() {
            "" => None,
            sum => Some(Amount::parse(sum).ok_or_else(|| format!("sum: no slot `{sum}`"))?),
        };
        let name = name.to_owned();
        Ok(Figure { name, basis, by, filters, main, amounts: Vec::new(), members: Vec::new(), by_lot, named })
    }

    /// The slot of a name, added when it is asked for first.
    pub fn ask(&mut self, slot: &str) -> Result<(), String> {
        let amount = if slot.is_empty() {
            Some(self.main.ok_or_else(|| format!("figure `{}` has no main sum: name a slot", self.name))?)
        } else {
            self.amount(slot)
        };
        match (amount, self.members_of(slot)) {
            (Some(amount), _) if self.amounts.contains(&amount) => {}
            (Some(amount), _) => self.amounts.push(amount),
            (_, Some(members)) if self.members.contains(&members) => {}
            (_, Some(members)) => self.members.push(members),
            _ => return Err(format!("no slot `{slot}`")),
        }
        Ok(())
    }

    /// The slot of a name that was asked for.
    pub fn slot(&self, slot: &str) -> Option<Slot> {
        let amount = if slot.is_empty() { self.main } else { self.amount(slot) };
        if let Some(amount) = amount {
            return self.amounts.iter().position(|known| *known == amount).map(Slot::Amount);
        }
        let members = self.members_of(slot)?;
        self.members.iter().position(|known| *known == members).map(Slot::Members)
    }

    fn amount(&self, slot: &str) -> Option<Amount> {
        if !matches!(self.basis, Basis::Indicator(_)) {
            return Amount::parse(slot);
        }
        let below = || slot.strip_suffix("_below").and_then(|name| self.place_of(name)).map(Amount::NamedBelow);
        match slot {
            "cnt" => Some(Amount::Count),
            "level" => Some(Amount::Level),
            "numerator" => Some(Amount::Numerator),
            "denominator" => Some(Amount::Denominator),
            name => self.place_of(name).map(Amount::Named).or_else(below),
        }
    }

    fn members_of(&self, slot: &str) -> Option<Members> {
        if !matches!(self.basis, Basis::Indicator(_)) {
            return Members::parse(slot);
        }
        self.place_of(slot.strip_suffix("_days")?).map(Members::DaysAbove)
    }

    fn place_of(&self, figure: &str) -> Option<u8> {
        self.named.iter().position(|known| **known == *figure).and_then(|place| u8::try_from(place).ok())
    }

    /// True when it reads every day of its span, and not the last one alone.
    pub fn counts_days(&self) -> bool {
        self.members.iter().any(|members| matches!(members, Members::DaysAbove(_)))
    }

    /// The set behind a slot.
    pub fn set(&self, place: usize) -> Members {
        self.members[place]
    }

    /// The name of an axis.
    pub fn axis(&self, axis: &str) -> Option<usize> {
        self.by.iter().position(|(known, _)| known == axis)
    }
}

/// Names of the figures of an indicator (`indicator_rules.json`): parts, terms, series.
fn indicator_figures(catalogue: &Catalogue, id: &str) -> Result<Vec<Box<str>>, String> {
    #[derive(Deserialize)]
    struct Named {
        name: Box<str>,
    }
    #[derive(Deserialize)]
    struct Row {
        id: String,
        #[serde(default)]
        parts: Vec<Named>,
        #[serde(default)]
        terms: Vec<Named>,
        #[serde(default)]
        series: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Rows {
        indicators: Vec<Row>,
    }
    let rules = catalogue.text("indicator_rules.json").unwrap_or_default();
    let rows: Rows = serde_json::from_str(rules).map_err(|error| format!("indicator_rules.json: {error}"))?;
    let row = rows.indicators.into_iter().find(|row| row.id == id);
    let row = row.ok_or_else(|| format!("indicator: `{id}` is none of indicators.csv"))?;
    let named = row.parts.into_iter().chain(row.terms).chain(row.series);
    Ok(named.map(|named| named.name).collect())
}

/// An attribute by its name, as in `seller.X`.
fn attribute_of(text: &str) -> Option<Attribute> {
    match Name::parse(&format!("seller.{text}"))? {
        Name::Of(_, attribute) => Some(attribute),
        _ => None,
    }
}

fn filter(name: &str, items: &str, vocabulary: &Vocabulary) -> Result<Filter, String> {
    let parsed = ReportName::parse(name).ok_or_else(|| format!("no name `{name}`"))?;
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
