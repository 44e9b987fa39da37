//! The items that a fact has in all dimensions of a cross together.
//!
//! Columns are asked axis by axis: the whole fact, its lots, its enterprises, its institutions. Within the axes of lots and
//! parties the items of one lot or party stay together; between axes they are multiplied.

use smallvec::{SmallVec, smallvec};

use super::{
    Aggregates, Cross, CrossKey, CrossSink, DIMENSIONS_MAX, Tuple,
    compile::{Axis, Column},
};
use crate::{
    aggregate::{
        contribution::{Extent, Members},
        flow::{cuts_made, holds},
    },
    ids::Day,
    items::{Item, Items, Row},
    names::Name,
    observe::{Observation, Player},
};

const NO_ITEMS: Tuple = [Item::ALL; DIMENSIONS_MAX];

type Tuples = SmallVec<[Tuple; 4]>;

/// Parties with their tuple.
type Parties = SmallVec<[(Tuple, SmallVec<[Player; 4]>); 2]>;

/// Multiplies tuples by the items of a column. False when none passes.
fn spread(tuples: &mut Tuples, column: &Column, items: &[Item]) -> bool {
    let mut passing = items.iter().copied().filter(|item| column.lets_pass(*item));
    let Some(first) = passing.next() else { return false };
    let Some(place) = column.shown.map(usize::from) else { return true };
    let before = tuples.len();
    for item in passing {
        for at in 0..before {
            let mut tuple = tuples[at];
            tuple[place] = item;
            tuples.push(tuple);
        }
    }
    tuples[..before].iter_mut().for_each(|tuple| tuple[place] = first);
    true
}

/// Puts tuples of different axes together: each fills its own places.
fn join(left: Tuple, right: &Tuple) -> Tuple {
    let mut tuple = left;
    for (item, other) in tuple.iter_mut().zip(right) {
        if *item == Item::ALL {
            *item = *other;
        }
    }
    tuple
}

fn of_axis(columns: &[Column], axis: Axis) -> impl Iterator<Item = &Column> {
    columns.iter().filter(move |column| column.axis == axis)
}

/// Every column asked of the same thing. `None` when something does not pass.
fn tuples_of<'c>(columns: impl Iterator<Item = &'c Column>, mut items: impl FnMut(Name) -> Items) -> Option<Tuples> {
    let mut tuples: Tuples = smallvec![NO_ITEMS];
    for column in columns.filter(|column| column.axis != Axis::Date) {
        if !spread(&mut tuples, column, &items(column.name)) {
            return None;
        }
    }
    Some(tuples)
}

impl Aggregates {
    /// What a fact adds by its behaviour.
    pub(super) fn cross_flow(
        &self,
        cross: &Cross,
        place: u16,
        seen: &Observation<'_>,
        weight: i64,
        sink: &mut CrossSink,
    ) {
        let Some((share, columns)) = cross.flow.get(&seen.fact.behaviour.0) else { return };
        let rule = &self.themes[usize::from(share.theme)].rule;
        if !((seen.effect().counts() || rule.every_effect) && holds(rule.condition, seen)) {
            return;
        }
        let lots_differ = seen.outcome.acted().nth(1).is_some() && of_axis(columns, Axis::Lot).next().is_some();
        let of_fact =
            columns.iter().filter(|column| column.axis == Axis::Fact || (column.axis == Axis::Lot && !lots_differ));
        let Some(tuples) = tuples_of(of_fact, |name| seen.items(name)) else { return };
        let Some(enterprises) = self.parties_of(columns, Axis::Enterprise, seen) else { return };
        let Some(institutions) = self.parties_of(columns, Axis::Institution, seen) else { return };
        let lots = if lots_differ { lots_of(columns, seen) } else { smallvec![(NO_ITEMS, whole(seen))] };
        let date = seen.fact.biz_date;
        let apart = sink.keeps_members();
        for (of_lot, extent) in &lots {
            let mut part = None;
            for (of_enterprise, enterprises) in each_or_fact(&enterprises) {
                for (of_institution, institutions) in each_or_fact(&institutions) {
                    let number = match part {
                        Some(number) if !apart => number,
                        _ => {
                            let members = Members::Apart { enterprises, institutions };
                            self.part(*share, seen, *extent, members, weight, &mut sink.parts)
                        }
                    };
                    part = Some(number);
                    for tuple in &tuples {
                        let items = join(join(join(*tuple, of_lot), &of_enterprise), &of_institution);
                        sink.push(place, CrossKey { stock: false, date, items }, number);
                    }
                }
            }
        }
    }

    /// Parties by tuple. An axis without columns has none; one whose columns nobody passes is `None`.
    fn parties_of(&self, columns: &[Column], axis: Axis, seen: &Observation<'_>) -> Option<Parties> {
        let mut parties = Parties::new();
        if of_axis(columns, axis).next().is_none() {
            return Some(parties);
        }
        let asks_roles = of_axis(columns, axis).any(|column| column.name == Name::PartyRole);
        let players: SmallVec<[(Row, Player); 4]> = match axis {
            Axis::Enterprise => seen.enterprises().collect(),
            _ if asks_roles => seen.parties().iter().copied().filter(|(_, player)| player.party.is_legal()).collect(),
            _ => seen.institutions().into_iter().map(|player| (Row::UNKNOWN, player)).collect(),
        };
        let role = self.meanings.vocabulary().known.role;
        let mut put = |tuples: Tuples, player: Option<Player>| {
            for tuple in tuples {
                match parties.iter_mut().find(|(known, _)| *known == tuple) {
                    Some((_, having)) => having.extend(player),
                    None => parties.push((tuple, player.into_iter().collect())),
                }
            }
        };
        for (row, player) in &players {
            let items = |name: Name| match name {
                Name::Of(each, attribute) => seen.items_of(each, *player, attribute),
                _ => Items::from_slice(&[row.item(role)]),
            };
            if let Some(tuples) = tuples_of(of_axis(columns, axis), items) {
                put(tuples, Some(*player));
            }
        }
        if players.is_empty()
            && let Some(tuples) = tuples_of(of_axis(columns, axis), |_| Items::from_slice(&[Item::NA]))
        {
            put(tuples, None);
        }
        (!parties.is_empty()).then_some(parties)
    }

    /// What a fact adds through the lots that it cut (T18).
    pub(super) fn cross_cuts(
        &self,
        cross: &Cross,
        place: u16,
        seen: &Observation<'_>,
        weight: i64,
        sink: &mut CrossSink,
    ) {
        let Some(columns) = &cross.cuts else { return };
        for cut in cuts_made(seen) {
            let Some(tuples) = tuples_of(columns.iter(), |name| self.cut_items(name, seen, cut)) else { continue };
            let part = self.cut_part(cross.theme, seen, cut, weight, &mut sink.parts);
            push_all(sink, place, false, seen.fact.biz_date, &tuples, part);
        }
    }

    /// What an acceptance or its disclosure adds to T28.
    pub(super) fn cross_disclosure(
        &self,
        cross: &Cross,
        place: u16,
        seen: &Observation<'_>,
        weight: i64,
        sink: &mut CrossSink,
    ) {
        let Some(columns) = &cross.disclosure else { return };
        let Some((date, counts)) = self.disclosed(seen) else { return };
        let Some(tuples) = tuples_of(columns.iter(), |name| seen.items(name)) else { return };
        let part = self.disclosure_part(cross.theme, counts, weight, &mut sink.parts);
        push_all(sink, place, false, date, &tuples, part);
    }

    /// What a fact adds through the lots that it changed.
    pub(super) fn cross_stock(
        &self,
        crosses: &[std::sync::Arc<Cross>],
        places: impl Iterator<Item = u16> + Clone,
        seen: &Observation<'_>,
        weight: i64,
        sink: &mut CrossSink,
    ) {
        self.each_lot_change(seen, |change| {
            for place in places.clone() {
                let cross = &crosses[usize::from(place)];
                let Some(columns) = &cross.stock else { continue };
                change.moves_of(self, cross.theme, |moved| {
                    let tuples = |items: &dyn Fn(Name) -> Items| tuples_of(columns.iter(), items).unwrap_or_default();
                    let (old, new) = (moved.before().map(|old| tuples(&old)), tuples(&moved.after()));
                    let equal = old.as_ref().is_none_or(|old| *old == new);
                    moved.each(equal, |is_old, date, add| {
                        let tuples = if is_old { old.as_ref().unwrap_or(&new) } else { &new };
                        if !tuples.is_empty() {
                            let part = add(weight, &mut sink.parts);
                            push_all(sink, place, true, date, tuples, part);
                        }
                    });
                });
            }
        });
    }
}

fn push_all(sink: &mut CrossSink, cross: u16, stock: bool, date: Day, tuples: &[Tuple], part: u32) {
    for items in tuples {
        sink.push(cross, CrossKey { stock, date, items: *items }, part);
    }
}

/// The parties of each tuple; one turn for the whole fact where none are asked.
fn each_or_fact(parties: &Parties) -> impl Iterator<Item = (Tuple, Option<&[Player]>)> {
    let whole = parties.is_empty().then_some((NO_ITEMS, None));
    whole.into_iter().chain(parties.iter().map(|(tuple, having)| (*tuple, Some(&having[..]))))
}

/// The amounts of the whole fact.
fn whole(seen: &Observation<'_>) -> Extent {
    Extent { amount_fen: seen.amount_fen(), split: None, hops: seen.lot().map_or(0, |lot| i64::from(lot.hops)) }
}

/// Lots by tuple, each tuple once, with the amounts of its lots (facts.md 9.12).
fn lots_of(columns: &[Column], seen: &Observation<'_>) -> SmallVec<[(Tuple, Extent); 2]> {
    let whole: i64 = seen.outcome.acted().map(|change| change.after.amount_fen).sum();
    let mut lots: SmallVec<[(Tuple, Extent); 2]> = SmallVec::new();
    for change in seen.outcome.acted() {
        let item = |name| Items::from_slice(&[seen.lot_item(name, &change.after, change.before.as_ref())]);
        let Some(tuples) = tuples_of(of_axis(columns, Axis::Lot), item) else { continue };
        let (tuple, fen, hops) = (tuples[0], change.after.amount_fen, i64::from(change.after.hops));
        match lots.iter_mut().find(|(known, _)| *known == tuple) {
            Some((_, extent)) => {
                extent.amount_fen += fen;
                extent.hops = extent.hops.max(hops);
            }
            None => lots.push((tuple, Extent { amount_fen: fen, split: None, hops })),
        }
    }
    let mut before = 0;
    for (_, extent) in &mut lots {
        extent.split = Some((whole, before));
        before += extent.amount_fen;
    }
    lots
}
