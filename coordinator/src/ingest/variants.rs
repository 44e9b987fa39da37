//! Copies of variants across homes (facts.md 7): which shards must be told of which records.
//!
//! Of the records of one event id the one with the smallest (source, number) counts. Its home must know all the others, and
//! every other home must know it (`market::variants`). Who is told of a record elsewhere also gets one of its own, so that it
//! finds where the copy belongs.
//!
//! Invariant: behind each `Copies` frame this holds for all accepted records. So while a known record goes on counting, new
//! ones are told to its home and it to theirs, and no other is read; when a new one counts, all homes are told. Each frame of
//! the log is read once a call, whatever the number of variants in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use billwatch_market::{
    codec::decode_record,
    fact::{EventId, Record},
    fact_scope::Home,
    variants::resolved_at,
};
use hashbrown::{HashMap, HashSet};
use prost::bytes::Bytes;

use super::{acceptance::Acceptance, events::Place};
use crate::{
    log::{LogError, Position, frame, read_frames},
    shards::Audience,
};

/// Variants cannot be found again.
#[derive(Debug, thiserror::Error)]
pub enum VariantsError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record is not where it was written.
    #[error("a record at position {0} of the log cannot be found again")]
    Lost(Position),
}

/// A fact read back from the log.
struct Found {
    audience: Audience,
    event: EventId,
    resolved_at: (Home, bool),
    record: Bytes,
}

/// Records with one hash of their event id.
#[derive(Default)]
struct Group {
    /// Those that nobody was told of yet.
    new: BTreeSet<Place>,
    /// All, with their frames.
    all: Vec<(Place, Position)>,
}

/// Frames to read, with the records wanted of each.
type Wanted = BTreeMap<Position, HashSet<Place>>;

/// What each audience must be told when these records (event-id hash and place), which stand in the log, are new variants.
pub fn copies(
    acceptance: &Acceptance,
    log_dir: &Path,
    new: &[(u64, Place)],
) -> Result<Vec<(Audience, Bytes)>, VariantsError> {
    let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
    for &(event, place) in new {
        groups.entry(event).or_default().new.insert(place);
    }
    let mut wanted = Wanted::new();
    for (event, group) in &mut groups {
        group.all = acceptance.variants(*event);
        let Some(counts) = group.counts() else { continue };
        let all_are_told = group.new.contains(&counts);
        for (place, position) in &group.all {
            if all_are_told || *place == counts || group.new.contains(place) {
                wanted.entry(*position).or_default().insert(*place);
            }
        }
    }
    let mut found = HashMap::new();
    read(log_dir, &wanted, &mut found)?;

    // Ids that only share a hash: of each the record that counts must be looked for.
    let mut wanted = Wanted::new();
    for group in groups.values().filter(|group| group.has_several_ids(&found)) {
        for (place, position) in group.all.iter().filter(|(place, _)| !found.contains_key(place)) {
            wanted.entry(*position).or_default().insert(*place);
        }
    }
    read(log_dir, &wanted, &mut found)?;

    let mut copies = Vec::new();
    for group in groups.values() {
        group.tell(&found, &mut copies);
    }
    copies.sort();
    copies.dedup();
    Ok(copies)
}

impl Group {
    fn counts(&self) -> Option<Place> {
        self.all.iter().map(|(place, _)| *place).min()
    }

    fn has_several_ids(&self, found: &HashMap<Place, Found>) -> bool {
        let mut ids = self.all.iter().filter_map(|(place, _)| Some(found.get(place)?.event));
        let first = ids.next();
        ids.any(|id| Some(id) != first)
    }

    fn tell(&self, found: &HashMap<Place, Found>, copies: &mut Vec<(Audience, Bytes)>) {
        let mut by_id: BTreeMap<EventId, BTreeMap<Place, &Found>> = BTreeMap::new();
        for (place, _) in &self.all {
            if let Some(found) = found.get(place) {
                by_id.entry(found.event).or_default().insert(*place, found);
            }
        }
        for records in by_id.values() {
            let Some((place, counts)) = records.first_key_value() else { continue };
            let all_are_told = self.new.contains(place);
            let told = records.iter().filter(|(place, _)| all_are_told || self.new.contains(*place));
            // Records that are resolved together anyway need no copies.
            for (_, record) in told.filter(|(_, record)| record.resolved_at != counts.resolved_at) {
                for copy in [counts, record] {
                    copies.push((record.audience, copy.record.clone()));
                    copies.push((counts.home_audience(), copy.record.clone()));
                }
            }
        }
    }
}

impl Found {
    /// Who resolves the record with those of its home; others may keep it as well.
    fn home_audience(&self) -> Audience {
        self.audience.key_group().map_or(self.audience, Audience::group)
    }
}

fn read(log_dir: &Path, wanted: &Wanted, found: &mut HashMap<Place, Found>) -> Result<(), VariantsError> {
    read_frames(log_dir, wanted.keys().copied(), |position, bytes| {
        let lost = || VariantsError::Lost(position);
        let places = wanted.get(&position).ok_or_else(lost)?;
        let mut rest = frame::parse(&bytes).map_err(|_| lost())?.body;
        let mut missing = places.len();
        while missing > 0 {
            let before = rest;
            let record = decode_record(&mut rest).map_err(|_| lost())?;
            let place = record.sequence();
            if !places.contains(&place) {
                continue;
            }
            let audience = Audience::of(&record);
            let Record::Fact(fact) = record else { return Err(lost()) };
            // A copy: a slice would keep the whole frame in memory.
            let record = Bytes::copy_from_slice(&before[..before.len() - rest.len()]);
            found.insert(place, Found { audience, event: fact.event_id, resolved_at: resolved_at(&fact), record });
            missing -= 1;
        }
        Ok(())
    })
}
