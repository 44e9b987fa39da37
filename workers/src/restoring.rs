//! The state of a shard from disk: what a restore reads back of what [`crate::saving`] wrote.
//!
//! What is a function of other state (timers, what waits for the clock, the index of readers) is not in the rows but worked
//! out again.

use billwatch_market::{
    aggregate::{CellKey, cross::CrossDefinition},
    codec::decode_fact,
    ids::Day,
    items::Item,
    pattern::{Cell, FeatureIndex, Hit, HitCount, Key, Member, liveness::TallyRows},
};
use serde::Deserialize;

use crate::{
    dataflow::{alerts::AlertName, crosses::CellName, lives::Lives, valuation::Effects, windows::Place},
    saving::{CROSS_CELL, CROSSES, EVERYBODY},
    shard::Shard,
    store::{Store, StoreError, Table, checkpoint::manifest, subject::Subject},
};

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: format!("a row of a checkpoint: {what}") }
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| damaged(&error.to_string()))
}

fn unkeyed<'a, T: Deserialize<'a>>(key: &'a [u8]) -> Result<T, StoreError> {
    decode(key.get(2..).ok_or_else(|| damaged("a short key"))?)
}

impl Shard {
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
        let (taken, told) = (manifest.parameters_version, self.common.rules.parameters.version);
        if taken != told {
            return Err(StoreError::Damaged {
                what: format!(
                    "checkpoint {epoch} was taken under version {taken} of the parameters, the log says {told}"
                ),
            });
        }
        let mut lives = self.lives.borrow_mut();
        store.scan_group(Table::Reference, EVERYBODY, |_, value| {
            let record = decode_fact(&mut &*value).map_err(|error| damaged(&error.to_string()))?;
            lives.restore_reference(record);
            Ok(())
        })?;
        let mut totals = (Effects::default(), TallyRows::new());
        self.restore_kept_crosses(store, &mut lives)?;
        let index = self.seat.index() as u32;
        let own = self.common.owners.iter().enumerate().filter(|(_, owner)| **owner == index);
        for group in own.map(|(group, _)| group as u16) {
            for table in [Table::Bills, Table::Singles] {
                store.scan_group(table, group, |key, value| match Subject::of_key(key) {
                    Some(Subject::Bill(bill)) => lives.restore_bill(bill, value),
                    Some(Subject::Single { family, event }) => lives.restore_single(family, event, value),
                    None => Err(damaged("the key of a life")),
                })?;
            }
            store.scan_group(Table::Totals, group, |_, value| {
                totals = decode(value)?;
                Ok(())
            })?;
            self.restore_group(store, group)?;
        }
        lives.resume(manifest.clock, totals.0, &totals.1);
        self.windows.borrow_mut().resume(&self.rules().patterns, manifest.clock);
        self.epoch.set(epoch);
        Ok(())
    }

    /// The crosses that were kept, before their cells.
    fn restore_kept_crosses(&self, store: &Store, lives: &mut Lives) -> Result<(), StoreError> {
        store.scan_group(Table::Crosses, self.first_group(), |key, value| {
            if key.get(2) == Some(&CROSSES) {
                let kept: Vec<(CrossDefinition, u64)> = decode(value)?;
                for (definition, version) in kept {
                    let id = lives.crosses_mut().keep(&definition, version, None);
                    if let Some(id) = id.map_err(|error| damaged(error.as_str()))? {
                        self.crosses.borrow_mut().keep(id, version);
                    }
                }
            }
            Ok(())
        })
    }

    fn restore_group(&self, store: &Store, group: u16) -> Result<(), StoreError> {
        let mut cells = self.cells.borrow_mut();
        store.scan_group(Table::Cells, group, |key, value| {
            let (pair, date, item): (u16, Day, Item) = unkeyed(key)?;
            let sums: Vec<i128> = decode(value)?;
            cells.restore(CellKey { pair, date, item }, &sums);
            Ok(())
        })?;
        let mut crosses = self.crosses.borrow_mut();
        store.scan_group(Table::Crosses, group, |key, value| {
            if key.get(2) == Some(&CROSS_CELL) {
                let (_, name): (u8, CellName) = unkeyed(key)?;
                let sums: Vec<i128> = decode(value)?;
                crosses.restore(name, &sums);
            }
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
}
