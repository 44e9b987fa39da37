//! When a keyed rule is judged, and which judgements a changed cell may change.

use smallvec::SmallVec;

use super::{
    alert::{Key, PatternIndex},
    expression::Node,
    keyed_of,
    rules::{Judged, KeyedRule, Rule, Scope},
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
            Judged::EndOfDay | Judged::EndOfWeek | Judged::EndOfMonth | Judged::EndOfQuarter | Judged::EachMonth => {
                let first = from.saturating_sub(keyed.lateness());
                let mut take = |bucket: i64| {
                    // The end of the next period is looked for until the last that the fact makes due.
                    let last = if keyed.judged == Judged::EachMonth { bucket + keyed.horizon() } else { bucket };
                    let mut end = period(keyed.judged, bucket).1;
                    loop {
                        let judged = end + keyed.delay;
                        if (from..=to).contains(&judged) {
                            buckets.push(judged);
                        }
                        end = period(keyed.judged, end + 1).1;
                        if end > last {
                            break;
                        }
                    }
                };
                match keyed.judged {
                    Judged::EndOfDay | Judged::EndOfWeek => {
                        windows.buckets_with_facts(*feature, key, first, to, &mut take);
                    }
                    // Stocks have no facts: any change makes a month or quarter due, and a rise makes months to come due.
                    judged => windows.cells(*feature, key, first, to, &mut |bucket, _, cell| {
                        if judged != Judged::EachMonth || cell.count != 0 || cell.sum > 0 {
                            take(bucket);
                        }
                    }),
                }
            }
            Judged::EachChange => {
                windows.cells(*feature, key, from, to, &mut |bucket, _, _| {
                    if buckets.last() != Some(&bucket) {
                        buckets.push(bucket);
                    }
                });
            }
            Judged::EachDay => {
                let mut changes: Vec<(i64, i128)> = Vec::new();
                windows.cells(*feature, key, i64::MIN, to, &mut |bucket, _, cell| changes.push((bucket, cell.sum)));
                let mut balance = 0;
                for (place, (bucket, sum)) in changes.iter().enumerate() {
                    balance += sum;
                    let until = changes.get(place + 1).map_or(to, |(next, _)| next - 1);
                    if balance != 0 {
                        buckets.extend((*bucket).max(from)..=until.min(to));
                    }
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
            let conditions: SmallVec<[&Node; 2]> = rule.when.iter().chain(&rule.warn).collect();
            readers.push(Reader {
                pattern: PatternIndex(place as u16),
                reach: keyed.reach(feature, &conditions),
                collective: keyed.collective,
                group: matches!(rule.scope, Scope::Peer(_)),
            });
        }
    }
    readers
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
