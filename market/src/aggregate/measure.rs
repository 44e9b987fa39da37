//! Measures: what a cell keeps, and how the figures that people ask for are formed from it at the edge.
//!
//! A cell keeps *slots* (sums, linear: a retraction adds the negative) and, where a figure counts distinct things or needs
//! an extreme, *members* of sets (multisets: a member is there while its weight is not zero). Averages, ratios and weighted
//! rates are never stored: [`Measure`] names the two sums that form them. Source: derived.csv `measure.*`.

use serde::{Deserialize, Serialize};

/// One sum in a cell. Fen unless said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Slot {
    /// Number of facts (stock: of lots).
    Count,
    /// amount_fen (issue, acceptance: the face).
    Amount,
    /// Face.
    Face,
    /// tenor_days * face.
    TenorWeighted,
    /// margin_fen; stock: the share of live lots in it.
    Margin,
    /// lot.hops after the fact (number).
    Hops,
    /// interest_fen.
    Interest,
    /// rate_e4 * weight.
    RateWeighted,
    /// Weight of the rate: amount, of a repo first_fen.
    RateWeight,
    /// first_fen.
    First,
    /// repo_days * first_fen.
    TermWeighted,
    /// secured_fen.
    Secured,
    /// guarantee_fen.
    Guarantee,
    /// enhance_fen.
    Enhance,
    /// paid_fen.
    Paid,
    /// claim_fen.
    Claim,
    /// Number of lots.
    Lots,
    /// Cash of settlements.
    Settled,
    /// Number of facts with settlement_result FAIL_*.
    Failed,
    /// Number of quotes.
    Quotes,
    /// Number of cancels.
    Cancels,
    /// Number of facts whose effect is not APPLIED or INFORMATIONAL.
    Errors,
    /// Number of facts older than the source watermark.
    Late,
    /// overdue_bal_fen of a list.
    ListedOverdue,
    /// Number of bills disclosed in time, at their acceptance date.
    Timely,
    /// Number of bills that had to be disclosed, at their acceptance date.
    ToDisclose,
    /// Number of alerts that were closed as false.
    FalseAlerts,
    /// Number of alerts that were closed.
    ClosedAlerts,
    /// Stock: length of lots.
    Balance,
    /// Stock: length * due date (days since 1970-01-01).
    DueWeighted,
}

/// A set in a cell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum SetKind {
    /// Bills, by hash of the number.
    Bills,
    /// Deals, by hash of deal_id.
    Deals,
    /// Parties, by their bits.
    Drawers,
    /// Parties.
    Acceptors,
    /// Parties.
    Payees,
    /// Parties.
    Endorsers,
    /// Parties.
    Endorsees,
    /// Parties.
    Applicants,
    /// Enterprises among the parties.
    Enterprises,
    /// Legal institutions among the parties.
    Institutions,
    /// Participant codes.
    Branches,
    /// Ordered (seller, buyer), by hash.
    Pairs,
    /// rate_e4 values: smallest and largest.
    Rates,
    /// months_listed values: largest.
    MonthsListed,
    /// Parties with their amount as weight: shares.
    Shares,
    /// Queued settlements, by the fact that began to queue; the weight is their minutes.
    Queued,
    /// Facts of which other records with the same event id were accepted; the weight is the number of those.
    Variants,
    /// Whom or what alerts are about, by hash.
    AlertKeys,
}

/// How a figure is formed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A flow sum.
    Sum(Slot),
    /// A stock sum.
    Stock(Slot),
    /// Two flow sums: numerator, denominator.
    Ratio(Slot, Slot),
    /// A flow sum over the number of members.
    PerMember(Slot, SetKind),
    /// Number of members of a flow set.
    Distinct(SetKind),
    /// Number of members of a stock set.
    StockDistinct(SetKind),
    /// Smallest member.
    Smallest(SetKind),
    /// Largest member.
    Largest(SetKind),
    /// Sum of squared shares.
    Herfindahl,
    /// Sum of the n largest shares.
    Concentration(usize),
    /// The cell's sum over that of all items of the dimension.
    ShareOfSum(Slot),
    /// The cell's members over those of all items of the dimension.
    ShareOfDistinct(SetKind),
    /// Stock: weighted remaining days = (sum of length * due) / length - date.
    RemainingDays,
    /// Stock over total assets of the institutions of the cell, times this percentage.
    StockToAssets {
        /// 100 = the assets themselves.
        percent: i64,
    },
    /// Sum of the weights of a flow set.
    Weights(SetKind),
    /// Enterprises whose first fact of the theme, ever, lies in the cell.
    Newcomers,
    /// Amount that came into the area less the amount that left it. Null in dimensions without areas: what leaves one comes
    /// into another.
    NetFlow,
}

/// A figure that can be asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measure {
    /// Its name in dimensions.csv, for instance `w_rate_e4`.
    pub name: Box<str>,
    /// How it is formed.
    pub form: Form,
}

/// The form of a measure in a theme; `None` when no such measure is known. `has_flow` tells stock themes from the others.
pub(super) fn form(theme: &str, measure: &str, has_flow: bool) -> Option<Form> {
    use Form::*;
    Some(match measure {
        "cnt" if theme == "T18" => Sum(Slot::Count),
        "cnt" | "events" => Sum(Slot::Count),
        "bills" if has_flow => Distinct(SetKind::Bills),
        "bills" => StockDistinct(SetKind::Bills),
        "amt_fen" => Sum(Slot::Amount),
        "avg_face_fen" => PerMember(Slot::Amount, SetKind::Bills),
        "avg_tenor_days" => Ratio(Slot::TenorWeighted, Slot::Face),
        "avg_hops" => Ratio(Slot::Hops, Slot::Count),
        "avg_lot_fen" => Ratio(Slot::Amount, Slot::Lots),
        "margin_fen" if has_flow => Sum(Slot::Margin),
        "margin_fen" => Stock(Slot::Margin),
        "interest_fen" => Sum(Slot::Interest),
        "w_rate_e4" => Ratio(Slot::RateWeighted, Slot::RateWeight),
        "deals" => Distinct(SetKind::Deals),
        "distinct_pairs" => Distinct(SetKind::Pairs),
        "first_fen" => Sum(Slot::First),
        "w_term_days" => Ratio(Slot::TermWeighted, Slot::First),
        "secured_fen" => Sum(Slot::Secured),
        "guarantee_fen" => Sum(Slot::Guarantee),
        "enhance_fen" => Sum(Slot::Enhance),
        "paid_fen" => Sum(Slot::Paid),
        "paid_ratio" => Ratio(Slot::Paid, Slot::Amount),
        "claim_fen" => Sum(Slot::Claim),
        "lots" if theme == "T40" => Stock(Slot::Lots),
        "lots" if has_flow => Sum(Slot::Lots),
        "lots" => Stock(Slot::Lots),
        "bal_fen" => Stock(Slot::Balance),
        "overdue_bal_fen" if theme == "T29" => Sum(Slot::ListedOverdue),
        "overdue_bal_fen" => Stock(Slot::Balance),
        "w_remaining_days" => RemainingDays,
        "ratio_to_assets" => StockToAssets { percent: 100 },
        "ratio_to_limit" => StockToAssets { percent: 15 },
        "min_rate_e4" => Smallest(SetKind::Rates),
        "max_rate_e4" => Largest(SetKind::Rates),
        "months_listed" => Largest(SetKind::MonthsListed),
        "distinct_drawers" => Distinct(SetKind::Drawers),
        "distinct_acceptors" => Distinct(SetKind::Acceptors),
        "distinct_payees" => Distinct(SetKind::Payees),
        "distinct_endorsers" => Distinct(SetKind::Endorsers),
        "distinct_endorsees" => Distinct(SetKind::Endorsees),
        "distinct_applicants" => Distinct(SetKind::Applicants),
        "distinct_enterprises" => Distinct(SetKind::Enterprises),
        "distinct_institutions" => Distinct(SetKind::Institutions),
        "branches" => Distinct(SetKind::Branches),
        "share_amt" => ShareOfSum(Slot::Amount),
        "share_cnt" => ShareOfDistinct(SetKind::Enterprises),
        "hhi" => Herfindahl,
        "cr1" => Concentration(1),
        "cr5" => Concentration(5),
        "cr10" => Concentration(10),
        "settle_fen" => Sum(Slot::Settled),
        "fail_cnt" => Sum(Slot::Failed),
        "quotes" => Sum(Slot::Quotes),
        "cancels" => Sum(Slot::Cancels),
        "cancel_ratio" => Ratio(Slot::Cancels, Slot::Quotes),
        "errors" => Sum(Slot::Errors),
        "late_events" => Sum(Slot::Late),
        "timely_ratio" => Ratio(Slot::Timely, Slot::ToDisclose),
        "net_flow_fen" => NetFlow,
        "new_enterprises" => Newcomers,
        "queue_minutes" => Weights(SetKind::Queued),
        "dup_events" => Weights(SetKind::Variants),
        "alerts" => Sum(Slot::Count),
        "distinct_keys" => Distinct(SetKind::AlertKeys),
        "false_positive_ratio" => Ratio(Slot::FalseAlerts, Slot::ClosedAlerts),
        _ => return None,
    })
}

impl Form {
    /// The flow slots that it reads.
    pub fn flow_slots(self) -> impl Iterator<Item = Slot> {
        let (first, second) = match self {
            Form::Sum(slot) | Form::PerMember(slot, _) | Form::ShareOfSum(slot) => (Some(slot), None),
            Form::Ratio(over, under) => (Some(over), Some(under)),
            Form::NetFlow => (Some(Slot::Amount), None),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// True for figures that single dimensions have and crosses of several do not: an area has two sides, and what no fact
    /// alone adds is told dimension by dimension.
    pub fn is_of_one_dimension(self) -> bool {
        matches!(self, Form::NetFlow | Form::Newcomers | Form::Weights(_))
    }

    /// The stock slots that it reads.
    pub fn stock_slots(self) -> impl Iterator<Item = Slot> {
        let (first, second) = match self {
            Form::Stock(slot) => (Some(slot), None),
            Form::RemainingDays => (Some(Slot::Balance), Some(Slot::DueWeighted)),
            Form::StockToAssets { .. } => (Some(Slot::Balance), None),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The flow set that it reads.
    pub fn flow_set(self) -> Option<SetKind> {
        match self {
            Form::PerMember(_, set)
            | Form::Distinct(set)
            | Form::Smallest(set)
            | Form::Largest(set)
            | Form::ShareOfDistinct(set)
            | Form::Weights(set) => Some(set),
            Form::Herfindahl | Form::Concentration(_) => Some(SetKind::Shares),
            _ => None,
        }
    }

    /// The stock set that it reads.
    pub fn stock_set(self) -> Option<SetKind> {
        match self {
            Form::StockDistinct(set) => Some(set),
            Form::StockToAssets { .. } => Some(SetKind::Institutions),
            _ => None,
        }
    }
}
