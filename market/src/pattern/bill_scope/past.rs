//! Functions of the fact and of the bill's past up to it: who held, what was done, what state the range was in.

use super::{BillScope, as_day, as_i64, as_party, day_number, text_whole};
use crate::{
    bill::{Flag, Lot, RepoDeal, Step, may_cut},
    fact::{Behaviour, FIELDS, Field, Range, behaviour},
    ids::{Day, PartyId},
    pattern::{
        expression::{Node, values},
        number::Number,
        sight::{Registry, Sight, overlap},
        vocabulary::{History, number_text, text_number},
        whole::{among, whole_of},
    },
};

impl<S: Sight, R: Registry> BillScope<'_, S, R> {
    /// The value of a function.
    pub(super) fn past(&self, function: History, behaviours: &[Behaviour], arguments: &[Number]) -> Option<Number> {
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
            History::QueuedMinutes => {
                let mut first: Option<i64> = None;
                self.sight.lots_before(&mut |lot| {
                    let queued = lot.request.as_ref().and_then(|request| request.queued_at);
                    first = [first, queued].into_iter().flatten().min();
                });
                Some(minutes(fact.event_time - first?).into())
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

    /// The same as a whole number, the short way where there is one.
    pub(super) fn whole_past(&self, function: History, behaviours: &[Behaviour], arguments: &[Node]) -> i128 {
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
            | History::QueuedMinutes
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
            | History::Carves => whole_of(self.past(function, behaviours, &[])),
            _ => whole_of(values(arguments, self).and_then(|values| self.past(function, behaviours, &values))),
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
    pub(super) fn source(&self) -> Option<PartyId> {
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
pub(super) fn minutes(span: i64) -> i64 {
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

/// True when live lots make up the range of the fact; what may cut a lot may take a part of the outer ones.
fn is_covered(sight: &impl Sight) -> bool {
    let range = sight.fact().range;
    let Some(bill) = sight.bill().filter(|bill| !bill.lots.is_empty()) else { return true };
    let keeps_lots = !may_cut(sight.fact().behaviour);
    let sticks_out = |lot: &Lot| range != Range::WHOLE && (lot.range.start < range.start || range.end < lot.range.end);
    let touched = || bill.lots.iter().filter(|lot| overlap(lot.range, range));
    touched().all(|lot| lot.is_live() && !(keeps_lots && sticks_out(lot)))
}

/// The field that the first argument stands for.
fn field_of(arguments: &[Number]) -> Option<Field> {
    FIELDS.get(usize::try_from(arguments.first()?.as_whole()?).ok()?).copied()
}
