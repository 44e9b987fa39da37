//! What facts and lots add to features.
//!
//! A flow counts applied facts, or every accepted one where it says so (`any_effect`). A stock (balance) is the sum of what
//! lots add when they change: −before, +after. Balances are of accepted bills that have not ended, in statuses CS02, CS03
//! and CS04; most facts lock or unlock a lot and move no balance, so a stock is asked only when something it reads has
//! changed. Stock cells have sums but no counts: a cut makes more lots of the same sum.

use smallvec::SmallVec;

use super::{
    alert::Key,
    bill_scope::BillScope,
    expression::{Node, Scope},
    rules::{Emit, Feature, by_behaviour},
    sight::{Registry, Sight},
    vocabulary::{Derived, Role, Variable},
    whole::UNKNOWN,
    windows::{FeatureDelta, FeatureIndex, Member},
};
use crate::bill::{Lot, LotChange, Outcome, Status};

/// What of a lot can change and move a balance; bits.
mod aspect {
    /// The lot enters or leaves the balances.
    pub const COUNTS: u8 = 1;
    pub const STATUS: u8 = 2;
    pub const HOLDER: u8 = 4;
    pub const REPO: u8 = 8;
    pub const OVERDUE: u8 = 16;
    pub const SURETIES: u8 = 32;
    pub const FLAG: u8 = 64;
}

/// Emits by what makes them due.
#[derive(Debug)]
pub(super) struct EmitIndex {
    /// Flows (feature, place in it), by behaviour.
    flows: Vec<Box<[(u16, u8)]>>,
    /// Those of them that count facts without effect, by behaviour.
    flows_of_any: Vec<Box<[(u16, u8)]>>,
    /// Stocks (feature, place in it), and the aspects of a lot that they read.
    stocks: Box<[(u16, u8, u8)]>,
}

impl EmitIndex {
    pub fn new(features: &[Feature]) -> Self {
        let (mut places, mut lists, mut stocks) = (Vec::new(), Vec::new(), Vec::new());
        for (feature, emits) in features.iter().map(|feature| &feature.emits).enumerate() {
            for (place, emit) in emits.iter().enumerate() {
                if emit.on.is_empty() {
                    stocks.push((feature as u16, place as u8, aspects_read(emit)));
                } else {
                    places.push((feature as u16, place as u8));
                    lists.push(emit.on.as_slice());
                }
            }
        }
        let flows = by_behaviour(lists.into_iter());
        // Features of one key come together: who keeps them finds the key once.
        let key_of = |(feature, place): &(u16, u8)| {
            format!("{:?}", features[usize::from(*feature)].emits[usize::from(*place)].key)
        };
        let of_behaviour = |list: &[u16]| {
            let mut flows: Vec<(u16, u8)> = list.iter().map(|at| places[usize::from(*at)]).collect();
            flows.sort_by_cached_key(key_of);
            flows.into_boxed_slice()
        };
        let flows: Vec<Box<[(u16, u8)]>> = flows.iter().map(|list| of_behaviour(list)).collect();
        let of_any =
            |(feature, place): &(u16, u8)| features[usize::from(*feature)].emits[usize::from(*place)].any_effect;
        let flows_of_any = flows.iter().map(|list| list.iter().copied().filter(of_any).collect()).collect();
        EmitIndex { flows, flows_of_any, stocks: stocks.into() }
    }

    /// What a fact adds to all features, times `weight`.
    pub fn observe<S: Sight, R: Registry>(
        &self,
        features: &[Feature],
        sight: &S,
        registry: &R,
        weight: i64,
        out: &mut Vec<FeatureDelta>,
    ) {
        let fact = sight.fact();
        let counts = sight.outcome().effect.counts();
        let flows = if counts { &self.flows } else { &self.flows_of_any };
        for (feature, place) in &flows[usize::from(fact.behaviour.0)] {
            let at = &features[usize::from(*feature)];
            let scope = BillScope { sight, registry, parameters: &[], key: None, lot: None, surety: None };
            let bucket = at.bucket(fact);
            let delta = contribution(FeatureIndex(*feature), &at.emits[usize::from(*place)], &scope, bucket, weight);
            out.extend(delta.map(|delta| FeatureDelta { count: weight, ..delta }));
        }
        if !counts {
            return;
        }
        let changed = aspects_changed(sight.outcome());
        for (feature, place, reads) in &self.stocks {
            if changed & reads != 0 {
                let emit = &features[usize::from(*feature)].emits[usize::from(*place)];
                stock(FeatureIndex(*feature), emit, sight, registry, weight, out);
            }
        }
    }
}

fn aspects_read(emit: &Emit) -> u8 {
    let mut reads = aspect::COUNTS | if emit.each_surety { aspect::SURETIES } else { 0 };
    let nodes = emit.condition.iter().chain(&emit.key).chain(&emit.member).chain(&emit.amount).chain(&emit.from);
    for node in nodes {
        node.walk(&mut |node| {
            reads |= match node {
                Node::Variable(Variable::Derived(Derived::LotStatus)) => aspect::STATUS,
                Node::Variable(Variable::Derived(
                    Derived::LotRepo | Derived::LotFirstFen | Derived::LotRepoRate | Derived::LotRepoDays,
                )) => aspect::REPO,
                Node::Variable(Variable::Derived(Derived::LotFlag)) => aspect::FLAG,
                // A discount makes a holder.
                Node::Variable(Variable::Derived(Derived::LotDiscounted)) => aspect::HOLDER,
                Node::Variable(Variable::Derived(Derived::LotOverdueFrom | Derived::LotSeenOverdueFrom)) => {
                    aspect::OVERDUE
                }
                Node::Variable(Variable::Party(Role::Holder) | Variable::Attribute(Role::Holder, _)) => aspect::HOLDER,
                Node::Variable(Variable::Party(Role::RepoSeller | Role::RepoBuyer)) => aspect::REPO,
                // Whoever discounts a lot becomes its holder.
                Node::Variable(Variable::Party(Role::LotDiscounter) | Variable::Attribute(Role::LotDiscounter, _)) => {
                    aspect::HOLDER
                }
                _ => 0,
            };
        });
    }
    reads
}

fn counts_in_stock(lot: &Lot) -> bool {
    matches!(lot.status, Status::Accepted | Status::Received | Status::Due)
}

/// What changed on the lots acted on. Remainders of a cut are as their lot was.
fn aspects_changed(outcome: &Outcome) -> u8 {
    let repo = |lot: &Lot| lot.repo().map(|deal| (deal.behaviour, deal.seller, deal.first_fen));
    let of = |LotChange { before, after, .. }: &LotChange| {
        let Some(before) = before else { return u8::from(counts_in_stock(after)) * aspect::COUNTS };
        let changed = |changed: bool, aspect: u8| if changed { aspect } else { 0 };
        changed(counts_in_stock(before) != counts_in_stock(after), aspect::COUNTS)
            | changed(before.status != after.status, aspect::STATUS)
            | changed(before.holder != after.holder, aspect::HOLDER)
            | changed(repo(before) != repo(after), aspect::REPO)
            | changed(before.sureties() != after.sureties(), aspect::SURETIES)
            | changed(before.flag != after.flag, aspect::FLAG)
            | changed(
                (before.overdue_since, before.answer_due) != (after.overdue_since, after.answer_due),
                aspect::OVERDUE,
            )
    };
    outcome.acted().map(of).fold(0, |all, one| all | one)
}

/// What the changed lots take from and add to one balance; what stays the same is not said.
fn stock<S: Sight, R: Registry>(
    feature: FeatureIndex,
    emit: &Emit,
    sight: &S,
    registry: &R,
    weight: i64,
    out: &mut Vec<FeatureDelta>,
) {
    let date = i64::from(sight.fact().biz_date.0);
    let mut cells: SmallVec<[FeatureDelta; 4]> = SmallVec::new();
    let mut put = |lot: &Lot, sign: i64| {
        if !counts_in_stock(lot) {
            return;
        }
        let scope = BillScope { sight, registry, parameters: &[], key: None, lot: Some(lot), surety: None };
        let mut add = |scope: &BillScope<'_, S, R>| {
            let Some(delta) = contribution(feature, emit, scope, date, sign) else { return };
            // Any sum up to 64 bits is accepted: what cannot be added leaves on its own, and owners have wider sums.
            let added = cells.iter_mut().find_map(|cell| {
                let same = (cell.key, cell.bucket, cell.member) == (delta.key, delta.bucket, delta.member);
                let sum = cell.sum.checked_add(delta.sum).filter(|sum| same && *sum != i64::MIN)?;
                Some((cell, sum))
            });
            match added {
                Some((cell, sum)) => cell.sum = sum,
                None => cells.push(delta),
            }
        };
        if emit.each_surety {
            for surety in lot.sureties() {
                add(&BillScope { surety: Some(surety), ..scope });
            }
        } else {
            add(&scope);
        }
    };
    for change in &sight.outcome().changes {
        change.before.iter().for_each(|lot| put(lot, -1));
        put(&change.after, 1);
    }
    let changed = cells.into_iter().filter(|cell| cell.sum != 0);
    out.extend(changed.map(|cell| FeatureDelta { sum: cell.sum * weight, ..cell }));
}

/// What one fact or lot adds to the sum of a feature; `None` when it does not count or lacks a key.
fn contribution<S: Sight, R: Registry>(
    feature: FeatureIndex,
    emit: &Emit,
    scope: &BillScope<'_, S, R>,
    bucket: i64,
    weight: i64,
) -> Option<FeatureDelta> {
    if let Some(condition) = &emit.condition
        && condition.truth(scope) != Some(true)
    {
        return None;
    }
    let part = |node: &Node| key_part(node, scope);
    let key = Key(part(&emit.key[0])?, emit.key.get(1).map_or(Some(0), part)?);
    let member = match &emit.member {
        None => 0,
        // An event id may take all 128 bits, which no number of an expression holds.
        Some(Node::Variable(Variable::Derived(Derived::EventId))) => scope.sight.fact().event_id,
        Some(node) => Member::try_from(whole(node, scope)?).ok()?,
    };
    let amount = match &emit.amount {
        Some(node) => whole(node, scope)?,
        None if scope.lot.is_some() => known(scope.whole_variable(&Variable::Derived(Derived::LotFen)))?,
        None => known(scope.whole_variable(&Variable::Derived(Derived::Amount)))?,
    };
    let amount = i64::try_from(amount).ok()?;
    let bucket = match &emit.from {
        Some(node) => bucket.max(i64::try_from(whole(node, scope)?).ok()?),
        None => bucket,
    };
    Some(FeatureDelta { feature, key, bucket, member, count: 0, sum: amount.checked_mul(weight)? })
}

/// A value as a whole number; the exact way serves what the short one cannot tell.
fn whole(node: &Node, scope: &impl Scope) -> Option<i128> {
    known(node.whole(scope)).or_else(|| node.value(scope)?.as_whole())
}

fn known(whole: i128) -> Option<i128> {
    (whole != UNKNOWN).then_some(whole)
}

/// A key part in 64 bits. Codes of up to 8 characters stand in the upper half of their number.
fn key_part(node: &Node, scope: &impl Scope) -> Option<u64> {
    let whole = whole(node, scope)?;
    u64::try_from(whole).or_else(|_| u64::try_from(whole >> 64)).ok()
}
