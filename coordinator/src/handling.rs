//! What supervisors did with alerts, as the log holds it.
//!
//! Actions are orders (cluster.proto, `AlertActions`): written by the sequencer, delivered to every worker with their epoch,
//! and read again at start. The book is a function of the log. It says what was done up to an epoch; what that makes of an
//! alert stands in the ledger beside what the engine says of it ([`crate::ledger::book`]).

use std::sync::{Arc, PoisonError, RwLock};

use billwatch_market::{
    handling::{Action, Handling, Handlings, parse_codes},
    pattern::AlertId as MarketAlertId,
};
use billwatch_proto::v1::{self, order};
use hashbrown::HashMap;

use crate::ledger::book::{AlertId, parse_id};

/// The book. Shared behind an `Arc`.
#[derive(Debug, Default)]
pub struct HandlingBook {
    pages: RwLock<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    /// Oldest first, with their epochs.
    actions: Vec<Arc<v1::AlertAction>>,
    /// Places of the actions on an alert, ascending.
    of_alert: HashMap<AlertId, Vec<u32>>,
}

impl HandlingBook {
    /// What the log says was ordered: orders with their epoch.
    pub fn new(orders: &[(u64, v1::Order)]) -> Self {
        let book = HandlingBook::default();
        orders.iter().for_each(|(epoch, order)| book.ordered(*epoch, order));
        book
    }

    /// An order whose epoch is sealed on disk. In the order of the log.
    pub fn ordered(&self, epoch: u64, order: &v1::Order) {
        let Some(order::Kind::AlertActions(order)) = &order.kind else { return };
        let mut pages = self.pages.write().unwrap_or_else(PoisonError::into_inner);
        for action in &order.actions {
            // What is written was checked; another build's action that this one cannot read is nobody's.
            let Some(alert) = parse_id(&action.alert_id).filter(|_| read(action).is_some()) else { continue };
            let place = pages.actions.len() as u32;
            pages.actions.push(Arc::new(v1::AlertAction { epoch, ..action.clone() }));
            pages.of_alert.entry(alert).or_default().push(place);
        }
    }

    /// Actions of the epochs `after < epoch <= until`, in order.
    pub fn between(&self, after: u64, until: u64) -> Vec<Arc<v1::AlertAction>> {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        let place = |epoch: u64| pages.actions.partition_point(|action| action.epoch <= epoch);
        pages.actions.get(place(after)..place(until)).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// A page of actions up to an epoch, of some alerts or of all, from a place on; and the place of the next page.
    pub fn page(
        &self,
        alerts: &[AlertId],
        until: u64,
        from: usize,
        size: usize,
    ) -> (Vec<v1::AlertAction>, Option<usize>) {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        let mut chosen: Vec<u32> =
            alerts.iter().filter_map(|alert| pages.of_alert.get(alert)).flatten().copied().collect();
        chosen.sort_unstable();
        chosen.dedup();
        // Without ids every action is chosen: no list of them all is made.
        let count = if alerts.is_empty() { pages.actions.len() } else { chosen.len() };
        let action = |at: usize| &pages.actions[chosen.get(at).map_or(at, |place| *place as usize)];
        let known = (from..count).take_while(|at| action(*at).epoch <= until).take(size + 1).count();
        let page = (from..from + known.min(size)).map(|at| v1::AlertAction::clone(action(at))).collect();
        (page, (known > size).then_some(from + size))
    }

    /// Number of alerts on which somebody acted.
    pub fn alerts(&self) -> usize {
        self.pages.read().unwrap_or_else(PoisonError::into_inner).of_alert.len()
    }

    /// True when somebody acted on the alert.
    pub fn knows(&self, alert: AlertId) -> bool {
        self.pages.read().unwrap_or_else(PoisonError::into_inner).of_alert.contains_key(&alert)
    }

    /// How alerts are handled by the actions up to an epoch, for workers that begin behind it.
    pub fn up_to(&self, epoch: u64) -> Vec<v1::AlertHandling> {
        let mut handlings = Handlings::default();
        for action in self.between(0, epoch) {
            if let (Some(alert), Some(read)) = (parse_id(&action.alert_id), read(&action)) {
                handlings.apply(MarketAlertId(alert), read);
            }
        }
        let of_alert = |(alert, handling): (MarketAlertId, &Handling)| v1::AlertHandling {
            id_high: (alert.0 >> 64) as u64,
            id_low: alert.0 as u64,
            status: handling.status.code().to_owned(),
            disposition: handling.disposition.map(|code| code.to_string()).unwrap_or_default(),
            raised_clock_ms: handling.raised_ms,
            acknowledged_clock_ms: handling.acknowledged_ms,
            closed_clock_ms: handling.closed_ms,
        };
        handlings.iter().map(of_alert).collect()
    }
}

/// An action in the form of the market; `None` when its words are none.
fn read(action: &v1::AlertAction) -> Option<Action> {
    let (status, disposition) = parse_codes(&action.status, &action.disposition)?;
    Some(Action { status, disposition, raised_ms: action.raised_clock_ms, clock_ms: action.market_clock_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(alert: u128, status: &str, clock: i64) -> v1::AlertAction {
        v1::AlertAction {
            alert_id: format!("{alert:032x}"),
            status: status.into(),
            disposition: if status == "CLS" { "DP01".into() } else { String::new() },
            market_clock_ms: clock,
            ..v1::AlertAction::default()
        }
    }

    #[test]
    fn the_book_says_what_was_done_up_to_an_epoch() {
        let order = |actions: Vec<v1::AlertAction>| v1::Order {
            kind: Some(order::Kind::AlertActions(v1::AlertActions { actions })),
        };
        let orders = [
            (3, order(vec![action(1, "ACK", 30), action(2, "FP", 30)])),
            (5, order(vec![action(1, "CLS", 50), action(9, "of another build", 50)])),
        ];
        let book = HandlingBook::new(&orders);
        assert_eq!((book.alerts(), book.knows(1), book.knows(9)), (2, true, false));
        let statuses = |epoch| {
            let mut of: Vec<_> = book.up_to(epoch).into_iter().map(|it| (it.id_low, it.status)).collect();
            of.sort();
            of
        };
        assert_eq!(statuses(2), []);
        assert_eq!(statuses(4), [(1, "ACK".to_owned()), (2, "FP".to_owned())]);
        assert_eq!(statuses(5), [(1, "CLS".to_owned()), (2, "FP".to_owned())]);
        let epochs = |after, until| book.between(after, until).iter().map(|action| action.epoch).collect::<Vec<_>>();
        assert_eq!((epochs(0, 2), epochs(2, 4), epochs(3, 9)), (vec![], vec![3, 3], vec![5]));
        let page = |alerts: &[AlertId], until, from| {
            let (page, next) = book.page(alerts, until, from, 2);
            (page.into_iter().map(|action| action.status).collect::<Vec<_>>(), next)
        };
        assert_eq!(page(&[], 9, 0), (vec!["ACK".into(), "FP".into()], Some(2)));
        assert_eq!(page(&[], 9, 2), (vec!["CLS".into()], None));
        assert_eq!(page(&[], 4, 0), (vec!["ACK".into(), "FP".into()], None));
        assert_eq!(page(&[1, 1], 9, 0), (vec!["ACK".into(), "CLS".into()], None));
    }
}
