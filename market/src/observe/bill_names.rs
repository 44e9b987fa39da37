//! What the bill and the lot say: `bill.*`, `lot.*`, `trade.*` of derived.csv.

use super::{
    Meanings, Observation,
    attributes::{AsOf, Known},
    roles::Player,
};
use crate::{
    bill::{BillKind, Header, Lot, TextHash},
    buckets,
    fact::{Field, Source, behaviour},
    ids::Day,
    items::{Enumeration, Item, Row},
    names::Name,
    reference_data::TradeBackground,
};

/// derived.csv `bill.price_class` of a bill with this lot: row of bill_class.
pub(crate) fn price_class<'a>(
    meanings: &Meanings,
    header: &Header,
    lot: Option<&Lot>,
    look: impl FnOnce(Player) -> Known<'a>,
) -> Row {
    let [.., rural, finance_company, central_soe, other, enhanced] = meanings.price_classes;
    let acceptor = Player { party: header.acceptor, branch: header.acceptor_inst };
    match header.kind {
        BillKind::Bab => {
            let kind = look(acceptor).institution.map_or(Row::UNKNOWN, |known| known.kind);
            meanings.bank_class_of_kind.get(usize::from(kind.0)).copied().unwrap_or(rural)
        }
        BillKind::Fab => finance_company,
        BillKind::Cab if lot.is_some_and(Lot::is_enhanced) => enhanced,
        BillKind::Cab => {
            let flags = look(acceptor).enterprise.map_or(0, |known| known.special_flags);
            if flags >> meanings.state_owned_flag.0 & 1 == 1 { central_soe } else { other }
        }
    }
}

/// The item of a name that the header alone decides; `None` for other names.
pub(crate) fn header_item(as_of: AsOf<'_>, header: &Header, name: Name) -> Option<Item> {
    let meanings = as_of.meanings;
    let known = &meanings.vocabulary.known;
    Some(match name {
        Name::BillKind if !header.kind_known => Item::UNKNOWN,
        Name::BillKind => meanings.states.kind[header.kind as usize],
        Name::Medium => meanings.vocabulary.row(known.medium, header.medium).item(known.medium),
        Name::Transferable => meanings.transferable[usize::from(!header.transferable)],
        Name::Divisible => {
            if header.divisible {
                meanings.yes
            } else {
                meanings.no
            }
        }
        Name::Face => buckets::amount(header.face_fen).item(known.amount_bucket),
        Name::TenorDays => buckets::tenor(i64::from(header.tenor_days())).item(known.tenor_bucket),
        Name::MarginRatio => buckets::margin_ratio(header.margin_fen, header.face_fen).item(known.margin_ratio_bucket),
        Name::NumberKindDigit => meanings.kind_digits[usize::from(header.bill_id.kind_digit())],
        Name::DueDate => Item::day(header.due_date),
        Name::DueDateAdjusted => Item::day(header.due_date_adjusted),
        _ => return None,
    })
}

/// The item of a lot name that the lot alone decides on a date; `None` for other names.
pub(crate) fn lot_state_item(as_of: AsOf<'_>, header: &Header, lot: &Lot, name: Name) -> Option<Item> {
    let meanings = as_of.meanings;
    let known = &meanings.vocabulary.known;
    let states = &meanings.states;
    Some(match name {
        Name::LotStatus => states.status[lot.status as usize],
        Name::CirculationFlag => states.flag[lot.flag as usize],
        Name::RiskStatus => states.risk[lot.risk as usize],
        Name::PayState => states.pay_state[lot.pay_state as usize],
        Name::Hops => buckets::hops(i64::from(lot.hops)).item(known.hop_bucket),
        Name::OverdueDays => buckets::overdue_age(overdue_days(header, lot, as_of.date)).item(known.overdue_age_bucket),
        Name::EcdsStatus => {
            let code = ecds_status(header, lot);
            code.map_or(Item::NA, |code| {
                meanings.vocabulary.row_of_text(known.ecds_status, code).item(known.ecds_status)
            })
        }
        _ => return None,
    })
}

/// derived.csv `lot.overdue_days` on a date.
pub(crate) fn overdue_days(header: &Header, lot: &Lot, date: Day) -> i64 {
    match lot.overdue_at(date) {
        None => 0,
        Some(_) => (i64::from(date.0) - i64::from(header.due_date.0)).max(1),
    }
}

/// True for lots that have, or had, a status in the older system.
pub(crate) fn has_ecds_status(header: &Header, lot: &Lot) -> bool {
    header.source == Source::Ecds || lot.is_migrated()
}

/// derived.csv `lot.ecds_status`.
fn ecds_status(header: &Header, lot: &Lot) -> Option<&'static str> {
    if !has_ecds_status(header, lot) {
        return None;
    }
    Some(match lot.last_behaviour {
        behaviour::ISS_REG => "010004",
        behaviour::ACC_REQ => "020001",
        behaviour::ACC_SGN => "020006",
        behaviour::RCV_REQ => "030001",
        behaviour::RCV_SGN => "030006",
        behaviour::END_REQ => "100001",
        behaviour::END_SGN => "100006",
        behaviour::PAY_REJ => "200412",
        behaviour::PAY_LRJ if lot.presented_in_time() => "210412",
        behaviour::PAY_LRJ => "210312",
        behaviour::PAY_ERJ => "200512",
        _ => return None,
    })
}

impl Observation<'_> {
    /// The item of a `bill.*` or `trade.*` name; `UNKNOWN` while the bill is unknown, `NA` without a bill.
    pub(super) fn bill_item(&self, name: Name) -> Item {
        let known = &self.meanings.vocabulary.known;
        match name {
            Name::ContractType => {
                return self.trade_item(Field::ContractType, known.contract_type, |said| said.contract_type);
            }
            Name::InvoiceType => {
                return self.trade_item(Field::InvoiceType, known.invoice_type, |said| said.invoice_type);
            }
            Name::GoodsCategory => {
                return self.trade_item(Field::GoodsCategory, known.goods_category, |said| said.goods_category);
            }
            _ => {}
        }
        let Some(header) = self.header else {
            return if self.fact.bill_id.is_some() { Item::UNKNOWN } else { Item::NA };
        };
        match name {
            Name::RemainingDays => {
                let days = i64::from(header.due_date.0) - i64::from(self.fact.biz_date.0);
                buckets::remaining_tenor(days).item(known.remaining_tenor_bucket)
            }
            Name::PriceClass => self.price_class().item(known.bill_class),
            Name::LotCount => buckets::lot_count(self.live_lots()).item(known.lot_count_bucket),
            _ => header_item(self.as_of(), header, name).unwrap_or(Item::UNKNOWN),
        }
    }

    fn live_lots(&self) -> i64 {
        self.bill.map_or(0, |bill| bill.live_lots().count() as i64)
    }

    /// The number of a `bill.*` name.
    pub(super) fn bill_number(&self, name: Name) -> Option<i64> {
        let header = self.header?;
        Some(match name {
            Name::Face => header.face_fen,
            Name::DueDate => i64::from(header.due_date.0),
            Name::DueDateAdjusted => i64::from(header.due_date_adjusted.0),
            Name::TenorDays => i64::from(header.tenor_days()),
            Name::RemainingDays => i64::from(header.due_date.0) - i64::from(self.fact.biz_date.0),
            Name::LotCount => self.live_lots(),
            Name::NumberKindDigit => i64::from(header.bill_id.kind_digit()),
            _ => return None,
        })
    }

    /// The item of a `lot.*` name for one lot that the fact acted on, before (when it was) and after.
    pub fn lot_item(&self, name: Name, after: &Lot, before: Option<&Lot>) -> Item {
        let known = &self.meanings.vocabulary.known;
        if name == Name::HoldingDays {
            let days = self.lot_number(name, after, before).map_or(Row::UNKNOWN, buckets::holding_period);
            return days.item(known.holding_period_bucket);
        }
        let Some(header) = self.header else { return Item::UNKNOWN };
        lot_state_item(self.as_of(), header, after, name).unwrap_or(Item::NA)
    }

    /// The number of a `lot.*` name.
    pub(super) fn lot_number(&self, name: Name, after: &Lot, before: Option<&Lot>) -> Option<i64> {
        Some(match name {
            Name::Hops => i64::from(after.hops),
            Name::HoldingDays => i64::from(self.fact.biz_date.0) - i64::from(before?.since.0),
            Name::OverdueDays => overdue_days(self.header?, after, self.fact.biz_date),
            _ => return None,
        })
    }

    /// A `trade.*` name: of the fact, else of the registration (goods), else of the trade background of the contract.
    fn trade_item(&self, field: Field, enumeration: Enumeration, of: impl Fn(&TradeBackground) -> Row) -> Item {
        let vocabulary = &self.meanings.vocabulary;
        if let Some(code) = self.fact.code(field) {
            return vocabulary.row(enumeration, code).item(enumeration);
        }
        if field == Field::GoodsCategory
            && let Some(code) = self.header.and_then(|header| header.goods_category)
        {
            return vocabulary.row(enumeration, code).item(enumeration);
        }
        let contract = self.fact.text(Field::ContractNo).map(TextHash::of);
        let contract = contract.or_else(|| self.header.and_then(|header| header.contract_no));
        let drawer = self.header.map(|header| header.drawer).or_else(|| self.fact.party(Field::DrawerId));
        let (Some(contract), Some(drawer)) = (contract, drawer) else { return Item::UNKNOWN };
        let said = self.reference.contract_by_hash(drawer, contract.bits(), self.fact.event_time);
        said.last().map_or(Row::UNKNOWN, |latest| of(&latest.value)).item(enumeration)
    }
}
