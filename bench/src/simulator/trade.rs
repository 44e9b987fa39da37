//! Normal trade: one lot, one step, one fact.
//!
//! A step reads the lot, writes its fact and names the next step and its time; nothing else of the future is kept.
//! Issue to endorsement is here, the rest of a life in `trade_bank` (discount to redemption) and `trade_due` (payment
//! and recourse). What could make honest trade look wrong is left out on purpose: see the comments at each draw.

use billwatch_market::fact::{Fact, Field, Source, Value, behaviour};
use billwatch_market::ids::Day;

use super::agenda::Agenda;
use super::dice::{Dice, NegativeBinomial, Weighted};
use super::draft::Party;
use super::life::{Bill, Kind};
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
/// Greatest face of a clean bill, fen: far below the largest single bill that alerts.
const GREATEST_FACE: i64 = 30_000_000_000;
/// Fen; a lot below it is not cut.
const SMALLEST_CUT: i64 = 2_000_000;
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

    /// A drawer registers a bill.
    pub fn birth(&mut self, at: i64) {
        let issue = Day::of_time(at);
        let (kind, drawer, acceptor) = match self.dice.below(100) {
            0..9 => {
                let drawer = self.world.commercial_drawer(&mut self.dice);
                (Kind::Commercial, drawer, Who::enterprise(drawer))
            }
            9..11 => {
                let (drawer, company) = self.world.group_drawer(&mut self.dice);
                (Kind::Finance, drawer, self.world.head_office(company))
            }
            _ => {
                // Chance found only drawers that are at their hourly limit: the market has one bill less.
                let Some(drawer) = self.world.drawer(at, &mut self.dice) else { return };
                (Kind::Bank, drawer, self.world.accepting_bank(drawer, issue, &mut self.dice))
            }
        };
        let Some(face_fen) = self.face(kind, drawer) else { return };
        let payee = Who::enterprise(self.world.supplier(drawer, &mut self.dice));
        let due = issue.plus(self.tenor()).min(issue.add_months(6));
        let source = match self.dice.below(1_000) {
            0..30 => Source::Scbp,
            // A paper bill is always discounted here: it needs the time for it.
            30..33 if kind == Kind::Bank && due.0 - issue.0 >= 60 => Source::Preg,
            _ => Source::Ngbs,
        };
        let divisible = source != Source::Preg && self.dice.chance(7_500);
        let (serial, of_day) = self.next_bill_numbers();
        let days = (issue, due, self.calendar.roll(due));
        let drawer_party = Who::enterprise(drawer);
        let parties = (self.world.party(drawer_party), self.world.party(acceptor), self.world.party(payee));
        let bank_no = self.world.bank_no_of(drawer);
        let bill = Bill::new(serial, kind, source, divisible, face_fen, days, parties, bank_no, of_day);
        let range = bill.whole();
        let slot = self.bills.keep(Live { bill, drawer, acceptor, payee, lots: 1, users: 1 });
        let mut lot = Lot::new(slot, range, drawer_party);
        let (when, step) = if source == Source::Preg {
            let fact = self.bills.get(slot).bill.register_paper(at);
            self.out.push(fact);
            self.world.enterprises[drawer].outstanding_fen += face_fen;
            lot.holder = payee;
            let day = self.calendar.after(issue, 2 + self.dice.below(10) as u32);
            (self.office_time(day), Step::DiscountPaper)
        } else {
            let fact = self.bills.get(slot).bill.issue(at);
            self.out.push(fact);
            if self.dice.chance(500) {
                self.register_trade(at, slot);
            }
            (self.soon(at, 60, 900), Step::AskAcceptance)
        };
        lot.step = step;
        let lot = self.lots.keep(lot);
        self.agenda.add(when, What::Lot(lot));
    }

    /// MST.TBK: the contract and invoice behind a bill.
    fn register_trade(&mut self, at: i64, slot: u32) {
        let live = self.bills.get(slot);
        let (serial, face) = (live.bill.serial, live.bill.face_fen);
        let (drawer, payee, whole, id) = (live.bill.drawer, live.bill.payee, live.bill.whole(), live.bill.id);
        let goods = format!("G{:02}", 1 + serial % 36);
        let mut fact = self
            .registry
            .draft(behaviour::MST_TBK, at)
            .from(drawer)
            .value(Field::DrawerId, Value::Party(drawer.id))
            .value(Field::PayeeId, Value::Party(payee.id))
            .text(Field::ContractNo, format!("HT{serial}"))
            .code(Field::ContractType, "CT01")
            .int(Field::ContractFen, face + face / 4)
            .text(Field::InvoiceNo, format!("FP{serial}"))
            .code(Field::InvoiceType, "IV03")
            .int(Field::InvoiceFen, face + face / 10)
            .code(Field::GoodsCategory, &goods)
            .done();
        fact.bill_id = Some(id);
        fact.range = whole;
        self.out.push(fact);
    }

    /// A face that the drawer can carry, in whole 100 CNY; `None` when it has drawn all it can.
    fn face(&mut self, kind: Kind, drawer: usize) -> Option<i64> {
        let company = &self.world.enterprises[drawer];
        // Issuance stays below 4.5 times the registered capital, one bill below twice (P053 looks at 5).
        let room = (company.capital_fen / 2 * 9 - company.outstanding_fen).min(company.capital_fen * 2);
        let most = room.min(GREATEST_FACE);
        let (mean, deviation) = match kind {
            Kind::Bank => (12.08, 1.6),
            Kind::Commercial => (11.8, 1.9),
            Kind::Finance => (11.93, 1.6),
        };
        for _ in 0..4 {
            let cny = (mean + deviation * self.dice.normal()).exp();
            let face = (cny / 100.0) as i64 * 10_000;
            if (10_000..=most).contains(&face) {
                return Some(face);
            }
        }
        (most >= 1_000_000).then_some(1_000_000 + self.dice.below(99) as i64 * 10_000)
    }

    fn tenor(&mut self) -> i32 {
        match self.dice.below(100) {
            0..90 => 181 + self.dice.below(4) as i32,
            90..96 => 90 + self.dice.below(3) as i32,
            96..98 => 60,
            98 => 30,
            // A bill of less than a week has no time for the life that is drawn here.
            _ => 7 + self.dice.below(174) as i32,
        }
    }

    fn ask_acceptance(&mut self, at: i64, lot: &mut Lot) -> Next {
        let live = self.bills.get(lot.bill);
        let fact = live.bill.ask_acceptance(at);
        lot.request = fact.event_id;
        self.out.push(fact);
        Some((self.soon(at, 60, 3_000), Step::AnswerAcceptance))
    }

    fn answer_acceptance(&mut self, at: i64, lot: &mut Lot) -> Next {
        let ticket = self.dice.below(1_000);
        let live = self.bills.get(lot.bill);
        let (drawer, acceptor, whole) = (live.bill.drawer, live.bill.acceptor, live.bill.whole());
        if ticket < 10 {
            let fact = live.bill.refuse(behaviour::ACC_REJ, at, whole, acceptor, drawer, lot.request, "RJ06");
            self.out.push(fact);
            let step = if ticket < 5 { Step::Revoke } else { Step::AskAcceptance };
            return Some((self.soon(at, 60, 900), step));
        }
        if ticket < 17 {
            let fact = live.bill.withdraw(behaviour::ACC_WDR, at, whole, drawer, acceptor, lot.request);
            self.out.push(fact);
            return Some((self.soon(at, 60, 600), Step::AskAcceptance));
        }
        // One margin ratio for all banks: a bank with another mix would be an outlier among its peers.
        let margin = if live.bill.kind == Kind::Commercial { 0 } else { live.bill.face_fen / 10 * 3 };
        let fact = live.bill.accept(at, lot.request, margin);
        let (kind, drawer, face) = (live.bill.kind, live.drawer, live.bill.face_fen);
        if kind != Kind::Bank {
            live.users += 1;
        }
        self.out.push(fact);
        self.world.enterprises[drawer].outstanding_fen += face;
        if kind != Kind::Bank {
            let when = self.soon(at, 60, 1_800);
            self.agenda.add(when, What::Disclose(lot.bill));
        }
        Some((self.soon(at, 60, 1_200), Step::AskReceipt))
    }

    fn ask_receipt(&mut self, at: i64, lot: &mut Lot) -> Next {
        let fact = self.bills.get(lot.bill).bill.ask_receipt(at);
        lot.request = fact.event_id;
        self.out.push(fact);
        Some((self.soon(at, 60, 5_400), Step::AnswerReceipt))
    }

    fn answer_receipt(&mut self, at: i64, lot: &mut Lot) -> Next {
        let ticket = self.dice.below(1_000);
        let live = self.bills.get(lot.bill);
        let (drawer, payee, whole) = (live.bill.drawer, live.bill.payee, live.bill.whole());
        if ticket < 6 {
            let fact = live.bill.refuse(behaviour::RCV_REJ, at, whole, payee, drawer, lot.request, "RJ01");
            let (drawer, face) = (live.drawer, live.bill.face_fen);
            self.world.enterprises[drawer].outstanding_fen -= face;
            self.out.push(fact);
            return Some((self.soon(at, 60, 900), Step::Revoke));
        }
        if ticket < 12 {
            let fact = live.bill.withdraw(behaviour::RCV_WDR, at, whole, drawer, payee, lot.request);
            self.out.push(fact);
            return Some((self.soon(at, 60, 600), Step::AskReceipt));
        }
        let fact = live.bill.receive(at, lot.request);
        let payee = live.payee;
        self.out.push(fact);
        lot.move_to(payee);
        self.draw_plan(at, lot);
        self.plan(at, lot)
    }

    /// What this lot wants to do in its life.
    fn draw_plan(&mut self, at: i64, lot: &mut Lot) {
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
        if lot.holder.institution().is_some() {
            if lot.trades == 0 {
                return mature;
            }
            // At least one day between sales: four in a day would be a relay.
            let gap = 1 + self.dice.exponential(12.0) as i32;
            let day = self.calendar.roll(today.plus(gap));
            return if day <= last { Some((self.trading_time(day), Step::Quote)) } else { mature };
        }
        if lot.extra.is_some() {
            let day = self.calendar.roll(today.plus(1 + self.dice.exponential(6.0) as i32));
            if day.plus(10) <= last {
                return Some((self.office_time(day), Step::BeginExtra));
            }
            lot.extra = None;
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

    fn revoke(&mut self, at: i64, lot: &Lot) -> Next {
        let live = self.bills.get(lot.bill);
        let (drawer, acceptor, whole) = (live.bill.drawer, live.bill.acceptor, live.bill.whole());
        let fact = live.bill.ask(behaviour::ISS_RVK, at, whole, drawer, acceptor);
        self.out.push(fact);
        None
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
