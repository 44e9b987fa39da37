//! How a rare life is told: any behaviour of the catalogue by its name, complete by `payloads.csv`.
//!
//! A [`Teller`] has a story, one bill and what is open on it: the request that answers refer to, the deal whose terms lines
//! repeat. [`Teller::tell`] writes a fact of any behaviour and adds every field that the table marks as mandatory and the
//! caller did not give, from the bill, the deal and [`Teller::usual`].

use billwatch_market::catalogue::Catalogue;
use billwatch_market::fact::{Behaviour, EventId, Field, Range, Source, Value};
use billwatch_market::ids::{Code, Day};

use crate::simulator::deals::{Deal, trader};
use crate::simulator::draft::{Draft, Party};
use crate::simulator::life::{Bill, Kind};
use crate::simulator::price;
use crate::simulator::story::{CNY, Story};

/// Face of a rare bill, fen: small, so that it moves nobody's shares.
const FACE: i64 = 100_000 * CNY;

/// One rare life being told.
pub struct Teller<'s, 'a> {
    /// Clock, parties, common verbs.
    pub story: &'s mut Story<'a>,
    /// The bill; replaced by those of [`Teller::issue_of`].
    pub bill: Bill,
    /// What the lines are about: the whole bill unless a part was named.
    pub range: Range,
    open: EventId,
    deal: Option<Deal>,
}

impl<'s, 'a> Teller<'s, 'a> {
    /// A bank bill of two companies that is due in four months; no fact of it yet.
    pub fn new(story: &'s mut Story<'a>) -> Self {
        // The banks take turns: none of them is moved by rare business.
        let bank = story.house_bank(story.begin.0 as usize * 7 + story.variant);
        let parties = (story.company(), bank, story.company());
        let bill = story.bill(Kind::Bank, FACE, parties, 120);
        Teller { range: bill.whole(), bill, story, open: 0, deal: None }
    }

    /// Begins the bill anew in another system of record; the old system and paper know no ranges.
    pub fn issue_of(&mut self, source: Source, (drawer, acceptor, payee): (Party, Party, Party)) {
        let days = (self.bill.issue, self.bill.due, self.bill.due_adjusted);
        let (serial, _) = self.story.trade.next_bill_numbers();
        let bank_no = self.story.bank_no_of(drawer);
        let divisible = source == Source::Scbp;
        let of_day = 50_000_000 + serial % 50_000_000;
        let parties = (drawer, acceptor, payee);
        self.bill = Bill::new(serial, Kind::Bank, source, divisible, FACE, days, parties, bank_no, of_day);
        self.range = self.bill.whole();
    }

    /// Another bank, by number, than the acceptor.
    pub fn bank(&self, nth: usize) -> Party {
        let first = self.story.begin.0 as usize * 7 + self.story.variant + 1;
        let banks = (first + nth..).map(|number| self.story.house_bank(number));
        banks.into_iter().find(|bank| bank.id != self.bill.acceptor.id).expect("a market has several banks")
    }

    /// Issued, accepted, received: the payee holds it.
    pub fn received(&mut self) {
        self.story.received(&mut self.bill);
        self.next_day();
    }

    /// And discounted the day after: this bank holds it.
    pub fn discounted(&mut self) -> Party {
        self.received();
        let (payee, bank) = (self.bill.payee, self.bank(0));
        let rate = self.fair_rate();
        self.story.discount(&mut self.bill, payee, bank, rate);
        self.next_day();
        bank
    }

    /// 10:00 of the next business day.
    pub fn next_day(&mut self) {
        let next = self.story.business_day(self.story.today(), 1);
        self.story.on(next);
    }

    /// Presented on the due date and paid.
    pub fn paid(&mut self, holder: Party) {
        self.story.paid(&mut self.bill, holder);
    }

    /// The curve's own rate for the rest of the bill's life.
    pub fn fair_rate(&self) -> i64 {
        let days = i64::from(self.bill.due_adjusted.0 - self.story.today().0);
        let world = &self.story.trade.world;
        let acceptor = (0..world.institutions.len()).map(|place| world.head_office(place));
        let acceptor = acceptor.into_iter().find(|who| world.party(*who).id == self.bill.acceptor.id);
        self.story.trade.curve.rate(acceptor.map_or(3, |who| world.price_class(who)), days)
    }

    /// An outright deal of the bill on this day.
    pub fn outright(&mut self, seller: Party, buyer: Party) -> Deal {
        let rate = self.fair_rate();
        let deal = self.story.deal(&self.bill, seller, buyer, rate);
        self.deal = Some(deal);
        deal
    }

    /// A repo of the bill from this day on, for about a week.
    pub fn repo(&mut self, seller: Party, buyer: Party) -> Deal {
        self.story.trade.deals += 1;
        let today = self.story.today();
        let days = i64::from(self.story.trade.calendar.roll(today.plus(7)).0 - today.0);
        let first = self.bill.face_fen / 100 * 95;
        let deal = Deal::repo(self.story.trade.deals, self.range, (seller, buyer), 16_000, first, days, today);
        self.deal = Some(deal);
        deal
    }

    /// A quote of the open deal.
    pub fn quote(&mut self, behaviour: Behaviour) {
        let deal = self.deal.expect("a deal was named");
        let fact = self.bill.quote(behaviour, self.story.now(), &deal);
        self.open = self.story.put(fact);
        self.story.wait(1);
    }

    /// The yes to it.
    pub fn accept(&mut self, behaviour: Behaviour) {
        let deal = self.deal.expect("a deal was named");
        let fact = self.bill.accept_quote(behaviour, self.story.now(), self.open, &deal);
        self.story.put(fact);
        self.story.wait(1);
    }

    /// The deal.
    pub fn strike(&mut self, behaviour: Behaviour) {
        let deal = self.deal.expect("a deal was named");
        let fact = self.bill.strike(behaviour, self.story.now(), self.open, &deal);
        self.story.put(fact);
        self.story.wait(1);
    }

    /// Its (first) settlement, which later legs refer to.
    pub fn settle(&mut self, behaviour: Behaviour) {
        let deal = self.deal.expect("a deal was named");
        let fact = self.bill.settle(behaviour, self.story.now(), self.open, &deal);
        self.open = self.story.put(fact);
        self.story.wait(1);
    }

    /// Its second leg, with nothing remarkable about it.
    pub fn redeem(&mut self, behaviour: Behaviour) {
        let deal = self.deal.expect("a deal was named");
        let fact = self.bill.redeem(behaviour, self.story.now(), self.open, &deal);
        self.story.put(fact);
        self.story.wait(1);
    }

    /// A request: the answers that follow refer to it.
    pub fn ask(&mut self, behaviour: Behaviour, from: Party, to: Party) -> EventId {
        self.open = self.tell(behaviour, from, to);
        self.open
    }

    /// Any other fact.
    pub fn tell(&mut self, behaviour: Behaviour, from: Party, to: Party) -> EventId {
        self.tell_with(behaviour, from, to, |draft| draft)
    }

    /// [`Teller::ask`] with fields of its own.
    pub fn ask_with(&mut self, code: Behaviour, from: Party, to: Party, add: impl FnOnce(Draft) -> Draft) -> EventId {
        self.open = self.tell_with(code, from, to, add);
        self.open
    }

    /// A request that its sender withdraws, and once more, which the other side refuses: request, withdrawal, refusal.
    pub fn ask_in_vain(&mut self, [request, withdrawal, refusal]: [Behaviour; 3], from: Party, to: Party) {
        self.ask(request, from, to);
        self.tell(withdrawal, from, to);
        self.ask(request, from, to);
        self.tell(refusal, to, from);
    }

    /// [`Teller::tell`] with fields of its own; the usual values fill what is still missing. Then a minute passes.
    pub fn tell_with(&mut self, code: Behaviour, from: Party, to: Party, add: impl FnOnce(Draft) -> Draft) -> EventId {
        let draft = if is_about_a_bill(code) {
            self.bill.act_in(source_of(code, self.bill.source), code, self.story.now(), self.range, from, to)
        } else {
            let event = self.story.trade.registry.next_event();
            let draft = Draft::new(code, self.story.now(), source_of(code, self.bill.source), event);
            draft.from(from).to(to)
        };
        let draft = add(draft);
        let fact = draft.completed(&Catalogue::embedded(), |field| self.usual(code, field));
        let id = self.story.put(fact);
        self.story.wait(1);
        id
    }

    /// What a field says in an unremarkable fact.
    fn usual(&self, code: Behaviour, field: Field) -> Option<Value> {
        let amount = self.bill.amount(self.range);
        let code_of = |code: &str| Some(Value::Code(Code::of(code)));
        let text = |text: Box<str>| Some(Value::Text(text));
        let suffix = code.code().rsplit('.').next().unwrap_or_default();
        let sides = self.deal.map(|deal| (deal.seller, deal.buyer));
        match field {
            Field::RefEventId => Some(Value::Id(self.open.into())),
            Field::AmountFen
            | Field::FaceFen
            | Field::GuaranteeFen
            | Field::EnhanceFen
            | Field::SecuredFen
            | Field::ClaimFen
            | Field::PaidFen
            | Field::CashFen
            | Field::LimitFen
            | Field::OverdueBalFen => Some(Value::Int(amount)),
            Field::RateE4 => Some(Value::Int(self.deal.map_or_else(|| self.fair_rate(), |deal| deal.rate_e4))),
            Field::RepoDays => self.deal.map(|deal| Value::Int(deal.repo_days)),
            Field::FirstFen | Field::SettleFen => self.deal.map(|deal| Value::Int(deal.cash_fen)),
            Field::RedeemFen => Some(Value::Int(match &self.deal {
                Some(deal) => deal.redeem_fen,
                None => price::redemption(amount, self.fair_rate(), 10),
            })),
            Field::InterestFen | Field::PayFen => {
                let days = i64::from(self.bill.due_adjusted.0 - self.story.today().0);
                let (interest, pay) = price::discount(amount, self.fair_rate(), days);
                Some(Value::Int(if field == Field::PayFen { pay } else { interest }))
            }
            Field::DealId => {
                text(self.deal.map_or_else(|| format!("DM{:010}", self.bill.serial).into(), |deal| deal.id()))
            }
            Field::SellerId => sides.map(|(seller, _)| Value::Party(seller.id)),
            Field::SellerInst => sides.and_then(|(seller, _)| seller.inst.map(Value::Inst)),
            Field::BuyerId => sides.map(|(_, buyer)| Value::Party(buyer.id)),
            Field::BuyerInst => sides.and_then(|(_, buyer)| buyer.inst.map(Value::Inst)),
            Field::TraderId => sides.map(|(seller, _)| Value::Text(trader(seller))),
            Field::AnswerCode => code_of("SU00"),
            Field::RejectReason => code_of("RJ07"),
            Field::NoticeKind => code_of(if suffix == "CNL" { "NT06" } else { "NT07" }),
            Field::SettlementResult => code_of(if matches!(suffix, "FLD" | "RDF") { "FAIL_CASH" } else { "OK" }),
            Field::RediscountPurpose => code_of("RP02"),
            Field::DiscountType => code_of("RM01"),
            Field::SettlementMethod => code_of("DVP"),
            Field::PeriodMonth => {
                let (year, month, _) = self.story.begin.month_start().plus(-1).ymd();
                text(format!("{year:04}-{month:02}").into())
            }
            _ => None,
        }
    }

    /// 10:00 of the due date, or of the business day after it.
    pub fn on_due_date(&mut self) {
        self.story.on(self.bill.due_adjusted);
    }

    /// The clock's day and some more, on a business day.
    pub fn some_days_later(&mut self, days: i32) -> Day {
        let day = self.story.trade.calendar.roll(self.story.today().plus(days));
        self.story.on(day);
        day
    }
}

/// The system of record that says it.
fn source_of(code: Behaviour, of_the_bill: Source) -> Source {
    let name = code.code();
    let group = name.split('.').next().unwrap_or_default();
    let suffix = name.rsplit('.').next().unwrap_or_default();
    match (group, suffix) {
        (
            "IBT" | "RPO" | "BRP" | "RDC" | "RCS" | "PAY",
            "SET" | "FLD" | "RED" | "RDF" | "ERD" | "ORD" | "BST" | "RST",
        )
        | ("CSH", _)
        | ("PAY", "DED" | "SUB") => Source::Clrs,
        ("IBT" | "RPO" | "BRP" | "RDC" | "SDN" | "CST" | "PDR", _) => Source::Cpes,
        ("DTH", _) => Source::Dthp,
        ("OPY", _) => Source::Bpay,
        ("SCB", _) => Source::Scbp,
        ("PPR", _) => Source::Preg,
        ("DIS", _) => Source::Disc,
        ("MST" | "REF", _) => Source::Refd,
        _ => of_the_bill,
    }
}

/// Whether `payloads.csv` wants a bill.
fn is_about_a_bill(code: Behaviour) -> bool {
    Catalogue::embedded().payloads.of(code).refuses.contains(&Field::BillId)
}
