//! Faults of the log: torn at every byte, flipped bits, restarts, rotation.

use std::{fs, path::Path, sync::mpsc};

use prost::bytes::Bytes;

use crate::failure::Failure;

use super::{
    LogError, LogReader,
    frame::{self, FrameKind, HEADER_BYTES},
    recover, segment,
    segment::SEGMENT_HEADER_BYTES,
    writer::{self, LogItem},
};

fn append(epoch: u64, body: &[u8], durable: u64) -> Vec<u8> {
    let mut frame = frame::begin();
    frame.extend_from_slice(body);
    frame::complete(&mut frame, FrameKind::Append, 1, epoch, durable).unwrap();
    frame
}

/// Three groups with an fsync after each; every frame knows what was durable before its group.
fn three_groups(dir: &Path) -> Vec<Vec<u8>> {
    let mut writer = recover(dir, |_, _| Ok(())).unwrap().writer;
    let mut frames = Vec::new();
    for group in 1..=3u64 {
        let durable = writer.position();
        for frame in [append(group, &[group as u8; 50], durable), frame::seal(group, Some(7), 1, durable)] {
            writer.append(&frame).unwrap();
            frames.push(frame);
        }
        writer.sync().unwrap();
    }
    frames
}

fn only_segment(dir: &Path) -> std::path::PathBuf {
    let paths = segment::list(dir).unwrap();
    assert_eq!(paths.len(), 1);
    paths[0].clone()
}

fn count(dir: &Path) -> Result<(usize, u64), LogError> {
    let mut seen = 0;
    let recovered = recover(dir, |_, _| {
        seen += 1;
        Ok(())
    })?;
    Ok((seen, recovered.cut_bytes))
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_at_the_last_whole_frame() {
    let dir = tempfile::tempdir().unwrap();
    let frames = three_groups(dir.path());
    let path = only_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    for length in SEGMENT_HEADER_BYTES..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut end = SEGMENT_HEADER_BYTES;
        let kept = frames.iter().take_while(|frame| {
            end += frame.len();
            end <= length
        });
        let kept = kept.count();
        let kept_bytes: usize = frames[..kept].iter().map(Vec::len).sum();
        assert_eq!(count(dir.path()).unwrap(), (kept, (length - SEGMENT_HEADER_BYTES - kept_bytes) as u64));
        // Cut once, it is whole, and goes on.
        assert_eq!(fs::metadata(&path).unwrap().len() as usize, SEGMENT_HEADER_BYTES + kept_bytes);
        let mut writer = recover(dir.path(), |_, _| Ok(())).unwrap().writer;
        writer.append(&append(9, b"more", 0)).unwrap();
        assert_eq!(count(dir.path()).unwrap(), (kept + 1, 0));
    }
    for length in 0..SEGMENT_HEADER_BYTES {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(count(dir.path()).unwrap(), (0, 0), "a segment that was never begun");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let frames = three_groups(dir.path());
    let path = only_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    let last_group = whole.len() - frames[4].len() - frames[5].len();
    for at in 0..whole.len() {
        for bit in [0, 5] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            match count(dir.path()) {
                // Behind the last fsync that a frame knows of, a flip looks like a torn tail: cut there, never read.
                Ok((seen, cut)) => assert!(at >= last_group && seen < 6 && cut > 0, "byte {at} bit {bit}"),
                Err(LogError::Damaged { .. }) => {
                    assert!(at < last_group, "byte {at} bit {bit}");
                    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing is changed in a damaged log");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_torn_group_with_a_whole_frame_behind_is_still_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = recover(dir.path(), |_, _| Ok(())).unwrap().writer;
    let first = append(1, b"first", 0);
    writer.append(&first).unwrap();
    writer.sync().unwrap();
    let durable = writer.position();
    // One group of two frames, not synced: the page of the first did not reach the disk, that of the second did.
    let mut lost = append(1, &[3; 60], durable);
    lost[HEADER_BYTES..].fill(0);
    writer.append(&lost).unwrap();
    writer.append(&append(1, &[4; 60], durable)).unwrap();
    assert_eq!(count(dir.path()).unwrap().0, 1);
}

#[test]
fn the_writer_acknowledges_in_order_and_the_reader_finds_every_epoch_over_segments() {
    let dir = tempfile::tempdir().unwrap();
    let recovered = recover(dir.path(), |_, _| Ok(())).unwrap();
    let (queue, state, thread) = writer::start(recovered.writer, (), Failure::default());
    let (done, acknowledged) = mpsc::channel();
    let body = vec![5u8; 12 << 20];
    for epoch in 1..=14u64 {
        let done = done.clone();
        let frame = append(epoch, &body, state.durable());
        queue.push(LogItem { frame: frame.into(), epoch, then: None }).unwrap();
        let mut copies = frame::begin();
        frame::put_copy(&mut copies, 77, b"variant");
        frame::complete(&mut copies, FrameKind::Copies, 1, epoch, state.durable()).unwrap();
        queue.push(LogItem { frame: copies.into(), epoch, then: None }).unwrap();
        let then: Box<dyn FnOnce() + Send> = Box::new(move || done.send(epoch).unwrap());
        let frame = frame::seal(epoch, Some(epoch as i64), 1, state.durable());
        queue.push(LogItem { frame: frame.into(), epoch, then: Some(then) }).unwrap();
    }
    queue.flush().unwrap();
    assert_eq!(acknowledged.try_iter().collect::<Vec<_>>(), (1..=14).collect::<Vec<u64>>());
    assert!(segment::list(dir.path()).unwrap().len() > 1, "the log was cut into segments");
    for from in 1..=14 {
        let mut reader = LogReader::at(dir.path(), from).unwrap();
        let stored = reader.next_epoch().unwrap();
        assert_eq!((stored.epoch, stored.market_clock_ms, stored.records), (from, Some(from as i64), 1));
        assert_eq!(stored.batches, vec![Bytes::from(body.clone())]);
        assert_eq!(stored.copies, vec![(77, Bytes::from_static(b"variant"))]);
    }
    let mut reader = LogReader::at(dir.path(), 1).unwrap();
    for epoch in 1..=14 {
        assert_eq!(reader.next_epoch().unwrap().epoch, epoch);
    }
    assert!(reader.next_epoch().is_err());
    drop(queue);
    thread.join().unwrap();
    assert_eq!(count(dir.path()).unwrap(), (42, 0));

    // A lost segment is not passed over.
    let paths = segment::list(dir.path()).unwrap();
    fs::remove_file(&paths[0]).unwrap();
    assert!(matches!(count(dir.path()), Err(LogError::Damaged { .. })));
}
