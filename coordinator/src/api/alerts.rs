//! `AlertService`: alerts from the ledger, evidence from the workers. What supervisors do is in [`super::handling`].

use std::{cmp::Reverse, sync::Arc};

use billwatch_market::catalogue::Catalogue;
use billwatch_proto::v1::{self, AlertState, alert_service_server::AlertService, shard_question::Kind};
use hashbrown::HashMap;
use tokio::sync::broadcast::error::RecvError;
use tonic::{Request, Response, Status};

use super::{
    errors::{ApiError, bad_request, no_such, too_slow},
    pages::page_size,
    turns::Turn,
    watches::{Answers, Watched, Watches},
};
use crate::{
    cluster::Cluster,
    epochs::Epochs,
    handling::HandlingBook,
    ingest::sequencer::Queue,
    ledger::{
        Ledger,
        book::{AlertEntry, Place, parse_id},
        filter::{Filter, show},
        follow::Following,
    },
    limits,
    metrics::questions::{QuestionKind, QuestionTimes},
    parameters::ParameterBook,
};

/// The service.
#[derive(Clone)]
pub struct AlertApi {
    /// Names of patterns.
    pub catalogue: Arc<Catalogue>,
    /// The alerts.
    pub ledger: Ledger,
    /// Under which parameters they were judged.
    pub parameters: Arc<ParameterBook>,
    /// What was done with them.
    pub handling: Arc<HandlingBook>,
    /// Where what is done gets its epoch.
    pub sequencer: Queue,
    /// Tells when it is sealed.
    pub epochs: Arc<Epochs>,
    /// Held from the test of what is done until the book knows it.
    pub turn: Turn,
    /// Who explains them.
    pub cluster: Cluster,
    /// How long it took.
    pub times: Arc<QuestionTimes>,
    /// Subscriptions.
    pub watches: Watches,
}

#[tonic::async_trait]
impl AlertService for AlertApi {
    type WatchAlertsStream = Watched<v1::WatchAlertsResponse>;

    async fn list_alerts(
        &self,
        request: Request<v1::ListAlertsRequest>,
    ) -> Result<Response<v1::ListAlertsResponse>, Status> {
        let request = request.into_inner();
        let filter = Filter::new(request.filter, &self.catalogue)?;
        let size = page_size(request.page_size)?;
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(
                parse_token(token)
                    .ok_or_else(|| bad_request("page_token", token, "use the token of the page before"))?,
            ),
        };
        let api = self.clone();
        let list = move || api.list(&filter, after, size);
        Ok(Response::new(tokio::task::spawn_blocking(list).await.map_err(|_| Status::internal("the list broke off"))?))
    }

    async fn watch_alerts(
        &self,
        request: Request<v1::WatchAlertsRequest>,
    ) -> Result<Response<Self::WatchAlertsStream>, Status> {
        let filter = Filter::new(request.into_inner().filter, &self.catalogue)?;
        let api = self.clone();
        self.watches.begin(|answers| async move { api.watch(filter, &answers).await })
    }

    async fn explain_alert(
        &self,
        request: Request<v1::ExplainAlertRequest>,
    ) -> Result<Response<v1::ExplainAlertResponse>, Status> {
        let text = request.into_inner().alert_id;
        let id = parse_id(&text)
            .ok_or_else(|| bad_request("alert_id", &text, "use the id of an alert: 32 hexadecimal digits"))?;
        let alert = self.ledger.read().book.get(id).cloned();
        let alert = alert.ok_or_else(|| no_such(format!("alert {text}: list the alerts to see which exist")))?;
        let explained = self.times.timed(QuestionKind::Explain, self.explain(&alert)).await?;
        Ok(Response::new(explained))
    }

    async fn handle_alerts(
        &self,
        request: Request<v1::HandleAlertsRequest>,
    ) -> Result<Response<v1::HandleAlertsResponse>, Status> {
        Ok(Response::new(self.handle(request.into_inner()).await?))
    }

    async fn list_alert_actions(
        &self,
        request: Request<v1::ListAlertActionsRequest>,
    ) -> Result<Response<v1::ListAlertActionsResponse>, Status> {
        Ok(Response::new(self.actions_page(&request.into_inner())?))
    }
}

impl AlertApi {
    fn list(&self, filter: &Filter, after: Option<Place>, size: usize) -> v1::ListAlertsResponse {
        let shelf = self.ledger.read();
        let mut response = v1::ListAlertsResponse { as_of: Some(shelf.as_of.into()), ..Default::default() };
        let mut open: HashMap<&str, u64> = HashMap::new();
        let mut last = None;
        let mut more = false;
        for alert in shelf.book.after(None).filter(|alert| filter.matches(alert)) {
            response.total_size += 1;
            if alert.state != AlertState::Withdrawn {
                *open.entry(&alert.now.pattern).or_default() += 1;
            }
            let place = (Reverse(alert.now.biz_day), alert.now.id);
            if after.is_some_and(|after| place <= after) {
                continue;
            }
            if response.alerts.len() < size {
                response.alerts.push(show(alert, &self.catalogue, &self.parameters));
                last = Some(place);
            } else {
                more = true;
            }
        }
        response.open_by_pattern = open.into_iter().map(|(pattern, count)| (pattern.to_owned(), count)).collect();
        response.next_page_token = last.filter(|_| more).map(token).unwrap_or_default();
        response
    }

    /// Snapshot, then changes, until the subscriber is too slow.
    async fn watch(&self, filter: Filter, answers: &Answers<v1::WatchAlertsResponse>) -> Result<(), ApiError> {
        let mut following = Following::new(filter);
        // Taken together: no change is missed, none comes twice.
        let (as_of, alerts, mut changes) = {
            let shelf = self.ledger.read();
            let alerts: Vec<AlertEntry> =
                shelf.book.after(None).filter(|alert| following.tells(alert)).cloned().collect();
            (shelf.as_of, alerts, self.ledger.subscribe())
        };
        let response = |as_of: crate::ledger::AsOf, snapshot, alerts: Vec<v1::Alert>| {
            Ok(v1::WatchAlertsResponse { as_of: Some(as_of.into()), snapshot, alerts })
        };
        let mut pages = alerts.chunks(limits::PAGE_MOST);
        // Also an empty snapshot is told.
        let mut page = pages.next().unwrap_or_default();
        loop {
            let shown = page.iter().map(|alert| show(alert, &self.catalogue, &self.parameters)).collect();
            if answers.send(response(as_of, true, shown)).await.is_err() {
                return Ok(());
            }
            match pages.next() {
                Some(next) => page = next,
                None => break,
            }
        }
        drop(alerts);
        loop {
            let change = match changes.recv().await {
                Ok(change) => change,
                Err(RecvError::Lagged(_)) => return Err(too_slow()),
                Err(RecvError::Closed) => return Ok(()),
            };
            let alerts = change.alerts.iter().filter(|alert| following.tells(alert));
            let shown = alerts.map(|alert| show(alert, &self.catalogue, &self.parameters)).collect();
            if answers.send(response(change.as_of, false, shown)).await.is_err() {
                return Ok(());
            }
        }
    }

    async fn explain(&self, alert: &AlertEntry) -> Result<v1::ExplainAlertResponse, ApiError> {
        let question = v1::ExplainQuestion { alert: Some(alert.as_change()), judged_keys: Vec::new() };
        let mut response = self.ask_evidence(alert, question.clone()).await?;
        if !response.judged_keys.is_empty() {
            // One shard knows where the alert was judged; now all know what to look for.
            let judged_keys = response.judged_keys.clone();
            response = self.ask_evidence(alert, v1::ExplainQuestion { judged_keys, ..question }).await?;
        }
        Ok(response)
    }

    /// The parameters of a pattern with their values in force.
    async fn parameters_of(&self, pattern: &str) -> String {
        let book = self.parameters.clone();
        let compiled = tokio::task::spawn_blocking(move || book.patterns().ok()).await.ok().flatten();
        let found = compiled.as_ref().and_then(|patterns| Some((patterns, patterns.find(pattern)?)));
        let values = found.map(|(patterns, rule)| patterns.parameters(rule));
        values.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn ask_evidence(
        &self,
        alert: &AlertEntry,
        question: v1::ExplainQuestion,
    ) -> Result<v1::ExplainAlertResponse, ApiError> {
        let asked = self.cluster.ask(Kind::Explain(question)).await?;
        let as_of = asked.as_of;
        let row = self.catalogue.pattern(&alert.now.pattern);
        let mut response = v1::ExplainAlertResponse {
            as_of: Some(as_of.into()),
            alert: Some(show(alert, &self.catalogue, &self.parameters)),
            definition: row.map(|row| row.definition.to_string()).unwrap_or_default(),
            parameters: self.parameters_of(&alert.now.pattern).await,
            ..Default::default()
        };
        for (_, part) in asked.all().await? {
            let Some(v1::shard_answer::Kind::Explain(part)) = part.kind else { continue };
            response.facts.extend(part.facts);
            response.baseline.extend(part.baseline);
            response.judged_keys.extend(part.judged_keys);
            // The owner of the alert knows the parameters that were in force.
            if !part.parameters.is_empty() {
                response.parameters = part.parameters;
            }
            if !part.definition.is_empty() {
                response.definition = part.definition;
            }
        }
        response.judged_keys.sort();
        response.judged_keys.dedup();
        Ok(response)
    }
}

fn token((Reverse(day), id): Place) -> String {
    format!("{day}.{id:032x}")
}

fn parse_token(text: &str) -> Option<Place> {
    let (day, id) = text.split_once('.')?;
    Some((Reverse(day.parse().ok()?), parse_id(id)?))
}
