//! Checkpoints: the database of one process at one epoch.
//!
//! A checkpoint is a directory of hard links made by RocksDB, and a manifest that is written last and checked first. Every
//! thread of the process has written its changed state before the cut. The coordinator commits a checkpoint when all
//! processes have theirs; the last two committed ones are kept.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use rocksdb::checkpoint::Checkpoint as RocksCheckpoint;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, file_error};
use crate::limits::CHECKPOINTS_KEPT;

/// Form of the state tables. A build that reads another form must not touch them.
pub const STATE_VERSION: u32 = 8;

const MANIFEST: &str = "BILLWATCH-MANIFEST";

/// What a checkpoint is of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the rows.
    pub state_version: u32,
    /// The epoch.
    pub epoch: u64,
    /// Market clock at the epoch, ms.
    pub clock: Option<i64>,
    /// Generation that took it.
    pub generation: u64,
    /// Catalogue: rows, codes, rules and features are numbered by it.
    pub catalogue_fingerprint: u64,
    /// Version of the parameters of patterns in force at the epoch: the rows are what their rules make of the facts.
    pub parameters_version: u32,
    /// Owner of each key group when it was taken.
    pub key_group_owners: Vec<u32>,
    /// The process and its threads: whose rows these are.
    pub process: u32,
    /// Threads of each process.
    pub threads: u32,
}

pub(super) fn dir_of_all(dir: &Path) -> PathBuf {
    dir.join("checkpoints")
}

fn dir_of(dir: &Path, epoch: u64) -> PathBuf {
    dir_of_all(dir).join(epoch.to_string())
}

impl Store {
    /// Flushes and cuts. Returns the bytes that the checkpoint refers to.
    pub fn cut(&self, manifest: &Manifest) -> Result<u64, StoreError> {
        let target = dir_of(self.dir(), manifest.epoch);
        if target.exists() {
            fs::remove_dir_all(&target).map_err(file_error(&target))?;
        }
        RocksCheckpoint::new(self.db())?.create_checkpoint(&target)?;
        let body = postcard::to_stdvec(manifest)
            .map_err(|error| StoreError::Damaged { what: format!("manifest: {error}") })?;
        let path = target.join(MANIFEST);
        let mut file = fs::File::create(&path).map_err(file_error(&path))?;
        file.write_all(&crc32fast::hash(&body).to_le_bytes())
            .and_then(|()| file.write_all(&body))
            .and_then(|()| file.sync_all())
            .map_err(file_error(&path))?;
        let all = dir_of_all(self.dir());
        for dir in [&target, &all] {
            fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(file_error(dir))?;
        }
        let mut bytes = 0;
        for entry in fs::read_dir(&target).map_err(file_error(&target))? {
            bytes += entry.and_then(|entry| entry.metadata()).map_err(file_error(&target))?.len();
        }
        Ok(bytes)
    }

    /// Removes all checkpoints but the last two up to the committed one, and whatever is younger than it but never was
    /// committed stays: it may still be.
    pub fn forget_before(&self, committed: u64) -> Result<(), StoreError> {
        let mut epochs = epochs(self.dir())?;
        epochs.retain(|epoch| *epoch <= committed);
        let keep = epochs.len().saturating_sub(CHECKPOINTS_KEPT);
        for epoch in &epochs[..keep] {
            let path = dir_of(self.dir(), *epoch);
            fs::remove_dir_all(&path).map_err(file_error(&path))?;
        }
        Ok(())
    }
}

/// Epochs of the whole checkpoints in a data directory, ascending.
pub fn epochs(dir: &Path) -> Result<Vec<u64>, StoreError> {
    let all = dir_of_all(dir);
    if !all.exists() {
        return Ok(Vec::new());
    }
    let mut epochs = Vec::new();
    for entry in fs::read_dir(&all).map_err(file_error(&all))? {
        let entry = entry.map_err(file_error(&all))?;
        let epoch = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(epoch) = epoch.filter(|epoch| manifest(dir, *epoch).is_ok()) {
            epochs.push(epoch);
        }
    }
    epochs.sort_unstable();
    Ok(epochs)
}

/// The manifest of a checkpoint.
pub fn manifest(dir: &Path, epoch: u64) -> Result<Manifest, StoreError> {
    let path = dir_of(dir, epoch).join(MANIFEST);
    let bytes = fs::read(&path).map_err(file_error(&path))?;
    let damaged = |what: &str| StoreError::Damaged { what: format!("{}: {what}", path.display()) };
    let (crc, body) = bytes.split_first_chunk::<4>().ok_or_else(|| damaged("cut short"))?;
    if u32::from_le_bytes(*crc) != crc32fast::hash(body) {
        return Err(damaged("checksum differs"));
    }
    let manifest: Manifest = postcard::from_bytes(body).map_err(|_| damaged("unreadable"))?;
    if manifest.state_version != STATE_VERSION {
        return Err(damaged(&format!("form {} of another build", manifest.state_version)));
    }
    if manifest.epoch != epoch {
        return Err(damaged(&format!("of epoch {}", manifest.epoch)));
    }
    Ok(manifest)
}

pub(super) fn remove_torn(dir: &Path) -> Result<(), StoreError> {
    let whole = epochs(dir)?;
    let all = dir_of_all(dir);
    for entry in fs::read_dir(&all).map_err(file_error(&all))? {
        let path = entry.map_err(file_error(&all))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if !name.is_some_and(|epoch: u64| whole.contains(&epoch)) {
            fs::remove_dir_all(&path).map_err(file_error(&path))?;
        }
    }
    Ok(())
}

/// Puts a checkpoint in place as the live database: table files by hard link (they never change), the rest as copies.
pub(super) fn link_back(dir: &Path, epoch: u64, live: &Path) -> Result<(), StoreError> {
    manifest(dir, epoch)?;
    let from = dir_of(dir, epoch);
    fs::create_dir_all(live).map_err(file_error(live))?;
    for entry in fs::read_dir(&from).map_err(file_error(&from))? {
        let path = entry.map_err(file_error(&from))?.path();
        let Some(name) = path.file_name() else { continue };
        if name == MANIFEST {
            continue;
        }
        let target = live.join(name);
        if path.extension().is_some_and(|extension| extension == "sst") {
            fs::hard_link(&path, &target).map_err(file_error(&target))?;
        } else {
            fs::copy(&path, &target).map_err(file_error(&target))?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::Table;

    pub(in crate::store) fn manifest_of(epoch: u64) -> Manifest {
        Manifest {
            state_version: STATE_VERSION,
            epoch,
            clock: Some(5),
            generation: 1,
            catalogue_fingerprint: 9,
            parameters_version: 4,
            key_group_owners: vec![0; 1024],
            process: 0,
            threads: 1,
        }
    }

    fn rows(store: &Store) -> Vec<u8> {
        let mut rows = Vec::new();
        store
            .scan(Table::Bills, &[0], &[255], |key, _| {
                rows.push(key[2]);
                true
            })
            .unwrap();
        rows
    }

    #[test]
    fn restores_what_was_cut_and_keeps_two() {
        let dir = tempfile::tempdir().unwrap();
        {
            let store = Store::open(dir.path(), 0).unwrap();
            for epoch in 1..=4u8 {
                store.write_sorted(Table::Bills, [(vec![0, 0, epoch], Some([1]))]).unwrap();
                store.cut(&manifest_of(u64::from(epoch))).unwrap();
                store.forget_before(u64::from(epoch)).unwrap();
            }
            assert_eq!(rows(&store), [1, 2, 3, 4]);
        }
        assert_eq!(epochs(dir.path()).unwrap(), [3, 4]);
        fs::write(dir.path().join("checkpoints/4").join(MANIFEST), b"torn").unwrap();
        let store = Store::open(dir.path(), 3).unwrap();
        assert_eq!(rows(&store), [1, 2, 3]);
        assert_eq!(epochs(dir.path()).unwrap(), [3], "a torn checkpoint is removed");
        assert_eq!(manifest(dir.path(), 3).unwrap(), manifest_of(3));
        drop(store);
        assert!(Store::open(dir.path(), 4).is_err());
    }
}
