//! The same judgement on other days: what a rule asks about its own past, step by step.
//!
//! A day of a series is judged with all its windows moved there, and reference data as of its last instant. Steps go back
//! from the judged day; days before the first fact are days like others, on which sums are 0.

use super::KeyScope;
use crate::{
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

impl<W: Windows, R: Registry> KeyScope<'_, W, R> {
    pub(super) fn on_other_days(&self, function: Series, step: Step, arguments: &[Node]) -> Option<Number> {
        if self.keyed.width != BucketWidth::Day {
            return None;
        }
        let count = arguments.first()?.value(self)?.as_whole()?.clamp(0, i128::from(MAX_JUMP_BASE)) as usize;
        let asked = arguments.get(1)?;
        let argument = |place: usize| arguments.get(place)?.value(self);
        match function {
            Series::Ago => asked.value(&self.on(self.days_back(step).nth(count)?)),
            Series::CountOf => {
                let holds = |day: &Day| asked.truth(&self.on(*day)) == Some(true);
                Some(Number::whole(self.days_back(step).take(count).filter(holds).count() as i128))
            }
            Series::MeanOf | Series::DeviationOf => {
                let days = self.days_back(step).skip(1).take(count);
                let values: Vec<f64> = days.filter_map(|day| asked.value(&self.on(day))).map(Number::to_f64).collect();
                let (mean, deviation) = statistics::mean_and_deviation(&values)?;
                statistics::settle(if function == Series::MeanOf { mean } else { deviation })
            }
            Series::Cusum => {
                let (slack, limit) = (argument(2)?.to_f64(), argument(3)?.to_f64());
                let mut days: Vec<Day> = self.days_back(step).take(count).collect();
                days.reverse();
                let values = days.into_iter().map(|day| asked.value(&self.on(day)).map(Number::to_f64));
                statistics::settle(statistics::cusum(values, slack, limit))
            }
            Series::Streak => {
                let holds = arguments.get(2)?;
                let is_true = |node: &Node, day: &Day| node.truth(&self.on(*day)) == Some(true);
                let mut days = self.days_back(step).take(count + 1).filter(|day| is_true(asked, day));
                Some(Number::whole(days.by_ref().take_while(|day| is_true(holds, day)).count() as i128))
            }
        }
    }

    /// The same key on another day.
    fn on(&self, day: Day) -> Self {
        KeyScope::new(self.rule, self.keyed, (self.key, i64::from(day.0)), self.windows, self.registry, None)
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
                    Step::BusinessDay => calendar.minus(last, 1),
                    Step::Month => judged.month_start().add_months(-back).month_end(),
                    Step::Quarter => judged.month_start().add_months(-3 * back).month_end(),
                    Step::Year => judged.month_start().add_months(-12 * back).month_end(),
                };
            }
            last
        })
    }
}
