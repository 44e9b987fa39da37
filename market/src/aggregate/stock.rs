//! What a change of lots adds to stock cells: -old, +new.
//!
//! A version of a lot is in a stock from a first date on (its state change; for the overdue stock the date of the overdue
//! event, when that is later) until the date of its next state change, never before that first date. Its items are those of
//! reference data as of its state change, so that what was put in can be taken out. Where old and new agree nothing is
//! emitted.

mod crossed;
mod margin;
mod version;

pub(super) use self::version::{Reads, reads};
use self::{
    margin::Margin,
    version::{READS, Version, unchanged},
};

use smallvec::SmallVec;

use super::{
    Aggregates, Feed, contribution::bill_member, layout::CellLayout, measure::SetKind, profiles::Profiles,
    rows::Batches, rules::StockOf, sink::CellSink,
};
use crate::{
    bill::{BillKind, Header, Lot, LotChange, Status},
    ids::Day,
    items::{Item, Items},
    names::{Name, Role},
    observe::Observation,
};

/// A version of a lot as stock cells see it, for views that count lots in their own way (reports).
pub(crate) struct SeenLot<'a>(Version<'a>);

impl<'a> SeenLot<'a> {
    /// The lot.
    pub fn lot(&self) -> &'a Lot {
        self.0.lot
    }

    /// The face of its bill.
    pub fn header(&self) -> &'a Header {
        self.0.header
    }

    /// Its share of the bill's margin, fen.
    pub fn margin_fen(&self) -> i64 {
        self.0.margin_fen
    }

    /// The items of a stock name as of its state change. Days that move with the date of the reading stay raw.
    pub fn each_item(&self, name: Name, take: impl FnMut(Item)) {
        self.0.each_item(name, take);
    }
}

/// Hands over what a fact did to lots: the change, the version before, the version after.
pub(crate) fn each_seen_change<'a>(
    seen: &Observation<'a>,
    mut take: impl FnMut(&LotChange, Option<SeenLot<'_>>, SeenLot<'_>),
) {
    let Some(header) = seen.header else { return };
    let mut margin = Margin::new(seen, header);
    for change in &seen.outcome.changes {
        let (out, into) = margin.step(change);
        let old = change.before.as_ref().map(|lot| SeenLot(Version::new(lot, header, seen, out)));
        take(change, old, SeenLot(Version::new(&change.after, header, seen, into)));
    }
}

/// From when a version is overdue (OBAL); `None`: it is not.
pub(crate) fn overdue_from(header: &Header, lot: &Lot) -> Option<Day> {
    start(StockOf::Overdue, header, lot)
}

/// A version of a lot going out of some stocks or into them, on one date.
#[derive(Clone, Copy)]
struct Move {
    is_old: bool,
    date: Day,
    /// The stocks, one bit each.
    live: u32,
    /// The other version is in them as well, on the same date and with the same sums: equal items cancel.
    steady: bool,
}

type Moves = SmallVec<[Move; 4]>;

/// A lot that moves.
pub(super) struct Change<'a> {
    old: Option<Version<'a>>,
    new: Version<'a>,
    moves: Moves,
    /// The stocks of all moves.
    any: u32,
    /// The stocks of those that are not steady.
    moving: u32,
    /// What surely reads the same in both versions, by [`Reads`].
    still: [bool; READS],
}

/// Where rows of lots wait.
pub(super) struct Lots<'a> {
    pub layout: &'a CellLayout,
    pub batches: &'a mut Batches,
    pub profiles: &'a mut Profiles,
}

impl Aggregates {
    /// Adds what a fact does to stock cells, times a weight (+1, or -1 to take it back).
    pub fn stock(&self, seen: &Observation<'_>, weight: i64, sink: &mut CellSink) {
        self.each_lot_change(seen, |change| self.stock_change(change, weight, sink));
    }

    /// The same into rows, where they fit.
    pub(super) fn stock_rows(&self, seen: &Observation<'_>, weight: i64, mut lots: Lots<'_>, sink: &mut CellSink) {
        self.each_lot_change(seen, |change| {
            if self.change_rows(change, weight, &mut lots).is_none() {
                self.stock_change(change, weight, sink);
            }
        });
    }

    pub(super) fn each_lot_change(&self, seen: &Observation<'_>, mut each: impl FnMut(&Change<'_>)) {
        if seen.outcome.changes.is_empty() || self.stock.themes.is_empty() {
            return;
        }
        let Some(header) = seen.header else { return };
        let mut margin = Margin::new(seen, header);
        for change in &seen.outcome.changes {
            let (out, into) = margin.step(change);
            let moves = self.moves(header, change, (out, into));
            if moves.is_empty() {
                continue;
            }
            let old = change.before.as_ref().map(|lot| Version::new(lot, header, seen, out));
            let new = Version::new(&change.after, header, seen, into);
            let stocks = |steady: bool| {
                moves.iter().filter(|each| !each.steady || steady).fold(0, |stocks, each| stocks | each.live)
            };
            let still = old.map_or([false; READS], |old| unchanged(old, new));
            each(&Change { old, new, any: stocks(true), moving: stocks(false), moves, still });
        }
    }

    fn stock_change(&self, change: &Change<'_>, weight: i64, sink: &mut CellSink) {
        // Parts are written when the first cell needs them: (place of the move, stock, part).
        let mut parts: SmallVec<[(usize, u8, u32); 8]> = SmallVec::new();
        let (mut old_items, mut new_items) = (Items::new(), Items::new());
        for (feed, reads) in self.stock.feeds.iter().zip(&self.stock.reads) {
            let Some(equal) = change.items(feed, *reads, &mut old_items, &mut new_items) else { continue };
            for (number, each) in change.moves.iter().enumerate() {
                if each.steady && equal {
                    continue;
                }
                for (pair, theme) in feed.targets.iter().filter(|(_, theme)| each.live >> theme & 1 == 1) {
                    let known = parts.iter().find(|(of, stock, _)| (*of, *stock) == (number, *theme));
                    let part = known.map(|(.., part)| *part).unwrap_or_else(|| {
                        let part =
                            self.stock_part(usize::from(*theme), change.version(each), each.sign() * weight, sink);
                        parts.push((number, *theme, part));
                        part
                    });
                    for item in if each.is_old && !equal { &old_items } else { &new_items } {
                        sink.push(*pair, each.date, *item, part);
                    }
                }
            }
        }
    }

    /// `None` when a move fits no row; rows without items, which may then be left, add nothing.
    fn change_rows(&self, change: &Change<'_>, weight: i64, lots: &mut Lots<'_>) -> Option<()> {
        let Lots { layout, batches, profiles } = lots;
        let (plan, places) = (layout.lots(), layout.plan(layout.lots()));
        let mut rows: SmallVec<[(Move, usize, u32); 4]> = SmallVec::new();
        for each in &change.moves {
            let version = change.version(each);
            let sign = i128::from(each.sign() * weight);
            let batch = batches.find(plan, each.date, places)?;
            let sums = places.slots.iter().map(|slot| version.slot(*slot) * sign);
            rows.push((*each, batch, batches.at(plan, batch).rows.begin(each.live, sums)?));
        }
        for (place, role) in places.roles.iter().enumerate() {
            let player = match role.role {
                Role::Holder | Role::HoldingInstitution => Reads::Holder,
                _ => Reads::BillParties,
            };
            let still = change.still[player as usize];
            if role.mask & if still { change.moving } else { change.any } == 0 {
                continue;
            }
            let mut of = |version: Version<'_>| {
                let (played, known) = version.played(role.role);
                profiles.of(version.as_of, role.role, played, |_| known)
            };
            let new = of(change.new);
            let old = change.old.map_or(new, of);
            let side = |each: &Move| if each.is_old { old } else { new };
            for (each, batch, row) in rows.iter().filter(|(each, ..)| each.live & role.mask != 0) {
                let batch = batches.at(plan, *batch);
                if !each.steady {
                    batch.roles[place].push(*row, side(each));
                } else if old != new {
                    // Where the lot stays, only what differs moves.
                    for (feed, attribute) in &role.feeds {
                        if profiles.items(old, *attribute) != profiles.items(new, *attribute) {
                            let items = profiles.items(side(each), *attribute);
                            batch.feeds[*feed].placed.extend(items.iter().map(|item| (*row, u32::from(*item))));
                        }
                    }
                }
            }
        }
        let (mut old_items, mut new_items) = (Items::new(), Items::new());
        for place in &places.by_item {
            let (feed, reads) = (&self.stock.feeds[*place], self.stock.reads[*place]);
            let Some(equal) = change.items(feed, reads, &mut old_items, &mut new_items) else { continue };
            for (each, batch, row) in rows.iter().filter(|(each, ..)| each.live & feed.mask != 0) {
                if each.steady && equal {
                    continue;
                }
                let batch = batches.at(plan, *batch);
                for item in if each.is_old && !equal { &old_items } else { &new_items } {
                    batch.put(*row, *place, places.feeds[*place].items, *item);
                }
            }
        }
        Some(())
    }

    /// What goes out of which stocks and into which, by date.
    fn moves(&self, header: &Header, change: &LotChange, (margin_out, margin_into): (i64, i64)) -> Moves {
        let mut moves = Moves::new();
        let (old, new) = (change.before.as_ref(), &change.after);
        let same_sums = old.is_some_and(|old| old.amount_fen == new.amount_fen && margin_out == margin_into);
        for (theme, (_, of)) in self.stock.themes.iter().enumerate() {
            // Taken out when the next version begins, but never before it was in.
            let out = old.and_then(|old| start(*of, header, old)).map(|start| start.max(new.changed_on));
            let into = start(*of, header, new);
            let steady = same_sums && out == into;
            for (is_old, date) in [(true, out), (false, into)] {
                let Some(date) = date else { continue };
                let same = |each: &&mut Move| (each.is_old, each.date, each.steady) == (is_old, date, steady);
                match moves.iter_mut().find(same) {
                    Some(each) => each.live |= 1 << theme,
                    None => moves.push(Move { is_old, date, live: 1 << theme, steady }),
                }
            }
        }
        moves
    }

    fn stock_part(&self, theme: usize, version: Version<'_>, weight: i64, sink: &mut CellSink) -> u32 {
        let theme = &self.themes[usize::from(self.stock.themes[theme].0)];
        let mut part = sink.begin_part();
        for slot in &theme.stock_slots {
            part.sum(version.slot(*slot) * i128::from(weight));
        }
        if part.keeps_members() {
            for set in &theme.stock_sets {
                match set {
                    SetKind::Bills => part.member(*set, bill_member(version.header.bill_id), weight),
                    SetKind::Institutions if version.header.acceptor.is_legal() => {
                        part.member(*set, version.header.acceptor.bits(), weight);
                    }
                    _ => {}
                }
            }
        }
        part.end()
    }
}

impl Move {
    fn sign(&self) -> i64 {
        if self.is_old { -1 } else { 1 }
    }
}

impl<'a> Change<'a> {
    fn version(&self, each: &Move) -> Version<'a> {
        self.old.filter(|_| each.is_old).unwrap_or(self.new)
    }

    /// Finds the items of a feed before and after, and whether they are equal: then only the new ones are written. `None`
    /// when no stock of the feed moves.
    #[inline]
    fn items(&self, feed: &Feed, reads: Reads, old_items: &mut Items, new_items: &mut Items) -> Option<bool> {
        let still = self.still[reads as usize];
        if feed.mask & if still { self.moving } else { self.any } == 0 {
            return None;
        }
        new_items.clear();
        self.new.each_item(feed.name, |item| new_items.push(item));
        match self.old {
            Some(old) if !still => {
                old_items.clear();
                old.each_item(feed.name, |item| old_items.push(item));
                Some(old_items == new_items)
            }
            _ => Some(true),
        }
    }
}

/// From when a lot version is in a stock; `None` when it is not.
fn start(of: StockOf, header: &Header, lot: &Lot) -> Option<Day> {
    match of {
        StockOf::Held => lot.is_held().then_some(lot.changed_on),
        StockOf::Accepted => is_accepted(lot).then_some(lot.changed_on),
        StockOf::Migrated => (lot.is_live() && lot.is_migrated()).then_some(lot.changed_on),
        StockOf::AcceptedByFinanceCompany => {
            (is_accepted(lot) && header.kind == BillKind::Fab).then_some(lot.changed_on)
        }
        // When the answer is not there by the end of its last day the lot is overdue from that day on; an answer in time
        // makes another version, and what was put in is taken out on the same date.
        StockOf::Overdue if lot.is_live() => {
            lot.overdue_since.or(lot.answer_due).map(|overdue| overdue.max(lot.changed_on))
        }
        StockOf::Overdue => None,
    }
}

fn is_accepted(lot: &Lot) -> bool {
    matches!(lot.status, Status::Accepted | Status::Received | Status::Due)
}
