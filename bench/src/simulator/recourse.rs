//! How a told case ends for bills that are refused: recourse (追索) to the debtor that pays.

use billwatch_market::fact::EventId;
use billwatch_market::ids::Day;

use super::draft::Party;
use super::life::Bill;
use super::story::Story;

/// Days after which a refused bill is paid in recourse: before the right to it lapses (P124).
const RECOVERED_AFTER: i32 = 100;

impl Story<'_> {
    /// PAY.REJ of an open presentation; the acceptor pays the holder in recourse when the case is long over. Otherwise bills of
    /// January would be overdue, and their rights about to lapse, for years.
    pub fn refused(&mut self, bill: &mut Bill, holder: Party, presentation: EventId, reason: &str) {
        let fact = bill.refuse_payment(self.now(), bill.whole(), holder, presentation, reason);
        self.put(fact);
        self.recovered(bill, holder, self.today().plus(RECOVERED_AFTER));
    }

    /// The acceptor pays a refused bill in recourse on the first business day from this one on; the clock stays.
    pub fn recovered(&mut self, bill: &mut Bill, holder: Party, day: Day) {
        let now = self.now();
        self.on(self.trade.calendar.roll(day));
        let acceptor = bill.acceptor;
        self.recourse(bill, holder, acceptor, true);
        self.at(now);
    }

    /// RCS.NTC (RCS.RRN unless `first`), RCS.AGR, RCS.AGS and RCS.SET: a debtor pays a creditor.
    pub fn recourse(&mut self, bill: &mut Bill, creditor: Party, debtor: Party, first: bool) {
        let range = bill.whole();
        let fact = if first {
            bill.recourse_notice(self.now(), range, creditor, debtor)
        } else {
            bill.further_recourse_notice(self.now(), range, creditor, debtor)
        };
        self.put(fact);
        self.wait(30);
        let fact = bill.offer_settlement(self.now(), range, debtor, creditor);
        let offer = self.put(fact);
        self.wait(5);
        let fact = bill.agree_settlement(self.now(), range, creditor, debtor, offer);
        self.put(fact);
        self.wait(5);
        let fact = bill.settle_recourse(self.now(), range, creditor, debtor, offer);
        self.put(fact);
    }
}
