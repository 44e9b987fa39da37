//! `RuleService`: how rules stand, and alarms about those that are dead.

use std::{collections::BTreeMap, sync::Arc};

use billwatch_market::{
    ids::Day,
    pattern::{
        PatternIndex,
        liveness::{RuleLiveness, SPAN_DAYS_MOST, State, sources::source_names},
    },
};
use billwatch_proto::v1::{self, rule_service_server::RuleService};
use tonic::{Request, Response, Status};

use super::{
    errors::{ApiError, bad_request, not_serving},
    watches::{Answers, Watched, Watches},
};
use crate::{
    metrics::questions::{QuestionKind, QuestionTimes},
    rules::{Rules, RulesSeen, Standing, Wanted},
};

/// The service.
#[derive(Clone)]
pub struct RuleApi {
    /// Who asks the workers.
    pub rules: Rules,
    /// What the watch saw last.
    pub seen: RulesSeen,
    /// How long it took.
    pub times: Arc<QuestionTimes>,
    /// Subscriptions.
    pub watches: Watches,
}

#[tonic::async_trait]
impl RuleService for RuleApi {
    type WatchRuleAlarmsStream = Watched<v1::WatchRuleAlarmsResponse>;

    async fn list_rule_liveness(
        &self,
        request: Request<v1::ListRuleLivenessRequest>,
    ) -> Result<Response<v1::ListRuleLivenessResponse>, Status> {
        let answer = self.times.timed(QuestionKind::Rules, self.list(request.into_inner())).await?;
        Ok(Response::new(answer))
    }

    async fn get_rule_liveness(
        &self,
        request: Request<v1::GetRuleLivenessRequest>,
    ) -> Result<Response<v1::GetRuleLivenessResponse>, Status> {
        let answer = self.times.timed(QuestionKind::Rules, self.get(request.into_inner())).await?;
        Ok(Response::new(answer))
    }

    async fn watch_rule_alarms(
        &self,
        _: Request<v1::WatchRuleAlarmsRequest>,
    ) -> Result<Response<Self::WatchRuleAlarmsStream>, Status> {
        let api = self.clone();
        self.watches.begin(|answers| async move { api.watch(&answers).await })
    }
}

impl RuleApi {
    async fn list(&self, request: v1::ListRuleLivenessRequest) -> Result<v1::ListRuleLivenessResponse, ApiError> {
        let wanted: Vec<PatternIndex> =
            request.patterns.iter().map(|id| self.pattern("patterns", id)).collect::<Result<_, _>>()?;
        let mut states = Vec::new();
        for state in &request.states {
            states.push(state_of(*state).ok_or_else(|| {
                bad_request("states", &state.to_string(), "name LIVE, QUIET, DEAD_INPUT, DEAD_REFERENCE or NEVER_FED")
            })?);
        }
        let business_days = business_days(request.business_days)?;
        let question = Wanted { business_days, figures: !request.without_figures, patterns: request.patterns };
        let (as_of, standing) = self.rules.standing(question).await?;
        let mut response = v1::ListRuleLivenessResponse { as_of: Some(as_of.into()), ..Default::default() };
        let Some(standing) = standing else { return Ok(response) };
        (response.from_date, response.to_date) = (standing.span.0.to_string(), standing.span.1.to_string());
        response.dead = standing.dead().count() as u32;
        let is_wanted = |rule: &&RuleLiveness| {
            (wanted.is_empty() || wanted.contains(&rule.pattern))
                && (states.is_empty() || states.contains(&rule.state))
                && (!request.only_dead || rule.dead_since.is_some())
        };
        response.rules = standing.rules.iter().filter(is_wanted).map(|rule| self.show(rule)).collect();
        Ok(response)
    }

    async fn get(&self, request: v1::GetRuleLivenessRequest) -> Result<v1::GetRuleLivenessResponse, ApiError> {
        let pattern = self.pattern("pattern", &request.pattern)?;
        let business_days = business_days(request.business_days)?;
        let question = Wanted { business_days, figures: true, patterns: vec![request.pattern] };
        let (as_of, standing) = self.rules.standing(question).await?;
        let (behaviours, any_effect) = self.rules.liveness.behaviours(pattern);
        let mut response = v1::GetRuleLivenessResponse {
            as_of: Some(as_of.into()),
            behaviours: behaviours.iter().map(|it| it.code().to_owned()).collect(),
            any_effect,
            reference_data: source_names(&self.rules.patterns, pattern),
            ..Default::default()
        };
        let Some(standing) = standing else { return Ok(response) };
        (response.from_date, response.to_date) = (standing.span.0.to_string(), standing.span.1.to_string());
        response.rule = standing.rules.iter().find(|rule| rule.pattern == pattern).map(|rule| self.show(rule));
        let days = self.rules.liveness.days(pattern, &standing.part, standing.span);
        let day = |(day, read, joined): (Day, i64, Option<i64>)| v1::RuleDay { date: day.to_string(), read, joined };
        response.days = days.into_iter().map(day).collect();
        Ok(response)
    }

    /// The dead rules, then what changes among them, for as long as somebody listens.
    async fn watch(&self, answers: &Answers<v1::WatchRuleAlarmsResponse>) -> Result<(), ApiError> {
        let mut seen = self.seen.clone();
        let mut known: Option<BTreeMap<PatternIndex, RuleLiveness>> = None;
        loop {
            let standing = seen.borrow_and_update().clone();
            if let Some(standing) = standing {
                let now: BTreeMap<PatternIndex, RuleLiveness> =
                    standing.dead().map(|rule| (rule.pattern, rule.clone())).collect();
                let rules = changed(known.as_ref(), &now, &standing);
                let response = v1::WatchRuleAlarmsResponse {
                    as_of: Some(standing.as_of.into()),
                    snapshot: known.is_none(),
                    rules: rules.into_iter().map(|rule| self.show(rule)).collect(),
                };
                if answers.send(Ok(response)).await.is_err() {
                    return Ok(());
                }
                known = Some(now);
            }
            if seen.changed().await.is_err() {
                return Err(not_serving("the coordinator is ending"));
            }
        }
    }

    fn pattern(&self, field: &str, id: &str) -> Result<PatternIndex, ApiError> {
        let found = self.rules.patterns.find(id);
        found.ok_or_else(|| bad_request(field, id, "no such pattern; `billwatch catalogue` lists them"))
    }

    fn show(&self, rule: &RuleLiveness) -> v1::RuleLiveness {
        let id = self.rules.patterns.id(rule.pattern);
        let row = self.rules.catalogue.pattern(id);
        let day = |day: Option<Day>| day.map(|day| day.to_string()).unwrap_or_default();
        v1::RuleLiveness {
            pattern: id.to_owned(),
            name_en: row.map(|row| row.english.to_string()).unwrap_or_default(),
            name_zh: row.map(|row| row.chinese.to_string()).unwrap_or_default(),
            state: match rule.state {
                State::Live => v1::RuleState::Live,
                State::Quiet => v1::RuleState::Quiet,
                State::DeadInput => v1::RuleState::DeadInput,
                State::DeadReference => v1::RuleState::DeadReference,
                State::NeverFed => v1::RuleState::NeverFed,
            }
            .into(),
            dead_since: day(rule.dead_since),
            first_fed: day(rule.fed.map(|(first, _)| first)),
            last_fed: day(rule.fed.map(|(_, last)| last)),
            silence_allowed: rule.silence_allowed,
            read: rule.read,
            joined: rule.joined,
            in_window: rule.in_window,
            near_threshold: rule.near,
            alerts: rule.alerts,
            empty_reference_data: rule.missing.clone(),
        }
    }
}

/// Rules whose alarm is new, gone or another one.
fn changed<'a>(
    known: Option<&BTreeMap<PatternIndex, RuleLiveness>>,
    now: &'a BTreeMap<PatternIndex, RuleLiveness>,
    standing: &'a Standing,
) -> Vec<&'a RuleLiveness> {
    let alarm = |rule: &RuleLiveness| (rule.state, rule.dead_since, rule.missing.clone());
    let Some(known) = known else { return now.values().collect() };
    let is_new = |rule: &&RuleLiveness| known.get(&rule.pattern).map(alarm) != Some(alarm(rule));
    let is_gone = |rule: &&RuleLiveness| known.contains_key(&rule.pattern) && !now.contains_key(&rule.pattern);
    now.values().filter(is_new).chain(standing.rules.iter().filter(is_gone)).collect()
}

fn business_days(asked: u32) -> Result<u32, ApiError> {
    match asked {
        days if days <= SPAN_DAYS_MOST => Ok(days),
        days => Err(bad_request("business_days", &days.to_string(), &format!("at most {SPAN_DAYS_MOST}"))),
    }
}

fn state_of(number: i32) -> Option<State> {
    Some(match v1::RuleState::try_from(number).ok()? {
        v1::RuleState::Unspecified => return None,
        v1::RuleState::Live => State::Live,
        v1::RuleState::Quiet => State::Quiet,
        v1::RuleState::DeadInput => State::DeadInput,
        v1::RuleState::DeadReference => State::DeadReference,
        v1::RuleState::NeverFed => State::NeverFed,
    })
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::ledger::AsOf;

    fn rule(place: u16, state: State, since: Option<&str>) -> RuleLiveness {
        RuleLiveness {
            pattern: PatternIndex(place),
            state,
            dead_since: since.and_then(Day::parse),
            fed: None,
            silence_allowed: 5,
            read: 0,
            joined: None,
            in_window: None,
            near: None,
            alerts: 0,
            missing: Vec::new(),
        }
    }

    fn told(before: Option<&[RuleLiveness]>, now: &[RuleLiveness]) -> Vec<(u16, State)> {
        let standing = |rules: &[RuleLiveness]| Standing {
            as_of: AsOf::default(),
            span: (Day(0), Day(0)),
            part: Default::default(),
            rules: rules.to_vec(),
        };
        let dead = |standing: &Standing| -> BTreeMap<PatternIndex, RuleLiveness> {
            standing.dead().map(|rule| (rule.pattern, rule.clone())).collect()
        };
        let (before, now) = (before.map(|rules| dead(&standing(rules))), standing(now));
        changed(before.as_ref(), &dead(&now), &now).iter().map(|rule| (rule.pattern.0, rule.state)).collect()
    }

    #[test]
    fn an_alarm_is_told_when_it_comes_changes_or_goes() {
        let quiet = rule(1, State::Quiet, None);
        let died = rule(1, State::DeadInput, Some("2025-03-14"));
        let blind = rule(1, State::DeadReference, Some("2025-03-03"));
        let other = rule(2, State::NeverFed, Some("2025-03-26"));
        assert_eq!(told(None, &[quiet.clone(), other.clone()]), [(2, State::NeverFed)]);
        assert_eq!(
            told(Some(&[quiet.clone(), other.clone()]), &[died.clone(), other.clone()]),
            [(1, State::DeadInput)]
        );
        assert_eq!(told(Some(from_ref(&died)), from_ref(&died)), []);
        assert_eq!(told(Some(from_ref(&died)), &[blind]), [(1, State::DeadReference)]);
        assert_eq!(told(Some(&[died, other.clone()]), &[quiet, other]), [(1, State::Quiet)]);
    }
}
