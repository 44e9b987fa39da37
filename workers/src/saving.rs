//! The state of a shard on disk: what a checkpoint writes and a restore reads.
//!
//! Only what changed since the last checkpoint is written, table by table, each row under its key group. What is a function
//! of other state (timers, what waits for the clock, the index of readers) is not written but worked out again.
//!
//! First form, named: rows are encoded and sorted on the loop, which stands still meanwhile (`stage_checkpoint_ns_total`);
//! a restore needs the assignment of key groups under which the checkpoint was taken. Rows are laid out by group, so that a
//! rescale needs no rewrite, except for the windows of rules that compare keys: those are to be gathered from the keyed ones.

use billwatch_market::{
    aggregate::CellKey,
    codec::{decode_fact, encode_fact},
    ids::Day,
    items::Item,
    pattern::{AlertId, Cell, FeatureIndex, Hit, HitCount, Key, Member},
};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    dataflow::{
        alerts::{AlertName, alert_group},
        cells::cell_group,
        lives::SavedRow,
        valuation::Effects,
        windows::Place,
    },
    ownership::{group_of_rule, group_of_words},
    shard::Shard,
    store::{Store, StoreError, Table, checkpoint::manifest, history::Subject},
};

/// A row to write; `None` removes it.
type Row = (Vec<u8>, Option<Vec<u8>>);

/// Group of rows that every thread of a process reads.
const EVERYBODY: u16 = 0;

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: format!("a row of a checkpoint: {what}") }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("memory takes every row")
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| damaged(&error.to_string()))
}

fn keyed(group: u16, rest: &impl Serialize) -> Vec<u8> {
    let mut key = group.to_be_bytes().to_vec();
    key = postcard::to_extend(rest, key).expect("memory takes every key");
    key
}

fn unkeyed<'a, T: Deserialize<'a>>(key: &'a [u8]) -> Result<T, StoreError> {
    decode(key.get(2..).ok_or_else(|| damaged("a short key"))?)
}

fn write(store: &Store, table: Table, mut rows: Vec<Row>) -> Result<u64, StoreError> {
    rows.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    rows.dedup_by(|later, first| later.0 == first.0);
    store.write_sorted(table, rows)
}

fn present(rows: Vec<SavedRow>) -> Vec<Row> {
    rows.into_iter().map(|(key, value)| (key, Some(value))).collect()
}

impl Shard {
    /// Begins to remember what changes.
    pub fn keep_dirty(&self) {
        self.cells.borrow_mut().keep_dirty = true;
        self.windows.borrow_mut().keep_dirty();
        self.alerts.borrow_mut().keep_dirty = true;
    }

    /// Writes what changed since the last checkpoint. Bytes written.
    pub fn save(&self, store: &Store) -> Result<u64, StoreError> {
        let mut lives = self.lives.borrow_mut();
        lives.flush_history()?;
        let (bills, singles) = lives.take_dirty();
        let mut bytes = write(store, Table::Bills, present(bills))?;
        bytes += write(store, Table::Singles, present(singles))?;
        let reference = lives.take_unsaved_reference().into_iter().map(|record| {
            let mut value = Vec::new();
            encode_fact(&record, &mut value);
            (keyed(EVERYBODY, &(record.event_id.to_be_bytes(), xxh3_64(&value))), Some(value))
        });
        bytes += write(store, Table::Reference, reference.collect())?;
        let totals = (keyed(self.first_group(), &()), Some(encode(&lives.effects())));
        bytes += write(store, Table::Totals, vec![totals])?;
        drop(lives);
        bytes += self.save_cells(store)?;
        bytes += self.save_windows(store)?;
        let alerts = self.alerts.borrow_mut().take_dirty().into_iter().map(|(name, count)| {
            let id = AlertId::of(self.patterns().id(name.0), &name.1, name.2);
            let key = keyed(alert_group(id), &id.0.to_be_bytes());
            (key, (count != HitCount::default()).then(|| encode(&(name, count))))
        });
        bytes += write(store, Table::Alerts, alerts.collect())?;
        Ok(bytes)
    }

    fn save_cells(&self, store: &Store) -> Result<u64, StoreError> {
        let mut cells = self.cells.borrow_mut();
        let dirty = cells.take_dirty();
        let rows = dirty.into_iter().map(|key| {
            let sums = cells.table().get(&key).filter(|sums| sums.iter().any(|sum| *sum != 0));
            (keyed(cell_group(&key), &(key.pair, key.date, key.item)), sums.map(|sums| encode(&sums)))
        });
        write(store, Table::Cells, rows.collect())
    }

    fn save_windows(&self, store: &Store) -> Result<u64, StoreError> {
        let patterns = self.patterns();
        let mut windows = self.windows.borrow_mut();
        let mut rows: Vec<Row> = Vec::new();
        let mut put = |group, collective: bool, name: (FeatureIndex, Key, i64), cells: Vec<(Member, Cell)>| {
            rows.push((keyed(group, &(collective, name)), (!cells.is_empty()).then(|| encode(&cells))));
        };
        for (name, cells) in windows.keyed.take_dirty() {
            put(group_of_words([name.1.0, name.1.1, 0]), false, name, cells);
        }
        for (name, cells) in windows.collective.take_dirty() {
            // Under the group of the first own rule that reads the feature.
            let rules = patterns.readers(name.0).iter().map(|reader| reader.pattern);
            let groups = rules.filter(|rule| windows.owns(*rule)).map(|rule| group_of_rule(patterns.id(rule)));
            put(groups.min().unwrap_or(EVERYBODY), true, name, cells);
        }
        let mut bytes = write(store, Table::Windows, rows)?;
        let judgements = windows.take_dirty_judgements().into_iter().map(|(place, hits)| {
            let group = if patterns.compares(place.pattern) {
                group_of_rule(patterns.id(place.pattern))
            } else {
                group_of_words([place.key.0, place.key.1, 0])
            };
            (keyed(group, &place), (!hits.is_empty()).then(|| encode(&hits)))
        });
        bytes += write(store, Table::Judgements, judgements.collect())?;
        Ok(bytes)
    }

    /// Loads the checkpoint at which the store was opened.
    pub fn restore(&self, epoch: u64) -> Result<(), StoreError> {
        let Some(store) = &self.common.store else {
            return Err(StoreError::Damaged { what: "no data directory was given, so there is no checkpoint".into() });
        };
        let manifest = manifest(store.dir(), epoch)?;
        if manifest.key_group_owners != *self.common.owners {
            return Err(StoreError::Damaged {
                what: format!("checkpoint {epoch} was taken under another assignment of key groups"),
            });
        }
        if manifest.rules_fingerprint != self.common.rules.fingerprint() {
            return Err(StoreError::Damaged {
                what: format!("checkpoint {epoch} was taken under other pattern rules"),
            });
        }
        let mut lives = self.lives.borrow_mut();
        store.scan_group(Table::Reference, EVERYBODY, |_, value| {
            let record = decode_fact(&mut &*value).map_err(|error| damaged(&error.to_string()))?;
            lives.restore_reference(record);
            Ok(())
        })?;
        let mut effects = Effects::default();
        let index = self.seat.index() as u32;
        let own = self.common.owners.iter().enumerate().filter(|(_, owner)| **owner == index);
        for group in own.map(|(group, _)| group as u16) {
            for table in [Table::Bills, Table::Singles] {
                store.scan_group(table, group, |key, value| match Subject::of_key(key) {
                    Some(Subject::Bill(bill)) => lives.restore_bill(bill, value),
                    Some(Subject::Single { is_reference, event }) => lives.restore_single(is_reference, event, value),
                    None => Err(damaged("the key of a life")),
                })?;
            }
            store.scan_group(Table::Totals, group, |_, value| {
                effects = decode(value)?;
                Ok(())
            })?;
            self.restore_group(store, group)?;
        }
        lives.resume(manifest.clock, effects);
        self.windows.borrow_mut().resume(self.patterns(), manifest.clock);
        self.epoch.set(epoch);
        Ok(())
    }

    fn restore_group(&self, store: &Store, group: u16) -> Result<(), StoreError> {
        let mut cells = self.cells.borrow_mut();
        store.scan_group(Table::Cells, group, |key, value| {
            let (pair, date, item): (u16, Day, Item) = unkeyed(key)?;
            let sums: Vec<i128> = decode(value)?;
            cells.restore(CellKey { pair, date, item }, &sums);
            Ok(())
        })?;
        let mut windows = self.windows.borrow_mut();
        store.scan_group(Table::Windows, group, |key, value| {
            let (collective, (feature, of, bucket)): (bool, (FeatureIndex, Key, i64)) = unkeyed(key)?;
            let cells: Vec<(Member, Cell)> = decode(value)?;
            for (member, cell) in cells {
                windows.restore_cell(collective, (feature, of, bucket, member), cell);
            }
            Ok(())
        })?;
        store.scan_group(Table::Judgements, group, |key, value| {
            let place: Place = unkeyed(key)?;
            let hits: Vec<Hit> = decode(value)?;
            windows.restore_judgement(place, hits);
            Ok(())
        })?;
        let mut alerts = self.alerts.borrow_mut();
        store.scan_group(Table::Alerts, group, |_, value| {
            let (name, count): (AlertName, HitCount) = decode(value)?;
            alerts.restore(name, count);
            Ok(())
        })
    }

    /// The first key group of this worker.
    fn first_group(&self) -> u16 {
        let index = self.seat.index() as u32;
        self.common.owners.iter().position(|owner| *owner == index).unwrap_or(0) as u16
    }
}
