//! What the sequencer must remember, read from the log at start.

use std::path::Path;

use billwatch_market::{
    codec::decode_record,
    fact::{Record, SOURCES, Source},
};
use billwatch_proto::v1;
use prost::bytes::Bytes;

use super::{
    acceptance::{Acceptance, Prepared},
    sequencer::Begin,
};
use crate::{
    counters::Counters,
    epochs::{PlacedBatch, Sealed},
    log::{
        LogError, Position, Recovered,
        frame::{Frame, FrameKind},
        recover,
    },
    parameters::is_readable,
};

/// An opened log and the state that follows from it.
pub struct Rebuilt {
    /// The log, ready to append.
    pub log: Recovered,
    /// State of the sequencer.
    pub begin: Begin,
    /// The last epoch that was sealed before.
    pub sealed: Sealed,
    /// What was ordered before, with its epoch, in order.
    pub orders: Vec<(u64, v1::Order)>,
    /// Changes of parameters, also that of the epoch that a crash left open.
    pub parameters: Vec<v1::ParameterChange>,
}

/// Opens the log and rebuilds the sequencer's memory: about a microsecond a record.
pub fn rebuild(log_dir: &Path, counters: &Counters) -> Result<Rebuilt, LogError> {
    let mut reading = Reading::default();
    let log = recover(log_dir, |position, frame| reading.visit(position, frame))?;
    for source in SOURCES {
        counters.add("records_accepted_total", source.code(), reading.accepted[usize::from(source.rank())]);
        counters.set("sequence_gaps", source.code(), reading.acceptance.gap_count(source) as i64);
    }
    counters.add("facts_accepted_total", "", reading.facts);
    counters.set("log_cut_bytes", "", log.cut_bytes as i64);
    reading.parameters.extend(reading.open_parameters.clone());
    let begin = Begin {
        acceptance: reading.acceptance,
        position: log.writer.position(),
        sealed_epoch: reading.sealed.epoch,
        open: reading.open,
        open_orders: reading.open_orders,
        open_variants: reading.open_variants,
        open_parameters: reading.open_parameters,
    };
    Ok(Rebuilt { log, begin, sealed: reading.sealed, orders: reading.orders, parameters: reading.parameters })
}

#[derive(Default)]
struct Reading {
    acceptance: Acceptance,
    sealed: Sealed,
    open: Vec<PlacedBatch>,
    open_orders: Vec<v1::Order>,
    open_variants: Vec<(u64, (Source, u64))>,
    orders: Vec<(u64, v1::Order)>,
    open_parameters: Option<v1::ParameterChange>,
    parameters: Vec<v1::ParameterChange>,
    accepted: [i64; SOURCES.len()],
    facts: i64,
    scratch: Vec<u8>,
}

impl Reading {
    fn visit(&mut self, position: Position, frame: &Frame<'_>) -> Result<(), &'static str> {
        if frame.epoch != self.sealed.epoch + 1 {
            return Err("an epoch is missing or out of order");
        }
        match frame.kind {
            FrameKind::Append => self.append(position, frame)?,
            FrameKind::Filled => {
                for (rank, number, content) in frame.filled().map_err(|fault| fault.0)? {
                    let source = Source::from_rank(rank).ok_or("source of a used number")?;
                    self.acceptance.fill(source, number, content);
                }
            }
            // Only for delivery.
            FrameKind::Copies => {}
            FrameKind::Orders => self.open_orders.extend(frame.orders().map_err(|fault| fault.0)?),
            FrameKind::Parameters => {
                let change = frame.parameters().map_err(|fault| fault.0)?;
                if !is_readable(&change) {
                    return Err("a change of parameters that this build cannot read");
                }
                // Workers pass over a version that they have; a restart would put it in force.
                let before =
                    self.open_parameters.as_ref().or(self.parameters.last()).map_or(0, |before| before.version);
                if change.version != before + 1 {
                    return Err("a change of parameters whose version does not follow the one before");
                }
                self.open_parameters = Some(change);
            }
            FrameKind::Seal => {
                let market_clock_ms = frame.clock().map_err(|fault| fault.0)?;
                self.sealed = Sealed { epoch: frame.epoch, market_clock_ms };
                self.open.clear();
                self.orders.extend(self.open_orders.drain(..).map(|order| (frame.epoch, order)));
                self.open_variants.clear();
                self.parameters.extend(self.open_parameters.take());
            }
        }
        Ok(())
    }

    fn append(&mut self, position: Position, frame: &Frame<'_>) -> Result<(), &'static str> {
        let mut rest = frame.body;
        let mut placed = Vec::with_capacity(frame.count as usize);
        while !rest.is_empty() {
            let before = rest.len();
            let record = decode_record(&mut rest).map_err(|_| "a record that this build cannot read")?;
            let length = (before - rest.len()) as u32;
            let prepared = Prepared::new(record, &mut self.scratch);
            let place = prepared.record.sequence();
            self.accepted[usize::from(place.0.rank())] += 1;
            self.facts += i64::from(matches!(prepared.record, Record::Fact(_)));
            if self.acceptance.replay(&prepared, position) {
                self.open_variants.push((prepared.event, place));
            }
            placed.push((prepared.audience, length));
        }
        if placed.len() as u32 != frame.count {
            return Err("number of records of a frame");
        }
        // Kept only for the epoch that has no seal yet.
        self.open.push(PlacedBatch { records: Bytes::copy_from_slice(frame.body), placed });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::frame::{self, seal};

    fn change(version: u32) -> v1::ParameterChange {
        v1::ParameterChange { version, pattern: "P001".into(), ..v1::ParameterChange::default() }
    }

    fn parameters(change: &v1::ParameterChange, epoch: u64, position: u64) -> Vec<u8> {
        frame::parameters(change, epoch, position).unwrap()
    }

    #[test]
    fn versions_of_parameters_count_up_also_in_the_epoch_that_a_crash_left_open() {
        let dir = tempfile::tempdir().unwrap();
        let counters = Counters::default();
        let write = |frames: &[Vec<u8>]| {
            let mut writer = rebuild(dir.path(), &counters).unwrap().log.writer;
            frames.iter().for_each(|frame| writer.append(frame).unwrap());
            writer.sync().unwrap();
        };
        write(&[parameters(&change(1), 1, 0), seal(1, None, 0, 0), parameters(&change(2), 2, 0)]);
        let rebuilt = rebuild(dir.path(), &counters).unwrap();
        let known: Vec<_> = rebuilt.parameters.iter().map(|change| (change.version, change.epoch)).collect();
        assert_eq!(known, [(1, 1), (2, 2)]);
        assert_eq!((rebuilt.sealed.epoch, rebuilt.begin.open_parameters.unwrap().version), (1, 2));
        drop(rebuilt.log);
        write(&[seal(2, None, 0, 0), parameters(&change(2), 3, 0), seal(3, None, 0, 0)]);
        let error = rebuild(dir.path(), &counters).err().expect("a version that comes twice is refused");
        assert!(error.to_string().contains("does not follow the one before"), "{error}");
    }
}
