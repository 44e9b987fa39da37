//! What the market clock makes due: judgements that waited for it, and days that ended.
//!
//! A judgement of the end of a day, week, month or quarter waits here until the clock has passed it. Rules that judge each day
//! wait for nothing: when a day has ended, each key that ever had their feature is asked.

use billwatch_market::{
    ids::Day,
    pattern::{FeatureIndex, PatternIndex, Patterns, Registry, Windows as _},
};
use hashbrown::HashMap;

use super::{
    super::{alerts::AlertRow, touched::Span},
    Place, Windows,
};

impl Windows {
    /// Whether the clock has passed what a judgement waits for; if not, the place waits.
    pub(super) fn is_ripe(&mut self, patterns: &Patterns, place: Place, clock: Option<i64>) -> bool {
        let ripe_at = patterns.ripe_at(place.pattern, place.bucket);
        let is_ripe = ripe_at == i64::MIN || clock.is_some_and(|clock| ripe_at <= clock);
        if !is_ripe {
            self.waiting.entry(ripe_at).or_default().insert(place);
        }
        is_ripe
    }

    /// What the clock made due: places that waited for it, and each day that ended since.
    pub(super) fn pass_clock(
        &mut self,
        patterns: &Patterns,
        registry: &impl Registry,
        clock: Option<i64>,
        places: &mut HashMap<Place, bool>,
        emit: &mut impl FnMut(AlertRow),
    ) {
        let Some(now) = clock else { return };
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > now {
                break;
            }
            for place in entry.remove() {
                places.entry(place).or_insert(false);
            }
        }
        // A stock that stays the same for days is judged on each of them. Before the first clock nothing was judged: all days
        // up to now.
        let since = self.clock.map_or(i64::MIN, |before| last_day_passed(before) + 1);
        let span = Span { from: since, to: last_day_passed(now) };
        self.clock = Some(now);
        if span.from > span.to {
            return;
        }
        for at in 0..self.each_day.len() {
            let pattern = self.each_day[at];
            if !patterns.may_hold_within(pattern, span.from, span.to) {
                continue;
            }
            for feature in patterns.triggers(pattern) {
                if self.owns(pattern) {
                    self.collective.keys(*feature, &mut |key| {
                        let buckets = patterns.judged_buckets(pattern, key, span.from, span.to, &self.collective);
                        places.extend(buckets.into_iter().map(|bucket| (Place { pattern, key, bucket }, true)));
                    });
                } else {
                    self.judge_each_day(patterns, registry, (pattern, *feature), span, emit);
                }
            }
        }
    }

    /// Judges a rule on the days of a span, key by key as they lie: every key that ever had the feature comes every day.
    fn judge_each_day(
        &mut self,
        patterns: &Patterns,
        registry: &impl Registry,
        (pattern, feature): (PatternIndex, FeatureIndex),
        span: Span,
        emit: &mut impl FnMut(AlertRow),
    ) {
        for at in 0..self.keyed.places_with(feature).len() {
            let place = self.keyed.places_with(feature)[at];
            let key = self.keyed.key_at(place);
            for bucket in patterns.judged_buckets(pattern, key, span.from, span.to, &self.keyed.at(place)) {
                let judgement = patterns.judge(pattern, key, bucket, &self.keyed.at(place), registry);
                self.settle(Place { pattern, key, bucket }, judgement, emit);
            }
        }
    }
}

/// The last day whose last instant a clock (ms) has reached.
pub(super) fn last_day_passed(clock: i64) -> i64 {
    i64::from(Day::of_time(clock.saturating_add(1)).0) - 1
}
