//! Cases of ratios to reference data: P048, P049, P050, P052, P053, P058, P060, P063.

use billwatch_market::fact::{Field, Value, behaviour};

use super::{Injector, light};
use crate::simulator::deals::Deal;
use crate::simulator::life::Kind;
use crate::simulator::story::{FAIR_RATE, MILLION, Story};

pub(super) const CASES: &[Injector] = &[
    light("P048", beyond_assets),
    light("P049", margin_heavy),
    light("P050", beyond_interbank_deposits),
    light("P052", beyond_net_assets),
    light("P053", beyond_capital),
    light("P058", repo_leverage),
    light("P060", overdue_share),
    light("P063", funding_gap),
];

/// A small bank with 100,000,000 CNY of liquid assets must pay a fen more than a quarter of them in a week; the miss: a
/// quarter, or a day later.
fn funding_gap(story: &mut Story) {
    // Liquid assets are an eighth of total assets.
    let bank = story.member_in(206, "310000", None, 800 * MILLION);
    let parties = (story.company(), bank, story.company());
    let later = !story.positive && story.variant == 1;
    let face = 25 * MILLION + i64::from(story.positive || later);
    let mut bill = story.bill(Kind::Bank, face, parties, if later { 8 } else { 7 });
    story.accepted_with(&mut bill, face);
    story.label(bank.id, story.begin, "a fen above a quarter of liquid assets due in a week; miss: a fen or a day off");
    story.unused(&mut bill);
}

/// Total assets 100,000,000 CNY: accepted one fen more than 15 %; the miss: one fen below the warning at 12.75 %.
fn beyond_assets(story: &mut Story) {
    let bank = story.member_in(205, "320000", None, 100 * MILLION);
    let parties = (story.company(), bank, story.company());
    let face = story.either(15 * MILLION + 1, 12_750_000 * 100 - 1);
    let mut bill = story.bill(Kind::Bank, face, parties, 180);
    story.accepted(&mut bill);
    story.label(bank.id, story.begin, "one fen above 15 % of assets; miss: one fen below the warning (12.75 %)");
    story.unused(&mut bill);
}

/// Margin one fen above 10 % of deposits, or above the warning at 8.5 %; the miss: exactly 8.5 %.
fn margin_heavy(story: &mut Story) {
    let bank = story.member(205);
    let deposits = 7_000 * MILLION;
    let margin = match (story.positive, story.variant) {
        (true, 1) => deposits / 1_000 * 85 + 1,
        (true, _) => deposits / 10 + 1,
        (false, _) => deposits / 1_000 * 85,
    };
    let report = story.begin.month_start().plus(-1);
    let mut sheet = story.trade.registry.balance_sheet(story.now(), bank, report, 10_000 * MILLION);
    sheet.set(Field::DepositsFen, Value::Int(deposits));
    sheet.set(Field::MarginFen, Value::Int(margin));
    let told = story.put(sheet);
    let note = "margin one fen above 10 % of deposits, or above 8.5 %; miss: 8.5 %";
    story.label_reference(bank.id, story.begin, told, note);
}

/// A finance company accepts one fen more than three times its interbank deposits, or these fall below a third of what it
/// has accepted; the miss: exactly three times.
fn beyond_interbank_deposits(story: &mut Story) {
    // Interbank deposits are a fortieth of total assets: 2,500,000 CNY.
    let total = 100 * MILLION;
    let deposits = total / 40;
    let company = story.member_in(301, "320000", None, total);
    let by_sheet = story.variant == 1;
    let face = 3 * deposits + i64::from(story.positive && !by_sheet);
    let parties = (story.company(), company, story.company());
    let mut bill = story.bill(Kind::Finance, face, parties, 180);
    let mut proof = story.accepted(&mut bill);
    if by_sheet {
        story.on(story.business_day(story.begin, 1));
        let report = story.begin.month_start().plus(-1);
        let mut sheet = story.trade.registry.balance_sheet(story.now(), company, report, total);
        sheet.set(Field::InterbankDepositFen, Value::Int(deposits - i64::from(story.positive)));
        proof = story.put(sheet);
    }
    let note = "accepted one fen above three times the interbank deposits, or these a fen too low; miss: three times";
    if by_sheet {
        story.label_reference(company.id, story.today(), proof, note);
    } else {
        story.label(company.id, story.begin, note);
    }
    story.unused(&mut bill);
}

/// Net assets 10,000,000 CNY: accepted one fen more than half; the miss: half.
fn beyond_net_assets(story: &mut Story) {
    let acceptor = story.company();
    story.net_assets(acceptor, 10 * MILLION);
    let payee = story.company();
    let mut bill =
        story.bill(Kind::Commercial, story.either(5 * MILLION + 1, 5 * MILLION), (acceptor, acceptor, payee), 180);
    story.accepted(&mut bill);
    story.label(acceptor.id, story.begin, "one fen above half of net assets; miss: half");
    story.unused(&mut bill);
}

/// Capital 4,000,000 CNY: drawn one fen more than five times (and at least 20,000,000); the miss: five times.
fn beyond_capital(story: &mut Story) {
    let drawer = story.company_with(|company| company.capital_fen = 4 * MILLION);
    let parties = (drawer, story.house_bank(0), story.company());
    let mut bill = story.bill(Kind::Bank, story.either(20 * MILLION + 1, 20 * MILLION), parties, 180);
    story.accepted(&mut bill);
    story.label(drawer.id, story.begin, "one fen above five times the capital; miss: five times");
    story.unused(&mut bill);
}

/// One fen more than 80 % of a bank's bills are out on repo; the miss: 80 %.
fn repo_leverage(story: &mut Story) {
    let (seller, buyer) = (story.member(205), story.member(206));
    let out = 8 * MILLION + story.either(1, 0);
    let mut bills = Vec::new();
    for face in [out, 10 * MILLION - out] {
        story.on(story.begin);
        let parties = (story.company(), story.house_bank(0), story.company());
        let mut bill = story.bill(Kind::Bank, face, parties, 180);
        story.received(&mut bill);
        story.on(story.business_day(story.begin, 1));
        story.discount(&mut bill, parties.2, seller, FAIR_RATE);
        bills.push(bill);
    }
    let day = story.business_day(story.begin, 3);
    story.on(day);
    let redeem = story.business_day(day, 2);
    let days = i64::from(redeem.0 - day.0);
    let pledged = &mut bills[0];
    story.trade.deals += 1;
    let first = out / 10 * 9;
    let deal = Deal::repo(story.trade.deals, pledged.whole(), (seller, buyer), 16_000, first, days, day);
    let fact = pledged.quote(behaviour::RPO_QTE, story.now(), &deal);
    let request = story.put(fact);
    story.wait(5);
    let fact = pledged.accept_quote(behaviour::RPO_QAC, story.now(), request, &deal);
    story.put(fact);
    story.wait(1);
    let fact = pledged.strike(behaviour::RPO_DEL, story.now(), request, &deal);
    story.put(fact);
    story.wait(5);
    let fact = pledged.settle(behaviour::RPO_SET, story.now(), request, &deal);
    let first_leg = story.put(fact);
    story.label(seller.id, day, "one fen above 80 % of holdings out on repo; miss: 80 %");
    story.on(redeem);
    let fact = pledged.redeem(behaviour::RPO_RED, story.now(), first_leg, &deal);
    story.put(fact);
    for bill in &mut bills {
        story.paid(bill, seller);
    }
}

/// Overdue 1,000,000 CNY of 20,000,000 less one fen (accepted and overdue); the miss: of 20,000,000.
fn overdue_share(story: &mut Story) {
    let (acceptor, payee) = (story.company(), story.company());
    // Overdue lots stay in the acceptance balance, so that 19,000,000 is the whole balance.
    let rest = 18 * MILLION - story.either(1, 0);
    let mut others = Vec::new();
    for nth in 0..6 {
        let face = if nth == 0 { rest - rest / 6 * 5 } else { rest / 6 };
        let mut bill = story.bill(Kind::Commercial, face, (acceptor, acceptor, payee), 120);
        story.accepted(&mut bill);
        others.push(bill);
        story.wait(3);
    }
    // The seventh bill: not among the first five of its acceptor (P017).
    let mut overdue = story.bill(Kind::Commercial, MILLION, (acceptor, acceptor, payee), 30);
    story.received(&mut overdue);
    let presentation = story.presented(&mut overdue, payee);
    story.refused(&mut overdue, payee, presentation, "DC08");
    story.label(acceptor.id, story.today(), "overdue 1,000,000 above 5 % by a fen's difference; miss: 5 %");
    for bill in &mut others {
        story.unused(bill);
    }
}
