//! Normal trade: one lot, one step, one fact.
//!
//! A step reads the lot, writes its fact and names the next step and its time; nothing else of the future is kept.
//! What a lot wants and its endorsements are here; issue to receipt is in `trade_issue`, discount to redemption in
//! `trade_bank`, payment and recourse in `trade_due`, rarer products in `detours`. What could make honest trade look wrong is left out on purpose: see the comments at each draw.

use std::collections::BTreeMap;

use billwatch_market::fact::{Fact, behaviour};
use billwatch_market::ids::Day;

use super::agenda::Agenda;
use super::detours::OF_ENTERPRISES;
use super::dice::{Dice, NegativeBinomial, Weighted};
use super::draft::Party;
use super::life::Kind;
use super::lot::{Extra, Live, Lot, Slots, Step};
use super::price::Curve;
use super::reference::Registry;
use super::tables::Calendar;
use super::world::{Who, World};

/// An entry of the agenda.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// A bill is registered.
    Birth,
    /// The lot in this slot does its step.
    Lot(u32),
    /// The acceptance of the bill in this slot is disclosed.
    Disclose(u32),
    /// The curve is published.
    Curve,
    /// The fact in this slot of the planned facts is sent.
    Planned(u32),
}

/// When a step comes, and which; `None` ends the lot.
pub type Next = Option<(i64, Step)>;

/// Days before the due date on which nothing new is begun.
pub const QUIET_DAYS: i32 = 3;
/// Fen; a lot below it is not cut.
const SMALLEST_CUT: i64 = 2_000_000;
/// Institutions sign until 21:00 (domain.md 5), ms of the day; what comes later waits for the next opening at 9:00.
const SIGNING_ENDS: i64 = 21 * 3_600_000;
/// Share of acceptances by hour, 9 to 19, per hundred (domain.md 12.4).
const HOURS: [u64; 11] = [12, 17, 14, 4, 9, 15, 17, 9, 1, 1, 1];

/// Everything under way.
pub struct Trade {
    /// Who takes part.
    pub world: World,
    /// What happens when.
    pub agenda: Agenda<What>,
    /// Business days.
    pub calendar: Calendar,
    /// The curve last published.
    pub curve: Curve,
    /// Reference facts.
    pub registry: Registry,
    /// Facts of the current step, in order.
    pub out: Vec<Fact>,
    pub(super) dice: Dice,
    pub(super) bills: Slots<Live>,
    pub(super) lots: Slots<Lot>,
    hours: Weighted,
    hops: NegativeBinomial,
    pub(super) trades: NegativeBinomial,
    pub(super) deals: u64,
    /// Commercial acceptors (places in the world), each with the last due date of its bills: who discloses each month.
    pub(super) disclosing: BTreeMap<usize, Day>,
    serial: u64,
    of_day: u64,
}

impl Trade {
    /// A market that is to carry this many bills, from this day on.
    pub fn new(seed: u64, bills: u64, start: Day) -> Self {
        Trade {
            world: World::new(seed, bills),
            agenda: Agenda::new(start),
            calendar: Calendar::embedded(),
            curve: Curve::default(),
            registry: Registry::default(),
            out: Vec::new(),
            dice: Dice::new(seed, 2),
            bills: Slots::default(),
            lots: Slots::default(),
            hours: Weighted::new(HOURS),
            hops: NegativeBinomial::new(3.3, 1.2, 9),
            trades: NegativeBinomial::new(2.2, 40.0, 8),
            deals: 0,
            disclosing: BTreeMap::new(),
            serial: 0,
            of_day: 0,
        }
    }

    /// Lots under way.
    pub fn live_lots(&self) -> usize {
        self.lots.live()
    }

    /// The serials of the day's bill numbers begin again.
    pub fn begin_day(&mut self) {
        self.of_day = 0;
    }

    /// An instant of a business day by the intraday curve, 9:00 to 20:00.
    pub fn office_time(&mut self, day: Day) -> i64 {
        let hour = 9 + self.hours.draw(&mut self.dice) as i64;
        day.start_ms() + hour * 3_600_000 + self.dice.between(0, 3_599_999)
    }

    /// This instant, when institutions sign then; otherwise as long after the next opening as it lies after the close.
    pub(super) fn while_signing(&self, at: i64) -> i64 {
        let day = Day::of_time(at);
        let late = at - day.start_ms() - SIGNING_ENDS;
        if late < 0 {
            return at;
        }
        self.calendar.after(day, 1).start_ms() + 9 * 3_600_000 + late
    }

    /// A bill number block and a number of the day for a bill that is not of normal trade.
    pub fn next_bill_numbers(&mut self) -> (u64, u64) {
        self.serial += 1;
        self.of_day += 1;
        (self.serial, self.of_day)
    }

    /// Some seconds later.
    pub(super) fn soon(&mut self, at: i64, least_s: i64, most_s: i64) -> i64 {
        at + self.dice.between(least_s * 1_000, most_s * 1_000)
    }

    /// The lot in this slot does its step at this instant.
    pub fn step(&mut self, at: i64, slot: u32) {
        let mut lot = *self.lots.get(slot);
        let next = match lot.step {
            Step::AskAcceptance => self.ask_acceptance(at, &mut lot),
            Step::AnswerAcceptance => self.answer_acceptance(at, &mut lot),
            Step::AskReceipt => self.ask_receipt(at, &mut lot),
            Step::AnswerReceipt => self.answer_receipt(at, &mut lot),
            Step::Revoke => self.revoke(at, &lot),
            Step::AskEndorsement => self.ask_endorsement(at, &mut lot),
            Step::AnswerEndorsement => self.answer_endorsement(at, &mut lot),
            Step::BeginExtra => self.begin_extra(at, &mut lot),
            Step::EndExtra => self.end_extra(at, &mut lot),
            Step::AskRelease => self.ask_release(at, &mut lot),
            Step::AnswerRelease => self.answer_release(at, &mut lot),
            Step::AskDiscount => self.ask_discount(at, &mut lot),
            Step::AnswerDiscount => self.answer_discount(at, &mut lot),
            Step::SettleDiscount => self.settle_discount(at, &mut lot),
            Step::Quote => self.quote(at, &mut lot),
            Step::AnswerQuote => self.answer_quote(at, &mut lot),
            Step::Strike => self.strike(at, &mut lot),
            Step::SettleDeal => self.settle_deal(at, &mut lot),
            Step::Redeem => self.redeem(at, &mut lot),
            Step::DiscountPaper => self.discount_paper(at, &mut lot),
            Step::ClosePaper => self.close_paper(at, &lot),
            Step::Detour(road, nth) => self.detour(at, &mut lot, road, nth),
            Step::QueuePayment => self.queue_payment(at, &lot),
            Step::Mature => self.mature(&lot),
            Step::Present => self.present(at, &mut lot),
            Step::AnswerPayment => self.answer_payment(at, &mut lot),
            Step::Pay => self.pay(at, &lot),
            Step::NotifyDishonour(nth) => self.notify_dishonour(at, &lot, nth),
            Step::NotifyRecourse => self.notify_recourse(at, &mut lot),
            Step::OfferSettlement => self.offer_settlement(at, &mut lot),
            Step::AgreeSettlement => self.agree_settlement(at, &lot),
            Step::SettleRecourse => self.settle_recourse(at, &mut lot),
        };
        match next {
            Some((when, step)) => {
                lot.step = step;
                *self.lots.get(slot) = lot;
                self.agenda.add(when, What::Lot(slot));
            }
            None => {
                self.lots.take(slot);
                self.release(lot.bill);
            }
        }
    }

    /// One user of a bill less; the last one ends it.
    pub fn release(&mut self, slot: u32) {
        let live = self.bills.get(slot);
        live.users -= 1;
        if live.users == 0 {
            self.bills.take(slot);
        }
    }

    /// DIS.BIL.
    pub fn disclose(&mut self, at: i64, slot: u32) {
        let fact = self.bills.get(slot).bill.disclose(at);
        self.out.push(fact);
        self.release(slot);
    }

    /// What this lot wants to do in its life.
    pub(super) fn draw_plan(&mut self, at: i64, lot: &mut Lot) {
        let live = self.bills.get(lot.bill);
        let (kind, face) = (live.bill.kind, live.bill.face_fen);
        lot.hops = self.hops.draw(&mut self.dice) as u8;
        let amounts_to_much = face >= 56_000_000;
        let mut discounted = self.dice.chance(if amounts_to_much { 9_500 } else { 550 });
        lot.extra = match self.dice.below(10_000) {
            0..300 => Some(Extra::Pledge),
            300..400 => Some(Extra::Guarantee),
            400..405 => Some(Extra::Freeze),
            405..415 => Some(Extra::EarlyPayment),
            415..1_400 if kind == Kind::Commercial => Some(Extra::Enhancement),
            _ => None,
        };
        if lot.extra == Some(Extra::Enhancement) {
            discounted = true;
        }
        if kind == Kind::Bank {
            self.draw_detour(lot, &OF_ENTERPRISES);
        }
        // A commercial bill of more is not sold: one bank would be the captive discounter of its acceptor.
        if kind == Kind::Commercial && face > 2_000_000_000 {
            discounted = false;
        }
        if discounted {
            // 60 % within three days, but never on the day of issue.
            let wait = if self.dice.chance(6_000) {
                1 + self.dice.below(3) as i32
            } else {
                1 + self.dice.exponential(20.0) as i32
            };
            lot.discount_on = Some(self.calendar.roll(Day::of_time(at).plus(wait)));
        }
    }

    /// The next step of a free lot (CS03/TF0301): the earliest of what it wants, else the due date.
    pub(super) fn plan(&mut self, at: i64, lot: &mut Lot) -> Next {
        let today = Day::of_time(at);
        let due = self.bills.get(lot.bill).bill.due;
        let last = due.plus(-QUIET_DAYS);
        let mature = Some((due.start_ms(), Step::Mature));
        if lot.extra.is_some() {
            let day = self.calendar.roll(today.plus(1 + self.dice.exponential(6.0) as i32));
            if self.has_time(day, due) {
                return Some((self.office_time(day), Step::BeginExtra));
            }
            lot.extra = None;
        }
        if lot.holder.institution().is_some() {
            if lot.trades == 0 {
                return mature;
            }
            // At least one day between sales: four in a day would be a relay.
            let gap = 1 + self.dice.exponential(12.0) as i32;
            let day = self.calendar.roll(today.plus(gap));
            return if day <= last { Some((self.trading_time(day), Step::Quote)) } else { mature };
        }
        let discount = lot.discount_on.map(|day| self.calendar.roll(day.max(today.plus(1))));
        if lot.hops > 0 && lot.can_move() {
            // At least two days between endorsements: faster would be a high-frequency chain, or one through many
            // provinces in a week.
            let day = self.calendar.roll(today.plus(2 + self.dice.exponential(7.0) as i32));
            if day <= last && discount.is_none_or(|sale| day < sale) {
                return Some((self.office_time(day), Step::AskEndorsement));
            }
        }
        match discount {
            Some(day) if day <= last => Some((self.office_time(day), Step::AskDiscount)),
            _ => mature,
        }
    }

    fn ask_endorsement(&mut self, at: i64, lot: &mut Lot) -> Next {
        let holder = lot.holder.enterprise_place().expect("only enterprises endorse");
        let acceptor = self.bills.get(lot.bill).acceptor;
        let group = self.world.enterprises[holder].group;
        let suitable = (0..4).map(|_| Who::enterprise(self.world.supplier(holder, &mut self.dice))).find(|&to| {
            let place = to.enterprise_place().expect("a supplier is an enterprise");
            let related = group != 0 && self.world.enterprises[place].group == group;
            !lot.had(to) && to != acceptor && !related
        });
        let Some(to) = suitable else {
            // Everybody it buys from has had this bill: it goes no further.
            lot.hops = 0;
            return self.plan(at, lot);
        };
        self.cut(at, lot, 1_500);
        lot.other = to;
        let parties = (self.world.party(lot.holder), self.world.party(to));
        let fact = self.bills.get(lot.bill).bill.ask(behaviour::END_REQ, at, lot.range, parties.0, parties.1);
        lot.request = fact.event_id;
        self.out.push(fact);
        Some((self.soon(at, 60, 7_200), Step::AnswerEndorsement))
    }

    fn answer_endorsement(&mut self, at: i64, lot: &mut Lot) -> Next {
        let (holder, other) = (self.world.party(lot.holder), self.world.party(lot.other));
        let ticket = self.dice.below(1_000);
        let bill = &mut self.bills.get(lot.bill).bill;
        let fact = match ticket {
            0..20 => bill.refuse(behaviour::END_REJ, at, lot.range, other, holder, lot.request, "RJ04"),
            20..40 => bill.withdraw(behaviour::END_WDR, at, lot.range, holder, other, lot.request),
            _ => bill.agree(behaviour::END_SGN, at, lot.range, other, holder, lot.request),
        };
        if fact.behaviour == behaviour::END_SGN {
            lot.move_to(lot.other);
            lot.hops -= 1;
        }
        self.out.push(fact);
        self.plan(at, lot)
    }

    /// With this chance out of 10,000 the request is on a part; the rest stays with the holder as another lot.
    pub(super) fn cut(&mut self, at: i64, lot: &mut Lot, chance: u64) {
        let live = self.bills.get(lot.bill);
        let amount = live.bill.amount(lot.range);
        if !live.bill.divisible || live.lots >= 4 || amount < SMALLEST_CUT || !self.dice.chance(chance) {
            return;
        }
        let share = 20 + self.dice.below(60) as i64;
        let part = (amount / 100 * share) as u64;
        let live = self.bills.get(lot.bill);
        live.lots += 1;
        live.users += 1;
        let mut rest = *lot;
        rest.range.start += part;
        rest.hops /= 2;
        lot.range.end = lot.range.start + part - 1;
        let next = self.plan(at, &mut rest);
        let (when, step) = next.expect("a free lot has a next step");
        rest.step = step;
        let slot = self.lots.keep(rest);
        self.agenda.add(when, What::Lot(slot));
    }

    /// The party of someone in the world.
    pub(super) fn party(&self, who: Who) -> Party {
        self.world.party(who)
    }
}
