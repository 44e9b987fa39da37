//! What a fact adds to flow cells.

use smallvec::SmallVec;

use super::{
    Aggregates, BehaviourPlan, Feed, Share,
    measure::{SetKind, Slot},
    rules::{self, Condition, Counts},
    sink::CellSink,
};
use crate::{
    bill::{BillKind, Cut, Lot, TextHash},
    buckets,
    fact::{Field, behaviour},
    ids::{BillId, Day, PartyId},
    items::{Item, Items},
    names::{Attribute, Name, Role},
    observe::{Observation, Played, Player, attributes::Known},
};

/// A share that adds nothing for this fact.
const NOTHING: u32 = u32::MAX;

/// The amounts of one part of a fact: the fact itself, or some of its lots.
#[derive(Clone, Copy)]
struct Extent {
    /// Fen of this part.
    amount_fen: i64,
    /// Fen of the whole fact, and of its lots before this part: sums of the fact are split along the range.
    split: Option<(i64, i64)>,
    hops: i64,
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

/// A party that a theme counts.
struct Counted<'a> {
    /// The item of its role.
    role: Item,
    player: Player,
    known: Known<'a>,
}

/// Which parties a part counts as members.
#[derive(Clone, Copy)]
enum Members<'a> {
    OfFact,
    These(&'a [Player]),
}

impl Aggregates {
    /// Adds what a fact does to flow cells, times a weight (+1, or -1 to take it back).
    pub fn flow(&self, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        let plan = &self.plans[usize::from(seen.fact.behaviour.0)];
        if !plan.shares.is_empty() {
            self.flow_plan(plan, seen, weight, sink);
        }
        if !seen.outcome.cuts.is_empty() && !self.cuts.shares.is_empty() {
            self.flow_cuts(seen, weight, sink);
        }
        if !self.disclosure.is_empty() {
            self.flow_disclosure(seen, weight, sink);
        }
    }

    fn flow_plan(&self, plan: &BehaviourPlan, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        let counts = seen.effect().counts();
        let whole = Extent {
            amount_fen: seen.amount_fen(),
            split: None,
            hops: seen.lot().map_or(0, |lot| i64::from(lot.hops)),
        };
        let mut parts: SmallVec<[u32; 16]> = SmallVec::new();
        for share in &plan.shares {
            let theme = &self.themes[usize::from(share.theme)];
            let holds = (counts || theme.rule.every_effect) && holds(theme.rule.condition, seen);
            parts.push(if holds { self.part(*share, seen, whole, Members::OfFact, weight, sink) } else { NOTHING });
        }
        let date = seen.fact.biz_date;
        for (pair, share) in &plan.time {
            push(sink, *pair, date, Item::ALL, parts[usize::from(*share)]);
        }
        let wanted = |feed: &Feed| feed.targets.iter().any(|(_, share)| parts[usize::from(*share)] != NOTHING);
        for feed in plan.plain.iter().filter(|feed| wanted(feed)) {
            let items = seen.items(feed.name);
            for (pair, share) in &feed.targets {
                for item in &items {
                    push(sink, *pair, date, *item, parts[usize::from(*share)]);
                }
            }
        }
        for feed in plan.by_lot.iter().filter(|feed| wanted(feed)) {
            self.flow_by_lot(plan, feed, seen, &parts, weight, sink);
        }
        if plan.by_enterprise.iter().any(wanted) {
            let role = self.meanings.vocabulary().known.role;
            let players: SmallVec<[Counted<'_>; 4]> = seen
                .enterprises()
                .map(|(row, player)| Counted { role: row.item(role), player, known: seen.look(player) })
                .collect();
            for feed in plan.by_enterprise.iter().filter(|feed| wanted(feed)) {
                self.flow_by_player(plan, feed, seen, &players, &parts, weight, sink);
            }
        }
        if plan.by_institution.iter().any(wanted) {
            let players: SmallVec<[Counted<'_>; 4]> = seen
                .institutions()
                .into_iter()
                .map(|player| Counted { role: Item::NA, player, known: seen.look(player) })
                .collect();
            for feed in plan.by_institution.iter().filter(|feed| wanted(feed)) {
                self.flow_by_player(plan, feed, seen, &players, &parts, weight, sink);
            }
        }
    }

    /// A fact over several lots counts in lot dimensions lot by lot for amounts, and once an item (facts.md 9.12).
    fn flow_by_lot(
        &self,
        plan: &BehaviourPlan,
        feed: &Feed,
        seen: &Observation<'_>,
        parts: &[u32],
        weight: i64,
        sink: &mut CellSink,
    ) {
        let date = seen.fact.biz_date;
        if seen.outcome.acted().nth(1).is_none() {
            for item in seen.items(feed.name) {
                for (pair, share) in &feed.targets {
                    push(sink, *pair, date, item, parts[usize::from(*share)]);
                }
            }
            return;
        }
        let whole: i64 = seen.outcome.acted().map(|change| change.after.amount_fen).sum();
        let item_of = |after: &Lot, before: Option<&Lot>| seen.lot_item(feed.name, after, before);
        let mut items: SmallVec<[Item; 4]> = SmallVec::new();
        for change in seen.outcome.acted() {
            let item = item_of(&change.after, change.before.as_ref());
            if !items.contains(&item) {
                items.push(item);
            }
        }
        let mut before = 0;
        for item in items {
            let lots = seen.outcome.acted().filter(|change| item_of(&change.after, change.before.as_ref()) == item);
            let (mut amount_fen, mut hops) = (0, 0);
            for change in lots {
                amount_fen += change.after.amount_fen;
                hops = hops.max(i64::from(change.after.hops));
            }
            let extent = Extent { amount_fen, split: Some((whole, before)), hops };
            before += amount_fen;
            for (pair, share) in &feed.targets {
                if parts[usize::from(*share)] != NOTHING {
                    let part = self.part(plan.shares[usize::from(*share)], seen, extent, Members::OfFact, weight, sink);
                    sink.push(*pair, date, item, part);
                }
            }
        }
    }

    /// Dimensions of parties where the theme counts parties: once an item, with the parties that have the item as members.
    #[allow(clippy::too_many_arguments)]
    fn flow_by_player(
        &self,
        plan: &BehaviourPlan,
        feed: &Feed,
        seen: &Observation<'_>,
        players: &[Counted<'_>],
        parts: &[u32],
        weight: i64,
        sink: &mut CellSink,
    ) {
        let date = seen.fact.biz_date;
        let as_of = seen.as_of();
        let items_of = |counted: &Counted<'_>| -> Items {
            match feed.name {
                Name::Of(each, attribute) => {
                    as_of.items(each, Played::By(counted.player), attribute, |_| counted.known)
                }
                _ => Items::from_slice(&[counted.role]),
            }
        };
        if let [counted] = players {
            for item in items_of(counted) {
                for (pair, share) in &feed.targets {
                    push(sink, *pair, date, item, parts[usize::from(*share)]);
                }
            }
            return;
        }
        if !sink.keeps_members() {
            // Who keeps sums alone needs no part with other members.
            let mut items: SmallVec<[Item; 8]> = SmallVec::new();
            for counted in players {
                for item in items_of(counted) {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
            }
            if items.is_empty() {
                items.push(Item::NA);
            }
            for (pair, share) in &feed.targets {
                for item in &items {
                    push(sink, *pair, date, *item, parts[usize::from(*share)]);
                }
            }
            return;
        }
        let mut by_item: SmallVec<[(Item, SmallVec<[Player; 4]>); 4]> = SmallVec::new();
        for counted in players {
            for item in items_of(counted) {
                match by_item.iter_mut().find(|(known, _)| *known == item) {
                    Some((_, having)) => having.push(counted.player),
                    None => by_item.push((item, SmallVec::from_slice(&[counted.player]))),
                }
            }
        }
        if by_item.is_empty() {
            by_item.push((Item::NA, SmallVec::new()));
        }
        let extent = Extent { amount_fen: seen.amount_fen(), split: None, hops: 0 };
        for (item, having) in &by_item {
            for (pair, share) in &feed.targets {
                let part = match parts[usize::from(*share)] {
                    NOTHING => continue,
                    _ => {
                        let share = plan.shares[usize::from(*share)];
                        self.part(share, seen, extent, Members::These(having), weight, sink)
                    }
                };
                sink.push(*pair, date, *item, part);
            }
        }
    }

    /// T18: one SPL.OUT or SPL.REM a lot that a cut created; cnt counts the cuts.
    fn flow_cuts(&self, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        let plan = &self.cuts;
        let date = seen.fact.biz_date;
        let theme = &self.themes[usize::from(plan.shares[0].theme)];
        let made = |cut: &&Cut| cut.behaviour == behaviour::SPL_OUT || cut.behaviour == behaviour::SPL_REM;
        for cut in seen.outcome.cuts.iter().filter(made) {
            let length = cut.range.length() as i64;
            let mut part = sink.begin_part();
            for slot in &theme.flow_slots {
                let value = match slot {
                    Slot::Count => i128::from(cut.behaviour == behaviour::SPL_OUT),
                    Slot::Lots => 1,
                    Slot::Amount => i128::from(length),
                    _ => 0,
                };
                part.sum(value * i128::from(weight));
            }
            if part.keeps_members()
                && let Some(bill) = seen.fact.bill_id
            {
                part.member(SetKind::Bills, bill_member(bill), weight);
            }
            let part = part.end();
            for (pair, _) in &plan.time {
                sink.push(*pair, date, Item::ALL, part);
            }
            let known = &self.meanings.vocabulary().known;
            for feed in plan.plain.iter().chain(&plan.by_lot).chain(&plan.by_enterprise) {
                let items = match feed.name {
                    Name::Amount => Items::from_slice(&[buckets::amount(length).item(known.amount_bucket)]),
                    // The holder before the fact; a request does not change it.
                    Name::Of(Role::Holder, attribute) => {
                        let holder = Player { party: cut.holder, branch: None };
                        seen.items_of(Role::Holder, holder, attribute)
                    }
                    name => seen.items(name),
                };
                for (pair, _) in &feed.targets {
                    for item in &items {
                        sink.push(*pair, date, *item, part);
                    }
                }
            }
        }
    }

    /// `timely_ratio`: a CAB or FAB bill counts at its acceptance date as to be disclosed, and as timely when its DIS.BIL
    /// came by the end of the first business day after it.
    fn flow_disclosure(&self, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        let accepts = matches!(seen.fact.behaviour, behaviour::ACC_SGN | behaviour::PPR_ACC);
        let discloses = seen.fact.behaviour == behaviour::DIS_BIL;
        if !(accepts || discloses) || !seen.effect().counts() {
            return;
        }
        let (Some(header), Some(bill)) = (seen.header, seen.bill) else { return };
        let Some((accepted_on, _)) = header.accepted else { return };
        if header.kind == BillKind::Bab {
            return;
        }
        let Some(disclosed) = bill.journal.get(behaviour::DIS_BIL) else {
            if accepts {
                self.push_disclosure(seen, accepted_on, (0, 1), weight, sink);
            }
            return;
        };
        let timely = disclosed.first_on <= self.meanings.calendar().next(accepted_on);
        if accepts {
            self.push_disclosure(seen, accepted_on, (i128::from(timely), 1), weight, sink);
        } else if disclosed.count == 1 && timely {
            self.push_disclosure(seen, accepted_on, (1, 0), weight, sink);
        }
    }

    fn push_disclosure(
        &self,
        seen: &Observation<'_>,
        date: Day,
        (timely, due): (i128, i128),
        weight: i64,
        sink: &mut CellSink,
    ) {
        let theme = &self.themes[usize::from(self.disclosure_theme)];
        let mut part = sink.begin_part();
        for slot in &theme.flow_slots {
            let value = match slot {
                Slot::Timely => timely,
                Slot::ToDisclose => due,
                _ => 0,
            };
            part.sum(value * i128::from(weight));
        }
        let part = part.end();
        for (pair, _) in &self.disclosure {
            let name = self.pair(*pair).name;
            if name == Name::BizDate {
                sink.push(*pair, date, Item::ALL, part);
                continue;
            }
            for item in seen.items(name) {
                sink.push(*pair, date, item, part);
            }
        }
    }

    fn part(
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
            let counted = match share.counts {
                Counts::Full => true,
                Counts::Paid => *slot == Slot::Paid,
                Counts::Rate => matches!(slot, Slot::RateWeighted | Slot::RateWeight),
            };
            let value = if counted { self.slot(*slot, seen, extent) } else { 0 };
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

    fn slot(&self, slot: Slot, seen: &Observation<'_>, extent: Extent) -> i128 {
        let fact = seen.fact;
        let wide = |value: i64| i128::from(value);
        let field = |field| wide(fact.int(field).unwrap_or(0));
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
            Slot::RateWeighted => field(Field::RateE4) * rate_weight(seen, extent),
            Slot::RateWeight => rate_weight(seen, extent),
            Slot::First => extent.of(field(Field::FirstFen)),
            Slot::TermWeighted => field(Field::RepoDays) * extent.of(field(Field::FirstFen)),
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
        }
    }
}

fn push(sink: &mut CellSink, pair: u16, date: Day, item: Item, part: u32) {
    if part != NOTHING {
        sink.push(pair, date, item, part);
    }
}

fn holds(condition: Condition, seen: &Observation<'_>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::SupplyChain => seen.fact.behaviour.code().starts_with("SCB.") || seen.by_supply_chain(),
        Condition::FinanceCompany => {
            let items = seen.items(Name::Of(Role::AcceptingInstitution, Attribute::InstitutionType));
            items.first().is_some_and(|item| seen.meanings.is_finance_company(*item))
        }
        Condition::BillAndEnterprise => seen.fact.bill_id.is_some() && seen.enterprises().next().is_some(),
        Condition::BillAndInstitution => {
            seen.fact.bill_id.is_some() && seen.parties().iter().any(|(_, player)| player.party.is_legal())
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
fn settled(seen: &Observation<'_>) -> i128 {
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
pub(super) fn bill_member(bill: BillId) -> u64 {
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
        SetKind::Enterprises => match members {
            Members::These(players) => players.iter().for_each(|player| add(player.party.bits(), 1)),
            Members::OfFact if theme == "T25" => {
                let small = rules::small_enterprise_role(fact.behaviour.code());
                if let Some(player) = seen.player(small).filter(|player| player.party.is_enterprise()) {
                    add(player.party.bits(), 1);
                }
            }
            Members::OfFact => seen.enterprises().for_each(|(_, player)| add(player.party.bits(), 1)),
        },
        SetKind::Institutions => match members {
            Members::These(players) => players.iter().for_each(|player| add(player.party.bits(), 1)),
            Members::OfFact => seen.institutions().iter().for_each(|player| add(player.party.bits(), 1)),
        },
        SetKind::Branches => {
            let mut branch = |player: &Player| {
                if let Some(branch) = player.branch {
                    add(u64::from(branch.0), 1);
                }
            };
            match members {
                Members::These(players) => players.iter().for_each(&mut branch),
                Members::OfFact => seen.institutions().iter().for_each(&mut branch),
            }
        }
        SetKind::Pairs => {
            if let (Some(seller), Some(buyer)) = (seen.player(Role::Seller), seen.player(Role::Buyer)) {
                add(pair_member(seller.party, buyer.party), 1);
            }
        }
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
