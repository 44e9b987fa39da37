//! What one part of a fact adds: the sums of its theme's slots and the members of its sets (derived.csv `measure.*`).

use super::{
    Aggregates, Share,
    measure::{SetKind, Slot},
    rules::{self, Counts},
    sink::CellSink,
};
use crate::{
    bill::TextHash,
    fact::{Field, behaviour},
    ids::{BillId, PartyId},
    names::Role,
    observe::{Observation, Player},
};

/// Rates beyond this are cut to it in weighted rates: nonsense that P187 alerts, but sums must not overflow.
const MAX_RATE_E4: i64 = 1_000_000_000;
/// Likewise repo terms, in days.
const MAX_REPO_DAYS: i64 = 1_000_000;

/// The amounts of one part of a fact: the fact itself, or some of its lots.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// Fen of this part.
    pub amount_fen: i64,
    /// Fen of the whole fact, and of its lots before this part: sums of the fact are split along the range.
    pub split: Option<(i64, i64)>,
    /// lot.hops after the fact.
    pub hops: i64,
}

impl Extent {
    /// The part of a sum of the fact that falls on this extent; the parts of all extents add up to the sum.
    fn of(&self, sum: i128) -> i128 {
        match self.split {
            Some((whole, before)) if whole > 0 => {
                let up_to = |fen: i64| (sum * i128::from(fen)).div_euclid(i128::from(whole));
                up_to(before + self.amount_fen) - up_to(before)
            }
            _ => sum,
        }
    }
}

/// Which parties a part counts as members.
#[derive(Clone, Copy)]
pub(super) enum Members<'a> {
    OfFact,
    These(&'a [Player]),
    /// Enterprises and institutions apart; `None`: those of the fact.
    Apart {
        enterprises: Option<&'a [Player]>,
        institutions: Option<&'a [Player]>,
    },
}

impl<'a> Members<'a> {
    /// Who is counted as an enterprise; `None`: those of the fact.
    fn enterprises(self) -> Option<&'a [Player]> {
        match self {
            Members::OfFact => None,
            Members::These(players) => Some(players),
            Members::Apart { enterprises, .. } => enterprises,
        }
    }

    /// Who is counted as an institution; `None`: those of the fact.
    fn institutions(self) -> Option<&'a [Player]> {
        match self {
            Members::OfFact => None,
            Members::These(players) => Some(players),
            Members::Apart { institutions, .. } => institutions,
        }
    }
}

impl Aggregates {
    /// Writes one part of a share; its number.
    pub(super) fn part(
        &self,
        share: Share,
        seen: &Observation<'_>,
        extent: Extent,
        members: Members<'_>,
        weight: i64,
        sink: &mut CellSink,
    ) -> u32 {
        let theme = &self.themes[usize::from(share.theme)];
        let mut part = sink.begin_part();
        for slot in &theme.flow_slots {
            let value = if share.counts.holds(*slot) { self.slot(*slot, seen, extent) } else { 0 };
            part.sum(value * i128::from(weight));
        }
        if share.counts == Counts::Full && part.keeps_members() {
            for set in &theme.flow_sets {
                members_of(&theme.id, *set, seen, extent, members, |member, times| {
                    part.member(*set, member, times * weight);
                });
            }
        }
        part.end()
    }

    /// What the fact adds to a slot.
    pub(super) fn slot(&self, slot: Slot, seen: &Observation<'_>, extent: Extent) -> i128 {
        let fact = seen.fact;
        let wide = |value: i64| i128::from(value);
        let field = |field| wide(fact.int(field).unwrap_or(0));
        let bounded = |field, most: i64| wide(fact.int(field).unwrap_or(0).clamp(-most, most));
        let or_amount = |field| fact.int(field).map_or(wide(extent.amount_fen), |sum| extent.of(wide(sum)));
        let face = || wide(seen.header.map_or(0, |header| header.face_fen));
        let code = fact.behaviour.code();
        match slot {
            Slot::Count => 1,
            Slot::Amount => wide(extent.amount_fen),
            Slot::Face => face(),
            Slot::TenorWeighted => seen.header.map_or(0, |header| wide(i64::from(header.tenor_days()))) * face(),
            Slot::Margin => seen.header.map_or(0, |header| wide(header.margin_fen)),
            Slot::Hops => wide(extent.hops),
            Slot::Interest => extent.of(field(Field::InterestFen)),
            Slot::RateWeighted => bounded(Field::RateE4, MAX_RATE_E4) * rate_weight(seen, extent),
            Slot::RateWeight => rate_weight(seen, extent),
            Slot::First => extent.of(field(Field::FirstFen)),
            Slot::TermWeighted => bounded(Field::RepoDays, MAX_REPO_DAYS) * extent.of(field(Field::FirstFen)),
            Slot::Secured => or_amount(Field::SecuredFen),
            Slot::Guarantee => or_amount(Field::GuaranteeFen),
            Slot::Enhance => or_amount(Field::EnhanceFen),
            Slot::Paid => match fact.behaviour {
                behaviour::PAY_SET
                | behaviour::PAY_SUB
                | behaviour::PAY_ESG
                | behaviour::RCS_PRT
                | behaviour::RCS_SET
                | behaviour::PDR_CLS => or_amount(Field::PaidFen),
                _ => 0,
            },
            Slot::Claim => match fact.behaviour {
                behaviour::RCS_NTC | behaviour::RCS_NDN | behaviour::RCS_RRN | behaviour::PDR_REQ => {
                    or_amount(Field::ClaimFen)
                }
                _ => extent.of(field(Field::ClaimFen)),
            },
            Slot::Settled => extent.of(settled(seen)),
            Slot::Failed => {
                let result = seen.field_item(Field::SettlementResult);
                i128::from(self.meanings.is_failure(result))
            }
            Slot::Quotes => i128::from(self.is_quote[usize::from(fact.behaviour.0)]),
            Slot::Cancels => i128::from(self.is_cancel[usize::from(fact.behaviour.0)]),
            Slot::Errors => i128::from(!seen.effect().counts()),
            Slot::Late => i128::from(fact.event_time < fact.stamp.source_watermark),
            Slot::ListedOverdue if code.starts_with("DIS.") => field(Field::OverdueBalFen),
            Slot::ListedOverdue | Slot::Lots | Slot::Timely | Slot::ToDisclose | Slot::Balance | Slot::DueWeighted => 0,
            Slot::FalseAlerts | Slot::ClosedAlerts => 0,
        }
    }
}

/// Weight of the rate of a fact: its amount, of a repo its first_fen; 0 without a rate.
fn rate_weight(seen: &Observation<'_>, extent: Extent) -> i128 {
    if seen.fact.int(Field::RateE4).is_none() {
        return 0;
    }
    match &seen.fact.behaviour.code()[..4] {
        "RPO." | "BRP." => extent.of(i128::from(seen.fact.int(Field::FirstFen).unwrap_or(0))),
        "REF." => 0,
        _ if seen.fact.behaviour == behaviour::RDC_RST => {
            extent.of(i128::from(seen.fact.int(Field::FirstFen).unwrap_or(0)))
        }
        _ => i128::from(extent.amount_fen),
    }
}

/// Cash that a settlement moved, fen (derived.csv `measure.settle_fen`, `CASH`).
pub(crate) fn settled(seen: &Observation<'_>) -> i128 {
    let fact = seen.fact;
    let field = |field| i128::from(fact.int(field).unwrap_or(0));
    let code = fact.behaviour.code();
    match fact.behaviour {
        behaviour::DSC_SET => field(Field::PayFen),
        behaviour::IBT_SET | behaviour::RDC_BST => field(Field::SettleFen),
        behaviour::RPO_SET | behaviour::BRP_SET | behaviour::RDC_RST => field(Field::FirstFen),
        behaviour::PAY_SET | behaviour::RCS_SET => {
            i128::from(fact.int(Field::PaidFen).unwrap_or_else(|| seen.amount_fen()))
        }
        _ if [".RED", ".ERD", ".ORD"].iter().any(|tail| code.ends_with(tail)) => {
            field(Field::RedeemFen) + field(Field::PenaltyFen)
        }
        _ => 0,
    }
}

/// A bill as a member of a set: hash of its digits and length.
pub(crate) fn bill_member(bill: BillId) -> u64 {
    let mut bytes = [0; 17];
    bytes[..16].copy_from_slice(&bill.digits.to_le_bytes());
    bytes[16] = bill.length;
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

fn members_of(
    theme: &str,
    set: SetKind,
    seen: &Observation<'_>,
    extent: Extent,
    members: Members<'_>,
    mut add: impl FnMut(u64, i64),
) {
    let fact = seen.fact;
    let mut role = |role: Role| {
        if let Some(player) = seen.player(role) {
            add(player.party.bits(), 1);
        }
    };
    match set {
        SetKind::Drawers => role(Role::Drawer),
        SetKind::Acceptors => role(Role::Acceptor),
        SetKind::Payees => role(Role::Payee),
        SetKind::Endorsers => role(Role::Endorser),
        SetKind::Endorsees => role(Role::Endorsee),
        SetKind::Applicants => role(Role::Applicant),
        SetKind::Bills => {
            if let Some(bill) = fact.bill_id {
                add(bill_member(bill), 1);
            }
        }
        SetKind::Deals => {
            let counts = theme != "T35" || fact.behaviour.code().ends_with(".DEL");
            if let Some(deal) = fact.text(Field::DealId).filter(|_| counts) {
                add(TextHash::of(deal).bits(), 1);
            }
        }
        SetKind::Enterprises => match members.enterprises() {
            Some(players) => players.iter().for_each(|player| add(player.party.bits(), 1)),
            None if theme == "T25" => {
                let small = rules::small_enterprise_role(fact.behaviour.code());
                if let Some(player) = seen.player(small).filter(|player| player.party.is_enterprise()) {
                    add(player.party.bits(), 1);
                }
            }
            None => seen.enterprises().for_each(|(_, player)| add(player.party.bits(), 1)),
        },
        SetKind::Institutions => match members.institutions() {
            Some(players) => players.iter().for_each(|player| add(player.party.bits(), 1)),
            None => seen.institutions().iter().for_each(|player| add(player.party.bits(), 1)),
        },
        SetKind::Branches => {
            let mut branch = |player: &Player| {
                if let Some(branch) = player.branch {
                    add(u64::from(branch.0), 1);
                }
            };
            match members.institutions() {
                Some(players) => players.iter().for_each(&mut branch),
                None => seen.institutions().iter().for_each(&mut branch),
            }
        }
        SetKind::Pairs => {
            if let (Some(seller), Some(buyer)) = (seen.player(Role::Seller), seen.player(Role::Buyer)) {
                add(pair_member(seller.party, buyer.party), 1);
            }
        }
        // Worked out from whole homes, or of alerts.
        SetKind::Queued | SetKind::Variants | SetKind::AlertKeys => {}
        SetKind::Rates => {
            if let Some(rate) = fact.int(Field::RateE4) {
                add(rate as u64, 1);
            }
        }
        SetKind::MonthsListed => {
            if let Some(months) = fact.int(Field::MonthsListed) {
                add(months as u64, 1);
            }
        }
        SetKind::Shares => {
            let who = rules::concentrated_role(fact.behaviour.code());
            if let Some(player) = seen.player(who) {
                add(player.party.bits(), extent.amount_fen);
            }
        }
    }
}

fn pair_member(seller: PartyId, buyer: PartyId) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seller.bits().to_le_bytes());
    bytes[8..].copy_from_slice(&buyer.bits().to_le_bytes());
    xxhash_rust::xxh3::xxh3_64(&bytes)
}
