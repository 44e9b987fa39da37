//! gRPC reflection over TCP: a client without our files finds every service, health too, and what its calls look like.

mod common;

use common::Door;
use tonic::transport::Channel;
use tonic_reflection::pb::{v1, v1alpha};

/// What a client asks: the services, then the file of each symbol. A stream a question.
macro_rules! reflected {
    ($version:ident, $channel:expr) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest as Ask, server_reflection_response::MessageResponse as Answer,
        };
        let mut client = ServerReflectionClient::new($channel);
        let mut ask = async |question: Ask| {
            let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
            let mut answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
            answers.message().await.unwrap().unwrap().message_response.unwrap()
        };
        let Answer::ListServicesResponse(list) = ask(Ask::ListServices(String::new())).await else { panic!("a list") };
        let services: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
        for service in &services {
            let answer = ask(Ask::FileContainingSymbol(service.clone())).await;
            let Answer::FileDescriptorResponse(files) = answer else { panic!("{service}: {answer:?}") };
            assert!(!files.file_descriptor_proto.is_empty(), "{service}");
        }
        services
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_is_described_in_both_versions() {
    let dir = tempfile::tempdir().unwrap();
    let door = Door::open(dir.path(), 1).await;
    let channel: Channel = door.channel().await;
    for services in [reflected!(v1, channel.clone()), reflected!(v1alpha, channel.clone())] {
        for service in [
            "billwatch.v1.AdminService",
            "billwatch.v1.AlertService",
            "billwatch.v1.CatalogueService",
            "billwatch.v1.ClusterService",
            "billwatch.v1.CustomReportService",
            "billwatch.v1.IndicatorService",
            "billwatch.v1.IngestService",
            "billwatch.v1.ParameterService",
            "billwatch.v1.QueryService",
            "billwatch.v1.ReportService",
            "billwatch.v1.RuleService",
            "grpc.health.v1.Health",
        ] {
            assert!(services.iter().any(|known| known == service), "{service} is not in {services:?}");
        }
    }
    door.close().await;
}
