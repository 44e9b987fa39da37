//! When a keyed rule is judged, and which judgements a changed cell may change.

use smallvec::SmallVec;

use super::{
    alert::{Key, PatternIndex},
    expression::Node,
    keyed_of,
    rules::{Feature, Judged, KeyForm, KeyedRule, Rule, Scope},
    windows::{BucketWidth, FeatureIndex, Windows},
};
use crate::ids::Day;

/// A rule that reads a feature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reader {
    /// The rule.
    pub pattern: PatternIndex,
    /// Judgements from the changed bucket up to this many buckets later may change; `None`: all later ones.
    pub reach: Option<i64>,
    /// The same buckets of so many later days may change as well: the rule asks for the same time of earlier days.
    pub days: i64,
    /// The rule reads other keys: judge again what [`Patterns::neighbours`] names.
    pub collective: bool,
    /// The rule is judged for all keys of a bucket at once: [`Patterns::judge_group`].
    pub group: bool,
}

/// The buckets in `from..=to` at which a rule is to be judged for a key, ascending.
pub(super) fn judged_buckets(keyed: &KeyedRule, key: Key, from: i64, to: i64, windows: &impl Windows) -> Vec<i64> {
    let mut buckets = Vec::new();
    for feature in &keyed.trigger {
        match keyed.judged {
            Judged::AtFact => {
                windows.buckets_with_facts(*feature, key, from, to, &mut |bucket| buckets.push(bucket));
            }
            Judged::EndOfDay | Judged::EndOfWeek | Judged::EndOfMonth | Judged::EndOfQuarter => {
                let first = from.saturating_sub(keyed.lateness());
                // Up to here it is known what is due.
                let mut until = i64::MIN;
                let mut take = |bucket: i64| {
                    if bucket > until {
                        until = period(keyed.judged, bucket).1;
                        buckets.extend(Some(until + keyed.delay).filter(|judged| (from..=to).contains(judged)));
                    }
                };
                match keyed.judged {
                    Judged::EndOfDay | Judged::EndOfWeek => {
                        windows.buckets_with_facts(*feature, key, first, to, &mut take);
                    }
                    // Stocks have no facts: any change makes a month or quarter due.
                    _ => windows.cells(*feature, key, first, to, &mut |bucket, _, _| take(bucket)),
                }
            }
            Judged::EachMonth => {
                let first = from.saturating_sub(keyed.lateness());
                let mut until = i64::MIN;
                // A rise of a stock makes months to come due: all whose ends lie up to its horizon, and the next.
                windows.cells(*feature, key, first, to, &mut |bucket, _, cell| {
                    let last = bucket + keyed.horizon();
                    let rises = cell.count != 0 || cell.sum > 0;
                    if last <= until || !rises {
                        return;
                    }
                    let is_known = bucket <= until;
                    let mut end = period(keyed.judged, if is_known { until + 1 } else { bucket }).1;
                    if is_known && end > last {
                        return;
                    }
                    loop {
                        until = end;
                        buckets.extend(Some(end + keyed.delay).filter(|judged| (from..=to).contains(judged)));
                        end = period(keyed.judged, end + 1).1;
                        if end > last {
                            break;
                        }
                    }
                });
            }
            Judged::EachChange => {
                windows.cells(*feature, key, from, to, &mut |bucket, _, _| {
                    if buckets.last() != Some(&bucket) {
                        buckets.push(bucket);
                    }
                });
            }
            Judged::EachDay => {
                // The balance stays between changes; only those within the span are looked at one by one.
                let before = from.checked_sub(1).map(|last| windows.total(*feature, key, i64::MIN, last));
                let (mut since, mut balance) = (from, before.unwrap_or_default().sum);
                let mut stays = |from: i64, to: i64| buckets.extend((from..=to).filter(|day| keyed.may_hold_on(*day)));
                windows.cells(*feature, key, from, to, &mut |bucket, _, cell| {
                    if balance != 0 {
                        stays(since, bucket - 1);
                    }
                    since = bucket;
                    balance += cell.sum;
                });
                if balance != 0 {
                    stays(since, to);
                }
            }
        }
    }
    if buckets.len() > 1 {
        buckets.sort_unstable();
        buckets.dedup();
    }
    buckets
}

/// Rules that read a feature.
pub(super) fn readers(rules: &[Rule], feature: FeatureIndex) -> Vec<Reader> {
    let mut readers = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let Some(keyed) = keyed_of(rule) else { continue };
        let reads = keyed.windows.iter().any(|window| window.feature == feature) || keyed.trigger.contains(&feature);
        if reads {
            let conditions: SmallVec<[&Node; 4]> = rule.judged_by().collect();
            readers.push(Reader {
                pattern: PatternIndex(place as u16),
                reach: keyed.reach(feature, &conditions),
                days: keyed.repeats(feature, &conditions),
                collective: keyed.collective,
                group: matches!(rule.scope, Scope::Peer(_)),
            });
        }
    }
    readers
}

/// By feature: a rule that compares keys tells its members apart ([`super::Patterns::compared_by_member`]).
pub(super) fn compared_by_member(rules: &[Rule], features: &[Feature]) -> Vec<bool> {
    let mut by_member = vec![false; features.len()];
    for rule in rules {
        let mut conditions: SmallVec<[&Node; 8]> = rule.when.iter().chain(&rule.warn).collect();
        let keyed = match &rule.scope {
            Scope::Keyed(keyed) if keyed.collective => keyed,
            Scope::Peer(peer) => {
                conditions.extend(peer.group.iter().chain([&peer.metric, &peer.eligible]));
                &peer.keyed
            }
            _ => continue,
        };
        let mut reads_totals = keyed.each.is_none() && keyed.key != KeyForm::Events;
        for node in conditions {
            node.walk(&mut |node| {
                reads_totals &= !matches!(node, Node::Window(function, ..) if !function.reads_totals());
            });
        }
        // Keys take part, and are judged, where cells lie. A day's changes of a balance may cancel out over members.
        let shown = keyed.trigger.iter().copied().chain(keyed.windows.first().map(|window| window.feature));
        for feature in shown {
            let is_balance = features[usize::from(feature.0)].emits.iter().any(|emit| emit.on.is_empty());
            by_member[usize::from(feature.0)] |= is_balance;
        }
        if !reads_totals {
            for feature in keyed.windows.iter().map(|window| window.feature).chain(keyed.trigger.iter().copied()) {
                by_member[usize::from(feature.0)] = true;
            }
        }
    }
    by_member
}

/// First and last bucket of the period that a bucket lies in: what lies in it is judged at its last.
pub(super) fn period(judged: Judged, bucket: i64) -> (i64, i64) {
    let day = Day(bucket.clamp(i64::from(FIRST_DAY), i64::from(LAST_DAY)) as i32);
    let of = |edge: fn(Day) -> Day| i64::from(edge(day).0);
    match judged {
        Judged::EndOfWeek => (end_of_week(bucket) - 6, end_of_week(bucket)),
        Judged::EndOfMonth | Judged::EachMonth => (of(Day::month_start), of(Day::month_end)),
        Judged::EndOfQuarter => (of(Day::quarter_start), of(Day::quarter_end)),
        _ => (bucket, bucket),
    }
}

/// Days beyond which months are not counted: year 1 and year 9999, as `i32` days; spans may be open.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;

/// Date of the last day of the week (Sunday) in which a day lies, as a bucket.
fn end_of_week(bucket: i64) -> i64 {
    let day = Day(bucket as i32);
    bucket + 6 - i64::from(day.weekday())
}

/// Last instant that must have passed before a bucket is judged, ms; `i64::MIN`: at once.
pub(super) fn ripe_at(keyed: &KeyedRule, bucket: i64) -> i64 {
    match keyed.judged {
        Judged::AtFact => i64::MIN,
        _ => BucketWidth::Day.last_ms(bucket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_end_on_sunday() {
        let monday = Day::parse("2025-10-06").unwrap();
        let sunday = i64::from(Day::parse("2025-10-12").unwrap().0);
        assert_eq!(end_of_week(i64::from(monday.0)), sunday);
        assert_eq!(end_of_week(sunday), sunday);
        let march = |day: &str| i64::from(Day::parse(day).unwrap().0);
        let whole = (march("2025-03-01"), march("2025-03-31"));
        assert_eq!(period(Judged::EndOfMonth, march("2025-03-01")), whole);
        assert_eq!(period(Judged::EndOfMonth, march("2025-03-31")), whole);
        period(Judged::EndOfMonth, i64::MIN);
        period(Judged::EndOfMonth, i64::MAX);
    }
}
