//! One fact as views see it: with its effect, its bill before and after, and reference data as of the event.
//!
//! Owns what names mean (derived.csv): [`Observation::items`] gives the items of a name, [`Observation::number`] its number.
//! Invariant: both are pure functions of the fact, its outcome, the bill after it and the reference data; nothing here
//! knows the order of arrival. Roles are found once an observation ([`Observation::role`]).
//!
//! Begin with [`Observation::new`]; `meanings` holds what is compiled from the catalogue, `roles` who plays which part,
//! `attributes` what a party is, `bill_names` what the bill and the lot say.

pub(crate) mod attributes;
pub(crate) mod bill_names;
mod day_types;
pub(crate) mod meanings;
pub(crate) mod roles;

use std::cell::{Cell, OnceCell, RefCell};

use smallvec::SmallVec;

use self::{
    attributes::{AsOf, Known},
    meanings::BehaviourMeaning,
};
pub use self::{
    meanings::Meanings,
    roles::{Played, Player},
};
use crate::{
    bill::{Bill, Effect, Header, Lot, Outcome},
    buckets,
    fact::{Fact, Field, Range, behaviour},
    ids::{Code, Day},
    items::{Item, Items, Row},
    names::{Attribute, Name, ROLES, Role},
    reference_data::Reference,
};

/// Denominator of interest: days of a year times the scale of a rate e4 in percent (derived.csv `interest_expected_fen`).
const INTEREST_UNIT: i128 = 360 * 1_000_000;

/// One fact and everything that names read.
pub struct Observation<'a> {
    /// The fact of the market (corrected).
    pub fact: &'a Fact,
    /// What it did.
    pub outcome: &'a Outcome,
    /// The bill after it; `None` for facts without a bill.
    pub bill: Option<&'a Bill>,
    /// The face of the bill.
    pub header: Option<&'a Header>,
    /// Reference data.
    pub reference: &'a Reference,
    /// The compiled catalogue.
    pub meanings: &'a Meanings,
    pub(crate) meaning: &'a BehaviourMeaning,
    memo: [Cell<Option<Played>>; ROLES.len()],
    parties: OnceCell<SmallVec<[(Row, Player); 4]>>,
    looked: RefCell<SmallVec<[(Player, Known<'a>); 4]>>,
    price_class: Cell<Option<Row>>,
    curve: Cell<Option<Option<i64>>>,
}

impl<'a> Observation<'a> {
    /// A fact that did this to its bill, which is now so. Facts without a bill: INFORMATIONAL and no bill.
    pub fn new(
        fact: &'a Fact,
        outcome: &'a Outcome,
        bill: Option<&'a Bill>,
        reference: &'a Reference,
        meanings: &'a Meanings,
    ) -> Self {
        Observation {
            fact,
            outcome,
            bill,
            header: bill.and_then(|bill| bill.header.as_ref()),
            reference,
            meanings,
            meaning: meanings.of(fact.behaviour),
            memo: [const { Cell::new(None) }; ROLES.len()],
            parties: OnceCell::new(),
            looked: RefCell::new(SmallVec::new()),
            price_class: Cell::new(None),
            curve: Cell::new(None),
        }
    }

    /// Its effect.
    pub fn effect(&self) -> Effect {
        self.outcome.effect
    }

    /// Reference data as of the event.
    pub(crate) fn as_of(&self) -> AsOf<'a> {
        AsOf { meanings: self.meanings, reference: self.reference, at: self.fact.event_time, date: self.fact.biz_date }
    }

    /// What reference data knows of a party as of the event; looked up once.
    pub(crate) fn look(&self, player: Player) -> Known<'a> {
        let mut looked = self.looked.borrow_mut();
        if let Some((_, known)) = looked.iter().find(|(other, _)| *other == player) {
            return *known;
        }
        let known = self.as_of().look(player);
        looked.push((player, known));
        known
    }

    /// The first lot that the fact acted on, after it; else the lot at the start of its range.
    pub fn lot(&self) -> Option<&'a Lot> {
        match self.outcome.acted().next() {
            Some(change) => Some(&change.after),
            None => self.lot_at_range(),
        }
    }

    /// The first lot that the fact acted on, before it; `None` for a new bill and when the fact changed nothing.
    pub fn lot_before(&self) -> Option<&'a Lot> {
        self.outcome.acted().next()?.before.as_ref()
    }

    fn lot_at_range(&self) -> Option<&'a Lot> {
        let lots = &self.bill?.lots;
        let start = self.fact.range.start;
        lots.iter().find(|lot| lot.range == Range::WHOLE || (lot.range.start <= start && start <= lot.range.end))
    }

    /// Fen that the fact is about: as sent, else the length of the range, else the face.
    pub fn amount_fen(&self) -> i64 {
        if let Some(sent) = self.fact.amount_sent() {
            return sent;
        }
        match self.fact.range {
            Range::WHOLE => self.header.map_or(0, |header| header.face_fen),
            range => range.length() as i64,
        }
    }

    /// The party that plays a role, when one is named.
    pub fn player(&self, role: Role) -> Option<Player> {
        self.role(role).player()
    }

    /// derived.csv `bill.price_class`: row of bill_class.
    pub fn price_class(&self) -> Row {
        if let Some(class) = self.price_class.get() {
            return class;
        }
        let class = self.header.map_or(Row::UNKNOWN, |header| {
            bill_names::price_class(self.meanings, header, self.lot(), |player| self.look(player))
        });
        self.price_class.set(Some(class));
        class
    }

    /// derived.csv `price.days`.
    pub fn price_days(&self) -> Option<i64> {
        let settled = self.fact.date(Field::SettleDate).unwrap_or(self.fact.biz_date);
        Some(i64::from(self.header?.due_date_adjusted.0) - i64::from(settled.0))
    }

    /// derived.csv `curve_e4` of the bill's class, its days to the adjusted due date, as of the event; `None` without a
    /// point of the class. The fallback by recent deals reads other bills and is not part of an observation.
    pub fn curve_e4(&self) -> Option<i64> {
        if let Some(curve) = self.curve.get() {
            return curve;
        }
        let find = || self.reference.curve_e4(self.price_class(), self.price_days()?, self.fact.event_time);
        let curve = find();
        self.curve.set(Some(curve));
        curve
    }

    /// derived.csv `event.spread_bp` in e4: rate - curve.
    pub fn spread_e4(&self) -> Option<i64> {
        self.fact.int(Field::RateE4)?.checked_sub(self.curve_e4()?)
    }

    /// derived.csv `interest_expected_fen`: amount * rate * days / (360 * 10^6), half up.
    pub fn interest_expected_fen(&self) -> Option<i64> {
        let rate = i128::from(self.fact.int(Field::RateE4)?);
        let over = i128::from(self.amount_fen()).checked_mul(rate)?.checked_mul(i128::from(self.price_days()?))?;
        let doubled = over.checked_mul(2)?.checked_add(INTEREST_UNIT)?;
        i64::try_from(doubled.div_euclid(2 * INTEREST_UNIT)).ok()
    }

    /// The item of a coded field, with its default.
    pub fn field_item(&self, field: Field) -> Item {
        let Some(enumeration) = self.meanings.field_enumeration(field) else { return Item::UNKNOWN };
        match self.fact.code(field) {
            Some(code) => self.meanings.vocabulary.row(enumeration, code).item(enumeration),
            None if field == Field::DiscountType && self.fact.code(Field::Channel) == Some(THROUGH) => {
                self.meanings.vocabulary.row_of_text(enumeration, "RM02").item(enumeration)
            }
            None => self.meaning.default_item(field),
        }
    }

    /// True when the fact came by the supply-chain channel.
    pub fn by_supply_chain(&self) -> bool {
        self.fact.code(Field::Channel) == Some(SUPPLY_CHAIN)
    }

    /// The items of a name for this fact. Lot names read the first lot; [`Observation::lot_items`] takes any.
    pub fn items(&self, name: Name) -> Items {
        let mut items = Items::new();
        self.each_item(name, |item| items.push(item));
        items
    }

    /// The same, item by item: for who only passes them on.
    #[inline]
    pub fn each_item(&self, name: Name, mut take: impl FnMut(Item)) {
        let known = &self.meanings.vocabulary.known;
        let fact = self.fact;
        match name {
            Name::Field(Field::RateE4) => {
                take(fact.int(Field::RateE4).map_or(Row::UNKNOWN, buckets::rate).item(known.rate_bucket))
            }
            Name::Field(Field::RepoDays) => {
                take(fact.int(Field::RepoDays).map_or(Row::UNKNOWN, buckets::repo_term).item(known.repo_term_bucket))
            }
            Name::Field(field) if self.meanings.field_enumeration(field).is_some() => take(self.field_item(field)),
            Name::Field(field) => {
                take(match (fact.party(field), fact.inst(field), fact.date(field), fact.int(field)) {
                    (Some(party), ..) => Item::party(party),
                    (_, Some(branch), ..) => Item::branch(branch),
                    (_, _, Some(day), _) => Item::day(day),
                    (.., Some(number)) => Item::number(number),
                    _ => Item::UNKNOWN,
                })
            }
            Name::Behaviour => take(self.meaning.item),
            Name::BehaviourGroup => take(self.meaning.group),
            Name::Source => take(self.meanings.source_item(fact.source)),
            Name::BizDate => take(Item::day(fact.biz_date)),
            Name::Month => take(self.meanings.month_item(fact.biz_date)),
            Name::Quarter => take(self.meanings.quarter_item(fact.biz_date)),
            Name::Year => take(self.meanings.year_item(fact.biz_date)),
            Name::DayType => self.meanings.day_type_items(fact.biz_date).into_iter().for_each(take),
            Name::Hour => {
                let ms = fact.event_time - Day::of_time(fact.event_time).start_ms();
                take(Row((ms / 3_600_000) as u16).item(known.hour_of_day))
            }
            Name::BusinessKind => take(match fact.code(Field::BusinessKind) {
                Some(_) => self.field_item(Field::BusinessKind),
                None => self.meaning.business_kind,
            }),
            Name::EndorsementKind => take(self.field_item(Field::EndorsementKind)),
            Name::RediscountPurpose => take(self.rediscount_purpose()),
            Name::Product => {
                if self.by_supply_chain() && fact.bill_id.is_some() {
                    match self.meaning.product {
                        Item::NA => take(self.meanings.supply_chain_product),
                        product => {
                            take(product);
                            take(self.meanings.supply_chain_product);
                        }
                    }
                } else {
                    take(self.meaning.product)
                }
            }
            Name::QuoteMethod => take(self.quote_method()),
            Name::Side if fact.behaviour == behaviour::IBT_SET => {
                take(self.meanings.sell_side);
                take(self.meanings.buy_side);
            }
            Name::Side => take(match fact.code(Field::Side) {
                Some(_) => self.field_item(Field::Side),
                None => self.meaning.side,
            }),
            Name::PartyRole => {
                let mut roles = Items::new();
                for (role, _) in self.parties() {
                    let item = role.item(known.role);
                    if !roles.contains(&item) {
                        roles.push(item);
                    }
                }
                roles.into_iter().for_each(take);
            }
            Name::Spread => take(self.spread_e4().map_or(Row::UNKNOWN, buckets::spread).item(known.spread_bucket)),
            Name::Amount => take(buckets::amount(self.amount_fen()).item(known.amount_bucket)),
            Name::CurveTenor => take(self.field_item(Field::CurveTenor)),
            Name::RateKind if fact.behaviour == behaviour::REF_CRV => take(self.meanings.curve_rate_kind),
            Name::RateKind => take(self.field_item(Field::RateKind)),
            Name::ListType => take(self.list_type()),
            Name::CurveRate | Name::PriceDays | Name::InterestExpected => {
                take(self.number(name).map_or(Item::UNKNOWN, Item::number))
            }
            Name::Of(Role::EachEnterprise, attribute) => {
                self.each(Role::EachEnterprise, attribute, self.enterprises().map(|(_, player)| player), take);
            }
            Name::Of(Role::EachInstitution, attribute) => {
                self.each(Role::EachInstitution, attribute, self.institutions().into_iter(), take);
            }
            Name::Of(role, attribute) => {
                self.as_of().each_item(role, self.role(role), attribute, |player| self.look(player), take);
            }
            name if name.is_of_lot() => match self.lot() {
                Some(lot) => take(self.lot_item(name, lot, self.lot_before())),
                None => take(Item::NA),
            },
            name => take(self.bill_item(name)),
        }
    }

    /// The items of an attribute of one player in a role, for views that count player by player.
    pub fn items_of(&self, role: Role, player: Player, attribute: Attribute) -> Items {
        self.as_of().items(role, Played::By(player), attribute, |player| self.look(player))
    }

    fn each(&self, role: Role, attribute: Attribute, players: impl Iterator<Item = Player>, take: impl FnMut(Item)) {
        let mut items = Items::new();
        for player in players {
            for item in self.items_of(role, player, attribute) {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        if items.is_empty() {
            items.push(Item::NA);
        }
        items.into_iter().for_each(take);
    }

    fn quote_method(&self) -> Item {
        if self.fact.code(Field::QuoteMethod).is_some() {
            return self.field_item(Field::QuoteMethod);
        }
        if let Some(item) = self.meaning.quote_method {
            return item;
        }
        let Some(request) = self.lot_before().and_then(|lot| lot.request) else { return Item::UNKNOWN };
        match (request.mode, self.meanings.field_enumeration(Field::QuoteMethod)) {
            (Some(sent), Some(methods)) => self.meanings.vocabulary.row(methods, sent).item(methods),
            _ => self.meanings.of(request.behaviour).quote_method.unwrap_or(Item::UNKNOWN),
        }
    }

    fn rediscount_purpose(&self) -> Item {
        let sent = self.fact.code(Field::RediscountPurpose);
        let asked = || {
            let request = self.lot_before()?.request?;
            request.mode.filter(|_| matches!(request.behaviour, behaviour::RDC_BRQ | behaviour::RDC_RRQ))
        };
        match (sent.or_else(asked), self.meanings.field_enumeration(Field::RediscountPurpose)) {
            (Some(code), Some(purposes)) => self.meanings.vocabulary.row(purposes, code).item(purposes),
            _ => self.meaning.default_item(Field::RediscountPurpose),
        }
    }

    fn list_type(&self) -> Item {
        let enumeration = self.meanings.vocabulary.known.watch_list_type;
        let code = match self.fact.behaviour {
            behaviour::DIS_OVL => "WL01",
            behaviour::DIS_PSL => "WL02",
            _ => return self.field_item(Field::ListType),
        };
        self.meanings.vocabulary.row_of_text(enumeration, code).item(enumeration)
    }

    /// The number of a name: fen, e4, days (dates as days since 1970-01-01), counts; `None` when the name has no number or
    /// it is missing. Codes are no numbers.
    pub fn number(&self, name: Name) -> Option<i64> {
        let fact = self.fact;
        match name {
            Name::Field(field) => fact.int(field).or_else(|| fact.date(field).map(|day| i64::from(day.0))),
            Name::Amount => Some(self.amount_fen()),
            Name::BizDate => Some(i64::from(fact.biz_date.0)),
            Name::Spread => self.spread_e4(),
            Name::CurveRate => self.curve_e4(),
            Name::PriceDays => self.price_days(),
            Name::InterestExpected => self.interest_expected_fen(),
            Name::Of(role, attribute) => self.number_of(self.player(role)?, attribute),
            name if name.is_of_lot() => self.lot_number(name, self.lot()?, self.lot_before()),
            name => self.bill_number(name),
        }
    }

    fn number_of(&self, player: Player, attribute: Attribute) -> Option<i64> {
        let known = self.look(player);
        match attribute {
            Attribute::RegisteredCapital => known.enterprise?.reg_capital_fen,
            Attribute::Age => {
                let registered = known.enterprise?.reg_date?;
                Some(i64::from(self.fact.biz_date.0) - i64::from(registered.0))
            }
            Attribute::TotalAssets => known.total_assets_fen(),
            _ => None,
        }
    }
}

const THROUGH: Code = Code::of("DTH");
const SUPPLY_CHAIN: Code = Code::of("SCB");
