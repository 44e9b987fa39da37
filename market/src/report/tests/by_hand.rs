//! Reports on a few bills whose figures were worked out by hand: legal acts that are rare, and checks that must hold for them.

use std::sync::Arc;

use crate::{
    catalogue::Catalogue,
    evaluator::Rules,
    fact::{Field, Range, Value},
    ids::{BillId, PartyId},
    pattern::tests::market::{Market, Terms, bank, code, ent, text, yuan},
    report::{
        Book, Period, Report,
        alerts::counts_alerts,
        exact::Exact,
        plain::{self, reports},
        questions,
    },
};

const SYSTEM: PartyId = PartyId::SYSTEM;
/// Of the bills of these tests, fen.
const FACE: i64 = yuan(1_000_000);

struct Made {
    book: Book,
    reports: Vec<Report>,
}

/// These reports of the market, `R08 2025-03`; every check of them holds.
fn made(market: &Market, wanted: &[&str]) -> Made {
    let rules = Rules::new(&Catalogue::embedded()).unwrap();
    let book = Book::read(&Arc::clone(&rules.meanings)).unwrap();
    let of = |text: &&str| {
        let (report, label) = text.split_once(' ').unwrap();
        let number = book.number(report).unwrap();
        (number, Period::parse(book.reports[number].frequency, label).unwrap())
    };
    let wanted: Vec<(usize, Period)> = wanted.iter().map(of).collect();
    let market = plain::Market { records: &market.facts, alerts: &[], clock: Some(market.clock()), rules: &rules };
    let reports = reports(market, &book, &wanted);
    for report in &reports {
        let failed: Vec<_> = report.checks.iter().filter(|check| !check.pass).collect();
        assert!(failed.is_empty(), "{} {}: {failed:#?}", report.id, report.period.label());
    }
    Made { book, reports }
}

impl Made {
    /// A cell of a report, `R08 2025-03 main/6/amount.TOTAL`.
    #[track_caller]
    fn cell(&self, place: &str) -> Exact {
        let parts: Vec<&str> = place.splitn(3, ' ').collect();
        let [id, label, cell] = parts[..] else { panic!("{place}") };
        let report = self.reports.iter().find(|report| report.id == id && report.period.label() == label).unwrap();
        let form = &self.book.reports[self.book.number(id).unwrap()];
        let cell: Vec<&str> = cell.split('/').collect();
        let block = form.blocks.iter().position(|block| block.id == cell[0]).unwrap();
        let column = form.blocks[block].columns.iter().position(|column| column.id == cell[2]).unwrap();
        let row = report.blocks[block].rows.iter().find(|row| row.id == cell[1]);
        row.unwrap_or_else(|| panic!("no row {place}")).cells[column].clone()
    }

    #[track_caller]
    fn is(&self, place: &str, value: i64) {
        assert_eq!(self.cell(place), Exact::Number(value.into()), "{place}");
    }
}

fn whole(bill: BillId) -> Option<(BillId, Range)> {
    Some((bill, Range::WHOLE))
}

#[test]
fn courts_and_the_exchange_end_bills_that_were_never_received() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let [voided, judged, early] = [(); 3].map(|()| market.accept(&Terms::default()));
    let drawn = market.register_bill(&Terms::default());
    market.at("2025-03-04", "09:00");
    market.fact("LSF.VOI", whole(voided), SYSTEM, ent(1), &[]);
    market.fact("LSF.PUB", whole(judged), PartyId::court(1), bank(1), &[]);
    market.fact("LSF.JDG", whole(judged), PartyId::court(1), bank(1), &[]);
    market.fact("LSF.EST", whole(early), SYSTEM, ent(1), &[]);
    // It was never accepted, so it leaves no balance.
    market.fact("LSF.EST", whole(drawn), SYSTEM, ent(1), &[]);
    let made = made(&market, &["R08 2025-03", "R01 2025-03-04", "R18 2025-03"]);
    for (row, bills) in [("2", 3), ("3", 2), ("4", 1), ("5", 0), ("6", 0)] {
        made.is(&format!("R08 2025-03 main/{row}/amount.TOTAL"), bills * FACE);
    }
    made.is("R01 2025-03-04 main/9/amount.TOTAL", FACE);
    made.is("R18 2025-03 ended/other/amount", FACE);
}

#[test]
fn a_bill_that_is_locked_on_its_due_date_is_past_due_and_not_due_and_unpaid() {
    let mut market = Market::new();
    market.at("2025-03-03", "09:00");
    let terms = Terms { due_in: 30, ..Terms::default() };
    let [locked, matured] = [(); 2].map(|()| market.draw(&terms));
    market.at("2025-04-01", "09:00").fact("END.REQ", whole(locked), ent(2), ent(3), &[]);
    market.at("2025-04-02", "00:00");
    for bill in [locked, matured] {
        market.fact("PAY.MAT", whole(bill), SYSTEM, ent(2), &[]);
    }
    let made = made(&market, &["R10 2025-04", "R08 2025-04"]);
    made.is("R10 2025-04 main/RT01/amount.TOTAL", 2 * FACE);
    made.is("R10 2025-04 main/RT01/due", FACE);
    made.is("R10 2025-04 main/RT01/not_due", FACE);
    made.is("R08 2025-04 main/13/amount.TOTAL", FACE);
}

#[test]
fn an_enterprise_has_one_size_in_a_period() {
    let mut market = Market::new();
    let grows = |market: &mut Market, number: u64, size: &str| {
        let change = [
            (Field::EntId, Value::Party(ent(number))),
            (Field::FieldName, text("size")),
            (Field::NewValue, text(size)),
        ];
        market.fact("MST.ENC", None, bank(1), SYSTEM, &change);
    };
    // Enterprises of the market are of size M.
    market.at("2025-03-03", "09:00").discounted(&Terms::default(), bank(4), 12_000);
    grows(market.at("2025-03-10", "09:00"), 1, "L");
    grows(&mut market, 2, "S");
    market.at("2025-03-11", "09:00").discounted(&Terms::default(), bank(4), 12_000);
    market.accept(&Terms { drawer: ent(3), ..Terms::default() });
    grows(market.at("2025-04-01", "09:00"), 1, "X");
    market.at("2025-04-02", "09:00").accept(&Terms::default());
    market.accept(&Terms { drawer: ent(4), ..Terms::default() });
    let made = made(&market, &["R14 2025-03", "R14 2025-04"]);
    for (cell, value) in [
        ("L/drawers", 1),
        ("L/acc", 2 * FACE),
        ("L/new", 1),
        ("M/drawers", 1),
        ("M/acc", FACE),
        ("M/new", 1),
        ("S/applicants", 1),
        ("S/dsc", 2 * FACE),
        ("M/applicants", 0),
        ("TOTAL/drawers", 2),
        ("TOTAL/new", 2),
    ] {
        made.is(&format!("R14 2025-03 main/{cell}"), value);
    }
    // Another size makes no new drawer.
    for (cell, value) in [("X/drawers", 1), ("X/new", 0), ("M/new", 1), ("L/drawers", 0), ("TOTAL/new", 1)] {
        made.is(&format!("R14 2025-04 main/{cell}"), value);
    }
}

#[test]
fn bills_for_drawers_outside_the_group_are_counted_from_facts() {
    let mut market = Market::new();
    let group = |number| (Field::GroupId, Value::Party(PartyId::group(number)));
    market.bank(5, "301", &[group(1)]);
    market.register(3, &[group(1)]);
    market.register(4, &[group(2)]);
    market.at("2025-03-03", "09:00");
    // A member; one of another group and one of none, on one day; one that nobody registered.
    for drawer in [ent(3), ent(4), ent(1), ent(4_000)] {
        market.accept(&Terms { kind: "FAB", acceptor: bank(5), drawer, ..Terms::default() });
    }
    let made = made(&market, &["R16 2025-03"]);
    made.is("R16 2025-03 main/100105/non_members", 2);
    let number = made.book.number("R16").unwrap();
    let asked = questions(&made.book, &[(number, made.reports[0].period)]);
    assert!(!counts_alerts(&made.book, &asked), "R16 is a function of facts");
}

#[test]
fn dishonour_and_recourse_step_by_step() {
    let mut market = Market::new();
    let (acceptor, payee, holder) = (ent(3), ent(2), ent(4));
    let terms = Terms { kind: "CAB", acceptor, due_in: 30, ..Terms::default() };
    market.at("2025-03-03", "09:00");
    let [recovered, silent, failed, paid, voided, early] = [(); 6].map(|()| {
        let bill = market.draw(&terms);
        market.endorse(bill, payee, holder);
        bill
    });
    market.at("2025-04-01", "09:00").fact("PAY.ERQ", whole(early), holder, acceptor, &[]);
    market.fact("PAY.ESG", whole(early), acceptor, holder, &[]);
    market.at("2025-04-02", "09:00");
    for bill in [recovered, silent, failed, paid, voided] {
        market.present(bill, holder, acceptor);
    }
    for bill in [recovered, voided] {
        market.refuse(bill, holder, acceptor, "DC08");
    }
    for bill in [failed, paid] {
        market.fact("PAY.SGN", whole(bill), acceptor, holder, &[]);
    }
    market.fact("PAY.FLD", whole(failed), SYSTEM, holder, &[]);
    market.pay(paid, holder, acceptor);
    let settled = |market: &mut Market, creditor, debtor| {
        let parties = [(Field::CreditorId, Value::Party(creditor)), (Field::DebtorId, Value::Party(debtor))];
        market.fact("RCS.AGR", whole(recovered), debtor, creditor, &[]);
        market.fact("RCS.AGS", whole(recovered), creditor, debtor, &[(Field::SettlementMethod, code("DVP"))]);
        market.fact("RCS.SET", whole(recovered), SYSTEM, creditor, &parties);
    };
    market.at("2025-04-03", "09:00").fact("RCS.NTC", whole(recovered), holder, payee, &[]);
    market.fact("RCS.NTC", whole(voided), holder, payee, &[]);
    settled(market.at("2025-04-08", "09:00"), holder, payee);
    market.at("2025-04-09", "09:00").fact("RCS.RRN", whole(recovered), payee, acceptor, &[]);
    settled(market.at("2025-04-12", "09:00"), payee, acceptor);
    market.at("2025-04-14", "09:00").fact("LSF.VOI", whole(voided), SYSTEM, holder, &[]);
    market.at("2025-04-30", "23:00");
    let made = made(&market, &["R18 2025-04", "R08 2025-04"]);
    for (cell, bills) in [
        ("reasons/DC08/amount.CAB", 2),
        ("reasons/failed/amount.CAB", 1),
        ("reasons/silent/amount.CAB", 1),
        ("reasons/ALL/amount.TOTAL", 4),
        ("recourse/new/amount", 2),
        ("recourse/settled/amount", 1),
        ("recourse/lapsed/amount", 1),
        ("recourse/closing/amount", 0),
        ("debtors/ENDORSER/amount", 2),
        ("debtors/ENDORSER/paid", 1),
        ("debtors/ACCEPTOR/amount", 1),
        ("debtors/ACCEPTOR/paid", 1),
        ("funnel/settled/amount", 1),
        ("funnel/refused/amount", 2),
        ("funnel/failed/amount", 1),
        ("funnel/silent/amount", 1),
        ("funnel/other/amount", 1),
        ("funnel/open/amount", 1),
        ("ended/collection/amount", 1),
        ("ended/recourse/amount", 1),
        ("ended/other/amount", 1),
    ] {
        made.is(&format!("R18 2025-04 {cell}"), bills * FACE);
    }
    for (cell, number) in [
        ("ENDORSER/count", 2),
        ("ENDORSER/lots", 2),
        ("ENDORSER/paid_lots", 1),
        ("ENDORSER/median", 5),
        ("ACCEPTOR/paid_lots", 1),
        ("ACCEPTOR/median", 3),
    ] {
        made.is(&format!("R18 2025-04 debtors/{cell}"), number);
    }
    made.is("R18 2025-04 recourse/settled/median", 3);
}
