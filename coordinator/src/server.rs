//! Puts the parts together and serves them on one port.

use std::{future::Future, net::SocketAddr, path::PathBuf};

use billwatch_proto::DESCRIPTORS;
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::transport::{Server, server::TcpIncoming};

use crate::{config::CoordinatorConfig, limits};

/// Why a coordinator did not start, or ended.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A setting cannot work.
    #[error("setting refused: {0}")]
    Setting(String),
    /// A file or directory of the data directory.
    #[error("{path}: {source}. Check that the directory exists, is writable and has room", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest cannot be read.
    #[error("{path}: {what}. Restore the file from a copy; without it, delete it: workers then replay the whole log", path = path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The log cannot be opened or written.
    #[error(transparent)]
    Log(#[from] crate::log::LogError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}. Choose a free port or end the process that holds it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The gRPC server broke off.
    #[error("the gRPC server ended: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors of the services could not be read.
    #[error("gRPC reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A coordinator that serves. Dropping it does not end it: the `shutdown` future given to [`serve`] does.
#[derive(Debug)]
pub struct RunningCoordinator {
    /// Where it listens, with the port that was taken.
    pub local_addr: SocketAddr,
    task: JoinHandle<Result<(), ServeError>>,
}

impl RunningCoordinator {
    /// Waits until it has ended: after `shutdown`, or because the log could not be written.
    pub async fn finished(self) -> Result<(), ServeError> {
        self.task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

/// Starts a coordinator on its data directory and serves until `shutdown` is ready.
///
/// Returns once the log is read, and clients and workers can connect.
pub async fn serve(
    config: CoordinatorConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<RunningCoordinator, ServeError> {
    config.check().map_err(ServeError::Setting)?;
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|source| ServeError::Io { path: config.data_dir.clone(), source })?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| ServeError::Listen { address: config.listen, source })?;
    let local_addr = listener.local_addr().map_err(|source| ServeError::Listen { address: config.listen, source })?;
    // Without TCP_NODELAY the server's small HTTP/2 window updates wait for delayed acknowledgements: 7-100 x slower.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let (_health, health_service) = tonic_health::server::health_reporter();
    let reflection =
        tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS).build_v1()?;
    let router = Server::builder()
        .http2_keepalive_interval(Some(limits::KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .add_service(health_service)
        .add_service(reflection);
    let task = tokio::spawn(async move { Ok(router.serve_with_incoming_shutdown(incoming, shutdown).await?) });
    Ok(RunningCoordinator { local_addr, task })
}
