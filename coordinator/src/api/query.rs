//! `QueryService`: a question to all shards at one epoch, merged into one answer.

use std::sync::Arc;

use billwatch_market::{
    ids::{BillId, Day},
    pattern::Key,
};
use billwatch_proto::v1::{self, query_service_server::QueryService, shard_answer, shard_question::Kind};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    cells::{CellMeanings, Rows, check, check_watch},
    errors::{ApiError, bad_request, internal, no_such},
    watches::{Watched, Watches},
};
use crate::{
    cluster::{
        Cluster,
        questions::{Asked, Watching},
    },
    ledger::AsOf,
    limits,
    metrics::questions::{QuestionKind, QuestionTimes},
};

/// The service.
#[derive(Clone)]
pub struct QueryApi {
    /// How cells are formed.
    pub meanings: CellMeanings,
    /// Who answers.
    pub cluster: Cluster,
    /// How long it took.
    pub times: Arc<QuestionTimes>,
    /// Subscriptions to features and bills. Those to cells have their places with the workers, who tell what changed.
    pub watches: Watches,
}

type CellAnswers = mpsc::Sender<Result<v1::WatchCellsResponse, Status>>;

#[tonic::async_trait]
impl QueryService for QueryApi {
    type WatchCellsStream = ReceiverStream<Result<v1::WatchCellsResponse, Status>>;
    type WatchFeaturesStream = Watched<v1::WatchFeaturesResponse>;
    type WatchBillStream = Watched<v1::WatchBillResponse>;

    async fn query_cells(
        &self,
        request: Request<v1::QueryCellsRequest>,
    ) -> Result<Response<v1::QueryCellsResponse>, Status> {
        self.times.timed(QuestionKind::Cells, self.cells(request.into_inner())).await.map(Response::new)
    }

    async fn query_features(
        &self,
        request: Request<v1::QueryFeaturesRequest>,
    ) -> Result<Response<v1::QueryFeaturesResponse>, Status> {
        let query = request.into_inner();
        let answer = async {
            check_features(&query)?;
            self.features(query).await
        };
        Ok(Response::new(self.times.timed(QuestionKind::Features, answer).await?))
    }

    async fn get_bill(&self, request: Request<v1::GetBillRequest>) -> Result<Response<v1::GetBillResponse>, Status> {
        Ok(Response::new(self.times.timed(QuestionKind::Bill, self.bill(request.into_inner())).await?))
    }

    async fn watch_features(
        &self,
        request: Request<v1::WatchFeaturesRequest>,
    ) -> Result<Response<Self::WatchFeaturesStream>, Status> {
        let query = request.into_inner().query.ok_or_else(|| bad_request("query", "", "say which features"))?;
        check_features(&query)?;
        let api = self.clone();
        self.watches.begin(|answers| async move { api.follow_features(&query, &answers).await })
    }

    async fn watch_bill(
        &self,
        request: Request<v1::WatchBillRequest>,
    ) -> Result<Response<Self::WatchBillStream>, Status> {
        let bill_id = request.into_inner().bill_id;
        check_bill(&bill_id)?;
        let api = self.clone();
        self.watches.begin(|answers| async move { api.follow_bill(&bill_id, &answers).await })
    }

    async fn watch_cells(
        &self,
        request: Request<v1::WatchCellsRequest>,
    ) -> Result<Response<Self::WatchCellsStream>, Status> {
        let mut query = request.into_inner().query.ok_or_else(|| bad_request("query", "", "say which cells"))?;
        check_watch(&mut query, &self.meanings)?;
        let asking = self.cluster.watch(query.clone());
        let (asked, watching) = self.times.timed(QuestionKind::Watch, asking).await?;
        let (answers, responses) = mpsc::channel(limits::FEED_AHEAD);
        let api = self.clone();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = api.watch(query, asked, watching, &answers) => ended,
                () = answers.closed() => return,
            };
            if let Err(error) = ended {
                let _ = answers.send(Err(error.into())).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }
}

impl QueryApi {
    async fn cells(&self, query: v1::QueryCellsRequest) -> Result<v1::QueryCellsResponse, Status> {
        check(&query, &self.meanings)?;
        let asked = self.cluster.ask(Kind::Cells(query.clone())).await?;
        let as_of = asked.as_of;
        let rows = self.rows(query, as_of, partials(asked).await?).await?;
        Ok(v1::QueryCellsResponse {
            as_of: Some(as_of.into()),
            measures: rows.measures().to_vec(),
            rows: rows.all().to_vec(),
        })
    }

    /// The features of a key, at one epoch.
    pub(super) async fn features(
        &self,
        query: v1::QueryFeaturesRequest,
    ) -> Result<v1::QueryFeaturesResponse, ApiError> {
        let asked = self.cluster.ask(Kind::Features(query)).await?;
        let as_of = Some(asked.as_of.into());
        let mut rows = Vec::new();
        for (_, part) in asked.all().await? {
            if let Some(shard_answer::Kind::Features(part)) = part.kind {
                rows.extend(part.rows);
            }
        }
        rows.sort_by(|left, right| (&left.feature, &left.bucket).cmp(&(&right.feature, &right.bucket)));
        Ok(v1::QueryFeaturesResponse { as_of, rows })
    }

    async fn bill(&self, request: v1::GetBillRequest) -> Result<v1::GetBillResponse, ApiError> {
        check_bill(&request.bill_id)?;
        let bill = self.life(&request.bill_id).await?;
        if bill.life.is_empty() && bill.lots.is_empty() {
            let bill_id = &request.bill_id;
            return Err(no_such(format!("bill {bill_id}: no fact about it was accepted up to this epoch")));
        }
        Ok(bill)
    }

    /// The life of a bill at one epoch; empty when no fact about it was accepted.
    pub(super) async fn life(&self, bill_id: &str) -> Result<v1::GetBillResponse, ApiError> {
        let asked = self.cluster.ask(Kind::Bill(v1::GetBillRequest { bill_id: bill_id.to_owned() })).await?;
        let as_of = Some(asked.as_of.into());
        let mut bill = v1::GetBillResponse { as_of, ..v1::GetBillResponse::default() };
        for (_, part) in asked.all().await? {
            if let Some(shard_answer::Kind::Bill(part)) = part.kind {
                bill.life.extend(part.life);
                bill.lots.extend(part.lots);
            }
        }
        Ok(bill)
    }

    /// Forms rows away from the threads that serve: a large answer takes its time.
    async fn rows(
        &self,
        query: v1::QueryCellsRequest,
        as_of: AsOf,
        partials: Vec<(u32, prost::bytes::Bytes)>,
    ) -> Result<Rows, ApiError> {
        let meanings = self.meanings.clone();
        let form = move || Rows::of(query, meanings, as_of, &partials);
        tokio::task::spawn_blocking(form).await.unwrap_or_else(|_| Err(internal("the cells could not be merged")))
    }

    async fn watch(
        &self,
        query: v1::QueryCellsRequest,
        asked: Asked,
        mut watching: Watching,
        answers: &CellAnswers,
    ) -> Result<(), ApiError> {
        let as_of = asked.as_of;
        let mut rows = self.rows(query, as_of, partials(asked).await?).await?;
        let measures = rows.measures().to_vec();
        let mut answer = v1::WatchCellsResponse {
            as_of: Some(as_of.into()),
            snapshot: true,
            measures: measures.clone(),
            rows: rows.all().to_vec(),
        };
        while answers.send(Ok(answer)).await.is_ok() {
            let event = watching.next().await?;
            let changed = rows.change(event.as_of, &event.partials)?;
            answer = v1::WatchCellsResponse {
                as_of: Some(event.as_of.into()),
                snapshot: false,
                measures: measures.clone(),
                rows: changed,
            };
        }
        Ok(())
    }
}

async fn partials(asked: Asked) -> Result<Vec<(u32, prost::bytes::Bytes)>, ApiError> {
    // Distinct counts are read from the whole history, between epochs.
    let parts = asked.within(limits::LONG_QUESTION_WITHIN).all().await?.into_iter();
    let cells = parts.filter_map(|(process, part)| match part.kind {
        Some(shard_answer::Kind::Cells(partial)) => Some((process, partial)),
        _ => None,
    });
    Ok(cells.collect())
}

fn check_bill(bill_id: &str) -> Result<(), ApiError> {
    match BillId::parse(bill_id) {
        Some(_) => Ok(()),
        None => Err(bad_request("bill_id", bill_id, "a package number has 1 to 38 digits")),
    }
}

fn check_features(query: &v1::QueryFeaturesRequest) -> Result<(), ApiError> {
    if Key::parse(&query.key).is_none() {
        let remedy = "name a party or branch such as 100105, or a pair `a,b` of them; bills have no windows";
        return Err(bad_request("key", &query.key, remedy));
    }
    check_dates(&query.from_date, &query.to_date)
}

/// Both empty or dates, and in order.
fn check_dates(from: &str, to: &str) -> Result<(), ApiError> {
    for (field, text) in [("from_date", from), ("to_date", to)] {
        if !text.is_empty() && Day::parse(text).is_none() {
            return Err(bad_request(field, text, "write a date as YYYY-MM-DD, or leave it empty"));
        }
    }
    if !from.is_empty() && !to.is_empty() && from > to {
        return Err(bad_request("to_date", to, "it lies before from_date"));
    }
    Ok(())
}
