//! Expressions on one folded fact: variables, the bill's past, reference data at the instant of the fact.
//!
//! Serves bill-scope rules, filters of features and timers. For a stock the same words are asked about a lot; master data are
//! then read as of the acceptance of the bill, which never changes, so that a balance is taken away exactly as it was added.

use super::{
    expression::{Node, Scope, values},
    number::Number,
    rules::Rule,
    sight::{Moment, Registry, Sight},
    vocabulary::{Derived, History, Lookup, Role, Variable, code_number, number_text, text_number},
    whole::{UNKNOWN, among, whole_of},
};
use crate::{
    bill::{Flag, Lot, RepoDeal, Step, Surety, TextHash},
    fact::{BEHAVIOUR_CODES, Behaviour, FIELDS, Field, Range, Value, behaviour},
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
            Derived::Behaviour => Some(text_number(BEHAVIOUR_CODES[usize::from(fact.behaviour.0)])),
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
            Derived::QueueNumber => {
                let number = stable_hash64(fact.text(Field::QueueId)?.as_bytes());
                Some(Number::whole(number.into()))
            }
            Derived::LotOverdueFrom => {
                let lot = self.lot?;
                let from = lot.overdue_since.or(lot.answer_due).filter(|_| lot.is_live());
                from.map(day_number)
            }
        }
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

    fn field(&self, field: Field) -> Option<Number> {
        let fact = self.sight.fact();
        match fact.get(field)? {
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

    /// The most that `measure` finds on the lineages of the lots acted on; `None` when it finds nothing on any.
    fn on_lineages(&self, measure: impl Fn(&[Step]) -> Option<i64>) -> Option<Number> {
        let mut most: Option<i64> = None;
        self.sight.lots_after(&mut |lot| most = most.max(measure(&lot.lineage)));
        most.map(Number::from)
    }

    /// Whether some lot in the range bore one of the codes before the fact.
    fn found_before(&self, codes: &[Node], code_of: impl Fn(&Lot) -> &'static str) -> i128 {
        let mut found = 0;
        self.sight.lots_before(&mut |lot| {
            if found == 0 {
                found = among(text_whole(code_of(lot)), codes, self);
            }
        });
        found
    }

    fn before(&self, accept: impl Fn(&Lot) -> bool) -> Option<Number> {
        let mut found = false;
        self.sight.lots_before(&mut |lot| found |= accept(lot));
        Some(found.into())
    }

    fn live_lots(&self, accept: impl Fn(&Lot) -> bool) -> Option<i128> {
        let lots = &self.sight.bill()?.lots;
        Some(lots.iter().filter(|lot| lot.is_live() && accept(lot)).count() as i128)
    }

    fn is_shell(&self, party: PartyId, max_age: i64) -> bool {
        let (fact, moment) = (self.sight.fact(), self.moment());
        let attribute = |field| self.registry.attribute(party, None, field, moment);
        let age = attribute(Field::RegDate).and_then(as_day).map(|day| i64::from(fact.biz_date.0 - day.0));
        age.is_some_and(|age| age <= max_age)
            || attribute(Field::PaidCapitalFen) == Some(Number::ZERO)
            || attribute(Field::Employees).is_some_and(|employees| employees <= 3.into())
    }

    fn provinces(&self, steps: &[Step], days: i64) -> i64 {
        let fact = self.sight.fact();
        let recent = steps.iter().filter(|step| i64::from(fact.biz_date.0 - step.biz_date.0) < days);
        let mut provinces: Vec<i128> = recent
            .filter_map(|step| self.registry.attribute(step.holder, None, Field::Province, self.moment()))
            .filter_map(Number::as_whole)
            .collect();
        provinces.sort_unstable();
        provinces.dedup();
        provinces.len() as i64
    }

    /// From whom the last holder of the lots acted on had them; `None` when the lots say different things.
    fn source(&self) -> Option<PartyId> {
        let mut found: Option<Option<PartyId>> = None;
        self.sight.lots_after(&mut |lot| {
            let steps = from_payee(&lot.lineage);
            let source = steps.len().checked_sub(3).map(|at| steps[at].holder);
            found = Some(source.filter(|_| found.is_none_or(|known| known == source)));
        });
        found?
    }

    /// Distinct endorsees of parts of the bill on the day of the fact.
    fn endorsees_on_day(&self) -> Option<i64> {
        let (fact, bill) = (self.sight.fact(), self.sight.bill()?);
        let mut endorsees: Vec<PartyId> = Vec::new();
        for lot in bill.lots.iter().filter(|lot| lot.range != Range::WHOLE) {
            let today = lot.lineage.iter().rev().take_while(|step| step.biz_date == fact.biz_date);
            endorsees.extend(today.filter(|step| step.behaviour == behaviour::END_SGN).map(|step| step.holder));
        }
        endorsees.sort_unstable();
        endorsees.dedup();
        Some(endorsees.len() as i64)
    }

    /// Of what the new holder gave away within so many days, the share that it holds again.
    fn reassembled(&self, days: i64, between: i64) -> Option<Number> {
        let (fact, bill) = (self.sight.fact(), self.sight.bill()?);
        let mut holder = None;
        self.sight.lots_after(&mut |lot| holder = Some(lot.holder));
        let holder = holder?;
        let (mut given, mut back, mut takers) = (0i128, 0i128, Vec::new());
        for lot in bill.lots.iter() {
            let steps = from_payee(&lot.lineage);
            let gave = |pair: &[Step]| {
                pair[0].holder == holder
                    && pair[1].holder != holder
                    && i64::from(fact.biz_date.0 - pair[1].biz_date.0) < days
            };
            let Some(first) = steps.windows(2).find(|pair| gave(pair)) else { continue };
            given += i128::from(lot.range.length());
            if lot.holder == holder {
                back += i128::from(lot.range.length());
                takers.push(first[1].holder);
            }
        }
        takers.sort_unstable();
        takers.dedup();
        if (takers.len() as i64) < between { Some(Number::ZERO) } else { Number::ratio(back, given) }
    }

    /// Endorsements up to now, without a gap, that the trade matrix gives weight 0.
    fn against_trade_run(&self, steps: &[Step]) -> i64 {
        let mut run = 0;
        for pair in steps.windows(2).rev() {
            let weight = || self.registry.trade_weight(pair[0].holder, pair[1].holder, self.moment());
            if pair[1].behaviour != behaviour::END_SGN || weight() != 0 {
                break;
            }
            run += 1;
        }
        run
    }
}

/// Whole minutes of a span in ms.
fn minutes(span: i64) -> i64 {
    span.div_euclid(60_000)
}

/// The newest holder took over from one who had bought (IBT.SET) on the same business date.
fn was_bought_today(steps: &[Step], today: Day) -> bool {
    let [.., before, _] = steps else { return false };
    before.behaviour == behaviour::IBT_SET && before.biz_date == today
}

/// Steps from the payee on: the drawer's own holding at registration does not count.
fn from_payee(steps: &[Step]) -> &[Step] {
    let drawn = steps.iter().take_while(|step| step.behaviour == behaviour::ISS_REG).count();
    &steps[drawn..]
}

fn distinct_holders(steps: &[Step]) -> i64 {
    let mut holders: Vec<PartyId> = steps.iter().map(|step| step.holder).collect();
    holders.sort_unstable();
    holders.dedup();
    holders.len() as i64
}

/// Days since the newest holder first held, when at least `between` other parties held since.
fn return_days(steps: &[Step], between: i64) -> Option<i64> {
    let (newest, earlier) = from_payee(steps).split_last()?;
    let first = earlier.iter().position(|step| step.holder == newest.holder)?;
    let others: Vec<Step> = earlier[first..].iter().filter(|step| step.holder != newest.holder).copied().collect();
    (distinct_holders(&others) >= between).then(|| i64::from(newest.biz_date.0 - earlier[first].biz_date.0))
}

/// The newest buyer held the range before and sold it within `days`, at a rate within `bp` of the present one.
fn round_trip(steps: &[Step], days: i64, bp: i64) -> bool {
    let Some((newest, earlier)) = steps.split_last() else { return false };
    earlier.windows(2).any(|pair| {
        let sold = pair[0].holder == newest.holder && pair[1].behaviour == behaviour::IBT_SET;
        let (Some(then), Some(now)) = (pair[1].rate_e4(), newest.rate_e4()) else { return false };
        sold && pair[1].holder != newest.holder
            && i64::from(newest.biz_date.0 - pair[1].biz_date.0) <= days
            && (i64::from(now) - i64::from(then)).abs() <= bp * 100
    })
}

/// The party held the lot once and gave it away, or holds it and has pledged it.
fn has_disposed(lot: &Lot, party: PartyId) -> bool {
    if lot.holder == party {
        return lot.flag == Flag::Pledged;
    }
    lot.lineage.iter().any(|step| step.holder == party)
}

/// The lot waits for its redemption by another than the lender.
fn is_on_repo_to_other(lot: &Lot, party: PartyId) -> bool {
    let is_repo = |deal: &&RepoDeal| matches!(deal.behaviour, behaviour::RPO_SET | behaviour::BRP_SET);
    lot.flag == Flag::AwaitingRedemption && lot.repo().filter(is_repo).is_some_and(|deal| deal.buyer != party)
}

/// True when live lots make up the range of the fact; a request may cut the last of them.
fn is_covered(sight: &impl Sight) -> bool {
    let range = sight.fact().range;
    let Some(bill) = sight.bill().filter(|bill| !bill.lots.is_empty()) else { return true };
    let is_answer = !sight.fact().behaviour.code().ends_with(".REQ");
    let sticks_out = |lot: &Lot| range != Range::WHOLE && (lot.range.start < range.start || range.end < lot.range.end);
    let touched = || bill.lots.iter().filter(|lot| super::sight::overlap(lot.range, range));
    touched().all(|lot| lot.is_live() && !(is_answer && sticks_out(lot)))
}

/// The field that the first argument stands for.
fn field_of(arguments: &[Number]) -> Option<Field> {
    FIELDS.get(usize::try_from(arguments.first()?.as_whole()?).ok()?).copied()
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

    fn parameter(&self, place: usize) -> Option<Number> {
        self.parameters.get(place).copied()
    }

    fn history(&self, function: History, behaviours: &[Behaviour], arguments: &[Number]) -> Option<Number> {
        let fact = self.sight.fact();
        let argument = |place: usize| arguments.get(place).copied().and_then(as_i64);
        let listed = |code: &str| arguments.contains(&text_number(code));
        match function {
            History::DayOf => {
                let journal = &self.sight.bill()?.journal;
                behaviours.iter().filter_map(|kind| journal.get(*kind)).map(|seen| seen.last_on).max().map(day_number)
            }
            History::Times => {
                let journal = &self.sight.bill()?.journal;
                let times = behaviours.iter().filter_map(|kind| journal.get(*kind)).map(|seen| i64::from(seen.count));
                Some(times.sum::<i64>().into())
            }
            History::CountWithin => {
                let after = fact.event_time.saturating_sub(argument(0)?);
                self.on_lineages(|steps| {
                    let counted = |step: &&Step| behaviours.contains(&step.behaviour) && step.event_time > after;
                    Some(steps.iter().filter(counted).count() as i64)
                })
            }
            History::CountOnDay => self.on_lineages(|steps| {
                let counted = |step: &&Step| behaviours.contains(&step.behaviour) && step.biz_date == fact.biz_date;
                Some(steps.iter().filter(counted).count() as i64)
            }),
            History::Holders => self.on_lineages(|steps| Some(distinct_holders(from_payee(steps)))),
            History::ReturnDays => {
                let between = argument(0)?;
                // The soonest return decides: the rule asks for at most so many days.
                let mut least: Option<i64> = None;
                self.sight.lots_after(&mut |lot| {
                    let days = return_days(&lot.lineage, between);
                    least = [least, days].into_iter().flatten().min();
                });
                // No return at all: known not to be one, rather than missing.
                Some(least.map_or(Number::whole(i128::from(i64::MAX)), Number::from))
            }
            History::RoundTrip => {
                let (days, bp) = (argument(0)?, argument(1)?);
                self.on_lineages(|steps| Some(round_trip(steps, days, bp).into()))
            }
            History::RecourseDepth => {
                let mut depth = 0;
                self.sight.lots_after(&mut |lot| depth = depth.max(lot.recourse_depth()));
                Some(Number::whole(depth as i128))
            }
            History::ShellRun => {
                let age = argument(0)?;
                self.on_lineages(|steps| {
                    let run = from_payee(steps).iter().rev().take_while(|step| self.is_shell(step.holder, age));
                    Some(run.count() as i64)
                })
            }
            History::Provinces => {
                let days = argument(0)?;
                self.on_lineages(|steps| Some(self.provinces(steps, days)))
            }
            History::HeldHours => self.on_lineages(|steps| {
                let (newest, earlier) = steps.split_last()?;
                Some((newest.event_time - earlier.last()?.event_time).div_euclid(3_600_000))
            }),
            History::CameBy => self.on_lineages(|steps| {
                let before = steps.len().checked_sub(2)?;
                Some(behaviours.contains(&steps[before].behaviour).into())
            }),
            History::BoughtRate => {
                let days = argument(0)?;
                self.on_lineages(|steps| {
                    let (newest, earlier) = steps.split_last()?;
                    let bought = earlier.last().filter(|step| step.behaviour == behaviour::IBT_SET)?;
                    let in_time = i64::from(newest.biz_date.0 - bought.biz_date.0) <= days;
                    bought.rate_e4().filter(|_| in_time).map(i64::from)
                })
            }
            History::EndorseesOnDay => self.endorsees_on_day().map(Number::from),
            History::Reassembled => self.reassembled(argument(0)?, argument(1)?),
            History::RepoBefore => {
                self.before(|lot| lot.repo().is_some_and(|deal| behaviours.contains(&deal.behaviour)))
            }
            History::Carves => {
                let carved = self.sight.outcome().cuts.iter().filter(|cut| cut.behaviour == behaviour::SPL_OUT);
                Some(Number::from(carved.count() as i64))
            }
            History::AgainstTradeRun => self.on_lineages(|steps| Some(self.against_trade_run(steps))),
            History::StateBefore => {
                let state = |lot: &Lot| [text_number(lot.status.code()), text_number(lot.flag.code())];
                self.before(|lot| state(lot) == arguments)
            }
            History::RiskBefore => self.before(|lot| listed(lot.risk.code())),
            History::PayStateBefore => self.before(|lot| listed(lot.pay_state.code())),
            History::PledgedToOther => {
                let party = arguments.first().copied().and_then(as_party)?;
                self.before(|lot| lot.flag == Flag::Pledged && lot.pledgee() != Some(party))
            }
            History::LiveLots => Some(Number::whole(self.live_lots(|_| true)?)),
            History::LiveLotsBelow => {
                let limit = argument(0)?;
                Some(Number::whole(self.live_lots(|lot| lot.amount_fen < limit)?))
            }
            History::Hops => {
                let mut most = None;
                self.sight.lots_after(&mut |lot| most = most.max(Some(i64::from(lot.hops))));
                most.map(Number::from)
            }
            History::BoughtTodayFen => {
                let mut sum = 0i64;
                self.sight.lots_after(&mut |lot| {
                    if was_bought_today(&lot.lineage, fact.biz_date) {
                        sum += lot.amount_fen;
                    }
                });
                Some(sum.into())
            }
            History::WaitedMs => {
                let mut longest: Option<i64> = None;
                self.sight.lots_before(&mut |lot| {
                    let waited = lot.request.as_ref().map(|request| fact.event_time - request.since);
                    longest = longest.max(waited);
                });
                longest.map(Number::from)
            }
            History::MinutesSince => {
                let journal = &self.sight.bill()?.journal;
                let first = behaviours.iter().filter_map(|kind| journal.get(*kind)).map(|seen| seen.first_at).min()?;
                Some(minutes(fact.event_time - first).into())
            }
            History::DisposedBefore => {
                let party = arguments.first().copied().and_then(as_party)?;
                self.before(|lot| has_disposed(lot, party))
            }
            History::OnRepoToOther => {
                let party = arguments.first().copied().and_then(as_party)?;
                self.before(|lot| is_on_repo_to_other(lot, party))
            }
            History::RangeUncovered => Some((!is_covered(self.sight)).into()),
            History::DisclosureMatches => {
                let header = self.sight.header()?;
                let shown = self.sight.bill()?.disclosure.as_ref().is_some_and(|shown| {
                    shown.face_fen == Some(header.face_fen)
                        && shown.due_date == Some(header.due_date)
                        && shown.acceptor == Some(header.acceptor)
                });
                Some(shown.into())
            }
            History::Mentions => {
                let wanted = number_text(*arguments.get(1)?)?;
                Some(fact.text(field_of(arguments)?).is_some_and(|text| text.contains(&wanted)).into())
            }
            History::NameDistance => {
                let party = arguments.get(1).copied().and_then(as_party)?;
                let distance = match fact.text(field_of(arguments)?) {
                    Some(name) => self.registry.name_distance(party, name, self.moment())?,
                    None => 0,
                };
                Some(distance.into())
            }
            History::TraderActive => {
                let party = arguments.get(1).copied().and_then(as_party)?;
                let trader = fact.text(field_of(arguments)?)?;
                Some(self.registry.is_active_trader(party, trader, self.moment()).into())
            }
            History::BranchSucceeded => {
                let branch = fact.inst(Field::InitiatorInst)?;
                Some(self.registry.is_succeeded(branch, self.moment()).into())
            }
            History::Effect => Some(listed(self.sight.outcome().effect.name()).into()),
            History::Variants => Some(self.sight.has_variants().into()),
            History::UnknownCode => Some(self.registry.has_unknown_code(fact).into()),
            History::MissingField => Some(self.registry.misses_field(fact, self.sight.header()).into()),
            History::BadBillNumber => {
                let check_digit = arguments.first()?.is_true();
                Some(self.registry.has_bad_bill_number(fact, check_digit).into())
            }
            History::BadCreditCode => Some(self.registry.has_bad_credit_code(fact).into()),
        }
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
            Variable::Derived(Derived::Kind) => header().map(|header| text_whole(header.kind.code())),
            Variable::Derived(Derived::LotStatus) => self.lot.map(|lot| text_whole(lot.status.code())),
            _ => return whole_of(self.variable(variable)),
        };
        whole.unwrap_or(UNKNOWN)
    }

    fn whole_history(&self, function: History, behaviours: &[Behaviour], arguments: &[Node]) -> i128 {
        match function {
            History::Effect => {
                let name = text_whole(self.sight.outcome().effect.name());
                among(name, arguments, self)
            }
            History::Variants => self.sight.has_variants().into(),
            History::UnknownCode => self.registry.has_unknown_code(self.sight.fact()).into(),
            History::MissingField => self.registry.misses_field(self.sight.fact(), self.sight.header()).into(),
            History::RiskBefore => self.found_before(arguments, |lot| lot.risk.code()),
            History::PayStateBefore => self.found_before(arguments, |lot| lot.pay_state.code()),
            // Arguments of these are in the node itself.
            History::LiveLots
            | History::Hops
            | History::BoughtTodayFen
            | History::WaitedMs
            | History::MinutesSince
            | History::DayOf
            | History::CountOnDay
            | History::Times
            | History::RangeUncovered
            | History::BranchSucceeded
            | History::DisclosureMatches
            | History::Holders
            | History::RecourseDepth
            | History::HeldHours
            | History::CameBy
            | History::EndorseesOnDay
            | History::RepoBefore
            | History::Carves => whole_of(self.history(function, behaviours, &[])),
            _ => whole_of(values(arguments, self).and_then(|values| self.history(function, behaviours, &values))),
        }
    }

    fn whole_lookup(&self, function: Lookup, arguments: &[Node]) -> i128 {
        if function == Lookup::IsEnterprise {
            return is_enterprise(arguments[0].whole(self));
        }
        whole_of(values(arguments, self).and_then(|values| self.lookup(function, &values)))
    }
}

/// `is_enterprise` of a party as a number, the short way.
pub(crate) fn is_enterprise(party: i128) -> i128 {
    u64::try_from(party).map_or(UNKNOWN, |bits| PartyId::from_bits(bits).is_enterprise().into())
}

/// The characters of a code that stands as a number ([`text_number`]).
fn text_of(number: i128) -> Option<smallvec::SmallVec<[u8; 16]>> {
    let bytes = u128::try_from(number).ok()?.to_be_bytes();
    Some(bytes.into_iter().take_while(|byte| *byte != 0).collect())
}

/// Functions of reference data, as of an instant.
pub(crate) fn lookup(
    registry: &impl Registry,
    moment: Moment,
    function: Lookup,
    arguments: &[Number],
) -> Option<Number> {
    let party = |place: usize| arguments.get(place).copied().and_then(as_party);
    Some(match function {
        Lookup::Related => registry.related(party(0)?, party(1)?, moment)?.into(),
        Lookup::Known => registry.known(party(0)?, moment).into(),
        Lookup::TradeWeight => registry.trade_weight(party(0)?, party(1)?, moment).into(),
        Lookup::WatchListed => registry.watch_listed(party(0)?, moment).into(),
        Lookup::HasFlag => {
            let flag = Code::from_bytes(text_of(arguments.get(1)?.as_whole()?)?.as_slice())?;
            registry.has_flag(party(0)?, flag, moment)?.into()
        }
        Lookup::DisclosureDay => {
            let kind = number_text(*arguments.get(1)?).and_then(|kind| Behaviour::parse(&kind))?;
            registry.disclosure_day(party(0)?, kind, moment).map_or(Number::ZERO, day_number)
        }
        Lookup::DisclosedMonth => i64::from(registry.disclosed_month(party(0)?, moment).unwrap_or(0)).into(),
        Lookup::BackgroundFen => {
            let number = u64::try_from(arguments.get(1)?.as_whole()?).ok()?;
            registry.background_fen(party(0)?, number, moment)?.into()
        }
        Lookup::Sharing => {
            let address = *arguments.get(1)? == text_number("address");
            Number::whole(registry.sharing(party(0)?, address, moment)? as i128)
        }
        Lookup::LookalikeProvince => {
            let inner = usize::try_from(arguments.get(2)?.as_whole()?).ok()?;
            match registry.lookalike_province(party(0)?, (*arguments.get(1)?, inner), moment) {
                None => Number::ZERO,
                Some(province) => province.as_ref().map_or(Number::whole(1), code_number),
            }
        }
        Lookup::IsEnterprise => party(0)?.is_enterprise().into(),
        Lookup::Tier => code_number(&registry.tier(party(0)?, moment)?),
        Lookup::BusinessDay => {
            let day = as_day(*arguments.first()?)?;
            let count = arguments.get(1)?.as_whole()?;
            let days = u32::try_from(count.unsigned_abs()).ok()?;
            let calendar = registry.calendar();
            day_number(if count < 0 { calendar.minus(day, days) } else { calendar.plus(day, days) })
        }
        Lookup::ReferenceRate => {
            let kind = Code::from_bytes(text_of(arguments.first()?.as_whole()?)?.as_slice())?;
            registry.reference_rate_e4(kind, as_i64(*arguments.get(1)?)?, moment)?.into()
        }
        Lookup::HeadOffice => {
            let branch = u64::try_from(arguments.first()?.as_whole()?).ok()?;
            party_number(PartyId::legal(branch / 1_000))
        }
        Lookup::IsBusinessDay => registry.calendar().is_business_day(as_day(*arguments.first()?)?).into(),
        Lookup::BusinessDays => {
            let (after, until) = (as_day(*arguments.first()?)?, as_day(*arguments.get(1)?)?);
            i64::from(registry.calendar().count_between(after, until)).into()
        }
        Lookup::CreditLineFen => registry.credit_line_fen(party(0)?, party(1)?, moment)?.into(),
    })
}
