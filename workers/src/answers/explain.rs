//! Evidence of an alert: what gives it again in an empty engine.
//!
//! Every worker finds the lives of its own that make the alert hit, or that feed the windows which the rule read, and gives
//! all their records as accepted; with them the reference data of every party that they name. The owner of a rule that
//! compares peers states the peers' cells. A worker cannot see the windows of others, so for rules on cycles it gives every
//! edge at the two corners and every edge into the first: more than the rule needs, never less. In the same way, where an
//! alert names only the first part of the key that was judged, it gives what feeds any key of that party.

use std::ops::ControlFlow;

use billwatch_market::{
    bill::Bill,
    corrections::{effective, effective_at},
    evaluator::without_bill,
    fact::Fact,
    fact_scope::Home,
    ids::{BillId, Day, PartyId},
    observe::Observation,
    pattern::{
        AlertKey, BillTimers, BucketWidth, FeatureIndex, Key, Output, PatternIndex, Patterns, PlainWindows, Seen,
        Windows as _,
        evidence::{CellRange, Subject, parties_of, reference_read},
    },
};
use billwatch_proto::v1;
use hashbrown::HashSet;

use super::{baseline, bill::row, budget::Budget, features, invalid};
use crate::{dataflow::lives::Dense, limits::EXPLAIN_FACTS_MAX, shard::Shard};

/// What is looked for.
struct Wanted<'a> {
    pattern: PatternIndex,
    key: &'a str,
    date: Day,
    /// The key, when it names parties.
    parties: Option<Key>,
    /// Where it was judged, when another worker has said so.
    judged: Vec<Key>,
    cells: Vec<CellRange>,
    /// Every key with the same first part counts as named.
    any_second: bool,
    /// Every key does: the alert names the market, or a member.
    any_key: bool,
    /// For rules on cycles: the feature of edges and the corner into which they lead.
    edges_into: Option<(FeatureIndex, u64)>,
}

/// The evidence that this worker has.
pub fn explain(shard: &Shard, question: &v1::ExplainQuestion) -> anyhow::Result<v1::ExplainAlertResponse> {
    let alert = question.alert.as_ref().ok_or_else(|| invalid("alert: name the alert".into()))?;
    let rules = shard.rules();
    let patterns = &rules.patterns;
    let pattern =
        patterns.find(&alert.pattern).ok_or_else(|| invalid(format!("pattern: {} is not live", alert.pattern)))?;
    let any_key = patterns.key_is_elsewhere(pattern);
    let named = features::keys(&alert.key).filter(|_| patterns.subject(pattern) == Subject::Parties).map(|key| {
        // The member stands in the alert, not in the key that was judged.
        if patterns.key_is_first_of_pair(pattern) { Key(key.0, 0) } else { key }
    });
    let mut wanted = Wanted {
        pattern,
        key: &alert.key,
        date: Day(alert.biz_day),
        // The code of a source names no party; every key counts then.
        parties: named.or(any_key.then_some(Key(0, 0))),
        judged: question.judged_keys.iter().filter_map(|key| features::keys(key)).collect(),
        cells: Vec::new(),
        any_second: patterns.key_is_wider(pattern),
        any_key,
        edges_into: None,
    };
    let mut answer = v1::ExplainAlertResponse::default();
    let (places, mut owner) = places(shard, &wanted);
    if let Some(cells) = patterns.ring_need(pattern, &alert.key, wanted.date) {
        owner = shard.windows.borrow().owns(pattern);
        wanted.cells = cells;
    }
    if patterns.subject(pattern) == Subject::Event {
        answer.judged_keys = places.iter().map(|(key, _)| features::key_text(*key)).collect();
        answer.judged_keys.dedup();
    }
    add_cells(shard, &mut wanted, &places);
    if owner {
        answer.baseline = baseline::stated(shard, pattern, &wanted.cells, &places);
        let parameters = patterns.parameters(pattern).map(|(name, value)| format!("{name}={value}"));
        answer.parameters = parameters.collect::<Vec<_>>().join("; ");
    }
    if patterns.rests_on_counts(pattern) {
        return Ok(answer);
    }
    let mut facts = lives(shard, &wanted)?;
    let mut parties: HashSet<PartyId> = facts.iter().flat_map(parties_of).collect();
    parties.extend(wanted.cells.iter().flat_map(|range| [range.key.first_party(), range.key.second_party()]));
    if owner {
        let named = |line: &v1::BaselineValue| features::keys(&line.key).map(Key::first_party);
        parties.extend(answer.baseline.iter().filter_map(named));
    }
    let kin = patterns.kin(pattern, shard.lives.borrow().reference(), &facts, parties.iter().copied());
    parties.extend(kin);
    if !facts.is_empty() || owner {
        let read = reference(shard, &facts, &parties);
        facts.extend(read);
    }
    facts.sort_by(billwatch_market::fact::by_order);
    facts.dedup();
    if facts.len() > EXPLAIN_FACTS_MAX {
        // What came behind the alert's date is the least of it: the register of everybody who is named goes on for years.
        let end = wanted.date.end_ms();
        facts.sort_by_key(|fact| fact.event_time >= end);
        facts.truncate(EXPLAIN_FACTS_MAX);
        facts.sort_by(billwatch_market::fact::by_order);
    }
    answer.facts = facts.iter().map(row).collect();
    Ok(answer)
}

/// Where a rule on windows was judged: (key, bucket). Known to every worker from the key's text, except for alerts about a
/// single message, which only the owner of the window finds: the question is then asked again with what it found. True when
/// this worker judges it.
fn places(shard: &Shard, wanted: &Wanted<'_>) -> (Vec<(Key, i64)>, bool) {
    let rules = shard.rules();
    let patterns = &rules.patterns;
    let windows = shard.windows.borrow();
    let triggers = patterns.triggers(wanted.pattern);
    let Some(width) = triggers.first().map(|feature| patterns.width(*feature)) else { return (Vec::new(), false) };
    let buckets = match width {
        BucketWidth::Day => i64::from(wanted.date.0)..=i64::from(wanted.date.0),
        BucketWidth::Millis(ms) => wanted.date.start_ms().div_euclid(ms)..=(wanted.date.end_ms() - 1).div_euclid(ms),
    };
    let store = windows.windows_of(wanted.pattern);
    if patterns.rests_on_counts(wanted.pattern) {
        // Only who judges it knows the numbers, and where they hit.
        let days = (*buckets.start(), *buckets.end());
        let hit = windows.first_group_hit(wanted.pattern, days, |key| key.to_string() == wanted.key);
        let place = |(key, bucket): (AlertKey, i64)| match key {
            AlertKey::Source(source) => Some((Key(u64::from(source.rank()) + 1, 0), bucket)),
            AlertKey::Party(party) => Some((Key(party.bits(), 0), bucket)),
            _ => None,
        };
        let places: Vec<_> = hit.and_then(place).into_iter().collect();
        let owner = !places.is_empty();
        return (places, owner);
    }
    let has =
        |key: Key| !patterns.judged_buckets(wanted.pattern, key, *buckets.start(), *buckets.end(), store).is_empty();
    let judged_here =
        |key: Key| if patterns.compares(wanted.pattern) { windows.owns(wanted.pattern) } else { has(key) };
    if let Some(key) = wanted.parties {
        if wanted.any_second || wanted.any_key {
            let mut places = vec![(key, *buckets.start()), (key, *buckets.end())];
            let mut owner = patterns.compares(wanted.pattern) && windows.owns(wanted.pattern);
            for feature in triggers {
                store.keys(*feature, &mut |pair| {
                    if (wanted.any_key || pair.0 == key.0) && has(pair) {
                        owner |= !patterns.compares(wanted.pattern);
                        places.push((pair, *buckets.end()));
                    }
                });
            }
            places.dedup();
            return (places, owner);
        }
        let owner = judged_here(key);
        // First and last bucket of the day say enough: what lies between reads what lies between.
        let mut places = vec![(key, *buckets.start()), (key, *buckets.end())];
        places.dedup();
        return (places, owner);
    }
    let mut places = Vec::new();
    if !wanted.judged.is_empty() {
        for key in &wanted.judged {
            places.extend([(*key, *buckets.start()), (*key, *buckets.end())]);
        }
        return (places, wanted.judged.iter().any(|key| judged_here(*key)));
    }
    if let Ok(event) = wanted.key.parse::<u128>() {
        for feature in triggers {
            store.keys(*feature, &mut |key| {
                store.cells(*feature, key, *buckets.start(), *buckets.end(), &mut |bucket, member, _| {
                    if member == event {
                        places.push((key, bucket));
                    }
                });
            });
        }
    }
    let owner = !places.is_empty();
    (places, owner)
}

fn add_cells(shard: &Shard, wanted: &mut Wanted<'_>, places: &[(Key, i64)]) {
    let rules = shard.rules();
    let patterns = &rules.patterns;
    let lives = shard.lives.borrow();
    let registry = rules.registry(lives.reference());
    let nothing = PlainWindows::default();
    for place in places {
        // Without windows a need names the ranges of the key itself.
        let need = patterns.evidence_need(wanted.pattern, *place, &nothing, &registry);
        if patterns.compares(wanted.pattern) && !patterns.is_group(wanted.pattern) {
            let corner = need.cells.iter().find(|range| range.key == Key(place.0.1, 0));
            wanted.edges_into = corner.map(|range| (range.feature, place.0.0));
        }
        wanted.cells.extend(need.cells);
    }
    wanted.cells.sort_unstable();
    wanted.cells.dedup_by(|next, kept| {
        let same = (next.feature, next.key) == (kept.feature, kept.key);
        if same {
            (kept.from, kept.to) = (kept.from.min(next.from), kept.to.max(next.to));
        }
        same
    });
}

/// Records of the lives that hit or feed.
fn lives(shard: &Shard, wanted: &Wanted<'_>) -> anyhow::Result<Vec<Fact>> {
    let lives = shard.lives.borrow();
    let mut candidates: Option<Vec<Dense>> = None;
    if shard.rules().patterns.ring_need(wanted.pattern, wanted.key, wanted.date).is_some() {
        let mut of_ring: Vec<Dense> = wanted.cells.iter().flat_map(|range| lives.readers_of(range.key.0)).collect();
        of_ring.sort_unstable();
        of_ring.dedup();
        candidates = Some(of_ring);
    } else if let Some(key) = wanted.parties {
        // A fact hits or feeds under a party only when it names the party; groups and the market are named by nobody.
        let is_unnamed = |bits: u64| bits >> 60 == PartyId::group(0).bits() >> 60 || bits == PartyId::MARKET.bits();
        if !wanted.any_key && !is_unnamed(key.0) && !is_unnamed(key.1) && wanted.edges_into.is_none() {
            candidates = Some(lives.readers_of(key.0).collect());
        }
    } else if shard.rules().patterns.subject(wanted.pattern) == Subject::Bill {
        let bill = BillId::parse(wanted.key).and_then(|bill| lives.find_bill(bill));
        candidates = Some(bill.into_iter().collect());
    }
    let mut facts = Vec::new();
    let budget = Budget::new(shard.common.question_facts_max);
    let mut take = |home: Home, records: Vec<Fact>| {
        budget.take(records.len())?;
        if is_evidence(shard, wanted, home, &records) {
            facts.extend(records);
        }
        ControlFlow::Continue(())
    };
    match candidates {
        Some(candidates) => {
            for some in candidates.chunks(1_024) {
                if lives.families(some.iter().copied(), &mut take)?.is_break() {
                    break;
                }
            }
        }
        None => lives.each_family(&mut take)?,
    }
    budget
        .check("this explanation", "look at the bill of the alert's fact or deal, or at the features of its party")?;
    Ok(facts)
}

fn is_evidence(shard: &Shard, wanted: &Wanted<'_>, home: Home, records: &[Fact]) -> bool {
    let rules = shard.rules();
    let patterns: &Patterns = &rules.patterns;
    let lives = shard.lives.borrow();
    let registry = rules.registry(lives.reference());
    let is_it = |pattern: PatternIndex, key: &AlertKey, date: Day| {
        pattern == wanted.pattern && date == wanted.date && key.to_string() == wanted.key
    };
    let effective = effective_at(home, records.to_vec());
    let (mut bill, mut timers, mut output) = (Bill::default(), BillTimers::default(), Output::default());
    for fact in &effective.facts {
        let outcome = if home.bill().is_some() { bill.apply(fact, &rules.laws) } else { without_bill() };
        let after = home.bill().is_some().then_some(&bill);
        let observation = Observation::new(fact, &outcome, after, lives.reference(), &rules.meanings);
        let has_variants = effective.variants.iter().any(|variant| variant.event_id == fact.event_id);
        let seen = Seen { observation: &observation, has_variants };
        patterns.observe(&seen, &registry, 1, &mut output);
        if home.bill().is_some() {
            patterns.time(&seen, &registry, &mut timers);
        }
    }
    effective.books.iter().for_each(|record| patterns.observe_book(record, &registry, 1, &mut output));
    let waits = |record: &&Fact| effective.waiting.contains(&record.event_id) && !effective.is_variant(record);
    let waiting = records.iter().filter(waits);
    let due = waiting.filter_map(|record| patterns.orphan_correction(record)).chain(patterns.due(&timers));
    let feeds = |delta: &billwatch_market::pattern::FeatureDelta| {
        let in_range = |range: &CellRange| {
            let is_named =
                wanted.any_key || range.key == delta.key || (wanted.any_second && range.key.0 == delta.key.0);
            range.feature == delta.feature && is_named && (range.from..=range.to).contains(&delta.bucket)
        };
        let closes =
            |(feature, corner): (FeatureIndex, u64)| delta.feature == feature && delta.member == u128::from(corner);
        wanted.cells.iter().any(in_range) || wanted.edges_into.is_some_and(closes)
    };
    output.hits.iter().any(|(hit, _)| is_it(hit.pattern, &hit.key, hit.date))
        || due.into_iter().any(|(_, hit)| is_it(hit.pattern, &hit.key, hit.date))
        || output.deltas.iter().any(feeds)
}

/// Reference data that these facts and keys are read against.
fn reference(shard: &Shard, facts: &[Fact], parties: &HashSet<PartyId>) -> Vec<Fact> {
    let lives = shard.lives.borrow();
    let records = lives.reference().records().collect();
    reference_read(effective(records).facts, facts, |party| parties.contains(&party))
}
