//! A small market for tests: registered parties, and bills that live by the laws of the fold.
//!
//! Time is set by [`Market::at`] and moves on one second a fact. All facts come from NGBS, in order.

use crate::{
    fact::{Behaviour, CorrectionKind, EventId, Fact, Field, Range, Source, Stamp, Value},
    ids::{BillId, Code, Day, InstId, PartyId},
};

/// Six banks: 1 joint-stock, 2 and 3 city, 4 rural, 5 finance company, 6 joint-stock; all in one province.
pub const BANKS: [(u64, &str); 6] = [(1, "203"), (2, "205"), (3, "205"), (4, "206"), (5, "301"), (6, "203")];

/// Enterprise number n.
pub fn ent(number: u64) -> PartyId {
    PartyId::enterprise(number)
}

/// Bank number n: legal id 100100 + n.
pub fn bank(number: u64) -> PartyId {
    PartyId::legal(100_100 + number)
}

/// Yuan in fen.
pub const fn yuan(amount: i64) -> i64 {
    amount * 100
}

pub fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

pub fn code(text: &str) -> Value {
    Value::Code(Code::parse(text).unwrap())
}

pub fn int(value: i64) -> Value {
    Value::Int(value)
}

pub fn text(value: &str) -> Value {
    Value::Text(value.into())
}

pub fn range(start: u64, end: u64) -> Range {
    Range { start, end }
}

/// What a new bill says. Defaults: bank bill of 1,000,000 CNY, drawer 1, payee 2, acceptor bank 1, due in 180 days.
#[derive(Clone)]
pub struct Terms {
    pub kind: &'static str,
    pub drawer: PartyId,
    pub payee: PartyId,
    pub acceptor: PartyId,
    pub face: i64,
    pub due_in: i32,
    pub divisible: bool,
    pub margin: i64,
}

impl Default for Terms {
    fn default() -> Self {
        Terms {
            kind: "BAB",
            drawer: ent(1),
            payee: ent(2),
            acceptor: bank(1),
            face: yuan(1_000_000),
            due_in: 180,
            divisible: false,
            margin: 0,
        }
    }
}

/// Facts in the making.
pub struct Market {
    pub facts: Vec<Fact>,
    day: Day,
    time: i64,
    bills: u128,
    clock: Option<i64>,
}

impl Market {
    /// Six banks and eighty unrelated enterprises of long standing.
    pub fn new() -> Self {
        let mut market = Market { facts: Vec::new(), day: day("2024-12-31"), time: 0, bills: 0, clock: None };
        market.at("2024-12-31", "09:00");
        for (number, kind) in BANKS {
            let branch = Value::Inst(InstId((100_100 + number) as u32 * 1000 + 1));
            market.fact(
                "MST.ISN",
                None,
                PartyId::SYSTEM,
                bank(number),
                &[
                    (Field::ParticipantCode, branch),
                    (Field::LegalInstId, Value::Party(bank(number))),
                    (Field::InstType, code(kind)),
                    (Field::Province, code("330000")),
                    (Field::BankNo, text(&format!("3133310000{number:02}"))),
                    (Field::Name, text("bank")),
                ],
            );
        }
        for number in 1..=80 {
            market.register(number, &[]);
        }
        market
    }

    /// Registers an enterprise, or registers it again with other data.
    pub fn register(&mut self, number: u64, changes: &[(Field, Value)]) {
        let mut fields = vec![
            (Field::EntId, Value::Party(ent(number))),
            (Field::Uscc, text("91330100MA0000015W")),
            (Field::Name, text("enterprise")),
            (Field::Province, code("330000")),
            (Field::IndustrySection, code("C")),
            (Field::IndustryDivision, code("17")),
            (Field::Size, code("M")),
            (Field::Ownership, code("OW04")),
            (Field::RegDate, Value::Date(day("2010-01-01"))),
            (Field::RegCapitalFen, int(yuan(100_000_000))),
            (Field::PaidCapitalFen, int(yuan(100_000_000))),
            (Field::Employees, int(50)),
            (Field::LegalRepId, Value::Party(PartyId::person(number))),
            (Field::AddressHash, text(&format!("address{number}"))),
            (Field::PhoneHash, text(&format!("phone{number}"))),
        ];
        for (field, value) in changes {
            match fields.iter_mut().find(|(known, _)| known == field) {
                Some((_, known)) => *known = value.clone(),
                None => fields.push((*field, value.clone())),
            }
        }
        self.fact("MST.ENR", None, bank(1), PartyId::SYSTEM, &fields);
    }

    /// Goes to a day and time of day (UTC+8).
    pub fn at(&mut self, date: &str, time: &str) -> &mut Self {
        self.on(day(date), time)
    }

    /// As [`Market::at`].
    pub fn on(&mut self, date: Day, time: &str) -> &mut Self {
        let (hours, minutes) = time.split_once(':').unwrap();
        let minutes = hours.parse::<i64>().unwrap() * 60 + minutes.parse::<i64>().unwrap();
        self.day = date;
        self.time = date.start_ms() + minutes * 60_000;
        self
    }

    /// Goes to an instant.
    pub fn instant(&mut self, time: i64) -> &mut Self {
        self.day = Day::of_time(time);
        self.time = time;
        self
    }

    pub fn now(&self) -> i64 {
        self.time
    }

    pub fn today(&self) -> Day {
        self.day
    }

    /// The market clock: the end of the last day on which something happened, or what was set.
    pub fn clock(&self) -> i64 {
        self.clock.unwrap_or(self.day.end_ms() - 1)
    }

    /// Sets the clock to the last instant of a day.
    pub fn clock_at_end_of(&mut self, date: &str) -> &mut Self {
        self.clock = Some(day(date).end_ms() - 1);
        self
    }

    pub fn set_clock(&mut self, clock: i64) -> &mut Self {
        self.clock = Some(clock);
        self
    }

    /// Adds any fact; returns its id.
    pub fn fact(
        &mut self,
        behaviour: &str,
        about: Option<(BillId, Range)>,
        initiator: PartyId,
        counterparty: PartyId,
        fields: &[(Field, Value)],
    ) -> EventId {
        let event_id = 1000 + self.facts.len() as EventId;
        let mut fact = Fact {
            event_id,
            behaviour: Behaviour::parse(behaviour).unwrap_or_else(|| panic!("{behaviour}")),
            event_time: self.time,
            biz_date: self.day,
            source: Source::Ngbs,
            source_seq: event_id as u64,
            stamp: Stamp { ingest_time: self.time, source_watermark: i64::MIN },
            bill_id: about.map(|(bill, _)| bill),
            range: about.map_or(Range::WHOLE, |(_, range)| range),
            range_given: about.is_some(),
            correction: None,
            fields: Vec::new(),
        };
        fact.set(Field::InitiatorId, Value::Party(initiator));
        fact.set(Field::CounterpartyId, Value::Party(counterparty));
        for (field, value) in fields {
            fact.set(*field, value.clone());
        }
        self.facts.push(fact);
        self.time += 1000;
        event_id
    }

    /// The last fact, to change it.
    pub fn last(&mut self) -> &mut Fact {
        self.facts.last_mut().unwrap()
    }

    /// A revocation of a fact.
    pub fn revoke(&mut self, target: EventId) {
        let found = self.facts.iter().find(|fact| fact.event_id == target).unwrap().clone();
        let event_id = 900_000 + self.facts.len() as EventId;
        self.facts.push(Fact {
            event_id,
            source_seq: event_id as u64,
            correction: Some((CorrectionKind::Revoke, target)),
            ..found
        });
    }

    /// Registers a bill.
    pub fn register_bill(&mut self, terms: &Terms) -> BillId {
        self.bills += 1;
        let (year, month, dom) = self.day.ymd();
        let first = if terms.kind == "CAB" { 6 } else { 5 };
        let bill = BillId::parse(&format!("{first}313331000001{year:04}{month:02}{dom:02}{:09}", self.bills)).unwrap();
        let fields = [
            (Field::BillKind, code(terms.kind)),
            (Field::FaceFen, int(terms.face)),
            (Field::IssueDate, Value::Date(self.day)),
            (Field::DueDate, Value::Date(self.day.plus(terms.due_in))),
            (Field::DrawerId, Value::Party(terms.drawer)),
            (Field::AcceptorId, Value::Party(terms.acceptor)),
            (Field::PayeeId, Value::Party(terms.payee)),
            (Field::Divisible, Value::Bool(terms.divisible)),
            (Field::Medium, code("ELEC")),
        ];
        self.fact("ISS.REG", Some((bill, whole(terms))), terms.drawer, terms.payee, &fields);
        bill
    }

    /// Registers a bill and has it accepted.
    pub fn accept(&mut self, terms: &Terms) -> BillId {
        let bill = self.register_bill(terms);
        let about = Some((bill, whole(terms)));
        self.fact("ACC.REQ", about, terms.drawer, terms.acceptor, &[]);
        self.fact("ACC.SGN", about, terms.acceptor, terms.drawer, &[(Field::MarginFen, int(terms.margin))]);
        bill
    }

    /// Registers a bill, has it accepted and received.
    pub fn draw(&mut self, terms: &Terms) -> BillId {
        let bill = self.accept(terms);
        let about = Some((bill, whole(terms)));
        self.fact("RCV.REQ", about, terms.drawer, terms.payee, &[]);
        self.fact("RCV.SGN", about, terms.payee, terms.drawer, &[]);
        bill
    }

    pub fn endorse(&mut self, bill: BillId, from: PartyId, to: PartyId) -> EventId {
        self.endorse_part(bill, Range::WHOLE, from, to)
    }

    pub fn endorse_part(&mut self, bill: BillId, range: Range, from: PartyId, to: PartyId) -> EventId {
        self.fact("END.REQ", Some((bill, range)), from, to, &[]);
        self.fact("END.SGN", Some((bill, range)), to, from, &[])
    }

    /// DSC.REQ, DSC.SGN, DSC.SET of a whole bill at a rate.
    pub fn discount(&mut self, bill: BillId, from: PartyId, to: PartyId, rate_e4: i64) -> EventId {
        let about = Some((bill, Range::WHOLE));
        let rate = (Field::RateE4, int(rate_e4));
        self.fact("DSC.REQ", about, from, to, std::slice::from_ref(&rate));
        self.fact("DSC.SGN", about, to, from, std::slice::from_ref(&rate));
        let branch = Value::Inst(InstId(to.number() as u32 * 1000 + 1));
        self.fact(
            "DSC.SET",
            about,
            PartyId::SYSTEM,
            from,
            &[
                rate,
                (Field::ApplicantId, Value::Party(from)),
                (Field::DiscounterId, Value::Party(to)),
                (Field::DiscounterInst, branch),
            ],
        )
    }

    /// IBT.QTE, IBT.DEL, IBT.SET of a whole bill; `deal` names it.
    pub fn sell(&mut self, bill: BillId, from: PartyId, to: PartyId, rate_e4: i64, deal: &str) -> EventId {
        let about = Some((bill, Range::WHOLE));
        let fields = [
            (Field::RateE4, int(rate_e4)),
            (Field::DealId, text(deal)),
            (Field::SellerId, Value::Party(from)),
            (Field::BuyerId, Value::Party(to)),
        ];
        self.fact("IBT.QTE", about, from, to, &fields[..2]);
        self.fact("IBT.QAC", about, to, from, &fields[..2]);
        self.fact("IBT.DEL", about, PartyId::SYSTEM, to, &fields);
        self.fact("IBT.SET", about, PartyId::SYSTEM, to, &fields)
    }

    /// RPO.QTE and RPO.SET of a whole bill for seven days, with these fields beside.
    pub fn repo(&mut self, bill: BillId, from: PartyId, to: PartyId, fields: &[(Field, Value)]) -> EventId {
        let about = Some((bill, Range::WHOLE));
        let deal = (Field::DealId, text(&format!("RP{}", self.facts.len())));
        self.fact("RPO.QTE", about, from, to, std::slice::from_ref(&deal));
        let sides = [deal, (Field::SellerId, Value::Party(from)), (Field::BuyerId, Value::Party(to))];
        let all = [&sides[..], &[(Field::RepoDays, int(7)), (Field::FirstFen, int(yuan(1_000_000)))], fields].concat();
        self.fact("RPO.SET", about, PartyId::SYSTEM, to, &all)
    }

    /// A new bill of these terms, discounted at once by a bank.
    pub fn discounted(&mut self, terms: &Terms, by: PartyId, rate_e4: i64) -> BillId {
        let bill = self.draw(terms);
        self.discount(bill, terms.payee, by, rate_e4);
        bill
    }

    /// Registers a bank of a type, or registers it again with other data.
    pub fn bank(&mut self, number: u64, kind: &str, changes: &[(Field, Value)]) {
        let mut fields = vec![
            (Field::ParticipantCode, Value::Inst(InstId((100_100 + number) as u32 * 1000 + 1))),
            (Field::LegalInstId, Value::Party(bank(number))),
            (Field::InstType, code(kind)),
            (Field::Province, code("330000")),
        ];
        fields.extend_from_slice(changes);
        self.fact("MST.ISN", None, PartyId::SYSTEM, bank(number), &fields);
    }

    /// MST.FIN of a bank or MST.ENF of an enterprise with one figure.
    pub fn figure(&mut self, of: PartyId, field: Field, fen: i64) {
        let (behaviour, subject) =
            if of.is_enterprise() { ("MST.ENF", Field::EntId) } else { ("MST.FIN", Field::LegalInstId) };
        self.fact(behaviour, None, of, PartyId::SYSTEM, &[(subject, Value::Party(of)), (field, int(fen))]);
    }

    /// PAY.MAT, then PAY.REQ by the holder, on the day set.
    pub fn present(&mut self, bill: BillId, holder: PartyId, acceptor: PartyId) -> EventId {
        let about = Some((bill, Range::WHOLE));
        self.fact("PAY.MAT", about, PartyId::SYSTEM, holder, &[]);
        self.fact("PAY.REQ", about, holder, acceptor, &[])
    }

    /// PAY.REJ with a reason.
    pub fn refuse(&mut self, bill: BillId, holder: PartyId, acceptor: PartyId, reason: &str) -> EventId {
        self.fact("PAY.REJ", Some((bill, Range::WHOLE)), acceptor, holder, &[(Field::DishonourReason, code(reason))])
    }

    /// PAY.SET.
    pub fn pay(&mut self, bill: BillId, holder: PartyId, acceptor: PartyId) -> EventId {
        self.fact(
            "PAY.SET",
            Some((bill, Range::WHOLE)),
            PartyId::SYSTEM,
            holder,
            &[(Field::PayerId, Value::Party(acceptor))],
        )
    }
}

fn whole(terms: &Terms) -> Range {
    if terms.divisible { range(1, terms.face as u64) } else { Range::WHOLE }
}
