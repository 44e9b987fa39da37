//! Which alerts a subscriber is told of: those that match its filter, and once more those that leave it.

use hashbrown::HashSet;

use super::{
    book::{AlertEntry, AlertId},
    filter::Filter,
};

/// What a subscriber was told. Ids are kept only under a filter that an alert can leave: 16 bytes each, at most all of the
/// ledger.
#[derive(Debug)]
pub struct Following {
    filter: Filter,
    shown: HashSet<AlertId>,
}

impl Following {
    /// Nothing was told yet.
    pub fn new(filter: Filter) -> Self {
        Following { filter, shown: HashSet::new() }
    }

    /// True when the alert, as it is now, must be told: it matches, or it matched when it was told last.
    pub fn tells(&mut self, alert: &AlertEntry) -> bool {
        let matches = self.filter.matches(alert);
        if !self.filter.can_be_left() {
            return matches;
        }
        if matches {
            self.shown.insert(alert.now.id);
            return true;
        }
        self.shown.remove(&alert.now.id)
    }
}

#[cfg(test)]
mod tests {
    use billwatch_market::{catalogue::Catalogue, handling::Status};
    use billwatch_proto::v1::{self, AlertState};

    use super::*;
    use crate::ledger::book::{Change, Handled};

    fn alert(id: AlertId, level: usize, state: AlertState, status: Option<Status>) -> AlertEntry {
        let handled = |status| Handled { action: Default::default(), status, changed_since_closed: false };
        AlertEntry {
            now: Change {
                id,
                pattern: "P048".into(),
                key: "E0000000001".into(),
                biz_day: 20_000,
                hits: [1, 0, 0, 0],
                parameters_version: 1,
            },
            level,
            state,
            first_epoch: 1,
            last_epoch: 1,
            raised_clock_ms: None,
            handled: status.map(handled),
        }
    }

    fn following(filter: v1::AlertFilter) -> Following {
        Following::new(Filter::new(Some(filter), &Catalogue::embedded()).unwrap())
    }

    #[test]
    fn what_leaves_the_filter_is_told_once_more() {
        let open = alert(1, 3, AlertState::Open, None);
        let leaves = [
            (v1::AlertFilter { state: AlertState::Open.into(), ..Default::default() }, {
                alert(1, 3, AlertState::Withdrawn, None)
            }),
            (v1::AlertFilter { min_level: "ORANGE".into(), ..Default::default() }, {
                alert(1, 0, AlertState::BasisChanged, None)
            }),
            (v1::AlertFilter { statuses: vec!["NEW".into()], ..Default::default() }, {
                alert(1, 3, AlertState::Open, Some(Status::Acknowledged))
            }),
        ];
        for (filter, left) in leaves {
            let mut following = following(filter.clone());
            assert!(!following.tells(&left), "{filter:?}: never shown, so nothing leaves");
            assert!(following.tells(&open));
            assert!(following.tells(&open), "{filter:?}: it changed");
            assert!(following.tells(&left), "{filter:?}: it left");
            assert!(!following.tells(&left), "{filter:?}: told once");
            assert!(following.tells(&open), "{filter:?}: it came back");
            assert!(following.tells(&left));
        }
    }

    #[test]
    fn a_filter_that_nothing_can_leave_keeps_no_ids() {
        let mut following = following(v1::AlertFilter { patterns: vec!["P048".into()], ..Default::default() });
        assert!(following.tells(&alert(1, 3, AlertState::Open, None)));
        assert!(following.tells(&alert(1, 0, AlertState::Withdrawn, None)));
        assert!(following.shown.is_empty());
    }
}
