//! Cases of lifecycle sequences: P001, P003, P004, P015, P017, P019, P021.

use billwatch_market::fact::behaviour;

use super::{Injector, light};
use crate::simulator::life::Kind;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P001", instant_discount),
    light("P003", back_to_the_drawer),
    light("P004", own_bill),
    light("P015", long_tenor),
    light("P017", first_bill_refused),
    light("P019", recourse_without_dishonour),
    light("P021", accepted_and_revoked),
];

/// Issue, acceptance, receipt and discount on one day, 1,000,000 CNY; the miss: one fen less, or a day later.
fn instant_discount(story: &mut Story) {
    let less = !story.positive && story.variant != 1;
    let face = if less { MILLION - 1 } else { MILLION };
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, face, parties, 180);
    story.received(&mut bill);
    if !story.positive && !less {
        story.on(story.begin.plus(1));
    }
    let day = story.today();
    let bank = story.house_bank(1);
    story.discount(&mut bill, parties.2, bank, FAIR_RATE);
    story.label(bill.id, day, "all on one day and exactly 1,000,000 CNY; miss: one fen less or one day later");
    story.paid(&mut bill, bank);
}

/// Endorsed back to the drawer 30 days after receipt; the miss: 31.
fn back_to_the_drawer(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 3 * MILLION, parties, 180);
    story.received(&mut bill);
    let day = story.begin.plus(story.either(30, 31));
    story.on(day);
    story.endorse(&mut bill, parties.2, parties.0);
    story.label(bill.id, day, "back to the drawer after 30 days; miss: 31 days");
    story.paid(&mut bill, parties.0);
}

/// The drawer discounts; the miss: its supplier does.
fn own_bill(story: &mut Story) {
    let commercial = story.variant == 2;
    let (drawer, payee) = (story.company(), story.company());
    let acceptor = if commercial { story.company() } else { story.house_bank(0) };
    let kind = if commercial { Kind::Commercial } else { Kind::Bank };
    let mut bill = story.bill(kind, 2 * MILLION, (drawer, acceptor, payee), 180);
    story.received(&mut bill);
    // Later than 30 days, so that it is no back-endorsement (P003).
    story.on(story.business_day(story.begin.plus(40), 1));
    let own = if commercial { acceptor } else { drawer };
    let applicant = if story.positive { own } else { story.company() };
    story.endorse(&mut bill, payee, applicant);
    let bank = story.house_bank(1);
    let day = story.business_day(story.today(), 2);
    story.on(day);
    story.discount(&mut bill, applicant, bank, 4 * FAIR_RATE);
    story.label(applicant.id, day, "applicant is drawer, or acceptor of a CAB; miss: somebody else");
    story.paid(&mut bill, bank);
}

/// Due one day after six months; the miss: exactly six months.
fn long_tenor(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let due = story.begin.add_months(6).plus(story.either(1, 0));
    let mut bill = story.bill_due(Kind::Bank, 2 * MILLION, parties, due);
    story.accepted(&mut bill);
    story.label(bill.id, story.begin, "six months and a day; miss: six months");
    story.unused(&mut bill);
}

/// The fifth bill of an acceptor that never paid is refused; the miss: the sixth.
fn first_bill_refused(story: &mut Story) {
    let (acceptor, payee) = (story.company(), story.company());
    let mut bills = Vec::new();
    for nth in 0..story.either(5, 6) {
        let mut bill = story.bill(Kind::Commercial, 10_000 * CNY + nth, (acceptor, acceptor, payee), 30);
        story.accepted(&mut bill);
        bills.push(bill);
        story.wait(5);
    }
    let Some(mut refused) = bills.pop() else { return };
    story.taken(&mut refused);
    let presentation = story.presented(&mut refused, payee);
    story.refused(&mut refused, payee, presentation, "DC08");
    story.label(acceptor.id, story.today(), "refused bill is the fifth accepted, none paid; miss: the sixth");
    for bill in &mut bills {
        story.unused(bill);
    }
}

/// A recourse notice without any refusal; the miss: after one.
fn recourse_without_dishonour(story: &mut Story) {
    let parties = (story.company(), story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, 10_000 * CNY, parties, 30);
    story.received(&mut bill);
    let range = bill.whole();
    if story.positive {
        let fact = bill.mature(range, parties.2);
        story.put(fact);
        story.on(bill.due_adjusted);
        story.wait(5);
    } else {
        let presentation = story.presented(&mut bill, parties.2);
        let fact = bill.refuse_payment(story.now(), range, parties.2, presentation, "DC00");
        story.put(fact);
        story.wait(5);
    }
    let fact = bill.recourse_notice(story.now(), range, parties.2, parties.0);
    debug_assert_eq!(fact.behaviour, behaviour::RCS_NTC);
    story.put(fact);
    story.label(bill.id, story.today(), "notice without a refusal; miss: after a refusal");
}

/// Three bills of a drawer and an acceptor revoked after acceptance within 30 days; the miss: two, the third on another
/// acceptor, or the first a day too early.
fn accepted_and_revoked(story: &mut Story) {
    let (drawer, payee) = (story.company(), story.company());
    let apart = if !story.positive && story.variant == 2 { 30 } else { 29 };
    let (first, last) = story.days_apart(story.begin, apart);
    let bills = if !story.positive && story.variant == 0 { 2 } else { 3 };
    for nth in 0..bills {
        story.on(if nth == 0 { first } else { last });
        story.wait(20 * nth as i64);
        let acceptor = story.house_bank(usize::from(!story.positive && story.variant == 1 && nth == 2));
        let mut bill = story.bill(Kind::Bank, MILLION, (drawer, acceptor, payee), 180);
        story.accepted(&mut bill);
        story.wait(5);
        let whole = bill.whole();
        let fact = bill.ask(behaviour::ISS_RVK, story.now(), whole, drawer, acceptor);
        story.put(fact);
    }
    let note = "3 accepted and revoked in 30 days; miss: 2, another acceptor, or the first on day 31";
    story.label(drawer.id, last, note);
}
