//! Rules on facts and timers under other parameters: their facts are looked at again.
//!
//! Only the changed rules are judged, and only in lives that hold a fact which they read; bills are folded for that, but
//! cells are not touched, for they do not depend on parameters, and of features only those that a parameter feeds.

use billwatch_market::{
    bill::Bill,
    corrections::effective_at,
    evaluator::without_bill,
    fact::Fact,
    observe::Observation,
    pattern::{BillTimers, Hit, Output, PatternIndex, RuleKind, Seen},
};
use hashbrown::HashSet;

use super::{Dense, Lives, SINGLE, folding::settle_due};
use crate::{
    dataflow::{alerts::AlertRow, valuation::Sink},
    rule_change::RuleChange,
    store::StoreError,
};

/// Lives whose history is read at once: some MiB.
const AT_ONCE: usize = 1_024;

/// What a life says under the new rules.
struct Rejudged {
    /// Hits of rules on facts and what feeds changed features: −old, +new.
    output: Output,
    timers: BillTimers,
    /// Everything that the clock will make, or has made.
    due: Vec<(i64, Hit)>,
    /// Facts that changed rules cannot judge any more, or can now: −old, +new.
    skipped: Vec<(Fact, Vec<(PatternIndex, i32)>)>,
}

impl Lives {
    /// Makes the judgements of changed rules on facts and timers again.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(super) fn rejudge(&mut self, change: &RuleChange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        if !change.reads_facts() {
            return Ok(());
        }
        let bills: Vec<Dense> = (0..self.bills.len() as Dense).collect();
        let moved: HashSet<Dense> =
            self.singles.numbers().flat_map(|dense| self.singles.get(dense).joined()).copied().collect();
        let singles: Vec<Dense> = self.singles.numbers().filter(|dense| !moved.contains(dense)).collect();
        for some in bills.chunks(AT_ONCE).chain(singles.chunks(AT_ONCE)) {
            for (dense, past) in self.pasts(&some.iter().copied().collect())? {
                if past.iter().any(|past| change.reads(past.fact.behaviour)) {
                    self.rejudge_life(dense, past.into_iter().map(|past| past.fact).collect(), change, sink)?;
                    change.lives_read.set(change.lives_read.get() + 1);
                }
            }
        }
        Ok(())
    }

    fn rejudge_life(
        &mut self,
        dense: Dense,
        records: Vec<Fact>,
        change: &RuleChange,
        sink: &mut Sink<'_>,
    ) -> Result<(), StoreError> {
        let Rejudged { output, timers, due, skipped } = self.judged_again(dense, records, change);
        for (fact, rules) in &skipped {
            self.valuer.tally_mut().skip(fact, rules);
        }
        for (hit, weight) in output.hits {
            sink.hit(AlertRow { hit, weight });
        }
        for delta in output.deltas {
            self.valuer.ship_delta(delta, sink);
        }
        let of_bill = change.of_kind(RuleKind::Timer).next().is_some();
        let of_all = change.of_kind(RuleKind::Orphan).next().is_some();
        if dense & SINGLE != 0 && of_all {
            self.settle_single(dense, due, sink);
            self.dirty.mark(dense);
        } else if dense & SINGLE == 0 && (of_bill || of_all) {
            let life = self.bills.wake(dense)?;
            life.timers = timers;
            settle_due(&mut life.due, due, dense, self.clock, &mut self.timers, sink);
            self.dirty.mark(dense);
        }
        Ok(())
    }

    fn judged_again(&self, dense: Dense, records: Vec<Fact>, change: &RuleChange) -> Rejudged {
        let (before, now) = (&change.before, &change.now);
        let is_bill = dense & SINGLE == 0;
        // As when the life was folded: of a bill, only corrections can wait.
        let can_wait = |record: &&Fact| !is_bill || record.correction.is_some();
        let may_wait: Vec<Fact> = records.iter().filter(can_wait).cloned().collect();
        let effective = effective_at(self.home_of(dense), records);
        let registry = now.registry(&self.reference);
        let is_timed = is_bill
            && change.changed.iter().any(|rule| matches!(now.patterns.kind(*rule), RuleKind::Timer | RuleKind::Orphan));
        let (mut bill, mut timers, mut output) = (Bill::default(), BillTimers::default(), Output::default());
        let mut skipped = Vec::new();
        for fact in &effective.facts {
            let outcome = if is_bill { bill.apply(fact, &now.laws) } else { without_bill() };
            if !is_timed && !change.reads(fact.behaviour) {
                continue;
            }
            let after = is_bill.then_some(&bill);
            let observation = Observation::new(fact, &outcome, after, &self.reference, &now.meanings);
            let has_variants = effective.variants.iter().any(|variant| variant.event_id == fact.event_id);
            let seen = Seen { observation: &observation, has_variants };
            for rule in change.of_kind(RuleKind::Facts) {
                before.patterns.observe_rule(rule, &seen, &registry, -1, &mut output);
                now.patterns.observe_rule(rule, &seen, &registry, 1, &mut output);
            }
            if !output.skipped.is_empty() {
                skipped.push((fact.clone(), std::mem::take(&mut output.skipped)));
            }
            before.patterns.observe_features(&change.features, &seen, &registry, -1, &mut output);
            now.patterns.observe_features(&change.features, &seen, &registry, 1, &mut output);
            if is_timed {
                now.patterns.time(&seen, &registry, &mut timers);
            }
        }
        let mut due = now.patterns.due(&timers);
        due.extend(self.valuer.waiting(&may_wait, &effective));
        Rejudged { output, timers, due, skipped }
    }
}
