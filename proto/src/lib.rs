//! The services of `billwatch.v1` and their generated code. The comments in the `.proto` files are the API reference.
//!
//! Begin with `billwatch/v1/ingest.proto` (facts in), `query.proto` and `alerts.proto` (answers out). `cluster.proto` is
//! between coordinator and workers only.

/// Generated messages, clients and servers.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    tonic::include_proto!("billwatch.v1");
}

/// Serialised descriptors of all services, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
