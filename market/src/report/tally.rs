//! The tally: facts of a market, observed once each, into the figures of reports.
//!
//! A worker tallies the lives that it keeps, the plain evaluator tallies all; [`Tables`] of several add up. Invariants: a
//! table is a function of the set of facts alone; a lot is in a stock from its state change to its next one, as in cells
//! (`aggregate::stock`); days that move with the date of the reading stay raw until they are read.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use super::{
    alerts::SeenAlert,
    figure::{Basis, Figure},
    indicators::party_of,
    names::{Filter, ReportName},
    period::Span,
    reading::{Part as FactPart, about, fact_amount, fact_items, fact_members, keys, lot_held, lot_items, versions},
    slot::{Amount, Members},
};
use crate::{
    aggregate::stock::{SeenLot, each_seen_change, overdue_from},
    bill::{Bill, Cut, Laws, LotChange},
    corrections::effective_at,
    evaluator::without_bill,
    fact::{BEHAVIOUR_CODES, Behaviour, Fact, behaviour},
    fact_scope::Home,
    ids::{Day, PartyId},
    indicator::Part,
    items::Item,
    names::{Name, Role},
    observe::{Meanings, Observation, Played, Player, attributes::AsOf},
    reference_data::Reference,
};

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
    pub(super) fn of(figure: &Figure) -> Self {
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

pub(super) fn put(set: &mut BTreeMap<u64, (i64, i128)>, member: u64, number: i64, weight: i128) {
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
    /// What indicators say (`super::indicators`).
    pub indicators: Vec<Part>,
    /// Alerts that hold, and what was done with them, when a figure counts alerts (`super::alerts`).
    pub alerts: Vec<SeenAlert>,
    /// Who the parties of the keys are, at the end of each span that has them.
    pub about: BTreeMap<(Day, PartyId), About>,
}

/// What reference data says of a party at the end of a day, for people.
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
    /// enterprise_size, as item, of an enterprise.
    pub size: Option<Item>,
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
        self.indicators.extend(other.indicators);
        self.alerts.extend(other.alerts);
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
                Basis::BalanceSheets | Basis::Alerts(_) | Basis::Indicator(_) => {}
            }
        }
        let tables = Tables { tables: vec![BTreeMap::new(); asked.len()], ..Tables::default() };
        Tally { counting, of_behaviour, of_lots, of_cuts, tables, laws, meanings, reference, disclosed_on: None }
    }

    /// Goes on where another tally of the same figures stopped.
    pub fn resume(self, tables: Tables) -> Self {
        Tally { tables, ..self }
    }

    /// Stops; [`Tally::resume`] goes on.
    pub fn pause(self) -> Tables {
        self.tables
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
                self.count_part(at, seen, FactPart { amount_fen, split: Some((whole, before)), lot: Some(change) });
                before += amount_fen;
            }
        } else {
            let lot = seen.outcome.acted().next();
            self.count_part(at, seen, FactPart { amount_fen: seen.amount_fen(), split: None, lot });
        }
    }

    fn count_part(&mut self, at: usize, seen: &Observation<'_>, part: FactPart<'_>) {
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
        let keys = keys(figure, items);
        self.put(at, &keys, &held, |span| (span.from..=span.to).contains(&seen.fact.biz_date));
    }

    fn count_cut(&mut self, at: usize, seen: &Observation<'_>, cut: &Cut) {
        let figure = self.counting[at].figure;
        let length = cut.range.length() as i64;
        let part = FactPart { amount_fen: length, split: None, lot: None };
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

    /// What was counted, with these parts of indicators, and what reference data says of the parties in both: of each at the
    /// end of the spans that have it, so that a report never depends on what else was asked with it.
    pub fn finish(self, indicators: Vec<Part>) -> Tables {
        let mut tables = Tables { indicators, ..self.tables };
        for table in &mut tables.tables {
            table.retain(|_, held| !held.is_nothing());
        }
        let rows = tables.indicators.iter().flat_map(|part| &part.rows);
        let of_indicators: BTreeSet<PartyId> = rows.filter_map(|row| party_of(row.key)).collect();
        let mut parties: BTreeSet<(Day, PartyId)> = BTreeSet::new();
        for Counting { figure, spans } in &self.counting {
            for (span, place) in spans {
                let keys = tables.tables[*place].keys().flatten();
                parties.extend(keys.filter_map(|item| Some((span.to, item.as_party()?))));
                if matches!(figure.basis, Basis::Indicator(_)) {
                    parties.extend(of_indicators.iter().map(|party| (span.to, *party)));
                }
            }
        }
        let as_of =
            |date: Day| AsOf { meanings: self.meanings, reference: self.reference, at: date.end_ms() - 1, date };
        tables.about = parties.into_iter().map(|(day, party)| ((day, party), about(party, &as_of(day)))).collect();
        tables
    }
}
