//! Monthly lists of the disclosure platform: overdue acceptors (DIS.OVL) and persistently overdue ones (DIS.PSL).
//!
//! At the end of each month the platform names whom the rules name: an acceptor with at least 3 bills that fell overdue (DF1) in the
//! last 6 calendar months, and an overdue balance at the month's end or an overdue event in the month (P027); and who was named
//! in at least 3 of these months. It reads the facts as they are sent, whoever tells them, and nothing else.
//!
//! A presentation must be answered on its day, or on the next business day. **Memory**: presentations that are not paid, and for
//! half a year the bills that fell overdue.

use std::collections::BTreeMap;

use billwatch_market::fact::{Behaviour, Fact, Field, Range, Source, Value, behaviour};
use billwatch_market::ids::{BillId, Code, Day, PartyId};

use super::draft::{Draft, Party};
use super::reference::Registry;
use super::tables::Calendar;

/// Calendar months that both rules look at, with the one that ends.
const MONTHS: i32 = 6;
/// Overdue bills that put an acceptor on the overdue list.
const BILLS: usize = 3;
/// Months on the overdue list that put it on the other one.
const TIMES: usize = 3;
/// Reasons for which a refusal is no overdue payment (DF1).
const EXCUSED: [&str; 7] = ["DC00", "DC01", "DC02", "DC03", "DC04", "DC06", "DC07"];

/// What the platform knows.
#[derive(Default)]
pub struct Lists {
    presented: BTreeMap<BillId, Vec<Presented>>,
    acceptors: BTreeMap<PartyId, Acceptor>,
}

/// An acceptor with overdue events in the last months.
struct Acceptor {
    party: Party,
    /// Last overdue event of each bill.
    events: BTreeMap<BillId, Day>,
    /// Month ends at which it was on the overdue list.
    listed: Vec<Day>,
}

/// A range that was presented and is not paid.
struct Presented {
    range: Range,
    acceptor: Party,
    amount_fen: i64,
    /// Last day for the answer, while there is none.
    answer_due: Option<Day>,
    overdue: Option<Day>,
}

impl Lists {
    /// Takes note of a fact that is sent.
    pub fn see(&mut self, fact: &Fact, calendar: &Calendar) {
        let Some(bill) = fact.bill_id.filter(|_| fact.correction.is_none()) else { return };
        let today = fact.biz_date;
        match fact.behaviour {
            behaviour::PAY_REQ | behaviour::PAY_AUT => self.present(bill, fact, calendar.roll(today)),
            behaviour::PAY_SGN | behaviour::PAY_ASG | behaviour::PAY_LSG | behaviour::PAY_LRJ => {
                self.answer(bill, fact, false);
            }
            behaviour::PAY_REJ => {
                let reason = fact.code(Field::DishonourReason);
                let is_excused = reason.is_some_and(|reason| EXCUSED.contains(&reason.as_str()));
                self.answer(bill, fact, !is_excused);
                self.drop_unless_overdue(bill, fact.range);
            }
            behaviour::PAY_FLD => self.answer(bill, fact, true),
            behaviour::PAY_WDR => {
                self.answer(bill, fact, false);
                self.drop_unless_overdue(bill, fact.range);
            }
            behaviour::PAY_SET | behaviour::PAY_SUB => {
                self.answer(bill, fact, false);
                self.end(bill, fact, |_| true);
            }
            behaviour::RCS_SET => {
                let debtor = fact.party(Field::DebtorId);
                self.end(bill, fact, |known| Some(known.acceptor.id) == debtor);
            }
            behaviour::RCS_AGS if fact.code(Field::SettlementMethod) == Code::parse("OFFLINE") => {
                let debtor = fact.party(Field::CounterpartyId);
                self.end(bill, fact, |known| Some(known.acceptor.id) == debtor);
            }
            behaviour::PDR_CLS
            | behaviour::PPR_CLS
            | behaviour::PAY_EXP
            | behaviour::LSF_VOI
            | behaviour::LSF_JDG
            | behaviour::LSF_EST => self.end(bill, fact, |_| true),
            _ => {}
        }
    }

    fn present(&mut self, bill: BillId, fact: &Fact, answer_due: Day) {
        let Some(acceptor) = fact.party(Field::CounterpartyId) else { return };
        let known = self.presented.entry(bill).or_default();
        match known.iter_mut().find(|known| known.range == fact.range) {
            Some(again) if again.overdue.is_none() => again.answer_due = Some(answer_due),
            Some(_) => {}
            None => known.push(Presented {
                range: fact.range,
                acceptor: Party { id: acceptor, inst: fact.inst(Field::CounterpartyInst) },
                amount_fen: fact.amount_sent().unwrap_or(0),
                answer_due: Some(answer_due),
                overdue: None,
            }),
        }
    }

    /// An answer: too late when its day has passed, and a failure when it says so.
    fn answer(&mut self, bill: BillId, fact: &Fact, fails: bool) {
        let today = fact.biz_date;
        for known in self.presented.get_mut(&bill).into_iter().flatten().filter(|known| holds(fact.range, known.range))
        {
            let late = known.answer_due.take().filter(|due| *due < today);
            let event = late.or(fails.then_some(today));
            if let (None, Some(day)) = (known.overdue, event) {
                known.overdue = Some(day);
                note(&mut self.acceptors, known.acceptor, bill, day);
            }
        }
    }

    fn drop_unless_overdue(&mut self, bill: BillId, range: Range) {
        self.drop(bill, |known| holds(range, known.range) && known.overdue.is_none());
    }

    /// The end of a claim. What is paid on the day on which it fell overdue never was.
    fn end(&mut self, bill: BillId, fact: &Fact, ends: impl Fn(&Presented) -> bool) {
        let is_paid = matches!(fact.behaviour, behaviour::PAY_SET | behaviour::PAY_SUB);
        let ended = |known: &Presented| holds(fact.range, known.range) && ends(known);
        for known in self.presented.get(&bill).into_iter().flatten().filter(|known| ended(known)) {
            if is_paid
                && known.overdue == Some(fact.biz_date)
                && let Some(acceptor) = self.acceptors.get_mut(&known.acceptor.id)
            {
                acceptor.events.remove(&bill);
            }
        }
        self.drop(bill, ended);
    }

    fn drop(&mut self, bill: BillId, goes: impl Fn(&Presented) -> bool) {
        if let Some(known) = self.presented.get_mut(&bill) {
            known.retain(|known| !goes(known));
            if known.is_empty() {
                self.presented.remove(&bill);
            }
        }
    }

    /// The lists of the month that ends with this day, published at its end.
    pub fn publish(&mut self, month_end: Day, registry: &mut Registry) -> Vec<Fact> {
        let month = month_end.month_start();
        let first = month.add_months(1 - MONTHS);
        let mut balances: BTreeMap<PartyId, i64> = BTreeMap::new();
        for (bill, known) in &mut self.presented {
            for known in known {
                if known.overdue.is_none()
                    && let Some(due) = known.answer_due.filter(|due| *due <= month_end)
                {
                    known.overdue = Some(due);
                    note(&mut self.acceptors, known.acceptor, *bill, due);
                }
                if known.overdue.is_some() {
                    *balances.entry(known.acceptor.id).or_default() += known.amount_fen;
                }
            }
        }
        let at = month_end.end_ms() - 2;
        let mut facts = Vec::new();
        self.acceptors.retain(|id, acceptor| {
            acceptor.events.retain(|_, day| *day >= first);
            acceptor.listed.retain(|day| *day >= first);
            let balance = balances.get(id).copied().unwrap_or(0);
            let is_overdue = balance > 0 || acceptor.events.values().any(|day| *day >= month);
            if acceptor.events.len() >= BILLS && is_overdue {
                acceptor.listed.push(month_end);
                let mut notice = |code: Behaviour, number: Field, count: usize| {
                    let (year, month, _) = month.ymd();
                    let draft = Draft::new(code, at, Source::Disc, registry.next_event());
                    let draft = draft.from(Party::SYSTEM).to(acceptor.party);
                    draft
                        .value(Field::AcceptorId, Value::Party(*id))
                        .text(Field::PeriodMonth, format!("{year:04}-{month:02}"))
                        .int(Field::OverdueBalFen, balance)
                        .int(number, count as i64)
                        .done()
                };
                facts.push(notice(behaviour::DIS_OVL, Field::OverdueBills, acceptor.events.len()));
                if acceptor.listed.len() >= TIMES {
                    facts.push(notice(behaviour::DIS_PSL, Field::MonthsListed, acceptor.listed.len()));
                }
            }
            !acceptor.events.is_empty() || !acceptor.listed.is_empty()
        });
        facts
    }
}

fn note(acceptors: &mut BTreeMap<PartyId, Acceptor>, party: Party, bill: BillId, day: Day) {
    let new = || Acceptor { party, events: BTreeMap::new(), listed: Vec::new() };
    acceptors.entry(party.id).or_insert_with(new).events.insert(bill, day);
}

/// Whether a fact over a range is about a part of it too.
fn holds(range: Range, part: Range) -> bool {
    range.start <= part.start && part.end <= range.end
}
