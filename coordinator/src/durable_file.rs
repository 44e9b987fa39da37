//! A small append-only file of checked entries: what the dead letters and the alert ledger are written in.
//!
//! ```text
//! entry = length u32 | crc32 of length and payload u32 | payload       (little-endian)
//! ```
//!
//! Unlike the log, these files can be made again (the ledger by replay) or are notes to people (dead letters). So an entry
//! that does not fit ends the file at open: what follows is cut off, and the number of cut bytes is told.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use crate::server::ServeError;

const HEAD_BYTES: usize = 8;
/// A damaged length must not reserve memory.
const PAYLOAD_MOST: usize = 256 << 20;

/// The file, open at its end.
#[derive(Debug)]
pub struct DurableFile {
    path: PathBuf,
    file: File,
    end: u64,
}

impl DurableFile {
    /// Opens or creates the file and shows each whole entry, with its offset, to `visit`. An entry that `visit` cannot read
    /// (false) ends the file. Gives the number of bytes cut off.
    pub fn open(path: &Path, mut visit: impl FnMut(u64, &[u8]) -> bool) -> Result<(Self, u64), ServeError> {
        let failed = |source| ServeError::Io { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut reader = std::io::BufReader::with_capacity(1 << 20, &mut file);
        let mut end = 0;
        let mut payload = Vec::new();
        while read_entry(&mut reader, &mut payload) && visit(end, &payload) {
            end += (HEAD_BYTES + payload.len()) as u64;
        }
        if end < length {
            file.set_len(end).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        file.seek(SeekFrom::Start(end)).map_err(failed)?;
        if let Some(dir) = path.parent() {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        Ok((DurableFile { path: path.to_owned(), file, end }, length - end))
    }

    /// Appends entries and makes them durable. Gives the offset of each.
    pub fn append<'a>(&mut self, payloads: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u64>, ServeError> {
        let mut bytes = Vec::new();
        let mut offsets = Vec::new();
        for payload in payloads {
            offsets.push(self.end + bytes.len() as u64);
            let length = (payload.len() as u32).to_le_bytes();
            bytes.extend_from_slice(&length);
            bytes.extend_from_slice(&checksum(length, payload).to_le_bytes());
            bytes.extend_from_slice(payload);
        }
        let failed = |source| ServeError::Io { path: self.path.clone(), source };
        self.file.write_all(&bytes).and_then(|()| self.file.sync_data()).map_err(failed)?;
        self.end += bytes.len() as u64;
        Ok(offsets)
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.end
    }
}

/// The payload of the entry at an offset; `None` when there is none.
pub fn read_at(path: &Path, offset: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut payload = Vec::new();
    Ok(read_entry(&mut file, &mut payload).then_some(payload))
}

/// Reads one entry; false at the end, and at an entry that does not fit.
fn read_entry(reader: &mut impl std::io::Read, payload: &mut Vec<u8>) -> bool {
    let mut head = [0; HEAD_BYTES];
    if reader.read_exact(&mut head).is_err() {
        return false;
    }
    let length = [head[0], head[1], head[2], head[3]];
    let bytes = u32::from_le_bytes(length) as usize;
    if bytes > PAYLOAD_MOST {
        return false;
    }
    payload.clear();
    if !matches!(reader.take(bytes as u64).read_to_end(payload), Ok(read) if read == bytes) {
        return false;
    }
    head[4..] == checksum(length, payload).to_le_bytes()
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(path: &Path) -> (Vec<Vec<u8>>, u64) {
        let mut seen = Vec::new();
        let (_, cut) = DurableFile::open(path, |_, payload| {
            seen.push(payload.to_vec());
            true
        })
        .unwrap();
        (seen, cut)
    }

    #[test]
    fn whole_entries_survive_any_cut_and_flip() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes");
        let written = [b"one".to_vec(), Vec::new(), vec![7; 40]];
        let (mut file, _) = DurableFile::open(&path, |_, _| true).unwrap();
        let offsets = file.append(written.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(read_at(&path, offsets[2]).unwrap(), Some(written[2].clone()));
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let kept = offsets.iter().zip(&written).filter(|(at, entry)| **at as usize + 8 + entry.len() <= length);
            assert_eq!(entries(&path).0, kept.map(|(_, entry)| entry.clone()).collect::<Vec<_>>());
            assert_eq!(entries(&path).1, 0, "cut once, it is whole");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, &bytes).unwrap();
            let (seen, cut) = entries(&path);
            assert!(seen.len() < 3 && cut > 0 && written.starts_with(&seen), "flip at {at}");
        }
    }
}
