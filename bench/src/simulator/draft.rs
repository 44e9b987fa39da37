//! A fact being written: envelope first, then fields in any order, sorted once at the end.

use billwatch_market::catalogue::Catalogue;
use billwatch_market::fact::{Behaviour, EventId, Fact, Field, Range, Source, Stamp, Value};
use billwatch_market::ids::{BillId, Code, Day, InstId, PartyId};

/// Who takes part in a fact, and through which branch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Party {
    /// The enterprise, the legal member, a court, the system.
    pub id: PartyId,
    /// Its account bank, or the branch of a member; absent for courts and the system.
    pub inst: Option<InstId>,
}

impl Party {
    /// The exchange's own systems.
    pub const SYSTEM: Party = Party { id: PartyId::SYSTEM, inst: None };
    /// Everybody: a click-to-trade quote.
    pub const MARKET: Party = Party { id: PartyId::MARKET, inst: None };

    /// A court; courts have no branch.
    pub const fn court(number: u64) -> Self {
        Party { id: PartyId::court(number), inst: None }
    }

    /// Its registered name: a function of its number, so that no list of names is kept.
    pub fn name(self) -> Box<str> {
        name_of(self.id)
    }
}

/// The registered name of an enterprise or a legal member.
pub fn name_of(id: PartyId) -> Box<str> {
    let number = id.number();
    if id.is_enterprise() {
        format!("企业{number:07}实业有限公司").into_boxed_str()
    } else {
        format!("会员{number:06}银行股份有限公司").into_boxed_str()
    }
}

/// A fact under construction.
pub struct Draft {
    fact: Fact,
}

impl Draft {
    /// The envelope. `source_seq` is given when the fact leaves the simulator.
    pub fn new(behaviour: Behaviour, at: i64, source: Source, event_id: EventId) -> Self {
        Draft {
            fact: Fact {
                event_id,
                behaviour,
                event_time: at,
                biz_date: Day::of_time(at),
                source,
                source_seq: 0,
                stamp: Stamp { ingest_time: at, source_watermark: i64::MIN },
                bill_id: None,
                range: Range::WHOLE,
                range_given: false,
                correction: None,
                fields: Vec::with_capacity(20),
            },
        }
    }

    /// The bill and the range that it is about; `amount_fen` is written as the sources do, in every bill fact.
    pub fn about(mut self, bill: BillId, range: Range, amount_fen: i64) -> Self {
        self.fact.bill_id = Some(bill);
        self.fact.range = range;
        self.fact.range_given = true;
        self.int(Field::AmountFen, amount_fen)
    }

    /// Sender and its branch.
    pub fn from(self, party: Party) -> Self {
        let draft = self.value(Field::InitiatorId, Value::Party(party.id));
        match party.inst {
            Some(inst) => draft.value(Field::InitiatorInst, Value::Inst(inst)),
            None => draft,
        }
    }

    /// Other side and its branch.
    pub fn to(self, party: Party) -> Self {
        let draft = self.value(Field::CounterpartyId, Value::Party(party.id));
        match party.inst {
            Some(inst) => draft.value(Field::CounterpartyInst, Value::Inst(inst)),
            None => draft,
        }
    }

    /// A party in a named role: identity field and branch field.
    pub fn role(self, id: Field, inst: Field, party: Party) -> Self {
        let draft = self.value(id, Value::Party(party.id));
        match party.inst {
            Some(branch) => draft.value(inst, Value::Inst(branch)),
            None => draft,
        }
    }

    /// The request that this fact answers.
    pub fn answers(self, request: EventId) -> Self {
        self.value(Field::RefEventId, Value::Id(request.into()))
    }

    /// An integer field (fen, e4, days, counts, ms).
    pub fn int(self, field: Field, value: i64) -> Self {
        self.value(field, Value::Int(value))
    }

    /// An enumeration code; the literal must be a code.
    pub fn code(self, field: Field, code: &str) -> Self {
        self.value(field, Value::Code(Code::of(code)))
    }

    /// A calendar day.
    pub fn date(self, field: Field, day: Day) -> Self {
        self.value(field, Value::Date(day))
    }

    /// Text.
    pub fn text(self, field: Field, text: impl Into<Box<str>>) -> Self {
        self.value(field, Value::Text(text.into()))
    }

    /// Any field outside the envelope; each at most once.
    pub fn value(mut self, field: Field, value: Value) -> Self {
        self.fact.fields.push((field, value));
        self
    }

    /// The finished fact, with every field that `payloads.csv` marks as mandatory for its behaviour: what was not written
    /// gets the value that `usual` knows for it, if any.
    pub fn completed(mut self, catalogue: &Catalogue, usual: impl Fn(Field) -> Option<Value>) -> Fact {
        let payload = catalogue.payloads.of(self.fact.behaviour);
        let wanted = payload
            .refuses
            .iter()
            .chain(payload.alerts.iter().filter(|(_, when)| when.is_none()).map(|(field, _)| field));
        for &field in wanted {
            let is_written = self.fact.fields.iter().any(|(known, _)| *known == field);
            if let Some(value) = usual(field).filter(|_| !is_written) {
                self.fact.fields.push((field, value));
            }
        }
        self.done()
    }

    /// The finished fact.
    pub fn done(mut self) -> Fact {
        self.fact.fields.sort_unstable_by_key(|(field, _)| *field);
        debug_assert!(self.fact.fields.windows(2).all(|pair| pair[0].0 < pair[1].0), "a field is written twice");
        self.fact
    }
}
