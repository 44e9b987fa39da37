//! Windows in checkpoints: what is not saved, what is put back, and what of it waits for the clock.

use billwatch_market::pattern::{Cell, Hit, Judged, PatternIndex, Patterns, Windows as _};
use hashbrown::HashSet;

use super::{ALL_KEYS, Place, Windows};
use crate::dataflow::series_store::CellName;

impl Windows {
    /// Begins a sweep over what is not saved.
    pub fn begin_sweep(&mut self) {
        self.keyed.begin_sweep();
        self.collective.begin_sweep();
        self.unsaved_judgements.begin();
    }

    /// The next judgement of the sweep, with its hits now.
    pub fn take_unsaved_judgement(&mut self) -> Option<(Place, &[Hit])> {
        let place = self.unsaved_judgements.pop()?;
        Some((place, self.judgements.get(&place).map_or(&[][..], Vec::as_slice)))
    }

    /// Puts a judgement of a checkpoint back.
    pub fn restore_judgement(&mut self, place: Place, hits: Vec<Hit>) {
        self.put_judgement(place, hits);
    }

    /// Puts a cell of a checkpoint back; nothing is judged.
    pub fn restore_cell(&mut self, collective: bool, name: CellName, cell: Cell) {
        let store = if collective { &mut self.collective } else { &mut self.keyed };
        if store.restore(name, cell) && self.reads_reference[usize::from(name.0.0)] {
            self.index(name.0, name.1);
        }
    }

    /// Begins to remember what changes, for checkpoints.
    pub fn keep_dirty(&mut self) {
        self.keyed.keep_dirty = true;
        self.collective.keep_dirty = true;
    }

    /// After a restore: finds what waits for the clock again. It is a function of the windows and the clock.
    pub fn resume(&mut self, patterns: &Patterns, clock: Option<i64>) {
        self.clock = clock;
        for place in 0..patterns.rule_count() {
            let pattern = PatternIndex(place as u16);
            let waits = !matches!(patterns.judged(pattern), None | Some(Judged::AtFact | Judged::EachDay));
            if !waits || (patterns.compares(pattern) && !self.own_rules[place]) {
                continue;
            }
            let mut found = HashSet::new();
            let windows = self.windows_of(pattern);
            for feature in patterns.triggers(pattern) {
                if patterns.is_group(pattern) {
                    windows.buckets(*feature, i64::MIN, i64::MAX, |bucket| {
                        let bucket = patterns.judged_at(pattern, bucket);
                        found.insert(Place { pattern, key: ALL_KEYS, bucket });
                    });
                } else {
                    windows.keys(*feature, &mut |key| {
                        let buckets = patterns.judged_buckets(pattern, key, i64::MIN, i64::MAX, windows);
                        found.extend(buckets.into_iter().map(|bucket| Place { pattern, key, bucket }));
                    });
                }
            }
            for place in found {
                let ripe_at = patterns.ripe_at(pattern, place.bucket);
                if clock.is_none_or(|clock| ripe_at > clock) {
                    self.waiting.entry(ripe_at).or_default().insert(place);
                }
            }
        }
    }

    /// Bytes held, estimated.
    pub fn heap_bytes(&self) -> usize {
        let waiting: usize = self.waiting.values().map(|places| places.capacity() * size_of::<Place>()).sum();
        self.keyed.heap_bytes()
            + self.collective.heap_bytes()
            + self.judgements.capacity() * (size_of::<Place>() + size_of::<Vec<Hit>>())
            + self.judged_at.len() * size_of::<Place>()
            + waiting
            + self.keys_of_party.len() * 64
    }
}
