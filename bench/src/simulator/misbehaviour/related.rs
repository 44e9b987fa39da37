//! Cases of related parties and master data: P146, P147, P150, P151, P156, P158.

use billwatch_market::fact::{Field, Value, behaviour};
use billwatch_market::ids::PartyId;

use super::{Injector, light};
use crate::simulator::draft::Party;
use crate::simulator::life::Kind;
use crate::simulator::reference::Registration;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};
use crate::simulator::world::FINANCE_COMPANY;

pub(super) const CASES: &[Injector] = &[
    light("P146", related_payee),
    light("P147", related_applicant),
    light("P150", one_device),
    light("P151", implausible_trade),
    light("P156", not_a_member),
    light("P158", listed_party),
];

/// A company related to another: by representative, address or group, as the variant says.
fn relatives(story: &mut Story) -> (Party, Party) {
    let group = PartyId::group(800_000 + story.begin.0 as u64 % 100_000);
    let variant = story.variant;
    let one = story.company_with(|company| {
        if variant == 2 {
            company.group = Some(group);
        }
    });
    let number = one.id.number();
    let other = story.company_with(|company: &mut Registration| match variant {
        0 => company.representative = PartyId::person(number),
        1 => company.address = Registration::plain(one).address,
        _ => company.group = Some(group),
    });
    (one, other)
}

/// Five companies ask for acceptance from one device; the miss: four, or two of the five of one group, or a day too late.
fn one_device(story: &mut Story) {
    let group = PartyId::group(870_000 + story.begin.0 as u64 % 10_000);
    let missed = |variant: usize| !story.positive && story.variant == variant;
    let (fewer, grouped, slow) = (missed(0), missed(1), missed(2));
    let number = story.begin.0 as u64 * 6 + story.variant as u64 * 2 + u64::from(story.positive);
    let device: Box<str> = format!("{number:032x}").into();
    let (first, last) = story.days_apart(story.begin, if slow { 30 } else { 29 });
    let mut subject = None;
    for nth in 0..if fewer { 4 } else { 5 } {
        let drawer = story.company_with(|company| {
            if grouped && nth < 2 {
                company.group = Some(group);
            }
        });
        story.on(if nth == 0 { first } else { last });
        story.wait(10 * nth);
        let parties = (drawer, story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, 10_000 * CNY, parties, 90);
        let fact = bill.issue(story.now());
        story.put(fact);
        story.wait(1);
        let mut fact = bill.ask_acceptance(story.now());
        fact.set(Field::DeviceId, Value::Text(device.clone()));
        let request = story.put(fact);
        story.signed(&mut bill, request, 3_000 * CNY, true);
        story.unused(&mut bill);
        subject = Some(drawer);
    }
    if let Some(drawer) = subject {
        story.label(drawer.id, last, "five groups on one device in 30 days; miss: four, or a day too late");
    }
}

/// Drawer and payee are related, 1,000,000 CNY; the miss: one fen less.
fn related_payee(story: &mut Story) {
    let (drawer, payee) = relatives(story);
    let bank = story.house_bank(0);
    let mut bill = story.bill(Kind::Bank, story.either(MILLION, MILLION - 1), (drawer, bank, payee), 180);
    story.accepted(&mut bill);
    story.label(drawer.id, story.begin, "related drawer and payee, 1,000,000 CNY; miss: one fen less");
    story.unused(&mut bill);
}

/// The applicant is related to the drawer, 1,000,000 CNY; the miss: one fen less.
fn related_applicant(story: &mut Story) {
    let (drawer, applicant) = relatives(story);
    let (bank, payee) = (story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, story.either(MILLION, MILLION - 1), (drawer, bank, payee), 180);
    story.received(&mut bill);
    story.on(story.business_day(story.begin, 2));
    story.endorse(&mut bill, payee, applicant);
    let day = story.business_day(story.begin, 4);
    story.on(day);
    let discounter = story.house_bank(1);
    story.discount(&mut bill, applicant, discounter, FAIR_RATE);
    story.label(applicant.id, day, "applicant related to the drawer, 1,000,000 CNY; miss: one fen less");
    story.paid(&mut bill, discounter);
}

/// A manufacturer draws to an estate agent, 1,000,000 CNY; the miss: one fen less.
fn implausible_trade(story: &mut Story) {
    let payee = story.company_with(|company| {
        company.section = b'K';
        company.division = 70;
    });
    let parties = (story.company(), story.house_bank(0), payee);
    let mut bill = story.bill(Kind::Bank, story.either(MILLION, MILLION - 1), parties, 180);
    story.accepted(&mut bill);
    story.label(bill.id, story.begin, "trade weight 0, 1,000,000 CNY; miss: one fen less");
    story.unused(&mut bill);
}

/// A finance company accepts for a company of another group, or of none; the miss: of its own.
fn not_a_member(story: &mut Story) {
    let group = |number: u64| PartyId::group(700_000 + number);
    let own = group(story.begin.0 as u64 % 30_000 * 3 + story.variant as u64);
    let company = story.member_in(FINANCE_COMPANY, "110000", Some(own), 100_000 * MILLION);
    let other = (story.variant != 1).then_some(group(99_999));
    let of = story.either(other, Some(own));
    let drawer = story.company_with(|company| company.group = of);
    let payee = story.company();
    let mut bill = story.bill(Kind::Finance, MILLION, (drawer, company, payee), 180);
    story.accepted(&mut bill);
    story.label(company.id, story.begin, "drawer of another group or none; miss: of the own group");
    story.unused(&mut bill);
}

/// The endorsee is on a list today; the miss: until yesterday.
fn listed_party(story: &mut Story) {
    let listed = story.company();
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 2 * MILLION, parties, 180);
    story.received(&mut bill);
    let day = story.business_day(story.begin, 2);
    let at = story.reference_time() + 20;
    let (from, to) = (story.begin, day.plus(story.either(0, -1)));
    let list = ["WL04", "WL07", "WL03"][story.variant % 3];
    let entry = story
        .trade
        .registry
        .draft(behaviour::MST_BLK, at)
        .from(Party::SYSTEM)
        .to(listed)
        .value(Field::EntId, Value::Party(listed.id))
        .code(Field::ListType, list)
        .code(Field::ListAction, "ADD")
        .date(Field::FromDate, from)
        .date(Field::ToDate, to)
        .done();
    story.put(entry);
    story.on(day);
    story.endorse(&mut bill, parties.2, listed);
    story.label(listed.id, day, "endorsee on a list on its last day; miss: list ended the day before");
    story.paid(&mut bill, listed);
}
