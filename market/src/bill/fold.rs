//! [`Bill::apply`]: the effect of one fact, and the cutting of lots.

use smallvec::SmallVec;

use super::{
    Bill,
    act::{act, first_lot},
    checks::{Reading, first_failure, is_legal, range_fits},
    header::{Disclosure, Header},
    laws::{Kind, Laws, Sender},
    lot::{Lot, share},
    outcome::{Answered, Cut, Effect, LotChange, Outcome},
    state::Flag,
};
use crate::{
    fact::{Fact, Range, behaviour},
    ids::PartyId,
};

impl Bill {
    /// Folds one fact into the bill and says what it did.
    ///
    /// Facts must come in order of [`Fact::order_key`]; whoever has a fact that belongs before [`Bill::last`] folds the
    /// bill again. All facts must be of one bill; they must be ordinary facts, not corrections (`corrections::effective`).
    pub fn apply(&mut self, fact: &Fact, laws: &Laws) -> Outcome {
        debug_assert!(self.last.is_none_or(|last| last <= fact.order_key()), "facts come in order");
        self.last = Some(fact.order_key());
        let law = laws.of(fact.behaviour);
        let outcome = match (law.kind, &self.header) {
            (Kind::Informational, _) => {
                self.note_disclosure(fact);
                Outcome::none(Effect::Informational)
            }
            (Kind::MakesBill, None) => self.make(fact, laws),
            (_, None) => Outcome::none(Effect::IllegalState),
            (_, Some(header)) if !range_fits(fact, header) => Outcome::none(Effect::BadRange),
            (Kind::MakesBill, Some(_)) => Outcome::none(Effect::IllegalState),
            (Kind::EachLot, Some(_)) => self.act_on_each(&Reading::new(fact, law, &laws.calendar)),
            (Kind::AllLots, Some(_)) => self.act_on_all(&Reading::new(fact, law, &laws.calendar)),
        };
        if law.kept && outcome.effect.counts() {
            self.journal.note(fact);
        }
        outcome
    }

    /// Folds facts that are in order, from nothing.
    pub fn fold<'a>(facts: impl IntoIterator<Item = &'a Fact>, laws: &Laws) -> (Bill, Vec<Outcome>) {
        let mut bill = Bill::default();
        let outcomes = facts.into_iter().map(|fact| bill.apply(fact, laws)).collect();
        (bill, outcomes)
    }

    fn make(&mut self, fact: &Fact, laws: &Laws) -> Outcome {
        // Acceptance refuses a fact without its header (MISSING_FIELD); it would make no bill.
        let Some(mut header) = Header::read(fact) else { return Outcome::none(Effect::IllegalState) };
        let covers = !header.divisible || (header.face_fen > 0 && fact.range.length() == header.face_fen as u64);
        if !range_fits(fact, &header) || !covers {
            return Outcome::none(Effect::BadRange);
        }
        let law = laws.of(fact.behaviour);
        let maker = if law.sender == Sender::Acceptor { header.acceptor } else { header.drawer };
        if fact.initiator() != Some(maker) {
            return Outcome::none(Effect::WrongParty);
        }
        header.due_date_adjusted = laws.calendar.on_or_after(header.due_date);
        let lot = first_lot(&header, fact, law);
        self.lots.push(lot.clone());
        self.header = Some(header);
        let mut outcome = Outcome::none(Effect::Applied);
        outcome.changes.push(LotChange { before: None, after: lot, remainder: false });
        outcome
    }

    /// facts.md 4.3: PAY.MAT and PAY.EXP take the lots inside the range that are in a legal state.
    fn act_on_each(&mut self, reading: &Reading<'_>) -> Outcome {
        let Some(header) = &self.header else { return Outcome::none(Effect::IllegalState) };
        let range = reading.fact.range;
        let mut outcome = Outcome::none(Effect::IllegalState);
        for lot in &mut self.lots {
            let inside = range.start <= lot.range.start && lot.range.end <= range.end;
            if inside && is_legal(lot, reading.law) {
                let before = lot.clone();
                act(lot, header, reading);
                outcome.effect = Effect::Applied;
                outcome.changes.push(LotChange { before: Some(before), after: lot.clone(), remainder: false });
            }
        }
        outcome
    }

    fn act_on_all(&mut self, reading: &Reading<'_>) -> Outcome {
        let Some(header) = &mut self.header else { return Outcome::none(Effect::IllegalState) };
        let (fact, law) = (reading.fact, reading.law);
        let range = fact.range;
        let first = self.lots.partition_point(|lot| lot.range.end < range.start);
        let last = self.lots.partition_point(|lot| lot.range.start <= range.end);
        let lots = &self.lots[first..last];
        let cuts = lots.first().is_some_and(|lot| lot.range.start < range.start)
            || lots.last().is_some_and(|lot| lot.range.end > range.end);
        if lots.is_empty() || (cuts && !law.may_cut) || !lots.iter().all(|lot| is_legal(lot, law)) {
            return Outcome::none(Effect::IllegalState);
        }
        // The tests are ordered; what stops one lot early stops the fact (facts.md 4.2).
        if let Some(failure) = lots.iter().filter_map(|lot| first_failure(lot, header, reading)).min() {
            return Outcome::none(failure);
        }
        if fact.behaviour == behaviour::ACC_SGN {
            header.margin_fen = fact.int(crate::fact::Field::MarginFen).unwrap_or(0);
            header.accepted = Some((fact.biz_date, fact.event_time));
        }
        let mut outcome = Outcome::none(Effect::Applied);
        outcome.answered = answered(&self.lots[first], reading);
        let mut at = first;
        for _ in first..last {
            let before = self.lots[at].clone();
            let kept = |start: u64, end: u64| remainder(&before, Range { start, end }, fact);
            let left = (before.range.start < range.start).then(|| kept(before.range.start, range.start - 1));
            let right = (before.range.end > range.end).then(|| kept(range.end + 1, before.range.end));
            let is_cut = left.is_some() || right.is_some();
            let lot = &mut self.lots[at];
            if is_cut {
                let part = Range { start: before.range.start.max(range.start), end: before.range.end.min(range.end) };
                set_range(lot, part);
            }
            act(lot, header, reading);
            if is_cut && let Some(request) = &mut lot.request {
                request.cut = true;
            }
            let after = lot.clone();
            note_cuts(&mut outcome.cuts, &before, &after, [&left, &right], law.fails_request);
            if let Some(left) = left {
                self.lots.insert(at, left.clone());
                at += 1;
                outcome.changes.push(LotChange { before: None, after: left, remainder: true });
            }
            outcome.changes.push(LotChange { before: Some(before), after, remainder: false });
            if let Some(right) = right {
                at += 1;
                self.lots.insert(at, right.clone());
                outcome.changes.push(LotChange { before: None, after: right, remainder: true });
            }
            at += 1;
        }
        outcome
    }

    fn note_disclosure(&mut self, fact: &Fact) {
        match fact.behaviour {
            behaviour::DIS_BIL => self.disclosure = Some(Box::new(Disclosure::read(fact))),
            behaviour::DIS_COR => {
                if let Some(disclosure) = &mut self.disclosure {
                    disclosure.correct(fact);
                }
            }
            _ => {}
        }
    }
}

/// Sums of deals and sureties are of the whole lot: each part of it takes its share.
fn set_range(lot: &mut Lot, range: Range) {
    let whole = lot.range;
    if lot.repo().is_some() || !lot.sureties().is_empty() {
        lot.rare_mut().each_sum(|sum| *sum = share(*sum, whole, range));
    }
    lot.range = range;
    // A range of a bill is at most 999,999,999,999 fen long.
    lot.amount_fen = range.length() as i64;
}

/// What a cut leaves: the same lot on another range.
fn remainder(lot: &Lot, range: Range, fact: &Fact) -> Lot {
    let mut rest = lot.clone();
    set_range(&mut rest, range);
    rest.changed_on = fact.biz_date;
    rest.changed_at = fact.event_time;
    rest
}

/// The SPL facts of one lot (facts.md 3).
fn note_cuts(
    cuts: &mut SmallVec<[Cut; 3]>,
    before: &Lot,
    after: &Lot,
    remainders: [&Option<Lot>; 2],
    fails_request: bool,
) {
    let rests = remainders.into_iter().flatten();
    if rests.clone().next().is_some() {
        cuts.push(Cut { behaviour: behaviour::SPL_OUT, range: after.range, holder: before.holder });
        cuts.extend(rests.map(|rest| Cut { behaviour: behaviour::SPL_REM, range: rest.range, holder: rest.holder }));
    }
    if fails_request && before.request.is_some_and(|request| request.cut) {
        cuts.push(Cut { behaviour: behaviour::SPL_RST, range: after.range, holder: after.holder });
    }
}

fn answered(lot: &Lot, reading: &Reading<'_>) -> Option<Answered> {
    match lot.flag {
        _ if !reading.law.names_states() => None,
        Flag::Locked | Flag::InCollection => lot.request.map(Answered::Request),
        Flag::AwaitingRedemption => lot.repo().map(|deal| Answered::Deal { seller: deal.seller, buyer: deal.buyer }),
        Flag::InRecourse => reading.debtor_on(lot).map(|debtor: PartyId| Answered::Recourse { debtor }),
        _ => None,
    }
}
