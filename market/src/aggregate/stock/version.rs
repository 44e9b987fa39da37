//! One version of a lot: its items, its sums, and what reads the same in two of them.

use crate::{
    aggregate::{is_time, measure::Slot},
    bill::{BillKind, Header, Lot},
    buckets,
    fact::Field,
    items::{Item, Items, Row},
    names::{Attribute, Name, Role},
    observe::{
        Observation, Played, Player,
        attributes::{AsOf, Known},
        bill_names::{has_ecds_status, header_item, lot_state_item, price_class},
        roles::holder_of,
    },
    reference_data::TradeBackground,
};

/// One version of a lot with the bill's face, under reference data as of its state change.
#[derive(Clone, Copy)]
pub(super) struct Version<'a> {
    pub lot: &'a Lot,
    pub header: &'a Header,
    pub as_of: AsOf<'a>,
    pub parties: Parties<'a>,
    /// What was said of its contract.
    pub trade: Option<&'a TradeBackground>,
    /// Its share of the bill's margin in the stock of accepted bills, fen.
    pub margin_fen: i64,
}

/// What is known of the parties of a version.
#[derive(Clone, Copy)]
pub(super) struct Parties<'a> {
    pub drawer: Known<'a>,
    pub acceptor: Known<'a>,
    pub payee: Known<'a>,
    pub holder: Known<'a>,
}

impl<'a> Version<'a> {
    /// A lot with what was known of its parties at its last change.
    pub fn new(lot: &'a Lot, header: &'a Header, seen: &Observation<'a>, margin_fen: i64) -> Version<'a> {
        let as_of = AsOf { at: lot.changed_at, date: lot.changed_on, ..seen.as_of() };
        // What is known at the event was mostly known at the last change, too: one look serves both.
        let look = |player: Player| {
            let now = seen.look(player);
            if now.span.holds(as_of.at) { now } else { as_of.look(player) }
        };
        let parties = Parties {
            drawer: look(drawer_of(header)),
            acceptor: look(acceptor_of(header)),
            payee: look(payee_of(header)),
            holder: look(holder_of(lot)),
        };
        let said = header
            .contract_no
            .map(|contract| as_of.reference.contract_by_hash(header.drawer, contract.bits(), as_of.at));
        let trade = said.and_then(|said| said.last()).map(|latest| &latest.value);
        Version { lot, header, as_of, parties, trade, margin_fen }
    }
}

fn drawer_of(header: &Header) -> Player {
    Player { party: header.drawer, branch: header.drawer_inst }
}

fn acceptor_of(header: &Header) -> Player {
    Player { party: header.acceptor, branch: header.acceptor_inst }
}

fn payee_of(header: &Header) -> Player {
    Player { party: header.payee, branch: header.payee_inst }
}

impl<'a> Version<'a> {
    /// What it adds to a slot.
    pub fn slot(&self, slot: Slot) -> i128 {
        match slot {
            Slot::Lots => 1,
            Slot::Balance => i128::from(self.lot.amount_fen),
            Slot::DueWeighted => i128::from(self.lot.amount_fen) * i128::from(self.header.due_date.0),
            Slot::Margin => i128::from(self.margin_fen),
            _ => 0,
        }
    }

    pub fn items(&self, name: Name) -> Items {
        let mut items = Items::new();
        self.each_item(name, |item| items.push(item));
        items
    }

    /// The items of a stock name, one by one. Days that move with the date of the cell stay raw.
    pub fn each_item(&self, name: Name, mut take: impl FnMut(Item)) {
        let (lot, header, as_of) = (self.lot, self.header, self.as_of);
        let known = &as_of.meanings.vocabulary().known;
        let item = match name {
            Name::Of(role, attribute) => {
                let (played, known) = self.played(role);
                return as_of.each_item(role, played, attribute, |_| known, take);
            }
            name if is_time(name) => Item::ALL,
            Name::RemainingDays => Item::day(header.due_date),
            Name::HoldingDays => Item::day(lot.since),
            // In the overdue stock every lot is overdue; elsewhere the day says when it was due.
            Name::OverdueDays => Item::day(header.due_date),
            Name::PriceClass => {
                price_class(as_of.meanings, header, Some(lot), |_| self.parties.acceptor).item(known.bill_class)
            }
            Name::Field(Field::DishonourReason) => lot.dishonour_reason().map_or(Item::NA, |reason| {
                as_of.meanings.vocabulary().row(known.dishonour_reason, reason).item(known.dishonour_reason)
            }),
            Name::Source => as_of.meanings.source_item(header.source),
            Name::Amount => buckets::amount(lot.amount_fen).item(known.amount_bucket),
            Name::ContractType => self.trade(|said| said.contract_type).item(known.contract_type),
            Name::InvoiceType => self.trade(|said| said.invoice_type).item(known.invoice_type),
            Name::GoodsCategory => match header.goods_category {
                Some(code) => as_of.meanings.vocabulary().row(known.goods_category, code),
                None => self.trade(|said| said.goods_category),
            }
            .item(known.goods_category),
            name => lot_state_item(as_of, header, lot, name)
                .or_else(|| header_item(as_of, header, name))
                .unwrap_or(Item::NA),
        };
        take(item);
    }

    pub fn played(&self, role: Role) -> (Played, Known<'a>) {
        let (header, parties) = (self.header, self.parties);
        match role {
            Role::Drawer => (Played::By(drawer_of(header)), parties.drawer),
            Role::Payee => (Played::By(payee_of(header)), parties.payee),
            Role::AcceptingInstitution if header.kind == BillKind::Cab => (Played::ByEnterprise, parties.acceptor),
            Role::Acceptor | Role::AcceptingInstitution => (Played::By(acceptor_of(header)), parties.acceptor),
            Role::Holder | Role::HoldingInstitution => (Played::By(holder_of(self.lot)), parties.holder),
            _ => (Played::NoRole, Known::NOTHING),
        }
    }

    fn trade(&self, of: impl Fn(&TradeBackground) -> Row) -> Row {
        self.trade.map_or(Row::UNKNOWN, of)
    }
}

/// What a stock name reads: names that read the same are equal in two versions together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::aggregate) enum Reads {
    /// Ages, groups and lists move with the instant even when nothing was said.
    Moment,
    Holder,
    BillParties,
    PriceClass,
    Since,
    OlderSystem,
    Trade,
    OverdueDays,
    State,
    /// The face and the length, which are compared with the sums.
    Bill,
}

/// Number of kinds of [`Reads`].
pub(super) const READS: usize = Reads::Bill as usize + 1;

/// What a stock name reads.
pub(in crate::aggregate) fn reads(name: Name) -> Reads {
    match name {
        Name::Of(_, Attribute::Age | Attribute::WatchLists | Attribute::Group) => Reads::Moment,
        Name::Of(Role::Holder | Role::HoldingInstitution, _) => Reads::Holder,
        Name::Of(..) => Reads::BillParties,
        Name::PriceClass => Reads::PriceClass,
        Name::HoldingDays => Reads::Since,
        Name::EcdsStatus => Reads::OlderSystem,
        Name::ContractType | Name::GoodsCategory | Name::InvoiceType => Reads::Trade,
        Name::Field(_) => Reads::State,
        Name::OverdueDays => Reads::OverdueDays,
        name if name.is_of_lot() => Reads::State,
        _ => Reads::Bill,
    }
}

/// What surely reads the same in two versions of a lot.
pub(super) fn unchanged(old: Version<'_>, new: Version<'_>) -> [bool; READS] {
    let (before, after) = (old.parties, new.parties);
    let (was, is) = (old.lot, new.lot);
    let bill_parties = before.drawer.is_same(&after.drawer)
        && before.acceptor.is_same(&after.acceptor)
        && before.payee.is_same(&after.payee);
    let state = (was.status, was.flag, was.risk, was.pay_state, was.hops, was.is_enhanced())
        == (is.status, is.flag, is.risk, is.pay_state, is.hops, is.is_enhanced())
        && was.overdue_since == is.overdue_since
        && was.answer_due == is.answer_due
        && was.dishonour_reason() == is.dishonour_reason();
    let mut still = [false; READS];
    still[Reads::Holder as usize] =
        was.holder == is.holder && was.holder_inst == is.holder_inst && before.holder.is_same(&after.holder);
    still[Reads::BillParties as usize] = bill_parties;
    still[Reads::PriceClass as usize] = bill_parties && state;
    still[Reads::Since as usize] = was.since == is.since;
    still[Reads::OlderSystem as usize] = !has_ecds_status(new.header, was) && !has_ecds_status(new.header, is);
    still[Reads::Trade as usize] = old.trade.map(std::ptr::from_ref) == new.trade.map(std::ptr::from_ref);
    still[Reads::OverdueDays as usize] = state && was.changed_on == is.changed_on;
    still[Reads::State as usize] = state;
    still[Reads::Bill as usize] = true;
    still
}
