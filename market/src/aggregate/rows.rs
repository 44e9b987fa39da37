//! What the facts of an epoch add to cells, as columns: one batch for each (behaviour, business date).
//!
//! A fact changes some 70 cells, by the same few sums. Added one fact after the other, each cell is another line of memory.
//! So facts of a behaviour wait as rows: their sums once, and for each feed (row, item). Then feed by feed the cells of one
//! (theme, dimension) lie close together while all rows pass by.
//!
//! Invariants: every sum of a row is at most [`LARGEST`]; what is larger is not a row. A batch of [`MOST_ROWS`] is added up
//! after the fact that finds it so.

use super::{
    layout::{Block, ItemPlaces, LANES, PlanLayout, ShareLayout},
    profiles::Profile,
};
use crate::{ids::Day, items::Item};

/// Largest sum of a row: that of 2^14 rows stays far within 64 bits. It is 2.8 billion CNY a fact in fen, times a year in
/// days or a rate; what is more goes the wide way.
pub(super) const LARGEST: i64 = 1 << 48;
/// Rows of a batch before it is added up: its columns stay in the cache.
pub(super) const MOST_ROWS: usize = 1_024;

/// Dates of one plan at a time; facts of further dates, in one epoch, go the wide way.
const MOST_DATES: usize = 16;

/// Rows of one plan and date.
#[derive(Debug)]
pub(super) struct Batch {
    pub date: Day,
    pub rows: Rows,
    /// As the roles of the plan.
    pub roles: Vec<Players>,
    /// As the feeds of the plan, for what profiles do not say.
    pub feeds: Vec<Column>,
}

/// What rows add.
#[derive(Debug)]
pub(super) struct Rows {
    /// Numbers in a row.
    width: usize,
    sums: Vec<i64>,
    /// Shares that a row adds to, one bit each.
    pub live: Vec<u32>,
    /// Shares that some row adds to.
    pub any: u32,
    /// The largest sum of each row, added up: no cell gets more.
    pub bound: i64,
}

/// Who plays a role, row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Players(Vec<Placed>);

/// A player of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub row: u32,
    pub profile: Profile,
    /// How many players of the same row stand before this one.
    pub before: u32,
}

impl Players {
    /// A further player of the last row, or the first of a new one.
    #[inline]
    pub fn push(&mut self, row: u32, profile: Profile) {
        let before = self.0.last().filter(|last| last.row == row).map_or(0, |last| last.before + 1);
        self.0.push(Placed { row, profile, before });
    }

    pub fn as_slice(&self) -> &[Placed] {
        &self.0
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// What came for one feed.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    /// (row, place of the item).
    pub placed: Vec<(u32, u32)>,
    /// Items without a place: parties, branches, days, numbers.
    pub strange: Vec<(Item, u32)>,
}

impl Column {
    pub fn is_empty(&self) -> bool {
        self.placed.is_empty() && self.strange.is_empty()
    }
}

impl Rows {
    fn new(width: usize) -> Self {
        Rows { width, sums: Vec::new(), live: Vec::new(), any: 0, bound: 0 }
    }

    /// A further row, and its number; `None`, and no row, when a sum is too large.
    #[inline]
    pub fn begin(&mut self, live: u32, sums: impl Iterator<Item = i128>) -> Option<u32> {
        let start = self.sums.len();
        let mut largest = 0;
        for sum in sums {
            if !(-i128::from(LARGEST)..=i128::from(LARGEST)).contains(&sum) {
                self.sums.truncate(start);
                return None;
            }
            let sum = sum as i64;
            largest = largest.max(sum.abs());
            self.sums.push(sum);
        }
        self.live.push(live);
        self.any |= live;
        self.bound += largest;
        Some(self.live.len() as u32 - 1)
    }

    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// What each row adds to a cell of a share, side by side in as many blocks: 1 as a mark, then its slots; zeros where it
    /// adds nothing.
    pub fn parts(&self, share: &ShareLayout, number: usize, blocks: usize, parts: &mut Vec<Block>) {
        parts.clear();
        parts.resize(self.len() * blocks, [0; LANES]);
        let rows = self.sums.chunks_exact(self.width.max(1)).zip(&self.live);
        for ((row, live), part) in rows.zip(parts.chunks_exact_mut(blocks)) {
            if live >> number & 1 == 1 {
                let part = part.as_flattened_mut();
                part[0] = 1;
                for (slot, sum) in &share.slots {
                    part[usize::from(*slot)] = row[usize::from(*sum)];
                }
            }
        }
    }

    fn clear(&mut self) {
        self.sums.clear();
        self.live.clear();
        (self.any, self.bound) = (0, 0);
    }
}

impl Batch {
    /// An item of a row.
    #[inline]
    pub fn put(&mut self, row: u32, feed: usize, items: ItemPlaces, item: Item) {
        match items.of(item) {
            Some(place) => self.feeds[feed].placed.push((row, place)),
            None => self.feeds[feed].strange.push((item, row)),
        }
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.roles.iter_mut().for_each(Players::clear);
        for feed in &mut self.feeds {
            feed.placed.clear();
            feed.strange.clear();
        }
    }
}

/// All batches of a shard. Keeps its memory.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// By plan.
    plans: Vec<PlanBatches>,
    /// Plans with rows.
    open: Vec<usize>,
    /// Batches with [`MOST_ROWS`]: (plan, place).
    full: Vec<(usize, usize)>,
}

#[derive(Debug, Default)]
struct PlanBatches {
    batches: Vec<Batch>,
    /// How many have rows in this epoch, from the front.
    in_use: usize,
}

impl Batches {
    /// The place of the batch of a plan and a date; `None` when too many dates are open.
    #[inline]
    pub fn find(&mut self, plan: usize, date: Day, layout: &PlanLayout) -> Option<usize> {
        if self.plans.len() <= plan {
            self.plans.resize_with(plan + 1, PlanBatches::default);
        }
        let PlanBatches { batches, in_use } = &mut self.plans[plan];
        if let Some(place) = batches[..*in_use].iter().position(|batch| batch.date == date) {
            if batches[place].rows.len() >= MOST_ROWS && !self.full.contains(&(plan, place)) {
                self.full.push((plan, place));
            }
            return Some(place);
        }
        if *in_use == MOST_DATES {
            return None;
        }
        if *in_use == 0 {
            self.open.push(plan);
        }
        if *in_use == batches.len() {
            batches.push(Batch {
                date,
                rows: Rows::new(layout.slots.len()),
                roles: vec![Players::default(); layout.roles.len()],
                feeds: vec![Column::default(); layout.feeds.len()],
            });
        }
        batches[*in_use].date = date;
        *in_use += 1;
        Some(*in_use - 1)
    }

    /// A batch that was found.
    #[inline]
    pub fn at(&mut self, plan: usize, place: usize) -> &mut Batch {
        &mut self.plans[plan].batches[place]
    }

    /// Hands over and clears the batches in which many rows wait.
    pub fn drain_full(&mut self, mut each: impl FnMut(usize, &mut Batch)) {
        while let Some((plan, place)) = self.full.pop() {
            let batch = &mut self.plans[plan].batches[place];
            each(plan, batch);
            batch.clear();
        }
    }

    /// Hands every batch over and clears it.
    pub fn drain(&mut self, mut each: impl FnMut(usize, &mut Batch)) {
        for plan in self.open.drain(..) {
            let PlanBatches { batches, in_use } = &mut self.plans[plan];
            for batch in &mut batches[..*in_use] {
                each(plan, batch);
                batch.clear();
            }
            *in_use = 0;
        }
    }

    /// Bytes held.
    pub fn heap_bytes(&self) -> usize {
        let column =
            |column: &Column| column.placed.capacity() * 8 + column.strange.capacity() * size_of::<(Item, u32)>();
        let batch = |batch: &Batch| {
            let columns: usize = batch.feeds.iter().map(column).sum();
            let roles: usize = batch.roles.iter().map(|role| role.0.capacity() * size_of::<Placed>()).sum();
            roles + columns + batch.feeds.capacity() * size_of::<Column>() + batch.rows.sums.capacity() * 8
        };
        self.plans.iter().flat_map(|plan| &plan.batches).map(batch).sum()
    }
}
