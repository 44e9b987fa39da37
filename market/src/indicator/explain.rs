//! What a value was made of: the facts and lots behind each window, which sum up to it.
//!
//! Worked out on demand from the records of the lives that feed the windows, as the evidence of an alert. What facts add and
//! take away again (a lot that was paid, a request that was withdrawn) cancels within its bill and is not listed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Evaluator, IndicatorIndex, Part,
    day::{Frame, keeps_member},
};
use crate::{
    fact::{EventId, Fact},
    ids::{BillId, Day},
    pattern::{Cell, FeatureDelta, Key, Member, Registry, Windows},
};

/// What one fact, or the lots of one bill, add to a window.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Name of the window in the rule.
    pub window: String,
    /// Bill, where there is one.
    pub bill: Option<BillId>,
    /// The fact; of a balance the latest that changed it.
    pub event: EventId,
    /// Its behaviour.
    pub behaviour: String,
    /// Its business date.
    pub day: Day,
    /// Member of the window: a due date, a party, a bill, by the feature.
    pub member: Member,
    /// Added to the sum of the window.
    pub sum: i128,
}

/// Sum of a window: what its lines add up to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WindowSum {
    /// Name of the window in the rule.
    pub window: String,
    /// Feature that it cuts.
    pub feature: String,
    /// Number of facts; 0 for balances.
    pub count: i64,
    /// Sum.
    pub sum: i128,
}

/// What one worker answers to a question about indicators.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Parts, indicator by indicator.
    pub parts: Vec<Part>,
    /// Windows of the explained key; empty where they do not lie.
    pub windows: Vec<WindowSum>,
    /// Members that count, by window, as [`kept_members`] says; empty where the windows do not lie.
    pub kept: Vec<(String, Option<Vec<Member>>)>,
    /// Lines of the lives that lie there.
    pub lines: Vec<Line>,
}

impl Answer {
    /// Adds up what all workers say. Lines that the owner of the windows left out go.
    pub fn gather(answers: impl IntoIterator<Item = Answer>) -> Answer {
        let mut all = Answer::default();
        for answer in answers {
            all.parts.extend(answer.parts);
            all.windows.extend(answer.windows);
            all.kept.extend(answer.kept);
            all.lines.extend(answer.lines);
        }
        all.parts = Part::gather(all.parts);
        let place = |window: &str| all.windows.iter().position(|known| known.window == window);
        all.lines.retain(|line| {
            let kept = all.kept.iter().find(|(window, _)| *window == line.window);
            kept.and_then(|(_, members)| members.as_ref()).is_none_or(|members| members.contains(&line.member))
        });
        all.lines.sort_by_cached_key(|line| (place(&line.window), line.day, line.event));
        all
    }

    /// As bytes between worker and coordinator.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("memory takes every row")
    }

    /// The inverse of [`Answer::encode`]; `None`: the mates are of different builds.
    pub fn decode(bytes: &[u8]) -> Option<Answer> {
        postcard::from_bytes(bytes).ok()
    }
}

/// Gathers the lines of one value, life by life.
pub struct Explainer<'a, W, C, R> {
    evaluator: &'a Evaluator<'a, W, C, R>,
    indicator: IndicatorIndex,
    key: Key,
    frame: Frame,
    balance: Vec<bool>,
    lines: Vec<Line>,
}

/// Where contributions of one bill cancel: window, bill, bucket, member.
type Place = (usize, Option<BillId>, i64, Member);

/// Contributions of one life so far: sum, and the latest fact behind it.
#[derive(Default)]
pub struct Life {
    cells: BTreeMap<Place, (i128, EventId, &'static str, Day)>,
    flows: Vec<(Place, i128, EventId, &'static str, Day)>,
}

impl<'a, W: Windows, C: Windows, R: Registry> Explainer<'a, W, C, R> {
    /// For the value of a key on a day. `is_balance(window)` by the feature of the window.
    pub fn new(
        evaluator: &'a Evaluator<'a, W, C, R>,
        indicator: IndicatorIndex,
        (key, day): (Key, Day),
        is_balance: impl Fn(crate::pattern::FeatureIndex) -> bool,
    ) -> Self {
        let rule = evaluator.indicators.get(indicator);
        let balance = rule.windows.iter().map(|window| is_balance(window.feature)).collect();
        Explainer { evaluator, indicator, key, frame: evaluator.frame(rule, day), balance, lines: Vec::new() }
    }

    /// Takes what one fact of a life added to features.
    pub fn take(&self, fact: &Fact, deltas: &[FeatureDelta], life: &mut Life) {
        let rule = self.evaluator.indicators.get(self.indicator);
        for delta in deltas.iter().filter(|delta| { delta.key } == self.key) {
            let (bucket, member) = (delta.bucket, delta.member);
            for (place, window) in rule.windows.iter().enumerate() {
                let weight =
                    if window.feature == delta.feature { self.frame.weight(place, window, bucket, member) } else { 0 };
                if weight == 0 {
                    continue;
                }
                let sum = i128::from(delta.sum) * i128::from(weight);
                let at = (place, fact.bill_id, bucket, member);
                let told = (fact.event_id, fact.behaviour.code(), fact.biz_date);
                if self.balance[place] || window.increases {
                    let cell = life.cells.entry(at).or_insert((0, told.0, told.1, told.2));
                    *cell = (cell.0 + sum, told.0, told.1, told.2);
                } else {
                    life.flows.push((at, sum, told.0, told.1, told.2));
                }
            }
        }
    }

    /// The life is over: what did not cancel stays.
    pub fn close(&mut self, life: Life) {
        let rule = self.evaluator.indicators.get(self.indicator);
        /// A member of a window, in a bill.
        type Place = (usize, Option<BillId>, Member);
        let mut balances: BTreeMap<Place, (i128, EventId, &'static str, Day)> = BTreeMap::new();
        let mut lines = Vec::new();
        let mut line = |place: usize, bill, member, sum: i128, event, behaviour: &str, day| {
            lines.push(Line {
                window: rule.windows[place].name.clone(),
                bill,
                event,
                behaviour: behaviour.to_owned(),
                day,
                member,
                sum,
            });
        };
        for ((place, bill, _, member), (sum, event, behaviour, day)) in life.cells {
            if rule.windows[place].increases {
                if sum > 0 {
                    line(place, bill, member, sum, event, behaviour, day);
                }
                continue;
            }
            let balance = balances.entry((place, bill, member)).or_insert((0, event, behaviour, day));
            balance.0 += sum;
            if balance.3 <= day {
                (balance.1, balance.2, balance.3) = (event, behaviour, day);
            }
        }
        for ((place, bill, member), (sum, event, behaviour, day)) in balances {
            if sum != 0 {
                line(place, bill, member, sum, event, behaviour, day);
            }
        }
        for ((place, bill, _, member), sum, event, behaviour, day) in life.flows {
            line(place, bill, member, sum, event, behaviour, day);
        }
        self.lines.extend(lines);
    }

    /// All lines, in no order.
    pub fn lines(self) -> Vec<Line> {
        self.lines
    }
}

/// Members of a key's windows that count, as far as the owner of the key alone can tell; `None`: all of them.
pub fn kept_members<W: Windows, C: Windows, R: Registry>(
    evaluator: &Evaluator<'_, W, C, R>,
    indicator: IndicatorIndex,
    (key, day): (Key, Day),
) -> Vec<(String, Option<Vec<Member>>)> {
    let rule = evaluator.indicators.get(indicator);
    let frame = evaluator.frame(rule, day);
    let of = |(place, window): (usize, &super::rule::Window)| {
        let asks_key = window.lasting.is_some() || window.without.as_ref().is_some_and(|other| !other.everywhere);
        let members = asks_key.then(|| {
            let mut members = Vec::new();
            evaluator.windows.cells(window.feature, key, i64::MIN, i64::MAX, &mut |bucket, member, _| {
                let is_new = members.last() != Some(&member);
                if is_new
                    && frame.weight(place, window, bucket, member) != 0
                    && keeps_member(window, key, day, member, evaluator.windows)
                {
                    members.push(member);
                }
            });
            members.sort_unstable();
            members.dedup();
            members
        });
        (window.name.clone(), members)
    };
    rule.windows.iter().enumerate().map(of).collect()
}

/// Sums of the windows of a key, at the worker that has them.
pub fn window_sums<W: Windows, C: Windows, R: Registry>(
    evaluator: &Evaluator<'_, W, C, R>,
    indicator: IndicatorIndex,
    (key, day): (Key, Day),
    name_of: impl Fn(crate::pattern::FeatureIndex) -> String,
) -> Vec<WindowSum> {
    let sums: Vec<Cell> = evaluator.window_totals(indicator, key, day);
    let rule = evaluator.indicators.get(indicator);
    let sum = |(window, cell): (&super::rule::Window, Cell)| WindowSum {
        window: window.name.clone(),
        feature: name_of(window.feature),
        count: cell.count,
        sum: cell.sum,
    };
    rule.windows.iter().zip(sums).map(sum).collect()
}
