//! What a worker process keeps on disk: the history of facts, and the state of the views at checkpoints.
//!
//! One RocksDB a process, shared by its threads, without a write-ahead log: the coordinator's log is the log, and what is
//! younger than the last checkpoint is replayed from it. Rows are written as sorted table files and ingested, which costs a
//! fifth of single puts.
//!
//! ```text
//! DIR/live/                  the database in use; made anew at every start
//! DIR/staging/               table files on their way in
//! DIR/checkpoints/<epoch>/   hard links to the table files of that epoch, and a manifest
//! ```
//!
//! Invariants:
//! * Every key begins with the key group of its row (big-endian), so that a rescale hands groups over without a rewrite.
//! * Every value of a state table begins with the version of its form.
//! * A checkpoint without a whole manifest is no checkpoint; it is removed at start.
//!
//! * Worker threads read; the writer of the process alone writes, once it runs.
//!
//! Begin with [`Store::open`]; `history` gathers and reads facts, `rows` gathers rows of state, `writer` writes both and cuts
//! checkpoints, `checkpoint` says what a cut is, and restores and removes.

pub mod checkpoint;
pub mod history;
pub mod rows;
pub mod subject;
pub mod writer;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rocksdb::{
    BlockBasedOptions, ColumnFamilyDescriptor, DB, DBCompactionStyle, DBCompressionType, IngestExternalFileOptions,
    IteratorMode, Options, ReadOptions, SstFileWriter,
};

/// A kind of rows; its own column family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Table {
    /// Accepted facts by subject (bill or party).
    History,
    /// Accepted reference facts; written by the first thread of each process, read by all.
    Reference,
    /// Folded bills.
    Bills,
    /// Facts without a bill.
    Singles,
    /// Totals of cells.
    Cells,
    /// Feature buckets.
    Windows,
    /// Hits given by keyed and collective rules, by what was judged.
    Judgements,
    /// Hits of alerts.
    Alerts,
    /// One row a worker: what belongs to no key.
    Totals,
    /// Crosses of custom reports, and their cells.
    Crosses,
}

/// Every table, in order of its number.
pub const TABLES: [Table; 10] = [
    Table::History,
    Table::Reference,
    Table::Bills,
    Table::Singles,
    Table::Cells,
    Table::Windows,
    Table::Judgements,
    Table::Alerts,
    Table::Totals,
    Table::Crosses,
];

impl Table {
    /// Name of its column family.
    pub const fn name(self) -> &'static str {
        match self {
            Table::History => "history",
            Table::Reference => "reference",
            Table::Bills => "bills",
            Table::Singles => "singles",
            Table::Cells => "cells",
            Table::Windows => "windows",
            Table::Judgements => "judgements",
            Table::Alerts => "alerts",
            Table::Totals => "totals",
            Table::Crosses => "crosses",
        }
    }
}

/// Why the disk did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// RocksDB.
    #[error("store: {0}; check space and permissions of the data directory")]
    Rocks(#[from] rocksdb::Error),
    /// The file system.
    #[error("store: {path}: {source}; check space and permissions of the data directory")]
    File {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The writer of the process has failed; what it said.
    #[error("{0}")]
    Writer(String),
    /// A checkpoint or row that was damaged, or written by another version.
    #[error(
        "store: {what}; restore from an earlier checkpoint, or remove the data directory of this worker to replay the log"
    )]
    Damaged {
        /// What was found.
        what: String,
    },
}

pub(crate) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { path, source }
}

/// The database of one process.
pub struct Store {
    dir: PathBuf,
    db: DB,
    table_files: AtomicU64,
    options: Options,
}

impl Store {
    /// Opens the data directory at a committed checkpoint (0: empty). What was written after that checkpoint is dropped: it
    /// comes again from the log.
    pub fn open(dir: &Path, restore_epoch: u64) -> Result<Self, StoreError> {
        let live = dir.join("live");
        let staging = dir.join("staging");
        for old in [&live, &staging] {
            if old.exists() {
                fs::remove_dir_all(old).map_err(file_error(old))?;
            }
        }
        fs::create_dir_all(&staging).map_err(file_error(&staging))?;
        let checkpoints = checkpoint::dir_of_all(dir);
        fs::create_dir_all(&checkpoints).map_err(file_error(&checkpoints))?;
        checkpoint::remove_torn(dir)?;
        if restore_epoch > 0 {
            checkpoint::link_back(dir, restore_epoch, &live)?;
        }
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_max_background_jobs(2);
        let tables = TABLES.map(|table| ColumnFamilyDescriptor::new(table.name(), table_options(table)));
        let db = DB::open_cf_descriptors(&options, &live, tables)?;
        Ok(Store { dir: dir.to_owned(), db, table_files: AtomicU64::new(0), options: table_options(Table::History) })
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn db(&self) -> &DB {
        &self.db
    }

    fn family(&self, table: Table) -> &rocksdb::ColumnFamily {
        self.db.cf_handle(table.name()).expect("opened with every table")
    }

    /// Writes rows, sorted by key, each key once; `None` removes. Returns the bytes of the table file.
    pub fn write_sorted<K, V>(
        &self,
        table: Table,
        rows: impl IntoIterator<Item = (K, Option<V>)>,
    ) -> Result<u64, StoreError>
    where
        K: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(0);
        }
        let number = self.table_files.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join("staging").join(format!("{}-{number}.sst", table.name()));
        let mut writer = SstFileWriter::create(&self.options);
        writer.open(&path)?;
        for (key, value) in rows {
            match value {
                Some(value) => writer.put(key, value)?,
                None => writer.delete(key)?,
            }
        }
        writer.finish()?;
        let bytes = writer.file_size();
        let mut how = IngestExternalFileOptions::default();
        how.set_move_files(true);
        // Nobody holds snapshots. What is still in the memory of a thread is not read from here (`history`).
        how.set_snapshot_consistency(false);
        self.db.ingest_external_file_cf_opts(self.family(table), &how, vec![path])?;
        Ok(bytes)
    }

    /// Hands every row with `from <= key < to` to `take`, in order; stops early when it says false.
    pub fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        mut take: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(to);
        let start = IteratorMode::From(from, rocksdb::Direction::Forward);
        for row in self.db.iterator_cf_opt(self.family(table), options, start) {
            let (key, value) = row?;
            if !take(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    /// Hands every row of a key group to `take`, in order.
    pub fn scan_group(
        &self,
        table: Table,
        group: u16,
        mut take: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut result = Ok(());
        self.scan(table, &group.to_be_bytes(), &(group + 1).to_be_bytes(), |key, value| {
            result = take(key, value);
            result.is_ok()
        })?;
        result
    }
}

fn table_options(table: Table) -> Options {
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::Lz4);
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_size(16 << 10);
    options.set_block_based_table_factory(&blocks);
    if table == Table::History {
        // Written once, read seldom: few, large merges.
        options.set_compaction_style(DBCompactionStyle::Universal);
        options.set_level_zero_file_num_compaction_trigger(16);
        options.set_level_zero_slowdown_writes_trigger(64);
        options.set_level_zero_stop_writes_trigger(128);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_and_removals_hold() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 0).unwrap();
        let key = |group: u16, number: u8| [&group.to_be_bytes()[..], &[number]].concat();
        store
            .write_sorted(Table::Cells, [(key(1, 1), Some("a")), (key(1, 2), Some("b")), (key(2, 1), Some("c"))])
            .unwrap();
        store.write_sorted(Table::Cells, [(key(1, 1), None), (key(1, 3), Some("d"))]).unwrap();
        let mut rows = Vec::new();
        store
            .scan_group(Table::Cells, 1, |key, value| {
                rows.push((key[2], String::from_utf8(value.to_vec()).unwrap()));
                Ok(())
            })
            .unwrap();
        assert_eq!(rows, [(2, "b".to_owned()), (3, "d".to_owned())]);
        assert_eq!(store.write_sorted::<Vec<u8>, Vec<u8>>(Table::Cells, []).unwrap(), 0);
    }
}
