//! Evidence: what gives an alert again in an empty engine, and nothing to trust beside it.
//!
//! - A rule on one bill rests on all accepted records of the bills that hit.
//! - A rule on windows rests on the bills that feed the cells it read. Cells are linear, so these bills give them whole. What
//!   has no bill (orders, cash) lies on one desk, which is given whole when it feeds one of them.
//! - A rule on how many facts came rests on these numbers, stated as data.
//! - A peer rule rests on the subject's bills, and on the cells of its peers, which are stated as data (the baseline).
//!
//! To each belongs the reference data of every party that these facts and keys name, as effective facts.
//! [`Patterns::evidence_need`] says what a keyed alert needs; the engine collects it from its history as of the alert's epoch.
//! [`explain`] does so plainly; [`replay`] judges an evidence alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AlertKey, AlertSet, FeatureIndex, Key, KeyForm, MarketRegistry, Member, Output, PatternIndex, Patterns,
    PlainWindows, Windows,
    expression::Node,
    judge::peer_keys,
    keyed_of,
    liveness::Tally,
    plain::{self, Setting, Sorted, observe_bill, observe_unbilled, places},
    rules::{BillKey, Scope},
    sight::Registry,
    vocabulary::{Derived, Lookup, Variable},
    windows::Cell,
};
use crate::{
    corrections::{effective, effective_at},
    fact::{EventId, Fact, Field, Value, behaviour},
    fact_scope::{FactScope, Home, scope},
    ids::{Code, Day, InstId, PartyId},
    reference_data::Reference,
};

/// Cells of one key in a span of buckets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CellRange {
    /// Which feature.
    pub feature: FeatureIndex,
    /// Whose.
    pub key: Key,
    /// First bucket; `i64::MIN` for balances.
    pub from: i64,
    /// Last bucket.
    pub to: i64,
}

/// What an alert of a keyed or peer rule rests on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct EvidenceNeed {
    /// All accepted records of the bills that feed these cells.
    pub cells: Vec<CellRange>,
    /// Content of these cells, stated as data; and the reference data of their keys.
    pub baseline: Vec<CellRange>,
}

/// An alert's evidence.
#[derive(Clone, PartialEq, Debug)]
pub struct Evidence {
    /// Records of bills as accepted, reference data as effective facts.
    pub facts: Vec<Fact>,
    /// What the subject was compared with.
    pub baseline: Vec<(CellRange, Member, Cell)>,
    /// Market clock at which it was judged, ms.
    pub clock: i64,
}

/// What the alerts of a rule are about. A text alone does not say: an event id may look like a bill or a branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// One party, one branch, or two parties.
    Parties,
    /// A bill.
    Bill,
    /// A fact.
    Event,
    /// A deal, or a fact where there is none.
    Deal,
}

impl Patterns {
    /// What the alerts of a rule are about.
    pub fn subject(&self, pattern: PatternIndex) -> Subject {
        let of_bill_key = |key: &BillKey| match key {
            BillKey::Bill => Subject::Bill,
            BillKey::Event => Subject::Event,
            BillKey::Deal => Subject::Deal,
            BillKey::Party(_) | BillKey::Pair(..) => Subject::Parties,
        };
        let rule = self.rule(pattern);
        match (&rule.scope, keyed_of(rule)) {
            (Scope::Bill(bill), _) => of_bill_key(&bill.key),
            (Scope::Timer(timer), _) => of_bill_key(&timer.key),
            (_, Some(keyed)) if keyed.key != KeyForm::Events => Subject::Parties,
            _ => Subject::Event,
        }
    }

    /// True when an alert of the rule does not name the key that was judged: the market, a source, or a member.
    pub fn key_is_elsewhere(&self, pattern: PatternIndex) -> bool {
        let forms = |keyed: &super::rules::KeyedRule| {
            matches!(keyed.key, KeyForm::Market | KeyForm::Source | KeyForm::Member | KeyForm::Edge)
        };
        keyed_of(self.rule(pattern)).is_some_and(forms)
    }

    /// True when the rule is judged for a party and its alert names that party first, and a member second.
    pub fn key_is_first_of_pair(&self, pattern: PatternIndex) -> bool {
        keyed_of(self.rule(pattern)).is_some_and(|keyed| keyed.key == KeyForm::PartyAndMember)
    }

    /// Parties whose reference data a rule reads beside that of the named ones: who shares an address or representative with
    /// one of them (`sharing`), whose names are protected (`lookalike_province`), whose branches keep the accounts that
    /// `facts` name (`acceptor_bank_province`), and to whom the branches belong that stand as keys (`head_office`).
    pub fn kin(
        &self,
        pattern: PatternIndex,
        reference: &Reference,
        facts: &[Fact],
        named: impl IntoIterator<Item = PartyId>,
    ) -> BTreeSet<PartyId> {
        let rule = self.rule(pattern);
        let (mut shares, mut compares, mut banks, mut owners) = (false, false, false, false);
        let mut read = |node: &Node| {
            node.walk(&mut |node| {
                shares |= matches!(node, Node::Lookup(Lookup::Sharing, _));
                compares |= matches!(node, Node::Lookup(Lookup::LookalikeProvince, _));
                owners |= matches!(node, Node::Lookup(Lookup::HeadOffice, _));
                banks |= matches!(node, Node::Variable(Variable::Derived(Derived::AcceptorBankProvince)));
            });
        };
        rule.judged_by().for_each(&mut read);
        if let Scope::Peer(peer) = &rule.scope {
            peer.group.iter().for_each(&mut read);
        }
        let windows = keyed_of(rule).map_or(&[][..], |keyed| &keyed.windows);
        let features = windows.iter().map(|window| &self.compiled.features[usize::from(window.feature.0)]);
        features.flat_map(|feature| &feature.emits).filter_map(|emit| emit.condition.as_ref()).for_each(&mut read);
        let mut kin = BTreeSet::new();
        if banks {
            let branches = facts.iter().flat_map(|fact| fact.fields.iter().map(move |(_, value)| (fact, value)));
            kin.extend(branches.filter_map(|(fact, value)| match value {
                Value::Inst(branch) => reference.institution(None, Some(*branch), fact.event_time).map(|it| it.legal),
                _ => None,
            }));
        }
        let named: Vec<PartyId> = named.into_iter().collect();
        if owners {
            // A branch as a key is its number alone.
            let branches = named.iter().filter_map(|party| u32::try_from(party.bits()).ok());
            kin.extend(branches.flat_map(|branch| reference.legals_of(InstId(branch))));
        }
        if shares {
            named.iter().for_each(|party| kin.extend(reference.sharers(*party)));
        }
        if compares {
            kin.extend(reference.protected());
        }
        kin
    }

    /// True when the rule is judged for pairs (a party, something else) and its alert names the party alone: P021, P165.
    pub fn key_is_wider(&self, pattern: PatternIndex) -> bool {
        let is_pair = |feature: &FeatureIndex| {
            let emits = &self.compiled.features[usize::from(feature.0)].emits;
            emits.iter().any(|emit| emit.key.len() > 1)
        };
        keyed_of(self.rule(pattern))
            .is_some_and(|keyed| keyed.key == KeyForm::Party && keyed.trigger.iter().any(is_pair))
    }

    /// True when a rule rests on numbers of facts alone, some of many days ago: its evidence states them, for the facts behind
    /// them say nothing more and may be millions.
    pub fn rests_on_counts(&self, pattern: PatternIndex) -> bool {
        let counted = |reader: &super::Reader| reader.pattern == pattern && reader.group && reader.days > 0;
        self.triggers(pattern).iter().any(|feature| self.readers(*feature).iter().any(counted))
    }

    /// What an alert about the parties of a ring rests on: all their edges. `None` for other rules.
    pub fn ring_need(&self, pattern: PatternIndex, key: &str, date: Day) -> Option<Vec<CellRange>> {
        let keyed = keyed_of(self.rule(pattern)).filter(|keyed| keyed.key == KeyForm::Ring)?;
        let spec = &keyed.windows[keyed.rings?.window];
        let to = keyed.width.bucket(date, date.start_ms());
        let from = spec.length.map_or(i64::MIN, |length| to - spec.before - (length - 1));
        let party = |party: &str| {
            Some(CellRange { feature: spec.feature, key: Key(PartyId::parse(party)?.bits(), 0), from, to })
        };
        key.split(',').map(party).collect()
    }

    /// What the judgement of a keyed or peer rule at (key, bucket) rests on.
    pub fn evidence_need(
        &self,
        pattern: PatternIndex,
        place: (Key, i64),
        windows: &impl Windows,
        registry: &impl Registry,
    ) -> EvidenceNeed {
        let rule = self.rule(pattern);
        let Some(keyed) = keyed_of(rule) else { return EvidenceNeed::default() };
        let (key, bucket) = place;
        // A window of jumps reads back as far as a change would reach forward.
        let conditions: Vec<_> = rule.judged_by().collect();
        let range = |feature: FeatureIndex, key: Key| {
            let reach = keyed.reach(feature, &conditions);
            CellRange { feature, key, from: reach.map_or(i64::MIN, |reach| bucket.saturating_sub(reach)), to: bucket }
        };
        let mut features: Vec<FeatureIndex> = keyed.windows.iter().map(|window| window.feature).collect();
        features.extend(&keyed.trigger);
        features.sort_unstable();
        features.dedup();
        let mut need = EvidenceNeed::default();
        if self.rests_on_counts(pattern) {
            need.baseline = counts_read(rule, keyed, &features, place, windows);
            return need;
        }
        if keyed.collective {
            let edges = keyed.windows[0].feature;
            need.cells.extend(keyed.trigger.iter().map(|feature| range(*feature, key)));
            let mut corners = vec![key.0, key.1];
            let out = |corner: u64| {
                let span = range(edges, Key(corner, 0));
                windows.members(edges, span.key, span.from, span.to)
            };
            for (third, _) in out(key.1) {
                let Ok(third) = u64::try_from(third) else { continue };
                if out(third).iter().any(|(member, _)| *member == Member::from(key.0)) {
                    corners.push(third);
                }
            }
            need.cells.extend(corners.into_iter().map(|corner| range(edges, Key(corner, 0))));
            return need;
        }
        need.cells = features.iter().map(|feature| range(*feature, key)).collect();
        if let Scope::Peer(peer) = &rule.scope {
            let peers = peer_keys(rule, peer, place, windows, registry);
            need.baseline = peers
                .into_iter()
                .flat_map(|peer| features.iter().map(move |f| (*f, peer)))
                .map(|(f, peer)| range(f, peer))
                .collect();
        }
        need
    }
}

/// The cells of a rule that rests on counts: what it reads of the key, on the judged day and the days before, and what made
/// it due, whoever sent that.
fn counts_read(
    rule: &super::rules::Rule,
    keyed: &super::rules::KeyedRule,
    features: &[FeatureIndex],
    (key, bucket): (Key, i64),
    windows: &impl Windows,
) -> Vec<CellRange> {
    let conditions: Vec<_> = rule.judged_by().collect();
    let mut ranges = Vec::new();
    for feature in features.iter().copied() {
        let lag = keyed.reach(feature, &conditions).unwrap_or(0);
        for day in 0..=keyed.repeats(feature, &conditions) {
            let to = bucket - day * keyed.width.per_day();
            ranges.push(CellRange { feature, key, from: to - lag, to });
        }
        windows.keys(feature, &mut |other| {
            if other != key {
                ranges.push(CellRange { feature, key: other, from: bucket, to: bucket });
            }
        });
    }
    ranges
}

/// The evidence of an alert among all records; `None` when there is no such alert at the clock.
pub fn explain(
    records: &[Fact],
    setting: Setting<'_>,
    clock: i64,
    alert: (PatternIndex, &AlertKey, Day),
) -> Option<Evidence> {
    let evaluation = plain::evaluate(records, setting, clock, &PlainWindows::default());
    evaluation.alerts.get(alert.0, alert.1, alert.2)?;
    let registry = MarketRegistry { reference: &evaluation.reference, meanings: setting.meanings };
    let sorted = plain::sort(records);
    let need = keyed_need(setting.patterns, clock, alert, &evaluation.windows, &registry);
    let mut evidence = Evidence { facts: Vec::new(), baseline: Vec::new(), clock };
    // What is read here is no input of the rules.
    let mut uncounted = Tally::new(0);
    for (bill, records) in &sorted.bills {
        let facts = effective_at(Home::Bill(*bill), records.clone());
        let (output, timers) = observe_bill(&facts, setting, &registry, &mut uncounted);
        let hits = output.hits.iter().map(|(hit, _)| hit);
        let mut due: Vec<_> = setting.patterns.due(&timers).into_iter().map(|(_, hit)| hit).collect();
        let waits = |record: &&Fact| facts.waiting.contains(&record.event_id) && !facts.is_variant(record);
        let waiting = records.iter().filter(waits);
        due.extend(waiting.filter_map(|record| setting.patterns.orphan_correction(record)).map(|(_, hit)| hit));
        let is_hit = hits.chain(&due).any(|hit| (hit.pattern, &hit.key, hit.date) == alert);
        if is_hit || feeds(&output, &need) {
            evidence.facts.extend(records.iter().cloned());
        }
    }
    let others = effective_at(Home::Desk, sorted.others.clone());
    let desk = observe_unbilled(&others, setting, &registry, &mut uncounted);
    if feeds(&desk, &need) {
        evidence.facts.extend(sorted.others.iter().cloned());
    }
    for range in &need.baseline {
        evaluation.windows.cells(range.feature, range.key, range.from, range.to, &mut |bucket, member, cell| {
            evidence.baseline.push((CellRange { from: bucket, to: bucket, ..*range }, member, cell));
        });
    }
    add_reference(&mut evidence, &sorted, &need, alert, (setting.patterns, &evaluation.reference));
    Some(evidence)
}

/// Judges an evidence alone.
pub fn replay(evidence: &Evidence, setting: Setting<'_>) -> AlertSet {
    let mut baseline = PlainWindows::default();
    for (range, member, cell) in &evidence.baseline {
        baseline.set(range.feature, range.key, range.from, *member, *cell);
    }
    plain::evaluate(&evidence.facts, setting, evidence.clock, &baseline).alerts
}

/// The needs of all places at which the alert was judged.
fn keyed_need(
    patterns: &Patterns,
    clock: i64,
    alert: (PatternIndex, &AlertKey, Day),
    windows: &PlainWindows,
    registry: &MarketRegistry<'_>,
) -> EvidenceNeed {
    let mut need = EvidenceNeed::default();
    let (pattern, key, date) = alert;
    let Some(keyed) = keyed_of(patterns.rule(pattern)) else { return need };
    if let Some(cells) = patterns.ring_need(pattern, &key.to_string(), date) {
        return EvidenceNeed { cells, ..need };
    }
    for place in places(pattern, patterns, windows, clock) {
        let (of, bucket) = place;
        if let (true, AlertKey::Source(source)) = (patterns.rests_on_counts(pattern), key) {
            // Whatever comes makes everybody due.
            if keyed.width.date(bucket) == date {
                let place = (Key(u64::from(source.rank()) + 1, 0), bucket);
                need.baseline.extend(patterns.evidence_need(pattern, place, windows, registry).baseline);
            }
            continue;
        }
        let is_place = keyed.width.date(bucket) == date
            && match (keyed.key, key) {
                (KeyForm::Party, AlertKey::Party(party)) => of.first_party() == *party,
                (KeyForm::Pair, AlertKey::Pair(left, right)) => {
                    (of.first_party(), of.second_party()) == (*left, *right)
                }
                (KeyForm::Branch, AlertKey::Branch(branch)) => of.0 == u64::from(branch.0),
                (KeyForm::Events, AlertKey::Event(event)) => {
                    let members = windows.members(keyed.trigger[0], of, bucket, bucket);
                    members.iter().any(|(member, _)| member == event)
                }
                (KeyForm::Market | KeyForm::Source | KeyForm::Member | KeyForm::Edge, _) => true,
                (KeyForm::PartyAndMember, AlertKey::Pair(party, _)) => of.first_party() == *party,
                _ => false,
            };
        if is_place {
            let one = patterns.evidence_need(pattern, place, windows, registry);
            need.cells.extend(one.cells);
            need.baseline.extend(one.baseline);
        }
    }
    need.baseline.retain(|range| !need.cells.contains(range));
    need.baseline.sort_unstable();
    need.baseline.dedup();
    need
}

fn feeds(output: &Output, need: &EvidenceNeed) -> bool {
    output.deltas.iter().any(|delta| {
        need.cells.iter().any(|range| {
            (range.feature, range.key) == (delta.feature, delta.key) && (range.from..=range.to).contains(&delta.bucket)
        })
    })
}

/// Adds reference facts of every party that is named, the curve points in force, and reference messages that hit themselves.
fn add_reference(
    evidence: &mut Evidence,
    sorted: &Sorted,
    need: &EvidenceNeed,
    alert: (PatternIndex, &AlertKey, Day),
    (patterns, registered): (&Patterns, &Reference),
) {
    let mut parties: BTreeSet<PartyId> = BTreeSet::new();
    for fact in &evidence.facts {
        parties.extend(parties_of(fact));
    }
    for range in need.cells.iter().chain(&need.baseline) {
        parties.extend([range.key.first_party(), range.key.second_party()]);
    }
    match alert.1 {
        AlertKey::Party(party) => parties.extend([*party]),
        AlertKey::Pair(left, right) => parties.extend([*left, *right]),
        AlertKey::Parties(of_ring) => parties.extend(of_ring.iter().copied()),
        _ => {}
    }
    let kin = patterns.kin(alert.0, registered, &evidence.facts, parties.iter().copied());
    parties.extend(kin);
    let message: Option<EventId> = match alert.1 {
        AlertKey::Event(event) => Some(*event),
        _ => None,
    };
    let reference = effective(sorted.reference.clone()).facts;
    let read = reference_read(reference, &evidence.facts, |party| parties.contains(&party));
    evidence.facts.extend(read);
    // A message without bill that is itself the alert: with its variants, as accepted.
    for record in sorted.reference.iter().chain(&sorted.others) {
        if Some(record.event_id) == message && !matches!(scope(record), FactScope::BillAndReference(_)) {
            evidence.facts.retain(|fact| fact.event_id != record.event_id || fact == record);
            evidence.facts.push(record.clone());
        }
    }
    evidence.facts.sort_by(crate::fact::by_order);
    evidence.facts.dedup();
}

/// A point of a curve: class and tenor.
type CurvePoint = (Option<Code>, Option<Code>);

/// Of the effective reference facts, in order, those that `facts` of bills are read against: what is about a named party,
/// the curve points in force at each fact with a rate, and lists by credit code alone. The trade background of a bill
/// comes with the bill.
pub fn reference_read(reference: Vec<Fact>, facts: &[Fact], is_named: impl Fn(PartyId) -> bool) -> Vec<Fact> {
    let is_priced = |fact: &&Fact| fact.bill_id.is_some() && fact.int(Field::RateE4).is_some();
    let priced_at: BTreeSet<i64> = facts.iter().filter(is_priced).map(|fact| fact.event_time).collect();
    // Deposit and benchmark rates are also read when a day or month ends.
    let ends = |instant: &i64| {
        let day = Day::of_time(*instant);
        [*instant, day.end_ms() - 1, day.month_start().add_months(1).start_ms() - 1]
    };
    let rated_at: BTreeSet<i64> = priced_at.iter().flat_map(ends).collect();
    let mut curves: BTreeMap<CurvePoint, Vec<(i64, Fact)>> = BTreeMap::new();
    let mut rates: BTreeMap<CurvePoint, Vec<(i64, Fact)>> = BTreeMap::new();
    let mut read = Vec::new();
    for fact in reference {
        if matches!(scope(&fact), FactScope::BillAndReference(_)) {
            continue;
        }
        if fact.behaviour == behaviour::REF_CRV {
            let from = fact.int(Field::EffectiveTime).unwrap_or(fact.event_time);
            curves.entry((fact.code(Field::BillClass), fact.code(Field::CurveTenor))).or_default().push((from, fact));
            continue;
        }
        if fact.behaviour == behaviour::REF_DEP {
            let from = fact.int(Field::EffectiveTime).unwrap_or(fact.event_time);
            rates.entry((fact.code(Field::RateKind), fact.code(Field::CurveTenor))).or_default().push((from, fact));
            continue;
        }
        let by_code_alone = fact.behaviour == behaviour::MST_BLK && fact.party(Field::EntId).is_none();
        if by_code_alone || subjects_of(&fact).any(&is_named) {
            read.push(fact);
        }
    }
    let dated = curves.into_values().map(|points| (points, &priced_at));
    for (mut points, read_at) in dated.chain(rates.into_values().map(|points| (points, &rated_at))) {
        // Stable: of points from one instant on, the later in order is in force.
        points.sort_by_key(|(from, _)| *from);
        let mut used: BTreeSet<usize> = BTreeSet::new();
        for instant in read_at {
            let after = points.partition_point(|(from, _)| from <= instant);
            used.extend(after.checked_sub(1));
        }
        read.extend(used.into_iter().map(|at| points[at].1.clone()));
    }
    read
}

/// Whom a reference fact is about. The bank that registers an enterprise or keeps its account is not.
fn subjects_of(fact: &Fact) -> impl Iterator<Item = PartyId> {
    let enterprise = fact.party(Field::EntId);
    let others = if enterprise.is_none() { Some(parties_of(fact)) } else { None };
    enterprise.into_iter().chain(fact.party(Field::RelatedId)).chain(others.into_iter().flatten())
}

/// The parties that a fact names.
pub fn parties_of(fact: &Fact) -> impl Iterator<Item = PartyId> {
    fact.fields.iter().filter_map(|(_, value)| match value {
        Value::Party(party) if *party != PartyId::SYSTEM && *party != PartyId::MARKET => Some(*party),
        _ => None,
    })
}
