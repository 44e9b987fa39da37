//! `ClusterService`: the streams of the worker processes.

use std::time::Duration;

use billwatch_proto::v1::{self, cluster_service_server::ClusterService, work_request};
use billwatch_telemetry::codes;
use futures::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Cluster, Command};
use crate::limits;

/// A stream must begin with its registration within this time.
const REGISTER_WITHIN: Duration = Duration::from_secs(10);

#[tonic::async_trait]
impl ClusterService for Cluster {
    type WorkStream = ReceiverStream<Result<v1::WorkResponse, Status>>;

    async fn work(&self, request: Request<Streaming<v1::WorkRequest>>) -> Result<Response<Self::WorkStream>, Status> {
        let mut stream = request.into_inner();
        let first = tokio::time::timeout(REGISTER_WITHIN, stream.next()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("the first message did not come: register"))?;
        let register = match first.transpose()?.and_then(|request| request.message) {
            Some(work_request::Message::Register(register)) => register,
            _ => return Err(Status::invalid_argument("the first message of a worker is its registration")),
        };
        let process = register.process;
        let (outbound, messages) = mpsc::channel(limits::WORKER_QUEUE);
        let (reply, joined) = oneshot::channel();
        let ending = || Status::unavailable("the coordinator is ending");
        self.commands.send(Command::Join { register, outbound, reply }).await.map_err(|_| ending())?;
        let connection = joined.await.map_err(|_| ending())??;
        let commands = self.commands.clone();
        tokio::spawn(async move {
            let why = loop {
                match stream.next().await {
                    Some(Ok(v1::WorkRequest { message: Some(message) })) => {
                        let message = Box::new(message);
                        if commands.send(Command::Heard { connection, message }).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(v1::WorkRequest { message: None })) => {
                        tracing::warn!(
                            code = codes::UNKNOWN_MESSAGE,
                            process,
                            "a message of a kind that this build does not know was passed over"
                        );
                    }
                    Some(Err(status)) => break status.message().to_owned(),
                    None => break "its stream ended".to_owned(),
                }
            };
            let _ = commands.send(Command::Left { connection, why }).await;
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
