//! What patterns see of the market: one folded fact ([`Sight`]) and what is known about parties ([`Registry`]).
//!
//! Two narrow doors keep the judges free of the fold's and the reference table's inner forms: `adapter` opens them for
//! [`crate::observe`] and [`crate::reference_data`].

use super::{number::Number, vocabulary::Role};
use crate::{
    fact::{EventId, Fact, Field, Range},
    ids::{BillId, Code, Day, InstId, PartyId},
};

/// Header of a bill: the effective ISS.REG or PPR.ACC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Package number.
    pub bill_id: BillId,
    /// `BAB`, `CAB` or `FAB`.
    pub kind: Code,
    /// `ELEC` or `PAPER`.
    pub medium: Option<Code>,
    /// Fen.
    pub face_fen: i64,
    /// Issue date.
    pub issue_date: Day,
    /// Due date.
    pub due_date: Day,
    /// Drawer.
    pub drawer: PartyId,
    /// Acceptor.
    pub acceptor: PartyId,
    /// Payee.
    pub payee: PartyId,
}

/// A lot as far as rules read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LotView {
    /// `WHOLE` for an indivisible bill.
    pub range: Range,
    /// Fen.
    pub length_fen: i64,
    /// Present holder; the last one of an ended lot.
    pub holder: PartyId,
    /// `CS01`..`CS06`.
    pub status: Code,
    /// `TF0101`..`TF0501`.
    pub flag: Code,
    /// `RS00`..`RS03`.
    pub risk: Code,
    /// lot.pay_state.
    pub pay_state: Code,
    /// Pledgee, while and after a pledge.
    pub pledgee: Option<PartyId>,
    /// lot.overdue.
    pub overdue: bool,
    /// Who has it out on repo, when it is (the repo seller), and whether that is a buyout repo.
    pub repo_seller: Option<PartyId>,
}

/// One folded fact.
pub trait Sight {
    /// The fact.
    fn fact(&self) -> &Fact;
    /// Its root id: that of the fact which corrections and variants are about (facts.md 5).
    fn root_id(&self) -> EventId {
        self.fact().event_id
    }
    /// Its effect, by the name in facts.md 4.2.
    fn effect(&self) -> &'static str;
    /// Header of the bill after the fact; `None` while the bill is unknown, and for facts without bill.
    fn header(&self) -> Option<Header>;
    /// Who plays a role in the fact (derived.csv `role.*`).
    fn role(&self, role: Role) -> Option<PartyId>;
    /// The branch through which a role acts, when the fact names it.
    fn branch(&self, role: Role) -> Option<InstId>;
    /// Lots that overlap the range of the fact, as they were before it.
    fn lots_before(&self, each: &mut dyn FnMut(&LotView));
    /// Lots that the fact changed: `each(before, -1)` and `each(after, +1)`. Lots cut by the fact count as changed.
    fn changes(&self, each: &mut dyn FnMut(&LotView, i64));
    /// Amount that the fact moves, fen: as sent, else the length of its range or the face.
    fn amount_fen(&self) -> Option<i64>;
    /// bill.price_class.
    fn price_class(&self) -> Option<Code>;
}

/// What is known about parties, the calendar and the curves. All instants are ms; data counts from its effective time.
pub trait Registry {
    /// Master or financial data of a party as of an instant (ent_attr, inst_attr, latest MST.FIN / MST.ENF). A branch makes
    /// institution data those of the branch, else of the head office. `None`: unknown or never set.
    fn attribute(&self, party: PartyId, branch: Option<InstId>, field: Field, at: i64) -> Option<Number>;
    /// The party is registered (MST.ENR, MST.ISN).
    fn known(&self, party: PartyId, at: i64) -> bool;
    /// `related(a, b)` of derived.csv; `None` when one of them is not registered.
    fn related(&self, left: PartyId, right: PartyId, at: i64) -> Option<bool>;
    /// On an active MST.BLK list.
    fn watch_listed(&self, party: PartyId, at: i64) -> bool;
    /// `curve_e4(class, days, date)` from REF.CRV points; `None` when the class has no point.
    fn curve_e4(&self, class: Code, days: i64, at: i64) -> Option<i64>;
    /// Weight of (buyer section, supplier section) in trade_matrix.csv; 1 when a section is unknown.
    fn trade_weight(&self, buyer: PartyId, supplier: PartyId, at: i64) -> i64;
    /// Business day of calendar.csv.
    fn is_business_day(&self, day: Day) -> bool;

    /// The n-th business day after a day.
    fn business_day_after(&self, day: Day, count: i64) -> Day {
        let mut day = day;
        let mut left = count;
        while left > 0 {
            day = day.plus(1);
            left -= i64::from(self.is_business_day(day));
        }
        day
    }

    /// The day itself when it is a business day, else the next one (due_date_adjusted).
    fn rolled(&self, day: Day) -> Day {
        if self.is_business_day(day) { day } else { self.business_day_after(day, 1) }
    }
}
