//! The changes of one epoch, added up cell by cell before anything leaves the shard.
//!
//! A fact changes about 70 cells, but the facts of an epoch change the same ones again and again: 10,000 facts make some
//! 660,000 changes of 20,000 cells. So most of the work is adding. Flow facts and lots wait as [`super::rows`] and are added
//! column by column into the array of their date. What is no row (several lots in one fact, cuts, sums too wide) comes as
//! single changes. Parties, days and numbers, 5 % of the changes, go through a hash map, as do dates beyond the few that an
//! epoch has open.
//!
//! Invariants:
//! - [`EpochSums::drain`] gives each changed cell once, with the sum of all its changes, and leaves nothing behind; cells
//!   whose changes cancel are left out;
//! - no sum in an array leaves 64 bits: `bound` is no less than any of them, and before it would, the arrays are emptied
//!   into the map, whose sums have 128 bits.

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};

use super::{
    Aggregates, CellKey, CellSink, Feed, FeedKind,
    layout::{Block, CellLayout, LANES, PlanLayout, Target},
    profiles::Profiles,
    rows::{Batch, Batches, Column, LARGEST, Players},
    stock::Lots,
};
use crate::{ids::Day, items::Item, observe::Observation};

/// The sums of an array stay below this: a few ten thousand facts of the largest kind.
const BOUND: i64 = 1 << 62;
/// Dates with an array of their own (about 1 MB each with the embedded catalogue); further dates are rare in one epoch.
const DENSE_DAYS: usize = 24;
/// What the rows of a batch add to the cells of a share.
#[derive(Clone, Copy)]
struct Parts<'a> {
    /// Blocks of a row.
    blocks: usize,
    parts: &'a [Block],
}

impl<'a> Parts<'a> {
    #[inline]
    fn of(self, row: u32) -> &'a [Block] {
        &self.parts[row as usize * self.blocks..][..self.blocks]
    }

    /// All rows together. `Rows::bound` says that nothing is lost.
    fn total(self) -> SmallVec<[Block; 4]> {
        let mut total: SmallVec<[Block; 4]> = smallvec![[0; LANES]; self.blocks];
        self.parts.chunks_exact(self.blocks).for_each(|part| add_blocks(&mut total, part));
        total
    }
}

#[inline]
fn add_blocks(sums: &mut [Block], more: &[Block]) {
    for (sums, more) in sums.iter_mut().zip(more) {
        (0..LANES).for_each(|lane| sums[lane] = sums[lane].wrapping_add(more[lane]));
    }
}

/// What rows name for one feed: items of their own, and those of profiles.
#[derive(Clone, Copy)]
struct Named<'a> {
    column: &'a Column,
    /// Who plays the role, and the attribute that is asked for.
    of_players: Option<(&'a Players, u8)>,
    profiles: &'a Profiles,
}

impl Named<'_> {
    /// Hands over (row, place of an item).
    #[inline]
    fn each_place(self, mut take: impl FnMut(u32, u32)) {
        self.column.placed.iter().for_each(|(row, place)| take(*row, *place));
        if let Some((players, attribute)) = self.of_players {
            self.profiles.each_item(players, attribute, take);
        }
    }
}

/// The cells of one business date.
struct DenseDay {
    date: Day,
    /// No sum is larger.
    bound: i64,
    /// For each cell, side by side for the cache: not 0 when it is in `changed`, and its sums.
    blocks: Box<[Block]>,
    changed: Vec<u32>,
}

/// Adds up the changes of an epoch. Keep it between epochs: it keeps its memory.
pub struct EpochSums {
    aggregates: Arc<Aggregates>,
    layout: Arc<CellLayout>,
    batches: Batches,
    profiles: Profiles,
    /// Changes that are no rows.
    rest: CellSink,
    totals: Totals,
}

/// Sums of cells.
struct Totals {
    layout: Arc<CellLayout>,
    days: Vec<DenseDay>,
    /// How many of `days` are in use in this epoch, from the front.
    open: usize,
    /// Start of the cell's sums in `sparse_values`.
    sparse: HashMap<CellKey, u32>,
    sparse_values: Vec<i128>,
    /// Some cells with a place have a part in `sparse`.
    spilled: bool,
    /// Kept for its memory.
    parts: Vec<Block>,
}

impl EpochSums {
    /// Nothing yet.
    pub fn new(aggregates: Arc<Aggregates>, layout: Arc<CellLayout>) -> Self {
        EpochSums {
            profiles: Profiles::new(aggregates.meanings().vocabulary()),
            aggregates,
            batches: Batches::default(),
            rest: CellSink::new(false),
            totals: Totals {
                layout: layout.clone(),
                days: Vec::new(),
                open: 0,
                sparse: HashMap::new(),
                sparse_values: Vec::new(),
                spilled: false,
                parts: Vec::new(),
            },
            layout,
        }
    }

    /// Adds what a fact does to flow cells and stocks, times a weight (+1, or -1 to take it back): as
    /// [`Aggregates::flow`] and [`Aggregates::stock`] say.
    pub fn observe(&mut self, seen: &Observation<'_>, weight: i64) {
        let EpochSums { aggregates, layout, batches, profiles, rest, totals } = self;
        let number = usize::from(seen.fact.behaviour.0);
        let plan = &aggregates.plans[number];
        if let Some(fed) = aggregates.fed_by(plan, seen) {
            let places = layout.plan(number);
            let sums = places.slots.iter().map(|slot| aggregates.slot(*slot, seen, fed.whole) * i128::from(weight));
            let batch = batches.find(number, seen.fact.biz_date, places).map(|place| batches.at(number, place));
            let row = batch.and_then(|batch| batch.rows.begin(fed.live, sums).map(|row| (batch, row)));
            if let Some((batch, row)) = row {
                for (role, players) in places.roles.iter().zip(&mut batch.roles) {
                    if role.mask & fed.live != 0 {
                        aggregates.each_profile(role.role, &fed, profiles, |player| players.push(row, player));
                    }
                }
                let wanted = places.by_item.iter().copied();
                aggregates.each_item(plan, &fed, wanted, |place, feed, item| {
                    if feed.kind != FeedKind::Constant || batch.feeds[place].is_empty() {
                        batch.put(row, place, places.feeds[place].items, item);
                    }
                });
                if fed.several_lots {
                    aggregates.flow_by_lot(plan, &fed, weight, rest);
                }
            } else {
                aggregates.flow_plan(plan, &fed, weight, rest);
            }
        }
        aggregates.flow_beside(seen, weight, rest);
        aggregates.stock_rows(seen, weight, Lots { layout, batches, profiles }, rest);
        batches.drain_full(|number, batch| {
            totals.add_batch(aggregates.feeds_of(number), layout.plan(number), profiles, batch);
        });
        if !rest.cells().is_empty() {
            totals.add_all(rest);
            rest.clear();
        }
    }

    /// Adds everything that a sink has collected.
    pub fn add_all(&mut self, sink: &CellSink) {
        self.totals.add_all(sink);
    }

    /// Hands out every cell that changed, with the sums of its slots, in no order; then begins anew.
    pub fn drain(&mut self, each: impl FnMut(CellKey, &[i128])) {
        let EpochSums { aggregates, layout, batches, profiles, totals, .. } = self;
        batches.drain(|number, batch| {
            totals.add_batch(aggregates.feeds_of(number), layout.plan(number), profiles, batch);
        });
        profiles.rest();
        totals.drain(each);
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.totals.heap_bytes() + self.batches.heap_bytes() + self.profiles.heap_bytes()
    }
}

impl Totals {
    /// Adds single changes.
    fn add_all(&mut self, sink: &CellSink) {
        for delta in sink.cells() {
            let sums = sink.part(delta.part);
            let largest = sums.iter().map(|sum| sum.unsigned_abs()).max().unwrap_or(0);
            if largest > LARGEST as u128 {
                self.spilled = true;
                self.add_sparse(delta.key, sums.iter().copied());
                continue;
            }
            let day = self.day(delta.key.date, largest as i64);
            self.add(day, delta.key, sums);
        }
    }

    /// Adds the rows of a batch, share by share and column by column.
    fn add_batch(&mut self, feeds: &[Feed], places: &PlanLayout, profiles: &Profiles, batch: &mut Batch) {
        let Batch { date, rows, roles, feeds: columns } = batch;
        // A row adds to a cell once at most, so the sums of all rows bound what the batch adds to any cell.
        let day = self.day(*date, rows.bound);
        columns.iter_mut().for_each(|column| column.strange.sort_unstable());
        let mut parts = std::mem::take(&mut self.parts);
        let layout = self.layout.clone();
        for (number, share) in places.shares.iter().enumerate() {
            let target = share.time.first().or(share.targets.first().map(|(_, target)| target));
            let Some(blocks) = target.map(|target| target.blocks) else { continue };
            if rows.any >> number & 1 == 0 {
                continue;
            }
            rows.parts(share, number, blocks, &mut parts);
            let parts = Parts { blocks, parts: &parts };
            let total = parts.total();
            for target in &share.time {
                self.add_blocks_to(day, CellKey { pair: target.pair, date: *date, item: Item::ALL }, &total);
            }
            for (feed, target) in &share.targets {
                let feed = usize::from(*feed);
                let column = &columns[feed];
                let item_of = |place: u32| layout.cell(target.first_cell + place).1;
                if feeds[feed].kind == FeedKind::Constant {
                    let placed = column.placed.first().map(|(_, place)| item_of(*place));
                    if let Some(item) = placed.or(column.strange.first().map(|(item, _)| *item)) {
                        self.add_blocks_to(day, CellKey { pair: target.pair, date: *date, item }, &total);
                    }
                    continue;
                }
                let of_players =
                    places.feeds[feed].profile.map(|(role, attribute)| (&roles[usize::from(role)], attribute));
                let named = Named { column, of_players, profiles };
                match day {
                    Some(day) => self.days[day].add_column(parts, *target, named),
                    None => named.each_place(|row, place| {
                        let key = CellKey { pair: target.pair, date: *date, item: item_of(place) };
                        self.add_blocks_to(None, key, parts.of(row));
                    }),
                }
                for run in column.strange.chunk_by(|(left, _), (right, _)| left == right) {
                    self.add_run(day, CellKey { pair: target.pair, date: *date, item: run[0].0 }, parts, run);
                }
            }
        }
        self.parts = parts;
    }

    /// Adds what some rows add to one cell.
    fn add_run(&mut self, day: Option<usize>, key: CellKey, parts: Parts<'_>, run: &[(Item, u32)]) {
        if let [(_, row)] = run {
            return self.add_blocks_to(day, key, parts.of(*row));
        }
        let mut total: SmallVec<[Block; 4]> = smallvec![[0; LANES]; parts.blocks];
        run.iter().for_each(|(_, row)| add_blocks(&mut total, parts.of(*row)));
        self.add_blocks_to(day, key, &total);
    }

    /// Adds blocks, marked when they add anything, to one cell.
    fn add_blocks_to(&mut self, day: Option<usize>, key: CellKey, more: &[Block]) {
        if more[0][0] == 0 {
            return;
        }
        let pair = self.layout.pair(key.pair);
        let (Some(place), Some(day)) = (pair.item(key.item), day) else {
            let sums = &more.as_flattened()[1..=usize::from(pair.width)];
            return self.add_sparse(key, sums.iter().map(|sum| i128::from(*sum)));
        };
        let day = &mut self.days[day];
        let cell = &mut day.blocks[pair.blocks(place)];
        if cell[0][0] == 0 {
            day.changed.push(pair.first_cell + place);
        }
        add_blocks(cell, more);
    }

    /// The array of a date, to whose sums at most `more` is now added; `None` when all are taken by other dates, which they
    /// then are until the epoch ends.
    fn day(&mut self, date: Day, more: i64) -> Option<usize> {
        let known = self.days[..self.open].iter().position(|day| day.date == date);
        let place = match known {
            Some(place) => place,
            None if self.open == DENSE_DAYS => return None,
            None => {
                if self.open == self.days.len() {
                    self.days.push(DenseDay::new(date, self.layout.blocks()));
                }
                self.days[self.open].date = date;
                self.open += 1;
                self.open - 1
            }
        };
        if self.days[place].bound > BOUND - more {
            self.spill(place);
            self.spilled = true;
        }
        self.days[place].bound += more;
        Some(place)
    }

    /// Empties an array into the map.
    fn spill(&mut self, place: usize) {
        let layout = self.layout.clone();
        let nothing = DenseDay::new(self.days[place].date, 0);
        let mut day = std::mem::replace(&mut self.days[place], nothing);
        day.drain(&layout, |key, sums| self.add_sparse(key, sums.iter().copied()));
        self.days[place] = day;
    }

    /// Adds to a cell: in the array when it has a place there.
    fn add(&mut self, day: Option<usize>, key: CellKey, sums: &[i128]) {
        let pair = self.layout.pair(key.pair);
        let (Some(place), Some(day)) = (pair.item(key.item), day) else {
            return self.add_sparse(key, sums.iter().copied());
        };
        let day = &mut self.days[day];
        let [is_changed, totals @ ..] = day.blocks[pair.blocks(place)].as_flattened_mut() else { return };
        if *is_changed == 0 {
            *is_changed = 1;
            day.changed.push(pair.first_cell + place);
        }
        // `bound` says that nothing is lost here.
        totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += *sum as i64);
    }

    fn add_sparse(&mut self, key: CellKey, sums: impl ExactSizeIterator<Item = i128>) {
        let values = &mut self.sparse_values;
        let first = *self.sparse.entry(key).or_insert_with(|| {
            values.resize(values.len() + sums.len(), 0);
            (values.len() - sums.len()) as u32
        });
        values[first as usize..].iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }

    /// Hands out every cell that changed, with the sums of its slots, in no order; then begins anew.
    fn drain(&mut self, mut each: impl FnMut(CellKey, &[i128])) {
        if self.spilled {
            // Some cells have a part here and a part there.
            (0..self.open).for_each(|place| self.spill(place));
        }
        for day in &mut self.days[..self.open] {
            day.drain(&self.layout, &mut each);
        }
        (self.open, self.spilled) = (0, false);
        for (key, first) in self.sparse.drain() {
            let width = usize::from(self.layout.pair(key.pair).width);
            let sums = &self.sparse_values[first as usize..first as usize + width];
            if sums.iter().any(|sum| *sum != 0) {
                each(key, sums);
            }
        }
        self.sparse_values.clear();
    }

    fn heap_bytes(&self) -> usize {
        let day = self.layout.blocks() * size_of::<Block>();
        let changed: usize = self.days.iter().map(|day| day.changed.capacity() * 4).sum();
        let sparse = self.sparse.capacity() * (size_of::<(CellKey, u32)>() + 1);
        self.days.len() * day + changed + sparse + self.sparse_values.capacity() * size_of::<i128>()
    }
}

impl DenseDay {
    fn new(date: Day, blocks: usize) -> Self {
        DenseDay { date, bound: 0, blocks: vec![[0; LANES]; blocks].into(), changed: Vec::new() }
    }

    /// Adds what rows name to the cells of a target.
    fn add_column(&mut self, parts: Parts<'_>, target: Target, named: Named<'_>) {
        // Cells of known size: the compiler adds a whole cell in a few instructions.
        match parts.blocks {
            1 => self.add_cells::<1>(parts, target, named),
            2 => self.add_cells::<2>(parts, target, named),
            3 => self.add_cells::<3>(parts, target, named),
            4 => self.add_cells::<4>(parts, target, named),
            blocks => named.each_place(|row, place| {
                let first = target.first_block as usize + place as usize * blocks;
                let (cell, part) = (&mut self.blocks[first..first + blocks], parts.of(row));
                if part[0][0] != 0 && cell[0][0] == 0 {
                    self.changed.push(target.first_cell + place);
                }
                add_blocks(cell, part);
            }),
        }
    }

    fn add_cells<const BLOCKS: usize>(&mut self, parts: Parts<'_>, target: Target, named: Named<'_>) {
        let parts = parts.parts.as_chunks::<BLOCKS>().0;
        let cells = &mut self.blocks[target.first_block as usize..][..target.cells as usize * BLOCKS];
        let cells = cells.as_chunks_mut::<BLOCKS>().0;
        let changed = &mut self.changed;
        named.each_place(|row, place| {
            let (cell, part) = (&mut cells[place as usize], &parts[row as usize]);
            if part[0][0] == 0 {
                return;
            }
            if cell[0][0] == 0 {
                changed.push(target.first_cell + place);
            }
            // `bound` says that nothing is lost here.
            add_blocks(cell, part);
        });
    }

    /// Hands out every changed cell that is not nothing, and begins anew.
    fn drain(&mut self, layout: &CellLayout, mut each: impl FnMut(CellKey, &[i128])) {
        let mut wide: SmallVec<[i128; 8]> = SmallVec::new();
        for cell in self.changed.drain(..) {
            let (pair, item) = layout.cell(cell);
            let place = layout.pair(pair);
            let blocks = &mut self.blocks[place.blocks(cell - place.first_cell)];
            let sums = &blocks.as_flattened()[1..1 + usize::from(place.width)];
            if sums.iter().any(|sum| *sum != 0) {
                wide.clear();
                wide.extend(sums.iter().map(|sum| i128::from(*sum)));
                each(CellKey { pair, date: self.date, item }, &wide);
            }
            blocks.fill([0; LANES]);
        }
        self.bound = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::LazyLock};

    use proptest::prelude::*;

    use super::*;
    use crate::{ids::PartyId, items::Enumeration};

    static AGGREGATES: LazyLock<Arc<Aggregates>> = LazyLock::new(|| Arc::new(Aggregates::embedded().unwrap()));

    /// A change: pair, date, kind of item, number in the kind, sum.
    type Change = (u16, i32, u8, u16, i64);

    fn change() -> impl Strategy<Value = Change> {
        (
            0u16..40,
            20_000i32..20_020,
            0u8..4,
            0u16..6,
            prop_oneof![8 => -2i64..3, 1 => Just(i64::MAX), 1 => Just(-i64::MAX)],
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// More dates than arrays, items of every kind, sums that cancel or leave 64 bits, two epochs: as one map would add
        /// them.
        #[test]
        fn equals_one_map(epochs in proptest::collection::vec(proptest::collection::vec(change(), 0..300), 1..3)) {
            let aggregates = &*AGGREGATES;
            let mut sums = EpochSums::new(aggregates.clone(), Arc::new(CellLayout::new(aggregates)));
            for changes in epochs {
                let mut expected: BTreeMap<CellKey, Vec<i128>> = BTreeMap::new();
                let mut sink = CellSink::default();
                for (pair, date, kind, number, sum) in changes {
                    let own = aggregates.pair(pair).enumeration.unwrap_or(Enumeration(0));
                    let item = match kind {
                        0 => Item::from_bits(u64::from(number % 5)),
                        1 => Item::code(own, number),
                        2 => Item::code(Enumeration(own.0 + 1), number),
                        _ => Item::party(PartyId::legal(u64::from(number) + 1)),
                    };
                    let key = CellKey { pair, date: Day(date), item };
                    let values: Vec<i128> = (1..=aggregates.slots(pair).len() as i128).map(|slot| slot * i128::from(sum)).collect();
                    let mut part = sink.begin_part();
                    values.iter().for_each(|value| part.sum(*value));
                    let part = part.end();
                    sink.push(pair, key.date, item, part);
                    let total = expected.entry(key).or_insert_with(|| vec![0; values.len()]);
                    total.iter_mut().zip(values).for_each(|(total, value)| *total += value);
                }
                expected.retain(|_, total| total.iter().any(|sum| *sum != 0));
                sums.add_all(&sink);
                let mut drained = BTreeMap::new();
                let mut twice = false;
                sums.drain(|key, total| twice |= drained.insert(key, total.to_vec()).is_some());
                prop_assert!(!twice);
                prop_assert_eq!(drained, expected);
                let mut left = 0;
                sums.drain(|_, _| left += 1);
                prop_assert_eq!(left, 0);
            }
        }
    }
}
