//! The same judgement on other days: what a rule asks about its own past, step by step.
//!
//! A day of a series is judged with all its windows moved there, and reference data as of its last instant. Steps go back
//! from the judged day; days before the first fact are days like others, on which sums are 0.
//!
//! Series ask the same things of the same days over and over: a sum over 20 days of jumps against 60 days each asks 80 days,
//! not 1,200. So what was worked out for a day is kept until the judgement is made ([`Past`]).

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::KeyScope;
use crate::{
    catalogue::calendar::Calendar,
    ids::Day,
    pattern::{
        expression::Node,
        number::Number,
        rules::MAX_JUMP_BASE,
        sight::Registry,
        statistics,
        vocabulary::{Series, Step},
        windows::{BucketWidth, Windows},
    },
};

/// What series of one judgement worked out; shared by the scopes of all its days.
pub(super) struct Past {
    /// The judged day: all others lie before it.
    last: Day,
    /// What was asked of days.
    asked: RefCell<Vec<Asked>>,
    /// What series gave, by their place in the rule and the day: the rule outlives the judgement.
    series: RefCell<HashMap<(*const Node, Day), Option<Number>>>,
    /// The last mean and deviation, by what was asked before which day: rules mostly want both.
    spread: std::cell::Cell<Option<(Base, Spread)>>,
    /// Business days back from the judged day of the first series.
    business_days: RefCell<Vec<Day>>,
}

/// Values of an expression (by place) on a number of steps before a day.
type Base = (usize, Step, usize, Day);

/// Mean and deviation; none of no values.
type Spread = Option<(f64, f64)>;

/// Of a scope, from its first series on.
pub(super) type PastCell = OnceCell<Rc<Past>>;

/// What one expression gave on the days on which it was asked.
struct Asked {
    expression: Node,
    /// Its places in the rule: the same expression may stand there several times.
    places: SmallVec<[*const Node; 4]>,
    /// What it gave so many days before the judged day.
    answers: Vec<Option<Answer>>,
}

/// A value, and the same as statistics take it.
type Answer = Option<(Number, f64)>;

/// Days before the judged one whose answers are kept: all that a base of business days reaches. Months and years far back are
/// asked once.
const DAYS_KEPT: i64 = 1_000;

impl Past {
    /// Place of an expression; made when nothing like it was asked before.
    fn place_of(&self, expression: &Node) -> usize {
        let place = std::ptr::from_ref(expression);
        let mut asked = self.asked.borrow_mut();
        if let Some(at) = asked.iter().position(|known| known.places.contains(&place)) {
            return at;
        }
        if let Some(at) = asked.iter().position(|known| known.expression == *expression) {
            asked[at].places.push(place);
            return at;
        }
        let places = SmallVec::from_slice(&[place]);
        asked.push(Asked { expression: expression.clone(), places, answers: Vec::new() });
        asked.len() - 1
    }

    fn days_back(&self, day: Day) -> Option<usize> {
        let back = i64::from(self.last.0) - i64::from(day.0);
        (0..DAYS_KEPT).contains(&back).then_some(back as usize)
    }

    fn answer(&self, at: usize, day: Day) -> Option<Answer> {
        *self.asked.borrow()[at].answers.get(self.days_back(day)?)?
    }

    fn keep(&self, at: usize, day: Day, answer: Answer) {
        let Some(back) = self.days_back(day) else { return };
        let answers = &mut self.asked.borrow_mut()[at].answers;
        if answers.len() <= back {
            answers.resize(back + 1, None);
        }
        answers[back] = Some(answer);
    }

    /// The business day before a day.
    fn business_day_before(&self, day: Day, calendar: &Calendar) -> Day {
        let mut days = self.business_days.borrow_mut();
        // Descending.
        match days.binary_search_by(|known| day.cmp(known)) {
            Ok(at) if at + 1 < days.len() => days[at + 1],
            Ok(_) => {
                let before = calendar.minus(day, 1);
                days.push(before);
                before
            }
            Err(_) if days.is_empty() => {
                let before = calendar.minus(day, 1);
                days.extend([day, before]);
                before
            }
            Err(_) => calendar.minus(day, 1),
        }
    }
}

impl<W: Windows, R: Registry> KeyScope<'_, W, R> {
    /// A series of the rule on the judged day; asked a second time, it is not worked out again.
    pub(super) fn on_other_days(&self, function: Series, step: Step, arguments: &[Node]) -> Option<Number> {
        // The number of days, which every series has, tells one from the other. Where a condition is asked for each member, the
        // series of the judged day may differ by member.
        let first = arguments.first().filter(|_| self.member.get().is_none());
        let Some(first) = first else { return self.series_of(function, step, arguments) };
        let name = (std::ptr::from_ref(first), self.date());
        if let Some(known) = self.past().series.borrow().get(&name) {
            return *known;
        }
        let value = self.series_of(function, step, arguments);
        self.past().series.borrow_mut().insert(name, value);
        value
    }

    fn past(&self) -> &Rc<Past> {
        self.past.get_or_init(|| {
            Rc::new(Past {
                last: self.date(),
                asked: RefCell::default(),
                series: RefCell::default(),
                spread: std::cell::Cell::default(),
                business_days: RefCell::default(),
            })
        })
    }

    /// What an expression gives on a day.
    fn ask<'s>(&'s self, expression: &'s Node) -> impl Fn(Day) -> Answer + 's {
        let at = self.past().place_of(expression);
        move |day| {
            self.past().answer(at, day).unwrap_or_else(|| {
                let answer = expression.number(&self.on(day)).map(|number| (number, number.to_f64()));
                self.past().keep(at, day, answer);
                answer
            })
        }
    }

    fn series_of(&self, function: Series, step: Step, arguments: &[Node]) -> Option<Number> {
        if self.keyed.width != BucketWidth::Day {
            return None;
        }
        let count = arguments.first()?.value(self)?.as_whole()?.clamp(0, i128::from(MAX_JUMP_BASE)) as usize;
        let asked = arguments.get(1)?;
        let argument = |place: usize| arguments.get(place)?.value(self);
        let days = || self.days_back(step);
        let ask = self.ask(asked);
        match function {
            Series::Ago => Some(ask(days().nth(count)?)?.0),
            Series::CountOf => Some(Number::whole(days().take(count).filter(|day| holds(ask(*day))).count() as i128)),
            Series::MeanOf | Series::DeviationOf => {
                let base: Base = (self.past().place_of(asked), step, count, self.date());
                let known = self.past().spread.get().filter(|(known, _)| *known == base);
                let (_, spread) = known.unwrap_or_else(|| {
                    let values: Vec<f64> = days().skip(1).take(count).filter_map(|day| Some(ask(day)?.1)).collect();
                    (base, statistics::mean_and_deviation(&values))
                });
                self.past().spread.set(Some((base, spread)));
                let (mean, deviation) = spread?;
                statistics::settle(if function == Series::MeanOf { mean } else { deviation })
            }
            Series::Cusum => {
                let (slack, limit) = (argument(2)?.to_f64(), argument(3)?.to_f64());
                let mut days: Vec<Day> = days().take(count).collect();
                days.reverse();
                let values = days.into_iter().map(|day| ask(day).map(|(_, value)| value));
                statistics::settle(statistics::cusum(values, slack, limit))
            }
            Series::Streak => {
                let until = self.ask(arguments.get(2)?);
                let mut days = days().take(count + 1).filter(|day| holds(ask(*day)));
                Some(Number::whole(days.by_ref().take_while(|day| holds(until(*day))).count() as i128))
            }
        }
    }

    /// The same key on another day.
    fn on(&self, day: Day) -> Self {
        let place = (self.key, i64::from(day.0));
        let scope = KeyScope::new(self.rule, self.keyed, place, self.windows, self.registry, None);
        KeyScope { past: PastCell::from(Rc::clone(self.past())), ..scope }
    }

    /// The judged day, then one step after the other back.
    fn days_back(&self, step: Step) -> impl Iterator<Item = Day> {
        let judged = self.date();
        let calendar = self.registry.calendar();
        let mut last = judged;
        (0i32..).map(move |back| {
            if back > 0 {
                last = match step {
                    Step::Day => judged.plus(-back),
                    Step::BusinessDay => self.past().business_day_before(last, calendar),
                    Step::Month => judged.month_start().add_months(-back).month_end(),
                    Step::Quarter => judged.month_start().add_months(-3 * back).month_end(),
                    Step::Year => judged.month_start().add_months(-12 * back).month_end(),
                };
            }
            last
        })
    }
}

fn holds(answer: Answer) -> bool {
    answer.is_some_and(|(number, _)| number.is_true())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{
        catalogue::Catalogue,
        ids::Day,
        observe::Meanings,
        pattern::{BucketWidth, Cell, Key, MarketRegistry, PATTERNS_CSV, Parameters, Patterns, PlainWindows},
        reference_data::Reference,
    };

    /// Series in series, each asked on days that others ask too, against the same sums day by day.
    fn rule(limit: i128) -> Patterns {
        let condition = [
            "cusum('business_day', 6, sum(day) - mean_of('business_day', 5, sum(day))",
            "- ago('business_day', 2, ago('day', 1, sum(day))), 0, 1000000000)",
            "+ count_of('business_day', 4, sum(day) > 500) + mean_of('day', 3, ago('business_day', 1, sum(day))) >=",
        ];
        let rules = format!(
            r#"{{"features": {{"taken": {{"emit": [{{"on": ["DSC.SET"], "key": ["discounter"]}}]}}}},
                "rules": [{{"id": "P075", "scope": "keyed", "trigger": ["taken"], "when": "{} {limit}",
                    "windows": [{{"name": "day", "feature": "taken", "length": "1"}}]}}]}}"#,
            condition.join(" ")
        );
        Patterns::compile(PATTERNS_CSV, &[("rules.json", &rules)], &Parameters::default())
            .unwrap_or_else(|error| panic!("{error}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        #[test]
        fn what_was_worked_out_for_a_day_is_what_the_day_gives(sums in prop::collection::vec(0i64..1_000, 60)) {
            let catalogue = Catalogue::embedded();
            let meanings = Meanings::new(catalogue.clone()).unwrap();
            let reference = Reference::new(meanings.vocabulary().clone());
            let registry = MarketRegistry { reference: &reference, meanings: &meanings };
            let first = Day::parse("2025-03-03").unwrap();
            let judged = first.plus(59);
            let mut windows = PlainWindows::default();
            let patterns = rule(0);
            let (rule_at, feature) = (patterns.find("P075").unwrap(), patterns.feature("taken").unwrap());
            for (day, sum) in (0..).zip(&sums) {
                let cell = Cell { count: 1, sum: i128::from(*sum) };
                windows.set(feature, Key(7, 0), BucketWidth::Day.bucket(first.plus(day), 0), 0, cell);
            }
            let sum = |day: Day| sums.get((day.0 - first.0) as usize).map_or(0.0, |sum| *sum as f64);
            let business = |day: Day, count: u32| catalogue.calendar.minus(day, count);
            // Means are settled at 9 decimals, as the rule's are.
            let mean = |values: &[f64]| (values.iter().sum::<f64>() / values.len() as f64 * 1e9).round() / 1e9;
            let (mut up, mut down) = (0.0f64, 0.0f64);
            for back in (0..6).rev() {
                let day = business(judged, back);
                let base: Vec<f64> = (1..=5).map(|back| sum(business(day, back))).collect();
                let value = sum(day) - mean(&base) - sum(business(day, 2).plus(-1));
                up = (up + value).max(0.0);
                down = (down - value).max(0.0);
            }
            let above = (0..4).filter(|back| sum(business(judged, *back)) > 500.0).count() as f64;
            let before: Vec<f64> = (1..=3).map(|back| sum(business(judged.plus(-back), 1))).collect();
            let expected = up.max(down) + above + mean(&before);
            let holds = |limit: i128| {
                let patterns = rule(limit);
                let place = (Key(7, 0), i64::from(judged.0));
                !patterns.judge(rule_at, place.0, place.1, &windows, &registry).hits.is_empty()
            };
            prop_assert!(holds((expected - 0.001).floor() as i128));
            prop_assert!(!holds((expected + 0.001).floor() as i128 + 1));
        }
    }
}
