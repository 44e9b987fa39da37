//! Where cells lie while an epoch is added up, and what each feed adds to them, compiled to plain numbers.
//!
//! Items that are codes have a number in their enumeration: (pair, item) is a place in an array, one array a business date.
//! So an addition looks nothing up. A [`PlanLayout`] says, for the facts of one behaviour (or for lots), which sums a row
//! carries and, feed by feed, where they go.
//!
//! Immutable, shared by the shards of a process. Begin with [`CellLayout::new`].

use std::ops::Range;

use super::{Aggregates, BehaviourPlan, Feed, measure::Slot, profiles::coded, rules::Counts};
use crate::{
    items::{Enumeration, Item, Vocabulary},
    names::{Name, Role},
};

/// Items before the codes of an enumeration: the specials, whose bits are below this.
const SPECIALS: u32 = 5;
/// Numbers that are added at once.
pub(super) const LANES: usize = 4;
/// A part of a cell; the first number of its first block is its mark.
pub(super) type Block = [i64; LANES];
/// Bits of an item's code below its enumeration.
const ROW_BITS: u32 = u16::BITS;

/// Where the cells of each pair lie in the array of a date.
#[derive(Debug)]
pub struct CellLayout {
    pairs: Vec<PairPlace>,
    /// The way back from a place.
    cells: Vec<(u16, Item)>,
    blocks: usize,
    plans: Vec<PlanLayout>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct PairPlace {
    items: ItemPlaces,
    /// Number of slots.
    pub width: u16,
    /// Blocks of a cell in the array: a mark, its slots, and nothing up to a whole number of [`LANES`].
    blocks: u16,
    pub first_cell: u32,
    first_block: u32,
}

/// The numbers of the items of an enumeration: specials first, then its codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ItemPlaces {
    /// The bits of its codes without the row; of no enumeration those of no item.
    codes: u64,
    /// How many there are.
    count: u32,
}

impl ItemPlaces {
    pub fn new(vocabulary: &Vocabulary, enumeration: Option<Enumeration>) -> Self {
        let codes = |known| vocabulary.codes(known).len() as u32;
        ItemPlaces {
            codes: enumeration.map_or(u64::MAX, |known| Item::code(known, 0).bits() >> ROW_BITS),
            count: SPECIALS + enumeration.map_or(0, codes),
        }
    }

    /// The number of an item; `None` when it has no place in the array.
    #[inline]
    pub fn of(&self, item: Item) -> Option<u32> {
        let bits = item.bits();
        let place = if bits >> ROW_BITS == self.codes {
            SPECIALS + u32::from(bits as u16)
        } else if bits < u64::from(SPECIALS) {
            bits as u32
        } else {
            return None;
        };
        (place < self.count).then_some(place)
    }
}

/// What the facts of one behaviour add, or lots: see [`CellLayout::plan`].
#[derive(Debug, Default)]
pub(super) struct PlanLayout {
    /// The sums that a row carries.
    pub slots: Vec<Slot>,
    pub shares: Vec<ShareLayout>,
    /// Roles whose players a row names by their profiles.
    pub roles: Vec<RoleLayout>,
    /// As the feeds of the plan.
    pub feeds: Vec<FeedLayout>,
    /// Feeds that are not read off profiles.
    pub by_item: Vec<usize>,
}

/// A role whose players a row names.
#[derive(Debug)]
pub(super) struct RoleLayout {
    pub role: Role,
    /// The shares that wait for it, one bit each.
    pub mask: u32,
    /// Its feeds: (number, attribute of a profile).
    pub feeds: Vec<(usize, u8)>,
}

/// Where the sums of a share go.
#[derive(Debug, Default)]
pub(super) struct ShareLayout {
    /// (place in a cell, place in a row).
    pub slots: Vec<(u8, u8)>,
    /// Cells with a single item.
    pub time: Vec<Target>,
    /// Cells of a feed, by its number.
    pub targets: Vec<(u16, Target)>,
}

/// Where the items of a feed come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeedLayout {
    pub items: ItemPlaces,
    /// Place in the roles of the plan and attribute of a profile; without, a row names its items.
    pub profile: Option<(u8, u8)>,
}

/// The cells of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub pair: u16,
    /// Blocks of a cell in the array.
    pub blocks: usize,
    /// Number of cells.
    pub cells: u32,
    pub first_cell: u32,
    pub first_block: u32,
}

impl CellLayout {
    /// The layout of all pairs.
    pub fn new(aggregates: &Aggregates) -> Self {
        let mut layout = CellLayout { pairs: Vec::new(), cells: Vec::new(), blocks: 0, plans: Vec::new() };
        for number in 0..aggregates.pairs().len() as u16 {
            let pair = aggregates.pair(number);
            let width = aggregates.slots(number).len();
            let place = PairPlace {
                items: ItemPlaces::new(aggregates.meanings().vocabulary(), pair.enumeration),
                width: width as u16,
                blocks: (1 + width).div_ceil(LANES) as u16,
                first_cell: layout.cells.len() as u32,
                first_block: layout.blocks as u32,
            };
            layout.pairs.push(place);
            layout.cells.extend((0..SPECIALS).map(|bits| (number, Item::from_bits(u64::from(bits)))));
            if let Some(enumeration) = pair.enumeration {
                let codes = place.items.count - SPECIALS;
                layout.cells.extend((0..codes as u16).map(|row| (number, Item::code(enumeration, row))));
            }
            layout.blocks += place.items.count as usize * usize::from(place.blocks);
        }
        layout.plans = aggregates.plans.iter().map(|plan| layout.plan_of_behaviour(aggregates, plan)).collect();
        let lots = layout.plan_of_lots(aggregates);
        layout.plans.push(lots);
        layout
    }

    fn plan_of_behaviour(&self, aggregates: &Aggregates, plan: &BehaviourPlan) -> PlanLayout {
        let shares = plan.shares.iter().map(|share| {
            let slots = &aggregates.themes[usize::from(share.theme)].flow_slots;
            slots.iter().map(|slot| share.counts.holds(*slot).then_some(*slot)).collect()
        });
        self.plan_of(aggregates, shares, &plan.time, &plan.feeds)
    }

    fn plan_of_lots(&self, aggregates: &Aggregates) -> PlanLayout {
        let plan = &aggregates.stock;
        let slots_of = |(theme, _): &(u16, _)| &aggregates.themes[usize::from(*theme)].stock_slots;
        let shares = plan.themes.iter().map(|theme| slots_of(theme).iter().copied().map(Some).collect());
        self.plan_of(aggregates, shares, &[], &plan.feeds)
    }

    /// `shares`: the slots of the cells of each, `None` where it adds nothing.
    fn plan_of(
        &self,
        aggregates: &Aggregates,
        shares: impl Iterator<Item = Vec<Option<Slot>>>,
        time: &[(u16, u8)],
        feeds: &[Feed],
    ) -> PlanLayout {
        let vocabulary = aggregates.meanings().vocabulary();
        let mut layout = PlanLayout::default();
        for slots in shares {
            let mut share = ShareLayout::default();
            for (cell, slot) in slots.iter().enumerate() {
                let Some(slot) = slot else { continue };
                let row = layout.slots.iter().position(|known| known == slot).unwrap_or_else(|| {
                    layout.slots.push(*slot);
                    layout.slots.len() - 1
                });
                share.slots.push((1 + cell as u8, row as u8));
            }
            layout.shares.push(share);
        }
        for (pair, share) in time {
            layout.shares[usize::from(*share)].time.push(self.target(*pair));
        }
        for (number, feed) in feeds.iter().enumerate() {
            let profile = match feed.name {
                Name::Of(role, attribute) if feed.enumeration == attribute.enumeration(&vocabulary.known) => {
                    coded(attribute).map(|attribute| (layout.role(role, feed.mask, number, attribute), attribute))
                }
                _ => None,
            };
            if profile.is_none() {
                layout.by_item.push(number);
            }
            layout.feeds.push(FeedLayout { items: ItemPlaces::new(vocabulary, feed.enumeration), profile });
            for (pair, share) in &feed.targets {
                layout.shares[usize::from(*share)].targets.push((number as u16, self.target(*pair)));
            }
        }
        layout
    }

    fn target(&self, pair: u16) -> Target {
        let place = self.pairs[usize::from(pair)];
        Target {
            pair,
            blocks: usize::from(place.blocks),
            cells: place.items.count,
            first_cell: place.first_cell,
            first_block: place.first_block,
        }
    }

    /// The plan of a behaviour by its number; behind the last behaviour that of lots.
    pub(super) fn plan(&self, number: usize) -> &PlanLayout {
        &self.plans[number]
    }

    /// The number of the plan of lots.
    pub(super) fn lots(&self) -> usize {
        self.plans.len() - 1
    }

    pub(super) fn pair(&self, pair: u16) -> PairPlace {
        self.pairs[usize::from(pair)]
    }

    /// (pair, item) of a cell of the array.
    pub(super) fn cell(&self, cell: u32) -> (u16, Item) {
        self.cells[cell as usize]
    }

    /// Blocks in the array of a date.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Number of places in the array of a date.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }
}

impl PlanLayout {
    /// The place of a role, for which a further feed waits.
    fn role(&mut self, role: Role, mask: u32, feed: usize, attribute: u8) -> u8 {
        let place = self.roles.iter().position(|known| known.role == role).unwrap_or_else(|| {
            self.roles.push(RoleLayout { role, mask: 0, feeds: Vec::new() });
            self.roles.len() - 1
        });
        self.roles[place].mask |= mask;
        self.roles[place].feeds.push((feed, attribute));
        place as u8
    }
}

impl Counts {
    /// True when facts add to the slot.
    pub(super) fn holds(self, slot: Slot) -> bool {
        match self {
            Counts::Full => true,
            Counts::Paid => slot == Slot::Paid,
            Counts::Rate => matches!(slot, Slot::RateWeighted | Slot::RateWeight),
        }
    }
}

impl PairPlace {
    /// The number of an item among those of the pair; `None` when it has no place in the array.
    #[inline]
    pub fn item(&self, item: Item) -> Option<u32> {
        self.items.of(item)
    }

    /// Where a cell's mark and sums lie.
    #[inline]
    pub fn blocks(&self, place: u32) -> Range<usize> {
        let first = self.first_block as usize + place as usize * usize::from(self.blocks);
        first..first + usize::from(self.blocks)
    }
}
