//! Batches made beforehand, in a file: what a measurement sends, so that making facts costs it nothing.
//!
//! Owns the file form: frames of a little-endian `u32` length and that many bytes of an encoded `IngestRequest`. Memory is
//! constant in the number of facts; the page cache keeps what fits. A client that lost its cluster reads the file again.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};

use billwatch_proto::v1::{IngestRequest, ingest_request::Records};
use prost::Message as _;

/// Number of records of a batch, in either form.
pub fn record_count(batch: &IngestRequest) -> u64 {
    match &batch.records {
        Some(Records::Columns(columns)) => u64::from(columns.row_count),
        Some(Records::Rows(rows)) => rows.rows.len() as u64,
        None => 0,
    }
}

/// A spool that is being written.
pub struct SpoolWriter {
    path: PathBuf,
    file: BufWriter<File>,
    frame: Vec<u8>,
    spool: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    batches: u64,
    records: u64,
    bytes: u64,
}

/// A written spool.
#[derive(Clone)]
pub struct Spool {
    path: PathBuf,
    counts: Counts,
}

impl SpoolWriter {
    /// Begins a spool; a file that is there is replaced.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(SpoolWriter { path: path.to_owned(), file, frame: Vec::new(), spool: Counts::default() })
    }

    /// Appends a batch.
    pub fn push(&mut self, batch: &IngestRequest) -> io::Result<()> {
        self.frame.clear();
        batch.encode(&mut self.frame).expect("a vector grows");
        let length =
            u32::try_from(self.frame.len()).map_err(|_| io::Error::other("a batch of 4 GiB: make it smaller"))?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&self.frame)?;
        self.spool.batches += 1;
        self.spool.records += record_count(batch);
        self.spool.bytes += self.frame.len() as u64;
        Ok(())
    }

    /// Closes the file.
    pub fn finish(mut self) -> io::Result<Spool> {
        self.file.flush()?;
        Ok(Spool { path: self.path, counts: self.spool })
    }
}

impl Spool {
    /// Batches in it.
    pub fn batches(&self) -> u64 {
        self.counts.batches
    }

    /// Records in it.
    pub fn records(&self) -> u64 {
        self.counts.records
    }

    /// Bytes of all encoded batches.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes
    }

    /// Reads it from the start.
    pub fn read(&self) -> io::Result<SpoolReader> {
        Ok(SpoolReader { file: BufReader::with_capacity(1 << 20, File::open(&self.path)?), left: self.counts.batches })
    }
}

/// Batches of a spool, in order.
pub struct SpoolReader {
    file: BufReader<File>,
    left: u64,
}

impl Iterator for SpoolReader {
    type Item = io::Result<IngestRequest>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.frame())
    }
}

impl SpoolReader {
    fn frame(&mut self) -> io::Result<IngestRequest> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_le_bytes(length) as usize];
        self.file.read_exact(&mut frame)?;
        IngestRequest::decode(frame.as_slice()).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use billwatch_proto::v1::{ColumnBatch, Row, RowBatch};

    use super::*;

    #[test]
    fn batches_come_back_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        let columns = |rows| Some(Records::Columns(ColumnBatch { row_count: rows, columns: Vec::new() }));
        let row = Some(Records::Rows(RowBatch { rows: vec![Row { json: "{}".into() }] }));
        let batches: Vec<_> = [columns(3), row, columns(0)]
            .into_iter()
            .enumerate()
            .map(|(at, records)| IngestRequest { batch_id: at as u64, records, replay: at == 1 })
            .collect();
        let mut writer = SpoolWriter::create(&path).unwrap();
        batches.iter().for_each(|batch| writer.push(batch).unwrap());
        let spool = writer.finish().unwrap();
        assert_eq!((spool.batches(), spool.records()), (3, 4));
        for _ in 0..2 {
            assert_eq!(spool.read().unwrap().collect::<io::Result<Vec<_>>>().unwrap(), batches);
        }
    }
}
