//! `CustomReportService`: crosses that clients ask for.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use billwatch_market::{
    aggregate::{
        cross::{
            Cross, CrossId,
            wire::{CompiledCross, CrossPart, GatheredCross},
        },
        wire::{Request as Words, RequestError},
    },
    catalogue::Catalogue,
};
use billwatch_proto::v1::{
    self, CustomReportState as State, custom_report_service_server::CustomReportService, order, shard_answer,
    shard_question::Kind,
};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Request, Response, Status};

use super::{
    cells::{grain_of, show},
    errors::{ApiError, bad_request, busy, internal, log_unavailable, no_such, not_live, too_many_rows, worker_failed},
    turns::Turn,
    watches::{Answers, Watched, Watches},
};
use crate::{
    cluster::Cluster,
    crosses::{Crosses, Kept, definition_of},
    epochs::Epochs,
    ingest::sequencer::Queue,
    ledger::AsOf,
    limits,
    metrics::questions::{QuestionKind, QuestionTimes},
};

/// The service.
#[derive(Clone)]
pub struct CustomReportApi {
    /// Names of items.
    pub catalogue: Arc<Catalogue>,
    /// What is kept.
    pub crosses: Arc<Crosses>,
    /// Where orders go.
    pub sequencer: Queue,
    /// Tells when they are sealed.
    pub epochs: Arc<Epochs>,
    /// Held from the test of a new report until it is in the list.
    pub turn: Turn,
    /// Who answers.
    pub cluster: Cluster,
    /// How long it took.
    pub times: Arc<QuestionTimes>,
    /// Subscriptions.
    pub watches: Watches,
}

#[tonic::async_trait]
impl CustomReportService for CustomReportApi {
    type WatchCustomReportStream = Watched<v1::WatchCustomReportResponse>;

    async fn create_custom_report(
        &self,
        request: Request<v1::CreateCustomReportRequest>,
    ) -> Result<Response<v1::CreateCustomReportResponse>, Status> {
        let request = request.into_inner();
        let definition = definition_of(&request.theme, &request.dimensions, &request.filters);
        let cross = self.crosses.aggregates().cross(&definition).map_err(|error| {
            let words = error.to_string();
            let (field, remedy) = words.split_once(": ").unwrap_or(("dimensions", &words));
            bad_request(field, &definition.to_string(), remedy)
        })?;
        if let Some(kept) = self.crosses.get(cross.id) {
            return Ok(Response::new(created(&kept)));
        }
        if request.title.chars().count() > limits::REPORT_TITLE_CHARS {
            let remedy = format!("write at most {} characters", limits::REPORT_TITLE_CHARS);
            return Err(bad_request("title", &request.title, &remedy).into());
        }
        let filters = cross
            .definition
            .filters
            .iter()
            .map(|filter| v1::CrossFilter { dimension: filter.dimension.clone(), items: filter.items.clone() });
        let order = v1::KeepCross {
            theme: cross.definition.theme.clone(),
            dimensions: cross.definition.dimensions.clone(),
            filters: filters.collect(),
            title: request.title,
        };
        let api = self.clone();
        let report = self.turn.take(async move { api.create(cross.id, order).await }).await?;
        Ok(Response::new(v1::CreateCustomReportResponse { report: Some(report) }))
    }

    async fn list_custom_reports(
        &self,
        _: Request<v1::ListCustomReportsRequest>,
    ) -> Result<Response<v1::ListCustomReportsResponse>, Status> {
        let reports = self.crosses.list().iter().map(report).collect();
        Ok(Response::new(v1::ListCustomReportsResponse { reports }))
    }

    async fn get_custom_report(
        &self,
        request: Request<v1::GetCustomReportRequest>,
    ) -> Result<Response<v1::GetCustomReportResponse>, Status> {
        let kept = self.find(&request.into_inner().report_id)?;
        Ok(Response::new(v1::GetCustomReportResponse { report: Some(report(&kept)) }))
    }

    async fn delete_custom_report(
        &self,
        request: Request<v1::DeleteCustomReportRequest>,
    ) -> Result<Response<v1::DeleteCustomReportResponse>, Status> {
        let report_id = request.into_inner().report_id;
        let id = self.find(&report_id)?.cross.id;
        let epoch = self.order(order::Kind::DropCross(v1::DropCross { cross: id.0, overflown: false })).await?;
        Ok(Response::new(v1::DeleteCustomReportResponse { epoch }))
    }

    async fn query_custom_report(
        &self,
        request: Request<v1::QueryCustomReportRequest>,
    ) -> Result<Response<v1::QueryCustomReportResponse>, Status> {
        let request = request.into_inner();
        let kept = self.when_live(&request).await?;
        Ok(Response::new(self.times.timed(QuestionKind::Cells, self.query(request, kept)).await?))
    }

    async fn watch_custom_report(
        &self,
        request: Request<v1::WatchCustomReportRequest>,
    ) -> Result<Response<Self::WatchCustomReportStream>, Status> {
        let query = request.into_inner().query.unwrap_or_default();
        let query = self.followed(query)?;
        let api = self.clone();
        self.watches.begin(|answers| async move { api.watch(query, &answers).await })
    }
}

impl CustomReportApi {
    /// Writes an order down; returns its epoch once the list of reports knows it.
    async fn order(&self, kind: order::Kind) -> Result<u64, ApiError> {
        let epoch = self.sequencer.order(v1::Order { kind: Some(kind) }).await.map_err(|_| log_unavailable())?;
        self.epochs.reached(epoch).await;
        Ok(epoch)
    }

    /// Orders a report unless there is one, or there are too many.
    async fn create(&self, id: CrossId, order: v1::KeepCross) -> Result<v1::CustomReport, ApiError> {
        if let Some(kept) = self.crosses.get(id) {
            return Ok(report(&kept));
        }
        if self.crosses.ordered_count() >= limits::CROSSES_MOST {
            return Err(busy("custom reports", limits::CROSSES_MOST));
        }
        self.order(order::Kind::KeepCross(order)).await?;
        let gone = || no_such(format!("custom report {id}: another client has deleted it at once; create it again"));
        Ok(report(&self.crosses.get(id).ok_or_else(gone)?))
    }

    fn find(&self, report_id: &str) -> Result<Kept, ApiError> {
        let remedy = "an id has 16 digits, as the list of reports shows them";
        let id = CrossId::parse(report_id).ok_or_else(|| bad_request("report_id", report_id, remedy))?;
        let none = || no_such(format!("custom report {report_id}: list those that there are, or create it"));
        self.crosses.get(id).ok_or_else(none)
    }

    /// A query that can be followed: measures that count distinct members are refused when named, else left out.
    fn followed(&self, mut query: v1::QueryCustomReportRequest) -> Result<v1::QueryCustomReportRequest, ApiError> {
        let kept = self.find(&query.report_id)?;
        let compiled = self.compile(&kept.cross, &query, Some(0))?;
        let unfit: Vec<&str> = compiled.figures_with_members().collect();
        if let Some(named) = query.measures.iter().find(|measure| unfit.contains(&measure.as_str())) {
            return Err(bad_request(
                "query.measures",
                named,
                "it counts distinct members, which cannot be followed: query it",
            ));
        }
        if query.measures.is_empty() {
            let measures = compiled.measures().into_iter();
            query.measures = measures.filter(|measure| !unfit.contains(&measure.as_str())).collect();
        }
        Ok(query)
    }

    /// Progress until the report is live, snapshot, then what changed, for as long as somebody listens.
    async fn watch(
        &self,
        query: v1::QueryCustomReportRequest,
        answers: &Answers<v1::WatchCustomReportResponse>,
    ) -> Result<(), ApiError> {
        let mut known: BTreeMap<RowKey, v1::CustomReportRow> = BTreeMap::new();
        let mut version = None;
        let mut read_at = None;
        loop {
            let kept = self.find(&query.report_id)?;
            if kept.state != State::Live {
                if kept.state == State::Overflown {
                    return Err(self.overflown(&query.report_id));
                }
                // A generation that begins again fills it again: what was told stands until the next snapshot.
                version = None;
                let report = Some(report(&kept));
                if answers.send(Ok(v1::WatchCustomReportResponse { report, ..Default::default() })).await.is_err() {
                    return Ok(());
                }
                sleep(limits::CUSTOM_REPORT_EVERY).await;
                continue;
            }
            let epoch = self.cluster.status().await?.completed.epoch;
            if version != Some(kept.version) || read_at != Some(epoch) {
                let snapshot = version != Some(kept.version);
                version = Some(kept.version);
                let answer = self.query(query.clone(), kept).await?;
                read_at = answer.as_of.map(|as_of| as_of.epoch);
                if snapshot {
                    known.clear();
                }
                let rows = changed(&known, &answer.rows);
                known = by_key(answer.rows);
                if snapshot || !rows.is_empty() {
                    let response = v1::WatchCustomReportResponse {
                        as_of: answer.as_of,
                        report: answer.report,
                        snapshot,
                        measures: answer.measures,
                        rows,
                    };
                    if answers.send(Ok(response)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            sleep(limits::CUSTOM_REPORT_EVERY).await;
        }
    }

    fn overflown(&self, report_id: &str) -> ApiError {
        let most = limits::CROSS_CELLS_MOST;
        not_live(&format!(
            "custom report {report_id} had more than {most} cells (limit CROSS_CELLS_MOST) and holds none any more: delete it, \
             and ask for fewer dimensions or with filters"
        ))
    }

    /// The report, once it is live; or why it is not.
    async fn when_live(&self, request: &v1::QueryCustomReportRequest) -> Result<Kept, ApiError> {
        let most = limits::LONG_QUESTION_WITHIN.as_millis() as u32;
        if request.wait_ms > most {
            return Err(bad_request("wait_ms", &request.wait_ms.to_string(), &format!("wait at most {most} ms")));
        }
        let until = Instant::now() + Duration::from_millis(request.wait_ms.into());
        let mut changed = self.crosses.watch();
        loop {
            let kept = self.find(&request.report_id)?;
            match kept.state {
                State::Live => return Ok(kept),
                State::Overflown => return Err(self.overflown(&request.report_id)),
                _ => {}
            }
            if timeout_at(until, changed.changed()).await.is_err() {
                let (counted, lives) = kept.lives();
                return Err(not_live(&format!(
                    "custom report {} is being filled, {counted} of {lives} bills are counted: ask again in a few seconds, \
                     or with wait_ms",
                    request.report_id
                )));
            }
        }
    }

    async fn query(
        &self,
        request: v1::QueryCustomReportRequest,
        kept: Kept,
    ) -> Result<v1::QueryCustomReportResponse, ApiError> {
        // Any clock will do: what is checked here does not depend on it.
        self.compile(&kept.cross, &request, Some(0))?;
        let asked = self.cluster.ask(Kind::Cross(request.clone())).await?;
        let as_of = asked.as_of;
        let mut gathered = GatheredCross::default();
        for (process, part) in asked.all().await? {
            if let Some(shard_answer::Kind::Cross(part)) = part.kind {
                let part = CrossPart::decode(&part);
                gathered.add(part.ok_or_else(|| worker_failed(&format!("process {process} sent another form")))?);
            }
        }
        let api = self.clone();
        let form = move || api.form(&request, &kept, as_of, &gathered);
        // Away from the threads that serve: a large answer takes its time.
        tokio::task::spawn_blocking(form).await.map_err(|_| internal("the cells could not be merged"))?
    }

    fn compile(
        &self,
        cross: &Arc<Cross>,
        request: &v1::QueryCustomReportRequest,
        market_clock_ms: Option<i64>,
    ) -> Result<CompiledCross, ApiError> {
        let words = Words {
            theme: "",
            dimension: "",
            items: &[],
            from_date: &request.from_date,
            to_date: &request.to_date,
            grain: grain_of(request.grain()),
            measures: &request.measures,
        };
        self.crosses.aggregates().compile_cross_request(cross, words, market_clock_ms).map_err(|error| {
            let (field, value) = match &error {
                RequestError::Date { field, text } => (*field, text.as_str()),
                RequestError::NoClock => ("to_date", ""),
                RequestError::NoGrain => ("grain", ""),
                _ => ("measures", ""),
            };
            bad_request(field, value, &error.to_string())
        })
    }

    fn form(
        &self,
        request: &v1::QueryCustomReportRequest,
        kept: &Kept,
        as_of: AsOf,
        gathered: &GatheredCross,
    ) -> Result<v1::QueryCustomReportResponse, ApiError> {
        let compiled = self.compile(&kept.cross, request, as_of.market_clock_ms)?;
        let answers = compiled.answer(self.crosses.aggregates(), gathered);
        if answers.len() > limits::REPORT_ROWS_MOST {
            return Err(too_many_rows(answers.len(), limits::REPORT_ROWS_MOST));
        }
        let rows = answers.iter().map(|answer| {
            let names = answer.items.iter().zip(&kept.cross.definition.dimensions);
            let (item_names_en, item_names_zh) =
                names.map(|(item, dimension)| self.names(&kept.cross.definition.theme, dimension, item)).unzip();
            v1::CustomReportRow {
                items: answer.items.clone(),
                item_names_en,
                item_names_zh,
                period: compiled.period(answer),
                values: answer.values.iter().map(|(_, value)| show(*value)).collect(),
            }
        });
        Ok(v1::QueryCustomReportResponse {
            as_of: Some(as_of.into()),
            report: Some(report(kept)),
            measures: compiled.measures(),
            rows: rows.collect(),
        })
    }

    fn names(&self, theme: &str, dimension: &str, item: &str) -> (String, String) {
        let theme = self.catalogue.theme(theme);
        let dimension = theme.and_then(|theme| theme.dimensions.iter().find(|known| *known.id == *dimension));
        let found = dimension
            .and_then(|dimension| dimension.enumeration)
            .and_then(|enumeration| self.catalogue.enums.get(enumeration).item(item));
        found.map_or_else(Default::default, |item| (item.english.to_string(), item.chinese.to_string()))
    }
}

/// Period and items.
type RowKey = (String, Vec<String>);

fn key_of(row: &v1::CustomReportRow) -> RowKey {
    (row.period.clone(), row.items.clone())
}

fn by_key(rows: Vec<v1::CustomReportRow>) -> BTreeMap<RowKey, v1::CustomReportRow> {
    rows.into_iter().map(|row| (key_of(&row), row)).collect()
}

/// Rows of `now`, in its order, that differ from those of `before`; then those that are gone, with null values.
fn changed(before: &BTreeMap<RowKey, v1::CustomReportRow>, now: &[v1::CustomReportRow]) -> Vec<v1::CustomReportRow> {
    let mut left: BTreeMap<RowKey, &v1::CustomReportRow> = before.iter().map(|(key, row)| (key.clone(), row)).collect();
    let mut rows: Vec<v1::CustomReportRow> =
        now.iter().filter(|row| left.remove(&key_of(row)) != Some(*row)).cloned().collect();
    for gone in left.into_values() {
        let values = vec![v1::MeasureValue::default(); gone.values.len()];
        rows.push(v1::CustomReportRow { values, ..gone.clone() });
    }
    rows
}

fn created(kept: &Kept) -> v1::CreateCustomReportResponse {
    v1::CreateCustomReportResponse { report: Some(report(kept)) }
}

fn report(kept: &Kept) -> v1::CustomReport {
    let definition = &kept.cross.definition;
    let filters = definition
        .filters
        .iter()
        .map(|filter| v1::CrossFilter { dimension: filter.dimension.clone(), items: filter.items.clone() });
    let (lives_counted, lives) = kept.lives();
    v1::CustomReport {
        report_id: kept.cross.id.to_string(),
        theme: definition.theme.clone(),
        dimensions: definition.dimensions.clone(),
        filters: filters.collect(),
        title: kept.title.clone(),
        state: kept.state.into(),
        version: kept.version,
        lives_counted,
        lives,
        cells: kept.cells(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told_and_what_is_gone_is_null() {
        let rows = |rows: &[(&str, &str)]| -> Vec<v1::CustomReportRow> {
            let row = |(item, value): &(&str, &str)| {
                let values = vec![v1::MeasureValue { value: (*value).to_owned(), ..Default::default() }];
                v1::CustomReportRow { items: vec![(*item).to_owned()], values, ..Default::default() }
            };
            rows.iter().map(row).collect()
        };
        let (before, now) = (rows(&[("a", "1"), ("b", "2"), ("c", "3")]), rows(&[("d", "4"), ("a", "1"), ("b", "5")]));
        let told = changed(&by_key(before), &now);
        assert_eq!(told, rows(&[("d", "4"), ("b", "5"), ("c", "")]));
        assert!(changed(&by_key(now.clone()), &now).is_empty());
    }
}
