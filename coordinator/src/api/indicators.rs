//! `IndicatorService`: parts from all workers at one epoch, finished here (`market::indicator`).

use std::{collections::BTreeMap, sync::Arc};

use billwatch_market::{
    catalogue::Catalogue,
    ids::Day,
    indicator::{IndicatorIndex, IndicatorValue, Indicators, Subject, explain::Answer},
    pattern::{Key, Level, Number},
};
use billwatch_proto::v1::{self, indicator_service_server::IndicatorService, shard_answer, shard_question::Kind};
use tokio::time::sleep;
use tonic::{Request, Response, Status};

use super::{
    errors::{ApiError, bad_request, internal, no_such},
    known::Known,
    pages::page_size,
    watches::{Answers, Watched, Watches},
};
use crate::{
    cluster::Cluster,
    ledger::AsOf,
    limits,
    metrics::questions::{QuestionKind, QuestionTimes},
};

/// The service.
#[derive(Clone)]
pub struct IndicatorApi {
    /// Names and formulas in words.
    pub catalogue: Arc<Catalogue>,
    /// The rules.
    pub indicators: Arc<Indicators>,
    /// Who works parts out.
    pub cluster: Cluster,
    /// How long it took.
    pub times: Arc<QuestionTimes>,
    /// Subscriptions.
    pub watches: Watches,
}

/// A checked filter.
#[derive(Clone)]
struct Filter {
    indicators: Vec<IndicatorIndex>,
    keys: Vec<String>,
    /// `None`: the newest day that has values.
    from: Option<Day>,
    to: Option<Day>,
    min_level: Option<Level>,
    only_groups: bool,
}

/// Place of a value in the order of pages.
type Place = (IndicatorIndex, std::cmp::Reverse<Day>, String);

/// Of what a value is, whatever its day: an indicator of a key or group.
type Of = (IndicatorIndex, String);

#[tonic::async_trait]
impl IndicatorService for IndicatorApi {
    type WatchIndicatorsStream = Watched<v1::WatchIndicatorsResponse>;

    async fn list_indicators(
        &self,
        _: Request<v1::ListIndicatorsRequest>,
    ) -> Result<Response<v1::ListIndicatorsResponse>, Status> {
        let indicators = self.indicators.all().map(|indicator| self.describe(indicator)).collect();
        Ok(Response::new(v1::ListIndicatorsResponse { indicators }))
    }

    async fn query_indicators(
        &self,
        request: Request<v1::QueryIndicatorsRequest>,
    ) -> Result<Response<v1::QueryIndicatorsResponse>, Status> {
        let answer = self.times.timed(QuestionKind::Indicators, self.query(request.into_inner())).await?;
        Ok(Response::new(answer))
    }

    async fn explain_indicator(
        &self,
        request: Request<v1::ExplainIndicatorRequest>,
    ) -> Result<Response<v1::ExplainIndicatorResponse>, Status> {
        let answer = self.times.timed(QuestionKind::Explain, self.explain(request.into_inner())).await?;
        Ok(Response::new(answer))
    }

    async fn watch_indicators(
        &self,
        request: Request<v1::WatchIndicatorsRequest>,
    ) -> Result<Response<Self::WatchIndicatorsStream>, Status> {
        let filter = request.into_inner().filter.unwrap_or_default();
        let filter = Filter { from: None, to: None, ..self.filter(filter)? };
        let api = self.clone();
        self.watches.begin(|answers| async move { api.watch(&filter, &answers).await })
    }
}

impl IndicatorApi {
    fn describe(&self, indicator: IndicatorIndex) -> v1::Indicator {
        let id = self.indicators.id(indicator);
        let levels = self.indicators.thresholds(indicator);
        let levels = levels.map(|(level, least)| v1::LevelThreshold { level: level_text(level), least });
        let figures = self.indicators.figures(indicator).iter().map(|figure| v1::FigureName {
            name: figure.name.to_string(),
            name_en: figure.english.to_string(),
            name_zh: figure.chinese.to_string(),
        });
        let mut described = v1::Indicator {
            indicator: id.to_owned(),
            groups: self.indicators.groups(indicator).map(str::to_owned).collect(),
            has_key_values: self.indicators.has_key_values(indicator),
            levels: levels.collect(),
            figures: figures.collect(),
            ..Default::default()
        };
        if let Some(row) = self.catalogue.indicators.iter().find(|row| *row.id == *id) {
            described.name_en = row.english.to_string();
            described.name_zh = row.chinese.to_string();
            described.category = row.category.to_string();
            described.grain = row.grain.to_string();
            described.formula = row.formula.to_string();
            described.window = row.window.to_string();
            described.basis = row.basis.to_string();
            described.notes = row.notes.to_string();
        }
        described
    }

    fn filter(&self, filter: v1::IndicatorFilter) -> Result<Filter, ApiError> {
        let mut indicators = Vec::new();
        for id in &filter.indicators {
            let known = || self.indicators.all().map(|known| self.indicators.id(known).to_owned()).collect::<Vec<_>>();
            let found = self.indicators.find(id);
            indicators.push(
                found.ok_or_else(|| bad_request("indicators", id, &format!("there are {}", known().join(", "))))?,
            );
        }
        if indicators.is_empty() {
            indicators.extend(self.indicators.all());
        }
        indicators.sort_unstable();
        indicators.dedup();
        let (from, to) = (date("from_date", &filter.from_date)?, date("to_date", &filter.to_date)?);
        if let (Some(from_day), Some(to_day)) = (from, to)
            && from_day > to_day
        {
            return Err(bad_request("to_date", &filter.to_date, "it lies before from_date"));
        }
        let min_level = match filter.min_level.as_str() {
            "" => None,
            text => Some(
                Level::parse(&text.to_lowercase())
                    .ok_or_else(|| bad_request("min_level", text, "write BLUE, YELLOW, ORANGE or RED"))?,
            ),
        };
        Ok(Filter { indicators, keys: filter.keys, from, to, min_level, only_groups: filter.only_groups })
    }

    /// Values that match, in the order of pages.
    async fn values(&self, filter: &Filter) -> Result<(AsOf, Vec<IndicatorValue>), ApiError> {
        let parties: Vec<&String> = filter.keys.iter().filter(|key| !is_group(key)).collect();
        let key = match parties.as_slice() {
            [one] if filter.keys.len() == 1 => (*one).clone(),
            _ => String::new(),
        };
        if let Some(bad) = parties.iter().find(|key| Key::parse(key).is_none()) {
            let remedy = "name a party such as 100105, or a group such as market, tier=SMALL";
            return Err(bad_request("keys", bad, remedy));
        }
        let only_groups = filter.only_groups || (parties.is_empty() && !filter.keys.is_empty());
        let (as_of, answer) = self.ask(self.question(filter, key, only_groups, false)).await?;
        let Some(clock) = as_of.market_clock_ms else { return Ok((as_of, Vec::new())) };
        let indicators = self.indicators.clone();
        let (catalogue, filter) = (self.catalogue.clone(), filter.clone());
        let finish = move || {
            let mut values = Vec::new();
            for part in &answer.parts {
                let span = indicators.span(part.indicator, filter.from, filter.to, clock);
                values.extend(indicators.values(part, span, &catalogue.calendar));
            }
            values.retain(|value| {
                let key = || indicators.subject_text(value.indicator, value.subject);
                filter.min_level.is_none_or(|least| value.level >= Some(least))
                    && (!filter.only_groups || matches!(value.subject, Subject::Group(..)))
                    && (filter.keys.is_empty() || filter.keys.contains(&key()))
            });
            values
        };
        let values =
            tokio::task::spawn_blocking(finish).await.map_err(|_| internal("the values could not be formed"))?;
        Ok((as_of, values))
    }

    fn question(&self, filter: &Filter, key: String, only_groups: bool, explain: bool) -> v1::IndicatorQuestion {
        let id = |indicator: &IndicatorIndex| self.indicators.id(*indicator).to_owned();
        v1::IndicatorQuestion {
            indicators: filter.indicators.iter().map(id).collect(),
            key,
            from_day: filter.from.map(|day| day.0),
            to_day: filter.to.map(|day| day.0),
            only_groups,
            explain,
        }
    }

    async fn ask(&self, question: v1::IndicatorQuestion) -> Result<(AsOf, Answer), ApiError> {
        let asked = self.cluster.ask(Kind::Indicators(question)).await?;
        let as_of = asked.as_of;
        let mut answers = Vec::new();
        for (_, part) in asked.all().await? {
            if let Some(shard_answer::Kind::Indicators(bytes)) = part.kind {
                answers.push(Answer::decode(&bytes).ok_or_else(|| internal("a worker's answer does not decode"))?);
            }
        }
        Ok((as_of, Answer::gather(answers)))
    }

    async fn query(&self, request: v1::QueryIndicatorsRequest) -> Result<v1::QueryIndicatorsResponse, ApiError> {
        let filter = self.filter(request.filter.unwrap_or_default())?;
        let size = page_size(request.page_size)?;
        let after = match request.page_token.as_str() {
            "" => None,
            token => {
                let place = self.parse_token(token);
                Some(place.ok_or_else(|| bad_request("page_token", token, "use the token of the page before"))?)
            }
        };
        let (as_of, values) = self.values(&filter).await?;
        let mut placed: BTreeMap<(Place, bool), IndicatorValue> = BTreeMap::new();
        for value in values {
            placed.insert((self.place(&value), true), value);
        }
        let mut response = v1::QueryIndicatorsResponse {
            as_of: Some(as_of.into()),
            total_size: placed.len() as u64,
            ..Default::default()
        };
        let mut last = None;
        let rest = placed.into_iter().filter(|((place, _), _)| after.as_ref().is_none_or(|after| place > after));
        for ((place, _), value) in rest {
            if response.values.len() == size {
                response.next_page_token = last.map(|place| self.token(&place)).unwrap_or_default();
                return Ok(response);
            }
            response.values.push(self.show(&value));
            last = Some(place);
        }
        Ok(response)
    }

    async fn explain(&self, request: v1::ExplainIndicatorRequest) -> Result<v1::ExplainIndicatorResponse, ApiError> {
        let day = request.date.clone();
        let filter = v1::IndicatorFilter {
            indicators: vec![request.indicator.clone()],
            keys: vec![request.key.clone()],
            from_date: day.clone(),
            to_date: day,
            ..Default::default()
        };
        if request.indicator.is_empty() || request.key.is_empty() {
            let field = if request.key.is_empty() { "key" } else { "indicator" };
            return Err(bad_request(field, "", "say which value is to be explained"));
        }
        let filter = self.filter(filter)?;
        let indicator = filter.indicators[0];
        let nothing = || no_such(format!("{} of {}: there is no value on that day", request.indicator, request.key));
        let calendar = &self.catalogue.calendar;
        let formula = self.describe(indicator).formula;
        let mut response = v1::ExplainIndicatorResponse { formula, ..Default::default() };
        if is_group(&request.key) {
            let (as_of, answer) = self.ask(self.question(&filter, String::new(), false, true)).await?;
            response.as_of = Some(as_of.into());
            let clock = as_of.market_clock_ms.ok_or_else(nothing)?;
            let (_, day) = self.indicators.span(indicator, filter.from, filter.to, clock);
            for part in &answer.parts {
                for value in self.indicators.values(part, (day, day), calendar) {
                    if self.indicators.subject_text(indicator, value.subject) == request.key {
                        response.value = Some(self.show(&value));
                    }
                }
                let members = self.indicators.members(part, &request.key, day, calendar);
                response.members.extend(members.iter().map(|value| self.show(value)));
            }
            response.members.truncate(limits::PAGE_MOST);
            return if response.value.is_none() { Err(nothing()) } else { Ok(response) };
        }
        if Key::parse(&request.key).is_none() {
            return Err(bad_request("key", &request.key, "name a party such as 100105, or a group such as market"));
        }
        let (as_of, answer) = self.ask(self.question(&filter, request.key.clone(), false, true)).await?;
        response.as_of = Some(as_of.into());
        let clock = as_of.market_clock_ms.ok_or_else(nothing)?;
        let (_, day) = self.indicators.span(indicator, filter.from, filter.to, clock);
        for part in &answer.parts {
            let of_key = |value: &IndicatorValue| self.indicators.subject_text(indicator, value.subject) == request.key;
            let values = self.indicators.key_values(part, (day, day), calendar);
            response.value = values.iter().find(|value| of_key(value)).map(|value| self.show(value));
        }
        if answer.windows.is_empty() {
            return Err(nothing());
        }
        response.windows = answer
            .windows
            .into_iter()
            .map(|sum| v1::WindowTotal {
                window: sum.window,
                feature: sum.feature,
                count: sum.count,
                sum: sum.sum.to_string(),
            })
            .collect();
        response.total_lines = answer.lines.len() as u64;
        let lines = answer.lines.into_iter().take(limits::INDICATOR_LINES_MOST);
        response.lines = lines
            .map(|line| v1::IndicatorLine {
                window: line.window,
                bill_id: line.bill.map(|bill| bill.to_string()).unwrap_or_default(),
                event_id: line.event.to_string(),
                behaviour: line.behaviour,
                biz_date: line.day.to_string(),
                member: line.member.to_string(),
                sum: line.sum.to_string(),
            })
            .collect();
        Ok(response)
    }

    /// Snapshot, then what changed, for as long as somebody listens.
    async fn watch(&self, filter: &Filter, answers: &Answers<v1::WatchIndicatorsResponse>) -> Result<(), ApiError> {
        // Values below the least level are read too: one that falls there must be told as it is.
        let of_all_levels = Filter { min_level: None, ..filter.clone() };
        let mut known = Known::default();
        let mut snapshot = true;
        loop {
            let (as_of, values) = self.values(&of_all_levels).await?;
            let values = self.changes(filter.min_level, as_of, &values, &mut known);
            let response = v1::WatchIndicatorsResponse { as_of: Some(as_of.into()), snapshot, values };
            if answers.send(Ok(response)).await.is_err() {
                return Ok(());
            }
            snapshot = false;
            sleep(limits::INDICATORS_EVERY).await;
        }
    }

    /// Values of a look that a subscriber does not know; then those that it knows and that do not reach the least level any
    /// more, as they are now.
    fn changes(
        &self,
        least: Option<Level>,
        as_of: AsOf,
        values: &[IndicatorValue],
        known: &mut Known<Of, v1::IndicatorValue>,
    ) -> Vec<v1::IndicatorValue> {
        let now: BTreeMap<Of, &IndicatorValue> = values.iter().map(|value| (self.of(value), value)).collect();
        let reaches = |value: &IndicatorValue| least.is_none_or(|least| value.level >= Some(least));
        let asked = now.iter().filter(|(_, value)| reaches(value));
        let (mut told, gone) = known.take(asked.map(|(of, value)| (of.clone(), self.show(value))));
        told.extend(gone.into_iter().map(|(of, was)| match now.get(&of) {
            Some(value) => self.show(value),
            None => {
                let day = as_of.market_clock_ms.map(|clock| self.indicators.span(of.0, None, None, clock).1);
                without_numbers(was, day)
            }
        }));
        told
    }

    fn show(&self, value: &IndicatorValue) -> v1::IndicatorValue {
        // A fraction above the line goes below it: both are shown as integers.
        let parts = |number: Option<Number>| number.map(Number::lowest_parts);
        let (top, bottom) = (parts(value.numerator), parts(value.denominator));
        let numerator = top.and_then(|(top, _)| top.checked_mul(bottom.map_or(1, |(_, below)| below)));
        let denominator = bottom.and_then(|(bottom, _)| bottom.checked_mul(top.map_or(1, |(_, below)| below)));
        let text = |number: Option<i128>| number.map(|number| number.to_string()).unwrap_or_default();
        let figures = self.indicators.figures(value.indicator).iter().zip(&value.figures);
        let level = match (value.level, value.value()) {
            (Some(level), _) => level_text(level),
            (None, Some(_)) => "NORMAL".to_owned(),
            (None, None) => String::new(),
        };
        v1::IndicatorValue {
            indicator: self.indicators.id(value.indicator).to_owned(),
            key: self.indicators.subject_text(value.indicator, value.subject),
            date: value.day.to_string(),
            numerator: text(numerator),
            denominator: text(denominator),
            level,
            figures: figures.map(|(figure, value)| figure_of(&figure.name, *value)).collect(),
        }
    }

    fn of(&self, value: &IndicatorValue) -> Of {
        let kind = if matches!(value.subject, Subject::Group(..)) { "0" } else { "1" };
        let key = self.indicators.subject_text(value.indicator, value.subject);
        (value.indicator, format!("{kind}{key}"))
    }

    fn place(&self, value: &IndicatorValue) -> Place {
        let (indicator, key) = self.of(value);
        (indicator, std::cmp::Reverse(value.day), key)
    }

    fn token(&self, (indicator, day, key): &Place) -> String {
        format!("{}~{}~{key}", self.indicators.id(*indicator), day.0)
    }

    fn parse_token(&self, text: &str) -> Option<Place> {
        let mut parts = text.splitn(3, '~');
        let indicator = self.indicators.find(parts.next()?)?;
        let day = Day::parse(parts.next()?)?;
        Some((indicator, std::cmp::Reverse(day), parts.next()?.to_owned()))
    }
}

/// A value that is no more.
fn without_numbers(was: v1::IndicatorValue, day: Option<Day>) -> v1::IndicatorValue {
    let figures = was.figures.into_iter().map(|figure| figure_of(&figure.name, None)).collect();
    let date = day.map_or(was.date, |day| day.to_string());
    v1::IndicatorValue { indicator: was.indicator, key: was.key, date, figures, ..Default::default() }
}

fn figure_of(name: &str, value: Option<Number>) -> v1::Figure {
    let (value, denominator) = match value.map(|value| (value.as_whole(), value.lowest_parts())) {
        None => (String::new(), String::new()),
        Some((Some(whole), _)) => (whole.to_string(), String::new()),
        Some((None, (top, bottom))) => (top.to_string(), bottom.to_string()),
    };
    v1::Figure { name: name.to_owned(), value, denominator }
}

fn level_text(level: Level) -> String {
    level.name().to_uppercase()
}

/// Groups are called by a name in lower letters; parties and codes are not.
fn is_group(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_lowercase())
}

fn date(field: &str, text: &str) -> Result<Option<Day>, ApiError> {
    match text {
        "" => Ok(None),
        text => match Day::parse(text) {
            Some(day) => Ok(Some(day)),
            None => Err(bad_request(field, text, "write a date as YYYY-MM-DD, or leave it empty")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_gone_has_no_numbers() {
        let was = v1::IndicatorValue {
            indicator: "LQ1".into(),
            key: "100105".into(),
            date: "2025-06-09".into(),
            numerator: "7".into(),
            denominator: "9".into(),
            level: "RED".into(),
            figures: vec![v1::Figure { name: "held_fen".into(), value: "1".into(), denominator: "2".into() }],
        };
        let figures = vec![v1::Figure { name: "held_fen".into(), ..Default::default() }];
        let gone = v1::IndicatorValue {
            indicator: "LQ1".into(),
            key: "100105".into(),
            date: "2025-06-10".into(),
            figures,
            ..Default::default()
        };
        assert_eq!(without_numbers(was.clone(), Day::parse("2025-06-10")), gone);
        assert_eq!(without_numbers(was, None).date, "2025-06-09");
    }
}
