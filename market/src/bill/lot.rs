//! A lot (持有份额): the largest range of one package that moves together, with everything that the laws ask about it.
//!
//! Cloning a lot is cheap (two reference counts): what every lot has lies inline, the rare lies behind one shared
//! pointer, and the lineage is shared between a lot, its parts and its earlier states.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{
    header::TextHash,
    state::{Flag, PayState, Risk, Status},
};
use crate::{
    fact::{Behaviour, Range, behaviour},
    ids::{Code, Day, InstId, PartyId},
};

/// One holder in the life of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Who holds from here on.
    pub holder: PartyId,
    /// Instant of the fact, ms.
    pub event_time: i64,
    /// Business date of the fact.
    pub biz_date: Day,
    /// Rate of the transfer, percent e4; `None` when the fact had none or it lies outside `i32`.
    rate_e4: i32,
    /// What made the holder: ISS.REG, RCV.SGN, END.SGN, DSC.SET, IBT.SET, RCS.SET ...
    pub behaviour: Behaviour,
}

const NO_RATE: i32 = i32::MIN;

impl Step {
    /// A step; a rate outside `i32` is kept as none.
    pub fn new(holder: PartyId, event_time: i64, biz_date: Day, behaviour: Behaviour, rate_e4: Option<i64>) -> Self {
        let rate_e4 = rate_e4.and_then(|rate| i32::try_from(rate).ok()).unwrap_or(NO_RATE);
        Step { holder, event_time, biz_date, rate_e4, behaviour }
    }

    /// Rate of the transfer, percent e4.
    pub fn rate_e4(&self) -> Option<i32> {
        (self.rate_e4 != NO_RATE).then_some(self.rate_e4)
    }
}

/// The open request of a locked lot (TF0302), or the presentation of a lot in collection (TF0401).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The request behaviour, for instance END.REQ, IBT.CKS, DTH.ENT, PAY.AUT.
    pub behaviour: Behaviour,
    /// Who asked. After PAY.AUT the party for whom the system presented.
    pub requester: PartyId,
    /// Who may answer; `None`, SYSTEM and MARKET = anybody.
    pub counterparty: Option<PartyId>,
    /// Deal of the request, when it has one.
    pub deal: Option<TextHash>,
    /// Instant of the request, ms.
    pub since: i64,
    /// Business date of the request.
    pub since_date: Day,
    /// Flag before the request.
    pub flag_before: Flag,
    /// Payment state before the request: PAY.WDR gives it back.
    pub pay_before: PayState,
    /// The transferor set EM01: the receiver may not transfer.
    pub non_transferable: bool,
    /// The request cut the lot: its refusal, withdrawal or clean-up makes an SPL.RST.
    pub cut: bool,
    /// What the request says and its answers may leave out: the purpose of a rediscount, of any other request the quote
    /// method. One of them suffices: a rediscount has but one quote method.
    pub mode: Option<Code>,
    /// Instant of the first PAY.QUE of the presentation, ms: it waits for cash since then.
    pub queued_at: Option<i64>,
}

impl Request {
    /// The party who must answer; `None` = anybody may.
    pub fn answerer(&self) -> Option<PartyId> {
        self.counterparty.filter(|party| *party != PartyId::SYSTEM && *party != PartyId::MARKET)
    }
}

/// The open deal of a lot that awaits redemption (TF0305).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RepoDeal {
    /// What opened it: RPO.SET, BRP.SET, RDC.RST or DSR.SGN.
    pub behaviour: Behaviour,
    /// Deal id.
    pub deal: Option<TextHash>,
    /// Who redeems.
    pub seller: PartyId,
    /// Branch of the seller.
    pub seller_inst: Option<InstId>,
    /// Who lent.
    pub buyer: PartyId,
    /// Branch of the buyer.
    pub buyer_inst: Option<InstId>,
    /// Cash of the first leg, fen (DSR: pay_fen).
    pub first_fen: Option<i64>,
    /// Agreed redemption sum, fen.
    pub redeem_fen: Option<i64>,
    /// Rate, percent e4.
    pub rate_e4: Option<i64>,
    /// Instant of the opening, ms.
    pub since: i64,
    /// Business date of the opening.
    pub since_date: Day,
    /// Agreed redemption date (DSR: last day of redemption); default settle date + repo_days.
    pub redeem_date: Option<Day>,
    /// Business date of the first RPO.RDF that was applied.
    pub failed_on: Option<Day>,
}

/// A recourse notice that is still open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// RCS.NTC, RCS.NDN, RCS.RRN or PDR.REQ.
    pub behaviour: Behaviour,
    /// Against whom; `None` when the fact named nobody.
    pub debtor: Option<PartyId>,
    /// Instant, ms.
    pub since: i64,
    /// Business date.
    pub since_date: Day,
}

/// The pending agree-to-settle request of a debtor. One at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Agreement {
    /// Who agreed to settle.
    pub debtor: PartyId,
    /// Instant of RCS.AGR, ms.
    pub since: i64,
    /// Business date of RCS.AGR.
    pub since_date: Day,
    /// The creditor signed (RCS.AGS); the settlement is awaited.
    pub signed: bool,
}

/// A guarantor or an enhancement that is live on the lot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Surety {
    /// GUD.SGN, GUA.SGN, GUE.SGN, PPR.GUA, ENH.GUA.SGN, ENH.DSC or ENH.PAY.
    pub behaviour: Behaviour,
    /// Guarantor or enhancing bank.
    pub guarantor: PartyId,
    /// For whom: drawer, acceptor, endorser; for enhancements the counterparty of the fact.
    pub debtor: Option<PartyId>,
    /// Guaranteed or enhanced sum, fen; default the amount of the fact.
    pub amount_fen: i64,
    /// Business date.
    pub since_date: Day,
}

/// What few lots have.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Rare {
    /// Pledgee, in force (TF0304) or on record after a refusal.
    pub pledgee: Option<PartyId>,
    /// Business date of the pledge.
    pub pledged_on: Option<Day>,
    /// Open repo-like deal.
    pub repo: Option<RepoDeal>,
    /// Open notices, oldest first; at most one a debtor.
    pub notices: SmallVec<[Notice; 2]>,
    /// Pending agreement.
    pub agreement: Option<Agreement>,
    /// Live sureties, oldest first.
    pub sureties: SmallVec<[Surety; 1]>,
    /// Reason that the latest refusal of a presentation (PAY.REJ, PAY.LRJ) gave.
    pub dishonour_reason: Option<Code>,
}

impl Rare {
    /// Every sum that is of the whole lot.
    pub(super) fn each_sum(&mut self, mut change: impl FnMut(&mut i64)) {
        let deal = self.repo.iter_mut().flat_map(|deal| [&mut deal.first_fen, &mut deal.redeem_fen]);
        deal.flatten().for_each(&mut change);
        self.sureties.iter_mut().for_each(|surety| change(&mut surety.amount_fen));
    }
}

/// What of a sum over `whole` falls on `part`, a range within it. The shares of parts that lie side by side add up to the
/// sum, whatever the order in which they are cut. A bill without sub-bills has no parts.
pub(super) fn share(sum: i64, whole: Range, part: Range) -> i64 {
    if whole == part || whole == Range::WHOLE {
        return sum;
    }
    let length = i128::from(whole.length());
    let up_to = |fen: u64| (i128::from(sum) * i128::from(fen)).div_euclid(length);
    let before = part.start - whole.start;
    // No share is larger than the sum, but for the floor of a negative one; sums of facts are not negative.
    (up_to(before + part.length()) - up_to(before)) as i64
}

/// Marks of a lot, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Marks(u8);

impl Marks {
    const PRESENTED_IN_TIME: u8 = 1;
    const PRESENTED_BY_LIMIT: u8 = 2;
    const MIGRATED: u8 = 4;
    const ALL: u8 = 7;

    /// The marks as three bits.
    pub(super) fn bits(self) -> u8 {
        self.0
    }

    /// The inverse of [`Marks::bits`]; higher bits are not read.
    pub(super) fn from_bits(bits: u8) -> Self {
        Marks(bits & Self::ALL)
    }

    pub(super) fn set_presented_in_time(&mut self) {
        self.0 |= Self::PRESENTED_IN_TIME;
    }

    pub(super) fn set_presented_by_limit(&mut self) {
        self.0 |= Self::PRESENTED_BY_LIMIT;
    }

    pub(super) fn set_migrated(&mut self) {
        self.0 |= Self::MIGRATED;
    }
}

/// A lot and its state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lot {
    /// Range held; [`Range::WHOLE`] for an indivisible bill.
    pub range: Range,
    /// Length in fen; the face of an indivisible bill.
    pub amount_fen: i64,
    /// Present holder; of an ended lot the last one.
    pub holder: PartyId,
    /// Branch of the holder (an enterprise: its account bank), where a fact named it.
    pub holder_inst: Option<InstId>,
    /// Bill status.
    pub status: Status,
    /// Circulation flag.
    pub flag: Flag,
    /// Risk flag.
    pub risk: Risk,
    /// Payment state.
    pub pay_state: PayState,
    /// Presented in time, migrated ...
    pub marks: Marks,
    /// Number of END.SGN on the lineage.
    pub hops: u16,
    /// Last fact applied to the lot: steers the ECDS state.
    pub last_behaviour: Behaviour,
    /// Business date on which the present holder became holder.
    pub since: Day,
    /// Business date of the last state change.
    pub changed_on: Day,
    /// Instant of the last state change, ms.
    pub changed_at: i64,
    /// Date of the overdue event (DF1, derived.csv `overdue event`) that the facts so far have brought; kept when the lot
    /// ends, taken back when PAY.SET or PAY.SUB of the same business date follows.
    pub overdue_since: Option<Day>,
    /// When a presentation in time is not answered: last day for the answer. When it ends unanswered, the lot is overdue.
    pub answer_due: Option<Day>,
    /// Open request or presentation.
    pub request: Option<Request>,
    /// Holders since the registration, oldest first.
    pub lineage: Arc<[Step]>,
    /// What few lots have.
    pub rare: Option<Arc<Rare>>,
}

impl Lot {
    /// Not ended.
    pub fn is_live(&self) -> bool {
        self.status.is_live()
    }

    /// Live, CS03 or CS04: what counts as held (derived.csv `HOLD`).
    pub fn is_held(&self) -> bool {
        matches!(self.status, Status::Received | Status::Due)
    }

    /// A PAY.REQ or PAY.AUT was applied within `due_date ..= due_date + 10` days.
    pub fn presented_in_time(&self) -> bool {
        self.marks.0 & Marks::PRESENTED_IN_TIME != 0
    }

    /// Presented (PAY.REQ, PAY.AUT, PAY.LRQ) not later than `due_date + 10` days: may become overdue (DF1).
    pub fn presented_by_limit(&self) -> bool {
        self.marks.0 & Marks::PRESENTED_BY_LIMIT != 0
    }

    /// CST.MIG was applied.
    pub fn is_migrated(&self) -> bool {
        self.marks.0 & Marks::MIGRATED != 0
    }

    /// Date of the overdue event when the market clock has passed the end of `day`, for a live lot.
    pub fn overdue_at(&self, day: Day) -> Option<Day> {
        if !self.is_live() {
            return None;
        }
        self.overdue_since.or(self.answer_due.filter(|due| *due <= day))
    }

    /// Pledgee in force or on record.
    pub fn pledgee(&self) -> Option<PartyId> {
        self.rare.as_ref()?.pledgee
    }

    /// Open repo-like deal.
    pub fn repo(&self) -> Option<&RepoDeal> {
        self.rare.as_ref()?.repo.as_ref()
    }

    /// Reason of the latest refusal of a presentation.
    pub fn dishonour_reason(&self) -> Option<Code> {
        self.rare.as_ref()?.dishonour_reason
    }

    /// Open recourse notices.
    pub fn notices(&self) -> &[Notice] {
        self.rare.as_ref().map_or(&[], |rare| &rare.notices)
    }

    /// Pending agree-to-settle.
    pub fn agreement(&self) -> Option<&Agreement> {
        self.rare.as_ref()?.agreement.as_ref()
    }

    /// Live sureties and enhancements.
    pub fn sureties(&self) -> &[Surety] {
        self.rare.as_ref().map_or(&[], |rare| &rare.sureties)
    }

    /// An ENH.DSC or ENH.PAY is live: price class BCL7.
    pub fn is_enhanced(&self) -> bool {
        self.sureties().iter().any(|surety| matches!(surety.behaviour, behaviour::ENH_DSC | behaviour::ENH_PAY))
    }

    /// Who took the lot in its latest discount (DSC.SET or PPR.DSC).
    pub fn discounter(&self) -> Option<PartyId> {
        let is_discount = |step: &&Step| matches!(step.behaviour, behaviour::DSC_SET | behaviour::PPR_DSC);
        self.lineage.iter().rev().find(is_discount).map(|step| step.holder)
    }

    /// Number of changes of holder through recourse (derived.csv `recourse depth`).
    pub fn recourse_depth(&self) -> usize {
        let is_recourse = |step: &&Step| matches!(step.behaviour, behaviour::RCS_SET | behaviour::RCS_AGS);
        self.lineage.iter().filter(is_recourse).count()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>();
        let lineage = COUNTS + self.lineage.len() * size_of::<Step>();
        lineage + self.rare.as_ref().map_or(0, |_| COUNTS + size_of::<Rare>())
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        Arc::make_mut(self.rare.get_or_insert_default())
    }

    /// Drops the rare part when nothing is left in it, so that equal lots are equal in form.
    pub(super) fn tidy(&mut self) {
        if self.rare.as_deref().is_some_and(|rare| *rare == Rare::default()) {
            self.rare = None;
        }
    }
}
