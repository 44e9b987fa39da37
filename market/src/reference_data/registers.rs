//! The smaller registers of reference data: what their entries say.

use crate::{
    fact::{EventId, Source},
    ids::{BillId, Day, InstId, PartyId},
    items::Row,
};

/// MST.FIN: balance sheet of a legal institution, fen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct BalanceSheet {
    pub report_date: Option<Day>,
    pub total_assets_fen: Option<i64>,
    pub deposits_fen: Option<i64>,
    pub margin_fen: Option<i64>,
    pub net_capital_fen: Option<i64>,
    pub liquid_assets_fen: Option<i64>,
    pub interbank_deposit_fen: Option<i64>,
}

/// MST.ENF: financials of an enterprise, fen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Financials {
    pub date: Option<Day>,
    pub revenue_12m_fen: Option<i64>,
    pub net_assets_fen: Option<i64>,
    pub vat_invoiced_12m_fen: Option<i64>,
}

/// First and last day on which something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First day.
    pub from: Day,
    /// Last day; `None` = open end.
    pub to: Option<Day>,
}

impl Validity {
    /// True when the day lies in it.
    pub fn holds(&self, day: Day) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }
}

/// MST.GRP: how an enterprise belongs to a group or another party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// relation_kind: MEMBER, PARENT, RELATED.
    pub kind: Row,
    /// The group.
    pub group: Option<PartyId>,
    /// The related party.
    pub related: Option<PartyId>,
    /// When it holds.
    pub validity: Validity,
}

/// MST.BLK: one entry of a watch list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// watch_list_type.
    pub list: Row,
    /// ADD or REMOVE.
    pub added: bool,
    /// When it holds.
    pub validity: Validity,
}

/// DIS.OVL, DIS.PSL: an acceptor on a monthly list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// WL01 (overdue) or WL02 (persistently overdue).
    pub list: Row,
    /// year * 12 + month - 1 of the list.
    pub month: i32,
    /// Fen.
    pub overdue_bal_fen: i64,
    /// Overdue bills (OVL) or months listed (PSL), when said.
    pub number: Option<i64>,
    /// The fact.
    pub event_id: EventId,
}

/// DIS.CRD: monthly credit disclosure of an acceptor, fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CreditDisclosure {
    /// year * 12 + month - 1 that it is about.
    pub month: i32,
    pub accepted_cum_fen: Option<i64>,
    pub accepted_bal_fen: Option<i64>,
    pub overdue_cum_fen: Option<i64>,
    pub overdue_bal_fen: Option<i64>,
    /// Business date of the disclosure.
    pub date: Day,
}

/// DIS.REG, DIS.ANN, DIS.SUS, DIS.RST of an acceptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AcceptorNotice {
    Registered,
    Announced,
    Suspended,
    Restored,
}

/// An [`AcceptorNotice`] with its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Notice {
    pub what: AcceptorNotice,
    /// from_date, else the business date.
    pub from: Day,
    pub event_id: EventId,
}

/// MST.ACO, MST.ACX: an account of an enterprise is opened or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// Hash of account_id.
    pub account: u64,
    /// The branch that keeps it.
    pub branch: Option<InstId>,
    /// Legal institution that says so.
    pub keeper: Option<PartyId>,
    /// Province of the account bank, when said.
    pub province: Row,
    /// Opened or closed.
    pub opened: bool,
    /// open_date or close_date, else the business date.
    pub date: Day,
    /// The fact.
    pub event_id: EventId,
}

/// MST.TRD: a trader of a legal institution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trader {
    /// participant_status.
    pub status: Row,
    /// When it holds.
    pub validity: Validity,
}

/// MST.CRL: a bilateral credit line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditLine {
    /// Fen.
    pub limit_fen: i64,
    /// When it holds.
    pub validity: Validity,
}

/// MST.CRT: a certificate bound to an enterprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Hash of cert_id.
    pub certificate: u64,
    /// When it holds.
    pub validity: Validity,
}

/// MST.TBK: trade background of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeBackground {
    /// The fact.
    pub event_id: EventId,
    /// Its source.
    pub source: Source,
    /// The bill, when it names one.
    pub bill: Option<BillId>,
    /// Hash of contract_no.
    pub contract: Option<u64>,
    /// Hash of invoice_no.
    pub invoice: Option<u64>,
    /// contract_type.
    pub contract_type: Row,
    /// invoice_type.
    pub invoice_type: Row,
    /// goods_category.
    pub goods_category: Row,
    /// Fen.
    pub contract_fen: Option<i64>,
    /// Fen.
    pub invoice_fen: Option<i64>,
}
