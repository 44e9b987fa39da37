//! Slots of a figure: the sums and the sets of members that expressions may ask for.

use crate::names::Role;

/// A sum. Fen unless said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Amount {
    /// Number of facts or lots.
    Count,
    /// Number of lots: those that a fact acts on.
    Lots,
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
    /// A figure of an indicator, by its place in `Figure::named`: what stands above its line.
    Named(u8),
    /// What stands below: 1 when it is whole.
    NamedBelow(u8),
}

impl Amount {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "cnt" => Amount::Count,
            "lots" => Amount::Lots,
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
    /// Whom or what alerts are about.
    Keys,
    /// How long an alert stood until it was acknowledged or closed: ms of the market clock.
    Waits,
    /// Days on which a figure of an indicator is above 0, by its place in `Figure::named`.
    DaysAbove(u8),
}

impl Members {
    pub(super) fn parse(text: &str) -> Option<Self> {
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
            "waits" => Members::Waits,
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
    /// A sum: place in `Figure::amounts`.
    Amount(usize),
    /// A set: place in `Figure::members`.
    Members(usize),
}
