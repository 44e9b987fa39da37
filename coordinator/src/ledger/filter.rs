//! Which alerts a client asks for, and how one is shown.

use billwatch_market::{catalogue::Catalogue, handling::Status, ids::Day};
use billwatch_proto::v1::{self, AlertState};
use hashbrown::HashSet;

use super::book::{AlertEntry, LEVELS};
use crate::{
    api::errors::{ApiError, bad_request},
    parameters::ParameterBook,
};

/// A checked filter.
#[derive(Debug)]
pub struct Filter {
    patterns: HashSet<String>,
    keys: HashSet<String>,
    from_day: i32,
    to_day: i32,
    min_level: usize,
    state: AlertState,
    /// Empty = all.
    statuses: Vec<Status>,
}

impl Filter {
    /// Checks the filter of a request; families become their patterns.
    pub fn new(filter: Option<v1::AlertFilter>, catalogue: &Catalogue) -> Result<Self, ApiError> {
        let filter = filter.unwrap_or_default();
        let mut patterns: HashSet<String> = HashSet::new();
        for pattern in filter.patterns {
            if catalogue.pattern(&pattern).is_none() {
                return Err(bad_request(
                    "filter.patterns",
                    &pattern,
                    "name a pattern of the catalogue, for instance P048",
                ));
            }
            patterns.insert(pattern);
        }
        if !filter.families.is_empty() {
            let mut of_families = HashSet::new();
            for family in &filter.families {
                let mut rows = catalogue.patterns.iter().filter(|row| *row.family == **family).peekable();
                if rows.peek().is_none() {
                    return Err(bad_request("filter.families", family, "name an engine family of the catalogue"));
                }
                of_families.extend(rows.map(|row| row.id.to_string()));
            }
            patterns = if patterns.is_empty() { of_families } else { &patterns & &of_families };
            // Both given and nothing in common: no alert, not all.
            if patterns.is_empty() {
                patterns.insert(String::new());
            }
        }
        let min_level = match filter.min_level.as_str() {
            "" => 0,
            text => LEVELS
                .iter()
                .position(|level| *level == text)
                .ok_or_else(|| bad_request("filter.min_level", text, "use BLUE, YELLOW, ORANGE or RED"))?,
        };
        let status = |code: &String| {
            Status::parse(code).ok_or_else(|| {
                bad_request("filter.statuses", code, "use codes of `alert_status`: NEW, ACK, INV, ESC, FP, CLS, SUP")
            })
        };
        Ok(Filter {
            patterns,
            statuses: filter.statuses.iter().map(status).collect::<Result<_, _>>()?,
            keys: filter.keys.into_iter().collect(),
            from_day: day("filter.from_date", &filter.from_date, i32::MIN)?,
            to_day: day("filter.to_date", &filter.to_date, i32::MAX)?,
            min_level,
            state: AlertState::try_from(filter.state)
                .map_err(|_| bad_request("filter.state", &filter.state.to_string(), "use a value of AlertState"))?,
        })
    }

    /// True when an alert that matches may later not: level, state and the work on it change, all else of it does not.
    pub fn can_be_left(&self) -> bool {
        self.min_level > 0 || self.state != AlertState::Unspecified || !self.statuses.is_empty()
    }

    /// True when the alert is asked for.
    pub fn matches(&self, alert: &AlertEntry) -> bool {
        alert.level >= self.min_level
            && (self.from_day..=self.to_day).contains(&alert.now.biz_day)
            && (self.state == AlertState::Unspecified || self.state == alert.state)
            && (self.statuses.is_empty() || self.statuses.contains(&alert.status()))
            && (self.patterns.is_empty() || self.patterns.contains(&alert.now.pattern))
            && (self.keys.is_empty() || self.keys.contains(&alert.now.key))
    }
}

fn day(field: &str, text: &str, when_empty: i32) -> Result<i32, ApiError> {
    if text.is_empty() {
        return Ok(when_empty);
    }
    Day::parse(text)
        .map(|day| day.0)
        .ok_or_else(|| bad_request(field, text, "write a date as YYYY-MM-DD, or leave it empty"))
}

/// The alert as clients see it.
pub fn show(alert: &AlertEntry, catalogue: &Catalogue, parameters: &ParameterBook) -> v1::Alert {
    let row = catalogue.pattern(&alert.now.pattern);
    let text = |part: fn(&billwatch_market::catalogue::descriptions::PatternRow) -> &str| {
        row.map(|row| part(row).to_owned()).unwrap_or_default()
    };
    // The epoch of a change of parameters holds nothing else.
    let reason = match parameters.pattern_at(alert.last_epoch) {
        Some(_) => v1::AlertReason::ParametersChanged,
        None => v1::AlertReason::Unspecified,
    };
    let handled = alert.handled.as_ref();
    v1::Alert {
        status: alert.status().code().to_owned(),
        disposition: handled.map(|handled| handled.action.disposition.clone()).unwrap_or_default(),
        handled_by: handled.map(|handled| handled.action.set_by.clone()).unwrap_or_default(),
        handled_time_ms: handled.map_or(0, |handled| handled.action.set_time_ms),
        changed_since_closed: handled.is_some_and(|handled| handled.changed_since_closed),
        reason: reason.into(),
        alert_id: format!("{:032x}", alert.now.id),
        pattern: alert.now.pattern.clone(),
        name_en: text(|row| &row.english),
        name_zh: text(|row| &row.chinese),
        family: text(|row| &row.family),
        key: alert.now.key.clone(),
        biz_date: Day(alert.now.biz_day).to_string(),
        level: LEVELS[alert.level].to_owned(),
        hits: alert.now.hits.iter().sum(),
        state: alert.state.into(),
        parameters_version: alert.now.parameters_version,
        first_epoch: alert.first_epoch,
        last_epoch: alert.last_epoch,
        basis: text(|row| &row.basis),
    }
}
