//! `ClusterService`: the streams of the agents and of the compute processes.

use std::time::Duration;

use billwatch_proto::v1::{self, attend_request, cluster_service_server::ClusterService, work_request};
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
    type AttendStream = ReceiverStream<Result<v1::AttendResponse, Status>>;
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

    async fn attend(
        &self,
        request: Request<Streaming<v1::AttendRequest>>,
    ) -> Result<Response<Self::AttendStream>, Status> {
        let mut stream = request.into_inner();
        let first = tokio::time::timeout(REGISTER_WITHIN, stream.next()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("the first message did not come: enrol"))?;
        let Some(attend_request::Message::Enrol(enrol)) = first.transpose()?.and_then(|request| request.message) else {
            return Err(Status::invalid_argument("the first message of an agent is its enrolment"));
        };
        let (outbound, messages) = mpsc::channel(limits::AGENT_QUEUE);
        let (reply, enrolled) = oneshot::channel();
        let ending = || Status::unavailable("the coordinator is ending");
        self.commands.send(Command::Attend { enrol, outbound, reply }).await.map_err(|_| ending())?;
        let lease = enrolled.await.map_err(|_| ending())??;
        let commands = self.commands.clone();
        tokio::spawn(async move {
            let why = loop {
                match tokio::time::timeout(limits::LEASE, stream.next()).await {
                    Ok(Some(Ok(v1::AttendRequest { message: Some(attend_request::Message::Leaving(_)) }))) => {
                        if commands.send(Command::AgentLeaves { lease }).await.is_err() {
                            return;
                        }
                    }
                    // A beat, or a message of a kind that this build does not know: it lives.
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(status))) => break status.message().to_owned(),
                    Ok(None) => break "it left".to_owned(),
                    Err(_) => break format!("silent for {} s", limits::LEASE.as_secs()),
                }
            };
            let _ = commands.send(Command::AgentLost { lease, why }).await;
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
