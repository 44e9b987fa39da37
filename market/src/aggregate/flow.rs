//! What a fact adds to flow cells.

use std::cell::OnceCell;

use smallvec::SmallVec;

use super::{
    Aggregates, BehaviourPlan, Feed, FeedKind,
    contribution::{Extent, Members, bill_member},
    measure::{SetKind, Slot},
    profiles::{Profile, Profiles},
    rules::Condition,
    sink::CellSink,
};
use crate::{
    bill::{BillKind, Cut, Lot},
    buckets,
    fact::behaviour,
    ids::Day,
    items::{Item, Items, Row},
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

/// A fact that feeds something: what is worked out once for all its cells.
pub(super) struct Fed<'a, 'b> {
    pub seen: &'b Observation<'a>,
    pub whole: Extent,
    /// One bit a share that adds something: most behaviours have feeds that wait for a supply-chain channel.
    pub live: u32,
    /// It acted on several lots: feeds by lot differ within it.
    pub several_lots: bool,
    enterprises: OnceCell<SmallVec<[Counted<'a>; 4]>>,
    institutions: OnceCell<SmallVec<[Counted<'a>; 4]>>,
}

impl<'a> Fed<'a, '_> {
    fn players(&self, kind: FeedKind) -> &[Counted<'a>] {
        let seen = self.seen;
        if kind == FeedKind::ByEnterprise {
            let role = seen.meanings.vocabulary().known.role;
            let count =
                |(row, player): (Row, Player)| Counted { role: row.item(role), player, known: seen.look(player) };
            self.enterprises.get_or_init(|| seen.enterprises().map(count).collect())
        } else {
            let count = |player| Counted { role: Item::NA, player, known: seen.look(player) };
            self.institutions.get_or_init(|| seen.institutions().into_iter().map(count).collect())
        }
    }
}

impl Aggregates {
    /// Adds what a fact does to flow cells, times a weight (+1, or -1 to take it back).
    pub fn flow(&self, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        let plan = &self.plans[usize::from(seen.fact.behaviour.0)];
        if let Some(fed) = self.fed_by(plan, seen) {
            self.flow_plan(plan, &fed, weight, sink);
        }
        self.flow_beside(seen, weight, sink);
    }

    /// What does not go by the plan of the behaviour.
    pub(super) fn flow_beside(&self, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        if !seen.outcome.cuts.is_empty() && !self.cuts.shares.is_empty() {
            self.flow_cuts(seen, weight, sink);
        }
        if !self.disclosure.is_empty() {
            self.flow_disclosure(seen, weight, sink);
        }
    }

    /// `None`: the fact feeds nothing.
    pub(super) fn fed_by<'a, 'b>(&self, plan: &BehaviourPlan, seen: &'b Observation<'a>) -> Option<Fed<'a, 'b>> {
        let counts = seen.effect().counts();
        let mut live = 0;
        for (place, share) in plan.shares.iter().enumerate() {
            let rule = &self.themes[usize::from(share.theme)].rule;
            let holds = (counts || rule.every_effect) && holds(rule.condition, seen);
            live |= u32::from(holds) << place;
        }
        (live != 0).then(|| Fed {
            seen,
            whole: Extent {
                amount_fen: seen.amount_fen(),
                split: None,
                hops: seen.lot().map_or(0, |lot| i64::from(lot.hops)),
            },
            live,
            several_lots: seen.outcome.acted().nth(1).is_some(),
            enterprises: OnceCell::new(),
            institutions: OnceCell::new(),
        })
    }

    pub(super) fn flow_plan(&self, plan: &BehaviourPlan, fed: &Fed<'_, '_>, weight: i64, sink: &mut CellSink) {
        let parts = self.parts(plan, fed, weight, sink);
        let date = fed.seen.fact.biz_date;
        for (pair, share) in &plan.time {
            push(sink, *pair, date, Item::ALL, parts[usize::from(*share)]);
        }
        let apart = sink.keeps_members();
        self.each_item(plan, fed, 0..plan.feeds.len(), |_, feed, item| {
            // Who keeps members tells apart whose item it is.
            let by_player = matches!(feed.kind, FeedKind::ByEnterprise | FeedKind::ByInstitution);
            if apart && by_player && fed.players(feed.kind).len() != 1 {
                return;
            }
            for (pair, share) in &feed.targets {
                push(sink, *pair, date, item, parts[usize::from(*share)]);
            }
        });
        if fed.several_lots {
            self.flow_by_lot(plan, fed, weight, sink);
        }
        if apart {
            for kind in [FeedKind::ByEnterprise, FeedKind::ByInstitution] {
                for feed in plan.feeds.iter().filter(|feed| feed.kind == kind && feed.mask & fed.live != 0) {
                    if fed.players(kind).len() != 1 {
                        self.flow_by_player(plan, feed, fed, weight, sink);
                    }
                }
            }
        }
    }

    /// One part a share; [`NOTHING`] for those that add nothing.
    fn parts(&self, plan: &BehaviourPlan, fed: &Fed<'_, '_>, weight: i64, sink: &mut CellSink) -> SmallVec<[u32; 16]> {
        let mut parts = SmallVec::new();
        for (place, share) in plan.shares.iter().enumerate() {
            let is_live = fed.live >> place & 1 == 1;
            parts.push(match is_live {
                true => self.part(*share, fed.seen, fed.whole, Members::OfFact, weight, sink),
                false => NOTHING,
            });
        }
        parts
    }

    /// Hands over the profile of everybody who plays a role.
    pub(super) fn each_profile(
        &self,
        role: Role,
        fed: &Fed<'_, '_>,
        profiles: &mut Profiles,
        mut take: impl FnMut(Profile),
    ) {
        let seen = fed.seen;
        let kind = match role {
            Role::EachEnterprise => FeedKind::ByEnterprise,
            Role::EachInstitution => FeedKind::ByInstitution,
            _ => return take(profiles.of(seen.as_of(), role, seen.role(role), |player| seen.look(player))),
        };
        let players = fed.players(kind);
        for counted in players {
            take(profiles.of(seen.as_of(), role, Played::By(counted.player), |_| counted.known));
        }
        if players.is_empty() {
            take(Profile::NOBODY);
        }
    }

    /// Hands over every item of every wanted feed that some share waits for, with the feed and its place in the plan. An item comes
    /// once a feed. Feeds by lot are left out where the fact acted on several: see [`Aggregates::flow_by_lot`].
    #[inline]
    pub(super) fn each_item<'p>(
        &self,
        plan: &'p BehaviourPlan,
        fed: &Fed<'_, '_>,
        wanted: impl Iterator<Item = usize>,
        mut take: impl FnMut(usize, &'p Feed, Item),
    ) {
        let seen = fed.seen;
        let as_of = seen.as_of();
        // What a role is asked for stands together: who plays it is found once.
        let mut asked: Option<(Role, Played, Known<'_>)> = None;
        for place in wanted {
            let feed = &plan.feeds[place];
            if feed.mask & fed.live == 0 {
                continue;
            }
            match (feed.kind, feed.name) {
                (FeedKind::ByLot, _) if fed.several_lots => {}
                (FeedKind::ByEnterprise | FeedKind::ByInstitution, _) => {
                    self.each_item_of_players(feed, fed, |item| take(place, feed, item));
                }
                (FeedKind::Plain, Name::Of(role, attribute)) if role.is_single() => {
                    let (played, known) = match asked {
                        Some((known_role, played, known)) if known_role == role => (played, known),
                        _ => {
                            let played = seen.role(role);
                            let known = played.player().map_or(Known::NOTHING, |player| seen.look(player));
                            asked = Some((role, played, known));
                            (played, known)
                        }
                    };
                    as_of.each_item(role, played, attribute, |_| known, |item| take(place, feed, item));
                }
                (_, name) => seen.each_item(name, |item| take(place, feed, item)),
            }
        }
    }

    /// Dimensions of parties where the theme counts parties: each item once.
    #[inline]
    fn each_item_of_players(&self, feed: &Feed, fed: &Fed<'_, '_>, mut take: impl FnMut(Item)) {
        match fed.players(feed.kind) {
            [] => take(Item::NA),
            [counted] => each_item_of(feed, fed, counted, take),
            several => {
                let mut items: SmallVec<[Item; 8]> = SmallVec::new();
                for counted in several {
                    each_item_of(feed, fed, counted, |item| {
                        if !items.contains(&item) {
                            items.push(item);
                            take(item);
                        }
                    });
                }
            }
        }
    }

    /// A fact over several lots counts in lot dimensions lot by lot for amounts, and once an item (facts.md 9.12).
    pub(super) fn flow_by_lot(&self, plan: &BehaviourPlan, fed: &Fed<'_, '_>, weight: i64, sink: &mut CellSink) {
        let seen = fed.seen;
        let whole: i64 = seen.outcome.acted().map(|change| change.after.amount_fen).sum();
        let by_lot = plan.feeds.iter().filter(|feed| feed.kind == FeedKind::ByLot && feed.mask & fed.live != 0);
        for feed in by_lot {
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
                for (pair, share) in feed.targets.iter().filter(|(_, share)| fed.live >> share & 1 == 1) {
                    let share = plan.shares[usize::from(*share)];
                    let part = self.part(share, seen, extent, Members::OfFact, weight, sink);
                    sink.push(*pair, seen.fact.biz_date, item, part);
                }
            }
        }
    }

    /// The same with the parties that have each item as members.
    fn flow_by_player(&self, plan: &BehaviourPlan, feed: &Feed, fed: &Fed<'_, '_>, weight: i64, sink: &mut CellSink) {
        let seen = fed.seen;
        let mut by_item: SmallVec<[(Item, SmallVec<[Player; 4]>); 4]> = SmallVec::new();
        for counted in fed.players(feed.kind) {
            each_item_of(feed, fed, counted, |item| match by_item.iter_mut().find(|(known, _)| *known == item) {
                Some((_, having)) => having.push(counted.player),
                None => by_item.push((item, SmallVec::from_slice(&[counted.player]))),
            });
        }
        if by_item.is_empty() {
            by_item.push((Item::NA, SmallVec::new()));
        }
        let extent = Extent { amount_fen: seen.amount_fen(), split: None, hops: 0 };
        for (item, having) in &by_item {
            for (pair, share) in feed.targets.iter().filter(|(_, share)| fed.live >> share & 1 == 1) {
                let share = plan.shares[usize::from(*share)];
                let part = self.part(share, seen, extent, Members::These(having), weight, sink);
                sink.push(*pair, seen.fact.biz_date, *item, part);
            }
        }
    }

    /// T18: one SPL.OUT or SPL.REM a lot that a cut created; cnt counts the cuts.
    fn flow_cuts(&self, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        let plan = &self.cuts;
        let date = seen.fact.biz_date;
        for cut in cuts_made(seen) {
            let part = self.cut_part(plan.shares[0].theme, seen, cut, weight, sink);
            for (pair, _) in &plan.time {
                sink.push(*pair, date, Item::ALL, part);
            }
            for feed in &plan.feeds {
                let items = self.cut_items(feed.name, seen, cut);
                for (pair, _) in &feed.targets {
                    for item in &items {
                        sink.push(*pair, date, *item, part);
                    }
                }
            }
        }
    }

    /// One lot that a cut made, as a part of T18.
    pub(super) fn cut_part(
        &self,
        theme: u16,
        seen: &Observation<'_>,
        cut: &Cut,
        weight: i64,
        sink: &mut CellSink,
    ) -> u32 {
        let mut part = sink.begin_part();
        for slot in &self.themes[usize::from(theme)].flow_slots {
            let value = match slot {
                Slot::Count => i128::from(cut.behaviour == behaviour::SPL_OUT),
                Slot::Lots => 1,
                Slot::Amount => i128::from(cut.range.length()),
                _ => 0,
            };
            part.sum(value * i128::from(weight));
        }
        if part.keeps_members()
            && let Some(bill) = seen.fact.bill_id
        {
            part.member(SetKind::Bills, bill_member(bill), weight);
        }
        part.end()
    }

    /// The items of a name for one lot that a cut made.
    pub(super) fn cut_items(&self, name: Name, seen: &Observation<'_>, cut: &Cut) -> Items {
        let known = &self.meanings.vocabulary().known;
        match name {
            Name::Amount => Items::from_slice(&[buckets::amount(cut.range.length() as i64).item(known.amount_bucket)]),
            // The holder before the fact; a request does not change it.
            Name::Of(Role::Holder, attribute) => {
                let holder = Player { party: cut.holder, branch: None };
                seen.items_of(Role::Holder, holder, attribute)
            }
            name => seen.items(name),
        }
    }

    fn flow_disclosure(&self, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        let Some((date, counts)) = self.disclosed(seen) else { return };
        let part = self.disclosure_part(self.disclosure_theme, counts, weight, sink);
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

    /// `timely_ratio`: a CAB or FAB bill counts at its acceptance date as to be disclosed, and as timely when its DIS.BIL
    /// came by the end of the first business day after it. Gives that date, and what the fact adds to (timely, due).
    pub(super) fn disclosed(&self, seen: &Observation<'_>) -> Option<(Day, (i128, i128))> {
        let accepts = matches!(seen.fact.behaviour, behaviour::ACC_SGN | behaviour::PPR_ACC);
        let discloses = seen.fact.behaviour == behaviour::DIS_BIL;
        if !(accepts || discloses) || !seen.effect().counts() {
            return None;
        }
        let (header, bill) = (seen.header?, seen.bill?);
        let (accepted_on, _) = header.accepted?;
        if header.kind == BillKind::Bab {
            return None;
        }
        let disclosed = bill.journal.get(behaviour::DIS_BIL);
        let timely =
            disclosed.is_some_and(|disclosed| disclosed.first_on <= self.meanings.calendar().next(accepted_on));
        if accepts {
            Some((accepted_on, (i128::from(timely), 1)))
        } else {
            (timely && disclosed?.count == 1).then_some((accepted_on, (1, 0)))
        }
    }

    /// A part of T28 with nothing but these counts.
    pub(super) fn disclosure_part(
        &self,
        theme: u16,
        (timely, due): (i128, i128),
        weight: i64,
        sink: &mut CellSink,
    ) -> u32 {
        let mut part = sink.begin_part();
        for slot in &self.themes[usize::from(theme)].flow_slots {
            let value = match slot {
                Slot::Timely => timely,
                Slot::ToDisclose => due,
                _ => 0,
            };
            part.sum(value * i128::from(weight));
        }
        part.end()
    }
}

/// The lots that cuts made.
pub(super) fn cuts_made<'a>(seen: &Observation<'a>) -> impl Iterator<Item = &'a Cut> {
    let made = |cut: &&Cut| cut.behaviour == behaviour::SPL_OUT || cut.behaviour == behaviour::SPL_REM;
    seen.outcome.cuts.iter().filter(made)
}

#[inline]
fn each_item_of(feed: &Feed, fed: &Fed<'_, '_>, counted: &Counted<'_>, mut take: impl FnMut(Item)) {
    match feed.name {
        Name::Of(each, attribute) => {
            let played = Played::By(counted.player);
            fed.seen.as_of().each_item(each, played, attribute, |_| counted.known, take);
        }
        _ => take(counted.role),
    }
}

fn push(sink: &mut CellSink, pair: u16, date: Day, item: Item, part: u32) {
    if part != NOTHING {
        sink.push(pair, date, item, part);
    }
}

pub(super) fn holds(condition: Condition, seen: &Observation<'_>) -> bool {
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
