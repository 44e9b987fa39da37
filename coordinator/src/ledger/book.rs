//! The book of alerts in memory: what a change of hits does to an alert, and the order in which alerts are shown.
//!
//! An alert exists while it has hits; its level is the highest with hits. It is *open* while its basis holds, *withdrawn* when
//! its last hit is gone, and *basis changed* when it holds on another basis than when it was first shown: a hit was taken
//! back from it, or it came back after it had been withdrawn. What supervisors did with it stands beside that, and neither
//! touches the other; only that the basis of a closed alert changed is noted, so that somebody looks again.

use std::{cmp::Reverse, collections::BTreeSet, ops::Bound, sync::Arc};

use billwatch_market::handling::{STATUSES, Status};
use billwatch_proto::v1::{self, AlertState};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::AsOf;

/// Stable id of (pattern, key, business date), given by the workers; shown as 32 hexadecimal digits.
pub type AlertId = u128;

/// Names of the levels, lowest first.
pub const LEVELS: [&str; 4] = ["BLUE", "YELLOW", "ORANGE", "RED"];

/// The id of its text form.
pub fn parse_id(text: &str) -> Option<AlertId> {
    (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok())?
}

/// Hits of one alert after an epoch, as the file keeps them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// The alert.
    pub id: AlertId,
    /// Pattern.
    pub pattern: String,
    /// Key as text.
    pub key: String,
    /// Days since 1970-01-01.
    pub biz_day: i32,
    /// Hits by level.
    pub hits: [u32; LEVELS.len()],
    /// Version of the parameters.
    pub parameters_version: u32,
}

impl From<&v1::AlertChange> for Change {
    fn from(change: &v1::AlertChange) -> Self {
        let mut hits = [0; LEVELS.len()];
        for (own, sent) in hits.iter_mut().zip(&change.hits) {
            *own = *sent;
        }
        Change {
            id: u128::from(change.id_high) << 64 | u128::from(change.id_low),
            pattern: change.pattern.clone(),
            key: change.key.clone(),
            biz_day: change.biz_day,
            hits,
            parameters_version: change.parameters_version,
        }
    }
}

/// One alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertEntry {
    /// The last change.
    pub now: Change,
    /// Level as index in [`LEVELS`]; of a withdrawn alert: the last one.
    pub level: usize,
    /// Where it stands.
    pub state: AlertState,
    /// Epoch at which it appeared.
    pub first_epoch: u64,
    /// Epoch of its last change.
    pub last_epoch: u64,
    /// Market clock (ms) of the epoch at which it appeared.
    pub raised_clock_ms: Option<i64>,
    /// What was done with it last; `None` while it is new.
    pub handled: Option<Handled>,
}

/// What was done with an alert last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handled {
    /// The action.
    pub action: Arc<v1::AlertAction>,
    /// Where that puts it.
    pub status: Status,
    /// Its basis changed since it was closed.
    pub changed_since_closed: bool,
}

impl AlertEntry {
    /// Where the work on it stands.
    pub fn status(&self) -> Status {
        self.handled.as_ref().map_or(Status::New, |handled| handled.status)
    }

    /// The question form of the alert, for the workers.
    pub fn as_change(&self) -> v1::AlertChange {
        v1::AlertChange {
            id_high: (self.now.id >> 64) as u64,
            id_low: self.now.id as u64,
            pattern: self.now.pattern.clone(),
            key: self.now.key.clone(),
            biz_day: self.now.biz_day,
            hits: self.now.hits.to_vec(),
            parameters_version: self.now.parameters_version,
        }
    }
}

/// Place in the order shown: newest business date first, then by id.
pub type Place = (Reverse<i32>, AlertId);

/// All alerts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Book {
    alerts: HashMap<AlertId, AlertEntry>,
    order: BTreeSet<Place>,
    census: Census,
}

/// Alerts counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Alerts that hold now, by level.
    pub open: [u64; LEVELS.len()],
    /// Alerts that hold now, by where the work on them stands.
    pub by_status: [u64; STATUSES.len()],
    /// How often an alert appeared, or came back.
    pub opened: u64,
    /// How often the last hit of an alert was taken back.
    pub withdrawn: u64,
}

impl Census {
    /// An alert of this status went from one level to another; `None` = it does not hold.
    fn moved(&mut self, status: Status, from: Option<usize>, to: Option<usize>) {
        match (from, to) {
            (None, Some(_)) => self.by_status[status as usize] += 1,
            (Some(_), None) => self.by_status[status as usize] -= 1,
            _ => {}
        }
        if let Some(level) = from {
            self.open[level] -= 1;
        }
        if let Some(level) = to {
            self.open[level] += 1;
        }
        self.opened += u64::from(from.is_none() && to.is_some());
        self.withdrawn += u64::from(from.is_some() && to.is_none());
    }
}

impl Book {
    /// Applies what a supervisor did; gives the alert, unless there is none.
    pub fn handle(&mut self, action: &Arc<v1::AlertAction>) -> Option<AlertId> {
        let (id, status) = (parse_id(&action.alert_id)?, Status::parse(&action.status)?);
        let handled = Handled { action: action.clone(), status, changed_since_closed: false };
        let alert = self.alerts.get_mut(&id)?;
        if alert.state != AlertState::Withdrawn {
            self.census.by_status[alert.status() as usize] -= 1;
            self.census.by_status[status as usize] += 1;
        }
        alert.handled = Some(handled);
        Some(id)
    }

    /// Applies a change of an epoch; false when nothing changes.
    pub fn apply(&mut self, change: &Change, as_of: AsOf) -> bool {
        let epoch = as_of.epoch;
        let level = change.hits.iter().rposition(|&hits| hits > 0);
        let Some(alert) = self.alerts.get_mut(&change.id) else {
            let Some(level) = level else { return false };
            let alert = AlertEntry {
                now: change.clone(),
                level,
                state: AlertState::Open,
                first_epoch: epoch,
                last_epoch: epoch,
                raised_clock_ms: as_of.market_clock_ms,
                handled: None,
            };
            self.order.insert((Reverse(change.biz_day), change.id));
            self.alerts.insert(change.id, alert);
            self.census.moved(Status::New, None, Some(level));
            return true;
        };
        if alert.now == *change {
            return false;
        }
        self.census.moved(alert.status(), (alert.state != AlertState::Withdrawn).then_some(alert.level), level);
        let fell = change.hits.iter().zip(&alert.now.hits).any(|(now, before)| now < before);
        alert.state = match (level, alert.state) {
            (None, _) => AlertState::Withdrawn,
            (Some(_), AlertState::Withdrawn) => AlertState::BasisChanged,
            (Some(_), _) if fell => AlertState::BasisChanged,
            (Some(_), state) => state,
        };
        if let Some(handled) = alert.handled.as_mut().filter(|handled| handled.status.is_closed()) {
            handled.changed_since_closed = true;
        }
        alert.level = level.unwrap_or(alert.level);
        alert.last_epoch = epoch;
        alert.now = change.clone();
        true
    }

    /// How many there are, and were.
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// One alert.
    pub fn get(&self, id: AlertId) -> Option<&AlertEntry> {
        self.alerts.get(&id)
    }

    /// Alerts in the order shown, from behind a place.
    pub fn after(&self, place: Option<Place>) -> impl Iterator<Item = &AlertEntry> {
        let from = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((from, Bound::Unbounded)).map(|(_, id)| &self.alerts[id])
    }

    /// Number of alerts, withdrawn ones too.
    pub fn len(&self) -> usize {
        self.alerts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: AlertId, biz_day: i32, hits: [u32; 4]) -> Change {
        Change { id, pattern: "P048".into(), key: "E0000000001".into(), biz_day, hits, parameters_version: 1 }
    }

    fn at(epoch: u64) -> AsOf {
        AsOf { epoch, market_clock_ms: Some(epoch as i64 * 1_000) }
    }

    #[test]
    fn a_closed_alert_says_that_its_basis_changed() {
        let mut book = Book::default();
        let act = |book: &mut Book, status: &str| {
            let action =
                v1::AlertAction { alert_id: format!("{:032x}", 1), status: status.into(), ..Default::default() };
            book.handle(&Arc::new(action))
        };
        assert_eq!(act(&mut book, "ACK"), None, "there is no such alert yet");
        book.apply(&change(1, 9, [1, 0, 0, 0]), at(2));
        let now = |book: &Book| {
            let alert = book.get(1).unwrap();
            let since = alert.handled.as_ref().is_some_and(|handled| handled.changed_since_closed);
            (alert.status(), since, alert.state, alert.raised_clock_ms)
        };
        assert_eq!(now(&book), (Status::New, false, AlertState::Open, Some(2_000)));
        assert_eq!(act(&mut book, "ACK"), Some(1));
        book.apply(&change(1, 9, [0, 1, 0, 0]), at(3));
        assert_eq!(now(&book), (Status::Acknowledged, false, AlertState::BasisChanged, Some(2_000)));
        act(&mut book, "FP");
        book.apply(&change(1, 9, [0, 1, 0, 0]), at(4));
        assert!(!now(&book).1, "nothing changed");
        book.apply(&change(1, 9, [0; 4]), at(5));
        assert_eq!(now(&book), (Status::FalsePositive, true, AlertState::Withdrawn, Some(2_000)));
        assert_eq!(book.census().by_status, [0; 7]);
        book.apply(&change(1, 9, [1, 0, 0, 0]), at(6));
        assert_eq!(book.census().by_status, [0, 0, 0, 0, 1, 0, 0], "it came back closed as a false positive");
        act(&mut book, "ACK");
        assert_eq!(book.census().by_status, [0, 1, 0, 0, 0, 0, 0]);
        book.apply(&change(1, 9, [0; 4]), at(7));
        act(&mut book, "INV");
        assert_eq!(book.census().by_status, [0; 7]);
        assert_eq!(now(&book), (Status::UnderInvestigation, false, AlertState::Withdrawn, Some(2_000)));
    }

    #[test]
    fn an_alert_rises_falls_goes_and_comes_back() {
        let mut book = Book::default();
        let mut step = |hits, epoch| {
            let changed = book.apply(&change(1, 9, hits), at(epoch));
            let alert = book.get(1);
            (changed, alert.map(|alert| (alert.state, LEVELS[alert.level], alert.first_epoch, alert.last_epoch)))
        };
        assert_eq!(step([0; 4], 1), (false, None), "hits that cancel out are no alert");
        assert_eq!(step([1, 0, 0, 0], 2), (true, Some((AlertState::Open, "BLUE", 2, 2))));
        assert_eq!(step([2, 0, 1, 0], 3), (true, Some((AlertState::Open, "ORANGE", 2, 3))));
        assert_eq!(step([2, 0, 1, 0], 4), (false, Some((AlertState::Open, "ORANGE", 2, 3))));
        assert_eq!(step([2, 0, 0, 0], 5), (true, Some((AlertState::BasisChanged, "BLUE", 2, 5))));
        assert_eq!(step([0; 4], 6), (true, Some((AlertState::Withdrawn, "BLUE", 2, 6))));
        assert_eq!(step([0, 0, 0, 1], 7), (true, Some((AlertState::BasisChanged, "RED", 2, 7))));
        assert_eq!(
            *book.census(),
            Census { open: [0, 0, 0, 1], by_status: [1, 0, 0, 0, 0, 0, 0], opened: 2, withdrawn: 1 }
        );
    }

    #[test]
    fn newest_dates_come_first_then_ids() {
        let mut book = Book::default();
        for (id, day) in [(3, 10), (1, 11), (2, 10), (9, 11)] {
            book.apply(&change(id, day, [1, 0, 0, 0]), at(1));
        }
        let ids = |place| book.after(place).map(|alert| alert.now.id).collect::<Vec<_>>();
        assert_eq!(ids(None), vec![1, 9, 2, 3]);
        assert_eq!(ids(Some((Reverse(11), 9))), vec![2, 3]);
        assert_eq!(parse_id(&format!("{:032x}", 255u128)), Some(255));
        assert_eq!(parse_id("ff"), None);
    }
}
