//! What patterns see of the market: one folded fact ([`Sight`]) and what is known about parties ([`Registry`]).
//!
//! Two narrow doors keep the judges free of the fold's and the reference table's inner forms: `adapter` opens them for
//! [`crate::observe`] and [`crate::reference_data`].

use super::{number::Number, vocabulary::Role};
use crate::{
    bill::{Bill, Header, Lot, Outcome},
    catalogue::calendar::Calendar,
    fact::{Behaviour, Fact, Field, Range},
    ids::{Code, Day, InstId, PartyId},
};

/// One folded fact, with the bill after it.
pub trait Sight {
    /// The fact.
    fn fact(&self) -> &Fact;
    /// What it did. Reference facts: INFORMATIONAL.
    fn outcome(&self) -> &Outcome;
    /// The bill after the fact; `None` for facts without a bill.
    fn bill(&self) -> Option<&Bill>;
    /// Who plays a role in the fact (derived.csv `role.*`).
    fn role(&self, role: Role) -> Option<PartyId>;
    /// The branch through which a role acts, when the fact or header names it.
    fn branch(&self, role: Role) -> Option<InstId>;
    /// Amount that the fact moves, fen: as sent, else the length of its range or the face.
    fn amount_fen(&self) -> Option<i64>;
    /// bill.price_class.
    fn price_class(&self) -> Option<Code>;
    /// The fact's id was accepted with other content too (facts.md 7, P174).
    fn has_variants(&self) -> bool;

    /// The face of the bill.
    fn header(&self) -> Option<&Header> {
        self.bill()?.header.as_ref()
    }

    /// Calls `each` for the lots that overlap the range of the fact, as they were before it.
    fn lots_before(&self, each: &mut dyn FnMut(&Lot)) {
        if self.outcome().is_applied() {
            self.outcome().changes.iter().filter_map(|change| change.before.as_ref()).for_each(each);
        } else if let Some(bill) = self.bill() {
            let range = self.fact().range;
            bill.lots.iter().filter(|lot| overlap(lot.range, range)).for_each(each);
        }
    }

    /// Calls `each` for the lots that an applied fact acted on, as they are after it.
    fn lots_after(&self, each: &mut dyn FnMut(&Lot)) {
        self.outcome().acted().map(|change| &change.after).for_each(each);
    }
}

/// True when two ranges of one bill have a sub-bill in common; `WHOLE` is all of it.
pub fn overlap(left: Range, right: Range) -> bool {
    left == Range::WHOLE || right == Range::WHOLE || (left.start <= right.end && right.start <= left.end)
}

/// When data are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Instant, ms: what came into force later is not seen.
    pub at: i64,
    /// Business date: for what holds from one day to another.
    pub date: Day,
}

/// What is known about parties, the calendar, the curves and the forms of messages.
pub trait Registry {
    /// Master or financial data of a party (ent_attr, inst_attr, latest MST.FIN / MST.ENF). A branch makes institution data
    /// those of the branch, else of the head office. `None`: unknown or never set.
    fn attribute(&self, party: PartyId, branch: Option<InstId>, field: Field, moment: Moment) -> Option<Number>;
    /// Tier of an institution (derived.csv `tier`).
    fn tier(&self, party: PartyId, moment: Moment) -> Option<Code>;
    /// The party is registered (MST.ENR, MST.ISN).
    fn known(&self, party: PartyId, moment: Moment) -> bool;
    /// `related(a, b)` of derived.csv; `None` when they are not, as far as is known, but one of them is not registered.
    fn related(&self, left: PartyId, right: PartyId, moment: Moment) -> Option<bool>;
    /// The enterprise has a special flag; `None` when it is not registered.
    fn has_flag(&self, party: PartyId, flag: Code, moment: Moment) -> Option<bool>;
    /// On an active MST.BLK list.
    fn watch_listed(&self, party: PartyId, moment: Moment) -> bool;
    /// Limit of the credit line that one institution gives another, in force on the date, fen; `None` when there is none.
    fn credit_line_fen(&self, giver: PartyId, taker: PartyId, moment: Moment) -> Option<i64>;
    /// Day of the latest notice of this behaviour about an acceptor: DIS.REG, DIS.ANN, DIS.PSL, DIS.RST; of DIS.SUS the one
    /// in force.
    fn disclosure_day(&self, party: PartyId, kind: Behaviour, moment: Moment) -> Option<Day>;
    /// The latest month (year * 12 + month - 1) of a DIS.CRD.
    fn disclosed_month(&self, party: PartyId, moment: Moment) -> Option<i32>;
    /// Edits between a name and the registered name of a party; `None` when it has none.
    fn name_distance(&self, party: PartyId, name: &str, moment: Moment) -> Option<i64>;
    /// When a party opened its latest account at a branch.
    fn account_opened(&self, party: PartyId, branch: InstId, moment: Moment) -> Option<Day>;
    /// Province of a branch.
    fn branch_province(&self, branch: InstId, moment: Moment) -> Option<Code>;
    /// Legal institution of a branch, by the register; `None` when the branch is not registered.
    fn head_office(&self, branch: InstId, moment: Moment) -> Option<PartyId>;
    /// Fen of the contract, else the invoice, of a drawer; `number`: hash of its number.
    fn background_fen(&self, drawer: PartyId, number: u64, moment: Moment) -> Option<i64>;
    /// The trader is registered for a legal institution, active and in time.
    fn is_active_trader(&self, legal: PartyId, trader: &str, moment: Moment) -> bool;
    /// Another branch has taken over this one.
    fn is_succeeded(&self, branch: InstId, moment: Moment) -> bool;
    /// Enterprises with the same address (or legal representative) as one, itself included; `None` when it has none.
    fn sharing(&self, party: PartyId, address: bool, moment: Moment) -> Option<usize>;
    /// Province of a protected enterprise of another group whose name that of a party comes close to: by likeness, or by a token
    /// that stands in it (one of fewer letters: at either end). Outer `None`: there is none; inner: its province is not known.
    fn lookalike_province(&self, party: PartyId, close: (Number, usize), moment: Moment) -> Option<Option<Code>>;
    /// `curve_e4(class, days, date)` from REF.CRV points; `None` when the class has no point.
    fn curve_e4(&self, class: Code, days: i64, moment: Moment) -> Option<i64>;
    /// Deposit or benchmark rate of a kind at the tenor nearest to so many days; `None` when none was published.
    fn reference_rate_e4(&self, kind: Code, days: i64, moment: Moment) -> Option<i64>;
    /// Weight of (buyer section, supplier section) in trade_matrix.csv; 1 when a section is unknown.
    fn trade_weight(&self, buyer: PartyId, supplier: PartyId, moment: Moment) -> i64;
    /// Business days.
    fn calendar(&self) -> &Calendar;
    /// A code of the fact is not in enums.csv (P178).
    fn has_unknown_code(&self, fact: &Fact) -> bool;
    /// A field that payloads.csv calls mandatory is missing (P179). The header serves conditions "of the bill".
    fn misses_field(&self, fact: &Fact, header: Option<&Header>) -> bool;
    /// The bill number is malformed (P176).
    fn has_bad_bill_number(&self, fact: &Fact, check_digit: bool) -> bool;
    /// The check character of uscc is wrong (P186).
    fn has_bad_credit_code(&self, fact: &Fact) -> bool;
}
