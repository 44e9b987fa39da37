//! A bill's life as facts: one verb a behaviour, shared by normal trade and by labelled misbehaviour.
//!
//! A [`Bill`] knows its header and numbers its own events; it does not know its state. The caller says what happens when,
//! and so can write a legal life or a wrong one. Every fact carries what `payloads.csv` marks as mandatory.
//!
//! Begin with [`Bill::act`], the envelope of every bill fact; issue to endorsement are here, discount and trading in
//! `deals`, payment and recourse in `redemption`.

use billwatch_market::fact::{Behaviour, EventId, Fact, Field, Range, Source, Value, behaviour};
use billwatch_market::ids::{BillId, Day, PartyId};

use super::dice::mix;
use super::draft::{Draft, Party};

/// Kind of a bill by its acceptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bank acceptance bill.
    Bank,
    /// Finance-company acceptance bill.
    Finance,
    /// Commercial acceptance bill.
    Commercial,
}

impl Kind {
    /// Code of `bill_kind`.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Bank => "BAB",
            Kind::Finance => "FAB",
            Kind::Commercial => "CAB",
        }
    }
}

/// One company in so many has no net banking: its account bank signs for it.
const WITHOUT_NET_BANKING: u64 = 20;
/// Facts that one bill can number; far above what a life of six months holds.
const EVENTS_PER_BILL: u128 = 1 << 12;

/// The identity of the n-th fact of a serial (a bill, or a case's block of reference facts).
pub fn event_id(serial: u64, number: u16) -> EventId {
    u128::from(serial) * EVENTS_PER_BILL + u128::from(number)
}

/// A bill (package) and the numbering of its events.
#[derive(Clone, Debug)]
pub struct Bill {
    /// Package number.
    pub id: BillId,
    /// Number of the bill in this simulation, from 1: the block of its event ids.
    pub serial: u64,
    /// Kind by acceptor.
    pub kind: Kind,
    /// System of record before discount: NGBS, SCBP or PREG.
    pub source: Source,
    /// A package with ranges, or a bill that moves as a whole.
    pub divisible: bool,
    /// Fen.
    pub face_fen: i64,
    /// Day of registration.
    pub issue: Day,
    /// As printed.
    pub due: Day,
    /// Rolled to a business day: prices and payment count on it.
    pub due_adjusted: Day,
    /// Drawer.
    pub drawer: Party,
    /// Acceptor.
    pub acceptor: Party,
    /// Payee.
    pub payee: Party,
    /// False: with the mark "not transferable".
    pub transferable: bool,
    /// A member for which its account institution signs. Companies without net banking have theirs sign, too.
    pub agent_signs_for: Option<PartyId>,
    events: u16,
}

impl Bill {
    /// A bill that has no fact yet. `bank_no` is the 12-digit bank number of the drawer's branch, `of_day` its serial on
    /// that day (below 100 million).
    #[expect(clippy::too_many_arguments, reason = "a header has these columns; each is named at the call")]
    pub fn new(
        serial: u64,
        kind: Kind,
        source: Source,
        divisible: bool,
        face_fen: i64,
        days: (Day, Day, Day),
        parties: (Party, Party, Party),
        bank_no: u64,
        of_day: u64,
    ) -> Self {
        let (issue, due, due_adjusted) = days;
        let (drawer, acceptor, payee) = parties;
        let id = bill_number(kind, source, bank_no, issue, of_day);
        Bill {
            id,
            serial,
            kind,
            source,
            divisible,
            face_fen,
            issue,
            due,
            due_adjusted,
            drawer,
            acceptor,
            payee,
            transferable: true,
            agent_signs_for: None,
            events: 0,
        }
    }

    /// The range of the whole bill.
    pub fn whole(&self) -> Range {
        if self.divisible { Range { start: 1, end: self.face_fen as u64 } } else { Range::WHOLE }
    }

    /// Fen of a range of this bill.
    pub fn amount(&self, range: Range) -> i64 {
        if range == Range::WHOLE { self.face_fen } else { range.length() as i64 }
    }

    /// Identity for the next fact of this bill.
    pub fn next_event(&mut self) -> EventId {
        self.events += 1;
        event_id(self.serial, self.events)
    }

    /// Envelope of a fact about a range: sender, other side, amount, in the system `source`.
    pub fn act_in(
        &mut self,
        source: Source,
        behaviour: Behaviour,
        at: i64,
        range: Range,
        from: Party,
        to: Party,
    ) -> Draft {
        let event = self.next_event();
        Draft::new(behaviour, at, source, event).about(self.id, range, self.amount(range)).from(from).to(to)
    }

    /// [`Bill::act_in`] in the bill's own system.
    pub fn act(&mut self, behaviour: Behaviour, at: i64, range: Range, from: Party, to: Party) -> Draft {
        let channel = match (self.source, from.id.is_enterprise()) {
            (Source::Scbp, true) => "SCB",
            (_, true) => "EBANK",
            (_, false) => "DIRECT",
        };
        self.act_in(self.source, behaviour, at, range, from, to).code(Field::Channel, channel)
    }

    /// A request that needs nothing but its envelope (acceptance, receipt, endorsement, pledge, ...).
    pub fn ask(&mut self, behaviour: Behaviour, at: i64, range: Range, from: Party, to: Party) -> Fact {
        let draft = self.act(behaviour, at, range, from, to);
        self.signed(draft, from, ["PP01", "PP00"]).done()
    }

    /// Who signs: the party itself, or its account institution as agent. Members sign for themselves and say nothing.
    pub(super) fn signed(&self, draft: Draft, by: Party, [itself, agent]: [&str; 2]) -> Draft {
        if self.agent_signs_for == Some(by.id) {
            return draft.code(Field::SignatureAgent, agent);
        }
        if !by.id.is_enterprise() {
            return draft;
        }
        let has_net_banking = !mix(by.id.number() ^ 0x51_6E).is_multiple_of(WITHOUT_NET_BANKING);
        draft.code(Field::SignatureAgent, if has_net_banking { itself } else { agent })
    }

    /// Agreement to a request.
    pub fn agree(
        &mut self,
        behaviour: Behaviour,
        at: i64,
        range: Range,
        by: Party,
        to: Party,
        request: EventId,
    ) -> Fact {
        let draft = self.act(behaviour, at, range, by, to).answers(request).code(Field::AnswerCode, "SU00");
        self.signed(draft, by, ["PS01", "PS00"]).done()
    }

    /// Refusal of a request, with its `reject_reason`.
    #[expect(clippy::too_many_arguments, reason = "as agree, and the reason")]
    pub fn refuse(
        &mut self,
        behaviour: Behaviour,
        at: i64,
        range: Range,
        by: Party,
        to: Party,
        request: EventId,
        reason: &str,
    ) -> Fact {
        let draft = self.act(behaviour, at, range, by, to).answers(request).code(Field::AnswerCode, "SU01");
        self.signed(draft, by, ["PS01", "PS00"]).code(Field::RejectReason, reason).done()
    }

    /// Withdrawal of a request by its sender.
    pub fn withdraw(
        &mut self,
        behaviour: Behaviour,
        at: i64,
        range: Range,
        by: Party,
        to: Party,
        request: EventId,
    ) -> Fact {
        self.act(behaviour, at, range, by, to).answers(request).done()
    }

    /// ISS.REG: the drawer registers the bill.
    pub fn issue(&mut self, at: i64) -> Fact {
        let (drawer, payee) = (self.drawer, self.payee);
        let draft = self
            .act(behaviour::ISS_REG, at, self.whole(), drawer, payee)
            .code(Field::Medium, "ELEC")
            .value(Field::Divisible, Value::Bool(self.divisible));
        self.header(draft).done()
    }

    /// The header as it is printed.
    fn header(&self, draft: Draft) -> Draft {
        draft
            .code(Field::BillKind, self.kind.code())
            .int(Field::FaceFen, self.face_fen)
            .date(Field::IssueDate, self.issue)
            .date(Field::DueDate, self.due)
            .role(Field::DrawerId, Field::DrawerInst, self.drawer)
            .role(Field::AcceptorId, Field::AcceptorInst, self.acceptor)
            .role(Field::PayeeId, Field::PayeeInst, self.payee)
            .text(Field::DrawerName, self.drawer.name())
            .text(Field::AcceptorName, self.acceptor.name())
            .text(Field::PayeeName, self.payee.name())
            .code(Field::Transferable, if self.transferable { "EM00" } else { "EM01" })
    }

    /// ACC.REQ.
    pub fn ask_acceptance(&mut self, at: i64) -> Fact {
        self.ask(behaviour::ACC_REQ, at, self.whole(), self.drawer, self.acceptor)
    }

    /// ACC.SGN with this margin; the contract is the bill's own.
    pub fn accept(&mut self, at: i64, request: EventId, margin_fen: i64) -> Fact {
        let contract = format!("HT{}", self.serial);
        let draft = self.act(behaviour::ACC_SGN, at, self.whole(), self.acceptor, self.drawer);
        self.signed(draft, self.acceptor, ["PS01", "PS00"])
            .answers(request)
            .code(Field::AnswerCode, "SU00")
            .int(Field::MarginFen, margin_fen)
            .text(Field::ContractNo, contract)
            .code(Field::ContractType, "CT01")
            .done()
    }

    /// RCV.REQ.
    pub fn ask_receipt(&mut self, at: i64) -> Fact {
        self.ask(behaviour::RCV_REQ, at, self.whole(), self.drawer, self.payee)
    }

    /// RCV.SGN.
    pub fn receive(&mut self, at: i64, request: EventId) -> Fact {
        self.agree(behaviour::RCV_SGN, at, self.whole(), self.payee, self.drawer, request)
    }

    /// DIS.BIL: the acceptor of a CAB or FAB discloses the acceptance.
    pub fn disclose(&mut self, at: i64) -> Fact {
        let event = self.next_event();
        Draft::new(behaviour::DIS_BIL, at, Source::Disc, event)
            .about(self.id, self.whole(), self.face_fen)
            .from(self.acceptor)
            .code(Field::BillKind, self.kind.code())
            .int(Field::FaceFen, self.face_fen)
            .date(Field::IssueDate, self.issue)
            .date(Field::DueDate, self.due)
            .value(Field::DrawerId, Value::Party(self.drawer.id))
            .value(Field::AcceptorId, Value::Party(self.acceptor.id))
            .value(Field::PayeeId, Value::Party(self.payee.id))
            .done()
    }

    /// PPR.ACC: a paper bill is registered by its acceptor.
    pub fn register_paper(&mut self, at: i64) -> Fact {
        let event = self.next_event();
        let draft = Draft::new(behaviour::PPR_ACC, at, Source::Preg, event)
            .about(self.id, self.whole(), self.face_fen)
            .from(self.acceptor)
            .code(Field::Medium, "PAPER")
            .int(Field::MarginFen, self.face_fen * 3 / 10);
        self.header(draft).done()
    }

    /// A court registers a freeze or its release on a range.
    pub fn court(&mut self, behaviour: Behaviour, at: i64, range: Range, court: Party, holder: Party) -> Fact {
        let event = self.next_event();
        Draft::new(behaviour, at, self.source, event)
            .about(self.id, range, self.amount(range))
            .from(court)
            .to(holder)
            .code(Field::ChangeReason, "AR09")
            .done()
    }
}

/// The 30 digits of a good package number (domain.md 2.1).
fn bill_number(kind: Kind, source: Source, bank_no: u64, issue: Day, of_day: u64) -> BillId {
    let kind_digit = match (source, kind) {
        (Source::Scbp, Kind::Commercial) => 7,
        (Source::Scbp, _) => 8,
        (Source::Preg | Source::Ecds, Kind::Commercial) => 2,
        (Source::Preg | Source::Ecds, _) => 1,
        (_, Kind::Commercial) => 6,
        _ => 5,
    };
    let (year, month, day) = issue.ymd();
    let date = u128::from(year as u32 * 10_000 + month * 100 + day);
    let body = ((kind_digit * 10u128.pow(12) + u128::from(bank_no)) * 10u128.pow(8) + date) * 10u128.pow(8)
        + u128::from(of_day % 100_000_000);
    let mut sum = 0;
    let mut rest = body;
    while rest > 0 {
        sum += (rest % 10) as u64;
        rest /= 10;
    }
    BillId { digits: body * 10 + u128::from(sum % 10), length: 30 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use billwatch_market::ids::{InstId, PartyId};

    #[test]
    fn a_package_number_has_its_thirty_digits() {
        let party = |number| Party { id: PartyId::enterprise(number), inst: Some(InstId(100_101_001)) };
        let day = Day::parse("2025-03-10").expect("a day");
        let bill = Bill::new(
            1,
            Kind::Bank,
            Source::Ngbs,
            true,
            500,
            (day, day, day),
            (party(1), party(2), party(3)),
            313_331_000_017,
            1,
        );
        // 5 3133 3100 0017 2025 0310 0000 0001 and the sum of its digits mod 10.
        assert_eq!(bill.id.to_string(), "531333100001720250310000000011");
        assert_eq!(bill.whole(), Range { start: 1, end: 500 });
    }
}
