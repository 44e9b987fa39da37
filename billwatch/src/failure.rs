//! How a command ends: the failures that a caller can tell apart by the exit code. The list in `cli.rs` is for users.

use std::{fmt, process::ExitCode};

use billwatch_bench::{client::ClientError, load::LoadError};
use tonic::{Code, Status};

/// Why a command did not end well.
#[derive(Debug)]
pub enum Failure {
    /// Anything without an exit code of its own: 1.
    Failed(anyhow::Error),
    /// Wrong arguments that only the command itself can see: 2.
    Usage(String),
    /// Nobody answers: 3.
    Unreachable(String),
    /// Live views and reference differ: 4. Already printed.
    Differs,
    /// Planted cases missed or near misses alerted: 5. Already printed.
    Labels,
    /// Some records were refused: 6. Already printed.
    Refused,
    /// The coordinator will never take this worker: 7.
    WorkerRefused(String),
}

impl Failure {
    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Failed(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
            Failure::Differs => 4,
            Failure::Labels => 5,
            Failure::Refused => 6,
            Failure::WorkerRefused(_) => 7,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Failed(error) => write!(f, "{error:#}"),
            Failure::Usage(text) => f.write_str(text),
            Failure::Unreachable(text) | Failure::WorkerRefused(text) => f.write_str(text),
            Failure::Differs => f.write_str("live views differ from the reference"),
            Failure::Labels => f.write_str("alerts do not fit the planted cases"),
            Failure::Refused => f.write_str("some records were refused"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Failed(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Failed(error.into())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable { .. } => Failure::Unreachable(error.to_string()),
            ClientError::Address(_) => Failure::Usage(error.to_string()),
            ClientError::Refused(status) => status.into(),
            ClientError::OutOfOrder { .. } => Failure::Failed(error.into()),
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Client(error) => error.into(),
            LoadError::Status(status) => status.into(),
            LoadError::Spool(_) | LoadError::Late { .. } => Failure::Failed(error.into()),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Unavailable => Failure::Unreachable(format!("the cluster cannot answer: {}", status.message())),
            Code::InvalidArgument => Failure::Usage(status.message().to_owned()),
            Code::NotFound => Failure::Failed(anyhow::anyhow!("not found: {}", status.message())),
            code => Failure::Failed(anyhow::anyhow!("{code}: {}", status.message())),
        }
    }
}

/// What a command gives back.
pub type Outcome = Result<(), Failure>;
