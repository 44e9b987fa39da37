//! What happens at each fact of a bill: rules of bill scope are judged, features are fed, timers are started and answered.

use smallvec::SmallVec;

use super::{
    AlertKey, Answer, BillTimers, Hit, Output, PatternIndex, Patterns, Registry, Sight, Started,
    adapter::BookSight,
    bill_scope::BillScope,
    expression::Node,
    number::Number,
    rules::{BillKey, BillRule, Only, Rule, Scope, TimerRule, TimerSide},
    timer::Waiting,
    vocabulary::text_number,
};
use crate::{
    evaluator::without_bill,
    fact::{Fact, Field},
    ids::{Day, PartyId},
};

impl Patterns {
    /// Judges one folded fact (bill scope) and says what it adds to features. With weight −1 the same is taken away.
    ///
    /// Reference facts (no bill) go through here too. Where they are replicated, only one worker may keep their output.
    pub fn observe(&self, sight: &impl Sight, registry: &impl Registry, weight: i32, out: &mut Output) {
        let behaviour = usize::from(sight.fact().behaviour.0);
        let counts = sight.outcome().effect.counts();
        let effect = text_number(sight.outcome().effect.name());
        for place in &self.bill_rules[behaviour] {
            let index = PatternIndex(*place);
            if let Scope::Bill(bill) = &self.rule(index).scope
                && is_read(bill, counts, effect, sight)
            {
                self.judge_fact(index, bill, sight, registry, weight, out);
            }
        }
        self.emits.observe(&self.compiled.features, sight, registry, i64::from(weight), &mut out.deltas);
    }

    /// What a record of a book (`books`) adds to features, times `weight`: no rule is judged at it.
    pub fn observe_book(&self, record: &Fact, registry: &impl Registry, weight: i32, out: &mut Output) {
        let sight = BookSight { record, outcome: without_bill() };
        self.emits.observe(&self.compiled.features, &sight, registry, i64::from(weight), &mut out.deltas);
    }

    /// Judges one rule of bill scope on a fact of one of its behaviours.
    pub(super) fn observe_bill_rule(
        &self,
        index: PatternIndex,
        sight: &impl Sight,
        registry: &impl Registry,
        weight: i32,
        out: &mut Output,
    ) {
        let effect = sight.outcome().effect;
        if let Scope::Bill(bill) = &self.rule(index).scope
            && is_read(bill, effect.counts(), text_number(effect.name()), sight)
        {
            self.judge_fact(index, bill, sight, registry, weight, out);
        }
    }

    fn judge_fact(
        &self,
        index: PatternIndex,
        bill: &BillRule,
        sight: &impl Sight,
        registry: &impl Registry,
        weight: i32,
        out: &mut Output,
    ) {
        let rule = self.rule(index);
        if bill.for_each.is_empty() {
            return self.judge_party(index, rule, bill, BillScope::of_rule(sight, registry, rule, None), weight, out);
        }
        let mut parties: SmallVec<[PartyId; 4]> = SmallVec::new();
        for role in &bill.for_each {
            let Some(party) = sight.role(*role) else { continue };
            if !parties.contains(&party) {
                parties.push(party);
                let scope = BillScope::of_rule(sight, registry, rule, Some(party));
                self.judge_party(index, rule, bill, scope, weight, out);
            }
        }
    }

    fn judge_party<S: Sight, R: Registry>(
        &self,
        index: PatternIndex,
        rule: &Rule,
        bill: &BillRule,
        scope: BillScope<'_, S, R>,
        weight: i32,
        out: &mut Output,
    ) {
        let truth = |node: &Option<Node>| node.as_ref().and_then(|node| node.truth(&scope));
        let alert = truth(&rule.when);
        let level = match alert {
            Some(true) => rule.level,
            _ if rule.warn.is_some() && truth(&rule.warn) == Some(true) => rule.level.lower(),
            Some(false) => return,
            None => return out.skipped.push((index, weight)),
        };
        if let Some(key) = alert_key(bill.key, &scope) {
            let date = scope.sight.fact().biz_date;
            out.hits.push((Hit { pattern: index, key, date, level }, weight));
        }
    }

    /// Extends the timers of a bill by one folded fact; facts come in the order of the fold. On a refold begin with an empty
    /// [`BillTimers`].
    pub fn time(&self, sight: &impl Sight, registry: &impl Registry, timers: &mut BillTimers) {
        let fact = sight.fact();
        if self.orphan.is_some() {
            timers.learn(fact.event_id);
            if let Some(wanted) = fact.id(Field::RefEventId) {
                timers.want(Waiting { event: fact.event_id, wanted, at: fact.event_time });
            }
        }
        if !sight.outcome().effect.counts() {
            return;
        }
        let behaviour = usize::from(fact.behaviour.0);
        for number in &self.starts[behaviour] {
            let (rule, timer) = self.timer(*number as u8);
            let scope = BillScope::of_rule(sight, registry, rule, None);
            if !applies(&timer.start, &scope) {
                continue;
            }
            let Some(((limit, due), key)) = limit_of(timer, &scope).zip(alert_key(timer.key, &scope)) else { continue };
            for range in acted_ranges(sight) {
                let (timer, at) = (*number as u8, fact.event_time);
                timers.started.push(Started { timer, range, at, limit, due, key: key.clone() });
            }
        }
        let mut answered = 0u32;
        for number in &self.answers[behaviour] {
            let (rule, timer) = self.timer(*number as u8);
            let scope = BillScope::of_rule(sight, registry, rule, None);
            if applies(&timer.answers, &scope) {
                answered |= 1 << number;
            }
        }
        if answered != 0 {
            for range in acted_ranges(sight) {
                timers.answers.push(Answer { timers: answered, range, at: fact.event_time });
            }
        }
    }
}

/// Whether a rule looks at a fact of one of its behaviours at all.
#[inline]
fn is_read(bill: &BillRule, counts: bool, effect: Number, sight: &impl Sight) -> bool {
    (counts || bill.any_effect)
        && match &bill.only {
            Only::Any => true,
            Only::Effects(effects) => effects.contains(&effect),
            Only::Variants => sight.has_variants(),
        }
}

fn applies<S: Sight, R: Registry>(side: &TimerSide, scope: &BillScope<'_, S, R>) -> bool {
    side.condition.as_ref().is_none_or(|condition| condition.truth(scope) == Some(true))
}

/// Day of a timer's limit, and the last instant for an answer.
fn limit_of<S: Sight, R: Registry>(timer: &TimerRule, scope: &BillScope<'_, S, R>) -> Option<(Day, i64)> {
    let day = Day(i32::try_from(timer.limit.value(scope)?.as_whole()?).ok()?);
    let due = match &timer.limit_time {
        Some(time) => day.start_ms().checked_add(i64::try_from(time.value(scope)?.as_whole()?).ok()?)?,
        None => day.end_ms() - 1,
    };
    Some((day, due))
}

/// The ranges that a fact acted on: those of its lots, or its own when it has no state.
fn acted_ranges(sight: &impl Sight) -> SmallVec<[crate::fact::Range; 2]> {
    let mut ranges = SmallVec::new();
    sight.lots_after(&mut |lot| ranges.push(lot.range));
    if ranges.is_empty() {
        ranges.push(sight.fact().range);
    }
    ranges
}

fn alert_key<S: Sight, R: Registry>(key: BillKey, scope: &BillScope<'_, S, R>) -> Option<AlertKey> {
    let fact = scope.sight.fact();
    Some(match key {
        BillKey::Bill => AlertKey::Bill(fact.bill_id?),
        BillKey::Event => AlertKey::Event(fact.event_id),
        BillKey::Deal => match fact.text(Field::DealId) {
            Some(deal) => AlertKey::Deal(deal.into()),
            None => AlertKey::Event(fact.event_id),
        },
        BillKey::Party(role) => AlertKey::Party(scope.party(role)?),
        BillKey::Pair(left, right) => {
            let (left, right) = (scope.party(left)?, scope.party(right)?);
            AlertKey::Pair(left.min(right), left.max(right))
        }
    })
}
