//! Cases of peer groups: P164, P165, P168, P169. Each case brings its own few peers, in a group that nobody else is in. Groups of
//! more are in `bank_peers` and `drawer_peers`.

use billwatch_market::ids::InstId;

use super::scenery::{TYPES, place};
use super::{Injector, heavy, once};
use crate::simulator::draft::Party;
use crate::simulator::life::Kind;
use crate::simulator::story::{CNY, FAIR_RATE, MILLION, Story};
use crate::simulator::tables::section_of;

pub(super) const CASES: &[Injector] =
    &[once("P164", refusals), heavy("P165", discount_rate), heavy("P168", one_branch), once("P169", margin_ratio)];

/// One of ten bills refused, its face one fen above that of the peer's; the miss: equal.
fn refusals(story: &mut Story) {
    // Divisions in which no other commercial acceptor is.
    const DIVISIONS: [[u8; 6]; 2] = [[67, 68, 69, 61, 62, 80], [81, 82, 83, 84, 85, 86]];
    let quarter = (story.begin.0 / 91 % 2) as usize;
    let division = DIVISIONS[quarter][place(story)];
    let mut subject = None;
    for more in [0, story.either(1, 0)] {
        let acceptor = story.company_with(|company| {
            company.division = division;
            // A register agrees with itself: what does not is a case of its own (report R13, check C1).
            company.section = section_of(division);
        });
        let payee = story.company();
        for nth in 0..10 {
            story.on(story.begin);
            story.wait(10 * nth);
            let face = 10_000 * CNY + if nth == 9 { more } else { 0 };
            let mut bill = story.bill(Kind::Commercial, face, (acceptor, acceptor, payee), 30);
            story.received(&mut bill);
            let presentation = story.presented(&mut bill, payee);
            if nth == 9 {
                story.wait(10);
                story.refused(&mut bill, payee, presentation, "DC00");
            } else {
                story.honoured(&mut bill, payee, presentation);
            }
        }
        subject = Some(acceptor);
    }
    if let Some(acceptor) = subject {
        story.label(acceptor.id, story.today(), "refused share above that of all peers; miss: equal to the greatest");
    }
}

/// Discounts 30.01 bp above two peers who agree; the miss: 30 bp.
fn discount_rate(story: &mut Story) {
    // Provinces without another bank; the class separates positives from near misses.
    let province = ["710000", "810000", "820000"][story.variant % 3];
    let acceptor = usize::from(story.positive) * 2;
    let day = story.business_day(story.begin, 2);
    let mut subject = None;
    for more in [0, 0, story.either(3_001, 3_000)] {
        let bank = story.member_in(206, province, None, 100_000 * MILLION);
        story.on(story.begin);
        let parties = (story.company(), story.house_bank(acceptor), story.company());
        let mut bill = story.bill(Kind::Bank, 2 * MILLION, parties, 180);
        story.received(&mut bill);
        story.on(day);
        story.discount(&mut bill, parties.2, bank, FAIR_RATE + more);
        story.paid(&mut bill, bank);
        subject = Some(bank);
    }
    if let Some(bank) = subject {
        story.label(bank.id, day, "30.01 bp above the median of its province and class; miss: 30 bp");
    }
}

/// Margin one part per million below that of two peers; the miss: equal.
fn margin_ratio(story: &mut Story) {
    let (inst_type, assets) = TYPES[place(story)];
    let mut subject: Option<Party> = None;
    for less in [0, 0, story.either(1, 0)] {
        let bank = story.member_in(inst_type, "310000", None, assets * MILLION);
        let parties = (story.company(), bank, story.company());
        let mut bill = story.bill(Kind::Bank, MILLION, parties, 180);
        let margin = MILLION / 1_000_000 * (300_000 - less);
        story.accepted_with(&mut bill, margin);
        story.unused(&mut bill);
        subject = Some(bank);
    }
    if let Some(bank) = subject {
        story.label(bank.id, story.begin, "margin ratio below that of all peers; miss: equal to the lowest");
    }
}

/// One branch discounts a fen more than another and than 1,000,000,000 CNY in a month; the miss: as much as the other.
fn one_branch(story: &mut Story) {
    let bank = story.member(206);
    let Some(inst) = bank.inst else { return };
    let second = Party { inst: Some(InstId(inst.0 + 1)), ..bank };
    let at = story.reference_time();
    let fact = story.trade.registry.institution(at + 3, second, 206, "310000", None);
    story.put(fact);
    let day = story.business_day(story.begin, 2);
    let more = story.either(1, 0);
    for (branch, less) in [(bank, 0), (second, more)] {
        // Two bills each: one may not be larger than 1,000,000,000 CNY.
        for face in [600 * MILLION + 1 - less, 400 * MILLION] {
            story.on(story.begin);
            let parties = (story.company(), story.acceptor_of(face, 0), story.company());
            let mut bill = story.bill(Kind::Bank, face, parties, 150);
            story.received(&mut bill);
            story.on(day);
            story.discount(&mut bill, parties.2, branch, FAIR_RATE);
            story.paid(&mut bill, branch);
        }
    }
    let last = day.month_start().add_months(1).plus(-1);
    if let Some(inst) = bank.inst {
        story.label(inst, last, "one branch a fen above the other and 1,000,000,000 CNY; miss: both alike");
    }
}
