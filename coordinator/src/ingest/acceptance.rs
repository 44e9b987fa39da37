//! What becomes of a readable record: accepted, acknowledged again, or refused for its place in the sequence.
//!
//! Owns the rules of facts.md 6 and 7 that depend on what was accepted before, and the state that they need. Invariant: the
//! state is a function of the log's frames; [`Acceptance::replay`] rebuilds it at start. No I/O, no clock of the machine.

use billwatch_market::{
    codec::encode_record,
    fact::{Control, ControlKind, Record, Source, Stamp},
};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    events::{EventIndex, Place},
    sequences::{Sequences, Used},
};
use crate::{clock::MarketClock, limits, log::Position, shards::Audience};

/// A record that can be read and keeps every rule that needs no memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    /// The record as sent.
    pub record: Record,
    /// Hash of its content: everything but the number and the stamp (facts.md 1).
    pub content: u64,
    /// Hash of the event id; 0 for control records.
    pub event: u64,
    /// Who reads it.
    pub audience: Audience,
}

impl Prepared {
    /// Hashes and places a record. `scratch` is room that is used again.
    pub fn new(mut record: Record, scratch: &mut Vec<u8>) -> Self {
        scratch.clear();
        let event = match &mut record {
            Record::Fact(fact) => {
                let (number, stamp) = (fact.source_seq, fact.stamp);
                (fact.source_seq, fact.stamp) = (0, Stamp::default());
                billwatch_market::codec::encode_fact(fact, scratch);
                (fact.source_seq, fact.stamp) = (number, stamp);
                xxh3_64(&fact.event_id.to_le_bytes())
            }
            Record::Control(control) => {
                let number = std::mem::take(&mut control.source_seq);
                encode_record(&Record::Control(control.clone()), scratch);
                control.source_seq = number;
                0
            }
        };
        // 0 marks a number that was never accepted.
        let content = xxh3_64(scratch).max(1);
        let audience = Audience::of(&record);
        Prepared { record, content, event, audience }
    }
}

/// What becomes of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// New. The stamp's source watermark is for facts; `variant` when the event id is known with other content.
    Accepted {
        /// Highest watermark of the source accepted before.
        source_watermark: i64,
        /// Older than that watermark.
        late: bool,
        /// Another content under the same event id was accepted before.
        variant: bool,
    },
    /// Known: acknowledged again, no effect.
    Duplicate {
        /// Its number was not used before and counts as used from now on.
        fills: bool,
    },
    /// The number was accepted with other content.
    SequenceConflict,
    /// So many other contents were accepted under its event id that no more are taken.
    TooManyVariants,
    /// A watermark below an earlier one of the source.
    WatermarkBack {
        /// The earlier one, ms.
        earlier: i64,
    },
}

/// Memory of everything accepted.
#[derive(Debug, Default)]
pub struct Acceptance {
    sequences: Sequences,
    events: EventIndex,
    /// Records of books by their content: they have no event id, and one that comes again is no second line.
    books: EventIndex,
    clock: MarketClock,
}

fn is_of_book(control: &Control) -> bool {
    matches!(control.kind, ControlKind::BookLine { .. } | ControlKind::BookEnd { .. })
}

impl Acceptance {
    /// Judges a record and, when it is new, remembers it as written in the frame at `position`.
    pub fn judge(&mut self, prepared: &Prepared, position: Position) -> Verdict {
        let (source, number) = prepared.record.sequence();
        if let Some(used) = self.sequences.get(source, number) {
            return if used.content == prepared.content {
                Verdict::Duplicate { fills: false }
            } else {
                Verdict::SequenceConflict
            };
        }
        match &prepared.record {
            Record::Control(Control { kind: ControlKind::Watermark(time), .. }) => {
                if let Some(earlier) = self.clock.watermark(source)
                    && *time < earlier
                {
                    return Verdict::WatermarkBack { earlier };
                }
            }
            Record::Control(control) => {
                if is_of_book(control) && self.books.places(prepared.content).next().is_some() {
                    return Verdict::Duplicate { fills: true };
                }
            }
            Record::Fact(_) => {
                let first = self.events.first(prepared.event);
                let known = usize::from(first.is_some()) + self.events.further(prepared.event).len();
                let is_first = |(source, number): Place| {
                    self.sequences.get(source, number).is_some_and(|used| used.content == prepared.content)
                };
                if known > 0 && (self.events.is_further(prepared.content) || first.is_some_and(is_first)) {
                    return Verdict::Duplicate { fills: true };
                }
                if known >= limits::VARIANTS_MOST {
                    return Verdict::TooManyVariants;
                }
                return self.accept_fact(prepared, position, known > 0);
            }
        }
        self.remember(prepared, position);
        Verdict::Accepted { source_watermark: i64::MIN, late: false, variant: false }
    }

    fn accept_fact(&mut self, prepared: &Prepared, position: Position, variant: bool) -> Verdict {
        let source = prepared.record.sequence().0;
        let source_watermark = self.clock.watermark(source).unwrap_or(i64::MIN);
        let late = matches!(&prepared.record, Record::Fact(fact) if fact.event_time < source_watermark);
        self.remember(prepared, position);
        Verdict::Accepted { source_watermark, late, variant }
    }

    /// A record that stands in the log. True when its event id was known.
    pub fn replay(&mut self, prepared: &Prepared, position: Position) -> bool {
        let variant = prepared.event != 0 && self.events.places(prepared.event).next().is_some();
        self.remember(prepared, position);
        variant
    }

    fn remember(&mut self, prepared: &Prepared, position: Position) {
        let (source, number) = prepared.record.sequence();
        self.sequences.accept(source, number, Used { content: prepared.content, position });
        self.clock.sent(source);
        match &prepared.record {
            Record::Fact(_) => self.events.insert(prepared.event, prepared.content, (source, number)),
            Record::Control(control) => match control.kind {
                ControlKind::Watermark(time) => self.clock.set_watermark(source, time),
                ControlKind::Idle => self.clock.set_idle(source),
                ControlKind::Resume => self.clock.set_resumed(source),
                ControlKind::BookLine { .. } | ControlKind::BookEnd { .. } => {
                    self.books.insert(prepared.content, prepared.content, (source, number));
                }
            },
        }
    }

    /// A number used without an accepted record: refused (`content` 0), or a fact that came again under this number. False
    /// when the number was used before.
    pub fn fill(&mut self, source: Source, number: u64, content: u64) -> bool {
        if content == 0 {
            return self.sequences.fill(source, number);
        }
        let new = self.sequences.get(source, number).is_none();
        if new {
            self.sequences.accept(source, number, Used { content, position: Used::NO_RECORD });
        }
        new
    }

    /// Frames of the other facts with this event-id hash, with their places.
    pub fn variants(&self, event: u64) -> Vec<(Place, Position)> {
        let frame = |place: Place| Some((place, self.sequences.get(place.0, place.1)?.position));
        self.events.places(event).filter_map(frame).collect()
    }

    /// Runs of missing numbers of a source.
    pub fn gaps(&self, source: Source) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.sequences.gaps(source)
    }

    /// Number of runs of missing numbers of a source.
    pub fn gap_count(&self, source: Source) -> usize {
        self.sequences.gap_count(source)
    }

    /// Market clock, ms.
    pub fn clock(&self) -> Option<i64> {
        self.clock.now()
    }
}
