//! What cases stand before: groups that nobody else is in, and paper bills, which are accepted and discounted by one fact
//! each.

use billwatch_market::fact::Source;

use crate::simulator::{
    deals::Discount,
    draft::Party,
    life::{Bill, Kind},
    story::Story,
};

/// Types and total assets (millions of CNY) of which no other bank is, one for each case of a round: 204 and 209 once more as
/// larger ones, which is another tier.
pub(super) const TYPES: [(u16, i64); 6] =
    [(201, 100_000), (207, 100_000), (208, 100_000), (209, 100_000), (209, 400_000), (204, 100_000)];

/// A number of this case among those of its round: 0..6.
pub(super) fn place(story: &Story) -> usize {
    story.variant * 2 + usize::from(story.positive)
}

/// A paper bill of a bank or (the drawer accepts) a company, which its acceptor registers: one fact. It is never presented.
pub(super) fn paper(story: &mut Story, parties: (Party, Party, Party), face: i64, tenor: i32) -> Bill {
    let acceptor = parties.1;
    let kind = if acceptor.id.is_enterprise() { Kind::Commercial } else { Kind::Bank };
    let mut bill = story.bill(kind, face, parties, tenor);
    bill = Bill::new(
        bill.serial,
        kind,
        Source::Preg,
        false,
        face,
        (bill.issue, bill.due, bill.due_adjusted),
        parties,
        story.bank_no_of(acceptor),
        50_000_000 + bill.serial % 50_000_000,
    );
    let fact = bill.register_paper(story.now());
    story.put(fact);
    story.wait(1);
    bill
}

/// PPR.DSC: a bank takes a paper bill from its payee.
pub(super) fn discount_paper(story: &mut Story, bill: &mut Bill, bank: Party, rate_e4: i64) {
    let terms = Discount::priced(bill, bill.whole(), bill.payee, bank, rate_e4, story.today());
    let fact = bill.discount_paper(story.now(), &terms);
    story.put(fact);
    story.wait(1);
}
