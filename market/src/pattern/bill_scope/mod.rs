//! Expressions on one folded fact: variables, the bill's past, reference data at the instant of the fact.
//!
//! Serves bill-scope rules, filters of features and timers. For a stock the same words are asked about a lot; master data are
//! then read as of the acceptance of the bill, which never changes, so that a balance is taken away exactly as it was added.
//!
//! Here are the variables; `past` has the functions of the fact and of the bill's past, `lookups` those of reference data.

mod lookups;
mod past;

pub(crate) use self::lookups::{is_enterprise, lookup};
use self::past::minutes;

use super::{
    expression::{Node, Scope, values},
    number::Number,
    rules::Rule,
    sight::{Moment, Registry, Sight},
    vocabulary::{Derived, History, Lookup, Role, Variable, code_number, text_number},
    whole::{UNKNOWN, whole_of},
};
use crate::{
    bill::{Lot, RepoDeal, Surety, TextHash},
    books::range_mark,
    defaults::{redeem_date, settle_date, settlement_result},
    fact::{Behaviour, Field, Value},
    ids::{Code, Day, PartyId},
    key_group::stable_hash64,
};

const BANK_CLASS: Code = Code::of("BCL1");

/// Words of one fact, or of one lot that it changed.
pub(super) struct BillScope<'a, S, R> {
    pub sight: &'a S,
    pub registry: &'a R,
    pub parameters: &'a [Number],
    /// The party that role `key` stands for.
    pub key: Option<PartyId>,
    /// The lot, in stock scope.
    pub lot: Option<&'a Lot>,
    /// A surety of the lot, in stock for each.
    pub surety: Option<&'a Surety>,
}

/// A short text as the whole number that stands for it.
fn text_whole(text: &str) -> i128 {
    whole_of(Some(text_number(text)))
}

pub(super) fn party_number(party: PartyId) -> Number {
    Number::whole(party.bits().into())
}

fn day_number(day: Day) -> Number {
    i64::from(day.0).into()
}

fn text_hash(text: &str) -> Number {
    Number::whole(TextHash::of(text).bits().into())
}

fn as_party(number: Number) -> Option<PartyId> {
    Some(PartyId::from_bits(u64::try_from(number.as_whole()?).ok()?))
}

fn as_day(number: Number) -> Option<Day> {
    Some(Day(i32::try_from(number.as_whole()?).ok()?))
}

fn as_i64(number: Number) -> Option<i64> {
    i64::try_from(number.as_whole()?).ok()
}

impl<'a, S: Sight, R: Registry> BillScope<'a, S, R> {
    /// Of one fact, for a rule and one of the parties that it is judged for.
    pub fn of_rule(sight: &'a S, registry: &'a R, rule: &'a Rule, key: Option<PartyId>) -> Self {
        BillScope { sight, registry, parameters: &rule.parameters, key, lot: None, surety: None }
    }

    /// As of when master data are read.
    fn moment(&self) -> Moment {
        let fact = self.sight.fact();
        let header = self.lot.and_then(|_| self.sight.header());
        let (date, at) = match header {
            Some(header) => header.accepted.unwrap_or((header.registered_on, header.registered_at)),
            None => (fact.biz_date, fact.event_time),
        };
        Moment { at, date }
    }

    pub fn party(&self, role: Role) -> Option<PartyId> {
        match role {
            Role::Key => self.key,
            Role::OtherKey | Role::Member => None,
            Role::Source => self.source(),
            Role::Guarantor => Some(self.surety?.guarantor),
            Role::Guaranteed => self.surety?.debtor,
            Role::RepoBuyer if self.lot.is_some() => Some(self.lot?.repo()?.buyer),
            Role::Holder => self.lot.map(|lot| lot.holder),
            Role::RepoSeller if self.lot.is_some() => Some(self.lot?.repo()?.seller),
            Role::LotDiscounter => self.lot?.discounter(),
            _ => self.sight.role(role),
        }
    }

    fn derived(&self, derived: Derived) -> Option<Number> {
        let fact = self.sight.fact();
        let header = self.sight.header();
        match derived {
            Derived::Amount => self.sight.amount_fen().map(Number::from),
            Derived::Date => Some(day_number(fact.biz_date)),
            Derived::Time => Some(fact.event_time.into()),
            Derived::MinuteOfDay => Some((minutes(fact.event_time - Day::of_time(fact.event_time).start_ms())).into()),
            Derived::BillMargin => Some(header?.margin_fen.into()),
            Derived::Contract => {
                let named = fact.text(Field::ContractNo).map(TextHash::of);
                let contract = named.or_else(|| header.and_then(|header| header.contract_no))?;
                Some(Number::whole(contract.bits().into()))
            }
            Derived::ChangedField => fact.text(Field::FieldName).map(text_number),
            Derived::IngestTime => Some(fact.stamp.ingest_time.into()),
            Derived::Face => Some(header?.face_fen.into()),
            Derived::Kind => Some(text_number(header?.kind.code())),
            Derived::Medium => Some(code_number(&header?.medium)),
            Derived::IssueDate => Some(day_number(header?.issue_date)),
            Derived::DueDate => Some(day_number(header?.due_date)),
            Derived::PriceClass => Some(code_number(&self.sight.price_class()?)),
            Derived::PriceDays => Some(self.price_days()?.into()),
            Derived::CurveE4 => Some(self.curve(self.sight.price_class()?)?.into()),
            Derived::BankCurveE4 => Some(self.curve(BANK_CLASS)?.into()),
            Derived::ExpectedInterest => {
                let per_day = Number::from(self.sight.amount_fen()?).times(fact.int(Field::RateE4)?.into())?;
                let interest = per_day.times(self.price_days()?.into())?.over(Number::whole(360_000_000))?;
                interest.round_half_up().map(Number::whole)
            }
            Derived::Behaviour => Some(text_number(fact.behaviour.code())),
            Derived::NumberDigit => {
                let bill = fact.bill_id.filter(|bill| bill.length == 30)?;
                Some(i64::from(bill.kind_digit()).into())
            }
            Derived::AcceptorBankProvince => {
                let branch = header?.acceptor_inst?;
                Some(code_number(&self.registry.branch_province(branch, self.moment())?))
            }
            Derived::AcceptorAccountAge => {
                let header = header?;
                let opened = self.registry.account_opened(header.acceptor, header.acceptor_inst?, self.moment())?;
                Some(i64::from(fact.biz_date.0 - opened.0).into())
            }
            Derived::Invoice => fact.text(Field::InvoiceNo).map(text_hash),
            Derived::Device => fact.text(Field::DeviceId).map(text_hash),
            Derived::SourceNumber => Some((i64::from(fact.source.rank()) + 1).into()),
            Derived::SourceWatermark => Some(fact.stamp.source_watermark.into()),
            Derived::EventId => i128::try_from(fact.event_id).ok().map(Number::whole),
            Derived::BillId => i128::try_from(fact.bill_id?.digits).ok().map(Number::whole),
            Derived::DiscounterBranch => Some(i64::from(self.sight.branch(Role::Discounter)?.0).into()),
            Derived::BillChannel => Some(code_number(&header?.channel?)),
            Derived::BillDivisible => Some(header?.divisible.into()),
            Derived::Market => Some(party_number(PartyId::MARKET)),
            Derived::MemberNumber => None,
            Derived::LotFen => Some(self.lot_fen()?.into()),
            Derived::LotMargin => {
                let header = header?;
                let part = Number::from(header.margin_fen).times(self.lot_fen()?.into())?;
                part.over(header.face_fen.into())?.round_half_up().map(Number::whole)
            }
            Derived::SuretyKind => Some(text_number(self.surety?.behaviour.code())),
            Derived::SuretyFen => Some(self.surety?.amount_fen.min(self.lot_fen()?).into()),
            Derived::LotStatus => Some(text_number(self.lot?.status.code())),
            Derived::LotRepo => Some(text_number(self.lot?.repo()?.behaviour.code())),
            Derived::LotFlag => Some(text_number(self.lot?.flag.code())),
            Derived::LotDiscounted => Some(self.lot?.discounter().is_some().into()),
            Derived::LotFirstFen => self.lot?.repo()?.first_fen.map(Number::from),
            Derived::LotRepoRate => self.lot?.repo()?.rate_e4.map(Number::from),
            Derived::LotRepoDays => {
                let deal = self.lot?.repo()?;
                Some(i64::from(deal.redeem_date?.0 - deal.since_date.0).into())
            }
            Derived::OpenDealSince => Some(self.open_deal()?.since.into()),
            Derived::OpenDealFailedOn => self.open_deal()?.failed_on.map(day_number),
            Derived::RangeMark => {
                let range = self.lot.map_or(fact.range, |lot| lot.range);
                Some(range_mark(fact.bill_id?, range).into())
            }
            Derived::QueueNumber => {
                let number = stable_hash64(fact.text(Field::QueueId)?.as_bytes());
                Some(Number::whole(number.into()))
            }
            Derived::LotOverdueFrom => {
                let lot = self.lot?;
                let from = lot.overdue_since.or(lot.answer_due).filter(|_| lot.is_live());
                from.map(day_number)
            }
            Derived::LotSeenOverdueFrom => {
                let lot = self.lot.filter(|lot| lot.is_live())?;
                lot.overdue_since.or(lot.answer_due.map(|due| due.plus(1))).map(day_number)
            }
        }
    }

    /// The repo-like deal in which the range stood before the fact, of its first lot that stood in one.
    fn open_deal(&self) -> Option<RepoDeal> {
        let mut deal = None;
        self.sight.lots_before(&mut |lot| deal = deal.or(lot.repo().copied()));
        deal
    }

    fn lot_fen(&self) -> Option<i64> {
        let length = self.lot?.range.length();
        if length == 0 { Some(self.sight.header()?.face_fen) } else { i64::try_from(length).ok() }
    }

    /// price.days: from settlement (absent: the business date) to the due date, rolled to a business day.
    fn price_days(&self) -> Option<i64> {
        let fact = self.sight.fact();
        let settled = fact.date(Field::SettleDate).unwrap_or(fact.biz_date);
        Some(i64::from(self.sight.header()?.due_date_adjusted.0 - settled.0))
    }

    fn curve(&self, class: Code) -> Option<i64> {
        self.registry.curve_e4(class, self.price_days()?, self.moment())
    }

    /// A field with its default (facts.md 1).
    fn field(&self, field: Field) -> Option<Number> {
        let Some(sent) = self.sight.fact().get(field) else { return self.default_of(field) };
        match sent {
            Value::Int(value) => Some((*value).into()),
            Value::Bool(value) => Some((*value).into()),
            Value::Date(day) => Some(day_number(*day)),
            Value::Code(code) => Some(code_number(code)),
            Value::Party(party) => Some(party_number(*party)),
            Value::Inst(inst) => Some(i64::from(inst.0).into()),
            // Short texts compare with literals, long ones only with each other.
            Value::Text(text) if text.len() <= 16 && text.is_ascii() => Some(text_number(text)),
            Value::Text(text) => Some(text_hash(text)),
            Value::Id(_) | Value::Codes(_) => None,
        }
    }

    /// What an absent field counts as: sums, dates and the codes that rules compare (fields.csv `default_when_absent`).
    fn default_of(&self, field: Field) -> Option<Number> {
        let fact = self.sight.fact();
        match field {
            Field::SettleDate => Some(day_number(settle_date(fact, self.registry.calendar()))),
            Field::RedeemDate => redeem_date(fact, self.registry.calendar()).map(day_number),
            Field::PaidFen | Field::ClaimFen | Field::GuaranteeFen | Field::EnhanceFen | Field::SecuredFen => {
                self.sight.amount_fen().map(Number::from)
            }
            Field::PenaltyFen => Some(Number::ZERO),
            Field::BillCount => Some(1.into()),
            Field::SettlementResult => {
                settlement_result(fact.behaviour.code()).map(|code| code_number(&Code::of(code)))
            }
            _ => None,
        }
    }
}

impl<S: Sight, R: Registry> Scope for BillScope<'_, S, R> {
    fn variable(&self, variable: &Variable) -> Option<Number> {
        match variable {
            Variable::Derived(derived) => self.derived(*derived),
            Variable::Party(role) => self.party(*role).map(party_number),
            Variable::Field(field) => self.field(*field),
            Variable::Attribute(role, field) => {
                self.registry.attribute(self.party(*role)?, self.sight.branch(*role), *field, self.moment())
            }
        }
    }

    fn is_present(&self, variable: &Variable) -> bool {
        match variable {
            Variable::Field(field) => self.sight.fact().get(*field).is_some(),
            _ => self.variable(variable).is_some(),
        }
    }

    fn parameter(&self, place: usize) -> Option<Number> {
        self.parameters.get(place).copied()
    }
    fn history(&self, function: History, behaviours: &[Behaviour], arguments: &[Number]) -> Option<Number> {
        self.past(function, behaviours, arguments)
    }

    fn lookup(&self, function: Lookup, arguments: &[Number]) -> Option<Number> {
        lookup(self.registry, self.moment(), function, arguments)
    }

    fn whole_variable(&self, variable: &Variable) -> i128 {
        let header = || self.sight.header();
        let whole = match variable {
            Variable::Party(role) => self.party(*role).map(|party| party.bits().into()),
            Variable::Derived(Derived::Face) => header().map(|header| header.face_fen.into()),
            Variable::Derived(Derived::DueDate) => header().map(|header| header.due_date.0.into()),
            Variable::Derived(Derived::Date) => Some(self.sight.fact().biz_date.0.into()),
            Variable::Derived(Derived::Time) => Some(self.sight.fact().event_time.into()),
            Variable::Derived(Derived::IngestTime) => Some(self.sight.fact().stamp.ingest_time.into()),
            Variable::Derived(Derived::SourceWatermark) => Some(self.sight.fact().stamp.source_watermark.into()),
            Variable::Derived(Derived::Amount) => self.sight.amount_fen().map(i128::from),
            Variable::Derived(Derived::LotFen) => self.lot_fen().map(i128::from),
            Variable::Derived(Derived::RangeMark) => {
                let range = self.lot.map_or(self.sight.fact().range, |lot| lot.range);
                self.sight.fact().bill_id.map(|bill| range_mark(bill, range).into())
            }
            Variable::Derived(Derived::Kind) => header().map(|header| text_whole(header.kind.code())),
            Variable::Derived(Derived::LotStatus) => self.lot.map(|lot| text_whole(lot.status.code())),
            _ => return whole_of(self.variable(variable)),
        };
        whole.unwrap_or(UNKNOWN)
    }
    fn whole_history(&self, function: History, behaviours: &[Behaviour], arguments: &[Node]) -> i128 {
        self.whole_past(function, behaviours, arguments)
    }

    fn whole_lookup(&self, function: Lookup, arguments: &[Node]) -> i128 {
        if function == Lookup::IsEnterprise {
            return is_enterprise(arguments[0].whole(self));
        }
        whole_of(values(arguments, self).and_then(|values| self.lookup(function, &values)))
    }
}
