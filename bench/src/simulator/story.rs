//! A labelled case being told: its own parties, its facts at their times, and the label at the end.
//!
//! A [`Story`] has a clock. Verbs write facts at the clock and move it on by minutes; [`Story::on`] moves it to a day.
//! The verbs act on the whole of a bill, but for `*_part`. Facts are handed to the simulator in any order and sent at their time. Parties are registered shortly before the
//! case begins and belong to it alone, so that cases cannot disturb each other or normal trade.

use std::collections::BTreeMap;

use billwatch_market::fact::{EventId, Fact, Field, Range, Source, behaviour};
use billwatch_market::ids::{Day, InstId, PartyId};

use super::deals::{Deal, Discount};
use super::draft::Party;
use super::label::Label;
use super::life::{Bill, Kind};
use super::reference::Registration;
use super::trade::Trade;
use super::world::{bank_no, member};

/// First enterprise number of cases; normal trade counts from 1.
const FIRST_COMPANY: u64 = 5_000_000_001;
/// First legal code of cases.
const FIRST_MEMBER: u32 = 600_001;
/// Fen of 1 CNY.
pub const CNY: i64 = 100;
/// Fen of a million CNY.
pub const MILLION: i64 = 1_000_000 * CNY;
/// Face from which a bill moves the shares of a bank of normal trade, fen.
const LARGE_FACE: i64 = 100 * MILLION;
/// Rate of deals whose price is not the point, percent times 10^4.
pub const FAIR_RATE: i64 = 12_000;

const MINUTE: i64 = 60_000;

/// What the case goes on with on a later day, when the market of that day is known (its curve).
pub type Sequel = Box<dyn FnOnce(&mut Story) + Send>;

/// Numbers given to parties of cases, and what several cases stand before.
#[derive(Default)]
pub struct Cast {
    companies: u64,
    members: u32,
    /// `institution_type` of each member, by legal code: a part of the bank number in the numbers of its customers' bills.
    types: BTreeMap<u32, u16>,
    /// Day on which the first case began.
    first_begin: Option<Day>,
    /// What is told once for several cases, by pattern and number.
    shared: BTreeMap<(&'static str, i32), Shared>,
}

/// What is told once for several cases: its parties, and its facts about bills.
struct Shared {
    parties: Vec<Party>,
    told: Vec<EventId>,
}

impl Cast {
    /// Numbers for rare business: apart from those of labelled cases, which count from the first.
    pub fn of_rarities() -> Self {
        Cast { companies: 1_000_000_000, members: 100_000, ..Cast::default() }
    }

    /// Numbers for the published fraud cases.
    pub fn of_published_cases() -> Self {
        Cast { companies: 2_000_000_000, members: 200_000, ..Cast::default() }
    }
}

/// One case being told.
pub struct Story<'a> {
    /// Which of the like cases this is, from 0.
    pub variant: usize,
    /// The label that the case makes.
    pub positive: bool,
    /// Day on which the case begins.
    pub begin: Day,
    /// The market around it: calendar, curve, bill numbers.
    pub trade: &'a mut Trade,
    cast: &'a mut Cast,
    /// Such as `P013`.
    pub pattern: &'static str,
    now: i64,
    large_bank: Option<Party>,
    /// Facts told so far.
    pub facts: Vec<Fact>,
    /// Facts that are sent later than they happened, each with the instant, ms.
    pub belated: Vec<(i64, Fact)>,
    /// Facts told on earlier days of the same case, or by another for this one too.
    pub before: Vec<EventId>,
    /// Labels made.
    pub labels: Vec<Label>,
    /// What follows on later days.
    pub sequels: Vec<(Day, Sequel)>,
}

impl<'a> Story<'a> {
    /// A case that begins on this day.
    pub fn new(
        pattern: &'static str,
        positive: bool,
        variant: usize,
        begin: Day,
        trade: &'a mut Trade,
        cast: &'a mut Cast,
    ) -> Self {
        cast.first_begin.get_or_insert(begin);
        let mut story = Story {
            variant,
            positive,
            begin,
            trade,
            cast,
            pattern,
            now: 0,
            large_bank: None,
            facts: Vec::new(),
            belated: Vec::new(),
            before: Vec::new(),
            labels: Vec::new(),
            sequels: Vec::new(),
        };
        story.on(begin);
        story
    }

    /// The value of a positive, or that of a near miss.
    pub fn either<T>(&self, positive: T, near_miss: T) -> T {
        if self.positive { positive } else { near_miss }
    }

    /// Moves the clock to 10:00 of a day.
    pub fn on(&mut self, day: Day) {
        self.now = day.start_ms() + 10 * 60 * MINUTE;
    }

    /// Moves the clock on.
    pub fn wait(&mut self, minutes: i64) {
        self.now += minutes * MINUTE;
    }

    /// The clock, ms.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The clock's day.
    pub fn today(&self) -> Day {
        Day::of_time(self.now)
    }

    /// Sets the clock, ms.
    pub fn at(&mut self, now: i64) {
        self.now = now;
    }

    /// What several cases of this pattern stand before, such as the peers of a group: the first that asks for it tells it,
    /// all get its parties, and its facts belong to the labels of all.
    pub fn shared(&mut self, number: i32, tell: impl FnOnce(&mut Story) -> Vec<Party>) -> Vec<Party> {
        let key = (self.pattern, number);
        if let Some(shared) = self.cast.shared.get(&key) {
            self.before.extend(&shared.told);
            return shared.parties.clone();
        }
        let from = self.facts.len();
        let parties = tell(self);
        let told = self.facts[from..].iter().filter(|fact| fact.bill_id.is_some()).map(|fact| fact.event_id).collect();
        self.cast.shared.insert(key, Shared { parties: parties.clone(), told });
        parties
    }

    /// First day of the n-th calendar month, from 0, of those that begin after all cases of the first round have begun.
    pub fn month(&self, nth: i32) -> Day {
        let first = self.cast.first_begin.unwrap_or(self.begin);
        first.plus(20).month_start().add_months(1 + nth)
    }

    /// Tells a fact that happened at the clock and is sent at another instant, ms.
    pub fn put_belated(&mut self, sent: i64, mut fact: Fact) -> EventId {
        let id = fact.event_id;
        fact.stamp.ingest_time = sent;
        self.belated.push((sent, fact));
        id
    }

    /// The n-th business day after a day.
    pub fn business_day(&self, day: Day, count: u32) -> Day {
        self.trade.calendar.after(day, count)
    }

    /// The first business day from `from` on that has another one exactly `apart` days later: the edges of a window.
    pub fn days_apart(&self, from: Day, apart: i32) -> (Day, Day) {
        let calendar = &self.trade.calendar;
        let mut first = calendar.roll(from);
        while !calendar.is_business_day(first.plus(apart)) {
            first = calendar.after(first, 1);
        }
        (first, first.plus(apart))
    }

    /// Tells a fact; its identity.
    pub fn put(&mut self, fact: Fact) -> EventId {
        let id = fact.event_id;
        self.facts.push(fact);
        id
    }

    /// Goes on on a later business day.
    pub fn later(&mut self, day: Day, sequel: impl FnOnce(&mut Story) + Send + 'static) {
        self.sequels.push((day, Box::new(sequel)));
    }

    /// Says what must (not) be alerted: this key, on this day.
    pub fn label(&mut self, key: impl ToString, biz_date: Day, note: &'static str) {
        let told = self.facts.iter().filter(|fact| fact.bill_id.is_some()).map(|fact| fact.event_id);
        let event_ids = self.before.iter().copied().chain(told).collect();
        self.labels.push(Label {
            pattern: self.pattern,
            positive: self.positive,
            key: key.to_string(),
            biz_date,
            event_ids,
            note,
        });
    }

    /// [`Story::label`] of a case that has its point in a reference fact.
    pub fn label_reference(&mut self, key: impl ToString, biz_date: Day, reference: EventId, note: &'static str) {
        self.label(key, biz_date, note);
        if let Some(label) = self.labels.last_mut() {
            label.event_ids.push(reference);
        }
    }

    /// A registered company with nothing remarkable about it.
    pub fn company(&mut self) -> Party {
        self.company_with(|_| {})
    }

    /// A registered company with some attributes of its own.
    pub fn company_with(&mut self, change: impl FnOnce(&mut Registration)) -> Party {
        let number = FIRST_COMPANY + self.cast.companies;
        self.cast.companies += 1;
        let banks = self.trade.world.institutions.len();
        let bank = self.trade.world.head_office(number as usize % (banks / 2));
        let inst = self.trade.world.party(bank).inst;
        let party = Party { id: PartyId::enterprise(number), inst };
        let mut registration = Registration::plain(party);
        registration.capital_fen = 1_000 * MILLION;
        registration.paid_fen = registration.capital_fen;
        change(&mut registration);
        let at = self.reference_time();
        let fact = self.trade.registry.enterprise(at, &registration);
        self.put(fact);
        let fact = self.trade.registry.account(at + 1, party, registration.registered.plus(40));
        self.put(fact);
        party
    }

    /// A member of its own, with this type, a branch and a trader, and total assets far above what it accepts.
    pub fn member(&mut self, inst_type: u16) -> Party {
        self.member_in(inst_type, "310000", None, 100_000 * MILLION)
    }

    /// A member in a province, of a group, with these total assets.
    pub fn member_in(
        &mut self,
        inst_type: u16,
        province: &str,
        group: Option<PartyId>,
        total_assets_fen: i64,
    ) -> Party {
        let legal = FIRST_MEMBER + self.cast.members;
        self.cast.members += 1;
        self.cast.types.insert(legal, inst_type);
        let party = member(legal, 1);
        let at = self.reference_time();
        let registry = &mut self.trade.registry;
        let branch = registry.institution(at, party, inst_type, province, group);
        let sheet = registry.balance_sheet(at + 1, party, self.begin.month_start().plus(-1), total_assets_fen);
        let trader = registry.trader(at + 2, party);
        self.facts.extend([branch, sheet, trader]);
        party
    }

    /// The n-th bank of normal trade, for cases in which the bank is not the point.
    pub fn house_bank(&self, nth: usize) -> Party {
        let banks = self.trade.world.institutions.len() / 2;
        self.trade.world.party(self.trade.world.head_office(nth % banks))
    }

    /// Who accepts a bill of this face where the bank is not the point: the n-th bank of normal trade, or for a large one a bank
    /// of the case's own. A few such bills would be most of what a bank of normal trade has accepted (P106, P109, P112).
    pub fn acceptor_of(&mut self, face_fen: i64, nth: usize) -> Party {
        if face_fen < LARGE_FACE {
            return self.house_bank(nth);
        }
        let own = self.large_bank.unwrap_or_else(|| self.member(203));
        self.large_bank = Some(own);
        own
    }

    /// 12-digit bank number of a party's account bank, or of a bank's branch, as it is registered.
    pub fn bank_no_of(&self, party: Party) -> u64 {
        let inst = party.inst.unwrap_or(InstId(0));
        match self.cast.types.get(&(inst.0 / 1_000)) {
            Some(inst_type) => bank_no(*inst_type, inst),
            None => self.trade.world.bank_no_at(inst),
        }
    }

    /// Reference data of a case come in the first minutes of its first day.
    pub fn reference_time(&self) -> i64 {
        self.begin.start_ms() + MINUTE
    }

    /// Net assets of a company.
    pub fn net_assets(&mut self, company: Party, net_assets_fen: i64) {
        let at = self.reference_time();
        let statement = self.begin.month_start().plus(-1);
        let fact = self.trade.registry.financials(at + 5, company, statement, net_assets_fen);
        self.put(fact);
    }

    /// A bill with these parties and face, due after `tenor` days and at most after six months; no fact yet.
    pub fn bill(&mut self, kind: Kind, face_fen: i64, parties: (Party, Party, Party), tenor: i32) -> Bill {
        let issue = self.today();
        let due = issue.plus(tenor).min(issue.add_months(6));
        self.bill_due(kind, face_fen, parties, due)
    }

    /// A bill due on this day, whatever the law says.
    pub fn bill_due(&mut self, kind: Kind, face_fen: i64, parties: (Party, Party, Party), due: Day) -> Bill {
        let issue = self.today();
        let (serial, _) = self.trade.next_bill_numbers();
        let due_adjusted = self.trade.calendar.roll(due);
        let bank_no = self.bank_no_of(parties.0);
        let days = (issue, due, due_adjusted);
        // A case gives numbers for days ahead: the upper half of a day's numbers is kept for cases.
        let of_day = 50_000_000 + serial % 50_000_000;
        Bill::new(serial, kind, Source::Ngbs, true, face_fen, days, parties, bank_no, of_day)
    }

    /// ISS.REG, ACC.REQ, ACC.SGN, and the disclosure of a bill that is not accepted by a bank; the acceptance.
    pub fn accepted(&mut self, bill: &mut Bill) -> EventId {
        let margin = if bill.kind == Kind::Commercial { 0 } else { bill.face_fen / 10 * 3 };
        self.accepted_with(bill, margin)
    }

    /// [`Story::accepted`] with this margin.
    pub fn accepted_with(&mut self, bill: &mut Bill, margin_fen: i64) -> EventId {
        let request = self.issued(bill);
        self.signed(bill, request, margin_fen, true)
    }

    /// ISS.REG and ACC.REQ; the request.
    pub fn issued(&mut self, bill: &mut Bill) -> EventId {
        let fact = bill.issue(self.now);
        self.put(fact);
        self.wait(1);
        let fact = bill.ask_acceptance(self.now);
        self.put(fact)
    }

    /// ACC.SGN, and DIS.BIL of a bill that is not accepted by a bank when `disclosed`.
    pub fn signed(&mut self, bill: &mut Bill, request: EventId, margin_fen: i64, disclosed: bool) -> EventId {
        self.wait(1);
        let fact = bill.accept(self.now, request, margin_fen);
        let acceptance = self.put(fact);
        if disclosed && bill.kind != Kind::Bank {
            let fact = bill.disclose(self.now + MINUTE / 2);
            self.put(fact);
        }
        acceptance
    }

    /// From ISS.REG to RCV.SGN.
    pub fn received(&mut self, bill: &mut Bill) {
        self.accepted(bill);
        self.taken(bill);
    }

    /// RCV.REQ and RCV.SGN.
    pub fn taken(&mut self, bill: &mut Bill) {
        self.wait(1);
        let fact = bill.ask_receipt(self.now);
        let request = self.put(fact);
        self.wait(1);
        let fact = bill.receive(self.now, request);
        self.put(fact);
        self.wait(1);
    }

    /// END.REQ and END.SGN.
    pub fn endorse(&mut self, bill: &mut Bill, from: Party, to: Party) {
        let range = bill.whole();
        let fact = bill.ask(behaviour::END_REQ, self.now, range, from, to);
        let request = self.put(fact);
        self.wait(1);
        let fact = bill.agree(behaviour::END_SGN, self.now, range, to, from, request);
        self.put(fact);
        self.wait(1);
    }

    /// END.REQ and END.SGN of a part.
    pub fn endorse_part(&mut self, bill: &mut Bill, range: Range, from: Party, to: Party) {
        let fact = bill.ask(behaviour::END_REQ, self.now, range, from, to);
        let request = self.put(fact);
        let fact = bill.agree(behaviour::END_SGN, self.now + 1_000, range, to, from, request);
        self.put(fact);
        self.now += 2_000;
    }

    /// DSC.REQ, DSC.SGN and DSC.SET of a part.
    pub fn discount_part(&mut self, bill: &mut Bill, range: Range, from: Party, bank: Party, rate_e4: i64) {
        let terms = Discount::priced(bill, range, from, bank, rate_e4, self.today());
        let fact = bill.ask_discount(self.now, &terms);
        let request = self.put(fact);
        let fact = bill.agree_discount(self.now + 1_000, request, &terms);
        self.put(fact);
        let fact = bill.settle_discount(self.now + 2_000, request, &terms);
        self.put(fact);
        self.now += 3_000;
    }

    /// RPO.QTE, RPO.QAC, RPO.DEL and RPO.SET at a rate; the deal and its first leg.
    pub fn repo(&mut self, bill: &mut Bill, sides: (Party, Party), rate_e4: i64, days: i64) -> (Deal, EventId) {
        self.trade.deals += 1;
        let first = bill.face_fen / 10 * 9;
        let deal = Deal::repo(self.trade.deals, bill.whole(), sides, rate_e4, first, days, self.today());
        let fact = bill.quote(behaviour::RPO_QTE, self.now, &deal);
        let request = self.put(fact);
        self.wait(1);
        let fact = bill.accept_quote(behaviour::RPO_QAC, self.now, request, &deal);
        self.put(fact);
        self.wait(1);
        let fact = bill.strike(behaviour::RPO_DEL, self.now, request, &deal);
        self.put(fact);
        self.wait(1);
        let fact = bill.settle(behaviour::RPO_SET, self.now, request, &deal);
        let first_leg = self.put(fact);
        self.wait(1);
        (deal, first_leg)
    }

    /// RPO.RED on the agreed day.
    pub fn redeemed(&mut self, bill: &mut Bill, deal: &Deal, first_leg: EventId) {
        self.on(deal.redeem());
        let fact = bill.redeem(behaviour::RPO_RED, self.now, first_leg, deal);
        self.put(fact);
        self.wait(1);
    }

    /// ISS.REG, a guarantee for the drawer (GUD.REQ, GUD.SGN), ACC.REQ and ACC.SGN.
    pub fn guaranteed(&mut self, bill: &mut Bill, guarantor: Party) {
        let fact = bill.issue(self.now);
        self.put(fact);
        self.wait(1);
        let (range, drawer) = (bill.whole(), bill.drawer);
        let fact = bill.ask(behaviour::GUD_REQ, self.now, range, drawer, guarantor);
        let request = self.put(fact);
        self.wait(1);
        let fact = bill.agree(behaviour::GUD_SGN, self.now, range, guarantor, drawer, request);
        self.put(fact);
        self.wait(1);
        let fact = bill.ask_acceptance(self.now);
        let request = self.put(fact);
        self.signed(bill, request, bill.face_fen / 10 * 3, true);
    }

    /// DSC.REQ, DSC.SGN and DSC.SET; the settlement.
    pub fn discount(&mut self, bill: &mut Bill, from: Party, bank: Party, rate_e4: i64) -> EventId {
        let range = bill.whole();
        let terms = Discount::priced(bill, range, from, bank, rate_e4, self.today());
        let fact = bill.ask_discount(self.now, &terms);
        let request = self.put(fact);
        self.wait(1);
        let fact = bill.agree_discount(self.now, request, &terms);
        self.put(fact);
        self.wait(1);
        let fact = bill.settle_discount(self.now, request, &terms);
        let settled = self.put(fact);
        self.wait(1);
        settled
    }

    /// An outright deal for this day, not yet told.
    pub fn deal(&mut self, bill: &Bill, seller: Party, buyer: Party, rate_e4: i64) -> Deal {
        self.trade.deals += 1;
        Deal::outright(self.trade.deals, bill, bill.whole(), (seller, buyer), rate_e4, self.today())
    }

    /// IBT.QTE, IBT.QAC, IBT.DEL and IBT.SET.
    pub fn sell(&mut self, bill: &mut Bill, deal: &Deal) {
        let request = self.struck(bill, deal);
        let fact = bill.settle(behaviour::IBT_SET, self.now, request, deal);
        self.put(fact);
        self.wait(1);
    }

    /// IBT.QTE, IBT.QAC and IBT.DEL; the quote.
    pub fn struck(&mut self, bill: &mut Bill, deal: &Deal) -> EventId {
        let fact = bill.quote(behaviour::IBT_QTE, self.now, deal);
        let request = self.put(fact);
        self.wait(1);
        let fact = bill.accept_quote(behaviour::IBT_QAC, self.now, request, deal);
        self.put(fact);
        self.wait(1);
        let fact = bill.strike(behaviour::IBT_DEL, self.now, request, deal);
        self.put(fact);
        self.wait(1);
        request
    }

    /// PAY.MAT at the due date and PAY.REQ on the same day, even when that is no business day; the presentation.
    pub fn presented(&mut self, bill: &mut Bill, holder: Party) -> EventId {
        let range = bill.whole();
        let fact = bill.mature(range, holder);
        self.put(fact);
        self.on(bill.due_adjusted);
        let fact = bill.present(self.now, range, holder);
        let presentation = self.put(fact);
        self.wait(5);
        presentation
    }

    /// PAY.SGN and PAY.SET of an open presentation.
    pub fn honoured(&mut self, bill: &mut Bill, holder: Party, presentation: EventId) {
        let range = bill.whole();
        let fact = bill.agree_payment(self.now, range, holder, presentation);
        self.put(fact);
        self.wait(1);
        let fact = bill.pay(self.now, range, holder, presentation);
        self.put(fact);
        self.wait(1);
    }

    /// The bill is presented and paid at its due date.
    pub fn paid(&mut self, bill: &mut Bill, holder: Party) {
        let presentation = self.presented(bill, holder);
        self.honoured(bill, holder, presentation);
    }

    /// ACC.CNL: the accepted bill was never received; it ends at its due date.
    pub fn unused(&mut self, bill: &mut Bill) {
        let at = bill.due.start_ms();
        let (whole, acceptor) = (bill.whole(), bill.acceptor);
        let fact = bill
            .act_in(bill.source, behaviour::ACC_CNL, at, whole, Party::SYSTEM, acceptor)
            .code(Field::NoticeKind, "NT06")
            .done();
        self.put(fact);
    }
}
