//! The due date as facts: presentation, payment, refusal, recourse.

use billwatch_market::fact::{EventId, Fact, Field, Range, Source, behaviour};

use super::draft::Party;
use super::life::Bill;

impl Bill {
    /// PAY.MAT at the first instant of the due date.
    pub fn mature(&mut self, range: Range, holder: Party) -> Fact {
        self.act_in(self.source, behaviour::PAY_MAT, self.due.start_ms(), range, Party::SYSTEM, holder)
            .date(Field::DueDate, self.due)
            .done()
    }

    /// PAY.REQ by the holder.
    pub fn present(&mut self, at: i64, range: Range, holder: Party) -> Fact {
        self.ask(behaviour::PAY_REQ, at, range, holder, self.acceptor)
    }

    /// PAY.AUT by the system.
    pub fn present_by_system(&mut self, at: i64, range: Range) -> Fact {
        self.act_in(self.source, behaviour::PAY_AUT, at, range, Party::SYSTEM, self.acceptor)
            .code(Field::NoticeKind, "NT01")
            .done()
    }

    /// PAY.SGN.
    pub fn agree_payment(&mut self, at: i64, range: Range, holder: Party, presentation: EventId) -> Fact {
        self.agree(behaviour::PAY_SGN, at, range, self.acceptor, holder, presentation)
    }

    /// PAY.ASG: the account bank answers for a silent acceptor.
    pub fn answer_for_acceptor(&mut self, at: i64, range: Range, holder: Party, presentation: EventId) -> Fact {
        self.act_in(self.source, behaviour::PAY_ASG, at, range, Party::SYSTEM, holder)
            .answers(presentation)
            .code(Field::NoticeKind, "NT05")
            .done()
    }

    /// PAY.QUE.
    pub fn queue_payment(&mut self, at: i64, range: Range) -> Fact {
        self.act_in(Source::Clrs, behaviour::PAY_QUE, at, range, Party::SYSTEM, self.acceptor)
            .code(Field::SettlementResult, "QUEUED")
            .done()
    }

    /// PAY.REJ with a `dishonour_reason`.
    pub fn refuse_payment(
        &mut self,
        at: i64,
        range: Range,
        holder: Party,
        presentation: EventId,
        reason: &str,
    ) -> Fact {
        self.act(behaviour::PAY_REJ, at, range, self.acceptor, holder)
            .answers(presentation)
            .code(Field::AnswerCode, "SU01")
            .code(Field::DishonourReason, reason)
            .done()
    }

    /// PAY.SET: the acceptor's cash arrives.
    pub fn pay(&mut self, at: i64, range: Range, holder: Party, presentation: EventId) -> Fact {
        self.act_in(Source::Clrs, behaviour::PAY_SET, at, range, Party::SYSTEM, holder)
            .answers(presentation)
            .int(Field::PaidFen, self.amount(range))
            .role(Field::PayerId, Field::PayerInst, self.acceptor)
            .code(Field::PayerRole, "PR01")
            .code(Field::SettlementMethod, "DVP")
            .code(Field::SettlementResult, "OK")
            .code(Field::SettlementBusiness, "RE2011")
            .done()
    }

    /// PAY.FLD: the acceptor was short of cash.
    pub fn fail_payment(&mut self, at: i64, range: Range, holder: Party, presentation: EventId) -> Fact {
        self.act_in(Source::Clrs, behaviour::PAY_FLD, at, range, Party::SYSTEM, holder)
            .answers(presentation)
            .role(Field::PayerId, Field::PayerInst, self.acceptor)
            .code(Field::SettlementResult, "FAIL_CASH")
            .done()
    }

    /// PAY.DIS to one prior party.
    pub fn dishonour_notice(
        &mut self,
        at: i64,
        range: Range,
        prior: Party,
        presentation: EventId,
        reason: &str,
    ) -> Fact {
        self.act_in(self.source, behaviour::PAY_DIS, at, range, Party::SYSTEM, prior)
            .answers(presentation)
            .code(Field::DishonourReason, reason)
            .done()
    }

    /// RCS.NTC (after dishonour).
    pub fn recourse_notice(&mut self, at: i64, range: Range, creditor: Party, debtor: Party) -> Fact {
        self.act(behaviour::RCS_NTC, at, range, creditor, debtor)
            .int(Field::ClaimFen, self.amount(range))
            .code(Field::RecourseType, "RT00")
            .done()
    }

    /// RCS.RRN: a debtor who paid goes on against its own prior party.
    pub fn further_recourse_notice(&mut self, at: i64, range: Range, creditor: Party, debtor: Party) -> Fact {
        self.act(behaviour::RCS_RRN, at, range, creditor, debtor).int(Field::ClaimFen, self.amount(range)).done()
    }

    /// RCS.AGR.
    pub fn offer_settlement(&mut self, at: i64, range: Range, debtor: Party, creditor: Party) -> Fact {
        self.act(behaviour::RCS_AGR, at, range, debtor, creditor)
            .int(Field::ClaimFen, self.amount(range))
            .code(Field::SettlementMethod, "DVP")
            .done()
    }

    /// RCS.AGS.
    pub fn agree_settlement(&mut self, at: i64, range: Range, creditor: Party, debtor: Party, offer: EventId) -> Fact {
        self.act(behaviour::RCS_AGS, at, range, creditor, debtor)
            .answers(offer)
            .int(Field::ClaimFen, self.amount(range))
            .code(Field::AnswerCode, "SU00")
            .code(Field::SettlementMethod, "DVP")
            .done()
    }

    /// RCS.SET: the debtor has paid.
    pub fn settle_recourse(&mut self, at: i64, range: Range, creditor: Party, debtor: Party, offer: EventId) -> Fact {
        self.act_in(Source::Clrs, behaviour::RCS_SET, at, range, Party::SYSTEM, creditor)
            .answers(offer)
            .int(Field::PaidFen, self.amount(range))
            .role(Field::CreditorId, Field::CreditorInst, creditor)
            .role(Field::DebtorId, Field::DebtorInst, debtor)
            .code(Field::SettlementMethod, "DVP")
            .code(Field::SettlementResult, "OK")
            .code(Field::SettlementBusiness, "RE2021")
            .done()
    }
}
