//! What a fact adds to flow cells.

use smallvec::SmallVec;

use super::{
    Aggregates, BehaviourPlan, Feed,
    contribution::{Extent, Members, bill_member},
    measure::{SetKind, Slot},
    rules::Condition,
    sink::CellSink,
};
use crate::{
    bill::{BillKind, Cut, Lot},
    buckets,
    fact::behaviour,
    ids::Day,
    items::{Item, Items},
    names::{Attribute, Name, Role},
    observe::{Observation, Played, Player, attributes::Known},
};

/// A share that adds nothing for this fact.
const NOTHING: u32 = u32::MAX;

/// A party that a theme counts.
struct Counted<'a> {
    /// The item of its role.
    role: Item,
    player: Player,
    known: Known<'a>,
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
        // One bit a share that adds something: most behaviours have feeds that wait for a supply-chain channel.
        let live =
            parts.iter().enumerate().fold(0, |bits: u32, (share, part)| bits | u32::from(*part != NOTHING) << share);
        let wanted = |feed: &Feed| feed.mask & live != 0;
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
