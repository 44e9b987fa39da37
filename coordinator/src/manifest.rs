//! What the coordinator knows of cluster, generations and checkpoints, in one small JSON file, replaced as a whole.
//!
//! Invariants: a generation number is on disk before it is used, so none is used twice; a checkpoint is listed only once
//! every process reported it (committed) and the alert ledger has come as far.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{limits, server::ServeError};

/// The file's content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Name of the cluster, checked when its processes meet. Made once.
    pub cluster_id: String,
    /// The last generation that was begun.
    pub generation: u64,
    /// Committed checkpoints, oldest first, at most [`limits::CHECKPOINTS_KEPT`].
    pub checkpoints: Vec<CommittedCheckpoint>,
}

/// A checkpoint that every process has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedCheckpoint {
    /// Epoch of the cut.
    pub epoch: u64,
    /// Market clock after it, ms.
    pub market_clock_ms: Option<i64>,
    /// Layout under which it was written: it can be read under the same one only.
    pub processes: u32,
    /// Threads of every process.
    pub threads: u32,
    /// When it was committed, ms since 1970-01-01T00:00Z by the machine's clock; 0 = not written down.
    #[serde(default)]
    pub committed_time_ms: u64,
    /// From the order to the commit, ms.
    #[serde(default)]
    pub duration_ms: u64,
    /// Bytes over all processes, as they reported them.
    #[serde(default)]
    pub bytes: u64,
}

/// The file.
#[derive(Debug)]
pub struct Manifest {
    path: PathBuf,
    content: Content,
}

impl Manifest {
    /// Opens or makes the manifest of a data directory.
    pub fn open(dir: &Path) -> Result<Self, ServeError> {
        let path = dir.join("cluster.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let content = serde_json::from_slice(&bytes)
                    .map_err(|error| ServeError::Manifest { path: path.clone(), what: error.to_string() })?;
                Ok(Manifest { path, content })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let content = Content { cluster_id: new_id(&path), generation: 0, checkpoints: Vec::new() };
                let mut manifest = Manifest { path, content };
                manifest.replace(manifest.content.clone())?;
                Ok(manifest)
            }
            Err(source) => Err(ServeError::Io { path, source }),
        }
    }

    /// What it says.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The next generation number, durable.
    pub fn next_generation(&mut self) -> Result<u64, ServeError> {
        let generation = self.content.generation + 1;
        self.replace(Content { generation, ..self.content.clone() })?;
        Ok(generation)
    }

    /// Adds a checkpoint; the oldest go.
    pub fn commit(&mut self, checkpoint: CommittedCheckpoint) -> Result<(), ServeError> {
        let mut content = self.content.clone();
        content.checkpoints.retain(|known| known.epoch != checkpoint.epoch);
        content.checkpoints.push(checkpoint);
        let surplus = content.checkpoints.len().saturating_sub(limits::CHECKPOINTS_KEPT);
        content.checkpoints.drain(..surplus);
        self.replace(content)
    }

    /// Write beside, sync, rename, sync the directory: after a crash the old or the new one is whole.
    fn replace(&mut self, content: Content) -> Result<(), ServeError> {
        let failed = |source| ServeError::Io { path: self.path.clone(), source };
        let beside = self.path.with_extension("json.new");
        let bytes = serde_json::to_vec_pretty(&content).expect("plain data has a JSON form");
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)?;
            File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(failed)?;
        self.content = content;
        Ok(())
    }
}

/// Differs between clusters; need not be secret.
fn new_id(path: &Path) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let seed = format!("{now} {} {}", std::process::id(), path.display());
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(seed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_kept_and_only_the_last_checkpoints_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::open(dir.path()).unwrap();
        assert_eq!(manifest.next_generation().unwrap(), 1);
        for epoch in [5, 9, 9, 14] {
            manifest.commit(CommittedCheckpoint { epoch, processes: 2, threads: 1, ..Default::default() }).unwrap();
        }
        let again = Manifest::open(dir.path()).unwrap();
        assert_eq!(again.content(), manifest.content());
        assert_eq!(again.content().generation, 1);
        let epochs: Vec<u64> = again.content().checkpoints.iter().map(|checkpoint| checkpoint.epoch).collect();
        assert_eq!(epochs, vec![9, 14]);
        fs::write(dir.path().join("cluster.json"), b"{").unwrap();
        assert!(matches!(Manifest::open(dir.path()), Err(ServeError::Manifest { .. })));
    }
}
