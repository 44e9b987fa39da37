//! What supervisors do with alerts: tested here, written by the sequencer as an order, shown once the ledger has its epoch.

use std::time::{SystemTime, UNIX_EPOCH};

use billwatch_market::handling::Status as HandlingStatus;
use billwatch_proto::v1::{self, order};
use hashbrown::HashSet;

use super::{
    alerts::AlertApi,
    errors::{ApiError, bad_request, log_unavailable, no_such, too_large},
    pages::page_size,
};
use crate::{
    ledger::{
        book::{AlertId, parse_id},
        filter::show,
    },
    limits,
};

/// Reads the ids of a request.
fn ids(field: &str, texts: &[String]) -> Result<Vec<AlertId>, ApiError> {
    if texts.len() > limits::PAGE_MOST {
        let most = format!("name at most {} alerts at once", limits::PAGE_MOST);
        return Err(bad_request(field, &format!("{} ids", texts.len()), &most));
    }
    let read = |text: &String| {
        parse_id(text).ok_or_else(|| bad_request(field, text, "use the id of an alert: 32 hexadecimal digits"))
    };
    texts.iter().map(read).collect()
}

impl AlertApi {
    /// Tests a request and makes its actions.
    fn actions(&self, request: &v1::HandleAlertsRequest) -> Result<Vec<v1::AlertAction>, ApiError> {
        let enumeration = |name: &str, code: &str| {
            self.catalogue.enums.named(name).and_then(|enumeration| enumeration.item(code)).is_some()
        };
        let status = HandlingStatus::parse(&request.status).filter(|status| *status != HandlingStatus::New);
        let status = status.ok_or_else(|| {
            bad_request("status", &request.status, "use ACK, INV, ESC, FP, CLS or SUP (alert_status)")
        })?;
        let disposition = request.disposition.as_str();
        match (status == HandlingStatus::Closed, disposition.is_empty()) {
            (true, true) => {
                return Err(bad_request("disposition", "", "say what came of it: DP01 to DP07 (alert_disposition)"));
            }
            (false, false) => {
                return Err(bad_request("disposition", disposition, "leave it empty: it goes with status CLS alone"));
            }
            (true, false) if !enumeration("alert_disposition", disposition) => {
                return Err(bad_request("disposition", disposition, "use DP01 to DP07 (alert_disposition)"));
            }
            _ => {}
        }
        if request.set_by.trim().is_empty() {
            return Err(bad_request("set_by", &request.set_by, "say who does it: the history keeps it"));
        }
        for (field, text) in [("set_by", &request.set_by), ("note", &request.note)] {
            if text.chars().count() > limits::WORDS_CHARS {
                return Err(bad_request(field, text, &format!("write at most {} characters", limits::WORDS_CHARS)));
            }
        }
        let wanted = ids("alert_ids", &request.alert_ids)?;
        if wanted.is_empty() {
            return Err(bad_request("alert_ids", "", "name at least one alert"));
        }
        let (mut seen, set_time) = (HashSet::new(), SystemTime::now().duration_since(UNIX_EPOCH));
        let set_time_ms = set_time.map_or(0, |now| now.as_millis() as i64);
        let shelf = self.ledger.read();
        let mut actions = Vec::with_capacity(wanted.len());
        for (id, text) in wanted.into_iter().zip(&request.alert_ids) {
            if !seen.insert(id) {
                return Err(bad_request("alert_ids", text, "name each alert once"));
            }
            let alert = shelf.book.get(id);
            let alert = alert.ok_or_else(|| no_such(format!("alert {text}: list the alerts to see which exist")))?;
            // Before the first watermark there is no market clock; the wall's stands for it.
            let clock_ms = shelf.as_of.market_clock_ms.unwrap_or(set_time_ms);
            actions.push(v1::AlertAction {
                alert_id: format!("{id:032x}"),
                status: status.code().to_owned(),
                disposition: disposition.to_owned(),
                set_by: request.set_by.clone(),
                note: request.note.clone(),
                set_time_ms,
                market_clock_ms: clock_ms,
                raised_clock_ms: alert.raised_clock_ms.unwrap_or(clock_ms),
                epoch: 0,
            });
        }
        let new = seen.iter().filter(|id| !self.handling.knows(**id)).count();
        let known = self.handling.alerts();
        if known + new > limits::ALERTS_HANDLED_MOST {
            return Err(too_large("alerts that were acted on", known + new, limits::ALERTS_HANDLED_MOST));
        }
        Ok(actions)
    }

    /// Writes actions down, and waits until they are shown.
    pub(super) async fn handle(&self, request: v1::HandleAlertsRequest) -> Result<v1::HandleAlertsResponse, ApiError> {
        let (api, wanted) = (self.clone(), request.clone());
        // One at a time: between the test of the limit and the book that knows the order nobody else may add alerts.
        let ordered = self.turn.take(async move {
            let actions = api.actions(&wanted)?;
            let order = v1::Order { kind: Some(order::Kind::AlertActions(v1::AlertActions { actions })) };
            let epoch = api.sequencer.order(order).await.map_err(|_| log_unavailable())?;
            api.epochs.reached(epoch).await;
            Ok(epoch)
        });
        let epoch = ordered.await?;
        let (count, status, by) = (request.alert_ids.len(), &request.status, &request.set_by);
        tracing::info!(count, status, by, epoch, "alerts handled");
        let is_shown = self.cluster.shows(&self.ledger, epoch).await;
        let shelf = self.ledger.read();
        let wanted = request.alert_ids.iter().filter_map(|text| shelf.book.get(parse_id(text)?));
        Ok(v1::HandleAlertsResponse {
            as_of: is_shown.then(|| shelf.as_of.into()),
            epoch,
            alerts: wanted.map(|alert| show(alert, &self.catalogue, &self.parameters)).collect(),
        })
    }

    /// What was done with alerts, up to the epoch of the ledger.
    pub(super) fn actions_page(
        &self,
        request: &v1::ListAlertActionsRequest,
    ) -> Result<v1::ListAlertActionsResponse, ApiError> {
        let (wanted, size) = (ids("alert_ids", &request.alert_ids)?, page_size(request.page_size)?);
        let from = match request.page_token.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| bad_request("page_token", text, "use the token of the page before"))?,
        };
        let as_of = self.ledger.read().as_of;
        let (actions, next) = self.handling.page(&wanted, as_of.epoch, from, size);
        Ok(v1::ListAlertActionsResponse {
            as_of: Some(as_of.into()),
            actions,
            next_page_token: next.map(|next| next.to_string()).unwrap_or_default(),
        })
    }
}
