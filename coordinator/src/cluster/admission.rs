//! Who is taken in: what agents and compute processes must have in common with the coordinator, and with each other.

use billwatch_proto::v1;
use tonic::Status;

use super::{BUILD, Surroundings};
use crate::limits;

/// What an agent and its compute process say of themselves alike.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// Its number.
    pub process: u32,
    /// Version of its program.
    pub build: &'a str,
    /// Of its catalogue.
    pub catalogue_fingerprint: u64,
}

/// Refuses, with FAILED_PRECONDITION, what cannot heal by waiting.
pub fn identity(around: &Surroundings, who: Identity<'_>) -> Result<(), Status> {
    let Identity { process, build, catalogue_fingerprint } = who;
    let processes = around.processes;
    if process >= processes {
        return refuse(format!("process {process}: the cluster has processes 0 to {}", processes - 1));
    }
    if build != BUILD {
        return refuse(format!("build {build}: the coordinator runs {BUILD}, start the same build"));
    }
    if catalogue_fingerprint != around.catalogue_fingerprint {
        return refuse(format!(
            "catalogue {catalogue_fingerprint:016x}: the coordinator has {:016x}, give both the same tables",
            around.catalogue_fingerprint
        ));
    }
    Ok(())
}

/// Refuses a number of threads that is none, or another one than that of the mates who wait.
pub fn threads(register: &v1::Register, mut mates: impl Iterator<Item = u32>) -> Result<(), Status> {
    let threads = register.threads;
    if threads == 0 || threads > limits::THREADS_MOST {
        return refuse(format!("threads {threads}: choose 1 to {}", limits::THREADS_MOST));
    }
    match mates.find(|&other| other != threads) {
        Some(other) => refuse(format!("threads {threads}: the other processes have {other}, choose the same")),
        None => Ok(()),
    }
}

fn refuse(text: String) -> Result<(), Status> {
    Err(Status::failed_precondition(text))
}
