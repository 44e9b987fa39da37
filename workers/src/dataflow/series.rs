//! The cells of one feature for one key, in order of (bucket, member).
//!
//! Most series have a few cells and lie in one sorted row; those of large institutions become large: columns of buckets, of
//! their totals and of their cells. So a sum walks over totals that lie side by side, not over members; and, from the first time that a rule
//! asks for the members of a whole series (a balance), the totals by member are kept beside it.

mod ranks;

use std::{cell::OnceCell, collections::BTreeMap, ops::Range};

use billwatch_market::pattern::{Cell, Member, largest_of};
use hashbrown::HashMap;
use smallvec::SmallVec;

use self::ranks::Ranks;

/// Cells from which on a series is a row of buckets.
pub(super) const LARGE: usize = 48;
/// Cells from which on a bucket is an ordered map: moving them for each new one would cost more.
const CROWDED: usize = 256;

/// One cell, in words: without the gaps of 128-bit numbers it takes three quarters of the room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    bucket: i64,
    member: [u64; 2],
    count: i64,
    sum: [u64; 2],
}

impl Entry {
    fn new(bucket: i64, member: Member, cell: Cell) -> Self {
        let mut entry = Entry { bucket, member: [(member >> 64) as u64, member as u64], count: 0, sum: [0; 2] };
        entry.set(cell);
        entry
    }

    fn member(&self) -> Member {
        Member::from(self.member[0]) << 64 | Member::from(self.member[1])
    }

    fn cell(&self) -> Cell {
        let sum = u128::from(self.sum[0]) << 64 | u128::from(self.sum[1]);
        Cell { count: self.count, sum: sum as i128 }
    }

    fn set(&mut self, cell: Cell) {
        self.count = cell.count;
        self.sum = [((cell.sum as u128) >> 64) as u64, cell.sum as u64];
    }

    /// Adds a change; true when nothing is left.
    fn add(&mut self, change: Cell) -> bool {
        let mut cell = self.cell();
        cell.add(change);
        self.set(cell);
        cell.is_empty()
    }
}

/// A series; its size decides its form.
#[derive(Debug)]
pub(super) enum Series {
    /// In order of (bucket, member).
    Small(SmallVec<[Entry; 1]>),
    Large(Box<Large>),
}

/// Columns of as many places each: what is looked for and added up lies close together.
#[derive(Debug, Default)]
pub(super) struct Large {
    /// Ascending; none is empty.
    buckets: Vec<i64>,
    ranks: Ranks,
    totals: Vec<Cell>,
    cells_of: Vec<BucketCells>,
    /// Number of cells.
    cells: usize,
    /// Total of all cells.
    whole: Cell,
    by_member: OnceCell<ByMember>,
}

#[derive(Debug)]
enum BucketCells {
    /// In order of members.
    Few(SmallVec<[Entry; 1]>),
    Many(BTreeMap<Member, Cell>),
}

/// Totals by member over all buckets, in no order, without those that come to nothing.
#[derive(Debug, Default)]
struct ByMember {
    places: HashMap<Member, u32>,
    members: Vec<Member>,
    cells: Vec<Cell>,
}

impl Default for Series {
    fn default() -> Self {
        Series::Small(SmallVec::new())
    }
}

/// Adds a change to a row; says by how much the row grew.
fn add_to_row(
    entries: &mut SmallVec<[Entry; 1]>,
    place: Result<usize, usize>,
    (bucket, member): (i64, Member),
    change: Cell,
) -> isize {
    match place {
        Ok(at) if entries[at].add(change) => {
            entries.remove(at);
            -1
        }
        Ok(_) => 0,
        Err(at) => {
            entries.insert(at, Entry::new(bucket, member, change));
            1
        }
    }
}

impl Series {
    /// Adds a change that is not empty; says by how many cells the series grew.
    pub fn add(&mut self, bucket: i64, member: Member, change: Cell) -> isize {
        match self {
            Series::Small(entries) => {
                let wanted = (bucket, member);
                // Facts mostly come in the order of time.
                let place = match entries.last() {
                    Some(last) if (last.bucket, last.member()) < wanted => Err(entries.len()),
                    _ => entries.binary_search_by_key(&wanted, |entry| (entry.bucket, entry.member())),
                };
                let grown = add_to_row(entries, place, wanted, change);
                if entries.len() > LARGE {
                    let mut large = Large::default();
                    for entry in entries.drain(..) {
                        large.add(entry.bucket, entry.member(), entry.cell());
                    }
                    *self = Series::Large(Box::new(large));
                }
                grown
            }
            Series::Large(large) => large.add(bucket, member, change),
        }
    }

    /// True without cells.
    pub fn is_empty(&self) -> bool {
        match self {
            Series::Small(entries) => entries.is_empty(),
            Series::Large(large) => large.buckets.is_empty(),
        }
    }

    /// Cells with `from <= bucket <= to`.
    fn row(entries: &[Entry], from: i64, to: i64) -> &[Entry] {
        let first = entries.partition_point(|entry| entry.bucket < from);
        let count = entries[first..].partition_point(|entry| entry.bucket <= to);
        &entries[first..first + count]
    }

    /// Calls `each(bucket, member, cell)` for the cells with `from <= bucket <= to`, ascending.
    pub fn cells(&self, from: i64, to: i64, each: &mut dyn FnMut(i64, Member, Cell)) {
        match self {
            Series::Small(entries) => {
                Self::row(entries, from, to).iter().for_each(|entry| each(entry.bucket, entry.member(), entry.cell()));
            }
            Series::Large(large) => {
                for place in large.within(from, to) {
                    let bucket = large.buckets[place];
                    large.cells_of[place].each(&mut |member, cell| each(bucket, member, cell));
                }
            }
        }
    }

    /// Buckets in which facts lie, ascending.
    pub fn buckets_with_facts(&self, from: i64, to: i64, each: &mut dyn FnMut(i64)) {
        match self {
            Series::Small(entries) => {
                for bucket in Self::row(entries, from, to).chunk_by(|left, right| left.bucket == right.bucket) {
                    if bucket.iter().any(|entry| entry.count != 0) {
                        each(bucket[0].bucket);
                    }
                }
            }
            Series::Large(large) => {
                let with_facts = large.within(from, to).filter(|place| large.cells_of[*place].has_facts());
                with_facts.for_each(|place| each(large.buckets[place]));
            }
        }
    }

    /// Total of the cells of some buckets.
    pub fn total(&self, from: i64, to: i64) -> Cell {
        match self {
            Series::Small(entries) => add_all(Self::row(entries, from, to).iter().map(Entry::cell)),
            Series::Large(large) => large.total(from, to),
        }
    }

    /// Totals by member, ascending, without those that come to nothing.
    pub fn members(&self, from: i64, to: i64) -> Vec<(Member, Cell)> {
        if let Series::Large(large) = self
            && large.lies_within(from, to)
        {
            let by_member = large.by_member();
            let mut members: Vec<_> = by_member.members.iter().copied().zip(by_member.cells.iter().copied()).collect();
            members.sort_unstable_by_key(|(member, _)| *member);
            return members;
        }
        let mut cells = Vec::new();
        self.cells(from, to, &mut |_, member, cell| cells.push((member, cell)));
        add_up(cells)
    }

    /// Total of one member.
    pub fn member(&self, from: i64, to: i64, wanted: Member) -> Cell {
        match self {
            Series::Large(large) if large.lies_within(from, to) => large.by_member().get(wanted),
            Series::Large(large) => {
                add_all(large.cells_of[large.within(from, to)].iter().map(|cells| cells.get(wanted)))
            }
            Series::Small(entries) => {
                let row = Self::row(entries, from, to).iter();
                add_all(row.filter(|entry| entry.member() == wanted).map(Entry::cell))
            }
        }
    }

    /// Sum of the `count` largest sums of members.
    pub fn largest(&self, from: i64, to: i64, count: usize) -> i128 {
        match self {
            Series::Large(large) if large.is_most(&large.within(from, to)) => large.largest(from, to, count),
            _ => largest_of(self.members(from, to).into_iter().map(|(_, cell)| cell.sum), count),
        }
    }

    /// Sum of the members from `first` to `last`.
    pub fn sum_of_members(&self, from: i64, to: i64, first: Member, last: Member) -> i128 {
        let wanted = first..=last;
        let mut sum = 0;
        if let Series::Large(large) = self
            && let within = large.within(from, to)
            && large.is_most(&within)
        {
            let by_member = large.by_member();
            let pairs = by_member.members.iter().zip(&by_member.cells);
            sum = pairs.filter(|(member, _)| wanted.contains(member)).map(|(_, cell)| cell.sum).sum();
            large.outside(&within, |member, cell| sum -= if wanted.contains(&member) { cell.sum } else { 0 });
        } else {
            self.cells(from, to, &mut |_, member, cell| sum += if wanted.contains(&member) { cell.sum } else { 0 });
        }
        sum
    }

    /// The first bucket with a cell.
    pub fn first_bucket(&self) -> Option<i64> {
        match self {
            Series::Small(entries) => entries.first().map(|entry| entry.bucket),
            Series::Large(large) => large.buckets.first().copied(),
        }
    }

    /// How many cells lie in some buckets, or more.
    pub fn cell_count(&self, from: i64, to: i64) -> usize {
        match self {
            Series::Small(entries) => Self::row(entries, from, to).len(),
            Series::Large(large) => large.cells,
        }
    }
}

impl Large {
    fn add(&mut self, bucket: i64, member: Member, change: Cell) -> isize {
        self.whole.add(change);
        if let Some(by_member) = self.by_member.get_mut() {
            by_member.add(member, change);
        }
        let place = match self.buckets.last() {
            Some(last) if *last == bucket => self.buckets.len() - 1,
            _ => self.place_of(bucket),
        };
        if self.buckets.get(place) != Some(&bucket) {
            self.buckets.insert(place, bucket);
            self.ranks.inserted(&self.buckets, place);
            self.totals.insert(place, Cell::default());
            self.cells_of.insert(place, BucketCells::Few(SmallVec::new()));
        }
        self.totals[place].add(change);
        let cells = &mut self.cells_of[place];
        let grown = cells.add(bucket, member, change);
        if cells.is_empty() {
            self.buckets.remove(place);
            self.ranks.make(&self.buckets);
            self.totals.remove(place);
            self.cells_of.remove(place);
        }
        self.cells = self.cells.wrapping_add_signed(grown);
        grown
    }

    /// How many buckets lie before one.
    fn place_of(&self, bucket: i64) -> usize {
        self.ranks.of(bucket).unwrap_or_else(|| self.buckets.partition_point(|known| *known < bucket))
    }

    /// Places of the buckets with `from <= bucket <= to`.
    fn within(&self, from: i64, to: i64) -> Range<usize> {
        let first = self.place_of(from);
        let end = if to == i64::MAX { self.buckets.len() } else { self.place_of(to + 1) };
        first..end.max(first)
    }

    /// True when no cell lies outside the buckets.
    fn lies_within(&self, from: i64, to: i64) -> bool {
        let first = self.buckets.first().is_none_or(|first| from <= *first);
        first && self.buckets.last().is_none_or(|last| *last <= to)
    }

    fn total(&self, from: i64, to: i64) -> Cell {
        let within = self.within(from, to);
        if !self.is_most(&within) {
            return add_all(self.totals[within].iter().copied());
        }
        // A balance, most of all: everything but the few days that come later.
        let mut total = self.whole;
        let (before, behind) = (&self.totals[..within.start], &self.totals[within.end..]);
        before.iter().chain(behind).for_each(|outside| total.add(negated(*outside)));
        total
    }

    /// True when fewer buckets lie outside than within: then the totals by member, less those outside, come sooner.
    fn is_most(&self, within: &Range<usize>) -> bool {
        within.len() * 2 > self.buckets.len()
    }

    /// Cells before and behind some buckets.
    fn outside(&self, within: &Range<usize>, mut each: impl FnMut(Member, Cell)) {
        let (before, behind) = (&self.cells_of[..within.start], &self.cells_of[within.end..]);
        before.iter().chain(behind).for_each(|cells| cells.each(&mut each));
    }

    fn largest(&self, from: i64, to: i64, count: usize) -> i128 {
        let by_member = self.by_member();
        if self.lies_within(from, to) {
            return largest_of(by_member.cells.iter().map(|cell| cell.sum), count);
        }
        // What lies outside, by place of the member; members that come to nothing in all have no place.
        let (mut known, mut others) = (Vec::new(), Vec::new());
        self.outside(&self.within(from, to), |member, cell| match by_member.places.get(&member) {
            Some(place) => known.push((*place, cell)),
            None => others.push((member, cell)),
        });
        known.sort_unstable_by_key(|(place, _)| *place);
        let mut known = known.into_iter().peekable();
        let within = by_member.cells.iter().zip(0u32..).filter_map(|(cell, place)| {
            let mut cell = *cell;
            while let Some((_, less)) = known.next_if(|(at, _)| *at == place) {
                cell.add(negated(less));
            }
            (!cell.is_empty()).then_some(cell.sum)
        });
        largest_of(within.chain(add_up(others).into_iter().map(|(_, cell)| -cell.sum)), count)
    }

    fn by_member(&self) -> &ByMember {
        self.by_member.get_or_init(|| {
            let mut all = ByMember::default();
            for cells in &self.cells_of {
                cells.each(&mut |member, cell| all.add(member, cell));
            }
            all
        })
    }
}

impl BucketCells {
    fn add(&mut self, bucket: i64, member: Member, change: Cell) -> isize {
        match self {
            BucketCells::Few(entries) => {
                let place = entries.binary_search_by_key(&member, Entry::member);
                let grown = add_to_row(entries, place, (bucket, member), change);
                if entries.len() > CROWDED {
                    let cells = entries.drain(..).map(|entry| (entry.member(), entry.cell()));
                    *self = BucketCells::Many(cells.collect());
                }
                grown
            }
            BucketCells::Many(cells) => {
                let before = cells.len();
                let cell = cells.entry(member).or_default();
                cell.add(change);
                if cell.is_empty() {
                    cells.remove(&member);
                }
                cells.len() as isize - before as isize
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            BucketCells::Few(entries) => entries.is_empty(),
            BucketCells::Many(cells) => cells.is_empty(),
        }
    }

    fn each(&self, each: &mut dyn FnMut(Member, Cell)) {
        match self {
            BucketCells::Few(entries) => entries.iter().for_each(|entry| each(entry.member(), entry.cell())),
            BucketCells::Many(cells) => cells.iter().for_each(|(member, cell)| each(*member, *cell)),
        }
    }

    fn get(&self, member: Member) -> Cell {
        match self {
            BucketCells::Few(entries) => {
                let place = entries.binary_search_by_key(&member, Entry::member);
                place.map_or(Cell::default(), |at| entries[at].cell())
            }
            BucketCells::Many(cells) => cells.get(&member).copied().unwrap_or_default(),
        }
    }

    fn has_facts(&self) -> bool {
        match self {
            BucketCells::Few(entries) => entries.iter().any(|entry| entry.count != 0),
            BucketCells::Many(cells) => cells.values().any(|cell| cell.count != 0),
        }
    }
}

impl ByMember {
    fn add(&mut self, member: Member, change: Cell) {
        let place = *self.places.entry(member).or_insert_with(|| {
            self.members.push(member);
            self.cells.push(Cell::default());
            self.cells.len() as u32 - 1
        });
        let cell = &mut self.cells[place as usize];
        cell.add(change);
        if cell.is_empty() {
            self.places.remove(&member);
            self.cells.swap_remove(place as usize);
            self.members.swap_remove(place as usize);
            if let Some(moved) = self.members.get(place as usize) {
                self.places.insert(*moved, place);
            }
        }
    }

    fn get(&self, member: Member) -> Cell {
        self.places.get(&member).map_or(Cell::default(), |place| self.cells[*place as usize])
    }
}

fn negated(cell: Cell) -> Cell {
    Cell { count: -cell.count, sum: -cell.sum }
}

fn add_all(cells: impl Iterator<Item = Cell>) -> Cell {
    cells.fold(Cell::default(), |mut total, cell| {
        total.add(cell);
        total
    })
}

/// Totals by member, ascending, without those that come to nothing.
fn add_up(mut cells: Vec<(Member, Cell)>) -> Vec<(Member, Cell)> {
    cells.sort_unstable_by_key(|(member, _)| *member);
    cells.dedup_by(|next, total| {
        let same = next.0 == total.0;
        if same {
            total.1.add(next.1);
        }
        same
    });
    cells.retain(|(_, total)| !total.is_empty());
    cells
}
