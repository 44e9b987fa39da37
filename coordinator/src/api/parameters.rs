//! `ParameterService`: parameters of patterns, changed while the cluster runs.
//!
//! A change is tested here against the rules that it would make; then the sequencer writes it. One at a time: the next one is
//! tested against a book that knows the one before.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use billwatch_market::{
    catalogue::Catalogue,
    pattern::{ParameterError, PatternIndex, Patterns},
};
use billwatch_proto::v1::{self, parameter_service_server::ParameterService};
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

use super::{
    errors::{ApiError, bad_request, internal, log_unavailable, no_such},
    pages::page_size,
    turns::Turn,
};
use crate::{
    cluster::Cluster,
    ingest::sequencer::{Change, Queue},
    ledger::{Ledger, diff::AlertsDiff, filter::show},
    limits,
    parameters::ParameterBook,
};

/// The service.
#[derive(Clone)]
pub struct ParameterApi {
    /// Names of patterns.
    pub catalogue: Arc<Catalogue>,
    /// Values and history.
    pub book: Arc<ParameterBook>,
    /// Where changes get their epoch.
    pub sequencer: Queue,
    /// Where their differences come out.
    pub ledger: Ledger,
    /// Whether anybody works on them.
    pub cluster: Cluster,
    /// Held from the test of a change until it is in the book.
    pub turn: Turn,
}

#[tonic::async_trait]
impl ParameterService for ParameterApi {
    async fn set_pattern_parameters(
        &self,
        request: Request<v1::SetPatternParametersRequest>,
    ) -> Result<Response<v1::SetPatternParametersResponse>, Status> {
        let request = request.into_inner();
        check_words(&request)?;
        let api = self.clone();
        let change = self.turn.take(async move { api.write(api.tested(request).await?).await }).await?;
        let version = change.version;
        tracing::info!(version, pattern = change.pattern, by = change.set_by, reason = change.reason, "parameters set");
        let has_come = self.cluster.shows(&self.ledger, change.epoch).await;
        let mut response = v1::SetPatternParametersResponse { change: Some(change.clone()), ..Default::default() };
        let shelf = self.ledger.read();
        if let Some(diff) = shelf.diffs.at(change.epoch).filter(|_| has_come) {
            response.as_of = Some(diff.as_of.into());
            response.diff = Some(diff.counts);
            let page = |ids: &[u128]| {
                let alerts = ids.iter().take(limits::PAGE_DEFAULT).filter_map(|id| shelf.book.get(*id));
                alerts.map(|alert| show(alert, &self.catalogue, &self.book)).collect()
            };
            (response.new_alerts, response.gone) = (page(&diff.new), page(&diff.gone));
        }
        Ok(Response::new(response))
    }

    async fn get_pattern_parameters(
        &self,
        request: Request<v1::GetPatternParametersRequest>,
    ) -> Result<Response<v1::GetPatternParametersResponse>, Status> {
        let wanted = request.into_inner().patterns;
        let patterns = self.patterns().await?;
        if let Some(unknown) = wanted.iter().find(|id| patterns.find(id).is_none()) {
            return Err(bad_request("patterns", unknown, &ParameterError::UnknownPattern.to_string()).into());
        }
        let is_wanted = |id: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == id);
        let rules = (0..patterns.rule_count()).map(|place| PatternIndex(place as u16));
        let shelf = self.ledger.read();
        let history = self.book.history();
        let entries = history.iter().filter(|change| is_wanted(&change.pattern));
        Ok(Response::new(v1::GetPatternParametersResponse {
            version: patterns.parameters_version(),
            patterns: rules
                .filter(|rule| is_wanted(patterns.id(*rule)))
                .map(|rule| self.parameters(&patterns, rule))
                .collect(),
            history: entries
                .map(|change| v1::ParameterHistoryEntry {
                    change: Some(change.clone()),
                    diff: shelf.diffs.at(change.epoch).map(|diff| diff.counts),
                })
                .collect(),
        }))
    }

    async fn list_parameter_diff(
        &self,
        request: Request<v1::ListParameterDiffRequest>,
    ) -> Result<Response<v1::ListParameterDiffResponse>, Status> {
        let request = request.into_inner();
        let size = page_size(request.page_size)?;
        let token = request.page_token;
        let from: usize = match token.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| bad_request("page_token", text, "use the token of the page before"))?,
        };
        let version = request.version;
        let change = self.book.history().iter().find(|change| change.version == version).cloned();
        let change =
            change.ok_or_else(|| no_such(format!("version {version}: list the history to see which exist")))?;
        let shelf = self.ledger.read();
        let missing = || no_such(format!("the difference of version {version}: the workers have not come so far"));
        let diff = shelf.diffs.at(change.epoch).ok_or_else(missing)?;
        if diff.is_dropped() {
            let most = limits::PARAMETER_DIFFS_KEPT;
            return Err(
                no_such(format!("the alerts of version {version}: those of the last {most} changes are kept")).into()
            );
        }
        let page = rows(diff).skip(from).take(size);
        let alerts: Vec<v1::DiffAlert> = page
            .filter_map(|(kind, id)| {
                let alert = shelf.book.get(id).map(|alert| show(alert, &self.catalogue, &self.book));
                Some(v1::DiffAlert { kind: kind.into(), alert: Some(alert?) })
            })
            .collect();
        let next = from.saturating_add(size);
        let next_page_token = if next < rows(diff).count() { next.to_string() } else { String::new() };
        Ok(Response::new(v1::ListParameterDiffResponse {
            change: Some(change),
            counts: Some(diff.counts),
            alerts,
            next_page_token,
            as_of: Some(diff.as_of.into()),
        }))
    }
}

fn rows(diff: &AlertsDiff) -> impl Iterator<Item = (v1::DiffKind, u128)> {
    let of = |kind, ids: &[u128]| ids.iter().map(move |id| (kind, *id)).collect::<Vec<_>>();
    let new = of(v1::DiffKind::New, &diff.new);
    new.into_iter().chain(of(v1::DiffKind::Gone, &diff.gone)).chain(of(v1::DiffKind::Changed, &diff.changed))
}

/// Who, why and what must be said, and briefly.
fn check_words(request: &v1::SetPatternParametersRequest) -> Result<(), ApiError> {
    let most = limits::WORDS_CHARS;
    for (field, text) in [("set_by", &request.set_by), ("reason", &request.reason)] {
        if text.trim().is_empty() {
            return Err(bad_request(field, text, "say it: the history keeps who changed a parameter, and why"));
        }
        if text.chars().count() > most {
            return Err(bad_request(field, text, &format!("write at most {most} characters")));
        }
    }
    let mut names = BTreeSet::new();
    for value in &request.values {
        if !names.insert(&value.name) {
            return Err(bad_request("values.name", &value.name, "name each parameter once"));
        }
    }
    if request.values.is_empty() {
        return Err(bad_request("values", "", "name at least one parameter and its value"));
    }
    Ok(())
}

impl ParameterApi {
    async fn patterns(&self) -> Result<Arc<Patterns>, ApiError> {
        let book = self.book.clone();
        let compiled = tokio::task::spawn_blocking(move || book.patterns()).await;
        compiled.map_err(|_| internal("the rules were not compiled"))?.map_err(|error| internal(&error.to_string()))
    }

    /// The change that a request asks for, if the rules compile with it and it changes anything.
    async fn tested(&self, request: v1::SetPatternParametersRequest) -> Result<v1::ParameterChange, ApiError> {
        let patterns = self.patterns().await?;
        for value in &request.values {
            patterns.check_parameter(&request.pattern, &value.name, &value.value).map_err(|error| match error {
                ParameterError::UnknownPattern => bad_request("pattern", &request.pattern, &error.to_string()),
                ParameterError::UnknownParameter(_) => bad_request("values.name", &value.name, &error.to_string()),
                ParameterError::WrongKind(_) => {
                    bad_request("values.value", &value.value, &format!("{}: {error}", value.name))
                }
            })?;
        }
        let change = v1::ParameterChange {
            version: self.book.version() + 1,
            pattern: request.pattern,
            values: request.values,
            set_time_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64),
            set_by: request.set_by,
            reason: request.reason,
            epoch: 0,
        };
        let (book, wanted) = (self.book.clone(), change.clone());
        let compiled = tokio::task::spawn_blocking(move || book.patterns_after(&wanted)).await;
        let after = compiled.map_err(|_| internal("the rules were not compiled"))?;
        let text = change.values.iter().map(|value| format!("{}={}", value.name, value.value)).collect::<Vec<_>>();
        let refused = |remedy: &str| bad_request("values", &text.join(" "), remedy);
        match after {
            Err(error) => Err(refused(&format!("the rule cannot be judged with it: {error}"))),
            Ok(None) => Err(refused("a value cannot be read")),
            Ok(Some(after)) if after.changed_since(&patterns).is_empty() => {
                Err(refused("these values are in force already: nothing to change"))
            }
            Ok(Some(_)) => Ok(change),
        }
    }

    /// Gives the change its epoch; returns once it is on disk and in the book.
    async fn write(&self, change: v1::ParameterChange) -> Result<v1::ParameterChange, ApiError> {
        let (reply, written) = oneshot::channel();
        let sequencer = self.sequencer.clone();
        let pushed = tokio::task::spawn_blocking(move || sequencer.push_change(Change { change, reply })).await;
        pushed.map_err(|_| internal("the change was not handed over"))?.map_err(|_| log_unavailable())?;
        written.await.map_err(|_| log_unavailable())
    }

    fn parameters(&self, patterns: &Patterns, rule: PatternIndex) -> v1::PatternParameters {
        let id = patterns.id(rule);
        let row = self.catalogue.pattern(id);
        let rows = patterns.parameter_rows(rule).iter();
        v1::PatternParameters {
            pattern: id.to_owned(),
            name_en: row.map(|row| row.english.to_string()).unwrap_or_default(),
            name_zh: row.map(|row| row.chinese.to_string()).unwrap_or_default(),
            parameters: rows
                .map(|row| v1::PatternParameter {
                    name: row.name.clone(),
                    value: row.value.clone(),
                    default_value: row.default.clone(),
                    kind: row.kind.name().to_owned(),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::mpsc, time::Duration};

    use billwatch_market::aggregate::Aggregates;
    use prost::bytes::Bytes;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::{
        cluster,
        counters::Counters,
        crosses::Crosses,
        epochs::Epochs,
        failure::Failure,
        handling::HandlingBook,
        ingest::{
            rebuild::{Rebuilt, rebuild},
            sequencer::{self, SealRule},
        },
        ledger::Books,
        log::writer::{self, LogItem, LogQueue},
        manifest::Manifest,
        reports::restating::Restating,
    };

    /// A service over a log of its own, without workers; and the queue of the log's writer.
    fn service(dir: &Path) -> (ParameterApi, LogQueue) {
        let (catalogue, failure, counters) = (Catalogue::embedded(), Failure::default(), Arc::<Counters>::default());
        let log_dir = dir.join("log");
        let Rebuilt { log, begin, sealed, .. } = rebuild(&log_dir, &counters).unwrap();
        let epochs = Arc::new(Epochs::new(log_dir.clone(), sealed));
        let book = Arc::new(ParameterBook::new(catalogue.clone(), Vec::new()));
        let handling = Arc::<HandlingBook>::default();
        let books = Books { parameters: book.clone(), handling: handling.clone() };
        let ledger = Ledger::open(dir, books, failure.clone()).unwrap();
        let crosses = Arc::new(Crosses::new(Arc::new(Aggregates::embedded().unwrap()), Vec::new()));
        let (log, log_state, _) = writer::start(log.writer, (), failure.clone());
        let surroundings = cluster::Surroundings {
            processes: 1,
            epochs_in_flight: 1,
            checkpoint_interval: None,
            catalogue_fingerprint: catalogue.fingerprint(),
            manifest: Manifest::open(dir).unwrap(),
            epochs: epochs.clone(),
            ledger: ledger.clone(),
            crosses: crosses.clone(),
            parameters: book.clone(),
            handling: handling.clone(),
            counters: counters.clone(),
        };
        let cluster = Cluster::start(surroundings, failure.clone());
        let surroundings = sequencer::Surroundings {
            log: log.clone(),
            log_state,
            log_dir,
            epochs,
            counters,
            restating: Arc::new(Restating::behind(0)),
            freshness: Arc::default(),
            crosses,
            parameters: book.clone(),
            handling,
            rule: SealRule { interval: limits::EPOCH_INTERVAL, records: limits::EPOCH_RECORDS },
        };
        let (sequencer, _) = sequencer::start(begin, surroundings, failure);
        (ParameterApi { catalogue, book, sequencer, ledger, cluster, turn: Turn::default() }, log)
    }

    fn set(pattern: &str, name: &str, value: &str) -> Request<v1::SetPatternParametersRequest> {
        Request::new(v1::SetPatternParametersRequest {
            pattern: pattern.into(),
            values: vec![v1::ParameterValue { name: name.into(), value: value.into() }],
            set_by: "li.wei".into(),
            reason: "a test".into(),
        })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_change_whose_caller_has_gone_has_a_version_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (api, log) = service(dir.path());
        let (release, held) = mpsc::channel::<()>();
        let then: Box<dyn FnOnce() + Send> = Box::new(move || _ = held.recv());
        log.push(LogItem { frame: Bytes::new(), epoch: 0, then: Some(then) }).unwrap();
        // The first caller's deadline passes while the disk is slow: its call is dropped, its change is not.
        let first = api.set_pattern_parameters(set("P041", "min_banks", "1"));
        assert!(timeout(Duration::from_secs(2), first).await.is_err());
        let second = tokio::spawn({
            let api = api.clone();
            async move { api.set_pattern_parameters(set("P165", "k", "1")).await }
        });
        // Time to be tested, were it not for the turn.
        sleep(Duration::from_secs(1)).await;
        drop(release);
        let second = second.await.unwrap().unwrap().into_inner().change.unwrap();
        assert_eq!((second.version, second.pattern.as_str()), (2, "P165"));
        let known: Vec<_> = api.book.history().iter().map(|change| (change.version, change.pattern.clone())).collect();
        assert_eq!(known, [(1, "P041".to_owned()), (2, "P165".to_owned())]);
    }
}
