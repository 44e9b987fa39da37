//! Builds lives of bills, fact by fact, without a file.

use billwatch_market::{
    bill::{Bill, Effect, Laws, Outcome},
    catalogue::Catalogue,
    fact::{Behaviour, Fact, Field, Range, Source, Stamp, Value},
    ids::{BillId, Code, Day, InstId, PartyId},
};

pub const DRAWER: PartyId = PartyId::enterprise(1);
pub const PAYEE: PartyId = PartyId::enterprise(2);
pub const ACCEPTOR: PartyId = PartyId::legal(100_101);
pub const DUE: &str = "2025-10-10";

pub fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

pub fn laws() -> Laws {
    Laws::new(&Catalogue::embedded()).unwrap()
}

/// A bill under construction: each fact comes one minute after the one before, on the business date set last.
pub struct Life {
    pub bill: Bill,
    pub facts: Vec<Fact>,
    pub today: Day,
    laws: Laws,
}

impl Life {
    /// An empty life. `face` fen.
    pub fn new() -> Self {
        Life { bill: Bill::default(), facts: Vec::new(), today: day("2025-04-10"), laws: laws() }
    }

    /// A divisible package of this face in the hands of the payee.
    pub fn received(face: i64) -> Self {
        let mut life = Life::new();
        life.issue(face, true);
        for (code, from, to) in [
            ("ACC.REQ", DRAWER, ACCEPTOR),
            ("ACC.SGN", ACCEPTOR, DRAWER),
            ("RCV.REQ", DRAWER, PAYEE),
            ("RCV.SGN", PAYEE, DRAWER),
        ] {
            life.applied(code, from, to, 1, face as u64);
        }
        life
    }

    /// The same after its due date.
    pub fn due(face: i64) -> Self {
        let mut life = Life::received(face);
        life.today = day(DUE);
        life.applied("PAY.MAT", PartyId::SYSTEM, PAYEE, 1, face as u64);
        life
    }

    pub fn issue(&mut self, face: i64, divisible: bool) -> Effect {
        let end = if divisible { face as u64 } else { 0 };
        let fact = self.fact("ISS.REG", DRAWER, PAYEE, u64::from(divisible), end);
        let fact = with(fact, &header(face, divisible));
        self.send(fact).effect
    }

    pub fn fact(&self, code: &str, from: PartyId, to: PartyId, start: u64, end: u64) -> Fact {
        let number = self.facts.len() as u64 + 1;
        let event_time = self.today.start_ms() + 9 * 3_600_000 + number as i64 * 60_000;
        let fact = Fact {
            event_id: u128::from(number),
            behaviour: Behaviour::parse(code).unwrap(),
            event_time,
            biz_date: self.today,
            source: Source::Ngbs,
            source_seq: number,
            stamp: Stamp::default(),
            bill_id: BillId::parse("531333100011720250410000000012"),
            range: Range { start, end },
            range_given: true,
            correction: None,
            fields: vec![],
        };
        with(fact, &[(Field::InitiatorId, Value::Party(from)), (Field::CounterpartyId, Value::Party(to))])
    }

    pub fn send(&mut self, fact: Fact) -> Outcome {
        let outcome = self.bill.apply(&fact, &self.laws);
        self.facts.push(fact);
        outcome
    }

    pub fn effect(&mut self, code: &str, from: PartyId, to: PartyId, start: u64, end: u64) -> Effect {
        self.effect_with(code, from, to, start, end, &[])
    }

    pub fn effect_with(
        &mut self,
        code: &str,
        from: PartyId,
        to: PartyId,
        start: u64,
        end: u64,
        fields: &[(Field, Value)],
    ) -> Effect {
        let fact = with(self.fact(code, from, to, start, end), fields);
        self.send(fact).effect
    }

    #[track_caller]
    pub fn applied(&mut self, code: &str, from: PartyId, to: PartyId, start: u64, end: u64) -> Outcome {
        self.applied_with(code, from, to, start, end, &[])
    }

    #[track_caller]
    pub fn applied_with(
        &mut self,
        code: &str,
        from: PartyId,
        to: PartyId,
        start: u64,
        end: u64,
        fields: &[(Field, Value)],
    ) -> Outcome {
        let outcome = self.send(with(self.fact(code, from, to, start, end), fields));
        assert_eq!(outcome.effect, Effect::Applied, "{code}");
        outcome
    }

    /// (status, flag) codes and holder of the lot that begins at `start`.
    pub fn lot(&self, start: u64) -> (&'static str, &'static str, PartyId) {
        let lot = self.bill.lots.iter().find(|lot| lot.range.start == start).unwrap();
        (lot.status.code(), lot.flag.code(), lot.holder)
    }
}

pub fn with(mut fact: Fact, fields: &[(Field, Value)]) -> Fact {
    for (field, value) in fields {
        fact.set(*field, value.clone());
    }
    fact
}

pub fn code(text: &str) -> Value {
    Value::Code(Code::parse(text).unwrap())
}

pub fn text(value: &str) -> Value {
    Value::Text(value.into())
}

pub fn header(face: i64, divisible: bool) -> Vec<(Field, Value)> {
    let inst = |number| Value::Inst(InstId(number));
    vec![
        (Field::BillKind, code("BAB")),
        (Field::FaceFen, Value::Int(face)),
        (Field::IssueDate, Value::Date(day("2025-04-10"))),
        (Field::DueDate, Value::Date(day(DUE))),
        (Field::DrawerId, Value::Party(DRAWER)),
        (Field::DrawerInst, inst(100_101_002)),
        (Field::AcceptorId, Value::Party(ACCEPTOR)),
        (Field::AcceptorInst, inst(100_101_001)),
        (Field::PayeeId, Value::Party(PAYEE)),
        (Field::PayeeInst, inst(100_101_003)),
        (Field::Divisible, Value::Bool(divisible)),
        (Field::ContractNo, text("HT-2025-0410")),
        (Field::GoodsCategory, code("G05")),
        (Field::Channel, code("EBANK")),
    ]
}
