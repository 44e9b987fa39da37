//! What is printed on a bill: the effective ISS.REG or PPR.ACC, and what the acceptance added.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    fact::{Behaviour, Fact, Field, Source, behaviour},
    ids::{BillId, Code, Day, InstId, PartyId},
};

/// Kind of bill by acceptor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum BillKind {
    /// Bank acceptance bill.
    Bab,
    /// Finance-company acceptance bill.
    Fab,
    /// Commercial acceptance bill.
    Cab,
}

impl BillKind {
    /// Code as in `enums.csv`.
    pub const fn code(self) -> &'static str {
        match self {
            BillKind::Bab => "BAB",
            BillKind::Fab => "FAB",
            BillKind::Cab => "CAB",
        }
    }

    /// The kind of a known code.
    pub fn parse(code: &str) -> Option<Self> {
        match code {
            "BAB" => Some(BillKind::Bab),
            "FAB" => Some(BillKind::Fab),
            "CAB" => Some(BillKind::Cab),
            _ => None,
        }
    }

    /// The kind that the first digit of a bill number stands for (facts.md 7: steers the fold when the code is unknown).
    pub fn of_number(bill: BillId) -> Self {
        if matches!(bill.kind_digit(), 1 | 5 | 8) { BillKind::Bab } else { BillKind::Cab }
    }
}

/// Stable hash of a text that is only ever compared: deal ids, contract and invoice numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TextHash(NonZeroU64);

impl TextHash {
    /// The hash of a text.
    pub fn of(text: &str) -> Self {
        TextHash(NonZeroU64::new(xxh3_64(text.as_bytes())).unwrap_or(NonZeroU64::MIN))
    }

    /// The hash of these bits; the inverse of [`TextHash::bits`].
    pub fn from_bits(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(TextHash)
    }

    /// Its raw bits.
    pub fn bits(self) -> u64 {
        self.0.get()
    }
}

/// The face of a bill.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// Package number.
    pub bill_id: BillId,
    /// Kind that steers the views; by the first digit of the number when `kind_known` is false.
    pub kind: BillKind,
    /// False when `bill_kind` was absent or no known code: the dimension item is then `UNKNOWN`.
    pub kind_known: bool,
    /// Medium as sent; default ELEC on ISS.REG, PAPER on PPR.ACC.
    pub medium: Code,
    /// Face, fen.
    pub face_fen: i64,
    /// Date of issue.
    pub issue_date: Day,
    /// Date due.
    pub due_date: Day,
    /// Due date, or the next business day.
    pub due_date_adjusted: Day,
    /// Drawer.
    pub drawer: PartyId,
    /// Branch of the drawer.
    pub drawer_inst: Option<InstId>,
    /// Acceptor named on the bill.
    pub acceptor: PartyId,
    /// Branch of the acceptor.
    pub acceptor_inst: Option<InstId>,
    /// Payee named on the bill.
    pub payee: PartyId,
    /// Branch of the payee.
    pub payee_inst: Option<InstId>,
    /// False for EM01 only; an unknown mark acts as EM00.
    pub transferable: bool,
    /// True: package with range `1..face_fen`; false: moves as a whole, range `0-0`.
    pub divisible: bool,
    /// Margin of the effective ACC.SGN / PPR.ACC, fen; 0 when absent or not accepted.
    pub margin_fen: i64,
    /// Business date and instant (ms) of the acceptance.
    pub accepted: Option<(Day, i64)>,
    /// Business date of the registration.
    pub registered_on: Day,
    /// Instant of the registration, ms.
    pub registered_at: i64,
    /// Channel of the registration, as sent.
    pub channel: Option<Code>,
    /// System that registered the bill.
    pub source: Source,
    /// Hash of `contract_no` of the registration.
    pub contract_no: Option<TextHash>,
    /// Goods category of the registration, as sent.
    pub goods_category: Option<Code>,
}

impl Header {
    /// Reads the header of an ISS.REG or PPR.ACC; `None` when a mandatory field is missing.
    ///
    /// `due_date_adjusted` starts as the due date; the fold, which knows the calendar, sets it.
    pub fn read(fact: &Fact) -> Option<Header> {
        let bill_id = fact.bill_id?;
        let paper = fact.behaviour == behaviour::PPR_ACC;
        let kind = fact.code(Field::BillKind).and_then(|code| BillKind::parse(code.as_str()));
        let due_date = fact.date(Field::DueDate)?;
        Some(Header {
            bill_id,
            kind: kind.unwrap_or_else(|| BillKind::of_number(bill_id)),
            kind_known: kind.is_some(),
            medium: fact.code(Field::Medium).unwrap_or(if paper { PAPER } else { ELECTRONIC }),
            face_fen: fact.int(Field::FaceFen)?,
            issue_date: fact.date(Field::IssueDate)?,
            due_date,
            due_date_adjusted: due_date,
            drawer: fact.party(Field::DrawerId)?,
            drawer_inst: fact.inst(Field::DrawerInst),
            acceptor: fact.party(Field::AcceptorId)?,
            acceptor_inst: fact.inst(Field::AcceptorInst),
            payee: fact.party(Field::PayeeId)?,
            payee_inst: fact.inst(Field::PayeeInst),
            transferable: fact.code(Field::Transferable) != Some(NOT_TRANSFERABLE),
            divisible: fact.flag(Field::Divisible).unwrap_or(false),
            margin_fen: if paper { fact.int(Field::MarginFen).unwrap_or(0) } else { 0 },
            accepted: paper.then_some((fact.biz_date, fact.event_time)),
            registered_on: fact.biz_date,
            registered_at: fact.event_time,
            channel: fact.code(Field::Channel),
            source: fact.source,
            contract_no: fact.text(Field::ContractNo).map(TextHash::of),
            goods_category: fact.code(Field::GoodsCategory),
        })
    }

    /// True when an ACC.SGN or PPR.ACC is in effect.
    pub fn is_accepted(&self) -> bool {
        self.accepted.is_some()
    }

    /// Calendar days from issue to due date.
    pub fn tenor_days(&self) -> i32 {
        self.due_date.0 - self.issue_date.0
    }
}

/// What the acceptor disclosed about the bill (DIS.BIL, changed by DIS.COR), as sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Disclosure {
    /// Instant of the latest DIS.BIL, ms.
    pub at: i64,
    /// Business date of the latest DIS.BIL.
    pub on: Option<Day>,
    /// Disclosed face, fen.
    pub face_fen: Option<i64>,
    /// Disclosed due date.
    pub due_date: Option<Day>,
    /// Disclosed acceptor.
    pub acceptor: Option<PartyId>,
}

impl Disclosure {
    /// What a DIS.BIL says.
    pub(super) fn read(fact: &Fact) -> Disclosure {
        Disclosure {
            at: fact.event_time,
            on: Some(fact.biz_date),
            face_fen: fact.int(Field::FaceFen),
            due_date: fact.date(Field::DueDate),
            acceptor: fact.party(Field::AcceptorId),
        }
    }

    /// What a DIS.COR changes in it.
    pub(super) fn correct(&mut self, fact: &Fact) {
        self.face_fen = fact.int(Field::FaceFen).or(self.face_fen);
        self.due_date = fact.date(Field::DueDate).or(self.due_date);
        self.acceptor = fact.party(Field::AcceptorId).or(self.acceptor);
    }
}

/// The mark that forbids transfer.
pub const NOT_TRANSFERABLE: Code = Code::of("EM01");
const PAPER: Code = Code::of("PAPER");
const ELECTRONIC: Code = Code::of("ELEC");

/// True for the two behaviours that make a bill.
pub fn makes_bill(kind: Behaviour) -> bool {
    kind == behaviour::ISS_REG || kind == behaviour::PPR_ACC
}
