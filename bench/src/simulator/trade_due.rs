//! Normal trade at the due date: presentation, payment, the rare refusal and its recourse.

use billwatch_market::ids::Day;

use super::draft::Party;
use super::life::Kind;
use super::lot::{Lot, Step};
use super::trade::{Next, Trade};
use super::world::Who;
use billwatch_market::fact::Source;

impl Trade {
    pub(super) fn mature(&mut self, lot: &Lot) -> Next {
        let holder = self.party(lot.holder);
        let bill = &mut self.bills.get(lot.bill).bill;
        let fact = bill.mature(lot.range, holder);
        // One paper bill in ten is paid outside the systems: it is closed and never presented.
        let closed = bill.source == Source::Preg && bill.serial.is_multiple_of(10);
        let day = bill.due_adjusted;
        self.out.push(fact);
        Some((self.office_time(day), if closed { Step::ClosePaper } else { Step::Present }))
    }

    /// Who presents: the pledgee of a pledged lot, else the holder.
    fn presenter(&self, lot: &Lot) -> Party {
        self.party(if lot.pledged { lot.other } else { lot.holder })
    }

    pub(super) fn present(&mut self, at: i64, lot: &mut Lot) -> Next {
        let presenter = self.presenter(lot);
        let by_system = !lot.pledged && self.dice.chance(5_000);
        let bill = &mut self.bills.get(lot.bill).bill;
        let fact =
            if by_system { bill.present_by_system(at, lot.range) } else { bill.present(at, lot.range, presenter) };
        lot.request = fact.event_id;
        self.out.push(fact);
        Some((self.soon(at, 60, 5_400), Step::AnswerPayment))
    }

    pub(super) fn answer_payment(&mut self, at: i64, lot: &mut Lot) -> Next {
        let presenter = self.presenter(lot);
        let ticket = self.dice.below(100_000);
        let live = self.bills.get(lot.bill);
        let refusals = match live.bill.kind {
            Kind::Bank => 2,
            Kind::Finance => 100,
            Kind::Commercial => 600,
        };
        // A commercial acceptor that never paid would look like a fraud, and a pledgee's recourse is another story.
        let has_paid = live.acceptor.enterprise_place().is_none_or(|place| self.world.enterprises[place].has_paid);
        let amount = live.bill.amount(lot.range);
        if ticket < refusals && has_paid && !lot.pledged && amount < 1_000_000_000 {
            let fact = live.bill.refuse_payment(at, lot.range, presenter, lot.request, refusal_reason(amount));
            self.out.push(fact);
            return Some((self.soon(at, 1, 2), Step::NotifyDishonour(0)));
        }
        // A silent commercial acceptor is answered for by its account bank.
        let silent = live.bill.kind == Kind::Commercial && ticket.is_multiple_of(5);
        let fact = if silent {
            live.bill.answer_for_acceptor(at, lot.range, presenter, lot.request)
        } else {
            live.bill.agree_payment(at, lot.range, presenter, lot.request)
        };
        self.out.push(fact);
        let step = if ticket % 100 == 7 { Step::QueuePayment } else { Step::Pay };
        Some((self.soon(at, 1, 300), step))
    }

    /// The acceptor's cash is short for some minutes.
    pub(super) fn queue_payment(&mut self, at: i64, lot: &Lot) -> Next {
        let fact = self.bills.get(lot.bill).bill.queue_payment(at, lot.range);
        self.out.push(fact);
        Some((self.soon(at, 60, 3_000), Step::Pay))
    }

    pub(super) fn pay(&mut self, at: i64, lot: &Lot) -> Next {
        let holder = self.party(lot.holder);
        let fact = self.bills.get(lot.bill).bill.pay(at, lot.range, holder, lot.request);
        self.out.push(fact);
        self.ended(lot);
        None
    }

    /// A lot has been paid or closed.
    pub(super) fn ended(&mut self, lot: &Lot) {
        let live = self.bills.get(lot.bill);
        let (amount, drawer, acceptor) = (live.bill.amount(lot.range), live.drawer, live.acceptor);
        self.world.enterprises[drawer].outstanding_fen -= amount;
        if let Some(place) = acceptor.enterprise_place() {
            self.world.enterprises[place].has_paid = true;
        }
        if let Some(bank) = lot.holder.institution() {
            self.held(bank, -amount);
        }
    }

    pub(super) fn notify_dishonour(&mut self, at: i64, lot: &Lot, nth: u8) -> Next {
        let bill = &mut self.bills.get(lot.bill).bill;
        let prior = if nth == 0 { bill.drawer } else { bill.payee };
        let reason = refusal_reason(bill.amount(lot.range));
        let fact = bill.dishonour_notice(at, lot.range, prior, lot.request, reason);
        self.out.push(fact);
        if nth == 0 {
            return Some((self.soon(at, 1, 2), Step::NotifyDishonour(1)));
        }
        let day = self.calendar.after(Day::of_time(at), 1);
        Some((self.office_time(day), Step::NotifyRecourse))
    }

    /// The first notice goes to the party before the holder, the next one to the acceptor.
    pub(super) fn notify_recourse(&mut self, at: i64, lot: &mut Lot) -> Next {
        let live = self.bills.get(lot.bill);
        let (acceptor, drawer) = (live.acceptor, Who::enterprise(live.drawer));
        let direct = lot.recourses > 0 || lot.prior == drawer || lot.prior.same_party(lot.holder);
        lot.other = if direct { acceptor } else { lot.prior };
        let (creditor, debtor) = (self.party(lot.holder), self.party(lot.other));
        let bill = &mut self.bills.get(lot.bill).bill;
        let fact = if lot.recourses == 0 {
            bill.recourse_notice(at, lot.range, creditor, debtor)
        } else {
            bill.further_recourse_notice(at, lot.range, creditor, debtor)
        };
        self.out.push(fact);
        let day = self.calendar.after(Day::of_time(at), 1 + self.dice.below(5) as u32);
        Some((self.office_time(day), Step::OfferSettlement))
    }

    pub(super) fn offer_settlement(&mut self, at: i64, lot: &mut Lot) -> Next {
        let (creditor, debtor) = (self.party(lot.holder), self.party(lot.other));
        let fact = self.bills.get(lot.bill).bill.offer_settlement(at, lot.range, debtor, creditor);
        lot.request = fact.event_id;
        self.out.push(fact);
        Some((self.soon(at, 60, 3_600), Step::AgreeSettlement))
    }

    pub(super) fn agree_settlement(&mut self, at: i64, lot: &Lot) -> Next {
        let (creditor, debtor) = (self.party(lot.holder), self.party(lot.other));
        let fact = self.bills.get(lot.bill).bill.agree_settlement(at, lot.range, creditor, debtor, lot.request);
        self.out.push(fact);
        Some((self.soon(at, 10, 600), Step::SettleRecourse))
    }

    pub(super) fn settle_recourse(&mut self, at: i64, lot: &mut Lot) -> Next {
        let (creditor, debtor) = (self.party(lot.holder), self.party(lot.other));
        let live = self.bills.get(lot.bill);
        let fact = live.bill.settle_recourse(at, lot.range, creditor, debtor, lot.request);
        let (acceptor, amount) = (live.acceptor, live.bill.amount(lot.range));
        self.out.push(fact);
        if lot.other.same_party(acceptor) {
            self.ended(lot);
            return None;
        }
        if let Some(bank) = lot.holder.institution() {
            self.held(bank, -amount);
        }
        lot.recourses += 1;
        lot.holder = lot.other;
        if let Some(bank) = lot.holder.institution() {
            self.held(bank, amount);
        }
        let day = self.calendar.after(Day::of_time(at), 2);
        Some((self.office_time(day), Step::NotifyRecourse))
    }
}

/// A small debt was not paid for want of cash; a larger refusal is a dispute, which is no overdue payment (DF1).
fn refusal_reason(amount_fen: i64) -> &'static str {
    if amount_fen < 20_000_000 { "DC08" } else { "DC00" }
}
