//! From indicators as data to indicators that can be worked out.

use super::{
    finish::Figure,
    rule::{
        FileText, Group, Indicator, IndicatorText, PartRule, Series, Span, Statistic, StatisticText, TOPS, Window,
        WindowText, Without,
    },
};
use crate::{
    catalogue::descriptions::IndicatorRow,
    pattern::{
        BucketWidth, FeatureIndex, LEVELS, Level, Patterns,
        expression::Node,
        fold::fold,
        number::Number,
        parser::{Names, parse},
        vocabulary::Window as Function,
    },
};

/// Why the rules of indicators cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndicatorError {
    /// No JSON of the expected form.
    #[error("indicator_rules.json: {0}")]
    Json(#[from] serde_json::Error),
    /// Anything that does not fit.
    #[error("{indicator}, `{entry}`: {what}")]
    Entry {
        /// Id of the indicator.
        indicator: String,
        /// Which entry.
        entry: String,
        /// What is wrong and what would be right.
        what: String,
    },
}

/// What an indicator's entries are compiled against.
struct Context<'a> {
    id: &'a str,
    patterns: &'a Patterns,
}

/// Compiles the rules for the rows of indicators.csv, in their order. Every row needs a rule.
pub(super) fn compile(
    rows: &[IndicatorRow],
    text: &str,
    patterns: &Patterns,
) -> Result<Vec<Indicator>, IndicatorError> {
    let file: FileText = serde_json::from_str(text)?;
    let fault = |indicator: &str, what: &str| IndicatorError::Entry {
        indicator: indicator.to_owned(),
        entry: "id".to_owned(),
        what: what.to_owned(),
    };
    for rule in &file.indicators {
        if !rows.iter().any(|row| *row.id == *rule.id) {
            return Err(fault(&rule.id, "indicators.csv has no such indicator"));
        }
        if file.indicators.iter().filter(|other| other.id == rule.id).count() > 1 {
            return Err(fault(&rule.id, "the rule stands twice"));
        }
    }
    let mut list = Vec::with_capacity(rows.len());
    for row in rows {
        let rule = file.indicators.iter().find(|rule| *rule.id == *row.id);
        let rule = rule.ok_or_else(|| fault(&row.id, "indicator_rules.json has no rule for it"))?;
        list.push(Context { id: &row.id, patterns }.indicator(rule, row)?);
    }
    Ok(list)
}

impl Context<'_> {
    fn fault(&self, entry: &str, what: impl Into<String>) -> IndicatorError {
        IndicatorError::Entry { indicator: self.id.to_owned(), entry: entry.to_owned(), what: what.into() }
    }

    fn feature(&self, entry: &str, name: &str) -> Result<FeatureIndex, IndicatorError> {
        let feature = self.patterns.feature(name);
        let feature = feature.ok_or_else(|| self.fault(entry, format!("there is no feature `{name}`")))?;
        match self.patterns.width(feature) {
            BucketWidth::Day => Ok(feature),
            BucketWidth::Millis(_) => Err(self.fault(entry, format!("`{name}` has no buckets of a business day"))),
        }
    }

    fn node(&self, entry: &str, text: &str, names: &[String], windows: &[String]) -> Result<Node, IndicatorError> {
        let node = parse(text, Names { parameters: names, windows });
        let node = fold(node.map_err(|error| self.fault(entry, error.to_string()))?, &[]);
        let mut unfit = false;
        node.walk(&mut |part| {
            unfit |= match part {
                Node::History(..) | Node::Peer(..) => true,
                Node::Window(function, ..) => {
                    !matches!(function, Function::Count | Function::Sum | Function::Distinct | Function::Largest)
                }
                _ => false,
            };
        });
        if unfit {
            return Err(self.fault(entry, "only count, sum, distinct and largest of a window are known here"));
        }
        Ok(node)
    }

    fn number(&self, entry: &str, text: &str) -> Result<Number, IndicatorError> {
        Number::parse(text).ok_or_else(|| self.fault(entry, format!("`{text}` is no plain number")))
    }

    fn window(&self, text: &WindowText) -> Result<Window, IndicatorError> {
        let before = text.before;
        let span = match (text.days, text.business_days, text.months) {
            (None, None, None) => Span::Ever,
            (Some(length), None, None) => Span::Days { length, before },
            (None, Some(length), None) => Span::BusinessDays { length, before },
            (None, None, Some(length)) => Span::Months { length, before },
            _ => return Err(self.fault(&text.name, "days, business_days and months exclude each other")),
        };
        let bound = |text: &String| self.node("members", text, &[], &[]);
        let members = match &text.members {
            Some([first, last]) => Some((bound(first)?, bound(last)?)),
            None => None,
        };
        let without = match &text.without {
            Some(other) => Some(Without {
                feature: self.feature(&text.name, &other.feature)?,
                days: other.days,
                everywhere: other.everywhere,
            }),
            None => None,
        };
        let lasting = match &text.lasting {
            Some(other) => Some((self.feature(&text.name, &other.feature)?, other.above_ms)),
            None => None,
        };
        let is_plain = members.is_none() && without.is_none() && lasting.is_none() && !text.increases;
        if text.each_business_day.is_some() && (span != Span::Ever || without.is_some() || lasting.is_some()) {
            return Err(self.fault(&text.name, "a sum of balances has no other length or exception"));
        }
        if span == Span::Ever && before != 0 && is_plain {
            return Err(self.fault(&text.name, "`before` needs a length"));
        }
        let feature = self.feature(&text.name, &text.feature)?;
        let (increases, each_business_day) = (text.increases, text.each_business_day);
        Ok(Window { name: text.name.clone(), feature, span, members, without, lasting, increases, each_business_day })
    }

    fn indicator(&self, text: &IndicatorText, row: &IndicatorRow) -> Result<Indicator, IndicatorError> {
        let keys = text.keys.iter().map(|name| self.feature("keys", name)).collect::<Result<_, _>>()?;
        let windows: Vec<Window> = text.windows.iter().map(|window| self.window(window)).collect::<Result<_, _>>()?;
        let window_names: Vec<String> = windows.iter().map(|window| window.name.clone()).collect();
        let groups: Vec<Group> = text
            .groups
            .iter()
            .map(|group| {
                let by = group.by.as_ref().map(|by| self.node(&group.name, by, &[], &[])).transpose()?;
                Ok(Group { name: group.name.clone(), by })
            })
            .collect::<Result<_, IndicatorError>>()?;
        let mut names: Vec<String> = Vec::new();
        let mut figures: Vec<Figure> = Vec::new();
        let mut name = |names: &mut Vec<String>, name: &str, english: &str, chinese: &str| {
            names.push(name.to_owned());
            figures.push(Figure { name: name.into(), english: english.into(), chinese: chinese.into() });
        };
        let mut parts = Vec::new();
        for part in &text.parts {
            let value = self.node(&part.name, &part.value, &names, &window_names)?;
            let median_in = match &part.median_in {
                Some(group) => {
                    let place = groups.iter().position(|known| known.name == *group);
                    Some(place.ok_or_else(|| self.fault(&part.name, format!("there is no group `{group}`")))?)
                }
                None => None,
            };
            parts.push(PartRule { value, shares: part.shares, median_in });
            name(&mut names, &part.name, &part.english, &part.chinese);
        }
        for part in text.parts.iter().filter(|part| part.shares) {
            name(
                &mut names,
                &format!("{}_squares", part.name),
                &format!("{}, sum of squares", part.english),
                &format!("{}平方和", part.chinese),
            );
            for top in TOPS {
                name(
                    &mut names,
                    &format!("{}_top{top}", part.name),
                    &format!("{}, {top} largest", part.english),
                    &format!("{}前{top}大", part.chinese),
                );
            }
        }
        for part in text.parts.iter().filter(|part| part.median_in.is_some()) {
            name(
                &mut names,
                &format!("{}_median", part.name),
                &format!("{}, median of the group", part.english),
                &format!("{}组内中位数", part.chinese),
            );
        }
        let mut terms = Vec::new();
        for term in &text.terms {
            terms.push(self.node(&term.name, &term.value, &names, &[])?);
            name(&mut names, &term.name, &term.english, &term.chinese);
        }
        let mut series = Vec::new();
        for entry in &text.series {
            let of = names.iter().position(|known| *known == entry.of);
            let of = of.ok_or_else(|| self.fault(&entry.name, format!("there is no term `{}`", entry.of)))?;
            let statistic = match entry.statistic {
                StatisticText::ZScore => {
                    let floor = self.number(&entry.name, entry.floor.as_deref().unwrap_or("0"))?;
                    Statistic::ZScore { floor }
                }
                StatisticText::Median => Statistic::Median,
            };
            series.push(Series { of, days: entry.days, statistic });
        }
        for entry in &text.series {
            name(&mut names, &entry.name, &entry.english, &entry.chinese);
        }
        let mut at_least = Vec::new();
        for (level, condition) in &text.at_least {
            let level = Level::parse(level)
                .ok_or_else(|| self.fault("at_least", format!("`{level}`: expected blue, yellow, orange or red")))?;
            at_least.push((level, self.node("at_least", condition, &names, &[])?));
        }
        let mut thresholds = [(Level::Blue, Number::ZERO); 4];
        for ((into, level), least) in thresholds.iter_mut().zip(LEVELS).zip(&row.thresholds) {
            *into = (level, self.number("alert levels of indicators.csv", least)?);
        }
        Ok(Indicator {
            id: text.id.clone(),
            keys,
            code_keys: text.code_keys,
            eligible: text.eligible.as_ref().map(|text| self.node("eligible", text, &[], &window_names)).transpose()?,
            ended: text.ended,
            windows,
            parts,
            values_of_keys: !text.only_groups,
            groups,
            roll_up: text.roll_up,
            terms,
            series,
            numerator: self.node("numerator", &text.numerator, &names, &[])?,
            denominator: self.node("denominator", &text.denominator, &names, &[])?,
            at_least,
            thresholds,
            figures,
        })
    }
}
