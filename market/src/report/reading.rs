//! What a fact, a lot or a party says: the items of report names, the sums and members of figures.

use std::collections::BTreeMap;

use smallvec::{SmallVec, smallvec};

use super::{
    figure::Figure,
    names::ReportName,
    slot::{Amount, Members},
    tally::{About, Held, Key, put},
};
use crate::{
    aggregate::{
        contribution::{bill_member, settled},
        stock::SeenLot,
    },
    bill::{Answered, Lot, LotChange, TextHash, settles},
    buckets,
    fact::{Field, behaviour},
    ids::{Day, PartyId},
    items::{Item, Items},
    names::{Attribute, Name, Role},
    observe::{Meanings, Observation, Played, Player, attributes::AsOf},
};

/// Rates beyond this are nonsense that P187 alerts; weighted sums must not overflow.
const MAX_RATE_E4: i64 = 1_000_000_000;

/// A fact, or one lot of it.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) amount_fen: i64,
    /// Length of all lots, and of those before this one; `None`: the whole fact.
    pub(super) split: Option<(i64, i64)>,
    pub(super) lot: Option<&'a LotChange>,
}

impl Part<'_> {
    /// The part of a sum of the fact that falls on this lot; all parts add up to the sum.
    fn of(&self, sum: i128) -> i128 {
        match self.split {
            Some((whole, before)) if whole > 0 => {
                let up_to = |fen: i64| (sum * i128::from(fen)).div_euclid(i128::from(whole));
                up_to(before + self.amount_fen) - up_to(before)
            }
            _ => sum,
        }
    }
}

/// The version that goes (-1, on the date on which it goes) and the one that comes (+1).
pub(super) fn versions<'v, 'l>(
    old: Option<&'v SeenLot<'l>>,
    new: &'v SeenLot<'l>,
    start: impl Fn(&SeenLot<'l>) -> Option<Day>,
) -> impl Iterator<Item = (&'v SeenLot<'l>, i64, Day)> {
    let gone = old.and_then(|old| Some((old, -1, start(old)?.max(new.lot().changed_on))));
    let come = start(new).map(|date| (new, 1, date));
    gone.into_iter().chain(come)
}

/// Every combination of items of the axes.
pub(super) fn keys(figure: &Figure, items: impl Fn(ReportName) -> Items) -> SmallVec<[Key; 1]> {
    let mut keys: SmallVec<[Key; 1]> = smallvec![Key::new()];
    for (_, name) in &figure.by {
        let items = items(*name);
        let mut longer = SmallVec::new();
        for key in &keys {
            for item in &items {
                let mut key = key.clone();
                key.push(*item);
                longer.push(key);
            }
        }
        keys = longer;
    }
    keys
}

fn yes_no(seen: &Observation<'_>, yes: bool) -> Items {
    smallvec![if yes { seen.meanings.yes } else { seen.meanings.no }]
}

fn lot_state(name: ReportName, lot: &Lot, seen: &Observation<'_>) -> Option<Items> {
    Some(match name {
        ReportName::Discounted => yes_no(seen, lot.discounter().is_some()),
        ReportName::Pledged => yes_no(seen, lot.pledgee().is_some()),
        ReportName::OpenDeal => {
            smallvec![lot.repo().map_or(Item::NA, |deal| seen.meanings.behaviour_item(deal.behaviour))]
        }
        ReportName::DealOverdue => yes_no(seen, lot.repo().is_some_and(|deal| deal.failed_on.is_some())),
        ReportName::Request => {
            smallvec![lot.request.map_or(Item::NA, |request| seen.meanings.behaviour_item(request.behaviour))]
        }
        ReportName::DealSeller(attribute) => deal_items(lot, attribute, true, seen),
        ReportName::DealBuyer(attribute) => deal_items(lot, attribute, false, seen),
        ReportName::Reseller(attribute) => match lot.discounter().filter(|discounter| *discounter != lot.holder) {
            Some(party) => items_of(lot, Player { party, branch: None }, attribute, seen),
            None => smallvec![Item::NA],
        },
        _ => return None,
    })
}

/// Who sold and who lent on an open deal, or by outright rediscount.
fn deal_items(lot: &Lot, attribute: Attribute, sells: bool, seen: &Observation<'_>) -> Items {
    let (party, branch) = match (lot.repo(), &lot.lineage[..]) {
        (Some(deal), _) if sells => (deal.seller, deal.seller_inst),
        (Some(deal), _) => (deal.buyer, deal.buyer_inst),
        (None, [.., before, last]) if last.behaviour == behaviour::RDC_BST => {
            if sells {
                (before.holder, None)
            } else {
                (lot.holder, lot.holder_inst)
            }
        }
        _ => return smallvec![Item::NA],
    };
    items_of(lot, Player { party, branch }, attribute, seen)
}

/// What an institution is, as known when the lot changed last.
fn items_of(lot: &Lot, player: Player, attribute: Attribute, seen: &Observation<'_>) -> Items {
    let as_of = AsOf { at: lot.changed_at, date: lot.changed_on, ..seen.as_of() };
    as_of.items(Role::EachInstitution, Played::By(player), attribute, |player| as_of.look(player))
}

/// What the debtor of a notice is on the bill: the first that fits, in the order acceptor, drawer, discounter, guarantor,
/// enhancing bank, endorser.
fn debtor_role(seen: &Observation<'_>, lot: Option<&Lot>) -> Items {
    let known = &seen.meanings.vocabulary().known;
    let code =
        |code: &str| -> Items { smallvec![seen.meanings.vocabulary().row_of_text(known.role, code).item(known.role)] };
    let (Some(debtor), Some(header), Some(lot)) = (seen.player(Role::Debtor), seen.header, lot) else {
        return smallvec![Item::UNKNOWN];
    };
    let debtor = debtor.party;
    let step = lot.lineage.iter().find(|step| step.holder == debtor);
    let surety = lot.sureties().iter().find(|surety| surety.guarantor == debtor);
    if debtor == header.acceptor {
        code("ACCEPTOR")
    } else if debtor == header.drawer {
        code("DRAWER")
    } else if step.is_some_and(|step| matches!(step.behaviour, behaviour::DSC_SET | behaviour::PPR_DSC)) {
        code("DISCOUNTER")
    } else if let Some(surety) = surety {
        code(if surety.behaviour.code().starts_with("ENH.") { "ENH_BANK" } else { "GUARANTOR" })
    } else if step.is_some() {
        code("ENDORSER")
    } else {
        smallvec![Item::NA]
    }
}

pub(super) fn lot_items(name: ReportName, lot: &SeenLot<'_>, seen: &Observation<'_>) -> Items {
    if let ReportName::Market(name) = name {
        let mut items = Items::new();
        lot.each_item(name, |item| items.push(item));
        return items;
    }
    lot_state(name, lot.lot(), seen).unwrap_or_else(|| smallvec![Item::NA])
}

pub(super) fn fact_items(name: ReportName, seen: &Observation<'_>, part: Part<'_>, disclosed_on: Option<Day>) -> Items {
    match name {
        ReportName::Market(name) if name.is_of_lot() => match part.lot {
            Some(change) => smallvec![seen.lot_item(name, &change.after, change.before.as_ref())],
            None => seen.items(name),
        },
        ReportName::Market(name) => seen.items(name),
        // Who it is; what size that means is read at the end of the span (`at_end`).
        ReportName::SizeAtEnd(role) => seen.items(Name::Of(role, Attribute::Party)),
        ReportName::OutsideGroup => yes_no(seen, outside_group(seen)),
        ReportName::Local => {
            let province = |role| seen.items(Name::Of(role, Attribute::Province));
            let (applicant, discounter) = (province(Role::Applicant), province(Role::Discounter));
            yes_no(seen, applicant == discounter && applicant.iter().all(|item| !item.is_special()))
        }
        ReportName::SameDay => {
            let since = match seen.outcome.answered {
                Some(Answered::Request(request)) => Some(request.since_date),
                _ => None,
            };
            yes_no(seen, since == Some(seen.fact.biz_date))
        }
        ReportName::DebtorRole => {
            // Before the fact: who settles becomes the holder by it.
            let lot = part.lot.map(|change| change.before.as_ref().unwrap_or(&change.after));
            debtor_role(seen, lot.or_else(|| seen.lot()))
        }
        ReportName::SettlesRecourse => yes_no(seen, seen.fact.behaviour == behaviour::PDR_CLS || settles(seen.fact)),
        ReportName::SupplyChain => {
            yes_no(seen, seen.by_supply_chain() || seen.fact.behaviour.code().starts_with("SCB."))
        }
        ReportName::Accepted => yes_no(seen, seen.header.is_some_and(|header| header.is_accepted())),
        ReportName::DisclosedInTime => {
            let accepted = seen.header.and_then(|header| header.accepted);
            let calendar = &seen.meanings.catalogue().calendar;
            let timely = |(accepted, _): (Day, i64)| disclosed_on.is_some_and(|on| on <= calendar.next(accepted));
            yes_no(seen, accepted.is_some_and(timely))
        }
        name => {
            let lot = part.lot.map(|change| &change.after).or_else(|| seen.lot());
            lot.and_then(|lot| lot_state(name, lot, seen)).unwrap_or_else(|| smallvec![Item::NA])
        }
    }
}

/// The acceptor is an institution of a group, and the drawer is known and not of it: the condition of P156.
fn outside_group(seen: &Observation<'_>) -> bool {
    let as_of = seen.as_of();
    // Nothing: unknown party; Some(None): of no group.
    let group_of = |role| {
        let player = seen.player(role)?;
        let known = as_of.look(player);
        if player.party.is_enterprise() {
            known.enterprise.map(|_| as_of.reference.group(player.party, as_of.at, as_of.date))
        } else {
            known.institution.map(|institution| institution.group)
        }
    };
    let own = group_of(Role::Acceptor).flatten();
    own.is_some() && group_of(Role::Drawer).is_some_and(|group| group != own)
}

fn rate_weight(seen: &Observation<'_>, part: Part<'_>) -> i128 {
    if seen.fact.int(Field::RateE4).is_none() {
        return 0;
    }
    match &seen.fact.behaviour.code()[..4] {
        "RPO." | "BRP." => first(seen, part),
        _ if seen.fact.behaviour == behaviour::RDC_RST => first(seen, part),
        _ => i128::from(part.amount_fen),
    }
}

fn first(seen: &Observation<'_>, part: Part<'_>) -> i128 {
    part.of(i128::from(seen.fact.int(Field::FirstFen).unwrap_or(0)))
}

pub(super) fn fact_amount(amount: Amount, seen: &Observation<'_>, part: Part<'_>) -> i128 {
    let fact = seen.fact;
    let field = |field| part.of(i128::from(fact.int(field).unwrap_or(0)));
    let or_amount = |field| fact.int(field).map_or(i128::from(part.amount_fen), |sum| part.of(i128::from(sum)));
    let face = || seen.header.map_or(0, |header| i128::from(header.face_fen));
    let rate = || i128::from(fact.int(Field::RateE4).unwrap_or(0).clamp(-MAX_RATE_E4, MAX_RATE_E4));
    match amount {
        Amount::Count => 1,
        Amount::Lots if part.split.is_some() => 1,
        Amount::Lots => seen.outcome.acted().count() as i128,
        Amount::Amount => i128::from(part.amount_fen),
        Amount::Face => face(),
        Amount::Margin => seen.header.map_or(0, |header| i128::from(header.margin_fen)),
        Amount::TenorFace => seen.header.map_or(0, |header| i128::from(header.tenor_days())) * face(),
        Amount::Interest => field(Field::InterestFen),
        Amount::ExpectedInterest => part.of(i128::from(seen.interest_expected_fen().unwrap_or(0))),
        Amount::CheckedInterest if seen.interest_expected_fen().is_some() => field(Field::InterestFen),
        Amount::CheckedInterest => 0,
        Amount::RateWeighted => rate() * rate_weight(seen, part),
        Amount::RateWeight => rate_weight(seen, part),
        Amount::SpreadWeighted => {
            let spread = seen.spread_e4().unwrap_or(0).clamp(-MAX_RATE_E4, MAX_RATE_E4);
            i128::from(spread) * rate_weight(seen, part)
        }
        Amount::SpreadWeight if seen.spread_e4().is_some() => rate_weight(seen, part),
        Amount::SpreadWeight => 0,
        Amount::First => first(seen, part),
        Amount::FirstAboveCollateral => (first(seen, part) - i128::from(part.amount_fen)).max(0),
        Amount::Settled => part.of(settled(seen)),
        Amount::Paid => or_amount(Field::PaidFen),
        Amount::Claim => or_amount(Field::ClaimFen),
        Amount::Secured if fact.int(Field::SecuredFen).is_some() => field(Field::SecuredFen),
        Amount::Secured if fact.int(Field::GuaranteeFen).is_some() => field(Field::GuaranteeFen),
        Amount::Secured => or_amount(Field::EnhanceFen),
        _ => 0,
    }
}

pub(super) fn fact_members(members: Members, seen: &Observation<'_>, part: Part<'_>, take: &mut dyn FnMut(u64, i128)) {
    let fact = seen.fact;
    let amount = i128::from(part.amount_fen);
    match members {
        Members::Bills => {
            if let Some(bill) = fact.bill_id {
                take(bill_member(bill), amount);
            }
        }
        Members::Deals => {
            if let Some(deal) = fact.text(Field::DealId) {
                take(TextHash::of(deal).bits(), amount);
            }
        }
        Members::Players(Role::EachEnterprise) => {
            let mut seen_before: SmallVec<[PartyId; 4]> = SmallVec::new();
            for (_, player) in seen.enterprises() {
                if !seen_before.contains(&player.party) {
                    seen_before.push(player.party);
                    take(player.party.bits(), amount);
                }
            }
        }
        Members::Players(role) => {
            if let Some(player) = seen.player(role) {
                take(player.party.bits(), amount);
            }
        }
        Members::Rates => {
            if let Some(rate) = fact.int(Field::RateE4) {
                take(rate as u64, rate_weight(seen, part));
            }
        }
        Members::HoldingDays => {
            if let Some(before) = part.lot.and_then(|change| change.before.as_ref()) {
                take(days(before.since, fact.biz_date), amount);
            }
        }
        Members::DueDates => {
            if let Some(header) = seen.header {
                take(i64::from(header.due_date.0) as u64, amount);
            }
        }
        Members::Days => {
            // A claim is open since the first notice that stood on the lot before.
            let claim = || part.lot?.before.as_ref()?.notices().first().map(|notice| notice.since_date);
            let since = match seen.outcome.answered {
                Some(Answered::Request(request)) => Some(request.since_date),
                _ => claim(),
            };
            if let Some(since) = since {
                take(days(since, fact.biz_date), amount);
            }
        }
        Members::Lengths => {
            for cut in &seen.outcome.cuts {
                let length = cut.range.length();
                take(length, i128::from(length));
            }
        }
        Members::LotCounts => {
            if let Some(bill) = seen.bill {
                take(bill.lots.len() as u64, amount);
            }
        }
        Members::AcceptorGroups => {
            if let Some(player) = seen.player(Role::Acceptor) {
                let group = seen.items(Name::Of(Role::Acceptor, Attribute::Group));
                let group = group.first().and_then(|item| item.as_party()).unwrap_or(player.party);
                take(group.bits(), amount);
            }
        }
        Members::Keys | Members::Waits | Members::DaysAbove(_) => {}
    }
}

fn days(from: Day, to: Day) -> u64 {
    i64::from((to.0 - from.0).max(0)) as u64
}

/// What a lot adds, with this length.
pub(super) fn lot_held(
    figure: &Figure,
    seen_lot: &SeenLot<'_>,
    amount_fen: i64,
    seen: &Observation<'_>,
    sign: i64,
) -> Held {
    let (lot, header) = (seen_lot.lot(), seen_lot.header());
    let mut held = Held::of(figure);
    for (sum, amount) in held.sums.iter_mut().zip(&figure.amounts) {
        let value = match amount {
            Amount::Count | Amount::Lots => 1,
            Amount::Amount => i128::from(amount_fen),
            Amount::Face => i128::from(header.face_fen),
            Amount::Margin => i128::from(seen_lot.margin_fen()),
            Amount::First => i128::from(lot.repo().and_then(|deal| deal.first_fen).unwrap_or(0)),
            Amount::RateWeighted => {
                let deal = lot.repo();
                let rate = deal.and_then(|deal| deal.rate_e4).unwrap_or(0).clamp(-MAX_RATE_E4, MAX_RATE_E4);
                i128::from(rate) * i128::from(deal.and_then(|deal| deal.first_fen).unwrap_or(0))
            }
            Amount::RateWeight => i128::from(
                lot.repo().filter(|deal| deal.rate_e4.is_some()).and_then(|deal| deal.first_fen).unwrap_or(0),
            ),
            _ => 0,
        };
        *sum = value * i128::from(sign);
    }
    let weight = i128::from(amount_fen) * i128::from(sign);
    for (set, members) in held.members.iter_mut().zip(&figure.members) {
        let member = match members {
            Members::Bills => Some(bill_member(header.bill_id)),
            Members::Players(Role::Drawer) => Some(header.drawer.bits()),
            Members::Players(Role::Acceptor) => Some(header.acceptor.bits()),
            Members::Players(Role::Payee) => Some(header.payee.bits()),
            Members::Players(Role::Holder) => Some(lot.holder.bits()),
            Members::DueDates => Some(i64::from(header.due_date.0) as u64),
            Members::Days => {
                let since = lot.notices().first().map(|notice| notice.since_date);
                since.map(|since| days(since, seen.fact.biz_date))
            }
            Members::AcceptorGroups => {
                let mut group = None;
                seen_lot.each_item(Name::Of(Role::Acceptor, Attribute::Group), |item| group = item.as_party());
                Some(group.unwrap_or(header.acceptor).bits())
            }
            _ => None,
        };
        if let Some(member) = member {
            put(set, member, sign, weight);
        }
    }
    held
}

/// The item of a raw day, and the size of a party, at the end of a span; other items are themselves.
pub(super) fn at_end(
    name: ReportName,
    item: Item,
    end: Day,
    meanings: &Meanings,
    about: &BTreeMap<(Day, PartyId), About>,
) -> Item {
    if let (ReportName::SizeAtEnd(_), Some(party)) = (name, item.as_party()) {
        return about.get(&(end, party)).and_then(|about| about.size).unwrap_or(Item::UNKNOWN);
    }
    let (ReportName::Market(name), Some(day)) = (name, item.as_day()) else { return item };
    let known = &meanings.vocabulary().known;
    let ahead = i64::from(day.0) - i64::from(end.0);
    match name {
        Name::RemainingDays => buckets::remaining_tenor(ahead).item(known.remaining_tenor_bucket),
        Name::HoldingDays => buckets::holding_period(-ahead).item(known.holding_period_bucket),
        Name::OverdueDays => buckets::overdue_age((-ahead).max(1)).item(known.overdue_age_bucket),
        _ => item,
    }
}

pub(super) fn about(party: PartyId, as_of: &AsOf<'_>) -> About {
    let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
    let known = as_of.look(Player { party, branch: None });
    let vocabulary = &as_of.meanings.vocabulary().known;
    let mut about = About::default();
    if let Some(enterprise) = known.enterprise {
        about.name = text(&enterprise.name);
        about.uscc = text(&enterprise.uscc);
        about.province = Some(enterprise.province.item(vocabulary.province));
        about.size = Some(enterprise.size.item(vocabulary.enterprise_size));
        about.kind = Some(enterprise.industry_division.item(vocabulary.industry_division));
    }
    if let Some(institution) = known.institution {
        about.name = text(&institution.name);
        about.province = Some(institution.province.item(vocabulary.province));
        about.kind = Some(institution.kind.item(vocabulary.institution_type));
        about.group = institution.group.map(|group| group.to_string()).unwrap_or_default();
    }
    if let Some(group) = as_of.reference.group(party, as_of.at, as_of.date) {
        about.group = group.to_string();
    }
    if let Some(sheet) = known.balance_sheet {
        about.sheet_date = sheet.report_date.map(|day| day.to_string()).unwrap_or_default();
    }
    if let Some(last) = as_of.reference.credit_disclosures(party, as_of.at).last() {
        about.disclosed_on = last.value.date.to_string();
    }
    about
}
