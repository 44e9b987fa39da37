//! The tally: facts of a market, observed once each, into the figures of reports.
//!
//! A worker tallies the lives that it keeps, the plain evaluator tallies all; [`Tables`] of several add up. Invariants: a
//! table is a function of the set of facts alone; a lot is in a stock from its state change to its next one, as in cells
//! (`aggregate::stock`); days that move with the date of the reading stay raw until they are read.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use super::{
    figure::{Amount, Basis, Figure, Filter, Members, ReportName},
    period::Span,
};
use crate::{
    aggregate::{
        contribution::{bill_member, settled},
        stock::{SeenLot, each_seen_change, overdue_from},
    },
    bill::{Answered, Bill, Cut, Laws, Lot, LotChange, TextHash},
    buckets,
    corrections::effective_at,
    evaluator::without_bill,
    fact::{BEHAVIOUR_CODES, Behaviour, Fact, Field, behaviour},
    fact_scope::Home,
    ids::{Day, PartyId},
    items::{Item, Items},
    names::{Attribute, Name, Role},
    observe::{Meanings, Observation, Played, Player, attributes::AsOf},
    reference_data::Reference,
};

/// Rates beyond this are nonsense that P187 alerts; weighted sums must not overflow.
const MAX_RATE_E4: i64 = 1_000_000_000;

/// Items of the axes of a figure, in their order.
pub type Key = SmallVec<[Item; 3]>;

/// What one key of a figure has.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Held {
    /// As [`Figure::amounts`].
    pub sums: SmallVec<[i128; 2]>,
    /// As [`Figure::members`]: member -> number of facts or lots, weight in fen.
    pub members: SmallVec<[BTreeMap<u64, (i64, i128)>; 1]>,
}

impl Held {
    fn of(figure: &Figure) -> Self {
        Held { sums: smallvec![0; figure.amounts.len()], members: smallvec![BTreeMap::new(); figure.members.len()] }
    }

    /// Adds another one of the same figure.
    pub fn add(&mut self, other: &Held) {
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum += more;
        }
        for (set, more) in self.members.iter_mut().zip(&other.members) {
            for (member, (number, weight)) in more {
                put(set, *member, *number, *weight);
            }
        }
    }

    fn is_nothing(&self) -> bool {
        self.sums.iter().all(|sum| *sum == 0) && self.members.iter().all(BTreeMap::is_empty)
    }
}

fn put(set: &mut BTreeMap<u64, (i64, i128)>, member: u64, number: i64, weight: i128) {
    let held = set.entry(member).or_default();
    held.0 += number;
    held.1 += weight;
    if *held == (0, 0) {
        set.remove(&member);
    }
}

/// A figure and the spans at which it is read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Number of the report.
    pub report: u16,
    /// Number of the figure in it.
    pub figure: u16,
    /// When.
    pub span: Span,
}

/// What some facts add to asked figures, in the order of the question.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tables {
    /// One an [`Asked`].
    pub tables: Vec<BTreeMap<Key, Held>>,
    /// Who the parties of the keys are.
    pub about: BTreeMap<PartyId, About>,
}

/// What reference data says of a party at the end of the question, for people.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct About {
    /// Name.
    pub name: String,
    /// Credit code of an enterprise.
    pub uscc: String,
    /// province, as item.
    pub province: Option<Item>,
    /// industry_division or institution_type, as item.
    pub kind: Option<Item>,
    /// Group.
    pub group: String,
    /// Date of the latest balance sheet.
    pub sheet_date: String,
    /// Date of the latest DIS.CRD.
    pub disclosed_on: String,
}

impl Tables {
    /// Adds what other facts gave for the same question.
    pub fn add(&mut self, other: Tables) {
        self.tables.resize_with(self.tables.len().max(other.tables.len()), BTreeMap::new);
        for (table, more) in self.tables.iter_mut().zip(other.tables) {
            for (key, held) in more {
                match table.entry(key) {
                    Entry::Occupied(mut known) => known.get_mut().add(&held),
                    Entry::Vacant(place) => drop(place.insert(held)),
                }
            }
        }
        self.about.extend(other.about);
    }

    /// The form on the wire.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data has a form")
    }

    /// Reads the form on the wire; `None` when it is damaged or of another build.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

struct Counting<'a> {
    figure: &'a Figure,
    /// Span and place of its table.
    spans: Vec<(Span, usize)>,
}

/// A tally in course.
pub struct Tally<'a> {
    counting: Vec<Counting<'a>>,
    /// Places in `counting` of figures of facts, by behaviour.
    of_behaviour: Vec<SmallVec<[u16; 8]>>,
    of_lots: Vec<u16>,
    of_cuts: Vec<u16>,
    tables: Tables,
    laws: &'a Laws,
    meanings: &'a Meanings,
    reference: &'a Reference,
    /// Of the bill in hand: business date of its first DIS.BIL.
    disclosed_on: Option<Day>,
}

/// A fact, or one lot of it.
#[derive(Clone, Copy)]
struct Part<'a> {
    amount_fen: i64,
    /// Length of all lots, and of those before this one; `None`: the whole fact.
    split: Option<(i64, i64)>,
    lot: Option<&'a LotChange>,
}

impl Part<'_> {
    /// The part of a sum of the fact that falls on this lot; all parts add up to the sum.
    fn of(&self, sum: i128) -> i128 {
        match self.split {
            Some((whole, before)) if whole > 0 => {
                let up_to = |fen: i64| (sum * i128::from(fen)).div_euclid(i128::from(whole));
                up_to(before + self.amount_fen) - up_to(before)
            }
            _ => sum,
        }
    }
}

impl<'a> Tally<'a> {
    /// Nothing counted yet; `figure` gives the figure of an [`Asked`].
    pub fn new(
        asked: &[Asked],
        figure: impl Fn(&Asked) -> &'a Figure,
        laws: &'a Laws,
        meanings: &'a Meanings,
        reference: &'a Reference,
    ) -> Self {
        let mut counting: Vec<Counting<'a>> = Vec::new();
        for (place, asked) in asked.iter().enumerate() {
            let figure = figure(asked);
            match counting.iter_mut().find(|known| std::ptr::eq(known.figure, figure)) {
                Some(known) => known.spans.push((asked.span, place)),
                None => counting.push(Counting { figure, spans: vec![(asked.span, place)] }),
            }
        }
        let mut of_behaviour = vec![SmallVec::new(); BEHAVIOUR_CODES.len()];
        let (mut of_lots, mut of_cuts) = (Vec::new(), Vec::new());
        for (at, Counting { figure, .. }) in counting.iter().enumerate() {
            let at = at as u16;
            match &figure.basis {
                Basis::Facts(behaviours) => {
                    behaviours.iter().for_each(|Behaviour(number)| of_behaviour[usize::from(*number)].push(at));
                }
                Basis::Moves(..) | Basis::Stock(_) | Basis::Overdue(_) | Basis::OverdueEvents(_) => of_lots.push(at),
                Basis::Cuts => of_cuts.push(at),
                Basis::BalanceSheets | Basis::Alerts => {}
            }
        }
        let tables = Tables { tables: vec![BTreeMap::new(); asked.len()], about: BTreeMap::new() };
        Tally { counting, of_behaviour, of_lots, of_cuts, tables, laws, meanings, reference, disclosed_on: None }
    }

    /// Counts the records of one bill, one desk, or reference data.
    pub fn family(&mut self, home: Home, records: Vec<Fact>) {
        let facts = effective_at(home, records).facts;
        let is_bill = home.bill().is_some();
        let disclosure = facts.iter().find(|fact| is_bill && fact.behaviour == behaviour::DIS_BIL);
        self.disclosed_on = disclosure.map(|fact| fact.biz_date);
        let mut bill = Bill::default();
        for fact in &facts {
            let outcome = if is_bill { bill.apply(fact, self.laws) } else { without_bill() };
            let seen = Observation::new(fact, &outcome, is_bill.then_some(&bill), self.reference, self.meanings);
            self.observe(&seen);
        }
    }

    fn observe(&mut self, seen: &Observation<'_>) {
        let of_facts = self.of_behaviour[usize::from(seen.fact.behaviour.0)].clone();
        if seen.effect().counts() {
            for at in of_facts {
                self.count_fact(usize::from(at), seen);
            }
        }
        for at in 0..self.of_cuts.len() {
            let at = usize::from(self.of_cuts[at]);
            for cut in &seen.outcome.cuts {
                if matches!(cut.behaviour, behaviour::SPL_OUT | behaviour::SPL_REM) {
                    self.count_cut(at, seen, cut);
                }
            }
        }
        if !seen.outcome.changes.is_empty() && !self.of_lots.is_empty() {
            each_seen_change(seen, |change, old, new| {
                for at in 0..self.of_lots.len() {
                    self.count_lot(usize::from(self.of_lots[at]), seen, change, old.as_ref(), &new);
                }
            });
        }
    }

    fn count_fact(&mut self, at: usize, seen: &Observation<'_>) {
        let Counting { figure, spans } = &self.counting[at];
        let (figure, date) = (*figure, seen.fact.biz_date);
        if !spans.iter().any(|(span, _)| (span.from..=span.to).contains(&date)) {
            return;
        }
        if figure.by_lot && seen.outcome.acted().nth(1).is_some() {
            let whole: i64 = seen.outcome.acted().map(|change| change.after.amount_fen).sum();
            let mut before = 0;
            for change in seen.outcome.acted() {
                let amount_fen = change.after.amount_fen;
                self.count_part(at, seen, Part { amount_fen, split: Some((whole, before)), lot: Some(change) });
                before += amount_fen;
            }
        } else {
            let lot = seen.outcome.acted().next();
            self.count_part(at, seen, Part { amount_fen: seen.amount_fen(), split: None, lot });
        }
    }

    fn count_part(&mut self, at: usize, seen: &Observation<'_>, part: Part<'_>) {
        let figure = self.counting[at].figure;
        let disclosed_on = self.disclosed_on;
        let items = |name: ReportName| fact_items(name, seen, part, disclosed_on);
        if !figure.filters.iter().all(|filter| filter.holds(&items(filter.name))) {
            return;
        }
        let mut held = Held::of(figure);
        for (sum, amount) in held.sums.iter_mut().zip(&figure.amounts) {
            *sum = fact_amount(*amount, seen, part);
        }
        let first = part.split.is_none_or(|(_, before)| before == 0);
        for (set, members) in held.members.iter_mut().zip(&figure.members) {
            fact_members(*members, seen, part, &mut |member, weight| put(set, member, 1, weight));
        }
        // A fact over several lots is one fact.
        if !first && let Some(place) = figure.amounts.iter().position(|amount| *amount == Amount::Count) {
            held.sums[place] = 0;
        }
        let keys = keys(figure, |name| items(name));
        self.put(at, &keys, &held, |span| (span.from..=span.to).contains(&seen.fact.biz_date));
    }

    fn count_cut(&mut self, at: usize, seen: &Observation<'_>, cut: &Cut) {
        let figure = self.counting[at].figure;
        let length = cut.range.length() as i64;
        let part = Part { amount_fen: length, split: None, lot: None };
        let items = |name: ReportName| match name {
            ReportName::CutKind => smallvec![seen.meanings.behaviour_item(cut.behaviour)],
            name => fact_items(name, seen, part, None),
        };
        if !figure.filters.iter().all(|filter| filter.holds(&items(filter.name))) {
            return;
        }
        let mut held = Held::of(figure);
        for (sum, amount) in held.sums.iter_mut().zip(&figure.amounts) {
            *sum = fact_amount(*amount, seen, part);
        }
        for (set, members) in held.members.iter_mut().zip(&figure.members) {
            match members {
                Members::Lengths => put(set, length as u64, 1, i128::from(length)),
                members => fact_members(*members, seen, part, &mut |member, weight| put(set, member, 1, weight)),
            }
        }
        let keys = keys(figure, items);
        self.put(at, &keys, &held, |span| (span.from..=span.to).contains(&seen.fact.biz_date));
    }

    fn count_lot(
        &mut self,
        at: usize,
        seen: &Observation<'_>,
        change: &LotChange,
        old: Option<&SeenLot<'_>>,
        new: &SeenLot<'_>,
    ) {
        let figure = self.counting[at].figure;
        let holds = |filters: &[Filter], lot: &SeenLot<'_>| {
            filters.iter().all(|filter| filter.holds(&lot_items(filter.name, lot, seen)))
        };
        match &figure.basis {
            Basis::Moves(enters, state, other, through) => {
                if change.remainder || !(through.is_empty() || through.contains(&seen.fact.behaviour)) {
                    return;
                }
                let was = old.is_some_and(|old| holds(state, old));
                let is = holds(state, new);
                let (moved, date, other_side) = match (enters, old) {
                    (true, _) => (new, new.lot().changed_on, old),
                    (false, Some(old)) => (old, old.lot().changed_on.max(new.lot().changed_on), Some(new)),
                    (false, None) => return,
                };
                if (was, is) != (!enters, *enters) || !holds(&figure.filters, moved) {
                    return;
                }
                if !other.is_empty() && !other_side.is_some_and(|lot| holds(other, lot)) {
                    return;
                }
                let held = lot_held(figure, moved, new.lot().amount_fen, seen, 1);
                let keys = keys(figure, |name| lot_items(name, moved, seen));
                self.put(at, &keys, &held, |span| (span.from..=span.to).contains(&date));
            }
            Basis::Stock(state) => {
                for (lot, sign, date) in versions(old, new, |lot| Some(lot.lot().changed_on)) {
                    if holds(state, lot) && holds(&figure.filters, lot) {
                        let held = lot_held(figure, lot, lot.lot().amount_fen, seen, sign);
                        let keys = keys(figure, |name| lot_items(name, lot, seen));
                        self.put(at, &keys, &held, |span| date <= span.to);
                    }
                }
            }
            Basis::Overdue(state) => {
                for (lot, sign, date) in versions(old, new, |lot| overdue_from(lot.header(), lot.lot())) {
                    if holds(state, lot) && holds(&figure.filters, lot) {
                        let held = lot_held(figure, lot, lot.lot().amount_fen, seen, sign);
                        let keys = keys(figure, |name| lot_items(name, lot, seen));
                        self.put(at, &keys, &held, |span| date <= span.to);
                    }
                }
            }
            Basis::OverdueEvents(state) => {
                // Taken back on the date on which it was counted: what stays is the last word on each lot.
                let event = |lot: &SeenLot<'_>| {
                    let answer = lot.lot().answer_due.filter(|_| lot.lot().is_live());
                    lot.lot().overdue_since.or(answer)
                };
                let old = old.and_then(|old| Some((old, -1, event(old)?)));
                for (lot, sign, date) in old.into_iter().chain(event(new).map(|date| (new, 1, date))) {
                    if holds(state, lot) && holds(&figure.filters, lot) {
                        let held = lot_held(figure, lot, lot.lot().amount_fen, seen, sign);
                        let keys = keys(figure, |name| lot_items(name, lot, seen));
                        self.put(at, &keys, &held, |span| (span.from..=span.to).contains(&date));
                    }
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, at: usize, keys: &[Key], held: &Held, reads: impl Fn(&Span) -> bool) {
        let Counting { figure, spans } = &self.counting[at];
        for (_, place) in spans.iter().filter(|(span, _)| reads(span)) {
            for key in keys {
                let table = &mut self.tables.tables[*place];
                table.entry(key.clone()).or_insert_with(|| Held::of(figure)).add(held);
            }
        }
    }

    /// Counts what stands in reference data: once, not on every worker.
    pub fn reference(&mut self) {
        for at in 0..self.counting.len() {
            let Counting { figure, spans } = &self.counting[at];
            if figure.basis != Basis::BalanceSheets {
                continue;
            }
            let (figure, spans) = (*figure, spans.clone());
            for (span, _) in spans {
                let as_of = AsOf {
                    meanings: self.meanings,
                    reference: self.reference,
                    at: span.to.end_ms() - 1,
                    date: span.to,
                };
                for legal in self.reference.legal_institutions() {
                    let player = Player { party: legal, branch: None };
                    if as_of.look(player).institution.is_none() {
                        continue;
                    }
                    let items = |name: ReportName| match name {
                        ReportName::Market(Name::Of(_, attribute)) => {
                            let played = Played::By(player);
                            as_of.items(Role::EachInstitution, played, attribute, |player| as_of.look(player))
                        }
                        _ => smallvec![Item::NA],
                    };
                    if !figure.filters.iter().all(|filter| filter.holds(&items(filter.name))) {
                        continue;
                    }
                    let sheet = self.reference.balance_sheet(legal, as_of.at);
                    let mut held = Held::of(figure);
                    for (sum, amount) in held.sums.iter_mut().zip(&figure.amounts) {
                        let fen = match amount {
                            Amount::Count => Some(1),
                            Amount::TotalAssets => sheet.and_then(|sheet| sheet.total_assets_fen),
                            Amount::Deposits => sheet.and_then(|sheet| sheet.deposits_fen),
                            Amount::BankMargin => sheet.and_then(|sheet| sheet.margin_fen),
                            Amount::NetCapital => sheet.and_then(|sheet| sheet.net_capital_fen),
                            Amount::LiquidAssets => sheet.and_then(|sheet| sheet.liquid_assets_fen),
                            Amount::InterbankDeposits => sheet.and_then(|sheet| sheet.interbank_deposit_fen),
                            _ => None,
                        };
                        *sum = i128::from(fen.unwrap_or(0));
                    }
                    let keys = keys(figure, items);
                    self.put(at, &keys, &held, |own| *own == span);
                }
            }
        }
    }

    /// What was counted, with what reference data says of the parties in it at `date`.
    pub fn finish(self, date: Day) -> Tables {
        let mut tables = self.tables;
        for table in &mut tables.tables {
            table.retain(|_, held| !held.is_nothing());
        }
        let keys = tables.tables.iter().flat_map(BTreeMap::keys).flatten();
        let parties: BTreeSet<PartyId> = keys.filter_map(|item| item.as_party()).collect();
        let as_of = AsOf { meanings: self.meanings, reference: self.reference, at: date.end_ms() - 1, date };
        tables.about = parties.into_iter().map(|party| (party, about(party, &as_of))).collect();
        tables
    }
}

/// The version that goes (-1, on the date on which it goes) and the one that comes (+1).
fn versions<'v, 'l>(
    old: Option<&'v SeenLot<'l>>,
    new: &'v SeenLot<'l>,
    start: impl Fn(&SeenLot<'l>) -> Option<Day>,
) -> impl Iterator<Item = (&'v SeenLot<'l>, i64, Day)> {
    let gone = old.and_then(|old| Some((old, -1, start(old)?.max(new.lot().changed_on))));
    let come = start(new).map(|date| (new, 1, date));
    gone.into_iter().chain(come)
}

/// Every combination of items of the axes.
fn keys(figure: &Figure, items: impl Fn(ReportName) -> Items) -> SmallVec<[Key; 1]> {
    let mut keys: SmallVec<[Key; 1]> = smallvec![Key::new()];
    for (_, name) in &figure.by {
        let items = items(*name);
        let mut longer = SmallVec::new();
        for key in &keys {
            for item in &items {
                let mut key = key.clone();
                key.push(*item);
                longer.push(key);
            }
        }
        keys = longer;
    }
    keys
}

fn yes_no(seen: &Observation<'_>, yes: bool) -> Items {
    smallvec![if yes { seen.meanings.yes } else { seen.meanings.no }]
}

fn lot_state(name: ReportName, lot: &Lot, seen: &Observation<'_>) -> Option<Items> {
    Some(match name {
        ReportName::Discounted => yes_no(seen, lot.discounter().is_some()),
        ReportName::Pledged => yes_no(seen, lot.pledgee().is_some()),
        ReportName::OpenDeal => {
            smallvec![lot.repo().map_or(Item::NA, |deal| seen.meanings.behaviour_item(deal.behaviour))]
        }
        ReportName::DealOverdue => yes_no(seen, lot.repo().is_some_and(|deal| deal.overdue)),
        ReportName::Request => {
            smallvec![lot.request.map_or(Item::NA, |request| seen.meanings.behaviour_item(request.behaviour))]
        }
        ReportName::DealSeller(attribute) => deal_items(lot, attribute, true, seen),
        ReportName::DealBuyer(attribute) => deal_items(lot, attribute, false, seen),
        _ => return None,
    })
}

/// Who sold and who lent on an open deal, or by outright rediscount.
fn deal_items(lot: &Lot, attribute: Attribute, sells: bool, seen: &Observation<'_>) -> Items {
    let (party, branch) = match (lot.repo(), &lot.lineage[..]) {
        (Some(deal), _) if sells => (deal.seller, deal.seller_inst),
        (Some(deal), _) => (deal.buyer, deal.buyer_inst),
        (None, [.., before, last]) if last.behaviour == behaviour::RDC_BST => {
            if sells {
                (before.holder, None)
            } else {
                (lot.holder, lot.holder_inst)
            }
        }
        _ => return smallvec![Item::NA],
    };
    let as_of = AsOf { at: lot.changed_at, date: lot.changed_on, ..seen.as_of() };
    let played = Played::By(Player { party, branch });
    as_of.items(Role::EachInstitution, played, attribute, |player| as_of.look(player))
}

/// What the debtor of a notice is on the bill: the first that fits, in the order acceptor, drawer, discounter, guarantor,
/// enhancing bank, endorser.
fn debtor_role(seen: &Observation<'_>, lot: Option<&Lot>) -> Items {
    let known = &seen.meanings.vocabulary().known;
    let code =
        |code: &str| -> Items { smallvec![seen.meanings.vocabulary().row_of_text(known.role, code).item(known.role)] };
    let (Some(debtor), Some(header), Some(lot)) = (seen.player(Role::Debtor), seen.header, lot) else {
        return smallvec![Item::UNKNOWN];
    };
    let debtor = debtor.party;
    let step = lot.lineage.iter().find(|step| step.holder == debtor);
    let surety = lot.sureties().iter().find(|surety| surety.guarantor == debtor);
    if debtor == header.acceptor {
        code("ACCEPTOR")
    } else if debtor == header.drawer {
        code("DRAWER")
    } else if step.is_some_and(|step| matches!(step.behaviour, behaviour::DSC_SET | behaviour::PPR_DSC)) {
        code("DISCOUNTER")
    } else if let Some(surety) = surety {
        code(if surety.behaviour.code().starts_with("ENH.") { "ENH_BANK" } else { "GUARANTOR" })
    } else if step.is_some() {
        code("ENDORSER")
    } else {
        smallvec![Item::NA]
    }
}

fn lot_items(name: ReportName, lot: &SeenLot<'_>, seen: &Observation<'_>) -> Items {
    if let ReportName::Market(name) = name {
        let mut items = Items::new();
        lot.each_item(name, |item| items.push(item));
        return items;
    }
    lot_state(name, lot.lot(), seen).unwrap_or_else(|| smallvec![Item::NA])
}

fn fact_items(name: ReportName, seen: &Observation<'_>, part: Part<'_>, disclosed_on: Option<Day>) -> Items {
    match name {
        ReportName::Market(name) if name.is_of_lot() => match part.lot {
            Some(change) => smallvec![seen.lot_item(name, &change.after, change.before.as_ref())],
            None => seen.items(name),
        },
        ReportName::Market(name) => seen.items(name),
        ReportName::Local => {
            let province = |role| seen.items(Name::Of(role, Attribute::Province));
            let (applicant, discounter) = (province(Role::Applicant), province(Role::Discounter));
            yes_no(seen, applicant == discounter && applicant.iter().all(|item| !item.is_special()))
        }
        ReportName::SameDay => {
            let since = match seen.outcome.answered {
                Some(Answered::Request(request)) => Some(request.since_date),
                _ => None,
            };
            yes_no(seen, since == Some(seen.fact.biz_date))
        }
        ReportName::DebtorRole => debtor_role(seen, part.lot.map(|change| &change.after).or_else(|| seen.lot())),
        ReportName::SupplyChain => {
            yes_no(seen, seen.by_supply_chain() || seen.fact.behaviour.code().starts_with("SCB."))
        }
        ReportName::Accepted => yes_no(seen, seen.header.is_some_and(|header| header.is_accepted())),
        ReportName::DisclosedInTime => {
            let accepted = seen.header.and_then(|header| header.accepted);
            let calendar = &seen.meanings.catalogue().calendar;
            let timely = |(accepted, _): (Day, i64)| disclosed_on.is_some_and(|on| on <= calendar.next(accepted));
            yes_no(seen, accepted.is_some_and(timely))
        }
        name => {
            let lot = part.lot.map(|change| &change.after).or_else(|| seen.lot());
            lot.and_then(|lot| lot_state(name, lot, seen)).unwrap_or_else(|| smallvec![Item::NA])
        }
    }
}

fn rate_weight(seen: &Observation<'_>, part: Part<'_>) -> i128 {
    if seen.fact.int(Field::RateE4).is_none() {
        return 0;
    }
    match &seen.fact.behaviour.code()[..4] {
        "RPO." | "BRP." => first(seen, part),
        _ if seen.fact.behaviour == behaviour::RDC_RST => first(seen, part),
        _ => i128::from(part.amount_fen),
    }
}

fn first(seen: &Observation<'_>, part: Part<'_>) -> i128 {
    part.of(i128::from(seen.fact.int(Field::FirstFen).unwrap_or(0)))
}

fn fact_amount(amount: Amount, seen: &Observation<'_>, part: Part<'_>) -> i128 {
    let fact = seen.fact;
    let field = |field| part.of(i128::from(fact.int(field).unwrap_or(0)));
    let or_amount = |field| fact.int(field).map_or(i128::from(part.amount_fen), |sum| part.of(i128::from(sum)));
    let face = || seen.header.map_or(0, |header| i128::from(header.face_fen));
    let rate = || i128::from(fact.int(Field::RateE4).unwrap_or(0).clamp(-MAX_RATE_E4, MAX_RATE_E4));
    match amount {
        Amount::Count => 1,
        Amount::Amount => i128::from(part.amount_fen),
        Amount::Face => face(),
        Amount::Margin => seen.header.map_or(0, |header| i128::from(header.margin_fen)),
        Amount::TenorFace => seen.header.map_or(0, |header| i128::from(header.tenor_days())) * face(),
        Amount::Interest => field(Field::InterestFen),
        Amount::ExpectedInterest => part.of(i128::from(seen.interest_expected_fen().unwrap_or(0))),
        Amount::CheckedInterest if seen.interest_expected_fen().is_some() => field(Field::InterestFen),
        Amount::CheckedInterest => 0,
        Amount::RateWeighted => rate() * rate_weight(seen, part),
        Amount::RateWeight => rate_weight(seen, part),
        Amount::SpreadWeighted => {
            let spread = seen.spread_e4().unwrap_or(0).clamp(-MAX_RATE_E4, MAX_RATE_E4);
            i128::from(spread) * rate_weight(seen, part)
        }
        Amount::SpreadWeight if seen.spread_e4().is_some() => rate_weight(seen, part),
        Amount::SpreadWeight => 0,
        Amount::First => first(seen, part),
        Amount::FirstAboveCollateral => (first(seen, part) - i128::from(part.amount_fen)).max(0),
        Amount::Settled => part.of(settled(seen)),
        Amount::Paid => or_amount(Field::PaidFen),
        Amount::Claim => or_amount(Field::ClaimFen),
        Amount::Secured if fact.int(Field::SecuredFen).is_some() => field(Field::SecuredFen),
        Amount::Secured if fact.int(Field::GuaranteeFen).is_some() => field(Field::GuaranteeFen),
        Amount::Secured => or_amount(Field::EnhanceFen),
        _ => 0,
    }
}

fn fact_members(members: Members, seen: &Observation<'_>, part: Part<'_>, take: &mut dyn FnMut(u64, i128)) {
    let fact = seen.fact;
    let amount = i128::from(part.amount_fen);
    match members {
        Members::Bills => {
            if let Some(bill) = fact.bill_id {
                take(bill_member(bill), amount);
            }
        }
        Members::Deals => {
            if let Some(deal) = fact.text(Field::DealId) {
                take(TextHash::of(deal).bits(), amount);
            }
        }
        Members::Players(Role::EachEnterprise) => {
            let mut seen_before: SmallVec<[PartyId; 4]> = SmallVec::new();
            for (_, player) in seen.enterprises() {
                if !seen_before.contains(&player.party) {
                    seen_before.push(player.party);
                    take(player.party.bits(), amount);
                }
            }
        }
        Members::Players(role) => {
            if let Some(player) = seen.player(role) {
                take(player.party.bits(), amount);
            }
        }
        Members::Rates => {
            if let Some(rate) = fact.int(Field::RateE4) {
                take(rate as u64, rate_weight(seen, part));
            }
        }
        Members::HoldingDays => {
            if let Some(before) = part.lot.and_then(|change| change.before.as_ref()) {
                take(days(before.since, fact.biz_date), amount);
            }
        }
        Members::DueDates => {
            if let Some(header) = seen.header {
                take(i64::from(header.due_date.0) as u64, amount);
            }
        }
        Members::Days => {
            if let Some(Answered::Request(request)) = seen.outcome.answered {
                take(days(request.since_date, fact.biz_date), amount);
            }
        }
        Members::Lengths => {
            for cut in &seen.outcome.cuts {
                let length = cut.range.length();
                take(length, i128::from(length));
            }
        }
        Members::LotCounts => {
            if let Some(bill) = seen.bill {
                take(bill.lots.len() as u64, amount);
            }
        }
        Members::AcceptorGroups => {
            if let Some(player) = seen.player(Role::Acceptor) {
                let group = seen.items(Name::Of(Role::Acceptor, Attribute::Group));
                let group = group.first().and_then(|item| item.as_party()).unwrap_or(player.party);
                take(group.bits(), amount);
            }
        }
        Members::Keys => {}
    }
}

fn days(from: Day, to: Day) -> u64 {
    i64::from((to.0 - from.0).max(0)) as u64
}

/// What a lot adds, with this length.
fn lot_held(figure: &Figure, seen_lot: &SeenLot<'_>, amount_fen: i64, seen: &Observation<'_>, sign: i64) -> Held {
    let (lot, header) = (seen_lot.lot(), seen_lot.header());
    let mut held = Held::of(figure);
    for (sum, amount) in held.sums.iter_mut().zip(&figure.amounts) {
        let value = match amount {
            Amount::Count => 1,
            Amount::Amount => i128::from(amount_fen),
            Amount::Face => i128::from(header.face_fen),
            Amount::Margin => i128::from(seen_lot.margin_fen()),
            Amount::First => i128::from(lot.repo().and_then(|deal| deal.first_fen).unwrap_or(0)),
            Amount::RateWeighted => {
                let deal = lot.repo();
                let rate = deal.and_then(|deal| deal.rate_e4).unwrap_or(0).clamp(-MAX_RATE_E4, MAX_RATE_E4);
                i128::from(rate) * i128::from(deal.and_then(|deal| deal.first_fen).unwrap_or(0))
            }
            Amount::RateWeight => i128::from(
                lot.repo().filter(|deal| deal.rate_e4.is_some()).and_then(|deal| deal.first_fen).unwrap_or(0),
            ),
            _ => 0,
        };
        *sum = value * i128::from(sign);
    }
    let weight = i128::from(amount_fen) * i128::from(sign);
    for (set, members) in held.members.iter_mut().zip(&figure.members) {
        let member = match members {
            Members::Bills => Some(bill_member(header.bill_id)),
            Members::Players(Role::Drawer) => Some(header.drawer.bits()),
            Members::Players(Role::Acceptor) => Some(header.acceptor.bits()),
            Members::Players(Role::Payee) => Some(header.payee.bits()),
            Members::Players(Role::Holder) => Some(lot.holder.bits()),
            Members::DueDates => Some(i64::from(header.due_date.0) as u64),
            Members::Days => {
                let since = lot.notices().first().map(|notice| notice.since_date);
                since.map(|since| days(since, seen.fact.biz_date))
            }
            Members::AcceptorGroups => {
                let mut group = None;
                seen_lot.each_item(Name::Of(Role::Acceptor, Attribute::Group), |item| group = item.as_party());
                Some(group.unwrap_or(header.acceptor).bits())
            }
            _ => None,
        };
        if let Some(member) = member {
            put(set, member, sign, weight);
        }
    }
    held
}

/// The item of a raw day at the end of a span; other items are themselves.
pub fn at_end(name: ReportName, item: Item, end: Day, meanings: &Meanings) -> Item {
    let (ReportName::Market(name), Some(day)) = (name, item.as_day()) else { return item };
    let known = &meanings.vocabulary().known;
    let ahead = i64::from(day.0) - i64::from(end.0);
    match name {
        Name::RemainingDays => buckets::remaining_tenor(ahead).item(known.remaining_tenor_bucket),
        Name::HoldingDays => buckets::holding_period(-ahead).item(known.holding_period_bucket),
        Name::OverdueDays => buckets::overdue_age((-ahead).max(1)).item(known.overdue_age_bucket),
        _ => item,
    }
}

fn about(party: PartyId, as_of: &AsOf<'_>) -> About {
    let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
    let known = as_of.look(Player { party, branch: None });
    let vocabulary = &as_of.meanings.vocabulary().known;
    let mut about = About::default();
    if let Some(enterprise) = known.enterprise {
        about.name = text(&enterprise.name);
        about.uscc = text(&enterprise.uscc);
        about.province = Some(enterprise.province.item(vocabulary.province));
        about.kind = Some(enterprise.industry_division.item(vocabulary.industry_division));
    }
    if let Some(institution) = known.institution {
        about.name = text(&institution.name);
        about.province = Some(institution.province.item(vocabulary.province));
        about.kind = Some(institution.kind.item(vocabulary.institution_type));
        about.group = institution.group.map(|group| group.to_string()).unwrap_or_default();
    }
    if let Some(group) = as_of.reference.group(party, as_of.at, as_of.date) {
        about.group = group.to_string();
    }
    if let Some(sheet) = known.balance_sheet {
        about.sheet_date = sheet.report_date.map(|day| day.to_string()).unwrap_or_default();
    }
    if let Some(last) = as_of.reference.credit_disclosures(party, as_of.at).last() {
        about.disclosed_on = last.value.date.to_string();
    }
    about
}
