//! Normal trade from issue to receipt.

use billwatch_market::fact::{Field, Source, Value, behaviour};
use billwatch_market::ids::Day;

use super::detours::Detour;
use super::life::{Bill, Kind};
use super::lot::{Live, Lot, Step};
use super::trade::{Next, Trade, What};
use super::world::Who;

/// Greatest face of a clean bill, fen: far below the largest single bill that alerts.
const GREATEST_FACE: i64 = 30_000_000_000;

impl Trade {
    /// A drawer registers a bill.
    pub fn birth(&mut self, at: i64) {
        let issue = Day::of_time(at);
        let (kind, drawer, acceptor) = match self.dice.below(100) {
            0..9 => {
                let drawer = self.world.commercial_drawer(&mut self.dice);
                (Kind::Commercial, drawer, Who::enterprise(drawer))
            }
            9..11 => {
                let (drawer, company) = self.world.group_drawer(&mut self.dice);
                (Kind::Finance, drawer, self.world.head_office(company))
            }
            _ => {
                // Chance found only drawers that are at their hourly limit: the market has one bill less.
                let Some(drawer) = self.world.drawer(at, &mut self.dice) else { return };
                (Kind::Bank, drawer, self.world.accepting_bank(drawer, issue, &mut self.dice))
            }
        };
        let Some(face_fen) = self.face(kind, drawer) else { return };
        let payee = Who::enterprise(self.world.supplier(drawer, &mut self.dice));
        let due = issue.plus(self.tenor()).min(issue.add_months(6));
        let source = match self.dice.below(1_000) {
            0..30 => Source::Scbp,
            // A paper bill is always discounted here: it needs the time for it.
            30..33 if kind == Kind::Bank && due.0 - issue.0 >= 60 => Source::Preg,
            _ => Source::Ngbs,
        };
        if kind == Kind::Commercial {
            let last = self.disclosing.get(&drawer).copied();
            if last.is_none() {
                let fact = self.registry.disclosure_account(at, self.world.party(acceptor));
                self.out.push(fact);
            }
            self.disclosing.insert(drawer, last.unwrap_or(due).max(due));
        }
        let divisible = source != Source::Preg && self.dice.chance(7_500);
        let (serial, of_day) = self.next_bill_numbers();
        let days = (issue, due, self.calendar.roll(due));
        let drawer_party = Who::enterprise(drawer);
        let parties = (self.world.party(drawer_party), self.world.party(acceptor), self.world.party(payee));
        let bank_no = self.world.bank_no_of(drawer);
        let bill = Bill::new(serial, kind, source, divisible, face_fen, days, parties, bank_no, of_day);
        let range = bill.whole();
        let slot = self.bills.keep(Live { bill, drawer, acceptor, payee, lots: 1, users: 1 });
        let mut lot = Lot::new(slot, range, drawer_party);
        let (when, step) = if source == Source::Preg {
            let fact = self.bills.get(slot).bill.register_paper(at);
            self.out.push(fact);
            self.world.enterprises[drawer].outstanding_fen += face_fen;
            lot.holder = payee;
            let day = self.calendar.after(issue, 2 + self.dice.below(10) as u32);
            (self.office_time(day), Step::DiscountPaper)
        } else {
            let fact = self.bills.get(slot).bill.issue(at);
            self.out.push(fact);
            if self.dice.chance(500) {
                self.register_trade(at, slot);
            }
            // A few bills are guaranteed for the drawer before they are accepted.
            let guaranteed = self.dice.chance(30);
            let step = if guaranteed { Step::Detour(Detour::DrawerGuarantee, 0) } else { Step::AskAcceptance };
            (self.soon(at, 60, 900), step)
        };
        lot.step = step;
        let lot = self.lots.keep(lot);
        self.agenda.add(when, What::Lot(lot));
    }

    /// MST.TBK: the contract and invoice behind a bill.
    pub(super) fn register_trade(&mut self, at: i64, slot: u32) {
        let live = self.bills.get(slot);
        let (serial, face) = (live.bill.serial, live.bill.face_fen);
        let (drawer, payee, whole, id) = (live.bill.drawer, live.bill.payee, live.bill.whole(), live.bill.id);
        let goods = format!("G{:02}", 1 + serial % 36);
        let mut fact = self
            .registry
            .draft(behaviour::MST_TBK, at)
            .from(drawer)
            .value(Field::DrawerId, Value::Party(drawer.id))
            .value(Field::PayeeId, Value::Party(payee.id))
            .text(Field::ContractNo, format!("HT{serial}"))
            .code(Field::ContractType, "CT01")
            .int(Field::ContractFen, face + face / 4)
            .text(Field::InvoiceNo, format!("FP{serial}"))
            .code(Field::InvoiceType, "IV03")
            .int(Field::InvoiceFen, face + face / 10)
            .code(Field::GoodsCategory, &goods)
            .done();
        fact.bill_id = Some(id);
        (fact.range, fact.range_given) = (whole, true);
        self.out.push(fact);
    }

    /// A face that the drawer can carry, in whole 100 CNY; `None` when it has drawn all it can.
    fn face(&mut self, kind: Kind, drawer: usize) -> Option<i64> {
        let company = &self.world.enterprises[drawer];
        // Issuance stays below 4.5 times the registered capital, one bill below twice (P053 looks at 5).
        let room = (company.capital_fen / 2 * 9 - company.outstanding_fen).min(company.capital_fen * 2);
        let most = room.min(GREATEST_FACE);
        let (mean, deviation) = match kind {
            Kind::Bank => (12.08, 1.6),
            Kind::Commercial => (11.8, 1.9),
            Kind::Finance => (11.93, 1.6),
        };
        for _ in 0..4 {
            let cny = (mean + deviation * self.dice.normal()).exp();
            let face = (cny / 100.0) as i64 * 10_000;
            if (10_000..=most).contains(&face) {
                return Some(face);
            }
        }
        (most >= 1_000_000).then_some(1_000_000 + self.dice.below(99) as i64 * 10_000)
    }

    fn tenor(&mut self) -> i32 {
        match self.dice.below(100) {
            0..90 => 181 + self.dice.below(4) as i32,
            90..96 => 90 + self.dice.below(3) as i32,
            96..98 => 60,
            98 => 30,
            // A bill of less than a week has no time for the life that is drawn here.
            _ => 7 + self.dice.below(174) as i32,
        }
    }

    pub(super) fn ask_acceptance(&mut self, at: i64, lot: &mut Lot) -> Next {
        let live = self.bills.get(lot.bill);
        let fact = live.bill.ask_acceptance(at);
        lot.request = fact.event_id;
        self.out.push(fact);
        let when = self.soon(at, 60, 3_000);
        Some((self.while_signing(when), Step::AnswerAcceptance))
    }

    pub(super) fn answer_acceptance(&mut self, at: i64, lot: &mut Lot) -> Next {
        let ticket = self.dice.below(1_000);
        let live = self.bills.get(lot.bill);
        let (drawer, acceptor, whole) = (live.bill.drawer, live.bill.acceptor, live.bill.whole());
        if ticket < 10 {
            let fact = live.bill.refuse(behaviour::ACC_REJ, at, whole, acceptor, drawer, lot.request, "RJ06");
            self.out.push(fact);
            let step = if ticket < 5 { Step::Revoke } else { Step::AskAcceptance };
            return Some((self.soon(at, 60, 900), step));
        }
        if ticket < 17 {
            let fact = live.bill.withdraw(behaviour::ACC_WDR, at, whole, drawer, acceptor, lot.request);
            self.out.push(fact);
            return Some((self.soon(at, 60, 600), Step::AskAcceptance));
        }
        // One margin ratio for all banks: a bank with another mix would be an outlier among its peers.
        let margin = if live.bill.kind == Kind::Commercial { 0 } else { live.bill.face_fen / 10 * 3 };
        let fact = live.bill.accept(at, lot.request, margin);
        let (kind, drawer, face) = (live.bill.kind, live.drawer, live.bill.face_fen);
        if kind != Kind::Bank {
            live.users += 1;
        }
        self.out.push(fact);
        self.world.enterprises[drawer].outstanding_fen += face;
        if kind != Kind::Bank {
            let when = self.soon(at, 60, 1_800);
            self.agenda.add(when, What::Disclose(lot.bill));
        }
        Some((self.soon(at, 60, 1_200), Step::AskReceipt))
    }

    pub(super) fn ask_receipt(&mut self, at: i64, lot: &mut Lot) -> Next {
        let fact = self.bills.get(lot.bill).bill.ask_receipt(at);
        lot.request = fact.event_id;
        self.out.push(fact);
        Some((self.soon(at, 60, 5_400), Step::AnswerReceipt))
    }

    pub(super) fn answer_receipt(&mut self, at: i64, lot: &mut Lot) -> Next {
        let ticket = self.dice.below(1_000);
        let live = self.bills.get(lot.bill);
        let (drawer, payee, whole) = (live.bill.drawer, live.bill.payee, live.bill.whole());
        if ticket < 6 {
            let fact = live.bill.refuse(behaviour::RCV_REJ, at, whole, payee, drawer, lot.request, "RJ01");
            let (drawer, face) = (live.drawer, live.bill.face_fen);
            self.world.enterprises[drawer].outstanding_fen -= face;
            self.out.push(fact);
            return Some((self.soon(at, 60, 900), Step::Revoke));
        }
        if ticket < 12 {
            let fact = live.bill.withdraw(behaviour::RCV_WDR, at, whole, drawer, payee, lot.request);
            self.out.push(fact);
            return Some((self.soon(at, 60, 600), Step::AskReceipt));
        }
        let fact = live.bill.receive(at, lot.request);
        let payee = live.payee;
        self.out.push(fact);
        lot.move_to(payee);
        self.draw_plan(at, lot);
        self.plan(at, lot)
    }

    pub(super) fn revoke(&mut self, at: i64, lot: &Lot) -> Next {
        let live = self.bills.get(lot.bill);
        let (drawer, acceptor, whole) = (live.bill.drawer, live.bill.acceptor, live.bill.whole());
        let fact = live.bill.ask(behaviour::ISS_RVK, at, whole, drawer, acceptor);
        self.out.push(fact);
        None
    }
}
